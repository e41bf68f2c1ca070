// SPDX-License-Identifier: Apache-2.0
/*
 * The commands of CDI specs, ours and those that NVIDIA's tool writes: createContainer hooks, which
 * a runtime runs in the container's mount namespace before its pivot_root. Each one is a small plan
 * for the container's root, applied as any other.
 */
#pragma once

#include "davit/apply.h"
#include "davit/cdi_edits.h"
#include "davit/oci.h"

/*
 * Whether the program is called for one: by the name nvidia-cdi-hook, with such a command, or with
 * the word `hook` before it, as nvidia-ctk was.
 */
bool cdi_hook_is_meant(int argc, char **argv);
/* Does it, with the state on standard input. The exit code. */
int cdi_hook_main(int argc, char **argv);

/*
 * Does what a hook of a CDI spec's would do, in the container whose mount namespace the process has
 * entered (apply_plan has been called). The hook's command is known. 0 or -errno, err filled.
 */
int cdi_hook_apply(const struct cdi_edit_hook *hook, const struct container *container,
		   struct arena *arena, struct error *err);

/* ---- shared by the commands ------------------------------------------------------------- */

struct cdi_call {
	struct arena *arena;
	char **arguments; /* behind the command, ending with NULL */
	struct container container;
	struct plan plan; /* what is to be done */
};
/* A new operation at the plan's end, or NULL. `target` and `text` NULL: no memory, too. */
struct operation *cdi_add(struct cdi_call *call, enum operation_kind kind, const char *target,
			  const char *text);
/*
 * The next option of that name, "--NAME VALUE" or "--NAME=VALUE", from *at on; NULL: no more. What
 * is unknown is passed over: newer tools write it.
 */
const char *cdi_option(const struct cdi_call *call, const char *name, size_t *at);
/*
 * The same for options that are lists: the next item of "--NAME a,b", without blanks. NULL: no
 * more, or no memory (then the arena has failed).
 */
struct cdi_items {
	size_t at;
	struct slice rest;
};
const char *cdi_item(const struct cdi_call *call, const char *name, struct cdi_items *items);

/* The commands: 0 or -errno, err filled. */
int cdi_create_symlinks(struct cdi_call *call, struct error *err);
int cdi_chmod(struct cdi_call *call, struct error *err);
int cdi_update_ldcache(struct cdi_call *call, struct error *err);
int cdi_enable_cuda_compat(struct cdi_call *call, struct error *err);
int cdi_mask_proc(struct cdi_call *call, struct error *err);
int cdi_update_profile(struct cdi_call *call, struct error *err);

// SPDX-License-Identifier: Apache-2.0
/*
 * The hook commands of CDI specs, davit's own and those that NVIDIA's tool writes. They are
 * createContainer hooks, which a runtime runs in the container's mount namespace before its
 * pivot_root. Each one makes a small plan for the container's root, which is applied like every
 * plan.
 */
#pragma once

#include "davit/apply.h"
#include "davit/cdi_edits.h"
#include "davit/oci.h"

/*
 * Whether the program is called as a CDI hook: by the name nvidia-cdi-hook, with such a command, or
 * with the word `hook` before it, as in nvidia-ctk.
 */
bool cdi_hook_is_called(int argc, char **argv);
/* Runs the command, with the state on standard input. Returns the exit code. */
int cdi_hook_main(int argc, char **argv);

/*
 * Does the work of a CDI spec's hook in the container whose mount namespace this process has
 * entered (after apply_plan). davit must know the hook's command. 0 or -errno, err filled.
 */
int cdi_hook_apply(const struct cdi_edit_hook *hook, const struct container *container,
		   bool shared_propagation, struct arena *arena, struct error *err);

/* ---- shared by the commands ------------------------------------------------------------- */

struct cdi_call {
	struct arena *arena;
	char **arguments; /* after the command, ending with NULL */
	struct container container;
	bool shared_propagation; /* of config.json */
	/*
	 * The plan's sources are the host's files, which the namespace shows until the runtime
	 * enters the root. Otherwise, a command only uses files of the container.
	 */
	bool takes_from_host;
	struct plan plan; /* the operations to apply */
};
/* Appends an operation to the plan. NULL: no memory, or `target` and `text` are NULL. */
struct operation *cdi_add(struct cdi_call *call, enum operation_kind kind, const char *target,
			  const char *text);
/*
 * The next option of that name, "--NAME VALUE" or "--NAME=VALUE", from *at on; NULL: no more.
 * Unknown options are ignored, because newer tools write them.
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

/* Whether the container has that node. `path` NULL: no. */
bool cdi_has_node(const struct cdi_call *call, const char *path);
/*
 * If the image has a file at the link's path, mounts the link's target on it. If the container
 * lacks the target, the link replaces the file.
 */
int cdi_cover_link(struct cdi_call *call, struct operation *link, struct error *err);
/*
 * Adds the image's newer driver libraries to the plan, if they support the driver named in the
 * arguments, and the file for a later ldconfig; or removes an old one. Only for glibc images.
 */
int cdi_add_compat(struct cdi_call *call, struct image *image, struct error *err);
/* Adds the file that names further directories for a later ldconfig. 0 or -errno. */
int cdi_add_loader_conf(struct cdi_call *call, const struct image *image,
			const struct strings *folders);

/* The commands: 0 or -errno, err filled. */
int cdi_apply_spec(struct cdi_call *call, struct error *err);
int cdi_create_symlinks(struct cdi_call *call, struct error *err);
int cdi_chmod(struct cdi_call *call, struct error *err);
int cdi_update_ldcache(struct cdi_call *call, struct error *err);
int cdi_enable_cuda_compat(struct cdi_call *call, struct error *err);
int cdi_mask_proc(struct cdi_call *call, struct error *err);
int cdi_update_profile(struct cdi_call *call, struct error *err);

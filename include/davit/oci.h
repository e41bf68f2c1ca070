// SPDX-License-Identifier: Apache-2.0
/*
 * oci: the runtime's state and the bundle's config.json (OCI runtime-spec 1.0 to 1.3), and the
 * parts of them that davit reads. Pure: text in, structs out; everything lives in the arena.
 */
#pragma once

#include "davit/base.h"

#define OCI_STATE_MAX ((size_t)1024 * 1024)
#define OCI_CONFIG_MAX ((size_t)64 * 1024 * 1024)

struct oci_pair {
	const char *name, *value;
};
struct oci_pairs {
	struct oci_pair *items;
	size_t count, capacity;
};
/* The last value of that name, or NULL. */
const char *oci_pairs_get(const struct oci_pairs *pairs, const char *name);

/* runtime-spec, "State"; `bundle` also under its old name bundlePath. */
struct oci_state {
	const char *id;     /* "" when absent */
	const char *status; /* "" when absent */
	const char *bundle; /* absolute */
	const char *root;   /* of the container, as crun has it; "" when absent */
	pid_t pid;          /* 0: none (crun's createContainer) */
};
/* Whether the container has run: it is a poststop hook's state, and has no pid. */
bool oci_state_is_stopped(const struct oci_state *state);
/*
 * -EINVAL with ERROR_BAD_BUNDLE: empty input, no JSON, no object, a NUL character, a name that
 * appears twice or in another case (as oci_spec_parse), no bundle or a relative one, a pid that is
 * no positive 32-bit number where `need_pid` and the container isn't stopped (else 0 is one too).
 * Texts are taken as they are, byte for byte: what is no UTF-8 is for the printers to mask.
 */
int oci_state_parse(const char *text, size_t length, bool need_pid, struct arena *arena,
		    struct oci_state *ret, struct error *err);

/* Of the command line that a runtime was started with. */
struct oci_runtime_words {
	const char *bundle, *root; /* absolute, or "" */
	const char *config;        /* crun's, as it stands there, or "" */
	bool names;                /* a word is the container's id */
};
/*
 * Reads /proc/PID/cmdline's form: words that end in NUL. Takes the last --bundle (-b), --root and
 * --config (-f), each with its value behind `=` or as the next word, and shortened as crun has it;
 * of the first two relative ones don't count. Never fails.
 */
void oci_runtime_words_parse(struct slice text, const char *id, struct arena *arena,
			     struct oci_runtime_words *ret);

struct oci_mount {
	const char *destination, *source, *type; /* "" when absent */
	bool bind;      /* of something that exists already: type "bind", or by an option */
	bool read_only; /* by its options, whatever the mount's flags are at the moment */
};
struct oci_mounts {
	struct oci_mount *items;
	size_t count, capacity;
};

/* A user who isn't root: process.user. */
struct oci_user {
	uint32_t uid, gid;
	struct {
		uint32_t *items;
		size_t count, capacity;
	} groups; /* additionalGids; none for uid 0, to whom groups are nothing */
};

struct oci_spec {
	const char *version;          /* ociVersion, "" when absent */
	struct strings env;           /* process.env as it stands, "NAME=value" */
	struct oci_pairs annotations; /* in the file's order */
	struct oci_mounts mounts;
	const char *root_path; /* root.path as it stands: may be relative to the bundle */
	bool root_readonly;
	struct oci_user user;
	uint64_t bounding;   /* process.capabilities: bit n is capability n of linux/capability.h */
	bool user_namespace; /* linux.namespaces has type user */
	const char *cgroups_path; /* linux.cgroupsPath, "" when absent */
	bool shared_propagation;  /* linux.rootfsPropagation: mounts in the root may show outside */
	bool written; /* davit-runtime wrote its plan into it: hooks.createContainer has ours */
};
/*
 * Both shapes of process.capabilities, told apart by their JSON type: an object with `bounding`, or
 * (OCI versions before 1.0.0-rc5) a plain list. Wrong types of what is read, a NUL character
 * anywhere and a missing root.path are -EINVAL with ERROR_BAD_BUNDLE, the first with the JSON path,
 * the second with line and column; null counts as absent, unknown members are passed over.
 *
 * So is what runc and crun would read differently: a name that appears twice in its object, or in
 * another case, among those that davit reads or edits, and a repeated annotation org.davit.* or
 * cdi.k8s.io/...; and more than 1,024 of these annotations.
 */
int oci_spec_parse(const char *text, size_t length, struct arena *arena, struct oci_spec *ret,
		   struct error *err);
/* The bit of "CAP_SYS_ADMIN" and so on; 0 for a name that this program doesn't know. */
uint64_t oci_capability_bit(const char *name, size_t length);
/*
 * What "privileged" means to policy: CAP_SYS_ADMIN is in the bounding set, and counts on the host.
 * In a user namespace of its own, any container may have it.
 */
bool oci_spec_privileged(const struct oci_spec *spec);
/* root.path made absolute against the bundle, lexically cleaned of nothing. NULL without memory. */
const char *oci_spec_rootfs(const struct oci_spec *spec, const char *bundle, struct arena *arena);

// SPDX-License-Identifier: Apache-2.0
/*
 * oci: the parts of the runtime's state and of the bundle's config.json (OCI runtime-spec 1.0
 * to 1.3) that davit reads. Pure: text in, structs out. All results are in the arena.
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
	const char *root;   /* the container's root, as in crun's state; "" if absent */
	pid_t pid;          /* 0: none (crun's createContainer) */
};
/* Whether the container has stopped: the state of a poststop hook, without a pid. */
bool oci_state_is_stopped(const struct oci_state *state);
/*
 * Parses a state. -EINVAL with ERROR_BAD_BUNDLE:
 * - empty input, not JSON, not an object, a NUL character
 * - a name that appears twice or in another case (as oci_spec_parse)
 * - no bundle, or a relative one
 * - a pid that isn't a positive 32-bit number; 0 is valid without `need_pid`, or for a stopped
 *   container
 *
 * Texts are copied byte for byte. Output functions mask invalid UTF-8.
 */
int oci_state_parse(const char *text, size_t length, bool need_pid, struct arena *arena,
		    struct oci_state *ret, struct error *err);

/* The needed part of a runtime's command line. */
struct oci_runtime_words {
	const char *bundle, *root; /* absolute, or "" */
	const char *config;        /* crun's --config, as written, or "" */
	bool names;                /* one argument is the container's id */
};
/*
 * Parses the format of /proc/PID/cmdline: words that end with NUL. Returns the last --bundle (-b),
 * --root and --config (-f), with the value after `=` or as the next word, also abbreviated as in
 * crun. Relative values of the first two are ignored. Never fails.
 */
void oci_runtime_words_parse(struct slice text, const char *id, struct arena *arena,
			     struct oci_runtime_words *ret);

struct oci_mount {
	const char *destination, *source, *type; /* "" when absent */
	bool bind;                               /* a bind mount: by its type, or by an option */
	bool read_only; /* by its options, not by the mount's current flags */
};
struct oci_mounts {
	struct oci_mount *items;
	size_t count, capacity;
};

/* process.user, if it isn't root. */
struct oci_user {
	uint32_t uid, gid;
	struct {
		uint32_t *items;
		size_t count, capacity;
	} groups; /* additionalGids; none for uid 0, which doesn't need them */
};

struct oci_spec {
	const char *version;          /* ociVersion, "" when absent */
	struct strings env;           /* process.env, unchanged: "NAME=value" */
	struct oci_pairs annotations; /* in the file's order */
	struct oci_mounts mounts;
	const char *root_path; /* root.path, unchanged: may be relative to the bundle */
	bool root_readonly;
	struct oci_user user;
	uint64_t bounding;   /* process.capabilities: bit n is capability n of linux/capability.h */
	bool user_namespace; /* linux.namespaces has type user */
	const char *cgroups_path; /* linux.cgroupsPath, "" when absent */
	bool shared_propagation;  /* linux.rootfsPropagation: mounts in the root may propagate */
	bool written; /* davit-runtime has edited it: hooks.createContainer has davit's hook */
};
/*
 * Parses config.json. process.capabilities may have both formats: an object with `bounding`, or
 * (OCI versions before 1.0.0-rc5) a plain list. null counts as absent, and unknown members are
 * ignored.
 *
 * -EINVAL with ERROR_BAD_BUNDLE:
 * - a wrong type (the message has the JSON path)
 * - a NUL character (the message has line and column)
 * - no root.path
 * - text that runc and crun would read differently: among the names that davit reads or edits, one
 *   that appears twice in its object, or in another case; a repeated annotation org.davit.* or
 *   cdi.k8s.io/...
 * - more than 1,024 of these annotations
 */
int oci_spec_parse(const char *text, size_t length, struct arena *arena, struct oci_spec *ret,
		   struct error *err);
/* The bit of "CAP_SYS_ADMIN" and so on; 0 for an unknown name. */
uint64_t oci_capability_bit(const char *name, size_t length);
/*
 * Whether the container is privileged for the policy: CAP_SYS_ADMIN is in the bounding set, and
 * valid on the host. In its own user namespace, any container may have it.
 */
bool oci_spec_privileged(const struct oci_spec *spec);
/* root.path, absolute, relative to the bundle, without other changes. NULL: no memory. */
const char *oci_spec_rootfs(const struct oci_spec *spec, const char *bundle, struct arena *arena);

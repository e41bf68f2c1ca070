// SPDX-License-Identifier: Apache-2.0
/*
 * cdi_edits: what CDI specs, ours or others', change in a container for devices by name. Found in
 * the folders of specs, then planned like all else: what a spec mounts goes the one way into a
 * container (attach.h), by the same rules of places.
 */
#pragma once

#include "davit/plan.h"

#define CDI_NODE_UNSAID (-1)

struct cdi_node {
	const char *path, *host_path;
	char type; /* 'c', 'b', 'p': a FIFO, without numbers */
	unsigned major, minor;
	enum device_access access;
	bool no_rule; /* the cgroup isn't told of it */
	bool on_host; /* the host has it: it can be bound. Else only a runtime can make it */
	int64_t mode, uid, gid; /* as the spec says, or CDI_NODE_UNSAID */
	const char *because;    /* "CDI vendor.com/class=name" */
};
struct cdi_mount {
	const char *host_path, *container_path, *type;
	unsigned flags; /* enum mount_flags */
	bool bind;      /* of a file or directory of the host */
	/*
	 * It goes into config.json as `json`: no bind, a bind with an option that davit's own way
	 * into a container lacks, or one above such a mount.
	 */
	bool as_given;
	const char *json;
	const char *because;
};
struct cdi_net_device {
	const char *host, *name; /* of the interface on the host, and in the container */
};
struct cdi_edit_hook {
	const char *stage; /* "createContainer" */
	const char *path;
	struct strings arguments;
	const char *json;    /* as config.json has it */
	const char *command; /* davit-hook's, when it is one of those that davit has too; or NULL */
};
struct cdi_edits {
	struct strings env;
	struct {
		struct cdi_node *items;
		size_t count, capacity;
	} nodes;
	struct {
		struct cdi_mount *items;
		size_t count, capacity;
	} mounts;
	struct {
		struct cdi_edit_hook *items;
		size_t count, capacity;
	} hooks;
	struct strings groups; /* additionalGids, decimal */
	struct {
		struct cdi_net_device *items;
		size_t count, capacity;
	} net_devices;
	const char *intel_rdt;             /* as config.json has it, or NULL */
	bool rdt_schemata, rdt_monitoring; /* it has these, which runtimes know since 2025 */
	struct strings beyond_hook;        /* what a hook can't do of it, a sentence an edit */
};

/*
 * Finds the devices of those qualified names in the specs of the directories: of a device in
 * several, the last directory counts. A spec has to be a regular file of root's (or whom
 * owner_is_trusted names) that nobody else can write; one that isn't is passed over, as is one that
 * can't be read. Only files in which the kind stands are parsed.
 *
 * -ENODEV with ERROR_UNKNOWN_DEVICE: no such kind (the kinds there are), no such name, or two files
 * of one directory have it; -EINVAL with ERROR_BAD_REQUEST: an edit that davit can't make. Looks at
 * the host's nodes for their numbers.
 */
int cdi_resolve(const struct root *root, const struct strings *directories,
		const struct strings *names, struct arena *arena, struct cdi_edits *ret,
		struct error *err);
/* Adds their nodes, rules and mounts to the plan, but what goes into config.json as it is given.
 * 0 or -ENOMEM, err filled.
 */
int cdi_plan(const struct cdi_edits *edits, struct arena *arena, struct plan *plan,
	     struct error *err);
/*
 * Whether a hook, which can't write config.json, can make these edits for a container's user: no
 * variables but those that say nothing to the container, no programs but davit's own commands, no
 * mounts but binds. -EINVAL with ERROR_BAD_REQUEST, which names the device and the edit.
 */
int cdi_check_for_hook(const struct cdi_edits *edits, const struct oci_user *user,
		       struct error *err);

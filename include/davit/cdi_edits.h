// SPDX-License-Identifier: Apache-2.0
/*
 * cdi_edits: the edits that CDI specs contain for named devices. They are found in the directories
 * of specs and added to the plan. Their mounts are made by attach.h, with the same rules for
 * places.
 */
#pragma once

#include "davit/plan.h"

#define CDI_NODE_UNSAID (-1)

struct cdi_node {
	const char *path, *host_path;
	char type; /* 'c', 'b', 'p': a FIFO, without numbers */
	unsigned major, minor;
	enum device_access access;
	bool no_rule;           /* no device rule is added */
	bool on_host;           /* it exists on the host; otherwise only a runtime can create it */
	int64_t mode, uid, gid; /* from the spec, or CDI_NODE_UNSAID */
	const char *because;    /* "CDI vendor.com/class=name" */
};
struct cdi_mount {
	const char *host_path, *container_path, *type;
	unsigned flags; /* enum mount_flags */
	bool bind;      /* a bind mount of a file or directory of the host */
	/*
	 * The mount is written into config.json as `json`, because it isn't a bind mount, has an
	 * option that attach.h lacks, or lies above such a mount.
	 */
	bool as_given;
	const char *json;
	const char *because;
};
struct cdi_net_device {
	const char *host, *name; /* the interface's names on the host, and in the container */
};
struct cdi_edit_hook {
	const char *stage; /* "createContainer" */
	const char *path;
	struct strings arguments;
	const char *json;    /* as config.json has it */
	const char *command; /* davit-hook's command, if davit has the same; or NULL */
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
	bool rdt_schemata, rdt_monitoring; /* members of it that runtimes know since 2025 */
	struct strings beyond_hook;        /* a sentence for each edit that a hook can't make */
};

/*
 * Finds the devices of these qualified names in the specs of the directories. If several
 * directories define a device, the last one counts. A spec must be a regular file of a trusted
 * owner (owner_is_trusted) that no other user can write. Other files, and unreadable ones, are
 * skipped. Only files that contain the kind are parsed.
 *
 * -ENODEV with ERROR_UNKNOWN_DEVICE: an unknown kind (the message lists the known ones), an unknown
 * name, or a name in two files of one directory. -EINVAL with ERROR_BAD_REQUEST: an edit that davit
 * can't make. Reads the numbers of the host's nodes.
 */
int cdi_resolve(const struct root *root, const struct strings *directories,
		const struct strings *names, struct arena *arena, struct cdi_edits *ret,
		struct error *err);
/* Adds the nodes, rules and mounts to the plan, except mounts with `as_given`. 0 or -ENOMEM. */
int cdi_plan(const struct cdi_edits *edits, struct arena *arena, struct plan *plan,
	     struct error *err);
/*
 * Checks that a hook, which can't write config.json, can make these edits for the container's user:
 * only variables without a meaning for the container, only davit's own commands as hooks, only bind
 * mounts. -EINVAL with ERROR_BAD_REQUEST, which names the device and the edit.
 */
int cdi_check_for_hook(const struct cdi_edits *edits, const struct oci_user *user,
		       struct error *err);

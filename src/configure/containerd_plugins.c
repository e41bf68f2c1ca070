// SPDX-License-Identifier: Apache-2.0
/*
 * What containerd's files can take away from its CRI plugin, although `config dump` accepts them:
 * plugins that it requires, its snapshotter, the shims of its runtimes. Tried with containerd 1.6,
 * 1.7 and 2.1 by disabling each of their plugins.
 */
#include <string.h>

#include "containerd.h"

#define IMAGES_PLUGIN "io.containerd.cri.v1.images"
#define SNAPSHOTTER "io.containerd.snapshotter.v1."

/* ---- disabled_plugins ------------------------------------------------------------------- */

struct requirement {
	const char *plugin;
	unsigned since, until; /* versions as 100 * major + minor; until 0: all later ones */
};
static const struct requirement requirements[] = {
	{"io.containerd.content.v1.content", 0, 0},
	{"io.containerd.differ.v1.walking", 0, 0},
	{"io.containerd.event.v1.exchange", 0, 0},
	{"io.containerd.gc.v1.scheduler", 0, 0},
	{"io.containerd.metadata.v1.bolt", 0, 0},
	{"io.containerd.runtime.v2.task", 0, 0},
	{"io.containerd.service.v1.containers-service", 0, 0},
	{"io.containerd.service.v1.content-service", 0, 0},
	{"io.containerd.service.v1.diff-service", 0, 0},
	{"io.containerd.service.v1.images-service", 0, 0},
	{"io.containerd.service.v1.namespaces-service", 0, 0},
	{"io.containerd.service.v1.snapshots-service", 0, 0},
	{"io.containerd.service.v1.tasks-service", 0, 0},
	{"io.containerd.runtime.v1.linux", 1, 200},
	{"io.containerd.service.v1.leases-service", 1, 107},
	{"io.containerd.lease.v1.manager", 107, 0},
	{"io.containerd.sandbox.store.v1.local", 107, 0},
	{"io.containerd.runtime.v2.shim", 107, 200},
	{"io.containerd.sandbox.controller.v1.local", 107, 200},
	{IMAGES_PLUGIN, 200, 0},
	{"io.containerd.image-verifier.v1.bindir", 200, 0},
	{"io.containerd.podsandbox.controller.v1.podsandbox", 200, 0},
	{"io.containerd.sandbox.controller.v1.shim", 200, 0},
	{"io.containerd.shim.v1.manager", 200, 0},
	{"io.containerd.transfer.v1.local", 200, 0},
};

static unsigned number_of(struct containerd_version version)
{
	return 100 * version.major + version.minor;
}

static bool is_required(const struct requirement *requirement, struct containerd_version version)
{
	unsigned number = number_of(version);

	/* Of an unknown version, only what all versions require. */
	return number >= requirement->since && (!requirement->until || number < requirement->until);
}

/* Behind the plugin's type, such as "io.containerd.grpc.v1.". */
static const char *id_of(const char *plugin)
{
	const char *dot = strrchr(plugin, '.');

	return dot ? dot + 1 : plugin;
}

/*
 * Before 2.0, a file of format 1 (or without one) names plugins by their ids only, and the long
 * names have no effect. 2.x makes long ones of them.
 */
static bool is_disabled(const struct toml_node *settings, const char *plugin, unsigned format,
			struct containerd_version version)
{
	const struct toml_node *list = toml_member(settings, "disabled_plugins");
	bool by_id = format == 1 && version.major < 2;
	bool by_name = !by_id || version.major == 0;

	for (const struct toml_node *item = list ? list->first : NULL; item; item = item->next)
		if (item->type == TOML_STRING &&
		    ((by_name && string_equal(item->string, plugin)) ||
		     (by_id && string_equal(item->string, id_of(plugin)))))
			return true;
	return false;
}

static const char *find_disabled(const struct toml_node *settings, unsigned format,
				 struct containerd_version version)
{
	for (size_t i = 0; i < ARRAY_SIZE(requirements); i++)
		if (is_required(&requirements[i], version) &&
		    is_disabled(settings, requirements[i].plugin, format, version))
			return requirements[i].plugin;
	return NULL;
}

/* From format 2 on, containerd doesn't start with names that aren't whole. */
static const char *find_id(const struct toml_node *settings, unsigned format)
{
	const struct toml_node *list = toml_member(settings, "disabled_plugins");

	for (const struct toml_node *item = list && format >= 2 ? list->first : NULL; item;
	     item = item->next)
		if (item->type == TOML_STRING && !string_starts(item->string, "io.containerd."))
			return item->string;
	return NULL;
}

/* ---- the snapshotter -------------------------------------------------------------------- */

static const char *snapshotter_of(const struct toml_node *settings)
{
	const char *name =
		toml_find_string(settings, TOML_PATH("plugins", IMAGES_PLUGIN, "snapshotter"));

	if (!name)
		name = toml_find_string(containerd_section(settings),
					TOML_PATH("containerd", "snapshotter"));
	/* MicroK8s fills in ${SNAPSHOTTER} of its template. */
	return name && name[0] && !strchr(name, '$') ? name : "overlayfs";
}

/* One of its own settings, without which containerd skips that snapshotter. */
static bool has_setting(const struct toml_node *settings, const char *name, const char *key,
			struct arena *arena)
{
	const char *plugin = arena_printf(arena, SNAPSHOTTER "%s", name);
	const char *value =
		plugin ? toml_find_string(settings, TOML_PATH("plugins", plugin, key)) : "?";

	return value && value[0];
}

/* Why containerd has no such snapshotter; NULL: it has, as far as its files say. */
static const char *judge_snapshotter(const struct toml_node *settings, const char *name,
				     struct containerd_version version, struct arena *arena)
{
	const char *type = toml_find_string(settings, TOML_PATH("proxy_plugins", name, "type"));
	static const char *const always[] = {"overlayfs", "native", "btrfs", "zfs"};

	if (string_equal(type, "snapshot"))
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(always); i++)
		if (string_equal(name, always[i]))
			return NULL;
	if (string_equal(name, "devmapper"))
		return has_setting(settings, name, "pool_name", arena) ? NULL
								       : "it has no pool_name";
	if (string_equal(name, "blockfile") && number_of(version) >= 107)
		return has_setting(settings, name, "scratch_file", arena)
			       ? NULL
			       : "it has no scratch_file";
	/* These depend on the kernel. */
	if ((string_equal(name, "aufs") && version.major == 1) ||
	    (string_equal(name, "erofs") && number_of(version) >= 201) || version.major == 0)
		return NULL;
	return "proxy_plugins doesn't name it, either";
}

/* ---- all -------------------------------------------------------------------------------- */

int containerd_judge_cri(const struct toml_node *settings, unsigned format,
			 struct containerd_version version, struct arena *arena,
			 struct containerd_cri *ret)
{
	const char *snapshotter = snapshotter_of(settings), *plugin;

	*ret = (struct containerd_cri){0};
	plugin = arena_printf(arena, SNAPSHOTTER "%s", snapshotter);
	if (!plugin)
		return -ENOMEM;
	ret->disabled =
		is_disabled(settings, CONTAINERD_PLUGIN_2, format, version) ||
		(version.major != 1 && is_disabled(settings, CONTAINERD_PLUGIN_3, format, version));
	ret->required = find_disabled(settings, format, version);
	ret->id = find_id(settings, format);
	if (!ret->required && is_disabled(settings, plugin, format, version))
		ret->required = plugin;
	ret->no_snapshotter = judge_snapshotter(settings, snapshotter, version, arena);
	ret->snapshotter = snapshotter;
	ret->root = toml_find_string(settings, TOML_PATH("root"));
	return 0;
}

int containerd_find_shim(const struct toml_node *settings, const char *name, struct arena *arena,
			 const char **ret)
{
	const struct toml_node *runtime =
		toml_find(containerd_section(settings),
			  TOML_PATH("containerd", "runtimes",
				    name ? name : containerd_default_runtime(settings)));
	const char *type = toml_find_string(runtime, TOML_PATH("runtime_type"));
	const char *path = toml_find_string(runtime, TOML_PATH("runtime_path")), *last, *before;

	*ret = NULL;
	/* The built-in default runtime. */
	if (!runtime && !name)
		type = "io.containerd.runc.v2";
	if (!type || !type[0] || strchr(type, '$'))
		return 0;
	if (path && path[0] == '/')
		type = path;
	*ret = string_equal(type, "io.containerd.runtime.v1.linux") ? "containerd-shim" : type;
	last = strrchr(*ret, '.');
	if (type[0] == '/' || !last)
		return 0;
	before = last;
	while (before > type && before[-1] != '.')
		before--;
	*ret = arena_printf(arena, "containerd-shim-%.*s-%s", (int)(last - before), before,
			    last + 1);
	return *ret ? 0 : -ENOMEM;
}

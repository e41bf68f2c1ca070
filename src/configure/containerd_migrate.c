// SPDX-License-Identifier: Apache-2.0
/*
 * Settings that containerd's migrations to formats 3 and 4 move or rename: `configMigration` of its
 * plugins, and `serviceMigrate` of its server, since 2.0 and 2.3.
 */
#include <string.h>

#include "containerd.h"

#define PLUGIN_IMAGES "io.containerd.cri.v1.images"

/* Paths are dotted; "*" is one key, and everything below a path moves with it. */
static const struct {
	const char *plugin, *now;
	const char *before; /* of a plugin */
	const char *top;    /* of the file, in no plugin */
} moves[] = {
	{PLUGIN_IMAGES, "pinned_images.sandbox", "sandbox_image", NULL},
	{PLUGIN_IMAGES, "snapshotter", "containerd.snapshotter", NULL},
	{PLUGIN_IMAGES, "disable_snapshot_annotations", "containerd.disable_snapshot_annotations",
	 NULL},
	{PLUGIN_IMAGES, "discard_unpacked_layers", "containerd.discard_unpacked_layers", NULL},
	{CONTAINERD_PLUGIN_3, "cni.bin_dirs", "cni.bin_dir", NULL},
	{CONTAINERD_PLUGIN_3, "containerd.runtimes.*.sandboxer",
	 "containerd.runtimes.*.sandbox_mode", NULL},
	{"io.containerd.shim.v1.manager", "env", "sched_core", NULL},
	{"io.containerd.server.v1.grpc", "", NULL, "grpc"},
	{"io.containerd.server.v1.grpc-tcp", "", NULL, "grpc"},
	{"io.containerd.server.v1.ttrpc", "", NULL, "ttrpc"},
	/* Without an address of its own, it has that of grpc with a suffix. */
	{"io.containerd.server.v1.ttrpc", "", NULL, "grpc"},
	{"io.containerd.server.v1.debug", "", NULL, "debug"},
	{"io.containerd.server.v1.metrics", "", NULL, "metrics"},
	{"io.containerd.metrics.v1.grpc-prometheus", "", NULL, "metrics"},
};

/* The keys from the top down to a node. */
struct keys {
	const char *items[TOML_DEPTH_MAX + 1];
	size_t count;
};

static void find_keys(const struct toml_node *node, struct keys *ret)
{
	ret->count = 0;
	for (const struct toml_node *at = node; at->parent; at = at->parent)
		ret->count++;
	if (ret->count > ARRAY_SIZE(ret->items))
		ret->count = 0;
	for (size_t i = ret->count; i-- > 0; node = node->parent)
		ret->items[i] = node->key;
}

/* Whether a dotted path is the beginning of these keys; *ret_any: the key of its "*". */
static bool fits(const char *path, const struct keys *keys, size_t skip, const char **ret_any)
{
	struct slice rest = slice_from(path), word;

	for (size_t i = skip; *path && slice_next(&rest, '.', &word); i++) {
		if (i >= keys->count)
			return false;
		if (slice_equal(word, "*"))
			*ret_any = keys->items[i];
		else if (!slice_equal(word, keys->items[i]))
			return false;
	}
	return true;
}

static const struct toml_node *member(const struct toml_node *table, struct slice key)
{
	const struct toml_node *node = table && table->type == TOML_TABLE ? table->first : NULL;

	while (node && !slice_equal(key, node->key))
		node = node->next;
	return node;
}

static const struct toml_node *find_dotted(const struct toml_node *table, const char *path,
					   const char *any)
{
	struct slice rest = slice_from(path), word;

	while (table && slice_next(&rest, '.', &word))
		table = member(table, slice_equal(word, "*") && any ? slice_from(any) : word);
	return table;
}

static const struct toml_node *find_keyed(const struct toml_node *table, const struct keys *keys,
					  size_t from, size_t end)
{
	for (size_t i = from; table && i < end; i++)
		table = toml_member(table, keys->items[i]);
	return table;
}

/* At a place of an older format. */
static bool sets_before(const struct toml_node *settings, const struct keys *keys)
{
	const struct toml_node *plugins = toml_member(settings, "plugins");

	for (size_t i = 0; i < ARRAY_SIZE(moves); i++) {
		const char *any = NULL;

		if (!string_equal(moves[i].plugin, keys->items[1]) ||
		    !fits(moves[i].now, keys, 2, &any))
			continue;
		if (moves[i].top && toml_member(settings, moves[i].top))
			return true;
		for (const struct toml_node *plugin = plugins ? plugins->first : NULL;
		     plugin && moves[i].before; plugin = plugin->next)
			if (find_dotted(plugin, moves[i].before, any))
				return true;
	}
	return false;
}

bool containerd_sets(const struct toml_node *settings, const struct toml_node *node)
{
	const struct toml_node *plugins = toml_member(settings, "plugins");
	struct keys keys;

	find_keys(node, &keys);
	if (!settings || !keys.count)
		return false;
	if (find_keyed(settings, &keys, 0, keys.count))
		return true;
	/* A later file replaces one of these as a whole. */
	if (keys.count > 2 && (string_equal(keys.items[0], "proxy_plugins") ||
			       string_equal(keys.items[0], "stream_processors")))
		return find_keyed(settings, &keys, 0, 2);
	if (keys.count < 2 || !string_equal(keys.items[0], "plugins"))
		return false;
	for (plugins = plugins ? plugins->first : NULL; plugins && keys.count > 2;
	     plugins = plugins->next)
		if (find_keyed(plugins, &keys, 2, keys.count))
			return true;
	return sets_before(settings, &keys);
}

// SPDX-License-Identifier: Apache-2.0
/* containers.conf: the directories from which Podman reads hooks. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "davit/configure_podman.h"

#include "toml.h"

#define ENVIRON_MAX ((size_t)1024 * 1024)
#define FILES_MAX 1024
#define OUTPUT_MAX ((size_t)4096)
#define PASSWD_MAX ((size_t)1024 * 1024)
#define TIMEOUT_MS 10000

#define VENDOR "/usr/share/containers"
#define ADMINISTRATOR "/etc/containers"

/* Versions from which Podman reads containers.conf in another way. */
#define OVERRIDE 405u  /* CONTAINERS_CONF_OVERRIDE */
#define LISTS 408u     /* {append=true}, and an empty list is as if none were set */
#define OF_ROOT 500u   /* root's own files */
#define SPEC_DIRS 505u /* cdi_spec_dirs */
#define BY_NAME 600u   /* only one main file, and drop-ins in more folders */

/* ---- the caller ------------------------------------------------------------------------- */

const char *configure_variable(const char *name, struct arena *arena)
{
	char *text = NULL;
	size_t length = strlen(name), size = 0;
	AUTO_FD fd = proc_open(0, "environ", O_RDONLY);

	if (fd < 0 || file_read(fd, ENVIRON_MAX, arena, &text, &size) < 0)
		return NULL;
	for (const char *at = text; at < text + size; at += strlen(at) + 1)
		if (strncmp(at, name, length) == 0 && at[length] == '=' && at[length + 1] == '/')
			return at + length + 1;
	return NULL;
}

/* The home directory in /etc/passwd, or NULL. */
static const char *find_home(const struct root *root, uid_t uid, struct arena *arena)
{
	struct slice rest, line, field;
	char wanted[16], *text;

	if (root_read(root, "/etc/passwd", PASSWD_MAX, arena, &text, NULL) < 0)
		return NULL;
	(void)snprintf(wanted, sizeof(wanted), "%u", (unsigned)uid);
	rest = slice_from(text);
	while (slice_next(&rest, '\n', &line))
		for (int i = 0; slice_next(&line, ':', &field); i++) {
			if (i == 2 && !slice_equal(field, wanted))
				break;
			if (i == 5)
				return arena_strndup(arena, field.data, field.length);
		}
	return NULL;
}

static void parse_version(const char *text, struct podman *ret)
{
	char *end;
	unsigned long major = strtoul(text, &end, 10), minor, patch;

	minor = *end == '.' ? strtoul(end + 1, &end, 10) : 0;
	patch = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;
	if (major >= 1000 || minor >= 100 || patch >= 1000)
		return;
	ret->version = (unsigned)(100 * major + minor);
	ret->patch = (unsigned)patch;
}

/* As in struct podman. */
static void ask_version(const struct root *root, struct arena *arena, struct podman *ret)
{
	static const char *const usual[] = {"/usr/local/bin/podman", "/usr/bin/podman"};
	static const char before[] = "podman version ";

	for (size_t i = 0; i < ARRAY_SIZE(usual); i++) {
		AUTO_FD fd = root_openat(root, usual[i], O_PATH);
		const struct spawn spawn = {
			.program = fd,
			.arguments = (const char *const[]){usual[i], "--version", NULL},
			.timeout_ms = TIMEOUT_MS,
			.output_max = OUTPUT_MAX,
		};
		struct spawn_result result = {0};

		if (fd < 0)
			continue;
		/* A program that nobody but its owner, whom we trust, can change. */
		if (file_trust(fd) != FILE_TRUSTED || spawn_run(&spawn, arena, &result) < 0 ||
		    result.status != 0 || !string_starts(result.output, before))
			return;
		parse_version(result.output + strlen(before), ret);
		return;
	}
}

void configure_find_podman(const struct root *root, struct arena *arena, struct podman *ret)
{
	bool here = string_equal(root->path, "/");
	const char *home = here ? configure_variable("HOME", arena) : NULL;

	*ret = (struct podman){.uid = geteuid()};
	if (here) {
		ask_version(root, arena, ret);
		ret->only = configure_variable("CONTAINERS_CONF", arena);
		ret->last = configure_variable("CONTAINERS_CONF_OVERRIDE", arena);
		ret->config = configure_variable("XDG_CONFIG_HOME", arena);
	}
	if (!home)
		home = find_home(root, ret->uid, arena);
	if (!ret->config && home)
		ret->config = arena_printf(arena, "%s/.config", home);
}

/* ---- the files -------------------------------------------------------------------------- */

struct named {
	const char *name, *path;
};
struct nameds {
	struct named *items;
	size_t count, capacity;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

/* A file replaces one of the same name that was added before. */
static int add_drop_ins(const struct root *root, const char *folder, struct arena *arena,
			struct nameds *ret)
{
	struct strings names = {0};

	if (!folder)
		return -ENOMEM;
	(void)root_list(root, folder, FILES_MAX, arena, &names);
	for (size_t i = 0; i < names.count; i++) {
		struct named *file = NULL;

		if (!string_ends(names.items[i], ".conf"))
			continue;
		for (size_t j = 0; j < ret->count && !file; j++)
			if (string_equal(ret->items[j].name, names.items[i]))
				file = &ret->items[j];
		if (!file)
			file = ARENA_PUSH(arena, ret);
		if (!file)
			return -ENOMEM;
		file->name = names.items[i];
		file->path = arena_printf(arena, "%s/%s", folder, names.items[i]);
		if (!file->path)
			return -ENOMEM;
	}
	return 0;
}

static int take_drop_ins(const struct nameds *files, struct arena *arena, struct strings *ret)
{
	int r = sort_items(arena, files->items, files->count, sizeof(*files->items), by_name);

	for (size_t i = 0; r == 0 && i < files->count; i++)
		r = strings_add(arena, ret, files->items[i].path);
	return r;
}

/* Before Podman 6.0: FOLDER/containers.conf and, if it is read, FOLDER/containers.conf.d. */
static int add_folder(const struct root *root, const char *folder, bool drop_ins,
		      struct arena *arena, struct strings *ret)
{
	const char *path = arena_printf(arena, "%s/containers.conf", folder);
	struct nameds files = {0};
	int r = path ? strings_add(arena, ret, path) : -ENOMEM;

	if (r == 0 && drop_ins)
		r = add_drop_ins(root, arena_printf(arena, "%s.d", path), arena, &files);
	return r == 0 ? take_drop_ins(&files, arena, ret) : r;
}

/* In doubt, as Podman 5. */
static bool is_since(const struct podman *podman, unsigned version)
{
	return (podman->version ? podman->version : OF_ROOT) >= version;
}

static int list_files(const struct root *root, const struct podman *podman, const char *user,
		      struct arena *arena, struct strings *ret)
{
	int r = add_folder(root, VENDOR, false, arena, ret);

	if (r == 0)
		r = add_folder(root, ADMINISTRATOR, true, arena, ret);
	if (r == 0 && user && (podman->uid || is_since(podman, OF_ROOT)))
		r = add_folder(root, user, true, arena, ret);
	return r;
}

/* From 6.0: the first main file, and the drop-ins of all folders by their names. */
static int list_files_6(const struct root *root, const struct podman *podman, const char *user,
			struct arena *arena, struct strings *ret)
{
	const char *const main[] = {user, ADMINISTRATOR, VENDOR};
	const char *const folders[] = {VENDOR, ADMINISTRATOR};
	const char *special =
		podman->uid ? "containers.rootless.conf.d" : "containers.rootful.conf.d";
	struct nameds files = {0};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(main) && ret->count == 0; i++) {
		const char *path =
			arena_printf(arena, "%s/containers.conf", main[i] ? main[i] : VENDOR);
		struct stat st;

		if (!path)
			return -ENOMEM;
		if (main[i] && root_stat(root, path, 0, &st) == 0 &&
		    strings_add(arena, ret, path) < 0)
			return -ENOMEM;
	}
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(folders); i++) {
		r = add_drop_ins(root, arena_printf(arena, "%s/containers.conf.d", folders[i]),
				 arena, &files);
		if (r == 0)
			r = add_drop_ins(root, arena_printf(arena, "%s/%s", folders[i], special),
					 arena, &files);
		if (r == 0 && podman->uid)
			r = add_drop_ins(root,
					 arena_printf(arena, "%s/%s/%u", folders[i], special,
						      (unsigned)podman->uid),
					 arena, &files);
	}
	if (r == 0 && user)
		r = add_drop_ins(root, arena_printf(arena, "%s/containers.conf.d", user), arena,
				 &files);
	return r == 0 ? take_drop_ins(&files, arena, ret) : r;
}

static int add_files(const struct root *root, const struct podman *podman, struct arena *arena,
		     struct strings *ret)
{
	const char *user =
		podman->config ? arena_printf(arena, "%s/containers", podman->config) : NULL;
	int r;

	if (podman->config && !user)
		return -ENOMEM;
	if (podman->only)
		r = strings_add(arena, ret, podman->only);
	else
		r = is_since(podman, BY_NAME) ? list_files_6(root, podman, user, arena, ret)
					      : list_files(root, podman, user, arena, ret);
	if (r == 0 && podman->last && is_since(podman, OVERRIDE))
		r = strings_add(arena, ret, podman->last);
	return r;
}

/* ---- the directories -------------------------------------------------------------------- */

/* 1: the key is set, and *folders is replaced or extended. 0: it isn't set. -ENOMEM. */
static int take_list(const struct toml_node *top, const char *key, struct arena *arena,
		     bool *append, struct strings *folders)
{
	const struct toml_node *list = toml_find(top, TOML_PATH("engine", key));
	struct strings named;

	if (!list || list->type != TOML_ARRAY)
		return 0;
	for (const struct toml_node *item = list->first; item; item = item->next)
		if (item->type == TOML_TABLE)
			*append = toml_find_bool(item, TOML_PATH("append"), *append);
	if (toml_strings(list, arena, &named) < 0)
		return -ENOMEM;
	if (!*append)
		*folders = named;
	for (size_t i = 0; *append && i < named.count; i++)
		if (strings_add(arena, folders, named.items[i]) < 0)
			return -ENOMEM;
	return 1;
}

int configure_podman_hook_folders(const char *text, const char *path, struct arena *arena,
				  struct podman_hooks *ret, struct error *err)
{
	const struct toml_node *runtimes;
	struct toml_node *top, *both;
	const char *runtime;
	int hooks, specs, r = toml_parse(text, path, arena, &top, err);

	if (r < 0)
		return r;
	hooks = take_list(top, "hooks_dir", arena, &ret->append, &ret->folders);
	specs = take_list(top, "cdi_spec_dirs", arena, &ret->spec_append, &ret->spec_dirs);
	if (hooks < 0 || specs < 0)
		return error_memory(err);
	if (hooks)
		ret->file = path;
	if (specs)
		ret->spec_file = path;
	runtime = toml_find_string(top, TOML_PATH("engine", "runtime"));
	if (runtime && runtime[0]) {
		ret->runtime = runtime;
		ret->runtime_file = path;
	}
	runtimes = toml_find(top, TOML_PATH("engine", "runtimes"));
	if (!runtimes || runtimes->type != TOML_TABLE)
		return 0;
	both = toml_new_table(arena);
	if (!both || (ret->runtimes && toml_merge(both, ret->runtimes, arena) < 0) ||
	    toml_merge(both, runtimes, arena) < 0)
		return error_memory(err);
	ret->runtimes = both;
	return 0;
}

/* Those that Podman knows without being told. */
static const char *const known_runtimes[] = {"crun",    "crun-vm", "crun-wasm", "kata",  "krun",
					     "ocijail", "runc",    "runj",      "runsc", "youki"};

bool configure_podman_runtime(const struct podman_hooks *hooks, const char *name,
			      struct arena *arena, struct strings *ret)
{
	const struct toml_node *paths = toml_member(hooks->runtimes, name);

	*ret = (struct strings){0};
	if (paths)
		return toml_strings(paths, arena, ret) == 0;
	for (size_t i = 0; i < ARRAY_SIZE(known_runtimes); i++)
		if (string_equal(name, known_runtimes[i]))
			return true;
	return false;
}

int configure_podman_hooks(const struct root *root, const struct podman *podman,
			   struct arena *arena, struct podman_hooks *ret, struct error *err)
{
	struct strings files = {0};
	int r = 0;

	*ret = (struct podman_hooks){0};
	if (strings_add(arena, &ret->folders, PODMAN_HOOKS) < 0 ||
	    strings_add(arena, &ret->spec_dirs, "/etc/cdi") < 0 ||
	    strings_add(arena, &ret->spec_dirs, "/var/run/cdi") < 0 ||
	    add_files(root, podman, arena, &files) < 0)
		return error_memory(err);
	for (size_t i = 0; r == 0 && i < files.count; i++) {
		struct error unreadable;
		char *text = NULL;

		if (configure_read(root, files.items[i], arena, &text, &unreadable) == -ENOMEM)
			return error_memory(err);
		if (text)
			r = configure_podman_hook_folders(text, files.items[i], arena, ret, err);
	}
	if (r == 0 && ret->append && !is_since(podman, LISTS))
		r = error_set(err, ERROR_BAD_CONFIG, EINVAL, "remove it, or update Podman",
			      "read %s: Podman before 4.8 doesn't know {append=true}", ret->file);
	ret->empty = ret->folders.count == 0;
	if (!is_since(podman, SPEC_DIRS))
		ret->spec_file = NULL;
	/* podman#26569 */
	ret->spec_etc_only = podman->version == SPEC_DIRS && podman->patch < 2 && !ret->spec_file;
	/* There is no default for a user. */
	if (r == 0 && ret->empty && !podman->uid && is_since(podman, LISTS) &&
	    (strings_add(arena, &ret->folders, PODMAN_HOOKS) < 0 ||
	     strings_add(arena, &ret->folders, "/etc/containers/oci/hooks.d") < 0))
		return error_memory(err);
	return r;
}

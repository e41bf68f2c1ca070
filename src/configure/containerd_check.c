// SPDX-License-Identifier: Apache-2.0
/* Whether what is written leaves everything else as it was. */
#include <string.h>

#include "containerd.h"

#define PLUGIN_DEPTH 2 /* "plugins" and its name */

struct check {
	const struct configure *configure;
	const struct containerd_change *change; /* NULL for what davit's file repeated */
	struct arena *arena;
	struct strings lost;
	bool failed;
};

/* Whether the path ends in these names. */
static bool ends(const struct toml_node *node, const char *const *names, size_t count)
{
	for (; count-- > 0; node = node->parent)
		if (!node || !node->key || strcmp(node->key, names[count]) != 0)
			return false;
	return true;
}

#define ENDS(node, ...)                                  \
	ends((node), (const char *const[]){__VA_ARGS__}, \
	     ARRAY_SIZE(((const char *const[]){__VA_ARGS__})))

/* Whether it is below a runtime of that name. */
static bool is_of_runtime(const struct toml_node *node, const char *name)
{
	for (node = node->parent; node; node = node->parent)
		if (ENDS(node, "runtimes", name))
			return true;
	return false;
}

/* What davit sets, and what is another in each answer. */
static bool is_ours(const struct check *c, const struct toml_node *node)
{
	if (node->parent && !node->parent->parent &&
	    (strcmp(node->key, "imports") == 0 || strcmp(node->key, "version") == 0))
		return true;
	if (c->configure->cdi && strcmp(node->key, "enable_cdi") == 0)
		return true;
	if (c->configure->cdi && (c->configure->spec_dirs.count || toml_is_empty(node)) &&
	    strcmp(node->key, "cdi_spec_dirs") == 0)
		return true;
	if (c->configure->set_default && ENDS(node, "containerd", "default_runtime_name"))
		return true;
	for (size_t i = 0; i < CONTAINERD_HANDLERS; i++) {
		const char *name = containerd_handler(c->configure->runtime_name, i, c->arena);

		if (name && (ENDS(node, "runtimes", name, "options", "BinaryName") ||
			     ENDS(node, "runtimes", name, "container_annotations") ||
			     ENDS(node, "runtimes", name, "runtime_type")))
			return true;
		/* A default gives way to the base's setting. One of the files has come with us. */
		if (name && node->type != TOML_TABLE && toml_is_empty(node) &&
		    is_of_runtime(node, name))
			return true;
	}
	return false;
}

/* Along the keys from `top` down to the node, without those of the first `skip` levels. */
static const struct toml_node *find_same(const struct toml_node *top, const struct toml_node *node,
					 size_t skip)
{
	size_t depth = 0;

	for (const struct toml_node *at = node; at->parent; at = at->parent)
		depth++;
	if (depth <= skip)
		return depth == skip ? top : NULL;
	return toml_member(find_same(top, node->parent, skip), node->key);
}

static void add_lost(struct check *c, const struct toml_node *node)
{
	const char *path = toml_path_of(node, c->arena);
	const char *line = path && node->text.length
				   ? arena_printf(c->arena, "%s = %.*s", path,
						  (int)node->text.length, node->text.data)
				   : path;

	c->failed |= !line || strings_add(c->arena, &c->lost, line) < 0;
}

static void compare(struct check *c, const struct toml_node *before, const struct toml_node *after)
{
	for (const struct toml_node *node = before->first; node; node = node->next) {
		const struct toml_node *now = toml_member(after, node->key);

		if (is_ours(c, node) || (!now && toml_is_empty(node)))
			continue;
		if (now && node->type == TOML_TABLE && now->type == TOML_TABLE)
			compare(c, node, now);
		else if (!now ||
			 (!toml_equal(node, now) && !containerd_sets(c->change->others, node) &&
			  (!toml_is_empty(node) || !toml_is_empty(now))))
			add_lost(c, node);
	}
}

/* ---- what davit's file repeated ----------------------------------------------------------- */

struct repeated {
	const struct engine_files *files;
	const struct toml_node *after; /* the plugin's section */
	struct check check;
	const char *from; /* a file that still has it */
};

/* A setting that isn't repeated any more, though the file that it came from still has it. */
static void compare_repeated(struct repeated *c, const struct toml_node *table)
{
	for (const struct toml_node *node = table->first; node; node = node->next) {
		const struct toml_node *now = find_same(c->after, node, PLUGIN_DEPTH);

		if (node->type == TOML_TABLE && node->origin != TOML_VALUE) {
			compare_repeated(c, node);
			continue;
		}
		for (size_t i = 0; !now && i < c->files->count; i++) {
			const struct toml_node *section =
				containerd_section(c->files->items[i].top);
			const struct toml_node *there =
				section ? find_same(section, node, PLUGIN_DEPTH) : NULL;

			if (there && toml_equal(node, there)) {
				add_lost(&c->check, node);
				c->from = c->files->items[i].path;
				break;
			}
		}
	}
}

int configure_containerd_check_repeated(const char *before, const char *after, const char *path,
					const struct engine_files *files, struct arena *arena,
					struct error *err)
{
	struct repeated c = {.files = files, .check = {.arena = arena}};
	const char *last = NULL, *list;
	struct toml_node *then = NULL, *now = NULL;
	int r = toml_parse(before, path, arena, &then, err);

	if (r == 0)
		r = toml_parse(after, path, arena, &now, err);
	if (r < 0)
		return r;
	c.after = containerd_section(now);
	if (!containerd_section(then) || !c.after)
		return 0;
	compare_repeated(&c, containerd_section(then));
	for (size_t i = 0; i < files->count; i++)
		if (containerd_section(files->items[i].top))
			last = files->items[i].path;
	list = strings_list(arena, &c.check.lost, 100);
	if (c.check.failed || !list)
		return error_memory(err);
	if (!c.check.lost.count || !last)
		return 0;
	(void)error_set(err, ERROR_BAD_CONFIG, EINVAL, NULL,
			"update %s: it would lose %s: before 2.1, %s hides what %s has", path, list,
			last, c.from);
	return error_fix(err, -EINVAL,
			 "move the CRI settings of %s to %s, then run the command again", last,
			 c.from);
}

/* ---- whether what was asked for is in force ---------------------------------------------- */

static const char *main_path(const struct check *c)
{
	return c->change->files->items[0].path;
}

/* Whether a file sets what stands at that path of the plugin's section. */
static bool file_sets(const struct engine_file *file, const char *const *path)
{
	const struct toml_node *plugins = toml_member(file->top, "plugins");

	for (plugins = plugins ? plugins->first : NULL; plugins; plugins = plugins->next)
		if (toml_find(plugins, path))
			return true;
	return false;
}

/*
 * The file behind davit's that decides instead: it sets the same or, before 2.1, anything of the
 * plugin. NULL: none.
 */
static const char *find_later(const struct check *c, const char *const *path)
{
	const struct engine_files *files = c->change->files;
	size_t at = 0, any = 0;

	while (at < files->count && !string_equal(files->items[at].path, c->change->drop_in))
		at++;
	for (size_t i = at + 1; i < files->count; i++) {
		if (file_sets(&files->items[i], path))
			return files->items[i].path;
		if (!containerd_merges_keys(c->change->version) &&
		    containerd_names_plugin(files->items[i].top))
			any = i;
	}
	return any ? files->items[any].path : NULL;
}

static uint64_t version_of(const struct engine_file *file)
{
	uint64_t version = 1;

	(void)toml_number(toml_member(file->top, "version"), &version);
	return version;
}

/* A file whose format differs from that of davit's, or NULL. */
static const struct engine_file *find_format(const struct check *c)
{
	const struct engine_files *files = c->change->files;
	const struct engine_file *own = NULL;

	for (size_t i = 0; !own && i < files->count; i++)
		if (string_equal(files->items[i].path, c->change->drop_in))
			own = &files->items[i];
	for (size_t i = 0; own && i < files->count; i++)
		if (containerd_names_plugin(files->items[i].top) &&
		    version_of(&files->items[i]) != version_of(own))
			return &files->items[i];
	return NULL;
}

static int refuse_overridden(const struct check *c, const char *what, const char *const *path,
			     struct error *err)
{
	const char *later = find_later(c, path);
	const struct engine_file *other = later ? NULL : find_format(c);

	if (other)
		return error_set(
			err, ERROR_BAD_CONFIG, EINVAL,
			"rewrite these files in one version (`containerd config migrate`), then run the command again",
			"add the runtime to %s: %s has another format version than davit's file, "
			"so containerd ignores %s",
			main_path(c), other->path, what);
	return error_fix(
		err,
		error_set(err, ERROR_BAD_CONFIG, EINVAL, NULL,
			  "add the runtime to %s: %s overrides %s", main_path(c),
			  later ? later : "another file", what),
		"remove these settings from %s, or run the command with --remove, then again",
		later ? later : "files that containerd reads later");
}

/* A value that others have written in our own file is theirs to decide. */
static bool others_have(const struct check *c, const char *const *path)
{
	const struct engine_file file = {.top = c->change->others};

	return file_sets(&file, path);
}

static int check_program(const struct check *c, const char *name, const struct toml_node *after,
			 struct error *err)
{
	const char *program = toml_find_string(
		containerd_section(after),
		TOML_PATH("containerd", "runtimes", name, "options", "BinaryName"));

	return string_equal(program, c->configure->runtime_path) ||
			       others_have(c, TOML_PATH("containerd", "runtimes", name))
		       ? 0
		       : refuse_overridden(c, arena_printf(c->arena, "runtimes.%s", name),
					   TOML_PATH("containerd", "runtimes", name), err);
}

/* The options of the runtime that ours is a copy of. */
static int check_options(const struct check *c, const char *name, const struct toml_node *base,
			 const struct toml_node *after, struct error *err)
{
	const struct toml_node *options = toml_member(base, "options");
	const struct toml_node *ours = toml_find(
		containerd_section(after), TOML_PATH("containerd", "runtimes", name, "options"));

	for (const struct toml_node *node = options ? options->first : NULL; node;
	     node = node->next) {
		if (toml_is_empty(node) || toml_member(ours, node->key) ||
		    others_have(c, TOML_PATH("containerd", "runtimes", name, "options")))
			continue;
		return error_set(err, ERROR_BAD_CONFIG, EINVAL,
				 "rewrite these files in the newest format (`containerd config "
				 "migrate`), then run the command again",
				 "add the runtime to %s: %s would lack options.%s of its default "
				 "runtime",
				 main_path(c), name, node->key);
	}
	return 0;
}

/* Before 2.0, that table decides, whatever default_runtime_name says. */
static int refuse_deprecated(const struct check *c, struct error *err)
{
	const struct engine_files *files = c->change->files;
	const char *path = main_path(c);

	for (size_t i = 0; i < files->count; i++)
		if (!string_equal(files->items[i].path, c->change->drop_in) &&
		    file_sets(&files->items[i], TOML_PATH("containerd", "default_runtime")))
			path = files->items[i].path;
	return error_set(err, ERROR_BAD_CONFIG, EINVAL,
			 "make it a table of `runtimes`, named by default_runtime_name, then run "
			 "the command again",
			 "make %s the default runtime: the deprecated table default_runtime of %s "
			 "comes before default_runtime_name",
			 c->configure->runtime_name, path);
}

static int check_asked(const struct check *c, const struct toml_node *after, struct error *err)
{
	const struct configure *configure = c->configure;
	int r = 0;

	for (size_t i = 0; r == 0 && i < CONTAINERD_HANDLERS; i++) {
		const char *name = containerd_handler(configure->runtime_name, i, c->arena);

		r = name ? check_program(c, name, after, err) : error_memory(err);
	}
	if (r < 0)
		return r;
	if (configure->set_default && containerd_deprecated_default(after))
		return refuse_deprecated(c, err);
	if (configure->set_default &&
	    !string_equal(containerd_default_runtime(after), configure->runtime_name) &&
	    !others_have(c, TOML_PATH("containerd", "default_runtime_name")))
		return refuse_overridden(c, "default_runtime_name",
					 TOML_PATH("containerd", "default_runtime_name"), err);
	if (configure->cdi && !containerd_cdi(after, true) &&
	    !others_have(c, TOML_PATH("enable_cdi")))
		return refuse_overridden(c, "enable_cdi", TOML_PATH("enable_cdi"), err);
	if (configure->cdi && containerd_has_no_spec_dirs(after) &&
	    !others_have(c, TOML_PATH("cdi_spec_dirs")))
		return refuse_overridden(c, "cdi_spec_dirs", TOML_PATH("cdi_spec_dirs"), err);
	return 0;
}

int configure_containerd_check(const struct toml_node *before, const struct toml_node *after,
			       const struct containerd_change *change,
			       const struct configure *configure, struct arena *arena,
			       struct error *err)
{
	struct check c = {.configure = configure, .change = change, .arena = arena};
	const char *list;

	compare(&c, before, after);
	list = strings_list(arena, &c.lost, 200);
	if (c.failed || !list)
		return error_memory(err);
	if (c.lost.count)
		return error_set(
			err, ERROR_BAD_CONFIG, EINVAL,
			"rewrite these files in the newest format (`containerd config migrate`) or as one file, then run the command again",
			"add the runtime to %s: containerd would then lose %s", main_path(&c),
			list);
	/* A dump has nothing of a plugin that is switched off. */
	if (containerd_cri_disabled(after) && !containerd_section(after))
		return 0;
	return check_asked(&c, after, err);
}

int configure_containerd_check_dump(const struct toml_node *before, const struct toml_node *after,
				    const struct containerd_change *change,
				    const struct configure *configure, struct arena *arena,
				    struct error *err)
{
	const struct check c = {.configure = configure, .change = change, .arena = arena};
	const struct toml_node *base = containerd_base(before, configure);
	int r = configure_containerd_check(before, after, change, configure, arena, err);

	for (size_t i = 0; r == 0 && i < CONTAINERD_HANDLERS && containerd_section(after); i++) {
		const char *name = containerd_handler(configure->runtime_name, i, arena);

		r = name ? check_options(&c, name, base, after, err) : error_memory(err);
	}
	return r;
}

/* "a.b = c" of all values and empty tables below a table, without the first `skip` characters. */
static int list_values(const struct toml_node *table, size_t skip, struct arena *arena,
		       struct strings *ret)
{
	int r = 0;

	for (const struct toml_node *node = table->first; r == 0 && node; node = node->next) {
		const char *path = toml_path_of(node, arena), *line;

		if (node->type == TOML_TABLE && node->origin != TOML_VALUE && node->first) {
			r = list_values(node, skip, arena, ret);
			continue;
		}
		line = path ? arena_printf(arena, "%s = %.*s", path + skip, (int)node->text.length,
					   node->text.length ? node->text.data : "")
			    : NULL;
		r = line ? strings_add(arena, ret, line) : -ENOMEM;
	}
	return r;
}

int configure_containerd_check_left(const char *left, const char *path, const char *main_path,
				    struct containerd_version version, struct arena *arena,
				    struct error *err)
{
	static const char *const plugins[] = {CONTAINERD_PLUGIN_1, CONTAINERD_PLUGIN_2,
					      CONTAINERD_PLUGIN_3};
	struct strings settings = {0};
	struct toml_node *top;
	uint64_t format = 0;
	bool runtimes = false;
	int r = toml_parse(left, path, arena, &top, err);

	if (r < 0)
		return r;
	/* Of an unknown version: format 3 is 2.1's rather than 2.0's. */
	(void)toml_number(toml_member(top, "version"), &format);
	if (containerd_merges_keys(version) || (version.major == 0 && format >= 3))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(plugins); i++) {
		const struct toml_node *section = toml_find(top, TOML_PATH("plugins", plugins[i]));

		size_t skip = strlen("plugins.") + strlen(plugins[i]) + strlen(".");

		runtimes |= toml_find(section, TOML_PATH("containerd", "runtimes")) != NULL;
		if (section && !section->first && strings_add(arena, &settings, plugins[i]) < 0)
			return error_memory(err);
		if (section && list_values(section, skip, arena, &settings) < 0)
			return error_memory(err);
	}
	if (!settings.count)
		return 0;
	return error_fix(err,
			 error_set(err, ERROR_BAD_CONFIG, EEXIST, NULL,
				   "remove davit's lines of %s: davit didn't write %s, which would "
				   "replace all CRI settings of %s before containerd 2.1",
				   path, strings_list(arena, &settings, 200), main_path),
			 "move it to %s%s, then run the command again", main_path,
			 /* A file that names one runtime ends what containerd has by itself. */
			 runtimes ? " (which then needs the default runtime's table, too)" : "");
}

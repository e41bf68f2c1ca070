// SPDX-License-Identifier: Apache-2.0
/* What davit says to containerd, and what has to be said again with it. */
#include <string.h>

#include "containerd.h"
#include "text.h"

static const char runc_type[] = "io.containerd.runc.v2";

const char *containerd_handler(const char *name, size_t number, struct arena *arena)
{
	static const char *const suffixes[CONTAINERD_HANDLERS] = {"", "-cdi", "-legacy"};

	return arena_printf(arena, "%s%s", name, suffixes[number]);
}

static bool is_runc(const struct toml_node *runtime)
{
	const char *type = toml_find_string(runtime, TOML_PATH("runtime_type"));

	return runtime && (!type || !type[0] || string_starts(type, "io.containerd.runc."));
}

/* One that a runtime of ours can take the place of: NVIDIA's, also from containerd's first years.
 */
static bool is_replaceable(const struct toml_node *runtime)
{
	return !runtime || is_runc(runtime) ||
	       string_equal(toml_find_string(runtime, TOML_PATH("runtime_type")),
			    "io.containerd.runtime.v1.linux");
}

/* The default runtime, or runc: one whose settings are another program's is neither. */
const struct toml_node *containerd_base(const struct toml_node *settings,
					const struct configure *configure)
{
	const struct toml_node *base = containerd_runtime(settings, NULL);

	if (!is_runc(base))
		base = containerd_runtime(settings, "runc");
	if (!is_runc(base))
		base = containerd_runtime(settings, configure->runtime_name);
	return is_runc(base) ? base : NULL;
}

const char *containerd_base_program(const struct toml_node *settings,
				    const struct configure *configure)
{
	const struct toml_node *base = containerd_base(settings, configure);
	const char *program = toml_find_string(base, TOML_PATH("options", "BinaryName"));
	const char *slash = program ? strrchr(program, '/') : NULL;

	return program && program[0] && !string_equal(program, configure->runtime_path) &&
			       !string_equal(base->key, configure->runtime_name) &&
			       !string_starts(slash ? slash + 1 : program,
					      CONTAINERD_REGISTERED_PROGRAM)
		       ? program
		       : NULL;
}

/* One runtime: what was there under its name goes before what the base has. */
static int set_runtime(struct toml_node *runtimes, const char *name, const struct toml_node *base,
		       const char *program, struct arena *arena)
{
	const struct toml_node *old = toml_member(runtimes, name);
	struct toml_node *made = toml_new_table(arena), *options, *annotations;

	if (!made || (base && toml_merge(made, base, arena) < 0) ||
	    (is_runc(old) && toml_merge(made, old, arena) < 0) ||
	    !toml_set_string(made, "runtime_type", runc_type, arena))
		return -ENOMEM;
	/* The device plugin's CDI annotations: without this, they end at containerd. */
	annotations = toml_member(made, "container_annotations");
	if (!annotations || annotations->type != TOML_ARRAY)
		annotations = toml_set_array(made, "container_annotations", arena);
	options = toml_make_table(made, TOML_PATH("options"), arena);
	if (!annotations || toml_add_string(annotations, "cdi.k8s.io/*", arena) < 0 || !options ||
	    !toml_set_string(options, "BinaryName", program, arena))
		return -ENOMEM;
	return toml_set(runtimes, name, made, arena) ? 0 : -ENOMEM;
}

int containerd_set_ours(struct toml_node *section, const struct toml_node *base,
			const struct configure *configure, struct arena *arena)
{
	struct toml_node *containerd = toml_make_table(section, TOML_PATH("containerd"), arena);
	struct toml_node *runtimes = toml_make_table(containerd, TOML_PATH("runtimes"), arena);

	if (!runtimes)
		return -ENOMEM;
	if (configure->cdi && !toml_set_bool(section, "enable_cdi", true, arena))
		return -ENOMEM;
	if (configure->set_default &&
	    !toml_set_string(containerd, "default_runtime_name", configure->runtime_name, arena))
		return -ENOMEM;
	for (size_t i = 0; i < CONTAINERD_HANDLERS; i++) {
		const char *name = containerd_handler(configure->runtime_name, i, arena);

		if (!name || set_runtime(runtimes, name, base, configure->runtime_path, arena) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Sets the directories of CDI specs, unless the files set them: with none, CDI has no effect. */
static int set_spec_dirs(struct toml_node *section, const struct toml_node *settings,
			 const struct configure *configure, struct arena *arena)
{
	static const char *usual[] = {"/etc/cdi", "/var/run/cdi"};
	const struct strings defaults = {.items = usual, .count = ARRAY_SIZE(usual)};
	bool is_empty = containerd_has_no_spec_dirs(settings);
	const struct strings *dirs =
		is_empty && !configure->spec_dirs.count ? &defaults : &configure->spec_dirs;
	struct toml_node *array;

	if (!configure->cdi || dirs->count == 0 ||
	    (toml_member(containerd_section(settings), "cdi_spec_dirs") && !is_empty))
		return 0;
	array = toml_set_array(section, "cdi_spec_dirs", arena);
	for (size_t i = 0; array && i < dirs->count; i++)
		if (toml_add_string(array, dirs->items[i], arena) < 0)
			return -ENOMEM;
	return array ? 0 : -ENOMEM;
}

/* ---- the section that ours takes the place of -------------------------------------------- */

/* What containerd has by itself when no file names a runtime: a file that names one ends that. */
static int keep_default(struct toml_node *section, const struct toml_node *truth,
			struct arena *arena)
{
	const char *name =
		toml_find_string(section, TOML_PATH("containerd", "default_runtime_name"));
	struct toml_node *runtimes =
		toml_make_table(section, TOML_PATH("containerd", "runtimes"), arena);
	const struct toml_node *known;

	if (!runtimes)
		return -ENOMEM;
	name = name && name[0] ? name : "runc";
	if (toml_member(runtimes, name) || strcmp(name, "runc") != 0)
		return 0;
	known = toml_find(containerd_section(truth), TOML_PATH("containerd", "runtimes", name));
	runtimes = toml_make_table(runtimes, TOML_PATH(name), arena);
	if (!runtimes || !toml_set_string(runtimes, "runtime_type", runc_type, arena))
		return -ENOMEM;
	for (known = known ? known->first : NULL; known; known = known->next)
		if (!toml_is_empty(known) && !toml_set(runtimes, known->key, known, arena))
			return -ENOMEM;
	return 0;
}

size_t containerd_forms(const struct engine_files *files, struct containerd_version version,
			struct containerd_form ret[static CONTAINERD_FORMS_MAX])
{
	unsigned format = containerd_drop_in_format(files, version);

	ret[0] = (struct containerd_form){format, !containerd_merges_keys(version)};
	if (!containerd_merges_keys(version))
		return 1;
	ret[1] = (struct containerd_form){format == 2 ? 3 : 2, false};
	ret[2] = (struct containerd_form){format, true};
	return 3;
}

/* The last file's that has one: before 2.1 it alone counts, and later on ours says the same. */
static const struct toml_node *last_section(const struct engine_files *files, const char *plugin)
{
	for (size_t i = files->count; i-- > 0;) {
		const struct toml_node *found =
			toml_find(files->items[i].top, TOML_PATH("plugins", plugin));

		if (found && found->type == TOML_TABLE)
			return found;
	}
	return NULL;
}

/* Where the settings of the base runtime are to be found. */
static const struct toml_node *merge(const struct engine_files *files,
				     struct containerd_version version, struct arena *arena)
{
	/* Of an unknown version: format 3 is 2.1's rather than 2.0's. */
	if (version.major == 0 && containerd_format(files, version) >= 3)
		version = (struct containerd_version){2, 1};
	return containerd_merge(files, version, arena);
}

static int fill(struct toml_node *section, const struct engine_files *files,
		struct containerd_version version, const struct toml_node *truth, bool whole,
		const struct configure *configure, struct arena *arena)
{
	const struct toml_node *settings = merge(files, version, arena);
	const struct toml_node *merged = containerd_section(settings);
	const struct toml_node *base = containerd_base(settings, configure), *old;
	struct toml_node *runtimes;

	if (whole) {
		old = containerd_merges_keys(version)
			      ? merged
			      : last_section(files,
					     containerd_plugin(containerd_format(files, version)));
		if ((old && toml_merge(section, old, arena) < 0) ||
		    keep_default(section, truth, arena) < 0)
			return -ENOMEM;
	}
	/* Runtimes of our names keep what they have. */
	runtimes = toml_make_table(section, TOML_PATH("containerd", "runtimes"), arena);
	for (size_t i = 0; runtimes && i < CONTAINERD_HANDLERS; i++) {
		const char *name = containerd_handler(configure->runtime_name, i, arena);
		const struct toml_node *there =
			name ? toml_find(merged, TOML_PATH("containerd", "runtimes", name)) : NULL;

		if (!name || (there && !toml_set(runtimes, name, there, arena)))
			return -ENOMEM;
	}
	if (!runtimes || set_spec_dirs(section, settings, configure, arena) < 0)
		return -ENOMEM;
	return containerd_set_ours(section, base, configure, arena);
}

/* Kata Containers calls its runtime with GPUs `nvidia`, too: pods use it on purpose. */
static int check_replaceable(const struct engine_files *files, struct containerd_version version,
			     const struct configure *configure, struct arena *arena,
			     struct error *err)
{
	const struct toml_node *merged = containerd_section(merge(files, version, arena));

	for (size_t i = 0; i < CONTAINERD_HANDLERS; i++) {
		const char *name = containerd_handler(configure->runtime_name, i, arena);
		const struct toml_node *runtime =
			name ? toml_find(merged, TOML_PATH("containerd", "runtimes", name)) : NULL;

		if (!name)
			return error_memory(err);
		if (!is_replaceable(runtime))
			return error_set(err, ERROR_BAD_CONFIG, EEXIST,
					 "rename or remove that runtime, or use --runtime-name",
					 "add the runtime to %s: %s already exists, as %s",
					 files->items[0].path, name,
					 toml_find_string(runtime, TOML_PATH("runtime_type")));
	}
	return 0;
}

int configure_containerd_drop_in(const struct engine_files *files,
				 struct containerd_version version, const struct toml_node *truth,
				 const struct containerd_form *form,
				 const struct configure *configure, struct arena *arena, char **ret,
				 struct error *err)
{
	struct toml_node *section = toml_new_table(arena);
	struct text text = {.arena = arena};
	struct strings path = {0};
	const char *head;
	int r = check_replaceable(files, version, configure, arena, err);

	if (r < 0)
		return r;
	if (!section || fill(section, files, version, truth, form->whole, configure, arena) < 0 ||
	    strings_add(arena, &path, "plugins") < 0 ||
	    strings_add(arena, &path, containerd_plugin(form->format)) < 0)
		return error_memory(err);
	text_add_string(&text, CONFIGURE_MARK " containerd`. " CONFIGURE_KEEPS);
	if (form->whole)
		text_add_string(
			&text,
			"\n# Before containerd 2.1, only one file's settings count for a plugin, so this file repeats those of\n# the other files. Run the command again after changing them.");
	head = arena_printf(arena, "\nversion = %u\n", form->format);
	if (!head)
		return error_memory(err);
	text_add_string(&text, head);
	toml_write(&text, &path, section, arena);
	*ret = text.failed ? NULL : text.data;
	return *ret ? 0 : error_memory(err);
}

void configure_containerd_limit_access(const struct root *root, const struct engine_files *files,
				       struct configure_access *access)
{
	for (size_t i = 0; i < files->count; i++)
		if (toml_member(files->items[i].top, "plugins"))
			configure_limit_access(root, files->items[i].path, access);
}

int configure_containerd_keep_options(const char *text, const char *path,
				      const struct engine_files *files, struct configure *configure,
				      struct arena *arena, struct error *err)
{
	const struct toml_node *others =
		containerd_merge(files, (struct containerd_version){0}, arena);
	const char *name;
	struct toml_node *top;
	int r = toml_parse(text, path, arena, &top, err);

	if (r == 0)
		r = configure_keep_name(text, path, configure, arena, err);
	if (r < 0)
		return r;
	if (!others)
		return error_memory(err);
	name = configure->runtime_name;
	configure->set_default |= string_equal(containerd_default_runtime(top), name) &&
				  !string_equal(containerd_default_runtime(others), name);
	configure->cdi |= containerd_cdi(top, false) && !containerd_cdi(others, false);
	return 0;
}

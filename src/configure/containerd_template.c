// SPDX-License-Identifier: Apache-2.0
/* davit's runtimes in a template, from which k3s and RKE2 generate containerd's file. */
#include <string.h>

#include "containerd.h"
#include "text.h"

/* Whether a line is the header of this runtime's table; `end`: what follows the name. */
static bool is_header_of(struct slice line, const char *name, const char *end, struct arena *arena)
{
	const char *const forms[] = {arena_printf(arena, "runtimes.%s%s", name, end),
				     arena_printf(arena, "runtimes.\"%s\"%s", name, end),
				     arena_printf(arena, "runtimes.'%s'%s", name, end)};

	line = slice_trim(line);
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		if (slice_starts(line, "[") && forms[i] &&
		    memmem(line.data, line.length, forms[i], strlen(forms[i])))
			return true;
	return false;
}

/* What a template of others has by itself: names in front of which a comment stands don't count. */
static bool names_runtime(const char *text, const char *name, struct arena *arena)
{
	struct slice rest = slice_from(text), line;

	while (slice_next(&rest, '\n', &line))
		if (is_header_of(line, name, "]", arena))
			return true;
	return false;
}

/* ---- conditions of a template --------------------------------------------------------------- */

/* Whether a template without davit's block includes what the distribution finds by itself. */
static bool has_registered(const char *others)
{
	return strstr(others, "\"base\"") || strstr(others, "`base`") ||
	       strstr(others, ".ExtraRuntimes");
}

/* The runtime of davit's whose table, or table of options, begins with this line, or NULL. */
static const char *runtime_of_header(struct slice line, const char *const *names,
				     struct arena *arena)
{
	for (size_t i = 0; i < CONTAINERD_HANDLERS; i++)
		if (is_header_of(line, names[i], "]", arena) ||
		    is_header_of(line, names[i], ".", arena))
			return names[i];
	return NULL;
}

/* As a line ends. */
static const char *newline_of(const char *end)
{
	return end[-1] == '\n' && end[-2] == '\r' ? "\r\n" : "\n";
}

static void begin_condition(struct text *text, const char *name, struct slice header)
{
	if (!name)
		return;
	text_add_string(text, CONTAINERD_CONDITION_BEGIN "\"");
	text_add_string(text, name);
	text_add_string(text, "\").BinaryName }} unless ");
	text_add_string(text, name);
	text_add_string(text, " is one of the distribution's own");
	text_add_string(text, newline_of(header.data + header.length));
}

/* Behind the last statement of the runtime, before comments and empty lines: `at`. */
static void end_condition(struct text *text, size_t at)
{
	char *rest = text->failed ? NULL : arena_strdup(text->arena, text->data + at);
	const char *newline = rest ? newline_of(text->data + at) : "";

	text->failed |= !rest;
	if (!rest)
		return;
	text->length = at;
	text_add_string(text, CONTAINERD_CONDITION_END);
	text_add_string(text, newline);
	text_add_string(text, rest);
}

char *containerd_set_conditions(const char *text, const struct configure *configure,
				struct arena *arena)
{
	const char *names[CONTAINERD_HANDLERS], *open = NULL;
	char *block = containerd_block(text, arena),
	     *others = containerd_without_block(text, arena);
	struct text made = {.arena = arena};
	struct slice line;
	size_t end = 0;

	if (!others || !block)
		return others && !containerd_has_block(text) ? arena_strdup(arena, text) : NULL;
	for (size_t i = 0; i < CONTAINERD_HANDLERS; i++) {
		names[i] = containerd_handler(configure->runtime_name, i, arena);
		if (!names[i])
			return NULL;
	}
	for (const char *at = block; has_registered(others) && containerd_next_line(&at, &line);) {
		const char *name = runtime_of_header(line, names, arena);
		struct slice words = slice_trim(line);

		if (slice_starts(words, "[") && name != open) {
			if (open)
				end_condition(&made, end);
			begin_condition(&made, name, line);
			open = name;
		}
		text_add(&made, line.data, line.length);
		if (words.length && !slice_starts(words, "#"))
			end = made.length;
	}
	if (open)
		end_condition(&made, end);
	return made.failed ? NULL
			   : containerd_set_block(text, made.data ? made.data : block, arena);
}

/* ---- runtimes for a template ------------------------------------------------------------- */

int containerd_refuse_spec_dirs(const char *path, struct error *err)
{
	return error_set(err, ERROR_BAD_CONFIG, EINVAL,
			 "remove cdi_spec_dirs, then run the command again",
			 "enable CDI in %s: its cdi_spec_dirs is an empty list, so containerd "
			 "reads no CDI specs",
			 path);
}

int containerd_write_runtimes(struct text *text, const struct toml_node *settings, unsigned format,
			      const struct toml_node *but, const char *block,
			      const struct configure *configure, struct arena *arena)
{
	struct configure plain = *configure;
	struct toml_node *section = toml_new_table(arena), *runtimes;
	struct strings path = {0};
	const struct toml_node *base = containerd_base(settings, configure);

	plain.cdi = plain.set_default = false;
	if (!section || containerd_set_ours(section, base, &plain, arena) < 0 ||
	    strings_add(arena, &path, "plugins") < 0 ||
	    strings_add(arena, &path, containerd_plugin(format)) < 0)
		return -ENOMEM;
	runtimes = toml_make_table(section, TOML_PATH("containerd", "runtimes"), arena);
	for (size_t i = 0; runtimes && i < CONTAINERD_HANDLERS; i++) {
		const char *name = containerd_handler(configure->runtime_name, i, arena);

		if (!name)
			return -ENOMEM;
		if (toml_member(but, name) && !(block && names_runtime(block, name, arena)))
			toml_remove(runtimes, name);
	}
	toml_write(text, &path, section, arena);
	return 0;
}

/* A program that the distribution registers by itself: its next start decides on it anew. */
static bool is_registered(const char *program)
{
	const char *slash = program ? strrchr(program, '/') : NULL;

	return slash && string_starts(slash + 1, CONTAINERD_REGISTERED_PROGRAM);
}

/*
 * The generated file may still have the runtimes of a block that was removed since, or of a program
 * that the distribution had found: what the next one has doesn't follow from this one.
 */
static int drop_left_over(struct toml_node *runtimes, const char *others,
			  const struct configure *configure, struct arena *arena)
{
	for (size_t i = 0; i < CONTAINERD_HANDLERS; i++) {
		const char *name = containerd_handler(configure->runtime_name, i, arena);
		const char *program;

		if (!name)
			return -ENOMEM;
		program = toml_find_string(runtimes, TOML_PATH(name, "options", "BinaryName"));
		if ((string_equal(program, configure->runtime_path) || is_registered(program)) &&
		    !names_runtime(others, name, arena))
			toml_remove(runtimes, name);
	}
	return 0;
}

int configure_containerd_template(const char *text, const char *path,
				  const struct engine_files *generated, const char *registered,
				  const struct configure *configure, struct arena *arena,
				  char **ret, struct error *err)
{
	unsigned format = containerd_format(generated, (struct containerd_version){0, 0});
	struct toml_node *settings =
		containerd_merge(generated, (struct containerd_version){0, 0}, arena);
	struct toml_node *runtimes =
		toml_find(containerd_section(settings), TOML_PATH("containerd", "runtimes"));
	struct text made = {.arena = arena};
	/* What the generated file has of our names is ours when the template has our block. */
	bool ours = text && containerd_has_block(text);
	char *others = text ? containerd_without_block(text, arena)
			    : arena_strdup(arena, "{{ template \"base\" . }}\n");
	const char *program;

	if (!settings || !others || drop_left_over(runtimes, others, configure, arena) < 0)
		return error_memory(err);
	program = toml_find_string(runtimes,
				   TOML_PATH(configure->runtime_name, "options", "BinaryName"));
	if (!string_equal(configure->runtime_name, CONTAINERD_REGISTERED))
		registered = NULL;
	if (configure->set_default)
		return error_set(
			err, ERROR_BAD_CONFIG, EINVAL,
			"set `default-runtime: NAME` in the distribution's config.yaml",
			"make it the default in %s: the file already has that table outside davit's part",
			path);
	if (configure->cdi && !containerd_cdi(settings, format >= 3))
		return error_set(
			err, ERROR_BAD_CONFIG, EINVAL,
			"upgrade to a release that enables CDI by default",
			"enable CDI in %s: the file already has that table outside davit's part",
			path);
	if (configure->cdi && containerd_has_no_spec_dirs(settings))
		return containerd_refuse_spec_dirs(generated->items[0].path, err);
	if (registered || names_runtime(others, configure->runtime_name, arena) ||
	    (!ours && program))
		return error_fix(
			err,
			error_set(err, ERROR_BAD_CONFIG, EEXIST, NULL,
				  "add the runtime to %s: %s already exists, as %s", path,
				  configure->runtime_name,
				  registered ? registered
				  : program  ? program
					     : "another program"),
			"remove it, replace it with a link to davit-runtime, or use --runtime-name");
	if (containerd_write_runtimes(&made, settings, format, runtimes,
				      containerd_block(text, arena), configure, arena) < 0 ||
	    made.failed)
		return error_memory(err);
	*ret = containerd_put_block(ours ? text : others, made.data ? made.data : "", arena);
	if (*ret)
		*ret = containerd_set_conditions(*ret, configure, arena);
	return *ret ? 0 : error_memory(err);
}

// SPDX-License-Identifier: Apache-2.0
/* davit's block in the text of another program: in a template, or in a file of TOML. */
#include <string.h>

#include "containerd.h"
#include "text.h"

#define BLOCK_BEGIN CONFIGURE_MARK " containerd`: begin"
#define BLOCK_END CONFIGURE_MARK " containerd`: end"

/* ---- a block of ours in a text of others -------------------------------------------------- */

/* From the line that begins it to the one that ends it, which is `end`. */
struct block {
	const char *begin, *last, *end;
};

/* The last one that has an end. */
static bool find_block(const char *text, struct block *ret)
{
	const char *next = text, *last;
	bool found = false;

	while (next && (next = strstr(next, BLOCK_BEGIN)) && (last = strstr(next, BLOCK_END))) {
		const char *end = last + strcspn(last, "\n");

		*ret = (struct block){next, last, *end ? end + 1 : end};
		next += strlen(BLOCK_BEGIN);
		found = true;
	}
	return found;
}

bool containerd_has_block(const char *text)
{
	struct block block;

	return find_block(text, &block);
}

/* In a comment, so that the block is TOML with and without it. */
#define CONDITION_BEGIN "# {{ if not (index $.ExtraRuntimes "
#define CONDITION_END "# {{ end }}"

static bool is_condition(struct slice line)
{
	line = slice_trim(line);
	return slice_starts(line, CONDITION_BEGIN) || slice_equal(line, CONDITION_END);
}

/* The lines of a text with their ends, or those that are no conditions. */
static bool next_line(const char **at, struct slice *ret)
{
	const char *end = *at + strcspn(*at, "\n");

	*ret = (struct slice){*at, (size_t)(end + (*end == '\n') - *at)};
	*at += ret->length;
	return ret->length > 0;
}

char *containerd_block(const char *text, struct arena *arena)
{
	struct text made = {.arena = arena};
	struct block block;
	struct slice line;
	char *lines = find_block(text, &block) ? arena_strndup(arena, block.begin,
							       (size_t)(block.last - block.begin))
					       : NULL;

	for (const char *at = lines; at && next_line(&at, &line);)
		if (!is_condition(line))
			text_add(&made, line.data, line.length);
	return made.failed ? NULL : made.data;
}

char *containerd_set_block(const char *text, const char *made, struct arena *arena)
{
	struct block block;

	if (!find_block(text, &block))
		return arena_strdup(arena, text);
	return arena_printf(arena, "%.*s%s%s", (int)(block.begin - text), text, made, block.last);
}

char *containerd_replace_block(const char *text, const char *left, struct arena *arena)
{
	struct block block;

	if (!find_block(text, &block))
		return arena_strdup(arena, text);
	/* With the empty line before it. */
	if (!left && block.begin > text && block.begin[-1] == '\n' &&
	    (block.begin - text == 1 || block.begin[-2] == '\n'))
		block.begin--;
	return arena_printf(arena, "%.*s%s%s", (int)(block.begin - text), text, left ? left : "",
			    block.end);
}

char *containerd_without_block(const char *text, struct arena *arena)
{
	return containerd_replace_block(text, NULL, arena);
}

int containerd_check_block(const char *text, const char *path, struct error *err)
{
	struct block block;
	const char *at;

	if (!text || !find_block(text, &block))
		return 0;
	for (at = block.end; *(at += strspn(at, " \t\r\n")) == '#';)
		at += strcspn(at, "\n");
	if (!*at || *at == '[' || *at == '{')
		return 0;
	return error_set(
		err, ERROR_BAD_CONFIG, EEXIST,
		"give that line a [table] of its own, then run the command again",
		"edit %s: the line `%.*s` behind davit's lines belongs to their last table", path,
		(int)strcspn(at, "\r\n"), at);
}

/* The text with davit's block, in the place of an earlier one or at the end. */
static char *put_block(const char *text, const char *lines, struct arena *arena)
{
	const char *made = arena_printf(arena, BLOCK_BEGIN "\n%s", lines);

	if (!made)
		return NULL;
	if (containerd_has_block(text))
		return containerd_set_block(text, made, arena);
	return arena_printf(arena, "%s%s\n%s" BLOCK_END "\n", text,
			    !text[0] || string_ends(text, "\n") ? "" : "\n", made);
}

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
	text_add_string(text, CONDITION_BEGIN "\"");
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
	text_add_string(text, CONDITION_END);
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
	for (const char *at = block; has_registered(others) && next_line(&at, &line);) {
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

static int refuse_spec_dirs(const char *path, struct error *err)
{
	return error_set(err, ERROR_BAD_CONFIG, EINVAL,
			 "remove cdi_spec_dirs, then run the command again",
			 "enable CDI in %s: its cdi_spec_dirs is an empty list, so containerd "
			 "reads no CDI specs",
			 path);
}

/*
 * The runtimes alone, as lines; those that `but` has are left out, unless it has them from davit's
 * earlier block.
 */
static int write_runtimes(struct text *text, const struct toml_node *settings, unsigned format,
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
		return refuse_spec_dirs(generated->items[0].path, err);
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
	if (write_runtimes(&made, settings, format, runtimes, containerd_block(text, arena),
			   configure, arena) < 0 ||
	    made.failed)
		return error_memory(err);
	*ret = put_block(ours ? text : others, made.data ? made.data : "", arena);
	if (*ret)
		*ret = containerd_set_conditions(*ret, configure, arena);
	return *ret ? 0 : error_memory(err);
}

/* ---- a file of TOML that has everything --------------------------------------------------- */

struct edit {
	const char *text;
	struct arena *arena;
	bool failed;
};

static void replace(struct edit *edit, const char *start, size_t length, const char *made)
{
	const char *text = edit->text;

	if (edit->failed || !made) {
		edit->failed = true;
		return;
	}
	edit->text = arena_printf(edit->arena, "%.*s%s%s", (int)(start - text), text, made,
				  start + length);
	edit->failed = !edit->text;
}

/*
 * key = value in a table of the text, which is read anew each time. 0, 1: the table has no header
 * to put it under; or -errno.
 */
static int set_value(struct edit *edit, const char *path, const char *const *table_path,
		     const char *key, const char *value, struct error *err)
{
	struct toml_node *top;
	const struct toml_node *table, *node;
	int r = toml_parse(edit->text, path, edit->arena, &top, err);

	if (r < 0)
		return r;
	table = toml_find(top, table_path);
	node = toml_member(table, key);
	if (node && node->origin == TOML_VALUE)
		replace(edit, node->text.data, node->text.length, value);
	else if (table && table->origin == TOML_HEADER && table->lines.length)
		replace(edit, table->lines.data + table->lines.length, 0,
			arena_printf(edit->arena, "  %s = %s\n", key, value));
	else
		return 1;
	return edit->failed ? error_memory(err) : 0;
}

static const char *quoted(const char *string, struct arena *arena)
{
	struct text text = {.arena = arena};

	toml_write_string(&text, string);
	return text.failed ? NULL : text.data;
}

/* A runtime of that name that is there gets another program. */
static int replace_programs(struct edit *edit, const char *path, const char *plugin,
			    const struct toml_node *runtimes, const struct configure *configure,
			    struct error *err)
{
	const char *program = quoted(configure->runtime_path, edit->arena);
	int r = 0;

	for (size_t i = 0; r == 0 && program && i < CONTAINERD_HANDLERS; i++) {
		const char *name = containerd_handler(configure->runtime_name, i, edit->arena);

		if (!name)
			return error_memory(err);
		if (toml_member(runtimes, name))
			r = set_value(edit, path,
				      TOML_PATH("plugins", plugin, "containerd", "runtimes", name,
						"options"),
				      "BinaryName", program, err);
	}
	if (r == 1)
		return error_set(err, ERROR_BAD_CONFIG, EINVAL, "remove it, or use --runtime-name",
				 "edit %s: its runtime %s has no options", path,
				 configure->runtime_name);
	return program ? r : error_memory(err);
}

int configure_containerd_inline(const char *text, const char *path,
				const struct configure *configure, struct arena *arena, char **ret,
				struct error *err)
{
	struct edit edit = {.text = text, .arena = arena};
	struct text block = {.arena = arena};
	struct engine_file file = {.path = path, .text = containerd_without_block(text, arena)};
	const struct engine_files files = {.items = &file, .count = 1};
	struct toml_node *top = NULL, *settings;
	const struct toml_node *runtimes;
	const char *plugin;
	unsigned format;
	int r = file.text ? toml_parse(file.text, path, arena, &top, err) : error_memory(err);

	if (r < 0)
		return r;
	file.top = top;
	format = containerd_format(&files, (struct containerd_version){0, 0});
	plugin = containerd_plugin(format);
	settings = containerd_merge(&files, (struct containerd_version){0, 0}, arena);
	runtimes = toml_find(top, TOML_PATH("plugins", plugin, "containerd", "runtimes"));
	if (!settings)
		return error_memory(err);
	if (configure->cdi && containerd_has_no_spec_dirs(settings))
		return refuse_spec_dirs(path, err);
	r = replace_programs(&edit, path, plugin, runtimes, configure, err);
	if (r == 0 && configure->set_default)
		r = set_value(&edit, path, TOML_PATH("plugins", plugin, "containerd"),
			      "default_runtime_name", quoted(configure->runtime_name, arena), err);
	if (r == 0 && configure->cdi)
		r = set_value(&edit, path, TOML_PATH("plugins", plugin), "enable_cdi", "true", err);
	if (r == 1)
		return error_set(err, ERROR_BAD_CONFIG, EINVAL,
				 "put that plugin's settings under a [plugins.\"...\"] header",
				 "edit %s: the plugin's table has no header", path);
	if (r < 0)
		return r;
	if (write_runtimes(&block, settings, format, runtimes, NULL, configure, arena) < 0)
		return error_memory(err);
	*ret = block.length == 0 ? containerd_without_block(edit.text, arena)
				 : put_block(edit.text, block.data, arena);
	return *ret ? 0 : error_memory(err);
}

/* ---- and back again --------------------------------------------------------------------- */

/*
 * A value that is still davit's gets the text that it had; without one, its line goes, but for a
 * program, which its runtime needs.
 */
static int restore_value(struct edit *edit, const char *path, const struct toml_node *original,
			 const char *const *table_path, const char *key, const char *ours,
			 struct error *err)
{
	struct toml_node *top;
	const struct toml_node *node, *before = toml_member(toml_find(original, table_path), key);
	int r = toml_parse(edit->text, path, edit->arena, &top, err);

	if (r < 0)
		return r;
	node = toml_member(toml_find(top, table_path), key);
	if (!node || node->origin != TOML_VALUE ||
	    (ours ? !string_equal(node->string, ours) : !toml_is_true(node)))
		return 0;
	if (before && before->text.length)
		replace(edit, node->text.data, node->text.length,
			arena_strndup(edit->arena, before->text.data, before->text.length));
	else if (strcmp(key, "BinaryName") != 0 && node->lines.length)
		replace(edit, node->lines.data, node->lines.length, "");
	return edit->failed ? error_memory(err) : 0;
}

int configure_containerd_inline_remove(const char *text, const char *original, const char *path,
				       const struct configure *configure, struct arena *arena,
				       char **ret, bool *ret_cdi, struct error *err)
{
	struct edit edit = {.text = text, .arena = arena};
	struct engine_file file = {.path = path, .text = text};
	const struct engine_files files = {.items = &file, .count = 1};
	struct toml_node *top = NULL, *before = NULL;
	const struct toml_node *runtimes;
	const char *plugin;
	struct error ignored;
	int r = toml_parse(text, path, arena, &top, err);

	if (r < 0)
		return r;
	if (original && toml_parse(original, path, arena, &before, &ignored) < 0)
		before = NULL;
	file.top = top;
	plugin = containerd_plugin(containerd_format(&files, (struct containerd_version){0, 0}));
	runtimes = toml_find(top, TOML_PATH("plugins", plugin, "containerd", "runtimes"));
	for (const struct toml_node *item = runtimes ? runtimes->first : NULL; r == 0 && item;
	     item = item->next)
		if (string_equal(toml_find_string(item, TOML_PATH("options", "BinaryName")),
				 configure->runtime_path))
			r = restore_value(&edit, path, before,
					  TOML_PATH("plugins", plugin, "containerd", "runtimes",
						    item->key, "options"),
					  "BinaryName", configure->runtime_path, err);
	/* A runtime of that name that is somebody else's may stay the default. */
	if (r == 0 && (before || !toml_member(runtimes, configure->runtime_name)))
		r = restore_value(&edit, path, before, TOML_PATH("plugins", plugin, "containerd"),
				  "default_runtime_name", configure->runtime_name, err);
	if (r == 0 && configure->cdi)
		r = restore_value(&edit, path, before, TOML_PATH("plugins", plugin), "enable_cdi",
				  NULL, err);
	if (r < 0)
		return r;
	*ret_cdi = !configure->cdi &&
		   toml_find_bool(top, TOML_PATH("plugins", plugin, "enable_cdi"), false) &&
		   !toml_find_bool(before, TOML_PATH("plugins", plugin, "enable_cdi"), false);
	*ret = arena_strdup(arena, edit.text);
	return *ret ? 0 : error_memory(err);
}

// SPDX-License-Identifier: Apache-2.0
/* The main file: its list of imports, edited as text. */
#include <string.h>

#include "containerd.h"
#include "text.h"

#define FORMAT_MAX 4

struct main_file {
	const char *text, *path;
	const struct toml_node *top, *version, *imports;
	struct arena *arena;
	struct error *err;
};

/* text NULL: there is none. */
static int open_main(const char *text, const char *path, struct arena *arena, struct main_file *ret,
		     struct error *err)
{
	struct toml_node *top;
	uint64_t format;
	int r = toml_parse(text ? text : "", path, arena, &top, err);

	if (r < 0)
		return r;
	*ret = (struct main_file){
		.text = text ? text : "",
		.path = path,
		.top = top,
		.version = toml_member(top, "version"),
		.imports = toml_member(top, "imports"),
		.arena = arena,
		.err = err,
	};
	if (ret->version && (toml_number(ret->version, &format) < 0 || format > FORMAT_MAX))
		return error_set(
			err, ERROR_BAD_CONFIG, EINVAL, "upgrade davit",
			"edit %s: davit supports format versions 1 to %d, but this file has %.*s",
			path, FORMAT_MAX, (int)ret->version->text.length, ret->version->text.data);
	if (ret->imports && ret->imports->type != TOML_ARRAY)
		return error_set(err, ERROR_BAD_CONFIG, EINVAL, "make `imports` a list",
				 "edit %s: `imports` is not a list", path);
	return 0;
}

/* The text with `made` in the place of what lies between start and end. NULL without memory. */
static char *cut(const struct main_file *main, const char *start, const char *end, const char *made)
{
	if (!made)
		return NULL;
	return arena_printf(main->arena, "%.*s%s%s", (int)(start - main->text), main->text, made,
			    end);
}

static const char *quoted(const struct main_file *main, const char *path)
{
	struct text text = {.arena = main->arena};

	toml_write_string(&text, path);
	return text.failed ? NULL : text.data;
}

static bool has_import(const struct main_file *main, const char *path)
{
	for (const struct toml_node *item = main->imports ? main->imports->first : NULL; item;
	     item = item->next)
		if (item->type == TOML_STRING && string_equal(item->string, path))
			return true;
	return false;
}

/* Behind blanks, newlines and comments. */
static const char *skip_space(const char *at)
{
	for (;;) {
		at += strspn(at, " \t\r\n");
		if (*at != '#')
			return at;
		at += strcspn(at, "\n");
	}
}

static const char *end_of(struct slice slice)
{
	return slice.data + slice.length;
}

/* At the list's end, in the line of its last item. */
static char *extend_list(const struct main_file *main, const char *item)
{
	const struct toml_node *last = main->imports->last;
	const char *at = last ? end_of(last->text) : main->imports->text.data + 1;
	const char *comma = skip_space(at);
	const char *before = !last ? "" : *comma == ',' ? " " : ", ";

	if (last && *comma == ',')
		at = comma + 1;
	return cut(main, at, at, arena_printf(main->arena, "%s%s", before, item));
}

/* A new line, behind that of `version` when there is one. */
static char *add_list(const struct main_file *main, const char *item, unsigned version)
{
	struct slice lines = main->version ? main->version->lines : (struct slice){0};
	const char *at = main->version                               ? end_of(lines)
			 : string_starts(main->text, "\xef\xbb\xbf") ? main->text + 3
								     : main->text;
	bool ended = !main->version || at[-1] == '\n';
	const char *newline = lines.length > 1 && at[-1] == '\n' && at[-2] == '\r' ? "\r\n" : "\n";
	const char *head = "";

	if (!main->version && main->top->count == 0)
		head = arena_printf(main->arena, "version = %u\n", version);
	if (!head)
		return NULL;
	return cut(main, at, at,
		   arena_printf(main->arena, "%s%simports = [%s]%s", head, ended ? "" : newline,
				item, newline));
}

int configure_containerd(const char *text, const char *path, const char *drop_in,
			 struct containerd_version version, struct arena *arena, char **ret,
			 struct error *err)
{
	struct main_file main;
	const char *item;
	int r = open_main(text, path, arena, &main, err);

	if (r < 0)
		return r;
	item = quoted(&main, drop_in);
	if (!item)
		return error_memory(err);
	if (has_import(&main, drop_in))
		*ret = arena_strdup(arena, main.text);
	else if (main.imports)
		*ret = extend_list(&main, item);
	else
		*ret = add_list(&main, item, version.major >= 2 ? 3 : 2);
	return *ret ? 0 : error_memory(err);
}

int configure_containerd_import_only(const char *text, const char *path,
				     const struct strings *imports, struct arena *arena, char **ret,
				     struct error *err)
{
	struct text list = {.arena = arena};
	struct main_file main;
	int r = open_main(text, path, arena, &main, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < imports->count; i++) {
		text_add_string(&list, i ? ", " : "");
		toml_write_string(&list, imports->items[i]);
	}
	text_add_string(&list, "");
	if (list.failed)
		return error_memory(err);
	if (main.imports)
		*ret = cut(&main, main.imports->text.data, end_of(main.imports->text),
			   arena_printf(arena, "[%s]", list.data));
	else if (imports->count)
		*ret = add_list(&main, list.data, 2);
	else
		*ret = arena_strdup(arena, main.text);
	return *ret ? 0 : error_memory(err);
}

/* ---- taking it back --------------------------------------------------------------------- */

/* The item with its comma, or the whole line when nothing else is in the list. */
static char *drop_item(const struct main_file *main, const struct toml_node *item)
{
	const struct toml_node *before = main->imports->first;
	const char *start = item->text.data, *end = end_of(item->text), *comma = skip_space(end);

	if (main->imports->count == 1)
		return cut(main, main->imports->lines.data, end_of(main->imports->lines), "");
	if (*comma == ',' && comma == end) {
		end++;
		end += strspn(end, " ");
		return cut(main, start, end, "");
	}
	/* The last one: a comma that stays behind the one before it does no harm. */
	while (before->next && before->next != item)
		before = before->next;
	comma = skip_space(end_of(before->text));
	if (before != item && *comma == ',' && comma + 1 + strspn(comma + 1, " ") == start)
		start = comma;
	return cut(main, start, end, "");
}

int configure_containerd_without_import(const char *text, const char *path, const char *drop_in,
					struct arena *arena, char **ret, struct error *err)
{
	const struct toml_node *item;
	struct main_file main;
	int r = open_main(text, path, arena, &main, err);

	if (r < 0)
		return r;
	item = main.imports ? main.imports->first : NULL;
	while (item && (item->type != TOML_STRING || !string_equal(item->string, drop_in)))
		item = item->next;
	*ret = item ? drop_item(&main, item) : arena_strdup(arena, text);
	return *ret ? 0 : error_memory(err);
}

int configure_containerd_remove(const char *text, const char *path, const char *drop_in,
				struct arena *arena, char **ret, struct error *err)
{
	/* A file that only an option names must exist. */
	bool may_be_missing = string_ends(path, "/containerd/config.toml");

	*ret = NULL;
	for (unsigned major = 1; may_be_missing && major <= 2; major++) {
		char *made = NULL;
		int r = configure_containerd(NULL, path, drop_in,
					     (struct containerd_version){major, 0}, arena, &made,
					     err);

		if (r < 0)
			return r;
		if (string_equal(text, made))
			return 0;
	}
	return configure_containerd_without_import(text, path, drop_in, arena, ret, err);
}

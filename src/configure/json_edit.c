// SPDX-License-Identifier: Apache-2.0
#include "davit/json_edit.h"

#define BLANKS " \t\r\n"

/* Offsets in the text. */
struct member {
	size_t before; /* where the member before it ends, or behind the opening brace */
	size_t key, value, end;
};

static size_t skip_blanks(const char *text, size_t at)
{
	return at + strspn(text + at, BLANKS);
}

static size_t skip_string(const char *text, size_t at)
{
	for (at++; text[at] && text[at] != '"'; at++)
		if (text[at] == '\\' && text[at + 1])
			at++;
	return text[at] ? at + 1 : at;
}

static size_t skip_value(const char *text, size_t at)
{
	size_t depth = 0;

	do {
		if (text[at] == '"') {
			at = skip_string(text, at);
		} else if (text[at] == '{' || text[at] == '[') {
			depth++;
			at++;
		} else if (text[at] == '}' || text[at] == ']') {
			depth--;
			at++;
		} else if (depth == 0) {
			return at + strcspn(text + at, BLANKS ",]}");
		} else {
			at += strcspn(text + at, "\"{}[]");
		}
	} while (depth > 0 && text[at]);
	return at;
}

/* The next member of an object; `at` is behind its brace or a member. False at the end. */
static bool next_member(const char *text, size_t at, struct member *ret)
{
	size_t start = skip_blanks(text, at);

	if (text[start] == ',')
		start = skip_blanks(text, start + 1);
	if (text[start] != '"')
		return false;
	ret->before = at;
	ret->key = start;
	at = skip_blanks(text, skip_string(text, start));
	ret->value = skip_blanks(text, at + 1);
	ret->end = skip_value(text, ret->value);
	return true;
}

/* Keys are compared as decoded; the last one of a name counts, as for json-c and Go. */
static bool has_name(const char *text, const struct member *member, const char *name)
{
	size_t end = skip_string(text, member->key);
	bool equal;

	if (!memchr(text + member->key, '\\', end - member->key))
		return end - member->key == strlen(name) + 2 &&
		       memcmp(text + member->key + 1, name, strlen(name)) == 0;
	__attribute__((cleanup(json_tokener_release))) struct json_tokener *tokener =
		json_tokener_new();
	AUTO_JSON *key = tokener ? json_tokener_parse_ex(tokener, text + member->key,
							 (int)(end - member->key))
				 : NULL;

	equal = key && string_equal(json_object_get_string(key), name);
	return equal;
}

static bool find_member(const char *text, size_t object, const char *name, struct member *ret)
{
	struct member member = {0};
	bool found = false;

	for (size_t at = object + 1; next_member(text, at, &member); at = member.end)
		if (has_name(text, &member, name)) {
			*ret = member;
			found = true;
		}
	return found;
}

/* Goes along the path as far as there are objects. The count of names that were found. */
static size_t walk(const char *text, const char *const *path, size_t *ret_object,
		   struct member *ret)
{
	size_t depth = 0, object = skip_blanks(text, 0);

	while (path[depth] && find_member(text, object, path[depth], ret)) {
		depth++;
		if (!path[depth] || text[ret->value] != '{')
			break;
		object = ret->value;
	}
	*ret_object = object;
	return depth;
}

static size_t path_length(const char *const *path)
{
	size_t length = 0;

	while (path[length])
		length++;
	return length;
}

const char *json_edit_get(const struct json_edit *edit, const char *const *path)
{
	struct member member = {0};
	size_t object;

	if (walk(edit->text, path, &object, &member) < path_length(path))
		return NULL;
	return arena_strndup(edit->arena, edit->text + member.value, member.end - member.value);
}

/* ---- style ------------------------------------------------------------------------------ */

/* How the file is written. */
struct style {
	const char *newline; /* "" : all on one line */
	const char *unit;    /* of indentation */
	const char *colon;   /* ": ", ":" */
	const char *comma;   /* on one line: ", ", "," */
};

static int find_style(const struct json_edit *edit, struct style *ret)
{
	const char *text = edit->text;
	size_t object = skip_blanks(text, 0), blanks = strspn(text + object + 1, BLANKS), unit;
	const char *gap = text + object + 1, *last;
	struct member first, second;

	*ret = (struct style){"\n", "    ", ": ", ", "};
	if (strstr(text, "\r\n"))
		ret->newline = "\r\n";
	if (!next_member(text, object + 1, &first))
		return 0;
	if (text[first.value - 1] == ':')
		ret->colon = ":";
	last = memrchr(gap, '\n', blanks);
	if (!last) {
		ret->newline = "";
		if (next_member(text, first.end, &second) && text[second.key - 1] == ',')
			ret->comma = ",";
		return 0;
	}
	unit = blanks - (size_t)(last + 1 - gap);
	ret->unit = arena_strndup(edit->arena, last + 1, unit);
	return ret->unit ? 0 : -ENOMEM;
}

/* The blanks at the beginning of the line that `at` stands in. */
static const char *indent_at(const struct json_edit *edit, size_t at)
{
	size_t start = at;

	while (start > 0 && edit->text[start - 1] != '\n')
		start--;
	return arena_strndup(edit->arena, edit->text + start, strspn(edit->text + start, " \t"));
}

/* `"a": {"b": value}` for the rest of a path. */
static char *write_members(const struct json_edit *edit, const struct style *style,
			   const char *const *path, const char *indent, const char *value)
{
	const char *inner = value;

	if (!path[0])
		return NULL;
	if (path[1]) {
		const char *deeper = arena_printf(edit->arena, "%s%s", indent, style->unit);
		char *members = deeper ? write_members(edit, style, path + 1, deeper, value) : NULL;

		if (!members)
			return NULL;
		inner = style->newline[0]
				? arena_printf(edit->arena, "{%s%s%s%s%s}", style->newline, deeper,
					       members, style->newline, indent)
				: arena_printf(edit->arena, "{%s}", members);
	}
	return inner ? arena_printf(edit->arena, "\"%s\"%s%s", path[0], style->colon, inner) : NULL;
}

static int splice(struct json_edit *edit, size_t start, size_t end, const char *text,
		  struct error *err)
{
	char *spliced = text ? arena_printf(edit->arena, "%.*s%s%s", (int)start, edit->text, text,
					    edit->text + end)
			     : NULL;

	if (!spliced)
		return error_memory(err);
	edit->text = spliced;
	return 0;
}

/* Puts the rest of the path behind the object's last member. */
static int insert(struct json_edit *edit, size_t object, const char *const *path, const char *value,
		  struct error *err)
{
	struct member member;
	struct style style;
	size_t end = object + 1, count = 0;
	const char *indent, *text;

	for (; next_member(edit->text, end, &member); count++)
		end = member.end;
	indent = indent_at(edit, count ? member.key : object);
	if (!indent || find_style(edit, &style) < 0)
		return error_memory(err);
	/* Objects within a line stay so. */
	if (count && !memchr(edit->text + member.before, '\n', member.key - member.before))
		style.newline = "";
	if (!style.newline[0]) {
		text = write_members(edit, &style, path, "", value);
		text = text ? arena_printf(edit->arena, "%s%s", count ? style.comma : "", text)
			    : NULL;
	} else if (count) {
		text = write_members(edit, &style, path, indent, value);
		text = text ? arena_printf(edit->arena, ",%s%s%s", style.newline, indent, text)
			    : NULL;
	} else {
		const char *deeper = arena_printf(edit->arena, "%s%s", indent, style.unit);

		text = deeper ? write_members(edit, &style, path, deeper, value) : NULL;
		text = text ? arena_printf(edit->arena, "%s%s%s%s%s", style.newline, deeper, text,
					   style.newline, indent)
			    : NULL;
	}
	return splice(edit, end, count ? end : skip_blanks(edit->text, end), text, err);
}

int json_edit_set(struct json_edit *edit, const char *const *path, const char *value,
		  struct error *err)
{
	struct member member = {0};
	size_t object, depth = walk(edit->text, path, &object, &member);
	size_t length = path_length(path);

	if (depth == length)
		return splice(edit, member.value, member.end, value, err);
	/* To Go, null is an absent object. */
	if (depth > 0 && string_starts(edit->text + member.value, "null")) {
		int r = splice(edit, member.value, member.end, "{}", err);

		return r < 0 ? r : insert(edit, member.value, path + depth, value, err);
	}
	if (depth > 0 && edit->text[member.value] != '{')
		return error_fix(err,
				 json_error_at(edit->text, member.value, ERROR_BAD_CONFIG,
					       edit->path, "this must be an object", err),
				 "correct %s; its engine can't use it, either", edit->path);
	return insert(edit, object, path + depth, value, err);
}

int json_edit_remove(struct json_edit *edit, const char *const *path, struct error *err)
{
	const char *shorter[8] = {0};
	size_t object, depth, length = path_length(path);
	struct member member = {0}, next;
	const char *left;
	int r;

	depth = walk(edit->text, path, &object, &member);
	if (depth < length || length >= ARRAY_SIZE(shorter))
		return 0;
	if (member.before != object + 1)
		r = splice(edit, member.before, member.end, "", err);
	else if (next_member(edit->text, member.end, &next))
		r = splice(edit, member.key, next.key, "", err);
	else
		r = splice(edit, object + 1, skip_blanks(edit->text, member.end), "", err);
	if (r < 0 || length == 1)
		return r;
	memcpy(shorter, path, (length - 1) * sizeof(*path));
	left = json_edit_get(edit, shorter);
	return left && strcmp(left, "{}") == 0 ? json_edit_remove(edit, shorter, err) : 0;
}

// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "davit/cdi.h"
#include "yaml_parse.h"

#define LINE_MAX_LENGTH 65536

int yaml_bad(const struct yaml_parser *parser, const char *problem)
{
	return error_set(parser->err, ERROR_BAD_REQUEST, EINVAL,
			 "generate the file again, or remove it", "read %s: line %zu: %s",
			 parser->what, parser->line.number, problem);
}

/* The text up to a comment: `#` at the beginning or after a blank, outside of quotes. */
static struct slice without_comment(struct slice text)
{
	char quote = '\0';

	for (size_t i = 0; i < text.length; i++) {
		char c = text.data[i];

		if (quote == '"' && c == '\\')
			i++;
		else if (quote && c == quote)
			quote = '\0';
		else if (quote)
			continue;
		else if ((c == '"' || c == '\'') && (i == 0 || strchr(" :-[{,", text.data[i - 1])))
			quote = c;
		else if (c == '#' && (i == 0 || text.data[i - 1] == ' '))
			return slice_trim((struct slice){text.data, i});
	}
	return slice_trim(text);
}

int yaml_next_line(struct yaml_parser *parser)
{
	struct slice whole;

	while (slice_next(&parser->rest, '\n', &whole)) {
		struct yaml_line *line = &parser->line;

		line->number = ++parser->number;
		line->indent = 0;
		while (line->indent < whole.length && whole.data[line->indent] == ' ')
			line->indent++;
		line->text = without_comment(
			(struct slice){whole.data + line->indent, whole.length - line->indent});
		if (memchr(whole.data, '\t', line->indent + (line->indent < whole.length)))
			return yaml_bad(parser, "a tab in the indentation");
		if (line->text.length > LINE_MAX_LENGTH)
			return yaml_bad(parser, "it is too long");
		if (line->text.length > 0 && !slice_equal(line->text, "---") &&
		    !slice_starts(line->text, "%YAML"))
			return 0;
	}
	parser->end = true;
	return 0;
}

/* ---- scalars ---------------------------------------------------------------------------- */

static bool has_control_character(struct slice text)
{
	for (size_t i = 0; i < text.length; i++)
		if ((unsigned char)text.data[i] < ' ')
			return true;
	return false;
}

/*
 * Double-quoted texts are parsed as JSON strings, because specs have no others. Without
 * JSON_TOKENER_STRICT, because json-c 0.18 (Debian 13) then takes every byte from 0x80 for a
 * control character.
 */
static int parse_quoted(const struct yaml_parser *parser, struct slice text,
			struct json_object **ret)
{
	__attribute__((cleanup(json_tokener_release))) struct json_tokener *tokener =
		json_tokener_new_ex(4);

	if (!tokener)
		return error_memory(parser->err);
	if (json_find_nul(text.data, text.length) == text.length && !has_control_character(text))
		*ret = json_tokener_parse_ex(tokener, text.data, (int)text.length);
	if (!*ret || json_tokener_get_parse_end(tokener) != text.length ||
	    !json_object_is_type(*ret, json_type_string))
		return yaml_bad(parser,
				"a quoted text that doesn't end, or is followed by more text");
	return 0;
}

/* 'it''s' */
static int parse_single_quoted(const struct yaml_parser *parser, struct slice text,
			       struct json_object **ret)
{
	char *buffer = malloc(text.length + 1);
	size_t length = 0, i = 1;

	if (!buffer)
		return error_memory(parser->err);
	for (; i < text.length; i++) {
		if (text.data[i] == '\'') {
			if (i + 1 >= text.length || text.data[i + 1] != '\'')
				break;
			i++;
		}
		buffer[length++] = text.data[i];
	}
	if (i + 1 == text.length)
		*ret = json_object_new_string_len(buffer, (int)length);
	free(buffer);
	return *ret ? 0
		    : yaml_bad(parser,
			       "a quoted text that doesn't end, or is followed by more text");
}

static int parse_plain(const struct yaml_parser *parser, struct slice text,
		       struct json_object **ret)
{
	uint64_t number;

	if (text.length == 0 || strchr("[]{}&*!|>%@`,?", text.data[0]))
		return yaml_bad(parser, "a YAML feature that davit doesn't support");
	if (slice_equal(text, "true") || slice_equal(text, "false"))
		*ret = json_object_new_boolean(text.data[0] == 't');
	else if (parse_number(text.data, text.length, 10, INT64_MAX, &number) == 0)
		*ret = json_object_new_int64((int64_t)number);
	else
		*ret = json_object_new_string_len(text.data, (int)text.length);
	return *ret ? 0 : error_memory(parser->err);
}

int yaml_parse_scalar(const struct yaml_parser *parser, struct slice text, struct json_object **ret)
{
	if (text.length && text.data[0] == '"')
		return parse_quoted(parser, text, ret);
	else if (text.length && text.data[0] == '\'')
		return parse_single_quoted(parser, text, ret);
	else
		return parse_plain(parser, text, ret);
	return *ret ? 0 : error_memory(parser->err);
}

/* ---- blocks ----------------------------------------------------------------------------- */

static bool is_item(struct slice text)
{
	return slice_equal(text, "-") || slice_starts(text, "- ");
}

/* The length of the key in "key: value" or "key:"; 0: no key. */
static size_t key_length(struct slice text)
{
	size_t i = 0;

	if (text.length && (text.data[0] == '"' || text.data[0] == '\'')) {
		for (i = 1; i < text.length && text.data[i] != text.data[0]; i++)
			;
		i++;
		return i < text.length && text.data[i] == ':' ? i : 0;
	}
	for (; i < text.length; i++)
		if (text.data[i] == ':' && (i + 1 == text.length || text.data[i + 1] == ' '))
			return i;
	return 0;
}

static int parse_block(struct yaml_parser *parser, unsigned depth, struct json_object **ret);

/* Parses the value of a key or dash: on the same line, or indented on the next ones. */
static int parse_value(struct yaml_parser *parser, struct slice text, size_t indent, bool of_key,
		       unsigned depth, struct json_object **ret)
{
	int r;

	if (text.length > 0) {
		bool flow = text.data[0] == '[' || text.data[0] == '{';

		r = flow ? yaml_parse_flow(parser, text, depth, ret)
			 : yaml_parse_scalar(parser, text, ret);
		if (r == 0)
			r = yaml_next_line(parser);
		if (r < 0) {
			(void)json_object_put(*ret);
			*ret = NULL;
		}
		return r;
	}
	r = yaml_next_line(parser);
	if (r < 0)
		return r;
	/* A list may be indented only as far as its key. */
	if (!parser->end &&
	    (parser->line.indent > indent ||
	     (of_key && parser->line.indent == indent && is_item(parser->line.text))))
		return parse_block(parser, depth + 1, ret);
	*ret = NULL;
	return 0;
}

static int parse_member(struct yaml_parser *parser, struct json_object *object, unsigned depth)
{
	struct slice text = parser->line.text;
	size_t length = key_length(text), indent = parser->line.indent;
	struct json_object *key = NULL, *value = NULL;
	int r;

	if (length == 0)
		return yaml_bad(parser, "a key is missing");
	r = yaml_parse_scalar(parser, slice_trim((struct slice){text.data, length}), &key);
	if (r == 0 && json_object_object_get_ex(object, json_object_get_string(key), NULL))
		r = yaml_bad(parser, "a key appears twice");
	if (r == 0)
		r = parse_value(parser,
				slice_trim((struct slice){text.data + length + 1,
							  text.length - length - 1}),
				indent, true, depth, &value);
	if (r == 0)
		json_object_object_add(object, json_object_get_string(key), value);
	else
		(void)json_object_put(value);
	(void)json_object_put(key);
	return r;
}

static int parse_mapping(struct yaml_parser *parser, unsigned depth, struct json_object *object)
{
	size_t indent = parser->line.indent;
	int r = 0;

	while (r == 0 && !parser->end && parser->line.indent == indent &&
	       !is_item(parser->line.text))
		r = parse_member(parser, object, depth);
	return r;
}

/* Parses "- key: value": the text after the dash begins a block. */
static int parse_item(struct yaml_parser *parser, unsigned depth, struct json_object **ret)
{
	struct slice text = parser->line.text;
	size_t indent = parser->line.indent, skip = 1;

	while (skip < text.length && text.data[skip] == ' ')
		skip++;
	text = (struct slice){text.data + skip, text.length - skip};
	if (text.length && (text.data[0] == '[' || text.data[0] == '{'))
		return parse_value(parser, text, indent, false, depth, ret);
	if (!is_item(text) && key_length(text) == 0)
		return parse_value(parser, text, indent, false, depth, ret);
	parser->line.text = text;
	parser->line.indent += skip;
	return parse_block(parser, depth + 1, ret);
}

static int parse_sequence(struct yaml_parser *parser, unsigned depth, struct json_object *array)
{
	size_t indent = parser->line.indent;
	int r = 0;

	while (r == 0 && !parser->end && parser->line.indent == indent &&
	       is_item(parser->line.text)) {
		struct json_object *item = NULL;

		r = parse_item(parser, depth, &item);
		if (r == 0)
			(void)json_object_array_add(array, item);
		else
			(void)json_object_put(item);
	}
	return r;
}

static int parse_block(struct yaml_parser *parser, unsigned depth, struct json_object **ret)
{
	size_t indent = parser->line.indent;
	bool sequence = is_item(parser->line.text);
	AUTO_JSON *block = sequence ? json_object_new_array() : json_object_new_object();
	int r;

	if (!block)
		return error_memory(parser->err);
	if (depth > YAML_DEPTH_MAX)
		return yaml_bad(parser, "it is nested too deeply");
	r = sequence ? parse_sequence(parser, depth, block) : parse_mapping(parser, depth, block);
	if (r == 0 && !parser->end && parser->line.indent > indent)
		r = yaml_bad(parser, "it is indented too far");
	if (r < 0)
		return r;
	*ret = block;
	block = NULL;
	return 0;
}

static int parse_flow_document(struct yaml_parser *parser, struct json_object **ret)
{
	int r = yaml_parse_flow(parser, parser->line.text, 0, ret);

	return r < 0 ? r : yaml_next_line(parser);
}

int cdi_yaml_parse(const char *text, size_t length, const char *what, struct json_object **ret,
		   struct error *err)
{
	struct yaml_parser parser = {.what = what, .rest = {text, length}, .err = err};
	AUTO_JSON *object = NULL;
	int r;

	if (memchr(text, '\0', length))
		return yaml_bad(&parser, "a NUL character");
	r = yaml_next_line(&parser);
	if (r == 0 && parser.end)
		return yaml_bad(&parser, "it is empty");
	if (r == 0 && (is_item(parser.line.text) || parser.line.text.data[0] == '['))
		return yaml_bad(&parser, "it is not a mapping");
	/* JSON is YAML, too. */
	if (r == 0 && parser.line.text.data[0] == '{')
		r = parse_flow_document(&parser, &object);
	else if (r == 0)
		r = parse_block(&parser, 0, &object);
	if (r == 0 && !parser.end)
		r = yaml_bad(&parser, "it doesn't belong to the lines above it");
	if (r < 0)
		return r;
	*ret = object;
	object = NULL;
	return 0;
}

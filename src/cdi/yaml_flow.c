// SPDX-License-Identifier: Apache-2.0
/* Flow collections of YAML: [a, b], {a: b}, over one line or several. */
#include <string.h>

#include "yaml_parse.h"

/* The rest of the current flow collection. */
struct flow {
	struct yaml_parser *parser;
	struct slice rest; /* of the line */
};

/*
 * Moves to the next character that isn't a blank, on this line or a later one. It is an error if
 * there is none.
 */
static int flow_peek(struct flow *flow, char *ret)
{
	flow->rest = slice_trim(flow->rest);
	while (flow->rest.length == 0) {
		int r = yaml_next_line(flow->parser);

		if (r < 0)
			return r;
		if (flow->parser->end)
			return yaml_bad(flow->parser,
					"a list or mapping in brackets that doesn't end");
		flow->rest = flow->parser->line.text;
	}
	*ret = flow->rest.data[0];
	return 0;
}

static void flow_skip(struct flow *flow, size_t length)
{
	flow->rest.data += length;
	flow->rest.length -= length;
}

/* The length of the scalar at the beginning of the text, including quotes. */
static size_t flow_scalar_length(struct slice text, bool of_key)
{
	char quote = text.data[0];
	size_t i = 0;

	if (quote == '"' || quote == '\'') {
		for (i = 1; i < text.length; i++) {
			if ((quote == '"' && text.data[i] == '\\') ||
			    (quote == '\'' && text.data[i] == quote && i + 1 < text.length &&
			     text.data[i + 1] == quote))
				i++;
			else if (text.data[i] == quote)
				return i + 1;
		}
		return text.length;
	}
	while (i < text.length && !strchr(",[]{}", text.data[i]) &&
	       !(of_key && text.data[i] == ':' &&
		 (i + 1 == text.length || strchr(" ,[]{}", text.data[i + 1]))))
		i++;
	return i;
}

static int flow_scalar(struct flow *flow, bool of_key, struct json_object **ret)
{
	size_t length = flow_scalar_length(flow->rest, of_key);
	struct slice text = slice_trim((struct slice){flow->rest.data, length});
	int r;

	if (text.length == 0)
		return yaml_bad(flow->parser, "a value is missing");
	r = yaml_parse_scalar(flow->parser, text, ret);
	if (r == 0)
		flow_skip(flow, length);
	return r;
}

static int flow_value(struct flow *flow, unsigned depth, struct json_object **ret);

static int flow_member(struct flow *flow, unsigned depth, struct json_object *object)
{
	struct json_object *key = NULL, *value = NULL;
	char c = '\0';
	int r = flow_scalar(flow, true, &key);

	if (r == 0)
		r = flow_peek(flow, &c);
	if (r == 0 && c != ':')
		r = yaml_bad(flow->parser, "a key is missing");
	if (r == 0 && json_object_object_get_ex(object, json_object_get_string(key), NULL))
		r = yaml_bad(flow->parser, "a key appears twice");
	if (r == 0) {
		flow_skip(flow, 1);
		r = flow_value(flow, depth + 1, &value);
	}
	if (r == 0)
		json_object_object_add(object, json_object_get_string(key), value);
	else
		(void)json_object_put(value);
	(void)json_object_put(key);
	return r;
}

static int flow_item(struct flow *flow, unsigned depth, struct json_object *array)
{
	struct json_object *item = NULL;
	int r = flow_value(flow, depth + 1, &item);

	if (r == 0)
		(void)json_object_array_add(array, item);
	return r;
}

/* Parses items separated by commas, from behind the opening bracket to the closing one. */
static int flow_collection(struct flow *flow, char close, unsigned depth,
			   struct json_object *collection)
{
	char c = '\0';
	int r = flow_peek(flow, &c);

	while (r == 0 && c != close) {
		r = close == ']' ? flow_item(flow, depth, collection)
				 : flow_member(flow, depth, collection);
		if (r == 0)
			r = flow_peek(flow, &c);
		if (r == 0 && c != ',' && c != close)
			r = yaml_bad(flow->parser, "no comma between the items in brackets");
		if (r == 0 && c == ',') {
			flow_skip(flow, 1);
			r = flow_peek(flow, &c);
		}
	}
	if (r == 0)
		flow_skip(flow, 1);
	return r;
}

static int flow_value(struct flow *flow, unsigned depth, struct json_object **ret)
{
	AUTO_JSON *collection = NULL;
	char c = '\0';
	int r = flow_peek(flow, &c);

	if (r < 0)
		return r;
	if (depth > YAML_DEPTH_MAX)
		return yaml_bad(flow->parser, "it is nested too deeply");
	if (c != '[' && c != '{')
		return flow_scalar(flow, false, ret);
	collection = c == '[' ? json_object_new_array() : json_object_new_object();
	if (!collection)
		return error_memory(flow->parser->err);
	flow_skip(flow, 1);
	r = flow_collection(flow, c == '[' ? ']' : '}', depth, collection);
	if (r < 0)
		return r;
	*ret = collection;
	collection = NULL;
	return 0;
}

int yaml_parse_flow(struct yaml_parser *parser, struct slice text, unsigned depth,
		    struct json_object **ret)
{
	struct flow flow = {parser, text};
	int r = flow_value(&flow, depth, ret);

	if (r == 0 && slice_trim(flow.rest).length > 0) {
		(void)json_object_put(*ret);
		*ret = NULL;
		r = yaml_bad(parser, "text after a list or mapping in brackets");
	}
	return r;
}

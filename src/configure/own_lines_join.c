// SPDX-License-Identifier: Apache-2.0
/* davit's lines, put to those of others. */
#include <string.h>

#include "own_lines.h"

struct joining {
	const struct configure *configure;
	const char *path;
	struct own_sums before, sums;
	struct strings kept; /* values of others that davit would set otherwise */
	/* In this order in the file; the sums are behind the comment. */
	struct text comment, top, body;
	struct arena *arena;
	struct error *err;
};

/* What the command line asks for: nothing else may stand there. */
static bool is_asked_for(const struct configure *configure, const struct toml_node *node)
{
	if (node->type == TOML_STRING)
		return string_equal(node->string, configure->runtime_path) ||
		       string_equal(node->string, configure->runtime_name);
	return configure->cdi && strcmp(node->key, "enable_cdi") == 0;
}

/* The same path in another tree, or NULL. */
static const struct toml_node *find_same(const struct toml_node *top, const struct toml_node *node)
{
	const struct toml_node *parent = node->parent ? find_same(top, node->parent) : NULL;

	return node->parent ? toml_member(parent, node->key) : top;
}

static int refuse_value(const struct joining *j, const struct toml_node *ours,
			const struct toml_node *there)
{
	const char *name = toml_path_of(ours, j->arena);
	struct text value = {.arena = j->arena};

	toml_write_value(&value, there);
	if (!name || value.failed)
		return error_memory(j->err);
	return error_fix(j->err,
			 error_set(j->err, ERROR_BAD_CONFIG, EEXIST, NULL,
				   "update %s: %s is set to %s there, which davit didn't write",
				   j->path, name, value.data),
			 "remove that line of %s, then run the command again", j->path);
}

/* For a note. */
static int add_kept(struct joining *j, const struct toml_node *there)
{
	const char *path = toml_path_of(there, j->arena);
	struct text value = {.arena = j->arena};
	const char *line;

	toml_write_value(&value, there);
	line = path && !value.failed ? arena_printf(j->arena, "%s = %s", path, value.data) : NULL;
	return line && strings_add(j->arena, &j->kept, line) == 0 ? 0 : error_memory(j->err);
}

/* One pair, unless others have set it: their value stays. 0 or -errno. */
static int join_pair(struct joining *j, const struct toml_node *others,
		     const struct own_statement *pair, struct text *text)
{
	const struct toml_node *there = find_same(others, pair->node);

	if (there && !toml_equal(there, pair->node) && is_asked_for(j->configure, pair->node))
		return refuse_value(j, pair->node, there);
	if (there && !toml_equal(there, pair->node))
		return add_kept(j, there);
	/* What others have set to the same is still theirs. */
	if (there && !own_has_sum(&j->before, pair->sum))
		return 0;
	if (!there)
		text_add(text, pair->start, (size_t)(pair->end - pair->start));
	return text->failed || own_add_sum(&j->sums, pair->sum, j->arena) < 0 ? error_memory(j->err)
									      : 0;
}

/* Behind a header that others' lines have already. */
static void insert(struct text *body, const struct toml_node *table, const struct text *pairs)
{
	const char *at = table->lines.data + table->lines.length;
	struct text made = {.arena = body->arena, .failed = body->failed};

	text_add(&made, body->data, (size_t)(at - body->data));
	text_add_string(&made, at[-1] == '\n' ? "" : "\n");
	text_add_text(&made, pairs);
	text_add_string(&made, at);
	*body = made;
}

/* A header of davit's with its pairs: items[0..count). */
static int join_table(struct joining *j, const struct own_statement *items, size_t count)
{
	struct text pairs = {.arena = j->arena};
	const struct toml_node *table;
	struct toml_node *others;
	int r = toml_parse(j->body.data, j->path, j->arena, &others, j->err);

	for (size_t i = 1; r == 0 && i < count; i++)
		r = join_pair(j, others, &items[i], &pairs);
	if (r == 0 && own_has_sum(&j->before, items[0].sum) &&
	    own_add_sum(&j->sums, items[0].sum, j->arena) < 0)
		r = error_memory(j->err);
	if (r < 0 || (count > 1 && !pairs.length))
		return r;
	table = find_same(others, items[0].node);
	if (table && table->origin == TOML_HEADER && table->lines.length) {
		insert(&j->body, table, &pairs);
	} else {
		if (j->body.length && j->body.data[j->body.length - 1] != '\n')
			text_add_string(&j->body, "\n");
		text_add_string(&j->body, "\n");
		text_add(&j->body, items[0].start, (size_t)(items[0].end - items[0].start));
		text_add_text(&j->body, &pairs);
		if (!own_has_sum(&j->before, items[0].sum) &&
		    own_add_sum(&j->sums, items[0].sum, j->arena) < 0)
			return error_memory(j->err);
	}
	return j->body.failed ? error_memory(j->err) : 0;
}

/* The comment with which davit's text begins. */
static int join_comment(struct joining *j, const char *ours)
{
	struct slice rest = slice_from(ours), line;

	while (slice_next(&rest, '\n', &line) && slice_starts(line, "#")) {
		text_add(&j->comment, line.data, line.length);
		text_add_string(&j->comment, "\n");
		if (own_add_sum(&j->sums, own_sum("#", slice_trim(line)), j->arena) < 0)
			return error_memory(j->err);
	}
	return 0;
}

/* Others' settings of plugins mean nothing in a file of another format. */
static int check_version(const struct joining *j, const struct configure_others *others,
			 const struct toml_node *ours)
{
	const struct toml_node *version = own_find_version(ours);

	if (!others->version || !version || toml_equal(others->version, version) ||
	    !toml_member(others->top, "plugins"))
		return 0;
	return error_set(
		j->err, ERROR_BAD_CONFIG, EINVAL,
		"move them to another file, then run the command again",
		"update %s: it has settings that davit didn't write, in format version %.*s, but "
		"containerd's is %.*s now",
		j->path, (int)others->version->text.length, others->version->text.data,
		(int)version->text.length, version->text.data);
}

static int join(struct joining *j, const struct configure_others *others, const char *ours)
{
	const char *body = others->text ? others->rest : "";
	const struct own_sums none = {0};
	struct toml_node *top, *there;
	struct own_statements list;
	size_t i = 0, count;
	int r = toml_parse(ours, j->path, j->arena, &top, j->err);

	if (r == 0)
		r = toml_parse(body, j->path, j->arena, &there, j->err);
	if (r == 0)
		r = check_version(j, others, top);
	if (r == 0 && others->text)
		r = own_find_sums(others->before, ours, j->path, j->arena, &j->before, j->err);
	if (r == 0 && own_find_statements(top, &none, j->arena, &list) < 0)
		r = error_memory(j->err);
	if (r == 0)
		r = join_comment(j, ours);
	if (r < 0)
		return r;
	text_add_string(&j->body, body);
	/* Pairs of no table come before all tables. */
	for (; r == 0 && i < list.count && !own_is_header(&list.items[i]); i++)
		r = join_pair(j, there, &list.items[i], &j->top);
	for (; r == 0 && i < list.count; i += count) {
		count = 1;
		while (i + count < list.count && !own_is_header(&list.items[i + count]))
			count++;
		r = join_table(j, &list.items[i], count);
	}
	return r;
}

int configure_join(const struct configure_others *others, const char *ours, const char *path,
		   const struct configure *configure, struct arena *arena,
		   struct configure_joined *ret, struct error *err)
{
	struct joining j = {
		.configure = configure,
		.path = path,
		.comment = {.arena = arena},
		.top = {.arena = arena},
		.body = {.arena = arena},
		.arena = arena,
		.err = err,
	};
	struct toml_node *top;
	int r = join(&j, others, ours);

	if (r < 0)
		return r;
	own_write_sums(&j.comment, &j.sums);
	text_add_text(&j.comment, &j.top);
	text_add_text(&j.comment, &j.body);
	if (j.comment.failed)
		return error_memory(err);
	*ret = (struct configure_joined){j.comment.data, j.kept};
	if (toml_parse(ret->text, path, arena, &top, err) == 0)
		return 0;
	return error_fix(
		err,
		error_set(err, ERROR_BAD_CONFIG, EEXIST, NULL,
			  "update %s: lines that davit didn't write leave no place for its own",
			  path),
		"move those lines to another file, then run the command again");
}

// SPDX-License-Identifier: Apache-2.0
/*
 * Files and blocks that davit writes and that others edit. A checksum of each of davit's lines
 * stands in the file, so that they can be told from all others, whatever davit would write today.
 */
#include <stdio.h>
#include <string.h>

#include "containerd.h"
#include "text.h"

#define SUMS "# Checksums of davit's lines:"
#define SUMS_PER_LINE 7
#define SUM_DIGITS 8

struct sums {
	uint32_t *items;
	size_t count, capacity;
};

/* A header, or a pair of key and value, with its lines. */
struct statement {
	const struct toml_node *node;
	const char *start, *end;
	uint32_t sum;
	bool ours; /* davit's */
	bool goes; /* isn't copied */
};
struct statements {
	struct statement *items;
	size_t count, capacity;
};

/* ---- checksums -------------------------------------------------------------------------- */

/* FNV-1a (RFC 9923) over a path and a value: it tells edited lines, and protects nothing. */
static uint32_t sum_of(const char *path, struct slice value)
{
	uint32_t sum = 2166136261U;

	for (; *path; path++)
		sum = (sum ^ (unsigned char)*path) * 16777619U;
	sum *= 16777619U;
	for (size_t i = 0; i < value.length; i++)
		sum = (sum ^ (unsigned char)value.data[i]) * 16777619U;
	return sum;
}

static bool has_sum(const struct sums *sums, uint32_t sum)
{
	for (size_t i = 0; i < sums->count; i++)
		if (sums->items[i] == sum)
			return true;
	return false;
}

static int add_sum(struct sums *sums, uint32_t sum, struct arena *arena)
{
	uint32_t *item = ARENA_PUSH(arena, sums);

	if (!item)
		return -ENOMEM;
	*item = sum;
	return 0;
}

static int read_sums(const char *text, struct arena *arena, struct sums *ret)
{
	struct slice rest = slice_from(text), line, word;

	*ret = (struct sums){0};
	while (slice_next(&rest, '\n', &line)) {
		line = slice_trim(line);
		if (!slice_starts(line, SUMS))
			continue;
		line = (struct slice){line.data + strlen(SUMS), line.length - strlen(SUMS)};
		while (slice_next(&line, ' ', &word)) {
			uint64_t sum;

			if (parse_number(word.data, word.length, 16, UINT32_MAX, &sum) == 0 &&
			    add_sum(ret, (uint32_t)sum, arena) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

static void write_sums(struct text *text, const struct sums *sums)
{
	for (size_t i = 0; i < sums->count; i++) {
		char sum[SUM_DIGITS + 2];

		if (i % SUMS_PER_LINE == 0)
			text_add_string(text, i ? "\n" SUMS : SUMS);
		(void)snprintf(sum, sizeof(sum), " %0*x", SUM_DIGITS, (unsigned)sums->items[i]);
		text_add_string(text, sum);
	}
	text_add_string(text, sums->count ? "\n" : "");
}

/* ---- statements ------------------------------------------------------------------------- */

static bool is_header(const struct statement *statement)
{
	return statement->node->origin == TOML_HEADER;
}

/* What stands behind the value, or behind the header. */
static bool has_comment(const struct statement *statement)
{
	const char *at = statement->node->text.length
				 ? statement->node->text.data + statement->node->text.length
				 : statement->start;
	bool quoted = false;

	/* A header's keys may have the character in quotation marks. */
	for (; at < statement->end; at++) {
		quoted ^= *at == '"' || *at == '\'';
		if (*at == '#' && !quoted)
			return true;
	}
	return false;
}

/* davit writes values on one line, in one way of several: whoever writes it otherwise has edited
 * it. */
static bool is_plain(const struct statement *statement, const char *value)
{
	const struct toml_node *node = statement->node;

	return !has_comment(statement) && (is_header(statement) || slice_equal(node->text, value));
}

static int add_statement(struct statements *list, const struct toml_node *node,
			 const struct sums *sums, struct arena *arena)
{
	struct statement *statement = ARENA_PUSH(arena, list);
	const char *path = toml_path_of(node, arena), *value = "[]";
	struct text text = {.arena = arena};

	if (!statement || !path)
		return -ENOMEM;
	*statement = (struct statement){
		.node = node,
		.start = node->lines.data,
		.end = node->lines.data + node->lines.length,
	};
	if (!is_header(statement)) {
		toml_write_value(&text, node);
		if (text.failed)
			return -ENOMEM;
		value = text.data;
	}
	statement->sum = sum_of(path, slice_from(value));
	statement->ours = has_sum(sums, statement->sum) && is_plain(statement, value);
	return 0;
}

static int add_statements(struct statements *list, const struct toml_node *table,
			  const struct sums *sums, struct arena *arena)
{
	for (const struct toml_node *node = table->first; node; node = node->next) {
		if (node->lines.length && add_statement(list, node, sums, arena) < 0)
			return -ENOMEM;
		/* What is within a value has no statement of its own. */
		if (node->origin != TOML_VALUE && add_statements(list, node, sums, arena) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	const char *x = ((const struct statement *)a)->start,
		   *y = ((const struct statement *)b)->start;

	return x < y ? -1 : x > y;
}

/* All of a text, in its order. */
static int find_statements(const struct toml_node *top, const struct sums *sums,
			   struct arena *arena, struct statements *ret)
{
	*ret = (struct statements){0};
	return add_statements(ret, top, sums, arena) < 0 ||
			       sort_items(arena, ret->items, ret->count, sizeof(*ret->items),
					  compare) < 0
		       ? -ENOMEM
		       : 0;
}

/* ---- taking davit's lines out ------------------------------------------------------------- */

static const struct toml_node *find_version(const struct toml_node *top)
{
	const struct toml_node *version = toml_member(top, "version");

	return version && version->type == TOML_INTEGER ? version : NULL;
}

/* Blank lines and comments between statements. */
static void copy_gap(struct text *text, const char *at, const char *end, const struct sums *sums)
{
	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *next = newline ? newline + 1 : end;
		struct slice line = slice_trim((struct slice){at, (size_t)(next - at)});
		bool ours = slice_starts(line, SUMS) || slice_starts(line, CONFIGURE_MARK) ||
			    (line.length && has_sum(sums, sum_of("#", line)));

		if (!ours)
			text_add(text, at, (size_t)(next - at));
		at = next;
	}
}

/* The empty line before a header that goes. */
static void drop_blank_line(struct text *text)
{
	size_t at = text->length;

	if (at == 0 || text->data[at - 1] != '\n')
		return;
	at -= at > 1 && text->data[at - 2] == '\r' ? 2 : 1;
	if (at > 0 && text->data[at - 1] != '\n')
		return;
	text->length = at;
	text->data[at] = '\0';
}

static bool is_blank(const struct text *text)
{
	return text->length == 0 || text->data[strspn(text->data, " \t\r\n")] == '\0';
}

/* A header stays as long as one of its own pairs does. */
static bool is_used(const struct statements *list, size_t header)
{
	for (size_t i = header + 1; i < list->count && !is_header(&list->items[i]); i++)
		if (!list->items[i].goes)
			return true;
	return false;
}

static void copy_rest(const struct statements *list, const char *text, const struct sums *sums,
		      struct text *ret)
{
	const char *at = text + (string_starts(text, "\xef\xbb\xbf") ? 3 : 0);

	for (size_t i = 0; i < list->count; i++) {
		const struct statement *statement = &list->items[i];

		copy_gap(ret, at, statement->start, sums);
		at = statement->end;
		if (!statement->goes || (is_header(statement) && is_used(list, i)))
			text_add(ret, statement->start, (size_t)(at - statement->start));
		else if (is_header(statement))
			drop_blank_line(ret);
	}
	copy_gap(ret, at, at + strlen(at), sums);
	text_add_string(ret, "");
}

/* The sums of all of a text of davit's. */
static int sum_all(const char *ours, const char *path, struct arena *arena, struct sums *ret,
		   struct error *err)
{
	const struct sums none = {0};
	struct statements list;
	struct toml_node *top;
	int r = toml_parse(ours, path, arena, &top, err);

	*ret = none;
	if (r == 0 && find_statements(top, &none, arena, &list) < 0)
		r = error_memory(err);
	for (size_t i = 0; r == 0 && i < list.count; i++)
		r = add_sum(ret, list.items[i].sum, arena) < 0 ? error_memory(err) : 0;
	return r;
}

/* What davit wrote: by the file, or in one that has no checksums by what it would write now. */
static int find_sums(const char *text, const char *ours, const char *path, struct arena *arena,
		     struct sums *ret, struct error *err)
{
	if (read_sums(text, arena, ret) < 0)
		return error_memory(err);
	return !ret->count && ours && strstr(text, CONFIGURE_MARK)
		       ? sum_all(ours, path, arena, ret, err)
		       : 0;
}

int configure_split(const char *text, const char *ours, const char *path, struct arena *arena,
		    struct configure_others *ret, struct error *err)
{
	struct text others = {.arena = arena}, rest = {.arena = arena};
	struct sums sums = {0}, now = {0};
	struct toml_node *top = NULL;
	struct statements list;
	int r;

	*ret = (struct configure_others){0};
	if (!text)
		return 0;
	r = toml_parse(text, path, arena, &top, err);
	if (r == 0)
		r = find_sums(text, ours, path, arena, &sums, err);
	if (r == 0 && ours)
		r = sum_all(ours, path, arena, &now, err);
	if (r < 0)
		return r;
	if (find_statements(top, &sums, arena, &list) < 0)
		return error_memory(err);
	for (size_t i = 0; i < list.count; i++)
		list.items[i].goes = list.items[i].ours;
	copy_rest(&list, text, &sums, &others);
	/* What davit would write again can stay where it is. */
	for (size_t i = 0; i < list.count; i++)
		list.items[i].goes = list.items[i].ours && !has_sum(&now, list.items[i].sum);
	copy_rest(&list, text, &sums, &rest);
	if (others.failed || rest.failed)
		return error_memory(err);
	if (is_blank(&others))
		return 0;
	*ret = (struct configure_others){
		.text = others.data,
		.rest = rest.data,
		.before = text,
		.version = find_version(top),
	};
	r = toml_parse(others.data, path, arena, &top, err);
	ret->top = top;
	return r;
}

/* ---- putting davit's lines in ------------------------------------------------------------- */

struct joining {
	const struct configure *configure;
	const char *path;
	struct sums before, sums;
	struct strings kept; /* values of others that davit would set otherwise */
	struct text comment, top,
		body; /* in this order in the file; the sums are behind the comment */
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
				   "update %s: somebody else has set %s to %s", j->path, name,
				   value.data),
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
		     const struct statement *pair, struct text *text)
{
	const struct toml_node *there = find_same(others, pair->node);

	if (there && !toml_equal(there, pair->node) && is_asked_for(j->configure, pair->node))
		return refuse_value(j, pair->node, there);
	if (there && !toml_equal(there, pair->node))
		return add_kept(j, there);
	/* What others have set to the same is still theirs. */
	if (there && !has_sum(&j->before, pair->sum))
		return 0;
	if (!there)
		text_add(text, pair->start, (size_t)(pair->end - pair->start));
	return text->failed || add_sum(&j->sums, pair->sum, j->arena) < 0 ? error_memory(j->err)
									  : 0;
}

/* Behind a header that others' lines have already. */
static void insert(struct text *body, const struct toml_node *table, const struct text *pairs)
{
	const char *at = table->lines.data + table->lines.length;
	struct text made = {.arena = body->arena, .failed = body->failed};

	text_add(&made, body->data, (size_t)(at - body->data));
	text_add_string(&made, at[-1] == '\n' ? "" : "\n");
	text_add(&made, pairs->data, pairs->length);
	text_add_string(&made, at);
	*body = made;
}

/* A header of davit's with its pairs: items[0..count). */
static int join_table(struct joining *j, const struct statement *items, size_t count)
{
	struct text pairs = {.arena = j->arena};
	const struct toml_node *table;
	struct toml_node *others;
	int r = toml_parse(j->body.data, j->path, j->arena, &others, j->err);

	for (size_t i = 1; r == 0 && i < count; i++)
		r = join_pair(j, others, &items[i], &pairs);
	if (r == 0 && has_sum(&j->before, items[0].sum) &&
	    add_sum(&j->sums, items[0].sum, j->arena) < 0)
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
		text_add(&j->body, pairs.data ? pairs.data : "", pairs.length);
		if (!has_sum(&j->before, items[0].sum) &&
		    add_sum(&j->sums, items[0].sum, j->arena) < 0)
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
		if (add_sum(&j->sums, sum_of("#", slice_trim(line)), j->arena) < 0)
			return error_memory(j->err);
	}
	return 0;
}

/* Others' settings of plugins mean nothing in a file of another format. */
static int check_version(const struct joining *j, const struct configure_others *others,
			 const struct toml_node *ours)
{
	const struct toml_node *version = find_version(ours);

	if (!others->version || !version || toml_equal(others->version, version) ||
	    !toml_member(others->top, "plugins"))
		return 0;
	return error_set(
		j->err, ERROR_BAD_CONFIG, EINVAL,
		"move them to another file, then run the command again",
		"update %s: somebody else's settings there are in format version %.*s, but "
		"containerd's is %.*s now",
		j->path, (int)others->version->text.length, others->version->text.data,
		(int)version->text.length, version->text.data);
}

static int join(struct joining *j, const struct configure_others *others, const char *ours)
{
	const char *body = others->text ? others->rest : "";
	const struct sums none = {0};
	struct toml_node *top, *there;
	struct statements list;
	size_t i = 0, count;
	int r = toml_parse(ours, j->path, j->arena, &top, j->err);

	if (r == 0)
		r = toml_parse(body, j->path, j->arena, &there, j->err);
	if (r == 0)
		r = check_version(j, others, top);
	if (r == 0 && others->text)
		r = find_sums(others->before, ours, j->path, j->arena, &j->before, j->err);
	if (r == 0 && find_statements(top, &none, j->arena, &list) < 0)
		r = error_memory(j->err);
	if (r == 0)
		r = join_comment(j, ours);
	if (r < 0)
		return r;
	text_add_string(&j->body, body);
	/* Pairs of no table come before all tables. */
	for (; r == 0 && i < list.count && !is_header(&list.items[i]); i++)
		r = join_pair(j, there, &list.items[i], &j->top);
	for (; r == 0 && i < list.count; i += count) {
		count = 1;
		while (i + count < list.count && !is_header(&list.items[i + count]))
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
	write_sums(&j.comment, &j.sums);
	text_add(&j.comment, j.top.data ? j.top.data : "", j.top.length);
	text_add(&j.comment, j.body.data, j.body.length);
	if (j.comment.failed || j.top.failed)
		return error_memory(err);
	*ret = (struct configure_joined){j.comment.data, j.kept};
	if (toml_parse(ret->text, path, arena, &top, err) == 0)
		return 0;
	return error_fix(
		err,
		error_set(err, ERROR_BAD_CONFIG, EEXIST, NULL,
			  "update %s: davit can't add its settings to the lines of others there",
			  path),
		"move those lines to another file, then run the command again");
}

/* ---- taking davit's runtimes away ---------------------------------------------------------- */

/* Whether it is, or is part of, one of these runtimes, or makes one of them the default. */
static bool is_of_runtime(const struct toml_node *node, const struct strings *names)
{
	if (node->key && node->type == TOML_STRING &&
	    (strcmp(node->key, "default_runtime_name") == 0 ||
	     strcmp(node->key, "default_runtime") == 0) &&
	    strings_contain(names, node->string))
		return true;
	for (; node->parent && node->parent->key; node = node->parent)
		if (strcmp(node->parent->key, "runtimes") == 0 && node->key &&
		    strings_contain(names, node->key))
			return true;
	return false;
}

static int name_runtimes(const struct configure *configure, struct arena *arena,
			 struct strings *ret)
{
	*ret = (struct strings){0};
	for (size_t i = 0; i < CONTAINERD_HANDLERS; i++) {
		const char *name = containerd_handler(configure->runtime_name, i, arena);

		if (!name || strings_add(arena, ret, name) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Marks what goes, and lists both kinds of pairs. */
static int choose(struct statements *list, const struct strings *names, struct arena *arena,
		  struct configure_left *ret)
{
	for (size_t i = 0; i < list->count; i++) {
		struct statement *statement = &list->items[i];
		const char *line;

		statement->goes = is_of_runtime(statement->node, names);
		if (is_header(statement))
			continue;
		line = toml_path_of(statement->node, arena);
		line = line ? arena_printf(arena, "%s = %.*s", line,
					   (int)statement->node->text.length,
					   statement->node->text.data)
			    : NULL;
		if (!line ||
		    strings_add(arena, statement->goes ? &ret->gone : &ret->kept, line) < 0)
			return -ENOMEM;
	}
	/* A header that loses all of its pairs; one that had none means an empty table. */
	for (size_t i = 0; i + 1 < list->count; i++)
		if (is_header(&list->items[i]) && !is_header(&list->items[i + 1]))
			list->items[i].goes |= !is_used(list, i);
	return 0;
}

/* What is left says as before which format it has. */
static char *with_version(const char *text, const char *before, const char *path,
			  struct arena *arena, struct error *err)
{
	struct toml_node *then, *now;
	const struct toml_node *version;

	if (toml_parse(before, path, arena, &then, err) < 0 ||
	    toml_parse(text, path, arena, &now, err) < 0)
		return NULL;
	version = find_version(then);
	if (!version || !now->first || toml_member(now, "version"))
		return arena_strdup(arena, text);
	return arena_printf(arena, "version = %.*s\n%s", (int)version->text.length,
			    version->text.data, text);
}

int configure_leave(const char *text, const char *path, const struct configure *configure,
		    struct arena *arena, struct configure_left *ret, struct error *err)
{
	const struct sums none = {0};
	struct configure_others others;
	struct text left = {.arena = arena};
	struct statements list;
	struct strings names;
	int r;

	*ret = (struct configure_left){0};
	if (!configure_has_lines(text))
		return error_set(err, ERROR_BAD_CONFIG, EINVAL,
				 "run the command once without --remove, or remove the file",
				 "find davit's lines in %s: its checksums are missing, as if an "
				 "older davit had written it",
				 path);
	r = configure_split(text, NULL, path, arena, &others, err);
	if (r < 0 || !others.text)
		return r;
	if (name_runtimes(configure, arena, &names) < 0 ||
	    find_statements(others.top, &none, arena, &list) < 0 ||
	    choose(&list, &names, arena, ret) < 0)
		return error_memory(err);
	copy_rest(&list, others.text, &none, &left);
	if (left.failed)
		return error_memory(err);
	if (is_blank(&left))
		return 0;
	ret->text = with_version(left.data, text, path, arena, err);
	return ret->text ? 0 : error_memory(err);
}

/* ---- comparing ------------------------------------------------------------------------------ */

bool configure_has_lines(const char *text)
{
	return strstr(text, SUMS);
}

bool configure_is_same(const char *text, const char *other, const char *path, struct arena *arena)
{
	struct toml_node *top_a, *top_b;
	struct sums sums_a, sums_b;
	struct error ignored;

	if (!text || !other || toml_parse(text, path, arena, &top_a, &ignored) < 0 ||
	    toml_parse(other, path, arena, &top_b, &ignored) < 0 || !toml_equal(top_a, top_b) ||
	    read_sums(text, arena, &sums_a) < 0 || read_sums(other, arena, &sums_b) < 0)
		return false;
	for (size_t i = 0; i < sums_b.count; i++)
		if (!has_sum(&sums_a, sums_b.items[i]))
			return false;
	return true;
}

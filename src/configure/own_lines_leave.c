// SPDX-License-Identifier: Apache-2.0
/* What --remove leaves of a file or block of davit's. */
#include <string.h>

#include "containerd.h"
#include "own_lines.h"

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

static int add_handlers(const char *name, struct arena *arena, struct strings *ret)
{
	for (size_t i = 0; i < CONTAINERD_HANDLERS; i++) {
		const char *handler = containerd_handler(name, i, arena);

		if (!handler || strings_add(arena, ret, handler) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* The runtime whose program a line of davit's sets; NULL: none. */
static const char *runtime_of(const struct own_statement *statement)
{
	const struct toml_node *node = statement->node, *table = node->parent;

	if (!statement->ours || own_is_header(statement) || node->type != TOML_STRING || !table)
		return NULL;
	if (string_equal(node->key, "BinaryName") && string_equal(table->key, "options"))
		table = table->parent;
	else if (!string_equal(node->key, "runtime_path"))
		return NULL;
	return table && table->parent && string_equal(table->parent->key, "runtimes") ? table->key
										      : NULL;
}

/* Whether davit's lines give a runtime that program. */
static bool has_program(const struct own_statements *list, const char *name, const char *program)
{
	for (size_t i = 0; i < list->count; i++)
		if (string_equal(runtime_of(&list->items[i]), name) &&
		    string_equal(list->items[i].node->string, program))
			return true;
	return false;
}

int configure_own_runtimes(const char *text, const char *path, struct arena *arena,
			   struct strings *ret, struct error *err)
{
	struct own_statements list;
	struct own_sums sums;
	struct toml_node *top;
	int r = toml_parse(text, path, arena, &top, err);

	*ret = (struct strings){0};
	if (r == 0)
		r = own_find_sums(text, NULL, path, arena, &sums, err);
	if (r < 0)
		return r;
	if (own_find_statements(top, &sums, arena, &list) < 0)
		return error_memory(err);
	/* Repeated settings of others have different programs for these two. */
	for (size_t i = 0; i < list.count; i++) {
		const char *name = runtime_of(&list.items[i]), *legacy;

		if (!name || !string_ends(name, "-cdi"))
			continue;
		name = arena_strndup(arena, name, strlen(name) - strlen("-cdi"));
		legacy = name ? containerd_handler(name, 2, arena) : NULL;
		if (!legacy)
			return error_memory(err);
		if (has_program(&list, legacy, list.items[i].node->string) &&
		    !strings_contain(ret, name) && strings_add(arena, ret, name) < 0)
			return error_memory(err);
	}
	return 0;
}

int configure_keep_name(const char *text, const char *path, struct configure *configure,
			struct arena *arena, struct error *err)
{
	struct strings names;
	int r = configure->named ? 0 : configure_own_runtimes(text, path, arena, &names, err);

	if (r == 0 && !configure->named && names.count == 1)
		configure->runtime_name = names.items[0];
	return r;
}

/* Those of the options, and those that the file has. */
static int name_runtimes(const struct configure *configure, const char *text, const char *path,
			 struct arena *arena, struct strings *ret, struct error *err)
{
	struct strings own;
	int r = configure_own_runtimes(text, path, arena, &own, err);

	*ret = (struct strings){0};
	if (r < 0)
		return r;
	r = add_handlers(configure->runtime_name, arena, ret);
	for (size_t i = 0; r == 0 && i < own.count; i++)
		r = add_handlers(own.items[i], arena, ret);
	return r < 0 ? error_memory(err) : 0;
}

/* Marks what goes, and lists both kinds of pairs. */
static int choose(struct own_statements *list, const struct strings *names, struct arena *arena,
		  struct configure_left *ret)
{
	for (size_t i = 0; i < list->count; i++) {
		struct own_statement *statement = &list->items[i];
		const char *line;

		statement->goes = is_of_runtime(statement->node, names);
		if (own_is_header(statement))
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
		if (own_is_header(&list->items[i]) && !own_is_header(&list->items[i + 1]))
			list->items[i].goes |= !own_is_used(list, i);
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
	version = own_find_version(then);
	if (!version || !now->first || toml_member(now, "version"))
		return arena_strdup(arena, text);
	return arena_printf(arena, "version = %.*s\n%s", (int)version->text.length,
			    version->text.data, text);
}

int configure_leave(const char *text, const char *path, const struct configure *configure,
		    struct arena *arena, struct configure_left *ret, struct error *err)
{
	const struct own_sums none = {0};
	struct configure_others others;
	struct text left = {.arena = arena};
	struct own_statements list;
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
	r = name_runtimes(configure, text, path, arena, &names, err);
	if (r < 0)
		return r;
	if (own_find_statements(others.top, &none, arena, &list) < 0 ||
	    choose(&list, &names, arena, ret) < 0)
		return error_memory(err);
	own_copy_rest(&list, others.text, &none, &left);
	if (left.failed)
		return error_memory(err);
	if (own_is_blank(&left))
		return 0;
	ret->text = with_version(left.data, text, path, arena, err);
	return ret->text ? 0 : error_memory(err);
}

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
	if (name_runtimes(configure, arena, &names) < 0 ||
	    own_find_statements(others.top, &none, arena, &list) < 0 ||
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

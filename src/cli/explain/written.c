// SPDX-License-Identifier: Apache-2.0
/* A bundle that davit-runtime has edited: what config.json and davit.json have for its container.
 */
#include <fcntl.h>

#include "davit/json.h"
#include "explain.h"

static struct json_object *find(struct json_object *object, const char *const *names)
{
	for (; object && *names; names++)
		if (!json_object_object_get_ex(object, *names, &object))
			return NULL;
	return object;
}

static size_t count_of(struct json_object *array)
{
	return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

static const char *member(struct json_object *object, const char *name, const char *otherwise)
{
	struct json_object *value = NULL;
	const char *text = json_object_object_get_ex(object, name, &value) && value
				   ? json_object_get_string(value)
				   : NULL;

	return text ? text : otherwise;
}

/* "/dev/nvidia0 (c 195:0)" */
static const char *node_text(struct json_object *item, struct arena *arena)
{
	return arena_printf(arena, "%s (%s %s:%s)", member(item, "path", "?"),
			    member(item, "type", "?"), member(item, "major", "-"),
			    member(item, "minor", "-"));
}

/* "allow c 195:0 rw"; absent numbers are all. */
static const char *rule_text(struct json_object *item, struct arena *arena)
{
	const char *allow = member(item, "allow", "false");

	return arena_printf(arena, "%s %s %s:%s %s", *allow == 't' ? "allow" : "deny",
			    member(item, "type", "a"), member(item, "major", "*"),
			    member(item, "minor", "*"), member(item, "access", "rwm"));
}

static const char *group_text(struct json_object *item, struct arena *arena)
{
	const char *text = item ? json_object_get_string(item) : NULL;

	return text ? arena_strdup(arena, text) : "";
}

static int read_list(struct json_object *config, const char *const *names,
		     const char *(*text)(struct json_object *item, struct arena *arena),
		     struct arena *arena, struct strings *ret)
{
	struct json_object *array = find(config, names);

	for (size_t i = 0; i < count_of(array); i++) {
		const char *line = text(json_object_array_get_idx(array, i), arena);

		if (!line || strings_add(arena, ret, line) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int read_config(const struct pipeline *pipeline, struct arena *arena,
		       struct explain_written *ret, struct error *err)
{
	static const char *const nodes[] = {"linux", "devices", NULL};
	static const char *const rules[] = {"linux", "resources", "devices", NULL};
	static const char *const groups[] = {"process", "user", "additionalGids", NULL};
	AUTO_JSON *config = NULL;
	int r = json_parse(pipeline->text, pipeline->text_length, ERROR_BAD_BUNDLE,
			   "the bundle's config.json", &config, err);

	if (r < 0)
		return r;
	if (read_list(config, nodes, node_text, arena, &ret->nodes) < 0 ||
	    read_list(config, rules, rule_text, arena, &ret->rules) < 0 ||
	    read_list(config, groups, group_text, arena, &ret->groups) < 0)
		return error_memory(err);
	return 0;
}

int explain_read_written(const struct pipeline *pipeline, struct arena *arena,
			 struct explain_written *ret, struct error *err)
{
	const char *path = arena_printf(arena, "%s/" PLAN_FILE, pipeline->bundle), *rootfs;
	size_t length = 0;
	char *text = NULL;
	int r = path ? read_config(pipeline, arena, ret, err) : error_memory(err);

	if (r < 0)
		return r;
	r = file_load(path, O_NOFOLLOW, PLAN_FILE_MAX, arena, &text, &length);
	if (r < 0)
		return error_read(err, ERROR_BAD_BUNDLE, -r,
				  "recreate the container: davit-runtime writes that file", "%s",
				  path);
	return plan_read(text, length, arena, &ret->plan, &rootfs, err);
}

/* ---- for people and programs -------------------------------------------------------------- */

static void add_list(struct tree *root, const char *title, const struct strings *list)
{
	struct tree *node = tree_add(root, "%s: %zu", title, list->count);

	for (size_t i = 0; i < list->count; i++)
		(void)tree_add(node, "%s", list->items[i]);
}

void explain_add_written(struct tree *root, const struct explain_written *written)
{
	const struct plan *plan = &written->plan;
	struct tree *node = tree_add(
		root, "davit-runtime has edited this bundle: this is what it contains now");

	add_list(node, "nodes in config.json (linux.devices)", &written->nodes);
	add_list(node, "device rules in config.json (linux.resources.devices)", &written->rules);
	add_list(node, "groups in config.json (process.user.additionalGids)", &written->groups);
	node = tree_add(node, "operations in " PLAN_FILE ", for the createContainer hook: %zu",
			plan->count);
	for (size_t i = 0; i < plan->count; i++) {
		const struct operation *operation = &plan->items[i];

		(void)tree_add(node, "%s %s%s%s", operation_name(operation->kind),
			       operation->target ? operation->target : "",
			       operation->source ? " from " : "",
			       operation->source ? operation->source : "");
	}
}

struct json_object *explain_json_written(const struct explain_written *written)
{
	struct json_object *object = json_object_new_object(), *array = json_object_new_array();

	json_object_object_add(object, "nodes", cli_json_strings(&written->nodes));
	json_object_object_add(object, "rules", cli_json_strings(&written->rules));
	json_object_object_add(object, "groups", cli_json_strings(&written->groups));
	for (size_t i = 0; i < written->plan.count; i++) {
		const struct operation *operation = &written->plan.items[i];
		struct json_object *item = json_object_new_object();

		json_object_object_add(item, "op",
				       json_object_new_string(operation_name(operation->kind)));
		json_object_object_add(
			item, "source",
			json_object_new_string(operation->source ? operation->source : ""));
		json_object_object_add(
			item, "target",
			json_object_new_string(operation->target ? operation->target : ""));
		(void)json_object_array_add(array, item);
	}
	json_object_object_add(object, "operations", array);
	return object;
}

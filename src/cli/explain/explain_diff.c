// SPDX-License-Identifier: Apache-2.0
/* `davit explain --diff`: parts of two explanations, compared as their JSON. */
#include <stdio.h>
#include <string.h>

#include "explain.h"

struct difference {
	const char *section; /* "request", "gpus", "operations", "error" */
	struct json_object *removed, *added;
};

static const char *json_text(struct json_object *object)
{
	return json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN |
							      JSON_C_TO_STRING_NOSLASHESCAPE);
}

static bool contains(struct json_object *array, struct json_object *item)
{
	for (size_t i = 0; i < json_object_array_length(array); i++)
		if (json_object_equal(json_object_array_get_idx(array, i), item))
			return true;
	return false;
}

/* Items of the first array that the second one lacks. */
static struct json_object *missing_in(struct json_object *array, struct json_object *other)
{
	struct json_object *ret = json_object_new_array();

	for (size_t i = 0; i < json_object_array_length(array); i++) {
		struct json_object *item = json_object_array_get_idx(array, i);

		if (!contains(other, item))
			(void)json_object_array_add(ret, json_object_get(item));
	}
	return ret;
}

/* {"name": value} for each member, so that the members of a request compare one by one. */
static struct json_object *members_of(struct json_object *object)
{
	struct json_object *array = json_object_new_array();

	json_object_object_foreach(object, name, value)
	{
		struct json_object *member = json_object_new_object();

		json_object_object_add(member, name, json_object_get(value));
		(void)json_object_array_add(array, member);
	}
	(void)json_object_put(object);
	return array;
}

static struct json_object *section_of(const struct explanation *explanation, const char *section,
				      struct arena *arena)
{
	const struct pipeline *pipeline = &explanation->pipeline;
	struct json_object *array;

	if (strcmp(section, "request") == 0 && pipeline->stage >= PIPELINE_REQUEST)
		return members_of(explain_json_request(&pipeline->request));
	if (strcmp(section, "gpus") == 0)
		return explain_json_selected(&pipeline->selection);
	array = json_object_new_array();
	if (strcmp(section, "operations") == 0)
		for (size_t i = 0; i < pipeline->plan.count; i++)
			(void)json_object_array_add(
				array, explain_json_operation(explanation, &pipeline->plan.items[i],
							      arena));
	if (strcmp(section, "error") == 0 && explanation->err.code != ERROR_NONE)
		(void)json_object_array_add(array, cli_json_error(&explanation->err));
	return array;
}

static void compare(const struct explanation *one, const struct explanation *other,
		    struct difference *ret, struct arena *arena)
{
	struct json_object *a = section_of(one, ret->section, arena);
	struct json_object *b = section_of(other, ret->section, arena);

	ret->removed = missing_in(a, b);
	ret->added = missing_in(b, a);
	(void)json_object_put(a);
	(void)json_object_put(b);
}

static bool is_same(const struct difference *difference)
{
	return json_object_array_length(difference->removed) == 0 &&
	       json_object_array_length(difference->added) == 0;
}

/* ---- as text ---------------------------------------------------------------------------- */

static const char *member(struct json_object *object, const char *name)
{
	struct json_object *value = NULL;

	return json_object_object_get_ex(object, name, &value) && value
		       ? json_object_get_string(value)
		       : "";
}

static bool member_is(struct json_object *object, const char *name, bool wanted)
{
	struct json_object *value = NULL;

	return json_object_object_get_ex(object, name, &value) &&
	       (bool)json_object_get_boolean(value) == wanted;
}

static const char *line_of(const char *section, struct json_object *item, struct arena *arena)
{
	const char *source = member(item, "source");

	if (strcmp(section, "request") == 0) {
		json_object_object_foreach(item, name, value) return arena_printf(
			arena, "request %s: %s", name, json_text(value));
	}
	if (strcmp(section, "gpus") == 0)
		return *member(item, "gpu_instance")
			       ? arena_printf(arena, "GPU %s %s MIG %s:%s", member(item, "index"),
					      member(item, "uuid"), member(item, "gpu_instance"),
					      member(item, "compute_instance"))
			       : arena_printf(arena, "GPU %s %s", member(item, "index"),
					      member(item, "uuid"));
	if (strcmp(section, "error") == 0)
		return arena_printf(arena, "error: cannot %s", member(item, "message"));
	return arena_printf(arena, "%s %s%s%s  [%s%s]", member(item, "op"), member(item, "target"),
			    *source ? " <- " : "", source, member(item, "because"),
			    member_is(item, "required", false) ? "; optional" : "");
}

static void print_lines(char sign, const char *section, struct json_object *items,
			struct arena *arena)
{
	for (size_t i = 0; i < json_object_array_length(items); i++) {
		const char *line = line_of(section, json_object_array_get_idx(items, i), arena);
		char *printable = line ? arena_strdup(arena, line) : NULL;

		if (!printable)
			continue;
		string_printable(printable);
		(void)printf("%c %s\n", sign, printable);
	}
}

/* ---- as JSON ---------------------------------------------------------------------------- */

static struct json_object *json_difference(const struct difference *difference)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "removed", json_object_get(difference->removed));
	json_object_object_add(object, "added", json_object_get(difference->added));
	return object;
}

static int print_json(const struct explanation *one, const struct explanation *other,
		      const struct difference *differences, size_t count, bool same)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "version", json_object_new_int(1));
	json_object_object_add(object, "bundle", json_object_new_string(one->pipeline.bundle));
	json_object_object_add(object, "other", json_object_new_string(other->pipeline.bundle));
	json_object_object_add(object, "same", json_object_new_boolean(same));
	for (size_t i = 0; i < count; i++)
		json_object_object_add(object, differences[i].section,
				       json_difference(&differences[i]));
	return cli_print_json(object);
}

int explain_diff(const struct explain_options *options, const char *bundle, const char *other,
		 bool json, struct arena *arena)
{
	AUTO_EXPLANATION a = EXPLANATION_INIT;
	AUTO_EXPLANATION b = EXPLANATION_INIT;
	struct difference differences[] = {
		{"request", NULL, NULL},
		{"gpus", NULL, NULL},
		{"operations", NULL, NULL},
		{"error", NULL, NULL},
	};
	/* The other bundle keeps its own request. */
	const struct explain_options as_is = {options->config, options->for_runtime, NULL};
	bool same = true;
	int failed = 0;

	/*
	 * A bundle that can't be read can't be compared. Other errors are part of the comparison.
	 */
	if (explain_bundle(options, bundle, arena, &a) < 0 && a.pipeline.stage < PIPELINE_REQUEST)
		return cli_fail(&a.err);
	if (explain_bundle(&as_is, other, arena, &b) < 0 && b.pipeline.stage < PIPELINE_REQUEST)
		return cli_fail(&b.err);
	for (size_t i = 0; i < ARRAY_SIZE(differences); i++) {
		compare(&a, &b, &differences[i], arena);
		same &= is_same(&differences[i]);
	}
	if (json)
		failed = print_json(&a, &b, differences, ARRAY_SIZE(differences), same);
	for (size_t i = 0; i < ARRAY_SIZE(differences); i++) {
		if (!json) {
			print_lines('-', differences[i].section, differences[i].removed, arena);
			print_lines('+', differences[i].section, differences[i].added, arena);
		}
		(void)json_object_put(differences[i].removed);
		(void)json_object_put(differences[i].added);
	}
	return failed || !same;
}

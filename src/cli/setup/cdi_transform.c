// SPDX-License-Identifier: Apache-2.0
/* `davit cdi transform root`: another root for the paths of a spec. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cdi.h"

struct transform {
	struct slice from; /* "" of "/": every absolute path */
	const char *to;
	bool container; /* paths in the container, not of the host */
	struct arena *arena;
	bool failed; /* out of memory */
};

/* ---- paths ------------------------------------------------------------------------------ */

static struct slice without_slash(const char *path)
{
	struct slice slice = slice_from(path);

	while (slice.length && slice.data[slice.length - 1] == '/')
		slice.length--;
	return slice;
}

/* Whole components: the root /dev is none of /device. */
static bool is_beneath(const struct transform *t, const char *path)
{
	return path[0] == '/' && strncmp(path, t->from.data, t->from.length) == 0 &&
	       (path[t->from.length] == '/' || !path[t->from.length]);
}

/* NULL: it stays. */
static const char *moved(struct transform *t, const char *path)
{
	struct slice to = without_slash(t->to);
	const char *made;

	if (!is_beneath(t, path))
		return NULL;
	made = arena_printf(t->arena, "%.*s%s", (int)to.length, to.data, path + t->from.length);
	t->failed |= !made;
	return made && !*made ? "/" : made;
}

static const char *text_of(struct json_object *object, const char *member)
{
	struct json_object *value;

	return json_object_object_get_ex(object, member, &value) ? json_object_get_string(value)
								 : NULL;
}

static void move_member(struct transform *t, struct json_object *object, const char *member)
{
	const char *path = text_of(object, member), *made = path ? moved(t, path) : NULL;

	if (made)
		json_object_object_add(object, member, json_object_new_string(made));
}

/* ---- what has paths --------------------------------------------------------------------- */

static void transform_node(struct transform *t, struct json_object *node)
{
	const char *path = text_of(node, "path");

	/* Without a host path, the container path is also the host's. */
	if (path && !text_of(node, "hostPath") && moved(t, path))
		json_object_object_add(node, "hostPath", json_object_new_string(path));
	move_member(t, node, t->container ? "path" : "hostPath");
}

static void transform_mount(struct transform *t, struct json_object *mount)
{
	move_member(t, mount, t->container ? "containerPath" : "hostPath");
}

/* "/usr/lib64", or "TARGET::LINK" of create-symlinks. */
static const char *moved_argument(struct transform *t, const char *argument)
{
	const char *colons = strstr(argument, "::"), *target, *link, *whole;

	if (!colons)
		return moved(t, argument);
	target = arena_strndup(t->arena, argument, (size_t)(colons - argument));
	if (!target)
		return NULL;
	link = moved(t, colons + 2);
	whole = moved(t, target);
	return link || whole ? arena_printf(t->arena, "%s::%s", whole ? whole : target,
					    link ? link : colons + 2)
			     : NULL;
}

/* The program of a startContainer hook is in the container. These two hooks see container paths. */
static void transform_hook(struct transform *t, struct json_object *hook)
{
	const char *name = text_of(hook, "hookName");
	bool start = string_equal(name, "startContainer");
	bool inside = start || string_equal(name, "createContainer");
	struct json_object *args;

	if (start == t->container)
		move_member(t, hook, "path");
	if (inside != t->container || !json_object_object_get_ex(hook, "args", &args))
		return;
	for (size_t i = 0; i < json_object_array_length(args); i++) {
		const char *made = moved_argument(
			t, json_object_get_string(json_object_array_get_idx(args, i)));

		if (made)
			(void)json_object_array_put_idx(args, i, json_object_new_string(made));
	}
}

static void transform_edits(struct transform *t, struct json_object *object)
{
	static const struct {
		const char *list;
		void (*transform)(struct transform *t, struct json_object *item);
	} lists[] = {
		{"deviceNodes", transform_node},
		{"mounts", transform_mount},
		{"hooks", transform_hook},
	};
	struct json_object *edits, *list;

	if (!json_object_object_get_ex(object, "containerEdits", &edits))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		if (!json_object_object_get_ex(edits, lists[i].list, &list))
			continue;
		for (size_t j = 0; j < json_object_array_length(list); j++)
			lists[i].transform(t, json_object_array_get_idx(list, j));
	}
}

static int transform_spec(struct transform *t, struct json_object *spec, struct error *err)
{
	struct json_object *devices;

	transform_edits(t, spec);
	if (json_object_object_get_ex(spec, "devices", &devices))
		for (size_t i = 0; i < json_object_array_length(devices); i++)
			transform_edits(t, json_object_array_get_idx(devices, i));
	if (t->failed)
		return error_memory(err);
	json_object_object_add(spec, "cdiVersion",
			       json_object_new_string(cdi_lowest_version(spec)));
	return cdi_check(spec, "the transformed spec", err);
}

/* ---- the command ------------------------------------------------------------------------ */

static int read_spec(const char *input, struct arena *arena, struct json_object **ret,
		     struct error *err)
{
	bool standard = string_equal(input, "-");
	const char *what = standard ? "standard input" : input;
	AUTO_ROOT root = {.fd = -1};
	AUTO_JSON *spec = NULL;
	size_t length = 0;
	char *text = NULL;
	int r = standard ? 0 : root_open("/", &root, err);

	if (r < 0)
		return r;
	input = standard ? input : cli_absolute(input, arena);
	if (!input)
		return error_memory(err);
	r = standard ? file_read(STDIN_FILENO, CDI_SPEC_MAX, arena, &text, &length)
		     : root_read(&root, input, CDI_SPEC_MAX, arena, &text, &length);
	if (r < 0)
		return error_errno(err, -r, "read %s", what);
	r = text[strspn(text, " \t\r\n")] == '{'
		    ? json_parse(text, length, ERROR_BAD_REQUEST, what, &spec, err)
		    : cdi_yaml_parse(text, length, what, &spec, err);
	if (r == 0)
		r = cdi_check(spec, what, err);
	if (r < 0)
		return r;
	*ret = spec;
	spec = NULL;
	return 0;
}

static int run(const struct arguments *arguments)
{
	const char *from = arguments_value(arguments, "from");
	const char *to = arguments_value(arguments, "to");
	const char *input = arguments_value(arguments, "input");
	const char *output = arguments_value(arguments, "output");
	const char *relative = arguments_value(arguments, "relative-to");
	AUTO_ARENA arena = {0};
	AUTO_JSON *spec = NULL;
	struct transform t = {
		.from = without_slash(from ? from : "/"),
		.to = to ? to : "/",
		.container = string_equal(relative, "container"),
		.arena = &arena,
	};
	struct error err = {0};
	int r;

	if ((from && *from && *from != '/') || t.to[0] != '/')
		return usage_error(arguments, "%s is not an absolute path",
				   t.to[0] != '/' ? t.to : from);
	if (output && (!*output || string_equal(output, "-")))
		output = NULL;
	r = read_spec(input ? input : "-", &arena, &spec, &err);
	if (r == 0)
		r = transform_spec(&t, spec, &err);
	if (r == 0)
		r = cdi_write(output, spec, !output || !string_ends(output, ".json"), &arena, &err);
	return r < 0 ? cli_fail(&err) : 0;
}

static const struct command_option options[] = {
	{"from", OPTION_VALUE, "DIR", "the current root of the paths (/)"},
	{"to", OPTION_VALUE, "DIR", "the new root of the paths (/)"},
	{"input", OPTION_VALUE, "FILE", "the spec, JSON or YAML (standard input)"},
	{"output", OPTION_VALUE, "FILE", "replace FILE atomically, instead of printing"},
	{"relative-to", OPTION_VALUE, "host|container",
	 "change the host's paths (the default) or the container's"},
	{NULL, 0, NULL, NULL},
};
const struct command command_transform_root = {
	.name = "root",
	.summary = "replace the root of a spec's paths",
	.help = "Reads a spec and replaces the directory of --from by that of --to in each path below it.\n"
		"The result is YAML, unless the name of FILE ends in .json.\n",
	.example = "davit cdi transform root --from /run/nvidia/driver --to / --input nvidia.yaml",
	.options = options,
	.one_dash = true,
	.run = run,
};
static const struct command *const commands[] = {&command_transform_root, NULL};

const struct command command_cdi_transform = {
	.name = "transform",
	.summary = "change a spec",
	.example = "davit cdi transform root --from /run/nvidia/driver --to / --input nvidia.yaml",
	.commands = commands,
};

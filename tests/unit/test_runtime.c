// SPDX-License-Identifier: Apache-2.0
#include "unit.h"
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "davit/json.h"
#include "davit/runtime.h"
#include "davit/sys.h"

/* ---- arguments -------------------------------------------------------------------------- */

#define WORDS_MAX 14
static const struct {
	const char *words[WORDS_MAX]; /* behind the program's name */
	const char *command, *bundle, *log;
	bool log_json, makes;
} command_lines[] = {
	{{NULL}, NULL, NULL, NULL, false, false},
	{{"create", "c1"}, "create", NULL, NULL, false, true},
	{{"create", "--bundle", "/b", "c1"}, "create", "/b", NULL, false, true},
	{{"create", "--bundle=/b", "c1"}, "create", "/b", NULL, false, true},
	{{"create", "-bundle", "/b", "c1"}, "create", "/b", NULL, false, true},
	{{"create", "-b", "/b", "c1"}, "create", "/b", NULL, false, true},
	{{"create", "-b=/b", "c1"}, "create", "/b", NULL, false, true},
	{{"create", "-b/b", "c1"}, "create", "/b", NULL, false, true},
	{{"create", "c1", "-b", "rel"}, "create", "rel", NULL, false, true},
	{{"create", "-b", "/a", "--bundle", "/b", "c1"}, "create", "/b", NULL, false, true},
	{{"create", "--bundle"}, "create", NULL, NULL, false, true},
	{{"create", "--bundle=", "c1"}, "create", "", NULL, false, true},
	{{"create", "--pid-file", "-b", "--bundle", "/b", "c1"}, "create", "/b", NULL, false, true},
	{{"create", "--no-pivot", "--console-socket", "/s", "-b", "/b", "c1"},
	 "create",
	 "/b",
	 NULL,
	 false,
	 true},
	{{"create", "--", "-b", "/b"}, "create", NULL, NULL, false, true},
	{{"run", "-d", "-b", "/b", "c1"}, "run", "/b", NULL, false, true},
	{{"--root", "create", "delete", "c1"}, "delete", NULL, NULL, false, false},
	{{"--root=create", "state", "c1"}, "state", NULL, NULL, false, false},
	{{"-root", "run", "kill", "c1"}, "kill", NULL, NULL, false, false},
	{{"--log", "create", "--log-format", "json", "start", "create"},
	 "start",
	 NULL,
	 "create",
	 true,
	 false},
	{{"--root", "/r", "--log", "/l", "--log-format", "json", "create", "-b", "/b", "c1"},
	 "create",
	 "/b",
	 "/l",
	 true,
	 true},
	{{"--log=/l", "--log-format=text", "create", "c1"}, "create", NULL, "/l", false, true},
	{{"--systemd-cgroup", "create", "c1"}, "create", NULL, NULL, false, true},
	{{"create", "--bund", "/b", "c1"}, "create", "/b", NULL, false, true},
	{{"create", "--b=/b", "c1"}, "create", "/b", NULL, false, true},
	{{"run", "-db", "/b", "c1"}, "run", "/b", NULL, false, true},
	{{"run", "-db/b", "c1"}, "run", "/b", NULL, false, true},
	{{"run", "-d", "c1", "--bun=/b"}, "run", "/b", NULL, false, true},
	{{"create", "--pid", "create", "--b", "/b"}, "create", "/b", NULL, false, true},
	{{"--cg", "create", "create", "c1"}, "create", NULL, NULL, false, true},
	{{"--log-f", "json", "--log", "/l", "create"}, "create", NULL, "/l", true, true},
	{{"--new", "value", "create", "-b", "/b", "c1"}, "create", "/b", NULL, false, true},
	{{"--new=value", "create", "-b", "/b"}, "create", "/b", NULL, false, true},
	{{"--new", "create", "-b", "/b", "c1"}, "create", "/b", NULL, false, true},
	{{"--new", "--other", "value", "run"}, "run", NULL, NULL, false, true},
	{{"-n", "delete", "create"}, "delete", NULL, NULL, false, false},
	{{"--debug=true", "--rootless", "auto", "create", "c1"}, "create", NULL, NULL, false, true},
	{{"--cgroup-manager=cgroupfs", "create", "c1"}, "create", NULL, NULL, false, true},
	{{"--cgroup-manager", "disabled", "create", "c1"}, "create", NULL, NULL, false, true},
	{{"--criu", "create", "features"}, "features", NULL, NULL, false, false},
	{{"exec", "c1", "create", "--bundle", "/b"}, "exec", "/b", NULL, false, false},
	{{"--version"}, NULL, NULL, NULL, false, false},
	{{"--help", "create"}, "create", NULL, NULL, false, false},
	{{"-v"}, NULL, NULL, NULL, false, false},
	{{"--", "create", "c1"}, "create", NULL, NULL, false, true},
	{{"--log"}, NULL, NULL, NULL, false, false},
	{{"-"}, "-", NULL, NULL, false, false},
};

/* crun's. */
static const char *const config_words[][2] = {
	{"--config", "/c"}, {"--config=/c"},  {"-f", "/c"},   {"-f/c"},
	{"-f=/c"},          {"--conf", "/c"}, {"--confi=/c"},
};

static void command_lines_are_read_as_runc_and_crun_do(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(command_lines); i++) {
		char *argv[WORDS_MAX + 2] = {(char *)"davit-runtime"};
		struct runtime_arguments got;
		int argc = 1;

		for (; command_lines[i].words[argc - 1]; argc++)
			argv[argc] = (char *)command_lines[i].words[argc - 1];
		runtime_arguments_parse(argc, argv, &got);
		if (!string_equal(got.command, command_lines[i].command) ||
		    !string_equal(got.bundle, command_lines[i].bundle) ||
		    !string_equal(got.log, command_lines[i].log) ||
		    got.log_json != command_lines[i].log_json ||
		    runtime_arguments_make_container(&got) != command_lines[i].makes)
			fail_msg("line %zu: command %s, bundle %s, log %s", i,
				 got.command ? got.command : "-", got.bundle ? got.bundle : "-",
				 got.log ? got.log : "-");
	}
	for (size_t i = 0; i < ARRAY_SIZE(config_words); i++) {
		char *argv[] = {(char *)"davit-runtime", (char *)"create",
				(char *)config_words[i][0], (char *)config_words[i][1], NULL};
		struct runtime_arguments got;

		runtime_arguments_parse(config_words[i][1] ? 4 : 3, argv, &got);
		assert_string_equal(got.config, "/c");
		assert_null(got.bundle);
	}
	{
		char *none[] = {NULL};
		struct runtime_arguments got;

		runtime_arguments_parse(0, none, &got);
		assert_null(got.command);
	}
}

static void the_containers_name_and_debug_are_read(void **state)
{
	static const struct {
		const char *words[6], *name;
		bool debug;
	} lines[] = {
		{{"create", "-b", "/b", "c1"}, "c1", false},
		{{"--debug", "create", "c1", "-b", "/b"}, "c1", true},
		{{"--debug=false", "run", "c1"}, "c1", false},
		{{"create", "--", "-c1"}, "-c1", false},
		{{"create"}, NULL, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		char *argv[8] = {(char *)"davit-runtime"};
		struct runtime_arguments got;
		int argc = 1;

		for (; argc <= 6 && lines[i].words[argc - 1]; argc++)
			argv[argc] = (char *)lines[i].words[argc - 1];
		runtime_arguments_parse(argc, argv, &got);
		assert_true(string_equal(got.name, lines[i].name));
		assert_int_equal(got.debug, lines[i].debug);
	}
}

/* ---- the text --------------------------------------------------------------------------- */

static const struct {
	const char *text, *path, *items;
	const char *result; /* NULL: an error, which says: */
	const char *error;
} appended[] = {
	{"{}", "mounts", "1", "{\"mounts\":[1]}", NULL},
	{" { } ", "a.b.c", "1", " {\"a\":{\"b\":{\"c\":[1]}} } ", NULL},
	{"{\"a\":1}", "b", "2,3", "{\"a\":1,\"b\":[2,3]}", NULL},
	{"{\"a\":[]}", "a", "2", "{\"a\":[2]}", NULL},
	{"{\"a\":[ ]}", "a", "2", "{\"a\":[2 ]}", NULL},
	{"{\"a\":[1]}", "a", "2", "{\"a\":[1,2]}", NULL},
	{"{\n\t\"a\": [\n\t\t1\n\t]\n}\n", "a", "2", "{\n\t\"a\": [\n\t\t1,2\n\t]\n}\n", NULL},
	{"{\"a\":null}", "a", "2", "{\"a\":[2]}", NULL},
	{"{\"a\":null,\"b\":1}", "a.c", "2", "{\"a\":{\"c\":[2]},\"b\":1}", NULL},
	{"{\"a\":{\"b\":null}}", "a.b.c", "2", "{\"a\":{\"b\":{\"c\":[2]}}}", NULL},
	{"{\"a\":{}}", "a.b", "2", "{\"a\":{\"b\":[2]}}", NULL},
	{"{\"a\":[0],\"a\":[1]}", "a", "2", "{\"a\":[0],\"a\":[1,2]}", NULL},
	{"{\"b\":{\"a\":[9]},\"a\":[1]}", "a", "2", "{\"b\":{\"a\":[9]},\"a\":[1,2]}", NULL},
	{"{\"x\":\"\\\"a\\\":[]\",\"a\":[\"]\"]}", "a", "2",
	 "{\"x\":\"\\\"a\\\":[]\",\"a\":[\"]\",2]}", NULL},
	{"{\"\\u0061\":[1]}", "a", "2", "{\"\\u0061\":[1,2]}", NULL},
	{"{\"x\\\\\":[1],\"a\":[]}", "a", "2", "{\"x\\\\\":[1],\"a\":[2]}", NULL},
	{"{\"n\":18446744073709551615,\"f\":1.50e+00,\"m\":-0,\"a\":[-0.0]}", "a", "2",
	 "{\"n\":18446744073709551615,\"f\":1.50e+00,\"m\":-0,\"a\":[-0.0,2]}", NULL},
	{"{\"a\":[\"\xff\xfe\"]}", "a", "2", "{\"a\":[\"\xff\xfe\",2]}", NULL},
	{"{\"a\":{}}", "a", "2", NULL, "edit config.json: a is not an array"},
	{"{\"a\":{\"b\":\"[]\"}}", "a.b", "2", NULL, "edit config.json: a.b is not an array"},
	{"{\"a\":[]}", "a.b", "2", NULL, "edit config.json: a is not an object"},
	{"{\"a\":{\"b\":1}}", "a.b.c", "2", NULL, "edit config.json: a.b is not an object"},
	{"{\"a\":true}", "a.b.c", "2", NULL, "edit config.json: a is not an object"},
};

static void items_are_appended_and_all_else_stays(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(appended); i++) {
		AUTO_ARENA arena = {0};
		struct document document =
			DOCUMENT_INIT(&arena, appended[i].text, strlen(appended[i].text));
		struct error err = {0};
		int r = document_append(&document, appended[i].path, appended[i].items, &err);

		if (!appended[i].result) {
			assert_int_equal(r, -EINVAL);
			assert_int_equal(err.code, ERROR_BAD_BUNDLE);
			assert_string_equal(err.message, appended[i].error);
			continue;
		}
		assert_int_equal(r, 0);
		assert_int_equal(document_write(&document, &err), 0);
		assert_string_equal(document.text, appended[i].result);
		assert_int_equal(document.length, strlen(document.text));
	}
}

static const struct {
	const char *text; /* items that go begin with x */
	const char *result;
	const char *appended; /* the same with one item more; NULL: not tried */
} removed[] = {
	{"{\"a\":[\"x\"]}", "{\"a\":[]}", "{\"a\":[9]}"},
	{"{\"a\":[ \"x\" ]}", "{\"a\":[  ]}", "{\"a\":[ 9 ]}"},
	{"{\"a\":[\"x\",2,3]}", "{\"a\":[2,3]}", "{\"a\":[2,3,9]}"},
	{"{\"a\":[1 , \"x\" ,3]}", "{\"a\":[1 , 3]}", "{\"a\":[1 , 3,9]}"},
	{"{\"a\":[1,\n \"x\"]}", "{\"a\":[1]}", "{\"a\":[1,9]}"},
	{"{\"a\":[1 , \"x\" ]}", "{\"a\":[1  ]}", "{\"a\":[1 ,9 ]}"},
	{"{\"a\":[\"x1\", \"x2\" ,\"x3\" ]}", "{\"a\":[ ]}", "{\"a\":[9 ]}"},
	{"{\"a\":[1, \"x1\" , \"x2\" ]}", "{\"a\":[1 ]}", "{\"a\":[1,9 ]}"},
	{"{\"a\":[\"x1\", 1 , \"x2\",2,\"x3\",\"x4\",3]}", "{\"a\":[1 , 2,3]}",
	 "{\"a\":[1 , 2,3,9]}"},
	{"{\"a\":[\"\\u0078\",\"\\\"x\",\"\"]}", "{\"a\":[\"\\\"x\",\"\"]}", NULL},
	{"{\"a\":[1]}", "{\"a\":[1]}", "{\"a\":[1,9]}"},
	{"{\"a\":{\"x\":1}}", "{\"a\":{\"x\":1}}", NULL},
	{"{\"a\":null}", "{\"a\":null}", "{\"a\":[9]}"},
	{"{}", "{}", "{\"a\":[9]}"},
};

static bool begins_with_x(const struct document *document, struct document_value item)
{
	AUTO_JSON *owner = NULL;
	struct slice text;

	return document_string(document, item, &owner, &text) && slice_starts(text, "x");
}

static void items_are_removed_with_their_commas(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(removed); i++) {
		const char *text = removed[i / 2].text;
		const char *result = i % 2 ? removed[i / 2].appended : removed[i / 2].result;
		AUTO_ARENA arena = {0};
		struct document document = DOCUMENT_INIT(&arena, text, strlen(text));
		struct error err = {0};
		AUTO_JSON *parsed = NULL;

		if (!result)
			continue;
		assert_int_equal(document_remove_items(&document, "a", begins_with_x, &err), 0);
		if (i % 2)
			assert_int_equal(document_append(&document, "a", "9", &err), 0);
		assert_int_equal(document_write(&document, &err), 0);
		assert_int_equal(json_parse(document.text, document.length, ERROR_BAD_BUNDLE, "it",
					    &parsed, &err),
				 0);
		assert_string_equal(document.text, result);
	}
}

/* Of several changes each is where it belongs, in whatever order they were asked for. */
static void changes_are_written_once(void **state)
{
	AUTO_ARENA arena = {0};
	static const char text[] =
		"{\"z\":[1],\"e\":[\"p\",\"q\"],\"o\":{\"n\":null} ,\"h\":[\"x\",2]}";
	struct document document = DOCUMENT_INIT(&arena, text, sizeof(text) - 1);
	struct document_value array, item;
	struct error err = {0};
	size_t at;

	(void)state;
	assert_int_equal(document_append(&document, "new.one", "1", &err), 0);
	assert_int_equal(document_remove_items(&document, "h", begins_with_x, &err), 0);
	assert_int_equal(document_append(&document, "o.n.deep", "{}", &err), 0);
	assert_int_equal(document_find(&document, "e", &array, &err), 0);
	for (at = array.start; document_next_item(&document, array, &at, &item);)
		assert_int_equal(document_replace(&document, item, "\"r\"", &err), 0);
	assert_int_equal(document_append(&document, "new.two.three", "2", &err), 0);
	assert_int_equal(document_append(&document, "z", "2", &err), 0);
	assert_int_equal(document_append(&document, "o.m", "5", &err), 0);
	assert_int_equal(document_append(&document, "new.one", "2", &err), 0);
	assert_int_equal(document_append(&document, "z", "3", &err), 0);
	assert_string_equal(document.text, text);
	assert_int_equal(document_write(&document, &err), 0);
	assert_string_equal(
		document.text,
		"{\"z\":[1,2,3],\"e\":[\"r\",\"r\"],\"o\":{\"n\":{\"deep\":[{}]},\"m\":[5]} ,"
		"\"h\":[2],\"new\":{\"one\":[1,2],\"two\":{\"three\":[2]}}}");
	assert_int_equal(document.length, strlen(document.text));
}

/* ---- config.json ------------------------------------------------------------------------ */

#define HOOK "{\"path\":\"/h\",\"args\":[\"davit-hook\",\"createContainer\"]}"
#define POSTSTOP "{\"path\":\"/h\",\"args\":[\"davit-hook\",\"poststop\"]}"
#define HOOKS "\"hooks\":{\"createContainer\":[" HOOK "],\"poststop\":[" POSTSTOP "]}"
static const char *void_entries[] = {"NVIDIA_VISIBLE_DEVICES=void"};
#define NVIDIA_VOID                \
	{                          \
		void_entries, 1, 1 \
	}
#define VOID_ENV "\"NVIDIA_VISIBLE_DEVICES=void\""

static size_t memory_in_use(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

static struct spec_device device = {.path = "/dev/nvidia0", .major = 195, .mode = 0666};
static struct spec_mount bind = {"/host/lib", "/lib", MOUNT_FLAG_RDONLY | MOUNT_FLAG_NOSUID};

static const struct {
	const char *name, *text;
	bool device, rule, mount;
	const char *result;
} edited[] = {
	{"an empty one", "{}", true, true, true,
	 "{\"linux\":{\"devices\":[{\"path\":\"/dev/nvidia0\",\"type\":\"c\",\"major\":195,"
	 "\"minor\":0,\"fileMode\":438,\"uid\":0,\"gid\":0}],\"resources\":{\"devices\":["
	 "{\"allow\":true,\"type\":\"c\",\"major\":195,\"minor\":0,\"access\":\"rw\"}]}},"
	 "\"mounts\":[{\"destination\":\"/lib\",\"type\":\"bind\",\"source\":\"/host/lib\","
	 "\"options\":[\"bind\",\"ro\",\"nosuid\",\"rprivate\"]}],\"process\":{\"env\":[" VOID_ENV
	 "]}," HOOKS "}"},
	{"the engine's own device of that path",
	 "{\"linux\":{\"devices\":[{\"path\":\"/dev/nvidia0\"}]},\"process\":{\"env\":[]}}", true,
	 false, false,
	 "{\"linux\":{\"devices\":[{\"path\":\"/dev/nvidia0\"}]},\"process\":{\"env\":[" VOID_ENV
	 "]}," HOOKS "}"},
	{"variables, repeated and escaped",
	 "{\"process\":{\"env\":[\"A=1\",\"NVIDIA_VISIBLE_DEVICES=0\",\"B=\\\"\","
	 "\"NVIDIA_VISIBLE_\\u0044EVICES=all\",\"NVIDIA_VISIBLE_DEVICES2=x\"]}}",
	 false, false, false,
	 "{\"process\":{\"env\":[\"A=1\"," VOID_ENV ",\"B=\\\"\"," VOID_ENV
	 ",\"NVIDIA_VISIBLE_DEVICES2=x\"]}," HOOKS "}"},
	{"engines' hooks",
	 "{\"process\":{\"env\":[" VOID_ENV
	 "]},\"hooks\":{\"prestart\":[{\"path\":\"/x/davit-hook\"},"
	 "{\"path\":\"/bin/true\"},{\"path\":\"/y\",\"args\":[\"nvidia-container-toolkit\"]}],"
	 "\"createRuntime\":[{\"path\":\"/usr/bin/nvidia-container-runtime-hook\"}],"
	 "\"poststop\":[{\"path\":\"/x/davit-hook\"}]}}",
	 false, false, false,
	 "{\"process\":{\"env\":[" VOID_ENV "]},\"hooks\":{\"prestart\":[{\"path\":\"/bin/true\"}],"
	 "\"createRuntime\":[],\"poststop\":[{\"path\":\"/x/davit-hook\"}],\"createContainer\":[" HOOK
	 "]}}"},
	{"hooks that are null", "{\"process\":{\"env\":[" VOID_ENV "]},\"hooks\":null}", false,
	 false, false, "{\"process\":{\"env\":[" VOID_ENV "]}," HOOKS "}"},
};

static void a_plan_becomes_config_json(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(edited); i++) {
		AUTO_ARENA arena = {0};
		struct document document =
			DOCUMENT_INIT(&arena, edited[i].text, strlen(edited[i].text));
		struct spec_edits edits = {
			.variables = NVIDIA_VOID,
			.devices = {&device, edited[i].device, 1},
			.rules = {&device, edited[i].rule, 1},
			.mounts = {&bind, edited[i].mount, 1},
			.hook = "/h",
			.poststop = true,
		};
		struct error err = {0};

		assert_int_equal(spec_edit(&document, &edits, &err), 0);
		assert_string_equal(document.text, edited[i].result);
	}
}

static const struct {
	unsigned mode, gid;
	const char *gids, *result;
} groups[] = {
	{0666, 44, NULL, NULL},
	{0660, 0, NULL, NULL},
	{0660, 65534, NULL, NULL},
	{0640, 44, NULL, NULL},
	{0660, 44, NULL, "[44]"},
	{0660, 44, "[ 1, 44 ]", "[ 1, 44 ]"},
	{0664, 44, "[4, 440]", "[4, 440,44]"},
};

static void a_node_of_a_group_brings_the_group(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		AUTO_ARENA arena = {0};
		const char *text =
			groups[i].gids
				? arena_printf(&arena,
					       "{\"process\":{\"user\":{\"additionalGids\":%s}}}",
					       groups[i].gids)
				: "{\"process\":{\"user\":{}}}";
		struct spec_device node = {.path = "/dev/x",
					   .major = 1,
					   .minor = 2,
					   .mode = groups[i].mode,
					   .gid = groups[i].gid};
		struct document document = DOCUMENT_INIT(&arena, text, strlen(text));
		struct spec_edits edits = {.variables = NVIDIA_VOID,
					   .devices = {&node, 1, 1},
					   .hook = "/h",
					   .poststop = true};
		struct document_value value;
		struct error err = {0};

		assert_int_equal(spec_edit(&document, &edits, &err), 0);
		assert_int_equal(
			document_find(&document, "process.user.additionalGids", &value, &err), 0);
		assert_int_equal(value.end - value.start,
				 groups[i].result ? strlen(groups[i].result) : 0);
		if (groups[i].result)
			assert_memory_equal(document.text + value.start, groups[i].result,
					    strlen(groups[i].result));
	}
}

#define SPEC_HOOK "{\"path\":\"/p\",\"args\":[\"p\",\"one\"],\"env\":[\"A=\\\"\"]}"

static void edits_of_cdi_specs_are_made_once(void **state)
{
	static const struct {
		const char *text, *result;
	} rows[] = {
		{"{}",
		 "{\"process\":{\"env\":[\"B=\\\"c\\\"\"],\"user\":{\"additionalGids\":[44,5]}},"
		 "\"hooks\":{\"createRuntime\":[" SPEC_HOOK "],\"createContainer\":[" HOOK
		 "," SPEC_HOOK "]}}"},
		/* What the engine has applied; a hook that only looks like it. */
		{"{\"process\":{\"env\":[\"B=old\"],\"user\":{\"additionalGids\":[5]}},\"hooks\":{\"createContainer\":["
		 "{\"args\":[\"p\",\"\\u006fne\"],\"path\":\"/p\"}],"
		 "\"createRuntime\":[{\"path\":\"/p\",\"args\":[\"p\",\"one\",\"two\"]},{\"path\":\"/p\"}]}}",
		 "{\"process\":{\"env\":[\"B=\\\"c\\\"\"],\"user\":{\"additionalGids\":[5,44]}},\"hooks\":{\"createContainer\":["
		 "{\"args\":[\"p\",\"\\u006fne\"],\"path\":\"/p\"}," HOOK "],"
		 "\"createRuntime\":[{\"path\":\"/p\",\"args\":[\"p\",\"one\",\"two\"]},{\"path\":\"/p\"}," SPEC_HOOK
		 "]}}"},
	};
	const char *arguments[] = {"p", "one"}, *gids[] = {"44", "5"}, *env[] = {"B=\"c\""};
	struct cdi_edit_hook hooks[] = {
		{"createContainer", "/p", {arguments, 2, 2}, SPEC_HOOK, NULL},
		{"createRuntime", "/p", {arguments, 2, 2}, SPEC_HOOK, NULL},
	};
	struct cdi_edits cdi = {.hooks = {hooks, 2, 2}, .groups = {gids, 2, 2}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_ARENA arena = {0};
		struct document document =
			DOCUMENT_INIT(&arena, rows[i].text, strlen(rows[i].text));
		struct spec_edits edits = {.variables = {env, 1, 1}, .cdi = &cdi, .hook = "/h"};
		struct error err = {0};

		assert_int_equal(spec_edit(&document, &edits, &err), 0);
		assert_string_equal(document.text, rows[i].result);
	}
}

static void members_of_objects_are_set(void **state)
{
	static const struct {
		const char *text, *result;
	} rows[] = {
		{"{}",
		 "{\"linux\":{\"intelRdt\":{\"closID\":\"a\"},\"netDevices\":{\"eth0.5\":{}}}}"},
		{"{\"linux\":null}",
		 "{\"linux\":{\"intelRdt\":{\"closID\":\"a\"},\"netDevices\":{\"eth0.5\":{}}}}"},
		{"{\"linux\":{\"a\":1}}",
		 "{\"linux\":{\"a\":1,\"intelRdt\":{\"closID\":\"a\"},\"netDevices\":{\"eth0.5\":{}}}}"},
		{"{\"linux\":{\"intelRdt\":null,\"netDevices\":{\"eth0.5\":{\"name\":\"x\"},\"e\":{}}}}",
		 "{\"linux\":{\"intelRdt\":{\"closID\":\"a\"},\"netDevices\":{\"eth0.5\":{},\"e\":{}}}}"},
		{"{\"linux\":[]}", "edit config.json: linux is not an object"},
		{"{\"linux\":{\"netDevices\":3}}",
		 "edit config.json: linux.netDevices is not an object"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_ARENA arena = {0};
		struct document document =
			DOCUMENT_INIT(&arena, rows[i].text, strlen(rows[i].text));
		struct error err = {0};
		int r = document_set(&document, "linux", "intelRdt", "{\"closID\":\"a\"}", &err);

		if (r == 0)
			r = document_set(&document, "linux.netDevices", "eth0.5", "{}", &err);
		if (r == 0)
			r = document_write(&document, &err);
		assert_string_equal(r < 0 ? err.message : document.text, rows[i].result);
	}
}

static void edits_that_runtimes_alone_make(void **state)
{
	static const char text[] = "{\"process\":{\"env\":[" VOID_ENV "]}}";
	static const char result[] =
		"{\"process\":{\"env\":[" VOID_ENV "]},"
		"\"linux\":{\"devices\":[{\"path\":\"/dev/b\",\"type\":\"b\",\"major\":8,\"minor\":1,"
		"\"uid\":5,\"gid\":0},{\"path\":\"/dev/f\",\"type\":\"p\",\"fileMode\":384,\"uid\":0,\"gid\":0}],"
		"\"resources\":{\"devices\":[{\"allow\":true,\"type\":\"b\",\"major\":8,\"minor\":1,\"access\":\"r\"}]},"
		"\"netDevices\":{\"eth5\":{\"name\":\"net\"}},\"intelRdt\":{\"closID\":\"c\"}},"
		"\"mounts\":[{\"destination\":\"/t\"}],\"hooks\":{\"createContainer\":[" HOOK "]}}";
	struct spec_device devices[] = {
		{.path = "/dev/b", .major = 8, .minor = 1, .type = 'b', .no_mode = true, .uid = 5},
		{.path = "/dev/f", .type = 'p', .mode = 0600},
	};
	struct spec_device rule = {.major = 8, .minor = 1, .type = 'b', .access = ACCESS_READ};
	struct cdi_net_device net = {"eth5", "net"};
	const char *given[] = {"{\"destination\":\"/t\"}"};
	const struct cdi_edits cdi = {.net_devices = {&net, 1, 1},
				      .intel_rdt = "{\"closID\":\"c\"}"};
	const struct spec_edits edits = {.devices = {devices, 2, 2},
					 .rules = {&rule, 1, 1},
					 .given_mounts = {given, 1, 1},
					 .cdi = &cdi,
					 .hook = "/h"};
	AUTO_ARENA arena = {0};
	struct document document = DOCUMENT_INIT(&arena, text, strlen(text));
	struct error err = {0};

	(void)state;
	assert_int_equal(spec_edit(&document, &edits, &err), 0);
	assert_string_equal(document.text, result);
}

static void features_are_read(void **state)
{
	static const char text[] =
		"{\"linux\":{\"netDevices\":{\"enabled\":true},\"intelRdt\":{\"enabled\":false,\"a\":1}}}";

	(void)state;
	assert_true(runtime_features_have(text, strlen(text), "linux.netDevices.enabled"));
	assert_false(runtime_features_have(text, strlen(text), "linux.intelRdt.enabled"));
	assert_false(runtime_features_have(text, strlen(text), "linux.intelRdt.schemata"));
	assert_false(runtime_features_have(text, strlen(text), "linux.intelRdt.a.b"));
	assert_false(runtime_features_have("runc: unknown", 13, "linux.netDevices.enabled"));
}

static void mode_hook_adds_one_hook(void **state)
{
	static const char one[] = "{\"hooks\":{\"prestart\":[{\"path\":\"/h\",\"args\":"
				  "[\"davit-hook\",\"-record\",\"-runtime\",\"prestart\"]}],"
				  "\"poststop\":[" POSTSTOP "]}}";
	AUTO_ARENA arena = {0};
	struct document document = DOCUMENT_INIT(&arena, "{}", 2);
	struct error err = {0};

	(void)state;
	assert_int_equal(spec_add_hook(&document, "/h", true, &err), 0);
	assert_string_equal(document.text, one);
	/* What was written is read like any other text. */
	assert_int_equal(spec_add_hook(&document, "/h", true, &err), 0);
	assert_string_equal(document.text, one);
}

/* dockerd's for --gpus writes down nothing for poststop. The name stays, for messages to say
 * --gpus. */
static void mode_hook_takes_the_place_of_the_engines(void **state)
{
	static const char text[] =
		"{\"hooks\":{\"prestart\":[{\"path\":\"/usr/bin/nvidia-container-runtime-hook\","
		"\"args\":[\"nvidia-container-runtime-hook\",\"prestart\"]},{\"path\":\"/net\"}],"
		"\"createRuntime\":[{\"path\":\"/x/davit-hook\",\"args\":[\"davit-hook\"]}]}}";
	AUTO_ARENA arena = {0};
	struct document document = DOCUMENT_INIT(&arena, text, strlen(text));
	struct error err = {0};

	(void)state;
	assert_int_equal(spec_add_hook(&document, "/h", true, &err), 0);
	assert_string_equal(
		document.text,
		"{\"hooks\":{\"prestart\":[{\"path\":\"/net\"},{\"path\":\"/h\",\"args\":"
		"[\"nvidia-container-runtime-hook\",\"-record\",\"-runtime\",\"prestart\"]}],"
		"\"createRuntime\":[],\"poststop\":[" POSTSTOP "]}}");
}

/* What an image or its engine may have many of: memory by the text's length, not by its square. */
static void long_texts_take_memory_by_their_length(void **state)
{
	static const struct {
		const char *head, *item, *tail;
	} texts[] = {
		{"{\"process\":{\"env\":[", "\"NVIDIA_VISIBLE_DEVICES=all\"", "]}}"},
		{"{\"process\":{\"env\":[", "\"NVIDIA_VISIBLE_DEVICES\\u003d\"", "]}}"},
		{"{\"process\":{\"user\":{\"additionalGids\":[", "7", "]}}}"},
		{"{\"linux\":{\"devices\":[", "{\"path\":\"/dev/nvidia1\"}", "]}}"},
		{"{\"linux\":{\"resources\":{\"devices\":[", "{\"allow\":false}", "]}}}"},
		{"{\"mounts\":[", "{\"destination\":\"/x\"}", "]}"},
		{"{\"hooks\":{\"prestart\":[", "{\"path\":\"/x/davit-hook\"}", "]}}"},
		{"{\"hooks\":{\"poststop\":[", "{\"path\":\"/x\"}", "]}}"},
		{"{\"linux\":[", "{\"linux\":{}}", "],\"linux\":{}}"},
	};
	const size_t count = 50000;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		AUTO_ARENA arena = {0};
		size_t length = strlen(texts[i].item) + 1, head = strlen(texts[i].head), before;
		char *text = arena_alloc(&arena, head + count * length + strlen(texts[i].tail) + 1);
		struct document document = DOCUMENT_INIT(&arena, text, 0);
		struct spec_device group = {
			.path = "/dev/x", .major = 1, .minor = 2, .mode = 0660, .gid = 44};
		struct spec_edits edits = {.variables = NVIDIA_VOID,
					   .devices = {&group, 1, 1},
					   .rules = {&group, 1, 1},
					   .hook = "/h",
					   .poststop = true};
		struct error err = {0};
		AUTO_JSON *parsed = NULL;

		memcpy(text, texts[i].head, head);
		for (size_t n = 0; n < count; n++) {
			memcpy(text + head + n * length, texts[i].item, length - 1);
			text[head + (n + 1) * length - 1] = ',';
		}
		memcpy(text + head + count * length - 1, texts[i].tail, strlen(texts[i].tail) + 1);
		document.length = strlen(text);
		before = memory_in_use();
		assert_int_equal(spec_edit(&document, &edits, &err), 0);
		if (memory_in_use() - before > 5 * document.length + 200000)
			fail_msg("text %zu of %zu bytes takes %zu more", i, document.length,
				 memory_in_use() - before);
		assert_int_equal(json_parse(document.text, document.length, ERROR_BAD_BUNDLE, "it",
					    &parsed, &err),
				 0);
	}
}

/* Text that json-c refuses never comes here; still nothing of it may lead astray. */
/*
 * The edit finds members by itself. Wherever it goes down, a name that another reader of the text
 * could find elsewhere has been refused before: the text is parsed first.
 */
static void no_text_is_edited_that_can_be_read_otherwise(void **state)
{
	static const char *const objects[][2] = {
		{"", "process,linux,mounts,hooks"},
		{"process", "env,user"},
		{"process.user", "additionalGids"},
		{"linux", "devices,resources"},
		{"linux.resources", "devices"},
		{"hooks", "prestart,createRuntime,createContainer,poststop"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
		struct slice names = slice_from(objects[i][1]), name;

		while (slice_next(&names, ',', &name)) {
			const int length = (int)name.length;
			AUTO_ARENA arena = {0};
			const char *const again[] = {
				arena_printf(&arena, "%.*s", length, name.data),
				arena_printf(&arena, "\\u%04x%.*s", name.data[0], length - 1,
					     name.data + 1),
				arena_printf(&arena, "%c%.*s", name.data[0] - 0x20, length - 1,
					     name.data + 1),
				arena_printf(&arena, "\\u%04x%.*s", name.data[0] - 0x20, length - 1,
					     name.data + 1),
			};

			for (size_t j = 0; j < ARRAY_SIZE(again); j++) {
				struct slice path = slice_from(objects[i][0]), part;
				char *text = arena_printf(&arena, "\"%.*s\":null,\"%s\":null",
							  length, name.data, again[j]);
				struct strings parts = {0};
				struct error err = {0};
				struct oci_spec spec;

				while (slice_next(&path, '.', &part))
					if (part.length)
						assert_int_equal(
							strings_add(&arena, &parts,
								    arena_strndup(&arena, part.data,
										  part.length)),
							0);
				for (size_t k = parts.count; k > 0; k--)
					text = arena_printf(&arena, "\"%s\":{%s}",
							    parts.items[k - 1], text);
				text = arena_printf(&arena, "{\"root\":{\"path\":\"/r\"},%s}",
						    text);
				if (oci_spec_parse(text, strlen(text), &arena, &spec, &err) == 0)
					fail_msg("read: %s", text);
				assert_int_equal(err.code, ERROR_BAD_BUNDLE);
			}
		}
	}
}

static void broken_text_ends_in_an_error_or_a_change(void **state)
{
	static const char text[] = "{\"process\":{\"env\":[\"NVIDIA_VISIBLE_DEVICES=0\"],\"user\":"
				   "{\"additionalGids\":[1]}},\"linux\":{\"devices\":[{\"path\":"
				   "\"/dev/x\"}],\"resources\":{\"devices\":[]}},\"mounts\":[],"
				   "\"hooks\":{\"prestart\":[{\"path\":\"davit-hook\"}]}}";
	static const char bytes[] = "\"\\{}[],:nx ";

	(void)state;
	for (size_t at = 1; at < sizeof(text) - 1; at++)
		for (size_t i = 0; i < sizeof(bytes) - 1; i++) {
			AUTO_ARENA arena = {0};
			char *copy = arena_strdup(&arena, text);
			struct document document = DOCUMENT_INIT(&arena, copy, sizeof(text) - 1);
			struct spec_edits edits = {
				.variables = NVIDIA_VOID,
				.devices = {&device, 1, 1},
				.rules = {&device, 1, 1},
				.mounts = {&bind, 1, 1},
				.hook = "/h",
				.poststop = true,
			};
			AUTO_JSON *parsed = NULL;
			struct error err = {0};
			bool valid;

			copy[at] = bytes[i];
			valid = json_parse(copy, document.length, ERROR_BAD_BUNDLE, "it", &parsed,
					   &err) == 0;
			if (!valid)
				continue;
			if (spec_edit(&document, &edits, &err) < 0) {
				assert_int_equal(err.code, ERROR_BAD_BUNDLE);
				continue;
			}
			(void)json_object_put(parsed);
			parsed = NULL;
			assert_int_equal(json_parse(document.text, document.length,
						    ERROR_BAD_BUNDLE, "it", &parsed, &err),
					 0);
		}
}

/* ---- the plan's file -------------------------------------------------------------------- */

static struct operation written_operations[] = {
	{.kind = OPERATION_SYMLINK,
	 .tree = TREE_DRIVER_ROOT,
	 .source = "/lib/a",
	 .source_fd = 7,
	 .target = "/lib/b",
	 .text = "a\n\"\\",
	 .flags = 7,
	 .required = true},
	{.kind = OPERATION_BIND,
	 .tree = TREE_RUN,
	 .source = "/s",
	 .target = "/run/s",
	 .flags = MOUNT_FLAG_NOFOLLOW,
	 .owner_root = true},
	{.kind = OPERATION_LOADER_CACHE, .target = "/etc/ld.so.cache", .required = true},
};
static struct loader_entry written_entries[] = {{.flags = 0x303,
						 .name = "liba.so.1",
						 .path = "/lib/liba.so.1",
						 .os_version = 5,
						 .hwcap = UINT64_MAX,
						 .hwcaps = "x86-64-v3"}};
static const char *written_buses[] = {"0000:00:06.0"};
static struct oci_mount written_mounts[] = {
	{"/a \"b\"", "/srv", "", true, true},
	{"/run", "tmpfs", "tmpfs", false, false},
};
static const struct plan written_plan = {
	.items = written_operations,
	.count = 3,
	.mounts = {written_mounts, 2, 2},
	.root_readonly = true,
	.libraries = {written_entries, 1, 1},
	.proc_mask = {.version = "v", .params = "p\n", .bus_ids = {written_buses, 1, 1}}};

static void a_plan_survives_as_text(void **state)
{
	AUTO_ARENA arena = {0};
	const char *text = plan_write(&written_plan, "/root", &arena), *rootfs;
	struct plan got;
	struct error err = {0};

	(void)state;
	assert_non_null(text);
	assert_int_equal(plan_read(text, strlen(text), &arena, &got, &rootfs, &err), 0);
	assert_string_equal(rootfs, "/root");
	assert_int_equal(got.count, 3);
	assert_int_equal(got.items[0].kind, OPERATION_SYMLINK);
	assert_int_equal(got.items[0].source_fd, -1);
	assert_string_equal(got.items[0].text, "a\n\"\\");
	assert_true(got.items[0].required);
	assert_false(got.items[1].required);
	assert_true(got.items[1].owner_root);
	assert_int_equal(got.items[1].tree, TREE_RUN);
	assert_int_equal(got.items[1].flags, MOUNT_FLAG_NOFOLLOW);
	assert_int_equal(got.libraries.items[0].hwcap, UINT64_MAX);
	assert_string_equal(got.libraries.items[0].hwcaps, "x86-64-v3");
	assert_string_equal(got.proc_mask.params, "p\n");
	assert_null(got.proc_mask.registry);
	assert_string_equal(got.proc_mask.bus_ids.items[0], "0000:00:06.0");
	assert_int_equal(got.mounts.count, 2);
	assert_string_equal(got.mounts.items[0].destination, "/a \"b\"");
	assert_string_equal(got.mounts.items[0].source, "/srv");
	assert_string_equal(got.mounts.items[1].type, "tmpfs");
	assert_true(got.mounts.items[0].bind && got.mounts.items[0].read_only);
	assert_false(got.mounts.items[1].bind || got.mounts.items[1].read_only);
	assert_true(got.root_readonly);
	assert_false(got.shared_propagation);
}

static void a_file_that_is_no_plan_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"[]",
		"{}",
		"{\"version\":2,\"rootfs\":\"/r\"}",
		"{\"version\":1,\"rootfs\":1}",
		"{\"version\":1,\"rootfs\":\"/r\",\"operations\":[1]}",
		"{\"version\":1,\"rootfs\":\"/r\",\"operations\":[{\"op\":\"x\",\"target\":\"/\"}]}",
		"{\"version\":1,\"rootfs\":\"/r\",\"operations\":[{\"op\":\"bind\",\"target\":\"/\"}]}",
		"{\"version\":1,\"rootfs\":\"/r\",\"operations\":[{\"op\":\"bind\",\"target\":\"/\",\"source\":\"/\",\"tree\":9}]}",
		"{\"version\":1,\"rootfs\":\"/r\",\"libraries\":[{}]}",
		"{\"version\":1,\"rootfs\":\"/r\",\"mounts\":[1]}",
		"{\"version\":1,\"rootfs\":\"/r\",\"mounts\":{}}",
		"{\"version\":1,\"rootfs\":\"/r\",\"mounts\":[{\"destination\":\"/x\",\"source\":\"/y\"}]}",
		"{\"version\":1,\"rootfs\":\"/r\",\"mounts\":[{\"destination\":\"/x\",\"source\":\"/y\",\"type\":\"\",\"bind\":true}]}",
		"{\"version\":1,\"rootfs\":\"/r\",\"proc_mask\":{\"bus_ids\":[1]}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		AUTO_ARENA arena = {0};
		const char *rootfs;
		struct plan got;
		struct error err = {0};

		assert_int_equal(plan_read(texts[i], strlen(texts[i]), &arena, &got, &rootfs, &err),
				 -EINVAL);
		assert_int_equal(err.code, ERROR_BAD_BUNDLE);
	}
}

/* ---- files ------------------------------------------------------------------------------ */

static char folder[] = "/tmp/davit-test-runtime.XXXXXX";

static const char *put(struct arena *arena, const char *name, mode_t mode)
{
	const char *path = arena_printf(arena, "%s/%s", folder, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(write(fd, "old", 3), 3);
	assert_int_equal(close(fd), 0);
	return path;
}

static void the_first_other_program_is_the_runtime(void **state)
{
	AUTO_ARENA arena = {0};
	const char *self_path = put(&arena, "self", 0755), *other = put(&arena, "other", 0755);
	/* The working directory has the same names. */
	const char *path = arena_printf(&arena, "::.:/nonexistent:%s", folder);
	AUTO_FD self = open(self_path, O_PATH | O_CLOEXEC);
	const struct {
		const char *names[4];
		const char *found;
	} cases[] = {
		{{"absent", "other"}, other},
		{{"self", "other"}, other},
		{{"self-link", "other"}, other},
		{{"plain", "directory", "other"}, other},
		{{"./other", "absent"}, NULL},
		{{other}, other},
		{{self_path}, NULL},
		{{"absent"}, NULL},
	};

	(void)state;
	assert_int_equal(chdir(folder), 0);
	(void)put(&arena, "plain", 0644);
	assert_int_equal(mkdir(arena_printf(&arena, "%s/directory", folder), 0755), 0);
	assert_int_equal(symlink("self", arena_printf(&arena, "%s/self-link", folder)), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct strings names = {0};
		const char *found = NULL;
		struct error err = {0};
		int r;

		for (size_t j = 0; cases[i].names[j]; j++)
			assert_int_equal(strings_add(&arena, &names, cases[i].names[j]), 0);
		r = runtime_find(&names, path, self, &arena, &found, &err);
		if (r != (cases[i].found ? 0 : -ENOENT) || !string_equal(found, cases[i].found))
			fail_msg("case %zu", i);
	}
}

/* In PATH, a file that others can exchange isn't the engine's runtime. */
static void what_others_can_exchange_is_skipped_in_path(void **state)
{
	static const struct {
		const char *made, *path, *found; /* below the folder */
	} cases[] = {
		{"mkdir good && cp other good/low", "/good", "/good/low"},
		{"mkdir open && cp other open/low && chmod 0777 open", "/open", NULL},
		{"mkdir group && cp other group/low && chmod 2775 group", "/group", NULL},
		{"mkdir written && cp other written/low && chmod 0775 written/low", "/written",
		 NULL},
		{"mkdir bob && cp other bob/low && chown 1000 bob", "/bob", NULL},
		{"mkdir bobs && cp other bobs/low && chown 1000 bobs/low", "/bobs", NULL},
		{"mkdir bob/bin && cp other bob/bin/low", "/bob/bin", NULL},
		{"mkdir sticky sticky/bin && cp other sticky/bin/low && chmod 1777 sticky",
		 "/sticky/bin", "/sticky/bin/low"},
		{"mkdir links && ln -s ../bob/bin/low links/low", "/links", NULL},
		{"ln -sf ../good/low links/low", "/links", "/good/low"},
		{"ln -s ../links bob/links", "/bob/links", NULL},
		{"ln -s links link", "/link", "/good/low"},
		{"ln -s ../good/low bob/low; chown -h 1000 bob/low", "/bob", NULL},
		{"mkdir bobs-link && ln -s ../good/low bobs-link/low && chown -h 1000 bobs-link/low",
		 "/bobs-link", NULL},
		{"ln -s good bobs-directory && chown -h 1000 bobs-directory", "/bobs-directory",
		 NULL},
	};
	AUTO_ARENA arena = {0};
	char *names[] = {(char[]){"low"}};
	struct strings candidates = {.items = (const char **)names, .count = 1};

	(void)state;
	if (geteuid() != 0)
		skip();
	(void)put(&arena, "other", 0755);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *found = NULL;
		const char *path = arena_printf(&arena, "%s%s", folder, cases[i].path);
		struct error err = {0};
		int r;

		assert_int_equal(system(arena_printf(&arena, "cd %s && %s", folder, cases[i].made)),
				 0);
		r = runtime_find(&candidates, path, -1, &arena, &found, &err);
		if (r != (cases[i].found ? 0 : -ENOENT) ||
		    !string_equal(found, cases[i].found ? arena_printf(&arena, "%s%s", folder,
								       cases[i].found)
							: NULL))
			fail_msg("%s: %d %s", cases[i].made, r, found ? found : "none");
	}
}

/* A script's interpreter has to open what is started by descriptor. */
static void a_script_is_asked_for_its_features(void **state)
{
	static const char *const answers[] = {
		"#!/bin/sh\necho '{\"linux\":{\"netDevices\":{\"enabled\":true}}}'\n",
		"#!/bin/sh\necho '{\"linux\":{\"netDevices\":{\"enabled\":false}}}'\n",
		"#!/bin/sh\necho '{\"linux\":{\"netDevices\":{\"enabled\":true}}}'; exit 1\n",
		"#!/nonexistent\n",
	};
	struct cdi_net_device moved = {.host = "eth9", .name = "net0"};
	struct cdi_edits edits = {.net_devices = {.items = &moved, .count = 1}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		AUTO_ARENA arena = {0};
		struct error err = {0};
		const char *path = put(&arena, "script", 0755);
		int fd = open(path, O_WRONLY | O_TRUNC);

		assert_int_equal(file_write(fd, answers[i], strlen(answers[i])), 0);
		assert_int_equal(close(fd), 0);
		assert_int_equal(runtime_check_features(path, &edits, &arena, &err),
				 i == 0 ? 0 : -EINVAL);
	}
}

/* Whoever can change the low-level runtime is root with it. */
static void a_runtime_that_others_can_change_is_refused(void **state)
{
	static const struct {
		mode_t file, directory;
		uid_t file_owner, directory_owner;
		const char *says; /* NULL: it is taken */
	} cases[] = {
		{0755, 0755, 0, 0, NULL},
		{0555, 0700, 0, 0, NULL},
		{0775, 0755, 0, 0, "others than its owner can write %s/trusted/runc"},
		{0757, 0755, 0, 0, "others than its owner can write %s/trusted/runc"},
		{0755, 0755, 1234, 0, "%s/trusted/runc does not belong to root"},
		{0755, 0775, 0, 0, "others than its owner can write %s/trusted"},
		{0755, 01777, 0, 0, "others than its owner can write %s/trusted"},
		{0755, 0755, 0, 1234, "%s/trusted does not belong to root"},
	};
	AUTO_ARENA arena = {0};
	const char *directory = arena_printf(&arena, "%s/trusted", folder);
	const char *file = arena_printf(&arena, "%s/runc", directory), *other;
	const char *link = arena_printf(&arena, "%s/link-to-runc", folder);

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdir(directory, 0755), 0);
	(void)put(&arena, "trusted/runc", 0755);
	other = put(&arena, "later", 0755);
	assert_int_equal(symlink(file, link), 0);
	for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		/* By a link as well: what counts is where the file is. A later one isn't taken. */
		const char *items[] = {i % 2 ? link : file, other}, *found = NULL, *says;
		struct strings names = {items, 2, 2};
		struct error err = {0};
		int r;

		says = cases[i / 2].says;
		assert_int_equal(chown(file, cases[i / 2].file_owner, 0), 0);
		assert_int_equal(chmod(file, cases[i / 2].file), 0);
		assert_int_equal(chown(directory, cases[i / 2].directory_owner, 0), 0);
		assert_int_equal(chmod(directory, cases[i / 2].directory), 0);
		r = runtime_find(&names, "/nonexistent", -1, &arena, &found, &err);
		if (!says) {
			assert_int_equal(r, 0);
			assert_string_equal(found, items[0]);
			continue;
		}
		assert_int_equal(r, -EPERM);
		assert_int_equal(err.code, ERROR_BAD_CONFIG);
		says = strstr(says, "%s") == says
			       ? arena_printf(&arena, "%s%s", folder, says + 2)
			       : arena_printf(&arena, "users other than its owner can write %s%s",
					      folder, strstr(says, "%s") + 2);
		if (!string_ends(err.message, says))
			fail_msg("case %zu: %s", i, err.message);
		assert_null(found);
	}
}

static void a_file_is_replaced_with_its_mode(void **state)
{
	AUTO_ARENA arena = {0};
	const char *path = put(&arena, "config.json", 0640);
	AUTO_FD like = open(path, O_PATH | O_CLOEXEC);
	struct stat before, after;
	struct error err = {0};
	char text[8] = {0};

	(void)state;
	assert_int_equal(fstat(like, &before), 0);
	assert_int_equal(file_replace(path, like, "new!", 4, &err), 0);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(after.st_mode, before.st_mode);
	assert_int_equal(after.st_uid, before.st_uid);
	assert_int_not_equal(after.st_ino, before.st_ino);
	{
		AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);

		assert_int_equal(read(fd, text, sizeof(text) - 1), 4);
		assert_string_equal(text, "new!");
	}
	assert_int_equal(file_replace("/proc/nonexistent/x", -1, "", 0, &err), -ENOENT);
	assert_int_equal(file_replace(folder, -1, "", 0, &err), -EISDIR);
}

static void the_log_has_the_runtimes_formats(void **state)
{
	AUTO_ARENA arena = {0};
	const char *path = arena_printf(&arena, "%s/log", folder);
	AUTO_FD fd = -1;
	char *text, *second;

	(void)state;
	runtime_log_error(path, true, "davit: cannot \"a\\b\"");
	runtime_log_error(path, false, "davit: cannot \"a\\b\"");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(file_read(fd, 4096, &arena, &text, NULL), 0);
	second = strchr(text, '\n');
	assert_non_null(second);
	*second++ = '\0';
	assert_true(string_starts(
		text,
		"{\"level\":\"error\",\"msg\":\"davit: cannot \\\"a\\\\b\\\"\",\"time\":\"20"));
	assert_true(string_ends(text, "Z\"}"));
	assert_true(string_starts(second, "time=\"20"));
	assert_true(string_ends(second, " level=error msg=\"davit: cannot \\\"a\\\\b\\\"\"\n"));
	runtime_log_error("/nonexistent/log", true, "nothing happens");
}

/* ---- dividing a plan --------------------------------------------------------------------- */

/* Which operations are the runtime's and which the hook's, by the image's links and the mounts. */
static const struct {
	const char *name;
	const char *mounts[3]; /* "t:" a tmpfs, "r:" one that is read-only */
	bool shared;           /* linux.rootfsPropagation */
	const char *target;
	bool device;
	bool by_hook;
	const char *stubs; /* joined by blanks */
} divided[] = {
	{"nothing is mounted", {NULL}, false, "/usr/lib/a", false, false, "/usr/lib/a"},
	{"a file that is there", {NULL}, false, "/usr/lib/old", false, false, ""},
	{"a directory that is missing",
	 {NULL},
	 false,
	 "/lib/new/a",
	 false,
	 false,
	 "/usr/lib/new /usr/lib/new/a"},
	{"a shared root", {NULL}, true, "/usr/lib/a", false, true, ""},
	{"a node in a shared root", {"t:/dev"}, true, "/dev/nvidia0", true, false, ""},
	{"a volume", {"/usr"}, false, "/usr/lib/a", false, true, ""},
	{"a volume, by a link to it", {"/usr"}, false, "/lib/a", false, true, ""},
	{"a volume, by a link in it", {"/vol"}, false, "/usr/lib/vol/a", false, true, ""},
	{"a volume, by the last link", {"/vol"}, false, "/usr/lib/file", false, true, ""},
	{"a volume beside", {"/vol"}, false, "/usr/lib/a", false, false, "/usr/lib/a"},
	{"a volume that is a file", {"/usr/lib/old"}, false, "/usr/lib/old", false, true, ""},
	{"a volume whose destination is a link", {"/lib"}, false, "/usr/lib/a", false, true, ""},
	{"a destination through a volume",
	 {"/vol", "/vol/x"},
	 false,
	 "/usr/lib/a",
	 false,
	 true,
	 ""},
	{"a tmpfs", {"t:/run"}, false, "/run/x/socket", false, false, ""},
	{"a tmpfs, read-only", {"r:/run"}, false, "/run/x/socket", false, true, ""},
	{"a tmpfs in a volume", {"/run", "t:/run/x"}, false, "/run/x/socket", false, true, ""},
	{"a volume in a tmpfs", {"t:/run", "/run/x"}, false, "/run/x/socket", false, true, ""},
	{"a volume beside, in a tmpfs",
	 {"t:/run", "/run/y"},
	 false,
	 "/run/x/socket",
	 false,
	 false,
	 ""},
	{"a node", {"t:/dev"}, false, "/dev/nvidia0", true, false, ""},
	{"a node in the host's /dev", {"/dev"}, false, "/dev/nvidia0", true, true, ""},
	{"a node, and /dev is a link into a volume",
	 {"/vol"},
	 false,
	 "/vdev/nvidia0",
	 true,
	 true,
	 ""},
};

static void make_root(void)
{
	AUTO_ARENA arena = {0};

	assert_int_equal(
		system(arena_printf(&arena,
				    "cd %s && mkdir -p root/usr/lib root/run root/dev root/vol && "
				    "ln -s usr/lib root/lib && ln -s /vol root/usr/lib/vol && "
				    "ln -s ../../vol/f root/usr/lib/file && ln -s vol root/vdev && "
				    ": > root/usr/lib/old && : > source",
				    folder)),
		0);
}

static void add_mounts(const char *const *texts, struct arena *arena, struct oci_mounts *ret)
{
	for (size_t i = 0; i < 3 && texts[i]; i++) {
		bool fresh = texts[i][1] == ':';
		struct oci_mount *mount = ARENA_PUSH(arena, ret);

		*mount = (struct oci_mount){
			.destination = texts[i] + (fresh ? 2 : 0),
			.source = fresh ? "tmpfs" : "volume",
			.type = fresh ? "tmpfs" : "bind",
			.bind = !fresh,
			.read_only = texts[i][0] == 'r',
		};
	}
}

static void what_lies_in_a_volume_is_the_hooks(void **state)
{
	static struct pipeline pipeline = PIPELINE_INIT;
	struct config config = {0};
	AUTO_ARENA paths = {0};
	AUTO_ROOT root = {.fd = -1};
	struct error err = {0};
	struct stat null;

	(void)state;
	make_root();
	assert_int_equal(root_open(arena_printf(&paths, "%s/root", folder), &root, &err), 0);
	assert_int_equal(root_open("/", &pipeline.roots.driver, &err), 0);
	assert_int_equal(root_open("/dev", &pipeline.roots.dev, &err), 0);
	assert_int_equal(stat("/dev/null", &null), 0);
	pipeline.config = &config;
	pipeline.bundle = "/bundle";
	for (size_t i = 0; i < ARRAY_SIZE(divided); i++) {
		AUTO_ARENA arena = {0};
		struct operation operation = {
			.kind = divided[i].device ? OPERATION_DEVICE : OPERATION_BIND,
			.tree = divided[i].device ? TREE_DEV : TREE_DRIVER_ROOT,
			.source = divided[i].device ? "null"
						    : arena_printf(&arena, "%s/source", folder),
			.source_fd = -1,
			.target = divided[i].target,
			.major = major(null.st_rdev),
			.minor = minor(null.st_rdev),
			.required = true,
		};
		struct spec_edits edits = {.variables = NVIDIA_VOID};
		struct plan rest;
		bool by_hook;

		pipeline.spec.mounts = (struct oci_mounts){0};
		add_mounts(divided[i].mounts, &arena, &pipeline.spec.mounts);
		pipeline.spec.shared_propagation = divided[i].shared;
		pipeline.plan = (struct plan){.items = &operation, .count = 1};
		assert_int_equal(spec_split(&pipeline, &root, true, &arena, &edits, &rest, &err),
				 0);
		by_hook = rest.count == 1;
		if (by_hook != divided[i].by_hook ||
		    (!divided[i].device && edits.mounts.count != !by_hook) ||
		    (divided[i].device && edits.devices.items[0].by_hook != by_hook) ||
		    strcmp(strings_join(&arena, &rest.stubs, " "), divided[i].stubs) != 0)
			fail_msg("%s: %s, stubs %s", divided[i].name,
				 by_hook ? "by the hook" : "by the runtime",
				 strings_join(&arena, &rest.stubs, " "));
		assert_int_equal(rest.mounts.count, pipeline.spec.mounts.count);
		assert_int_equal(rest.shared_propagation, divided[i].shared);
		if (rest.mounts.count && rest.mounts.items[0].bind)
			assert_string_equal(rest.mounts.items[0].source, "/bundle/volume");
	}
	driver_roots_close(&pipeline.roots);
}

/* A node that the hook brings isn't in linux.devices; its group joins all the same. */
static void a_node_of_the_hooks_brings_its_group_alone(void **state)
{
	AUTO_ARENA arena = {0};
	struct spec_device node = {
		.path = "/dev/x", .major = 1, .minor = 2, .mode = 0660, .gid = 44, .by_hook = true};
	struct document document = DOCUMENT_INIT(&arena, "{}", 2);
	struct spec_edits edits = {.devices = {&node, 1, 1}, .hook = "/h", .poststop = true};
	struct document_value value;
	struct error err = {0};

	(void)state;
	assert_int_equal(spec_edit(&document, &edits, &err), 0);
	assert_int_equal(document_find(&document, "linux.devices", &value, &err), 0);
	assert_int_equal(value.end - value.start, 0);
	assert_non_null(strstr(document.text, "\"additionalGids\":[44]"));
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	AUTO_ARENA arena = {0};

	(void)state;
	return system(arena_printf(&arena, "rm -rf %s", folder));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(command_lines_are_read_as_runc_and_crun_do),
		cmocka_unit_test(the_containers_name_and_debug_are_read),
		cmocka_unit_test(items_are_appended_and_all_else_stays),
		cmocka_unit_test(items_are_removed_with_their_commas),
		cmocka_unit_test(changes_are_written_once),
		cmocka_unit_test(a_plan_becomes_config_json),
		cmocka_unit_test(a_node_of_a_group_brings_the_group),
		cmocka_unit_test(edits_of_cdi_specs_are_made_once),
		cmocka_unit_test(members_of_objects_are_set),
		cmocka_unit_test(edits_that_runtimes_alone_make),
		cmocka_unit_test(features_are_read),
		cmocka_unit_test(mode_hook_adds_one_hook),
		cmocka_unit_test(mode_hook_takes_the_place_of_the_engines),
		cmocka_unit_test(no_text_is_edited_that_can_be_read_otherwise),
		cmocka_unit_test(long_texts_take_memory_by_their_length),
		cmocka_unit_test(broken_text_ends_in_an_error_or_a_change),
		cmocka_unit_test(a_plan_survives_as_text),
		cmocka_unit_test(a_file_that_is_no_plan_is_refused),
		cmocka_unit_test(the_first_other_program_is_the_runtime),
		cmocka_unit_test(what_others_can_exchange_is_skipped_in_path),
		cmocka_unit_test(a_script_is_asked_for_its_features),
		cmocka_unit_test(a_runtime_that_others_can_change_is_refused),
		cmocka_unit_test(a_file_is_replaced_with_its_mode),
		cmocka_unit_test(what_lies_in_a_volume_is_the_hooks),
		cmocka_unit_test(a_node_of_the_hooks_brings_its_group_alone),
		cmocka_unit_test(the_log_has_the_runtimes_formats),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

// SPDX-License-Identifier: Apache-2.0
#include "unit.h"
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "davit/oci.h"

#define BIT(number) (1ULL << (number))

/* A copy without terminator on the heap, so that a read behind the end is seen by ASan. */
static char *exact(const char *text, size_t length)
{
	char *copy = malloc(length ? length : 1);

	assert_non_null(copy);
	memcpy(copy, text, length);
	return copy;
}

static void assert_bad_bundle(int r, const struct error *err, const char *message)
{
	assert_int_equal(r, -EINVAL);
	assert_int_equal(err->code, ERROR_BAD_BUNDLE);
	if (!strstr(err->message, message))
		fail_msg("\"%s\" is not in \"%s\"", message, err->message);
}

/* ---- state ------------------------------------------------------------------------------ */

static int parse_state(const char *text, bool need_pid, struct arena *arena, struct oci_state *ret,
		       struct error *err)
{
	size_t length = strlen(text);
	char *copy = exact(text, length);
	int r = oci_state_parse(copy, length, need_pid, arena, ret, err);

	free(copy);
	return r;
}

/* clang-format off */
static const struct {
	const char *text, *id, *status, *bundle;
	pid_t pid;
	bool need_pid;
} good_states[] = {
	{"{\"ociVersion\":\"1.0.2\",\"id\":\"c1\",\"status\":\"creating\",\"pid\":42,"
	 "\"bundle\":\"/b\",\"annotations\":{\"a\":\"b\"}}", "c1", "creating", "/b", 42, true},
	{"{\"id\":\"c1\",\"pid\":1,\"bundlePath\":\"/old\"}", "c1", "", "/old", 1, true},
	{"{\"id\":\"c1\",\"pid\":1,\"bundle\":\"\",\"bundlePath\":\"/old\"}", "c1", "", "/old", 1,
	 true},
	{"{\"pid\":1,\"bundle\":\"/new\",\"bundlePath\":\"/old\"}", "", "", "/new", 1, true},
	{"{\"pid\":2147483647,\"bundle\":\"/b\"}", "", "", "/b", 2147483647, true},
	{"{\"pid\":0,\"bundle\":\"/b\"}", "", "", "/b", 0, false},
	{"{\"bundle\":\"/b\"}", "", "", "/b", 0, false},
	{"{\"pid\":null,\"id\":null,\"bundle\":\"/b\"}", "", "", "/b", 0, false},
	{" \n{\"pid\":7,\"bundle\":\"/b c\\u00e4\"}\n", "", "", "/b c\xc3\xa4", 7, true},
	{"{\"pid\":7,\"bundle\":\"/b\xff\"}", "", "", "/b\xff", 7, true},
	{"{\"pid\":7,\"bundle\":\"/b\",\"x\":1,\"x\":2,\"ID\u00df\":3}", "", "", "/b", 7, true},
	{"{\"p\\u0069d\":7,\"bundle\":\"/b\"}", "", "", "/b", 7, true},
	{"{\"pid\":7,\"bundle\":\"/b\\\\u0000\"}", "", "", "/b\\u0000", 7, true},
};
/* clang-format on */

static void states_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good_states); i++) {
		struct oci_state got;
		AUTO_ARENA arena = {0};
		struct error err = {0};

		assert_int_equal(parse_state(good_states[i].text, good_states[i].need_pid, &arena,
					     &got, &err),
				 0);
		assert_string_equal(got.id, good_states[i].id);
		assert_string_equal(got.status, good_states[i].status);
		assert_string_equal(got.bundle, good_states[i].bundle);
		assert_int_equal(got.pid, good_states[i].pid);
	}
}

/* clang-format off */
static const struct {
	const char *text, *message;
} bad_states[] = {
	{"", "read the state: it is empty"},
	{" ", "the text ends in the middle of a value"},
	{"{", "line 1, column 2: the text ends in the middle of a value"},
	{"null", "read the state: "},
	{"[]", "it is not a JSON object"},
	{"\"x\"", "it is not a JSON object"},
	{"12 ", "it is not a JSON object"},
	{"{\"pid\":1,\"bundle\":\"/b\"} x", "line 1, column 25: "},
	{"{\"pid\":1,\"bundle\":\"/b\"}{}", "line 1, column 24: "},
	{"{\"pid\":1,\"bundle\":\"/b\",}", "read the state: line 1, column "},
	{"{\"pid\":'1'}", "read the state: line 1, column 8: "},
	{"{\n \"pid\": x}", "read the state: line 2, column "},
	{"/* */ {\"pid\":1,\"bundle\":\"/b\"}", "read the state: line 1"},
	{"{\"bundle\":\"/b\"}", "pid is missing"},
	{"{\"pid\":7,\"bundle\":\"/b\",\"pid\":8}", "state.pid appears twice"},
	{"{\"Pid\":7,\"bundle\":\"/b\"}", "\"Pid\" is a wrong spelling of state.pid"},
	{"{\"pid\":0,\"bundle\":\"/b\"}", "pid is not a process id"},
	{"{\"pid\":-1,\"bundle\":\"/b\"}", "pid is not a process id"},
	{"{\"pid\":2147483648,\"bundle\":\"/b\"}", "pid is not a process id"},
	{"{\"pid\":99999999999999999999999,\"bundle\":\"/b\"}", "pid is not a process id"},
	{"{\"pid\":1.5,\"bundle\":\"/b\"}", "state.pid is not an int"},
	{"{\"pid\":1e3,\"bundle\":\"/b\"}", "state.pid is not an int"},
	{"{\"pid\":\"1\",\"bundle\":\"/b\"}", "state.pid is not an int"},
	{"{\"pid\":1}", "bundle is missing"},
	{"{\"pid\":1,\"bundle\":\"\"}", "bundle is missing"},
	{"{\"pid\":1,\"bundle\":\"b\"}", "bundle is a relative path"},
	{"{\"pid\":1,\"bundle\":7}", "state.bundle is not a string"},
	{"{\"pid\":1,\"bundlePath\":[]}", "state.bundlePath is not a string"},
	{"{\"id\":1,\"pid\":1,\"bundle\":\"/b\"}", "state.id is not a string"},
	{"{\"status\":{},\"pid\":1,\"bundle\":\"/b\"}", "state.status is not a string"},
	{"{\"pid\":1,\"bundle\":\"/b\\u0000c\"}", "line 1, column 22: a NUL character"},
	{"{\"pid\":1,\"bundle\":\"/b\\\\\\u0000c\"}", "a NUL character"},
	{"{\"pid\":1,\"bundle\\u0000\":\"/b\"}", "a NUL character"},
	{"{\"pid\":7,\"bundle\":\"/b\",\"pid\":8}", "state.pid appears twice"},
	{"{\"pid\":7,\"bundle\":\"/b\",\"pid\":null}", "state.pid appears twice"},
	{"{\"pid\":7,\"bundle\":\"/b\",\"b\\u0075ndle\":\"/c\"}", "state.bundle appears twice"},
	{"{\"pid\":7,\"bundle\":\"/b\",\"Bundle\":\"/c\"}",
	 "\"Bundle\" is a wrong spelling of state.bundle"},
	{"{\"pid\":7,\"bundle\":\"/b\",\"bundlepath\":\"/c\"}", "\"bundlepath\" is a wrong spelling of"},
	{"{\"pid\":7,\"bundle\":\"/b\",\"ID\":\"x\"}", "\"ID\" is a wrong spelling of state.id"},
	{"{\"pid\":7,\"bundle\":\"/b\",\"\xc5\xbftatus\":\"stopped\"}",
	 "is a wrong spelling of state.status"},
};
/* clang-format on */

static void bad_states_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_states); i++) {
		struct oci_state got;
		AUTO_ARENA arena = {0};
		struct error err = {0};
		int r = parse_state(bad_states[i].text, true, &arena, &got, &err);

		assert_bad_bundle(r, &err, bad_states[i].message);
	}
}

static void a_nul_byte_in_the_state_is_refused(void **state)
{
	static const char text[] = "{\"pid\":1,\"bundle\":\"/b\"}\0garbage";
	struct oci_state got;
	AUTO_ARENA arena = {0};
	struct error err = {0};

	(void)state;
	assert_bad_bundle(oci_state_parse(text, sizeof(text), true, &arena, &got, &err), &err,
			  "line 1, column 24: a NUL character");
}

/* ---- config.json ------------------------------------------------------------------------ */

static int parse_spec(const char *text, size_t length, struct arena *arena, struct oci_spec *ret,
		      struct error *err)
{
	char *copy = exact(text, length);
	int r = oci_spec_parse(copy, length, arena, ret, err);

	free(copy);
	return r;
}

static const char whole[] =
	"{\n"
	"  \"ociVersion\": \"1.0.2\",\n"
	"  \"process\": {\"env\": [\"PATH=/bin\", \"A=\", \"B\", \"C=d=e\", \"\"],\n"
	"    \"capabilities\": {\"bounding\": [\"CAP_CHOWN\", \"CAP_SYS_ADMIN\", \"CAP_NEW\"],\n"
	"      \"effective\": [\"CAP_KILL\"]}},\n"
	"  \"root\": {\"path\": \"rootfs\", \"readonly\": true},\n"
	"  \"mounts\": [{\"destination\": \"/proc\", \"type\": \"proc\", \"source\": \"proc\"},\n"
	"    {\"destination\": \"/x\", \"options\": [\"bind\"]}],\n"
	"  \"annotations\": {\"b\": \"1\", \"a\": \"\\u00e4\\\"\\n\", \"c\": \"\"},\n"
	"  \"linux\": {\"cgroupsPath\": \"/x:y:z\", \"namespaces\": [{\"type\": \"pid\"},\n"
	"    {\"type\": \"user\", \"path\": \"/p\"}]},\n"
	"  \"hooks\": {\"prestart\": [1, true, null, {}]}\n"
	"}\n";

static void a_whole_spec_is_read(void **state)
{
	static const char *const env[] = {"PATH=/bin", "A=", "B", "C=d=e", ""};
	struct oci_spec spec;
	AUTO_ARENA arena = {0};
	struct error err = {0};

	(void)state;
	assert_int_equal(parse_spec(whole, strlen(whole), &arena, &spec, &err), 0);
	assert_string_equal(spec.version, "1.0.2");
	assert_int_equal(spec.env.count, ARRAY_SIZE(env));
	for (size_t i = 0; i < ARRAY_SIZE(env); i++)
		assert_string_equal(spec.env.items[i], env[i]);
	assert_int_equal(spec.bounding, BIT(CAP_CHOWN) | BIT(CAP_SYS_ADMIN));
	assert_false(oci_spec_privileged(&spec)); /* in a user namespace */
	assert_string_equal(spec.root_path, "rootfs");
	assert_true(spec.root_readonly);
	assert_int_equal(spec.mounts.count, 2);
	assert_string_equal(spec.mounts.items[0].destination, "/proc");
	assert_string_equal(spec.mounts.items[0].type, "proc");
	assert_string_equal(spec.mounts.items[0].source, "proc");
	assert_string_equal(spec.mounts.items[1].source, "");
	assert_string_equal(spec.mounts.items[1].type, "");
	assert_int_equal(spec.annotations.count, 3);
	assert_string_equal(spec.annotations.items[0].name, "b");
	assert_string_equal(oci_pairs_get(&spec.annotations, "a"), "\xc3\xa4\"\n");
	assert_string_equal(oci_pairs_get(&spec.annotations, "c"), "");
	assert_null(oci_pairs_get(&spec.annotations, "d"));
	assert_string_equal(spec.cgroups_path, "/x:y:z");
	assert_true(spec.user_namespace);
}

static void options_say_what_a_mount_is(void **state)
{
	static const struct {
		const char *mount;
		bool bind, read_only;
	} cases[] = {
		{"{\"type\":\"tmpfs\",\"options\":[\"nosuid\",\"ro\"]}", false, true},
		{"{\"type\":\"bind\"}", true, false},
		{"{\"type\":\"none\",\"options\":[\"rbind\",\"rro\"]}", true, true},
		{"{\"options\":[\"bind\",\"ro\",\"rw\"]}", true, false},
		{"{\"options\":[\"bind\",\"rw\",\"ro\"]}", true, true},
		{"{\"options\":[1,\"rbind\"]}", true, false},
		{"{\"options\":null}", false, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct oci_spec spec;
		AUTO_ARENA arena = {0};
		struct error err = {0};
		char text[256];

		(void)snprintf(text, sizeof(text), "{\"root\":{\"path\":\"/r\"},\"mounts\":[%s]}",
			       cases[i].mount);
		assert_int_equal(parse_spec(text, strlen(text), &arena, &spec, &err), 0);
		assert_int_equal(spec.mounts.items[0].bind, cases[i].bind);
		assert_int_equal(spec.mounts.items[0].read_only, cases[i].read_only);
	}
}

static void a_spec_with_the_least_is_read(void **state)
{
	static const char *const texts[] = {
		"{\"root\":{\"path\":\"/r\"}}",
		"{\"root\":{\"path\":\"/r\"},\"process\":{}}",
		"{\"root\":{\"path\":\"/r\"},\"process\":null,\"mounts\":null,\"annotations\":null,"
		"\"linux\":null}",
		"{\"root\":{\"path\":\"/r\",\"readonly\":null},\"process\":{\"env\":null,"
		"\"capabilities\":null},\"linux\":{\"namespaces\":null,\"cgroupsPath\":null}}",
		"{\"root\":{\"path\":\"/r\"},\"process\":{\"env\":[],\"capabilities\":{}},"
		"\"mounts\":[],\"annotations\":{},\"linux\":{\"namespaces\":[{}]}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct oci_spec spec;
		AUTO_ARENA arena = {0};
		struct error err = {0};

		assert_int_equal(parse_spec(texts[i], strlen(texts[i]), &arena, &spec, &err), 0);
		assert_string_equal(spec.version, "");
		assert_int_equal(spec.env.count + spec.mounts.count + spec.annotations.count, 0);
		assert_int_equal(spec.bounding, 0);
		assert_false(oci_spec_privileged(&spec));
		assert_false(spec.root_readonly);
		assert_false(spec.user_namespace);
		assert_string_equal(spec.cgroups_path, "");
	}
}

static void truncated_at_every_byte_is_an_error(void **state)
{
	(void)state;
	/* Behind the last brace comes only a newline. */
	for (size_t length = 0; length + 1 < strlen(whole); length++) {
		struct oci_spec spec;
		AUTO_ARENA arena = {0};
		struct error err = {0};

		assert_bad_bundle(parse_spec(whole, length, &arena, &spec, &err), &err,
				  "read the bundle's config.json: ");
	}
}

static void every_byte_changed_never_crashes(void **state)
{
	static const char bytes[] = {'\0', '"', '\\', '{', ']', 'u', '9', '\xff'};
	char text[sizeof(whole)];

	(void)state;
	for (size_t i = 0; i < strlen(whole); i++)
		for (size_t j = 0; j < sizeof(bytes); j++) {
			struct oci_spec spec;
			AUTO_ARENA arena = {0};
			struct error err = {0};
			int r;

			memcpy(text, whole, sizeof(whole));
			text[i] = bytes[j];
			r = parse_spec(text, strlen(whole), &arena, &spec, &err);
			assert_int_equal(r < 0, err.code == ERROR_BAD_BUNDLE);
			assert_true(bytes[j] != '\0' || r < 0);
		}
}

#define ROOT "\"root\":{\"path\":\"/r\"}"

/* clang-format off */
static const struct {
	const char *text, *message;
} bad_specs[] = {
	{"[]", "it is not a JSON object"},
	{"{" ROOT ",\"ociVersion\":1}", "read the bundle: ociVersion is not a string"},
	{"{" ROOT ",\"process\":[]}", "process is not an object"},
	{"{" ROOT ",\"process\":{\"env\":\"A=b\"}}", "process.env is not an array"},
	{"{" ROOT ",\"process\":{\"env\":{\"A\":\"b\"}}}", "process.env is not an array"},
	{"{" ROOT ",\"process\":{\"env\":[\"A=b\",1]}}", "process.env[1] is not a string"},
	{"{" ROOT ",\"process\":{\"env\":[null]}}", "process.env[0] is not a string"},
	{"{" ROOT ",\"process\":{\"capabilities\":\"x\"}}",
	 "process.capabilities is not an object"},
	{"{" ROOT ",\"process\":{\"capabilities\":[1]}}",
	 "process.capabilities[0] is not a string"},
	{"{" ROOT ",\"process\":{\"capabilities\":{\"bounding\":\"x\"}}}",
	 "process.capabilities.bounding is not an array"},
	{"{" ROOT ",\"process\":{\"capabilities\":{\"bounding\":[\"CAP_KILL\",{}]}}}",
	 "process.capabilities.bounding[1] is not a string"},
	{"{\"root\":\"/r\"}", "root is not an object"},
	{"{\"root\":{\"path\":1}}", "root.path is not a string"},
	{"{\"root\":{\"path\":\"/r\",\"readonly\":1}}", "root.readonly is not a boolean"},
	{"{}", "root.path is missing"},
	{"{\"root\":{}}", "root.path is missing"},
	{"{\"root\":{\"path\":\"\"}}", "root.path is missing"},
	{"{" ROOT ",\"mounts\":{}}", "mounts is not an array"},
	{"{" ROOT ",\"mounts\":[1]}", "mounts[0] is not an object"},
	{"{" ROOT ",\"mounts\":[{},{\"destination\":1}]}", "mounts[1].destination is not a string"},
	{"{" ROOT ",\"mounts\":[{\"source\":[]}]}", "mounts[0].source is not a string"},
	{"{" ROOT ",\"mounts\":[{\"type\":true}]}", "mounts[0].type is not a string"},
	{"{" ROOT ",\"mounts\":[{\"options\":\"ro\"}]}", "mounts[0].options is not an array"},
	{"{" ROOT ",\"annotations\":[]}", "annotations is not an object"},
	{"{" ROOT ",\"annotations\":{\"a\":1}}", "annotations.a is not a string"},
	{"{" ROOT ",\"linux\":1}", "linux is not an object"},
	{"{" ROOT ",\"linux\":{\"cgroupsPath\":1}}", "linux.cgroupsPath is not a string"},
	{"{" ROOT ",\"linux\":{\"namespaces\":{}}}", "linux.namespaces is not an array"},
	{"{" ROOT ",\"linux\":{\"namespaces\":[\"user\"]}}",
	 "linux.namespaces[0] is not an object"},
	{"{" ROOT ",\"linux\":{\"namespaces\":[{\"type\":1}]}}",
	 "linux.namespaces[0].type is not a string"},
	{"{" ROOT ",\"process\":{\"env\":[\"A=\\u0000\"]}}", "a NUL character"},
	{"{" ROOT ",\"annotations\":{\"a\\u0000b\":\"\"}}", "a NUL character"},
	{"{" ROOT ",\"x\":\n\"\\u0000\"}", "line 2, column 2: a NUL character"},
	{"{" ROOT ",\"x\":\"\n\"}", "a control character"},
	{"{" ROOT ",\"x\":\"\\u12g4\"}", "an unknown escape"},
	{"{" ROOT ",\"x\":-}", "an unexpected character"},
	{"{" ROOT ",\"x\":1.}", "an unexpected character"},
	{"{" ROOT ",\"x\":1e+}", "an unexpected character"},
	{"{" ROOT ",\"x\":tru}", "an unexpected character"},
	{"{" ROOT ",\"x\":[1,]}", "an unexpected character"},
	{"{" ROOT ",\"x\":[1 2]}", "an unexpected character"},
	{"{" ROOT ",\"x\" 1}", "an unexpected character"},
	{"{" ROOT ",1:1}", "an unexpected character"},
	{"{" ROOT "} trailing", "read the bundle's config.json: line 1, column "},
	{"{" ROOT "}\n}", "line 2, column 1: "},
	{"{" ROOT ",\"x\":01}", "read the bundle's config.json: line 1"},
	{"{" ROOT ",\"x\":nan}", "read the bundle's config.json: line 1"},
	{"{" ROOT ",\"x\":\"\\q\"}", "read the bundle's config.json: line 1"},
	{"\xef\xbb\xbf{" ROOT "}", "read the bundle's config.json: line 1"},
};
/* clang-format on */

static void bad_specs_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_specs); i++) {
		struct oci_spec spec;
		AUTO_ARENA arena = {0};
		struct error err = {0};
		int r = parse_spec(bad_specs[i].text, strlen(bad_specs[i].text), &arena, &spec,
				   &err);

		assert_bad_bundle(r, &err, bad_specs[i].message);
	}
}

static void capabilities_have_two_shapes(void **state)
{
	/* clang-format off */
	static const struct {
		const char *capabilities;
		uint64_t bounding;
	} rows[] = {
		{"[\"CAP_SYS_ADMIN\"]", BIT(CAP_SYS_ADMIN)},
		{"[\"CAP_CHOWN\",\"CAP_CHECKPOINT_RESTORE\"]", BIT(CAP_CHOWN) | BIT(40)},
		{"[]", 0},
		{"{\"bounding\":[\"CAP_SYS_ADMIN\"]}", BIT(CAP_SYS_ADMIN)},
		{"{\"effective\":[\"CAP_SYS_ADMIN\"],\"permitted\":[\"CAP_SYS_ADMIN\"]}", 0},
		{"{\"bounding\":[\"SYS_ADMIN\",\"cap_sys_admin\",\"CAP_SYS_ADMIN \",\"\"]}", 0},
		{"{\"bounding\":[\"CAP_BPF\",\"CAP_PERFMON\",\"CAP_BPF\"]}", BIT(39) | BIT(38)},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct oci_spec spec;
		AUTO_ARENA arena = {0};
		struct error err = {0};
		char *text = arena_printf(&arena, "{" ROOT ",\"process\":{\"capabilities\":%s}}",
					  rows[i].capabilities);

		assert_non_null(text);
		assert_int_equal(parse_spec(text, strlen(text), &arena, &spec, &err), 0);
		assert_int_equal(spec.bounding, rows[i].bounding);
		assert_int_equal(oci_spec_privileged(&spec),
				 (rows[i].bounding & BIT(CAP_SYS_ADMIN)) != 0);
	}
}

/* "{ROOT,"x":[[[...]]]}" with that many brackets. */
static int parse_nested(size_t depth, struct error *err)
{
	static const char head[] = "{" ROOT ",\"x\":";
	size_t length = strlen(head) + 2 * depth + 1;
	struct oci_spec spec;
	AUTO_ARENA arena = {0};
	char *text = arena_alloc(&arena, length + 1);

	assert_non_null(text);
	memcpy(text, head, strlen(head));
	memset(text + strlen(head), '[', depth);
	memset(text + strlen(head) + depth, ']', depth);
	text[length - 1] = '}';
	return parse_spec(text, length, &arena, &spec, err);
}

static void nesting_is_bounded(void **state)
{
	struct error err = {0};

	(void)state;
	assert_int_equal(parse_nested(32, &err), 0);
	assert_bad_bundle(parse_nested(100, &err), &err, "nesting too deep");
	assert_bad_bundle(parse_nested(1000000, &err), &err, "nesting too deep");
}

#define LONG_S "\xc5\xbf"
#define KELVIN "\xe2\x84\xaa"
#define RUNC_SAYS " appears twice: runc merges them or uses the last, crun uses one"

/* clang-format off */
static const struct {
	const char *text, *message;
} ambiguous_specs[] = {
	/* twice */
	{"{" ROOT ",\"process\":{},\"process\":{}}", "process" RUNC_SAYS},
	{"{" ROOT "," ROOT "}", "root" RUNC_SAYS},
	{"{" ROOT ",\"root\":null}", "root appears twice"},
	{"{\"root\":null," ROOT "}", "root appears twice"},
	{"{" ROOT ",\"ociVersion\":\"1\",\"ociVersion\":\"1\"}", "ociVersion appears twice"},
	{"{" ROOT ",\"mounts\":[],\"mounts\":[]}", "mounts appears twice"},
	{"{" ROOT ",\"annotations\":{},\"annotations\":{}}", "annotations appears twice"},
	{"{" ROOT ",\"linux\":{},\"x\":0,\"linux\":{}}", "linux appears twice"},
	{"{" ROOT ",\"hooks\":{},\"hooks\":{}}", "hooks appears twice"},
	{"{\"root\":{\"path\":\"/r\",\"path\":\"/r\"}}", "root.path appears twice"},
	{"{\"root\":{\"path\":\"/r\",\"readonly\":true,\"readonly\":false}}",
	 "root.readonly appears twice"},
	{"{" ROOT ",\"process\":{\"env\":[],\"env\":[\"A=b\"]}}", "process.env appears twice"},
	{"{" ROOT ",\"process\":{\"capabilities\":{},\"capabilities\":[]}}",
	 "process.capabilities appears twice"},
	{"{" ROOT ",\"process\":{\"capabilities\":{\"bounding\":[],\"bounding\":[]}}}",
	 "process.capabilities.bounding appears twice"},
	{"{" ROOT ",\"process\":{\"user\":{},\"user\":{}}}", "process.user appears twice"},
	{"{" ROOT ",\"process\":{\"user\":{\"additionalGids\":[],\"additionalGids\":[]}}}",
	 "process.user.additionalGids appears twice"},
	{"{" ROOT ",\"mounts\":[{},{\"source\":\"/a\",\"source\":\"/b\"}]}",
	 "mounts[1].source appears twice"},
	{"{" ROOT ",\"mounts\":[{\"options\":[],\"options\":[\"ro\"]}]}",
	 "mounts[0].options appears twice"},
	{"{" ROOT ",\"linux\":{\"cgroupsPath\":\"a\",\"cgroupsPath\":\"b\"}}",
	 "linux.cgroupsPath appears twice"},
	{"{" ROOT ",\"linux\":{\"rootfsPropagation\":\"a\",\"rootfsPropagation\":\"b\"}}",
	 "linux.rootfsPropagation appears twice"},
	{"{" ROOT ",\"linux\":{\"namespaces\":[{\"type\":\"user\"}],\"namespaces\":[]}}",
	 "linux.namespaces appears twice"},
	{"{" ROOT ",\"linux\":{\"namespaces\":[{\"type\":\"pid\",\"type\":\"user\"}]}}",
	 "linux.namespaces[0].type appears twice"},
	{"{" ROOT ",\"linux\":{\"devices\":[],\"devices\":[]}}", "linux.devices appears twice"},
	{"{" ROOT ",\"linux\":{\"devices\":[{},{\"path\":\"a\",\"path\":\"b\"}]}}",
	 "linux.devices[1].path appears twice"},
	{"{" ROOT ",\"linux\":{\"resources\":{},\"resources\":{}}}",
	 "linux.resources appears twice"},
	{"{" ROOT ",\"linux\":{\"resources\":{\"devices\":[],\"devices\":[]}}}",
	 "linux.resources.devices appears twice"},
	{"{" ROOT ",\"hooks\":{\"prestart\":[],\"prestart\":[]}}", "hooks.prestart appears twice"},
	{"{" ROOT ",\"hooks\":{\"createRuntime\":[],\"createRuntime\":[]}}",
	 "hooks.createRuntime appears twice"},
	{"{" ROOT ",\"hooks\":{\"createContainer\":[],\"createContainer\":[]}}",
	 "hooks.createContainer appears twice"},
	{"{" ROOT ",\"hooks\":{\"poststop\":[],\"poststop\":[]}}", "hooks.poststop appears twice"},
	{"{" ROOT ",\"hooks\":{\"createContainer\":[{\"args\":[],\"args\":[]}]}}",
	 "hooks.createContainer[0].args appears twice"},
	{"{" ROOT ",\"hooks\":{\"prestart\":[{\"path\":\"a\",\"path\":\"b\"}]}}",
	 "hooks.prestart[0].path appears twice"},
	/* the same, spelled otherwise */
	{"{" ROOT ",\"process\":{},\"pr\\u006fcess\":{}}", "process appears twice"},
	{"{" ROOT ",\"\\u0070\\u0072ocess\":{},\"process\":{}}", "process appears twice"},
	/* another case */
	{"{" ROOT ",\"Process\":{}}", "runc reads \"Process\" as process, but crun ignores it"},
	{"{" ROOT ",\"process\":{},\"PROCESS\":{}}", "runc reads \"PROCESS\" as process, but crun ignores it"},
	{"{" ROOT ",\"proce" LONG_S "s\":{}}", " as process, but crun ignores it"},
	{"{" ROOT ",\"PROCE" LONG_S LONG_S "\":{}}", " as process, but crun ignores it"},
	{"{" ROOT ",\"proces\\u017f\":{}}", " as process, but crun ignores it"},
	{"{" ROOT ",\"\\u0050rocess\":{}}", "runc reads \"Process\" as process, but crun ignores it"},
	{"{\"ROOT\":{\"path\":\"/r\"}}", "\"ROOT\" as root, but crun ignores it"},
	{"{" ROOT ",\"Linux\":{}}", "\"Linux\" as linux, but crun ignores it"},
	{"{" ROOT ",\"hoo" KELVIN "s\":{}}", " as hooks, but crun ignores it"},
	{"{" ROOT ",\"hoo\\u212a\\u017F\":{}}", " as hooks, but crun ignores it"},
	{"{" ROOT ",\"Annotations\":{}}", "\"Annotations\" as annotations, but crun ignores it"},
	{"{" ROOT ",\"Mounts\":[]}", "\"Mounts\" as mounts, but crun ignores it"},
	{"{" ROOT ",\"mount" LONG_S "\":[]}", " as mounts, but crun ignores it"},
	{"{" ROOT ",\"ociversion\":\"1\"}", "\"ociversion\" as ociVersion, but crun ignores it"},
	{"{" ROOT ",\"process\":{\"ENV\":[]}}", "\"ENV\" as process.env, but crun ignores it"},
	{"{" ROOT ",\"process\":{\"User\":{}}}", "\"User\" as process.user, but crun ignores it"},
	{"{" ROOT ",\"process\":{\"u" LONG_S "er\":{}}}", " as process.user, but crun ignores it"},
	{"{" ROOT ",\"process\":{\"capabilities\":{\"Bounding\":[]}}}",
	 "\"Bounding\" as process.capabilities.bounding, but crun ignores it"},
	{"{" ROOT ",\"mounts\":[{\"Source\":\"/dev/null\"}]}", "\"Source\" as mounts[0].source, but crun ignores it"},
	{"{" ROOT ",\"mounts\":[{\"" LONG_S "ource\":\"/dev/null\"}]}", " as mounts[0].source, but crun ignores it"},
	{"{" ROOT ",\"linux\":{\"Namespaces\":[]}}", "\"Namespaces\" as linux.namespaces, but crun ignores it"},
	{"{" ROOT ",\"linux\":{\"namespaces\":[{\"Type\":\"user\"}]}}",
	 "\"Type\" as linux.namespaces[0].type, but crun ignores it"},
	{"{" ROOT ",\"linux\":{\"cgroupspath\":\"a\"}}", " as linux.cgroupsPath, but crun ignores it"},
	{"{" ROOT ",\"linux\":{\"Devices\":[]}}", " as linux.devices, but crun ignores it"},
	{"{" ROOT ",\"linux\":{\"resources\":{\"DEVICES\":[]}}}", " as linux.resources.devices, but crun ignores it"},
	{"{" ROOT ",\"hooks\":{\"createcontainer\":[]}}", " as hooks.createContainer, but crun ignores it"},
	{"{" ROOT ",\"hooks\":{\"poststop\":[{\"Args\":[]}]}}", " as hooks.poststop[0].args, but crun ignores it"},
	/* annotations are a map: runc has the last, crun all of them */
	{"{" ROOT ",\"annotations\":{\"org.davit.devices\":\"0\",\"org.davit.devices\":\"0\"}}",
	 "the annotation org.davit.devices appears twice"},
	{"{" ROOT ",\"annotations\":{\"cdi.k8s.io/a\":\"\",\"b\":\"\",\"cdi.k8s.io\\/a\":\"\"}}",
	 "the annotation cdi.k8s.io/a appears twice"},
	{"{" ROOT ",\"annotations\":{\"org.davit.x\":null,\"org.davit.x\":\"\"}}",
	 "the annotation org.davit.x appears twice"},
};
/* clang-format on */

static void names_that_runtimes_read_differently_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ambiguous_specs); i++) {
		struct oci_spec spec;
		AUTO_ARENA arena = {0};
		struct error err = {0};
		const char *text = ambiguous_specs[i].text;
		int r = parse_spec(text, strlen(text), &arena, &spec, &err);

		assert_bad_bundle(r, &err, ambiguous_specs[i].message);
	}
}

static void names_that_all_read_alike_are_read(void **state)
{
	static const char *const texts[] = {
		/* one name, with escapes */
		"{\"r\\u006fot\":{\"p\\u0061th\":\"/r\"}}",
		/* what davit doesn't read */
		"{" ROOT ",\"hostname\":\"a\",\"hostname\":\"b\",\"Hostname\":\"c\"}",
		"{" ROOT ",\"process\":{\"cwd\":\"/\",\"cwd\":\"/\"}}",
		"{" ROOT ",\"x\":{\"process\":1,\"process\":2,\"Process\":3}}",
		/* near, but no other case */
		"{" ROOT
		",\"proces\":{},\"processs\":{},\"\":{},\"r\xc3\xb6ot\":{},\"ro\xc2\xb7t\":0}",
		"{" ROOT ",\"proce\xc5\":{},\"proces\xc5\":{},\"hoo\xe2\x84\":{},\"\xe2\":{}}",
		"{" ROOT ",\"mount\\u0053x\":[],\"\xef\xbd\x90rocess\":{}}",
		/* the same name in different objects */
		"{" ROOT ",\"mounts\":[{\"type\":\"a\"},{\"type\":\"b\"}]}",
		/* a map's names differ by case, and those of others may be repeated */
		"{" ROOT ",\"annotations\":{\"a\":\"1\",\"a\":\"2\",\"org.davit.devices\":\"0\","
		"\"Org.davit.devices\":\"1\",\"org.davit.Devices\":\"2\"}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct oci_spec spec;
		AUTO_ARENA arena = {0};
		struct error err = {0};

		if (parse_spec(texts[i], strlen(texts[i]), &arena, &spec, &err) < 0)
			fail_msg("%s: %s", texts[i], err.message);
		assert_string_equal(spec.root_path, "/r");
	}
}

/* "{ROOT,"annotations":{"cdi.k8s.io/0":"",...}}" with that many. */
static int parse_annotations(size_t count, struct error *err)
{
	AUTO_ARENA arena = {0};
	const size_t room = 64 + count * 32;
	char *text = arena_alloc(&arena, room);
	struct oci_spec spec;
	size_t at;

	assert_non_null(text);
	at = (size_t)snprintf(text, room, "{" ROOT ",\"annotations\":{");
	for (size_t i = 0; i < count; i++)
		at += (size_t)snprintf(text + at, room - at, "%s\"cdi.k8s.io/%zu\":\"\"",
				       i ? "," : "", i);
	at += (size_t)snprintf(text + at, room - at, "}}");
	return parse_spec(text, at, &arena, &spec, err);
}

static void annotations_that_ask_are_bounded(void **state)
{
	struct error err = {0};

	(void)state;
	assert_int_equal(parse_annotations(1024, &err), 0);
	assert_bad_bundle(parse_annotations(1025, &err), &err, "more than 1024 annotations");
	assert_bad_bundle(parse_annotations(1000000, &err), &err, "more than 1024 annotations");
}

static void privileged_means_on_the_host(void **state)
{
	/* clang-format off */
	static const struct {
		const char *namespaces;
		bool privileged;
	} rows[] = {
		{"[]", true},
		{"[{\"type\":\"pid\"},{\"type\":\"mount\"}]", true},
		{"[{\"type\":\"user\"}]", false},
		{"[{\"type\":\"pid\"},{\"type\":\"user\",\"path\":\"/proc/1/ns/user\"}]", false},
		{"[{\"type\":\"us\\u0065r\"}]", false},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct oci_spec spec;
		AUTO_ARENA arena = {0};
		struct error err = {0};
		char *text = arena_printf(&arena,
					  "{" ROOT ",\"process\":{\"capabilities\":{\"bounding\":"
					  "[\"CAP_SYS_ADMIN\"]}},\"linux\":{\"namespaces\":%s}}",
					  rows[i].namespaces);

		assert_non_null(text);
		assert_int_equal(parse_spec(text, strlen(text), &arena, &spec, &err), 0);
		assert_int_equal(oci_spec_privileged(&spec), rows[i].privileged);
	}
}

static void escapes_are_taken_off(void **state)
{
	static const struct {
		const char *text, *meant;
	} rows[] = {
		{"\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t"},
		{"a\\u0041z", "aAz"},
		{"\\u00e4\\u20AC", "\xc3\xa4\xe2\x82\xac"},
		{"\\ud83d\\ude00", "\xf0\x9f\x98\x80"},
		/* half a pair: U+FFFD */
		{"\\ud83d", "\xef\xbf\xbd"},
		{"\\ude00x", "\xef\xbf\xbdx"},
		{"\\ud83d\\u0041", "\xef\xbf\xbd"
				   "A"},
		{"\\ud83d\\ud83d\\ude00", "\xef\xbf\xbd\xf0\x9f\x98\x80"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct oci_spec spec;
		AUTO_ARENA arena = {0};
		struct error err = {0};
		char *text = arena_printf(&arena, "{" ROOT ",\"annotations\":{\"\\u0061\":\"%s\"}}",
					  rows[i].text);

		assert_int_equal(parse_spec(text, strlen(text), &arena, &spec, &err), 0);
		assert_string_equal(oci_pairs_get(&spec.annotations, "a"), rows[i].meant);
	}
}

static void the_last_of_repeated_pairs_is_found(void **state)
{
	struct oci_pair items[] = {{"a", "1"}, {"b", "2"}, {"a", "3"}};
	const struct oci_pairs pairs = {items, ARRAY_SIZE(items), ARRAY_SIZE(items)}, none = {0};

	(void)state;
	assert_string_equal(oci_pairs_get(&pairs, "a"), "3");
	assert_string_equal(oci_pairs_get(&pairs, "b"), "2");
	assert_null(oci_pairs_get(&pairs, "A"));
	assert_null(oci_pairs_get(&none, "a"));
}

static void ten_thousand_entries_are_read(void **state)
{
	AUTO_ARENA arena = {0};
	const size_t count = 10000, room = 64 + count * 32;
	char *text = arena_alloc(&arena, room);
	struct oci_spec spec;
	struct error err = {0};
	size_t at;

	(void)state;
	assert_non_null(text);
	at = (size_t)snprintf(text, room, "{" ROOT ",\"process\":{\"env\":[");
	for (size_t i = 0; i < count; i++)
		at += (size_t)snprintf(text + at, room - at, "%s\"NAME%zu=%zu\"", i ? "," : "", i,
				       i);
	at += (size_t)snprintf(text + at, room - at, "]}}");
	assert_int_equal(parse_spec(text, at, &arena, &spec, &err), 0);
	assert_int_equal(spec.env.count, count);
	assert_string_equal(spec.env.items[9999], "NAME9999=9999");
}

static void rootfs_is_relative_to_the_bundle(void **state)
{
	/* clang-format off */
	static const struct {
		const char *root, *bundle, *rootfs;
	} rows[] = {
		{"rootfs", "/run/b", "/run/b/rootfs"},
		{"/srv/r", "/run/b", "/srv/r"},
		{"../x", "/run/b", "/run/b/../x"},
		{"rootfs", "/", "//rootfs"},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct oci_spec spec = {.root_path = rows[i].root};
		AUTO_ARENA arena = {0};

		assert_string_equal(oci_spec_rootfs(&spec, rows[i].bundle, &arena), rows[i].rootfs);
	}
}

static void a_runtimes_words_are_read(void **state)
{
#define WORDS(text)                \
	{                          \
		text, sizeof(text) \
	}
	/* clang-format off */
	static const struct {
		struct slice text;
		const char *bundle, *root;
		bool names;
		const char *config;
	} rows[] = {
		{WORDS("crun\0--root\0/s\0create\0--bundle\0/b\0--pid-file\0/p\0c1"), "/b", "/s", true, ""},
		{WORDS("crun\0--root=/s\0run\0-b\0/b\0c1"), "/b", "/s", true, ""},
		{WORDS("crun\0run\0-b=/b\0--bundle\0/later\0c1\0"), "/later", "", true, ""},
		{WORDS("crun\0run\0-b\0.\0c1"), "", "", true, ""},
		{WORDS("crun\0run\0--bundle\0/b\0c11"), "/b", "", false, ""},
		{WORDS("crun\0run\0--bundle\0c1"), "", "", false, ""},
		{WORDS("crun\0--rootless\0/s\0--bundles=/b\0c1"), "", "", true, ""},
		{WORDS("crun\0run\0c1\0--bundle"), "", "", true, ""},
		{WORDS("crun\0run\0c1\0--bundle="), "", "", true, ""},
		{WORDS("crun\0run\0-b/b\0-f/c\0c1"), "/b", "", true, "/c"},
		{WORDS("crun\0run\0--bun\0/b\0--conf=c.json\0c1"), "/b", "", true, "c.json"},
		{WORDS("crun\0run\0--config\0/c\0--console-socket\0/s\0c1"), "", "", true, "/c"},
		{{"", 0}, "", "", false, ""},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_ARENA arena = {0};
		struct oci_runtime_words words;

		oci_runtime_words_parse(rows[i].text, "c1", &arena, &words);
		assert_string_equal(words.bundle, rows[i].bundle);
		assert_string_equal(words.root, rows[i].root);
		assert_int_equal(words.names, rows[i].names);
		assert_string_equal(words.config, rows[i].config);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_runtimes_words_are_read),
		cmocka_unit_test(states_are_read),
		cmocka_unit_test(bad_states_are_refused),
		cmocka_unit_test(a_nul_byte_in_the_state_is_refused),
		cmocka_unit_test(a_whole_spec_is_read),
		cmocka_unit_test(options_say_what_a_mount_is),
		cmocka_unit_test(a_spec_with_the_least_is_read),
		cmocka_unit_test(truncated_at_every_byte_is_an_error),
		cmocka_unit_test(every_byte_changed_never_crashes),
		cmocka_unit_test(bad_specs_are_refused),
		cmocka_unit_test(capabilities_have_two_shapes),
		cmocka_unit_test(nesting_is_bounded),
		cmocka_unit_test(names_that_runtimes_read_differently_are_refused),
		cmocka_unit_test(names_that_all_read_alike_are_read),
		cmocka_unit_test(annotations_that_ask_are_bounded),
		cmocka_unit_test(privileged_means_on_the_host),
		cmocka_unit_test(escapes_are_taken_off),
		cmocka_unit_test(the_last_of_repeated_pairs_is_found),
		cmocka_unit_test(ten_thousand_entries_are_read),
		cmocka_unit_test(rootfs_is_relative_to_the_bundle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "davit/cdi.h"
#include "davit/cdi_edits.h"
#include "davit/json.h"
#include "unit.h"

/* ---- a driver --------------------------------------------------------------------------- */

static struct mig_instance instances[] = {
	{.gpu_instance = 1, .gi_minor = 12, .ci_minor = 13, .uuid = "MIG-x"},
	{.gpu_instance = 2, .gi_minor = 21, .ci_minor = 22, .uuid = "MIG-y"},
};
static const char *first_nodes[] = {"nvidia5"}, *second_nodes[] = {"nvidia1"};
static struct gpu gpus[] = {
	{.index = 0,
	 .minor = 5,
	 .nodes = {first_nodes, 1, 0},
	 .uuid = "GPU-a",
	 .bus_id = "0000:00:06.0"},
	{.index = 1,
	 .minor = 1,
	 .nodes = {second_nodes, 1, 0},
	 .uuid = "GPU-b",
	 .bus_id = "0000:00:07.0",
	 .mig = {instances, 2, 2}},
};
static struct device_node nodes[] = {
	{.name = "nvidiactl", .major = 195, .minor = 255, .control = true, .present = true},
	{.name = "nvidia-uvm", .major = 238, .minor = 0, .control = true, .present = true},
	{.name = "nvidia5", .major = 195, .minor = 5, .present = true},
	{.name = "nvidia1", .major = 195, .minor = 1, .present = true},
	{.name = "nvidia-caps/nvidia-cap12", .major = 241, .minor = 12, .present = true},
	{.name = "nvidia-caps/nvidia-cap13", .major = 241, .minor = 13, .present = true},
	{.name = "nvidia-caps/nvidia-cap21", .major = 241, .minor = 21, .present = true},
	{.name = "nvidia-caps/nvidia-cap22", .major = 241, .minor = 22, .present = true},
};
#define ODD_NAME "lib\"odd\": #1'\\ \t- .so" /* all that YAML could take amiss */
static struct driver_file files[] = {
	{.kind = DRIVER_FILE_LIBRARY,
	 .capabilities = CAPABILITY_COMPUTE,
	 .path = "/libcuda.so.580.1",
	 .fd = -1,
	 .name = "libcuda.so.580.1",
	 .soname = "libcuda.so.1",
	 .class_bits = 64},
	{.kind = DRIVER_FILE_LIBRARY,
	 .capabilities = CAPABILITY_COMPUTE,
	 .path = "/" ODD_NAME,
	 .fd = -1,
	 .name = ODD_NAME,
	 .class_bits = 64},
	{.kind = DRIVER_FILE_SOCKET,
	 .capabilities = CAPABILITY_COMPUTE,
	 .path = "/not-there",
	 .fd = -1,
	 .name = "not-there",
	 .target = "/run/not-there"},
};

struct table {
	char dir[64];
	struct arena arena;
	struct gpu_request request;
	struct driver driver;
	struct driver_roots roots;
	struct image image;
	struct cdi_options options;
	struct json_object *spec;
	struct strings left_out;
	struct error err;
};

static int set_up(void **state)
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		return -1;
	*state = t;
	(void)snprintf(t->dir, sizeof(t->dir), "/tmp/test-cdi.XXXXXX");
	if (!mkdtemp(t->dir))
		return -1;
	t->roots = (struct driver_roots)DRIVER_ROOTS_INIT;
	t->request = (struct gpu_request){.gpu = true,
					  .capabilities = CAPABILITY_COMPUTE | CAPABILITY_GRAPHICS,
					  .mig_config = "",
					  .mig_monitor = "",
					  .mps_pipe_directory = ""};
	t->driver = (struct driver){.version = "580.1",
				    .repairable = true,
				    .compat_dir = "/usr/local/cuda/compat",
				    .proc_version = "NVRM version: 580.1\n",
				    .gpus = {gpus, ARRAY_SIZE(gpus), 0},
				    .nodes = {nodes, ARRAY_SIZE(nodes), 0},
				    .files = {files, ARRAY_SIZE(files), 0}};
	t->image = (struct image){
		.loader = IMAGE_LOADER_GLIBC, .lib_dir = "/usr/lib64", .lib_dir_32 = "/usr/lib"};
	t->options = (struct cdi_options){.vendor = "nvidia.com",
					  .class = "gpu",
					  .by_index = true,
					  .by_uuid = true,
					  .hook = "/usr/bin/davit-hook",
					  .cuda_compat = true,
					  .image = &t->image};
	for (size_t i = 0; i < 2; i++) {
		char path[256];
		int fd;

		(void)snprintf(path, sizeof(path), "%s%s", t->dir, files[i].path);
		fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
		if (fd < 0)
			return -1;
		(void)close(fd);
	}
	return root_open(t->dir, &t->roots.driver, &t->err) < 0 ||
	       root_open(t->dir, &t->roots.dev, &t->err) < 0 ||
	       root_open("/", &t->roots.host, &t->err) < 0;
}

static int tear_down(void **state)
{
	struct table *t = *state;
	char path[256];

	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(path, sizeof(path), "%s%s", t->dir, files[i].path);
		(void)unlink(path);
	}
	(void)rmdir(t->dir);
	(void)json_object_put(t->spec);
	driver_roots_close(&t->roots);
	arena_free(&t->arena);
	free(t);
	return 0;
}

static int make(struct table *t)
{
	return cdi_spec_make(&t->request, &t->driver, &t->roots, &t->options, &t->arena, &t->spec,
			     &t->left_out, &t->err);
}

/* The value at "devices/0/name", or NULL. */
static struct json_object *at(struct json_object *object, const char *path)
{
	struct slice rest = slice_from(path), step;

	while (object && slice_next(&rest, '/', &step)) {
		char name[64];

		(void)snprintf(name, sizeof(name), "%.*s", (int)step.length, step.data);
		object = json_object_is_type(object, json_type_array)
				 ? json_object_array_get_idx(object, strtoul(name, NULL, 10))
				 : json_object_object_get(object, name);
	}
	return object;
}

static const char *text_at(struct json_object *object, const char *path)
{
	struct json_object *value = at(object, path);

	return value ? json_object_get_string(value) : "(none)";
}

/* ---- what is made ----------------------------------------------------------------------- */

static void devices_have_all_their_names(void **state)
{
	static const char *const names[] = {"0", "GPU-a", "1:0", "MIG-x", "1:1", "MIG-y", "all"};
	struct table *t = *state;

	assert_int_equal(make(t), 0);
	assert_int_equal(json_object_array_length(at(t->spec, "devices")), ARRAY_SIZE(names));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[32];

		(void)snprintf(path, sizeof(path), "devices/%zu/name", i);
		assert_string_equal(text_at(t->spec, path), names[i]);
	}
}

/* The paths of the device nodes, joined by blanks. */
static const char *node_paths(struct table *t, struct json_object *edits)
{
	struct json_object *list = at(edits, "deviceNodes");
	const char *text = "";

	for (size_t i = 0; list && i < json_object_array_length(list); i++)
		text = arena_printf(&t->arena, "%s%s%s", text, *text ? " " : "",
				    text_at(json_object_array_get_idx(list, i), "path"));
	return text;
}

static void nodes_of_all_containers_are_common_those_of_a_device_its_own(void **state)
{
	struct table *t = *state;

	assert_int_equal(make(t), 0);
	assert_string_equal(node_paths(t, at(t->spec, "containerEdits")),
			    "/dev/nvidiactl /dev/nvidia-uvm");
	assert_string_equal(node_paths(t, at(t->spec, "devices/0/containerEdits")), "/dev/nvidia5");
	assert_string_equal(node_paths(t, at(t->spec, "devices/4/containerEdits")),
			    "/dev/nvidia1 /dev/nvidia-caps/nvidia-cap21 "
			    "/dev/nvidia-caps/nvidia-cap22");
	assert_string_equal(node_paths(t, at(t->spec, "devices/6/containerEdits")),
			    "/dev/nvidia5 /dev/nvidia1 /dev/nvidia-caps/nvidia-cap12 "
			    "/dev/nvidia-caps/nvidia-cap13 /dev/nvidia-caps/nvidia-cap21 "
			    "/dev/nvidia-caps/nvidia-cap22");
}

static void a_node_says_all_that_makes_it(void **state)
{
	struct table *t = *state;
	const char *expected;

	assert_int_equal(make(t), 0);
	expected = arena_printf(&t->arena,
				"{\"path\":\"/dev/nvidia5\",\"hostPath\":\"%s/nvidia5\","
				"\"type\":\"c\",\"major\":195,\"minor\":5,\"permissions\":\"rw\"}",
				t->dir);
	assert_string_equal(json_object_to_json_string_ext(
				    at(t->spec, "devices/0/containerEdits/deviceNodes/0"),
				    JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
			    expected);
}

static void mounts_have_the_options_of_the_plan(void **state)
{
	struct table *t = *state;

	assert_int_equal(make(t), 0);
	assert_int_equal(json_object_array_length(at(t->spec, "containerEdits/mounts")), 2);
	assert_string_equal(text_at(t->spec, "containerEdits/mounts/0/containerPath"),
			    "/usr/lib64/libcuda.so.580.1");
	assert_string_equal(
		json_object_to_json_string_ext(at(t->spec, "containerEdits/mounts/0/options"),
					       JSON_C_TO_STRING_PLAIN),
		"[\"ro\",\"nosuid\",\"nodev\",\"rbind\",\"rprivate\"]");
	assert_string_equal(text_at(t->spec, "containerEdits/mounts/0/type"), "bind");
	assert_string_equal(text_at(t->spec, "containerEdits/env/0"),
			    "NVIDIA_CTK_LIBCUDA_DIR=/usr/lib64");
	assert_string_equal(text_at(t->spec, "containerEdits/env/1"),
			    "NVIDIA_VISIBLE_DEVICES=void");
}

static void hooks_stand_in_the_order_in_which_they_build_on_each_other(void **state)
{
	static const char *const names[] = {"create-symlinks", "enable-cuda-compat",
					    "update-ldcache", "update-application-profile",
					    "disable-device-node-modification"};
	struct table *t = *state;

	assert_int_equal(make(t), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct json_object *hook =
			json_object_array_get_idx(at(t->spec, "containerEdits/hooks"), i);

		assert_string_equal(text_at(hook, "args/1"), names[i]);
		assert_string_equal(text_at(hook, "hookName"), "createContainer");
		assert_string_equal(text_at(hook, "path"), "/usr/bin/davit-hook");
	}
	assert_string_equal(text_at(t->spec, "containerEdits/hooks/0/args/3"),
			    "libcuda.so.580.1::/usr/lib64/libcuda.so.1");
	assert_string_equal(text_at(t->spec, "containerEdits/hooks/1/args/3"), "580.1");
	assert_string_equal(text_at(t->spec, "containerEdits/hooks/2/args/3"), "/usr/lib64");
}

static void the_version_is_the_lowest_that_will_do(void **state)
{
	static const struct {
		bool by_index;
		const char *dev, *class, *version;
	} cases[] = {
		{true, NULL, "gpu", "0.5.0"},      {true, "/dev", "gpu", "0.5.0"},
		{false, NULL, "gpu", "0.5.0"},     {false, "/dev", "gpu", "0.4.0"},
		{false, "/dev", "g.p.u", "0.6.0"},
	};
	struct table *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct root dev = t->roots.dev;

		(void)json_object_put(t->spec);
		t->spec = NULL;
		t->options.by_index = cases[i].by_index;
		t->options.class = cases[i].class;
		if (cases[i].dev)
			t->roots.dev.path = cases[i].dev;
		assert_int_equal(make(t), 0);
		assert_string_equal(text_at(t->spec, "cdiVersion"), cases[i].version);
		t->roots.dev = dev;
	}
}

static void yaml_says_the_same_as_json(void **state)
{
	struct table *t = *state;
	AUTO_JSON *read = NULL;
	const char *text;

	assert_int_equal(make(t), 0);
	text = cdi_yaml_write(t->spec, &t->arena);
	assert_non_null(strstr(text, "kind: \"nvidia.com/gpu\"\n"));
	assert_non_null(strstr(text, "/lib\\\"odd\\\": #1'\\\\ \\t- .so\"\n"));
	assert_int_equal(cdi_yaml_parse(text, strlen(text), "it", &read, &t->err), 0);
	assert_true(json_object_equal(t->spec, read));
}

static void what_cannot_be_described_is_an_error(void **state)
{
	struct table *t = *state;
	struct gpus all = t->driver.gpus;

	t->driver.gpus.count = 0;
	assert_int_equal(make(t), -ENODEV);
	assert_string_equal(t->err.message, "create a CDI spec: the driver has no GPU");
	t->driver.gpus = all;
	instances[1].uuid = NULL;
	assert_int_equal(make(t), -ENODEV);
	assert_string_equal(t->err.message,
			    "name MIG instance 1:1 by its UUID: NVML doesn't report the UUID");
	instances[1].uuid = "MIG-y";
	gpus[0].uuid = "GPU-\?\?";
	assert_int_equal(make(t), -ENODEV);
	assert_string_equal(t->err.message, "name the device GPU-\?\? in a CDI spec");
	gpus[0].uuid = "GPU-a";
	t->options.vendor = "nvi dia";
	assert_int_equal(make(t), -EINVAL);
	t->options.vendor = "nvidia.com";
	t->options.class = "a/b";
	assert_int_equal(make(t), -EINVAL);
	t->options.class = "7";
	assert_int_equal(make(t), -EINVAL);
	assert_non_null(strstr(t->err.message, "begins with a letter"));
	assert_null(t->spec);
}

/* ---- what is checked -------------------------------------------------------------------- */

#define EDITS "\"containerEdits\": {\"env\": [\"A=b\"]}"
#define DEVICE(name) "{\"name\": \"" name "\", " EDITS "}"
#define SPEC(version, more)           \
	"{\"cdiVersion\": \"" version \
	"\", \"kind\": \"v.com/c\", \"devices\": [" DEVICE("d") "]" more "}"
#define NODE(members) SPEC("0.5.0", ", \"containerEdits\": {\"deviceNodes\": [{" members "}]}")

static const struct {
	const char *text, *problem; /* NULL: none */
} check_cases[] = {
	{SPEC("0.3.0", ""), NULL},
	{SPEC("1.1.0", ", \"annotations\": {\"a\": \"b\"}"), NULL},
	{SPEC("0.5.0", ", \"annotations\": {\"a\": \"b\"}"),
	 "its fields need cdiVersion 0.6.0, but it has 0.5.0"},
	{SPEC("0.9.0", ""), "cdiVersion: not a valid value"},
	{SPEC("0.5.0", ", \"extra\": 1"), "extra: unknown field"},
	{NODE("\"path\": \"/dev/a\", \"hostPath\": \"/dev/b\", \"major\": 1"), NULL},
	{NODE("\"path\": \"/dev/a\", \"majr\": 1"),
	 "containerEdits.deviceNodes[0].majr: unknown field"},
	{NODE("\"type\": \"c\""), "containerEdits.deviceNodes[0].path: missing"},
	{NODE("\"path\": \"/dev/a\", \"type\": \"d\""),
	 "containerEdits.deviceNodes[0].type: not a valid value"},
	{NODE("\"path\": \"/dev/a\", \"major\": -1"),
	 "containerEdits.deviceNodes[0].major: not a valid value"},
	{NODE("\"path\": \"/dev/a\", \"permissions\": \"rx\""),
	 "containerEdits.deviceNodes[0].permissions: not a valid value"},
	{SPEC("0.5.0", ", \"containerEdits\": {\"hooks\": [{\"hookName\": \"createContaine\","
		       "\"path\": \"/x\"}]}"),
	 "containerEdits.hooks[0].hookName: not a valid value"},
	{SPEC("0.5.0", ", \"containerEdits\": {\"mounts\": [{\"hostPath\": \"/x\","
		       "\"containerPath\": \"/x\", \"options\": \"ro\"}]}"),
	 "containerEdits.mounts[0].options: not a valid value"},
	{SPEC("0.3.0", ", \"containerEdits\": {\"mounts\": [{\"hostPath\": \"/x\","
		       "\"containerPath\": \"/x\", \"type\": \"tmpfs\"}]}"),
	 "its fields need cdiVersion 0.4.0, but it has 0.3.0"},
	{SPEC("0.5.0", ", \"containerEdits\": {\"env\": [\"=b\"]}"),
	 "containerEdits.env: not a valid value"},
	{"{\"cdiVersion\": \"0.5.0\", \"kind\": \"v.com/c\", \"devices\": []}",
	 "devices: no device"},
	{"{\"cdiVersion\": \"0.5.0\", \"kind\": \"v.com\", \"devices\": [" DEVICE("d") "]}",
	 "kind: not a valid value"},
	{"{\"cdiVersion\": \"0.5.0\", \"kind\": \"v.com/c\", \"devices\": [" DEVICE(
		 "d") ", " DEVICE("d") "]}",
	 "devices[1].name: twice"},
	{"{\"cdiVersion\": \"0.5.0\", \"kind\": \"v.com/c\", \"devices\": [" DEVICE("-d") "]}",
	 "devices[0].name: not a valid value"},
	{"{\"cdiVersion\": \"0.3.0\", \"kind\": \"v.com/c\", \"devices\": [" DEVICE("0") "]}",
	 "its fields need cdiVersion 0.5.0, but it has 0.3.0"},
	{"{\"cdiVersion\": \"0.3.0\", \"kind\": \"v.com/c\", \"devices\": [{\"name\": \"d\","
	 "\"containerEdits\": {}}]}",
	 "devices[0].containerEdits: empty"},
	{"{\"cdiVersion\": \"0.3.0\", \"kind\": \"v.com/c\", \"devices\": [null]}",
	 "devices[0]: not an object"},
	{"{\"cdiVersion\": null, \"kind\": \"v.com/c\", \"devices\": {}}",
	 "cdiVersion: not a valid value"},
	{"{}", "cdiVersion: missing"},
};

static void specs_are_checked_as_strictly_as_engines_do(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(check_cases); i++) {
		AUTO_JSON *spec = NULL;
		struct error err = {0};
		char expected[256];

		assert_int_equal(json_parse(check_cases[i].text, strlen(check_cases[i].text),
					    ERROR_BAD_REQUEST, "it", &spec, &err),
				 0);
		if (!check_cases[i].problem) {
			assert_int_equal(cdi_check(spec, "it", &err), 0);
			continue;
		}
		assert_int_equal(cdi_check(spec, "it", &err), -EINVAL);
		(void)snprintf(expected, sizeof(expected), "use it: %s", check_cases[i].problem);
		assert_string_equal(err.message, expected);
	}
}

static const struct {
	const char *text, *json; /* or its error */
} yaml_cases[] = {
	{"a: b\n", "{\"a\":\"b\"}"},
	{"---\na: b # c\n# d\n\nc: 12\nd: true\n", "{\"a\":\"b\",\"c\":12,\"d\":true}"},
	{"a:\n- b\n- c: d\n  e: f\n- g:\n  - h\n",
	 "{\"a\":[\"b\",{\"c\":\"d\",\"e\":\"f\"},{\"g\":[\"h\"]}]}"},
	{"a:\n  - b\n  -\n    c: d\n", "{\"a\":[\"b\",{\"c\":\"d\"}]}"},
	{"a: []\nb: {}\nc:\nd: -x\n", "{\"a\":[],\"b\":{},\"c\":null,\"d\":\"-x\"}"},
	{"a: \"b: \\\" # c\"\n", "{\"a\":\"b: \\\" # c\"}"},
	{"a: 'b''c'\n\"d\": /dev/e::f\n", "{\"a\":\"b'c\",\"d\":\"/dev/e::f\"}"},
	{"a: \"1\"\nb: 0.5.0\n", "{\"a\":\"1\",\"b\":\"0.5.0\"}"},
	{"- a\n", "read it: line 1: it is not a mapping"},
	{"", "read it: line 1: it is empty"},
	{"a\n", "read it: line 1: a key is missing"},
	{"a: b\na: c\n", "read it: line 2: a key appears twice"},
	{"a: b\n  c: d\n", "read it: line 2: it is indented too far"},
	{"  a: b\nc: d\n", "read it: line 2: it doesn't belong to the lines above it"},
	{"\ta: b\n", "read it: line 1: a tab in the indentation"},
	{"a: &x b\n", "read it: line 1: a YAML feature that davit doesn't support"},
	{"a: |\n  b\n", "read it: line 1: a YAML feature that davit doesn't support"},
	{"a: {b: c}\n", "{\"a\":{\"b\":\"c\"}}"},
	{"%YAML 1.2\n---\na: [b, 'c, d', \"e] # f\", 3, true, []]\nb: {}\n",
	 "{\"a\":[\"b\",\"c, d\",\"e] # f\",3,true,[]],\"b\":{}}"},
	{"a: [ # one\n  b,\n    {c: d, \"e\": [f]},\n] # end\ng: h\n",
	 "{\"a\":[\"b\",{\"c\":\"d\",\"e\":[\"f\"]}],\"g\":\"h\"}"},
	{"a:\n- {b: x::/y, c: -z}\n- [d]\n- e\n",
	 "{\"a\":[{\"b\":\"x::/y\",\"c\":\"-z\"},[\"d\"],\"e\"]}"},
	{"{\"a\": {\"b\": [1, 2]},\n \"c\":\"d\"}\n", "{\"a\":{\"b\":[1,2]},\"c\":\"d\"}"},
	{"a: [b\n", "read it: line 2: a list or mapping in brackets that doesn't end"},
	{"a: [b] c\n", "read it: line 1: text after a list or mapping in brackets"},
	{"a: [b: c]\n", "{\"a\":[\"b: c\"]}"},
	{"a: {b}\n", "read it: line 1: a key is missing"},
	{"a: {b: c, b: d}\n", "read it: line 1: a key appears twice"},
	{"a: [b c, , d]\n", "read it: line 1: a value is missing"},
	{"a: [[b] c]\n", "read it: line 1: no comma between the items in brackets"},
	{"a: [[[[[[[[[[[[[[[[[[[[b]]]]]]]]]]]]]]]]]]]]\n",
	 "read it: line 1: it is nested too deeply"},
	{"[a]\n", "read it: line 1: it is not a mapping"},
	{"a: [&x b]\n", "read it: line 1: a YAML feature that davit doesn't support"},
	{"a: \"b\n",
	 "read it: line 1: a quoted text that doesn't end, or is followed by more text"},
	{"a: 'b' c\n",
	 "read it: line 1: a quoted text that doesn't end, or is followed by more text"},
	{"a: \"b\\u0000\"\n",
	 "read it: line 1: a quoted text that doesn't end, or is followed by more text"},
	{"a:\n- - - - - - - - - - - - - - - - - - - a\n",
	 "read it: line 2: it is nested too deeply"},
};

static void yaml_is_read_as_tools_write_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(yaml_cases); i++) {
		AUTO_JSON *read = NULL;
		struct error err = {0};
		int r = cdi_yaml_parse(yaml_cases[i].text, strlen(yaml_cases[i].text), "it", &read,
				       &err);

		assert_string_equal(r < 0 ? err.message
					  : json_object_to_json_string_ext(
						    read, JSON_C_TO_STRING_PLAIN |
								  JSON_C_TO_STRING_NOSLASHESCAPE),
				    yaml_cases[i].json);
	}
}

/* ---- devices of others' specs --------------------------------------------------------------- */

#define FOUND_SPEC(devices) \
	"{\"cdiVersion\": \"0.5.0\", \"kind\": \"v.com/c\", \"devices\": [" devices "]}"
#define FOUND_DEVICE(name, edits) "{\"name\": \"" name "\", \"containerEdits\": {" edits "}}"
#define FOUND_MOUNT(options)                                                                      \
	"\"mounts\": [{\"hostPath\": \"/dev\", \"containerPath\": \"/c\", \"options\": [" options \
	"]}]"
#define FOUND_NODE(rest) "\"deviceNodes\": [{\"path\": \"/dev/null\"" rest "}]"

/* What it is more than a character device of the host that is read and written. */
static const char *describe_node(struct arena *arena, const struct cdi_node *node)
{
	return arena_printf(arena, "%s%s%s%s%s",
			    node->type == 'b'   ? " b"
			    : node->type == 'p' ? " p"
						: "",
			    node->no_rule ? " none" : "",
			    node->access == ACCESS_READ    ? " r"
			    : node->access == ACCESS_WRITE ? " w"
							   : "",
			    node->on_host ? "" : " made",
			    node->mode == CDI_NODE_UNSAID ? "" : " mode");
}

/* What the edits come to, as text. */
static const char *describe(struct arena *arena, const struct cdi_edits *edits)
{
	struct strings list = {0};

	for (size_t i = 0; i < edits->env.count; i++)
		(void)strings_add(arena, &list, edits->env.items[i]);
	for (size_t i = 0; i < edits->nodes.count; i++)
		(void)strings_add(arena, &list,
				  arena_printf(arena, "%s<%s %u:%u%s", edits->nodes.items[i].path,
					       edits->nodes.items[i].host_path,
					       edits->nodes.items[i].major,
					       edits->nodes.items[i].minor,
					       describe_node(arena, &edits->nodes.items[i])));
	for (size_t i = 0; i < edits->mounts.count; i++)
		(void)strings_add(arena, &list,
				  edits->mounts.items[i].as_given
					  ? edits->mounts.items[i].json
					  : arena_printf(arena, "%s<%s %x",
							 edits->mounts.items[i].container_path,
							 edits->mounts.items[i].host_path,
							 edits->mounts.items[i].flags));
	for (size_t i = 0; i < edits->hooks.count; i++)
		(void)strings_add(arena, &list,
				  arena_printf(arena, "%s:%s:%s", edits->hooks.items[i].stage,
					       edits->hooks.items[i].json,
					       edits->hooks.items[i].command
						       ? edits->hooks.items[i].command
						       : "-"));
	for (size_t i = 0; i < edits->groups.count; i++)
		(void)strings_add(arena, &list, edits->groups.items[i]);
	for (size_t i = 0; i < edits->net_devices.count; i++)
		(void)strings_add(arena, &list,
				  arena_printf(arena, "%s>%s", edits->net_devices.items[i].host,
					       edits->net_devices.items[i].name));
	if (edits->intel_rdt)
		(void)strings_add(arena, &list, edits->intel_rdt);
	for (size_t i = 0; i < edits->beyond_hook.count; i++)
		if (!strstr(edits->beyond_hook.items[i], "variable") &&
		    !strstr(edits->beyond_hook.items[i], "command"))
			(void)strings_add(
				arena, &list,
				arena_printf(arena, "(%s)",
					     strstr(edits->beyond_hook.items[i], ": ") + 2));
	return strings_join(arena, &list, " ");
}

static const struct {
	const char *early, *late; /* a spec in each directory, or NULL */
	const char *names[3], *result;
} found[] = {
	{FOUND_SPEC(FOUND_DEVICE("a", "\"env\": [\"A=1\"]")), NULL, {"v.com/c=a"}, "A=1"},
	{FOUND_SPEC(FOUND_DEVICE("a", "\"env\": [\"A=1\"]")),
	 FOUND_SPEC(FOUND_DEVICE("a", "\"env\": [\"A=2\"]")),
	 {"v.com/c=a"},
	 "A=2"},
	{FOUND_SPEC(FOUND_DEVICE("a", "\"env\": [\"A=1\"]") "," FOUND_DEVICE(
		 "b", "\"env\": [\"A=1\", \"B=2\"]")),
	 NULL,
	 {"v.com/c=b", "v.com/c=a"},
	 "A=1 B=2"},
	{"{\"cdiVersion\": \"0.7.0\", \"kind\": \"v.com/c\", \"containerEdits\": {\"env\": [\"C=1\"], "
	 "\"additionalGids\": [5]}, \"devices\": [" FOUND_DEVICE("a",
								 "\"additionalGids\": [5, 6]") "]}",
	 NULL,
	 {"v.com/c=a"},
	 "C=1 5 6"},
	{FOUND_SPEC(FOUND_DEVICE("a", FOUND_NODE(""))),
	 NULL,
	 {"v.com/c=a"},
	 "/dev/null</dev/null 1:3"},
	{FOUND_SPEC(FOUND_DEVICE(
		 "a",
		 FOUND_NODE(
			 ", \"hostPath\": \"/dev/zero\", \"type\": \"c\", \"permissions\": \"rwm\""))),
	 NULL,
	 {"v.com/c=a"},
	 "/dev/null</dev/zero 1:5"},
	{FOUND_SPEC(FOUND_DEVICE("a", FOUND_NODE(", \"major\": 1, \"minor\": 4"))),
	 NULL,
	 {"v.com/c=a"},
	 "apply CDI v.com/c=a: the device number of /dev/null differs from the spec's"},
	{FOUND_SPEC(FOUND_DEVICE("a", FOUND_NODE(", \"type\": \"b\""))),
	 NULL,
	 {"v.com/c=a"},
	 "apply CDI v.com/c=a: the spec's type differs from the node's: /dev/null"},
	{FOUND_SPEC(FOUND_DEVICE("a", FOUND_NODE(", \"permissions\": \"w\""))),
	 NULL,
	 {"v.com/c=a"},
	 "/dev/null</dev/null 1:3 w"},
	{FOUND_SPEC(FOUND_DEVICE("a", FOUND_NODE(", \"hostPath\": \"/dev\""))),
	 NULL,
	 {"v.com/c=a"},
	 "apply CDI v.com/c=a: not a device node: /dev"},
	{FOUND_SPEC(FOUND_DEVICE(
		 "a",
		 FOUND_MOUNT(
			 "\"ro\", \"nosuid\", \"nodev\", \"noexec\", \"rbind\", \"rprivate\""))),
	 NULL,
	 {"v.com/c=a"},
	 "/c</dev 2f"},
	{FOUND_SPEC(FOUND_DEVICE("a",
				 FOUND_MOUNT("\"ro\", \"rbind\", \"rw\", \"bind\", \"noatime\""))),
	 NULL,
	 {"v.com/c=a"},
	 "{\"destination\":\"/c\",\"type\":\"bind\",\"source\":\"/dev\",\"options\":[\"ro\",\"rbind\",\"rw\","
	 "\"bind\",\"noatime\"]} (a hook can't mount /c with the option noatime)"},
	{FOUND_SPEC(FOUND_DEVICE("a", FOUND_MOUNT("\"rshared\""))),
	 NULL,
	 {"v.com/c=a"},
	 "{\"destination\":\"/c\",\"type\":\"bind\",\"source\":\"/dev\",\"options\":[\"rshared\",\"bind\"]} "
	 "(a hook can't mount /c with the option rshared)"},
	{FOUND_SPEC(FOUND_DEVICE(
		 "a",
		 FOUND_NODE(", \"type\": \"u\", \"permissions\": \"none\", \"fileMode\": 384"))),
	 NULL,
	 {"v.com/c=a"},
	 "/dev/null</dev/null 1:3 none mode"},
	{FOUND_SPEC(FOUND_DEVICE("a", FOUND_NODE(", \"permissions\": \"rm\""))),
	 NULL,
	 {"v.com/c=a"},
	 "/dev/null</dev/null 1:3 r"},
	{FOUND_SPEC(FOUND_DEVICE(
		 "a",
		 "\"deviceNodes\": [{\"path\": \"/dev/gone\", \"type\": \"b\", \"major\": 8, \"minor\": 1}, "
		 "{\"path\": \"/dev/fifo\", \"type\": \"p\"}]")),
	 NULL,
	 {"v.com/c=a"},
	 "/dev/gone</dev/gone 8:1 b made /dev/fifo</dev/fifo 0:0 p made "
	 "(a hook can't create the node /dev/gone) (a hook can't create the node /dev/fifo)"},
	{FOUND_SPEC(FOUND_DEVICE("a",
				 "\"deviceNodes\": [{\"path\": \"/dev/gone\", \"type\": \"b\"}]")),
	 NULL,
	 {"v.com/c=a"},
	 "apply CDI v.com/c=a: cannot use the host's /dev/gone: No such file or directory"},
	{FOUND_SPEC(FOUND_DEVICE("a", "\"deviceNodes\": [{\"path\": \"dev/null\"}]")),
	 NULL,
	 {"v.com/c=a"},
	 "apply CDI v.com/c=a: its node has a relative path, dev/null"},
	/* A bind above a mount that is the runtime's, and one beneath it. */
	{FOUND_SPEC(FOUND_DEVICE(
		 "a",
		 "\"mounts\": [{\"hostPath\": \"/dev\", \"containerPath\": \"/a\"}, "
		 "{\"hostPath\": \"none\", \"containerPath\": \"/a/b\", \"type\": \"tmpfs\", \"options\": [\"size=1m\"]}, "
		 "{\"hostPath\": \"/dev\", \"containerPath\": \"/a/b/c\", \"type\": \"bind\"}]")),
	 NULL,
	 {"v.com/c=a"},
	 "{\"destination\":\"/a\",\"type\":\"bind\",\"source\":\"/dev\",\"options\":[\"bind\"]} "
	 "{\"destination\":\"/a/b\",\"type\":\"tmpfs\",\"source\":\"none\",\"options\":[\"size=1m\"]} "
	 "/a/b/c</dev 0 (a hook can't mount the tmpfs on /a/b)"},
	{"{\"cdiVersion\": \"1.1.0\", \"kind\": \"v.com/c\", \"devices\": [" FOUND_DEVICE(
		 "a",
		 "\"intelRdt\": {\"closID\": \"x\"}, \"netDevices\": [{\"hostInterfaceName\": \"eth5\", \"name\": \"net\"}], "
		 "\"additionalGids\": [0, 7]") "," FOUND_DEVICE("b",
								"\"netDevices\": [{\"hostInterfaceName\": \"eth5\", \"name\": \"other\"}]") "]}",
	 NULL,
	 {"v.com/c=a"},
	 "7 eth5>net {\"closID\":\"x\"} (a hook can't move the network interface eth5) (a hook can't set intelRdt)"},
	{"{\"cdiVersion\": \"1.1.0\", \"kind\": \"v.com/c\", \"devices\": [" FOUND_DEVICE("a", "\"netDevices\": [{\"hostInterfaceName\": \"eth5\", \"name\": \"net\"}]") "," FOUND_DEVICE(
		 "b",
		 "\"netDevices\": [{\"hostInterfaceName\": \"eth5\", \"name\": \"other\"}]") "]}",
	 NULL,
	 {"v.com/c=a", "v.com/c=b"},
	 "apply CDI v.com/c=b: another device has the network interface eth5"},
	{"{\"cdiVersion\": \"1.1.0\", \"kind\": \"v.com/c\", \"devices\": [" FOUND_DEVICE(
		 "a",
		 "\"netDevices\": [{\"hostInterfaceName\": \"eth5\", \"name\": \"a\\\"b\"}]") "]}",
	 NULL,
	 {"v.com/c=a"},
	 "apply CDI v.com/c=a: no network interface can be called a\"b"},
	{FOUND_SPEC(FOUND_DEVICE(
		 "a",
		 "\"hooks\": [{\"hookName\": \"createContainer\", \"path\": \"/usr/bin/nvidia-ctk\", "
		 "\"args\": [\"nvidia-ctk\", \"hook\", \"chmod\"], \"timeout\": 3}]")),
	 NULL,
	 {"v.com/c=a"},
	 "createContainer:{\"path\":\"/usr/bin/nvidia-ctk\",\"args\":[\"nvidia-ctk\",\"hook\",\"chmod\"],"
	 "\"timeout\":3}:chmod"},
	{FOUND_SPEC(FOUND_DEVICE("a",
				 "\"hooks\": [{\"hookName\": \"poststop\", \"path\": \"/x/other\", "
				 "\"args\": [\"other\", \"chmod\"]}]")),
	 NULL,
	 {"v.com/c=a"},
	 "poststop:{\"path\":\"/x/other\",\"args\":[\"other\",\"chmod\"]}:-"},
	{FOUND_SPEC(FOUND_DEVICE("a", "\"env\": [\"A=1\"]")),
	 NULL,
	 {"v.com/c=z"},
	 "find the CDI device v.com/c=z: the specs of its kind define a"},
	{FOUND_SPEC(FOUND_DEVICE("a", "\"env\": [\"A=1\"]")),
	 NULL,
	 {"v.com/d=a"},
	 "find the CDI device v.com/d=a: no spec has its kind; the specs define v.com/c"},
	{NULL, NULL, {"v.com/c=a"}, "find the CDI device v.com/c=a: there are no CDI specs"},
	{"{\"kind\": \"v.com/c\"}",
	 NULL,
	 {"v.com/c=a"},
	 "find the CDI device v.com/c=a: /early/a.json is ignored: use /early/a.json: "
	 "cdiVersion: missing"},
};

/* A spec as the only file of a directory, or an empty directory. */
static void write_spec(struct arena *arena, const char *directory, const char *text)
{
	const char *path = arena_printf(arena, "%s/a.json", directory);
	FILE *file;

	assert_int_equal(mkdir(directory, 0755), 0);
	if (!text)
		return;
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0 && fclose(file) == 0);
	assert_int_equal(chmod(path, 0644), 0);
}

/* What the case's names are in its two directories, as describe says it, or the error. */
static void check_found(size_t i, const char *dir)
{
	AUTO_ARENA arena = {0};
	AUTO_ROOT root = {.fd = -1};
	/* Nodes and mounts are the host's: then its root, and the directories by their whole path.
	 */
	bool by_host = strstr(found[i].result, "/dev") != NULL;
	const char *top = by_host ? dir : "";
	struct strings directories = {0}, names = {0};
	struct cdi_edits edits;
	struct error err = {0};
	int r;

	write_spec(&arena, arena_printf(&arena, "%s/early", dir), found[i].early);
	write_spec(&arena, arena_printf(&arena, "%s/late", dir), found[i].late);
	(void)strings_add(&arena, &directories, arena_printf(&arena, "%s/early", top));
	(void)strings_add(&arena, &directories, arena_printf(&arena, "%s/late", top));
	for (size_t j = 0; j < ARRAY_SIZE(found[i].names) && found[i].names[j]; j++)
		(void)strings_add(&arena, &names, found[i].names[j]);
	assert_int_equal(root_open(by_host ? "/" : dir, &root, &err), 0);
	r = cdi_resolve(&root, &directories, &names, &arena, &edits, &err);
	assert_string_equal(r < 0 ? err.message : describe(&arena, &edits), found[i].result);
	assert_true(r == 0 || err.fix[0]);
}

static void devices_of_specs_are_found_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(found); i++) {
		char dir[] = "/tmp/test-cdi.XXXXXX", command[256];

		assert_non_null(mkdtemp(dir));
		check_found(i, dir);
		(void)snprintf(command, sizeof(command), "rm -r %s", dir);
		assert_int_equal(system(command), 0);
	}
}

static void a_hook_makes_what_it_can(void **state)
{
	const char *beyond[] = {"CDI v.com/c=a: a hook can't set A=1"}, *groups[] = {"5", "6"};
	uint32_t group = 6;
	const struct oci_user root = {0};
	struct oci_user member = {.uid = 1, .gid = 5, .groups = {&group, 1, 1}};
	struct cdi_edits edits = {.beyond_hook = {beyond, 0, 1}, .groups = {groups, 0, 2}};
	struct error err = {0};

	(void)state;
	assert_int_equal(cdi_check_for_hook(&edits, &root, &err), 0);
	edits.beyond_hook.count = 1;
	assert_int_equal(cdi_check_for_hook(&edits, &root, &err), -EINVAL);
	assert_string_equal(err.message, "apply CDI v.com/c=a: a hook can't set A=1");
	edits.beyond_hook.count = 0;
	edits.groups.count = 2;
	assert_int_equal(cdi_check_for_hook(&edits, &root, &err), 0);
	assert_int_equal(cdi_check_for_hook(&edits, &member, &err), 0);
	member.groups.count = 0;
	assert_int_equal(cdi_check_for_hook(&edits, &member, &err), -EINVAL);
	assert_non_null(strstr(err.message, "the group 6"));
}

static void edits_become_operations(void **state)
{
	struct cdi_node nodes_given[] = {
		{.path = "/dev/a",
		 .host_path = "/dev/null",
		 .type = 'c',
		 .major = 1,
		 .minor = 3,
		 .because = "CDI x"},
		{.path = "/dev/a",
		 .host_path = "/dev/null",
		 .type = 'c',
		 .major = 1,
		 .minor = 3,
		 .because = "CDI y"},
		{.path = "/dev/b",
		 .type = 'b',
		 .major = 8,
		 .minor = 3,
		 .access = ACCESS_READ,
		 .because = "CDI y"},
		{.path = "/dev/n",
		 .type = 'c',
		 .major = 8,
		 .minor = 3,
		 .no_rule = true,
		 .because = "CDI y"},
	};
	struct cdi_mount mounts[] = {{.host_path = "/h",
				      .container_path = "/c",
				      .flags = MOUNT_FLAG_RECURSIVE,
				      .because = "CDI x"},
				     {.host_path = "tmpfs",
				      .container_path = "/t",
				      .as_given = true,
				      .because = "CDI x"}};
	struct cdi_edits edits = {.nodes = {nodes_given, 4, 4}, .mounts = {mounts, 2, 2}};
	AUTO_ARENA arena = {0};
	struct plan plan = {0};
	struct error err = {0};

	(void)state;
	assert_int_equal(cdi_plan(&edits, &arena, &plan, &err), 0);
	assert_int_equal(plan.count, 6); /* a node once, with its rule, where it has one */
	assert_int_equal(plan.items[0].kind, OPERATION_DEVICE_RULE);
	assert_int_equal(plan.items[1].kind, OPERATION_DEVICE);
	assert_int_equal(plan.items[1].tree, TREE_HOST);
	assert_int_equal(plan.items[2].kind, OPERATION_DEVICE_RULE);
	assert_true(plan.items[2].block && plan.items[2].access == ACCESS_READ);
	assert_int_equal(plan.items[4].kind, OPERATION_DEVICE);
	assert_ptr_equal(plan.items[4].node, &nodes_given[3]);
	assert_int_equal(plan.items[5].kind, OPERATION_BIND);
	assert_int_equal(plan.items[5].flags, MOUNT_FLAG_RECURSIVE);
	assert_true(plan.items[5].required && plan.items[5].of_spec);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(devices_have_all_their_names),
		CASE(nodes_of_all_containers_are_common_those_of_a_device_its_own),
		CASE(a_node_says_all_that_makes_it),
		CASE(mounts_have_the_options_of_the_plan),
		CASE(hooks_stand_in_the_order_in_which_they_build_on_each_other),
		CASE(the_version_is_the_lowest_that_will_do),
		CASE(yaml_says_the_same_as_json),
		CASE(what_cannot_be_described_is_an_error),
		cmocka_unit_test(specs_are_checked_as_strictly_as_engines_do),
		cmocka_unit_test(yaml_is_read_as_tools_write_it),
		cmocka_unit_test(devices_of_specs_are_found_by_name),
		cmocka_unit_test(a_hook_makes_what_it_can),
		cmocka_unit_test(edits_become_operations),
	};

	return cmocka_run_group_tests_name("cdi", tests, NULL, NULL);
}

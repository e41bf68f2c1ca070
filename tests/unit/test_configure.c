// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "configure/containerd.h"
#include "configure/unit.h"
#include "davit/configure_containerd.h"
#include "davit/configure_crio.h"
#include "davit/configure_docker.h"
#include "davit/configure_podman.h"
#include "unit.h"

#define NV "\"nvidia\": {\n            \"path\": \"/r\"\n        }"
#define FILE_PATH "/etc/file"
#define DROP_IN "/etc/containerd/conf.d/davit.toml"
#define IMPORT "\"" DROP_IN "\""

enum { DEFAULT = 1, CDI = 2 };

static struct configure settings(unsigned options)
{
	return (struct configure){.runtime_name = "nvidia",
				  .runtime_path = "/r",
				  .set_default = options & DEFAULT,
				  .cdi = options & CDI};
}

static void assert_same(const char *actual, const char *expected)
{
	if (!actual || !expected)
		assert_ptr_equal(actual, expected);
	else
		assert_string_equal(actual, expected);
}

/* ---- docker ----------------------------------------------------------------------------- */

static const struct {
	const char *text;
	unsigned major, minor; /* major 0: not a version */
} docker_versions[] = {
	{"Docker version 20.10.24+dfsg1, build 297e128\n", 20, 10},
	{"Docker version 26.1.5+dfsg1, build 411e817", 26, 1},
	{"Docker version 28.5.2, build 89c5e8f", 28, 5},
	{"Docker version 29.0.0-rc.1, build 1", 29, 0},
	{"Docker version 1.13.1, build 092cba3", 1, 13},
	{"Docker version 30.0-dev", 30, 0},
	{"Docker version dev, build HEAD", 0, 0},
	{"Docker version library-import, build library-import", 0, 0},
	{"Docker version 28", 0, 0},
	{"Docker version 28.", 0, 0},
	{"Docker version .5", 0, 0},
	{"Docker version -1.5", 0, 0},
	{"Docker version 123456.1", 0, 0},
	{"docker version 28.5.2", 0, 0},
	{"podman version 5.8.0", 0, 0},
	{"", 0, 0},
};

/* With --cdi, and directories of specs to name. */
static const struct {
	const char *name, *before, *after;
} docker_dirs[] = {
	{"none are named", "{}",
	 "{\n    \"runtimes\": {\n        " NV "\n    },\n    \"features\": {\n        "
	 "\"cdi\": true\n    },\n    \"cdi-spec-dirs\": [\"/etc/cdi\", \"/h/cdi\"]\n}"},
	{"an empty list", "{\"cdi-spec-dirs\": []}",
	 "{\"cdi-spec-dirs\": [\"/etc/cdi\", \"/h/cdi\"], \"runtimes\": {\"nvidia\": "
	 "{\"path\": \"/r\"}}, \"features\": {\"cdi\": true}}"},
	{"a list of an empty text", "{\"cdi-spec-dirs\": [\"\"]}",
	 "{\"cdi-spec-dirs\": [\"/etc/cdi\", \"/h/cdi\"], \"runtimes\": {\"nvidia\": "
	 "{\"path\": \"/r\"}}, \"features\": {\"cdi\": true}}"},
	{"null", "{\"cdi-spec-dirs\": null}",
	 "{\"cdi-spec-dirs\": [\"/etc/cdi\", \"/h/cdi\"], \"runtimes\": {\"nvidia\": "
	 "{\"path\": \"/r\"}}, \"features\": {\"cdi\": true}}"},
	{"others are named", "{\"cdi-spec-dirs\": [\"/x\"]}",
	 "{\"cdi-spec-dirs\": [\"/x\"], \"runtimes\": {\"nvidia\": {\"path\": "
	 "\"/r\"}}, \"features\": {\"cdi\": true}}"},
};

static void test_docker_dirs(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(docker_dirs); i++) {
		const char *dirs[] = {"/etc/cdi", "/h/cdi"};
		struct configure configure = settings(CDI);
		AUTO_ARENA arena = {0};
		struct error err = {0};
		char *after = NULL, *removed = NULL, *edited;

		configure.spec_dirs = (struct strings){.items = dirs, .count = ARRAY_SIZE(dirs)};
		print_message("%s\n", docker_dirs[i].name);
		assert_int_equal(configure_docker(docker_dirs[i].before, FILE_PATH, &configure,
						  &arena, &after, &err),
				 0);
		assert_string_equal(after, docker_dirs[i].after);
		assert_int_equal(configure_docker_remove(after, docker_dirs[i].before, FILE_PATH,
							 &configure, &arena, &removed, &err),
				 0);
		assert_string_equal(removed, docker_dirs[i].before);
		/* Edited since, so that each setting is taken back by itself. */
		edited = arena_printf(&arena, "%.*s, \"debug\": true}", (int)strlen(after) - 1,
				      after);
		assert_int_equal(configure_docker_remove(edited, docker_dirs[i].before, FILE_PATH,
							 &configure, &arena, &removed, &err),
				 0);
		if (strstr(removed, "/h/cdi") || strstr(removed, "nvidia") ||
		    (strstr(docker_dirs[i].before, "/x") && !strstr(removed, "/x")))
			fail_msg("%s", removed);
	}
}

static void test_docker_version(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(docker_versions); i++) {
		struct docker_program program = {.major = 0};

		print_message("%s\n", docker_versions[i].text);
		assert_int_equal(docker_version_parse(docker_versions[i].text, &program),
				 docker_versions[i].major ? 0 : -EINVAL);
		assert_int_equal(program.major, docker_versions[i].major);
		assert_int_equal(program.minor, docker_versions[i].minor);
	}
}

static const struct {
	const char *name, *before;
	unsigned options;
	const char *after;
} docker_cases[] = {
	{"no file", NULL, 0, "{\n    \"runtimes\": {\n        " NV "\n    }\n}\n"},
	{"an empty file", " \n", 0, "{\n    \"runtimes\": {\n        " NV "\n    }\n}\n"},
	{"an empty object", "{}", DEFAULT,
	 "{\n    \"runtimes\": {\n        " NV "\n    },\n    \"default-runtime\": \"nvidia\"\n}"},
	{"one line stays one line", "{\"a\":1,\"b\":[{}]}", CDI,
	 "{\"a\":1,\"b\":[{}],\"runtimes\":{\"nvidia\":{\"path\":\"/r\"}},\"features\":{\"cdi\":"
	 "true}}"},
	{"tabs, numbers, order", "{\n\t\"z\": 1.50e3,\n\t\"a\": 007\n}\n", 0, NULL},
	{"tabs and numbers stay", "{\n\t\"z\": 1.50e3,\n\t\"a\": 7\n}\n", 0,
	 "{\n\t\"z\": 1.50e3,\n\t\"a\": 7,\n\t\"runtimes\": {\n\t\t\"nvidia\": {\n\t\t\t\"path\": "
	 "\"/r\"\n\t\t}\n\t}\n}\n"},
	{"lines end as they did", "{\r\n  \"a\": 1\r\n}\r\n", DEFAULT,
	 "{\r\n  \"a\": 1,\r\n  \"runtimes\": {\r\n    \"nvidia\": {\r\n      \"path\": "
	 "\"/r\"\r\n    }\r\n  },\r\n  \"default-runtime\": \"nvidia\"\r\n}\r\n"},
	{"another runtime is kept", "{\n  \"runtimes\": {\n    \"kata\": {\"path\": \"k\"}\n  }\n}",
	 0,
	 "{\n  \"runtimes\": {\n    \"kata\": {\"path\": \"k\"},\n    \"nvidia\": {\n      "
	 "\"path\": \"/r\"\n    }\n  }\n}"},
	{"null is absent", "{\"runtimes\": null, \"features\": null}", CDI,
	 "{\"runtimes\": {\"nvidia\": {\"path\": \"/r\"}}, \"features\": {\"cdi\": true}}"},
	{"a runtime that is null", "{\"runtimes\": {\"nvidia\": null}}", 0,
	 "{\"runtimes\": {\"nvidia\": {\"path\": \"/r\"}}}"},
	{"a file that is null", "null\n", 0, "{\n    \"runtimes\": {\n        " NV "\n    }\n}\n"},
	{"a runtimeType has its program in the options",
	 "{\"runtimes\": {\"nvidia\": {\"runtimeType\": \"io.containerd.runc.v2\", \"options\": "
	 "{\"BinaryName\": \"/n\", \"SystemdCgroup\": true}}}}",
	 0,
	 "{\"runtimes\": {\"nvidia\": {\"runtimeType\": \"io.containerd.runc.v2\", \"options\": "
	 "{\"BinaryName\": \"/r\", \"SystemdCgroup\": true}}}}"},
	{"a runtimeType without options",
	 "{\"runtimes\": {\"nvidia\": {\"runtimeType\": \"io.containerd.runc.v2\"}}}", 0,
	 "{\"runtimes\": {\"nvidia\": {\"runtimeType\": \"io.containerd.runc.v2\", \"options\": "
	 "{\"BinaryName\": \"/r\"}}}}"},
	{"a runtime of that name changes its path",
	 "{\"runtimes\": {\"nvidia\": {\"args\": [\"}\"], \"path\": \"n\\\"\"}}}", 0,
	 "{\"runtimes\": {\"nvidia\": {\"args\": [\"}\"], \"path\": \"/r\"}}}"},
	{"values are replaced in place",
	 "{\"default-runtime\" : \"runc\", \"features\": {\"cdi\": false}, \"runtimes\": "
	 "{\"nvidia\": {\"path\": \"/r\"}}}",
	 DEFAULT | CDI,
	 "{\"default-runtime\" : \"nvidia\", \"features\": {\"cdi\": true}, \"runtimes\": "
	 "{\"nvidia\": {\"path\": \"/r\"}}}"},
	{"names are compared as decoded", "{\"runti\\u006des\": {\"nvidia\": {\"path\": \"/r\"}}}",
	 0, "{\"runti\\u006des\": {\"nvidia\": {\"path\": \"/r\"}}}"},
	{"a byte order mark stays", "\xef\xbb\xbf{}", 0,
	 "\xef\xbb\xbf{\n    \"runtimes\": {\n        " NV "\n    }\n}"},
	{"a name inside another object isn't it", "{\"x\": {\"default-runtime\": 1}}", DEFAULT,
	 "{\"x\": {\"default-runtime\": 1}, \"runtimes\": {\"nvidia\": {\"path\": \"/r\"}}, "
	 "\"default-runtime\": \"nvidia\"}"},
};

static void test_docker(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(docker_cases); i++) {
		struct configure configure = settings(docker_cases[i].options);
		AUTO_ARENA arena = {0};
		struct error err = {0};
		char *after = NULL, *again = NULL, *removed = NULL;
		int r = configure_docker(docker_cases[i].before, FILE_PATH, &configure, &arena,
					 &after, &err);

		print_message("%s\n", docker_cases[i].name);
		if (!docker_cases[i].after) {
			assert_int_equal(r, -EINVAL);
			continue;
		}
		assert_int_equal(r, 0);
		assert_string_equal(after, docker_cases[i].after);
		r = configure_docker(after, FILE_PATH, &configure, &arena, &again, &err);
		assert_int_equal(r, 0);
		assert_string_equal(again, after);
		r = configure_docker_remove(after, docker_cases[i].before, FILE_PATH, &configure,
					    &arena, &removed, &err);
		assert_int_equal(r, 0);
		assert_same(removed, docker_cases[i].before);
	}
}

static const struct {
	const char *name, *text, *original, *after;
} docker_removals[] = {
	{"what others added meanwhile stays",
	 "{\n  \"a\": 1,\n  \"runtimes\": {\n    \"nvidia\": {\"path\": \"/r\"}\n  },\n  \"b\": "
	 "2\n}",
	 "{\n  \"a\": 1\n}", "{\n  \"a\": 1,\n  \"b\": 2\n}"},
	{"a runtimeType gets its program back",
	 "{\"runtimes\": {\"nvidia\": {\"runtimeType\": \"io.containerd.runc.v2\", \"options\": "
	 "{\"BinaryName\": \"/r\"}}}, \"b\": 2}",
	 "{\"runtimes\": {\"nvidia\": {\"runtimeType\": \"io.containerd.runc.v2\", \"options\": "
	 "{\"BinaryName\": \"/n\"}}}}",
	 "{\"runtimes\": {\"nvidia\": {\"runtimeType\": \"io.containerd.runc.v2\", \"options\": "
	 "{\"BinaryName\": \"/n\"}}}, \"b\": 2}"},
	{"without a backup", "{\"runtimes\": {\"nvidia\": {\"path\": \"/r\"}}, \"a\": 1}", NULL,
	 "{\"a\": 1}"},
	{"another default stays", "{\"default-runtime\": \"kata\", \"a\": 1}", NULL,
	 "{\"default-runtime\": \"kata\", \"a\": 1}"},
	{"values get back what they were",
	 "{\"default-runtime\": \"nvidia\", \"runtimes\": {\"nvidia\": {\"path\": \"/r\"}}, \"b\": "
	 "2}",
	 "{\"default-runtime\": \"runc\", \"runtimes\": {\"nvidia\": {\"path\": \"n\"}}}",
	 "{\"default-runtime\": \"runc\", \"runtimes\": {\"nvidia\": {\"path\": \"n\"}}, \"b\": 2}"},
	{"others' runtimes stay",
	 "{\"runtimes\": {\"nvidia\": {\"path\": \"/r\"}, \"kata\": {\"path\": \"k\"}}}", NULL,
	 "{\"runtimes\": {\"kata\": {\"path\": \"k\"}}}"},
	{"an older davit-runtime's path",
	 "{\"a\":1,\"b\":2,\"runtimes\":{\"nvidia\":{\"path\":\"/old/davit-runtime\"}}}",
	 "{\"a\":1}", "{\"a\":1,\"b\":2}"},
	{"another program that took the name",
	 "{\"default-runtime\": \"nvidia\", \"runtimes\": {\"nvidia\": {\"path\": \"/other\"}}}",
	 "{\"a\": 1}",
	 "{\"default-runtime\": \"nvidia\", \"runtimes\": {\"nvidia\": {\"path\": \"/other\"}}}"},
	{"CDI that somebody has enabled",
	 "{\"runtimes\": {\"nvidia\": {\"path\": \"/r\"}}, \"features\": {\"cdi\": true}}",
	 "{\"a\": 1}", "{\"features\": {\"cdi\": true}}"},
};

static void test_docker_remove(void **state)
{
	struct configure configure = settings(0);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(docker_removals); i++) {
		AUTO_ARENA arena = {0};
		struct error err = {0};
		char *after = NULL;

		print_message("%s\n", docker_removals[i].name);
		assert_int_equal(configure_docker_remove(docker_removals[i].text,
							 docker_removals[i].original, FILE_PATH,
							 &configure, &arena, &after, &err),
				 0);
		assert_same(after, docker_removals[i].after);
	}
}

static const struct {
	const char *text, *message;
} docker_refusals[] = {
	{"{\n  // mine\n}", "read " FILE_PATH ": line 2, column 3"},
	{"{\"a\": 1,}", "read " FILE_PATH ": line 1, column 9"},
	{"{\"a\": 1", "read " FILE_PATH ": line 1, column 8"},
	{"[]", "read " FILE_PATH ": it is not a JSON object"},
	{"{} {}", "read " FILE_PATH ": line 1, column 4"},
	{"{\n \"runtimes\": 1}", "read " FILE_PATH ": line 2, column 14: this must be an object"},
	{"{\"runtimes\": {\"nvidia\": []}}", "read " FILE_PATH ": line 1, column 25"},
	{"{\"runtimes\": {\"nvidia\": {\"runtimeType\": \"io.containerd.runsc.v1\"}}}",
	 "configure the runtime nvidia in " FILE_PATH ": davit can't replace its runtimeType"},
};

static void test_docker_refuses(void **state)
{
	struct configure configure = settings(0);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(docker_refusals); i++) {
		AUTO_ARENA arena = {0};
		struct error err = {0};
		char *after;

		assert_int_equal(configure_docker(docker_refusals[i].text, FILE_PATH, &configure,
						  &arena, &after, &err),
				 -EINVAL);
		assert_int_equal(err.code, ERROR_BAD_CONFIG);
		if (!string_starts(err.message, docker_refusals[i].message))
			assert_string_equal(err.message, docker_refusals[i].message);
	}
}

#include "configure_containerd.inc"
#include "configure_cri.inc"
#include "configure_own_lines.inc"
#include "configure_toml.inc"

/* ---- differences ------------------------------------------------------------------------ */

static const struct {
	const char *before, *after, *diff;
} diff_cases[] = {
	{"a\n", "a\n", ""},
	{NULL, NULL, ""},
	{NULL, "a\n", "--- /dev/null\n+++ f\n@@ -0,0 +1,1 @@\n+a\n"},
	{"a\n", NULL, "--- f\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-a\n"},
	{"a", "a\n", "--- f\n+++ f\n@@ -1,1 +1,1 @@\n-a\n\\ No newline at end of file\n+a\n"},
	{"1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nx\n6\ny\n8\n9\n",
	 "--- f\n+++ f\n@@ -2,8 +2,8 @@\n 2\n 3\n 4\n-5\n+x\n 6\n-7\n+y\n 8\n 9\n"},
};

static void test_diff(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(diff_cases); i++) {
		AUTO_ARENA arena = {0};

		assert_string_equal(
			configure_diff("f", diff_cases[i].before, diff_cases[i].after, &arena),
			diff_cases[i].diff);
	}
}

/* ---- what a file says --------------------------------------------------------------------- */

#define DOCKER(runtime) "{\"runtimes\": {\"nvidia\": " runtime "}}"

static const struct {
	const char *text, *runtime, *cgroups;
	bool cdi_off;
	const char *spec_dirs;
} docker_find_cases[] = {
	{"", NULL, NULL, false, ""},
	{"{}", NULL, NULL, false, ""},
	{DOCKER("{\"path\": \"/r\"}"), "/r", NULL, false, ""},
	{"\xef\xbb\xbf" DOCKER("{\"path\": \"/r\"}"), "/r", NULL, false, ""},
	{DOCKER("{\"path\": 5}"), NULL, NULL, false, ""},
	{DOCKER("\"/r\""), NULL, NULL, false, ""},
	{"{\"runtimes\": [], \"exec-opts\": {}}", NULL, NULL, false, ""},
	{"{\"exec-opts\": [5, \"a\", \"native.cgroupdriver=systemd\"]}", NULL, "systemd", false,
	 ""},
	{"{\"features\": {\"cdi\": false}}", NULL, NULL, true, ""},
	{"{\"features\": {\"cdi\": true, \"x\": false}}", NULL, NULL, false, ""},
	{"{\"features\": {\"cdi\": null}}", NULL, NULL, true, ""},
	{"{\"features\": null, \"runtimes\": null, \"cdi-spec-dirs\": null}", NULL, NULL, false,
	 ""},
	{DOCKER("null"), NULL, NULL, false, ""},
	{"null", NULL, NULL, false, ""},
	{"{\"cdi-spec-dirs\": [\"/a\", 5, \"/b\"]}", NULL, NULL, false, "/a /b"},
};

static void test_docker_find(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(docker_find_cases); i++) {
		struct configure_docker_facts facts;
		AUTO_ARENA arena = {0};
		struct error err = {0};

		assert_int_equal(configure_docker_find(docker_find_cases[i].text, FILE_PATH,
						       "nvidia", &arena, &facts, &err),
				 0);
		assert_same(facts.runtime, docker_find_cases[i].runtime);
		assert_same(facts.cgroups, docker_find_cases[i].cgroups);
		assert_int_equal(facts.cdi_off, docker_find_cases[i].cdi_off);
		assert_string_equal(strings_join(&arena, &facts.spec_dirs, " "),
				    docker_find_cases[i].spec_dirs);
	}
}

static void test_find_refuses_what_is_no_configuration(void **state)
{
	struct configure_docker_facts facts;
	AUTO_ARENA arena = {0};
	struct error err = {0};
	struct podman_hooks hooks = {0};

	(void)state;
	assert_int_equal(configure_docker_find("[{", FILE_PATH, "nvidia", &arena, &facts, &err),
			 -EINVAL);
	assert_int_equal(err.code, ERROR_BAD_CONFIG);
	assert_non_null(strstr(err.fix, FILE_PATH));
	assert_int_equal(configure_podman_hook_folders("[{", FILE_PATH, &arena, &hooks, &err),
			 -EINVAL);
	assert_int_equal(err.code, ERROR_BAD_CONFIG);
	assert_non_null(strstr(err.fix, FILE_PATH));
}

static void test_podman_hook_folders(void **state)
{
	static const struct {
		const char *text, *folders;
	} files[] = {
		{"hooks_dir = [\"/no\"]\n[engine]\nhooks_dir = [\"/a\", \"/b\"]\n", "/a /b"},
		{"[engine]\nruntime = \"crun\"\n", "/a /b"},
		{"[engine]\nhooks_dir = [\"/c\", {append=true}]\n", "/a /b /c"},
		/* The attribute applies until another file changes it. */
		{"[engine]\nhooks_dir = [\"/d\"]\n", "/a /b /c /d"},
		{"[engine]\nhooks_dir = [\n]\n", "/a /b /c /d"},
		{"[engine]\nhooks_dir = [{append=false}, \"/e\"]\n", "/e"},
		{"[engine]\nhooks_dir = [\n]\n", ""},
	};
	AUTO_ARENA arena = {0};
	struct error err = {0};
	struct podman_hooks hooks = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		assert_int_equal(configure_podman_hook_folders(files[i].text, FILE_PATH, &arena,
							       &hooks, &err),
				 0);
		assert_string_equal(strings_join(&arena, &hooks.folders, " "), files[i].folders);
		assert_string_equal(hooks.file, FILE_PATH);
	}
	assert_null(hooks.spec_file);
}

static void test_podman_spec_dirs(void **state)
{
	static const struct {
		const char *text, *dirs;
	} files[] = {
		{"[engine]\ncdi_spec_dirs = [\"/a\"]\nhooks_dir = [\"/h\"]\n", "/a"},
		{"[engine]\nruntime = \"crun\"\n", "/a"},
		{"[engine]\ncdi_spec_dirs = [\"/b\", {append=true}]\n", "/a /b"},
		{"[engine]\ncdi_spec_dirs = [{append=false}]\n", ""},
	};
	AUTO_ARENA arena = {0};
	struct error err = {0};
	struct podman_hooks hooks = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		assert_int_equal(configure_podman_hook_folders(files[i].text, FILE_PATH, &arena,
							       &hooks, &err),
				 0);
		assert_string_equal(strings_join(&arena, &hooks.spec_dirs, " "), files[i].dirs);
		assert_string_equal(hooks.spec_file, FILE_PATH);
	}
	assert_string_equal(strings_join(&arena, &hooks.folders, " "), "/h");
}

/* What `systemctl cat` would show last: a folder's file hides those of later folders. */
static void test_service_program(void **state)
{
	static const struct {
		const char *command, *program;
	} steps[] = {
		{"mkdir -p usr/lib/systemd/system etc/systemd/system lib/systemd/system", NULL},
		{"printf '[Service]\\nExecStartPre=/bin/true\\nExecStart=-/usr/bin/x --a\\n' > "
		 "usr/lib/systemd/system/x.service",
		 "/usr/bin/x"},
		{"printf '[Service]\\nExecStart=/lib/x\\n' > lib/systemd/system/x.service",
		 "/usr/bin/x"},
		{"mkdir usr/lib/systemd/system/x.service.d etc/systemd/system/x.service.d; printf "
		 "'[Service]\\nExecStart=\\nExecStart=/opt/x\\n' > "
		 "usr/lib/systemd/system/x.service.d/50.conf",
		 "/opt/x"},
		{"printf '[Service]\\nExecStart=\\nExecStart=@/first/x x' > "
		 "etc/systemd/system/x.service.d/10.conf",
		 "/opt/x"},
		{"ln -s /dev/null etc/systemd/system/x.service.d/50.conf", "/first/x"},
		{"printf '[Service]\\nExecStart=\\n' > etc/systemd/system/x.service.d/60.conf",
		 NULL},
		{"printf '[Service]\\nExecStart=x\\n' > etc/systemd/system/x.service.d/70.conf",
		 NULL},
		{"rm -r etc/systemd; printf 'ExecStart=' > lib/systemd/system/y.service", "/opt/x"},
	};
	char folder[] = "/tmp/davit-configure-XXXXXX";
	AUTO_ARENA arena = {0};
	struct error err = {0};
	AUTO_ROOT root = {.fd = -1};
	struct configure_service service;

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_int_equal(root_open(folder, &root, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		const char *command = arena_printf(&arena, "cd %s && %s", folder, steps[i].command);

		assert_int_equal(system(command), 0);
		assert_int_equal(configure_find_service(&root, "x", "x", &arena, &service), 0);
		assert_same(service.program, steps[i].program);
	}
	assert_int_equal(configure_find_service(&root, "y", "x", &arena, &service), 0);
	assert_null(service.program);
	assert_int_equal(system(arena_printf(&arena, "rm -r %s", folder)), 0);
}

/* The program's own words: what starts it has options of its own. */
static void test_service_words(void **state)
{
	static const struct {
		const char *command;
		bool hidden;
		const char *program, *argument;
	} cases[] = {
		{"/usr/bin/x -c /f", false, "/usr/bin/x", "-c"},
		{"/usr/bin/env A=b -u C /usr/bin/x --config=/f", false, "/usr/bin/x",
		 "--config=/f"},
		{"/usr/bin/nice -n -5 /usr/bin/x a", false, "/usr/bin/x", "a"},
		{"/usr/bin/taskset -c 0-3 x a", false, NULL, "a"},
		{"/bin/sh -c 'exec /usr/bin/x --config /f'", true, NULL, NULL},
		{"/bin/sh -c 'exec /usr/bin/x --root /var/lib/x'", true, NULL, NULL},
		{"/usr/local/bin/start-x -c /f", true, NULL, NULL},
		{"/usr/local/bin/start-x /f /var/lib/x", true, NULL, NULL},
		{"/usr/bin/env -C /etc/systemd/x /usr/bin/x a", false, "/usr/bin/x", "a"},
		{"/usr/bin/x -c f\nWorkingDirectory=~", true, NULL, NULL},
		{"/usr/bin/x -c /f\nRootDirectory=/srv", true, NULL, NULL},
		{"/usr/bin/x a\nRootDirectory=/", false, "/usr/bin/x", "a"},
	};
	char folder[] = "/tmp/davit-configure-XXXXXX";
	AUTO_ARENA arena = {0};
	struct error err = {0};
	AUTO_ROOT root = {.fd = -1};

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_int_equal(root_open(folder, &root, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct configure_service service;

		assert_int_equal(
			system(arena_printf(
				&arena,
				"mkdir -p %s/etc/systemd/system %s/etc/systemd/x && printf '%%s\n' '[Service]' "
				"\"ExecStart=%s\" > %s/etc/systemd/system/x.service",
				folder, folder, cases[i].command, folder)),
			0);
		assert_int_equal(configure_find_service(&root, "x", "x", &arena, &service), 0);
		assert_int_equal(service.hidden, cases[i].hidden);
		assert_same(service.program, cases[i].program);
		assert_same(service.arguments.count ? service.arguments.items[0] : NULL,
			    cases[i].argument);
	}
	assert_int_equal(system(arena_printf(&arena, "rm -r %s", folder)), 0);
}

#define START "[Service]\nExecStart="

/* The words with which systemd starts it, and its working directory. */
static void test_unit(void **state)
{
	static const struct {
		const char *texts[3];
		const char *words, *folder;
	} cases[] = {
		{{""}, "", NULL},
		{{"ExecStart=/a\n[Unit]\nExecStart=/a\n"}, "", NULL},
		{{START "/a -c /x\n"}, "/a|-c|/x", NULL},
		{{START "/a\n", START "\nExecStart = -@/b name  --config=/y \n"},
		 "/b|--config=/y",
		 NULL},
		{{START "/a\n", START "\n"}, "", NULL},
		{{"# c\n[Service]\n; c\nExecStart=/a \\\n # c\n  -c \\\n  '/x y'\nType=notify\n"},
		 "/a|-c|/x y",
		 NULL},
		{{START "\"/a b\" \"-c\"=\\x\\s\\\\ ''\r\n"}, "/a b|-c=x \\|", NULL},
		{{START "/a %E/c.toml %t %S 100%% %i %"},
		 "/a|/etc/c.toml|/run|/var/lib|100%|%i|%",
		 NULL},
		{{START "/a --config ${F} $$ ${NONE}b $G $NONE\nEnvironment=F=/x \"G=-l debug\"\n"},
		 "/a|--config|/x|$|b|-l|debug",
		 NULL},
		{{START ":/a ${F} $F\nEnvironment=F=/x\n"}, "/a|${F}|$F", NULL},
		{{START "/a ${F}\nEnvironment=F=/x F=/y\n", "[Service]\nEnvironment=\n"},
		 "/a|",
		 NULL},
		{{START "/a ${F}\nEnvironment=FF=/x F=/y\n"}, "/a|/y", NULL},
		{{START "/a ${F\nEnvironment=F=/y\n"}, "/a|${F", NULL},
		{{START "/a\nWorkingDirectory=/w\n"}, "/a", "/w"},
		{{START "/a\nWorkingDirectory=-/w\n", "[Service]\nWorkingDirectory=~\n"},
		 "/a",
		 NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_ARENA arena = {0};
		struct strings words;
		struct unit unit = {0};

		print_message("%s\n", cases[i].texts[0]);
		for (size_t j = 0; cases[i].texts[j]; j++)
			assert_int_equal(unit_read(cases[i].texts[j], &arena, &unit), 0);
		assert_int_equal(unit_words(&unit, &arena, &words), 0);
		assert_string_equal(strings_join(&arena, &words, "|"), cases[i].words);
		assert_same(unit.folder, cases[i].folder);
	}
}

static void test_unit_variables(void **state)
{
	AUTO_ARENA arena = {0};
	struct strings words;
	struct unit unit = {0};

	(void)state;
	assert_int_equal(unit_read(START "/a ${A} ${B} ${C} ${D}\nEnvironment=A=0 D=d\n"
					 "EnvironmentFile=-/f\nEnvironmentFile=/g",
				   &arena, &unit),
			 0);
	assert_string_equal(strings_join(&arena, &unit.files, " "), "/f /g");
	assert_int_equal(unit_read_variables("# A=9\n\n A = 1 2 \nB=\"x y\"\nnone\nC='z'\r\n",
					     &arena, &unit),
			 0);
	assert_int_equal(unit_words(&unit, &arena, &words), 0);
	assert_string_equal(strings_join(&arena, &words, "|"), "/a|1 2|x y|z|d");
}

static void test_containerd_arguments(void **state)
{
	static const struct {
		const char *const words[6];
		const char *file;
		bool daemon;
	} cases[] = {
		{{NULL}, NULL, true},
		{{"--config", "/a"}, "/a", true},
		{{"-c", "/a", "--log-level", "debug"}, "/a", true},
		{{"-l", "debug", "--config=/a"}, "/a", true},
		{{"-config=/a"}, "/a", true},
		{{"--c=/a", "-config", "/b"}, "/b", true},
		{{"--log-level=debug", "--root", "--config"}, NULL, true},
		{{"-a", "-c", "--state=/x"}, NULL, true},
		{{"--config"}, NULL, true},
		{{"--config", "/a", "config", "dump"}, "/a", false},
		{{"config", "dump"}, NULL, false},
		{{"--version"}, NULL, false},
		{{"-v"}, NULL, false},
		{{"--", "--config=/a"}, NULL, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_ARENA arena = {0};
		struct strings arguments = {0};
		const char *file = "";

		for (size_t j = 0; cases[i].words[j]; j++)
			assert_int_equal(strings_add(&arena, &arguments, cases[i].words[j]), 0);
		assert_int_equal(containerd_read_arguments(&arguments, &file), cases[i].daemon);
		assert_same(file, cases[i].file);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_docker_version),
		cmocka_unit_test(test_docker_dirs),
		cmocka_unit_test(test_docker),
		cmocka_unit_test(test_docker_remove),
		cmocka_unit_test(test_docker_refuses),
		cmocka_unit_test(test_containerd_imports),
		cmocka_unit_test(test_containerd_imports_removed),
		cmocka_unit_test(test_containerd_version_stays),
		cmocka_unit_test(test_containerd_drop_in),
		cmocka_unit_test(test_containerd_version),
		cmocka_unit_test(test_containerd_check),
		cmocka_unit_test(test_containerd_others),
		cmocka_unit_test(test_containerd_overridden),
		cmocka_unit_test(test_containerd_merge),
		cmocka_unit_test(test_containerd_refuses),
		cmocka_unit_test(test_containerd_template),
		cmocka_unit_test(test_containerd_left),
		cmocka_unit_test(test_containerd_template_default),
		cmocka_unit_test(test_containerd_inline),
		cmocka_unit_test(test_cri_disabled),
		cmocka_unit_test(test_cri_snapshotters),
		cmocka_unit_test(test_cri_shims),
		cmocka_unit_test(test_podman_runtimes),
		cmocka_unit_test(test_own_lines),
		cmocka_unit_test(test_own_lines_that_others_have),
		cmocka_unit_test(test_own_runtimes),
		cmocka_unit_test(test_crio),
		cmocka_unit_test(test_crio_keeps_virtual_machines),
		cmocka_unit_test(test_crio_check),
		cmocka_unit_test(test_crio_check_left),
		cmocka_unit_test(test_diff),
		cmocka_unit_test(test_docker_find),
		cmocka_unit_test(test_find_refuses_what_is_no_configuration),
		cmocka_unit_test(test_podman_hook_folders),
		cmocka_unit_test(test_podman_spec_dirs),
		cmocka_unit_test(test_service_program),
		cmocka_unit_test(test_service_words),
		cmocka_unit_test(test_unit),
		cmocka_unit_test(test_unit_variables),
		cmocka_unit_test(test_containerd_arguments),
		cmocka_unit_test(test_toml),
		cmocka_unit_test(test_toml_limits),
	};

	return cmocka_run_group_tests_name("configure", tests, NULL, NULL);
}

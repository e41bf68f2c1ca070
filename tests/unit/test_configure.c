// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "davit/configure.h"

#define NV "\"nvidia\": {\n            \"path\": \"/r\"\n        }"
#define FILE_PATH "/etc/file"
#define DROP_IN "/etc/containerd/conf.d/davit.toml"
#define PATTERN "\"/etc/containerd/conf.d/*.toml\""

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
	const char *name, *before;
	unsigned options;
	const char *after;
} docker_cases[] = {
	{"no file",				 NULL,							    0,             "{\n    \"runtimes\": {\n        " NV "\n    }\n}\n"    },
	{"an empty file",			   " \n",							   0,             "{\n    \"runtimes\": {\n        " NV "\n    }\n}\n"    },
	{"an empty object",                         "{}",							    DEFAULT,
	 "{\n    \"runtimes\": {\n        " NV "\n    },\n    \"default-runtime\": \"nvidia\"\n}"                                                                                           },
	{"one line stays one line",                 "{\"a\":1,\"b\":[{}]}",                                          CDI,
	 "{\"a\":1,\"b\":[{}],\"runtimes\":{\"nvidia\":{\"path\":\"/r\"}},\"features\":{\"cdi\":"
	 "true}}"																					   },
	{"tabs, numbers, order",                    "{\n\t\"z\": 1.50e3,\n\t\"a\": 007\n}\n",                        0,             NULL                                                    },
	{"tabs and numbers stay",                   "{\n\t\"z\": 1.50e3,\n\t\"a\": 7\n}\n",                          0,
	 "{\n\t\"z\": 1.50e3,\n\t\"a\": 7,\n\t\"runtimes\": {\n\t\t\"nvidia\": {\n\t\t\t\"path\": "
	 "\"/r\"\n\t\t}\n\t}\n}\n"																			  },
	{"lines end as they did",                   "{\r\n  \"a\": 1\r\n}\r\n",                                      DEFAULT,
	 "{\r\n  \"a\": 1,\r\n  \"runtimes\": {\r\n    \"nvidia\": {\r\n      \"path\": "
	 "\"/r\"\r\n    }\r\n  },\r\n  \"default-runtime\": \"nvidia\"\r\n}\r\n"													    },
	{"another runtime is kept",                 "{\n  \"runtimes\": {\n    \"kata\": {\"path\": \"k\"}\n  }\n}",
	 0,															 "{\n  \"runtimes\": {\n    \"kata\": {\"path\": \"k\"},\n    \"nvidia\": {\n      "
	 "\"path\": \"/r\"\n    }\n  }\n}"																       },
	{"a runtime of that name changes its path",
	 "{\"runtimes\": {\"nvidia\": {\"args\": [\"}\"], \"path\": \"n\\\"\"}}}",                                   0,
	 "{\"runtimes\": {\"nvidia\": {\"args\": [\"}\"], \"path\": \"/r\"}}}"													      },
	{"values are replaced in place",
	 "{\"default-runtime\" : \"runc\", \"features\": {\"cdi\": false}, \"runtimes\": "
	 "{\"nvidia\": {\"path\": \"/r\"}}}",									DEFAULT | CDI,
	 "{\"default-runtime\" : \"nvidia\", \"features\": {\"cdi\": true}, \"runtimes\": "
	 "{\"nvidia\": {\"path\": \"/r\"}}}"																		},
	{"names are compared as decoded",           "{\"runti\\u006des\": {\"nvidia\": {\"path\": \"/r\"}}}",
	 0,															 "{\"runti\\u006des\": {\"nvidia\": {\"path\": \"/r\"}}}"},
	{"a name inside another object isn't it",   "{\"x\": {\"default-runtime\": 1}}",                             DEFAULT,
	 "{\"x\": {\"default-runtime\": 1}, \"runtimes\": {\"nvidia\": {\"path\": \"/r\"}}, "
	 "\"default-runtime\": \"nvidia\"}"																		 },
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
	 "2\n}",											    "{\n  \"a\": 1\n}",							       "{\n  \"a\": 1,\n  \"b\": 2\n}"},
	{"without a backup",                  "{\"runtimes\": {\"nvidia\": {\"path\": \"/r\"}}, \"a\": 1}", NULL,
	 "{\"a\": 1}"																									},
	{"another default stays",             "{\"default-runtime\": \"kata\", \"a\": 1}",                  NULL,
	 "{\"default-runtime\": \"kata\", \"a\": 1}"																					 },
	{"values get back what they were",
	 "{\"default-runtime\": \"nvidia\", \"runtimes\": {\"nvidia\": {\"path\": \"/r\"}}, \"b\": "
	 "2}",											      "{\"default-runtime\": \"runc\", \"runtimes\": {\"nvidia\": {\"path\": \"n\"}}}",
	 "{\"default-runtime\": \"runc\", \"runtimes\": {\"nvidia\": {\"path\": \"n\"}}, \"b\": 2}"															  },
	{"others' runtimes stay",
	 "{\"runtimes\": {\"nvidia\": {\"path\": \"/r\"}, \"kata\": {\"path\": \"k\"}}}",                   NULL,
	 "{\"runtimes\": {\"kata\": {\"path\": \"k\"}}}"																				     },
	{"an older davit-runtime's path",     "{\"a\":1,\"runtimes\":{\"nvidia\":{\"path\":\"/old\"}}}",
	 "{\"a\":1}",																					 "{\"a\":1}"                    },
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
	{"{\n  // mine\n}",                    "read " FILE_PATH ": line 2, column 3"                           },
	{"{\"a\": 1,}",			"read " FILE_PATH ": line 1, column 9"                           },
	{"{\"a\": 1",			  "read " FILE_PATH ": line 1, column 8"                           },
	{"[]",				 "read " FILE_PATH ": it is not a JSON object"                    },
	{"{} {}",			      "read " FILE_PATH ": line 1, column 4"                           },
	{"{\n \"runtimes\": 1}",               "read " FILE_PATH ": line 2, column 14: this has to be an object"},
	{"{\"runtimes\": {\"nvidia\": null}}", "read " FILE_PATH ": line 1, column 25"                          },
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

/* ---- containerd ------------------------------------------------------------------------- */

static const struct {
	const char *name, *before, *after;
} import_cases[] = {
	{"no file",			      NULL,					  "version = 2\nimports = [" PATTERN "]\n"                    },
	{"comments only",                        "# none\n",                                    "version = 2\nimports = [" PATTERN "]\n# none\n"            },
	{"no imports",			   "# a\nversion = 3 # b\n\nroot = \"/x\"\n",
	 "# a\nversion = 3 # b\nimports = [" PATTERN "]\n\nroot = \"/x\"\n"										 },
	{"no newline at the end",                "version = 2",                                 "version = 2\nimports = [" PATTERN "]\n"                    },
	{"an empty list",                        "version = 2\nimports = [ ]\n",
	 "version = 2\nimports = [" PATTERN " ]\n"													  },
	{"others' imports",                      "imports = [\"/a\"] # c\nversion = 2\n",
	 "imports = [\"/a\", " PATTERN "] # c\nversion = 2\n"											       },
	{"several lines, a comma and a comment", "version = 2\nimports = [\n  '/a#', # ]\n]\n",
	 "version = 2\nimports = [\n  '/a#', " PATTERN " # ]\n]\n"											  },
	{"there already",                        "version = 2\nimports = [" PATTERN "]\n",
	 "version = 2\nimports = [" PATTERN "]\n"													   },
	{"there already, in other quotes",
	 "version = 2\nimports = ['/etc/containerd/conf.d/*.toml']\n",			  "version = 2\nimports = ['/etc/containerd/conf.d/*.toml']\n"},
	{"imports of a table aren't it",         "version = 2\n[x]\nimports = [\"/a\"]\n",
	 "version = 2\nimports = [" PATTERN "]\n[x]\nimports = [\"/a\"]\n"										  },
};

static void test_containerd_imports(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(import_cases); i++) {
		AUTO_ARENA arena = {0};
		struct error err = {0};
		char *after = NULL, *again = NULL;

		print_message("%s\n", import_cases[i].name);
		assert_int_equal(configure_containerd(import_cases[i].before, FILE_PATH, DROP_IN,
						      &arena, &after, &err),
				 0);
		assert_string_equal(after, import_cases[i].after);
		assert_int_equal(
			configure_containerd(after, FILE_PATH, DROP_IN, &arena, &again, &err), 0);
		assert_string_equal(again, after);
	}
}

static const struct {
	const char *before, *after;
} import_removals[] = {
	{"version = 2\nimports = [" PATTERN "]\n",                NULL                               },
	{"version = 2\nimports = [" PATTERN "]\nroot = \"/x\"\n", "version = 2\nroot = \"/x\"\n"     },
	{"version = 2\nimports = [\"/a\", " PATTERN "]\n",        "version = 2\nimports = [\"/a\"]\n"},
	{"version = 2\nimports = [" PATTERN ", \"/a\"]\n",        "version = 2\nimports = [\"/a\"]\n"},
	{"version = 2\nimports = [\"/a\"]\n",                     "version = 2\nimports = [\"/a\"]\n"},
};

static void test_containerd_imports_removed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(import_removals); i++) {
		AUTO_ARENA arena = {0};
		struct error err = {0};
		char *after = NULL;

		assert_int_equal(configure_containerd_remove(import_removals[i].before, FILE_PATH,
							     DROP_IN, &arena, &after, &err),
				 0);
		assert_same(after, import_removals[i].after);
	}
}

#define CRI "plugins.\"io.containerd.grpc.v1.cri\""
#define CRI3 "plugins.\"io.containerd.cri.v1.runtime\""
static const struct {
	const char *name, *before;
	unsigned options;
	const char *after; /* behind the comment */
} drop_in_cases[] = {
	{"nothing to repeat",						 NULL,            0,
	 "version = 2\n\n\n[" CRI ".containerd.runtimes.\"nvidia\"]\nruntime_type = "
	 "\"io.containerd.runc.v2\"\n\n[" CRI
	 ".containerd.runtimes.\"nvidia\".options]\nBinaryName = \"/r\"\n"                      },
	{"version 3, default, CDI",					   "version = 3\n", DEFAULT | CDI,
	 "version = 3\n\n\n[" CRI3 "]\nenable_cdi = true\n\n[" CRI3
	 ".containerd]\ndefault_runtime_name = \"nvidia\"\n\n[" CRI3
	 ".containerd.runtimes.\"nvidia\"]\nruntime_type = \"io.containerd.runc.v2\"\n\n[" CRI3
	 ".containerd.runtimes.\"nvidia\".options]\nBinaryName = \"/r\"\n"                      },
	{"the section is repeated, the default runtime's options taken over",
	 "version = 2\n[" CRI
	 "]\n  sandbox_image = \"p\" # x\n  enable_cdi = false\n[other]\na = 1\n[" CRI
	 ".containerd]\n  default_runtime_name = \"crun\"\n  snapshotter = '''\nx'''\n[" CRI
	 ".containerd.runtimes.crun]\nruntime_type = \"t\"\nprivileged_without_host_devices = "
	 "true\n[" CRI
	 ".containerd.runtimes.crun.options]\nBinaryName = \"c\"\nSystemdCgroup = true\n[" CRI
	 ".containerd.runtimes.nvidia]\nx = 1",						DEFAULT | CDI,
	 "version = 2\n\n[" CRI "]\nenable_cdi = true\n  sandbox_image = \"p\" # x\n[" CRI
	 ".containerd]\ndefault_runtime_name = \"nvidia\"\n  snapshotter = '''\nx'''\n[" CRI
	 ".containerd.runtimes.crun]\nruntime_type = \"t\"\nprivileged_without_host_devices = "
	 "true\n[" CRI ".containerd.runtimes.crun.options]\nBinaryName = \"c\"\nSystemdCgroup = "
	 "true\n\n[" CRI ".containerd.runtimes.\"nvidia\"]\nruntime_type = "
	 "\"io.containerd.runc.v2\"\nprivileged_without_host_devices = true\n\n[" CRI
	 ".containerd.runtimes.\"nvidia\".options]\nBinaryName = \"/r\"\nSystemdCgroup = true\n"},
};

static void test_containerd_drop_in(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(drop_in_cases); i++) {
		struct configure configure = settings(drop_in_cases[i].options);
		AUTO_ARENA arena = {0};
		struct error err = {0};
		const char *note;
		char *after = NULL;

		print_message("%s\n", drop_in_cases[i].name);
		assert_int_equal(configure_containerd_drop_in(drop_in_cases[i].before, FILE_PATH,
							      &configure, &arena, &after, &note,
							      &err),
				 0);
		assert_null(note);
		assert_string_equal(strstr(after, "version = "), drop_in_cases[i].after);
	}
}

static void test_containerd_note(void **state)
{
	struct configure configure = settings(0);
	AUTO_ARENA arena = {0};
	struct error err = {0};
	const char *note;
	char *after;

	(void)state;
	assert_int_equal(configure_containerd_drop_in("version = 2\ndisabled_plugins = [\"cri\"]\n",
						      FILE_PATH, &configure, &arena, &after, &note,
						      &err),
			 0);
	assert_non_null(note);
}

static const struct {
	const char *text, *message;
} containerd_refusals[] = {
	{"version = 1\n",                   "edit " FILE_PATH ": its format is another version"        },
	{"root = \"/x\"\n",                 "edit " FILE_PATH ": its format is version 1"              },
	{"version = 2\nimports = \"/a\"\n", "edit " FILE_PATH ": `imports` is no list"                 },
	{"version = 2\n[plugins\n",         "read " FILE_PATH ": line 2, column 9: a `]` is missing"   },
	{"version = 2\na = \"x\n",          "read " FILE_PATH ": line 2, column 5: the end of a string"},
	{"version = 2\na = [1,\n",          "read " FILE_PATH ": line 2, column 5: the end of an array"},
	{"version = 2\na\n",                "read " FILE_PATH ": line 2, column 2: a `=` is missing"   },
	{"version = 2\na = \n",             "read " FILE_PATH ": line 2, column 5: a value is missing" },
	{"version = 2\na = 1 b\n",          "read " FILE_PATH ": line 2, column 7: something stands"   },
	{"version = 2\na = 1]\n",           "read " FILE_PATH ": line 2, column 6: a bracket"          },
	{"version = 2\n\"a\\u0020\" = 1\n", "read " FILE_PATH ": line 2, column 3: a key with"         },
	{"version = 2\n= 1\n",              "read " FILE_PATH ": line 2, column 1: a key is missing"   },
};

static void test_containerd_refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(containerd_refusals); i++) {
		AUTO_ARENA arena = {0};
		struct error err = {0};
		char *after;

		assert_int_equal(configure_containerd(containerd_refusals[i].text, FILE_PATH,
						      DROP_IN, &arena, &after, &err),
				 -EINVAL);
		if (!string_starts(err.message, containerd_refusals[i].message))
			assert_string_equal(err.message, containerd_refusals[i].message);
	}
}

static void test_containerd_refuses_forms(void **state)
{
	static const char *const texts[] = {
		"version = 2\n[plugins]\n\"io.containerd.grpc.v1.cri\" = {}\n",
		"version = 2\nplugins.\"io.containerd.grpc.v1.cri\".x = 1\n",
	};
	struct configure configure = settings(0);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		AUTO_ARENA arena = {0};
		struct error err = {0};
		const char *note;
		char *after;

		assert_int_equal(configure_containerd_drop_in(texts[i], FILE_PATH, &configure,
							      &arena, &after, &note, &err),
				 -EINVAL);
		assert_int_equal(err.code, ERROR_BAD_CONFIG);
	}
}

/* ---- the rest --------------------------------------------------------------------------- */

static void test_crio(void **state)
{
	struct configure plain = settings(0), as_default = settings(DEFAULT);
	AUTO_ARENA arena = {0};

	(void)state;
	assert_string_equal(
		configure_crio(&plain, &arena),
		"# Made by `davit configure crio`.\n[crio.runtime.runtimes.\"nvidia\"]\n"
		"runtime_path = \"/r\"\nruntime_type = \"oci\"\n");
	assert_non_null(strstr(configure_crio(&as_default, &arena),
			       "[crio.runtime]\ndefault_runtime = \"nvidia\"\n"));
}

static const struct {
	const char *before, *after, *diff;
} diff_cases[] = {
	{"a\n",			 "a\n",			 ""								     },
	{NULL,			  NULL,			  ""								     },
	{NULL,			  "a\n",			 "--- /dev/null\n+++ f\n@@ -0,0 +1,1 @@\n+a\n"                          },
	{"a\n",			 NULL,			  "--- f\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-a\n"                          },
	{"a",			   "a\n",			 "--- f\n+++ f\n@@ -1,1 +1,1 @@\n-a\n\\ No newline at end of file\n+a\n"},
	{"1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nx\n6\ny\n8\n9\n",
	 "--- f\n+++ f\n@@ -2,8 +2,8 @@\n 2\n 3\n 4\n-5\n+x\n 6\n-7\n+y\n 8\n 9\n"                                                            },
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
#define PLUGIN "[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.nvidia"

static int find_runtime(char engine, const char *text, struct arena *arena, const char **ret,
			struct error *err)
{
	switch (engine) {
	case 'd':
		return configure_docker_find(text, FILE_PATH, "nvidia", arena, ret, err);
	case 'c':
		return configure_containerd_find(text, FILE_PATH, "nvidia", arena, ret, err);
	default:
		return configure_crio_find(text, FILE_PATH, "nvidia", arena, ret, err);
	}
}

static int find_cgroups(char engine, const char *text, struct arena *arena, const char **ret,
			struct error *err)
{
	switch (engine) {
	case 'd':
		return configure_docker_cgroups(text, FILE_PATH, arena, ret, err);
	case 'c':
		return configure_containerd_cgroups(text, FILE_PATH, arena, ret, err);
	default:
		return configure_crio_cgroups(text, FILE_PATH, arena, ret, err);
	}
}

static const struct {
	char engine; /* docker, containerd or crI-O */
	const char *text, *runtime, *cgroups;
} find_cases[] = {
	{'d', "",							     NULL, NULL      },
	{'d', "{}",							   NULL, NULL      },
	{'d', DOCKER("{\"path\": \"/r\"}"),                                   "/r", NULL      },
	{'d', DOCKER("{\"path\": 5}"),					NULL, NULL      },
	{'d', DOCKER("\"/r\""),					       NULL, NULL      },
	{'d', "{\"runtimes\": [], \"exec-opts\": {}}",                        NULL, NULL      },
	{'d', "{\"exec-opts\": [5, \"a\", \"native.cgroupdriver=systemd\"]}", NULL, "systemd" },
	{'c', "",							     NULL, NULL      },
	{'c', PLUGIN ".options]\nBinaryName = \"/r\"\n",                      "/r", NULL      },
	{'c', PLUGIN "]\noptions.BinaryName = '/r' # it\n",                   "/r", NULL      },
	{'c', PLUGIN "-old.options]\nBinaryName = \"/r\"\n",                  NULL, NULL      },
	{'c', PLUGIN ".options]\nSystemdCgroup = true\n",                     NULL, "systemd" },
	{'c', PLUGIN ".options]\nSystemdCgroup = false\n",                    NULL, "cgroupfs"},
	{'r', "[crio.runtime.runtimes.nvidia]\nruntime_path = \"/r\"\n",      "/r", NULL      },
	{'r', "[crio.runtime]\ncgroup_manager = \"cgroupfs\"\n",              NULL, "cgroupfs"},
	{'r', "[crio]\nruntime.runtimes.\"nvidia\".runtime_path = \"/r\"\n",  "/r", NULL      },
};

static void test_find(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(find_cases); i++) {
		const char *runtime, *cgroups;
		AUTO_ARENA arena = {0};
		struct error err = {0};

		assert_int_equal(find_runtime(find_cases[i].engine, find_cases[i].text, &arena,
					      &runtime, &err),
				 0);
		assert_int_equal(find_cgroups(find_cases[i].engine, find_cases[i].text, &arena,
					      &cgroups, &err),
				 0);
		assert_same(runtime, find_cases[i].runtime);
		assert_same(cgroups, find_cases[i].cgroups);
	}
}

static void test_find_refuses_what_is_no_configuration(void **state)
{
	static const char engines[] = "dcr";

	(void)state;
	for (const char *engine = engines; *engine; engine++) {
		const char *found;
		AUTO_ARENA arena = {0};
		struct error err = {0};

		assert_int_equal(find_runtime(*engine, "[{", &arena, &found, &err), -EINVAL);
		assert_int_equal(err.code, ERROR_BAD_CONFIG);
		assert_int_equal(find_cgroups(*engine, "[{", &arena, &found, &err), -EINVAL);
	}
}

static void test_imports(void **state)
{
	static const char text[] = "imports = [\"/a/*.toml\", # \"/no\"\n '/b.toml', \"\"]\n"
				   "[plugins]\nimports = [\"/no\"]\n";
	AUTO_ARENA arena = {0};
	struct error err = {0};
	struct strings imports;

	(void)state;
	assert_int_equal(configure_containerd_imports(text, FILE_PATH, &arena, &imports, &err), 0);
	assert_string_equal(strings_join(&arena, &imports, " "), "/a/*.toml /b.toml");
	assert_int_equal(configure_podman_hook_folders("hooks_dir = [\"/no\"]\n[engine]\n"
						       "hooks_dir = [\"/a\", \"/b\"]\n",
						       FILE_PATH, &arena, &imports, &err),
			 0);
	assert_string_equal(strings_join(&arena, &imports, " "), "/a /b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_docker),
		cmocka_unit_test(test_docker_remove),
		cmocka_unit_test(test_docker_refuses),
		cmocka_unit_test(test_containerd_imports),
		cmocka_unit_test(test_containerd_imports_removed),
		cmocka_unit_test(test_containerd_drop_in),
		cmocka_unit_test(test_containerd_note),
		cmocka_unit_test(test_containerd_refuses),
		cmocka_unit_test(test_containerd_refuses_forms),
		cmocka_unit_test(test_crio),
		cmocka_unit_test(test_diff),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_find_refuses_what_is_no_configuration),
		cmocka_unit_test(test_imports),
	};

	return cmocka_run_group_tests_name("configure", tests, NULL, NULL);
}

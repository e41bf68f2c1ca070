// SPDX-License-Identifier: Apache-2.0
#include "unit.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "davit/config.h"

#define NAME "/etc/davit/config.json"

/* Parses a copy without terminator, so that a read behind the end is seen by ASan. */
static int parse(const char *text, size_t length, struct arena *arena, struct config *ret,
		 struct error *err)
{
	char *copy = malloc(length ? length : 1);
	int r;

	assert_non_null(copy);
	memcpy(copy, text, length);
	r = config_parse(copy, length, NAME, arena, ret, err);
	free(copy);
	return r;
}

static void assert_list(const struct strings *list, const char *joined)
{
	AUTO_ARENA arena = {0};

	assert_string_equal(strings_join(&arena, list, ","), joined);
}

static void assert_defaults(const struct config *config)
{
	assert_string_equal(config->driver.root, "/");
	assert_int_equal(config->driver.search.count, 0);
	assert_string_equal(config->driver.proc, "/proc");
	assert_string_equal(config->driver.dev, "/dev");
	assert_string_equal(config->driver.sys, "/sys");
	assert_string_equal(config->driver.run, "/run");
	assert_true(config->driver.load_modules);
	assert_int_equal(config->policy.env, ACCEPT_ALWAYS);
	assert_int_equal(config->policy.annotations, ACCEPT_AS_ENV);
	assert_false(config->policy.mounts);
	assert_list(&config->policy.env_names, "NVIDIA_VISIBLE_DEVICES");
	assert_int_equal(config->policy.capabilities, CAPABILITY_ALL);
	assert_int_equal(config->policy.image_capabilities,
			 CAPABILITY_COMPAT32 | CAPABILITY_COMPUTE | CAPABILITY_NGX |
				 CAPABILITY_UTILITY | CAPABILITY_VIDEO);
	assert_int_equal(config->policy.features, FEATURE_ALL);
	assert_false(config->policy.ignore_requirements);
	assert_true(config->policy.imex);
	assert_true(config->cgroups);
	assert_true(config->cuda_compat);
	assert_int_equal(config->runtime.mode, RUNTIME_MODE_SPEC);
	assert_int_equal(config->runtime.mounts, RUNTIME_MOUNTS_AUTO);
	assert_list(&config->runtime.candidates, "runc,crun");
	assert_string_equal(config->log.file, "");
	assert_int_equal(config->log.level, LOG_LEVEL_WARNING);
}

/* ---- capabilities ----------------------------------------------------------------------- */

static void capabilities_have_names(void **state)
{
	static const char *const names[] = {"compat32", "compute", "display", "graphics",
					    "ngx",      "utility", "video"};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		assert_string_equal(capability_name(1U << i), names[i]);
		assert_int_equal(capability_bit(slice_from(names[i])), 1U << i);
	}
	assert_null(capability_name(0));
	assert_null(capability_name(CAPABILITY_ALL));
	assert_null(capability_name(CAPABILITY_ALL + 1));
	assert_int_equal(capability_bit(slice_from("all")), CAPABILITY_ALL);
	assert_int_equal(capability_bit(slice_from("")), 0);
	assert_int_equal(capability_bit(slice_from("Compute")), 0);
	assert_int_equal(capability_bit(slice_from("compute ")), 0);
}

/* ---- what is read ----------------------------------------------------------------------- */

static void defaults_are_the_documented_ones(void **state)
{
	struct config config;
	AUTO_ARENA arena = {0};

	(void)state;
	assert_int_equal(config_defaults(&arena, &config), 0);
	assert_null(config.path);
	assert_defaults(&config);
}

static void what_is_left_out_keeps_its_default(void **state)
{
	static const char *const texts[] = {
		"{}",
		"{\"driver\":{},\"policy\":{},\"runtime\":{},\"log\":{}}",
		"// comment\n{ /* a */ } // no newline behind",
		"/**/{}/***/",
		"{}/* \n\n */\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct config config;
		AUTO_ARENA arena = {0};
		struct error err = {0};

		assert_int_equal(parse(texts[i], strlen(texts[i]), &arena, &config, &err), 0);
		assert_string_equal(config.path, NAME);
		assert_defaults(&config);
	}
}

static const char every_key[] =
	"{ // every key\n"
	"\"driver\": {\"root\": \"/run//driver\", \"search\": [\"/opt/a\", \"/opt/b /*c*/\"],\n"
	"  \"proc\": \"/p\", \"dev\": \"/d\", \"sys\": \"/s\", \"run\": \"/r\",\n"
	"  \"load-modules\": false},\n"
	"\"policy\": {\"accept-env\": \"privileged\", \"accept-annotations\": \"never\",\n"
	"  \"accept-mounts\": true, \"env-names\": [\"DOCKER_RESOURCE_GPU\"],\n"
	"  \"capabilities\": [\"utility\", \"video\"], \"ignore-requirements\": true,\n"
	"  \"requirements\": \"warn\",\n"
	"  \"image-capabilities\": [\"utility\"], \"features\": [\"gds\", \"imex\"],\n"
	"  \"imex\": false},\n"
	"\"cdi\": {\"spec-dirs\": [\"/a\"], \"annotation-prefixes\": [\"b.io/\"]},\n"
	"\"cgroups\": \"never\", \"cuda-compat\": \"never\",\n"
	"\"runtime\": {\"mode\": \"hook\", \"mounts\": \"spec\", \"candidates\": [\"/usr/bin/crun\"]},\n"
	"\"log\": {\"file\": \"/var/log/a \\\"//b\", \"level\": \"debug\"}}";

static void every_key_is_read(void **state)
{
	struct config config;
	AUTO_ARENA arena = {0};
	struct error err = {0};

	(void)state;
	assert_int_equal(parse(every_key, strlen(every_key), &arena, &config, &err), 0);
	assert_string_equal(config.driver.root, "/run//driver");
	assert_list(&config.driver.search, "/opt/a,/opt/b /*c*/");
	assert_string_equal(config.driver.proc, "/p");
	assert_string_equal(config.driver.dev, "/d");
	assert_string_equal(config.driver.sys, "/s");
	assert_string_equal(config.driver.run, "/r");
	assert_false(config.driver.load_modules);
	assert_int_equal(config.policy.env, ACCEPT_PRIVILEGED);
	assert_int_equal(config.policy.annotations, ACCEPT_NEVER);
	assert_true(config.policy.mounts);
	assert_list(&config.policy.env_names, "DOCKER_RESOURCE_GPU,NVIDIA_VISIBLE_DEVICES");
	assert_int_equal(config.policy.capabilities, CAPABILITY_UTILITY | CAPABILITY_VIDEO);
	assert_int_equal(config.policy.image_capabilities, CAPABILITY_UTILITY);
	assert_int_equal(config.policy.features, FEATURE_GDS | FEATURE_IMEX);
	assert_true(config.policy.ignore_requirements);
	assert_int_equal(config.policy.requirements, REQUIREMENTS_WARN);
	assert_list(&config.cdi.spec_dirs, "/a");
	assert_list(&config.cdi.annotation_prefixes, "b.io/");
	assert_false(config.policy.imex);
	assert_false(config.cgroups);
	assert_false(config.cuda_compat);
	assert_int_equal(config.runtime.mode, RUNTIME_MODE_HOOK);
	assert_int_equal(config.runtime.mounts, RUNTIME_MOUNTS_SPEC);
	assert_list(&config.runtime.candidates, "/usr/bin/crun");
	assert_string_equal(config.log.file, "/var/log/a \"//b");
	assert_int_equal(config.log.level, LOG_LEVEL_DEBUG);
}

static void the_usual_variable_is_always_among_them(void **state)
{
	/* clang-format off */
	static const struct {
		const char *text, *names;
	} rows[] = {
		{"{\"policy\":{\"env-names\":[]}}", "NVIDIA_VISIBLE_DEVICES"},
		{"{\"policy\":{\"env-names\":[\"A\",\"B\"]}}", "A,B,NVIDIA_VISIBLE_DEVICES"},
		{"{\"policy\":{\"env-names\":[\"NVIDIA_VISIBLE_DEVICES\",\"A\"]}}",
		 "NVIDIA_VISIBLE_DEVICES,A"},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct config config;
		AUTO_ARENA arena = {0};
		struct error err = {0};

		assert_int_equal(parse(rows[i].text, strlen(rows[i].text), &arena, &config, &err),
				 0);
		assert_list(&config.policy.env_names, rows[i].names);
	}
}

static void capabilities_may_be_all_or_none(void **state)
{
	/* clang-format off */
	static const struct {
		const char *text;
		unsigned capabilities;
	} rows[] = {
		{"{\"policy\":{\"capabilities\":[\"all\"]}}", CAPABILITY_ALL},
		{"{\"policy\":{\"capabilities\":[]}}", 0},
		{"{\"policy\":{\"capabilities\":[\"ngx\",\"ngx\"]}}", CAPABILITY_NGX},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct config config;
		AUTO_ARENA arena = {0};
		struct error err = {0};

		assert_int_equal(parse(rows[i].text, strlen(rows[i].text), &arena, &config, &err),
				 0);
		assert_int_equal(config.policy.capabilities, rows[i].capabilities);
	}
}

static void features_are_a_list(void **state)
{
	/* clang-format off */
	static const struct {
		const char *text;
		unsigned features;
	} rows[] = {
		{"[]", 0},
		{"[\"all\"]", FEATURE_ALL},
		{"[\"gdrcopy\",\"gds\",\"imex\",\"mofed\",\"nvswitch\"]", FEATURE_ALL},
		{"[\"nvswitch\",\"nvswitch\"]", FEATURE_NVSWITCH},
		{"[\"mofed\",\"gdrcopy\"]", FEATURE_MOFED | FEATURE_GDRCOPY},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct config config;
		AUTO_ARENA arena = {0};
		struct error err = {0};
		char *text = arena_printf(&arena, "{\"policy\":{\"features\":%s}}", rows[i].text);

		assert_int_equal(parse(text, strlen(text), &arena, &config, &err), 0);
		assert_int_equal(config.policy.features, rows[i].features);
	}
}

static void annotations_follow_the_environment_until_they_are_set(void **state)
{
	/* clang-format off */
	static const struct {
		const char *policy;
		enum accept annotations;
	} rows[] = {
		{"\"accept-env\":\"never\"", ACCEPT_AS_ENV},
		{"\"accept-env\":\"never\",\"accept-annotations\":\"as-env\"", ACCEPT_AS_ENV},
		{"\"accept-annotations\":\"always\",\"accept-env\":\"never\"", ACCEPT_ALWAYS},
		{"\"accept-annotations\":\"privileged\"", ACCEPT_PRIVILEGED},
		{"\"accept-annotations\":\"never\"", ACCEPT_NEVER},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct config config;
		AUTO_ARENA arena = {0};
		struct error err = {0};
		char *text = arena_printf(&arena, "{\"policy\":{%s}}", rows[i].policy);

		assert_int_equal(parse(text, strlen(text), &arena, &config, &err), 0);
		assert_int_equal(config.policy.annotations, rows[i].annotations);
	}
}

/* ---- what is refused -------------------------------------------------------------------- */

/* clang-format off */
static const struct {
	const char *text, *message, *fix;
} bad_texts[] = {
	/* unknown keys */
	{"{\"drivers\":{}}", "read " NAME ": unknown key \"drivers\"",
	 "did you mean \"driver\"?"},
	{"{\"driver\":{\"roots\":\"/\"}}", "unknown key \"driver.roots\"",
	 "did you mean \"driver.root\"?"},
	{"{\"driver\":{\"load_modules\":true}}", "unknown key \"driver.load_modules\"",
	 "did you mean \"driver.load-modules\"?"},
	{"{\"policy\":{\"accept-envs\":\"never\"}}", "unknown key \"policy.accept-envs\"",
	 "did you mean \"policy.accept-env\"?"},
	{"{\"cgroup\":\"auto\"}", "unknown key \"cgroup\"", "did you mean \"cgroups\"?"},
	{"{\"driver.root\":\"/\"}", "unknown key \"driver.root\"",
	 "nest it: {\"driver\": {\"root\": ...}}"},
	{"{\"driver.rot\":\"/\"}", "unknown key \"driver.rot\"",
	 "did you mean \"driver.root\"?"},
	{"{\"root\":\"/\"}", "unknown key \"root\"", "remove the key"},
	{"{\"something-else\":1}", "unknown key \"something-else\"", "remove the key"},
	{"{\"driver\":{\"policy\":{}}}", "unknown key \"driver.policy\"", ""},
	{"{\"\":1}", "unknown key \"\"", ""},
	{"{\"a\\u001b[2J\":1}", "unknown key \"a?[2J\"", ""},
	/* wrong types and values */
	{"{\"driver\":[]}", "driver must be an object", ""},
	{"{\"policy\":null}", "policy must be an object", ""},
	{"{\"runtime\":\"spec\"}", "runtime must be an object", ""},
	{"{\"log\":1}", "log must be an object", ""},
	{"{\"policy\":{\"requirements\":true}}",
	 "policy.requirements must be \"auto\", \"enforce\", \"warn\" or \"ignore\"", ""},
	{"{\"cdi\":{\"annotation-prefixes\":[\"a\"]}}",
	 "cdi.annotation-prefixes must be a list of annotation prefixes", ""},
	{"{\"driver\":{\"root\":1}}", "driver.root must be an absolute path", ""},
	{"{\"driver\":{\"root\":\"\"}}", "driver.root must be an absolute path", ""},
	{"{\"driver\":{\"root\":\"run/x\"}}", "driver.root must be an absolute path", ""},
	{"{\"driver\":{\"root\":null}}", "driver.root must be an absolute path", ""},
	{"{\"driver\":{\"root\":\"/a\\n\"}}", "driver.root must be an absolute path", ""},
	{"{\"driver\":{\"proc\":\"proc\"}}", "driver.proc must be an absolute path", ""},
	{"{\"driver\":{\"dev\":[]}}", "driver.dev must be an absolute path", ""},
	{"{\"driver\":{\"sys\":true}}", "driver.sys must be an absolute path", ""},
	{"{\"driver\":{\"run\":\".\"}}", "driver.run must be an absolute path", ""},
	{"{\"driver\":{\"search\":\"/opt\"}}", "driver.search must be a list of absolute paths",
	 ""},
	{"{\"driver\":{\"search\":[\"opt\"]}}", "driver.search must be a list of absolute paths",
	 ""},
	{"{\"driver\":{\"search\":[1]}}", "driver.search must be a list of absolute paths", ""},
	{"{\"driver\":{\"load-modules\":\"yes\"}}", "driver.load-modules must be true or false",
	 ""},
	{"{\"driver\":{\"load-modules\":1}}", "driver.load-modules must be true or false", ""},
	{"{\"policy\":{\"accept-env\":true}}",
	 "policy.accept-env must be \"always\", \"privileged\" or \"never\"", ""},
	{"{\"policy\":{\"accept-env\":\"Always\"}}",
	 "policy.accept-env must be \"always\", \"privileged\" or \"never\"", ""},
	{"{\"policy\":{\"accept-env\":\"as-env\"}}",
	 "policy.accept-env must be \"always\", \"privileged\" or \"never\"", ""},
	{"{\"policy\":{\"accept-annotations\":\"\"}}", "policy.accept-annotations must be \"as-env\"",
	 ""},
	{"{\"policy\":{\"accept-annotations\":null}}", "policy.accept-annotations must be", ""},
	{"{\"policy\":{\"features\":\"gds\"}}", "policy.features must be a list of features", ""},
	{"{\"policy\":{\"features\":[\"GDS\"]}}", "policy.features: unknown feature \"GDS\"",
	 "choose among gdrcopy, gds, imex, mofed, nvswitch and all"},
	{"{\"policy\":{\"features\":[1]}}", "policy.features must be a list of features", ""},
	{"{\"policy\":{\"feature\":[]}}", "unknown key \"policy.feature\"",
	 "did you mean \"policy.features\"?"},
	{"{\"policy\":{\"image-capabilities\":[\"gds\"]}}",
	 "policy.image-capabilities: unknown capability \"gds\"", "choose among compat32,"},
	{"{\"policy\":{\"accept-mounts\":\"always\"}}",
	 "policy.accept-mounts must be true or false", ""},
	{"{\"policy\":{\"env-names\":\"A\"}}",
	 "policy.env-names must be a list of names of environment variables", ""},
	{"{\"policy\":{\"env-names\":[\"A=B\"]}}", "policy.env-names must be a list", ""},
	{"{\"policy\":{\"env-names\":[\"\"]}}", "policy.env-names must be a list", ""},
	{"{\"policy\":{\"env-names\":[\"A B\"]}}", "policy.env-names must be a list", ""},
	{"{\"policy\":{\"capabilities\":\"all\"}}",
	 "policy.capabilities must be a list of capabilities", ""},
	{"{\"policy\":{\"capabilities\":[\"compute\",\"grafics\"]}}",
	 "policy.capabilities: unknown capability \"grafics\"", "choose among compat32,"},
	{"{\"policy\":{\"capabilities\":[7]}}", "policy.capabilities must be a list", ""},
	{"{\"policy\":{\"ignore-requirements\":0}}",
	 "policy.ignore-requirements must be true or false", ""},
	{"{\"policy\":{\"imex\":\"no\"}}", "policy.imex must be true or false", ""},
	{"{\"cgroups\":true}", "cgroups must be \"auto\" or \"never\"", ""},
	{"{\"cgroups\":\"always\"}", "cgroups must be \"auto\" or \"never\"", ""},
	{"{\"cuda-compat\":null}", "cuda-compat must be \"auto\" or \"never\"", ""},
	{"{\"runtime\":{\"mode\":\"cdi\"}}", "runtime.mode must be \"spec\" or \"hook\"", ""},
	{"{\"runtime\":{\"mounts\":true}}",
	 "runtime.mounts must be \"auto\", \"hook\" or \"spec\"", ""},
	{"{\"runtime\":{\"candidates\":[]}}",
	 "runtime.candidates must be a list of at least one program", ""},
	{"{\"runtime\":{\"candidates\":[\"\"]}}", "runtime.candidates must be a list", ""},
	{"{\"runtime\":{\"candidates\":{}}}", "runtime.candidates must be a list", ""},
	{"{\"log\":{\"file\":\"davit.log\"}}", "log.file must be an absolute path or \"\"", ""},
	{"{\"log\":{\"file\":false}}", "log.file must be an absolute path or \"\"", ""},
	{"{\"log\":{\"level\":\"trace\"}}",
	 "log.level must be \"error\", \"warning\", \"info\" or \"debug\"", ""},
	{"{\"log\":{\"level\":3}}", "log.level must be", ""},
	/* no JSON */
	{"", "read " NAME ": it is empty", ""},
	{"\n", "the text ends in the middle of a value", ""},
	{"[]", "it is not a JSON object", ""},
	{"{\n  \"log\": {},\n}", "read " NAME ": line 3, column 1", ""},
	{"{\"log\":{}} {}", "line 1, column 12", ""},
	{"{/* never ends", "line 1, column 2", ""},
	{"{/* never ends *", "line 1, column 2", ""},
	{"{} /", "line 1, column 4", ""},
	{"{} # shell", "line 1, column 4", ""},
	{"{\"log\":'x'}", "line 1, column 8", ""},
	{"/* a\nb */ x", "line 2, column 6", ""},
	{"{\"log\":{\"file\":\"/a\\u0000b\"}}", "a NUL character", ""},
};
/* clang-format on */

static void bad_texts_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_texts); i++) {
		struct config config;
		AUTO_ARENA arena = {0};
		struct error err = {0};

		assert_int_equal(
			parse(bad_texts[i].text, strlen(bad_texts[i].text), &arena, &config, &err),
			-EINVAL);
		assert_int_equal(err.code, ERROR_BAD_CONFIG);
		assert_part(err.message, bad_texts[i].message);
		assert_part(err.fix, bad_texts[i].fix);
	}
}

static void truncated_at_every_byte_is_an_error(void **state)
{
	(void)state;
	for (size_t length = 0; length < strlen(every_key); length++) {
		struct config config;
		AUTO_ARENA arena = {0};
		struct error err = {0};

		assert_int_equal(parse(every_key, length, &arena, &config, &err), -EINVAL);
		assert_int_equal(err.code, ERROR_BAD_CONFIG);
	}
}

/* ---- files ------------------------------------------------------------------------------ */

struct folder {
	char path[64];
	char file[96];
};

static void folder_make(struct folder *folder)
{
	(void)snprintf(folder->path, sizeof(folder->path), "/tmp/davit-config-XXXXXX");
	assert_non_null(mkdtemp(folder->path));
	(void)snprintf(folder->file, sizeof(folder->file), "%s/config.json", folder->path);
}

static void folder_remove(struct folder *folder)
{
	(void)unlink(folder->file);
	(void)rmdir(folder->file);
	(void)rmdir(folder->path);
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	/* Not left to the umask. */
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(close(fd), 0);
}

static int load(const struct folder *folder, struct error *err)
{
	struct config config;
	AUTO_ARENA arena = {0};

	return config_load(folder->file, &arena, &config, err);
}

static void assert_refused(const struct folder *folder, const char *message, const char *fix)
{
	struct error err = {0};

	assert_true(load(folder, &err) < 0);
	assert_int_equal(err.code, ERROR_BAD_CONFIG);
	assert_part(err.message, message);
	assert_part(err.message, folder->file);
	assert_part(err.fix, fix);
}

static void a_file_of_ours_is_read(void **state)
{
	static const mode_t modes[] = {0600, 0644, 0400, 0755, 0444};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct folder folder;
		struct config config;
		AUTO_ARENA arena = {0};
		struct error err = {0};

		folder_make(&folder);
		write_file(folder.file, "{\"log\": {\"level\": \"info\"}} // end", modes[i]);
		assert_int_equal(config_load(folder.file, &arena, &config, &err), 0);
		assert_string_equal(config.path, folder.file);
		assert_int_equal(config.log.level, LOG_LEVEL_INFO);
		folder_remove(&folder);
	}
}

static void a_file_that_others_can_write_is_refused(void **state)
{
	static const mode_t modes[] = {0666, 0664, 0646, 0620, 0602, 0777};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct folder folder;

		folder_make(&folder);
		write_file(folder.file, "{}", modes[i]);
		assert_refused(&folder, "users other than its owner can write it", "chmod go-w");
		folder_remove(&folder);
	}
}

static void a_file_of_another_owner_is_refused(void **state)
{
	struct folder folder;

	(void)state;
	if (geteuid() != 0) {
		print_message("skipped: giving a file away needs root\n");
		skip();
	}
	folder_make(&folder);
	write_file(folder.file, "{}", 0644);
	assert_int_equal(chown(folder.file, 4242, 0), 0);
	assert_refused(&folder, "it does not belong to root", "chown root");
	folder_remove(&folder);
}

static void a_link_is_refused(void **state)
{
	struct folder folder;
	char target[128];

	(void)state;
	folder_make(&folder);
	(void)snprintf(target, sizeof(target), "%s/target", folder.path);
	write_file(target, "{}", 0644);
	assert_int_equal(symlink(target, folder.file), 0);
	assert_refused(&folder, "it is a symbolic link", "name the file itself");
	assert_int_equal(unlink(target), 0);
	folder_remove(&folder);
}

static void a_fifo_is_refused_without_waiting(void **state)
{
	struct folder folder;

	(void)state;
	folder_make(&folder);
	assert_int_equal(mkfifo(folder.file, 0600), 0);
	assert_refused(&folder, "it is not a regular file", "");
	folder_remove(&folder);
}

static void a_directory_is_refused(void **state)
{
	struct folder folder;

	(void)state;
	folder_make(&folder);
	assert_int_equal(mkdir(folder.file, 0700), 0);
	assert_refused(&folder, "it is not a regular file", "");
	folder_remove(&folder);
}

static void a_file_that_was_named_must_exist(void **state)
{
	struct folder folder;

	(void)state;
	folder_make(&folder);
	assert_refused(&folder, "No such file or directory", "");
	folder_remove(&folder);
}

static void a_file_too_large_is_refused(void **state)
{
	struct folder folder;

	(void)state;
	folder_make(&folder);
	write_file(folder.file, "{}", 0644);
	assert_int_equal(truncate(folder.file, (off_t)CONFIG_SIZE_MAX + 1), 0);
	assert_refused(&folder, "it is larger than 1 MiB", "");
	folder_remove(&folder);
}

static void an_empty_file_is_refused(void **state)
{
	struct folder folder;

	(void)state;
	folder_make(&folder);
	write_file(folder.file, "", 0644);
	assert_refused(&folder, "it is empty", "");
	folder_remove(&folder);
}

static void the_usual_file_may_be_missing(void **state)
{
	struct config config;
	AUTO_ARENA arena = {0};
	struct error err = {0};

	(void)state;
	if (access(CONFIG_PATH, F_OK) == 0) {
		print_message("skipped: this machine has " CONFIG_PATH "\n");
		skip();
	}
	assert_int_equal(config_load(NULL, &arena, &config, &err), 0);
	assert_null(config.path);
	assert_defaults(&config);
}

/* The file that is installed says what the program does without it, and names every key. */
static void the_shipped_file_holds_the_defaults(void **state)
{
	static const char path[] = TEST_DATA "/../config/config.json";
	static const char *const keys[] = {
		"root",
		"search",
		"proc",
		"dev",
		"sys",
		"run",
		"load-modules",
		"accept-env",
		"accept-annotations",
		"accept-mounts",
		"env-names",
		"capabilities",
		"image-capabilities",
		"features",
		"ignore-requirements",
		"imex",
		"cgroups",
		"cuda-compat",
		"mode",
		"candidates",
		"seconds",
		"file",
		"level",
	};
	struct config config;
	AUTO_ARENA arena = {0};
	struct error err = {0};
	static char text[65536];
	size_t length;
	FILE *file = fopen(path, "re");

	(void)state;
	assert_non_null(file);
	length = fread(text, 1, sizeof(text) - 1, file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(parse(text, length, &arena, &config, &err), 0);
	assert_defaults(&config);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		assert_part(text, arena_printf(&arena, "\"%s\":", keys[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(capabilities_have_names),
		cmocka_unit_test(defaults_are_the_documented_ones),
		cmocka_unit_test(what_is_left_out_keeps_its_default),
		cmocka_unit_test(every_key_is_read),
		cmocka_unit_test(the_usual_variable_is_always_among_them),
		cmocka_unit_test(capabilities_may_be_all_or_none),
		cmocka_unit_test(features_are_a_list),
		cmocka_unit_test(annotations_follow_the_environment_until_they_are_set),
		cmocka_unit_test(bad_texts_are_refused),
		cmocka_unit_test(truncated_at_every_byte_is_an_error),
		cmocka_unit_test(a_file_of_ours_is_read),
		cmocka_unit_test(a_file_that_others_can_write_is_refused),
		cmocka_unit_test(a_file_of_another_owner_is_refused),
		cmocka_unit_test(a_link_is_refused),
		cmocka_unit_test(a_fifo_is_refused_without_waiting),
		cmocka_unit_test(a_directory_is_refused),
		cmocka_unit_test(a_file_that_was_named_must_exist),
		cmocka_unit_test(a_file_too_large_is_refused),
		cmocka_unit_test(an_empty_file_is_refused),
		cmocka_unit_test(the_usual_file_may_be_missing),
		cmocka_unit_test(the_shipped_file_holds_the_defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

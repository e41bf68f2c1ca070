// SPDX-License-Identifier: Apache-2.0
#include "unit.h"
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "davit/request.h"

/* ---- requests --------------------------------------------------------------------------- */

struct request_case {
	const char *name;
	const char *env[8];
	struct oci_pair annotations[4];
	struct oci_pair mounts[4]; /* destination, source */
	bool privileged;
	uint64_t bounding;
	enum accept env_policy, annotations_policy;
	bool mounts_accepted, requirements_ignored, imex_ignored, user_namespace;
	const char *env_names[4]; /* none: the default */
	const char *prefix;       /* of annotations, beside the default ones */
	unsigned allowed;         /* 0: all capabilities */
	unsigned image_allowed;   /* 0: the default */
	unsigned forbidden;       /* features */
	enum error_code error;
	const char *message, *fix; /* parts of the error */
	const char *devices;       /* NULL: no GPU container */
	const char *from;          /* NULL: not compared */
	const char *capabilities;  /* NULL: compute,utility */
	const char *acting;        /* capabilities with implications; NULL: the same */
	const char *requirements;  /* NAME:EXPRESSION;... */
	const char *imex, *mig_config, *mig_monitor, *mps, *families, *hint;
	bool legacy;
	const char *rule;         /* part of one of the rules */
	const char *spec_devices; /* names of CDI specs' devices */
	bool for_runtime;
	enum requirements requirements_policy;
	bool warn;           /* of constraints that don't hold */
	const char *warning; /* part of one of the warnings; NULL: there is none */
};

static const struct request_case request_cases[] = {
#include "request_cases.inc"
};

static void fill_config(const struct request_case *row, struct arena *arena, struct config *config)
{
	assert_int_equal(config_defaults(arena, config), 0);
	config->policy.env = row->env_policy;
	config->policy.annotations = row->annotations_policy;
	config->policy.mounts = row->mounts_accepted;
	config->policy.ignore_requirements = row->requirements_ignored;
	config->policy.requirements = row->requirements_policy;
	config->policy.imex = !row->imex_ignored;
	if (row->allowed)
		config->policy.capabilities = row->allowed;
	if (row->image_allowed)
		config->policy.image_capabilities = row->image_allowed;
	config->policy.features &= ~row->forbidden;
	if (row->env_names[0])
		config->policy.env_names.count = 0;
	for (size_t i = 0; i < ARRAY_SIZE(row->env_names) && row->env_names[i]; i++)
		(void)strings_add(arena, &config->policy.env_names, row->env_names[i]);
	if (row->prefix)
		(void)strings_add(arena, &config->cdi.annotation_prefixes, row->prefix);
	/* config_parse promises that it is there. */
	if (!strings_contain(&config->policy.env_names, "NVIDIA_VISIBLE_DEVICES"))
		(void)strings_add(arena, &config->policy.env_names, "NVIDIA_VISIBLE_DEVICES");
}

/* The rule that has this text in it; the test fails when there is none. */
static const struct request_rule *find_rule(const struct gpu_request *request, const char *text)
{
	for (size_t i = 0; i < request->rules.count; i++)
		if (strstr(request->rules.items[i].text, text))
			return &request->rules.items[i];
	fail_msg("no rule says: %s", text);
	return NULL;
}

static void fill_spec(const struct request_case *row, struct arena *arena, struct oci_spec *spec)
{
	*spec = (struct oci_spec){.version = "1.0.2", .root_path = "rootfs", .cgroups_path = ""};
	spec->bounding = row->bounding | (uint64_t)row->privileged << CAP_SYS_ADMIN;
	spec->user_namespace = row->user_namespace;
	for (size_t i = 0; i < ARRAY_SIZE(row->env) && row->env[i]; i++)
		(void)strings_add(arena, &spec->env, row->env[i]);
	for (size_t i = 0; i < ARRAY_SIZE(row->annotations) && row->annotations[i].name; i++)
		*ARENA_PUSH(arena, &spec->annotations) = row->annotations[i];
	for (size_t i = 0; i < ARRAY_SIZE(row->mounts) && row->mounts[i].name; i++) {
		const struct oci_pair *mount = &row->mounts[i];

		*ARENA_PUSH(arena, &spec->mounts) =
			(struct oci_mount){mount->name, mount->value, "bind", true, false};
	}
}

static const char *names_of(struct arena *arena, unsigned capabilities)
{
	struct strings names = {0};

	for (unsigned bit = 1; bit < CAPABILITY_ALL; bit <<= 1)
		if (capabilities & bit)
			(void)strings_add(arena, &names, capability_name(bit));
	return strings_join(arena, &names, ",");
}

static const char *families_of(struct arena *arena, const struct gpu_request *request)
{
	struct strings names = {0};

	if (request->gds)
		(void)strings_add(arena, &names, "gds");
	if (request->mofed)
		(void)strings_add(arena, &names, "mofed");
	if (request->gdrcopy)
		(void)strings_add(arena, &names, "gdrcopy");
	if (request->nvswitch)
		(void)strings_add(arena, &names, "nvswitch");
	return strings_join(arena, &names, ",");
}

static const char *requirements_of(struct arena *arena, const struct gpu_request *request)
{
	struct strings pairs = {0};

	for (size_t i = 0; i < request->requirements.count; i++)
		(void)strings_add(arena, &pairs,
				  arena_printf(arena, "%s:%s", request->requirements.items[i].name,
					       request->requirements.items[i].value));
	return strings_join(arena, &pairs, ";");
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static void assert_granted(const struct request_case *row, const struct gpu_request *request,
			   struct arena *arena)
{
	const char *granted = row->capabilities ? row->capabilities : "compute,utility";

	assert_string_equal(strings_join(arena, &request->devices, ","), row->devices);
	assert_string_equal(names_of(arena, request->capabilities_granted), granted);
	assert_string_equal(names_of(arena, request->capabilities),
			    row->acting ? row->acting : granted);
	assert_string_equal(requirements_of(arena, request), or_empty(row->requirements));
	assert_string_equal(strings_join(arena, &request->imex, ","), or_empty(row->imex));
	assert_string_equal(request->mig_config, or_empty(row->mig_config));
	assert_string_equal(request->mig_monitor, or_empty(row->mig_monitor));
	assert_string_equal(request->mps_pipe_directory, or_empty(row->mps));
	assert_string_equal(families_of(arena, request), or_empty(row->families));
	assert_string_equal(request->disable_require_hint, or_empty(row->hint));
	if (row->from)
		assert_string_equal(request->from, row->from);
	else
		assert_string_not_equal(request->from, "");
}

/* What asks, by whichever way, is seen in the text already. */
static void assert_seen_in_text(const struct oci_spec *spec, const struct config *config,
				struct arena *arena)
{
	const char *text = strings_join(arena, &spec->env, "\",\"");

	for (size_t i = 0; i < spec->annotations.count; i++)
		text = arena_printf(arena, "%s\"%s", text, spec->annotations.items[i].name);
	for (size_t i = 0; i < spec->mounts.count; i++)
		text = arena_printf(arena, "%s\"%s", text, spec->mounts.items[i].destination);
	assert_true(gpu_request_is_possible(text, strlen(text), config));
}

static void request_is_as_the_table_says(void **state)
{
	const struct request_case *row = *state;
	struct gpu_request request;
	AUTO_ARENA arena = {0};
	struct error err = {0};
	struct config config;
	struct oci_spec spec;
	int r;

	fill_config(row, &arena, &config);
	fill_spec(row, &arena, &spec);
	r = (row->for_runtime ? gpu_request_resolve_for_runtime
			      : gpu_request_resolve)(&spec, &config, &arena, &request, &err);
	assert_string_equal(error_code_name(err.code), error_code_name(row->error));
	if (row->error || row->devices)
		assert_seen_in_text(&spec, &config, &arena);
	assert_int_equal(request.privileged, row->privileged && !row->user_namespace);
	assert_int_equal(request.legacy, row->legacy);
	if (row->rule)
		(void)find_rule(&request, row->rule);
	if (row->error) {
		assert_true(r < 0);
		assert_part(err.message, row->message);
		assert_part(err.fix, row->fix);
		return;
	}
	assert_int_equal(r, 0);
	assert_int_equal(request.requirements_warn, row->warn);
	assert_int_equal(request.warnings.count > 0, row->warning != NULL);
	assert_part(strings_join(&arena, &request.warnings, "\n"), row->warning);
	assert_int_equal(request.gpu, row->devices != NULL || row->spec_devices != NULL);
	assert_int_equal(request.nvidia, row->devices != NULL);
	assert_string_equal(strings_join(&arena, &request.spec_devices, ","),
			    or_empty(row->spec_devices));
	if (row->devices) {
		assert_granted(row, &request, &arena);
	} else {
		assert_string_equal(request.from, "");
		assert_int_equal(request.devices.count, 0);
		assert_int_equal(request.capabilities, 0);
	}
}

/* ---- constraints ------------------------------------------------------------------------ */

struct requirement_case {
	const char *name, *expression;
	struct requirement_facts facts;
	enum requirement_verdict verdict;
	const char *alternative, *condition;
	unsigned missing;
	const char *problem; /* part of the error's message */
};

static const struct requirement_case requirement_cases[] = {
#include "requirement_cases.inc"
};

static void assert_text(const char *have, const char *want)
{
	if (want)
		assert_non_null(have);
	else
		assert_null(have);
	if (want)
		assert_string_equal(have, want);
}

static void constraint_is_as_the_table_says(void **state)
{
	const struct requirement_case *row = *state;
	struct requirement_answer answer;
	AUTO_ARENA arena = {0};
	struct error err = {0};
	int r = requirement_evaluate(row->expression, &row->facts, &arena, &answer, &err);

	if (row->problem) {
		assert_int_equal(r, -EINVAL);
		assert_int_equal(err.code, ERROR_BAD_REQUEST);
		assert_part(err.message, "read the constraint");
		assert_part(err.message, row->problem);
		return;
	}
	assert_int_equal(r, 0);
	assert_int_equal(answer.verdict, row->verdict);
	assert_int_equal(answer.missing, row->missing);
	assert_text(answer.alternative, row->alternative);
	assert_text(answer.condition, row->condition);
	assert_int_equal(answer.property != 0, row->verdict == REQUIREMENT_FAILED);
}

/* ---- checking all of a request's -------------------------------------------------------- */

static const struct requirement_facts host = {
	.cuda = "13.0", .driver = "580.159.04", .arch = "9.0", .brand = "tesla"};

/* Checks the constraints of this environment; the request lives in the arena. */
static int check(struct arena *arena, const char *const *env, const struct requirement_facts *facts,
		 unsigned *missing, struct error *err)
{
	struct request_case row = {.env = {"NVIDIA_VISIBLE_DEVICES=all"}};
	struct gpu_request request;
	struct config config;
	struct oci_spec spec;

	for (size_t i = 0; env[i]; i++)
		row.env[i + 1] = env[i];
	fill_config(&row, arena, &config);
	fill_spec(&row, arena, &spec);
	assert_int_equal(gpu_request_resolve(&spec, &config, arena, &request, err), 0);
	return requirements_check(&request, facts, arena, missing, err);
}

static void check_passes_what_holds(void **state)
{
	const char *const env[] = {"NVIDIA_REQUIRE_CUDA=cuda>=13.0", "NVIDIA_REQUIRE_X=arch>=9",
				   NULL};
	AUTO_ARENA arena = {0};
	struct error err = {0};
	unsigned missing = 1;

	(void)state;
	assert_int_equal(check(&arena, env, &host, &missing, &err), 0);
	assert_int_equal(missing, 0);
}

static void check_names_what_is_missing(void **state)
{
	const char *const env[] = {"NVIDIA_REQUIRE_CUDA=cuda>=99 brand=tesla",
				   "NVIDIA_REQUIRE_X=arch>=9", NULL};
	const struct requirement_facts facts = {.cuda = "13.0", .driver = "580.159.04"};
	AUTO_ARENA arena = {0};
	struct error err = {0};
	unsigned missing;

	(void)state;
	assert_int_equal(check(&arena, env, &facts, &missing, &err), 0);
	assert_int_equal(missing, REQUIRE_BRAND | REQUIRE_ARCH);
}

static void check_says_need_and_have(void **state)
{
	static const char upgrade[] =
		"upgrade the driver, use an older image, or set NVIDIA_DISABLE_REQUIRE=1";
	static const char other[] =
		"use an image built for this host, or set NVIDIA_DISABLE_REQUIRE=1";
	/* clang-format off */
	static const struct {
		const char *variable, *message, *fix;
	} rows[] = {
		{"NVIDIA_REQUIRE_CUDA=cuda>=13.1", "satisfy NVIDIA_REQUIRE_CUDA: the image needs "
		 "cuda>=13.1, the host has cuda 13.0 (driver 580.159.04)", upgrade},
		{"NVIDIA_REQUIRE_D=driver>=590", "satisfy NVIDIA_REQUIRE_D: the image needs "
		 "driver>=590, the host has driver 580.159.04", upgrade},
		{"NVIDIA_REQUIRE_A=arch>=10.0,cuda>=12", "satisfy NVIDIA_REQUIRE_A: the image needs "
		 "arch>=10.0 of arch>=10.0,cuda>=12, the host has arch 9.0", other},
		{"NVIDIA_REQUIRE_B=brand=geforce", "satisfy NVIDIA_REQUIRE_B: the image needs "
		 "brand=geforce, the host has brand tesla", other},
		{"NVIDIA_REQUIRE_C=cuda<12", "satisfy NVIDIA_REQUIRE_C: the image needs cuda<12, the "
		 "host has cuda 13.0 (driver 580.159.04)", other},
		{"CUDA_VERSION=14.2.1", "satisfy CUDA_VERSION: the image needs cuda>=14.2, the host "
		 "has cuda 13.0 (driver 580.159.04)", upgrade},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *const env[] = {rows[i].variable, NULL};
		AUTO_ARENA arena = {0};
		struct error err = {0};
		unsigned missing;

		assert_int_equal(check(&arena, env, &host, &missing, &err), -EPERM);
		assert_int_equal(err.code, ERROR_UNSATISFIED);
		assert_string_equal(err.message, rows[i].message);
		assert_string_equal(err.fix, rows[i].fix);
	}
}

static void check_names_a_near_miss_of_the_switch(void **state)
{
	const char *const env[] = {"NVIDIA_REQUIRE_CUDA=cuda>=13.1", "NVIDIA_DISABLE_REQUIRES=1",
				   NULL};
	AUTO_ARENA arena = {0};
	struct error err = {0};
	unsigned missing;

	(void)state;
	assert_int_equal(check(&arena, env, &host, &missing, &err), -EPERM);
	assert_string_equal(err.fix,
			    "upgrade the driver, use an older image, or set "
			    "NVIDIA_DISABLE_REQUIRE=1; NVIDIA_DISABLE_REQUIRES is not read");
}

static void check_names_the_variable_of_a_bad_expression(void **state)
{
	const char *const env[] = {"NVIDIA_REQUIRE_CUDA=cuda >= 11", NULL};
	AUTO_ARENA arena = {0};
	struct error err = {0};
	unsigned missing;

	(void)state;
	assert_int_equal(check(&arena, env, &host, &missing, &err), -EINVAL);
	assert_int_equal(err.code, ERROR_BAD_REQUEST);
	assert_string_equal(err.message,
			    "check NVIDIA_REQUIRE_CUDA: cannot read the constraint \"cuda\": "
			    "it must be PROPERTY OPERATOR VALUE");
}

/* ---- sizes ------------------------------------------------------------------------------ */

/* Processor time; the limits are for valgrind, quadratic work would take minutes there. */
static double seconds(void)
{
	return (double)clock() / CLOCKS_PER_SEC;
}

/* "PREFIX0,1,2,...": every number below count, `times` over. */
static char *numbers(struct arena *arena, const char *prefix, unsigned count, unsigned times)
{
	size_t room = strlen(prefix) + (size_t)count * times * 8 + 1, at;
	char *text = arena_alloc(arena, room);

	assert_non_null(text);
	at = (size_t)snprintf(text, room, "%s", prefix);
	for (unsigned i = 0; i < count * times; i++)
		at += (size_t)snprintf(text + at, room - at, "%u,", i % count);
	return text;
}

static int resolve_env(struct arena *arena, const char *first, const char *second,
		       struct gpu_request *request, struct error *err)
{
	const struct request_case row = {.env = {first, second}};
	struct config config;
	struct oci_spec spec;

	fill_config(&row, arena, &config);
	fill_spec(&row, arena, &spec);
	return gpu_request_resolve(&spec, &config, arena, request, err);
}

static void long_lists_take_no_quadratic_time(void **state)
{
	double start = seconds();
	struct gpu_request request;
	AUTO_ARENA arena = {0};
	struct error err = {0};

	(void)state;
	assert_int_equal(resolve_env(&arena, numbers(&arena, "NVIDIA_VISIBLE_DEVICES=", 30000, 2),
				     numbers(&arena, "NVIDIA_IMEX_CHANNELS=", 30000, 2), &request,
				     &err),
			 0);
	assert_int_equal(request.devices.count, 30000);
	assert_string_equal(request.devices.items[29999], "29999");
	assert_int_equal(request.imex.count, 30000);
	assert_true(seconds() - start < 5);
}

static void lists_over_the_limit_are_refused(void **state)
{
	struct gpu_request request;
	AUTO_ARENA arena = {0};
	struct error err = {0};

	(void)state;
	assert_int_equal(
		resolve_env(&arena,
			    numbers(&arena, "NVIDIA_VISIBLE_DEVICES=", REQUEST_ITEMS_MAX, 1), NULL,
			    &request, &err),
		0);
	assert_int_equal(request.devices.count, REQUEST_ITEMS_MAX);
	assert_int_equal(
		resolve_env(&arena,
			    numbers(&arena, "NVIDIA_VISIBLE_DEVICES=", REQUEST_ITEMS_MAX + 1, 1),
			    NULL, &request, &err),
		-EINVAL);
	assert_int_equal(err.code, ERROR_BAD_REQUEST);
	assert_string_equal(err.message,
			    "read env NVIDIA_VISIBLE_DEVICES: it has more than 65536 items");
}

/* Fills a spec with `count` entries "NAMEn=VALUE" and resolves it. */
static int resolve_many(struct arena *arena, const char *name, const char *value, unsigned count,
			unsigned different, struct gpu_request *request, struct error *err)
{
	const struct request_case row = {.env = {"NVIDIA_VISIBLE_DEVICES=all"}};
	struct config config;
	struct oci_spec spec;

	fill_config(&row, arena, &config);
	fill_spec(&row, arena, &spec);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(
			strings_add(arena, &spec.env,
				    arena_printf(arena, "%s%u=%s", name, i % different, value)),
			0);
	return gpu_request_resolve(&spec, &config, arena, request, err);
}

static void many_constraints_take_no_quadratic_time(void **state)
{
	double start = seconds();
	struct gpu_request request;
	AUTO_ARENA arena = {0};
	struct error err = {0};
	unsigned missing;

	(void)state;
	assert_int_equal(
		resolve_many(&arena, "NVIDIA_REQUIRE_", "cuda>=1", 60000, 30000, &request, &err),
		0);
	assert_int_equal(request.requirements.count, 30000);
	assert_int_equal(requirements_check(&request, &host, &arena, &missing, &err), 0);
	assert_true(seconds() - start < 5);
}

static void many_near_misses_are_bounded(void **state)
{
	double start = seconds();
	struct gpu_request request;
	AUTO_ARENA arena = {0};
	struct error err = {0};

	(void)state;
	assert_int_equal(
		resolve_many(&arena, "NVIDIA_VISIBLE_DEVICE", "0", 60000, 60000, &request, &err),
		0);
	assert_true(request.rules.count < 24);
	assert_true(seconds() - start < 5);
}

static void many_mounts_take_no_quadratic_time(void **state)
{
	const struct request_case row = {.mounts_accepted = true};
	double start = seconds();
	struct gpu_request request;
	AUTO_ARENA arena = {0};
	struct error err = {0};
	struct config config;
	struct oci_spec spec;

	(void)state;
	fill_config(&row, &arena, &config);
	fill_spec(&row, &arena, &spec);
	for (unsigned i = 0; i < 60000; i++)
		*ARENA_PUSH(&arena, &spec.mounts) = (struct oci_mount){
			arena_printf(&arena, "/run/nvidia-container-devices/%u", i % 30000),
			"/dev/null", "bind", true, false};
	assert_int_equal(gpu_request_resolve(&spec, &config, &arena, &request, &err), 0);
	assert_int_equal(request.devices.count, 30000);
	assert_true(seconds() - start < 5);
}

static void long_expressions_take_no_quadratic_time(void **state)
{
	static const char part[] = "brand=geforce,driver>=535,driver<536 ";
	const size_t parts = 30000, size = parts * strlen(part);
	struct requirement_answer answer;
	double start = seconds();
	AUTO_ARENA arena = {0};
	struct error err = {0};
	char *expression = arena_alloc(&arena, size + 1);

	(void)state;
	assert_non_null(expression);
	for (size_t i = 0; i < parts; i++)
		memcpy(expression + i * strlen(part), part, strlen(part));
	assert_int_equal(requirement_evaluate(expression, &host, &arena, &answer, &err), 0);
	assert_int_equal(answer.verdict, REQUIREMENT_FAILED);
	assert_string_equal(answer.condition, "brand=geforce");
	assert_true(seconds() - start < 5);
}

static void a_path_longer_than_any_is_no_request(void **state)
{
	struct request_case row = {.mounts_accepted = true};
	static char destination[8192] = "/var/run/nvidia-container-devices/";
	struct gpu_request request;
	AUTO_ARENA arena = {0};
	struct error err = {0};
	struct config config;
	struct oci_spec spec;

	(void)state;
	memset(destination + strlen(destination), 'x', 8000);
	row.mounts[0] = (struct oci_pair){destination, "/dev/null"};
	fill_config(&row, &arena, &config);
	fill_spec(&row, &arena, &spec);
	assert_int_equal(gpu_request_resolve(&spec, &config, &arena, &request, &err), 0);
	assert_false(request.gpu);
}

static void what_may_ask_is_told_by_the_text(void **state)
{
	static const struct {
		const char *text;
		bool possible;
	} texts[] = {
		{"", false},
		{"{\"env\":[\"PATH=/bin\",\"NVIDIA_VISIBLE_DEVICE=1\",\"A=\\u003c\\u0026\\u0000\\n\"]}",
		 false},
		{"\"NVIDIA_VISIBLE_DEVICES=void\"", true},
		{"\"CUDA_VERSION=9\"", true},
		{"{\"org.davit.devices\":\"0\"}", true},
		{"{\"nvidia.cdi.k8s.io/x\":\"nvidia.com/gpu=0\"}", true},
		{"\"\\/var\\/run\\/nvidia-container-devices\\/0\"", true},
		{"\"MY_GPUS=0\"", true},
		{"\"NVIDIA\\u005fVISIBLE_DEVICES=0\"", true},
		{"\"\\u004", true},
		{"\\u", true},
	};
	struct config config;
	AUTO_ARENA arena = {0};

	(void)state;
	assert_int_equal(config_defaults(&arena, &config), 0);
	assert_int_equal(strings_add(&arena, &config.policy.env_names, "MY_GPUS"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (gpu_request_is_possible(texts[i].text, strlen(texts[i].text), &config) !=
		    texts[i].possible)
			fail_msg("%s", texts[i].text);
}

static void rules_and_errors_are_printable(void **state)
{
	struct gpu_request request;
	AUTO_ARENA arena = {0};
	struct error err = {0};

	(void)state;
	assert_int_equal(resolve_env(&arena, "NVIDIA_VISIBLE_DEVICE\x80=0",
				     "NVIDIA_VISIBLE_DEVICES=\x1b]0;x\a", &request, &err),
			 -EINVAL);
	for (const char *c = err.message; *c; c++)
		assert_true(*c >= 0x20 && *c <= 0x7e);
	assert_true(request.rules.count > 0);
	for (size_t i = 0; i < request.rules.count; i++)
		for (const char *c = request.rules.items[i].text; *c; c++)
			assert_true(*c >= 0x20 && *c <= 0x7e);
}

static void rules_have_the_kind_of_what_they_say(void **state)
{
	static const struct {
		struct request_case request;
		const char *text;
		enum request_rule_kind kind;
	} rows[] = {
		{{.env = {"NVIDIA_VISIBLE_DEVICES=0"}}, "devices come from env", RULE_APPLIED},
		{{.env = {"NVIDIA_VISIBLE_DEVICES=void"}}, "is void", RULE_APPLIED},
		{{.env = {"NVIDIA_VISIBLE_DEVICES=0"}, .env_policy = ACCEPT_NEVER},
		 "env NVIDIA_VISIBLE_DEVICES is ignored",
		 RULE_POLICY},
		{{.annotations = {{"org.davit.devices", "0"}}, .annotations_policy = ACCEPT_NEVER},
		 "annotation org.davit.devices is ignored",
		 RULE_POLICY},
		{{.mounts = {{"/var/run/nvidia-container-devices/0", "/dev/null"}}},
		 "are ignored (1): policy.accept-mounts",
		 RULE_POLICY},
		{{.env = {"NVIDIA_VISIBLE_DEVICES=0", "NVIDIA_IMEX_CHANNELS=0"},
		  .imex_ignored = true},
		 "policy.imex is false",
		 RULE_POLICY},
		{{.env = {"NVIDIA_VISIBLE_DEVICES=0", "NVIDIA_GDS=on"}},
		 "NVIDIA_GDS=on is ignored",
		 RULE_IGNORED},
		{{.env = {"NVIDIA_VISIBLE_DEVICES=0", "=x"}}, "are ignored: 1", RULE_IGNORED},
		{{.env = {"NVIDIA_VISIBLE_DEVICE=0"}},
		 "NVIDIA_VISIBLE_DEVICE is not read",
		 RULE_MISSPELT},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct gpu_request request;
		AUTO_ARENA arena = {0};
		struct config config;
		struct oci_spec spec;
		struct error err = {0};

		fill_config(&rows[i].request, &arena, &config);
		fill_spec(&rows[i].request, &arena, &spec);
		assert_int_equal(gpu_request_resolve(&spec, &config, &arena, &request, &err), 0);
		assert_int_equal(find_rule(&request, rows[i].text)->kind, rows[i].kind);
	}
}

/* ---- running ---------------------------------------------------------------------------- */

int main(void)
{
	static struct CMUnitTest rows[ARRAY_SIZE(request_cases) + ARRAY_SIZE(requirement_cases)];
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_passes_what_holds),
		cmocka_unit_test(check_names_what_is_missing),
		cmocka_unit_test(check_says_need_and_have),
		cmocka_unit_test(check_names_a_near_miss_of_the_switch),
		cmocka_unit_test(check_names_the_variable_of_a_bad_expression),
		cmocka_unit_test(long_lists_take_no_quadratic_time),
		cmocka_unit_test(lists_over_the_limit_are_refused),
		cmocka_unit_test(many_constraints_take_no_quadratic_time),
		cmocka_unit_test(many_near_misses_are_bounded),
		cmocka_unit_test(many_mounts_take_no_quadratic_time),
		cmocka_unit_test(long_expressions_take_no_quadratic_time),
		cmocka_unit_test(a_path_longer_than_any_is_no_request),
		cmocka_unit_test(what_may_ask_is_told_by_the_text),
		cmocka_unit_test(rules_and_errors_are_printable),
		cmocka_unit_test(rules_have_the_kind_of_what_they_say),
	};
	size_t count = 0;
	int failed;

	for (size_t i = 0; i < ARRAY_SIZE(request_cases); i++)
		rows[count++] = row_test(request_cases[i].name, request_is_as_the_table_says,
					 &request_cases[i]);
	for (size_t i = 0; i < ARRAY_SIZE(requirement_cases); i++)
		rows[count++] = row_test(requirement_cases[i].name, constraint_is_as_the_table_says,
					 &requirement_cases[i]);
	failed = _cmocka_run_group_tests("tables", rows, count, NULL, NULL);
	return failed + cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
#include "explain.h"

#include <stdio.h>
#include <string.h>

#include "davit/json.h"

void explanation_close(struct explanation *explanation)
{
	pipeline_close(&explanation->pipeline);
	if (explanation->volumes)
		image_volumes_close(explanation->volumes);
	root_close(&explanation->root);
}

static bool has_volumes(const struct oci_mounts *mounts)
{
	for (size_t i = 0; i < mounts->count; i++)
		if (image_mount_is_volume(&mounts->items[i]))
			return true;
	return false;
}

/* Assumes the config.json of an unknown container: no image, root with few capabilities. */
static int assume_bundle(struct pipeline *pipeline, const struct config *config,
			 struct arena *arena, struct error *err)
{
	pipeline->config = config;
	pipeline->bundle = pipeline->rootfs = "";
	pipeline->text = arena_strdup(arena, try_minimal_config);
	pipeline->text_length = strlen(try_minimal_config);
	return pipeline->text ? 0 : error_memory(err);
}

static int read_bundle(struct pipeline *pipeline, const struct config *config, const char *bundle,
		       struct arena *arena, struct error *err)
{
	pipeline->bundle = cli_absolute(bundle, arena);
	if (!pipeline->bundle)
		return error_memory(err);
	return pipeline_read(pipeline, config, pipeline->bundle, arena, err);
}

static int replace_request(struct pipeline *pipeline, const struct try_request *request,
			   struct arena *arena, struct error *err)
{
	AUTO_JSON *config = NULL;
	int r = try_request_apply(request, pipeline->config, pipeline->text, pipeline->text_length,
				  arena, &config, err);

	if (r < 0)
		return err->fix[0] ? r
				   : error_fix(err, r, "compare it with the output of `runc spec`");
	pipeline->place = request->gpus ? "--gpus" : NULL;
	pipeline->capabilities_place = request->capabilities_place;
	pipeline->text =
		arena_strdup(arena, json_object_to_json_string_ext(config, JSON_C_TO_STRING_PLAIN));
	if (!pipeline->text)
		return error_memory(err);
	pipeline->text_length = strlen(pipeline->text);
	return 0;
}

static int open_root(struct explanation *e, struct arena *arena, struct error *err)
{
	struct pipeline *pipeline = &e->pipeline;
	int r = root_open(pipeline->rootfs, &e->root, err);

	if (r < 0) {
		err->code = ERROR_BAD_BUNDLE;
		return error_fix(err, r, "correct root.path in config.json");
	}
	if (!has_volumes(&pipeline->spec.mounts))
		return 0;
	e->volumes = arena_alloc(arena, sizeof(*e->volumes));
	if (!e->volumes)
		return error_memory(err);
	*e->volumes =
		(struct image_volumes)IMAGE_VOLUMES_INIT(&e->root, &pipeline->spec.mounts, arena);
	return 0;
}

static int follow(struct explanation *e, const struct explain_options *options, const char *bundle,
		  struct arena *arena, struct error *err)
{
	struct pipeline *pipeline = &e->pipeline;
	int r = bundle ? read_bundle(pipeline, options->config, bundle, arena, err)
		       : assume_bundle(pipeline, options->config, arena, err);

	if (r == 0 && options->request)
		r = replace_request(pipeline, options->request, arena, err);
	if (r == 0)
		r = pipeline_request(pipeline, arena, err);
	if (r == 0 && pipeline->spec.written) {
		e->written = arena_alloc(arena, sizeof(*e->written));
		return e->written ? explain_read_written(pipeline, arena, e->written, err)
				  : error_memory(err);
	}
	if (r < 0 || !pipeline->request.gpu)
		return r;
	if (bundle)
		r = open_root(e, arena, err);
	if (r == 0)
		r = pipeline_driver(pipeline, arena, err);
	if (r == 0)
		r = pipeline_note_groups(pipeline, arena, err);
	return r < 0 ? r : pipeline_plan(pipeline, &e->root, arena, err);
}

int explain_bundle(const struct explain_options *options, const char *bundle, struct arena *arena,
		   struct explanation *ret)
{
	ret->pipeline.for_runtime = ret->pipeline.writes_spec = options->for_runtime;
	ret->request = options->request;
	return follow(ret, options, bundle, arena, &ret->err);
}

static int explain(const struct explain_options *options, const char *bundle, bool json,
		   struct arena *arena)
{
	AUTO_EXPLANATION explanation = EXPLANATION_INIT;
	int r = explain_bundle(options, bundle, arena, &explanation);

	if (json) {
		int failed = cli_print_json(explain_json(&explanation, arena));

		return r < 0 ? error_exit_code(&explanation.err) : failed;
	}
	explain_print_tree(&explanation, arena);
	(void)fflush(stdout);
	return r < 0 ? cli_fail(&explanation.err) : 0;
}

/* If the configuration can't be read, that error is the answer. */
static int no_configuration(const char *bundle, const struct error *err, bool json,
			    struct arena *arena)
{
	struct explanation explanation = EXPLANATION_INIT;

	if (!json)
		return cli_fail(err);
	explanation.pipeline.bundle = bundle ? cli_absolute(bundle, arena) : "";
	explanation.err = *err;
	(void)cli_print_json(explain_json(&explanation, arena));
	return error_exit_code(err);
}

const char *explain_options_text(const struct try_request *request, struct arena *arena)
{
	struct strings words = {0};
	const char *text;

	for (size_t i = 0; i < request->variables.count; i++) {
		text = arena_printf(arena, "--env %s", request->variables.items[i]);
		if (!text || strings_add(arena, &words, text) < 0)
			return NULL;
	}
	if (request->gpus) {
		text = arena_printf(arena, "--gpus %s (NVIDIA_VISIBLE_DEVICES=%s)", request->gpus,
				    request->devices);
		if (!text || strings_add(arena, &words, text) < 0)
			return NULL;
	}
	/* Capabilities from --gpus are shown with that option. */
	if (request->capabilities && string_equal(request->capabilities_place, "--capabilities")) {
		text = arena_printf(arena, "--capabilities %s", request->capabilities);
		if (!text || strings_add(arena, &words, text) < 0)
			return NULL;
	}
	return strings_join(arena, &words, ", ");
}

/* 0; EXIT_USAGE or another exit code: the line is printed. *ret_any: there is one. */
static int read_request(const struct arguments *arguments, struct try_request *ret, bool *ret_any)
{
	const char *gpus = arguments_value(arguments, "gpus");
	const char *capabilities = arguments_value(arguments, "capabilities");
	struct error err = {0};

	if (arguments_values(arguments, "env", &ret->variables) < 0) {
		(void)error_memory(&err);
		return cli_fail(&err);
	}
	for (size_t i = 0; i < ret->variables.count; i++)
		if (strcspn(ret->variables.items[i], "=") == 0 ||
		    !strchr(ret->variables.items[i], '='))
			return usage_error(arguments, "--env needs NAME=VALUE, not \"%.60s\"",
					   ret->variables.items[i]);
	if (capabilities &&
	    try_request_parse_capabilities(capabilities, arguments->arena, ret, &err) < 0)
		return cli_fail(&err);
	if (gpus && try_request_parse_gpus(gpus, arguments->arena, ret, &err) < 0)
		return cli_fail(&err);
	*ret_any = gpus || ret->capabilities || ret->variables.count;
	return 0;
}

static int run(const struct arguments *arguments)
{
	struct arena *arena = arguments->arena;
	const char *bundle = arguments_value(arguments, "bundle");
	const char *why = arguments_value(arguments, "why");
	const char *other = arguments_value(arguments, "diff");
	struct error err = {0};
	struct config config;
	struct try_request request = {0};
	bool replaced = false;
	struct explain_options how = {&config, arguments_flag(arguments, "runtime"), NULL};
	int r;

	if (why && other)
		return usage_error(arguments, "--why and --diff exclude each other");
	if (why && !*why)
		return usage_error(arguments, "--why needs a path");
	r = read_request(arguments, &request, &replaced);
	if (r)
		return r;
	if (!bundle && !replaced)
		return usage_error(arguments,
				   "--bundle DIR is missing, and so is a request (--gpus)");
	if (replaced)
		how.request = &request;
	if (config_load(arguments->config, arena, &config, &err) < 0)
		return no_configuration(bundle, &err, arguments->json && !why && !other, arena);
	if (why)
		return explain_why(&how, bundle, why, arguments->json, arena);
	if (other)
		return explain_diff(&how, bundle, other, arguments->json, arena);
	return explain(&how, bundle, arguments->json, arena);
}

static const struct command_option options[] = {
	{"bundle", OPTION_VALUE, "DIR", "the OCI bundle of the container"},
	{"why", OPTION_VALUE, "PATH", "explain only why that file is in the container or not"},
	{"diff", OPTION_VALUE, "DIR", "show only the differences to the bundle in DIR"},
	{"gpus", OPTION_VALUE, "GPUS",
	 "as docker's: 2, all, device=0,1, or none, instead of the bundle's request"},
	{"capabilities", OPTION_VALUE, "LIST",
	 "the driver capabilities, instead of NVIDIA_DRIVER_CAPABILITIES"},
	{"env", OPTION_REPEATED, "NAME=VALUE", "with this variable in its environment"},
	{"runtime", OPTION_FLAG, NULL,
	 "as davit-runtime decides: all capabilities, constraints warn"},
	{NULL, 0, NULL, NULL},
};

const struct command command_explain = {
	.name = "explain",
	.summary = "what the hook would do to a container, and why",
	.help = "Prints the request, the driver, the selected GPUs and the plan for the OCI bundle in DIR,\n"
		"as a tree, and changes nothing.\n"
		"\n"
		"--gpus, --capabilities and --env replace the bundle's request, in this answer only. A number\n"
		"for --gpus is a number of GPUs. Without --bundle, the answer is for a container with that\n"
		"request and an unknown image, which is taken for one with glibc, as Debian's.\n"
		"\n"
		"davit-runtime gives more than the hook (docs/requests.md): --runtime explains for it.\n"
		"\n"
		"With --why: PATH is a path in the container or on the host, or a library's bare name such\n"
		"as libcuda.so.1. The answer says from where and why it is inside (exit code 0), or why not\n"
		"and what to change (1).\n"
		"\n"
		"With --diff: what differs in request, GPUs and operations, as lines with - (this bundle)\n"
		"and + (the other one). Exit code 0: nothing, 1: something.\n",
	.example = "davit explain --bundle "
		   "/run/containerd/io.containerd.runtime.v2.task/k8s.io/ID --why libcuda.so.1",
	.options = options,
	.json = true,
	.run = run,
};

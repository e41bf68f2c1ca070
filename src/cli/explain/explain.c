// SPDX-License-Identifier: Apache-2.0
#include "explain.h"

#include <stdio.h>

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

static int follow(struct explanation *e, const struct config *config, const char *bundle,
		  struct arena *arena, struct error *err)
{
	struct pipeline *pipeline = &e->pipeline;
	int r;

	pipeline->bundle = cli_absolute(bundle, arena);
	if (!pipeline->bundle)
		return error_memory(err);
	r = pipeline_read(pipeline, config, pipeline->bundle, arena, err);
	if (r == 0)
		r = pipeline_request(pipeline, arena, err);
	if (r < 0 || !pipeline->request.gpu)
		return r;
	r = root_open(pipeline->rootfs, &e->root, err);
	if (r < 0) {
		err->code = ERROR_BAD_BUNDLE;
		return error_fix(err, r, "correct root.path in config.json");
	}
	if (has_volumes(&pipeline->spec.mounts)) {
		e->volumes = arena_alloc(arena, sizeof(*e->volumes));
		if (!e->volumes)
			return error_memory(err);
		*e->volumes = (struct image_volumes)IMAGE_VOLUMES_INIT(
			&e->root, &pipeline->spec.mounts, arena);
	}
	r = pipeline_driver(pipeline, arena, err);
	if (r == 0)
		r = pipeline_note_groups(pipeline, arena, err);
	return r < 0 ? r : pipeline_plan(pipeline, &e->root, arena, err);
}

int explain_bundle(const struct explain_options *options, const char *bundle, struct arena *arena,
		   struct explanation *ret)
{
	ret->pipeline.for_runtime = ret->pipeline.writes_spec = options->for_runtime;
	return follow(ret, options->config, bundle, arena, &ret->err);
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

/* Where the configuration can't be read, that is the answer. */
static int no_configuration(const char *bundle, const struct error *err, bool json,
			    struct arena *arena)
{
	struct explanation explanation = EXPLANATION_INIT;

	if (!json)
		return cli_fail(err);
	explanation.pipeline.bundle = cli_absolute(bundle, arena);
	explanation.err = *err;
	(void)cli_print_json(explain_json(&explanation, arena));
	return error_exit_code(err);
}

static int run(const struct arguments *arguments)
{
	struct arena *arena = arguments->arena;
	const char *bundle = arguments_value(arguments, "bundle");
	const char *why = arguments_value(arguments, "why");
	const char *other = arguments_value(arguments, "diff");
	struct error err = {0};
	struct config config;
	struct explain_options how = {&config, arguments_flag(arguments, "runtime")};

	if (!bundle)
		return usage_error(arguments, "--bundle DIR is missing");
	if (why && other)
		return usage_error(arguments, "--why and --diff are two questions");
	if (why && !*why)
		return usage_error(arguments, "--why needs a path");
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
	{"why", OPTION_VALUE, "PATH", "only this: why that file is in the container, or isn't"},
	{"diff", OPTION_VALUE, "DIR", "only this: what is different for the bundle in DIR"},
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

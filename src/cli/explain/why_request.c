// SPDX-License-Identifier: Apache-2.0
/* Suggests a request that adds a file: makes the plan again with other requests. */
#include <string.h>

#include "why.h"

#define IMEX_NODES "/dev/nvidia-caps-imex-channels/channel"

struct suggester {
	const struct why_question *question;
	const struct explanation *explanation;
	struct why_answer *answer;
};

/* The plan for another request of the same container. 0 or -errno. */
static int plan_request(const struct suggester *w, const struct gpu_request *request,
			struct pipeline *ret)
{
	const struct pipeline *real = &w->explanation->pipeline;
	struct error ignored = {0};
	int r;

	ret->config = real->config;
	ret->bundle = real->bundle;
	ret->rootfs = real->rootfs;
	ret->request = *request;
	/* Whether the image would be content is not the question. */
	ret->request.requirements = (struct oci_pairs){0};
	r = pipeline_driver(ret, w->question->arena, &ignored);
	return r < 0 ? r : pipeline_plan(ret, &w->explanation->root, w->question->arena, &ignored);
}

/* Whether the container would get the path with this request; then the operation's reason. */
static bool would_have(const struct suggester *w, const struct gpu_request *request,
		       const char **ret_because)
{
	const struct operation *operation = NULL;
	AUTO_PIPELINE pipeline = PIPELINE_INIT;

	if (plan_request(w, request, &pipeline) == 0)
		operation = why_find(w->question, &pipeline, &w->explanation->root);
	if (operation && why_source_exists(&pipeline, operation)) {
		*ret_because = operation->because;
		return true;
	}
	return false;
}

static struct gpu_request with_all_gpus(const struct suggester *w)
{
	static const char *all[] = {"all"};
	struct gpu_request request = w->explanation->pipeline.request;
	struct wish *wishes = arena_alloc(
		w->question->arena, (request.wishes.count + 1) * sizeof(*request.wishes.items));

	if (!wishes)
		return request;

	request.devices = (struct strings){all, 1, 1};
	for (size_t i = 0; i < request.wishes.count; i++)
		wishes[i] = (struct wish){request.wishes.items[i].vendor,
					  request.wishes.items[i].from, request.devices};
	request.wishes.items = wishes;
	return request;
}

static struct gpu_request with_capability(const struct gpu_request *from, unsigned bit)
{
	struct gpu_request request = *from;

	request.capabilities |= bit | (bit == CAPABILITY_VIDEO ? CAPABILITY_COMPUTE : 0);
	return request;
}

/* The names of a set, joined by `separator`. NULL without memory. */
static const char *names_of(unsigned capabilities, const char *separator, struct arena *arena)
{
	struct strings names = {0};

	for (unsigned bit = 1; bit <= CAPABILITY_ALL; bit <<= 1)
		if (capabilities & bit && strings_add(arena, &names, capability_name(bit)) < 0)
			return NULL;
	return strings_join(arena, &names, separator);
}

/* One capability of a set, for a remedy. Display comes last, because few containers need it. */
static unsigned first_of(unsigned capabilities)
{
	if (capabilities != CAPABILITY_DISPLAY)
		capabilities &= ~(unsigned)CAPABILITY_DISPLAY;
	return capabilities & -capabilities;
}

/* Whether a variable of the container would count. */
static bool accepts_env(const struct suggester *w)
{
	const struct pipeline *pipeline = &w->explanation->pipeline;
	enum accept policy = pipeline->config->policy.env;

	return policy == ACCEPT_ALWAYS ||
	       (policy == ACCEPT_PRIVILEGED && pipeline->request.privileged);
}

static bool answer_capability(struct suggester *w, unsigned brings, bool other_gpu)
{
	const struct pipeline *pipeline = &w->explanation->pipeline;
	struct arena *arena = w->question->arena;
	unsigned granted = pipeline->request.capabilities_granted;
	bool env = accepts_env(w);
	unsigned by_policy = pipeline->config->policy.capabilities & brings;
	unsigned allowed =
		env ? by_policy : by_policy & pipeline->config->policy.image_capabilities;
	unsigned first = first_of(allowed ? allowed : brings);
	const char *brought = names_of(brings, " or ", arena);
	const char *have = names_of(granted, ",", arena);
	const char *place = pipeline->capabilities_place;

	if (!brought || !have)
		return false;
	w->answer->reason =
		arena_printf(arena, "it needs the capability %s%s; the container has %s", brought,
			     other_gpu ? " and another GPU" : "", *have ? have : "none");
	w->answer->fix =
		arena_printf(arena, "%s%s%s%s%s%s%s%s",
			     place ? "request " : "set NVIDIA_DRIVER_CAPABILITIES=", have,
			     *have ? "," : "", capability_name(first), place ? " with " : "",
			     place ? place : "", other_gpu ? ", and request that GPU" : "",
			     allowed     ? ""
			     : by_policy ? ", and add it to policy.image-capabilities"
					 : ", and add it to policy.capabilities");
	w->answer->verdict = allowed ? WHY_CAPABILITY : WHY_REFUSED;
	return true;
}

static bool try_capabilities(struct suggester *w, const struct gpu_request *from, bool other_gpu)
{
	unsigned brings = 0;
	const char *because;

	for (unsigned bit = 1; bit <= CAPABILITY_ALL; bit <<= 1) {
		struct gpu_request request = with_capability(from, bit);

		if (!(from->capabilities & bit) && would_have(w, &request, &because))
			brings |= bit;
	}
	return brings && answer_capability(w, brings, other_gpu);
}

static bool try_gpus(struct suggester *w)
{
	const struct pipeline *pipeline = &w->explanation->pipeline;
	struct arena *arena = w->question->arena;
	struct gpu_request request = with_all_gpus(w);
	const char *because, *devices = gpu_request_devices(&pipeline->request, arena);
	const char *sources = gpu_request_sources(&pipeline->request, arena);

	if (!would_have(w, &request, &because))
		return try_capabilities(w, &request, true);
	w->answer->verdict = WHY_OTHER_GPU;
	w->answer->reason =
		strstr(because, "GPU ") || string_starts(because, "MIG ")
			? arena_printf(arena,
				       "it belongs to %s, which isn't selected: %s requests %s",
				       because, sources ? sources : "", devices ? devices : "")
			: arena_printf(arena,
				       "it belongs to a GPU that isn't selected: %s requests %s",
				       sources ? sources : "", devices ? devices : "");
	w->answer->fix = "add that GPU to the requested devices";
	return true;
}

/* `feature` 0: policy.features doesn't apply to it. */
static void answer_feature(struct suggester *w, const char *variable, const char *value,
			   unsigned feature)
{
	struct arena *arena = w->question->arena;
	struct why_answer *answer = w->answer;

	answer->verdict = WHY_REFUSED;
	if (feature & ~w->explanation->pipeline.config->policy.features) {
		answer->reason = arena_printf(
			arena, "it needs %s, which policy.features doesn't allow", variable);
		answer->fix =
			arena_printf(arena, "add %s to policy.features", feature_name(feature));
	} else if (!accepts_env(w)) {
		answer->reason = arena_printf(
			arena, "it needs %s, and policy.accept-env accepts no variables here",
			variable);
		answer->fix = feature ? "request it with a davit annotation that the policy accepts"
				      : "allow the container's environment in policy.accept-env";
	} else {
		answer->verdict = WHY_FEATURE;
		answer->reason = arena_printf(arena, "it needs %s, which isn't set", variable);
		answer->fix = arena_printf(arena, "set %s=%s", variable, value);
	}
}

/* Each has its own variable. */
static bool try_features(struct suggester *w)
{
	const char *path = w->question->path, *because;
	const char *channel = string_starts(path, IMEX_NODES) ? path + strlen(IMEX_NODES) : "";
	const struct {
		const char *variable, *value;
		unsigned feature; /* 0: policy.features doesn't apply to it */
	} variables[] = {{"NVIDIA_GDS", "enabled", FEATURE_GDS},
			 {"NVIDIA_MOFED", "enabled", FEATURE_MOFED},
			 {"NVIDIA_GDRCOPY", "enabled", FEATURE_GDRCOPY},
			 {"NVIDIA_NVSWITCH", "enabled", FEATURE_NVSWITCH},
			 {"NVIDIA_MIG_CONFIG_DEVICES", "all", 0},
			 {"NVIDIA_MIG_MONITOR_DEVICES", "all", 0},
			 {"NVIDIA_IMEX_CHANNELS", channel, FEATURE_IMEX}};

	for (size_t i = 0; i < ARRAY_SIZE(variables); i++) {
		struct gpu_request request = w->explanation->pipeline.request;
		const char *number = variables[i].value;

		request.gds = i == 0;
		request.mofed = i == 1;
		request.gdrcopy = i == 2;
		request.nvswitch = i == 3;
		request.mig_config = i == 4 ? "all" : "";
		request.mig_monitor = i == 5 ? "all" : "";
		request.imex = (struct strings){&number, i == 6, 1};
		if (!*number)
			continue;
		if (!would_have(w, &request, &because))
			continue;
		answer_feature(w, variables[i].variable, number, variables[i].feature);
		return true;
	}
	return false;
}

static bool is_wished(const struct gpu_request *request, const struct vendor *vendor)
{
	for (size_t i = 0; i < request->wishes.count; i++)
		if (request->wishes.items[i].vendor == vendor)
			return true;
	return false;
}

/* A node of AMD or Intel, if the container requests none of that vendor's GPUs. */
static bool try_vendors(struct suggester *w)
{
	static const char *all[] = {"all"};
	const struct gpu_request *asked = &w->explanation->pipeline.request;
	struct arena *arena = w->question->arena;
	const char *because;

	for (size_t i = 0; string_starts(w->question->path, "/dev/") && vendors[i]; i++) {
		const struct vendor *vendor = vendors[i];
		struct wish wish = {vendor, "", {all, 1, 1}};
		struct gpu_request request = *asked;

		if (!vendor->table || is_wished(asked, vendor))
			continue;
		request.nvidia = false;
		request.spec_devices = (struct strings){0};
		request.wishes.items = &wish;
		request.wishes.count = 1;
		if (!would_have(w, &request, &because))
			continue;
		w->answer->verdict = WHY_OTHER_GPU;
		w->answer->reason = arena_printf(
			arena, "it belongs to %s, and the container requests no %s GPU", because,
			vendor->title);
		w->answer->fix = vendor->variable
					 ? arena_printf(arena,
							"request it with %s, or with the "
							"annotation org.davit.devices: %s=...",
							vendor->variable, vendor->kind)
					 : arena_printf(arena,
							"request it with the annotation "
							"org.davit.devices: %s=...",
							vendor->kind);
		return true;
	}
	return false;
}

bool why_suggest_request(const struct why_question *question, const struct explanation *explanation,
			 struct why_answer *ret)
{
	struct suggester w = {.question = question, .explanation = explanation, .answer = ret};

	return try_capabilities(&w, &explanation->pipeline.request, false) || try_gpus(&w) ||
	       try_features(&w) || try_vendors(&w);
}

/*
 * How well a name completes the beginning; 0: not at all. SONAMEs are preferred, because programs
 * open those.
 */
static unsigned rate_name(const char *name, const char *begin)
{
	const char *so = strstr(name, ".so.");
	bool soname = so && !strchr(so + strlen(".so."), '.');

	if (!string_starts(name, begin))
		return 0;
	return (name[strlen(begin)] == '.' ? 4U : 0U) + (soname ? 2U : 0U) + 1U;
}

static const char *complete_from_plan(const struct suggester *w, const char *begin)
{
	struct gpu_request request =
		with_capability(&w->explanation->pipeline.request, CAPABILITY_ALL);
	AUTO_PIPELINE pipeline = PIPELINE_INIT;
	const char *best = NULL;
	unsigned best_rate = 0;

	if (plan_request(w, &request, &pipeline) < 0)
		return NULL;
	for (size_t i = 0; i < pipeline.plan.count; i++) {
		const struct operation *operation = &pipeline.plan.items[i];
		const char *slash = operation->target ? strrchr(operation->target, '/') : NULL;
		unsigned rate = slash ? rate_name(slash + 1, begin) : 0;

		if ((operation->kind == OPERATION_BIND || operation->kind == OPERATION_SYMLINK) &&
		    (rate > best_rate ||
		     (rate && rate == best_rate && strlen(slash + 1) < strlen(best)))) {
			best = slash + 1;
			best_rate = rate;
		}
	}
	return best ? arena_strdup(w->question->arena, best) : NULL;
}

const char *why_complete_name(const struct why_question *question,
			      const struct explanation *explanation)
{
	const struct suggester w = {.question = question, .explanation = explanation};
	const struct pipeline *pipeline = &explanation->pipeline;
	const char *name;

	/* "lib" is the beginning of every library. */
	if (strlen(question->name) <= strlen("lib"))
		return NULL;
	name = complete_from_plan(&w, question->name);
	return name || !pipeline->request.nvidia || pipeline->driver.platform != PLATFORM_NATIVE
		       ? name
		       : driver_complete_name(question->name, question->arena);
}

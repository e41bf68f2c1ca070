// SPDX-License-Identifier: Apache-2.0
/*
 * Requests: a line each for a variable NAME=VALUE, "@NAME=VALUE" an annotation, "#PATH" a mount of
 * /dev/null there, "!LETTERS" what differs from the default policy. What is asked for is then
 * selected among some GPUs, and the constraints are checked.
 */
#include <strings.h>

#include "check_request.h"
#include "davit/select.h"

struct input {
	struct arena *arena;
	struct oci_spec spec;
	struct config config;
};

static void set_policy(struct input *input, struct slice letters)
{
	for (size_t i = 0; i < letters.length; i++)
		switch (letters.data[i]) {
		case 'm':
			input->config.policy.mounts = true;
			break;
		case 'p':
			input->spec.bounding = (uint64_t)1 << 21; /* CAP_SYS_ADMIN */
			break;
		case 'a':
			input->config.policy.annotations = ACCEPT_PRIVILEGED;
			break;
		case 'e':
			input->config.policy.env = ACCEPT_NEVER;
			break;
		case 'f':
			input->config.policy.features = FEATURE_GDS | FEATURE_NVSWITCH;
			break;
		case 'A':
			input->config.policy.annotations = ACCEPT_ALWAYS;
			break;
		case 'u':
			input->spec.user_namespace = true;
			break;
		case 'i':
			input->config.policy.imex = false;
			break;
		case 'r':
			input->config.policy.ignore_requirements = true;
			break;
		case 'c':
			input->config.policy.capabilities = CAPABILITY_UTILITY | CAPABILITY_VIDEO;
			break;
		case 'n':
			FUZZ_CHECK(strings_add(input->arena, &input->config.policy.env_names,
					       "MY_GPUS") == 0);
			break;
		}
}

static void add_annotation(struct input *input, struct slice line)
{
	struct oci_pair *pair = ARENA_PUSH(input->arena, &input->spec.annotations);
	struct slice name;

	FUZZ_CHECK(pair);
	(void)slice_next(&line, '=', &name);
	pair->name = arena_strndup(input->arena, name.data, name.length);
	pair->value = arena_strndup(input->arena, line.data, line.length);
}

static void add_mount(struct input *input, struct slice path)
{
	struct oci_mount *mount = ARENA_PUSH(input->arena, &input->spec.mounts);

	FUZZ_CHECK(mount);
	mount->destination = arena_strndup(input->arena, path.data, path.length);
	mount->source = "/dev/null";
	mount->type = "bind";
}

static void read_input(struct input *input, const char *text)
{
	struct slice rest = slice_from(text), line;

	FUZZ_CHECK(config_defaults(input->arena, &input->config) == 0);
	while (slice_next(&rest, '\n', &line)) {
		struct slice tail = {line.data + 1, line.length - 1};

		if (slice_starts(line, "!"))
			set_policy(input, tail);
		else if (slice_starts(line, "@"))
			add_annotation(input, tail);
		else if (slice_starts(line, "#"))
			add_mount(input, tail);
		else
			FUZZ_CHECK(strings_add(input->arena, &input->spec.env,
					       arena_strndup(input->arena, line.data,
							     line.length)) == 0);
	}
}

/* Two whole GPUs, one with two MIG instances whose UUIDs are known, one that tells no UUID yet. */
static const struct driver *some_driver(void)
{
	static struct mig_instance mig[] = {
		{.gpu_instance = 1, .uuid = "MIG-7d0c9a6e-0c1c-5a0e-9a1b-0c2f9d7b6a11"},
		{.gpu_instance = 2, .compute_instance = 1, .uuid = NULL},
	};
	static struct gpu gpus[] = {
		{.index = 0,
		 .uuid = "GPU-1074aade-e34c-4efc-662a-2954e7cab1dc",
		 .bus_id = "0000:00:06.0"},
		{.index = 1,
		 .uuid = "GPU-838f1a63-81fa-dfa9-e219-5da0cd7c6ddd",
		 .bus_id = "0000:00:07.0",
		 .mig = {mig, ARRAY_SIZE(mig), ARRAY_SIZE(mig)}},
		{.index = 2,
		 .uuid = "GPU-?"
			 "?"
			 "?"
			 "?"
			 "?"
			 "?"
			 "?"
			 "?",
		 .bus_id = "0001:0a:1f.7"},
	};
	static const struct driver driver = {.gpus = {gpus, ARRAY_SIZE(gpus), ARRAY_SIZE(gpus)}};

	return &driver;
}

/* In any case, as it is understood. */
static bool contain_none(const struct strings *devices)
{
	for (size_t i = 0; i < devices->count; i++)
		if (strcasecmp(devices->items[i], "none") == 0)
			return true;
	return false;
}

static void check_selection(const struct gpu_request *request, struct arena *arena)
{
	const struct driver *driver = some_driver();
	struct error err = FUZZ_ERROR;
	struct selection selection;
	int r = select_devices(driver, &request->devices, "NVIDIA_VISIBLE_DEVICES", arena,
			       &selection, &err);

	(void)select_needs_uuids(driver, &request->devices);
	if (r < 0) {
		fuzz_check_error(r, &err);
		FUZZ_CHECK(r == -ENODEV && err.code == ERROR_UNKNOWN_DEVICE);
		FUZZ_CHECK(selection.count == 0);
		return;
	}
	for (size_t i = 1; i < selection.count; i++) {
		const struct selected_device *a = &selection.items[i - 1], *b = &selection.items[i];

		FUZZ_CHECK(a->gpu < b->gpu || (a->gpu == b->gpu && a->mig < b->mig));
	}
	FUZZ_CHECK(selection.count > 0 || contain_none(&request->devices));
}

static void check_requirements(const struct gpu_request *request, struct arena *arena)
{
	static const struct requirement_facts all[] = {
		{.cuda = "13.0", .driver = "580.159.04"},
		{.cuda = "13.0", .driver = "580.159.04", .arch = "9.0", .brand = "tesla"},
		{.cuda = "13.0", .driver = "580.159.04", .no_device = true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		struct error err = FUZZ_ERROR;
		unsigned missing;
		int r = requirements_check(request, &all[i], arena, &missing, &err);

		if (r == 0) {
			FUZZ_CHECK(i == 0 || !missing);
			FUZZ_CHECK(!(missing & ~(unsigned)(REQUIRE_ARCH | REQUIRE_BRAND)));
			continue;
		}
		fuzz_check_error(r, &err);
		FUZZ_CHECK((r == -EPERM && err.code == ERROR_UNSATISFIED) ||
			   (r == -EINVAL && err.code == ERROR_BAD_REQUEST));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_TEXT text = fuzz_text(data, size);
	AUTO_ARENA arena = {0};
	struct input input = {.arena = &arena};
	struct error err = FUZZ_ERROR;
	struct gpu_request request;
	int r;

	read_input(&input, text);
	r = gpu_request_resolve(&input.spec, &input.config, &arena, &request, &err);
	if (r < 0) {
		check_request_error(r, &err);
		return 0;
	}
	check_request(&request, &input.config);
	if (request.gpu)
		FUZZ_CHECK(gpu_request_is_possible(text, strlen(text), &input.config));
	if (request.nvidia) {
		check_selection(&request, &arena);
		check_requirements(&request, &arena);
	}
	return 0;
}

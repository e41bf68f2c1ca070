// SPDX-License-Identifier: Apache-2.0
/* One container, checked in the steps of the hook. */
#include "doctor.h"

/* 1 if this step succeeded. Otherwise fills the finding and returns 0. */
static int of_step(const struct doctor_bundle *bundle, enum doctor_step step, struct finding *ret)
{
	if (bundle->error.code && bundle->failed < step)
		return finding_set(ret, DOCTOR_SKIP, NULL,
				   "not checked: an earlier step of this container fails");
	if (bundle->error.code && bundle->failed == step)
		return finding_error(ret, DOCTOR_FAIL, &bundle->error);
	if (step > DOCTOR_STEP_CONFIG && !bundle->gpu)
		return finding_set(ret, DOCTOR_SKIP, NULL, "the container requests no GPU");
	return 1;
}

int check_bundle_config(const struct doctor_host *host, struct finding *ret)
{
	if (of_step(&host->bundle, DOCTOR_STEP_CONFIG, ret) == 0)
		return 0;
	return finding_set(ret, DOCTOR_OK, NULL, "%s/config.json", host->bundle.path);
}

int check_bundle_variables(const struct doctor_host *host, struct finding *ret)
{
	const struct doctor_bundle *bundle = &host->bundle;
	char list[700] = "";

	if (bundle->error.code && bundle->failed == DOCTOR_STEP_CONFIG)
		return finding_set(ret, DOCTOR_SKIP, NULL,
				   "not checked: an earlier step of this container fails");
	for (size_t i = 0; i < bundle->near_misses.count; i++)
		finding_list(list, sizeof(list), "%s", bundle->near_misses.items[i]);
	if (list[0])
		return finding_set(ret, DOCTOR_WARN, "correct the variable's name", "%s", list);
	return finding_set(ret, DOCTOR_OK, NULL, "no variable looks misspelt");
}

int check_bundle_request(const struct doctor_host *host, struct finding *ret)
{
	const struct doctor_bundle *bundle = &host->bundle;

	if (of_step(bundle, DOCTOR_STEP_REQUEST, ret) == 0)
		return 0;
	return finding_set(ret, DOCTOR_OK, NULL, "%s (%s)", bundle->devices, bundle->from);
}

int check_bundle_driver(const struct doctor_host *host, struct finding *ret)
{
	char list[900] = "";

	if (of_step(&host->bundle, DOCTOR_STEP_DRIVER, ret) == 0)
		return 0;
	for (size_t i = 0; i < host->bundle.warnings.count; i++)
		finding_list(list, sizeof(list), "%s", host->bundle.warnings.items[i]);
	if (list[0])
		return finding_set(ret, DOCTOR_WARN,
				   "upgrade the driver, or use an image built for this host", "%s",
				   list);
	return finding_set(ret, DOCTOR_OK, NULL, "the host meets the container's requirements");
}

int check_bundle_image(const struct doctor_host *host, struct finding *ret)
{
	static const char *const loaders[] = {
		[IMAGE_LOADER_NONE] = "no loader: static programs only",
		[IMAGE_LOADER_GLIBC] = "glibc",
		[IMAGE_LOADER_MUSL] = "musl",
	};
	const struct doctor_bundle *bundle = &host->bundle;

	if (of_step(bundle, DOCTOR_STEP_IMAGE, ret) == 0)
		return 0;
	return finding_set(ret, DOCTOR_OK, NULL, "the plan has %zu operations (%s)%s",
			   bundle->operations, loaders[bundle->loader],
			   bundle->compat ? "; the container uses the image's newer CUDA libraries"
					  : "");
}

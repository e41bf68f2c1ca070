// SPDX-License-Identifier: Apache-2.0
#include "doctor.h"

/* Lists the problems of these kinds, and returns their number. */
static size_t list_problems(const struct cdi_listing *cdi, unsigned kinds, char *list, size_t size)
{
	size_t found = 0;

	for (size_t i = 0; i < cdi->problems.count; i++)
		if (kinds & (1U << cdi->problems.items[i].kind)) {
			finding_list(list, size, "%s", cdi->problems.items[i].text);
			found++;
		}
	return found;
}

static bool has_specs(const struct doctor_host *host, struct finding *ret)
{
	if (host->cdi.devices.count || host->cdi.problems.count)
		return true;
	(void)finding_set(ret, DOCTOR_SKIP, NULL, "no specs in /etc/cdi and /var/run/cdi");
	return false;
}

int check_cdi_specs(const struct doctor_host *host, struct finding *ret)
{
	char list[900] = "";

	if (!has_specs(host, ret))
		return 0;
	if (list_problems(&host->cdi, 1U << CDI_PROBLEM_INVALID, list, sizeof(list)))
		return finding_set(ret, DOCTOR_FAIL,
				   "remove it, or regenerate it: davit cdi generate --output FILE",
				   "%s", list);
	if (list_problems(&host->cdi, 1U << CDI_PROBLEM_DEADLY, list, sizeof(list)))
		return finding_set(ret, DOCTOR_WARN,
				   "remove it, or regenerate it with a longer name: davit cdi "
				   "generate --class NAME --output FILE",
				   "%s", list);
	return finding_set(ret, DOCTOR_OK, NULL, "all specs are valid (%zu device%s)",
			   host->cdi.devices.count, host->cdi.devices.count == 1 ? "" : "s");
}

int check_cdi_stale(const struct doctor_host *host, struct finding *ret)
{
	char list[900] = "";

	if (!has_specs(host, ret))
		return 0;
	if (list_problems(&host->cdi, 1U << CDI_PROBLEM_STALE, list, sizeof(list)))
		return finding_set(ret, DOCTOR_FAIL,
				   "regenerate it: davit cdi generate --output FILE; "
				   "davit-cdi.path does so after each driver update",
				   "%s", list);
	if (list_problems(&host->cdi, 1U << CDI_PROBLEM_HOOK, list, sizeof(list)))
		return finding_set(
			ret, DOCTOR_FAIL,
			"install the program that it names (davit-nvidia-compat has "
			"NVIDIA's names), or regenerate it with the program that wrote it",
			"%s", list);
	return finding_set(ret, DOCTOR_OK, NULL, "all files and nodes that they name exist");
}

int check_cdi_duplicates(const struct doctor_host *host, struct finding *ret)
{
	unsigned both = 1U << CDI_PROBLEM_NEITHER | 1U << CDI_PROBLEM_COVERED;
	char list[900] = "";
	char ignored[8] = "";

	if (!has_specs(host, ret))
		return 0;
	if (list_problems(&host->cdi, both, list, sizeof(list)))
		return finding_set(ret,
				   list_problems(&host->cdi, 1U << CDI_PROBLEM_NEITHER, ignored,
						 sizeof(ignored))
					   ? DOCTOR_FAIL
					   : DOCTOR_WARN,
				   "keep only one of these files", "%s", list);
	return finding_set(ret, DOCTOR_OK, NULL, "each device is defined once");
}

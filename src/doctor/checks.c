// SPDX-License-Identifier: Apache-2.0
/* The list of checks, in the order of the output. */
#include "doctor.h"

#define ROW(scope, group, name) {#group "." #name, DOCTOR_##scope, check_##group##_##name},
/* clang-format off */
const struct doctor_check doctor_checks[] = {
	DOCTOR_CHECKS(ROW)
};
/* clang-format on */
#undef ROW
const size_t doctor_check_count = ARRAY_SIZE(doctor_checks);

/* For an engine that isn't installed, only engine.NAME is shown. */
bool doctor_check_applies(const struct doctor_check *check, const struct doctor_host *host)
{
	const struct doctor_engine *engine;

	if (check->scope == DOCTOR_BUNDLE)
		return host->bundle.path;
	if (check->scope >= DOCTOR_ENGINES)
		return true;
	if (host->required >= 0 && check->scope != (unsigned)host->required)
		return false;
	engine = &host->engines[check->scope];
	return string_starts(check->id, "engine.") || engine->program || engine->pid;
}

void doctor_decide(const struct doctor_check *check, const struct doctor_host *host,
		   struct finding *ret)
{
	*ret = (struct finding){.id = check->id};
	(void)check->decide(host, ret);
	string_printable(ret->evidence);
	string_printable(ret->remedy);
}

const char *doctor_result_name(enum doctor_result result)
{
	static const char *const names[] = {"ok", "warn", "fail", "unknown", "skip"};

	return names[result];
}

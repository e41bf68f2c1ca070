// SPDX-License-Identifier: Apache-2.0
/* The list of checks, in the order in which they are shown. */
#include <stdio.h>
#include <string.h>

#include "doctor.h"

const char *const doctor_engine_names[DOCTOR_ENGINES] = {"docker", "containerd", "crio", "podman"};

#define ROW(scope, group, name) {#group "." #name, DOCTOR_##scope, check_##group##_##name},
/* clang-format off */
const struct doctor_check doctor_checks[] = {
	DOCTOR_CHECKS(ROW)
};
/* clang-format on */
#undef ROW
const size_t doctor_check_count = ARRAY_SIZE(doctor_checks);

/* Of an engine that isn't there, one line is enough. */
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

/* ---- what the checks say it with -------------------------------------------------------- */

int finding_set(struct finding *ret, enum doctor_result result, const char *remedy,
		const char *format, ...)
{
	va_list arguments;

	ret->result = result;
	va_start(arguments, format);
	(void)vsnprintf(ret->evidence, sizeof(ret->evidence), format, arguments);
	va_end(arguments);
	(void)snprintf(ret->remedy, sizeof(ret->remedy), "%s", remedy ? remedy : "");
	return 0;
}

int finding_remedy(struct finding *ret, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(ret->remedy, sizeof(ret->remedy), format, arguments);
	va_end(arguments);
	return 0;
}

int finding_error(struct finding *ret, enum doctor_result result, const struct error *err)
{
	return finding_set(ret, result, error_remedy(err), "cannot %s", err->message);
}

void finding_list(char *list, size_t size, const char *format, ...)
{
	static const char more[] = " ...";
	size_t length = strlen(list);
	char item[256];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(item, sizeof(item), format, arguments);
	va_end(arguments);
	if (length + strlen(item) + sizeof(", ") + sizeof(more) <= size)
		(void)snprintf(list + length, size - length, "%s%s", length ? ", " : "", item);
	else if (!string_ends(list, more) && length + sizeof(more) <= size)
		(void)snprintf(list + length, size - length, "%s", more);
}

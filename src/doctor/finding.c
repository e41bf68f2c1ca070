// SPDX-License-Identifier: Apache-2.0
/* Functions that fill findings. */
#include <stdio.h>
#include <string.h>

#include "doctor.h"

const char *const doctor_engine_names[DOCTOR_ENGINES] = {"docker", "containerd", "crio", "podman"};

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

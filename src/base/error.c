// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "davit/base.h"

static const char *const code_names[] = {
	[ERROR_NONE] = "none",
	[ERROR_BAD_BUNDLE] = "bad-bundle",
	[ERROR_BAD_CONFIG] = "bad-config",
	[ERROR_BAD_REQUEST] = "bad-request",
	[ERROR_REFUSED] = "refused",
	[ERROR_UNSATISFIED] = "unsatisfied",
	[ERROR_UNKNOWN_DEVICE] = "unknown-device",
	[ERROR_NO_DRIVER] = "no-driver",
	[ERROR_DRIVER_MISMATCH] = "driver-mismatch",
	[ERROR_IMAGE] = "image",
	[ERROR_SYSTEM] = "system",
};

const char *error_code_name(enum error_code code)
{
	return code_names[code];
}

int error_exit_code(const struct error *err)
{
	switch (err->code) {
	case ERROR_REFUSED:
	case ERROR_UNSATISFIED:
	case ERROR_UNKNOWN_DEVICE:
		return 3;
	default:
		return 1;
	}
}

int error_set(struct error *err, enum error_code code, int errnum, const char *fix,
	      const char *format, ...)
{
	va_list args;

	err->code = code;
	va_start(args, format);
	(void)vsnprintf(err->message, sizeof(err->message), format, args);
	va_end(args);
	(void)snprintf(err->fix, sizeof(err->fix), "%s", fix ? fix : "");
	string_printable(err->message);
	string_printable(err->fix);
	return -errnum;
}

int error_fix(struct error *err, int r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(err->fix, sizeof(err->fix), format, args);
	va_end(args);
	string_printable(err->fix);
	return r;
}

int error_errno(struct error *err, int errnum, const char *format, ...)
{
	char what[sizeof(err->message)];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	return error_set(err, ERROR_SYSTEM, errnum, NULL, "%s: %s", what, strerror(errnum));
}

int error_read(struct error *err, enum error_code code, int errnum, const char *fix,
	       const char *format, ...)
{
	char what[sizeof(err->message)];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	return error_set(err, code, errnum, fix, "read %s: %s", what,
			 errnum == EINVAL ? "it is not a regular file" : strerror(errnum));
}

static unsigned memory_limit_mib; /* 0: none of ours */

void error_memory_limit(unsigned mib)
{
	memory_limit_mib = mib;
}

int error_memory(struct error *err)
{
	if (memory_limit_mib)
		return error_set(
			err, ERROR_SYSTEM, ENOMEM,
			"look for a file in the image, or a config.json, that is far too large",
			"allocate memory: %s (davit's limit is %u MiB)", strerror(ENOMEM),
			memory_limit_mib);
	return error_set(err, ERROR_SYSTEM, ENOMEM, "raise the memory limit", "allocate memory: %s",
			 strerror(ENOMEM));
}

static int add_context(struct error *err, int r, const char *between, const char *format,
		       va_list args)
{
	char inner[sizeof(err->message)];
	int used;

	memcpy(inner, err->message, sizeof(inner));
	used = vsnprintf(err->message, sizeof(err->message), format, args);
	/* A message that is too long is cut. */
	if (used > 0 && (size_t)used < sizeof(err->message) &&
	    snprintf(err->message + used, sizeof(err->message) - (size_t)used, "%s%s", between,
		     inner) < 0)
		err->message[used] = '\0';
	string_printable(err->message);
	return r;
}

int error_wrap(struct error *err, int r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	r = add_context(err, r, ": cannot ", format, args);
	va_end(args);
	return r;
}

int error_prefix(struct error *err, int r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	r = add_context(err, r, ": ", format, args);
	va_end(args);
	return r;
}

/* The default remedies: where to look. */
static const char *default_fix(enum error_code code)
{
	switch (code) {
	case ERROR_BAD_BUNDLE:
		return "compare config.json with the output of `runc spec`";
	case ERROR_BAD_CONFIG:
		return "compare it with davit's default config.json (`davit config show` lists the keys)";
	case ERROR_BAD_REQUEST:
		return "correct the container's environment, annotations or mounts";
	case ERROR_IMAGE:
		return "correct the image there, or use another image";
	case ERROR_NO_DRIVER:
	case ERROR_DRIVER_MISMATCH:
		return "check that `nvidia-smi` works on this host";
	default:
		return "see the kernel log and `davit explain --bundle DIR`";
	}
}

const char *error_remedy(const struct error *err)
{
	return err->fix[0] ? err->fix : default_fix(err->code);
}

void error_line(const struct error *err, char line[static ERROR_LINE_MAX])
{
	char fix[sizeof(err->fix) + sizeof(" (fix: )")];
	size_t room;

	(void)snprintf(fix, sizeof(fix), " (fix: %s)", error_remedy(err));
	/* The remedy is complete; a long cause is truncated. */
	room = ERROR_LINE_MAX - 1 - strlen("davit: cannot ") - strlen(fix);
	(void)snprintf(line, ERROR_LINE_MAX, "davit: cannot %.*s%s", (int)room, err->message, fix);
}

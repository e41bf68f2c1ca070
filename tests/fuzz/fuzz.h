// SPDX-License-Identifier: Apache-2.0
/* What the fuzz targets share. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "davit/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A promise that must hold for any input; the sanitizer prints the stack. */
#define FUZZ_CHECK(condition)                                                                    \
	do {                                                                                     \
		if (!(condition)) {                                                              \
			(void)fprintf(stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__, \
				      #condition);                                               \
			abort();                                                                 \
		}                                                                                \
	} while (0)

static inline void fuzz_free(char **text)
{
	free(*text);
}
#define AUTO_TEXT __attribute__((cleanup(fuzz_free))) char *

/* The input as a string, in memory of its exact size. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	FUZZ_CHECK(text);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

static inline bool fuzz_printable(const char *text)
{
	for (; *text; text++)
		if (*text < 0x20 || *text > 0x7e)
			return false;
	return true;
}

/* Before a call that fills it: what isn't filled is seen. */
#define FUZZ_ERROR                                \
	{                                         \
		.code = ERROR_NONE, .message = "" \
	}

/* A failure has a code, a printable message that ends, and one line of at most 400 characters. */
static inline void fuzz_check_error(int r, const struct error *err)
{
	char line[ERROR_LINE_MAX];

	FUZZ_CHECK(r < 0 && r > -4096);
	FUZZ_CHECK(err->code != ERROR_NONE && err->code <= ERROR_SYSTEM);
	FUZZ_CHECK(memchr(err->message, '\0', sizeof(err->message)));
	FUZZ_CHECK(memchr(err->fix, '\0', sizeof(err->fix)));
	FUZZ_CHECK(err->message[0] && fuzz_printable(err->message) && fuzz_printable(err->fix));
	error_line(err, line);
	FUZZ_CHECK(strlen(line) < ERROR_LINE_MAX && string_starts(line, "davit: cannot "));
	/* Whatever the input: there is enough memory for it. */
	FUZZ_CHECK(r != -ENOMEM);
}

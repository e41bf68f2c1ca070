// SPDX-License-Identifier: Apache-2.0
/* The beginning of every unit test. */
#pragma once

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

/* A test of one row of a table: the row is the function's *state, the name its own. */
static inline struct CMUnitTest row_test(const char *name, CMUnitTestFunction function,
					 const void *row)
{
	return (struct CMUnitTest){name, function, NULL, NULL, (void *)(uintptr_t)row};
}

/* The text has that part in it; NULL is in every text. */
static inline void assert_part(const char *text, const char *part)
{
	if (part && !(text && strstr(text, part)))
		fail_msg("\"%s\" is not in \"%s\"", part, text ? text : "(none)");
}

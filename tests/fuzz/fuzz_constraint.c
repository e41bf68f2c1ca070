// SPDX-License-Identifier: Apache-2.0
/*
 * Constraints: a line with the expression, then lines with the facts on cuda, driver, arch and
 * brand. The answer with some of the facts may be "unknown", but is never another one than with
 * more of them.
 */
#include "davit/request.h"
#include "fuzz.h"

enum { FACTS = 4, SUBSETS = 1 << FACTS };

struct answer {
	int r;
	struct requirement_answer answer;
};

static void check_answer(const char *expression, unsigned known, bool no_device,
			 const struct answer *a)
{
	const struct requirement_answer *answer = &a->answer;

	if (a->r < 0)
		return;
	FUZZ_CHECK((answer->verdict == REQUIREMENT_UNKNOWN) == (answer->missing != 0));
	FUZZ_CHECK((answer->missing & known) == 0);
	if (no_device)
		FUZZ_CHECK(!(answer->missing & (REQUIRE_ARCH | REQUIRE_BRAND)));
	FUZZ_CHECK(!answer->alternative || strstr(expression, answer->alternative));
	if (answer->verdict == REQUIREMENT_FAILED)
		FUZZ_CHECK(strstr(answer->alternative, answer->condition) &&
			   (answer->property & known));
	else
		FUZZ_CHECK(!answer->condition);
}

/* `less` with fewer facts than `more`. */
static void compare_answers(const struct answer *less, const struct answer *more)
{
	bool same = more->r == 0 && more->answer.verdict == less->answer.verdict;

	if (less->r < 0)
		FUZZ_CHECK(more->r < 0);
	else if (less->answer.verdict == REQUIREMENT_FAILED)
		FUZZ_CHECK(same);
	else if (less->answer.verdict == REQUIREMENT_SATISFIED)
		FUZZ_CHECK(same || more->r < 0 || more->answer.verdict == REQUIREMENT_UNKNOWN);
}

static void evaluate_all(const char *expression, const char *const facts[FACTS], bool no_device)
{
	struct answer answers[SUBSETS];
	AUTO_ARENA arena = {0};

	for (unsigned known = 0; known < SUBSETS; known++) {
		const struct requirement_facts some = {
			.cuda = known & REQUIRE_CUDA ? facts[0] : NULL,
			.driver = known & REQUIRE_DRIVER ? facts[1] : NULL,
			.arch = known & REQUIRE_ARCH ? facts[2] : NULL,
			.brand = known & REQUIRE_BRAND ? facts[3] : NULL,
			.no_device = no_device,
		};
		struct answer *answer = &answers[known];
		struct error err = FUZZ_ERROR;

		answer->r = requirement_evaluate(expression, &some, &arena, &answer->answer, &err);
		if (answer->r < 0) {
			fuzz_check_error(answer->r, &err);
			FUZZ_CHECK(answer->r == -EINVAL && err.code == ERROR_BAD_REQUEST);
		}
		check_answer(expression, known, no_device, answer);
	}
	for (unsigned more = 0; more < SUBSETS; more++)
		for (unsigned less = 0; less < more; less++)
			if ((less & more) == less)
				compare_answers(&answers[less], &answers[more]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const usual[FACTS] = {"13.0", "580.159.04", "9.0", "tesla"};
	AUTO_TEXT text = fuzz_text(data, size);
	const char *facts[FACTS];
	char *rest = text, *expression = strsep(&rest, "\n");

	for (size_t i = 0; i < FACTS; i++) {
		const char *line = strsep(&rest, "\n");

		facts[i] = line && *line ? line : usual[i];
	}
	evaluate_all(expression, facts, false);
	evaluate_all(expression, facts, true);
	return 0;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * A unit file. Read once more, it says the same; behind an empty one, too; a command without
 * variables has its words from the text; and a drop-in that resets everything leaves nothing.
 */
#include "configure/unit.h"
#include "fuzz.h"

static void check_same(const struct unit *a, const struct unit *b, struct arena *arena)
{
	struct strings words, others;

	FUZZ_CHECK(string_equal(a->command, b->command) && string_equal(a->folder, b->folder));
	FUZZ_CHECK(unit_words(a, arena, &words) == 0 && unit_words(b, arena, &others) == 0);
	FUZZ_CHECK(words.count == others.count);
	for (size_t i = 0; i < words.count; i++)
		FUZZ_CHECK(string_equal(words.items[i], others.items[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char reset[] = "\n[Service]\nExecStart=\nEnvironment=\nEnvironmentFile=\n"
				    "WorkingDirectory=\n";
	AUTO_TEXT text = fuzz_text(data, size);
	AUTO_ARENA arena = {0};
	struct unit unit = {0}, again = {0};
	struct strings words;

	FUZZ_CHECK(unit_read(text, &arena, &unit) == 0);
	FUZZ_CHECK(unit_read("", &arena, &again) == 0 && unit_read(text, &arena, &again) == 0);
	check_same(&unit, &again, &arena);
	FUZZ_CHECK(!unit.command || *unit.command);
	FUZZ_CHECK(!unit.folder || *unit.folder == '/');
	FUZZ_CHECK(unit_words(&unit, &arena, &words) == 0);
	FUZZ_CHECK(unit.command || !words.count);
	FUZZ_CHECK(unit_read_variables(text, &arena, &unit) == 0);
	for (size_t i = 0; i < unit.variables.count; i++)
		FUZZ_CHECK(unit.variables.items[i]);
	FUZZ_CHECK(unit_read(reset, &arena, &unit) == 0);
	FUZZ_CHECK(!unit.command && !unit.folder && !unit.variables.count && !unit.files.count);
	return 0;
}

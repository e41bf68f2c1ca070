// SPDX-License-Identifier: Apache-2.0
/* /proc/PID/cmdline of a runtime. */
#include "davit/oci.h"
#include "fuzz.h"

/* Whether the text has that word, or one that ends in `=` and it. */
static bool has(const uint8_t *data, size_t size, const char *value)
{
	size_t length = strlen(value);

	for (size_t i = 0; i + length <= size; i++)
		if (memcmp(data + i, value, length) == 0 &&
		    (i == 0 || data[i - 1] == '\0' || data[i - 1] == '=') &&
		    (i + length == size || data[i + length] == '\0'))
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_ARENA arena = {0};
	struct oci_runtime_words words;

	oci_runtime_words_parse((struct slice){(const char *)data, size}, "c1", &arena, &words);
	FUZZ_CHECK(words.bundle && words.root && words.config);
	/* Nothing is made up, and no word is cut. */
	FUZZ_CHECK(!*words.bundle || (words.bundle[0] == '/' && has(data, size, words.bundle)));
	FUZZ_CHECK(!*words.root || (words.root[0] == '/' && has(data, size, words.root)));
	FUZZ_CHECK(!words.names || has(data, size, "c1"));
	return 0;
}

// SPDX-License-Identifier: Apache-2.0
/* The JSON of libcuda's note. */
#include "davit/loader.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_TEXT text = fuzz_text(data, size);
	AUTO_ARENA arena = {0};
	struct cuda_note note;
	int r = cuda_note_parse(text, &arena, &note);

	FUZZ_CHECK(r == 0 || r == -EINVAL);
	FUZZ_CHECK(r < 0 || note.driver_count <= ARRAY_SIZE(note.drivers));
	return 0;
}

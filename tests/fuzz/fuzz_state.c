// SPDX-License-Identifier: Apache-2.0
/* The runtime's state. */
#include "davit/oci.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int need_pid = 0; need_pid < 2; need_pid++) {
		AUTO_ARENA arena = {0};
		struct error err = FUZZ_ERROR;
		struct oci_state state;
		int r = oci_state_parse((const char *)data, size, need_pid, &arena, &state, &err);

		if (r < 0) {
			fuzz_check_error(r, &err);
			FUZZ_CHECK(err.code == ERROR_BAD_BUNDLE);
			continue;
		}
		FUZZ_CHECK(state.id && state.status && state.bundle[0] == '/');
		FUZZ_CHECK(state.pid > 0 || (!need_pid && state.pid == 0));
		FUZZ_CHECK(strlen(state.id) + strlen(state.status) + strlen(state.bundle) <= size);
	}
	return 0;
}

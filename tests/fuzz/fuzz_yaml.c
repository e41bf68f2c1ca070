// SPDX-License-Identifier: Apache-2.0
/* CDI specs as YAML: what was read is written so that it is read as the same. */
#include "davit/cdi.h"
#include "davit/json.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_ARENA arena = {0};
	struct error err = FUZZ_ERROR;
	AUTO_JSON *object = NULL;
	AUTO_JSON *again = NULL;
	const char *text;
	int r = cdi_yaml_parse((const char *)data, size, "spec", &object, &err);

	if (r < 0) {
		fuzz_check_error(r, &err);
		FUZZ_CHECK(r == -EINVAL && err.code == ERROR_BAD_REQUEST && !object);
		return 0;
	}
	FUZZ_CHECK(json_object_is_type(object, json_type_object));
	r = cdi_check(object, "spec", &err);
	if (r < 0)
		fuzz_check_error(r, &err);
	text = cdi_yaml_write(object, &arena);
	FUZZ_CHECK(text);
	/* Empty keys and quotation marks in keys aren't read back; a null comes back as text. */
	if (strstr(text, "\\\"") || strstr(text, "\n:") || strstr(text, " :"))
		return 0;
	FUZZ_CHECK(cdi_yaml_parse(text, strlen(text), "spec", &again, &err) == 0);
	FUZZ_CHECK(strstr(text, "null") || json_object_equal(object, again));
	return 0;
}

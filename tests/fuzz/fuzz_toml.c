// SPDX-License-Identifier: Apache-2.0
/* TOML: what was read is written so that it is read as the same; its places are in the text. */
#include "configure/toml.h"
#include "fuzz.h"

#define FILE_PATH "/etc/containerd/config.toml"

static void check_slice(struct slice slice, const char *text, size_t length)
{
	FUZZ_CHECK(slice.length == 0 ||
		   (slice.data >= text && slice.data + slice.length <= text + length));
}

static void check_node(const struct toml_node *node, const char *text, size_t length)
{
	size_t count = 0;

	check_slice(node->text, text, length);
	check_slice(node->lines, text, length);
	FUZZ_CHECK((node->type == TOML_STRING) == (node->string != NULL));
	FUZZ_CHECK(!node->lines.length || node->lines.data == text ||
		   node->lines.data[-1] == '\n' || node->lines.data == text + 3);
	for (const struct toml_node *of = node->first; of; of = of->next) {
		FUZZ_CHECK(of->parent == node && (node->type == TOML_TABLE) == (of->key != NULL));
		FUZZ_CHECK(!of->key || toml_member(node, of->key) == of);
		FUZZ_CHECK(of->next || node->last == of);
		check_node(of, text, length);
		count++;
	}
	FUZZ_CHECK(count == node->count && count <= TOML_NODES_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_TEXT text = fuzz_text(data, size);
	AUTO_ARENA arena = {0};
	struct error err = FUZZ_ERROR;
	struct toml_node *top, *again, *merged;
	const char *written;
	int r = toml_parse(text, FILE_PATH, &arena, &top, &err);

	if (r < 0) {
		fuzz_check_error(r, &err);
		FUZZ_CHECK(err.code == ERROR_BAD_CONFIG && err.fix[0]);
		return 0;
	}
	check_node(top, text, strlen(text));
	written = toml_text(top, &arena);
	FUZZ_CHECK(written);
	FUZZ_CHECK(toml_parse(written, FILE_PATH, &arena, &again, &err) == 0);
	FUZZ_CHECK(toml_equal(top, again) && toml_equal(again, top));
	FUZZ_CHECK(string_equal(toml_text(again, &arena), written));
	merged = toml_new_table(&arena);
	FUZZ_CHECK(merged && toml_merge(merged, top, &arena) == 0 && toml_equal(merged, top));
	FUZZ_CHECK(toml_merge(merged, again, &arena) == 0 && toml_equal(merged, top));
	return 0;
}

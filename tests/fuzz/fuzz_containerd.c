// SPDX-License-Identifier: Apache-2.0
/* containerd's config.toml: edited, it is still TOML; once is enough; taken back, nothing is left.
 */
#include "configure/toml.h"
#include "fuzz.h"

#define FILE_PATH "/etc/containerd/config.toml"
#define DROP_IN "/etc/containerd/conf.d/davit.toml"
#define PATTERN "/etc/containerd/conf.d/*.toml"

static void check_toml(const char *text)
{
	AUTO_ARENA arena = {0};
	struct error err = FUZZ_ERROR;
	struct toml toml;
	const char *at = text;

	FUZZ_CHECK(toml_parse(text, FILE_PATH, &arena, &toml, &err) == 0);
	/* The lines are the text. */
	for (size_t i = 0; i < toml.count; i++) {
		const struct toml_line *line = &toml.items[i];

		FUZZ_CHECK(line->text == at && line->length > 0 && line->table);
		at += line->length;
		FUZZ_CHECK(line->kind != TOML_PAIR ||
			   (line->keys.count > 0 && line->value_length > 0));
	}
	FUZZ_CHECK(!*at);
}

/*
 * Values aren't looked into: a list may have anything behind it; and strings in three quotation
 * marks aren't understood in one, nor escaped ones before a name like ours.
 */
static bool has_odd_list(const char *text, const struct toml *toml)
{
	if (strstr(text, "\\\"/etc/containerd") || strstr(text, "\"\"\"") || strstr(text, "'''"))
		return true;
	for (size_t i = 0; i < toml->count; i++) {
		const struct toml_line *line = &toml->items[i];

		if (line->kind == TOML_PAIR && line->text[line->value] == '[' &&
		    line->text[line->value + line->value_length - 1] != ']')
			return true;
	}
	return false;
}

static void check_imports(const char *text)
{
	AUTO_ARENA arena = {0};
	struct error err = FUZZ_ERROR;
	char *after = NULL, *again = NULL, *removed = NULL;
	int r = configure_containerd(text, FILE_PATH, DROP_IN, &arena, &after, &err);

	if (r < 0) {
		fuzz_check_error(r, &err);
		FUZZ_CHECK(err.code == ERROR_BAD_CONFIG);
		return;
	}
	check_toml(after);
	FUZZ_CHECK(configure_containerd(after, FILE_PATH, DROP_IN, &arena, &again, &err) == 0);
	FUZZ_CHECK(string_equal(after, again));
	FUZZ_CHECK(configure_containerd_remove(after, FILE_PATH, DROP_IN, &arena, &removed, &err) ==
		   0);
	if (!removed)
		return;
	check_toml(removed);
	/* What was added is gone, when it was added. */
	if (!strstr(text, "conf.d"))
		FUZZ_CHECK(!strstr(removed, PATTERN));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct configure configure = {.runtime_name = "nvidia",
					    .runtime_path = "/usr/bin/davit-runtime",
					    .set_default = true,
					    .cdi = true};
	AUTO_TEXT text = fuzz_text(data, size);
	AUTO_ARENA arena = {0};
	struct error err = FUZZ_ERROR;
	const char *note;
	struct toml toml;
	char *drop_in = NULL;
	int r = toml_parse(text, FILE_PATH, &arena, &toml, &err);

	if (r < 0) {
		fuzz_check_error(r, &err);
		FUZZ_CHECK(err.code == ERROR_BAD_CONFIG);
		return 0;
	}
	check_toml(text);
	if (!has_odd_list(text, &toml))
		check_imports(text);
	r = configure_containerd_drop_in(text, FILE_PATH, &configure, &arena, &drop_in, &note,
					 &err);
	if (r < 0)
		fuzz_check_error(r, &err);
	else
		check_toml(drop_in);
	return 0;
}

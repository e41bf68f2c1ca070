// SPDX-License-Identifier: Apache-2.0
/*
 * containerd's config.toml, and with a line of "---" a second file that it imports: edited, it is
 * still TOML; once is enough; taken back, nothing is left; what goes with it loses nothing, by our
 * own merging.
 */
#include "configure/toml.h"
#include "davit/configure_containerd.h"
#include "fuzz.h"

#define FILE_PATH "/etc/containerd/config.toml"
#define DROP_IN "/etc/containerd/conf.d/davit.toml"

static const struct configure configure = {.runtime_name = "nvidia",
					   .runtime_path = "/usr/bin/davit-runtime",
					   .set_default = true,
					   .cdi = true};

static const struct containerd_version versions[] = {{0, 0}, {1, 6}, {2, 0}, {2, 1}, {2, 3}};

static struct toml_node *parse(const char *text, struct arena *arena)
{
	struct error err = FUZZ_ERROR;
	struct toml_node *top = NULL;

	FUZZ_CHECK(toml_parse(text, FILE_PATH, arena, &top, &err) == 0);
	return top;
}

static bool imports_ours(const char *text, struct arena *arena)
{
	struct strings imports;

	FUZZ_CHECK(toml_strings(toml_member(parse(text, arena), "imports"), arena, &imports) == 0);
	return strings_contain(&imports, DROP_IN);
}

static void check_refusal(int r, const struct error *err)
{
	fuzz_check_error(r, err);
	FUZZ_CHECK(err->code == ERROR_BAD_CONFIG && err->fix[0]);
}

static void check_imports(const char *text)
{
	AUTO_ARENA arena = {0};
	struct error err = FUZZ_ERROR;
	char *after = NULL, *again = NULL, *removed = NULL;
	int r = configure_containerd(text, FILE_PATH, DROP_IN, versions[0], &arena, &after, &err);

	if (r < 0) {
		check_refusal(r, &err);
		return;
	}
	FUZZ_CHECK(imports_ours(after, &arena));
	FUZZ_CHECK(configure_containerd(after, FILE_PATH, DROP_IN, versions[0], &arena, &again,
					&err) == 0);
	FUZZ_CHECK(string_equal(after, again));
	FUZZ_CHECK(configure_containerd_remove(after, FILE_PATH, DROP_IN, &arena, &removed, &err) ==
		   0);
	if (removed && !strstr(text, "davit.toml"))
		FUZZ_CHECK(!imports_ours(removed, &arena));
}

/* The text as an only import has no other. */
static void check_import_only(const char *text)
{
	const char *only = "/a \"b\"";
	const struct strings one = {.items = &only, .count = 1};
	AUTO_ARENA arena = {0};
	struct error err = FUZZ_ERROR;
	struct strings imports;
	char *after = NULL;

	if (configure_containerd_import_only(text, FILE_PATH, &one, &arena, &after, &err) < 0)
		return;
	FUZZ_CHECK(toml_strings(toml_member(parse(after, &arena), "imports"), &arena, &imports) ==
		   0);
	FUZZ_CHECK(imports.count == 1 && string_equal(imports.items[0], only));
}

static void check_drop_in(const struct engine_files *files, struct containerd_version version)
{
	AUTO_ARENA arena = {0};
	struct error err = FUZZ_ERROR;
	struct engine_file items[3] = {files->items[0], files->items[1 % files->count]};
	struct engine_files with = {.items = items, .count = files->count + 1};
	const struct containerd_change change = {&with, DROP_IN, NULL, version};
	struct containerd_form forms[CONTAINERD_FORMS_MAX];
	const struct toml_node *before, *after;
	char *text = NULL;
	int r;

	(void)containerd_forms(files, version, forms);
	r = configure_containerd_drop_in(files, version, NULL, &forms[0], &configure, &arena, &text,
					 &err);
	/* Another program's runtime of that name. */
	if (r < 0) {
		FUZZ_CHECK(strstr(err.message, " already exists, as "));
		check_refusal(r, &err);
		return;
	}
	items[files->count] =
		(struct engine_file){.path = DROP_IN, .text = text, .top = parse(text, &arena)};
	before = containerd_merge(files, version, &arena);
	after = containerd_merge(&with, version, &arena);
	FUZZ_CHECK(before && after);
	/*
	 * A table of values that aren't tables has to give way. Settings of another format than the
	 * file's can override.
	 */
	if (configure_containerd_check(before, after, &change, &configure, &arena, &err) < 0)
		FUZZ_CHECK(strstr(err.message, "would then lose") ||
			   strstr(err.message, " overrides ") ||
			   strstr(err.message, " has another format version "));
	else
		FUZZ_CHECK(string_equal(containerd_find_runtime(after, "nvidia").program,
					configure.runtime_path));
}

static void check_blocks(const char *text, const struct engine_files *files)
{
	const char *items[] = {"nvidia"}, *name, *path;
	const struct strings removed = {.items = items, .count = 1};
	AUTO_ARENA arena = {0};
	struct error err = FUZZ_ERROR;
	const struct configure plain = {.runtime_name = "nvidia", .runtime_path = "/r"};
	char *after = NULL, *again = NULL;
	int r = configure_containerd_inline(text, FILE_PATH, &plain, &arena, &after, &err);

	(void)containerd_template_default(text, &removed, &arena);
	FUZZ_CHECK(containerd_left_default(files, FILE_PATH, &removed,
					   (struct containerd_version){0}, &arena, &name,
					   &path) == 0 &&
		   !name == !path);
	if (r < 0)
		check_refusal(r, &err);
	else if (configure_containerd_inline(after, FILE_PATH, &plain, &arena, &again, &err) == 0)
		FUZZ_CHECK(string_equal(after, again));
	r = configure_containerd_template(text, FILE_PATH, files, NULL, &plain, &arena, &after,
					  &err);
	if (r < 0)
		check_refusal(r, &err);
	else if (configure_containerd_template(after, FILE_PATH, files, NULL, &plain, &arena,
					       &again, &err) == 0)
		FUZZ_CHECK(string_equal(after, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_TEXT text = fuzz_text(data, size);
	AUTO_ARENA arena = {0};
	struct error err = FUZZ_ERROR;
	struct engine_file items[2] = {{.path = FILE_PATH, .text = text}, {.path = "/b.toml"}};
	struct engine_files files = {.items = items, .count = 1};
	char *second = strstr(text, "\n---\n");

	if (second) {
		second[1] = '\0';
		items[1].text = second + strlen("\n---\n");
		files.count = 2;
	}
	for (size_t i = 0; i < files.count; i++) {
		struct toml_node *top;
		int r = toml_parse(items[i].text, items[i].path, &arena, &top, &err);

		if (r < 0) {
			check_refusal(r, &err);
			return 0;
		}
		items[i].top = top;
	}
	check_imports(text);
	check_import_only(text);
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++)
		check_drop_in(&files, versions[i]);
	check_blocks(text, &files);
	return 0;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * A drop-in of davit's that others may have edited: with davit's lines of today, each of theirs is
 * in it; once more changes nothing; without davit's, theirs are left, and no runtime of davit's.
 */
#include "configure/toml.h"
#include "fuzz.h"

#define FILE_PATH "/etc/containerd/conf.d/davit.toml"
#define PROGRAM "/usr/bin/davit-runtime"
#define SECTION "[plugins.\"io.containerd.cri.v1.runtime\".containerd.runtimes."

static const char ours[] = CONFIGURE_MARK " containerd`.\nversion = 3\n\n" SECTION
					  "nvidia]\n  runtime_type = \"io.containerd.runc.v2\"\n"
					  "  container_annotations = [\"cdi.k8s.io/*\"]\n\n" SECTION
					  "nvidia.options]\n  BinaryName = \"" PROGRAM "\"\n";
static const struct configure configure = {.runtime_name = "nvidia", .runtime_path = PROGRAM};

static struct toml_node *parse(const char *text, struct arena *arena)
{
	struct error err = FUZZ_ERROR;
	struct toml_node *top = NULL;

	FUZZ_CHECK(toml_parse(text, FILE_PATH, arena, &top, &err) == 0);
	return top;
}

/* Lines of `text` that aren't blank are lines of `whole`, in their order. */
static void check_lines(const char *text, const char *whole)
{
	struct slice rest = slice_from(text), line, at = slice_from(whole), other;

	while (slice_next(&rest, '\n', &line)) {
		bool found = slice_trim(line).length == 0;

		while (!found && slice_next(&at, '\n', &other))
			found = line.length == other.length &&
				memcmp(line.data, other.data, line.length) == 0;
		FUZZ_CHECK(found);
	}
}

static void check_refusal(int r, const struct error *err)
{
	fuzz_check_error(r, err);
	FUZZ_CHECK(err->code == ERROR_BAD_CONFIG && err->fix[0]);
}

static void check_left(const char *text, const char *others, struct arena *arena)
{
	struct error err = FUZZ_ERROR;
	struct configure_left left;
	const struct toml_node *top;

	FUZZ_CHECK(configure_leave(text, FILE_PATH, &configure, arena, &left, &err) == 0);
	FUZZ_CHECK(others || !left.text);
	if (!left.text)
		return;
	top = parse(left.text, arena);
	FUZZ_CHECK(
		!toml_find(top, TOML_PATH("plugins", "io.containerd.cri.v1.runtime", "containerd",
					  "runtimes", "nvidia", "options", "BinaryName")));
	/* But for the version, which goes before them. */
	check_lines(strncmp(left.text, "version = ", 10) == 0 ? strchr(left.text, '\n') + 1
							      : left.text,
		    others);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_TEXT text = fuzz_text(data, size);
	AUTO_ARENA arena = {0};
	struct error err = FUZZ_ERROR;
	struct configure_others others, again;
	struct configure_joined joined, second;
	int r = configure_split(text, ours, FILE_PATH, &arena, &others, &err);

	if (r == 0)
		r = configure_join(&others, ours, FILE_PATH, &configure, &arena, &joined, &err);
	if (r < 0) {
		check_refusal(r, &err);
		return 0;
	}
	(void)parse(joined.text, &arena);
	if (others.text)
		check_lines(others.text, joined.text);
	FUZZ_CHECK(configure_split(joined.text, ours, FILE_PATH, &arena, &again, &err) == 0);
	FUZZ_CHECK(!again.text == !others.text);
	FUZZ_CHECK(configure_join(&again, ours, FILE_PATH, &configure, &arena, &second, &err) == 0);
	FUZZ_CHECK(configure_is_same(joined.text, second.text, FILE_PATH, &arena));
	check_left(joined.text, others.text, &arena);
	return 0;
}

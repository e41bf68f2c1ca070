// SPDX-License-Identifier: Apache-2.0
/*
 * The files of /proc: a text in which "=== PATH" begins each file. The driver's readers see this
 * tree in the place of a real one.
 */
#define inventory_read_text real_read_text
#define inventory_list real_list
#include "driver/kernel.c"
#undef inventory_read_text
#undef inventory_list
#include "driver/bus_id.h"
#include "fuzz.h"

#define HEADING "=== "

static const char *tree;

/* The next file behind *rest: its path, and its text. */
static bool next_file(const char **rest, struct slice *ret_path, struct slice *ret_text)
{
	const char *next, *end;

	if (!*rest || !string_starts(*rest, HEADING))
		return false;
	*rest += strlen(HEADING);
	end = strchrnul(*rest, '\n');
	*ret_path = (struct slice){*rest, (size_t)(end - *rest)};
	end += *end == '\n';
	next = string_starts(end, HEADING) ? end : strstr(end, "\n" HEADING);
	if (next && *next == '\n')
		next++;
	*ret_text = (struct slice){end, next ? (size_t)(next - end) : strlen(end)};
	*rest = next;
	return true;
}

int inventory_read_text(const struct root *root, const char *path, struct arena *arena, char **ret)
{
	const char *rest = tree;
	struct slice name, text;

	(void)root;
	while (next_file(&rest, &name, &text))
		if (slice_equal(name, path)) {
			*ret = arena_strndup(arena, text.data, text.length);
			return *ret ? 0 : -ENOMEM;
		}
	return -ENOENT;
}

int inventory_list(const struct root *root, const char *path, struct arena *arena,
		   struct strings *ret)
{
	const char *rest = tree;
	struct slice name, text, item;

	(void)root;
	*ret = (struct strings){0};
	while (next_file(&rest, &name, &text)) {
		const char *copy;

		if (!slice_starts(name, path) || name.length <= strlen(path) ||
		    name.data[strlen(path)] != '/')
			continue;
		name.data += strlen(path) + 1;
		name.length -= strlen(path) + 1;
		(void)slice_next(&name, '/', &item);
		copy = arena_strndup(arena, item.data, item.length);
		if (copy[0] != '.' && *copy && !strings_contain(ret, copy))
			FUZZ_CHECK(strings_add(arena, ret, copy) == 0);
	}
	if (ret->count)
		qsort(ret->items, ret->count, sizeof(*ret->items), by_text);
	return 0;
}

static void check_gpu(const struct gpu *gpu, size_t index)
{
	bus_id id;

	FUZZ_CHECK(gpu->index == index && gpu->minor <= 0xfffff);
	FUZZ_CHECK(bus_id_parse(gpu->bus_id, &id) == 0);
	FUZZ_CHECK(fuzz_printable(gpu->uuid) && *gpu->uuid && fuzz_printable(gpu->model));
	for (size_t i = 0; i < gpu->mig.count; i++) {
		const struct mig_instance *mig = &gpu->mig.items[i];

		FUZZ_CHECK(mig->gi_minor <= 0xfffff && mig->ci_minor <= 0xfffff);
		FUZZ_CHECK(i == 0 || mig[-1].gpu_instance < mig->gpu_instance ||
			   (mig[-1].gpu_instance == mig->gpu_instance &&
			    mig[-1].compute_instance <= mig->compute_instance));
	}
}

static void check_driver(const struct driver *driver)
{
	bus_id before = 0, id = 0;

	FUZZ_CHECK(strspn(driver->version, "0123456789.") == strlen(driver->version));
	FUZZ_CHECK(strchr(driver->version, '.') && strlen(driver->version) < 32);
	FUZZ_CHECK(driver->majors.gpu <= 0xfff && driver->majors.imex <= 0xfff);
	for (size_t i = 0; i < driver->gpus.count; i++) {
		check_gpu(&driver->gpus.items[i], i);
		(void)bus_id_parse(driver->gpus.items[i].bus_id, &id);
		FUZZ_CHECK(before <= id);
		before = id;
	}
	for (size_t i = 0; i < driver->nodes.count; i++)
		FUZZ_CHECK(!driver->nodes.items[i].present);
}

/* "=== select" may hold devices to select, an item a line. */
static void select_devices(const struct driver *driver, struct arena *arena)
{
	struct strings devices = {0};
	struct error err = FUZZ_ERROR;
	struct selection selection;
	struct slice rest, item;
	char *text;
	int r;

	if (inventory_read_text(NULL, "select", arena, &text) < 0)
		return;
	string_printable(text); /* newlines, too */
	for (rest = slice_from(text); slice_next(&rest, '?', &item);)
		if (item.length)
			FUZZ_CHECK(strings_add(arena, &devices,
					       arena_strndup(arena, item.data, item.length)) == 0);
	r = driver_select(driver, &devices, arena, &selection, &err);
	if (r < 0)
		fuzz_check_error(r, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_TEXT text = fuzz_text(data, size);
	AUTO_ARENA arena = {0};
	struct error err = FUZZ_ERROR;
	struct driver driver = {0};
	struct driver_roots roots = DRIVER_ROOTS_INIT;
	struct inventory inv = {.roots = &roots,
				.capabilities = CAPABILITY_ALL,
				.arena = &arena,
				.driver = &driver,
				.err = &err};
	int r;

	tree = text;
	roots.proc.path = roots.dev.path = roots.sys.path = roots.host.path = "/fuzz";
	r = inventory_read_kernel(&inv);
	if (r == 0)
		r = inventory_read_majors(&inv);
	if (r == 0)
		r = inventory_read_gpus(&inv);
	if (r == 0)
		r = inventory_read_nodes(&inv);
	if (r < 0) {
		fuzz_check_error(r, &err);
		return 0;
	}
	check_driver(&driver);
	select_devices(&driver, &arena);
	return 0;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * The files of /proc: a text in which "=== PATH" begins each file. The driver's readers see this
 * tree in the place of a real one. "=== select" holds devices to select then, one a line.
 */
#include "davit/bus_id.h"
#include "davit/select.h"
#include "driver/native/inventory.h"
#include "fuzz.h"

/* What text.c and kernel.c do with files is done in the tree; the others go through it. */
#define root_openat fuzz_openat
#define root_stat fuzz_stat
#define file_read fuzz_read
#define fd_close fuzz_close
#define host_list real_list
static int fuzz_openat(const struct root *root, const char *path, int flags);
static int fuzz_stat(const struct root *root, const char *path, int flags, struct stat *ret);
static int fuzz_read(int fd, size_t limit, struct arena *arena, char **ret, size_t *ret_length);
static void fuzz_close(int *fd);
#include "driver/host/text.c"
#undef host_list
#include "driver/native/devices/kernel.c"
#undef fd_close

#define HEADING "=== "
#define FILE_OPENED INT16_MAX /* no descriptor */

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

static struct slice opened;

static int fuzz_openat(const struct root *root, const char *path, int flags)
{
	const char *rest = tree;
	struct slice name;

	(void)root;
	(void)flags;
	while (next_file(&rest, &name, &opened))
		if (slice_equal(name, path))
			return FILE_OPENED;
	return -ENOENT;
}

static int fuzz_stat(const struct root *root, const char *path, int flags, struct stat *ret)
{
	(void)ret;
	return fuzz_openat(root, path, flags) < 0 ? -ENOENT : 0;
}

static int fuzz_read(int fd, size_t limit, struct arena *arena, char **ret, size_t *ret_length)
{
	FUZZ_CHECK(fd == FILE_OPENED);
	if (opened.length > limit)
		return -EFBIG;
	*ret = arena_strndup(arena, opened.data, opened.length);
	if (ret_length)
		*ret_length = opened.length;
	return *ret ? 0 : -ENOMEM;
}

static void fuzz_close(int *fd)
{
	*fd = -1;
}

int host_list(const struct root *root, const char *path, struct arena *arena, struct strings *ret)
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
}

static void select_some(const struct driver *driver, struct arena *arena)
{
	struct strings devices = {0};
	struct error err = FUZZ_ERROR;
	struct selection selection;
	struct slice rest, item;
	char *text;
	int r;

	if (host_read_text(NULL, "select", arena, &text) < 0)
		return;
	string_printable(text); /* newlines, too */
	for (rest = slice_from(text); slice_next(&rest, '?', &item);)
		if (item.length)
			FUZZ_CHECK(strings_add(arena, &devices,
					       arena_strndup(arena, item.data, item.length)) == 0);
	r = select_devices(driver, &devices, "NVIDIA_VISIBLE_DEVICES", arena, &selection, &err);
	if (r < 0)
		fuzz_check_error(r, &err);
}

static int read_tree(const char *text, struct arena *arena, struct driver *driver,
		     struct error *err)
{
	static const char *const caps[] = {"driver/nvidia/capabilities/mig/config",
					   "driver/nvidia/capabilities/mig/monitor"};
	struct driver_roots roots = DRIVER_ROOTS_INIT;
	unsigned minor;
	struct inventory inv = {.roots = &roots,
				.capabilities = CAPABILITY_ALL,
				.arena = arena,
				.driver = driver,
				.err = err};
	int r;

	tree = text;
	roots.proc.path = roots.dev.path = roots.sys.path = roots.host.path = "/fuzz";
	r = inventory_read_kernel(&inv);
	if (r == 0)
		r = inventory_read_majors(&inv);
	if (r == 0)
		r = inventory_read_gpus(&inv);
	/* What inventory_read_nodes reads; the rest of it is nodes, and would make some. */
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(caps); i++) {
		r = inventory_read_cap(&inv, caps[i], &minor);
		FUZZ_CHECK(r != 0 || minor <= 0xfffff);
		r = r == -ENOMEM ? error_memory(err) : 0;
	}
	return r;
}

/* That the tree is what the readers see. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const char text[] = "=== driver/nvidia/version\nNVRM version: X  580.1  X\n"
				   "=== devices\n195 nvidia\n"
				   "=== driver/nvidia/gpus/0000:00:06.0/information\n"
				   "Device Minor: 7\n"
				   "=== driver/nvidia/capabilities/gpu7/mig/gi1/access\n"
				   "DeviceFileMinor: 12\n"
				   "=== driver/nvidia/capabilities/gpu7/mig/gi1/ci2/access\n"
				   "DeviceFileMinor: 13";
	AUTO_ARENA arena = {0};
	struct error err = FUZZ_ERROR;
	struct driver driver = {0};

	(void)argc;
	(void)argv;
	FUZZ_CHECK(read_tree(text, &arena, &driver, &err) == 0);
	FUZZ_CHECK(string_equal(driver.version, "580.1") && driver.majors.gpu == 195);
	FUZZ_CHECK(driver.gpus.count == 1 && driver.gpus.items[0].minor == 7);
	FUZZ_CHECK(driver.gpus.items[0].mig.count == 1);
	FUZZ_CHECK(driver.gpus.items[0].mig.items[0].ci_minor == 13);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_TEXT text = fuzz_text(data, size);
	AUTO_ARENA arena = {0};
	struct error err = FUZZ_ERROR;
	struct driver driver = {0};
	int r = read_tree(text, &arena, &driver, &err);

	if (r < 0) {
		fuzz_check_error(r, &err);
		return 0;
	}
	check_driver(&driver);
	select_some(&driver, &arena);
	return 0;
}

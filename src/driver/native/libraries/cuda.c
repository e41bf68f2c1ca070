// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "../inventory.h"
#include "../native.h"

/*
 * The CUDA version of each branch of the driver, for libraries without a note of it: the same for
 * all releases of a branch. From the table "CUDA Toolkit and Corresponding Driver Versions" of the
 * CUDA Toolkit's release notes (docs.nvidia.com/cuda/cuda-toolkit-release-notes), and for branches
 * that no toolkit came with (340, 565) from what cuDriverGetVersion and nvidia-smi say of them.
 * tests/drivers compares it with cuDriverGetVersion of real drivers. Branches whose releases differ
 * (430 and 435 among them) are left out.
 */
/* clang-format off */
static const struct {
	uint16_t branch;
	char cuda[6];
} branches[] = {
	{340, "6.5"}, {346, "7.0"}, {352, "7.5"}, {367, "8.0"},
	{375, "8.0"}, {384, "9.0"}, {387, "9.1"}, {390, "9.1"},
	{396, "9.2"}, {410, "10.0"}, {418, "10.1"}, {440, "10.2"},
	{450, "11.0"}, {455, "11.1"}, {460, "11.2"}, {465, "11.3"},
	{470, "11.4"}, {495, "11.5"}, {510, "11.6"}, {515, "11.7"},
	{520, "11.8"}, {525, "12.0"}, {530, "12.1"}, {535, "12.2"},
	{545, "12.3"}, {550, "12.4"}, {555, "12.5"}, {560, "12.6"},
	{565, "12.7"}, {570, "12.8"}, {575, "12.9"}, {580, "13.0"},
};
/* clang-format on */

const char *driver_cuda_of_branch(const char *version)
{
	uint64_t branch;

	if (parse_number(version, strcspn(version, "."), 10, UINT16_MAX, &branch) < 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(branches); i++)
		if (branches[i].branch == branch)
			return branches[i].cuda;
	return NULL;
}

const char *native_cuda_version(const struct driver_roots *roots, const struct config *config,
				const struct driver *driver, struct arena *arena)
{
	static const struct catalogue_row libcuda = {.name = CATALOGUE_LIBCUDA};
	/* What is found out on the way, where it was searched, is not the caller's. */
	struct driver copy = {.version = driver->version};
	struct error ignored;
	struct inventory inv = {
		.roots = roots,
		.config = config,
		.arena = arena,
		.driver = &copy,
		.read_fd = -1,
		.err = &ignored,
	};
	struct library_dirs dirs;
	struct library library = {.fd = -1};
	const char *version;

	if (driver->cuda_version)
		return driver->cuda_version;
	if (library_dirs_locate(&inv, 64, &dirs) == 0 && dirs.found.path)
		(void)library_find(&inv, &dirs, &libcuda, 64, &library);
	fd_close(&inv.read_fd);
	fd_close(&library.fd);
	if (!library.name)
		return NULL;
	version = library_cuda_version(&library, arena);
	return version ? version : driver_cuda_of_branch(driver->version);
}

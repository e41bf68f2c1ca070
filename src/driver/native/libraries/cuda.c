// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "../inventory.h"
#include "../native.h"

/*
 * The CUDA version of each driver branch, for libraries without a note of it. All releases of a
 * branch have the same version. The source is the table "CUDA Toolkit and Corresponding Driver
 * Versions" in the release notes of CUDA 13.2 (docs.nvidia.com/cuda/cuda-toolkit-release-notes).
 * The comment on a row is the branch's first version there. Exceptions:
 * - 340: the installer cuda_6.5.14_linux_64.run contains driver 340.29;
 * - 387: the installer's name is cuda_9.1.85_387.26_linux.run;
 * - 565: no toolkit was released with it; `nvidia-smi` of 565.57.01 shows 12.7.
 *
 * tests/drivers compares the rows 340, 390, 418, 450, 460, 470, 525, 535, 550 and 555 with
 * cuDriverGetVersion of real libraries. Branches whose releases differ (430 and 435 among them) are
 * omitted.
 */
/* clang-format off */
static const struct {
	uint16_t branch;
	char cuda[6];
} branches[] = {
	{340, "6.5"},  /* 340.29 */
	{346, "7.0"},  /* 346.46 */
	{352, "7.5"},  /* 352.31 */
	{367, "8.0"},  /* 367.48 */
	{375, "8.0"},  /* 375.26 */
	{384, "9.0"},  /* 384.81 */
	{387, "9.1"},  /* 387.26 */
	{390, "9.1"},  /* 390.46 */
	{396, "9.2"},  /* 396.26 */
	{410, "10.0"}, /* 410.48 */
	{418, "10.1"}, /* 418.39 */
	{440, "10.2"}, /* 440.33 */
	{450, "11.0"}, /* 450.36.06 */
	{455, "11.1"}, /* 455.23 */
	{460, "11.2"}, /* 460.27.03 */
	{465, "11.3"}, /* 465.19.01 */
	{470, "11.4"}, /* 470.42.01 */
	{495, "11.5"}, /* 495.29.05 */
	{510, "11.6"}, /* 510.39.01 */
	{515, "11.7"}, /* 515.43.04 */
	{520, "11.8"}, /* 520.61.05 */
	{525, "12.0"}, /* 525.60.13 */
	{530, "12.1"}, /* 530.30.02 */
	{535, "12.2"}, /* 535.54.03 */
	{545, "12.3"}, /* 545.23.06 */
	{550, "12.4"}, /* 550.54.14 */
	{555, "12.5"}, /* 555.42.02 */
	{560, "12.6"}, /* 560.28.03 */
	{565, "12.7"}, /* 565.57.01 */
	{570, "12.8"}, /* 570.26 */
	{575, "12.9"}, /* 575.51.03 */
	{580, "13.0"}, /* 580.65.06 */
	{590, "13.1"}, /* 590.44.01 */
	{595, "13.2"}, /* 595.45.04 */
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
	/* The caller's list of searched directories must not change. */
	struct driver copy = {.version = driver->version};
	struct error ignored;
	struct inventory inv = inventory_of(roots, config, &copy, arena, &ignored);
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

// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include "davit/image.h"

#if defined(__x86_64__)
#define MULTIARCH "x86_64-linux-gnu"
#define MULTIARCH_32 "i386-linux-gnu"
#define GLIBC_LOADERS "/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
#define MUSL_ARCH "x86_64"
#elif defined(__aarch64__)
#define MULTIARCH "aarch64-linux-gnu"
#define MULTIARCH_32 "arm-linux-gnueabihf"
#define GLIBC_LOADERS "/lib/ld-linux-aarch64.so.1"
#define MUSL_ARCH "aarch64"
#else
#error "davit: unknown architecture: add its library directories and loaders"
#endif

/* musl's built-in search path (ldso/dynlink.c: used when there is no path file). */
#define MUSL_LIB_DIR "/usr/lib"
#define MUSL_PATH "/lib\n/usr/local/lib\n/usr/lib\n"
#define MUSL_PATH_FILE "/etc/ld-musl-" MUSL_ARCH ".path"
#define MUSL_PATH_MAX ((size_t)64 * 1024)

static bool exists(const struct root *root, const char *path)
{
	AUTO_FD fd = root_openat(root, path, O_PATH);

	return fd >= 0;
}

/*
 * Debian's loader searches the multiarch directory, others' /usr/lib64. An image of Debian's kind
 * has the directory, or says what it is.
 */
static bool is_multiarch(const struct root *root)
{
	return exists(root, "/usr/lib/" MULTIARCH) || exists(root, "/lib/" MULTIARCH) ||
	       exists(root, "/etc/debian_version");
}

static bool has_glibc(const struct root *root)
{
	static const char *const places[] = {GLIBC_LOADERS, "/etc/ld.so.cache"};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (exists(root, places[i]))
			return true;
	return false;
}

/* The path file takes the place of the built-in path; entries end at a newline or colon. */
static bool musl_path_leads_to(const char *text, const char *dir)
{
	struct slice rest = slice_from(text), line, item;

	while (slice_next(&rest, '\n', &line))
		while (slice_next(&line, ':', &item))
			if (slice_equal(slice_trim(item), dir))
				return true;
	return false;
}

static int inspect_musl(const struct root *root, struct arena *arena, struct image *ret,
			struct error *err)
{
	char *text;
	int r = root_read(root, MUSL_PATH_FILE, MUSL_PATH_MAX, arena, &text, NULL);

	ret->loader = IMAGE_LOADER_MUSL;
	ret->lib_dir = MUSL_LIB_DIR;
	ret->lib_dir_32 = MUSL_LIB_DIR;
	if (r == -ENOENT || (r == 0 && musl_path_leads_to(text, MUSL_LIB_DIR)))
		return 0;
	if (r < 0)
		return error_set(err, ERROR_IMAGE, -r, "remove it from the image",
				 "read the image's %s: it is not a small text file",
				 MUSL_PATH_FILE);
	ret->musl_path_file = MUSL_PATH_FILE;
	ret->musl_path_text = arena_printf(arena, "%s\n%s\n", text, MUSL_LIB_DIR);
	return ret->musl_path_text ? 0 : error_memory(err);
}

int image_lead_musl(struct image *image, const char *dir, const struct root *root,
		    struct arena *arena)
{
	char *text = NULL;
	int r = root_read(root, MUSL_PATH_FILE, MUSL_PATH_MAX, arena, &text, NULL);

	if (r < 0 && r != -ENOENT)
		return r;
	image->musl_path_file = MUSL_PATH_FILE;
	image->musl_path_text = arena_printf(arena, "%s\n%s", dir, r == -ENOENT ? MUSL_PATH : text);
	return image->musl_path_text ? 0 : -ENOMEM;
}

static void set_multiarch(struct image *image)
{
	image->lib_dir = "/usr/lib/" MULTIARCH;
	image->lib_dir_32 = "/usr/lib/" MULTIARCH_32;
	image->system_dirs = "/lib/" MULTIARCH "\n/usr/lib/" MULTIARCH "\n/lib\n/usr/lib\n";
}

void image_assume(struct image *ret)
{
	*ret = (struct image){.loader = IMAGE_LOADER_GLIBC};
	set_multiarch(ret);
}

int image_inspect(const struct root *root, struct arena *arena, struct image *ret,
		  struct error *err)
{
	*ret = (struct image){0};
	if (has_glibc(root))
		ret->loader = IMAGE_LOADER_GLIBC;
	else if (exists(root, "/lib/ld-musl-" MUSL_ARCH ".so.1"))
		return inspect_musl(root, arena, ret, err);
	if (is_multiarch(root)) {
		set_multiarch(ret);
	} else {
		ret->lib_dir = "/usr/lib64";
		ret->lib_dir_32 = "/usr/lib";
		ret->system_dirs = "/lib64\n/usr/lib64\n/lib\n/usr/lib\n";
	}
	return 0;
}

/* ---- what its ldconfig will search ------------------------------------------------------- */

bool image_searches(const struct image *image, const char *dir)
{
	struct slice rest = slice_from(image->system_dirs ? image->system_dirs : ""), line;

	while (slice_next(&rest, '\n', &line))
		if (slice_equal(line, dir))
			return true;
	return false;
}

void image_find_loader_conf(const struct root *root, struct image *image)
{
	image->no_loader_conf = !exists(root, "/etc/ld.so.conf");
}

/* ---- vdpau -------------------------------------------------------------------------------- */

static bool has_vdpau(const struct root *root, const char *lib_dir)
{
	char path[128];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/vdpau", lib_dir);
	return root_stat(root, path, 0, &st) == 0 && S_ISDIR(st.st_mode);
}

void image_find_vdpau(const struct root *root, struct image *image)
{
	image->vdpau = has_vdpau(root, image->lib_dir);
	image->vdpau_32 = has_vdpau(root, image->lib_dir_32);
}

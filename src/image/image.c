// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <string.h>

#include "davit/image.h"

#if defined(__x86_64__)
#define MULTIARCH "x86_64-linux-gnu"
#define MULTIARCH_32 "i386-linux-gnu"
#define GLIBC_LOADERS "/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
#elif defined(__aarch64__)
#define MULTIARCH "aarch64-linux-gnu"
#define MULTIARCH_32 "arm-linux-gnueabihf"
#define GLIBC_LOADERS "/lib/ld-linux-aarch64.so.1"
#else
#error "davit: unknown architecture: add its library directories and loaders"
#endif

/* musl's built-in search path (ldso/dynlink.c), used if there is no path file. */
#define MUSL_LIB_DIR "/usr/lib"
#define MUSL_PATH "/lib\n/usr/local/lib\n/usr/lib\n"
#define MUSL_PATH_MAX ((size_t)64 * 1024)

static bool exists(const struct root *root, const char *path)
{
	AUTO_FD fd = root_openat(root, path, O_PATH);

	return fd >= 0;
}

/*
 * Debian's loader searches the multiarch directory, and others' loaders /usr/lib64. A Debian-like
 * image has that directory, or /etc/debian_version.
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

/* The path file replaces the built-in path. Entries end at a newline or a colon. */
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
	int r = root_read(root, IMAGE_MUSL_PATH_FILE, MUSL_PATH_MAX, arena, &text, NULL);

	ret->loader = IMAGE_LOADER_MUSL;
	ret->lib_dir = MUSL_LIB_DIR;
	ret->lib_dir_32 = MUSL_LIB_DIR;
	ret->musl_path = r == 0 ? text : MUSL_PATH;
	if (r == 0 || r == -ENOENT)
		return 0;
	return error_set(err, ERROR_IMAGE, -r, "remove it from the image",
			 "read the image's %s: it is not a small text file", IMAGE_MUSL_PATH_FILE);
}

/* The directories of the libraries, each once. 0 or -ENOMEM. */
static int list_dirs(const struct image *image, const struct loader_cache *libraries,
		     struct arena *arena, struct strings *ret)
{
	for (size_t i = image->compat.count; i < libraries->count; i++) {
		const struct loader_entry *library = &libraries->items[i];
		const char *slash = library->path ? strrchr(library->path, '/') : NULL;
		const char *dir;

		/*
		 * musl has one path for all libraries, and a 32-bit library found first would cause
		 * an error.
		 */
		if (library->flags != LOADER_FLAGS_NATIVE || !slash || slash == library->path)
			continue;
		dir = arena_strndup(arena, library->path, (size_t)(slash - library->path));
		if (!dir || (!strings_contain(ret, dir) && strings_add(arena, ret, dir) < 0))
			return -ENOMEM;
	}
	return 0;
}

int image_make_musl_path(const struct image *image, const struct loader_cache *libraries,
			 struct arena *arena, const char **ret)
{
	const char *first = "", *last = "";
	struct strings dirs = {0};
	int r = list_dirs(image, libraries, arena, &dirs);

	*ret = NULL;
	for (size_t i = 0; r == 0 && i < dirs.count; i++) {
		if (musl_path_leads_to(image->musl_path, dirs.items[i]))
			continue;
		if (string_equal(dirs.items[i], MUSL_LIB_DIR))
			last = "\n" MUSL_LIB_DIR "\n";
		else
			first = arena_printf(arena, "%s%s\n", first, dirs.items[i]);
		r = first ? 0 : -ENOMEM;
	}
	if (r < 0 || (!*first && !*last))
		return r;
	*ret = arena_printf(arena, "%s%s%s", first, image->musl_path, last);
	return *ret ? 0 : -ENOMEM;
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
	else if (exists(root, "/lib/ld-musl-" IMAGE_MUSL_ARCH ".so.1"))
		return inspect_musl(root, arena, ret, err);
	if (is_multiarch(root)) {
		set_multiarch(ret);
	} else {
		ret->lib_dir = "/usr/lib64";
		ret->lib_dir_32 = "/usr/lib";
		ret->system_dirs = "/lib64\n/usr/lib64\n/lib\n/usr/lib\n";
	}
	ret->no_loader_conf = ret->loader == IMAGE_LOADER_GLIBC && !exists(root, "/etc/ld.so.conf");
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

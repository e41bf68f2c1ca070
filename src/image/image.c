// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/statvfs.h>

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
#define MUSL_BUILT_IN "/lib:/usr/local/lib:/usr/lib"
#define MUSL_PATH_FILE "/etc/ld-musl-" MUSL_ARCH ".path"
#define MUSL_PATH_MAX ((size_t)64 * 1024)

static bool is_there(const struct root *root, const char *path)
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
	return is_there(root, "/usr/lib/" MULTIARCH) || is_there(root, "/lib/" MULTIARCH) ||
	       is_there(root, "/etc/debian_version");
}

static bool has_glibc(const struct root *root)
{
	static const char *const places[] = {GLIBC_LOADERS, "/etc/ld.so.cache"};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (is_there(root, places[i]))
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
	ret->musl_path = r < 0 ? NULL : text;
	if (r == -ENOENT || (r == 0 && musl_path_leads_to(text, MUSL_LIB_DIR)))
		return 0;
	if (r < 0)
		return error_set(err, ERROR_IMAGE, -r, "remove it from the image",
				 "read %s of the image: it is no small text file", MUSL_PATH_FILE);
	ret->musl_path_file = MUSL_PATH_FILE;
	ret->musl_path_text = arena_printf(arena, "%s\n%s\n", text, MUSL_LIB_DIR);
	return ret->musl_path_text ? 0 : error_memory(err);
}

int image_inspect(const struct root *root, struct arena *arena, struct image *ret,
		  struct error *err)
{
	*ret = (struct image){0};
	if (has_glibc(root))
		ret->loader = IMAGE_LOADER_GLIBC;
	else if (is_there(root, "/lib/ld-musl-" MUSL_ARCH ".so.1"))
		return inspect_musl(root, arena, ret, err);
	if (is_multiarch(root)) {
		ret->lib_dir = "/usr/lib/" MULTIARCH;
		ret->lib_dir_32 = "/usr/lib/" MULTIARCH_32;
	} else {
		ret->lib_dir = "/usr/lib64";
		ret->lib_dir_32 = "/usr/lib";
	}
	return 0;
}

/* ---- library directories that lie in volumes ---------------------------------------------- */

/* In the container's own root, unless somebody mounts there, too. */
static const struct {
	const char *native, *other; /* of 32 bits */
} own_directories[] = {
	{"/opt/davit/lib", "/opt/davit/lib32"},
	{"/.davit/lib",    "/.davit/lib32"   },
};

/* musl knows no other directories than its path file's, or those built in. */
static int lead_musl(struct arena *arena, struct image *image)
{
	if (image->loader != IMAGE_LOADER_MUSL)
		return 0;
	image->musl_path_file = MUSL_PATH_FILE;
	image->musl_path_text = arena_printf(arena, "%s\n%s\n", image->lib_dir,
					     image->musl_path ? image->musl_path : MUSL_BUILT_IN);
	return image->musl_path_text ? 0 : -ENOMEM;
}

static int is_writable_volume(struct image_volumes *volumes, const char *path, bool *ret)
{
	struct image_place place;
	int r = image_find_place(volumes, path, true, &place);

	*ret = r == 0 && image_place_is_volume(&place) && !(place.mount && place.mount->read_only);
	return r;
}

/* The first of our directories that doesn't lie in a volume, for `native` libraries or others. */
static int find_own(struct image_volumes *volumes, bool native, const char **ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(own_directories); i++) {
		const char *path = native ? own_directories[i].native : own_directories[i].other;
		struct image_place place;
		int r = image_find_place(volumes, path, true, &place);

		if (r < 0)
			return r;
		if (!place.mount && !place.uncertain) {
			*ret = path;
			return 0;
		}
	}
	return 0;
}

/* Files that engines mount into every container hold no directory. */
static bool may_hold_libraries(const struct oci_mount *mount)
{
	static const char *const files[] = {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf"};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (string_equal(mount->destination, files[i]))
			return false;
	return mount->bind && !mount->read_only;
}

int image_leave_volumes(struct image_volumes *volumes, struct image *image, struct error *err)
{
	const char *native = image->lib_dir;
	bool native_lost = false, other_lost = false;
	size_t i = 0;
	int r = 0;

	while (i < volumes->mounts->count && !may_hold_libraries(&volumes->mounts->items[i]))
		i++;
	if (i == volumes->mounts->count)
		return 0;
	r = is_writable_volume(volumes, image->lib_dir, &native_lost);
	if (r == 0)
		r = is_writable_volume(volumes, image->lib_dir_32, &other_lost);
	if (r == 0 && native_lost)
		r = find_own(volumes, true, &image->lib_dir);
	if (r == 0 && other_lost)
		r = find_own(volumes, false, &image->lib_dir_32);
	if (r == 0 && image->lib_dir != native)
		r = lead_musl(volumes->arena, image);
	return r < 0 ? error_errno(err, -r, "tell where libraries go in the container") : 0;
}

/* Whether it lies on another mount than the root, which can be written. */
static int is_other_mount(const struct root *root, const char *path, struct arena *arena, bool *ret)
{
	AUTO_FD fd = root_openat(root, path, O_PATH | O_DIRECTORY);
	struct statvfs fs;
	uint64_t root_mount, mount;
	struct stat st;
	int r = fd < 0 ? 0 : fd_look(root->fd, arena, &st, &root_mount);

	*ret = false;
	if (r == 0 && fd >= 0)
		r = fd_look(fd, arena, &st, &mount);
	if (r == 0 && fd >= 0 && mount != root_mount)
		*ret = fstatvfs(fd, &fs) == 0 && !(fs.f_flag & ST_RDONLY);
	return r;
}

int image_leave_mounts(const struct root *root, struct arena *arena, struct image *image,
		       struct error *err)
{
	bool native = false, other = false;
	int r = is_other_mount(root, image->lib_dir, arena, &native);

	if (r == 0)
		r = is_other_mount(root, image->lib_dir_32, arena, &other);
	if (other)
		image->lib_dir_32 = own_directories[0].other;
	if (native)
		image->lib_dir = own_directories[0].native;
	if (r == 0 && native)
		r = lead_musl(arena, image);
	return r < 0 ? error_errno(err, -r, "tell where libraries go in the container") : 0;
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

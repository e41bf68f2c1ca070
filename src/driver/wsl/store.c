// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "store.h"

#define LOADER "libcuda_loader.so"
#define LISTED_MAX 200 /* characters of a message */
#define COMPARED_MAX ((off_t)16 * 1024 * 1024)

struct search {
	const struct driver_roots *roots;
	struct arena *arena;
	int drivers;        /* WSL_DRIVERS */
	struct stat loader; /* of /usr/lib/wsl/lib/libcuda.so.1 */
	bool loader_known;
	struct strings all;  /* folders */
	struct strings cuda; /* those with a libcuda.so.1.1 */
	const char *refused; /* a store that users other than root can write */
	struct error *err;
};

/* Opens the target of a link to a name in the same directory, such as "libcuda.so.1". */
static int follow_beside(int directory, int link, struct arena *arena)
{
	char text[256];
	ssize_t length = readlinkat(link, "", text, sizeof(text));
	const char *name;

	if (length <= 0 || (size_t)length == sizeof(text))
		return -ELOOP;
	name = arena_strndup(arena, text, (size_t)length);
	if (!name)
		return -ENOMEM;
	if (strchr(name, '/') || strcmp(name, "..") == 0 || strcmp(name, ".") == 0)
		return -ELOOP;
	int fd = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int wsl_open_file(int directory, const char *name, struct arena *arena)
{
	AUTO_FD fd = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode)) {
		int target = follow_beside(directory, fd, arena);

		if (target < 0)
			return target;
		fd_close(&fd);
		fd = target;
		if (fstat(fd, &st) < 0)
			return -errno;
		if (S_ISLNK(st.st_mode))
			return -ELOOP;
	}
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (!owner_is_trusted(fd, &st) || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return -EPERM;
	return fd_take(&fd);
}

/*
 * If other users could write the directory, they could put a hard link to a secret of root there,
 * and the file couldn't be distinguished from a driver's. Directories of Windows aren't writable
 * like that.
 */
static bool is_roots(int directory)
{
	struct stat st;

	return fstat(directory, &st) == 0 && owner_is_trusted(directory, &st) &&
	       !(st.st_mode & (S_IWGRP | S_IWOTH));
}

static bool has_regular(int directory, const char *name, struct stat *ret)
{
	return fstatat(directory, name, ret, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(ret->st_mode);
}

static int open_folder(struct search *s, const char *name)
{
	AUTO_FD fd = openat(s->drivers, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (is_roots(fd))
		return fd_take(&fd);
	if (has_regular(fd, WSL_LIBCUDA, &st)) {
		log_line(LOG_LEVEL_WARNING,
			 WSL_DRIVERS "/%s is ignored: users other than root can write it", name);
		s->refused = name;
	}
	return -EPERM;
}

/* ---- which one -------------------------------------------------------------------------- */

/*
 * The device numbers differ, because these are two mounts. Inode and size are the same for one
 * file.
 */
static bool is_active(const struct search *s, int folder)
{
	struct stat st;

	return s->loader_known && has_regular(folder, LOADER, &st) &&
	       st.st_ino == s->loader.st_ino && st.st_size == s->loader.st_size;
}

static int choose(struct search *s, const char *name, int *folder, struct wsl_store *ret)
{
	ret->path = arena_printf(s->arena, WSL_DRIVERS "/%s", name);
	if (!ret->path)
		return error_memory(s->err);
	ret->fd = fd_take(folder);
	return 0;
}

static bool same_bytes(int a, int b)
{
	char one[16384], other[sizeof(one)];
	ssize_t length;

	do {
		length = read(a, one, sizeof(one));
		if (length < 0 || read(b, other, (size_t)sizeof(other)) != length ||
		    memcmp(one, other, (size_t)length) != 0)
			return false;
	} while (length > 0);
	return true;
}

/* Whether the folder's loader has the same bytes as the one in /usr/lib/wsl/lib. */
static bool has_same_loader(const struct search *s, int folder)
{
	AUTO_FD library = -1, loader = -1;
	struct stat st;

	if (!s->loader_known || s->loader.st_size > COMPARED_MAX ||
	    !has_regular(folder, LOADER, &st) || st.st_size != s->loader.st_size)
		return false;
	library = root_open_regular(&s->roots->driver, WSL_LIBRARIES "/libcuda.so.1");
	loader = openat(folder, LOADER, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	return library >= 0 && loader >= 0 && same_bytes(library, loader);
}

/* First called for names like NVIDIA's, because each access to a folder is a request to Windows. */
static int search_names(struct search *s, bool nvidias, struct wsl_store *ret)
{
	for (size_t i = 0; i < s->all.count; i++) {
		const char *name = s->all.items[i];
		AUTO_FD folder = -1;
		struct stat st;

		if ((strncmp(name, "nv", 2) == 0) != nvidias)
			continue;
		folder = open_folder(s, name);
		if (folder < 0 || !has_regular(folder, WSL_LIBCUDA, &st))
			continue;
		if (is_active(s, folder))
			return choose(s, name, &folder, ret);
		if (strings_add(s->arena, &s->cuda, name) < 0)
			return error_memory(s->err);
	}
	return 0;
}

static int find_by_bytes(struct search *s, struct wsl_store *ret)
{
	for (size_t i = 0; i < s->cuda.count; i++) {
		AUTO_FD folder = open_folder(s, s->cuda.items[i]);

		if (folder >= 0 && (s->cuda.count == 1 || has_same_loader(s, folder)))
			return choose(s, s->cuda.items[i], &folder, ret);
	}
	return 0;
}

static int refuse_directory(const char *path, struct error *err)
{
	if (!path)
		return error_memory(err);
	error_set(err, ERROR_NO_DRIVER, EPERM, NULL, "trust %s: users other than root can write it",
		  path);
	return error_fix(err, -EPERM, "chown root:root %s; chmod 0755 %s", path, path);
}

static int explain(struct search *s)
{
	const struct strings *names = s->cuda.count ? &s->cuda : &s->all;
	const char *list = strings_list(s->arena, names, LISTED_MAX);

	if (!list)
		return error_memory(s->err);
	if (s->refused)
		return refuse_directory(arena_printf(s->arena, WSL_DRIVERS "/%s", s->refused),
					s->err);
	if (s->all.count == 0)
		return error_set(
			s->err, ERROR_NO_DRIVER, ENXIO,
			"install NVIDIA's driver in Windows and run `wsl --update`; in a container, mount /usr/lib/wsl as well (-v /usr/lib/wsl:/usr/lib/wsl:ro)",
			"use the driver: the host is WSL2, but " WSL_DRIVERS
			" contains no Windows driver");
	if (s->cuda.count)
		return error_set(
			s->err, ERROR_NO_DRIVER, ENXIO,
			"remove the old driver in Windows (pnputil /delete-driver), or run "
			"`wsl --shutdown`",
			"find the Windows driver in use: none of %s has the libcuda of " WSL_LIBRARIES,
			list);
	return error_set(s->err, ERROR_NO_DRIVER, ENXIO,
			 "install NVIDIA's driver in Windows, then run `wsl --shutdown`",
			 "find an NVIDIA GPU in Windows: none of the drivers in " WSL_DRIVERS
			 ", %s, has " WSL_LIBCUDA,
			 list);
}

int wsl_store_open(const struct driver_roots *roots, struct arena *arena, struct wsl_store *ret,
		   struct error *err)
{
	struct search s = {.roots = roots, .arena = arena, .err = err};
	AUTO_FD drivers = root_openat(&roots->driver, WSL_DRIVERS, O_RDONLY | O_DIRECTORY);
	AUTO_FD libraries = root_openat(&roots->driver, WSL_LIBRARIES, O_RDONLY | O_DIRECTORY);
	int r = host_list(&roots->driver, WSL_DRIVERS, arena, &s.all);

	*ret = (struct wsl_store){.fd = -1};
	if (r == -ENOMEM)
		return error_memory(err);
	if (drivers >= 0 && !is_roots(drivers))
		return refuse_directory(WSL_DRIVERS, err);
	if (libraries >= 0 && !is_roots(libraries))
		return refuse_directory(WSL_LIBRARIES, err);
	s.drivers = drivers;
	s.loader_known =
		root_stat(&roots->driver, WSL_LIBRARIES "/libcuda.so.1", 0, &s.loader) == 0 &&
		S_ISREG(s.loader.st_mode);
	r = search_names(&s, true, ret);
	if (r == 0 && ret->fd < 0)
		r = search_names(&s, false, ret);
	if (r == 0 && ret->fd < 0)
		r = find_by_bytes(&s, ret);
	return r == 0 && ret->fd < 0 ? explain(&s) : r;
}

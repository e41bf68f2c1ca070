// SPDX-License-Identifier: Apache-2.0
/* Makes the loader find a CDI spec's mounted libraries, and the image's own newer ones. */
#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cdi_hook.h"

#define CACHE "/etc/ld.so.cache"
#define CACHE_MAX ((size_t)4 * 1024 * 1024) /* twenty times the largest seen */
#define FILES_MAX 16384 /* in one folder: four times a desktop's /usr/lib/x86_64-linux-gnu */
#define CONF_MAX ((size_t)64 * 1024)
#define MUSL_USUAL "/lib\n/usr/local/lib\n/usr/lib"

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#define MACHINE_32 EM_386
#else
#define MACHINE EM_AARCH64
#define MACHINE_32 EM_ARM
#endif

struct cache_update {
	struct cdi_call *call;
	struct mount_infos mounts;
	struct loader_cache present; /* the image's cache; empty if it has none or a damaged one */
	const char *compat;          /* the folder of the image's newer libraries, or NULL */
	uint64_t root_mount;
	struct error *err;
};

/* ---- what is mounted ---------------------------------------------------------------------- */

/* The id of the mount that contains the file, from fd_inspect. 0 or -errno. */
static int find_mount(const struct cache_update *update, const char *path, uint64_t *ret)
{
	AUTO_FD fd = root_openat(&update->call->container.root, path, O_PATH);
	struct stat st;

	return fd < 0 ? fd : fd_inspect(fd, update->call->arena, &st, ret);
}

/* Whether the folder is an earlier hook's private view, which shows the image's own directory. */
static bool is_view(const struct cache_update *update, const char *folder)
{
	AUTO_FD fd = root_openat(&update->call->container.root, folder, O_PATH);
	const struct mount_info *mount;
	uint64_t id;

	if (fd < 0 || mount_id_of(fd, update->call->arena, &id) < 0)
		return false;
	mount = mount_info_find(&update->mounts, id);
	return mount && string_equal(mount->type, "overlay") &&
	       string_equal(mount->source, "davit");
}

/* ---- one folder ------------------------------------------------------------------------- */

/* An image contains no mounts, so a mount comes from a spec or from the user. */
static bool is_mounted(const struct cache_update *update, const char *name)
{
	for (size_t i = 0; i < update->mounts.count; i++) {
		const char *slash = strrchr(update->mounts.items[i].mount_point, '/');

		if (slash && strcmp(slash + 1, name) == 0)
			return true;
	}
	return false;
}

/* The image's files are parsed with no effective capability. */
static int read_facts(const struct cache_update *update, const char *path, struct elf_facts *ret)
{
	AUTO_FD fd = root_open_regular(&update->call->container.root, path);
	int r;

	if (fd < 0)
		return fd;
	r = privilege_set(PRIVILEGE_PARSE, update->err);
	if (r == 0)
		r = elf_read(fd, ELF_WANT_SONAME, update->call->arena, ret);
	return privilege_set(PRIVILEGE_READ, update->err) < 0 ? -EPERM : r;
}

static int flags_of(const struct elf_facts *facts)
{
	if (facts->class_bits == 64 && facts->machine == MACHINE)
		return LOADER_FLAGS_NATIVE;
	return facts->class_bits == 32 && facts->machine == MACHINE_32 ? LOADER_FLAGS_32 : 0;
}

static bool is_from_compat(const struct cache_update *update, const char *name)
{
	const struct loader_entry *entry =
		update->compat ? loader_cache_find(&update->present, name, LOADER_FLAGS_NATIVE)
			       : NULL;

	return entry && string_starts(entry->path, update->compat) &&
	       entry->path[strlen(update->compat)] == '/';
}

/*
 * Whether another mounted file in its directory has its SONAME as a name, or as the target of a
 * link. In WSL2's store, libcuda.so.1 is the loader, though libcuda.so.1.1 has the same SONAME.
 */
static bool is_anothers(const struct cache_update *update, const char *folder, const char *name,
			const char *soname)
{
	struct cdi_call *call = update->call;
	const char *link = arena_printf(call->arena, "%s/%s", folder, soname), *text;
	struct stat st;

	if (!link || strcmp(soname, name) == 0 ||
	    root_stat(&call->container.root, link, AT_SYMLINK_NOFOLLOW, &st) < 0)
		return false;
	if (!S_ISLNK(st.st_mode))
		return is_mounted(update, soname);
	text = root_readlink(&call->container.root, link, call->arena);
	if (!text || strcmp(text, name) == 0)
		return false;
	text = strrchr(text, '/') ? strrchr(text, '/') + 1 : text;
	return strcmp(text, name) != 0 && is_mounted(update, text);
}

/* The path for the cache: the SONAME's if it leads to the file, otherwise the file's. */
static const char *name_library(const struct cache_update *update, const char *path,
				const char *folder, const char *name, const char *soname, int *r)
{
	struct cdi_call *call = update->call;
	const char *link = arena_printf(call->arena, "%s/%s", folder, soname);
	struct operation *operation;
	struct stat file = {0}, linked = {0};

	*r = link ? root_stat(&call->container.root, path, 0, &file) : -ENOMEM;
	if (*r < 0 || string_equal(soname, name) ||
	    (root_stat(&call->container.root, link, 0, &linked) == 0 &&
	     file.st_dev == linked.st_dev && file.st_ino == linked.st_ino))
		return link;
	/* ldconfig makes this link, too. Programs that search the file themselves then find it. */
	operation = cdi_add(call, OPERATION_SYMLINK, link, name);
	if (operation)
		operation->required = false;
	else
		*r = -ENOMEM;
	return path;
}

static bool has_entry(const struct cache_update *update, const char *name, int flags)
{
	const struct loader_cache *libraries = &update->call->plan.libraries;

	for (size_t i = 0; i < libraries->count; i++)
		if (libraries->items[i].flags == flags &&
		    strcmp(libraries->items[i].name, name) == 0)
			return true;
	return false;
}

static int add_library(struct cache_update *update, const char *folder, const char *name)
{
	struct cdi_call *call = update->call;
	const char *path = arena_printf(call->arena, "%s/%s", folder, name), *soname;
	struct loader_entry *entry;
	struct elf_facts facts = {0};
	int r = path ? read_facts(update, path, &facts) : -ENOMEM;

	if (r == -ENOMEM || r == -EPERM)
		return r;
	/* The loader ignores a damaged library, and a file that isn't a library. */
	if (r < 0 || !flags_of(&facts))
		return 0;
	soname = facts.soname ? facts.soname : name;
	if (flags_of(&facts) == LOADER_FLAGS_NATIVE && is_from_compat(update, soname))
		return 0;
	if (is_anothers(update, folder, name, soname) ||
	    has_entry(update, soname, flags_of(&facts)))
		return 0;
	entry = ARENA_PUSH(call->arena, &call->plan.libraries);
	if (!entry)
		return -ENOMEM;
	entry->flags = flags_of(&facts);
	entry->name = soname;
	entry->path = name_library(update, path, folder, name, soname, &r);
	return r;
}

/*
 * Adds a link such as "libcuda.so" to a mounted library, for dlopen. In a folder that precedes the
 * library's own, adds links of every name, because they select one of several libraries.
 */
static int add_linked(struct cache_update *update, const char *folder, uint64_t folder_mount,
		      const char *name)
{
	struct cdi_call *call = update->call;
	const char *path = arena_printf(call->arena, "%s/%s", folder, name);
	struct loader_entry *entry;
	struct elf_facts facts = {0};
	struct stat st;
	uint64_t mount;
	int r = path ? root_stat(&call->container.root, path, AT_SYMLINK_NOFOLLOW, &st) : -ENOMEM;

	if (r == -ENOMEM)
		return r;
	if (r < 0 || !S_ISLNK(st.st_mode) || find_mount(update, path, &mount) < 0 ||
	    mount == update->root_mount || mount == folder_mount)
		return 0;
	r = read_facts(update, path, &facts);
	if (r == -ENOMEM || r == -EPERM)
		return r;
	if (r < 0 || !flags_of(&facts) || has_entry(update, name, flags_of(&facts)))
		return 0;
	entry = ARENA_PUSH(call->arena, &call->plan.libraries);
	if (!entry)
		return -ENOMEM;
	*entry = (struct loader_entry){.flags = flags_of(&facts), .name = name, .path = path};
	return 0;
}

static int add_folder(struct cache_update *update, const char *folder)
{
	struct cdi_call *call = update->call;
	const struct root *root = &call->container.root;
	struct strings names = {0};
	uint64_t mount = 0;
	bool all;
	int r = find_mount(update, folder, &mount);

	if (r == 0)
		r = root_list(root, folder, FILES_MAX, call->arena, &names);
	if (r == -ENOENT || r == -ENOTDIR || r == -ELOOP || r == -E2BIG) {
		log_line(LOG_LEVEL_WARNING, "%s is ignored: %s", folder, strerror(-r));
		return 0;
	}
	/* The driver's own folder may have been mounted as a whole. */
	all = mount != update->root_mount && !is_view(update, folder);
	for (size_t i = 0; r == 0 && i < names.count; i++) {
		const char *name = names.items[i];

		if (string_starts(name, "lib") && strstr(name, ".so") &&
		    (is_mounted(update, name) || all))
			r = add_library(update, folder, name);
		else if (string_starts(name, "lib") && strstr(name, ".so"))
			r = add_linked(update, folder, mount, name);
	}
	return r;
}

/* ---- the cache -------------------------------------------------------------------------- */

static int read_cache(struct cache_update *update)
{
	struct cdi_call *call = update->call;
	struct error ignored = {0};
	size_t length;
	char *data;
	int r = root_read(&call->container.root, CACHE, CACHE_MAX, call->arena, &data, &length);

	/* An error in it is reported when it is written. */
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	r = privilege_set(PRIVILEGE_PARSE, update->err);
	if (r == 0 && loader_cache_parse(data, length, call->arena, &update->present, &ignored) < 0)
		update->present = (struct loader_cache){0};
	return privilege_set(PRIVILEGE_READ, update->err);
}

/* musl has no cache. Its path file names folders and replaces the built-in ones. */
static int add_musl_folders(struct cdi_call *call, struct error *err)
{
	struct cdi_items items = {0};
	const char *folder;
	char *text = NULL;
	bool changed = false;
	int r = root_read(&call->container.root, IMAGE_MUSL_PATH_FILE, 65536, call->arena, &text,
			  NULL);

	if (r == -ENOENT)
		text = arena_strdup(call->arena, MUSL_USUAL);
	else if (r < 0)
		return error_errno(err, -r, "read the image's %s", IMAGE_MUSL_PATH_FILE);
	while (text && (folder = cdi_item(call, "folder", &items))) {
		struct slice rest = slice_from(text), line, item;
		bool there = false;

		while (slice_next(&rest, '\n', &line))
			while (slice_next(&line, ':', &item))
				there |= slice_equal(slice_trim(item), folder);
		if (there)
			continue;
		text = arena_printf(call->arena, "%s\n%s", text, folder);
		changed = true;
	}
	if (text && changed)
		text = arena_printf(call->arena, "%s\n", text);
	return !text || (changed && !cdi_add(call, OPERATION_FILE, IMAGE_MUSL_PATH_FILE, text))
		       ? error_memory(err)
		       : 0;
}

/* The folder that enable-cuda-compat has written down. */
static const char *read_compat_mark(const struct cdi_call *call)
{
	struct slice rest, line;
	char *text;

	if (root_read(&call->container.root, COMPAT_CONF, CONF_MAX, call->arena, &text, NULL) < 0)
		return NULL;
	rest = slice_from(text);
	return slice_next(&rest, '\n', &line) && line.length > 0
		       ? arena_strndup(call->arena, line.data, line.length)
		       : NULL;
}

static int add_folders(struct cache_update *update)
{
	struct cdi_call *call = update->call;
	struct cdi_items items = {0};
	const char *folder;
	struct stat st;
	int r = fd_inspect(call->container.root.fd, call->arena, &st, &update->root_mount);

	if (r == 0)
		r = mount_info_read(call->arena, &update->mounts);
	if (r == 0)
		r = read_cache(update);
	update->compat = r == 0 ? read_compat_mark(call) : NULL;
	while (r == 0 && (folder = cdi_item(call, "folder", &items)))
		r = add_folder(update, folder);
	return r;
}

/* ---- what a later ldconfig reads ---------------------------------------------------------- */

static bool has_line(const char *text, const char *wanted)
{
	struct slice rest = slice_from(text), line;

	while (slice_next(&rest, '\n', &line))
		if (slice_equal(slice_trim(line), wanted))
			return true;
	return false;
}

static bool is_conf_line(const char *folder)
{
	return folder[0] == '/' && !strpbrk(folder, "\n\r#");
}

static bool has_content(const struct cdi_call *call, const char *path)
{
	struct stat st;

	return root_stat(&call->container.root, path, 0, &st) == 0 && st.st_size > 0;
}

static int add_conf(struct cdi_call *call, const char *path, const char *text)
{
	struct operation *file = cdi_add(call, OPERATION_FILE, path, text);

	if (!file)
		return -ENOMEM;
	file->required = false;
	return 0;
}

/*
 * The directories that the image's ldconfig doesn't search itself, in addition to those of an
 * earlier spec; and, for another ldconfig that is run on the root, the directories that it does
 * search.
 */
int cdi_add_loader_conf(struct cdi_call *call, const struct image *image,
			const struct strings *folders)
{
	char *text = NULL;
	bool changed = false;
	int r = root_read(&call->container.root, PLAN_FOLDERS_CONF, CONF_MAX, call->arena, &text,
			  NULL);

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		text = arena_strdup(call->arena, "");
	for (size_t i = 0; text && i < folders->count; i++) {
		const char *folder = folders->items[i];

		if (!is_conf_line(folder) || image_searches(image, folder) ||
		    has_line(text, folder))
			continue;
		text = arena_printf(call->arena, "%s%s\n", text, folder);
		changed = true;
	}
	if (!text)
		return -ENOMEM;
	r = changed ? add_conf(call, PLAN_FOLDERS_CONF, text) : 0;
	/* Another spec's hook may have written it. */
	if (r == 0 && image->system_dirs && !has_content(call, PLAN_SYSTEM_CONF))
		r = add_conf(call, PLAN_SYSTEM_CONF, image->system_dirs);
	if (r == 0 && image->no_loader_conf)
		r = add_conf(call, PLAN_LOADER_CONF, PLAN_LOADER_CONF_TEXT);
	return r;
}

static int read_folders(const struct cdi_call *call, struct strings *ret)
{
	struct cdi_items items = {0};
	const char *folder;

	while ((folder = cdi_item(call, "folder", &items)))
		if (strings_add(call->arena, ret, folder) < 0)
			return -ENOMEM;
	return 0;
}

int cdi_update_ldcache(struct cdi_call *call, struct error *err)
{
	struct cache_update update = {.call = call, .err = err};
	struct strings folders = {0};
	struct image image;
	int r = image_inspect(&call->container.root, call->arena, &image, err);

	if (r < 0 || image.loader == IMAGE_LOADER_NONE)
		return r;
	if (image.loader == IMAGE_LOADER_MUSL)
		return add_musl_folders(call, err);
	r = add_folders(&update);
	if (r == 0)
		r = read_folders(call, &folders);
	if (r == 0 && call->plan.libraries.count > 0 &&
	    !cdi_add(call, OPERATION_LOADER_CACHE, CACHE, ""))
		r = -ENOMEM;
	if (r == 0)
		r = cdi_add_loader_conf(call, &image, &folders);
	return r < 0 && !err->message[0] ? error_errno(err, -r, "read the container's libraries")
					 : r;
}

/* ---- the image's own newer driver libraries --------------------------------------------- */

/* NULL: the spec has none, or an invalid version, which is logged. */
static const char *get_version(struct cdi_call *call, const char *option)
{
	size_t at = 0;
	const char *version = cdi_option(call, option, &at);

	if (!version || !*version)
		return NULL;
	if (strspn(version, "0123456789.") == strlen(version))
		return version;
	log_line(LOG_LEVEL_WARNING, "--%s %s is ignored: it is not a version", option, version);
	return NULL;
}

int cdi_add_compat(struct cdi_call *call, struct image *image, struct error *err)
{
	struct compat_host host = {.driver = get_version(call, "host-driver-version"),
				   .cuda = get_version(call, "host-cuda-version")};
	size_t at = 0;
	int r;

	/* If the spec names no driver, or the image has no glibc, the host's libraries are used. */
	if ((!host.driver && !host.cuda) || image->loader != IMAGE_LOADER_GLIBC)
		return 0;
	host.dir = cdi_option(call, "cuda-compat-container-root", &at);
	if (!host.dir || !is_conf_line(host.dir))
		host.dir = COMPAT_DIR;
	r = image_find_compat_for(&call->container.root, &host, call->arena, image, err);
	if (r < 0)
		return r;
	if (image->compat_used && image->compat.count > 0) {
		const char *text = arena_printf(call->arena, "%s\n", host.dir);

		call->plan.libraries = image->compat;
		if (image->no_loader_conf &&
		    add_conf(call, PLAN_LOADER_CONF, PLAN_LOADER_CONF_TEXT) < 0)
			return error_memory(err);
		return cdi_add(call, OPERATION_FILE, COMPAT_CONF, text) ? 0 : error_memory(err);
	}
	if (image->compat_stale && add_conf(call, COMPAT_CONF, "") < 0)
		return error_memory(err);
	return 0;
}

int cdi_enable_cuda_compat(struct cdi_call *call, struct error *err)
{
	struct image image = {0};
	int r = image_inspect(&call->container.root, call->arena, &image, err);

	if (r == 0)
		r = cdi_add_compat(call, &image, err);
	return r < 0 || call->plan.libraries.count == 0 ||
			       cdi_add(call, OPERATION_LOADER_CACHE, CACHE, "")
		       ? r
		       : error_memory(err);
}

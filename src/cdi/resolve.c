// SPDX-License-Identifier: Apache-2.0
/* Finds devices by name in CDI specs, and decides which file counts. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "davit/json.h"
#include "resolve.h"

#define DIRECTORY_FILES_MAX 1024

/* ---- reading ------------------------------------------------------------------------------ */

static bool contains_kind(const char *text, size_t length, const struct strings *names)
{
	for (size_t i = 0; i < names->count; i++) {
		size_t kind = strcspn(names->items[i], "=");

		if (memmem(text, length, names->items[i], kind))
			return true;
	}
	return false;
}

static void pass_over(struct resolution *r, const char *path, const char *why)
{
	log_line(LOG_LEVEL_WARNING, "the CDI spec %s is ignored: %s", path, why);
	if (!r->problem)
		r->problem = arena_printf(r->arena, "%s is ignored: %s", path, why);
}

/*
 * A spec must be as trusted as the configuration, because it decides which of the host's files
 * containers get. -EAGAIN: the file is skipped.
 */
static int read_trusted(struct resolution *r, const char *path, char **ret, size_t *ret_length)
{
	AUTO_FD fd = root_open_regular(r->root, path);
	int n = fd < 0 ? fd : file_trust(fd);

	if (n < 0) {
		pass_over(r, path, n == -EINVAL ? "it is not a regular file" : strerror(-n));
		return -EAGAIN;
	}
	if (n != FILE_TRUSTED) {
		pass_over(r, path, "users other than root can write it");
		return -EAGAIN;
	}
	n = file_read(fd, CDI_SPEC_MAX, r->arena, ret, ret_length);
	if (n == -ENOMEM)
		return n;
	if (n < 0)
		pass_over(r, path, strerror(-n));
	return n < 0 ? -EAGAIN : 0;
}

const char *cdi_text_of(struct json_object *object, const char *name)
{
	struct json_object *value = json_object_object_get(object, name);

	return value ? json_object_get_string(value) : "";
}

/* Parses with no effective capability. */
static int parse(struct resolution *r, const char *path, const char *text, size_t length,
		 struct json_object **ret)
{
	struct error problem = {0};
	int n = privilege_set(PRIVILEGE_PARSE, r->err);

	if (n < 0)
		return n;
	n = string_ends(path, ".json")
		    ? json_parse(text, length, ERROR_BAD_REQUEST, path, ret, &problem)
		    : cdi_yaml_parse(text, length, path, ret, &problem);
	if (n == 0)
		n = cdi_check(*ret, path, &problem);
	if (privilege_set(PRIVILEGE_READ, r->err) < 0)
		return -EPERM;
	if (n < 0)
		pass_over(r, path, problem.message);
	return n < 0 ? -EAGAIN : 0;
}

/* -EAGAIN: the file is skipped. */
static int read_file(struct resolution *r, const char *path, size_t directory)
{
	AUTO_JSON *spec = NULL;
	struct spec_file *file;
	size_t length = 0;
	char *text = NULL;
	int n = read_trusted(r, path, &text, &length);

	if (n < 0 || !contains_kind(text, length, r->names))
		return n;
	n = parse(r, path, text, length, &spec);
	if (n < 0)
		return n;
	file = ARENA_PUSH(r->arena, &r->files);
	if (!file)
		return -ENOMEM;
	*file = (struct spec_file){.spec = spec,
				   .path = path,
				   .kind = cdi_text_of(spec, "kind"),
				   .directory = directory};
	spec = NULL;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int read_directory(struct resolution *r, size_t directory)
{
	const char *name = r->directories->items[directory];
	struct strings names = {0};
	int n = root_list(r->root, name, DIRECTORY_FILES_MAX, r->arena, &names);

	if (n == -ENOMEM)
		return n;
	if (n < 0 && n != -E2BIG)
		return 0;
	if (sort_items(r->arena, names.items, names.count, sizeof(*names.items), by_name) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < names.count; i++) {
		const char *path = arena_printf(r->arena, "%s/%s", name, names.items[i]);

		if (!path)
			return -ENOMEM;
		if (!string_ends(path, ".json") && !string_ends(path, ".yaml"))
			continue;
		n = read_file(r, path, directory);
		if (n < 0 && n != -EAGAIN)
			return n;
	}
	return 0;
}

/* ---- which file has it ------------------------------------------------------------------- */

static struct json_object *find_device(const struct spec_file *file, const char *device)
{
	struct json_object *devices = json_object_object_get(file->spec, "devices");

	for (size_t i = 0; i < json_object_array_length(devices); i++) {
		struct json_object *one = json_object_array_get_idx(devices, i);

		if (string_equal(cdi_text_of(one, "name"), device))
			return one;
	}
	return NULL;
}

static bool is_of_kind(const struct spec_file *file, const char *name, size_t length)
{
	return strlen(file->kind) == length && memcmp(file->kind, name, length) == 0;
}

/* The alternatives for an error: the names of the kind, or all kinds. */
static const char *list_alternatives(struct resolution *r, const char *name, bool *ret_kind)
{
	size_t length = strcspn(name, "=");
	struct cdi_listing listing;
	struct strings list = {0};
	int n;

	*ret_kind = false;
	/*
	 * The scan also parses, so it gets no capability. It needs none, because root owns the
	 * files.
	 */
	if (privilege_set(PRIVILEGE_PARSE, r->err) < 0)
		return NULL;
	n = cdi_scan(r->root, r->directories->items, r->directories->count, r->arena, &listing);
	if (privilege_set(PRIVILEGE_READ, r->err) < 0 || n < 0)
		return NULL;
	for (size_t pass = 0; pass < 2 && list.count == 0; pass++)
		for (size_t i = 0; i < listing.devices.count && list.count < 12; i++) {
			const char *device = listing.devices.items[i].name;
			size_t kind = strcspn(device, "=");
			const char *item =
				pass ? arena_strndup(r->arena, device, kind) : device + kind + 1;

			if (!item)
				return NULL;
			if (!pass && (kind != length || memcmp(device, name, kind) != 0))
				continue;
			*ret_kind |= !pass;
			if (!strings_contain(&list, item) && strings_add(r->arena, &list, item) < 0)
				return NULL;
		}
	return strings_join(r->arena, &list, ", ");
}

static int not_found(struct resolution *r, const char *name)
{
	bool kind = false;
	const char *list = list_alternatives(r, name, &kind);
	const char *folders = strings_join(r->arena, r->directories, ", ");
	int n;

	if (!list || !folders)
		return error_memory(r->err);
	if (r->problem)
		return error_set(r->err, ERROR_UNKNOWN_DEVICE, ENODEV,
				 "correct that spec, or generate it again",
				 "find the CDI device %.100s: %.200s", name, r->problem);
	n = error_set(
		r->err, ERROR_UNKNOWN_DEVICE, ENODEV, NULL,
		kind    ? "find the CDI device %.100s: the specs of its kind define %.150s"
		: *list ? "find the CDI device %.100s: no spec has its kind; the specs define %.150s"
			: "find the CDI device %.100s: there are no CDI specs%.0s",
		name, list);
	return error_fix(r->err, n, "%s %s",
			 kind ? "choose one of them, or check"
			      : "choose another kind, or put its spec into",
			 folders);
}

static int find_file(struct resolution *r, const char *name, struct spec_file **ret,
		     struct json_object **ret_device)
{
	size_t length = strcspn(name, "=");
	struct spec_file *found = NULL;
	const struct spec_file *rival = NULL;

	for (size_t i = 0; i < r->files.count; i++) {
		struct spec_file *file = &r->files.items[i];
		struct json_object *device = is_of_kind(file, name, length)
						     ? find_device(file, name + length + 1)
						     : NULL;

		if (!device)
			continue;
		rival = found && found->directory == file->directory ? found : NULL;
		found = file;
		*ret_device = device;
	}
	if (!found)
		return not_found(r, name);
	if (rival)
		return error_set(r->err, ERROR_UNKNOWN_DEVICE, ENODEV,
				 "keep only one of these files",
				 "use the CDI device %.100s: both %.80s and %.80s define it", name,
				 rival->path, found->path);
	*ret = found;
	return 0;
}

static int add_name(struct resolution *r, const char *name)
{
	const char *because = arena_printf(r->arena, "CDI %s", name);
	struct json_object *device = NULL, *common;
	struct spec_file *file = NULL;
	int n;

	if (!because)
		return error_memory(r->err);
	n = find_file(r, name, &file, &device);
	if (n < 0 || !file)
		return n < 0 ? n : -ENOMEM;
	/* Edits of the whole spec are added once, before those of its first device. */
	if (!file->used && json_object_object_get_ex(file->spec, "containerEdits", &common))
		n = cdi_take_edits(r, common, because);
	file->used = true;
	return n < 0 ? n
		     : cdi_take_edits(r, json_object_object_get(device, "containerEdits"), because);
}

int cdi_resolve(const struct root *root, const struct strings *directories,
		const struct strings *names, struct arena *arena, struct cdi_edits *ret,
		struct error *err)
{
	struct resolution r = {.root = root,
			       .directories = directories,
			       .names = names,
			       .arena = arena,
			       .edits = ret,
			       .err = err};
	int n = 0;

	*ret = (struct cdi_edits){0};
	for (size_t i = 0; n == 0 && i < directories->count; i++)
		n = read_directory(&r, i);
	if (n == -ENOMEM)
		n = error_memory(err);
	for (size_t i = 0; n == 0 && i < names->count; i++)
		n = add_name(&r, names->items[i]);
	if (n == 0)
		cdi_order_mounts(&r);
	for (size_t i = 0; i < r.files.count; i++)
		(void)json_object_put(r.files.items[i].spec);
	return n;
}

// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "davit/sys.h"

/* Blank, tab, newline and backslash are written as \ and three octal digits. In place. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; to++) {
		uint64_t byte;

		if (*from == '\\' && strnlen(from, 4) == 4 &&
		    parse_number(from + 1, 3, 8, 0377, &byte) == 0) {
			*to = (char)byte;
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

static char *next_field(char **rest)
{
	char *field = strsep(rest, " ");

	return field ? field : "";
}

static bool parse_id(const char *text, uint64_t *ret)
{
	return parse_number(text, strlen(text), 10, UINT64_MAX, ret) == 0;
}

/* "98:0" */
static bool parse_device(char *text, dev_t *ret)
{
	char *major_text = strsep(&text, ":");
	uint64_t major, minor;

	if (!text || parse_number(major_text, strlen(major_text), 10, UINT32_MAX, &major) < 0 ||
	    parse_number(text, strlen(text), 10, UINT32_MAX, &minor) < 0)
		return false;
	*ret = makedev((unsigned)major, (unsigned)minor);
	return true;
}

/*
 * Whether the options ("ro,nosuid") begin with "ro", as those of a read-only mount and file system
 * do.
 */
static bool is_read_only(const char *options)
{
	return string_starts(options, "ro") && (options[2] == ',' || options[2] == '\0');
}

/* "36 35 98:0 /root /mount/point options optional... - type source options" */
static int parse_line(char *line, struct mount_info *ret)
{
	char *root, *point, *type, *source, *own_options, *options, *device;
	const char *id = next_field(&line), *parent = next_field(&line);
	bool shared = false;

	device = next_field(&line);
	root = next_field(&line);
	point = next_field(&line);
	own_options = next_field(&line);
	while (line && !string_starts(line, "- "))
		shared |= string_starts(next_field(&line), "shared:");
	if (!line || root[0] == '\0' || point[0] == '\0' || !parse_id(id, &ret->id) ||
	    !parse_id(parent, &ret->parent) || !parse_device(device, &ret->device))
		return -EINVAL;
	line += 2;
	type = next_field(&line);
	source = next_field(&line);
	options = next_field(&line);
	unescape(root);
	unescape(point);
	ret->shared = shared;
	ret->read_only = is_read_only(own_options) || is_read_only(options);
	ret->root = root;
	ret->mount_point = point;
	ret->type = type;
	ret->source = source;
	ret->options = options;
	return 0;
}

int mount_info_parse(char *text, struct arena *arena, struct mount_infos *ret)
{
	char *line;

	*ret = (struct mount_infos){0};
	while ((line = strsep(&text, "\n"))) {
		struct mount_info *info;

		if (!*line)
			continue;
		info = ARENA_PUSH(arena, ret);
		if (!info)
			return -ENOMEM;
		if (parse_line(line, info) < 0)
			return -EINVAL;
	}
	return 0;
}

int mount_info_read(struct arena *arena, struct mount_infos *ret)
{
	char *text;
	int r = proc_read(0, "mountinfo", MOUNT_INFO_MAX, arena, &text);

	return r < 0 ? r : mount_info_parse(text, arena, ret);
}

const struct mount_info *mount_info_find(const struct mount_infos *infos, uint64_t id)
{
	for (size_t i = 0; i < infos->count; i++)
		if (infos->items[i].id == id)
			return &infos->items[i];
	return NULL;
}

int mount_id_of(int fd, struct arena *arena, uint64_t *ret)
{
	char name[sizeof("fdinfo/") + 3 * sizeof(int)], *text;
	struct slice rest, line;
	int r;

	(void)snprintf(name, sizeof(name), "fdinfo/%d", fd);
	r = proc_read(0, name, (size_t)64 * 1024, arena, &text);
	if (r < 0)
		return r;
	rest = slice_from(text);
	while (slice_next(&rest, '\n', &line))
		if (slice_starts(line, "mnt_id:")) {
			line.data += strlen("mnt_id:");
			line.length -= strlen("mnt_id:");
			line = slice_trim(line);
			return parse_number(line.data, line.length, 10, UINT64_MAX, ret);
		}
	return -ENOENT;
}

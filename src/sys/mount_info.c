// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <string.h>

#include "davit/sys.h"

/* Blank, tab, newline and backslash stand as \ and three octal digits. In place. */
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

/* "36 35 98:0 /root /mount/point options optional... - type source options" */
static int parse_line(char *line, struct mount_info *ret)
{
	char *root, *point, *type, *options;

	for (int skipped = 0; skipped < 3; skipped++)
		(void)next_field(&line);
	root = next_field(&line);
	point = next_field(&line);
	while (line && !string_starts(line, "- "))
		(void)next_field(&line);
	if (!line || root[0] == '\0' || point[0] == '\0')
		return -EINVAL;
	line += 2;
	type = next_field(&line);
	(void)next_field(&line);
	options = next_field(&line);
	unescape(root);
	unescape(point);
	*ret = (struct mount_info){root, point, type, options};
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

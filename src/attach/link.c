// SPDX-License-Identifier: Apache-2.0
/* Links in a container. */
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "target.h"

static int make_link(int dir_fd, const char *name, const void *text)
{
	return symlinkat(text, dir_fd, name) < 0 ? -errno : 0;
}

struct link {
	const char *text;
	bool over_file;
};

/* What is at a link's place: 0 it is the link, 1 it may be replaced, -ENOENT, -EEXIST, -EISDIR,
 * -errno. */
static int inspect_link(const struct target *target, const struct link *link)
{
	const char *text = link->text;
	int dir_fd = target->attach->dir_fd;
	char present[PATH_MAX];
	struct stat st;
	ssize_t length = readlinkat(dir_fd, target->name, present, sizeof(present));

	if (length >= 0)
		return (size_t)length != strlen(text) || memcmp(present, text, (size_t)length) != 0;
	if (errno != EINVAL || fstatat(dir_fd, target->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	/* An empty file is a stub of an earlier run, or of another toolkit's. */
	return S_ISREG(st.st_mode) && (st.st_size == 0 || link->over_file) ? 1 : -EEXIST;
}

/* One try to have the link. 0, -EAGAIN (look again), -EEXIST (a file with content) or -errno. */
static int try_link(const struct target *target, const void *arg)
{
	const struct link *link = arg;
	int dir_fd = target->attach->dir_fd;
	char temporary[NAME_MAX + 1];
	int r = make_link(dir_fd, target->name, link->text);

	if (r == 0)
		target_report_made(target);
	if (r != -EEXIST)
		return r;
	r = inspect_link(target, link);
	if (r == 0)
		target_keep(target);
	if (r <= 0)
		return r == -ENOENT ? -EAGAIN : r;
	r = temporary_make(dir_fd, temporary, make_link, link->text);
	if (r == 0)
		r = temporary_rename(target, temporary);
	return r == -EBUSY ? -EEXIST : r;
}

static int put_link(struct attach *attach, const char *path, const struct link *link,
		    struct error *err)
{
	struct target target;
	int r = target_reach(attach, path, &target, err);

	if (r < 0)
		return r;
	/* Where nothing may be made, the right link is as good, and a file can be covered. */
	if (attach->dir.kind != PLACE_OWN) {
		r = inspect_link(&target, link);
		if (r == 0 || r == -EEXIST)
			return r;
	}
	return target_try(&target, try_link, link, "create the link", err);
}

int attach_link(struct attach *attach, const char *path, const char *text, struct error *err)
{
	const struct link link = {.text = text};

	return put_link(attach, path, &link, err);
}

int attach_link_over_file(struct attach *attach, const char *path, const char *text,
			  struct error *err)
{
	const struct link link = {.text = text, .over_file = true};

	return put_link(attach, path, &link, err);
}

// SPDX-License-Identifier: Apache-2.0
/* What a tmpfs of ours holds, made before anyone sees it. */
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "davit/attach.h"

int fill_directory(int top_fd, const char *path, struct error *err)
{
	char prefix[PATH_MAX];
	size_t length = strlen(path);

	if (length >= sizeof(prefix))
		return error_errno(err, ENAMETOOLONG, "create %s in a tmpfs", path);
	memcpy(prefix, path, length + 1);
	for (size_t end = 1; end <= length; end++) {
		char saved = prefix[end];

		if (saved != '/' && saved != '\0')
			continue;
		prefix[end] = '\0';
		if (mkdirat(top_fd, prefix, 0555) < 0 && errno != EEXIST)
			return error_errno(err, errno, "create %s in a tmpfs", prefix);
		prefix[end] = saved;
	}
	return 0;
}

int fill_file(int top_fd, const char *path, const char *text, struct error *err)
{
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX];
	AUTO_FD fd = -1;
	int r = 0;

	if (!text)
		return 0;
	if (slash) {
		(void)snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
		r = fill_directory(top_fd, parent, err);
	}
	if (r < 0)
		return r;
	fd = openat(top_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	r = fd < 0 ? -errno : file_write(fd, text, strlen(text));
	return r < 0 ? error_errno(err, -r, "write %s in a tmpfs", path) : 0;
}

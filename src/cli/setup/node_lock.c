// SPDX-License-Identifier: Apache-2.0
/*
 * The processes that work on a node. Each has a file in a directory of root's, with a write lock
 * that it holds from before the file gets its name until it ends. A pod that has mounted the host's
 * root read-only could hold a lock of flock(2), or a read lock: neither counts here.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "node.h"

#define LOCK_FOLDER "/run/davit"
#define LOCKS_MAX 4096
#define TRIES_MAX 100

static const char calls[] = "call.", stays[] = "stay.", news[] = "new.";

/* ---- the directory ----------------------------------------------------------------------- */

static int open_folder(const struct node *node)
{
	const char *name;
	struct stat st;
	AUTO_FD parent = root_open_parent(&node->host, LOCK_FOLDER, true, &name, node->err);
	AUTO_FD fd = -1;

	if (parent < 0)
		return parent;
	for (int i = 0; fd < 0 && i < TRIES_MAX; i++) {
		if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
			break;
		/* Another process may have removed it as its last one. */
		fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 && errno != ENOENT)
			break;
	}
	if (fd < 0 || fstat(fd, &st) < 0 ||
	    (st.st_mode & 077 && st.st_uid == geteuid() && fchmod(fd, 0700) < 0))
		return error_errno(node->err, errno, "open %s of the host", LOCK_FOLDER);
	if (st.st_uid != geteuid())
		return error_set(node->err, ERROR_REFUSED, EPERM, "remove that directory",
				 "lock the node: %s of the host belongs to another user",
				 LOCK_FOLDER);
	return fd_take(&fd);
}

static void remove_folder(const struct node *node)
{
	struct error ignored = {0};
	const char *name;
	AUTO_FD parent = root_open_parent(&node->host, LOCK_FOLDER, false, &name, &ignored);

	if (parent >= 0)
		(void)unlinkat(parent, name, AT_REMOVEDIR);
}

/* ---- one file ---------------------------------------------------------------------------- */

/* Only a process that may write the file can hold a write lock. */
static bool is_alive(int dir, const char *name)
{
	AUTO_FD fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	return fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_WRLCK;
}

/*
 * Whether another process has such a file. The files of processes that have ended are removed. No
 * name is used twice, so that this can't hit a new one.
 */
static int find_other(const struct node *node, const struct node_lock *own, const char *kind,
		      bool *ret)
{
	struct strings names = {0};
	int r = root_list(&node->host, LOCK_FOLDER, LOCKS_MAX, node->arena, &names);

	*ret = false;
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return error_errno(node->err, -r, "read %s of the host", LOCK_FOLDER);
	for (size_t i = 0; i < names.count; i++) {
		const char *name = names.items[i];

		if (string_equal(name, own->name) ||
		    (!string_starts(name, calls) && !string_starts(name, stays) &&
		     !string_starts(name, news)))
			continue;
		if (is_alive(own->dir, name))
			*ret |= string_starts(name, kind);
		else
			(void)unlinkat(own->dir, name, 0);
	}
	return 0;
}

/* The file gets its name with the lock. 0, -EAGAIN (try again) or -errno, no message. */
static int try_create(const char *kind, struct node_lock *ret)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	unsigned long long number;
	char first[sizeof(ret->name)];
	int r = 0;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return -EIO;
	(void)snprintf(first, sizeof(first), "%s%llx", news, number);
	(void)snprintf(ret->name, sizeof(ret->name), "%s%llx", kind, number);
	ret->fd = openat(ret->dir, first, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (ret->fd < 0)
		return errno == ENOENT || errno == EEXIST ? -EAGAIN : -errno;
	if (fcntl(ret->fd, F_OFD_SETLK, &lock) < 0)
		r = errno == EACCES ? -EAGAIN : -errno;
	else if (renameat(ret->dir, first, ret->dir, ret->name) < 0)
		r = errno == ENOENT ? -EAGAIN : -errno;
	if (r < 0) {
		(void)unlinkat(ret->dir, first, 0);
		fd_close(&ret->fd);
	}
	return r;
}

static int create(const struct node *node, const char *kind, struct node_lock *ret)
{
	int r = -EAGAIN;

	for (int i = 0; r == -EAGAIN && i < TRIES_MAX; i++) {
		fd_close(&ret->dir);
		ret->dir = open_folder(node);
		if (ret->dir < 0)
			return ret->dir;
		r = try_create(kind, ret);
	}
	if (r == 0)
		return 0;
	ret->name[0] = '\0';
	return error_errno(node->err, -r, "create a lock in %s of the host", LOCK_FOLDER);
}

void node_unlock(const struct node *node, struct node_lock *lock)
{
	if (lock->name[0])
		(void)unlinkat(lock->dir, lock->name, 0);
	lock->name[0] = '\0';
	fd_close(&lock->fd);
	if (lock->dir >= 0)
		remove_folder(node);
	fd_close(&lock->dir);
}

/* ---- one at a time ----------------------------------------------------------------------- */

/* Two that begin at the same time see each other, withdraw, and wait for different times. */
static int try_lock(const struct node *node, struct node_lock *ret, bool *ret_busy)
{
	int r;

	ret->dir = open_folder(node);
	if (ret->dir < 0)
		return ret->dir;
	r = find_other(node, ret, calls, ret_busy);
	if (r == 0 && !*ret_busy) {
		r = create(node, calls, ret);
		if (r == 0)
			r = find_other(node, ret, calls, ret_busy);
	}
	if (r < 0 || *ret_busy)
		node_unlock(node, ret);
	return r;
}

static void pause_randomly(void)
{
	unsigned char byte = 0;
	struct timespec pause = {.tv_nsec = 200L * 1000 * 1000};

	(void)!getrandom(&byte, sizeof(byte), 0);
	pause.tv_nsec += byte * 2L * 1000 * 1000;
	(void)nanosleep(&pause, NULL);
}

int node_lock(const struct node *node, struct node_lock *ret, bool interrupted)
{
	time_t begin = time(NULL);
	bool busy = true, told = false;

	while (busy) {
		int r = try_lock(node, ret, &busy);

		if (r < 0 || !busy)
			return r;
		if (!told)
			(void)printf("waiting for another `davit node`\n");
		told = true;
		(void)fflush(stdout);
		if (!interrupted && node_is_interrupted())
			return node_refuse_interrupted(node);
		if (time(NULL) - begin > NODE_SECONDS)
			break;
		pause_randomly();
	}
	return error_set(node->err, ERROR_SYSTEM, EBUSY, "see what that process waits for",
			 "lock the node: another `davit node` has worked on it for %d s",
			 NODE_SECONDS);
}

/* ---- staying ----------------------------------------------------------------------------- */

int node_hold(const struct node *node, struct node_lock *ret)
{
	return create(node, stays, ret);
}

int node_find_holder(const struct node *node, const struct node_lock *own, bool *ret)
{
	return find_other(node, own, stays, ret);
}

// SPDX-License-Identifier: Apache-2.0
/*
 * sys: system calls as descriptors. Paths of a container, and of a driver root, exist only as
 * (root, path beneath it); see docs/architecture.md, rules 1 to 3.
 */
#pragma once

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "davit/base.h"

/* ---- roots and the resolver ------------------------------------------------------------- */

/* A directory that paths are resolved in as if it were "/"; root_openat says how. */
struct root {
	int fd;           /* O_PATH; closed by root_close */
	const char *path; /* absolute, for messages and old kernels; not owned */
};
void root_close(struct root *root);
#define AUTO_ROOT __attribute__((cleanup(root_close))) struct root

/* Opens a directory that the host vouches for. `path` must outlive ret. 0 or -errno. */
int root_open(const char *path, struct root *ret, struct error *err);
/*
 * Refuses the root directory of this process, the host's as a rule, through whichever path and
 * mount it was opened: a container's root is never that. 0 or -errno, err filled
 * (ERROR_BAD_BUNDLE).
 */
int root_refuse_own(const struct root *root, struct error *err);

/*
 * The resolver: opens `path` as a process whose root directory is `root` would. It is meant for
 * paths and trees that somebody hostile wrote, and may be changing at the same time.
 *
 * What it does:
 *   - Starts at root->fd, whether `path` begins with "/" or not. "" is -ENOENT.
 *   - Follows every symbolic link on the way inside `root`: an absolute link starts at root->fd
 *     again, ".." at root->fd stays there. At most 40 links, then -ELOOP.
 *   - Refuses links that only /proc can make (/proc/PID/root, /proc/PID/fd/N): -ELOOP. Without
 *     openat2 they can't be told apart, so all links of a procfs are refused.
 *   - Crosses mount points, as chroot(2) does: volumes are part of the tree.
 *   - A trailing "/" means that a directory is asked for: "file/" is -ENOTDIR, and a last link is
 *     followed.
 *   - Returns the object that it reached at some moment of the call. A rename in the tree meanwhile
 *     can change which object of the tree this is, never lead out of it.
 *
 * What the caller has to do:
 *   - Check what was opened (fstat: type, owner, device) on the descriptor, and go on with that
 *     descriptor. A second call for the same path may reach something else.
 *   - Make nothing through it: O_CREAT and O_TMPFILE are -EINVAL. Things are made by a name in a
 *     directory's descriptor (root_open_parent, attach.h).
 *   - Ask place_inspect (attach.h) whether a volume was crossed, where that matters.
 *
 * Flags, those of open(2); O_CLOEXEC and O_NOCTTY are added:
 *   O_PATH       only a reference: no permission to read is needed, no driver's open runs and no
 *                FIFO blocks. The default choice for whatever hasn't been checked yet.
 *   O_NOFOLLOW   the last component isn't followed when it is a link: with O_PATH the link itself
 *                is opened, otherwise -ELOOP.
 *   O_DIRECTORY  -ENOTDIR for anything else.
 *   O_RDONLY     for files that are known to be regular; root_open_regular checks that first.
 *   O_NONBLOCK   with O_RDONLY, where a FIFO or a file of /proc could wait.
 *
 * Returns a descriptor that the caller owns, or -errno: -ENOENT, -ENOTDIR, -ELOOP, -EACCES,
 * -ENAMETOOLONG (a path of PATH_MAX or a component above NAME_MAX; without openat2 also more than
 * 128 directories deep). No message, since callers often can do without the file.
 *
 * One openat2(2) with RESOLVE_IN_ROOT and RESOLVE_NO_MAGICLINKS, tried again while the kernel
 * reports a concurrent rename (-EAGAIN, 128 times). Before Linux 5.6 src/sys/walk.c, which holds
 * each directory on the way open, gives the same answers; tests/unit/test_sys.c compares the two.
 */
int root_openat(const struct root *root, const char *path, int flags);
/* fstat of what `path` leads to (the last link not followed with AT_SYMLINK_NOFOLLOW). 0 or -errno
 */
int root_stat(const struct root *root, const char *path, int flags, struct stat *ret);
/* The text of the link at `path`, or NULL with errno set. */
const char *root_readlink(const struct root *root, const char *path, struct arena *arena);
/*
 * Opens the directory `path`, making what is missing with mode 0755, component by component.
 * Returns an O_PATH descriptor or -errno with err filled (ERROR_IMAGE when something that isn't a
 * directory, or a dangling link, is in the way; -EROFS as such).
 */
int root_mkdirs(const struct root *root, const char *path, struct error *err);
/*
 * The directory that `path` lies in (made when `create`) and the name in it: what is needed to
 * create or replace path itself. Returns an O_PATH descriptor or -errno, err filled.
 */
int root_open_parent(const struct root *root, const char *path, bool create, const char **ret_name,
		     struct error *err);

/* ---- files ------------------------------------------------------------------------------ */

/*
 * The whole of an open file, NUL-terminated. Regular files and those of /proc; -EFBIG when there
 * are more than `limit` bytes. `ret_length` may be NULL. 0 or -errno, no message.
 */
int file_read(int fd, size_t limit, struct arena *arena, char **ret, size_t *ret_length);
/*
 * Opens what `path` leads to for reading, when it is a regular file: the type is checked before the
 * file is opened, so that no FIFO blocks and no device sees an open. fd or -errno (-EINVAL: another
 * type).
 */
int root_open_regular(const struct root *root, const char *path);
/* root_open_regular and file_read. 0 or -errno, no message. */
int root_read(const struct root *root, const char *path, size_t limit, struct arena *arena,
	      char **ret, size_t *ret_length);
/*
 * The same for a file of the host by its path. It is opened with `flags` besides (O_NOFOLLOW, or
 * 0), without waiting for a FIFO's writer. -EINVAL: not a regular file.
 */
int file_load(const char *path, int flags, size_t limit, struct arena *arena, char **ret,
	      size_t *ret_length);
/* Whether davit may act on what an open file says, or run it, and why not. */
enum file_trust {
	FILE_TRUSTED,
	FILE_NOT_REGULAR,
	FILE_OTHER_OWNER,        /* see owner_is_trusted */
	FILE_WRITABLE_BY_OTHERS, /* by its group or everybody */
};
/* fd may be O_PATH. An enum file_trust, or -errno. */
int file_trust(int fd);
/*
 * The names in the directory `path`, in no order, at most `limit` of them (-E2BIG: more; `ret`
 * holds that many), without "." and "..". 0 or -errno, no message.
 */
int root_list(const struct root *root, const char *path, size_t limit, struct arena *arena,
	      struct strings *ret);
/* Writes all of it. 0 or -errno. */
int file_write(int fd, const void *data, size_t length);
/*
 * Replaces the file at `path` on the host with `text`, all of it or nothing. The old file's mode
 * and owner are kept, and a missing directory is made. `fresh`: an existing file is an error.
 */
int file_save(const char *path, const char *text, bool fresh, struct arena *arena,
	      struct error *err);
/* The path of what is open there, as the kernel knows it. NULL without one, or memory. */
const char *fd_path(int fd, struct arena *arena);
/* Opens the object behind an O_PATH descriptor anew, by way of /proc/self/fd. fd or -errno. */
int fd_reopen(int fd, int flags);

/*
 * The log, appended to a regular file of root's, which is made when missing (0640), or to a
 * character device; /dev/stderr is standard error. Never in the way: when it can't be had, a
 * warning says so on standard error, and that becomes the log.
 */
void log_to_file(const char *path, enum log_level level);
/* The same without the warning: false when it can't be had. */
bool log_try_file(const char *path, enum log_level level);

/*
 * ---- mounts: how the kernel does them. Whether anything may be put somewhere is decided by
 * attach.h, which alone calls the functions that change something. --------------------------- */

enum mount_flags {
	MOUNT_FLAG_RDONLY = 1 << 0,
	MOUNT_FLAG_NOSUID = 1 << 1,
	MOUNT_FLAG_NODEV = 1 << 2,
	MOUNT_FLAG_NOEXEC = 1 << 3,
	/* Not of the mount, of its source: a link as last component is refused (-ELOOP). */
	MOUNT_FLAG_NOFOLLOW = 1 << 4,
	/* Nor is this: mounts beneath the source come along. */
	MOUNT_FLAG_RECURSIVE = 1 << 5,
};

/*
 * A mount that nobody sees yet: cloned from a file, directory or node of the host and given its
 * attributes, to be moved to its place later, also in another mount namespace. On kernels before
 * 5.12 it is the same promise kept by other means: the place is bound by descriptor and the
 * identity of the source compared then.
 */
struct mount_source {
	int fd;       /* the detached clone, or -1 */
	bool by_path; /* an old kernel: fd is the source itself (O_PATH), to be bound when attached
		       */
	const struct root *root;
	const char *path;
	unsigned flags;
	bool recursive;
	struct stat st; /* of the source: check type and number before use */
};
void mount_source_close(struct mount_source *source);
/*
 * Clones what `path` in root leads to; flags are added to those the mount has already, propagation
 * becomes private. `recursive` takes mounts beneath along. root and path must outlive ret.
 * 0 or -errno, no message.
 */
int mount_source_clone(const struct root *root, const char *path, unsigned flags, bool recursive,
		       struct mount_source *ret);
/* The directory of a source, kept open for the next one: most files of a driver share theirs. */
struct mount_directory {
	const struct root *root;
	int fd;
	char path[PATH_MAX];
};
/*
 * The same as mount_source_clone, not recursive, with fewer system calls if the source lies in
 * `directory`; otherwise its directory takes that place. Closed by the caller.
 */
int mount_source_clone_near(struct mount_directory *directory, const struct root *root,
			    const char *path, unsigned flags, struct mount_source *ret);
/*
 * The same of an open file, which `path` led to and which is known to be of that type (S_IFREG,
 * ...): of ret->st only the type is filled. fd stays the caller's.
 */
int mount_source_clone_fd(int fd, mode_t type, const struct root *root, const char *path,
			  unsigned flags, struct mount_source *ret);

/* A place in a root of the mount namespace the caller is in: what a mount goes onto. */
struct mount_place {
	const struct root *root;
	const char *path; /* in root */
	int fd; /* O_PATH: a directory for directories, a file for anything else; not owned */
};
/* Puts the clone there. 0 or -errno (-ESTALE: source or place was exchanged meanwhile), no message.
 */
int mount_source_attach(struct mount_source *source, const struct mount_place *place);

/*
 * Moves a mount of this namespace (a descriptor of its top) there, with all that is mounted on it;
 * one that a user namespace holds fast is cloned. 0 or -errno, no message.
 */
int mount_move(int fd, const struct mount_place *place);

/*
 * A new tmpfs, filled by `fill` (through the descriptor of its top directory) before anyone sees it
 * on kernels from 5.2; then given `flags` and attached. `fill` returns 0 or -errno, which ends it.
 */
struct mount_tmpfs {
	unsigned size_kib;
	mode_t mode;
	unsigned flags;
	int (*fill)(int dir_fd, const void *arg, struct error *err);
	const void *arg;
};
/* A descriptor of its top, or -errno, err filled. */
int mount_tmpfs_attach(const struct mount_tmpfs *tmpfs, const struct mount_place *place,
		       struct error *err);
/*
 * A new file system of that type (proc, sysfs, devpts, tmpfs), by options of name and value. 0 or
 * -errno, no message.
 */
int mount_new_attach(const char *type, const char *const (*options)[2], size_t count,
		     unsigned flags, const struct mount_place *place);
/*
 * Covers the directory at `place` with a writable view of itself: an overlay whose changes live in
 * a tmpfs of at most size_kib. For directories on a read-only file system. A descriptor of the
 * view's top (O_PATH), or -errno, err filled.
 */
int mount_overlay_attach(unsigned size_kib, const struct mount_place *place, struct error *err);

/* One line of /proc/PID/mountinfo (proc(5)), as far as anyone needs it; strings are unescaped. */
struct mount_info {
	uint64_t id, parent;
	dev_t device;            /* of the file system */
	bool shared;             /* what is mounted in it shows elsewhere, too */
	bool read_only;          /* the mount, or the whole file system */
	const char *root;        /* the directory of the file system that is the mount's root */
	const char *mount_point; /* relative to the process's root */
	const char *type;
	const char *options; /* of the file system */
};
struct mount_infos {
	struct mount_info *items;
	size_t count, capacity;
};
#define MOUNT_INFO_MAX ((size_t)16 * 1024 * 1024)
/* Pure: parses the text, which is changed in place and must outlive ret. 0, -EINVAL or -ENOMEM. */
int mount_info_parse(char *text, struct arena *arena, struct mount_infos *ret);
/* Those of this process. 0 or -errno. */
int mount_info_read(struct arena *arena, struct mount_infos *ret);
/* The id, as mountinfo has it, of the mount that an open file lies on. 0 or -errno. */
int mount_id_of(int fd, struct arena *arena, uint64_t *ret);

/*
 * The type, identity and size (st_mode, st_dev, st_ino, st_rdev, st_size) of an open file, and the
 * mount that it lies on: an id to compare and to ask mount_facts_read about, nothing else. 0 or
 * -errno.
 */
int fd_inspect(int fd, struct arena *arena, struct stat *ret_st, uint64_t *ret_mount);
/* Whether an open directory is the top of its mount; false, too, where the kernel doesn't say. */
bool fd_is_top_of_mount(int fd);
/* When it was made, in seconds since 1970; 0: the file system doesn't tell. */
int64_t fd_birth(int fd);
/* What there is to know of a mount before anything is put on it. */
struct mount_facts {
	uint64_t parent;
	dev_t device;     /* of the file system */
	bool shared;      /* what is mounted on it shows elsewhere, too */
	bool read_only;   /* the mount, or the whole file system */
	const char *root; /* the directory of the file system that it shows; in the arena */
	char type[32];
};
/*
 * Of this process's mount namespace. statmount(2) (Linux 6.8), else mountinfo, which takes the
 * longer the more mounts the host has. 0 or -errno; -EAGAIN: statmount isn't to be had, the id is
 * to be asked for anew (once in the life of the process).
 */
int mount_facts_read(uint64_t id, struct arena *arena, struct mount_facts *ret);
/* Ends that what is mounted in this mount (a descriptor of its top) shows elsewhere. 0 or -errno.
 */
int mount_make_private(int fd);
/* Nothing can be written through this mount (a descriptor of its top) any more. 0 or -errno. */
int mount_make_read_only(int fd);

/* ---- the device filter of cgroup v2 ------------------------------------------------------ */

struct bpf_insn;
/* The programs attached to a cgroup itself. */
struct bpf_programs {
	uint32_t ids[64]; /* BPF_CGROUP_MAX_PROGS */
	uint32_t count;
	uint32_t attach_flags;
};
int bpf_query_device(int cgroup_fd, struct bpf_programs *ret);
/* Opens a program and reads back its instructions. 0 or -errno. */
int bpf_open_program(uint32_t id, struct arena *arena, int *ret_fd, struct bpf_insn **ret,
		     size_t *ret_count);
/* Loads a device program. fd or -errno. */
int bpf_load_device(const struct bpf_insn *program, size_t count);
/* Attaches the first one to a cgroup of our own, to be replaced later. 0 or -errno. */
int bpf_attach_device(int cgroup_fd, int program_fd);
/*
 * Puts new_fd in the place of old_fd. The filter is never absent: BPF_F_REPLACE (Linux 5.6), or,
 * where the kernel lacks it, the new one is attached before the old one is detached. 0 or -errno.
 */
int bpf_replace_device(int cgroup_fd, uint32_t attach_flags, int old_fd, int new_fd);

/* ---- processes -------------------------------------------------------------------------- */

/*
 * /proc, opened once and proven to be a procfs (PROC_SUPER_MAGIC, its root inode). O_PATH
 * descriptor, owned by the module, or -errno.
 */
int proc_fd(void);
/* Opens /proc/PID/NAME, magic links (root, ns/mnt) included; pid 0 means self. fd or -errno. */
int proc_open(pid_t pid, const char *name, int flags);
/* What /proc/PID/NAME leads to, the magic link followed; pid 0 means self. 0 or -errno. */
int proc_stat(pid_t pid, const char *name, struct stat *ret);
/* Reads /proc/PID/NAME; pid 0 means self. 0 or -errno, no message. */
int proc_read(pid_t pid, const char *name, size_t limit, struct arena *arena, char **ret);

/*
 * Checks that /proc can be used for looking at this process: that it is a procfs, of this process's
 * PID namespace or an outer one. 0 or -errno, err filled.
 */
int proc_check(struct error *err);
/*
 * Whether /proc has the processes by the numbers that they have for this process. An outer PID
 * namespace's doesn't: there, a number is another process's.
 */
bool proc_has_our_numbers(void);

/*
 * Whether this process is in a user namespace that isn't the initial one: its root has no say over
 * devices.
 */
bool user_namespace_is_nested(void);
/*
 * Pure: the id outside that `id` inside stands for, by the text of a uid_map or gid_map
 * (user_namespaces(7): lines "inside outside length"). 0, -ENOENT or -EINVAL.
 */
int id_map_find(const char *map, uint32_t id, uint32_t *ret);
/*
 * Whether the owner of an open file or directory may vouch for it: the one rule for davit-nvml,
 * the configuration, the log, the record of a bundle and the directory of MPS pipes. `st` is its
 * stat; fd may be O_PATH. Trusted are:
 *   - root, as this user namespace shows it
 *   - the user that the process acts as
 *   - in a user namespace, owners from outside of it, among them the host's root. The kernel shows
 *     all of them as one id (overflowuid). If the namespace has a user of its own with that id, the
 *     file's owner has to be told apart, which takes CAP_FOWNER there; without it: not trusted.
 * Modes are the caller's to check. Without /proc only the first two are trusted.
 */
bool owner_is_trusted(int fd, const struct stat *st);
/* Enters the mount namespace behind fd (the process has one thread). 0 or -errno. */
int namespace_enter_mount(int fd);
/* Enters the user namespace behind fd, with all rights in it. 0 or -errno. */
int namespace_enter_user(int fd);
/* Creates files as uid:gid from here on, capabilities unchanged. 0 or -errno. */
int files_owned_by(uid_t uid, gid_t gid);

/*
 * Which capabilities the process has in effect: named by what is being done. The permitted set
 * keeps what later phases need and loses the rest for good.
 */
enum privilege {
	PRIVILEGE_READ,   /* reading the bundle, the host's files and the image: DAC_READ_SEARCH,
			     SYS_PTRACE */
	PRIVILEGE_PARSE,  /* none at all */
	PRIVILEGE_MOUNT,  /* SYS_ADMIN, SYS_CHROOT, DAC_*, FOWNER, CHOWN, MKNOD, SETUID/GID,
			     SYS_PTRACE */
	PRIVILEGE_FILTER, /* SYS_ADMIN: a filter of system calls that leaves new privileges possible
			   */
	PRIVILEGE_BPF,    /* SYS_ADMIN, BPF, NET_ADMIN, DAC_OVERRIDE: the device filter */
};
int privilege_set(enum privilege phase, struct error *err);
/* Whether PRIVILEGE_MOUNT has, or would have, its SYS_ADMIN. */
bool privilege_may_mount(void);
/* Whether this process may make device nodes, in whatever phase it is. */
bool privilege_may_make_nodes(void);

/*
 * Holds the process to the system calls it needs (src/sys/filter_calls.h); any other kills it.
 * Filters add up: first the wider one, before the container's input is parsed; then, when the
 * driver is known, the narrower one without starting programs, and with it no new privileges. A
 * process that starts no program installs the narrower one alone.
 */
enum filter { FILTER_REQUEST, FILTER_APPLY };
int filter_install(enum filter filter, struct error *err);

/* ---- limits ----------------------------------------------------------------------------- */

/*
 * From now on the program ends after so many seconds (0: no end) with that exit code and one line
 * that names the step it is in. A call that is only interrupted by a fatal signal (a file system
 * whose daemon doesn't answer) keeps it from saying so: deadline_watch.
 */
void deadline_set(unsigned seconds, int exit_code);
/* What is being done, as in "cannot DOING: ..."; a text that stays. */
void deadline_step(const char *doing);
/* "cannot DOING: it isn't done after N s". -ETIMEDOUT. */
int deadline_error(unsigned seconds, struct error *err);
/*
 * Has a thread wait for the end as well, beside a program that is about to touch a container's file
 * systems: it says the line, and ends the program whatever that waits for. Before the narrow filter
 * is installed. The thread has no capabilities.
 */
void deadline_watch(void);
/*
 * Waits for a child, but no longer than so many seconds (0: no end): then it is killed, or left
 * behind where no signal reaches it. 0 and the child's status as wait(2) has it, -ETIMEDOUT or
 * -errno.
 */
int deadline_wait(pid_t pid, unsigned seconds, int *ret_status);

/* Most of what a host with 256 GPUs takes is 2 MiB, what images bring about is bounded to 30. */
#define MEMORY_LIMIT_MIB 256
/* Holds the process to MEMORY_LIMIT_MIB of memory of its own; what fails then says so. */
void memory_limit(void);
/* Takes that back, for a program that is started. */
void memory_unlimit(void);

/* ---- programs of the host --------------------------------------------------------------- */

#define SPAWN_LINE_MAX 200
/*
 * A program to be run as a child: standard input /dev/null, no other descriptor than its outputs,
 * default signals, nothing of the environment.
 */
struct spawn {
	int program;                  /* descriptor, O_PATH is enough; no script */
	const char *const *arguments; /* ending with NULL; the first is its name */
	int timeout_ms;
	size_t output_max; /* bytes of its standard output; 0: not wanted, /dev/null */
	bool sandboxed;    /* of the capabilities only those that it makes its sandbox with, and no
			      way to gain any */
};
struct spawn_result {
	int status;   /* as wait(2) has it */
	char *output; /* in the arena, NUL-terminated */
	size_t output_length;
	char line[SPAWN_LINE_MAX]; /* the first of its standard error */
};
/*
 * Runs it to its end. When this returns, it has ended or was killed, with what it started; only
 * one that hangs in a driver, where no signal reaches it, is left to init. 0, however it ended;
 * -ETIMEDOUT, -EFBIG (more than output_max) or -errno, when ret holds what came before.
 */
int spawn_run(const struct spawn *spawn, struct arena *arena, struct spawn_result *ret);
/*
 * From now on spawn_run starts nothing: it ends this process with that exit code. For a process
 * whose filter doesn't allow programs, and whose parent starts another one if it needs them.
 */
void spawn_forbid(int exit_code);

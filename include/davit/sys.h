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

/* A directory in which paths are resolved as if it were "/", by root_openat. */
struct root {
	int fd;           /* O_PATH; closed by root_close */
	const char *path; /* absolute, for messages and old kernels; not owned */
};
void root_close(struct root *root);
#define AUTO_ROOT __attribute__((cleanup(root_close))) struct root

/* Opens a directory by a trusted path of the host. `path` must outlive ret. 0 or -errno. */
int root_open(const char *path, struct root *ret, struct error *err);
/*
 * Refuses the root directory of this process (usually the host's), by any path or mount, because it
 * is never a container's root. 0 or -errno, err filled (ERROR_BAD_BUNDLE).
 */
int root_refuse_own(const struct root *root, struct error *err);

/*
 * The resolver: opens `path` as a process with the root directory `root` would. Paths and trees may
 * be hostile, and may change during the call.
 *
 * What it does:
 *   - Starts at root->fd, whether `path` begins with "/" or not. "" is -ENOENT.
 *   - Follows every symbolic link on the way inside `root`: an absolute link starts at root->fd
 *     again, ".." at root->fd stays there. At most 40 links, then -ELOOP.
 *   - Refuses magic links of /proc (/proc/PID/root, /proc/PID/fd/N): -ELOOP. Without
 *     openat2 they can't be recognised, so all links of a procfs are refused.
 *   - Crosses mount points, as chroot(2) does: volumes are part of the tree.
 *   - A trailing "/" requires a directory: "file/" is -ENOTDIR, and a last link is followed.
 *   - Returns the object that it reached during the call. A concurrent rename can change which
 *     object of the tree this is, but never leads out of the tree.
 *
 * What the caller must do:
 *   - Check the opened object (fstat: type, owner, device), and use only that descriptor. A
 *     second call for the same path may reach something else.
 *   - Create nothing through it: O_CREAT and O_TMPFILE are -EINVAL. Create files by a name in a
 *     directory's descriptor (root_open_parent, attach.h).
 *   - Call place_inspect (attach.h) if it matters whether the object lies in a volume.
 *
 * Flags, those of open(2); O_CLOEXEC and O_NOCTTY are added:
 *   O_PATH       only a reference: no permission to read is needed, no driver's open runs and no
 *                FIFO blocks. The default for unchecked objects.
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
/* fstat of the object at `path`; AT_SYMLINK_NOFOLLOW: of a last link itself. 0 or -errno. */
int root_stat(const struct root *root, const char *path, int flags, struct stat *ret);
/* The text of the link at `path`, or NULL with errno set. */
const char *root_readlink(const struct root *root, const char *path, struct arena *arena);
/*
 * Opens the directory `path`, and creates missing components one by one with mode 0755. Returns an
 * O_PATH descriptor, or -errno with err filled (ERROR_IMAGE if a component is a dangling link or
 * not a directory; -EROFS unchanged).
 */
int root_mkdirs(const struct root *root, const char *path, struct error *err);
/*
 * Opens the parent directory of `path` (created with `create`) and returns the name in it, to
 * create or replace `path` itself. An O_PATH descriptor or -errno, err filled.
 */
int root_open_parent(const struct root *root, const char *path, bool create, const char **ret_name,
		     struct error *err);

/* ---- files ------------------------------------------------------------------------------ */

/*
 * Reads a whole open file, a regular one or one of /proc, NUL-terminated. -EFBIG if it has more
 * than `limit` bytes. `ret_length` may be NULL. 0 or -errno, no message.
 */
int file_read(int fd, size_t limit, struct arena *arena, char **ret, size_t *ret_length);
/*
 * Opens a regular file for reading. The type is checked before the file is opened, so that no FIFO
 * blocks and no device is opened. fd or -errno (-EINVAL: another type).
 */
int root_open_regular(const struct root *root, const char *path);
/* root_open_regular and file_read. 0 or -errno, no message. */
int root_read(const struct root *root, const char *path, size_t limit, struct arena *arena,
	      char **ret, size_t *ret_length);
/*
 * The same for a path of the host, opened with the additional `flags` (O_NOFOLLOW, or 0), without
 * waiting for a FIFO's writer. -EINVAL: not a regular file.
 */
int file_load(const char *path, int flags, size_t limit, struct arena *arena, char **ret,
	      size_t *ret_length);
/* Whether davit may use the content of an open file, or run it; if not, the reason. */
enum file_trust {
	FILE_TRUSTED,
	FILE_NOT_REGULAR,
	FILE_OTHER_OWNER,        /* see owner_is_trusted */
	FILE_WRITABLE_BY_OTHERS, /* by its group or by everyone */
};
/* fd may be O_PATH. An enum file_trust, or -errno. */
int file_trust(int fd);
/*
 * The names in the directory `path`, unordered, without "." and "..". -E2BIG if there are more than
 * `limit`; `ret` then has the first ones. 0 or -errno, no message.
 */
int root_list(const struct root *root, const char *path, size_t limit, struct arena *arena,
	      struct strings *ret);
/* Writes all of it. 0 or -errno. */
int file_write(int fd, const void *data, size_t length);
/*
 * Replaces the host's file `path` atomically with `text`. The old file's mode and owner are
 * preserved, and a missing directory is created. `fresh`: an existing file is an error.
 */
int file_save(const char *path, const char *text, bool fresh, struct arena *arena,
	      struct error *err);
/* The kernel's path of an open file. NULL: none, or no memory. */
const char *fd_path(int fd, struct arena *arena);
/* Reopens the object of an O_PATH descriptor through /proc/self/fd. fd or -errno. */
int fd_reopen(int fd, int flags);

/*
 * Logs to a root-owned regular file, which is created if missing (0640), or to a character device;
 * /dev/stderr is standard error. If the file can't be used, a warning is printed on standard error,
 * and that becomes the log.
 */
void log_to_file(const char *path, enum log_level level);
/* The same without the warning; false if it can't be used. */
bool log_try_file(const char *path, enum log_level level);

/*
 * ---- mounts, as the kernel makes them. attach.h decides whether a mount is allowed, and is the
 * only caller of the functions that change something. --------------------------------------- */

enum mount_flags {
	MOUNT_FLAG_RDONLY = 1 << 0,
	MOUNT_FLAG_NOSUID = 1 << 1,
	MOUNT_FLAG_NODEV = 1 << 2,
	MOUNT_FLAG_NOEXEC = 1 << 3,
	/* A property of the source: a link as the last component is refused (-ELOOP). */
	MOUNT_FLAG_NOFOLLOW = 1 << 4,
	/* A property of the source: mounts below it are included. */
	MOUNT_FLAG_RECURSIVE = 1 << 5,
};

/*
 * A detached mount: cloned from a file, directory or node of the host, with its attributes set, and
 * moved to its place later, also in another mount namespace. Before Linux 5.12, the mount is made
 * directly on the place by descriptor, and then compared with the source.
 */
struct mount_source {
	int fd;       /* the detached clone, or -1 */
	bool by_path; /* an old kernel: fd is the source itself (O_PATH) */
	const struct root *root;
	const char *path;
	unsigned flags;
	bool recursive;
	struct stat st; /* of the source: check type and number before use */
};
void mount_source_close(struct mount_source *source);
/*
 * Clones the object at `path` in root. `flags` are added to the flags of its mount, and propagation
 * becomes private. `recursive` includes the mounts below. root and path must outlive ret. 0 or
 * -errno, no message.
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
 * The same for an open file, which was opened at `path` and has that type (S_IFREG, ...). Only the
 * type is set in ret->st. The caller keeps fd.
 */
int mount_source_clone_fd(int fd, mode_t type, const struct root *root, const char *path,
			  unsigned flags, struct mount_source *ret);

/* The target of a mount: a place in a root of the caller's mount namespace. */
struct mount_place {
	const struct root *root;
	const char *path; /* in root */
	int fd; /* O_PATH: a directory for directories, a file for anything else; not owned */
};
/* Attaches the clone. 0 or -errno (-ESTALE: source or place was replaced meanwhile), no message. */
int mount_source_attach(struct mount_source *source, const struct mount_place *place);

/*
 * Moves a mount of this namespace (a descriptor of its top), with all mounts on it. A mount that a
 * user namespace locks is cloned instead. 0 or -errno, no message.
 */
int mount_move(int fd, const struct mount_place *place);

/*
 * A new tmpfs. `fill` fills it through the descriptor of its top directory, since Linux 5.2 before
 * it is visible. Then it gets `flags` and is attached. If `fill` returns -errno, that is the
 * result.
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
 * Mounts a new file system of that type (proc, sysfs, devpts, tmpfs), with options as names and
 * values. 0 or -errno, no message.
 */
int mount_new_attach(const char *type, const char *const (*options)[2], size_t count,
		     unsigned flags, const struct mount_place *place);
/*
 * Covers a directory on a read-only file system with a writable view of itself, an overlay with its
 * changes in a tmpfs of at most size_kib. A descriptor of the view's top (O_PATH), or -errno, err
 * filled.
 */
int mount_overlay_attach(unsigned size_kib, const struct mount_place *place, struct error *err);

/* The needed fields of a line of /proc/PID/mountinfo (proc(5)), unescaped. */
struct mount_info {
	uint64_t id, parent;
	dev_t device;            /* of the file system */
	bool shared;             /* mounts in it propagate */
	bool read_only;          /* the mount, or the whole file system */
	const char *root;        /* the directory of the file system that is the mount's root */
	const char *mount_point; /* relative to the process's root */
	const char *type;
	const char *source;  /* as the mount's maker named it */
	const char *options; /* of the file system */
};
struct mount_infos {
	struct mount_info *items;
	size_t count, capacity;
};
#define MOUNT_INFO_MAX ((size_t)16 * 1024 * 1024)
/* Pure: parses the text, which is changed in place and must outlive ret. 0, -EINVAL or -ENOMEM. */
int mount_info_parse(char *text, struct arena *arena, struct mount_infos *ret);
/* Reads this process's mounts. 0 or -errno. */
int mount_info_read(struct arena *arena, struct mount_infos *ret);
/* NULL: there is none. */
const struct mount_info *mount_info_find(const struct mount_infos *infos, uint64_t id);
/* The id (as in mountinfo) of an open file's mount. 0 or -errno. */
int mount_id_of(int fd, struct arena *arena, uint64_t *ret);

/*
 * The type, identity and size (st_mode, st_dev, st_ino, st_rdev, st_size) of an open file, and the
 * id of its mount, which is only for comparisons and for mount_facts_read. 0 or -errno.
 */
int fd_inspect(int fd, struct arena *arena, struct stat *ret_st, uint64_t *ret_mount);
/* Whether an open directory is the top of its mount; false if the kernel doesn't say. */
bool fd_is_top_of_mount(int fd);
/* The file's birth time, in seconds since 1970; 0: unknown to the file system. */
int64_t fd_birth(int fd);
/* The facts of a mount that decide what may be mounted on it. */
struct mount_facts {
	uint64_t parent;
	dev_t device;     /* of the file system */
	bool shared;      /* mounts on it propagate */
	bool read_only;   /* the mount, or the whole file system */
	const char *root; /* the file system's directory that is mounted; in the arena */
	char type[32];
};
/*
 * Reads the facts of a mount of this process's mount namespace, with statmount(2) (Linux 6.8), or
 * from mountinfo, which is slower with many mounts. 0 or -errno; -EAGAIN (at most once in a
 * process): statmount isn't available, so read the id again.
 */
int mount_facts_read(uint64_t id, struct arena *arena, struct mount_facts *ret);
/* Makes this mount (a descriptor of its top) private. 0 or -errno. */
int mount_make_private(int fd);
/* Makes this mount (a descriptor of its top) read-only, or writable. 0 or -errno. */
int mount_set_read_only(int fd, bool read_only);

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
/* Attaches the first program to davit's own cgroup. It can be replaced later. 0 or -errno. */
int bpf_attach_device(int cgroup_fd, int program_fd);
/*
 * Replaces old_fd with new_fd. The filter is never absent: BPF_F_REPLACE (Linux 5.6) or, on older
 * kernels, the new program is attached before the old one is detached. 0 or -errno.
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
/* stat of the target of the magic link /proc/PID/NAME; pid 0 means self. 0 or -errno. */
int proc_stat(pid_t pid, const char *name, struct stat *ret);
/* Reads /proc/PID/NAME; pid 0 means self. 0 or -errno, no message. */
int proc_read(pid_t pid, const char *name, size_t limit, struct arena *arena, char **ret);

/*
 * Checks that /proc shows this process: it is a procfs of this process's PID namespace, or of an
 * outer one. 0 or -errno, err filled.
 */
int proc_check(struct error *err);
/*
 * Whether /proc has the pids of this process's PID namespace. In the /proc of an outer PID
 * namespace, a pid means another process.
 */
bool proc_has_our_numbers(void);

/*
 * Whether this process is in a user namespace other than the initial one, where root has no rights
 * over devices.
 */
bool user_namespace_is_nested(void);
/*
 * Pure: the outer id of the inner `id`, by the text of a uid_map or gid_map (user_namespaces(7):
 * lines "inside outside length"). 0, -ENOENT or -EINVAL.
 */
int id_map_find(const char *map, uint32_t id, uint32_t *ret);
/*
 * Whether the owner of an open file or directory is trusted. All files use this rule: davit-nvml,
 * the configuration, the log, the record of a bundle, the directory of MPS pipes. `st` is the
 * file's stat; fd may be O_PATH. Trusted owners:
 *   - root of this user namespace
 *   - the user of this process
 *   - in a user namespace, owners from outside of it, including the host's root. The kernel shows
 *     all of them as one id (overflowuid). If the namespace has its own user with that id,
 *     CAP_FOWNER is needed to distinguish them; without it, the owner isn't trusted.
 * The caller checks the mode. Without /proc, only the first two are trusted.
 */
bool owner_is_trusted(int fd, const struct stat *st);
/* Enters the mount namespace behind fd (the process has one thread). 0 or -errno. */
int namespace_enter_mount(int fd);
/* Enters the user namespace behind fd, with all rights in it. 0 or -errno. */
int namespace_enter_user(int fd);
/* From now on, created files belong to uid:gid. Capabilities are unchanged. 0 or -errno. */
int files_owned_by(uid_t uid, gid_t gid);

/*
 * The phases of the process, which differ in the effective capabilities. The permitted set retains
 * only what later phases need.
 */
enum privilege {
	PRIVILEGE_READ,   /* bundle, host's files and image: DAC_READ_SEARCH, SYS_PTRACE */
	PRIVILEGE_PARSE,  /* none */
	PRIVILEGE_MOUNT,  /* SYS_ADMIN, SYS_CHROOT, DAC_*, FOWNER, CHOWN, MKNOD, SETUID/GID,
			     SYS_PTRACE */
	PRIVILEGE_FILTER, /* SYS_ADMIN: a filter of system calls that leaves new privileges possible
			   */
	PRIVILEGE_BPF,    /* SYS_ADMIN, BPF, PERFMON, NET_ADMIN, DAC_OVERRIDE: the device filter */
};
int privilege_set(enum privilege phase, struct error *err);
/* Whether PRIVILEGE_MOUNT has, or would have, its SYS_ADMIN. */
bool privilege_may_mount(void);
/* Whether this process may create device nodes, in any phase. */
bool privilege_may_make_nodes(void);

/*
 * Restricts the process to the needed system calls (src/sys/filter_calls.h). Filters add up.
 * - FILTER_REQUEST, the wider one, is installed before the container's input is parsed. Any other
 *   call fails with EPERM.
 * - FILTER_APPLY is installed when the driver is known. It allows no starting of programs, and sets
 *   no_new_privs. Any other call kills the process. A process that starts no program installs only
 *   this one.
 */
enum filter { FILTER_REQUEST, FILTER_APPLY };
int filter_install(enum filter filter, struct error *err);

/* ---- limits ----------------------------------------------------------------------------- */

/*
 * From now on, the program ends after that many seconds (0: no limit) with the exit code, and with
 * one line that names the current step. A call that only a fatal signal can interrupt (a file
 * system whose daemon doesn't answer) prevents the line; deadline_watch helps.
 */
void deadline_set(unsigned seconds, int exit_code);
/* Sets the current step, as in "cannot DOING: ...". The text must remain valid. */
void deadline_step(const char *doing);
/* Fills err: "cannot DOING: not finished after N s". Returns -ETIMEDOUT. */
int deadline_error(unsigned seconds, struct error *err);
/*
 * Starts a thread that also waits for the end, before the program touches a container's file
 * systems. It prints the line and ends the program, whatever call the program waits for. Call it
 * before the narrow filter is installed. The thread has no capabilities.
 */
void deadline_watch(void);
/*
 * Waits for a child at most that many seconds (0: no limit). After that the child is killed; if no
 * signal reaches it, it is abandoned. 0 and the child's status as in wait(2), -ETIMEDOUT or -errno.
 */
int deadline_wait(pid_t pid, unsigned seconds, int *ret_status);

/* A host with 256 GPUs needs about 2 MiB, and an image at most 30 MiB. */
#define MEMORY_LIMIT_MIB 256
/*
 * Limits the process's data to MEMORY_LIMIT_MIB, unless its soft limit is already lower. The hard
 * limit is unchanged. Errors of allocation name the limit.
 */
void memory_limit(void);
/* Restores the limit that the process had before memory_limit, for a program to be started. */
void memory_unlimit(void);

/* ---- programs of the host --------------------------------------------------------------- */

#define SPAWN_LINE_MAX 500
/*
 * A program to run as a child: with /dev/null as standard input, no descriptors except its outputs,
 * default signals, and an environment that has only LANG=C.
 */
struct spawn {
	int program; /* descriptor, O_PATH is enough; a script also gets it, as 3 */
	const char *const *arguments; /* ending with NULL; the first is its name */
	int timeout_ms;
	size_t output_max; /* bytes of its standard output; 0: /dev/null */
	bool sandboxed;    /* only its sandbox's capabilities, and no way to gain others */
};
struct spawn_result {
	int status;   /* as in wait(2) */
	char *output; /* in the arena, NUL-terminated */
	size_t output_length;
	char line[SPAWN_LINE_MAX]; /* the first line of its standard error */
	char last_line[SPAWN_LINE_MAX];
};
/*
 * Runs the program and waits. On return, it has ended, or was killed with all its children. Only a
 * program that hangs in a driver, where no signal reaches it, is left to init. 0 for any exit
 * status; -ETIMEDOUT, -EFBIG (more than output_max) or -errno, with the earlier output in ret.
 */
int spawn_run(const struct spawn *spawn, struct arena *arena, struct spawn_result *ret);
/*
 * From now on, spawn_run starts no program but ends this process with that exit code. For a process
 * whose filter forbids programs, and whose parent then starts another process that may start them.
 */
void spawn_forbid(int exit_code);

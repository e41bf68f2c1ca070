// SPDX-License-Identifier: Apache-2.0
/* The resolver, both ways, on a tree that tries to lead out of itself. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/sys/walk.h"
#include "davit/sys.h"
#include "unit.h"

static char top[] = "/tmp/davit-sys-XXXXXX";
static char root_path[sizeof(top) + 8];

static void put_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(file_write(fd, text, strlen(text)), 0);
	(void)close(fd);
}

static int make_tree(void **state)
{
	char deep[1024] = "deep";

	(void)state;
	assert_non_null(mkdtemp(top));
	(void)snprintf(root_path, sizeof(root_path), "%s/root", top);
	assert_int_equal(mkdir(root_path, 0755), 0);
	assert_int_equal(chdir(top), 0);
	put_file("outside", "outside");
	assert_int_equal(chdir(root_path), 0);
	assert_int_equal(mkdir("usr", 0755) | mkdir("usr/lib", 0755) | mkdir("etc", 0755), 0);
	put_file("usr/lib/file", "inside");
	put_file("outside", "decoy");
	assert_int_equal(symlink("usr/lib", "lib"), 0);
	assert_int_equal(symlink("/usr/lib", "lib64"), 0);
	assert_int_equal(symlink("/", "slash"), 0);
	assert_int_equal(symlink("../../../../..", "up"), 0);
	assert_int_equal(symlink("../outside", "out"), 0);
	assert_int_equal(symlink("../../../outside", "usr/lib/out"), 0);
	assert_int_equal(symlink("loop-b", "loop-a") | symlink("loop-a", "loop-b"), 0);
	assert_int_equal(symlink("nowhere", "dangling"), 0);
	assert_int_equal(symlink("lib/", "lib-slash"), 0);
	assert_int_equal(mkfifo("fifo", 0644), 0);
	for (int i = 0; i < 45; i++) {
		char name[16], target[16];

		(void)snprintf(name, sizeof(name), "chain%d", i);
		(void)snprintf(target, sizeof(target), i ? "chain%d" : "usr", i - 1);
		assert_int_equal(symlink(target, name), 0);
	}
	for (int i = 0; i < 20; i++) {
		assert_int_equal(mkdir(deep, 0755), 0);
		strncat(deep, "/deep", sizeof(deep) - strlen(deep) - 1);
	}
	return 0;
}

static int remove_tree(void **state)
{
	char command[128];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf %s", top);
	return chdir("/") | system(command);
}

struct resolve_case {
	const char *name, *path;
	int flags;
	const char *leads_to; /* beneath root; NULL: `error` */
	int error;
};

static const struct resolve_case cases[] = {
	{"a plain path", "usr/lib/file", O_PATH, "usr/lib/file", 0},
	{"a leading slash", "/usr/lib/file", O_PATH, "usr/lib/file", 0},
	{"many slashes and dots", "//usr/./lib//file", O_PATH, "usr/lib/file", 0},
	{"the root itself", "/", O_PATH | O_DIRECTORY, "", 0},
	{"dot dot inside", "usr/../usr/lib/file", O_PATH, "usr/lib/file", 0},
	{"dot dot beyond the root", "../../../../outside", O_PATH, "outside", 0},
	{"dot dot alone", "..", O_PATH, "", 0},
	{"a relative link", "lib/file", O_PATH, "usr/lib/file", 0},
	{"an absolute link", "lib64/file", O_PATH, "usr/lib/file", 0},
	{"a link to the root", "slash/slash/usr", O_PATH, "usr", 0},
	{"a link upwards", "up/outside", O_PATH, "outside", 0},
	{"a link out of the root", "out", O_PATH, "outside", 0},
	{"a deeper link out of the root", "lib/out", O_PATH, "outside", 0},
	{"a link with a slash at its end", "lib-slash/file", O_PATH, "usr/lib/file", 0},
	{"a link that is not followed", "out", O_PATH | O_NOFOLLOW, "out", 0},
	{"a link not followed, opened", "out", O_RDONLY | O_NOFOLLOW, NULL, ELOOP},
	{"a slash after a link follows it", "lib/", O_PATH | O_NOFOLLOW, "usr/lib", 0},
	{"a file read", "lib64/file", O_RDONLY, "usr/lib/file", 0},
	{"a directory wanted, a file there", "lib/file", O_PATH | O_DIRECTORY, NULL, ENOTDIR},
	{"a file as a directory", "lib/file/x", O_PATH, NULL, ENOTDIR},
	{"a file with a slash", "lib/file/", O_PATH, NULL, ENOTDIR},
	{"a loop", "loop-a", O_PATH, NULL, ELOOP},
	{"a loop not followed", "loop-a", O_PATH | O_NOFOLLOW, "loop-a", 0},
	{"a dangling link", "dangling", O_PATH, NULL, ENOENT},
	{"something missing", "usr/none/file", O_PATH, NULL, ENOENT},
	{"an empty path", "", O_PATH, NULL, ENOENT},
	{"40 links", "chain39", O_PATH, "usr", 0},
	{"more than 40 links", "chain41", O_PATH, NULL, ELOOP},
	{"a deep path", "deep/deep/deep/deep/deep/deep/../deep", O_PATH,
	 "deep/deep/deep/deep/deep/deep", 0},
};

static int open_walked(const struct root *root, const char *path, int flags)
{
	return walk_openat(root->fd, path, flags | O_CLOEXEC);
}

static void check_cases(int (*openat_in)(const struct root *root, const char *path, int flags))
{
	AUTO_ROOT root = {.fd = -1};
	struct error err;

	assert_int_equal(root_open(root_path, &root, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct resolve_case *c = &cases[i];
		AUTO_FD fd = openat_in(&root, c->path, c->flags);
		struct stat got, want;

		print_message("         %s\n", c->name);
		if (!c->leads_to) {
			assert_int_equal(fd, -c->error);
			continue;
		}
		assert_true(fd >= 0);
		assert_int_equal(fstat(fd, &got), 0);
		assert_int_equal(fstatat(root.fd, c->leads_to[0] ? c->leads_to : ".", &want,
					 AT_SYMLINK_NOFOLLOW),
				 0);
		assert_int_equal(got.st_ino, want.st_ino);
		assert_int_equal(got.st_dev, want.st_dev);
	}
}

static void openat2_stays_in_the_root(void **state)
{
	(void)state;
	check_cases(root_openat);
}

static void the_walk_gives_the_same_answers(void **state)
{
	(void)state;
	check_cases(open_walked);
}

static void magic_links_are_refused(void **state)
{
	AUTO_ROOT root = {.fd = -1};
	struct error err;

	(void)state;
	assert_int_equal(root_open("/", &root, &err), 0);
	assert_int_equal(root_openat(&root, "/proc/self/root/etc", O_PATH), -ELOOP);
	assert_int_equal(open_walked(&root, "/proc/self/root/etc", O_PATH), -ELOOP);
	assert_int_equal(root_openat(&root, "/proc/self/cwd", O_PATH | O_DIRECTORY), -ELOOP);
	assert_int_equal(open_walked(&root, "/proc/self/cwd", O_PATH | O_DIRECTORY), -ELOOP);
}

static void creating_is_not_the_resolvers_job(void **state)
{
	AUTO_ROOT root = {.fd = -1};
	struct error err;

	(void)state;
	assert_int_equal(root_open(root_path, &root, &err), 0);
	assert_int_equal(root_openat(&root, "new", O_WRONLY | O_CREAT), -EINVAL);
}

static void only_regular_files_are_read(void **state)
{
	AUTO_ROOT root = {.fd = -1};
	AUTO_ARENA arena = {0};
	struct error err;
	size_t length;
	char *text;

	(void)state;
	assert_int_equal(root_open(root_path, &root, &err), 0);
	assert_int_equal(root_read(&root, "lib64/file", 100, &arena, &text, &length), 0);
	assert_string_equal(text, "inside");
	assert_int_equal(length, 6);
	/* Would block for ever if it were opened. */
	assert_int_equal(root_read(&root, "fifo", 100, &arena, &text, NULL), -EINVAL);
	assert_int_equal(root_read(&root, "usr", 100, &arena, &text, NULL), -EINVAL);
	assert_int_equal(root_read(&root, "lib64/file", 5, &arena, &text, NULL), -EFBIG);
	assert_int_equal(root_read(&root, "lib64/file", 6, &arena, &text, NULL), 0);
}

static void directories_are_made_inside(void **state)
{
	static const struct {
		const char *path, *made; /* NULL: refused */
	} made[] = {
		{"var/lib/a/b/c", "var/lib/a/b/c"},
		{"lib64/new/x", "usr/lib/new/x"},
		{"up/made", "made"},
		{"/", ""},
		{"dangling/x", NULL},
		{"usr/lib/file/x", NULL},
		{"loop-a/x", NULL},
		{"fifo/x", NULL},
	};
	AUTO_ROOT root = {.fd = -1};
	struct error err;

	(void)state;
	assert_int_equal(root_open(root_path, &root, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(made); i++) {
		AUTO_FD fd = root_mkdirs(&root, made[i].path, &err);
		struct stat st;

		if (!made[i].made) {
			assert_true(fd < 0);
			assert_int_equal(err.code, ERROR_IMAGE);
			continue;
		}
		assert_true(fd >= 0);
		assert_int_equal(fstatat(root.fd, made[i].made[0] ? made[i].made : ".", &st, 0), 0);
		assert_true(S_ISDIR(st.st_mode));
	}
	assert_int_equal(access("/made", F_OK), -1);
}

static void ids_are_found_in_a_map(void **state)
{
	static const char initial[] = "         0          0 4294967295\n";
	static const char rootless[] = "         0       1000          1\n"
				       "         1     100000      65536\n";
	static const struct {
		const char *map;
		uint32_t id;
		int r;
		uint32_t outside;
	} maps[] = {
		{initial, 65534, 0, 65534},
		{initial, 4294967294u, 0, 4294967294u},
		{initial, 4294967295u, -ENOENT, 0},
		{rootless, 0, 0, 1000},
		{rootless, 1, 0, 100000},
		{rootless, 65534, 0, 165533},
		{rootless, 65536, 0, 165535},
		{rootless, 65537, -ENOENT, 0},
		{"0 1000 1", 65534, -ENOENT, 0},
		{"1000 1000 1\n", 0, -ENOENT, 0},
		/* no namespace has a user yet */
		{"", 0, -ENOENT, 0},
		{"0 1000 0\n", 0, -ENOENT, 0},
		{"0 1000\n", 0, -EINVAL, 0},
		{"0 1000 1 1\n", 0, -EINVAL, 0},
		{"0 1000 x\n", 0, -EINVAL, 0},
		{"0 1000 -1\n", 0, -EINVAL, 0},
		{"0 1000 4294967296\n", 0, -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		uint32_t outside = 0;

		assert_int_equal(id_map_find(maps[i].map, maps[i].id, &outside), maps[i].r);
		assert_int_equal(outside, maps[i].outside);
	}
}

static void only_root_and_the_user_itself_own_what_counts(void **state)
{
	struct stat st = {.st_uid = 0};
	AUTO_FD fd = open("/", O_PATH | O_CLOEXEC);

	(void)state;
	assert_true(owner_is_trusted(fd, &st));
	st.st_uid = geteuid();
	assert_true(owner_is_trusted(fd, &st));
	/* Here everybody has an id, or tests/attacks/callers.sh looks at it. */
	if (user_namespace_is_nested())
		skip();
	st.st_uid = geteuid() + 1;
	assert_false(owner_is_trusted(fd, &st));
	st.st_uid = 65534;
	assert_false(owner_is_trusted(fd, &st));
	assert_false(owner_is_trusted(-1, &st));
}

static void a_file_is_trusted_that_its_owner_alone_can_write(void **state)
{
	static const struct {
		const char *path;
		mode_t mode;
		int trust;
	} rows[] = {
		{"usr/lib/file", 0644, FILE_TRUSTED},
		{"usr/lib/file", 0664, FILE_WRITABLE_BY_OTHERS},
		{"usr/lib/file", 0646, FILE_WRITABLE_BY_OTHERS},
		{"usr", 0755, FILE_NOT_REGULAR},
		{"fifo", 0644, FILE_NOT_REGULAR},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FD fd = open(rows[i].path, O_PATH | O_CLOEXEC);

		assert_int_equal(chmod(rows[i].path, rows[i].mode), 0);
		assert_int_equal(file_trust(fd), rows[i].trust);
	}
	assert_int_equal(chmod("usr/lib/file", 0644), 0);
	assert_int_equal(file_trust(-1), -EBADF);
}

static void a_file_is_loaded_whole_or_not_at_all(void **state)
{
	AUTO_ARENA arena = {0};
	size_t length = 0;
	char *text = NULL;

	(void)state;
	assert_int_equal(file_load("lib/file", 0, 6, &arena, &text, &length), 0);
	assert_string_equal(text, "inside");
	assert_int_equal(length, 6);
	assert_int_equal(file_load("usr/lib/file", 0, 5, &arena, &text, NULL), -EFBIG);
	assert_int_equal(file_load("out", O_NOFOLLOW, 100, &arena, &text, NULL), -ELOOP);
	assert_int_equal(file_load("fifo", 0, 100, &arena, &text, NULL), -EINVAL);
	assert_int_equal(file_load("usr", 0, 100, &arena, &text, NULL), -EINVAL);
	assert_int_equal(file_load("dangling", 0, 100, &arena, &text, NULL), -ENOENT);
}

static void mount_info_is_parsed(void **state)
{
	char text[] =
		"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:7 - ext3 /dev/root rw,errors=continue\n"
		"24 23 0:22 / /with\\040blank\\134 rw - cgroup cgroup rw,cpu,devices\n";
	char damaged[] = "24 23 0:22 / /x rw shared:1\n";
	struct mount_infos infos;
	AUTO_ARENA arena = {0};

	(void)state;
	assert_int_equal(mount_info_parse(text, &arena, &infos), 0);
	assert_int_equal(infos.count, 2);
	assert_string_equal(infos.items[0].root, "/mnt1");
	assert_string_equal(infos.items[0].mount_point, "/mnt2");
	assert_string_equal(infos.items[0].type, "ext3");
	assert_string_equal(infos.items[0].source, "/dev/root");
	assert_string_equal(infos.items[0].options, "rw,errors=continue");
	assert_string_equal(infos.items[1].mount_point, "/with blank\\");
	assert_string_equal(infos.items[1].options, "rw,cpu,devices");
	assert_int_equal(mount_info_parse(damaged, &arena, &infos), -EINVAL);
	assert_int_equal(mount_info_read(&arena, &infos), 0);
	assert_true(infos.count > 0);
}

/* A sanitizer's runtime makes calls of its own: there is no filter under it. */
#ifndef DAVIT_SANITIZE
/* What becomes of a call under a filter: its errno, 0, or minus the signal that ended the process.
 */
static int call_under(enum filter filter, long number)
{
	struct error err;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (filter_install(filter, &err) < 0)
			_exit(255);
		_exit(syscall(number, -1, 0, 0, 0, 0) < 0 ? errno : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* Valgrind makes calls of its own. Its tool is preloaded, which nothing else shows. */
static void skip_under_valgrind(void)
{
	const char *preloaded = getenv("LD_PRELOAD");

	if (preloaded && strstr(preloaded, "vgpreload"))
		skip();
}

static void a_call_outside_the_filter_ends_the_process(void **state)
{
	static const long outside[] = {SYS_socket, SYS_execve,     SYS_clone,   SYS_ptrace,
				       SYS_ioctl,  SYS_kexec_load, SYS_unshare, SYS_init_module};

	(void)state;
	skip_under_valgrind();
	for (size_t i = 0; i < ARRAY_SIZE(outside); i++)
		assert_int_equal(call_under(FILTER_APPLY, outside[i]), -SIGSYS);
	assert_int_equal(call_under(FILTER_APPLY, SYS_close), EBADF);
	assert_int_equal(call_under(FILTER_APPLY, SYS_getpid), 0);
	/* beyond the table, and of x32 */
	assert_int_equal(call_under(FILTER_APPLY, 5000), -SIGSYS);
	assert_int_equal(call_under(FILTER_APPLY, 0x40000000 + SYS_close), -SIGSYS);
}

static void the_wider_filter_refuses_what_nobody_needs(void **state)
{
	static const long outside[] = {SYS_ptrace, SYS_kexec_load, SYS_unshare,
				       SYS_chroot, SYS_add_key,    SYS_reboot,
				       SYS_swapon, SYS_listen,     SYS_perf_event_open};

	(void)state;
	skip_under_valgrind();
	for (size_t i = 0; i < ARRAY_SIZE(outside); i++)
		assert_int_equal(call_under(FILTER_REQUEST, outside[i]), EPERM);
	assert_int_equal(call_under(FILTER_REQUEST, SYS_close), EBADF);
	/* modprobe's shell, or its loader, may use one; davit-nvml's own filter doesn't let it */
	assert_int_equal(call_under(FILTER_REQUEST, SYS_socket), EAFNOSUPPORT);
}
#endif

#ifndef DAVIT_SANITIZE
/* In a child, which starts with these limits: after memory_limit, and after memory_unlimit. */
static void limits_in_a_child(rlim_t soft, rlim_t hard, struct rlimit ret[static 2])
{
	int ends[2], status;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		struct rlimit limit = {soft, hard};
		bool well = setrlimit(RLIMIT_DATA, &limit) == 0;

		memory_limit();
		well = well && getrlimit(RLIMIT_DATA, &ret[0]) == 0;
		memory_unlimit();
		well = well && getrlimit(RLIMIT_DATA, &ret[1]) == 0 &&
		       write(ends[1], ret, 2 * sizeof(*ret)) == 2 * (ssize_t)sizeof(*ret);
		_exit(!well);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(read(ends[0], ret, 2 * sizeof(*ret)), 2 * sizeof(*ret));
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void a_started_program_gets_the_original_memory_limit(void **state)
{
	const rlim_t mib = 1 << 20;
	const struct {
		rlim_t soft, hard, limited;
	} limits[] = {
		{1024 * mib, 2048 * mib, MEMORY_LIMIT_MIB * mib},
		{1024 * mib, RLIM_INFINITY, MEMORY_LIMIT_MIB * mib},
		{RLIM_INFINITY, RLIM_INFINITY, MEMORY_LIMIT_MIB * mib},
		{100 * mib, 2048 * mib, 100 * mib},
		{100 * mib, 100 * mib, 100 * mib},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct rlimit got[2];

		limits_in_a_child(limits[i].soft, limits[i].hard, got);
		assert_true(got[0].rlim_cur == limits[i].limited);
		assert_true(got[0].rlim_max == limits[i].hard);
		assert_true(got[1].rlim_cur == limits[i].soft);
		assert_true(got[1].rlim_max == limits[i].hard);
	}
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(openat2_stays_in_the_root),
		cmocka_unit_test(the_walk_gives_the_same_answers),
		cmocka_unit_test(magic_links_are_refused),
		cmocka_unit_test(creating_is_not_the_resolvers_job),
		cmocka_unit_test(only_regular_files_are_read),
		cmocka_unit_test(directories_are_made_inside),
		cmocka_unit_test(a_file_is_trusted_that_its_owner_alone_can_write),
		cmocka_unit_test(a_file_is_loaded_whole_or_not_at_all),
		cmocka_unit_test(mount_info_is_parsed),
		cmocka_unit_test(ids_are_found_in_a_map),
		cmocka_unit_test(only_root_and_the_user_itself_own_what_counts),
#ifndef DAVIT_SANITIZE
		cmocka_unit_test(a_started_program_gets_the_original_memory_limit),
		cmocka_unit_test(a_call_outside_the_filter_ends_the_process),
		cmocka_unit_test(the_wider_filter_refuses_what_nobody_needs),
#endif
	};

	return cmocka_run_group_tests_name("sys", tests, make_tree, remove_tree);
}

// SPDX-License-Identifier: Apache-2.0
/*
 * What is made where, in a root of our own with real mounts: the table of docs/architecture.md, row
 * by row. In a mount namespace of its own, by way of a user namespace where there is no root;
 * skipped where neither is to be had.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "davit/attach.h"
#include "unit.h"

/* A stand-in for a host, on a tmpfs: root is the container's, beside it what is given to it. */
static char host[] = "/tmp/davit-attach-XXXXXX";
static char rootfs[64];
static struct root root = {.fd = -1}, host_root = {.fd = -1};
static bool possible;
static struct arena arena;
static struct attach attach = ATTACH_INIT;
static struct oci_mount mounts[4];
static struct oci_mounts list = {.items = mounts};
static struct error err;

static bool enter_namespace(void)
{
	if (unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return false;
	return mount("none", "/", "", MS_REC | MS_PRIVATE, NULL) == 0;
}

/* An emulator of user programs, and valgrind, may lack it. */
static bool has_open_tree(void)
{
	AUTO_FD fd = (int)syscall(SYS_open_tree, AT_FDCWD, "/", O_CLOEXEC);

	return fd >= 0 || errno != ENOSYS;
}

static int make_host(void **state)
{
	(void)state;
	if (!mkdtemp(host))
		return -1;
	possible =
		has_open_tree() && enter_namespace() && mount("host", host, "tmpfs", 0, NULL) == 0;
	return 0;
}

static int remove_host(void **state)
{
	(void)state;
	if (possible)
		(void)umount2(host, MNT_DETACH);
	return rmdir(host);
}

static void put(const char *path, const char *text)
{
	AUTO_FD fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(file_write(fd, text, strlen(text)), 0);
}

static void assert_text(const char *path, const char *text)
{
	char present[64] = "";
	AUTO_FD fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	assert_true(read(fd, present, sizeof(present) - 1) >= 0);
	assert_string_equal(present, text);
}

static void assert_link(const char *path, const char *text)
{
	char present[256] = "";

	assert_true(readlink(path, present, sizeof(present) - 1) > 0);
	assert_string_equal(present, text);
}

/* Everything is relative to the stand-in: "root/usr", "volume/file". */
static void make_root(void)
{
	if (!possible)
		skip();
	assert_int_equal(chdir(host), 0);
	assert_int_equal(mkdir("root", 0755), 0);
	(void)snprintf(rootfs, sizeof(rootfs), "%s/root", host);
	assert_int_equal(mount("root", "root", "tmpfs", 0, "mode=755"), 0);
	assert_int_equal(mkdir("root/usr", 0755), 0);
	assert_int_equal(mkdir("root/etc", 0755), 0);
	assert_int_equal(mkdir("root/dev", 0755), 0);
	assert_int_equal(mkdir("volume", 0755), 0);
	put("driver", "the driver's");
	put("volume/present", "the volume's");
	assert_int_equal(symlink("present", "volume/link"), 0);
	assert_int_equal(mkdir("volume/sub", 0755), 0);
	assert_int_equal(root_open(rootfs, &root, &err), 0);
	assert_int_equal(root_open(host, &host_root, &err), 0);
	list.count = 0;
}

static void add_mount(const char *destination, const char *source, const char *type, bool bind,
		      bool read_only)
{
	mounts[list.count++] = (struct oci_mount){
		.destination = destination,
		.source = source ? arena_printf(&arena, "%s/%s", host, source) : "",
		.type = type,
		.bind = bind,
		.read_only = read_only,
	};
}

static void bind_volume(const char *place, unsigned long flags)
{
	assert_int_equal(mount("volume", place, NULL, MS_BIND | MS_REC, NULL), 0);
	if (flags)
		assert_int_equal(mount(NULL, place, NULL, flags, NULL), 0);
}

static void begin(const struct oci_mounts *with)
{
	assert_int_equal(attach_begin(&attach, &root, with, &arena, &err), 0);
}

static void remove_root(void)
{
	attach_end(&attach);
	root_close(&root);
	root_close(&host_root);
	(void)umount2("root", MNT_DETACH);
	(void)umount2("volume", MNT_DETACH);
	(void)umount2("volume/sub", MNT_DETACH);
	assert_int_equal(system("rm -rf root volume driver tmpfs"), 0);
}

static int bind_driver(const char *path)
{
	struct mount_source source = {.fd = -1};
	int r = mount_source_clone(&host_root, "/driver", MOUNT_FLAG_RDONLY, false, &source);

	assert_int_equal(r, 0);
	err = (struct error){0};
	r = attach_mount(&attach, path, &source, &err);
	mount_source_close(&source);
	return r;
}

static int write_file(const char *path)
{
	err = (struct error){0};
	return attach_file(&attach, path, "ours", 4, &err);
}

static int make_link(const char *path)
{
	err = (struct error){0};
	return attach_link(&attach, path, "text", &err);
}

/* The volume is as make_root made it. */
static void assert_untouched(void)
{
	assert_text("volume/present", "the volume's");
	assert_link("volume/link", "present");
	assert_int_equal(system("test \"$(ls -A volume | tr '\\n' ' ')\" = 'link present sub '"),
			 0);
	assert_int_equal(system("test -z \"$(ls -A volume/sub)\""), 0);
}

/* ---- the container's own ------------------------------------------------------------------- */

static void links_replace_what_is_ours_to_replace(void **state)
{
	static const char path[] = "/usr/lib/libx.so.1";

	(void)state;
	make_root();
	begin(&list);
	assert_int_equal(attach_link(&attach, path, "libx.so.2", &err), 0);
	assert_link("root/usr/lib/libx.so.1", "libx.so.2");
	/* again; of another version; dangling out of the root; an empty stub */
	assert_int_equal(attach_link(&attach, path, "libx.so.2", &err), 0);
	assert_int_equal(attach_link(&attach, path, "libx.so.3", &err), 0);
	assert_link("root/usr/lib/libx.so.1", "libx.so.3");
	assert_int_equal(unlink("root/usr/lib/libx.so.1"), 0);
	assert_int_equal(symlink("../../../../../../etc/passwd", "root/usr/lib/libx.so.1"), 0);
	assert_int_equal(attach_link(&attach, path, "libx.so.2", &err), 0);
	assert_link("root/usr/lib/libx.so.1", "libx.so.2");
	assert_int_equal(unlink("root/usr/lib/libx.so.1"), 0);
	put("root/usr/lib/libx.so.1", "");
	assert_int_equal(attach_link(&attach, path, "libx.so.2", &err), 0);
	assert_link("root/usr/lib/libx.so.1", "libx.so.2");
	remove_root();
}

static void links_over_files_take_the_place_of_content(void **state)
{
	static const char path[] = "/usr/lib/libx.so.1";

	(void)state;
	make_root();
	begin(&list);
	assert_int_equal(attach_link(&attach, path, "libx.so.3", &err), 0);
	assert_int_equal(unlink("root/usr/lib/libx.so.1"), 0);
	put("root/usr/lib/libx.so.1", "content");
	assert_int_equal(attach_link(&attach, path, "libx.so.2", &err), -EEXIST);
	assert_int_equal(attach_link_over_file(&attach, path, "libx.so.2", &err), 0);
	assert_link("root/usr/lib/libx.so.1", "libx.so.2");
	/* Nothing else gives way: a directory, a FIFO. */
	assert_int_equal(unlink("root/usr/lib/libx.so.1"), 0);
	assert_int_equal(mkfifo("root/usr/lib/libx.so.1", 0600), 0);
	assert_int_equal(attach_link_over_file(&attach, path, "libx.so.2", &err), -EEXIST);
	assert_int_equal(unlink("root/usr/lib/libx.so.1"), 0);
	assert_int_equal(mkdir("root/usr/lib/libx.so.1", 0700), 0);
	assert_int_equal(attach_link_over_file(&attach, path, "libx.so.2", &err), -EISDIR);
	remove_root();
}

static void links_spare_what_has_content(void **state)
{
	(void)state;
	make_root();
	begin(&list);
	put("root/usr/liby.so.1", "a driver of the image's own");
	assert_int_equal(make_link("/usr/liby.so.1"), -EEXIST);
	assert_int_equal(mkdir("root/usr/libz.so.1", 0755), 0);
	assert_int_equal(make_link("/usr/libz.so.1"), -EISDIR);
	assert_int_equal(err.code, ERROR_IMAGE);
	remove_root();
}

static void mounts_replace_links_and_cover_files(void **state)
{
	(void)state;
	make_root();
	begin(&list);
	put("root/canary", "untouched");
	assert_int_equal(symlink("../canary", "root/usr/tool"), 0);
	assert_int_equal(bind_driver("/usr/tool"), 0);
	assert_text("root/usr/tool", "the driver's");
	assert_text("root/canary", "untouched");
	put("root/usr/script", "script");
	assert_int_equal(bind_driver("/usr/script"), 0);
	assert_text("root/usr/script", "the driver's");
	assert_int_equal(umount("root/usr/script"), 0);
	assert_text("root/usr/script", "script");
	assert_int_equal(mkdir("root/usr/dir", 0755), 0);
	assert_int_equal(bind_driver("/usr/dir"), -EISDIR);
	assert_int_equal(err.code, ERROR_IMAGE);
	remove_root();
}

static void count_made(void *count, int dir_fd, const char *name, const char *path)
{
	(void)dir_fd;
	(void)name;
	(void)path;
	++*(int *)count;
}

/* Short texts and those that are longer than one step writes. */
static void files_are_written_whole_and_never_through_a_link(void **state)
{
	static const char *const before[] = {
		NULL,
		"ln -s ../canary root/etc/file",
		"ln -s missing root/etc/file",
		"ln root/canary root/etc/file",
		"echo old > root/etc/file",
		": > root/etc/file",
		"mkfifo root/etc/file",
	};
	static char text[5000];

	(void)state;
	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < 2 * ARRAY_SIZE(before); i++) {
		const char *command = before[i / 2];
		size_t length = i % 2 ? sizeof(text) : 4;
		int made = 0;
		struct stat st;

		make_root();
		begin(&list);
		attach.made = count_made;
		attach.made_arg = &made;
		put("root/canary", "untouched");
		assert_int_equal(command ? system(command) : 0, 0);
		assert_int_equal(attach_file(&attach, "/etc/file", text, length, &err), 0);
		assert_int_equal(made, command == NULL);
		assert_int_equal(lstat("root/etc/file", &st), 0);
		assert_true(S_ISREG(st.st_mode));
		assert_int_equal(st.st_size, length);
		assert_int_equal(st.st_nlink, 1);
		assert_text("root/canary", "untouched");
		assert_int_equal(system("test \"$(ls -A root/etc)\" = file"), 0);
		remove_root();
	}
}

static void targets_need_a_name(void **state)
{
	static const char *const bad[] = {"/usr/", "/usr/..", "/usr/.", "usr", "/"};

	(void)state;
	make_root();
	begin(&list);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(make_link(bad[i]), -EINVAL);
	remove_root();
}

/* A tmpfs that the runtime made for this container is as good as its root. */
static void a_tmpfs_of_the_container_is_its_own(void **state)
{
	(void)state;
	for (int with_config = 0; with_config < 2; with_config++) {
		make_root();
		assert_int_equal(mount("tmpfs", "root/dev", "tmpfs", 0, NULL), 0);
		add_mount("/dev", NULL, "tmpfs", false, false);
		begin(with_config ? &list : NULL);
		assert_int_equal(bind_driver("/dev/caps/node"), 0);
		assert_text("root/dev/caps/node", "the driver's");
		assert_int_equal(make_link("/dev/link"), 0);
		remove_root();
	}
}

static void a_part_of_the_root_is_its_own_wherever_it_is_mounted(void **state)
{
	(void)state;
	for (int with_config = 0; with_config < 2; with_config++) {
		make_root();
		put("root/usr/file", "");
		assert_int_equal(mount("root/usr", "root/usr", NULL, MS_BIND, NULL), 0);
		assert_int_equal(mount("root/usr/file", "root/usr/file", NULL, MS_BIND, NULL), 0);
		begin(with_config ? &list : NULL);
		assert_int_equal(bind_driver("/usr/file"), 0);
		assert_int_equal(make_link("/usr/more/link"), 0);
		remove_root();
	}
}

/* ---- what isn't ------------------------------------------------------------------------------ */

static void assert_refused(const char *directory)
{
	const char *path = arena_printf(&arena, "%s/missing", directory);

	assert_int_equal(bind_driver(path), -EXDEV);
	assert_int_equal(write_file(path), -EXDEV);
	assert_int_equal(make_link(path), -EXDEV);
	assert_int_equal(make_link(arena_printf(&arena, "%s/more/missing", directory)), -EXDEV);
	assert_int_equal(bind_driver(arena_printf(&arena, "%s/link", directory)), -EXDEV);
	assert_non_null(strstr(err.message, "create "));
	assert_true(err.fix[0]);
}

static void nothing_is_made_in_a_volume(void **state)
{
	(void)state;
	for (int with_config = 0; with_config < 2; with_config++) {
		make_root();
		bind_volume("root/usr", 0);
		add_mount("/usr", "volume", "bind", true, false);
		begin(with_config ? &list : NULL);
		assert_refused("/usr");
		/* Files that exist are covered, links that are right are right. */
		assert_int_equal(bind_driver("/usr/present"), 0);
		assert_text("root/usr/present", "the driver's");
		assert_int_equal(attach_link(&attach, "/usr/link", "present", &err), 0);
		assert_int_equal(make_link("/usr/present"), -EEXIST);
		assert_untouched();
		remove_root();
	}
}

static void a_file_in_a_volume_is_covered_by_a_copy(void **state)
{
	(void)state;
	make_root();
	bind_volume("root/etc", 0);
	add_mount("/etc", "volume", "bind", true, false);
	begin(&list);
	assert_int_equal(write_file("/etc/present"), 0);
	assert_text("root/etc/present", "ours");
	/* What is written there would be lost. */
	assert_int_equal(open("root/etc/present", O_WRONLY), -1);
	assert_int_equal(errno, EROFS);
	assert_untouched();
	assert_int_equal(system("test -z \"$(ls -A root | grep davit)\""), 0);
	remove_root();
}

static void a_volume_that_is_a_file_is_covered(void **state)
{
	(void)state;
	make_root();
	put("root/etc/file", "");
	assert_int_equal(mount("volume/present", "root/etc/file", NULL, MS_BIND, NULL), 0);
	add_mount("/etc/file", "volume/present", "bind", true, false);
	begin(&list);
	assert_int_equal(write_file("/etc/file"), 0);
	assert_text("root/etc/file", "ours");
	assert_untouched();
	remove_root();
}

/* crun sets `ro` when the hooks have run: what config.json says counts. */
static void a_read_only_volume_gets_a_view(void **state)
{
	(void)state;
	for (int by_config = 0; by_config < 2; by_config++) {
		make_root();
		bind_volume("root/usr", by_config ? 0 : MS_REMOUNT | MS_BIND | MS_RDONLY);
		add_mount("/usr", "volume", "bind", true, by_config);
		begin(&list);
		assert_int_equal(write_file("/usr/missing"), 0);
		assert_int_equal(make_link("/usr/sub/more/link"), 0);
		assert_int_equal(bind_driver("/usr/link"), 0);
		assert_text("root/usr/missing", "ours");
		assert_link("root/usr/sub/more/link", "text");
		assert_text("root/usr/present", "the volume's");
		assert_int_equal(attach_seal(&attach, &err), 0);
		assert_int_equal(open("root/usr/new", O_WRONLY | O_CREAT, 0644), -1);
		assert_int_equal(errno, EROFS);
		assert_untouched();
		remove_root();
	}
}

static void a_view_keeps_the_mounts_beneath(void **state)
{
	(void)state;
	make_root();
	bind_volume("root/usr", MS_REMOUNT | MS_BIND | MS_RDONLY);
	for (int i = 0; i < 140; i++) {
		char path[32];

		(void)snprintf(path, sizeof(path), "volume/sub/%d", i);
		assert_int_equal(mkdir(path, 0755), 0);
		(void)snprintf(path, sizeof(path), "root/usr/sub/%d", i);
		assert_int_equal(mount("beneath", path, "tmpfs", 0, NULL), 0);
	}
	assert_int_equal(mkdir("root/usr/sub/7/deep", 0755), 0);
	assert_int_equal(mount("deep", "root/usr/sub/7/deep", "tmpfs", 0, NULL), 0);
	put("root/usr/sub/7/deep/file", "kept");
	add_mount("/usr", "volume", "bind", true, true);
	begin(&list);
	assert_int_equal(make_link("/usr/link2"), 0);
	assert_text("root/usr/sub/7/deep/file", "kept");
	put("root/usr/sub/139/file", "writable");
	remove_root();
}

/* How many overlays lie on the directory, one on the other. */
static int count_views(const char *directory)
{
	struct mount_infos infos;
	char *path = realpath(directory, NULL);
	int count = 0;

	assert_non_null(path);
	assert_int_equal(mount_info_read(&arena, &infos), 0);
	for (size_t i = 0; i < infos.count; i++)
		count += string_equal(infos.items[i].mount_point, path) &&
			 string_equal(infos.items[i].type, "overlay");
	free(path);
	return count;
}

/* Each hook of a CDI spec is a call. More than two overlays, the kernel doesn't stack. */
static void calls_share_a_view(void **state)
{
	(void)state;
	for (int with_config = 0; with_config < 2; with_config++) {
		make_root();
		bind_volume("root/usr", MS_REMOUNT | MS_BIND | MS_RDONLY);
		add_mount("/usr", "volume", "bind", true, true);
		for (int call = 0; call < 5; call++) {
			char top[32], deep[32], again[32];

			(void)snprintf(top, sizeof(top), "/usr/%d", call);
			(void)snprintf(deep, sizeof(deep), "/usr/deep/%d/link", call);
			(void)snprintf(again, sizeof(again), "/usr/deep/%d/again", call);
			begin(with_config ? &list : NULL);
			assert_int_equal(make_link(call % 2 ? top : deep), 0);
			assert_int_equal(write_file(call % 2 ? deep : top), 0);
			assert_int_equal(make_link(again), 0);
			assert_int_equal(bind_driver(again), 0);
			assert_int_equal(attach_seal(&attach, &err), 0);
			attach_end(&attach);
			assert_int_equal(count_views("root/usr"), 1);
			assert_int_equal(mkdir("root/usr/new", 0755), -1);
			assert_int_equal(errno, EROFS);
		}
		assert_text("root/usr/4", "ours");
		assert_text("root/usr/deep/4/again", "the driver's");
		assert_text("root/usr/present", "the volume's");
		assert_untouched();
		remove_root();
	}
}

/* An overlay like davit's views, with its changes in "volume". */
static void lay_overlay(const char *directory, const char *name)
{
	char options[512];

	assert_int_equal(mkdir("volume/changes", 0755), 0);
	assert_int_equal(mkdir("volume/work", 0755), 0);
	(void)snprintf(options, sizeof(options),
		       "lowerdir=%s,upperdir=%s/volume/changes,workdir=%s/volume/work", directory,
		       host, host);
	assert_int_equal(mount(name, directory, "overlay", 0, options), 0);
}

/* A volume of the user that resembles a view stays read-only: its changes lie elsewhere. */
static void no_volume_passes_for_a_view(void **state)
{
	enum { SAME, BY_CONFIG, BOUND, ELSEWHERE, NAME, NAME_OF_TMPFS, NO_TMPFS, DEEPER, CASES };

	(void)state;
	for (int i = 0; i < CASES; i++) {
		const char *place = i == DEEPER ? "root/usr/deeper" : "root/usr";
		const char *made = i == BOUND ? "volume/sub" : place;
		char text[8], file[64];

		make_root();
		if (i != NO_TMPFS)
			assert_int_equal(mount(i == NAME_OF_TMPFS ? "tmpfs" : "davit", "root/usr",
					       "tmpfs", 0, NULL),
					 0);
		if (i == DEEPER)
			assert_int_equal(mkdir(place, 0755), 0);
		lay_overlay(made, i == NAME ? "overlay" : "davit");
		(void)snprintf(file, sizeof(file), "%s/file", made);
		put(file, "the overlay's");
		if (i == BOUND)
			assert_int_equal(mount(made, place, NULL, MS_BIND, NULL), 0);
		(void)snprintf(file, sizeof(file), "%s/file", place);
		assert_int_equal(mount("driver", file, NULL, MS_BIND, NULL), 0);
		if (i == ELSEWHERE)
			assert_int_equal(mount(place, "volume/sub", NULL, MS_BIND, NULL), 0);
		assert_int_equal(mount(NULL, place, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL),
				 0);
		if (i == BY_CONFIG)
			add_mount("/usr", NULL, "overlay", false, true);
		if (i == BOUND)
			add_mount("/usr", made, "bind", true, true);
		begin(&list);
		/* Another view over it, except for the first, which is as davit makes them. */
		assert_int_equal(make_link(i == DEEPER ? "/usr/deeper/link" : "/usr/link"), 0);
		assert_int_equal(count_views(place), i == SAME ? 1 : 2);
		assert_text(file, "the driver's");
		assert_int_equal(readlink("volume/changes/link", text, sizeof(text)) > 0,
				 i == SAME);
		(void)umount2("volume/sub", MNT_DETACH);
		remove_root();
	}
}

/* The runtime and davit hold what such a view would cover. */
static void a_read_only_root_gets_no_view_of_itself(void **state)
{
	(void)state;
	make_root();
	assert_int_equal(mount(NULL, "root", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0);
	begin(&list);
	assert_int_equal(make_link("/missing/link"), -EROFS);
	assert_non_null(strstr(err.message, "the container's root is read-only"));
	assert_int_equal(access("root/missing", F_OK), -1);
	assert_int_equal(make_link("/etc/link"), 0);
	assert_link("root/etc/link", "text");
	remove_root();
}

static void nothing_goes_onto_a_shared_mount(void **state)
{
	(void)state;
	for (int with_config = 0; with_config < 2; with_config++) {
		make_root();
		assert_int_equal(mount("volume", "volume", NULL, MS_BIND, NULL), 0);
		assert_int_equal(mount(NULL, "volume", NULL, MS_SHARED, NULL), 0);
		bind_volume("root/usr", 0);
		add_mount("/usr", "volume", "bind", true, true);
		begin(with_config ? &list : NULL);
		assert_refused("/usr");
		assert_int_equal(bind_driver("/usr/present"), -EXDEV);
		assert_int_equal(write_file("/usr/present"), -EXDEV);
		assert_int_equal(attach_link(&attach, "/usr/link", "present", &err), 0);
		assert_untouched();
		remove_root();
	}
}

/* Only volumes are meant to show elsewhere. */
static void a_shared_root_becomes_private(void **state)
{
	(void)state;
	make_root();
	assert_int_equal(mount(NULL, "root", NULL, MS_SHARED, NULL), 0);
	begin(&list);
	assert_int_equal(bind_driver("/usr/tool"), 0);
	assert_int_equal(system("! grep ' /tmp/davit-attach-.*/root ' /proc/self/mountinfo | "
				"grep -q shared:"),
			 0);
	remove_root();
}

/* A tmpfs of the host's that config.json takes for another: by links, and beneath a volume. */
static void a_tmpfs_of_the_host_is_a_volume(void **state)
{
	(void)state;
	for (int beneath = 0; beneath < 2; beneath++) {
		make_root();
		assert_int_equal(mkdir("tmpfs", 0755), 0);
		if (beneath) {
			assert_int_equal(mount("host", "volume/sub", "tmpfs", 0, NULL), 0);
			bind_volume("root/dev", 0);
			add_mount("/dev/sub", NULL, "tmpfs", false, false);
			add_mount("/dev", "volume", "bind", true, false);
		} else {
			assert_int_equal(mount("host", "tmpfs", "tmpfs", 0, NULL), 0);
			assert_int_equal(mkdir("root/x", 0755), 0);
			assert_int_equal(mount("tmpfs", "root/dev", "tmpfs", 0, NULL), 0);
			/* /x -> /dev in the image, when the runtime mounted the second one */
			assert_int_equal(mount("tmpfs", "root/dev", NULL, MS_BIND, NULL), 0);
			add_mount("/dev", NULL, "tmpfs", false, false);
			add_mount("/x", "tmpfs", "bind", true, false);
		}
		begin(&list);
		assert_int_equal(make_link(beneath ? "/dev/sub/link" : "/dev/link"), -EXDEV);
		(void)umount2("tmpfs", MNT_DETACH);
		remove_root();
	}
}

static void a_directory_that_is_a_volume_is_left_alone(void **state)
{
	struct mount_source source = {.fd = -1};

	(void)state;
	make_root();
	assert_int_equal(mkdir("driver.d", 0755), 0);
	bind_volume("root/usr", 0);
	add_mount("/usr", "volume", "bind", true, false);
	begin(&list);
	assert_int_equal(mount_source_clone(&host_root, "/driver.d", 0, false, &source), 0);
	assert_int_equal(attach_mount(&attach, "/usr", &source, &err), 0);
	assert_text("root/usr/present", "the volume's");
	assert_int_equal(attach_mount(&attach, "/usr/pipes", &source, &err), -EXDEV);
	assert_int_equal(attach_mount(&attach, "/etc/pipes", &source, &err), 0);
	mount_source_close(&source);
	/* The second call: what is in the host's directory is no place to make things in. */
	assert_int_equal(make_link("/etc/pipes/link"), -EXDEV);
	assert_untouched();
	assert_int_equal(rmdir("driver.d"), 0);
	remove_root();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(links_replace_what_is_ours_to_replace),
		cmocka_unit_test(links_over_files_take_the_place_of_content),
		cmocka_unit_test(links_spare_what_has_content),
		cmocka_unit_test(mounts_replace_links_and_cover_files),
		cmocka_unit_test(files_are_written_whole_and_never_through_a_link),
		cmocka_unit_test(targets_need_a_name),
		cmocka_unit_test(a_tmpfs_of_the_container_is_its_own),
		cmocka_unit_test(a_part_of_the_root_is_its_own_wherever_it_is_mounted),
		cmocka_unit_test(nothing_is_made_in_a_volume),
		cmocka_unit_test(a_file_in_a_volume_is_covered_by_a_copy),
		cmocka_unit_test(a_volume_that_is_a_file_is_covered),
		cmocka_unit_test(a_read_only_volume_gets_a_view),
		cmocka_unit_test(a_view_keeps_the_mounts_beneath),
		cmocka_unit_test(calls_share_a_view),
		cmocka_unit_test(no_volume_passes_for_a_view),
		cmocka_unit_test(a_read_only_root_gets_no_view_of_itself),
		cmocka_unit_test(nothing_goes_onto_a_shared_mount),
		cmocka_unit_test(a_shared_root_becomes_private),
		cmocka_unit_test(a_tmpfs_of_the_host_is_a_volume),
		cmocka_unit_test(a_directory_that_is_a_volume_is_left_alone),
	};

	return cmocka_run_group_tests_name("attach", tests, make_host, remove_host);
}

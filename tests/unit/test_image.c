// SPDX-License-Identifier: Apache-2.0
#include "unit.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "davit/image.h"

static char folder[] = "/tmp/davit-test-image.XXXXXX";

/* The image: "DIR/", "FILE" or "LINK > TEXT". */
static const char *const things[] = {
	"usr/",
	"usr/lib/",
	"usr/lib/x86/",
	"usr/lib/x86/liba.so",
	"usr/bin/",
	"etc/",
	"etc/ld.so.cache",
	"run/",
	"dev/",
	"vol/",
	"vol/sub/",
	"data/",
	"lib > usr/lib",
	"lib64 > /usr/lib/x86",
	"usr/sbin > bin",
	"usr/lib/to-vol > /vol",
	"usr/lib/to-sub > ../../vol/sub",
	"usr/lib/up > ../../../../..",
	"usr/lib/x86/file-to-vol > /vol/evil",
	"usr/lib/x86/dangling > ../new/a",
	"one > two",
	"two > /three",
	"three > data",
	"loop > loop",
	"around > /vol/../usr/lib",
	"deeper > /vol/sub/../../etc",
	"run/to-etc > /etc",
	"nvidia > /etc/nvidia/deep",
	"etc/alternatives/",
	"etc/alternatives/x > /usr/lib/x86/liba.so",
};

static void make(const char *thing)
{
	AUTO_ARENA arena = {0};
	const char *link = strstr(thing, " > ");
	const char *path =
		arena_printf(&arena, "%s/%.*s", folder,
			     (int)(link ? (size_t)(link - thing) : strlen(thing)), thing);

	if (link)
		assert_int_equal(symlink(link + 3, path), 0);
	else if (string_ends(path, "/"))
		assert_int_equal(mkdir(path, 0755), 0);
	else
		assert_int_equal(close(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644)),
				 0);
}

/* A mount: its destination, with "t:" before it a tmpfs. */
#define MOUNTS_MAX 4
#define ROOT (-1)
static const struct {
	const char *mounts[MOUNTS_MAX];
	const char *path, *real; /* real NULL: whatever */
	int mount;               /* the index of its mount; ROOT */
	bool uncertain;
} places[] = {
	/* without mounts: the image's links */
	{{NULL}, "/usr/lib/x86/liba.so", "/usr/lib/x86/liba.so", ROOT, false},
	{{NULL}, "usr//lib/./x86/", "/usr/lib/x86", ROOT, false},
	{{NULL}, "/lib/x86/libb.so", "/usr/lib/x86/libb.so", ROOT, false},
	{{NULL}, "/lib64/libb.so", "/usr/lib/x86/libb.so", ROOT, false},
	{{NULL}, "/lib/to-sub/a/b", "/vol/sub/a/b", ROOT, false},
	{{NULL}, "/lib/up/etc/x", "/etc/x", ROOT, false},
	{{NULL}, "/usr/lib/x86/dangling", "/usr/lib/new/a", ROOT, false},
	{{NULL}, "/one/x", "/data/x", ROOT, false},
	{{NULL}, "/new/../etc/x", "/etc/x", ROOT, false},
	{{NULL}, "/../../etc", "/etc", ROOT, false},
	{{NULL}, "/", "/", ROOT, false},
	{{NULL}, "/loop/x", NULL, ROOT, true},
	{{NULL}, "/etc/ld.so.cache/x", "/etc/ld.so.cache/x", ROOT, false},
	/* a volume, and links into it */
	{{"/vol"}, "/vol/x", "/vol/x", 0, false},
	{{"/vol"}, "/vol", "/vol", 0, false},
	{{"/vol"}, "/volume/x", "/volume/x", ROOT, false},
	{{"/vol"}, "/lib/to-vol/x", "/vol/x", 0, false},
	{{"/vol"}, "/lib/to-sub/x", "/vol/sub/x", 0, false},
	{{"/vol"}, "/usr/lib/x86/file-to-vol", "/vol/evil", 0, false},
	{{"/vol"}, "/lib/x86/liba.so", "/usr/lib/x86/liba.so", ROOT, false},
	{{"/data"}, "/one/x", "/data/x", 0, false},
	{{"/vol"}, "/around/x86/x", "/usr/lib/x86/x", ROOT, false},
	{{"/vol"}, "/deeper/x", NULL, ROOT, true},
	{{"/usr"}, "/lib/x86/liba.so", "/usr/lib/x86/liba.so", 0, false},
	{{"/usr/lib"}, "/lib64/x", "/usr/lib/x86/x", 0, false},
	{{"/usr/lib"}, "/usr/bin/x", "/usr/bin/x", ROOT, false},
	{{"/"}, "/etc/x", "/etc/x", 0, false},
	/* a destination through the image's links, and one that is missing */
	{{"/lib"}, "/usr/lib/x86/x", "/usr/lib/x86/x", 0, false},
	{{"/lib/to-sub"}, "/vol/sub/x", "/vol/sub/x", 0, false},
	{{"/lib/to-sub"}, "/vol/x", "/vol/x", ROOT, false},
	{{"/one"}, "/data/x", "/data/x", 0, false},
	{{"/new/a"}, "/new/a/b", "/new/a/b", 0, false},
	{{"/new/a"}, "/new/b", "/new/b", ROOT, false},
	{{"/nvidia"}, "/etc/nvidia/deep/x", "/etc/nvidia/deep/x", 0, false},
	{{"/nvidia"}, "/etc/nvidia/x", "/etc/nvidia/x", ROOT, false},
	{{"relative"}, "/relative/x", "/relative/x", 0, false},
	{{"/usr/../vol"}, "/vol/x", "/vol/x", 0, true},
	{{""}, "/etc/x", "/etc/x", ROOT, false},
	/* files */
	{{"/etc/ld.so.cache"}, "/etc/ld.so.cache", "/etc/ld.so.cache", 0, false},
	{{"/etc/ld.so.cache"}, "/etc/ld.so.conf", "/etc/ld.so.conf", ROOT, false},
	{{"/usr/lib/x86/liba.so"}, "/etc/alternatives/x", "/usr/lib/x86/liba.so", 0, false},
	{{"/etc/alternatives/x"}, "/lib64/liba.so", "/usr/lib/x86/liba.so", 0, false},
	/* several: the later one on the same place, around and inside */
	{{"/vol", "/vol"}, "/vol/x", "/vol/x", 1, false},
	{{"/vol", "t:/vol"}, "/lib/to-vol/x", "/vol/x", 1, false},
	{{"/vol/sub", "/vol"}, "/vol/sub/x", "/vol/sub/x", 1, false},
	{{"/vol", "/vol/sub"}, "/vol/sub/x", "/vol/sub/x", 1, true},
	{{"/vol", "/vol/sub"}, "/vol/x", "/vol/x", 0, true},
	{{"/vol", "/vol/sub"}, "/etc/x", "/etc/x", ROOT, true},
	{{"/usr", "/lib/deep"}, "/etc/x", "/etc/x", ROOT, true},
	{{"/vol", "/around"}, "/usr/lib/x", "/usr/lib/x", 1, false},
	{{"t:/run", "/run/x"}, "/run/x/y", "/run/x/y", 1, false},
	{{"t:/run", "/run/x"}, "/run/y", "/run/y", 0, false},
	{{"/run", "t:/run/x"}, "/run/x/y", "/run/x/y", 1, true},
	{{"/run/x", "t:/run"}, "/run/x/y", "/run/x/y", 1, false},
	{{"t:/dev", "t:/dev/shm"}, "/dev/nvidia0", "/dev/nvidia0", 0, false},
	{{"t:/dev", "t:/dev/shm"}, "/dev/shm/x", "/dev/shm/x", 1, false},
	/* a tmpfs may hold what the image has there: some runtimes copy it */
	{{"t:/run"}, "/run/to-etc/x", "/run/to-etc/x", 0, true},
	{{"t:/run", "/run/to-etc"}, "/etc/x", "/etc/x", ROOT, true},
	{{"t:/run"}, "/run/new/../x", "/run/x", 0, false},
	{{"t:/run"}, "/run/../etc/x", "/etc/x", ROOT, false},
	{{"/loop/x"}, "/etc/x", NULL, ROOT, true},
};

static void parse_mounts(const char *const *texts, struct arena *arena, struct oci_mounts *ret)
{
	for (size_t i = 0; i < MOUNTS_MAX && texts[i]; i++) {
		bool fresh = string_starts(texts[i], "t:");
		struct oci_mount *mount = ARENA_PUSH(arena, ret);

		*mount = (struct oci_mount){
			.destination = texts[i] + (fresh ? 2 : 0),
			.source = fresh ? "tmpfs" : "/srv",
			.type = fresh ? "tmpfs" : "bind",
			.bind = !fresh,
		};
	}
}

static void paths_lie_where_the_kernel_will_find_them(void **state)
{
	AUTO_ROOT root = {.fd = -1};
	struct error err = {0};

	(void)state;
	assert_int_equal(root_open(folder, &root, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		AUTO_ARENA arena = {0};
		struct oci_mounts mounts = {0};
		AUTO_VOLUMES volumes = IMAGE_VOLUMES_INIT(&root, &mounts, &arena);
		struct image_place place;

		parse_mounts(places[i].mounts, &arena, &mounts);
		/* Twice: what was found is kept. */
		for (int again = 0; again < 2; again++) {
			assert_int_equal(image_find_place(&volumes, places[i].path, true, &place),
					 0);
			if (place.uncertain != places[i].uncertain ||
			    (place.mount ? (int)(place.mount - mounts.items) : ROOT) !=
				    places[i].mount ||
			    (places[i].real && strcmp(place.path, places[i].real) != 0))
				fail_msg("place %zu: %s is %s in mount %td%s", i, places[i].path,
					 place.path, place.mount ? place.mount - mounts.items : -1,
					 place.uncertain ? ", uncertain" : "");
		}
	}
}

static void the_last_link_is_followed_when_asked_for(void **state)
{
	AUTO_ARENA arena = {0};
	static const char *const texts[MOUNTS_MAX] = {"/vol"};
	AUTO_ROOT root = {.fd = -1};
	struct oci_mounts mounts = {0};
	AUTO_VOLUMES volumes = IMAGE_VOLUMES_INIT(&root, &mounts, &arena);
	struct image_place place;
	struct error err = {0};

	(void)state;
	assert_int_equal(root_open(folder, &root, &err), 0);
	parse_mounts(texts, &arena, &mounts);
	assert_int_equal(image_find_place(&volumes, "/lib64/file-to-vol", false, &place), 0);
	assert_string_equal(place.path, "/usr/lib/x86/file-to-vol");
	assert_null(place.mount);
	assert_int_equal(image_find_place(&volumes, "/lib64/file-to-vol", true, &place), 0);
	assert_ptr_equal(place.mount, &mounts.items[0]);
}

/* What is there of a path, without links. */
static void the_existing_part_is_told(void **state)
{
	static const struct {
		const char *path, *existing;
	} cases[] = {
		{"/lib/x86/liba.so", "/usr/lib/x86/liba.so"},
		{"/lib64/new/a/b", "/usr/lib/x86"},
		{"/new/a", ""},
		{"/usr", "/usr"},
		{"/vol/sub/x", "/vol/sub"},
	};
	AUTO_ARENA arena = {0};
	AUTO_ROOT root = {.fd = -1};
	struct oci_mounts mounts = {0};
	AUTO_VOLUMES volumes = IMAGE_VOLUMES_INIT(&root, &mounts, &arena);
	struct error err = {0};

	(void)state;
	assert_int_equal(root_open(folder, &root, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct image_place place;

		assert_int_equal(image_find_place(&volumes, cases[i].path, true, &place), 0);
		assert_int_equal(place.existing, strlen(cases[i].existing));
		assert_memory_equal(place.path, cases[i].existing, place.existing);
	}
}

/* The same answers as the resolver's, where nothing is mounted. */
static void the_resolver_agrees(void **state)
{
	AUTO_ARENA arena = {0};
	AUTO_ROOT root = {.fd = -1};
	struct oci_mounts mounts = {0};
	AUTO_VOLUMES volumes = IMAGE_VOLUMES_INIT(&root, &mounts, &arena);
	struct error err = {0};

	(void)state;
	assert_int_equal(root_open(folder, &root, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(things); i++)
		for (size_t j = 0; j < ARRAY_SIZE(things); j++) {
			const char *path =
				arena_printf(&arena, "%.*s/../%.*s", (int)strcspn(things[i], " "),
					     things[i], (int)strcspn(things[j], " "), things[j]);
			AUTO_FD fd = root_openat(&root, path, O_PATH), real = -1;
			struct image_place place;
			struct stat one, other;

			if (fd < 0)
				continue;
			assert_int_equal(image_find_place(&volumes, path, true, &place), 0);
			assert_false(place.uncertain);
			real = root_openat(&root, place.path, O_PATH | O_NOFOLLOW);
			assert_true(real >= 0);
			assert_int_equal(fstat(fd, &one), 0);
			assert_int_equal(fstat(real, &other), 0);
			if (one.st_ino != other.st_ino || place.existing != strlen(place.path))
				fail_msg("%s is not %s", path, place.path);
		}
}

/* Volumes that an image declares may be many and long. */
static void many_mounts_take_time_by_their_length(void **state)
{
	AUTO_ARENA arena = {0};
	AUTO_ROOT root = {.fd = -1};
	struct oci_mounts mounts = {0};
	AUTO_VOLUMES volumes = IMAGE_VOLUMES_INIT(&root, &mounts, &arena);
	struct image_place place;
	struct error err = {0};

	(void)state;
	assert_int_equal(root_open(folder, &root, &err), 0);
	for (size_t i = 0; i < 20000; i++) {
		struct oci_mount *mount = ARENA_PUSH(&arena, &mounts);

		*mount = (struct oci_mount){
			.destination = arena_printf(&arena, "/data/%s%zu",
						    i % 2 ? "" : "/a/../a/./b/c/d/e/f/", i),
			.source = "/srv",
			.type = "bind",
			.bind = true,
		};
	}
	assert_int_equal(image_find_place(&volumes, "/data/19999/x", true, &place), 0);
	assert_ptr_equal(place.mount, &mounts.items[19999]);
	assert_true(volumes.steps < 300000);
	assert_int_equal(image_find_place(&volumes, "/data/x", true, &place), 0);
	assert_null(place.mount);
}

/* By config.json: "rw" or "ro" and the destination; where libraries then go, "" as they would. */
static void libraries_go_where_no_volume_is(void **state)
{
	static const struct {
		const char *mounts[3];
		bool shared;
		const char *lib_dir;
	} cases[] = {
		{{NULL}, false, ""},
		{{"rw/data"}, false, ""},
		{{"rw/usr/lib/x86"}, false, "/opt/davit/lib"},
		{{"rw/lib64"}, false, "/opt/davit/lib"},
		{{"rw/usr"}, false, "/opt/davit/lib"},
		{{"rw/around"}, false, "/opt/davit/lib"},
		{{"ro/usr"}, false, ""},
		{{"ro/usr", "rw/usr/lib/x86"}, false, "/opt/davit/lib"},
		{{"rw/usr", "ro/usr/lib/x86"}, false, ""},
		{{"rw/usr/lib/x86/deeper"}, false, ""},
		{{"rw/usr/lib/x8"}, false, ""},
		{{"ro/usr"}, true, "/opt/davit/lib"},
		{{"rw/lib", "rw/opt"}, false, "/.davit/lib"},
		{{"rw/lib", "ro/opt/davit/lib32"}, false, "/.davit/lib"},
		{{"rw/lib", "rw/opt/other"}, false, "/opt/davit/lib"},
		{{"rw/etc/hosts", "rw/dev/shm"}, false, ""},
		{{"rw/vol", "rw/vol/sub", "rw/usr/lib"}, false, "/opt/davit/lib"},
		{{"rw/vol", "rw/vol/sub"}, false, ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_ARENA arena = {0};
		AUTO_ROOT root = {.fd = -1};
		struct oci_mounts mounts = {0};
		struct image image = {.lib_dir = "/lib64", .lib_dir_32 = "/lib64"};
		struct error err = {0};

		assert_int_equal(root_open(folder, &root, &err), 0);
		for (size_t j = 0; j < 3 && cases[i].mounts[j]; j++)
			*ARENA_PUSH(&arena, &mounts) = (struct oci_mount){
				.destination = cases[i].mounts[j] + 2,
				.source = "/srv",
				.type = "bind",
				.bind = true,
				.read_only = string_starts(cases[i].mounts[j], "ro"),
			};
		assert_int_equal(image_place_libraries(&root, &mounts, cases[i].shared, &arena,
						       &image, &err),
				 0);
		assert_string_equal(image.lib_dir, *cases[i].lib_dir ? cases[i].lib_dir : "/lib64");
		assert_int_equal(strcmp(image.lib_dir_32, "/lib64") != 0, *cases[i].lib_dir != 0);
	}
}

static void musl_searches_every_directory_of_a_library(void **state)
{
	static const struct {
		const char *path, *libraries[4]; /* "32:" of 32 bits, "own:" of the image */
		const char *text;                /* NULL: no file is needed */
	} cases[] = {
		{"/lib\n/usr/lib\n", {"/usr/lib/libcuda.so.1"}, NULL},
		{"/lib:/usr/lib", {"/usr/lib/a.so", "/lib/b.so"}, NULL},
		{"/lib\n/usr/lib\n",
		 {"/opt/lib/a.so", "/usr/lib/b.so", "/usr/lib/vdpau/c.so", "/opt/lib/d.so"},
		 "/opt/lib\n/usr/lib/vdpau\n/lib\n/usr/lib\n"},
		{"/lib", {"/usr/lib/a.so"}, "/lib\n/usr/lib\n"},
		{"", {"/usr/lib/a.so", "/opt/b.so"}, "/opt\n\n/usr/lib\n"},
		{"/lib:/opt/lib",
		 {"/usr/lib/a.so", "/opt/lib/b.so", "/x/y/c.so"},
		 "/x/y\n/lib:/opt/lib\n/usr/lib\n"},
		{"/opt/library\n", {"/opt/lib/a.so"}, "/opt/lib\n/opt/library\n"},
		{"/lib", {"32:/opt/lib32/a.so"}, NULL},
		{"/lib", {"own:/usr/local/cuda/compat/a.so", "/opt/lib/a.so"}, "/opt/lib\n/lib"},
		{"/lib", {0}, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_ARENA arena = {0};
		struct image image = {.loader = IMAGE_LOADER_MUSL, .musl_path = cases[i].path};
		struct loader_cache libraries = {0};
		const char *text = "?";

		for (size_t j = 0; j < ARRAY_SIZE(cases[i].libraries); j++) {
			const char *path = cases[i].libraries[j];

			if (!path)
				break;
			image.compat.count += string_starts(path, "own:");
			*ARENA_PUSH(&arena, &libraries) = (struct loader_entry){
				.flags = string_starts(path, "32:") ? LOADER_FLAGS_32
								    : LOADER_FLAGS_NATIVE,
				.name = strrchr(path, '/') + 1,
				.path = strchr(path, '/'),
			};
		}
		assert_int_equal(image_make_musl_path(&image, &libraries, &arena, &text), 0);
		if (cases[i].text)
			assert_string_equal(text, cases[i].text);
		else
			assert_null(text);
	}
}

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(things); i++)
		make(things[i]);
	return 0;
}

static int remove_folder(void **state)
{
	AUTO_ARENA arena = {0};

	(void)state;
	return system(arena_printf(&arena, "rm -rf %s", folder));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_lie_where_the_kernel_will_find_them),
		cmocka_unit_test(the_last_link_is_followed_when_asked_for),
		cmocka_unit_test(the_existing_part_is_told),
		cmocka_unit_test(the_resolver_agrees),
		cmocka_unit_test(many_mounts_take_time_by_their_length),
		cmocka_unit_test(libraries_go_where_no_volume_is),
		cmocka_unit_test(musl_searches_every_directory_of_a_library),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

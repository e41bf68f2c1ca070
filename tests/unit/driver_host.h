// SPDX-License-Identifier: Apache-2.0
/* A small host in a temporary folder: what the driver module reads, made file by file. */
#pragma once

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "davit/driver.h"
#include "davit/loader.h"
#include "davit/select.h"
#include "elf_builder.h"
#include "unit.h"

#define VERSION "580.159.04"
#define COMPUTE CAPABILITY_COMPUTE
#define UTILITY CAPABILITY_UTILITY
#define GRAPHICS CAPABILITY_GRAPHICS
#define NOTE "{\"format\":1,\"CUDA version\":\"13.0\",\"driver\":[535,580]}"

struct host {
	struct arena arena;
	struct config config;
	char dir[32]; /* DIR/{driver,proc,dev,sys,run} */
	struct driver_roots roots;
	bool open;
	struct driver driver;
	struct error err;
	char line[ERROR_LINE_MAX];
};

static inline const char *host_path(struct host *host, const char *path)
{
	const char *whole = arena_printf(&host->arena, "%s/%s", host->dir, path);

	assert_non_null(whole);
	return whole;
}

/* The folders above path. */
static inline void host_mkdirs(struct host *host, const char *path)
{
	char whole[PATH_MAX];

	(void)snprintf(whole, sizeof(whole), "%s", host_path(host, path));
	for (char *slash = strchr(whole + strlen(host->dir) + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		assert_true(mkdir(whole, 0755) == 0 || errno == EEXIST);
		*slash = '/';
	}
}

static inline void host_put_bytes(struct host *host, const char *path, const void *data,
				  size_t length)
{
	int fd;

	host_mkdirs(host, path);
	fd = open(host_path(host, path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, length), length);
	assert_int_equal(close(fd), 0);
}

static inline void host_put(struct host *host, const char *path, const char *text)
{
	host_put_bytes(host, path, text, strlen(text));
}

static inline void host_link(struct host *host, const char *path, const char *text)
{
	host_mkdirs(host, path);
	assert_int_equal(symlink(text, host_path(host, path)), 0);
}

static inline void host_remove(struct host *host, const char *path)
{
	assert_int_equal(unlink(host_path(host, path)), 0);
}

/* A library "DIR/NAME"; with a SONAME of another name the link, too. */
static inline void host_put_library(struct host *host, const char *dir, const char *name, int bits,
				    const char *soname)
{
	struct elf_spec spec = {.bits = bits, .soname = soname};
	unsigned char image[ELF_IMAGE_SIZE];

	if (string_starts(name, "libcuda.so."))
		spec.note = NOTE;
	elf_build(&spec, image);
	host_put_bytes(host, arena_printf(&host->arena, "%s/%s", dir, name), image, sizeof(image));
	if (soname && strcmp(soname, name) != 0)
		host_link(host, arena_printf(&host->arena, "%s/%s", dir, soname), name);
}

/* The libraries and programs that nothing works without, in DIR/lib64 and DIR/bin. */
static inline void host_put_userland(struct host *host, const char *libraries, int bits,
				     const char *version)
{
	static const struct {
		const char *stem, *soname;
	} usual[] = {
		{"libnvidia-ml.so", "libnvidia-ml.so.1"},
		{"libcuda.so", "libcuda.so.1"},
		{"libnvidia-ptxjitcompiler.so", "libnvidia-ptxjitcompiler.so.1"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
		host_put_library(host, libraries,
				 arena_printf(&host->arena, "%s.%s", usual[i].stem, version), bits,
				 usual[i].soname);
}

static inline void host_put_gpu(struct host *host, const char *bus_id, unsigned minor,
				const char *uuid, const char *more)
{
	host_put(host, arena_printf(&host->arena, "proc/driver/nvidia/gpus/%s/information", bus_id),
		 arena_printf(&host->arena,
			      "Model: \t\t NVIDIA H200\nIRQ:   \t\t 41\nGPU UUID: \t %s\n"
			      "Bus Location: \t %s\nDevice Minor: \t %u\n%s",
			      uuid, bus_id, minor, more));
}

/* A cache of the driver's root that names these files. */
static inline void host_put_cache(struct host *host, const char *const *paths, size_t count,
				  int32_t flags)
{
	struct loader_cache added = {0}, none = {0};
	struct error err;
	size_t length;
	char *data;

	for (size_t i = 0; i < count; i++) {
		struct loader_entry *entry = ARENA_PUSH(&host->arena, &added);

		assert_non_null(entry);
		entry->flags = flags;
		entry->name = strrchr(paths[i], '/') + 1;
		entry->path = paths[i];
	}
	assert_int_equal(loader_cache_merge(&none, &added, &host->arena, &data, &length, &err), 0);
	host_put_bytes(host, "driver/etc/ld.so.cache", data, length);
}

static inline void host_make(struct host *host)
{
	*host = (struct host){.dir = "/tmp/davit-driver-XXXXXX"};
	assert_non_null(mkdtemp(host->dir));
	assert_int_equal(config_defaults(&host->arena, &host->config), 0);
	host->config.driver.root = host_path(host, "driver");
	host->config.driver.proc = host_path(host, "proc");
	host->config.driver.dev = host_path(host, "dev");
	host->config.driver.sys = host_path(host, "sys");
	host->config.driver.run = host_path(host, "run");
	host_mkdirs(host, "driver/.");
	host_mkdirs(host, "dev/.");
	host_put(host, "proc/driver/nvidia/version",
		 "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  " VERSION
		 "  Release Build  (nixbld@)  \nGCC version:  gcc version 15.3.0 (GCC) \n");
	host_put(host, "proc/driver/nvidia/params", "ModifyDeviceFiles: 1\nDeviceFileMode: 438\n");
	host_put(host, "proc/driver/nvidia/registry", "Binary: \"\"\n");
	host_put(host, "proc/devices",
		 "Character devices:\n  1 mem\n195 nvidia\n195 nvidiactl\n238 nvidia-uvm\n"
		 "241 nvidia-caps\n242 nvidia-caps-imex-channels\n\nBlock devices:\n  7 loop\n"
		 "199 nvidia-uvm\n");
	host_put_gpu(host, "0000:00:06.0", 0, "GPU-1074aade-e34c-4efc-662a-2954e7cab1dc", "");
	host_put_gpu(host, "0000:00:07.0", 1, "GPU-838f1a63-81fa-dfa9-e219-5da0cd7c6ddd", "");
}

/* The prefix layout: DIR/driver/{lib64,bin,share,firmware}. */
static inline void host_make_prefix(struct host *host)
{
	host_make(host);
	host_put_userland(host, "driver/lib64", 64, VERSION);
	host_put(host, "driver/bin/nvidia-smi", "x");
	host_put(host, "driver/bin/nvidia-cuda-mps-control", "x");
	host_put(host, "driver/firmware/nvidia/" VERSION "/gsp_ga10x.bin", "x");
}

static inline int host_read_for(struct host *host, unsigned capabilities,
				const struct strings *devices)
{
	int r = 0;

	host->line[0] = '\0';
	if (!host->open)
		r = driver_roots_open(&host->config, &host->roots, &host->err);
	host->open = r == 0;
	if (r == 0)
		r = driver_read(
			&host->roots, &host->config,
			&(struct driver_wanted){.capabilities = capabilities, .devices = devices},
			&host->arena, &host->driver, &host->err);
	if (r < 0)
		error_line(&host->err, host->line);
	return r;
}

static inline int host_read(struct host *host, unsigned capabilities)
{
	return host_read_for(host, capabilities, NULL);
}

static inline void host_read_well(struct host *host, unsigned capabilities)
{
	if (host_read(host, capabilities) < 0)
		fail_msg("%s", host->line);
}

/* A failure of that code, whose line has all of these words in it. */
static inline void host_read_badly(struct host *host, unsigned capabilities, enum error_code code,
				   const char *const *words)
{
	assert_true(host_read(host, capabilities) < 0);
	if (host->err.code != code)
		fail_msg("%s: %s", error_code_name(host->err.code), host->line);
	for (; *words; words++)
		if (!strstr(host->line, *words))
			fail_msg("no \"%s\" in: %s", *words, host->line);
}
#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static inline const struct driver_file *host_file(const struct host *host, const char *path)
{
	for (size_t i = 0; i < host->driver.files.count; i++)
		if (strcmp(host->driver.files.items[i].path, path) == 0)
			return &host->driver.files.items[i];
	return NULL;
}

static inline const struct device_node *host_node(const struct host *host, const char *name)
{
	for (size_t i = 0; i < host->driver.nodes.count; i++)
		if (strcmp(host->driver.nodes.items[i].name, name) == 0)
			return &host->driver.nodes.items[i];
	return NULL;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void host_free(struct host *host)
{
	(void)nftw(host->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	if (host->open)
		driver_roots_close(&host->roots);
	arena_free(&host->arena);
}
#define AUTO_HOST __attribute__((cleanup(host_free))) struct host

// SPDX-License-Identifier: Apache-2.0
#include <string.h>
#include <sys/utsname.h>

#include "catalogue.h"

#define ALWAYS 0
#define COMPUTE CAPABILITY_COMPUTE
#define NGX CAPABILITY_NGX
#define UTILITY CAPABILITY_UTILITY
#define VIDEO CAPABILITY_VIDEO
#define GRAPHICS (CAPABILITY_GRAPHICS | CAPABILITY_DISPLAY)

/* clang-format off */
#define ROW(row_kind, row_name, row_capabilities, ...) \
	{.kind = (row_kind), .name = (row_name), .capabilities = (row_capabilities), __VA_ARGS__}
#define LIB(...) ROW(DRIVER_FILE_LIBRARY, __VA_ARGS__, )
#define BIN(...) ROW(DRIVER_FILE_BINARY, __VA_ARGS__)
#define DATA(...) ROW(DRIVER_FILE_DATA, __VA_ARGS__)
#define FIRMWARE(...) ROW(DRIVER_FILE_FIRMWARE, __VA_ARGS__, .place = PLACE_FIRMWARE)
#define SOCKET(...) ROW(DRIVER_FILE_SOCKET, __VA_ARGS__)
#define AT(place_kind) .place = (PLACE_##place_kind)
/* A text file of EGL, Vulkan or OpenCL that names the library to load. */
#define TEXT(...) ROW(DRIVER_FILE_DATA, __VA_ARGS__, .names_library = true)
#define LINK(link_name, link_text) \
	.links = (const struct driver_link[]){{link_name, link_text}, {NULL, NULL}}
#define WITH(file) .with = (file)
#define WITHOUT(file) .without = (file)
#define ESSENTIAL .essential = true
#define USUAL .usual = true
#define SHARED .shared = true
/* clang-format on */

#define XORG_EXTENSIONS "/usr/lib/xorg/modules/extensions"

/* clang-format off */
const struct catalogue_row catalogue[] = {
	LIB(CATALOGUE_LIBNVML,                 UTILITY,            ESSENTIAL, USUAL),
	LIB("libnvidia-cfg.so.@",              UTILITY),
	LIB("libnvidia-nscq.so.@",             UTILITY),

	LIB(CATALOGUE_LIBCUDA,                 COMPUTE,            ESSENTIAL, USUAL,
	    LINK("libcuda.so", "libcuda.so.1")),
	LIB("libcudadebugger.so.@",            COMPUTE),
	LIB("libnvidia-opencl.so.@",           COMPUTE),
	LIB("libnvidia-gpucomp.so.@",          COMPUTE | GRAPHICS), /* libnvidia-glcore needs it */
	LIB("libnvidia-ptxjitcompiler.so.@",   COMPUTE,            USUAL),
	LIB("libnvidia-fatbinaryloader.so.@",  COMPUTE),
	LIB("libnvidia-allocator.so.@",        COMPUTE | GRAPHICS), /* also GBM's backend */
	LIB("libnvidia-compiler.so.@",         COMPUTE),
	LIB("libnvidia-pkcs11.so.@",           COMPUTE),
	LIB("libnvidia-pkcs11-openssl3.so.@",  COMPUTE),
	LIB("libnvidia-nvvm.so.@",             COMPUTE),
	LIB("libnvidia-nvvm.so.4",             COMPUTE,            WITHOUT("libnvidia-nvvm.so.")), /* 465 to 470: libnvidia-nvvm.so.4.0.0 */
	LIB("libnvidia-nvvm70.so.4",           COMPUTE),
	LIB("libnvidia-tileiras.so.@",         COMPUTE),
	LIB("libnvidia-sandboxutils.so.@",     COMPUTE),

	LIB("libvdpau_nvidia.so.@",            VIDEO,              AT(VDPAU)),
	LIB("libnvidia-encode.so.@",           VIDEO),
	LIB("libnvidia-opticalflow.so.@",      VIDEO,
	    LINK("libnvidia-opticalflow.so", "libnvidia-opticalflow.so.1")),
	LIB("libnvcuvid.so.@",                 VIDEO,              USUAL),

	LIB("libnvidia-eglcore.so.@",          GRAPHICS),
	LIB("libnvidia-glcore.so.@",           GRAPHICS,           USUAL),
	LIB("libnvidia-tls.so.@",              GRAPHICS),
	LIB("libnvidia-glsi.so.@",             GRAPHICS),
	LIB("libnvidia-fbc.so.@",              GRAPHICS),
	LIB("libnvidia-ifr.so.@",              GRAPHICS),
	LIB("libnvidia-rtcore.so.@",           GRAPHICS),
	LIB("libnvoptix.so.@",                 GRAPHICS),
	LIB("libGLX_nvidia.so.@",              GRAPHICS,
	    LINK("libGLX_indirect.so.0", "libGLX_nvidia.so.@")),
	LIB("libEGL_nvidia.so.@",              GRAPHICS),
	LIB("libGLESv2_nvidia.so.@",           GRAPHICS),
	LIB("libGLESv1_CM_nvidia.so.@",        GRAPHICS),
	LIB("libnvidia-glvkspirv.so.@",        GRAPHICS),
	LIB("libnvidia-cbl.so.@",              GRAPHICS),
	/* It has no SONAME, and libnvidia-glcore loads it without a version. */
	LIB("libnvidia-vulkan-producer.so.@",  GRAPHICS,
	    LINK("libnvidia-vulkan-producer.so", "libnvidia-vulkan-producer.so.@")),
	LIB("libnvidia-present.so.@",          GRAPHICS), /* a layer of Vulkan */
	LIB("libnvidia-vksc-core.so.@",        GRAPHICS), /* Vulkan SC */
	LIB("libnvidia-wayland-client.so.@",   GRAPHICS),
	LIB("libnvidia-gtk2.so.@",             GRAPHICS), /* for nvidia-settings */
	LIB("libnvidia-gtk3.so.@",             GRAPHICS),
	LIB("libnvidia-api.so.1",              GRAPHICS), /* NVAPI */
	LIB("libnvidia-wfb.so.@",              GRAPHICS), /* X's, before 396 */
	LIB("libGL.so.@",                      GRAPHICS,           SHARED), /* before GLVND: 340, optional in 390 */
	LIB("libEGL.so.@",                     GRAPHICS,           SHARED),
	LIB("libGLESv1_CM.so.@",               GRAPHICS,           SHARED),
	LIB("libGLESv2.so.@",                  GRAPHICS,           SHARED),
	LIB("libnvidia-egl-gbm.so.1",          GRAPHICS,
	    LINK("gbm/nvidia-drm_gbm.so", "../libnvidia-allocator.so.1")),
	LIB("libnvidia-egl-wayland.so.1",      GRAPHICS),
	LIB("libnvidia-egl-wayland2.so.1",     GRAPHICS),
	LIB("libnvidia-egl-xcb.so.1",          GRAPHICS),
	LIB("libnvidia-egl-xlib.so.1",         GRAPHICS),

	LIB("libnvidia-ngx.so.@",              NGX),

	BIN("nvidia-smi",                      UTILITY,            AT(PROGRAMS)),
	BIN("nvidia-debugdump",                UTILITY,            AT(PROGRAMS)),
	BIN("nvidia-persistenced",             UTILITY,            AT(PROGRAMS)),
	BIN("nv-fabricmanager",                UTILITY,            AT(PROGRAMS_RARE)),
	BIN("nvidia-imex",                     UTILITY,            AT(PROGRAMS_RARE)),
	BIN("nvidia-imex-ctl",                 UTILITY,            AT(PROGRAMS_RARE), WITH("nvidia-imex")),
	BIN("nvidia-cuda-mps-control",         COMPUTE,            AT(PROGRAMS)),
	BIN("nvidia-cuda-mps-server",          COMPUTE,            AT(PROGRAMS)),
	BIN("nvidia-xconfig",                  GRAPHICS,           AT(PROGRAMS_RARE)),

	TEXT("10_nvidia.json",                 GRAPHICS,           AT(EGL_VENDOR)),
	TEXT("15_nvidia_gbm.json",             GRAPHICS,           AT(EGL_PLATFORM)),
	TEXT("10_nvidia_wayland.json",         GRAPHICS,           AT(EGL_PLATFORM)),
	TEXT("09_nvidia_wayland2.json",        GRAPHICS,           AT(EGL_PLATFORM)),
	TEXT("20_nvidia_xcb.json",             GRAPHICS,           AT(EGL_PLATFORM)),
	TEXT("20_nvidia_xlib.json",            GRAPHICS,           AT(EGL_PLATFORM)),
	TEXT("nvidia_icd.json",                GRAPHICS,           AT(VULKAN_ICD)),
	TEXT("nvidia_icd.x86_64.json",         GRAPHICS,           AT(VULKAN_ICD)),
	TEXT("nvidia_icd.aarch64.json",        GRAPHICS,           AT(VULKAN_ICD)),
	TEXT("nvidia_icd.i686.json",           GRAPHICS,           AT(VULKAN_ICD)),
	TEXT("nvidia_icd_vksc.json",           GRAPHICS,           AT(VULKANSC_ICD)),
	TEXT("nvidia_layers.json",             GRAPHICS,           AT(VULKAN_LAYER)),
	/*
	 * OpenCL belongs to compute. As in NVIDIA's toolkit, its text is also added with graphics.
	 */
	TEXT("nvidia.icd",                     COMPUTE,            AT(OPENCL), WITH("libnvidia-opencl.so.")),
	DATA("nvidia.icd",                     GRAPHICS,           AT(OPENCL), WITHOUT("nvidia.icd")),
	DATA("nvoptix.bin",                    GRAPHICS,           AT(SHARE)),
	DATA("10-nvidia.conf",                 GRAPHICS,           AT(XORG_CONF)),
	DATA("nvidia-drm-outputclass.conf",    GRAPHICS,           AT(XORG_CONF)),
	DATA("nvidia_drv.so",                  GRAPHICS,           AT(XORG_DRIVERS)),
	DATA("libglxserver_nvidia.so.@",       GRAPHICS,           AT(XORG_EXTENSIONS),
	     LINK(XORG_EXTENSIONS "/libglxserver_nvidia.so", "libglxserver_nvidia.so.@")),
	/* NVIDIA's GLX module for X, before GLVND. */
	DATA("libglx.so.@",                    GRAPHICS,           AT(XORG_EXTENSIONS), WITHOUT("libglxserver_nvidia.so."),
	     LINK(XORG_EXTENSIONS "/libglx.so", "libglx.so.@")),

	/*
	 * The names are known, so no directory is read. Since 525 there is one file for each chip
	 * family, before that one for all.
	 */
	FIRMWARE("gsp_ga10x.bin",              ALWAYS),
	FIRMWARE("gsp_tu10x.bin",              ALWAYS),
	FIRMWARE("gsp_ad10x.bin",              ALWAYS, WITHOUT("gsp_ga10x.bin")), /* 525 */
	FIRMWARE("gsp.bin",                    ALWAYS, WITHOUT("gsp_")),

	SOCKET("socket",                       UTILITY,            AT(PERSISTENCED)),
	SOCKET("socket",                       UTILITY,            AT(FABRICMANAGER)),
};
/* clang-format on */

const size_t catalogue_count = ARRAY_SIZE(catalogue);

const char *catalogue_expand(struct arena *arena, const char *text, const char *version)
{
	const char *at = strchr(text, '%');
	struct utsname kernel;

	if (at && uname(&kernel) == 0)
		text = arena_printf(arena, "%.*s%s%s", (int)(at - text), text, kernel.release,
				    at + 1);
	at = text ? strchr(text, '@') : NULL;
	if (!at)
		return text;
	return arena_printf(arena, "%.*s%s%s", (int)(at - text), text, version, at + 1);
}

size_t catalogue_stem_length(const char *name)
{
	const char *so = strstr(name, ".so");

	return so && (so[3] == '.' || so[3] == '\0') ? (size_t)(so - name) + 3 : 0;
}

const struct catalogue_row *catalogue_library(const char *name)
{
	size_t length = catalogue_stem_length(name);

	for (size_t i = 0; length && i < catalogue_count; i++) {
		const struct catalogue_row *row = &catalogue[i];

		if (row->kind == DRIVER_FILE_LIBRARY &&
		    catalogue_stem_length(row->name) == length &&
		    strncmp(row->name, name, length) == 0)
			return row;
	}
	return NULL;
}

bool catalogue_matches(const char *name)
{
	const struct catalogue_row *row;

	if (!string_starts(name, "lib"))
		return false;
	/* libnvidia-container is part of NVIDIA's toolkit, not of the driver. */
	if (strstr(name, "nvidia"))
		return !string_starts(name, "libnvidia-container");
	/*
	 * The driver's other names begin with "libn" or "libc" (shared ones don't count), most
	 * names in a cache don't.
	 */
	if (name[3] != 'n' && name[3] != 'c')
		return false;
	row = catalogue_library(name);
	return row && !row->shared;
}

bool catalogue_is_sign(const char *name)
{
	const struct catalogue_row *row;

	if (!string_starts(name, "libcuda.so") && !string_starts(name, "libnvidia-ml.so"))
		return false;
	row = catalogue_library(name);
	return row && row->essential;
}

bool catalogue_has_own_version(const char *name)
{
	if (string_starts(name, CATALOGUE_EGL_PLATFORM))
		return true;
	for (size_t i = 0; i < catalogue_count; i++)
		if (catalogue[i].kind == DRIVER_FILE_LIBRARY && !strchr(catalogue[i].name, '@') &&
		    catalogue_stem_length(catalogue[i].name) == catalogue_stem_length(name) &&
		    strncmp(catalogue[i].name, name, catalogue_stem_length(name)) == 0)
			return true;
	return false;
}

bool catalogue_is_shared(const char *name)
{
	const struct catalogue_row *row =
		name[3] == 'G' || name[3] == 'E' ? catalogue_library(name) : NULL;

	return row && row->shared;
}

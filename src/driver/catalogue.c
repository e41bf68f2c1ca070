// SPDX-License-Identifier: Apache-2.0
#include <string.h>

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
#define BIN(...) ROW(DRIVER_FILE_BINARY, __VA_ARGS__, .places = bin)
#define DATA(...) ROW(DRIVER_FILE_DATA, __VA_ARGS__)
#define FIRMWARE(...) \
	ROW(DRIVER_FILE_FIRMWARE, __VA_ARGS__, .places = firmware, .target = "/lib/firmware/nvidia/@")
#define SOCKET(...) ROW(DRIVER_FILE_SOCKET, __VA_ARGS__)
#define AT(place) .places = (place)
#define TO(directory) .target = (directory)
#define LINK(link_name, link_text) \
	.links = (const struct driver_link[]){{link_name, link_text}, {NULL, NULL}}
#define ESSENTIAL .essential = true
/* clang-format on */

static const char *const bin[] = {"bin", "/usr/bin", "/usr/sbin", "/usr/local/bin", NULL};
static const char *const firmware[] = {"firmware/nvidia/@", "/lib/firmware/nvidia/@", NULL};
static const char *const egl_vendor[] = {"share/glvnd/egl_vendor.d",
					 "/usr/share/glvnd/egl_vendor.d", "/etc/glvnd/egl_vendor.d",
					 NULL};
static const char *const egl_platform[] = {"share/egl/egl_external_platform.d",
					   "/usr/share/egl/egl_external_platform.d",
					   "/etc/egl/egl_external_platform.d", NULL};
static const char *const vulkan_icd[] = {"share/vulkan/icd.d", "/etc/vulkan/icd.d",
					 "/usr/share/vulkan/icd.d", NULL};
static const char *const vulkan_layer[] = {"share/vulkan/implicit_layer.d",
					   "/etc/vulkan/implicit_layer.d",
					   "/usr/share/vulkan/implicit_layer.d", NULL};
static const char *const opencl[] = {"etc/OpenCL/vendors", "/etc/OpenCL/vendors", NULL};
static const char *const share_nvidia[] = {"share/nvidia", "/usr/share/nvidia", NULL};
static const char *const xorg_conf[] = {"share/X11/xorg.conf.d", "/usr/share/X11/xorg.conf.d",
					"/etc/X11/xorg.conf.d", NULL};
/* Ubuntu's and Debian's packages keep both X modules in a directory of their own. */
#if defined(__x86_64__)
#define XORG_UBUNTU "/usr/lib/x86_64-linux-gnu/nvidia/xorg"
#else
#define XORG_UBUNTU "/usr/lib/aarch64-linux-gnu/nvidia/xorg"
#endif
#define XORG_DEBIAN "/usr/lib/nvidia/current"
static const char *const xorg_drivers[] = {"lib64/xorg/modules/drivers",
					   "lib/xorg/modules/drivers",
					   "/usr/lib/xorg/modules/drivers",
					   "/usr/lib64/xorg/modules/drivers",
					   XORG_UBUNTU,
					   XORG_DEBIAN,
					   NULL};
static const char *const xorg_extensions[] = {"lib64/xorg/modules/extensions",
					      "lib/xorg/modules/extensions",
					      "/usr/lib/xorg/modules/extensions",
					      "/usr/lib64/xorg/modules/extensions",
					      XORG_UBUNTU,
					      XORG_DEBIAN,
					      NULL};

static const char *const vdpau[] = {"vdpau", NULL};
static const char *const persistenced[] = {"/nvidia-persistenced", NULL};
static const char *const fabricmanager[] = {"/nvidia-fabricmanager", NULL};

#define XORG_DRIVERS "/usr/lib/xorg/modules/drivers"
#define XORG_EXTENSIONS "/usr/lib/xorg/modules/extensions"

/* clang-format off */
const struct catalogue_row catalogue[] = {
	LIB(CATALOGUE_LIBNVML,                 UTILITY,            ESSENTIAL),
	LIB("libnvidia-cfg.so.@",              UTILITY),
	LIB("libnvidia-nscq.so.@",             UTILITY),

	LIB(CATALOGUE_LIBCUDA,                 COMPUTE,            ESSENTIAL,
	    LINK("libcuda.so", "libcuda.so.1")),
	LIB("libcudadebugger.so.@",            COMPUTE),
	LIB("libnvidia-opencl.so.@",           COMPUTE),
	LIB("libnvidia-gpucomp.so.@",          COMPUTE | GRAPHICS), /* libnvidia-glcore needs it */
	LIB("libnvidia-ptxjitcompiler.so.@",   COMPUTE),
	LIB("libnvidia-fatbinaryloader.so.@",  COMPUTE),
	LIB("libnvidia-allocator.so.@",        COMPUTE | GRAPHICS), /* GBM's backend, too */
	LIB("libnvidia-compiler.so.@",         COMPUTE),
	LIB("libnvidia-pkcs11.so.@",           COMPUTE),
	LIB("libnvidia-pkcs11-openssl3.so.@",  COMPUTE),
	LIB("libnvidia-nvvm.so.@",             COMPUTE),
	LIB("libnvidia-nvvm70.so.4",           COMPUTE),
	LIB("libnvidia-tileiras.so.@",         COMPUTE),
	LIB("libnvidia-sandboxutils.so.@",     COMPUTE),

	LIB("libvdpau_nvidia.so.@",            VIDEO,              AT(vdpau)),
	LIB("libnvidia-encode.so.@",           VIDEO),
	LIB("libnvidia-opticalflow.so.@",      VIDEO,
	    LINK("libnvidia-opticalflow.so", "libnvidia-opticalflow.so.1")),
	LIB("libnvcuvid.so.@",                 VIDEO),

	LIB("libnvidia-eglcore.so.@",          GRAPHICS),
	LIB("libnvidia-glcore.so.@",           GRAPHICS),
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
	LIB("libnvidia-vulkan-producer.so.@",  GRAPHICS),
	LIB("libnvidia-egl-gbm.so.1",          GRAPHICS,
	    LINK("gbm/nvidia-drm_gbm.so", "../libnvidia-allocator.so.1")),
	LIB("libnvidia-egl-wayland.so.1",      GRAPHICS),
	LIB("libnvidia-egl-wayland2.so.1",     GRAPHICS),

	LIB("libnvidia-ngx.so.@",              NGX),

	BIN("nvidia-smi",                      UTILITY),
	BIN("nvidia-debugdump",                UTILITY),
	BIN("nvidia-persistenced",             UTILITY),
	BIN("nv-fabricmanager",                UTILITY),
	BIN("nvidia-cuda-mps-control",         COMPUTE),
	BIN("nvidia-cuda-mps-server",          COMPUTE),

	DATA("10_nvidia.json",                 GRAPHICS,           AT(egl_vendor)),
	DATA("15_nvidia_gbm.json",             GRAPHICS,           AT(egl_platform)),
	DATA("10_nvidia_wayland.json",         GRAPHICS,           AT(egl_platform)),
	DATA("09_nvidia_wayland2.json",        GRAPHICS,           AT(egl_platform)),
	DATA("nvidia_icd.json",                GRAPHICS,           AT(vulkan_icd)),
	DATA("nvidia_icd.x86_64.json",         GRAPHICS,           AT(vulkan_icd)),
	DATA("nvidia_icd.aarch64.json",        GRAPHICS,           AT(vulkan_icd)),
	DATA("nvidia_layers.json",             GRAPHICS,           AT(vulkan_layer)),
	DATA("nvidia.icd",                     GRAPHICS,           AT(opencl), TO("/etc/OpenCL/vendors")),
	DATA("nvoptix.bin",                    GRAPHICS,           AT(share_nvidia)),
	DATA("10-nvidia.conf",                 GRAPHICS,           AT(xorg_conf)),
	DATA("nvidia-drm-outputclass.conf",    GRAPHICS,           AT(xorg_conf)),
	DATA("nvidia_drv.so",                  GRAPHICS,           AT(xorg_drivers), TO(XORG_DRIVERS)),
	DATA("libglxserver_nvidia.so.@",       GRAPHICS,           AT(xorg_extensions), TO(XORG_EXTENSIONS),
	     LINK(XORG_EXTENSIONS "/libglxserver_nvidia.so", "libglxserver_nvidia.so.@")),

	/* Known names, so that no directory is read: by chip since 525, one for all before. */
	FIRMWARE("gsp_ga10x.bin",              ALWAYS),
	FIRMWARE("gsp_tu10x.bin",              ALWAYS),
	FIRMWARE("gsp_ad10x.bin",              ALWAYS),
	FIRMWARE("gsp.bin",                    ALWAYS),

	/* Places beneath config.driver.run. */
	SOCKET("socket",                       UTILITY,            AT(persistenced), TO("/run/nvidia-persistenced")),
	SOCKET("socket",                       UTILITY,            AT(fabricmanager), TO("/run/nvidia-fabricmanager")),
};
/* clang-format on */

const size_t catalogue_count = ARRAY_SIZE(catalogue);

const char *catalogue_expand(struct arena *arena, const char *text, const char *version)
{
	const char *at = strchr(text, '@');

	if (!at)
		return text;
	return arena_printf(arena, "%.*s%s%s", (int)(at - text), text, version, at + 1);
}

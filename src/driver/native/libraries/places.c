// SPDX-License-Identifier: Apache-2.0
/*
 * The directories of the driver's files by distribution, in the order in which they are searched.
 * docs/drivers.md shows the same as a table; tests/drivers/layouts has a file for each layout.
 */
#include "catalogue.h"

#if defined(__x86_64__)
#define MULTIARCH "/usr/lib/x86_64-linux-gnu"
#define MULTIARCH_32 "/usr/lib/i386-linux-gnu"
#elif defined(__aarch64__)
#define MULTIARCH "/usr/lib/aarch64-linux-gnu"
#define MULTIARCH_32 "/usr/lib/arm-linux-gnueabihf"
#else
#error "davit: unknown architecture: add its library directories"
#endif

/* clang-format off */
static const struct place places[] = {
	{PLACE_LIBRARIES, "/lib64"},                                            /* NVIDIA's driver container */
	{PLACE_LIBRARIES, "/lib"},                                              /* a driver root that is itself a prefix */
	{PLACE_LIBRARIES, "/usr/lib64"},                                        /* Fedora, RHEL, SUSE, Gentoo, Flatcar's sysext */
	{PLACE_LIBRARIES, MULTIARCH},                                           /* Debian, Ubuntu */
	{PLACE_LIBRARIES, "/usr/lib"},                                          /* Arch */
	{PLACE_LIBRARIES, "/usr/local/nvidia/lib64"},                           /* GKE's pods, hosts with a prefix */
	{PLACE_LIBRARIES, MULTIARCH "/nvidia/current"},                         /* Debian without its alternatives */
	{PLACE_LIBRARIES, "/run/opengl-driver/lib"},                            /* NixOS */
	{PLACE_LIBRARIES, "/run/current-system/profile/lib"},                   /* Guix System */
	{PLACE_LIBRARIES, "/usr/local/glibc/usr/lib64"},                        /* Talos: a separate root for glibc */
	{PLACE_LIBRARIES, "/usr/local/glibc/usr/lib"},                          /* Talos */
	{PLACE_LIBRARIES, "/usr/local/lib"},                                    /* Talos, current extension */
	{PLACE_LIBRARIES, "/glibc/usr/lib64"},                                  /* Talos with driver.root /usr/local */
	{PLACE_LIBRARIES, "/glibc/usr/lib"},                                    /* Talos with driver.root /usr/local */
	{PLACE_LIBRARIES, "/usr/lib64/nvidia"},                                 /* Fedora's packages before GLVND */
	{PLACE_LIBRARIES, "/usr/lib/nvidia/tesla"},                             /* Bottlerocket */
	{PLACE_LIBRARIES, "/usr/libexec/nvidia/tesla/lib"},                     /* Bottlerocket */
	{PLACE_LIBRARIES, "/home/kubernetes/bin/nvidia/lib64"},                 /* GKE's COS */
	{PLACE_LIBRARIES, "/opt/nvidia/lib64"},                                 /* an installer's prefix */
	{PLACE_LIBRARIES, "/opt/nvidia/lib"},                                   /* Clear Linux */
	{PLACE_LIBRARIES, "/opt/nvidia/current/lib64"},                         /* Flatcar, before its sysext */
	{PLACE_LIBRARIES, "/opt/nvidia/current/lib"},                           /* Flatcar, before its sysext */

	{PLACE_LIBRARIES_32, "/lib32"},
	{PLACE_LIBRARIES_32, "/usr/lib32"},                                     /* Arch */
	{PLACE_LIBRARIES_32, MULTIARCH_32},                                     /* Debian, Ubuntu */
	{PLACE_LIBRARIES_32, "/lib"},
	{PLACE_LIBRARIES_32, "/usr/lib"},                                       /* Fedora, RHEL, SUSE */
	{PLACE_LIBRARIES_32, "/usr/local/nvidia/lib32"},
	{PLACE_LIBRARIES_32, "/opt/nvidia/lib32"},                              /* Clear Linux */
	{PLACE_LIBRARIES_32, MULTIARCH_32 "/nvidia/current"},                   /* Debian without its alternatives */
	{PLACE_LIBRARIES_32, "/run/opengl-driver-32/lib"},                      /* NixOS */
	{PLACE_LIBRARIES_32, "/usr/lib/nvidia"},                                /* Fedora's packages before GLVND */

	{PLACE_VDPAU, "vdpau"},
	{PLACE_VDPAU, MULTIARCH "/vdpau"},                                      /* Debian, Ubuntu */
	{PLACE_VDPAU, "/usr/lib64/vdpau"},                                      /* Fedora, RHEL, SUSE */
	{PLACE_VDPAU, "/usr/lib/vdpau"},                                        /* Arch; 32 bits elsewhere */
	{PLACE_VDPAU, "/usr/lib32/vdpau"},                                      /* Arch, 32 bits */
	{PLACE_VDPAU, MULTIARCH_32 "/vdpau"},                                   /* Debian, Ubuntu, 32 bits */

	{PLACE_PROGRAMS, "bin"},
	{PLACE_PROGRAMS, "/usr/bin"},
	{PLACE_PROGRAMS, "/bin"},                                                /* Talos with driver.root /usr/local */
	{PLACE_PROGRAMS, "/usr/sbin"},
	{PLACE_PROGRAMS, "/usr/local/bin"},                                     /* Talos */
	{PLACE_PROGRAMS, "/run/current-system/sw/bin"},                         /* NixOS */
	{PLACE_PROGRAMS, "/run/current-system/profile/bin"},                    /* Guix System */
	{PLACE_PROGRAMS, "/usr/libexec/nvidia/tesla/bin"},                      /* Bottlerocket */
	{PLACE_PROGRAMS, "/usr/local/nvidia/bin"},
	{PLACE_PROGRAMS, "/home/kubernetes/bin/nvidia/bin"},                    /* GKE's COS */
	{PLACE_PROGRAMS, "/opt/nvidia/bin"},
	{PLACE_PROGRAMS, "/opt/nvidia/current/bin"},                            /* Flatcar, before its sysext */
	{PLACE_PROGRAMS, "/opt/bin"},                                           /* Flatcar, before its sysext */
	{PLACE_PROGRAMS_RARE, "bin"},
	{PLACE_PROGRAMS_RARE, "/usr/bin"},

	{PLACE_FIRMWARE, KERNEL_FIRMWARE "/updates/%/nvidia/@"},                /* these four in the kernel's order */
	{PLACE_FIRMWARE, KERNEL_FIRMWARE "/updates/nvidia/@"},
	{PLACE_FIRMWARE, KERNEL_FIRMWARE "/%/nvidia/@"},
	{PLACE_FIRMWARE, KERNEL_FIRMWARE "/nvidia/@"},
	{PLACE_FIRMWARE, "firmware/nvidia/@"},
	{PLACE_FIRMWARE, "/usr/lib/firmware/updates/nvidia/@"},                 /* a driver root without /lib */
	{PLACE_FIRMWARE, "/usr/lib/firmware/nvidia/@"},
	{PLACE_FIRMWARE, "/run/current-system/firmware/nvidia/@"},              /* NixOS */
	{PLACE_FIRMWARE, "/usr/local/lib/firmware/nvidia/@"},                   /* Talos */

	{PLACE_EGL_VENDOR, "share/glvnd/egl_vendor.d"},
	{PLACE_EGL_VENDOR, "/usr/share/glvnd/egl_vendor.d"},
	{PLACE_EGL_VENDOR, "/etc/glvnd/egl_vendor.d"},
	{PLACE_EGL_PLATFORM, "share/egl/egl_external_platform.d"},
	{PLACE_EGL_PLATFORM, "/usr/share/egl/egl_external_platform.d"},
	{PLACE_EGL_PLATFORM, "/etc/egl/egl_external_platform.d"},
	{PLACE_VULKAN_ICD, "share/vulkan/icd.d"},
	{PLACE_VULKAN_ICD, "/etc/vulkan/icd.d"},
	{PLACE_VULKAN_ICD, "/usr/share/vulkan/icd.d"},
	{PLACE_VULKAN_ICD, "vulkan/icd.d"},                                     /* GKE's COS beneath the host's root */
	{PLACE_VULKAN_ICD, "/vulkan/icd.d"},                                    /* GKE's COS as driver.root */
	{PLACE_VULKAN_LAYER, "share/vulkan/implicit_layer.d"},
	{PLACE_VULKAN_LAYER, "/etc/vulkan/implicit_layer.d"},
	{PLACE_VULKAN_LAYER, "/usr/share/vulkan/implicit_layer.d"},
	{PLACE_VULKAN_LAYER, "vulkan/implicit_layer.d"},                        /* GKE's COS */
	{PLACE_VULKAN_LAYER, "/vulkan/implicit_layer.d"},                       /* GKE's COS */
	{PLACE_VULKANSC_ICD, "share/vulkansc/icd.d"},
	{PLACE_VULKANSC_ICD, "/etc/vulkansc/icd.d"},
	{PLACE_VULKANSC_ICD, "/usr/share/vulkansc/icd.d"},
	{PLACE_OPENCL, "etc/OpenCL/vendors"},
	{PLACE_OPENCL, "/etc/OpenCL/vendors"},
	{PLACE_OPENCL, "/run/opengl-driver/etc/OpenCL/vendors"},                /* NixOS */
	{PLACE_SHARE, "share/nvidia"},
	{PLACE_SHARE, "/usr/share/nvidia"},
	{PLACE_XORG_CONF, "share/X11/xorg.conf.d"},
	{PLACE_XORG_CONF, "/usr/share/X11/xorg.conf.d"},
	{PLACE_XORG_CONF, "/etc/X11/xorg.conf.d"},

	{PLACE_XORG_DRIVERS, "lib64/xorg/modules/drivers"},
	{PLACE_XORG_DRIVERS, "lib/xorg/modules/drivers"},
	{PLACE_XORG_DRIVERS, "/usr/lib/xorg/modules/drivers"},                  /* Debian, Arch */
	{PLACE_XORG_DRIVERS, "/usr/lib64/xorg/modules/drivers"},                /* Fedora, RHEL */
	{PLACE_XORG_DRIVERS, "lib/nvidia/+"},                                   /* Debian's alternatives */
	{PLACE_XORG_DRIVERS, MULTIARCH "/nvidia/xorg"},                         /* Ubuntu */
	{PLACE_XORG_DRIVERS, "/usr/lib/nvidia/xorg"},                           /* Arch */
	{PLACE_XORG_DRIVERS, "/usr/lib64/nvidia/xorg"},                         /* RPM Fusion */
	{PLACE_XORG_DRIVERS, "/usr/lib64/xorg/modules/updates/drivers"},        /* SUSE */
	{PLACE_XORG_DRIVERS, "./xorg"},                                         /* Ubuntu before GLVND, Mageia */
	{PLACE_XORG_DRIVERS, "/usr/lib/nvidia/current"},                        /* Debian without its alternatives */
	{PLACE_XORG_EXTENSIONS, "lib64/xorg/modules/extensions"},
	{PLACE_XORG_EXTENSIONS, "lib/xorg/modules/extensions"},
	{PLACE_XORG_EXTENSIONS, "/usr/lib/xorg/modules/extensions"},
	{PLACE_XORG_EXTENSIONS, "/usr/lib64/xorg/modules/extensions"},          /* Fedora, RHEL */
	{PLACE_XORG_EXTENSIONS, "lib/nvidia/+"},                                /* Debian's alternatives */
	{PLACE_XORG_EXTENSIONS, MULTIARCH "/nvidia/xorg"},                      /* Ubuntu */
	{PLACE_XORG_EXTENSIONS, "/usr/lib/nvidia/xorg"},                        /* Arch */
	{PLACE_XORG_EXTENSIONS, "/usr/lib64/nvidia/xorg"},                      /* RPM Fusion */
	{PLACE_XORG_EXTENSIONS, "/usr/lib64/xorg/modules/updates/extensions"},  /* SUSE */
	{PLACE_XORG_EXTENSIONS, "/usr/lib64/xorg/modules/extensions/nvidia"},   /* SUSE's older packages */
	{PLACE_XORG_EXTENSIONS, "./xorg"},                                      /* Ubuntu before GLVND, Mageia */
	{PLACE_XORG_EXTENSIONS, "/usr/lib/nvidia/current"},                     /* Debian without its alternatives */

	{PLACE_PERSISTENCED, "/nvidia-persistenced"},
	{PLACE_FABRICMANAGER, "/nvidia-fabricmanager"},
};
/* clang-format on */

static const struct {
	enum place_kind kind;
	const char *target;
} targets[] = {
	{PLACE_FIRMWARE, KERNEL_FIRMWARE "/nvidia/@"},
	{PLACE_EGL_VENDOR, "/usr/share/glvnd/egl_vendor.d"},
	{PLACE_EGL_PLATFORM, "/usr/share/egl/egl_external_platform.d"},
	{PLACE_VULKAN_ICD, "/usr/share/vulkan/icd.d"},
	{PLACE_VULKAN_LAYER, "/usr/share/vulkan/implicit_layer.d"},
	{PLACE_VULKANSC_ICD, "/usr/share/vulkansc/icd.d"},
	{PLACE_OPENCL, "/etc/OpenCL/vendors"},
	{PLACE_SHARE, "/usr/share/nvidia"},
	{PLACE_XORG_CONF, "/usr/share/X11/xorg.conf.d"},
	{PLACE_XORG_DRIVERS, "/usr/lib/xorg/modules/drivers"},
	{PLACE_XORG_EXTENSIONS, "/usr/lib/xorg/modules/extensions"},
	{PLACE_PERSISTENCED, "/run/nvidia-persistenced"},
	{PLACE_FABRICMANAGER, "/run/nvidia-fabricmanager"},
};

const char *place_target(const struct place *place)
{
	/* Files in the host's /etc have the same path in the container. */
	for (size_t i = 0; !string_starts(place->path, "/etc/") && i < ARRAY_SIZE(targets); i++)
		if (targets[i].kind == place->kind)
			return targets[i].target;
	return place->path;
}

const struct place *place_next(enum place_kind kind, const struct place *last)
{
	for (const struct place *place = last ? last + 1 : places;
	     place < places + ARRAY_SIZE(places); place++)
		if (place->kind == kind)
			return place;
	return NULL;
}

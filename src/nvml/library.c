// SPDX-License-Identifier: Apache-2.0
#include <dlfcn.h>
#include <string.h>

#include "nvml.h"

/* Newer names first: in a new library, an old name may have an older layout. */
#define SYMBOL(member, ...)                    \
	{                                      \
		offsetof(struct nvml, member), \
		{                              \
			__VA_ARGS__            \
		}                              \
	}
static const struct {
	size_t offset;
	const char *names[3];
} symbols[] = {
	SYMBOL(init_with_flags, "nvmlInitWithFlags"),
	SYMBOL(init, "nvmlInit_v2", "nvmlInit"),
	SYMBOL(error_string, "nvmlErrorString"),
	SYMBOL(driver_version, "nvmlSystemGetDriverVersion"),
	SYMBOL(cuda_version, "nvmlSystemGetCudaDriverVersion_v2", "nvmlSystemGetCudaDriverVersion"),
	SYMBOL(device_count, "nvmlDeviceGetCount_v2", "nvmlDeviceGetCount"),
	SYMBOL(device_by_index, "nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetHandleByIndex"),
	SYMBOL(device_uuid, "nvmlDeviceGetUUID"),
	SYMBOL(device_name, "nvmlDeviceGetName"),
	SYMBOL(device_minor, "nvmlDeviceGetMinorNumber"),
	SYMBOL(device_pci_info, "nvmlDeviceGetPciInfo_v3", "nvmlDeviceGetPciInfo_v2",
	       "nvmlDeviceGetPciInfo"),
	SYMBOL(device_brand, "nvmlDeviceGetBrand"),
	SYMBOL(device_capability, "nvmlDeviceGetCudaComputeCapability"),
	SYMBOL(device_mig_mode, "nvmlDeviceGetMigMode"),
	SYMBOL(device_mig_max, "nvmlDeviceGetMaxMigDeviceCount"),
	SYMBOL(device_mig_by_index, "nvmlDeviceGetMigDeviceHandleByIndex"),
	SYMBOL(gpu_instance_id, "nvmlDeviceGetGpuInstanceId"),
	SYMBOL(compute_instance_id, "nvmlDeviceGetComputeInstanceId"),
};

static void find_symbols(void *library, struct nvml *nvml)
{
	for (size_t i = 0; i < ARRAY_SIZE(symbols); i++) {
		void *symbol = NULL;

		for (size_t j = 0; !symbol && j < ARRAY_SIZE(symbols[i].names); j++)
			if (symbols[i].names[j])
				symbol = dlsym(library, symbols[i].names[j]);
		/* POSIX allows this conversion to a function pointer. ISO C doesn't. */
		memcpy((char *)nvml + symbols[i].offset, &symbol, sizeof(symbol));
	}
}

int library_open(const char *path, const char *before, struct nvml *ret, struct error *err)
{
	void *first = before ? dlopen(before, RTLD_NOW | RTLD_GLOBAL) : NULL;
	void *library = before && !first ? NULL : dlopen(path, RTLD_NOW | RTLD_LOCAL);
	int result;

	if (!library) {
		const char *cause = dlerror(); // NOLINT(concurrency-mt-unsafe)

		return error_set(err, ERROR_NO_DRIVER, ENOENT, NULL, "load the library: %s",
				 cause ? cause : path);
	}
	find_symbols(library, ret);
	result = NVML_CALL(ret->init_with_flags, NVML_INIT_FLAG_NO_GPUS);
	if (result == NVML_FUNCTION_NOT_FOUND)
		result = NVML_CALL(ret->init);
	if (result == NVML_SUCCESS)
		return 0;
	return error_set(err, ERROR_NO_DRIVER, ENODEV, NULL, "initialize NVML: %s (%d)",
			 ret->error_string ? ret->error_string(result) : "error", result);
}

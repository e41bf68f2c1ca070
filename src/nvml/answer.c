// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "nvml.h"

/* NVML's buffers for a version and a UUID have 80 and 96 bytes. */
#define TEXT_SIZE 128
/* Higher numbers can't be right, and would fill the pipe. */
#define GPUS_MAX 512
#define INSTANCES_MAX 64

/* The values of nvmlBrandType_t, named as in NVIDIA_REQUIRE_*: in lower case, without blanks. */
static const char *const brands[] = {
	"unknown",   "quadro",    "tesla",  "nvs",        "grid",     "geforce",
	"titan",     "vapps",     "vpc",    "vcs",        "vws",      "cloudgaming",
	"quadrortx", "nvidiartx", "nvidia", "geforcertx", "titanrtx",
};

static void print_text(const char *key, int result, char text[static TEXT_SIZE])
{
	text[TEXT_SIZE - 1] = '\0';
	if (result != NVML_SUCCESS) {
		(void)printf("\"%s\":null", key);
		return;
	}
	string_printable(text);
	for (char *at = text; *at; at++)
		if (*at == '"' || *at == '\\')
			*at = '?';
	(void)printf("\"%s\":\"%s\"", key, text);
}

static void print_uuid(const struct nvml *nvml, nvml_device device)
{
	char uuid[TEXT_SIZE] = "";

	print_text("uuid", NVML_CALL(nvml->device_uuid, device, uuid, sizeof(uuid)), uuid);
}

static void print_number(const char *key, int result, unsigned number)
{
	if (result == NVML_SUCCESS)
		(void)printf(",\"%s\":%u", key, number);
	else
		(void)printf(",\"%s\":null", key);
}

static void print_instance(const struct nvml *nvml, nvml_device mig, const char *separator)
{
	unsigned id = 0;
	int result;

	(void)printf("%s{", separator);
	print_uuid(nvml, mig);
	result = NVML_CALL(nvml->gpu_instance_id, mig, &id);
	print_number("gpu_instance", result, id);
	result = NVML_CALL(nvml->compute_instance_id, mig, &id);
	print_number("compute_instance", result, id);
	(void)printf("}");
}

static void print_mig(const struct nvml *nvml, nvml_device device)
{
	unsigned current = 0, pending = 0, max = 0;
	const char *separator = "";
	bool enabled =
		NVML_CALL(nvml->device_mig_mode, device, &current, &pending) == NVML_SUCCESS &&
		current == 1;

	(void)printf(",\"mig\":%s,\"instances\":[", enabled ? "true" : "false");
	if (!enabled || NVML_CALL(nvml->device_mig_max, device, &max) != NVML_SUCCESS)
		max = 0;
	for (unsigned i = 0; i < max && i < INSTANCES_MAX; i++) {
		nvml_device mig = NULL;

		if (NVML_CALL(nvml->device_mig_by_index, device, i, &mig) != NVML_SUCCESS)
			continue;
		print_instance(nvml, mig, separator);
		separator = ",";
	}
	(void)printf("]");
}

static void print_kind(const struct nvml *nvml, nvml_device device)
{
	unsigned brand = 0;
	int major = 0, minor = 0;

	if (NVML_CALL(nvml->device_brand, device, &brand) != NVML_SUCCESS)
		(void)printf(",\"brand\":null");
	else
		(void)printf(",\"brand\":\"%s\"", brands[brand < ARRAY_SIZE(brands) ? brand : 0]);
	if (NVML_CALL(nvml->device_capability, device, &major, &minor) != NVML_SUCCESS)
		(void)printf(",\"arch\":null");
	else
		(void)printf(",\"arch\":\"%d.%d\"", major, minor);
}

/* Tegra's own GPU isn't on a PCI bus. */
static void print_place(const struct nvml *nvml, nvml_device device)
{
	struct nvml_pci_info pci = {0};

	if (NVML_CALL(nvml->device_pci_info, device, &pci) != NVML_SUCCESS)
		(void)printf(",\"bus_id\":null");
	else
		(void)printf(",\"bus_id\":\"%08x:%02x:%02x.0\"", pci.domain, pci.bus, pci.device);
}

static void print_gpu(const struct nvml *nvml, unsigned index, nvml_device device)
{
	char name[TEXT_SIZE] = "";
	unsigned minor = 0;
	int result = NVML_CALL(nvml->device_minor, device, &minor);

	(void)printf("{\"index\":%u", index);
	print_place(nvml, device);
	print_number("minor", result, minor);
	(void)printf(",");
	print_text("name", NVML_CALL(nvml->device_name, device, name, sizeof(name)), name);
	(void)printf(",");
	print_uuid(nvml, device);
	print_kind(nvml, device);
	print_mig(nvml, device);
	(void)printf("}");
}

static void print_versions(const struct nvml *nvml)
{
	char driver[TEXT_SIZE] = "", text[TEXT_SIZE] = "";
	int cuda = 0, result = NVML_CALL(nvml->driver_version, driver, sizeof(driver));

	print_text("driver", result, driver);
	(void)printf(",");
	result = NVML_CALL(nvml->cuda_version, &cuda);
	/* 13010 is 13.1. */
	(void)snprintf(text, sizeof(text), "%d.%d", cuda / 1000, cuda % 1000 / 10);
	print_text("cuda", result, text);
}

int answer_print(const struct nvml *nvml, struct error *err)
{
	const char *separator = "";
	unsigned count = 0;
	int result = NVML_CALL(nvml->device_count, &count);

	if (result != NVML_SUCCESS)
		return error_set(err, ERROR_NO_DRIVER, ENODEV, NULL, "count the GPUs: %s (%d)",
				 nvml->error_string ? nvml->error_string(result) : "error", result);
	(void)printf("{");
	print_versions(nvml);
	(void)printf(",\"gpus\":[");
	for (unsigned i = 0; i < count && i < GPUS_MAX; i++) {
		nvml_device device = NULL;

		if (NVML_CALL(nvml->device_by_index, i, &device) != NVML_SUCCESS)
			continue;
		(void)printf("%s", separator);
		print_gpu(nvml, i, device);
		separator = ",";
	}
	(void)printf("]}\n");
	if (fflush(stdout) != 0 || ferror(stdout))
		return error_errno(err, errno, "write the answer");
	return 0;
}

// SPDX-License-Identifier: Apache-2.0
/* Reads the low-level runtime's description of itself (runtime-spec, features.md). */
#include <fcntl.h>
#include <string.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "davit/json.h"
#include "davit/runtime.h"
#include "davit/sys.h"

#define RESCTRL_MOUNT "/sys/fs/resctrl"
#define RESCTRL_MAGIC 0x7655821 /* linux/magic.h: RDTGROUP_SUPER_MAGIC */
#define FEATURES_MAX ((size_t)256 * 1024)
#define FEATURES_MS 5000

bool runtime_features_have(const char *text, size_t length, const char *path)
{
	struct slice rest = slice_from(path), name;
	AUTO_JSON *features = NULL;
	struct json_object *value;
	struct error ignored = {0};

	if (json_parse(text, length, ERROR_SYSTEM, "features", &features, &ignored) < 0)
		return false;
	value = features;
	while (value && slice_next(&rest, '.', &name)) {
		char key[64];

		(void)snprintf(key, sizeof(key), "%.*s", (int)name.length, name.data);
		value = json_object_is_type(value, json_type_object)
				? json_object_object_get(value, key)
				: NULL;
	}
	return json_object_is_type(value, json_type_boolean) && json_object_get_boolean(value);
}

static int ask(const char *runtime, struct arena *arena, struct spawn_result *ret,
	       struct error *err)
{
	const char *const arguments[] = {runtime, "features", NULL};
	AUTO_FD program = open(runtime, O_PATH | O_CLOEXEC);
	const struct spawn spawn = {.program = program,
				    .arguments = arguments,
				    .timeout_ms = FEATURES_MS,
				    .output_max = FEATURES_MAX};
	int r = program < 0 ? -errno : spawn_run(&spawn, arena, ret);

	return r < 0 ? error_errno(err, -r, "run %s features", runtime) : 0;
}

/* Without it, crun 1.8 ignores the request and starts the container, and so may runc. */
static int check_resctrl(struct error *err)
{
	struct statfs fs;

	if (statfs(RESCTRL_MOUNT, &fs) == 0 && fs.f_type == RESCTRL_MAGIC)
		return 0;
	return error_set(
		err, ERROR_BAD_REQUEST, ENOTSUP,
		"mount -t resctrl resctrl " RESCTRL_MOUNT ", if the processor has RDT",
		"apply a CDI spec: it sets intelRdt, and no resctrl is mounted on " RESCTRL_MOUNT);
}

int runtime_check_features(const char *runtime, const struct cdi_edits *edits, struct arena *arena,
			   struct error *err)
{
	const struct {
		bool wanted;
		const char *path, *what;
	} needs[] = {
		{edits->net_devices.count > 0, "linux.netDevices.enabled", "network interfaces"},
		{edits->rdt_schemata, "linux.intelRdt.schemata", "intelRdt.schemata"},
		{edits->rdt_monitoring, "linux.intelRdt.monitoring", "intelRdt.enableMonitoring"},
	};
	struct spawn_result said = {0};
	bool asked = false;

	if (edits->intel_rdt && check_resctrl(err) < 0)
		return -ENOTSUP;
	for (size_t i = 0; i < ARRAY_SIZE(needs); i++) {
		if (!needs[i].wanted)
			continue;
		if (!asked && ask(runtime, arena, &said, err) < 0)
			return -EINVAL;
		asked = true;
		if (!said.output || said.status != 0 ||
		    !runtime_features_have(said.output, said.output_length, needs[i].path))
			return error_set(
				err, ERROR_BAD_REQUEST, EINVAL,
				"use one that supports runtime-spec 1.3, such as runc 1.4 or crun 1.28",
				"apply a CDI spec: %.80s doesn't support %s (`%.80s features`)",
				runtime, needs[i].what, runtime);
	}
	return 0;
}

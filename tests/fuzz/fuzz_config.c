// SPDX-License-Identifier: Apache-2.0
/* Our configuration file. */
#include "davit/config.h"
#include "fuzz.h"

static void check_config(const struct config *config)
{
	const char *const paths[] = {config->driver.root, config->driver.proc, config->driver.dev,
				     config->driver.sys, config->driver.run};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		FUZZ_CHECK(paths[i][0] == '/');
	for (size_t i = 0; i < config->driver.search.count; i++)
		FUZZ_CHECK(config->driver.search.items[i][0] == '/');
	FUZZ_CHECK(!*config->log.file || config->log.file[0] == '/');
	FUZZ_CHECK(strings_contain(&config->policy.env_names, "NVIDIA_VISIBLE_DEVICES"));
	FUZZ_CHECK(config->policy.env <= ACCEPT_NEVER &&
		   config->policy.annotations <= ACCEPT_AS_ENV);
	FUZZ_CHECK((config->policy.features & ~(unsigned)FEATURE_ALL) == 0 &&
		   (config->policy.image_capabilities & ~(unsigned)CAPABILITY_ALL) == 0);
	FUZZ_CHECK((config->policy.capabilities & ~(unsigned)CAPABILITY_ALL) == 0);
	FUZZ_CHECK(config->runtime.candidates.count > 0 && *config->runtime.candidates.items[0]);
	FUZZ_CHECK(config->runtime.mode <= RUNTIME_MODE_HOOK);
	FUZZ_CHECK(config->runtime.mounts <= RUNTIME_MOUNTS_SPEC);
	FUZZ_CHECK(config->log.level <= LOG_LEVEL_DEBUG);
}

static int parse(const char *text, size_t length)
{
	AUTO_ARENA arena = {0};
	struct error err = FUZZ_ERROR;
	struct config config;
	int r = config_parse(text, length, "/etc/davit/config.json", &arena, &config, &err);

	if (r < 0) {
		fuzz_check_error(r, &err);
		FUZZ_CHECK(err.code == ERROR_BAD_CONFIG);
	} else {
		check_config(&config);
	}
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char comments[] = "// \"a\n/* b\" // */\n";
	char *text = malloc(sizeof(comments) + size);
	int r = parse((const char *)data, size);

	/* Comments in front change nothing. */
	FUZZ_CHECK(text);
	memcpy(text, comments, strlen(comments));
	memcpy(text + strlen(comments), data, size);
	FUZZ_CHECK(parse(text, strlen(comments) + size) == r);
	free(text);
	return 0;
}

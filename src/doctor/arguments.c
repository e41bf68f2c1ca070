// SPDX-License-Identifier: Apache-2.0
/* The arguments of running daemons. */
#include <string.h>

#include "davit/json_edit.h"
#include "doctor.h"

const char *doctor_option_of(const struct strings *arguments, const char *name)
{
	for (size_t i = 1; i < arguments->count; i++) {
		const char *word = arguments->items[i];

		if (!word || !string_starts(word, name))
			continue;
		word += strlen(name);
		if (*word == '=')
			return word + 1;
		if (!*word && i + 1 < arguments->count)
			return arguments->items[i + 1];
	}
	return NULL;
}

/* The key of daemon.json that this option of dockerd sets, too; NULL: none. */
static const char *key_of(const char *option)
{
	static const char *const keys[] = {
		"hosts",
		"default-runtime",
		"data-root",
		"exec-root",
		"log-driver",
		"log-level",
		"storage-driver",
		"debug",
		"iptables",
		"ip6tables",
		"bridge",
		"bip",
		"mtu",
		"pidfile",
		"group",
		"live-restore",
		"selinux-enabled",
		"userland-proxy",
		"containerd",
		"experimental",
		"default-cgroupns-mode",
		"cgroup-parent",
		"userns-remap",
	};
	size_t length = strcspn(option, "=");

	if (string_starts(option, "-H") || (length == 6 && string_starts(option, "--host")))
		return "hosts";
	for (size_t i = 0; string_starts(option, "--") && i < ARRAY_SIZE(keys); i++)
		if (strlen(keys[i]) == length - 2 && string_starts(option + 2, keys[i]))
			return keys[i];
	return NULL;
}

const char *doctor_find_doubled(const struct json_edit *edit, const struct strings *arguments)
{
	for (size_t i = 1; i < arguments->count; i++) {
		const char *key = key_of(arguments->items[i]);

		if (key && json_edit_get(edit, (const char *const[]){key, NULL}))
			return key;
	}
	return NULL;
}

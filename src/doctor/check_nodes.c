// SPDX-License-Identifier: Apache-2.0
#include <sys/sysmacros.h>

#include "doctor.h"

/* Only containers with graphics need it: driver.graphics tells. */
static bool is_optional(const struct doctor_node *node)
{
	return string_equal(node->node.name, "nvidia-modeset");
}

int check_nodes_present(const struct doctor_host *host, struct finding *ret)
{
	const struct doctor_nodes *nodes = &host->driver.nodes;
	char absent[700] = "";
	bool made = true;

	if (!check_has_numbers(host, ret))
		return 0;
	for (size_t i = 0; i < nodes->count; i++) {
		const struct doctor_node *node = &nodes->items[i];

		if (node->exists || node->node.major == 0 || node->node.access || is_optional(node))
			continue;
		finding_list(absent, sizeof(absent), "%s", node->node.name);
		made &= node->made;
	}
	if (!absent[0])
		return finding_set(ret, DOCTOR_OK, NULL, "all in %s", host->config.driver.dev);
	/* Nobody makes a node in a user namespace. */
	return finding_set(ret, made ? DOCTOR_WARN : DOCTOR_FAIL,
			   host->system.nested
				   ? "have the host's root give this system those nodes"
				   : "run `davit system prepare`, and enable davit-prepare.service",
			   "the kernel module is loaded, but missing in %s: %s%s",
			   host->config.driver.dev, absent,
			   made ? " (made when a container needs them)" : "");
}

int check_nodes_numbers(const struct doctor_host *host, struct finding *ret)
{
	const struct doctor_nodes *nodes = &host->driver.nodes;
	char wrong[700] = "";
	bool other = false;

	if (!check_has_numbers(host, ret))
		return 0;
	for (size_t i = 0; i < nodes->count; i++) {
		const struct doctor_node *node = &nodes->items[i];

		if (!node->exists || node->right)
			continue;
		other |= !S_ISCHR(node->st.st_mode);
		if (!S_ISCHR(node->st.st_mode))
			finding_list(wrong, sizeof(wrong), "%s is not a character device",
				     node->node.name);
		else if (node->node.major == 0)
			finding_list(wrong, sizeof(wrong),
				     "%s is %u:%u, but its module isn't "
				     "loaded",
				     node->node.name, major(node->st.st_rdev),
				     minor(node->st.st_rdev));
		else
			finding_list(wrong, sizeof(wrong), "%s is %u:%u, not %u:%u",
				     node->node.name, major(node->st.st_rdev),
				     minor(node->st.st_rdev), node->node.major, node->node.minor);
	}
	if (!wrong[0])
		return finding_set(ret, DOCTOR_OK, NULL, "as in %s/devices",
				   host->config.driver.proc);
	return finding_set(ret, DOCTOR_FAIL,
			   host->system.nested
				   ? "have the host's root give this system the right nodes"
			   : other ? "remove what is no device, then run `davit system prepare`"
				   : "run `davit system prepare`: it replaces what is left over "
				     "from an earlier boot",
			   "stale in %s: %s", host->config.driver.dev, wrong);
}

int check_nodes_modes(const struct doctor_host *host, struct finding *ret)
{
	const struct doctor_nodes *nodes = &host->driver.nodes;
	char narrow[700] = "";

	if (!check_has_numbers(host, ret))
		return 0;
	for (size_t i = 0; i < nodes->count; i++) {
		const struct doctor_node *node = &nodes->items[i];
		mode_t needed = node->node.access ? S_IROTH : S_IROTH | S_IWOTH;

		if (node->right && (node->st.st_mode & needed) != needed)
			finding_list(narrow, sizeof(narrow), "%s (mode %04o, group %u)",
				     node->node.name, (unsigned)(node->st.st_mode & 07777),
				     (unsigned)node->st.st_gid);
	}
	if (!narrow[0])
		return finding_set(ret, DOCTOR_OK, NULL, "everybody may open them");
	return finding_set(ret, DOCTOR_WARN,
			   "give containers that group (--group-add), or set NVreg_DeviceFileMode "
			   "of the module nvidia to 0666",
			   "only some users may open: %s; others in a container get "
			   "`Insufficient Permissions`",
			   narrow);
}

int check_nodes_links(const struct doctor_host *host, struct finding *ret)
{
	const struct doctor_nodes *nodes = &host->driver.nodes;
	char unlinked[700] = "";

	if (!check_has_numbers(host, ret))
		return 0;
	for (size_t i = 0; i < nodes->count; i++)
		if (nodes->items[i].right && !nodes->items[i].linked)
			finding_list(unlinked, sizeof(unlinked), "%u:%u (%s)",
				     nodes->items[i].node.major, nodes->items[i].node.minor,
				     nodes->items[i].node.name);
	if (!unlinked[0])
		return finding_set(ret, DOCTOR_OK, NULL, "each node has its link in %s/char",
				   host->config.driver.dev);
	return finding_set(
		ret, DOCTOR_WARN, "run `davit system create-dev-char-symlinks`",
		"no link in %s/char for %s: a runtime with the systemd cgroup driver may "
		"lose the device at a daemon-reload",
		host->config.driver.dev, unlinked);
}

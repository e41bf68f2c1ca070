// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <sys/sysmacros.h>

#include "doctor.h"

/* Only containers with graphics need this node, so driver.graphics checks it. */
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
		return finding_set(ret, DOCTOR_OK, NULL, "all exist in %s",
				   host->config.driver.dev);
	/* No program can create a node in a user namespace. */
	return finding_set(
		ret, made ? DOCTOR_WARN : DOCTOR_FAIL,
		host->system.nested
			? "ask the host's administrator to add those nodes to this system"
			: "run `davit system prepare`, and enable davit-prepare.service",
		"the kernel module is loaded, but these nodes are missing in %s: %s%s",
		host->config.driver.dev, absent,
		made ? " (davit creates them when a container needs them)" : "");
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
		return finding_set(ret, DOCTOR_OK, NULL, "the same as in %s/devices",
				   host->config.driver.proc);
	return finding_set(
		ret, DOCTOR_FAIL,
		host->system.nested
			? "ask the host's administrator to add the correct nodes to this system"
		: other ? "remove what is not a device node, then run `davit system prepare`"
			: "run `davit system prepare`, which replaces the nodes of an "
			  "earlier boot",
		"wrong nodes in %s: %s", host->config.driver.dev, wrong);
}

#define NAMED_MAX 10 /* a Tegra board has about 36 */

/* Ends a list that is too long to be shown in full. */
static void add_rest(char *list, size_t size, size_t count)
{
	if (count > NAMED_MAX)
		finding_list(list, size, "%zu more", count - NAMED_MAX);
}

static bool is_narrow(const struct doctor_node *node)
{
	mode_t needed = node->node.access ? S_IROTH : S_IROTH | S_IWOTH;

	return node->right && (node->st.st_mode & needed) != needed;
}

/* Whether no earlier node has the same group. */
static bool is_first_of_group(const struct doctor_nodes *nodes, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (is_narrow(&nodes->items[i]) &&
		    nodes->items[i].st.st_gid == nodes->items[index].st.st_gid)
			return false;
	return true;
}

/* For Tegra boards: by groups, because the boards have many such nodes by design. */
static int report_groups(const struct doctor_nodes *nodes, struct finding *ret)
{
	char list[700] = "", options[300] = "";
	size_t length = 0;

	for (size_t i = 0; i < nodes->count; i++) {
		gid_t group = nodes->items[i].st.st_gid;
		size_t count = 0;

		if (!is_narrow(&nodes->items[i]) || !is_first_of_group(nodes, i))
			continue;
		for (size_t j = i; j < nodes->count; j++)
			count += is_narrow(&nodes->items[j]) && nodes->items[j].st.st_gid == group;
		finding_list(list, sizeof(list), "%zu node%s (group %u: %s%s)", count,
			     count > 1 ? "s" : "", (unsigned)group, nodes->items[i].node.name,
			     count > 1 ? ", ..." : "");
		if (group && length < sizeof(options))
			length += (size_t)snprintf(options + length, sizeof(options) - length,
						   "%s--group-add %u", length ? " " : "",
						   (unsigned)group);
	}
	(void)finding_set(ret, DOCTOR_WARN, NULL,
			  "only root and a group can open some nodes: %s; in a "
			  "container, a process that isn't root needs these groups",
			  list);
	return finding_remedy(ret,
			      "with the hook (docker run --gpus), add %s; davit-runtime "
			      "and CDI add the groups themselves",
			      options[0] ? options : "--user root");
}

int check_nodes_modes(const struct doctor_host *host, struct finding *ret)
{
	const struct doctor_nodes *nodes = &host->driver.nodes;
	char narrow[700] = "";

	if (!check_has_numbers(host, ret))
		return 0;
	for (size_t i = 0; i < nodes->count; i++)
		if (is_narrow(&nodes->items[i]))
			finding_list(narrow, sizeof(narrow), "%s (mode %04o, group %u)",
				     nodes->items[i].node.name,
				     (unsigned)(nodes->items[i].st.st_mode & 07777),
				     (unsigned)nodes->items[i].st.st_gid);
	if (!narrow[0])
		return finding_set(ret, DOCTOR_OK, NULL, "every user can open them");
	if (host->driver.driver.platform != PLATFORM_NATIVE)
		return report_groups(nodes, ret);
	return finding_set(ret, DOCTOR_WARN,
			   "add that group to containers (--group-add), or set the nvidia module's "
			   "NVreg_DeviceFileMode to 0666",
			   "only some users can open %s; in a container, other users get "
			   "`Insufficient Permissions`",
			   narrow);
}

int check_nodes_links(const struct doctor_host *host, struct finding *ret)
{
	const struct doctor_nodes *nodes = &host->driver.nodes;
	char unlinked[700] = "";
	size_t count = 0;

	if (!check_has_numbers(host, ret))
		return 0;
	for (size_t i = 0; i < nodes->count; i++)
		if (nodes->items[i].right && !nodes->items[i].linked && count++ < NAMED_MAX)
			finding_list(unlinked, sizeof(unlinked), "%u:%u (%s)",
				     nodes->items[i].node.major, nodes->items[i].node.minor,
				     nodes->items[i].node.name);
	add_rest(unlinked, sizeof(unlinked), count);
	if (!unlinked[0])
		return finding_set(ret, DOCTOR_OK, NULL, "each node has a link in %s/char",
				   host->config.driver.dev);
	(void)finding_set(ret, DOCTOR_WARN, "run `davit system create-dev-char-symlinks`",
			  "no link in %s/char for %s: a runtime with the systemd cgroup driver may "
			  "lose the device at a daemon-reload",
			  host->config.driver.dev, unlinked);
	if (string_equal(host->config.driver.dev, "/dev"))
		return 0;
	return finding_remedy(ret,
			      "run `davit system create-dev-char-symlinks --dev-char-path %s/char`",
			      host->config.driver.dev);
}

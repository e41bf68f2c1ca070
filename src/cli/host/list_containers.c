// SPDX-License-Identifier: Apache-2.0
/*
 * Shows which running containers have which GPU, by the nodes in their /dev. This queries no engine
 * and stores nothing, so it is the same for all engines and always current. It changes nothing.
 * Paths in a container are resolved inside its root, and only files of /proc and the bundle's
 * config.json are read.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "davit/json.h"
#include "list.h"

#define PROCESSES_MAX 1000000
#define CGROUP_MAX ((size_t)64 * 1024)
#define ID_DIGITS 64 /* as all engines make them */

/* A node that identifies a GPU, with the host's numbers. */
struct gpu_node {
	const char *vendor; /* "nvidia" */
	unsigned index;
	const char *name; /* beneath /dev */
	dev_t number;
};
struct gpu_nodes {
	struct gpu_node *items;
	size_t count, capacity;
};

struct found {
	dev_t device; /* of its mount namespace */
	ino_t inode;
	pid_t pid;
	const char *id, *name; /* name may be NULL */
	struct json_object *gpus;
	const char *text; /* "nvidia 0, amd 3" */
};
struct founds {
	struct found *items;
	size_t count, capacity;
};

struct search {
	const struct gpu_nodes *nodes;
	struct root host;
	struct stat own_root, own_namespace;
	struct founds founds;
	size_t hidden; /* processes that this user may not inspect */
	struct arena *arena;
};

/* ---- the host's GPUs -------------------------------------------------------------------- */

static int add_node(struct gpu_nodes *nodes, const struct gpu_node *node, struct arena *arena)
{
	struct gpu_node *added = ARENA_PUSH(arena, nodes);

	if (!added)
		return -ENOMEM;
	*added = *node;
	return 0;
}

static bool is_shared(const struct gpus *gpus, const struct gpu *gpu, const char *name)
{
	for (size_t i = 0; i < gpus->count; i++)
		if (&gpus->items[i] != gpu && strings_contain(&gpus->items[i].nodes, name))
			return true;
	return false;
}

/*
 * Adds the nodes that distinguish a GPU from the others. If all GPUs share the same nodes (WSL2), a
 * container with these has all of them.
 */
static int add_gpu(const struct driver *driver, const struct gpu *gpu, struct arena *arena,
		   struct gpu_nodes *ret)
{
	size_t own = 0;
	int r = 0;

	for (size_t i = 0; i < gpu->nodes.count; i++)
		own += !is_shared(&driver->gpus, gpu, gpu->nodes.items[i]);
	for (size_t i = 0; r == 0 && i < driver->nodes.count; i++) {
		const struct device_node *node = &driver->nodes.items[i];

		if (strings_contain(&gpu->nodes, node->name) &&
		    (own == 0 || !is_shared(&driver->gpus, gpu, node->name)))
			r = add_node(ret,
				     &(struct gpu_node){"nvidia", gpu->index, node->name,
							makedev(node->major, node->minor)},
				     arena);
	}
	return r;
}

static int add_nvidia(const struct config *config, struct arena *arena, struct gpu_nodes *ret)
{
	struct driver_roots roots = DRIVER_ROOTS_INIT;
	struct driver_problems problems;
	struct driver driver = {0};
	struct error ignored;
	int r = driver_roots_open(config, &roots, &ignored);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	r = driver_examine(&roots, config, arena, &driver, &problems);
	if (r == 0 && driver.gpus_by_nvml)
		(void)driver_ask_nvml(&roots, config, &driver, arena, &ignored);
	for (size_t i = 0; r == 0 && i < driver.gpus.count; i++)
		r = add_gpu(&driver, &driver.gpus.items[i], arena, ret);
	driver_close(&driver);
	driver_roots_close(&roots);
	return r;
}

static int add_vendor_gpus(const struct config *config, const struct vendor *vendor,
			   struct arena *arena, struct gpu_nodes *ret)
{
	struct driver_roots roots = DRIVER_ROOTS_INIT;
	struct error ignored;
	struct choice all;
	int r = driver_roots_open_host(config, &roots, &ignored);

	if (r == 0)
		r = cli_choose_all(vendor, &roots, arena, &all, &ignored);
	if (r == 0)
		(void)accelerators_find_nodes(&all, &roots, arena, &ignored);
	for (size_t i = 0; r == 0 && i < all.count; i++) {
		const struct accelerator *one = all.items[i];

		for (size_t j = 0; r == 0 && j < one->nodes.count; j++) {
			const struct accelerator_node *node = &one->nodes.items[j];
			const struct gpu_node added = {vendor->name, one->index, node->name,
						       makedev(node->major, node->minor)};

			if (node->required)
				r = add_node(ret, &added, arena);
		}
	}
	driver_roots_close(&roots);
	return r == -ENOMEM ? r : 0;
}

static int find_nodes(const struct config *config, struct arena *arena, struct gpu_nodes *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && vendors[i]; i++)
		r = vendors[i]->table ? add_vendor_gpus(config, vendors[i], arena, ret)
				      : add_nvidia(config, arena, ret);
	return r;
}

/* ---- a container's name ----------------------------------------------------------------- */

/* The 64 hexadecimal digits in a cgroup's path, by which the engine knows the container. */
static const char *find_id(const char *cgroup, struct arena *arena)
{
	const char *found = NULL;

	for (const char *at = cgroup; *at;) {
		size_t digits = strspn(at, "0123456789abcdef");

		if (digits == ID_DIGITS)
			found = at; /* after a pod's id, the container's follows */
		at += digits ? digits : 1;
	}
	return found ? arena_strndup(arena, found, ID_DIGITS) : NULL;
}

static const char *annotation(struct json_object *annotations, const char *const *names)
{
	for (size_t i = 0; names[i]; i++) {
		struct json_object *value;

		if (json_object_object_get_ex(annotations, names[i], &value))
			return json_object_get_string(value);
	}
	return NULL;
}

/* "pod/container", as Kubernetes' engines write it into the bundle. */
static const char *name_in(struct json_object *config, struct arena *arena)
{
	static const char *const containers[] = {"io.kubernetes.cri.container-name",
						 "io.kubernetes.container.name", NULL};
	static const char *const pods[] = {"io.kubernetes.cri.sandbox-name",
					   "io.kubernetes.pod.name", NULL};
	struct json_object *annotations;
	const char *container, *pod;
	char *name;

	if (!json_object_object_get_ex(config, "annotations", &annotations) ||
	    !json_object_is_type(annotations, json_type_object))
		return NULL;
	container = annotation(annotations, containers);
	pod = annotation(annotations, pods);
	if (!container)
		return NULL;
	name = arena_printf(arena, "%s%s%s", pod ? pod : "", pod ? "/" : "", container);
	if (name)
		string_printable(name);
	return name;
}

static const char *find_name(struct search *s, const char *id)
{
	static const char *const bundles[] = {
		"run/containerd/io.containerd.runtime.v2.task/k8s.io/%s/config.json",
		"run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/%s/config.json",
		"var/run/containers/storage/overlay-containers/%s/userdata/config.json",
		"var/lib/containers/storage/overlay-containers/%s/userdata/config.json",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bundles); i++) {
		const char *percent = strchr(bundles[i], '%');
		const char *path = arena_printf(s->arena, "%.*s%s%s", (int)(percent - bundles[i]),
						bundles[i], id, percent + 2);
		AUTO_JSON *config = NULL;
		struct error ignored;
		size_t length;
		char *text;

		if (path &&
		    root_read(&s->host, path, OCI_CONFIG_MAX, s->arena, &text, &length) == 0 &&
		    json_parse(text, length, ERROR_BAD_BUNDLE, path, &config, &ignored) == 0)
			return name_in(config, s->arena);
	}
	return NULL;
}

/* ---- processes -------------------------------------------------------------------------- */

static bool is_seen(const struct search *s, const struct stat *namespace)
{
	for (size_t i = 0; i < s->founds.count; i++)
		if (s->founds.items[i].inode == namespace->st_ino &&
		    s->founds.items[i].device == namespace->st_dev)
			return true;
	return false;
}

/* Finds the GPUs whose nodes exist in that /dev, each once. */
static int inspect_dev(struct search *s, const struct root *root, struct found *found)
{
	const struct gpu_node *last = NULL;
	struct strings names = {0};

	found->gpus = json_object_new_array();
	for (size_t i = 0; i < s->nodes->count; i++) {
		const struct gpu_node *node = &s->nodes->items[i];
		const char *path = arena_printf(s->arena, "dev/%s", node->name);
		struct json_object *gpu;
		const char *name;
		struct stat st;

		if (!path)
			return -ENOMEM;
		/* The nodes of one GPU are adjacent. */
		if (last && last->vendor == node->vendor && last->index == node->index)
			continue;
		if (root_stat(root, path, AT_SYMLINK_NOFOLLOW, &st) < 0 || !S_ISCHR(st.st_mode) ||
		    st.st_rdev != node->number)
			continue;
		last = node;
		name = arena_printf(s->arena, "%s %u", node->vendor, node->index);
		if (!name || strings_add(s->arena, &names, name) < 0)
			return -ENOMEM;
		gpu = json_object_new_object();
		json_object_object_add(gpu, "vendor", json_object_new_string(node->vendor));
		json_object_object_add(gpu, "index", json_object_new_int((int)node->index));
		(void)json_object_array_add(found->gpus, gpu);
	}
	found->text = strings_join(s->arena, &names, ", ");
	return found->text ? 0 : -ENOMEM;
}

static int describe(struct search *s, pid_t pid, const struct root *root, struct found *found)
{
	char *cgroup = NULL;
	int r = inspect_dev(s, root, found);

	found->pid = pid;
	if (r < 0)
		return r;
	if (proc_read(pid, "cgroup", CGROUP_MAX, s->arena, &cgroup) == 0)
		found->id = find_id(cgroup, s->arena);
	if (found->id)
		found->name = find_name(s, found->id);
	return 0;
}

/*
 * A container has its own root directory. A systemd service may have its own mounts, but has the
 * host's root.
 */
static int inspect_process(struct search *s, pid_t pid)
{
	struct root root = {.fd = -1, .path = "/"};
	struct stat namespace, st;
	struct found *found;
	int r = proc_stat(pid, "ns/mnt", &namespace);

	if (r < 0) {
		s->hidden += r == -EACCES;
		return 0; /* it has ended, or this user may not inspect it */
	}
	if (is_seen(s, &namespace) || (namespace.st_ino == s->own_namespace.st_ino &&
				       namespace.st_dev == s->own_namespace.st_dev))
		return 0;
	if (proc_stat(pid, "root", &st) < 0 ||
	    (st.st_ino == s->own_root.st_ino && st.st_dev == s->own_root.st_dev))
		return 0;
	root.fd = proc_open(pid, "root", O_PATH | O_DIRECTORY);
	if (root.fd < 0)
		return 0;
	found = ARENA_PUSH(s->arena, &s->founds);
	if (found) {
		found->device = namespace.st_dev;
		found->inode = namespace.st_ino;
	}
	r = found ? describe(s, pid, &root, found) : -ENOMEM;
	root_close(&root);
	return r;
}

static int inspect_processes(struct search *s, struct error *err)
{
	struct root proc = {.fd = proc_fd(), .path = "/proc"};
	struct strings names = {0};
	int r = proc.fd < 0 ? proc.fd : root_list(&proc, ".", PROCESSES_MAX, s->arena, &names);

	if (r < 0)
		return error_errno(err, -r, "read /proc");
	r = proc_stat(0, "root", &s->own_root);
	if (r == 0)
		r = proc_stat(0, "ns/mnt", &s->own_namespace);
	if (r < 0)
		return error_errno(err, -r, "inspect /proc/self");
	for (size_t i = 0; r == 0 && i < names.count; i++) {
		uint64_t pid;

		if (parse_number(names.items[i], strlen(names.items[i]), 10, INT32_MAX, &pid) == 0)
			r = inspect_process(s, (pid_t)pid);
	}
	return r < 0 ? error_memory(err) : 0;
}

/* ---- printing --------------------------------------------------------------------------- */

static struct json_object *json_text(const char *text)
{
	return text ? json_object_new_string(text) : NULL;
}

static int print_json(const struct founds *founds)
{
	struct json_object *object = json_object_new_object(), *array = json_object_new_array();

	for (size_t i = 0; i < founds->count; i++) {
		const struct found *found = &founds->items[i];
		struct json_object *one;

		if (!*found->text)
			continue;
		one = json_object_new_object();
		json_object_object_add(one, "id", json_text(found->id));
		json_object_object_add(one, "name", json_text(found->name));
		json_object_object_add(one, "pid", json_object_new_int(found->pid));
		json_object_object_add(one, "gpus", json_object_get(found->gpus));
		(void)json_object_array_add(array, one);
	}
	json_object_object_add(object, "containers", array);
	return cli_print_json(object);
}

static int print_text(const struct founds *founds)
{
	size_t printed = 0;

	for (size_t i = 0; i < founds->count; i++) {
		const struct found *found = &founds->items[i];

		if (!*found->text)
			continue;
		(void)printf("%.12s  pid %d  %s  %s\n", found->id ? found->id : "-", found->pid,
			     found->name ? found->name : "-", found->text);
		printed++;
	}
	if (!printed)
		cli_note("no running container has a GPU");
	return fflush(stdout) != 0;
}

int list_containers(const struct config *config, bool json, struct arena *arena)
{
	struct gpu_nodes nodes = {0};
	struct search s = {.nodes = &nodes, .host = {.fd = -1}, .arena = arena};
	struct error err = {0};
	int code, r = find_nodes(config, arena, &nodes);

	if (r < 0)
		(void)error_memory(&err);
	if (r == 0)
		r = root_open("/", &s.host, &err);
	if (r == 0)
		r = inspect_processes(&s, &err);
	code = r < 0 ? cli_fail(&err) : json ? print_json(&s.founds) : print_text(&s.founds);
	if (r == 0 && s.hidden && geteuid() != 0)
		(void)fprintf(stderr,
			      "davit: cannot inspect the processes of other users: %zu (fix: "
			      "run davit as root)\n",
			      s.hidden);
	for (size_t i = 0; i < s.founds.count; i++)
		(void)json_object_put(s.founds.items[i].gpus);
	root_close(&s.host);
	return code;
}

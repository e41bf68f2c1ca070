// SPDX-License-Identifier: Apache-2.0
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "davit/oci.h"
#include "parts.h"

/* ---- reading ----------------------------------------------------------------------------- */

static int wrong_type(const char *where, const char *wanted, struct error *err)
{
	return error_set(err, ERROR_BAD_BUNDLE, EINVAL, NULL,
			 "read the bundle's config.json: %s is not %s", where, wanted);
}

static const char *name_of_type(enum json_type type)
{
	switch (type) {
	case json_type_array:
		return "an array";
	case json_type_object:
		return "an object";
	case json_type_boolean:
		return "a boolean";
	case json_type_int:
		return "a number";
	default:
		return "a string";
	}
}

/* The member; NULL if it is absent or null. -EINVAL if it has another type. */
static int get(struct json_object *object, const char *name, enum json_type type,
	       struct json_object **ret, struct error *err)
{
	char where[64];

	*ret = NULL;
	if (!object || !json_object_object_get_ex(object, name, ret) || !*ret)
		return 0;
	if (json_object_is_type(*ret, type))
		return 0;
	(void)snprintf(where, sizeof(where), "process: %.40s", name);
	return wrong_type(where, name_of_type(type), err);
}

static int read_strings(struct json_object *object, const char *name, struct arena *arena,
			struct strings *ret, struct error *err)
{
	struct json_object *list;
	int r = get(object, name, json_type_array, &list, err);

	for (size_t i = 0; r == 0 && list && i < json_object_array_length(list); i++) {
		struct json_object *item = json_object_array_get_idx(list, i);
		const char *text;

		if (!json_object_is_type(item, json_type_string))
			return wrong_type(name, "a list of strings", err);
		text = arena_strdup(arena, json_object_get_string(item));
		if (!text || strings_add(arena, ret, text) < 0)
			return error_memory(err);
	}
	return r;
}

static int read_number(struct json_object *object, const char *name, uint32_t *ret,
		       struct error *err)
{
	struct json_object *number;
	int r = get(object, name, json_type_int, &number, err);
	int64_t value = r == 0 && number ? json_object_get_int64(number) : *ret;

	if (r == 0 && (value < 0 || value >= UINT32_MAX))
		return wrong_type(name, "id", err);
	*ret = (uint32_t)value;
	return r;
}

static int read_user(struct json_object *process, struct arena *arena, struct try_process *ret,
		     struct error *err)
{
	struct json_object *user, *groups = NULL;
	int r = get(process, "user", json_type_object, &user, err);

	if (r == 0)
		r = read_number(user, "uid", &ret->uid, err);
	if (r == 0)
		r = read_number(user, "gid", &ret->gid, err);
	if (r == 0)
		r = read_number(user, "umask", &ret->umask, err);
	if (r == 0)
		r = get(user, "additionalGids", json_type_array, &groups, err);
	if (r < 0 || !groups)
		return r;
	ret->group_count = json_object_array_length(groups);
	ret->groups = arena_alloc(arena, (ret->group_count + 1) * sizeof(*ret->groups));
	if (!ret->groups)
		return error_memory(err);
	for (size_t i = 0; i < ret->group_count; i++)
		ret->groups[i] = (gid_t)json_object_get_int64(json_object_array_get_idx(groups, i));
	return 0;
}

static int read_capabilities(struct json_object *process, struct arena *arena,
			     struct try_process *ret, struct error *err)
{
	const struct {
		const char *name;
		uint64_t *place;
	} sets[] = {{"bounding", &ret->bounding},
		    {"permitted", &ret->permitted},
		    {"effective", &ret->effective},
		    {"inheritable", &ret->inheritable},
		    {"ambient", &ret->ambient}};
	struct json_object *capabilities;
	int r = get(process, "capabilities", json_type_object, &capabilities, err);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(sets); i++) {
		struct strings names = {0};

		r = read_strings(capabilities, sets[i].name, arena, &names, err);
		for (size_t j = 0; j < names.count; j++)
			*sets[i].place |=
				oci_capability_bit(names.items[j], strlen(names.items[j]));
	}
	return r;
}

int try_process_read(struct json_object *config, struct arena *arena, struct try_process *ret,
		     struct error *err)
{
	struct json_object *process = NULL, *value = NULL;
	int r;

	*ret = (struct try_process){.cwd = "/", .umask = 022};
	(void)json_object_object_get_ex(config, "process", &process);
	if (process && !json_object_is_type(process, json_type_object))
		return wrong_type("process", "an object", err);
	r = read_strings(process, "args", arena, &ret->args, err);
	if (r == 0)
		r = read_strings(process, "env", arena, &ret->env, err);
	if (r == 0)
		r = get(process, "cwd", json_type_string, &value, err);
	if (r == 0 && value && *json_object_get_string(value)) {
		ret->cwd = arena_strdup(arena, json_object_get_string(value));
		r = ret->cwd ? 0 : error_memory(err);
	}
	if (r == 0)
		r = get(process, "noNewPrivileges", json_type_boolean, &value, err);
	ret->no_new_privileges = r == 0 && value && json_object_get_boolean(value);
	if (r == 0)
		r = read_user(process, arena, ret, err);
	return r < 0 ? r : read_capabilities(process, arena, ret, err);
}

/* ---- becoming ---------------------------------------------------------------------------- */

void try_die(const struct error *err, int exit_code)
{
	char line[ERROR_LINE_MAX];

	error_line(err, line);
	(void)dprintf(STDERR_FILENO, "%s\n", line);
	_exit(exit_code);
}

static int set_capabilities(const struct try_process *process)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	for (unsigned i = 0; i < 2; i++)
		data[i] = (struct __user_cap_data_struct){
			.effective = (uint32_t)(process->effective >> 32 * i),
			.permitted = (uint32_t)(process->permitted >> 32 * i),
			.inheritable = (uint32_t)(process->inheritable >> 32 * i),
		};
	if (syscall(SYS_capset, &header, data) < 0)
		return -errno;
	for (unsigned long bit = 0; bit < 64; bit++)
		if (process->ambient >> bit & 1)
			(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, bit, 0, 0);
	return 0;
}

/* Limits the capabilities. This must precede setting the user, which drops the right to do it. */
static void bound_capabilities(struct try_process *process)
{
	for (unsigned long bit = 0; bit < 64; bit++) {
		int has = prctl(PR_CAPBSET_READ, bit, 0, 0, 0);

		if (has == 1 && !(process->bounding >> bit & 1))
			(void)prctl(PR_CAPBSET_DROP, bit, 0, 0, 0);
		/* The kernel doesn't know it, or the caller can't pass it on. */
		if (has != 1) {
			process->permitted &= ~(UINT64_C(1) << bit);
			process->inheritable &= ~(UINT64_C(1) << bit);
		}
	}
	process->effective &= process->permitted;
}

static int take_user(struct try_process *process, struct error *err)
{
	bound_capabilities(process);
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return error_errno(err, errno, "keep capabilities");
	/* In a user namespace of an ordinary user, groups can't be set. */
	if (setgroups(process->group_count, process->groups) < 0 &&
	    (process->group_count || !user_namespace_is_nested()))
		return error_errno(err, errno, "set the groups of process.user");
	if (setresgid(process->gid, process->gid, process->gid) < 0 ||
	    setresuid(process->uid, process->uid, process->uid) < 0)
		return error_errno(err, errno, "become user %u:%u", process->uid, process->gid);
	(void)umask(process->umask);
	if (set_capabilities(process) < 0)
		return error_errno(err, errno, "set process.capabilities");
	if (process->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_errno(err, errno, "set no new privileges");
	return 0;
}

/* execvpe(3) would search davit's own PATH. Returns only on failure: -errno. */
static int execute(const char *const *args, const char *const *env)
{
	struct slice rest =
		slice_from("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	struct slice directory;
	int r = -ENOENT;

	if (strchr(args[0], '/')) {
		(void)execve(args[0], (char *const *)args, (char *const *)env);
		return -errno;
	}
	for (size_t i = 0; env[i]; i++)
		if (string_starts(env[i], "PATH="))
			rest = slice_from(env[i] + strlen("PATH="));
	while (slice_next(&rest, ':', &directory)) {
		char path[4096];

		if (snprintf(path, sizeof(path), "%.*s/%s", (int)directory.length, directory.data,
			     args[0]) >= (int)sizeof(path))
			continue;
		(void)execve(path, (char *const *)args, (char *const *)env);
		if (errno != ENOENT && errno != ENOTDIR)
			r = -errno;
	}
	return r;
}

void try_process_become(const struct try_process *process, struct arena *arena)
{
	struct try_process copy = *process;
	struct error err = {0};
	int r;

	/* Both lists end with NULL for execve. */
	if (strings_add(arena, &copy.args, NULL) < 0 || strings_add(arena, &copy.env, NULL) < 0) {
		(void)error_memory(&err);
		try_die(&err, TRY_EXIT_FAILED);
	}
	if (take_user(&copy, &err) < 0)
		try_die(&err, TRY_EXIT_FAILED);
	if (chdir(copy.cwd) < 0) {
		error_set(&err, ERROR_BAD_BUNDLE, errno, "correct process.cwd in config.json",
			  "enter the directory %s of the container: %s", copy.cwd, strerror(errno));
		try_die(&err, TRY_EXIT_FAILED);
	}
	r = execute(copy.args.items, copy.env.items);
	error_set(&err, ERROR_BAD_BUNDLE, -r,
		  r == -ENOENT ? "name a program that exists in the image, or its full path"
			       : "name an executable program in the image",
		  "run %s in the container: %s", copy.args.items[0], strerror(-r));
	try_die(&err, r == -ENOENT ? TRY_EXIT_NOT_FOUND : TRY_EXIT_CANNOT_RUN);
}

// SPDX-License-Identifier: Apache-2.0
#include "davit/oci.h"
#include "member.h"

static int read_pid(struct json_object *root, bool need, pid_t *ret, struct error *err)
{
	struct json_object *number;
	int64_t pid;
	int r = member_get(root, "state", "pid", json_type_int, &number, err);

	if (r < 0)
		return r;
	pid = number ? json_object_get_int64(number) : 0;
	if (pid < (need ? 1 : 0) || pid > INT32_MAX)
		return error_set(
			err, ERROR_BAD_BUNDLE, EINVAL, "start davit-hook from an OCI runtime",
			"read the state: pid is %s", number ? "not a process id" : "missing");
	*ret = (pid_t)pid;
	return 0;
}

static int read_bundle(struct json_object *root, struct arena *arena, const char **ret,
		       struct error *err)
{
	int r = member_string(root, "state", "bundle", arena, ret, err);

	/* runc before 17.06 had a state of its own, with this name. */
	if (r == 0 && !**ret)
		r = member_string(root, "state", "bundlePath", arena, ret, err);
	if (r == 0 && **ret != '/')
		r = error_set(err, ERROR_BAD_BUNDLE, EINVAL, "start davit-hook from an OCI runtime",
			      "read the state: %s", **ret ? "bundle is relative" : "no bundle");
	return r;
}

int oci_state_parse(const char *text, size_t length, bool need_pid, struct arena *arena,
		    struct oci_state *ret, struct error *err)
{
	AUTO_JSON *root = NULL;
	int r;

	*ret = (struct oci_state){.id = "", .status = "", .bundle = ""};
	r = json_parse(text, length, ERROR_BAD_BUNDLE, "the state", &root, err);
	if (r == 0)
		r = member_string(root, "state", "id", arena, &ret->id, err);
	if (r == 0)
		r = member_string(root, "state", "status", arena, &ret->status, err);
	if (r == 0)
		r = read_bundle(root, arena, &ret->bundle, err);
	if (r == 0)
		r = read_pid(root, need_pid, &ret->pid, err);
	return r;
}

// SPDX-License-Identifier: Apache-2.0
#include "davit/oci.h"
#include "member.h"

enum { STATE_ID, STATE_STATUS, STATE_BUNDLE, STATE_BUNDLE_PATH, STATE_PID, STATE_ROOT };
static const struct names state_names = {
	{NAME("id"), NAME("status"), NAME("bundle"), NAME("bundlePath"), NAME("pid"), NAME("root")},
	6,
};

static int read_pid(struct reader *r, const struct object *state, bool need, pid_t *ret)
{
	const struct json_value *number;
	int64_t pid;
	int result = object_get(r, state, STATE_PID, JSON_INTEGER, &number);

	if (result < 0)
		return result;
	pid = number ? json_integer(&r->json, number) : 0;
	if (pid < (need ? 1 : 0) || pid > INT32_MAX)
		return error_set(r->err, ERROR_BAD_BUNDLE, EINVAL,
				 "let an OCI runtime start davit-hook", "read the state: pid is %s",
				 number ? "not a process id" : "missing");
	*ret = (pid_t)pid;
	return 0;
}

static int read_bundle(struct reader *r, const struct object *state, const char **ret)
{
	int result = object_string(r, state, STATE_BUNDLE, ret);

	/* runc before 17.06 had another format of the state, with this name. */
	if (result == 0 && !**ret)
		result = object_string(r, state, STATE_BUNDLE_PATH, ret);
	if (result == 0 && **ret != '/')
		result = error_set(r->err, ERROR_BAD_BUNDLE, EINVAL,
				   "let an OCI runtime start davit-hook", "read the state: %s",
				   **ret ? "bundle is a relative path" : "bundle is missing");
	return result;
}

bool oci_state_is_stopped(const struct oci_state *state)
{
	return string_equal(state->status, "stopped");
}

int oci_state_parse(const char *text, size_t length, bool need_pid, struct arena *arena,
		    struct oci_state *ret, struct error *err)
{
	struct reader reader = {.arena = arena, .err = err};
	struct object state;
	int r;

	*ret = (struct oci_state){.id = "", .status = "", .bundle = "", .root = ""};
	r = json_text_parse(text, length, ERROR_BAD_BUNDLE, "the state", arena, &reader.json, err);
	if (r == 0)
		r = object_read(&reader, reader.json.items, (struct place){.path = "state"},
				&state_names, &state);
	if (r == 0)
		r = object_string(&reader, &state, STATE_ID, &ret->id);
	if (r == 0)
		r = object_string(&reader, &state, STATE_STATUS, &ret->status);
	if (r == 0)
		r = read_bundle(&reader, &state, &ret->bundle);
	if (r == 0)
		r = object_string(&reader, &state, STATE_ROOT, &ret->root);
	/* A stopped container has no process. */
	if (r == 0)
		r = read_pid(&reader, &state, need_pid && !oci_state_is_stopped(ret), &ret->pid);
	return r;
}

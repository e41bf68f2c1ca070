// SPDX-License-Identifier: Apache-2.0
#include <string.h>
#include <strings.h>

#include "davit/bus_id.h"
#include "davit/json.h"
#include "nvml.h"

#define FIX "reinstall davit, so that davit-nvml and davit-hook have the same version"
#define TEXT_MAX 96
#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyz"
#define CAPITALS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
/* "MIG-GPU-<uuid>/1/0" was the name of an instance before driver 470. */
#define UUID_CHARACTERS DIGITS LETTERS CAPITALS "-/"
#define NAMES DIGITS LETTERS CAPITALS " ()/-_.+"
/* For hosts whose GPUs only NVML can list. */
#define GPUS_MAX 64

struct answer {
	struct driver *driver;
	struct arena *arena;
	struct error *err;
};

static int reject_answer(const struct answer *a, const char *what, const char *value)
{
	return error_set(a->err, ERROR_NO_DRIVER, EBADMSG, FIX,
			 "ask NVML: the answer is malformed: %s%s%.*s", what, value[0] ? " " : "",
			 TEXT_MAX, value);
}

/* A text of these characters; *ret is NULL if it is null or missing. */
static int read_text(const struct answer *a, struct json_object *object, const char *key,
		     const char *characters, const char **ret)
{
	struct json_object *value = json_object_object_get(object, key);
	size_t length;

	*ret = NULL;
	if (!value)
		return 0;
	if (!json_object_is_type(value, json_type_string))
		return reject_answer(a, key, "is not a string");
	length = (size_t)json_object_get_string_len(value);
	if (length == 0 || length > TEXT_MAX ||
	    strspn(json_object_get_string(value), characters) != length)
		return reject_answer(a, key, "has a wrong length or character");
	*ret = arena_strndup(a->arena, json_object_get_string(value), length);
	return *ret ? 0 : error_memory(a->err);
}

static int read_uuid(const struct answer *a, struct json_object *object, const char *prefix,
		     const char **ret)
{
	int r = read_text(a, object, "uuid", UUID_CHARACTERS, ret);

	return r == 0 && !(*ret && string_starts(*ret, prefix)) ? reject_answer(a, "uuid", "") : r;
}

static int read_number(const struct answer *a, struct json_object *object, const char *key,
		       unsigned *ret)
{
	struct json_object *value = json_object_object_get(object, key);
	int64_t number;

	if (!json_object_is_type(value, json_type_int))
		return reject_answer(a, key, "is not a number");
	number = json_object_get_int64(value);
	if (number < 0 || number > UINT16_MAX)
		return reject_answer(a, key, "is out of range");
	*ret = (unsigned)number;
	return 0;
}

/* NULL: failed, err is filled. */
static struct json_object *read_array(const struct answer *a, struct json_object *object,
				      const char *key, size_t max)
{
	struct json_object *list = json_object_object_get(object, key);

	if (json_object_is_type(list, json_type_array) && json_object_array_length(list) <= max)
		return list;
	(void)reject_answer(a, key,
			    json_object_is_type(list, json_type_array) ? "has too many items"
								       : "is not a list");
	return NULL;
}

/* ---- MIG instances ---------------------------------------------------------------------- */

/*
 * Finds the instance in /proc that the object describes, and copies it to its place in NVML's
 * order.
 */
static int take_instance(const struct answer *a, struct json_object *object, struct gpu *gpu,
			 bool *taken, struct mig_instance *ret)
{
	unsigned gpu_instance = 0, compute_instance = 0;
	const char *uuid;
	int r = read_uuid(a, object, "MIG-", &uuid);

	if (r == 0)
		r = read_number(a, object, "gpu_instance", &gpu_instance);
	if (r == 0)
		r = read_number(a, object, "compute_instance", &compute_instance);
	if (r < 0)
		return r;
	for (size_t i = 0; i < gpu->mig.count; i++) {
		struct mig_instance *mig = &gpu->mig.items[i];

		if (mig->gpu_instance != gpu_instance || mig->compute_instance != compute_instance)
			continue;
		if (taken[i])
			return reject_answer(a, "it lists a MIG instance twice:", uuid);
		taken[i] = true;
		mig->uuid = uuid;
		*ret = *mig;
		return 0;
	}
	return reject_answer(a, "/proc has no MIG instance", uuid);
}

static int take_instances(const struct answer *a, struct json_object *object, struct gpu *gpu)
{
	struct mig_instances *mig = &gpu->mig;
	struct mig_instance *ordered =
		arena_alloc(a->arena, (mig->count + 1) * sizeof(*mig->items));
	bool *taken = arena_alloc(a->arena, mig->count + 1);
	struct json_object *list = read_array(a, object, "instances", mig->count);
	size_t count;
	int r = 0;

	if (!list)
		return -EBADMSG;
	if (!ordered || !taken)
		return error_memory(a->err);
	count = json_object_array_length(list);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = take_instance(a, json_object_array_get_idx(list, i), gpu, taken, &ordered[i]);
	if (r < 0)
		return r;
	/* Instances that NVML doesn't list yet come last. */
	for (size_t i = 0; i < mig->count; i++)
		if (!taken[i])
			ordered[count++] = mig->items[i];
	mig->items = ordered;
	mig->capacity = count;
	return 0;
}

/* ---- GPUs ------------------------------------------------------------------------------- */

/* The GPU that isn't on a bus. NVML's bus id for it is ignored. */
static struct gpu *find_integrated(const struct answer *a, bool *taken)
{
	const struct gpus *gpus = &a->driver->gpus;

	for (size_t i = 0; i < gpus->count; i++)
		if (!gpus->items[i].bus_id && !taken[i]) {
			taken[i] = true;
			return &gpus->items[i];
		}
	return NULL;
}

/* NULL: failed, err is filled. */
static struct gpu *find_gpu(const struct answer *a, struct json_object *object, bool *taken)
{
	const struct gpus *gpus = &a->driver->gpus;
	bus_id wanted, id;
	const char *text, *problem = "/proc has no GPU";
	struct gpu *integrated;

	if (read_text(a, object, "bus_id", DIGITS "abcdefABCDEF:.", &text) < 0)
		return NULL;
	if (!text) {
		integrated = find_integrated(a, taken);
		if (integrated)
			return integrated;
	}
	if (!text || bus_id_parse(text, &wanted) < 0) {
		(void)reject_answer(a, "bus_id", text ? text : "is missing");
		return NULL;
	}
	for (size_t i = 0; i < gpus->count; i++) {
		if (!gpus->items[i].bus_id || bus_id_parse(gpus->items[i].bus_id, &id) < 0 ||
		    id != wanted)
			continue;
		if (!taken[i]) {
			taken[i] = true;
			return &gpus->items[i];
		}
		problem = "it lists a GPU twice:";
	}
	integrated =
		strcmp(problem, "it lists a GPU twice:") != 0 ? find_integrated(a, taken) : NULL;
	if (!integrated)
		(void)reject_answer(a, problem, text);
	return integrated;
}

/*
 * Makes as many GPUs as NVML lists, each with the nodes of the placeholder. Their bus ids are those
 * of Windows, which mean nothing on this host.
 */
static int make_gpus(const struct answer *a, size_t count)
{
	const struct gpu *known = &a->driver->gpus.items[0];
	struct gpus gpus = {0};

	for (size_t i = 0; i < count; i++) {
		struct gpu *gpu = ARENA_PUSH(a->arena, &gpus);

		if (!gpu)
			return error_memory(a->err);
		*gpu = *known;
		gpu->index = (unsigned)i;
	}
	if (count)
		a->driver->gpus = gpus;
	return 0;
}

static int take_gpu(const struct answer *a, struct json_object *object, bool *taken)
{
	struct gpu *gpu = find_gpu(a, object, taken);
	const char *uuid = NULL, *name = NULL;
	int r = gpu ? read_uuid(a, object, gpu->bus_id ? "GPU-" : "", &uuid) : -EBADMSG;

	if (!gpu || !uuid || r < 0)
		return r;
	if (strchr(gpu->uuid, '?'))
		gpu->uuid = uuid;
	else if (strcasecmp(gpu->uuid, uuid) != 0)
		return reject_answer(a, "/proc has another UUID than", uuid);
	r = read_text(a, object, "brand", DIGITS LETTERS, &gpu->brand);
	if (r == 0)
		r = read_text(a, object, "arch", DIGITS ".", &gpu->arch);
	if (r == 0 && !gpu->bus_id)
		r = read_text(a, object, "name", NAMES, &name);
	if (r == 0 && name)
		gpu->model = name;
	return r < 0 ? r : take_instances(a, object, gpu);
}

static int take_versions(const struct answer *a, struct json_object *object)
{
	const char *driver = NULL, *cuda = NULL;
	int r = read_text(a, object, "driver", DIGITS ".", &driver);

	if (r == 0)
		r = read_text(a, object, "cuda", DIGITS ".", &cuda);
	if (r < 0)
		return r;
	if (!a->driver->version)
		a->driver->version = driver;
	else if (!string_equal(driver, a->driver->version))
		return reject_answer(a, "it comes from driver", driver ? driver : "unknown");
	if (!a->driver->cuda_version)
		a->driver->cuda_version = cuda;
	return 0;
}

int nvml_answer_merge(const char *text, size_t length, struct arena *arena, struct driver *driver,
		      struct error *err)
{
	const struct answer a = {driver, arena, err};
	size_t most = driver->gpus_by_nvml ? GPUS_MAX : driver->gpus.count;
	bool *taken = arena_alloc(arena, most + 1);
	AUTO_JSON *object = NULL;
	struct json_object *list;
	int r;

	if (!taken)
		return error_memory(err);
	r = json_parse(text, length, ERROR_NO_DRIVER, "davit-nvml's answer", &object, err);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return error_fix(err, error_wrap(err, r, "ask NVML"), FIX);
	r = take_versions(&a, object);
	if (r < 0)
		return r;
	list = read_array(&a, object, "gpus", most);
	if (!list)
		return -EBADMSG;
	if (driver->gpus_by_nvml)
		r = make_gpus(&a, json_object_array_length(list));
	for (size_t i = 0; r == 0 && i < json_object_array_length(list); i++)
		r = take_gpu(&a, json_object_array_get_idx(list, i), taken);
	return r;
}

// SPDX-License-Identifier: Apache-2.0
#include <ctype.h>
#include <string.h>

#include "check.h"

static const char *const versions[] = {"0.1.0", "0.2.0", "0.3.0", "0.4.0", "0.5.0", "0.6.0",
				       "0.7.0", "0.8.0", "1.0.0", "1.1.0", "1.1.1"};
#define RANK_LOWEST 2 /* all engines read it */

int cdi_version_rank(const char *version)
{
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++)
		if (strcmp(versions[i], version + (version[0] == 'v')) == 0)
			return (int)i;
	return -1;
}

static int higher(int a, int b)
{
	return a > b ? a : b;
}

static int rank_of_object(const struct cdi_object *type, struct json_object *object);

static int rank_of_field(const struct cdi_field *field, struct json_object *value)
{
	int rank = field->version ? cdi_version_rank(field->version) : RANK_LOWEST;

	if (!field->object)
		return rank;
	if (!field->list)
		return higher(rank, rank_of_object(field->object, value));
	for (size_t i = 0; i < json_object_array_length(value); i++)
		rank = higher(rank,
			      rank_of_object(field->object, json_object_array_get_idx(value, i)));
	return rank;
}

static int rank_of_object(const struct cdi_object *type, struct json_object *object)
{
	int rank = RANK_LOWEST;

	for (const struct cdi_field *field = type->fields; field->name; field++) {
		struct json_object *value;

		if (json_object_object_get_ex(object, field->name, &value))
			rank = higher(rank, rank_of_field(field, value));
	}
	return rank;
}

/* Some names also need a version: devices that begin with a digit, classes with a dot. */
const char *cdi_lowest_version(struct json_object *spec)
{
	struct json_object *devices = json_object_object_get(spec, "devices");
	const char *kind = json_object_get_string(json_object_object_get(spec, "kind"));
	const char *class = kind ? strchr(kind, '/') : NULL;
	int rank = rank_of_object(&cdi_spec_object, spec);

	for (size_t i = 0; i < json_object_array_length(devices); i++) {
		const char *name = json_object_get_string(
			json_object_object_get(json_object_array_get_idx(devices, i), "name"));

		if (name && isdigit((unsigned char)name[0]))
			rank = higher(rank, cdi_version_rank("0.5.0"));
	}
	if (class && strchr(class, '.'))
		rank = higher(rank, cdi_version_rank("0.6.0"));
	return versions[rank];
}

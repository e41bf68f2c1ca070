// SPDX-License-Identifier: Apache-2.0
/* Checks a CDI spec: the rules of SPEC.md, and those that the engines' library adds. */
#include <ctype.h>
#include <string.h>

#include "check.h"

/* ---- names ------------------------------------------------------------------------------ */

static bool is_name(const char *text, const char *inside, bool digit_first)
{
	size_t length = strlen(text);

	if (length == 0 || !isalnum((unsigned char)text[length - 1]) ||
	    !(digit_first ? isalnum((unsigned char)text[0]) : isalpha((unsigned char)text[0])))
		return false;
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)text[i]) && !strchr(inside, text[i]))
			return false;
	return true;
}

bool cdi_is_device_name(const char *text)
{
	return is_name(text, "_-.:", true);
}

/* "vendor.com/class" */
static bool is_kind(const char *kind)
{
	const char *slash = strchr(kind, '/');
	char vendor[256];

	if (!slash || (size_t)(slash - kind) >= sizeof(vendor))
		return false;
	memcpy(vendor, kind, (size_t)(slash - kind));
	vendor[slash - kind] = '\0';
	return is_name(vendor, "_-.", false) && is_name(slash + 1, "_-.", false);
}

int cdi_check_kind(const char *vendor, const char *class, struct error *err)
{
	if (!is_name(vendor, "_-.", false) || strlen(vendor) > 253)
		return error_set(err, ERROR_BAD_REQUEST, EINVAL, "use a name such as nvidia.com",
				 "use the vendor %s: it is not a domain name", vendor);
	if (!is_name(class, "_-.", false) || strlen(class) > 63)
		return error_set(
			err, ERROR_BAD_REQUEST, EINVAL, "use a name such as gpu",
			"use the class %s: a class consists of letters, digits, '-', '_' and '.', "
			"begins with a letter and ends with a letter or digit",
			class);
	if (cdi_is_deadly(vendor, class))
		return error_set(
			err, ERROR_BAD_REQUEST, EINVAL, "use a name of two letters or more",
			"use the kind %s/%s: dockerd 25.0 to 29.7 panics when it reads a spec whose vendor or class has one letter",
			vendor, class);
	return 0;
}

bool cdi_is_deadly(const char *vendor, const char *class)
{
	return strlen(vendor) == 1 || strlen(class) == 1;
}

/* ---- fields ----------------------------------------------------------------------------- */

static bool check_string(struct json_object *value)
{
	return json_object_is_type(value, json_type_string);
}

static bool check_text(struct json_object *value)
{
	return check_string(value) && json_object_get_string_len(value) > 0;
}

static bool check_number(struct json_object *value)
{
	return json_object_is_type(value, json_type_int) && json_object_get_int64(value) >= 0;
}

static bool check_boolean(struct json_object *value)
{
	return json_object_is_type(value, json_type_boolean);
}

static bool check_strings(struct json_object *value)
{
	if (!json_object_is_type(value, json_type_array))
		return false;
	for (size_t i = 0; i < json_object_array_length(value); i++)
		if (!check_string(json_object_array_get_idx(value, i)))
			return false;
	return true;
}

static bool check_numbers(struct json_object *value)
{
	if (!json_object_is_type(value, json_type_array))
		return false;
	for (size_t i = 0; i < json_object_array_length(value); i++)
		if (!check_number(json_object_array_get_idx(value, i)))
			return false;
	return true;
}

static bool check_variables(struct json_object *value)
{
	if (!check_strings(value))
		return false;
	for (size_t i = 0; i < json_object_array_length(value); i++) {
		const char *text = json_object_get_string(json_object_array_get_idx(value, i));
		const char *equals = strchr(text, '=');

		if (!equals || equals == text)
			return false;
	}
	return true;
}

static bool check_texts_by_name(struct json_object *value)
{
	if (!json_object_is_type(value, json_type_object))
		return false;
	json_object_object_foreach(value, name, text)
	{
		if (!name[0] || !check_string(text))
			return false;
	}
	return true;
}

static bool check_kind(struct json_object *value)
{
	return check_text(value) && is_kind(json_object_get_string(value));
}

static bool check_name(struct json_object *value)
{
	return check_text(value) && cdi_is_device_name(json_object_get_string(value));
}

static bool check_version(struct json_object *value)
{
	return check_text(value) && cdi_version_rank(json_object_get_string(value)) >= 0;
}

static bool check_node_type(struct json_object *value)
{
	return check_string(value) && (json_object_get_string_len(value) == 0 ||
				       (json_object_get_string_len(value) == 1 &&
					strchr("bcup", json_object_get_string(value)[0])));
}

static bool check_permissions(struct json_object *value)
{
	const char *text = json_object_get_string(value);

	return check_string(value) &&
	       (strspn(text, "rwm") == strlen(text) || string_equal(text, "none"));
}

static bool check_hook_name(struct json_object *value)
{
	static const char *const names[] = {"prestart",       "createRuntime", "createContainer",
					    "startContainer", "poststart",     "poststop"};

	for (size_t i = 0; i < ARRAY_SIZE(names) && check_string(value); i++)
		if (string_equal(json_object_get_string(value), names[i]))
			return true;
	return false;
}

static const struct cdi_object edits;

static const struct cdi_field node_fields[] = {
	{"path", .check = check_text, .required = true},
	{"hostPath", .check = check_string, .version = "0.5.0"},
	{"type", .check = check_node_type},
	{"major", .check = check_number},
	{"minor", .check = check_number},
	{"fileMode", .check = check_number},
	{"permissions", .check = check_permissions},
	{"uid", .check = check_number},
	{"gid", .check = check_number},
	{.name = NULL}};
static const struct cdi_object node = {node_fields};
static const struct cdi_field mount_fields[] = {
	{"hostPath", .check = check_text, .required = true},
	{"containerPath", .check = check_text, .required = true},
	{"options", .check = check_strings},
	{"type", .check = check_string, .version = "0.4.0"},
	{.name = NULL}};
static const struct cdi_object mount = {mount_fields};
static const struct cdi_field hook_fields[] = {
	{"hookName", .check = check_hook_name, .required = true},
	{"path", .check = check_text, .required = true},
	{"args", .check = check_strings},
	{"env", .check = check_variables},
	{"timeout", .check = check_number},
	{.name = NULL}};
static const struct cdi_object hook = {hook_fields};
static const struct cdi_field net_fields[] = {
	{"hostInterfaceName", .check = check_text, .required = true},
	{"name", .check = check_text, .required = true},
	{.name = NULL}};
static const struct cdi_object net = {net_fields};
/* The name of a directory in resctrl, or "/": its root. */
static bool check_class(struct json_object *value)
{
	const char *text = json_object_get_string(value);

	return check_string(value) &&
	       (string_equal(text, "/") || (strlen(text) < 4096 && !strpbrk(text, "/\n") &&
					    !string_equal(text, ".") && !string_equal(text, "..")));
}

static const struct cdi_field rdt_fields[] = {
	{"closID", .check = check_class},
	{"l3CacheSchema", .check = check_string},
	{"memBwSchema", .check = check_string},
	{"enableCMT", .check = check_boolean},
	{"enableMBM", .check = check_boolean},
	{"schemata", .check = check_strings, .version = "1.1.0"},
	{"enableMonitoring", .check = check_boolean, .version = "1.1.0"},
	{.name = NULL}};
static const struct cdi_object rdt = {rdt_fields};
static const struct cdi_field edits_fields[] = {
	{"env", .check = check_variables},
	{"deviceNodes", .object = &node, .list = true},
	{"mounts", .object = &mount, .list = true},
	{"hooks", .object = &hook, .list = true},
	{"intelRdt", .object = &rdt, .version = "0.7.0"},
	{"additionalGids", .check = check_numbers, .version = "0.7.0"},
	{"netDevices", .object = &net, .list = true, .version = "1.1.0"},
	{.name = NULL}};
static const struct cdi_object edits = {edits_fields};
static const struct cdi_field device_fields[] = {
	{"name", .check = check_name, .required = true},
	{"annotations", .check = check_texts_by_name, .version = "0.6.0"},
	{"containerEdits", .object = &edits, .required = true},
	{.name = NULL}};
static const struct cdi_object device = {device_fields};
static const struct cdi_field spec_fields[] = {
	{"cdiVersion", .check = check_version, .required = true},
	{"kind", .check = check_kind, .required = true},
	{"annotations", .check = check_texts_by_name, .version = "0.6.0"},
	{"devices", .object = &device, .list = true, .required = true},
	{"containerEdits", .object = &edits},
	{.name = NULL}};
const struct cdi_object cdi_spec_object = {spec_fields};

/* ---- walking ---------------------------------------------------------------------------- */

struct checker {
	const char *what;
	struct error *err;
};

static int bad(const struct checker *checker, const char *place, const char *name,
	       const char *problem)
{
	return error_set(checker->err, ERROR_BAD_REQUEST, EINVAL,
			 "generate the file again, or remove it", "use %s: %s%s%s: %s",
			 checker->what, place, *place && *name ? "." : "", name, problem);
}

static int check_object(const struct checker *checker, const struct cdi_object *type,
			struct json_object *object, const char *place);

static int check_field(const struct checker *checker, const struct cdi_field *field,
		       struct json_object *value, const char *place)
{
	char where[160];

	(void)snprintf(where, sizeof(where), "%s%s%s", place, *place ? "." : "", field->name);
	if (field->check)
		return field->check(value) ? 0 : bad(checker, where, "", "not a valid value");
	if (!field->list)
		return check_object(checker, field->object, value, where);
	if (!json_object_is_type(value, json_type_array))
		return bad(checker, where, "", "not a list");
	for (size_t i = 0; i < json_object_array_length(value); i++) {
		char item[192];
		int r;

		(void)snprintf(item, sizeof(item), "%s[%zu]", where, i);
		r = check_object(checker, field->object, json_object_array_get_idx(value, i), item);
		if (r < 0)
			return r;
	}
	return 0;
}

static const struct cdi_field *find_field(const struct cdi_object *type, const char *name)
{
	for (const struct cdi_field *field = type->fields; field->name; field++)
		if (strcmp(field->name, name) == 0)
			return field;
	return NULL;
}

static int check_object(const struct checker *checker, const struct cdi_object *type,
			struct json_object *object, const char *place)
{
	int r = 0;

	if (!json_object_is_type(object, json_type_object))
		return bad(checker, place, "", "not an object");
	json_object_object_foreach(object, name, value)
	{
		const struct cdi_field *field = find_field(type, name);

		if (!field)
			return bad(checker, place, name, "unknown field");
		r = check_field(checker, field, value, place);
		if (r < 0)
			return r;
	}
	for (const struct cdi_field *field = type->fields; field->name; field++)
		if (field->required && !json_object_object_get_ex(object, field->name, NULL))
			return bad(checker, place, field->name, "missing");
	return 0;
}

/* Each name may occur once, and each device must have edits: one that does nothing is a mistake. */
static int check_devices(const struct checker *checker, struct json_object *devices)
{
	size_t count = json_object_array_length(devices);

	if (count == 0)
		return bad(checker, "devices", "", "no device");
	for (size_t i = 0; i < count; i++) {
		struct json_object *one = json_object_array_get_idx(devices, i);
		const char *name = json_object_get_string(json_object_object_get(one, "name"));
		char where[64];

		(void)snprintf(where, sizeof(where), "devices[%zu]", i);
		if (json_object_object_length(json_object_object_get(one, "containerEdits")) == 0)
			return bad(checker, where, "containerEdits", "empty");
		for (size_t j = 0; j < i; j++)
			if (string_equal(name,
					 json_object_get_string(json_object_object_get(
						 json_object_array_get_idx(devices, j), "name"))))
				return bad(checker, where, "name", "twice");
	}
	return 0;
}

int cdi_check(struct json_object *spec, const char *what, struct error *err)
{
	const struct checker checker = {what, err};
	const char *version, *lowest;
	int r = check_object(&checker, &cdi_spec_object, spec, "");

	if (r == 0)
		r = check_devices(&checker, json_object_object_get(spec, "devices"));
	if (r < 0)
		return r;
	version = json_object_get_string(json_object_object_get(spec, "cdiVersion"));
	lowest = cdi_lowest_version(spec);
	if (cdi_version_rank(version) < cdi_version_rank(lowest))
		return error_set(err, ERROR_BAD_REQUEST, EINVAL, "correct the file's cdiVersion",
				 "use %s: its fields need cdiVersion %s, but it has %s", what,
				 lowest, version);
	return 0;
}

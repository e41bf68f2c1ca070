// SPDX-License-Identifier: Apache-2.0
/* dockerd's daemon.json: edited, the rest of it means what it did; taken back, it is as before. */
#include "davit/configure_docker.h"
#include "davit/json.h"
#include "davit/json_edit.h"
#include "fuzz.h"

#define FILE_PATH "/etc/docker/daemon.json"

static struct json_object *parse(const char *text)
{
	struct json_object *object = NULL;
	struct error err = FUZZ_ERROR;

	FUZZ_CHECK(configure_parse_json(text, FILE_PATH, &object, &err) == 0);
	return object;
}

/* Members of `a` but for those named are in `b` as they are. */
static void compare(struct json_object *a, struct json_object *b, const char *const *but)
{
	if (!json_object_is_type(a, json_type_object))
		return;
	json_object_object_foreach(a, name, value)
	{
		const char *const *word = but;

		while (*word && strcmp(*word, name) != 0)
			word++;
		/* As text: there are numbers that don't equal themselves. */
		if (!*word)
			FUZZ_CHECK(string_equal(
				json_object_to_json_string(value),
				json_object_to_json_string(json_object_object_get(b, name))));
	}
}

static struct json_object *get(struct json_object *object, const char *name)
{
	return json_object_is_type(object, json_type_object) ? json_object_object_get(object, name)
							     : NULL;
}

static void check_edited(const char *before, const char *after, const struct configure *configure)
{
	AUTO_JSON *a = json_edit_is_empty(before) ? NULL : parse(before);
	AUTO_JSON *b = parse(after);
	struct json_object *runtimes = get(b, "runtimes");
	struct json_object *ours = get(runtimes, configure->runtime_name);
	const char *type = json_object_get_string(get(ours, "runtimeType"));
	struct json_object *program =
		type && *type ? get(get(ours, "options"), "BinaryName") : get(ours, "path");

	FUZZ_CHECK(string_equal(json_object_get_string(program), configure->runtime_path));
	if (configure->set_default)
		FUZZ_CHECK(string_equal(json_object_get_string(get(b, "default-runtime")),
					configure->runtime_name));
	if (configure->cdi)
		FUZZ_CHECK(json_object_get_boolean(get(get(b, "features"), "cdi")));
	compare(a, b,
		(const char *const[]){"runtimes", configure->set_default ? "default-runtime" : NULL,
				      configure->cdi ? "features" : NULL, NULL});
	compare(get(a, "runtimes"), runtimes, (const char *const[]){configure->runtime_name, NULL});
	compare(get(get(a, "runtimes"), configure->runtime_name), ours,
		(const char *const[]){type && *type ? "options" : "path", NULL});
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_TEXT text = fuzz_text(data, size);

	for (unsigned options = 0; options < 4; options += 3) {
		const struct configure configure = {.runtime_name = "nvidia",
						    .runtime_path = "/usr/bin/davit-runtime",
						    .set_default = options & 1,
						    .cdi = options & 2};
		AUTO_ARENA arena = {0};
		struct error err = FUZZ_ERROR;
		char *after = NULL, *again = NULL, *removed = NULL;
		int r = configure_docker(text, FILE_PATH, &configure, &arena, &after, &err);

		if (r < 0) {
			fuzz_check_error(r, &err);
			FUZZ_CHECK(err.code == ERROR_BAD_CONFIG);
			continue;
		}
		check_edited(text, after, &configure);
		FUZZ_CHECK(configure_docker(after, FILE_PATH, &configure, &arena, &again, &err) ==
			   0);
		FUZZ_CHECK(string_equal(after, again));
		FUZZ_CHECK(configure_docker_remove(after, text, FILE_PATH, &configure, &arena,
						   &removed, &err) == 0);
		FUZZ_CHECK(string_equal(removed, text));
		/* Without the original: no more than that it can be. */
		r = configure_docker_remove(after, NULL, FILE_PATH, &configure, &arena, &removed,
					    &err);
		FUZZ_CHECK(r == 0);
		if (removed)
			(void)json_object_put(parse(removed));
	}
	return 0;
}

// SPDX-License-Identifier: Apache-2.0
/* `davit explain --why PATH`. */
#include "why.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static const char *const verdict_names[] = {
	[WHY_INSIDE] = "inside",
	[WHY_SHADOWED] = "shadowed",
	[WHY_NOT_REQUESTED] = "not-requested",
	[WHY_REFUSED] = "refused",
	[WHY_CAPABILITY] = "capability",
	[WHY_OTHER_GPU] = "other-gpu",
	[WHY_FEATURE] = "feature",
	[WHY_HOST_LACKS] = "host-lacks",
	[WHY_OTHER_VERSION] = "other-version",
	[WHY_NOT_OF_DRIVER] = "not-of-driver",
	[WHY_VOLUME] = "volume",
	[WHY_FAILED] = "failed",
};

/* ---- inside ----------------------------------------------------------------------------- */

static bool image_has(const struct root *root, const char *path, off_t *ret_size)
{
	struct stat st;

	if (root->fd < 0 || root_stat(root, path, 0, &st) < 0 || !S_ISREG(st.st_mode) ||
	    st.st_size == 0)
		return false;
	*ret_size = st.st_size;
	return true;
}

/* A library of that name that the loader prefers to the driver's; NULL: none. */
static const char *find_shadow(const struct why_question *question,
			       const struct explanation *explanation)
{
	static const char variable[] = "LD_LIBRARY_PATH=";
	const struct pipeline *pipeline = &explanation->pipeline;
	const struct strings *env = &pipeline->spec.env;
	off_t size;

	for (size_t i = 0; i < env->count; i++) {
		struct slice rest, directory;

		if (!string_starts(env->items[i], variable))
			continue;
		rest = slice_from(env->items[i] + strlen(variable));
		while (slice_next(&rest, ':', &directory)) {
			const char *path =
				arena_printf(question->arena, "%.*s/%s", (int)directory.length,
					     directory.data, question->name);

			if (directory.length && path && image_has(&explanation->root, path, &size))
				return path;
		}
	}
	for (size_t i = 0; pipeline->image.compat_used && i < pipeline->image.compat.count; i++)
		if (strcmp(pipeline->image.compat.items[i].name, question->name) == 0)
			return pipeline->image.compat.items[i].path;
	return NULL;
}

static void add_note(const struct why_question *question, struct why_answer *answer,
		     const char *note)
{
	if (note)
		(void)strings_add(question->arena, &answer->notes, note);
}

static void answer_inside(const struct why_question *question,
			  const struct explanation *explanation, struct why_answer *ret)
{
	const struct operation *operation = ret->operation;
	struct arena *arena = question->arena;
	const char *shadow = find_shadow(question, explanation);
	off_t size;

	ret->verdict = WHY_INSIDE;
	ret->source = explain_source(&explanation->pipeline, operation, arena);
	if (operation->kind == OPERATION_DEVICE)
		add_note(question, ret,
			 arena_printf(arena, "the cgroup rule %s %s is added for it",
				      operation_numbers(operation, arena),
				      device_access_name(operation->access)));
	if (operation->kind != OPERATION_LOADER_CACHE &&
	    image_has(&explanation->root, operation->target, &size))
		add_note(question, ret,
			 arena_printf(arena, "it covers a file of the image's own, %jd bytes long",
				      (intmax_t)size));
	if (!shadow || strcmp(shadow, question->path) == 0)
		return;
	if (!question->bare) {
		add_note(question, ret,
			 arena_printf(arena, "but the loader finds the image's %s first", shadow));
		return;
	}
	ret->verdict = WHY_SHADOWED;
	ret->reason = arena_printf(arena, "the loader finds the image's %s before %s", shadow,
				   operation->target);
	ret->fix = "remove it from the image, or from its LD_LIBRARY_PATH";
}

/* Answers for a path in a volume, which others share. True: it is inside nevertheless. */
static bool answer_volume(const struct why_question *question,
			  const struct explanation *explanation, struct why_answer *ret)
{
	const struct operation *operation = ret->operation;
	const char *volume, *text = explain_outcome_text(explanation, operation, question->arena);

	if (explain_outcome(explanation, operation, question->arena, &volume) != OUTCOME_NOTHING) {
		if (*text)
			add_note(question, ret, text);
		return true;
	}
	ret->verdict = WHY_VOLUME;
	ret->source = explain_source(&explanation->pipeline, operation, question->arena);
	ret->reason = text;
	ret->fix = arena_printf(
		question->arena,
		"mount the volume %s read-only or at another path, or create that file in it",
		volume);
	return false;
}

/* ---- not inside ------------------------------------------------------------------------- */

/* The operation is planned, but its source doesn't exist. */
static void answer_absent_source(const struct why_question *question,
				 const struct explanation *explanation, struct why_answer *ret)
{
	ret->verdict = WHY_HOST_LACKS;
	ret->source = explain_source(&explanation->pipeline, ret->operation, question->arena);
	ret->reason = arena_printf(question->arena, "the host has no %s (it is optional)",
				   ret->source ? ret->source : "");
	ret->fix = "if the container needs it, start the program that creates it on the host";
}

static const char *searched(const struct driver *driver, const struct driver_known *known,
			    struct arena *arena)
{
	return strings_join(arena,
			    known->kind == DRIVER_FILE_LIBRARY ? &driver->searched : &known->places,
			    ", ");
}

static bool answer_known(const struct why_question *question, const struct driver *driver,
			 struct why_answer *ret)
{
	struct arena *arena = question->arena;
	struct driver_known known;
	const char *places;

	/* The catalogue describes the driver of a PCI host. */
	if (driver->platform != PLATFORM_NATIVE ||
	    driver_know_file(question->name, driver->version, arena, &known) < 0)
		return false;
	if (known.version) {
		ret->verdict = WHY_OTHER_VERSION;
		ret->reason =
			arena_printf(arena, "it belongs to driver %s; this host has driver %s",
				     known.version, driver->version);
		ret->fix = "use the SONAME, which is the same for all drivers";
		return true;
	}
	places = searched(driver, &known, arena);
	ret->verdict = WHY_HOST_LACKS;
	ret->reason = arena_printf(arena, "driver %s has no %s on this host: searched %s",
				   driver->version, known.name, places ? places : "");
	ret->fix = arena_printf(arena,
				"install it with the other files of driver %s, or add "
				"its directory to driver.search",
				driver->version);
	return true;
}

static bool answer_node(const struct why_question *question, const struct pipeline *pipeline,
			struct why_answer *ret)
{
	const struct driver *driver = &pipeline->driver;
	const char *name = question->bare ? question->name : question->path + strlen("/dev/");
	struct strings indices = {0};
	const char *list;

	if (!string_starts(question->bare ? question->name : question->path,
			   question->bare ? "nvidia" : "/dev/nvidia") ||
	    strstr(name, ".so"))
		return false;
	ret->verdict = WHY_HOST_LACKS;
	ret->fix = driver->repairable
			   ? "run `davit system prepare` on the host, if it should have that node"
			   : "";
	for (size_t i = 0; i < driver->gpus.count; i++)
		for (size_t j = 0; j < driver->gpus.items[i].nodes.count; j++)
			(void)strings_add(question->arena, &indices,
					  arena_printf(question->arena, "/dev/%s",
						       driver->gpus.items[i].nodes.items[j]));
	list = strings_join(question->arena, &indices, ", ");
	ret->reason = arena_printf(question->arena,
				   "no GPU or device of this host has that node: its GPUs have %s",
				   list ? list : "");
	return true;
}

static bool image_has_any(const struct why_question *question,
			  const struct explanation *explanation)
{
	struct stat st;

	return !question->bare && explanation->root.fd >= 0 &&
	       root_stat(&explanation->root, question->path, AT_SYMLINK_NOFOLLOW, &st) == 0;
}

/* "libcuda" is the beginning of a name. */
static bool answer_beginning(const struct why_question *question,
			     const struct explanation *explanation, struct why_answer *ret)
{
	const char *name = NULL;

	if (!string_starts(question->path, "/dev/") && !image_has_any(question, explanation))
		name = why_complete_name(question, explanation);
	if (!name)
		return false;
	ret->verdict = WHY_NOT_OF_DRIVER;
	ret->reason =
		arena_printf(question->arena, "the driver has no file named %s", question->name);
	ret->fix = arena_printf(question->arena, "did you mean %s? use `--why %s`", name, name);
	return true;
}

static void answer_foreign(const struct why_question *question,
			   const struct explanation *explanation, struct why_answer *ret)
{
	bool there = image_has_any(question, explanation);

	ret->verdict = WHY_NOT_OF_DRIVER;
	ret->reason = there ? "not a driver file: the image contains it"
			    : "not a driver file, so davit doesn't add it";
	ret->fix = there ? "" : "if the container needs it, add it to the image";
	/* The file may be in a list that isn't read. */
	for (size_t i = 0; i < explanation->pipeline.driver.notes.count; i++)
		add_note(question, ret, explanation->pipeline.driver.notes.items[i]);
}

/* A stage failed before there was a plan. */
static void answer_failed(const struct why_question *question,
			  const struct explanation *explanation, struct why_answer *ret)
{
	const struct error *err = &explanation->err;

	ret->verdict = err->code == ERROR_REFUSED ? WHY_REFUSED : WHY_FAILED;
	ret->reason = arena_printf(question->arena, "davit cannot %s", err->message);
	ret->fix = err->fix;
}

static void answer_not_requested(const struct why_question *question,
				 const struct gpu_request *request, struct why_answer *ret)
{
	ret->verdict = WHY_NOT_REQUESTED;
	ret->reason = "the container requests no GPU";
	ret->fix = "set NVIDIA_VISIBLE_DEVICES";
	for (size_t i = 0; i < request->rules.count; i++) {
		add_note(question, ret, request->rules.items[i].text);
		if (request->rules.items[i].kind == RULE_POLICY) {
			ret->verdict = WHY_REFUSED;
			ret->reason = "the policy doesn't let the container request a GPU";
			ret->fix =
				"change the configuration's policy so that it accepts the request";
		}
	}
}

static void find_answer(const struct why_question *question, const struct explanation *explanation,
			struct why_answer *ret)
{
	const struct pipeline *pipeline = &explanation->pipeline;

	if (explanation->err.code != ERROR_NONE) {
		answer_failed(question, explanation, ret);
		return;
	}
	if (!pipeline->request.gpu) {
		answer_not_requested(question, &pipeline->request, ret);
		return;
	}
	ret->operation = why_find(question, pipeline, &explanation->root);
	if (ret->operation && why_source_exists(pipeline, ret->operation)) {
		if (answer_volume(question, explanation, ret))
			answer_inside(question, explanation, ret);
	} else if (ret->operation) {
		answer_absent_source(question, explanation, ret);
	} else if (!why_suggest_request(question, explanation, ret) &&
		   !(pipeline->request.nvidia && answer_known(question, &pipeline->driver, ret)) &&
		   !answer_beginning(question, explanation, ret) &&
		   !(pipeline->request.nvidia && answer_node(question, pipeline, ret))) {
		answer_foreign(question, explanation, ret);
	}
}

/* ---- printing --------------------------------------------------------------------------- */

static struct json_object *text_or_null(const char *text)
{
	return text && *text ? json_object_new_string(text) : NULL;
}

static int print_json(const struct why_question *question, const struct explanation *explanation,
		      const struct why_answer *answer)
{
	const struct pipeline *pipeline = &explanation->pipeline;
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "version", json_object_new_int(1));
	json_object_object_add(object, "bundle", json_object_new_string(pipeline->bundle));
	json_object_object_add(object, "path", json_object_new_string(question->path));
	json_object_object_add(object, "inside",
			       json_object_new_boolean(answer->verdict == WHY_INSIDE));
	json_object_object_add(object, "verdict",
			       json_object_new_string(verdict_names[answer->verdict]));
	json_object_object_add(
		object, "operation",
		answer->operation
			? explain_json_operation(explanation, answer->operation, question->arena)
			: NULL);
	json_object_object_add(object, "reason", text_or_null(answer->reason));
	json_object_object_add(object, "fix", text_or_null(answer->fix));
	json_object_object_add(object, "notes", cli_json_strings(&answer->notes));
	return cli_print_json(object);
}

static void print_line(struct arena *arena, const char *label, const char *text)
{
	char *copy = text && *text ? arena_strdup(arena, text) : NULL;

	if (!copy)
		return;
	string_printable(copy);
	(void)printf("  %-8s %s\n", label, copy);
}

static void print_text(const struct why_question *question, const struct explanation *explanation,
		       const struct why_answer *answer)
{
	struct arena *arena = question->arena;
	const struct gpu_request *request = &explanation->pipeline.request;
	const struct operation *operation = answer->operation;
	const char *devices = gpu_request_devices(request, arena);
	const char *sources = gpu_request_sources(request, arena);
	char *path = arena_strdup(arena, question->path);

	if (!path || !devices || !sources)
		return;
	string_printable(path);
	(void)printf("%s: %s\n", path,
		     answer->verdict == WHY_INSIDE     ? "inside"
		     : answer->verdict == WHY_SHADOWED ? "inside, but not used"
						       : "not inside");
	if (operation) {
		print_line(arena, "by",
			   arena_printf(arena, "%s %s%s%s", operation_name(operation->kind),
					operation->target,
					answer->source && *answer->source ? " <- " : "",
					answer->source ? answer->source : ""));
		print_line(arena, "because", operation->because);
	}
	if (answer->verdict == WHY_INSIDE)
		print_line(arena, "request", arena_printf(arena, "%s (%s)", devices, sources));
	print_line(arena, "why", answer->reason);
	for (size_t i = 0; i < answer->notes.count; i++)
		print_line(arena, "note", answer->notes.items[i]);
	print_line(arena, "fix", answer->fix);
}

static void inspect_host(struct why_question *question)
{
	struct error ignored = {0};
	AUTO_ROOT host = {.fd = -1};

	if (question->bare || root_open("/", &host, &ignored) < 0 ||
	    root_stat(&host, question->path, 0, &question->host) < 0)
		question->host = (struct stat){0};
}

int explain_why(const struct explain_options *options, const char *bundle, const char *path,
		bool json, struct arena *arena)
{
	AUTO_EXPLANATION explanation = EXPLANATION_INIT;
	struct why_question question = {.path = path, .arena = arena, .bare = !strchr(path, '/')};
	struct why_answer answer = {0};
	int failed = 0;

	/* It is a path in the container, so davit's working directory has no effect. */
	if (!question.bare && path[0] != '/')
		question.path = path = arena_printf(arena, "/%s", path);
	if (!path)
		return 1;
	question.name = question.bare ? path : strrchr(path, '/') + 1;
	inspect_host(&question);
	if (explain_bundle(options, bundle, arena, &explanation) < 0 &&
	    explanation.pipeline.stage < PIPELINE_REQUEST)
		return cli_fail(&explanation.err);
	find_answer(&question, &explanation, &answer);
	if (json)
		failed = print_json(&question, &explanation, &answer);
	else
		print_text(&question, &explanation, &answer);
	return failed || answer.verdict != WHY_INSIDE;
}

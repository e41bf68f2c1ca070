// SPDX-License-Identifier: Apache-2.0
/* The low-level runtime that davit-runtime executes. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "davit/runtime.h"
#include "doctor.h"

/*
 * A runtime that runs createContainer hooks contains their name, a member of config.json. So davit
 * only reads the program. A script shows nothing about the runtime that it starts.
 */
static enum doctor_low_level_hooks look_for_hooks(int fd)
{
	static const char word[] = "createContainer";
	struct stat st;
	void *data;
	enum doctor_low_level_hooks known = DOCTOR_HOOKS_UNSEEN;

	if (fstat(fd, &st) < 0 || st.st_size < 4)
		return known;
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return known;
	if (memcmp(data, "\177ELF", 4) == 0)
		known = memmem(data, (size_t)st.st_size, word, strlen(word)) ? DOCTOR_HOOKS_KNOWN
									     : DOCTOR_HOOKS_UNKNOWN;
	(void)munmap(data, (size_t)st.st_size);
	return known;
}

/* In another host's root, whose links and owners aren't this host's. 0 or -ENOMEM. */
static int find_elsewhere(struct doctor_gathering *g, const char *path,
			  struct doctor_low_level *ret)
{
	const struct strings *candidates = &g->host->config.runtime.candidates;
	struct doctor_program program = {0};
	const char *names;

	for (size_t i = 0; i < candidates->count && !program.path; i++)
		if (doctor_find_program(g, candidates->items[i], path, &program) < 0)
			return -ENOMEM;
	ret->path = program.path;
	names = strings_join(g->arena, candidates, ", ");
	if (!names)
		return -ENOMEM;
	if (!ret->path)
		(void)error_set(
			&ret->error, ERROR_SYSTEM, ENOENT,
			"install one of them, or name another in runtime.candidates",
			"find a low-level runtime: none of %s exists in PATH or in " RUNTIME_PATH,
			names);
	return 0;
}

/* search: the PATH of davit-runtime's caller. 0 or -ENOMEM. */
static int find_low_level(struct doctor_gathering *g, const char *search, const char *ours,
			  struct doctor_low_level *ret)
{
	const struct strings *candidates = &g->host->config.runtime.candidates;
	const char *path = arena_printf(g->arena, "%s:" RUNTIME_PATH, search);
	AUTO_FD self = ours ? root_openat(&g->root, ours, O_PATH) : -1;
	AUTO_FD fd = -1;
	int r;

	if (!path)
		return -ENOMEM;
	r = string_equal(g->root.path, "/")
		    ? runtime_find(candidates, search, self, g->arena, &ret->path, &ret->error)
		    : find_elsewhere(g, path, ret);
	if (r == -ENOMEM)
		return r;
	if (ret->path)
		fd = root_openat(&g->root, ret->path, O_RDONLY | O_NONBLOCK);
	if (fd >= 0)
		ret->hooks = look_for_hooks(fd);
	return 0;
}

/* For each engine with davit-runtime, whose own programs may be in a folder of their own. */
static int find_of_engine(struct doctor_gathering *g, struct doctor_engine *engine)
{
	const char *search = engine->search;
	int r;

	if (!engine->runtime.ours || engine->snap)
		return 0;
	if (!search)
		search = engine->own_folder ? arena_printf(g->arena, "%s:%s", engine->own_folder,
							   DOCTOR_USUAL_SEARCH)
					    : DOCTOR_USUAL_SEARCH;
	if (!search)
		return -ENOMEM;
	r = find_low_level(g, search, engine->runtime.path, &engine->low_level);
	engine->low_level.unsure = engine->hidden && engine->low_level.error.code == ERROR_SYSTEM;
	return r;
}

int doctor_gather_low_level(struct doctor_gathering *g)
{
	int r = find_low_level(g, DOCTOR_USUAL_SEARCH, NULL, &g->host->low_level);

	for (size_t i = 0; r == 0 && i < DOCTOR_ENGINES; i++)
		r = find_of_engine(g, &g->host->engines[i]);
	/* The mode of a file named by --config isn't checked. */
	return r < 0 || g->options->config
		       ? r
		       : doctor_find_closed(g, CONFIG_PATH, S_IROTH, &g->host->config_closed);
}

/* ---- the check ---------------------------------------------------------------------------- */

bool doctor_lacks_low_level(const struct doctor_engine *engine)
{
	return engine->low_level.error.code && !engine->low_level.unsure;
}

/* Whether the engine is checked at all. */
static bool is_checked(const struct doctor_host *host, size_t kind)
{
	return host->required < 0 || (size_t)host->required == kind;
}

/* The engines whose davit-runtime starts no container for this reason. */
static void list_stopped(const struct doctor_host *host, const struct error *err, char *list,
			 size_t size)
{
	for (size_t i = 0; i < DOCTOR_ENGINES; i++)
		if (is_checked(host, i) &&
		    string_equal(host->engines[i].low_level.error.message, err->message))
			finding_list(list, size, "%s", doctor_engine_names[i]);
}

/* 0 if an engine's davit-runtime finds none, and the finding is filled; 1 otherwise. */
static int none_found(const struct doctor_host *host, bool unsure, struct finding *ret)
{
	char list[64] = "";

	for (size_t i = 0; i < DOCTOR_ENGINES; i++) {
		const struct doctor_low_level *found = &host->engines[i].low_level;

		if (!is_checked(host, i) || !found->error.code || found->unsure != unsure)
			continue;
		list_stopped(host, &found->error, list, sizeof(list));
		(void)finding_set(ret, unsure ? DOCTOR_UNKNOWN : DOCTOR_FAIL, found->error.fix,
				  "davit-runtime starts no container for %s: cannot %s", list,
				  found->error.message);
		return unsure ? finding_remedy(ret, "run `davit doctor` as root") : 0;
	}
	return 1;
}

static int judge_hooks(const struct doctor_low_level *found, struct finding *ret)
{
	if (found->hooks == DOCTOR_HOOKS_UNKNOWN)
		return finding_set(ret, DOCTOR_FAIL,
				   "update it (to runc 1.0, crun 0.15 or later), or set "
				   "runtime.mode to \"hook\"",
				   "%s doesn't run createContainer hooks: containers that "
				   "davit-runtime starts with it lack the driver's libraries",
				   found->path);
	if (found->hooks == DOCTOR_HOOKS_UNSEEN)
		return finding_set(
			ret, DOCTOR_UNKNOWN, "make sure that it runs createContainer hooks",
			"davit can't examine %s, for example because it is a script", found->path);
	return finding_set(ret, DOCTOR_OK, NULL, "%s runs createContainer hooks", found->path);
}

int check_runtime_hooks(const struct doctor_host *host, struct finding *ret)
{
	const struct doctor_low_level *worst = NULL;

	if (none_found(host, false, ret) == 0 || none_found(host, true, ret) == 0)
		return 0;
	for (size_t i = 0; i < DOCTOR_ENGINES; i++) {
		const struct doctor_low_level *found = &host->engines[i].low_level;

		if (is_checked(host, i) && found->path &&
		    (!worst || found->hooks == DOCTOR_HOOKS_UNKNOWN ||
		     worst->hooks == DOCTOR_HOOKS_KNOWN))
			worst = found;
	}
	if (!worst)
		worst = &host->low_level;
	if (!worst->path)
		return finding_set(ret, DOCTOR_SKIP, NULL,
				   "none of the programs in runtime.candidates is installed");
	if (host->config.runtime.mode == RUNTIME_MODE_HOOK)
		return finding_set(ret, DOCTOR_SKIP, NULL, "runtime.mode is \"hook\"");
	return judge_hooks(worst, ret);
}

// SPDX-License-Identifier: Apache-2.0
/* The low-level runtime that davit-runtime executes. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

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

int doctor_gather_low_level(struct doctor_gathering *g)
{
	const struct strings *candidates = &g->host->config.runtime.candidates;
	struct doctor_program *program = &g->host->low_level;
	AUTO_FD fd = -1;

	for (size_t i = 0; i < candidates->count && !program->path; i++)
		if (doctor_find_program(g, candidates->items[i], DOCTOR_USUAL_SEARCH, program) < 0)
			return -ENOMEM;
	if (program->path)
		fd = root_openat(&g->root, program->path, O_RDONLY | O_NONBLOCK);
	if (fd >= 0)
		g->host->low_level_hooks = look_for_hooks(fd);
	/* The mode of a file named by --config isn't checked. */
	return g->options->config
		       ? 0
		       : doctor_find_closed(g, CONFIG_PATH, S_IROTH, &g->host->config_closed);
}

int check_runtime_hooks(const struct doctor_host *host, struct finding *ret)
{
	const char *path = host->low_level.path;

	if (!path)
		return finding_set(ret, DOCTOR_SKIP, NULL,
				   "none of the programs in runtime.candidates is installed");
	if (host->config.runtime.mode == RUNTIME_MODE_HOOK)
		return finding_set(ret, DOCTOR_SKIP, NULL, "runtime.mode is \"hook\"");
	if (host->low_level_hooks == DOCTOR_HOOKS_UNKNOWN)
		return finding_set(ret, DOCTOR_FAIL,
				   "update it (to runc 1.0, crun 0.15 or later), or set "
				   "runtime.mode to \"hook\"",
				   "%s doesn't run createContainer hooks: containers that "
				   "davit-runtime starts with it lack the driver's libraries",
				   path);
	if (host->low_level_hooks == DOCTOR_HOOKS_UNSEEN)
		return finding_set(
			ret, DOCTOR_UNKNOWN, "make sure that it runs createContainer hooks",
			"davit can't examine %s, for example because it is a script", path);
	return finding_set(ret, DOCTOR_OK, NULL, "%s runs createContainer hooks", path);
}

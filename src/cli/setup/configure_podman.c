// SPDX-License-Identifier: Apache-2.0
/* `davit configure podman`. */
#include <stdio.h>
#include <string.h>

#include "davit/configure_podman.h"

#include "cli.h"
#include "configure.h"

static bool exists(const struct job *job, const char *path)
{
	struct stat st;

	return path && root_stat(&job->root, path, 0, &st) == 0;
}

/* The usual name in one of the directories that Podman reads; NULL: it reads none. */
static const char *choose_hook_file(const struct job *job, const struct podman_hooks *hooks)
{
	const char *chosen = NULL;

	for (size_t i = 0; i < hooks->folders.count; i++) {
		const char *folder = hooks->folders.items[i];
		const char *path = arena_printf(job->arena, "%s/davit.json", folder);

		if (folder[0] != '/' || !path)
			continue;
		if (exists(job, path))
			return path;
		if (!chosen || string_equal(folder, PODMAN_HOOKS))
			chosen = path;
	}
	return chosen;
}

/* A file that the user names, but Podman doesn't read. */
static void note_unread(const struct job *job, const struct podman_hooks *hooks)
{
	const char *slash = strrchr(job->drop_in, '/');
	const char *folder =
		arena_strndup(job->arena, job->drop_in, (size_t)(slash - job->drop_in));

	if (!string_ends(job->drop_in, ".json"))
		(void)fprintf(
			stderr,
			"davit: note: Podman doesn't read %s, because its name doesn't end in "
			".json\n",
			job->drop_in);
	else if (folder && !strings_contain(&hooks->folders, folder))
		(void)fprintf(
			stderr,
			"davit: note: Podman doesn't read %s: add it to hooks_dir in the table "
			"[engine] of %s\n",
			folder, hooks->file ? hooks->file : "/etc/containers/containers.conf");
}

static int change_hook_file(const struct job *job, const char *path, struct change *change)
{
	struct configure_hook_file file;
	int r = configure_open_change(job, path, "/davit-hook\"", change);

	change->own = true;
	change->after = change->before;
	if (r < 0 || (job->remove && !configure_is_ours(change)))
		return r;
	r = configure_podman(change->before, path, job->arena, &file, job->err);
	if (r < 0)
		return r;
	change->after = job->remove ? change->original : file.text;
	change->kept = job->remove ? change->kept : file.others;
	change->gone = job->remove ? file.others : change->gone;
	return 0;
}

int configure_do_podman(struct job *job, struct change changes[static 2])
{
	struct podman podman;
	struct podman_hooks hooks;
	struct error ignored;
	bool must = !job->drop_in && !job->remove;
	const char *path = job->drop_in;
	int r;

	configure_find_podman(&job->root, job->arena, &podman);
	r = configure_podman_hooks(&job->root, &podman, job->arena, &hooks,
				   must ? job->err : &ignored);
	if (r < 0 && must)
		return r;
	if (path && r == 0 && !job->remove)
		note_unread(job, &hooks);
	if (!path)
		path = choose_hook_file(job, &hooks);
	if (!path && must)
		return error_set(job->err, ERROR_BAD_CONFIG, EINVAL,
				 "name a directory there, for example " PODMAN_HOOKS
				 ", or use --drop-in DIRECTORY/davit.json and `podman "
				 "--hooks-dir DIRECTORY`",
				 "register the hook: hooks_dir in %s names no directory, so Podman "
				 "reads no hooks",
				 hooks.file);
	r = path ? change_hook_file(job, path, &changes[0]) : 0;
	/* What was written before hooks_dir was set. */
	if (r == 0 && job->remove && !job->drop_in &&
	    !string_equal(path, PODMAN_HOOKS "/davit.json"))
		r = change_hook_file(job, PODMAN_HOOKS "/davit.json", &changes[1]);
	return r;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * Files that existed in a form of their own before `davit node install`. For each, these copies are
 * on the host:
 *   before  the file as it is to come back
 *   rest    that without davit's part
 *   after   what davit has written
 *   next    what davit is writing, or has written: it is there before the file is changed
 * A file that is none of these was changed by others, or by `davit configure`. So a call that was
 * killed at any point leaves no doubt.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "davit/configure_containerd.h"
#include "node.h"

static const char existing_line[] = "file ", absent_line[] = "absent ";

/* ---- one file ---------------------------------------------------------------------------- */

enum copy { COPY_BEFORE, COPY_REST, COPY_AFTER, COPY_NEXT, COPIES };
static const char *const copy_names[COPIES] = {"before", "rest", "after", "next"};

struct saved {
	const char *path, *line;
	const char *paths[COPIES];
	char *now, *texts[COPIES]; /* NULL: no file */
};

/* After the words of a line comes the path, which is absolute. */
static const char *path_of(const char *line)
{
	return strchr(line, '/');
}

static int name_saved(const struct node *node, size_t i, struct saved *ret)
{
	*ret = (struct saved){.line = node->saved.items[i], .path = path_of(node->saved.items[i])};
	for (size_t k = 0; k < COPIES; k++) {
		ret->paths[k] = arena_printf(node->arena, NODE_FOLDER "/%s.%zu", copy_names[k], i);
		if (!ret->paths[k])
			return error_memory(node->err);
	}
	return 0;
}

static int read_saved(const struct node *node, size_t i, struct saved *ret)
{
	int r = name_saved(node, i, ret);

	if (r == 0)
		r = configure_read(&node->host, ret->path, node->arena, &ret->now, node->err);
	for (size_t k = 0; r == 0 && k < COPIES; k++)
		r = configure_read(&node->host, ret->paths[k], node->arena, &ret->texts[k],
				   node->err);
	if (r == 0 && !ret->texts[COPY_BEFORE] && string_starts(ret->line, existing_line))
		return error_set(node->err, ERROR_SYSTEM, ENOENT,
				 "restore that copy, or remove davit manually",
				 "restore %s: %s is missing", ret->path, ret->paths[COPY_BEFORE]);
	return r;
}

/* The copy may repeat a registry's password. */
static int write_copy(const struct node *node, const char *path, const char *text)
{
	const struct configure_access access = {S_IRUSR, geteuid(), getegid()};

	node_sweep(node, path);
	return configure_write_limited(&node->host, path, text, false, &access, node->arena,
				       node->err);
}

static bool is_backup(const char *path)
{
	return string_ends(path, CONFIGURE_BACKUP_SUFFIX);
}

static bool is_as_before(const struct saved *saved)
{
	return string_equal(saved->now, saved->texts[COPY_BEFORE]);
}

/* Whether davit wrote it. A file that is gone has nothing that could be lost. */
static bool is_ours(const struct saved *saved)
{
	return !saved->now || string_equal(saved->now, saved->texts[COPY_AFTER]) ||
	       string_equal(saved->now, saved->texts[COPY_NEXT]);
}

/* Whether davit has ever written another text than that of before. */
static bool is_written(const struct saved *saved)
{
	const char *after = saved->texts[COPY_AFTER];

	return saved->texts[COPY_NEXT] ||
	       (after && !string_equal(after, saved->texts[COPY_BEFORE]));
}

/* The lines of the record: "file MODE:UID:GID PATH" or "absent PATH". NULL: no memory. */
static const char *describe(const struct node *node, const char *path, const char *text)
{
	struct stat st;

	if (!text)
		return arena_printf(node->arena, "%s%s", absent_line, path);
	if (root_stat(&node->host, path, 0, &st) < 0)
		return arena_printf(node->arena, "%s%s", existing_line, path);
	return arena_printf(node->arena, "%s%o:%u:%u %s", existing_line, st.st_mode & 07777U,
			    st.st_uid, st.st_gid, path);
}

/* The mode and owner of before; false: unknown. */
static bool find_access(const struct saved *saved, struct stat *ret)
{
	unsigned mode, uid, gid;
	const char *text = saved->line + strlen(existing_line);

	if (!string_starts(saved->line, existing_line) ||
	    sscanf(text, "%o:%u:%u ", &mode, &uid, &gid) != 3) /* NOLINT(cert-err34-c) */
		return false;
	*ret = (struct stat){.st_mode = mode & 07777U, .st_uid = uid, .st_gid = gid};
	return true;
}

/* ---- saving ------------------------------------------------------------------------------ */

bool node_is_saved(const struct node *node, const char *path)
{
	for (size_t i = 0; i < node->saved.count; i++)
		if (string_equal(path_of(node->saved.items[i]), path))
			return true;
	return false;
}

bool node_had_engine(const struct node *node)
{
	for (size_t i = 0; i < node->saved.count; i++)
		if (!string_equal(path_of(node->saved.items[i]), CONFIG_PATH))
			return true;
	return false;
}

/* The copies come before the record that counts on them. */
static int save(struct node *node, const char *path, const struct node_changes *without)
{
	const char *line;
	struct saved saved;
	char *text = NULL;
	int r;

	if (node_is_saved(node, path))
		return 0;
	r = configure_read(&node->host, path, node->arena, &text, node->err);
	if (r < 0)
		return r;
	line = describe(node, path, text);
	if (!line || strings_add(node->arena, &node->saved, line) < 0)
		return error_memory(node->err);
	r = name_saved(node, node->saved.count - 1, &saved);
	/* A call that was killed before it wrote the record may have left others. */
	for (size_t k = 0; r == 0 && k < COPIES; k++)
		r = write_copy(node, saved.paths[k],
			       k == COPY_BEFORE ? text
			       : k == COPY_REST ? node_text_after(without, path, text)
						: NULL);
	return r;
}

int node_save_before(struct node *node, const struct node_changes *changes, bool is_first)
{
	struct node_changes ours = {0};
	int r = is_first ? node_check_configure(node, true, &ours) : 0;

	if (r == 0 && node->config)
		r = save(node, CONFIG_PATH, &ours);
	for (size_t i = 0; r == 0 && i < ours.count; i++)
		r = save(node, ours.items[i].path, &ours);
	if (r == 0 && node_had_engine(node))
		for (size_t i = 0; r == 0 && i < changes->count; i++)
			r = save(node, changes->items[i].path, &ours);
	return r;
}

/*
 * A file that others have edited remains different from all copies. But davit's own configuration
 * is written as a whole, and a backup is davit's alone.
 */
int node_intend(const struct node *node, const char *path, const char *text)
{
	for (size_t i = 0; text && i < node->saved.count; i++) {
		struct saved saved;
		int r;

		if (!string_equal(path_of(node->saved.items[i]), path))
			continue;
		r = read_saved(node, i, &saved);
		if (r < 0)
			return r;
		if (!is_as_before(&saved) && !is_ours(&saved) && !is_backup(path) &&
		    !string_equal(path, CONFIG_PATH))
			return 0;
		if (saved.now && string_equal(saved.now, saved.texts[COPY_NEXT]))
			r = write_copy(node, saved.paths[COPY_AFTER], saved.now);
		return r < 0 ? r : write_copy(node, saved.paths[COPY_NEXT], text);
	}
	return 0;
}

/* ---- changes by others ------------------------------------------------------------------- */

/* Whether it needs a decision: neither as before nor davit's. */
static bool is_changed(const struct saved *saved)
{
	return !is_as_before(saved) && !is_ours(saved) && !string_equal(saved->path, CONFIG_PATH) &&
	       !is_backup(saved->path);
}

static int find_changed(const struct node *node, bool *ret)
{
	*ret = false;
	for (size_t i = 0; i < node->saved.count; i++) {
		struct saved saved;
		int r = read_saved(node, i, &saved);

		if (r < 0)
			return r;
		*ret |= is_changed(&saved);
	}
	return 0;
}

/* Without davit's part, it is now what comes back. */
static int replace_before(struct node *node, size_t i, const struct saved *saved)
{
	int r = write_copy(node, saved->paths[COPY_BEFORE], saved->now);

	if (r == 0)
		r = write_copy(node, saved->paths[COPY_REST], saved->now);
	if (r < 0)
		return r;
	node->saved.items[i] = describe(node, saved->path, saved->now);
	return node->saved.items[i] ? 0 : error_memory(node->err);
}

int node_adopt(struct node *node)
{
	struct error ignored = {0};
	struct node quiet = *node;
	struct node_changes without = {0};
	bool changed;
	int r = find_changed(node, &changed);

	quiet.err = &ignored;
	if (r < 0 || !changed || node_ask_configure(&quiet, true, &without, NULL) < 0)
		return r;
	for (size_t i = 0; r == 0 && i < node->saved.count; i++) {
		struct saved saved;
		const char *left;

		r = read_saved(node, i, &saved);
		if (r < 0 || !is_changed(&saved))
			continue;
		left = node_text_after(&without, saved.path, saved.now);
		if (string_equal(left, saved.texts[COPY_REST]))
			r = write_copy(node, saved.paths[COPY_AFTER], saved.now);
		else if (string_equal(left, saved.now))
			r = replace_before(node, i, &saved);
	}
	return r;
}

/* ---- restoring ---------------------------------------------------------------------------- */

static int refuse(const struct node *node, const struct saved *saved)
{
	const char *before = saved->texts[COPY_BEFORE];

	return error_fix(
		node->err,
		error_set(node->err, ERROR_REFUSED, EEXIST, NULL,
			  "restore %s: it was changed after `davit node install`", saved->path),
		"replace it with %s%s", before ? saved->paths[COPY_BEFORE] : "nothing: remove it",
		before ? ", and add your changes after `davit node remove`" : "");
}

/* What becomes of a file, with davit's part and without it. */
enum fate { FATE_KEEP, FATE_RESTORE, FATE_STRIP, FATE_REFUSE };

static enum fate decide(const struct saved *saved, const char *left)
{
	const char *rest = saved->texts[COPY_REST];

	if (is_as_before(saved))
		return FATE_KEEP;
	if (is_ours(saved) || is_backup(saved->path))
		return FATE_RESTORE;
	if (string_equal(saved->path, CONFIG_PATH))
		return FATE_REFUSE;
	if (string_equal(left, rest))
		return FATE_RESTORE; /* only davit's part differs */
	if (string_equal(left, saved->now) || !is_written(saved))
		return FATE_KEEP; /* davit has no part in the difference */
	return string_equal(rest, saved->texts[COPY_BEFORE]) ? FATE_STRIP : FATE_REFUSE;
}

/* The program of davit's runtimes in a text that davit wrote; NULL: none. */
static const char *find_program(const struct node *node, const char *text)
{
	static const char *const keys[] = {"BinaryName = \"", "runtime_path = \""};

	for (size_t i = 0; text && i < ARRAY_SIZE(keys); i++) {
		const char *at = strstr(text, keys[i]);

		if (at) {
			at += strlen(keys[i]);
			return arena_strndup(node->arena, at, strcspn(at, "\"\n"));
		}
	}
	return NULL;
}

static int plan_one(const struct node *node, const struct saved *saved, const char *left,
		    struct node_plan *ret)
{
	enum fate fate = decide(saved, left);
	const char *before = saved->texts[COPY_BEFORE];
	struct node_restored restored = {.path = saved->path, .text = before};
	struct node_restored *item;
	int r;

	if (fate == FATE_REFUSE)
		return refuse(node, saved);
	if (before && !is_backup(saved->path) && configure_has_lines(before) && !ret->program) {
		ret->drop_in = saved->path;
		ret->now = saved->now;
		ret->before = before;
		ret->program = find_program(node, before);
	}
	if (is_changed(saved)) {
		ret->is_replaced |=
			fate == FATE_STRIP || (fate == FATE_KEEP && string_equal(left, saved->now));
	}
	if (fate == FATE_KEEP) {
		restored.is_kept = true;
		if (!is_changed(saved))
			return 0;
	} else {
		restored.text = fate == FATE_STRIP ? left : before;
		restored.has_access = fate == FATE_RESTORE && find_access(saved, &restored.access);
		ret->writes++;
		r = configure_may_write(&node->host, saved->path, node->arena, node->err);
		if (r < 0)
			return r;
	}
	item = ARENA_PUSH(node->arena, &ret->files);
	if (!item)
		return error_memory(node->err);
	*item = restored;
	return 0;
}

int node_plan_restore(const struct node *node, struct node_plan *ret)
{
	struct node_changes without = {0};
	bool changed;
	int r = find_changed(node, &changed);

	*ret = (struct node_plan){0};
	if (r == 0 && changed)
		r = node_check_configure(node, true, &without);
	for (size_t i = 0; r == 0 && i < node->saved.count; i++) {
		struct saved saved;

		r = read_saved(node, i, &saved);
		if (r == 0)
			r = plan_one(node, &saved, node_text_after(&without, saved.path, saved.now),
				     ret);
	}
	return r;
}

/* The file has never more permissions than it will have. */
static int write_restored(const struct node *node, const struct node_restored *restored)
{
	const struct stat *like = &restored->access;
	const struct configure_access access = {like->st_mode | S_IRUSR, like->st_uid,
						like->st_gid};
	AUTO_FD fd = -1;
	int r;

	if (!restored->text || !restored->has_access)
		return node_write(node, restored->path, restored->text);
	node_sweep(node, restored->path);
	r = configure_write_limited(&node->host, restored->path, restored->text, false, &access,
				    node->arena, node->err);
	if (r < 0)
		return r;
	fd = root_openat(&node->host, restored->path, O_RDONLY | O_NOFOLLOW);
	if (fd < 0 || fchown(fd, like->st_uid, like->st_gid) < 0 || fchmod(fd, like->st_mode) < 0)
		return error_errno(node->err, fd < 0 ? -fd : errno, "restore the permissions of %s",
				   restored->path);
	return 0;
}

int node_restore(const struct node *node, const struct node_plan *plan)
{
	for (size_t i = 0; i < plan->files.count; i++) {
		const struct node_restored *restored = &plan->files.items[i];
		int r = restored->is_kept ? 0 : write_restored(node, restored);

		if (r < 0)
			return r;
		(void)printf("%s %s%s\n", restored->is_kept ? "kept" : "restored", restored->path,
			     restored->is_kept ? ": others have changed it" : "");
	}
	return 0;
}

/* Whether davit's file with this text hides settings of others, as before containerd 2.1. */
static bool is_stale(const struct node *node, const struct node_plan *plan, const char *text)
{
	const struct containerd_version oldest = {1, 6};
	const struct engine_overlay overlay = {plan->drop_in, text};
	struct containerd_distribution distribution;
	struct engine_files files = {0};
	struct error ignored = {0};
	const char *stale = NULL, *file;

	return node->file &&
	       containerd_find_distribution(&node->host, node->file, node->arena, &distribution,
					    &ignored) == 0 &&
	       containerd_load(&node->host, &distribution, &overlay, 1, node->arena, &files,
			       &ignored) == 0 &&
	       containerd_find_stale(&files, plan->drop_in, oldest, node->arena, &stale, &file) ==
		       0 &&
	       stale;
}

/* If the file of this containerd hid nothing until now, the restored one doesn't have to. */
int node_refresh(const struct node *node, const struct node_plan *plan)
{
	struct error ignored = {0};
	struct node again = *node;
	struct node_changes changes = {0};
	int r;

	if (plan->is_replaced || !plan->program || !plan->now ||
	    !is_stale(node, plan, plan->before) || is_stale(node, plan, plan->now))
		return 0;
	again.err = &ignored;
	again.program = plan->program;
	again.set_default = again.cdi = false;
	r = node_check_configure(&again, false, &changes);
	if (r == 0 && changes.count)
		r = node_run_configure(&again, false, &changes);
	if (r < 0)
		(void)printf("not updated: run `davit configure %s` on the host\n",
			     node->engine->command);
	return 0;
}

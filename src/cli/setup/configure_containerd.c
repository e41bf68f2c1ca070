// SPDX-License-Identifier: Apache-2.0
/*
 * `davit configure containerd`. Before and after the change, containerd itself reports the
 * configuration that results from the files.
 */
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "configure_containerd.h"

/* ---- the ways to write it ----------------------------------------------------------------- */

static void print_note(const struct job *job, const char *path, const char *what)
{
	if (!job->remove)
		(void)fprintf(stderr, "davit: note: %s: %s\n", path, what);
}

/* Prints notes for the user. */
static void print_notes(const struct asking *asking, const struct toml_node *settings)
{
	const char *file = asking->distribution.file;
	const struct job *job = asking->job;

	if (containerd_cri_disabled(settings))
		print_note(job, file,
			   "disabled_plugins names the CRI plugin: Kubernetes needs it, Docker and "
			   "`ctr` don't");
	if (job->configure.cdi && asking->version.major == 1 && asking->version.minor < 7)
		print_note(job, file,
			   "containerd supports CDI since 1.7: enable_cdi has no effect yet");
}

/* Restores the main file's import, or removes it. */
static int remove_import(const struct asking *asking, struct change *change)
{
	struct job *job = asking->job;
	char *made = NULL;

	if (!change->before)
		return 0;
	for (unsigned major = 1; change->original && major <= 2; major++) {
		struct error ignored;

		if (configure_containerd(change->original, change->path,
					 asking->distribution.drop_in,
					 (struct containerd_version){major, 0}, job->arena, &made,
					 &ignored) == 0 &&
		    string_equal(made, change->before)) {
			change->after = change->original;
			return 0;
		}
	}
	return configure_containerd_remove(change->before, change->path,
					   asking->distribution.drop_in, job->arena, &change->after,
					   job->err);
}

static bool is_read(const struct engine_files *files, const char *path)
{
	for (size_t i = 0; i < files->count; i++)
		if (string_equal(files->items[i].path, path))
			return true;
	return false;
}

/*
 * Adds an import, unless an existing one already includes davit's file. *ret: the file that is then
 * imported.
 */
static int add_import(const struct asking *asking, struct change *change, struct engine_files *ret)
{
	struct job *job = asking->job;
	const struct engine_overlay overlays[] = {{asking->distribution.drop_in, ""},
						  {change->path, change->before}};
	struct engine_overlay with[2];
	int r = containerd_load(&job->root, &asking->distribution, overlays, 2, job->arena, ret,
				job->err);

	if (r < 0)
		return r;
	change->after = change->before;
	if (is_read(ret, asking->distribution.drop_in))
		return 0;
	r = configure_containerd(change->before, change->path, asking->distribution.drop_in,
				 asking->version, job->arena, &change->after, job->err);
	if (r < 0)
		return r;
	with[0] = overlays[0];
	with[1] = (struct engine_overlay){change->path, change->after};
	return containerd_load(&job->root, &asking->distribution, with, 2, job->arena, ret,
			       job->err);
}

/* The same, but at the end of the imports if a later file would override davit's. */
/*
 * Whether a pattern of the imports, such as "conf*", also fits the drop-in's folder, which doesn't
 * exist yet: containerd doesn't start if it is to read a directory.
 */
static int is_folder_read(const struct asking *asking, bool *ret)
{
	const char *drop_in = asking->distribution.drop_in, *slash = strrchr(drop_in, '/');
	struct job *job = asking->job;
	struct engine_overlay folder = {
		arena_strndup(job->arena, drop_in, (size_t)(slash - drop_in)), ""};
	struct engine_files files;
	struct stat st;
	int r;

	*ret = false;
	if (!folder.path)
		return error_memory(job->err);
	if (root_stat(&job->root, folder.path, 0, &st) == 0)
		return 0;
	r = containerd_load(&job->root, &asking->distribution, &folder, 1, job->arena, &files,
			    job->err);
	*ret = r == 0 && is_read(&files, folder.path);
	return r;
}

static int choose_import(struct asking *asking, struct change *change)
{
	struct containerd_distribution *distribution = &asking->distribution;
	struct engine_files files;
	bool folder = false;
	int r = distribution->last_drop_in ? is_folder_read(asking, &folder) : 0;

	if (folder)
		distribution->drop_in = distribution->last_drop_in;
	if (r == 0)
		r = add_import(asking, change, &files);

	if (r < 0 || !distribution->last_drop_in ||
	    !containerd_is_replaced(&files, distribution->drop_in, asking->version))
		return r;
	distribution->drop_in = distribution->last_drop_in;
	return add_import(asking, change, &files);
}

/* If a drop-in of davit's exists, its place is kept. */
static int find_drop_in(struct asking *asking)
{
	struct containerd_distribution *distribution = &asking->distribution;
	char *text = NULL;
	int r = 0;

	if (asking->job->drop_in || distribution->place != CONTAINERD_IMPORT)
		distribution->last_drop_in = NULL;
	if (distribution->last_drop_in)
		r = configure_read(&asking->job->root, distribution->last_drop_in,
				   asking->job->arena, &text, asking->job->err);
	if (text && (strstr(text, CONFIGURE_MARK) || configure_has_lines(text)))
		distribution->drop_in = distribution->last_drop_in;
	return r;
}

/* Uses the first form that loses no setting. If none does, the error is that of the first form. */
static int make_drop_in(const struct asking *asking, const struct engine_files *files,
			const struct toml_node *truth, const struct change *file,
			struct change *drop_in)
{
	struct containerd_form forms[CONTAINERD_FORMS_MAX];
	struct job *job = asking->job;
	size_t count = containerd_forms(files, asking->version, forms);
	int r = 0;

	for (size_t i = 0; i < count; i++) {
		const struct toml_node *others;
		struct error first = *job->err;
		char *ours = NULL;
		int tried =
			configure_containerd_drop_in(files, asking->version, truth, &forms[i],
						     &job->configure, job->arena, &ours, job->err);

		if (tried == 0)
			tried = configure_set_own(job, drop_in, ours, &others);
		if (tried == 0)
			tried = configure_check_result(asking, files, truth, file, drop_in, others);
		if (tried == 0 && drop_in->before && !containerd_merges_keys(asking->version))
			tried = configure_containerd_check_repeated(drop_in->before, drop_in->after,
								    drop_in->path, files,
								    job->arena, job->err);
		if (tried == 0)
			return 0;
		if (i > 0)
			*job->err = first;
		else
			r = tried;
	}
	return r;
}

/* In a folder that the distribution has imported, and merged key by key, k0s by itself. */
static int do_folder(struct asking *asking, const struct engine_files *files,
		     struct change *drop_in)
{
	const struct containerd_version merging = {2, 1};
	const struct containerd_form form = {containerd_format(files, asking->version), false};
	struct job *job = asking->job;
	const struct toml_node *others;
	char *text = NULL;
	int r = configure_open_change(job, asking->distribution.drop_in, CONFIGURE_MARK, drop_in);

	if (r == 0 && !job->remove && drop_in->before)
		r = configure_containerd_keep_options(drop_in->before, drop_in->path, files,
						      &job->configure, job->arena, job->err);
	if (r == 0 && !job->remove)
		r = configure_containerd_drop_in(files, merging, NULL, &form, &job->configure,
						 job->arena, &text, job->err);
	return r < 0 ? r : configure_set_own(job, drop_in, text, &others);
}

/* Removes the import together with the file. If others wrote lines in the file, both are kept. */
static int remove_import_and_file(const struct asking *asking, struct change *file,
				  struct change *drop_in)
{
	const struct toml_node *others;
	int r = configure_set_own(asking->job, drop_in, NULL, &others);

	if (r < 0)
		return r;
	file->after = file->before;
	if (!drop_in->after)
		return remove_import(asking, file);
	return drop_in->after == drop_in->before
		       ? 0
		       : configure_containerd_check_left(drop_in->after, drop_in->path,
							 asking->distribution.file, asking->version,
							 asking->job->arena, asking->job->err);
}

/* The two changes of an import. drop_in->before tells whether our file is there already. */
static int try_import(struct asking *asking, const struct engine_files *files,
		      const struct toml_node *truth, struct change *file, struct change *drop_in)
{
	struct job *job = asking->job;
	int r = configure_open_change(job, asking->distribution.file, asking->distribution.drop_in,
				      file);

	if (r == 0 && !job->remove)
		r = choose_import(asking, file);
	if (r < 0)
		return r;
	file->mark = asking->distribution.drop_in;
	r = configure_open_change(job, asking->distribution.drop_in, CONFIGURE_MARK, drop_in);
	if (r == 0 && !job->remove && drop_in->before)
		r = configure_containerd_keep_options(drop_in->before, drop_in->path, files,
						      &job->configure, job->arena, job->err);
	if (r < 0)
		return r;
	if (!job->remove)
		configure_containerd_limit_access(&job->root, files, &drop_in->access);
	return job->remove ? remove_import_and_file(asking, file, drop_in)
			   : make_drop_in(asking, files, truth, file, drop_in);
}

/* Behind all other imports, when a file behind ours overrides it. */
static int do_import(struct asking *asking, const struct engine_files *files,
		     const struct toml_node *truth, struct change *file, struct change *drop_in)
{
	struct containerd_distribution *distribution = &asking->distribution;
	const char *usual = distribution->drop_in;
	struct error *err = asking->job->err;
	struct error first;
	int r = try_import(asking, files, truth, file, drop_in);

	if (r == 0 || asking->job->remove || drop_in->before || !distribution->last_drop_in ||
	    string_equal(distribution->drop_in, distribution->last_drop_in))
		return r;
	first = *err;
	distribution->drop_in = distribution->last_drop_in;
	if (try_import(asking, files, truth, file, drop_in) == 0)
		return 0;
	distribution->drop_in = usual;
	*err = first;
	return r;
}

/* Our own file, when it is there, isn't what ours has to go with. */
static int load(struct asking *asking, struct engine_files *files)
{
	struct job *job = asking->job;
	const struct engine_overlay overlay = {asking->distribution.drop_in, NULL};
	const struct engine_overlay *overlays = overlay.path ? &overlay : NULL;
	struct containerd_distribution *distribution = &asking->distribution;
	struct engine_overlay without[2];
	char *main = NULL, *stripped = NULL;
	int r = 0;

	/* An import of a file that isn't read has to go, too. */
	if (distribution->place == CONTAINERD_IMPORT) {
		r = configure_read(&job->root, distribution->file, job->arena, &main, job->err);
		if (r == 0 && main)
			r = configure_containerd_without_import(main, distribution->file,
								distribution->drop_in, job->arena,
								&stripped, job->err);
		if (r < 0)
			return r;
		without[0] = overlay;
		without[1] = (struct engine_overlay){distribution->file, stripped};
		overlays = without;
	}
	return containerd_load(&job->root, distribution, overlays,
			       overlays == without ? 2
			       : overlays          ? 1
						   : 0,
			       job->arena, files, job->err);
}

static int truth_before(const struct asking *asking, const struct engine_files *files,
			struct toml_node **ret)
{
	*ret = NULL;
	/*
	 * k3s and similar distributions write their file when they start, so davit doesn't ask
	 * containerd.
	 */
	if (!asking->program.path || asking->job->remove ||
	    asking->distribution.place != CONTAINERD_IMPORT)
		return 0;
	return configure_ask(asking, files, NULL, ret);
}

static int run(struct asking *asking, struct change changes[static 2])
{
	struct job *job = asking->job;
	struct engine_files files = {0};
	const struct toml_node *settings;
	struct toml_node *truth = NULL;
	struct change *own, *file;
	bool is_import;
	int r = find_drop_in(asking);

	if (r == 0)
		r = load(asking, &files);
	if (r == 0)
		r = containerd_choose_place(&asking->distribution, &files, asking->version,
					    job->arena, job->err);
	/* The folder of k3s is known only now. */
	if (r == 0 && asking->distribution.place == CONTAINERD_FOLDER)
		r = load(asking, &files);
	if (r == 0 && !job->remove)
		r = containerd_check_format(&files, asking->version, job->err);
	if (r == 0)
		r = truth_before(asking, &files, &truth);
	if (r < 0)
		return r;
	settings = containerd_merge(&files, asking->version, job->arena);
	if (!settings)
		return error_memory(job->err);
	print_notes(asking, settings);
	job->replaced = containerd_base_program(settings, &job->configure);
	is_import = asking->distribution.place == CONTAINERD_IMPORT;
	/* An imported file must exist, so it is written before the import and removed after it. */
	own = &changes[is_import && job->remove];
	file = is_import ? &changes[!job->remove] : NULL;
	if (is_import)
		r = do_import(asking, &files, truth, file, own);
	else if (asking->distribution.place == CONTAINERD_FOLDER)
		r = do_folder(asking, &files, own);
	else
		r = configure_do_block(asking, &files, own);
	return r < 0 ? r : configure_check_default(asking, &files, own, file);
}

/* In rootlesskit's copies of /etc and /run, the default directories are links, in which containerd
 * finds no specs. The added ones are nerdctl's defaults for a rootless user. */
static int set_spec_dirs(struct job *job, const char *folder)
{
	const char *run = geteuid() ? configure_own_variable(job, "XDG_RUNTIME_DIR") : NULL;
	const char *const dirs[] = {
		"/etc/cdi", "/var/run/cdi",
		arena_printf(job->arena, "%.*s/cdi", (int)(strrchr(folder, '/') - folder), folder),
		run ? arena_printf(job->arena, "%s/cdi", run) : NULL};

	for (size_t i = 0; i < ARRAY_SIZE(dirs) - !run; i++)
		if (!dirs[i] || strings_add(job->arena, &job->configure.spec_dirs, dirs[i]) < 0)
			return error_memory(job->err);
	return 0;
}

/* The caller's own daemon, or the host's. */
static int find_daemon(struct asking *asking)
{
	struct containerd_distribution *distribution = &asking->distribution;
	struct job *job = asking->job;
	const char *rootless = job->file ? NULL : configure_find_rootless(job, ENGINE_CONTAINERD);
	int r = containerd_find_distribution(&job->root, rootless ? rootless : job->file,
					     job->arena, distribution, job->err);
	const char *folder;

	distribution->rootless |= rootless != NULL;
	if (r < 0 || !distribution->rootless)
		return r;
	folder = arena_strndup(job->arena, distribution->file,
			       (size_t)(strrchr(distribution->file, '/') - distribution->file));
	return folder ? set_spec_dirs(job, folder) : error_memory(job->err);
}

/* Every pod with a runtime that doesn't exist fails. Another root may get the program later. */
static int check_program(const struct job *job)
{
	const char *path = job->configure.runtime_path;
	struct stat st;

	/* A node gets it after the check. */
	if (job->remove || job->check || root_stat(&job->root, path, 0, &st) != -ENOENT)
		return 0;
	if (!job->dry_run && string_equal(job->root_path, "/"))
		return error_set(job->err, ERROR_BAD_CONFIG, ENOENT,
				 "name davit-runtime's path with --runtime-path",
				 "configure containerd: the runtime %s doesn't exist", path);
	(void)fprintf(stderr,
		      "davit: note: the runtime %s%s doesn't exist: install it there, or name its "
		      "path with --runtime-path\n",
		      configure_below(job), path);
	return 0;
}

/* Where davit writes, if that isn't the usual place. */
static void print_place(const struct asking *asking)
{
	const struct containerd_distribution *distribution = &asking->distribution;
	const struct job *job = asking->job;

	if (cli_is_quiet() || (job->whole && job->dry_run))
		return;
	if (distribution->name)
		(void)printf("%s writes its containerd's configuration: davit uses %s\n",
			     distribution->name, distribution->drop_in);
	else if (distribution->named_by)
		(void)printf("davit uses %s, which containerd reads (--config of %s)\n",
			     distribution->file, distribution->named_by);
}

int configure_do_containerd(struct job *job, struct change changes[static 2])
{
	struct asking asking = {.job = job, .program = {.fd = -1}};
	int r = check_program(job);

	if (r == 0)
		r = find_daemon(&asking);
	if (r < 0)
		return r;
	if (!asking.distribution.drop_in && asking.distribution.place == CONTAINERD_IMPORT)
		return error_memory(job->err);
	/* The user's file takes precedence over the distribution's. */
	if (job->drop_in) {
		asking.distribution.drop_in = job->drop_in;
		if (asking.distribution.place != CONTAINERD_FOLDER)
			asking.distribution.place = CONTAINERD_IMPORT;
	}
	/* No program of another root is run: it may have another architecture, or be incomplete. */
	if (string_equal(job->root_path, "/"))
		containerd_open_program(&job->root, &asking.distribution, job->arena,
					&asking.program);
	if (asking.program.others[0])
		(void)fprintf(stderr,
			      "davit: note: %s and %s have different versions, and neither of "
			      "them is running: what davit writes suits both\n",
			      asking.program.others[0], asking.program.others[1]);
	asking.version = asking.program.version;
	asking.distribution.skips_generated = job->remove;
	if (asking.program.globs_from_folder)
		asking.distribution.glob_folder =
			asking.program.folder ? asking.program.folder : "/";
	r = run(&asking, changes);
	fd_close(&asking.program.fd);
	if (r < 0)
		return r;
	print_place(&asking);
	if (asking.distribution.program) {
		const char *program = asking.distribution.program;

		job->programs = arena_strndup(job->arena, program,
					      (size_t)(strrchr(program, '/') - program));
		if (!job->programs)
			return error_memory(job->err);
	}
	job->restart =
		asking.distribution.rootless
			? "systemctl --user restart containerd"
			: configure_restart(&job->root, asking.distribution.services,
					    asking.distribution.services[1] ? 2 : 1, job->arena);
	return 0;
}

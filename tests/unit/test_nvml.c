// SPDX-License-Identifier: Apache-2.0
/* davit-nvml's start, its answer, its filter; and what the answer does to a selection. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../src/driver/nvml/nvml.h"
#include "davit/select.h"
#include "unit.h"

#define SHORT_MS 300

/* ---- running it ------------------------------------------------------------------------- */

struct outcome {
	int r;
	char *text;
	size_t length;
	struct error err;
};

static struct outcome run(const char *program, const char *mode, int timeout_ms,
			  struct arena *arena)
{
	struct outcome outcome = {0};
	AUTO_FD fd = nvml_open_program(&program, 1, &outcome.err);

	assert_true(fd >= 0);
	outcome.r = nvml_run(fd, &(struct nvml_question){.library = mode}, timeout_ms, arena,
			     &outcome.text, &outcome.length, &outcome.err);
	/* Whatever became of it: nobody is left behind. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	return outcome;
}

static void test_what_it_prints_is_returned(void **state)
{
	AUTO_ARENA arena = {0};
	struct outcome outcome = run(NVML_HELPER, "answer", 5000, &arena);

	(void)state;
	assert_int_equal(outcome.r, 0);
	assert_string_equal(outcome.text, "{\"ok\": 1}\n");
	assert_int_equal(outcome.length, strlen(outcome.text));
}

static void test_output_up_to_the_limit_is_returned(void **state)
{
	AUTO_ARENA arena = {0};
	struct outcome outcome = run(NVML_HELPER, "limit", 5000, &arena);

	(void)state;
	assert_int_equal(outcome.r, 0);
	assert_int_equal(outcome.length, NVML_OUTPUT_MAX);
}

static void test_much_on_stderr_does_not_block_it(void **state)
{
	AUTO_ARENA arena = {0};

	(void)state;
	assert_int_equal(run(NVML_HELPER, "flood-stderr", 5000, &arena).r, 0);
}

static uint64_t capabilities(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	assert_non_null(at);
	return strtoull(at + strlen(name), NULL, 16);
}

static void test_it_inherits_nothing(void **state)
{
	AUTO_ARENA arena = {0};
	int leaked = open("/dev/null", O_RDONLY);
	struct outcome outcome;
	sigset_t blocked, before;

	(void)state;
	assert_true(leaked >= 0);
	assert_int_equal(setenv("LD_PRELOAD", "", 1), 0);
	assert_int_equal(sigemptyset(&blocked), 0);
	assert_int_equal(sigaddset(&blocked, SIGUSR1), 0);
	assert_int_equal(sigprocmask(SIG_BLOCK, &blocked, &before), 0);
	(void)signal(SIGPIPE, SIG_IGN);
	outcome = run(NVML_HELPER, "status", 5000, &arena);
	(void)signal(SIGPIPE, SIG_DFL);
	assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
	assert_int_equal(unsetenv("LD_PRELOAD"), 0);
	assert_int_equal(close(leaked), 0);
	assert_int_equal(outcome.r, 0);
	/* SETGID, SETUID, SETPCAP, SYS_ADMIN at most: the sandbox is made with them. */
	assert_int_equal(capabilities(outcome.text, "CapPrm:\t") & ~UINT64_C(0x2001c0), 0);
	assert_int_equal(capabilities(outcome.text, "CapEff:\t") & ~UINT64_C(0x2001c0), 0);
	assert_non_null(strstr(outcome.text, "CapInh:\t0000000000000000\n"));
	assert_non_null(strstr(outcome.text, "CapAmb:\t0000000000000000\n"));
	assert_non_null(strstr(outcome.text, "NoNewPrivs:\t1\n"));
	assert_non_null(strstr(outcome.text, "SigBlk:\t0000000000000000\n"));
	assert_non_null(strstr(outcome.text, "SigIgn:\t0000000000000000\n"));
	assert_non_null(strstr(outcome.text, "\nenv LANG=C\nfd 0\nfd 1\nfd 2\nstdin /dev/null\n"));
}

static void test_an_ignored_sigchld_is_no_obstacle(void **state)
{
	AUTO_ARENA arena = {0};
	struct sigaction ours = {.sa_handler = SIG_IGN}, before, after;

	(void)state;
	assert_int_equal(sigaction(SIGCHLD, &ours, &before), 0);
	assert_int_equal(run(NVML_HELPER, "answer", 5000, &arena).r, 0);
	assert_int_equal(sigaction(SIGCHLD, &before, &after), 0);
	assert_true(after.sa_handler == SIG_IGN);
}

static void test_closed_standard_streams_are_no_obstacle(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		AUTO_ARENA arena = {0};
		const char *program = NVML_HELPER;
		struct error err;
		size_t length;
		char *text;
		int fd, r;

		for (fd = 0; fd < 3; fd++)
			(void)close(fd);
		fd = nvml_open_program(&program, 1, &err);
		r = nvml_run(fd, &(struct nvml_question){.library = "answer"}, 5000, &arena, &text,
			     &length, &err);
		_exit(r == 0 && strcmp(text, "{\"ok\": 1}\n") == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static const struct {
	const char *mode;
	int r;
	const char *message;
} failures[] = {
	{"fail", -EIO, "ask NVML: nvml is out of order"},
	{"fail-silently", -EIO, "ask NVML: davit-nvml exited with code 3"},
	{"signal", -EIO, "ask NVML: davit-nvml was killed by signal 15"},
	{"hang", -ETIMEDOUT, "ask NVML: there was no answer within 300 ms"},
	{"hang-closed", -ETIMEDOUT, "ask NVML: there was no answer within 300 ms"},
	{"flood", -EFBIG, "ask NVML: the answer has more than 256 KiB"},
};

static void test_each_failure_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
		AUTO_ARENA arena = {0};
		bool hangs = failures[i].r == -ETIMEDOUT;
		struct outcome outcome =
			run(NVML_HELPER, failures[i].mode, hangs ? SHORT_MS : 5000, &arena);

		assert_string_equal(outcome.err.message, failures[i].message);
		assert_int_equal(outcome.r, failures[i].r);
		assert_int_equal(outcome.err.code, ERROR_NO_DRIVER);
		assert_true(outcome.err.fix[0] != '\0');
	}
}

/* ---- the program ------------------------------------------------------------------------ */

static char directory[] = "/tmp/davit-test-nvml.XXXXXX";

static const char *in_directory(struct arena *arena, const char *name)
{
	return arena_printf(arena, "%s/%s", directory, name);
}

static const char *make_file(struct arena *arena, const char *name, const char *text, mode_t mode)
{
	const char *path = in_directory(arena, name);
	AUTO_FD fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(file_write(fd, text, strlen(text)), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	return path;
}

static int open_program(const char *path, struct error *err)
{
	AUTO_FD fd = nvml_open_program(&path, 1, err);

	return fd < 0 ? fd : 0;
}

static void test_the_program_must_be_ours_alone(void **state)
{
	AUTO_ARENA arena = {0};
	struct error err;
	const char *good = make_file(&arena, "good", "", 0755);
	const char *link = in_directory(&arena, "link");
	const char *paths[] = {in_directory(&arena, "absent"), good};
	AUTO_FD fd = -1;

	(void)state;
	assert_int_equal(open_program(good, &err), 0);
	fd = nvml_open_program(paths, 2, &err);
	assert_true(fd >= 0);
	assert_int_equal(open_program(paths[0], &err), -ENOENT);
	assert_int_equal(err.code, ERROR_NO_DRIVER);
	assert_non_null(strstr(err.message, "ask NVML: "));
	assert_int_equal(open_program(make_file(&arena, "group", "", 0775), &err), -EPERM);
	assert_non_null(strstr(err.message, "is writable by other users"));
	assert_int_equal(open_program(make_file(&arena, "others", "", 0757), &err), -EPERM);
	assert_int_equal(symlink(good, link), 0);
	assert_int_equal(open_program(link, &err), -EPERM);
	assert_non_null(strstr(err.message, "is not a regular file"));
	assert_int_equal(open_program(directory, &err), -EPERM);
	if (geteuid() == 0) {
		assert_int_equal(chown(good, 4321, (gid_t)-1), 0);
		assert_int_equal(open_program(good, &err), -EPERM);
		assert_non_null(strstr(err.message, "belongs to another user"));
	}
}

static void test_what_is_no_program_is_said(void **state)
{
	AUTO_ARENA arena = {0};
	const char *text = make_file(&arena, "text", "no program\n", 0755);
	const char *barred = make_file(&arena, "barred", "", 0644);

	(void)state;
	assert_string_equal(run(text, "", 5000, &arena).err.message,
			    "ask NVML: cannot start davit-nvml: Exec format error");
	assert_string_equal(run(barred, "", 5000, &arena).err.message,
			    "ask NVML: cannot start davit-nvml: Permission denied");
}

static int make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	static const char *const names[] = {"good", "group", "others", "link", "text", "barred"};
	AUTO_ARENA arena = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		(void)unlink(in_directory(&arena, names[i]));
	return rmdir(directory);
}

/* ---- davit-nvml itself ------------------------------------------------------------------ */

static void test_the_library_can_do_no_harm(void **state)
{
	static const char *const refused[] = {
		"create",  "truncate", "fork",    "clone",   "exec",  "inet",
		"netlink", "mount",    "unshare", "ptrace",  "kill",  "tgkill",
		"unlink",  "mknod",    "chmod",   "tiocsti", "limit", "dumpable",
	};
	AUTO_ARENA arena = {0};
	struct outcome outcome = run(NVML_PROGRAM, NVML_PROBE, 5000, &arena);

	(void)state;
	assert_string_equal(outcome.err.message, "");
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		assert_non_null(
			strstr(outcome.text, arena_printf(&arena, "\"%s EPERM\"", refused[i])));
	assert_non_null(strstr(outcome.text, "\"clone3 ENOSYS\""));
	assert_non_null(strstr(outcome.text, "\"unix EPERM\""));
	assert_non_null(strstr(outcome.text, "\"read done\""));
	assert_non_null(strstr(outcome.text, "{\"driver\":\"1????\",\"cuda\":null,\"gpus\":[{"));
	assert_non_null(strstr(outcome.text, "\"brand\":null,\"arch\":null,\"mig\":false"));
}

static void test_what_is_no_nvml_is_said(void **state)
{
	AUTO_ARENA arena = {0};
	struct outcome absent = run(NVML_PROGRAM, "/nonexistent/libnvidia-ml.so.1", 5000, &arena);
	struct outcome relative = run(NVML_PROGRAM, "libnvidia-ml.so.1", 5000, &arena);

	(void)state;
	assert_int_equal(absent.r, -EIO);
	assert_non_null(strstr(absent.err.message, "ask NVML: davit-nvml: cannot load the library: "
						   "/nonexistent/libnvidia-ml.so.1"));
	assert_int_equal(relative.r, -EIO);
	assert_non_null(strstr(relative.err.message, "usage: davit-nvml LIBRARY"));
}

/* ---- the answer ------------------------------------------------------------------------- */

#define UNKNOWN_UUID "GPU-\?\?\?\?\?\?\?\?-\?\?\?\?-\?\?\?\?-\?\?\?\?-\?\?\?\?\?\?\?\?\?\?\?\?"
#define GPU0 "GPU-00000000-1111-2222-3333-444444444444"
#define GPU1 "GPU-55555555-1111-2222-3333-444444444444"
#define MIG_A "MIG-aaaaaaaa-1111-2222-3333-444444444444"
#define MIG_B "MIG-bbbbbbbb-1111-2222-3333-444444444444"

struct host {
	struct mig_instance instances[2];
	struct gpu gpus[2];
	struct driver driver;
};

static void make_host(struct host *host)
{
	*host = (struct host){.driver.version = "580.159.04"};
	host->instances[0] = (struct mig_instance){1, 0, .gi_minor = 12, .ci_minor = 13};
	host->instances[1] = (struct mig_instance){2, 0, .gi_minor = 21, .ci_minor = 22};
	host->gpus[0] = (struct gpu){.uuid = UNKNOWN_UUID, .bus_id = "0000:00:06.0"};
	host->gpus[1] =
		(struct gpu){.index = 1, .minor = 1, .uuid = GPU1, .bus_id = "0000:00:07.0"};
	host->gpus[0].mig = (struct mig_instances){host->instances, 2, 2};
	host->driver.gpus = (struct gpus){host->gpus, 2, 2};
}

#include "nvml_answers.inc"

static int merge(struct host *host, const char *text, struct arena *arena, struct error *err)
{
	*err = (struct error){0};
	return nvml_answer_merge(text, strlen(text), arena, &host->driver, err);
}

static void test_the_answer_fills_in_what_proc_lacks(void **state)
{
	AUTO_ARENA arena = {0};
	const struct mig_instances *mig;
	struct host host;
	struct error err;

	(void)state;
	make_host(&host);
	mig = &host.gpus[0].mig;
	assert_int_equal(merge(&host, GOOD, &arena, &err), 0);
	assert_string_equal(host.driver.cuda_version, "13.0");
	assert_string_equal(host.gpus[0].uuid, GPU0);
	assert_string_equal(host.gpus[0].brand, "tesla");
	assert_string_equal(host.gpus[0].arch, "9.0");
	assert_string_equal(host.gpus[1].brand, "geforce");
	assert_int_equal(mig->count, 2);
	assert_string_equal(mig->items[0].uuid, MIG_B);
	assert_int_equal(mig->items[0].gi_minor, 21);
	assert_string_equal(mig->items[1].uuid, MIG_A);
	assert_int_equal(mig->items[1].ci_minor, 13);
	/* As they were, for who holds them. */
	assert_int_equal(host.instances[0].gpu_instance, 1);
	assert_string_equal(host.instances[0].uuid, MIG_A);
}

static void test_what_nvml_does_not_know_stays_as_it_is(void **state)
{
	AUTO_ARENA arena = {0};
	struct host host;
	struct error err;

	(void)state;
	make_host(&host);
	host.driver.cuda_version = "12.9";
	assert_int_equal(
		merge(&host,
		      ANSWER(GPU_0("\"brand\": null, " INSTANCES(INSTANCE(MIG_B, "2", "0")))),
		      &arena, &err),
		0);
	assert_string_equal(host.driver.cuda_version, "12.9");
	assert_null(host.gpus[0].brand);
	assert_null(host.gpus[0].arch);
	assert_null(host.gpus[1].brand);
	assert_int_equal(host.gpus[0].mig.items[0].gpu_instance, 2);
	assert_int_equal(host.gpus[0].mig.items[1].gpu_instance, 1);
	assert_null(host.gpus[0].mig.items[1].uuid);
	assert_int_equal(merge(&host, ANSWER(""), &arena, &err), 0);
}

static void test_an_odd_answer_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(odd_answers); i++) {
		AUTO_ARENA arena = {0};
		struct host host;
		struct error err;

		make_host(&host);
		if (merge(&host, odd_answers[i].text, &arena, &err) >= 0)
			fail_msg("taken: %s", odd_answers[i].text);
		if (!string_starts(err.message, odd_answers[i].message))
			fail_msg("%s: %s", odd_answers[i].text, err.message);
		assert_int_equal(err.code, ERROR_NO_DRIVER);
		assert_true(err.fix[0] != '\0');
	}
}

#include "nvml_selecting.inc"

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_it_prints_is_returned),
		cmocka_unit_test(test_output_up_to_the_limit_is_returned),
		cmocka_unit_test(test_much_on_stderr_does_not_block_it),
		cmocka_unit_test(test_it_inherits_nothing),
		cmocka_unit_test(test_an_ignored_sigchld_is_no_obstacle),
		cmocka_unit_test(test_closed_standard_streams_are_no_obstacle),
		cmocka_unit_test(test_each_failure_is_named),
		cmocka_unit_test(test_the_program_must_be_ours_alone),
		cmocka_unit_test(test_what_is_no_program_is_said),
		cmocka_unit_test(test_the_library_can_do_no_harm),
		cmocka_unit_test(test_what_is_no_nvml_is_said),
		cmocka_unit_test(test_the_answer_fills_in_what_proc_lacks),
		cmocka_unit_test(test_what_nvml_does_not_know_stays_as_it_is),
		cmocka_unit_test(test_an_odd_answer_is_refused),
		cmocka_unit_test(test_nvml_is_needed_for_names_that_only_it_knows),
		cmocka_unit_test(test_one_instance_needs_no_order),
		cmocka_unit_test(test_places_are_in_nvmls_order),
		cmocka_unit_test(test_a_selection_made_before_stays_good),
		cmocka_unit_test(test_an_unknown_instance_names_those_there_are),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}

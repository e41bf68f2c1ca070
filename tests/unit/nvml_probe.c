// SPDX-License-Identifier: Apache-2.0
/*
 * A libnvidia-ml that tries what davit-nvml must not let one do: each of its GPUs is an attempt,
 * and the UUID says what came of it. It has the oldest names only, so it shows that those do.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define PLACE "/tmp/davit-nvml-probe"

static long try_create(void)
{
	return open(PLACE, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

static long try_truncate(void)
{
	return open("/dev/null", O_WRONLY | O_TRUNC | O_CLOEXEC);
}

static long try_fork(void)
{
#ifdef SYS_fork
	long pid = syscall(SYS_fork);
#else /* arm64 has clone alone: without a signal, as vfork's child is told by no other */
	long pid = syscall(SYS_clone, 0, 0, 0, 0, 0);
#endif

	if (pid == 0)
		_exit(0);
	return pid;
}

static long try_clone(void)
{
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return pid;
}

static long try_exec(void)
{
	char *const arguments[] = {(char[]){"true"}, NULL};

	return execve("/bin/true", arguments, arguments + 1);
}

static long try_inet(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static long try_netlink(void)
{
	return socket(AF_NETLINK, SOCK_RAW, 0);
}

static long try_mount(void)
{
	return mount("none", "/mnt", "tmpfs", 0, NULL);
}

static long try_unshare(void)
{
	return unshare(CLONE_NEWUSER);
}

static long try_ptrace(void)
{
	return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static long try_kill(void)
{
	return kill(getppid(), 0);
}

static long try_tgkill(void)
{
	return syscall(SYS_tgkill, getppid(), getppid(), 0);
}

static long try_unlink(void)
{
	return unlink(PLACE);
}

static long try_mknod(void)
{
	return mknod(PLACE, S_IFCHR | 0600, makedev(195, 0));
}

static long try_chmod(void)
{
	return chmod("/dev/null", 0666);
}

static long try_tiocsti(void)
{
	char c = 'x';

	return ioctl(0, TIOCSTI, &c);
}

static long try_limit(void)
{
	struct rlimit limit = {1024, 1024};

	return prlimit(0, RLIMIT_FSIZE, &limit, NULL);
}

static long try_dumpable(void)
{
	return prctl(PR_SET_DUMPABLE, 1);
}

static long try_thread_of_old(void)
{
	return syscall(SYS_clone3, NULL, 0);
}

static long try_unix(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static long try_read(void)
{
	return open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
}

static const struct {
	const char *name;
	long (*attempt)(void);
} attempts[] = {
	{"create", try_create},        {"truncate", try_truncate}, {"fork", try_fork},
	{"clone", try_clone},          {"exec", try_exec},         {"inet", try_inet},
	{"netlink", try_netlink},      {"mount", try_mount},       {"unshare", try_unshare},
	{"ptrace", try_ptrace},        {"kill", try_kill},         {"tgkill", try_tgkill},
	{"unlink", try_unlink},        {"mknod", try_mknod},       {"chmod", try_chmod},
	{"tiocsti", try_tiocsti},      {"limit", try_limit},       {"dumpable", try_dumpable},
	{"clone3", try_thread_of_old}, {"unix", try_unix},         {"read", try_read},
};
#define COUNT (sizeof(attempts) / sizeof(attempts[0]))

struct pci_info {
	char bus_id[16];
	unsigned domain, bus, device, pci_device_id;
};

#define EXPORT __attribute__((visibility("default")))
EXPORT int nvmlInit(void);
EXPORT int nvmlDeviceGetCount(unsigned *count);
EXPORT int nvmlDeviceGetHandleByIndex(unsigned index, void **device);
EXPORT int nvmlDeviceGetPciInfo(const void *device, struct pci_info *info);
EXPORT int nvmlDeviceGetUUID(const void *device, char *uuid, unsigned length);
EXPORT int nvmlSystemGetDriverVersion(char *version, unsigned length);

int nvmlInit(void)
{
	return 0;
}

int nvmlDeviceGetCount(unsigned *count)
{
	*count = COUNT;
	return 0;
}

int nvmlDeviceGetHandleByIndex(unsigned index, void **device)
{
	static unsigned indices[COUNT];

	indices[index] = index;
	*device = &indices[index];
	return 0;
}

int nvmlDeviceGetPciInfo(const void *device, struct pci_info *info)
{
	*info = (struct pci_info){.bus = *(const unsigned *)device};
	return 0;
}

int nvmlDeviceGetUUID(const void *device, char *uuid, unsigned length)
{
	unsigned index = *(const unsigned *)device;
	long r = attempts[index].attempt();

	(void)snprintf(uuid, length, "%s %s", attempts[index].name,
		       r >= 0 ? "done" : strerrorname_np(errno));
	return 0;
}

/* What would end a text of JSON. */
int nvmlSystemGetDriverVersion(char *version, unsigned length)
{
	(void)snprintf(version, length, "1\"\\\n\xff");
	return 0;
}

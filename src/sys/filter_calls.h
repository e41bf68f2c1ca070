// SPDX-License-Identifier: Apache-2.0
/*
 * The hook's system calls, by purpose. filter/make_filter.c converts the lists to filter programs
 * at build time, so that the hook installs one with a single call. Once the driver is known, a call
 * outside the first list kills the hook. Before that, a call outside both lists is refused.
 */
#pragma once

/* clang-format off */

/* For calls that libseccomp 2.5 doesn't know by name. Numbers from 424 are the same everywhere. */
#ifndef NUMBERED_CALL
#define NUMBERED_CALL(number)
#endif

/* From parsing the container's input to the end. */
#define FILTER_CALLS_ALWAYS(CALL) \
	/* memory */ \
	CALL(brk) CALL(madvise) CALL(mmap) CALL(mprotect) CALL(mremap) CALL(munmap) \
	/* files */ \
	CALL(close) CALL(faccessat) CALL(faccessat2) CALL(fcntl) CALL(fstat) CALL(fstatfs) \
	CALL(getdents64) CALL(lseek) CALL(newfstatat) CALL(openat) CALL(openat2) CALL(pread64) \
	CALL(read) CALL(readlink) CALL(readlinkat) CALL(statfs) CALL(statx) CALL(write) \
	/* creating files in the container, or nodes in the host's /dev */ \
	CALL(fchmod) CALL(fchmodat) CALL(fchown) CALL(fchownat) CALL(mkdirat) CALL(mknodat) \
	CALL(renameat) CALL(renameat2) CALL(symlinkat) CALL(unlinkat) CALL(utimensat) \
	/* the kernel's release, for the places of firmware */ \
	CALL(uname) \
	/* mounts */ \
	CALL(fchdir) CALL(fsconfig) CALL(fsmount) CALL(fsopen) CALL(mount) CALL(mount_setattr) \
	CALL(move_mount) CALL(open_tree) CALL(setns) NUMBERED_CALL(457) /* statmount, Linux 6.8 */ \
	/* the device filter */ \
	CALL(bpf) \
	/* identity, and dropping privileges */ \
	CALL(capget) CALL(capset) CALL(getegid) CALL(geteuid) CALL(getgid) CALL(getpid) \
	CALL(gettid) CALL(getuid) CALL(prctl) CALL(setfsgid) CALL(setfsuid) \
	/* the C library, and exiting */ \
	CALL(clock_gettime) CALL(clock_nanosleep) CALL(exit) CALL(exit_group) CALL(futex) CALL(getrandom) \
	CALL(rt_sigprocmask) CALL(rt_sigreturn) CALL(tgkill)

/*
 * Also allowed until the driver is known: starting davit-nvml and modprobe, and the calls of these
 * programs, since they inherit the filter. (davit-nvml's own filter, src/nvml/filter.c, is
 * narrower. modprobe may run a shell for an `install` line of its configuration.)
 */
#define FILTER_CALLS_REQUEST(CALL) \
	/* starting a program, waiting for it */ \
	CALL(clone) CALL(clone3) CALL(close_range) CALL(dup) CALL(dup2) CALL(dup3) CALL(execve) \
	CALL(execveat) CALL(fork) CALL(kill) CALL(pipe) CALL(pipe2) CALL(poll) CALL(ppoll) \
	CALL(prlimit64) CALL(rt_sigaction) CALL(rt_sigsuspend) CALL(rt_sigtimedwait) \
	CALL(seccomp) CALL(setgroups) CALL(setitimer) CALL(setpgid) CALL(setrlimit) CALL(setsid) CALL(vfork) \
	CALL(wait4) CALL(waitid) \
	/* davit-nvml's sandbox */ \
	CALL(landlock_add_rule) CALL(landlock_create_ruleset) CALL(landlock_restrict_self) \
	CALL(pivot_root) CALL(setresgid) CALL(setresuid) CALL(umount2) \
	/* modprobe, and a shell that it may run */ \
	CALL(chdir) CALL(chmod) CALL(chown) CALL(fadvise64) CALL(finit_module) CALL(flock) \
	CALL(init_module) CALL(link) CALL(linkat) CALL(mkdir) CALL(mknod) CALL(rename) CALL(rmdir) \
	CALL(symlink) CALL(unlink) \
	/* the loader and libraries of these programs */ \
	CALL(access) CALL(arch_prctl) CALL(clock_getres) CALL(connect) \
	CALL(epoll_create1) CALL(epoll_ctl) CALL(epoll_pwait) CALL(epoll_wait) CALL(eventfd2) \
	CALL(get_mempolicy) CALL(get_robust_list) CALL(getcpu) CALL(getcwd) CALL(getdents) \
	CALL(getgroups) CALL(getpeername) CALL(getpgid) CALL(getpgrp) CALL(getppid) \
	CALL(getresgid) CALL(getresuid) CALL(getrlimit) CALL(getrusage) CALL(getsockname) \
	CALL(getsockopt) CALL(gettimeofday) CALL(ioctl) CALL(lstat) CALL(membarrier) \
	CALL(mincore) CALL(nanosleep) CALL(open) CALL(preadv) CALL(pselect6) CALL(readv) \
	CALL(recvfrom) CALL(recvmsg) CALL(restart_syscall) CALL(rseq) \
	CALL(sched_get_priority_max) CALL(sched_get_priority_min) CALL(sched_getaffinity) \
	CALL(sched_getparam) CALL(sched_getscheduler) CALL(sched_yield) CALL(select) \
	CALL(sendmsg) CALL(sendto) CALL(set_robust_list) CALL(set_tid_address) CALL(setsockopt) \
	CALL(shutdown) CALL(sigaltstack) CALL(socket) CALL(stat) CALL(sysinfo) \
	CALL(time) CALL(times) CALL(umask) CALL(writev)

/* clang-format on */

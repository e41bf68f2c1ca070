// SPDX-License-Identifier: Apache-2.0
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "davit/sys.h"

#define INSTRUCTIONS_MAX 65536 /* the limit for a program of the runtime */
#define FIRST_READ 256         /* runtimes' own are shorter */

static int sys_bpf(enum bpf_cmd command, union bpf_attr *attr)
{
	int r = (int)syscall(SYS_bpf, command, attr, sizeof(*attr));

	return r < 0 ? -errno : r;
}

static uint64_t pointer(const void *memory)
{
	return (uint64_t)(uintptr_t)memory;
}

int bpf_query_device(int cgroup_fd, struct bpf_programs *ret)
{
	union bpf_attr attr = {0};
	int r;

	attr.query.target_fd = (uint32_t)cgroup_fd;
	attr.query.attach_type = BPF_CGROUP_DEVICE;
	attr.query.prog_ids = pointer(ret->ids);
	attr.query.prog_cnt = ARRAY_SIZE(ret->ids);
	r = sys_bpf(BPF_PROG_QUERY, &attr);
	if (r < 0)
		return r;
	ret->count = attr.query.prog_cnt;
	ret->attach_flags = attr.query.attach_flags;
	return 0;
}

static int read_info(int fd, struct bpf_prog_info *info)
{
	union bpf_attr attr = {0};

	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof(*info);
	attr.info.info = pointer(info);
	return sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);
}

int bpf_open_program(uint32_t id, struct arena *arena, int *ret_fd, struct bpf_insn **ret,
		     size_t *ret_count)
{
	union bpf_attr attr = {.prog_id = id};
	struct bpf_prog_info info;
	uint32_t length = FIRST_READ * sizeof(**ret), room = 0;
	int r;
	AUTO_FD fd = sys_bpf(BPF_PROG_GET_FD_BY_ID, &attr);

	if (fd < 0)
		return fd;
	/* If the program is longer, the kernel reports its length, so read it again. */
	while (room < length) {
		room = length;
		*ret = arena_alloc(arena, room);
		if (!*ret)
			return -ENOMEM;
		info = (struct bpf_prog_info){.xlated_prog_len = room,
					      .xlated_prog_insns = pointer(*ret)};
		r = read_info(fd, &info);
		if (r < 0)
			return r;
		length = info.xlated_prog_len;
		if (length > INSTRUCTIONS_MAX * sizeof(**ret))
			return -EACCES;
	}
	/*
	 * One of these is 0 if the kernel hides the instructions (net.core.bpf_jit_harden, or no
	 * capability).
	 */
	if (length == 0 || info.xlated_prog_insns == 0 || info.type != BPF_PROG_TYPE_CGROUP_DEVICE)
		return -EACCES;
	*ret_count = length / sizeof(**ret);
	*ret_fd = fd_take(&fd);
	return 0;
}

int bpf_load_device(const struct bpf_insn *program, size_t count)
{
	static const char license[] = "Apache-2.0";
	union bpf_attr attr = {0};

	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insns = pointer(program);
	attr.insn_cnt = (uint32_t)count;
	attr.license = pointer(license);
	(void)memcpy(attr.prog_name, "davit", sizeof("davit"));
	return sys_bpf(BPF_PROG_LOAD, &attr);
}

static int attach(enum bpf_cmd command, int cgroup_fd, int program_fd, uint32_t flags,
		  int replaced_fd)
{
	union bpf_attr attr = {0};

	attr.target_fd = (uint32_t)cgroup_fd;
	attr.attach_bpf_fd = (uint32_t)program_fd;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = flags;
	if (replaced_fd >= 0)
		attr.replace_bpf_fd = (uint32_t)replaced_fd;
	return sys_bpf(command, &attr);
}

int bpf_attach_device(int cgroup_fd, int program_fd)
{
	return attach(BPF_PROG_ATTACH, cgroup_fd, program_fd, BPF_F_ALLOW_MULTI, -1);
}

int bpf_replace_device(int cgroup_fd, uint32_t attach_flags, int old_fd, int new_fd)
{
	int r;

	/*
	 * Without BPF_F_ALLOW_MULTI there is one program, and attaching another replaces it at
	 * once.
	 */
	if (!(attach_flags & BPF_F_ALLOW_MULTI))
		return attach(BPF_PROG_ATTACH, cgroup_fd, new_fd, attach_flags, -1);
	r = attach(BPF_PROG_ATTACH, cgroup_fd, new_fd, attach_flags | BPF_F_REPLACE, old_fd);
	if (r != -EINVAL)
		return r;
	/*
	 * Before Linux 5.6. While both are attached, both must allow an access: stricter, never
	 * permissive.
	 */
	r = attach(BPF_PROG_ATTACH, cgroup_fd, new_fd, attach_flags, -1);
	if (r < 0)
		return r;
	return attach(BPF_PROG_DETACH, cgroup_fd, old_fd, 0, -1);
}

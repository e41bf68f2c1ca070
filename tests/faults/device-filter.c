// SPDX-License-Identifier: Apache-2.0
/*
 * device-filter attach CGROUP: attaches a device program that allows everything, as a runtime does,
 * so that other programs may be attached beside it.
 * device-filter deny CGROUP MAJOR MINOR: one that refuses this device alone, as Slurm and LXC do.
 * device-filter count CGROUP: how many device programs are attached to it.
 * device-filter loaded: how many programs of the name "davit" the kernel has.
 */
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int attach(int cgroup, int major, int minor)
{
	const struct bpf_insn instructions[] = {
		{.code = BPF_LDX | BPF_MEM | BPF_W,
		 .dst_reg = BPF_REG_2,
		 .src_reg = BPF_REG_1,
		 .off = offsetof(struct bpf_cgroup_dev_ctx, major)},
		{.code = BPF_JMP | BPF_JNE | BPF_K, .dst_reg = BPF_REG_2, .off = 4, .imm = major},
		{.code = BPF_LDX | BPF_MEM | BPF_W,
		 .dst_reg = BPF_REG_2,
		 .src_reg = BPF_REG_1,
		 .off = offsetof(struct bpf_cgroup_dev_ctx, minor)},
		{.code = BPF_JMP | BPF_JNE | BPF_K, .dst_reg = BPF_REG_2, .off = 2, .imm = minor},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr load = {.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
			       .insns = (uintptr_t)instructions,
			       .insn_cnt = sizeof(instructions) / sizeof(instructions[0]),
			       .license = (uintptr_t) "Apache-2.0"};
	union bpf_attr attr = {.target_fd = (uint32_t)cgroup,
			       .attach_type = BPF_CGROUP_DEVICE,
			       .attach_flags = BPF_F_ALLOW_MULTI};
	int program = bpf(BPF_PROG_LOAD, &load);

	attr.attach_bpf_fd = (uint32_t)program;
	return program < 0 ? program : bpf(BPF_PROG_ATTACH, &attr);
}

static int count(int cgroup)
{
	union bpf_attr attr = {.query.target_fd = (uint32_t)cgroup,
			       .query.attach_type = BPF_CGROUP_DEVICE};

	return bpf(BPF_PROG_QUERY, &attr) < 0 ? -1 : (int)attr.query.prog_cnt;
}

static int loaded(void)
{
	union bpf_attr attr = {0};
	int found = 0;

	while (bpf(BPF_PROG_GET_NEXT_ID, &attr) == 0) {
		struct bpf_prog_info info = {0};
		union bpf_attr open_attr = {.prog_id = attr.next_id};
		union bpf_attr info_attr = {0};
		int fd = bpf(BPF_PROG_GET_FD_BY_ID, &open_attr);

		info_attr.info.bpf_fd = (uint32_t)fd;
		info_attr.info.info_len = sizeof(info);
		info_attr.info.info = (uintptr_t)&info;
		if (fd >= 0 && bpf(BPF_OBJ_GET_INFO_BY_FD, &info_attr) == 0 &&
		    strcmp(info.name, "davit") == 0)
			found++;
		(void)close(fd);
		attr = (union bpf_attr){.start_id = open_attr.prog_id};
	}
	return found;
}

int main(int argc, char **argv)
{
	bool deny = argc == 5 && strcmp(argv[1], "deny") == 0;
	int cgroup = argc == 3 || deny ? open(argv[2], O_RDONLY | O_DIRECTORY) : -1;

	if (argc == 2 && strcmp(argv[1], "loaded") == 0)
		return printf("%d\n", loaded()) < 0;
	if (cgroup < 0) {
		(void)fputs(
			"usage: device-filter attach|count CGROUP | deny CGROUP MAJOR MINOR | loaded\n",
			stderr);
		return 2;
	}
	if (strcmp(argv[1], "count") == 0)
		return printf("%d\n", count(cgroup)) < 0;
	/* There is no device with those numbers. */
	if (attach(cgroup, deny ? atoi(argv[3]) : -1, deny ? atoi(argv[4]) : -1) < 0) {
		perror("device-filter");
		return 1;
	}
	return 0;
}

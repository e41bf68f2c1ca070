// SPDX-License-Identifier: Apache-2.0
/* The device filter, run by a small interpreter; and what is said to systemd. */
#include <fcntl.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "../../src/apply/systemd.h"
#include "davit/apply.h"
#include "unit.h"

/* ---- the device filter ------------------------------------------------------------------ */

/* Just the instructions that device programs have; anything else fails the test. */
static uint32_t run_program(const struct bpf_insn *program, size_t count,
			    const struct bpf_cgroup_dev_ctx *context)
{
	uint64_t regs[11] = {0};
	size_t at = 0;

	for (int steps = 0; steps < 100000; steps++, at++) {
		const struct bpf_insn *i = &program[at];
		uint64_t *dst = &regs[i->dst_reg], src = regs[i->src_reg];
		uint64_t imm = (uint64_t)(int64_t)i->imm;

		assert_true(at < count);
		switch (i->code) {
		case BPF_LDX | BPF_MEM | BPF_W: {
			uint32_t word;

			assert_int_equal(i->src_reg, BPF_REG_1);
			memcpy(&word, (const char *)context + i->off, sizeof(word));
			*dst = word;
			break;
		}
		case BPF_ALU64 | BPF_MOV | BPF_X:
			*dst = src;
			break;
		case BPF_ALU64 | BPF_MOV | BPF_K:
			*dst = imm;
			break;
		case BPF_ALU64 | BPF_AND | BPF_K:
			*dst &= imm;
			break;
		case BPF_ALU64 | BPF_LSH | BPF_K:
			*dst <<= imm;
			break;
		case BPF_ALU64 | BPF_OR | BPF_X:
			*dst |= src;
			break;
		case BPF_LD | BPF_IMM | BPF_DW:
			assert_true(++at < count);
			*dst = (uint32_t)i->imm | (uint64_t)(uint32_t)i[1].imm << 32;
			break;
		case BPF_JMP | BPF_JA:
			at += (size_t)i->off;
			break;
		case BPF_JMP | BPF_JEQ | BPF_X:
			at += *dst == src ? (size_t)i->off : 0;
			break;
		case BPF_JMP | BPF_JNE | BPF_K:
			at += *dst != imm ? (size_t)i->off : 0;
			break;
		case BPF_JMP | BPF_EXIT:
			return (uint32_t)regs[0];
		default:
			fail_msg("instruction %zu: code %#x", at, i->code);
		}
	}
	fail_msg("no end");
	return 0;
}

static const struct bpf_insn deny_all[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K},
					   {.code = BPF_JMP | BPF_EXIT}};
static const struct bpf_insn allow_all[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 1},
					    {.code = BPF_JMP | BPF_EXIT}};

static bool filter_allows(const struct plan *plan, const struct bpf_insn *original, size_t count,
			  uint32_t type, uint32_t access, uint32_t major, uint32_t minor)
{
	const struct bpf_cgroup_dev_ctx context = {access << 16 | type, major, minor};
	struct bpf_insn *program;
	AUTO_ARENA arena = {0};

	assert_int_equal(device_filter_build(plan, original, count, &arena, &program, &count), 0);
	return run_program(program, count, &context) == 1;
}

static void the_filter_opens_the_plans_devices_alone(void **state)
{
	struct operation operations[] = {
		{.kind = OPERATION_DEVICE_RULE, .major = 195, .minor = 255},
		{.kind = OPERATION_BIND},
		{.kind = OPERATION_DEVICE_RULE, .major = 195, .minor = 0},
		{.kind = OPERATION_DEVICE_RULE, .major = 511, .minor = 1048575},
		{.kind = OPERATION_DEVICE_RULE, .major = 4095, .minor = 0x80000000},
	};
	const struct plan plan = {.items = operations, .count = ARRAY_SIZE(operations)};
	static const struct {
		uint32_t type, access, major, minor;
		bool allowed;
	} cases[] = {
		{BPF_DEVCG_DEV_CHAR, BPF_DEVCG_ACC_READ, 195, 255, true},
		{BPF_DEVCG_DEV_CHAR, BPF_DEVCG_ACC_WRITE, 195, 0, true},
		{BPF_DEVCG_DEV_CHAR, BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE, 195, 0, true},
		{BPF_DEVCG_DEV_CHAR, BPF_DEVCG_ACC_READ, 511, 1048575, true},
		{BPF_DEVCG_DEV_CHAR, BPF_DEVCG_ACC_READ, 4095, 0x80000000, true},
		{BPF_DEVCG_DEV_CHAR, BPF_DEVCG_ACC_READ, 4095, 0, false},
		{BPF_DEVCG_DEV_CHAR, BPF_DEVCG_ACC_READ, 0xffffffff, 0x80000000, false},
		{BPF_DEVCG_DEV_CHAR, BPF_DEVCG_ACC_READ, 195, 1, false},
		{BPF_DEVCG_DEV_CHAR, BPF_DEVCG_ACC_READ, 196, 0, false},
		{BPF_DEVCG_DEV_CHAR, BPF_DEVCG_ACC_READ, 195, 1048575, false},
		{BPF_DEVCG_DEV_CHAR, BPF_DEVCG_ACC_READ, 0, 195, false},
		{BPF_DEVCG_DEV_BLOCK, BPF_DEVCG_ACC_READ, 195, 0, false},
		{BPF_DEVCG_DEV_CHAR, BPF_DEVCG_ACC_MKNOD, 195, 0, false},
		{BPF_DEVCG_DEV_CHAR, BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ, 195, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(filter_allows(&plan, deny_all, 2, cases[i].type, cases[i].access,
					       cases[i].major, cases[i].minor),
				 cases[i].allowed);
		/* No attached program is as good as one that denies. */
		assert_int_equal(filter_allows(&plan, NULL, 0, cases[i].type, cases[i].access,
					       cases[i].major, cases[i].minor),
				 cases[i].allowed);
		/* What the original allows stays allowed. */
		assert_true(filter_allows(&plan, allow_all, 2, cases[i].type, cases[i].access,
					  cases[i].major, cases[i].minor));
	}
}

/* Devices of CDI specs: block devices, and less than both ways. */
static void the_filter_keeps_to_type_and_access(void **state)
{
	struct operation operations[] = {
		{.kind = OPERATION_DEVICE_RULE,
		 .major = 195,
		 .minor = 0,
		 .block = false,
		 .access = ACCESS_READ_WRITE},
		{.kind = OPERATION_DEVICE_RULE,
		 .major = 8,
		 .minor = 1,
		 .block = true,
		 .access = ACCESS_READ_WRITE},
		{.kind = OPERATION_DEVICE_RULE,
		 .major = 9,
		 .minor = 1,
		 .block = false,
		 .access = ACCESS_READ},
		{.kind = OPERATION_DEVICE_RULE,
		 .major = 9,
		 .minor = 2,
		 .block = false,
		 .access = ACCESS_WRITE},
		{.kind = OPERATION_DEVICE_RULE,
		 .major = 9,
		 .minor = 3,
		 .block = true,
		 .access = ACCESS_READ},
	};
	const struct plan plan = {.items = operations, .count = ARRAY_SIZE(operations)};
	static const struct {
		uint32_t type, access, major, minor;
		bool allowed;
	} cases[] = {
		{BPF_DEVCG_DEV_CHAR, BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE, 195, 0, true},
		{BPF_DEVCG_DEV_BLOCK, BPF_DEVCG_ACC_READ, 195, 0, false},
		{BPF_DEVCG_DEV_BLOCK, BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE, 8, 1, true},
		{BPF_DEVCG_DEV_BLOCK, BPF_DEVCG_ACC_MKNOD, 8, 1, false},
		{BPF_DEVCG_DEV_CHAR, BPF_DEVCG_ACC_READ, 8, 1, false},
		{BPF_DEVCG_DEV_CHAR, BPF_DEVCG_ACC_READ, 9, 1, true},
		{BPF_DEVCG_DEV_CHAR, BPF_DEVCG_ACC_WRITE, 9, 1, false},
		{BPF_DEVCG_DEV_CHAR, BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE, 9, 1, false},
		{BPF_DEVCG_DEV_CHAR, BPF_DEVCG_ACC_WRITE, 9, 2, true},
		{BPF_DEVCG_DEV_CHAR, BPF_DEVCG_ACC_READ, 9, 2, false},
		{BPF_DEVCG_DEV_BLOCK, BPF_DEVCG_ACC_READ, 9, 3, true},
		{BPF_DEVCG_DEV_BLOCK, BPF_DEVCG_ACC_WRITE, 9, 3, false},
		{BPF_DEVCG_DEV_CHAR, BPF_DEVCG_ACC_READ, 9, 3, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(filter_allows(&plan, deny_all, 2, cases[i].type, cases[i].access,
					       cases[i].major, cases[i].minor),
				 cases[i].allowed);
}

static void a_filter_over_itself_still_decides_right(void **state)
{
	struct operation operation = {.kind = OPERATION_DEVICE_RULE, .major = 195, .minor = 7};
	const struct plan plan = {.items = &operation, .count = 1};
	struct bpf_insn *program;
	AUTO_ARENA arena = {0};
	size_t count;

	(void)state;
	assert_int_equal(device_filter_build(&plan, deny_all, 2, &arena, &program, &count), 0);
	assert_true(filter_allows(&plan, program, count, BPF_DEVCG_DEV_CHAR, BPF_DEVCG_ACC_READ,
				  195, 7));
	assert_false(filter_allows(&plan, program, count, BPF_DEVCG_DEV_CHAR, BPF_DEVCG_ACC_READ,
				   195, 8));
}

/* Instructions that nothing leads to are an error for the kernel. */
static void a_filter_without_rules_is_the_original(void **state)
{
	struct operation operation = {.kind = OPERATION_BIND};
	const struct plan plan = {.items = &operation, .count = 1};
	struct bpf_insn *program;
	AUTO_ARENA arena = {0};
	size_t count;

	(void)state;
	assert_int_equal(device_filter_build(&plan, allow_all, 2, &arena, &program, &count), 0);
	assert_int_equal(count, 2);
	assert_memory_equal(program, allow_all, sizeof(allow_all));
}

static void a_filter_that_is_too_long_is_refused(void **state)
{
	static struct operation operations[2000];
	static struct bpf_insn original[4096];
	struct plan plan = {.items = operations, .count = 256};
	struct bpf_insn *program;
	AUTO_ARENA arena = {0};
	size_t count;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
		operations[i] = (struct operation){
			.kind = OPERATION_DEVICE_RULE, .major = 195, .minor = (unsigned)i};
	assert_int_equal(device_filter_build(&plan, original, 2000, &arena, &program, &count), 0);
	assert_int_equal(device_filter_build(&plan, original, 4096, &arena, &program, &count),
			 -E2BIG);
	plan.count = ARRAY_SIZE(operations);
	assert_int_equal(device_filter_build(&plan, original, 2, &arena, &program, &count), -E2BIG);
}

/* ---- systemd ---------------------------------------------------------------------------- */

#include "apply_systemd.inc"

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_filter_opens_the_plans_devices_alone),
		cmocka_unit_test(the_filter_keeps_to_type_and_access),
		cmocka_unit_test(a_filter_over_itself_still_decides_right),
		cmocka_unit_test(a_filter_without_rules_is_the_original),
		cmocka_unit_test(a_filter_that_is_too_long_is_refused),
		cmocka_unit_test(a_scope_is_found_in_the_path_of_a_cgroup),
		cmocka_unit_test(a_list_of_devices_is_extended_only_where_there_is_one),
		cmocka_unit_test(the_message_to_systemd_is_as_specified),
		cmocka_unit_test(a_message_with_many_rules_holds_them_all),
		cmocka_unit_test(answers_of_systemd_are_understood),
		cmocka_unit_test(a_systemd_that_hangs_up_is_an_error),
	};

	return cmocka_run_group_tests_name("apply", tests, NULL, NULL);
}

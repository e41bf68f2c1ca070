// SPDX-License-Identifier: Apache-2.0
#include <linux/bpf.h>
#include <string.h>

#include "davit/apply.h"

/* BPF_MAXINSNS: the limit before Linux 5.2, and still the one without CAP_BPF. */
#define INSTRUCTIONS_MAX 4096
#define PROLOGUE_SIZE 8
#define RULE_SIZE 4
#define FULL_RULE_SIZE 6

/* Instructions as the kernel's own include/linux/filter.h, which isn't exported, writes them. */
/* clang-format off */
#define BPF_LDX_MEM(size, dst, src, offset) \
	((struct bpf_insn){.code = BPF_LDX | BPF_MEM | (size), .dst_reg = (dst), .src_reg = (src), \
			   .off = (int16_t)(offset)})
#define BPF_MOV64_REG(dst, src) \
	((struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = (dst), .src_reg = (src)})
#define BPF_ALU64_IMM(operator, dst, number) \
	((struct bpf_insn){.code = BPF_ALU64 | (operator) | BPF_K, .dst_reg = (dst), \
			   .imm = (int32_t)(number)})
#define BPF_MOV64_IMM(dst, number) BPF_ALU64_IMM(BPF_MOV, dst, number)
#define BPF_JMP_IMM(operator, dst, number, offset) \
	((struct bpf_insn){.code = BPF_JMP | (operator) | BPF_K, .dst_reg = (dst), \
			   .off = (int16_t)(offset), .imm = (int32_t)(number)})
#define BPF_EXIT_INSN() ((struct bpf_insn){.code = BPF_JMP | BPF_EXIT})
/* clang-format on */

/* Register 1 is the context. It stays as it is: what follows the rules expects it there. */
#define TYPE BPF_REG_2
#define ACCESS BPF_REG_3
#define MAJOR BPF_REG_4
#define MINOR BPF_REG_5

/*
 * Loads the question, and skips the rules that follow when it is about a block device or about
 * mknod: those rules open devices, they make none. (linux/bpf.h: access_type is access << 16 |
 * type.) A jump's distance counts from the instruction behind it.
 */
static void put_prologue(struct bpf_insn at[static PROLOGUE_SIZE], size_t rules)
{
	const size_t past_rules = rules * RULE_SIZE;

	/* type = context->access_type */
	at[0] = BPF_LDX_MEM(BPF_W, TYPE, BPF_REG_1,
			    offsetof(struct bpf_cgroup_dev_ctx, access_type));
	/* major = context->major */
	at[1] = BPF_LDX_MEM(BPF_W, MAJOR, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, major));
	/* minor = context->minor */
	at[2] = BPF_LDX_MEM(BPF_W, MINOR, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, minor));
	/* access = type */
	at[3] = BPF_MOV64_REG(ACCESS, TYPE);
	/* type &= 0xffff */
	at[4] = BPF_ALU64_IMM(BPF_AND, TYPE, 0xffff);
	/* access >>= 16 */
	at[5] = BPF_ALU64_IMM(BPF_RSH, ACCESS, 16);
	/* if (type != char) skip the rules */
	at[6] = BPF_JMP_IMM(BPF_JNE, TYPE, BPF_DEVCG_DEV_CHAR, past_rules + 1);
	/* if (access & mknod) skip the rules */
	at[7] = BPF_JMP_IMM(BPF_JSET, ACCESS, BPF_DEVCG_ACC_MKNOD, past_rules);
}

static void put_rule(struct bpf_insn at[static RULE_SIZE], const struct operation *rule)
{
	/* if (major != the rule's) go to the next rule */
	at[0] = BPF_JMP_IMM(BPF_JNE, MAJOR, rule->major, 3);
	/* if (minor != the rule's) go to the next rule */
	at[1] = BPF_JMP_IMM(BPF_JNE, MINOR, rule->minor, 2);
	/* return 1: allowed */
	at[2] = BPF_MOV64_IMM(BPF_REG_0, 1);
	at[3] = BPF_EXIT_INSN();
}

/* Whether it takes a rule of its own for type and access: devices of CDI specs alone. */
static bool is_full(const struct operation *rule)
{
	return rule->block || rule->access != ACCESS_READ_WRITE;
}

static void put_full_rule(struct bpf_insn at[static FULL_RULE_SIZE], const struct operation *rule)
{
	const uint32_t type = rule->block ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR;
	const uint32_t others = BPF_DEVCG_ACC_MKNOD |
				(rule->access == ACCESS_READ ? (uint32_t)BPF_DEVCG_ACC_WRITE : 0) |
				(rule->access == ACCESS_WRITE ? (uint32_t)BPF_DEVCG_ACC_READ : 0);

	/* if (type != the rule's) go to the next rule */
	at[0] = BPF_JMP_IMM(BPF_JNE, TYPE, type, 5);
	/* if (access & anything but the rule's) go to the next rule */
	at[1] = BPF_JMP_IMM(BPF_JSET, ACCESS, others, 4);
	put_rule(at + 2, rule);
}

static size_t count_rules(const struct plan *plan, bool full)
{
	size_t count = 0;

	for (size_t i = 0; i < plan->count; i++)
		count += plan->items[i].kind == OPERATION_DEVICE_RULE &&
			 is_full(&plan->items[i]) == full;
	return count;
}

int device_filter_build(const struct plan *plan, const struct bpf_insn *original,
			size_t original_count, struct arena *arena, struct bpf_insn **ret,
			size_t *ret_count)
{
	/* return 0: denied */
	const struct bpf_insn deny[] = {BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN()};
	const size_t rules = count_rules(plan, false), full = count_rules(plan, true);
	struct bpf_insn *program, *at;
	size_t count;

	if (original_count == 0) {
		original = deny;
		original_count = ARRAY_SIZE(deny);
	}
	count = PROLOGUE_SIZE + rules * RULE_SIZE + full * FULL_RULE_SIZE;
	if (count > INSTRUCTIONS_MAX || original_count > INSTRUCTIONS_MAX - count)
		return -E2BIG;
	count += original_count;
	program = arena_alloc(arena, count * sizeof(*program));
	if (!program)
		return -ENOMEM;
	put_prologue(program, rules);
	at = program + PROLOGUE_SIZE;
	for (size_t i = 0; i < plan->count; i++)
		if (plan->items[i].kind == OPERATION_DEVICE_RULE && !is_full(&plan->items[i])) {
			put_rule(at, &plan->items[i]);
			at += RULE_SIZE;
		}
	for (size_t i = 0; i < plan->count; i++)
		if (plan->items[i].kind == OPERATION_DEVICE_RULE && is_full(&plan->items[i])) {
			put_full_rule(at, &plan->items[i]);
			at += FULL_RULE_SIZE;
		}
	memcpy(at, original, original_count * sizeof(*program));
	*ret = program;
	*ret_count = count;
	return 0;
}

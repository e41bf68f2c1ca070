// SPDX-License-Identifier: Apache-2.0
#include <linux/bpf.h>
#include <string.h>

#include "davit/apply.h"

/* BPF_MAXINSNS: the limit before Linux 5.2, and still the one without CAP_BPF. */
#define INSTRUCTIONS_MAX 4096
#define PROLOGUE_SIZE 8
#define RULE_SIZE 3
#define FULL_RULE_SIZE 6
#define EPILOGUE_SIZE 3

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
#define BPF_ALU64_REG(operator, dst, src) \
	((struct bpf_insn){.code = BPF_ALU64 | (operator) | BPF_X, .dst_reg = (dst), .src_reg = (src)})
#define BPF_JMP_REG(operator, dst, src, offset) \
	((struct bpf_insn){.code = BPF_JMP | (operator) | BPF_X, .dst_reg = (dst), .src_reg = (src), \
			   .off = (int16_t)(offset)})
#define BPF_JMP_A(offset) ((struct bpf_insn){.code = BPF_JMP | BPF_JA, .off = (int16_t)(offset)})
/* A 64-bit number occupies two instructions. */
#define BPF_LD_IMM64_LOW(dst, number) \
	((struct bpf_insn){.code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = (dst), \
			   .imm = (int32_t)(number)})
#define BPF_LD_IMM64_HIGH(number) ((struct bpf_insn){.imm = (int32_t)(number)})
#define BPF_JMP_IMM(operator, dst, number, offset) \
	((struct bpf_insn){.code = BPF_JMP | (operator) | BPF_K, .dst_reg = (dst), \
			   .off = (int16_t)(offset), .imm = (int32_t)(number)})
#define BPF_EXIT_INSN() ((struct bpf_insn){.code = BPF_JMP | BPF_EXIT})
/* clang-format on */

/*
 * Register 1 is the context. It must not change, because the original program after the rules
 * expects it there.
 */
#define QUESTION BPF_REG_2 /* the type, and the access in the upper half */
#define DEVICE BPF_REG_4   /* major << 32 | minor */
#define SCRATCH BPF_REG_3

/*
 * Each rule has only one jump, because for each jump the kernel's verifier follows both branches,
 * and needs about a microsecond for each instruction on them. With separate comparisons of major
 * and minor, a program for 64 GPUs took 3 ms to load instead of 0.5. A jump's distance counts from
 * the next instruction.
 */
static void put_rule(struct bpf_insn at[static RULE_SIZE], const struct operation *rule,
		     ptrdiff_t allow_distance)
{
	/* if (device == the rule's) allow */
	at[0] = BPF_LD_IMM64_LOW(SCRATCH, rule->minor);
	at[1] = BPF_LD_IMM64_HIGH(rule->major);
	at[2] = BPF_JMP_REG(BPF_JEQ, DEVICE, SCRATCH, allow_distance - 3);
}

/* if (the question concerns another type, or one of these kinds of access) skip */
static void put_condition(struct bpf_insn at[static 3], uint32_t type, uint32_t access,
			  size_t skipped)
{
	at[0] = BPF_MOV64_REG(SCRATCH, QUESTION);
	at[1] = BPF_ALU64_IMM(BPF_AND, SCRATCH, access << 16 | 0xffff);
	at[2] = BPF_JMP_IMM(BPF_JNE, SCRATCH, type, skipped);
}

/*
 * Loads the question. Skips the simple rules if it concerns a block device or mknod, because they
 * only allow opening character devices. (linux/bpf.h: access_type is access << 16 | type.)
 */
static void put_prologue(struct bpf_insn at[static PROLOGUE_SIZE], size_t rules)
{
	/* question = context->access_type */
	at[0] = BPF_LDX_MEM(BPF_W, QUESTION, BPF_REG_1,
			    offsetof(struct bpf_cgroup_dev_ctx, access_type));
	/* device = context->major << 32 | context->minor */
	at[1] = BPF_LDX_MEM(BPF_W, DEVICE, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, major));
	at[2] = BPF_LDX_MEM(BPF_W, SCRATCH, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, minor));
	at[3] = BPF_ALU64_IMM(BPF_LSH, DEVICE, 32);
	at[4] = BPF_ALU64_REG(BPF_OR, DEVICE, SCRATCH);
	put_condition(at + 5, BPF_DEVCG_DEV_CHAR, BPF_DEVCG_ACC_MKNOD, rules * RULE_SIZE);
}

static void put_epilogue(struct bpf_insn at[static EPILOGUE_SIZE])
{
	/* none of the rules: go to the original */
	at[0] = BPF_JMP_A(2);
	/* allow: return 1 */
	at[1] = BPF_MOV64_IMM(BPF_REG_0, 1);
	at[2] = BPF_EXIT_INSN();
}

/* Whether the rule checks type and access; only rules of CDI specs' devices do. */
static bool is_full(const struct operation *rule)
{
	return rule->block || rule->access != ACCESS_READ_WRITE;
}

static void put_full_rule(struct bpf_insn at[static FULL_RULE_SIZE], const struct operation *rule,
			  ptrdiff_t allow_distance)
{
	const uint32_t type = rule->block ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR;
	const uint32_t others = BPF_DEVCG_ACC_MKNOD |
				(rule->access == ACCESS_READ ? (uint32_t)BPF_DEVCG_ACC_WRITE : 0) |
				(rule->access == ACCESS_WRITE ? (uint32_t)BPF_DEVCG_ACC_READ : 0);

	put_condition(at, type, others, 3);
	put_rule(at + 3, rule, allow_distance - 3);
}

static size_t count_rules(const struct plan *plan, bool full)
{
	size_t count = 0;

	for (size_t i = 0; i < plan->count; i++)
		count += plan->items[i].kind == OPERATION_DEVICE_RULE &&
			 is_full(&plan->items[i]) == full;
	return count;
}

/* Writes all `count` instructions of the rules, `rules` of which are simple. */
static void put_rules(struct bpf_insn *program, const struct plan *plan, size_t rules, size_t count)
{
	const struct bpf_insn *allow = program + count - 2;
	struct bpf_insn *at = program + PROLOGUE_SIZE;

	put_prologue(program, rules);
	for (size_t i = 0; i < plan->count; i++)
		if (plan->items[i].kind == OPERATION_DEVICE_RULE && !is_full(&plan->items[i])) {
			put_rule(at, &plan->items[i], allow - at);
			at += RULE_SIZE;
		}
	for (size_t i = 0; i < plan->count; i++)
		if (plan->items[i].kind == OPERATION_DEVICE_RULE && is_full(&plan->items[i])) {
			put_full_rule(at, &plan->items[i], allow - at);
			at += FULL_RULE_SIZE;
		}
	put_epilogue(at);
}

int device_filter_build(const struct plan *plan, const struct bpf_insn *original,
			size_t original_count, struct arena *arena, struct bpf_insn **ret,
			size_t *ret_count)
{
	/* return 0: denied */
	const struct bpf_insn deny[] = {BPF_MOV64_IMM(BPF_REG_0, 0), BPF_EXIT_INSN()};
	const size_t rules = count_rules(plan, false), full = count_rules(plan, true);
	struct bpf_insn *program;
	size_t count;

	if (original_count == 0) {
		original = deny;
		original_count = ARRAY_SIZE(deny);
	}
	/* Without rules, nothing is added, because the kernel refuses unreachable instructions. */
	count = rules + full == 0
			? 0
			: PROLOGUE_SIZE + rules * RULE_SIZE + full * FULL_RULE_SIZE + EPILOGUE_SIZE;
	if (count > INSTRUCTIONS_MAX || original_count > INSTRUCTIONS_MAX - count)
		return -E2BIG;
	program = arena_alloc(arena, (count + original_count) * sizeof(*program));
	if (!program)
		return -ENOMEM;
	if (count)
		put_rules(program, plan, rules, count);
	memcpy(program + count, original, original_count * sizeof(*program));
	*ret = program;
	*ret_count = count + original_count;
	return 0;
}

// SPDX-License-Identifier: Apache-2.0
#include <linux/bpf.h>
#include <string.h>

#include "davit/apply.h"

/* BPF_MAXINSNS: the limit before Linux 5.2, and still the one without CAP_BPF. */
#define INSTRUCTIONS_MAX 4096
#define PROLOGUE_SIZE 8
#define RULE_SIZE 4
#define FULL_RULE_SIZE 6

static struct bpf_insn load_context(uint8_t reg, size_t offset)
{
	return (struct bpf_insn){.code = BPF_LDX | BPF_MEM | BPF_W,
				 .dst_reg = reg & 0xfu,
				 .src_reg = BPF_REG_1,
				 .off = (int16_t)offset};
}

static struct bpf_insn with_number(uint8_t code, uint8_t reg, uint32_t number, int16_t skip)
{
	return (struct bpf_insn){
		.code = code, .dst_reg = reg & 0xfu, .off = skip, .imm = (int32_t)number};
}

static struct bpf_insn copy_register(uint8_t to, uint8_t from)
{
	return (struct bpf_insn){
		.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = to & 0xfu, .src_reg = from & 0xfu};
}

static struct bpf_insn leave(void)
{
	return (struct bpf_insn){.code = BPF_JMP | BPF_EXIT};
}

/*
 * Loads the question (linux/bpf.h: access_type is access << 16 | type) and passes over the rules
 * when it is about a block device or about mknod: the rules open devices, they make none.
 * Register 1, the context, stays as it is, since what follows the rules expects it there.
 * Registers 2 to 5 are the type, the access, the major and the minor.
 */
static void put_prologue(struct bpf_insn at[static PROLOGUE_SIZE], size_t rules)
{
	const int16_t past_rules = (int16_t)(rules * RULE_SIZE);

	at[0] = load_context(BPF_REG_2, offsetof(struct bpf_cgroup_dev_ctx, access_type));
	at[1] = load_context(BPF_REG_4, offsetof(struct bpf_cgroup_dev_ctx, major));
	at[2] = load_context(BPF_REG_5, offsetof(struct bpf_cgroup_dev_ctx, minor));
	at[3] = copy_register(BPF_REG_3, BPF_REG_2);
	at[4] = with_number(BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_2, 0xffff, 0);
	at[5] = with_number(BPF_ALU64 | BPF_RSH | BPF_K, BPF_REG_3, 16, 0);
	at[6] = with_number(BPF_JMP | BPF_JNE | BPF_K, BPF_REG_2, BPF_DEVCG_DEV_CHAR,
			    (int16_t)(past_rules + 1));
	at[7] = with_number(BPF_JMP | BPF_JSET | BPF_K, BPF_REG_3, BPF_DEVCG_ACC_MKNOD, past_rules);
}

static void put_rule(struct bpf_insn at[static RULE_SIZE], const struct operation *rule)
{
	at[0] = with_number(BPF_JMP | BPF_JNE | BPF_K, BPF_REG_4, rule->major, 3);
	at[1] = with_number(BPF_JMP | BPF_JNE | BPF_K, BPF_REG_5, rule->minor, 2);
	at[2] = with_number(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 1, 0);
	at[3] = leave();
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

	at[0] = with_number(BPF_JMP | BPF_JNE | BPF_K, BPF_REG_2, type, 5);
	at[1] = with_number(BPF_JMP | BPF_JSET | BPF_K, BPF_REG_3, others, 4);
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
	const struct bpf_insn deny[] = {with_number(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0),
					leave()};
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

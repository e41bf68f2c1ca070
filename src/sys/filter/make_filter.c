// SPDX-License-Identifier: Apache-2.0
/*
 * A program for the build: prints the hook's system call filters as arrays of classic BPF, which
 * filter.c includes. libseccomp provides the numbers. The filter program is davit's own, because
 * its size is a cost at the start of each container. It finds a group of numbers by bisection, and
 * has one end for the allowed calls and one for the others.
 *
 * From Linux 5.11, the kernel evaluates a filter once for every number and then doesn't run it for
 * calls that it always allows. It can do this only for a filter that consists of loads, comparisons
 * with a constant, and returns (seccomp_is_const_allow in kernel/seccomp.c).
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define NUMBERED_CALL(number) (number),
#include "../filter_calls.h"

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "davit: unknown architecture: add its audit number (linux/audit.h)"
#endif

#define NUMBER(name) SCMP_SYS(name),
#define NUMBERS 512 /* x32's numbers are beyond it and refused */
#define INSTRUCTIONS_MAX 224
#define CHAIN ((size_t)3)

static const int always[] = {FILTER_CALLS_ALWAYS(NUMBER)};
static const int request[] = {FILTER_CALLS_REQUEST(NUMBER)};

/* Jumps to one of the two ends. They get their distance when it is known. */
#define TO_ALLOW UINT8_MAX
#define TO_OTHERWISE (UINT8_MAX - 1)

struct program {
	bool allowed[NUMBERS + 1]; /* the last one is for all higher numbers, and is false */
	uint32_t starts[NUMBERS];  /* the first numbers of ranges with the same result */
	size_t ranges;
	struct group {
		size_t from, to; /* indices of ranges; every second range is a single number */
	} groups[NUMBERS];
	size_t group_count;
	struct sock_filter items[INSTRUCTIONS_MAX];
	size_t count;
};

static void fail(const char *why)
{
	(void)fprintf(stderr, "make_filter: cannot make the filters: %s\n", why);
	exit(EXIT_FAILURE);
}

static void allow(struct program *program, const int *calls, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		/* A call that this architecture never had (open on arm64) has a negative number. */
		if (calls[i] < 0)
			continue;
		if (calls[i] >= NUMBERS)
			fail("a number beyond the table");
		program->allowed[calls[i]] = true;
	}
}

/* Returns the instruction's index. */
static size_t put(struct program *program, struct sock_filter instruction)
{
	if (program->count == INSTRUCTIONS_MAX)
		fail("too long a program");
	program->items[program->count] = instruction;
	return program->count++;
}

static void find_ranges(struct program *program)
{
	for (uint32_t i = 0; i <= NUMBERS; i++)
		if (i == 0 || program->allowed[i] != program->allowed[i - 1])
			program->starts[program->ranges++] = i;
}

/*
 * Up to CHAIN single numbers with the other result form a group with the ranges around them, and
 * are compared one by one. With a comparison at the beginning and one at the end, each would take
 * two instructions.
 */
static void find_groups(struct program *program)
{
	for (size_t from = 0; from < program->ranges;) {
		size_t to = from + 1;

		while (to + 1 < program->ranges && to - from < 2 * CHAIN &&
		       program->starts[to + 1] == program->starts[to] + 1)
			to += 2;
		program->groups[program->group_count++] = (struct group){from, to};
		from = to;
	}
}

/* The end for the calls of a range. */
static uint8_t end_of(const struct program *program, size_t range)
{
	return program->allowed[program->starts[range]] ? TO_ALLOW : TO_OTHERWISE;
}

/* Like put_groups, for one group. */
static uint8_t put_group(struct program *program, const struct group *group)
{
	const uint8_t end = end_of(program, group->from);
	size_t i;

	for (i = group->from + 1; i < group->to; i += 2)
		/*
		 * if (A == the single number) go to its end; after the last, go to the others' end
		 */
		(void)put(program, (struct sock_filter)BPF_JUMP(
					   BPF_JMP | BPF_JEQ | BPF_K, program->starts[i],
					   end_of(program, i), i + 2 < group->to ? 0 : end));
	return i == group->from + 1 ? end : 0;
}

/*
 * Tests the groups [from, to), with the number in A (the accumulator). Returns the end to jump to
 * if there is only one; otherwise 0, and the tests are the next instructions.
 */
static uint8_t put_groups(struct program *program, size_t from, size_t to)
{
	size_t middle = (from + to) / 2, jump;
	uint8_t lower, upper;

	if (to - from == 1)
		return put_group(program, &program->groups[from]);
	/* if (A >= the first number of the upper half) go there; the distance is set below */
	jump = put(program, (struct sock_filter)BPF_JUMP(
				    BPF_JMP | BPF_JGE | BPF_K,
				    program->starts[program->groups[middle].from], 0, 0));
	lower = put_groups(program, from, middle);
	program->items[jump].jf = lower;
	upper = (uint8_t)(program->count - jump - 1);
	lower = put_groups(program, middle, to);
	program->items[jump].jt = lower ? lower : upper;
	return 0;
}

static void put_ends(struct program *program, uint32_t otherwise)
{
	size_t allow_at =
		put(program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	size_t otherwise_at =
		put(program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, otherwise));

	for (size_t i = 0; i < allow_at; i++) {
		struct sock_filter *item = &program->items[i];
		uint8_t *const jumps[] = {&item->jt, &item->jf};

		for (size_t j = 0; j < sizeof(jumps) / sizeof(jumps[0]); j++) {
			if (*jumps[j] == TO_ALLOW)
				*jumps[j] = (uint8_t)(allow_at - i - 1);
			else if (*jumps[j] == TO_OTHERWISE)
				*jumps[j] = (uint8_t)(otherwise_at - i - 1);
		}
	}
}

static void put_beginning(struct program *program)
{
	const uint32_t arch = offsetof(struct seccomp_data, arch);
	const uint32_t nr = offsetof(struct seccomp_data, nr);
	const struct sock_filter instructions[] = {
		/* if (the architecture is another one) kill: numbers mean something else there */
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, nr),
	};

	for (size_t i = 0; i < sizeof(instructions) / sizeof(instructions[0]); i++)
		(void)put(program, instructions[i]);
}

/* The program's result, found by interpreting its few kinds of instructions. */
static uint32_t answer(const struct program *program, uint32_t architecture, uint32_t number)
{
	uint32_t a = 0;

	for (size_t at = 0; at < program->count; at++) {
		const struct sock_filter *i = &program->items[at];

		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			a = i->k == offsetof(struct seccomp_data, nr) ? number : architecture;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			at += a == i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			at += a >= i->k ? i->jt : i->jf;
			break;
		default:
			return i->k;
		}
	}
	return 0;
}

/* The build fails if a filter's results differ from its list. */
static void check(const struct program *program, uint32_t otherwise)
{
	const uint32_t beyond[] = {NUMBERS, NUMBERS + 1, 0x40000000, 0x40000001, UINT32_MAX};

	for (uint32_t i = 0; i < NUMBERS; i++)
		if (answer(program, ARCHITECTURE, i) !=
			    (program->allowed[i] ? SECCOMP_RET_ALLOW : otherwise) ||
		    answer(program, ARCHITECTURE ^ 1, i) != SECCOMP_RET_KILL_PROCESS)
			fail("a call is answered wrongly");
	for (size_t i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++)
		if (answer(program, ARCHITECTURE, beyond[i]) != otherwise)
			fail("a number beyond the table is answered wrongly");
}

static void make(const char *name, struct program *program, uint32_t otherwise)
{
	put_beginning(program);
	find_ranges(program);
	find_groups(program);
	(void)put_groups(program, 0, program->group_count);
	put_ends(program, otherwise);
	check(program, otherwise);
	(void)printf("static const struct sock_filter %s[] = {\n", name);
	for (size_t i = 0; i < program->count; i++)
		(void)printf("\t{0x%04x, %u, %u, 0x%08x},\n", program->items[i].code,
			     program->items[i].jt, program->items[i].jf, program->items[i].k);
	(void)printf("};\n");
}

int main(void)
{
	static struct program with_request, apply;

	allow(&with_request, always, sizeof(always) / sizeof(always[0]));
	allow(&with_request, request, sizeof(request) / sizeof(request[0]));
	allow(&apply, always, sizeof(always) / sizeof(always[0]));
	/*
	 * Other programs inherit the wider filter. They can handle a failing call, but not being
	 * killed.
	 */
	make("filter_request", &with_request, SECCOMP_RET_ERRNO | EPERM);
	make("filter_apply", &apply, SECCOMP_RET_KILL_PROCESS);
	if (fflush(stdout) != 0)
		fail("the output can't be written");
	return EXIT_SUCCESS;
}

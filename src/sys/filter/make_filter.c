// SPDX-License-Identifier: Apache-2.0
/*
 * A program of the build: prints the hook's system call filters as arrays of classic BPF, to be
 * included by filter.c. libseccomp knows the numbers; the program is our own, since installing it
 * is a cost at the start of each container: for its size, since it is compiled, and for the length
 * of its ways, since the kernel tries it with every number (Linux 5.11). One bit for each call, 32
 * calls to a word, the word found by halving, one end for all that are allowed and one for the
 * others.
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
#define WORDS 16 /* 512 calls; x32's numbers are far beyond and refused */
#define INSTRUCTIONS_MAX 128

static const int always[] = {FILTER_CALLS_ALWAYS(NUMBER)};
static const int request[] = {FILTER_CALLS_REQUEST(NUMBER)};

/* Jumps to one of the two ends; they get their distance when it is known. */
#define TO_ALLOW UINT8_MAX
#define TO_OTHERWISE (UINT8_MAX - 1)

struct program {
	uint32_t words[WORDS];
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
		if (calls[i] >= WORDS * 32)
			fail("a number beyond the table");
		program->words[calls[i] / 32] |= UINT32_C(1) << (calls[i] % 32);
	}
}

/* Returns the instruction's place. */
static size_t put(struct program *program, struct sock_filter instruction)
{
	if (program->count == INSTRUCTIONS_MAX)
		fail("too long a program");
	program->items[program->count] = instruction;
	return program->count++;
}

static bool all_equal(const uint32_t *words, unsigned from, unsigned to)
{
	for (unsigned i = from + 1; i < to; i++)
		if (words[i] != words[from])
			return false;
	return true;
}

/* X is the bit of the call, A (the accumulator) its number: tests words [from, to). */
static void put_words(struct program *program, unsigned from, unsigned to)
{
	unsigned middle = (from + to) / 2;
	size_t jump;

	if (all_equal(program->words, from, to)) {
		/* A = the word */
		(void)put(program,
			  (struct sock_filter)BPF_STMT(BPF_LD | BPF_IMM, program->words[from]));
		/* if (A & X) allow, else not */
		(void)put(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_X, 0,
								TO_ALLOW, TO_OTHERWISE));
		return;
	}
	/* if (A >= the first number of the upper half) go there, which is known below */
	jump = put(program,
		   (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, middle * 32, 0, 0));
	put_words(program, from, middle);
	program->items[jump].jt = (uint8_t)(program->count - jump - 1);
	put_words(program, middle, to);
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
		/* if (the number is beyond the words) don't allow */
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, nr),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, WORDS * 32, TO_OTHERWISE, 0),
		/* X = the number % 32 */
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 31),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		/* X = 1 << X */
		BPF_STMT(BPF_LD | BPF_IMM, 1),
		BPF_STMT(BPF_ALU | BPF_LSH | BPF_X, 0),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		/* A = the number */
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, nr),
	};

	for (size_t i = 0; i < sizeof(instructions) / sizeof(instructions[0]); i++)
		(void)put(program, instructions[i]);
}

static void make(const char *name, struct program *program, uint32_t otherwise)
{
	put_beginning(program);
	put_words(program, 0, WORDS);
	put_ends(program, otherwise);
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
	 * The wider filter is inherited by programs of others, which cope with a call that fails
	 * and not with being killed.
	 */
	make("filter_request", &with_request, SECCOMP_RET_ERRNO | EPERM);
	make("filter_apply", &apply, SECCOMP_RET_KILL_PROCESS);
	if (fflush(stdout) != 0)
		fail("the output can't be written");
	return EXIT_SUCCESS;
}

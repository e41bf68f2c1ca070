// SPDX-License-Identifier: Apache-2.0
/*
 * The system call filters of an arm64 build, evaluated on this machine for every number: qemu's
 * user emulation can't install one. They have to allow what filter_calls.h lists, by arm64's own
 * numbers (libseccomp's table), and nothing else; and nothing to a call by another architecture's
 * table.
 */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBERED_CALL(number) #number,
#include "filter_calls.h"
#include "filter_programs.inc" /* of the arm64 build */

#define NUMBERS 1024
#define NAME(name) #name,

static const char *const always[] = {FILTER_CALLS_ALWAYS(NAME)};
static const char *const request[] = {FILTER_CALLS_REQUEST(NAME)};
static int failed;

static unsigned evaluate(const struct sock_filter *program, const struct seccomp_data *data)
{
	unsigned a = 0, x = 0;

	for (const struct sock_filter *at = program;; at++) {
		bool jump;

		switch (at->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			memcpy(&a, (const char *)data + at->k, sizeof(a));
			continue;
		case BPF_LD | BPF_IMM:
			a = at->k;
			continue;
		case BPF_MISC | BPF_TAX:
			x = a;
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= at->k;
			continue;
		case BPF_ALU | BPF_LSH | BPF_X:
			a <<= x;
			continue;
		case BPF_JMP | BPF_JEQ | BPF_K:
			jump = a == at->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			jump = a >= at->k;
			break;
		case BPF_JMP | BPF_JSET | BPF_X:
			jump = (a & x) != 0;
			break;
		case BPF_RET | BPF_K:
			return at->k;
		default:
			(void)printf("FAIL arm64 filter: an unknown instruction: 0x%x\n", at->code);
			exit(EXIT_FAILURE);
		}
		at += jump ? at->jt : at->jf;
	}
}

static size_t mark(bool *allowed, const char *const *names, size_t count)
{
	size_t known = 0;

	for (size_t i = 0; i < count; i++) {
		/* Calls that libseccomp doesn't know are listed by number. */
		int number =
			names[i][0] <= '9'
				? atoi(names[i])
				: seccomp_syscall_resolve_name_arch(SCMP_ARCH_AARCH64, names[i]);

		if (number >= 0 && number < NUMBERS) {
			allowed[number] = true;
			known++;
		}
	}
	return known;
}

static void check(const char *name, const struct sock_filter *program, const bool *allowed,
		  size_t count)
{
	unsigned wrong = 0;

	for (int number = 0; number < NUMBERS; number++) {
		struct seccomp_data data = {.nr = number, .arch = AUDIT_ARCH_AARCH64};
		struct seccomp_data other = {.nr = number, .arch = AUDIT_ARCH_X86_64};

		wrong += (evaluate(program, &data) == SECCOMP_RET_ALLOW) != allowed[number];
		wrong += evaluate(program, &other) == SECCOMP_RET_ALLOW;
	}
	if (wrong != 0 || count < 50) {
		(void)printf("FAIL arm64 %s: %u numbers of %zu are judged wrongly\n", name, wrong,
			     count);
		failed = 1;
	} else {
		(void)printf("ok arm64 %s: it allows the %zu calls listed, and no other\n", name,
			     count);
	}
}

int main(void)
{
	static bool allowed[NUMBERS];
	size_t count = mark(allowed, always, sizeof(always) / sizeof(always[0]));

	check("filter_apply", filter_apply, allowed, count);
	count += mark(allowed, request, sizeof(request) / sizeof(request[0]));
	check("filter_request", filter_request, allowed, count);
	return failed;
}

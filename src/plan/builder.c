// SPDX-License-Identifier: Apache-2.0
#include "builder.h"

struct operation *plan_add(struct builder *b, enum operation_kind kind, const char *target,
			   const char *because)
{
	struct operation *operation = ARENA_PUSH(b->arena, b->plan);

	/*
	 * After a failure of the arena, all following calls fail. plan_make checks `failed` at the
	 * end.
	 */
	if (!operation || !target) {
		b->failed = true;
		return &b->spare;
	}
	operation->kind = kind;
	operation->source_fd = -1;
	operation->target = target;
	operation->because = because;
	operation->required = true;
	return operation;
}

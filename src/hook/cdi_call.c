// SPDX-License-Identifier: Apache-2.0
/* A CDI hook command's arguments, and its additions to the plan. */
#include <string.h>

#include "cdi_hook.h"

const char *cdi_option(const struct cdi_call *call, const char *name, size_t *at)
{
	while (call->arguments[*at]) {
		const char *word = call->arguments[(*at)++];
		const char *next = call->arguments[*at];
		size_t length = strlen(name);

		if (word[0] != '-')
			continue;
		word += word[1] == '-' ? 2 : 1;
		if (strncmp(word, name, length) != 0)
			continue;
		if (word[length] == '=')
			return word + length + 1;
		if (word[length] == '\0' && next) {
			(*at)++;
			return next;
		}
	}
	return NULL;
}

const char *cdi_item(const struct cdi_call *call, const char *name, struct cdi_items *items)
{
	struct slice item = {0};

	do {
		if (!items->rest.length) {
			const char *value = cdi_option(call, name, &items->at);

			if (!value)
				return NULL;
			items->rest = slice_from(value);
		}
		if (!slice_next(&items->rest, ',', &item))
			items->rest = (struct slice){0};
		item = slice_trim(item);
	} while (item.length == 0);
	return arena_strndup(call->arena, item.data, item.length);
}

struct operation *cdi_add(struct cdi_call *call, enum operation_kind kind, const char *target,
			  const char *text)
{
	struct operation *operation = target && text ? ARENA_PUSH(call->arena, &call->plan) : NULL;

	if (!operation)
		return NULL;
	operation->kind = kind;
	operation->source_fd = -1;
	operation->target = target;
	operation->text = text;
	operation->because = "CDI";
	operation->required = true;
	return operation;
}

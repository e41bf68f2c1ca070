// SPDX-License-Identifier: Apache-2.0
/* Selects the GPUs for the items of a request, for vendors other than NVIDIA. Pure. */
#include <string.h>
#include <strings.h>

#include "table.h"

/* A longer list is cut, so that the line has space for the rest. */
#define LIST_MAX 150
#define ITEM_MAX 60

struct chooser {
	const struct accelerators *all;
	const struct strings *excluded;
	struct arena *arena;
	bool *chosen;
	size_t expanded; /* the number of GPUs in all ranges */
	const char *from;
	struct error *err;
};

/* ---- messages --------------------------------------------------------------------------- */

enum names { NAMES_INDICES, NAMES_IDS, NAMES_BUS };

static const char *name_of(const struct chooser *c, const struct accelerator *one, enum names names)
{
	switch (names) {
	case NAMES_IDS:
		return one->uid_name;
	case NAMES_BUS:
		return one->bus_id;
	case NAMES_INDICES:
		break;
	}
	return arena_printf(c->arena, "%u", one->index);
}

/* "the host has 8 GPUs (0-7)" */
static const char *describe(const struct chooser *c, enum names names)
{
	const struct accelerators *all = c->all;
	struct strings list = {0};
	const char *text;

	if (names == NAMES_INDICES && all->count > 2)
		return arena_printf(c->arena, "the host has %zu GPUs (0-%zu)", all->count,
				    all->count - 1);
	for (size_t i = 0; i < all->count; i++) {
		const char *name = name_of(c, &all->items[i], names);

		/* Partitions of one GPU have the same name. */
		if (name && !strings_contain(&list, name) && strings_add(c->arena, &list, name) < 0)
			return NULL;
	}
	if (list.count == 0)
		return describe(c, NAMES_INDICES);
	text = strings_list(c->arena, &list, LIST_MAX);
	return text ? arena_printf(c->arena, "the host has %zu GPU%s (%s)", all->count,
				   all->count == 1 ? "" : "s", text)
		    : NULL;
}

/* The user's place of the request: a variable without "env ", or an option. */
static const char *place(const struct chooser *c)
{
	return string_starts(c->from, "env ") ? c->from + strlen("env ") : c->from;
}

static int unknown(const struct chooser *c, const char *item, enum names names)
{
	const char *host = describe(c, names);

	if (!host)
		return error_memory(c->err);
	error_set(c->err, ERROR_UNKNOWN_DEVICE, ENODEV, NULL, "inject %s GPU %.*s%s: %s",
		  c->all->vendor->title, ITEM_MAX, item, strlen(item) > ITEM_MAX ? "..." : "",
		  host);
	return error_fix(c->err, -ENODEV, "choose one of them in %s", place(c));
}

static int unusable(const struct chooser *c, const char *item, const struct unusable *one)
{
	return error_set(c->err, ERROR_UNKNOWN_DEVICE, ENODEV,
			 string_starts(one->problem, "it is bound")
				 ? "bind it to the vendor's driver again, or request another"
				 : "check `dmesg` on the host, or request another",
			 "inject %s GPU %.*s: %s", c->all->vendor->title, ITEM_MAX, item,
			 one->problem);
}

/* ---- ways to name ----------------------------------------------------------------------- */

static int choose_all(struct chooser *c)
{
	for (size_t i = 0; i < c->all->count; i++) {
		bool excluded = false;

		for (size_t j = 0; c->excluded && j < c->excluded->count; j++) {
			bus_id address;

			excluded |= bus_id_parse(c->excluded->items[j], &address) == 0 &&
				    address == c->all->items[i].address;
		}
		c->chosen[i] |= !excluded;
	}
	return 0;
}

static bool is_number(struct slice text, uint64_t *ret)
{
	return text.length <= INDEX_DIGITS_MAX &&
	       parse_number(text.data, text.length, 10, UINT32_MAX, ret) == 0;
}

static int choose_index(struct chooser *c, const char *item, uint64_t index)
{
	if (index >= c->all->count)
		return unknown(c, item, NAMES_INDICES);
	c->chosen[index] = true;
	return 0;
}

/* Reports the missing ones of a range: 8 and 9 of "6-9". */
static int beyond(struct chooser *c, uint64_t first, uint64_t last)
{
	struct strings missing = {0};
	const char *list;

	for (uint64_t i = first; i <= last && missing.count < 32; i++) {
		const char *name = arena_printf(c->arena, "%ju", (uintmax_t)i);

		if (!name || strings_add(c->arena, &missing, name) < 0)
			return error_memory(c->err);
	}
	list = strings_list(c->arena, &missing, ITEM_MAX - 10);
	return list ? unknown(c, list, NAMES_INDICES) : error_memory(c->err);
}

static int choose_range(struct chooser *c, const char *item, uint64_t first, uint64_t last)
{
	if (last < first)
		return error_fix(c->err,
				 error_set(c->err, ERROR_BAD_REQUEST, EINVAL, NULL,
					   "read the range %.*s of %s: it ends before it begins",
					   ITEM_MAX, item, place(c)),
				 "write %ju-%ju", (uintmax_t)last, (uintmax_t)first);
	c->expanded += last - first + 1;
	if (c->expanded > ACCELERATOR_RANGES_MAX)
		return error_set(c->err, ERROR_BAD_REQUEST, EINVAL, "write all",
				 "read %s: its ranges contain more than %d GPUs", place(c),
				 ACCELERATOR_RANGES_MAX);
	if (last >= c->all->count)
		return beyond(c, first < c->all->count ? c->all->count : first, last);
	for (uint64_t i = first; i <= last; i++)
		c->chosen[i] = true;
	return 0;
}

static bool parse_range(struct slice item, uint64_t *ret_first, uint64_t *ret_last)
{
	struct slice rest = item, first;

	return slice_next(&rest, '-', &first) && rest.data && is_number(first, ret_first) &&
	       is_number(rest, ret_last);
}

/* True: a GPU with that id was found. All of its partitions are selected. */
static bool choose_unique(struct chooser *c, uint64_t id)
{
	bool found = false;

	for (size_t i = 0; id && i < c->all->count; i++)
		if (c->all->items[i].unique_id == id)
			found = c->chosen[i] = true;
	return found;
}

/* Whether the item has the form of a unique id (0x0 also has it), and its value. */
static bool parse_unique(const char *item, uint64_t *ret)
{
	const char *digits = item;
	bool marked = strncasecmp(item, "0x", 2) == 0 || strncasecmp(item, "GPU-", 4) == 0;

	if (marked)
		digits += item[0] == '0' ? 2 : 4;
	return (marked || strlen(digits) > INDEX_DIGITS_MAX) &&
	       parse_number(digits, strlen(digits), 16, UINT64_MAX, ret) == 0;
}

/* A UUID of amd-smi, such as "34ff740f-0000-1000-80cb-5074bc442bc6". The error then lists ids. */
static bool looks_like_uuid(const char *item)
{
	return string_starts(item, "GPU-") ||
	       (strlen(item) == 36 && item[strspn(item, "0123456789abcdefABCDEF-")] == '\0');
}

static bool choose_name(struct chooser *c, const char *item)
{
	bool found = false;

	for (size_t i = 0; i < c->all->count; i++) {
		const struct accelerator *one = &c->all->items[i];
		bool same = one->uid_name && strcasecmp(one->uid_name, item) == 0;

		for (size_t j = 0; j < one->nodes.count; j++)
			same |= string_starts(item, "card") &&
				string_equal(one->nodes.items[j].name + strlen("dri/"), item);
		if (same)
			found = c->chosen[i] = true;
	}
	return found;
}

/*
 * Selects a function with all its partitions or, on a split GPU, the partition with the function's
 * number.
 */
static int choose_bus(struct chooser *c, const char *item, bus_id wanted)
{
	bool found = false;

	for (size_t i = 0; i < c->all->count; i++) {
		const struct accelerator *one = &c->all->items[i];

		if (one->address == wanted || (one->split && one->address >> 3 == wanted >> 3 &&
					       one->partition == (wanted & 7) && (wanted & 7) != 0))
			found = c->chosen[i] = true;
	}
	for (size_t i = 0; !found && i < c->all->unusable.count; i++) {
		bus_id address;

		if (bus_id_parse(c->all->unusable.items[i].bus_id, &address) == 0 &&
		    address == wanted)
			return unusable(c, item, &c->all->unusable.items[i]);
	}
	return found ? 0 : unknown(c, item, NAMES_BUS);
}

/* Part of a GPU: "2.0". */
static bool is_part(const char *item)
{
	size_t digits = strspn(item, "0123456789");

	return digits && item[digits] == '.' && item[digits + 1] &&
	       item[digits + 1 + strspn(item + digits + 1, "0123456789")] == '\0';
}

static int choose_item(struct chooser *c, const char *item)
{
	struct slice text = slice_from(item);
	uint64_t first, last;
	bus_id address;

	if (strcasecmp(item, "none") == 0)
		return 0;
	if (strcasecmp(item, "all") == 0)
		return choose_all(c);
	if (is_number(text, &first))
		return choose_index(c, item, first);
	if (parse_range(text, &first, &last))
		return choose_range(c, item, first, last);
	if (choose_name(c, item))
		return 0;
	if (parse_unique(item, &first)) {
		if (choose_unique(c, first))
			return 0;
		return unknown(c, item, first ? NAMES_IDS : NAMES_INDICES);
	}
	if (bus_id_parse(item, &address) == 0)
		return choose_bus(c, item, address);
	if (c->all->vendor->table->parts_hint && is_part(item)) {
		int r = unknown(c, item, NAMES_INDICES);

		return error_fix(c->err, r, "%s", c->all->vendor->table->parts_hint);
	}
	return unknown(c, item, looks_like_uuid(item) ? NAMES_IDS : NAMES_INDICES);
}

int accelerators_choose(const struct strings *devices, const struct strings *excluded,
			struct arena *arena, struct choice *ret, struct error *err)
{
	struct chooser c = {
		.all = &ret->all,
		.excluded = excluded,
		.arena = arena,
		.chosen = arena_alloc(arena, ret->all.count + 1),
		.from = ret->from,
		.err = err,
	};
	int r = 0;

	ret->items = arena_alloc(arena, (ret->all.count + 1) * sizeof(const struct accelerator *));
	if (!c.chosen || !ret->items)
		return error_memory(err);

	ret->count = 0;
	ret->inside = ret->vendor->table->inside;
	ret->inside_names = ret->vendor->table->inside_names;
	ret->subset_problem = ret->vendor->table->subset_problem;
	ret->names_by_card = ret->vendor->table->names_by_card;
	for (size_t i = 0; r == 0 && i < devices->count; i++)
		r = choose_item(&c, devices->items[i]);
	for (size_t i = 0; r == 0 && i < ret->all.count; i++)
		if (c.chosen[i])
			ret->items[ret->count++] = &ret->all.items[i];
	return r;
}

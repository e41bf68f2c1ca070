// SPDX-License-Identifier: Apache-2.0
/* AMD's and Intel's GPUs for people. */
#include "info.h"

#include <stdio.h>
#include <string.h>

bool info_read_vendor(const struct vendor *vendor, const struct driver_roots *roots,
		      struct arena *arena, struct choice *ret, struct error *err)
{
	return cli_choose_all(vendor, roots, arena, ret, err) == 0;
}

/* Other programs count in another order. */
static bool has_own_order(const struct accelerators *all)
{
	for (size_t i = 0; i < all->count; i++)
		if (all->items[i].order != all->items[i].index)
			return true;
	return false;
}

static void print_gpu(const struct choice *choice, const struct accelerator *one,
		      struct arena *arena)
{
	const char *nodes = cli_accelerator_nodes(one, arena);

	(void)printf("%s %u   %s  %s  %s  %s", choice->vendor->name, one->index, one->model,
		     one->uid_name ? one->uid_name : "-", one->bus_id, nodes ? nodes : "");
	(void)printf("  %s", one->driver);
	if (one->arch)
		(void)printf("  %s", one->arch);
	if (one->split)
		(void)printf("  partition %u%s%s", one->partition, one->device ? ": " : "",
			     one->device ? one->device : "");
	if (has_own_order(&choice->all))
		(void)printf("  HIP %u", one->order);
	if (choice->vendor == &vendor_amd && !one->unique_id)
		(void)fputs("  no unique id: integrated?", stdout);
	(void)putchar('\n');
}

void info_print_vendor(const struct choice *choice, struct arena *arena)
{
	for (size_t i = 0; i < choice->count; i++)
		print_gpu(choice, choice->items[i], arena);
	for (size_t i = 0; i < choice->all.unusable.count; i++)
		(void)printf("%s -   %s  %s\n", choice->vendor->name,
			     choice->all.unusable.items[i].bus_id,
			     choice->all.unusable.items[i].problem);
	if (*choice->all.warning)
		(void)printf("%s: %s\n", choice->vendor->title, choice->all.warning);
}

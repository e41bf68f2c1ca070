// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "davit/driver.h"

struct picker {
	const struct driver *driver;
	struct arena *arena;
	struct selection picked; /* in the order of the request */
	struct error *err;
};

/* What a message offers in place of a device that isn't there. */
enum candidates { CANDIDATES_INDICES, CANDIDATES_UUIDS, CANDIDATES_BUS_IDS, CANDIDATES_MIG };

/*
 * Whether these devices are told by the GPUs alone that were read until now, the first ones in bus
 * order: all are indices and UUIDs of them. (An index counts from the first, so it needs those
 * before it, of which the driver may leave some alone; and none behind it.)
 */
bool select_is_settled(const struct driver *driver, const struct strings *devices);

/* Fills the error and returns -ENODEV (or -ENOMEM). */
int select_unknown(struct picker *picker, const char *item, enum candidates candidates);
/* The same for a GPU that is there, but can't be used. */
int select_lost(struct picker *picker, const char *item, const struct lost_gpu *lost);
/* Something hides the GPUs of a host that has some. */
int select_hidden(struct picker *picker);

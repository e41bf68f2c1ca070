// SPDX-License-Identifier: Apache-2.0
/* Shared by the selection and its messages. */
#pragma once

#include "davit/select.h"

struct picker {
	const struct driver *driver;
	const char *place; /* as for select_devices */
	struct arena *arena;
	struct selection picked; /* in the order of the request */
	struct error *err;
};

/* The devices that a message offers instead of an unknown one. */
enum candidates { CANDIDATES_INDICES, CANDIDATES_UUIDS, CANDIDATES_BUS_IDS, CANDIDATES_MIG };

/* Fills the error and returns -ENODEV (or -ENOMEM). */
int select_unknown(struct picker *picker, const char *item, enum candidates candidates);
/* The same for "0,1,...", which names more GPUs than exist. */
int select_too_many(struct picker *picker, size_t count);
/* The same for a GPU that exists but can't be used. */
int select_lost(struct picker *picker, const char *item, const struct lost_gpu *lost);
/* Something hides the GPUs of a host that has some. */
int select_hidden(struct picker *picker);

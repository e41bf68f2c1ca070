// SPDX-License-Identifier: Apache-2.0
/*
 * What unit files say of how systemd starts a service: systemd.syntax(7), systemd.service(5),
 * systemd.exec(5), systemd.unit(5). Pure.
 */
#pragma once

#include "davit/base.h"

struct unit {
	const char *command; /* the last ExecStart=; NULL: none */
	const char *folder;  /* WorkingDirectory=; NULL: not set, or the user's */
	bool elsewhere;      /* RootDirectory=, RootImage=, or a user's WorkingDirectory= */
	/* Environment= (NAME=VALUE), and the files of EnvironmentFile=, which override it. */
	struct strings variables, files;
};

/* Applies a unit file or a drop-in to what the files before it say. 0 or -ENOMEM. */
int unit_read(const char *text, struct arena *arena, struct unit *unit);
/* Adds the variables of a file of EnvironmentFile=. 0 or -ENOMEM. */
int unit_read_variables(const char *text, struct arena *arena, struct unit *unit);
/*
 * The words of the command, without prefixes, with the variables' values in the place of their
 * names; empty: none. 0 or -ENOMEM.
 */
int unit_words(const struct unit *unit, struct arena *arena, struct strings *ret);
/* The value of that variable; NULL: it isn't set. */
const char *unit_variable(const struct unit *unit, const char *name);

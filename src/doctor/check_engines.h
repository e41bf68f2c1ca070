// SPDX-License-Identifier: Apache-2.0
/* What the checks of several engines share. They fill a finding and return 0 or -errno. */
#pragma once

#include "doctor.h"

/* The file belongs to another program, so the remedy for davit's own files doesn't apply. */
int engine_bad_file(const struct error *err, struct finding *ret);
int engine_found(const struct doctor_host *host, enum doctor_engine_kind kind, struct finding *ret);
int engine_config(const struct doctor_engine *engine, struct finding *ret);
/* Sets the remedy: configure and restart the engine. */
int engine_remedy_configure(const struct doctor_engine *engine, const char *name,
			    const char *option, struct finding *ret);
/* 0 if it fills the finding, 1 if no runtime is registered, which each engine judges differently.
 */
int engine_runtime(const struct doctor_host *host, enum doctor_engine_kind kind,
		   struct finding *ret);
int engine_restart(const struct doctor_host *host, enum doctor_engine_kind kind,
		   struct finding *ret);
/* The command that restarts the engine on this host. */
const char *engine_restart_of(const struct doctor_engine *engine);
/* Whether the engine finds CDI specs in the directories where it looks for them. */
int engine_spec_dirs(const struct doctor_host *host, enum doctor_engine_kind kind,
		     struct finding *ret);

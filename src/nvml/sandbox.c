// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "nvml.h"

static const struct {
	__rlimit_resource_t resource;
	rlim_t limit;
	const char *name;
} limits[] = {
	{RLIMIT_CORE,   0,    "core"  },
	{RLIMIT_FSIZE,  0,    "fsize" }, /* no regular file is written to, whoever owns it */
  /* The client of nvidia-persistenced takes memory for as many as there may be. */
	{RLIMIT_NOFILE, 1024, "nofile"},
};

static int set_limits(struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct rlimit limit;

		if (getrlimit(limits[i].resource, &limit) < 0)
			return error_errno(err, errno, "get the limit %s", limits[i].name);
		if (limit.rlim_max > limits[i].limit)
			limit.rlim_max = limits[i].limit;
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(limits[i].resource, &limit) < 0)
			return error_errno(err, errno, "set the limit %s", limits[i].name);
	}
	return 0;
}

static int drop_capabilities(struct error *err)
{
	cap_t none = cap_init();
	int r = none ? 0 : -ENOMEM;

	/* Without CAP_SETPCAP the bounding set stays; nothing can be executed to make use of it. */
	for (cap_value_t capability = 0; cap_get_bound(capability) >= 0; capability++)
		if (cap_drop_bound(capability) < 0)
			break;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		r = -errno;
	if (r == 0 && cap_set_proc(none) < 0)
		r = -errno;
	(void)cap_free(none);
	return r < 0 ? error_errno(err, -r, "drop the capabilities") : 0;
}

int sandbox_enter(struct error *err)
{
	int r = set_limits(err);

	if (r < 0)
		return r;
	/* EFBIG rather than the signal: what can't be written shall be said. */
	if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR || chdir("/") < 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_errno(err, errno, "give up what isn't needed");
	r = drop_capabilities(err);
	return r < 0 ? r : filter_install(err);
}

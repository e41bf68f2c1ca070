// SPDX-License-Identifier: Apache-2.0
/*
 * systemd as the manager of a container's device rules. With the systemd cgroup driver, a container
 * is in a scope. At a daemon-reload, among others, systemd attaches a new device program made from
 * the scope's DeviceAllow list. So davit adds its devices to that list, by one call of
 * SetUnitProperties over D-Bus.
 */
#pragma once

#include "davit/apply.h"

/*
 * Returns the scope in a cgroup v2 path such as "/machine.slice/libpod-ID.scope/container": its
 * last component that ends with ".scope". NULL: none, or a name that systemd wouldn't accept.
 */
const char *systemd_unit_of(const char *cgroup_path, struct arena *arena);

/*
 * Whether a unit's file or drop-in restricts the unit to the devices of its list
 * (systemd.resource-control(5)). A scope with DevicePolicy=auto and an empty list may use all
 * devices, and a first entry would forbid all others.
 */
bool systemd_policy_is_strict(const char *text);

/*
 * Manager.SetUnitProperties(unit, runtime, DeviceAllow=the plan's rules) as a message of the D-Bus
 * specification's version 1, in the byte order of this machine. *ret_length 0: the plan has no
 * rules. 0 or -ENOMEM.
 */
int systemd_message(const char *unit, const struct plan *plan, struct arena *arena, uint8_t **ret,
		    size_t *ret_length);

/* Sends the message over a connected stream socket. 0 or -errno, err filled. */
int systemd_send(int fd, const uint8_t *message, size_t length, struct error *err);
/*
 * Reads the answer, signals before it passed over. 0 or -errno, err filled (-ETIMEDOUT; -EPROTO;
 * -EREMOTEIO: systemd says why not).
 */
int systemd_receive(int fd, struct error *err);

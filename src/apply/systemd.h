// SPDX-License-Identifier: Apache-2.0
/*
 * systemd, as a container's manager of device rules: with the systemd cgroup driver a container
 * lives in a scope, and at daemon-reload and the like systemd attaches a fresh device program made
 * from the scope's own DeviceAllow list. Our devices have to stand in that list; one method call of
 * its D-Bus interface, SetUnitProperties, puts them there.
 */
#pragma once

#include "davit/apply.h"

/*
 * The scope in a path of cgroup v2, "/machine.slice/libpod-ID.scope/container": its last component
 * that ends in ".scope". NULL: there is none, or none with a name that systemd would take.
 */
const char *systemd_unit_of(const char *cgroup_path, struct arena *arena);

/*
 * Whether a unit's file or drop-in says that the unit may use the devices of its list only
 * (systemd.resource-control(5)). A scope with DevicePolicy=auto and an empty list may use all of
 * them, and one added would take away all others.
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

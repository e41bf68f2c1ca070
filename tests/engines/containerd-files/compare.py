#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""compare.py BEFORE AFTER PROGRAM [PATH=VALUE...]: two outputs of `containerd config dump`. All that
the first one says must be in the second, but for what davit sets; there, the runtimes are
davit's; and each PATH of the CRI plugin's section has that value (JSON). A line per difference."""
import json
import sys
import tomllib

PLUGINS = ("io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri")
HANDLERS = ("nvidia", "nvidia-cdi", "nvidia-legacy")


def leaves(value, path=()):
    if isinstance(value, dict):
        for key, member in value.items():
            yield from leaves(member, path + (key,))
    else:
        yield path, value


def find(value, path):
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return None
        value = value[key]
    return value


def is_ours(path, told):
    if path[0] == "imports" or ".".join(path) in told:
        return True
    return path[-3:-2] and path[-3] in HANDLERS and path[-2:] == ("options", "BinaryName") or (
        path[-2:-1] and path[-2] in HANDLERS and path[-1] in ("container_annotations", "runtime_type"))


def section(settings):
    for plugin in PLUGINS:
        found = find(settings, ("plugins", plugin))
        if found and "containerd" in found:
            return plugin, found
    return "", {}


def main():
    with open(sys.argv[1], "rb") as file:
        before = tomllib.load(file)
    with open(sys.argv[2], "rb") as file:
        after = tomllib.load(file)
    program = sys.argv[3]
    wanted = [word.split("=", 1) for word in sys.argv[4:]]
    plugin, ours = section(after)
    told = {f"plugins.{plugin}.{path}" for path, _ in wanted}
    for path, value in leaves(before):
        now = find(after, path)
        if not is_ours(path, told) and now != value and (value or now):
            print("lost:", ".".join(path), "=", json.dumps(value), "is", json.dumps(now))
    for handler in HANDLERS:
        runtime = find(ours, ("containerd", "runtimes", handler)) or {}
        if find(runtime, ("options", "BinaryName")) != program or runtime.get("runtime_type") != "io.containerd.runc.v2":
            print(f"{handler}: {json.dumps(runtime)}")
    for path, value in wanted:
        if find(ours, path.split(".")) != json.loads(value):
            print(f"{path}: {json.dumps(find(ours, path.split('.')))} instead of {value}")


main()

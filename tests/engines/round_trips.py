# SPDX-License-Identifier: Apache-2.0
"""Sends many config.json files through davit-runtime (mode spec, /bin/true as low-level runtime) and
compares each with what it was: besides what the plan says, nothing may differ, not even the text of
a number. Usage: round_trips.py RUNTIME DAVIT WORK ROOTFS COUNT CONFIG.json..."""
import json
import os
import random
import subprocess
import sys

NUMBERS = ["18446744073709551615", "9223372036854775807", "-9223372036854775808", "1e400", "1E+5",
           "-0", "-0.0", "0.1000000000000000055511151231257827", "99999999999999999999",
           "1.50e+00", "4294967296", "1e-7", "123456789012345678901234567890.5"]
ENVIRONMENTS = [["NVIDIA_VISIBLE_DEVICES=1"], ["NVIDIA_VISIBLE_DEVICES=all"],
                ["NVIDIA_VISIBLE_DEVICES=none"], ["NVIDIA_VISIBLE_DEVICES=0", "NVIDIA_VISIBLE_DEVICES=1"],
                ["NVIDIA_VISIBLE_DEVICES=all", "NVIDIA_DRIVER_CAPABILITIES=all"],
                ["NVIDIA_VISIBLE_DEVICES=all", "NVIDIA_DRIVER_CAPABILITIES=utility"],
                [], ["NVIDIA_VISIBLE_DEVICES=void"]]
VOID = "NVIDIA_VISIBLE_DEVICES=void"
LIBCUDA = "NVIDIA_CTK_LIBCUDA_DIR="  # where compute is given
OURS = {"davit-hook", "nvidia-container-runtime-hook", "nvidia-container-toolkit"}


class Number(str):
    """A number as it is written."""


def read(text):
    """Objects as lists of pairs, so that order and repeated names count."""
    return json.loads(text, parse_int=Number, parse_float=Number,
                      object_pairs_hook=lambda pairs: ("object", pairs))


def get(value, *names):
    for name in names:
        if not isinstance(value, tuple):
            return None
        found = [v for k, v in value[1] if k == name]
        value = found[-1] if found else None
    return value


def junk(rng, depth=0):
    kind = rng.randrange(8 if depth < 3 else 5)
    if kind == 0:
        return "@@" + rng.choice(NUMBERS) + "@@"
    if kind == 1:
        return rng.choice(["", "\u00e9\u4e16\U0001f600", "\"\\/\b\f\n\r\t", "\u007f\x01", "a]b}c,", "mounts"])
    if kind == 2:
        return rng.choice([True, False, None])
    if kind == 3:
        return rng.randrange(-10**6, 10**6)
    if kind == 4:
        return "\udcff\udcfe"  # bytes that are no UTF-8
    if kind == 5:
        return [junk(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {rng.choice(["x", "linux", "devices", "env", "y\\", "z\"", "\u00fc"]): junk(rng, depth + 1)
            for _ in range(rng.randrange(4))}


def mutate(rng, base, rootfs):
    config = json.loads(json.dumps(base))
    config["root"] = {"path": rootfs, "readonly": rng.random() < .5}
    process = config.setdefault("process", {})
    env = [e for e in process.get("env") or [] if not e.startswith("NVIDIA_")]
    for variable in rng.choice(ENVIRONMENTS):
        env.insert(rng.randrange(len(env) + 1) if rng.random() < .5 else len(env), variable)
    process["env"] = env
    spots = [config, process, config.setdefault("linux", {})]
    if isinstance(config.get("mounts"), list):
        spots += config["mounts"]
    for _ in range(rng.randrange(6)):
        rng.choice(spots)["davit.unknown.%d" % rng.randrange(9)] = junk(rng)
    linux = config["linux"]
    for name, absent in (("devices", linux), ("resources", linux), ("mounts", config), ("hooks", config)):
        change = rng.randrange(8)
        if change == 0:
            absent.pop(name, None)
        elif change == 1:
            absent[name] = None
        elif change == 2:
            absent[name] = [] if name in ("devices", "mounts") else {}
    if rng.random() < .3 and config.get("hooks") is not None:
        hook = {"path": "/usr/bin/" + rng.choice(sorted(OURS) + ["true"]), "args": ["x", "prestart"]}
        stage = rng.choice(["prestart", "createRuntime", "createContainer", "poststop"])
        hooks = config.setdefault("hooks", {})
        hooks[stage] = rng.sample((hooks.get(stage) or []) + [hook, {"path": "/bin/true"}], k=len(hooks.get(stage) or []) + 2)
    if rng.random() < .3 and linux.get("devices") is not None:
        linux.setdefault("devices", []).append(
            {"path": rng.choice(["/dev/nvidia0", "/dev/fuse"]), "type": "c", "major": 10, "minor": 229})
    if rng.random() < .2:
        process.setdefault("user", {})["additionalGids"] = rng.sample(range(100), k=3)
    style = rng.randrange(4)
    text = json.dumps(config, ensure_ascii=style == 0 and "\udcff" not in json.dumps(config, ensure_ascii=False),
                      indent=[None, "\t", 2, None][style], separators=[(",", ":"), (", ", ": ")][rng.randrange(2)])
    for number in NUMBERS:
        text = text.replace('"@@' + number + '@@"', number)
    return text.replace("\\udcff\\udcfe", "?") + rng.choice(["", "\n", " \n\n"])


def strip(before, after, path, added):
    """Takes what was added out of `after`; raises when anything else differs."""
    if path == "process.env" and isinstance(after, list):
        was = [VOID if e.startswith("NVIDIA_VISIBLE_DEVICES=") else e for e in before or []]
        if after and after[-1].startswith(LIBCUDA):
            after = after[:-1]
        assert after == (was if VOID in was else was + [VOID]), path
        return
    if path in ("hooks.prestart", "hooks.createRuntime") and isinstance(before, list):
        kept = [h for h in before if os.path.basename(str(get(h, "path"))) not in OURS]
        assert after == kept, path
        return
    if path in ("linux.devices", "linux.resources.devices", "mounts", "hooks.createContainer", "hooks.poststop",
                "process.user.additionalGids"):
        was = before or []
        assert isinstance(after, list) and after[:len(was)] == was, path
        added[path] = after[len(was):]
        return
    if before is None and path in ("linux", "linux.resources", "hooks", "process.user"):
        before = ("object", [])
    if isinstance(before, tuple) and isinstance(after, tuple):
        names, new = [k for k, _ in before[1]], [k for k, _ in after[1]]
        assert new[:len(names)] == names, path
        for index, (name, value) in enumerate(after[1]):
            where = path + "." + name if path else name
            strip(before[1][index][1] if index < len(names) else None, value, where, added)
        return
    assert before == after and type(before) is type(after), path


def paths(items, name):
    return [get(item, name) for item in items or []]


def check(before, after, plan, rest):
    added = {}
    strip(before, after, "", added)
    operations = plan["operations"]
    own = paths(get(before, "linux", "devices"), "path")
    devices = [o["target"] for o in operations if o["op"] == "device"]
    assert paths(added.get("linux.devices"), "path") == [d for d in devices if d not in own], "devices"
    rules = [o["target"] for o in operations if o["op"] == "device-rule"]
    assert len(added.get("linux.resources.devices", [])) == len(rules), "rules"
    binds = {o["target"] for o in operations if o["op"] == "bind"}
    required = {o["target"] for o in operations if o["op"] == "bind" and o["required"]}
    mounted = set(paths(added.get("mounts"), "destination"))
    mounted |= {o["target"] for o in rest["operations"] if o["op"] == "bind"}
    assert required <= mounted <= binds, "mounts"
    flags = {o["target"]: o["options"] for o in operations if o["op"] == "bind"}
    for mount in added.get("mounts", []):
        options = [f for f in ("ro", "nosuid", "nodev", "noexec") if f in flags[get(mount, "destination")]]
        assert get(mount, "options") == ["bind"] + options + ["rprivate"], "options of mounts"
    for device in added.get("linux.devices", []):
        node = os.stat(next(o["source"] for o in operations
                            if o["op"] == "device" and o["target"] == get(device, "path")))
        assert device[1] == [("path", get(device, "path")), ("type", "c"),
                             ("major", str(os.major(node.st_rdev))), ("minor", str(os.minor(node.st_rdev))),
                             ("fileMode", str(node.st_mode & 0o777)), ("uid", str(node.st_uid)),
                             ("gid", str(node.st_gid))], "members of devices"
    left = [(o["op"], o["target"]) for o in rest["operations"] if o["op"] != "bind"]
    assert left == [(o["op"], o["target"]) for o in operations
                    if o["op"] not in ("bind", "device", "device-rule")], "rest"
    hooks = added.get("hooks.createContainer")
    assert len(hooks) == 1 and get(hooks[0], "args") == ["davit-hook", "createContainer"], "hook"
    for hook in added.get("hooks.poststop", []):
        assert get(hook, "args") == ["davit-hook", "poststop"], "poststop hook"


def trip(runtime, davit, bundle, text):
    """What is wrong, or None; and whether it was a GPU container."""
    path, rest = os.path.join(bundle, "config.json"), os.path.join(bundle, "davit.json")
    raw = text.encode("utf-8", "surrogateescape")
    with open(path, "wb") as file:
        file.write(raw)
    os.chmod(path, 0o640)
    before = os.stat(path)
    if os.path.exists(rest):
        os.remove(rest)
    plan = json.loads(subprocess.run([davit, "explain", "--runtime", "--json", "--bundle", bundle], check=False,
                                     stdout=subprocess.PIPE).stdout.decode("latin-1"))
    done = subprocess.run([runtime, "--root", "create", "create", "--bundle", bundle, "c"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        return "exit %d: %s" % (done.returncode, done.stdout.decode()), False
    with open(path, "rb") as file:
        got = file.read()
    after = os.stat(path)
    if (after.st_mode, after.st_uid, after.st_gid) != (before.st_mode, before.st_uid, before.st_gid):
        return "mode or owner", False
    if not plan["request"]["gpu"]:
        return (None if got == raw and after.st_ino == before.st_ino else "it was written"), False
    try:
        with open(rest, encoding="latin-1") as file:
            check(read(raw.decode("latin-1")), read(got.decode("latin-1")), plan, json.load(file))
    except (AssertionError, ValueError, TypeError) as problem:
        return "%s: %r" % (type(problem).__name__, problem), True
    return None, True


def main():
    runtime, davit, work, rootfs, count = sys.argv[1:6]
    rng = random.Random(1)
    failed, gpus = 0, 0
    bases = []
    for name in sys.argv[6:]:
        with open(name, encoding="utf-8") as file:
            bases.append(json.load(file))
    for number in range(int(count)):
        text = mutate(rng, bases[number % len(bases)], rootfs)
        problem, gpu = trip(runtime, davit, work, text)
        gpus += gpu
        if problem:
            failed += 1
            if failed < 5:
                print("    %s %d: %s" % (sys.argv[6 + number % len(bases)], number, problem))
    print("%d differ, %s GPU containers" % (failed, "more than half are" if gpus * 2 > int(count) else "few"))


main()

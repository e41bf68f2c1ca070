#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hostile containers from a grammar. Called by generate.sh, which sets the environment.

A case is a value for each dimension. The cases of a run are a covering array: every pair of values
of two dimensions (or every triple of three) occurs in one of them. Each case is a container of a
real runtime. Before and after it every tree of the host in play and the host's mount table are the
same, whatever became of it; inside, the container has its GPU, or was refused by one line.
"""
from collections import Counter
import ctypes
import hashlib
import itertools
import json
import os
import random
import shutil
import stat
import subprocess
import sys
import time

LIB = "/usr/lib/x86_64-linux-gnu"

# --- the grammar ----------------------------------------------------------------------------------

DIMENSIONS = {
    # What davit makes or mounts something at, or looks into.
    "place": {
        "lib": LIB, "gbm": LIB + "/gbm", "vdpau": LIB + "/vdpau", "xorg": LIB + "/nvidia",
        "library": LIB + "/libcuda.so.1", "usr": "/usr", "bin": "/usr/bin",
        "smi": "/usr/bin/nvidia-smi", "lib64": "/usr/lib64", "etc": "/etc",
        "cache": "/etc/ld.so.cache", "cache.d": "/etc/ld.so.conf.d", "profile": "/etc/nvidia",
        "opencl": "/etc/OpenCL", "vulkan": "/etc/vulkan", "egl": "/usr/share/egl",
        "glvnd": "/usr/share/glvnd", "share": "/usr/share/nvidia",
        "firmware": "/usr/lib/firmware/nvidia", "firmware-parent": "/lib/firmware",
        "compat": "/usr/local/cuda/compat", "x11": "/usr/share/X11", "dev": "/dev",
        "nvidiactl": "/dev/nvidiactl", "nvidia0": "/dev/nvidia0", "dri": "/dev/dri",
        "caps": "/dev/nvidia-caps", "run": "/run", "persistenced": "/run/nvidia-persistenced",
        "socket": "/run/nvidia-persistenced/socket", "mps": "/tmp/nvidia-mps", "pipes": "/pipes",
        "proc": "/proc", "udev": "/run/udev",
    },
    # What the image has there.
    "image": ["as-is", "missing", "directory", "file", "empty", "fifo", "socket", "device",
              "link-volume", "link-relative", "link-chain", "link-proc", "link-out", "link-elsewhere",
              "dangling", "loop", "mode-0"],
    # What is mounted, and where it lies.
    "volume": ["none", "ro", "rw", "ro-shared", "rw-shared", "rw-slave", "rw-private", "file-rw",
               "file-ro", "rw-in-ro", "ro-in-rw", "tmpfs-in-rw", "tmpfs", "host-dev", "host-run",
               "host-proc"],
    "at": ["link", "place", "above", "below"],
    "method": ["hook", "runtime", "cdi", "cli"],
    "runtime": ["runc", "crun"],
    "root": ["rw", "ro"],
    "userns": ["no", "yes"],
    "propagation": ["private", "rslave", "rshared"],
}
NAMES = list(DIMENSIONS)
VALUES = {name: list(values) for name, values in DIMENSIONS.items()}


PLAIN = {"place": "etc", "image": "as-is", "volume": "none", "at": "link", "root": "rw", "userns": "no",
         "propagation": "private"}


def is_possible(case):
    """Some of a case's values may be missing: then those that are there."""
    get = case.get
    image, volume, at, place = get("image"), get("volume"), get("at"), get("place")
    links = ("link-volume", "link-relative", "link-chain", "link-proc")
    # A link into a volume needs one to lead to, and the other way round.
    if image in links and (volume == "none" or at not in (None, "link")):
        return False
    if at == "link" and image is not None and image not in links and volume != "none":
        return False
    if at not in (None, "link") and volume == "none":
        return False
    if volume in ("host-dev", "host-run", "host-proc") and at not in (None, "link", "place"):
        return False
    # Runtimes mount their own there, whatever the image has.
    if place in ("dev", "proc", "nvidiactl", "nvidia0", "dri", "caps") and image not in (
            None, "as-is", *links, "dangling", "loop", "link-elsewhere", "directory"):
        return False
    return True


def covering_array(strength, seed):
    """Greedy: each row takes as many tuples that no row has as a few tries find."""
    chance = random.Random(seed)
    left = set()
    for names in itertools.combinations(NAMES, strength):
        for values in itertools.product(*(VALUES[name] for name in names)):
            if is_possible(dict(zip(names, values))):
                left.add(tuple(zip(names, values)))
    rows = []
    order = sorted(left)
    chance.shuffle(order)
    for wanted in order:
        if wanted not in left:
            continue
        best = None
        for _ in range(6 if strength == 2 else 3):
            case = complete(dict(wanted), chance)
            if case is None:
                continue
            gain = sum(item in left for item in tuples_of(case, strength))
            if best is None or gain > best[0]:
                best = (gain, case)
        if best is None:  # no whole case has it
            left.discard(wanted)
            continue
        rows.append(best[1])
        left.difference_update(tuples_of(best[1], strength))
    return rows


def tuples_of(case, strength):
    items = [(name, case[name]) for name in NAMES]
    return list(itertools.combinations(items, strength))


def complete(case, chance):
    for _ in range(40):
        whole = {name: case.get(name) or chance.choice(VALUES[name]) for name in NAMES}
        if whole["volume"] == "none":
            whole["at"] = "link"
            if "at" in case and case["at"] != "link":
                return None
        if is_possible(whole):
            return whole
    return None


def name_of(case):
    return " ".join(f"{name}={case[name]}" for name in NAMES)


def parse_name(text):
    case = dict(item.split("=", 1) for item in text.split())
    for name in NAMES:
        if case.get(name) not in VALUES[name]:
            sys.exit(f"generate: {name}={case.get(name)}: one of {', '.join(VALUES[name])}")
    return case


# --- system calls -----------------------------------------------------------------------------------

libc = ctypes.CDLL(None, use_errno=True)
MNT_DETACH = 2
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC = 1, 32, 4096, 16384
MS_PRIVATE, MS_SLAVE, MS_SHARED = 1 << 18, 1 << 19, 1 << 20
CLONE_NEWNS = 0x20000


def mount(source, target, kind=None, flags=0, data=None):
    encode = lambda text: text.encode() if text is not None else None
    if libc.mount(encode(source), encode(target), encode(kind), flags, encode(data)) != 0:
        raise OSError(ctypes.get_errno(), f"mount {source} on {target}")


def unmount_below(top):
    points = [line.split(" ")[4] for line in open("/proc/self/mountinfo")]
    for point in reversed(points):
        if point == top or point.startswith(top + "/"):
            libc.umount2(point.encode(), 2)


# --- what must stay as it is ------------------------------------------------------------------------

def tree_state(top, skip=()):
    """Name, type, mode, owner, size and content of everything on the tree's own mount and beneath."""
    state = {}
    for directory, names, files in os.walk(top):
        for name in names + files:
            path = os.path.join(directory, name)
            if path in skip:
                continue
            st = os.lstat(path)
            what = [stat.S_IFMT(st.st_mode), st.st_mode & 0o7777, st.st_uid, st.st_gid, st.st_rdev]
            if stat.S_ISLNK(st.st_mode):
                what.append(os.readlink(path))
            elif stat.S_ISREG(st.st_mode):
                with open(path, "rb") as file:
                    what += [st.st_size, hashlib.sha1(file.read()).hexdigest()]
            state[path[len(top):]] = what
    return state


def mounts_state(below):
    """The mount table without its numbers, but for mounts of the bundle's own."""
    lines = []
    for line in open("/proc/self/mountinfo"):
        words = line.split(" ")
        # (crun leaves a mount of its own program behind.)
        if not words[4].startswith(below) and not words[4].startswith("/tmp/crun."):
            lines.append(" ".join(words[3:6] + words[words.index("-"):]))
    return sorted(lines)


def differences(before, after):
    if isinstance(before, dict):
        keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
        return [f"{key}: {before.get(key)} -> {after.get(key)}" for key in sorted(keys)]
    # The same may be mounted twice.
    less, more = Counter(before), Counter(after)
    return [f"- {line}" for line in (less - more).elements()] + [
        f"+ {line}" for line in (more - less).elements()]


# --- one container ------------------------------------------------------------------------------------

class Container:
    def __init__(self, case, work, environment):
        self.case, self.work, self.env = case, work, environment
        self.bundle = f"{work}/bundle"
        self.rootfs = f"{self.bundle}/rootfs"
        self.volume = f"{work}/host/volume"
        self.place = DIMENSIONS["place"][case["place"]]
        self.name = "-".join(work.split("/")[-2:])
        self.mounts, self.volume_at = [], None
        self.marker = None  # where the container writes, and where that must be then

    def in_root(self, path):
        return self.rootfs + path

    # What the image has.

    def make_root(self):
        os.makedirs(self.rootfs)
        os.makedirs(f"{self.work}/upper")
        os.makedirs(f"{self.work}/work")
        base = self.env["base_mapped" if self.case["userns"] == "yes" else "base"]
        mount("overlay", self.rootfs, "overlay", 0,
              f"lowerdir={base},upperdir={self.work}/upper,workdir={self.work}/work")

    def real(self, path):
        """The path within the root, its directories' links taken as the image means them."""
        root, parts, done = self.rootfs, [part for part in path.split("/") if part], ""
        while parts:
            part = parts.pop(0)
            link = root + done + "/" + part
            if parts and os.path.islink(link):
                text = os.readlink(link)
                parts = [p for p in text.split("/") if p] + parts
                done = "" if text.startswith("/") else done
            elif part == "..":
                done = os.path.dirname(done)
            else:
                done += "/" + part
        return root + done

    def put(self, path, make):
        there = self.real(path)
        if os.path.islink(there) or os.path.isfile(there):
            os.unlink(there)
        elif os.path.isdir(there):
            shutil.rmtree(there)
        os.makedirs(os.path.dirname(there), exist_ok=True)
        make(there)

    def keep_then(self, path, make):
        """What was there goes to the volume, so that the container can find it through the link."""
        there = self.real(path)
        if os.path.isdir(there) and not os.path.islink(there):
            self.kept = there + ".kept"
        self.put(path, make)

    def make_image(self):
        place, image = self.place, self.case["image"]
        volume = self.destination()
        up = "../" * (place.count("/") - 1)
        makers = {
            "missing": lambda there: None,
            "directory": os.mkdir,
            "file": lambda there: write(there, "a file of the image\n"),
            "empty": lambda there: write(there, ""),
            "fifo": os.mkfifo,
            "socket": make_socket,
            "device": lambda there: os.mknod(there, stat.S_IFCHR | 0o666, os.makedev(1, 3)),
            "link-volume": lambda there: os.symlink(volume, there),
            "link-relative": lambda there: os.symlink(up + volume[1:], there),
            "link-chain": lambda there: os.symlink("/one/../two", there),
            "link-proc": lambda there: os.symlink("/proc/self/root" + volume, there),
            "link-out": lambda there: os.symlink("../" * 20 + self.volume[1:], there),
            "link-elsewhere": lambda there: os.symlink("/elsewhere", there),
            "dangling": lambda there: os.symlink("/nowhere/at/all", there),
            "loop": lambda there: os.symlink(place, there),
        }
        if image == "link-chain":
            os.symlink("three", self.in_root("/two"))
            os.mkdir(self.in_root("/one"))
            os.symlink(volume, self.in_root("/three"))
        os.mkdir(self.in_root("/elsewhere"))
        if image == "mode-0":
            if os.path.isdir(self.real(place)):
                os.chmod(self.real(place), 0)
            else:
                self.put(place, lambda there: (write(there, "text"), os.chmod(there, 0)))
        elif image != "as-is":
            self.put(place, makers[image])

    # What is mounted.

    def destination(self):
        if not self.volume_at:
            self.volume_at = self.find_destination()
        return self.volume_at

    def find_destination(self):
        """Where the volume goes: the links' end, the place, above it or in it."""
        at = self.case["at"]
        if at == "link":
            return "/volume"
        if at == "place":
            return self.place
        if at == "above":
            parent = os.path.dirname(self.place)
            return parent if parent != "/" else self.place
        return self.place + "/deep" if os.path.isdir(self.real(self.place)) else self.place

    def fill_volume(self, destination):
        """What the image has at the destination: so that programs are found in it."""
        there = self.real(destination)
        if os.path.isdir(there) and not os.path.islink(there):
            subprocess.run(["cp", "-a", there + "/.", self.volume], check=True)
        os.makedirs(self.volume + "/nvidia/deep", exist_ok=True)
        write(self.volume + "/canary", "the host's\n")
        write(self.volume + "/ld.so.cache.d", "the host's\n")
        for directory, names, files in os.walk(self.volume):
            for name in names + files:
                os.lchown(os.path.join(directory, name), *([self.owner()] * 2))

    def owner(self):
        return 100000 if self.case["userns"] == "yes" else 0

    def add_mount(self, destination, source, *options, kind="bind"):
        self.mounts.append({"destination": destination, "source": source, "type": kind,
                            "options": list(options)})

    def make_volume(self):
        kind, destination = self.case["volume"], self.destination()
        os.makedirs(self.volume)
        if kind == "none":
            return
        mount("volume", self.volume, "tmpfs", 0, "mode=755")
        self.fill_volume(destination)
        os.chown(self.volume, self.owner(), self.owner())
        if "shared" in kind:
            mount(None, self.volume, None, MS_SHARED)
        if kind in ("ro", "rw", "ro-shared", "rw-shared", "rw-slave", "rw-private"):
            words = kind.split("-")
            self.add_mount(destination, self.volume, "rbind", words[0],
                           *(["r" + words[1]] if len(words) > 1 else []))
        elif kind.startswith("file"):
            # On a file, where the image has or can have one.
            target = destination if not os.path.isdir(self.real(destination)) else destination + "/canary"
            self.add_mount(target, self.volume + "/canary", "bind", kind[5:])
        elif kind in ("rw-in-ro", "ro-in-rw"):
            inner, outer = kind.split("-in-")
            os.makedirs(self.work + "/host/inner")
            write(self.work + "/host/inner/canary", "the host's\n")
            self.add_mount(destination, self.volume, "rbind", outer)
            self.add_mount(destination + "/nvidia", self.work + "/host/inner", "rbind", inner)
        elif kind == "tmpfs-in-rw":
            mount("tmpfs", self.volume + "/nvidia", "tmpfs", 0, "mode=755")
            self.add_mount(destination, self.volume, "rbind", "rw")
        elif kind == "tmpfs":
            self.add_mount(destination, "tmpfs", "rw", "mode=755", kind="tmpfs")
        else:
            self.make_host_directory(kind, destination)

    def make_host_directory(self, kind, destination):
        if kind == "host-proc":
            self.add_mount(destination, "/proc", "rbind", "rw")
            return
        if kind == "host-dev":
            for name in ("null", "zero", "full", "random", "urandom", "tty"):
                st = os.stat("/dev/" + name)
                if os.path.lexists(f"{self.volume}/{name}"):
                    os.unlink(f"{self.volume}/{name}")
                os.mknod(f"{self.volume}/{name}", st.st_mode, st.st_rdev)
            for name in ("pts", "shm", "mqueue"):
                os.makedirs(f"{self.volume}/{name}", exist_ok=True)
        else:
            os.makedirs(self.volume + "/nvidia-persistenced", exist_ok=True)
        self.add_mount(destination, self.volume, "rbind", "rw")

    def set_marker(self):
        """A file that the container writes into a volume that it may write."""
        kind = self.case["volume"]
        if kind not in ("rw", "rw-slave", "rw-private", "rw-shared", "tmpfs-in-rw", "ro-in-rw"):
            return
        self.marker = (self.destination() + "/written", self.volume + "/written")

    # config.json

    def command(self):
        steps = ["nvidia-smi -L", "echo end"]
        if self.marker:
            steps.insert(0, f"echo written > {self.marker[0]} && echo marked")
        control = "/probe/control && echo control"
        return ["/probe/sh", "-c", "; ".join([control, *steps])]

    def write_config(self):
        case, env = self.case, self.env
        config = json.loads(env["template"])
        config["process"].update(terminal=False, args=self.command())
        config["process"]["env"].append("NVIDIA_DRIVER_CAPABILITIES=all")
        if case["place"] == "pipes":
            config["process"]["env"].append("CUDA_MPS_PIPE_DIRECTORY=/pipes")
        config["process"].pop("rlimits", None)
        config["root"] = {"path": self.rootfs, "readonly": case["root"] == "ro"}
        config["mounts"] += self.mounts
        linux = config["linux"]
        linux["cgroupsPath"] = f"{env['cgroup']}/{self.name}"
        # Mounts come back only if this says so; engines set it for shared volumes.
        propagation = "rshared" if "shared" in case["volume"] else case["propagation"]
        if propagation != "private":
            linux["rootfsPropagation"] = propagation
        if case["userns"] == "yes":
            linux["namespaces"].append({"type": "user"})
            linux["uidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
            linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
        config["annotations"] = {"run.oci.hooks.stderr": f"{self.work}/hook-errors"}
        self.add_method(config)
        self.original = json.dumps(config)
        with open(f"{self.bundle}/config.json", "w") as file:
            file.write(self.original)

    def add_method(self, config):
        method, env = self.case["method"], self.env
        devices = "NVIDIA_VISIBLE_DEVICES=0"
        if method in ("hook", "runtime"):
            config["process"]["env"].append(devices)
            if self.case["place"] == "udev":
                config["process"]["env"].append("NVIDIA_GDS=enabled")
        if method == "hook":
            config["hooks"] = {"prestart": [{"path": env["hook"], "args": [
                "davit-hook", "--config", env["config"], "prestart"]}]}
        elif method == "cli":
            config["hooks"] = {"prestart": [{"path": env["cli"], "args": ["cli", self.rootfs]}]}
        elif method == "cdi":
            self.add_cdi(config, json.loads(env["cdi"]))

    def add_cdi(self, config, spec):
        device = next(item for item in spec["devices"] if item["name"] == "0")
        for edits in (spec.get("containerEdits", {}), device["containerEdits"]):
            config["process"]["env"] += edits.get("env", [])
            # Before the volumes, as Docker has them: so runtimes make their targets in the root.
            first = len(config["mounts"]) - len(self.mounts)
            config["mounts"][first:first] = [
                {"destination": item["containerPath"], "type": "bind", "source": item["hostPath"],
                 "options": item["options"] + ["bind"]} for item in edits.get("mounts", [])]
            for item in edits.get("hooks", []):
                hook = {"path": self.env["hook"], "args": item["args"]}
                config.setdefault("hooks", {}).setdefault(item["hookName"], []).append(hook)
            for item in edits.get("deviceNodes", []):
                st = os.stat(item.get("hostPath", item["path"]))
                node = {"path": item["path"], "type": "c", "major": os.major(st.st_rdev),
                        "minor": os.minor(st.st_rdev), "fileMode": 0o666, "uid": 0, "gid": 0}
                config["linux"].setdefault("devices", []).append(node)
                config["linux"]["resources"]["devices"].append(
                    {"allow": True, "type": "c", "major": node["major"], "minor": node["minor"],
                     "access": "rw"})

    # The run

    def run(self, with_davit=True):
        low = self.env[self.case["runtime"]]
        command = [low]
        if with_davit and self.case["method"] == "runtime":
            command = [self.env["runtime"]]
        command += ["--root", f"{self.work}/state-{self.case['runtime']}", "run", "-b", self.bundle,
                    f"davit-{self.name}"]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, timeout=int(self.env.get("LIMIT", "20")), cwd="/", errors="replace")
        except subprocess.TimeoutExpired:
            return None, "", ""
        errors = done.stderr
        if os.path.exists(f"{self.work}/hook-errors"):
            with open(f"{self.work}/hook-errors", errors="replace") as file:
                errors += file.read()
        return done.returncode, done.stdout, errors

    def without_davit(self):
        """The same container by the runtime alone: whether it starts, and what it changes itself."""
        with open(f"{self.bundle}/config.json", "w") as file:
            config = json.loads(self.original)
            config.pop("hooks", None)
            config["process"]["args"] = ["/probe/sh", "-c", "echo end"]
            json.dump(config, file)
        before = [tree_state(tree) for tree in self.trees]
        mounts = mounts_state(self.bundle)
        rc, output, _ = self.run(with_davit=False)
        changed = differences(mounts, mounts_state(self.bundle))
        for tree, state in zip(self.trees, before):
            changed += differences(state, tree_state(tree))
        return rc == 0 and "end" in output, changed

    def judge(self, rc, output, errors):
        """What is wrong, and whether it started. The order is that of gravity."""
        if rc is None:
            return ["it hung"], False
        lines = [line for line in errors.replace("\\n", "\n").split("\n") if "davit: cannot" in line]
        # (crun ends with 255 when a hook fails.)
        if 128 <= rc < 255 or any(word in errors for word in ("bad system call", "signal: ", "by signal")):
            return [f"it crashed: {rc}: {errors[-300:]}"], False
        if "end" in output.split("\n"):
            return self.judge_inside(output, errors), True
        if not lines:
            if self.without_davit()[0]:
                return [f"refused without a line: {rc}: {errors}"], False
            return [], False
        if len(set(line[line.index("davit: "):] for line in lines)) > 2:
            return [f"more than one line: {lines}"], False
        if not any("(fix: " in line for line in lines):
            return [f"no remedy: {lines}"], False
        return [], False

    def judge_inside(self, output, errors):
        wrong = []
        gpu = f"GPU 0: NVIDIA H200 (UUID: {self.env['uuid']})"
        # What the image's own programs can't do without a GPU is no matter of ours.
        # What an engine mounts for CDI may lie hidden beneath a volume.
        hidden = self.case["method"] == "cdi" and self.case["volume"] != "none"
        # What nobody may enter is found by nobody.
        hidden |= self.case["image"] == "mode-0"
        if gpu not in output and not hidden and "control" in output.split("\n"):
            wrong.append(f"it started without its GPU: {output!r} {errors[-300:]}")
        if self.marker and "marked" in output:
            try:
                with open(self.marker[1]) as file:
                    if file.read() != "written\n":
                        wrong.append("what it wrote into the volume is not what is there")
            except OSError:
                wrong.append("what it wrote into the volume is lost")
        return wrong

    def prepare(self):
        self.make_root()
        self.make_volume()
        self.make_image()
        for item in self.mounts:  # links lead there
            there = self.in_root(item["destination"])
            if item["destination"] == "/volume":
                os.makedirs(there, exist_ok=True)
        self.set_marker()
        self.write_config()

    def try_it(self):
        self.prepare()
        self.trees = trees = [f"{self.work}/host", self.env["fake_host"]]
        before = [tree_state(tree) for tree in trees]
        mounts = mounts_state(self.bundle)
        rc, output, errors = self.run()
        wrong, started = self.judge(rc, output, errors)
        if self.marker and os.path.exists(self.marker[1]):
            os.unlink(self.marker[1])
        changed = []
        for tree, state in zip(trees, before):
            changed += differences(state, tree_state(tree))
        escaped = differences(mounts, mounts_state(self.bundle))
        if changed or escaped:
            changed, escaped = self.without_what_runtimes_do(changed, escaped)
        return started, wrong, changed, escaped

    def without_what_runtimes_do(self, changed, escaped):
        """Runtimes make nodes and targets of their own in volumes: seen on a copy of the case."""
        for item in reversed(escaped):
            if item[0] == "+":
                libc.umount2(item.split(" ")[2].encode(), MNT_DETACH)
        again = Container(self.case, self.work + "-again", self.env)
        os.makedirs(again.work)
        mount("case", again.work, "tmpfs", 0, "mode=755")
        mount(None, again.work, None, MS_PRIVATE)
        again.prepare()
        again.trees = [f"{again.work}/host", self.env["fake_host"]]
        theirs = [item.replace(again.work, self.work) for item in again.without_davit()[1]]
        unmount_below(again.work)
        shutil.rmtree(again.work, ignore_errors=True)
        # Numbers of nodes in mountinfo's root (/5) aren't the same.
        place = lambda item: item.split(": ")[0] if item[0] == "/" else item.split(" ")[2]
        known = {place(item) for item in theirs}
        return tuple([item for item in items if place(item) not in known] for items in (changed, escaped))


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def make_socket(path):
    os.mknod(path, stat.S_IFSOCK | 0o755)


# --- many -------------------------------------------------------------------------------------------

def work_on(cases, number, environment, report):
    """A worker: its containers, one after another, in a mount namespace of its own."""
    if libc.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    # Shared as a host's are, but not with the other workers.
    for propagation in (MS_PRIVATE, MS_SHARED):
        mount(None, "/", None, MS_REC | propagation)
    top = f"{environment['work']}/worker{number}"
    os.makedirs(top)
    for serial, case in enumerate(cases):
        work = f"{top}/{serial}"
        os.makedirs(work)
        mount("case", work, "tmpfs", 0, "mode=755")
        mount(None, work, None, MS_PRIVATE)
        try:
            started, wrong, changed, escaped = Container(case, work, environment).try_it()
        except Exception as problem:  # pylint: disable=broad-except
            started, wrong, changed, escaped = False, [f"the test itself: {problem!r}"], [], []
        unmount_below(work)
        shutil.rmtree(work, ignore_errors=True)
        report.write(json.dumps([name_of(case), started, wrong, changed, escaped]) + "\n")
        report.flush()


def run_all(cases, environment):
    jobs = min(int(os.environ.get("JOBS", os.cpu_count() or 1)), len(cases))
    children, paths = [], []
    for number in range(jobs):
        path = f"{environment['work']}/report{number}"
        paths.append(path)
        child = os.fork()
        if child == 0:
            with open(path, "w") as report:
                work_on(cases[number::jobs], number, environment, report)
            os._exit(0)
        children.append(child)
    broken = [os.waitpid(child, 0)[1] for child in children]
    results = []
    for path in paths:
        with open(path) as file:
            results += [json.loads(line) for line in file]
    if any(broken) or len(results) != len(cases):
        print(f"FAIL generated containers: a worker ended early: {broken}, {len(results)} of {len(cases)}")
    return results


def tell(results, title):
    failed = 0
    for name, _, wrong, changed, escaped in results:
        problems = [f"ESCAPE: {item}" for item in escaped] + [
            f"the host changed: {item}" for item in changed] + wrong
        if problems:
            failed += 1
            print(f"FAIL {title}: {name}: {problems[0][:900]}")
            for problem in problems[1:4]:
                print(f"    {problem[:600]}")
            print(f"    again: tests/attacks/generate.sh '{name}'")
    started = sum(result[1] for result in results)
    print(f"    {title}: containers tried {len(results)}, started {started}, refused "
          f"{len(results) - started}, escapes {sum(bool(r[4]) for r in results)}, hosts changed "
          f"{sum(bool(r[3]) for r in results)}")
    return failed


def main():
    environment = dict(os.environ)
    seed = int(environment.get("SEED", "1"))
    names = sys.argv[1:]
    if names:
        cases, title = [parse_name(name) for name in names], "named containers"
    else:
        strength = 3 if environment.get("FULL") else 2
        cases = covering_array(strength, seed)
        title = f"all {'triples' if strength == 3 else 'pairs'}, seed {seed}"
        share, shares = (int(x) for x in environment.get("SHARE", "0/1").split("/"))
        cases = cases[share::shares]
    if environment.get("LIST"):
        print("\n".join(name_of(case) for case in cases))
        return
    begun = time.monotonic()
    # With nothing in the way each has to start, or the rest says nothing.
    plain = [] if names else [
        dict(PLAIN, method=method, runtime=runtime) for method in VALUES["method"] for runtime in VALUES["runtime"]]
    results = run_all(cases + [case for case in plain if case not in cases], environment)
    failed = tell(results, title)
    started = {result[0] for result in results if result[1]}
    for case in plain:
        if name_of(case) not in started:
            print(f"FAIL {title}: {name_of(case)}: a plain container was refused")
            failed += 1
    print(f"    {time.monotonic() - begun:.0f} s")
    for method in VALUES["method"]:
        of_method = [r for r in results if f" method={method} " in r[0]]
        if of_method and not any(r[2] or r[3] or r[4] for r in of_method):
            print(f"ok {title}: by {method}: {len(of_method)} containers")
    sys.exit(1 if failed else 0)


main()

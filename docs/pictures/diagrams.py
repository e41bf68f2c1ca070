# SPDX-License-Identifier: Apache-2.0
"""The two drawings: how an engine's call becomes a container's GPUs, and who trusts whom."""
from svg import Picture


def architecture():
    p = Picture(880, 372, "How davit gives a container its GPUs",
                "An engine calls davit-hook, starts davit-runtime instead of runc, or reads davit's CDI "
                "specification. All three use one planner. The plan is applied to the container before its "
                "process starts. davit explain prints the same plan.")
    p.text(20, 30, "How davit gives a container its GPUs", bold=True, size=16)
    p.box(20, 104, 140, 126, "Engine", ["Docker, Podman", "containerd, CRI-O", "Kubernetes", "HPC launchers"])
    callers = [
        (56, "davit-hook", "prestart hook of runc, crun"),
        (136, "davit-runtime", "edits config.json, then runs runc"),
        (216, "CDI specification", "written by davit cdi generate"),
    ]
    for y, head, line in callers:
        p.box(196, y, 222, 62, head, [line], line="davit-line")
        p.line([(160, 167), (178, 167), (178, y + 31), (194, y + 31)], arrow=True)
        p.line([(418, y + 31), (436, y + 31), (436, 167), (454, 167)], arrow=y == 136)
    p.box(456, 84, 192, 166, "One planner", ["request: what it asked for", "policy: what it may have",
                                             "driver: what the host has", "image: where files go", "",
                                             "plan: an ordered list"], line="davit-line")
    p.line([(648, 167), (672, 167)], arrow=True)
    p.box(674, 84, 186, 166, "Container", ["device nodes", "device rules (cgroup)", "driver libraries",
                                          "nvidia-smi", "loader cache", "/proc entries of its GPUs"])
    p.box(456, 290, 404, 58, "davit explain, davit try, davit doctor",
          ["show or test the same plan; they change no engine"], dashed=True)
    p.line([(552, 250), (552, 288)], dashed=True, arrow=True)
    p.text(20, 312, "Everything happens before the container's process starts.", "soft", size=12)
    p.text(20, 330, "No daemon runs. The hook opens no GPU.", "soft", size=12)
    return p


def trust():
    p = Picture(880, 452, "Trust boundaries",
                "The host, its root user, the engine and the kernel are trusted. The driver's library NVML runs "
                "in a sandbox. The bundle's config.json is read as untrusted text. The image and every process "
                "in a container are hostile. davit-hook reaches the container's root only through one resolver.")
    p.text(20, 30, "Trust boundaries", bold=True, size=16)
    p.rect(20, 46, 520, 386, "panel", "box", radius=8)
    p.text(36, 68, "Host: trusted", "soft", bold=True, size=12)
    p.box(36, 82, 240, 80, "Engine, runc or crun", ["say which bundle and process;", "their environment is ignored"],
          kind="paper")
    p.box(300, 82, 222, 80, "Host's root user", ["driver files, /etc/davit/config.json,", "CDI specs that only root can write"],
          kind="paper")
    p.box(36, 206, 486, 96, "davit-hook", ["static: no loader runs, LD_PRELOAD means nothing",
                                            "system call filter, capabilities of each phase, limits of time and memory",
                                            "never runs a file of the image; fails closed"], kind="paper", line="davit-line")
    p.line([(146, 162), (146, 204)], arrow=True)
    p.line([(411, 162), (411, 204)], arrow=True)
    p.box(36, 340, 240, 76, "davit-nvml, in a sandbox", ["loads the driver's NVML, which", "isn't trusted with the host"],
          kind="paper", line="warning-line", dashed=True)
    p.line([(146, 302), (146, 338)], arrow=True)
    p.box(300, 340, 222, 76, "Kernel", ["checks every mount, node and", "device rule"], kind="paper")
    p.line([(411, 302), (411, 338)], arrow=True)
    p.line([(570, 46), (570, 432)], "warning-line", width=2, dashed=True)
    p.box(640, 46, 220, 96, "config.json of the bundle", ["text from the image or the user:", "bounded, read strictly, refused",
                                                     "where runtimes would differ"], line="warning-line")
    p.line([(638, 94), (548, 94), (548, 232), (524, 232)], arrow=True)
    p.box(640, 188, 220, 148, "The container's root", ["the image, volumes: hostile", "paths, links, types and contents",
                                                "may change at any moment", "", "targets by descriptor, in the root;",
                                                "no magic links; O_EXCL"], line="warning-line")
    p.line([(522, 262), (638, 262)], "davit-line", width=2, arrow=True)
    p.text(578, 254, "one way in", "davit", size=11)
    p.box(640, 356, 220, 76, "Processes in containers", ["race with davit in a shared root;", "open only the devices of the plan"],
          line="warning-line")
    p.line([(750, 354), (750, 338)], arrow=True)
    return p

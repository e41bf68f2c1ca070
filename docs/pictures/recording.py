# SPDX-License-Identifier: Apache-2.0
"""The terminal recording. Its text is the console block of README.md here, which the documentation's
tests run and compare, so the picture shows what davit prints."""
import re
from pathlib import Path
from xml.sax.saxutils import escape
from svg import MONO, Picture

COLUMNS = 104
LINE, LEFT, TOP = 19, 20, 58
PER_CHARACTER, BEFORE_OUTPUT, AFTER_OUTPUT = 0.035, 0.35, 1.6


def block(page):
    text = Path(page).read_text(encoding="utf-8")
    below = text[text.index("## The recording"):]
    return re.search(r"^```console\n(.*?)^```$", below, flags=re.S | re.M)[1].splitlines()


def wrapped(line):
    """A line as a terminal shows it, broken at its last column."""
    return [line[i:i + COLUMNS] for i in range(0, len(line), COLUMNS)] or [""]


def recording(page):
    shown, at = [], 0.4
    for line in block(page):
        command = line.startswith(("# ", "$ "))
        if command and shown:
            at += AFTER_OUTPUT
        for part in wrapped(line):
            shown.append((part, "davit" if command else "warning" if "cannot" in line else "text", at))
            if command:
                at += PER_CHARACTER * len(part)
        if command:
            at += BEFORE_OUTPUT
    height = TOP + LINE * len(shown) + 12
    p = Picture(880, height, "davit in a terminal",
                "A recording of these commands: " + "; ".join(part[2:] for part, kind, _ in shown if kind == "davit"))
    p.rule("@keyframes show { from { opacity: 0 } to { opacity: 1 } }")
    p.rule("@keyframes type { from { clip-path: inset(0 100% 0 0) } to { clip-path: inset(0 0 0 0) } }")
    p.rule(".out { animation: show 0.01s backwards } .in { animation: type 1s backwards }")
    p.rule("@media (prefers-reduced-motion: reduce) { .out, .in { animation: none } }")
    p.rect(0, 0, 880, height, "panel", radius=8)
    for i, kind in enumerate(("warning", "other", "davit")):
        p.circle(24 + 20 * i, 24, 6, kind)
    p.add(f'<g font-family="{MONO}" font-size="13" xml:space="preserve">')
    for i, (part, kind, start) in enumerate(shown):
        typed = kind == "davit"
        if typed:
            time = PER_CHARACTER * len(part)
            style = f"animation-delay:{start:.2f}s;animation-duration:{time:.2f}s;" \
                    f"animation-timing-function:steps({len(part)})"
        else:
            style = f"animation-delay:{start:.2f}s"
        p.add(f'<text x="{LEFT}" y="{TOP + LINE * i}" class="{kind} {"in" if typed else "out"}" '
              f'style="{style}">{escape(part)}</text>')
    p.add("</g>")
    return p

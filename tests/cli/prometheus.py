#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""prometheus.py < TEXT: what of it isn't in Prometheus' text format, version 0.0.4, a line each
(https://prometheus.io/docs/instrumenting/exposition_formats/), nor follows its rules for names of counters
and buckets of histograms."""
import re
import sys

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\n"])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)?\}})? (\S+)( -?\d+)?")
problems, kinds, helped, samples, seen = [], {}, set(), {}, set()
text = sys.stdin.read()


def family(name):
    for suffix in ("_bucket", "_sum", "_count"):
        base = name.removesuffix(suffix)
        if base != name and kinds.get(base) == "histogram":
            return base
    return name


last = None
for line in text.splitlines():
    comment = re.fullmatch(rf"# (HELP|TYPE) ({NAME}) (.+)", line)
    sample = SAMPLE.fullmatch(line)
    if comment:
        what, name, rest = comment.groups()
        if what == "TYPE":
            if rest not in ("counter", "gauge", "histogram", "summary", "untyped") or name in kinds or name in seen:
                problems.append(f"TYPE is wrong, repeated or late: {line}")
            kinds[name] = rest
        elif name in helped:
            problems.append(f"HELP is repeated: {line}")
        helped.add(name)
    elif sample:
        name, labels, value, _ = sample.groups()
        base = family(name)
        if base in seen and base != last:
            problems.append(f"a family's lines aren't together: {line}")
        seen.add(base)
        last = base
        if base not in kinds:
            problems.append(f"without TYPE: {line}")
        if kinds.get(base) == "counter" and not name.endswith("_total"):
            problems.append(f"a counter's name has no _total: {line}")
        if (name, labels) in samples:
            problems.append(f"twice: {line}")
        try:
            samples[name, labels] = float(value)
        except ValueError:
            problems.append(f"not a number: {line}")
    elif line and not line.startswith("#"):
        problems.append(f"not understood: {line}")
for name, kind in kinds.items():
    if name not in seen:
        problems.append(f"TYPE without a sample: {name}")
    if kind == "histogram":
        buckets = [(float(re.search(r'le="([^"]*)"', labels)[1]), value) for (sample, labels), value in samples.items()
                   if sample == name + "_bucket"]
        counts = [value for _, value in buckets]
        if buckets != sorted(buckets) or counts != sorted(counts) or buckets[-1][0] != float("inf"):
            problems.append(f"buckets aren't in order up to +Inf: {name}")
        if counts[-1] != samples.get((name + "_count", None)) or (name + "_sum", None) not in samples:
            problems.append(f"_count or _sum is missing or wrong: {name}")
if not text.endswith("\n"):
    problems.append("the last line has no end")
print("\n".join(problems), end="\n" if problems else "")

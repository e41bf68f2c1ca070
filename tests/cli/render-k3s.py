#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What k3s makes of a template for its containerd: render-k3s.py BASE TEMPLATE [NAME=PROGRAM...]

BASE: what its base template makes without runtimes that k3s finds. NAME=PROGRAM: those that it finds
(.ExtraRuntimes). Of Go's text/template, only what davit writes is known.
"""
import re
import sys

with open(sys.argv[1]) as file:
    base = file.read()
with open(sys.argv[2]) as file:
    template = file.read()
found = dict(word.split("=", 1) for word in sys.argv[3:])
plugin = re.search(r'(plugins\.\S+\.containerd)\.runtimes\.runc\]', base)[1]
for name, program in sorted(found.items()):
    base += f'[{plugin}.runtimes."{name}"]\n  runtime_type = "io.containerd.runc.v2"\n'
    base += f'[{plugin}.runtimes."{name}".options]\n  BinaryName = "{program}"\n  SystemdCgroup = true\n'
# As text/template: the innermost ones first, and $ is the same everywhere.
condition = re.compile(
    r'\{\{ if not \(index \$\.ExtraRuntimes "([^"]*)"\)\.BinaryName \}\}((?:(?!\{\{ (?:if|end)).)*)\{\{ end \}\}', re.S)
count = 1
while count:
    template, count = condition.subn(lambda match: "" if match[1] in found else match[2], template)
if "{{ if not (" in template:
    sys.exit("a condition has no end")
print(template.replace('{{ template "base" . }}', base), end="")

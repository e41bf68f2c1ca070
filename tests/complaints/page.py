#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/troubleshooting.md against the sources: every message of davit's that it quotes is one that
the code can print, every complaint has its section and its test, every check of `davit doctor` that
it names exists. Prints `ok NAME` or `FAIL NAME: why` for each."""
import os
import re
import sys

here = os.path.dirname(os.path.realpath(__file__))
top = os.path.dirname(os.path.dirname(here))
page = open(os.path.join(top, 'docs/troubleshooting.md')).read()
failed = False


def report(name, why):
    global failed
    print(f'FAIL {name}: {why}' if why else f'ok {name}')
    failed |= bool(why)


# ---- the code's texts ---------------------------------------------------------------------------

LITERAL = r'"((?:[^"\\\n]|\\.)*)"'
CONVERSION = re.compile(r'%[-+ #0]*(?:\d+|\*)?(?:\.(?:\d+|\*))?(?:hh|h|ll|l|z|j|t)?[a-zA-Z]')


def literals():
    """Every string of src, adjacent ones joined."""
    for folder, _, names in os.walk(os.path.join(top, 'src')):
        for name in names:
            if not name.endswith('.c'):
                continue
            text = re.sub(r'/\*.*?\*/', '', open(os.path.join(folder, name)).read(), flags=re.S)
            # A macro between them is a text, too.
            for run in re.finditer(LITERAL + r'(?:\s*(?:' + LITERAL + r'|\b[A-Z][A-Z0-9_]+\b))*', text):
                joined = ''.join(a if a or not b else '%s' for a, b in
                                 re.findall(LITERAL + r'|\b([A-Z][A-Z0-9_]+)\b', run.group(0)))
                yield joined.replace('\\"', '"').replace('\\\\', '\\')


def pattern(text):
    """A format as a regular expression; None when it has too few words of its own."""
    if len(CONVERSION.sub('', text)) < 8:
        return None
    return re.compile('.*'.join(map(re.escape, CONVERSION.split(text))), re.S)


formats = list(filter(None, map(pattern, set(literals()))))


def is_printed(text):
    """A message as wrapped on its way up: `what: why`, each of them some format."""
    if text == '*' or any(p.fullmatch(text) for p in formats):
        return True
    cuts = [m.start() for m in re.finditer(': ', text)]
    return any(is_printed(text[:cut]) and is_printed(text[cut + 2:]) for cut in cuts)


# ---- the page's messages ------------------------------------------------------------------------

quoted = re.findall(r'^(davit: cannot .*|(?:warning|info): .*)$', page, re.M)
quoted += re.findall(r'^\| `(.+?)`', page.split("## davit's own messages")[1], re.M)
for line in quoted:
    text = re.sub(r'^(davit: )?cannot |^(warning|info): ', '', line)
    message, _, remedy = text.partition(' (fix: ')
    # Lists that are cut short on the page.
    message, remedy = message.replace(', ...', ', *'), remedy.removesuffix(')')
    name = f'troubleshooting.md: the code prints "{line[:60]}"'
    if is_printed(text):  # with its remedy in the format
        report(name, '')
    elif not is_printed(message):
        report(name, 'no format is like it')
    elif remedy and not all(is_printed(part) for part in re.split('; (?=NVIDIA_)', remedy)):
        report(name, f'no remedy is like it: {remedy}')
    else:
        report(name, '')
report('troubleshooting.md: it quotes messages', '' if len(quoted) > 30 else f'only {len(quoted)}')

# ---- complaints ---------------------------------------------------------------------------------

cases = {}
for name in sorted(os.listdir(here)):
    if name.endswith('.sh'):
        text = open(os.path.join(here, name)).read()
        for number, title in re.findall(r"^complaint (\d+) '(.*)'$", text, re.M):
            cases[int(number)] = (name, title.replace("'\\''", "'"))
numbers = list(range(1, 25))
report('complaints: each of the 24 has its case', '' if sorted(cases) == numbers else str(sorted(cases)))
for number, (name, title) in sorted(cases.items()):
    heading = f'### {number}. `{title}`'
    section = page.partition(heading + '\n')[2].partition('\n### ')[0]
    report(f'complaint {number}: the page has its section, with the test',
           '' if f'](../tests/complaints/{name})' in section else f'no {heading} that links {name}')
    report(f'complaint {number}: the page has it in its index',
           '' if re.search(rf'^\| \[{number}\]\(#{number}-.*\) \| {re.escape(f"`{title}`")} \|', page, re.M)
           else 'no such line')

# ---- doctor's checks ----------------------------------------------------------------------------

checks = open(os.path.join(top, 'src/doctor/doctor.h')).read()
known = {f'{group}.{name}' for group, name in re.findall(r'X\([A-Z]+, ([a-z]+), ([a-z]+)\)', checks)}
named = set(re.findall(r'`([a-z]+\.[a-z]+)`', page)) - {'driver.root', 'driver.search', 'log.file'}
report("troubleshooting.md: doctor's checks are there", ', '.join(sorted(named - known)))
sys.exit(failed)

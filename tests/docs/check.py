#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check.py REPOSITORY DAVIT: what pages promise beside their blocks of commands: links that lead
somewhere, commands within the text that exist with these options, figures that were measured, pictures
and a table that are as they would be made now,
defaults that are the shipped ones, packages that are those of the tests."""
import filecmp
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

failed = False


def report(name, problems):
    global failed
    if not problems:
        print(f'ok {name}')
        return
    failed = True
    print(f'FAIL {name}: see below')
    for problem in problems:
        print(f'    {problem}')


def prose(path):
    """A page without its blocks of code."""
    return re.sub(r'^( *)```.*?^\1```$', '', path.read_text(encoding='utf-8'), flags=re.S | re.M)


def anchors(path):
    """The names of headings, as forges make them."""
    seen = set()
    for heading in re.findall(r'^#+ (.*)$', prose(path), flags=re.M):
        text = re.sub(r'\[([^]]*)\]\([^)]*\)', r'\1', heading).lower()
        seen.add(re.sub(r'[^\w\- ]', '', text).replace(' ', '-'))
    return seen


def check_links(pages):
    problems = []
    for page in pages:
        for link in re.findall(r'\]\(([^)\s]+)\)', prose(page)):
            if re.match(r'[a-z]+:', link):
                continue
            name, _, anchor = link.partition('#')
            target = page if not name else Path(os.path.normpath(page.parent / name))
            if not target.exists():
                problems.append(f'{page}: {link}: there is no {target}')
            elif anchor and anchor not in anchors(target):
                problems.append(f'{page}: {link}: no such heading')
    report('links lead somewhere', problems)


@lru_cache(maxsize=None)
def help_of(davit, words):
    """What `davit WORDS --help` prints, or None when there is no such command."""
    answer = subprocess.run([davit, *words, '--help'], capture_output=True, text=True, check=False)
    return answer.stdout if answer.returncode == 0 else None


def command_problem(davit, text):
    words = shlex.split(text)[1:]
    command = []
    while words and re.fullmatch(r'[a-z][a-z-]*', words[0]) and help_of(davit, (*command, words[0])):
        command.append(words.pop(0))
    told = help_of(davit, tuple(command))
    if re.search(r'^usage: davit (\S+ )*COMMAND', told) and words and re.match('[a-z]', words[0]):
        return 'there is no such command'
    for word in words:
        option = re.match(r'--[a-z-]+', word)
        # What `davit ctk` takes is NVIDIA's; tests/engines/configure.sh has it.
        if option and option[0] not in told and command[:1] != ['ctk']:
            return f'there is no option {option[0]}'
        if word == '--':
            break
    return None


def check_commands(pages, davit):
    problems = []
    for page in pages:
        for text in re.findall(r'`(davit [^`]+)`', prose(page)):
            if '...' in text or '|' in text:
                continue
            problem = command_problem(davit, text)
            if problem:
                problems.append(f'{page}: {text}: {problem}')
    report('commands within the text exist, with these options', problems)


def check_index(pages):
    index = Path('docs/README.md').read_text(encoding='utf-8')
    report('docs/README.md names every page', [
        f'{page} is not in it' for page in pages
        if page.parent == Path('docs') and page.name != 'README.md' and f']({page.name}' not in index])


def table_rows(text, heading):
    """The rows of the first table below a heading that contains a text."""
    below = text[text.index(heading):]
    table = re.search(r'(?:^\|.*\n)+', below, flags=re.M)[0].splitlines()
    return table[2:]


def check_figures():
    measured = Path('docs/measurements.md').read_text(encoding='utf-8')
    rows = table_rows(Path('README.md').read_text(encoding='utf-8'), '### Added by each method')
    report("README's figures are those of docs/measurements.md",
           [f'not there: {row}' for row in rows if row not in measured] +
           ([] if rows else ['there are no figures']))


def check_pictures():
    """The pictures are what docs/pictures/make draws; a chart's figures are those of a page."""
    folder = Path('docs/pictures')
    with tempfile.TemporaryDirectory() as made:
        subprocess.run([folder / 'make', made], check=True)
        names = sorted({path.name for path in [*folder.glob('*.svg'), *Path(made).glob('*.svg')]})
        different, others = filecmp.cmpfiles(folder, made, names, shallow=False)[1:]
    report('the pictures are those that docs/pictures/make draws',
           [f'{name} differs: run docs/pictures/make' for name in different + others])
    problems = []
    for table in sorted(Path('docs/measurements').glob('*.tsv')):
        head, *rows = table.read_text(encoding='utf-8').splitlines()
        page = Path(head.removeprefix('# source: ')).read_text(encoding='utf-8').splitlines()
        lines = [set(re.findall(r'[0-9][0-9.]*', line)) for line in page]
        for row in rows:
            figures = {field for field in row.split('\t')[2:] if re.fullmatch(r'[0-9.]+', field)}
            if not row.startswith('#') and not any(figures <= line for line in lines):
                problems.append(f'{table}: not on its page: {row}')
    report("the charts' figures are those of docs/measurements", problems)


def check_compatibility():
    told = subprocess.run(['tests/suites/table', 'check'], capture_output=True, text=True, check=False)
    report("docs/compatibility.md's table is that of docs/compatibility.tsv", (told.stdout + told.stderr).splitlines())


def flat(prefix, value):
    if not isinstance(value, dict):
        return {prefix: value}
    keys = {}
    for name, inner in value.items():
        keys.update(flat(f'{prefix}.{name}' if prefix else name, inner))
    return keys


def without_comments(text):
    """JSON with comments as JSON; a string is taken whole, so that what it holds is no comment."""
    parts = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.S)
    return parts.sub(lambda part: part[0] if part[0].startswith('"') else '', text)


def check_configuration():
    shipped = flat('', json.loads(without_comments(Path('config/config.json').read_text(encoding='utf-8'))))
    page = Path('docs/configuration.md').read_text(encoding='utf-8')
    told, problems = {}, []
    for row in re.findall(r'^\| `([a-z.-]+)` \| `([^`]+)` \|', page, flags=re.M):
        told[row[0]] = json.loads(row[1])
    for key in sorted(shipped.keys() | told.keys()):
        if key not in told:
            problems.append(f'{key} is missing')
        elif key not in shipped:
            problems.append(f'{key}: there is no such key')
        elif told[key] != shipped[key]:
            problems.append(f'{key}: {told[key]!r}, config/config.json has {shipped[key]!r}')
    for example in re.findall(r'^```json\n(.*?)^```$', page, flags=re.S | re.M):
        problems += [f'{key} of an example: there is no such key'
                     for key in flat('', json.loads(example)).keys() - shipped.keys()]
    report('docs/configuration.md has every key and its default', problems)


def check_packages():
    listed = re.search(r'build_packages=\(([^)]*)\)',
                       Path('tests/lib/packages.sh').read_text(encoding='utf-8'))[1].split()
    told = re.search(r'^apt-get install (.*)$', Path('README.md').read_text(encoding='utf-8'), flags=re.M)[1]
    report('README names the packages that the build needs',
           [f'only in one of README.md and tests/lib/packages.sh: {name}'
            for name in sorted(set(told.split()) ^ set(listed) - {'libcmocka-dev'})])


def main():
    davit = os.path.abspath(sys.argv[2])
    os.chdir(sys.argv[1])
    pages = [Path(name) for name in ('README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', 'MAINTAINERS.md')]
    pages += sorted(Path('docs').glob('**/*.md'))
    check_links(pages)
    check_commands(pages, davit)
    check_index(pages)
    check_figures()
    check_pictures()
    check_compatibility()
    check_configuration()
    check_packages()
    sys.exit(failed)


main()

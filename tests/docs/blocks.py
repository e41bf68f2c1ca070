# SPDX-License-Identifier: Apache-2.0
"""A page's blocks of code, and the commands in them. README.md here says how they are marked."""
import re
import subprocess
from dataclasses import dataclass, field

RUN = {'sh', 'console'}
SHOWN = {'text', 'json', 'yaml', 'toml', 'ini', 'c', 'diff'}


@dataclass
class Block:
    line: int
    tag: str
    lines: list = field(default_factory=list)
    not_run: str = ''
    first: list = field(default_factory=list)  # commands that the reader doesn't see


@dataclass
class Command:
    line: int
    text: str
    expected: list = None  # lines; None: whatever it prints, when it ends with 0


class BadPage(Exception):
    pass


def is_break(line):
    return not line.strip() or line.startswith('#')


def blocks_of(lines):
    """The fenced blocks of a page; BadPage for one that nobody said what it is."""
    blocks, block, indent, reason, first = [], None, 0, '', []
    for number, line in enumerate(lines, 1):
        fence = re.match(r'^( *)```+(.*)$', line)
        if block is not None:
            if fence and not fence[2].strip():
                blocks.append(block)
                block = None
            else:
                block.lines.append(line[indent:] if line[:indent].isspace() else line)
        elif fence:
            tag = fence[2].strip()
            if tag not in RUN | SHOWN:
                raise BadPage(f'line {number}: a block marked {tag!r} is neither run nor shown')
            block, indent = Block(number, tag, not_run=reason, first=first), len(fence[1])
            reason, first = '', []
        elif line.startswith(('    ', '\t')) and is_break(lines[number - 2] if number > 1 else ''):
            raise BadPage(f'line {number}: an indented block says not what it is: use a fence')
        else:
            comment = re.match(r'^ *<!-- (not run|first): (.+) -->$', line)
            if comment and comment[1] == 'first':
                first.append(Command(number, comment[2] + '\n'))
            elif comment:
                reason = comment[2]
            elif line.strip():
                reason, first = '', []
    if block is not None:
        raise BadPage(f'line {block.line}: the block has no end')
    return blocks


def is_whole(text):
    """Whether bash takes the text for commands that have an end."""
    check = subprocess.run(['bash', '-n'], input=text, capture_output=True, text=True, check=False)
    return check.returncode == 0 and not check.stderr and not text.endswith('\\\n')


def shell_commands(block):
    commands, text, first = [], '', 0
    for number, line in enumerate(block.lines, block.line + 1):
        if not text and (not line.strip() or line.lstrip().startswith('#')):
            continue
        first = first if text else number
        text += line + '\n'
        if is_whole(text):
            commands.append(Command(first, text))
            text = ''
    if text:
        raise BadPage(f'line {first}: a command without an end')
    return commands


def console_commands(block):
    commands = []
    for number, line in enumerate(block.lines, block.line + 1):
        prompt = re.match(r'^[$#] (.*)$', line)
        more = re.match(r'^> (.*)$', line)
        if prompt:
            commands.append(Command(number, prompt[1] + '\n', []))
        elif not commands:
            raise BadPage(f'line {number}: output before a command')
        elif more and not commands[-1].expected and not is_whole(commands[-1].text):
            commands[-1].text += more[1] + '\n'
        else:
            commands[-1].expected.append(line.rstrip())
    return commands


def commands_of(block):
    return block.first + (shell_commands(block) if block.tag == 'sh' else console_commands(block))


def output_matches(expected, output):
    """`...` as a line stands for any lines, within one for any text."""
    pattern = ''
    for line in expected:
        if line == '...':
            pattern += r'(?:.*\n)*?'
        else:
            pattern += '.*?'.join(re.escape(part) for part in line.split('...')) + r'\n'
    text = ''.join(line.rstrip() + '\n' for line in output.splitlines())
    return re.fullmatch(pattern, text) is not None

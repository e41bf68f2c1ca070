#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""page.py PAGE: runs a page's commands, from its first to its last, in one shell. Called by `run`, on
the machine that it makes."""
import difflib
import os
import select
import subprocess
import sys
import tempfile
import time

from blocks import RUN, BadPage, blocks_of, commands_of, output_matches

LIMIT = 120  # seconds for a command
SHOW = os.environ.get('DAVIT_DOCS_SHOW')


class Shell:
    """A bash that takes a command at a time, and tells how each one ended on a pipe of its own."""

    def __init__(self, folder):
        self.command, self.output = os.path.join(folder, 'command'), os.path.join(folder, 'output')
        self.ends, write_end = os.pipe()
        self.bash = subprocess.Popen(['bash', '--norc', '--noprofile'], stdin=subprocess.PIPE, text=True,
                                     pass_fds=[write_end], start_new_session=True)
        self.done = write_end

    def run(self, text):
        """The exit code (None: it didn't come back) and what was printed."""
        with open(self.command, 'w', encoding='utf-8') as file:
            file.write(text)
        self.bash.stdin.write(f'. {self.command} < /dev/null > {self.output} 2>&1; '
                              f'echo $? >&{self.done}\n')
        self.bash.stdin.flush()
        rc, end = None, time.monotonic() + LIMIT
        while rc is None and self.bash.poll() is None and time.monotonic() < end:
            if select.select([self.ends], [], [], 0.2)[0]:
                rc = int(os.read(self.ends, 16))
        with open(self.output, encoding='utf-8', errors='replace') as file:
            return rc, file.read()

    def stop(self):
        self.bash.stdin.close()
        try:
            self.bash.wait(5)
        except subprocess.TimeoutExpired:
            self.bash.kill()


def indented(text):
    return ''.join(f'    {line}\n' for line in text.splitlines())


def run_command(shell, page, command):
    """Whether it did what the page says."""
    name = f'{page}:{command.line}: {command.text.splitlines()[0]}'
    rc, output = shell.run(command.text)
    why, details = '', output
    if rc is None:
        why = 'it did not come back'
    elif command.expected is None and rc != 0:
        why = f'exit code {rc}'
    elif command.expected is not None and not output_matches(command.expected, output):
        why = 'it prints something else'
        details = '\n'.join(difflib.unified_diff(command.expected, output.splitlines(), 'page', 'printed',
                                                 lineterm=''))
    print(f'FAIL {name}: {why}\n{indented(details)}' if why else f'ok {name}')
    if SHOW and not why:
        print(indented(output), end='')
    return not why, rc is not None


def run_page(page):
    with open(page, encoding='utf-8') as file:
        blocks = [block for block in blocks_of(file.read().splitlines()) if block.tag in RUN]
    good = True
    with tempfile.TemporaryDirectory() as folder:
        shell = Shell(folder)
        for block in blocks:
            if block.not_run:
                print(f'    not run: {page}:{block.line}: {block.not_run}')
                continue
            for command in commands_of(block):
                worked, alive = run_command(shell, page, command)
                good = good and worked
                if not alive:
                    shell.stop()
                    return False
        shell.stop()
    if not [block for block in blocks if not block.not_run]:
        print(f'ok {page}: every block says what it is, and none is to be run')
    return good


def main():
    if 'DAVIT_DOCS_WORK' not in os.environ:
        sys.exit('page.py: cannot run a page: its commands would change this machine (fix: tests/docs/run PAGE)')
    sys.stdout.reconfigure(line_buffering=True)
    page = sys.argv[1]
    try:
        good = run_page(page)
    except BadPage as reason:
        print(f'FAIL {page}: {reason}')
        good = False
    sys.exit(not good)


main()

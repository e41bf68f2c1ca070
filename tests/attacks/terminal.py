# SPDX-License-Identifier: Apache-2.0
"""terminal.py STDIN COMMAND...: runs it on a terminal of its own; STDIN is tty, null or kill.

Prints what it printed, its exit code, whether the terminal's mode is what it was, and what was typed
into the terminal by somebody else.
"""
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time

master, slave = pty.openpty()
before = termios.tcgetattr(slave)


def become():
    os.setsid()
    import fcntl

    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    os.tcsetpgrp(slave, os.getpid())


with open("/dev/null", "rb") as null:
    child = subprocess.Popen(
        sys.argv[2:],
        stdin=null if sys.argv[1] == "null" else slave,
        stdout=slave,
        stderr=slave,
        preexec_fn=become,
    )
output = b""
end = time.monotonic() + 20
killed = sys.argv[1] != "kill"
while child.poll() is None and time.monotonic() < end:
    if select.select([master], [], [], 0.1)[0]:
        output += os.read(master, 4096)
    if not killed and b"waiting" in output:
        raw = termios.tcgetattr(slave)[3] & termios.ICANON == 0
        print("raw meanwhile" if raw else "not raw meanwhile")
        child.send_signal(signal.SIGKILL)
        killed = True
code = child.wait(1)
time.sleep(0.3)
while select.select([master], [], [], 0.1)[0]:
    output += os.read(master, 4096)
print(output.decode().replace("\r\n", "\n").strip())
print("exit", code)
print("mode", "same" if termios.tcgetattr(slave) == before else "changed")
os.set_blocking(slave, False)
try:
    print("typed", os.read(slave, 100))
except BlockingIOError:
    print("typed nothing")

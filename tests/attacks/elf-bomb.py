#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""elf-bomb.py KIND FILE: a 64-bit library, mostly holes, whose header promises a great deal."""
import struct
import sys

KIND, FILE = sys.argv[1:]
COUNT = 10_000_000


def header(phoff, shoff, phnum, shnum, shstrndx=0):
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    return ident + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, phoff, shoff, 0, 64, 56, phnum, 64,
                               shnum, shstrndx)


def section(kind=0, offset=0, size=0, info=0):
    return struct.pack("<IIQQQQIIQQ", 0, kind, 0, 0, offset, size, 0, info, 8, 0)


def segment(kind, offset, size):
    return struct.pack("<IIQQQQQQ", kind, 4, offset, offset, offset, size, size, 8)


with open(FILE, "wb") as file:
    if KIND == "sections":  # e_shnum 0: the first section's size is their number
        file.write(header(64, 4096, 1, 0) + segment(2, 256, 64))
        file.seek(4096)
        file.write(section(size=COUNT))
        file.truncate(4096 + 64 * COUNT)
    elif KIND == "segments":  # PN_XNUM: the first section's info is their number
        file.write(header(64, 4096, 0xFFFF, 0))
        file.seek(4096)
        file.write(section(size=COUNT, info=COUNT))
        file.truncate(4096 + 64 * COUNT)
    elif KIND == "both":
        file.write(header(64, 4096, 0xFFFF, 0xFEFF, 0xFEFE))
        file.truncate(1 << 40)
    elif KIND == "dynamic":  # a dynamic section and notes of gigabytes
        file.write(header(64, 0, 3, 0) + segment(1, 0, 1 << 40) + segment(2, 4096, 1 << 36) +
                   segment(4, 4096, 1 << 36))
        file.truncate(1 << 40)
    elif KIND == "soname":  # a name that doesn't end
        file.write(header(64, 0, 2, 0) + segment(1, 0, 1 << 30) + segment(2, 4096, 64))
        file.seek(4096)
        file.write(struct.pack("<QQQQQQ", 14, 0, 5, 8192, 0, 0))
        file.seek(8192)
        file.write(b"a" * (1 << 20))
        file.truncate(1 << 30)
    elif KIND == "cache":  # a loader cache of the most entries that are read
        entries = 150_000
        names = b"liba.so\0/lib/liba.so\0"
        base = 48 + 24 * entries
        file.write(b"glibc-ld.so.cache1.1" + struct.pack("<II", entries, len(names)) + bytes(20))
        file.write(struct.pack("<iIIIQ", 0x0303, base, base + 8, 0, 0) * entries + names)
    else:
        sys.exit("elf-bomb: no such kind")

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Prints what binds callers of tokenward.h: layouts, numbers, prototypes and objects. usage: abi.py HEADER CC32 CC64

Sizes are bytes where pointers have 32 and 64 bits, as the two compilers lay them out; nothing is run.
"""

import pathlib
import re
import shlex
import subprocess
import sys
import tempfile


def measure(compiler, header, expressions):
    """The values of constant expressions: they are compiled into an object and read from its text as assembly."""
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "abi.c"
        lines = [f"  (unsigned)({expression})," for expression in expressions]
        source.write_text("\n".join([f'#include "{header}"', "const unsigned abi[] = {", *lines, "};\n"]))
        command = [*shlex.split(compiler), "-std=c99", "-ffreestanding", "-S", "-o", "-", str(source)]
        assembly = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    values = []
    for word, number in re.findall(r"^\s+\.(word|long|zero|space)\s+(\d+)$", assembly, re.M):
        values += [int(number)] if word in ("word", "long") else [0] * (int(number) // 4)
    if len(values) != len(expressions):
        raise SystemExit(f"{compiler}: {len(values)} values for {len(expressions)} expressions")
    return values


def main():
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    header = pathlib.Path(sys.argv[1]).resolve()
    text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
    rows = []
    for name, body in re.findall(r"typedef struct (\w+) \{(.*?)\} \w+;", text, re.S):
        rows.append((f"struct {name}", f"sizeof({name})"))
        for kind, star, member, function, arguments in re.findall(
                r"^\s*(\w[\w ]*?) (\**)(?:(\w+)|\(\*(\w+)\)(\([^;]*\)));$", body, re.M):
            said = f"{star}{member}" if member else re.sub(r"\s+", " ", f"{star}(*{function}){arguments}")
            rows.append((f"  {kind} {said}", f"offsetof({name}, {member or function})"))
    measured = [measure(compiler, header, [expression for _, expression in rows]) for compiler in sys.argv[2:]]
    print("# Bytes: size of a struct, offset of a member; with pointers of 32 and of 64 bits.")
    for (what, _), narrow, wide in zip(rows, *measured):
        print(f"{what:<60} {narrow:>4} {wide:>4}")
    print("\n# Types and numbers")
    print("\n".join(re.findall(r"^(?:typedef \w+ \w+;|typedef struct \w+ \w+;|#define TOKENWARD_\w+ -?\d+)$", text, re.M)))
    print("\n# Functions")
    for prototype in re.findall(r"^(?:const )?\w+ \**\w+\([^{;]*?\);", text, re.M):
        print(re.sub(r"\s+", " ", prototype))
    print("\n# Objects")
    print("\n".join(re.findall(r"^extern const \w+ \w+;$", text, re.M)))


main()

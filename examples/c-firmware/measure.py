#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs the images that measure.sh has built and writes the tables, or with --check compares them with those that are
committed. usage: measure.py FOLDER MEMORY.md [--check]; measure.py --parts: the parts, and how a service names each"""

import os
import pathlib
import platform
import re
import subprocess
import sys

from test import BOARDS, crc16

# The target, the processor, how many nanoseconds of the machine's time an instruction takes (a power of two), and
# how many a tick of its counter. An instruction is several ticks of SysTick, so none is lost to rounding.
TARGETS = {
    "microbit": ("thumbv6m", "Cortex-M0", 256, 62.5),
    "lm3s6965evb": ("thumbv7m", "Cortex-M3", 256, 80),
    "mps2-an386": ("thumbv7em", "Cortex-M4", 256, 40),
    "mps2-an505": ("thumbv8m.main", "Cortex-M33", 256, 50),
    "virt": ("riscv32imac", "RISC-V", 1, 1),
}
CONTROL = 8
IMAGES = (("reader", "the reader alone"), ("manager", "without storage"), ("storage", "with storage"),
          ("sealed", "with storage that the device seals"), ("device", "without storage, with device authorization"),
          ("sign_in", "with storage and sign-in in a browser"),
          ("sign_in_stored", "with storage and sign-in in a browser that survives a restart"),
          ("by_post", "another service with storage, its secret in the body"),
          ("by_client_secret_jwt", "another service with storage, by an assertion under its secret"),
          ("by_private_key_jwt", "another service with storage, by an assertion that its own key signs (ES256)"))
NO_PART = "no_part"
# What every image has, what takes a hash, and what has an image of its own.
BESIDE = {"tokenward_body_form", "tokenward_pkce_s256", "tokenward_authentication_client_secret_jwt", "tokenward_authentication_private_key_jwt",
          "tokenward_algorithm_es256", "tokenward_algorithm_rs256", "tokenward_algorithm_ps256",
          "tokenward_algorithm_eddsa"}
# How a service names a part, by its kind.
NAMED = {
    "authentication": ".authentication = &{}",
    "body": ".body = &{}",
    "answer": ".answer = &{}",
    "request": ".requests = &(const tokenward_requests){{ .writer = &{} }}",
    "nested": ".nested.reader = &{}",
    "member": ".members.reader = &{}",
    "refresh_life": ".refresh_life.rules = &{}",
    "route": ".routes.table = &{}",
    "site": ".site = &{}",
    "loopback": ".loopback_http = &{}",
    "expiry": ".missing_lifetime = {{ TOKENWARD_LIFETIME_TOLD, 0, &{} }}",
}
# What only an image that names one of these parts may carry.
CODE = {
    r"authorization::write_basic": {"tokenward_authentication_basic", "tokenward_authentication_basic_raw",
                                    "tokenward_authentication_basic_id"},
    r"write_as_told|endpoint::template": {"tokenward_request_own"},
    r"endpoint::answer_format|wire::form::walk": {"tokenward_answer_form"},
    r"endpoint::nested_answer": {"tokenward_nested_paths"},
    r"endpoint::own_members": {"tokenward_member_names", "tokenward_nested_paths", "tokenward_answer_form"},
    r"endpoint::refresh_life": {"tokenward_refresh_life_ends"},
    r"endpoint::routes": {"tokenward_route_table"},
    r"endpoint::site": {"tokenward_site_path"},
    r"is_loopback_http": {"tokenward_loopback_http"},
    r"wire::jwt": {"tokenward_expiry_jwt"},
}
# What only an image with storage may carry, what only one that this library seals or whose person signs in, and each way to
# do that.
SERVICES = {"by_post", "by_client_secret_jwt", "by_private_key_jwt"}
STORES = {
    r"::RULES$|_with_storage|Keeper::(with_storage|store_next)": {"storage", "sealed", "sign_in", "sign_in_stored", *SERVICES},
    r"sha2::|HmacSha256": {"storage", "sign_in", "sign_in_stored", *SERVICES},
    r"assertion::": {"by_client_secret_jwt", "by_private_key_jwt"},
    r"endpoint::signature": {"by_private_key_jwt"},
    r"grants::device": {"device"},
    r"grants::authorization_code": {"sign_in", "sign_in_stored"},
}
SAME_COMPILER, OTHER_COMPILER = 1.02, 1.10

PAGE = """# Flash, stack and instructions

Written by `examples/c-firmware/measure.sh` from the C library as firmware links it (profile `firmware`: opt-level z,
fat LTO; SHA-256 in its compact form); `measure.sh --check` compares. Flash and stack are in bytes. The heap is 0, and
the library has no static data of its own.

Compilers: {compilers}.

## Flash and RAM

An image that keeps a token of Flute by client_credentials and refresh_token, with Basic authentication and a Bearer
header (`ffi/c/tests/image.c`), and one of the reader, `tokenward_token_answer`, and nothing else. What decides when
storage is read and written is in no image that does not name storage, which is checked by the symbols of each. `memcpy`
and 64-bit division are those that come with the archive. RAM is one manager with slots of 512 and 256 bytes, and a
pointer of the image's own.

{sizes}

## What a part adds

The same image with a service that names no part (its caller installs the tokens), and with one that names one: text and
constants together. What a part calls is linked in no image that does not name it, which is checked by the symbols of
each. The default body, `tokenward_body_form`, is in every image.

{parts}

## Deepest stack of a call

Painted below the caller's frame, in QEMU, for the input that is named: another may go deeper, and interrupts come on
top.

{stacks}

## Instructions of a call

Counted by QEMU, which executes the same ones each time; a few of them pass the arguments. They are no cycles: those
depend on the flash's wait states and the processor's pipeline.

{instructions}

## The library of an app

What Swift and Kotlin link (`ffi/uniffi`, profile `mobile`: opt-level z, fat LTO, unwinding), stripped: the whole file.

{apps}
"""
APPS = "The library of an app"


def tool(board, name):
    return ("riscv64-unknown-elf-" if board == "virt" else "arm-none-eabi-") + name


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def compilers():
    gcc = [output(tool(board, "gcc"), "-dumpfullversion").strip() for board in ("microbit", "virt")]
    qemu = output("qemu-system-arm", "--version").split()[3]
    return f"{output(os.environ.get('RUSTC', 'rustc'), '--version').split(' (')[0]}, arm-none-eabi-gcc {gcc[0]}, " \
           f"riscv64-unknown-elf-gcc {gcc[1]}; QEMU {qemu}"


def size(board, image):
    """Text, constants, RAM."""
    sections = dict(re.findall(r"^\.(text|rodata|data|bss) +(\d+)", output(tool(board, "size"), "-A", image), re.M))
    text, rodata, data, bss = (int(sections.get(name, 0)) for name in ("text", "rodata", "data", "bss"))
    return text, rodata + data, data + bss


def parts():
    """The parts of a service in the header, but for those that are measured otherwise."""
    header = pathlib.Path(__file__).parents[2] / "ffi/c/include/tokenward/tokenward.h"
    found = re.findall(r"^extern const tokenward_(\w+)_part (\w+);$", header.read_text(), re.M)
    return {NO_PART: "", **{part: NAMED[kind].format(part) for kind, part in found
                            if kind != "storage" and part not in BESIDE}}


def carries(board, name, image, codes):
    """Fails where the image has the code of a part that it does not name, or lacks that of the part that it names."""
    symbols = output(tool(board, "nm"), "-C", image)
    for code, named in codes.items():
        if bool(re.search(code, symbols, re.M)) != (name in named):
            sys.exit(f"measure.py: {board}: an image with {name} {'lacks' if name in named else 'has'} {code}")


def run(board, image):
    """The stack and the instructions of each operation."""
    instruction_ns, tick_ns = TARGETS[board][2:]
    process = subprocess.Popen(
        [*BOARDS[board][0], "-display", "none", "-monitor", "none", "-serial", "stdio", "-kernel", image,
         "-icount", f"shift={instruction_ns.bit_length() - 1},sleep=off"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    port, measured = process.stdout, {}
    try:
        while port.read(1) == b"\xA5":
            header = port.read(4)
            payload = port.read(int.from_bytes(header[2:], "big"))
            assert int.from_bytes(port.read(2), "big") == crc16(header + payload)
            if header[:1] == b".":
                break
            end = 2 + int.from_bytes(payload[:2], "big")
            result, stack, ticks = (int.from_bytes(payload[at + 2:at + 6], "big") for at in range(end, end + 18, 6))
            name = payload[2:end].decode()
            if result != 0:
                sys.exit(f"measure.py: {board}: {name} returned {result}")
            measured[name] = stack, round(ticks * tick_ns / instruction_ns)
    finally:
        process.kill()
        process.wait()
    stack, overhead = measured.pop("control")
    if stack != 0:
        sys.exit(f"measure.py: {board}: a call without a stack took {stack} bytes of it")
    return {name: (stack, count - overhead + CONTROL) for name, (stack, count) in measured.items()}


def table(corner, columns, rows):
    lines = [[corner, *columns], ["---", *["---:"] * len(columns)], *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def page(folder):
    names = [f"{target} ({processor})" for target, processor, *_ in TARGETS.values()]
    sizes = {(image, board): size(board, folder / f"{board}-{image}.elf") for image, _ in IMAGES for board in BOARDS}
    if any(sizes["reader", board][2] for board in BOARDS):
        sys.exit("measure.py: the library has static data of its own")
    ran = {board: run(board, folder / f"{board}-measure.elf") for board in BOARDS}
    rows = [[f"{about}: {what}", *[sizes[image, board][index] for board in BOARDS]]
            for image, about in IMAGES for index, what in enumerate(("text", "constants", "RAM"))
            if (image, what) != ("reader", "RAM")]
    for part in parts():
        for board in BOARDS:
            carries(board, part, folder / f"{board}-{part}.elf", CODE)
    for image, _ in IMAGES:
        for board in BOARDS:
            carries(board, image, folder / f"{board}-{image}.elf", STORES)
    costs = [[f"`{part}`" if part != NO_PART else "no part",
              *[sum(size(board, folder / f"{board}-{part}.elf")[:2]) for board in BOARDS]] for part in parts()]
    stacks, instructions = ([[name, *[ran[board][name][index] for board in BOARDS]] for name in ran["virt"]]
                            for index in range(2))
    shared = (folder / "libtokenward_uniffi.so").stat().st_size
    apps = table("", [f"{platform.system()} {platform.machine()}"], [["shared library", shared]])
    return PAGE.format(compilers=compilers(), apps=apps, sizes=table("", names, rows),
                       parts=table("a service with", names, costs), stacks=table("call", names, stacks),
                       instructions=table("call", names, instructions))


def numbers(text):
    """Each number of the tables by its place."""
    found, section, columns = {}, "", []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("## "):
            section, columns = line[3:], []
        elif line.startswith("|") and not columns:
            columns = cells[1:]
        elif line.startswith("|") and cells[0] != "---":
            found.update({(section, cells[0], column): int(cell) for column, cell in zip(columns, cells[1:])})
    return found


def check(committed, now):
    same = "Compilers: " + compilers() in committed
    limit = SAME_COMPILER if same else OTHER_COMPILER
    was, new = numbers(committed), numbers(now)
    # The page has the library for the machine that wrote it.
    faults = [f"{', '.join(place)}: not in both" for place in was.keys() ^ new.keys() if place[0] != APPS]
    faults += [f"{', '.join(place)}: {new[place]}, committed {was[place]}"
               for place in was.keys() & new.keys() if new[place] > was[place] * limit]
    better = sum(new[place] < was[place] / limit for place in was.keys() & new.keys())
    print("\n".join(sorted(faults)) or f"{len(new)} numbers, none more than {limit - 1:.0%} above what is committed")
    if not same:
        print(f"other compilers than the committed numbers are of: {compilers()}")
    if better:
        print(f"{better} numbers are better by more than {limit - 1:.0%}: write the page anew")
    return bool(faults)


def main():
    if sys.argv[1:] == ["--parts"]:
        for part, named in parts().items():
            print(f"{part}\t{named}")
        return False
    folder, path = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    now = page(folder)
    if sys.argv[3:] == ["--check"]:
        return check(path.read_text(), now)
    path.write_text(now)
    print(f"wrote {path.resolve()}")
    return False


if __name__ == "__main__":
    sys.exit(main())

"""Makes migration streams of QEMU, of guests of any size, from the facts of the format: benchmarks walk them.

    python scripts/migration_streams.py random|zero MEBIBYTES > vm.stream

A guest has one block of RAM, each page of which is sent once, and one device. All pages are random, or all are zero.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = 4096
PAGES_OF_A_PART = 4096
"""Pages that one round of RAM sends: 16 MiB."""
ZERO, MEM_SIZE, FULL_PAGE, END, SAME_BLOCK = 0x02, 0x04, 0x08, 0x10, 0x20
"""What the low bits of an address say of a page."""
RAM_ID, DEVICE_ID = 2, 3
BLOCK = b"\x06pc.ram"
DEVICE = {
    "name": "timer",
    "instance_id": 0,
    "vmsd_name": "timer",
    "version": 2,
    "fields": [
        {"name": name, "type": "int64", "size": 8} for name in ("cpu_ticks_offset", "unused", "cpu_clock_offset")
    ],
}


def begun(kind: int, number: int, name: bytes = b"", version: int = 0) -> bytes:
    """The head of a section."""
    head = struct.pack(">BI", kind, number)
    return head + struct.pack(">B", len(name)) + name + struct.pack(">II", 0, version) if name else head


def ended(number: int) -> bytes:
    """The footer of a section."""
    return struct.pack(">BI", 0x7E, number)


def pages(first: int, contents: list[bytes], kind: int) -> bytes:
    """One round of RAM."""
    pieces = []
    for page, content in enumerate(contents, first):
        # The first of all names its block.
        pieces += [(page * PAGE | kind | (SAME_BLOCK if page else 0)).to_bytes(8, "big"), content]
        if page == 0:
            pieces.insert(1, BLOCK)
    return b"".join(pieces)


def random_pages() -> list[bytes]:
    """The pages of one round."""
    content = os.urandom(PAGE * PAGES_OF_A_PART)
    return [content[at : at + PAGE] for at in range(0, len(content), PAGE)]


def stream(size: int, *, is_zero: bool, repeats: bool = False) -> Iterator[bytes]:
    """The stream of a guest of so many bytes, piece by piece; with `repeats` every round has the same random pages."""
    machine = b"pc-i440fx-10.0"
    yield b"QEVM" + struct.pack(">IBI", 3, 7, len(machine)) + machine
    end_of_ram = struct.pack(">Q", END) + ended(RAM_ID)
    yield (
        begun(1, RAM_ID, b"ram", 4) + struct.pack(">Q", size | MEM_SIZE) + BLOCK + struct.pack(">Q", size) + end_of_ram
    )
    # Of a zero page there is the byte that it is filled with.
    contents = [b"\0"] * PAGES_OF_A_PART if is_zero else random_pages()
    for first in range(0, size // PAGE, PAGES_OF_A_PART):
        if first and not is_zero and not repeats:
            contents = random_pages()
        some = contents[: size // PAGE - first]
        yield begun(2, RAM_ID) + pages(first, some, ZERO if is_zero else FULL_PAGE) + end_of_ram
    # That the guest has stopped, the end of RAM, the device, and the end of the sections.
    yield struct.pack(">BHH", 8, 11, 0) + begun(3, RAM_ID) + end_of_ram
    yield begun(4, DEVICE_ID, b"timer", 2) + struct.pack(">QQQ", *(value * 1_000_003 for value in (1, 2, 3)))
    yield ended(DEVICE_ID) + b"\0"
    described = json.dumps({"page_size": PAGE, "devices": [DEVICE]}).encode()
    yield struct.pack(">BI", 6, len(described)) + described


def main() -> None:
    """Write a stream to standard output."""
    kind, mebibytes = sys.argv[1:]
    for piece in stream(int(mebibytes) << 20, is_zero=kind == "zero"):
        sys.stdout.buffer.write(piece)


if __name__ == "__main__":
    main()

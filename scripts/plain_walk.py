"""Walks a migration stream of QEMU in plain Python, the way of QEMU's own analyze-migration.py: for comparison.

    python scripts/plain_walk.py FILE

As there, the stream's description is looked for at the end of the file first; then each record is read from the file
and turned into a number by itself, pages are passed over by a seek, and a device is read field by field as the
description has it. It is written from the facts of the format, and reads what `migration_streams.py` makes.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import BinaryIO

EOF, START, PART, END, FULL, DESCRIPTION, CONFIGURATION, COMMAND, FOOTER = 0, 1, 2, 3, 4, 6, 7, 8, 0x7E
ZERO, MEM_SIZE, PAGE, END_OF_RAM, SAME_BLOCK = 0x02, 0x04, 0x08, 0x10, 0x20
TAIL = 10 << 20
"""Bytes at the end of a file in which the description is looked for."""


class Stream:
    """A file, from which numbers and names are read."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file

    def number(self, size: int) -> int:
        """An unsigned number of so many bytes."""
        return int.from_bytes(self.file.read(size), byteorder="big", signed=False)

    def text(self, size: int) -> str:
        """A text of so many bytes."""
        return self.file.read(size).decode()

    def name(self) -> str:
        """A text with its length before it."""
        return self.text(self.number(1))

    def described(self) -> Any:
        """The description, found from the end."""
        self.file.seek(0, os.SEEK_END)
        begin = max(0, self.file.tell() - TAIL)
        self.file.seek(begin)
        tail = self.file.read()
        json_at = tail.index(b"{", tail.rindex(b"\0"))
        self.file.seek(0)
        return json.loads(tail[json_at:])


class Ram:
    """The section of RAM: what it has seen of each block."""

    def __init__(self, stream: Stream, page_size: int) -> None:
        self.stream = stream
        self.page_size = page_size
        self.blocks: dict[str, int] = {}
        self.block = ""
        self.pages = 0
        self.zero_pages = 0

    def read(self) -> None:
        """Read one run of records."""
        while True:
            address = self.stream.number(8)
            flags = address & (self.page_size - 1)
            address &= ~(self.page_size - 1)
            if flags & MEM_SIZE:
                total = address
                while total > 0:
                    name = self.stream.name()
                    self.blocks[name] = self.stream.number(8)
                    total -= self.blocks[name]
                flags &= ~MEM_SIZE
            if flags & ZERO:
                self.find_block(flags)
                fill = self.stream.number(1)
                if fill != 0:
                    raise ValueError(f"a page is filled with {fill}")
                self.zero_pages += 1
                flags &= ~ZERO
            elif flags & PAGE:
                self.find_block(flags)
                self.stream.file.seek(self.page_size, os.SEEK_CUR)
                self.pages += 1
                flags &= ~PAGE
            if flags & END_OF_RAM:
                return
            if flags & ~SAME_BLOCK:
                raise ValueError(f"unknown flags {flags:#x}")

    def find_block(self, flags: int) -> None:
        """The block of the page: named, or that of the page before."""
        if not flags & SAME_BLOCK:
            self.block = self.stream.name()


def walk(path: Path) -> tuple[int, int, int]:
    """Walk all of it: how many sections there are, pages, and pages that are zero."""
    with path.open("rb") as file:
        stream = Stream(file)
        description = stream.described()
        ram = Ram(stream, description["page_size"])
        devices = {(device["name"], device["instance_id"]): device for device in description["devices"]}
        if (stream.text(4), stream.number(4)) != ("QEVM", 3):
            raise ValueError("no migration stream")
        names: dict[int, tuple[str, int]] = {}
        sections = 0
        while (kind := stream.number(1)) != EOF:
            if kind == CONFIGURATION:
                stream.text(stream.number(4))
                continue
            if kind == COMMAND:
                stream.number(2)
                file.seek(stream.number(2), os.SEEK_CUR)
                continue
            if kind not in (START, PART, END, FULL):
                raise ValueError(f"unknown section type {kind:#x}")
            number = stream.number(4)
            if kind in (START, FULL):
                names[number] = (stream.name(), stream.number(4))
                stream.number(4)
            if names[number] == ("ram", 0):
                ram.read()
            else:
                for field in devices[names[number]]["fields"]:
                    stream.number(field["size"])
            if (stream.number(1), stream.number(4)) != (FOOTER, number):
                raise ValueError("a footer is wrong")
            sections += 1
    return sections, ram.pages, ram.zero_pages


if __name__ == "__main__":
    print(*walk(Path(sys.argv[1])))

"""Alters a migration stream of QEMU on its way from standard input to standard output.

    python tests/tamper.py footer | cut

It takes all of the stream before it gives any: to the source, the migration has worked by then.
"""

from __future__ import annotations

import re
import sys

MARK = rb"\x7e\0\0\0."
"""A section's footer: its mark and the section's id, which is small."""
END_OF_RAM = re.compile(rb"\0{7}\x10(" + MARK + rb")\x04\0\0\0.", re.DOTALL)
"""The entry that ends a run of RAM, its footer, and a device's section."""
LAST = re.compile(rb"(" + MARK + rb")\0\x06\0", re.DOTALL)
"""The last footer, the end of the sections, and the stream's description of itself."""


def footer_of_ram(stream: bytes) -> int:
    """Where the footer stands behind which the devices begin."""
    return [found.start(1) for found in END_OF_RAM.finditer(stream)][-1]


def end_of_sections(stream: bytes) -> int:
    """Where the byte stands behind which the destination is done."""
    return [found.end(1) for found in LAST.finditer(stream)][-1]


def tampered(stream: bytes, how: str) -> bytes:
    """What goes on in place of the stream."""
    if how == "footer":
        at = footer_of_ram(stream)
        return stream[:at] + bytes([stream[at] ^ 1]) + stream[at + 1 :]
    if how == "postcopy":
        # Advise of postcopy, but not of RAM's; listen; run: before any device has come.
        at = footer_of_ram(stream) + 5
        commands = b"".join(b"\x08\0" + bytes([number]) + b"\0\0" for number in (3, 4, 5))
        return stream[:at] + commands + stream[at:]
    end = end_of_sections(stream)
    if how == "hidden":
        # The end, with no description behind it, and the footer again: a search that asks for one goes on to there.
        return stream[:end] + b"\0" + b"\xff" * 9 + stream[end - 5 : end] + stream[end:]
    assert how == "cut"
    # All devices are there; only the end is not.
    return stream[:end]


if __name__ == "__main__":
    sys.stdout.buffer.write(tampered(sys.stdin.buffer.read(), sys.argv[1]))

"""A stream taken apart, for people: every field with its offset, raw bytes, value and meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transire.cli.failure import printable
from transire.cli.show import Screen, show_verdict

if TYPE_CHECKING:
    from transire import Field, Inspection, Structure

RAW_SHOWN = 16
"""Raw bytes of a field that are shown; `--hex` has them all."""
VALUE_MAX = 34
"""Widest column of values."""
ROW = 16
"""Bytes of a row of a dump."""


def show_inspection(screen: Screen, subject: str, inspection: Inspection, *, dump: bool) -> None:
    """Write every structure, then the verdict on the structure."""
    screen.line(f"{printable(subject)}: ", (inspection.format or "no known format", "bold"))
    show_structures(screen, inspection.structures, dump=dump)
    if inspection.dropped:
        screen.line()
        screen.line(f"{inspection.dropped} more structures are not shown")
    screen.line()
    show_verdict(screen, subject, inspection.verdict, passed="well-formed")


def show_structures(screen: Screen, structures: tuple[Structure, ...], *, dump: bool) -> None:
    """Write structures, their columns as wide as the widest of all needs."""
    fields = [field for structure in structures for field in structure.fields]
    widths = (
        max((len(str(field.offset)) for field in fields), default=0),
        max((len(_raw(field)) for field in fields), default=0),
        max((len(field.name) for field in fields), default=0),
        min(max((len(_value(field)) for field in fields), default=0), VALUE_MAX),
    )
    for structure in structures:
        screen.line()
        _show_structure(screen, structure, widths)
        if dump:
            _dump(screen, structure)


def _show_structure(screen: Screen, structure: Structure, widths: tuple[int, int, int, int]) -> None:
    number = "" if structure.number is None else f"[{structure.number}]"
    where = "offset in the payload" if structure.in_payload else "offset"
    of_channel = f" of channel {structure.channel}" if structure.channel else ""
    place = f"  {where} {structure.offset}{of_channel}, {structure.length} bytes"
    screen.line((f"{structure.name}{number}", "bold"), place)
    offset_width, raw_width, name_width, value_width = widths
    for field in structure.fields:
        screen.line(
            "  ",
            (str(field.offset).rjust(offset_width), "dim"),
            "  ",
            (_raw(field).ljust(raw_width), "yellow"),
            "  ",
            (field.name.ljust(name_width), "cyan"),
            "  ",
            _value(field).ljust(value_width),
            "  ",
            (field.meaning, "dim"),
        )


def _raw(field: Field) -> str:
    shown = field.raw[:RAW_SHOWN].hex(" ", -4)
    return shown + " …" if field.length > RAW_SHOWN else shown


def _value(field: Field) -> str:
    text = printable(field.text)
    if isinstance(field.value, bytes) and text == field.raw.hex():
        # The hex stands beside it already.
        text = f"|{_ascii(field.raw)}|"
    return text if len(text) <= VALUE_MAX else text[: VALUE_MAX - 2] + " …"


def _ascii(content: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in content)


def _dump(screen: Screen, structure: Structure) -> None:
    """Write the structure's bytes in rows, each with the names of the fields that begin in it."""
    content = bytearray()
    starts: list[tuple[int, str]] = []
    first = structure.fields[0].offset if structure.fields else structure.offset
    complete = True
    for field in structure.fields:
        starts.append((field.offset - first, field.name))
        content += field.raw
        # Of a long field the first bytes are there; what follows it would not stand in its place.
        if len(field.raw) < field.length:
            complete = False
            break
    screen.line()
    for at in range(0, len(content), ROW):
        row = bytes(content[at : at + ROW])
        halves = f"{row[:8].hex(' ')}  {row[8:].hex(' ')}"
        names = ", ".join(name for start, name in starts if at <= start < at + ROW)
        screen.line("  ", (f"{first + at:08x}", "dim"), f"  {halves:<48}  |{_ascii(row):<16}|", "  ", (names, "cyan"))
    if not complete:
        screen.line(f"  … of {structure.length} bytes, {len(content)} are shown")

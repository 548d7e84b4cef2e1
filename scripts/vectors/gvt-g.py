"""Vectors of gvt-g's images. `docs/vendors/gvt-g.md`.

A whole image has 3 MB at the least, so the ones here lack registers and page tables, and nearly all end with that.
"""
# ruff: noqa: F821  # what make_vectors.py gives

from __future__ import annotations

import struct
from typing import Any

REASONS_OF_VENDOR = {
    "compatible": "gvt-g.engines gvt-g.filler",
    "corrupt": ("gvt-g.record-type gvt-g.record-size gvt-g.data-size gvt-g.order gvt-g.ring-id gvt-g.missing"),
    "unrecognized": "gvt-g.version",
}

NOT_SAID = ("software_version", "capacity")
"""What no image says."""


def record(kind: int, payload: bytes, size: int | None = None) -> bytes:
    """A record."""
    return u32(kind) + u32(len(payload) if size is None else size) + payload


def image(*records: bytes, version: int = 0, data_size: int | None = None, crc: int = 0, end: bytes = b"") -> bytes:
    """The head and the records; `end` is not counted."""
    rest = b"".join(records)
    size = 536 + len(rest) if data_size is None else data_size
    return record(1, u32(version) + u32(size) + u64(crc) + bytes(512)) + rest + end


def table(padding: int = 0) -> bytes:
    """An entry of PPGTT of 40 bytes."""
    return struct.pack("<II4Q", 1, padding, 0x1000, 0, 0, 0)


def load(ring: int = 0, padding: bytes = bytes(3)) -> bytes:
    """An entry of WORKLOAD of 36 bytes."""
    return struct.pack("<IB3s7I", ring, 1, padding, 0x11009, 7, 0, 0, 0x11009, 7, 0)


def lists(engines: int) -> bytes:
    """The entries of EXECLIST."""
    return bytes(20 * engines)


TABLES, LOADS = record(6, table()), record(7, load())
EXAMPLE = image(TABLES, LOADS)
SPACE = record(2, struct.pack("<HH4092x", 0x8086, 0x591D))


def add(native: Any) -> None:
    """All of them."""

    def of(generation: int, name: str, comment: str, stream: bytes, *reasons: Any, flags: str = "") -> None:
        native.strict(name, comment, stream, *reasons, format_=f"gvt-g:generation={generation}", flags=flags)

    def missing(at: int) -> tuple[str, int]:
        return ("gvt-g.missing", at)

    def open_(name: str, comment: str, stream: bytes, candidates: int, *notes: Any) -> None:
        several = [("format.candidate", 0)] * candidates
        native.strict(name, comment, stream, *notes, *several, ("format.ambiguous", 0))

    # The example, and its variations.
    of(3, "example", "the example: nothing but what is left out of it", EXAMPLE, missing(628))
    of(4, "example-as-4", "generation 4 reads the same entries", EXAMPLE, missing(628))
    of(1, "example-as-1", "PPGTT entries of generation 1 have 36 bytes", EXAMPLE, ("gvt-g.record-size", 540))
    of(2, "example-as-2", "workloads of generation 2 have 24 bytes", EXAMPLE, ("gvt-g.record-size", 588))
    open_("example-open", "nothing tells 3 from 4 and 5", EXAMPLE, 3)
    head = changed(EXAMPLE, 4, 0x0C)
    of(3, "head-524", "a head of 524 bytes", head, ("gvt-g.record-size", 4))
    native.strict("head-524-unnamed", "with nothing else to go by it is no image", head, ("magic.unrecognized", 0))
    of(3, "workload-35", "35 bytes are no workload", changed(EXAMPLE, 588, 35), ("gvt-g.record-size", 588))
    of(3, "data-size-632", "4 bytes are too few for a record", changed(EXAMPLE, 12, 0x78), ("gvt-g.data-size", 12))
    of(
        3,
        "ring-2147483647",
        "the driver would index with it",
        image(TABLES, record(7, load(0x7FFFFFFF))),
        ("gvt-g.ring-id", 592),
    )

    # Head.
    of(3, "first-type-2", "an image begins with its head", changed(EXAMPLE, 0, 2), ("gvt-g.record-type", 0))
    for version in (1, 0x80000000, 0xFFFFFFFF):
        stream = image(TABLES, LOADS, version=version)
        native.strict(f"version-{version}", "no driver looks at it", stream, ("gvt-g.version", 8), flags="Boundary")
    for size in (0, 535, 9 << 20, 0xFFFFFFFF):
        stream = image(TABLES, LOADS, data_size=size)
        native.strict(f"data-size-{size}", "no image has it", stream, ("gvt-g.data-size", 12), flags="Boundary")
    stream = image(TABLES, LOADS, data_size=(9 << 20) - 1)
    of(
        3,
        "data-size-9437183",
        "the most; the rest is not there",
        stream,
        ("stream.truncated", 628),
        flags="Boundary Truncated",
    )
    of(3, "crc", "crc_check is never looked at", image(TABLES, LOADS, crc=1 << 63), ("gvt-g.filler", 16), missing(628))
    open_("head-alone", "every generation begins like this", image(), 5)
    of(5, "head-alone-as-5", "nothing but a head", image(), missing(536))

    # Cuts.
    native.strict("cut-7", "it may become an image", EXAMPLE[:7], ("magic.truncated", 7), flags="Truncated")
    for length in (8, 535, 536, 543, 544, 583, 584, 627):
        stream = EXAMPLE[:length]
        of(
            3,
            f"cut-{length}",
            "data_size says that more should come",
            stream,
            ("stream.truncated", length),
            flags="Truncated",
        )

    # Records.
    for kind in (0, 1, 9, 10, 0xFFFFFFFF):
        stream = image(TABLES, record(kind, b""), LOADS)
        comment = "the driver would end here and report success"
        of(5, f"type-{kind}", comment, stream, ("gvt-g.record-type", 584), flags="Boundary")
    of(4, "sreg-in-4", "generation 4 has no shadow registers", image(record(4, b"")), ("gvt-g.record-type", 536))
    of(3, "order", "tables are saved before workloads", image(LOADS, TABLES), ("gvt-g.order", 580))
    of(3, "twice", "tables come once", image(TABLES, TABLES, LOADS), ("gvt-g.order", 584))
    of(5, "space-late", "the configuration space is saved first", image(TABLES, SPACE), ("gvt-g.order", 584))
    stream = image(TABLES, record(7, b"", size=36 * 2))
    of(3, "beyond-data-size", "a record that reaches behind the image", stream, ("gvt-g.data-size", 12))
    for kind, size in ((2, 4095), (3, 1 << 20), (5, 2048 * 447), (5, 0), (5, 448 * 2048 + 8), (8, 4096)):
        stream = image(record(kind, b"", size=size))
        comment = "a size that the type does not have"
        of(3, f"type-{kind}-of-{size}", comment, stream, ("gvt-g.record-size", 540))
    of(
        3,
        "tables-65537",
        "one more than is taken",
        image(record(6, b"", size=65537 * 40)),
        ("gvt-g.record-size", 540),
        flags="Boundary",
    )
    of(
        3,
        "tables-65536",
        "the most; they do not fit",
        image(record(6, b"", size=65536 * 40)),
        ("gvt-g.data-size", 12),
        flags="Boundary",
    )
    of(5, "no-entries", "records may be empty", image(record(6, b""), record(7, b"")), missing(552))

    # Entries.
    of(3, "ring-4", "the last engine", image(TABLES, record(7, load(4))), missing(628), flags="Boundary")
    of(3, "ring-5", "there are five", image(TABLES, record(7, load(5))), ("gvt-g.ring-id", 592), flags="Boundary")
    second = image(record(7, load() + load(0x80000000)))
    of(5, "ring-of-second", "each workload is looked at", second, ("gvt-g.ring-id", 580))
    old = image(record(7, u32(7) + bytes(20)))
    of(1, "ring-old", "workloads of 24 bytes have it too", old, ("gvt-g.ring-id", 544))
    padded = image(record(6, table(9) + table(1)), record(7, load(1, b"\0\0a")))
    notes = [("gvt-g.filler", 548), ("gvt-g.filler", 588), ("gvt-g.filler", 637)]
    of(3, "padding", "what the compiler left", padded, *notes, missing(668))
    seventeen = image(record(6, table(1) * 17))
    notes = [("gvt-g.filler", 548 + 40 * number) for number in range(16)]
    native.strict(
        "padding-17", "16 notes of one id are kept", seventeen, *notes, missing(544 + 680),
        format_="gvt-g:generation=5", dropped=1,
    )  # fmt: skip
    for engines in (0, 1, 4, 5):
        stream = image(record(8, lists(engines)))
        note = [("gvt-g.engines", 540)] if engines < 5 else []
        of(5, f"engines-{engines}", "the driver copies those of all", stream, *note, missing(544 + 20 * engines))
    of(5, "engines-6", "more than there are", image(record(8, lists(6))), ("gvt-g.record-size", 540), flags="Boundary")

    # What tells generations apart, and what does not.
    native.strict(
        "open-to-none", "tables of 36 bytes are generation 1's, workloads are not", image(record(6, bytes(36)), LOADS),
        ("gvt-g.record-size", 584),
    )  # fmt: skip
    open_("open-360", "360 bytes are 10 tables of 36, or 9 of 40", image(record(6, bytes(360))), 5)
    open_("open-72", "72 bytes are 3 workloads of 24, or 2 of 36", image(record(7, bytes(72))), 5)
    open_("open-late", "40 bytes are no table of generation 1", image(TABLES, record(7, bytes(72))), 4)
    native.strict(
        "told-by-24",
        "none but 2 has tables of 40 and workloads of 24",
        image(TABLES, record(7, bytes(24))),
        missing(616),
    )
    native.strict("told-by-execlist", "none but 5 has execlists of type 8", image(record(8, lists(5))), missing(644))
    target = {"vendor": "gvt-g", "attributes": {"image_generation": 3}}
    unknown = [("pci_id.not-in-profile", None), *((f"{name}.absent", None) for name in NOT_SAID)]
    native.strict("told-by-target", "the target says which", EXAMPLE, *unknown, missing(628), target=target)
    native.strict(
        "told-by-format", "what is named goes first", EXAMPLE, *unknown, ("image_generation.not-equal", None),
        missing(628), target=target, format_="gvt-g:generation=5",
    )  # fmt: skip
    native.sealed(
        "told-by-header", "the header of an envelope says which", [uint(0x8107, 1)], [EXAMPLE],
        ("gvt-g.record-size", 540, True), payload_format="gvt-g",
    )  # fmt: skip
    native.sealed(
        "told-by-nobody", "a header that does not say it", [uint(0x8100, 64)], [EXAMPLE[:540], EXAMPLE[540:]],
        *[("format.candidate", 0, True)] * 3, ("format.ambiguous", 0, True), payload_format="gvt-g",
    )  # fmt: skip

    # The source.
    device = {"vendor": "gvt-g", "attributes": {"pci_id": "8086:591d", "image_generation": 5}}
    others = [(f"{name}.absent", None) for name in NOT_SAID]
    of_5 = image(SPACE)
    native.strict("pci-id", "it stands in the configuration space", of_5, *others, missing(4640), target=device)
    other = {"vendor": "gvt-g", "attributes": {"pci_id": "8086:5912", "image_generation": 5}}
    reasons = [("pci_id.not-equal", 544), *others, missing(4640)]
    native.strict("pci-id-of-another", "no driver compares it", of_5, *reasons, target=other)
    at = Sealed(sealed_header(pci_id(PCI_ID, 0x8086, 0x5912), vendor=text(0x8001, "gvt-g"), payload_format="gvt-g")).of(
        PCI_ID
    )
    native.sealed(
        "pci-id-contradicted", "header and configuration space disagree", [pci_id(PCI_ID, 0x8086, 0x5912)], [of_5],
        ("profile.contradicts-payload", at, False, "pci_id"), payload_format="gvt-g",
    )  # fmt: skip

    # What the drivers do.
    host = {"vendor": "gvt-g", "attributes": {"image_generation": 3, "mdev_type": "i915-GVTg_V5_8"}}

    def taken(name: str, comment: str, stream: bytes, writes: str = "whole", **more: Any) -> None:
        native.driver(name, comment, stream, writes, target=host, **more)

    def refused(name: str, comment: str, stream: bytes, holds: str, writes: str = "whole", **more: Any) -> None:
        answer = {"at": len(stream), "step": "set_state", "errno": "EFAULT", "holds": holds}
        native.driver(name, comment, stream, writes, target=host, **answer, **more)

    taken("example", "what is left out is not missed", EXAMPLE)
    taken("example-cut", "the region is zero behind it", EXAMPLE[:600], "each:100", flags="Truncated")
    taken("data-size-632", "data_size is held against 9 MiB alone", changed(EXAMPLE, 12, 0x78))
    taken("version-1", "nobody looks at it", image(TABLES, LOADS, version=1))
    taken("type-0", "the loop ends, and nobody is told", image(TABLES, record(0, b""), LOADS))
    taken("order", "in any order", image(LOADS, TABLES, TABLES))
    refused("head-524", "a head of 524 bytes", changed(EXAMPLE, 4, 0x0C), "previous")
    refused("first-type-2", "another record first", changed(EXAMPLE, 0, 2), "previous", "split:1,9")
    refused("data-size-9437184", "9 MiB", image(TABLES, LOADS, data_size=9 << 20), "previous", flags="Boundary")
    refused("workload-35", "35 bytes are no workload; the tables are loaded", changed(EXAMPLE, 588, 35), "part")
    refused("gtt-of-another", "the memory of a V5_4", image(record(5, b"", size=640 * 2048)), "previous")
    refused("generation-1", "tables of 40 bytes", EXAMPLE, "previous", format_="gvt-g:generation=1")
    ring = image(TABLES, record(7, load(0x7FFFFFFF)))
    taken("ring-2147483647", "what lies there nobody knows", ring, depends=True)
    taken("second-head", "how far it leads nobody knows", image(TABLES, record(1, bytes(528))), depends=True)
    taken("example-again", "the loop goes on into what was left", EXAMPLE, depends=True, earlier="unknown")
    taken("example-and-zero", "unless zeros end it", EXAMPLE + bytes(8), earlier="unknown")

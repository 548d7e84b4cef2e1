"""Vectors of xe. `docs/vendors/xe.md`."""
# ruff: noqa: F821  # what make_vectors.py gives

from __future__ import annotations

from typing import Any

REASONS_OF_VENDOR = {
    "compatible": "xe.not-zero xe.unknown-key",
    "corrupt": "xe.order xe.gt xe.offset xe.size xe.descriptor xe.missing",
    "unrecognized": "xe.version xe.type",
}

DESCRIPTOR, TRAILER, GGTT, MMIO, GUC, VRAM = range(1, 7)
MOST_VRAM = 512 << 20


def packet(
    kind: int,
    payload: bytes = b"",
    gt: int = 0,
    *,
    offset: int = 0,
    version: int = 1,
    tile: int | None = None,
    flags: int = 0,
    size: int | None = None,
) -> bytes:
    """A packet; what is wrong with it is said by name."""
    head = bytes([version, kind, gt // 2 if tile is None else tile, gt]) + u32(flags)
    return head + u64(offset) + u64(len(payload) if size is None else size) + payload


def entry(key: int, *values: int, length: int | None = None) -> bytes:
    """An entry of a descriptor."""
    return u16(len(values) if length is None else length) + u16(key) + b"".join(u32(value) for value in values)


DEVICE, REVISION = entry(0xF001, 0xE211), entry(0xF002, 0)
FIRST = packet(DESCRIPTOR, DEVICE + REVISION)
LAST = packet(TRAILER)
GUC_0, GGTT_0, MMIO_0 = packet(GUC, b"guc!"), packet(GGTT, u64(1)), packet(MMIO, bytes(16))
VRAM_0 = packet(VRAM, b"memory!!")
TILE = GUC_0 + GGTT_0 + MMIO_0
MEDIA = packet(GUC, b"GUC!", 1) + packet(MMIO, bytes(16), 1)
GOOD = FIRST + TILE + VRAM_0 + LAST
# GUC at 40, GGTT at 68, MMIO at 100, VRAM at 140, trailer at 172; 196 bytes.
XE: dict[str, Any] = {
    "vendor": "xe",
    "attributes": {"pci_id": "8086:e211", "revision": 0, "gts": 1, "ggtt_pages": 1, "vram_bytes": 8},
}


def other(**attributes: Any) -> dict[str, Any]:
    """The target with other attributes."""
    return {"vendor": "xe", "attributes": XE["attributes"] | attributes}


def add(native: Any) -> None:
    """Everything."""
    add_good(native)
    add_headers(native)
    add_lists(native)
    add_rules(native)
    add_sealed(native)
    add_driver(native)


def add_good(native: Any) -> None:
    """Streams that a device could have saved, and their ends."""

    def good(name: str, comment: str, stream: bytes, target: dict[str, Any] = XE) -> None:
        native.strict(name, comment, stream, target=target)

    good("least", "one GT, everything as short as it can be", GOOD)
    native.strict("no-target", "what is read without a target", GOOD)
    good("media", "a media GT, which has no table and no memory", FIRST + TILE + VRAM_0 + MEDIA + LAST, other(gts=3))
    turns = FIRST + GUC_0 + MEDIA[:28] + GGTT_0 + MEDIA[28:] + MMIO_0 + VRAM_0 + LAST
    good("turns", "packets of two GTs take turns", turns, other(gts=3))
    good("no-vram", "integrated graphics", FIRST + TILE + LAST, other(vram_bytes=0))
    pieces = packet(VRAM, b"memo") + packet(VRAM, b"ry!!", offset=4)
    good("pieces", "memory in two pieces without a gap", FIRST + TILE + pieces + LAST)
    good("revision-first", "the keys in the other order", packet(DESCRIPTOR, REVISION + DEVICE) + GOOD[40:])
    good(
        "table-bits",
        "bits 12 and 1 are no part of the function's number",
        FIRST + GUC_0 + packet(GGTT, u64(0x1003)) + GOOD[100:],
    )

    def cut(name: str, comment: str, length: int, kind: str = "stream.truncated") -> None:
        native.strict(name, comment, GOOD[:length], (kind, length), target=XE)

    cut("cut-0", "nothing", 0, "magic.truncated")
    cut("cut-23", "a byte less than a header", 23, "magic.truncated")
    cut("cut-24", "the header of a descriptor, and nothing of its list", 24)
    cut("cut-39", "a byte less than the descriptor", 39)
    cut("cut-40", "the descriptor alone", 40)
    cut("cut-41", "inside the header of a data packet", 41)
    cut("cut-64", "a header without its payload", 64)
    cut("cut-172", "no trailer: the driver waits for 20 seconds", 172)
    cut("cut-195", "a byte less than the trailer", 195)
    late = ("stream.trailing", 196)
    native.strict("trailing", "a byte behind the trailer, unseen by the driver", GOOD + b"\0", late, target=XE)
    native.strict("twice", "the driver takes what follows, or blocks", GOOD + GOOD, late, target=XE)
    memory = FIRST + TILE + packet(VRAM, b"memory!!", size=MOST_VRAM)
    native.strict("vram-most", "the longest packet of memory, cut", memory, ("stream.truncated", 172), target=XE)


def add_headers(native: Any) -> None:
    """The checks of headers, by their number on the page."""

    def wrong(name: str, comment: str, stream: bytes, *reasons: Any, format_: str | None = None) -> None:
        native.strict(name, comment, stream, *reasons, target=XE, format_=format_)

    # The first packet is recognised by the same fields, so a wrong one is read only where the format is named.
    unknown = ("magic.unrecognized", 0)
    wrong("version-first", "no other version is recognised", changed(GOOD, 0, 2), unknown)
    for version in (0, 2, 255):
        wrong(f"version-{version}", "crashes the driver", changed(GOOD, 40, version), ("xe.version", 40))
    wrong("version-first-named", "crashes the driver", changed(GOOD, 0, 2), ("xe.version", 0), format_="xe")
    wrong("version-trailer", "refused, and acted upon", changed(GOOD, 172, 2), ("xe.version", 172))
    for kind in (0, 7, 255):
        wrong(f"type-{kind}", "0 is no type, 7 is skipped by the driver", changed(GOOD, 41, kind), ("xe.type", 41))
    wrong("type-first", "not recognised", changed(GOOD, 1, 7), unknown)

    wrong("no-descriptor", "the driver does not miss it", GOOD[40:], ("xe.order", 1))
    wrong("trailer-only", "enough for the driver", LAST, ("xe.order", 1))
    wrong("descriptor-twice", "the driver looks at every one", FIRST + GOOD, ("xe.order", 41))
    wrong("guc-twice", "loaded twice by the driver", FIRST + GUC_0 + GOOD[40:], ("xe.order", 69))
    wrong("ggtt-late", "the driver takes any order", FIRST + GUC_0 + MMIO_0 + GGTT_0 + VRAM_0 + LAST, ("xe.order", 109))
    wrong("guc-last", "the driver takes any order", FIRST + TILE + VRAM_0 + GUC_0 + LAST, ("xe.order", 173))

    wrong("gt-4", "beyond two tiles", FIRST + packet(GUC, b"guc!", 4) + GOOD[68:], ("xe.gt", 43))
    wrong("gt-255", "beyond two tiles", FIRST + packet(GUC, b"guc!", 255) + GOOD[68:], ("xe.gt", 43))
    wrong("tile-1", "GT 0 is on tile 0", changed(GOOD, 42), ("xe.gt", 42))
    wrong("tile-0", "GT 2 is on tile 1", FIRST + packet(GUC, b"guc!", 2, tile=0) + GOOD[68:], ("xe.gt", 42))
    wrong("ggtt-media", "a media GT has no table", FIRST + GUC_0 + packet(GGTT, u64(1), 1) + GOOD[100:], ("xe.gt", 71))
    wrong("vram-media", "a media GT has no memory", GOOD[:140] + packet(VRAM, b"memory!!", 1) + LAST, ("xe.gt", 143))
    wrong("gt-trailer", "a trailer is of no GT", changed(GOOD, 175), ("xe.gt", 175))
    wrong("tile-trailer", "a trailer is of no tile", changed(GOOD, 174), ("xe.gt", 174))
    wrong("gt-first", "a descriptor is of no GT", changed(GOOD, 3), ("xe.gt", 3), format_="xe")

    note = "xe.not-zero"
    wrong("flags", "never looked at", changed(GOOD, 44), (note, 44))
    wrong("flags-first", "possible, and the target's vendor decides", changed(GOOD, 7, 0x80), (note, 4))
    wrong("offset-guc", "not looked at outside VRAM and trailer", changed(GOOD, 48), (note, 48))
    wrong("offset-first", "not looked at", changed(GOOD, 15), (note, 8))
    wrong("flags-trailer", "not looked at", changed(GOOD, 176), (note, 176))
    table = changed(GOOD, 92, 0x04)
    wrong("function-bit-2", "the driver puts its own number there", table, (note, 92))
    wrong("function-bit-11", "the driver puts its own number there", changed(GOOD, 93, 0x08), (note, 92))
    both = changed(changed(table, 44), 48)
    wrong("notes", "in the order of the stream", both, (note, 44), (note, 48), (note, 92))
    wrong("note-then-error", "a note stays", changed(changed(GOOD, 44), 56, 3), (note, 44), ("xe.size", 56))

    wrong("vram-gap", "the driver leaves a hole", changed(GOOD, 148, 8), ("xe.offset", 148))
    wrong("vram-overlap", "the driver takes it", GOOD[:172] + VRAM_0 + LAST, ("xe.offset", 180))
    wrong("vram-wraps", "the driver's worker refuses it", GOOD[:148] + b"\xff" * 8 + GOOD[156:], ("xe.offset", 148))
    wrong("offset-trailer", "refused by the driver", changed(GOOD, 180), ("xe.offset", 180))

    def sized(name: str, kind: int, size: int) -> None:
        before = {GUC: FIRST, GGTT: FIRST + GUC_0, MMIO: FIRST + GUC_0 + GGTT_0, VRAM: FIRST + TILE}[kind]
        at = len(before) + 16
        wrong(f"size-{name}-{size}", "no such length", before + packet(kind, size=size) + LAST, ("xe.size", at))

    for size in (0, 3, 1 << 31, 2**64 - 4):
        sized("guc", GUC, size)
    for size in (0, 4, (8 << 20) + 8):
        sized("ggtt", GGTT, size)
    for size in (0, 15, 17):
        sized("mmio", MMIO, size)
    for size in (0, MOST_VRAM + 1, 2**64 - 1):
        sized("vram", VRAM, size)
    wrong("size-trailer", "a trailer is a header", changed(GOOD, 188), ("xe.size", 188))
    for size in (3, 4100):
        long = packet(DESCRIPTOR, size=size) + GOOD[40:]
        wrong(f"size-first-{size}", "not recognised", long, unknown)
        wrong(f"size-first-{size}-named", "no such descriptor here", long, ("xe.size", 16), format_="xe")

    missing = "xe.missing"
    wrong("missing-guc", "the driver does not miss it", FIRST + GOOD[68:], (missing, 144))
    wrong("missing-ggtt", "the driver does not miss it", GOOD[:68] + GOOD[100:], (missing, 140))
    wrong("missing-mmio", "the driver does not miss it", GOOD[:100] + GOOD[140:], (missing, 132))
    wrong("missing-all", "a descriptor and a trailer, enough for the driver", FIRST + LAST, (missing, 40))
    wrong("missing-of-media", "the media GT has no registers", GOOD[:172] + MEDIA[:28] + LAST, (missing, 200))
    lone = FIRST + TILE + VRAM_0 + packet(GUC, b"GUC!", 3) + packet(MMIO, bytes(16), 3) + LAST
    wrong("missing-main", "a media GT without the main one of its tile", lone, (missing, 240))


def add_lists(native: Any) -> None:
    """The list of a descriptor."""

    def listed(name: str, comment: str, payload: bytes, *reasons: Any) -> None:
        native.strict(f"list-{name}", comment, packet(DESCRIPTOR, payload) + GOOD[40:], *reasons, target=XE)

    bad = "xe.descriptor"
    listed("empty", "taken by the driver", b"", (bad, 16))
    listed("device-only", "taken by the driver", DEVICE, (bad, 16))
    listed("revision-only", "taken by the driver", REVISION, (bad, 16))
    listed("zeros", "an unknown key, and neither known one", bytes(4), ("xe.unknown-key", 26), (bad, 16))
    listed("cut", "more dwords than are there", entry(0xF001, 0xE211, length=5) + REVISION, (bad, 24))
    listed("cut-last", "the last entry is cut", DEVICE + entry(0xF002), (bad, 32))
    listed("device-0", "the driver compares the next number", entry(0xF001) + REVISION, (bad, 24))
    listed("device-2", "the driver takes it", entry(0xF001, 0xE211, 0) + REVISION, (bad, 24))
    listed("device-twice", "each key once", DEVICE + DEVICE + REVISION, (bad, 34))
    listed("device-wide", "above 16 bits", entry(0xF001, 0x1E211) + REVISION, (bad, 28))
    listed("revision-wide", "above 8 bits", DEVICE + entry(0xF002, 0x100), (bad, 36))
    unknown = "xe.unknown-key"
    listed("unknown", "passed over by the driver", DEVICE + REVISION + entry(0xF003, 7), (unknown, 42))
    listed("unknown-first", "what follows is read", entry(9, 1, 2) + DEVICE + REVISION, (unknown, 26))
    many = entry(9) * 1000 + DEVICE + REVISION
    listed("unknown-many", "the first one is noted", many, (unknown, 26))
    listed("most", "4,096 bytes", entry(9, *range(1019)) + DEVICE + REVISION, (unknown, 26))
    listed("unknown-then-cut", "the note stays", entry(9) + entry(0xF001, length=9), (unknown, 26), (bad, 28))


def add_rules(native: Any) -> None:
    """What the stream says of its source, before other targets."""

    def judged(name: str, comment: str, stream: bytes, target: dict[str, Any], *reasons: Any) -> None:
        native.strict(name, comment, stream, *reasons, target=target, flags="Rule")

    judged("other-device", "ENODEV", GOOD, other(pci_id="8086:e212"), ("pci_id.not-equal", 28))
    judged("other-vendor", "the stream's is 8086", GOOD, other(pci_id="1002:e211"), ("pci_id.not-equal", 28))
    judged("other-revision", "ENODEV", GOOD, other(revision=1), ("revision.not-equal", 36))
    judged("fewer-pages", "the worker refuses it", GOOD, other(ggtt_pages=2), ("ggtt_pages.not-equal", 84))
    judged("no-media", "the driver refuses it", FIRST + TILE + VRAM_0 + MEDIA + LAST, XE, ("gts.not-equal", None))
    judged("media-lost", "the driver does not miss it", GOOD, other(gts=3), ("gts.not-equal", None))
    judged("less-vram", "the worker refuses it", GOOD, other(vram_bytes=7), ("vram_bytes.not-equal", None))
    judged("vram-lost", "the driver does not miss it", GOOD, other(vram_bytes=16), ("vram_bytes.not-equal", None))
    least = {"vendor": "xe", "attributes": {"pci_id": "8086:e211", "revision": 0}}
    judged("unstated", "resources that the target does not state", GOOD, least)
    tile_1 = packet(GUC, b"guc!", 2) + packet(GGTT, u64(1) * 2, 2) + packet(MMIO, bytes(16), 2)
    two = FIRST + TILE + VRAM_0 + tile_1 + packet(VRAM, b"memory!!memory!!", 2) + LAST
    target = other(gts=5)
    unlike = ("ggtt_pages.not-equal", 216), ("vram_bytes.not-equal", None)
    judged("tiles-unlike", "each tile is held against the target", two, target, *unlike)
    judged("cut-and-other", "a cut after a refusal stays a refusal", GOOD[:100], other(revision=1),
           ("revision.not-equal", 36), ("stream.truncated", 100))  # fmt: skip


def add_sealed(native: Any) -> None:
    """In an envelope."""
    header = [pci_id(0x0004, 0x8086, 0xE211), uint(0x0006, 0), uint(0x8101, 1), uint(0x8102, 8)]
    parts = [GOOD[:50], GOOD[50:]]
    native.sealed("sealed", "in two frames, cut inside a header", header, parts, payload_format="xe", target=XE)
    cut = ("stream.truncated", 50, True)
    native.sealed("sealed-cut", "the end of the envelope is not that of the stream", header, parts[:1], cut,
                  payload_format="xe", target=XE)  # fmt: skip
    late = ("stream.trailing", 196, True)
    native.sealed("sealed-trailing", "a byte behind the trailer", header, [*parts, b"\0"], late,
                  payload_format="xe", target=XE)  # fmt: skip


def add_driver(native: Any) -> None:
    """What the kernel driver does."""

    def taken(name: str, comment: str, stream: bytes, writes: str = "whole", **more: Any) -> None:
        native.driver(name, comment, stream, writes, target=XE, **more)

    def refused(
        name: str, comment: str, stream: bytes, errno: str, holds: str, writes: str = "whole", at: int = 0
    ) -> None:
        native.driver(name, comment, stream, writes, target=XE, at=at, step="write", errno=errno, holds=holds)

    def left(name: str, comment: str, stream: bytes, errno: str, holds: str) -> None:
        native.driver(
            name, comment, stream, "whole", target=XE, at=len(stream), step="set_state", errno=errno, holds=holds
        )

    taken("whole", "one write", GOOD)
    taken("each-1", "byte by byte", GOOD, "each:1")
    taken("split", "an empty write, and a header cut", GOOD, "split:0,30,40")
    taken("no-descriptor", "not missed: strict refuses this", GOOD[40:])
    taken("trailer-only", "enough: strict refuses this", LAST)
    taken("unknown-type", "passed over: strict refuses this", FIRST + packet(9, b"what") + GOOD[40:])
    taken("vram-lost", "not missed", FIRST + TILE + LAST)
    taken("flags", "never looked at", changed(GOOD, 44))
    taken("trailing", "a byte waits for the next session", GOOD + b"\0")

    refused("device", "nothing is loaded", changed(GOOD, 28), "ENODEV", "previous")
    refused("device-each-40", "what follows is taken for packets", changed(GOOD, 28), "ENODEV", "input",
            "split:40")  # fmt: skip
    refused("list-cut", "before any key", packet(DESCRIPTOR, entry(0xF001, length=9)) + LAST, "ENODATA", "previous")
    refused("list-3", "no multiple of 4", packet(DESCRIPTOR, b"abc") + LAST, "EINVAL", "previous")
    refused("tile", "not the tile of the GT", changed(GOOD, 42), "EINVAL", "previous")
    refused("too-long", "more than the kernel allocates", FIRST + packet(MMIO, size=1 << 31), "ENOMEM", "previous")
    refused("vram-wraps", "rounded up to 0", FIRST + packet(VRAM, size=2**64 - 1), "EINVAL", "previous")
    refused("trailer-version", "refused, and acted upon", changed(GOOD, 172, 2), "EINVAL", "input", "each:172", 172)

    left("cut", "no trailer", GOOD[:172], "ETIMEDOUT", "part")
    left("cut-30", "nothing at all", GOOD[:30], "ETIMEDOUT", "previous")
    left("vram-beyond", "shows at the end, as the last packet of its GT", changed(GOOD, 148), "EIO", "part")

    def breaks(name: str, comment: str, stream: bytes, writes: str = "whole", at: int = 0) -> None:
        taken(name, comment, stream, writes, at=at, step="write", breaks="crashes")

    breaks("version-descriptor", "worked on without its payload", changed(GOOD, 0, 2))
    breaks("version-first", "worked on without its payload", changed(FIRST, 0, 0), "each:24")
    breaks("version-split", "in the write that completes the header", changed(FIRST, 0, 3), "split:23", 23)

    taken("worker-fails", "in the next write, or at the end", FIRST + GUC_0 + packet(GGTT, u64(1) * 2) + MMIO_0 + LAST,
          depends=True)  # fmt: skip
    taken("version-data", "crashes the worker, when it comes to it", changed(GOOD, 100, 2), depends=True)
    taken("vram-0", "crashes the worker, when it comes to it", FIRST + packet(VRAM) + LAST, depends=True)
    taken("trailer-first", "loaded or thrown away", FIRST + LAST + TILE + VRAM_0, depends=True)
    taken("trailer-blocks", "the sixth packet waits for ever, or is loaded", GOOD + MMIO_0 * 6, depends=True)
    behind = packet(DESCRIPTOR, entry(0xF001)) + LAST
    taken("list-behind", "4 bytes behind the payload are read", behind, depends=True)
    taken("vram-long", "the host's memory decides", FIRST + packet(VRAM, size=MOST_VRAM + 1), depends=True)
    taken("again", "an earlier session may have left half a packet", GOOD, depends=True, earlier="unknown")
    native.driver("again-nothing", "nothing to complete it", b"", "whole", target=XE, at=0, step="set_state",
                  errno="ETIMEDOUT", holds="previous", earlier="unknown")  # fmt: skip

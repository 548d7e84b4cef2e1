"""Vectors of virtio: records of device parts. Expectations from `docs/vendors/virtio.md`."""
# ruff: noqa: F821

from __future__ import annotations

from typing import Any

REASONS_OF_VENDOR = {
    "corrupt": (
        "virtio.record-size virtio.flags virtio.selector virtio.order virtio.queue virtio.part-length virtio.features"
    ),
    "unrecognized": "virtio.tag virtio.part-type",
    "compatible": "virtio.tag-optional virtio.part-optional virtio.reserved",
}
BITS = 1 << 32 | 1 << 5
TARGET = {"vendor": "virtio", "attributes": {"device_features": BITS}}
SILENT = ("device_features.absent", None)
"""What is noted of one without DEV_FEATURES."""


def part(
    kind: int, value: bytes, selector: int = 0, *, flags: int = 0, reserved: int = 0, length: int | None = None
) -> bytes:
    """A device part; its length is that of its value unless it is said."""
    size = len(value) if length is None else length
    return struct.pack("<HBBQI", kind, flags, reserved, selector, size) + value


def record(*parts: bytes, tag: int = 0, flags: int = 0, size: int | None = None) -> bytes:
    """A record of these parts; its size is that of them unless it is said."""
    data = b"".join(parts)
    return u64(len(data) if size is None else size) + u32(flags) + u32(tag) + data


def offered(bits: int = BITS, words: int = 1, **wrong: int) -> bytes:
    """DEV_FEATURES."""
    return part(0x100, bits.to_bytes(8 * words, "little"), **{"flags": 1, **wrong})


def accepted(bits: int = BITS, words: int = 1, **wrong: int) -> bytes:
    """DRV_FEATURES."""
    return part(0x101, bits.to_bytes(8 * words, "little"), **wrong)


def common(offset: int, value: bytes, **wrong: int) -> bytes:
    """PCI_COMMON_CFG."""
    return part(0x102, value, offset, **wrong)


def queue(index: int, enabled: int = 1, reserved: int = 0) -> bytes:
    """VQ_CFG."""
    return part(0x104, struct.pack("<4H3Q", 256, 1, enabled, reserved, 0x1000, 0x2000, 0x3000), index)


def notify(index: int, reserved: int = 0) -> bytes:
    """VQ_NOTIFY_CFG."""
    return part(0x105, struct.pack("<2HI", index, index, reserved), index)


STATUS = part(0x103, b"\x0f")
THREE = common(18, u16(3))
GOOD = record(offered(), accepted(), THREE, STATUS)


def add(native: Any) -> None:
    """All of them."""
    add_good(native)
    add_rules(native)
    add_records(native)
    add_parts(native)
    add_values(native)
    add_cuts(native)
    add_driver(native)


def add_good(native: Any) -> None:
    """Streams that a driver writes."""
    native.strict("example", "the worked example of the page", GOOD, target=TARGET)
    native.strict("example-alone", "recognised by its first part, without a target", GOOD)
    stream = record(offered(), accepted(), THREE, STATUS, queue(0), queue(2), notify(2), notify(0))
    native.strict("queues", "queues in any order, each once", stream, target=TARGET)
    native.strict("sets", "a later set replaces an earlier one", GOOD + GOOD + GOOD, target=TARGET)
    native.strict("status-alone", "a set needs no more than its status", record(STATUS), SILENT, target=TARGET)
    wide = {"vendor": "virtio", "attributes": {"device_features": f"{1 << 65 | BITS:#x}"}}
    stream = record(offered(1 << 65 | BITS, 2), accepted(BITS, 4), STATUS)
    native.strict("wide-features", "more than 64 bits", stream, target=wide)
    comment, stream = "passed over; the source is known behind it", record(b"12345678", tag=1, flags=1) + GOOD
    native.strict("optional-first", comment, stream, SILENT, ("virtio.tag-optional", 12), target=TARGET)


def add_rules(native: Any) -> None:
    """What the stream says of its device, before targets."""
    other = {"vendor": "virtio", "attributes": {"device_features": BITS | 1}}
    native.strict("more-features", "the target offers more", GOOD, ("device_features.not-equal", 32), target=other)
    fewer = {"vendor": "virtio", "attributes": {"device_features": 1 << 32}}
    native.strict(
        "fewer-features",
        "the target offers less than what is in use",
        GOOD,
        ("device_features.not-equal", 32),
        ("driver_features.not-subset", 56),
        target=fewer,
    )
    stream = record(accepted(), STATUS)
    native.strict(
        "only-accepted",
        "without DEV_FEATURES those in use decide",
        stream,
        SILENT,
        ("driver_features.not-subset", 32),
        target=fewer,
    )
    bare = {"vendor": "virtio", "attributes": {}}
    native.strict(
        "target-silent",
        "the target must say what it offers",
        GOOD,
        ("device_features.not-in-profile", None),
        target=bare,
    )
    two = {"vendor": "virtio", "attributes": {"device_features": BITS, "num_queues": 2}}
    native.strict("queues-of-target", "known at the end of the set", GOOD, ("num_queues.not-at-least", 80), target=two)
    stream = GOOD + record(offered(0), STATUS)
    native.strict(
        "other-set",
        "a later set is of another device",
        stream,
        ("device_features.not-equal", 131),
        target=TARGET,
    )
    native.sealed(
        "sealed",
        "the envelope says what the stream does not: network or block",
        [pci_id(PCI_ID, 0x1AF4, 0x1041)],
        [GOOD[:5], GOOD[5:50], GOOD[50:]],
        (SILENT[0], None, False),
        payload_format="virtio",
        target={"vendor": "virtio", "attributes": {"pci_id": "1af4:1041", "device_features": BITS}},
    )
    native.sealed(
        "sealed-block",
        "a network device's stream for a block device",
        [pci_id(PCI_ID, 0x1AF4, 0x1041)],
        [GOOD],
        (SILENT[0], None, False),
        ("pci_id.not-equal", 32 + 14 + 8, False),
        payload_format="virtio",
        target={"vendor": "virtio", "attributes": {"pci_id": "1af4:1042", "device_features": BITS}},
    )


def add_records(native: Any) -> None:
    """What the header of a record can have that is wrong."""

    def wrong(name: str, comment: str, stream: bytes, *reasons: tuple[str, int]) -> None:
        native.strict(name, comment, stream, *reasons, format_="virtio")

    body = GOOD[16:]
    wrong(
        "size-0",
        "the driver hands the device nothing, or memory that is not its own",
        GOOD + record(),
        ("virtio.record-size", 99),
    )
    wrong("size-2p32", "one more than 32 bits say", record(body, size=1 << 32), ("virtio.record-size", 0))
    wrong("size-2p32-less-8", "with 8 more it wraps", record(body, size=(1 << 32) - 8), ("virtio.record-size", 0))
    wrong("size-15", "no part has room in 15 bytes", record(body[:15]), ("virtio.part-length", 16))
    wrong("tag-mlx5", "a tag of another vendor's", record(body, tag=1), ("virtio.tag", 12))
    for tag in (1, 7, (1 << 32) - 1):
        wrong(f"tag-{tag}", "not known, and not optional", GOOD + record(tag=tag), ("virtio.tag", 111))
        stream = GOOD + record(b"data", tag=tag, flags=1)
        wrong(f"tag-{tag}-optional", "not known, and passed over", stream, ("virtio.tag-optional", 111))
    for flags in (1, 2):
        wrong(f"flags-{flags}", "a set is not optional", record(body, flags=flags), ("virtio.flags", 8))
    stream = GOOD + record(tag=7, flags=5)
    wrong("tag-7-flags-5", "passed over, but for a flag that is not known", stream, ("virtio.flags", 107))


def add_parts(native: Any) -> None:
    """What the header of a part can have that is wrong."""

    def wrong(name: str, comment: str, stream: bytes, *reasons: tuple[str, int]) -> None:
        native.strict(name, comment, stream, *reasons, format_="virtio")

    for kind in (0, 0x106, 0x600):
        stream = record(offered(), part(kind, b"x"), STATUS)
        wrong(f"part-{kind:x}", "not known, and not optional", stream, ("virtio.part-type", 40))
        stream = record(offered(), part(kind, b"x", flags=1), STATUS)
        wrong(f"part-{kind:x}-optional", "not known, and passed over", stream, ("virtio.part-optional", 42))
    wrong(
        "part-empty",
        "an optional part of no bytes",
        record(part(0x600, b"", flags=1), STATUS),
        ("virtio.part-optional", 18),
    )
    stream = record(offered(), part(0x103, b"\x0f", flags=1))
    wrong("status-optional", "a part that the device may ignore", stream, ("virtio.part-optional", 42))
    wrong(
        "offered-mandatory", "DEV_FEATURES is always optional", record(offered(flags=0), STATUS), ("virtio.flags", 18)
    )
    wrong("part-flags-2", "a flag that is not known", record(offered(flags=3), STATUS), ("virtio.flags", 18))
    stream = record(offered(reserved=7), STATUS, queue(0, reserved=1), notify(0, reserved=1))
    reasons = (("virtio.reserved", 19), ("virtio.reserved", 79), ("virtio.reserved", 125))
    wrong("reserved", "what is reserved is zero", stream, *reasons)
    wrong(
        "reserved-alone", "the byte behind the flags", record(part(0x103, b"\0", reserved=255)), ("virtio.reserved", 19)
    )
    wrong("reserved-queue", "two bytes of a queue", record(STATUS, queue(0, reserved=65535)), ("virtio.reserved", 55))
    wrong(
        "selector-of-features",
        "features have no selector",
        record(offered(selector=5), STATUS),
        ("virtio.selector", 20),
    )
    wrong("selector-1", "no field begins at offset 1", record(common(1, b"\0"), STATUS), ("virtio.selector", 20))
    wrong("selector-64", "the configuration ends", record(common(64, bytes(4)), STATUS), ("virtio.selector", 20))
    wrong(
        "selector-high",
        "the half behind the offset is zero",
        record(common(1 << 32, bytes(4)), STATUS),
        ("virtio.selector", 20),
    )
    wrong("selector-queue", "an index has 16 bits", record(STATUS, queue(1 << 16)), ("virtio.selector", 37))
    wrong("order", "DEV_FEATURES comes first", record(accepted(), offered(), STATUS), ("virtio.order", 40))
    wrong("status-twice", "the status comes once", record(STATUS, STATUS), ("virtio.order", 33))
    wrong("field-twice", "a field comes once", record(THREE, THREE, STATUS), ("virtio.order", 34))
    wrong("queue-twice", "a queue comes once", record(STATUS, queue(1), queue(1)), ("virtio.order", 81))
    wrong("no-status", "the status is missing", record(offered(), accepted()), ("virtio.order", 64))
    wrong("queue-3-of-3", "the device has queues 0 to 2", record(THREE, STATUS, queue(3)), ("virtio.queue", 55))
    wrong("notify-alone", "a queue that is not configured", record(STATUS, notify(0)), ("virtio.queue", 37))
    wrong("queue-enabled-2", "neither on nor off", record(STATUS, queue(0, enabled=2)), ("virtio.queue", 53))
    wrong("status-2-bytes", "the status has one byte", record(part(0x103, b"\x0f\0")), ("virtio.part-length", 28))
    wrong(
        "features-7-bytes",
        "features have words",
        record(part(0x100, bytes(7), flags=1), STATUS),
        ("virtio.part-length", 28),
    )
    wrong(
        "features-40-bytes",
        "more features than are looked at",
        record(offered(0, 5), STATUS),
        ("virtio.part-length", 28),
    )
    wrong("field-4-for-2", "num_queues has two bytes", record(common(18, bytes(4)), STATUS), ("virtio.part-length", 28))
    wrong(
        "part-too-long",
        "longer than its record",
        record(part(0x600, b"", flags=1, length=99)),
        ("virtio.part-optional", 18),
        ("virtio.part-length", 28),
    )
    wrong("five-behind", "five bytes are no part", record(STATUS, bytes(5)), ("virtio.part-length", 33))


def add_values(native: Any) -> None:
    """Features that do not go together."""
    for name, one, other in (("bit-0", BITS, BITS | 1), ("none", 0, 1 << 32), ("high", BITS, 1 << 63)):
        stream = record(offered(one), accepted(other), STATUS)
        native.strict(
            f"features-{name}", "accepted, but not offered", stream, ("virtio.features", 56), format_="virtio"
        )


def add_cuts(native: Any) -> None:
    """Where nothing marks an end."""
    native.strict("cut-15", "inside the header", GOOD[:15], ("stream.truncated", 15), target=TARGET)
    native.strict("cut-63", "the features are not known yet", GOOD[:63], ("stream.truncated", 63), target=TARGET)
    for cut in (64, 79, 98):
        native.strict(f"cut-{cut}", "inside the set", GOOD[:cut], ("stream.truncated", cut), target=TARGET)
    native.strict(
        "zeros-15",
        "trailing zeros are a header that never ends",
        GOOD + bytes(15),
        ("stream.truncated", 114),
        format_="virtio",
    )
    stream = record(b"12345678", tag=1, flags=1)
    native.strict(
        "no-set",
        "only a record that is passed over",
        stream,
        ("virtio.tag-optional", 12),
        ("stream.truncated", 24),
        format_="virtio",
    )


def add_driver(native: Any) -> None:
    """What the driver does, recorded at 7.3.4: fixtures/virtio/acceptance.tsv."""

    def answer(name: str, comment: str, stream: bytes, writes: str, *refused: Any, **more: Any) -> None:
        at, errno, holds = refused or (None, None, None)
        step = "write" if errno else None
        native.driver(name, comment, stream, writes, target=TARGET, at=at, step=step, errno=errno, holds=holds, **more)

    answer("good", "a set is handed over when its last byte is there", GOOD, "whole")
    answer("good-each-1", "cuts make no difference", GOOD, "each:1")
    answer("parts", "nothing inside a set is looked at", record(bytes(40)), "whole")
    answer("cut", "a cut stream is taken", GOOD[:-2], "each:7")
    answer("tag", "tag 1 is mlx5's, and not known here", record(tag=1) + GOOD, "each:16", 0, "EOPNOTSUPP", "previous")
    answer("size", "tested before the tag", GOOD + record(tag=7, size=1 << 32), "split:99,110", 110, "ENOMEM", "part")
    answer(
        "size-wraps", "the header is taken; the bytes that came have room", record(b"x", size=(1 << 32) - 8), "whole"
    )
    answer("empty", "a set of 0 bytes waits for a byte", record(), "whole")
    answer("empty-first", "then the device gets a set of 0 bytes", record() + GOOD, "whole")
    long = record(bytes(4089)) + record()
    answer("long-empty-waits", "no byte is behind it", long, "whole")
    answer("long-empty", "the page behind the first may lie anywhere", long + b"\0", "whole", depends=True)
    answer("long-empty-each", "cuts make no difference", long + GOOD, "each:1000", depends=True)
    fits = record(bytes(4088)) + record() + GOOD
    answer("page-empty", "with 8 bytes of the driver's own it fills a page, and no more", fits, "whole")

"""Vectors of mlx5: records of firmware images. Expectations from `docs/vendors/mlx5.md`."""
# ruff: noqa: F821

from __future__ import annotations

from typing import Any

REASONS_OF_VENDOR = {
    "corrupt": "mlx5.record-size mlx5.flags mlx5.order mlx5.hint-max",
    "unrecognized": "mlx5.tag",
    "compatible": "mlx5.tag-optional mlx5.hint",
}
TARGET = {"vendor": "mlx5", "attributes": {"pci_id": "15b3:101e"}}
LINUX_6_1 = {"vendor": "mlx5", "attributes": {"driver_version": "6.1"}}
IMAGE, IMAGE_62 = "mlx5:layout=image", "mlx5:layout=records-6.2"


def record(tag: int, data: bytes = b"", flags: int = 0, size: int | None = None) -> bytes:
    """A record; its size is that of its data unless it is said."""
    return u64(len(data) if size is None else size) + u32(flags) + u32(tag) + data


def first(hint: int = 4096, **wrong: int) -> bytes:
    """The record that a stream begins with."""
    return record(wrong.pop("tag", 1), u64(hint), wrong.pop("flags", 1), **wrong)


def fw(data: bytes = b"\xde\xad\xbe\xef", **wrong: int) -> bytes:
    """A record with an image."""
    return record(0, data, **wrong)


GOOD = first() + fw()


def add(native: Any) -> None:
    """All of them."""
    add_good(native)
    add_headers(native)
    add_hints(native)
    add_layouts(native)
    add_cuts(native)
    add_ambiguous(native)
    add_driver(native)


def add_good(native: Any) -> None:
    """Streams that a driver writes."""
    native.strict("example", "the worked example of the page: nothing in it names its device", GOOD, target=TARGET)
    native.strict("example-alone", "recognised by its first record, without a target", GOOD)
    native.strict("increments", "pre-copy adds images", first() + fw() + fw(b"\1") + fw(bytes(70)), target=TARGET)
    native.strict("example-named", "a format that is named is taken without a look", GOOD, format_="mlx5")
    native.sealed(
        "sealed",
        "the envelope says what the stream does not: which device, which firmware",
        [pci_id(PCI_ID, 0x15B3, 0x101E), version(0x0100, 22, 36, 1010)],
        [GOOD[:7], GOOD[7:30], GOOD[30:]],
        payload_format="mlx5",
        target={"vendor": "mlx5", "attributes": {"pci_id": "15b3:101e", "firmware_version": "22.36.1010"}},
    )
    native.sealed(
        "sealed-other-firmware",
        "which versions take each other's images is not published: somebody has to vouch for it",
        [pci_id(PCI_ID, 0x15B3, 0x101E), version(0x0100, 22, 36, 1010)],
        [GOOD],
        ("firmware_version.needs-assertion", 116, False),
        payload_format="mlx5",
        target={"vendor": "mlx5", "attributes": {"pci_id": "15b3:101e", "firmware_version": "22.40.0"}},
    )


def add_headers(native: Any) -> None:
    """What a header can have that is wrong."""

    def wrong(name: str, comment: str, stream: bytes, *reasons: tuple[str, int]) -> None:
        native.strict(name, comment, stream, *reasons, format_="mlx5")

    wrong(
        "size-2p32",
        "the record is one byte longer than 32 bits say",
        first() + fw(size=1 << 32),
        ("mlx5.record-size", 24),
    )
    wrong("size-max", "all ones", first() + fw(size=(1 << 64) - 1), ("mlx5.record-size", 24))
    wrong(
        "size-2p32-less-1",
        "the longest record, of which four bytes came",
        first() + fw(size=(1 << 32) - 1),
        ("stream.truncated", 44),
    )
    wrong(
        "size-0",
        "the driver loads an image of 0 bytes when a later byte comes",
        first() + fw(b"") + fw(),
        ("mlx5.record-size", 24),
    )
    wrong(
        "size-before-tag",
        "the size is tested before the tag",
        first() + record(7, size=1 << 32),
        ("mlx5.record-size", 24),
    )
    for size in (7, 9):
        stream = record(1, bytes(size), 1) + fw()
        wrong(f"hint-size-{size}", "the hint has eight bytes", stream, ("mlx5.record-size", 0))
    for flags in (1, 2, 1 << 31):
        wrong(f"fw-flags-{flags}", "an image is not optional", first() + fw(flags=flags), ("mlx5.flags", 32))
    for flags in (0, 3):
        wrong(
            f"hint-flags-{flags}",
            "the hint is optional, and nothing else",
            first(flags=flags) + fw(),
            ("mlx5.flags", 8),
        )
    for tag in (2, 7, (1 << 32) - 1):
        wrong(f"tag-{tag}", "not known, and not optional", first() + record(tag, b"data") + fw(), ("mlx5.tag", 36))
        stream = first() + record(tag, b"data", 1) + fw()
        wrong(f"tag-{tag}-optional", "not known, and passed over", stream, ("mlx5.tag-optional", 36))
    stream = first() + record(7, flags=3) + fw()
    wrong("tag-7-flags-3", "passed over, but for a flag that is not known", stream, ("mlx5.flags", 32))
    wrong("no-hint", "the first record is missing", fw(), ("mlx5.order", 12))
    wrong("hint-twice", "the hint comes again", first() + first() + fw(), ("mlx5.order", 36))
    wrong("hint-last", "the hint comes behind the image", fw() + first(), ("mlx5.order", 12))
    stream = record(7, b"x", 1) + GOOD
    wrong("optional-first", "nothing comes before the hint", stream, ("mlx5.tag-optional", 12), ("mlx5.order", 12))
    stream = first(0) + record(7, flags=1) + fw(flags=4)
    reasons = (("mlx5.hint", 16), ("mlx5.tag-optional", 36), ("mlx5.flags", 48))
    wrong("notes-then-error", "notes that were found before stay", stream, *reasons)


def add_hints(native: Any) -> None:
    """The size that the source set aside."""
    top = (1 << 32) - 4096
    for hint in (0, 1, 4095):
        name, comment = f"hint-{hint}", "no positive multiple of a page: the driver makes room all the same"
        native.strict(name, comment, first(hint) + fw(), ("mlx5.hint", 16), target=TARGET)
    native.strict(f"hint-{top}", "the most that a source sets aside", first(top) + fw())
    for hint in (top + 1, 1 << 32, (1 << 64) - 1):
        native.strict(f"hint-{hint}", "more than a source can set aside", first(hint) + fw(), ("mlx5.hint-max", 16))


def add_layouts(native: Any) -> None:
    """What older kernels wrote."""
    raw = bytes(range(40))
    native.strict("image", "one image and no record", raw, format_=IMAGE)
    native.strict("image-by-target", "a driver before 6.2 knows no records", raw, target=LINUX_6_1)
    native.strict("image-empty", "an image of no bytes", b"", ("stream.truncated", 0), format_=IMAGE)
    native.strict("image-as-records", "the first eight bytes are no size", raw, ("mlx5.record-size", 0), target=TARGET)
    native.strict("linux-6.2", "images alone", fw() + fw(b"\1"), format_=IMAGE_62)
    stream = fw() + record(1, u64(4096), 1)
    native.strict(
        "linux-6.2-hint", "the hint came later: passed over", stream, ("mlx5.tag-optional", 32), format_=IMAGE_62
    )
    native.strict("linux-6.2-empty", "no image", b"", ("stream.truncated", 0), format_=IMAGE_62)
    named = {"vendor": "mlx5", "attributes": {"driver_version": "6.2"}}
    native.strict("linux-6.2-target", "the target's version settles nothing from 6.2 on", GOOD, target=named)


def add_cuts(native: Any) -> None:
    """Where nothing marks an end."""
    native.strict("cut-15", "inside the first header", GOOD[:15], ("magic.truncated", 15), target=TARGET)
    for cut in (16, 23, 39, 43):
        native.strict(f"cut-{cut}", "inside a record", GOOD[:cut], ("stream.truncated", cut), target=TARGET)
    native.strict("cut-24", "behind the hint: there is no image", GOOD[:24], ("stream.truncated", 24), target=TARGET)
    native.strict("cut-between", "between two images nobody can see a cut", GOOD, target=TARGET)
    native.strict(
        "zeros-15",
        "trailing zeros are a header that never ends",
        GOOD + bytes(15),
        ("stream.truncated", 59),
        format_="mlx5",
    )
    native.strict("zeros-16", "or a record of 0 bytes", GOOD + bytes(16), ("mlx5.record-size", 44), format_="mlx5")


def add_ambiguous(native: Any) -> None:
    """Streams that begin as those of two vendors do."""
    part = struct.pack("<HBBQI", 0x100, 1, 0, 0, 8) + u64(1 << 32) + struct.pack("<HBBQI", 0x103, 0, 0, 0, 1) + b"\x0f"
    stream = first() + fw(part)
    both = (("format.candidate", 0), ("format.candidate", 0), ("format.ambiguous", 0))
    native.strict("or-virtio", "an image that begins with a device part: who knows", stream, *both)
    native.strict("or-virtio-target", "the target's vendor decides", stream, target=TARGET)
    native.strict("or-virtio-named", "so does a name", stream, format_="mlx5")
    native.strict("or-virtio-cut", "what follows makes no difference", stream[:60], *both)
    native.strict("or-virtio-and-more", "what follows makes no difference", stream + bytes(5), *both)


def add_driver(native: Any) -> None:
    """What the driver does, recorded at 7.3.4: fixtures/mlx5/acceptance.tsv."""

    def answer(name: str, comment: str, stream: bytes, writes: str, *refused: Any, **more: Any) -> None:
        at, errno, holds = refused or (None, None, None)
        step = "write" if errno else None
        native.driver(name, comment, stream, writes, target=TARGET, at=at, step=step, errno=errno, holds=holds, **more)

    answer("good", "an image is loaded when its last byte is there", GOOD, "whole")
    answer("good-each-1", "cuts make no difference", GOOD, "each:1")
    answer("cut", "a cut stream is taken", GOOD[:-2], "whole")
    answer("nothing", "so is an empty one", b"", "whole")
    answer("tag", "a tag that it does not know", first() + record(7) + fw(), "each:16", 32, "EOPNOTSUPP", "previous")
    answer("tag-behind", "the image before was loaded", GOOD + record(7), "split:44", 44, "EOPNOTSUPP", "part")
    answer("size", "tested before the tag", first() + record(7, size=1 << 32), "each:8", 32, "ENOMEM", "previous")
    answer("flags", "flags of tags that it knows are not looked at", first(flags=0) + fw(flags=1 << 31), "whole")
    answer("zeros-16", "a record of 0 bytes waits for a byte", GOOD + bytes(16), "whole")
    answer("empty-image-first", "with no buffer the mapping fails", fw(b"") + fw(), "each:16", 16, "EINVAL", "previous")
    answer("empty-image-behind", "with one it is loaded", GOOD + fw(b"") + fw(), "whole")
    answer("image", "the driver before records takes any bytes", bytes(100), "whole", format_=IMAGE)
    answer("image-empty", "nobody ran it without any", b"", "whole", format_=IMAGE, depends=True)

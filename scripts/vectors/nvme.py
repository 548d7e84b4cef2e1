"""nvme: the states that can be read, and those that are refused. `docs/vendors/nvme.md`.

Run by `scripts/make_vectors.py`, whose helpers it sees by name.
"""
# ruff: noqa: F821

from __future__ import annotations

from typing import Any

REASONS_OF_VENDOR = {
    "compatible": "nvme.reserved nvme.empty nvme.entry-size",
    "corrupt": (
        "nvme.not-suspended nvme.sizes nvme.queue-counts nvme.queue-base nvme.queue-size nvme.queue-id "
        "nvme.queue-index nvme.completion-queue"
    ),
    "unrecognized": "nvme.version nvme.vendor-part nvme.spdk-image nvme.ipu-blob",
}
UUID = "0b6ff1d2-6f0c-4f0e-8d39-5c4f6c7f4f11"
STANDARD, RFC, GIVEN = "nvme-2.1", "nvme-rfc-2025", ":vendor-part=given"
# What no state says, and every target asks.
LACKING = [("pci_id.absent", None), ("driver_version.absent", None)]


def target(layout: str = "nvme-2.1", **attributes: Any) -> dict[str, Any]:
    """A target; what a state does not say of its source is unknown before it."""
    identity = {"pci_id": "8086:1457", "driver_version": "1.2.0"}
    stated = {**identity, "hmlms": True, "state_layout": layout, "state_formats": {"1": "0"}, **attributes}
    return {"vendor": "nvme", "attributes": stated}


def submission(qid: int = 1, cqid: int = 1, size: int = 1023, attr: int = 1, **other: int) -> bytes:
    """A submission queue."""
    words = (size, qid, cqid, attr, other.get("head", 16), other.get("tail", 18))
    return u64(other.get("base", 0x1_2345_6000)) + b"".join(map(u16, words)) + u32(other.get("reserved", 0))


def completion(qid: int = 1, size: int = 1023, attr: int = 7, **other: int) -> bytes:
    """A completion queue of 24 bytes."""
    words = (size, qid, other.get("head", 16), other.get("tail", 16), attr, other.get("vector", 1))
    return u64(other.get("base", 0x1_2345_A000)) + b"".join(map(u16, words)) + u32(other.get("reserved", 0))


def part(submissions: list[bytes], completions: list[bytes], *, version: int = 0, reserved: int = 0) -> bytes:
    """The NVMe part."""
    counts = (version, len(submissions), len(completions), reserved)
    return b"".join([*map(u16, counts), *submissions, *completions])


def standard(inner: bytes, vendor: bytes = b"", *, attributes: int = 1, more: bytes = bytes(13)) -> bytes:
    """A state in the standard's layout."""
    sizes = b"".join(u64(len(one) // 4) + u64(0) for one in (inner, vendor))
    return u16(0) + bytes([attributes]) + more + sizes + inner + vendor


def rfc(inner: bytes, vendor: bytes = b"", *, attributes: int = 1) -> bytes:
    """A state in the layout of the RFC."""
    return u16(0) + bytes([attributes]) + bytes(13) + u16(len(inner) // 4) + u16(len(vendor) // 4) + inner + vendor


ONE = part([submission()], [completion()])
GOOD, OLD = standard(ONE), rfc(ONE)
TWO = [submission(), submission(2, 2)]
# 22 bytes each: without a vector.
SHORT = [completion(qid, vector=0)[:22] for qid in (1, 2, 3)]
ENTRY = ("nvme.entry-size", 68)


def add(native: Any) -> None:
    """All of them."""
    add_headers(native)
    add_queues(native)
    add_rfc(native)
    add_refused(native)
    add_targets(native)
    add_sealed(native)


def add_headers(native: Any) -> None:
    """The standard's headers."""
    assert len(GOOD) == 104
    native.strict("standard", "the worked example: a queue each way", GOOD)
    native.strict("standard-named", "the same under its name", GOOD, format_=STANDARD)
    native.strict("standard-no-queues", "a controller without I/O queues", standard(part([], [])))
    for length in (1, 47):
        cut = ("magic.truncated", length)
        native.strict(f"standard-cut-{length}", "agrees with two layouts so far", GOOD[:length], cut, flags="Truncated")
        cut = ("stream.truncated", length)
        native.strict(f"standard-named-cut-{length}", "named", GOOD[:length], cut, format_=STANDARD, flags="Truncated")
    for length in (48, 55, 56, 79, 80, 103):
        cut = ("stream.truncated", length)
        native.strict(
            f"standard-cut-{length}", "an end in or behind a structure", GOOD[:length], cut, flags="Truncated"
        )
    native.strict("standard-trailing", "one byte more", GOOD + b"\0", ("stream.trailing", 104), flags="Trailing")
    native.strict("standard-twice", "two states", GOOD + GOOD, ("stream.trailing", 104), flags="Trailing")
    native.strict("version", "of the header", changed(GOOD, 0, 1), ("nvme.version", 0), format_=STANDARD)
    native.strict("version-high", "the other byte", changed(GOOD, 1, 1), ("nvme.version", 0), format_=STANDARD)
    native.strict("state-version", "of the NVMe part", changed(GOOD, 48, 1), ("nvme.version", 48))
    both = changed(changed(GOOD, 0, 1), 2, 0)
    native.strict("version-first", "and running", both, ("nvme.version", 0), format_=STANDARD, flags="MultipleErrors")
    running = ("nvme.not-suspended", 2)
    native.strict("not-suspended", "the controller ran while its state was fetched", changed(GOOD, 2, 0), running)
    native.strict("not-suspended-bits", "the bits beside", changed(GOOD, 2, 0xFE), running, format_=STANDARD)
    for at, value, what in (
        (16, 13, "one dword less"),
        (16, 15, "one more"),
        (18, 0x40, "above all queues"),
        (24, 1, "2^64"),
    ):
        size = ("nvme.sizes", 16)
        native.strict(f"size-{at}-{value}", what, changed(GOOD, at, value), size, format_=STANDARD, flags="Boundary")
    native.strict("size-first", "before the end of the input", changed(GOOD, 16, 13)[:50], ("nvme.sizes", 16))
    most = changed(GOOD, 34, 0x40)
    native.strict(
        "vendor-size-most", "16 MiB", most, ("stream.truncated", 104), format_=STANDARD + GIVEN, flags="Boundary"
    )
    beyond = ("nvme.sizes", 32)
    native.strict(
        "vendor-size-beyond", "and a dword", changed(most, 32, 1), beyond, format_=STANDARD + GIVEN, flags="Boundary"
    )
    native.strict("vendor-size-high", "the upper half", changed(GOOD, 40, 1), beyond, format_=STANDARD + GIVEN)
    for at, value in ((50, 2), (50, 0), (52, 2), (53, 1)):
        counts = ("nvme.queue-counts", 50)
        native.strict(f"counts-{at}-{value}", "do not come to 56 bytes", changed(GOOD, at, value), counts)
    shifted = changed(changed(GOOD, 50, 2), 52, 0)
    native.strict("counts-shifted", "two one way are as long as one each way", shifted, ("nvme.queue-id", 90))
    vendor = standard(ONE, b"1234")
    unnamed = ("nvme.vendor-part", 32)
    native.strict("vendor-part", "nothing says whose format it has", vendor, unnamed)
    native.strict(
        "vendor-part-none", "it is said to have none", vendor, unnamed, format_=STANDARD + ":vendor-part=none"
    )
    native.strict("vendor-part-given", "somebody knows", vendor, format_=STANDARD + GIVEN)
    native.strict("vendor-part-alone", "no NVMe part", standard(b"", b"1234"), format_=STANDARD + GIVEN)
    counts = ("nvme.queue-counts", 50)
    native.strict("vendor-part-last", "the counts come first", changed(vendor, 50, 2), counts, flags="MultipleErrors")
    empty = ("nvme.empty", 16)
    native.strict("empty", "neither part", standard(b""), empty, format_=STANDARD)
    native.strict("empty-unnamed", "nothing speaks for it", standard(b""), ("magic.unrecognized", 0))
    notes = [("nvme.reserved", 2), ("nvme.reserved", 3)]
    noted = standard(b"", attributes=0x81, more=b"\1" + bytes(12))
    native.strict("empty-reserved", "all notes of a header", noted, *notes, empty, format_=STANDARD)
    native.strict("state-reserved", "behind the counts", changed(GOOD, 55, 0x80), ("nvme.reserved", 54))


def add_queues(native: Any) -> None:
    """What a queue can have; the second of two each way stands at 80 and 128."""

    def of(one: bytes, other: bytes) -> bytes:
        return standard(part([submission(), one], [completion(), other]))

    good, end = submission(2), completion(2)
    for name, comment, data, at in (
        ("queue-base-0", "no address", of(submission(2, base=0), end), 80),
        ("queue-base-4095", "no page's", of(good, completion(2, base=4095)), 128),
        ("queue-base-2048", "half a page", of(submission(2, base=0x800), end), 80),
    ):
        native.strict(name, comment, data, ("nvme.queue-base", at))
    tiny = {"size": 0, "head": 0, "tail": 0}
    size = ("nvme.queue-size", 88)
    native.strict("queue-size-1", "one entry", of(submission(2, **tiny), end), size)
    native.strict(
        "queue-size-1-completion", "the other kind", of(good, completion(2, **tiny)), ("nvme.queue-size", 136)
    )
    native.strict("queue-size-first", "before its index", of(submission(2, size=0), end), size, flags="MultipleErrors")
    least = of(submission(2, size=1, head=1, tail=0), completion(2, size=1, head=0, tail=1))
    native.strict("queue-size-2", "two entries", least, flags="Boundary")
    native.strict("queue-id-0", "the admin queue's", of(submission(0), end), ("nvme.queue-id", 90))
    native.strict("queue-id-twice", "both are 1", of(good, completion(1)), ("nvme.queue-id", 138))
    falling = standard(part([submission(2), submission(1)], [completion()]))
    native.strict("queue-id-falling", "2, then 1", falling, ("nvme.queue-id", 90))
    native.strict("queue-id-gap", "1 and 65535", of(submission(0xFFFF), completion(0xFFFF)), flags="Boundary")
    for name, one, other, at in (
        ("sq-head", submission(2, head=1024), end, 96),
        ("sq-tail", submission(2, tail=1024), end, 98),
        ("cq-head", good, completion(2, head=1024), 140),
        ("cq-tail", good, completion(2, tail=0xFFFF), 142),
    ):
        native.strict(
            f"queue-index-{name}", "outside its queue", of(one, other), ("nvme.queue-index", at), flags="Boundary"
        )
    native.strict("queue-index-last", "the last entry", of(submission(2, head=1023, tail=1023), end), flags="Boundary")
    for name, cqid in (("0", 0), ("3", 3), ("65535", 0xFFFF)):
        missing = ("nvme.completion-queue", 92)
        native.strict(f"completion-queue-{name}", "not there", of(submission(2, cqid), end), missing)
    first = of(submission(2, 9), completion(2, head=1024))
    native.strict(
        "completion-queue-later", "known when all are read", first, ("nvme.queue-index", 140), flags="MultipleErrors"
    )
    notes = [("nvme.reserved", at) for at in (94, 100, 144, 148)]
    noted = of(submission(2, attr=0x19, reserved=1), completion(2, attr=0x17, reserved=1 << 31))
    native.strict("queue-reserved", "bits and fields of both kinds", noted, *notes)


def add_rfc(native: Any) -> None:
    """The layout of the RFC."""
    assert len(OLD) == 76
    native.strict("rfc", "the worked example: 22 bytes or 24 cannot be told", OLD, ENTRY)
    native.strict("rfc-named", "the same under its name", OLD, ENTRY, format_=RFC)
    native.strict("rfc-24", "two queues of 24 bytes", rfc(part(TWO, [completion(), completion(2)])))
    native.strict("rfc-22", "two queues of 22 bytes", rfc(part(TWO, SHORT[:2])))
    three = part(TWO, SHORT)
    native.strict("rfc-22-filled", "three, and two bytes to the end of a dword", rfc(three + bytes(2)))
    native.strict("rfc-22-filling", "which are not zero", rfc(three + b"\0\1"), ("nvme.reserved", 142))
    native.strict(
        "rfc-22-cut", "a cut between them", rfc(three + b"\1\1")[:-1], ("stream.truncated", 143), flags="Truncated"
    )
    native.strict("rfc-no-queues", "28 bytes", rfc(part([], [])))
    native.strict("rfc-cut", "the last byte", OLD[:-1], ("stream.truncated", 75), flags="Truncated")
    for length in (19, 27):
        cut = ("stream.truncated", length)
        native.strict(f"rfc-cut-{length}", "in a header", OLD[:length], cut, format_=RFC, flags="Truncated")
    native.strict("rfc-trailing", "one byte more", OLD + b"\0", ENTRY, ("stream.trailing", 76), flags="Trailing")
    native.strict("rfc-version", "of the header", changed(OLD, 0, 1), ("nvme.version", 0), format_=RFC)
    native.strict("rfc-state-version", "of the NVMe part", changed(OLD, 21, 1), ("nvme.version", 20), format_=RFC)
    native.strict("rfc-not-suspended", "as the standard's", changed(OLD, 2, 0), ("nvme.not-suspended", 2))
    native.strict("rfc-size-1", "no room for the counts", changed(OLD, 16, 1), ("nvme.sizes", 16), format_=RFC)
    native.strict(
        "rfc-size-1025", "above its limit", changed(changed(OLD, 16, 1), 17, 4), ("nvme.sizes", 16), format_=RFC
    )
    native.strict("rfc-counts", "two submission queues", changed(OLD, 22, 2), ("nvme.queue-counts", 22), format_=RFC)
    missing = ("nvme.completion-queue", 40)
    native.strict("rfc-completion-queue", "queue 2 is not there", changed(OLD, 40, 2), ENTRY, missing)
    vendor = rfc(ONE, b"1234")
    native.strict("rfc-vendor-part", "nothing says whose", vendor, ("nvme.vendor-part", 18))
    native.strict("rfc-vendor-part-given", "somebody knows", vendor, ENTRY, format_=RFC + GIVEN)
    native.strict("rfc-empty", "neither part", rfc(b""), ("nvme.empty", 16), format_=RFC)
    # One read as the other.
    native.strict("standard-as-rfc", "no queues behind 20 bytes", GOOD, ("nvme.queue-counts", 22), format_=RFC)
    native.strict("rfc-as-standard", "counts of queues in a size", OLD, ("nvme.sizes", 16), format_=STANDARD)
    # What both can be: the counts are 0, and the vendor's part is, too.
    candidates = [("format.candidate", 0)] * 2
    either = rfc(part([], []), bytes(64))
    native.strict("either", "fits two layouts", either, ("format.ambiguous", 0), *candidates)
    native.strict("either-target", "of one vendor", either, ("format.ambiguous", 0), *candidates, target=target())
    longer = rfc(part([], []), bytes(68))
    native.strict("either-longer", "4 bytes more", longer, ("format.ambiguous", 0), *candidates)
    native.strict("either-named", "the name settles it", either, format_=RFC + GIVEN)


def add_refused(native: Any) -> None:
    """SPDK's image and the blob."""
    image = bytes.fromhex("23bcedaf") + bytes(12) + u64(0x2070) + bytes(72)
    spdk, blob = ("nvme.spdk-image", 0), ("nvme.ipu-blob", 0)
    native.strict("spdk", "the beginning of an image", image, spdk)
    native.strict("spdk-magic", "its magic alone", image[:4], spdk)
    native.strict("spdk-target", "whatever the target is", image, spdk, target=target())
    native.strict("spdk-cut", "three bytes of it", image[:3], ("magic.truncated", 3), flags="Truncated")
    opaque = bytes(range(1, 41))
    native.strict("blob", "what is left for an nvme target", opaque, blob, target=target())
    native.strict("blob-named", "named", opaque, blob, format_="nvme-ipu-2022")
    native.strict("blob-no-target", "nothing speaks for it", opaque, ("magic.unrecognized", 0))
    damaged = changed(GOOD, 3, 1)
    native.strict(
        "blob-damaged", "a state whose reserved bytes are damaged is not recognised", damaged, blob, target=target()
    )
    native.strict("damaged-named", "named, it is read", damaged, ("nvme.reserved", 3), format_=STANDARD)


def add_targets(native: Any) -> None:
    """What a state says, held against targets."""
    rules = {"flags": "Rule"}
    native.strict(
        "target", "all that a state says", GOOD, *LACKING, target=target(max_io_queues=1, max_queue_entries=1024)
    )
    wrong = ("state_layout.not-equal", None)
    native.strict("target-layout", "the other layout", GOOD, *LACKING, wrong, target=target("rfc-2025"), **rules)
    versions = ("state_version.not-one-of", 48)
    other = target(state_formats={"1": "1"})
    native.strict("target-version", "lists another version", GOOD, *LACKING, versions, target=other, **rules)
    few = ("queue_entries.not-at-least", 64)
    native.strict(
        "target-entries", "shorter queues", GOOD, *LACKING, few, target=target(max_queue_entries=1023), **rules
    )
    queues = ("io_queues.not-at-least", 50)
    wide = standard(part(TWO, [completion(), completion(2)]))
    native.strict("target-queues", "fewer queues", wide, *LACKING, queues, target=target(max_io_queues=1), **rules)
    scattered = standard(part([submission(attr=0)], [completion()]))
    excluded = ("contiguous_queues.excluded-pair", 70)
    demanding = target(contiguous_queues=True)
    native.strict("target-contiguous", "a queue is not", scattered, *LACKING, excluded, target=demanding, **rules)
    native.strict(
        "target-vendor-part",
        "the target says whose",
        standard(ONE, b"1234"),
        *LACKING,
        target=target(vendor_format=UUID),
    )
    unlisted = ("queue_entries.not-at-least", 36)
    old = target("rfc-2025", max_queue_entries=512)
    del old["attributes"]["hmlms"]
    native.strict(
        "target-rfc",
        "as the other layout",
        OLD,
        *LACKING,
        ("hmlms.absent", None),
        ENTRY,
        unlisted,
        target=old,
        **rules,
    )


def add_sealed(native: Any) -> None:
    """Inside an envelope."""
    named = {"payload_format": STANDARD}
    native.sealed("sealed", "cut in a queue", [text(0x8103, "nvme-2.1")], [GOOD[:60], GOOD[60:]], **named)
    vendor = standard(ONE, b"12345678")
    native.sealed(
        "sealed-vendor-part", "the header has its UUID", [text(0x8107, UUID)], [vendor[:108], vendor[108:]], **named
    )
    unnamed = ("nvme.vendor-part", 32, True)
    native.sealed("sealed-no-vendor-part", "the header says none", [text(0x8107, "none")], [vendor], unnamed, **named)
    header = [text(0x8103, "nvme-2.1"), uint(0x010C, 2)]
    at = Sealed(sealed_header(*header, payload_format=STANDARD, vendor=text(0x8001, "nvme"))).of(0x010C)
    against = ("profile.contradicts-payload", at, False, "0x010c")
    native.sealed(
        "sealed-contradicts", "the header counts 2", header, [GOOD], against, **named, flags="ContradictoryPayload"
    )
    native.sealed(
        "sealed-rfc",
        "the other layout",
        [text(0x8103, "rfc-2025")],
        [OLD],
        ("nvme.entry-size", 68, True),
        payload_format=RFC,
    )
    native.sealed(
        "sealed-spdk",
        "refused in an envelope, too",
        [text(0x8103, "spdk")],
        [bytes(8)],
        ("nvme.spdk-image", 0, True),
        payload_format="nvme-spdk",
    )
    native.sealed(
        "sealed-blob",
        "refused by name",
        [text(0x8103, "ipu-2022")],
        [bytes(8)],
        ("nvme.ipu-blob", 0, True),
        payload_format="nvme-ipu-2022",
    )

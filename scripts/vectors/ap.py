"""Vectors of the stream that is proposed for vfio-ap. `docs/vendors/ap.md`."""
# ruff: noqa: F821  # what make_vectors.py gives

from __future__ import annotations

import struct
from typing import Any

REASONS_OF_VENDOR = {
    "compatible": "ap.queues-not-listed ap.reserved",
    "corrupt": "ap.num-queues ap.secure-binding ap.queue-twice",
    "unrecognized": "ap.byte-order ap.version",
}

CCA, ACCELERATOR = 0xB2800000, 0xAA800000


def queue(number: int, word: int = CCA, kind: int = 14, reserved: bytes = bytes(6)) -> bytes:
    """A queue: its number is card and domain."""
    return struct.pack(">IB3xH6s", word, kind, number, reserved)


def stream(
    *queues: bytes, magic: bytes = b"vfap", version: int = 1, count: int | None = None, reserved: int = 0
) -> bytes:
    """A stream; control domains are 4 and 0xab."""
    domains = (1 << 255 - 4 | 1 << 255 - 0xAB).to_bytes(32, "big")
    number = len(queues) if count is None else count
    return magic + struct.pack(">III", version, number, reserved) + domains + b"".join(queues)


def both(word: int = CCA, kind: int = 14) -> tuple[bytes, bytes]:
    """Card 5, domains 4 and 0xab."""
    return queue(0x0504, word, kind), queue(0x05AB, word, kind)


EXAMPLE = stream(*both())


def target(word: int = CCA, kind: int = 14, mode: str = "cca") -> dict[str, Any]:
    """A target with the queues of the example, whose master keys an officer vouches for."""
    queues = ["05.0004", "05.00ab"]
    of_each = {"ap_type": str(kind), "mode": mode, "queue_facilities": f"0x{word:08x}"}
    attributes = {"apqns": queues, "control_domains": ["0004", "00ab"]}
    maps = {name: dict.fromkeys(queues, value) for name, value in of_each.items()}
    keys = {"attribute": "master_keys", "by": "key officer", "reason": "same smart cards"}
    return {"vendor": "ap", "attributes": attributes | maps, "assertions": [keys]}


def add(native: Any) -> None:
    """All of them."""
    strict = native.strict
    strict("example", "the example", EXAMPLE)

    # Header.
    strict("turned-magic", "written by a little-endian writer", stream(*both(), magic=b"pafv"), ("ap.byte-order", 0))
    strict("turned-magic-alone", "four bytes say it", b"pafv", ("ap.byte-order", 0))
    strict("turned-magic-cut", "they may become it", b"paf", ("magic.truncated", 3), flags="Truncated")
    turned = b"pafv" + struct.pack("<III", 1, 0, 0) + bytes(32)
    strict("turned-whole", "every number is turned round", turned, ("ap.byte-order", 0))
    strict(
        "other-magic-named", "another magic", stream(*both(), magic=b"vfaq"), ("magic.unrecognized", 0), format_="ap"
    )
    for version in (0, 2, 0x01000000):
        comment = "the only version that was proposed is 1"
        strict(f"version-{version}", comment, stream(*both(), version=version), ("ap.version", 4), flags="Boundary")
    strict(
        "queues-65536",
        "the most; they are not there",
        stream(*both(), count=65536),
        ("ap.queues-not-listed", 8),
        ("stream.truncated", 80),
        flags="Boundary Truncated",
    )
    for count in (65537, 0x80000000, 0xFFFFFFFF):
        strict(
            f"queues-{count}",
            "more than there can be",
            stream(*both(), count=count),
            ("ap.num-queues", 8),
            flags="Boundary",
        )
    strict("reserved", "reserved bytes are noted", stream(*both(), reserved=1 << 24), ("ap.reserved", 12))
    strict("no-queues", "none at all", stream(), flags="Boundary")

    # Cuts, and more.
    for length in (0, 1, 3):
        strict(
            f"cut-{length}", "the magic is not there", EXAMPLE[:length], ("magic.truncated", length), flags="Truncated"
        )
    for length in (4, 12, 47, 48, 63, 64, 79):
        strict(f"cut-{length}", "queues are missing", EXAMPLE[:length], ("stream.truncated", length), flags="Truncated")
    strict("queues-3-of-2", "it wants 96 bytes", stream(*both(), count=3), ("stream.truncated", 80), flags="Truncated")
    strict(
        "queues-1-of-2",
        "a queue more than it counts",
        stream(*both(), count=1),
        ("stream.trailing", 64),
        flags="Trailing",
    )
    strict("trailing", "a byte more", EXAMPLE + b"\0", ("stream.trailing", 80), flags="Trailing")

    # Queues.
    for bits, name in ((0x8000, "16"), (0x4000, "17"), (0xC000, "16-17")):
        strict(
            f"bit-{name}", "bound to a secure guest", stream(queue(1), queue(2, CCA | bits)), ("ap.secure-binding", 64)
        )
    for bits, name in ((0x10000, "15"), (0x2000, "18")):
        strict(f"bit-{name}", "the bit beside", stream(queue(1, CCA | bits)), flags="Boundary")
    strict("twice", "a queue twice", stream(queue(1), queue(1)), ("ap.queue-twice", 72))
    strict(
        "twice-apart",
        "with others between",
        stream(queue(1), queue(2), queue(0xFFFF), queue(2)),
        ("ap.queue-twice", 104),
    )
    first = stream(queue(1), queue(1, CCA | 0x8000), queue(1))
    strict("bit-before-twice", "of one queue the bits come first", first, ("ap.secure-binding", 64))
    strict(
        "reserved-in-queue",
        "reserved bytes are noted",
        stream(queue(1, reserved=b"\1" + bytes(5))),
        ("ap.reserved", 58),
    )
    notes = [("ap.reserved", 12), ("ap.reserved", 58), ("ap.reserved", 74)]
    strict(
        "reserved-all",
        "each of them",
        stream(queue(2, reserved=b"abcdef"), queue(1, reserved=bytes(5) + b"\1"), reserved=1),
        *notes,
    )
    many = [queue(number) for number in range(257)]
    strict("queues-256", "as many as an attribute holds", stream(*many[:256]), flags="Boundary")
    strict("queues-257", "one more: none is listed", stream(*many), ("ap.queues-not-listed", 8), flags="Boundary")
    again = stream(*many, many[7])
    strict(
        "queues-258-twice",
        "they are told apart all the same",
        again,
        ("ap.queues-not-listed", 8),
        ("ap.queue-twice", 48 + 257 * 16 + 8),
    )

    # Before a target.
    asserted = ("master_keys.asserted", None)
    strict("pair-same", "the same card", EXAMPLE, asserted, target=target())
    strict("pair-15", "a newer card", EXAMPLE, asserted, target=target(kind=15))
    strict("pair-13", "an older card", EXAMPLE, ("ap_type.not-at-least", 48), asserted, target=target(kind=13))
    mode = [("queue_facilities.not-equal", 48), ("mode.not-equal", 48)]
    strict("pair-accelerator", "another mode", EXAMPLE, *mode, asserted, target=target(ACCELERATOR, mode="accelerator"))
    strict("pair-native", "native is lost", EXAMPLE, mode[0], asserted, target=target(CCA & ~0x800000))
    strict("pair-not-native", "native is won", stream(*both(CCA & ~0x800000)), asserted, target=target())
    strict("pair-any-order", "queues in any order", stream(*both()[::-1]), asserted, target=target())
    strict(
        "pair-other-queue",
        "a queue that the target lacks",
        stream(queue(0x0505)),
        ("apqns.not-subset", 48),
        asserted,
        target=target(),
    )
    more = ("apqns.more-capacity", 48)
    strict("pair-one-queue", "the target has one more", stream(queue(0x0504)), more, asserted, target=target())
    unlisted = [(f"{name}.not-in-profile", None) for name in ("apqns", "queue_facilities", "ap_type", "mode")]
    strict(
        "pair-unlisted",
        "of unlisted queues nothing is known",
        stream(*many),
        *unlisted,
        asserted,
        ("ap.queues-not-listed", 8),
        target=target(),
    )
    native.sealed(
        "sealed",
        "the example in an envelope",
        [text(DEVICE_API, "vfio-ap")],
        [EXAMPLE[:50], EXAMPLE[50:]],
        payload_format="ap",
    )

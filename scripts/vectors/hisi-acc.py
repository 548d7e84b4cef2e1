"""Vectors of hisi-acc. `docs/vendors/hisi-acc.md`."""
# ruff: noqa: F821  # what make_vectors.py gives

from __future__ import annotations

from typing import Any

REASONS_OF_VENDOR = {
    "compatible": (
        "hisi-acc.reserved hisi-acc.register hisi-acc.old-address hisi-acc.alignment hisi-acc.not-loaded "
        "hisi-acc.match-only"
    ),
    "corrupt": "hisi-acc.dev-id hisi-acc.qp-num hisi-acc.vf-qm-state hisi-acc.address",
    "unrecognized": "hisi-acc.version",
}

V2 = bytes.fromhex("dedecadeedfeccaa")
V1 = bytes.fromhex("ccaaedfecdcdcdcd")
EQE, AEQE, SQC, CQC = 0x120000000, 0x120010000, 0x120020000, 0x120030000
ZIP: dict[str, Any] = {
    "vendor": "hisi-acc",
    "attributes": {"pci_id": "19e5:a251", "qp_num": 1, "que_iso_cfg": 0},
}


def match(
    magic: bytes = V2,
    *,
    queues: int = 1,
    device: int = 0xA251,
    isolation: int = 0,
    base: int = 16,
    state: int = 0,
    major: int | None = None,
    minor: int = 0,
    reserved: tuple[int, int] = (0, 0),
) -> bytes:
    """The match part."""
    version = u16(major if major is not None else int(magic == V2)) + u16(minor)
    words = b"".join(u32(word) for word in (queues, device, isolation, base, state))
    return magic + words + version + u32(reserved[0]) + u32(reserved[1])


def context(address: int, first: int = 0) -> bytes:
    """The context of an event queue."""
    return u32(first) + u64(address) + bytes(16)


def state(
    *,
    registers: tuple[int, ...] = (0, 0, 0, 0, 0, 0),
    contexts: tuple[int, int] = (EQE, AEQE),
    first: int = 0,
    reserved: tuple[int, ...] = (0, 0, 0, 0, 0, 0),
    addresses: tuple[int, ...] = (EQE, AEQE, SQC, CQC),
) -> bytes:
    """The state part."""
    return (
        b"".join(u32(word) for word in registers)
        + b"".join(context(address, first) for address in contexts)
        + b"".join(u32(word) for word in reserved)
        + b"".join(u64(address) for address in addresses)
    )


def old(address: int, first: int = 0) -> int:
    """The address as writers of V1 had it, from the words before."""
    return (address & 0xFFFFFFFF) << 32 | first


GOOD = match() + state()
OLD = match(V1) + state(addresses=(old(EQE), old(AEQE), SQC, CQC))


def add(native: Any) -> None:
    """The vectors."""
    add_match(native)
    add_state(native)
    add_rules(native)
    add_sealed(native)
    add_driver(native)


def add_match(native: Any) -> None:
    """Length, and what 40 bytes say."""
    note = "hisi-acc.reserved"
    native.strict("example", "the worked example: a ZIP function of one queue pair", GOOD, target=ZIP)
    native.strict("no-target", "the same with nothing to hold it against", GOOD)
    native.strict("not-ready", "a function that the guest has not set up", match(state=1), target=ZIP)
    native.strict("v1-not-ready", "the same, V1", match(V1, state=1), target=ZIP)
    only = ("hisi-acc.match-only", 40)
    native.strict("not-ready-precopy", "the same through pre-copy, or a cut", match(), only, target=ZIP)
    native.strict("v1-match-only", "a cut of V1", OLD[:40], only, target=ZIP)
    native.strict("match-only-no-target", "nothing to hold it against", match(queues=2), only)
    for length in (0, 7):
        why_cut = ("magic.truncated", length)
        native.strict(f"cut-{length}", "ends inside the magic", GOOD[:length], why_cut, target=ZIP, flags="Truncated")
    for length in (8, 39, 41, 175):
        cut = ("stream.truncated", length)
        native.strict(f"cut-{length}", "neither 40 bytes nor 176", GOOD[:length], cut, target=ZIP, flags="Truncated")
    native.strict("cut-100", "variant b of the example", GOOD[:100], ("stream.truncated", 100), target=ZIP)
    trailing = ("stream.trailing", 176)
    native.strict("long", "a byte behind the state part", GOOD + b"\0", trailing, target=ZIP, flags="Trailing")
    native.strict("twice", "two streams", GOOD + GOOD, trailing, target=ZIP, flags="Trailing")

    unknown = ("magic.unrecognized", 0)
    native.strict("magic", "a magic of neither version", match(V2[:7] + b"\xab") + state(), unknown, target=ZIP)
    native.strict("magic-swapped", "the magic of a big-endian host", V2[::-1] + GOOD[8:], unknown, target=ZIP)
    native.strict("magic-short", "40 bytes of another magic", match(bytes(8)), unknown, target=ZIP)
    version = ("hisi-acc.version", 28)
    native.strict("major-2", "variant a of the example", match(major=2) + state(), version, target=ZIP)
    native.strict("major-0", "no driver has written it", match(major=0) + state(), version, target=ZIP)
    native.strict("major-2-short", "the version is looked at first", match(major=2, queues=0), version, target=ZIP)
    minor = match(minor=1) + state()
    native.strict("minor-1", "the driver does not look at it", minor, (note, 30), target=ZIP)
    native.strict("minor-1-short", "of 40 bytes, too", match(minor=1, state=1), (note, 30), target=ZIP)
    for at, words in ((32, (1, 0)), (36, (0, 1 << 31))):
        stream = match(reserved=words) + state()
        native.strict(f"reserved-{at}", "a reserved word", stream, (note, at), target=ZIP)
    wide = ("hisi-acc.dev-id", 12)
    for device in (0x10000, 0x8000A251, 0xFFFFFFFF):
        stream = match(device=device) + state()
        native.strict(f"device-{device:x}", "no PCI device has this id", stream, wide, target=ZIP)
    native.strict("device-ffff-no-target", "the highest id", match(device=0xFFFF) + state())
    none = ("hisi-acc.qp-num", 8)
    native.strict("no-queue", "no queue pair", match(queues=0) + state(), none, target=ZIP)
    native.strict("no-queue-short", "no queue pair, 40 bytes", match(queues=0, state=1), none, target=ZIP)
    native.strict("no-queue-v1", "no queue pair, V1", match(V1, queues=0) + OLD[40:], none)
    wrong = ("hisi-acc.vf-qm-state", 24)
    native.strict("state-2", "no such state", match(state=2), wrong, target=ZIP)
    native.strict("state-max", "no such state", match(state=0xFFFFFFFF) + state(), wrong, target=ZIP)
    native.strict("state-1-whole", "not ready, and a state part", match(state=1) + state(), wrong, target=ZIP)
    native.strict("state-1-cut", "the length comes first", (match(state=1) + state())[:99], ("stream.truncated", 99))


def add_state(native: Any) -> None:
    """What the state part says."""
    note = "hisi-acc.register"
    for register in range(6):
        most = int(register != 4)
        for value in (most, most + 1):
            words = tuple(value if at == register else 0 for at in range(6))
            found = ((note, 40 + 4 * register),) if value > most else ()
            stream = match() + state(registers=words)
            name = f"register-{40 + 4 * register}-{value}"
            native.strict(name, "beside what was seen", stream, *found, target=ZIP, flags="Boundary")
    for word in range(6):
        words = tuple(1 if at == word else 0 for at in range(6))
        at = 120 + 4 * word
        stream = match() + state(reserved=words)
        native.strict(f"reserved-{at}", "a reserved word", stream, ("hisi-acc.reserved", at), target=ZIP)

    for name, addresses, contexts, at in (
        ("eqe", (EQE + 32, AEQE, SQC, CQC), (EQE, AEQE), 144),
        ("aeqe", (EQE, AEQE | 1 << 63, SQC, CQC), (EQE, AEQE), 152),
        ("eqc", (EQE, AEQE, SQC, CQC), (EQE | 1 << 33, AEQE), 144),
        ("v2-old-form", (old(EQE), AEQE, SQC, CQC), (EQE, AEQE), 144),
        ("eqe-zero", (0, AEQE, SQC, CQC), (EQE, AEQE), 144),
    ):
        stream = match() + state(addresses=addresses, contexts=contexts)
        comment = "the address is not that of the context"
        native.strict(f"address-{name}", comment, stream, ("hisi-acc.address", at), target=ZIP)
    odd = match(V1) + state(addresses=(EQE + 1, old(AEQE), SQC, CQC))
    native.strict("v1-address", "V1 in neither form", odd, ("hisi-acc.address", 144), target=ZIP)

    was = "hisi-acc.old-address"
    native.strict("v1", "as writers of V1 saved it", OLD, (was, 144), (was, 152), target=ZIP)
    native.strict("v1-right", "V1 with the right addresses", match(V1) + state(), target=ZIP)
    half = match(V1) + state(addresses=(EQE, old(AEQE), SQC, CQC))
    native.strict("v1-half", "V1, one address right", half, (was, 152), target=ZIP)
    low = state(first=0x9F76, addresses=(old(EQE, 0x9F76), old(AEQE, 0x9F76), SQC, CQC))
    native.strict("v1-word-0", "the first word is part of it", match(V1) + low, (was, 144), (was, 152), target=ZIP)
    marked = match(V1, major=9, minor=9) + OLD[40:]
    reserved = ("hisi-acc.reserved", 28)
    native.strict("v1-version", "V1 has no version", marked, reserved, (was, 144), (was, 152), target=ZIP)

    slanted = "hisi-acc.alignment"
    for name, addresses, contexts, at in (
        ("sqc", (EQE, AEQE, SQC + 31, CQC), (EQE, AEQE), 160),
        ("cqc", (EQE, AEQE, SQC, CQC + 1), (EQE, AEQE), 168),
        ("eqe", (EQE + 16, AEQE, SQC, CQC), (EQE + 16, AEQE), 144),
    ):
        stream = match() + state(addresses=addresses, contexts=contexts)
        native.strict(f"alignment-{name}", "no multiple of 32", stream, (slanted, at), target=ZIP)
    even = match() + state(addresses=(EQE, AEQE, SQC + 32, CQC))
    native.strict("alignment-32", "the next multiple of 32", even, target=ZIP, flags="Boundary")

    nothing = "hisi-acc.not-loaded"
    without = match() + state(addresses=(0, 0, 0, 0), contexts=(0, 0))
    native.strict("no-queues", "ready, without queues", without, (nothing, 144), target=ZIP)
    one = match() + state(addresses=(EQE, 0, SQC, 0), contexts=(EQE, 0))
    native.strict("two-addresses-zero", "it is told once", one, (nothing, 152), target=ZIP)
    last = match() + state(addresses=(EQE, AEQE, SQC, 0))
    native.strict("last-address-zero", "the last one", last, (nothing, 168), target=ZIP)


def add_rules(native: Any) -> None:
    """The rules."""

    def other(**stated: Any) -> dict[str, Any]:
        return {"vendor": "hisi-acc", "attributes": ZIP["attributes"] | stated}

    differs = "incompatible by one rule"
    for name, stated, attribute, at in (
        ("device", {"pci_id": "19e5:a256"}, "pci_id", 12),
        ("pci-vendor", {"pci_id": "1234:a251"}, "pci_id", 12),
        ("queues", {"qp_num": 2}, "qp_num", 8),
        ("isolation", {"que_iso_cfg": 0xFFFFFFFF}, "que_iso_cfg", 16),
    ):
        native.strict(f"other-{name}", differs, GOOD, (f"{attribute}.not-equal", at), target=other(**stated))
    before = ("stream_version.not-at-least", 0)
    native.strict("into-v1", "a target that knows V1 alone", GOOD, before, target=other(stream_version=1))
    native.strict("v1-into-v1", "V1 into it", match(V1) + state(), target=other(stream_version=1))
    sec = match(device=0xA256) + state()
    native.strict("sec-on-zip", "variant c of the example", sec, ("pci_id.not-equal", 12), target=ZIP)
    mtty = {"vendor": "mtty", "attributes": {"nr_ports": 1}}
    native.strict("other-vendor", "another vendor's target", GOOD, ("format.not-of-target", 0), target=mtty)


def add_sealed(native: Any) -> None:
    """Inside an envelope."""
    header = [pci_id(0x0004, 0x19E5, 0xA251), uint(0x8100, 1), uint(0x8101, 0), uint(0x8102, 2)]
    parts = [GOOD[:40], GOOD[40:]]
    native.sealed("sealed", "in two frames", header, parts, payload_format="hisi-acc", target=ZIP)
    cut = ("hisi-acc.match-only", 40, True)
    native.sealed("sealed-cut", "what was lost was lost before", header, parts[:1], cut, payload_format="hisi-acc")
    lies = [pci_id(0x0004, 0x19E5, 0xA251), uint(0x8100, 2), uint(0x8101, 0)]
    # Behind the prologue, the vendor, the PCI id, format, digest and stream id, and the head of the attribute.
    against = ("profile.contradicts-payload", 32 + 16 + 12 + 16 + 16 + 24 + 8, False, "qp_num")
    two = {"vendor": "hisi-acc", "attributes": ZIP["attributes"] | {"qp_num": 2}}
    native.sealed("sealed-lies", "the header counts 2", lies, parts, against, payload_format="hisi-acc", target=two)


def add_driver(native: Any) -> None:
    """What the kernel driver does."""
    good = {"target": ZIP}
    native.driver("whole", "one write", GOOD, "whole", **good)
    native.driver("each-1", "byte by byte", GOOD, "each:1", **good)
    native.driver("short", "40 bytes: nothing is loaded, and nothing said", GOOD[:40], "whole", **good)
    native.driver("v1-split-40", "loads the wrong addresses, and says nothing", OLD, "split:40", **good)
    native.driver("address", "not compared: strict refuses this", GOOD[:144] + bytes(32), "whole", **good)
    native.driver("state-2", "written into the device", match(state=2) + state(), "whole", **good)

    efault = {"step": "write", "errno": "EFAULT"}
    bad = match(bytes(8)) + state()
    native.driver("magic", "loaded all the same", bad, "whole", at=0, **efault, holds="input", **good)
    native.driver("magic-split", "the 40th byte", bad, "split:39,40", at=39, **efault, holds="input", **good)
    native.driver("magic-short", "nothing to load", bad[:40], "whole", at=0, **efault, holds="previous", **good)
    native.driver("major", "refused", match(major=2) + state(), "whole", at=0, **efault, holds="input", **good)
    native.driver("queues", "refused", match(queues=2) + state(), "whole", at=0, **efault, holds="input", **good)
    native.driver("device", "refused", match(device=0xA256) + state(), "whole", at=0, **efault, holds="input", **good)
    native.driver("isolation", "refused", match(isolation=1) + state(), "whole", at=0, **efault, holds="input", **good)
    change = {"step": "set_state", "errno": "EINVAL", "holds": "previous"}
    native.driver("cut-100", "noticed at the end", GOOD[:100], "whole", at=100, **change, **good)
    native.driver("empty", "no bytes", b"", "whole", at=0, **change, **good)
    past = {"step": "write", "errno": "ENOMEM"}
    native.driver("long", "nothing of it is taken", GOOD + b"\0", "whole", at=0, **past, holds="previous", **good)
    native.driver("long-split", "all but the rest", GOOD + b"\0", "split:176", at=176, **past, holds="input", **good)

    native.driver("again", "a sound stream loads whatever was before", GOOD, "whole", earlier="unknown", **good)
    native.driver("again-cut", "a length is a length", GOOD[:99], "whole", at=99, earlier="unknown", **change, **good)
    for name, stream, writes in (
        ("magic", bad, "whole"),
        ("device", match(device=0xA259) + state(), "split:40"),
        ("short", match(queues=3), "each:1"),
    ):
        comment = "refused, unless one matched before"
        native.driver(f"again-{name}", comment, stream, writes, depends=True, earlier="unknown", **good)

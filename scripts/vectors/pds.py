"""Vectors of pds. `docs/vendors/pds.md`."""
# ruff: noqa: F821  # what make_vectors.py gives

from __future__ import annotations

from typing import Any

REASONS_OF_VENDOR = {"compatible": "pds.length"}

SIZE = 65536
DSC: dict[str, Any] = {"vendor": "pds", "attributes": {"pci_id": "1dd8:1003"}}
ABSENT = ("pci_id.absent", None)


def add(native: Any) -> None:
    """The vectors."""
    native.strict("zeros", "the worked example", bytes(SIZE), ABSENT, target=DSC)
    for length in (1, 24, 64):
        found = ("pds.length", length)
        native.strict(f"short-{length}", "completed by the driver", bytes(length), ABSENT, found, target=DSC)
    native.strict(
        "bare-target",
        "a target that says its vendor only",
        b"\1" * 8,
        ABSENT,
        ("pds.length", 8),
        target={"vendor": "pds"},
    )
    native.strict("empty", "no bytes", b"", ("stream.truncated", 0), target=DSC, flags="Truncated")
    trailing = ("stream.trailing", SIZE)
    native.strict(
        "long", "a byte more than the driver's buffer", bytes(SIZE + 1), ABSENT, trailing, target=DSC, flags="Trailing"
    )
    native.strict("no-target", "nothing says that it is one", bytes(64), ("magic.unrecognized", 0))
    mtty = {"vendor": "mtty", "attributes": {"nr_ports": 1}}
    native.strict("other-target", "another vendor's target", bytes(64), ("magic.unrecognized", 0), target=mtty)

    header = [pci_id(0x0004, 0x1DD8, 0x1003)]
    short = ("pds.length", 3, True)
    native.sealed("sealed", "an envelope says what it is", header, [b"abc"], short, payload_format="pds", target=DSC)
    other = {"vendor": "pds", "attributes": {"pci_id": "1dd8:1004"}}
    # Behind the prologue, the vendor (8 and 3 bytes) and the head of the attribute.
    sealed = ("pci_id.not-equal", 32 + 11 + 8, False)
    native.sealed("sealed-other", "and whose", header, [b"abc"], sealed, short, payload_format="pds", target=other)
    empty = ("stream.truncated", 0, True)
    native.sealed("sealed-empty", "no bytes in it", header, [], empty, payload_format="pds", target=DSC)

    native.driver("whole", "whatever it is", bytes(64), "whole", target=DSC)
    native.driver("empty", "64 KiB of zeros", b"", "whole", target=DSC)
    refused = {"step": "write", "errno": "EINVAL", "holds": "part"}
    native.driver(
        "long", "taken up to the end; the rest is refused", bytes(SIZE + 1), "whole", at=0, target=DSC, **refused
    )
    native.driver("long-split", "the last byte alone", bytes(SIZE + 1), f"split:{SIZE}", at=SIZE, target=DSC, **refused)

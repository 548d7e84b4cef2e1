"""nvme: NVMe controllers, local and remote. `docs/vendors/nvme.md`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from transire.reference import attributes as a
from transire.reference.attributes import Known, Value
from transire.reference.compare import HOLDS, Both, Finding, plain
from transire.reference.judge import Absent, Rule, Vendor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def _up_to(most: int, least: int = 0) -> Callable[[int], bool]:
    return lambda number: least <= number <= most


ATTRIBUTES = (
    Known(0x8100, "remote_url", a.TEXT),
    Known(0x0101, "subnqn", a.TEXT),
    Known(0x8102, "namespaces", a.MAP),
    Known(0x8103, "state_layout", a.TEXT),
    Known(0x8104, "state_version", a.UINT, _up_to(0xFFFF)),
    Known(0x8105, "state_formats", a.MAP),
    Known(0x0106, "state_index", a.UINT, _up_to(255, 1)),
    Known(0x8107, "vendor_format", a.TEXT),
    Known(0x8108, "vendor_formats", a.MAP),
    Known(0x0109, "vendor_index", a.UINT, _up_to(255, 1)),
    Known(0x010A, "hmlms", a.BOOL),
    Known(0x010B, "max_io_queues", a.UINT),
    Known(0x010C, "io_queues", a.UINT),
    Known(0x010D, "max_queue_entries", a.UINT, _up_to(65_536, 1)),
    Known(0x010E, "queue_entries", a.UINT, _up_to(65_536, 1)),
    Known(0x010F, "mdts", a.UINT, _up_to(255)),
    Known(0x0110, "page_size", a.UINT),
    Known(0x0111, "page_sizes", a.RANGE),
    Known(0x0112, "doorbell_stride", a.UINT, _up_to(15)),
    Known(0x0113, "contiguous_queues", a.BOOL),
    Known(0x0114, "arbitration", a.MASK),
    Known(0x0115, "firmware_revision", a.TEXT),
    Known(0x0116, "controller_id", a.UINT, _up_to(0xFFFF)),
    Known(0x0117, "serial_number", a.TEXT),
)
"""What the vendor adds to the common ones."""
LAYOUTS = ("nvme-2.1", "rfc-2025", "ipu-2022", "spdk")
DEFAULT_PORT = {"nvme+tcp": ":4420", "nvme+rdma": ":4420"}
"""What may be left out."""


def normal(url: str) -> str | None:
    """An address in one spelling, or None if it has user or password."""
    scheme, colon, rest = url.partition("://")
    if not colon:
        return url
    ends = [at for at in map(rest.find, "/?#") if at >= 0]
    authority = rest[: min(ends)] if ends else rest
    if "@" in authority:
        return None
    scheme, host = scheme.lower(), authority.lower()
    return f"{scheme}://{host.removesuffix(DEFAULT_PORT.get(scheme, ':'))}{rest[len(authority) :]}"


def _address(source: Value, target: Value, _: Both) -> Finding:
    one, other = normal(source.plain), normal(target.plain)
    if one is None or other is None:
        return Finding("refused")
    if one != other:
        return Finding("not-equal")
    return HOLDS if source == target else Finding(notes=("respelled",))


def _namespaces(source: Value, target: Value, _: Both) -> Finding:
    if not source.plain.items() <= target.plain.items():
        return Finding("not-subset")
    return HOLDS if source == target else Finding(notes=("more-capacity",))


def _listed(index: str) -> Callable[[Value, Value, Both], Finding]:
    """A format in the target's list, where the source's own index of it is that attribute."""

    def compare(source: Value, target: Value, both: Both) -> Finding:
        if source.plain == "none":
            return HOLDS
        if target.type != a.MAP:
            return Finding("not-one-of")
        places = [place for place, value in target.plain.items() if value.lower() == str(source.plain).lower()]
        if not places:
            return Finding("not-one-of")
        own = plain(both.source, index)
        return HOLDS if own is None or str(own) in places else Finding(notes=("other-index",))

    return compare


def _limit(used: str) -> Callable[[Value, Value, Both], Finding]:
    """Not below the source's, or not below what is in use."""

    def compare(source: Value, target: Value, both: Both) -> Finding:
        if target.plain >= source.plain:
            return HOLDS
        in_use = plain(both.source, used)
        if in_use is None or in_use > target.plain:
            return Finding("not-at-least")
        return Finding("not-at-least", ("reduced",), ask=True)

    return compare


def _transfer(source: Value, target: Value, _: Both) -> Finding:
    holds = target.plain == 0 or 0 < source.plain <= target.plain
    return HOLDS if holds else Finding("not-at-least")


def _rewritten(source: Value, target: Value, _: Both) -> Finding:
    return HOLDS if source == target else Finding(notes=("rewritten",))


def _both_have_a_software_version(both: Both) -> bool:
    return "software_version" in both.source and "software_version" in both.device


def _either_has_an_address(both: Both) -> bool:
    return "remote_url" in both.source or "remote_url" in both.device


def _contradiction(device: Mapping[str, Value]) -> str | None:
    """No guest has more than there is."""
    for most, used in (("max_io_queues", "io_queues"), ("max_queue_entries", "queue_entries")):
        offered, in_use = plain(device, most), plain(device, used)
        if offered is not None and in_use is not None and in_use > offered:
            return used
    size, sizes = plain(device, "page_size"), plain(device, "page_sizes")
    if size is not None and sizes is not None and not sizes[0] <= size <= sizes[1]:
        return "page_sizes"
    return None


def _possible(device: Mapping[str, Value]) -> bool:
    url, layout = plain(device, "remote_url"), plain(device, "state_layout")
    return (
        _contradiction(device) is None
        and (url is None or normal(url) is not None)
        and (layout is None or layout in LAYOUTS)
        and all(_is_list(plain(device, name), form) for name, form in LISTS.items())
    )


def _is_list(formats: Mapping[str, str] | None, form: Callable[[str], Any]) -> bool:
    if formats is None or formats == {"0": "none"}:
        return True
    return all(_number(index, 1, 255) and form(said) for index, said in formats.items())


def _number(text: str, least: int, most: int) -> bool:
    return re.fullmatch("0|[1-9][0-9]{0,5}", text, re.ASCII) is not None and least <= int(text) <= most


LISTS: dict[str, Callable[[str], Any]] = {
    "state_formats": lambda text: _number(text, 0, 0xFFFF),
    "vendor_formats": re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII).fullmatch,
}
"""What a target may list."""


VFIO_PCI, TRUE, FALSE = Value(a.TEXT, "vfio-pci"), Value(a.BOOL, True), Value(a.BOOL, False)
UNSET = Value(a.TEXT, "unset")
IGNORE, NOTE = Absent.IGNORE, Absent.NOTE

VENDOR = Vendor(
    ATTRIBUTES,
    (
        Rule("device_api", "is", VFIO_PCI, VFIO_PCI, constant=VFIO_PCI),
        Rule("pci_id", "equal"),
        Rule("subsystem_id", "equal", IGNORE, IGNORE),
        Rule("driver", "equal", IGNORE, IGNORE),
        Rule("software_version", "version", when=_both_have_a_software_version),
        Rule("driver_version", "version", when=lambda both: not _both_have_a_software_version(both)),
        Rule("remote_url", _address, Absent.WANT, UNSET, when=_either_has_an_address),
        Rule("subnqn", "equal", IGNORE, IGNORE),
        Rule("namespaces", _namespaces, IGNORE, IGNORE),
        Rule("hmlms", "is", NOTE, NOTE, constant=TRUE),
        Rule("state_layout", "equal", NOTE, NOTE),
        Rule("state_version", _listed("state_index"), IGNORE, of_target="state_formats"),
        Rule("vendor_format", _listed("vendor_index"), IGNORE, of_target="vendor_formats"),
        Rule("max_io_queues", _limit("io_queues"), IGNORE, IGNORE),
        Rule("max_queue_entries", _limit("queue_entries"), IGNORE, IGNORE),
        Rule("mdts", _transfer, IGNORE, IGNORE),
        Rule("page_size", "in-range", IGNORE, IGNORE, of_target="page_sizes"),
        Rule("doorbell_stride", "equal", IGNORE, IGNORE),
        Rule("contiguous_queues", "not-pair", IGNORE, IGNORE, constant=((FALSE, TRUE),)),
        Rule("arbitration", "subset", IGNORE, IGNORE),
        Rule("io_queues", "at-least", IGNORE, IGNORE, of_target="max_io_queues"),
        Rule("queue_entries", "at-least", IGNORE, IGNORE, of_target="max_queue_entries"),
        Rule("controller_id", _rewritten, IGNORE, IGNORE),
        Rule("serial_number", _rewritten, IGNORE, IGNORE),
        Rule("firmware_revision", "ignore", IGNORE, IGNORE),
    ),
    lambda _: {},
    _contradiction,
    _possible,
)
"""The vendor `nvme`."""

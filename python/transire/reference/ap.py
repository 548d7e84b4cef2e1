"""ap: queues of s390 crypto adapters. `docs/vendors/ap.md`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from transire.reference import attributes as a
from transire.reference.attributes import Known, Value
from transire.reference.compare import HOLDS, Both, Finding, plain
from transire.reference.judge import Absent, Rule, Vendor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ATTRIBUTES = (
    Known(0x8100, "apqns", a.SET, a.of_texts),
    Known(0x8101, "control_domains", a.SET, a.of_texts),
    Known(0x8102, "ap_type", a.MAP),
    Known(0x8103, "mode", a.MAP),
    Known(0x8104, "queue_facilities", a.MAP),
    Known(0x8105, "master_keys", a.MAP),
)
"""What the vendor adds to the common ones."""

QUEUE = re.compile(r"[0-9a-f]{2}\.[0-9a-f]{4}", re.ASCII)
DOMAIN = re.compile(r"[0-9a-f]{4}", re.ASCII)
WORD = re.compile(r"(?:0x)?[0-9a-fA-F]{8}", re.ASCII)
TYPE = re.compile(r"[0-9]{1,3}", re.ASCII)
MODES = ("accelerator", "cca", "ep11")


def _queues(source: Value, target: Value, _: Both) -> Finding:
    if not source.plain <= target.plain:
        return Finding("not-subset")
    return Finding(notes=("more-capacity",)) if source.plain < target.plain else HOLDS


def _by_queue(
    name: str, read: Callable[[str], Any], mismatch: str, holds: Callable[[Any, Any], bool]
) -> Callable[[Value, Value, Both], Finding]:
    def compare(source: Value, target: Value, both: Both) -> Finding:
        said, there = _members(both.source), _members(both.device)
        unknown = False
        for queue in sorted(said | source.plain.keys()):
            if queue not in source.plain or queue not in target.plain:
                # Of a queue that the target does not have it need not say anything.
                unknown = unknown or queue not in source.plain or queue in there or not there
                continue
            one, other = read(source.plain[queue]), read(target.plain[queue])
            if one is None or other is None:
                return Finding("refused")
            if not holds(one, other):
                return Finding(mismatch)
        return Finding("not-in-profile") if unknown else HOLDS

    compare.__name__ = name
    return compare


def _members(device: Mapping[str, Value]) -> set[str]:
    return {member.plain for member in plain(device, "apqns") or () if member.type == a.TEXT}


def _word(text: str) -> int | None:
    return int(text, 16) if WORD.fullmatch(text) else None


def _number(text: str) -> int | None:
    return int(text) if TYPE.fullmatch(text) else None


def _mode(text: str) -> str | None:
    return text if text in MODES else None


def bit(word: int, number: int) -> int:
    """A bit of a status word, counted from the left."""
    return word >> 31 - number & 1


def _facilities(source: int, target: int) -> bool:
    reserved = [bit(word, number) for word in (source, target) for number in (16, 17)]
    return source >> 24 == target >> 24 and bit(source, 8) <= bit(target, 8) and not any(reserved)


def _possible(device: Mapping[str, Value]) -> bool:
    """Whether everything is written as the page says."""
    queues = _members(device)
    domains = {member.plain for member in plain(device, "control_domains") or ()}
    maps = ((_number, "ap_type"), (_mode, "mode"), (_word, "queue_facilities"))
    return (
        all(isinstance(queue, str) and QUEUE.fullmatch(queue) for queue in queues)
        and all(isinstance(domain, str) and DOMAIN.fullmatch(domain) for domain in domains)
        and all(
            QUEUE.fullmatch(queue) and read(value) is not None
            for read, name in maps
            for queue, value in (plain(device, name) or {}).items()
        )
    )


VFIO_AP, PASSTHROUGH = Value(a.TEXT, "vfio-ap"), Value(a.TEXT, "vfio_ap-passthrough")

VENDOR = Vendor(
    ATTRIBUTES,
    (
        Rule("device_api", "is", VFIO_AP, VFIO_AP, driver=True, constant=VFIO_AP),
        Rule("mdev_type", "is", PASSTHROUGH, PASSTHROUGH, driver=True, constant=PASSTHROUGH),
        Rule("apqns", _queues),
        Rule("control_domains", "subset", Absent.NOTE, Absent.INSIST),
        Rule("queue_facilities", _by_queue("facilities", _word, "not-equal", _facilities)),
        Rule("ap_type", _by_queue("type", _number, "not-at-least", lambda one, other: bool(one <= other))),
        Rule("mode", _by_queue("mode", str, "not-equal", lambda one, other: bool(one == other))),
        Rule("master_keys", "subset", Absent.ASK, Absent.ASK),
    ),
    lambda _: {},
    lambda _: None,
    _possible,
)
"""The vendor `ap`."""

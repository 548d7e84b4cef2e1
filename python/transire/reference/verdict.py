"""Outcomes, reasons, and what a reading comes to. `docs/format.md`, "Outcomes"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from transire.reference.attributes import Stated

NOTES_OF_ONE_ID = 16
"""Notes of one id that are kept."""
REASONS = 256
"""Reasons that are kept."""


class Outcome(IntEnum):
    """How a stream is judged, mildest first: the number is the severity."""

    COMPATIBLE = 0
    FIXABLE = 1
    UNKNOWN = 2
    TRUNCATED = 3
    INCOMPATIBLE = 4
    CORRUPT = 5
    UNRECOGNIZED = 6


class Like(IntEnum):
    """How much bytes look like a format. `docs/format.md`, "Recognition"."""

    NO = 0
    SHORT = 1
    OPAQUE = 2
    POSSIBLE = 3
    CERTAIN = 4


Chosen = Mapping[str, str]
"""What is chosen of a format's options, by their names."""


class Reason(NamedTuple):
    """One finding. `offset` counts from the first byte of the input, or of the payload inside an envelope."""

    id: str
    outcome: Outcome
    offset: int | None = None
    in_payload: bool = False
    set: object = None
    """What the target is to be set to, where that makes the comparison hold."""


class Stop(Exception):  # noqa: N818 - not an error of this program: the end of a reading
    """A check failed whose failure ends the reading."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason


@dataclass
class Reading:
    """What was read and found."""

    outcome: Outcome = Outcome.COMPATIBLE
    """The worst of all reasons', kept or not."""
    reasons: list[Reason] = field(default_factory=list)
    """In the order in which they were found."""
    dropped: int = 0
    """Reasons that were found and not kept."""
    error: Reason | None = None
    """The check of structure that ended the reading."""
    attributes: dict[str, Stated] = field(default_factory=dict)
    """What the source says of itself: by the name of the attribute, or by its id where it has no name here."""
    payload: bytes = b""
    """What may be handed on, had the verdict allowed it: bytes whose frames were checked."""
    ended: bool = False
    """The end was found, and every check of structure passed."""

    @property
    def notes(self) -> list[Reason]:
        """The reasons that say nothing against the stream."""
        return [reason for reason in self.reasons if reason.outcome == Outcome.COMPATIBLE]

    def find(self, reason: Reason) -> None:
        """Adds a finding, within the limits."""
        self.outcome = max(self.outcome, reason.outcome)
        same = sum(1 for note in self.notes if note.id == reason.id)
        if len(self.reasons) < REASONS and same < NOTES_OF_ONE_ID:
            self.reasons.append(reason)
        else:
            self.dropped += 1

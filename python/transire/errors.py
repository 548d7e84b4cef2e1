"""The exceptions of transire: one root, a ValueError."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transire._native import Verdict


class TransireError(ValueError):
    """Something about a stream, a profile or a target is not as it must be."""

    def __init__(self, message: str, verdict: Verdict | None = None) -> None:
        super().__init__(message)
        self.verdict = verdict
        """The verdict that it was raised for, if any."""


class Unrecognized(TransireError):
    """No format here knows the stream."""


class Incompatible(TransireError):
    """The stream is well-formed, and for another kind of device."""


class Corrupt(TransireError):
    """The stream is damaged or hostile."""


class Truncated(TransireError):
    """The stream ended early."""


class Undecided(TransireError):
    """Data are lacking, or the target must be set first."""


class ProfileError(TransireError):
    """A profile or a target is malformed: its text, its values, or its canonical bytes."""

    def __init__(
        self,
        message: str,
        key: str | None = None,
        line: int | None = None,
        column: int | None = None,
        offset: int | None = None,
        reason_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.key = key
        """The key, as a path: `attributes.nr_ports`."""
        self.line = line
        """The line, from 1."""
        self.column = column
        """The column, from 1."""
        self.offset = offset
        """The byte offset, in canonical bytes and in the one-line form."""
        self.reason_id = reason_id
        """The reason id, for canonical bytes."""

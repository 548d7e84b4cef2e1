"""What a verdict comes to."""

from enum import StrEnum


class Outcome(StrEnum):
    """What a verdict comes to, mildest first: a verdict's outcome is the worst of its reasons'."""

    COMPATIBLE = "compatible"
    """Load it."""
    FIXABLE = "fixable"
    """Load it after the listed settings are made on the target."""
    UNKNOWN = "unknown"
    """Data are lacking."""
    TRUNCATED = "truncated"
    """Ended early."""
    INCOMPATIBLE = "incompatible"
    """Well-formed, for another kind of device."""
    CORRUPT = "corrupt"
    """Damaged or hostile."""
    UNRECOGNIZED = "unrecognized"
    """No format here knows it."""

    @property
    def exit_code(self) -> int:
        """The exit code of the command line; 2 is for errors of usage and I/O, where nothing was judged."""
        return _EXIT_CODES[self]


_EXIT_CODES = {
    Outcome.COMPATIBLE: 0,
    Outcome.INCOMPATIBLE: 1,
    Outcome.UNRECOGNIZED: 3,
    Outcome.CORRUPT: 4,
    Outcome.TRUNCATED: 5,
    Outcome.UNKNOWN: 6,
    Outcome.FIXABLE: 7,
}

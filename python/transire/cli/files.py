"""What the names on the command line stand for: `-` is standard input, and can be read once."""

from __future__ import annotations

import os
import re
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from transire import Profile, Target
from transire.cli.failure import CommandError, about

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STANDARD_INPUT = "standard input"
"""What messages call `-`."""
STANDARD_OUTPUT = "standard output"
"""What messages call the way out."""
TEXT_MAX = 1 << 20
"""Longest profile or target, in bytes; one more is read, and refused by name."""


def called(name: str) -> str:
    """Say what messages call this file."""
    return STANDARD_INPUT if name == "-" else name


def read_once(names: Iterable[str]) -> None:
    """Refuse `-` for more than one argument."""
    if sum(name == "-" for name in names) > 1:
        raise CommandError("standard input (-) can be read for one argument only")


def source_of(name: str) -> str | BinaryIO:
    """Return what the API takes for this file: its path, or standard input."""
    return standard_input() if name == "-" else name


def standard_input() -> BinaryIO:
    """Return standard input, for bytes."""
    # Python has none where the descriptor was closed.
    if sys.stdin is None:
        raise CommandError(f"{STANDARD_INPUT}: it is closed")
    return sys.stdin.buffer


def standard_output() -> BinaryIO:
    """Return standard output for a stream of bytes, which is nothing for a terminal."""
    if sys.stdout is None:
        raise CommandError(f"{STANDARD_OUTPUT}: it is closed")
    if sys.stdout.isatty():
        raise CommandError(f"{STANDARD_OUTPUT} is a terminal, and this is no text: redirect it to a file or a pipe")
    sys.stdout.flush()
    return sys.stdout.buffer


@contextmanager
def answers_to(name: str | None) -> Iterator[BinaryIO | None]:
    """Open what answers are written to: a file, a pipe, or `/dev/fd/N` for a descriptor that was handed down."""
    if name is None:
        yield None
        return
    if name == "-":
        raise CommandError(f"{STANDARD_OUTPUT} takes the payload: name another file for answers, or /dev/fd/N")
    with about(name):
        handed_down = re.fullmatch(r"/dev/fd/(\d{1,9})", name)
        # Opened again it would be another one, and a socket cannot be.
        answers = open(os.dup(int(handed_down[1])) if handed_down else name, "wb", buffering=0)  # noqa: PTH123, SIM115
    with answers:
        yield answers


def load_profile(name: str) -> Profile:
    """Load a profile in any form."""
    with about(called(name)):
        return Profile.read(_text()) if name == "-" else Profile.load(name)


def load_history(name: str, form: str) -> Profile:
    """Load a profile in one of the forms of the proposals that were never merged."""
    with about(called(name)):
        text = _text() if name == "-" else Path(name).read_bytes()[: TEXT_MAX + 1]
        try:
            decoded = text.decode()
        except UnicodeDecodeError as error:
            raise ValueError(f"not UTF-8 at offset {error.start}") from None
        return Profile.from_self(decoded) if form == "self" else Profile.from_migration_version(decoded)


def load_target(name: str) -> Target:
    """Load a target; a profile in any form is one too."""
    with about(called(name)):
        return Target.read(_text()) if name == "-" else Target.load(name)


def _text() -> bytes:
    return standard_input().read(TEXT_MAX + 1)

"""Errors of usage and of input and output: what is said of them, and the exit code."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from transire import ProfileError, TransireError

if TYPE_CHECKING:
    from collections.abc import Iterator

OF_OUTPUT = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors that only writing gives."""

NOTHING_JUDGED = 2
"""Exit code where nothing was judged."""


class CommandError(Exception):
    """Something that ends the command with exit code 2; its text is for people."""


def complain(message: str) -> None:
    """Say on standard error what is wrong."""
    # Without a standard error, print would take standard output, where a payload may be on its way.
    if sys.stderr is not None:
        # Where nobody can be told, the exit code still tells.
        with suppress(OSError):
            print(f"transire: {printable(message)}", file=sys.stderr, flush=True)


def printable(text: str) -> str:
    """Make a text safe for a terminal: what a file's name has of control characters is written as escapes."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def words(error: OSError) -> str:
    """Say what an error of the operating system is."""
    return error.strerror or str(error) or type(error).__name__


@contextmanager
def about(name: str, sink: str | None = None) -> Iterator[None]:
    """Make of an error with this file, or the one that is written meanwhile, what is said of it.

    A broken pipe is left as it is.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except TimeoutError as error:
        # Of the API's own: it is the reader of the payload that took nothing.
        raise CommandError(words(error)) from None
    except OSError as error:
        # The file that the system names, which of several is the one; a full disk is no matter of what is read.
        named = sink if sink is not None and error.errno in OF_OUTPUT else _named(error) or name
        raise CommandError(f"{named}: {words(error)}") from None
    except ProfileError as error:
        raise CommandError(f"{name}: {error}") from None


@contextmanager
def asked_of(name: str) -> Iterator[None]:
    """Make of an error of usage that comes of what this file is, what is said of it."""
    try:
        with about(name):
            yield
    except TransireError:
        raise
    except ValueError as error:
        raise CommandError(f"{name}: {error}") from None


def _named(error: OSError) -> str | None:
    return os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else None

"""The command line, `transire`.

Exit codes are those of `transire.Outcome`, of the worst verdict where there are several. 2 is for errors of usage and
of input and output, 130 for an interrupt, 141 for a reader of standard output or of the answers that went away.
"""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING

from transire import TransireError
from transire.cli.failure import NOTHING_JUDGED, CommandError, complain, words

if TYPE_CHECKING:
    from collections.abc import Sequence

INTERRUPTED = 130
"""Exit code after Ctrl-C, as a shell has it for SIGINT."""
READER_GONE = 141
"""Exit code after a broken pipe, as a shell has it for SIGPIPE."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A file may have any name; a terminal or a log may take less.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _run(arguments)
        _flush()
    except KeyboardInterrupt:
        _discard()
        return INTERRUPTED
    except BrokenPipeError:
        _discard()
        return READER_GONE
    except OSError as error:
        _discard()
        complain(f"{'standard output' if error.filename is None else error.filename}: {words(error)}")
        return NOTHING_JUDGED
    return code


def _run(arguments: Sequence[str] | None) -> int:
    from transire.cli.parser import parser

    try:
        chosen = parser().parse_args(arguments)
    except SystemExit as end:
        # `--help` and `--version` have printed, or argparse has said what is wrong.
        return end.code if isinstance(end.code, int) else NOTHING_JUDGED
    try:
        code = chosen.run(chosen)
    except TransireError as error:
        if error.verdict is None:
            complain(str(error))
            return NOTHING_JUDGED
        from transire.cli.show import Screen, show_verdict

        _flush()
        show_verdict(Screen(sys.stderr), "transire", error.verdict)
        return error.verdict.outcome.exit_code
    except (CommandError, ValueError) as error:
        complain(str(error))
        return NOTHING_JUDGED
    assert isinstance(code, int)
    return code


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        # Python has none where the descriptor was closed.
        if stream is not None:
            stream.flush()


def _discard() -> None:
    """Let what is still buffered go nowhere, so that the interpreter has nothing to say about it when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError):
            try:
                os.dup2(nowhere, stream.fileno())
            except (AttributeError, OSError):
                continue
    os.close(nowhere)

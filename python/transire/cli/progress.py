"""Progress of long work, on a terminal only."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from transire.cli.failure import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import Progress, TaskID

AFTER = 0.5
"""Seconds of work before anything is drawn."""


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int | None], object] | None]:
    """Give what the API calls with bytes done and bytes in all, or nothing where nobody watches."""
    if sys.stderr is None or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield None
        return
    bar = _Bar(printable(label))
    try:
        yield bar
    finally:
        bar.stop()


class _Bar:
    def __init__(self, label: str) -> None:
        self.label = label
        self.began = time.monotonic()
        self.drawn: tuple[Progress, TaskID] | None = None

    def __call__(self, done: int, total: int | None) -> None:
        if self.drawn is None:
            if time.monotonic() - self.began < AFTER:
                return
            self.drawn = self.start(total)
        bar, task = self.drawn
        bar.update(task, completed=done, total=total)

    def start(self, total: int | None) -> tuple[Progress, TaskID]:
        # Costs more than all the rest of a short command: imported when there is something to draw.
        from rich.console import Console
        from rich.markup import escape
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

        columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
        bar = Progress(*columns, console=Console(file=sys.stderr), transient=True)
        bar.start()
        return bar, bar.add_task(escape(self.label), total=total)

    def stop(self) -> None:
        if self.drawn is not None:
            self.drawn[0].stop()

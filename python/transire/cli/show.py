"""Lines for people: colour on a terminal, plain in a pipe."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TextIO

from transire import Outcome
from transire.cli.failure import printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from rich.console import Console

    from transire import Device, Origin, Reason, Verdict

STYLES = {
    Outcome.COMPATIBLE: "bold green",
    Outcome.FIXABLE: "bold yellow",
    Outcome.UNKNOWN: "bold yellow",
    Outcome.TRUNCATED: "bold yellow",
    Outcome.INCOMPATIBLE: "bold red",
    Outcome.CORRUPT: "bold red",
    Outcome.UNRECOGNIZED: "bold red",
}
"""How outcomes are drawn."""


class Screen:
    """Where lines go."""

    def __init__(self, stream: TextIO | None) -> None:
        self.stream = stream
        self.console = _console(stream)

    def line(self, *parts: str | tuple[str, str]) -> None:
        """Write a line; a part may be a text and its style."""
        if self.console is not None:
            from rich.text import Text

            self.console.print(Text.assemble(*parts), soft_wrap=True)
        elif self.stream is not None:
            text = "".join(part if isinstance(part, str) else part[0] for part in parts)
            print(text.rstrip(), file=self.stream)


def _console(stream: TextIO | None) -> Console | None:
    if stream is None or not stream.isatty():
        return None
    if os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb":
        return None
    # Costs more than all the rest of a short command: imported when there is something to draw.
    from rich.console import Console

    return Console(file=stream, highlight=False, markup=False, emoji=False)


def show_verdict(screen: Screen, subject: str, verdict: Verdict, *, passed: str = "compatible") -> None:
    """Write a verdict: the outcome, then its reasons, the worst first. `passed` is what compatible is called."""
    outcome = verdict.outcome
    name = passed if outcome is Outcome.COMPATIBLE else str(outcome)
    screen.line(f"{printable(subject)}: ", (name, STYLES[outcome]))
    for reason in verdict.reasons:
        # What is about a device stands with the device.
        if reason.device is None or not verdict.devices:
            _show_reason(screen, reason)
    for device in verdict.devices:
        _show_device(screen, device, passed)
    if verdict.dropped:
        more = "reason was" if verdict.dropped == 1 else "reasons were"
        screen.line(f"  {verdict.dropped} more {more} counted and not kept")


def _show_device(screen: Screen, device: Device, passed: str) -> None:
    verdict = device.verdict
    outcome = verdict.outcome
    name = passed if outcome is Outcome.COMPATIBLE else str(outcome)
    what = f", {verdict.format}" if verdict.format else ""
    pieces = "1 piece" if len(device.extents) == 1 else f"{len(device.extents)} pieces"
    length = f", {device.length} bytes in {pieces}" if device.extents else ""
    screen.line("device ", (printable(device.name) or "(any)", "bold"), ": ", (name, STYLES[outcome]), what, length)
    for reason in verdict.reasons:
        # What is about the whole, and has kept the device from coming, stands there.
        if reason.device is not None:
            _show_reason(screen, reason)


def _show_reason(screen: Screen, reason: Reason) -> None:
    note = reason.outcome is Outcome.COMPATIBLE
    text, origin = reason.text, reason.origin
    lead = "note: " if note else ""
    screen.line("  ", (reason.id, "cyan" if note else STYLES[reason.outcome]), f"  {lead}{text}")
    if origin is not None:
        screen.line(("    origin: " + origin_line(origin), "dim"))
    if not note:
        screen.line(f"    remedy: {reason.remedy}")


def origin_line(origin: Origin) -> str:
    """Say where a rule comes from: what it is, where it stands, what it holds for, when it was read."""
    parts = (origin.kind, origin.citation, origin.scope, origin.date)
    return ", ".join(part for part in parts if part)


def write_json(
    names: Mapping[str, str | list[str]], document: Verdict | dict[str, Any], *, indent: int | None = 2
) -> None:
    """Write a verdict, or what else has a schema number, with the names of what it is about behind that number."""
    import json

    content = document if isinstance(document, dict) else document.to_dict()
    schema = {"schema": content["schema"]} if "schema" in content else {}
    print(json.dumps({**schema, **names, **content}, indent=indent))

"""The command `explain`: the catalogue of reasons."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import transire
from transire.cli.arguments import PLAIN, add_json, command
from transire.cli.failure import CommandError
from transire.cli.show import STYLES, Screen, origin_line, write_json

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace, _SubParsersAction
    from typing import Any

    from transire import Explanation, Outcome

SCHEMA = 1
"""The schema number of explanations."""


def add_commands(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Add the commands of this room."""
    added = command(
        commands,
        "explain",
        explain,
        summary="say what a reason means, where it comes from, what to do",
        description="""
Say what a reason means, what its attribute is and where a running host has it, which
rules of which vendors give it, what to do, and the exit code. Without an argument,
list all reasons.""",
        examples="""
transire explain nr_ports.not-equal
transire explain frame.crc --json
transire explain""",
        codes=PLAIN,
    )
    added.add_argument("reason", nargs="?", metavar="REASON_ID", help="as a verdict names it")
    add_json(added)


def explain(arguments: Namespace) -> int:
    """Run `transire explain`."""
    known = transire.reason_ids()
    if arguments.reason is None:
        _list([(name, transire.explain(name).outcome) for name in known], json=arguments.json)
        return 0
    try:
        explanation = transire.explain(arguments.reason)
    except ValueError:
        raise CommandError(_nearest(arguments.reason, known)) from None
    if arguments.json:
        write_json({}, _explained(explanation))
    else:
        _show_explanation(Screen(sys.stdout), explanation)
    return 0


def _list(reasons: list[tuple[str, Outcome]], *, json: bool) -> None:
    if json:
        write_json({}, {"schema": SCHEMA, "reasons": [{"id": name, "outcome": outcome} for name, outcome in reasons]})
        return
    screen = Screen(sys.stdout)
    width = max(len(name) for name, _ in reasons)
    for name, outcome in reasons:
        screen.line(name.ljust(width), "  ", (_effect(outcome), STYLES[outcome]))
    screen.line()
    screen.line("An id that begins with a dot stands behind the name of an attribute: nr_ports.not-equal.")


def _effect(outcome: Outcome) -> str:
    return "compatible (a note)" if outcome is transire.Outcome.COMPATIBLE else str(outcome)


def _nearest(name: str, known: tuple[str, ...]) -> str:
    from difflib import get_close_matches

    attributes = {attribute.name for vendor in transire.vendors() for attribute in vendor.attributes}
    # An id that begins with a dot stands behind the name of an attribute.
    alone = [each for each in known if not each.startswith(".")]
    behind = [attribute + each for each in known if each.startswith(".") for attribute in sorted(attributes)]
    near = get_close_matches(name, alone + behind, n=1)
    hint = f"nearest is {near[0]}" if near else "`transire explain` lists all"
    return f"unknown reason {name}; {hint}"


def _explained(explanation: Explanation) -> dict[str, Any]:
    attribute = explanation.attribute
    of_attribute = attribute and {
        "id": attribute.id,
        "name": attribute.name,
        "type": attribute.type,
        "meaning": attribute.meaning,
        "place": attribute.place,
    }
    rules = [
        {
            "vendor": vendor,
            "rule": rule,
            "origin": {
                "kind": origin.kind,
                "citation": origin.citation,
                "scope": origin.scope,
                "date": origin.date,
            },
        }
        for vendor, rule, origin in explanation.rules
    ]
    return {
        "schema": SCHEMA,
        "id": explanation.id,
        "outcome": explanation.outcome,
        "exit_code": explanation.outcome.exit_code,
        "meaning": explanation.meaning,
        "remedy": explanation.remedy,
        "attribute": of_attribute,
        "rules": rules,
    }


def _show_explanation(screen: Screen, explanation: Explanation) -> None:
    outcome, attribute = explanation.outcome, explanation.attribute
    screen.line((explanation.id, "bold"), ": ", (_effect(outcome), STYLES[outcome]), f", exit code {outcome.exit_code}")
    screen.line("  meaning:   ", explanation.meaning)
    screen.line("  remedy:    ", explanation.remedy)
    if attribute is not None:
        screen.line("  attribute: ", (attribute.name, "cyan"), f" ({attribute.type}): {attribute.meaning}")
        if attribute.place:
            screen.line("  where:     ", attribute.place)
    for vendor, rule, origin in explanation.rules:
        screen.line("  rule:      ", (vendor, "bold"), f": {rule}")
        screen.line((f"    origin:  {origin_line(origin)}", "dim"))

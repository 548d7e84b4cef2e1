"""The guides hold: the command line understands the commands in them, and the exit codes are those of the code."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import transire
from transire.cli.parser import parser

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
GUIDES = sorted((ROOT / "docs" / "guides").glob("*.md"))
QEMU = ROOT / "docs" / "guides" / "qemu.md"
SEPARATORS = {"&&", "||", "|", ";", "(", ")", "&"}
REDIRECTIONS = {"<", ">", ">>", ">&"}


def commands(line: str) -> Iterator[list[str]]:
    """The commands of one line of shell, redirections left out, with those that QEMU is told to run (`exec:`)."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    tokens = iter([*lexer, ";"])
    for token in tokens:
        if token in SEPARATORS:
            yield words
            words = []
        elif token in REDIRECTIONS:
            if words and words[-1] == "2":
                words.pop()
            next(tokens)
        else:
            words.append(token)
            if token.startswith("exec:"):
                yield from commands(token.removeprefix("exec:"))


def typed(page: Path) -> list[list[str]]:
    """What a page has users type, as far as it is ours."""
    text = page.read_text("utf-8").replace("\\\n", "")
    lines = [line.strip() for line in re.findall(r"^    \S.*$", text, re.MULTILINE)]
    # What programs print is indented as well.
    lines = [line for line in lines if not line.startswith("transire: ") and "transire " in line]
    return [words[1:] for line in lines for words in commands(line) if words[:1] == ["transire"]]


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_the_command_line_understands_every_command(page: Path) -> None:
    found = typed(page)
    text = page.read_text("utf-8")
    # None was missed.
    assert len(found) == len(re.findall(r"transire (?:gate|verify|inspect|profile|check)\b [^`]", text))
    assert found or page != QEMU
    for words in found:
        try:
            parser().parse_args(words)
        except SystemExit:
            pytest.fail(shlex.join(["transire", *words]))


def test_the_exit_codes_are_those_of_the_code() -> None:
    rows = dict(re.findall(r"^\| (\d+) \| ([a-z]+)", QEMU.read_text("utf-8"), re.MULTILINE))
    assert {str(outcome.exit_code): str(outcome) for outcome in transire.Outcome}.items() <= rows.items()


def test_commands_are_taken_apart() -> None:
    line = 'a | transire gate --x 2> log < in && qemu -incoming "exec:transire gate --y < p; echo \\$? > c" > out'
    ours = [words for words in commands(line) if words[:1] == ["transire"]]
    assert ours == [["transire", "gate", "--x"], ["transire", "gate", "--y"]]

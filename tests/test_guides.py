"""The guides hold: the command line understands the commands in them, and the exit codes are those of the code."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import transire
from transire.cli import main
from transire.cli.parser import parser

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
GUIDES = sorted((ROOT / "docs" / "guides").glob("*.md"))
PAGES = [*sorted((ROOT / "docs" / "vendors").glob("*.md")), *sorted((ROOT / "docs" / "containers").glob("*.md"))]
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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_command_line_understands_every_command_of_a_page(page: Path) -> None:
    for words in typed(page):
        try:
            parser().parse_args(words)
        except SystemExit:
            pytest.fail(shlex.join(["transire", *words]))


STEPS = re.compile(
    r"^    \$ cat (?P<more>>> )?(?P<name>\S+)\n"
    r"(?P<content>(?:    .*\n|\n(?=    (?!transire)))+?)(?=\n(?:    transire|\S)|\Z)"
    r"|^    cd (?P<folder>\S+)$"
    r"|^    transire (?P<typed>(?:verify|inspect|check) [^#\n]*?)(?: *# (?P<promise>.*))?$",
    re.MULTILINE,
)
"""What a page has users do, as far as it can be done here: files with what stands below, and what is judged."""
JUDGED = {
    "ap": 1,
    "hisi-acc": 5,
    "mlx5": 6,
    "mtty": 5,
    "nvidia": 1,
    "nvme": 5,
    "pds": 3,
    "qat": 6,
    "virtio": 5,
    "xe": 5,
}
"""How many commands of a page can be run here, so that none is lost to the pattern."""
REASON = re.compile(r"[a-z_-]+\.[a-z-]+")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_keeps_what_it_promises(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "fixtures").symlink_to(ROOT / "fixtures")
    monkeypatch.chdir(tmp_path)
    done = 0
    for step in STEPS.finditer(page.read_text("utf-8")):
        if step["folder"]:
            monkeypatch.chdir(step["folder"])
        elif step["name"] and not step["name"].startswith("fixtures/"):
            with Path(step["name"]).open("a" if step["more"] else "w", encoding="utf-8") as file:
                file.write(re.sub("^    ", "", step["content"], flags=re.MULTILINE))
        elif step["typed"]:
            words = shlex.split(step["typed"])
            files = [word for word in words if word.endswith((".bin", ".toml"))]
            # Others are of whoever reads the page.
            if not files or not all(Path(file).exists() for file in files):
                continue
            code, said = main(words), capsys.readouterr()
            assert code != 2, (words, said.err)
            promise = step["promise"] or ""
            number = re.search(r"exit code (\d)|, (\d)$", promise)
            if number or promise.startswith("compatible"):
                assert code == (int(number[1] or number[2]) if number else 0), words
            for reason in REASON.findall(promise):
                assert reason in said.out, words
            done += 1
    assert done >= JUDGED.get(page.stem, 0)


def test_the_exit_codes_are_those_of_the_code() -> None:
    rows = dict(re.findall(r"^\| (\d+) \| ([a-z]+)", QEMU.read_text("utf-8"), re.MULTILINE))
    assert {str(outcome.exit_code): str(outcome) for outcome in transire.Outcome}.items() <= rows.items()


def test_commands_are_taken_apart() -> None:
    line = 'a | transire gate --x 2> log < in && qemu -incoming "exec:transire gate --y < p; echo \\$? > c" > out'
    ours = [words for words in commands(line) if words[:1] == ["transire"]]
    assert ours == [["transire", "gate", "--x"], ["transire", "gate", "--y"]]

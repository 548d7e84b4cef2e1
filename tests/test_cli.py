"""The command line: what is printed where, exit codes, and bad input. Nothing may ever print a traceback."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

import transire
from transire import Outcome
from transire.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CAPTURES = Path(__file__).parent.parent / "fixtures" / "mtty"
DEMO = Path(__file__).parent.parent / "demo"
STREAM = str(CAPTURES / "mtty2-both-ports.bin")
TWO, ONE = str(DEMO / "two-ports.toml"), str(DEMO / "one-port.toml")
COMMANDS = [
    ["formats"],
    ["inspect"],
    ["profile"],
    ["profile", "template"],
    ["profile", "read"],
    ["profile", "show"],
    ["profile", "encode"],
    ["profile", "decode"],
    ["check"],
    ["verify"],
    ["seal"],
    ["unseal"],
    ["gate"],
    ["explain"],
]


class Ran(NamedTuple):
    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def command(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).with_name("transire")), *arguments]


def spawn(*arguments: str, stdin: bytes | int = b"", env: dict[str, str] | None = None) -> Ran:
    """Run the installed command in a process of its own."""
    with subprocess.Popen(
        command(*arguments),
        stdin=subprocess.PIPE if isinstance(stdin, bytes) else stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **(env or {})},
    ) as running:
        out, said = running.communicate(stdin if isinstance(stdin, bytes) else None, timeout=60)
    err = said.decode()
    assert "Traceback" not in err, err
    assert "Exception ignored" not in err, err
    return Ran(running.returncode, out, err)


@pytest.fixture
def run(
    capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Ran]:
    """Run the command in this process, which is quicker."""

    def call(*arguments: str, stdin: bytes = b"") -> Ran:
        given = tmp_path / "stdin"
        given.write_bytes(stdin)
        with given.open() as opened:
            monkeypatch.setattr(sys, "stdin", opened)
            code = main(arguments)
        captured = capfdbinary.readouterr()
        err = captured.err.decode()
        assert "Traceback" not in err, err
        return Ran(code, captured.out, err)

    return call


@pytest.fixture
def sealed_file(sealed: bytes, tmp_path: Path) -> str:
    file = tmp_path / "card.sealed"
    file.write_bytes(sealed)
    return str(file)


def write(path: Path, content: str | bytes) -> str:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


UNKNOWN = 'vendor = "mtty"\n'
FIXABLE = """
vendor = "mtty"
[attributes]
nr_ports = 1
[settable.nr_ports]
values = [1, 2]
path = "nowhere/nr_ports"
"""


# Help and usage


@pytest.mark.parametrize("words", [[], *COMMANDS], ids=" ".join)
def test_help_has_examples_and_exit_codes(words: list[str], run: Callable[..., Ran]) -> None:
    ran = run(*words, "--help")
    assert ran.code == 0
    assert ran.err == ""
    assert f"usage: {' '.join(['transire', *words])}" in ran.text
    assert "\nexamples:\n" in ran.text
    assert "\nexit codes:\n" in ran.text
    assert "  transire " in ran.text
    assert max(map(len, ran.text.splitlines())) < 100


def test_examples_in_help_are_commands(run: Callable[..., Ran]) -> None:
    from transire.cli.parser import parser

    for words in COMMANDS:
        examples = run(*words, "--help").text.partition("examples:\n")[2].partition("\n\n")[0]
        for example in examples.splitlines():
            _, found, typed = re.sub(r"\$\w+", "", example).partition("transire ")
            assert found, example
            arguments = re.split(r"\s+(?:[<|]|\d?>)", typed)[0].split()
            assert parser().parse_args(arguments).run


def test_version(run: Callable[..., Ran]) -> None:
    assert run("--version").text == f"transire {transire.__version__}\n"
    assert spawn("--version").text == f"transire {transire.__version__}\n"


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nothing"],
        ["--nothing"],
        ["verify"],
        ["verify", "--target", TWO],
        ["verify", STREAM, "--target", TWO, "--standard", "lenient"],
        ["verify", STREAM, "--target", TWO, "--input", "xen"],
        ["gate", "--target", TWO, "--input", "xen"],
        ["gate", "--target", TWO, "--admit", "corrupt"],
        ["gate", "--target", TWO, "--deadline", "0"],
        ["gate", "--target", TWO, "--deadline", "soon"],
        ["gate", "--target", TWO, "--deadline", "nan"],
        ["seal", "--profile", TWO, "--digest", "md5"],
        ["seal", "--profile", TWO, "--payload-len", "-1"],
        ["seal", "--profile", TWO, "--payload-len", "some"],
        ["seal", "--profile", TWO, "--payload-len", "18446744073709551616"],
        ["profile"],
        ["profile", "read", STREAM, "--toml", "--json"],
    ],
    ids=" ".join,
)
def test_errors_of_usage(words: list[str], run: Callable[..., Ran]) -> None:
    ran = run(*words)
    assert (ran.code, ran.out) == (2, b"")
    assert ran.err.startswith("usage: transire")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["verify", STREAM], "--target is missing"),
        (["gate", STREAM], "--target is missing"),
        (["verify", STREAM, "--target", TWO, "--writes", "each:1"], "--writes goes with --standard driver"),
        (["verify", STREAM, "--target", TWO, "--standard", "driver", "--writes", "some"], "writes"),
        (["verify", STREAM, "--target", TWO, "--format", "nothing"], "unknown format nothing"),
        (["verify", "-", "-", "--target", TWO], "for one argument only"),
        (["verify", "-", "--target", "-"], "for one argument only"),
        (["check", "-", "-"], "for one argument only"),
        (["seal", "--profile", "-"], "for one argument only"),
        (["gate", "--target", "-"], "for one argument only"),
        (["inspect", "-", "-"], "for one argument only"),
        (["profile", "template", "nothing"], "mtty"),
        (["explain", "nr_prots.not-equal"], "nearest is nr_ports.not-equal"),
        (["explain", "frame.crx"], "nearest is frame.crc"),
        (["explain", "zzzzzz"], "`transire explain` lists all"),
        (["seal", STREAM, "--profile", TWO, "--payload-format", "nothing"], "opaque"),
        (["seal", STREAM, "--profile", TWO, "--payload-len", "95"], ""),
        (["explain", "nr_prots.nt-equal"], "nearest is nr_ports.not-equal"),
        (["seal", STREAM, "--profile", TWO, "--device-label", ""], ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_errors_of_usage_in_words(words: list[str], message: str, run: Callable[..., Ran]) -> None:
    ran = run(*words)
    assert ran.code == 2, ran
    assert re.match(r"transire: .+\n\Z", ran.err), ran.err
    assert message in ran.err


def test_python_m() -> None:
    done = subprocess.run([sys.executable, "-m", "transire.cli", "--version"], capture_output=True, check=True)
    assert done.stdout.decode() == f"transire {transire.__version__}\n"


def test_start_up_draws_nothing_in() -> None:
    program = "import sys, transire.cli.parser; print(*{'rich', 'json', 'difflib', 'asyncio'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b""


# verify


def test_verify_says_why(run: Callable[..., Ran]) -> None:
    ran = run("verify", STREAM, "--target", TWO)
    assert ran == (0, f"{STREAM}: compatible\n".encode(), "")
    ran = run("verify", STREAM, "--target", ONE)
    assert (ran.code, ran.err) == (1, "")
    first, reason, origin, remedy = ran.text.splitlines()
    assert first == f"{STREAM}: incompatible"
    assert reason.startswith("  nr_ports.not-equal  nr_ports: ")
    assert "found 2, required 1" in reason
    assert origin.startswith("    origin: driver, samples/vfio-mdev/mtty.c: ")
    assert origin.endswith(", Linux 6.7 to 7.1, 2026-04")
    assert remedy.startswith("    remedy: ")


def test_verify_json(run: Callable[..., Ran]) -> None:
    ran = run("verify", STREAM, "--target", ONE, "--json")
    assert (ran.code, ran.err) == (1, "")
    document = ran.json
    assert list(document)[:2] == ["schema", "file"]
    assert (document["schema"], document["file"]) == (1, STREAM)
    assert (document["outcome"], document["complete"], document["bytes_examined"]) == ("incompatible", False, 96)
    (reason,) = document["reasons"]
    assert (reason["id"], reason["attribute"]) == ("nr_ports.not-equal", "nr_ports")
    assert (reason["found"], reason["required"], reason["offset"]) == ("2", "1", 16)
    assert reason["origin"]["kind"] == "driver"


MUTATED = CAPTURES / "mutated"


@pytest.mark.parametrize(
    ("name", "target", "outcome"),
    [
        ("mtty2-both-ports.bin", TWO, Outcome.COMPATIBLE),
        ("mtty2-both-ports.bin", ONE, Outcome.INCOMPATIBLE),
        ("mutated/none.text-60.bin", TWO, Outcome.UNRECOGNIZED),
        ("mutated/mtty2-both-ports.p1-head-16.bin", TWO, Outcome.CORRUPT),
        ("mutated/mtty2-both-ports.trunc-60.bin", TWO, Outcome.TRUNCATED),
        ("mtty2-both-ports.bin", UNKNOWN, Outcome.UNKNOWN),
        ("mtty2-both-ports.bin", FIXABLE, Outcome.FIXABLE),
    ],
)
def test_every_outcome_has_its_exit_code(
    name: str, target: str, outcome: Outcome, run: Callable[..., Ran], tmp_path: Path
) -> None:
    if "\n" in target:
        target = write(tmp_path / "target.toml", target)
    ran = run("verify", str(CAPTURES / name), "--target", target)
    assert ran.code == outcome.exit_code
    assert ran.text.splitlines()[0].endswith(f": {outcome}")
    assert run("verify", str(CAPTURES / name), "--target", target, "--json").json["outcome"] == outcome
    gated = run("gate", str(CAPTURES / name), "--target", target)
    assert gated.code == outcome.exit_code
    assert f"transire: {outcome}" in gated.err
    assert gated.out == ((CAPTURES / name).read_bytes() if outcome is Outcome.COMPATIBLE else b"")


def test_notes_are_marked(run: Callable[..., Ran]) -> None:
    ran = run("verify", str(MUTATED / "mtty2-both-ports.p1-pad29-170.bin"), "--target", TWO)
    assert ran.code == 0
    assert "  mtty.padding  note: " in ran.text
    assert "remedy" not in ran.text


def test_several_files_end_with_the_worst(run: Callable[..., Ran], tmp_path: Path) -> None:
    cut, ring = str(MUTATED / "mtty2-both-ports.trunc-60.bin"), str(MUTATED / "mtty2-both-ports.p1-head-16.bin")
    other = str(CAPTURES / "mtty1-text.bin")
    # Truncated has the higher exit code, and is the milder outcome.
    for files, code in (([cut, other], 1), ([cut, ring], 4), ([STREAM, cut], 5), ([STREAM, STREAM], 0)):
        assert run("verify", *files, "--target", TWO).code == code
        assert run("verify", *reversed(files), "--target", TWO).code == code
    ran = run("verify", STREAM, str(tmp_path / "nothing"), ring, "--target", TWO, "--json")
    assert ran.code == 2
    assert ran.err == f"transire: {tmp_path / 'nothing'}: No such file or directory\n"
    lines = [json.loads(line) for line in ran.text.splitlines()]
    assert [(line["file"], line["outcome"]) for line in lines] == [(STREAM, "compatible"), (ring, "corrupt")]


def test_verify_by_the_driver(run: Callable[..., Ran]) -> None:
    ring = str(MUTATED / "mtty2-both-ports.p1-head-16.bin")
    assert run("verify", ring, "--target", TWO, "--standard", "driver").code == 0
    for writes in ("whole", "each:7", "split:24", "split:24,60"):
        ran = run("verify", STREAM, "--target", ONE, "--standard", "driver", "--writes", writes)
        assert ran.code == 1
        assert "driver.refused" in ran.text
    ran = run("verify", STREAM, "--target", ONE, "--standard", "driver", "--writes", "split:24")
    assert "EFAULT" in ran.text


def test_the_driver_is_not_asked_about_an_envelope(run: Callable[..., Ran], sealed_file: str) -> None:
    ran = run("verify", sealed_file, "--target", TWO, "--standard", "driver")
    assert (ran.code, ran.out) == (2, b"")
    assert ran.err.startswith(f"transire: {sealed_file}: the standard driver asks")
    assert "unseal it" in ran.err


def test_standard_input_is_a_file(run: Callable[..., Ran], sealed: bytes) -> None:
    data = Path(STREAM).read_bytes()
    target = Path(TWO).read_bytes()
    for content in (data, sealed):
        ran = run("verify", "-", "--target", TWO, stdin=content)
        assert ran == (0, b"standard input: compatible\n", "")
        assert run("inspect", "-", stdin=content).code == 0
        assert run("check", "-", TWO, stdin=content).code == 0
        assert run("profile", "read", "-", stdin=content).code == 0
    assert run("verify", "-", "--target", TWO, "--json", stdin=data).json["file"] == "-"
    assert run("verify", STREAM, "--target", "-", stdin=target).code == 0
    assert run("check", STREAM, "-", stdin=target).code == 0
    assert run("gate", STREAM, "--target", "-", stdin=target).out == data
    assert run("profile", "show", "-", stdin=target).code == 0
    assert run("seal", STREAM, "--profile", "-", stdin=target).code == 0
    assert spawn("verify", "-", "--target", TWO, stdin=data).code == 0


# check


def test_check_from_profiles_and_streams(run: Callable[..., Ran], tmp_path: Path) -> None:
    for source in (TWO, STREAM):
        ran = run("check", source, TWO)
        assert ran == (0, f"{source} into {TWO}: compatible\n".encode(), "")
        ran = run("check", source, ONE, "--json")
        assert ran.code == 1
        document = ran.json
        assert (document["schema"], document["source"], document["target"]) == (1, source, ONE)
        assert document["outcome"] == "incompatible"
    header = write(tmp_path / "header", Path(STREAM).read_bytes()[:24])
    assert run("check", header, TWO).code == 0
    assert run("verify", header, "--target", TWO).code == 5


def test_check_both_ways(run: Callable[..., Ran], tmp_path: Path) -> None:
    ran = run("check", TWO, ONE, "--both")
    assert ran.code == 1
    heads = [line for line in ran.text.splitlines() if not line.startswith(" ")]
    assert heads == [f"{TWO} into {ONE}: incompatible", f"{ONE} into {TWO}: incompatible"]

    fixable = write(tmp_path / "fixable.toml", FIXABLE)
    ran = run("check", TWO, fixable, "--both", "--json")
    there, back = (json.loads(line) for line in ran.text.splitlines())
    assert (there["source"], there["target"], there["outcome"]) == (TWO, fixable, "fixable")
    assert (back["source"], back["target"], back["outcome"]) == (fixable, TWO, "incompatible")
    # The worse of the two, not the one with the higher exit code.
    assert ran.code == 1
    assert run("check", fixable, TWO, "--both").code == 1
    assert run("check", TWO, fixable).code == 7

    ran = run("check", STREAM, TWO, "--both")
    assert ran.code == 2
    assert "profile" in ran.err


# seal, unseal, gate


def test_sealed_and_passed_on(run: Callable[..., Ran], tmp_path: Path) -> None:
    data = Path(STREAM).read_bytes()
    made = run("seal", "--profile", TWO, "--device-label", "serial0", "--payload-len", "96", stdin=data)
    assert (made.code, made.err) == (0, "transire: sealed, complete, 96 bytes read\n")
    file = write(tmp_path / "sealed", made.out)
    assert run("verify", file, "--target", TWO).code == 0
    for words in (["gate"], ["unseal"], ["gate", "--input", "sealed"]):
        ran = run(*words, "--target", TWO, stdin=made.out)
        assert (ran.code, ran.out) == (0, data)
        *first, last = ran.err.splitlines()
        assert last == f"transire: compatible, complete, {len(made.out)} bytes read"
        assert len(first) == (words[0] == "gate")
        assert all(re.fullmatch("transire: compatible, judged from the first [0-9]+ bytes", line) for line in first)
        assert run(*words, "--target", TWO, file).out == data
        refused = run(*words, "--target", ONE, stdin=made.out)
        assert (refused.code, refused.out) == (1, b"")
        assert refused.err.startswith("transire: incompatible\n  nr_ports.not-equal")
        assert "not complete" in refused.err
    ran = run("gate", "--target", TWO, "--input", "native", stdin=made.out)
    assert (ran.code, ran.out) == (3, b"")
    assert run("unseal", "--target", TWO, stdin=data).code == 3


def test_gate_json_and_quiet(run: Callable[..., Ran], sealed: bytes) -> None:
    for words in (["gate"], ["unseal"]):
        ran = run(*words, "--target", TWO, "--json", stdin=sealed)
        document = json.loads(ran.err)
        assert (document["schema"], document["outcome"], document["complete"]) == (1, "compatible", True)
        assert (document["format"], document["payload_format"]) == ("sealed", "mtty")
        assert run(*words, "--target", TWO, "-q", stdin=sealed) == (0, Path(STREAM).read_bytes(), "")
        assert json.loads(run(*words, "--target", ONE, "-q", "--json", stdin=sealed).err)["outcome"] == "incompatible"
        assert run(*words, "--target", ONE, "-q", stdin=sealed).err != ""


def test_gate_admits(run: Callable[..., Ran], tmp_path: Path) -> None:
    data = Path(STREAM).read_bytes()
    for text, word in ((UNKNOWN, "unknown"), (FIXABLE, "fixable")):
        target = write(tmp_path / f"{word}.toml", text)
        ran = run("gate", "--target", target, "--admit", word, stdin=data)
        assert (ran.code, ran.out) == (Outcome(word).exit_code, data)
        assert "  complete, 96 bytes read" in ran.err
        both = run("gate", "--target", target, "--admit", "fixable", "--admit", "unknown", stdin=data)
        assert both.out == data


def test_a_flipped_bit_is_refused_with_its_offset(run: Callable[..., Ran], sealed: bytes) -> None:
    damaged = bytearray(sealed)
    place = sealed.index(Path(STREAM).read_bytes()) + 60
    damaged[place] ^= 1
    ran = run("gate", "--target", TWO, stdin=bytes(damaged))
    assert (ran.code, ran.out) == (4, b"")
    assert "\ntransire: corrupt\n  frame.crc  " in ran.err
    assert "at offset" in ran.err


def test_seal_refuses_what_it_must(run: Callable[..., Ran]) -> None:
    ran = run("seal", "--profile", ONE, stdin=Path(STREAM).read_bytes())
    assert ran.code == 4
    assert "profile.contradicts-payload" in ran.err
    assert "aborted" in ran.err
    assert run("verify", "-", "--target", ONE, stdin=ran.out).code == 5
    assert run("seal", "--profile", TWO, stdin=b"").code == 5
    opaque = run("seal", "--profile", TWO, "--payload-format", "opaque", "--digest", "none", stdin=b"any bytes")
    assert opaque.code == 0
    assert run("unseal", "--target", TWO, stdin=opaque.out).out == b"any bytes"


def test_streams_are_not_written_to_a_terminal() -> None:
    for words in (["seal", STREAM, "--profile", TWO], ["gate", STREAM, "--target", TWO], ["profile", "encode", TWO]):
        code, seen = on_terminal(words)
        assert code == 2
        assert "standard output is a terminal" in seen
    code, seen = on_terminal(["profile", "encode", TWO, "--text"])
    assert code == 0
    assert seen.startswith("transire1.")


# inspect


def test_inspect_shows_every_field(run: Callable[..., Ran], sealed_file: str) -> None:
    ran = run("inspect", STREAM)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.text.splitlines()
    assert lines[0] == f"{STREAM}: mtty"
    assert lines[-1] == f"{STREAM}: well-formed"
    assert "port[1]  offset 60, 36 bytes" in lines
    (ports,) = (line.split() for line in lines if "nr_ports" in line)
    assert ports[:4] == ["16", "02000000", "nr_ports", "2"]
    assert "\x1b" not in ran.text
    opened = run("inspect", sealed_file).text
    assert "prologue  offset 0, 32 bytes" in opened
    assert "header  offset in the payload 0, 24 bytes" in opened
    assert " …" in opened


def test_inspect_dumps_in_hex(run: Callable[..., Ran], sealed_file: str) -> None:
    text = run("inspect", STREAM, "--hex").text
    assert "  00000010  02 00 00 00 00 00 00 00                           |........        |  nr_ports, flags" in text
    rows = re.findall(r"^  [0-9a-f]{8}  ((?:[0-9a-f]{2} {1,2}){1,16}) *\|", text, re.MULTILINE)
    assert bytes.fromhex("".join(rows)) == Path(STREAM).read_bytes()
    assert run("inspect", sealed_file, "--hex").code == 0


def test_inspect_json(run: Callable[..., Ran]) -> None:
    document = run("inspect", STREAM, "--json").json
    assert (document["schema"], document["file"], document["outcome"]) == (1, STREAM, "compatible")
    fields = [field for structure in document["structures"] for field in structure["fields"]]
    assert b"".join(bytes.fromhex(field["raw"]) for field in fields) == Path(STREAM).read_bytes()
    cut = str(MUTATED / "mtty2-both-ports.trunc-60.bin")
    ran = run("inspect", STREAM, cut, TWO, "--json")
    lines = [json.loads(line) for line in ran.text.splitlines()]
    assert [line["file"] for line in lines] == [STREAM, cut, TWO]
    assert all(line["schema"] == 1 for line in lines)
    assert ran.code == 5


def test_inspect_shows_profiles(run: Callable[..., Ran], tmp_path: Path, profile: transire.Profile) -> None:
    forms = [profile.to_toml(), profile.to_json(), profile.to_text(), "\n" + FIXABLE]
    for number, form in enumerate(forms):
        file = write(tmp_path / f"profile{number}", form)
        ran = run("inspect", file)
        assert ran.code == 0
        assert ran.text.startswith(f"{file}: profile of a device of vendor mtty\n")
        assert "nr_ports" in ran.text
        assert run("inspect", "-", stdin=form.encode()).code == 0
    canonical = write(tmp_path / "canonical", profile.to_bytes())
    assert "attribute[0]" in run("inspect", canonical).text
    ran = run("inspect", write(tmp_path / "wrong.toml", 'vendor = "mtty"\n[attributes]\nnr_prots = 1\n'))
    assert ran.code == 2
    assert "line 3, column 1: unknown key attributes.nr_prots; nearest is nr_ports" in ran.err


# formats, explain, profile


def test_formats(run: Callable[..., Ran]) -> None:
    ran = run("formats")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.text.splitlines()
    assert lines[0].split("  ")[0] == "FORMAT"
    (line,) = (line for line in lines if line.startswith("mtty "))
    assert [cell.strip() for cell in line.split("  ") if cell] == [
        "mtty", "version, number of ports", "all", "no", "no", "yes",
    ]  # fmt: skip
    full = run("formats", "mtty").text
    assert full.startswith("mtty  mtty  ")
    assert "magic, version 1.0, number of ports" in full
    wrong = run("formats", "nothing")
    assert wrong.code == 2
    assert "no vendor or format has this name" in wrong.err
    document = run("formats", "--json").json
    assert document["schema"] == 1
    (mtty,) = (each for each in document["formats"] if each["name"] == "mtty")
    assert (mtty["vendor"], mtty["judged_within"], mtty["hold"]) == ("mtty", 24, {"kind": "whole", "bytes": 96})
    assert {"name", "title", "formats"} == document["vendors"][0].keys()


def test_explain(run: Callable[..., Ran]) -> None:
    text = run("explain", "nr_ports.not-equal").text
    assert text.startswith("nr_ports.not-equal: incompatible, exit code 1\n")
    for words in (
        "meaning:",
        "remedy:",
        "attribute: nr_ports (uint)",
        "where:",
        "rule:      mtty: ",
        "origin:  driver, ",
    ):
        assert words in text
    document = run("explain", "nr_ports.not-equal", "--json").json
    assert (document["schema"], document["id"], document["exit_code"]) == (1, "nr_ports.not-equal", 1)
    assert document["attribute"]["name"] == "nr_ports"
    assert document["rules"][0]["vendor"] == "mtty"


def test_explain_lists_and_knows_every_reason(run: Callable[..., Ran]) -> None:
    listed = [line.split()[0] for line in run("explain").text.partition("\n\n")[0].splitlines()]
    assert listed == list(transire.reason_ids())
    document = run("explain", "--json").json
    assert [each["id"] for each in document["reasons"]] == listed
    for name in listed:
        assert run("explain", name).code == 0
        assert run("explain", name, "--json").json["id"] == name


def test_profiles_are_converted(run: Callable[..., Ran], tmp_path: Path, sealed_file: str) -> None:
    template = run("profile", "template", "mtty").text
    assert transire.Target.read(template).vendor == "mtty"
    assert "sysfs" in template or "mediated device" in template

    expected = transire.profile_of(STREAM)
    forms = {words: run("profile", "read", STREAM, *words) for words in ((), ("--toml",), ("--json",), ("--text",))}
    for ran in forms.values():
        assert ran.code == 0
        assert transire.Profile.read(ran.out) == expected
    assert forms[()] == forms["--toml",]
    assert forms["--json",].json["schema"] == 1
    assert run("profile", "read", sealed_file).text.count("mtty-2") == 1

    for form in (forms[()].out, forms["--json",].out, forms["--text",].out, expected.to_bytes()):
        file = write(tmp_path / "profile", form)
        assert run("profile", "encode", file).out == expected.to_bytes()
        assert run("profile", "encode", file, "--text") == forms["--text",]
        assert run("profile", "decode", file) == forms[()]
        assert run("profile", "decode", file, "--json") == forms["--json",]
        assert run("profile", "show", file, "--json") == forms["--json",]
        assert "nr_ports" in run("profile", "show", file).text
        out = tmp_path / "out"
        assert run("profile", "encode", file, "-o", str(out)) == (0, b"", "")
        assert out.read_bytes() == expected.to_bytes()
    ran = run("profile", "encode", file, "-o", str(tmp_path / "nowhere" / "out"))
    assert ran.code == 2
    assert ran.err == f"transire: {tmp_path / 'nowhere' / 'out'}: No such file or directory\n"


def test_profile_show_has_every_kind_of_value(run: Callable[..., Ran], tmp_path: Path) -> None:
    attributes = {
        "nr_ports": 2,
        "capacity": "1/2",
        "mdev_type": {"unknown": True},
        "0x7001": {"type": "bool", "value": True},
    }
    file = write(tmp_path / "profile", transire.Profile(vendor="mtty", attributes=attributes).to_bytes())
    text = run("profile", "show", file).text
    assert "not reported" in text
    assert "0x7001" in text
    assert "serial ports of the card" in text


# Bad input


def random_bytes(length: int) -> bytes:
    return bytes((at * at * 131 + at * 7 + 89) % 251 for at in range(length))


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", 5),
        (random_bytes(5000), 3),
        (b"just some words\n" * 10, 3),
        (b"\x4e\x2c", 5),
        (b"TRANSIR", 5),
        (b"\0" * 96, 3),
    ],
    ids=["empty", "random", "text", "short magic", "short envelope", "zeros"],
)
def test_bad_streams_get_a_verdict(content: bytes, code: int, run: Callable[..., Ran], tmp_path: Path) -> None:
    file = write(tmp_path / "stream", content)
    for words in (["verify", file, "--target", TWO], ["gate", file, "--target", TWO], ["inspect", file]):
        assert run(*words).code == code, words
        assert run(*words, "--json").code == code, words
        words[1] = "-"
        assert run(*words, stdin=content).code == code, words
    # For seal the format is known, and nothing is half an envelope.
    assert run("seal", file, "--profile", TWO).code in (code, 3)
    # What is no stream may be meant as a profile.
    assert run("check", file, TWO).code in (code, 2)
    assert run("profile", "read", file).code in (code, 2)


def test_devices_end_at_a_limit() -> None:
    for words in (
        ["verify", "/dev/zero", "--target", TWO],
        ["verify", "/dev/zero", "--target", TWO, "--standard", "driver"],
        ["gate", "/dev/zero", "--target", TWO],
        ["inspect", "/dev/zero"],
        ["check", "/dev/zero", TWO],
        ["profile", "read", "/dev/zero"],
        ["profile", "show", "/dev/zero"],
        ["verify", STREAM, "--target", "/dev/zero"],
        ["seal", "/dev/zero", "--profile", TWO],
    ):
        ran = spawn(*words)
        assert ran.code in (2, 3), words
        assert ran.out + ran.err.encode() != b""
    assert spawn("verify", "/dev/null", "--target", TWO).code == 5
    assert spawn("verify", "/dev/zero", "--target", TWO).code == 3


@pytest.mark.parametrize(
    "words",
    [
        ["verify", "FILE", "--target", TWO],
        ["verify", "FILE", "--target", TWO, "--standard", "driver"],
        ["verify", STREAM, "--target", "FILE"],
        ["inspect", "FILE"],
        ["check", "FILE", TWO],
        ["check", TWO, "FILE"],
        ["check", TWO, "FILE", "--both"],
        ["check", "FILE", TWO, "--both"],
        ["gate", "FILE", "--target", TWO],
        ["unseal", "FILE", "--target", TWO],
        ["seal", "FILE", "--profile", TWO],
        ["seal", STREAM, "--profile", "FILE"],
        ["profile", "read", "FILE"],
        ["profile", "show", "FILE"],
        ["profile", "encode", "FILE"],
        ["profile", "encode", TWO, "-o", "FILE"],
        ["profile", "decode", "FILE"],
    ],
    ids=" ".join,
)
def test_files_that_cannot_be_read(words: Sequence[str], run: Callable[..., Ran], tmp_path: Path) -> None:
    for file, why in ((tmp_path / "no" / "file", "No such file or directory"), (tmp_path, "Is a directory")):
        ran = run(*(str(file) if word == "FILE" else word for word in words))
        assert (ran.code, ran.err) == (2, f"transire: {file}: {why}\n")
        # The header of an envelope goes out before anything is read.
        assert ran.out == b"" or words[0] == "seal"


def test_bad_targets_and_profiles_say_where(run: Callable[..., Ran], tmp_path: Path) -> None:
    for text, where in (
        ('vendor = "mtty"\n[attributes]\nnr_prots = 1\n', "line 3, column 1: unknown key attributes.nr_prots"),
        ('vendor = "nothing"\n', "unknown vendor"),
        ("vendor = ", "line 1, column "),
        ("", "missing key vendor"),
        ('vendor = "mtty"\n[attributes]\nnr_ports = 1\nmdev_type = "mtty-2"\n', "cannot both be true"),
    ):
        file = write(tmp_path / "target.toml", text)
        for words in (
            ["verify", STREAM, "--target", file],
            ["check", STREAM, file],
            ["gate", STREAM, "--target", file],
        ):
            ran = run(*words)
            assert (ran.code, ran.out) == (2, b"")
            assert ran.err.startswith(f"transire: {file}: ")
            assert where in ran.err
        if "both" not in where:
            ran = run("profile", "show", file)
            assert (ran.code, ran.out) == (2, b"")
            assert where in ran.err
    ran = run("verify", STREAM, "--target", "-", stdin=b'vendor = "nothing"')
    assert ran.err.startswith("transire: standard input: ")


def test_a_profile_of_an_unknown_vendor(run: Callable[..., Ran], tmp_path: Path) -> None:
    file = write(tmp_path / "other.toml", 'vendor = "other"\n')
    ran = run("check", file, TWO)
    assert (ran.code, ran.out) == (2, b"")
    assert re.search(r"unknown vendor .*known are .*\bmtty\b", ran.err)
    assert run("seal", STREAM, "--profile", file).code == 2


def test_names_that_cannot_be_printed(tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\x1b[31m\n.bin")
    Path(name).write_bytes(Path(STREAM).read_bytes())
    ran = spawn("verify", name, "--target", TWO)
    assert ran.code == 0
    assert b"\x1b" not in ran.out
    assert ran.out.count(b"\n") == 1
    ran = spawn("inspect", name, "--json")
    assert ran.json["file"] == name
    ran = spawn("verify", name + "x", "--target", TWO)
    assert ran.code == 2
    assert "\x1b" not in ran.err
    assert "\\udcff\\x1b[31m\\n.binx: No such file" in ran.err
    ascii_only = spawn("inspect", name, "--hex", env={"PYTHONIOENCODING": "ascii"})
    assert ascii_only.code == 0


# Pipes, terminals and signals


def shell(script: str, *arguments: str) -> Ran:
    done = subprocess.run(
        ["bash", "-c", script, "bash", *arguments],
        capture_output=True,
        timeout=60,
        check=False,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
    )
    err = done.stderr.decode()
    assert "Traceback" not in err, err
    assert "Exception ignored" not in err, err
    return Ran(done.returncode, done.stdout, err)


@pytest.mark.parametrize(
    "words", ["inspect $1 $1 $1 --hex", "inspect $1 --json", "explain", "--help", "profile template mtty"]
)
def test_a_reader_that_goes_away(words: str) -> None:
    ran = shell(f'for i in 1 2 3; do transire {words} | true; echo "${{PIPESTATUS[0]}}"; done', STREAM)
    assert ran.err == ""
    assert set(ran.out.split()) <= {b"0", b"141"}


def test_a_closed_pipe_ends_quietly() -> None:
    for words in (
        ["inspect", STREAM],
        ["verify", STREAM, "--target", ONE],
        ["formats"],
        ["gate", STREAM, "--target", TWO, "-q"],
    ):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(command(*words), stdout=writer, stderr=subprocess.PIPE, check=False, timeout=60)
        os.close(writer)
        assert (done.returncode, done.stderr) == (141, b""), words


def test_a_full_disk_is_said() -> None:
    for words in (
        ["inspect", STREAM],
        ["gate", STREAM, "--target", TWO, "-q"],
        ["seal", STREAM, "--profile", TWO],
        ["--help"],
    ):
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(command(*words), stdout=full, stderr=subprocess.PIPE, check=False, timeout=60)
        assert b"Traceback" not in done.stderr
        if words != ["--help"]:
            assert done.stderr == b"transire: standard output: No space left on device\n", words
            assert done.returncode == 2
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command("verify", "nothing", "--target", TWO), stderr=full, check=False, timeout=60)
        assert done.returncode == 2


def test_closed_descriptors(tmp_path: Path) -> None:
    out = tmp_path / "out"
    ran = shell('transire verify - --target "$1" <&-', TWO)
    assert (ran.code, ran.err) == (2, "transire: standard input: it is closed\n")
    ran = shell('transire gate "$1" --target "$2" >&-', STREAM, TWO)
    assert (ran.code, ran.err) == (2, "transire: standard output: it is closed\n")
    assert shell('transire verify "$1" --target "$2" >&-', STREAM, ONE).code == 1
    ran = shell('transire gate "$1" --target "$2" 2>&- >"$3"', STREAM, ONE, str(out))
    assert (ran.code, out.read_bytes()) == (1, b"")
    ran = shell('transire gate "$1" --target "$2" --json 2>&- >"$3"', STREAM, TWO, str(out))
    assert (ran.code, out.read_bytes()) == (0, Path(STREAM).read_bytes())


def test_a_source_that_stalls() -> None:
    data = Path(STREAM).read_bytes()
    reader, writer = os.pipe()
    os.write(writer, data[:60])
    began = time.monotonic()
    ran = spawn("gate", "--target", TWO, "--deadline", "0.3", stdin=reader)
    assert time.monotonic() - began < 10
    os.close(writer)
    os.close(reader)
    assert (ran.code, ran.out) == (5, b"")
    assert "stream.stalled" in ran.err


def test_a_sink_that_stalls(profile: transire.Profile, tmp_path: Path) -> None:
    big = transire.seal(bytes(4 << 20), profile, payload_format="opaque")
    assert isinstance(big, bytes)
    file = write(tmp_path / "big", big)
    reader, writer = os.pipe()
    done = subprocess.run(
        command("gate", file, "--target", TWO, "--deadline", "0.3", "-q"),
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
        timeout=10,
    )
    os.close(reader)
    os.close(writer)
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
    assert done.stderr.decode() == "transire: the sink took nothing for longer than the deadline\n"


def test_an_interrupt_ends_quietly() -> None:
    reader, writer = os.pipe()
    with subprocess.Popen(
        command("gate", "--target", TWO, "-q"), stdin=reader, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        os.write(writer, Path(STREAM).read_bytes()[:60])
        # Until it waits for more.
        while not _sleeps(running.pid):
            pass
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=30)
    os.close(reader)
    os.close(writer)
    assert (running.returncode, out, err) == (130, b"", b"")


def _sleeps(pid: int) -> bool:
    before = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    time.sleep(0.2)
    after = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    # The state, and the time that it has run for, in user space and in the kernel.
    return after[0] == "S" and before[11:13] == after[11:13]


def on_terminal(words: Sequence[str], *, stdin: bytes = b"", env: dict[str, str] | None = None) -> tuple[int, str]:
    """Run the command with standard output and error on a terminal."""
    controller, terminal = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", **(env or {})}
    environment.pop("NO_COLOR", None)
    environment.update(env or {})
    with subprocess.Popen(
        command(*words), stdin=subprocess.PIPE, stdout=terminal, stderr=terminal, env=environment
    ) as running:
        os.close(terminal)
        assert running.stdin is not None
        running.stdin.write(stdin)
        running.stdin.close()
        seen = b""
        while True:
            try:
                piece = os.read(controller, 65536)
            except OSError:
                # The terminal's way to say that nobody has it open any more.
                break
            if not piece:
                break
            seen += piece
        os.close(controller)
    return running.returncode, seen.decode()


def test_colour_on_a_terminal_only() -> None:
    for words in (["inspect", STREAM], ["verify", STREAM, "--target", ONE], ["formats"], ["explain", "frame.crc"]):
        _, seen = on_terminal(words)
        assert "\x1b[" in seen, words
        for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            code, plain = on_terminal(words, env=env)
            assert "\x1b" not in plain
            assert plain.replace("\r\n", "\n") == spawn(*words).text
            assert code == spawn(*words).code


def test_progress_on_a_terminal_only(tmp_path: Path, profile: transire.Profile) -> None:
    big = transire.seal(bytes(64 << 20), profile, payload_format="opaque")
    assert isinstance(big, bytes)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    def feed() -> None:
        with fifo.open("wb") as out:
            out.write(big[: 8 << 20])
            # Longer than the time after which something is drawn.
            time.sleep(0.8)
            out.write(big[8 << 20 :])

    feeder = threading.Thread(target=feed)
    feeder.start()
    code, seen = on_terminal(["verify", str(fifo), "--target", TWO])
    feeder.join()
    assert code == 0
    assert "MB" in seen
    assert "compatible" in seen.splitlines()[-1]
    feeder = threading.Thread(target=feed)
    feeder.start()
    ran = spawn("verify", str(fifo), "--target", TWO)
    feeder.join()
    assert ran == (0, f"{fifo}: compatible\n".encode(), "")


# The demo


def test_the_demo(root: Path) -> None:
    ran = shell('cd "$1" && sh demo/run.sh', str(root))
    assert (ran.code, ran.err) == (0, "")
    for words in (
        "$ transire inspect card.bin",
        "card.bin: compatible",
        "card.bin: incompatible",
        "frame.crc",
        "at offset",
    ):
        assert words in ran.text


def test_a_machine_without_vfio_devices_needs_no_target(run: Callable[..., Ran]) -> None:
    stream = CAPTURES.parent / "qemu-vfio" / "pc-mtty1.stream"
    for name in ("gate", "verify"):
        ran = run(name, "--input", "qemu", str(stream))
        assert ran.code == 1
        assert "qemu.device-unexpected" in ran.err + ran.out.decode("latin-1")

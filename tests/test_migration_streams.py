"""What the benchmarks measure: the streams that they make are whole, and both ways of walking find the same in them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import transire

SCRIPTS = Path(__file__).parent.parent / "scripts"
MEBIBYTES = 40
PAGES = MEBIBYTES << 20 >> 12


@pytest.mark.parametrize(("kind", "pages"), [("random", (PAGES, 0)), ("zero", (0, PAGES))])
def test_a_made_stream_is_whole(kind: str, pages: tuple[int, int], tmp_path: Path) -> None:
    stream = tmp_path / "vm.stream"
    with stream.open("wb") as file:
        made = [sys.executable, str(SCRIPTS / "migration_streams.py"), kind, str(MEBIBYTES)]
        subprocess.run(made, stdout=file, timeout=60, check=True)
    verdict = transire.verify(stream, [])
    assert verdict.complete
    assert verdict.reasons == ()
    contents = transire.inspect(stream).container
    assert contents is not None
    assert (contents.ram["pages"], contents.ram["zero_pages"]) == pages
    sections = sum(part.kind in ("START", "PART", "END", "FULL") for part in contents.parts)
    walked = [sys.executable, str(SCRIPTS / "plain_walk.py"), str(stream)]
    found = subprocess.run(walked, capture_output=True, timeout=60, check=True).stdout
    assert tuple(map(int, found.split())) == (sections, *pages)

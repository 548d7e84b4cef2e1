"""The guide to adding a vendor holds: with its declaration, and nothing else, the reference reads the toy as the table
says. The guide's Rust is a documentation test of the core.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from transire import reference
from transire.reference.vendors import FORMATS, VENDORS

GUIDE = (Path(__file__).parent.parent / "docs" / "adding-a-vendor.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `([0-9a-f ]+)` \| (\w+) \| `([^`]+)` \| (\S+) \| [^|]+ \|$", GUIDE, re.MULTILINE)


@pytest.fixture
def lamp(monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    # What the guide adds goes with the test.
    for table in (VENDORS, FORMATS):
        monkeypatch.setitem(table, "lamp", None)
    exec(compile(code, "docs/adding-a-vendor.md", "exec"), {})  # the code that the guide shows


@pytest.mark.usefixtures("lamp")
@pytest.mark.parametrize(("digits", "outcome", "identity", "offset"), ROWS)
def test_the_toy_is_read_as_the_table_says(digits: str, outcome: str, identity: str, offset: str) -> None:
    reading = reference.read(bytes.fromhex(digits), {"vendor": "lamp", "attributes": {"zones": 2}})
    worst = sorted(reading.reasons, key=lambda reason: -reason.outcome)[:1]
    found = [(reason.id, str(reason.offset)) for reason in worst] or [("-", "-")]
    assert (reading.outcome.name.lower(), *found[0]) == (outcome, identity, offset)


def test_the_table_has_every_kind() -> None:
    ids = set(re.findall(r'"(lamp\.[a-z]+)", [A-Z]', GUIDE))
    assert ids <= {identity for _, _, identity, _ in ROWS}
    assert len(ROWS) >= 10

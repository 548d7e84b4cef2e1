"""`fixtures/vectors`: the script that makes them makes the same again, they cover what they should, and every
implementation that can be reached from here comes to what they say.
"""

from __future__ import annotations

import hashlib
import json
import runpy
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import transire
from transire import reference
from transire.reference.vendors import VENDORS as OF_THE_REFERENCE

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "fixtures" / "vectors"
TABLE: dict[str, Any] = json.loads((FOLDER / "vectors.json").read_bytes())
VECTORS: list[dict[str, Any]] = TABLE["vectors"]
STRICT = [vector for vector in VECTORS if vector["standard"] == "strict"]
DRIVER = [vector for vector in VECTORS if vector["standard"] == "driver"]
# Inputs up to this are also fed byte by byte.
SMALL = 8192
# Where the compiled part differs from the documentation for now. An entry that no longer differs fails: take it out.
DIFFERENCES: dict[str, str] = {}


def parameters(vectors: list[dict[str, Any]]) -> list[Any]:
    """Tests are strict here: an expected failure that passes fails."""
    return [
        pytest.param(one, id=one["id"], marks=pytest.mark.xfail(reason=DIFFERENCES[one["id"]]))
        if one["id"] in DIFFERENCES
        else pytest.param(one, id=one["id"])
        for one in vectors
    ]


def ids(vector: dict[str, Any]) -> str:
    return str(vector["id"])


def bytes_of(vector: dict[str, Any]) -> bytes:
    source = vector["input"]
    data = bytes.fromhex(source["hex"]) if "hex" in source else (FOLDER / source["file"]).read_bytes()
    assert len(data) == source.get("length", len(data))
    return data


def target_of(vector: dict[str, Any]) -> transire.Target | None:
    if vector["target"] is None:
        return None
    return transire.Target.read(json.dumps(vector["target"]))


def reasons_of(verdict: transire.Verdict) -> list[dict[str, Any]]:
    return [
        {"id": one.id, "offset": one.offset, "in_payload": one.in_payload, "attribute": one.attribute}
        for one in verdict.reasons
    ]


def summary(payload: bytes) -> dict[str, Any]:
    return {"length": len(payload), "sha256": hashlib.sha256(payload).hexdigest()}


def is_known_to_the_reference(vector: dict[str, Any]) -> bool:
    """Whether the reference knows the target's vendor, and the source's, where anybody does."""
    known = {vendor.name for vendor in transire.vendors()} - OF_THE_REFERENCE.keys()
    if vector["target"] is not None and vector["target"]["vendor"] in known:
        return False
    data = bytes_of(vector)
    # A header begins with its vendor: an attribute of 8 bytes at 32, and the name.
    name = data[40 : 40 + int.from_bytes(data[36:40], "little")]
    return data[:8] != b"TRANSIRE" or name.decode(errors="replace") not in known


def test_the_script_makes_the_same_again(tmp_path: Path) -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "make_vectors.py"))
    assert script["crc32c"](b"123456789") == 0xE3069283
    # BLAKE3's own test vectors: bytes 0 to 250, repeated. One chunk, and trees of two and of five.
    for length, digest in {
        0: "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
        1024: "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7",
        1025: "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444",
        5120: "9cadc15fed8b5d854562b26a9536d9707cadeda9b143978f319ab34230535833",
    }.items():
        assert script["blake3"](bytes(at % 251 for at in range(length))).hex() == digest
    script["make"](tmp_path)
    made, kept = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in (tmp_path, FOLDER))
    assert made.keys() == kept.keys()
    assert [name for name in made if made[name] != kept[name]] == []
    assert sum(map(len, kept.values())) < 3 << 20


def test_the_worked_examples_are_among_them() -> None:
    text = (ROOT / "docs" / "format.md").read_text(encoding="utf-8")
    by_id = {vector["id"]: vector for vector in VECTORS}
    names = {
        "profile": "profile-example",
        "none": "sealed-example-none",
        "blake3": "sealed-example-blake3",
        "answer": "answer-example",
    }
    for label, name in names.items():
        dump = text.split(f"```hex {label}\n")[1].split("```")[0]
        digits = "".join(line.split(":")[1] for line in dump.splitlines())
        assert bytes_of(by_id[name]) == bytes.fromhex(digits)


def test_the_table_is_whole() -> None:
    assert TABLE["count"] == len(VECTORS) == len({vector["id"] for vector in VECTORS})
    assert {flag for vector in VECTORS for flag in vector["flags"]} == TABLE["flags"].keys()
    files = {vector["input"]["file"] for vector in VECTORS if "file" in vector["input"]}
    assert files | {"vectors.json"} == {path.name for path in FOLDER.iterdir()}
    assert TABLE["outcomes"] == [outcome.value for outcome in transire.Outcome]
    severity = TABLE["outcomes"].index
    for vector in VECTORS:
        said = [TABLE["reasons"][kind_of(reason["id"])] for reason in vector["reasons"]]
        assert said == sorted(said, key=severity, reverse=True), vector["id"]
        assert vector["outcome"] == (said[0] if said else "compatible"), vector["id"]


def kind_of(reason: str) -> str:
    """The row of the catalogue: `.not-equal` for `nr_ports.not-equal`."""
    return reason if reason in TABLE["reasons"] else "." + reason.rpartition(".")[2]


def test_every_reason_is_hit_three_times() -> None:
    known = transire.reason_ids()
    assert set(known) == TABLE["reasons"].keys()
    for kind in known:
        assert TABLE["reasons"][kind] == transire.explain(f"pci_id{kind}" if kind[0] == "." else kind).outcome
    # A vector counts once, however often it has the reason.
    hits = Counter(kind for vector in VECTORS for kind in {kind_of(reason["id"]) for reason in vector["reasons"]})
    assert {kind: hits[kind] for kind in known if hits[kind] < 3 and kind not in TABLE["not_covered"]} == {}
    assert {kind for kind in known if not hits[kind]} == TABLE["not_covered"].keys()


@pytest.mark.parametrize("vector", parameters(VECTORS))
def test_verify(vector: dict[str, Any]) -> None:
    named = {key: vector[key] for key in ("writes", "format", "earlier") if key in vector}
    verdict = transire.verify(bytes_of(vector), target_of(vector), standard=vector["standard"], **named)
    assert reasons_of(verdict) == vector["reasons"]
    assert verdict.outcome == vector["outcome"]
    assert verdict.complete == vector["complete"]
    assert verdict.dropped == vector.get("dropped", 0)


# Attributes of a vendor have no names without a target.
@pytest.mark.parametrize(
    "vector", parameters([one for one in STRICT if not {"Answer", "Rule", "TargetTerms"} & set(one["flags"])])
)
def test_structure_needs_no_target(vector: dict[str, Any]) -> None:
    data, named = bytes_of(vector), vector.get("format")
    if named is None and transire.verify(data).format != transire.verify(data, target_of(vector)).format:
        pytest.skip("only the target says what this is")
    verdict = transire.verify(data, format=named)
    assert [one | {"attribute": None} for one in reasons_of(verdict)] == [
        one | {"attribute": None} for one in vector["reasons"]
    ]
    assert (verdict.outcome, verdict.complete) == (vector["outcome"], vector["complete"])
    assert verdict.dropped == vector.get("dropped", 0)


@pytest.mark.parametrize("vector", parameters([one for one in STRICT if one["target"] is not None]))
def test_gate(vector: dict[str, Any]) -> None:
    data = bytes_of(vector)
    pieces = [data[at : at + 1] for at in range(len(data))] if len(data) <= SMALL else [data[:-1], data[-1:]]
    target = target_of(vector)
    assert target is not None
    gate = transire.Gate(target, format=vector.get("format"))
    delivered = b"".join(map(gate.feed, pieces)) + gate.finish()
    assert gate.complete == vector["complete"]
    found = reasons_of(gate.verdict)
    if vector["outcome"] == "compatible":
        assert found == vector["reasons"]
        assert gate.verdict.dropped == vector.get("dropped", 0)
    else:
        # A gate stops at the first verdict that does not admit the stream, where verify reads on. So it has found some
        # of the reasons; all of them where there is only one that speaks against the stream.
        assert gate.verdict.outcome != "compatible"
        left = list(vector["reasons"])
        for reason in found:
            left.remove(reason)
        against = [one for one in vector["reasons"] if TABLE["reasons"][kind_of(one["id"])] != "compatible"]
        assert [one for one in found if one in against] != []
        if len(against) == 1:
            assert against[0] not in left
    if "payload" in vector:
        assert summary(delivered) == vector["payload"]


@pytest.mark.parametrize("vector", DRIVER, ids=ids)
def test_predict(vector: dict[str, Any]) -> None:
    data, target = bytes_of(vector), target_of(vector)
    assert target is not None
    kind, _, places = vector["writes"].partition(":")
    if kind == "each":
        size = int(places)
        writes = [data[at : at + size] for at in range(0, len(data), size)]
    else:
        cuts = [0, *map(int, places.split(",")), len(data)] if kind == "split" else [0, len(data)]
        writes = [data[start:end] for start, end in pairwise(cuts)]
    prediction = transire.predict(writes, target, format=vector.get("format"), earlier=vector.get("earlier", "none"))
    found = prediction.to_dict() | {"depends": prediction.depends is not None}
    assert {key: found[key] for key in vector["driver"]} == vector["driver"]
    assert prediction.accepted == vector["complete"]


@pytest.mark.parametrize("vector", [one for one in STRICT if is_known_to_the_reference(one)], ids=ids)
def test_reference(vector: dict[str, Any]) -> None:
    reading = reference.read(bytes_of(vector), vector["target"], int(time.time()), format=vector.get("format"))
    # It gives reasons as they were found, without their attributes.
    ordered = sorted(reading.reasons, key=lambda reason: -reason.outcome)
    found = [(one.id, one.offset, one.in_payload) for one in ordered]
    assert found == [(one["id"], one["offset"], one["in_payload"]) for one in vector["reasons"]]
    assert reading.outcome.name.lower() == vector["outcome"]
    assert reading.dropped == vector.get("dropped", 0)
    if "payload" in vector:
        assert reading.ended
        assert summary(reading.payload) == vector["payload"]

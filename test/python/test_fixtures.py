"""The golden fixtures of test/fixtures give what Rust and TypeScript get from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from otlp_arrow import decode, encode

from cells import normal_rows, rows

FIXTURES = Path(__file__).parent.parent / "fixtures"
CASES = sorted(path.name.removesuffix(".request.json") for path in FIXTURES.glob("*.request.json"))


@pytest.mark.parametrize("name", CASES)
def test_a_fixture(name: str) -> None:
    signal: Any = name.split("-")[0]
    expected = json.loads((FIXTURES / f"{name}.rows.json").read_text())
    refused = sum(expected["refused"].values())
    for suffix, format_ in (("json", "json"), ("binpb", "protobuf")):
        decoded = decode(signal, (FIXTURES / f"{name}.request.{suffix}").read_bytes(), format_)
        assert decoded.rejected == refused
        table = pa.table(decoded)
        assert rows(table) == normal_rows(expected["rows"], table.schema)
        assert encode(signal, table, "json") == (FIXTURES / f"{name}.encoded.json").read_bytes()
        again = pa.table(decode(signal, encode(signal, table)))
        assert rows(again) == rows(table)


def test_there_are_fixtures() -> None:
    assert len(CASES) >= 7

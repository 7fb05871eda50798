"""The golden fixtures of test/fixtures give what Rust and TypeScript get from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
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


@pytest.mark.parametrize("name", CASES)
def test_a_table_of_another_tool_becomes_the_same_request(name: str) -> None:
    signal: Any = name.split("-")[0]
    held = pa.table(decode(signal, (FIXTURES / f"{name}.request.binpb").read_bytes()))
    expected = encode(signal, held)
    text = {"traces": "name", "metrics": "metric_name", "logs": "severity_text"}[signal]
    frame = pl.DataFrame(held)
    assert encode(signal, frame) == expected
    assert encode(signal, frame.with_columns(pl.col(text).cast(pl.Categorical))) == expected
    assert encode(signal, frame.slice(1)) == encode(signal, held.slice(1))
    assert encode(signal, duckdb.sql("select * from held")) == expected


def test_there_are_fixtures() -> None:
    assert len(CASES) >= 7

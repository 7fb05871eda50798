"""The one-liners of docs/schema.md for a folder in which live and sealed files lie side by side."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from glob import glob
from pathlib import Path
from typing import Any

import datafusion
import duckdb
import pandas as pd
import polars as pl
import pyarrow.dataset as ds
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from otlp_arrow import OtlpLibrary

DOCS = Path(__file__).parents[2] / "docs" / "schema.md"
ROW = re.compile(r"^\| (\w+) \| `(.*)` \|$", re.MULTILINE)


def one_liners() -> dict[str, str]:
    """Read the table from the documentation."""
    section = DOCS.read_text().split("## A folder at once")[1].split("\n## ")[0]
    found = dict(ROW.findall(section))
    assert set(found) == {"polars", "pyarrow", "pandas", "DuckDB", "DataFusion"}
    return found


def names(line: str, d: str) -> list[str]:
    """Run a one-liner: the names of the spans it finds."""
    scope: dict[str, Any] = {
        "d": d,
        "glob": glob,
        "pl": pl,
        "ds": ds,
        "pd": pd,
        "duckdb": duckdb,
        "ctx": datafusion.SessionContext(),
    }
    found = eval(line, scope)
    if hasattr(found, "to_arrow_table"):
        found = found.to_arrow_table()
    column = found["name"] if not isinstance(found, duckdb.DuckDBPyRelation) else found.fetchnumpy()["name"]
    values = column.to_pylist() if hasattr(column, "to_pylist") else list(column)
    return sorted(map(str, values))


@pytest.fixture
def library(tmp_path: Path) -> Iterator[OtlpLibrary]:
    with OtlpLibrary(output_dir=tmp_path / "telemetry") as library:
        yield library


def spans(library: OtlpLibrary, *names: str) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(library.span_exporter()))
    for name in names:
        provider.get_tracer("t").start_span(name).end()


@pytest.mark.parametrize("tool", ["polars", "pyarrow", "pandas", "DuckDB", "DataFusion"])
def test_a_folder_with_live_and_sealed_files(library: OtlpLibrary, tmp_path: Path, tool: str) -> None:
    folder = tmp_path / "telemetry" / "otlp" / "traces"
    line = one_liners()[tool]
    spans(library, "a", "b")
    library.flush(seal=True)
    spans(library, "c")
    assert {path.suffix for path in folder.iterdir()} == {".arrow", ".arrows"}
    assert names(line, str(folder)) == ["a", "b"]
    library.flush(seal=True)
    assert names(line, str(folder)) == ["a", "b", "c"]


def test_a_folder_that_is_being_sealed(library: OtlpLibrary, tmp_path: Path) -> None:
    """What a glob finds is whole, whenever it looks."""
    folder, lines, stop = str(tmp_path / "telemetry" / "otlp" / "traces"), one_liners(), threading.Event()
    spans(library, "first")
    library.flush(seal=True)

    def record() -> None:
        while not stop.is_set():
            spans(library, "more")
            library.flush(seal=True)

    thread = threading.Thread(target=record)
    thread.start()
    try:
        for _ in range(20):
            for tool in ("polars", "pyarrow", "DuckDB"):
                assert "first" in names(lines[tool], folder)
    finally:
        stop.set()
        thread.join()

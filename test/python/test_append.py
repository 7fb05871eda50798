"""Rows of the storage schema that go in: from every tool, read, followed and forwarded as if they had come by OTLP."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from otlp_arrow import ExportOutcome, OtlpLibrary, decode, encode, errors

from cells import rows as cells
from support import eventually, rows

FIXTURES = Path(__file__).parent.parent / "fixtures"
CASES = sorted(path.name.removesuffix(".request.json") for path in FIXTURES.glob("*.request.json"))


def request_of(name: str) -> tuple[Any, bytes]:
    return name.split("-")[0], (FIXTURES / f"{name}.request.binpb").read_bytes()


def by_duckdb(held: pa.Table) -> Any:
    return duckdb.sql("select * from held")


def by_pandas(held: pa.Table) -> Any:
    return held.to_pandas(types_mapper=pd.ArrowDtype)


TOOLS: dict[str, Callable[[pa.Table], Any]] = {
    "decoded": lambda held: held,
    "batch": lambda held: held.combine_chunks().to_batches()[0],
    "reader": lambda held: held.to_reader(max_chunksize=2),
    "polars": pl.DataFrame,
    "duckdb": by_duckdb,
    "pandas": by_pandas,
}


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("name", CASES)
def test_rows_of_every_tool_are_kept_as_otlp_would_have_been(directory: Path, name: str, tool: str) -> None:
    signal, request = request_of(name)
    held = pa.table(decode(signal, request))
    with OtlpLibrary(output_dir=directory) as library:
        assert library.append(signal, TOOLS[tool](held)) == ExportOutcome(len(held), 0, "")
        assert cells(pa.table(library.read(signal)), held.schema) == cells(held)
    with OtlpLibrary(output_dir=directory) as library:
        sealed = library.read(signal)
        assert encode(signal, sealed, "json") == (FIXTURES / f"{name}.encoded.json").read_bytes()


@pytest.mark.parametrize("name", CASES)
def test_what_is_read_goes_back_in_equal(tmp_path: Path, name: str) -> None:
    signal, request = request_of(name)
    with OtlpLibrary(output_dir=tmp_path / "a") as a, OtlpLibrary(output_dir=tmp_path / "b") as b:
        kept = a.export_otlp(signal, request).accepted
        expected = pa.table(a.read(signal))
        again = [
            a.read(signal),
            a.read(signal, dictionaries=True),
            expected,
            pl.DataFrame(a.read(signal)),
            by_duckdb(expected),
        ]
        for held in again:
            assert b.append(signal, held).accepted == kept
        assert cells(pa.table(b.read(signal))) == cells(expected) * len(again)


@pytest.mark.parametrize("name", CASES)
def test_they_are_followed_and_forwarded(tmp_path: Path, name: str) -> None:
    signal, request = request_of(name)
    held = pa.table(decode(signal, request))
    with OtlpLibrary(output_dir=tmp_path / "far", listen={"grpc": "127.0.0.1:0"}) as far:
        forward = {"name": "far", "endpoint": f"http://{far.addresses()['grpc']}"}
        with OtlpLibrary(output_dir=tmp_path / "near", forward=[forward]) as library:
            followed = library.subscribe(signal, "follower")
            library.append(signal, held)
            batch = pa.table(next(followed))
            assert cells(batch, held.schema) == cells(held)
            followed.close()
            eventually(lambda: len(rows(far, signal)) == len(held))
        arrived = far.read(signal)
        assert encode(signal, arrived, "json") == (FIXTURES / f"{name}.encoded.json").read_bytes()


def test_columns_that_follow_from_others_are_made_anew(library: OtlpLibrary) -> None:
    signal, request = request_of("traces-official")
    held = pl.DataFrame(pa.table(decode(signal, request)))
    library.append(signal, held.drop("duration", "service_name"))
    library.append(signal, held.with_columns(duration=pl.lit(1, pl.Int64), service_name=pl.lit("somebody")))
    found = rows(library, signal)
    expected = held.select("duration", "service_name").rows() * 2
    assert [(row["duration"], row["service_name"]) for row in found] == expected


def test_memory_may_be_used_again_at_once(directory: Path) -> None:
    """What was appended is a copy: buffered rows are not those of the array any more."""
    table = pa.table(decode("logs", request_of("logs-bodies")[1]))
    flags = np.arange(len(table), dtype=np.uint32)
    at = table.schema.get_field_index("flags")
    table = table.set_column(at, pa.field("flags", pa.uint32()), pa.array(flags))
    with OtlpLibrary(output_dir=directory, durability="buffered", write_interval="60s") as library:
        library.append("logs", table)
        flags[:] = 7
        library.flush()
        assert [row["flags"] for row in rows(library, "logs")] == list(range(len(table)))


def test_a_table_is_one_commit_or_nothing(library: OtlpLibrary) -> None:
    signal, request = request_of("logs-bodies")
    held = pa.table(decode(signal, request)).combine_chunks()
    broken = held.set_column(
        held.schema.get_field_index("body_type"), "body_type", pa.array(["s"] * (len(held) - 1) + ["i"])
    )
    broken = broken.set_column(broken.schema.get_field_index("body"), "body", pa.array(["text"] * len(held)))
    schema = broken.schema
    reader = pa.RecordBatchReader.from_batches(schema, broken.to_batches(max_chunksize=2))
    last = len(held) - 1
    with pytest.raises(errors.InvalidDataError, match=f"row {last}, column body: with the letter i: not an integer"):
        library.append(signal, reader)
    assert rows(library, signal) == []
    stats = library.stats()
    assert stats["accepted_records"][signal] == 0
    assert stats["buffer_bytes"] == 0


def test_what_is_wrong_is_named(directory: Path) -> None:
    held = pa.table(decode("traces", request_of("traces-official")[1]))
    frame = pl.DataFrame(held)
    with OtlpLibrary(output_dir=directory) as library:
        wrong = [
            (frame.with_columns(kind=pl.lit(1)), "column kind is of type Int32, and must be text: Utf8"),
            (frame.drop("start_time"), "column start_time is missing or has only nulls, and must be Timestamp"),
            (frame.with_columns(colour=pl.lit("red")), "column colour is not one of traces in storage schema v1"),
            (frame.with_columns(kind=pl.lit("boss")), "row 0, column kind: is not one of the names"),
            (frame.with_columns(pl.col("end_time").dt.cast_time_unit("us")), "column end_time is of type Timestamp"),
            (held.to_pandas(), "column "),
            (pa.table({"a": [1]}), "column a is not one of traces"),
        ]
        for data, message in wrong:
            with pytest.raises(errors.InvalidDataError, match=message) as raised:
                library.append("traces", data)
            assert not raised.value.retryable
        with pytest.raises(errors.InvalidDataError, match="these are the columns of traces, not of logs"):
            library.append("logs", frame)
        with pytest.raises(TypeError, match="expected an object with __arrow_c_stream__"):
            library.append("traces", [1, 2])  # type: ignore[arg-type]
        with pytest.raises(errors.InvalidConfigError, match="unknown signal"):
            library.append("spans", frame)  # type: ignore[arg-type]
        assert rows(library, "traces") == []
    with pytest.raises(errors.ClosedError):
        library.append("traces", frame)


def test_too_much_is_refused_before_it_is_read(directory: Path) -> None:
    batch = pa.table(decode("logs", request_of("logs-bodies")[1])).combine_chunks().to_batches()[0]
    asked = 0

    def endless() -> Any:
        nonlocal asked
        while True:
            asked += 1
            yield batch

    with OtlpLibrary(output_dir=directory, limits={"max_request_memory": "1MiB"}) as library:
        with pytest.raises(errors.TooLargeError, match=r"limits\.max_request_memory") as raised:
            library.append("logs", pa.RecordBatchReader.from_batches(batch.schema, endless()))
        assert not raised.value.retryable
        assert asked < 10_000, "no more was read than there was room for"
        assert rows(library, "logs") == []
        assert library.stats()["buffer_bytes"] == 0


def test_a_stream_that_fails_leaves_nothing(library: OtlpLibrary) -> None:
    batch = pa.table(decode("logs", request_of("logs-bodies")[1])).combine_chunks().to_batches()[0]

    def failing() -> Any:
        yield batch
        raise RuntimeError("the source is gone")

    with pytest.raises(errors.InvalidDataError, match="the source is gone"):
        library.append("logs", pa.RecordBatchReader.from_batches(batch.schema, failing()))
    assert rows(library, "logs") == []

"""Files opened by the tools people have: every cell equal, and a plain question answered without our code."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datafusion
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.ipc as ipc
import pytest

from otlp_arrow import OtlpLibrary, encode

from recording import SPANS, Recorded, route

SIGNALS = ["traces", "metrics", "logs"]
FORMS = ["live", "sealed"]
ROUTES = [route(i) for i in range(SPANS)]

Open = Callable[[Path], Any]


def pyarrow_table(path: Path) -> pa.Table:
    return (ipc.open_stream if path.suffix == ".arrows" else ipc.open_file)(path).read_all()


def cell(value: Any) -> Any:
    """One cell of any tool as plain data: maps as pairs, times as nanoseconds, NaN as text."""
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, pd.Timestamp):
        return value.value
    if isinstance(value, dt.datetime):
        micros = (value.astimezone(dt.UTC) - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
        return micros * 1000
    if isinstance(value, dict):
        return {key: cell(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [cell(one) for one in value]
    if hasattr(value, "tolist"):
        return cell(value.tolist())
    return value


def plain(table: pa.Table) -> list[dict[str, Any]]:
    """A table as plain data, times as exact integers."""

    def ints(type_: pa.DataType) -> pa.DataType:
        if pa.types.is_timestamp(type_):
            return pa.int64()
        if pa.types.is_dictionary(type_):
            return type_.value_type
        if pa.types.is_map(type_):
            return pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())]))
        if pa.types.is_large_string(type_) or pa.types.is_string_view(type_):
            return pa.string()
        if pa.types.is_large_binary(type_) or pa.types.is_fixed_size_binary(type_) or pa.types.is_binary_view(type_):
            return pa.binary()
        if pa.types.is_list(type_) or pa.types.is_large_list(type_):
            return pa.list_(ints(type_.value_type))
        if pa.types.is_struct(type_):
            return pa.struct([(field.name, ints(field.type)) for field in type_])
        return type_

    return [
        {name: cell(value) for name, value in row.items()}
        for row in pa.table(
            [convert(table[name].combine_chunks(), ints) for name in table.column_names], table.column_names
        ).to_pylist()
    ]


def convert(column: Any, ints: Callable[[pa.DataType], pa.DataType]) -> Any:
    """Cast what Arrow casts, and walk down where it does not."""
    type_ = column.type
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], type_)
    if pa.types.is_map(type_):
        keys, values = (convert(part, ints) for part in (column.keys, column.items))
        pairs = pa.StructArray.from_arrays([keys, values], ["key", "value"])
        return pa.ListArray.from_arrays(column.offsets, pairs, mask=column.is_null())
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        offsets = column.offsets.cast(pa.int32())
        return pa.ListArray.from_arrays(offsets, convert(column.values, ints), mask=column.is_null())
    if pa.types.is_struct(type_):
        children = [convert(column.field(i), ints) for i in range(type_.num_fields)]
        return pa.StructArray.from_arrays(children, [field.name for field in type_], mask=column.is_null())
    return column.cast(ints(type_))


@pytest.mark.parametrize("signal", SIGNALS)
def test_both_forms_hold_the_same_rows(recorded: Recorded, signal: str) -> None:
    live, sealed = (pyarrow_table(recorded.file(form, signal)) for form in FORMS)
    assert len(live) > 50
    assert live.schema.equals(sealed.schema)
    assert plain(live) == plain(sealed)
    sealed.validate(full=True)
    live.validate(full=True)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("signal", SIGNALS)
class TestEveryCellIsEqual:
    def test_polars(self, recorded: Recorded, form: str, signal: str) -> None:
        path = recorded.file(form, signal)
        frame = pl.read_ipc_stream(path) if form == "live" else pl.scan_ipc(path.parent / "*.arrow").collect()
        assert plain(frame.to_arrow()) == plain(pyarrow_table(path))

    def test_datafusion(self, recorded: Recorded, form: str, signal: str) -> None:
        path = recorded.file(form, signal)
        context = datafusion.SessionContext()
        context.register_arrow("t", path, file_extension=path.suffix)
        found = pa.table(context.sql("select * from t"))
        assert plain(found) == plain(pyarrow_table(path))

    def test_duckdb(self, recorded: Recorded, form: str, signal: str) -> None:
        table = pyarrow_table(recorded.file(form, signal))
        found = duckdb.from_arrow(table).to_arrow_table()
        assert plain(found) == plain(table)

    def test_pandas(self, recorded: Recorded, form: str, signal: str) -> None:
        path = recorded.file(form, signal)
        if form == "sealed":
            frame = pd.read_feather(path, dtype_backend="pyarrow")
        else:
            frame = pyarrow_table(path).to_pandas(types_mapper=pd.ArrowDtype)
        assert plain(pa.Table.from_pandas(frame, preserve_index=False)) == plain(pyarrow_table(path))

    def test_the_c_stream_of_the_library(self, recorded: Recorded, form: str, signal: Any) -> None:
        expected = plain(pyarrow_table(recorded.file(form, signal)))
        with OtlpLibrary(output_dir=recorded.sealed) as library:
            assert plain(pa.table(library.read(signal))) == expected
            assert plain(pl.DataFrame(library.read(signal)).to_arrow()) == expected
            kept = library.read(signal, dictionaries=True)
            assert plain(duckdb.from_arrow(pa.table(kept)).to_arrow_table()) == expected
            rows = library.read(signal)  # noqa: F841 - DuckDB finds it by its name
            assert plain(duckdb.sql("select * from rows").to_arrow_table()) == expected

    def test_tables_of_a_tool_become_otlp_again(self, recorded: Recorded, form: str, signal: Any) -> None:
        table = pyarrow_table(recorded.file(form, signal))
        assert encode(signal, table) == encode(signal, table.combine_chunks())


QUESTIONS: dict[str, Callable[[Path], list[Any]]] = {
    "pyarrow": lambda path: pc.map_lookup(
        pyarrow_table(path)["attributes"].combine_chunks(), "http.route", "first"
    ).to_pylist(),
    "polars": lambda path: (
        (pl.read_ipc_stream(path) if path.suffix == ".arrows" else pl.scan_ipc(path).collect())
        .select(pl.col("attributes").map.get("http.route"))
        .to_series()
        .to_list()
    ),
    "DuckDB": lambda path: [
        row[0] for row in duckdb.from_arrow(pyarrow_table(path)).project("attributes['http.route']").fetchall()
    ],
    "DataFusion": lambda path: datafusion_routes(path),
    "pandas": lambda path: [
        dict(one).get("http.route") for one in pyarrow_table(path).to_pandas(types_mapper=pd.ArrowDtype)["attributes"]
    ],
}


def datafusion_routes(path: Path) -> list[Any]:
    context = datafusion.SessionContext()
    context.register_arrow("t", path, file_extension=path.suffix)
    found = pa.table(context.sql("select attributes['http.route'] as route from t"))
    return [
        one[0] if isinstance(one, list) and one else (None if one == [] else one) for one in found["route"].to_pylist()
    ]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("tool", QUESTIONS)
def test_an_attribute_is_asked_for(recorded: Recorded, form: str, tool: str) -> None:
    assert QUESTIONS[tool](recorded.file(form, "traces")) == ROUTES


@pytest.mark.parametrize("form", FORMS)
def test_a_group_by_over_an_attribute_and_a_nested_list(recorded: Recorded, form: str) -> None:
    spans = pyarrow_table(recorded.file(form, "traces"))
    expected = {where: ROUTES.count(where) for where in set(ROUTES)}
    counted = duckdb.sql("select attributes['http.route'] as route, count(*) from spans group by all").fetchall()
    assert dict(counted) == expected
    events = duckdb.sql("select e.name, count(*) from (select unnest(events) as e from spans) group by all").fetchall()
    assert dict(events) == {f"event {j}": sum(1 for i in range(SPANS) if i % 4 > j) for j in range(3)}
    assert spans.group_by("name").aggregate([("duration", "count")]).num_rows == 7 if form == "sealed" else True


@pytest.mark.parametrize("signal", SIGNALS)
def test_a_directory_of_sealed_files_is_a_dataset(recorded: Recorded, signal: str) -> None:
    path = recorded.file("sealed", signal)
    data = ds.dataset(path.parent, format="ipc")
    assert plain(data.to_table()) == plain(pyarrow_table(path))
    name = {"traces": "service_name", "metrics": "metric_name", "logs": "severity_text"}[signal]
    assert len(duckdb.sql(f"select {name}, count(*) from data group by all").fetchall()) > 0


def test_sealed_files_have_one_dictionary_a_column(recorded: Recorded) -> None:
    for signal in SIGNALS:
        table = pyarrow_table(recorded.file("sealed", signal))
        for name in table.column_names:
            if pa.types.is_dictionary(table.schema.field(name).type):
                assert len({str(chunk.dictionary) for chunk in table[name].chunks}) == 1, (signal, name)

"""What people do with the files beyond opening one: queries, folders of files, tables of the library itself."""

from __future__ import annotations

from collections import Counter

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.ipc as ipc
import pytest

from otlp_arrow import OtlpLibrary, Signal, encode

from cells import rows
from recording import SIGNALS, Recorded

FORMS = ["live", "sealed"]


def table_of(recorded: Recorded, form: str, signal: str) -> pa.Table:
    path = recorded.file(form, signal)
    return (ipc.open_stream if form == "live" else ipc.open_file)(path).read_all()


@pytest.mark.parametrize("signal", SIGNALS)
def test_both_forms_are_valid_and_of_one_schema(recorded: Recorded, signal: Signal) -> None:
    live, sealed = (table_of(recorded, form, signal) for form in FORMS)
    assert len(live) > 50
    assert live.schema.equals(sealed.schema)
    sealed.validate(full=True)
    live.validate(full=True)


@pytest.mark.parametrize("signal", SIGNALS)
def test_the_c_stream_of_the_library(recorded: Recorded, signal: Signal) -> None:
    table = table_of(recorded, "sealed", signal)
    expected = rows(table)
    with OtlpLibrary(output_dir=recorded.sealed) as library:
        assert rows(pa.table(library.read(signal)), table.schema) == expected
        assert rows(pl.DataFrame(library.read(signal)).to_arrow(), table.schema) == expected
        kept = library.read(signal, dictionaries=True)
        assert rows(duckdb.from_arrow(pa.table(kept)).to_arrow_table(), table.schema) == expected
        stream = library.read(signal)  # noqa: F841 - DuckDB finds it by its name
        assert rows(duckdb.sql("select * from stream").to_arrow_table(), table.schema) == expected


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("signal", SIGNALS)
def test_tables_of_a_tool_become_otlp_again(recorded: Recorded, form: str, signal: Signal) -> None:
    table = table_of(recorded, form, signal)
    assert encode(signal, table) == encode(signal, table.combine_chunks())


@pytest.mark.parametrize("form", FORMS)
def test_a_group_by_over_an_attribute_and_a_nested_list(recorded: Recorded, form: str) -> None:
    spans = table_of(recorded, form, "traces")
    held = rows(spans)
    counted = duckdb.sql("select attributes['http.route'] as route, count(*) from spans group by all").fetchall()
    assert dict(counted) == Counter(dict(row["attributes"]).get("http.route") for row in held)
    events = duckdb.sql("select e.name, count(*) from (select unnest(events) as e from spans) group by all").fetchall()
    assert dict(events) == Counter(event["name"] for row in held for event in row["events"])


@pytest.mark.parametrize("signal", SIGNALS)
def test_a_directory_of_sealed_files_is_a_dataset(recorded: Recorded, signal: Signal) -> None:
    path = recorded.file("sealed", signal)
    data = ds.dataset(path.parent, format="ipc")
    assert rows(data.to_table()) == rows(table_of(recorded, "sealed", signal))
    name = {"traces": "name", "metrics": "metric_name", "logs": "severity_text"}[signal]
    found = dict(duckdb.sql(f"select {name}, count(*) from data group by all").fetchall())
    assert found == Counter(row.get(name) for row in rows(data.to_table()))


def test_sealed_files_have_one_dictionary_a_column(recorded: Recorded) -> None:
    for signal in SIGNALS:
        table = table_of(recorded, "sealed", signal)
        for name in table.column_names:
            if pa.types.is_dictionary(table.schema.field(name).type):
                assert len({str(chunk.dictionary) for chunk in table[name].chunks}) == 1, (signal, name)
    by_name = table_of(recorded, "sealed", "traces").group_by("name").aggregate([("duration", "count")])
    assert by_name.num_rows == len({row["name"] for row in rows(table_of(recorded, "sealed", "traces"))})

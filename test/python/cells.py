"""Cells of a table as test/fixtures/README.md describes them, from whatever Arrow types a tool hands them over in."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

_NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}

Row = dict[str, Any]


def rows(table: pa.Table, schema: pa.Schema | None = None) -> list[Row]:
    """Rows without their null cells. What a cell is, `schema` says; the table's own types only say how it is kept."""
    schema = schema or table.schema
    assert table.column_names == schema.names, f"{table.column_names} are not the columns {schema.names}"
    columns = [column(table[field.name].combine_chunks(), field.type) for field in schema]
    return [
        {name: cell for name, cell in zip(schema.names, row, strict=True) if cell is not None}
        for row in zip(*columns, strict=True)
    ]


def column(found: Any, type_: pa.DataType) -> list[Any]:
    """The cells of an array."""
    if isinstance(found, pa.ChunkedArray):
        return [cell for chunk in found.chunks for cell in column(chunk, type_)]
    if pa.types.is_dictionary(type_):
        type_ = type_.value_type
    if pa.types.is_dictionary(found.type):
        found = found.dictionary_decode()
    valid = found.is_valid().to_pylist()
    if pa.types.is_map(type_):
        return _slices(found, valid, pairs(found))
    if pa.types.is_list(type_):
        return _slices(found, valid, column(found.values, type_.value_type))
    if pa.types.is_struct(type_):
        inner = [(field.name, column(found.field(field.name), field.type)) for field in type_]
        assert found.type.num_fields == len(inner), found.type
        return [
            {name: cells[at] for name, cells in inner if cells[at] is not None} if ok else None
            for at, ok in enumerate(valid)
        ]
    return [scalar(cell, type_) for cell in plain(found, type_)]


def plain(found: Any, type_: pa.DataType) -> list[Any]:
    """Numbers, text, bytes; times as integers of nanoseconds."""
    if pa.types.is_timestamp(type_):
        assert pa.types.is_timestamp(found.type), f"{found.type} is not a time"
        unit = _NANOSECONDS[found.type.unit]
        return [None if cell is None else cell * unit for cell in found.view(pa.int64()).to_pylist()]
    same = {
        pa.types.is_string: ("string", "large_string", "string_view"),
        pa.types.is_fixed_size_binary: ("binary", "large_binary", "binary_view", "fixed_size_binary"),
    }
    allowed = next((names for is_, names in same.items() if is_(type_)), (str(type_),))
    assert str(found.type).split("[")[0] in allowed, f"{found.type} instead of {type_}"
    return found.to_pylist()


def pairs(found: Any) -> list[list[Any]]:
    """The entries of maps, which some tools hand over as lists of key and value."""
    if pa.types.is_map(found.type):
        keys, values = found.keys, found.items
    else:
        keys, values = found.values.field("key"), found.values.field("value")
    return [list(pair) for pair in zip(column(keys, pa.string()), column(values, pa.string()), strict=True)]


def scalar(cell: Any, type_: pa.DataType) -> Any:
    """One cell: what JSON numbers cannot hold as text."""
    if cell is None or isinstance(cell, str):
        return cell
    if isinstance(cell, bytes):
        return cell.hex()
    if pa.types.is_floating(type_):
        return double(cell)
    return str(cell) if type_.bit_width == 64 else cell


def double(cell: float | str) -> str:
    """One text a value, also for what another language wrote."""
    return repr(float(cell)).replace("inf", "Infinity").replace("nan", "NaN")


def normal(cell: Any, type_: pa.DataType) -> Any:
    """A cell that another language wrote, its doubles as this one writes them."""
    if cell is None:
        return None
    if pa.types.is_floating(type_):
        return double(cell)
    if pa.types.is_list(type_):
        return [normal(one, type_.value_type) for one in cell]
    if pa.types.is_struct(type_):
        return {field.name: normal(cell[field.name], field.type) for field in type_ if field.name in cell}
    return cell


def normal_rows(found: list[Row], schema: pa.Schema) -> list[Row]:
    """Rows that another language wrote."""
    for row in found:
        assert set(row) <= set(schema.names), set(row) - set(schema.names)
    return [{field.name: normal(row[field.name], field.type) for field in schema if field.name in row} for row in found]


def _slices(found: Any, valid: list[bool], inner: list[Any]) -> list[Any]:
    offsets = found.offsets.to_pylist()
    return [inner[offsets[at] : offsets[at + 1]] if ok else None for at, ok in enumerate(valid)]

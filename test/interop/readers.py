"""The tools that open files of the schema, each with the lines that docs/schema.md shows for it.

As a program, for versions that need an environment of their own: `python readers.py NAME FILE…` prints what the tool
finds in each file as JSON.
"""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc as ipc

sys.path.insert(0, str(Path(__file__).parent.parent / "python"))

from cells import Row, rows

_MODULES = {
    "pa": "pyarrow",
    "pc": "pyarrow.compute",
    "ds": "pyarrow.dataset",
    "ipc": "pyarrow.ipc",
    "pd": "pandas",
    "pl": "polars",
    "duckdb": "duckdb",
    "datafusion": "datafusion",
}


@dataclass(frozen=True)
class Found:
    """What a tool finds in one file."""

    version: str
    """Major and minor."""
    rows: list[Row]
    routes: list[str | None]
    """What it answers to the question for `http.route`."""
    limits: list[str]
    """Which of its limits the file shows."""


@dataclass(frozen=True)
class Reader:
    """How a tool is used, as Python source: what the document shows is what runs."""

    package: str
    live: str
    """Opens the stream at `p`."""
    sealed: str
    """Opens the file at `p`."""
    attribute: str
    """Asks what was opened, `t`, for `http.route` in each row."""
    answer: str = "found"
    """What `attribute` found as a list."""
    arrow: str = "t"
    """All of `t` as a table of pyarrow."""
    before: str = ""
    """A statement for the scope."""
    limits: dict[str, str] = field(default_factory=dict)
    """What the tool cannot do with a file, and an expression that is true where it shows."""

    def read(self, path: Path) -> Found:
        scope: dict[str, Any] = {"p": str(path), "signal": path.parent.name}
        for short, name in _MODULES.items():
            if self.package == name or name.startswith("pyarrow"):
                scope[short] = importlib.import_module(name)
        exec(self.before, scope)
        scope["t"] = eval(self.live if path.suffix == ".arrows" else self.sealed, scope)
        with (ipc.open_stream if path.suffix == ".arrows" else ipc.open_file)(str(path)) as file:
            schema = file.schema
        table: pa.Table = eval(self.arrow, scope)
        scope["found"] = eval(self.attribute, scope)
        return Found(
            version=".".join(scope[_short(self.package)].__version__.split(".")[:2]),
            rows=rows(table, schema),
            routes=eval(self.answer, scope),
            limits=[text for text, shows in self.limits.items() if eval(shows, scope)],
        )


def _short(package: str) -> str:
    return next(short for short, name in _MODULES.items() if name == package)


_SQL = "select attributes['http.route'] from t"
_POLARS = Reader(
    package="polars",
    live="pl.read_ipc_stream(p)",
    sealed="pl.scan_ipc(p).collect()",
    attribute="t.select(pl.col('attributes').map.get('http.route'))",
    answer="found.to_series().to_list()",
    arrow="t.to_arrow()",
)
_DUCKDB = Reader(
    package="duckdb",
    live="ipc.open_stream(p).read_all()",
    sealed="ds.dataset(p, format='ipc')",
    attribute=f'duckdb.sql("{_SQL}")',
    answer="[row[0] for row in found.fetchall()]",
    arrow="duckdb.from_arrow(t).to_arrow_table()",
    limits={
        "SQL sees the time 2^63-1 ns as `infinity`": "signal == 'traces' and ('infinity',) in "
        "duckdb.sql('select start_time::varchar from t').fetchall()"
    },
)

READERS: dict[str, Reader] = {
    "pyarrow": Reader(
        package="pyarrow",
        live="ipc.open_stream(p).read_all()",
        sealed="ipc.open_file(p).read_all()",
        attribute="pc.map_lookup(t['attributes'], 'http.route', 'first')",
        answer="found.to_pylist()",
    ),
    "pandas": Reader(
        package="pandas",
        live="ipc.open_stream(p).read_all().to_pandas(types_mapper=pd.ArrowDtype)",
        sealed="pd.read_feather(p, dtype_backend='pyarrow')",
        attribute="[dict(a).get('http.route') for a in t['attributes']]",
        arrow="pa.Table.from_pandas(t, preserve_index=False)",
        limits={
            "without `dtype_backend` or `types_mapper`, nullable integers become floats": "signal == 'metrics' and "
            "p.endswith('.arrow') and pd.read_feather(p)['count'].dtype.kind == 'f'"
        },
    ),
    "polars": _POLARS,
    "polars 1": replace(
        _POLARS,
        attribute="t.select(pl.col('attributes').cast(pl.List(pl.Struct({'key': pl.String, 'value': pl.String})))"
        ".list.eval(pl.element().filter(pl.element().struct.field('key') == 'http.route')"
        ".struct.field('value')).list.first())",
    ),
    "DuckDB": _DUCKDB,
    "DuckDB 1": _DUCKDB,
    "DataFusion": Reader(
        package="datafusion",
        # One partition: rows in their order.
        before="ctx = datafusion.SessionContext(datafusion.SessionConfig().with_target_partitions(1))",
        live="ctx.register_arrow('t', p, file_extension='.arrows')",
        sealed="ctx.register_arrow('t', p)",
        attribute=f'ctx.sql("{_SQL}")',
        answer="[row for batch in found.collect() for row in batch.column(0).to_pylist()]",
        arrow="pa.table(ctx.sql('select * from t'))",
    ),
}


if __name__ == "__main__":
    name, *paths = sys.argv[1:]
    print(json.dumps([asdict(READERS[name].read(Path(path))) for path in paths]))

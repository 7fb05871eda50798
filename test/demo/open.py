"""Counts spans by http.route with pyarrow, polars and DuckDB, and prints what each found as JSON."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.compute as pc
import pyarrow.dataset as ds

folder = Path(sys.argv[1]) / "otlp" / "traces"
dataset = ds.dataset(sorted(str(path) for path in folder.glob("*.arrow")), format="ipc")

routes = pc.map_lookup(dataset.to_table(columns=["attributes"])["attributes"], "http.route", "first")
by_pyarrow = Counter(route for route in routes.to_pylist() if route is not None)

query = "select attributes['http.route'] as route, count(*) from dataset where route is not null group by route"
by_duckdb = dict(duckdb.sql(query).fetchall())

entries = pl.List(pl.Struct({"key": pl.String, "value": pl.String}))
rows = pl.scan_ipc(str(folder / "*.arrow")).select(pl.col("attributes").cast(entries)).collect()["attributes"]
by_polars = Counter(entry["value"] for row in rows for entry in row if entry["key"] == "http.route")

print(json.dumps({"pyarrow": by_pyarrow, "duckdb": by_duckdb, "polars": by_polars}))

"""Files opened by the tools people have: every cell equal, and an attribute answered by its key without our code.

Fails where the table of docs/schema.md is stale; `OTLP_ARROW_BLESS=1` writes it anew.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc as ipc
import pytest

from cells import Row, normal_rows, rows
from readers import READERS, Found, Reader
from recording import FIXTURES, SIGNALS, SPANS, TIMES, Recorded, route

ROOT = Path(__file__).parent.parent.parent
DOCUMENT = ROOT / "docs/schema.md"
BEGIN, END = "<!-- readers: written by test/interop/test_readers.py -->\n", "<!-- /readers -->\n"
# Taken out of the environment: a recorder takes what begins with OTLP_ARROW_ for a key of its configuration.
BLESS = os.environ.pop("OTLP_ARROW_BLESS", None) is not None
OLDER = ROOT / "target/older-readers"
JAVASCRIPT = ROOT / "test/dist/interop/read.js"
FORMS = ("live", "sealed")
FILES = [(form, signal) for form in FORMS for signal in SIGNALS]
TOOLS = [*READERS, "apache-arrow JS"]


@dataclass(frozen=True)
class Tool:
    """What one tool found in all files, in the order of `FILES`."""

    found: list[Found]
    attribute: str
    opens: Reader | None


class Everything:
    """The recorded files, what is in them, and what each tool says of that."""

    def __init__(self, recorded: Recorded) -> None:
        self.paths = [recorded.file(form, signal) for form, signal in FILES]
        self.schemas: list[pa.Schema] = []
        self.expected: list[list[Row]] = []
        for path in self.paths:
            with (ipc.open_stream if path.suffix == ".arrows" else ipc.open_file)(str(path)) as file:
                table = file.read_all()
            self.schemas.append(table.schema)
            self.expected.append(rows(table))
        self.tools: dict[str, Tool] = {}

    def tool(self, name: str) -> Tool:
        if name not in self.tools:
            self.tools[name] = self._javascript() if name == "apache-arrow JS" else self._python(name)
        return self.tools[name]

    def _python(self, name: str) -> Tool:
        reader = READERS[name]
        if not name.endswith(" 1"):
            return Tool([reader.read(path) for path in self.paths], reader.attribute, reader)
        assert OLDER.exists(), f"{OLDER} is missing: npm test -- 'python environment' installs it"
        found = program(
            sys.executable, str(Path(__file__).with_name("readers.py")), name, *map(str, self.paths), path=OLDER
        )
        return Tool([Found(**one) for one in found], reader.attribute, reader)

    def _javascript(self) -> Tool:
        assert JAVASCRIPT.exists(), f"{JAVASCRIPT} is missing: npx tsc -b"
        said = program("node", str(JAVASCRIPT), *map(str, self.paths))
        found = [
            Found(one["version"], normal_rows(one["rows"], schema), one["routes"], one["limits"])
            for one, schema in zip(said["found"], self.schemas, strict=True)
        ]
        return Tool(found, said["attribute"], None)


def program(*command: str, path: Path | None = None) -> Any:
    env = {**os.environ, **({"PYTHONPATH": str(path)} if path else {})}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def everything(recorded: Recorded) -> Everything:
    return Everything(recorded)


def test_the_files_hold_what_was_recorded(everything: Everything) -> None:
    held = dict(zip(FILES, everything.expected, strict=True))
    for signal in SIGNALS:
        assert held["live", signal] == held["sealed", signal]
        schema = everything.schemas[FILES.index(("sealed", signal))]
        golden: list[Row] = []
        for path in sorted(FIXTURES.glob(f"{signal}-*.rows.json")):
            golden += normal_rows(json.loads(path.read_text())["rows"], schema)
        assert held["live", signal][: len(golden)] == golden
    spans = [row for row in held["live", "traces"] if row.get("scope_name") == "shop"]
    assert [dict(row["attributes"]).get("http.route") for row in spans] == [route(i) for i in range(SPANS)]
    odd = [row["start_time"] for row in held["live", "traces"] if row["name"] == "odd"]
    assert odd == [str(at if at < 2**63 else at - 2**64) for at in TIMES]
    reached = {
        "traces": {"events", "links"},
        "metrics": {"exemplars", "quantiles", "negative_bucket_counts"},
        "logs": {"body"},
    }
    for signal, columns in reached.items():
        for name in columns:
            assert sum(1 for row in held["live", signal] if row.get(name)) > 0, (signal, name)
    kinds = {"gauge", "sum", "histogram", "exponential_histogram", "summary"}
    assert {row["metric_type"] for row in held["live", "metrics"]} == kinds
    for signal in SIGNALS:
        letters = {letter for row in held["live", signal] for letter in row.get("attribute_types") or ""}
        assert set("sidbyamn") <= letters, signal


@pytest.mark.parametrize("name", TOOLS)
class TestATool:
    def test_every_cell_is_equal(self, everything: Everything, name: str) -> None:
        for at, found in enumerate(everything.tool(name).found):
            expected, schema = everything.expected[at], everything.schemas[at]
            if name == CUTS:
                expected = [micros(row, schema) for row in expected]
            for i, (one, other) in enumerate(zip(found.rows, expected, strict=True)):
                assert one == other, (FILES[at], i)

    def test_an_attribute_is_answered_by_its_key(self, everything: Everything, name: str) -> None:
        for at, found in enumerate(everything.tool(name).found):
            assert found.routes == [dict(row["attributes"]).get("http.route") for row in everything.expected[at]]


CUTS = "DuckDB 1"
"""The tool that cuts times to microseconds, towards zero."""


def micros(row: Row, schema: pa.Schema) -> Row:
    """A row as such a tool sees it."""
    return {name: _cut(cell, schema.field(name).type) for name, cell in row.items()}


def _cut(cell: Any, type_: pa.DataType) -> Any:
    if pa.types.is_timestamp(type_):
        at = int(cell)
        return str((abs(at) // 1000 * 1000) * (1 if at >= 0 else -1))
    if pa.types.is_list(type_):
        return [_cut(one, type_.value_type) for one in cell]
    if pa.types.is_struct(type_):
        return {name: _cut(one, type_.field(name).type) for name, one in cell.items()}
    return cell


def line(everything: Everything, name: str) -> str:
    tool = everything.tool(name)
    (version,) = {one.version for one in tool.found}
    shown = list(dict.fromkeys(text for one in tool.found for text in one.limits))
    shown.insert(0, "times cut to microseconds, every other cell equal" if name == CUTS else "every cell equal")
    opens = ["tableFromIPC(readFileSync(p))"] * 2
    if tool.opens is not None:
        opens = [tool.opens.live, tool.opens.sealed]
    label = f"{name.removesuffix(' 1')} {version}"
    cells = [label, *(f"`{code}`" for code in [*opens, tool.attribute]), "; ".join(shown)]
    return f"| {' | '.join(cells)} |\n"


def test_the_table_of_the_document_is_fresh(everything: Everything) -> None:
    text = DOCUMENT.read_text()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    head = "| tool | live file `p` | sealed file `p` | the attribute in each row | cells |\n|---|---|---|---|---|\n"
    table = head + "".join(line(everything, name) for name in TOOLS)
    fresh = f"{before}{BEGIN}\n{table}\n{END}{after}"
    if BLESS:
        DOCUMENT.write_text(fresh)
    assert DOCUMENT.read_text() == fresh, "stale: OTLP_ARROW_BLESS=1 npm test -- 'python tests' writes it anew"

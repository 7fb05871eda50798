"""Judges a directory after a crash, with pyarrow and none of our code.

One JSON object a line comes on standard input. `{"dir"}` begins with an empty directory; every other one is a look:
`{"sent": {id: records}, "acked": [id], "retention": bool, "fresh": bool}`, both only what is new since the last look,
`retention` if something may have been deleted since, `fresh` to read sealed files again that were read before. The
answer is one JSON line, `{"rows", "requests", "evicted", "unknown", "errors": [...]}`.
"""

from __future__ import annotations

import json
import sys
from bisect import bisect_left
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc as ipc

#: Numbers of requests that may be stored in any order.
TOGETHER = 24
#: Numbers of one process are never that far from each other in one signal.
APART = 1000
KEY = {"logs": "time", "traces": "start_time", "metrics": "time"}
RESOURCE = {
    "service_name": "crash-test",
    "resource_attributes": '{"service.name":"crash-test"}',
    "resource_dropped_attributes_count": 0,
    "resource_schema_url": "",
    "resource_entity_refs": None,
    "scope_name": "crash",
    "scope_version": "",
    "scope_attributes": "{}",
    "scope_dropped_attributes_count": 0,
    "scope_schema_url": "",
}
CONSTANTS: dict[str, dict[str, Any]] = {
    "logs": {
        "severity_number": 9,
        "severity_text": "INFO",
        "body_type": "s",
        "flags": 0,
        "dropped_attributes_count": 0,
    },
    "traces": {
        "flags": 0,
        "kind": "server",
        "duration": 500,
        "dropped_attributes_count": 0,
        "dropped_events_count": 0,
        "dropped_links_count": 0,
        "events": [],
        "links": [],
    },
    "metrics": {"description": "", "unit": "", "metric_type": "gauge", "flags": 0},
}


def text(numbers: Any) -> pa.Array:
    return pa.array(numbers).cast(pa.string())


def expected(signal: str, ids: Any, indices: Any) -> dict[str, pa.Array]:
    """The cells that differ from record to record; `ledger.ts` and the programs know the same rules."""
    keys = ids * 1000 + indices
    request, index = text(ids), text(indices)
    cells = {"attribute_types": pa.array(["iis"] * len(ids))}
    if signal == "logs":
        cells["observed_time"] = pa.array(keys)
        cells["body"] = pc.binary_join_element_wise("request", request, "record", index, " ")
    elif signal == "traces":
        cells["name"] = pc.binary_join_element_wise("span", text(indices % 5), " ")
        cells["end_time"] = pa.array(keys + 500)
        cells["trace_id"] = pa.array([int(one).to_bytes(16, "big") for one in ids], pa.binary(16))
        cells["span_id"] = pa.array([int(one).to_bytes(8, "big") for one in keys], pa.binary(8))
    else:
        cells["metric_name"] = pc.binary_join_element_wise("gauge", text(indices % 3), ".")
        cells["value"] = pa.array(keys.astype("float64"))
        cells["value_int"] = pa.array(keys)
    return cells


def altered(signal: str, batch: pa.RecordBatch, ids: Any, indices: Any) -> list[str]:
    """Columns of a whole file in which a cell is not what was sent."""
    cells = expected(signal, ids, indices)
    constants = RESOURCE | CONSTANTS[signal]
    wrong = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if name == KEY[signal]:
            continue  # Everything else is computed from it.
        if name == "attributes":
            pad = pc.binary_repeat(text(ids * 31 + indices), pa.array(1 + indices % 7))
            values = pa.chunked_array([text(ids), text(indices), pad]).combine_chunks()
            order = np.arange(3 * len(ids)).reshape(3, len(ids)).T.ravel()
            same = (
                column.null_count == 0
                and column.offsets.to_numpy().tolist() == list(range(0, 3 * len(ids) + 1, 3))
                and column.keys.to_pylist() == ["request", "index", "pad"] * len(ids)
                and column.items.equals(values.take(pa.array(order)))
            )
        elif name in cells:
            same = column.equals(cells[name].cast(column.type))
        else:
            same = column.equals(pa.array([constants.get(name)] * len(ids), column.type))
        if not same:
            wrong.append(name)
    return wrong


def batches(path: Path) -> list[pa.RecordBatch]:
    """Every whole batch of a file; a live file may end in a torn message."""
    if path.suffix == ".arrow":
        with ipc.open_file(path) as reader:
            return [reader.get_batch(index) for index in range(reader.num_record_batches)]
    found: list[pa.RecordBatch] = []
    try:
        with ipc.open_stream(path) as reader:
            while True:
                found.append(reader.read_next_batch())
    except (StopIteration, pa.ArrowInvalid, OSError, EOFError):
        return found


def plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns = [
        column.dictionary_decode() if pa.types.is_dictionary(column.type) else column for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


@dataclass
class File:
    """What a data file holds."""

    sealed: bool = False
    rows: int = 0
    #: Records of each request.
    requests: dict[int, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)


def look_into(signal: str, path: Path) -> File:
    file = File(sealed=path.suffix == ".arrow")
    try:
        read = [plain(batch) for batch in batches(path)]
    except (pa.ArrowInvalid, OSError) as error:
        file.errors.append(f"{path.name} cannot be opened: {error}")
        return file
    if not read or sum(batch.num_rows for batch in read) == 0:
        return file
    whole = pa.Table.from_batches(read).combine_chunks().to_batches()[0]
    file.rows = whole.num_rows
    keys = whole.column(KEY[signal]).cast(pa.int64()).to_numpy()
    ids, indices = keys // 1000, keys % 1000
    wrong = altered(signal, whole, ids, indices)
    if wrong:
        file.errors.append(f"{path.name}: altered: {wrong}")
    # One request is one commit: its records follow each other, from the first on.
    follows = (ids[1:] == ids[:-1]) & (indices[1:] == indices[:-1] + 1)
    begins = np.concatenate([[True], ~follows])
    if (indices[begins] != 0).any():
        file.errors.append(f"{path.name}: records of a request do not follow each other from the first on")
    starts = np.flatnonzero(begins)
    for request, count in zip(ids[starts].tolist(), np.diff(np.append(starts, len(ids))).tolist(), strict=True):
        if request in file.requests:
            file.errors.append(f"{path.name}: request {request} is stored twice")
        file.requests[request] = count
    return file


def follows_one_of(there: list[int], request: int) -> bool:
    """Whether the process that sent `request` had sent one of `there` before, given numbers in order.

    Numbers of two processes are far from each other; those that are close were on their way together.
    """
    before = bisect_left(there, request - TOGETHER)
    return before > 0 and request - there[before - 1] < APART


class Era:
    """One directory from its first process to its last."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder) / "otlp"
        self.sent: dict[int, int] = {}
        self.acked: set[int] = set()
        self.evicted: set[int] = set()
        self.files: dict[str, dict[str, File]] = {signal: {} for signal in KEY}
        self.known: dict[tuple[Any, ...], File] = {}

    def read(self, signal: str, fresh: bool) -> dict[str, File]:
        found: dict[str, File] = {}
        folder = self.folder / signal
        names = {path.name for path in folder.glob("*.arrow*")} if folder.exists() else set()
        for name in sorted(names):
            if name.endswith(".arrows") and name[:-1] in names:
                continue
            path = folder / name
            stat = path.stat()
            key = (signal, name, stat.st_ino, stat.st_size, stat.st_mtime_ns)
            if fresh or key not in self.known or name.endswith(".arrows"):
                self.known[key] = look_into(signal, path)
            found[path.stem] = self.known[key]
        return found

    def look(self, case: dict[str, Any]) -> dict[str, Any]:
        self.sent |= {int(request): count for request, count in case["sent"].items()}
        self.acked.update(case["acked"])
        errors: list[str] = []
        kept: dict[int, int] = {}
        rows = unknown = 0
        excused: set[int] = set()
        for number, signal in enumerate(("logs", "traces", "metrics")):
            before, now = self.files[signal], self.read(signal, case["fresh"])
            for stem, file in now.items():
                rows += file.rows
                errors.extend(file.errors)
                for request, count in file.requests.items():
                    if request in kept:
                        errors.append(f"{stem}: request {request} is stored more often than it was sent")
                    kept[request] = count
                    if request % 3 != number:
                        errors.append(f"{stem}: request {request} is no {signal}")
            if case["retention"]:
                gone = {stem for stem, file in before.items() if file.rows and stem not in now}
                # Whatever was there is sealed before anything is deleted, and older than what came since.
                stayed = {stem for stem in before if stem in now and now[stem].sealed}
                for stem in gone:
                    self.evicted |= before[stem].requests.keys()
                    # A stem begins with the time of its first record.
                    if any(other[:20] < stem[:20] for other in stayed):
                        errors.append(f"{stem} was deleted before {min(stayed)}, which is older")
                if not stayed:
                    # Younger files may have come and gone since the last look: nobody knows what was in them, but they
                    # were older than all that stayed.
                    there = sorted(request for file in now.values() for request in file.requests)
                    news = (request for request in case["acked"] if request % 3 == number)
                    excused |= {request for request in news if not follows_one_of(there, request)}
            self.files[signal] = now
        for request, count in kept.items():
            if request not in self.sent:
                errors.append(f"request {request} was never sent")
            elif count != self.sent[request]:
                errors.append(f"request {request} is kept in part: {count} of {self.sent[request]}")
            if request in self.evicted:
                errors.append(f"request {request} was deleted and came back")
        lost = self.acked - kept.keys() - self.evicted
        unknown = len(lost & excused)
        self.evicted |= lost & excused
        errors.extend(f"request {request} was acknowledged and is lost" for request in sorted(lost - excused))
        return {
            "rows": rows,
            "requests": len(kept),
            "evicted": len(self.evicted),
            "unknown": unknown,
            "errors": errors[:20],
        }


era = Era("")
for line in sys.stdin:
    question = json.loads(line)
    if "dir" in question:
        era = Era(question["dir"])
        continue
    print(json.dumps(era.look(question)), flush=True)

"""Judges a directory after a crash, with pyarrow and none of our code.

Reads one JSON object a line from standard input, {"dir", "sent": {id: records}, "acked": [id], "evicted": bool}, and
answers with one JSON line, {"rows", "requests", "errors": [...]}.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc as ipc

COLUMNS = ["time", "severity_number", "severity_text", "body", "attributes", "attribute_types", "service_name"]


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


def expected(request: int, index: int) -> tuple[Any, ...]:
    pad = f"{request * 31 + index:x}" * (1 + index % 7)
    attributes = [("request", str(request)), ("index", str(index)), ("pad", pad)]
    return (request * 1000 + index, 9, "INFO", f"request {request} record {index}", attributes, "iis", "crash-test")


def judge(case: dict[str, Any]) -> dict[str, Any]:
    sent = {int(request): count for request, count in case["sent"].items()}
    acked = set(case["acked"])
    folder = Path(case["dir"]) / "otlp" / "logs"
    errors: list[str] = []
    seen: dict[tuple[int, int], int] = {}
    names = sorted(path.name for path in folder.glob("*.arrow*")) if folder.exists() else []
    rows = 0
    for name in names:
        if name.endswith(".arrows") and name[:-1] in names:
            continue
        try:
            read = batches(folder / name)
        except (pa.ArrowInvalid, OSError) as error:
            errors.append(f"{name} cannot be opened: {error}")
            continue
        for batch in read:
            rows += batch.num_rows
            columns = [batch.column(column) for column in COLUMNS]
            columns[0] = columns[0].cast(pa.int64())
            for values in zip(*(column.to_pylist() for column in columns), strict=True):
                attributes = dict(values[4])
                key = (int(attributes["request"]), int(attributes["index"]))
                seen[key] = seen.get(key, 0) + 1
                if (values[0], *values[1:]) != expected(*key):
                    errors.append(f"{name}: altered: {values} is not {expected(*key)}")
                if key[0] not in sent or key[1] >= sent[key[0]]:
                    errors.append(f"{name}: invented: request {key[0]} record {key[1]}")
    kept: dict[int, int] = {}
    for (request, index), times in seen.items():
        kept[request] = kept.get(request, 0) + 1
        if times > 1:
            errors.append(f"request {request} record {index} is stored {times} times, and was sent once")
    for request, count in kept.items():
        if count != sent.get(request):
            errors.append(f"request {request} is kept in part: {count} of {sent.get(request)}")
    if not case["evicted"]:
        errors.extend(f"request {request} was acknowledged and is lost" for request in sorted(acked - kept.keys()))
    return {"rows": rows, "requests": len(kept), "errors": errors[:20]}


for line in sys.stdin:
    print(json.dumps(judge(json.loads(line))), flush=True)

"""A recorder that runs as a service, for clients of Arrow Flight."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.flight as fl

# In the environment of the tests, unless another one is to be tried.
PROGRAM = os.environ.get("OTLP_ARROW_PROGRAM") or str(Path(sys.executable).with_name("otlp-arrow"))
START = 1_760_000_000_000_000_000
SECOND = 1_000_000_000


class Recorder:
    """A process of its own, which can be killed and started again in the same directory."""

    def __init__(self, directory: Path, **settings: str) -> None:
        self.directory = directory
        self.settings = {
            "OUTPUT_DIR": str(directory),
            "LISTEN__GRPC": "127.0.0.1:0",
            "LISTEN__HTTP": "127.0.0.1:0",
            "STORAGE__MIN_FREE_BYTES": "0B",
            **settings,
        }
        self.start()

    def start(self) -> None:
        """Start it; the ports are others each time."""
        given = {name: value for name, value in os.environ.items() if not name.startswith(("OTLP_ARROW", "OTEL_"))}
        env = given | {f"OTLP_ARROW_{name}": value for name, value in self.settings.items()}
        command = [PROGRAM, "serve"]
        self.process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self.process.stdout is not None
        self.addresses: list[str] = []
        self.said = ""
        for line in self.process.stdout:
            self.said += line
            self.addresses += re.findall(r"listening on http://([\d.:]+)", line)
            if len(self.addresses) == 2:
                break
        assert len(self.addresses) == 2, self.said

    def client(self, which: int = 0, **options: Any) -> fl.FlightClient:
        """Connect to the first or the second listener."""
        return fl.connect(f"grpc://{self.addresses[which]}", **options)

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        self.process.communicate()

    def stop(self) -> int:
        """Shut it down, and wait for that."""
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=120)
        return self.process.returncode

    def most_memory(self) -> int:
        """The most that it had in memory, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024


@contextmanager
def recorder(directory: Path, **settings: str) -> Iterator[Recorder]:
    """Run a recorder as long as the block."""
    running = Recorder(directory, **settings)
    try:
        yield running
    finally:
        running.kill()


def path(signal_name: str) -> fl.FlightDescriptor:
    """Name a table."""
    return fl.FlightDescriptor.for_path(signal_name)


def ticket(**words: Any) -> fl.Ticket:
    """Ask for rows."""
    return fl.Ticket(json.dumps(words).encode())


# The columns that log records must have; the others may be left out.
LOGS = pa.schema(
    [
        pa.field("time", pa.timestamp("ns", "UTC")),
        pa.field("severity_number", pa.int32()),
        pa.field("body", pa.string()),
        pa.field("body_type", pa.string()),
        pa.field("attributes", pa.map_(pa.string(), pa.string()), nullable=False),
        pa.field("dropped_attributes_count", pa.uint32(), nullable=False),
        pa.field("flags", pa.uint32(), nullable=False),
        pa.field("resource_attributes", pa.string()),
        pa.field("resource_dropped_attributes_count", pa.uint32(), nullable=False),
        pa.field("resource_schema_url", pa.string(), nullable=False),
        pa.field("scope_name", pa.string()),
        pa.field("scope_version", pa.string(), nullable=False),
        pa.field("scope_schema_url", pa.string(), nullable=False),
        pa.field("scope_attributes", pa.string(), nullable=False),
        pa.field("scope_dropped_attributes_count", pa.uint32(), nullable=False),
    ]
)


def logs(numbers: Sequence[int], service: str = "shop") -> pa.RecordBatch:
    """Log records that say their numbers."""
    count = len(numbers)
    columns: dict[str, list[Any]] = {
        "time": [START + number * SECOND for number in numbers],
        "severity_number": [9 + 8 * (number % 2) for number in numbers],
        "body": [f"record {number}" for number in numbers],
        "body_type": ["s"] * count,
        "attributes": [[("number", str(number)), ("half", "odd" if number % 2 else "even")] for number in numbers],
        "resource_attributes": [json.dumps({"service.name": service})] * count,
        "scope_name": ["test"] * count,
        "scope_attributes": ["{}"] * count,
    }
    of = {"uint32": 0, "string": ""}
    arrays = [pa.array(columns.get(field.name, [of.get(str(field.type))] * count), field.type) for field in LOGS]
    return pa.record_batch(arrays, schema=LOGS)


def put(
    client: fl.FlightClient,
    batches: Iterable[pa.RecordBatch],
    keys: Iterable[bytes | None] = (),
    to: str = "logs",
    options: fl.FlightCallOptions | None = None,
) -> list[dict[str, Any]]:
    """Send batches in one call, and what was said of each."""
    batches, keys = list(batches), list(keys)
    keys += [None] * (len(batches) - len(keys))
    writer, reader = client.do_put(path(to), batches[0].schema, options or fl.FlightCallOptions())
    with writer:
        for batch, key in zip(batches, keys, strict=True):
            if key is None:
                writer.write_batch(batch)
            else:
                writer.write_with_metadata(batch, key)
        writer.done_writing()
        return list(acknowledged(reader))


def acknowledged(reader: fl.FlightMetadataReader) -> Iterator[dict[str, Any]]:
    """Read what is said of batches, to the end."""
    while (told := reader.read()) is not None:
        yield json.loads(told.to_pybytes())


def get(client: fl.FlightClient, signal_name: str = "logs", **words: Any) -> pa.Table:
    """All rows that are asked for."""
    return client.do_get(ticket(signal=signal_name, **words)).read_all()


def numbers(table: pa.Table | pa.RecordBatch) -> list[int]:
    """The numbers that the bodies of log records say."""
    return [int(body.split()[1]) for body in table.column("body").to_pylist()]

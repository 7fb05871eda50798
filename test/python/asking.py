"""The records that questions are tried on, test/fixtures/questions.jsonl, and directories of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from otlp_arrow import OtlpLibrary, decode

LINES = Path(__file__).parent.parent / "fixtures" / "questions.jsonl"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
START = 1_790_000_000_000_000_000

RECORDS = """
import sys
sys.path.insert(0, {here!r})
from asking import record
from otlp_arrow import OtlpLibrary

library = OtlpLibrary(output_dir=sys.argv[1], storage={{"min_free_bytes": "0B"}})
record(library, int(sys.argv[2]), int(sys.argv[3]))
print("recorded", flush=True)
sys.stdin.read()
"""


def record(library: OtlpLibrary, first: int = 0, end: int | None = None) -> None:
    """Keep lines of the fixture."""
    for line in LINES.read_text(encoding="utf-8").splitlines()[first:end]:
        request = json.loads(line)
        rows = decode(request["signal"], json.dumps(request["otlp"]).encode(), "json")
        assert rows.rejected == 0, rows.message
        library.append(request["signal"], rows)


def record_and_die(directory: Path, first: int, end: int) -> None:
    """Let another process record, and kill it."""
    program = RECORDS.format(here=str(Path(__file__).parent))
    with subprocess.Popen(
        [sys.executable, "-c", program, str(directory), str(first), str(end)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "recorded\n"
        process.kill()


def mixed(directory: Path) -> OtlpLibrary:
    """Fill a directory: of a writer that ended, of one that was killed, and of one that is still there."""
    with OtlpLibrary(output_dir=directory, storage={"min_free_bytes": "0B"}) as library:
        record(library, 0, 60)
    record_and_die(directory, 60, 110)
    library = OtlpLibrary(output_dir=directory, storage={"min_free_bytes": "0B"})
    record(library, 110)
    return library

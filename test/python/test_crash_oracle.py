"""The kill test's oracle finds what it is there to find: every kind of damage, done on purpose."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc as ipc
import pytest

from support import eventually

CRASH = Path(__file__).parent.parent / "crash"
#: Requests whose number is a multiple of 3 are log records.
IDS = range(3, 3 * 60 + 1, 3)
SENT = {request: 1 + (request * 7919) % 40 for request in IDS}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the program of the kill test leaves when it is killed after its last acknowledgement."""
    directory: Path = tmp_path_factory.mktemp("recorded")
    command = [sys.executable, str(CRASH / "programs/program.py"), str(directory), "1", str(IDS[-1])]
    environment = os.environ | {"OTLP_ARROW_ROTATION__MAX_BYTES": "64KiB"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as program:
        assert program.stdout is not None
        said = [line.split() for line in iter(program.stdout.readline, "done\n")]
        # Sealing is a thread's work of its own, some time after.
        eventually(lambda: list(directory.glob("otlp/logs/*.arrow")))
        program.kill()
    assert {int(words[1]) for words in said if words[0] == "kept"} == set(IDS)
    return directory


@pytest.fixture
def directory(recorded: Path, tmp_path: Path) -> Path:
    """A copy of it that may be damaged."""
    return Path(shutil.copytree(recorded, tmp_path / "copy"))


def judge(directory: Path, *looks: dict[str, Any], between: Callable[[], object] = lambda: None) -> dict[str, Any]:
    """The last answer; `between` comes before the last look."""
    with subprocess.Popen(
        [sys.executable, str(CRASH / "oracle.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as oracle:
        assert oracle.stdin is not None
        assert oracle.stdout is not None
        oracle.stdin.write(json.dumps({"dir": str(directory)}) + "\n")
        for number, look in enumerate(looks, 1):
            if number == len(looks):
                between()
            case = {"sent": {}, "acked": [], "retention": False, "fresh": False} | look
            oracle.stdin.write(json.dumps(case) + "\n")
            oracle.stdin.flush()
            answer: dict[str, Any] = json.loads(oracle.stdout.readline())
        oracle.stdin.close()
    return answer


ALL = {"sent": SENT, "acked": list(IDS)}


def files(directory: Path) -> list[Path]:
    """Every file that counts, oldest first."""
    folder = directory / "otlp/logs"
    found = sorted(folder.iterdir())
    return [path for path in found if path.suffix == ".arrow" or path.with_suffix(".arrow") not in found]


def test_what_is_whole_is_not_complained_about(directory: Path) -> None:
    answer = judge(directory, ALL)
    assert answer["errors"] == []
    assert (answer["requests"], answer["rows"]) == (len(SENT), sum(SENT.values()))


@pytest.mark.parametrize(
    ("look", "complaint"),
    [
        (ALL | {"acked": [*IDS, 999]}, "request 999 was acknowledged and is lost"),
        (ALL | {"sent": SENT | {6: SENT[6] + 1}}, "request 6 is kept in part"),
        (ALL | {"sent": {key: count for key, count in SENT.items() if key != 9}}, "request 9 was never sent"),
    ],
)
def test_what_was_sent_and_acknowledged_is_compared(directory: Path, look: dict[str, Any], complaint: str) -> None:
    assert any(complaint in error for error in judge(directory, look)["errors"])


def test_a_file_that_is_there_twice_is_found(directory: Path) -> None:
    first = files(directory)[0]
    shutil.copy(first, first.with_name(first.name.replace("-0000", "-1000", 1)))
    assert any("more often than it was sent" in error for error in judge(directory, ALL)["errors"])


@pytest.mark.parametrize("column", ["body", "attributes", "severity_number", "resource_attributes", "trace_id"])
def test_a_cell_that_was_altered_is_found(directory: Path, column: str) -> None:
    sealed = next(path for path in files(directory) if path.suffix == ".arrow")
    with ipc.open_file(sealed) as reader:
        table = reader.read_all()
    at = table.schema.get_field_index(column)
    values = table[column].to_pylist()
    values[-1] = {"body": "another", "attributes": [("request", "1")], "trace_id": bytes(15) + b"1"}.get(
        column, "x" if isinstance(values[-1], str) else 17
    )
    altered = table.set_column(at, table.schema.field(at), pa.chunked_array([pa.array(values, table[column].type)]))
    with ipc.new_file(sealed, altered.schema) as writer:
        writer.write_table(altered)
    assert any(f"altered: ['{column}']" in error for error in judge(directory, ALL)["errors"])


def test_only_retention_may_delete_and_only_the_oldest(directory: Path) -> None:
    oldest, *_, newest = files(directory)
    for victim, retention, complaint in [
        (oldest, False, "was acknowledged and is lost"),
        (oldest, True, None),
        (newest, True, "was deleted before"),
    ]:
        copy = Path(shutil.copytree(directory, directory.with_name(f"{victim.name}-{retention}")))
        gone = [copy / "otlp/logs" / victim.with_suffix(form).name for form in (".arrow", ".arrows")]
        answer = judge(
            copy,
            ALL,
            {"retention": retention},
            between=lambda gone=gone: [path.unlink(missing_ok=True) for path in gone],
        )
        if complaint is None:
            assert answer["errors"] == []
            assert answer["evicted"] > 0
        else:
            assert any(complaint in error for error in answer["errors"])

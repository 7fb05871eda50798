"""Popular Python programs alone, with OpenTelemetry and with us: the same end and output, and their telemetry kept.

npm run test:long -- programs                                   all, ten turns each, with a table
PROGRAMS=flask,celery pytest -k guests ../test/python/guests    some
"""

from __future__ import annotations

import difflib
import json
import os
import platform
import signal
import statistics
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from guest import Environments, Guests, NotHereError, Outcome, Program, Way, run
from processes import PROCESSES
from servers import SERVERS

from support import read_directory

PROGRAMS = [*SERVERS, *PROCESSES]
# `all`, names, or nothing: a few of them, others in each process.
CHOSEN = os.environ.get("PROGRAMS", "")
PAIRS = int(os.environ.get("PROGRAMS_PAIRS", "1"))
# A file for the table.
RESULTS = os.environ.get("PROGRAMS_RESULTS", "")
# One in so many in `npm test`.
SHARE = 10


def is_chosen(number: int, program: Program) -> bool:
    if CHOSEN in ("", "all"):
        return CHOSEN == "all" or (not program.long and number % SHARE == os.getpid() % SHARE)
    return any(word in program.name for word in CHOSEN.split(","))


chosen = [program for number, program in enumerate(PROGRAMS) if is_chosen(number, program)]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals and forks of POSIX")


def difference(expected: Outcome, recorded: Outcome) -> str:
    """What is not as it was without us, readable."""
    said = [json.dumps(vars(outcome), indent=1).replace("\\n", "\n").splitlines() for outcome in (expected, recorded)]
    return "\n".join(difflib.unified_diff(*said, "without us", "with us", lineterm="", n=1))


@pytest.fixture(scope="module", autouse=True)
def interruptible() -> Iterator[None]:
    """What a shell starts in the background ignores Ctrl-C, and so does what that starts."""
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Environments:
    return Environments(tmp_path_factory.mktemp("guests"))


@pytest.fixture
def guests(program: Program, environments: Environments) -> Guests:
    try:
        return environments.of(program)
    except NotHereError as reason:
        if "NO_SKIPS" in os.environ:
            raise
        pytest.skip(str(reason))


@pytest.mark.parametrize("program", chosen, ids=lambda program: program.name)
def test_program(program: Program, guests: Guests, tmp_path: Path) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    for name, text in program.files.items():
        (folder / name).write_text(text)
    if program.build:
        subprocess.run([guests.bin / program.build[0], *program.build[1:]], cwd=folder, check=True)
    # What OpenTelemetry costs by itself is measured where a table is made, and asked where it decides.
    ways = [way for way in Way if way is not Way.STOCK or RESULTS or program.like_stock]
    seconds: dict[Way, list[float]] = {way: [] for way in ways}
    spans: list[dict[str, object]] = []
    for turn in range(PAIRS):
        output_dir = tmp_path / f"telemetry-{turn}"

        def kept(output_dir: Path = output_dir) -> bool:
            return len(read_directory(output_dir, "traces")) >= program.least

        outcomes: dict[Way, Outcome] = {}
        # Each begins in its turn, so that none always finds what another one left in a cache.
        for way in [*ways[turn % len(ways) :], *ways[: turn % len(ways)]]:
            outcomes[way], took = run(program, guests, folder, way, output_dir, kept)
            seconds[way].append(took)
        expected = outcomes[Way.STOCK if program.like_stock else Way.ALONE]
        assert not difference(expected, outcomes[Way.OURS])
        spans = read_directory(output_dir, "traces")
        scopes = {span["scope_name"] for span in spans}
        assert scopes >= program.scopes
        assert len(spans) >= program.least
    if RESULTS:
        row = {
            "program": program.name,
            "version": guests.version(program.packages[0]) if program.packages else platform.python_version(),
            "exit": outcomes[Way.ALONE].code,
            "spans": len(spans),
            "pairs": PAIRS,
            "plainMs": millis(seconds[Way.ALONE]),
            "stockMs": millis(more(seconds[Way.ALONE], seconds[Way.STOCK])),
            "moreMs": millis(more(seconds[Way.STOCK], seconds[Way.OURS])),
        }
        with Path(RESULTS).open("a") as file:
            file.write(json.dumps(row) + "\n")


def more(without: list[float], with_it: list[float]) -> list[float]:
    """What was added, turn by turn: the load of the machine is about the same within one."""
    return [b - a for a, b in zip(without, with_it, strict=True)]


def millis(seconds: list[float]) -> int:
    return round(1000 * statistics.median(seconds))

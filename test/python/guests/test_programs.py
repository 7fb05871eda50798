"""Popular Python programs without us and with us: the same end and the same output, and their telemetry kept.

npm run test:long -- programs                                   all, ten pairs each, with a table
PROGRAMS=flask,celery pytest -k guests ../test/python/guests    some
"""

from __future__ import annotations

import difflib
import json
import os
import platform
import statistics
import subprocess
from pathlib import Path

import pytest
from guest import Guests, NotHereError, Outcome, Program, run
from processes import PROCESSES
from servers import SERVERS

from support import read_directory

PROGRAMS = [*SERVERS, *PROCESSES]
# `all`, names, or nothing: a few of them, others in each process.
CHOSEN = os.environ.get("PROGRAMS", "")
PAIRS = int(os.environ.get("PROGRAMS_PAIRS", "1"))
# One in so many in `npm test`.
SHARE = 10


def is_chosen(number: int, program: Program) -> bool:
    if CHOSEN in ("", "all"):
        return CHOSEN == "all" or (not program.long and number % SHARE == os.getpid() % SHARE)
    return any(word in program.name for word in CHOSEN.split(","))


chosen = [program for number, program in enumerate(PROGRAMS) if is_chosen(number, program)]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals and forks of POSIX")


def difference(plain: Outcome, recorded: Outcome) -> str:
    """What is not as it was without us, readable."""
    said = [json.dumps(vars(outcome), indent=1).replace("\\n", "\n").splitlines() for outcome in (plain, recorded)]
    return "\n".join(difflib.unified_diff(*said, "without us", "with us", lineterm="", n=1))


@pytest.fixture(scope="module")
def guests(tmp_path_factory: pytest.TempPathFactory) -> Guests:
    packages = [package for program in chosen for package in program.packages]
    try:
        return Guests(tmp_path_factory.mktemp("guests") / "env", packages)
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
    plain_seconds: list[float] = []
    more_seconds: list[float] = []
    spans: list[dict[str, object]] = []
    for pair in range(PAIRS):
        output_dir = tmp_path / f"telemetry-{pair}"

        def kept(output_dir: Path = output_dir) -> bool:
            return len(read_directory(output_dir, "traces")) >= program.least

        # In turns, so that neither always finds what the other one left in a cache.
        runs = {
            directory: run(program, guests, folder, directory, kept)
            for directory in ([output_dir, None] if pair % 2 else [None, output_dir])
        }
        plain, recorded = runs[None], runs[output_dir]
        assert not difference(plain[0], recorded[0])
        spans = read_directory(output_dir, "traces")
        scopes = {span["scope_name"] for span in spans}
        assert scopes >= program.scopes
        assert len(spans) >= program.least
        plain_seconds.append(plain[1])
        more_seconds.append(recorded[1] - plain[1])
    row = {
        "program": program.name,
        "version": guests.version(program.packages[0]) if program.packages else platform.python_version(),
        "exit": runs[None][0].code,
        "spans": len(spans),
        "pairs": PAIRS,
        "plainMs": round(1000 * statistics.median(plain_seconds)),
        "moreMs": round(1000 * statistics.median(more_seconds)),
    }
    print(json.dumps(row))
    if results := os.environ.get("PROGRAMS_RESULTS"):
        with Path(results).open("a") as file:
            file.write(json.dumps(row) + "\n")

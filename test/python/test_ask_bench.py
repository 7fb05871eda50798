"""The share of `bench/ask.py` that takes seconds: what it measures is right, and nothing is lost beside questions."""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "bench"))
ask = importlib.import_module("ask")


@pytest.fixture(scope="module")
def program() -> str:
    build = ["cargo", "build", "--quiet", "--message-format=json", "-p", "otlp-arrow-query", "--bench", "ask"]
    done = subprocess.run(build, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    artifacts = [json.loads(line) for line in done.stdout.splitlines()]
    [executable] = [found["executable"] for found in artifacts if found.get("executable")]
    return str(executable)


def test_ten_answers_are_those_of_duckdb_and_datafusion(program: str, tmp_path: Path) -> None:
    arguments = argparse.Namespace(program=program, spans=12_000, seed=3, rounds=1, without=None, only=None, fresh=2)
    result = ask.run(arguments, tmp_path)
    assert len(result["questions"]) == 10
    for found in result["questions"].values():
        assert found.keys() == {"ours", "duckdb", "datafusion"}
    assert result["made"]["spans"] >= 12_000
    assert ask.table(result).count("\n| ") == 11


@pytest.mark.parametrize("situation", ask.SITUATIONS)
def test_nothing_is_lost_while_clients_ask(program: str, situation: str) -> None:
    found = ask.ingest(program, situation, seconds=0.4, rounds=1, clients=4)
    if found is None:
        pytest.skip("no small file system can be mounted here")
    assert found["with"]["asked"] > 0
    assert min(found["kept"]) > 0
    if situation == "full":
        assert found["without"]["refused"] + found["with"]["refused"] > 0

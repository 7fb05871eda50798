"""Random questions to a directory of several writers, one of them killed; each answer is computed here as well."""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import series
from questions import (
    SECOND,
    SIGNALS,
    Directory,
    Filter,
    Questions,
    Row,
    Telemetry,
    number_of,
    shown,
    wanted,
)

ROOT = Path(__file__).parent.parent.parent
NOW = 1_795_000_000 * SECOND
COUNT = int(os.environ.get("OTLP_ARROW_QUESTIONS", "300"))
SEED = int(os.environ.get("OTLP_ARROW_SEED", "0")) or random.SystemRandom().randrange(2**32)


@pytest.fixture(scope="session")
def answers() -> str:
    """The program that records and answers."""
    build = [
        "cargo",
        "build",
        "--quiet",
        "--message-format=json",
        "-p",
        "otlp-arrow-query",
        "--example",
        "answers",
    ]
    if COUNT > 10_000:
        build.append("--release")
    done = subprocess.run(build, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    artifacts = [json.loads(line) for line in done.stdout.splitlines()]
    [executable] = [found["executable"] for found in artifacts if found.get("executable")]
    return str(executable)


class Program:
    """One process of it: a line in, a line out."""

    def __init__(self, answers: str, mode: str, directory: Path) -> None:
        self.process = subprocess.Popen(
            [answers, mode, str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def __call__(self, line: str) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def ask(self, question: str, words: list[tuple[str, str]]) -> Any:
        return self(json.dumps({"question": question, "words": words, "now": NOW}))

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(60) == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(60)


@contextmanager
def recorded(answers: str, directory: Path, seed: int) -> Iterator[None]:
    """Records of a writer that ended, of one that was killed, and of one that is still there."""
    telemetry = Telemetry(random.Random(seed), NOW)

    def send(program: Program, requests: int) -> None:
        for _ in range(requests):
            assert program(telemetry.request(telemetry.random.choice(SIGNALS))) == {}

    ended, killed, alive = (Program(answers, "write", directory) for _ in range(3))
    try:
        for program in (ended, killed, alive, killed, ended):
            send(program, telemetry.random.randrange(3, 12))
        ended.end()
        killed.kill()
        send(alive, 2)
        yield
    finally:
        for program in (ended, killed, alive):
            program.kill()


def test_answers_are_those_computed_by_hand(answers: str, tmp_path: Path) -> None:
    numbers = random.Random(SEED)
    each = 150 if COUNT <= 10_000 else 2_000
    asked, found = 0, 0
    for turn in range(-(-COUNT // each)):
        directory = tmp_path / str(turn)
        with recorded(answers, directory, numbers.getrandbits(32)):
            held = Directory.read(directory)
            program = Program(answers, "ask", directory)
            questions = Questions(numbers, held)
            for _ in range(each):
                question, words = questions.one()
                answer = program.ask(question, words)
                said = f"OTLP_ARROW_SEED={SEED}: {question} {words}"
                assert "error" not in answer, f"{said}: {answer}"
                expected = wanted(question, words, NOW, held)
                if question == "series":
                    assert series.differs(answer, expected, words) is None, said
                else:
                    assert shown(question, answer) == expected, said
                limited = answer["searched"].get("why") == "limit"
                assert answer["searched"]["complete"] == (not limited), f"{said}: {answer['searched']}"
                asked += 1
                found += bool(expected)
            pages(program, questions, held)
            program.end()
    # Questions that find nothing prove little.
    assert asked >= COUNT
    assert found > asked / 3


def pages(program: Program, questions: Questions, held: Directory) -> None:
    """All pages together are what one large page is."""
    for question, signal in (
        ("spans", "traces"),
        ("logs", "logs"),
        ("traces", "traces"),
    ):
        words = [pair for pair in questions.words(signal) if pair[0] != "limit"][:2]
        order = questions.random.choice(["newest", "oldest"])
        rows = Filter([*words, ("order", order)], signal, NOW).ordered(held)
        if question == "traces":
            expected = list(dict.fromkeys(row["trace_id"].hex() for row in rows))
        else:
            expected = [number_of(row) for row in rows]
        got: list[str] = []
        cursor: str | None = None
        while cursor is not None or not got:
            page = [
                *words,
                ("order", order),
                ("limit", "17"),
                *([("cursor", cursor)] if cursor else []),
            ]
            answer = program.ask(question, page)
            records: list[Row] = answer[question]
            assert len(records) == 17 or "cursor" not in answer
            got += [row["trace_id"] if question == "traces" else str(row["attributes"]["n"]) for row in records]
            cursor = answer.get("cursor")
            if cursor is None:
                break
        assert got == expected, f"OTLP_ARROW_SEED={SEED}: {question} {words} {order}"


def test_records_are_shown_as_they_were_sent(answers: str, tmp_path: Path) -> None:
    with recorded(answers, tmp_path, 7):
        held = Directory.read(tmp_path)
        program = Program(answers, "ask", tmp_path)
        spans = {span["attributes"]["n"]: span for span in program.ask("spans", [("limit", "100000")])["spans"]}
        assert len(spans) == len(held.rows["traces"])
        for row in held.rows["traces"]:
            span = spans[int(number_of(row))]
            assert span["trace_id"] == row["trace_id"].hex()
            assert span["span_id"] == row["span_id"].hex()
            assert span.get("parent_span_id") == (row["parent_span_id"] and row["parent_span_id"].hex())
            assert (span["name"], span["kind"], span["duration"]) == (
                row["name"],
                row["kind"],
                row["duration"],
            )
            assert span["service"] == (row["service_name"] or "")
            assert list(span["attributes"]) == list(row["attributes"])
            for key, value in span["attributes"].items():
                text = row["attributes"][key]
                match value:
                    case None | str():
                        assert value == text
                    case bool():
                        assert text == str(value).lower()
                    case list():
                        assert json.loads(text) == value
                    case _:
                        assert float(text) == value
        program.end()

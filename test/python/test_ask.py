"""Questions of every kind, to a library and to a directory, and the ways in which one ends."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import json
import os
import pickle
import re
import subprocess
import sys
import threading
import time
import typing
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from otlp_arrow import OtlpLibrary, Telemetry, _questions, answers, errors

from asking import START, TRACE, mixed, record
from support import run_python

ROOT = Path(__file__).parent.parent.parent
TABLE = json.loads((ROOT / "docs/questions.json").read_text(encoding="utf-8"))

Question = tuple[str, tuple[Any, ...], dict[str, Any]]
QUESTIONS: list[Question] = [
    ("trace", (TRACE[:8],), {}),
    ("trace", (TRACE,), {"logs": False}),
    ("search", (), {"service": "checkout", "min_duration": "500ms", "limit": 3}),
    ("search", (), {"service": "chekout"}),
    ("search_spans", (), {"trace": TRACE, "order": "oldest", "limit": 4}),
    ("search_logs", (), {"severity": ">=warn", "limit": 4}),
    ("search_logs", (), {"trace": TRACE}),
    ("counts", (), {"by": "name", "limit": 1, "step": "30s"}),
    ("services", (), {}),
    ("attributes", (), {"signal": "logs"}),
    ("attribute_values", ("http.route",), {"prefix": "/"}),
    ("facets", (), {"by": ["service", "attr:customer.tier"]}),
    ("metrics", (), {}),
    ("series", (), {"metric": "requests", "step": "20s", "exemplars": 2}),
    ("series", (), {"metric": "latency", "quantile": [0.5, 0.9], "top": 1}),
    ("series", (), {"metric": "latency", "show": "buckets", "by": ["service"]}),
    ("series", (), {"metric": "memory", "by": ["service"], "show": "value", "agg": "avg", "top": 1}),
    ("errors", (), {"service": "checkout"}),
    ("exceptions", (), {"limit": 5}),
    ("service_map", (), {"from_": START - 10**10}),
    ("compare", ("resource=service.version=1", "resource=service.version=2"), {}),
    ("compare", (TRACE, "trace=" + "0" * 32), {}),
    ("overrepresented", (), {"status": "error"}),
]


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, OtlpLibrary, Telemetry]]:
    directory = tmp_path_factory.mktemp("asked")
    library = mixed(directory)
    with Telemetry(directory) as telemetry:
        yield directory, library, telemetry
    library.shutdown()


def same(answer: answers.Answer) -> Any:
    """An answer without what is a matter of threads: how much is looked at for a list that ends early."""
    values = dataclasses.asdict(typing.cast("Any", answer))
    values["searched"] |= {"rows": 0, "files": 0}
    return values


def test_every_question_is_a_method_and_a_coroutine() -> None:
    wanted = {name: question for question in TABLE["questions"] for name in question["python"]}
    ours = {name for name in vars(_questions.Questions) if not name.startswith("_")}
    assert ours == set(wanted)
    for name, question in wanted.items():
        method = getattr(OtlpLibrary, name)
        assert getattr(Telemetry, name) is method
        assert inspect.iscoroutinefunction(method) == (name == question["python"][1])
        signature = inspect.signature(method)
        assert signature.return_annotation == f"answers.{question['answer']}"
        assert hasattr(answers, question["answer"])
        words = getattr(_questions, signature.parameters["words"].annotation.removeprefix("Unpack[").removesuffix("]"))
        filtered = TABLE["words"] if question["filtered"] else []
        hints = typing.get_type_hints(words)
        assert {key.removesuffix("_") for key in hints} == set(question["words"]) | set(filtered)
    assert {name for name, _, _ in QUESTIONS} == {question["python"][0] for question in TABLE["questions"]}


def test_answers_are_the_same_of_a_library_of_a_directory_and_after_sealing(tmp_path: Path) -> None:
    library = mixed(tmp_path)
    telemetry = Telemetry(tmp_path)

    async def coroutines() -> list[Any]:
        return [same(await getattr(telemetry, f"a{name}")(*given, **words)) for name, given, words in QUESTIONS]

    first = [same(getattr(telemetry, name)(*given, **words)) for name, given, words in QUESTIONS]
    assert [same(getattr(library, name)(*given, **words)) for name, given, words in QUESTIONS] == first
    assert asyncio.run(coroutines()) == first
    library.flush(seal=True)
    library.shutdown()
    with pytest.raises(AttributeError, match="Services has no servces"):
        _ = getattr(telemetry.services(), "servces")  # noqa: B009 - a name that no type has
    # A library that is shut down answers from its files, as it reads.
    for made in (telemetry, Telemetry(str(tmp_path)), library):
        assert [same(getattr(made, name)(*given, **words)) for name, given, words in QUESTIONS] == first


def test_values_are_exact(asked: tuple[Path, OtlpLibrary, Telemetry]) -> None:
    _, _, telemetry = asked
    trace = telemetry.trace(TRACE)
    assert (trace.trace_id, trace.start_time, trace.duration) == (TRACE, START, 300_000_001)
    assert (trace.duplicates, trace.errors, trace.services) == (1, 1, {"checkout": 5, "frontend": 2})
    assert trace.missing_parents == [f"{77:016x}"]
    [span] = [span for span in trace.spans if span.name == "POST /checkout"]
    assert span.start_time + span.duration == span.end_time
    assert span.attributes == {
        "http.route": "/cart",
        "big": 2**53 + 1,
        "small": -(2**53) - 1,
        "retries": 3,
        "ratio": 0.25,
        "none": "NaN",
        "ok": True,
        "bytes": "AP8=",
        "list": [9007199254740993, "\u0001x", "9007199254740993", 1e300],
        "map": {"camelCase_key": 1, "deep": 2**63 - 1},
        "empty": None,
        "\u0001marked": "\u0001\u00012",
        "one": "\u00015",
        "__proto__": "kept",
        "snake_case": "kept too",
        "emoji": "🛒 <b>",
    }
    assert [(event.time - START, event.name) for event in span.events] == [
        (150_000_000, "exception"),
        (151_000_003, "retry"),
    ]
    assert span.links[0].attributes == {"why": "batch"}
    assert [(span.orphan, span.cyclic, span.early) for span in trace.spans if span.name == "orphan"] == [
        (True, False, 0)
    ]
    assert trace.spans[-1].parent_span_id is not None
    [group] = telemetry.errors(service="checkout").errors
    assert group.services == [("checkout", 2)]
    assert group.example.stacktrace is not None
    assert telemetry.search().cursor is not None
    assert telemetry.services().searched.why is None


def test_an_answer_is_a_table(asked: tuple[Path, OtlpLibrary, Telemetry]) -> None:
    _, library, telemetry = asked
    services = telemetry.services()
    table = pa.table(services)
    assert table["name"].to_pylist() == [service.name for service in services.services]
    assert table["p95"].to_pylist() == [service.p95 for service in services.services]
    frame = pl.DataFrame(library.search_spans(trace=TRACE))
    assert frame.height == len(library.search_spans(trace=TRACE).spans) == 8
    assert pa.schema(services) == pa.schema(services.table) == table.schema
    batches = list(pa.RecordBatchReader.from_stream(telemetry.metrics()))
    assert sum(batch.num_rows for batch in batches) == 5
    assert pa.table(telemetry.read("logs")).num_rows == 24
    assert pa.table(telemetry.read("logs", limit=3, columns=["body"])).column_names == ["body"]
    again = pickle.loads(pickle.dumps(services))
    assert again == services
    assert again.services[0].name == "checkout"
    for one in (telemetry, library):
        with pytest.raises(TypeError, match="another process"):
            pickle.dumps(one)


def test_words_are_what_python_has_for_them(asked: tuple[Path, OtlpLibrary, Telemetry]) -> None:
    _, _, telemetry = asked

    def count(**words: Any) -> int:
        return len(telemetry.search_spans(**words, limit=1_000).spans)

    moment = datetime.fromtimestamp(START // 10**9 + 30, UTC)
    starts = [
        START + 30 * 10**9,
        moment,
        moment.astimezone(),
        moment.astimezone().replace(tzinfo=None),
        moment.isoformat(),
    ]
    assert len({count(from_=start) for start in starts}) == 1
    assert count(min_duration=timedelta(milliseconds=500)) == count(min_duration="500ms") == 20
    assert count(status=("ok", "error")) == count(status="ok") + count(status="error")
    assert count(attr=["customer.tier=gold", "http.route"]) == 24
    assert count(service=None) == count(from_=datetime(1960, 1, 1)) == count()
    assert len(telemetry.search_logs(severity=17).logs) == 6
    assert len(telemetry.search_logs(text="REQUEST", ignore_case=True).logs) == 20
    pages: set[tuple[str, int]] = set()
    cursor: str | None = None
    while True:
        page = telemetry.search_spans(limit=50, **({} if cursor is None else {"cursor": cursor}))
        pages |= {(span.span_id, span.start_time) for span in page.spans}
        cursor = page.cursor
        if cursor is None:
            break
    # One of them came twice.
    assert len(pages) == count() - 1


WRONG: list[tuple[Callable[[Any], Any], str]] = [
    (lambda at: at.search(servce="checkout"), r"servce = \"checkout\" .*did you mean service\?"),
    (lambda at: at.search_spans(min_duraton="1s"), r"did you mean min_duration\?"),
    (lambda at: at.search(min_duration="1 parsec"), r"min_duration = \"1 parsec\" is not a duration"),
    (lambda at: at.search(min_duration=250), r"min_duration = \"250\" is not a duration"),
    (lambda at: at.search(kind="sever"), r"kind = \"sever\" is not one of"),
    (lambda at: at.search(limit=float("nan")), "limit is nan"),
    (lambda at: at.search(limit=-1), r"limit = \"-1\" is not a number of rows"),
    (lambda at: at.search(service={"is": "x"}), "service is {'is': 'x'}"),
    (lambda at: at.search(service=b"x"), "service is b'x'"),
    (lambda at: at.search(from_="-1h", to="-2h"), "is not before to"),
    (lambda at: at.search(from_="yesterday"), 'from = "yesterday" is not a time'),
    (lambda at: at.trace("no hex"), 'trace = "no hex"'),
    (lambda at: at.trace(None), 'trace = "" is missing'),
    (lambda at: at.trace("f00d", service="x"), "word that this question does not take"),
    (lambda at: at.series(metric="requests", show="rte"), 'show = "rte"'),
    (lambda at: at.series(), 'metric = "" is missing'),
    (lambda at: at.attribute_values(""), 'key = ""'),
    (lambda at: at.compare("", "-1h.."), 'a = "" is missing'),
    (lambda at: at.search_logs(min_duration="1s"), "it is of spans"),
    (lambda at: at.services(timeout=-1), "timeout is -1"),
    (lambda at: asyncio.run(at.asearch(servce="checkout")), r"did you mean service\?"),
    (lambda _: Telemetry("x", max_row=5), "max_rows"),  # type: ignore[call-arg]
    (lambda _: Telemetry("x", timeout="soon"), 'query.timeout = "soon"'),
]


@pytest.mark.parametrize(("ask", "text"), WRONG, ids=[text for _, text in WRONG])
def test_wrong_words_are_errors_that_name_the_right_ones(tmp_path: Path, ask: Callable[[Any], Any], text: str) -> None:
    with pytest.raises(errors.InvalidConfigError, match=text):
        ask(Telemetry(tmp_path))


def test_where_nothing_is_found_the_nearest_name_is_told(asked: tuple[Path, OtlpLibrary, Telemetry]) -> None:
    _, _, telemetry = asked
    for answer, hint in [
        (telemetry.search(service="chekout"), "checkout"),
        (telemetry.search_spans(name="GET /crt"), "GET /cart"),
        (telemetry.search_spans(attr="customer.teir=gold"), "customer.tier"),
        (telemetry.series(metric="reqests"), "requests"),
    ]:
        assert hint in " ".join(answer.searched.hints)


def test_a_damaged_file_is_told_of_and_costs_nothing_but_its_rows(tmp_path: Path) -> None:
    for first in (0, 4):
        with OtlpLibrary(output_dir=tmp_path) as library:
            record(library, first, first + 4)
    telemetry = Telemetry(tmp_path)
    assert len(telemetry.search_spans(limit=100).spans) == 15
    damaged, _ = sorted((tmp_path / "otlp" / "traces").iterdir())
    damaged.write_bytes(b"no Arrow" * 20)
    for asked in (telemetry, Telemetry(tmp_path)):
        answer = asked.search_spans(limit=100)
        assert len(answer.spans) == pa.table(answer).num_rows == 4
        [skipped] = answer.searched.skipped
        assert (skipped.file, answer.searched.complete) == (damaged.name, False)
        assert skipped.why


def test_a_question_ends_when_its_time_or_its_rows_are_over(asked: tuple[Path, OtlpLibrary, Telemetry]) -> None:
    directory, _, telemetry = asked
    searched = telemetry.services(timeout=0).searched
    assert (searched.complete, searched.why) == (False, "timeout")
    few = Telemetry(directory, max_rows=5).search_spans(limit=50)
    assert (len(few.spans), few.searched.why, few.searched.complete) == (5, "max_rows", False)


def test_a_closed_directory_answers_nothing(asked: tuple[Path, OtlpLibrary, Telemetry]) -> None:
    directory, _, _ = asked
    with Telemetry(directory) as telemetry:
        assert len(telemetry.services().services) == 2
    telemetry.close()
    for ask in (telemetry.services, lambda: telemetry.trace(TRACE), lambda: telemetry.read("traces")):
        with pytest.raises(errors.ClosedError):
            ask()


def test_an_event_loop_goes_on_while_questions_are_answered(asked: tuple[Path, OtlpLibrary, Telemetry]) -> None:
    _, library, telemetry = asked

    async def main() -> None:
        found = await asyncio.gather(*((library, telemetry)[n % 2].atrace(TRACE) for n in range(50)))
        assert {len(trace.spans) for trace in found} == {7}
        task = asyncio.create_task(telemetry.aservices())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len((await telemetry.aservices()).services) == 2

    asyncio.run(main())


def test_threads_ask_at_once(asked: tuple[Path, OtlpLibrary, Telemetry]) -> None:
    _, library, telemetry = asked
    with ThreadPoolExecutor(16) as threads:
        found = threads.map(lambda n: len((library, telemetry)[n % 2].search_spans(limit=10).spans), range(100))
        assert set(found) == {10}


def test_what_was_acknowledged_is_in_the_next_answer(tmp_path: Path) -> None:
    configurations: list[dict[str, Any]] = [{}, {"durability": "buffered", "write_interval": "1h"}]
    for at, configuration in enumerate(configurations):
        with OtlpLibrary(output_dir=tmp_path / str(at), **configuration) as library:
            for n in range(1, 6):
                record(library, n, n + 1)
                spans = library.search_spans(limit=100).spans
                assert n < len(spans) == pa.table(library.read("traces")).num_rows


def test_a_directory_need_not_be_there_yet(tmp_path: Path) -> None:
    telemetry = Telemetry(tmp_path / "not" / "yet")
    found = telemetry.services()
    assert (found.services, found.searched.rows, found.searched.complete) == ([], 0, True)
    with OtlpLibrary(output_dir=tmp_path / "not" / "yet") as library:
        record(library, 0, 2)
        assert [service.name for service in telemetry.services().services] == ["checkout", "frontend"]


DOCUMENT = (ROOT / "docs" / "query.md").read_text(encoding="utf-8")
SNIPPETS = dict(re.findall(r"<!-- test: python/(\S+) -->\n```\w+\n(.*?)```", DOCUMENT, re.DOTALL))


def test_the_snippets_of_the_document_work_as_written(tmp_path: Path) -> None:
    assert list(SNIPPETS) == ["questions", "answers"]
    with OtlpLibrary(output_dir=tmp_path / "telemetry") as library:
        record(library)
    counts = """
import asyncio
assert [len(one) for one in (trace.spans, found.traces, spans, logs, buckets, services, attributes, routes)] == [
    7, 10, 20, 1, 4, 2, 23, 2]
assert [len(one) for one in (facets, metrics, lines, errors, exceptions, edges, operations)] == [2, 5, 1, 1, 2, 2, 2]
assert [one.value for one in values if one.by == "attr:customer.tier"] == ["gold"]
assert (found.cursor is not None, frame.height) == (True, 22)
asyncio.run(watch())
"""
    run_python("\n".join([*SNIPPETS.values(), counts]), cwd=tmp_path)


def in_rust(directory: Path, questions: list[Question]) -> list[Any]:
    """Answers of the core itself, with times as they are everywhere else."""
    build = ["cargo", "build", "--quiet", "--message-format=json", "-p", "otlp-arrow-query", "--example", "answers"]
    built = subprocess.run(build, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    [program] = [made["executable"] for made in map(json.loads, built.splitlines()) if made.get("executable")]
    lines = []
    for name, given, words in questions:
        [kind] = [question for question in TABLE["questions"] if question["rust"] == name]
        pairs = list(zip(kind["arguments"], given, strict=True))
        for word, value in words.items():
            several = value if isinstance(value, list) else [value]
            pairs += [(word.removesuffix("_"), json.dumps(one) if one is False else str(one)) for one in several]
        lines.append(json.dumps({"question": kind["name"], "words": pairs, "now": START}))
    command = [program, "ask", str(directory)]
    said = subprocess.run(command, check=True, capture_output=True, text=True, input="\n".join(lines) + "\n").stdout

    def numbers(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: numbers(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [numbers(inner) for inner in value]
        if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", value):
            return int(datetime.fromisoformat(value[:19] + "Z").timestamp()) * 10**9 + int(value[20:29])
        return value

    return [numbers(json.loads(line)) for line in said.splitlines()]


def in_node(directory: Path, questions: list[Question]) -> list[Any]:
    """Answers of Node.js, with fields as they are called everywhere else."""
    program = ROOT / "test" / "dist" / "node" / "fixtures" / "asked.js"
    assert program.exists(), f"{program} is missing: npx tsc -b"
    lines = []
    for name, given, words in questions:
        [kind] = [question for question in TABLE["questions"] if question["rust"] == name]
        named = {
            re.sub(r"_(.)", lambda found: found[1].upper(), word.removesuffix("_")): str(value)
            if word == "from_"
            else value
            for word, value in words.items()
        }
        lines.append(json.dumps([kind["typescript"], *given, named]))
    command = ["node", str(program), "ask", str(directory)]
    said = subprocess.run(command, check=True, capture_output=True, text=True, input="\n".join(lines) + "\n").stdout
    return [json.loads(line)["answer"] for line in said.splitlines()]


# Below these keys are names of the user's, not of ours.
OPEN = {"attributes", "resource", "labels"}


def camel(value: Any) -> Any:
    if isinstance(value, list):
        return [camel(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    return {
        re.sub(r"_(.)", lambda found: found[1].upper(), key): inner
        if key in OPEN and isinstance(inner, dict)
        else camel(inner)
        for key, inner in value.items()
    }


def test_three_languages_give_equal_answers_whoever_has_written_the_files(tmp_path: Path) -> None:
    library = mixed(tmp_path)
    telemetry = Telemetry(tmp_path)

    def told(answer: Any) -> Any:
        answer["searched"] |= {"rows": 0, "files": 0}
        return answer

    for turn in ("live", "sealed"):
        if turn == "sealed":
            library.flush(seal=True)
            library.shutdown()
        ours = [
            json.loads(getattr(telemetry, name)(*given, **words)._native.values()) for name, given, words in QUESTIONS
        ]
        theirs = zip(QUESTIONS, ours, in_rust(tmp_path, QUESTIONS), in_node(tmp_path, QUESTIONS), strict=True)
        for question, python, rust, node in theirs:
            assert told(python) == told(rust), (turn, question)
            assert camel(python) == told(node), (turn, question)
            assert python["searched"]["complete"] or python["searched"]["why"] == "limit"


FORKS = """
import os, sys, threading
sys.path.insert(0, {here!r})
from asking import TRACE, record
from otlp_arrow import OtlpLibrary, Telemetry

library = OtlpLibrary(output_dir="telemetry")
record(library)
telemetry = Telemetry("telemetry")
closed = Telemetry("telemetry")
closed.close()
stop = threading.Event()

def asks(at):
    while not stop.is_set():
        assert len(at.trace(TRACE).spans) == 7

threads = [threading.Thread(target=asks, args=(at,)) for at in (library, telemetry)]
for thread in threads:
    thread.start()
for _ in range(10):
    child = os.fork()
    if child == 0:
        code = 1
        try:
            for at in (library, telemetry):
                assert len(at.trace(TRACE).spans) == 7
            try:
                closed.services()
            except Exception as error:
                code = 0 if error.code == "CLOSED" else 2
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
for thread in threads:
    thread.join()
library.shutdown()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_asks_for_itself(tmp_path: Path) -> None:
    run_python(FORKS.format(here=str(Path(__file__).parent)), cwd=tmp_path)


def test_waiting_for_an_answer_lets_other_threads_go_on(asked: tuple[Path, OtlpLibrary, Telemetry]) -> None:
    _, _, telemetry = asked
    count, stop = 0, threading.Event()

    def counts() -> None:
        nonlocal count
        while not stop.is_set():
            count += 1
            time.sleep(0)  # gives the interpreter back

    interval = sys.getswitchinterval()
    thread = threading.Thread(target=counts)
    # A thread that would have to be asked for the interpreter gives it up after a long time only.
    sys.setswitchinterval(1_000)
    try:
        thread.start()
        before = count
        telemetry.services()
        assert count > before
    finally:
        sys.setswitchinterval(interval)
        stop.set()
        thread.join()

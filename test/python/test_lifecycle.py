"""What happens at the edges of a library's life."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExportResult
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricExportResult
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExportResult
from opentelemetry.trace import SpanContext

from otlp_arrow import OtlpLibrary, errors

from sdk_objects import Maker, ended_spans
from support import eventually, read_directory, rows, run_python


def test_an_export_after_shutdown_fails_with_closed(directory: Path) -> None:
    library = OtlpLibrary(output_dir=directory)
    library.shutdown()
    with pytest.raises(errors.ClosedError):
        library.export_traces(ended_spans(1))
    with pytest.raises(errors.ClosedError):
        library.export_otlp("traces", b"")


def test_a_flush_that_seals_leaves_sealed_files(directory: Path) -> None:
    def extensions() -> list[str]:
        return sorted(path.suffix for path in (directory / "otlp" / "traces").glob("*"))

    library = OtlpLibrary(output_dir=directory)
    library.flush(seal=True)
    assert extensions() == []
    library.export_traces(ended_spans(2))
    library.flush()
    assert extensions() == [".arrows"]
    library.flush(10, seal=True)
    assert extensions() == [".arrow"]
    library.export_traces(ended_spans(1))
    asyncio.run(library.aflush(seal=True))
    assert extensions() == [".arrow", ".arrow"]
    assert len(pa.table(library.read("traces"))) == 3
    with pytest.raises(TypeError):
        library.flush(seal="yes")  # type: ignore[arg-type]
    library.shutdown()
    assert extensions() == [".arrow", ".arrow"]


def test_an_exporter_of_a_closed_library_fails_at_export(directory: Path, caplog: pytest.LogCaptureFixture) -> None:
    library = OtlpLibrary(output_dir=directory)
    library.shutdown()
    exporter = library.span_exporter()
    assert exporter.export(ended_spans(3)) is SpanExportResult.FAILURE
    assert exporter.export(ended_spans(2)) is SpanExportResult.FAILURE
    warnings = [record.message for record in caplog.records if record.name == "otlp_arrow"]
    assert len(warnings) == 1
    assert "3 traces records were not kept: CLOSED" in warnings[0]
    assert exporter._exports.failed_records == 5


def test_an_empty_batch_is_nothing(library: OtlpLibrary) -> None:
    assert library.export_traces([]) == (0, 0, "")
    assert library.export_logs(()) == (0, 0, "")
    assert library.export_otlp("metrics", b"") == (0, 0, "")
    assert library.span_exporter().export([]) is SpanExportResult.SUCCESS
    assert rows(library, "traces") == []


def test_a_malformed_record_is_refused_alone(library: OtlpLibrary, caplog: pytest.LogCaptureFixture) -> None:
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for name, length in (("first", 16), ("bad", 15), ("last", 16)):
        spans.add(name=name, trace_id=b"t" * length, span_id=b"s" * 8)
    outcome = library.export_otlp("traces", request.SerializeToString())
    assert (outcome.accepted, outcome.rejected) == (2, 1)
    assert "record 1" in outcome.message
    assert "trace_id" in outcome.message
    assert [row["name"] for row in rows(library, "traces")] == ["first", "last"]

    circle: list[Any] = []
    circle.append(circle)
    good, bad = (
        ReadableSpan(name, SpanContext(1, 1, False), resource=Resource({}), attributes=attributes)
        for name, attributes in (("good", {"a": 1}), ("bad", {"a": circle}))
    )
    outcome = library.export_traces([good, bad])
    assert (outcome.accepted, outcome.rejected) == (1, 1)
    exporter = library.span_exporter()
    assert exporter.export([good, bad]) is SpanExportResult.SUCCESS
    assert exporter.export([bad]) is SpanExportResult.FAILURE
    assert "1 of 2 traces records were refused" in caplog.text


def test_a_record_that_cannot_be_read_is_refused_alone(library: OtlpLibrary, caplog: pytest.LogCaptureFixture) -> None:
    good, bad = ended_spans(2), ended_spans(1)
    bad[0]._start_time = "yesterday"  # type: ignore[assignment]
    outcome = library.export_traces([*bad, *good, object()])
    assert (outcome.accepted, outcome.rejected) == (2, 2)
    assert outcome.message.startswith("2 record(s) could not be read; first: TypeError: ")
    log = ReadableLogRecord(LogRecord(body="good"), Resource({}))
    late = ReadableLogRecord(LogRecord(timestamp=-1), Resource({}))
    assert library.export_logs([late, log])[:2] == (1, 1)
    exporter = library.span_exporter()
    assert exporter.export([*good, *bad]) is SpanExportResult.SUCCESS
    assert exporter.export(bad) is SpanExportResult.FAILURE
    assert "could not be read; first: TypeError" in caplog.text
    refused = {
        (sample["labels"]["signal"], sample["labels"]["reason"]): sample["value"]
        for sample in library.stats()["counters"]
        if sample["name"] == "otlp_arrow_refused_records_total"
    }
    assert refused == {("traces", "INVALID_DATA"): 4, ("logs", "INVALID_DATA"): 1}
    assert len(rows(library, "traces")) == 4
    assert [row["body"] for row in rows(library, "logs")] == ["good"]


def test_a_metric_that_cannot_be_read_is_refused_alone(library: OtlpLibrary) -> None:
    reader = InMemoryMetricReader()
    meter = MeterProvider([reader], shutdown_on_exit=False).get_meter("m")
    for name in ("broken", "unknown", "good"):
        counter = meter.create_counter(name)
        counter.add(1, {"a": 1})
        counter.add(2, {"a": 2})
    data = reader.get_metrics_data()
    assert data is not None
    broken, unknown, _ = metrics = data.resource_metrics[0].scope_metrics[0].metrics
    object.__setattr__(broken.data.data_points[0], "time_unix_nano", "now")
    object.__setattr__(unknown, "data", object())
    outcome = library.export_metrics(data)
    assert (outcome.accepted, outcome.rejected, len(metrics)) == (3, 2, 3)
    names = sorted(row["metric_name"] for row in rows(library, "metrics"))
    assert names == ["broken", "good", "good"]


def test_a_time_that_is_a_float_is_kept(library: OtlpLibrary) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(library.span_exporter()))
    span = provider.get_tracer("t").start_span("s", start_time=1.5e18)  # type: ignore[arg-type]
    span.end(end_time=1.5e18 + 1e9)  # type: ignore[arg-type]
    assert [row["duration"] for row in rows(library, "traces")] == [10**9]


def test_a_batch_that_is_none_fails_without_raising(library: OtlpLibrary) -> None:
    nothing: Any = None
    assert library.span_exporter().export(nothing) is SpanExportResult.FAILURE
    assert library.log_exporter().export(nothing) is LogRecordExportResult.FAILURE
    assert library.metric_exporter().export(nothing) is MetricExportResult.FAILURE
    with pytest.raises(TypeError):
        library.export_traces(nothing)
    for wrong in ("5", -1, float("nan")):
        with pytest.raises(errors.InvalidConfigError, match=f"timeout_millis is {wrong!r}: use"):
            library.span_exporter(timeout_millis=wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", ["-5", "0", "nan", "inf", "soon"])
def test_a_timeout_that_is_none_is_the_default(
    library: OtlpLibrary, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, wrong: str
) -> None:
    monkeypatch.setenv("OTEL_BLRP_EXPORT_TIMEOUT", wrong)
    assert library.log_exporter()._timeout_millis == 30_000
    assert f"OTEL_BLRP_EXPORT_TIMEOUT is not a number of milliseconds: {wrong!r}" in caplog.text


def test_a_processor_outlives_the_variable(directory: Path) -> None:
    library = OtlpLibrary(output_dir=directory)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(library.span_exporter()))
    del library
    gc.collect()
    for i in range(10):
        provider.get_tracer("t").start_span(f"s{i}").end()
    provider.shutdown()
    assert [row["name"] for row in read_directory(directory, "traces")] == [f"s{i}" for i in range(10)]


def test_a_library_nobody_holds_lets_go_of_its_directory(directory: Path) -> None:
    library = OtlpLibrary(output_dir=directory)
    library.export_traces(ended_spans(5))
    del library
    gc.collect()
    assert len(read_directory(directory, "traces")) == 5


def test_shutdown_twice_and_during_exports_loses_nothing(directory: Path) -> None:
    library = OtlpLibrary(output_dir=directory)
    accepted: list[int] = []
    started = threading.Barrier(5)

    def produce() -> None:
        batch = ended_spans(10)
        kept = 0
        started.wait()
        try:
            while True:
                kept += library.export_traces(batch).accepted
        except errors.ClosedError:
            accepted.append(kept)

    threads = [threading.Thread(target=produce) for _ in range(4)]
    for thread in threads:
        thread.start()
    started.wait()
    closers = [threading.Thread(target=library.shutdown) for _ in range(2)]
    for thread in closers:
        thread.start()
    for thread in [*threads, *closers]:
        thread.join(100)
        assert not thread.is_alive()
    library.shutdown()
    assert len(accepted) == 4
    assert len(read_directory(directory, "traces")) == sum(accepted)


def test_an_exporter_shutdown_leaves_the_library_open(library: OtlpLibrary) -> None:
    first, second = library.span_exporter(), library.span_exporter()
    first.export(ended_spans(1))
    first.shutdown()
    first.shutdown()
    assert first.export(ended_spans(1)) is SpanExportResult.FAILURE
    assert second.export(ended_spans(1)) is SpanExportResult.SUCCESS
    assert len(rows(library, "traces")) == 2


PROGRAM = """
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
{order}
provider.add_span_processor(BatchSpanProcessor(library.span_exporter()))
for i in range(100):
    provider.get_tracer("t").start_span(f"s{{i}}").end()
"""
LIBRARY = "from otlp_arrow import OtlpLibrary; library = OtlpLibrary(output_dir='telemetry', **{config})"


@pytest.mark.parametrize("config", [{}, {"durability": "buffered", "write_interval": "1h"}])
@pytest.mark.parametrize("library_first", [True, False])
def test_exit_without_shutdown_keeps_everything(tmp_path: Path, config: dict[str, Any], library_first: bool) -> None:
    lines = [LIBRARY.format(config=config), "provider = TracerProvider()"]
    program = PROGRAM.format(order="\n".join(lines if library_first else lines[::-1]))
    run_python(program, cwd=tmp_path)
    assert len(list((tmp_path / "telemetry/otlp/traces").glob("*.arrow"))) == 1
    assert len(read_directory(tmp_path / "telemetry", "traces")) == 100


CHANGES_DIRECTORY = """
import os, pathlib
import pyarrow as pa
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext
from otlp_arrow import OtlpLibrary

os.mkdir("elsewhere")
with OtlpLibrary(output_dir="telemetry") as library:
    os.chdir("elsewhere")
    library.export_traces([ReadableSpan("s", SpanContext(1, 1, False))])
    print(pa.table(library.read("traces")).num_rows)
    if os.name != "nt" and os.fork() == 0:
        library.export_traces([ReadableSpan("s", SpanContext(1, 2, False))])
        os._exit(0)
    os.name == "nt" or os.wait()
print(os.listdir())
"""


def test_a_program_may_change_its_directory(tmp_path: Path) -> None:
    assert run_python(CHANGES_DIRECTORY, cwd=tmp_path).split() == ["1", "[]"]
    assert len(read_directory(tmp_path / "telemetry", "traces")) == (1 if os.name == "nt" else 2)


def test_a_context_manager_shuts_down(directory: Path) -> None:
    with OtlpLibrary(output_dir=directory) as library:
        library.export_traces(ended_spans(1))
    with pytest.raises(errors.ClosedError):
        library.export_traces(ended_spans(1))


def test_the_event_loop_goes_on_while_flushing(directory: Path) -> None:
    async def main() -> int:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        async with OtlpLibrary(output_dir=directory, durability="buffered", write_interval="1h") as library:
            ticking = asyncio.create_task(tick())
            library.export_traces(ended_spans(10))
            await library.aflush()
            assert len(rows(library, "traces")) == 10
            ticking.cancel()
        return ticks

    assert asyncio.run(main()) > 0
    assert len(read_directory(directory, "traces")) == 10


def test_several_libraries_share_a_directory(directory: Path) -> None:
    with OtlpLibrary(output_dir=directory) as first, OtlpLibrary(output_dir=directory) as second:
        first.export_traces(ended_spans(2, seed=1))
        second.export_traces(ended_spans(3, seed=2))
        assert len(rows(first, "traces")) == len(rows(second, "traces")) == 5


def test_two_seconds_without_room_lose_nothing_under_a_batch_processor(directory: Path) -> None:
    """The room is taken by a body on its way, until its sender gives up: exports wait that long."""
    # With its body a request holds 4 KiB for itself, and its headers.
    room, taken = 4 << 20, (3 << 20) - (4 << 10) - 200
    listen, limits = {"http": "127.0.0.1:0"}, {"timeout": "10m"}
    with OtlpLibrary(output_dir=directory, buffer={"max_bytes": f"{room}B"}, listen=listen, limits=limits) as library:  # type: ignore[arg-type]
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(library.span_exporter(), max_queue_size=2_000))
        host, port = library.addresses()["http"].rsplit(":", 1)
        with socket.create_connection((host, int(port))) as sender:
            head = f"POST /v1/traces HTTP/1.1\r\nhost: t\r\ncontent-length: {taken}"
            kind = "content-type: application/x-protobuf"
            sender.sendall(f"{head}\r\n{kind}\r\n\r\n".encode() + bytes(taken - 100))
            eventually(lambda: library.stats()["buffer_bytes"] >= taken - 100)
            for i in range(1_500):
                provider.get_tracer("t").start_span(f"s{i}").end()
            flushing = threading.Thread(target=provider.force_flush)
            flushing.start()
            flushing.join(2)
            assert flushing.is_alive(), "there is no room yet"
            assert rows(library, "traces") == []
        flushing.join(100)
        assert not flushing.is_alive()
        assert [row["name"] for row in rows(library, "traces")] == [f"s{i}" for i in range(1_500)]
        provider.shutdown()


def test_sixteen_producers_share_a_library(directory: Path) -> None:
    """Numbered records from threads, two readers, two processors: each is stored exactly once.

    8,000 of them; a million in `npm run test:long -- producers`.
    """
    producers, size = 16, 25
    batches = max(1, int(os.environ.get("PRODUCED_RECORDS", "8000")) // (producers * size))
    with OtlpLibrary(output_dir=directory) as library:
        providers = [TracerProvider(shutdown_on_exit=False) for _ in range(2)]
        for provider in providers:
            provider.add_span_processor(BatchSpanProcessor(library.span_exporter(), max_queue_size=50_000))
        done = threading.Event()
        failures: list[BaseException] = []

        def read() -> None:
            while not done.is_set():
                found = pa.table(library.read("traces", columns=["span_id"]))
                assert pc.count_distinct(found["span_id"]).as_py() == len(found)

        def produce(producer: int) -> None:
            provider = providers[producer // 2 % 2]
            tracer = provider.get_tracer("shared")
            for batch in range(batches):
                if producer % 2:
                    for i in range(size):
                        tracer.start_span(f"{producer}/{batch}/{i}").end()
                    # Fewer than the queue holds wait, of all threads together.
                    if batch % 100 == 99:
                        assert provider.force_flush()
                else:
                    maker = Maker(producer * 1_000_000 + batch)
                    spans = [
                        ReadableSpan(
                            f"{producer}/{batch}/{i}",
                            SpanContext(1 + producer, 1 + maker.random.getrandbits(63), False),
                            resource=Resource({}),
                        )
                        for i in range(size)
                    ]
                    assert library.export_traces(spans).accepted == size

        def guarded(work: Callable[[], None]) -> threading.Thread:
            def run() -> None:
                try:
                    work()
                except BaseException as error:
                    failures.append(error)

            thread = threading.Thread(target=run)
            thread.start()
            return thread

        readers = [guarded(read) for _ in range(2)]
        threads = [guarded(partial(produce, i)) for i in range(producers)]
        for thread in threads:
            thread.join()
        for provider in providers:
            provider.shutdown()
        done.set()
        for thread in readers:
            thread.join()
        assert failures == []
        names = pa.table(library.read("traces", columns=["name"]))["name"].to_pylist()
    expected = {f"{p}/{b}/{i}" for p in range(producers) for b in range(batches) for i in range(size)}
    assert len(names) == len(expected)
    assert set(names) == expected


NOT_ARMED = """
import os
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from otlp_arrow import OtlpLibrary

with OtlpLibrary(output_dir="telemetry") as library:
    # A build for the kill test would end here, at its first file.
    os.environ["OTLP_ARROW_FAILPOINT"] = "create.before:1"
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(library.span_exporter()))
    provider.get_tracer("t").start_span("kept").end()
"""


def test_the_variable_of_builds_for_the_kill_test_means_nothing_to_this_one(tmp_path: Path) -> None:
    run_python(NOT_ARMED, cwd=tmp_path)
    assert [row["name"] for row in read_directory(tmp_path / "telemetry", "traces")] == ["kept"]

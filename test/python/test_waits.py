"""Exporters know who waits: a request is held for a moment in all, a batch waits, an end comes in time."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult

from otlp_arrow import OtlpLibrary, _waiter

from sdk_objects import ended_spans
from support import crowded, eventually, read_directory, refused, rows, run_python

# Far more than a request may be held, and far less than if each of hundreds of records held it for 100 ms.
LOADED_MACHINE = 15.0


def simple(library: OtlpLibrary, *, batch: bool = False) -> Callable[[int], None]:
    """End a span and emit a log record with that number, one at a time."""
    tracers = TracerProvider(shutdown_on_exit=False)
    loggers = LoggerProvider(shutdown_on_exit=False)
    tracers.add_span_processor((BatchSpanProcessor if batch else SimpleSpanProcessor)(library.span_exporter()))
    loggers.add_log_record_processor(
        (BatchLogRecordProcessor if batch else SimpleLogRecordProcessor)(library.log_exporter())
    )
    tracer, logger = tracers.get_tracer("t"), loggers.get_logger("t")

    def record(number: int) -> None:
        tracer.start_span(f"span {number}").end()
        logger.emit(LogRecord(body=f"log {number}"))

    return record


@contextmanager
def away(directory: Path) -> Iterator[tuple[OtlpLibrary, Callable[[], None]]]:
    """A file in the place of the directory."""
    directory.parent.mkdir(exist_ok=True)
    in_the_way = directory.parent / "file"
    in_the_way.write_text("x")
    with OtlpLibrary(output_dir=in_the_way / "telemetry") as library:
        yield library, in_the_way.unlink


@contextmanager
def full(directory: Path) -> Iterator[tuple[OtlpLibrary, Callable[[], None]]]:
    """A disk that takes nothing more: EFBIG, which is treated as ENOSPC is."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def lift() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    with OtlpLibrary(output_dir=directory, storage={"min_free_bytes": "0B"}) as library:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        try:
            yield library, lift
        finally:
            lift()


TROUBLES = [
    away,
    pytest.param(full, marks=pytest.mark.skipif(os.name == "nt", reason="no such limit there")),
    crowded,
]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_one_at_a_time_holds_a_request_for_a_moment_in_all(directory: Path, trouble: Any) -> None:
    with trouble(directory) as (library, lift):
        record = simple(library)
        began = time.monotonic()
        for number in range(200):
            record(number)
        assert time.monotonic() - began < LOADED_MACHINE

        def kept() -> int:
            # There is nothing to be read where no directory can be.
            return 0 if trouble is away else len(rows(library, "traces")) + len(rows(library, "logs"))

        # What was on its way to the disk is counted when the disk has said what became of it.
        eventually(lambda: kept() + refused(library) == 400)
        assert refused(library) >= 200
        # The first of each signal at once, the others together when it is over.
        assert 1 <= library.stats()["events"]["records_dropped"] <= 2
        lift()
        # That the trouble is over is seen by the next record that is tried, sooner or later.
        eventually(lambda: record(2000) or "span 2000" in {row["name"] for row in rows(library, "traces")})


@pytest.mark.parametrize("trouble", TROUBLES)
def test_threads_and_event_loops_are_held_no_longer(directory: Path, trouble: Any) -> None:
    with trouble(directory) as (library, _):
        record = simple(library)

        async def serve() -> None:
            for number in range(100):
                record(number)
                await asyncio.sleep(0)

        began = time.monotonic()
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(record, range(400)))
        asyncio.run(serve())
        assert time.monotonic() - began < LOADED_MACHINE


def test_a_batch_waits_for_what_passes_and_keeps_everything(directory: Path) -> None:
    with crowded(directory) as (library, lift):
        tracers = TracerProvider(shutdown_on_exit=False)
        tracers.add_span_processor(BatchSpanProcessor(library.span_exporter(), schedule_delay_millis=10))
        # One alone looks like one at a time, but nobody stands still for it.
        tracers.get_tracer("t").start_span("alone").end()

        def attempts() -> int:
            counters = library.stats()["counters"]
            times = [one for one in counters if one["name"] == "otlp_arrow_request_seconds"]
            return sum(one["count"] for one in times if one["labels"].get("code") == "BUFFER_FULL")

        eventually(lambda: attempts() >= 5)
        assert rows(library, "traces") == []
        lift()
        eventually(lambda: [row["name"] for row in rows(library, "traces")] == ["alone"])
        assert refused(library) == 0
        tracers.shutdown()


def test_what_cannot_pass_is_not_waited_for_by_a_batch_either(directory: Path) -> None:
    with away(directory) as (library, lift):
        record = simple(library, batch=True)
        for number in range(2000):
            record(number)
        eventually(lambda: refused(library) >= 512)
        lift()


@pytest.mark.skipif(os.name == "nt", reason="no such limit there")
def test_what_is_slow_or_full_is_said_once(directory: Path, caplog: pytest.LogCaptureFixture) -> None:
    with full(directory) as (library, _), caplog.at_level(logging.WARNING, "otlp_arrow"):
        record = simple(library)
        for number in range(100):
            record(number)
        mine = [one.message for one in caplog.records if "were not kept" in one.message]
        assert len(mine) == 2, mine  # one a signal


class Seen(SpanExporter):
    """Tells who waited."""

    def __init__(self, chosen: bool = False) -> None:
        self.held: list[bool] = []
        self.chosen = chosen

    def export(self, spans: Any) -> SpanExportResult:
        self.held.append(_waiter.is_held(len(spans), self.chosen))
        return SpanExportResult.SUCCESS


def trace(processor: Any, spans: int = 1) -> Any:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    for _ in range(spans):
        provider.get_tracer("t").start_span("s").end()
    return provider


def on_a_thread(work: Callable[[], Any]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_who_waits_is_told_by_what_is_under_way() -> None:
    seen = Seen()
    trace(SimpleSpanProcessor(seen), 2)
    on_a_thread(lambda: trace(SimpleSpanProcessor(seen)))
    assert seen.held == [True] * 3

    seen = Seen()
    provider = trace(BatchSpanProcessor(seen, schedule_delay_millis=1))
    eventually(lambda: seen.held == [False])
    provider.get_tracer("t").start_span("s").end()
    provider.force_flush()
    eventually(lambda: seen.held == [False] * 2)
    trace(BatchSpanProcessor(seen), 3).shutdown()
    assert seen.held == [False] * 3

    class OfATrace(BatchSpanProcessor):
        """Exports what it gathered when a span ends, as samplers of whole traces do."""

        def on_end(self, span: Any) -> None:
            self.span_exporter.export([span, span, span])

    seen = Seen(chosen=True)
    trace(OfATrace(seen))
    assert seen.held == [True]


def test_who_waits_where_nothing_tells() -> None:
    spans = ended_spans(3)
    default, chosen = Seen(), Seen(chosen=True)
    for exporter in (default, chosen):
        exporter.export(spans)
        exporter.export(spans[:1])
        on_a_thread(lambda exporter=exporter: exporter.export(spans))  # type: ignore[misc]
        on_a_thread(lambda exporter=exporter: exporter.export(spans[:1]))  # type: ignore[misc]
    assert default.held == [True, True, False, True]
    assert chosen.held == [False, True, False, True]


def test_threads_of_an_instrumented_program_are_its_own() -> None:
    """Instrumentations stand between a thread and what it runs: what is above them counts."""
    seen = Seen()
    work: Any = {"seen": seen, "spans": ended_spans(1), "__name__": "opentelemetry.instrumentation.threading"}
    exec("def run(): seen.export(spans)", work)
    on_a_thread(work["run"])
    work["__name__"] = "opentelemetry.sdk.something"
    exec("def run(): seen.export(spans)", work)
    on_a_thread(work["run"])
    assert seen.held == [True, False]


def test_a_periodic_reader_waits(directory: Path) -> None:
    with crowded(directory) as (library, _):
        reader = PeriodicExportingMetricReader(library.metric_exporter(), export_interval_millis=50)
        meters = MeterProvider([reader], shutdown_on_exit=False)
        meters.get_meter("m").create_counter("c").add(1)
        # Metrics have room of their own in a buffer that is full of traces.
        eventually(lambda: len(rows(library, "metrics")) >= 1)
        meters.shutdown()


ENDS = """
import sys
sys.path.insert(0, {here!r})
import time
from pathlib import Path
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from test_waits import {trouble}

held = {trouble}(Path("telemetry").resolve())
library, _ = held.__enter__()
tracers, loggers = TracerProvider(), LoggerProvider()
tracers.add_span_processor(BatchSpanProcessor(library.span_exporter()))
loggers.add_log_record_processor(BatchLogRecordProcessor(library.log_exporter()))
meters = MeterProvider([PeriodicExportingMetricReader(library.metric_exporter())])
meters.get_meter("m").create_counter("c").add(1)
for number in range(1500):
    tracers.get_tracer("t").start_span("s").end()
    loggers.get_logger("t").emit(LogRecord(body="b"))
print(time.time())
"""


@pytest.mark.parametrize("trouble", ["away", "crowded", pytest.param("full", marks=TROUBLES[1].marks)])  # type: ignore[attr-defined]
def test_a_program_ends_in_time_whatever_waits(tmp_path: Path, trouble: str) -> None:
    code = ENDS.format(here=str(Path(__file__).parent), trouble=trouble)
    at = float(run_python(code, cwd=tmp_path))
    # Five seconds, and what the interpreter itself needs; `shutdown` by itself would take ten.
    assert time.time() - at < 10


@pytest.mark.skipif(sys.platform != "linux", reason="what is resident is read from /proc")
def test_memory_stays_flat_while_nothing_can_be_kept(directory: Path) -> None:
    def resident() -> int:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE")

    with full(directory) as (library, _):
        record = simple(library)
        for number in range(200):
            record(number)
        before = resident()
        for number in range(8_000):
            record(number)
        assert resident() - before < 32 << 20
        assert refused(library) >= 16_000


def test_what_was_told_to_be_lost_is_lost_and_the_rest_is_there(tmp_path: Path) -> None:
    directory = tmp_path / "telemetry"
    with crowded(directory) as (library, lift):
        record = simple(library)
        for number in range(50):
            record(number)
        lost = refused(library)
        lift()
        eventually(lambda: library.stats()["buffer_bytes"] == 0)
        for number in range(50, 100):
            record(number)
        assert refused(library) == lost
    assert len(read_directory(directory, "traces")) + len(read_directory(directory, "logs")) == 200 - lost

"""What `npm run test:long -- waits` measures of the Python SDK: ``waits_program.py DIRECTORY PROCESSOR SECONDS``."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

from otlp_arrow import OtlpError, OtlpLibrary

directory, processor, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
library = OtlpLibrary(output_dir=directory, storage={"min_free_bytes": "0B"})
tracers, loggers = TracerProvider(), LoggerProvider()
simple = processor.startswith("simple")
tracers.add_span_processor((SimpleSpanProcessor if simple else BatchSpanProcessor)(library.span_exporter()))
loggers.add_log_record_processor(
    (SimpleLogRecordProcessor if simple else BatchLogRecordProcessor)(library.log_exporter())
)
meters = MeterProvider([PeriodicExportingMetricReader(library.metric_exporter(), export_interval_millis=100)])
tracer, logger = tracers.get_tracer("t"), loggers.get_logger("t")
counter = meters.get_meter("m").create_counter("c")


def record() -> None:
    """One of what the processor takes."""
    if processor.endswith(("metrics", "of all")):
        counter.add(1)
    if processor.endswith(("logs", "of all")):
        logger.emit(LogRecord(body="a" * 1000))
    if processor.endswith(("spans", "of all")):
        tracer.start_span("s").end()


def resident() -> int:
    """Bytes, where the system tells."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGESIZE") if statm.exists() else 0


began, held, before = time.monotonic(), 0.0, 0
while time.monotonic() - began < seconds:
    request = time.monotonic()
    for _ in range(100):
        record()
    held = max(held, time.monotonic() - request)
    time.sleep(0.02)
    if time.monotonic() - began < seconds / 2:
        before = resident()
grown = max(0, resident() - before)
print(json.dumps({"held": held * 1000, "grown": grown, "done": time.time() * 1000}), flush=True)
if processor.endswith("of all"):
    # As a program does that does not leave it to the exit handlers.
    for provider in (tracers, loggers, meters):
        provider.shutdown()
    with suppress(OtlpError):
        library.shutdown()

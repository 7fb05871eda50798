"""A Python program that records by itself, to be killed in the middle of it: `python program.py DIRECTORY FIRST COUNT`.

On standard output it says `opening`, `open`, `sent ID` before and `kept ID` after each export that succeeded.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor, ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.resources import Resource

from otlp_arrow import OtlpLibrary

directory, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
last = first + count
ids = iter(range(-(-first // 3) * 3, last, 3))
ids_lock = threading.Lock()


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def next_id() -> int | None:
    with ids_lock:
        return next(ids, None)


class Collector(LogRecordProcessor):
    """Keeps the records until they are asked for."""

    def __init__(self) -> None:
        self.records: list[ReadableLogRecord] = []

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        resource, scope = log_record.resource, log_record.instrumentation_scope
        self.records.append(ReadableLogRecord(log_record.log_record, resource, scope))

    def take(self) -> list[ReadableLogRecord]:
        records, self.records = self.records, []
        return records

    def shutdown(self) -> None:
        pass

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True


class Watched(LogRecordExporter):
    """The SDK's processor does not tell whether an export failed; this one knows."""

    def __init__(self, exporter: LogRecordExporter) -> None:
        self.exporter = exporter
        self.failed = False

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        result = self.exporter.export(batch)
        self.failed |= result is not LogRecordExportResult.SUCCESS
        return result

    def shutdown(self) -> None:
        self.exporter.shutdown()


def provider(processor: LogRecordProcessor) -> LoggerProvider:
    made = LoggerProvider(resource=Resource({"service.name": "crash-test"}), shutdown_on_exit=False)
    made.add_log_record_processor(processor)
    return made


def emit(to: LoggerProvider, request: int) -> None:
    logger = to.get_logger("crash")
    for index in range(1 + (request * 7919) % 40):
        pad = str(request * 31 + index) * (1 + index % 7)
        logger.emit(
            LogRecord(
                timestamp=request * 1000 + index,
                observed_timestamp=request * 1000 + index,
                severity_number=SeverityNumber.INFO,
                severity_text="INFO",
                body=f"request {request} record {index}",
                attributes={"request": request, "index": index, "pad": pad},
            )
        )


def by_result(exporter: LogRecordExporter) -> None:
    """Send requests by the exporter itself; its result is the acknowledgement."""
    collector = Collector()
    to = provider(collector)
    while (request := next_id()) is not None:
        emit(to, request)
        say(f"sent {request}")
        if exporter.export(collector.take()) is LogRecordExportResult.SUCCESS:
            say(f"kept {request}")


def by_flush(exporter: LogRecordExporter) -> None:
    """Send requests by the SDK's processor; `force_flush` is the acknowledgement."""
    watched = Watched(exporter)
    processor = BatchLogRecordProcessor(watched, schedule_delay_millis=3_600_000)
    to = provider(processor)
    while (request := next_id()) is not None:
        watched.failed = False
        say(f"sent {request}")
        emit(to, request)
        if processor.force_flush() and not watched.failed:
            say(f"kept {request}")


say("opening")
library = OtlpLibrary(output_dir=directory)
say("open")
threads = [
    threading.Thread(target=work, args=(library.log_exporter(),), daemon=True)
    for work in (by_result, by_result, by_flush)
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
say("done")
threading.Event().wait()

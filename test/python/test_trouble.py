"""A disk that fails: what is told, how long is waited, and that other threads and signals go on."""

from __future__ import annotations

import gc
import logging
import os
import re
import signal
import sys
import threading
import time
import weakref
from pathlib import Path

import pytest
from opentelemetry.sdk.trace.export import SpanExportResult

from otlp_arrow import Event, OtlpLibrary, _library, errors

from sdk_objects import ended_spans
from support import crowded, eventually, read_directory


@pytest.fixture
def nowhere(tmp_path: Path) -> Path:
    """A directory that cannot be made until `file` goes away."""
    (tmp_path / "file").write_text("in the way")
    return tmp_path / "file" / "telemetry"


def test_trouble_is_told_in_every_way(nowhere: Path, caplog: pytest.LogCaptureFixture) -> None:
    events: list[Event] = []
    with OtlpLibrary(output_dir=nowhere, on_event=events.append) as library:
        eventually(lambda: any(event.name == "storage_failed" for event in events))
        event = next(event for event in events if event.name == "storage_failed")
        assert event.time.tzinfo is not None
        assert str(nowhere) in event.message
        assert any("storage_failed" in record.message for record in caplog.records if record.levelno == logging.WARNING)
        health = library.health()
        assert (health["status"], health["accepting"]) == ("failing", False)
        assert health["problems"][0]["code"] == "STORAGE_FAILED"
        assert library.stats()["events"]["storage_failed"] >= 1
        with pytest.raises(errors.StorageFailedError) as caught:
            library.export_traces(ended_spans(1))
        assert caught.value.retryable


def test_writing_resumes_by_itself(nowhere: Path) -> None:
    events: list[str] = []
    library = OtlpLibrary(output_dir=nowhere, on_event=lambda event: events.append(event.name))
    exporter = library.span_exporter()
    assert exporter.export(ended_spans(3)) is SpanExportResult.FAILURE
    nowhere.parent.unlink()
    eventually(lambda: exporter.export(ended_spans(7)) is SpanExportResult.SUCCESS)
    eventually(lambda: "storage_recovered" in events)
    eventually(lambda: library.health()["status"] == "ok")
    library.shutdown()
    assert len(read_directory(nowhere, "traces")) == 7


def test_an_exporter_waits_no_longer_than_told(directory: Path, caplog: pytest.LogCaptureFixture) -> None:
    with crowded(directory) as (library, _):
        exporter = library.span_exporter(timeout_millis=300)
        began = time.monotonic()
        assert exporter.export(ended_spans(3)) is SpanExportResult.FAILURE
        assert 0.25 < time.monotonic() - began < 10
        said = re.search(r"3 traces records were not kept: (BUFFER_FULL): ", caplog.text)
        assert said is not None, caplog.text
        counted = {
            (sample["labels"]["signal"], sample["labels"]["reason"]): sample["value"]
            for sample in library.stats()["counters"]
            if sample["name"] == "otlp_arrow_refused_records_total"
        }
        assert counted == {("traces", said[1]): 3}
        assert library.stats()["events"]["records_dropped"] == 1


def test_an_event_is_logged_as_severe_as_the_core_says(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[Event] = []
    deliver = _library._deliver_to(heard.append)
    with caplog.at_level(logging.INFO, "otlp_arrow"):
        deliver("breaker_half_open", 0, "info", None, "far", None, "one request asks")
        deliver("records_dropped", 0, "warn", "logs", None, 3, "3 records were lost")
    assert [(record.levelno, record.message) for record in caplog.records] == [
        (logging.INFO, "breaker_half_open: one request asks"),
        (logging.WARNING, "records_dropped: 3 records were lost"),
    ]
    assert [event.severity for event in heard] == ["info", "warn"]


def test_other_threads_go_on_while_an_export_waits(directory: Path) -> None:
    with crowded(directory) as (library, _):
        # Less than the time after which the library takes over what waits.
        exporter = library.span_exporter(timeout_millis=2000)
        waiting = threading.Thread(target=lambda: exporter.export(ended_spans(3)))
        waiting.start()
        turns = 0
        while waiting.is_alive():
            turns += 1
            time.sleep(0.001)
        # None at all, if the export kept the interpreter for itself.
        assert turns > 10


@pytest.mark.skipif(os.name == "nt", reason="a process cannot send itself Ctrl-C there")
def test_ctrl_c_ends_a_wait(directory: Path) -> None:
    with crowded(directory) as (library, _):
        exporter = library.span_exporter(timeout_millis=60_000)
        began = time.monotonic()

        def interrupted() -> None:
            threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
            exporter.export(ended_spans(3))

        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert time.monotonic() - began < 50


def test_a_listener_that_raises_is_logged_and_called_again(nowhere: Path, caplog: pytest.LogCaptureFixture) -> None:
    called = 0

    def broken(event: Event) -> None:
        nonlocal called
        called += 1
        raise ValueError("not today")

    library = OtlpLibrary(output_dir=nowhere, on_event=broken)
    eventually(lambda: called >= 1)
    before = called
    nowhere.parent.unlink()
    eventually(lambda: library.span_exporter().export(ended_spans(1)) is SpanExportResult.SUCCESS)
    eventually(lambda: called > before)
    library.shutdown()
    assert "on_event failed for storage_failed" in caplog.text
    assert "not today" in caplog.text


def test_a_listener_may_use_the_library(nowhere: Path) -> None:
    seen: list[str] = []
    opened: list[OtlpLibrary] = []
    library = OtlpLibrary(
        output_dir=nowhere, on_event=lambda event: seen.extend(one.health()["status"] for one in opened)
    )
    opened.append(library)
    nowhere.parent.unlink()
    eventually(lambda: library.span_exporter().export(ended_spans(1)) is SpanExportResult.SUCCESS)
    eventually(lambda: "ok" in seen)
    library.shutdown()


def test_nothing_is_held_after_an_export(library: OtlpLibrary) -> None:
    spans = ended_spans(20)
    gone = [weakref.ref(span) for span in spans]
    library.export_traces(spans)
    resource = spans[0].resource
    held = sys.getrefcount(resource)
    library.export_traces(spans)
    assert sys.getrefcount(resource) == held
    del spans
    gc.collect()
    assert not [one for one in gone if one() is not None]


def test_the_configuration_of_the_environment_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTLP_ARROW_OUTPUT_DIR", str(tmp_path / "variable"))
    with OtlpLibrary() as library:
        assert repr(library) == f"<OtlpLibrary {tmp_path / 'variable'}>"
    with OtlpLibrary(output_dir=os.fsencode(tmp_path / "bytes")) as library:  # type: ignore[arg-type]
        assert repr(library) == f"<OtlpLibrary {tmp_path / 'bytes'}>"
    with OtlpLibrary(output_dir=tmp_path / "argument") as library:
        assert repr(library) == f"<OtlpLibrary {tmp_path / 'argument'}>"
    monkeypatch.setenv("OTLP_ARROW_DURABILITY", "fast")
    with pytest.raises(errors.InvalidConfigError, match="OTLP_ARROW_DURABILITY"):
        OtlpLibrary(output_dir=tmp_path / "argument")

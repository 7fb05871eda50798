"""The SDK's processors and readers with our exporters, as programs use them."""

from __future__ import annotations

import inspect
import logging
import sys
from pathlib import Path
from typing import Any

import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import (
    BatchLogRecordProcessor,
    LogRecordExporter,
    LogRecordExportResult,
    SimpleLogRecordProcessor,
)
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider, ObservableCounter, UpDownCounter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    MetricExporter,
    MetricExportResult,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode

from otlp_arrow import OtlpLibrary, errors

from sdk_objects import Maker, ended_spans
from support import read_directory, rows, run_python


@pytest.mark.parametrize("processor", [SimpleSpanProcessor, BatchSpanProcessor])
def test_spans_of_a_processor_are_kept(library: OtlpLibrary, processor: Any) -> None:
    provider = TracerProvider(resource=Resource({"service.name": "shop"}), shutdown_on_exit=False)
    provider.add_span_processor(processor(library.span_exporter()))
    tracer = provider.get_tracer("shop", "1.0")
    linked = SpanContext(7, 8, True)
    with tracer.start_as_current_span("parent", kind=SpanKind.SERVER, attributes={"http.route": "/pay"}) as parent:
        with tracer.start_as_current_span("child", links=[Link(linked, {"why": "because"})]) as child:
            child.add_event("cache miss", {"key": "a", "size": 3})
            child.set_status(Status(StatusCode.ERROR, "no money"))
        parent.set_attributes({"n": 1, "f": 2.0, "b": True, "list": ["a", "b"]})
    assert provider.force_flush()
    found = {row["name"]: row for row in rows(library, "traces")}
    provider.shutdown()
    parent_row, child_row = found["parent"], found["child"]
    assert child_row["parent_span_id"] == parent_row["span_id"]
    assert child_row["trace_id"] == parent_row["trace_id"] == parent.get_span_context().trace_id.to_bytes(16, "big")
    assert (parent_row["kind"], child_row["kind"]) == ("server", "internal")
    assert (child_row["status_code"], child_row["status_message"]) == ("error", "no money")
    assert parent_row["attributes"] == {
        "http.route": "/pay",
        "n": "1",
        "f": "2.0",
        "b": "true",
        "list": '["a","b"]',
    }
    assert parent_row["attribute_types"] == "sidba"
    assert parent_row["service_name"] == "shop"
    assert (parent_row["scope_name"], parent_row["scope_version"]) == ("shop", "1.0")
    (event,) = child_row["events"]
    assert (event["name"], dict(event["attributes"])) == ("cache miss", {"key": "a", "size": "3"})
    (link,) = child_row["links"]
    assert (link["trace_id"], link["span_id"]) == ((7).to_bytes(16, "big"), (8).to_bytes(8, "big"))
    assert dict(link["attributes"]) == {"why": "because"}


@pytest.mark.parametrize("processor", [SimpleLogRecordProcessor, BatchLogRecordProcessor])
def test_log_records_of_a_processor_are_kept(library: OtlpLibrary, processor: Any) -> None:
    provider = LoggerProvider(resource=Resource({"service.name": "shop"}), shutdown_on_exit=False)
    provider.add_log_record_processor(processor(library.log_exporter()))
    logger = provider.get_logger("shop")
    logger.emit(
        LogRecord(
            timestamp=1_800_000_000_000_000_001,
            severity_number=SeverityNumber.WARN,
            severity_text="WARN",
            body={"order": 7},
            attributes={"user": "u1"},
            event_name="order.placed",
        )
    )
    assert provider.force_flush()
    (row,) = rows(library, "logs")
    provider.shutdown()
    assert (row["severity_number"], row["severity_text"], row["event_name"]) == (13, "WARN", "order.placed")
    assert row["body"] == '{"order":7}'
    assert row["attributes"] == {"user": "u1"}
    assert int(row["time"].value) == 1_800_000_000_000_000_001


def test_a_periodic_reader_exports_every_instrument(library: OtlpLibrary) -> None:
    reader = PeriodicExportingMetricReader(library.metric_exporter(), export_interval_millis=60_000)
    provider = MeterProvider([reader], Resource({"service.name": "shop"}), shutdown_on_exit=False)
    meter = provider.get_meter("shop")
    meter.create_counter("orders", unit="1").add(3, {"http.route": "/pay"})
    meter.create_up_down_counter("carts").add(-2)
    meter.create_histogram("seconds", explicit_bucket_boundaries_advisory=[1, 5]).record(2.5)
    meter.create_gauge("heat").set(36.6)
    meter.create_observable_counter("cpu", [lambda options: iter([])])
    assert provider.force_flush()
    found = {row["metric_name"]: row for row in rows(library, "metrics")}
    provider.shutdown()
    assert {name: row["metric_type"] for name, row in found.items()} == {
        "orders": "sum",
        "carts": "sum",
        "seconds": "histogram",
        "heat": "gauge",
    }
    assert (found["orders"]["value"], found["orders"]["value_int"], found["orders"]["is_monotonic"]) == (3.0, 3, True)
    assert found["orders"]["attributes"] == {"http.route": "/pay"}
    assert (found["carts"]["value_int"], found["carts"]["is_monotonic"]) == (-2, False)
    assert (found["heat"]["value"], found["heat"]["value_int"]) == (36.6, None)
    assert (found["seconds"]["bucket_counts"], found["seconds"]["explicit_bounds"]) == ([0, 1, 0], [1.0, 5.0])


def test_both_forms_of_metrics_export_keep_the_same(library: OtlpLibrary) -> None:
    data = Maker(3).metrics()
    by_value = library.export_metrics(data)
    assert library.export_metrics_ref(data) == by_value
    found = rows(library, "metrics")
    half = len(found) // 2
    assert half == by_value.accepted
    assert repr(found[:half]) == repr(found[half:])


@pytest.mark.parametrize(
    ("temporality", "variable", "deltas"),
    [
        (None, None, set()),
        ("cumulative", "delta", set()),
        ("delta", None, {Counter, Histogram, ObservableCounter}),
        ("lowmemory", None, {Counter, Histogram}),
        (None, "DELTA", {Counter, Histogram, ObservableCounter}),
        (None, "LowMemory", {Counter, Histogram}),
    ],
)
def test_temporality_comes_from_the_argument_then_the_variable(
    library: OtlpLibrary, monkeypatch: pytest.MonkeyPatch, temporality: Any, variable: str | None, deltas: set[type]
) -> None:
    if variable is not None:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", variable)
    exporter = library.metric_exporter(temporality=temporality)
    found = {kind for kind, how in exporter._preferred_temporality.items() if how is AggregationTemporality.DELTA}
    assert found == deltas


def test_the_sdks_own_preferences_win(library: OtlpLibrary) -> None:
    exporter = library.metric_exporter(
        temporality="delta",
        preferred_temporality={UpDownCounter: AggregationTemporality.DELTA},
        preferred_aggregation={Histogram: ExponentialBucketHistogramAggregation()},
    )
    assert exporter._preferred_temporality[UpDownCounter] is AggregationTemporality.DELTA
    assert exporter._preferred_temporality[Counter] is AggregationTemporality.DELTA
    provider = MeterProvider([PeriodicExportingMetricReader(exporter)], shutdown_on_exit=False)
    provider.get_meter("m").create_histogram("seconds").record(2.5)
    provider.shutdown()
    (row,) = rows(library, "metrics")
    assert (row["metric_type"], row["positive_bucket_counts"]) == ("exponential_histogram", [1])
    with pytest.raises(errors.InvalidConfigError, match="cumulative, delta, lowmemory"):
        library.metric_exporter(temporality="always")  # type: ignore[arg-type]


def test_exporters_are_what_the_sdk_takes_them_for(library: OtlpLibrary) -> None:
    span, metric, log = library.span_exporter(), library.metric_exporter(), library.log_exporter()
    assert isinstance(span, SpanExporter)
    assert isinstance(metric, MetricExporter)
    assert isinstance(log, LogRecordExporter)
    assert "timeout_millis" not in inspect.getfullargspec(span.shutdown).args
    assert inspect.getfullargspec(metric.shutdown).varkw == "kwargs"
    assert log.force_flush(1000)
    assert span.force_flush(timeout_millis=1000)
    metric.shutdown(timeout=100)
    assert metric.export(Maker(1).metrics(), timeout_millis=100, later="x") is MetricExportResult.FAILURE
    log.shutdown()
    assert log.export([Maker(1).log()]) is LogRecordExportResult.FAILURE


def test_beside_the_stock_exporter(library: OtlpLibrary) -> None:
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    stock = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(stock))
    provider.add_span_processor(BatchSpanProcessor(library.span_exporter()))
    provider.get_tracer("t").start_span("both").end()
    provider.shutdown()
    assert [span.name for span in stock.get_finished_spans()] == ["both"]
    assert [row["name"] for row in rows(library, "traces")] == ["both"]


def test_every_error_of_the_core_is_a_failure_of_the_export(
    library: OtlpLibrary, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from otlp_arrow import _native

    class Failing:
        def __init__(self, code: str) -> None:
            self.code = code

        def export_spans(self, spans: Any, patience: Any) -> Any:
            raise errors._make(self.code, "what to do", [])

        def not_kept(self, signal: str, records: int, code: str, message: str) -> None:
            assert (signal, records, code, message) == ("traces", 2, self.code, "what to do")

    for code, _, _ in _native.error_codes():
        caplog.clear()
        exporter = library.span_exporter()
        exporter._exports.native = Failing(code)  # type: ignore[assignment]
        assert exporter.export(ended_spans(2)) is SpanExportResult.FAILURE
        assert f"2 traces records were not kept: {code}: what to do" in caplog.text
        assert exporter._exports.failed_records == 2


def test_warnings_say_how_many_were_left_unsaid(
    directory: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from otlp_arrow import otel

    library = OtlpLibrary(output_dir=directory)
    library.shutdown()
    exporter = library.span_exporter()
    now = 1000.0
    monkeypatch.setattr(otel.time, "monotonic", lambda: now)
    for _ in range(5):
        exporter.export(ended_spans(1))
    now += 61
    exporter.export(ended_spans(1))
    said = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len(said) == 2
    assert "(4 more warnings in the meantime)" in said[1]


def test_an_exporter_of_a_library_takes_no_configuration(library: OtlpLibrary) -> None:
    from otlp_arrow.otel import ArrowSpanExporter

    with pytest.raises(errors.InvalidConfigError, match="output_dir"):
        ArrowSpanExporter(library, output_dir="elsewhere")


SCRIPT = """
import logging
from opentelemetry import metrics, trace
with trace.get_tracer("app").start_as_current_span("work", attributes={"http.route": "/pay"}):
    metrics.get_meter("app").create_counter("jobs").add(1)
    logging.getLogger("app").warning("done %s", 1)
"""


def instrument(tmp_path: Path, script: str, **env: str) -> str:
    """Run a script as `opentelemetry-instrument python app.py` does, with our exporters for all three signals."""
    (tmp_path / "app.py").write_text(script)
    code = (
        "import sys; from opentelemetry.instrumentation.auto_instrumentation import run; "
        f"sys.argv = ['opentelemetry-instrument', {sys.executable!r}, 'app.py']; run()"
    )
    variables = {
        "OTEL_TRACES_EXPORTER": "otlp_arrow",
        "OTEL_METRICS_EXPORTER": "otlp_arrow",
        "OTEL_LOGS_EXPORTER": "otlp_arrow",
        "OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED": "true",
        "OTEL_SERVICE_NAME": "zero",
        "OTLP_ARROW_OUTPUT_DIR": str(tmp_path / "telemetry"),
    }
    return run_python(code, env=variables | env, cwd=tmp_path)


def test_without_code_all_three_signals_are_kept(tmp_path: Path) -> None:
    instrument(tmp_path, SCRIPT)
    directory = tmp_path / "telemetry"
    # One library for the three exporters, shut down after the SDK's own exit handlers: one sealed file a signal.
    for signal in ("traces", "metrics", "logs"):
        assert [path.suffix for path in (directory / "otlp" / signal).iterdir()] == [".arrow"]
    (span,) = read_directory(directory, "traces")
    assert (span["name"], span["service_name"], span["attributes"]["http.route"]) == ("work", "zero", "/pay")
    assert "jobs" in {row["metric_name"] for row in read_directory(directory, "metrics")}
    (log,) = [row for row in read_directory(directory, "logs") if row["scope_name"] == "app"]
    assert (log["body"], log["trace_id"]) == ("done 1", span["trace_id"])


FLASK = """
from flask import Flask
app = Flask(__name__)

@app.route("/pay/<int:order>")
def pay(order):
    return "ok"

if __name__ == "__main__":
    assert app.test_client().get("/pay/7").status_code == 200
"""


def test_a_flask_app_without_code(tmp_path: Path) -> None:
    instrument(tmp_path, FLASK)
    (span,) = read_directory(tmp_path / "telemetry", "traces")
    assert span["attributes"]["http.route"] == "/pay/<int:order>"
    assert span["kind"] == "server"


def test_without_the_sdk_the_exporter_says_what_to_install(tmp_path: Path) -> None:
    code = """
import sys
sys.modules["opentelemetry"] = None
from otlp_arrow import OtlpLibrary
with OtlpLibrary(output_dir="telemetry") as library:
    assert library.export_otlp("traces", b"") == (0, 0, "")
    try:
        library.span_exporter()
    except ImportError as error:
        print(error)
"""
    assert "pip install 'otlp-arrow[otel]'" in run_python(code, cwd=tmp_path)


def test_nothing_can_be_recorded_and_the_program_runs_on(tmp_path: Path) -> None:
    """An output directory that cannot be made: the entry points warn, the program's exit code is its own."""
    (tmp_path / "file").write_text("in the way")
    nowhere = str(tmp_path / "file" / "telemetry")
    assert "ran" in instrument(tmp_path, SCRIPT + "\nprint('ran')", OTLP_ARROW_OUTPUT_DIR=nowhere)

"""One recorded directory, live and sealed, for every reader."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "python"))

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanContext, SpanKind

from otlp_arrow import OtlpLibrary, Signal, decode, encode

from sdk_objects import Maker

SPANS = 500
SIGNALS: tuple[Signal, ...] = ("traces", "metrics", "logs")
FIXTURES = Path(__file__).parent.parent / "fixtures"
TIMES = [0, 1, 1_700_000_000_123_456_789, 2**63 - 2, 2**63 - 1, 2**63, 2**64 - 1]
"""Nanoseconds that a tool may round, cut or take for something else."""


@dataclass(frozen=True)
class Recorded:
    """Directories that hold the same records."""

    live: Path
    """`.arrows` of a process that is still running."""
    sealed: Path
    """`.arrow`, zstd, after a clean shutdown."""

    def file(self, form: str, signal: str) -> Path:
        (found,) = (getattr(self, form) / "otlp" / signal).glob("*.arrows" if form == "live" else "*.arrow")
        return found


def route(i: int) -> str | None:
    return None if i % 5 == 0 else f"/pay/{i % 3}"


def odd_times() -> bytes:
    """Encode spans and events at `TIMES`."""
    spans = [
        {"name": "odd", "startTimeUnixNano": str(at), "endTimeUnixNano": str(at), "events": [{"timeUnixNano": str(at)}]}
        for at in TIMES
    ]
    request = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()
    return encode("traces", decode("traces", request, "json"))


def record(base: Path) -> Recorded:
    """Record the golden fixtures, then spans, data points and log records of the SDK, under `base`."""
    live, sealed = base / "live", base / "sealed"
    library = OtlpLibrary(output_dir=sealed)
    for signal in SIGNALS:
        for path in sorted(FIXTURES.glob(f"{signal}-*.request.binpb")):
            library.export_otlp(signal, path.read_bytes())
    library.export_otlp("traces", odd_times())
    provider = TracerProvider(resource=Resource({"service.name": "shop"}), shutdown_on_exit=False)
    # Small batches make many commits, each with its own dictionaries.
    provider.add_span_processor(BatchSpanProcessor(library.span_exporter(), max_export_batch_size=50))
    tracer = provider.get_tracer("shop", "1.0")
    for i in range(SPANS):
        span = tracer.start_span(
            f"GET {i % 7}",
            kind=SpanKind.SERVER,
            attributes={"n": i, "f": i / 4, "b": i % 2 == 0, "list": [str(i), "x"], "raw": b"\x00\xff"},
            links=[Link(SpanContext(i + 1, i + 1, True), {"link": i})] if i % 10 == 0 else [],
        )
        if (where := route(i)) is not None:
            span.set_attribute("http.route", where)
        for j in range(i % 4):
            span.add_event(f"event {j}", {"j": j, "text": f"größe {i}"})
        span.end()
    provider.force_flush()
    reader = PeriodicExportingMetricReader(library.metric_exporter(), export_interval_millis=3_600_000)
    meters = MeterProvider([reader], Resource({"service.name": "shop"}), shutdown_on_exit=False)
    counter = meters.get_meter("shop").create_counter("orders", unit="1")
    histogram = meters.get_meter("shop").create_histogram("seconds", explicit_bucket_boundaries_advisory=[1, 5])
    for i in range(SPANS):
        counter.add(1, {"http.route": route(i) or "none"})
        histogram.record(i / 100, {"http.route": route(i) or "none"})
    meters.force_flush()
    maker = Maker(11)
    for _ in range(4):
        library.export_logs([maker.log() for _ in range(40)])
        library.export_metrics(maker.metrics())
    provider.shutdown()
    meters.shutdown()
    library.flush()
    shutil.copytree(sealed, live)
    library.shutdown()
    return Recorded(live, sealed)

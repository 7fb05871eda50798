"""An idle program's resident memory in MiB, as one line.

It makes spans with the SDK, which an OtlpLibrary in the directory of the first argument keeps; without an argument they
are only encoded by the stock encoder.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

BATCHES = 16
SIZE = 512


class Collecting(SpanExporter):
    """Keeps spans until they are taken."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.spans.extend(spans)
        return SpanExportResult.SUCCESS


def resident() -> float:
    """The least of several looks, as others may be about to let go."""
    least = float("inf")
    for _ in range(8):
        gc.collect()
        time.sleep(0.1)
        with open("/proc/self/status") as status:
            lines = dict(line.split(":", 1) for line in status)
        least = min(least, int(lines["VmRSS"].split()[0]) / 1024)
    return least


def main() -> None:
    library = None
    if len(sys.argv) > 1:
        from otlp_arrow import OtlpLibrary

        library = OtlpLibrary(output_dir=sys.argv[1], storage={"min_free_bytes": "0B"})
    made = Collecting()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(made))
    tracer = provider.get_tracer("idle")
    for batch in range(BATCHES):
        for i in range(SIZE):
            tracer.start_span(f"span {i}", attributes={"batch": batch, "text": f"value {i}"}).end()
        if library is None:
            encode_spans(made.spans).SerializeToString()
        else:
            library.export_traces(made.spans)
        made.spans.clear()
    if library is not None:
        library.flush()
    print(resident())
    if library is not None:
        library.shutdown()


main()

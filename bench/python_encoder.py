"""SDK spans to OTLP bytes: ours beside the SDK's own encoder, in one run.

    python bench/python_encoder.py [batches]

Every batch is 512 spans freshly started and ended by the SDK, with attribute values that all differ, so nothing is
warm that a program would not have warm. Reported: thread CPU time per span, and the ratio. Needs a release build
(`maturin develop --release`) to mean anything.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "test" / "python"))

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from otlp_arrow import _native

from sdk_objects import ended_spans

SPANS = 512


def measure(encode: Callable[[Any], bytes], seed: int) -> float:
    """CPU microseconds per span of one batch."""
    spans = ended_spans(SPANS, seed)
    gc.collect()
    before = time.thread_time_ns()
    encode(spans)
    return (time.thread_time_ns() - before) / SPANS / 1000


def stock(spans: Any) -> bytes:
    return encode_spans(spans).SerializePartialToString()


def main() -> None:
    batches = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    ours: list[float] = []
    theirs: list[float] = []
    for seed in range(batches):
        ours.append(measure(_native.encode_spans, seed))
        theirs.append(measure(stock, seed))
    our, their = statistics.median(ours), statistics.median(theirs)
    print(f"stock encoder  {their:7.2f} us per span of 10 attributes")
    print(f"otlp-arrow     {our:7.2f} us")
    print(f"ratio          {their / our:7.1f} times less")


if __name__ == "__main__":
    main()

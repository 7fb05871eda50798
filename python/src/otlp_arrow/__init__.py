"""An embeddable, crash-safe OpenTelemetry recorder: traces, metrics and logs kept as Apache Arrow files."""

from __future__ import annotations

from otlp_arrow import _native, answers, errors
from otlp_arrow._follow import Forwarder, ForwarderInfo, Retried, Subscription
from otlp_arrow._library import (
    ArrowStream,
    Event,
    ExportOutcome,
    Format,
    OtlpLibrary,
    Signal,
    Temporality,
    decode,
    encode,
)
from otlp_arrow._native import Table
from otlp_arrow._telemetry import Telemetry
from otlp_arrow.errors import OtlpError

__version__ = _native.VERSION

__all__ = [
    "ArrowStream",
    "Event",
    "ExportOutcome",
    "Format",
    "Forwarder",
    "ForwarderInfo",
    "OtlpError",
    "OtlpLibrary",
    "Retried",
    "Signal",
    "Subscription",
    "Table",
    "Telemetry",
    "Temporality",
    "__version__",
    "answers",
    "decode",
    "encode",
    "errors",
]

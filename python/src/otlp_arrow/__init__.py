"""An embeddable, crash-safe OpenTelemetry recorder: traces, metrics and logs kept as Apache Arrow files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otlp_arrow import _native, _questions, errors
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

if TYPE_CHECKING:
    from types import ModuleType

    from otlp_arrow import answers

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

if not TYPE_CHECKING:  # who checks types is to know every name that is not there

    def __getattr__(name: str) -> ModuleType:
        if name == "answers":
            return _questions.answers._load()
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)

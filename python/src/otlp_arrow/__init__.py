"""An embeddable, crash-safe OpenTelemetry recorder: traces, metrics and logs kept as Apache Arrow files."""

from __future__ import annotations

from otlp_arrow import _native, errors
from otlp_arrow.errors import OtlpError

__version__ = _native.VERSION

__all__ = ["OtlpError", "__version__", "errors"]

"""Exporters for the OpenTelemetry SDK for Python.

Get them from a library (`OtlpLibrary.span_exporter` and its siblings), or name `otlp_arrow` in
``OTEL_TRACES_EXPORTER``, ``OTEL_METRICS_EXPORTER``, ``OTEL_LOGS_EXPORTER``: made without a library they share one,
configured by ``OTLP_ARROW_*``. Keyword arguments that are keys of the configuration configure it instead.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics import (
    Counter,
    Histogram,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    UpDownCounter,
)
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricExporter, MetricExportResult
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from otlp_arrow import _children, _ending, _library, _waiter
from otlp_arrow.errors import ClosedError, InternalError, InvalidConfigError, OtlpError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.metrics.export import MetricsData
    from opentelemetry.sdk.metrics.view import Aggregation
    from opentelemetry.sdk.trace import ReadableSpan

    from otlp_arrow._library import OtlpLibrary, Temporality

_logger = logging.getLogger("otlp_arrow")

_WARN_EVERY_SECONDS = 60.0


class _Exports:
    """What the three exporters share: one export at a time is judged, warned about and counted the same way."""

    def __init__(self, owner: object, signal: str, library: OtlpLibrary | None, config: dict[str, Any]) -> None:
        if library is not None and config:
            names = ", ".join(sorted(config))
            message = f"{names}: an exporter of a library takes no configuration; give it to OtlpLibrary"
            raise InvalidConfigError(message)
        self.signal = signal
        # The exporter, as processors know it.
        self.owner = weakref.ref(owner)
        self.library = _library.shared(config) if library is None else library
        self.native = self.library._native
        self.closed = False
        self.failed_records = 0
        # The process that exported last; a forked child is another one.
        self.used_by: int | None = None
        self._lock = threading.Lock()
        self._warned_at: float | None = None
        self._unsaid = 0
        self.library._exporters.add(self)
        _children.watch()

    def run(self, export: Callable[[], tuple[int, int, str]], records: Callable[[], int]) -> bool:
        """Whether the SDK is told that the export succeeded. Never raises an `Exception`."""
        if self.used_by != os.getpid():
            self.used_by = os.getpid()
            _ending.hear_of_it_first()
            _ending.exported(self.library)
        if self.closed:
            self._not_kept(records(), ClosedError("this exporter is shut down"))
            return False
        try:
            accepted, rejected, message = export()
        except OtlpError as error:
            # The core has counted and announced them.
            self._failed(records(), error)
            return False
        except Exception as error:
            self._not_kept(records(), InternalError(f"the batch cannot be read: {error!r}"), error)
            return False
        if rejected:
            self._warn(f"{rejected} of {accepted + rejected} {self.signal} records were refused: {message}")
        return accepted > 0 or rejected == 0

    def flush(self, timeout_millis: float) -> bool:
        seconds = timeout_millis / 1000
        try:
            self.library.flush(min(seconds, _ending.left()) if _ending.has_begun() else seconds)
        except OtlpError as error:
            self._warn(f"flush: {error}")
            return False
        return True

    def shutdown(self, timeout_millis: float) -> None:
        if self.closed:
            return
        # A program shuts its providers down one after the other: they have one time, as in the other languages.
        self.flush(min(timeout_millis, self.native.exporter_ends_in() * 1000))
        self.closed = True
        _ending.exporter_closed(self.library)

    def patience(self, records: int, timeout_millis: float, chosen: bool) -> tuple[float, bool]:
        """How long the core may wait, and whether a thread of the program stands still meanwhile."""
        return timeout_millis / 1000, _children.is_child() or _waiter.is_held(records, chosen)

    def renew_lock(self) -> None:
        """In a forked child, where the thread that held the lock may not exist."""
        self._lock = threading.Lock()

    def _not_kept(self, records: int, error: OtlpError, cause: Exception | None = None) -> None:
        self.native.not_kept(self.signal, records, error.code, error.message)
        self._failed(records, error, cause)

    def _failed(self, records: int, error: OtlpError, cause: Exception | None = None) -> None:
        with self._lock:
            self.failed_records += records
        self._warn(f"{records} {self.signal} records were not kept: {error}", cause)

    def _warn(self, message: str, error: Exception | None = None) -> None:
        now = time.monotonic()
        with self._lock:
            if self._warned_at is not None and now - self._warned_at < _WARN_EVERY_SECONDS:
                self._unsaid += 1
                return
            self._warned_at = now
            unsaid, self._unsaid = self._unsaid, 0
        more = f" ({unsaid} more warnings in the meantime)" if unsaid else ""
        _logger.warning("%s%s", message, more, exc_info=error)


def _length(batch: Sequence[object]) -> int:
    try:
        return len(batch)
    except TypeError:
        return 0  # what failed is not a batch


def _millis(variable: str, default: float) -> float:
    text = os.environ.get(variable, "").strip()
    try:
        millis = float(text) if text else default
    except ValueError:
        millis = 0.0
    if 0 < millis < float("inf"):
        return millis
    _logger.warning("%s is not a number of milliseconds: %r; %s is used", variable, text, default)
    return default


def _timeout(variable: str, timeout_millis: float | None) -> float:
    if timeout_millis is None:
        return _millis(variable, 30_000)
    if isinstance(timeout_millis, int | float) and timeout_millis >= 0:
        return timeout_millis
    message = f"timeout_millis is {timeout_millis!r}: use a number of milliseconds"
    raise InvalidConfigError(message)


class ArrowSpanExporter(SpanExporter):
    """Keeps spans as Arrow files."""

    def __init__(
        self, library: OtlpLibrary | None = None, *, timeout_millis: float | None = None, **config: Any
    ) -> None:
        super().__init__()
        self._exports = _Exports(self, "traces", library, config)
        self._timeout_millis = _timeout("OTEL_BSP_EXPORT_TIMEOUT", timeout_millis)
        self._chosen = timeout_millis is not None

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Keep a batch; waits for room until the export timeout, or 100 ms where a thread of the program is held."""
        exports = self._exports
        patience = exports.patience(_length(spans), self._timeout_millis, self._chosen)
        kept = exports.run(lambda: exports.native.export_spans(spans, patience), lambda: _length(spans))
        return SpanExportResult.SUCCESS if kept else SpanExportResult.FAILURE

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Return once everything exported before is committed; False if that takes longer."""
        return self._exports.flush(timeout_millis)

    def shutdown(self) -> None:
        """Flush, and refuse further exports. The library stays open."""
        self._exports.shutdown(self._timeout_millis)


class ArrowLogRecordExporter(LogRecordExporter):
    """Keeps log records as Arrow files."""

    def __init__(
        self, library: OtlpLibrary | None = None, *, timeout_millis: float | None = None, **config: Any
    ) -> None:
        super().__init__()
        self._exports = _Exports(self, "logs", library, config)
        self._timeout_millis = _timeout("OTEL_BLRP_EXPORT_TIMEOUT", timeout_millis)
        self._chosen = timeout_millis is not None

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Keep a batch; waits for room until the export timeout, or 100 ms where a thread of the program is held."""
        exports = self._exports
        patience = exports.patience(_length(batch), self._timeout_millis, self._chosen)
        kept = exports.run(lambda: exports.native.export_logs(batch, patience), lambda: _length(batch))
        return LogRecordExportResult.SUCCESS if kept else LogRecordExportResult.FAILURE

    def force_flush(self, timeout_millis: int = 10_000) -> bool:
        """Return once everything exported before is committed; False if that takes longer."""
        return self._exports.flush(timeout_millis)

    def shutdown(self) -> None:
        """Flush, and refuse further exports. The library stays open."""
        self._exports.shutdown(self._timeout_millis)


class ArrowMetricExporter(MetricExporter):
    """Keeps data points as Arrow files."""

    def __init__(
        self,
        library: OtlpLibrary | None = None,
        *,
        temporality: Temporality | None = None,
        preferred_temporality: dict[type, AggregationTemporality] | None = None,
        preferred_aggregation: dict[type, Aggregation] | None = None,
        **config: Any,
    ) -> None:
        super().__init__(
            preferred_temporality={**_temporality_of(temporality), **(preferred_temporality or {})},
            preferred_aggregation=preferred_aggregation,
        )
        self._exports = _Exports(self, "metrics", library, config)

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        """Keep what was collected; waits for room until the reader's timeout."""
        exports = self._exports
        patience = exports.patience(0, timeout_millis, chosen=False)
        kept = exports.run(
            lambda: exports.native.export_metrics(metrics_data, patience), lambda: _points_of(metrics_data)
        )
        return MetricExportResult.SUCCESS if kept else MetricExportResult.FAILURE

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Return once everything exported before is committed; False if that takes longer."""
        return self._exports.flush(timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Flush, and refuse further exports. The library stays open.

        The SDK's reader says ``timeout=`` where the base class says `timeout_millis`.
        """
        self._exports.shutdown(kwargs.get("timeout", timeout_millis))


def _points_of(data: MetricsData) -> int:
    try:
        return sum(
            len(metric.data.data_points)
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        )
    except (AttributeError, TypeError):
        return 0  # what failed is not metrics data


_PREFERENCE = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
# Up-down counters and observable gauges are cumulative in each.
_DELTA: dict[str, frozenset[type]] = {
    "cumulative": frozenset(),
    "delta": frozenset({Counter, Histogram, ObservableCounter}),
    "lowmemory": frozenset({Counter, Histogram}),
}
_INSTRUMENTS = (Counter, UpDownCounter, Histogram, ObservableCounter, ObservableUpDownCounter, ObservableGauge)


def _temporality_of(preference: str | None) -> dict[type, AggregationTemporality]:
    if preference is None:
        preference = os.environ.get(_PREFERENCE, "").strip().lower() or "cumulative"
        if preference not in _DELTA:
            _logger.warning("%s is %r, not one of %s: cumulative is used", _PREFERENCE, preference, ", ".join(_DELTA))
            preference = "cumulative"
    elif preference not in _DELTA:
        message = f"temporality is {preference!r}: use one of {', '.join(_DELTA)}"
        raise InvalidConfigError(message)
    delta = _DELTA[preference]
    return {
        instrument: AggregationTemporality.DELTA if instrument in delta else AggregationTemporality.CUMULATIVE
        for instrument in _INSTRUMENTS
    }


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_children.begin_anew)

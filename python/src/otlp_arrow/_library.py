"""`OtlpLibrary`, the recorder."""

from __future__ import annotations

import json
import logging
import os
import threading
import weakref
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NoReturn, Protocol, Self

from otlp_arrow import _ending, _native
from otlp_arrow._follow import Forwarder, Subscription
from otlp_arrow._telemetry import EPOCH, Asking, read_options
from otlp_arrow.errors import InvalidConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import TracebackType
    from typing import Unpack

    from otlp_arrow import _config
    from otlp_arrow._native import Table
    from otlp_arrow._vocabulary import EventName, Severity
    from otlp_arrow.otel import ArrowLogRecordExporter, ArrowMetricExporter, ArrowSpanExporter

Signal = Literal["traces", "metrics", "logs"]
Format = Literal["protobuf", "json"]
Temporality = Literal["cumulative", "delta", "lowmemory"]

_logger = logging.getLogger("otlp_arrow")


class ExportOutcome(NamedTuple):
    """What became of the records of one export."""

    accepted: int
    """Records that are kept."""
    rejected: int
    """Records that were refused as invalid."""
    message: str
    """Why the first was refused; empty when none was."""


@dataclass(frozen=True)
class Event:
    """One thing that happened inside and a person should know."""

    name: EventName
    """Such as ``storage_full``; each has a counter of the same name in `OtlpLibrary.stats`."""
    time: datetime
    message: str
    signal: Signal | None = None
    destination: str | None = None
    count: int | None = None
    severity: Severity = "warn"
    """Whether it is good to know, or something is wrong; it is logged accordingly."""


class ArrowStream(Protocol):
    """Rows of any tool that speaks the Arrow C stream interface."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


class OtlpLibrary(Asking):
    """A recorder: telemetry goes in as SDK objects or OTLP bytes, and is kept as Arrow files in one directory.

    Keyword arguments are the keys of the configuration. `on_event` is called with each `Event`, from a thread of the
    library (or it is the configuration's key of that name). Several may be open in one process, every method may be
    called from any thread, and after a fork the child's first export opens a writer of its own. Use it as a context
    manager, or call `shutdown`; a library that is still open when the interpreter exits is shut down then.

        library = OtlpLibrary(output_dir="telemetry")
        provider.add_span_processor(BatchSpanProcessor(library.span_exporter()))
    """

    def __init__(
        self,
        *,
        on_event: Callable[[Event], object] | _config.OnEvent | None = None,
        **config: Unpack[_config.Config],
    ) -> None:
        self._exporters: weakref.WeakSet[Any] = weakref.WeakSet()
        arguments: dict[str, Any] = dict(config)
        callback: Callable[[Event], object] | None = None
        if callable(on_event):
            callback = on_event
        elif on_event is not None:
            arguments["on_event"] = on_event
        self._native = _native.Library(_as_json(arguments), _deliver_to(callback))
        _ending.opened(self)

    # SDK objects and OTLP bytes

    def export_traces(self, spans: Iterable[Any]) -> ExportOutcome:
        """Keep spans of the OpenTelemetry SDK (`ReadableSpan`).

        Refuses at once with a retryable error when there is no room; the exporters wait instead.
        """
        return ExportOutcome(*self._native.export_spans(spans))

    def export_metrics(self, data: Any) -> ExportOutcome:
        """Keep the data points of the SDK's `MetricsData`."""
        return ExportOutcome(*self._native.export_metrics(data))

    def export_metrics_ref(self, data: Any) -> ExportOutcome:
        """Do what `export_metrics` does: a Python object is never copied, so the borrowed form is the only one."""
        return self.export_metrics(data)

    def export_logs(self, records: Iterable[Any]) -> ExportOutcome:
        """Keep log records of the OpenTelemetry SDK (`ReadableLogRecord`)."""
        return ExportOutcome(*self._native.export_logs(records))

    def export_otlp(self, signal: Signal, data: bytes, *, via: str = "") -> ExportOutcome:
        """Keep one OTLP export request in protobuf.

        `via` is the header ``otlp-arrow-via`` of the request it came by, if it had one: it says which recorders it came
        through. Destinations are told, and where this recorder is among them it is refused with `InvalidDataError`:
        ``loop: …``.
        """
        return ExportOutcome(*self._native.export_otlp(signal, data, via))

    def append(self, signal: Signal, data: ArrowStream) -> ExportOutcome:
        """Keep rows of the storage schema, all of them or none, as one commit.

        `data` is anything with ``__arrow_c_stream__`` that has the columns of the files (docs/schema.md): what `read`
        and `decode` give, and tables of them in pyarrow, polars, DuckDB and pandas (``dtype_backend="pyarrow"``), whose
        own types of text, bytes, lists and maps are understood. Nullable columns may be left out; ``duration`` and
        ``service_name`` are derived again. A reader is read batch by batch, and no more of it than fits.

        `InvalidDataError` names the column, what it has and what is expected, and of a cell the row; `TooLargeError`
        says how many bytes the rows need. Refuses at once with a retryable error when there is no room.
        """
        return ExportOutcome(*self._native.append(signal, data))

    # SDK exporters

    def span_exporter(self, *, timeout_millis: float | None = None) -> ArrowSpanExporter:
        """Make an exporter for the SDK's span processors.

        For a batch processor it waits for room up to `timeout_millis` (default ``OTEL_BSP_EXPORT_TIMEOUT``, 30 s)
        before it reports failure, because that drops a batch whose export failed. A thread of the program, which
        a `SimpleSpanProcessor` exports on, is held for 100 ms in all while something is wrong. What cannot pass by
        waiting, such as a directory that may not be written to, fails at once.
        """
        exporter: ArrowSpanExporter = _otel().ArrowSpanExporter(self, timeout_millis=timeout_millis)
        return exporter

    def metric_exporter(
        self,
        *,
        temporality: Temporality | None = None,
        preferred_temporality: dict[type, Any] | None = None,
        preferred_aggregation: dict[type, Any] | None = None,
    ) -> ArrowMetricExporter:
        """Make an exporter for the SDK's `PeriodicExportingMetricReader`.

        `temporality` falls back on ``OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE``, then cumulative; the other
        two are the SDK's own, by instrument class, and win over it.
        """
        exporter: ArrowMetricExporter = _otel().ArrowMetricExporter(
            self,
            temporality=temporality,
            preferred_temporality=preferred_temporality,
            preferred_aggregation=preferred_aggregation,
        )
        return exporter

    def log_exporter(self, *, timeout_millis: float | None = None) -> ArrowLogRecordExporter:
        """Make an exporter for the SDK's log record processors; see `span_exporter`."""
        exporter: ArrowLogRecordExporter = _otel().ArrowLogRecordExporter(self, timeout_millis=timeout_millis)
        return exporter

    # Reading

    def read(
        self,
        signal: Signal,
        *,
        from_: datetime | None = None,
        to: datetime | None = None,
        columns: Sequence[str] | None = None,
        limit: int | None = None,
        dictionaries: bool = False,
    ) -> Table:
        """Read back what is committed, of every writer of the directory, as an Arrow C stream.

        Pass the result to ``pyarrow.table()``, ``polars.DataFrame()``, DuckDB or pandas. `from_` is the first moment
        that counts and `to` the first that does not; text columns are plain unless `dictionaries` is set.
        """
        return self._native.read(signal, *read_options(from_, to, columns, limit, dictionaries))

    def _telemetry(self) -> _native.Telemetry:
        return self._native.telemetry()

    def subscribe(self, signal: Signal, name: str, from_: Literal["beginning", "now"] = "beginning") -> Subscription:
        """Follow what is committed, from the durable position `name` on.

        `from_` says where a name begins that was never used: with the oldest record there is, or with the next commit.
        One name and signal has one subscriber at a time; retention deletes last what a subscription still needs.
        """
        if from_ not in ("beginning", "now"):
            message = f"from_ is {from_!r}: use 'beginning' or 'now'"
            raise InvalidConfigError(message)
        return Subscription(self._native.subscribe(signal, name, from_ == "now"))

    def forwarders(self) -> list[Forwarder]:
        """Tell the destinations that are forwarded to, in the order of the configuration."""
        return [Forwarder(one) for one in self._native.forwarders()]

    # Lifecycle

    def flush(self, timeout: float | None = None, *, seal: bool = False) -> None:
        """Return when everything accepted before the call is committed; never waits for a remote.

        With `seal` the files are sealed then too, so that `otlp/<signal>/*.arrow` is all of it; where one cannot be
        sealed now, `errors.StorageFailedError`: it stays readable as it is, and is tried again. `timeout` is in
        seconds; `errors.DeadlineError` when it passes first.
        """
        self._native.flush(timeout, seal)

    async def aflush(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - the deadline is the core's own
        *,
        seal: bool = False,
    ) -> None:
        """Do what `flush` does, without blocking the event loop."""
        # Only here: a program without an event loop need not carry it, it is half of what we add to one's memory.
        import asyncio

        await asyncio.to_thread(self.flush, timeout, seal=seal)

    def shutdown(self, deadline: float | None = None) -> None:
        """Commit and seal what is there, release the directory, and refuse exports from then on.

        `deadline` is in seconds (default: the key `shutdown_timeout`); `errors.DeadlineError` says what stays behind
        when it passes first. A second call does nothing.
        """
        self._native.shutdown(deadline)

    async def ashutdown(self, deadline: float | None = None) -> None:
        """Do what `shutdown` does, without blocking the event loop."""
        import asyncio

        await asyncio.to_thread(self.shutdown, deadline)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.ashutdown()

    # Inside

    def stats(self) -> dict[str, Any]:
        """Tell what was done and what is in hand.

        For each signal, ``accepted_records`` is ``committed_records`` + ``waiting_records`` + ``dropped_records``;
        ``counters`` is the list that ``/metrics`` prints.
        """
        stats: dict[str, Any] = json.loads(self._native.stats())
        return stats

    def health(self) -> dict[str, Any]:
        """Tell whether new data is taken (``accepting``), how well it goes (``status``), and what is not well."""
        health: dict[str, Any] = json.loads(self._native.health())
        return health

    def addresses(self) -> dict[str, str]:
        """Tell what the listeners were bound to, by name: ``grpc``, ``http``. Empty when nothing listens."""
        return self._native.addresses()

    def __repr__(self) -> str:
        return f"<OtlpLibrary {self._native.output_dir()}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an OtlpLibrary cannot be sent to another process: open one there, of the same directory")


def decode(signal: Signal, data: bytes, format: Format = "protobuf") -> Table:  # noqa: A002 - the name in all languages
    """Turn one OTLP export request into rows, no library needed.

    The result's `rejected` counts the invalid records that were left out, and `message` says why the first was.
    """
    return _native.decode(signal, data, format)


def encode(signal: Signal, rows: ArrowStream, format: Format = "protobuf") -> bytes:  # noqa: A002 - the name in all languages
    """Turn rows back into one OTLP export request.

    `rows` is anything with ``__arrow_c_stream__`` that has the columns of the files: what `decode` and
    `OtlpLibrary.read` give, and tables of them in pyarrow, polars and DuckDB, whose own types of text, bytes, lists and
    maps are understood. Times that a tool cut to microseconds are `InvalidDataError`.
    """
    return _native.encode(signal, rows, format)


def _as_json(config: Mapping[str, Any]) -> str:
    """Write the arguments as the JSON the core parses; paths become text, anything else JSON lacks is a `TypeError`."""
    return json.dumps(config, default=os.fsdecode)


def _otel() -> Any:
    try:
        from otlp_arrow import otel
    except ImportError as error:
        message = "the exporters need the OpenTelemetry SDK, 1.44 or later: pip install 'otlp-arrow[otel]'"
        raise ImportError(message) from error
    return otel


def _deliver_to(
    on_event: Callable[[Event], object] | None,
) -> Callable[[Any, int, Any, Any, str | None, int | None, str], None]:
    """Log each event, and hand it on. Called from a thread of the library."""

    def deliver(
        name: Any, time_nanos: int, severity: Any, signal: Any, destination: str | None, count: int | None, message: str
    ) -> None:
        _logger.log(logging.INFO if severity == "info" else logging.WARNING, "%s: %s", name, message)
        if on_event is None:
            return
        time = EPOCH + timedelta(microseconds=time_nanos // 1000)
        try:
            on_event(Event(name, time, message, signal, destination, count, severity))
        except Exception:
            _logger.exception("on_event failed for %s", name)

    return deliver


# What exporters share, and forks

_shared: dict[str, OtlpLibrary] = {}
_shared_lock = threading.Lock()


def shared(config: dict[str, Any]) -> OtlpLibrary:
    """Find or open the library that exporters made without one share: one per process and configuration."""
    key = _as_json(config)
    with _shared_lock:
        library = _shared.get(key)
        if library is None:
            library = _shared[key] = OtlpLibrary(**config)
        return library


def _renew_locks() -> None:
    """In a forked child: a thread that held one of them may not exist here."""
    global _shared_lock
    _shared_lock = threading.Lock()
    _ending.begin_anew()
    for library in list(_ending.open_libraries):
        for exporter in list(library._exporters):
            exporter.renew_lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)

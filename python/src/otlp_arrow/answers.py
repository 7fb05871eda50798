"""What questions are answered with.

Times are nanoseconds since 1970 and durations nanoseconds, ids are hexadecimal. An answer is an Arrow table as well:
``pyarrow.table(answer)``, ``polars.DataFrame(answer)``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeAlias

if TYPE_CHECKING:
    from otlp_arrow._native import Answer as NativeAnswer
    from otlp_arrow._native import Table

RecordValue: TypeAlias = "str | int | float | bool | list[RecordValue] | dict[str, RecordValue] | None"
"""The value of an attribute."""

RecordAttributes: TypeAlias = "dict[str, RecordValue]"
"""Attributes by key."""

_Kinds: TypeAlias = "dict[str, type[Any]]"

NodeKind = Literal["service", "database", "messaging", "external"]
"""What a node of the map is."""

# Words of Python that are fields of an answer.
_RENAMED = {"from": "from_", "is": "is_"}


def _read(kinds: _Kinds, values: dict[str, Any]) -> dict[str, Any]:
    """Give values of an answer their types."""
    read = {}
    for name, value in values.items():
        kind = kinds.get(name)
        if kind is not None and value is not None:
            read[name] = [kind._of(one) for one in value] if isinstance(value, list) else kind._of(value)
        else:
            read[_RENAMED.get(name, name)] = value
    return read


class _Row:
    """Part of an answer."""

    __slots__ = ()
    _kinds: ClassVar[_Kinds] = {}

    @classmethod
    def _of(cls, values: dict[str, Any]) -> Self:
        return cls(**_read(cls._kinds, values))


class _Pair:
    """Two values that are told together."""

    @classmethod
    def _of(cls, values: list[Any]) -> tuple[Any, ...]:
        return tuple(values)


class Answer:
    """What every answer is: values, which are read when one is first asked for, and an Arrow table."""

    _native: NativeAnswer
    _kinds: ClassVar[_Kinds]
    # What stands for fields that are left out.
    _absent: ClassVar[dict[str, Any]] = {}

    searched: Searched

    @classmethod
    def _of(cls, native: NativeAnswer) -> Self:
        answer = cls.__new__(cls)
        answer._native = native
        return answer

    @property
    def table(self) -> Table:
        """The answer as a table, with columns of its own."""
        return self._native.table()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        return self.table.__arrow_c_schema__()

    if not TYPE_CHECKING:  # A name that is not there stays a mistake for who checks types.

        def __getattr__(self, name: str) -> Any:
            # Only what is not there yet is asked for here.
            if name.startswith("_") or name not in {one.name for one in fields(self)}:
                raise AttributeError(f"{type(self).__name__} has no {name}")
            self._load()
            return self.__dict__[name]

    def _load(self) -> None:
        if "searched" not in self.__dict__:
            values = _read(type(self)._kinds, json.loads(self._native.values()))
            self.__dict__.update({name: _copy(value) for name, value in self._absent.items()} | values)

    def __getstate__(self) -> dict[str, Any]:
        # Its values go to another process, its table does not.
        self._load()
        return {name: value for name, value in self.__dict__.items() if name != "_native"}


def _copy(value: Any) -> Any:
    return list(value) if isinstance(value, list) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped(_Row):
    """A file that could not be read to its end."""

    file: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched(_Row):
    """What was searched, so that nothing is left out silently."""

    from_: int | None
    """Everything at or after this time was searched; None is the beginning."""
    to: int | None
    """Everything before this time was searched; None is everything that is there."""
    rows: int
    """Rows that were looked at or ruled out."""
    files: int
    """Files they are in."""
    complete: bool
    """Whether that is all that was asked for."""
    why: Literal["limit", "max_rows", "timeout", "memory", "cancelled"] | None = None
    """Why it is not, if the question ended early."""
    skipped: list[Skipped] = field(default_factory=list)
    """Files that could not be read to their end, and what is wrong with them."""
    hints: list[str] = field(default_factory=list)
    """What may have been meant, where nothing was found."""
    _kinds: ClassVar[_Kinds] = {"skipped": Skipped}


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanEvent(_Row):
    """An event of a span."""

    time: int
    name: str
    attributes: RecordAttributes


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanLink(_Row):
    """A link of a span to another one."""

    trace_id: str
    span_id: str
    attributes: RecordAttributes


@dataclass(frozen=True, slots=True, kw_only=True)
class Span(_Row):
    """A span."""

    trace_id: str
    span_id: str
    parent_span_id: str | None = None
    service: str
    name: str
    kind: str
    start_time: int
    end_time: int
    duration: int
    status: str
    status_message: str | None = None
    attributes: RecordAttributes
    events: list[SpanEvent] = field(default_factory=list)
    links: list[SpanLink] = field(default_factory=list)
    resource: RecordAttributes
    scope: str | None = None
    """Name of the instrumentation scope."""
    trace_state: str | None = None
    flags: int
    _kinds: ClassVar[_Kinds] = {"events": SpanEvent, "links": SpanLink}


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRecord(_Row):
    """A log record."""

    time: int | None
    observed_time: int | None
    service: str
    severity_number: int
    """0 where it has none."""
    severity_text: str | None = None
    body: str | None
    """As text; a body that was an array or a map is JSON."""
    body_type: str | None = None
    """The letter of its type where it is not text (docs/schema.md)."""
    event_name: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    attributes: RecordAttributes
    resource: RecordAttributes
    scope: str | None = None
    """Name of the instrumentation scope."""
    flags: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceSpan(Span):
    """A span with its place in the tree."""

    parent: int | None
    """Position of its parent among the spans of the answer; None of a root."""
    depth: int
    """How many spans are above it."""
    children: int
    """How many spans are directly below it."""
    orphan: bool = False
    """Whether it names a parent that is not there."""
    cyclic: bool = False
    """Whether its parents lead back to it; the one that starts first is shown as a root."""
    early: int = 0
    """By how much it starts before its parent: the clocks of two machines differ."""
    _kinds: ClassVar[_Kinds] = {"events": SpanEvent, "links": SpanLink}


@dataclass(init=False)
class Trace(Answer):
    """One trace."""

    trace_id: str
    """Its whole id; what was asked for, where nothing was found."""
    start_time: int
    duration: int
    """From there to the end of its last span."""
    services: dict[str, int]
    """Spans by service."""
    errors: int
    """How many spans are errors."""
    duplicates: int
    """Spans that came twice: the same id and start. The last of them is here."""
    missing_parents: list[str]
    """Ids of parents that are named and not there."""
    spans: list[TraceSpan]
    """In the order that a tree is read in: parents before their children, siblings by start."""
    logs: list[LogRecord]
    """Its log records in the order of time."""
    searched: Searched
    _kinds: ClassVar[_Kinds] = {"spans": TraceSpan, "logs": LogRecord, "searched": Searched}


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceSummary(_Row):
    """One trace in one line."""

    trace_id: str
    root_service: str
    """Service of its root: the span without a parent, or the first one whose parent is missing."""
    root_name: str
    start_time: int
    duration: int
    """From there to the end of its last span."""
    spans: int
    """Spans, those that came twice once."""
    errors: int
    """How many of them are errors."""
    matched: int
    """How many spans match."""
    services: dict[str, int]
    """Spans by service."""


@dataclass(init=False)
class Search(Answer):
    """Traces that were found."""

    traces: list[TraceSummary]
    cursor: str | None
    """Where the next ones begin, if there are more."""
    searched: Searched
    _kinds: ClassVar[_Kinds] = {"traces": TraceSummary, "searched": Searched}
    _absent: ClassVar[dict[str, Any]] = {"cursor": None}


@dataclass(init=False)
class Spans(Answer):
    """Spans in the order that was asked for."""

    spans: list[Span]
    cursor: str | None
    """Where the next ones begin, if there are more."""
    searched: Searched
    _kinds: ClassVar[_Kinds] = {"spans": Span, "searched": Searched}
    _absent: ClassVar[dict[str, Any]] = {"cursor": None}


@dataclass(init=False)
class Logs(Answer):
    """Log records in the order that was asked for."""

    logs: list[LogRecord]
    cursor: str | None
    """Where the next ones begin, if there are more."""
    searched: Searched
    _kinds: ClassVar[_Kinds] = {"logs": LogRecord, "searched": Searched}
    _absent: ClassVar[dict[str, Any]] = {"cursor": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket(_Row):
    """Records of some time and some group."""

    time: int
    """When it begins."""
    group: str | None
    """The value; None where a record has none, or where nothing is told apart."""
    other: bool = False
    """Whether these are the records of all less frequent values."""
    count: int


@dataclass(init=False)
class Counts(Answer):
    """Counts over time."""

    step: int
    """Length of a bucket. Buckets begin at multiples of it since 1970."""
    total: int
    """Records of all buckets, and those without a time."""
    buckets: list[Bucket]
    """Those that are not empty, by time, then by group, the most frequent group first."""
    searched: Searched
    _kinds: ClassVar[_Kinds] = {"buckets": Bucket, "searched": Searched}


@dataclass(frozen=True, slots=True, kw_only=True)
class Service(_Row):
    """One service."""

    name: str
    """``service.name``; empty for spans without."""
    spans: int
    """All of its spans."""
    requests: int
    """Spans that are requests: of the kinds ``server`` and ``consumer``, or without a parent where there are none."""
    weighted_requests: float
    """Requests with what sampling left out counted in."""
    rate: float
    """Requests a second."""
    errors: int
    """Requests that are errors."""
    error_share: float
    """Their share, 0 to 1."""
    p50: int | None
    """Half of the requests took at most so long; None without requests."""
    p95: int | None
    p99: int | None
    exact: bool
    """Whether the percentiles are exact; beyond a million requests they are within 4.5 %."""
    first_seen: int
    last_seen: int


@dataclass(init=False)
class Services(Answer):
    """Services by name."""

    services: list[Service]
    searched: Searched
    _kinds: ClassVar[_Kinds] = {"services": Service, "searched": Searched}


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeKey(_Row):
    """One attribute."""

    key: str
    of: Literal["record", "resource"]
    """Whose it is: `attr` asks for the one, `resource` for the other."""
    count: int
    """How many records have it, or a resource that has it."""


@dataclass(init=False)
class AttributeKeys(Answer):
    """Attributes, the most frequent first."""

    total: int
    """Records that match."""
    attributes: list[AttributeKey]
    searched: Searched
    _kinds: ClassVar[_Kinds] = {"attributes": AttributeKey, "searched": Searched}


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueCount(_Row):
    """A value and how many records have it."""

    value: str | None
    count: int


@dataclass(init=False)
class AttributeValues(Answer):
    """Values of one attribute."""

    key: str
    """Which attribute or column."""
    distinct: int
    """How many distinct values there are."""
    values: list[ValueCount]
    """The most frequent first."""
    searched: Searched
    _kinds: ClassVar[_Kinds] = {"values": ValueCount, "searched": Searched}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facet(_Row):
    """The values of one column or attribute."""

    by: str
    """Which one, as it was asked for."""
    distinct: int
    """How many distinct values there are."""
    values: list[ValueCount]
    """The most frequent first; the None value is of records without."""
    _kinds: ClassVar[_Kinds] = {"values": ValueCount}


@dataclass(init=False)
class Facets(Answer):
    """Values and how many records have each."""

    total: int
    """Records that match."""
    facets: list[Facet]
    searched: Searched
    _kinds: ClassVar[_Kinds] = {"facets": Facet, "searched": Searched}


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric(_Row):
    """One metric. What has the same name and another type, unit or temporality is another one."""

    name: str
    type: str
    unit: str
    """UCUM unit; empty where it has none."""
    temporality: str | None = None
    monotonic: bool = False
    """Whether it only grows; of sums."""
    description: str | None = None
    services: list[str]
    """Services that send it."""
    series: int
    """How many series: distinct attributes of distinct resources and scopes."""
    points: int
    last_value: float | None
    """The value of its latest point; of a histogram or summary how many values that has."""
    first_seen: int
    last_seen: int


@dataclass(init=False)
class Metrics(Answer):
    """Metrics by name."""

    metrics: list[Metric]
    searched: Searched
    _kinds: ClassVar[_Kinds] = {"metrics": Metric, "searched": Searched}


@dataclass(frozen=True, slots=True, kw_only=True)
class Point(_Row):
    """The value of a step."""

    time: int
    """When the step ends."""
    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemplar(_Row):
    """A single value that a point was made of."""

    time: int
    value: float | None
    trace_id: str | None = None
    span_id: str | None = None
    attributes: RecordAttributes = field(default_factory=dict)
    """Attributes that the point does not have."""
    kept: bool
    """Whether a span of the trace is kept here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line(_Row):
    """One line: a series, or several together."""

    labels: dict[str, str]
    """What all of its series have in common: what was asked for with `by`, otherwise service and attributes."""
    unit: str
    """UCUM unit of the metric. A rate is that a second."""
    type: str
    show: Literal["rate", "increase", "value", "quantile", "buckets", "mean", "sum"]
    """What its values are."""
    quantile: float | None = None
    """Of which share of all values."""
    above: float | None = None
    """Of which bucket: of values greater than this."""
    up_to: float | None = None
    """Up to this value, it included."""
    series: int
    """How many series it is made of."""
    points: list[Point]
    """In the order of time; steps without a value are not here."""
    exemplars: list[Exemplar] = field(default_factory=list)
    """Single values, those first whose trace is kept, then the latest."""
    _kinds: ClassVar[_Kinds] = {"points": Point, "exemplars": Exemplar}


@dataclass(init=False)
class Series(Answer):
    """One metric over time."""

    metric: str
    step: int
    """Length of a step. Steps end at multiples of it since 1970, the last one where the range does."""
    lines: list[Line]
    """Those with the greatest values first."""
    left_out: int
    """Lines that are not here."""
    warnings: list[str]
    """What is to be known of the numbers."""
    searched: Searched
    _kinds: ClassVar[_Kinds] = {"lines": Line, "searched": Searched}
    _absent: ClassVar[dict[str, Any]] = {"left_out": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedException(_Row):
    """An exception that a span or a log record tells of."""

    time: int
    service: str
    type: str
    message: str
    stacktrace: str | None = None
    """As it came, up to 16 KiB."""
    escaped: bool
    """Whether it left the span."""
    trace_id: str | None = None
    span_id: str | None = None
    span_name: str | None = None
    """Name of the span that tells of it."""
    signal: Literal["traces", "metrics", "logs"]
    """What tells of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendBucket(_Row):
    """Exceptions of a step."""

    time: int
    """When it begins."""
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorGroup(_Row):
    """Exceptions that are alike."""

    group: str
    """Its number: the same in every directory."""
    type: str
    message: str
    """What all of them say, with numbers, ids and quoted texts replaced."""
    frame: str | None
    """Function and file they come from, where there is a stack trace."""
    count: int
    services: list[tuple[str, int]]
    """Services and how many each had, the most first."""
    first_seen: int
    last_seen: int
    trend: list[TrendBucket]
    """How many came when, in steps of the answer's `step`; those with none are not here."""
    example: RecordedException
    """The latest one, as it came."""
    _kinds: ClassVar[_Kinds] = {"services": _Pair, "trend": TrendBucket, "example": RecordedException}


@dataclass(init=False)
class Errors(Answer):
    """Exceptions in groups."""

    total: int
    """All exceptions."""
    step: int
    """Length of a step of their trends."""
    errors: list[ErrorGroup]
    """The most frequent first."""
    searched: Searched
    _kinds: ClassVar[_Kinds] = {"errors": ErrorGroup, "searched": Searched}


@dataclass(init=False)
class Exceptions(Answer):
    """Exceptions one by one."""

    exceptions: list[RecordedException]
    searched: Searched
    _kinds: ClassVar[_Kinds] = {"exceptions": RecordedException, "searched": Searched}


@dataclass(frozen=True, slots=True, kw_only=True)
class MapNode(_Row):
    """A service, or what one calls."""

    name: str
    kind: NodeKind
    spans: int
    """Its spans; 0 of what sends none."""
    errors: int
    """How many of these are errors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge(_Row):
    """Calls from one to another."""

    from_: str
    to: str
    to_kind: NodeKind
    kind: Literal["call", "link"]
    """Whether it is a call, or a span of the second links to one of the first."""
    requests: int
    weighted_requests: float
    """With what sampling left out counted in."""
    rate: float
    """A second."""
    errors: int
    error_share: float
    """Their share, 0 to 1."""
    p50: int | None
    p95: int | None
    p99: int | None


@dataclass(init=False)
class ServiceMap(Answer):
    """Services and what they call."""

    nodes: list[MapNode]
    """Services, then what they call, by name."""
    edges: list[Edge]
    """By name of who calls, then of who is called."""
    searched: Searched
    _kinds: ClassVar[_Kinds] = {"nodes": MapNode, "edges": Edge, "searched": Searched}


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedSide(_Row):
    """What one side is."""

    is_: str
    """As it was asked for; of a trace its whole id."""
    spans: int
    requests: int
    """Spans without a parent."""
    errors: int
    from_: int
    to: int
    services: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(_Row):
    """What the spans of one operation come to."""

    count: int
    errors: int
    error_share: float
    """Their share, 0 to 1."""
    total: int
    """All of them together."""
    p50: int
    p95: int
    p99: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationChange(_Row):
    """One operation of both sides."""

    service: str
    name: str
    kind: str
    change: Literal["new", "gone", "failing", "recovered", "slower", "faster", "same"]
    impact: float
    """By how many nanoseconds a request spends more in it."""
    a: Operation | None
    b: Operation | None
    _kinds: ClassVar[_Kinds] = {"a": Operation, "b": Operation}


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorChange(_Row):
    """A group of exceptions of which one side has more."""

    group: str
    type: str
    message: str
    frame: str | None
    a: int
    """How many the first side has."""
    b: int
    """How many the second one has."""


@dataclass(init=False)
class Compare(Answer):
    """Two sides beside each other."""

    a: ComparedSide
    b: ComparedSide
    operations: list[OperationChange]
    """What changed, by what it does to a request; behind that what did not."""
    errors: list[ErrorChange]
    """Groups of exceptions of which one side has more, those first that only one has."""
    searched: Searched
    _kinds: ClassVar[_Kinds] = {
        "a": ComparedSide,
        "b": ComparedSide,
        "operations": OperationChange,
        "errors": ErrorChange,
        "searched": Searched,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrepresentedValue(_Row):
    """A value that is more frequent."""

    by: str
    """What it is a value of, as the word `by` takes it."""
    value: str
    count: int
    """How many of the records that match have it."""
    share: float
    """Their share, 0 to 1."""
    others: int
    """How many of the others have it."""
    others_share: float
    """Their share, 0 to 1."""
    score: float
    """By how many standard errors the shares differ."""


@dataclass(init=False)
class Overrepresented(Answer):
    """Values that are more frequent among some records than among others."""

    selected: int
    """Records that match."""
    others: int
    """Records they are compared with."""
    values: list[OverrepresentedValue]
    """Those first whose shares differ most."""
    searched: Searched
    _kinds: ClassVar[_Kinds] = {"values": OverrepresentedValue, "searched": Searched}

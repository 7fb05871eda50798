"""Every question as a method, and its words as types. The core parses them; nothing is checked or defaulted here.

Written from the tables of questions: OTLP_ARROW_BLESS=1 cargo test fresh. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence  # noqa: TC003 - who asks for the type hints needs it
from datetime import datetime, timedelta  # noqa: TC003 - as above
from typing import TYPE_CHECKING, Any, Literal, Required, TypedDict, TypeVar

from otlp_arrow._later import Later

if TYPE_CHECKING:
    from typing import Unpack

    from otlp_arrow import answers
else:
    answers = Later("otlp_arrow.answers")

A = TypeVar("A", bound="answers.Answer")


class Filter(TypedDict, total=False):
    """Which records a question is about.

    Everything that is given must hold; of several values of one word, one of them.
    """

    service: str | Sequence[str]
    """`service.name` of the resource: one of those given, none of those with `!`; `~` is a regular expression,
    `""` is none: `checkout`, `!checkout`, `~^check`, `!~^check`.
    """

    name: str | Sequence[str]
    """Name of the span, of the log record's event, of the metric: as `service`."""

    kind: str | Sequence[str]
    """Kind of the span; of a metric its type: `gauge`, `sum`, `histogram`, `exponential_histogram`, `summary`:
    `internal`, `server`, `client`, `producer`, `consumer`.
    """

    status: str | Sequence[str]
    """Status of the span: `ok`, `error`, `unset`."""

    min_duration: str | timedelta
    """Spans that took at least so long: `250ms`."""

    max_duration: str | timedelta
    """Spans that took at most so long: `2s`."""

    severity: str | int
    """Severity of the log record, by name or number; a name alone is its four numbers: `error`, `>=warn`, `17`,
    `<13`.
    """

    text: str | Sequence[str]
    """Must occur: in the body of a log record; in the name, the status message or the value of an attribute of a
    span: any text.
    """

    regex: str
    """A regular expression that must match somewhere in what `text` looks at: `timeout after [0-9]+`."""

    ignore_case: bool
    """`text` and `regex` take upper and lower case for the same: `true`, `false`."""

    trace: str
    """Records of this trace: 32 hexadecimal digits, or the first 4 and more."""

    span: str
    """Records of this span: 16 hexadecimal digits, or the first 4 and more."""

    attr: str | Sequence[str]
    """What must hold of an attribute of the record; what is negated also holds where there is none:
    `http.route=/cart`, `!=`, `>5`, `~regex`, `key`, `!key`.
    """

    resource: str | Sequence[str]
    """What must hold of an attribute of the resource: as `attr`."""

    from_: datetime | int | str
    """Records at or after this time: `-1h`, `2026-11-30T12:00:00Z`, nanoseconds since 1970."""

    to: datetime | int | str
    """Records before this time: as `from`, `now`."""

    limit: int
    """The most rows of the answer: `20`."""

    order: Literal["newest", "oldest"]
    """Which rows come first: `newest`, `oldest`."""

    cursor: str
    """Rows behind those of an earlier answer: as an answer gives it."""


class TraceWords(TypedDict, total=False):
    """The words of `trace`."""

    logs: bool
    """Whether its log records are part of the answer; they are: `true`, `false`."""


class CountsWords(Filter, total=False):
    """The words of `counts`."""

    signal: Literal["traces", "logs", "metrics"]
    """Which records are counted; traces: `traces`, `logs`, `metrics`."""

    step: str | timedelta
    """Length of a bucket; so that there are at most 60 if it is left out: `1m`."""

    by: str
    """Counts each of the most frequent values apart: `service`, `name`, `kind`, `status`, `severity`, `attr:KEY`,
    `resource:KEY`.
    """


class AttributesWords(Filter, total=False):
    """The words of `attributes`."""

    signal: Literal["traces", "logs", "metrics"]
    """Of which records; traces: `traces`, `logs`, `metrics`."""


class AttributeValuesWords(Filter, total=False):
    """The words of `attribute_values`."""

    signal: Literal["traces", "logs", "metrics"]
    """Of which records; traces: `traces`, `logs`, `metrics`."""

    prefix: str
    """Only values that begin so: any text."""


class FacetsWords(Filter, total=False):
    """The words of `facets`."""

    signal: Literal["traces", "logs", "metrics"]
    """Which records are counted; traces: `traces`, `logs`, `metrics`."""

    by: str | Sequence[str]
    """Whose values; the columns that the signal has if it is left out: `service`, `name`, `kind`, `status`,
    `severity`, `attr:KEY`, `resource:KEY`.
    """


class SeriesWords(Filter, total=False):
    """The words of `series`."""

    metric: Required[str]
    """Its name: `http.server.request.duration`."""

    show: Literal["rate", "increase", "value", "quantile", "buckets", "mean", "sum"]
    """What is computed for a step: `rate` a second of a sum that only grows and of the values of a histogram,
    `increase` of these, the latest `value` of a gauge, `quantile`, `mean` and `sum` of the values of a
    histogram, and how many of them each of its `buckets` has; what suits the metric if it is left out: `rate`,
    `increase`, `value`, `quantile`, `buckets`, `mean`, `sum`.
    """

    step: str | timedelta
    """Length of a step; one that a person can read if it is left out: `1m`."""

    by: str | Sequence[str]
    """Series that are alike in this are one line; each is one of its own if it is left out, and `agg` too:
    `service`, `attr:KEY`, `resource:KEY`, `name` for all together.
    """

    agg: Literal["sum", "avg", "min", "max", "count"]
    """How several series become one line: `sum` of rates, `avg` of values: `sum`, `avg`, `min`, `max`, `count`."""

    quantile: float | Sequence[float]
    """Which share of values, 0 to 1; 0.5, 0.95 and 0.99 if it is left out: `0.99`."""

    top: int
    """So many lines, those with the greatest values; 20: `5`."""

    exemplars: int
    """The latest so many single values of each line; those first whose trace is kept: `10`, `0`."""


class ErrorsWords(Filter, total=False):
    """The words of `errors`."""

    signal: Literal["traces", "logs"]
    """Whose exceptions: events of spans, or log records; both: `traces`, `logs`."""


class ExceptionsWords(Filter, total=False):
    """The words of `exceptions`."""

    signal: Literal["traces", "logs"]
    """Whose exceptions: events of spans, or log records; both: `traces`, `logs`."""

    group: str
    """Only those of this group: as `errors` gives it."""


class OverrepresentedWords(Filter, total=False):
    """The words of `overrepresented`."""

    signal: Literal["traces", "logs", "metrics"]
    """Which records; traces: `traces`, `logs`, `metrics`."""

    against: str
    """What they are compared with; the other records of the same time and services if it is left out: a range,
    `-2h..-1h`, or words of the filter, `service=shop`.
    """


class Questions:
    """Every question, and as a coroutine with an ``a`` before its name.

    Words are keyword arguments; ``from`` is ``from_``. `timeout` is in seconds, and no longer than ``query.timeout``.
    """

    def _ask(
        self, answer: type[A], kind: str, given: dict[str, str], words: Mapping[str, Any], timeout: float | None
    ) -> A:
        raise NotImplementedError

    async def _aask(
        self,
        answer: type[A],
        kind: str,
        given: dict[str, str],
        words: Mapping[str, Any],
        timeout: float | None,  # noqa: ASYNC109 - the question's own
    ) -> A:
        raise NotImplementedError

    def trace(self, trace_id: str, *, timeout: float | None = None, **words: Unpack[TraceWords]) -> answers.Trace:
        """Tell one trace: its spans as a tree, and its log records."""
        return self._ask(answers.Trace, "trace", {"trace": trace_id}, words, timeout)

    async def atrace(
        self,
        trace_id: str,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the question's own
        **words: Unpack[TraceWords],
    ) -> answers.Trace:
        """Do what `trace` does, without blocking the event loop."""
        return await self._aask(answers.Trace, "trace", {"trace": trace_id}, words, timeout)

    def search(self, *, timeout: float | None = None, **words: Unpack[Filter]) -> answers.Search:
        """Tell traces in which some span matches: root, services, spans, errors, duration."""
        return self._ask(answers.Search, "traces", {}, words, timeout)

    async def asearch(
        self,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the question's own
        **words: Unpack[Filter],
    ) -> answers.Search:
        """Do what `search` does, without blocking the event loop."""
        return await self._aask(answers.Search, "traces", {}, words, timeout)

    def search_spans(self, *, timeout: float | None = None, **words: Unpack[Filter]) -> answers.Spans:
        """Tell spans that match, with everything that is known of them."""
        return self._ask(answers.Spans, "spans", {}, words, timeout)

    async def asearch_spans(
        self,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the question's own
        **words: Unpack[Filter],
    ) -> answers.Spans:
        """Do what `search_spans` does, without blocking the event loop."""
        return await self._aask(answers.Spans, "spans", {}, words, timeout)

    def search_logs(self, *, timeout: float | None = None, **words: Unpack[Filter]) -> answers.Logs:
        """Tell log records that match."""
        return self._ask(answers.Logs, "logs", {}, words, timeout)

    async def asearch_logs(
        self,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the question's own
        **words: Unpack[Filter],
    ) -> answers.Logs:
        """Do what `search_logs` does, without blocking the event loop."""
        return await self._aask(answers.Logs, "logs", {}, words, timeout)

    def counts(self, *, timeout: float | None = None, **words: Unpack[CountsWords]) -> answers.Counts:
        """Tell how many records match, over time."""
        return self._ask(answers.Counts, "counts", {}, words, timeout)

    async def acounts(
        self,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the question's own
        **words: Unpack[CountsWords],
    ) -> answers.Counts:
        """Do what `counts` does, without blocking the event loop."""
        return await self._aask(answers.Counts, "counts", {}, words, timeout)

    def services(self, *, timeout: float | None = None, **words: Unpack[Filter]) -> answers.Services:
        """Tell services with rate, errors and duration of the requests they served."""
        return self._ask(answers.Services, "services", {}, words, timeout)

    async def aservices(
        self,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the question's own
        **words: Unpack[Filter],
    ) -> answers.Services:
        """Do what `services` does, without blocking the event loop."""
        return await self._aask(answers.Services, "services", {}, words, timeout)

    def attributes(self, *, timeout: float | None = None, **words: Unpack[AttributesWords]) -> answers.AttributeKeys:
        """Tell which attributes records and their resources have, and how many have each."""
        return self._ask(answers.AttributeKeys, "attributes", {}, words, timeout)

    async def aattributes(
        self,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the question's own
        **words: Unpack[AttributesWords],
    ) -> answers.AttributeKeys:
        """Do what `attributes` does, without blocking the event loop."""
        return await self._aask(answers.AttributeKeys, "attributes", {}, words, timeout)

    def attribute_values(
        self, key: str, *, timeout: float | None = None, **words: Unpack[AttributeValuesWords]
    ) -> answers.AttributeValues:
        """Tell the values of one attribute, the most frequent first."""
        return self._ask(answers.AttributeValues, "attribute_values", {"key": key}, words, timeout)

    async def aattribute_values(
        self,
        key: str,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the question's own
        **words: Unpack[AttributeValuesWords],
    ) -> answers.AttributeValues:
        """Do what `attribute_values` does, without blocking the event loop."""
        return await self._aask(answers.AttributeValues, "attribute_values", {"key": key}, words, timeout)

    def facets(self, *, timeout: float | None = None, **words: Unpack[FacetsWords]) -> answers.Facets:
        """Tell the most frequent values of columns and attributes among the records that match."""
        return self._ask(answers.Facets, "facets", {}, words, timeout)

    async def afacets(
        self,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the question's own
        **words: Unpack[FacetsWords],
    ) -> answers.Facets:
        """Do what `facets` does, without blocking the event loop."""
        return await self._aask(answers.Facets, "facets", {}, words, timeout)

    def metrics(self, *, timeout: float | None = None, **words: Unpack[Filter]) -> answers.Metrics:
        """Tell which metrics there are, with type, unit, temporality, series and latest value."""
        return self._ask(answers.Metrics, "metrics", {}, words, timeout)

    async def ametrics(
        self,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the question's own
        **words: Unpack[Filter],
    ) -> answers.Metrics:
        """Do what `metrics` does, without blocking the event loop."""
        return await self._aask(answers.Metrics, "metrics", {}, words, timeout)

    def series(self, *, timeout: float | None = None, **words: Unpack[SeriesWords]) -> answers.Series:
        """Tell one metric over time: rates, values, quantiles, of each series or of several together."""
        return self._ask(answers.Series, "series", {}, words, timeout)

    async def aseries(
        self,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the question's own
        **words: Unpack[SeriesWords],
    ) -> answers.Series:
        """Do what `series` does, without blocking the event loop."""
        return await self._aask(answers.Series, "series", {}, words, timeout)

    def errors(self, *, timeout: float | None = None, **words: Unpack[ErrorsWords]) -> answers.Errors:
        """Tell exceptions grouped by type, message without its numbers and ids, and the frame they come from."""
        return self._ask(answers.Errors, "errors", {}, words, timeout)

    async def aerrors(
        self,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the question's own
        **words: Unpack[ErrorsWords],
    ) -> answers.Errors:
        """Do what `errors` does, without blocking the event loop."""
        return await self._aask(answers.Errors, "errors", {}, words, timeout)

    def exceptions(self, *, timeout: float | None = None, **words: Unpack[ExceptionsWords]) -> answers.Exceptions:
        """Tell exceptions one by one, the latest first."""
        return self._ask(answers.Exceptions, "exceptions", {}, words, timeout)

    async def aexceptions(
        self,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the question's own
        **words: Unpack[ExceptionsWords],
    ) -> answers.Exceptions:
        """Do what `exceptions` does, without blocking the event loop."""
        return await self._aask(answers.Exceptions, "exceptions", {}, words, timeout)

    def service_map(self, *, timeout: float | None = None, **words: Unpack[Filter]) -> answers.ServiceMap:
        """Tell which services call which, with rate, errors and durations.

        What they call that sends nothing itself; links.
        """
        return self._ask(answers.ServiceMap, "map", {}, words, timeout)

    async def aservice_map(
        self,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the question's own
        **words: Unpack[Filter],
    ) -> answers.ServiceMap:
        """Do what `service_map` does, without blocking the event loop."""
        return await self._aask(answers.ServiceMap, "map", {}, words, timeout)

    def compare(self, a: str, b: str, *, timeout: float | None = None, **words: Unpack[Filter]) -> answers.Compare:
        """Tell two traces, runs or ranges beside each other.

        Operations that are new, gone, slower, faster or failing, and errors.
        """
        return self._ask(answers.Compare, "compare", {"a": a, "b": b}, words, timeout)

    async def acompare(
        self,
        a: str,
        b: str,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the question's own
        **words: Unpack[Filter],
    ) -> answers.Compare:
        """Do what `compare` does, without blocking the event loop."""
        return await self._aask(answers.Compare, "compare", {"a": a, "b": b}, words, timeout)

    def overrepresented(
        self, *, timeout: float | None = None, **words: Unpack[OverrepresentedWords]
    ) -> answers.Overrepresented:
        """Tell values that are more frequent among the records that match than among others.

        What they have in common.
        """
        return self._ask(answers.Overrepresented, "overrepresented", {}, words, timeout)

    async def aoverrepresented(
        self,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the question's own
        **words: Unpack[OverrepresentedWords],
    ) -> answers.Overrepresented:
        """Do what `overrepresented` does, without blocking the event loop."""
        return await self._aask(answers.Overrepresented, "overrepresented", {}, words, timeout)

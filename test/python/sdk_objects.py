"""Random SDK objects by seed, for comparing encoders."""

from __future__ import annotations

import logging
import math
import random
from typing import Any

# The modules' public way to a log record with explicit ids.
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Buckets,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.util import BoundedList
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

# It warns about each attribute that a limit drops, which is done here on purpose.
logging.getLogger("opentelemetry.attributes").setLevel(logging.ERROR)

_TEXTS = ["", "a", "GET /pay", "größe", "日本語", "🦀", "x" * 127, "y" * 128, "z" * 20_000, "\x00", 'q"\\']


class Maker:
    """Makes SDK objects from one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.resources = [Resource(self.attributes(), self.schema_url()) for _ in range(3)]
        self.scopes = [
            InstrumentationScope(f"scope{i}", self.random.choice([None, "1.2"]), self.schema_url(), self.attributes())
            for i in range(4)
        ]

    def text(self) -> str:
        return self.random.choice(_TEXTS) + str(self.random.randrange(1000))

    def schema_url(self) -> str | None:
        return self.random.choice([None, "", "https://opentelemetry.io/schemas/1.44.0"])

    def scalar(self) -> Any:
        r = self.random
        return r.choice(
            [
                self.text,
                lambda: r.choice([0, 1, -1, 127, 128, 2**31, -(2**31), 2**63 - 1, -(2**63), r.getrandbits(62)]),
                lambda: r.choice([0.0, -0.0, 0.1, 1e300, math.inf, -math.inf, r.random()]),
                lambda: r.choice([True, False]),
                lambda: r.randbytes(r.randrange(40)),
                lambda: None,
            ]
        )()

    def value(self, depth: int = 0) -> Any:
        kind = self.random.random()
        if depth < 3 and kind < 0.12:
            return [self.value(depth + 1) for _ in range(self.random.randrange(4))]
        if depth < 3 and kind < 0.2:
            return {f"k{i}": self.value(depth + 1) for i in range(self.random.randrange(4))}
        return self.scalar()

    def attributes(self, most: int = 12) -> dict[str, Any]:
        return {f"key.{i}.{'é' * (i % 3)}": self.value() for i in range(self.random.randrange(most))}

    def bounded(self) -> Any:
        r = self.random
        return r.choice([None, BoundedAttributes(r.choice([None, 3]), self.attributes(), immutable=True)])

    def context(self) -> SpanContext:
        r = self.random
        state = TraceState([(f"vendor{i}", f"v{r.randrange(99)}") for i in range(r.randrange(3))])
        return SpanContext(
            r.choice([1, 2**128 - 1, r.getrandbits(128) | 1]),
            r.choice([1, 2**64 - 1, r.getrandbits(64) | 1]),
            r.random() < 0.5,
            TraceFlags(r.choice([0, 1, 3])),
            state,
        )

    def time(self) -> int:
        return self.random.choice([0, 1, 1_800_000_000_000_000_000 + self.random.randrange(10**9)])

    def status(self) -> Status:
        return self.random.choice(
            [
                Status(StatusCode.UNSET),
                Status(StatusCode.OK),
                Status(StatusCode.ERROR),
                Status(StatusCode.ERROR, "große"),
            ]
        )

    def span(self) -> ReadableSpan:
        r = self.random
        events = BoundedList.from_seq(
            2, [Event(self.text(), self.bounded(), self.time()) for _ in range(r.randrange(4))]
        )
        links = BoundedList.from_seq(2, [Link(self.context(), self.bounded()) for _ in range(r.randrange(4))])
        return ReadableSpan(
            name=self.text(),
            context=self.context(),
            parent=r.choice([None, self.context()]),
            resource=r.choice(self.resources),
            attributes=self.bounded(),
            events=r.choice([(), events]),
            links=r.choice([(), links]),
            kind=r.choice(list(SpanKind)),
            status=self.status(),
            start_time=self.time(),
            end_time=self.time(),
            instrumentation_scope=r.choice([*self.scopes, None]),
        )

    def log(self) -> ReadableLogRecord:
        r = self.random
        record = LogRecord(
            timestamp=r.choice([None, self.time()]),
            observed_timestamp=self.time(),
            severity_text=r.choice([None, "", "WARN"]),
            severity_number=r.choice([None, *SeverityNumber]),
            body=self.value(),
            attributes=self.bounded(),
            event_name=r.choice([None, "", "session.start"]),
        )
        record.trace_id = r.choice([0, r.getrandbits(128)])
        record.span_id = r.choice([0, r.getrandbits(64)])
        record.trace_flags = TraceFlags(r.choice([0, 1]))
        return ReadableLogRecord(record, r.choice(self.resources), r.choice([*self.scopes, None]))

    def exemplars(self) -> list[Exemplar]:
        r = self.random
        return [
            Exemplar(
                self.attributes(4),
                r.choice([r.random(), r.randrange(-9, 9)]),
                self.time(),
                *r.choice([(None, None), (r.getrandbits(64), r.getrandbits(128))]),
            )
            for _ in range(r.randrange(3))
        ]

    def number_point(self) -> NumberDataPoint:
        r = self.random
        value = r.choice([0, 0.0, -5, 2**63 - 1, 0.25, math.nan, math.inf])
        return NumberDataPoint(self.attributes(), self.time(), self.time(), value, self.exemplars())

    def histogram_point(self) -> HistogramDataPoint:
        r = self.random
        n = r.choice([0, 1, 15, 130])
        return HistogramDataPoint(
            self.attributes(),
            self.time(),
            self.time(),
            r.randrange(10**6),
            r.choice([0, 1.5]),
            [r.choice([0, r.getrandbits(40)]) for _ in range(n + 1 if n else 0)],
            sorted(r.random() * 100 for _ in range(n)),
            r.choice([math.inf, 0.0, -1.5]),
            r.choice([-math.inf, 0.0, 9.5]),
            self.exemplars(),
        )

    def buckets(self) -> Buckets:
        r = self.random
        return Buckets(r.randrange(-500, 500), [r.getrandbits(r.randrange(1, 40)) for _ in range(r.randrange(200))])

    def exponential_point(self) -> ExponentialHistogramDataPoint:
        r = self.random
        return ExponentialHistogramDataPoint(
            self.attributes(),
            self.time(),
            self.time(),
            r.randrange(10**6),
            r.choice([0, 1.5, -2.5]),
            r.randrange(-10, 21),
            r.randrange(5),
            self.buckets(),
            self.buckets(),
            r.choice([0, 1]),
            r.choice([0.0, -1.5]),
            r.choice([0.0, 9.5]),
            self.exemplars(),
        )

    def metric(self) -> Metric:
        r = self.random
        temporality = r.choice([AggregationTemporality.DELTA, AggregationTemporality.CUMULATIVE])
        count = r.randrange(1, 4)
        data = r.choice(
            [
                lambda: Gauge(
                    [
                        NumberDataPoint(p.attributes, None, p.time_unix_nano, p.value, p.exemplars)  # type: ignore[arg-type]
                        for p in (self.number_point() for _ in range(count))
                    ]
                ),
                lambda: Sum([self.number_point() for _ in range(count)], temporality, r.choice([True, False])),
                lambda: Histogram([self.histogram_point() for _ in range(count)], temporality),
                lambda: ExponentialHistogram([self.exponential_point() for _ in range(count)], temporality),
            ]
        )()
        return Metric(self.text(), r.choice(["", "what", None]), r.choice(["", "ms", None]), data)

    def metrics(self) -> MetricsData:
        r = self.random
        return MetricsData(
            [
                ResourceMetrics(
                    resource,
                    [
                        ScopeMetrics(scope, [self.metric() for _ in range(r.randrange(1, 4))], scope.schema_url or "")
                        for scope in r.sample(self.scopes, r.randrange(1, 4))
                    ],
                    resource.schema_url,
                )
                for resource in self.resources[: r.randrange(1, 4)]
            ]
        )


def ended_spans(count: int, seed: int = 0, attributes: int = 10) -> list[ReadableSpan]:
    """Make spans the way a program does: started and ended by the SDK, every attribute value different."""
    r = random.Random(seed)
    provider = TracerProvider(
        resource=Resource({"service.name": "shop", "service.version": "1.0"}), shutdown_on_exit=False
    )
    spans: list[ReadableSpan] = []

    class Keep:
        def on_start(self, span, parent_context=None): ...
        def _on_ending(self, span): ...
        def on_end(self, span):
            spans.append(span)

        def shutdown(self): ...
        def force_flush(self, timeout_millis=30000):
            return True

    provider.add_span_processor(Keep())  # type: ignore[arg-type]
    tracer = provider.get_tracer("shop", "1.0")
    for i in range(count):
        with tracer.start_as_current_span(f"GET /pay/{i % 7}", kind=SpanKind.SERVER) as span:
            for j in range(attributes):
                kind = j % 5
                if kind < 2:
                    value: Any = f"value-{r.getrandbits(40):x}"
                elif kind == 2:
                    value = r.getrandbits(31)
                elif kind == 3:
                    value = r.random()
                else:
                    value = r.random() < 0.5
                span.set_attribute(f"http.attribute.{j}", value)
    return spans

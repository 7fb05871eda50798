"""The SDK-object encoder says what the SDK's own OTLP encoder says."""

from __future__ import annotations

import enum
from types import MappingProxyType
from typing import Any

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, TraceFlags

from otlp_arrow import _native

from sdk_objects import Maker, ended_spans

SEEDS = range(40)


def canonical(message: Any) -> bytes:
    """Serialize with envelopes sorted, as OTLP gives their order no meaning."""
    for field in ("resource_spans", "resource_metrics", "resource_logs"):
        if hasattr(message, field):
            outer = getattr(message, field)
            outer.sort(key=lambda one: one.resource.SerializeToString(deterministic=True))
            for one in outer:
                scopes = getattr(one, field.replace("resource", "scope"))
                scopes.sort(key=lambda scope: scope.scope.SerializeToString(deterministic=True))
    return message.SerializeToString(deterministic=True)


def same(ours: Any, stock: Any) -> None:
    if canonical(ours) != canonical(stock):
        assert str(ours) == str(stock)
        pytest.fail("same text, different bytes")


@pytest.mark.parametrize("seed", SEEDS)
def test_spans_equal_the_stock_encoding(seed: int) -> None:
    maker = Maker(seed)
    spans = [maker.span() for _ in range(20)]
    ours = ExportTraceServiceRequest.FromString(_native.encode_spans(spans))
    stock = encode_spans(spans)
    # The stock encoder loses the trace state of links; ours keeps it.
    states = [link.context.trace_state.to_header() for span in spans for link in span.links]
    links = [
        link
        for resource in ours.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
        for link in span.links
    ]
    assert sorted(link.trace_state for link in links) == sorted(states)
    for link in links:
        link.ClearField("trace_state")
    same(ours, stock)


@pytest.mark.parametrize("seed", SEEDS)
def test_logs_equal_the_stock_encoding(seed: int) -> None:
    maker = Maker(seed)
    records = [maker.log() for _ in range(20)]
    same(ExportLogsServiceRequest.FromString(_native.encode_logs(records)), encode_logs(records))


@pytest.mark.parametrize("seed", SEEDS)
def test_metrics_equal_the_stock_encoding(seed: int) -> None:
    data = Maker(seed).metrics()
    same(ExportMetricsServiceRequest.FromString(_native.encode_metrics(data)), encode_metrics(data))


def test_spans_of_the_sdk_equal_the_stock_encoding() -> None:
    spans = ended_spans(64)
    ours = _native.encode_spans(spans)
    same(ExportTraceServiceRequest.FromString(ours), encode_spans(spans))
    assert len(ours) == len(encode_spans(spans).SerializeToString())


class Wrapped:
    """A span that is not the SDK's own class, as wrapping processors make."""

    def __init__(self, span: ReadableSpan) -> None:
        self.inner = span

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.inner, name)


class Renamed(ReadableSpan):
    @property
    def name(self) -> str:
        return f"renamed {self._name}"


@pytest.mark.parametrize("seed", range(10))
def test_a_span_of_another_class_is_read_through_its_public_properties(seed: int) -> None:
    maker = Maker(seed)
    spans = [maker.span() for _ in range(10)]
    assert _native.encode_spans([Wrapped(span) for span in spans]) == _native.encode_spans(spans)
    named = Renamed("a", context=maker.context(), resource=Resource({}))
    ours = ExportTraceServiceRequest.FromString(_native.encode_spans((named,)))
    assert ours.resource_spans[0].scope_spans[0].spans[0].name == "renamed a"


def log_of(**parts: Any) -> ReadableLogRecord:
    return ReadableLogRecord(LogRecord(observed_timestamp=1, **parts), Resource({}), InstrumentationScope("s"))


def encoded_body(body: Any) -> Any:
    request = ExportLogsServiceRequest.FromString(_native.encode_logs([log_of(body=body)]))
    return request.resource_logs[0].scope_logs[0].log_records[0].body


class Color(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Foreign:
    def __str__(self) -> str:
        return "foreign!"


class Broken:
    def __str__(self) -> str:
        raise ValueError("no text")


@pytest.mark.parametrize(
    ("body", "field", "value"),
    [
        (2**63, "string_value", "9223372036854775808"),
        (-(2**100), "string_value", str(-(2**100))),
        (2**63 - 1, "int_value", 2**63 - 1),
        (Color.RED, "string_value", "red"),
        (Level.HIGH, "int_value", 3),
        (True, "bool_value", True),
        ("a\ud800b", "string_value", "a\ufffdb"),
        (Foreign(), "string_value", "foreign!"),
        (b"", "bytes_value", b""),
        ("", "string_value", ""),
        (0, "int_value", 0),
    ],
)
def test_a_value_is_kept_as_opentelemetry_maps_it(body: Any, field: str, value: Any) -> None:
    encoded = encoded_body(body)
    assert encoded.WhichOneof("value") == field
    found = getattr(encoded, field)
    assert found.replace("\ufffd\ufffd\ufffd", "\ufffd") == value if isinstance(found, str) else found == value


def test_mappings_of_any_kind_are_maps() -> None:
    encoded = encoded_body(MappingProxyType({"a": 1, 2: "b"}))
    assert [(kv.key, kv.value.WhichOneof("value")) for kv in encoded.kvlist_value.values] == [
        ("a", "int_value"),
        ("2", "string_value"),
    ]


def test_an_attribute_that_cannot_be_looked_at_is_dropped_and_counted() -> None:
    request = ExportLogsServiceRequest.FromString(
        _native.encode_logs([log_of(body=Broken(), attributes={"good": 1, "bad": Broken(), "nested": [1, Broken()]})])
    )
    record = request.resource_logs[0].scope_logs[0].log_records[0]
    assert [kv.key for kv in record.attributes] == ["good"]
    assert record.dropped_attributes_count == 2
    assert record.HasField("body")
    assert record.body.WhichOneof("value") is None


def test_a_value_that_contains_itself_costs_its_record_only() -> None:
    circle: list[Any] = []
    circle.extend([circle, circle])
    good = log_of(body="good")
    request = ExportLogsServiceRequest.FromString(_native.encode_logs([log_of(body=circle), good]))
    assert [r.body.string_value for r in request.resource_logs[0].scope_logs[0].log_records] == ["good"]


def test_equal_resources_share_an_envelope() -> None:
    records = [
        ReadableLogRecord(LogRecord(body=i), Resource({"a": 1}), InstrumentationScope("s", "1")) for i in range(3)
    ]
    request = ExportLogsServiceRequest.FromString(_native.encode_logs(records))
    assert len(request.resource_logs) == 1
    assert [r.body.int_value for r in request.resource_logs[0].scope_logs[0].log_records] == [0, 1, 2]


def test_the_way_a_batch_comes_does_not_matter() -> None:
    spans = ended_spans(3)
    assert _native.encode_spans(tuple(spans)) == _native.encode_spans(spans) == _native.encode_spans(iter(spans))
    assert _native.encode_spans([]) == b""


def test_a_parent_elsewhere_is_flagged_as_remote() -> None:
    def flags(parent: SpanContext | None) -> int:
        span = ReadableSpan("s", SpanContext(1, 1, False), parent=parent, resource=Resource({}))
        request = ExportTraceServiceRequest.FromString(_native.encode_spans([span]))
        return request.resource_spans[0].scope_spans[0].spans[0].flags

    assert flags(None) == 0x100
    assert flags(SpanContext(1, 2, False, TraceFlags(1))) == 0x100
    assert flags(SpanContext(1, 2, True, TraceFlags(1))) == 0x300

"""The SDK's own OTLP exporters as clients of our listeners, contents compared field by field."""

from __future__ import annotations

import base64
import gzip
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otlp_arrow import OtlpLibrary, decode, encode

from sdk_objects import Maker
from semantics import same_content


@pytest.fixture
def listening(directory: Path) -> Iterator[OtlpLibrary]:
    with OtlpLibrary(output_dir=directory, listen={"grpc": "127.0.0.1:0", "http": "127.0.0.1:0"}) as library:
        yield library


def clients(library: OtlpLibrary, door: str) -> tuple[Any, Any, Any]:
    addresses = library.addresses()
    if door == "grpc":
        options = {"endpoint": f"http://{addresses['grpc']}", "insecure": True}
        return GrpcSpanExporter(**options), GrpcMetricExporter(**options), GrpcLogExporter(**options)
    if door == "grpc gzip":
        options = {
            "endpoint": f"http://{addresses['grpc']}",
            "insecure": True,
            "compression": grpc.Compression.Gzip,
        }
        return GrpcSpanExporter(**options), GrpcMetricExporter(**options), GrpcLogExporter(**options)
    compression = Compression.Gzip if door == "http gzip" else Compression.NoCompression
    base = f"http://{addresses['http']}/v1"
    return (
        HttpSpanExporter(f"{base}/traces", compression=compression),
        HttpMetricExporter(f"{base}/metrics", compression=compression),
        HttpLogExporter(f"{base}/logs", compression=compression),
    )


def valid(maker: Maker) -> tuple[list[Any], Any, list[Any]]:
    """Records that OTLP does not call invalid, so that each is kept."""
    logs = [maker.log() for _ in range(15)]
    return [maker.span() for _ in range(15)], maker.metrics(), logs


@pytest.mark.parametrize("door", ["grpc", "grpc gzip", "http", "http gzip"])
def test_what_an_official_client_sends_is_what_is_kept(listening: OtlpLibrary, door: str) -> None:
    spans, metrics, logs = valid(Maker(len(door)))
    span_client, metric_client, log_client = clients(listening, door)
    assert span_client.export(spans).name == "SUCCESS"
    assert metric_client.export(metrics).name == "SUCCESS"
    assert log_client.export(logs).name == "SUCCESS"
    for client in (span_client, metric_client, log_client):
        client.shutdown()
    for signal, message, sent in (
        ("traces", ExportTraceServiceRequest, encode_spans(spans)),
        ("metrics", ExportMetricsServiceRequest, encode_metrics(metrics)),
        ("logs", ExportLogsServiceRequest, encode_logs(logs)),
    ):
        kept = message.FromString(encode(signal, listening.read(signal)))  # type: ignore[arg-type]
        same_content(kept, sent)


@pytest.mark.parametrize("seed", range(8))
def test_objects_of_the_sdk_come_back_as_they_went_in(library: OtlpLibrary, seed: int) -> None:
    spans, metrics, logs = valid(Maker(1000 + seed))
    for signal, export, batch, message, stock in (
        ("traces", library.export_traces, spans, ExportTraceServiceRequest, encode_spans),
        ("metrics", library.export_metrics, metrics, ExportMetricsServiceRequest, encode_metrics),
        ("logs", library.export_logs, logs, ExportLogsServiceRequest, encode_logs),
    ):
        outcome = export(batch)
        assert outcome.rejected == 0, outcome
        kept = message.FromString(encode(signal, library.read(signal)))  # type: ignore[arg-type]
        if signal == "traces":
            for resource in kept.resource_spans:
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        for link in span.links:
                            link.ClearField("trace_state")  # which the stock encoder loses
        same_content(kept, stock(batch))


@pytest.mark.parametrize("dictionaries", [True, False])
@pytest.mark.parametrize("form", ["protobuf", "json"])
def test_decode_and_encode_are_inverse(form: Any, dictionaries: bool, library: OtlpLibrary) -> None:
    sent = encode_spans(valid(Maker(77))[0])
    data = sent.SerializeToString()
    if form == "json":
        data = encode("traces", decode("traces", data), "json")
        assert json.loads(data)["resourceSpans"]
    back = encode("traces", decode("traces", data, form), "protobuf")
    same_content(ExportTraceServiceRequest.FromString(back), sent)
    library.export_otlp("traces", sent.SerializeToString())
    again = encode("traces", library.read("traces", dictionaries=dictionaries))
    same_content(ExportTraceServiceRequest.FromString(again), sent)


def test_json_of_another_writer_is_taken(listening: OtlpLibrary) -> None:
    request = encode_logs([Maker(5).log() for _ in range(3)])
    text = json_format.MessageToDict(request)
    for resource in text["resourceLogs"]:
        for scope in resource["scopeLogs"]:
            for record in scope["logRecords"]:
                for key in ("traceId", "spanId"):  # hex in OTLP, where protobuf's own mapping says base64
                    if key in record:
                        record[key] = base64.b64decode(record[key]).hex()
    body = gzip.compress(json.dumps(text).encode())
    url = f"http://{listening.addresses()['http']}/v1/logs"
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    with urllib.request.urlopen(urllib.request.Request(url, body, headers)) as answer:
        assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    kept = ExportLogsServiceRequest.FromString(encode("logs", listening.read("logs")))
    same_content(kept, request)


def test_the_statistics_count_what_came_in(listening: OtlpLibrary) -> None:
    spans, _, logs = valid(Maker(9))
    span_client, metric_client, log_client = clients(listening, "http")
    span_client.export(spans)
    log_client.export(logs)
    listening.export_traces(spans)
    stats = listening.stats()
    found = {
        (sample["labels"]["signal"], sample["labels"]["protocol"]): sample["value"]
        for sample in stats["counters"]
        if sample["name"] == "otlp_arrow_received_records_total" and sample["value"]
    }
    assert found == {("traces", "otlp_http"): 15, ("traces", "library"): 15, ("logs", "otlp_http"): 15}
    assert stats["accepted_records"] == stats["committed_records"] == {"traces": 30, "metrics": 0, "logs": 15}
    for client in (span_client, metric_client, log_client):
        client.shutdown()

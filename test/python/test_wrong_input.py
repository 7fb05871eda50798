"""Wrong input through every door: the right answer, nothing stored, nothing crashed."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pyarrow as pa
import pytest

from otlp_arrow import OtlpLibrary, Signal, decode, encode, errors

from support import rows

FIXTURES = Path(__file__).parent.parent / "fixtures"
SIGNALS: tuple[Signal, ...] = ("traces", "metrics", "logs")
SERVICES = {"traces": "trace.v1.TraceService", "metrics": "metrics.v1.MetricsService", "logs": "logs.v1.LogsService"}
PROTOBUF, JSON = "application/x-protobuf", "application/json"
HUGE = 100 << 20

Door = Callable[[Signal, bytes], bool]
"""Sends a request; whether it was answered otherwise than as invalid, for good."""


@pytest.fixture
def listening(directory: Path) -> Iterator[OtlpLibrary]:
    with OtlpLibrary(output_dir=directory, listen={"grpc": "127.0.0.1:0", "http": "127.0.0.1:0"}) as library:
        yield library
        for signal, good in valid().items():
            assert library.export_otlp(signal, good).accepted > 0
            assert len(rows(library, signal)) > 0, "it goes on"


def valid() -> dict[Signal, bytes]:
    return {signal: (FIXTURES / f"{signal}-official.request.binpb").read_bytes() for signal in SIGNALS}


def wrong(signal: Signal) -> Iterator[bytes]:
    """Yield random bytes, and requests that were cut or have a byte changed."""
    good, noise = valid()[signal], random.Random(signal)
    for length in range(1, 40):
        yield noise.randbytes(length)
    yield from (good[:end] for end in range(1, len(good), 6))
    for _ in range(30):
        at = noise.randrange(len(good))
        yield good[:at] + noise.randbytes(1) + good[at + 1 :]


def post(library: OtlpLibrary, signal: Signal, body: bytes, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(library.addresses()["http"], timeout=60)
    try:
        # It may answer before it has read everything.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.request("POST", f"/v1/{signal}", body, {k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def by_call(library: OtlpLibrary) -> Door:
    def send(signal: Signal, request: bytes) -> bool:
        try:
            library.export_otlp(signal, request)
        except errors.InvalidDataError as error:
            return error.retryable
        return True

    return send


def by_http(library: OtlpLibrary) -> Door:
    def send(signal: Signal, request: bytes) -> bool:
        status, _ = post(library, signal, request, content_type=PROTOBUF)
        return status != 400

    return send


def by_grpc(library: OtlpLibrary) -> Door:
    channel = grpc.insecure_channel(library.addresses()["grpc"])

    def send(signal: Signal, request: bytes) -> bool:
        method = channel.unary_unary(f"/opentelemetry.proto.collector.{SERVICES[signal]}/Export")
        try:
            method(request, timeout=60)
        except grpc.RpcError as error:
            return error.code() is not grpc.StatusCode.INVALID_ARGUMENT
        return True

    return send


@pytest.mark.parametrize("door", [by_call, by_http, by_grpc])
@pytest.mark.parametrize("signal", SIGNALS)
def test_noise_and_broken_requests(listening: OtlpLibrary, door: Callable[[OtlpLibrary], Door], signal: Signal) -> None:
    send, kept, refused = door(listening), 0, 0
    for request in wrong(signal):
        try:
            readable = len(read(signal, request))
        except errors.InvalidDataError:
            assert not send(signal, request), request
            refused += 1
        else:
            assert send(signal, request), request
            kept += readable
    assert refused > 50
    assert len(rows(listening, signal)) == kept


def read(signal: Signal, request: bytes) -> list[Any]:
    return pa.table(decode(signal, request)).to_pylist()


@pytest.mark.parametrize("signal", SIGNALS)
def test_broken_json(listening: OtlpLibrary, signal: Signal) -> None:
    good = (FIXTURES / f"{signal}-official.request.json").read_bytes()
    cut = [good[:end] for end in range(0, len(good) - 2, 50)]
    odd = [
        b"[]",
        b"null",
        b'"text"',
        b'{"resourceSpans":{}, "resourceLogs":{}, "resourceMetrics":{}}',
        b"\xff",
        good * 2,
    ]
    for body in [*cut, *odd]:
        with pytest.raises(errors.InvalidDataError):
            decode(signal, body, "json")
        status, answer = post(listening, signal, body, content_type=JSON)
        assert status == 400, body
        assert json.loads(answer)["message"]
    assert rows(listening, signal) == []


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"content_type": "text/plain"}, b"", 415),
        ({}, b"", 415),
        ({"content_type": "application/grpc"}, b"", 415),
        ({"content_type": PROTOBUF, "content_encoding": "br"}, b"", 415),
        ({"content_type": PROTOBUF, "content_encoding": "gzip"}, b"no gzip", 400),
        ({"content_type": PROTOBUF, "content_encoding": "gzip"}, gzip.compress(b"\n\x00" * 9)[:-9], 400),
        ({"content_type": JSON}, b"\n\x00", 400),
        ({"content_type": PROTOBUF}, b'{"resourceSpans":[]}', 400),
        ({"content_type": PROTOBUF}, bytes(HUGE), 413),
        ({"content_type": JSON}, b" " * HUGE, 413),
        ({"content_type": PROTOBUF, "content_encoding": "gzip"}, gzip.compress(bytes(HUGE), 1), 413),
    ],
)
def test_wrong_kinds_of_body(listening: OtlpLibrary, headers: dict[str, str], body: bytes, status: int) -> None:
    for signal in SIGNALS:
        assert post(listening, signal, body, **headers)[0] == status
        assert rows(listening, signal) == []
    assert listening.stats()["buffer_bytes"] == 0


def test_100_mib_over_grpc_and_in_a_call(listening: OtlpLibrary) -> None:
    channel = grpc.insecure_channel(listening.addresses()["grpc"], [("grpc.max_send_message_length", -1)])
    with pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary("/opentelemetry.proto.collector.logs.v1.LogsService/Export")(bytes(HUGE), timeout=60)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "max_body" in refused.value.details()
    for signal in SIGNALS:
        with pytest.raises(errors.TooLargeError, match=r"limits\.max_body") as large:
            listening.export_otlp(signal, bytes(HUGE))
        assert not large.value.retryable
        with pytest.raises(errors.InvalidDataError):
            decode(signal, bytes(HUGE))
    # 50 million empty log records.
    inner = b"\x12\x00" * (HUGE // 2)
    scope = b"\x12" + varint(len(inner)) + inner
    request = b"\n" + varint(len(scope)) + scope
    with pytest.raises(errors.TooLargeError):
        decode("logs", request)
    assert rows(listening, "logs") == []
    assert listening.stats()["buffer_bytes"] == 0


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def test_what_is_no_table(listening: OtlpLibrary) -> None:
    for table in (pa.table({"a": [1]}), pa.table({"trace_id": ["text"]})):
        with pytest.raises(errors.InvalidDataError):
            encode("traces", table)
    for batch in ([None], [1], ["text"], [object()]):
        assert listening.span_exporter().export(batch).name == "FAILURE"  # type: ignore[arg-type]
        assert listening.log_exporter().export(batch).name == "FAILURE"  # type: ignore[arg-type]
    assert listening.metric_exporter().export(object()).name == "FAILURE"  # type: ignore[arg-type]
    for signal in SIGNALS:
        assert rows(listening, signal) == []


@pytest.mark.parametrize(
    "config",
    [
        {"durability": "fast"},
        {"write_interval": "5s"},
        {"buffer": {"max_bytes": 5}},
        {"buffer": {"max_bytes": "5 parsecs"}},
        {"commit_interval": "-1s"},
        {"listen": {"http": "nowhere"}},
        {"listen": {"http": "0.0.0.0:0"}},
        {"limits": {"max_body": "0B"}},
        {"sealing": {"compression": "rar"}},
        {"rotation": []},
        {"forward": {"endpoint": "ftp://x"}},
        {"forward": 7},
        {"bufer": {}},
        {"output_dir": ""},
        {"output_dir": 5},
    ],
)
def test_wrong_configuration(directory: Path, config: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidConfigError) as refused:
        OtlpLibrary(**({"output_dir": directory} | config))
    key = next(iter(config))
    assert key in refused.value.message
    assert not directory.exists()

"""Subscriptions, and forwarding to another library as its destination."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pyarrow as pa
import pytest

from otlp_arrow import Event, ForwarderInfo, OtlpLibrary, Subscription, errors

from sdk_objects import ended_spans
from support import eventually, read_directory, rows


def names(batch: object) -> list[str]:
    return pa.table(batch)["name"].to_pylist()


def take(subscription: Subscription, count: int) -> list[str]:
    found: list[str] = []
    while len(found) < count:
        found += names(next(subscription))
    return found


def test_what_is_committed_comes_in_order_and_waits_for_more(library: OtlpLibrary) -> None:
    first = ended_spans(5)
    library.export_traces(first)
    with library.subscribe("traces", "alerts") as batches:
        assert take(batches, 5) == [span.name for span in first]
        later = ended_spans(3, seed=1)
        threading.Timer(0.2, lambda: library.export_traces(later)).start()
        assert take(batches, 3) == [span.name for span in later]
        assert library.export_logs([]) == (0, 0, "")


def test_what_was_not_acknowledged_comes_again(directory: Path) -> None:
    with OtlpLibrary(output_dir=directory) as library:
        library.export_traces(ended_spans(5))
        with library.subscribe("traces", "alerts") as batches:
            take(batches, 5)
            batches.ack()
            library.export_traces(ended_spans(4))
            take(batches, 4)
    with OtlpLibrary(output_dir=directory) as library, library.subscribe("traces", "alerts") as batches:
        assert len(take(batches, 4)) == 4
        library.export_traces(ended_spans(1, seed=9))
        assert len(take(batches, 1)) == 1


def test_a_new_name_may_begin_now(library: OtlpLibrary) -> None:
    library.export_traces(ended_spans(5))
    with library.subscribe("traces", "later", "now") as batches:
        library.export_traces(ended_spans(2))
        assert len(take(batches, 2)) == 2


def test_a_name_has_one_subscriber(library: OtlpLibrary) -> None:
    with library.subscribe("traces", "alerts"), pytest.raises(errors.UnavailableError):
        library.subscribe("traces", "alerts")
    library.subscribe("traces", "alerts").close()
    with pytest.raises(errors.InvalidConfigError):
        library.subscribe("traces", "../alerts")
    with pytest.raises(errors.InvalidConfigError, match="beginning"):
        library.subscribe("traces", "alerts", "middle")  # type: ignore[arg-type]


@pytest.mark.parametrize("end", ["close", "shutdown"])
def test_a_wait_ends_with_close_and_with_shutdown(library: OtlpLibrary, end: str) -> None:
    subscription = library.subscribe("traces", "alerts")
    found: list[int] = []
    waiting = threading.Thread(target=lambda: found.append(sum(len(names(batch)) for batch in subscription)))
    waiting.start()
    library.export_traces(ended_spans(3))
    subscription.ack()
    waiting.join(0.2)
    assert waiting.is_alive()
    (subscription.close if end == "close" else library.shutdown)()
    waiting.join(100)
    assert not waiting.is_alive()
    assert found[0] in ((3,) if end == "shutdown" else (0, 3))
    with pytest.raises(StopIteration):
        next(subscription)


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[OtlpLibrary]:
    with OtlpLibrary(output_dir=tmp_path / "backend", listen={"grpc": "127.0.0.1:0"}) as library:
        yield library


def test_records_are_forwarded(directory: Path, backend: OtlpLibrary) -> None:
    forward = {"name": "backend", "endpoint": f"http://{backend.addresses()['grpc']}"}
    with OtlpLibrary(output_dir=directory, forward=forward) as library:  # type: ignore[arg-type]
        (forwarder,) = library.forwarders()
        forwarder.pause()
        assert forwarder.info().paused
        library.export_traces(ended_spans(40))
        eventually(lambda: forwarder.info().lag_records == 40)
        assert rows(backend, "traces") == []
        forwarder.resume()
        eventually(lambda: len(rows(backend, "traces")) == 40)
        eventually(lambda: forwarder.info().lag_records == 0)
        assert forwarder.info() == ForwarderInfo("backend", "closed", False, False, 0, 0.0, 0, 0, None)
        assert forwarder.retry_rejected() == (0, 0)
        assert rows(backend, "traces") == rows(library, "traces")


def test_a_destination_that_is_away_is_told_and_nothing_is_lost(directory: Path) -> None:
    events: list[Event] = []
    forward = {
        "endpoint": "http://127.0.0.1:9",
        "retry": {"initial": "1ms", "max": "2ms"},
        "breaker": {"failures": 2, "open": "5m"},
    }
    with OtlpLibrary(output_dir=directory, forward=forward, on_event=events.append) as library:  # type: ignore[arg-type]
        assert library.export_traces(ended_spans(10)).accepted == 10
        opened = eventually(lambda: next((event for event in events if event.name == "breaker_opened"), None))
        assert opened.destination == "default"
        (forwarder,) = library.forwarders()
        info = forwarder.info()
        # For its first minutes a destination that is away is asked again at the ordinary backoff: here, every 2 ms.
        assert info.state in ("open", "half_open")
        assert info.lag_records == 10
        assert info.last_error is not None
        assert library.health()["accepting"]
        assert len(rows(library, "traces")) == 10
        forwarder.reset()


@pytest.mark.skipif(os.name == "nt", reason="a process cannot send another one Ctrl-C there")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_and_drains(tmp_path: Path, ending: signal.Signals) -> None:
    said = tmp_path / "said"
    command = [sys.executable, "-m", "otlp_arrow", "serve", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"]
    with said.open("wb") as out:
        service = subprocess.Popen(command, cwd=tmp_path, stdout=out, stderr=out)
    try:
        found = eventually(lambda: re.search(r"http://127\.0\.0\.1:\d+", said.read_text()))
        with OtlpLibrary(output_dir=tmp_path / "sender", forward={"endpoint": found[0]}) as sender:
            sender.export_traces(ended_spans(6))
            eventually(lambda: sender.forwarders()[0].info().lag_records == 0)
        service.send_signal(ending)
        assert service.wait(100) == 0, said.read_text()
    finally:
        service.kill()
        service.wait(10)
    assert len(read_directory(tmp_path / "output_dir", "traces")) == 6


def test_a_request_that_came_from_here_is_refused_by_a_call_too(directory: Path) -> None:
    vias: list[str] = []

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            vias.append(self.headers["otlp-arrow-via"])
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.end_headers()

    request = bytes.fromhex("0a0d120b12092a070a0568656c6c6f")
    with HTTPServer(("127.0.0.1", 0), Endpoint) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            endpoint = {"endpoint": f"http://127.0.0.1:{server.server_port}", "protocol": "otlp_http"}
            with OtlpLibrary(output_dir=directory, forward=endpoint) as library:
                assert library.export_otlp("logs", request, via="00000000000000aa").accepted == 1
                eventually(lambda: len(vias) > 0)
                first, own = vias[0].split(",")
                assert first == "00000000000000aa"
                for via in (own, f"{own},{first}", ",".join([first] * 17)):
                    with pytest.raises(errors.InvalidDataError, match="loop: "):
                        library.export_otlp("logs", request, via=via)
                assert library.export_otlp("logs", request, via="nonsense").accepted == 1
                assert library.stats()["accepted_records"]["logs"] == 2
        finally:
            server.shutdown()
            thread.join()

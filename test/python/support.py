"""What the tests share besides fixtures."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from otlp_arrow import OtlpLibrary


def rows(library: OtlpLibrary, signal: Any, **options: Any) -> list[dict[str, Any]]:
    """Everything committed, as Python objects, attributes as dicts."""
    found = pa.table(library.read(signal, **options)).to_pylist()
    for row in found:
        if "attributes" in row:
            row["attributes"] = dict(row["attributes"])
    return found


def read_directory(directory: Path, signal: Any) -> list[dict[str, Any]]:
    """What another process finds in a directory."""
    with OtlpLibrary(output_dir=directory) as library:
        return rows(library, signal)


# Nothing takes as long, also where a dozen programs share two cores: who waits in vain is told then.
PATIENCE_SECONDS = 120.0


def eventually(condition: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
    """Wait for a condition, bounded."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {seconds} s: {condition}"
        time.sleep(0.01)
    return found


@contextmanager
def crowded(directory: Path) -> Iterator[tuple[OtlpLibrary, Callable[[], None]]]:
    """Open a library whose room for traces is taken by a body on its way, and a function that gives it back."""
    # With its body a request holds 4 KiB for itself, and its headers.
    length = (3 << 20) - (4 << 10) - 200
    settings: dict[str, Any] = {"buffer": {"max_bytes": "4MiB"}, "listen": {"http": "127.0.0.1:0"}}
    # The body comes to no end as long as the test lasts.
    settings |= {"limits": {"timeout": "10m"}}
    with OtlpLibrary(output_dir=directory, storage={"min_free_bytes": "0B"}, **settings) as library:
        host, port = library.addresses()["http"].split(":")
        with socket.create_connection((host, int(port))) as sender:
            head = "POST /v1/traces HTTP/1.1\r\nhost: t\r\ncontent-type: application/x-protobuf\r\n"
            sender.sendall(f"{head}content-length: {length + 1}\r\n\r\n".encode() + bytes(length))
            eventually(lambda: library.stats()["buffer_bytes"] >= length)
            yield library, sender.close


def refused(library: OtlpLibrary) -> int:
    """How many records were counted as not kept."""
    counters = library.stats()["counters"]
    return sum(one["value"] for one in counters if one["name"] == "otlp_arrow_refused_records_total")


def run_python(code: str, *, env: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    """Run a program in a fresh interpreter; its standard output."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **(env or {})},
        cwd=cwd,
        timeout=PATIENCE_SECONDS,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def serve_requests(command: list[str], paths: list[str], *, cwd: Path, env: dict[str, str] | None = None) -> None:
    """Ask the gunicorn that `command` starts for each path, until it answers; then end it as a supervisor does."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # A worker that is told to end before it listens to signals does not hear it, and gunicorn kills it in the end.
    bind = {"GUNICORN_CMD_ARGS": f"--bind=127.0.0.1:{port} --graceful-timeout=20"}
    server = subprocess.Popen(
        command, cwd=cwd, env={**os.environ, **(env or {}), **bind}, stderr=subprocess.PIPE, text=True
    )

    def answered(path: str) -> bool:
        assert server.poll() is None, "it ended early"
        try:
            # One that is given up would be asked again, and be counted twice.
            urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=PATIENCE_SECONDS).read()
        except OSError:
            return False
        return True

    try:
        for path in paths:
            eventually(lambda path=path: answered(path))  # type: ignore[misc]
    finally:
        server.send_signal(signal.SIGTERM)
        _, log = server.communicate(timeout=PATIENCE_SECONDS)
    assert server.returncode == 0, log

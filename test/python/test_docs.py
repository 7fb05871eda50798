"""The Python snippets of docs/integrations.md, run as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from otlp_arrow import OtlpLibrary

from support import eventually, read_directory, rows, run_python, serve_requests

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "integrations.md"
BLOCKS = re.compile(r"<!-- test: python/(\S+) -->\n```\w+\n(.*?)```", re.DOTALL)
SNIPPETS = dict(BLOCKS.findall(DOCUMENT.read_text(encoding="utf-8")))
TRIED = {
    "open",
    "batch-spans",
    "simple-spans",
    "batch-logs",
    "simple-logs",
    "metrics",
    "instrument",
    "flask",
    "gunicorn",
    "beside",
    "forward",
    "subscribe",
    "append",
}

SPAN = "provider.get_tracer('docs').start_span('hello', attributes={'http.route': '/'}).end()"
LOG = """
from opentelemetry._logs import LogRecord
loggers.get_logger("docs").emit(LogRecord(body="hello"))
"""
COUNT = "meters.get_meter('docs').create_counter('hello').add(2)"


def program(*parts: str) -> str:
    """Snippets by name, other parts as they are."""
    return "\n".join(SNIPPETS.get(part, part) for part in parts)


def test_every_snippet_is_tried() -> None:
    assert set(SNIPPETS) == TRIED


@pytest.mark.parametrize(
    ("name", "use", "kind", "expected"),
    [
        ("batch-spans", SPAN, "traces", {"name": "hello", "attributes": {"http.route": "/"}}),
        ("simple-spans", SPAN, "traces", {"name": "hello", "attributes": {"http.route": "/"}}),
        ("batch-logs", LOG, "logs", {"body": "hello", "scope_name": "docs"}),
        ("simple-logs", LOG, "logs", {"body": "hello", "scope_name": "docs"}),
        ("metrics", COUNT, "metrics", {"metric_name": "hello", "value": 2}),
    ],
)
def test_processors_and_readers(tmp_path: Path, name: str, use: str, kind: str, expected: dict[str, Any]) -> None:
    run_python(program("open", name, use), cwd=tmp_path)
    (row,) = read_directory(tmp_path / "telemetry", kind)
    assert {key: row[key] for key in expected} == expected


def test_flask(tmp_path: Path) -> None:
    app = """
from flask import Flask
app = Flask(__name__)

@app.route("/orders/<int:order>")
def order(order):
    return str(order)
"""
    use = "assert app.test_client().get('/orders/7').text == '7'"
    run_python(program(app, "open", "batch-spans", "flask", use), cwd=tmp_path)
    (span,) = read_directory(tmp_path / "telemetry", "traces")
    assert (span["kind"], span["attributes"]["http.route"]) == ("server", "/orders/<int:order>")


def test_beside_the_stock_exporter(tmp_path: Path) -> None:
    with OtlpLibrary(output_dir=tmp_path / "other", listen={"http": "127.0.0.1:0"}) as other:
        endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{other.addresses()['http']}"}
        run_python(
            program("open", "batch-spans", "provider = TracerProvider()", "beside", SPAN), env=endpoint, cwd=tmp_path
        )
        (theirs,) = rows(other, "traces")
    (ours,) = read_directory(tmp_path / "telemetry", "traces")
    assert ours["name"] == "hello"
    assert ours["span_id"] == theirs["span_id"]


def test_instead_of_the_stock_exporter(tmp_path: Path) -> None:
    with OtlpLibrary(output_dir=tmp_path / "other", listen={"http": "127.0.0.1:0"}) as other:
        env = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{other.addresses()['http']}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        }
        wait = """
import time
end = time.monotonic() + 100
provider.force_flush()
while library.forwarders()[0].info().lag_records and time.monotonic() < end:
    time.sleep(0.01)
"""
        run_python(program("forward", "batch-spans", SPAN, wait), env=env, cwd=tmp_path)
        (span,) = eventually(lambda: rows(other, "traces"))
    assert span["name"] == "hello"


def test_a_custom_exporter(tmp_path: Path) -> None:
    head = """
import threading
import polars

def send(batch):
    print(*polars.DataFrame(batch)["name"])
    threading.Timer(0, library.shutdown).start()

provider.force_flush()
"""
    assert run_python(program("open", "batch-spans", SPAN, head, "subscribe"), cwd=tmp_path) == "hello\n"


def test_a_table_of_elsewhere(tmp_path: Path) -> None:
    made = """
from opentelemetry.trace import Status, StatusCode
tracer = provider.get_tracer("docs")
for name, code in (("fine", StatusCode.OK), ("broken", StatusCode.ERROR)):
    span = tracer.start_span(name)
    span.set_status(Status(code))
    span.end()
provider.shutdown()
library.shutdown()
"""
    run_python(program("open", "simple-spans", made).replace("./telemetry", "./old"), cwd=tmp_path)
    run_python(program("open", "append"), cwd=tmp_path)
    (span,) = read_directory(tmp_path / "telemetry", "traces")
    assert (span["name"], span["status_code"]) == ("broken", "error")


posix = pytest.mark.skipif(os.name == "nt", reason="the commands are for a POSIX shell")
APP = """
import logging, sys
from flask import Flask
app = Flask(__name__)

@app.route("/orders/<int:order>")
def order(order):
    logging.getLogger("app").warning("order %s", order)
    return str(order)

if __name__ == "__main__":
    assert app.test_client().get("/orders/7").text == "7"
"""


def environment(**more: str) -> dict[str, str]:
    scripts = sysconfig.get_path("scripts")
    return {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", **more}


@posix
def test_opentelemetry_instrument(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    done = subprocess.run(
        ["sh", "-euc", SNIPPETS["instrument"]],
        cwd=tmp_path,
        env=environment(OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED="true"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (span,) = read_directory(tmp_path / "telemetry", "traces")
    assert span["attributes"]["http.route"] == "/orders/<int:order>"
    (log,) = [row for row in read_directory(tmp_path / "telemetry", "logs") if row["scope_name"] == "app"]
    assert (log["body"], log["trace_id"]) == ("order 7", span["trace_id"])
    assert read_directory(tmp_path / "telemetry", "metrics")


@posix
def test_gunicorn(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    command = SNIPPETS["gunicorn"].replace("opentelemetry-instrument", "exec opentelemetry-instrument")
    paths = [f"orders/{number}" for number in range(30)]
    serve_requests(["sh", "-euc", command], paths, cwd=tmp_path, env=environment(OTEL_BSP_SCHEDULE_DELAY="50"))
    spans = read_directory(tmp_path / "telemetry", "traces")
    assert len(spans) == 30
    assert {span["attributes"]["http.route"] for span in spans} == {"/orders/<int:order>"}

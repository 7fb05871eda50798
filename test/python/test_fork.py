"""After a fork the child has a writer of its own, and everybody's records are kept."""

from __future__ import annotations

import multiprocessing
import os
import sys
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from otlp_arrow import OtlpLibrary

from support import read_directory, rows, run_python, serve_requests

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

FORKS = """
import multiprocessing, os
from otlp_arrow import OtlpLibrary
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

library = OtlpLibrary(output_dir="telemetry")
provider = TracerProvider()
provider.add_span_processor({processor}(library.span_exporter()))
tracer = provider.get_tracer("t")

def spans(who):
    for i in range(50):
        tracer.start_span(f"{{who}}/{{i}}").end()
    assert provider.force_flush()

def child(number):
    spans(f"child{{number}}")

spans("before")
context = multiprocessing.get_context("fork")
children = [context.Process(target=child, args=(n,)) for n in range(3)]
for process in children:
    process.start()
spans("parent")
for process in children:
    process.join(100)
    assert process.exitcode == 0, process.exitcode
spans("after")
"""


@pytest.mark.parametrize("processor", ["SimpleSpanProcessor", "BatchSpanProcessor"])
def test_multiprocessing_children_keep_their_own(tmp_path: Path, processor: str) -> None:
    run_python(FORKS.format(processor=processor), cwd=tmp_path)
    names = [row["name"] for row in read_directory(tmp_path / "telemetry", "traces")]
    who = ["before", "parent", "after", "child0", "child1", "child2"]
    assert sorted(names) == sorted(f"{w}/{i}" for w in who for i in range(50))


GRANDCHILD = """
import os
from otlp_arrow import OtlpLibrary
import sys; sys.path.insert(0, {here!r})
from sdk_objects import ended_spans

library = OtlpLibrary(output_dir="telemetry")
library.export_traces(ended_spans(1))
first = os.fork()
if first == 0:
    second = os.fork()
    if second == 0:
        library.export_traces(ended_spans(3))
        library.shutdown()
        os._exit(0)
    assert os.waitpid(second, 0)[1] == 0
    library.export_traces(ended_spans(5))
    os._exit(0)
assert os.waitpid(first, 0)[1] == 0
library.export_traces(ended_spans(7))
library.shutdown()
"""


def test_a_child_of_a_child_and_one_that_just_ends(tmp_path: Path) -> None:
    run_python(GRANDCHILD.format(here=str(Path(__file__).parent)), cwd=tmp_path)
    assert len(read_directory(tmp_path / "telemetry", "traces")) == 1 + 3 + 5 + 7


UNUSED = """
import os
from otlp_arrow import OtlpLibrary
library = OtlpLibrary(output_dir="telemetry", listen={"grpc": "127.0.0.1:0", "http": "127.0.0.1:0"})
if os.fork() == 0:
    raise SystemExit(0)
assert os.wait()[1] == 0
library.shutdown()
print(len(list(__import__("pathlib").Path("telemetry/writers").glob("*"))))
"""


def test_a_child_that_records_nothing_leaves_nothing(tmp_path: Path) -> None:
    assert run_python(UNUSED, cwd=tmp_path).strip() == "0"


APP = """
import os
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from otlp_arrow import OtlpLibrary

library = OtlpLibrary(output_dir="telemetry")
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(library.span_exporter(), schedule_delay_millis=50))
tracer = provider.get_tracer("app")
tracer.start_span("loaded").end()
provider.force_flush()

def app(environ, start_response):
    with tracer.start_as_current_span("request", attributes={"path": environ["PATH_INFO"], "pid": os.getpid()}):
        start_response("200 OK", [])
        return [b"ok"]
"""


def test_gunicorn_prefork_workers_keep_their_own(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    command = [sys.executable, "-m", "gunicorn", "--preload", "--workers=3", "app:app"]
    serve_requests(command, [str(number) for number in range(60)], cwd=tmp_path)
    found = read_directory(tmp_path / "telemetry", "traces")
    requests = [row for row in found if row["name"] == "request"]
    assert sorted(int(row["attributes"]["path"][1:]) for row in requests) == list(range(60))
    assert [row["name"] for row in found if row["name"] != "request"] == ["loaded"]


def test_the_parent_reads_what_a_child_keeps(directory: Path) -> None:
    with OtlpLibrary(output_dir=directory) as library:
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(library.span_exporter()))

        def child() -> None:
            provider.get_tracer("t").start_span("child").end()
            provider.force_flush()

        process = multiprocessing.get_context("fork").Process(target=child)
        process.start()
        process.join(100)
        assert process.exitcode == 0
        assert [row["name"] for row in rows(library, "traces")] == ["child"]
        provider.shutdown()


LOCKED = """
import os, signal
from otlp_arrow import OtlpLibrary, _library

library = OtlpLibrary(output_dir="telemetry")
exporter = library.span_exporter()
# As another thread may hold them in the moment of the fork.
with exporter._exports._lock, _library._shared_lock:
    pid = os.fork()
    if pid == 0:
        signal.alarm(100)
        exporter.export([object()])
        exporter.shutdown()
        exporter.export([object()])
        _library.shared({"output_dir": "telemetry"}).shutdown()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
"""


def test_a_lock_that_another_thread_held_does_not_stop_a_child(tmp_path: Path) -> None:
    run_python(LOCKED, cwd=tmp_path)

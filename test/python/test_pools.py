"""Children of process pools keep what they exported or ended, however they are ended."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support import PATIENCE_SECONDS, eventually, read_directory, run_python

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

MODULE = """
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from otlp_arrow import OtlpLibrary

tracers, loggers = TracerProvider(), LoggerProvider()

def setup(processor=BatchSpanProcessor):
    library = OtlpLibrary(output_dir="telemetry")
    tracers.add_span_processor(processor(library.span_exporter()))
    loggers.add_log_record_processor(BatchLogRecordProcessor(library.log_exporter()))

def work(n):
    with tracers.get_tracer("t").start_as_current_span(f"task {n}"):
        for i in range(3):
            tracers.get_tracer("t").start_span(f"step {n} {i}").end()
        loggers.get_logger("t").emit(LogRecord(body=f"log {n}"))
        return n
"""

IN_THE_PARENT = MODULE + "\nsetup()\n"
ENDINGS = {
    "closed": "pool.close(); pool.join()",
    # What leaving the `with` does, as most programs have it: SIGTERM as soon as the last result is there.
    "terminated": "pool.terminate(); pool.join()",
}
POOL = """
if __name__ == "__main__":
    import {context} as context
    context = context.get_context({method!r}) if {method!r} else context
    pool = context.Pool(2{arguments})
    assert sorted(pool.map(work, range(10), chunksize=1)) == list(range(10))
    {ending}
"""
EXECUTOR = """
if __name__ == "__main__":
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    context = multiprocessing.get_context({method!r})
    with ProcessPoolExecutor(2, mp_context=context{arguments}) as pool:
        assert sorted(pool.map(work, range(10))) == list(range(10))
"""


def kept(directory: Path) -> tuple[list[str], list[str]]:
    traces = sorted(row["name"] for row in read_directory(directory, "traces"))
    return traces, sorted(row["body"] for row in read_directory(directory, "logs"))


EVERYTHING = (
    sorted([f"task {n}" for n in range(10)] + [f"step {n} {i}" for n in range(10) for i in range(3)]),
    sorted(f"log {n}" for n in range(10)),
)


def run(program: str, folder: Path) -> None:
    """Run it from a file, which the children of forkserver and spawn load."""
    (folder / "app.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "app.py"], cwd=folder, timeout=PATIENCE_SECONDS, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    ("context", "method"),
    [("multiprocessing", "fork"), ("multiprocessing", "forkserver"), ("multiprocessing", "spawn"), ("billiard", None)],
)
def test_a_pool_keeps_what_its_tasks_ended(tmp_path: Path, context: str, method: str | None, ending: str) -> None:
    arguments = ", maxtasksperchild=2" if ending == "closed" else ""
    program = IN_THE_PARENT + POOL.format(context=context, method=method, arguments=arguments, ending=ENDINGS[ending])
    run(program, tmp_path)
    assert kept(tmp_path / "telemetry") == EVERYTHING


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_an_executor_keeps_what_its_tasks_ended(tmp_path: Path, method: str) -> None:
    run(IN_THE_PARENT + EXECUTOR.format(method=method, arguments=""), tmp_path)
    assert kept(tmp_path / "telemetry") == EVERYTHING


@pytest.mark.parametrize(
    "program",
    [
        POOL.format(context="multiprocessing", method="spawn", arguments=", setup", ending=ENDINGS["terminated"]),
        POOL.format(context="multiprocessing", method="fork", arguments=", setup", ending=ENDINGS["terminated"]),
        POOL.format(context="billiard", method=None, arguments=", setup", ending=ENDINGS["closed"]),
        EXECUTOR.format(method="forkserver", arguments=", initializer=setup"),
        EXECUTOR.format(method="spawn", arguments=", initializer=setup, max_tasks_per_child=1"),
    ],
)
def test_a_library_that_is_opened_in_the_children(tmp_path: Path, program: str) -> None:
    run(MODULE + program, tmp_path)
    assert kept(tmp_path / "telemetry") == EVERYTHING


def test_one_at_a_time_needs_no_help(tmp_path: Path) -> None:
    pool = POOL.format(context="multiprocessing", method="fork", arguments="", ending=ENDINGS["terminated"])
    run(MODULE + "\nsetup(SimpleSpanProcessor)\n" + pool, tmp_path)
    assert kept(tmp_path / "telemetry") == EVERYTHING


ENDED = """
import os, time
from pathlib import Path

def forever(n):
    said = os.open(f"ended {n}", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    with tracers.get_tracer("t").start_as_current_span(f"never {n}"):
        for i in range(10**9):
            name = f"{n} {i}"
            tracers.get_tracer("t").start_span(name).end()
            os.write(said, f"{name}\\n".encode())
            time.sleep(0.002)

if __name__ == "__main__":
    import multiprocessing
    pool = multiprocessing.get_context("fork").Pool(3)
    pool.map_async(forever, range(3))
    while len(list(Path(".").glob("ended *"))) < 3 or min(p.stat().st_size for p in Path(".").glob("ended *")) < 2000:
        time.sleep(0.01)
    pool.terminate()
    pool.join()
"""


def test_terminate_loses_only_what_had_not_ended(tmp_path: Path) -> None:
    run(IN_THE_PARENT + ENDED, tmp_path)
    said = [line for path in tmp_path.glob("ended *") for line in path.read_text().splitlines()]
    assert len(said) > 300
    traces, _ = kept(tmp_path / "telemetry")
    assert len(traces) == len(set(traces))
    assert set(said) <= set(traces)
    # One of each may have been handed over in the moment of the end, and not said.
    assert len(set(traces) - set(said)) <= 3


STORM = """
def storm(n):
    import time
    began = time.perf_counter()
    with tracers.get_tracer("t").start_as_current_span("root"):
        for i in range(2000):
            tracers.get_tracer("t").start_span("inner").end()
    return time.perf_counter() - began

if __name__ == "__main__":
    import multiprocessing
    with multiprocessing.get_context("fork").Pool(1) as pool:
        print(pool.map(storm, [0]))
"""


def test_a_task_with_very_many_spans_keeps_them_all(tmp_path: Path) -> None:
    run(IN_THE_PARENT + STORM, tmp_path)
    assert len(kept(tmp_path / "telemetry")[0]) == 2001


WRAPPED = """
class Renaming:
    def __init__(self, exporter):
        self.exporter = exporter
    def export(self, spans):
        return self.exporter.export(list(spans))
    def shutdown(self):
        self.exporter.shutdown()
    def force_flush(self, timeout_millis=0):
        return True

class Subclass(BatchSpanProcessor):
    def on_end(self, span):
        super().on_end(span)

library = OtlpLibrary(output_dir="telemetry")
tracers.add_span_processor(Subclass(Renaming(library.span_exporter())))
loggers.add_log_record_processor(BatchLogRecordProcessor(library.log_exporter()))
"""


def test_an_exporter_behind_another_and_a_processor_of_their_own(tmp_path: Path) -> None:
    pool = POOL.format(context="multiprocessing", method="fork", arguments="", ending=ENDINGS["terminated"])
    run(MODULE + WRAPPED + pool, tmp_path)
    assert kept(tmp_path / "telemetry") == EVERYTHING


NO_ROOM = """
import time

def timed(n):
    began = time.perf_counter()
    for i in range(300):
        tracers.get_tracer("t").start_span("s").end()
    return time.perf_counter() - began

open("file", "w").write("x")
library = OtlpLibrary(output_dir="file/telemetry")
tracers.add_span_processor(BatchSpanProcessor(library.span_exporter()))

if __name__ == "__main__":
    import multiprocessing
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert max(pool.map(timed, range(4), chunksize=1)) < 15  # 30 s, if each span were waited for
"""


def test_a_task_is_not_held_up_by_a_directory_that_is_not_there(tmp_path: Path) -> None:
    run(MODULE + NO_ROOM, tmp_path)


METRICS = """
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

library = OtlpLibrary(output_dir="telemetry")
meters = MeterProvider([PeriodicExportingMetricReader(library.metric_exporter())])
counter = meters.get_meter("m").create_counter("tasks")

def count(n):
    counter.add(1)

if __name__ == "__main__":
    import multiprocessing
    process = multiprocessing.get_context("forkserver").Process(target=count, args=(1,))
    process.start()
    process.join(100)
    assert process.exitcode == 0
"""


def test_a_child_that_ends_by_itself_keeps_its_metrics(tmp_path: Path) -> None:
    run(MODULE + METRICS, tmp_path)
    assert "tasks" in {row["metric_name"] for row in read_directory(tmp_path / "telemetry", "metrics")}


def test_a_child_that_records_nothing_leaves_nothing(tmp_path: Path) -> None:
    program = POOL.format(context="multiprocessing", method="fork", arguments="", ending=ENDINGS["closed"])
    run(IN_THE_PARENT + program.replace("(work,", "(abs,"), tmp_path)
    assert not list((tmp_path / "telemetry" / "writers").glob("*"))


CELERY = (
    IN_THE_PARENT
    + """
from celery import Celery

app = Celery("app", broker="filesystem://")
app.conf.broker_transport_options = {"data_folder_in": "queue", "data_folder_out": "queue", "control_folder": "control"}
app.conf.worker_hijack_root_logger = False

@app.task
def task(n):
    work(n)
    with open(f"done {n}", "w"):
        pass
"""
)


@pytest.mark.skipif(importlib.util.find_spec("celery") is None, reason="celery is not there")
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_celery_prefork_workers_keep_what_their_tasks_ended(tmp_path: Path, end: Any) -> None:
    (tmp_path / "app.py").write_text(CELERY)
    (tmp_path / "queue").mkdir()
    (tmp_path / "control").mkdir()
    command = [sys.executable, "-m", "celery", "-A", "app", "worker", "--pool=prefork", "--concurrency=2"]
    command += ["--max-tasks-per-child=3", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    with (tmp_path / "log").open("w") as log:
        worker = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log, start_new_session=True)
    try:
        run_python("from app import task\nfor n in range(10): task.delay(n)", cwd=tmp_path)
        eventually(lambda: len(list(tmp_path.glob("done *"))) == 10)
    finally:
        if end == signal.SIGKILL:
            os.killpg(worker.pid, end)
        else:
            worker.send_signal(end)
        worker.wait(PATIENCE_SECONDS)
    assert kept(tmp_path / "telemetry") == EVERYTHING, (tmp_path / "log").read_text()

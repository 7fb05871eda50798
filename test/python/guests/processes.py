"""Workers, pools, forks, notebooks, tools: what is not a server."""

from __future__ import annotations

import json

from guest import LIBRARY, Program

SPAN = """
from opentelemetry import trace
def span(name):
    trace.get_tracer("app").start_span(name).end()
"""
CELERY = (
    SPAN
    + """
import os
from celery import Celery
folder = os.environ["BROKER"]
for name in ("q", "done"):
    os.makedirs(os.path.join(folder, name), exist_ok=True)
app = Celery("tasks", broker="filesystem://", backend="file://" + os.path.join(folder, "done"))
queue = folder + "/q"
app.conf.broker_transport_options = {"data_folder_in": queue, "data_folder_out": queue, "control_folder": folder}

@app.task
def add(a, b):
    span("inner")
    if b == 0:
        raise ValueError("zero")
    return a + b
"""
)
SENDS = """
from tasks import add
sent = [add.delay(n, n) for n in range(6)]
print([one.get(timeout=60, propagate=False).__repr__() for one in sent])
"""
POOLS = (
    SPAN
    + """
import multiprocessing as mp, sys
from concurrent.futures import ProcessPoolExecutor
def work(n):
    span("work")
    if n == 3:
        raise ValueError(n)
    return n * n
def ends(code):
    span("process")
    sys.exit(code)
if __name__ == "__main__":
    span("main")
    context = mp.get_context(sys.argv[1])
    with context.Pool(2, maxtasksperchild=2) as pool:
        print(pool.map(work, [0, 1, 2, 4, 5, 6]))
        pool.close()
        pool.join()
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        futures = [executor.submit(work, n) for n in range(4)]
        print([repr(future.exception() or future.result()) for future in futures])
    child = context.Process(target=ends, args=(5,))
    child.start()
    child.join()
    print(child.exitcode)
    sys.exit(3)
"""
)
LOKY = (
    SPAN
    + """
import sys
from joblib import Parallel, delayed
def work(n):
    span("work")
    return n * n
if __name__ == "__main__":
    span("main")
    print(Parallel(n_jobs=2)(delayed(work)(n) for n in range(8)))
    sys.exit(3)
"""
)
HUEY = (
    SPAN
    + """
from huey import SqliteHuey
huey = SqliteHuey(filename="queue.db")
@huey.task()
def add(a, b):
    span("inner")
    return a + b
"""
)
HUEY_SENDS = """
from tasks import add
sent = [add(n, n) for n in range(6)]
print([one.get(blocking=True, timeout=60) for one in sent])
"""
DAEMON = (
    SPAN
    + """
import os, sys, signal, time
span("parent")
out = os.environ["OUT"]
first = os.fork()
if first == 0:
    os.setsid()
    if os.fork() == 0:
        os.chdir("/")
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        span("daemon")
        task = os.fork()
        if task == 0:
            span("task")
            # As airflow ends its tasks.
            trace.get_tracer_provider().force_flush() if hasattr(trace.get_tracer_provider(), "force_flush") else None
            os._exit(4)
        _, status = os.waitpid(task, 0)
        with open(out + ".new", "w") as file:
            file.write(str(os.waitstatus_to_exitcode(status)))
        os.rename(out + ".new", out)
        sys.exit(0)
    os._exit(0)
os.waitpid(first, 0)
end = time.monotonic() + 60
while not os.path.exists(out) and time.monotonic() < end:
    time.sleep(0.01)
print("task", open(out).read())
sys.exit(2)
"""
)

TESTS = (
    SPAN
    + """
import os, signal, subprocess, sys, pytest

def test_passes(capfd):
    span("passes")
    print("captured")
    assert capfd.readouterr().out == "captured\\n"

def test_fails():
    span("fails")
    assert 1 == 2

def test_child():
    assert subprocess.run([sys.executable, "-c", "print(1)"], capture_output=True, check=True).stdout == b"1\\n"

@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_fork():
    child = os.fork()
    if child == 0:
        span("forked")
        os._exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
"""
)


def notebook(*cells: str) -> str:
    made = [{"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "id": f"c{n}", "source": cell}
            for n, cell in enumerate(cells)]  # fmt: skip
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


PROCESSES = [
    *(
        Program(
            f"multiprocessing and ProcessPoolExecutor, {way}",
            [],
            {"app.py": POOLS},
            ["python", "app.py", way],
            scopes={"app"},
            least=1 + 10 + 1,
        )
        for way in ("fork", "forkserver", "spawn")
    ),
    *(
        Program(
            f"celery, {pool}",
            ["celery>=5.5", "opentelemetry-instrumentation-celery"],
            {"tasks.py": CELERY, "send.py": SENDS},
            [
                "sh",
                "-c",
                f"celery -A tasks worker --pool {pool} -c 2 --loglevel ERROR & worker=$!; python send.py; "
                "kill -TERM $worker; wait $worker; echo worker $?",
            ],
            env={"BROKER": "{folder}/broker"},
            scopes={"app", "opentelemetry.instrumentation.celery"},
            least=12,
            # The banner of the worker, and that we are root here.
            steady=[
                (r"^.*(?:transport|results|concurrency|app):.*$|^.*celery@.*$|^Linux.*$", ""),
                (r"add\[[^]]+\]", "add[<id>]"),
                # Whichever worker of the pool is free takes a task.
                (r"PoolWorker-\d+", "PoolWorker"),
            ],
            unordered=True,
            cleanup=["broker"],
        )
        for pool in ("prefork", "solo", "threads")
    ),
    Program(
        "joblib, whose workers are of loky",
        ["joblib"],
        {"app.py": LOKY},
        ["python", "app.py"],
        scopes={"app"},
        least=1 + 8,
    ),
    *(
        Program(
            f"huey, {kind}",
            ["huey"],
            {"tasks.py": HUEY, "send.py": HUEY_SENDS},
            [
                "sh",
                "-c",
                f"huey_consumer tasks.huey -k {kind} -w 2 & worker=$!; python send.py; "
                "kill -TERM $worker; wait $worker; echo worker $?",
            ],
            scopes={"app"},
            least=6,
            steady=[(r"Worker-\d+", "Worker")],
            unordered=True,
            cleanup=["queue.db", "queue.db-shm", "queue.db-wal"],
        )
        for kind in ("process", "thread")
    ),
    *(
        Program(
            name,
            ["pytest>=8", "pytest-xdist"],
            {"test_it.py": TESTS},
            ["pytest", "-p", "no:cacheprovider", "-q", "-W", "error", "--tb=line", *arguments],
            scopes={"app"},
            least=2,
            # Workers end their tests in any order.
            # Which of the workers has the test that fails is nobody's choice.
            steady=[(r"\[gw\d\] linux -- Python .*", "[gw] linux")],
            unordered=bool(arguments),
        )
        for name, arguments in (("pytest", []), ("pytest, two workers of xdist", ["-n", "2"]))
    ),
    Program(
        "a notebook of jupyter",
        ["ipykernel", "nbclient", "nbformat"],
        {
            "note.ipynb": notebook(LIBRARY + SPAN, "span('cell'); print(6 * 7)", "1 / 0"),
            "run.py": """
import nbformat, sys
from nbclient import NotebookClient
book = nbformat.read("note.ipynb", 4)
NotebookClient(book, kernel_name="python3", allow_errors=True).execute()
for cell in book.cells:
    for output in cell.outputs:
        print(output.get("text") or output.get("ename"))
sys.exit(2)
""",
        },
        ["python", "run.py"],
        zero_code=False,
        scopes={"app"},
        least=1,
    ),
    Program(
        "asyncio",
        ["httpx", "opentelemetry-instrumentation-asyncio"],
        {
            "app.py": SPAN
            + """
import asyncio, os, signal, sys
async def main():
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    server = await asyncio.start_server(lambda r, w: (w.write(b"hi"), w.close()), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    print(await reader.read())
    writer.close()
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", "import sys; sys.exit(4)")
    print(await child.wait())
    print(await asyncio.gather(asyncio.to_thread(sum, [1, 2]), asyncio.sleep(0.01, "slept")))
    span("done")
    os.kill(os.getpid(), signal.SIGTERM)
    await stop.wait()
    server.close()
    return 6
sys.exit(asyncio.run(main()))
"""
        },
        ["python", "-X", "dev", "app.py"],
        scopes={"app"},
        least=1,
        # Of the development mode, about files of others.
        steady=[(r"^.*(?:Warning|import |from ).*$", "")],
    ),
    Program(
        "a tool made with click",
        ["click>=8", "opentelemetry-instrumentation-click"],
        {
            "tool.py": """
import click
@click.group()
def tool(): pass
@tool.command()
@click.argument("name")
@click.option("--times", default=1)
def greet(name, times):
    for _ in range(times):
        click.echo(f"hello {name}")
    raise click.exceptions.Exit(3)
if __name__ == "__main__":
    tool()
"""
        },
        ["python", "tool.py", "greet", "you", "--times=2"],
        scopes={"opentelemetry.instrumentation.click"},
        least=1,
    ),
    Program(
        "a daemon by two forks, whose task is a fork, as of airflow",
        [],
        {"app.py": DAEMON},
        ["python", "app.py"],
        env={"OUT": "{folder}/out"},
        scopes={"app"},
        least=3,
        cleanup=["out"],
    ),
    Program(
        "PyInstaller",
        ["pyinstaller>=6"],
        {"app.py": LIBRARY + SPAN + "span('frozen')\nprint('frozen', 6 * 7)\nraise SystemExit(5)\n"},
        ["{folder}/dist/app/app"],
        zero_code=False,
        long=True,
        build=[
            "pyinstaller",
            "--log-level=ERROR",
            "--noconfirm",
            "--copy-metadata=opentelemetry-api",
            "--copy-metadata=opentelemetry-sdk",
            "--collect-all=opentelemetry",
            "--collect-all=otlp_arrow",
            "app.py",
        ],
        scopes={"app"},
        least=1,
    ),
]

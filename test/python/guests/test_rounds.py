"""A request, a fork, a signal and a full disk at once, in seeded rounds: the program's own result is that without us.

npm run test:long -- rounds                                    a thousand rounds
ROUNDS=1 ROUNDS_SEED=42 pytest ../test/python/guests/test_rounds.py
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue

import pytest

ROUNDS = int(os.environ.get("ROUNDS", "8"))
FIRST_SEED = int(os.environ.get("ROUNDS_SEED", "1" if "ROUNDS" in os.environ else str(os.getpid())))
# A program whose disk is full waits for seconds at its end.
AT_ONCE = min(ROUNDS, 8)
KIB = 1024
VOLUME_KIB = 2048
# It and its child may each wait for room at their ends, on a machine that is busy.
STUCK_SECONDS = 60

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals and forks of POSIX")


@dataclass(frozen=True)
class Round:
    """What one round is made of; the program is given it as JSON."""

    # Requests that are answered before the end, each with as many spans of so many bytes; and those under way at it.
    requests: int
    spans: int
    size: int
    open: int
    processor: str
    fork: str
    child_stays: bool
    child_ends: str
    end: str
    signal: str
    handler: str
    disk: str
    free_kib: int
    reserve: str
    delay_ms: int
    durability: str

    @staticmethod
    def of(seed: int, volume: bool) -> Round:
        pick = random.Random(seed).choice
        return Round(
            requests=pick([0, 1, 2, 3]),
            spans=pick([1, 20, 300]),
            size=pick([10, 1_000]),
            open=pick([0, 1, 2]),
            processor=pick(["batch", "batch", "simple"]),
            fork=pick(["none", "fork", "double", "multiprocessing", "exec"]),
            child_stays=pick([True, False]),
            child_ends=pick(["_exit", "exit", "signal"]),
            end=pick(["signal", "signal", "signal", "exit", "raise", "kill itself", "return"]),
            signal=pick(["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGQUIT"]),
            handler=pick(["none", "drains", "exits", "again", "raises", "ignored"]),
            disk=pick(["volume", "limit"] if volume else ["limit"]),
            free_kib=pick([0, 4, 12, 40, 200, 1_000]),
            reserve=pick(["0B", "64KiB", "1MiB"]),
            delay_ms=pick([1, 50, 5_000]),
            durability=pick(["buffered", "synced"]),
        )


# What it says is decided by the round alone, whatever the order of events within it.
PROGRAM = r"""
import http.client, json, multiprocessing, os, signal, subprocess, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
round = json.loads(os.environ["ROUND"])
SIGNAL = getattr(signal, round["signal"])

def record():
    pass

if "RECORDED" in os.environ:
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
    from otlp_arrow import OtlpLibrary
    library = OtlpLibrary()
    provider = TracerProvider()
    exporter = library.span_exporter()
    batch = round["processor"] == "batch"
    provider.add_span_processor(
        BatchSpanProcessor(exporter, schedule_delay_millis=round["delay_ms"])
        if batch
        else SimpleSpanProcessor(exporter)
    )
    trace.set_tracer_provider(provider)
    tracer = trace.get_tracer("round")

    def record():
        for n in range(round["spans"] if batch else min(round["spans"], 3)):
            tracer.start_span("work", attributes={"n": n, "text": "x" * round["size"]}).end()

if len(sys.argv) > 1:
    record()
    print("child", flush=True)
    sys.exit(5)

release = threading.Event()
opened = threading.Semaphore(0)

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        record()
        if self.path == "/open":
            opened.release()
            release.wait()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok " + self.path.encode())

    def log_message(self, *words):
        pass

class Server(ThreadingHTTPServer):
    daemon_threads = True

server = Server(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()

def ask(path):
    connection = http.client.HTTPConnection(*server.server_address, timeout=50)
    connection.request("GET", path)
    return connection.getresponse().read().decode()

answers = []
asking = [threading.Thread(target=lambda: answers.append(ask("/open")), daemon=True) for _ in range(round["open"])]

def drain(code):
    release.set()
    for thread in asking:
        thread.join()
    print("drained", answers, flush=True)
    sys.exit(code)

def on_signal(number, frame):
    print(round["handler"], flush=True)
    if round["handler"] == "drains":
        drain(3)
    if round["handler"] == "exits":
        sys.exit(6)
    if round["handler"] == "raises":
        raise RuntimeError("of the program")
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)

# A shell has some ignored by what it starts in the background.
signal.signal(SIGNAL, signal.SIG_DFL)
if round["handler"] == "ignored":
    signal.signal(SIGNAL, signal.SIG_IGN)
elif round["handler"] != "none":
    signal.signal(SIGNAL, on_signal)
for number in range(round["requests"]):
    print(ask(f"/{number}"), flush=True)
for thread in asking:
    thread.start()
for thread in asking:
    opened.acquire()

def child_ends():
    record()
    if round["child_stays"]:
        # Before it says that it is up: from then on it may be told to end.
        signal.signal(SIGNAL, signal.SIG_DFL)
        os.write(up_of_child, b"u")
        os.read(stay, 1)
        os._exit(0)
    if round["child_ends"] == "_exit":
        os._exit(5)
    if round["child_ends"] == "signal":
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
    sys.exit(5)

up, up_of_child = os.pipe()
# Ends with the parent, whatever ends that.
stay, held = os.pipe()
if round["fork"] in ("fork", "double"):
    child = os.fork()
    if child == 0:
        os.close(held)
        if round["fork"] == "double":
            os.setsid()
            grandchild = os.fork()
            if grandchild != 0:
                os._exit(os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1]) & 0xFF)
        child_ends()
    if round["child_stays"]:
        os.read(up, 1)
    else:
        print("child ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
elif round["fork"] == "multiprocessing":
    def work():
        os.close(held)
        child_ends()
    process = multiprocessing.get_context("fork").Process(target=work, daemon=True)
    process.start()
    if round["child_stays"]:
        os.read(up, 1)
    else:
        process.join()
        print("child ended", process.exitcode, flush=True)
elif round["fork"] == "exec":
    print("child ended", subprocess.run([sys.executable, sys.argv[0], "child"]).returncode, flush=True)
record()
end = round["end"]
if end == "exit":
    sys.exit(4)
if end == "raise":
    raise RuntimeError("of the program")
if end == "return":
    drain(0)
if end == "kill itself":
    os.kill(os.getpid(), SIGNAL)
if end == "signal":
    print("up", flush=True)
if round["handler"] == "ignored":
    if end == "signal":
        sys.stdin.read()
    print("ignored", flush=True)
    sys.exit(7)
while True:
    # Not pause: a signal that comes right before it is not handled until the next one.
    time.sleep(0.02)
"""


@dataclass(frozen=True)
class Place:
    """A folder for one round at a time, on a small volume of its own where we may make one."""

    folder: Path
    volume: bool


@pytest.fixture
def places() -> Iterator[list[Place]]:
    made = []
    for _ in range(AT_ONCE):
        folder = Path(tempfile.mkdtemp(prefix="otlp-arrow-rounds-"))
        mount = ["mount", "-t", "tmpfs", "-o", f"size={VOLUME_KIB}k", "tmpfs", folder]
        try:
            # Only root may; others have a limit of the size of files, which is as full.
            volume = subprocess.run(mount, capture_output=True, check=False).returncode == 0
        except OSError:
            volume = False
        made.append(Place(folder, volume))
    yield made
    for place in made:
        if place.volume:
            subprocess.run(["umount", "--lazy", place.folder], check=True)
        shutil.rmtree(place.folder, ignore_errors=True)


@dataclass(frozen=True)
class Result:
    code: int
    stdout: str
    #: Errors of the program itself.
    errors: list[str]


def one(made: Round, program: Path, place: Place, recorded: bool) -> tuple[Result, str]:
    """One run. The disk has as much room as the round says for both, though only one writes."""
    output_dir, filler = place.folder / "out", place.folder / "filler"
    shutil.rmtree(output_dir, ignore_errors=True)
    filler.unlink(missing_ok=True)
    output_dir.mkdir()
    if made.disk == "volume":
        filler.write_bytes(bytes((VOLUME_KIB - made.free_kib - 64) * KIB))
    limit = f"ulimit -c 0; ulimit -f {2 * made.free_kib};" if made.disk == "limit" else "ulimit -c 0;"
    env = {
        **os.environ,
        "ROUND": json.dumps(asdict(made)),
        "OTLP_ARROW_OUTPUT_DIR": str(output_dir),
        "OTLP_ARROW_STORAGE__MIN_FREE_BYTES": made.reserve,
        "OTLP_ARROW_DURABILITY": made.durability,
        **({"RECORDED": "1"} if recorded else {}),
    }
    child = subprocess.Popen(
        ["sh", "-c", f'{limit} exec "$@"', "sh", sys.executable, str(program)],
        env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert child.stdin
    assert child.stdout
    assert child.stderr
    stuck = threading.Timer(STUCK_SECONDS, lambda: os.killpg(child.pid, signal.SIGKILL))
    stuck.start()
    lines: SimpleQueue[bytes] = SimpleQueue()
    reader = threading.Thread(target=lambda pipe=child.stderr: lines.put(pipe.read()), daemon=True)
    reader.start()
    stdout = ""
    for line in iter(child.stdout.readline, b""):
        stdout += line.decode()
        if line == b"up\n":
            child.send_signal(getattr(signal, made.signal))
            child.stdin.close()
    code = child.wait()
    stuck.cancel()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    with contextlib.suppress(OSError):
        child.stdin.close()
    stderr = lines.get(timeout=STUCK_SECONDS).decode()
    child.stdout.close()
    reader.join()
    child.stderr.close()
    errors = [line for line in stderr.splitlines() if re.match(r"(?:\w+\.)*\w*(?:Error|Interrupt|Exit)\b", line)]
    return Result(code, stdout, errors), stderr


def test_rounds(places: list[Place], tmp_path: Path) -> None:
    program = tmp_path / "round.py"
    program.write_text(PROGRAM)
    seeds: SimpleQueue[int] = SimpleQueue()
    for seed in range(FIRST_SEED, FIRST_SEED + ROUNDS):
        seeds.put(seed)
    wrong: list[str] = []

    def work(place: Place) -> None:
        while not seeds.empty() and len(wrong) < 5:
            seed = seeds.get()
            made = Round.of(seed, place.volume)
            plain, _ = one(made, program, place, False)
            recorded, stderr = one(made, program, place, True)
            if recorded != plain:
                wrong.append(f"seed {seed}: {made}\nwithout us {plain}\nwith us {recorded}\n{stderr[-2000:]}")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(work, places))
    assert not wrong, "\n\n".join(wrong)


SHORT = """
import sys
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from otlp_arrow import OtlpLibrary
# The provider hears of the end before us: it is made later.
exporter = OtlpLibrary().span_exporter()
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=20_000))
for n in range(300):
    provider.get_tracer("short").start_span("work", attributes={"text": "x" * 1000}).end()
sys.exit(5)
"""


def test_a_program_that_ends_before_its_first_export_is_not_held_up_by_a_full_disk(tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", 'ulimit -f 8; exec "$@"', "sh", sys.executable, "-c", SHORT],
        env={**os.environ, "OTLP_ARROW_OUTPUT_DIR": str(tmp_path), "OTLP_ARROW_STORAGE__MIN_FREE_BYTES": "0B"},
        # It was the thirty seconds for which the SDK waits; five are promised.
        timeout=25,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 5, done.stderr
    assert b"not kept" in done.stderr

"""Other people's programs, alone, with OpenTelemetry and with us: they may not differ but by what is recorded."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_SECONDS = 90.0
# The zero-code entry of OpenTelemetry for Python.
INSTRUMENT = "opentelemetry-instrument"
ZERO_CODE = ["opentelemetry-distro>=0.65b0", "opentelemetry-sdk>=1.44,<2"]


# A program that sets the SDK up itself, where it is told to, and opens the library, where it is told a directory.
LIBRARY = """
import os
if "WITH_SDK" in os.environ:
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    provider = TracerProvider()
    if "OTLP_ARROW_OUTPUT_DIR" in os.environ:
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from otlp_arrow import OtlpLibrary
        library = OtlpLibrary()
        provider.add_span_processor(BatchSpanProcessor(library.span_exporter()))
    trace.set_tracer_provider(provider)
"""


class Way(Enum):
    """How a program is run."""

    ALONE = "alone"
    #: With the zero-code entry and its exporters `none`, or the SDK without an exporter.
    STOCK = "with OpenTelemetry alone"
    OURS = "with us"


class NotHereError(Exception):
    """What cannot be had on this machine."""


@dataclass(frozen=True)
class Program:
    """A program, and what a person does with it."""

    name: str
    #: From PyPI; the first one is the program, unless it is Python's own.
    packages: list[str]
    files: dict[str, str]
    #: `{port}` is a free one; the words are looked up in the environment of the guests.
    command: list[str]
    #: Whether it is started through the zero-code entry; otherwise its code sets the SDK up and opens the library.
    zero_code: bool = True
    drive: Callable[[Session], None] | None = None
    env: dict[str, str] = field(default_factory=dict)
    #: Scopes of which spans are kept, and how many spans at least.
    scopes: set[str] = field(default_factory=set)
    least: int = 0
    #: Replaced in what it said, beside times, ports and numbers of processes.
    steady: list[tuple[str, str]] = field(default_factory=list)
    #: Whether lines come in any order, as those of several processes do.
    unordered: bool = False
    #: Why the zero-code entry changes what it says, whatever the exporter: it is to say with us what it says with that.
    like_stock: str = ""
    #: Removed before each start.
    cleanup: list[str] = field(default_factory=list)
    #: Takes a minute, and so is tried in the long run only.
    long: bool = False
    #: Built once, before the first start.
    build: list[str] = field(default_factory=list)


@dataclass
class Outcome:
    """What is seen of a program from outside."""

    code: int
    stdout: str
    stderr: str
    notes: list[str]


class Guests:
    """A virtual environment with a program and its instrumentations only, as its users have, and our package in it."""

    def __init__(self, folder: Path, packages: Iterable[str]) -> None:
        self.bin = folder / "bin"
        python = self.bin / "python"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
        wanted = sorted({*ZERO_CODE, *packages})
        done = subprocess.run([*pip, "install", "--quiet", *wanted], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            reason = done.stderr.strip().splitlines()[-1:]
            message = f"the packages cannot be installed here: {reason}"
            raise NotHereError(message)
        where = "import sysconfig; print(sysconfig.get_path('purelib'))"
        site = Path(subprocess.run([python, "-c", where], capture_output=True, text=True, check=True).stdout.strip())
        (site / "otlp_arrow").symlink_to(ROOT / "python/src/otlp_arrow")
        for metadata in Path(sysconfig.get_path("purelib")).glob("otlp_arrow-*.dist-info"):
            (site / metadata.name).symlink_to(metadata)

    def version(self, package: str) -> str:
        name = re.split(r"[^\w.-]", package)[0]
        code = f"import importlib.metadata as m; print(m.version({name!r}))"
        done = subprocess.run([self.bin / "python", "-c", code], capture_output=True, text=True, check=True)
        return done.stdout.strip()


class Environments:
    """One for each set of packages; pip's own cache of wheels makes the next one quick."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[frozenset[str], Guests] = {}

    def of(self, program: Program) -> Guests:
        packages = frozenset(program.packages)
        if packages not in self._made:
            self._made[packages] = Guests(self._folder / str(len(self._made)), packages)
        return self._made[packages]


class Session:
    """What a test does with a program that is up."""

    def __init__(self, child: subprocess.Popen[bytes], port: int, recorded: Callable[[], bool]) -> None:
        self.child = child
        self.port = port
        self.notes: list[str] = []
        #: Seconds that the test itself took, and the program did not.
        self.waited = 0.0
        self.text = {"stdout": "", "stderr": ""}
        self._recorded = recorded
        self._read = 0
        self._news = threading.Condition()
        self._open = 2
        self._readers = [
            threading.Thread(target=self._hear, args=(name, getattr(child, name)), daemon=True) for name in self.text
        ]
        for reader in self._readers:
            reader.start()

    def _hear(self, name: str, pipe: object) -> None:
        for line in iter(pipe.readline, b""):  # type: ignore[attr-defined]
            with self._news:
                self.text[name] += line.decode(errors="replace")
                self._news.notify_all()
        with self._news:
            self._open -= 1
            self._news.notify_all()

    def until(self, pattern: str) -> re.Match[str]:
        """Wait until one of its outputs says so."""
        found: re.Match[str] | None = None

        def said() -> bool:
            nonlocal found
            found = re.search(pattern, self.text["stdout"]) or re.search(pattern, self.text["stderr"])
            return found is not None or self._open == 0

        with self._news:
            self._news.wait_for(said, PATIENCE_SECONDS)
        assert found is not None, f"it did not say {pattern}, but: {self.text}"
        return found

    def get(self, path: str, shown: Callable[[str], str] = lambda body: body) -> None:
        """Ask for a path as soon as it answers, and note what comes back."""
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as response:
                    self.notes.append(f"{path} {response.status} {shown(response.read().decode())}")
                    return
            except urllib.error.HTTPError as error:
                self.notes.append(f"{path} {error.code}")
                return
            except OSError:
                assert self.child.poll() is None, f"it ended early: {self.text}"
                assert time.monotonic() < end, f"it does not answer: {self.text}"
                time.sleep(0.02)

    def kept(self) -> None:
        """Wait until what was recorded is on disk: what a processor holds is lost where a signal ends the program."""
        started = time.monotonic()
        while not self._recorded():
            assert time.monotonic() < started + PATIENCE_SECONDS, f"nothing is kept: {self.text}"
            time.sleep(0.1)
        self.waited += time.monotonic() - started

    def end(self, number: int = signal.SIGTERM) -> None:
        self.child.send_signal(number)

    def finish(self) -> tuple[int, str, str]:
        code = self.child.wait(PATIENCE_SECONDS)
        # Children that outlive it hold its outputs.
        for reader in self._readers:
            reader.join(10)
        return code, self.text["stdout"], self.text["stderr"]


PER_RUN = [
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?: ?[+-]\d\d:?\d\d)?Z?", "<time>"),
    (r"\d\d/\w{3}/\d{4}[: ]\d\d:\d\d:\d\d(?: [+-]\d{4})?", "<time>"),
    # What pytest adds to what took longer than a minute.
    (r" \(\d+:\d\d:\d\d\)", ""),
    (r"\b\d{1,2}:\d\d:\d\d\b", "<time>"),
    (r"\w{3} \w{3} +\d+ <time> \d{4}|\w+ \d\d, \d{4} - <time>", "<time>"),
    (r"\b\d+(?:\.\d+)? ?(?:ms|s|msecs|seconds)\b", "<duration>"),
    (r"\[\d+\]|\bpid[:= ]+\d+|process \[?\d+\]?|0x[0-9a-f]+", "<id>"),
    (r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "<id>"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:<port>"),
    (r"\b\d{3,}\b", "<number>"),
]


def steady(text: str, program: Program, folder: Path, port: int) -> str:
    clean = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace(str(folder), "<folder>").replace(str(port), "<port>")
    for pattern, by in [*PER_RUN, *program.steady]:
        clean = re.sub(pattern, by, clean, flags=re.MULTILINE)
    lines = [line.rstrip() for line in clean.splitlines() if line.strip()]
    return "\n".join(sorted(lines) if program.unordered else lines)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(
    program: Program, guests: Guests, folder: Path, way: Way, output_dir: Path, recorded: Callable[[], bool]
) -> tuple[Outcome, float]:
    """One run to its end, and the seconds it took; with us it is recorded in the directory."""
    for name in program.cleanup:
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).unlink(missing_ok=True)
    port = free_port()
    command = [word.replace("{port}", str(port)).replace("{folder}", str(folder)) for word in program.command]
    if command[0] not in ("sh",) and (guests.bin / command[0]).exists():
        command[0] = str(guests.bin / command[0])
    env = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
    env |= {"PATH": f"{guests.bin}{os.pathsep}{os.environ['PATH']}", "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}
    env |= {name: value.replace("{folder}", str(folder)) for name, value in program.env.items()}
    if way is Way.OURS:
        env |= {"OTLP_ARROW_OUTPUT_DIR": str(output_dir), "OTLP_ARROW_STORAGE__MIN_FREE_BYTES": "0B"}
        env |= {"OTEL_BSP_SCHEDULE_DELAY": "200"}
    if way is not Way.ALONE and program.zero_code:
        exporter = "otlp_arrow" if way is Way.OURS else "none"
        env |= {f"OTEL_{kind}_EXPORTER": exporter for kind in ("TRACES", "METRICS", "LOGS")}
        command = [str(guests.bin / INSTRUMENT), *command]
    elif way is not Way.ALONE:
        env |= {"WITH_SDK": "yes"}
    started = time.monotonic()
    # A group of its own: all of it is gone afterwards.
    child = subprocess.Popen(
        command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    session = Session(child, port, recorded if way is Way.OURS else lambda: True)
    try:
        if program.drive is not None:
            program.drive(session)
        code, stdout, stderr = session.finish()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    took = time.monotonic() - started - session.waited
    said = [steady(text, program, folder, port) for text in (stdout, stderr)]
    return Outcome(code, said[0], said[1], session.notes), took

"""What platforms do to a program: their variables, small volumes, and workers that go on as another user."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from otlp_arrow import Event, OtlpLibrary, errors

from sdk_objects import ended_spans
from support import eventually, read_directory, serve_requests

LINKS = {
    "OTLP_ARROW_SERVICE_HOST": "10.96.0.12",
    "OTLP_ARROW_SERVICE_PORT": "4317",
    "OTLP_ARROW_SERVICE_PORT_GRPC": "4317",
    "OTLP_ARROW_PORT": "tcp://10.96.0.12:4317",
    "OTLP_ARROW_PORT_4317_TCP": "tcp://10.96.0.12:4317",
    "OTLP_ARROW_PORT_4317_TCP_ADDR": "10.96.0.12",
    "OTLP_ARROW_PORT_4317_TCP_PORT": "4317",
    "OTLP_ARROW_PORT_4317_TCP_PROTO": "tcp",
    "OTLP_ARROW_COLLECTOR_PORT_9_SCTP": "sctp://10.96.0.13:9",
    "OTLP_ARROW_NAME": "/web/otlp-arrow",
    "OTLP_ARROW_ENV_OUTPUT_DIR": "/elsewhere",
}


def ignored(directory: Path) -> list[Event]:
    events: list[Event] = []
    with OtlpLibrary(output_dir=directory, on_event=events.append) as library:
        assert eventually(lambda: library.stats()["events"].get("settings_ignored") == len(events))
    return [event for event in events if event.name == "settings_ignored"]


def test_variables_of_the_platform_are_told_and_ignored(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in LINKS.items():
        monkeypatch.setenv(name, value)
    [told] = ignored(directory)
    assert told.severity == "info"
    assert all(name in told.message for name in LINKS)


def test_a_variable_that_sets_no_key_is_a_warning(
    directory: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTLP_ARROW_OUTPT_DIR", "/elsewhere")
    [told] = ignored(directory)
    assert told.severity == "warn"
    assert "did you mean output_dir? (from OTLP_ARROW_OUTPT_DIR); the variable is ignored" in told.message
    assert any("did you mean output_dir?" in record.message for record in caplog.records)
    with pytest.raises(errors.InvalidConfigError):
        OtlpLibrary(output_dir=directory, outpt_dir="x")  # type: ignore[call-arg]


def test_the_home_and_secrets_in_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = "USERPROFILE" if os.name == "nt" else "HOME"
    monkeypatch.setenv(home, str(tmp_path))
    with OtlpLibrary(output_dir="~/telemetry") as library:
        library.export_traces(ended_spans(1))
    assert len(read_directory(tmp_path / "telemetry", "traces")) == 1
    with pytest.raises(errors.InvalidConfigError, match="begins with ~"):
        OtlpLibrary(output_dir="~nobody/telemetry")


# One directory and several users

posix = pytest.mark.skipif(os.name == "nt", reason="files have the rights of their folder there")
OTHER, GROUP = 65533, 65532


def root() -> list[str]:
    """What a command begins with to run as root: nothing, or sudo where that asks for no password."""
    if os.geteuid() == 0:
        return []
    sudo = ["sudo", "-n"]
    if shutil.which("sudo") and subprocess.run([*sudo, "true"], capture_output=True, check=False).returncode == 0:
        return [*sudo, "env", *(f"{name}={value}" for name, value in os.environ.items() if name != "_")]
    pytest.skip("nobody here is root")


@pytest.fixture
def everybody() -> Iterator[Path]:
    """A folder that everybody may enter and write to."""
    folder = Path(tempfile.mkdtemp(prefix="otlp-arrow-users-"))
    folder.chmod(0o777)
    yield folder
    subprocess.run([*root(), "rm", "-rf", str(folder)], check=True)


WORKER = """
import os, sys, time
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from otlp_arrow import OtlpLibrary

provider = TracerProvider()
library = OtlpLibrary(output_dir="telemetry")
provider.add_span_processor(SimpleSpanProcessor(library.span_exporter()))
provider.get_tracer("t").start_span("root").end()
pid = os.fork()
if pid == 0:
    os.setgroups([])
    os.setgid(65532)
    os.setuid(65533)
    started = time.monotonic()
    provider.get_tracer("t").start_span("worker").end()
    try:
        library.export_otlp("logs", b"\\n\\r\\x12\\x0b\\x12\\t*\\x07\\n\\x05hello")
        print("kept", flush=True)
    except Exception as error:
        print(f"{time.monotonic() - started:.1f} {error}", flush=True)
    os._exit(0)
os.waitpid(pid, 0)
"""


def names(directory: Path) -> list[str]:
    code = f"""
import pyarrow as pa
from otlp_arrow import OtlpLibrary
print("\\n".join(pa.table(OtlpLibrary(output_dir={str(directory)!r}).read("traces"))["name"].to_pylist()))
"""
    command = [*root(), sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return sorted(done.stdout.split())


def worker(folder: Path, **variables: str) -> str:
    command = [*root(), *(["env"] if variables else []), *(f"{name}={value}" for name, value in variables.items())]
    command += [sys.executable, "-c", WORKER]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@posix
def test_a_worker_of_another_user_is_told_at_once_what_to_do(everybody: Path) -> None:
    told = worker(everybody)
    # The exporter alone would wait for 30 s.
    assert float(told.split()[0]) < 15
    for text in ("belongs to user 0 with mode 0700", "user 65533", "storage.mode", "storage.group"):
        assert text in told, told
    assert names(everybody / "telemetry") == ["root"]


@posix
def test_with_a_group_the_worker_of_another_user_records(everybody: Path) -> None:
    shared = {"OTLP_ARROW_STORAGE__MODE": "0660", "OTLP_ARROW_STORAGE__GROUP": str(GROUP)}
    assert "kept" in worker(everybody, **shared)
    assert names(everybody / "telemetry") == ["root", "worker"]


APP = """
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from otlp_arrow import OtlpLibrary

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OtlpLibrary(output_dir="telemetry").span_exporter()))
tracer = provider.get_tracer("app")
tracer.start_span("loaded").end()
provider.force_flush()

def app(environ, start_response):
    import os
    with tracer.start_as_current_span(f"user-{os.geteuid()}"):
        start_response("200 OK", [])
        return [b"ok"]
"""


@posix
def test_gunicorn_that_is_loaded_by_root_and_works_as_another_user(everybody: Path) -> None:
    (everybody / "app.py").write_text(APP)
    variables = ["OTLP_ARROW_STORAGE__MODE=0660", f"OTLP_ARROW_STORAGE__GROUP={GROUP}"]
    gunicorn = [sys.executable, "-m", "gunicorn", "--preload", "--workers=2", f"--user={OTHER}", f"--group={GROUP}"]
    serve_requests([*root(), "env", *variables, *gunicorn, "app:app"], ["x"] * 20, cwd=everybody)
    assert names(everybody / "telemetry") == ["loaded", *[f"user-{OTHER}"] * 20]


@posix
def test_files_have_the_rights_that_were_asked_for(directory: Path) -> None:
    old = os.umask(0o077)
    try:
        with OtlpLibrary(output_dir=directory, storage={"mode": "0640"}) as library:
            library.export_traces(ended_spans(1))
    finally:
        os.umask(old)
    for path in directory.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o750 if path.is_dir() else 0o640), path
    with pytest.raises(errors.InvalidConfigError, match="is a bare number"):
        OtlpLibrary(output_dir=directory, storage={"mode": 0o640})  # type: ignore[typeddict-item]


# Small volumes


@pytest.mark.skipif(sys.platform != "linux", reason="volumes in memory are mounted with Linux")
def test_a_small_volume_takes_what_comes(everybody: Path) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(everybody)]
    if subprocess.run([*root(), *mount], capture_output=True, check=False).returncode != 0:
        pytest.skip("no small file system can be mounted here")
    try:
        (everybody / "half").write_bytes(b"x" * (30 << 20))
        with OtlpLibrary(output_dir=everybody / "telemetry") as library:
            for _ in range(40):
                library.export_traces(ended_spans(500))
            stats = library.stats()
            assert stats["committed_records"]["traces"] == 20_000
            assert "storage_full" not in stats["events"]
        command = [sys.executable, "-m", "otlp_arrow", "config", "print"]
        env = {**os.environ, "OTLP_ARROW_OUTPUT_DIR": str(everybody / "telemetry")}
        printed = subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=120)
        assert "# default, for a volume of 64MiB" in printed.stdout
    finally:
        subprocess.run([*root(), "umount", "-l", str(everybody)], check=True)

"""The wheel in an empty environment, and the source distribution, do the main job."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from support import read_directory

ROOT = Path(__file__).parent.parent.parent


def run(*command: str | Path, cwd: Path, **env: str) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def maturin(*arguments: str | Path, cwd: Path = ROOT / "python") -> str:
    return run(Path(sysconfig.get_path("scripts")) / "maturin", *arguments, cwd=cwd)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that `WHEEL_UNDER_TEST` names, else one of the development profile, built here."""
    if given := os.environ.get("WHEEL_UNDER_TEST"):
        return Path(given).resolve()
    out = tmp_path_factory.mktemp("wheel")
    maturin("build", "--out", out)
    (found,) = out.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def empty(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts directory of an environment that has the wheel and nothing else."""
    home = tmp_path_factory.mktemp("empty")
    venv.create(home, with_pip=False)
    scripts = home / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / ("python.exe" if os.name == "nt" else "python")
    run(sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-index", "--no-deps", wheel, cwd=home)
    return scripts


def test_a_wheel_holds_what_it_needs_and_no_more(wheel: Path) -> None:
    assert "-cp311-abi3-" in wheel.name
    if "WHEEL_UNDER_TEST" in os.environ:
        assert wheel.stat().st_size < 8e6, "a released wheel has at most 8 MB"
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
        metadata = archive.read(next(name for name in names if name.endswith("METADATA"))).decode()
        entries = archive.read(next(name for name in names if name.endswith("entry_points.txt"))).decode()
    assert "otlp_arrow/py.typed" in names
    assert "otlp_arrow/_native.pyi" in names
    assert any("LICENSE" in name for name in names)
    assert not [name for name in names if "test" in name or "__pycache__" in name]
    assert "Requires-Python: >=3.11" in metadata
    required = [line for line in metadata.splitlines() if line.startswith("Requires-Dist")]
    assert all("extra == 'otel'" in line for line in required), required
    assert "# otlp-arrow" in metadata
    for group in ("traces", "metrics", "logs"):
        assert f"[opentelemetry_{group}_exporter]" in entries
    assert "otlp-arrow=" in entries.replace(" ", "")


def test_the_main_job_in_an_empty_environment(empty: Path, tmp_path: Path) -> None:
    request = b"\n\x2f\x12\x2d\x12\x2b\n\x10" + b"t" * 16 + b"\x12\x08" + b"s" * 8 + b"*\x04work9" + b"\x01" * 8
    program = f"""
import otlp_arrow, sys
assert "site-packages" in otlp_arrow.__file__, otlp_arrow.__file__
with otlp_arrow.OtlpLibrary(output_dir="telemetry") as library:
    assert library.export_otlp("traces", {request!r}) == (1, 0, ""), "kept"
    assert library.read("traces").__arrow_c_stream__() is not None
    try:
        library.span_exporter()
    except ImportError as error:
        assert "otlp-arrow[otel]" in str(error)
"""
    run(empty / "python", "-I", "-c", program, cwd=tmp_path)
    (row,) = read_directory(tmp_path / "telemetry", "traces")
    assert row["name"] == "work"
    assert "traces: 1 record" in run(empty / "otlp-arrow", "inspect", "telemetry", cwd=tmp_path)
    assert "otlp-arrow" in run(empty / "python", "-I", "-m", "otlp_arrow", "--help", cwd=tmp_path)


def test_an_agent_starts_the_tools_as_uvx_does(empty: Path, tmp_path: Path) -> None:
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    messages: list[dict[str, object]] = [
        {"id": 1, "method": "initialize", "params": hello},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": {"name": "overview", "arguments": {}}},
    ]
    told = "".join(json.dumps({"jsonrpc": "2.0", **message}) + "\n" for message in messages)
    command = [str(empty / "otlp-arrow"), "mcp", "./telemetry"]
    done = subprocess.run(command, cwd=tmp_path, input=told, capture_output=True, text=True, timeout=120, check=True)
    answers = {answer["id"]: answer for answer in map(json.loads, done.stdout.splitlines())}
    assert answers[1]["result"]["serverInfo"]["name"] == "otlp-arrow"
    assert "does not exist yet" in answers[2]["result"]["content"][0]["text"]


def snippets(readme: Path) -> list[str]:
    return [part.split("```")[0].strip() for part in readme.read_text(encoding="utf-8").split("```python\n")[1:]]


def test_the_readmes_lines_work_as_written(empty: Path, tmp_path: Path) -> None:
    """With the SDK and polars of the development environment beside the installed wheel."""
    record, read = snippets(ROOT / "python" / "README.md")
    path = sysconfig.get_path("purelib")
    run(empty / "python", "-c", record, cwd=tmp_path, PYTHONPATH=path)
    program = read + "\nassert spans['name'].to_list() == ['checkout'], spans"
    run(empty / "python", "-c", program, cwd=tmp_path, PYTHONPATH=path)


def test_the_first_screens_lines_work_as_written(empty: Path, tmp_path: Path) -> None:
    record, read = snippets(ROOT / "README.md")[:2]
    path = sysconfig.get_path("purelib")
    program = record + "\nprovider.get_tracer('shop').start_span('checkout').end()"
    run(empty / "python", "-c", program, cwd=tmp_path, PYTHONPATH=path)
    program = read + "\nassert spans['name'].to_list() == ['checkout'], spans"
    run(empty / "python", "-c", program, cwd=tmp_path, PYTHONPATH=path)


def test_the_source_distribution_builds(tmp_path: Path) -> None:
    maturin("sdist", "--out", tmp_path)
    (archive,) = tmp_path.glob("*.tar.gz")
    # Always the same place within the shared target directory, so that only this project's crates are built again.
    unpacked = ROOT / "target" / "sdist"
    with tarfile.open(archive) as tar:
        names = [name.split("/", 1)[-1] for name in tar.getnames()]
        tar.extractall(unpacked, filter="data")
    assert "LICENSE" in names or "python/LICENSE" in names
    assert any(name.endswith("README.md") for name in names)
    assert not [name for name in names if "/test/" in name or ".venv" in name or "node_modules" in name]
    source = unpacked / archive.name.removesuffix(".tar.gz")
    run(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--wheel-dir",
        tmp_path,
        source,
        cwd=tmp_path,
        CARGO_TARGET_DIR=str(ROOT / "target"),
        MATURIN_PEP517_ARGS="--profile dev",
        PATH=f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}",
    )
    assert len(list(tmp_path.glob("*.whl"))) == 1

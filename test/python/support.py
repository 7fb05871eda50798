"""What the tests share besides fixtures."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
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


def eventually(condition: Callable[[], Any], seconds: float = 20) -> Any:
    """Wait for a condition, bounded."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {seconds} s: {condition}"
        time.sleep(0.01)
    return found


def run_python(code: str, *, env: dict[str, str] | None = None, cwd: Path | None = None, timeout: float = 60) -> str:
    """Run a program in a fresh interpreter; its standard output."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **(env or {})},
        cwd=cwd,
        timeout=timeout,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout

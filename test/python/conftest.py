"""Fixtures of the Python suites."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from otlp_arrow import OtlpLibrary


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "telemetry"


@pytest.fixture
def library(directory: Path) -> Iterator[OtlpLibrary]:
    library = OtlpLibrary(output_dir=directory)
    yield library
    library.shutdown()

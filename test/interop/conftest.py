"""Fixtures of the interoperability suite."""

from __future__ import annotations

import pytest

from recording import Recorded, record


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return record(tmp_path_factory.mktemp("interop"))

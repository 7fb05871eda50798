"""What a program that only records never needs is loaded when it is asked for first: classes are compiled then."""

from __future__ import annotations

import os
import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType


class Later:
    """Stands for a module until then."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._loading = threading.RLock()
        if hasattr(os, "register_at_fork"):
            # A child would wait forever for what a thread of its parent was loading.
            release = self._loading.release
            os.register_at_fork(before=self._loading.acquire, after_in_parent=release, after_in_child=release)

    def _load(self) -> ModuleType:
        with self._loading:
            return import_module(self._name)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._load(), name)
        setattr(self, name, found)
        return found

"""The end of a process: how long it may be held up, and what it waits for."""

from __future__ import annotations

import atexit
import logging
import threading
import time
import weakref
from typing import TYPE_CHECKING

from otlp_arrow.errors import OtlpError

if TYPE_CHECKING:
    from otlp_arrow._library import OtlpLibrary

_logger = logging.getLogger("otlp_arrow")

# How long the end of a process may be held up in all, and how much of that exports may wait.
_SECONDS = 5.0
_EXPORTS_SECONDS = 2.5

open_libraries: weakref.WeakSet[OtlpLibrary] = weakref.WeakSet()
_began: float | None = None


def opened(library: OtlpLibrary) -> None:
    """Shut a library down at the end, if nobody has until then."""
    open_libraries.add(library)
    exported(library)


def exported(library: OtlpLibrary) -> None:
    """Let a library that was not there when the end began, or not in this process, hurry too."""
    if _began is not None:
        _hurry(library)


def has_begun() -> bool:
    """Tell whether the process is ending."""
    return _began is not None


def left() -> float:
    """Tell how many seconds the end may still take; all of them before it begins."""
    return _SECONDS if _began is None else max(0.0, _began + _SECONDS - time.monotonic())


def begin() -> None:
    """Let nobody wait for long from now on."""
    global _began
    if _began is None:
        _began = time.monotonic()
        for library in list(open_libraries):
            _hurry(library)


def _hurry(library: OtlpLibrary) -> None:
    # One that nothing was recorded with in this process has nothing that waits: it is not opened for this.
    library._native.ends_in(max(0.0, left() - (_SECONDS - _EXPORTS_SECONDS)))


def hear_of_it_first() -> None:
    """Learn of the end before the providers that exist now do: what registers last is called first."""
    if _began is None and not threading.main_thread().is_alive():
        # The providers hear of it already, as in a program that was shorter than the first delay of a processor.
        begin()
    elif _began is None:
        atexit.unregister(begin)
        atexit.register(begin)


def shut_down(library: OtlpLibrary) -> None:
    """Shut a library down in what is left of the time."""
    deadline = left() if has_begun() else None
    if deadline is not None:
        deadline = min(deadline, library._native.shutdown_timeout())
    try:
        library.shutdown(deadline)
    except OtlpError as error:
        _logger.warning("%s", error)


def exporter_closed(library: OtlpLibrary) -> None:
    """Shut the library down if the process is ending and this was the last exporter on it."""
    if has_begun() and all(exporter.closed for exporter in library._exporters):
        shut_down(library)


@atexit.register
def at_exit() -> None:
    """Shut down what is open. Providers flush their exporters at exit too, perhaps later: those are waited for."""
    begin()
    for library in list(open_libraries):
        if all(exporter.closed for exporter in library._exporters):
            shut_down(library)
        else:
            try:
                library.flush(left())
            except OtlpError as error:
                _logger.warning("%s", error)


def begin_anew() -> None:
    """In a forked child: it lives, whatever its parent was about to do."""
    global _began
    _began = None

"""Who waits for an export: a thread of the program, or one of the SDK's own. docs/adr/0014 has the facts."""

from __future__ import annotations

import inspect
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

# What the SDK calls in the middle of the program's own work, by the names of its public interface.
_IN_THE_PROGRAM = frozenset({"on_end", "on_emit"})
# What the program calls to wait.
_TO_WAIT = frozenset({"force_flush", "shutdown"})
# What may stand before the function that a thread was started for.
_AROUND_A_THREAD = ("threading", "opentelemetry.instrumentation.", "wrapt", "sentry_sdk.", "gevent.", "eventlet.")
_SDK = "opentelemetry.sdk."


def is_held(records: int, chosen: bool) -> bool:
    """Tell whether a thread of the program stands still until this export of so many records returns.

    It does in the middle of the program's own work (a span ends, a log record is emitted). It does not on a thread that
    the SDK started, nor where the program asked to wait. Where none of that can be seen, one record was handed over by
    somebody who does so for each, and more than one were gathered by somebody who has the time, if a timeout was
    chosen for the exporter or this is not the main thread.
    """
    frame = inspect.currentframe()
    first: FrameType | None = None
    waits = False
    while frame is not None:
        name = frame.f_code.co_name
        if name in _IN_THE_PROGRAM:
            return True
        waits = waits or (name in _TO_WAIT and _module(frame).startswith(_SDK))
        if not _module(frame).startswith(_AROUND_A_THREAD):
            first = frame
        frame = frame.f_back
    if waits:
        return False
    main = threading.current_thread() is threading.main_thread()
    if first is not None and not main and _module(first).startswith(_SDK):
        return False
    return records <= 1 or (main and not chosen)


def _module(frame: FrameType) -> str:
    name = frame.f_globals.get("__name__")
    return name if isinstance(name, str) else ""

"""Children of process pools: they end by `os._exit`, or by a signal as soon as their last result has arrived.

So a batch processor of ours hands over what it gathered when a span ends or a log record is emitted, and once more at
the ordinary end of a child, where the exit handlers of the interpreter are not called. That holds for children of
`multiprocessing` and of what is built on it: `concurrent.futures`, billiard and celery, joblib.
"""

from __future__ import annotations

import functools
import gc
import logging
import os
import sys
import threading
import time
import weakref
from collections import deque
from types import FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

from otlp_arrow import _ending

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_logger = logging.getLogger("otlp_arrow")

# So many records a second are handed over one by one in the middle of a task; those of a storm beyond them together, by
# a thread, a moment later. At the end of an outermost span everything is.
_ONE_BY_ONE = 1000
_MOMENT_SECONDS = 0.005

# Both have the functions of multiprocessing.util, billiard in older versions a copy.
_UTILITIES = ("multiprocessing.util", "billiard.util")
_PROCESSES = ("multiprocessing.process", "billiard.process")


class _Mark:
    """What `register_after_fork` knows us by; it holds on to nothing."""


_mark = _Mark()
_registered: set[int] = set()
_child: int | None = None
_processors: weakref.WeakKeyDictionary[Any, bool] = weakref.WeakKeyDictionary()
_own = threading.local()


def is_child() -> bool:
    """Tell whether this process is a child of a pool, or of `multiprocessing` anyhow."""
    return _child == os.getpid()


def watch() -> None:
    """Be told when a child begins; called when an exporter is made, and after each fork."""
    for name in _UTILITIES:
        register = getattr(sys.modules.get(name), "register_after_fork", None)
        if register is not None and id(register) not in _registered:
            _registered.add(id(register))
            register(_mark, _begin)
    # An exporter that is made in the child itself.
    if not is_child() and _is_in_a_child():
        _begin(_mark)


def _is_in_a_child() -> bool:
    # What a spawned child imports on its way comes before it knows its parent; the main module is renamed by then.
    if getattr(sys.modules.get("__mp_main__"), "__name__", "") == "__mp_main__":
        return True
    for name in _PROCESSES:
        current = getattr(sys.modules.get(name), "current_process", None)
        if current is not None and current().name != "MainProcess":
            return True
    return False


def _begin(_: object) -> None:
    global _child, _soon
    _child = os.getpid()
    _own.__dict__.clear()
    _soon = None
    for name in _UTILITIES:
        finalize = getattr(sys.modules.get(name), "Finalize", None)
        if finalize is not None:
            # After the finalizers of the program, which may still record.
            finalize(None, _end, exitpriority=-100)
            break
    from opentelemetry.sdk._logs import export as logs
    from opentelemetry.sdk.trace import export as traces

    _hand_over_after(getattr(traces, "BatchSpanProcessor", None), "on_end")
    _hand_over_after(getattr(logs, "BatchLogRecordProcessor", None), "on_emit")


def _hand_over_after(kind: type[Any] | None, name: str) -> None:
    original: Callable[..., Any] | None = getattr(kind, name, None)
    if original is None or hasattr(original, "_otlp_arrow"):
        return

    @functools.wraps(original)
    def wrapper(self: Any, record: Any, *rest: Any, **named: Any) -> Any:
        result = original(self, record, *rest, **named)
        if is_child():
            _hand_over(self, record)
        return result

    wrapper._otlp_arrow = True  # type: ignore[attr-defined]
    setattr(kind, name, wrapper)


def _hand_over(processor: Any, record: Any) -> None:
    # What an export logs must not come back to it: the SDK's lock around it is of the kind that one thread takes once.
    if getattr(_own, "busy", False) or not _is_ours(processor):
        return
    if _in_an_event_loop():
        _hand_over_soon(processor)
    elif _is_outermost(record):
        _flush(processor)
        for other, ours in list(_processors.items()):
            if ours and other is not processor:
                _flush(other)
    elif _is_no_storm():
        _flush(processor)
    else:
        _hand_over_soon(processor)


def _is_outermost(record: Any) -> bool:
    if not hasattr(record, "parent"):
        return False
    return record.parent is None or bool(record.parent.is_remote)


def _is_no_storm() -> bool:
    now = time.monotonic()
    left, at = getattr(_own, "records", (float(_ONE_BY_ONE), now))
    left = min(_ONE_BY_ONE, left + (now - at) * _ONE_BY_ONE)
    _own.records = (left - 1 if left >= 1 else left, now)
    return bool(left >= 1)


def _in_an_event_loop() -> bool:
    running = getattr(sys.modules.get("asyncio"), "_get_running_loop", None)
    return running is not None and running() is not None


def _flush(processor: Any) -> None:
    _own.busy = True
    try:
        processor.force_flush()
    except Exception:
        _logger.exception("records that ended in a child of a pool could not be handed over")
    finally:
        _own.busy = False


_soon: tuple[threading.Event, list[Any]] | None = None
_soon_lock = threading.Lock()


def _hand_over_soon(processor: Any) -> None:
    global _soon
    with _soon_lock:
        if _soon is None:
            _soon = (threading.Event(), [])
            threading.Thread(target=_do_soon, args=_soon, name="otlp-arrow-hand-over", daemon=True).start()
        wake, waiting = _soon
        if not any(one is processor for one in waiting):
            waiting.append(processor)
        wake.set()


def _do_soon(wake: threading.Event, waiting: list[Any]) -> None:
    never = threading.Event()
    while True:
        wake.wait()
        # What comes within this moment goes with it.
        never.wait(_MOMENT_SECONDS)
        with _soon_lock:
            wake.clear()
            processors, waiting[:] = list(waiting), []
        for processor in processors:
            _flush(processor)


def _end() -> None:
    """At the ordinary end of a child: what batch processors and metric readers still hold, and the libraries."""
    if not is_child() or _ending.has_begun():
        return
    _ending.begin()
    _own.busy = True
    for holder in _holders():
        try:
            holder.force_flush()
        except Exception:
            _logger.exception("what a child of a pool recorded last could not be handed over")
    for library in list(_ending.open_libraries):
        # One that nothing was exported with here has no writer in this process.
        if any(exporter.used_by == os.getpid() for exporter in library._exporters):
            _ending.shut_down(library)


def _exporters() -> list[Any]:
    return [exporter for library in list(_ending.open_libraries) for exporter in library._exporters]


def _holders() -> Iterable[Any]:
    """Find what stands before our exporters: processors seen at work, and what else refers to one."""
    found = {id(one): one for one, ours in list(_processors.items()) if ours}
    owners: list[Any] = [exporter.owner() for exporter in _exporters()]
    owners = [owner for owner in owners if owner is not None]
    for referrer in gc.get_referrers(*owners) if owners else []:
        # An instance refers to its attributes itself or by its dictionary.
        for one in gc.get_referrers(referrer) if isinstance(referrer, dict) else [referrer]:
            if callable(getattr(type(one), "force_flush", None)):
                found[id(one)] = one
    mine = {id(owner) for owner in owners}
    return [one for key, one in found.items() if key not in mine]


def _is_ours(processor: Any) -> bool:
    try:
        ours = _processors.get(processor)
        if ours is None:
            ours = _processors[processor] = _reaches_an_exporter(processor)
    except TypeError:  # it cannot be referred to weakly
        return _reaches_an_exporter(processor)
    return ours


# What an exporter is not found behind.
_OTHERS = (type, ModuleType, FunctionType, MethodType, threading.Thread, str, bytes, int, float, deque)


def _reaches_an_exporter(processor: Any) -> bool:
    """Tell whether one of our exporters stands behind a processor, also where it is wrapped by another."""
    mine = {id(owner) for exporter in _exporters() if (owner := exporter.owner()) is not None}
    seen: set[int] = set()
    layer = [processor]
    for _ in range(5):
        following = []
        for one in layer:
            for part in gc.get_referents(one):
                if id(part) in mine:
                    return True
                if id(part) not in seen and len(seen) < 1000 and not isinstance(part, _OTHERS):
                    seen.add(id(part))
                    following.append(part)
        layer = following
    return False


def begin_anew() -> None:
    """In a forked child, before it is known what kind of child it is."""
    global _soon_lock
    _soon_lock = threading.Lock()
    watch()

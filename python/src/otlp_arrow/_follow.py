"""What goes on behind the commits: subscriptions, and the destinations that are forwarded to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from types import TracebackType

    from otlp_arrow import _native
    from otlp_arrow._native import Table
    from otlp_arrow._vocabulary import BreakerState


class Subscription:
    """Batches of what is committed, at least once, in the order of each writer: an iterator that waits for more.

    What was handed out and not acknowledged comes again for the next subscription of that name, in this process or a
    later one. It ends when the library is shut down or it is closed; as a context manager it closes itself.

        with library.subscribe("traces", "alerts") as batches:
            for batch in batches:
                look_at(pyarrow.table(batch))
                batches.ack()
    """

    def __init__(self, native: _native.Subscription) -> None:
        self._native = native

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Table:
        return next(self._native)

    def ack(self) -> None:
        """Say that everything handed out so far is done with, and need not come again."""
        self._native.ack()

    def close(self) -> None:
        """End it; a wait in another thread ends too, and the name is free again."""
        self._native.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True)
class ForwarderInfo:
    """How one destination stands."""

    name: str
    state: BreakerState
    """The circuit breaker: only when it is closed everything goes out."""
    paused: bool
    """Whether it was paused by hand."""
    troubled: bool
    """Whether it lags, stalls or refuses everything, as events announced."""
    lag_records: int
    """Records that wait for it."""
    lag_seconds: float
    """Age of the oldest of them; 0 when nothing waits."""
    evicted_records: int
    """Records that retention deleted before they were delivered."""
    rejected_requests: int
    """Requests it refused for good, waiting in ``rejected/``."""
    last_error: str | None
    """What it, or the way to it, said last when something failed."""


class Retried(NamedTuple):
    """What `Forwarder.retry_rejected` did."""

    delivered: int
    """Requests that were taken now, and are not set aside any more."""
    left: int
    """Requests that stay set aside."""


class Forwarder:
    """One destination that is forwarded to."""

    def __init__(self, native: _native.Forwarder) -> None:
        self._native = native

    def info(self) -> ForwarderInfo:
        """Tell how it stands now."""
        return ForwarderInfo(**json.loads(self._native.info()))

    def pause(self) -> None:
        """Stop sending; what arrives waits on disk."""
        self._native.pause()

    def resume(self) -> None:
        """Go on after `pause`."""
        self._native.resume()

    def reset(self) -> None:
        """Forget open times and waits: the destination is asked again at once, with one request."""
        self._native.reset()

    def retry_rejected(self, timeout: float = 30.0) -> Retried:
        """Send again what was set aside, oldest first; `errors.UnavailableError` where the destination does not answer.

        `timeout` is in seconds; `errors.DeadlineError` when it passes first.
        """
        return Retried(*self._native.retry_rejected(timeout))

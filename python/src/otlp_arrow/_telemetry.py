"""`Telemetry`, a directory that is asked, and how questions are handed to the core."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar

from otlp_arrow import _native
from otlp_arrow._questions import Questions
from otlp_arrow.errors import InvalidConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Literal, Unpack

    from otlp_arrow import _config
    from otlp_arrow._native import Table
    from otlp_arrow.answers import Answer

A = TypeVar("A", bound="Answer")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# OTLP counts nanoseconds since then in 64 bits.
_LAST_NANO = 2**64 - 1


class Asking(Questions):
    """Whatever can be asked."""

    _asked: _native.Telemetry | None = None

    def _telemetry(self) -> _native.Telemetry:
        raise NotImplementedError

    def _question(
        self, kind: str, given: Mapping[str, Any], words: Mapping[str, Any], timeout: float | None
    ) -> _native.Question:
        if timeout is not None and not timeout >= 0:
            message = f"timeout is {timeout}: use a number of seconds"
            raise InvalidConfigError(message)
        if self._asked is None:
            # What is learnt of files is kept with it.
            self._asked = self._telemetry()
        return self._asked.ask(kind, [*_pairs(given), *_pairs(words)], timeout)

    def _ask(
        self, answer: type[A], kind: str, given: dict[str, str], words: Mapping[str, Any], timeout: float | None
    ) -> A:
        return answer._of(self._question(kind, given, words, timeout).answer())

    async def _aask(
        self,
        answer: type[A],
        kind: str,
        given: dict[str, str],
        words: Mapping[str, Any],
        timeout: float | None,  # noqa: ASYNC109 - the question's own
    ) -> A:
        # Only here: a program without an event loop need not carry it.
        import asyncio

        question = self._question(kind, given, words, timeout)

        def answered() -> A:
            made = answer._of(question.answer())
            made._load()
            return made

        try:
            return await asyncio.to_thread(answered)
        except asyncio.CancelledError:
            question.cancel()
            raise


class Telemetry(Asking):
    """A directory that is asked, and not recorded into: while another process records into it, or long after.

    It needs no writer and disturbs none. `output_dir` need not exist yet; the configured one (the variable
    ``OTLP_ARROW_OUTPUT_DIR``, the configuration file) if it is left out. Keyword arguments are the keys below ``query``
    of the configuration. After a fork the child asks for itself.

        with Telemetry("telemetry") as telemetry:
            slow = telemetry.search(service="checkout", min_duration="250ms", from_="-1h")
            for trace in slow.traces:
                print(trace.trace_id, trace.root_name)
    """

    def __init__(self, output_dir: str | os.PathLike[str] | None = None, **limits: Unpack[_config.Query]) -> None:
        config: dict[str, Any] = {"query": limits}
        if output_dir is not None:
            config["output_dir"] = os.fspath(output_dir)
        self._native = _native.Telemetry(json.dumps(config, default=os.fsdecode))

    def _telemetry(self) -> _native.Telemetry:
        return self._native

    def read(
        self,
        signal: Literal["traces", "metrics", "logs"],
        *,
        from_: datetime | None = None,
        to: datetime | None = None,
        columns: Sequence[str] | None = None,
        limit: int | None = None,
        dictionaries: bool = False,
    ) -> Table:
        """Read what is committed, of every writer of the directory, as `OtlpLibrary.read` does."""
        return self._native.read(signal, *read_options(from_, to, columns, limit, dictionaries))

    def close(self) -> None:
        """End questions that are being answered, with `errors.ClosedError`, and refuse others."""
        self._native.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Telemetry cannot be sent to another process: open the directory there")


def _pairs(words: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Write words and values as every language hands them to the core, which parses them."""
    for key, value in words.items():
        word = "from" if key == "from_" else key
        several = isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping)
        for one in value if several else [value]:
            if one is not None:
                yield word, _text(key, one)


def _text(word: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return str(value)
    if isinstance(value, datetime):
        return str(nanos(value))
    if isinstance(value, timedelta):
        return f"{value // timedelta(microseconds=1)}us"
    message = f"{word} is {value!r}: use a text, or the type that the word has"
    raise InvalidConfigError(message)


def read_options(
    from_: datetime | None,
    to: datetime | None,
    columns: Sequence[str] | None,
    limit: int | None,
    dictionaries: bool,
) -> tuple[int | None, int | None, list[str] | None, int | None, bool]:
    """Write the options of a read as the core takes them."""
    if isinstance(columns, str):
        message = f"columns is {columns!r}: use a list of names"
        raise InvalidConfigError(message)
    if limit is not None and limit < 0:
        message = f"limit is {limit}: use a whole number"
        raise InvalidConfigError(message)
    return nanos_of(from_), nanos_of(to), None if columns is None else list(columns), limit, dictionaries


def nanos_of(moment: datetime | None) -> int | None:
    """Count nanoseconds since 1970; the nearest that OTLP has."""
    if moment is None:
        return None
    if not isinstance(moment, datetime):
        raise TypeError(f"from_ and to take a datetime, not {moment!r}")
    return nanos(moment)


def nanos(moment: datetime) -> int:
    """Count nanoseconds since 1970; the nearest that OTLP has."""
    try:
        if moment.tzinfo is None:
            moment = moment.astimezone()
        count = (moment - EPOCH) // timedelta(microseconds=1) * 1000
    except (OverflowError, ValueError):
        # At the ends of what a datetime can be, another time zone lies beyond them.
        count = 0 if moment.year < EPOCH.year else _LAST_NANO
    return min(max(count, 0), _LAST_NANO)

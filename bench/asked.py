"""The ten questions of `ask.py`, in the words of each of those who answer them."""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass
class Question:
    """One question in the words of each, and the form in which answers are compared."""

    name: str
    question: str
    words: list[tuple[str, str]]
    ours: Callable[[Any], Any]
    duckdb: str
    datafusion: str
    rows: Callable[[list[Any]], Any]
    alike: Callable[[Any, Any, str], bool] = lambda a, b, _: bool(a == b)


def ids_of(answer: Any) -> list[str]:
    return sorted(span["span_id"] for span in answer["spans"])


def total(answer: Any) -> int:
    return int(answer["total"])


def one(rows: list[Any]) -> int:
    return int(rows[0][0])


def hexed(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else bytes(value).hex()


def nearly(a: dict[str, list[float]], b: dict[str, list[float]], who: str) -> bool:
    """Compare counts exactly, percentiles within 5 %, as ours of a million are; DataFusion interpolates of few."""
    compared = slice(3, 4 if who == "datafusion" else None)
    return a.keys() == b.keys() and all(
        a[name][:3] == b[name][:3]
        and all(
            abs(x - y) <= 0.05 * max(abs(x), abs(y), 1)
            for x, y in zip(a[name][compared], b[name][compared], strict=True)
        )
        for name in a
    )


def seconds_of(text: str) -> int:
    return int(datetime.datetime.fromisoformat(text[:19] + "+00:00").timestamp())


def questions(picked: random.Random, ids: list[bytes], tenant: str) -> list[Question]:
    trace = picked.choice(ids)
    first, after = trace[:5], (int.from_bytes(trace[:5]) + 1).to_bytes(5)
    duck_blob = "".join(f"\\x{byte:02x}" for byte in trace)
    prefix_duck = "".join(f"\\x{byte:02x}" for byte in first), "".join(f"\\x{byte:02x}" for byte in after)
    # DataFusion compares fixed size binary with what is cast to it, and orders only plain binary.
    fusion_prefix = f"encode(arrow_cast(trace_id, 'Binary'), 'hex') like '{first.hex()}%'"
    found = "service_name = 'checkout' and name = 'GET /api/v1/orders' and duration >= 20000000"
    red = "count(*), count(*) filter (where {0}), count(*) filter (where {0} and status_code = 'error')"
    served = "kind in ('server', 'consumer')"
    red = red.format(served)
    shares = (0.5, 0.95, 0.99)
    duck_shares = ", ".join(
        f"quantile_disc(duration, {share}) filter (where kind in ('server', 'consumer'))" for share in shares
    )
    fusion_shares = ", ".join(
        f"percentile_cont({share}) within group (order by duration) filter (where {served})" for share in shares
    )
    service = ["spans", "requests", "errors", "p50", "p95", "p99"]
    minute = {
        "duckdb": "epoch_ns(start_time) // 60000000000 * 60",
        "datafusion": "date_part('epoch', date_trunc('minute', start_time))",
    }

    def by_id(name: str, word: str, duck: str, fusion: str) -> Question:
        select = "select span_id from spans where "
        return Question(
            name, "trace", [("trace", word), ("logs", "false")], ids_of, select + duck, select + fusion,
            lambda rows: sorted(hexed(row[0]) for row in rows),
        )  # fmt: skip

    def counted(name: str, signal: str, word: tuple[str, str], duck: str, fusion: str) -> Question:
        select = f"select count(*) from {'spans' if signal == 'traces' else 'logs'} where "
        words = [("signal", signal), ("step", "1d"), word]
        return Question(name, "counts", words, total, select + duck, select + fusion, one)

    return [
        by_id(
            "trace by id", trace.hex(), f"trace_id = '{duck_blob}'::blob",
            f"trace_id = arrow_cast(decode('{trace.hex()}', 'hex'), 'FixedSizeBinary(16)')",
        ),
        by_id(
            "trace by id prefix", first.hex(),
            f"trace_id >= '{prefix_duck[0]}'::blob and trace_id < '{prefix_duck[1]}'::blob", fusion_prefix,
        ),
        Question(
            "service + name + duration, first 20", "spans",
            [("service", "checkout"), ("name", "GET /api/v1/orders"), ("min_duration", "20ms"), ("limit", "20")],
            lambda answer: [span["span_id"] for span in answer["spans"]],
            f"select * from spans where {found} order by start_time desc limit 20",
            f"select * from spans where {found} order by start_time desc limit 20",
            lambda rows: [hexed(row[1]) for row in rows],
        ),
        counted(
            "attribute equality", "traces", ("attr", f"app.tenant={tenant}"),
            f"attributes['app.tenant'] = '{tenant}'", f"attributes['app.tenant'] = '{tenant}'",
        ),
        counted(
            "attribute presence", "traces", ("attr", "feature_flag.key"),
            "attributes['feature_flag.key'] is not null", "attributes['feature_flag.key'] is not null",
        ),
        counted(
            "body substring", "logs", ("text", "insufficient funds"),
            "contains(body, 'insufficient funds')", "contains(body, 'insufficient funds')",
        ),
        counted(
            "body regex", "logs", ("regex", "timeout after [0-9]{4} ms .*attempt=[34]"),
            "regexp_matches(body, 'timeout after [0-9]{4} ms .*attempt=[34]')",
            "regexp_like(body, 'timeout after [0-9]{4} ms .*attempt=[34]')",
        ),
        Question(
            "counts by minute", "counts", [("signal", "traces"), ("step", "1m")],
            lambda answer: {seconds_of(bucket["time"]): bucket["count"] for bucket in answer["buckets"]},
            f"select {minute['duckdb']} as minute, count(*) from spans group by 1",
            f"select {minute['datafusion']} as minute, count(*) from spans group by 1",
            lambda rows: {int(row[0]): int(row[1]) for row in rows},
        ),
        Question(
            "RED by service", "services", [],
            lambda answer: {found["name"]: [found[key] for key in service] for found in answer["services"]},
            f"select service_name, {red}, {duck_shares} from spans group by 1",
            f"select service_name, {red}, {fusion_shares} from spans group by 1",
            lambda rows: {row[0]: list(row[1:]) for row in rows},
            nearly,
        ),
        Question(
            "distinct attribute values", "attribute_values", [("key", "http.route"), ("limit", "1000")],
            lambda answer: {found["value"]: found["count"] for found in answer["values"]},
            "select attributes['http.route'], count(*) from spans group by 1",
            "select attributes['http.route'], count(*) from spans group by 1",
            lambda rows: {unlisted(row[0]): int(row[1]) for row in rows if unlisted(row[0]) is not None},
        ),
    ]  # fmt: skip


def unlisted(value: Any) -> Any:
    """Take the value of a map out of the list that some put it in."""
    return (value[0] if value else None) if isinstance(value, list) else value

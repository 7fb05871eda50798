"""The service map, comparisons and errors, computed from the rows of a directory."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from typing import Any

from questions import SECOND, Directory, Filter, Row, duration, grouped, percentile, rfc3339

PEERS = ["peer.service", "server.address", "db.system.name", "messaging.destination.name"]
BEFORE = 300 * SECOND


def service_of(row: Row) -> str:
    return row["service_name"] or ""


def start_of(row: Row) -> int:
    return int(row["times"][0])


def key_of(row: Row) -> tuple[bytes, bytes]:
    return row["trace_id"], row["span_id"]


def service_map(words: list[tuple[str, str]], now: int, directory: Directory) -> list[tuple[Any, ...]]:
    """From, to, kind of that, requests, errors, percentiles."""
    given = dict(words)
    begin = now - duration(given["from"][1:]) if "from" in given else 0
    end = now - duration(given["to"][1:]) if "to" in given else 2**64
    around = [row for row in directory.rows["traces"] if max(begin - BEFORE, 0) <= start_of(row) < end]
    last: dict[tuple[bytes, bytes], Row] = {}
    for row in sorted(around, key=lambda row: row["key"]):
        last[key_of(row)] = row
    parents = {(row["trace_id"], row["parent_span_id"]) for row in around}
    about = Filter([pair for pair in words if pair[0] not in ("service", "limit")], "traces", now)
    services = {service_of(row) for row in around}
    found: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in last.values():
        if start_of(row) < begin or not all(test(row) for test in about.tests):
            continue
        parent = last.get((row["trace_id"], row["parent_span_id"]))
        if parent is not None and service_of(parent) != service_of(row):
            found[service_of(parent), service_of(row), "service"].append(row)
        if row["kind"] in ("client", "producer") and key_of(row) not in parents:
            named = next((name for name in PEERS if row["attributes"].get(name)), None)
            if named is None:
                continue
            peer = row["attributes"][named]
            if peer in services:
                if peer != service_of(row):
                    found[service_of(row), peer, "service"].append(row)
            else:
                found[service_of(row), peer, kind_of(row)].append(row)
    wanted = Filter([pair for pair in words if pair[0] == "service"], "traces", now).tests
    shown = []
    for (caller, called, kind), rows in found.items():
        sides = [{"service_name": caller}, {"service_name": called}]
        if not any(all(test(side) for test in wanted) for side in sides):
            continue
        took = [row["duration"] for row in rows]
        errors = sum(row["status_code"] == "error" for row in rows)
        shown.append(
            (caller, called, kind, len(rows), errors, *(percentile(sorted(took), share) for share in (0.5, 0.95, 0.99)))
        )
    return sorted(shown)


def kind_of(row: Row) -> str:
    if row["attributes"].get("db.system.name"):
        return "database"
    return "messaging" if row["attributes"].get("messaging.destination.name") else "external"


def compare(words: list[tuple[str, str]], now: int, directory: Directory) -> dict[tuple[str, str, str], Any]:
    """What each operation comes to on both sides, and how it changed."""
    rest = [pair for pair in words if pair[0] not in ("a", "b", "limit")]
    sides = []
    for name in ("a", "b"):
        text = dict(words)[name]
        own = list(zip(("from", "to"), text.split(".."), strict=True)) if ".." in text else [tuple(text.split("=", 1))]
        rows = Filter(rest, "traces", now).rows(directory)
        tests = Filter([pair for pair in own if pair[1]], "traces", now).tests
        sides.append([row for row in rows if all(test(row) for test in tests)])
    roots = [max(sum(row["parent_span_id"] is None for row in rows), 1) for rows in sides]
    keys = {(service_of(row), row["name"], row["kind"]) for rows in sides for row in rows}
    found = {}
    for key in keys:
        of = [[row for row in rows if (service_of(row), row["name"], row["kind"]) == key] for rows in sides]
        each = [operation(rows) for rows in of]
        impact = sum(row["duration"] for row in of[1]) / roots[1] - sum(row["duration"] for row in of[0]) / roots[0]
        found[key] = (change(*each), round(impact, 3), each)
    return found


def operation(rows: list[Row]) -> tuple[int, ...] | None:
    if not rows:
        return None
    took = [row["duration"] for row in rows]
    errors = sum(row["status_code"] == "error" for row in rows)
    return len(rows), errors, sum(took), percentile(sorted(took), 0.5), percentile(sorted(took), 0.95)


def change(a: tuple[int, ...] | None, b: tuple[int, ...] | None) -> str:
    if a is None or b is None:
        return "new" if a is None else "gone"
    more = b[1] / b[0] - a[1] / a[0]
    if abs(more) > 0.05:
        return "failing" if more > 0 else "recovered"
    for less, greater, word in ((a[3], b[3], "slower"), (b[3], a[3], "faster")):
        if greater - less >= 1_000_000 and greater > less * 1.2:
            return word
    return "same"


def told(words: list[tuple[str, str]], now: int, directory: Directory) -> list[Row]:
    """Take the exceptions of spans and log records that match."""
    given = dict(words)
    signals = [given["signal"]] if "signal" in given else ["traces", "logs"]
    # A word that one signal does not know asks for the exceptions of the other.
    if "severity" in given:
        signals = ["logs"]
    elif given.keys() & {"kind", "status", "min_duration", "max_duration"}:
        signals = ["traces"]
    found = []
    for signal in signals:
        own = [pair for pair in words if pair[0] not in ("limit", "signal", "order")]
        for row in Filter(own, signal, now).rows(directory):
            of_log = [(order(row), row["attributes"])]
            for time, attributes in row["exceptions"] if signal == "traces" else of_log:
                kind, message = (attributes.get(f"exception.{name}") for name in ("type", "message"))
                if kind is not None or message is not None:
                    found.append(
                        {
                            "time": time,
                            "type": kind or "",
                            "message": message or "",
                            "row": row,
                            "signal": signal,
                            "escaped": attributes.get("exception.escaped") == "true",
                        }
                    )
    return found


def exceptions(words: list[tuple[str, str]], now: int, directory: Directory) -> list[tuple[Any, ...]]:
    """List them, the latest first if nobody says otherwise."""
    given = dict(words)

    def hexed(value: bytes | None) -> str | None:
        return None if value is None else value.hex()

    found = [
        (
            one["time"],
            service_of(one["row"]),
            one["type"],
            one["message"],
            hexed(one["row"]["trace_id"]),
            hexed(one["row"]["span_id"]),
            one["row"].get("name"),
            one["signal"],
            one["escaped"],
        )
        for one in told(words, now, directory)
    ]
    found.sort(key=lambda one: (one[0], one[4] or "", one[5] or "", one[3]), reverse=given.get("order") != "oldest")
    return [(rfc3339(one[0]), *one[1:]) for one in found[: int(given.get("limit", "100"))]]


def errors(words: list[tuple[str, str]], now: int, directory: Directory) -> dict[tuple[str, str], Any]:
    """By type and message: how many, in which services, the first and the latest time, and how many came when."""
    import series

    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for one in told(words, now, directory):
        # What is made up has numbers and no ids in it.
        groups[one["type"], re.sub(r"\d+", "<n>", one["message"])].append(one)
    seconds = [one["time"] // SECOND for found in groups.values() for one in found] or [0]
    step = series.readable(max(seconds) - min(seconds)) * SECOND
    return {
        key: (
            len(found),
            sorted({service_of(one["row"]) for one in found}),
            rfc3339(min(one["time"] for one in found)),
            rfc3339(max(one["time"] for one in found)),
            sorted(Counter(rfc3339(one["time"] // step * step) for one in found).items()),
        )
        for key, found in groups.items()
    }


def overrepresented(words: list[tuple[str, str]], now: int, directory: Directory) -> Any:
    """Values that are more frequent among the rows that match, by three standard errors."""
    given = dict(words)
    signal = given.get("signal", "traces")
    rest = [pair for pair in words if pair[0] not in ("signal", "against", "limit", "order")]
    chosen = Filter(rest, signal, now).rows(directory)
    against = given.get("against")
    if against is None:
        words_of_all = [pair for pair in rest if pair[0] in ("from", "to", "service")]
    elif ".." in against:
        words_of_all = [pair for pair in zip(("from", "to"), against.split(".."), strict=True) if pair[1]]
    else:
        words_of_all = [tuple(against.split("=", 1))]
    everything = Filter(words_of_all, signal, now).rows(directory)
    selected, all_rows = len(chosen), len(everything)
    others = all_rows - selected if against is None else all_rows
    known, found = counted(everything, signal), []
    for key, count in counted(chosen, signal).items():
        having = known[key] - count if against is None else known[key]
        if not selected or not others:
            break
        share, others_share = count / selected, having / others
        pooled = (count + having) / (selected + others)
        error = math.sqrt(pooled * (1.0 - pooled) * (1.0 / selected + 1.0 / others))
        score = (share - others_share) / error if error > 0.0 else 0.0
        if score >= 3.0:
            found.append((*key, count, share, having, others_share, score))
    found.sort(key=lambda one: (-(one[3] - one[5]), one[0].encode(), one[1].encode()))
    return selected, others, found[: int(given.get("limit", "20"))]


def counted(rows: list[Row], signal: str) -> Counter[tuple[str, str]]:
    counts: Counter[tuple[str, str]] = Counter()
    columns = ("service", "name", "kind", "status") if signal == "traces" else ("service", "name", "severity")
    for row in rows:
        pairs = [(column, grouped(row, column, signal)) for column in columns]
        pairs += [(f"attr:{key}", value) for key, value in row["attributes"].items()]
        pairs += [(f"resource:{key}", value) for key, value in row["resource"].items() if key != "service.name"]
        counts.update((by, value) for by, value in pairs if value is not None)
    return counts


def order(row: Row) -> int:
    return int(row["key"][0])

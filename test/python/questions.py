"""An independent answer to every question, computed in Python over what pyarrow reads from the same directory."""

from __future__ import annotations

import json
import math
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc

Row = dict[str, Any]
SECOND = 1_000_000_000
SIGNALS = ("traces", "logs", "metrics")
LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"]


def batches(path: Path) -> Iterator[pa.RecordBatch]:
    """What a tool sees: of a live file everything up to its last whole commit."""
    with pa.OSFile(str(path)) as file:
        if path.suffix == ".arrow":
            reader = pa.ipc.open_file(file)
            yield from (reader.get_batch(at) for at in range(reader.num_record_batches))
            return
        try:
            yield from pa.ipc.open_stream(file)
        except (OSError, pa.ArrowInvalid):
            return


class Raw(str):
    """JSON that is kept as it is written."""


def resource_texts(text: str | None) -> dict[str, str | None]:
    if text is None:
        return {}
    values: dict[str, str | None] = {}
    for key, value in json.loads(text, object_pairs_hook=list, parse_float=Raw, parse_int=Raw):
        if key in values:
            continue
        if value is None or isinstance(value, str):
            values[key] = value
        elif isinstance(value, bool):
            values[key] = "true" if value else "false"
        else:
            # A list that has no pairs in it is an array of scalars here.
            items = [item if isinstance(item, Raw) else json.dumps(item, ensure_ascii=False) for item in value]
            values[key] = "[" + ",".join(items) + "]"
    return values


def number(text: str | None) -> int | float | None:
    if text is None or re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", text) is None:
        return None
    return int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text)


@dataclass
class Directory:
    """Everything in one output directory, in Python values."""

    rows: dict[str, list[Row]]

    @classmethod
    def read(cls, directory: Path) -> Directory:
        while True:
            try:
                return cls({signal: list(cls.read_signal(directory, signal)) for signal in SIGNALS})
            except FileNotFoundError:
                continue  # A file of the writer that was killed was sealed meanwhile: it has another name now.

    @staticmethod
    def read_signal(directory: Path, signal: str) -> Iterator[Row]:
        files: dict[str, Path] = {}
        for path in sorted((directory / "otlp" / signal).glob("*.arrow*")):
            # Where both forms of a stem are there, the sealed one counts.
            if path.stem not in files or path.suffix == ".arrow":
                files[path.stem] = path
        for stem, path in files.items():
            created, writer, sequence = stem.rsplit("-", 2)
            at = 0
            for batch in batches(path):
                times = [batch.column(name).cast(pa.int64()).to_pylist() for name in time_columns(signal)]
                # pandas is not asked for: nanoseconds are numbers here.
                keep = [name for name in batch.schema.names if not pa.types.is_timestamp(batch.schema.field(name).type)]
                keep = [name for name in keep if name not in ("events", "links", "exemplars")]
                told = exceptions_of(batch.column("events")) if signal == "traces" else [None] * batch.num_rows
                for row, events, *stamps in zip(batch.select(keep).to_pylist(), told, *times, strict=True):
                    row["exceptions"] = events
                    row["times"] = [stamp if stamp is None or stamp >= 0 else stamp + 2**64 for stamp in stamps]
                    row["key"] = (
                        order_time(row, signal),
                        int(writer, 16),
                        int(sequence),
                        at,
                    )
                    row["place"] = (created, int(sequence), at)
                    row["attributes"] = dict(row["attributes"])
                    row["resource"] = resource_texts(row["resource_attributes"])
                    at += 1
                    yield row


def time_columns(signal: str) -> list[str]:
    columns = {"traces": ["start_time", "end_time"], "metrics": ["start_time", "time"]}
    return columns.get(signal, ["time", "observed_time"])


def exceptions_of(column: pa.Array) -> list[list[tuple[int, dict[str, str | None]]]]:
    """Take the events of each span that tell of exceptions: time and attributes."""
    events = column.values
    times = events.field("time").cast(pa.int64()).to_pylist()
    names, attributes = events.field("name").to_pylist(), events.field("attributes").to_pylist()
    offsets = column.offsets.to_pylist()
    told = [(time, dict(values)) for time, values in zip(times, attributes, strict=True)]
    return [[told[at] for at in range(begin, end) if names[at] == "exception"] for begin, end in pairwise(offsets)]


def own_time(row: Row, signal: str) -> int | None:
    first, second = row["times"]
    if signal == "metrics":
        return second
    return first if signal == "traces" or first is not None else second


def order_time(row: Row, signal: str) -> int:
    return own_time(row, signal) or 0


# -- filters --


def text_test(tests: list[str]) -> Callable[[str], bool]:
    def one(test: str, text: str) -> bool:
        negated = test.startswith("!")
        wanted = test[1:] if negated else test
        if wanted.startswith("~"):
            holds = re.search(wanted[1:], text) is not None
        else:
            holds = (json.loads(wanted) if wanted[:1] == '"' else wanted) == text
        return holds != negated

    if all(test.startswith("!") for test in tests):
        return lambda text: all(one(test, text) for test in tests)
    return lambda text: any(one(test, text) for test in tests)


def condition(text: str) -> Callable[[dict[str, str | None]], bool]:
    found = re.fullmatch(r"(!?)([^=<>~!]+)(?:(!=|!~|>=|<=|=|~|>|<)(.*))?", text, re.S)
    assert found is not None, text
    absent, key, sign, value = found.groups()
    if sign is None:
        return (lambda values: key not in values) if absent else (lambda values: key in values)
    if sign in ("=", "!="):
        return lambda values: (values.get(key) is not None and values[key] == value) != (sign == "!=")
    if sign in ("~", "!~"):
        expression = re.compile(value)

        def like(values: dict[str, str | None]) -> bool:
            have = values.get(key)
            return (have is not None and expression.search(have) is not None) != (sign == "!~")

        return like
    bound = number(value)
    assert bound is not None
    compare = {
        ">": lambda have: have > bound,
        ">=": lambda have: have >= bound,
        "<": lambda have: have < bound,
        "<=": lambda have: have <= bound,
    }[sign]

    def ordered(values: dict[str, str | None]) -> bool:
        have = number(values.get(key))
        return have is not None and compare(have)

    return ordered


def duration(text: str) -> int:
    found = re.fullmatch(r"(\d+)(ns|us|ms|s|m|h|d)", text)
    assert found is not None
    units = {
        "ns": 1,
        "us": 10**3,
        "ms": 10**6,
        "s": 10**9,
        "m": 60 * 10**9,
        "h": 3600 * 10**9,
        "d": 86400 * 10**9,
    }
    return int(found[1]) * units[found[2]]


def severity(text: str) -> Callable[[int], bool]:
    found = re.fullmatch(r"(>=|<=|>|<)?([a-z]+|\d+)", text)
    assert found is not None
    sign, level = found.groups()
    first = last = int(level) if level.isdigit() else 1 + 4 * LEVELS.index(level)
    last += 0 if level.isdigit() else 3
    return {
        None: lambda have: first <= have <= last,
        ">=": lambda have: have >= first,
        "<=": lambda have: have <= last,
        ">": lambda have: have > last,
        "<": lambda have: have < first,
    }[sign]


def lower(text: str) -> str:
    return "".join(c.lower() if c.isascii() else c for c in text)


def searched_texts(row: Row, signal: str) -> list[str]:
    if signal == "logs":
        return [] if row["body"] is None else [row["body"]]
    values = [value for value in row["attributes"].values() if value is not None]
    return [
        row["name"],
        *([] if row["status_message"] is None else [row["status_message"]]),
        *values,
    ]


class Filter:
    """The words of a question as one test of a row."""

    def __init__(self, words: list[tuple[str, str]], signal: str, now: int) -> None:
        given: dict[str, list[str]] = defaultdict(list)
        for name, value in words:
            given[name].append(value)
        self.signal = signal
        self.tests: list[Callable[[Row], bool]] = []
        self.newest = given["order"] != ["oldest"]
        self.limit = int(given["limit"][0]) if given["limit"] else None
        moment = {name: now - duration(given[name][0][1:]) for name in ("from", "to") if given[name]}
        if moment:
            begin, end = moment.get("from", 0), moment.get("to", 2**64 - 1)
            self.add(lambda row: (time := own_time(row, signal)) is not None and begin <= time < end)
        texts = {
            "service": "service_name",
            "name": {"traces": "name", "metrics": "metric_name"}.get(signal, "event_name"),
        }
        texts |= {"kind": "metric_type" if signal == "metrics" else "kind", "status": "status_code"}
        for word, column in texts.items():
            if given[word]:
                self.text(text_test(given[word]), column, "unset" if word == "status" else "")
        for word, sign in (("min_duration", 1), ("max_duration", -1)):
            if given[word]:
                self.took(duration(given[word][0]), sign)
        if given["severity"]:
            self.level(severity(given["severity"][0]))
        ignore = given["ignore_case"] == ["true"]
        for wanted in given["text"]:
            self.contains(wanted, ignore)
        if given["regex"]:
            self.matches(re.compile(given["regex"][0], re.IGNORECASE if ignore else 0))
        for word, column in (("trace", "trace_id"), ("span", "span_id")):
            if given[word]:
                self.begins(given[word][0], column)
        for word, column in (("attr", "attributes"), ("resource", "resource")):
            for text in given[word]:
                self.has(condition(text), column)

    def add(self, test: Callable[[Row], bool]) -> None:
        self.tests.append(test)

    def text(self, test: Callable[[str], bool], column: str, absent: str) -> None:
        self.add(lambda row: test(absent if row[column] is None else row[column]))

    def took(self, bound: int, sign: int) -> None:
        self.add(lambda row: sign * row["duration"] >= sign * bound)

    def level(self, test: Callable[[int], bool]) -> None:
        self.add(lambda row: test(row["severity_number"] or 0))

    def contains(self, wanted: str, ignore: bool) -> None:
        if ignore:
            self.add(lambda row: any(lower(wanted) in lower(text) for text in searched_texts(row, self.signal)))
        else:
            self.add(lambda row: any(wanted in text for text in searched_texts(row, self.signal)))

    def matches(self, expression: re.Pattern[str]) -> None:
        self.add(lambda row: any(expression.search(text) for text in searched_texts(row, self.signal)))

    def begins(self, digits: str, column: str) -> None:
        self.add(lambda row: row[column] is not None and row[column].hex().startswith(digits))

    def has(self, test: Callable[[dict[str, str | None]], bool], column: str) -> None:
        self.add(lambda row: test(row[column]))

    def rows(self, directory: Directory) -> list[Row]:
        return [row for row in directory.rows[self.signal] if all(test(row) for test in self.tests)]

    def ordered(self, directory: Directory) -> list[Row]:
        return sorted(self.rows(directory), key=lambda row: row["key"], reverse=self.newest)


# -- questions --


def number_of(row: Row) -> str:
    return row["attributes"]["n"]


def grouped(row: Row, by: str, signal: str) -> str | None:
    if by == "service":
        return row["service_name"]
    if by == "name":
        return row["name"] if signal == "traces" else row["event_name"]
    if by == "kind":
        return row["kind"]
    if by == "status":
        return row["status_code"] or "unset"
    if by == "severity":
        level = row["severity_number"] or 0
        return LEVELS[(level - 1) // 4] if 1 <= level <= 24 else None
    if by.startswith("resource:"):
        return row["resource"].get(by.removeprefix("resource:"))
    return row["attributes"].get(by.removeprefix("attr:"))


def most_frequent(counts: Counter[str | None]) -> list[tuple[str | None, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0] is not None, pair[0] or ""))


def percentile(values: list[int], share: float) -> int:
    return values[max(1, math.ceil(share * len(values))) - 1]


def services(rows: list[Row]) -> list[Row]:
    by_name: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_name[row["service_name"] or ""].append(row)
    answer = []
    for name, spans in sorted(by_name.items(), key=lambda pair: pair[0].encode()):
        served = [span for span in spans if span["kind"] in ("server", "consumer")]
        requests = served or [span for span in spans if span["parent_span_id"] is None]
        took = sorted(span["duration"] for span in requests)
        answer.append(
            {
                "name": name,
                "spans": len(spans),
                "requests": len(requests),
                "errors": sum(span["status_code"] == "error" for span in requests),
                "p50": percentile(took, 0.5) if took else None,
                "p95": percentile(took, 0.95) if took else None,
                "p99": percentile(took, 0.99) if took else None,
            }
        )
    return answer


def summary(trace: bytes, all_spans: list[Row], matching: list[Row]) -> Row:
    def once(rows: list[Row]) -> dict[tuple[bytes, int], Row]:
        # Of a span that came twice the last one counts.
        last = sorted(
            (row for row in rows if row["trace_id"] == trace),
            key=lambda row: row["key"],
        )
        return {(row["span_id"], row["times"][0]): row for row in last}

    spans = once(all_spans)
    known = {span for span, _ in spans}

    def rank(pair: tuple[tuple[bytes, int], Row]) -> tuple[int, int, bytes]:
        (span, start), row = pair
        parent = row["parent_span_id"]
        return (0 if parent is None else 1 if parent not in known else 2, start, span)

    _, root = min(spans.items(), key=rank)
    start = min(start for _, start in spans)
    end = max(row["times"][1] for row in all_spans if row["trace_id"] == trace)
    return {
        "trace_id": trace.hex(),
        "root_service": root["service_name"] or "",
        "root_name": root["name"],
        "duration": max(0, end - start),
        "spans": len(spans),
        "errors": sum(row["status_code"] == "error" for row in spans.values()),
        "matched": len(once(matching)),
        "services": dict(sorted(Counter(row["service_name"] or "" for row in spans.values()).items())),
    }


def search(chosen: Filter, directory: Directory) -> list[Row]:
    matching = chosen.ordered(directory)
    ids: list[bytes] = []
    for row in matching:
        if row["trace_id"] is not None and row["trace_id"] not in ids:
            ids.append(row["trace_id"])
    limit = chosen.limit or 20
    return [summary(trace, directory.rows["traces"], matching) for trace in ids[:limit]]


def trace(digits: str, directory: Directory) -> Row:
    spans = sorted(
        (
            row
            for row in directory.rows["traces"]
            if row["trace_id"] is not None and row["trace_id"].hex().startswith(digits)
        ),
        key=lambda row: row["key"],
    )
    last = {(row["span_id"], row["times"][0]): row for row in spans}
    known = {row["span_id"] for row in last.values()}
    return {
        "numbers": sorted(number_of(row) for row in last.values()),
        "duplicates": len(spans) - len(last),
        "missing": sorted(
            {row["parent_span_id"].hex() for row in last.values() if row["parent_span_id"] is not None}
            - {span.hex() for span in known}
        ),
        "logs": [
            number_of(row)
            for row in sorted(directory.rows["logs"], key=lambda row: row["key"])
            if row["trace_id"] is not None and row["trace_id"].hex().startswith(digits)
        ],
    }


def shown(question: str, answer: Row) -> Any:
    """What of an answer is compared."""
    match question:
        case "spans" | "logs":
            return [record["attributes"]["n"] for record in answer[question]]
        case "traces":
            return [{key: value for key, value in trace.items() if key != "start_time"} for trace in answer["traces"]]
        case "trace":
            return {
                "numbers": sorted(str(span["attributes"]["n"]) for span in answer["spans"]),
                "duplicates": answer["duplicates"],
                "missing": sorted(answer["missing_parents"]),
                "logs": [str(record["attributes"]["n"]) for record in answer["logs"]],
            }
        case "counts":
            return [
                (
                    bucket["time"],
                    bucket["group"],
                    bucket.get("other", False),
                    bucket["count"],
                )
                for bucket in answer["buckets"]
            ]
        case "services":
            keys = ("name", "spans", "requests", "errors", "p50", "p95", "p99")
            return [{key: service[key] for key in keys} for service in answer["services"]]
        case "attributes":
            return {(found["of"], found["key"]): found["count"] for found in answer["attributes"]}
        case "map":
            keys = ("from", "to", "to_kind", "requests", "errors", "p50", "p95", "p99")
            return sorted(tuple(edge[key] for key in keys) for edge in answer["edges"] if edge["kind"] == "call")
        case "compare":
            keys = ("count", "errors", "total", "p50", "p95")
            return {
                (found["service"], found["name"], found["kind"]): (
                    found["change"],
                    round(found["impact"], 3),
                    [found[side] and tuple(found[side][key] for key in keys) for side in ("a", "b")],
                )
                for found in answer["operations"]
            }
        case "errors":
            return {
                (group["type"], group["message"]): (
                    group["count"],
                    sorted(name for name, _ in group["services"]),
                    group["first_seen"],
                    group["last_seen"],
                    [(bucket["time"], bucket["count"]) for bucket in group["trend"]],
                )
                for group in answer["errors"]
            }
        case "exceptions":
            keys = ("time", "service", "type", "message", "trace_id", "span_id", "span_name", "signal", "escaped")
            return [tuple(found.get(key) for key in keys) for found in answer["exceptions"]]
        case "overrepresented":
            keys = ("by", "value", "count", "share", "others", "others_share", "score")
            found = [tuple(value[key] for key in keys) for value in answer["values"]]
            return answer["selected"], answer["others"], found
        case "metrics":
            keys = ("name", "type", "unit", "temporality", "monotonic", "services", "series", "points", "last_value")
            keys += ("first_seen", "last_seen")
            return [{key: metric.get(key) for key in keys} for metric in answer["metrics"]]
        case "attribute_values":
            return answer["distinct"], [(found["value"], found["count"]) for found in answer["values"]]
        case _:
            return [
                (
                    facet["by"],
                    facet["distinct"],
                    [(value["value"], value["count"]) for value in facet["values"]],
                )
                for facet in answer["facets"]
            ]


def wanted(question: str, words: list[tuple[str, str]], now: int, directory: Directory) -> Any:
    """The same, computed here."""
    own = dict(words)
    if question == "trace":
        return trace(own["trace"], directory)
    if question in ("map", "compare", "errors", "exceptions", "overrepresented", "series"):
        import calls
        import series

        computed = {"map": calls.service_map, "compare": calls.compare, "errors": calls.errors}
        computed |= {"exceptions": calls.exceptions, "overrepresented": calls.overrepresented, "series": series.series}
        return computed[question](words, now, directory)
    signal = own.get("signal", question if question in SIGNALS[1:] else "traces")
    chosen = Filter(words, signal, now)
    if question in ("spans", "logs"):
        return [int(number_of(row)) for row in chosen.ordered(directory)[: chosen.limit or 100]]
    if question == "traces":
        return search(chosen, directory)
    rows = chosen.rows(directory)
    match question:
        case "services":
            return services(rows)[: chosen.limit]
        case "metrics":
            import series

            return series.metrics(rows)[: chosen.limit]
        case "counts":
            return counts(rows, own, chosen, signal)
        case "attributes":
            of_records = Counter(key for row in rows for key in row["attributes"])
            of_resources = Counter(key for row in rows for key in row["resource"])
            keys = {("record", key): count for key, count in of_records.items()}
            return keys | {("resource", key): count for key, count in of_resources.items()}
        case "attribute_values":
            values = Counter(grouped(row, own["key"], signal) for row in rows)
            found = [
                (value, count)
                for value, count in most_frequent(values)
                if value is not None and value.startswith(own.get("prefix", ""))
            ]
            return len(found), found[: chosen.limit or 100]
        case _:
            facets = []
            for by in [value for name, value in words if name == "by"]:
                values = Counter(grouped(row, by, signal) for row in rows)
                shown_by = by if ":" in by or "." not in by else f"attr:{by}"
                facets.append(
                    (
                        shown_by,
                        sum(value is not None for value in values),
                        most_frequent(values)[: chosen.limit or 10],
                    )
                )
            return facets


def counts(
    rows: list[Row], own: dict[str, str], chosen: Filter, signal: str
) -> list[tuple[str, str | None, bool, int]]:
    step = duration(own["step"])
    groups: dict[str | None, Counter[int]] = defaultdict(Counter)
    for row in rows:
        time = own_time(row, signal)
        if time is not None:
            groups[grouped(row, own["by"], signal) if "by" in own else None][time // step * step] += 1
    ranked = [
        group for group, _ in most_frequent(Counter({group: sum(times.values()) for group, times in groups.items()}))
    ]
    most = chosen.limit or 10
    cells: Counter[tuple[int, int]] = Counter()
    for rank, group in enumerate(ranked):
        for time, count in groups[group].items():
            cells[time, min(rank, most)] += count
    return [
        (rfc3339(time), None if rank == most else ranked[rank], rank == most, count)
        for (time, rank), count in sorted(cells.items())
    ]


def rfc3339(time: int) -> str:
    import datetime

    moment = datetime.datetime.fromtimestamp(time // SECOND, datetime.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time % SECOND:09d}Z"


# -- made-up telemetry and questions --

SERVICES = ["checkout", "cart", "payment", None, "Ünïcode ☃"]
NAMES = ["GET /", "POST /cart", "charge card", "SELECT orders", ""]
WORDS = [
    "timeout",
    "after",
    "card",
    "Declined",
    "order",
    "übergröße",
    "10",
    "ms",
    "user:7",
    "(retry)",
    "\n",
    "tab\t",
]
KEYS = [
    "http.route",
    "http.response.status_code",
    "retry",
    "ratio",
    "user.id",
    "tags",
    "empty",
]
PERIOD = 7200


def value(random: random.Random, key: str) -> Row | None:
    match key:
        case "http.route":
            return {"stringValue": random.choice(["/", "/cart", "/orders/{id}", "/api/v1/users"])}
        case "http.response.status_code":
            return {"intValue": str(random.choice([200, 201, 404, 500, 503, 2**62]))}
        case "retry":
            return {"boolValue": random.random() < 0.5}
        case "ratio":
            return {"doubleValue": random.choice([0.5, 0.25, 100.0, -3.75, 1e300])}
        case "user.id":
            return {"stringValue": f"{random.randrange(40)}"}
        case "tags":
            return {
                "arrayValue": {"values": [{"stringValue": random.choice("abc")} for _ in range(random.randrange(3))]}
            }
        case _:
            return {}


def attributes(random: random.Random, record: int) -> list[Row]:
    keys = random.sample(KEYS, random.randrange(len(KEYS) + 1))
    pairs = [{"key": key, "value": value(random, key)} for key in keys]
    pairs.insert(
        random.randrange(len(pairs) + 1),
        {"key": "n", "value": {"intValue": str(record)}},
    )
    return pairs


def resource(random: random.Random, service: str | None) -> Row:
    pairs = [] if service is None else [{"key": "service.name", "value": {"stringValue": service}}]
    if random.random() < 0.7:
        pairs.append(
            {
                "key": "host.name",
                "value": {"stringValue": random.choice(["a.example", "b.example"])},
            }
        )
    if random.random() < 0.5:
        pairs.append({"key": "host.cpus", "value": {"intValue": str(random.choice([2, 8, 64]))}})
    if random.random() < 0.3:
        pairs.append(
            {
                "key": "flags",
                "value": {"arrayValue": {"values": [{"stringValue": "x"}, {"intValue": "1"}]}},
            }
        )
    return {"attributes": pairs}


class Telemetry:
    """Requests of made-up records. Each record has a number of its own; few traces, so that they have many spans."""

    def __init__(self, random: random.Random, now: int) -> None:
        self.random = random
        self.now = now
        self.record = 0
        self.traces = [f"{random.getrandbits(128):032x}" for _ in range(25)]
        self.spans: list[tuple[str, str, int]] = []
        from series import Meters

        self.meters = Meters(random, now, PERIOD, lambda: resource(random, random.choice(SERVICES)))

    def ids(self) -> tuple[str, str]:
        return self.random.choice(self.traces), f"{self.random.getrandbits(64):016x}"

    def span(self) -> Row:
        random = self.random
        self.record += 1
        trace, span = self.ids()
        start = self.now - random.randrange(PERIOD * SECOND)
        if self.spans and random.random() < 0.05:
            trace, span, start = random.choice(self.spans)
        self.spans.append((trace, span, start))
        row = {
            "traceId": trace,
            "spanId": span,
            "name": random.choice(NAMES),
            "kind": random.randrange(6),
            "startTimeUnixNano": str(start),
            "endTimeUnixNano": str(start + random.choice([0, 1, 10**6, random.randrange(3 * SECOND)])),
            "attributes": attributes(random, self.record),
        }
        siblings = [other for of, other, _ in self.spans if of == trace and other != span]
        match random.randrange(4):
            case 0:
                pass
            case 1:
                row["parentSpanId"] = f"{random.getrandbits(64):016x}"
            case _ if siblings:
                row["parentSpanId"] = random.choice(siblings)
        if row["kind"] in (3, 4) and random.random() < 0.7:
            name = random.choice(["peer.service", "server.address", "db.system.name", "messaging.destination.name"])
            peer = random.choice(["orders", "cart", "postgresql"])
            row["attributes"].append({"key": name, "value": {"stringValue": peer}})
        if random.random() < 0.2:
            row["events"] = [self.event(start) for _ in range(random.randrange(1, 3))]
        if random.random() < 0.4:
            row["status"] = {
                "code": random.randrange(3),
                "message": self.text() if random.random() < 0.5 else "",
            }
        return row

    def text(self) -> str:
        return " ".join(self.random.choice(WORDS) for _ in range(self.random.randrange(8)))

    def exception(self) -> list[Row]:
        """Make the attributes of one, some of them."""
        random = self.random
        kind = random.choice(["Timeout", "Declined", "Gone"])
        message = random.choice(["no answer in {} ms", "card {} declined", "gone"])
        message = message.format(random.randrange(2000))
        pairs = [("exception.type", kind), ("exception.message", message)]
        found = [{"key": key, "value": {"stringValue": value}} for key, value in pairs if random.random() < 0.9]
        if random.random() < 0.2:
            found.append({"key": "exception.escaped", "value": {"boolValue": random.random() < 0.5}})
        return found

    def event(self, start: int) -> Row:
        name = self.random.choice(["exception", "exception", "retried"])
        time = start + self.random.randrange(SECOND)
        return {"name": name, "timeUnixNano": str(time), "attributes": self.exception()}

    def log(self) -> Row:
        random = self.random
        self.record += 1
        time = self.now - random.randrange(PERIOD * SECOND)
        row: Row = {
            "attributes": attributes(random, self.record),
            "severityNumber": random.randrange(25),
        }
        if random.random() < 0.3:
            row["attributes"] += self.exception()
        if random.random() < 0.8:
            row["timeUnixNano"] = str(time)
        if random.random() < 0.8:
            row["observedTimeUnixNano"] = str(time + 1)
        if random.random() < 0.9:
            row["body"] = {"stringValue": self.text()}
        if random.random() < 0.5:
            row["traceId"], row["spanId"] = self.ids()
        if random.random() < 0.2:
            row["eventName"] = random.choice(["click", "scroll"])
        return row

    def request(self, signal: str) -> str:
        random = self.random
        if signal == "metrics":
            return json.dumps({"signal": signal, "otlp": self.meters.request()})
        groups = []
        for _ in range(random.randrange(1, 4)):
            records = [self.span() if signal == "traces" else self.log() for _ in range(random.randrange(1, 20))]
            of = resource(random, random.choice(SERVICES))
            if signal == "traces":
                groups.append(
                    {
                        "resource": of,
                        "scopeSpans": [{"scope": {"name": "s"}, "spans": records}],
                    }
                )
            else:
                groups.append(
                    {
                        "resource": of,
                        "scopeLogs": [{"scope": {"name": "s"}, "logRecords": records}],
                    }
                )
        name = "resourceSpans" if signal == "traces" else "resourceLogs"
        return json.dumps({"signal": signal, "otlp": {name: groups}})


class Questions:
    """Random questions."""

    def __init__(self, random: random.Random, directory: Directory) -> None:
        self.random = random
        self.ids = [row["trace_id"].hex() for row in directory.rows["traces"]]

    def condition(self, resource: bool) -> str:
        pick = self.random.choice
        if resource:
            return pick(
                [
                    "host.name=a.example",
                    "host.name!=a.example",
                    "host.cpus>2",
                    "host.cpus<=8",
                    "!host.name",
                    "flags",
                    'flags=["x",1]',
                    "host.name~^b",
                    "service.name!~c",
                ]
            )
        return pick(
            [
                "http.route=/cart",
                "http.route!=/cart",
                "http.route",
                "!http.route",
                "http.route~^/(api|cart)",
                "http.route!~/c",
                "http.response.status_code>=500",
                "http.response.status_code<300",
                "http.response.status_code=404",
                "http.response.status_code>1e18",
                "retry=true",
                "ratio<0.5",
                "ratio>=0.25",
                "ratio=100",
                "ratio=0.5",
                f"user.id={self.random.randrange(45)}",
                "user.id>20",
                "user.id~^1",
                'tags=["a","b"]',
                "tags~a",
                "empty",
                "!empty",
                "empty=",
                "empty!=",
                "nobody.has.this",
                "!nobody.has.this",
                f"n<{self.random.randrange(2000)}",
            ]
        )

    def words(self, signal: str) -> list[tuple[str, str]]:
        random, pick = self.random, self.random.choice
        some: list[tuple[str, str]] = []

        def perhaps(share: float, *pairs: tuple[str, str]) -> None:
            if random.random() < share:
                some.extend(pairs)

        services = [
            "checkout",
            "cart",
            "!payment",
            "~^c",
            "!~a",
            '""',
            '!""',
            "Ünïcode ☃",
            "nobody",
        ]
        perhaps(0.25, *(("service", pick(services)) for _ in range(random.randrange(1, 3))))
        perhaps(0.2, ("attr", self.condition(False)))
        perhaps(0.1, ("attr", self.condition(False)))
        perhaps(0.1, ("resource", self.condition(True)))
        perhaps(
            0.1,
            (
                "text",
                pick(
                    [
                        "timeout",
                        "card",
                        "r D",
                        "er",
                        "ü",
                        "\n",
                        "10 ms",
                        "(retry)",
                        "nowhere",
                    ]
                ),
            ),
        )
        perhaps(
            0.05,
            ("text", pick(["DECLINED", "TIMEOUT", "ÜBER"])),
            ("ignore_case", "true"),
        )
        perhaps(
            0.1,
            (
                "regex",
                pick(
                    [
                        "timeout.*card",
                        "^card",
                        "ms$",
                        "user:[0-9]",
                        "[A-Z]",
                        "(after|order) ",
                        "x*",
                    ]
                ),
            ),
        )
        begin, end = sorted(random.sample(range(PERIOD + 100), 2), reverse=True)
        perhaps(0.25, ("from", f"-{begin}s"))
        perhaps(0.25, ("to", f"-{end}s"))
        perhaps(0.05, ("trace", pick(self.ids)[: pick([4, 5, 12, 32])]))
        if signal == "traces":
            perhaps(0.15, ("name", pick(["GET /", "!GET /", "~card|cart", '""', "nothing"])))
            perhaps(
                0.15,
                *(
                    ("kind", pick(["server", "client", "!internal", "unspecified"]))
                    for _ in range(random.randrange(1, 3))
                ),
            )
            perhaps(0.15, ("status", pick(["error", "ok", "unset", "!error"])))
            perhaps(0.15, ("min_duration", pick(["1ns", "1ms", "500ms", "2s"])))
            shortest = dict(some).get("min_duration", "1ns")
            perhaps(
                0.1,
                (
                    "max_duration",
                    pick([most for most in ("1ms", "900ms", "2s") if duration(most) >= duration(shortest)]),
                ),
            )
        else:
            perhaps(
                0.3,
                (
                    "severity",
                    pick(
                        [
                            "error",
                            ">=warn",
                            "<info",
                            "<=debug",
                            ">error",
                            "17",
                            ">=9",
                            "<13",
                            "0",
                        ]
                    ),
                ),
            )
            perhaps(0.1, ("name", pick(["click", "!click", '""', "~l"])))
        return some

    def of_points(self, question: str) -> list[tuple[str, str]]:
        """Make the words of a question about metrics."""
        import series

        random, pick = self.random, self.random.choice
        words = [("service", pick(["checkout", "!cart", "~^c"]))] if random.random() < 0.2 else []
        words += (
            [("attr", pick(["http.route=/", "http.route", "!retry", "user.id>3"]))] if random.random() < 0.2 else []
        )
        words += [("resource", self.condition(True))] if random.random() < 0.1 else []
        begin, end = sorted(random.sample(range(PERIOD + 100), 2), reverse=True)
        words += [("from", f"-{begin}s")] if random.random() < 0.4 else []
        words += [("to", f"-{end}s")] if random.random() < 0.4 else []
        if question == "metrics":
            words += [("kind", pick(["sum", "gauge", "histogram", "summary"]))] if random.random() < 0.2 else []
            words += [("name", pick(["requests", "~e$", "!took"]))] if random.random() < 0.2 else []
            return words + ([("limit", pick(["1", "4", "1000"]))] if random.random() < 0.3 else [])
        metric = pick(list(series.NAMES))
        kind, _, monotonic = series.NAMES[metric]
        shows = series.SHOWS[
            "gauge" if kind == "gauge" or monotonic is False else "counter" if monotonic else "histogram"
        ]
        show = pick(shows) if random.random() < 0.8 else None
        if metric == "waited" and show in (None, "quantile"):
            show = "rate"  # Quantiles of exponential histograms are held against Prometheus.
        words += [("metric", metric), ("exemplars", "0")] + ([("show", show)] if show else [])
        words += [("step", pick(["7s", "1m", "10m", "1d"]))] if random.random() < 0.85 else []
        by = ["service", "name", "http.route", "attr:user.id", "resource:host.name"]
        words += [("by", word) for word in random.sample(by, random.randrange(3))]
        shown = show or shows[0]
        if shown not in ("quantile", "mean"):
            words += [("agg", pick(["sum", "avg", "min", "max", "count"]))] if random.random() < 0.4 else []
        elif shown == "quantile":
            words += [("quantile", share) for share in random.sample(["0", "0.5", "0.9", "1"], random.randrange(3))]
        return words + ([("top", pick(["1", "2", "5"]))] if random.random() < 0.3 else [])

    def one(self) -> tuple[str, list[tuple[str, str]]]:
        random, pick = self.random, self.random.choice
        question = pick(
            [
                "spans",
                "logs",
                "traces",
                "trace",
                "counts",
                "services",
                "attributes",
                "attribute_values",
                "facets",
                "map",
                "compare",
                "errors",
                "exceptions",
                "overrepresented",
                "metrics",
                "series",
            ]
        )
        if question == "trace":
            return question, [("trace", pick(self.ids)[: pick([8, 16, 32])])]
        if question in ("metrics", "series"):
            return question, self.of_points(question)
        signal = "logs" if question == "logs" else "traces"
        own: list[tuple[str, str]] = []
        if question in ("errors", "exceptions"):
            signal = pick(["traces", "logs"])
            own.extend([("signal", signal)] if random.random() < 0.7 else [])
        if question == "overrepresented":
            signal = pick(["traces", "logs"])
            own.append(("signal", signal))
            against = pick(["-2h..-1h", "service=checkout", "..-30m"])
            own.append(("against", against) if random.random() < 0.4 else ("attr", self.condition(False)))
        if question == "compare":
            sides = ["-2h..-1h", "-1h..", "..-30m", "service=checkout", "service=cart", "status=error"]
            own += [("a", pick(sides)), ("b", pick(sides)), ("limit", "5000")]
        if question in ("counts", "attributes", "attribute_values", "facets") and random.random() < 0.5:
            signal = "logs"
            own.append(("signal", signal))
        by = ["service", "name", "http.route", "attr:user.id", "resource:host.name"] + (
            ["kind", "status"] if signal == "traces" else ["severity"]
        )
        match question:
            case "counts":
                own.append(("step", pick(["1m", "7s", "10m", "1d"])))
                own.extend([("by", pick(by))] if random.random() < 0.6 else [])
            case "attribute_values":
                own.append(("key", pick(by)))
                own.extend([("prefix", pick(["/", "c", "1"]))] if random.random() < 0.3 else [])
            case "facets":
                own.extend(("by", word) for word in random.sample(by, random.randrange(1, 4)))
        words = own + self.words(signal)
        limited = ("spans", "logs", "traces", "attribute_values", "facets", "counts", "exceptions", "overrepresented")
        if question in limited and random.random() < 0.7:
            words.append(("limit", str(pick([1, 3, 10, 5000]))))
        if question in ("spans", "logs", "traces", "exceptions") and random.random() < 0.4:
            words.append(("order", pick(["newest", "oldest"])))
        random.shuffle(words)
        return question, words

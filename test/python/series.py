"""Metrics made up for the tests of questions, and what `metrics` and `series` tell of them, computed from the rows."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from questions import SECOND, Directory, Filter, Row, duration, rfc3339

LOOK_BACK = 300 * SECOND
HOUR = 3600 * SECOND
BOUNDS = [[0.5, 1.0, 5.0], [0.5, 1.0, 5.0], [1.0, 10.0]]
NAMES = {
    "requests": ("sum", 2, True),
    "bytes": ("sum", 1, True),
    "active": ("sum", 2, False),
    "queue": ("sum", 1, False),
    "temperature": ("gauge", 0, None),
    "took": ("histogram", 2, None),
    "size": ("histogram", 1, None),
    "waited": ("exponentialHistogram", 2, None),
    "rpc": ("summary", 0, None),
}
SHOWS = {
    "gauge": ["value"],
    "counter": ["rate", "increase", "value"],
    "histogram": ["quantile", "rate", "increase", "mean", "sum"],
}
STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600]


# -- made-up points --


@dataclass
class Meter:
    """One series of a program that runs, and is started anew now and then."""

    name: str
    resource: Row
    attributes: list[Row]
    bounds: list[float]
    start: int
    time: int
    knows_start: bool
    total: Any = 0
    counts: list[int] = field(default_factory=list)


class Meters:
    """Requests of points of a few series."""

    def __init__(self, random: random.Random, now: int, period: int, resource: Callable[[], Row]) -> None:
        self.random = random
        self.meters = [self.meter(name, now - period * SECOND, resource()) for name in NAMES for _ in range(3)]

    def meter(self, name: str, time: int, resource: Row) -> Meter:
        random = self.random
        keys = random.sample(["http.route", "user.id", "retry"], random.randrange(3))
        values = {
            "http.route": {"stringValue": random.choice(["/", "/cart"])},
            "user.id": random.choice([{"stringValue": "7"}, {"intValue": "7"}]),
            "retry": {"boolValue": random.random() < 0.5},
        }
        attributes = [{"key": key, "value": values[key]} for key in keys]
        time += random.randrange(1, 600 * SECOND)
        bounds = random.choice(BOUNDS)
        return Meter(name, resource, attributes, bounds, time - SECOND, time, random.random() < 0.7)

    def request(self) -> Row:
        groups = []
        for meter in self.random.sample(self.meters, self.random.randrange(2, 9)):
            kind, temporality, monotonic = NAMES[meter.name]
            points = [self.point(meter, kind, temporality) for _ in range(self.random.randrange(1, 6))]
            if self.random.random() < 0.1:
                points.append({**points[-1], **self.amount(meter, kind, temporality)})
            body: Row = {"dataPoints": points}
            if temporality:
                body["aggregationTemporality"] = temporality
            if monotonic is not None:
                body["isMonotonic"] = monotonic
            metric = {"name": meter.name, "unit": "1", "description": "made up", kind: body}
            groups.append({"resource": meter.resource, "scopeMetrics": [{"scope": {"name": "m"}, "metrics": [metric]}]})
        return {"resourceMetrics": groups}

    def point(self, meter: Meter, kind: str, temporality: int) -> Row:
        random = self.random
        before = meter.time
        meter.time += random.choice([1, random.randrange(1, 90 * SECOND), 10 * SECOND])
        if random.random() < 0.08:
            meter.start, meter.total, meter.counts = max(before, meter.time - random.randrange(1, 5 * SECOND)), 0, []
        row: Row = {"attributes": meter.attributes, "timeUnixNano": str(meter.time)}
        if temporality == 1:
            row["startTimeUnixNano"] = str(before if meter.knows_start else meter.time)
        elif meter.knows_start and kind != "gauge":
            row["startTimeUnixNano"] = str(meter.start)
        row |= self.amount(meter, kind, temporality)
        if random.random() < 0.05:
            row["flags"] = 1
        return row

    def amount(self, meter: Meter, kind: str, temporality: int) -> Row:
        """What a point says."""
        random = self.random
        if temporality == 1:
            meter.total, meter.counts = 0, []
        if kind in ("sum", "gauge"):
            grows = random.randrange(0, 2**40) if NAMES[meter.name][2] else random.randrange(-500, 700)
            meter.total += grows
            return {"asInt": str(meter.total)} if kind == "sum" else {"asDouble": random.randrange(-4000, 4000) / 64}
        buckets = len(meter.bounds) + 1 if kind == "histogram" else 4
        meter.counts = [count + random.choice([0, 0, random.randrange(20)]) for count in meter.counts or [0] * buckets]
        # What has no values has no sum.
        meter.total += random.randrange(64) / 8 if any(meter.counts) else 0.0
        row: Row = {"count": str(sum(meter.counts)), "sum": meter.total}
        if kind == "histogram":
            row |= {"bucketCounts": [str(count) for count in meter.counts], "explicitBounds": meter.bounds}
            if random.random() < 0.5:
                row |= {"min": 0.125, "max": 4.5}
        elif kind == "exponentialHistogram":
            row |= {"scale": 2, "positive": {"offset": -3, "bucketCounts": [str(count) for count in meter.counts]}}
        else:
            row["quantileValues"] = [
                {"quantile": share, "value": share * random.randrange(8)}
                for share in (0.5, 0.9)
                if random.random() < 0.9
            ]
        return row


# -- series --


@dataclass
class Point:
    """A point as rules see it."""

    start: int
    time: int
    value: Any

    def since(self) -> int | None:
        return self.start if 0 < self.start < self.time else None


@dataclass
class Steps:
    """A range in steps that end at multiples of their length."""

    begin: int
    to: int
    step: int

    def of(self, time: int) -> int:
        return -(-time // self.step)

    def end(self, step: int) -> int:
        return min(max(step * self.step, self.begin), self.to)

    def numbers(self) -> range:
        return range(self.of(self.begin + 1), self.of(self.to) + 1) if self.to > self.begin else range(0)


@dataclass
class Series:
    """The points of one series, in order of time, the last one of each time."""

    row: Row
    points: list[Point]

    @property
    def delta(self) -> bool:
        return bool(self.row["temporality"] == "delta")


def identity(row: Row) -> tuple[Any, ...]:
    letters = row["attribute_types"] or ""
    pairs = [
        (key, value, letters[at] if at < len(letters) else "s" if value is not None else "n")
        for at, (key, value) in enumerate(row["attributes"].items())
    ]
    names = ("metric_name", "unit", "metric_type", "temporality", "is_monotonic", "service_name", "resource_attributes")
    return (*(row[name] for name in names), tuple(sorted(pairs, key=repr)))


def value_of(row: Row) -> Any:
    if row["flags"] & 1:
        return None
    kind = row["metric_type"]
    if kind in ("sum", "gauge"):
        return row["value_int"] if row["value_int"] is not None else row["value"]
    value = {"count": row["count"] or 0, "sum": row["sum"]}
    if kind == "histogram":
        value |= {"bounds": row["explicit_bounds"] or [], "counts": row["bucket_counts"] or []}
        known = row["temporality"] == "delta"
        value |= {"min": row["min"] if known else None, "max": row["max"] if known else None}
    if kind == "exponential_histogram":
        # All that are made up have the same scale and offset.
        value["counts"] = row["positive_bucket_counts"] or []
    if kind == "summary":
        value["quantiles"] = {found["quantile"]: found["value"] for found in row["quantiles"] or []}
    return value


def series_of(rows: list[Row]) -> list[Series]:
    by_identity: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        by_identity[identity(row)].append(row)
    found = []
    for of in by_identity.values():
        last = {row["times"][1]: row for row in sorted(of, key=lambda row: (row["times"][1], row["place"]))}
        points = [Point(row["times"][0] or 0, time, value_of(row)) for time, row in last.items()]
        found.append(Series(of[0], points))
    return found


def metrics(rows: list[Row]) -> list[Row]:
    """What `metrics` lists."""
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[
            tuple(row[name] for name in ("metric_name", "metric_type", "unit", "temporality", "is_monotonic"))
        ].append(row)
    listed = []
    for (name, kind, unit, temporality, monotonic), of in groups.items():
        last = max(of, key=lambda row: (row["times"][1], row["place"]))
        value = value_of(last)
        value = value["count"] if isinstance(value, dict) else value
        times = [row["times"][1] for row in of]
        listed.append(
            {
                "name": name,
                "type": kind,
                "unit": unit or "",
                "temporality": temporality,
                "monotonic": monotonic,
                "services": sorted({row["service_name"] for row in of if row["service_name"] is not None}),
                "series": len({identity(row) for row in of}),
                "points": len(of),
                "last_value": None if value is None else float(value),
                "first_seen": rfc3339(min(times)),
                "last_seen": rfc3339(max(times)),
            }
        )
    return sorted(listed, key=lambda found: (found["name"], found["type"]))


def plus(a: Any, b: Any) -> Any:
    return None if a is None or b is None else a + b


def since(now: Any, before: Any) -> Any:
    """What came since an earlier value, "fell", or "unlike"."""
    if not isinstance(now, dict):
        return now - before if now >= before else "fell"
    lists = [name for name in ("bounds", "counts") if name in now]
    if now.get("bounds") != before.get("bounds"):
        return "unlike"
    if now["count"] < before["count"] or any(
        a < b for a, b in zip(now.get("counts", []), before.get("counts", []), strict=True)
    ):
        return "fell"
    grown = {**now, "min": None, "max": None, "count": now["count"] - before["count"]}
    grown["sum"] = None if now["sum"] is None or before["sum"] is None else now["sum"] - before["sum"]
    if "counts" in lists:
        grown["counts"] = [a - b for a, b in zip(now["counts"], before["counts"], strict=True)]
    return grown


def shared(value: Any, share: float) -> Any:
    if not isinstance(value, dict):
        return value * share
    part = {**value, "count": value["count"] * share, "sum": None if value["sum"] is None else value["sum"] * share}
    if "counts" in value:
        part["counts"] = [count * share for count in value["counts"]]
    return part


def increases(points: list[Point], delta: bool, steps: Steps) -> Iterator[tuple[int, Any, int]]:
    """What came within each step, and the nanoseconds it came in."""
    before: Point | None = None
    for point in points:
        if point.value is None or not steps.begin <= point.time <= steps.to:
            continue
        step, start = steps.of(point.time), point.since()
        if delta:
            if point.time == steps.begin:
                continue
            if start is None:
                yield step, point.value, 0
            elif start >= steps.end(step - 1):
                yield step, point.value, point.time - start
            else:
                for part in range(steps.of(max(start, steps.begin) + 1), step + 1):
                    covered = min(steps.end(part), point.time) - max(steps.end(part - 1), start)
                    yield part, shared(point.value, covered / (point.time - start)), covered
            continue
        if point.time != steps.begin:
            if before is None:
                if start is not None and start >= steps.begin:
                    yield step, point.value, point.time - start
            else:
                grown = since(point.value, before.value)
                anew = start is not None and (start > before.start if before.start else start >= before.time)
                if anew or grown == "fell":
                    yield step, point.value, point.time - before.time
                elif grown != "unlike":
                    yield step, grown, point.time - before.time
        before = point


def latest(points: list[Point], steps: Steps) -> dict[int, float]:
    found = {}
    for step in steps.numbers():
        end = steps.end(step)
        known = [point for point in points if point.time <= end]
        if known and known[-1].value is not None and end - known[-1].time < LOOK_BACK:
            found[step] = float(known[-1].value)
    return found


def quantile(histogram: Row, share: float) -> float | None:
    counts, bounds = histogram["counts"], histogram["bounds"]
    total = sum(counts)
    if total <= 0 or not bounds:
        return None
    below = 0.0
    filled = [at for at, count in enumerate(counts) if count > 0]
    for at in filled:
        if below + counts[at] >= share * total or at == filled[-1]:
            break
        below += counts[at]
    if at == len(bounds):
        value = bounds[-1]
    else:
        lower = bounds[at - 1] if at else 0.0
        value = lower + (bounds[at] - lower) * min(max((share * total - below) / counts[at], 0.0), 1.0)
    low, high = histogram.get("min"), histogram.get("max")
    value = low if low is not None and value < low else value
    return high if high is not None and value > high else value


def together(cells: dict[int, Row], step: int, grown: Row) -> None:
    if step not in cells:
        cells[step] = dict(grown)
        return
    cell = cells[step]
    cell["counts"] = [a + b for a, b in zip(cell["counts"], grown["counts"], strict=True)]
    for name, of in (("min", min), ("max", max)):
        ours, other = cell.get(name), grown.get(name)
        cell[name] = None if ours is None or other is None else of(ours, other)


def kind_of(row: Row) -> str:
    if row["metric_type"] in ("sum", "gauge"):
        return "counter" if row["metric_type"] == "sum" and row["is_monotonic"] else "gauge"
    return "histogram"


def readable(seconds: int) -> int:
    for step in STEPS:
        if seconds // step < 60:
            return step
    return math.ceil(math.ceil(seconds / 60) / 86_400) * 86_400


def range_of(all_series: list[Series], given: dict[str, str], now: int) -> Steps:
    first = min(one.points[0].time for one in all_series)
    last = max(one.points[-1].time for one in all_series)
    begins = min(one.points[0].since() or one.points[0].time for one in all_series)
    begins = first if first - begins > HOUR else min(begins, first)
    begin = now - duration(given["from"][1:]) if "from" in given else min(begins, first - 1)
    to = max(now - duration(given["to"][1:]) if "to" in given else last, begin + 1)
    if "step" in given:
        return Steps(begin, to, duration(given["step"]))
    apart = sorted(
        (one.points[-1].time - one.points[0].time) // (len(one.points) - 1) for one in all_series if len(one.points) > 1
    )
    typical = apart[len(apart) // 2] if apart else 0
    least = readable(max(-(-typical // SECOND) * 60 - 1, 0))
    return Steps(begin, to, max(readable((to - begin) // SECOND), least) * SECOND)


def series(words: list[tuple[str, str]], now: int, directory: Directory) -> list[tuple[Any, ...]]:
    """Compute all lines: labels, what is shown, the quantile, how many series, points, the number of the group."""
    given = dict(words)
    chosen = Filter([pair for pair in words if pair[0] not in ("from", "to", "limit")], "metrics", now)
    rows = [row for row in chosen.rows(directory) if row["metric_name"] == given["metric"]]
    if "from" in given:
        rows = [row for row in rows if row["times"][1] >= now - duration(given["from"][1:]) - LOOK_BACK]
    if "to" in given:
        rows = [row for row in rows if row["times"][1] <= now - duration(given["to"][1:])]
    all_series = series_of(rows)
    if not all_series:
        return []
    steps = range_of(all_series, given, now)
    kind = kind_of(all_series[0].row)
    quantiles = [float(value) for name, value in words if name == "quantile"]
    show = given.get("show") or ("quantile" if quantiles else SHOWS[kind][0])
    by = [value for name, value in words if name == "by"]
    groups: dict[Any, list[Series]] = defaultdict(list)
    for at, one in enumerate(all_series):
        groups[tuple(sorted(labels(one, by, given, all_series).items())), at if apart(given) else None].append(one)
    lines: list[tuple[Any, ...]] = []
    for number, ((label, _), members) in enumerate(groups.items()):
        for more, share, count, cells in shown_lines(show, quantiles or [0.5, 0.95, 0.99], members, steps, given):
            if cells:
                lines.append((dict(label) | more, show, share, count, values(cells, steps), number))
    return lines


def values(cells: dict[int, float], steps: Steps) -> list[tuple[str, float]]:
    return [(rfc3339(steps.end(step)), value) for step, value in sorted(cells.items())]


def apart(given: dict[str, str]) -> bool:
    return "by" not in given and "agg" not in given


def labels(one: Series, by: list[str], given: dict[str, str], all_series: list[Series]) -> dict[str, str]:
    row = one.row
    if apart(given):
        found = {} if row["service_name"] is None else {"service": row["service_name"]}
        found |= {key: value or "" for key, value in row["attributes"].items()}
        resources = [other.row["resource"] for other in all_series]
        for key in {key for of in resources for key in of} - {"service.name"}:
            if len({of.get(key, "nothing") for of in resources}) > 1 and row["resource"].get(key) is not None:
                found[f"resource:{key}"] = row["resource"][key]
        return found
    found = {}
    for word in by:
        if word == "service":
            value = row["service_name"]
        elif word == "name":
            value = row["metric_name"]
        elif word.startswith("resource:"):
            value = row["resource"].get(word.removeprefix("resource:"))
        else:
            value = row["attributes"].get(word.removeprefix("attr:"))
        if value is not None:
            found[word if ":" in word or "." not in word else f"attr:{word}"] = value
    return found


def shown_lines(
    show: str, quantiles: list[float], members: list[Series], steps: Steps, given: dict[str, str]
) -> Iterator[tuple[dict[str, str], float | None, int, dict[int, float]]]:
    """More labels, the quantile, how many series, and a value a step."""
    summary = members[0].row["metric_type"] == "summary"
    if show == "quantile" and summary:
        for one in members:
            known = sorted({share for point in one.points if point.value for share in point.value["quantiles"]})
            for share in known:
                if any(name == "quantile" for name in given) and share not in quantiles:
                    continue
                points = [
                    Point(point.start, point.time, point.value and point.value["quantiles"].get(share))
                    for point in one.points
                ]
                own = {key: value or "" for key, value in one.row["attributes"].items()} if len(members) > 1 else {}
                yield own, share, 1, latest(points, steps)
    elif show == "quantile":
        sets: dict[tuple[float, ...], dict[int, Row]] = defaultdict(dict)
        for one in members:
            for step, grown, _ in increases(one.points, one.delta, steps):
                together(sets[tuple(grown["bounds"])], step, grown)
        for share in quantiles:
            for bounds, cells in sets.items():
                found = {step: quantile(cell, share) for step, cell in cells.items()}
                text = ",".join(str(bound).removesuffix(".0") for bound in bounds)
                more = {"bounds": text} if len(sets) > 1 else {}
                yield more, share, len(members), {step: value for step, value in found.items() if value is not None}
    elif show == "mean":
        totals: dict[int, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for one in members:
            for step, amount, count in means(one, steps):
                totals[step][0] += amount
                totals[step][1] += count
        yield {}, None, len(members), {step: total / count for step, (total, count) in totals.items() if count > 0}
    else:
        combined: dict[int, list[float]] = defaultdict(list)
        for one in members:
            for step, value in of_one(show, one, steps).items():
                combined[step].append(value)
        how = given.get("agg") or ("avg" if show == "value" else "sum")
        combine = {
            "sum": math.fsum,
            "avg": lambda some: math.fsum(some) / len(some),
            "min": min,
            "max": max,
            "count": len,
        }
        yield {}, None, len(members), {step: float(combine[how](found)) for step, found in combined.items()}


def means(one: Series, steps: Steps) -> Iterator[tuple[int, float, float]]:
    if one.row["metric_type"] == "summary":
        for name in ("count", "sum"):
            for step, grown, _ in increases(part(one, name), one.delta, steps):
                yield (step, 0.0, grown) if name == "count" else (step, grown, 0.0)
        return
    for step, grown, _ in increases(one.points, one.delta, steps):
        if grown["sum"] is not None:
            yield step, grown["sum"], grown["count"]


def part(one: Series, name: str) -> list[Point]:
    return [Point(point.start, point.time, point.value and point.value[name]) for point in one.points]


def of_one(show: str, one: Series, steps: Steps) -> dict[int, float]:
    points = one.points
    if show == "value":
        if one.delta:
            total, running = 0, []
            for point in points:
                total += point.value or 0
                running.append(Point(point.start, point.time, None if point.value is None else total))
            points = running
        return latest(points, steps)
    name = "sum" if show == "sum" else "count"
    if one.row["metric_type"] == "summary":
        points = part(one, name)
    cells: dict[int, list[float]] = defaultdict(lambda: [0, 0])
    for step, grown, covered in increases(points, one.delta, steps):
        amount = grown[name] if isinstance(grown, dict) else grown
        if amount is not None:
            cells[step][0] += amount
            cells[step][1] += covered
    if show != "rate":
        return {step: float(amount) for step, (amount, _) in cells.items()}
    length = {step: covered or steps.end(step) - steps.end(step - 1) for step, (_, covered) in cells.items()}
    return {step: amount * 1e9 / max(length[step], 1) for step, (amount, _) in cells.items()}


def differs(answer: Row, expected: list[tuple[Any, ...]], words: list[tuple[str, str]]) -> str | None:
    """Tell what is wrong, if anything is: the groups with the greatest means are there, as many as were asked for."""
    rest, found = list(expected), []
    for line in answer["lines"]:
        points = [(point["time"], point["value"]) for point in line["points"]]
        told = (line["labels"], line["show"], line.get("quantile"), line["series"])
        match = next((other for other in rest if told == other[:4] and near(points, other[4])), None)
        if match is None:
            like = [other for other in rest if told[:3] == other[:3]]
            return f"a line that should not be: {told} {points}, rather {like}"
        rest.remove(match)
        found.append(match)
    if answer.get("left_out", 0) != len(rest):
        return f"{answer.get('left_out', 0)} left out, not {len(rest)}: {rest}"
    groups: dict[int, float] = defaultdict(lambda: -math.inf)
    for line in expected:
        groups[line[5]] = max(groups[line[5]], mean(line))
    shown = {line[5] for line in found}
    most = int(dict(words).get("top", "20"))
    if len(shown) != min(most, len(groups)) or shown & {line[5] for line in rest}:
        return f"{len(shown)} of {len(groups)} groups, or parts of one: {rest}"
    least = min((groups[number] for number in shown), default=math.inf)
    over = [mean for number, mean in groups.items() if number not in shown and mean > least + abs(least) * 1e-9 + 1e-9]
    return f"{over} are greater than {least} and left out" if over else None


def mean(line: tuple[Any, ...]) -> float:
    return sum(value for _, value in line[4]) / len(line[4])


def near(a: list[tuple[str, float]], b: list[tuple[str, float]]) -> bool:
    return len(a) == len(b) and all(
        x[0] == y[0] and math.isclose(x[1], y[1], rel_tol=1e-9, abs_tol=1e-9) for x, y in zip(a, b, strict=True)
    )

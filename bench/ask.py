"""Ten questions to many spans: ours beside DuckDB over Parquet of the same rows and DataFusion over the same files.

    npm run test:long -- ask --scale 0.02                 builds what it needs; 1 is 100 million spans
    python bench/ask.py --program PROGRAM --spans 2000000 [--dir DIR] [--rounds 5] [--without datafusion] [--json FILE]

PROGRAM is the benchmark `ask` of crates/query. A directory that is given is kept and used again. Every answer is
compared with those of the others: one that differs ends the run.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datafusion
import duckdb
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from asked import Question, questions

DAY = 86_400
# What a span and half a log record take: sealed, while they are written, and as Parquet.
BYTES_A_SPAN = 520
PARQUET_ROWS = 10_000_000
# What DuckDB writes itself, and is said to read best.
ROW_GROUP = 122_880
# A question that takes longer is not asked so often.
PATIENCE = 20.0


@dataclass
class Measured:
    """Milliseconds of each way to ask one question, by the clock and of all processors."""

    times: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)

    def add(self, who: str, times: list[float], cpu: float) -> None:
        """Add the times of one turn, and the processor time of all of it."""
        self.times.setdefault(who, []).extend(times)
        self.cpu.setdefault(who, []).append(cpu / len(times))

    def share(self, who: str, share: float) -> float:
        """Return a percentile."""
        ordered = sorted(self.times[who])
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Ours:
    """The program that answers, with the time each answer took in it."""

    def __init__(self, program: str, directory: Path) -> None:
        self.process = subprocess.Popen(
            [program, "answer", str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def cpu(self) -> float:
        """Return milliseconds of all processors so far; Linux has a clock for each process."""
        return time.clock_gettime_ns((~self.process.pid << 3) | 2) / 1e6 if sys.platform == "linux" else 0.0

    def ask(self, question: Question, times: int) -> tuple[Any, list[float]]:
        """Ask so often: the answer to compare, and milliseconds."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        asked = {"question": question.question, "words": question.words, "times": times}
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        told = json.loads(self.process.stdout.readline())
        assert "error" not in told, told
        searched = told["answer"]["searched"]
        assert searched["complete"] or searched.get("why") == "limit", searched
        return question.ours(told["answer"]), [nanos / 1e6 for nanos in told["nanos"]]

    def end(self) -> None:
        """End the program."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(60) == 0


class DuckDB:
    """DuckDB over Parquet files."""

    def __init__(self, parquet: Path) -> None:
        self.connection = duckdb.connect()
        self.connection.execute("set parquet_metadata_cache = true")
        for table, signal in (("spans", "traces"), ("logs", "logs")):
            self.connection.execute(
                f"create view {table} as select * from read_parquet('{parquet}/{signal}/*.parquet')"
            )

    def ask(self, question: Question, times: int) -> tuple[Any, list[float]]:
        """Ask so often: the answer to compare, and milliseconds."""
        return timed(lambda: self.connection.execute(question.duckdb).fetchall(), question, times)


class DataFusion:
    """DataFusion over our own files."""

    def __init__(self, directory: Path) -> None:
        self.context = datafusion.SessionContext()
        for table, signal in (("spans", "traces"), ("logs", "logs")):
            self.context.register_arrow(table, str(directory / "otlp" / signal))

    def ask(self, question: Question, times: int) -> tuple[Any, list[float]]:
        """Ask so often: the answer to compare, and milliseconds."""

        def rows() -> list[Any]:
            batches = self.context.sql(question.datafusion).collect()
            width = batches[0].num_columns if batches else 0
            columns = [
                [value for batch in batches for value in plain(batch.column(at)).to_pylist()] for at in range(width)
            ]
            return list(zip(*columns, strict=True))

        return timed(rows, question, times)


def plain(column: pa.Array) -> pa.Array:
    """Nanoseconds are more than Python's times hold."""
    return column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column


def timed(rows: Callable[[], list[Any]], question: Question, times: int) -> tuple[Any, list[float]]:
    taken, found = [], []
    for _ in range(times):
        began = time.perf_counter()
        found = rows()
        taken.append((time.perf_counter() - began) * 1e3)
        if sum(taken) > PATIENCE * 1e3:
            break
    return question.rows(found), taken


def files(directory: Path, signal: str) -> list[Path]:
    return sorted((directory / "otlp" / signal).glob("*.arrow"))


def to_parquet(directory: Path, parquet: Path) -> None:
    """Write the same rows in the same order as few large files."""
    for signal in ("traces", "logs"):
        to = parquet / signal
        to.mkdir(parents=True, exist_ok=True)
        writer: pq.ParquetWriter | None = None
        rows, waiting, number = 0, [], 0
        for path in files(directory, signal):
            waiting.append(pa.ipc.open_file(pa.memory_map(str(path))).read_all())
            if sum(table.num_rows for table in waiting) < ROW_GROUP and path != files(directory, signal)[-1]:
                continue
            table = pa.concat_tables(waiting).unify_dictionaries()
            waiting = []
            if writer is None:
                number += 1
                writer = pq.ParquetWriter(to / f"{number:04}.parquet", table.schema, compression="zstd")
            writer.write_table(table, row_group_size=ROW_GROUP)
            rows += table.num_rows
            if rows >= PARQUET_ROWS:
                writer.close()
                writer, rows = None, 0
        if writer is not None:
            writer.close()


def sample_ids(directory: Path, picked: random.Random, count: int) -> list[bytes]:
    """Ids of traces of any file."""
    ids: list[bytes] = []
    for path in picked.choices(files(directory, "traces"), k=count):
        reader = pa.ipc.open_file(pa.memory_map(str(path)))
        batch = reader.get_batch(picked.randrange(reader.num_record_batches))
        ids.append(batch.column("trace_id")[picked.randrange(batch.num_rows)].as_py())
    return ids


def size(directory: Path, suffix: str) -> int:
    return sum(path.stat().st_size for path in directory.rglob(f"*{suffix}"))


def prepare(program: str, directory: Path, spans: int, seed: int, with_parquet: bool) -> dict[str, Any]:
    """Make the rows, once."""
    stamp = directory / "made.json"
    if stamp.exists():
        made: dict[str, Any] = json.loads(stamp.read_text())
    else:
        free, needed = shutil.disk_usage(directory).free, spans * BYTES_A_SPAN
        assert free > needed + (2 << 30), (
            f"{spans} spans take {needed >> 30} GiB of {directory}, of which {free >> 30} are free"
        )
        told = subprocess.run(
            [program, "make", str(directory / "data"), str(spans), str(DAY), str(seed)],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        made = json.loads(told.stdout)
        made["seed"] = seed
        stamp.write_text(json.dumps(made))
    if with_parquet and not (directory / "parquet" / "whole").exists():
        shutil.rmtree(directory / "parquet", ignore_errors=True)
        to_parquet(directory / "data", directory / "parquet")
        (directory / "parquet" / "whole").touch()
    return made


def fresh(program: str, directory: Path, rounds: int) -> dict[str, list[float]]:
    told = subprocess.run(
        [program, "fresh", str(directory), str(rounds)], check=True, stdout=subprocess.PIPE, text=True
    )
    return {who: [nanos / 1e6 for nanos in times] for who, times in json.loads(told.stdout).items()}


def run(arguments: argparse.Namespace, directory: Path) -> dict[str, Any]:
    without = set(arguments.without or [])
    made = prepare(arguments.program, directory, arguments.spans, arguments.seed, "duckdb" not in without)
    data = directory / "data"
    picked = random.Random(arguments.seed)
    ids = sample_ids(data, picked, 200)
    ours = Ours(arguments.program, data)
    peers: dict[str, DuckDB | DataFusion] = {}
    if "duckdb" not in without:
        peers["duckdb"] = DuckDB(directory / "parquet")
    if "datafusion" not in without:
        peers["datafusion"] = DataFusion(data)
    measured: dict[str, Measured] = {}
    for turn in range(arguments.rounds + 1):
        for question in questions(picked, ids, f"tenant-{picked.randrange(200)}"):
            if arguments.only and not any(word in question.name for word in arguments.only):
                continue
            before = ours.cpu()
            answer, times = ours.ask(question, 3)
            found = measured.setdefault(question.name, Measured())
            asked = {"ours": (times, ours.cpu() - before)}
            for who, peer in peers.items():
                if turn > 1 and found.times[who][-1] > PATIENCE * 1e3 / 4:
                    continue
                before = time.process_time_ns() / 1e6
                other, times = peer.ask(question, 1)
                asked[who] = times, time.process_time_ns() / 1e6 - before
                assert question.alike(answer, other, who), (
                    f"{question.name}: {answer!r:.500} of ours, {other!r:.500} of {who}"
                )
            # The first round brings everything into memory.
            if turn > 0:
                for who, (times, cpu) in asked.items():
                    found.add(who, times, cpu)
    # A trace by id that nobody asked for before, a hundred times.
    lookups = Measured()
    for trace in ids[:100]:
        [question] = [found for found in questions(random.Random(0), [trace], "") if found.name == "trace by id"]
        lookups.add("ours", ours.ask(question, 1)[1], 0.0)
    ours.end()
    with tempfile.TemporaryDirectory(dir=directory) as folder:
        seen = fresh(arguments.program, Path(folder), arguments.fresh)
    return {
        "made": made,
        "bytes": {"ours": size(data, ".arrow"), "parquet": size(directory, ".parquet")},
        "questions": {
            name: {
                who: {
                    "p50": round(found.share(who, 0.5), 3),
                    "p99": round(found.share(who, 0.99), 3),
                    "cpu": round(statistics.median(found.cpu[who]), 3),
                    "times": len(times),
                }
                for who, times in found.times.items()
            }
            for name, found in measured.items()
        },
        "lookups": {"p50": lookups.share("ours", 0.5), "p99": lookups.share("ours", 0.99)},
        "fresh": {who: {"p50": statistics.median(times), "max": max(times)} for who, times in seen.items()},
        "load": os.getloadavg() if hasattr(os, "getloadavg") else None,
    }


PEERS = ("duckdb", "datafusion")
SITUATIONS = ["plain", "rotation", "retention", "full"]


def ingest(program: str, situation: str, seconds: float, rounds: int, clients: int) -> dict[str, Any] | None:
    """Ingest while clients ask; nothing where a small volume is needed and cannot be mounted."""
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "ingest", folder, situation, str(seconds), str(rounds), str(clients)]
        if situation == "full":
            # A file system in memory, for the time the program runs.
            inside = f"mount -t tmpfs -o size=512m tmpfs {folder} && exec {' '.join(command)}"
            command = ["unshare", "--user", "--map-root-user", "--mount", "--", "sh", "-c", inside]
            if subprocess.run([*command[:5], "true"], capture_output=True).returncode != 0:
                return None
        told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(told.stdout)
    return found


def ingest_table(found: list[dict[str, Any]]) -> str:
    lines = [
        "| situation | peak, records a second | beside one question | half of it: p50 / p99 ms | beside clients "
        "| p99 ratio | refused | questions |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in found:
        without, beside = one["without"], one["with"]
        lines.append(
            f"| {one['situation']} | {one['peak']:,} | {one['beside_one_question'] / one['peak']:.2f} "
            f"| {without['p50']:.1f} / {without['p99']:.1f} | {beside['p50']:.1f} / {beside['p99']:.1f} "
            f"| {beside['p99'] / without['p99']:.2f} | {without['refused']} / {beside['refused']} "
            f"| {beside['asked']:,} |"
        )
    return "\n".join(lines)


def table(result: dict[str, Any]) -> str:
    made, sizes, load = result["made"], result["bytes"], result["load"]
    lines = [
        f"{made['spans']:,} spans and {made['logs']:,} log records: {sizes['ours'] / 1e9:.2f} GB of ours, "
        f"{sizes['parquet'] / 1e9:.2f} GB of Parquet; {os.cpu_count()} cores, load {load[0] if load else 0:.1f}",
        "",
        "| question | ours, ms p50 / p99 | DuckDB | DataFusion | CPU of ours, ms | DuckDB, times | DataFusion, times |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, found in result["questions"].items():
        cells = [
            f"{found[who]['p50']:.1f} / {found[who]['p99']:.1f}" if who in found else "" for who in ("ours", *PEERS)
        ]
        cells.append(f"{found['ours']['cpu']:.1f}")
        cells += [f"{found[who]['cpu'] / found['ours']['cpu']:.1f}" if who in found else "" for who in PEERS]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lookups, seen = result["lookups"], result["fresh"]
    lines += [
        "",
        f"A trace by id, a hundred others: {lookups['p50']:.2f} ms p50, {lookups['p99']:.2f} ms p99.",
        f"From the acknowledgement until a question shows it: {seen['own']['p50']:.2f} ms p50, "
        f"{seen['own']['max']:.2f} ms at most in the program that records; {seen['other']['p50']:.2f} and "
        f"{seen['other']['max']:.2f} for another reader.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Ten questions beside DuckDB and DataFusion.")
    parser.add_argument("--program", required=True, help="the benchmark `ask` of crates/query")
    parser.add_argument("--spans", type=int, default=2_000_000)
    parser.add_argument("--dir", type=Path, help="where the rows are made, or are already")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=14)
    parser.add_argument("--without", action="append", choices=["duckdb", "datafusion"])
    parser.add_argument("--fresh", type=int, default=30, help="rounds from an acknowledgement until it is seen")
    parser.add_argument("--only", action="append", help="questions whose name has this word")
    parser.add_argument("--json", type=Path, help="the figures as JSON")
    parser.add_argument("--ingest", action="store_true", help="ingest beside questions as well")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of a round of ingest")
    arguments = parser.parse_args()
    if arguments.ingest:
        runs = (
            ingest(arguments.program, situation, arguments.seconds, arguments.rounds, 4) for situation in SITUATIONS
        )
        print(ingest_table([found for found in runs if found is not None]) + "\n")
    if hasattr(os, "nice"):
        # Where others work as well, all who answer give way to them as our questions do.
        os.nice(10)
    if arguments.dir is None:
        with tempfile.TemporaryDirectory() as folder:
            result = run(arguments, Path(folder))
    else:
        arguments.dir.mkdir(parents=True, exist_ok=True)
        result = run(arguments, arguments.dir)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    print(table(result))


if __name__ == "__main__":
    main()

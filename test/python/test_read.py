"""Reading while everything goes on: one table over live and sealed files, each record once."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext

from otlp_arrow import OtlpError, OtlpLibrary, errors

from support import eventually

NAMES = [f"GET /orders/{i}" for i in range(7)]


def spans(batch: int, size: int = 40) -> list[ReadableSpan]:
    numbers = range(batch * size, (batch + 1) * size)
    return [ReadableSpan(NAMES[n % len(NAMES)], SpanContext(1 + batch, 1 + n, False)) for n in numbers]


def counted(library: OtlpLibrary) -> dict[str, int]:
    table = pa.table(library.read("traces"))
    assert len(set(table["span_id"].to_pylist())) == table.num_rows, "a record is there twice"
    groups = table.group_by("name").aggregate([("span_id", "count")]).to_pylist()
    assert len(groups) == len({group["name"] for group in groups})
    return {group["name"]: group["span_id_count"] for group in groups}


def test_groups_over_live_and_sealed_files_while_data_comes(tmp_path: Path) -> None:
    with OtlpLibrary(output_dir=tmp_path, rotation={"max_bytes": "64KiB"}) as library:
        sent = Counter(dict.fromkeys(NAMES, 0))
        kept = Counter(dict.fromkeys(NAMES, 0))
        stop = threading.Event()

        def produce() -> None:
            for batch in range(60):
                if stop.is_set():
                    return
                made = spans(batch)
                sent.update(span.name for span in made)
                exporter.export(made)
                kept.update(span.name for span in made)

        exporter = library.span_exporter()
        producer = threading.Thread(target=produce)
        producer.start()
        try:
            reads = 0
            while producer.is_alive() or reads < 3:
                before = dict(kept)
                found = counted(library)
                after = dict(sent)
                assert all(before.get(name, 0) <= found.get(name, 0) <= after.get(name, 0) for name in NAMES)
                reads += 1
        finally:
            stop.set()
            producer.join()
        assert library.export_traces(spans(60)).accepted == 40
        sent.update(span.name for span in spans(60))
        folder = tmp_path / "otlp/traces"
        # The last batch went to a live file; sealing of the others has at least begun.
        eventually(lambda: list(folder.glob("*.arrow")))
        assert list(folder.glob("*.arrows"))
        assert counted(library) == sent
    with OtlpLibrary(output_dir=tmp_path) as library:
        assert not list(folder.glob("*.arrows"))
        assert counted(library) == sent


def test_moments_and_columns_at_their_ends(tmp_path: Path) -> None:
    with OtlpLibrary(output_dir=tmp_path) as library:
        library.span_exporter().export(spans(0, 5))

        def rows(**options: Any) -> int:
            return pa.table(library.read("traces", **options)).num_rows

        assert rows(from_=datetime.min, to=datetime.max) == 5
        assert rows(from_=datetime.min.replace(tzinfo=UTC), to=datetime.max.replace(tzinfo=UTC)) == 5
        assert rows(to=datetime(1969, 1, 1, tzinfo=UTC)) == 0
        assert rows(from_=datetime(9000, 1, 1)) == 0
        with pytest.raises(TypeError, match="datetime"):
            library.read("traces", from_=cast(Any, 1_700_000_000))
        with pytest.raises(OtlpError, match="names none"):
            library.read("traces", columns=[])


def test_what_cannot_be_read_is_said(library: OtlpLibrary) -> None:
    with pytest.raises(errors.InvalidConfigError, match="limit is -1"):
        library.read("traces", limit=-1)
    with pytest.raises(errors.InvalidConfigError, match="columns is 'name': use a list"):
        library.read("traces", columns="name")

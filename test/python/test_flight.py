"""Arrow Flight, by pyarrow.flight as the client of every verb."""

from __future__ import annotations

import json
import os
import random
import re
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.flight as fl
import pyarrow.ipc as ipc
import pytest
from flying import LOGS, SECOND, START, Recorder, acknowledged, get, logs, numbers, path, put, recorder, ticket

from support import PATIENCE_SECONDS, eventually

# Rounds of kill -9, and rows of a large answer: more of both in `npm run test:long`.
KILLS = int(os.environ.get("FLIGHT_KILLS", "4"))
ROWS = int(os.environ.get("FLIGHT_ROWS", "200000"))
FUZZED = int(os.environ.get("FLIGHT_FUZZED", "400"))


pytestmark = pytest.mark.skipif(os.name == "nt", reason="a process cannot be asked to end by another one there")
linux = pytest.mark.skipif(sys.platform != "linux", reason="what is resident is read from /proc")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Recorder]:
    """A recorder with small files: most of what the tests put is sealed soon."""
    with recorder(tmp_path / "telemetry", ROTATION__MAX_BYTES="64KiB") as running:
        yield running


def test_every_verb_is_answered_on_both_listeners(running: Recorder) -> None:
    assert "Arrow Flight" in running.said
    assert put(running.client(), [logs(range(10)), logs(range(10, 25))]) == [
        {"batch": 0, "rows": 10, "repeated": False},
        {"batch": 1, "rows": 15, "repeated": False},
    ]
    for which in range(2):
        every_verb(running.client(which))
    assert running.stop() == 0


def every_verb(client: fl.FlightClient) -> None:
    tables = {info.descriptor.path[0]: info for info in client.list_flights()}
    assert {name: info.total_records for name, info in tables.items()} == {b"traces": 0, b"metrics": 0, b"logs": 25}
    assert tables[b"logs"].total_bytes > 1000
    info = client.get_flight_info(path("logs"))
    assert (info.total_records, info.descriptor) == (25, path("logs"))
    reader = client.do_get(info.endpoints[0].ticket)
    assert reader.schema == info.schema == client.get_schema(path("logs")).schema == tables[b"logs"].schema
    assert numbers(reader.read_all()) == list(range(25))
    command = fl.FlightDescriptor.for_command(b'{"signal":"logs","columns":["body","time"],"limit":3}')
    some = client.get_flight_info(command)
    assert (some.schema.names, some.total_records) == (["body", "time"], -1)
    assert numbers(client.do_get(some.endpoints[0].ticket).read_all()) == [0, 1, 2]
    assert [info.descriptor.path for info in client.list_flights(b'{"signal":"traces"}')] == [[b"traces"]]
    assert [action.type for action in client.list_actions()] == ["flush", "health", "stats"]

    def done(name: str) -> Any:
        (result,) = client.do_action(fl.Action(name, b""))
        return json.loads(result.body.to_pybytes())

    assert done("flush") == {}
    assert done("health") == {"accepting": True, "problems": [], "status": "ok"}
    assert done("stats")["committed_records"]["logs"] == 25
    for call in (
        lambda: list(client.do_action(fl.Action("flus", b""))),
        lambda: list(client.do_action(fl.Action("flush", b"now"))),
    ):
        with pytest.raises(pa.ArrowInvalid, match=r"did you mean flush|takes nothing"):
            call()
    for unknown in (lambda: client.authenticate_basic_token("a", "b"), lambda: exchange(client)):
        with pytest.raises((NotImplementedError, fl.FlightError), match="DoPut"):
            unknown()


def exchange(client: fl.FlightClient) -> None:
    writer, reader = client.do_exchange(path("logs"))
    with writer:
        writer.done_writing()
        reader.read_chunk()


def test_what_a_program_sends_by_otlp_is_had_by_flight(running: Recorder) -> None:
    spans = [
        {"traceId": f"{7:032x}", "spanId": f"{number:016x}", "name": f"step {number}", "startTimeUnixNano": "5"}
        for number in range(1, 4)
    ]
    request = {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}
    url, headers = f"http://{running.addresses[1]}/v1/traces", {"content-type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(request).encode(), headers)) as answer:
        assert answer.status == 200
    client = running.client()
    found = get(client, "traces", trace=f"{7:032x}", columns=["name", "trace_id"])
    assert found.to_pydict() == {"name": ["step 1", "step 2", "step 3"], "trace_id": [bytes(15) + b"\x07"] * 3}
    # And what is had is taken again, as it is.
    everything = get(client, "traces", dictionaries=True)
    assert pa.types.is_dictionary(everything.schema.field("name").type)
    assert put(client, everything.to_batches(), to="traces")[0]["rows"] == 3
    assert get(client, "traces").num_rows == 6


FORMS: dict[str, Any] = {
    "plain": lambda table: table,
    "dictionaries": lambda table: encoded(table, pa.int32()),
    "dictionaries by small numbers": lambda table: encoded(table, pa.int8()),
    "large text": lambda table: texts(table, pa.large_string()),
    "views of text": lambda table: texts(table, pa.string_view()),
}


def encoded(table: pa.Table, index: pa.DataType) -> pa.Table:
    """Every text as a dictionary, another one each batch."""
    batches = []
    for batch in table.to_batches():
        columns = [
            column.dictionary_encode().cast(pa.dictionary(index, pa.string()))
            if pa.types.is_string(column.type)
            else column
            for column in batch.columns
        ]
        batches.append(pa.record_batch(columns, names=batch.schema.names))
    return pa.Table.from_batches(batches)


def texts(table: pa.Table, of: pa.DataType) -> pa.Table:
    fields = [field.with_type(of) if pa.types.is_string(field.type) else field for field in table.schema]
    return table.cast(pa.schema(fields))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("compression", [None, "zstd", "lz4"])
def test_batches_come_in_whatever_form(running: Recorder, form: str, compression: str | None) -> None:
    client = running.client()
    table = FORMS[form](pa.Table.from_batches([logs(range(at, at + 20)) for at in range(0, 100, 20)]))
    for deltas in (False, True):
        write = ipc.IpcWriteOptions(compression=compression, emit_dictionary_deltas=deltas)
        told = put(client, table.to_batches(), options=fl.FlightCallOptions(write_options=write))
        assert [one["rows"] for one in told] == [20] * 5
    found = get(client, columns=["body", "attributes", "service_name", "time"])
    assert numbers(found) == [*range(100), *range(100)]
    assert found.column("attributes").to_pylist()[3] == [("number", "3"), ("half", "odd")]
    assert set(found.column("service_name").to_pylist()) == {"shop"}


def without(batch: pa.RecordBatch, name: str) -> pa.RecordBatch:
    return batch.drop_columns([name])


def with_column(batch: pa.RecordBatch, name: str, values: pa.Array) -> pa.RecordBatch:
    at = batch.schema.get_field_index(name)
    return batch.add_column(batch.num_columns, name, values) if at < 0 else batch.set_column(at, name, values)


GOOD = logs(range(3))
# What is wrong with the columns, and what the answer says.
WRONG: dict[str, tuple[pa.RecordBatch, str]] = {
    "a column that there is not": (with_column(GOOD, "colour", pa.array(["red"] * 3)), "colour"),
    "a column of another table": (with_column(GOOD, "span_kind", pa.array([1] * 3)), "span_kind"),
    "no attributes": (without(GOOD, "attributes"), "attributes"),
    "no count": (without(GOOD, "dropped_attributes_count"), "dropped_attributes_count"),
    "numbers for text": (with_column(GOOD, "body", pa.array([1, 2, 3])), "body"),
    "a float for a count": (with_column(GOOD, "flags", pa.array([0.0] * 3)), "flags"),
    "a time in microseconds": (with_column(GOOD, "time", pa.array([1, 2, 3], pa.timestamp("us", "UTC"))), "time"),
    "a text for a time": (with_column(GOOD, "time", pa.array(["now"] * 3)), "time"),
    "a list for attributes": (with_column(GOOD, "attributes", pa.array([["a"]] * 3)), "attributes"),
    "only nulls where something must be": (with_column(GOOD, "scope_version", pa.nulls(3)), "scope_version"),
    "an id of another length": (with_column(GOOD, "trace_id", pa.array([1.5] * 3)), "trace_id"),
}


def only_begin(client: fl.FlightClient, descriptor: fl.FlightDescriptor, schema: pa.Schema) -> None:
    writer, reader = client.do_put(descriptor, schema)
    reader.read()
    writer.close()


@pytest.mark.parametrize("what", WRONG)
def test_wrong_columns_are_refused_before_a_row_is_sent(running: Recorder, what: str) -> None:
    batch, column = WRONG[what]
    client = running.client()
    # Nothing is written: the schema alone is answered.
    with pytest.raises(pa.ArrowInvalid, match=column):
        only_begin(client, path("logs"), batch.schema)
    with pytest.raises(pa.ArrowInvalid, match=column):
        put(client, [batch])
    assert get(client).num_rows == 0
    assert put(client, [GOOD])[0]["rows"] == 3


def test_two_columns_of_one_name_are_refused(running: Recorder) -> None:
    twice = pa.record_batch([*GOOD.columns, GOOD.column("body")], names=[*GOOD.schema.names, "body"])
    with pytest.raises(pa.ArrowInvalid, match="body"):
        put(running.client(), [twice])


def test_a_wrong_cell_refuses_its_batch_and_what_comes_behind_it(running: Recorder) -> None:
    client = running.client()
    wrong = with_column(logs(range(3, 6)), "body_type", pa.array(["s", "i", "s"]))
    with pytest.raises(pa.ArrowInvalid, match=r"row 1.*body"):
        put(client, [logs(range(3)), wrong, logs(range(6, 9))])
    assert numbers(get(client)) == [0, 1, 2]
    # Another table's rows, and no table at all.
    for descriptor in (
        path("traces"),
        path("spans"),
        fl.FlightDescriptor.for_path("logs", "x"),
        fl.FlightDescriptor.for_command(b"{}"),
    ):
        with pytest.raises(pa.ArrowInvalid, match=r"column|table|segment|signal"):
            only_begin(client, descriptor, LOGS)


def test_rows_go_on_into_polars_and_duckdb(running: Recorder) -> None:
    client = running.client()
    put(client, [logs(range(at, at + 50), f"service {at % 3}") for at in range(0, 300, 50)])
    wanted = ticket(signal="logs", columns=["service_name", "severity_number", "body"])
    frame = pl.DataFrame(pl.from_arrow(client.do_get(wanted).to_reader().read_all()))
    assert frame.group_by("service_name").len().sort("service_name").rows() == [
        ("service 0", 100),
        ("service 1", 100),
        ("service 2", 100),
    ]
    rows = client.do_get(wanted).to_reader()
    counted = duckdb.sql(
        "select service_name, count(*) from rows where severity_number > 9 group by 1 order by 1"
    ).fetchall()
    assert rows is not None
    assert counted == [("service 0", 50), ("service 1", 50), ("service 2", 50)]
    everything = client.do_get(fl.Ticket(b"logs")).to_reader()
    assert duckdb.sql("select sum(attributes['number']::int) from everything").fetchall() == [(sum(range(300)),)]
    assert everything is not None


def test_the_words_of_the_filter_choose_rows(running: Recorder) -> None:
    client = running.client()
    for at in range(0, 1000, 100):
        put(client, [logs(range(at, at + 100), "shop" if at % 200 else "cart")])
    every = range(1000)
    is_cart = {number for number in every if number % 200 < 100}

    def found(**words: Any) -> list[int]:
        return numbers(get(client, columns=["body"], **words))

    def asked_as_before_sealing() -> None:
        at = lambda number: str(START + number * SECOND)  # noqa: E731
        assert found() == list(every)
        assert found(service="cart") == sorted(is_cart)
        assert found(service="!cart") == sorted(set(every) - is_cart)
        assert found(**{"from": at(150), "to": at(250)}) == list(range(150, 250))
        assert found(attr=["half=odd", "number<20"]) == list(range(1, 20, 2))
        assert found(severity=">=error", service="cart", limit=5) == [1, 3, 5, 7, 9]
        assert found(text="record 77", resource="service.name=cart") == [
            number for number in every if str(number).startswith("77") and number in is_cart
        ]
        assert found(limit=1) == [0]
        assert found(service="nobody") == []

    asked_as_before_sealing()
    assert running.stop() == 0
    running.start()
    client = running.client()
    asked_as_before_sealing()
    assert list((running.directory / "otlp/logs").glob("*.arrow"))
    for words, problem in (
        ({"servce": "a"}, "did you mean service"),
        ({"min_duration": "1s"}, "min_duration"),
        ({"columns": ["bodi"]}, "bodi"),
        ({"limit": 0}, "limit"),
        ({"from": "yesterday"}, "from"),
        ({"order": "newest"}, "order"),
        ({"follow": True, "limit": 3}, "limit"),
    ):
        with pytest.raises(pa.ArrowInvalid, match=problem):
            get(client, **words)


def test_a_key_is_kept_once_also_after_kill_9(running: Recorder) -> None:
    client = running.client()
    keys = [b"a", os.urandom(16), b"k" * 128, b"f81d4fae-7dec-11d0-a765-00a0c91e6bf6"]
    batches = [logs(range(at, at + 5)) for at in range(0, 20, 5)]
    repeated = lambda told: [one["repeated"] for one in told]  # noqa: E731
    assert repeated(put(client, batches, keys)) == [False] * 4
    assert repeated(put(client, batches[::-1], keys[::-1])) == [True] * 4
    # Without a key, a batch is another one each time; a key counts for one table.
    assert repeated(put(client, batches[:1])) == [False]
    running.kill()
    running.start()
    client = running.client(1)
    assert repeated(put(client, [*batches, logs([99])], [*keys, b"new"])) == [True] * 4 + [False]
    assert running.stop() == 0
    running.start()
    client = running.client()
    assert repeated(put(client, batches, keys)) == [True] * 4
    assert Counter(numbers(get(client))) == Counter([*range(20), *range(5), 99])
    for wrong in (b"k" * 129, b"k" * 5000):
        with pytest.raises(pa.ArrowInvalid, match="key of a batch"):
            put(client, batches[:1], [wrong])


def test_every_batch_is_there_exactly_once_however_often_its_recorder_is_killed(tmp_path: Path) -> None:
    chance = random.Random(os.environ.get("FLIGHT_SEED", "1"))
    sent = 0
    unacknowledged: list[int] = []
    with recorder(tmp_path / "telemetry", ROTATION__MAX_BYTES="64KiB") as running:
        for _ in range(KILLS):
            client = running.client()
            killer = threading.Timer(chance.random() * 0.4, running.process.kill)
            killer.start()
            try:
                while True:
                    # What was not acknowledged comes again, and some that was.
                    again = chance.sample(range(sent), min(3, sent))
                    new = list(range(sent, sent + chance.randrange(1, 12)))
                    sent = new[-1] + 1
                    waiting = [*unacknowledged, *again, *new]
                    unacknowledged = waiting
                    batches = [logs(range(number * 10, number * 10 + 10)) for number in waiting]
                    writer, reader = client.do_put(path("logs"), LOGS)
                    for number, batch in zip(waiting, batches, strict=True):
                        writer.write_with_metadata(batch, f"batch {number}".encode())
                    writer.done_writing()
                    for told in acknowledged(reader):
                        unacknowledged = waiting[told["batch"] + 1 :]
                    writer.close()
            except (pa.ArrowException, OSError):
                pass
            killer.join()
            running.process.communicate()
            running.start()
        client = running.client()
        if unacknowledged:
            put(
                client,
                [logs(range(n * 10, n * 10 + 10)) for n in unacknowledged],
                [f"batch {n}".encode() for n in unacknowledged],
            )
        there = Counter(numbers(get(client, columns=["body"])))
        assert there == Counter(range(sent * 10))
        assert sent >= KILLS


def followed(reader: fl.FlightStreamReader, count: int) -> tuple[list[int], str]:
    """So many rows of what is followed, and the place behind them."""
    found: list[int] = []
    while True:
        chunk = reader.read_chunk()
        cursor = json.loads(chunk.app_metadata.to_pybytes())["cursor"] if chunk.app_metadata else None
        found += numbers(chunk.data)
        if len(found) >= count and cursor is not None:
            return found, cursor


def test_what_comes_is_followed_through_rotation_sealing_and_a_restart(running: Recorder) -> None:
    client = running.client()
    put(client, [logs(range(5))])
    columns = ["body", "time"]
    new = client.do_get(ticket(signal="logs", follow=True, columns=columns))
    assert followed(new, 0)[0] == []
    everything = client.do_get(ticket(signal="logs", follow=True, cursor="0", columns=columns))
    odd = client.do_get(ticket(signal="logs", follow=True, cursor="0", columns=columns, attr="half=odd"))
    assert everything.schema.names == columns
    for at in range(5, 2005, 100):
        put(client, [logs(range(at, at + 100))])
    assert followed(new, 2000)[0] == list(range(5, 2005))
    found, cursor = followed(everything, 2005)
    assert found == list(range(2005))
    assert followed(odd, 1002)[0] == list(range(1, 2005, 2))
    for reader in (new, everything, odd):
        reader.cancel()
    put(client, [logs(range(2005, 2010))])
    assert running.stop() == 0
    running.start()
    client = running.client()
    put(client, [logs(range(2010, 2020))])
    later = client.do_get(ticket(signal="logs", follow=True, cursor=cursor, columns=columns))
    assert sorted(followed(later, 15)[0]) == list(range(2005, 2020))
    later.cancel()


def test_followers_that_leave_make_room_and_too_many_are_told_so(running: Recorder) -> None:
    client = running.client()
    follow = ticket(signal="logs", follow=True)
    readers = []
    for _ in range(32):
        readers.append(client.do_get(follow))
        assert followed(readers[-1], 0)[0] == []
    with pytest.raises(fl.FlightUnavailableError, match="ask again"):
        client.do_get(follow).read_chunk()
    for reader in readers:
        reader.cancel()

    def there_is_room() -> bool:
        try:
            return get(client).num_rows == 0
        except fl.FlightUnavailableError:
            return False

    assert eventually(there_is_room)


def test_a_shutdown_ends_what_has_no_end(running: Recorder) -> None:
    client = running.client()
    follow = client.do_get(ticket(signal="logs", follow=True))
    followed(follow, 0)
    writer, reader = client.do_put(path("logs"), LOGS)
    writer.write_batch(logs(range(3)))
    assert json.loads(reader.read().to_pybytes())["rows"] == 3
    started = time.monotonic()
    assert running.stop() == 0
    # It has ten seconds for everything: what would not end by itself takes none of them.
    assert time.monotonic() - started < PATIENCE_SECONDS / 2
    with pytest.raises(fl.FlightUnavailableError, match="shutting down"):
        follow.read_all()
    with pytest.raises((fl.FlightError, pa.ArrowException)):
        writer.close()
    running.start()
    assert numbers(get(running.client())) == [0, 1, 2]


@linux
def test_a_batch_that_is_too_large_is_refused_and_what_is_in_it_has_bounds(tmp_path: Path) -> None:
    with recorder(tmp_path / "telemetry", LIMITS__MAX_BODY="1MiB") as running:
        client = running.client()
        long = with_column(logs(range(20)), "body", pa.array(["x" * 100_000] * 20))
        with pytest.raises(pa.ArrowException, match=r"limits\.max_body"):
            put(client, [long])
        # A kilobyte that would be many megabytes.
        small = fl.FlightCallOptions(write_options=ipc.IpcWriteOptions(compression="zstd"))
        with pytest.raises(pa.ArrowException, match=r"limits\.max_body"):
            put(client, [long], options=small)
        before = running.most_memory()
        many = with_column(logs(range(200)), "body", pa.array(["y" * 100_000] * 200))
        with pytest.raises(pa.ArrowException, match=r"limits\.max_body"):
            put(client, [many], options=small)
        assert running.most_memory() - before < 16 << 20
        assert put(client, [logs(range(5))])[0]["rows"] == 5


def test_what_is_kept_is_told_to_this_machine_by_its_own_names_only(running: Recorder) -> None:
    stranger = running.client(generic_options=[("grpc.default_authority", "evil.example")])
    assert put(stranger, [logs(range(3))])[0]["rows"] == 3, "it is taken from whom OTLP is taken from"
    for ask in (
        lambda: get(stranger),
        lambda: list(stranger.list_flights()),
        lambda: stranger.get_schema(path("logs")),
        lambda: stranger.get_flight_info(path("logs")),
        lambda: list(stranger.do_action(fl.Action("stats", b""))),
        lambda: list(stranger.list_actions()),
    ):
        with pytest.raises((fl.FlightUnauthorizedError, OSError), match=r"evil\.example"):
            ask()


def test_it_can_be_switched_off(tmp_path: Path) -> None:
    with recorder(tmp_path / "telemetry", PROTOCOLS__FLIGHT="false") as running:
        assert "Arrow Flight" not in running.said
        for call in (lambda: put(running.client(), [GOOD]), lambda: get(running.client())):
            with pytest.raises(NotImplementedError, match=r"protocols\.flight"):
                call()


def test_nonsense_is_refused_and_hurts_nobody(running: Recorder) -> None:
    chance = random.Random(os.environ.get("FLIGHT_SEED", "1"))
    client = running.client()
    put(client, [logs(range(10))])
    words = [
        "signal",
        "service",
        "from",
        "to",
        "trace",
        "attr",
        "columns",
        "limit",
        "follow",
        "cursor",
        "dictionaries",
        "regex",
        "x",
    ]
    values = [
        "logs",
        "traces",
        "",
        "~(",
        "-1h",
        "now",
        "0",
        "[",
        "\0",
        "é" * 300,
        7,
        -1,
        1e300,
        True,
        None,
        [],
        ["a", "b"],
        [[]],
        {"a": 1},
    ]

    def nonsense() -> bytes:
        if chance.random() < 0.3:
            return chance.randbytes(chance.randrange(200))
        text = json.dumps(
            {chance.choice(words): chance.choice(values) for _ in range(chance.randrange(5))}
            | {"signal": chance.choice(["logs", "logs", "x"])}
        )
        cut = chance.randrange(len(text) * 4)
        return text.encode()[:cut]

    def calls(given: bytes) -> Any:
        schema = LOGS if chance.random() < 0.5 else pa.schema([(str(given), pa.string())])
        return chance.choice(
            [
                lambda: client.do_get(fl.Ticket(given)),
                lambda: client.get_flight_info(fl.FlightDescriptor.for_command(given)),
                lambda: client.get_schema(fl.FlightDescriptor.for_command(given)),
                lambda: list(client.list_flights(given)),
                lambda: list(client.do_action(fl.Action(given.decode("latin1"), given))),
                lambda: client.do_put(fl.FlightDescriptor.for_command(given), schema)[1].read(),
            ]
        )

    defects = 0
    for _ in range(FUZZED):
        given = nonsense()
        try:
            answer = calls(given)()
            if isinstance(answer, fl.FlightStreamReader):
                answer.cancel()
        except (pa.ArrowInvalid, fl.FlightUnavailableError, NotImplementedError) as error:
            defects += "please report" in str(error)
        except UnicodeDecodeError:
            pass  # pyarrow reads what it sent as text.
    assert running.process.poll() is None
    assert defects == 0
    assert numbers(eventually(lambda: get(running.client(1)))) == list(range(10))


def test_one_recorder_feeds_another_without_protobuf(tmp_path: Path) -> None:
    with recorder(tmp_path / "far") as far:
        port = far.addresses[0]
        # A port of its own each time would be another destination.
        far.settings["LISTEN__GRPC"] = port
        forward = json.dumps(
            [
                {
                    "name": "far",
                    "protocol": "flight",
                    "endpoint": f"http://{port}",
                    "retry": {"initial": "50ms", "max": "200ms"},
                    "breaker": {"open": "100ms", "max_open": "200ms"},
                }
            ]
        )
        config = tmp_path / "near.yaml"
        config.write_text(f"forward: {forward}\n")
        with recorder(tmp_path / "near", CONFIG=str(config)) as near:
            client = near.client()
            for at in range(0, 2000, 100):
                if at in (500, 1200):
                    far.kill()
                put(client, [logs(range(at, at + 100))])
                if at in (900, 1600):
                    far.start()
            arrived = lambda: get(far.client(), columns=["body"])  # noqa: E731
            eventually(lambda: arrived().num_rows >= 2000)
            assert Counter(numbers(arrived())) == Counter(range(2000))
            # Everything that is known of them, times of both recorders' files aside.
            assert get(far.client()).sort_by("time").equals(get(client).sort_by("time"))
            with urllib.request.urlopen(f"http://{near.addresses[1]}/metrics") as answer:
                sent = answer.read().decode()
            assert 'otlp_arrow_forwarded_records_total{signal="logs",destination="far"' in sent


def test_nothing_goes_round_between_two_that_feed_each_other(tmp_path: Path) -> None:
    with recorder(tmp_path / "one") as one, recorder(tmp_path / "two") as two:
        for this, other in ((one, two), (two, one)):
            assert this.stop() == 0
            forward = [{"name": "other", "protocol": "flight", "endpoint": f"http://{other.addresses[0]}"}]
            config = tmp_path / f"{this.directory.name}.yaml"
            config.write_text(f"forward: {json.dumps(forward)}\n")
            this.settings |= {"CONFIG": str(config), "LISTEN__GRPC": this.addresses[0]}
        one.start()
        two.start()
        put(one.client(), [logs(range(50))])
        put(two.client(), [logs(range(50, 100))])
        for running in (one, two):
            client = running.client()
            eventually(lambda client=client: get(client, columns=["body"]).num_rows >= 100)
        # What would come back has been sent by then, and was refused.
        for running in (one, two):
            assert running.stop() == 0
            running.start()
            assert Counter(numbers(get(running.client(), columns=["body"]))) == Counter(range(100))


@linux
def test_a_large_answer_takes_little_memory(tmp_path: Path) -> None:
    with recorder(tmp_path / "telemetry") as running:
        client = running.client()
        writer, reader = client.do_put(path("logs"), LOGS)
        each = 20_000
        drain = threading.Thread(target=lambda: list(acknowledged(reader)))
        drain.start()
        for at in range(0, ROWS, each):
            writer.write_batch(logs(range(at, min(at + each, ROWS))))
        writer.done_writing()
        drain.join()
        writer.close()
        before = running.most_memory()
        total = count = 0
        started = time.monotonic()
        for chunk in client.do_get(fl.Ticket(b"logs")):
            total += chunk.data.nbytes
            count += chunk.data.num_rows
        took = time.monotonic() - started
        most = running.most_memory()
        print(
            f"{count} rows, {total >> 20} MiB in {took:.1f} s; memory {before >> 20} MiB, then {most >> 20} MiB at most"
        )
        assert count == ROWS
        assert most < 256 << 20


def test_the_examples_of_the_documentation_run(running: Recorder) -> None:
    client = running.client()
    put(client, [logs(range(20), "checkout")])
    span = {"traceId": "ab" * 16, "spanId": "cd" * 8, "name": "pay", "startTimeUnixNano": "1", "endTimeUnixNano": "5"}
    request = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    url, headers = f"http://{running.addresses[1]}/v1/traces", {"content-type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(url, json.dumps(request).encode(), headers)).close()
    text = (Path(__file__).parent.parent.parent / "docs/flight.md").read_text()
    examples = re.findall(r"<!-- test: python -->\n```python\n(.*?)```", text, re.DOTALL)
    assert len(examples) == text.count("```python") == 4
    names: dict[str, Any] = {}
    for example in examples:
        exec(example.replace("127.0.0.1:4317", running.addresses[0]), names)
    assert names["spans"].num_rows == 1
    assert names["logs"].read_all().num_rows == 0, "they are of last year"
    assert names["slowest"] == [("pay", 4)]
    assert names["cursor"] != "0"
    assert names["kept"] == {"batch": len(names["batches"]) - 1, "rows": 20, "repeated": False}
    assert get(client).num_rows == 40

"""Questions over HTTP, asked by httpx and read by pyarrow; the OpenAPI document, read by a validator of others."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openapi_spec_validator
import pyarrow as pa
import pytest
from jsonschema import Draft202012Validator
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from otlp_arrow import OtlpLibrary

ROOT = Path(__file__).parent.parent.parent
ARROW = "application/vnd.apache.arrow.stream"


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of a library that listens and has 500 spans."""
    settings: dict[str, Any] = {"listen": {"http": "127.0.0.1:0"}, "storage": {"min_free_bytes": "0B"}}
    with OtlpLibrary(output_dir=tmp_path / "out", **settings) as library:
        provider = TracerProvider(resource=Resource({"service.name": "shop"}))
        provider.add_span_processor(SimpleSpanProcessor(library.span_exporter()))
        tracer = provider.get_tracer("test")
        for number in range(50):
            with tracer.start_as_current_span("request"):
                for part in range(9):
                    tracer.start_span(f"part {part}", attributes={"number": number, "text": "ä" * 40}).end()
        with httpx.Client(base_url=f"http://{library.addresses()['http']}/api/v1", timeout=60) as client:
            yield client


def test_httpx_and_pyarrow_read_the_same_rows(asked: httpx.Client) -> None:
    answer = asked.get("/spans", params={"limit": 500, "attr": ["number>=40", "text"]})
    assert answer.headers["content-encoding"] in ("gzip", "zstd")
    spans = answer.json()["spans"]
    assert len(spans) == 90
    assert all(span["service"] == "shop" and span["attributes"]["number"] >= 40 for span in spans)
    arrow = asked.get("/spans", params={"limit": 500, "attr": ["number>=40", "text"]}, headers={"accept": ARROW})
    table = pa.ipc.open_stream(arrow.content).read_all()
    assert [row.hex() for row in table["span_id"].to_pylist()] == [span["span_id"] for span in spans]
    # As it comes, too.
    with asked.stream("GET", "/spans", params={"limit": 500}, headers={"accept": ARROW}) as stream:
        body = io.BytesIO(b"".join(stream.iter_bytes()))
    assert pa.ipc.open_stream(body).read_all().num_rows == 500


def test_every_answer_keeps_to_the_document(asked: httpx.Client) -> None:
    document = asked.get("/openapi.json").json()
    assert document == json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))
    openapi_spec_validator.validate(document)
    trace = asked.get("/traces", params={"limit": 1}).json()["traces"][0]["trace_id"]
    span = asked.get(f"/traces/{trace}").json()["spans"][0]["span_id"]
    segments = {"trace": trace, "span": span, "metric": "none", "key": "number"}
    words = {"/compare": {"a": "-1h..", "b": f"{trace}"}, "/overrepresented": {"name": "request"}}
    seen = 0
    for path, operations in document["paths"].items():
        if "get" not in operations or path.startswith("/tail/"):
            continue
        answer = asked.get(path.format(**segments), params=words.get(path, {}))
        assert answer.status_code == 200, (path, answer.text)
        content = operations["get"]["responses"]["200"]["content"]
        schema = {**content["application/json"]["schema"], "components": document["components"]}
        Draft202012Validator(schema).validate(answer.json())
        seen += 1
    assert seen > 18
    refused = asked.get("/spans", params={"service": "shop", "limit": "many"})
    error = {**document["components"]["schemas"]["Error"], "components": document["components"]}
    Draft202012Validator(error).validate(refused.json())
    assert (refused.status_code, refused.json()["code"]) == (400, "INVALID_CONFIG")


def test_one_trace_as_far_as_somebody_looks(asked: httpx.Client) -> None:
    trace = asked.get("/traces", params={"limit": 1}).json()["traces"][0]["trace_id"]
    tree = asked.get(f"/traces/{trace}", params={"columns": "tree"}).json()["spans"]
    assert [bar["name"] for bar in tree] == ["request", *(f"part {part}" for part in range(9))]
    assert tree[0]["parent"] is None
    assert {bar["parent"] for bar in tree[1:]} == {0}
    table = pa.ipc.open_stream(
        asked.get(f"/traces/{trace}", params={"columns": "tree"}, headers={"accept": ARROW}).content
    ).read_all()
    assert table.select(["id", "name", "duration"]).to_pylist() == [
        {name: bar[name] for name in ("id", "name", "duration")} for bar in tree
    ]
    top = asked.get(f"/traces/{trace}", params={"depth": 1}).json()["spans"]
    assert [(span["name"], span["hidden"]) for span in top] == [("request", 9)]
    found = asked.get(f"/traces/{trace}", params={"name": "part 3"}).json()["spans"]
    assert [(span["name"], span["matches"]) for span in found] == [("request", False), ("part 3", True)]
    focus = asked.get(f"/traces/{trace}", params={"focus": tree[4]["id"]}).json()["spans"]
    assert [span["name"] for span in focus] == ["part 3"]
    text = asked.get(f"/traces/{trace}", params={"format": "text"}).text.splitlines()
    # What is fast is in one line, so that how many there are depends on the machine.
    assert text[0].startswith(f"trace {trace} ")
    assert "10 spans" in text[0]
    assert any("request  shop " in line for line in text)
    assert any("part 0" in line for line in text)


def test_a_stranger_is_refused(asked: httpx.Client) -> None:
    for headers in ({"host": "evil.example"}, {"origin": "http://evil.example"}, {"x-forwarded-for": "203.0.113.9"}):
        refused = asked.get("/services", headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "FORBIDDEN")


def test_the_dashboard_is_off_until_somebody_wants_it(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"listen": {"http": "127.0.0.1:0"}, "storage": {"min_free_bytes": "0B"}}
    with OtlpLibrary(output_dir=tmp_path / "with", dashboard=True, **settings) as library:
        page = httpx.get(f"http://{library.addresses()['http']}/ui/traces", timeout=60)
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        assert "default-src 'none'" in page.headers["content-security-policy"]
    with OtlpLibrary(output_dir=tmp_path / "without", **settings) as library:
        assert httpx.get(f"http://{library.addresses()['http']}/", timeout=60).status_code == 404

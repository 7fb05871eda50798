"""The tools for coding agents, asked by the client of the Python SDK; and the recipes of docs/agents.md."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import StatusCode

from otlp_arrow import OtlpLibrary

ROOT = Path(__file__).parents[2]
TOOLS = [
    "overview",
    "search_traces",
    "get_trace",
    "get_spans",
    "search_logs",
    "errors",
    "query_metric",
    "compare",
    "wait_for",
]


def record(library: OtlpLibrary) -> None:
    provider = TracerProvider(resource=Resource({"service.name": "cart"}))
    provider.add_span_processor(SimpleSpanProcessor(library.span_exporter()))
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span("GET /cart") as root:
        try:
            with tracer.start_as_current_span("load cart"):
                raise ValueError("cart 4711 is empty")
        except ValueError:
            root.set_status(StatusCode.ERROR, "no cart")
    provider.shutdown()


async def call(client: Client, name: str, **arguments: Any) -> str:
    result = await client.call_tool(name, arguments)
    (content,) = result.content
    assert content.type == "text"
    return f"error: {content.text}" if result.is_error else str(content.text)


async def follow(client: Client) -> None:
    """From what failed to the span where it began."""
    tools = await client.list_tools()
    assert [tool.name for tool in tools.tools] == TOOLS
    found = await call(client, "errors")
    assert "ValueError" in found
    trace = re.search(r"trace=([0-9a-f]+)", found)
    assert trace is not None
    tree = await call(client, "get_trace", trace=trace[1])
    span = re.search(r"error begins in load cart \(cart\) ([0-9a-f]+)", tree)
    assert span is not None, tree
    everything = await call(client, "get_spans", trace=trace[1], spans=[span[1]])
    assert 'exception.message="cart 4711 is empty"' in everything
    assert "test_mcp.py" in everything
    assert (await call(client, "get_trace")).startswith("error: get_trace needs trace")
    resource = await client.read_resource("otlp-arrow://schema.md")
    assert getattr(resource.contents[0], "text", "") == (ROOT / "docs/schema.md").read_text(encoding="utf-8")


def stdio(directory: Path) -> StdioServerParameters:
    return StdioServerParameters(command=sys.executable, args=["-m", "otlp_arrow", "mcp", str(directory)])


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
def test_the_wheel_answers_over_stdio(directory: Path, mode: Any) -> None:
    async def ask() -> None:
        async with Client(stdio(directory), mode=mode) as client:
            assert "does not exist yet" in await call(client, "overview")
            library = OtlpLibrary(output_dir=directory)
            record(library)
            library.shutdown()
            await follow(client)

    asyncio.run(asyncio.wait_for(ask(), 120))


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
def test_a_library_answers_over_http(directory: Path, mode: Any) -> None:
    library = OtlpLibrary(output_dir=directory, listen={"http": "127.0.0.1:0"}, mcp=True)
    record(library)

    async def ask() -> None:
        async with Client(f"http://{library.addresses()['http']}/mcp", mode=mode) as client:
            await follow(client)
            assert "recorder: ok" in await call(client, "overview")

    asyncio.run(asyncio.wait_for(ask(), 120))
    library.shutdown()


def blocks(language: str) -> list[str]:
    text = (ROOT / "docs/agents.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def servers() -> list[dict[str, Any]]:
    """What the recipes start or ask, from whatever an agent calls the place of it."""
    found: list[dict[str, Any]] = []
    for table in [*map(json.loads, blocks("json")), *map(tomllib.loads, blocks("toml"))]:
        ((place, named),) = table.items()
        assert place in {"mcpServers", "servers", "context_servers", "mcp_servers"}
        found += named.values()
    for line in blocks("sh"):
        words = shlex.split(line)
        if "--transport" in words:
            found.append({"url": words[-1]})
        else:
            assert words[:3] in (["claude", "mcp", "add"], ["codex", "mcp", "add"], ["gemini", "mcp", "add"])
            start = words.index("npx")
            found.append({"command": words[start], "args": words[start + 1 :]})
    return found


def test_every_recipe_starts_the_tools() -> None:
    found = servers()
    assert len(found) == 9
    for server in found:
        if "url" in server:
            assert server["url"] == "http://localhost:4318/mcp"
        else:
            assert [server["command"], *server["args"]] == ["npx", "-y", "otlp-arrow", "mcp", "./telemetry"]
    # What stands behind the name of the package is what our own command line takes.
    text = (ROOT / "docs/agents.md").read_text(encoding="utf-8")
    assert "uvx otlp-arrow mcp ./telemetry" in text

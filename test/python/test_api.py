"""The names, types and configuration keys are those of the other languages and of the core."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import pickle
import typing
from pathlib import Path
from typing import Any

import pytest

import otlp_arrow
from otlp_arrow import OtlpLibrary, _config, _native, _vocabulary, errors

from support import run_python

ROOT = Path(__file__).parent.parent.parent


VOCABULARY = json.loads((ROOT / "docs/vocabulary.json").read_text(encoding="utf-8"))


def test_the_class_has_every_method_of_the_vocabulary_and_no_other() -> None:
    ours = {name for name in vars(OtlpLibrary) if not name.startswith("_")}
    assert ours == {method["python"] for method in VOCABULARY["methods"]} - {None}
    assert all(callable(getattr(OtlpLibrary, name)) for name in ours)


def test_the_words_of_the_vocabulary_are_the_types(library: OtlpLibrary) -> None:
    def words(kind: Any) -> set[str]:
        return set(typing.get_args(kind))

    for kind, part, key in [
        (_vocabulary.ErrorCode, "errors", "code"),
        (_vocabulary.EventName, "events", "name"),
        (_vocabulary.MetricName, "metrics", "name"),
    ]:
        assert words(kind) == {one[key] for one in VOCABULARY[part]}
    assert words(_vocabulary.Severity) == {event["severity"] for event in VOCABULARY["events"]}
    assert set(library.stats()) == set(VOCABULARY["reports"]["stats"])
    assert {field.name for field in dataclasses.fields(otlp_arrow.Event)} == set(VOCABULARY["reports"]["event"])
    assert {field.name for field in dataclasses.fields(otlp_arrow.ForwarderInfo)} == set(
        VOCABULARY["reports"]["forwarder"]
    )


def test_every_name_of_the_design_is_there() -> None:
    assert callable(otlp_arrow.decode)
    assert callable(otlp_arrow.encode)
    for name in ("info", "pause", "resume", "reset", "retry_rejected"):
        assert callable(getattr(otlp_arrow.Forwarder, name)), name
    assert callable(otlp_arrow.Subscription.ack)
    assert hasattr(OtlpLibrary, "__enter__")
    assert hasattr(OtlpLibrary, "__aenter__")
    for name in otlp_arrow.__all__:
        assert hasattr(otlp_arrow, name), name


LOADED = """
import sys
from otlp_arrow import OtlpLibrary
OtlpLibrary(output_dir="telemetry").span_exporter()
loaded = {"asyncio", "otlp_arrow.answers"} & set(sys.modules)
assert not loaded, loaded
import otlp_arrow
assert otlp_arrow.answers.Trace.__module__ == "otlp_arrow.answers"
assert otlp_arrow.OtlpLibrary.search.__annotations__["return"] == "answers.Search"
try:
    otlp_arrow.nothing
except AttributeError as error:
    print(error)
"""


def test_a_program_that_only_records_loads_no_more_than_it_needs(tmp_path: Path) -> None:
    assert run_python(LOADED, cwd=tmp_path) == "module 'otlp_arrow' has no attribute 'nothing'\n"


def stub_names() -> dict[str, dict[str, list[str]]]:
    """Functions and methods of the stub, with their parameters."""
    tree = ast.parse((ROOT / "python/src/otlp_arrow/_native.pyi").read_text())
    found: dict[str, dict[str, list[str]]] = {"": {}}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            found[""][node.name] = [arg.arg for arg in [*node.args.posonlyargs, *node.args.args]]
        elif isinstance(node, ast.ClassDef):
            found[node.name] = {
                method.name: [arg.arg for arg in method.args.args if arg.arg not in ("self", "cls")]
                for method in node.body
                if isinstance(method, ast.FunctionDef)
            }
    return found


def parameters(function: Any) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name != "self"]


def test_the_stub_says_what_the_extension_has() -> None:
    stub = stub_names()
    native = {name for name in dir(_native) if not name.startswith("_")} - {"VERSION"}
    classes = {name for name in native if inspect.isclass(getattr(_native, name))}
    assert native - classes == set(stub[""])
    assert classes == set(stub) - {""}
    for name, expected in stub[""].items():
        assert parameters(getattr(_native, name)) == expected, name
    for owner in classes:
        cls = getattr(_native, owner)
        public = {name for name in vars(cls) if not name.startswith("__")}
        assert public == {name for name in stub[owner] if not name.startswith("__")}, owner
        for name, expected in stub[owner].items():
            found = vars(cls)[name] if name in vars(cls) else getattr(cls, name)
            if callable(found) and name != "__new__":
                assert parameters(found) == expected, (owner, name)


def keys_of(kind: Any) -> dict[str, Any]:
    """The keys of a TypedDict, nested ones as dicts."""
    found: dict[str, Any] = {}
    for key, hint in typing.get_type_hints(kind).items():
        nested = [one for one in (hint, *typing.get_args(hint)) if typing.is_typeddict(one)]
        found[key] = keys_of(nested[0]) if len(nested) == 1 else {}
    return found


def schema_keys(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: schema_keys(inner) for key, inner in schema.get("properties", {}).items()}


def test_the_keyword_arguments_are_the_configuration() -> None:
    schema = json.loads((ROOT / "docs/config.schema.json").read_text())
    ours, theirs = keys_of(_config.Config), schema_keys(schema)
    assert set(ours) | {"on_event"} == set(theirs)
    for key, nested in theirs.items():
        if nested and key != "on_event":
            assert set(ours[key]) == set(nested), key
    assert set(keys_of(_config.OnEvent)) == set(theirs["on_event"])
    assert set(keys_of(_config.Listen)) == {"grpc", "http"}
    forward = next(
        one for one in json_objects(schema["properties"]["forward"], schema) if "endpoint" in one.get("properties", {})
    )
    assert set(keys_of(_config.Forward)) == set(forward["properties"])
    for part in ("auth", "tls", "retry", "breaker"):
        inner = next(one for one in json_objects(forward["properties"][part], schema) if "properties" in one)
        assert set(keys_of(_config.Forward)[part]) == set(inner["properties"]), part


def json_objects(node: Any, root: Any) -> typing.Iterator[dict[str, Any]]:
    """Every object in a schema, references followed."""
    if isinstance(node, dict):
        if "$ref" in node:
            target = root
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            node = target
        yield node
        for key, inner in node.items():
            if key != "properties":
                yield from json_objects(inner, root)
    elif isinstance(node, list):
        for inner in node:
            yield from json_objects(inner, root)


def test_a_library_says_why_it_is_not_sent_to_another_process(library: OtlpLibrary) -> None:
    with pytest.raises(TypeError, match="open one there"):
        pickle.dumps(library)
    error = pickle.loads(pickle.dumps(errors.BufferFullError("full")))
    assert (type(error), error.code, error.message) == (errors.BufferFullError, "BUFFER_FULL", "full")


def test_the_version_is_the_workspaces() -> None:
    manifest = (ROOT / "Cargo.toml").read_text()
    assert f'version = "{otlp_arrow.__version__}"' in manifest.split("[workspace.dependencies]")[0]

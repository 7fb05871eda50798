"""One table of errors, the same as the core's."""

from __future__ import annotations

import inspect
import typing
from pathlib import Path

import pytest

from otlp_arrow import OtlpError, OtlpLibrary, _native, _vocabulary, decode, encode, errors


def test_every_code_of_the_core_has_its_class_and_no_class_is_left_over() -> None:
    classes = {
        cls.code: cls
        for _, cls in inspect.getmembers(errors, inspect.isclass)
        if issubclass(cls, OtlpError) and cls is not OtlpError
    }
    assert set(classes) == {code for code, _, _ in _native.error_codes()} == set(typing.get_args(_vocabulary.ErrorCode))
    for code, meaning, retryable in _native.error_codes():
        assert classes[code].retryable is retryable
        assert classes[code].__doc__.rstrip(".").lower() == meaning.lower()
        assert classes[code].__name__ in errors.__all__


def test_an_error_carries_code_message_and_cause() -> None:
    made = errors._make("STORAGE_FULL", "no room", ["outer", "inner"])
    assert isinstance(made, errors.StorageFullError)
    assert (made.code, made.retryable, made.message) == ("STORAGE_FULL", True, "no room")
    assert str(made) == "STORAGE_FULL: no room"
    assert str(made.__cause__) == "outer"
    assert str(made.__cause__.__cause__) == "inner"


def test_a_code_this_package_does_not_know_is_still_an_error() -> None:
    assert type(errors._make("LATER", "x", [])) is OtlpError


def test_a_wrong_key_is_named_with_the_nearest_right_one(directory: Path) -> None:
    with pytest.raises(errors.InvalidConfigError, match=r"durabilty.*durability"):
        OtlpLibrary(output_dir=directory, durabilty="written")  # type: ignore[call-arg]
    with pytest.raises(errors.InvalidConfigError, match=r"durability.*fast"):
        OtlpLibrary(output_dir=directory, durability="fast")  # type: ignore[arg-type]
    assert not directory.exists()


def test_bytes_that_are_no_request_are_invalid_data(library: OtlpLibrary) -> None:
    with pytest.raises(errors.InvalidDataError) as caught:
        library.export_otlp("traces", b"\xff\xff\xff")
    assert not caught.value.retryable
    with pytest.raises(errors.InvalidDataError):
        decode("logs", b"{", "json")


def test_names_are_checked(library: OtlpLibrary) -> None:
    with pytest.raises(errors.InvalidConfigError, match="use traces, metrics or logs"):
        library.export_otlp("spans", b"")  # type: ignore[arg-type]
    with pytest.raises(errors.InvalidConfigError, match="use protobuf or json"):
        decode("traces", b"", "xml")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="__arrow_c_stream__"):
        encode("traces", [1, 2])  # type: ignore[arg-type]
    with pytest.raises(errors.InvalidConfigError, match="is not a column"):
        library.read("traces", columns=["nam"])

"""What went wrong, chosen by what the caller should do next.

Every failure is an `OtlpError`; catch that, or a subclass. The `code` is public API and the same in Rust, TypeScript
and Python; the text is for people.
"""

from __future__ import annotations

from typing import ClassVar


class OtlpError(Exception):
    """Every failure of this package.

    `code` names it (such as ``BUFFER_FULL``), `retryable` says whether the same call may succeed later without a
    change, `message` is the text without the code, and ``__cause__`` is what lies beneath, if anything does.
    """

    code: ClassVar[str] = "INTERNAL"
    retryable: ClassVar[bool] = False
    message: str

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class InvalidConfigError(OtlpError):
    """A configuration key has a value it cannot have."""

    code = "INVALID_CONFIG"


class BindFailedError(OtlpError):
    """A listener could not be bound."""

    code = "BIND_FAILED"


class InvalidDataError(OtlpError):
    """The data cannot be read as what it claims to be."""

    code = "INVALID_DATA"


class TooLargeError(OtlpError):
    """One request is larger than a request may be."""

    code = "TOO_LARGE"


class BufferFullError(OtlpError):
    """The memory budget is used up for the moment."""

    code = "BUFFER_FULL"
    retryable = True


class StorageFullError(OtlpError):
    """The disk, or the room the directory may take, is full."""

    code = "STORAGE_FULL"
    retryable = True


class StorageFailedError(OtlpError):
    """The disk failed."""

    code = "STORAGE_FAILED"
    retryable = True


class UnauthenticatedError(OtlpError):
    """Credentials are missing or wrong."""

    code = "UNAUTHENTICATED"


class ForbiddenError(OtlpError):
    """The credentials do not allow this."""

    code = "FORBIDDEN"


class UnavailableError(OtlpError):
    """A remote cannot be reached or refuses for now."""

    code = "UNAVAILABLE"
    retryable = True


class DeadlineError(OtlpError):
    """The deadline passed."""

    code = "TIMEOUT"
    retryable = True


class ClosedError(OtlpError):
    """The library, exporter or service is shut down."""

    code = "CLOSED"


class InternalError(OtlpError):
    """A defect in otlp-arrow."""

    code = "INTERNAL"


_BY_CODE: dict[str, type[OtlpError]] = {
    error.code: error
    for error in (
        InvalidConfigError,
        BindFailedError,
        InvalidDataError,
        TooLargeError,
        BufferFullError,
        StorageFullError,
        StorageFailedError,
        UnauthenticatedError,
        ForbiddenError,
        UnavailableError,
        DeadlineError,
        ClosedError,
        InternalError,
    )
}


def _make(code: str, message: str, causes: list[str]) -> OtlpError:
    """Build the error for a code of the core, with the texts of its causes, outermost first (for the extension)."""
    error = _BY_CODE.get(code, OtlpError)(message)
    inner: BaseException = error
    for text in causes:
        cause = RuntimeError(text)
        inner.__cause__ = cause
        inner = cause
    return error


__all__ = [
    "BindFailedError",
    "BufferFullError",
    "ClosedError",
    "DeadlineError",
    "ForbiddenError",
    "InternalError",
    "InvalidConfigError",
    "InvalidDataError",
    "OtlpError",
    "StorageFailedError",
    "StorageFullError",
    "TooLargeError",
    "UnauthenticatedError",
    "UnavailableError",
]

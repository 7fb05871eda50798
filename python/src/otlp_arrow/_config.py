"""The keyword arguments of `OtlpLibrary`, as types. The core parses them; nothing is checked or defaulted here."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping


class Buffer(TypedDict, total=False):
    """Memory for data that is accepted and not yet committed."""

    max_bytes: str


class Limits(TypedDict, total=False):
    """Bounds on what others send."""

    max_body: str
    max_request_memory: str
    max_connections: int
    max_streams: int
    nesting: int
    header_bytes: str
    timeout: str


class Sealing(TypedDict, total=False):
    """The form of sealed files."""

    compression: Literal["zstd", "none"]
    level: int


class Storage(TypedDict, total=False):
    """Room that is left to others on the disk."""

    min_free_bytes: str


class Listen(TypedDict, total=False):
    """Addresses to listen on; port 0 takes any free one."""

    grpc: str
    http: str


class Protocols(TypedDict, total=False):
    """Protocols that are answered."""

    otlp_grpc: bool
    otlp_http: bool


class Rotation(TypedDict, total=False):
    """When a live file is closed, to be sealed."""

    max_bytes: str
    max_age: str


class RetentionAge(TypedDict, total=False):
    """When files of one signal are deleted."""

    max_age: str


class Retention(TypedDict, total=False):
    """When files are deleted."""

    traces: RetentionAge
    metrics: RetentionAge
    logs: RetentionAge
    max_bytes: str


class Env(TypedDict):
    """A secret in an environment variable."""

    env: str


class File(TypedDict):
    """A secret in a file."""

    file: str


Secret = str | Env | File


class ApiKey(TypedDict, total=False):
    """An API key in a header."""

    header: str
    key: Secret


class Basic(TypedDict):
    """User name and password."""

    username: str
    password: Secret


class Auth(TypedDict, total=False):
    """Credentials for a destination."""

    bearer: Secret
    api_key: ApiKey
    basic: Basic


class Tls(TypedDict, total=False):
    """TLS towards a destination."""

    ca_file: str
    cert_file: str
    key_file: str
    server_name: str


class Retry(TypedDict, total=False):
    """Waiting between attempts."""

    initial: str
    max: str
    multiplier: float


class Breaker(TypedDict, total=False):
    """The circuit breaker of a destination."""

    strategy: Literal["consecutive_failures", "failure_rate"]
    failures: int
    rate: float
    minimum: int
    window: str
    open: str
    max_open: str


class Forward(TypedDict, total=False):
    """One destination data is forwarded to."""

    name: str
    endpoint: str
    protocol: Literal["otlp_grpc", "otlp_http", "stdout"]
    signals: list[Literal["traces", "metrics", "logs"]]
    compression: Literal["none", "gzip", "zstd"]
    timeout: str
    max_in_flight: int
    memory: str
    headers: dict[str, Secret]
    auth: Auth
    tls: Tls
    retry: Retry
    breaker: Breaker


class Log(TypedDict, total=False):
    """Logging of the standalone service; a library logs through `logging`."""

    level: Literal["off", "error", "warn", "info", "debug", "trace"]
    format: Literal["console", "json"]


class OnEvent(TypedDict, total=False):
    """What is done outside this program when something happens."""

    webhook: Secret
    command: list[str]


class Config(TypedDict, total=False):
    """Every key but `on_event`. Durations and sizes are text with a unit, such as ``"5s"`` and ``"64MiB"``."""

    output_dir: str | os.PathLike[str]
    durability: Literal["buffered", "written", "synced"]
    write_interval: str
    commit_interval: str
    buffer: Buffer
    limits: Limits
    sealing: Sealing
    storage: Storage
    listen: bool | Listen
    insecure: bool
    protocols: Protocols
    rotation: Rotation
    retention: Retention
    forward: Literal["env"] | Forward | list[Forward]
    resource: dict[str, str]
    log: Log
    shutdown_timeout: str


def as_json(config: Mapping[str, Any]) -> str:
    """Write the arguments as the JSON the core parses; paths become text, anything else JSON lacks is a `TypeError`."""
    return json.dumps(config, default=os.fsdecode)

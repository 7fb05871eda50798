"""The keyword arguments of `OtlpLibrary`, as types. The core parses them; nothing is checked or defaulted here.

Written from the tables of the core: OTLP_ARROW_BLESS=1 cargo test fresh. Do not edit.
"""

from __future__ import annotations

import os  # noqa: TC003 - who asks for the type hints needs it
from typing import Literal, TypedDict


class Env(TypedDict):
    """A secret in an environment variable."""

    env: str


class File(TypedDict):
    """A secret in a file."""

    file: str


Secret = str | Env | File


class Buffer(TypedDict, total=False):
    """Memory for data that is accepted and not yet committed."""

    max_bytes: str
    """Memory for data that is accepted and not yet committed, all signals together; one signal takes at most three
    quarters, and beside it one request at a time may take what its limits allow; by default a quarter of the limit
    of memory (cgroup) where that is less. Default: `128MiB`.
    """


class Limits(TypedDict, total=False):
    """Bounds on what others send."""

    max_request_memory: str
    """The most memory one request may take as columns; twice buffer.max_bytes where that is less. Default: `256MiB`."""

    max_body: str
    """The largest request body, before and after decompression and as protobuf; three quarters of buffer.max_bytes
    where that is less. Default: `64MiB`.
    """

    max_connections: int
    """Open connections. Default: `1024`."""

    max_streams: int
    """Concurrent requests on one HTTP/2 connection; an eighth, if it is one of more than 128. Default: `128`."""

    nesting: int
    """Levels of arrays and maps in one value. Default: `64`."""

    header_bytes: str
    """All headers of one request. Default: `16KiB`."""

    timeout: str
    """The longest a request may take to arrive. Default: `30s`."""


class Sealing(TypedDict, total=False):
    """The form of sealed files."""

    compression: Literal["zstd", "none"]
    """Compression of sealed files: `zstd` (Zstandard), `none` (not compressed). Default: `zstd`."""

    level: int
    """Level of zstd. Default: `1`."""


class Storage(TypedDict, total=False):
    """Space that is left to others on the disk, and who may use the files."""

    min_free_bytes: str
    """New data is refused when the disk would have less room than this; by default 5 % of the volume where that is
    less. Default: `256MiB`.
    """

    mode: str
    """Who may use the files: `0640` lets the group read them, `0660` also record into the directory; folders follow,
    whatever the umask is; not on Windows. Default: `0600`.
    """

    group: str
    """Group that files and folders belong to, by name or number; needs a mode that lets the group in; not on Windows.
    """


class Listen(TypedDict, total=False):
    """Addresses to listen on; true for the two standard ones, false for none."""

    grpc: str
    """First listener, `127.0.0.1:4317` in the service and with `listen: true`; port 0 takes a free one; `off` for none.
    """

    http: str
    """Second listener, `127.0.0.1:4318` in the service and with `listen: true`; both answer every protocol."""


class Protocols(TypedDict, total=False):
    """Protocols that are answered."""

    otlp_grpc: bool
    """Answer OTLP over gRPC. Default: `true`."""

    otlp_http: bool
    """Answer OTLP over HTTP. Default: `true`."""

    otap: bool
    """Answer OTAP, the OTel-Arrow protocol. Default: `true`."""

    api: bool
    """Answer questions about what is kept, at `/api/v1`, to this machine only; Rust programs add it with the crate
    `otlp-arrow-api`. Default: `true`.
    """

    flight: bool
    """Answer Arrow Flight: rows are taken as OTLP is, and given to this machine only; Rust programs add it with the
    crate `otlp-arrow-flight`. Default: `true`.
    """


class Rotation(TypedDict, total=False):
    """When a live file is closed."""

    max_bytes: str
    """A live file is closed at this size; by default 1/32 of the space where that is less. Default: `64MiB`."""

    max_age: str
    """A live file is closed at this age; at most a quarter of each retention age. Default: `15m`."""


class RetentionTraces(TypedDict, total=False):
    """When files of traces are deleted."""

    max_age: str
    """Traces older than this are deleted. Default: `24h`."""


class RetentionLogs(TypedDict, total=False):
    """When files of logs are deleted."""

    max_age: str
    """Logs older than this are deleted. Default: `24h`."""


class RetentionMetrics(TypedDict, total=False):
    """When files of metrics are deleted."""

    max_age: str
    """Metrics older than this are deleted. Default: `7d`."""


class Retention(TypedDict, total=False):
    """When a file is deleted."""

    traces: RetentionTraces

    logs: RetentionLogs

    metrics: RetentionMetrics

    max_bytes: str
    """The most the directory may take; the oldest files go first; by default half of the space (what is free and what
    the directory takes) where that is less, and then down to a quarter of it while others fill the volume. Default:
    `4GiB`.
    """


class AuthApiKey(TypedDict, total=False):
    """An API key in a header."""

    header: str
    """Name of the API key header. Default: `x-api-key`."""

    key: Secret
    """The API key."""


class AuthBasic(TypedDict):
    """User name and password."""

    username: Secret
    """User name of `Authorization: Basic …`."""

    password: Secret
    """Password of `Authorization: Basic …`."""


class Auth(TypedDict, total=False):
    """Credentials for the destination, one of these."""

    bearer: Secret
    """`Authorization: Bearer …`."""

    api_key: AuthApiKey

    basic: AuthBasic


class Tls(TypedDict, total=False):
    """TLS towards the destination; used with https URLs."""

    ca_file: str | os.PathLike[str]
    """PEM file of authorities to trust instead of the system's."""

    cert_file: str | os.PathLike[str]
    """PEM file of the client certificate."""

    key_file: str | os.PathLike[str]
    """PEM file of the client key."""

    ca_pem: Secret
    """Instead of ca_file: the PEM itself."""

    cert_pem: Secret
    """Instead of cert_file: the PEM itself."""

    key_pem: Secret
    """Instead of key_file: the PEM itself."""

    server_name: str
    """Name to expect in the server's certificate."""


class ProxyTls(TypedDict, total=False):
    """TLS towards a proxy whose URL begins with https."""

    ca_file: str | os.PathLike[str]
    """PEM file of authorities to trust for the proxy instead of the system's."""

    cert_file: str | os.PathLike[str]
    """PEM file of the certificate that is shown to the proxy."""

    key_file: str | os.PathLike[str]
    """PEM file of its key."""

    ca_pem: Secret
    """Instead of ca_file: the PEM itself."""

    cert_pem: Secret
    """Instead of cert_file: the PEM itself."""

    key_pem: Secret
    """Instead of key_file: the PEM itself."""


class Proxy(TypedDict, total=False):
    """The proxy to go through; its URL, or none, may stand for all of it."""

    url: Secret
    """The proxy to go through; where it is not set, HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY count."""

    username: Secret
    """User name for the proxy, if its URL has none."""

    password: Secret
    """Password for the proxy, if its URL has none."""

    tls: ProxyTls


class Retry(TypedDict, total=False):
    """Waiting between attempts."""

    initial: str
    """Wait before the second attempt. Default: `1s`."""

    max: str
    """Longest wait between attempts. Default: `30s`."""

    multiplier: float
    """Growth of the wait. Default: `1.5`."""


class Breaker(TypedDict, total=False):
    """The circuit breaker."""

    strategy: Literal["consecutive_failures", "failure_rate"]
    """What opens the circuit breaker: `consecutive_failures` (so many failures in a row), `failure_rate` (so large a
    share of the requests in a window). Default: `consecutive_failures`.
    """

    failures: int
    """With consecutive_failures: how many. Default: `5`."""

    rate: float
    """With failure_rate: the share that opens it. Default: `0.5`."""

    minimum: int
    """With failure_rate: fewer requests in the window never open it. Default: `20`."""

    window: str
    """With failure_rate: the window. Default: `30s`."""

    open: str
    """First open time; it doubles, with jitter. Default: `5s`."""

    max_open: str
    """Longest open time. Default: `5m`."""


class Otap(TypedDict, total=False):
    """OTAP, which is Arrow over gRPC; OTLP/gRPC where the server has no OTAP."""

    payload_compression: Literal["zstd", "none"]
    """Compression within the Arrow data; `compression` is that of whole messages: `zstd` (each buffer as a zstd frame),
    `none` (buffers as they are). Default: `zstd`.
    """

    stream_lifetime: str
    """How long batches are sent on one stream before another one begins, which load balancers see. Default: `30s`."""

    max_message: str
    """Largest message before compression, as the server takes it (a Collector 4MiB); larger batches are split. Default:
    `4MiB`.
    """

    metric_metadata: bool
    """Whether metadata of metrics is sent: a Collector refuses batches with it. Default: `false`."""

    fallback: bool
    """Whether OTLP/gRPC is used until the next start where the server has no OTAP; the event forward_downgraded tells.
    Default: `true`.
    """


class Forward(TypedDict, total=False):
    """One destination data is forwarded to."""

    name: str
    """Name in counters, events and cursors; `default` for a single destination, else its position."""

    endpoint: str
    """Base URL of the destination, such as `http://collector:4317`."""

    protocol: Literal["otlp_grpc", "otlp_http", "otap", "flight", "stdout"]
    """How it is spoken to: `otlp_grpc` (OTLP over gRPC), `otlp_http` (OTLP over HTTP in protobuf), `otap` (OTAP, which
    is Arrow over gRPC; OTLP/gRPC where the server has no OTAP), `flight` (Arrow Flight, to another otlp-arrow),
    `stdout` (OTLP/JSON lines on standard output). Default: `otlp_grpc`.
    """

    signals: list[Literal["traces", "metrics", "logs"]]
    """Signals it takes. Default: `traces, metrics, logs`."""

    compression: Literal["none", "gzip", "zstd"]
    """Compression of requests; gzip where the network costs more than the processor: `none` (not compressed), `gzip`
    (gzip), `zstd` (Zstandard). Default: `none`.
    """

    timeout: str
    """The longest one request may take. Default: `10s`."""

    max_in_flight: int
    """Requests on their way at once; 1 keeps the order. Default: `4`."""

    memory: str
    """Memory for fresh data that is forwarded as it came; the rest is read back from disk; by default an eighth of the
    limit of memory (cgroup) where that is less. Default: `16MiB`.
    """

    headers: dict[str, Secret]
    """Headers of each request; values may be `{env: NAME}` or `{file: PATH}`."""

    auth: Auth

    tls: Tls

    proxy: Secret | Proxy

    retry: Retry

    breaker: Breaker

    otap: Otap


class Query(TypedDict, total=False):
    """Bounds on questions about what is kept."""

    timeout: str
    """The longest a question may take; what was found by then is the answer, which says so. Default: `30s`."""

    max_memory: str
    """Memory for what questions read and keep, all of them together. Default: `512MiB`."""

    max_rows: int
    """The most rows of one answer. Default: `100000`."""

    max_concurrent: int
    """Questions answered at once; others wait for their turn. Default: `4`."""

    index_memory: str
    """Memory for what is kept of files between questions. Default: `64MiB`."""


class OnEvent(TypedDict, total=False):
    """Who is told of events, besides the program itself."""

    webhook: Secret
    """URL that each event is posted to as JSON; may be `{env: NAME}` or `{file: PATH}`."""

    command: list[str]
    """Program and arguments that are run for each event, which it reads as JSON from standard input."""


class Log(TypedDict, total=False):
    """The log of the standalone service."""

    level: Literal["off", "error", "warn", "info", "debug", "trace"]
    """The least severe level of the service's log: `off` (nothing), `error` (what failed), `warn` (and what needs a
    look), `info` (and what was done), `debug` (and how), `trace` (and everything). Default: `info`.
    """

    format: Literal["console", "json"]
    """Form of the service's log lines on standard error: `console` (for people), `json` (one JSON object a line).
    Default: `console`.
    """


class Config(TypedDict, total=False):
    """Every key but `on_event`. Times and sizes are text with a unit, such as ``"5s"`` and ``"64MiB"``."""

    output_dir: str | os.PathLike[str]
    """Where the files go. Default: `./output_dir`."""

    durability: Literal["buffered", "written", "synced"]
    """What an acknowledgement means: `buffered` (in memory, on disk within write_interval), `written` (after write()
    returned: survives the end of the process), `synced` (after fdatasync: survives a power cut). Default: `written`.
    """

    write_interval: str
    """With `durability: buffered` only: the longest time accepted data stays in memory only. Default: `5s`."""

    commit_interval: str
    """How long a commit may wait for more data to share it with. Default: `10ms`."""

    buffer: Buffer

    limits: Limits

    sealing: Sealing

    storage: Storage

    listen: bool | Listen

    insecure: bool
    """Allows listening on an address that other machines reach, without credentials. Default: `false`."""

    protocols: Protocols

    dashboard: bool
    """Show what is kept as pages of a browser, at `/` of the addresses that are listened on, to this machine only;
    `true` in the service; Rust programs add it with the crate `otlp-arrow-dashboard`. Default: `false`.
    """

    mcp: bool
    """Answer tools for coding agents (MCP) at `/mcp`, to this machine only; on in the service; Rust programs add them
    with the crate `otlp-arrow-mcp`. Default: `false`.
    """

    rotation: Rotation

    retention: Retention

    forward: Literal["env"] | Forward | list[Literal["env"] | Forward]

    query: Query

    resource: dict[str, str]
    """Attributes of records handed over without a resource, on top of `OTEL_SERVICE_NAME` and
    `OTEL_RESOURCE_ATTRIBUTES`.
    """

    log: Log

    shutdown_timeout: str
    """How long a shutdown may take. Default: `10s`."""

// Written from the tables of the core: OTLP_ARROW_BLESS=1 cargo test fresh. Do not edit.

import type { Signal } from './signal.js';

/** A time with a unit, such as `500ms`, `5s`, `15m`, `24h` or `7d`. Bare numbers are refused. */
export type Duration = string;
/** Bytes with a unit, such as `64KiB`, `128MiB` or `4GiB`. Bare numbers are refused. */
export type Size = string;
/** A secret: the text itself, a variable that holds it, or a file that does. It prints as `***`. */
export type Secret = string | { env: string } | { file: string };

/**
 * Everything that can be set, with the keys of the configuration file in camel case. Above the environment
 * (`OTLP_ARROW_*`), which is above the file (`OTLP_ARROW_CONFIG`, else `./otlp-arrow.yaml` if there is one).
 */
export interface OtlpConfig {
  /** Where the files go. @default './output_dir' */
  outputDir?: string;
  /**
   * What an acknowledgement means: `buffered` (in memory, on disk within write_interval), `written` (after write()
   * returned: survives the end of the process), `synced` (after fdatasync: survives a power cut). @default 'written'
   */
  durability?: 'buffered' | 'written' | 'synced';
  /** With `durability: buffered` only: the longest time accepted data stays in memory only. @default '5s' */
  writeInterval?: Duration;
  /** How long a commit may wait for more data to share it with. @default '10ms' */
  commitInterval?: Duration;
  /** Memory for data that is accepted and not yet committed. */
  buffer?: {
    /**
     * Memory for data that is accepted and not yet committed, all signals together; one signal takes at most three
     * quarters, and beside it one request at a time may take what its limits allow; by default a quarter of the limit
     * of memory (cgroup) where that is less. @default '128MiB'
     */
    maxBytes?: Size;
  };
  /** Bounds on what others send. */
  limits?: {
    /** The most memory one request may take as columns; twice buffer.max_bytes where that is less. @default '256MiB' */
    maxRequestMemory?: Size;
    /**
     * The largest request body, before and after decompression and as protobuf; three quarters of buffer.max_bytes
     * where that is less. @default '64MiB'
     */
    maxBody?: Size;
    /** Open connections. @default 1024 */
    maxConnections?: number;
    /** Concurrent requests on one HTTP/2 connection; an eighth, if it is one of more than 128. @default 128 */
    maxStreams?: number;
    /** Levels of arrays and maps in one value. @default 64 */
    nesting?: number;
    /** All headers of one request. @default '16KiB' */
    headerBytes?: Size;
    /** The longest a request may take to arrive. @default '30s' */
    timeout?: Duration;
  };
  /** The form of sealed files. */
  sealing?: {
    /** Compression of sealed files: `zstd` (Zstandard), `none` (not compressed). @default 'zstd' */
    compression?: 'zstd' | 'none';
    /** Level of zstd. @default 1 */
    level?: number;
  };
  /** Space that is left to others on the disk, and who may use the files. */
  storage?: {
    /**
     * New data is refused when the disk would have less room than this; by default 5 % of the volume where that is
     * less. @default '256MiB'
     */
    minFreeBytes?: Size;
    /**
     * Who may use the files: `0640` lets the group read them, `0660` also record into the directory; folders follow,
     * whatever the umask is; not on Windows. @default '0600'
     */
    mode?: string;
    /**
     * Group that files and folders belong to, by name or number; needs a mode that lets the group in; not on Windows.
     */
    group?: string;
  };
  /** Addresses to listen on; true for the two standard ones, false for none. */
  listen?: boolean | ListenConfig;
  /** Allows listening on an address that other machines reach, without credentials. @default false */
  insecure?: boolean;
  /** Protocols that are answered. */
  protocols?: {
    /** Answer OTLP over gRPC. @default true */
    otlpGrpc?: boolean;
    /** Answer OTLP over HTTP. @default true */
    otlpHttp?: boolean;
    /** Answer OTAP, the OTel-Arrow protocol. @default true */
    otap?: boolean;
    /**
     * Answer questions about what is kept, at `/api/v1`, to this machine only; Rust programs add it with the crate
     * `otlp-arrow-api`. @default true
     */
    api?: boolean;
    /**
     * Answer Arrow Flight: rows are taken as OTLP is, and given to this machine only; Rust programs add it with the
     * crate `otlp-arrow-flight`. @default true
     */
    flight?: boolean;
  };
  /**
   * Show what is kept as pages of a browser, at `/` of the addresses that are listened on, to this machine only; `true`
   * in the service; Rust programs add it with the crate `otlp-arrow-dashboard`. @default false
   */
  dashboard?: boolean;
  /**
   * Answer tools for coding agents (MCP) at `/mcp`, to this machine only; on in the service; Rust programs add them
   * with the crate `otlp-arrow-mcp`. @default false
   */
  mcp?: boolean;
  /** When a live file is closed. */
  rotation?: {
    /** A live file is closed at this size; by default 1/32 of the space where that is less. @default '64MiB' */
    maxBytes?: Size;
    /** A live file is closed at this age; at most a quarter of each retention age. @default '15m' */
    maxAge?: Duration;
  };
  /** When a file is deleted. */
  retention?: {
    /** When files of traces are deleted. */
    traces?: {
      /** Traces older than this are deleted. @default '24h' */
      maxAge?: Duration;
    };
    /** When files of logs are deleted. */
    logs?: {
      /** Logs older than this are deleted. @default '24h' */
      maxAge?: Duration;
    };
    /** When files of metrics are deleted. */
    metrics?: {
      /** Metrics older than this are deleted. @default '7d' */
      maxAge?: Duration;
    };
    /**
     * The most the directory may take; the oldest files go first; by default half of the space (what is free and what
     * the directory takes) where that is less, and then down to a quarter of it while others fill the volume. @default
     * '4GiB'
     */
    maxBytes?: Size;
  };
  /** Where data is forwarded to: one destination, several, or env for the OTEL_EXPORTER_OTLP_* variables. */
  forward?: 'env' | DestinationConfig | ('env' | DestinationConfig)[];
  /** Bounds on questions about what is kept. */
  query?: {
    /** The longest a question may take; what was found by then is the answer, which says so. @default '30s' */
    timeout?: Duration;
    /** Memory for what questions read and keep, all of them together. @default '512MiB' */
    maxMemory?: Size;
    /** The most rows of one answer. @default 100000 */
    maxRows?: number;
    /** Questions answered at once; others wait for their turn. @default 4 */
    maxConcurrent?: number;
    /** Memory for what is kept of files between questions. @default '64MiB' */
    indexMemory?: Size;
  };
  /**
   * Attributes of records handed over without a resource, on top of `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`.
   */
  resource?: { [name: string]: string };
  /** Who is told of events, besides the program itself. */
  onEvent?: {
    /** URL that each event is posted to as JSON; may be `{env: NAME}` or `{file: PATH}`. */
    webhook?: Secret;
    /** Program and arguments that are run for each event, which it reads as JSON from standard input. */
    command?: string[];
  };
  /** The log of the standalone service. */
  log?: {
    /**
     * The least severe level of the service's log: `off` (nothing), `error` (what failed), `warn` (and what needs a
     * look), `info` (and what was done), `debug` (and how), `trace` (and everything). @default 'info'
     */
    level?: 'off' | 'error' | 'warn' | 'info' | 'debug' | 'trace';
    /**
     * Form of the service's log lines on standard error: `console` (for people), `json` (one JSON object a line).
     * @default 'console'
     */
    format?: 'console' | 'json';
  };
  /** How long a shutdown may take. @default '10s' */
  shutdownTimeout?: Duration;
}

/** Addresses to listen on; true for the two standard ones, false for none. */
export interface ListenConfig {
  /**
   * First listener, `127.0.0.1:4317` in the service and with `listen: true`; port 0 takes a free one; `off` for none.
   */
  grpc?: string;
  /** Second listener, `127.0.0.1:4318` in the service and with `listen: true`; both answer every protocol. */
  http?: string;
}

/** One destination data is forwarded to. */
export interface DestinationConfig {
  /** Name in counters, events and cursors; `default` for a single destination, else its position. */
  name?: string;
  /** Base URL of the destination, such as `http://collector:4317`. */
  endpoint?: string;
  /**
   * How it is spoken to: `otlp_grpc` (OTLP over gRPC), `otlp_http` (OTLP over HTTP in protobuf), `otap` (OTAP, which is
   * Arrow over gRPC; OTLP/gRPC where the server has no OTAP), `flight` (Arrow Flight, to another otlp-arrow), `stdout`
   * (OTLP/JSON lines on standard output). @default 'otlp_grpc'
   */
  protocol?: 'otlp_grpc' | 'otlp_http' | 'otap' | 'flight' | 'stdout';
  /** Signals it takes. @default ['traces', 'metrics', 'logs'] */
  signals?: Signal[];
  /**
   * Compression of requests; gzip where the network costs more than the processor: `none` (not compressed), `gzip`
   * (gzip), `zstd` (Zstandard). @default 'none'
   */
  compression?: 'none' | 'gzip' | 'zstd';
  /** The longest one request may take. @default '10s' */
  timeout?: Duration;
  /** Requests on their way at once; 1 keeps the order. @default 4 */
  maxInFlight?: number;
  /**
   * Memory for fresh data that is forwarded as it came; the rest is read back from disk; by default an eighth of the
   * limit of memory (cgroup) where that is less. @default '16MiB'
   */
  memory?: Size;
  /** Headers of each request; values may be `{env: NAME}` or `{file: PATH}`. */
  headers?: { [name: string]: Secret };
  /** Credentials for the destination, one of these. */
  auth?: {
    /** `Authorization: Bearer …`. */
    bearer?: Secret;
    /** An API key in a header. */
    apiKey?: {
      /** Name of the API key header. @default 'x-api-key' */
      header?: string;
      /** The API key. */
      key: Secret;
    };
    /** User name and password. */
    basic?: {
      /** User name of `Authorization: Basic …`. */
      username: Secret;
      /** Password of `Authorization: Basic …`. */
      password: Secret;
    };
  };
  /** TLS towards the destination; used with https URLs. */
  tls?: {
    /** PEM file of authorities to trust instead of the system's. */
    caFile?: string;
    /** PEM file of the client certificate. */
    certFile?: string;
    /** PEM file of the client key. */
    keyFile?: string;
    /** Instead of ca_file: the PEM itself. */
    caPem?: Secret;
    /** Instead of cert_file: the PEM itself. */
    certPem?: Secret;
    /** Instead of key_file: the PEM itself. */
    keyPem?: Secret;
    /** Name to expect in the server's certificate. */
    serverName?: string;
  };
  /** The proxy to go through; its URL, or none, may stand for all of it. */
  proxy?: Secret | ProxyConfig;
  /** Waiting between attempts. */
  retry?: {
    /** Wait before the second attempt. @default '1s' */
    initial?: Duration;
    /** Longest wait between attempts. @default '30s' */
    max?: Duration;
    /** Growth of the wait. @default 1.5 */
    multiplier?: number;
  };
  /** The circuit breaker. */
  breaker?: {
    /**
     * What opens the circuit breaker: `consecutive_failures` (so many failures in a row), `failure_rate` (so large a
     * share of the requests in a window). @default 'consecutive_failures'
     */
    strategy?: 'consecutive_failures' | 'failure_rate';
    /** With consecutive_failures: how many. @default 5 */
    failures?: number;
    /** With failure_rate: the share that opens it. @default 0.5 */
    rate?: number;
    /** With failure_rate: fewer requests in the window never open it. @default 20 */
    minimum?: number;
    /** With failure_rate: the window. @default '30s' */
    window?: Duration;
    /** First open time; it doubles, with jitter. @default '5s' */
    open?: Duration;
    /** Longest open time. @default '5m' */
    maxOpen?: Duration;
  };
  /** OTAP, which is Arrow over gRPC; OTLP/gRPC where the server has no OTAP. */
  otap?: {
    /**
     * Compression within the Arrow data; `compression` is that of whole messages: `zstd` (each buffer as a zstd frame),
     * `none` (buffers as they are). @default 'zstd'
     */
    payloadCompression?: 'zstd' | 'none';
    /** How long batches are sent on one stream before another one begins, which load balancers see. @default '30s' */
    streamLifetime?: Duration;
    /**
     * Largest message before compression, as the server takes it (a Collector 4MiB); larger batches are split. @default
     * '4MiB'
     */
    maxMessage?: Size;
    /** Whether metadata of metrics is sent: a Collector refuses batches with it. @default false */
    metricMetadata?: boolean;
    /**
     * Whether OTLP/gRPC is used until the next start where the server has no OTAP; the event forward_downgraded tells.
     * @default true
     */
    fallback?: boolean;
  };
}

/** The proxy to go through; its URL, or none, may stand for all of it. */
export interface ProxyConfig {
  /** The proxy to go through; where it is not set, HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY count. */
  url?: Secret;
  /** User name for the proxy, if its URL has none. */
  username?: Secret;
  /** Password for the proxy, if its URL has none. */
  password?: Secret;
  /** TLS towards a proxy whose URL begins with https. */
  tls?: {
    /** PEM file of authorities to trust for the proxy instead of the system's. */
    caFile?: string;
    /** PEM file of the certificate that is shown to the proxy. */
    certFile?: string;
    /** PEM file of its key. */
    keyFile?: string;
    /** Instead of ca_file: the PEM itself. */
    caPem?: Secret;
    /** Instead of cert_file: the PEM itself. */
    certPem?: Secret;
    /** Instead of key_file: the PEM itself. */
    keyPem?: Secret;
  };
}

/** Keys whose own keys are names of the user's, not of ours. */
export const OPEN_KEYS: ReadonlySet<string> = new Set(['headers', 'resource']);

import { json } from './arguments.js';
import { renamed, snakeKey } from './case.js';
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
   * What an acknowledgement means: `buffered` in memory only, `written` survives the end of the process, `synced`
   * survives a power cut. @default 'written'
   */
  durability?: 'buffered' | 'written' | 'synced';
  /** With `buffered` only: the longest time accepted data stays in memory only. @default '5s' */
  writeInterval?: Duration;
  /** How long a commit may wait for more data to share it with. @default '10ms' */
  commitInterval?: Duration;
  /** Memory for data that is accepted and not yet committed. */
  buffer?: {
    /** All signals together; one signal takes at most three quarters. @default '128MiB' */
    maxBytes?: Size;
  };
  /** Bounds on what others send. */
  limits?: {
    /** @default '256MiB' */
    maxRequestMemory?: Size;
    /** Before and after decompression. @default '64MiB' */
    maxBody?: Size;
    maxConnections?: number;
    maxStreams?: number;
    /** Levels of arrays and maps in one value. @default 64 */
    nesting?: number;
    headerBytes?: Size;
    timeout?: Duration;
  };
  /** The form of sealed files. */
  sealing?: { compression?: 'zstd' | 'none'; level?: number };
  /** Room that is left to others on the disk. */
  storage?: {
    /** @default '256MiB' */
    minFreeBytes?: Size;
  };
  /** Addresses to listen on; `true` is 127.0.0.1:4317 and 127.0.0.1:4318. Port 0 takes any. @default none */
  listen?: boolean | { grpc?: string; http?: string };
  /** Allows listening on an address that other machines reach, without credentials. */
  insecure?: boolean;
  /** Protocols that are answered. */
  protocols?: { otlpGrpc?: boolean; otlpHttp?: boolean };
  /** When a live file is closed. */
  rotation?: { maxBytes?: Size; maxAge?: Duration };
  /** When a file is deleted. */
  retention?: {
    traces?: { maxAge?: Duration };
    logs?: { maxAge?: Duration };
    metrics?: { maxAge?: Duration };
    /** Of everything in the directory. @default '4GiB' */
    maxBytes?: Size;
  };
  /** Where data is forwarded to; `env` takes the destination from `OTEL_EXPORTER_OTLP_*`. */
  forward?: 'env' | DestinationConfig | DestinationConfig[];
  /** Resource attributes of records handed over without a resource. @default from the OTEL variables */
  resource?: { [name: string]: string };
  /** Where events are reported besides `on('event')`. */
  onEvent?: { webhook?: Secret; command?: string[] };
  /** The log of the standalone service. */
  log?: { level?: 'off' | 'error' | 'warn' | 'info' | 'debug' | 'trace'; format?: 'console' | 'json' };
  /** How long a shutdown may take. @default '10s' */
  shutdownTimeout?: Duration;
}

/** One destination data is forwarded to. */
export interface DestinationConfig {
  /** In counters, events and cursors. */
  name?: string;
  /** Base URL, such as `http://collector:4317`. */
  endpoint: string;
  /** @default 'otlp_grpc' */
  protocol?: 'otlp_grpc' | 'otlp_http' | 'stdout';
  /** @default all */
  signals?: Signal[];
  /** @default 'gzip' */
  compression?: 'none' | 'gzip' | 'zstd';
  /** @default '10s' */
  timeout?: Duration;
  /** Requests on their way at once; 1 keeps the order. @default 4 */
  maxInFlight?: number;
  /** Memory for fresh data that is forwarded as it came. @default '16MiB' */
  memory?: Size;
  headers?: { [name: string]: Secret };
  auth?: {
    bearer?: Secret;
    apiKey?: { header?: string; key: Secret };
    basic?: { username: string; password: Secret };
  };
  tls?: { caFile?: string; certFile?: string; keyFile?: string; serverName?: string };
  retry?: { initial?: Duration; max?: Duration; multiplier?: number };
  breaker?: {
    strategy?: 'consecutive_failures' | 'failure_rate';
    failures?: number;
    rate?: number;
    minimum?: number;
    window?: Duration;
    open?: Duration;
    maxOpen?: Duration;
  };
}

/** Keys whose own keys are names of the user's, not of ours. */
const OPAQUE = new Set(['resource', 'headers']);

/** The configuration as the core reads it: JSON with keys in snake case. */
export function toJson(config: OtlpConfig): string {
  return json(renamed(config, snakeKey, OPAQUE));
}

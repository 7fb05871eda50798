import { camelKey, renamed } from './case.js';
import type { Signal } from './signal.js';
import type { ErrorCode, EventName, HealthStatus, MetricName, Severity } from './vocabulary.js';

/** One number for each signal. */
export type PerSignal = { readonly [signal in Signal]: number };

/** What a library has done and has in hand. For each signal, accepted = committed + waiting + dropped. */
export interface LibraryStats {
  /** Records that were acknowledged. */
  readonly acceptedRecords: PerSignal;
  /** Records that are in a file. */
  readonly committedRecords: PerSignal;
  /** Acknowledged records that are in memory only: what a crash would lose (durability `buffered`). */
  readonly waitingRecords: PerSignal;
  /** Acknowledged records that could not be written before the end. */
  readonly droppedRecords: PerSignal;
  /** Requests that are on their way and not acknowledged yet. */
  readonly queuedRequests: PerSignal;
  /** Bytes of memory that arriving and accepted data takes, and may take. */
  readonly bufferBytes: number;
  readonly bufferMaxBytes: number;
  /** Bytes of the files, as of the last look at the directory. */
  readonly diskBytes: PerSignal;
  /** Files of this writer that are not sealed yet, live ones included. */
  readonly unsealedFiles: number;
  /** How often each event happened; names without an occurrence are left out. */
  readonly events: { readonly [name in EventName]?: number };
  /** Everything that is counted: the list of the service's `/metrics`. */
  readonly counters: readonly Sample[];
}

/** One counted series. A distribution of seconds has `count`, `sum` and `buckets` instead of `value`. */
export interface Sample {
  /** Such as `otlp_arrow_committed_records_total`. */
  readonly name: MetricName;
  readonly labels: { readonly [name: string]: string };
  readonly value?: number;
  readonly count?: number;
  readonly sum?: number;
  /** Upper bound in seconds (null is infinite) and observations up to it. */
  readonly buckets?: readonly (readonly [number | null, number])[];
}

/** Whether a library does its work, and why not. */
export interface Health {
  /** The worst of everything below. */
  readonly status: HealthStatus;
  /** Whether new data is taken. */
  readonly accepting: boolean;
  /** One entry for each thing that is not well. */
  readonly problems: readonly {
    /** `storage`, `forward` or another part. */
    readonly part: string;
    readonly signal?: Signal;
    readonly destination?: string;
    /** The code that data is refused with, where it is refused. */
    readonly code?: ErrorCode;
    /** What is wrong and what to do. */
    readonly message: string;
  }[];
}

/** One thing that happened inside and that a person should know. */
export interface OtlpEvent {
  readonly name: EventName;
  /** By the wall clock. */
  readonly time: Date;
  /** Whether it is good to know, or something is wrong. */
  readonly severity: Severity;
  readonly signal?: Signal;
  /** Which forwarding destination. */
  readonly destination?: string;
  /** How many records. */
  readonly count?: number;
  /** What happened, where, and what to do. */
  readonly message: string;
}

/** Keys whose own keys are names and stay as they are. */
const OPAQUE = new Set(['events', 'labels']);

/** Reads a report of the core. */
export function report<T>(json: string): T {
  return renamed(JSON.parse(json), camelKey, OPAQUE) as T;
}

/** Reads an event of the core, whose time is milliseconds since 1970. */
export function event(json: string): OtlpEvent {
  const { time, ...rest } = JSON.parse(json) as Omit<OtlpEvent, 'time'> & { time: number };
  return { ...rest, time: new Date(time) };
}

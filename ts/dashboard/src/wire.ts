/** Answers as JSON has them: names in snake_case, times as RFC 3339 texts of nine digits, durations as numbers of nanoseconds. */
import type * as answers from '../../src/ask/answers.js';

type Snake<S extends string> = S extends `${infer H}${infer T}`
  ? H extends Lowercase<H>
    ? `${H}${Snake<T>}`
    : `_${Lowercase<H>}${Snake<T>}`
  : S;

type Times = 'time' | 'observedTime' | 'startTime' | 'endTime' | 'firstSeen' | 'lastSeen' | 'from' | 'to';

type Value<K, V> = V extends bigint ? (K extends Times ? string : number) : Wire<V>;

/** A type of `answers.ts` as it is in JSON. */
export type Wire<T> = T extends bigint
  ? number
  : T extends string | number | boolean | null | undefined
    ? T
    : T extends readonly [infer A, infer B]
      ? readonly [Wire<A>, Wire<B>]
      : T extends readonly (infer E)[]
        ? readonly Wire<E>[]
        : { readonly [K in keyof T as K extends string ? Snake<K> : K]: Value<K, T[K]> };

export type Searched = Wire<answers.Searched>;
export type Service = Wire<answers.Service>;
export type Services = Wire<answers.Services>;
export type Search = Wire<answers.Search>;
export type Trace = Wire<answers.Trace>;
export type TraceSummary = Wire<answers.TraceSummary>;
export type Counts = Wire<answers.Counts>;
export type Bucket = Wire<answers.Bucket>;
export type Facets = Wire<answers.Facets>;
export type Facet = Wire<answers.Facet>;
export type AttributeKeys = Wire<answers.AttributeKeys>;
export type AttributeValues = Wire<answers.AttributeValues>;
export type Logs = Wire<answers.Logs>;
export type LogRecord = Wire<answers.LogRecord>;
export type Span = Wire<answers.Span>;
export type Spans = Wire<answers.Spans>;
export type SpanEvent = Wire<answers.SpanEvent>;
export type SpanLink = Wire<answers.SpanLink>;
export type Metrics = Wire<answers.Metrics>;
export type Metric = Wire<answers.Metric>;
export type Series = Wire<answers.Series>;
export type Line = Wire<answers.Line>;
export type Exemplar = Wire<answers.Exemplar>;
export type Errors = Wire<answers.Errors>;
export type ErrorGroup = Wire<answers.ErrorGroup>;
export type Exceptions = Wire<answers.Exceptions>;
export type RecordedException = Wire<answers.RecordedException>;
export type ServiceMap = Wire<answers.ServiceMap>;
export type MapNode = Wire<answers.MapNode>;
export type Edge = Wire<answers.Edge>;
export type Compare = Wire<answers.Compare>;
export type Overrepresented = Wire<answers.Overrepresented>;

/** Values of attributes as they are shown; integers beyond 2^53 stay exact. */
export type AttributeValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | readonly AttributeValue[]
  | { readonly [key: string]: AttributeValue };
export type Attributes = { readonly [key: string]: AttributeValue };

/** What is kept of one signal. */
export interface Kept {
  readonly signal: 'traces' | 'metrics' | 'logs';
  readonly files: number;
  readonly bytes: number;
  readonly first: string | null;
  readonly last: string | null;
}

/** `/overview`: services, what is kept, and the recorder. */
export interface Overview {
  readonly services: readonly Service[];
  readonly signals: readonly Kept[];
  readonly searched: Searched;
  readonly recorder: Recorder;
}

/** `/recorder`. `health`, `stats` and `retention` are null where a directory is looked at that nothing here records into. */
export interface Recorder {
  readonly version: string;
  readonly output_dir: string;
  readonly health: { readonly status: string; readonly problems: readonly Problem[] } | null;
  readonly stats: { readonly [name: string]: unknown } | null;
  readonly destinations: readonly { readonly [name: string]: unknown }[];
  readonly retention: { readonly max_bytes: number; readonly max_age: { readonly [signal: string]: number } } | null;
  readonly query: { readonly [name: string]: number };
}

/** Something that is not well. */
export interface Problem {
  readonly [name: string]: unknown;
}

/** One bar of a waterfall: `/traces/{trace}?columns=tree`. */
export interface Bar {
  readonly id: string;
  /** Position of its parent among the bars. */
  readonly parent: number | null;
  readonly depth: number;
  readonly name: string;
  readonly service: string;
  /** Nanoseconds from the start of the trace. */
  readonly start: number;
  readonly duration: number;
  readonly status: string;
  readonly kind: string;
  readonly events: number;
  readonly logs: number;
  /** When these were, in nanoseconds from the start of the trace; the first 32. */
  readonly event_times?: readonly number[];
  readonly log_times?: readonly number[];
  readonly children: number;
  readonly hidden: number;
  readonly matches?: boolean;
  readonly orphan?: true;
}

/** All of one span: `/traces/{trace}/spans/{span}`. */
export interface OneSpan {
  readonly span: Span | null;
  readonly logs: readonly LogRecord[];
  readonly searched: Searched;
}

/** A trace for its waterfall. */
export interface Tree {
  readonly trace_id: string;
  readonly start_time: string;
  readonly duration: number;
  readonly services: { readonly [name: string]: number };
  readonly errors: number;
  readonly duplicates: number;
  readonly missing_parents: readonly string[];
  readonly spans: readonly Bar[];
  readonly searched: Searched;
}

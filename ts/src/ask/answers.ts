/**
 * What questions are answered with. Times are nanoseconds since 1970 and durations nanoseconds, as bigints; ids are
 * hexadecimal; what a record does not have is left out.
 */
import type { Signal } from '../signal.js';

/** What was searched, so that nothing is left out silently. */
export interface Searched {
  /** Everything at or after this time was searched; null is the beginning. */
  readonly from: bigint | null;
  /** Everything before this time was searched; null is everything that is there. */
  readonly to: bigint | null;
  /** Rows that were looked at or ruled out. */
  readonly rows: number;
  /** Files they are in. */
  readonly files: number;
  /** Whether that is all that was asked for. */
  readonly complete: boolean;
  /** Why it is not, if the question ended early. */
  readonly why?: 'limit' | 'max_rows' | 'timeout' | 'memory' | 'cancelled';
  /** Files that could not be read to their end, and what is wrong with them. */
  readonly skipped?: readonly { readonly file: string; readonly why: string }[];
  /** What may have been meant, where nothing was found. */
  readonly hints?: readonly string[];
}

/** The value of an attribute; integers beyond 2^53 are bigints. */
export type RecordValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | readonly RecordValue[]
  | { readonly [key: string]: RecordValue };

/** Attributes by key. */
export interface RecordAttributes {
  readonly [key: string]: RecordValue;
}

/** A span. */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly service: string;
  readonly name: string;
  readonly kind: string;
  readonly startTime: bigint;
  readonly endTime: bigint;
  readonly duration: bigint;
  readonly status: 'unset' | 'ok' | 'error' | (string & Record<never, never>);
  readonly statusMessage?: string;
  readonly attributes: RecordAttributes;
  readonly events?: readonly SpanEvent[];
  readonly links?: readonly SpanLink[];
  readonly resource: RecordAttributes;
  /** Name of the instrumentation scope. */
  readonly scope?: string;
  readonly traceState?: string;
  readonly flags: number;
}

/** An event of a span. */
export interface SpanEvent {
  readonly time: bigint;
  readonly name: string;
  readonly attributes: RecordAttributes;
}

/** A link of a span to another one. */
export interface SpanLink {
  readonly traceId: string;
  readonly spanId: string;
  readonly attributes: RecordAttributes;
}

/** A log record. */
export interface LogRecord {
  readonly time: bigint | null;
  readonly observedTime: bigint | null;
  readonly service: string;
  /** 0 where it has none. */
  readonly severityNumber: number;
  readonly severityText?: string;
  /** As text; a body that was an array or a map is JSON. */
  readonly body: string | null;
  /** The letter of its type where it is not text (docs/schema.md). */
  readonly bodyType?: string;
  readonly eventName?: string;
  readonly traceId?: string;
  readonly spanId?: string;
  readonly attributes: RecordAttributes;
  readonly resource: RecordAttributes;
  /** Name of the instrumentation scope. */
  readonly scope?: string;
  readonly flags: number;
}

/** One trace. */
export interface Trace {
  /** Its whole id; what was asked for, where nothing was found. */
  readonly traceId: string;
  readonly startTime: bigint;
  /** From there to the end of its last span. */
  readonly duration: bigint;
  /** Spans by service. */
  readonly services: { readonly [name: string]: number };
  /** How many spans are errors. */
  readonly errors: number;
  /** Spans that came twice: the same id and start. The last of them is here. */
  readonly duplicates: number;
  /** Ids of parents that are named and not there. */
  readonly missingParents: readonly string[];
  /** In the order that a tree is read in: parents before their children, siblings by start. */
  readonly spans: readonly TraceSpan[];
  /** Its log records in the order of time. */
  readonly logs: readonly LogRecord[];
  readonly searched: Searched;
}

/** A span with its place in the tree. */
export interface TraceSpan extends Span {
  /** Position of its parent among the spans of the answer; null of a root. */
  readonly parent: number | null;
  /** How many spans are above it. */
  readonly depth: number;
  /** How many spans are directly below it. */
  readonly children: number;
  /** Whether it names a parent that is not there. */
  readonly orphan?: true;
  /** Whether its parents lead back to it; the one that starts first is shown as a root. */
  readonly cyclic?: true;
  /** By how much it starts before its parent: the clocks of two machines differ. */
  readonly early?: bigint;
}

/** Traces that were found. */
export interface Search {
  readonly traces: readonly TraceSummary[];
  /** Where the next ones begin, if there are more. */
  readonly cursor?: string;
  readonly searched: Searched;
}

/** One trace in one line. */
export interface TraceSummary {
  readonly traceId: string;
  /** Service of its root: the span without a parent, or the first one whose parent is missing. */
  readonly rootService: string;
  readonly rootName: string;
  readonly startTime: bigint;
  /** From there to the end of its last span. */
  readonly duration: bigint;
  /** Spans, those that came twice once. */
  readonly spans: number;
  /** How many of them are errors. */
  readonly errors: number;
  /** How many spans match. */
  readonly matched: number;
  /** Spans by service. */
  readonly services: { readonly [name: string]: number };
}

/** Spans in the order that was asked for. */
export interface Spans {
  readonly spans: readonly Span[];
  /** Where the next ones begin, if there are more. */
  readonly cursor?: string;
  readonly searched: Searched;
}

/** Log records in the order that was asked for. */
export interface Logs {
  readonly logs: readonly LogRecord[];
  /** Where the next ones begin, if there are more. */
  readonly cursor?: string;
  readonly searched: Searched;
}

/** Counts over time. */
export interface Counts {
  /** Length of a bucket. Buckets begin at multiples of it since 1970. */
  readonly step: bigint;
  /** Records of all buckets, and those without a time. */
  readonly total: number;
  /** Those that are not empty, by time, then by group, the most frequent group first. */
  readonly buckets: readonly Bucket[];
  readonly searched: Searched;
}

/** Records of some time and some group. */
export interface Bucket {
  /** When it begins. */
  readonly time: bigint;
  /** The value; null where a record has none, or where nothing is told apart. */
  readonly group: string | null;
  /** Whether these are the records of all less frequent values. */
  readonly other?: true;
  readonly count: number;
}

/** Services by name. */
export interface Services {
  readonly services: readonly Service[];
  readonly searched: Searched;
}

/** One service. */
export interface Service {
  /** `service.name`; empty for spans without. */
  readonly name: string;
  /** All of its spans. */
  readonly spans: number;
  /** Spans that are requests: of the kinds `server` and `consumer`, or without a parent where it has none of these. */
  readonly requests: number;
  /** Requests with what sampling left out counted in. */
  readonly weightedRequests: number;
  /** Requests a second. */
  readonly rate: number;
  /** Requests that are errors. */
  readonly errors: number;
  /** Their share, 0 to 1. */
  readonly errorShare: number;
  /** Half of the requests took at most so long; null without requests. */
  readonly p50: bigint | null;
  readonly p95: bigint | null;
  readonly p99: bigint | null;
  /** Whether the percentiles are exact; beyond a million requests they are within 4.5 %. */
  readonly exact: boolean;
  readonly firstSeen: bigint;
  readonly lastSeen: bigint;
}

/** Attributes, the most frequent first. */
export interface AttributeKeys {
  /** Records that match. */
  readonly total: number;
  readonly attributes: readonly AttributeKey[];
  readonly searched: Searched;
}

/** One attribute. */
export interface AttributeKey {
  readonly key: string;
  /** Whose it is: `attr` asks for the one, `resource` for the other. */
  readonly of: 'record' | 'resource';
  /** How many records have it, or a resource that has it. */
  readonly count: number;
}

/** Values of one attribute. */
export interface AttributeValues {
  /** Which attribute or column. */
  readonly key: string;
  /** How many distinct values there are. */
  readonly distinct: number;
  /** The most frequent first. */
  readonly values: readonly ValueCount<string>[];
  readonly searched: Searched;
}

/** A value and how many records have it. */
export interface ValueCount<T> {
  readonly value: T;
  readonly count: number;
}

/** Values and how many records have each. */
export interface Facets {
  /** Records that match. */
  readonly total: number;
  readonly facets: readonly Facet[];
  readonly searched: Searched;
}

/** The values of one column or attribute. */
export interface Facet {
  /** Which one, as it was asked for. */
  readonly by: string;
  /** How many distinct values there are. */
  readonly distinct: number;
  /** The most frequent first; the null value is of records without. */
  readonly values: readonly ValueCount<string | null>[];
}

/** Metrics by name. */
export interface Metrics {
  readonly metrics: readonly Metric[];
  readonly searched: Searched;
}

/** One metric. What has the same name and another type, unit or temporality is another one. */
export interface Metric {
  readonly name: string;
  readonly type: MetricType;
  /** UCUM unit; empty where it has none. */
  readonly unit: string;
  readonly temporality?: string;
  /** Whether it only grows; of sums. */
  readonly monotonic?: boolean;
  readonly description?: string;
  /** Services that send it. */
  readonly services: readonly string[];
  /** How many series: distinct attributes of distinct resources and scopes. */
  readonly series: number;
  readonly points: number;
  /** The value of its latest point; of a histogram or summary how many values that has. */
  readonly lastValue: number | null;
  readonly firstSeen: bigint;
  readonly lastSeen: bigint;
}

/** The type of a metric. */
export type MetricType =
  | 'gauge'
  | 'sum'
  | 'histogram'
  | 'exponential_histogram'
  | 'summary'
  | (string & Record<never, never>);

/** One metric over time. */
export interface Series {
  readonly metric: string;
  /** Length of a step. Steps end at multiples of it since 1970, the last one where the range does. */
  readonly step: bigint;
  /** Those with the greatest values first. */
  readonly lines: readonly Line[];
  /** Lines that are not here. */
  readonly leftOut?: number;
  /** What is to be known of the numbers. */
  readonly warnings: readonly string[];
  readonly searched: Searched;
}

/** One line: a series, or several together. */
export interface Line {
  /** What all of its series have in common: what was asked for with `by`, otherwise service and attributes. */
  readonly labels: { readonly [name: string]: string };
  /** UCUM unit of the metric. A rate is that a second. */
  readonly unit: string;
  readonly type: MetricType;
  /** What its values are. */
  readonly show: 'rate' | 'increase' | 'value' | 'quantile' | 'buckets' | 'mean' | 'sum';
  /** Of which share of all values. */
  readonly quantile?: number;
  /** Of which bucket: of values greater than this. */
  readonly above?: number;
  /** Up to this value, it included. */
  readonly upTo?: number;
  /** How many series it is made of. */
  readonly series: number;
  /** In the order of time; steps without a value are not here. */
  readonly points: readonly Point[];
  /** Single values, those first whose trace is kept, then the latest. */
  readonly exemplars?: readonly Exemplar[];
}

/** The value of a step. */
export interface Point {
  /** When the step ends. */
  readonly time: bigint;
  readonly value: number | null;
}

/** A single value that a point was made of. */
export interface Exemplar {
  readonly time: bigint;
  readonly value: number | null;
  readonly traceId?: string;
  readonly spanId?: string;
  /** Attributes that the point does not have. */
  readonly attributes?: RecordAttributes;
  /** Whether a span of the trace is kept here. */
  readonly kept: boolean;
}

/** Exceptions in groups. */
export interface Errors {
  /** All exceptions. */
  readonly total: number;
  /** Length of a step of their trends. Steps begin at multiples of it since 1970. */
  readonly step: bigint;
  /** The most frequent first. */
  readonly errors: readonly ErrorGroup[];
  readonly searched: Searched;
}

/** Exceptions that are alike. */
export interface ErrorGroup {
  /** Its number: the same in every directory. */
  readonly group: string;
  readonly type: string;
  /** What all of them say, with numbers, ids and quoted texts replaced. */
  readonly message: string;
  /** Function and file they come from, where there is a stack trace. */
  readonly frame: string | null;
  readonly count: number;
  /** Services and how many each had, the most first. */
  readonly services: readonly (readonly [string, number])[];
  readonly firstSeen: bigint;
  readonly lastSeen: bigint;
  /** How many came when; steps with none are not here. */
  readonly trend: readonly TrendBucket[];
  /** The latest one, as it came. */
  readonly example: RecordedException;
}

/** Exceptions of a step. */
export interface TrendBucket {
  /** When it begins. */
  readonly time: bigint;
  readonly count: number;
}

/** Exceptions one by one. */
export interface Exceptions {
  readonly exceptions: readonly RecordedException[];
  readonly searched: Searched;
}

/** An exception that a span or a log record tells of. */
export interface RecordedException {
  readonly time: bigint;
  readonly service: string;
  readonly type: string;
  readonly message: string;
  /** As it came, up to 16 KiB. */
  readonly stacktrace?: string;
  /** Whether it left the span. */
  readonly escaped: boolean;
  readonly traceId?: string;
  readonly spanId?: string;
  /** Name of the span that tells of it. */
  readonly spanName?: string;
  /** What tells of it. */
  readonly signal: Signal;
}

/** Services and what they call. */
export interface ServiceMap {
  /** Services, then what they call, by name. */
  readonly nodes: readonly MapNode[];
  /** By name of who calls, then of who is called. */
  readonly edges: readonly Edge[];
  readonly searched: Searched;
}

/** What a node of the map is. */
export type NodeKind = 'service' | 'database' | 'messaging' | 'external';

/** A service, or what one calls. */
export interface MapNode {
  readonly name: string;
  readonly kind: NodeKind;
  /** Its spans; 0 of what sends none. */
  readonly spans: number;
  /** How many of these are errors. */
  readonly errors: number;
}

/** Calls from one to another. */
export interface Edge {
  readonly from: string;
  readonly to: string;
  readonly toKind: NodeKind;
  /** Whether it is a call, or a span of the second links to one of the first. */
  readonly kind: 'call' | 'link';
  readonly requests: number;
  /** With what sampling left out counted in. */
  readonly weightedRequests: number;
  /** A second. */
  readonly rate: number;
  readonly errors: number;
  /** Their share, 0 to 1. */
  readonly errorShare: number;
  readonly p50: bigint | null;
  readonly p95: bigint | null;
  readonly p99: bigint | null;
}

/** Two sides beside each other. */
export interface Compare {
  readonly a: ComparedSide;
  readonly b: ComparedSide;
  /** What changed, by what it does to a request; behind that what did not. */
  readonly operations: readonly OperationChange[];
  /** Groups of exceptions of which one side has more, those first that only one has. */
  readonly errors: readonly ErrorChange[];
  readonly searched: Searched;
}

/** What one side is. */
export interface ComparedSide {
  /** As it was asked for; of a trace its whole id. */
  readonly is: string;
  readonly spans: number;
  /** Spans without a parent. */
  readonly requests: number;
  readonly errors: number;
  readonly from: bigint;
  readonly to: bigint;
  readonly services: readonly string[];
}

/** One operation of both sides. */
export interface OperationChange {
  readonly service: string;
  readonly name: string;
  readonly kind: string;
  readonly change: 'new' | 'gone' | 'failing' | 'recovered' | 'slower' | 'faster' | 'same';
  /** By how many nanoseconds a request spends more in it. */
  readonly impact: number;
  readonly a: Operation | null;
  readonly b: Operation | null;
}

/** What the spans of one operation come to. */
export interface Operation {
  readonly count: number;
  readonly errors: number;
  /** Their share, 0 to 1. */
  readonly errorShare: number;
  /** All of them together. */
  readonly total: bigint;
  readonly p50: bigint;
  readonly p95: bigint;
  readonly p99: bigint;
}

/** A group of exceptions of which one side has more. */
export interface ErrorChange {
  readonly group: string;
  readonly type: string;
  readonly message: string;
  readonly frame: string | null;
  /** How many the first side has. */
  readonly a: number;
  /** How many the second one has. */
  readonly b: number;
}

/** Values that are more frequent among some records than among others. */
export interface Overrepresented {
  /** Records that match. */
  readonly selected: number;
  /** Records they are compared with. */
  readonly others: number;
  /** Those first whose shares differ most. */
  readonly values: readonly OverrepresentedValue[];
  readonly searched: Searched;
}

/** A value that is more frequent. */
export interface OverrepresentedValue {
  /** What it is a value of, as the word `by` takes it. */
  readonly by: string;
  readonly value: string;
  /** How many of the records that match have it. */
  readonly count: number;
  /** Their share, 0 to 1. */
  readonly share: number;
  /** How many of the others have it. */
  readonly others: number;
  /** Their share, 0 to 1. */
  readonly othersShare: number;
  /** By how many standard errors the shares differ. */
  readonly score: number;
}

// Written from the tables of questions: OTLP_ARROW_BLESS=1 cargo test fresh. Do not edit.

import type { Duration } from '../keys.js';
import type { Signal } from '../signal.js';
import type {
  AttributeKeys,
  AttributeValues,
  Compare,
  Counts,
  Errors,
  Exceptions,
  Facets,
  Logs,
  Metrics,
  Overrepresented,
  Search,
  Series,
  ServiceMap,
  Services,
  Spans,
  Trace,
} from './answers.js';
import type { Ask, Asked, AskOptions } from './asked.js';

/** A time: a Date, nanoseconds since 1970, `-1h` (before now), or RFC 3339. */
export type Time = Date | bigint | string;

/** Which records a question is about. Everything that is given must hold; of several values of one word, one of them. */
export interface Filter {
  /**
   * `service.name` of the resource: one of those given, none of those with `!`; `~` is a regular expression, `""` is
   * none: `checkout`, `!checkout`, `~^check`, `!~^check`.
   */
  service?: string | readonly string[];
  /** Name of the span, of the log record's event, of the metric: as `service`. */
  name?: string | readonly string[];
  /**
   * Kind of the span; of a metric its type: `gauge`, `sum`, `histogram`, `exponential_histogram`, `summary`:
   * `internal`, `server`, `client`, `producer`, `consumer`.
   */
  kind?: string | readonly string[];
  /** Status of the span: `ok`, `error`, `unset`. */
  status?: string | readonly string[];
  /** Spans that took at least so long: `250ms`. */
  minDuration?: Duration | bigint;
  /** Spans that took at most so long: `2s`. */
  maxDuration?: Duration | bigint;
  /**
   * Severity of the log record, by name or number; a name alone is its four numbers: `error`, `>=warn`, `17`, `<13`.
   */
  severity?: string | number;
  /**
   * Must occur: in the body of a log record; in the name, the status message or the value of an attribute of a span:
   * any text.
   */
  text?: string | readonly string[];
  /** A regular expression that must match somewhere in what `text` looks at: `timeout after [0-9]+`. */
  regex?: string;
  /** `text` and `regex` take upper and lower case for the same: `true`, `false`. */
  ignoreCase?: boolean;
  /** Records of this trace: 32 hexadecimal digits, or the first 4 and more. */
  trace?: string;
  /** Records of this span: 16 hexadecimal digits, or the first 4 and more. */
  span?: string;
  /**
   * What must hold of an attribute of the record; what is negated also holds where there is none: `http.route=/cart`,
   * `!=`, `>5`, `~regex`, `key`, `!key`.
   */
  attr?: string | readonly string[];
  /** What must hold of an attribute of the resource: as `attr`. */
  resource?: string | readonly string[];
  /** Records at or after this time: `-1h`, `2026-11-30T12:00:00Z`, nanoseconds since 1970. */
  from?: Time;
  /** Records before this time: as `from`, `now`. */
  to?: Time;
  /** The most rows of the answer: `20`. */
  limit?: number;
  /** Which rows come first: `newest`, `oldest`. */
  order?: 'newest' | 'oldest';
  /** Rows behind those of an earlier answer: as an answer gives it. */
  cursor?: string;
}

/** The words of {@link Questions.trace}. */
export interface TraceWords {
  /** Whether its log records are part of the answer; they are: `true`, `false`. */
  logs?: boolean;
}

/** The words of {@link Questions.counts}. */
export interface CountsWords extends Filter {
  /** Which records are counted; traces: `traces`, `logs`, `metrics`. */
  signal?: Signal;
  /** Length of a bucket; so that there are at most 60 if it is left out: `1m`. */
  step?: Duration | bigint;
  /**
   * Counts each of the most frequent values apart: `service`, `name`, `kind`, `status`, `severity`, `attr:KEY`,
   * `resource:KEY`.
   */
  by?: string;
}

/** The words of {@link Questions.attributes}. */
export interface AttributesWords extends Filter {
  /** Of which records; traces: `traces`, `logs`, `metrics`. */
  signal?: Signal;
}

/** The words of {@link Questions.attributeValues}. */
export interface AttributeValuesWords extends Filter {
  /** Of which records; traces: `traces`, `logs`, `metrics`. */
  signal?: Signal;
  /** Only values that begin so: any text. */
  prefix?: string;
}

/** The words of {@link Questions.facets}. */
export interface FacetsWords extends Filter {
  /** Which records are counted; traces: `traces`, `logs`, `metrics`. */
  signal?: Signal;
  /**
   * Whose values; the columns that the signal has if it is left out: `service`, `name`, `kind`, `status`, `severity`,
   * `attr:KEY`, `resource:KEY`.
   */
  by?: string | readonly string[];
}

/** The words of {@link Questions.series}. */
export interface SeriesWords extends Filter {
  /** Its name: `http.server.request.duration`. */
  metric: string;
  /**
   * What is computed for a step: `rate` a second of a sum that only grows and of the values of a histogram, `increase`
   * of these, the latest `value` of a gauge, `quantile`, `mean` and `sum` of the values of a histogram, and how many of
   * them each of its `buckets` has; what suits the metric if it is left out: `rate`, `increase`, `value`, `quantile`,
   * `buckets`, `mean`, `sum`.
   */
  show?: 'rate' | 'increase' | 'value' | 'quantile' | 'buckets' | 'mean' | 'sum';
  /** Length of a step; one that a person can read if it is left out: `1m`. */
  step?: Duration | bigint;
  /**
   * Series that are alike in this are one line; each is one of its own if it is left out, and `agg` too: `service`,
   * `attr:KEY`, `resource:KEY`, `name` for all together.
   */
  by?: string | readonly string[];
  /** How several series become one line: `sum` of rates, `avg` of values: `sum`, `avg`, `min`, `max`, `count`. */
  agg?: 'sum' | 'avg' | 'min' | 'max' | 'count';
  /** Which share of values, 0 to 1; 0.5, 0.95 and 0.99 if it is left out: `0.99`. */
  quantile?: number | readonly number[];
  /** So many lines, those with the greatest values; 20: `5`. */
  top?: number;
  /** The latest so many single values of each line; those first whose trace is kept: `10`, `0`. */
  exemplars?: number;
}

/** The words of {@link Questions.errors}. */
export interface ErrorsWords extends Filter {
  /** Whose exceptions: events of spans, or log records; both: `traces`, `logs`. */
  signal?: 'traces' | 'logs';
}

/** The words of {@link Questions.exceptions}. */
export interface ExceptionsWords extends Filter {
  /** Whose exceptions: events of spans, or log records; both: `traces`, `logs`. */
  signal?: 'traces' | 'logs';
  /** Only those of this group: as `errors` gives it. */
  group?: string;
}

/** The words of {@link Questions.overrepresented}. */
export interface OverrepresentedWords extends Filter {
  /** Which records; traces: `traces`, `logs`, `metrics`. */
  signal?: Signal;
  /**
   * What they are compared with; the other records of the same time and services if it is left out: a range,
   * `-2h..-1h`, or words of the filter, `service=shop`.
   */
  against?: string;
}

/** Every question. One that nobody awaits is not asked. */
export abstract class Questions {
  readonly #ask: Ask;

  /** @internal */
  constructor(ask: Ask) {
    this.#ask = ask;
  }

  /** One trace: its spans as a tree, and its log records. */
  trace(traceId: string, words: TraceWords = {}, options: AskOptions = {}): Asked<Trace> {
    return this.#ask('trace', { trace: traceId }, words, options);
  }

  /** Traces in which some span matches: root, services, spans, errors, duration. */
  search(words: Filter = {}, options: AskOptions = {}): Asked<Search> {
    return this.#ask('traces', {}, words, options);
  }

  /** Spans that match, with everything that is known of them. */
  searchSpans(words: Filter = {}, options: AskOptions = {}): Asked<Spans> {
    return this.#ask('spans', {}, words, options);
  }

  /** Log records that match. */
  searchLogs(words: Filter = {}, options: AskOptions = {}): Asked<Logs> {
    return this.#ask('logs', {}, words, options);
  }

  /** How many records match, over time. */
  counts(words: CountsWords = {}, options: AskOptions = {}): Asked<Counts> {
    return this.#ask('counts', {}, words, options);
  }

  /** Services with rate, errors and duration of the requests they served. */
  services(words: Filter = {}, options: AskOptions = {}): Asked<Services> {
    return this.#ask('services', {}, words, options);
  }

  /** Which attributes records and their resources have, and how many have each. */
  attributes(words: AttributesWords = {}, options: AskOptions = {}): Asked<AttributeKeys> {
    return this.#ask('attributes', {}, words, options);
  }

  /** The values of one attribute, the most frequent first. */
  attributeValues(key: string, words: AttributeValuesWords = {}, options: AskOptions = {}): Asked<AttributeValues> {
    return this.#ask('attribute_values', { key }, words, options);
  }

  /** The most frequent values of columns and attributes among the records that match. */
  facets(words: FacetsWords = {}, options: AskOptions = {}): Asked<Facets> {
    return this.#ask('facets', {}, words, options);
  }

  /** Which metrics there are, with type, unit, temporality, series and latest value. */
  metrics(words: Filter = {}, options: AskOptions = {}): Asked<Metrics> {
    return this.#ask('metrics', {}, words, options);
  }

  /** One metric over time: rates, values, quantiles, of each series or of several together. */
  series(words: SeriesWords, options: AskOptions = {}): Asked<Series> {
    return this.#ask('series', {}, words, options);
  }

  /** Exceptions grouped by type, message without its numbers and ids, and the frame they come from. */
  errors(words: ErrorsWords = {}, options: AskOptions = {}): Asked<Errors> {
    return this.#ask('errors', {}, words, options);
  }

  /** Exceptions one by one, the latest first. */
  exceptions(words: ExceptionsWords = {}, options: AskOptions = {}): Asked<Exceptions> {
    return this.#ask('exceptions', {}, words, options);
  }

  /** Which services call which, with rate, errors and durations; what they call that sends nothing itself; links. */
  serviceMap(words: Filter = {}, options: AskOptions = {}): Asked<ServiceMap> {
    return this.#ask('map', {}, words, options);
  }

  /**
   * Two traces, runs or ranges beside each other: operations that are new, gone, slower, faster or failing, and errors.
   */
  compare(a: string, b: string, words: Filter = {}, options: AskOptions = {}): Asked<Compare> {
    return this.#ask('compare', { a, b }, words, options);
  }

  /** Values that are more frequent among the records that match than among others: what they have in common. */
  overrepresented(words: OverrepresentedWords = {}, options: AskOptions = {}): Asked<Overrepresented> {
    return this.#ask('overrepresented', {}, words, options);
  }
}

import { types } from 'node:util';
import type { RecordBatch, Table } from 'apache-arrow';
import type { BindingGrpcAnswer, BindingLibrary, BindingTelemetry } from '../native/binding.cjs';
import { Answers } from './answers.js';
import { ipcOf } from './apache-arrow.js';
import { bytesOf, flagOf, invalidConfig, milliseconds, oneOf, positionOf, shown, textOf } from './arguments.js';
import { asks } from './ask/asked.js';
import { Questions } from './ask/questions.js';
import { toJson } from './config.js';
import { tellOfCopies } from './copies.js';
import { encodeLogs, encodeMetrics, encodeTraces, type Sink } from './encoder/index.js';
import type { Skipped } from './encoder/records.js';
import type { ReadableLogRecord, ReadableSpan, Resource, ResourceMetrics } from './encoder/types.js';
import { watched } from './ending.js';
import { unwrap } from './errors.js';
import { Events } from './events.js';
import { closeAtExit } from './exit.js';
import type { Owner } from './exporters/exporter.js';
import { LogExporter } from './exporters/log.js';
import { MetricExporter, type MetricExporterOptions } from './exporters/metric.js';
import type { ExporterOptions } from './exporters/options.js';
import { SpanExporter } from './exporters/span.js';
import { type Forwarder, forwarders } from './forwarder.js';
import type { OtlpConfig } from './keys.js';
import { native } from './native.js';
import { type Health, type LibraryStats, type OtlpEvent, report } from './reports.js';
import type { Signal } from './signal.js';
import { type ReadOptions, rowsOf, Snapshot } from './snapshot.js';
import { Subscription } from './subscription.js';

/** What became of the records of one export. */
export interface ExportOutcome {
  /** Records that are kept. */
  readonly accepted: number;
  /** Records that were refused as invalid, alone. */
  readonly rejected: number;
  /** Why the first was refused, and what of a resource or scope could not be read; else empty. */
  readonly message: string;
}

/** A timer that is set to more rings at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

let bindingOf: (library: OtlpLibrary) => BindingLibrary;

/** Answers one OTLP/gRPC request with the bytes of a response or of a `google.rpc.Status`. @internal */
export function answerGrpc(
  library: OtlpLibrary,
  signal: Signal,
  request: Uint8Array,
  via: string,
): Promise<BindingGrpcAnswer> {
  return bindingOf(library).answerGrpc(positionOf(signal), request, via);
}

/**
 * A recorder: telemetry goes in as SDK objects or OTLP bytes, and is kept as Arrow files in one directory.
 *
 * An open library does not keep the process alive; a call that is under way does. What was accepted is kept when the
 * process ends without {@link OtlpLibrary.shutdown}.
 *
 * @example
 * const library = await OtlpLibrary.open({ outputDir: './telemetry' });
 * const processor = new BatchSpanProcessor(library.spanExporter());
 */
export class OtlpLibrary extends Questions implements AsyncDisposable {
  static {
    bindingOf = library => library.#binding;
  }

  readonly #binding: BindingLibrary;
  readonly #events: Events;
  readonly #answers: Answers;
  readonly #resource: Resource;
  readonly #forget: () => void;
  readonly #pending = new Set<Promise<unknown>>();
  readonly #owner: Owner = {
    flushWithin: waitMs => this.#flushWithin(waitMs),
    exporterEndsInMs: () => this.#binding.exporterEndsIn(),
  };
  #closing: Promise<void> | undefined;

  private constructor(binding: BindingLibrary, events: Events, answers: Answers) {
    // What is learnt of files is kept with what was asked first.
    let telemetry: BindingTelemetry | undefined;
    super(
      asks(() => {
        telemetry ??= binding.telemetry();
        return telemetry;
      }),
    );
    this.#binding = binding;
    this.#events = events;
    this.#answers = answers;
    this.#resource = { attributes: Object.fromEntries(binding.resource() as [string, string][]) };
    const [forget, closed] = [closeAtExit(binding), tellOfCopies(binding.directory())];
    this.#forget = () => {
      forget();
      closed();
    };
  }

  /** Opens the output directory and starts recording; what a crash left there is recovered. */
  static async open(config: OtlpConfig = {}): Promise<OtlpLibrary> {
    const [events, answers] = [new Events(), new Answers()];
    const binding = unwrap(await native.open(toJson(config), json => events.tell(json), answers.tell));
    return new OtlpLibrary(binding, events, answers);
  }

  /** Keeps spans. Resolves at the configured durability; a span that cannot be kept is refused alone. */
  async exportTraces(spans: readonly ReadableSpan[]): Promise<ExportOutcome> {
    return this.#exportTraces(spans, undefined);
  }

  /** Keeps what a metric reader collected. */
  async exportMetrics(metrics: ResourceMetrics): Promise<ExportOutcome> {
    return this.#exportMetrics(metrics, undefined);
  }

  /** Keeps log records. */
  async exportLogs(records: readonly ReadableLogRecord[]): Promise<ExportOutcome> {
    return this.#exportLogs(records, undefined);
  }

  /**
   * Keeps one OTLP protobuf export request. The bytes may be changed as soon as this returns.
   *
   * @param options.via the header `otlp-arrow-via` of the request they came by, if it had one: it says which recorders they came
   *   through. Destinations are told, and where this recorder is among them they are refused with INVALID_DATA: `loop: …`.
   */
  async exportOtlp(signal: Signal, bytes: Uint8Array, options: { via?: string } = {}): Promise<ExportOutcome> {
    const via = options.via === undefined ? '' : textOf('via', options.via);
    return this.#sent(this.#binding.exportOtlp(positionOf(signal), bytesOf(bytes), via));
  }

  /**
   * Keeps rows of the storage schema, all of them or none, as one commit. Resolves at the configured durability.
   *
   * Nullable columns may be left out; `duration` and `service_name` are derived again. INVALID_DATA names the column,
   * what it has and what is expected, and of a cell the row; TOO_LARGE says how many bytes the rows need.
   *
   * @param rows a table or record batch of apache-arrow in the columns of the files (docs/schema.md), such as
   *   {@link OtlpLibrary.read} gives, or the bytes of an Arrow IPC stream or file of them, also in the types that polars
   *   and DuckDB give them; bytes may be changed as soon as this returns
   */
  async append(signal: Signal, rows: Table | RecordBatch | Uint8Array): Promise<ExportOutcome> {
    const position = positionOf(signal);
    const call = unwrap(this.#binding.beginAppend());
    if (types.isUint8Array(rows)) return this.#sent(call.append(position, rows));
    const written = ipcOf(rows).then(
      ipc => call.append(position, ipc),
      error => {
        call.abandon();
        throw error;
      },
    );
    return this.#sent(written);
  }

  /** A span exporter for the SDK's processors. */
  spanExporter(options: ExporterOptions = {}): SpanExporter {
    return new SpanExporter(this.#owner, (spans, waitMs) => this.#exportTraces(spans, waitMs), options);
  }

  /** A metric exporter for the SDK's readers. */
  metricExporter(options: MetricExporterOptions = {}): MetricExporter {
    return new MetricExporter(this.#owner, (metrics, waitMs) => this.#exportMetrics(metrics, waitMs), options);
  }

  /** A log record exporter for the SDK's processors. */
  logExporter(options: ExporterOptions = {}): LogExporter {
    return new LogExporter(this.#owner, (records, waitMs) => this.#exportLogs(records, waitMs), options);
  }

  /**
   * What is committed now, over live and sealed files alike: awaited, an apache-arrow `Table`; iterated with
   * `for await`, its record batches one by one.
   */
  read(signal: Signal, options: ReadOptions = {}): PromiseLike<Table> & AsyncIterable<RecordBatch> {
    return new Snapshot(this.readIpc(signal, options));
  }

  /** The same as the bytes of one Arrow IPC stream: awaited as a whole, or iterated in pieces. */
  readIpc(signal: Signal, options: ReadOptions = {}): PromiseLike<Uint8Array> & AsyncIterable<Uint8Array> {
    return rowsOf(this.#binding, signal, options);
  }

  /**
   * Follows what is committed from the durable position `name` on. A name that was never used begins with the oldest
   * record there is, or with what is committed after the call. One name has one subscriber at a time.
   */
  async subscribe(signal: Signal, name: string, from: 'beginning' | 'now' = 'beginning'): Promise<Subscription> {
    const now = oneOf('from', from, ['beginning', 'now']) === 'now';
    return new Subscription(unwrap(await this.#binding.subscribe(positionOf(signal), textOf('name', name), now)));
  }

  /** The destinations data is forwarded to: how they stand, and a hand on them. */
  forwarders(): Forwarder[] {
    return forwarders(this.#binding);
  }

  /** What `listen` bound, as `host:port`, with the ports the system chose. */
  addresses(): { readonly grpc?: string; readonly http?: string } {
    return this.#binding.addresses();
  }

  /** What was done and what is in hand, and everything that is counted. */
  stats(): LibraryStats {
    return report(unwrap(this.#binding.stats()));
  }

  /** Whether new data is taken, and everything that is not well. */
  health(): Health {
    return report(unwrap(this.#binding.health()));
  }

  /**
   * Has `listener` called with everything that happens inside and a person should know: storage that is full, files
   * recovered, records refused or lost. Listening does not keep the process alive.
   */
  on(name: 'event', listener: (event: OtlpEvent) => void): this {
    oneOf('on', name, ['event']);
    if (typeof listener !== 'function') throw invalidConfig(`on: the listener is ${shown(listener)}: use a function`);
    this.#events.add(listener);
    return this;
  }

  /** Ends what {@link OtlpLibrary.on} began. */
  off(_name: 'event', listener: (event: OtlpEvent) => void): this {
    this.#events.delete(listener);
    return this;
  }

  /**
   * Resolves when everything exported before the call is committed. It never waits for a remote.
   *
   * @param options.seal whether the files are sealed then too, so that `otlp/<signal>/*.arrow` is all of it. Where one
   *   cannot be sealed now it fails with STORAGE_FAILED; the file stays readable as it is, and is tried again.
   */
  async flush(options: { seal?: boolean } = {}): Promise<void> {
    const seal = flagOf('seal', options.seal ?? false);
    await Promise.allSettled([...this.#pending]);
    unwrap(await this.#binding.flush(seal));
  }

  /**
   * Drains, commits, seals, and releases the directory. Called again, it answers as the first time.
   *
   * @param options.deadlineMs how long that may take, by default the `shutdownTimeout` of the configuration; then it
   *   fails with TIMEOUT and says what stays behind.
   */
  async shutdown(options: { deadlineMs?: number } = {}): Promise<void> {
    const { deadlineMs } = options;
    if (deadlineMs !== undefined) milliseconds('deadlineMs', deadlineMs);
    this.#closing ??= this.#close(deadlineMs);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown();
  }

  async #close(deadlineMs: number | undefined): Promise<void> {
    try {
      // Exports that were called before are let in, those that wait for room for half of the time.
      unwrap(await this.#binding.shutdown(deadlineMs));
    } finally {
      this.#forget();
    }
  }

  async #flushWithin(waitMs: number): Promise<void> {
    const until = performance.now() + waitMs;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>(resolve => {
      // What is exported keeps the process alive; a timer beside it would look like work of the program's own.
      timer = setTimeout(resolve, Math.min(waitMs, LONGEST_TIMER_MS)).unref();
    });
    try {
      await Promise.race([Promise.allSettled([...this.#pending]), late]);
    } finally {
      clearTimeout(timer);
    }
    unwrap(await this.#binding.flushWithin(Math.max(0, until - performance.now())));
  }

  #exportTraces(spans: readonly ReadableSpan[], waitMs: number | undefined): Promise<ExportOutcome> {
    return encodeTraces(
      spans,
      this.#resource,
      this.#sink('traces', waitMs, () => spans.length),
    );
  }

  #exportMetrics(metrics: ResourceMetrics, waitMs: number | undefined): Promise<ExportOutcome> {
    return encodeMetrics(
      metrics,
      this.#resource,
      this.#sink('metrics', waitMs, () => (waitMs === undefined ? 0 : points(metrics))),
    );
  }

  #exportLogs(records: readonly ReadableLogRecord[], waitMs: number | undefined): Promise<ExportOutcome> {
    return encodeLogs(
      records,
      this.#resource,
      this.#sink('logs', waitMs, () => records.length),
    );
  }

  #sink(signal: Signal, waitMs: number | undefined, records: () => number): Sink<Promise<ExportOutcome>> {
    const position = positionOf(signal);
    // The addon copies the pieces before it returns.
    return ({ steps, text, bytes }, skipped) => {
      const kept = records() - skipped.count;
      const answer = this.#answers.wait(number =>
        this.#binding.exportPieces(number, position, steps, text, bytes, waitMs, kept),
      );
      const sent = this.#sent(answer);
      return (waitMs === undefined ? sent : watched(this.#binding, sent)).then(outcome => {
        if (skipped.count > 0) this.#binding.unreadable(position, skipped.count);
        return withSkipped(outcome, skipped);
      });
    };
  }

  async #sent(sent: ReturnType<BindingLibrary['exportOtlp']>): Promise<ExportOutcome> {
    this.#pending.add(sent);
    try {
      return unwrap(await sent);
    } finally {
      this.#pending.delete(sent);
    }
  }
}

/** Records that could not be read count as refused; what of a resource could not be read is told. */
function withSkipped(outcome: ExportOutcome, { count, reason, lost }: Skipped): ExportOutcome {
  if (count === 0 && lost === '') return outcome;
  const texts = [outcome.message];
  if (count > 0) texts.push(`${count} record(s) could not be read; first: ${reason}`);
  if (lost !== '') texts.push(`records are kept without what could not be read; first: ${lost}`);
  return {
    accepted: outcome.accepted,
    rejected: outcome.rejected + count,
    message: texts.filter(text => text !== '').join('; '),
  };
}

/** How many points there are; what cannot be read is counted as none. */
function points(metrics: ResourceMetrics): number {
  let count = 0;
  try {
    for (const scope of metrics.scopeMetrics) for (const metric of scope.metrics) count += metric.dataPoints.length;
  } catch {
    // Writing them will tell.
  }
  return count;
}

import { warn } from '../diag.js';
import type { ExportResult } from '../exporters/exporter.js';

interface BatchExporter<T> {
  export(batch: T[], done: (result: ExportResult) => void): void;
}

/** How records are gathered; the defaults are the SDK's. */
export interface BatcherOptions {
  /** Records of one export. */
  readonly batch: number;
  /** Records that may wait; further ones are dropped. */
  readonly queue: number;
  /** The longest a record waits for others, in milliseconds. */
  readonly delayMs: number;
  /** Whether records are handed over at the end of the current task: a worker thread can end at any time. */
  readonly atOnce?: boolean;
}

/** Exports under way at once. */
const IN_FLIGHT = 4;
/** The same where each task hands over what it has. */
const IN_FLIGHT_AT_ONCE = 64;
const SAMPLED = 1;

/**
 * Gathers records into batches for our exporters. The SDK's processors do as much, but where one export is under way
 * they hand over the rest only later, and at the end of a process there is no later: {@link Batcher.drain} hands over
 * everything before it returns.
 */
export class Batcher<T> {
  readonly #exporter: BatchExporter<T>;
  readonly #options: BatcherOptions;
  readonly #inFlight: number;
  /** Of how many records there are before an export begins by itself. */
  readonly #enough: number;
  readonly #underWay = new Set<Promise<void>>();
  #changed: (() => void) | undefined;
  #soon = false;
  #waiting: T[] = [];
  #timer: NodeJS.Timeout | undefined;
  #dropped = 0;

  constructor(exporter: BatchExporter<T>, options: BatcherOptions) {
    this.#exporter = exporter;
    this.#options = options;
    this.#inFlight = options.atOnce ? IN_FLIGHT_AT_ONCE : IN_FLIGHT;
    this.#enough = options.atOnce ? 1 : options.batch;
  }

  /** Whether records wait here. */
  get waiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** Whether the exporter has some that are not committed. */
  get underWay(): boolean {
    return this.#underWay.size > 0;
  }

  /** Calls back when one of the two changes. */
  watch(changed: () => void): void {
    this.#changed = changed;
  }

  onStart(): void {}

  /** A span ended. */
  onEnd(span: T & { spanContext(): { traceFlags: number } }): void {
    if (span.spanContext().traceFlags & SAMPLED) this.#add(span);
  }

  /** A log record was emitted. */
  onEmit(record: T): void {
    this.#add(record);
  }

  /** Hands everything to the exporter at once. */
  drain(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#waiting.length > 0) this.#send();
  }

  async forceFlush(): Promise<void> {
    this.drain();
    await Promise.all(this.#underWay);
  }

  async shutdown(): Promise<void> {
    await this.forceFlush();
  }

  #add(record: T): void {
    const { batch, queue, delayMs } = this.#options;
    if (this.#waiting.length >= queue) {
      if (this.#dropped++ === 0) warn(`${queue} records wait for room and further ones are dropped`);
      return;
    }
    this.#waiting.push(record);
    if (this.#waiting.length === 1) this.#changed?.();
    if (this.#waiting.length >= batch && this.#underWay.size < this.#inFlight) this.#send();
    else if (this.#options.atOnce) this.#atEndOfTask();
    else this.#timer ??= setTimeout(() => this.#tick(), delayMs).unref();
  }

  #atEndOfTask(): void {
    if (this.#soon) return;
    this.#soon = true;
    queueMicrotask(() => {
      this.#soon = false;
      while (this.#waiting.length > 0 && this.#underWay.size < this.#inFlight) this.#send();
    });
  }

  #tick(): void {
    this.#timer = undefined;
    if (this.#waiting.length > 0 && this.#underWay.size < this.#inFlight) this.#send();
    if (this.#waiting.length > 0) this.#timer = setTimeout(() => this.#tick(), this.#options.delayMs).unref();
  }

  #send(): void {
    const batch = this.#waiting.splice(0, this.#options.batch);
    const done = new Promise<void>(resolve => {
      this.#exporter.export(batch, ({ error }) => {
        if (error) warn(`${batch.length} records are lost: ${error.message}`);
        resolve();
      });
    });
    this.#underWay.add(done);
    this.#changed?.();
    void done.then(() => {
      this.#underWay.delete(done);
      if (this.#waiting.length >= this.#enough) this.#send();
      this.#changed?.();
    });
  }
}

import { warn } from '../diag.js';
import { asOtlpError, ClosedError, InvalidDataError } from '../errors.js';
import type { ExportOutcome } from '../library.js';

/** The SDK's answer to an export: code 0 is success, 1 failure. */
export interface ExportResult {
  code: 0 | 1;
  error?: Error;
}

/** What an exporter needs of the library that made it. It also keeps that library from being collected. */
export interface Owner {
  flush(): Promise<void>;
}

/** Hands a batch to the library, waiting for room at most so long. */
export type Send<T> = (batch: T, waitMs: number) => Promise<ExportOutcome>;

const WARN_INTERVAL_MS = 10_000;
/** A timer that is set to more rings at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** What the three exporters have in common: the contract of the SDK's processors. */
export class Exporter<T> {
  readonly #owner: Owner;
  readonly #send: Send<T>;
  readonly #timeoutMs: number;
  #closed = false;
  #warned = Number.NEGATIVE_INFINITY;

  constructor(owner: Owner, send: Send<T>, timeoutMs: number) {
    this.#owner = owner;
    this.#send = send;
    this.#timeoutMs = timeoutMs;
  }

  /** Exports a batch. It never throws: a failure is a result. The callback comes later, never during the call. */
  export(batch: T, resultCallback: (result: ExportResult) => void): void {
    this.#export(batch).then(resultCallback, error => resultCallback({ code: 1, error: asOtlpError(error) }));
  }

  /** Resolves when everything exported before is committed. */
  async forceFlush(): Promise<void> {
    if (this.#closed) return;
    await this.#flush();
  }

  /** Flushes, then refuses further exports with CLOSED. The library and its other exporters go on. */
  async shutdown(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#flush();
  }

  async #flush(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>(resolve => {
      // What is flushed keeps the process alive; a timer beside it would look like work of the program's own.
      timer = setTimeout(resolve, Math.min(this.#timeoutMs, LONGEST_TIMER_MS)).unref();
    });
    try {
      await Promise.race([this.#owner.flush(), late]);
    } catch (error) {
      const failure = asOtlpError(error);
      if (failure.code !== 'CLOSED') throw failure;
    } finally {
      clearTimeout(timer);
    }
  }

  async #export(batch: T): Promise<ExportResult> {
    if (this.#closed) throw new ClosedError('CLOSED', 'this exporter is shut down', false);
    const { accepted, rejected, message } = await this.#send(batch, this.#timeoutMs);
    if (message === '') return { code: 0 };
    if (accepted === 0 && rejected > 0) throw new InvalidDataError('INVALID_DATA', message, false);
    this.#warn(message);
    return { code: 0 };
  }

  #warn(message: string): void {
    const now = performance.now();
    if (now - this.#warned < WARN_INTERVAL_MS) return;
    this.#warned = now;
    warn(message);
  }
}

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
  /** Resolves when everything exported before is committed, or rejects with TIMEOUT after so long. */
  flushWithin(waitMs: number): Promise<void>;
  /** How long an exporter that is shut down may wait: all of a library have one time. */
  exporterEndsInMs(): number;
}

/** Hands a batch to the library, waiting for room at most so long. */
export type Send<T> = (batch: T, waitMs: number) => Promise<ExportOutcome>;

const WARN_INTERVAL_MS = 10_000;

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
    await this.#flush(this.#timeoutMs);
  }

  /** Flushes, then refuses further exports with CLOSED. The library and its other exporters go on. */
  async shutdown(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    // A program shuts its providers down one after the other.
    await this.#flush(Math.min(this.#timeoutMs, this.#owner.exporterEndsInMs()));
  }

  async #flush(waitMs: number): Promise<void> {
    try {
      await this.#owner.flushWithin(waitMs);
    } catch (error) {
      const failure = asOtlpError(error);
      if (failure.code !== 'CLOSED' && failure.code !== 'TIMEOUT') throw failure;
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

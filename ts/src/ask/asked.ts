import type { RecordBatch, Table } from 'apache-arrow';
import type { BindingAnswer, BindingError, BindingQuestion, BindingTelemetry } from '../../native/binding.cjs';
import { invalidConfig, milliseconds, shown } from '../arguments.js';
import { unwrap } from '../errors.js';
import { IpcSnapshot, Snapshot } from '../snapshot.js';
import { answerOf } from './values.js';
import { pairsOf } from './words.js';

/** How one question is asked. */
export interface AskOptions {
  /** Ends it: what waits for the answer is rejected with the reason of the signal. */
  signal?: AbortSignal;
  /** The longest it may take, if that is less than `query.timeout`; what was found by then is the answer, which says so. */
  timeoutMs?: number;
}

/**
 * A question. Awaited, it is its answer as values; {@link Asked.table} is the same answer as Arrow. It is asked once, when
 * one of them is first wanted, on a thread of its own, and keeps the process alive until it is answered.
 *
 * @example
 * const { traces, searched } = await library.search({ service: 'checkout', minDuration: '250ms', from: '-1h' });
 * const table = await library.searchSpans({ service: 'checkout' }).table();
 */
export class Asked<T> implements Promise<T> {
  readonly #begin: () => BindingQuestion;
  readonly #signal: AbortSignal | undefined;
  #answer: Promise<BindingAnswer> | undefined;
  #values: Promise<T> | undefined;

  /** @internal */
  constructor(begin: () => BindingQuestion, signal: AbortSignal | undefined) {
    this.#begin = begin;
    this.#signal = signal;
  }

  /** The answer as a table, with columns of its own: awaited as a whole, iterated in record batches. */
  table(): PromiseLike<Table> & AsyncIterable<RecordBatch> {
    return new Snapshot(this.ipc());
  }

  /** The table as the bytes of one Arrow IPC stream: awaited as a whole, iterated in pieces. */
  ipc(): PromiseLike<Uint8Array> & AsyncIterable<Uint8Array> {
    return new IpcSnapshot(async () => (await this.#answered()).table());
  }

  // biome-ignore lint/suspicious/noThenProperty: awaiting a question asks it
  then<A = T, B = never>(
    onfulfilled?: ((answer: T) => A | PromiseLike<A>) | null,
    onrejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#values ??= this.#valuesOf();
    return this.#values.then(onfulfilled, onrejected);
  }

  catch<B = never>(onrejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<T | B> {
    return this.then(undefined, onrejected);
  }

  finally(onfinally?: (() => void) | null): Promise<T> {
    return this.then().finally(onfinally);
  }

  get [Symbol.toStringTag](): string {
    return 'Asked';
  }

  async #valuesOf(): Promise<T> {
    const answer = await this.#answered();
    return answerOf<T>(unwrap(await answer.values()));
  }

  #answered(): Promise<BindingAnswer> {
    this.#answer ??= this.#ask();
    return this.#answer;
  }

  async #ask(): Promise<BindingAnswer> {
    const question = this.#begin();
    const signal = this.#signal;
    signal?.throwIfAborted();
    const answer = question.answer();
    if (!signal) return unwrap(await answer);
    let abort!: () => void;
    const aborted = new Promise<never>((_, reject) => {
      abort = () => {
        question.cancel();
        reject(signal.reason);
      };
    });
    signal.addEventListener('abort', abort, { once: true });
    try {
      return unwrap<BindingAnswer>(await Promise.race<BindingAnswer | BindingError>([answer, aborted]));
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }
}

/** Makes questions of a kind, of words that are arguments and others. */
export type Ask = <T>(kind: string, given: object, words: object, options: AskOptions) => Asked<T>;

/** Asks what `telemetry` gives. What is wrong with words is told by who awaits the question. */
export function asks(telemetry: () => BindingTelemetry): Ask {
  return <T>(kind: string, given: object, words: object, options: AskOptions) => {
    // Read at once: what is done to the objects behind the call is not part of the question.
    const begin = attempt(() => {
      const { signal, timeoutMs } = options;
      if (signal !== undefined && !isAbortSignal(signal)) {
        throw invalidConfig(`signal = ${shown(signal)}: use an AbortSignal`);
      }
      if (timeoutMs !== undefined) milliseconds('timeoutMs', timeoutMs);
      const pairs = [...pairsOf(given), ...pairsOf(words)];
      return () => telemetry().ask(kind, pairs, timeoutMs);
    });
    return new Asked<T>(() => begin()(), options?.signal);
  };
}

/** What `make` makes, or throws, each time it is asked for. */
function attempt<T>(make: () => T): () => T {
  try {
    const made = make();
    return () => made;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

function isAbortSignal(value: unknown): value is AbortSignal {
  return typeof value === 'object' && value !== null && 'aborted' in value && 'addEventListener' in value;
}

import type { RecordBatch } from 'apache-arrow';
import type { BindingSubscription } from '../native/binding.cjs';
import { arrow } from './apache-arrow.js';
import { unwrap } from './errors.js';

/**
 * Everything that is committed for a signal, from a durable position on: batches in order, at least once. What was
 * handed out and not acknowledged comes again for the next subscription of that name, in this process or a later one.
 *
 * @example
 * const subscription = await library.subscribe('traces', 'alerts');
 * for await (const batch of subscription) {
 *   await look(batch);
 *   await subscription.ack();
 * }
 */
export class Subscription implements AsyncIterableIterator<RecordBatch>, AsyncDisposable {
  readonly #binding: BindingSubscription;

  /** @internal */
  constructor(binding: BindingSubscription) {
    this.#binding = binding;
  }

  /** The next batch; it waits for one to be committed, and ends when the library is shut down or this is closed. */
  async next(): Promise<IteratorResult<RecordBatch, undefined>> {
    const bytes = unwrap(await this.#binding.next());
    if (!bytes) return { done: true, value: undefined };
    const { tableFromIPC } = await arrow();
    const [batch] = tableFromIPC(bytes).batches;
    return batch ? { done: false, value: batch } : this.next();
  }

  /** Everything handed out so far is done with and will not come again; kept on disk within a second, and at the end. */
  async ack(): Promise<void> {
    await this.#binding.ack();
  }

  /** Ends it and frees the name, also while a batch is waited for. */
  async close(): Promise<void> {
    unwrap(await this.#binding.close());
  }

  /** Called by a loop that is left early. */
  async return(): Promise<IteratorResult<RecordBatch, undefined>> {
    await this.close();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

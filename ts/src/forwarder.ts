import type { BindingLibrary } from '../native/binding.cjs';
import { milliseconds } from './arguments.js';
import { unwrap } from './errors.js';
import { report } from './reports.js';
import type { BreakerState } from './vocabulary.js';

/** How one destination stands. */
export interface ForwarderInfo {
  /** Its name in the configuration. */
  readonly name: string;
  /** The circuit breaker. */
  readonly state: BreakerState;
  /** Whether it was paused by hand. */
  readonly paused: boolean;
  /** Whether it lags, stalls or refuses everything, as events announced. */
  readonly troubled: boolean;
  /** Records that wait for it. */
  readonly lagRecords: number;
  /** Age of the oldest of them; 0 when nothing waits. */
  readonly lagSeconds: number;
  /** Records that retention deleted before they were delivered. */
  readonly evictedRecords: number;
  /** Requests it refused for good, set aside in `rejected/`. */
  readonly rejectedRequests: number;
  /** What it, or the way to it, said last when something failed. */
  readonly lastError: string | null;
}

/** A hand on one destination that data is forwarded to. */
export class Forwarder {
  /** Its name in the configuration. */
  readonly name: string;
  readonly #binding: BindingLibrary;
  readonly #position: number;

  /** @internal */
  constructor(binding: BindingLibrary, name: string, position: number) {
    this.#binding = binding;
    this.name = name;
    this.#position = position;
  }

  /** How it stands now. */
  info(): ForwarderInfo {
    return infos(this.#binding)[this.#position]!;
  }

  /** Stops sending; what arrives waits on disk. */
  pause(): void {
    unwrap(this.#binding.forward(this.#position, 'pause'));
  }

  /** Goes on after {@link Forwarder.pause}. */
  resume(): void {
    unwrap(this.#binding.forward(this.#position, 'resume'));
  }

  /** Forgets open times and waits: the destination is asked again at once, with one request. */
  reset(): void {
    unwrap(this.#binding.forward(this.#position, 'reset'));
  }

  /**
   * Sends again what was set aside, oldest first, and stops where the destination does not answer.
   *
   * @param options.timeoutMs how long that may take. @default 30 000
   */
  async retryRejected(options: { timeoutMs?: number } = {}): Promise<{ delivered: number; left: number }> {
    return report(
      unwrap(await this.#binding.retryRejected(this.#position, milliseconds('timeoutMs', options.timeoutMs ?? 30_000))),
    );
  }
}

/** The destinations of a library, in the order of the configuration. */
export function forwarders(binding: BindingLibrary): Forwarder[] {
  return infos(binding).map(({ name }, position) => new Forwarder(binding, name, position));
}

function infos(binding: BindingLibrary): ForwarderInfo[] {
  return report(unwrap(binding.forwarders()));
}

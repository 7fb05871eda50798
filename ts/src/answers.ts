import type { BindingError, BindingOutcome } from '../native/binding.cjs';

type Answer = BindingOutcome | BindingError;

/** Longer than any timer may be set; it never has to ring. */
const NEVER_MS = 2 ** 31 - 1;

/** Keeps the process alive while something is waited for. */
let alive: NodeJS.Timeout | undefined;
let waitedFor = 0;

/**
 * Exports that were handed over and are not answered yet. The addon answers all of a library through one function: a
 * promise of its own for each takes the main thread as long as the encoding of a hundred spans.
 */
export class Answers {
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #last = 0;

  /** Calls `send` with a new number, under which the answer comes. */
  wait(send: (number: number) => void): Promise<Answer> {
    const number = ++this.#last;
    return new Promise(resolve => {
      send(number);
      this.#waiting.set(number, resolve);
      alive ??= setInterval(() => undefined, NEVER_MS).unref();
      if (waitedFor++ === 0) alive.ref();
    });
  }

  /** Called by the addon. */
  readonly tell = (number: number, answer: Answer): void => {
    const resolve = this.#waiting.get(number);
    if (!resolve) return;
    this.#waiting.delete(number);
    if (--waitedFor === 0) alive?.unref();
    resolve(answer);
  };
}

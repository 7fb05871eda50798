import { event, type OtlpEvent } from './reports.js';

/** Events that are kept for the first listener: those of opening happen before anybody can listen. */
const EARLY = 64;

/** Who listens to the events of one library. */
export class Events {
  readonly #listeners = new Set<(event: OtlpEvent) => void>();
  #early: OtlpEvent[] | undefined = [];

  /** Passes on an event of the core. */
  tell(json: string): void {
    const happened = event(json);
    if (this.#early) {
      if (this.#early.length < EARLY) this.#early.push(happened);
    } else {
      for (const listener of this.#listeners) listener(happened);
    }
  }

  add(listener: (event: OtlpEvent) => void): void {
    this.#listeners.add(listener);
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const happened of early) listener(happened);
  }

  delete(listener: (event: OtlpEvent) => void): void {
    this.#listeners.delete(listener);
  }
}

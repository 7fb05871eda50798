import { types } from 'node:util';
import { shown } from './arguments.js';
import { warn } from './diag.js';
import { event, type OtlpEvent } from './reports.js';

/** Events that are kept for the first listener: those of opening happen before anybody can listen. */
const EARLY = 64;

/** Who listens to the events of one library. */
export class Events {
  readonly #listeners = new Set<(event: OtlpEvent) => void>();
  #early: OtlpEvent[] | undefined = [];

  /** Passes on an event of the core; a warning also goes to the diag logger of OpenTelemetry. */
  tell(json: string): void {
    const happened = event(json);
    if (happened.severity === 'warn') warn(happened.message);
    if (this.#early) {
      if (this.#early.length < EARLY) this.#early.push(happened);
    } else {
      for (const listener of this.#listeners) call(listener, happened);
    }
  }

  add(listener: (event: OtlpEvent) => void): void {
    this.#listeners.add(listener);
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const happened of early) call(listener, happened);
  }

  delete(listener: (event: OtlpEvent) => void): void {
    this.#listeners.delete(listener);
  }
}

/** Calls a listener. One that fails is not a reason to end the program, nor to leave the others out: Node.js warns of it. */
function call(listener: (event: OtlpEvent) => unknown, happened: OtlpEvent): void {
  const failed = (error: unknown) => {
    const reason = error instanceof Error ? (error.stack ?? error.message) : shown(error);
    process.emitWarning(`a listener of otlp-arrow failed for ${happened.name}: ${reason}`);
  };
  try {
    const answer = listener(happened);
    if (types.isPromise(answer)) answer.catch(failed);
  } catch (error) {
    failed(error);
  }
}

import { constants } from 'node:os';

/** What the guest does when a signal comes. */
export interface SignalPlan {
  /** The program goes on: hands over what is held, holds nothing up. */
  beside(): void;
  /** The signal will end the program: what may take some turns of the event loop, within a bound of its own. */
  before(): Promise<unknown>;
  /** The program ends now: keeps everything before it returns. */
  now(): void;
}

/** Those whose default action is death and that people, shells and supervisors send. */
const SIGNALS: readonly NodeJS.Signals[] =
  process.platform === 'win32' ? ['SIGINT', 'SIGTERM'] : ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'];

/** The kernel takes the default action of no signal for the first process of a container. */
const INIT = 1;

type Listen = (signal: NodeJS.Signals) => void;

/** How Node.js itself begins and ends to receive a signal: it does so when listeners come and go. */
function own(event: 'newListener' | 'removeListener', name: string): Listen | undefined {
  // The types know no listeners of these two events.
  const listeners = process.listeners(event as NodeJS.Signals) as readonly unknown[] as readonly Listen[];
  return listeners.find(listener => listener.name === name);
}

/**
 * Receives the signals that end a program without being one of its listeners: whoever counts, lists or removes
 * listeners finds those of the program alone, and decides as it would without us. A signal nobody listens to ends the
 * program as it would have, by its default action, once everything is kept.
 */
export function onSignals(plan: SignalPlan): void {
  const listen = own('newListener', 'startListeningIfSignal');
  const forget = own('removeListener', 'stopListeningIfSignal');
  // Another runtime than Node.js: its signals are its own.
  if (!listen || !forget) return;

  const kill = process.kill;
  /** Held from the moment in which the end is certain, so that neither we nor anybody brings it about twice. */
  let ending = false;
  /** Whether a signal waits for {@link SignalPlan.before}. */
  let waiting = false;

  const install = (signal: NodeJS.Signals): void => {
    const { emit } = process;
    // Node.js binds the emit of this moment to the signal, and nobody else is called here.
    process.emit = receive as typeof process.emit;
    try {
      listen(signal);
    } finally {
      process.emit = emit;
    }
  };

  /** Keeps everything and gives the signal back its default action. */
  const finish = (signal: NodeJS.Signals): void => {
    ending = true;
    plan.now();
    forget(signal);
  };

  function receive(this: NodeJS.Process, signal: NodeJS.Signals, ...rest: unknown[]): boolean {
    // Before the emission: a listener for one time takes itself away in it.
    if (process.listenerCount(signal) > 0) {
      plan.beside();
      return (process.emit as (event: string, ...rest: unknown[]) => boolean).call(process, signal, ...rest);
    }
    if (process.pid === INIT) {
      plan.beside();
      return false;
    }
    const die = (): void => {
      if (ending) return;
      finish(signal);
      kill.call(process, process.pid, signal);
    };
    // Another one in the meantime waits for nothing.
    if (waiting) die();
    else {
      waiting = true;
      void plan.before().then(die, die);
    }
    return false;
  }

  for (const signal of SIGNALS) install(signal);

  // With its last listener Node.js stops to receive a signal.
  process.on('removeListener', event => {
    const signal = event as NodeJS.Signals;
    if (!ending && SIGNALS.includes(signal) && process.listenerCount(signal) === 0) install(signal);
  });

  // A program that ends itself by a signal is dead when this returns.
  process.kill = (pid: number, signal?: string | number): true => {
    const wanted = signal ?? 'SIGTERM';
    const name = SIGNALS.find(name => name === wanted || constants.signals[name] === wanted);
    if (!ending && name && pid === process.pid && pid !== INIT && process.listenerCount(name) === 0) finish(name);
    return kill.call(process, pid, signal);
  };
  Object.defineProperty(process.kill, 'name', { value: 'kill' });
}

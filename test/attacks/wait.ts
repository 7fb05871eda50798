/** Waiting for what must come, with a bound that only something broken meets. */
import { setTimeout as pause } from 'node:timers/promises';

/** The longest that anything is waited for here: a busy machine is slow, and what is late is not lost. */
export const LATE = 60_000;

/** Asks again and again until it is so. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, most = LATE): Promise<void> {
  const end = performance.now() + most;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`waited ${most / 1000} s, and not: ${what}`);
    await pause(20);
  }
}

/** What comes of it, or an error that names what did not come. */
export async function within<T>(what: string, promise: Promise<T>, most = LATE): Promise<T> {
  const stop = new AbortController();
  const late = pause(most, undefined, { signal: stop.signal }).then(() => {
    throw new Error(`waited ${most / 1000} s, and not: ${what}`);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    stop.abort();
    late.catch(() => undefined);
  }
}

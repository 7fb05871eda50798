import { realpathSync } from 'node:fs';
import { here } from './require.js';

/** Where all copies of this package in one thread find each other: a bundler may make several of one. */
const OPEN = Symbol.for('otlp-arrow.open');

interface Opened {
  /** Of the copy of this package that opened it. */
  readonly copy: object;
  readonly place: string;
  readonly directory: string;
}

/** This copy. */
const copy = {};

/**
 * Warns of a second copy of this package that records to the same directory: nothing is lost, and everything is there
 * twice, threads, memory and destinations. Returns what to call when the directory is closed.
 */
export function tellOfCopies(named: string): () => void {
  const shared = globalThis as { [OPEN]?: Set<Opened> };
  shared[OPEN] ??= new Set();
  const all = shared[OPEN];
  const directory = real(named);
  const other = [...all].find(one => one.copy !== copy && one.directory === directory);
  if (other) {
    process.emitWarning(
      `otlp-arrow is here twice, and both copies record to ${directory}: ${other.place} and ${here}. ` +
        'Leave it out of bundles, or open the directory in one place and hand the library on',
      { code: 'OTLP_ARROW_COPIES' },
    );
  }
  const opened: Opened = { copy, place: here, directory };
  all.add(opened);
  return () => all.delete(opened);
}

function real(directory: string): string {
  try {
    return realpathSync(directory);
  } catch {
    return directory;
  }
}

import type { OtlpLibrary } from '../library.js';
import { lastMetrics } from './last-metrics.js';
import { say } from './say.js';

/** A processor or reader of the SDK. */
export interface Pipeline {
  forceFlush(): Promise<void>;
}

/** One that can hand over what it holds before it returns. */
export interface Drain extends Pipeline {
  drain(): void;
}

/** How long the end of the process may be held up, in milliseconds. */
const PATIENCE_MS = 5_000;
/** How long the last attempt may take, in milliseconds. */
const LAST_MS = 500;
const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/** The end of a program must not fail because an SDK is built in another way than expected. */
function sendLast(metrics: Pipeline, library: OtlpLibrary): void {
  try {
    const last = lastMetrics(metrics);
    if (last) library.exportMetrics(last).catch(() => undefined);
  } catch (error) {
    say(`the metrics of the last interval are lost: ${error instanceof Error ? error.message : error}`);
  }
}

/**
 * Sees to it that nothing is lost when the program ends: by itself, by a signal, by an uncaught exception or by
 * `process.exit()`. Exit code and signal are the ones the program would have ended with.
 */
export function flushAtTheEnd(records: readonly Drain[], metrics: Pipeline | undefined, library: OtlpLibrary): void {
  /** Whether the metrics of the last interval are in the library. */
  let collected = false;

  /** True if everything is committed, false if that takes too long or fails. */
  const flush = async (): Promise<boolean> => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>(resolve => {
      timer = setTimeout(resolve, PATIENCE_MS, false);
    });
    const pipelines = metrics ? [...records, metrics] : records;
    const all = Promise.allSettled(pipelines.map(pipeline => pipeline.forceFlush())).then(() => library.flush());
    const done = await Promise.race([all.then(() => true), late]).catch(() => false);
    clearTimeout(timer);
    return done;
  };

  // The flush wakes the event loop, and so brings the event about once more.
  let flushed = false;
  process.on('beforeExit', () => {
    if (flushed) return;
    flushed = true;
    void flush().then(done => {
      collected = done;
      // What still waits for room would hold the program up for its whole timeout.
      if (!done) library.shutdown({ deadlineMs: LAST_MS }).catch(() => undefined);
    });
  });

  // The library, whose own listener comes after this one, waits for it to be committed.
  process.prependListener('exit', () => {
    for (const pipeline of records) pipeline.drain();
    if (metrics && !collected) sendLast(metrics, library);
  });

  for (const signal of SIGNALS) {
    const onSignal = (): void => {
      // A program with a listener of its own decides what the signal means.
      const alone = process.listenerCount(signal) === 1;
      void flush().then(() => {
        if (!alone) return;
        process.off(signal, onSignal);
        process.kill(process.pid, signal);
      });
    };
    process.on(signal, onSignal);
  }
}

import { setTimeout as after } from 'node:timers/promises';
import { isMainThread } from 'node:worker_threads';
import type { ResourceMetrics } from '../encoder/types.js';
import { closeNow, tellBy } from '../exit.js';
import type { OtlpLibrary } from '../library.js';
import { lastMetrics } from './last-metrics.js';
import { say } from './say.js';
import { onSignals } from './signals.js';
import { asWorker, type Holding, workers } from './workers.js';

/** A processor that can hand over what it holds before it returns. */
export interface Drain extends Holding {
  drain(): void;
  watch(changed: () => void): void;
}

/** A metric reader of the SDK. */
export interface Reader {
  collect(): Promise<{ resourceMetrics: ResourceMetrics }>;
}

/** How long the end by a signal may take, in milliseconds. */
const PATIENCE_MS = 5_000;
/** How much of it the callbacks of observable instruments may take, and worker threads as much again. */
const COLLECT_MS = 500;

/**
 * Sees to it that nothing is lost when the program ends: by itself, by a signal, by an uncaught exception or by
 * `process.exit()`. Exit code and signal are the ones the program would have ended with, and it is told of nothing more
 * than without us: what is kept is kept in the last moment, without a further turn of the event loop.
 *
 * @param reader the metric reader, once there is one
 */
export function flushAtTheEnd(records: readonly Drain[], reader: () => Reader | undefined, library: OtlpLibrary): void {
  tellBy(say);
  /** The metrics of the last interval, with those of observable instruments. */
  let collected: ResourceMetrics | undefined;

  const collect = async (): Promise<void> => {
    const metrics = reader();
    if (metrics && !collected) collected = (await metrics.collect()).resourceMetrics;
  };

  /** Hands everything to the library. */
  const drain = (): void => {
    for (const pipeline of records) pipeline.drain();
    // The end of a program must not fail because an SDK is built in another way than expected.
    try {
      const metrics = reader();
      const last = collected ?? (metrics && lastMetrics(metrics));
      if (last) library.exportMetrics(last).catch(() => undefined);
    } catch (error) {
      say(`the metrics of the last interval are lost: ${error instanceof Error ? error.message : error}`);
    }
  };

  // Exporting here would wake the event loop, and so bring the event about once more for everybody.
  process.on('beforeExit', () => void collect().catch(() => undefined));

  if (!isMainThread) {
    process.prependListener('exit', drain);
    const tell = asWorker(records, async () => {
      await collect().catch(() => undefined);
      drain();
      await library.flush();
    });
    for (const pipeline of records) pipeline.watch(tell);
    return;
  }

  const askWorkers = workers();
  const end = (): void => {
    drain();
    askWorkers();
  };
  // The library, whose own listener comes after this one, waits for it to be committed.
  process.prependListener('exit', end);
  onSignals({
    beside: () => {
      for (const pipeline of records) pipeline.drain();
    },
    before: () => Promise.race([collect(), after(COLLECT_MS, undefined, { ref: false })]),
    now: () => {
      end();
      closeNow(PATIENCE_MS - 2 * COLLECT_MS);
    },
  });
}

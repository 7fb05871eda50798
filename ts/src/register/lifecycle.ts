import type { OtlpLibrary } from '../library.js';

/** A processor or reader of the SDK. */
export interface Pipeline {
  forceFlush(): Promise<void>;
}

/** How long the end of the process may be held up, in milliseconds. */
const PATIENCE_MS = 5_000;
const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/**
 * Sees to it that nothing is lost when the program ends: by itself, by a signal, by an uncaught exception or by
 * `process.exit()`. Exit code and signal are the ones the program would have ended with.
 */
export function flushAtTheEnd(pipelines: readonly Pipeline[], library: OtlpLibrary): void {
  const flush = async (): Promise<void> => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>(resolve => {
      timer = setTimeout(resolve, PATIENCE_MS);
    });
    const all = Promise.allSettled(pipelines.map(pipeline => pipeline.forceFlush())).then(() => library.flush());
    await Promise.race([all, late]).catch(() => undefined);
    clearTimeout(timer);
  };

  // The flush wakes the event loop, and so brings the event about once more.
  let flushed = false;
  process.on('beforeExit', () => {
    if (flushed) return;
    flushed = true;
    void flush();
  });

  // The processors hand over what they hold before forceFlush() returns; the library, whose own listener comes after
  // this one, waits for it to be committed.
  process.prependListener('exit', () => {
    for (const pipeline of pipelines) pipeline.forceFlush().catch(() => undefined);
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

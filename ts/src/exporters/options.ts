import { milliseconds } from '../arguments.js';

/** Options of every exporter. */
export interface ExporterOptions {
  /**
   * How long an export may wait for room before it fails, in milliseconds. Set it to the export timeout of the SDK
   * processor, which drops a batch whose export failed. What cannot pass by waiting, such as a directory that may not be
   * written to, fails at once; when the program has nothing else left to do, all exports together hold it up for 5 s at
   * most. @default the OTEL variable of that timeout, else 30 000
   */
  timeoutMs?: number;
}

/** The wait an exporter may take: the option, then the SDK's own variable for its export timeout, then its default. */
export function timeoutOf(options: ExporterOptions, variable: string): number {
  if (options.timeoutMs !== undefined) return milliseconds('timeoutMs', options.timeoutMs);
  const set = Number(process.env[variable]);
  return Number.isFinite(set) && set > 0 ? set : 30_000;
}

/** One of the three OpenTelemetry signals that are recorded. */
export type Signal = 'traces' | 'metrics' | 'logs';

/** Every signal, in the order used for directories, counters and reports. */
export const SIGNALS: readonly Signal[] = ['traces', 'metrics', 'logs'];

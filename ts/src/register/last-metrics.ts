import type { MetricData, Resource, ResourceMetrics } from '../encoder/types.js';

/** What is read of an SDK's reader: its own fields, because all it offers takes a turn of the event loop. */
interface Reader {
  readonly _sdkMetricProducer?: Collector;
}
interface Collector {
  readonly _sharedState?: {
    readonly resource?: Resource;
    readonly meterSharedStates?: ReadonlyMap<string, Meter>;
  };
}
interface Meter {
  readonly _instrumentationScope?: ResourceMetrics['scopeMetrics'][number]['scope'];
  readonly metricStorageRegistry?: {
    getStorages?(
      collector: Collector,
    ): readonly { collect(collector: Collector, at: [number, number]): MetricData | undefined }[];
  };
}

/**
 * What a metric reader would collect now, at once: for the moment in which no promise is waited for any more. Callbacks
 * of observable instruments are not called. Undefined if there is nothing, or the SDK is built in another way.
 */
export function lastMetrics(reader: object): ResourceMetrics | undefined {
  const collector = (reader as Reader)._sdkMetricProducer;
  const { resource, meterSharedStates } = collector?._sharedState ?? {};
  if (!collector || !resource || !(meterSharedStates instanceof Map)) return undefined;
  const now = Date.now();
  const at: [number, number] = [Math.floor(now / 1000), (now % 1000) * 1_000_000];
  const scopeMetrics: { scope: ResourceMetrics['scopeMetrics'][number]['scope']; metrics: MetricData[] }[] = [];
  for (const meter of meterSharedStates.values() as Iterable<Meter>) {
    const scope = meter._instrumentationScope;
    const storages = meter.metricStorageRegistry?.getStorages?.(collector) ?? [];
    const metrics = storages.map(storage => storage.collect(collector, at)).filter(metric => metric !== undefined);
    if (scope && metrics.length > 0) scopeMetrics.push({ scope, metrics });
  }
  return scopeMetrics.length > 0 ? { resource, scopeMetrics } : undefined;
}

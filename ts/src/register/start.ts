import { setTimeout as after } from 'node:timers/promises';
import type { ReadableLogRecord, ReadableSpan, Resource } from '../encoder/types.js';
import { isGoodNews } from '../events.js';
import { OtlpLibrary } from '../library.js';
import { Batcher, type BatcherOptions } from './batcher.js';
import { installed, load } from './find.js';
import { destination } from './forward.js';
import { instrumentations } from './instrumentations.js';
import { flushAtTheEnd, type Pipeline } from './lifecycle.js';
import { registered } from './registered.js';
import { say } from './say.js';

/** The constructors used here, as far as they are used. */
interface Sdk {
  NodeSDK: new (options: object) => { start(): void };
}
interface MetricsSdk {
  PeriodicExportingMetricReader: new (options: object) => Reader;
}
interface Reader extends Pipeline {
  collect(): Promise<{ resourceMetrics: { resource: Resource } }>;
}

const SDK = '@opentelemetry/sdk-node';
/** How long a program may be held up at its start, in milliseconds. */
const PATIENCE_MS = 1_000;

/** Opens the library and starts the SDK on it, unless that is switched off or somebody else did. */
export async function start(): Promise<void> {
  if (process.env.OTEL_SDK_DISABLED?.trim().toLowerCase() === 'true') return;
  const taken = registered();
  if (taken.length > 0) {
    throw new Error(
      `an SDK is registered for ${taken.join(' and ')} already, and OpenTelemetry allows no second one nor a way to join it. ` +
        'Give its setup our exporters, spanExporter(), metricExporter() and logExporter() of an OtlpLibrary, or load otlp-arrow/register alone',
    );
  }
  const base = installed(SDK);
  if (!base)
    throw new Error(
      `the OpenTelemetry SDK is not installed: npm install ${SDK} @opentelemetry/auto-instrumentations-node`,
    );

  const { NodeSDK } = await load<Sdk>(SDK, base);
  const { PeriodicExportingMetricReader } = await load<MetricsSdk>('@opentelemetry/sdk-metrics', base);

  const library = await OtlpLibrary.open(destination(process.env));
  library.on('event', ({ name, message }) => {
    if (!isGoodNews(name)) say(message);
  });
  const spans = new Batcher<ReadableSpan>(library.spanExporter(), settings('OTEL_BSP', 5000));
  const logs = new Batcher<ReadableLogRecord>(library.logExporter(), settings('OTEL_BLRP', 1000));
  const interval = number('OTEL_METRIC_EXPORT_INTERVAL') ?? 60_000;
  const metrics = new PeriodicExportingMetricReader({
    exporter: library.metricExporter(),
    exportIntervalMillis: interval,
    exportTimeoutMillis: Math.min(number('OTEL_METRIC_EXPORT_TIMEOUT') ?? 30_000, interval),
  });
  const sdk = new NodeSDK({
    spanProcessors: [spans],
    logRecordProcessors: [logs],
    metricReaders: [metrics],
    instrumentations: await instrumentations(),
  });
  sdk.start();
  flushAtTheEnd([spans, logs], metrics, library);
  await settled(metrics);
}

/** Waits for the resource's attributes, some of which the SDK finds out asynchronously: the first export has them all. */
async function settled(metrics: Reader): Promise<void> {
  const { resourceMetrics } = await metrics.collect();
  await Promise.race([
    resourceMetrics.resource.waitForAsyncAttributes?.(),
    after(PATIENCE_MS, undefined, { ref: false }),
  ]);
}

function settings(prefix: string, delayMs: number): BatcherOptions {
  const queue = number(`${prefix}_MAX_QUEUE_SIZE`) ?? 2048;
  return {
    queue,
    batch: Math.min(number(`${prefix}_MAX_EXPORT_BATCH_SIZE`) ?? 512, queue),
    delayMs: number(`${prefix}_SCHEDULE_DELAY`) ?? delayMs,
  };
}

function number(variable: string): number | undefined {
  const value = Number(process.env[variable]);
  return Number.isFinite(value) && value > 0 ? value : undefined;
}

import { OtlpLibrary } from '../library.js';
import { installed, load } from './find.js';
import { instrumentations } from './instrumentations.js';
import { flushAtTheEnd, type Pipeline } from './lifecycle.js';
import { registered } from './registered.js';

/** The constructors used here, as far as they are used. */
interface Sdk {
  NodeSDK: new (options: object) => { start(): void };
}
interface TraceSdk {
  BatchSpanProcessor: new (exporter: object) => Pipeline;
}
interface LogsSdk {
  BatchLogRecordProcessor: new (options: object) => Pipeline;
}
interface MetricsSdk {
  PeriodicExportingMetricReader: new (options: object) => Pipeline;
}

const SDK = '@opentelemetry/sdk-node';
/** Records one processor may hold: its last batch goes out in one piece, which is all the end of a process allows. */
const QUEUE = 2048;

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
  const { BatchSpanProcessor } = await load<TraceSdk>('@opentelemetry/sdk-trace-base', base);
  const { BatchLogRecordProcessor } = await load<LogsSdk>('@opentelemetry/sdk-logs', base);
  const { PeriodicExportingMetricReader } = await load<MetricsSdk>('@opentelemetry/sdk-metrics', base);

  const library = await OtlpLibrary.open();
  const spans = new BatchSpanProcessor(library.spanExporter());
  const logs = new BatchLogRecordProcessor({
    exporter: library.logExporter(),
    maxQueueSize: QUEUE,
    maxExportBatchSize: QUEUE,
    scheduledDelayMillis: number('OTEL_BLRP_SCHEDULE_DELAY') ?? 1000,
  });
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
  flushAtTheEnd([spans, logs, metrics], library);
}

function number(variable: string): number | undefined {
  const value = Number(process.env[variable]);
  return Number.isFinite(value) && value > 0 ? value : undefined;
}

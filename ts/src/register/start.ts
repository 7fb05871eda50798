import { setTimeout as after } from 'node:timers/promises';
import { isMainThread } from 'node:worker_threads';
import type { ReadableLogRecord, ReadableSpan } from '../encoder/types.js';
import { OtlpLibrary } from '../library.js';
import type { Signal } from '../signal.js';
import { Batcher, type BatcherOptions } from './batcher.js';
import { installed, versionOf, versionSeen } from './find.js';
import { isSeen, onFirstUse, registered } from './first-use.js';
import { destination } from './forward.js';
import { instrumentations } from './instrumentations.js';
import { flushAtTheEnd, type Reader } from './lifecycle.js';
import { say, sayNotRecorded } from './say.js';
import { isAtOnce, type Sdk, sdk, sdkNow, withMachineAtOnce, withVariablesOfNow } from './sdk.js';

const API = '@opentelemetry/api';
const SDK = '@opentelemetry/sdk-node';
/** The first of the 2.x line; exporters alone take what earlier ones hand over. */
const OLDEST_MINOR = 200;
/** A timer that is set to more rings at once, all the time. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** How long a program may be held up at its start, in milliseconds. */
const PATIENCE_MS = 1_000;

/**
 * Opens the library and starts the SDK on it, unless that is switched off or somebody else did. Where nothing unusual is
 * asked for, the SDK, which is most of the work, is loaded when it is used for the first time: compilers, package managers
 * and whoever only starts other programs do without.
 */
export async function start(): Promise<void> {
  if (process.env.OTEL_SDK_DISABLED?.trim().toLowerCase() === 'true') return;
  const wanted = signals();
  if (!Object.values(wanted).includes(true)) return;
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

  refuseOld(versionOf(SDK, base));
  tellOfNewerApi(versionSeen(API, base));
  const library = await opened();
  library.on('event', ({ severity, message }) => {
    if (severity === 'warn') say(message);
  });
  const spans = new Batcher<ReadableSpan>(library.spanExporter(), settings('OTEL_BSP', 5000));
  const logs = new Batcher<ReadableLogRecord>(library.logExporter(), settings('OTEL_BLRP', 1000));
  const metrics = metricOptions(library);
  const found = await instrumentations();

  let reader: Reader | undefined;
  const begin = ({ NodeSDK, PeriodicExportingMetricReader }: Sdk): void => {
    if (wanted.metrics) reader = new PeriodicExportingMetricReader(metrics);
    new NodeSDK({
      spanProcessors: wanted.traces ? [spans] : [],
      logRecordProcessors: wanted.logs ? [logs] : [],
      metricReaders: reader ? [reader] : [],
      // Below 0.204 there is one; above it is not read.
      metricReader: reader,
      instrumentations: found,
    }).start();
  };
  flushAtTheEnd([spans, logs], () => reader, library);

  const api = isAtOnce(base) && isSeen(found) ? versionSeen(API, base) : undefined;
  if (api) {
    const asNow = withVariablesOfNow();
    onFirstUse(api, found, () => {
      try {
        asNow(() => withMachineAtOnce(base, () => begin(sdkNow(SDK, base))));
      } catch (error) {
        sayNotRecorded(error);
      }
    });
    return;
  }
  begin(await sdk(SDK, base));
  if (reader) await settled(reader);
}

function refuseOld(version: string | undefined): void {
  const [, major, minor] = /^(\d+)\.(\d+)\./.exec(version ?? '') ?? [];
  if (major !== '0' || Number(minor) >= OLDEST_MINOR) return;
  throw new Error(
    `the OpenTelemetry SDK that is installed is ${SDK} ${version}, and this needs 0.${OLDEST_MINOR} or newer: npm install ${SDK}@latest. ` +
      'In code, the exporters of an OtlpLibrary work with it',
  );
}

/** A program whose API is newer than the SDK's has another copy, which does not see what the SDK registers: it is silent. */
function tellOfNewerApi(seen: string | undefined): void {
  const file = installed(API);
  const own = file && versionOf(API, file);
  const [ours, theirs] = [own, seen].map(version => /^1\.(\d+)\./.exec(version ?? '')?.[1]);
  if (!ours || !theirs || Number(ours) <= Number(theirs)) return;
  say(
    `what the program itself records is not seen: its ${API} is ${own}, and the SDK that is installed works with ${seen}: ` +
      `npm install ${API}@${seen}, or a newer ${SDK}`,
  );
}

/** Which signals are not switched off by `OTEL_*_EXPORTER=none`; other exporters these variables name are not used. */
function signals(): Record<Signal, boolean> {
  const on = (signal: Signal) => process.env[`OTEL_${signal.toUpperCase()}_EXPORTER`]?.trim().toLowerCase() !== 'none';
  return { traces: on('traces'), metrics: on('metrics'), logs: on('logs') };
}

/** A library that forwards to where the stock exporters were told to send, if that can be read as an address. */
async function opened(): Promise<OtlpLibrary> {
  const config = destination(process.env);
  try {
    return await OtlpLibrary.open(config);
  } catch (error) {
    if (!config.forward) throw error;
    const library = await OtlpLibrary.open();
    say(`nothing is forwarded: ${error instanceof Error ? error.message : error}`);
    return library;
  }
}

/** Waits for the resource's attributes, some of which the SDK finds out asynchronously: the first export has them all. */
async function settled(metrics: Reader): Promise<void> {
  const { resourceMetrics } = await metrics.collect();
  await Promise.race([
    resourceMetrics.resource?.waitForAsyncAttributes?.(),
    after(PATIENCE_MS, undefined, { ref: false }),
  ]);
}

/** What a metric reader is made with. */
function metricOptions(library: OtlpLibrary): object {
  const interval = number('OTEL_METRIC_EXPORT_INTERVAL') ?? 60_000;
  return {
    exporter: library.metricExporter(),
    exportIntervalMillis: interval,
    exportTimeoutMillis: Math.min(number('OTEL_METRIC_EXPORT_TIMEOUT') ?? 30_000, interval),
  };
}

function settings(prefix: string, delayMs: number): BatcherOptions {
  const queue = number(`${prefix}_MAX_QUEUE_SIZE`) ?? 2048;
  return {
    queue,
    batch: Math.min(number(`${prefix}_MAX_EXPORT_BATCH_SIZE`) ?? 512, queue),
    delayMs: number(`${prefix}_SCHEDULE_DELAY`) ?? delayMs,
    atOnce: !isMainThread,
  };
}

/** A whole number of at least 1, or nothing if the variable holds none; as large as a timer takes at most. */
function number(variable: string): number | undefined {
  const value = Math.floor(Number(process.env[variable]));
  return value >= 1 ? Math.min(value, LONGEST_TIMER_MS) : undefined;
}

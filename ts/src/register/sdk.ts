import { readFileSync } from 'node:fs';
import { isModule, load, loadNow, seenFrom } from './find.js';
import { withoutExporters } from './lazy.js';
import type { Reader } from './lifecycle.js';

/** What is used of the OpenTelemetry SDK, as far as it is used. */
export interface Sdk {
  readonly NodeSDK: new (options: object) => { start(): void };
  readonly PeriodicExportingMetricReader: new (options: object) => Reader;
}

interface HostDetector {
  detect(...words: unknown[]): { attributes?: Record<string, unknown> } | undefined;
}
type Resources = Readonly<{ hostDetector?: HostDetector }>;

const METRICS = '@opentelemetry/sdk-metrics';
const RESOURCES = '@opentelemetry/resources';
/** Where Linux keeps the name of a machine, in the order in which the SDK asks. */
const MACHINE_IDS = ['/etc/machine-id', '/var/lib/dbus/machine-id'];

/** Whether {@link sdkNow} can load the SDK that `base` is a file of, and its resource would be complete at once. */
export function isAtOnce(base: string): boolean {
  const { bun, deno } = process.versions as { bun?: string; deno?: string };
  if (process.platform !== 'linux' || bun || deno) return false;
  // What the SDK says of its own start, and detectors that ask the network.
  if (process.env.OTEL_LOG_LEVEL || process.env.OTEL_NODE_RESOURCE_DETECTORS) return false;
  const files = [base, ...[METRICS, RESOURCES].map(name => seenFrom({ name, root: base }))];
  return files.every(file => file !== undefined && !isModule(file));
}

/** The SDK, loaded without another turn of the event loop. */
export function sdkNow(name: string, base: string): Sdk {
  const { NodeSDK } = withoutExporters(base, () => loadNow<Sdk>(name, base));
  const { PeriodicExportingMetricReader } = loadNow<Sdk>(METRICS, base);
  return { NodeSDK, PeriodicExportingMetricReader };
}

/** The SDK, of whatever modules it is made. */
export async function sdk(name: string, base: string): Promise<Sdk> {
  const { NodeSDK } = await withoutExporters(base, () => load<Sdk>(name, base));
  const { PeriodicExportingMetricReader } = await load<Sdk>(METRICS, base);
  return { NodeSDK, PeriodicExportingMetricReader };
}

/**
 * Has the detector of the host say the name of the machine at once while `work` runs, and not only after turns of the
 * event loop, which a short program may not have: the first record that is kept has it.
 */
export function withMachineAtOnce<T>(base: string, work: () => T): T {
  const { hostDetector } = loadNow<Resources>(RESOURCES, base);
  if (!hostDetector) return work();
  hostDetector.detect = function (this: HostDetector, ...words) {
    const found = (Object.getPrototypeOf(this) as HostDetector).detect.apply(this, words);
    const id = found?.attributes?.['host.id'];
    if (!(id instanceof Promise)) return found;
    id.catch(() => undefined);
    return { ...found, attributes: { ...found!.attributes, 'host.id': machineId() } };
  };
  try {
    return work();
  } finally {
    delete (hostDetector as Partial<HostDetector>).detect;
  }
}

function machineId(): string | undefined {
  for (const file of MACHINE_IDS) {
    try {
      return readFileSync(file, 'utf8').trim();
    } catch {
      // The next one.
    }
  }
  return undefined;
}

const told = (): [string, string][] =>
  Object.entries(process.env).filter((entry): entry is [string, string] => entry[0].startsWith('OTEL_'));

/** What runs something later with the `OTEL_*` variables of now: a program may set them for others in the meantime. */
export function withVariablesOfNow(): <T>(work: () => T) => T {
  const before = told();
  return work => {
    const since = told();
    replace(since, before);
    try {
      return work();
    } finally {
      replace(before, since);
    }
  };
}

function replace(old: readonly [string, string][], by: readonly [string, string][]): void {
  const wanted = new Map(by);
  for (const [name, value] of old) if (wanted.get(name) !== value) delete process.env[name];
  for (const [name, value] of by) if (process.env[name] !== value) process.env[name] = value;
}

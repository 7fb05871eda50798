import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type OtlpConfig, OtlpLibrary, type ReadableSpan, type Signal } from 'otlp-arrow';
import { onTestFinished, type TestContext, vi } from 'vitest';

/** Skips a test that cannot be tried on this machine; where nothing may be left out (`npm test -- --no-skips`), fails it. */
export function leaveOut(context: TestContext, reason: string): void {
  if (process.env.NO_SKIPS !== undefined) throw new Error(reason);
  context.skip(reason);
}

/** A directory of the test's own, gone afterwards. */
export function directory(): string {
  const made = mkdtempSync(join(tmpdir(), 'otlp-arrow-test-'));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** A library in a directory of its own, shut down after the test. */
export async function open(config: OtlpConfig = {}): Promise<OtlpLibrary> {
  const library = await OtlpLibrary.open({ outputDir: directory(), storage: { minFreeBytes: '0B' }, ...config });
  onTestFinished(async () => {
    // A test that has shut it down has seen what came of it.
    if (library.health().status !== 'closed') await library.shutdown();
  });
  return library;
}

/** A library whose room for traces is taken by a body on its way, until its sender is destroyed. */
export async function full(): Promise<{ library: OtlpLibrary; sender: Socket }> {
  // With its body a request holds 4 KiB for itself, and its headers.
  const taken = (3 << 20) - (4 << 10) - 200;
  const library = await open({ buffer: { maxBytes: '4MiB' }, listen: { http: '127.0.0.1:0' } });
  const [host, port] = library.addresses().http!.split(':');
  const sender = createConnection({ host: host!, port: Number(port) });
  onTestFinished(() => void sender.destroy());
  sender.write(
    `POST /v1/traces HTTP/1.1\r\nhost: t\r\ncontent-type: application/x-protobuf\r\ncontent-length: ${taken}\r\n\r\n`,
  );
  sender.write(Buffer.alloc(taken - 100));
  await vi.waitUntil(() => library.stats().bufferBytes >= taken - 100, 10_000);
  return { library, sender };
}

/** Reads a whole directory with a library of its own. */
export async function readDirectory(outputDir: string, signal: Signal): Promise<Row[]> {
  const library = await OtlpLibrary.open({ outputDir, storage: { minFreeBytes: '0B' } });
  try {
    return rows(await library.read(signal));
  } finally {
    await library.shutdown();
  }
}

export type Row = Record<string, any>;

/** The rows of a table as plain objects; maps as objects, 64-bit numbers as BigInt, times as nanoseconds. */
export function rows(table: {
  numRows: number;
  schema: { fields: { name: string }[] };
  getChild(name: string): any;
}): Row[] {
  const names = table.schema.fields.map(field => field.name);
  return Array.from({ length: table.numRows }, (_, index) =>
    Object.fromEntries(names.map(name => [name, plain(table.getChild(name), index)])),
  );
}

function plain(column: any, index: number): unknown {
  const value = column.get(index);
  if (value === null) return null;
  // get() of a timestamp is a float of milliseconds; the array beneath it is exact.
  if (String(column.type).startsWith('Timestamp')) return exactTime(column, index);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  return typeof value === 'object' && 'toJSON' in value ? value.toJSON() : value;
}

function exactTime(column: any, index: number): bigint {
  let rest = index;
  for (const data of column.data) {
    if (rest < data.length) return data.values[rest];
    rest -= data.length;
  }
  throw new RangeError(`no row ${index}`);
}

let serial = 0;

/** A finished span as the SDK would hand it over. */
export function span(name: string, overrides: Partial<ReadableSpan> = {}): ReadableSpan {
  const id = (++serial).toString(16).padStart(16, '0');
  return {
    name,
    kind: 1,
    spanContext: () => ({ traceId: `a1${id}`.padEnd(32, '7'), spanId: id, traceFlags: 1 }),
    startTime: [1_700_000_000, 1],
    endTime: [1_700_000_001, 2],
    status: { code: 0 },
    attributes: { 'http.route': `/${name}`, n: serial },
    links: [],
    events: [],
    resource: RESOURCE,
    instrumentationScope: SCOPE,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
    ...overrides,
  };
}

const RESOURCE = { attributes: { 'service.name': 'shop' } };
const SCOPE = { name: 'tests', version: '1' };

/** Names of the data files of a signal. */
export function files(outputDir: string, signal: Signal): string[] {
  const folder = join(outputDir, 'otlp', signal);
  return existsSync(folder) ? readdirSync(folder) : [];
}

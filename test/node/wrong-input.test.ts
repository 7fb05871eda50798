/** Wrong input through the doors of Node.js: the right answer, nothing stored, nothing crashed. */
import { readFileSync } from 'node:fs';
import { decode, encode, OtlpError, type OtlpLibrary, type ReadOptions, SIGNALS, type Signal } from 'otlp-arrow';
import { describe, expect, test } from 'vitest';
import { call, serve } from './grpc-client.js';
import { Random } from './random.js';
import { open, span } from './support.js';

const SERVICES = { traces: 'trace.v1.TraceService', metrics: 'metrics.v1.MetricsService', logs: 'logs.v1.LogsService' };
const HUGE = 100 << 20;

const official = (signal: Signal) =>
  readFileSync(new URL(`../fixtures/${signal}-official.request.binpb`, import.meta.url));

/** Random bytes, and a good request cut or with a byte changed. */
function wrong(signal: Signal): Buffer[] {
  const good = official(signal);
  const random = new Random(signal.length);
  const noise = (length: number) => Buffer.from(Array.from({ length }, () => random.int(256)));
  return [
    ...Array.from({ length: 40 }, (_, at) => noise(at + 1)),
    ...Array.from({ length: Math.floor(good.length / 8) }, (_, at) => good.subarray(0, 1 + at * 8)),
    ...Array.from({ length: 20 }, () => {
      const changed = Buffer.from(good);
      changed[random.int(good.length)] = random.int(256);
      return changed;
    }),
  ];
}

type Send = (signal: Signal, request: Buffer) => Promise<unknown>;

const doors: [string, (library: OtlpLibrary) => Promise<Send>][] = [
  ['a call', async library => (signal, request) => library.exportOtlp(signal, request)],
  [
    'the grpc-js bridge',
    async library => {
      const address = await serve(library);
      return (signal, request) => call(address, SERVICES[signal], request);
    },
  ],
  [
    'HTTP',
    async library => {
      const host = library.addresses().http!;
      return async (signal, body) => {
        const headers = { 'content-type': 'application/x-protobuf' };
        const { status } = await fetch(`http://${host}/v1/${signal}`, {
          method: 'POST',
          headers,
          body: new Uint8Array(body),
        });
        if (status !== 200) throw Object.assign(new Error(`HTTP ${status}`), { code: status });
      };
    },
  ],
];
/** How each says INVALID_DATA. */
const INVALID = new Set<unknown>(['INVALID_DATA', 3, 400]);

describe.each(doors)('%s', (_, door) => {
  test.each(SIGNALS)('noise and broken requests: %s', async signal => {
    const library = await open({ listen: { http: '127.0.0.1:0' } });
    const send = await door(library);
    let kept = 0;
    let refused = 0;
    for (const request of wrong(signal)) {
      const readable = await decode(signal, request).catch(error => error as OtlpError);
      const told = await send(signal, request).then(
        () => 'taken',
        error => error.code,
      );
      if (readable instanceof OtlpError) {
        expect(INVALID, request.toString('hex')).toContain(told);
        refused++;
      } else {
        expect(told, request.toString('hex')).toBe('taken');
        kept += readable.table.numRows;
      }
    }
    expect(refused).toBeGreaterThan(50);
    expect((await library.read(signal)).numRows).toBe(kept);
    await send(signal, official(signal));
    expect((await library.read(signal)).numRows).toBeGreaterThan(kept);
  });
});

test('100 MiB', async () => {
  const library = await open();
  const address = await serve(library);
  for (const signal of SIGNALS) {
    await expect(library.exportOtlp(signal, Buffer.alloc(HUGE))).rejects.toMatchObject({
      code: 'TOO_LARGE',
      retryable: false,
    });
    await expect(decode(signal, Buffer.alloc(HUGE))).rejects.toMatchObject({ code: 'INVALID_DATA' });
  }
  await expect(call(address, SERVICES.logs, Buffer.alloc(HUGE))).rejects.toMatchObject({ code: 8 });
  expect((await library.read('logs')).numRows).toBe(0);
  expect(library.stats().bufferBytes).toBe(0);
});

test('what is no batch and no table', async () => {
  const library = await open();
  const odd: unknown[] = [[null], [1], ['text'], [{}], [[]]];
  for (const batch of odd) {
    for (const exporter of [library.spanExporter(), library.logExporter()]) {
      const result = await new Promise<{ code: number }>(resolve => exporter.export(batch as never, resolve));
      expect(result.code, JSON.stringify(batch)).toBe(1);
    }
  }
  for (const batch of [null, 1, 'text', {}, { scopeMetrics: [null] }]) {
    const result = await new Promise<{ code: number }>(resolve =>
      library.metricExporter().export(batch as never, resolve),
    );
    expect([0, 1]).toContain(result.code);
  }
  for (const signal of SIGNALS) {
    expect((await library.read(signal)).numRows).toBe(0);
    // Eight bytes of text claim a message of 2 GB.
    for (const bytes of ['', 'no table', 'ARROW1\0\0', '\0\0\0\0']) {
      await expect(encode(signal, Buffer.from(bytes))).rejects.toMatchObject({ code: 'INVALID_DATA' });
    }
  }
});

test('an argument of the wrong kind is a typed error that says what is meant, and rejects where a promise is due', async () => {
  const library: any = await open();
  await library.exportTraces([span('kept')]);
  const [anyDecode, anyEncode] = [decode as any, encode as any];
  const none = new Uint8Array();
  const config: [string, () => unknown, RegExp][] = [
    ['signal of exportOtlp', () => library.exportOtlp('spans', none), /signal.*'spans'.*traces, metrics or logs/],
    ['signal of read', () => library.read(undefined), /signal.*undefined/],
    ['signal of readIpc', () => library.readIpc('TRACES'), /signal/],
    ['signal of subscribe', () => library.subscribe(5, 'name'), /signal/],
    ['signal of decode', () => anyDecode('spans', none), /signal/],
    ['signal of encode', () => anyEncode('spans', none), /signal/],
    ['format of decode', () => anyDecode('traces', none, 'xml'), /format = 'xml': use protobuf or json/],
    ['format of encode', () => anyEncode('traces', none, null), /format = null/],
    ['from', () => library.read('traces', { from: 'yesterday' }), /from = 'yesterday' is not a time/],
    ['to', () => library.read('traces', { to: new Date(Number.NaN) }), /to = Invalid Date is not a time/],
    ['limit', () => library.read('traces', { limit: 1n }), /limit/],
    ['columns', () => library.read('traces', { columns: 'name' }), /columns/],
    ['an option that is none', () => library.read('traces', { colums: ['name'] }), /colums is not an option: use from/],
    ['dictionaries', () => library.read('traces', { dictionaries: 'yes' }), /dictionaries/],
    ['from of subscribe', () => library.subscribe('traces', 'name', 'start'), /from = 'start': use beginning or now/],
    ['name of subscribe', () => library.subscribe('traces', null), /name = null/],
    ['deadline', () => library.shutdown({ deadlineMs: '5s' }), /deadlineMs = '5s': use a number of milliseconds/],
  ];
  for (const [what, call, message] of config) {
    let told: unknown;
    await expect((async () => (told = call()))(), what).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
      message: expect.stringMatching(message),
    });
    expect(told, `${what} did not throw`).toBeDefined();
  }
  for (const bytes of [null, 'text', new ArrayBuffer(4), new Float64Array(2), [1, 2]]) {
    for (const call of [library.exportOtlp('traces', bytes), anyDecode('traces', bytes)]) {
      await expect(call).rejects.toMatchObject({ code: 'INVALID_DATA' });
    }
  }
  for (const wrong of [null, undefined, 5, {}]) {
    for (const call of [library.exportTraces(wrong), library.exportMetrics(wrong), library.exportLogs(wrong)]) {
      await expect(call).rejects.toMatchObject({ code: 'INVALID_DATA' });
    }
    await expect(anyEncode('traces', wrong)).rejects.toMatchObject({ code: 'INVALID_DATA' });
  }
  for (const make of [
    () => library.metricExporter({ temporality: 'DELTA' }),
    () => library.spanExporter({ timeoutMs: '5s' }),
    () => library.logExporter({ timeoutMs: Number.NaN }),
    () => library.on('nothing', () => undefined),
    () => library.on('event', 5),
  ]) {
    expect(make).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG' }));
  }
  await expect(open({ limits: { timeout: 5n as never } })).rejects.toMatchObject({ code: 'INVALID_CONFIG' });
  // What was refused left nothing behind: the library goes on, and shuts down when it is asked properly.
  expect((await library.read('traces')).numRows).toBe(1);
  await library.shutdown({ deadlineMs: Number.POSITIVE_INFINITY });
  await expect(library.exportTraces([])).rejects.toMatchObject({ code: 'CLOSED' });
});

test('a time outside the range of OTLP means its beginning or its end', async () => {
  const library = await open();
  await library.exportTraces([span('a'), span('b')]);
  const count = async (options: ReadOptions) => (await library.read('traces', options)).numRows;
  expect(await count({ from: new Date(-8.64e15), to: new Date(8.64e15) })).toBe(2);
  expect(await count({ from: -(2n ** 70n), to: 2n ** 70n })).toBe(2);
  expect(await count({ from: new Date(8.64e15) })).toBe(0);
  expect(await count({ to: new Date(-1) })).toBe(0);
});

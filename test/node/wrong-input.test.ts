/** Wrong input through the doors of Node.js: the right answer, nothing stored, nothing crashed. */
import { readFileSync } from 'node:fs';
import { decode, encode, OtlpError, type OtlpLibrary, SIGNALS, type Signal } from 'otlp-arrow';
import { describe, expect, test } from 'vitest';
import { call, serve } from './grpc-client.js';
import { Random } from './random.js';
import { open } from './support.js';

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

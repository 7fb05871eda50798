import { decode, encode } from 'otlp-arrow';
import { describe, expect, test } from 'vitest';
import { encodeTraces } from '#dist/encoder/index.js';
import { decodeOtlp } from './otlp-proto.js';
import { made } from './sinks.js';
import { open, rows, span } from './support.js';

const spans = [
  span('a', {
    attributes: {
      text: 'é',
      int: 2n ** 62n,
      double: 0.1,
      flag: false,
      bytes: new Uint8Array([1, 2]),
      list: [1, 'x'],
      map: { k: null },
    },
    events: [{ time: [1_700_000_000, 7], name: 'e', attributes: { k: 'v' } }],
    links: [{ context: { traceId: 'b'.repeat(32), spanId: 'c'.repeat(16), traceFlags: 1 } }],
    status: { code: 2, message: 'bad' },
  }),
  span('b'),
];
const request = encodeTraces(spans, undefined, made);

test('a request becomes a table', async () => {
  const { table, rejected, message } = await decode('traces', request);
  expect({ rejected, message }).toEqual({ rejected: 0, message: '' });
  const [a, b] = rows(table);
  expect([a!.name, b!.name]).toEqual(['a', 'b']);
  expect(a!.attributes).toMatchObject({
    text: 'é',
    int: '4611686018427387904',
    bytes: 'AQI=',
    list: '[1,"x"]',
    map: '{"k":null}',
  });
});

test('invalid records are left out and counted', async () => {
  const bad = span('bad', { spanContext: () => ({ traceId: 'ab', spanId: 'cd', traceFlags: 0 }) });
  const decoded = await decode('traces', encodeTraces([bad, span('good')], undefined, made));
  expect(rows(decoded.table).map(row => row.name)).toEqual(['good']);
  expect(decoded).toMatchObject({ rejected: 1, message: expect.stringContaining('trace_id') });
});

describe('rows become the request they came from', () => {
  const original = decodeOtlp('Traces', request);
  test('from the bytes of an IPC stream', async () => {
    const library = await open();
    await library.exportOtlp('traces', request);
    expect(decodeOtlp('Traces', await encode('traces', await library.readIpc('traces')))).toEqual(original);
  });
  test('from a table', async () => {
    const { table } = await decode('traces', request);
    expect(decodeOtlp('Traces', await encode('traces', table))).toEqual(original);
  });
  test('from one batch', async () => {
    const { table } = await decode('traces', request);
    expect(decodeOtlp('Traces', await encode('traces', table.batches[0]!))).toEqual(original);
  });
  test('by way of JSON', async () => {
    const { table } = await decode('traces', request);
    const json = await encode('traces', table, 'json');
    const parsed = JSON.parse(Buffer.from(json).toString());
    expect(parsed.resourceSpans[0].scopeSpans[0].spans[0].name).toBe('a');
    const again = await decode('traces', json, 'json');
    expect(decodeOtlp('Traces', await encode('traces', again.table))).toEqual(original);
  });
});

test('what is not OTLP, and what is not a table, is INVALID_DATA', async () => {
  await expect(decode('logs', new Uint8Array([255]))).rejects.toMatchObject({ code: 'INVALID_DATA' });
  await expect(decode('logs', Buffer.from('{'), 'json')).rejects.toMatchObject({ code: 'INVALID_DATA' });
  await expect(encode('logs', new Uint8Array([1, 2, 3]))).rejects.toMatchObject({ code: 'INVALID_DATA' });
  const { table } = await decode('traces', request);
  await expect(encode('logs', table)).rejects.toMatchObject({ code: 'INVALID_DATA' });
});

import {
  ProtobufLogsSerializer,
  ProtobufMetricsSerializer,
  ProtobufTraceSerializer,
} from '@opentelemetry/otlp-transformer';
import { describe, expect, test } from 'vitest';
import { encodeLogs, encodeMetrics, encodeTraces } from '#dist/encoder/index.js';
import { Writer } from '#dist/encoder/writer.js';
import { native } from '#dist/native.js';
import { decodeOtlp } from './otlp-proto.js';
import { Random } from './random.js';
import { made } from './sinks.js';

function scope(r: Random): any {
  return {
    name: r.text(),
    version: r.pick([undefined, '1.2']),
    schemaUrl: r.pick([undefined, 'https://schema']),
    attributes: r.pick([undefined, { a: 1 }]),
    droppedAttributesCount: r.pick([undefined, 3]),
  };
}

function context(r: Random): any {
  return {
    traceId: r.hex(32),
    spanId: r.hex(16),
    traceFlags: r.int(4),
    isRemote: r.pick([undefined, true, false]),
    traceState: r.pick([undefined, { serialize: () => 'k=v,x=y' }]),
  };
}

function resources(r: Random): any[] {
  return [
    { attributes: {} },
    ...r.list(3, () => ({ attributes: r.attributes(), schemaUrl: r.pick([undefined, 'https://r']) })),
  ];
}

function span(r: Random, owners: any[], scopes: any[]): any {
  const own = context(r);
  return {
    name: r.text(),
    kind: r.pick([0, 1, 2, 3, 4, undefined]),
    spanContext: () => own,
    parentSpanContext: r.pick([undefined, context(r)]),
    startTime: r.time(),
    endTime: r.time(),
    status: { code: r.int(3), message: r.pick([undefined, '', 'went wrong']) },
    attributes: r.attributes(),
    links: r.list(3, () => ({
      context: context(r),
      attributes: r.pick([undefined, r.attributes()]),
      droppedAttributesCount: r.int(3),
    })),
    events: r.list(3, () => ({
      time: r.time(),
      name: r.text(),
      attributes: r.pick([undefined, r.attributes()]),
      droppedAttributesCount: r.int(300),
    })),
    resource: r.pick(owners),
    instrumentationScope: r.pick(scopes),
    droppedAttributesCount: r.int(2),
    droppedEventsCount: r.int(2) * 200,
    droppedLinksCount: r.int(2) * 70_000,
  };
}

describe.each([
  { texts: 'of every kind', ascii: false },
  { texts: 'in ASCII', ascii: true },
])('the encoder writes what the stock serializers write, texts $texts', ({ ascii }) => {
  test.each(Array.from({ length: 60 }, (_, seed) => seed + 1))('spans, seed %i', seed => {
    const r = new Random(seed * 7919, { ascii });
    const owners = resources(r);
    const scopes = [scope(r), scope(r)];
    const spans = r.list(20, () => span(r, owners, scopes));
    const stock = ProtobufTraceSerializer.serializeRequest(spans)!;
    expect(decodeOtlp('Traces', encodeTraces(spans, undefined, made))).toEqual(decodeOtlp('Traces', stock));
  });

  test.each(Array.from({ length: 30 }, (_, seed) => seed + 1))('log records, seed %i', seed => {
    const r = new Random(seed * 104729, { ascii });
    const owners = resources(r);
    const scopes = [scope(r), scope(r)];
    const records: any[] = r.list(20, () => ({
      hrTime: r.time(),
      hrTimeObserved: r.time(),
      spanContext: r.pick([undefined, context(r)]),
      severityText: r.pick([undefined, 'WARN']),
      severityNumber: r.pick([undefined, 0, 13]),
      body: r.value(),
      eventName: r.pick([undefined, 'click']),
      resource: r.pick(owners),
      instrumentationScope: r.pick(scopes),
      attributes: r.attributes(),
      droppedAttributesCount: r.int(2),
    }));
    const stock = ProtobufLogsSerializer.serializeRequest(records)!;
    expect(decodeOtlp('Logs', encodeLogs(records, undefined, made))).toEqual(decodeOtlp('Logs', stock));
  });

  test.each(Array.from({ length: 30 }, (_, seed) => seed + 1))('metrics, seed %i', seed => {
    const r = new Random(seed * 15485863, { ascii });
    const number = () => r.pick([0, 1, -5, 2 ** 40, 3]);
    const optional = () => r.pick([undefined, 0, 1.5, -3]);
    const buckets = () => ({ offset: r.int(20) - 10, bucketCounts: r.list(5, () => r.int(2 ** 31)) });
    const value = (type: number) => {
      if (type === 0) {
        const boundaries = r.list(4, () => r.int(100));
        const counts = boundaries.length ? [...boundaries, 3] : [];
        return {
          count: r.int(2 ** 31) * 8,
          sum: optional(),
          min: optional(),
          max: optional(),
          buckets: { boundaries, counts },
        };
      }
      return {
        count: r.int(1000),
        sum: optional(),
        min: optional(),
        max: optional(),
        scale: r.int(30) - 10,
        zeroCount: r.int(9),
        positive: buckets(),
        negative: buckets(),
      };
    };
    const metric = (): any => {
      const dataPointType = r.int(4);
      const valueType = r.int(2);
      return {
        descriptor: { name: r.text(), description: r.text(), unit: r.pick(['', 'ms']), valueType },
        aggregationTemporality: r.int(2),
        dataPointType,
        isMonotonic: r.bool(),
        dataPoints: r.list(4, () => ({
          startTime: r.time(),
          endTime: r.time(),
          attributes: r.attributes(),
          value: dataPointType < 2 ? value(dataPointType) : valueType === 0 ? number() : number() + 0.5,
        })),
      };
    };
    const collected: any = {
      resource: r.pick(resources(r)),
      scopeMetrics: r.list(3, () => ({ scope: scope(r), metrics: r.list(5, metric) })),
    };
    const stock = ProtobufMetricsSerializer.serializeRequest(collected)!;
    expect(decodeOtlp('Metrics', encodeMetrics(collected, undefined, made))).toEqual(decodeOtlp('Metrics', stock));
  });
});

describe('where it knows better than the stock serializers', () => {
  const one = (overrides: object): any => {
    const r = new Random(5);
    return { ...span(r, [{ attributes: {} }], [{ name: 's' }]), attributes: {}, events: [], links: [], ...overrides };
  };
  const spansOf = (bytes: Uint8Array): any[] => decodeOtlp('Traces', bytes).resourceSpans[0].scopeSpans[0].spans;

  test('a BigInt is an integer, or its digits where 64 bits do not hold it', () => {
    const attributes = { most: 2n ** 63n - 1n, least: -(2n ** 63n), more: 2n ** 64n };
    const [written] = spansOf(encodeTraces([one({ attributes })], undefined, made));
    expect(written.attributes.map((a: any) => a.value.intValue ?? a.value.stringValue)).toEqual([
      '9223372036854775807',
      '-9223372036854775808',
      '18446744073709551616',
    ]);
  });

  test('a record that throws is left out alone', () => {
    const bad = one({
      spanContext: () => {
        throw new Error('no context');
      },
    });
    const kept: any[] = [];
    const skipped = encodeTraces(
      [one({ name: 'a' }), bad, null as any, one({ name: 'b' })],
      undefined,
      (pieces, skipped) => {
        for (const { scopeSpans } of decodeOtlp('Traces', made(pieces, skipped)).resourceSpans)
          for (const { spans } of scopeSpans) kept.push(...spans);
        return skipped;
      },
    );
    expect(kept.map(s => s.name).sort()).toEqual(['a', 'b']);
    expect(skipped.count).toBe(2);
  });

  test('an id that is none is written so that its record is refused', () => {
    for (const traceId of ['xyz', `${'a'.repeat(31)}g`, 'a'.repeat(31)]) {
      const bad = one({ spanContext: () => ({ traceId, spanId: 'b'.repeat(16), traceFlags: 1 }) });
      const [written] = spansOf(encodeTraces([bad], undefined, made));
      expect(Buffer.from(written.traceId, 'base64').length).not.toBe(16);
    }
  });

  test('a cycle ends, and quickly', () => {
    const cycle: any = {};
    cycle.left = cycle;
    cycle.right = [cycle, cycle];
    // Cut at a depth that the core refuses, so one level is about two messages of six bytes.
    expect(encodeTraces([one({ attributes: { cycle } })], undefined, made).length).toBeLessThan(5000);
  });

  test('spans without a resource take the one that is given', () => {
    const request = encodeTraces([one({ resource: undefined })], { attributes: { 'service.name': 'given' } }, made);
    expect(decodeOtlp('Traces', request).resourceSpans[0].resource.attributes[0].value.stringValue).toBe('given');
  });

  test('an export from within an export does not disturb it', () => {
    let inner: any[] = [];
    const attributes = {
      before: 1,
      get nested() {
        inner = spansOf(encodeTraces([one({ name: 'inner' })], undefined, made));
        return 'value';
      },
      after: 2,
    };
    const [written] = spansOf(encodeTraces([one({ name: 'outer', attributes })], undefined, made));
    expect(inner[0].name).toBe('inner');
    expect(written.name).toBe('outer');
    expect(written.attributes.map((a: any) => a.key)).toEqual(['before', 'nested', 'after']);
  });

  test('what a record that throws had written is taken back, keys and bounds included', () => {
    const attributes = {
      a_key_first_used_here: 'x'.repeat(20),
      bytes: new Uint8Array([1, 2, 3]),
      get bad() {
        throw new Error('no value');
      },
    };
    const after = { a_key_first_used_here: 'y', bytes: new Uint8Array([4]) };
    const bytes = encodeTraces(
      [one({ name: 'kept before it' }), one({ attributes }), one({ name: 'kept after it', attributes: after })],
      undefined,
      made,
    );
    const spans = decodeOtlp('Traces', bytes).resourceSpans.flatMap((r: any) => r.scopeSpans[0].spans ?? []);
    expect(spans.map((s: any) => s.name)).toEqual(['kept before it', 'kept after it']);
    expect(spans[1].attributes.map((a: any) => [a.key, a.value.stringValue ?? a.value.bytesValue])).toEqual([
      ['a_key_first_used_here', 'y'],
      ['bytes', 'BA=='],
    ]);
  });

  test('texts beyond ASCII stand where they belong, halves of characters side by side included', () => {
    for (const text of [
      'é',
      'ünicode text',
      `${'x'.repeat(2000)}é`,
      `${'y'.repeat(600_000)}漢`,
      'a\ud800 lone surrogate',
      '\ude00😀\ud83d',
      '\ude00',
      '',
      '\ud83d',
    ]) {
      const spans = [
        one({ name: text, attributes: { [text]: text, key: text, after: 'x' }, status: { code: 2, message: text } }),
        one({ name: '\ude00', attributes: { key: `${text}\ud83d`, next: '', other: `\ude00${text}` } }),
      ];
      const stock = ProtobufTraceSerializer.serializeRequest(spans)!;
      expect(decodeOtlp('Traces', encodeTraces(spans, undefined, made))).toEqual(decodeOtlp('Traces', stock));
    }
  });

  test('more keys than are remembered, and than have a number, keep their names', () => {
    const spans = Array.from({ length: 45 }, (_, n) =>
      one({ attributes: Object.fromEntries(Array.from({ length: 100 }, (_, m) => [`key ${n} ${m}`, m])) }),
    );
    const stock = ProtobufTraceSerializer.serializeRequest(spans)!;
    expect(decodeOtlp('Traces', encodeTraces(spans, undefined, made))).toEqual(decodeOtlp('Traces', stock));
    // Keys are numbered with 19 bits; the next ones begin a new table.
    const writer = new Writer();
    writer.start();
    for (let n = 0; n < 2 ** 19 + 5; n++) writer.attributeBool(0x4a, writer.key(`k${n}`, 0), true);
    const request = made(writer.pieces(), { count: 0, reason: '', lost: '' });
    for (const n of [0, 1, 2 ** 19 - 3, 2 ** 19 - 2, 2 ** 19 - 1, 2 ** 19, 2 ** 19 + 4]) {
      const key = Buffer.from(`k${n}`);
      const field = [0x4a, key.length + 6, 0x0a, key.length, ...key, 0x12, 2, 0x10, 1];
      expect(request.includes(Buffer.from(field)), `k${n}`).toBe(true);
    }
  });

  test('a field of the wrong type refuses its record alone', () => {
    const owners = { resource: { attributes: {} }, instrumentationScope: { name: 's' } };
    const bytes = encodeTraces([one({ ...owners, name: 7 }), one({ ...owners, name: 'kept' })], undefined, made);
    expect(spansOf(bytes).map(s => s.name)).toEqual(['kept']);
  });
});

test('steps that nobody writes are an error, never a crash', () => {
  const r = new Random(77);
  let errors = 0;
  for (let round = 0; round < 3000; round++) {
    const steps = Uint32Array.from({ length: 4 + r.int(20) }, () => r.int(24) | (r.int(256) << 5) | (r.int(4) << 13));
    steps.set([steps.length, r.int(20), r.int(4), r.int(2)]);
    const text = Buffer.from('texts é of 漢 kinds 😀'.slice(0, r.int(20)));
    const made = native.makeRequest(steps, text, new Uint8Array(r.int(5)));
    if ('isBindingError' in made) {
      errors++;
      expect(made.code).toBe('INTERNAL');
    }
  }
  expect(errors).toBeGreaterThan(2000);
  for (const steps of [new Uint32Array(0), new Uint32Array(3), Uint32Array.of(5, 0, 0, 1), Uint32Array.of(4, 1, 0, 1)])
    expect(native.makeRequest(steps, new Uint8Array(0), new Uint8Array(0))).toHaveProperty('isBindingError');
});

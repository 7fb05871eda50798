/** What test/peers/go/signals.go sends, as OTLP/JSON. Where the SDK chooses (span ids, the times of metrics), `found` says. */
import { strict as assert } from 'node:assert';

export type Json = any;

const text = (stringValue: string) => ({ stringValue });
const int = (value: bigint | number) => ({ intValue: String(value) });
const double = (doubleValue: number | string) => ({ doubleValue });
const bool = (boolValue: boolean) => ({ boolValue });
const list = (...values: Json[]) => ({ arrayValue: { values } });
const attributes = (values: Record<string, Json>) => Object.entries(values).map(([key, value]) => ({ key, value }));
const map = (values: Record<string, Json>) => ({ kvlistValue: { values: attributes(values) } });

const MAX = 2n ** 63n - 1n;
const EVERY_TYPE = attributes({
  text: text('grüße ☃'),
  empty: text(''),
  yes: bool(true),
  no: bool(false),
  int: int(42),
  min: int(-(2n ** 63n)),
  max: int(MAX),
  double: double(0.1),
  whole: double(3),
  infinite: double('-Infinity'),
  texts: list(text('a'), text('')),
  bools: list(bool(true), bool(false)),
  ints: list(int(-1), int(MAX)),
  doubles: list(double(1.5), double(2)),
  bytes: { bytesValue: 'AP8=' },
  // The SDK sorts the keys of a map.
  map: map({ in: map({ b: bool(true) }), k: int(1) }),
  mixed: list(int(1), text('x'), double(2)),
});

const resource = (way: string) => ({
  resource: {
    attributes: attributes({
      'process.pid': int(42),
      'service.name': text(`peer ${way}`),
      tags: list(text('a'), text('b')),
    }),
  },
  schemaUrl: 'https://opentelemetry.io/schemas/1.30.0',
});

const second = (nanoseconds: number) => `1700000000${String(nanoseconds).padStart(9, '0')}`;
const TRACE = `${'0'.repeat(31)}1`;
const REMOTE = `${'0'.repeat(15)}2`;
/** Sampled; whether the parent is remote is known; and it is. */
const [SAMPLED, KNOWN, IS_REMOTE] = [0x1, 0x100, 0x200];

export function expectedSpans(way: string, found: Json): Json {
  const spans: Json[] = found.scopeSpans[0].spans;
  const [client, server] = spans.map(span => span.spanId as string);
  for (const id of [client, server]) assert.match(id!, /^(?!0{16})[0-9a-f]{16}$/);
  assert.notEqual(client, server);
  const common = { traceId: TRACE, traceState: 'vendor=one,other=2' };
  const scope = {
    name: 'peer/tracer',
    version: '1.2.3',
    attributes: attributes({ 'scope.kind': text('peer'), 'scope.number': int(7) }),
  };
  return {
    ...resource(way),
    scopeSpans: [
      {
        scope,
        schemaUrl: 'https://opentelemetry.io/schemas/1.29.0',
        spans: [
          {
            ...common,
            spanId: client,
            parentSpanId: server,
            name: 'client',
            kind: 3,
            startTimeUnixNano: second(2),
            endTimeUnixNano: second(5),
            events: [
              { timeUnixNano: second(3), name: 'first', attributes: attributes({ n: int(1) }) },
              { timeUnixNano: second(4), name: 'second' },
            ],
            status: { code: 2, message: 'it broke' },
            flags: SAMPLED | KNOWN,
          },
          {
            ...common,
            spanId: server,
            parentSpanId: REMOTE,
            name: 'server',
            kind: 2,
            startTimeUnixNano: second(1),
            endTimeUnixNano: second(999_999_999),
            attributes: EVERY_TYPE,
            links: [
              {
                traceId: TRACE,
                spanId: REMOTE,
                attributes: attributes({ link: text('yes') }),
                flags: SAMPLED | KNOWN | IS_REMOTE,
              },
            ],
            status: { code: 1 },
            flags: SAMPLED | KNOWN | IS_REMOTE,
          },
        ],
      },
    ],
  };
}

/** The data points of a metric, whatever its kind. */
const points = (metric: Json): Json[] =>
  (metric.sum ?? metric.gauge ?? metric.histogram ?? metric.exponentialHistogram).dataPoints;

export function expectedMetrics(way: string, found: Json): Json {
  const metrics: Json[] = found.scopeMetrics[0].metrics;
  const now = BigInt(Date.now()) * 1_000_000n;
  /** The times the SDK chose, which must be of this run and in order. */
  const times = (name: string, index: number) => {
    const point = points(metrics.find(metric => metric.name === name))[index];
    const { startTimeUnixNano, timeUnixNano } = point as Record<string, string>;
    const [start, time] = [BigInt(startTimeUnixNano!), BigInt(timeUnixNano!)];
    assert.ok(start > now - 600_000_000_000n && start <= time && time <= now, `${name}: ${start} to ${time}`);
    return { startTimeUnixNano, timeUnixNano };
  };
  const with_ = { attributes: attributes({ ok: bool(true), route: text('/a') }) };
  const CUMULATIVE = 2;
  // The SDK collects the points of a metric in any order.
  const counter = metrics.find(metric => metric.name === 'counter');
  const first = points(counter).findIndex(point => point.attributes.length === 2);
  const counted = [
    { ...times('counter', first), asInt: '42', ...with_ },
    { ...times('counter', 1 - first), asInt: '5', attributes: attributes({ route: text('/b') }) },
  ];
  if (first === 1) counted.reverse();
  return {
    ...resource(way),
    scopeMetrics: [
      {
        scope: { name: 'peer/meter', version: '4.5.6' },
        metrics: [
          {
            name: 'counter',
            description: 'how many',
            unit: '{request}',
            sum: { aggregationTemporality: CUMULATIVE, isMonotonic: true, dataPoints: counted },
          },
          {
            name: 'updown',
            sum: {
              aggregationTemporality: CUMULATIVE,
              dataPoints: [{ ...times('updown', 0), asDouble: -2.5, ...with_ }],
            },
          },
          { name: 'gauge', unit: 'By', gauge: { dataPoints: [{ ...times('gauge', 0), asInt: '-7', ...with_ }] } },
          {
            name: 'histogram',
            unit: 's',
            histogram: {
              aggregationTemporality: CUMULATIVE,
              dataPoints: [
                {
                  ...times('histogram', 0),
                  ...with_,
                  count: '5',
                  sum: 106.5,
                  bucketCounts: ['2', '1', '1', '1'],
                  explicitBounds: [1, 2.5, 10],
                  min: 0.5,
                  max: 100,
                },
              ],
            },
          },
          {
            name: 'exponential',
            exponentialHistogram: {
              aggregationTemporality: CUMULATIVE,
              dataPoints: [
                {
                  ...times('exponential', 0),
                  ...with_,
                  count: '5',
                  sum: 4.5,
                  scale: 3,
                  zeroCount: '1',
                  // Eight buckets to a power of two, upper bounds inclusive: 1 is in -1, 1.5 in 4, 4 in 15; 2 in 7.
                  positive: { offset: -1, bucketCounts: buckets(17, 0, 5, 16) },
                  negative: { offset: 7, bucketCounts: ['1'] },
                  min: -2,
                  max: 4,
                },
              ],
            },
          },
        ],
      },
    ],
  };
}

/** So many buckets, with one in each of these. */
const buckets = (length: number, ...ones: number[]) =>
  Array.from({ length }, (_, index) => (ones.includes(index) ? '1' : '0'));

export function expectedLogs(way: string): Json {
  return {
    ...resource(way),
    scopeLogs: [
      {
        scope: { name: 'peer/logger', version: '7.8.9' },
        logRecords: [
          {
            timeUnixNano: second(10),
            observedTimeUnixNano: second(11),
            severityNumber: 18,
            severityText: 'ERROR2',
            eventName: 'peer.event',
            body: map({ list: list(int(1), bool(false)), message: text('hello'), raw: { bytesValue: 'AQID' } }),
            attributes: EVERY_TYPE,
            traceId: `${'0'.repeat(31)}3`,
            spanId: `${'0'.repeat(15)}4`,
            flags: SAMPLED,
          },
          { observedTimeUnixNano: second(12), severityNumber: 9, body: text('plain') },
        ],
      },
    ],
  };
}

/** Lines of metrics as charts take them: gaps, splits with what they leave out, heat maps, units. */
import { expect, test } from 'vitest';
import { cellAt, heat, strength } from '../src/figures/heat.js';
import { aligned, nameOf, otherWords, quoted, quotedName } from '../src/figures/series.js';
import { trend } from '../src/figures/trend.js';
import { bucketText, unitText, valueText } from '../src/figures/units.js';
import type { Line, Series } from '../src/wire.js';

const at = (second: number) =>
  new Date(Date.UTC(2026, 10, 30, 12) + second * 1000).toISOString().replace('Z', '000000Z');
const line = (
  labels: Line['labels'],
  points: readonly (readonly [number, number | null])[],
  more: Partial<Line> = {},
): Line => ({
  labels,
  unit: 's',
  type: 'histogram',
  show: 'rate',
  series: 1,
  points: points.map(([second, value]) => ({ time: at(second), value })),
  ...more,
});

test('steps that have no value are gaps, in lines of other times too', () => {
  const lines = [
    line({}, [
      [60, 1],
      [240, 4],
    ]),
    line({}, [[120, 2]]),
  ];
  const { times, values } = aligned(lines, 60e9);
  const begin = Date.UTC(2026, 10, 30, 12) / 1000;
  expect(times.map(time => time - begin)).toEqual([60, 120, 180, 240]);
  expect(values).toEqual([
    [1, null, null, 4],
    [null, 2, null, null],
  ]);
  // The last step ends where the range does.
  expect(
    aligned(
      [
        line({}, [
          [60, 1],
          [120, 2],
          [131, 3],
        ]),
      ],
      60e9,
    ).times.map(time => time - begin),
  ).toEqual([60, 120, 131]);
  expect(aligned([], 60e9)).toEqual({ times: [], values: [] });
  expect(aligned([line({}, [[60, null]])], 60e9).values).toEqual([[null]]);
});

test('a line is called by what tells it from others', () => {
  expect(nameOf(line({ service: 'shop', 'attr:http.route': '/cart' }, []))).toBe('shop http.route=/cart');
  expect(nameOf(line({}, [], { quantile: 0.95 }))).toBe('p95');
  expect(nameOf(line({ 'resource:host.name': 'a' }, [], { quantile: 0.999 }))).toBe('host.name=a p99.9');
  expect(nameOf(line({ service: '' }, []))).toBe('(no service)');
  expect(nameOf(line({}, []))).toBe('all');
});

test('what a split leaves out is asked for as everything else', () => {
  const series = (lines: readonly Line[], left = 3) => ({ lines, left_out: left }) as unknown as Series;
  const of = (...values: (string | undefined)[]) =>
    values.map(value => line(value === undefined ? {} : { 'attr:http.route': value }, []));
  expect(otherWords(series(of('/a', '/b', '/a')), 'attr:http.route')).toEqual([
    ['attr', 'http.route!=/a'],
    ['attr', 'http.route!=/b'],
  ]);
  // Those without the attribute have a line of their own: the others have one.
  expect(otherWords(series(of('/a', undefined)), 'attr:http.route')).toEqual([
    ['attr', 'http.route!=/a'],
    ['attr', 'http.route'],
  ]);
  expect(otherWords(series(of('/a'), 0), 'attr:http.route')).toBeNull();
  expect(
    otherWords(
      series([line({ service: 'shop' }, []), line({ service: '~x' }, []), line({ service: '' }, [])]),
      'service',
    ),
  ).toEqual([
    ['service', '!shop'],
    ['service', '!"~x"'],
    ['service', '!""'],
  ]);
  expect(otherWords(series([line({ 'resource:host.name': '"a"' }, [])]), 'resource:host.name')).toEqual([
    ['resource', 'host.name!="\\"a\\""'],
  ]);
  expect([quoted('a=b'), quoted('a b'), quotedName('!x'), quotedName('x!')]).toEqual(['"a=b"', 'a b', '"!x"', 'x!']);
});

test('a heat map has every bucket between the least and the greatest, and every step', () => {
  const bucket = (
    above: number | undefined,
    upTo: number | undefined,
    points: readonly (readonly [number, number])[],
  ) =>
    line({}, points, {
      show: 'buckets',
      ...(above === undefined ? {} : { above }),
      ...(upTo === undefined ? {} : { up_to: upTo }),
    });
  const map = heat(
    [
      bucket(4, 8, [[180, 9]]),
      bucket(undefined, 1, [[60, 2]]),
      bucket(8, undefined, [[180, 1]]),
      bucket(4, 8, [[60, 1]]),
    ],
    60e9,
  );
  expect(map.rows).toEqual([
    { above: -Infinity, upTo: 1, counts: [2, 0, 0] },
    { above: 1, upTo: 4, counts: [0, 0, 0] },
    { above: 4, upTo: 8, counts: [1, 0, 9] },
    { above: 8, upTo: Infinity, counts: [0, 0, 1] },
  ]);
  expect(map.most).toBe(9);
  expect(cellAt(map, 0.99, 0.6)).toMatchObject({ count: 9, row: { upTo: 8 } });
  expect(cellAt(map, 0.1, 0)).toMatchObject({ count: 2, row: { upTo: 1 } });
  expect(cellAt(map, 1.2, 0.5)).toBeNull();
  expect(heat([], 60e9)).toEqual({ times: [], rows: [], most: 0 });
  expect(strength(0, 9)).toBe(0);
  expect(strength(1, 1e6)).toBeGreaterThan(0.1);
  expect(strength(9, 9)).toBeCloseTo(1);
});

test('values have their unit, and counts none', () => {
  const text = (value: number | null, unit: string, show = 'value', type = 'gauge') =>
    valueText(value, { show, unit, type });
  expect(text(0.25, 's')).toBe('250 ms');
  expect(text(1500, 'ms')).toBe('1.5 s');
  expect(text(3 * 1024 ** 2, 'By')).toBe('3 MiB');
  expect(text(2048, 'By', 'rate', 'sum')).toBe('2 KiB/s');
  expect(text(12, '{request}', 'rate', 'sum')).toBe('12/s');
  expect(text(12, 's', 'rate', 'histogram')).toBe('12/s');
  expect(text(40, '%')).toBe('40 %');
  expect(text(0.5, '1')).toBe('0.5');
  expect(text(7, 'Cel')).toBe('7 Cel');
  expect(text(null, 's')).toBe('–');
  expect(text(Number.POSITIVE_INFINITY, 's')).toBe('–');
  expect([
    unitText({ show: 'rate', unit: '{request}', type: 'sum' }),
    unitText({ show: 'value', unit: '1', type: 'gauge' }),
  ]).toEqual(['request/s', '']);
  const of = { show: 'buckets', unit: 's', type: 'histogram' };
  expect([bucketText(-Infinity, 0.005, of), bucketText(0.005, 0.01, of), bucketText(10, Infinity, of)]).toEqual([
    'up to 5 ms',
    '5 ms to 10 ms',
    'above 10 s',
  ]);
});

test('the trend of an error covers the range, steps without one included', () => {
  const buckets = [
    { time: at(60), count: 2 },
    { time: at(240), count: 3 },
  ];
  const begin = Date.UTC(2026, 10, 30, 12);
  expect(trend(buckets, 60e9, [begin, begin + 300_000])).toEqual([0, 2, 0, 0, 3, 0]);
  expect(trend(buckets, 60e9)).toEqual([0, 2, 0, 0, 3, 0]);
  expect(trend([], 60e9)).toEqual([]);
  const year = trend(buckets, 1e9, [begin - 365 * 86_400_000, begin + 300_000]);
  expect(year.length).toBeLessThanOrEqual(240);
  expect(year.reduce((sum, count) => sum + count, 0)).toBe(5);
});

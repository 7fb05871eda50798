/** Log records in a list: what is looked for, which come twice, which make room. */
import { expect, test } from 'vitest';
import { marks } from '../src/figures/looked.js';
import { keyOf, levelOf, prepended, timeOfKey, unknownOf } from '../src/figures/records.js';
import { begins, rowAt } from '../src/parts/rows.js';
import type { LogRecord } from '../src/wire.js';

const record = (second: number, body: string, more: Partial<LogRecord> = {}): LogRecord => ({
  time: `2026-11-30T12:00:${String(second).padStart(2, '0')}.000000001Z`,
  observed_time: null,
  service: 'shop',
  severity_number: 9,
  body,
  attributes: {},
  resource: {},
  flags: 0,
  ...more,
});

test('what was looked for is marked, and no expression holds up the page', () => {
  expect(marks('card declined, Declined', { text: 'declined', ignore_case: 'true' })).toEqual([
    [5, 13],
    [15, 23],
  ]);
  expect(marks('a.b axb', { text: 'a.b' })).toEqual([[0, 3]]);
  expect(marks('took 12 ms', { regex: '[0-9]+' })).toEqual([[5, 7]]);
  expect(marks('took 12 ms', { regex: '(unclosed' })).toEqual([]);
  expect(marks('x', {})).toEqual([]);
  expect(marks('aaaa', { regex: 'x*' })).toEqual([]);
  const started = performance.now();
  for (const regex of ['(a+)+$', '(a|a)*b', 'a*a*a*a*a*b', '(?:a+){5,}c'])
    expect(marks(`${'a'.repeat(1_900)}!`, { regex })).toEqual([]);
  expect(performance.now() - started).toBeLessThan(1_000);
});

test('levels are four numbers each', () => {
  expect([0, 1, 4, 5, 9, 13, 17, 21, 24, 25].map(severity_number => levelOf({ severity_number }))).toEqual([
    'none',
    'trace',
    'trace',
    'debug',
    'info',
    'warn',
    'error',
    'fatal',
    'fatal',
    'none',
  ]);
});

test('a record is found again by its key', () => {
  const one = record(1, 'a');
  expect(keyOf(one)).toBe(keyOf({ ...one }));
  expect(keyOf(one)).not.toBe(keyOf(record(1, 'b')));
  expect(timeOfKey(keyOf(one))).toBe(one.time);
  expect(timeOfKey('x')).toBeUndefined();
  expect(timeOfKey(keyOf(record(1, 'a', { time: null })))).toBeUndefined();
});

test('what the list has is not shown again by the tail, and nothing else is left out', () => {
  const list = [record(3, 'c'), record(2, 'b'), record(1, 'a')];
  expect(unknownOf([record(2, 'b'), record(3, 'c'), record(4, 'd')], list).map(({ body }) => body)).toEqual(['d']);
  // The same twice is twice, and what is late is new.
  expect(unknownOf([record(3, 'c'), record(3, 'c'), record(1, 'late')], list).map(({ body }) => body)).toEqual([
    'c',
    'late',
  ]);
  expect(unknownOf([record(9, 'x')], [])).toHaveLength(1);
  expect(unknownOf([record(9, 'x')], list)).toHaveLength(1);
});

test('the newest come first, and the oldest make room', () => {
  const list = [record(2, 'b'), record(1, 'a')];
  expect(
    prepended(list, [record(3, 'c'), record(4, 'd')], 10)
      .rows.map(({ body }) => body)
      .join(''),
  ).toBe('dcba');
  const { rows, isCut } = prepended(list, [record(3, 'c'), record(4, 'd')], 3);
  expect([rows.map(({ body }) => body).join(''), isCut]).toEqual(['dcb', true]);
  expect(prepended(list, [record(3, 'c'), record(4, 'd')], 1).rows.map(({ body }) => body)).toEqual(['d']);
  // Of one time the one that was committed last comes first.
  expect(
    prepended([], [record(5, 'x'), record(5, 'y')], 9)
      .rows.map(({ body }) => body)
      .join(''),
  ).toBe('yx');
  expect(prepended([], [], 3)).toEqual({ rows: [], isCut: false });
});

test('rows of any height are found at any height', () => {
  const tops = begins([10, 30, 0, 20]);
  expect([...tops]).toEqual([0, 10, 40, 40, 60]);
  expect([-5, 0, 9, 10, 39, 40, 59, 60, 999].map(y => rowAt(tops, y))).toEqual([0, 0, 0, 1, 1, 3, 3, 3, 3]);
  expect(rowAt(begins([]), 10)).toBe(0);
});

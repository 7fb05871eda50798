import { describe, expect, test } from 'vitest';
import { parsed, question, together } from '../src/api.js';
import { json } from '../src/parts/attributes.js';
import { hue } from '../src/parts/colours.js';
import { condition, conditionOf, exactly } from '../src/parts/filter.js';
import { clean, line, link } from '../src/parts/text.js';
import { ago, amount, bytes, count, duration, nanos, ofMillis, percent, rate } from '../src/parts/time.js';
import { instant } from '../src/state/range.js';
import { changed, queryOf, wordsOf } from '../src/state/url.js';

describe('words of a URL', () => {
  test('come back as they went, whatever is in them', () => {
    for (const value of [
      'a b',
      'a+b',
      'http.route=/cart/{id}',
      'x=1&y=2#z',
      '%41',
      'ä€😀',
      '"quoted" \\ \' <b>',
      '~^a|b$',
      ',;:@!*()[]',
    ]) {
      expect([...wordsOf(queryOf(new Map([['attr', [value, 'second']]])))]).toEqual([['attr', [value, 'second']]]);
    }
  });
  test('are taken out by null, by nothing and by the empty text', () => {
    const words = wordsOf('a=1&b=2&b=3&c=');
    expect([...words]).toEqual([
      ['a', ['1']],
      ['b', ['2', '3']],
    ]);
    expect(queryOf(changed(words, { a: null, b: [], d: 5 }))).toBe('d=5');
    expect(queryOf(changed(words, { a: '', b: ['3'] }))).toBe('b=3');
  });
  test('make questions, later ones instead of earlier ones', () => {
    expect(
      question(
        '/traces',
        together({ limit: 5, service: 'a' }, new Map([['service', ['b', 'c']]]), { from: undefined }),
      ),
    ).toBe('/api/v1/traces?limit=5&service=b&service=c');
  });
});

test('conditions are written so that nothing in them is an operator', () => {
  expect(condition('http.route', '/a=b')).toBe('http.route=/a=b');
  expect(condition('a=b', 'c', false)).toBe('"a=b"!=c');
  expect(condition('k', '"x"')).toBe('k="\\"x\\""');
  expect([exactly('checkout'), exactly('!a'), exactly('~x', false), exactly('')]).toEqual([
    'checkout',
    '"!a"',
    '!"~x"',
    '""',
  ]);
  expect(conditionOf('resource:host.name', 'h')).toEqual(['resource', 'host.name=h', 'host.name!=h']);
  expect(conditionOf('status', 'error', false)).toEqual(['status', '!error', 'error']);
});

test('times are exact to the nanosecond, durations have three digits that count', () => {
  expect(nanos('2026-11-30T12:00:00.123456789Z')).toBe(1_796_040_000_123_456_789n);
  expect(nanos('1970-01-01T00:00:00Z')).toBe(0n);
  expect(ofMillis(1_796_040_000_123.5)).toBe('1796040000123500000');
  expect(
    [
      0,
      1,
      999,
      1_000,
      1_234,
      12_345,
      123_456,
      999_999,
      1_500_000,
      45e6,
      999_600_000,
      1.5e9,
      61e9,
      3_725e9,
      90_000e9,
      null,
    ].map(duration),
  ).toEqual([
    '0',
    '1 ns',
    '999 ns',
    '1 µs',
    '1.23 µs',
    '12.3 µs',
    '123 µs',
    '1 ms',
    '1.5 ms',
    '45 ms',
    '1 s',
    '1.5 s',
    '1 min 1 s',
    '1 h 2 min',
    '1 d 1 h',
    '–',
  ]);
  expect([5, 99_999, 123_456, 5_000_000].map(count)).toEqual(['5', '99,999', '123 k', '5 M']);
  expect([0, 5, 0.5, 0.02, 0.0003].map(rate)).toEqual(['0', '5/s', '0.5/s', '1.2/min', '1.08/h']);
  expect([0, 0.0004, 0.012, 0.5].map(percent)).toEqual(['0 %', '<0.1 %', '1.2 %', '50 %']);
  expect([12, 2_048, 5 * 2 ** 20].map(bytes)).toEqual(['12 B', '2 KiB', '5 MiB']);
  expect([0.12345, 1234, null].map(amount)).toEqual(['0.123', '1,234', '–']);
  expect(ago('2026-11-30T12:00:00Z', Date.UTC(2026, 10, 30, 14))).toBe('2 h ago');
});

test('instants are relative, absolute, in nanoseconds, or none', () => {
  const now = Date.UTC(2026, 10, 30);
  expect([
    instant('now', now),
    instant('-15m', now),
    instant('1796040000000000000'),
    instant('2026-11-30T12:00:00Z'),
    instant('all'),
    instant('soon'),
  ]).toEqual([now, now - 900_000, 1_796_040_000_000, 1_796_040_000_000, undefined, undefined]);
});

test('text shows what it hides, and only links of the web can be followed', () => {
  expect(clean('a\u202eb\u0007\u200b')).toBe('a⟨U+202E⟩b␇⟨U+200B⟩');
  expect(line('a\r\nb')).toBe('a ⏎ b');
  expect(link('https://a.example/x?y')).toBe('https://a.example/x?y');
  for (const text of [
    'javascript:alert(1)',
    'data:text/html,x',
    ' https://a',
    'https://a b',
    'https://a\u202e',
    'ftp://a',
    '//a',
    'https:',
  ])
    expect(link(text)).toBeUndefined();
});

test('integers of any size stay what they are', () => {
  const value = parsed('{"a":9007199254740993,"b":1.5,"c":-9223372036854775808,"d":"9007199254740993"}') as Record<
    string,
    unknown
  >;
  // Browsers of before 2023 do not tell the digits of a number: there it is a number.
  if (typeof value.a === 'bigint')
    expect(json(value)).toBe('{"a":9007199254740993,"b":1.5,"c":-9223372036854775808,"d":"9007199254740993"}');
  expect(json({ a: 12_345_678_901_234_567_890n, list: [1n] })).toBe('{"a":12345678901234567890,"list":[1]}');
});

test('colours are of the name alone, spread, and never red', () => {
  const names = Array.from({ length: 200 }, (_, i) => `service-${i}`);
  for (const name of names) {
    expect(hue(name)).toEqual(hue(name));
    expect(hue(name).hue).toBeGreaterThan(45);
    expect(hue(name).hue).toBeLessThan(345);
  }
  expect(new Set(names.map(name => `${hue(name).hue} ${hue(name).deep}`)).size).toBeGreaterThan(24);
});

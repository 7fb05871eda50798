/** Differences in words, and sides as the API reads them. */
import { expect, test } from 'vitest';
import { effect, sentence, sideOf, sidesOfRun } from '../src/figures/changes.js';

test('effects have a sign, and next to nothing is nothing', () => {
  expect([effect(1_500_000), effect(-2e9), effect(0), effect(-120)]).toEqual(['+1.5 ms', '−2 s', '0', '0']);
});

test('a change is a line that says everything', () => {
  const side = { count: 10, errors: 1, error_share: 0.1, total: 1, p50: 1e6, p95: 2e6, p99: 3e6 };
  expect(
    sentence({
      service: 'shop',
      name: 'GET /',
      kind: 'server',
      change: 'slower',
      impact: 2e6,
      a: { ...side, errors: 0, error_share: 0 },
      b: { ...side, p50: 3e6 },
    }),
  ).toBe(
    'slower: shop GET / (server): p50 1 ms → 3 ms, p95 2 ms → 2 ms; 10 → 10 spans; errors 0 % → 10 %; +2 ms a request',
  );
  expect(
    sentence({ service: 'shop', name: 'x', kind: 'internal', change: 'gone', impact: -1e6, a: side, b: null }),
  ).toContain('10 → 0 spans');
});

test('a side is one word, whatever the value is', () => {
  expect(sidesOfRun('ci.run.id', '16', '17')).toEqual({ a: 'resource=ci.run.id=16', b: 'resource=ci.run.id=17' });
  expect(sideOf('host.name', 'my machine')).toBe('"resource=host.name=my machine"');
  expect(sideOf('k', 'say "hi" (now)')).toBe('"resource=k~^say \\x22hi\\x22 \\(now\\)$"');
});

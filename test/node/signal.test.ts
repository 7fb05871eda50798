import { SIGNALS } from 'otlp-arrow';
import { expect, test } from 'vitest';

test('the signals have one order everywhere', () => {
  expect(SIGNALS).toEqual(['traces', 'metrics', 'logs']);
});

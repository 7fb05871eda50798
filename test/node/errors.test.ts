import * as everything from 'otlp-arrow';
import { OtlpError } from 'otlp-arrow';
import { expect, test } from 'vitest';
import { ERROR_CLASSES, fromBinding, unwrap } from '#dist/errors.js';
import { native } from '#dist/native.js';

test('every code of the core has a class here, and no more', () => {
  const codes = native.errorCodes().map(({ code }) => code);
  expect(Object.keys(ERROR_CLASSES)).toEqual(codes);
  expect(new Set(Object.values(ERROR_CLASSES)).size).toBe(codes.length);
});

test('each class is public and carries code, retryable and causes', () => {
  for (const { code, retryable } of native.errorCodes()) {
    const error = fromBinding({
      isBindingError: true,
      code,
      message: 'what to do',
      retryable,
      causes: ['outer', 'inner'],
    });
    expect(error).toBeInstanceOf(OtlpError);
    expect((everything as Record<string, unknown>)[error.name]).toBe(error.constructor);
    expect(error).toMatchObject({
      code,
      retryable,
      message: 'what to do',
      cause: { message: 'outer', cause: { message: 'inner' } },
    });
  }
});

test('a result passes, an error value is thrown', () => {
  expect(unwrap({ accepted: 1 })).toEqual({ accepted: 1 });
  expect(unwrap(null)).toBeNull();
  const value = { isBindingError: true, code: 'CLOSED', message: 'closed', retryable: false, causes: [] };
  expect(() => unwrap(value)).toThrow(everything.ClosedError);
});

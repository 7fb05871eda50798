import { types } from 'node:util';
import { attempt, type Lost } from './owners.js';
import type { Attributes } from './types.js';
import type { Writer } from './writer.js';

/** One level more than the core takes: a value nested deeper is cut there, and the core refuses its record. */
const MAX_DEPTH = 66;
const MIN_INT64 = -(2 ** 63);
const MAX_INT64 = 2 ** 63;
// Unlike Object.hasOwn, V8 knows it to be true in a loop over the keys, which makes the loop a walk over fields.
const { hasOwnProperty: hasOwn } = Object.prototype;

/** Every own attribute as a `KeyValue` field with `tag`. */
export function attributes(w: Writer, tag: number, values: Attributes | undefined): void {
  if (values) walk(w, tag, values, 0);
}

/** Every own attribute of a resource or scope; one that cannot be read is left out alone. */
export function readableAttributes(w: Writer, tag: number, values: Attributes | undefined, lost: Lost): void {
  let place = 0;
  for (const key in values) {
    if (!hasOwn.call(values, key)) continue;
    attempt(w, `attribute ${key}`, lost, () => keyValue(w, tag, key, place++, values[key], 0));
  }
}

function walk(w: Writer, tag: number, values: Attributes, depth: number): void {
  let place = 0;
  for (const key in values) {
    if (hasOwn.call(values, key)) keyValue(w, tag, key, place++, values[key], depth);
    if (w.cut) break;
  }
}

/** Looks at every text without doing anything with it. */
export function touchAttributes(values: Attributes): number {
  let seen = 0;
  for (const key in values) {
    const value = values[key];
    if (typeof value === 'string') seen += value.length;
  }
  return seen;
}

function keyValue(w: Writer, tag: number, key: string, place: number, value: unknown, depth: number): void {
  const slot = w.key(key, place);
  if (typeof value === 'string') {
    w.attributeText(tag, slot, value);
  } else if (typeof value === 'number') {
    if (isInt64(value)) w.attributeInt(tag, slot, value);
    else w.attributeDouble(tag, slot, value);
  } else if (typeof value === 'boolean') {
    w.attributeBool(tag, slot, value);
  } else {
    w.attributeOpen(tag, slot);
    anyValue(w, 0x12, value, depth);
    w.close();
  }
}

function isInt64(value: number): boolean {
  return Number.isInteger(value) && value >= MIN_INT64 && value < MAX_INT64;
}

/**
 * An `AnyValue` field with `tag`. Integers are integers, other numbers doubles; a BigInt is an integer if it fits
 * 64 bits, else its digits; null, undefined, functions and symbols are an empty value; objects are maps of their own keys.
 */
export function anyValue(w: Writer, tag: number, value: unknown, depth: number): void {
  w.open(tag);
  switch (typeof value) {
    case 'string':
      w.string(0x0a, value);
      break;
    case 'number':
      if (isInt64(value)) w.int64(0x18, value);
      else w.double(0x21, value);
      break;
    case 'boolean':
      w.bool(0x10, value);
      break;
    case 'bigint':
      if (BigInt.asIntN(64, value) === value) w.bigint(0x18, value);
      else w.string(0x0a, value.toString());
      break;
    case 'object':
      if (value !== null) compound(w, value, depth + 1);
      break;
  }
  w.close();
}

function compound(w: Writer, value: object, depth: number): void {
  // Not instanceof: a test runner's own realm has a Uint8Array of its own.
  if (types.isUint8Array(value)) {
    w.byteField(0x3a, value);
    return;
  }
  const isArray = Array.isArray(value);
  w.open(isArray ? 0x2a : 0x32);
  if (depth > MAX_DEPTH) {
    // Perhaps a cycle: nothing more of this record is written, or one with branches would take forever.
    w.cut = true;
  } else if (isArray) {
    for (const item of value) {
      anyValue(w, 0x0a, item, depth);
      if (w.cut) break;
    }
  } else {
    walk(w, 0x0a, value as Attributes, depth);
  }
  w.close();
}

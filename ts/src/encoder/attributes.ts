import type { Attributes, InstrumentationScope, Resource } from './types.js';
import { type Key, keyOf, type Writer } from './writer.js';

/** One level more than the core takes: a value nested deeper is cut there, and the core refuses its record. */
const MAX_DEPTH = 66;
const MIN_INT64 = -(2 ** 63);
const MAX_INT64 = 2 ** 63;
// Unlike Object.hasOwn, V8 knows it to be true in a loop over the keys, which makes the loop a walk over fields.
const { hasOwnProperty: hasOwn } = Object.prototype;

/** Every own attribute as a `KeyValue` field with `tag`. */
export function attributes(w: Writer, tag: number, values: Attributes | undefined): void {
  if (!values) return;
  let place = 0;
  for (const key in values) {
    if (hasOwn.call(values, key)) keyValue(w, tag, keyOf(key, place++), values[key], 0);
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

function keyValue(w: Writer, tag: number, key: Key, value: unknown, depth: number): void {
  const { bytes } = key;
  if (typeof value === 'string') {
    stringValue(w, tag, key, value);
  } else if (bytes.length < 112 && (typeof value === 'number' || typeof value === 'boolean')) {
    w.ensure(bytes.length + 24);
    const { buf, pos } = w;
    const valueAt = pos + 2 + bytes.length;
    words(w, key);
    buf[pos] = tag;
    w.pos = valueAt + 1;
    scalar(w, value);
    buf[valueAt] = w.pos - valueAt - 1;
    buf[pos + 1] = w.pos - pos - 2;
  } else {
    const start = w.open(tag);
    w.ensure(bytes.length);
    copy(w, bytes);
    w.pos--;
    anyValue(w, 0x12, value, depth);
    w.close(start);
  }
}

/** The commonest attribute, without a call a level: three lengths of one or two bytes, as the text's length allows. */
function stringValue(w: Writer, tag: number, key: Key, value: string): void {
  const { bytes } = key;
  const { length } = bytes;
  const most = length + value.length * w.width + 8;
  w.ensure(length + value.length * 3 + 24);
  const { buf, pos } = w;
  if (most < 128) {
    const valueAt = pos + 2 + length;
    words(w, key);
    buf[pos] = tag;
    w.pos = valueAt + 3;
    const written = w.utf8(value);
    buf[valueAt + 2] = written;
    buf[valueAt] = written + 2;
    buf[pos + 1] = written + length + 3;
  } else if (most < 16384) {
    buf[pos] = tag;
    w.pos = pos + 3;
    copy(w, bytes);
    const valueAt = w.pos;
    buf[valueAt + 2] = 0x0a;
    w.pos += 5;
    const written = w.utf8(value);
    pad2(buf, valueAt + 3, written);
    pad2(buf, valueAt, written + 3);
    pad2(buf, pos + 1, written + length + 5);
  } else {
    const start = w.open(tag);
    copy(w, bytes);
    w.pos--;
    const inner = w.open(0x12);
    w.string(0x0a, value);
    w.close(inner);
    w.close(start);
  }
}

/** Copies a key with everything around it; the caller made room for seven bytes more. */
function words(w: Writer, key: Key): void {
  const { view, pos } = w;
  const from = key.words;
  for (let i = 0; i < from.length; i++) view.setFloat64(pos + i * 8, from[i]!, true);
}

function pad2(buf: Uint8Array, at: number, length: number): void {
  buf[at] = (length & 0x7f) | 0x80;
  buf[at + 1] = length >> 7;
}

/** Copies a short run of bytes; the caller made room. */
function copy(w: Writer, bytes: Uint8Array): void {
  const { buf, pos } = w;
  const { length } = bytes;
  if (length > 48) buf.set(bytes, pos);
  else for (let i = 0; i < length; i++) buf[pos + i] = bytes[i]!;
  w.pos = pos + length;
}

/** A number or boolean as the content of an `AnyValue`; the caller made room. */
function scalar(w: Writer, value: number | boolean): void {
  const buf = w.buf;
  if (typeof value === 'boolean') {
    buf[w.pos++] = 0x10;
    buf[w.pos++] = value ? 1 : 0;
  } else if (Number.isInteger(value) && value >= MIN_INT64 && value < MAX_INT64) {
    buf[w.pos++] = 0x18;
    w.varint64(value);
  } else {
    buf[w.pos++] = 0x21;
    w.double(value);
  }
}

/**
 * An `AnyValue` field with `tag`. Integers are integers, other numbers doubles; a BigInt is an integer if it fits
 * 64 bits, else its digits; null, undefined, functions and symbols are an empty value; objects are maps of their own keys.
 */
export function anyValue(w: Writer, tag: number, value: unknown, depth: number): void {
  const start = w.open(tag);
  w.ensure(16);
  switch (typeof value) {
    case 'string':
      w.string(0x0a, value);
      break;
    case 'number':
    case 'boolean':
      scalar(w, value);
      break;
    case 'bigint':
      if (BigInt.asIntN(64, value) === value) {
        w.buf[w.pos++] = 0x18;
        w.varintBig(value);
      } else {
        w.string(0x0a, value.toString());
      }
      break;
    case 'object':
      if (value !== null) compound(w, value, depth + 1);
      break;
  }
  w.close(start);
}

function compound(w: Writer, value: object, depth: number): void {
  if (value instanceof Uint8Array) {
    w.byteField(0x3a, value);
    return;
  }
  const isArray = Array.isArray(value);
  const start = w.open(isArray ? 0x2a : 0x32);
  if (depth > MAX_DEPTH) {
    // Perhaps a cycle: nothing more of this record is written, or one with branches would take for ever.
    w.cut = true;
  } else if (isArray) {
    for (const item of value) {
      anyValue(w, 0x0a, item, depth);
      if (w.cut) break;
    }
  } else {
    const map = value as Attributes;
    let place = 0;
    for (const key in map) {
      if (hasOwn.call(map, key)) keyValue(w, 0x0a, keyOf(key, place++), map[key], depth);
      if (w.cut) break;
    }
  }
  w.close(start);
}

/** A `Resource` field with tag 0x0a; nothing without a resource. */
export function resourceField(w: Writer, resource: Resource | undefined): void {
  if (!resource) return;
  const start = w.open(0x0a);
  attributes(w, 0x0a, resource.attributes);
  w.close(start);
}

/** An `InstrumentationScope` field with tag 0x0a; nothing without a scope. */
export function scopeField(w: Writer, scope: InstrumentationScope | undefined): void {
  if (!scope) return;
  const start = w.open(0x0a);
  if (scope.name) w.string(0x0a, scope.name);
  if (scope.version) w.string(0x12, scope.version);
  attributes(w, 0x1a, scope.attributes);
  w.uint32(0x20, scope.droppedAttributesCount);
  w.close(start);
}

import type { HrTime } from './types.js';

/** Capacity a writer starts with and falls back to, in bytes. */
const INITIAL = 256 * 1024;
/** A larger buffer is let go after use, in bytes. */
const KEEP = 4 * 1024 * 1024;
/** Messages have four bytes for their length. */
const MAX_MESSAGE = 2 ** 28 - 1;
/** Below this length a loop beats the call into the runtime, in UTF-16 units. */
const SHORT = 24;
/** Keys that are remembered as bytes, and how long they may be, in UTF-16 units. */
const MAX_KEYS = 4096;
const MAX_KEY = 128;
const TWO_32 = 2 ** 32;

/** Hexadecimal digit by character code; 255 for anything else. */
const NIBBLE = new Uint8Array(256).fill(255);
for (let digit = 0; digit < 16; digit++) {
  const text = digit.toString(16);
  NIBBLE[text.charCodeAt(0)] = digit;
  NIBBLE[text.toUpperCase().charCodeAt(0)] = digit;
}

type WriteUtf8 = (this: Buffer, text: string, at: number, most: number) => number;

/** What Buffer.write() calls after it has looked at its arguments; a tenth of an export goes into that look. */
const { utf8Write } = Buffer.prototype as { utf8Write?: WriteUtf8 };
const writeUtf8 = (buffer: Buffer, text: string, at: number, most: number): number =>
  utf8Write ? utf8Write.call(buffer, text, at, most) : buffer.write(text, at, 'utf8');

/** Attribute keys as `KeyValue.key` followed by the tag of `KeyValue.value`: programs have few, and send them over and over. */
const keys = new Map<string, Uint8Array>();

/**
 * Writes protobuf in one pass into a buffer that is reused. The length of a message is not known before it is written,
 * so it gets a place of fixed width (a padded varint, which every protobuf reader accepts) that is filled in later.
 */
export class Writer {
  buf = Buffer.allocUnsafeSlow(INITIAL);
  view = new DataView(this.buf.buffer);
  pos = 0;
  /** A value of the record being written was nested too deep and is cut short. */
  cut = false;
  #second = -1;
  #low = 0;
  #high = 0;

  /** What was written. It is valid until the writer is used again. */
  bytes(): Uint8Array {
    // A plain Uint8Array: the slice() of a Buffer would not copy.
    return new Uint8Array(this.buf.buffer, 0, this.pos);
  }

  /** Makes the writer empty again. */
  reset(): void {
    this.pos = 0;
    if (this.buf.length > KEEP) this.#replace(Buffer.allocUnsafeSlow(INITIAL));
  }

  /** Makes room for `more` bytes. */
  ensure(more: number): void {
    const needed = this.pos + more;
    if (needed <= this.buf.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.buf.length * 2));
    this.buf.copy(grown, 0, 0, this.pos);
    this.#replace(grown);
  }

  #replace(buffer: Buffer<ArrayBuffer>): void {
    this.buf = buffer;
    this.view = new DataView(buffer.buffer);
  }

  /** Starts a message; the result goes to {@link Writer.close}. */
  open(tag: number): number {
    this.ensure(5);
    this.buf[this.pos] = tag;
    this.pos += 5;
    return this.pos;
  }

  /** Ends the message that began at `start`. */
  close(start: number): void {
    const length = this.pos - start;
    if (length > MAX_MESSAGE) throw new RangeError(`a message of ${length} bytes is too long: export smaller batches`);
    const buf = this.buf;
    buf[start - 4] = (length & 0x7f) | 0x80;
    buf[start - 3] = ((length >> 7) & 0x7f) | 0x80;
    buf[start - 2] = ((length >> 14) & 0x7f) | 0x80;
    buf[start - 1] = length >> 21;
  }

  /** A varint of up to 32 bits without its tag; the caller made room. */
  varint32(value: number): void {
    const buf = this.buf;
    let rest = value;
    while (rest > 0x7f) {
      buf[this.pos++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    buf[this.pos++] = rest;
  }

  /** A number as a varint of 64 bits, negative ones in two's complement, without its tag; the caller made room. */
  varint64(value: number): void {
    if (value >= 0 && value < 0x80000000) {
      this.varint32(value);
      return;
    }
    this.#varint(value >>> 0, Math.floor(value / TWO_32) >>> 0);
  }

  /** A big integer, of which 64 bits are kept, as a varint without its tag; the caller made room. */
  varintBig(value: bigint): void {
    const bits = BigInt.asUintN(64, value);
    this.#varint(Number(bits & 0xffffffffn), Number(bits >> 32n));
  }

  #varint(low: number, high: number): void {
    const buf = this.buf;
    while (high > 0) {
      buf[this.pos++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    while (low > 0x7f) {
      buf[this.pos++] = (low & 0x7f) | 0x80;
      low >>>= 7;
    }
    buf[this.pos++] = low;
  }

  /** A field of an unsigned 32-bit number, left out when it is 0, as protobuf has it. */
  uint32(tag: number, value: number | undefined): void {
    if (!value) return;
    this.ensure(6);
    this.buf[this.pos++] = tag;
    this.varint32(value >>> 0);
  }

  /** A field of a signed 32-bit number in zigzag form, left out when it is 0. */
  sint32(tag: number, value: number): void {
    this.uint32(tag, ((value << 1) ^ (value >> 31)) >>> 0);
  }

  /** A double without its tag. */
  double(value: number): void {
    this.ensure(8);
    this.view.setFloat64(this.pos, value, true);
    this.pos += 8;
  }

  /** A field of a double, left out when there is none. */
  optionalDouble(tag: number, value: number | undefined): void {
    if (value === undefined || value === null) return;
    this.ensure(9);
    this.buf[this.pos++] = tag;
    this.double(value);
  }

  /** An integer as 64 bits without its tag; negative ones in two's complement. */
  fixed64(value: number): void {
    this.ensure(8);
    this.view.setUint32(this.pos, value >>> 0, true);
    this.view.setUint32(this.pos + 4, Math.floor(value / TWO_32) >>> 0, true);
    this.pos += 8;
  }

  /** A field of nanoseconds since 1970; a time before that is 0, which means unknown. */
  time(tag: number, time: HrTime): void {
    const second = time[0];
    if (second !== this.#second) this.#startSecond(second);
    this.ensure(9);
    this.buf[this.pos] = tag;
    const low = this.#low + time[1];
    const carry = Math.floor(low / TWO_32);
    this.view.setUint32(this.pos + 1, low >>> 0, true);
    this.view.setUint32(this.pos + 5, this.#high + carry, true);
    this.pos += 9;
  }

  /** Remembers `second` in nanoseconds as two words: times of one batch share their second. */
  #startSecond(second: number): void {
    const nanoseconds = second > 0 ? BigInt(Math.trunc(second)) * 1_000_000_000n : 0n;
    this.#second = second;
    this.#low = Number(nanoseconds & 0xffffffffn);
    this.#high = Number((nanoseconds >> 32n) & 0xffffffffn);
  }

  /** A field with the bytes of a hexadecimal id; one that is no id is written so that its record is refused. */
  id(tag: number, hex: string): void {
    const length = hex.length >> 1;
    this.ensure(length + 6);
    const buf = this.buf;
    let pos = this.pos;
    buf[pos++] = tag;
    if (length < 128) {
      buf[pos++] = length;
      let seen = 0;
      for (let i = 0; i < length; i++) {
        const high = NIBBLE[hex.charCodeAt(2 * i)] ?? 255;
        const low = NIBBLE[hex.charCodeAt(2 * i + 1)] ?? 255;
        seen |= high | low;
        buf[pos++] = (high << 4) | low;
      }
      if (seen < 16 && (hex.length & 1) === 0) {
        this.pos = pos;
        return;
      }
    }
    buf[this.pos + 1] = 1;
    buf[this.pos + 2] = 0;
    this.pos += 3;
  }

  /** A field of bytes. */
  byteField(tag: number, bytes: Uint8Array): void {
    this.ensure(bytes.length + 6);
    this.buf[this.pos++] = tag;
    this.varint32(bytes.length);
    this.buf.set(bytes, this.pos);
    this.pos += bytes.length;
  }

  /** A field of text. */
  string(tag: number, text: string): void {
    const units = text.length;
    this.ensure(units * 3 + 6);
    const buf = this.buf;
    buf[this.pos++] = tag;
    if (units <= 42) {
      const at = this.pos++;
      buf[at] = this.utf8(text);
    } else if (units <= 5461) {
      const at = this.pos;
      this.pos += 2;
      const length = this.utf8(text);
      buf[at] = (length & 0x7f) | 0x80;
      buf[at + 1] = length >> 7;
    } else {
      this.pos += 4;
      const start = this.pos;
      this.utf8(text);
      this.close(start);
    }
  }

  /** Text as UTF-8 without tag and length, a lone surrogate as U+FFFD; returns the bytes written. The caller made room for three a unit. */
  utf8(text: string): number {
    const units = text.length;
    const start = this.pos;
    if (units <= SHORT) {
      const buf = this.buf;
      let i = 0;
      for (; i < units; i++) {
        const unit = text.charCodeAt(i);
        if (unit > 127) break;
        buf[start + i] = unit;
      }
      if (i === units) {
        this.pos = start + units;
        return units;
      }
    }
    const written = writeUtf8(this.buf, text, start, units * 3);
    this.pos = start + written;
    return written;
  }
}

/** The bytes of `KeyValue.key = key` and the tag of `KeyValue.value`. */
export function keyBytes(key: string): Uint8Array {
  const known = keys.get(key);
  if (known !== undefined) return known;
  const text = Buffer.from(key, 'utf8');
  const length: number[] = [];
  let rest = text.length;
  for (; rest > 0x7f; rest >>>= 7) length.push((rest & 0x7f) | 0x80);
  const bytes = new Uint8Array([0x0a, ...length, rest, ...text, 0x12]);
  if (key.length <= MAX_KEY) {
    if (keys.size >= MAX_KEYS) keys.clear();
    keys.set(key, bytes);
  }
  return bytes;
}

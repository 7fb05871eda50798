import type { HrTime } from './types.js';

/** Capacity a writer starts with and falls back to, in bytes. */
const INITIAL = 256 * 1024;
/** A larger buffer is let go after use, in bytes. */
const KEEP = 4 * 1024 * 1024;
/** Messages have four bytes for their length. */
const MAX_MESSAGE = 2 ** 28 - 1;
/** Below this length a loop beats the call into the runtime, in UTF-16 units. */
const SHORT = 24;
/** The same where texts are gathered, which costs a good deal less than a call each. */
const SHORT_GATHERED = 6;
/** Longer texts are written where they belong: gathering would copy them once more. In UTF-16 units. */
const LONG = 1024;
/** Gathered texts are written when they are as long as this, in UTF-16 units. */
const PORTION = 32 * 1024;
/** Room of one more unit than a multi-byte character takes: a text that is no ASCII is seen to be longer than its units. */
const SLACK = 8;
/** A gathered run of this many bytes is a hexadecimal id, of twice as many digits. */
export const HEX = 0x80000000;
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

/** An attribute's key as it goes before a value: a `KeyValue` up to its value's first byte, lengths left open. */
export class Key {
  /** `KeyValue.key` and the tag of `KeyValue.value`. */
  readonly bytes: Uint8Array;
  /**
   * Tag, length, {@link Key.bytes}, length, tag and length of a short text, to be copied eight bytes at a time; the
   * lengths and the first tag are filled in. UTF-8 has no run of bytes that is a NaN, so a copy changes nothing.
   */
  readonly words: Float64Array;

  constructor(readonly text: string) {
    const utf8 = Buffer.from(text, 'utf8');
    const length: number[] = [];
    let rest = utf8.length;
    for (; rest > 0x7f; rest >>>= 7) length.push((rest & 0x7f) | 0x80);
    this.bytes = new Uint8Array([0x0a, ...length, rest, ...utf8, 0x12]);
    this.words = new Float64Array(Math.ceil((this.bytes.length + 5) / 8));
    const view = new DataView(this.words.buffer);
    for (let i = 0; i < this.bytes.length; i++) view.setUint8(i + 2, this.bytes[i]!);
    view.setUint8(this.bytes.length + 3, 0x0a);
    // The writer stores them as little endian.
    for (let i = 0; i < this.words.length; i++) this.words[i] = view.getFloat64(i * 8, true);
  }
}

/** Programs have few attribute keys, and send them over and over. */
const keys = new Map<string, Key>();
/** Keys by their place among the attributes of the record before: mostly the same ones as in this record. */
const expected: (Key | undefined)[] = new Array(64).fill(undefined);

/** A request with gaps, and what belongs there. */
export interface Pieces {
  readonly request: Uint8Array;
  /** The gaps' texts, one behind the other. */
  readonly text: Uint8Array;
  /** For each gap its place in the request and its bytes; with {@link HEX} its text is an id's hexadecimal digits. */
  readonly gaps: Uint32Array;
}

/**
 * Writes protobuf in one pass into a buffer that is reused. The length of a message is not known before it is written,
 * so it gets a place of fixed width (a padded varint, which every protobuf reader accepts) that is filled in later.
 *
 * A writer that gathers leaves gaps for texts and ids and appends them to one text, which is then written as a whole:
 * V8 takes a fifth of the time for it. It counts on ASCII, of which a unit is a byte; see {@link Writer.finishText}.
 */
export class Writer {
  buf = Buffer.allocUnsafeSlow(INITIAL);
  view = new DataView(this.buf.buffer);
  pos = 0;
  /** Whether texts are gathered, or written where they belong. */
  gathers = false;
  /** The most bytes a unit of text takes. */
  width = 3;
  #text = Buffer.alloc(0);
  #textLength = 0;
  #gaps = new Uint32Array(0);
  #gapsLength = 0;
  /** Gathered and not written yet. */
  #texts = '';
  #ascii = true;
  #markPos = 0;
  #markGaps = 0;
  #markTexts = '';
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

  /** What was gathered, after {@link Writer.finishText}. It is valid until the writer is used again. */
  pieces(): Pieces {
    return {
      request: this.bytes(),
      text: this.#text.subarray(0, this.#textLength),
      gaps: this.#gaps.subarray(0, this.#gapsLength),
    };
  }

  /** Makes the writer empty, to gather texts or not. */
  start(gathers: boolean): void {
    this.pos = 0;
    this.gathers = gathers;
    this.width = gathers ? 1 : 3;
    this.#gapsLength = 0;
    this.#textLength = 0;
    this.#texts = '';
    this.#markTexts = '';
    this.#ascii = true;
  }

  /** Remembers this place as the one to go back to. */
  mark(): void {
    // In portions, while the processor still has the parts of the texts in its cache.
    if (this.#texts.length >= PORTION) this.#flushTexts();
    this.#markPos = this.pos;
    this.#markGaps = this.#gapsLength;
    this.#markTexts = this.#texts;
  }

  /** Takes back what was written since the last {@link Writer.mark}. */
  rewind(): void {
    this.pos = this.#markPos;
    this.#gapsLength = this.#markGaps;
    this.#texts = this.#markTexts;
  }

  /** Writes what was gathered; false if it is not all ASCII: then everything must be written again, without gathering. */
  finishText(): boolean {
    this.#flushTexts();
    return this.#ascii;
  }

  #flushTexts(): void {
    const units = this.#texts.length;
    if (units === 0) return;
    const at = this.#textLength;
    const room = at + units + SLACK;
    if (this.#text.length < room) {
      const grown = Buffer.allocUnsafeSlow(Math.max(room, INITIAL, this.#text.length * 2));
      this.#text.copy(grown, 0, 0, at);
      this.#text = grown;
    }
    const written = writeUtf8(this.#text, this.#texts, at, units + SLACK);
    if (written !== units) this.#ascii = false;
    this.#textLength = at + units;
    this.#texts = '';
  }

  /** Lets go of what is too large to be kept. */
  reset(): void {
    this.start(false);
    if (this.#text.length > KEEP) this.#text = Buffer.alloc(0);
    if (this.#gaps.byteLength > KEEP) this.#gaps = new Uint32Array(0);
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
    this.view.setUint32(this.pos + 1, low >>> 0, true);
    this.view.setUint32(this.pos + 5, low < TWO_32 ? this.#high : this.#high + 1, true);
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
    if (this.gathers && (hex.length === 32 || hex.length === 16)) {
      buf[pos++] = length;
      this.#gather(hex, pos, length + HEX);
      this.pos = pos + length;
      return;
    }
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
    const most = units * this.width;
    this.ensure(units * 3 + 6);
    const buf = this.buf;
    buf[this.pos++] = tag;
    if (most < 128) {
      const at = this.pos++;
      buf[at] = this.utf8(text);
    } else if (most < 16384) {
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
    if (this.gathers && units > SHORT_GATHERED && units <= LONG) {
      this.#gather(text, start, units);
      this.pos = start + units;
      return units;
    }
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
    if (written !== units) this.#ascii = false;
    this.pos = start + written;
    return written;
  }

  #gather(text: string, at: number, length: number): void {
    const n = this.#gapsLength;
    if (n + 2 > this.#gaps.length) this.#growGaps();
    const gaps = this.#gaps;
    gaps[n] = at;
    gaps[n + 1] = length;
    this.#gapsLength = n + 2;
    this.#texts += text;
  }

  #growGaps(): void {
    const grown = new Uint32Array(Math.max(INITIAL / 16, this.#gaps.length * 2));
    grown.set(this.#gaps);
    this.#gaps = grown;
  }
}

/** The key `text`, which is attribute number `place` of its record. */
export function keyOf(text: string, place: number): Key {
  const guess = expected[place & 63];
  if (guess !== undefined && guess.text === text) return guess;
  let key = keys.get(text);
  if (key === undefined) {
    key = new Key(text);
    if (text.length > MAX_KEY) return key;
    if (keys.size >= MAX_KEYS) keys.clear();
    keys.set(text, key);
  }
  expected[place & 63] = key;
  return key;
}

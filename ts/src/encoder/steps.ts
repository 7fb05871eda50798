// Written from the steps of crates/wire: OTLP_ARROW_BLESS=1 cargo test fresh. Do not edit.

/** The step tape: which number is which step, and how a step is laid out in its words. */
export const TAPE = {
  /** Starts a message as a field. */
  OPEN: 0,
  /** Ends the message that was started last. */
  CLOSE: 1,
  /** A field of text, of as many UTF-16 units as the argument says. */
  TEXT: 2,
  /** A field with the bytes of a hexadecimal id of 16 or 32 digits; the argument says how many. */
  ID: 3,
  /** A field with what is not an id, so that its record is refused. */
  BAD_ID: 4,
  /** Defines the next key, a text of as many units as the argument says. */
  KEY: 5,
  /** Begins a new table of keys. */
  FORGET_KEYS: 6,
  /** An attribute with a text, of as many units as the next word says. */
  ATTRIBUTE_TEXT: 7,
  /** An attribute with a signed integer, the next word. */
  ATTRIBUTE_INT: 8,
  /** An attribute with an integer of 64 bits, the next two words. */
  ATTRIBUTE_INT64: 9,
  /** An attribute with a double, the next two words. */
  ATTRIBUTE_DOUBLE: 10,
  /** An attribute with false. */
  ATTRIBUTE_FALSE: 11,
  /** An attribute with true. */
  ATTRIBUTE_TRUE: 12,
  /** An attribute whose value follows as field 2, and is ended by Close. */
  ATTRIBUTE_OPEN: 13,
  /** A field of an unsigned integer, the argument, as a varint. */
  VARINT: 14,
  /** A field of 64 bits, the next two words, as a varint. */
  VARINT64: 15,
  /** A field of 32 bits, the argument. */
  FIXED32: 16,
  /** A field of 64 bits, the next two words. */
  FIXED64: 17,
  /** A field of nanoseconds since 1970, from the seconds and nanoseconds in the next two words. */
  TIME: 18,
  /** A field of as many bytes as the argument says. */
  BYTES: 19,
  /** A packed field of 64 bits each: as many pairs of words follow as the argument says. */
  PACKED_COUNTS: 20,
  /** The same of doubles, which are remembered. */
  PACKED_DOUBLES: 21,
  /** The same as varints. */
  PACKED_VARINTS: 22,
  /** A packed field of the doubles that were written last. */
  SAME_DOUBLES: 23,
  /** Bits of a word that say which step it is; those above it are the tag of a field. */
  STEP_BITS: 5,
  /** Bits of the tag; those above it are the argument. */
  TAG_BITS: 8,
  /** An argument that is a word of its own, behind that of the step. */
  ESCAPE: 524287,
  /** Words before the first step: lengths of steps, text and bytes, and 1 for ASCII. */
  HEADER: 4,
} as const;

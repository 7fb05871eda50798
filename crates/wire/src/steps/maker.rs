//! Carries out the steps: a request in protobuf, every length as short as it can be up to [`SHORTENED`].

use super::texts::Texts;
use super::{BadSteps, ESCAPE, MAX_MESSAGE, MAX_OPEN, SHORT_KEY, STEP_BITS, Step, TAG_BITS, Tape};
use crate::write::{self, Open, varint, varint_len};

/// Longer messages keep the four bytes their length was given at first, which every reader accepts.
const SHORTENED: usize = 1 << 14;
/// Bytes a length is given at first.
const ROOM: usize = 4;
const NANOSECONDS: u64 = 1_000_000_000;

/// The tags of the key and the value in a `KeyValue`.
const KEY: u8 = 0x0a;
const VALUE: u8 = 0x12;
/// Tags of the members of an `AnyValue`.
const STRING: u8 = 0x0a;
const BOOL: u8 = 0x10;
const INT: u8 = 0x18;
const DOUBLE: u8 = 0x21;

/// What is being made.
pub(super) struct Maker<'a> {
    steps: std::slice::Iter<'a, u32>,
    texts: Texts<'a>,
    bytes: &'a [u8],
    out: &'a mut Vec<u8>,
    /// Where `out` ended before.
    start: usize,
    /// The open messages.
    open: Vec<Open>,
    /// Every key as the beginning of its `KeyValue`, one behind the other, and where each ends.
    keys: Vec<u8>,
    key_ends: Vec<usize>,
    /// The last packed doubles.
    doubles: Vec<u8>,
}

type Made<T = ()> = Result<T, BadSteps>;

const MALFORMED: BadSteps = BadSteps::Malformed;

impl<'a> Maker<'a> {
    /// Makes what the steps say, at the end of `out`.
    pub(super) fn new(tape: &Tape<'a>, out: &'a mut Vec<u8>) -> Self {
        Self {
            steps: tape.steps.iter(),
            texts: Texts::new(tape.text, tape.ascii),
            bytes: tape.bytes,
            start: out.len(),
            out,
            open: Vec::new(),
            keys: Vec::new(),
            key_ends: Vec::new(),
            doubles: Vec::new(),
        }
    }

    /// Takes every step.
    pub(super) fn make(mut self) -> Made {
        while let Some(&word) = self.steps.next() {
            let step = Step::of(word & ((1 << STEP_BITS) - 1)).ok_or(MALFORMED)?;
            self.step(step, (word >> STEP_BITS) as u8, word >> (STEP_BITS + TAG_BITS))?;
        }
        if !self.open.is_empty() || !self.bytes.is_empty() || !self.texts.is_empty() {
            return Err(MALFORMED);
        }
        self.check_limit()
    }

    /// Whether the request may go on growing. Asked before what was written once is written again: all else that a step
    /// adds is taken from the text and the bytes, or short.
    fn check_limit(&self) -> Made {
        let length = self.out.len() - self.start;
        if length >= MAX_MESSAGE { Err(BadSteps::TooLong { length }) } else { Ok(()) }
    }

    fn step(&mut self, step: Step, tag: u8, argument: u32) -> Made {
        match step {
            Step::Open => self.begin(tag)?,
            Step::Close => self.close()?,
            Step::Text => {
                let units = self.sized(argument)?;
                let text = self.texts.take(units).ok_or(MALFORMED)?;
                varint(self.out, tag.into());
                varint(self.out, text.len() as u64);
                self.out.extend_from_slice(text);
            }
            Step::Id => {
                if argument != 16 && argument != 32 {
                    return Err(MALFORMED);
                }
                let digits = self.texts.take(argument as usize).ok_or(MALFORMED)?;
                id(self.out, tag, digits);
            }
            Step::BadId => id(self.out, tag, &[]),
            Step::Key => self.define(argument)?,
            Step::ForgetKeys => {
                self.keys.clear();
                self.key_ends.clear();
            }
            Step::AttributeText => {
                let units = self.word()? as usize;
                let (start, end) = self.key(argument)?;
                let text = self.texts.take(units).ok_or(MALFORMED)?;
                let inner = 1 + varint_len(text.len() as u64) + text.len();
                let outer = end - start + 1 + varint_len(inner as u64) + inner;
                varint(self.out, tag.into());
                varint(self.out, outer as u64);
                self.out.extend_from_slice(&self.keys[start..end]);
                self.out.push(VALUE);
                varint(self.out, inner as u64);
                self.out.push(STRING);
                varint(self.out, text.len() as u64);
                self.out.extend_from_slice(text);
            }
            Step::AttributeInt => {
                let value = self.word()? as i32;
                self.varint_attribute(tag, argument, INT, i64::from(value) as u64)?;
            }
            Step::AttributeInt64 => {
                let value = self.pair()?;
                self.varint_attribute(tag, argument, INT, value)?;
            }
            Step::AttributeDouble => {
                let value = self.pair()?;
                self.attribute(tag, argument, 9)?;
                self.out.push(DOUBLE);
                self.out.extend_from_slice(&value.to_le_bytes());
            }
            Step::AttributeFalse => self.varint_attribute(tag, argument, BOOL, 0)?,
            Step::AttributeTrue => self.varint_attribute(tag, argument, BOOL, 1)?,
            Step::AttributeOpen => {
                let (start, end) = self.key(argument)?;
                self.begin(tag)?;
                self.out.extend_from_slice(&self.keys[start..end]);
            }
            Step::Varint => {
                let value = self.sized(argument)?;
                varint(self.out, tag.into());
                varint(self.out, value as u64);
            }
            Step::Varint64 => {
                let value = self.pair()?;
                varint(self.out, tag.into());
                varint(self.out, value);
            }
            Step::Fixed32 => {
                let value = self.sized(argument)? as u32;
                varint(self.out, tag.into());
                self.out.extend_from_slice(&value.to_le_bytes());
            }
            Step::Fixed64 => {
                let value = self.pair()?;
                self.fixed64(tag, value);
            }
            Step::Time => {
                let (seconds, nanoseconds) = (self.word()?, self.word()?);
                self.fixed64(tag, u64::from(seconds) * NANOSECONDS + u64::from(nanoseconds));
            }
            Step::Bytes => {
                let length = self.sized(argument)?;
                let (own, rest) = self.bytes.split_at_checked(length).ok_or(MALFORMED)?;
                self.bytes = rest;
                varint(self.out, tag.into());
                varint(self.out, length as u64);
                self.out.extend_from_slice(own);
            }
            Step::PackedCounts => drop(self.packed_fixed(tag, argument)?),
            Step::PackedDoubles => {
                let length = self.packed_fixed(tag, argument)?;
                self.doubles.clear();
                self.doubles.extend_from_slice(&self.out[self.out.len() - length..]);
            }
            Step::PackedVarints => {
                let count = self.sized(argument)?;
                self.begin(tag)?;
                for _ in 0..count {
                    let value = self.pair()?;
                    varint(self.out, value);
                }
                self.close()?;
            }
            Step::SameDoubles => {
                self.check_limit()?;
                varint(self.out, tag.into());
                varint(self.out, self.doubles.len() as u64);
                self.out.extend_from_slice(&self.doubles);
            }
        }
        Ok(())
    }

    fn word(&mut self) -> Made<u32> {
        self.steps.next().copied().ok_or(MALFORMED)
    }

    fn pair(&mut self) -> Made<u64> {
        Ok(u64::from(self.word()?) | u64::from(self.word()?) << 32)
    }

    fn sized(&mut self, argument: u32) -> Made<usize> {
        Ok(if argument == ESCAPE { self.word()? } else { argument } as usize)
    }

    fn fixed64(&mut self, tag: u8, value: u64) {
        varint(self.out, tag.into());
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    /// Writes a packed field of 64 bits each, and gives the bytes of its content, which are the last of `out`.
    fn packed_fixed(&mut self, tag: u8, argument: u32) -> Made<usize> {
        let count = self.sized(argument)?;
        self.begin(tag)?;
        for _ in 0..count {
            let value = self.pair()?;
            self.out.extend_from_slice(&value.to_le_bytes());
        }
        self.close()?;
        Ok(count * 8)
    }

    fn define(&mut self, argument: u32) -> Made {
        let units = self.sized(argument)?;
        let text = self.texts.take(units).ok_or(MALFORMED)?;
        self.keys.push(KEY);
        varint(&mut self.keys, text.len() as u64);
        self.keys.extend_from_slice(text);
        self.key_ends.push(self.keys.len());
        Ok(())
    }

    fn key(&self, slot: u32) -> Made<(usize, usize)> {
        let slot = slot as usize;
        let end = *self.key_ends.get(slot).ok_or(MALFORMED)?;
        let start = if slot == 0 { 0 } else { self.key_ends[slot - 1] };
        if end - start > SHORT_KEY {
            self.check_limit()?;
        }
        Ok((start, end))
    }

    /// A `KeyValue` up to the content of its value, which takes `inner` bytes, less than 128.
    fn attribute(&mut self, tag: u8, slot: u32, inner: usize) -> Made {
        let (start, end) = self.key(slot)?;
        varint(self.out, tag.into());
        varint(self.out, (end - start + 2 + inner) as u64);
        self.out.extend_from_slice(&self.keys[start..end]);
        self.out.extend_from_slice(&[VALUE, inner as u8]);
        Ok(())
    }

    fn varint_attribute(&mut self, tag: u8, slot: u32, member: u8, value: u64) -> Made {
        self.attribute(tag, slot, 1 + varint_len(value))?;
        self.out.push(member);
        varint(self.out, value);
        Ok(())
    }

    fn begin(&mut self, tag: u8) -> Made {
        if self.open.len() == MAX_OPEN {
            return Err(MALFORMED);
        }
        varint(self.out, tag.into());
        self.open.push(write::reserve(self.out, ROOM));
        Ok(())
    }

    fn close(&mut self) -> Made {
        let open = self.open.pop().ok_or(MALFORMED)?;
        let length = open.content(self.out);
        if length >= MAX_MESSAGE {
            return Err(BadSteps::TooLong { length });
        }
        if length < SHORTENED {
            write::close_narrow(self.out, open);
        } else {
            write::close_in_place(self.out, open);
        }
        Ok(())
    }
}

/// An id from its digits; what is not one is written one byte long, so that its record is refused alone.
fn id(out: &mut Vec<u8>, tag: u8, digits: &[u8]) {
    varint(out, tag.into());
    let start = out.len();
    out.push((digits.len() / 2) as u8);
    let mut seen = u8::from(digits.is_empty()) * 255;
    for pair in digits.chunks(2) {
        let (high, low) = (NIBBLE[pair[0] as usize], pair.get(1).map_or(255, |digit| NIBBLE[*digit as usize]));
        seen |= high | low;
        out.push(high << 4 | low & 0x0f);
    }
    if seen > 15 {
        out.truncate(start);
        out.extend_from_slice(&[1, 0]);
    }
}

/// The value of a digit; 255 for what is not one.
const NIBBLE: [u8; 256] = {
    let mut table = [255; 256];
    let mut digit = 0;
    while digit < 16 {
        table[b"0123456789abcdef"[digit] as usize] = digit as u8;
        table[b"0123456789ABCDEF"[digit] as usize] = digit as u8;
        digit += 1;
    }
    table
};

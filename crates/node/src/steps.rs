//! Carries out the steps of `ts/src/encoder/writer.ts`: a request in protobuf, every length as short as it can be up to
//! [`SHORTENED`].

use otlp_arrow::{Code, OtlpError};

use crate::texts::Texts;

/// An argument that is a word of its own.
const ESCAPE: u32 = (1 << 19) - 1;
/// Longer messages keep the four bytes their length was given at first, which every reader accepts.
const SHORTENED: usize = 1 << 14;
/// Messages have four bytes for their length.
const MAX_MESSAGE: usize = 1 << 28;
/// The deepest message: a value is cut at a depth of 66, each level of which is three messages.
const MAX_OPEN: usize = 256;
const NANOSECONDS: u64 = 1_000_000_000;

/// What is being made.
pub struct Maker<'a> {
    steps: std::slice::Iter<'a, u32>,
    texts: Texts<'a>,
    bytes: &'a [u8],
    out: &'a mut Vec<u8>,
    /// Where the length of each open message is.
    open: Vec<usize>,
    /// Every key as the beginning of its `KeyValue`, one behind the other, and where each ends.
    keys: Vec<u8>,
    key_ends: Vec<usize>,
    /// The last packed doubles.
    doubles: Vec<u8>,
}

type Made = Result<(), OtlpError>;

impl<'a> Maker<'a> {
    /// Makes what `steps` say, at the end of `out`.
    pub fn new(steps: &'a [u32], text: &'a [u8], bytes: &'a [u8], ascii: bool, out: &'a mut Vec<u8>) -> Self {
        Self {
            steps: steps.iter(),
            texts: Texts::new(text, ascii),
            bytes,
            out,
            open: Vec::new(),
            keys: Vec::new(),
            key_ends: Vec::new(),
            doubles: Vec::new(),
        }
    }

    /// Takes every step.
    pub fn make(mut self) -> Made {
        while let Some(&step) = self.steps.next() {
            self.step(step & 31, step >> 5 & 0xff, step >> 13)?;
        }
        if !self.open.is_empty() || !self.bytes.is_empty() || !self.texts.is_empty() {
            return Err(malformed());
        }
        if self.out.len() >= MAX_MESSAGE { Err(too_long(self.out.len())) } else { Ok(()) }
    }

    fn step(&mut self, kind: u32, tag: u32, argument: u32) -> Made {
        match kind {
            0 => self.begin(tag)?,
            1 => self.close()?,
            2 => {
                let units = self.sized(argument)?;
                let text = self.texts.take(units).ok_or_else(malformed)?;
                varint(self.out, tag.into());
                varint(self.out, text.len() as u64);
                self.out.extend_from_slice(text);
            }
            3 => {
                let digits = self.texts.take(argument as usize).ok_or_else(malformed)?;
                id(self.out, tag, digits);
            }
            4 => id(self.out, tag, &[]),
            5 => self.define(argument)?,
            6 => {
                self.keys.clear();
                self.key_ends.clear();
            }
            7 => {
                let units = self.word()? as usize;
                let (start, end) = self.key(argument)?;
                let text = self.texts.take(units).ok_or_else(malformed)?;
                let inner = 1 + varint_len(text.len() as u64) + text.len();
                let outer = end - start + 1 + varint_len(inner as u64) + inner;
                varint(self.out, tag.into());
                varint(self.out, outer as u64);
                self.out.extend_from_slice(&self.keys[start..end]);
                self.out.push(0x12);
                varint(self.out, inner as u64);
                self.out.push(0x0a);
                varint(self.out, text.len() as u64);
                self.out.extend_from_slice(text);
            }
            8 => {
                let value = self.word()? as i32;
                self.varint_attribute(tag, argument, 0x18, i64::from(value) as u64)?;
            }
            9 => {
                let value = self.pair()?;
                self.varint_attribute(tag, argument, 0x18, value)?;
            }
            10 => {
                let value = self.pair()?;
                self.attribute(tag, argument, 9)?;
                self.out.push(0x21);
                self.out.extend_from_slice(&value.to_le_bytes());
            }
            11 | 12 => self.varint_attribute(tag, argument, 0x10, (kind - 11).into())?,
            13 => {
                let (start, end) = self.key(argument)?;
                self.begin(tag)?;
                self.out.extend_from_slice(&self.keys[start..end]);
            }
            14 => {
                let value = self.sized(argument)?;
                varint(self.out, tag.into());
                varint(self.out, value as u64);
            }
            15 => {
                let value = self.pair()?;
                varint(self.out, tag.into());
                varint(self.out, value);
            }
            16 => {
                let value = self.sized(argument)? as u32;
                varint(self.out, tag.into());
                self.out.extend_from_slice(&value.to_le_bytes());
            }
            17 => {
                let value = self.pair()?;
                self.fixed64(tag, value);
            }
            18 => {
                let (seconds, nanoseconds) = (self.word()?, self.word()?);
                self.fixed64(tag, u64::from(seconds) * NANOSECONDS + u64::from(nanoseconds));
            }
            19 => {
                let length = self.sized(argument)?;
                let (own, rest) = self.bytes.split_at_checked(length).ok_or_else(malformed)?;
                self.bytes = rest;
                varint(self.out, tag.into());
                varint(self.out, length as u64);
                self.out.extend_from_slice(own);
            }
            20..=22 => {
                let count = self.sized(argument)?;
                self.begin(tag)?;
                let start = self.out.len();
                for _ in 0..count {
                    let value = self.pair()?;
                    if kind == 22 {
                        varint(self.out, value);
                    } else {
                        self.out.extend_from_slice(&value.to_le_bytes());
                    }
                }
                if kind == 21 {
                    self.doubles.clear();
                    self.doubles.extend_from_slice(&self.out[start..]);
                }
                self.close()?;
            }
            23 => {
                varint(self.out, tag.into());
                varint(self.out, self.doubles.len() as u64);
                self.out.extend_from_slice(&self.doubles);
            }
            _ => return Err(malformed()),
        }
        Ok(())
    }

    fn word(&mut self) -> Result<u32, OtlpError> {
        self.steps.next().copied().ok_or_else(malformed)
    }

    fn pair(&mut self) -> Result<u64, OtlpError> {
        Ok(u64::from(self.word()?) | u64::from(self.word()?) << 32)
    }

    fn sized(&mut self, argument: u32) -> Result<usize, OtlpError> {
        Ok(if argument == ESCAPE { self.word()? } else { argument } as usize)
    }

    fn fixed64(&mut self, tag: u32, value: u64) {
        varint(self.out, tag.into());
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    fn define(&mut self, argument: u32) -> Made {
        let units = self.sized(argument)?;
        let text = self.texts.take(units).ok_or_else(malformed)?;
        self.keys.push(0x0a);
        varint(&mut self.keys, text.len() as u64);
        self.keys.extend_from_slice(text);
        self.key_ends.push(self.keys.len());
        Ok(())
    }

    fn key(&self, slot: u32) -> Result<(usize, usize), OtlpError> {
        let slot = slot as usize;
        let end = *self.key_ends.get(slot).ok_or_else(malformed)?;
        Ok((if slot == 0 { 0 } else { self.key_ends[slot - 1] }, end))
    }

    /// A `KeyValue` up to the content of its value, which takes `inner` bytes, less than 128.
    fn attribute(&mut self, tag: u32, slot: u32, inner: usize) -> Made {
        let (start, end) = self.key(slot)?;
        varint(self.out, tag.into());
        varint(self.out, (end - start + 2 + inner) as u64);
        self.out.extend_from_slice(&self.keys[start..end]);
        self.out.extend_from_slice(&[0x12, inner as u8]);
        Ok(())
    }

    fn varint_attribute(&mut self, tag: u32, slot: u32, member: u8, value: u64) -> Made {
        self.attribute(tag, slot, 1 + varint_len(value))?;
        self.out.push(member);
        varint(self.out, value);
        Ok(())
    }

    fn begin(&mut self, tag: u32) -> Made {
        if self.open.len() == MAX_OPEN {
            return Err(malformed());
        }
        varint(self.out, tag.into());
        self.open.push(self.out.len());
        self.out.extend_from_slice(&[0; 4]);
        Ok(())
    }

    fn close(&mut self) -> Made {
        let at = self.open.pop().ok_or_else(malformed)?;
        let start = at + 4;
        let length = self.out.len() - start;
        if length >= MAX_MESSAGE {
            return Err(too_long(length));
        }
        if length < SHORTENED {
            let width = varint_len(length as u64);
            self.out.copy_within(start.., at + width);
            self.out.truncate(at + width + length);
            self.out[at] = length as u8 & 0x7f | if width == 2 { 0x80 } else { 0 };
            if width == 2 {
                self.out[at + 1] = (length >> 7) as u8;
            }
        } else {
            for (i, byte) in self.out[at..start].iter_mut().enumerate() {
                *byte = (length >> (7 * i)) as u8 & 0x7f | if i < 3 { 0x80 } else { 0 };
            }
        }
        Ok(())
    }
}

fn varint_len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

fn varint(out: &mut Vec<u8>, value: u64) {
    let mut rest = value;
    while rest > 0x7f {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// An id from its digits; one that is none is written one byte long, so that its record is refused alone.
fn id(out: &mut Vec<u8>, tag: u32, digits: &[u8]) {
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

/// The value of a digit; 255 for what is none.
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

/// What is said of steps that the encoder does not write.
pub fn malformed() -> OtlpError {
    OtlpError::new(Code::Internal, "the steps of a request do not fit together: please report it")
}

fn too_long(length: usize) -> OtlpError {
    OtlpError::new(Code::TooLarge, format!("a message of {length} bytes is too long: export smaller batches"))
}

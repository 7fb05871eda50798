//! Protobuf to OTLP/JSON.
//!
//! Each message is looked over once before it is written: usually every field stands in one run, and is written in the
//! order of the wire. If not (protobuf allows any order), the fields are gathered first.

use super::table::{Field, Kind, Message, Shape};
use super::tokens::plain_prefix;
use super::{DecodeError, MAX_NESTING, scalar};
use crate::put;

/// Messages around one value: an attribute value is at most this deep in its envelopes, and a level of nesting takes
/// two or three.
const MAX_DEPTH: usize = 16 + 3 * (MAX_NESTING + 2);

pub(super) struct Writer<'a> {
    whole: &'a [u8],
    out: Vec<u8>,
}

/// One field as it stands on the wire.
#[derive(Clone, Copy)]
struct Raw<'a> {
    number: u32,
    wire_type: u8,
    /// The integer of a varint or fixed field.
    bits: u64,
    /// The content of a length-delimited field.
    bytes: &'a [u8],
}

impl<'a> Writer<'a> {
    pub(super) fn new(protobuf: &'a [u8]) -> Self {
        Self { whole: protobuf, out: Vec::with_capacity(protobuf.len() * 2) }
    }

    pub(super) fn request(mut self, message: &'static Message) -> Result<Vec<u8>, DecodeError> {
        self.object(message, self.whole, MAX_DEPTH)?;
        Ok(self.out)
    }

    #[cold]
    fn error(&self, at: &[u8], message: String) -> DecodeError {
        // Merged messages lie outside of the input; then the start of the input is all that can be told.
        let offset = (at.as_ptr() as usize).saturating_sub(self.whole.as_ptr() as usize);
        DecodeError::Malformed { offset: if offset <= self.whole.len() { offset } else { 0 }, message }
    }

    fn object(&mut self, message: &'static Message, bytes: &[u8], depth: usize) -> Result<(), DecodeError> {
        if depth == 0 {
            return Err(self.error(bytes, format!("{} is nested too deep", message.name)));
        }
        self.out.push(b'{');
        let first = self.out.len();
        if self.in_runs(message, bytes)? {
            self.write_in_order(message, bytes, first, depth)?;
        } else {
            self.write_gathered(message, bytes, first, depth)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    /// Whether every field stands in one run of the wire, and single ones stand once.
    fn in_runs(&self, message: &'static Message, mut bytes: &[u8]) -> Result<bool, DecodeError> {
        let mut seen = 0u32;
        let mut last = usize::MAX;
        let mut runs = true;
        while !bytes.is_empty() {
            let (raw, rest) = self.next(bytes)?;
            if let Some(at) = message.by_number(raw.number, if last == usize::MAX { 0 } else { last }) {
                let field = &message.fields[at];
                self.expect_wire_type(bytes, message, field, raw.wire_type)?;
                let continues = at == last && field.shape == Shape::Many;
                // All members of a oneof share the highest bit.
                let bit = if field.shape == Shape::Member { 1 << 31 } else { 1 << at };
                runs &= continues || seen & bit == 0;
                seen |= bit;
                last = at;
            }
            bytes = rest;
        }
        Ok(runs)
    }

    fn write_in_order(
        &mut self,
        message: &'static Message,
        mut bytes: &[u8],
        first: usize,
        depth: usize,
    ) -> Result<(), DecodeError> {
        let mut last = None;
        let mut elements = 0;
        while !bytes.is_empty() {
            let (raw, rest) = self.next(bytes)?;
            bytes = rest;
            let Some(at) = message.by_number(raw.number, last.unwrap_or(0)) else { continue };
            let field = &message.fields[at];
            if last != Some(at) {
                self.end_array(message, last, elements);
                elements = 0;
                last = Some(at);
            }
            self.occurrence(field, raw, first, &mut elements, depth)?;
        }
        self.end_array(message, last, elements);
        Ok(())
    }

    fn write_gathered(
        &mut self,
        message: &'static Message,
        mut bytes: &[u8],
        first: usize,
        depth: usize,
    ) -> Result<(), DecodeError> {
        let mut all = Vec::new();
        // Another member of the oneof replaces what stood there, the same one adds to it.
        let mut member = None;
        let mut member_from = 0;
        while !bytes.is_empty() {
            let (raw, rest) = self.next(bytes)?;
            bytes = rest;
            let Some(at) = message.by_number(raw.number, 0) else { continue };
            if message.fields[at].shape == Shape::Member && member != Some(at) {
                member = Some(at);
                member_from = all.len();
            }
            all.push((at, raw));
        }
        let mut position = 0;
        all.retain(|&(at, _): &(usize, Raw<'_>)| {
            position += 1;
            message.fields[at].shape != Shape::Member || position > member_from
        });
        all.sort_by_key(|&(at, _)| at);
        for group in all.chunk_by(|(a, _), (b, _)| a == b) {
            let Some(&(at, last)) = group.last() else { continue };
            let field = &message.fields[at];
            let mut elements = 0;
            match (field.shape, field.kind) {
                (Shape::Many, _) => {
                    for &(_, raw) in group {
                        self.occurrence(field, raw, first, &mut elements, depth)?;
                    }
                    self.end_array(message, Some(at), elements);
                }
                (_, Kind::Message(_)) if group.len() > 1 => {
                    // To merge messages is to read their bytes as one.
                    let merged: Vec<u8> = group.iter().flat_map(|(_, raw)| raw.bytes).copied().collect();
                    self.occurrence(field, Raw { bytes: &merged, ..last }, first, &mut elements, depth)?;
                }
                _ => self.occurrence(field, last, first, &mut elements, depth)?,
            }
        }
        Ok(())
    }

    fn end_array(&mut self, message: &'static Message, field: Option<usize>, elements: usize) {
        if elements > 0 && field.is_some_and(|at| message.fields[at].shape == Shape::Many) {
            self.out.push(b']');
        }
    }

    /// Writes one occurrence of a field; `elements` counts what its array holds so far.
    fn occurrence(
        &mut self,
        field: &'static Field,
        raw: Raw<'_>,
        first: usize,
        elements: &mut usize,
        depth: usize,
    ) -> Result<(), DecodeError> {
        if field.shape != Shape::Many {
            let default = match field.kind {
                Kind::Message(_) => false,
                kind if kind.wire_type() == put::LEN => raw.bytes.is_empty(),
                Kind::Uint32 | Kind::Enum(_) => raw.bits as u32 == 0,
                _ => raw.bits == 0,
            };
            if field.shape != Shape::One || !default {
                self.name(field, first);
                self.value(field, raw, depth)?;
            }
            return Ok(());
        }
        if raw.wire_type == put::LEN && field.kind.wire_type() != put::LEN {
            let mut rest = raw.bytes;
            while !rest.is_empty() {
                let (bits, after) = self.scalar(rest, field.kind.wire_type())?;
                rest = after;
                self.separate(field, first, elements);
                self.value(field, Raw { bits, ..raw }, depth)?;
            }
            return Ok(());
        }
        self.separate(field, first, elements);
        self.value(field, raw, depth)
    }

    /// Begins an element of an array, and the array with its first.
    fn separate(&mut self, field: &'static Field, first: usize, elements: &mut usize) {
        if *elements == 0 {
            self.name(field, first);
            self.out.push(b'[');
        } else {
            self.out.push(b',');
        }
        *elements += 1;
    }

    fn name(&mut self, field: &'static Field, first: usize) {
        self.out.extend_from_slice(if self.out.len() == first { b"\"" } else { b",\"" });
        self.out.extend_from_slice(field.json.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    fn value(&mut self, field: &'static Field, raw: Raw<'_>, depth: usize) -> Result<(), DecodeError> {
        let mut digits = itoa::Buffer::new();
        match field.kind {
            Kind::Message(message) => return self.object(message, raw.bytes, depth - 1),
            Kind::String => return self.string(raw.bytes),
            Kind::Id => self.quoted(|out| scalar::put_hex(raw.bytes, out)),
            Kind::Bytes => self.quoted(|out| scalar::put_base64(raw.bytes, out)),
            Kind::Bool => self.out.extend_from_slice(if raw.bits != 0 { b"true" } else { b"false" }),
            Kind::Double => self.double(f64::from_bits(raw.bits)),
            Kind::Int64 | Kind::Sfixed64 => {
                let text = digits.format(raw.bits as i64).as_bytes();
                self.quoted(|out| out.extend_from_slice(text));
            }
            Kind::Uint64 | Kind::Fixed64 => {
                let text = digits.format(raw.bits).as_bytes();
                self.quoted(|out| out.extend_from_slice(text));
            }
            Kind::Uint32 | Kind::Fixed32 => self.out.extend_from_slice(digits.format(raw.bits as u32).as_bytes()),
            Kind::Enum(_) => self.out.extend_from_slice(digits.format(raw.bits as i32).as_bytes()),
            Kind::Sint32 => {
                let bits = raw.bits as u32;
                let value = (bits >> 1) as i32 ^ -((bits & 1) as i32);
                self.out.extend_from_slice(digits.format(value).as_bytes());
            }
        }
        Ok(())
    }

    fn quoted(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.out.push(b'"');
        write(&mut self.out);
        self.out.push(b'"');
    }

    fn double(&mut self, value: f64) {
        if value.is_nan() {
            self.out.extend_from_slice(b"\"NaN\"");
        } else if value.is_infinite() {
            self.out.extend_from_slice(if value > 0.0 { b"\"Infinity\"" } else { b"\"-Infinity\"" });
        } else {
            self.out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
        }
    }

    fn string(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        if let Err(error) = std::str::from_utf8(bytes) {
            return Err(self.error(&bytes[error.valid_up_to()..], "a string that is not UTF-8".into()));
        }
        self.out.push(b'"');
        let mut rest = bytes;
        loop {
            let (plain, special) = rest.split_at(plain_prefix(rest));
            self.out.extend_from_slice(plain);
            let Some((&byte, after)) = special.split_first() else { break };
            match byte {
                b'"' => self.out.extend_from_slice(b"\\\""),
                b'\\' => self.out.extend_from_slice(b"\\\\"),
                b'\n' => self.out.extend_from_slice(b"\\n"),
                b'\r' => self.out.extend_from_slice(b"\\r"),
                b'\t' => self.out.extend_from_slice(b"\\t"),
                other => {
                    self.out.extend_from_slice(b"\\u00");
                    scalar::put_hex(&[other], &mut self.out);
                }
            }
            rest = after;
        }
        self.out.push(b'"');
        Ok(())
    }

    fn expect_wire_type(
        &self,
        at: &[u8],
        message: &'static Message,
        field: &'static Field,
        wire_type: u8,
    ) -> Result<(), DecodeError> {
        let expected = field.kind.wire_type();
        let packed = wire_type == put::LEN && field.shape == Shape::Many;
        if wire_type == expected || packed {
            return Ok(());
        }
        Err(self.error(at, format!("{}.{} has wire type {wire_type}, not {expected}", message.name, field.json)))
    }

    /// Reads one field, and gives what follows it.
    fn next<'b>(&self, bytes: &'b [u8]) -> Result<(Raw<'b>, &'b [u8]), DecodeError> {
        let (tag, rest) = self.varint(bytes)?;
        let wire_type = (tag & 7) as u8;
        let number = match u32::try_from(tag >> 3) {
            Ok(number) if number > 0 && tag <= u64::from(u32::MAX) => number,
            _ => return Err(self.error(bytes, format!("no field has the tag {tag}"))),
        };
        if wire_type == put::LEN {
            let (len, rest) = self.varint(rest)?;
            return match usize::try_from(len).ok().and_then(|len| rest.split_at_checked(len)) {
                Some((bytes, rest)) => Ok((Raw { number, wire_type, bits: 0, bytes }, rest)),
                None => Err(self.error(bytes, format!("field {number} should have {len} bytes and ends too early"))),
            };
        }
        let (bits, rest) = self.scalar(rest, wire_type)?;
        Ok((Raw { number, wire_type, bits, bytes: &[] }, rest))
    }

    fn scalar<'b>(&self, bytes: &'b [u8], wire_type: u8) -> Result<(u64, &'b [u8]), DecodeError> {
        let fixed = match wire_type {
            put::VARINT => return self.varint(bytes),
            put::FIXED64 => bytes.split_first_chunk().map(|(fixed, rest)| (u64::from_le_bytes(*fixed), rest)),
            put::FIXED32 => bytes.split_first_chunk().map(|(fixed, rest)| (u32::from_le_bytes(*fixed).into(), rest)),
            _ => return Err(self.error(bytes, format!("wire type {wire_type} is not used by OTLP"))),
        };
        fixed.ok_or_else(|| self.error(bytes, "the message ends within a number".into()))
    }

    #[inline]
    fn varint<'b>(&self, bytes: &'b [u8]) -> Result<(u64, &'b [u8]), DecodeError> {
        let mut value = 0u64;
        for (index, &byte) in bytes.iter().enumerate().take(10) {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                return Ok((value, &bytes[index + 1..]));
            }
        }
        Err(self.error(bytes, "not a variable-length integer".into()))
    }
}

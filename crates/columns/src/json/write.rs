//! Protobuf to OTLP/JSON.
//!
//! Each message is looked over once before it is written: usually every field stands in one run, and is written in the
//! order of the wire. If not (protobuf allows any order), the fields are gathered first.

use otlp_arrow_wire::read::{Cursor, Field as Wired, Stop, Wire, zigzag};
use otlp_arrow_wire::write as put;

use super::table::{Field, Kind, Message, Shape};
use super::tokens::plain_prefix;
use super::{DecodeError, MAX_NESTING, scalar};

/// Messages around one value: an attribute value is at most this deep in its envelopes, and a level of nesting takes
/// two or three.
const MAX_DEPTH: usize = 16 + 3 * (MAX_NESTING + 2);

pub(super) struct Writer<'a> {
    whole: &'a [u8],
    out: Vec<u8>,
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
    fn in_runs(&self, message: &'static Message, bytes: &[u8]) -> Result<bool, DecodeError> {
        let mut seen = 0u32;
        let mut last = usize::MAX;
        let mut runs = true;
        let mut cursor = Cursor::new(bytes);
        while !cursor.done() {
            let start = cursor.pos();
            let raw = self.read(bytes, cursor.field())?;
            if let Some(at) = message.by_number(raw.number, if last == usize::MAX { 0 } else { last }) {
                let field = &message.fields[at];
                self.expect_wire_type(&bytes[start..], message, field, raw.wire_type)?;
                let continues = at == last && field.shape == Shape::Many;
                // All members of a oneof share the highest bit.
                let bit = if field.shape == Shape::Member { 1 << 31 } else { 1 << at };
                runs &= continues || seen & bit == 0;
                seen |= bit;
                last = at;
            }
        }
        Ok(runs)
    }

    fn write_in_order(
        &mut self,
        message: &'static Message,
        bytes: &[u8],
        first: usize,
        depth: usize,
    ) -> Result<(), DecodeError> {
        let mut last = None;
        let mut elements = 0;
        let mut cursor = Cursor::new(bytes);
        while !cursor.done() {
            let raw = self.read(bytes, cursor.field())?;
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
        bytes: &[u8],
        first: usize,
        depth: usize,
    ) -> Result<(), DecodeError> {
        let mut all = Vec::new();
        // Another member of the oneof replaces what stood there, the same one adds to it.
        let mut member = None;
        let mut member_from = 0;
        let mut cursor = Cursor::new(bytes);
        while !cursor.done() {
            let raw = self.read(bytes, cursor.field())?;
            let Some(at) = message.by_number(raw.number, 0) else { continue };
            if message.fields[at].shape == Shape::Member && member != Some(at) {
                member = Some(at);
                member_from = all.len();
            }
            all.push((at, raw));
        }
        let mut position = 0;
        all.retain(|&(at, _): &(usize, Wired<'_>)| {
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
                    self.occurrence(field, Wired { bytes: &merged, ..last }, first, &mut elements, depth)?;
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
        raw: Wired<'_>,
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
            let mut cursor = Cursor::new(raw.bytes);
            while !cursor.done() {
                let bits = match field.kind.wire_type() {
                    put::VARINT => cursor.varint(),
                    put::FIXED64 => cursor.fixed64(),
                    _ => cursor.fixed32().map(u64::from),
                };
                let bits = self.read(raw.bytes, bits)?;
                self.separate(field, first, elements);
                self.value(field, Wired { bits, ..raw }, depth)?;
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

    fn value(&mut self, field: &'static Field, raw: Wired<'_>, depth: usize) -> Result<(), DecodeError> {
        let mut digits = itoa::Buffer::new();
        match field.kind {
            Kind::Message(message) => return self.object(message, raw.bytes, depth - 1),
            Kind::String => return self.string(raw.bytes),
            Kind::Id(_) => self.quoted(|out| scalar::put_hex(raw.bytes, out)),
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
                self.out.extend_from_slice(digits.format(zigzag(raw.bits as u32)).as_bytes());
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

    /// What was read of `bytes`, or where in the whole they are wrong.
    #[inline]
    fn read<T>(&self, bytes: &[u8], read: Wire<T>) -> Result<T, DecodeError> {
        read.map_err(|stop| match stop {
            Stop::Malformed { at, what } => self.error(&bytes[at.min(bytes.len())..], what.into()),
            Stop::TooLarge { needed } => DecodeError::TooLarge { needed, limit: usize::MAX },
        })
    }
}

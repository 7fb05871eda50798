//! OTLP/JSON to protobuf, in one pass over the text.

use otlp_arrow_wire::write as put;

use super::place;
use super::scalar::{self, NotInteger};
use super::table::{Field, Kind, Message, Role, Shape};
use super::tokens::{Text, Tokens};
use super::{DecodeError, INVALID_VALUE, INVALID_VALUE_FIELD, Limits, MAX_NESTING, Signal, table};

/// Where the bytes of one field of an open object are.
struct Segment {
    field: usize,
    start: usize,
    end: usize,
}

pub(super) struct Reader<'a> {
    pub(super) signal: Signal,
    pub(super) json: &'a [u8],
    pub(super) tokens: Tokens<'a>,
    pub(super) out: Vec<u8>,
    /// Fields written so far of all open objects, the innermost last.
    segments: Vec<Segment>,
    /// Holds unescaped text while it is read.
    scratch: Vec<u8>,
    pub(super) in_record: bool,
    /// The record being read holds a value that cannot be.
    pub(super) invalid: bool,
    /// Whether texts for [`crate::check`] are written.
    pub(super) remarked: bool,
    /// Of the first record with something wrong: what that is. Whether it makes the record invalid here, or
    /// [`crate::check`] finds it.
    pub(super) problem: Option<(String, bool)>,
    /// The problem of a record was told.
    pub(super) told: bool,
    pub(super) records: usize,
    /// The first member around the records that is not a field: its position, and whether it is of another signal.
    pub(super) foreign: Option<(usize, Option<Signal>)>,
    /// Arrays and maps open around the current value.
    nesting: usize,
    limits: Limits,
}

impl<'a> Reader<'a> {
    pub(super) fn new(signal: Signal, json: &'a [u8], limits: &Limits, remarked: bool) -> Self {
        Self {
            signal,
            json,
            tokens: Tokens::new(json),
            out: Vec::with_capacity(json.len() / 2),
            segments: Vec::new(),
            scratch: Vec::new(),
            in_record: false,
            invalid: false,
            remarked,
            problem: None,
            told: !remarked,
            records: 0,
            foreign: None,
            nesting: 0,
            limits: *limits,
        }
    }

    pub(super) fn request(mut self) -> Result<Vec<u8>, DecodeError> {
        match self.whole() {
            Ok(()) => Ok(self.out),
            Err(DecodeError::Malformed { offset, message }) if !message.contains(" = ") => {
                let path = place::path(self.json, offset);
                let message = if path.is_empty() { message } else { format!("{message}, at or behind {path}") };
                Err(DecodeError::Malformed { offset, message })
            }
            Err(error) => Err(error),
        }
    }

    fn whole(&mut self) -> Result<(), DecodeError> {
        if self.tokens.peek()? != b'{' {
            return Err(self.tokens.error("an export request is a JSON object"));
        }
        self.object(table::request(self.signal))?;
        self.tokens.finish()?;
        if self.remarked {
            self.warn();
        }
        Ok(())
    }

    /// Reads an object's fields; the next token is its brace.
    fn object(&mut self, message: &'static Message) -> Result<(), DecodeError> {
        self.tokens.expect(b'{', "expected an object")?;
        let base = self.segments.len();
        // A null double, unless another member of the oneof is there too.
        let mut null_double = None;
        let mut members = 0;
        let mut next = 0;
        let mut more = !self.tokens.eat(b'}')?;
        while more {
            let key = self.tokens.key()?;
            match self.find(message, key, next) {
                None => self.skip_foreign(message, key)?,
                Some(at) => {
                    next = at + 1;
                    let field = &message.fields[at];
                    let null = self.tokens.peek()? == b'n';
                    if let Some(other) = self.forget(base, message, at, null) {
                        self.refuse_second(message, field, other)?;
                    }
                    let start = self.out.len();
                    members += u32::from(field.shape == Shape::Member);
                    if null {
                        self.tokens.literal("null")?;
                        if field.shape == Shape::Member && matches!(field.kind, Kind::Double) {
                            null_double = Some(field.number);
                        }
                    } else {
                        self.field(field)?;
                    }
                    if self.out.len() > start {
                        self.segments.push(Segment { field: at, start, end: self.out.len() });
                    }
                }
            }
            more = self.tokens.more(b'}')?;
        }
        if let Some(number) = null_double
            && members == 1
        {
            put::fixed64_field(&mut self.out, number, f64::NAN.to_bits());
        }
        self.segments.truncate(base);
        self.check_limit()
    }

    /// Whether the result may go on growing.
    #[inline]
    fn check_limit(&self) -> Result<(), DecodeError> {
        let (needed, limit) = (self.out.len(), self.limits.max_request_memory);
        if needed > limit { Err(DecodeError::TooLarge { needed, limit }) } else { Ok(()) }
    }

    fn find(&mut self, message: &'static Message, key: Text<'_>, next: usize) -> Option<usize> {
        if !key.escaped
            && let Some(at) = message.by_name(key.raw, next)
        {
            return Some(at);
        }
        if !key.escaped && !key.raw.contains(&b'_') {
            return None;
        }
        self.scratch.clear();
        key.append_to(&mut self.scratch);
        message.by_name(&self.scratch, next).or_else(|| message.by_name(&camel_case(&self.scratch)?, next))
    }

    /// Takes back what was written for this field: the last one counts. Another member of its `oneof` is taken back as
    /// well, and given: there may be one. An absent member leaves the others alone.
    #[inline]
    fn forget(&mut self, base: usize, message: &'static Message, field: usize, null: bool) -> Option<usize> {
        let member = !null && message.fields[field].shape == Shape::Member;
        let same = |segment: &Segment| {
            segment.field == field || (member && message.fields[segment.field].shape == Shape::Member)
        };
        if let Some(at) = self.segments[base..].iter().position(same) {
            let Segment { field: found, start, end } = self.segments.remove(base + at);
            self.out.drain(start..end);
            for later in &mut self.segments[base + at..] {
                later.start -= end - start;
                later.end -= end - start;
            }
            return (found != field).then_some(found);
        }
        None
    }

    fn field(&mut self, field: &'static Field) -> Result<(), DecodeError> {
        if field.shape != Shape::Many {
            return match field.kind {
                Kind::Message(kind) => self.message(field, kind),
                _ => self.single(field),
            };
        }
        if self.tokens.peek()? != b'[' {
            return self.refuse(place::expected(field));
        }
        match field.kind {
            Kind::Message(kind) => self.elements(|reader| reader.message(field, kind)),
            Kind::String => self.elements(|reader| reader.single(field)),
            _ => {
                let packed = put::open(&mut self.out, field.number, 1);
                let start = self.out.len();
                self.elements(|reader| reader.value(field))?;
                if self.out.len() == start {
                    self.out.truncate(start - 2);
                } else {
                    put::close(&mut self.out, packed);
                }
                Ok(())
            }
        }
    }

    fn elements(&mut self, mut element: impl FnMut(&mut Self) -> Result<(), DecodeError>) -> Result<(), DecodeError> {
        self.tokens.expect(b'[', "expected an array")?;
        let mut more = !self.tokens.eat(b']')?;
        while more {
            element(self)?;
            // A number of two characters becomes one of eight bytes: the end of the object is too late to look.
            self.check_limit()?;
            more = self.tokens.more(b']')?;
        }
        Ok(())
    }

    fn message(&mut self, field: &'static Field, kind: &'static Message) -> Result<(), DecodeError> {
        match self.tokens.peek()? {
            b'{' => {}
            b'n' if kind.role == Role::Value => {
                self.tokens.literal("null")?;
                put::bytes_field(&mut self.out, field.number, b"");
                return Ok(());
            }
            _ if kind.role == Role::Record => {
                self.records += 1;
                let start = self.tokens.at();
                self.tokens.skip()?;
                let open = put::open(&mut self.out, field.number, 3);
                self.describe(start, || place::expected_one(field.kind), true);
                self.tell();
                put::fixed64_field(&mut self.out, INVALID_VALUE_FIELD, INVALID_VALUE);
                put::close(&mut self.out, open);
                return Ok(());
            }
            _ => return self.refuse(place::expected_one(field.kind)),
        }
        let room = match kind.role {
            Role::Envelope => 3,
            Role::Record => 2,
            Role::Part | Role::Nested | Role::Value => 1,
        };
        let open = put::open(&mut self.out, field.number, room);
        match kind.role {
            Role::Record => {
                self.records += 1;
                self.in_record = true;
                self.object(kind)?;
                self.in_record = false;
                if self.problem.is_some() {
                    self.tell();
                }
                if std::mem::take(&mut self.invalid) {
                    put::fixed64_field(&mut self.out, INVALID_VALUE_FIELD, INVALID_VALUE);
                }
            }
            Role::Nested => self.nested(kind)?,
            Role::Envelope | Role::Part | Role::Value => self.object(kind)?,
        }
        put::close(&mut self.out, open);
        Ok(())
    }

    /// Follows an array or map just far enough for [`crate::check`] to see that it is too deep.
    fn nested(&mut self, kind: &'static Message) -> Result<(), DecodeError> {
        if self.nesting == self.limits.nesting.min(MAX_NESTING) + 2 {
            return self.tokens.skip();
        }
        self.nesting += 1;
        self.object(kind)?;
        self.nesting -= 1;
        Ok(())
    }

    /// Writes tag and value of a scalar field that occurs once, or of one string among many.
    fn single(&mut self, field: &'static Field) -> Result<(), DecodeError> {
        let start = self.out.len();
        let always = field.shape != Shape::One;
        match field.kind {
            Kind::String | Kind::Id(_) | Kind::Bytes => {
                let open = put::open(&mut self.out, field.number, 1);
                let from = self.out.len();
                self.value(field)?;
                if always || self.out.len() > from {
                    put::close(&mut self.out, open);
                } else {
                    self.out.truncate(start);
                }
            }
            _ => {
                put::tag(&mut self.out, field.number, field.kind.wire_type());
                let from = self.out.len();
                self.value(field)?;
                let written = &self.out[from..];
                if written.is_empty() || (!always && written.iter().all(|&byte| byte == 0)) {
                    self.out.truncate(start);
                }
            }
        }
        Ok(())
    }

    /// Writes the value of a scalar without its tag; nothing when it cannot be.
    fn value(&mut self, field: &'static Field) -> Result<(), DecodeError> {
        match self.tokens.peek()? {
            b'"' => {
                let start = self.tokens.at();
                let text = self.tokens.string()?;
                if !self.text_value(field, text, start) {
                    return self.refuse_read(start, || place::expected_one(field.kind));
                }
            }
            b'-' | b'0'..=b'9' => {
                let start = self.tokens.at();
                let number = self.tokens.number()?;
                if !self.number_value(field, number, false) {
                    return self.refuse_read(start, || place::expected_one(field.kind));
                }
            }
            b't' | b'f' if matches!(field.kind, Kind::Bool) => {
                let value = self.tokens.peek()? == b't';
                self.tokens.literal(if value { "true" } else { "false" })?;
                self.out.push(value.into());
            }
            // JavaScript writes a NaN within an array as null, which cannot mean absent there.
            b'n' if matches!(field.kind, Kind::Double) => {
                self.tokens.literal("null")?;
                self.out.extend_from_slice(&f64::NAN.to_le_bytes());
            }
            _ => return self.refuse(place::expected_one(field.kind)),
        }
        Ok(())
    }

    fn text_value(&mut self, field: &'static Field, text: Text<'_>, start: usize) -> bool {
        if let Kind::String = field.kind {
            text.append_to(&mut self.out);
            return true;
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        text.append_to(&mut scratch);
        let done = match field.kind {
            Kind::Id(len) => {
                let before = self.out.len();
                scalar::id(&scratch, &mut self.out);
                // `crate::check` refuses it by its length.
                if !matches!(self.out.len() - before, 0) && self.out.len() - before != len {
                    self.describe(start, || place::expected_one(field.kind), false);
                }
                true
            }
            Kind::Bytes => scalar::bytes(&scratch, &mut self.out),
            Kind::Double => match scalar::quoted_double(&scratch) {
                Some(value) => {
                    self.out.extend_from_slice(&value.to_le_bytes());
                    true
                }
                None => false,
            },
            Kind::Enum(names) => match names.iter().position(|name| name.as_bytes() == scratch) {
                Some(value) => {
                    put::varint(&mut self.out, value as u64);
                    true
                }
                None => self.number_value(field, &scratch, true),
            },
            _ => self.number_value(field, scalar::without_zeros(&scratch), true),
        };
        self.scratch = scratch;
        done
    }

    /// Writes a number; false when the field cannot hold it.
    fn number_value(&mut self, field: &'static Field, text: &[u8], quoted: bool) -> bool {
        if let Kind::Double = field.kind {
            return scalar::double(text).map(|value| self.out.extend_from_slice(&value.to_le_bytes())).is_some();
        }
        let value = match scalar::integer(text) {
            Ok(value) => value,
            Err(NotInteger::OutOfRange) if !quoted => return self.integer_as_double(field, text),
            Err(_) => return false,
        };
        let out = &mut self.out;
        match field.kind {
            Kind::Int64 => match i64::try_from(value) {
                Ok(value) => put::varint(out, value as u64),
                Err(_) => return !quoted && self.integer_as_double(field, text),
            },
            Kind::Uint64 => match u64::try_from(value) {
                Ok(value) => put::varint(out, value),
                Err(_) => return false,
            },
            Kind::Uint32 => match u32::try_from(value) {
                Ok(value) => put::varint(out, value.into()),
                Err(_) => return false,
            },
            Kind::Enum(_) => match i32::try_from(value) {
                Ok(value) => put::varint(out, value as u64),
                Err(_) => return false,
            },
            Kind::Sint32 => match i32::try_from(value) {
                Ok(value) => put::varint(out, put::zigzag(value)),
                Err(_) => return false,
            },
            Kind::Fixed32 => match u32::try_from(value) {
                Ok(value) => out.extend_from_slice(&value.to_le_bytes()),
                Err(_) => return false,
            },
            Kind::Fixed64 => match u64::try_from(value) {
                Ok(value) => out.extend_from_slice(&value.to_le_bytes()),
                Err(_) => return false,
            },
            Kind::Sfixed64 => match i64::try_from(value) {
                Ok(value) => out.extend_from_slice(&value.to_le_bytes()),
                Err(_) => return false,
            },
            _ => return false,
        }
        true
    }

    /// An `intValue` beyond 64 bits was a JavaScript number: it becomes the `doubleValue` it was.
    fn integer_as_double(&mut self, field: &'static Field, text: &[u8]) -> bool {
        const DOUBLE_VALUE: u8 = 4 << 3 | put::FIXED64;
        if !matches!((field.kind, field.shape), (Kind::Int64, Shape::Member)) {
            return false;
        }
        let (Some(value), Some(tag)) = (scalar::double(text), self.out.last_mut()) else { return false };
        *tag = DOUBLE_VALUE;
        self.out.extend_from_slice(&value.to_le_bytes());
        true
    }
}

/// The lowerCamelCase form of a snake_case name; none when there is nothing to change.
pub(super) fn camel_case(name: &[u8]) -> Option<Vec<u8>> {
    name.contains(&b'_').then(|| {
        let mut upper = false;
        let mut camel = Vec::with_capacity(name.len());
        for &byte in name {
            if byte == b'_' {
                upper = true;
            } else {
                camel.push(if upper { byte.to_ascii_uppercase() } else { byte });
                upper = false;
            }
        }
        camel
    })
}

//! Attribute values as text and as JSON (docs/schema.md) to what OTAP has for them: one of five types, or CBOR.

use crate::json::tokens::Tokens;
use crate::parse::{JSON, Parsed, boolean, bytes, double, elements, integer, is_marked, members, string};

/// The deepest arrays and maps that Go's reader of CBOR takes.
const MAX_NESTING: usize = 32;
/// The most members of one of them that it takes.
const MAX_MEMBERS: usize = 131_072;
/// Deeper ones are in no column of ours.
const MAX_DEPTH: usize = 128;

/// The number that the protocol gives each type of value.
pub(super) mod kind {
    pub(crate) const EMPTY: u8 = 0;
    pub(crate) const STR: u8 = 1;
    pub(crate) const INT: u8 = 2;
    pub(crate) const DOUBLE: u8 = 3;
    pub(crate) const BOOL: u8 = 4;
    pub(crate) const MAP: u8 = 5;
    pub(crate) const SLICE: u8 = 6;
    pub(crate) const BYTES: u8 = 7;
}

/// A value; its bytes lie in the column or in the room that was given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Empty,
    Str(&'a [u8]),
    Int(i64),
    Double(f64),
    Bool(bool),
    Bytes(&'a [u8]),
    /// CBOR of a map.
    Map(&'a [u8]),
    /// CBOR of an array.
    Slice(&'a [u8]),
    /// JSON of an array or map that its peer may not be able to read as CBOR: it goes out as a text.
    TooDeep(&'a [u8]),
}

impl Value<'_> {
    pub(super) fn kind(&self) -> u8 {
        match self {
            Value::Empty => kind::EMPTY,
            Value::Str(_) | Value::TooDeep(_) => kind::STR,
            Value::Int(_) => kind::INT,
            Value::Double(_) => kind::DOUBLE,
            Value::Bool(_) => kind::BOOL,
            Value::Map(_) => kind::MAP,
            Value::Slice(_) => kind::SLICE,
            Value::Bytes(_) => kind::BYTES,
        }
    }
}

/// The value of a text and its letter, in lower case. What has to be made of it is made in `room`.
pub(super) fn of_text<'a>(letter: u8, text: Option<&'a [u8]>, room: &'a mut Vec<u8>) -> Parsed<Value<'a>> {
    let Some(text) = text else {
        return if letter == b'n' { Ok(Value::Empty) } else { Err("a null value whose letter is not n") };
    };
    Ok(match letter {
        b's' => Value::Str(text),
        b'i' => Value::Int(integer(text)?),
        b'd' => Value::Double(double(text)?),
        b'b' => Value::Bool(boolean(text)?),
        b'y' => {
            *room = bytes(text)?;
            Value::Bytes(room)
        }
        b'a' | b'm' => {
            let mut tokens = Tokens::new(text);
            if tokens.peek().ok() != Some(if letter == b'a' { b'[' } else { b'{' }) {
                return Err(JSON);
            }
            let value = nested(letter == b'a', text, &mut tokens, room)?;
            tokens.finish().map_err(|_| JSON)?;
            value
        }
        _ => return Err("a letter that no type has"),
    })
}

/// The value of a member of a JSON object, which is next.
pub(super) fn of_json<'v, 't: 'v>(tokens: &mut Tokens<'t>, room: &'v mut Vec<u8>) -> Parsed<Value<'v>> {
    room.clear();
    let first = tokens.peek().map_err(|_| JSON)?;
    Ok(match first {
        b'[' | b'{' => {
            if first == b'{' && is_marked(tokens)? {
                let mut ahead = *tokens;
                match mark(&mut ahead)? {
                    Some(Mark::Double(value)) => {
                        *tokens = ahead;
                        return Ok(Value::Double(value));
                    }
                    Some(Mark::Bytes(value)) => {
                        *tokens = ahead;
                        *room = value;
                        return Ok(Value::Bytes(room));
                    }
                    None => {}
                }
            }
            let mut ahead = *tokens;
            let text = ahead.skip_raw().map_err(|_| JSON)?;
            let value = nested(first == b'[', text, tokens, room)?;
            *tokens = ahead;
            value
        }
        b'n' => {
            tokens.literal("null").map_err(|_| JSON)?;
            Value::Empty
        }
        b't' => {
            tokens.literal("true").map_err(|_| JSON)?;
            Value::Bool(true)
        }
        b'f' => {
            tokens.literal("false").map_err(|_| JSON)?;
            Value::Bool(false)
        }
        b'"' => {
            string(tokens, |text| {
                room.extend_from_slice(text);
                Ok(())
            })?;
            Value::Str(room)
        }
        _ => {
            let number = tokens.number().map_err(|_| JSON)?;
            if is_double(number) { Value::Double(double(number)?) } else { Value::Int(integer(number)?) }
        }
    })
}

/// An array or map, `text` in JSON, at which `tokens` are.
fn nested<'a>(array: bool, text: &'a [u8], tokens: &mut Tokens<'_>, room: &'a mut Vec<u8>) -> Parsed<Value<'a>> {
    room.clear();
    let mut cbor = Cbor { out: room, too_much: false };
    cbor.value(tokens, 1)?;
    Ok(match (cbor.too_much, array) {
        (true, _) => Value::TooDeep(text),
        (false, true) => Value::Slice(room),
        (false, false) => Value::Map(room),
    })
}

fn is_double(number: &[u8]) -> bool {
    number.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E'))
}

enum Mark {
    Double(f64),
    Bytes(Vec<u8>),
}

/// What a one-key object stands for whose key begins with `@`; `None` for an object.
fn mark(tokens: &mut Tokens<'_>) -> Parsed<Option<Mark>> {
    let mut mark = None;
    members(tokens, |tokens, key| {
        mark = match key {
            b"@double" => Some(Mark::Double(string(tokens, double)?)),
            b"@bytes" => Some(Mark::Bytes(string(tokens, bytes)?)),
            _ => return tokens.skip().map_err(|_| JSON),
        };
        Ok(())
    })?;
    Ok(mark)
}

/// Writes CBOR (RFC 8949) as the other producers do: arrays and maps of indefinite length, doubles of eight bytes.
struct Cbor<'a> {
    out: &'a mut Vec<u8>,
    /// It is nested deeper, or has more members, than its peer may be able to read.
    too_much: bool,
}

impl Cbor<'_> {
    fn value(&mut self, tokens: &mut Tokens<'_>, depth: usize) -> Parsed<()> {
        match tokens.peek().map_err(|_| JSON)? {
            b'n' => {
                tokens.literal("null").map_err(|_| JSON)?;
                self.out.push(0xf6);
            }
            b't' => {
                tokens.literal("true").map_err(|_| JSON)?;
                self.out.push(0xf5);
            }
            b'f' => {
                tokens.literal("false").map_err(|_| JSON)?;
                self.out.push(0xf4);
            }
            b'"' => string(tokens, |text| {
                self.text(0x60, text);
                Ok(())
            })?,
            b'[' => self.array(tokens, depth)?,
            b'{' => self.map(tokens, depth)?,
            _ => {
                let number = tokens.number().map_err(|_| JSON)?;
                if is_double(number) {
                    self.double(double(number)?);
                } else {
                    let value = integer(number)?;
                    // A negative one is -1 minus what is written.
                    if value < 0 { self.head(0x20, !value as u64) } else { self.head(0, value as u64) }
                }
            }
        }
        Ok(())
    }

    fn array(&mut self, tokens: &mut Tokens<'_>, depth: usize) -> Parsed<()> {
        self.enter(depth)?;
        self.out.push(0x9f);
        let mut count = 0;
        elements(tokens, |tokens| {
            count += 1;
            self.value(tokens, depth + 1)
        })?;
        self.out.push(0xff);
        self.too_much |= count > MAX_MEMBERS;
        Ok(())
    }

    fn map(&mut self, tokens: &mut Tokens<'_>, depth: usize) -> Parsed<()> {
        let only = is_marked(tokens)?;
        if only {
            let mut ahead = *tokens;
            if let Some(mark) = mark(&mut ahead)? {
                *tokens = ahead;
                match mark {
                    Mark::Double(value) => self.double(value),
                    Mark::Bytes(value) => self.text(0x40, &value),
                }
                return Ok(());
            }
        }
        self.enter(depth)?;
        self.out.push(0xbf);
        let mut count = 0;
        members(tokens, |tokens, key| {
            count += 1;
            // A one-key object whose key begins with @ was given a second one.
            self.text(0x60, if only && key.starts_with(b"@@") { &key[1..] } else { key });
            self.value(tokens, depth + 1)
        })?;
        self.out.push(0xff);
        self.too_much |= count > MAX_MEMBERS;
        Ok(())
    }

    fn enter(&mut self, depth: usize) -> Parsed<()> {
        self.too_much |= depth > MAX_NESTING;
        if depth > MAX_DEPTH { Err("arrays and maps nested too deep") } else { Ok(()) }
    }

    fn double(&mut self, value: f64) {
        self.out.push(0xfb);
        self.out.extend_from_slice(&value.to_bits().to_be_bytes());
    }

    fn text(&mut self, major: u8, text: &[u8]) {
        self.head(major, text.len() as u64);
        self.out.extend_from_slice(text);
    }

    /// The shortest form of a number with its type.
    fn head(&mut self, major: u8, value: u64) {
        match value {
            0..24 => self.out.push(major | value as u8),
            24..0x100 => self.out.extend_from_slice(&[major | 24, value as u8]),
            0x100..0x1_0000 => {
                self.out.push(major | 25);
                self.out.extend_from_slice(&(value as u16).to_be_bytes());
            }
            0x1_0000..0x1_0000_0000 => {
                self.out.push(major | 26);
                self.out.extend_from_slice(&(value as u32).to_be_bytes());
            }
            _ => {
                self.out.push(major | 27);
                self.out.extend_from_slice(&value.to_be_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cbor(json: &str) -> Vec<u8> {
        let mut room = Vec::new();
        match of_json(&mut Tokens::new(json.as_bytes()), &mut room).unwrap() {
            Value::Map(bytes) | Value::Slice(bytes) => bytes.to_vec(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn numbers_have_the_shortest_form() {
        // RFC 8949, appendix A.
        for (json, wanted) in [
            ("[0]", &[0x00][..]),
            ("[23]", &[0x17]),
            ("[24]", &[0x18, 0x18]),
            ("[255]", &[0x18, 0xff]),
            ("[256]", &[0x19, 1, 0]),
            ("[65536]", &[0x1a, 0, 1, 0, 0]),
            ("[1000000000000]", &[0x1b, 0, 0, 0, 0xe8, 0xd4, 0xa5, 0x10, 0]),
            ("[-1]", &[0x20]),
            ("[-100]", &[0x38, 0x63]),
            ("[-9223372036854775808]", &[0x3b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            ("[1.1]", &[0xfb, 0x3f, 0xf1, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a]),
            (r#"[{"@double":"NaN"}]"#, &[0xfb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0]),
            (r#"[{"@bytes":"AQI="}]"#, &[0x42, 1, 2]),
            (r#"["é",null,true,false]"#, &[0x62, 0xc3, 0xa9, 0xf6, 0xf5, 0xf4]),
        ] {
            assert_eq!(cbor(json), [&[0x9f], wanted, &[0xff]].concat(), "{json}");
        }
        assert_eq!(cbor(r#"{"@@a":{}}"#), b"\xbf\x62@a\xbf\xff\xff");
        assert_eq!(cbor(r#"{"@@a":1,"b":[]}"#), b"\xbf\x63@@a\x01\x61b\x9f\xff\xff");
    }

    #[test]
    fn what_goes_reader_refuses_goes_out_as_text() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(cbor(&nested(MAX_NESTING)).len(), 2 * MAX_NESTING);
        let members = |count: usize| format!("[{}]", vec!["1"; count].join(","));
        assert_eq!(cbor(&members(MAX_MEMBERS)).len(), MAX_MEMBERS + 2);
        for text in
            [nested(MAX_NESTING + 1), nested(64), members(MAX_MEMBERS + 1), format!(r#"{{"a":{}}}"#, nested(32))]
        {
            let mut room = Vec::new();
            let value = of_json(&mut Tokens::new(text.as_bytes()), &mut room).unwrap();
            assert_eq!(value, Value::TooDeep(text.as_bytes()));
            let letter = if text.starts_with('[') { b'a' } else { b'm' };
            let mut room = Vec::new();
            assert_eq!(of_text(letter, Some(text.as_bytes()), &mut room), Ok(Value::TooDeep(text.as_bytes())));
        }
        let mut room = Vec::new();
        assert!(of_json(&mut Tokens::new(nested(200).as_bytes()), &mut room).is_err());
    }

    #[test]
    fn members_of_an_object_are_what_they_were() {
        let object = r#"{"a":"x\ny","b":-7,"c":{"@double":"NaN:7ff8000000000001"},"d":{"@bytes":"AQ=="},"e":null,"f":true,"g":1.5}"#;
        let mut found = Vec::new();
        members(&mut Tokens::new(object.as_bytes()), |tokens, _| {
            let (mut ahead, mut room) = (*tokens, Vec::new());
            found.push(format!("{:?}", of_json(&mut ahead, &mut room)?));
            *tokens = ahead;
            Ok(())
        })
        .unwrap();
        let wanted =
            ["Str([120, 10, 121])", "Int(-7)", "Double(NaN)", "Bytes([1])", "Empty", "Bool(true)", "Double(1.5)"];
        assert_eq!(found, wanted);
    }
}

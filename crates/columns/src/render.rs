//! Attribute values as text and as JSON (docs/schema.md, "Attributes").
//!
//! Text is what a person would type; JSON adds the marks that keep doubles, bytes and odd objects apart. Both can be
//! read back exactly.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use otlp_arrow_wire::read::{Block, Cursor, Wire};

use crate::text;

/// The most bytes [`double`] writes.
pub(crate) const DOUBLE_LEN: usize = 24;
/// The most bytes [`json_double`] writes.
pub(crate) const JSON_DOUBLE_LEN: usize = DOUBLE_LEN + r#"{"@double":""}"#.len();
/// Bytes around base64 text in JSON.
pub(crate) const JSON_BYTES_MARKS: usize = r#"{"@bytes":""}"#.len();

/// The NaN every language makes.
const PLAIN_NAN: u64 = 0x7ff8_0000_0000_0000;

/// One letter a kind of value, as in `attribute_types`.
pub(crate) mod letter {
    pub(crate) const STRING: u8 = b's';
    pub(crate) const INT: u8 = b'i';
    pub(crate) const DOUBLE: u8 = b'd';
    pub(crate) const BOOL: u8 = b'b';
    pub(crate) const BYTES: u8 = b'y';
    pub(crate) const ARRAY: u8 = b'a';
    pub(crate) const MAP: u8 = b'm';
    pub(crate) const EMPTY: u8 = b'n';
}

/// The shortest decimal that reads back as the same double, always with a point or an exponent; `Infinity`,
/// `-Infinity`, `NaN`, and `NaN:<16 hex digits>` for a NaN with other bits than 7ff8000000000000.
pub(crate) fn double(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
    } else if !value.is_nan() {
        out.extend_from_slice(if value > 0.0 { b"Infinity" } else { b"-Infinity" });
    } else {
        out.extend_from_slice(b"NaN");
        let bits = value.to_bits();
        if bits != PLAIN_NAN {
            out.push(b':');
            out.extend((0..16).rev().map(|i| b"0123456789abcdef"[(bits >> (4 * i)) as usize & 15]));
        }
    }
}

/// A double as JSON: a number, or `{"@double":"NaN"}` when it is not finite.
pub(crate) fn json_double(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        double(out, value);
    } else {
        out.extend_from_slice(br#"{"@double":""#);
        double(out, value);
        out.extend_from_slice(br#""}"#);
    }
}

pub(crate) fn int(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

pub(crate) fn bool(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

/// Bytes of [`base64`].
pub(crate) const fn base64_len(len: usize) -> usize {
    len.div_ceil(3) * 4
}

/// Standard base64 with padding.
pub(crate) fn base64(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    out.resize(start + base64_len(bytes.len()), 0);
    let written = STANDARD.encode_slice(bytes, &mut out[start..]).unwrap_or_default();
    out.truncate(start + written);
}

/// What stands for a byte within a JSON string: 0 itself, `u` six characters, another letter a backslash and it.
const ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 0x20 {
        table[i] = b'u';
        i += 1;
    }
    table[0x08] = b'b';
    table[b'\t' as usize] = b't';
    table[b'\n' as usize] = b'n';
    table[0x0c] = b'f';
    table[b'\r' as usize] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
};

/// Whether one of eight bytes is a control character, a quote or a backslash: surely not when it says no.
#[inline(always)]
const fn may_need_escape(word: u64) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    /// Sets the high bit of each byte below `n`, and perhaps of one after such a byte.
    const fn below(word: u64, n: u64) -> u64 {
        word.wrapping_sub(ONES * n) & !word
    }
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    (below(word, 0x20) | below(quote, 1) | below(backslash, 1)) & (ONES << 7) != 0
}

/// Bytes of [`json_string`].
pub(crate) fn json_string_len(text: &[u8]) -> usize {
    let (words, rest) = text.as_chunks::<8>();
    let is_plain = words.iter().all(|word| !may_need_escape(u64::from_le_bytes(*word)))
        && rest.iter().all(|&byte| ESCAPES[usize::from(byte)] == 0);
    if is_plain {
        return 2 + text.len();
    }
    let extra = |&byte: &u8| match ESCAPES[usize::from(byte)] {
        0 => 0,
        b'u' => 5,
        _ => 1,
    };
    2 + text.len() + text.iter().map(extra).sum::<usize>()
}

/// UTF-8 text as a JSON string.
pub(crate) fn json_string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    json_string_tail(out, text);
}

fn json_string_tail(out: &mut Vec<u8>, mut text: &[u8]) {
    while let Some(at) = text.iter().position(|&byte| ESCAPES[usize::from(byte)] != 0) {
        out.extend_from_slice(&text[..at]);
        let byte = text[at];
        match ESCAPES[usize::from(byte)] {
            b'u' => {
                out.extend_from_slice(b"\\u00");
                out.extend([byte >> 4, byte & 15].map(|digit| b"0123456789abcdef"[usize::from(digit)]));
            }
            letter => out.extend([b'\\', letter]),
        }
        text = &text[at + 1..];
    }
    out.extend_from_slice(text);
    out.push(b'"');
}

/// The members of an `AnyValue`, which has one at most by the time it is rendered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value {
    Empty,
    String(Block),
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(Block),
    Array(Block),
    Map(Block),
}

impl Value {
    /// Reads an `AnyValue` message. A `string_value_strindex` counts as empty: it belongs to profiles.
    #[inline(always)]
    pub(crate) fn read(mut cursor: Cursor<'_>) -> Wire<Value> {
        let mut value = Value::Empty;
        while !cursor.done() {
            value = match cursor.key()? {
                0x0a => Value::String(cursor.block()?),
                0x10 => Value::Bool(cursor.varint()? != 0),
                0x18 => Value::Int(cursor.varint()? as i64),
                0x21 => Value::Double(f64::from_bits(cursor.fixed64()?)),
                0x2a => Value::Array(cursor.block()?),
                0x32 => Value::Map(cursor.block()?),
                0x3a => Value::Bytes(cursor.block()?),
                0x40 => {
                    cursor.varint()?;
                    Value::Empty
                }
                key => {
                    cursor.skip(key, 0)?;
                    value
                }
            };
        }
        Ok(value)
    }

    /// Appends the value as text, nothing for an empty one, and says which letter it has.
    #[inline(always)]
    pub(crate) fn text(self, bytes: &[u8], out: &mut Vec<u8>) -> Wire<u8> {
        match self {
            Value::String(block) => text::copy(out, bytes, block),
            Value::Int(value) => int(out, value),
            other => return other.rare_text(bytes, out),
        }
        Ok(if matches!(self, Value::String(_)) { letter::STRING } else { letter::INT })
    }

    #[inline(never)]
    fn rare_text(self, bytes: &[u8], out: &mut Vec<u8>) -> Wire<u8> {
        Ok(match self {
            Value::Empty => letter::EMPTY,
            Value::String(block) => {
                out.extend_from_slice(block.of(bytes));
                letter::STRING
            }
            Value::Bool(value) => {
                bool(out, value);
                letter::BOOL
            }
            Value::Int(value) => {
                int(out, value);
                letter::INT
            }
            Value::Double(value) => {
                double(out, value);
                letter::DOUBLE
            }
            Value::Bytes(block) => {
                base64(out, block.of(bytes));
                letter::BYTES
            }
            Value::Array(block) => {
                json_array(out, bytes, block)?;
                letter::ARRAY
            }
            Value::Map(block) => {
                json_object(out, bytes, block, 1)?;
                letter::MAP
            }
        })
    }

    /// Appends the value as JSON.
    fn json(self, bytes: &[u8], out: &mut Vec<u8>) -> Wire<()> {
        match self {
            Value::Empty => out.extend_from_slice(b"null"),
            Value::String(block) => json_string(out, block.of(bytes)),
            Value::Bool(value) => bool(out, value),
            Value::Int(value) => int(out, value),
            Value::Double(value) => json_double(out, value),
            Value::Bytes(block) => {
                out.extend_from_slice(br#"{"@bytes":""#);
                base64(out, block.of(bytes));
                out.extend_from_slice(br#""}"#);
            }
            Value::Array(block) => json_array(out, bytes, block)?,
            Value::Map(block) => json_object(out, bytes, block, 1)?,
        }
        Ok(())
    }
}

/// An `ArrayValue` as a JSON array.
fn json_array(out: &mut Vec<u8>, bytes: &[u8], block: Block) -> Wire<()> {
    out.push(b'[');
    let start = out.len();
    let mut cursor = Cursor::within(bytes, block);
    while !cursor.done() {
        match cursor.key()? {
            0x0a => {
                if out.len() > start {
                    out.push(b',');
                }
                Value::read(cursor.message()?)?.json(bytes, out)?;
            }
            key => cursor.skip(key, 0)?,
        }
    }
    out.push(b']');
    Ok(())
}

/// The `KeyValue` fields numbered `field` of a message as a JSON object, order and repeated keys kept. The key of a
/// one-key object that begins with `@` gets a second one, so that it cannot be taken for a mark of ours.
pub(crate) fn json_object(out: &mut Vec<u8>, bytes: &[u8], block: Block, field: u32) -> Wire<()> {
    out.push(b'{');
    let start = out.len();
    let mut cursor = Cursor::within(bytes, block);
    while !cursor.done() {
        let key = cursor.key()?;
        if key != otlp_arrow_wire::read::block_key(field) {
            cursor.skip(key, 0)?;
            continue;
        }
        let (name, value) = key_value(cursor.message()?)?;
        let name = name.of(bytes);
        out.extend_from_slice(if out.len() > start { b",\"" } else { b"\"" });
        if name.first() == Some(&b'@') && out.len() == start + 1 && !has_field(cursor, field)? {
            out.push(b'@');
        }
        json_string_tail(out, name);
        out.push(b':');
        value.json(bytes, out)?;
    }
    out.push(b'}');
    Ok(())
}

/// Whether a length-delimited field of this number is still to come.
fn has_field(mut cursor: Cursor<'_>, field: u32) -> Wire<bool> {
    while !cursor.done() {
        let key = cursor.key()?;
        if key == otlp_arrow_wire::read::block_key(field) {
            return Ok(true);
        }
        cursor.skip(key, 0)?;
    }
    Ok(false)
}

/// A `KeyValue` as nearly all senders write it: a key, then a string or an integer, each of less than 128 bytes.
/// `None` for every other form, be it right or wrong.
#[inline(always)]
pub(crate) fn usual_key_value(bytes: &[u8], cursor: Cursor<'_>) -> Option<(Block, Value)> {
    let Block { start, end } = cursor.rest();
    let message = bytes.get(..end)?;
    let &[0x0a, key_len @ 0..0x80] = message.get(start..)?.first_chunk()? else { return None };
    let key = Block { start: start + 2, end: start + 2 + usize::from(key_len) };
    let &[0x12, value_len @ 0..0x80, tag, first] = message.get(key.end..)?.first_chunk()? else { return None };
    let at = key.end + 4;
    if key.end + 2 + usize::from(value_len) != end {
        return None;
    }
    match tag {
        0x0a if first < 0x80 && at + usize::from(first) == end => Some((key, Value::String(Block { start: at, end }))),
        0x18 => {
            let mut cursor = Cursor::within(bytes, Block { start: at - 1, end });
            let value = cursor.varint().ok()? as i64;
            cursor.done().then_some((key, Value::Int(value)))
        }
        _ => None,
    }
}

/// A `KeyValue` message: its key and value. Without a value it has an empty one.
#[inline(always)]
pub(crate) fn key_value(mut cursor: Cursor<'_>) -> Wire<(Block, Value)> {
    let (mut name, mut value) = (Block::default(), Value::Empty);
    while !cursor.done() {
        match cursor.key()? {
            0x0a => name = cursor.block()?,
            0x12 => value = Value::read(cursor.message()?)?,
            key => cursor.skip(key, 0)?,
        }
    }
    Ok((name, value))
}

/// The `entity_refs` (field 3) of a `Resource` as a JSON array of objects with the keys `schema_url`, `type`,
/// `id_keys` and `description_keys`, all of them always; nothing is written when there are none.
pub(crate) fn json_entity_refs(out: &mut Vec<u8>, bytes: &[u8], block: Block) -> Wire<()> {
    let start = out.len();
    let mut cursor = Cursor::within(bytes, block);
    while !cursor.done() {
        match cursor.key()? {
            0x1a => {
                out.push(if out.len() > start { b',' } else { b'[' });
                json_entity_ref(out, bytes, cursor.block()?)?;
            }
            key => cursor.skip(key, 0)?,
        }
    }
    if out.len() > start {
        out.push(b']');
    }
    Ok(())
}

fn json_entity_ref(out: &mut Vec<u8>, bytes: &[u8], block: Block) -> Wire<()> {
    let (mut schema_url, mut kind) = (Block::default(), Block::default());
    let mut cursor = Cursor::within(bytes, block);
    while !cursor.done() {
        match cursor.key()? {
            0x0a => schema_url = cursor.block()?,
            0x12 => kind = cursor.block()?,
            key => cursor.skip(key, 0)?,
        }
    }
    out.extend_from_slice(br#"{"schema_url":"#);
    json_string(out, schema_url.of(bytes));
    out.extend_from_slice(br#","type":"#);
    json_string(out, kind.of(bytes));
    for (name, wanted) in [(&br#","id_keys":["#[..], 0x1a), (br#","description_keys":["#, 0x22)] {
        out.extend_from_slice(name);
        let start = out.len();
        let mut cursor = Cursor::within(bytes, block);
        while !cursor.done() {
            let key = cursor.key()?;
            if key == wanted {
                if out.len() > start {
                    out.push(b',');
                }
                json_string(out, cursor.block()?.of(bytes));
            } else {
                cursor.skip(key, 0)?;
            }
        }
        out.push(b']');
    }
    out.push(b'}');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn doubles_are_shortest_and_marked() {
        for (value, text) in [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (0.1, "0.1"),
            (1e21, "1e+21"),
            (1e-7, "1e-7"),
            (123_456_789.125, "123456789.125"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
            (f64::from_bits(PLAIN_NAN), "NaN"),
            (f64::from_bits(0xfff8_0000_0000_0001), "NaN:fff8000000000001"),
        ] {
            assert_eq!(shown(|out| double(out, value)), text);
        }
        assert_eq!(shown(|out| json_double(out, f64::INFINITY)), r#"{"@double":"Infinity"}"#);
        assert_eq!(shown(|out| json_double(out, 3.0)), "3.0");
    }

    /// Exponents of every size, both signs: read back to the same bits, within the stated length, never like an integer.
    #[test]
    fn doubles_read_back() {
        let mut bits = 1_u64;
        for _ in 0..20_000 {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            for value in [f64::from_bits(bits), (bits >> 40) as f64, 5e-324, f64::MAX, f64::MIN] {
                let text = shown(|out| double(out, value));
                assert!(text.len() <= DOUBLE_LEN, "{text}");
                if value.is_finite() {
                    assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits(), "{text}");
                    assert!(text.contains(['.', 'e']), "{text}");
                }
                assert!(shown(|out| json_double(out, value)).len() <= JSON_DOUBLE_LEN);
            }
        }
    }

    #[test]
    fn json_strings_escape_what_they_must() {
        let text: String = (0..0x80_u8).map(char::from).chain(['é', '😀']).collect();
        let json = shown(|out| json_string(out, text.as_bytes()));
        assert_eq!(json.len(), json_string_len(text.as_bytes()));
        assert!(json.starts_with(r#""\u0000\u0001"#));
        assert!(json.contains(r#"\b\t\n\u000b\f\r"#) && json.contains(r#"\""#) && json.contains(r"\\"));
        let read = jiter::JsonValue::parse(json.as_bytes(), false).unwrap();
        assert!(matches!(read, jiter::JsonValue::Str(read) if read == text));
    }

    #[test]
    fn json_lengths_are_exact_wherever_an_escape_is() {
        for len in 1..20 {
            for (at, byte) in (0..len).flat_map(|at| (0..=255).map(move |byte| (at, byte))) {
                let mut text = vec![b'~'; len];
                text[at] = byte;
                let mut json = Vec::new();
                json_string(&mut json, &text);
                assert_eq!(json.len(), json_string_len(&text), "{byte} at {at} of {len}");
            }
        }
    }

    /// The short way must see what the long way sees, or nothing.
    #[test]
    fn the_usual_form_is_read_alike() {
        let usual = |bytes: &[u8]| usual_key_value(bytes, Cursor::new(bytes));
        let forms: [(&[u8], bool); 11] = [
            (b"\x0a\x01k\x12\x03\x0a\x01v", true),
            (b"\x0a\x00\x12\x02\x0a\x00", true),
            (b"\x0a\x01k\x12\x02\x18\x7f", true),
            (b"\x0a\x01k\x12\x03\x18\x80\x01", true),
            (b"\x0a\x01k\x12\x02\x18\x80", false),
            (b"\x0a\x01k\x12\x02\x10\x01", false),
            (b"\x0a\x01k\x12\x00", false),
            (b"\x0a\x01k", false),
            (b"\x12\x03\x0a\x01v\x0a\x01k", false),
            (b"\x0a\x01k\x12\x05\x0a\x01v\x18\x01", false),
            (b"\x0a\x01k\x12\x03\x0a\x01v\x18\x01", false),
        ];
        for (bytes, is_usual) in forms {
            let general = key_value(Cursor::new(bytes)).ok();
            assert_eq!(usual(bytes), general.filter(|_| is_usual), "{bytes:?}");
            for end in 0..bytes.len() {
                if let Some(found) = usual(&bytes[..end]) {
                    assert_eq!(key_value(Cursor::new(&bytes[..end])), Ok(found));
                }
            }
        }
    }

    #[test]
    fn base64_has_the_stated_length() {
        for (bytes, text) in [(&b""[..], ""), (b"a", "YQ=="), (b"ab", "YWI="), (b"abc", "YWJj")] {
            assert_eq!(shown(|out| base64(out, bytes)), text);
            assert_eq!(base64_len(bytes.len()), text.len());
        }
    }
}

//! Attribute values as text and as JSON (DESIGN 4.1, 4.2) back to `AnyValue` messages.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::out::Out;
use crate::json::tokens::{Text, Tokens, number_len};

/// Arrays and maps are followed to this depth; no decoder of ours writes any deeper.
const MAX_NESTING: usize = 128;

const INTEGER: &str = "not an integer of 64 bits";
const DOUBLE: &str = "not a number";
const JSON: &str = "not the JSON of an attribute value";

/// What is wrong with a text.
pub(super) type Parsed<T> = Result<T, &'static str>;

/// Reads a decimal integer exactly.
#[inline(always)]
pub(super) fn integer(text: &[u8]) -> Parsed<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    if digits.is_empty() || digits.len() > 19 {
        return Err(INTEGER);
    }
    let mut value = 0u64;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err(INTEGER);
        }
        // Nineteen digits stay below 2^64.
        value = value * 10 + u64::from(digit);
    }
    if negative { 0i64.checked_sub_unsigned(value) } else { i64::try_from(value).ok() }.ok_or(INTEGER)
}

/// Reads a double in the forms of DESIGN 4.1 and 4.2.
pub(super) fn double(text: &[u8]) -> Parsed<f64> {
    match text {
        b"NaN" => Ok(f64::from_bits(0x7ff8_0000_0000_0000)),
        b"Infinity" => Ok(f64::INFINITY),
        b"-Infinity" => Ok(f64::NEG_INFINITY),
        [b'N', b'a', b'N', b':', digits @ ..] if digits.len() == 16 => {
            let digit = |bits: u64, byte: &u8| Some(bits << 4 | u64::from(char::from(*byte).to_digit(16)?));
            digits.iter().try_fold(0, digit).map(f64::from_bits).ok_or(DOUBLE)
        }
        _ if number_len(text) == Some(text.len()) => {
            std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(DOUBLE)
        }
        _ => Err(DOUBLE),
    }
}

fn boolean(text: &[u8]) -> Parsed<bool> {
    match text {
        b"true" => Ok(true),
        b"false" => Ok(false),
        _ => Err("neither true nor false"),
    }
}

/// Writes the content of an `AnyValue` message from its text and its letter, in lower case.
pub(super) fn any_value(out: &mut Out, letter: u8, text: Option<&[u8]>) -> Parsed<()> {
    let Some(text) = text else {
        return if letter == b'n' { Ok(()) } else { Err("a null value whose letter is not n") };
    };
    match letter {
        b's' => out.bytes_field(1, text),
        b'b' => out.varint_field(2, boolean(text)?.into()),
        b'i' => out.varint_field(3, integer(text)? as u64),
        b'd' => out.fixed64_field(4, double(text)?.to_bits()),
        b'y' => out.bytes_field(7, &bytes(text)?),
        b'a' | b'm' => {
            let mut tokens = Tokens::new(text);
            let opening = if letter == b'a' { b'[' } else { b'{' };
            if tokens.peek().ok() != Some(opening) {
                return Err(JSON);
            }
            if letter == b'a' {
                array(out, &mut tokens, 0)?
            } else {
                map(out, &mut tokens, 0)?
            }
            tokens.finish().map_err(|_| JSON)?;
        }
        _ => return Err("a letter that no type has"),
    }
    Ok(())
}

fn bytes(text: &[u8]) -> Parsed<Vec<u8>> {
    STANDARD.decode(text).map_err(|_| "not base64")
}

/// Writes an `array_value` field from JSON.
fn array(out: &mut Out, tokens: &mut Tokens<'_>, depth: usize) -> Parsed<()> {
    let open = out.open(5, 1);
    elements(tokens, |tokens| {
        let element = out.open(1, 1);
        json(out, tokens, depth + 1)?;
        out.close(element);
        Ok(())
    })?;
    out.close(open);
    Ok(())
}

/// Writes a `kvlist_value` field from JSON, or the double or bytes that a marked object stands for.
fn map(out: &mut Out, tokens: &mut Tokens<'_>, depth: usize) -> Parsed<()> {
    let open = out.open(6, 1);
    key_values(out, tokens, 1, depth)?;
    out.close(open);
    Ok(())
}

/// Calls `element` at each element of an array.
pub(super) fn elements(tokens: &mut Tokens<'_>, mut element: impl FnMut(&mut Tokens<'_>) -> Parsed<()>) -> Parsed<()> {
    tokens.expect(b'[', JSON).map_err(|_| JSON)?;
    let mut more = !tokens.eat(b']').map_err(|_| JSON)?;
    while more {
        element(tokens)?;
        more = tokens.more(b']').map_err(|_| JSON)?;
    }
    Ok(())
}

/// Calls `member` at the value of each member of an object, with its unescaped key.
pub(super) fn members(
    tokens: &mut Tokens<'_>,
    mut member: impl FnMut(&mut Tokens<'_>, &[u8]) -> Parsed<()>,
) -> Parsed<()> {
    tokens.expect(b'{', JSON).map_err(|_| JSON)?;
    let mut more = !tokens.eat(b'}').map_err(|_| JSON)?;
    while more {
        let key = tokens.key().map_err(|_| JSON)?;
        with_text(key, |key| member(tokens, key))?;
        more = tokens.more(b'}').map_err(|_| JSON)?;
    }
    Ok(())
}

/// Takes a string and hands on what it means.
pub(super) fn string<T>(tokens: &mut Tokens<'_>, take: impl FnOnce(&[u8]) -> Parsed<T>) -> Parsed<T> {
    if tokens.peek().ok() != Some(b'"') {
        return Err(JSON);
    }
    let text = tokens.string().map_err(|_| JSON)?;
    with_text(text, take)
}

fn with_text<T>(text: Text<'_>, take: impl FnOnce(&[u8]) -> Parsed<T>) -> Parsed<T> {
    if !text.escaped {
        return take(text.raw);
    }
    let mut plain = Vec::with_capacity(text.raw.len());
    text.append_to(&mut plain);
    take(&plain)
}

/// Writes the members of a JSON object as `KeyValue` fields of this number.
pub(super) fn key_values(out: &mut Out, tokens: &mut Tokens<'_>, number: u8, depth: usize) -> Parsed<()> {
    let only = is_marked(tokens)?;
    members(tokens, |tokens, key| {
        let open = out.open(number, 1);
        // A one-key object whose key begins with @ was given a second one.
        out.bytes_field(1, if only && key.starts_with(b"@@") { &key[1..] } else { key });
        let value = out.open(2, 1);
        json(out, tokens, depth + 1)?;
        out.close(value);
        out.close(open);
        Ok(())
    })
}

/// Whether the object that begins here has one key, and that begins with `@`.
fn is_marked(tokens: &Tokens<'_>) -> Parsed<bool> {
    let mut ahead = *tokens;
    ahead.expect(b'{', JSON).map_err(|_| JSON)?;
    if ahead.peek().map_err(|_| JSON)? == b'}' || !ahead.key().map_err(|_| JSON)?.raw.starts_with(b"@") {
        return Ok(false);
    }
    ahead.skip().map_err(|_| JSON)?;
    ahead.eat(b'}').map_err(|_| JSON)
}

/// Writes the content of an `AnyValue` message from JSON.
fn json(out: &mut Out, tokens: &mut Tokens<'_>, depth: usize) -> Parsed<()> {
    if depth > MAX_NESTING {
        return Err("arrays and maps nested too deep");
    }
    match tokens.peek().map_err(|_| JSON)? {
        b'n' => tokens.literal("null").map_err(|_| JSON)?,
        b't' => {
            tokens.literal("true").map_err(|_| JSON)?;
            out.varint_field(2, 1);
        }
        b'f' => {
            tokens.literal("false").map_err(|_| JSON)?;
            out.varint_field(2, 0);
        }
        b'"' => string(tokens, |text| {
            out.bytes_field(1, text);
            Ok(())
        })?,
        b'[' => array(out, tokens, depth)?,
        b'{' if is_marked(tokens)? => marked(out, tokens, depth)?,
        b'{' => map(out, tokens, depth)?,
        _ => {
            let number = tokens.number().map_err(|_| JSON)?;
            if number.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E')) {
                out.fixed64_field(4, double(number)?.to_bits());
            } else {
                out.varint_field(3, integer(number)? as u64);
            }
        }
    }
    Ok(())
}

/// A one-key object whose key begins with `@`: a double, bytes, or a real object.
fn marked(out: &mut Out, tokens: &mut Tokens<'_>, depth: usize) -> Parsed<()> {
    let mut ahead = *tokens;
    let mut mark = None;
    members(&mut ahead, |ahead, key| {
        mark = match key {
            b"@double" => Some(string(ahead, double).map(|value| out.fixed64_field(4, value.to_bits()))?),
            b"@bytes" => Some(string(ahead, bytes).map(|value| out.bytes_field(7, &value))?),
            _ => return ahead.skip().map_err(|_| JSON),
        };
        Ok(())
    })?;
    if mark.is_none() {
        return map(out, tokens, depth);
    }
    *tokens = ahead;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_exact() {
        for value in [0, 7, -1, i64::MIN, i64::MAX, 1_000_000_007] {
            assert_eq!(integer(value.to_string().as_bytes()), Ok(value));
        }
        for text in ["", "-", "+1", "1.0", "9223372036854775808", "-9223372036854775809", "99999999999999999999", "x"] {
            assert_eq!(integer(text.as_bytes()), Err(INTEGER), "{text}");
        }
    }

    #[test]
    fn doubles_keep_every_bit() {
        for bits in [0u64, 1 << 63, 0x7ff8_0000_0000_0000, 0x7ff8_0000_0000_0001, 0xfff0_0000_0000_0001, 0x7ff0 << 48] {
            let value = f64::from_bits(bits);
            let text = match value {
                _ if bits == 0x7ff8_0000_0000_0000 => "NaN".into(),
                _ if value.is_nan() => format!("NaN:{bits:016x}"),
                _ if value.is_infinite() => "Infinity".into(),
                _ => format!("{value:?}"),
            };
            assert_eq!(double(text.as_bytes()).map(f64::to_bits), Ok(bits), "{text}");
        }
        for text in ["", "nan", "NaN:12", "inf", "1.", "NaN:zzzzzzzzzzzzzzzz"] {
            assert_eq!(double(text.as_bytes()).map(f64::to_bits), Err(DOUBLE), "{text}");
        }
    }
}

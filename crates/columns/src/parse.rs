//! Attribute values as text and as JSON (DESIGN 4.1, 4.2): what they say.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::json::tokens::{Text, Tokens, number_len};

const INTEGER: &str = "not an integer of 64 bits";
const DOUBLE: &str = "not a number";
/// What text is that should be JSON.
pub(crate) const JSON: &str = "not the JSON of an attribute value";

/// What is wrong with a text.
pub(crate) type Parsed<T> = Result<T, &'static str>;

/// Reads a decimal integer exactly.
#[inline(always)]
pub(crate) fn integer(text: &[u8]) -> Parsed<i64> {
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
pub(crate) fn double(text: &[u8]) -> Parsed<f64> {
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

/// Reads `true` or `false`.
pub(crate) fn boolean(text: &[u8]) -> Parsed<bool> {
    match text {
        b"true" => Ok(true),
        b"false" => Ok(false),
        _ => Err("neither true nor false"),
    }
}

/// Reads standard base64.
pub(crate) fn bytes(text: &[u8]) -> Parsed<Vec<u8>> {
    STANDARD.decode(text).map_err(|_| "not base64")
}

/// Calls `element` at each element of an array.
pub(crate) fn elements(tokens: &mut Tokens<'_>, mut element: impl FnMut(&mut Tokens<'_>) -> Parsed<()>) -> Parsed<()> {
    tokens.expect(b'[', JSON).map_err(|_| JSON)?;
    let mut more = !tokens.eat(b']').map_err(|_| JSON)?;
    while more {
        element(tokens)?;
        more = tokens.more(b']').map_err(|_| JSON)?;
    }
    Ok(())
}

/// Calls `member` at the value of each member of an object, with its unescaped key.
pub(crate) fn members<'a>(
    tokens: &mut Tokens<'a>,
    mut member: impl FnMut(&mut Tokens<'a>, &[u8]) -> Parsed<()>,
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
pub(crate) fn string<T>(tokens: &mut Tokens<'_>, take: impl FnOnce(&[u8]) -> Parsed<T>) -> Parsed<T> {
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

/// Whether the object that begins here has one key, and that begins with `@`.
pub(crate) fn is_marked(tokens: &Tokens<'_>) -> Parsed<bool> {
    let mut ahead = *tokens;
    ahead.expect(b'{', JSON).map_err(|_| JSON)?;
    if ahead.peek().map_err(|_| JSON)? == b'}' || !ahead.key().map_err(|_| JSON)?.raw.starts_with(b"@") {
        return Ok(false);
    }
    ahead.skip().map_err(|_| JSON)?;
    ahead.eat(b'}').map_err(|_| JSON)
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

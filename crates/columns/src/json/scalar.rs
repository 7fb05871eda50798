//! Single values of OTLP/JSON: numbers in all their spellings, ids in hexadecimal, bytes in base64.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::tokens::number_len;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Why a number is not an integer of the range asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotInteger {
    /// A whole number, but too large or too small.
    OutOfRange,
    /// Not a whole number, or no number.
    Other,
}

/// Reads an integer in any spelling of JSON: `7`, `-7`, `7.0`, `7e2`.
pub(super) fn integer(text: &[u8]) -> Result<i128, NotInteger> {
    if number_len(text) != Some(text.len()) {
        return Err(NotInteger::Other);
    }
    let (negative, text) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let magnitude = if text.len() <= 20 && text.iter().all(u8::is_ascii_digit) {
        text.iter().fold(0i128, |value, &digit| value * 10 + i128::from(digit - b'0'))
    } else {
        decimal(text)?
    };
    Ok(if negative { -magnitude } else { magnitude })
}

/// A non-negative number with a point, an exponent or many digits.
fn decimal(text: &[u8]) -> Result<i128, NotInteger> {
    let (mantissa, exponent) = match text.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(at) => (&text[..at], exponent(&text[at + 1..])),
        None => (text, 0),
    };
    let (whole, fraction) = match mantissa.iter().position(|&byte| byte == b'.') {
        Some(at) => (&mantissa[..at], &mantissa[at + 1..]),
        None => (mantissa, &b""[..]),
    };
    let digit = |at: usize| if at < whole.len() { whole[at] } else { fraction[at - whole.len()] } - b'0';
    let total = whole.len() + fraction.len();
    let Some(first) = (0..total).find(|&at| digit(at) != 0) else { return Ok(0) };
    let last = (0..total).rfind(|&at| digit(at) != 0).unwrap_or(first);
    // The point stands after this many digits, counted from the first digit of the text.
    let point = whole.len() as i64 + exponent;
    if point <= last as i64 {
        return Err(NotInteger::Other);
    }
    if point - first as i64 > 20 {
        return Err(NotInteger::OutOfRange);
    }
    let value = (first..=last).fold(0i128, |value, at| value * 10 + i128::from(digit(at)));
    Ok((last as i64 + 1..point).fold(value, |value, _| value * 10))
}

/// An exponent; one too large for any sum with a length is as good as the true one.
fn exponent(text: &[u8]) -> i64 {
    let (negative, digits) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    };
    let value = digits
        .iter()
        .fold(0i64, |value, &digit| value.saturating_mul(10).saturating_add(i64::from(digit - b'0')).min(1 << 60));
    if negative { -value } else { value }
}

/// Reads a floating point number; none when it is not a number, or too large for one.
pub(super) fn double(text: &[u8]) -> Option<f64> {
    if number_len(text) != Some(text.len()) {
        return None;
    }
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    value.is_finite().then_some(value)
}

/// The digits of a quoted integer without zeros before them, which JSON's own numbers cannot have.
pub(super) fn without_zeros(text: &[u8]) -> &[u8] {
    let zeros = text.iter().take_while(|&&byte| byte == b'0').count();
    if text.iter().all(u8::is_ascii_digit) { &text[zeros.min(text.len().saturating_sub(1))..] } else { text }
}

/// Reads a floating point number written as a string, such as `NaN` or `1.5`, or `+Inf` as Go writes it.
pub(super) fn quoted_double(text: &[u8]) -> Option<f64> {
    let (sign, name) = match text.split_first() {
        Some((b'-', rest)) => (-1.0, rest),
        Some((b'+', rest)) => (1.0, rest),
        _ => (1.0, text),
    };
    if name.eq_ignore_ascii_case(b"infinity") || name.eq_ignore_ascii_case(b"inf") {
        return Some(f64::INFINITY * sign);
    }
    if text.eq_ignore_ascii_case(b"nan") { Some(f64::NAN) } else { double(text) }
}

/// Reads an id into `out`. What is not hexadecimal gives one byte, which no id has, so that the record is refused.
pub(super) fn id(text: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let (pairs, odd) = text.as_chunks::<2>();
    for &[high, low] in pairs {
        match (digit(high), digit(low)) {
            (Some(high), Some(low)) => out.push(high << 4 | low),
            _ => return invalid_id(start, out),
        }
    }
    if !odd.is_empty() {
        invalid_id(start, out);
    }
}

fn invalid_id(start: usize, out: &mut Vec<u8>) {
    out.truncate(start);
    out.push(0);
}

/// Reads base64 of either alphabet, with or without padding, into `out`; false when it is none.
pub(super) fn bytes(text: &[u8], out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let result = if text.iter().any(|byte| matches!(byte, b'-' | b'_')) {
        let standard: Vec<u8> = text
            .iter()
            .map(|byte| match byte {
                b'-' => b'+',
                b'_' => b'/',
                other => *other,
            })
            .collect();
        decode(&standard, out)
    } else {
        decode(text, out)
    };
    if !result {
        out.truncate(start);
    }
    result
}

fn decode(text: &[u8], out: &mut Vec<u8>) -> bool {
    let start = out.len();
    out.resize(start + base64::decoded_len_estimate(text.len()), 0);
    match BASE64.decode_slice(text, &mut out[start..]) {
        Ok(len) => {
            out.truncate(start + len);
            true
        }
        Err(_) => false,
    }
}

/// Appends bytes as base64 with padding.
pub(super) fn put_base64(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    let len = base64::encoded_len(bytes.len(), true).unwrap_or_default();
    out.resize(start + len, 0);
    let written = BASE64.encode_slice(bytes, &mut out[start..]).unwrap_or_default();
    out.truncate(start + written);
}

/// Appends bytes as lower-case hexadecimal.
pub(super) fn put_hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend(bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_in_every_spelling() {
        for (text, expected) in [
            ("0", 0),
            ("-0", 0),
            ("7", 7),
            ("1e3", 1000),
            ("1.0", 1),
            ("-1.5e1", -15),
            ("1200e-2", 12),
            ("0.000", 0),
            ("0e999999999999999999999", 0),
            ("18446744073709551615", i128::from(u64::MAX)),
            ("-9223372036854775808", i128::from(i64::MIN)),
            ("9.223372036854775807E+18", i128::from(i64::MAX)),
            ("000", -1),
        ] {
            match integer(text.as_bytes()) {
                Ok(value) => assert_eq!(value, expected, "{text}"),
                Err(_) => assert_eq!(text, "000"),
            }
        }
        for text in ["1.5", "1e-1", "", "abc", "1e", "+1", " 1", "1e-99999999999999999999"] {
            assert_eq!(integer(text.as_bytes()), Err(NotInteger::Other), "{text}");
        }
        for text in ["1e21", "-123456789012345678901234567890", "1e99999999999999999999"] {
            assert_eq!(integer(text.as_bytes()), Err(NotInteger::OutOfRange), "{text}");
        }
    }

    #[test]
    fn doubles() {
        assert_eq!(double(b"-0.0").map(f64::to_bits), Some((-0.0f64).to_bits()));
        assert_eq!(double(b"1e-400"), Some(0.0));
        assert_eq!(double(b"1e400"), None);
        assert_eq!(double(b"inf"), None);
        assert!(quoted_double(b"NaN").is_some_and(f64::is_nan));
        assert_eq!(quoted_double(b"-Infinity"), Some(f64::NEG_INFINITY));
        assert_eq!(quoted_double(b"1.5"), Some(1.5));
        assert!(quoted_double(b"nan").is_some_and(f64::is_nan));
        assert_eq!(quoted_double(b"+Inf"), Some(f64::INFINITY));
        for none in [&b"+NaN"[..], b"-", b"", b"infinit", b"+1"] {
            assert_eq!(quoted_double(none), None);
        }
    }

    #[test]
    fn zeros_before_quoted_integers() {
        for (text, expected) in [("007", "7"), ("000", "0"), ("0", "0"), ("", ""), ("-07", "-07"), ("00.5", "00.5")] {
            assert_eq!(without_zeros(text.as_bytes()), expected.as_bytes());
        }
    }

    #[test]
    fn ids_and_bytes() {
        let read = |text: &str| {
            let mut out = Vec::new();
            id(text.as_bytes(), &mut out);
            out
        };
        assert_eq!(read("00fFA5"), [0, 255, 165]);
        assert_eq!(read(""), [0u8; 0]);
        assert_eq!(read("abc"), [0]);
        assert_eq!(read("zz00"), [0]);
        let decoded = |text: &str| {
            let mut out = vec![9];
            bytes(text.as_bytes(), &mut out).then(|| out.split_off(1))
        };
        for text in ["+/8=", "+/8", "-_8", "-_8="] {
            assert_eq!(decoded(text), Some(vec![251, 255]), "{text}");
        }
        assert_eq!(decoded(""), Some(Vec::new()));
        assert_eq!(decoded("!"), None);
        assert_eq!(decoded("A"), None);
    }
}

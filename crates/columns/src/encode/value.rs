//! Attribute values as text and as JSON (DESIGN 4.1, 4.2) back to `AnyValue` messages.

use super::out::Out;
use crate::json::tokens::Tokens;
use crate::parse::{JSON, Parsed, boolean, bytes, double, elements, integer, is_marked, members, string};

/// Arrays and maps are followed to this depth; no decoder of ours writes any deeper.
const MAX_NESTING: usize = 128;

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

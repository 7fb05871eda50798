//! Whether the JSON of a column says what an encoder can write.

use std::borrow::Cow;

use super::context::Context;
use crate::json::tokens::Tokens;
use crate::parse::{JSON, Parsed, bytes, double, elements, integer, is_marked, members, string};
use crate::render::letter;

const TOO_DEEP: &str = "arrays and maps nested too deep";

/// An `attributes`-like JSON object.
pub(super) fn object(context: &Context, json: &[u8]) -> Parsed<()> {
    let mut tokens = Tokens::new(json);
    members(&mut tokens, |tokens, _| value(tokens, context.nesting))?;
    tokens.finish().map_err(|_| "text after the JSON object")
}

/// An array, the value of the letter `a`.
pub(super) fn array_value(context: &Context, json: &[u8]) -> Parsed<()> {
    let mut tokens = Tokens::new(json);
    array(&mut tokens, context.nesting)?;
    tokens.finish().map_err(|_| JSON)
}

/// An object, the value of the letter `m`.
pub(super) fn map_value(context: &Context, json: &[u8]) -> Parsed<()> {
    let mut tokens = Tokens::new(json);
    map(&mut tokens, context.nesting)?;
    tokens.finish().map_err(|_| JSON)
}

/// The JSON of `resource_entity_refs`.
pub(super) fn entity_refs(json: &[u8]) -> Parsed<()> {
    let mut tokens = Tokens::new(json);
    elements(&mut tokens, |tokens| {
        members(tokens, |tokens, key| match key {
            b"schema_url" | b"type" => string(tokens, |_| Ok(())),
            b"id_keys" | b"description_keys" => elements(tokens, |tokens| string(tokens, |_| Ok(()))),
            _ => Err("an entity reference has a key other than schema_url, type, id_keys and description_keys"),
        })
    })?;
    tokens.finish().map_err(|_| "text after the JSON array")
}

/// Whether JSON that was found sound is an object or array without anything in it.
pub(crate) fn is_empty(json: &[u8]) -> bool {
    let mut tokens = Tokens::new(json);
    let opened = tokens.eat(b'{').is_ok_and(|object| object) || tokens.eat(b'[').is_ok_and(|array| array);
    opened && matches!(tokens.peek(), Ok(b'}' | b']'))
}

fn value(tokens: &mut Tokens<'_>, levels: usize) -> Parsed<()> {
    let literal = |tokens: &mut Tokens<'_>, word| tokens.literal(word).map_err(|_| JSON);
    match tokens.peek().map_err(|_| JSON)? {
        b'n' => literal(tokens, "null"),
        b't' => literal(tokens, "true"),
        b'f' => literal(tokens, "false"),
        b'"' => string(tokens, |_| Ok(())),
        b'[' => array(tokens, levels),
        b'{' if is_marked(tokens)? => marked(tokens, levels),
        b'{' => map(tokens, levels),
        _ => {
            let number = tokens.number().map_err(|_| JSON)?;
            if is_double(number) { double(number).map(drop) } else { integer(number).map(drop) }
        }
    }
}

fn is_double(number: &[u8]) -> bool {
    number.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E'))
}

fn array(tokens: &mut Tokens<'_>, levels: usize) -> Parsed<()> {
    let levels = levels.checked_sub(1).ok_or(TOO_DEEP)?;
    elements(tokens, |tokens| value(tokens, levels))
}

fn map(tokens: &mut Tokens<'_>, levels: usize) -> Parsed<()> {
    let levels = levels.checked_sub(1).ok_or(TOO_DEEP)?;
    members(tokens, |tokens, _| value(tokens, levels))
}

/// An object of one key that begins with `@`: a double, bytes, or a real object.
fn marked(tokens: &mut Tokens<'_>, levels: usize) -> Parsed<()> {
    let mut ahead = *tokens;
    let mut is_mark = true;
    members(&mut ahead, |ahead, key| match key {
        b"@double" => string(ahead, |text| double(text).map(drop)),
        b"@bytes" => string(ahead, |text| bytes(text).map(drop)),
        _ => {
            is_mark = false;
            ahead.skip().map_err(|_| JSON)
        }
    })?;
    if !is_mark {
        return map(tokens, levels);
    }
    *tokens = ahead;
    Ok(())
}

/// The first `service.name` of a resource, as the text it has in `service_name`: none when there is none, or it is empty.
/// The JSON was found sound.
pub(crate) fn service_name(json: &[u8]) -> Option<Cow<'_, [u8]>> {
    let mut tokens = Tokens::new(json);
    let mut found = None;
    let mut named = false;
    let read = members(&mut tokens, |tokens, key| {
        let own = (!named && key == b"service.name").then_some(*tokens);
        let value = tokens.skip_raw().map_err(|_| JSON)?;
        if let Some(mut at) = own {
            named = true;
            found = text_of(&mut at, value)?;
        }
        Ok(())
    });
    read.ok().and(found)
}

/// A value within JSON as the text it would have as an attribute.
fn text_of<'a>(tokens: &mut Tokens<'a>, raw: &'a [u8]) -> Parsed<Option<Cow<'a, [u8]>>> {
    let is_mark = raw.starts_with(b"{") && is_marked(tokens)?;
    Ok(match raw.first() {
        Some(b'n') | None => None,
        Some(b'"') => Some(Cow::Owned(string(tokens, |text| Ok(text.to_vec()))?)),
        Some(b'{') if is_mark => {
            let mut text = Cow::Borrowed(raw);
            members(tokens, |tokens, key| match key {
                b"@double" | b"@bytes" => string(tokens, |inner| {
                    text = Cow::Owned(inner.to_vec());
                    Ok(())
                }),
                _ => tokens.skip().map_err(|_| JSON),
            })?;
            Some(text)
        }
        Some(_) => Some(Cow::Borrowed(raw)),
    })
}

/// A value by its letter, in lower case.
pub(super) fn attribute(context: &Context, letter: u8, text: Option<&[u8]>) -> Parsed<()> {
    let Some(text) = text else {
        return if letter == letter::EMPTY { Ok(()) } else { Err("a null value whose letter is not n") };
    };
    match letter {
        letter::STRING => Ok(()),
        letter::BOOL => crate::parse::boolean(text).map(drop),
        letter::INT => integer(text).map(drop),
        letter::DOUBLE => double(text).map(drop),
        letter::BYTES => bytes(text).map(drop),
        letter::ARRAY => array_value(context, text),
        letter::MAP => map_value(context, text),
        letter::EMPTY => Err("a value that is not null, and its letter is n"),
        _ => Err("a letter that no type has"),
    }
}

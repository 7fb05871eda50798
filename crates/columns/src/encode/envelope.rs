//! Resources and scopes back to their messages.

use super::EncodeError;
use super::column::Flaw;
use super::group::{ResourceGroup, ScopeGroup};
use super::out::Out;
use super::value::key_values;
use crate::json::tokens::Tokens;
use crate::parse::{Parsed, elements, members, string};

/// Writes the `resource` field of a `ResourceSpans`, `ResourceMetrics` or `ResourceLogs` message.
pub(super) fn resource(out: &mut Out, group: &ResourceGroup<'_>) -> Result<(), EncodeError> {
    let key = &group.key;
    let Some(attributes) = key.attributes else { return Ok(()) };
    let corrupt = |column| move |message| group.first.corrupt(group.first.start, Flaw { column, message });
    let resource = out.open(1, 2);
    object(out, 1, attributes).map_err(corrupt("resource_attributes"))?;
    out.varint_unless_zero(2, key.dropped.into());
    if let Some(refs) = key.entity_refs {
        entity_refs(out, refs).map_err(corrupt("resource_entity_refs"))?;
    }
    out.close(resource);
    Ok(())
}

/// Writes the `scope` field of a `ScopeSpans`, `ScopeMetrics` or `ScopeLogs` message.
pub(super) fn scope(out: &mut Out, group: &ScopeGroup<'_>) -> Result<(), EncodeError> {
    let key = &group.key;
    let Some(name) = key.name else { return Ok(()) };
    let scope = out.open(1, 1);
    out.bytes_unless_empty(1, name);
    out.bytes_unless_empty(2, key.version);
    if !key.attributes.is_empty() {
        object(out, 3, key.attributes)
            .map_err(|message| group.first.corrupt(group.first.start, Flaw { column: "scope_attributes", message }))?;
    }
    out.varint_unless_zero(4, key.dropped.into());
    out.close(scope);
    Ok(())
}

/// Writes the members of a JSON object as attributes in fields of this number.
pub(super) fn object(out: &mut Out, number: u8, json: &[u8]) -> Parsed<()> {
    let mut tokens = Tokens::new(json);
    key_values(out, &mut tokens, number, 0)?;
    tokens.finish().map_err(|_| "text after the JSON object")
}

fn entity_refs(out: &mut Out, json: &[u8]) -> Parsed<()> {
    let mut tokens = Tokens::new(json);
    elements(&mut tokens, |tokens| {
        let entity = out.open(3, 1);
        members(tokens, |tokens, key| {
            let number = match key {
                b"schema_url" => 1,
                b"type" => 2,
                b"id_keys" => 3,
                b"description_keys" => 4,
                _ => return tokens.skip().map_err(|_| "not the JSON of entity references"),
            };
            if number < 3 {
                return string(tokens, |text| {
                    out.bytes_unless_empty(number, text);
                    Ok(())
                });
            }
            elements(tokens, |tokens| {
                string(tokens, |text| {
                    out.bytes_field(number, text);
                    Ok(())
                })
            })
        })?;
        out.close(entity);
        Ok(())
    })?;
    tokens.finish().map_err(|_| "text after the JSON array")
}

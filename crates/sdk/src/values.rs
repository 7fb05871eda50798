//! Attributes, values, resources and scopes of the SDK as OTLP fields.

use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::logs::AnyValue;
use opentelemetry::{Array, InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::Resource;

use otlp_arrow_wire::Writer;
use otlp_arrow_wire::write::varint_len;

/// Nanoseconds since 1970; 0 for earlier times.
pub(super) fn nanos(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

/// A value that is written in one piece.
#[derive(Clone, Copy)]
enum Leaf<'a> {
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

impl Leaf<'_> {
    /// Bytes of the AnyValue.
    fn len(self) -> usize {
        let of_bytes = |length: usize| 1 + varint_len(length as u64) + length;
        match self {
            Leaf::Bool(_) => 2,
            Leaf::Int(value) => 1 + varint_len(value as u64),
            Leaf::Double(_) => 9,
            Leaf::Text(text) => of_bytes(text.len()),
            Leaf::Bytes(bytes) => of_bytes(bytes.len()),
        }
    }

    /// The fields of the AnyValue.
    fn fields(self, out: &mut Writer) {
        match self {
            Leaf::Text(text) => out.bytes_always(1, text.as_bytes()),
            Leaf::Bool(value) => out.uint_always(2, u64::from(value)),
            Leaf::Int(value) => out.uint_always(3, value as u64),
            Leaf::Double(value) => out.double_always(4, value),
            Leaf::Bytes(bytes) => out.bytes_always(7, bytes),
        }
    }

    /// An AnyValue in a field.
    fn any(self, field: u32, out: &mut Writer) {
        out.head(field, self.len());
        self.fields(out);
    }

    /// A KeyValue in a field.
    fn pair(self, field: u32, key: &str, out: &mut Writer) {
        let value = self.len();
        let name = if key.is_empty() { 0 } else { 1 + varint_len(key.len() as u64) + key.len() };
        out.head(field, name + 1 + varint_len(value as u64) + value);
        out.text(1, key);
        self.any(2, out);
    }
}

fn leaf(value: &Value) -> Option<Leaf<'_>> {
    Some(match value {
        Value::Bool(value) => Leaf::Bool(*value),
        Value::I64(value) => Leaf::Int(*value),
        Value::F64(value) => Leaf::Double(*value),
        Value::String(text) => Leaf::Text(text.as_str()),
        _ => return None,
    })
}

fn array(array: &Array, out: &mut Writer) {
    out.nest(5, 1, |out| match array {
        Array::Bool(values) => values.iter().for_each(|value| Leaf::Bool(*value).any(1, out)),
        Array::I64(values) => values.iter().for_each(|value| Leaf::Int(*value).any(1, out)),
        Array::F64(values) => values.iter().for_each(|value| Leaf::Double(*value).any(1, out)),
        Array::String(values) => values.iter().for_each(|value| Leaf::Text(value.as_str()).any(1, out)),
        // The enum may grow: a kind of array that is unknown here is kept as the text it prints.
        other => Leaf::Text(&other.to_string()).any(1, out),
    });
}

/// An attribute as a KeyValue in a field.
pub(super) fn attribute(field: u32, key: &str, value: &Value, out: &mut Writer) {
    if let Some(leaf) = leaf(value) {
        return leaf.pair(field, key, out);
    }
    out.nest(field, 1, |out| {
        out.text(1, key);
        match value {
            Value::Array(values) => out.nest(2, 1, |out| array(values, out)),
            other => Leaf::Text(&other.to_string()).any(2, out),
        }
    });
}

/// Attributes as KeyValues in a repeated field.
pub(super) fn attributes<'a>(field: u32, pairs: impl IntoIterator<Item = &'a KeyValue>, out: &mut Writer) {
    for pair in pairs {
        attribute(field, pair.key.as_str(), &pair.value, out);
    }
}

fn log_leaf(value: &AnyValue) -> Option<Leaf<'_>> {
    Some(match value {
        AnyValue::Int(value) => Leaf::Int(*value),
        AnyValue::Double(value) => Leaf::Double(*value),
        AnyValue::String(text) => Leaf::Text(text.as_str()),
        AnyValue::Boolean(value) => Leaf::Bool(*value),
        AnyValue::Bytes(bytes) => Leaf::Bytes(bytes),
        _ => return None,
    })
}

/// A log value as an AnyValue in a field.
pub(super) fn log_value(field: u32, value: &AnyValue, out: &mut Writer) {
    if let Some(leaf) = log_leaf(value) {
        return leaf.any(field, out);
    }
    out.nest(field, 1, |out| match value {
        AnyValue::ListAny(values) => out.nest(5, 1, |out| {
            for value in values.iter() {
                log_value(1, value, out);
            }
        }),
        AnyValue::Map(pairs) => out.nest(6, 1, |out| {
            for (key, value) in pairs.iter() {
                log_attribute(1, key.as_str(), value, out);
            }
        }),
        // The enum may grow: a kind of value that is unknown here is kept as the text it prints.
        other => Leaf::Text(&format!("{other:?}")).fields(out),
    });
}

/// A log attribute as a KeyValue in a field.
pub(super) fn log_attribute(field: u32, key: &str, value: &AnyValue, out: &mut Writer) {
    match log_leaf(value) {
        Some(leaf) => leaf.pair(field, key, out),
        None => out.nest(field, 1, |out| {
            out.text(1, key);
            log_value(2, value, out);
        }),
    }
}

/// A scope in field 1; `name` stands in for its own.
pub(super) fn scope(scope: &InstrumentationScope, name: &str, out: &mut Writer) {
    out.nest(1, 1, |out| {
        out.text(1, name);
        out.text(2, scope.version().unwrap_or_default());
        attributes(3, scope.attributes(), out);
    });
}

/// Whether two scopes are written as one.
pub(super) fn same_scope(one: &InstrumentationScope, other: &InstrumentationScope) -> bool {
    one.name() == other.name()
        && one.version() == other.version()
        && one.schema_url() == other.schema_url()
        && one.attributes().eq(other.attributes())
}

/// A resource as the fields `resource` and `schema_url` of the three `Resource*` messages, written once.
pub(super) fn resource(resource: &Resource) -> Vec<u8> {
    let mut out = Writer::default();
    resource_fields(resource, &mut out);
    out.finish()
}

/// The same, written in place.
pub(super) fn resource_fields(resource: &Resource, out: &mut Writer) {
    out.nest(1, 2, |out| {
        for (key, value) in resource {
            attribute(1, key.as_str(), value, out);
        }
    });
    out.text(3, resource.schema_url().unwrap_or_default());
}

/// Items that share a scope, in order of first appearance: the distinct keys, and for each item the position of its
/// key. The positions are empty while there is one key, which is the usual case.
pub(super) fn group<K: Copy>(keys: impl Iterator<Item = K>, same: impl Fn(K, K) -> bool) -> (Vec<K>, Vec<u32>) {
    let mut distinct: Vec<K> = Vec::new();
    let mut positions: Vec<u32> = Vec::new();
    let mut last = 0;
    for (index, key) in keys.enumerate() {
        if !distinct.get(last).is_some_and(|known| same(*known, key)) {
            last = distinct.iter().position(|known| same(*known, key)).unwrap_or_else(|| {
                distinct.push(key);
                distinct.len() - 1
            });
        }
        if distinct.len() > 1 {
            positions.resize(index, 0);
            positions.push(last as u32);
        }
    }
    (distinct, positions)
}

/// Whether item `index` belongs to the key at `position` of what [`group`] returned.
pub(super) fn belongs(positions: &[u32], index: usize, position: usize) -> bool {
    positions.get(index).is_none_or(|of| *of as usize == position)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_grouped_in_order_of_first_appearance() {
        let (distinct, positions) = group([1, 1, 2, 1, 3, 3, 2].into_iter(), |a, b| a == b);
        assert_eq!((distinct, positions), (vec![1, 2, 3], vec![0, 0, 1, 0, 2, 2, 1]));
        let (distinct, positions) = group([5, 5].into_iter(), |a, b| a == b);
        assert_eq!((distinct, positions.len()), (vec![5], 0));
        assert!(belongs(&[], 1, 0) && belongs(&[0, 1], 1, 1) && !belongs(&[0, 1], 1, 0));
    }
}

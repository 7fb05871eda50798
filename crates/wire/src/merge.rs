//! Protobuf's merging, done once in advance.
//!
//! A singular message field may occur several times; the occurrences are merged, and a oneof keeps its last member.
//! Hardly any sender does this, so the two passes do not support it: the first one notices, and the request is
//! rewritten here with each singular message and each oneof at most once. Overlong group nesting and unknown fields
//! are copied as they are.

use crate::Signal;
use crate::read::{Cursor, Wire};
use crate::write::{fill_varint, varint, varint_len};

/// Levels after which bytes are copied unread; values nested this deep are refused anyway.
const DEPTH: usize = 200;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Request(Signal),
    Envelope(Signal),
    ScopeEnvelope(Signal),
    Attributes1,
    Attributes3,
    Attributes7,
    KeyValue,
    AnyValue,
    ArrayValue,
    KeyValueList,
    Span,
    Event,
    Link,
    Leaf,
    LogRecord,
    Metric,
    Numbers,
    Number,
    Histograms,
    Histogram,
    Exponentials,
    Exponential,
    Summaries,
}

enum Role {
    /// Not a message, or one that is of no interest here.
    Plain,
    Repeated(Kind),
    Single(Kind),
    /// A member of the oneof of its message.
    OneOf(Kind),
}

impl Kind {
    /// What a field of this message is.
    fn role(self, field: u32) -> Role {
        use Role::{OneOf, Plain, Repeated, Single};
        let leaf = Kind::Leaf;
        match (self, field) {
            (Kind::Request(signal), 1) => Repeated(Kind::Envelope(signal)),
            (Kind::Envelope(_), 1) => Single(Kind::Attributes1),
            (Kind::Envelope(signal), 2) => Repeated(Kind::ScopeEnvelope(signal)),
            (Kind::ScopeEnvelope(_), 1) => Single(Kind::Attributes3),
            (Kind::ScopeEnvelope(Signal::Traces), 2) => Repeated(Kind::Span),
            (Kind::ScopeEnvelope(Signal::Logs), 2) => Repeated(Kind::LogRecord),
            (Kind::ScopeEnvelope(Signal::Metrics), 2) => Repeated(Kind::Metric),
            (Kind::KeyValue, 2) => Single(Kind::AnyValue),
            (Kind::AnyValue, 5) => OneOf(Kind::ArrayValue),
            (Kind::AnyValue, 6) => OneOf(Kind::KeyValueList),
            (Kind::AnyValue, 1..=8) => OneOf(leaf),
            (Kind::ArrayValue, 1) => Repeated(Kind::AnyValue),
            (Kind::Span, 11) => Repeated(Kind::Event),
            (Kind::Span, 13) => Repeated(Kind::Link),
            (Kind::Span, 15) => Single(leaf),
            (Kind::LogRecord, 5) => Single(Kind::AnyValue),
            (Kind::Metric, 5 | 7) => OneOf(Kind::Numbers),
            (Kind::Metric, 9) => OneOf(Kind::Histograms),
            (Kind::Metric, 10) => OneOf(Kind::Exponentials),
            (Kind::Metric, 11) => OneOf(Kind::Summaries),
            (Kind::Numbers, 1) => Repeated(Kind::Number),
            (Kind::Histograms, 1) => Repeated(Kind::Histogram),
            (Kind::Exponentials, 1) => Repeated(Kind::Exponential),
            (Kind::Summaries, 1) => Repeated(Kind::Attributes7),
            (Kind::Number, 5) | (Kind::Histogram, 8) | (Kind::Exponential, 11) => Repeated(Kind::Attributes7),
            (Kind::Exponential, 8 | 9) => Single(leaf),
            // Messages with nothing in them to merge but their attributes.
            (Kind::Attributes1 | Kind::KeyValueList | Kind::Exponential, 1)
            | (Kind::Attributes3 | Kind::Event, 3)
            | (Kind::Link, 4)
            | (Kind::LogRecord, 6)
            | (Kind::Attributes7 | Kind::Number, 7)
            | (Kind::Span | Kind::Histogram, 9)
            | (Kind::Metric, 12) => Repeated(Kind::KeyValue),
            _ => Plain,
        }
    }
}

/// The same request with every singular message and every oneof at most once; not longer than `bytes`.
///
/// # Errors
/// Where the bytes are not that message.
pub fn merged(signal: Signal, bytes: &[u8]) -> Wire<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len());
    rewrite(Kind::Request(signal), &[bytes], &mut out, 0)?;
    Ok(out)
}

/// Occurrences of one message field that are to become one.
struct Parts<'a> {
    key: u32,
    kind: Kind,
    bodies: Vec<&'a [u8]>,
}

fn rewrite(kind: Kind, bodies: &[&[u8]], out: &mut Vec<u8>, depth: usize) -> Wire<()> {
    if kind == Kind::Leaf || depth == DEPTH {
        bodies.iter().for_each(|body| out.extend_from_slice(body));
        return Ok(());
    }
    let mut singles: Vec<Parts<'_>> = Vec::new();
    // The member of the oneof that came last: parts of a message, or else the whole field as it is.
    let mut member: Option<Parts<'_>> = None;
    for &body in bodies {
        let mut cursor = Cursor::new(body);
        while !cursor.done() {
            let start = cursor.pos();
            let key = cursor.key()?;
            let role = kind.role(key >> 3);
            let inner = match role {
                Role::Repeated(kind) | Role::Single(kind) | Role::OneOf(kind) if key & 7 == 2 && kind != Kind::Leaf => {
                    Some(cursor.block()?.of(body))
                }
                Role::Single(_) if key & 7 == 2 => Some(cursor.block()?.of(body)),
                _ => {
                    cursor.skip(key, 0)?;
                    None
                }
            };
            match (role, inner) {
                (Role::Repeated(kind), Some(inner)) => field(key, kind, &[inner], out, depth)?,
                (Role::Single(kind), Some(inner)) => match singles.iter_mut().find(|parts| parts.key == key) {
                    Some(parts) => parts.bodies.push(inner),
                    None => singles.push(Parts { key, kind, bodies: vec![inner] }),
                },
                (Role::OneOf(kind), Some(inner)) => match &mut member {
                    Some(parts) if parts.key == key => parts.bodies.push(inner),
                    _ => member = Some(Parts { key, kind, bodies: vec![inner] }),
                },
                (Role::OneOf(kind), None) => {
                    member = Some(Parts { key, kind, bodies: vec![&body[start..cursor.pos()]] });
                }
                _ => out.extend_from_slice(&body[start..cursor.pos()]),
            }
        }
    }
    for parts in singles {
        field(parts.key, parts.kind, &parts.bodies, out, depth)?;
    }
    match member {
        Some(parts) if parts.kind == Kind::Leaf => parts.bodies.iter().for_each(|whole| out.extend_from_slice(whole)),
        Some(parts) => field(parts.key, parts.kind, &parts.bodies, out, depth)?,
        None => {}
    }
    Ok(())
}

/// Writes one message field. The length gets as many bytes as the parts together would need, so it can be filled in
/// afterwards; what is rewritten is never longer.
fn field(key: u32, kind: Kind, bodies: &[&[u8]], out: &mut Vec<u8>, depth: usize) -> Wire<()> {
    let width = varint_len(bodies.iter().map(|body| body.len() as u64).sum());
    varint(out, key.into());
    let at = out.len();
    out.extend_from_slice(&[0; 10][..width]);
    let start = out.len();
    rewrite(kind, bodies, out, depth + 1)?;
    let len = out.len() - start;
    fill_varint(&mut out[at..start], len as u64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, any_value::Value};
    use prost::Message;

    use super::*;

    fn block(field: u8, body: &[u8]) -> Vec<u8> {
        [&[field << 3 | 2, body.len() as u8], body].concat()
    }

    fn any(value: Value) -> Vec<u8> {
        AnyValue { value: Some(value) }.encode_to_vec()
    }

    fn ints(values: &[i64]) -> Value {
        let values = values.iter().map(|&i| AnyValue { value: Some(Value::IntValue(i)) }).collect();
        Value::ArrayValue(ArrayValue { values })
    }

    /// Bytes whose singular fields repeat decode by prost to the same before and after, and do not grow.
    #[test]
    fn merges_as_prost_does() {
        let values: [&[Vec<u8>]; 6] = [
            &[any(ints(&[1, 2])), any(ints(&[3]))],
            &[any(ints(&[1])), any(Value::BoolValue(true)), any(ints(&[3]))],
            &[any(Value::StringValue("a".into())), any(Value::StringValue("b".into()))],
            &[any(ints(&[1])), any(Value::IntValue(7))],
            &[any(ints(&[1])), Vec::new()],
            &[[any(Value::IntValue(0)), any(ints(&[])), any(ints(&[9]))].concat()],
        ];
        for parts in values {
            let body: Vec<u8> = parts.iter().flat_map(|part| block(2, part)).collect();
            let attribute = [block(1, b"k"), body, block(1, b"key")].concat();
            let expected = KeyValue::decode(&attribute[..]).unwrap();
            let resource = [block(1, &block(1, &attribute)), block(1, &[0x10, 5])].concat();
            let span = [block(15, &[0x18, 1]), block(5, b"n"), block(15, &block(2, b"m")), vec![0xa0, 1, 1]].concat();
            let scope = [block(1, &block(1, b"s")), block(2, &span), block(1, &block(2, b"v"))].concat();
            let request = block(1, &[resource, block(2, &scope)].concat());
            let rewritten = merged(Signal::Traces, &request).unwrap();
            assert!(rewritten.len() <= request.len());
            let before = ExportTraceServiceRequest::decode(&request[..]).unwrap();
            assert_eq!(before, ExportTraceServiceRequest::decode(&rewritten[..]).unwrap());
            assert_eq!(before.resource_spans[0].resource.as_ref().unwrap().attributes, [expected]);
            assert_eq!(merged(Signal::Traces, &rewritten).unwrap(), rewritten);
        }
    }

    #[test]
    fn widths_are_those_of_varints() {
        for (value, bytes) in [(0, 1), (127, 1), (128, 2), (16383, 2), (16384, 3), (1 << 28, 5)] {
            assert_eq!(varint_len(value), bytes);
        }
    }
}

//! Tables of a batch to the OTLP request that they stand for.

use std::collections::HashMap;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

use super::cells::Table;
use super::parents::{by_column, ids, of_attributes};
use super::strict::Batch;

/// Attributes by the number of what they belong to.
pub type Attributes = HashMap<u32, Vec<KeyValue>>;

/// A table of a batch.
pub fn table(batch: &Batch, kind: i32) -> Option<Table> {
    batch.get(&kind).map(Table::of)
}

/// The attributes of a table by what they belong to.
pub fn attributes(batch: &Batch, kind: i32) -> Attributes {
    let mut found = Attributes::new();
    let Some(table) = table(batch, kind) else { return found };
    for (row, parent) in of_attributes(&table).into_iter().enumerate() {
        let value = Some(AnyValue { value: value(&table, row) });
        let attribute = KeyValue { key: table.text("key", row), value, ..Default::default() };
        found.entry(parent).or_default().push(attribute);
    }
    found
}

/// The value of a row, of attributes or of a body.
pub fn value(table: &Table, row: usize) -> Option<Value> {
    Some(match table.zero("type", row) {
        0 => return None,
        1 => Value::StringValue(table.text("str", row)),
        2 => Value::IntValue(table.zero("int", row) as i64),
        3 => Value::DoubleValue(table.double("double", row).expect("a double")),
        4 => Value::BoolValue(table.bool("bool", row).expect("a boolean")),
        7 => Value::BytesValue(table.bytes("bytes", row).expect("bytes")),
        kind => {
            let cbor = table.bytes("ser", row).expect("CBOR");
            let mut rest = &cbor[..];
            let value = from_cbor(&mut rest).value;
            assert!(rest.is_empty(), "one item");
            assert_eq!(kind == 6, matches!(value, Some(Value::ArrayValue(_))));
            return value;
        }
    })
}

fn from_cbor(bytes: &mut &[u8]) -> AnyValue {
    let (&first, rest) = bytes.split_first().expect("an item");
    *bytes = rest;
    let mut take = |len: usize| {
        let (taken, rest) = bytes.split_at(len);
        *bytes = rest;
        taken
    };
    let argument = match first & 0x1f {
        small @ 0..24 => u64::from(small),
        24 => take(1)[0].into(),
        25 => u16::from_be_bytes(take(2).try_into().unwrap()).into(),
        26 => u32::from_be_bytes(take(4).try_into().unwrap()).into(),
        27 => u64::from_be_bytes(take(8).try_into().unwrap()),
        _ => 0,
    };
    let value = match first {
        0xf4 | 0xf5 => Value::BoolValue(first == 0xf5),
        0xf6 => return AnyValue { value: None },
        0xfb => Value::DoubleValue(f64::from_bits(argument)),
        0x9f | 0xbf => {
            let mut items = Vec::new();
            while bytes[0] != 0xff {
                items.push(from_cbor(bytes));
            }
            *bytes = &bytes[1..];
            if first == 0x9f {
                Value::ArrayValue(ArrayValue { values: items })
            } else {
                let pair = |pair: &[AnyValue]| {
                    let Some(Value::StringValue(key)) = &pair[0].value else { panic!("a key of {:?}", pair[0]) };
                    KeyValue { key: key.clone(), value: Some(pair[1].clone()), ..Default::default() }
                };
                Value::KvlistValue(KeyValueList { values: items.chunks(2).map(pair).collect() })
            }
        }
        _ => match first >> 5 {
            0 => Value::IntValue(argument as i64),
            1 => Value::IntValue(!(argument as i64)),
            2 => Value::BytesValue(take(argument as usize).to_vec()),
            3 => Value::StringValue(String::from_utf8(take(argument as usize).to_vec()).unwrap()),
            _ => panic!("{first:#x}"),
        },
    };
    AnyValue { value: Some(value) }
}

/// What a root row shares with its neighbours: its resource and scope, and whether each begins with it.
#[derive(Debug)]
pub struct Place {
    /// A resource that begins here.
    pub resource: Option<(Resource, String)>,
    /// A scope that begins here.
    pub scope: Option<(InstrumentationScope, String)>,
}

/// What each row of a root table shares.
pub fn places(batch: &Batch, root: &Table) -> Vec<Place> {
    let (resource_attributes, scope_attributes) = (attributes(batch, 1), attributes(batch, 2));
    let (resource, scope) = (root.group("resource").expect("resources"), root.group("scope").expect("scopes"));
    let (resource_ids, scope_ids) = (ids(&resource), ids(&scope));
    let place = |row: usize| {
        let before = |ids: &[Option<u32>]| row.checked_sub(1).and_then(|before| ids[before]);
        let new_resource = before(&resource_ids) != resource_ids[row];
        let new_scope = new_resource || before(&scope_ids) != scope_ids[row];
        let of = |known: &Attributes, id: Option<u32>| known.get(&id.unwrap()).cloned().unwrap_or_default();
        let resource = new_resource.then(|| {
            let dropped_attributes_count = resource.zero("dropped_attributes_count", row) as u32;
            let attributes = of(&resource_attributes, resource_ids[row]);
            let of = Resource { attributes, dropped_attributes_count, entity_refs: Vec::new() };
            (of, resource.text("schema_url", row))
        });
        let scope = new_scope.then(|| {
            let of = InstrumentationScope {
                name: scope.text("name", row),
                version: scope.text("version", row),
                attributes: of(&scope_attributes, scope_ids[row]),
                dropped_attributes_count: scope.zero("dropped_attributes_count", row) as u32,
            };
            (of, root.text("schema_url", row))
        });
        Place { resource, scope }
    };
    (0..root.rows).map(place).collect()
}

/// What hangs on a row with this number.
pub fn take<T: Clone>(of: &HashMap<u32, Vec<T>>, id: Option<u32>) -> Vec<T> {
    id.and_then(|id| of.get(&id).cloned()).unwrap_or_default()
}

/// The request of a batch of logs.
pub fn logs(batch: &Batch) -> ExportLogsServiceRequest {
    let Some(root) = table(batch, 30) else { return Default::default() };
    let (attributes, ids) = (attributes(batch, 31), ids(&root));
    let body = root.group("body");
    let mut request = ExportLogsServiceRequest::default();
    for (row, Place { resource, scope }) in places(batch, &root).into_iter().enumerate() {
        if let Some((resource, schema_url)) = resource {
            let resource = Some(resource);
            request.resource_logs.push(ResourceLogs { resource, schema_url, scope_logs: Vec::new() });
        }
        let scopes = &mut request.resource_logs.last_mut().unwrap().scope_logs;
        if let Some((scope, schema_url)) = scope {
            scopes.push(ScopeLogs { scope: Some(scope), schema_url, log_records: Vec::new() });
        }
        let body = body.as_ref().filter(|_| root.has("body", row));
        scopes.last_mut().unwrap().log_records.push(LogRecord {
            time_unix_nano: root.zero("time_unix_nano", row) as u64,
            observed_time_unix_nano: root.zero("observed_time_unix_nano", row) as u64,
            severity_number: root.zero("severity_number", row) as i32,
            severity_text: root.text("severity_text", row),
            body: body.map(|body| AnyValue { value: value(body, row) }),
            attributes: take(&attributes, ids[row]),
            dropped_attributes_count: root.zero("dropped_attributes_count", row) as u32,
            flags: root.zero("flags", row) as u32,
            trace_id: root.bytes("trace_id", row).unwrap_or_default(),
            span_id: root.bytes("span_id", row).unwrap_or_default(),
            event_name: root.text("event_name", row),
        });
    }
    request
}

/// The request of a batch of spans.
pub fn traces(batch: &Batch) -> ExportTraceServiceRequest {
    let Some(root) = table(batch, 40) else { return Default::default() };
    let (attributes, ids) = (attributes(batch, 41), ids(&root));
    let (events, links) = (events(batch), links(batch));
    let status = root.group("status");
    let mut request = ExportTraceServiceRequest::default();
    for (row, Place { resource, scope }) in places(batch, &root).into_iter().enumerate() {
        if let Some((resource, schema_url)) = resource {
            let resource = Some(resource);
            request.resource_spans.push(ResourceSpans { resource, schema_url, scope_spans: Vec::new() });
        }
        let scopes = &mut request.resource_spans.last_mut().unwrap().scope_spans;
        if let Some((scope, schema_url)) = scope {
            scopes.push(ScopeSpans { scope: Some(scope), schema_url, spans: Vec::new() });
        }
        let start = root.zero("start_time_unix_nano", row) as i64;
        let end = start.wrapping_add(root.zero("duration_time_unix_nano", row) as i64);
        let status = status.as_ref().filter(|_| root.has("status", row));
        scopes.last_mut().unwrap().spans.push(Span {
            trace_id: root.bytes("trace_id", row).unwrap_or_default(),
            span_id: root.bytes("span_id", row).unwrap_or_default(),
            trace_state: root.text("trace_state", row),
            parent_span_id: root.bytes("parent_span_id", row).unwrap_or_default(),
            flags: root.zero("flags", row) as u32,
            name: root.text("name", row),
            kind: root.zero("kind", row) as i32,
            start_time_unix_nano: start as u64,
            end_time_unix_nano: end as u64,
            attributes: take(&attributes, ids[row]),
            dropped_attributes_count: root.zero("dropped_attributes_count", row) as u32,
            events: take(&events, ids[row]),
            dropped_events_count: root.zero("dropped_events_count", row) as u32,
            links: take(&links, ids[row]),
            dropped_links_count: root.zero("dropped_links_count", row) as u32,
            status: status.map(|status| Status {
                code: status.zero("code", row) as i32,
                message: status.text("status_message", row),
            }),
        });
    }
    request
}

fn events(batch: &Batch) -> HashMap<u32, Vec<Event>> {
    let mut found = HashMap::<u32, Vec<Event>>::new();
    let Some(table) = table(batch, 42) else { return found };
    let (attributes, ids) = (attributes(batch, 44), ids(&table));
    for (row, parent) in by_column(&table, "name").into_iter().enumerate() {
        found.entry(parent).or_default().push(Event {
            time_unix_nano: table.zero("time_unix_nano", row) as u64,
            name: table.text("name", row),
            attributes: take(&attributes, ids[row]),
            dropped_attributes_count: table.zero("dropped_attributes_count", row) as u32,
        });
    }
    found
}

fn links(batch: &Batch) -> HashMap<u32, Vec<Link>> {
    let mut found = HashMap::<u32, Vec<Link>>::new();
    let Some(table) = table(batch, 43) else { return found };
    let (attributes, ids) = (attributes(batch, 45), ids(&table));
    for (row, parent) in by_column(&table, "trace_id").into_iter().enumerate() {
        found.entry(parent).or_default().push(Link {
            trace_id: table.bytes("trace_id", row).unwrap_or_default(),
            span_id: table.bytes("span_id", row).unwrap_or_default(),
            trace_state: table.text("trace_state", row),
            attributes: take(&attributes, ids[row]),
            dropped_attributes_count: table.zero("dropped_attributes_count", row) as u32,
            flags: table.zero("flags", row) as u32,
        });
    }
    found
}

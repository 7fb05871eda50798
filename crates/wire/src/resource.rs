//! The resources of a request: which services they say they are, and attributes that take the place of what they say.
//!
//! Both are for requests of senders who may say anything, so what protobuf would merge or take the last of counts as unclear.

use crate::read::{Cursor, Wire, block_key, fields};
use crate::write::{LEN, bytes_field, close, open, varint_len};

/// The attribute that names a service.
const NAME: &[u8] = b"service.name";

/// What a resource says its service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service<'a> {
    /// Nothing, or an empty text.
    Unnamed,
    /// This, once.
    Named(&'a str),
    /// It is there more than once, or is not a text.
    Unclear,
}

/// Hands the service of each resource of a request, of any signal, to `look`, until it breaks off.
///
/// # Errors
/// The request cannot be read, in which case it must not be taken for one of those that were looked at.
pub fn each_service<'a, E>(
    request: &'a [u8],
    mut look: impl FnMut(Service<'a>) -> Result<(), E>,
) -> Wire<Result<(), E>> {
    let mut cursor = Cursor::new(request);
    while !cursor.done() {
        match cursor.key()? {
            ENVELOPE => {
                if let Err(error) = look(service(cursor.message()?, request)?) {
                    return Ok(Err(error));
                }
            }
            key => cursor.skip(key, fields([1]))?,
        }
    }
    Ok(Ok(()))
}

/// Key of `resource_spans`, `resource_metrics`, `resource_logs`, of their `resource`, and of its `attributes`.
const ENVELOPE: u32 = block_key(1);

fn service<'a>(mut envelope: Cursor<'a>, request: &'a [u8]) -> Wire<Service<'a>> {
    let mut found = None;
    while !envelope.done() {
        let key = envelope.key()?;
        if key != ENVELOPE {
            envelope.skip(key, fields([1]))?;
            continue;
        }
        let mut resource = envelope.message()?;
        while !resource.done() {
            match resource.key()? {
                ENVELOPE => {
                    if let Some(value) = named(resource.message()?, request)? {
                        found = Some(if found.is_some() { Service::Unclear } else { value });
                    }
                }
                key => resource.skip(key, fields([1]))?,
            }
        }
    }
    Ok(found.unwrap_or(Service::Unnamed))
}

/// What an attribute says of the service; None if it is about something else.
fn named<'a>(mut attribute: Cursor<'a>, request: &'a [u8]) -> Wire<Option<Service<'a>>> {
    let (mut is_name, mut keys, mut values) = (false, 0, 0);
    let mut value = None;
    while !attribute.done() {
        match attribute.key()? {
            KEY => {
                is_name |= attribute.block()?.of(request) == NAME;
                keys += 1;
            }
            VALUE => {
                value = text(attribute.message()?, request)?;
                values += 1;
            }
            key => attribute.skip(key, fields([1, 2]))?,
        }
    }
    Ok(is_name.then_some(match value {
        Some("") if keys == 1 && values == 1 => Service::Unnamed,
        Some(name) if keys == 1 && values == 1 => Service::Named(name),
        _ => Service::Unclear,
    }))
}

/// The keys of `KeyValue.key` and `KeyValue.value`.
const KEY: u32 = block_key(1);
const VALUE: u32 = block_key(2);

/// The text of a value that is one and nothing else.
fn text<'a>(mut value: Cursor<'a>, request: &'a [u8]) -> Wire<Option<&'a str>> {
    let mut text = None;
    let mut others = 0;
    while !value.done() {
        match value.key()? {
            KEY => {
                others += usize::from(text.is_some());
                text = Some(value.block()?.of(request));
            }
            key => {
                value.skip(key, fields([1]))?;
                others += 1;
            }
        }
    }
    Ok(text.filter(|_| others == 0).and_then(|text| std::str::from_utf8(text).ok()))
}

/// Attributes that each resource gets, whatever it says of them itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    keys: Vec<String>,
    /// They themselves, as fields of a `Resource`.
    attributes: Vec<u8>,
}

impl Stamp {
    /// Of texts by their keys; a key that is there twice has the last of its texts.
    pub fn new<'a>(attributes: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        for (key, value) in attributes {
            pairs.retain(|(other, _)| *other != key);
            pairs.push((key, value));
        }
        let mut written = Vec::new();
        for (key, value) in &pairs {
            let (mut any, mut attribute) = (Vec::new(), Vec::new());
            bytes_field(&mut any, 1, value.as_bytes());
            bytes_field(&mut attribute, 1, key.as_bytes());
            bytes_field(&mut attribute, 2, &any);
            bytes_field(&mut written, 1, &attribute);
        }
        Self { keys: pairs.into_iter().map(|(key, _)| key.to_owned()).collect(), attributes: written }
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// A request, of any signal, whose resources all have these attributes and no others of their keys. What else is in it stays as it
    /// is, byte for byte.
    ///
    /// # Errors
    /// The request cannot be read.
    pub fn apply(&self, request: &[u8]) -> Wire<Vec<u8>> {
        let mut out = Vec::with_capacity(request.len() + request.len() / 8 + self.attributes.len());
        copy_but(request, Cursor::new(request), &mut out, |envelope, out| {
            let room = varint_len((envelope.rest().len() + self.attributes.len()) as u64);
            let whole = open(out, 1, room);
            let mut stamped = false;
            copy_but(request, envelope, out, |resource, out| {
                let room = varint_len((resource.rest().len() + self.attributes.len()) as u64);
                let whole = open(out, 1, room);
                copy_but(request, resource, out, |attribute, out| {
                    if !self.replaces(attribute, request)? {
                        bytes_field(out, 1, attribute.rest().of(request));
                    }
                    Ok(())
                })?;
                if !stamped {
                    stamped = true;
                    out.extend_from_slice(&self.attributes);
                }
                close(out, whole);
                Ok(())
            })?;
            if !stamped {
                bytes_field(out, 1, &self.attributes);
            }
            close(out, whole);
            Ok(())
        })?;
        Ok(out)
    }

    /// Whether an attribute could be taken for one of these.
    fn replaces(&self, mut attribute: Cursor<'_>, request: &[u8]) -> Wire<bool> {
        let (mut named, mut keys) = (false, 0);
        while !attribute.done() {
            match attribute.key()? {
                KEY => {
                    let key = attribute.block()?.of(request);
                    keys += 1;
                    named |= self.keys.iter().any(|own| own.as_bytes() == key);
                }
                key => attribute.skip(key, fields([1]))?,
            }
        }
        // Without a key it has the empty one.
        Ok(named || keys == 0 && self.keys.iter().any(String::is_empty))
    }
}

/// Copies a message, but its fields 1, which `write` writes.
fn copy_but<'a>(
    request: &'a [u8],
    mut message: Cursor<'a>,
    out: &mut Vec<u8>,
    mut write: impl FnMut(Cursor<'a>, &mut Vec<u8>) -> Wire<()>,
) -> Wire<()> {
    while !message.done() {
        let start = message.pos();
        match message.key()? {
            ENVELOPE => write(message.message()?, out)?,
            key => {
                message.skip(key, fields([1]))?;
                out.extend_from_slice(request.get(start..message.pos()).unwrap_or_default());
            }
        }
    }
    Ok(())
}

/// All that is read here is field 1 with a length.
const _: () = assert!(ENVELOPE == KEY && KEY & 7 == LEN as u32);

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
    use opentelemetry_proto::tonic::resource::v1::Resource;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
    use otlp_arrow_testkit::payload;
    use otlp_arrow_testkit::rng::Rng;
    use prost::Message;

    use super::*;

    fn attribute(key: &str, value: Value) -> KeyValue {
        KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
    }

    fn text_of(text: &str) -> Value {
        Value::StringValue(text.into())
    }

    fn of(attributes: &[KeyValue]) -> ResourceSpans {
        let resource = Some(Resource { attributes: attributes.to_vec(), ..Resource::default() });
        let spans = vec![Span { name: "GET /".into(), ..Span::default() }];
        let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
        ResourceSpans { resource, scope_spans, schema_url: "url".into() }
    }

    fn request(resource_spans: Vec<ResourceSpans>) -> Vec<u8> {
        ExportTraceServiceRequest { resource_spans }.encode_to_vec()
    }

    fn services(request: &[u8]) -> Wire<Vec<Service<'_>>> {
        let mut found = Vec::new();
        let look = |service| {
            found.push(service);
            Ok::<_, Infallible>(())
        };
        each_service(request, look)?.unwrap();
        Ok(found)
    }

    fn block(field: u8, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        bytes_field(&mut out, field.into(), body);
        out
    }

    #[test]
    fn each_resource_says_its_service() {
        let name = |name: &str| attribute("service.name", text_of(name));
        let other = attribute("service.namespace", text_of("shop"));
        let number = attribute("service.name", Value::IntValue(5));
        let none = KeyValue { key: "service.name".into(), ..KeyValue::default() };
        let bytes = request(vec![
            of(&[other.clone(), name("cart")]),
            of(std::slice::from_ref(&other)),
            of(&[]),
            ResourceSpans { resource: None, ..of(&[]) },
            of(&[name("")]),
            of(&[number]),
            of(&[none]),
            of(&[name("cart"), other, name("pay")]),
            of(&[name("cart"), name("cart")]),
        ]);
        use Service::{Named, Unclear, Unnamed};
        let expected = [Named("cart"), Unnamed, Unnamed, Unnamed, Unnamed, Unclear, Unclear, Unclear, Unclear];
        assert_eq!(services(&bytes).unwrap(), expected);
        assert_eq!(services(&[]).unwrap(), []);
        let mut seen = 0;
        let stopped = each_service(&bytes, |service| {
            seen += 1;
            if service == Unnamed { Err("who?") } else { Ok(()) }
        });
        assert_eq!((stopped, seen), (Ok(Err("who?")), 2));
    }

    /// What protobuf merges, or takes the last of, cannot be used to be called one thing here and another thing there.
    #[test]
    fn what_is_said_twice_is_unclear() {
        let any = |text: &str| block(1, text.as_bytes());
        let key = block(1, b"service.name");
        let pair = |parts: &[&[u8]]| block(1, &parts.concat());
        let cart = pair(&[&key, &block(2, &any("cart"))]);
        for attributes in [
            [cart.clone(), cart.clone()].concat(),
            pair(&[&block(1, b"x"), &key, &block(2, &any("cart"))]),
            pair(&[&key, &block(1, b"x"), &block(2, &any("cart"))]),
            pair(&[&key, &block(2, &any("pay")), &block(2, &any("cart"))]),
            pair(&[&key, &block(2, &[any("pay"), any("cart")].concat())]),
            pair(&[&key, &block(2, &[vec![0x18, 5], any("cart")].concat())]),
            pair(&[&key, &block(2, &[any("cart"), vec![0x18, 5]].concat())]),
            pair(&[&key, &block(2, &block(1, &[0xff]))]),
            pair(&[&key, &block(2, &[])]),
        ] {
            let bytes = block(1, &block(1, &attributes));
            assert_eq!(services(&bytes).unwrap(), [Service::Unclear], "{attributes:02x?}");
        }
        let split = block(1, &[block(1, &cart), block(2, &[]), block(1, &cart)].concat());
        assert_eq!(services(&split).unwrap(), [Service::Unclear], "two parts of one resource");
        let padded = [&[0x8a, 0x80, 0x00], &block(1, &block(1, &cart))[1..]].concat();
        assert_eq!(services(&padded).unwrap(), [Service::Named("cart")], "a key that could be shorter");
        for broken in [&[0x0a, 5][..], &[0x08, 1], &[0x0a, 2, 0x08, 1], &[0x0a, 4, 0x0a, 2, 0x08, 1], &[0x0b, 0x0c]] {
            assert!(services(broken).is_err(), "{broken:02x?}");
        }
    }

    const TENANT: [(&str, &str); 2] = [("tenant", "shop"), ("deployment.environment.name", "prod")];

    /// What a stamp should do, on what prost reads.
    fn by_hand(resource: &mut Option<Resource>) {
        let attributes = &mut resource.get_or_insert_default().attributes;
        attributes.retain(|attribute| TENANT.iter().all(|(key, _)| attribute.key != *key));
        attributes.extend(TENANT.map(|(key, value)| attribute(key, text_of(value))));
    }

    #[test]
    fn a_stamp_is_what_each_resource_says_and_nothing_else_changes() {
        let said = |key| attribute(key, text_of("other"));
        let before = vec![
            of(&[said("service.name"), said("tenant"), said("host.name")]),
            of(&[said("tenant"), said("tenant"), said("deployment.environment.name"), said("tenants")]),
            of(&[attribute("tenant", Value::IntValue(7))]),
            of(&[]),
            ResourceSpans { resource: None, ..of(&[]) },
        ];
        let stamped = Stamp::new(TENANT).apply(&request(before.clone())).unwrap();
        let mut expected = before;
        expected.iter_mut().for_each(|envelope| by_hand(&mut envelope.resource));
        assert_eq!(ExportTraceServiceRequest::decode(&stamped[..]).unwrap().resource_spans, expected);
        assert_eq!(Stamp::new(TENANT).apply(&stamped).unwrap(), stamped, "once is enough");
        assert!(Stamp::new(TENANT).apply(&[]).unwrap().is_empty());
    }

    #[test]
    fn requests_of_every_signal_keep_all_else() {
        let stamp = Stamp::new(TENANT);
        let mut traces = payload::spans(500, 9, 1);
        let stamped = stamp.apply(&traces.encode_to_vec()).unwrap();
        traces.resource_spans.iter_mut().for_each(|envelope| by_hand(&mut envelope.resource));
        assert_eq!(ExportTraceServiceRequest::decode(&stamped[..]).unwrap(), traces);
        let mut logs = payload::logs(500, 80, 2);
        let stamped = stamp.apply(&logs.encode_to_vec()).unwrap();
        logs.resource_logs.iter_mut().for_each(|envelope| by_hand(&mut envelope.resource));
        assert_eq!(ExportLogsServiceRequest::decode(&stamped[..]).unwrap(), logs);
        let mut metrics = payload::numbers(500, 3);
        let stamped = stamp.apply(&metrics.encode_to_vec()).unwrap();
        metrics.resource_metrics.iter_mut().for_each(|envelope| by_hand(&mut envelope.resource));
        assert_eq!(ExportMetricsServiceRequest::decode(&stamped[..]).unwrap(), metrics);
    }

    #[test]
    fn nothing_of_a_stamp_is_evaded_by_what_protobuf_merges() {
        let value = block(2, &block(1, b"evil"));
        let pair =
            |keys: &[&[u8]]| block(1, &[keys.iter().flat_map(|key| block(1, key)).collect(), value.clone()].concat());
        let evil = [
            block(1, &pair(&[b"tenant"])),
            block(1, &pair(&[b"x", b"tenant"])),
            block(1, &[pair(&[b"tenant"]), vec![0x10, 3], pair(&[b"y"])].concat()),
        ];
        let bytes = block(1, &[evil.concat(), block(2, &[])].concat());
        let stamped = Stamp::new(TENANT).apply(&bytes).unwrap();
        let read = ExportTraceServiceRequest::decode(&stamped[..]).unwrap();
        let resource = read.resource_spans[0].resource.clone().unwrap();
        let tenants: Vec<_> = resource.attributes.iter().filter(|attribute| attribute.key == "tenant").collect();
        assert_eq!(tenants, [&attribute("tenant", text_of("shop"))]);
        assert!(resource.attributes.iter().any(|attribute| attribute.key == "y"));
        assert_eq!(resource.dropped_attributes_count, 3);
        assert!(Stamp::new(TENANT).apply(&bytes[..bytes.len() - 1]).is_err());
    }

    /// Messages whose parts come in any number and order, some of them damaged.
    fn any_request(rng: &mut Rng) -> Vec<u8> {
        fn parts(rng: &mut Rng, usual: usize, mut part: impl FnMut(&mut Rng) -> Vec<u8>) -> Vec<u8> {
            let count = if rng.one_in(5) { rng.index(4) } else { usual };
            (0..count).flat_map(|_| part(rng)).collect()
        }
        let value = |rng: &mut Rng| match rng.index(8) {
            0 => vec![0x18, 5],
            1 => block(5, &block(1, b"x")),
            _ => block(1, rng.pick::<&[u8]>(&[b"cart", b"", b"pay", b"\xff"])),
        };
        let pair = |rng: &mut Rng| {
            let names: [&[u8]; 4] = [b"service.name", b"tenant", b"x", b"service.names"];
            let mut sides = [
                parts(rng, 1, |rng| block(1, rng.pick::<&[u8]>(&names))),
                parts(rng, 1, |rng| block(2, &parts(rng, 1, value))),
            ];
            if rng.one_in(3) {
                sides.reverse();
            }
            sides.concat()
        };
        let resource = |rng: &mut Rng| {
            let attributes = parts(rng, 2, |rng| block(1, &pair(rng)));
            [attributes, parts(rng, 0, |_| vec![0x10, 3]), parts(rng, 0, |_| block(9, b"later"))].concat()
        };
        let envelope = |rng: &mut Rng| [parts(rng, 1, |rng| block(1, &resource(rng))), block(3, b"url")].concat();
        let mut request = parts(rng, 2, |rng| block(1, &envelope(rng)));
        if rng.one_in(3) && !request.is_empty() {
            let at = rng.index(request.len());
            request[at] = rng.bits() as u8;
        }
        request
    }

    #[test]
    fn what_is_looked_at_and_stamped_is_what_prost_reads() {
        let (stamp, rng) = (Stamp::new([("tenant", "shop")]), &mut Rng::new(17));
        let (mut named, mut unnamed, mut unclear, mut broken) = (0, 0, 0, 0);
        for _ in 0..50_000 {
            let bytes = any_request(rng);
            let (found, stamped) = (services(&bytes), stamp.apply(&bytes));
            let Ok(read) = ExportTraceServiceRequest::decode(&bytes[..]) else {
                broken += 1;
                continue;
            };
            let (Ok(found), Ok(stamped)) = (found, stamped) else { continue };
            assert_eq!(found.len(), read.resource_spans.len());
            for (service, envelope) in found.iter().zip(read.resource_spans) {
                let attributes = envelope.resource.unwrap_or_default().attributes;
                let names: Vec<_> = attributes.iter().filter(|attribute| attribute.key == "service.name").collect();
                match service {
                    Service::Named(name) => {
                        named += 1;
                        assert_eq!(names, [&attribute("service.name", text_of(name))], "{bytes:02x?}");
                    }
                    Service::Unnamed => {
                        unnamed += 1;
                        let empty = attribute("service.name", text_of(""));
                        assert!(names.is_empty() || names == [&empty], "{bytes:02x?}");
                    }
                    Service::Unclear => unclear += 1,
                }
            }
            let read = ExportTraceServiceRequest::decode(&stamped[..]).unwrap();
            for envelope in read.resource_spans {
                let attributes = envelope.resource.unwrap_or_default().attributes;
                let tenants: Vec<_> = attributes.iter().filter(|attribute| attribute.key == "tenant").collect();
                assert_eq!(tenants, [&attribute("tenant", text_of("shop"))], "{bytes:02x?}");
            }
        }
        let seen = [named, unnamed, unclear, broken];
        assert!(seen.iter().all(|count| *count > 1000), "{seen:?}");
    }

    #[test]
    fn the_last_of_two_values_is_stamped_once() {
        let stamp = Stamp::new([("tenant", "a"), ("tenant", "b")]);
        assert_eq!(stamp, Stamp::new([("tenant", "b")]));
        assert!(Stamp::new([]).is_empty() && !stamp.is_empty());
    }
}

//! Records by resource and scope, as OTLP nests them.

use pyo3::intern;
use pyo3::prelude::*;

use otlp_arrow_wire::Writer;

use super::Failure;
use super::ids::{field, text};
use super::types::{RESOURCE, SCOPE};
use super::value::attributes;

/// An encoded resource for records that come without one; none when empty.
#[derive(Debug, Default)]
pub(crate) struct DefaultResource(Vec<u8>);

impl DefaultResource {
    /// A resource of these attributes.
    pub(crate) fn new(attributes: &[(String, String)]) -> Self {
        Self(resource_of(attributes))
    }
}

/// What an encoded record usually needs; only a first guess.
const RECORD_BYTES: usize = 512;

/// The envelopes of one request, each with its encoded records.
pub(super) struct Groups<'py, 'd> {
    /// Which objects belong to which group. Held, so that no address is used again while it is a key.
    keys: Vec<Key<'py>>,
    groups: Vec<Group>,
    capacity: usize,
    default: &'d DefaultResource,
}

struct Key<'py> {
    resource: Bound<'py, PyAny>,
    scope: Bound<'py, PyAny>,
    group: usize,
}

struct Group {
    resource: Envelope,
    scope: Envelope,
    records: Writer,
}

/// An encoded `Resource` or `InstrumentationScope` field with the schema URL that stands beside it.
#[derive(PartialEq)]
struct Envelope {
    message: Vec<u8>,
    schema_url: Vec<u8>,
}

impl<'py, 'd> Groups<'py, 'd> {
    pub(super) fn new(records: usize, default: &'d DefaultResource) -> Self {
        Self { keys: Vec::new(), groups: Vec::new(), capacity: records * RECORD_BYTES, default }
    }

    /// Where the records of this resource and scope go. Objects are recognised by identity first, by content else.
    #[inline]
    pub(super) fn records(
        &mut self,
        resource: &Bound<'py, PyAny>,
        scope: &Bound<'py, PyAny>,
    ) -> Result<&mut Writer, Failure> {
        let found = self.keys.iter().find(|key| key.resource.is(resource) && key.scope.is(scope));
        let group = match found {
            Some(key) => key.group,
            None => self.add(resource, scope, None, None)?,
        };
        Ok(&mut self.groups[group].records)
    }

    /// The same for the envelopes of metrics, which carry schema URLs of their own.
    pub(super) fn records_of(
        &mut self,
        resource: &Bound<'py, PyAny>,
        scope: &Bound<'py, PyAny>,
        resource_schema_url: &Bound<'py, PyAny>,
        scope_schema_url: &Bound<'py, PyAny>,
    ) -> Result<&mut Writer, Failure> {
        let group = self.add(resource, scope, Some(resource_schema_url), Some(scope_schema_url))?;
        Ok(&mut self.groups[group].records)
    }

    fn add(
        &mut self,
        resource: &Bound<'py, PyAny>,
        scope: &Bound<'py, PyAny>,
        resource_schema_url: Option<&Bound<'py, PyAny>>,
        scope_schema_url: Option<&Bound<'py, PyAny>>,
    ) -> Result<usize, Failure> {
        let resource_envelope = encode_resource(resource, resource_schema_url, self.default)?;
        let scope_envelope = encode_scope(scope, scope_schema_url)?;
        let same = |group: &Group| group.resource == resource_envelope && group.scope == scope_envelope;
        let group = self.groups.iter().position(same).unwrap_or_else(|| {
            let records = Writer::with_capacity(std::mem::take(&mut self.capacity));
            self.groups.push(Group { resource: resource_envelope, scope: scope_envelope, records });
            self.groups.len() - 1
        });
        self.keys.push(Key { resource: resource.clone(), scope: scope.clone(), group });
        Ok(group)
    }

    /// The request: resources and scopes in the order they were first seen.
    pub(super) fn finish(self) -> Vec<u8> {
        const ENVELOPE: u32 = 1;
        const SCOPE_ENVELOPE: u32 = 2;
        const SCHEMA_URL: u32 = 3;
        let size: usize = self.groups.iter().map(|group| group.records.as_bytes().len()).sum();
        let mut out = Writer::with_capacity(size + 1024);
        let mut rest: Vec<&Group> = self.groups.iter().filter(|group| !group.records.as_bytes().is_empty()).collect();
        while let Some(first) = rest.first().copied() {
            let envelope = out.open(ENVELOPE, 3);
            out.raw(&first.resource.message);
            rest.retain(|group| {
                if group.resource != first.resource {
                    return true;
                }
                let scope = out.open(SCOPE_ENVELOPE, 3);
                out.raw(&group.scope.message);
                out.raw(group.records.as_bytes());
                out.bytes(SCHEMA_URL, &group.scope.schema_url);
                out.close(scope);
                false
            });
            out.bytes(SCHEMA_URL, &first.resource.schema_url);
            out.close(envelope);
        }
        out.finish()
    }
}

const RESOURCE_FIELD: u32 = 1;
const RESOURCE_ATTRIBUTES: u32 = 1;

/// The resource field of an envelope, of text attributes; nothing when there are none.
pub(super) fn resource_of(attributes: &[(String, String)]) -> Vec<u8> {
    const KEY: u32 = 1;
    const VALUE: u32 = 2;
    const STRING_VALUE: u32 = 1;
    if attributes.is_empty() {
        return Vec::new();
    }
    let mut writer = Writer::default();
    let message = writer.open(RESOURCE_FIELD, 2);
    for (key, value) in attributes {
        let entry = writer.open(RESOURCE_ATTRIBUTES, 1);
        writer.bytes(KEY, key.as_bytes());
        let any = writer.open(VALUE, 1);
        writer.bytes_always(STRING_VALUE, value.as_bytes());
        writer.close(any);
        writer.close(entry);
    }
    writer.close(message);
    writer.finish()
}

fn encode_resource(
    resource: &Bound<'_, PyAny>,
    schema_url: Option<&Bound<'_, PyAny>>,
    default: &DefaultResource,
) -> Result<Envelope, Failure> {
    const DROPPED_ATTRIBUTES_COUNT: u32 = 2;
    let py = resource.py();
    let mut writer = Writer::default();
    if resource.is_none() {
        return Ok(Envelope { message: default.0.clone(), schema_url: own_or(schema_url, None)? });
    }
    let known = RESOURCE.is(resource);
    let message = writer.open(RESOURCE_FIELD, 2);
    let mapping = field(resource, known, intern!(py, "_attributes"), intern!(py, "attributes"))?;
    let left_out = attributes(&mut writer, RESOURCE_ATTRIBUTES, &mapping)?;
    writer.uint(DROPPED_ATTRIBUTES_COUNT, left_out.into());
    writer.close(message);
    let fallback = field(resource, known, intern!(py, "_schema_url"), intern!(py, "schema_url"))?;
    Ok(Envelope { message: writer.finish(), schema_url: own_or(schema_url, Some(&fallback))? })
}

fn encode_scope(scope: &Bound<'_, PyAny>, schema_url: Option<&Bound<'_, PyAny>>) -> Result<Envelope, Failure> {
    const SCOPE_FIELD: u32 = 1;
    const NAME: u32 = 1;
    const VERSION: u32 = 2;
    const ATTRIBUTES: u32 = 3;
    const DROPPED_ATTRIBUTES_COUNT: u32 = 4;
    let py = scope.py();
    let mut writer = Writer::default();
    let message = writer.open(SCOPE_FIELD, 1);
    if scope.is_none() {
        writer.close(message);
        return Ok(Envelope { message: writer.finish(), schema_url: own_or(schema_url, None)? });
    }
    let known = SCOPE.is(scope);
    text(&mut writer, NAME, &field(scope, known, intern!(py, "_name"), intern!(py, "name"))?)?;
    text(&mut writer, VERSION, &field(scope, known, intern!(py, "_version"), intern!(py, "version"))?)?;
    let mapping = field(scope, known, intern!(py, "_attributes"), intern!(py, "attributes"))?;
    let left_out = attributes(&mut writer, ATTRIBUTES, &mapping)?;
    writer.uint(DROPPED_ATTRIBUTES_COUNT, left_out.into());
    writer.close(message);
    let fallback = field(scope, known, intern!(py, "_schema_url"), intern!(py, "schema_url"))?;
    Ok(Envelope { message: writer.finish(), schema_url: own_or(schema_url, Some(&fallback))? })
}

/// The envelope's own schema URL where it has one, else that of the object in it.
fn own_or(own: Option<&Bound<'_, PyAny>>, fallback: Option<&Bound<'_, PyAny>>) -> PyResult<Vec<u8>> {
    for url in [own, fallback].into_iter().flatten() {
        if url.is_truthy()? {
            return super::ids::with_text(url, |url| url.as_bytes().to_vec());
        }
    }
    Ok(Vec::new())
}

//! The columns records share with their neighbours: resource and scope.

mod copy;

use arrow_array::ArrayRef;
use otlp_arrow_wire::read::{Block, Cursor, Stop, Wire};

use super::cache::{Cache, Identity, Rendered};
use crate::column::{Counters, Dictionary, Zeros};
use crate::render::{json_entity_refs, json_object, key_value, letter};
use crate::sink::ColumnSink;

/// Four dictionary columns and a count, filled in runs.
#[derive(Debug)]
struct Shared {
    texts: [Dictionary; 4],
    dropped: Counters,
    cache: Cache,
}

impl Shared {
    fn new() -> Self {
        let texts = std::array::from_fn(|_| Dictionary::new());
        Self { texts, dropped: Counters::default(), cache: Cache::new() }
    }

    fn reserve(&mut self, rows: usize) {
        self.texts.iter_mut().for_each(|column| column.reserve(rows));
        self.dropped.reserve(rows);
    }

    fn fill(
        &mut self,
        identity: Identity<'_>,
        batch: u64,
        count: usize,
        render: impl FnOnce() -> Wire<Rendered>,
    ) -> Wire<()> {
        let texts = &mut self.texts;
        let keys = |rendered: &Rendered| {
            let mut columns = texts.iter_mut();
            let key = |text: &Option<Vec<u8>>| columns.next().zip(text.as_ref()).map(|(column, text)| column.key(text));
            let [a, b, c, d] = &rendered.texts;
            let mut key = key;
            [key(a), key(b), key(c), key(d)]
        };
        let (keys, dropped) = self.cache.entry::<Stop>(identity, batch, render, keys)?;
        for (column, key) in self.texts.iter_mut().zip(keys) {
            column.fill(key, count);
        }
        self.dropped.fill(dropped, count);
        Ok(())
    }

    fn finish(&mut self, zeros: &mut Zeros) -> ([ArrayRef; 4], ArrayRef) {
        self.cache.trim();
        (self.texts.each_mut().map(|column| column.finish(zeros)), self.dropped.finish(zeros))
    }
}

/// The ten common columns.
#[derive(Debug)]
pub(super) struct Common {
    resource: Shared,
    scope: Shared,
    /// Number of the batch being built; what caches know of an earlier one's dictionaries is void.
    batch: u64,
}

impl Common {
    pub(super) fn new() -> Self {
        Self { resource: Shared::new(), scope: Shared::new(), batch: 1 }
    }

    pub(super) fn reserve(&mut self, rows: usize) {
        self.resource.reserve(rows);
        self.scope.reserve(rows);
    }

    /// Says that the last `count` rows have this resource.
    pub(super) fn resource(&mut self, bytes: &[u8], message: Option<Block>, url: Block, count: usize) -> Wire<()> {
        let identity = Identity { message: message.map(|block| block.of(bytes)), schema_url: url.of(bytes) };
        self.resource.fill(identity, self.batch, count, || render_resource(bytes, message, url))
    }

    /// Says that the last `count` rows have this scope.
    pub(super) fn scope(&mut self, bytes: &[u8], message: Option<Block>, url: Block, count: usize) -> Wire<()> {
        let identity = Identity { message: message.map(|block| block.of(bytes)), schema_url: url.of(bytes) };
        self.scope.fill(identity, self.batch, count, || render_scope(bytes, message, url))
    }

    /// The columns in schema order.
    pub(super) fn finish(&mut self, zeros: &mut Zeros, columns: &mut Vec<ArrayRef>) {
        self.batch += 1;
        let ([service, attributes, url, entities], dropped) = self.resource.finish(zeros);
        columns.extend([service, attributes, dropped, url, entities]);
        let ([name, version, attributes, url], dropped) = self.scope.finish(zeros);
        columns.extend([name, version, attributes, dropped, url]);
    }

    /// The same, written.
    pub(super) fn write(&mut self, sink: &mut impl ColumnSink) {
        self.batch += 1;
        for (shared, dropped_after) in [(&mut self.resource, 1), (&mut self.scope, 2)] {
            shared.cache.trim();
            for (at, column) in shared.texts.iter_mut().enumerate() {
                column.write(sink);
                if at == dropped_after {
                    shared.dropped.write(sink);
                }
            }
        }
    }
}

/// `service_name`, `resource_attributes`, `resource_schema_url`, `resource_entity_refs`.
fn render_resource(bytes: &[u8], message: Option<Block>, url: Block) -> Wire<Rendered> {
    let mut rendered = Rendered::default();
    rendered.texts[2] = Some(url.of(bytes).to_vec());
    let Some(message) = message else { return Ok(rendered) };
    let mut attributes = Vec::with_capacity(message.len());
    json_object(&mut attributes, bytes, message, 1)?;
    rendered.texts[1] = Some(attributes);
    let mut entities = Vec::new();
    json_entity_refs(&mut entities, bytes, message)?;
    rendered.texts[3] = (!entities.is_empty()).then_some(entities);
    let mut named = false;
    let mut cursor = Cursor::within(bytes, message);
    while !cursor.done() {
        match cursor.key()? {
            0x0a => {
                let (key, value) = key_value(cursor.message()?)?;
                if !named && key.of(bytes) == b"service.name" {
                    named = true;
                    let mut name = Vec::new();
                    let letter = value.text(bytes, &mut name)?;
                    rendered.texts[0] = (letter != letter::EMPTY).then_some(name);
                }
            }
            0x10 => rendered.dropped = cursor.varint32()?,
            key => cursor.skip(key, 0)?,
        }
    }
    Ok(rendered)
}

/// `scope_name`, `scope_version`, `scope_attributes`, `scope_schema_url`.
fn render_scope(bytes: &[u8], message: Option<Block>, url: Block) -> Wire<Rendered> {
    let (mut name, mut version, mut dropped) = (Block::default(), Block::default(), 0);
    let mut attributes = Vec::new();
    json_object(&mut attributes, bytes, message.unwrap_or_default(), 3)?;
    let mut cursor = Cursor::within(bytes, message.unwrap_or_default());
    while !cursor.done() {
        match cursor.key()? {
            0x0a => name = cursor.block()?,
            0x12 => version = cursor.block()?,
            0x20 => dropped = cursor.varint32()?,
            key => cursor.skip(key, 0)?,
        }
    }
    let name = message.map(|_| name.of(bytes).to_vec());
    let texts = [name, Some(version.of(bytes).to_vec()), Some(attributes), Some(url.of(bytes).to_vec())];
    Ok(Rendered { texts, dropped })
}

//! One table of a batch, and the Arrow IPC stream that it is a part of.

use arrow_schema::{Field, Fields, Schema};
use otlp_arrow_wire::otap::{ArrowPayload, PayloadType};

use super::ipc::{Kind, Messages};
use super::leaf::{Leaf, Validity};

/// What a table consists of, in the order of its schema.
pub(super) enum Part<'a> {
    Column(&'a mut dyn Leaf),
    Struct(&'static str, &'a mut Validity, Vec<&'a mut dyn Leaf>),
}

/// Numbers of schemas: no two of a gRPC stream are the same, whatever their tables are.
#[derive(Debug, Default)]
pub(super) struct SchemaIds(u64);

impl SchemaIds {
    fn next(&mut self) -> String {
        let id = self.0.to_string();
        self.0 += 1;
        id
    }
}

/// A piece of the stream of one table.
#[derive(Debug)]
pub(super) struct Piece {
    schema_id: String,
    kind: PayloadType,
    record: Vec<u8>,
}

impl Piece {
    pub(super) fn payload(&self) -> ArrowPayload<'_> {
        ArrowPayload { schema_id: self.schema_id.as_bytes(), kind: self.kind as u64, record: &self.record }
    }
}

/// The stream of one table.
#[derive(Debug)]
pub(super) struct Stream {
    kind: PayloadType,
    /// None while it has not begun.
    schema_id: Option<String>,
}

impl Stream {
    pub(super) fn new(kind: PayloadType) -> Self {
        Self { kind, schema_id: None }
    }

    /// What comes next begins a stream of a schema of its own.
    pub(super) fn restart(&mut self) {
        self.schema_id = None;
    }

    /// The rows that the parts have, as the next piece; `None` where there are none. The parts are empty behind it.
    pub(super) fn piece(
        &mut self,
        rows: usize,
        mut parts: Vec<Part<'_>>,
        ids: &mut SchemaIds,
        messages: &mut Messages,
    ) -> Option<Piece> {
        if rows == 0 {
            return None;
        }
        let mut record = Vec::new();
        let mut changed = false;
        each(&mut parts, |leaf| changed |= leaf.settle());
        let first = changed || self.schema_id.is_none();
        if first {
            self.schema_id = Some(ids.next());
            each(&mut parts, |leaf| leaf.begin());
            messages.schema(&schema(&parts), &mut record);
        }
        let mut id = 0;
        each(&mut parts, |leaf| {
            if leaf.is_used() && leaf.is_coded() {
                if let Some((values, delta)) = leaf.dictionary(messages, first) {
                    messages.end(values, Kind::Dictionary { id, delta }, &mut record);
                }
                id += 1;
            }
        });
        for part in &mut parts {
            match part {
                Part::Column(leaf) if leaf.is_used() => leaf.write(messages),
                Part::Column(_) => {}
                Part::Struct(_, validity, fields) => {
                    if fields.iter().any(|leaf| leaf.is_used()) {
                        validity.write(messages);
                        fields.iter().filter(|leaf| leaf.is_used()).for_each(|leaf| leaf.write(messages));
                    }
                }
            }
        }
        messages.end(rows, Kind::Batch, &mut record);
        clear(&mut parts);
        let schema_id = self.schema_id.clone().unwrap_or_default();
        Some(Piece { schema_id, kind: self.kind, record })
    }
}

/// Forgets the rows that the parts have.
pub(super) fn clear(parts: &mut [Part<'_>]) {
    each(parts, |leaf| leaf.clear());
    for part in parts {
        if let Part::Struct(_, validity, _) = part {
            validity.clear();
        }
    }
}

fn each(parts: &mut [Part<'_>], mut act: impl FnMut(&mut dyn Leaf)) {
    for part in parts {
        match part {
            Part::Column(leaf) => act(*leaf),
            Part::Struct(_, _, fields) => fields.iter_mut().for_each(|leaf| act(*leaf)),
        }
    }
}

fn schema(parts: &[Part<'_>]) -> Schema {
    let field = |part: &Part<'_>| match part {
        Part::Column(leaf) => leaf.is_used().then(|| leaf.field()),
        Part::Struct(name, _, fields) => {
            let fields: Fields = fields.iter().filter(|leaf| leaf.is_used()).map(|leaf| leaf.field()).collect();
            (!fields.is_empty()).then(|| Field::new_struct(*name, fields, true))
        }
    };
    Schema::new(parts.iter().filter_map(field).collect::<Vec<_>>())
}

//! Rows by resource and scope.

use std::collections::HashMap;

use arrow_array::RecordBatch;
use arrow_array::types::UInt32Type;

use super::column::{Cell, Columns, Numbers, Text};
use super::{EncodeError, Run};

/// What tells one resource from another.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ResourceKey<'a> {
    /// JSON; none = no resource.
    pub(crate) attributes: Option<&'a [u8]>,
    pub(crate) dropped: u32,
    pub(crate) schema_url: &'a [u8],
    /// JSON; none = none.
    pub(crate) entity_refs: Option<&'a [u8]>,
}

/// What tells one scope of a resource from another.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ScopeKey<'a> {
    /// None = no scope.
    pub(crate) name: Option<&'a [u8]>,
    pub(crate) version: &'a [u8],
    /// JSON, empty where null.
    pub(crate) attributes: &'a [u8],
    pub(crate) dropped: u32,
    pub(crate) schema_url: &'a [u8],
}

pub(crate) struct ResourceGroup<'a> {
    pub(crate) key: ResourceKey<'a>,
    pub(crate) first: Run,
    pub(crate) scopes: Vec<ScopeGroup<'a>>,
}

pub(crate) struct ScopeGroup<'a> {
    pub(crate) key: ScopeKey<'a>,
    pub(crate) first: Run,
    pub(crate) runs: Vec<Run>,
}

impl ScopeGroup<'_> {
    pub(crate) fn rows(&self) -> usize {
        self.runs.iter().map(|run| run.end - run.start).sum()
    }
}

/// All rows of some batches, by resource and scope.
pub(crate) struct Grouped<'a> {
    pub(crate) resources: Vec<ResourceGroup<'a>>,
}

/// The columns that a record shares with its neighbours.
struct Shared<'a> {
    /// Resource attributes, schema URL and entity references; scope name, version, attributes and schema URL.
    texts: [Text<'a>; 7],
    /// Dropped attributes of the resource and of the scope.
    dropped: [Numbers<'a, UInt32Type>; 2],
}

impl<'a> Shared<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self, EncodeError> {
        let columns = Columns::of(batch);
        Ok(Self {
            texts: [
                columns.text("resource_attributes")?,
                columns.text("resource_schema_url")?,
                columns.text("resource_entity_refs")?,
                columns.text("scope_name")?,
                columns.text("scope_version")?,
                columns.text("scope_attributes")?,
                columns.text("scope_schema_url")?,
            ],
            dropped: [
                columns.numbers("resource_dropped_attributes_count", "UInt32")?,
                columns.numbers("scope_dropped_attributes_count", "UInt32")?,
            ],
        })
    }

    /// Where rows begin that may belong elsewhere than the row before; 0 is not among them.
    fn changes(&self, rows: usize) -> Cell<Vec<usize>> {
        let mut changes = Vec::new();
        for text in &self.texts {
            text.changes(rows, &mut changes)?;
        }
        for numbers in &self.dropped {
            numbers.changes(rows, &mut changes);
        }
        changes.sort_unstable();
        changes.dedup();
        Ok(changes)
    }

    /// Indexes that are equal for rows of one group, where all texts have a dictionary.
    fn slots(&self, row: usize) -> Cell<Option<[usize; 9]>> {
        let mut slots = [usize::MAX; 9];
        for (slot, text) in slots.iter_mut().zip(&self.texts) {
            if !text.has_dictionary() {
                return Ok(None);
            }
            *slot = text.slot(row)?.unwrap_or(usize::MAX);
        }
        for (slot, numbers) in slots[7..].iter_mut().zip(&self.dropped) {
            *slot = numbers.or_zero(row) as usize;
        }
        Ok(Some(slots))
    }

    fn keys(&self, row: usize) -> Cell<(ResourceKey<'a>, ScopeKey<'a>)> {
        let [attributes, schema_url, entity_refs, scope_name, scope_version, scope_attributes, scope_schema_url] =
            &self.texts;
        let [dropped, scope_dropped] = &self.dropped;
        Ok((
            ResourceKey {
                attributes: attributes.get(row)?,
                dropped: dropped.or_zero(row),
                schema_url: schema_url.or_empty(row)?,
                entity_refs: entity_refs.get(row)?,
            },
            ScopeKey {
                name: scope_name.get(row)?,
                version: scope_version.or_empty(row)?,
                attributes: scope_attributes.or_empty(row)?,
                dropped: scope_dropped.or_zero(row),
                schema_url: scope_schema_url.or_empty(row)?,
            },
        ))
    }
}

impl<'a> Grouped<'a> {
    pub(crate) fn of(batches: &'a [RecordBatch]) -> Result<Self, EncodeError> {
        let mut grouped = Self { resources: Vec::new() };
        let mut resources = HashMap::new();
        let mut scopes = HashMap::new();
        for (index, batch) in batches.iter().enumerate() {
            let rows = batch.num_rows();
            let shared = Shared::of(batch)?;
            let whole = Run { batch: index, start: 0, end: rows };
            let mut starts = shared.changes(rows).map_err(|flaw| whole.corrupt(0, flaw))?;
            if rows > 0 {
                starts.insert(0, 0);
            }
            if let ([_], [0]) = (batches, &starts[..]) {
                // Nothing to tell apart: small batches have one resource and one scope.
                let (key, scope) = shared.keys(0).map_err(|flaw| whole.corrupt(0, flaw))?;
                let scope = ScopeGroup { key: scope, first: whole, runs: vec![whole] };
                return Ok(Self { resources: vec![ResourceGroup { key, first: whole, scopes: vec![scope] }] });
            }
            // Interleaved groups come back again and again: their texts are compared once a batch.
            let mut known = HashMap::new();
            for (at, &start) in starts.iter().enumerate() {
                let run = Run { batch: index, start, end: starts.get(at + 1).copied().unwrap_or(rows) };
                let corrupt = |flaw| run.corrupt(start, flaw);
                let slots = shared.slots(start).map_err(corrupt)?;
                let place = match slots.and_then(|slots| known.get(&slots).copied()) {
                    Some(place) => place,
                    None => {
                        let (resource_key, scope_key) = shared.keys(start).map_err(corrupt)?;
                        let resource = *resources.entry(resource_key).or_insert_with(|| {
                            grouped.resources.push(ResourceGroup { key: resource_key, first: run, scopes: Vec::new() });
                            grouped.resources.len() - 1
                        });
                        let list = &mut grouped.resources[resource].scopes;
                        let scope = *scopes.entry((resource, scope_key)).or_insert_with(|| {
                            list.push(ScopeGroup { key: scope_key, first: run, runs: Vec::new() });
                            list.len() - 1
                        });
                        if let Some(slots) = slots {
                            known.insert(slots, (resource, scope));
                        }
                        (resource, scope)
                    }
                };
                grouped.resources[place.0].scopes[place.1].runs.push(run);
            }
        }
        Ok(grouped)
    }
}

//! The columns that a record shares with its neighbours: resource and scope.

use std::collections::HashMap;

use arrow_array::ArrayRef;
use otlp_arrow_wire::otap::PayloadType;

use super::attributes::Attributes;
use super::cells::{Columns, Ints, Struct, Texts};
use super::error::Fault;
use super::ids::Written;
use super::planning::Planning;
use super::tables::Tables;
use crate::column::{Counters, Dictionary, Zeros};
use crate::counts::Counts;

/// Resource and scope of every row of a root table, in runs of rows that have the same.
pub(super) struct Common<'b> {
    runs: Vec<Run>,
    resource: Shared<'b>,
    scope: Shared<'b>,
    names: Texts<'b>,
    versions: Texts<'b>,
    scope_urls: Texts<'b>,
    /// The JSON of resources and scopes, and the names of services.
    rendered: Vec<u8>,
}

/// Rows from this one on, up to the next run.
struct Run {
    first: usize,
    resource: Side,
    scope: Side,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Side {
    id: u32,
    is_there: bool,
}

/// What resources and scopes have alike.
struct Shared<'b> {
    urls: Texts<'b>,
    dropped: Ints<'b>,
    /// By id.
    known: HashMap<u32, Known>,
}

/// Where the JSON of one is, and the name of its service.
#[derive(Clone, Copy)]
struct Known {
    json: (usize, usize),
    service: Option<(usize, usize)>,
}

/// The id of the resource or scope of each row: what is null is as in the row before.
fn ids(of: Option<&Struct<'_>>, rows: usize) -> Result<Vec<u32>, Fault> {
    let written = match of {
        Some(of) => of.columns.written("id")?,
        None => Written::nothing(),
    };
    let mut ids = written.ids(rows)?;
    let mut last = 0;
    for (row, id) in ids.iter_mut().enumerate() {
        let is_null = *id == super::ids::NONE || of.is_none_or(|of| of.is_null(row));
        if is_null {
            *id = last;
        }
        last = *id;
    }
    Ok(ids)
}

impl<'b> Common<'b> {
    pub(super) fn of(
        tables: &'b Tables<'_>,
        root: &Columns<'b>,
        planning: &mut Planning<'_, '_>,
        counts: &mut Counts,
    ) -> Result<Self, Fault> {
        let rows = root.rows;
        planning.take(rows * 16)?;
        let (resources, scopes) = (root.structs("resource"), root.structs("scope"));
        let (resource_ids, scope_ids) = (ids(resources.as_ref(), rows)?, ids(scopes.as_ref(), rows)?);
        let resource_attributes = Attributes::of(tables.get(PayloadType::ResourceAttrs), &resource_ids, planning)?;
        planning.next();
        let scope_attributes = Attributes::of(tables.get(PayloadType::ScopeAttrs), &scope_ids, planning)?;
        planning.next();
        let none = Columns { rows: 0, ..*root };
        let within = |of: &Option<Struct<'b>>| of.map_or(Columns { fields: &[], arrays: &[], ..none }, |of| of.columns);
        let (resource, scope) = (within(&resources), within(&scopes));
        let mut common = Self {
            runs: Vec::new(),
            resource: Shared {
                urls: resource.texts("schema_url")?,
                dropped: resource.ints("dropped_attributes_count")?,
                known: HashMap::new(),
            },
            scope: Shared {
                urls: scope.texts("schema_url")?,
                dropped: scope.ints("dropped_attributes_count")?,
                known: HashMap::new(),
            },
            names: scope.texts("name")?,
            versions: scope.texts("version")?,
            scope_urls: root.texts("schema_url")?,
            rendered: Vec::new(),
        };
        let mut there = [false; 2];
        for row in 0..rows {
            let sides =
                [(&resources, resource_ids[row], &resource_attributes), (&scopes, scope_ids[row], &scope_attributes)];
            let mut is_new = row == 0;
            for (there, (of, id, attributes)) in there.iter_mut().zip(sides) {
                // Until the first one that is there, there is none.
                if !*there && (of.is_some_and(|of| !of.is_null(row)) || !attributes.is_empty(id)) {
                    *there = true;
                    is_new = true;
                }
            }
            let resource = Side { id: resource_ids[row], is_there: there[0] };
            let scope = Side { id: scope_ids[row], is_there: there[1] };
            if !is_new && common.runs.last().is_some_and(|run| run.resource == resource && run.scope == scope) {
                continue;
            }
            common.runs.push(Run { first: row, resource, scope });
            common.render(true, resource, &resource_attributes, planning)?;
            common.render(false, scope, &scope_attributes, planning)?;
            let texts = [&common.resource.urls, &common.names, &common.versions, &common.scope_urls];
            counts.dictionary += texts.iter().map(|text| text.or_empty(row).len()).sum::<usize>();
        }
        counts.dictionary += common.rendered.len() + 2 * common.runs.len().min(1);
        planning.next();
        Ok(common)
    }

    /// Renders a resource or scope that was not seen before.
    fn render(
        &mut self,
        is_resource: bool,
        side: Side,
        attributes: &Attributes<'b>,
        planning: &mut Planning<'_, '_>,
    ) -> Result<(), Fault> {
        let shared = if is_resource { &mut self.resource } else { &mut self.scope };
        if !side.is_there && is_resource || shared.known.contains_key(&side.id) {
            return Ok(());
        }
        let start = self.rendered.len();
        let service = attributes.object(side.id, &mut self.rendered);
        let end = self.rendered.len();
        let service = service.filter(|_| is_resource).map(|service| {
            self.rendered.extend_from_slice(service);
            (end, self.rendered.len())
        });
        shared.known.insert(side.id, Known { json: (start, end), service });
        planning.taken(&self.rendered)
    }

    /// The ten columns; `roots` gives the row of the root table of each row, in ascending order.
    pub(super) fn build(
        &self,
        roots: impl Iterator<Item = usize>,
        rows: usize,
        zeros: &mut Zeros,
        columns: &mut Vec<ArrayRef>,
    ) {
        let mut texts: [Dictionary; 8] = std::array::from_fn(|_| Dictionary::new());
        let mut dropped: [Counters; 2] = Default::default();
        texts.iter_mut().for_each(|text| text.reserve(rows));
        dropped.iter_mut().for_each(|count| count.reserve(rows));
        let mut keys: HashMap<(bool, u32), [Option<i32>; 2]> = HashMap::new();
        let mut fill = |run: &Run, count: usize| {
            let row = run.first;
            let [service, resource, resource_url, entities, name, version, scope, scope_url] = &mut texts;
            let at = |(start, end): (usize, usize)| self.rendered.get(start..end).unwrap_or_default();
            let there = run.resource.is_there;
            let known = self.resource.known.get(&run.resource.id).filter(|_| there);
            let [service_key, resource_key] = *keys.entry((there, run.resource.id)).or_insert_with(|| {
                let named = known.and_then(|known| known.service).map(|name| service.key(at(name)));
                [named, known.map(|known| resource.key(at(known.json)))]
            });
            service.fill(service_key, count);
            resource.fill(resource_key, count);
            let url = resource_url.key(self.resource.urls.or_empty(row));
            resource_url.fill(Some(url), count);
            entities.fill(None, count);
            dropped[0].fill(self.resource.dropped.count(row), count);
            let key = run.scope.is_there.then(|| name.key(self.names.or_empty(row)));
            name.fill(key, count);
            let key = version.key(self.versions.or_empty(row));
            version.fill(Some(key), count);
            let json = self.scope.known.get(&run.scope.id).map_or(&b"{}"[..], |known| at(known.json));
            let key = scope.key(json);
            scope.fill(Some(key), count);
            let key = scope_url.key(self.scope_urls.or_empty(row));
            scope_url.fill(Some(key), count);
            dropped[1].fill(self.scope.dropped.count(row), count);
        };
        let (mut at, mut count) = (0, 0);
        for root in roots {
            while self.runs.get(at + 1).is_some_and(|next| next.first <= root) {
                if count > 0 {
                    fill(&self.runs[at], count);
                }
                (at, count) = (at + 1, 0);
            }
            count += 1;
        }
        if count > 0 {
            fill(&self.runs[at], count);
        }
        let [service, resource, resource_url, entities, name, version, scope, scope_url] = &mut texts;
        let [resource_dropped, scope_dropped] = &mut dropped;
        columns.extend([
            service.finish(zeros),
            resource.finish(zeros),
            resource_dropped.finish(zeros),
            resource_url.finish(zeros),
            entities.finish(zeros),
            name.finish(zeros),
            version.finish(zeros),
            scope.finish(zeros),
            scope_dropped.finish(zeros),
            scope_url.finish(zeros),
        ]);
    }
}

//! What records share: columns of their resource and scope in the root table, and the tables of their attributes.

use otlp_arrow_wire::otap::PayloadType;

use super::attributes::Attributes;
use super::coded::{Coded, Of, Width};
use super::ipc::Messages;
use super::leaf::{Encoding, Leaf, Plain, Validity};
use super::lost::{Loss, Lost};
use super::table::{Part, Piece, SchemaIds};
use crate::encode::column::Cell;
use crate::encode::group::{ResourceKey, ScopeKey};

/// The columns that every root table has, and what hangs on them.
pub(super) struct Shared {
    resource: Numbered,
    scope: Numbered,
    resource_schema_url: Coded,
    scope_name: Coded,
    scope_version: Coded,
    schema_url: Coded,
    resource_attributes: Attributes,
    scope_attributes: Attributes,
    lost: Lost,
}

/// What resource and scope have both.
struct Numbered {
    validity: Validity,
    id: Plain<u16>,
    dropped: Plain<u32>,
    /// Of the rows so far; none before the first.
    last: Option<u16>,
}

impl Numbered {
    fn new() -> Self {
        let id = Plain::optional("id").encoded(Encoding::Delta);
        Self { validity: Validity::default(), id, dropped: Plain::optional("dropped_attributes_count"), last: None }
    }

    fn push(&mut self, id: u16, dropped: u32) {
        self.validity.push(true);
        self.id.push(id - self.last.unwrap_or(0));
        self.last = Some(id);
        self.dropped.unless_zero(dropped);
    }
}

/// A group of rows: their resource and scope with their numbers.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) resource: (u16, &'a ResourceKey<'a>),
    pub(super) scope: (u16, &'a ScopeKey<'a>),
}

impl Shared {
    pub(super) fn new() -> Self {
        let text = |name| Coded::new(name, Of::Text, Width::U8, true);
        Self {
            resource: Numbered::new(),
            scope: Numbered::new(),
            resource_schema_url: text("schema_url"),
            scope_name: text("name"),
            scope_version: text("version"),
            schema_url: text("schema_url"),
            resource_attributes: Attributes::new(PayloadType::ResourceAttrs, false),
            scope_attributes: Attributes::new(PayloadType::ScopeAttrs, false),
            lost: Lost::default(),
        }
    }

    /// A resource comes, with so many records.
    pub(super) fn resource(&mut self, id: u16, key: &ResourceKey<'_>, records: u64) -> Cell<()> {
        if key.entity_refs.is_some() {
            self.lost.add(Loss::EntityRefs, records);
        }
        let Some(object) = key.attributes else { return Ok(()) };
        self.resource_attributes.add_json(object, id.into(), "resource_attributes")
    }

    /// A scope comes.
    pub(super) fn scope(&mut self, id: u16, key: &ScopeKey<'_>) -> Cell<()> {
        if key.attributes.is_empty() {
            return Ok(());
        }
        self.scope_attributes.add_json(key.attributes, id.into(), "scope_attributes")
    }

    /// A row of the root table.
    pub(super) fn push(&mut self, place: &Place<'_>) {
        let ((resource_id, resource), (scope_id, scope)) = (place.resource, place.scope);
        self.resource.push(resource_id, resource.dropped);
        self.resource_schema_url.unless_empty(resource.schema_url);
        self.scope.push(scope_id, scope.dropped);
        self.scope_name.unless_empty(scope.name.unwrap_or_default());
        self.scope_version.unless_empty(scope.version);
        self.schema_url.unless_empty(scope.schema_url);
    }

    /// The columns for the root table.
    pub(super) fn parts(&mut self) -> [Part<'_>; 3] {
        let Numbered { validity, id, dropped, .. } = &mut self.resource;
        let resource: Vec<&mut dyn Leaf> = vec![id, &mut self.resource_schema_url, dropped];
        let resource = Part::Struct("resource", validity, resource);
        let Numbered { validity, id, dropped, .. } = &mut self.scope;
        let scope: Vec<&mut dyn Leaf> = vec![id, &mut self.scope_name, &mut self.scope_version, dropped];
        [resource, Part::Struct("scope", validity, scope), Part::Column(&mut self.schema_url)]
    }

    /// The tables beside the root table.
    pub(super) fn pieces(&mut self, ids: &mut SchemaIds, messages: &mut Messages, out: &mut Vec<Piece>) {
        out.extend(self.resource_attributes.piece(ids, messages));
        out.extend(self.scope_attributes.piece(ids, messages));
        self.end();
    }

    fn end(&mut self) {
        (self.resource.last, self.scope.last) = (None, None);
    }

    pub(super) fn restart(&mut self) {
        self.resource_attributes.restart();
        self.scope_attributes.restart();
    }

    pub(super) fn forget(&mut self) {
        self.resource_attributes.forget();
        self.scope_attributes.forget();
        self.end();
    }

    /// What did not fit since this was asked last.
    pub(super) fn lost(&mut self) -> Lost {
        let mut lost = std::mem::take(&mut self.lost);
        lost.add_all(std::mem::take(&mut self.resource_attributes.lost));
        lost.add_all(std::mem::take(&mut self.scope_attributes.lost));
        lost
    }
}

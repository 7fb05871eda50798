//! The columns that a record shares with its neighbours: resource and scope.

use arrow_array::types::UInt32Type;

use super::cells::Numbers;
use super::context::Context;
use super::error::{BatchError, Checked, Flaw};
use super::find::Finder;
use super::json;
use super::text::Text;
use crate::counts::Counts;

/// Resource and scope of every row.
pub(crate) struct Common<'a> {
    pub(crate) resource_attributes: Text<'a>,
    pub(crate) resource_dropped: Numbers<'a, UInt32Type>,
    pub(crate) resource_schema_url: Text<'a>,
    pub(crate) resource_entity_refs: Text<'a>,
    pub(crate) scope_name: Text<'a>,
    pub(crate) scope_version: Text<'a>,
    pub(crate) scope_attributes: Text<'a>,
    pub(crate) scope_dropped: Numbers<'a, UInt32Type>,
    pub(crate) scope_schema_url: Text<'a>,
}

pub(super) const COUNT: &str = "UInt32";

impl<'a> Common<'a> {
    pub(super) fn of(columns: &mut Finder<'a>) -> Result<Self, BatchError> {
        // It is derived from the resource, whatever it says here.
        Text::optional(columns, "service_name")?;
        Ok(Self {
            resource_attributes: Text::optional(columns, "resource_attributes")?,
            resource_dropped: Numbers::required(columns, "resource_dropped_attributes_count", COUNT)?,
            resource_schema_url: Text::required(columns, "resource_schema_url")?,
            resource_entity_refs: Text::optional(columns, "resource_entity_refs")?,
            scope_name: Text::optional(columns, "scope_name")?,
            scope_version: Text::required(columns, "scope_version")?,
            scope_attributes: Text::required(columns, "scope_attributes")?,
            scope_dropped: Numbers::required(columns, "scope_dropped_attributes_count", COUNT)?,
            scope_schema_url: Text::required(columns, "scope_schema_url")?,
        })
    }

    pub(super) fn check(&self, context: &Context, rows: usize, counts: &mut Counts) -> Checked<()> {
        let object = |text: &'a [u8]| json::object(context, text);
        let attributes = self.resource_attributes.check_each(context, rows, object)?;
        // Its service name is a part of it.
        counts.dictionary += 2 * attributes;
        counts.dictionary += self.scope_attributes.check_each(context, rows, object)?;
        counts.dictionary += self.resource_entity_refs.check_each(context, rows, json::entity_refs)?;
        for text in [&self.resource_schema_url, &self.scope_name, &self.scope_version, &self.scope_schema_url] {
            counts.dictionary += text.check_each(context, rows, |_| Ok(()))?;
        }
        self.resource_dropped.check(0..rows)?;
        self.scope_dropped.check(0..rows)?;
        for row in 0..rows {
            if self.resource_attributes.slot(row).is_none() {
                self.no_resource(row)?;
            }
            if self.scope_name.slot(row).is_none() {
                self.no_scope(row)?;
            }
        }
        context.within(counts)
    }

    #[cold]
    fn no_resource(&self, row: usize) -> Result<(), Flaw> {
        if self.resource_dropped.or_zero(row) != 0 {
            return Err(self
                .resource_dropped
                .flaw(row, "must be 0 where resource_attributes is null: there is no resource"));
        }
        match self.resource_entity_refs.get(row).filter(|refs| !json::is_empty(refs)) {
            None => Ok(()),
            Some(_) => {
                let message = "must be null where resource_attributes is null: there is no resource";
                Err(self.resource_entity_refs.flaw(row, message))
            }
        }
    }

    #[cold]
    fn no_scope(&self, row: usize) -> Result<(), Flaw> {
        if self.scope_version.get(row).is_some_and(|version| !version.is_empty()) {
            return Err(self.scope_version.flaw(row, "must be '' where scope_name is null: there is no scope"));
        }
        if self.scope_attributes.get(row).is_some_and(|attributes| !json::is_empty(attributes)) {
            return Err(self.scope_attributes.flaw(row, "must be '{}' where scope_name is null: there is no scope"));
        }
        match self.scope_dropped.or_zero(row) {
            0 => Ok(()),
            _ => Err(self.scope_dropped.flaw(row, "must be 0 where scope_name is null: there is no scope")),
        }
    }
}

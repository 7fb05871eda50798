//! The tables of one batch.

use otlp_arrow_wire::otap::PayloadType;

use super::arrays::Array;
use super::cells::Columns;
use super::schema::Field;
use super::store::Stores;
use crate::Signal;

/// One table of a batch.
pub(super) struct Record<'a> {
    pub(super) kind: PayloadType,
    pub(super) rows: usize,
    pub(super) fields: &'a [Field],
    pub(super) arrays: Vec<Array<'a>>,
    pub(super) stores: &'a Stores,
}

/// The tables of one batch. See [`Tables::plan`].
pub struct Tables<'a> {
    pub(super) signal: Signal,
    pub(super) records: Vec<Record<'a>>,
}

impl std::fmt::Debug for Tables<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.records.iter().map(|record| (record.kind, record.rows))).finish()
    }
}

impl<'a> Tables<'a> {
    /// The columns of a table, where it was sent.
    pub(super) fn get<'b>(&'b self, kind: PayloadType) -> Option<Columns<'b>> {
        let record = self.records.iter().find(|record| record.kind == kind)?;
        Some(Columns { rows: record.rows, fields: record.fields, arrays: &record.arrays, stores: record.stores })
    }

    /// The table that all others hang on; without rows where it was not sent.
    pub(super) fn root<'b>(&'b self, kind: PayloadType) -> Columns<'b> {
        const NONE: &Stores = &Stores::NONE;
        self.get(kind).unwrap_or(Columns { rows: 0, fields: &[], arrays: &[], stores: NONE })
    }
}

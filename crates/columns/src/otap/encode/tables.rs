//! What the tables of each signal have in common.

use arrow_array::RecordBatch;

use super::ipc::Messages;
use super::lost::Lost;
use super::shared::{Place, Shared};
use super::table::{Piece, SchemaIds};
use crate::EncodeError;
use crate::encode::column::Cell;
use crate::encode::group::Grouped;

/// The tables of one signal.
pub(super) trait Tables: Send {
    /// Adds the rows of a batch. After an error the tables hold some of them.
    fn fill(&mut self, batch: &RecordBatch) -> Result<(), EncodeError>;
    /// What was added, as the next pieces of their streams, the root table first.
    fn pieces(&mut self, ids: &mut SchemaIds, messages: &mut Messages) -> Vec<Piece>;
    /// Pieces that follow begin streams of their own.
    fn restart(&mut self);
    /// Forgets what was added.
    fn forget(&mut self);
    /// What did not fit since this was asked last.
    fn lost(&mut self) -> Lost;
}

/// Calls `row` for each row of a batch, by resource and scope, in the order in which these first occur.
pub(super) fn each_row<T>(
    tables: &mut T,
    batch: &RecordBatch,
    shared: impl Fn(&mut T) -> &mut Shared,
    mut row: impl FnMut(&mut T, usize, &Place<'_>) -> Cell<()>,
) -> Result<(), EncodeError> {
    let grouped = Grouped::of(std::slice::from_ref(batch))?;
    let mut scopes = 0;
    for (resource_id, resource) in grouped.resources.iter().enumerate() {
        // There are no more groups than rows, whose number is checked.
        let resource_id = resource_id as u16;
        let records = resource.scopes.iter().map(|scope| scope.rows() as u64).sum();
        let corrupt = |flaw| resource.first.corrupt(resource.first.start, flaw);
        shared(tables).resource(resource_id, &resource.key, records).map_err(corrupt)?;
        for scope in &resource.scopes {
            let place = Place { resource: (resource_id, &resource.key), scope: (scopes, &scope.key) };
            shared(tables).scope(scopes, &scope.key).map_err(|flaw| scope.first.corrupt(scope.first.start, flaw))?;
            scopes = scopes.wrapping_add(1);
            for run in &scope.runs {
                for at in run.start..run.end {
                    row(tables, at, &place).map_err(|flaw| run.corrupt(at, flaw))?;
                }
            }
        }
    }
    Ok(())
}

//! The columns of a batch, or of the elements of a list of structs, by name.

use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, Fields};

use super::error::BatchError;

/// Looks up columns that belong there: whatever else there is was refused.
pub(super) struct Finder<'a> {
    fields: &'a Fields,
    arrays: &'a [ArrayRef],
    /// Where the next column probably is: they are mostly asked for in the order they have.
    next: usize,
}

impl<'a> Finder<'a> {
    /// The columns of `table`, which may have those of `allowed`.
    pub(super) fn new(
        table: &'static str,
        allowed: &Fields,
        fields: &'a Fields,
        arrays: &'a [ArrayRef],
    ) -> Result<Self, BatchError> {
        for (at, field) in fields.iter().enumerate() {
            let column = || field.name().clone();
            if allowed.find(field.name()).is_none() {
                return Err(BatchError::UnknownColumn { column: column(), table, fits: None });
            }
            if fields.iter().take(at).any(|other| other.name() == field.name()) {
                return Err(BatchError::RepeatedColumn { column: column(), table });
            }
        }
        Ok(Self { fields, arrays, next: 0 })
    }

    /// A column; none if it is missing, or of the type that has only nulls. Nested ones are named `events.time`, and
    /// `time` in their struct.
    fn find(&mut self, name: &'static str) -> Option<&'a ArrayRef> {
        let own = name.rsplit('.').next().unwrap_or(name);
        let at = (self.next..self.fields.len()).chain(0..self.next).find(|&at| self.fields[at].name() == own)?;
        self.next = at + 1;
        self.arrays.get(at).filter(|array| *array.data_type() != DataType::Null)
    }

    /// A column that may not be left out, as `view` sees it.
    pub(super) fn required<T>(
        &mut self,
        name: &'static str,
        expected: &'static str,
        view: impl FnOnce(&'a dyn Array) -> Option<T>,
    ) -> Result<T, BatchError> {
        self.optional(name, expected, view)?.ok_or(BatchError::MissingColumn { column: name, expected })
    }

    /// A column that is null throughout where it is missing, as `view` sees it.
    pub(super) fn optional<T>(
        &mut self,
        name: &'static str,
        expected: &'static str,
        view: impl FnOnce(&'a dyn Array) -> Option<T>,
    ) -> Result<Option<T>, BatchError> {
        let Some(array) = self.find(name) else { return Ok(None) };
        view(array.as_ref()).map(Some).ok_or_else(|| BatchError::WrongType {
            column: name,
            expected,
            found: array.data_type().to_string(),
        })
    }
}

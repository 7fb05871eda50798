//! Columns of numbers, booleans and ids.

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrowPrimitiveType, BooleanArray};
use arrow_buffer::NullBuffer;

use super::error::{BatchError, Flaw};
use super::find::Finder;
use super::pieces::{Pieces, is_null};

const NULL: &str = "is null, and this column has no nulls";

/// A column of numbers.
#[derive(Clone, Copy)]
pub(crate) struct Numbers<'a, T: ArrowPrimitiveType> {
    name: &'static str,
    required: bool,
    values: &'a [T::Native],
    nulls: Option<&'a NullBuffer>,
}

impl<'a, T: ArrowPrimitiveType> Numbers<'a, T> {
    /// A column that has no nulls.
    pub(super) fn required(
        columns: &mut Finder<'a>,
        name: &'static str,
        expected: &'static str,
    ) -> Result<Self, BatchError> {
        columns.required(name, expected, |array| Self::of(array, name, true))
    }

    pub(super) fn optional(
        columns: &mut Finder<'a>,
        name: &'static str,
        expected: &'static str,
    ) -> Result<Self, BatchError> {
        let nothing = Self { name, required: false, values: &[], nulls: None };
        Ok(columns.optional(name, expected, |array| Self::of(array, name, false))?.unwrap_or(nothing))
    }

    fn of(array: &'a dyn Array, name: &'static str, required: bool) -> Option<Self> {
        let array = array.as_primitive_opt::<T>()?;
        Some(Self { name, required, values: array.values(), nulls: array.nulls() })
    }

    #[inline(always)]
    pub(crate) fn get(&self, row: usize) -> Option<T::Native> {
        if is_null(self.nulls, row) { None } else { self.values.get(row).copied() }
    }

    /// The number of a row, 0 for null.
    #[inline(always)]
    pub(crate) fn or_zero(&self, row: usize) -> T::Native {
        self.get(row).unwrap_or_default()
    }

    /// Whether every row is null.
    pub(crate) fn is_null(&self) -> bool {
        self.nulls.map_or(self.values.is_empty(), |nulls| nulls.null_count() == nulls.len())
    }

    /// The values of some rows, if none of them is null.
    pub(crate) fn values(&self, rows: Range<usize>) -> Option<&'a [T::Native]> {
        let none_null = self.nulls.is_none_or(|nulls| nulls.null_count() == 0);
        self.values.get(rows).filter(|_| none_null)
    }

    pub(super) fn check(&self, rows: Range<usize>) -> Result<(), Flaw> {
        if !self.required || self.values(rows.clone()).is_some() {
            return Ok(());
        }
        match rows.into_iter().find(|row| self.get(*row).is_none()) {
            Some(row) => Err(Flaw::new(row, self.name, NULL)),
            None => Ok(()),
        }
    }

    /// What is wrong with a row.
    pub(super) fn flaw(&self, row: usize, message: &'static str) -> Flaw {
        Flaw::new(row, self.name, message)
    }
}

/// A nullable column of booleans.
#[derive(Clone, Copy)]
pub(crate) struct Booleans<'a> {
    array: Option<&'a BooleanArray>,
}

impl<'a> Booleans<'a> {
    pub(super) fn optional(columns: &mut Finder<'a>, name: &'static str) -> Result<Self, BatchError> {
        Ok(Self { array: columns.optional(name, "Boolean", |array| array.as_boolean_opt())? })
    }

    #[inline(always)]
    pub(crate) fn get(&self, row: usize) -> Option<bool> {
        let array = self.array?;
        (row < array.len() && array.is_valid(row)).then(|| array.value(row))
    }
}

/// A nullable column of ids of `N` bytes. As bytes of any length, empty ones are null too.
#[derive(Clone, Copy)]
pub(crate) struct Ids<'a, const N: usize> {
    name: &'static str,
    pieces: Pieces<'a>,
}

impl<'a, const N: usize> Ids<'a, N> {
    pub(super) fn optional(columns: &mut Finder<'a>, name: &'static str) -> Result<Self, BatchError> {
        let expected = match N {
            16 => "FixedSizeBinary(16), or bytes of this length",
            _ => "FixedSizeBinary(8), or bytes of this length",
        };
        let pieces = columns.optional(name, expected, |array| Pieces::bytes(array, N))?;
        Ok(Self { name, pieces: pieces.unwrap_or_else(Pieces::nothing) })
    }

    #[inline(always)]
    pub(crate) fn get(&self, row: usize) -> Option<&'a [u8; N]> {
        self.pieces.get(row)?.first_chunk()
    }

    pub(super) fn check(&self, rows: Range<usize>) -> Result<(), Flaw> {
        for row in rows.filter(|row| !self.pieces.is_null(*row)) {
            match self.pieces.piece(row) {
                Some(id) if id.len() == N || id.is_empty() => {}
                Some(id) => {
                    let message = format!("an id of {} bytes, and it must have {N}", id.len());
                    return Err(Flaw::new(row, self.name, message));
                }
                None => return Err(Flaw::new(row, self.name, "an offset points outside of the column")),
            }
        }
        Ok(())
    }
}

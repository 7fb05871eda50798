//! Columns of lists: where the elements of each row are.

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, MapArray, StructArray};
use arrow_buffer::NullBuffer;
use arrow_schema::DataType;

use super::error::{BatchError, Checked, Flaw};
use super::find::Finder;
use super::pieces::is_null;

const BROKEN: &str = "an offset points outside of the column";
const NULL: &str = "is null, and this column has no nulls";

/// The offsets of a column of lists, or of a map, which is a list of pairs.
#[derive(Clone, Copy)]
pub(crate) struct Lists<'a> {
    name: &'static str,
    required: bool,
    offsets: Offsets<'a>,
    nulls: Option<&'a NullBuffer>,
    /// Elements of all rows, and of those that do not belong to this slice.
    elements: usize,
}

#[derive(Clone, Copy)]
enum Offsets<'a> {
    Small(&'a [i32]),
    Large(&'a [i64]),
}

impl<'a> Lists<'a> {
    pub(super) fn nothing(name: &'static str) -> Self {
        Self { name, required: false, offsets: Offsets::Small(&[]), nulls: None, elements: 0 }
    }

    /// A list and its elements; none for another type.
    pub(super) fn of(array: &'a dyn Array, name: &'static str, required: bool) -> Option<(Self, &'a ArrayRef)> {
        let (offsets, values) = if let Some(list) = array.as_list_opt::<i32>() {
            (Offsets::Small(list.value_offsets()), list.values())
        } else {
            let list = array.as_list_opt::<i64>()?;
            (Offsets::Large(list.value_offsets()), list.values())
        };
        Some((Self { name, required, offsets, nulls: array.nulls(), elements: values.len() }, values))
    }

    pub(super) fn of_map(map: &'a MapArray, name: &'static str) -> Self {
        let offsets = Offsets::Small(map.value_offsets());
        Self { name, required: true, offsets, nulls: map.nulls(), elements: map.entries().len() }
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    #[inline(always)]
    pub(crate) fn is_null(&self, row: usize) -> bool {
        is_null(self.nulls, row) || matches!(self.offsets, Offsets::Small([]))
    }

    /// Whether every row is null.
    pub(crate) fn are_null(&self) -> bool {
        let missing = matches!(self.offsets, Offsets::Small([]));
        missing || self.nulls.is_some_and(|nulls| nulls.null_count() == nulls.len())
    }

    #[inline(always)]
    fn span(&self, row: usize) -> Option<Range<usize>> {
        let (start, end) = match self.offsets {
            Offsets::Small(offsets) => {
                (usize::try_from(*offsets.get(row)?).ok()?, usize::try_from(*offsets.get(row + 1)?).ok()?)
            }
            Offsets::Large(offsets) => {
                (usize::try_from(*offsets.get(row)?).ok()?, usize::try_from(*offsets.get(row + 1)?).ok()?)
            }
        };
        (start <= end && end <= self.elements).then_some(start..end)
    }

    /// Where the elements of a row are; none for null.
    #[inline(always)]
    pub(crate) fn range(&self, row: usize) -> Range<usize> {
        if self.is_null(row) { 0..0 } else { self.span(row).unwrap_or(0..0) }
    }

    /// The same, and whether it is what the column may have.
    #[inline(always)]
    pub(super) fn sound(&self, row: usize) -> Result<Range<usize>, Flaw> {
        if self.is_null(row) {
            return if self.required { Err(Flaw::new(row, self.name, NULL)) } else { Ok(0..0) };
        }
        self.span(row).ok_or_else(|| Flaw::new(row, self.name, BROKEN))
    }

    /// Checks the offsets, and the elements of each row by `check`; how many elements there are.
    pub(super) fn check(&self, rows: usize, mut check: impl FnMut(Range<usize>) -> Result<(), Flaw>) -> Checked<usize> {
        if !self.required && self.are_null() {
            return Ok(0);
        }
        let mut elements = 0_usize;
        for row in 0..rows {
            let range = self.sound(row)?;
            elements = elements.saturating_add(range.len());
            check(range).map_err(|flaw| flaw.at(row))?;
        }
        Ok(elements)
    }
}

/// A nullable column of lists of numbers.
#[derive(Clone, Copy)]
pub(crate) struct NumberLists<'a, T: ArrowPrimitiveType> {
    pub(crate) lists: Lists<'a>,
    values: &'a [T::Native],
    nulls: Option<&'a NullBuffer>,
}

impl<'a, T: ArrowPrimitiveType> NumberLists<'a, T> {
    pub(super) fn optional(
        columns: &mut Finder<'a>,
        name: &'static str,
        expected: &'static str,
    ) -> Result<Self, BatchError> {
        let found = columns.optional(name, expected, |array| {
            let (lists, values) = Lists::of(array, name, false)?;
            if values.is_empty() && *values.data_type() == DataType::Null {
                return Some(Self { lists, values: &[], nulls: None });
            }
            let values = values.as_primitive_opt::<T>()?;
            Some(Self { lists, values: values.values(), nulls: values.nulls() })
        })?;
        Ok(found.unwrap_or(Self { lists: Lists::nothing(name), values: &[], nulls: None }))
    }

    /// The numbers of a row; none for null.
    pub(crate) fn get(&self, row: usize) -> Option<&'a [T::Native]> {
        if self.lists.is_null(row) { None } else { self.values.get(self.lists.range(row)) }
    }

    pub(super) fn check(&self, rows: usize) -> Checked<usize> {
        let has_nulls = self.nulls.is_some_and(|nulls| nulls.null_count() > 0);
        self.lists.check(rows, |range| match has_nulls && range.into_iter().any(|at| is_null(self.nulls, at)) {
            false => Ok(()),
            true => Err(Flaw::new(0, self.lists.name, "has an element that is null")),
        })
    }
}

/// A column of lists of structs and its elements. Of a column that is missing, or whose lists are all empty, there may be
/// none to look at.
pub(super) fn structs<'a>(
    columns: &mut Finder<'a>,
    name: &'static str,
    required: bool,
) -> Result<(Lists<'a>, Option<&'a StructArray>), BatchError> {
    let view = |array: &'a dyn Array| {
        let (lists, values) = Lists::of(array, name, required)?;
        if values.is_empty() && *values.data_type() == DataType::Null {
            return Some((lists, None));
        }
        Some((lists, Some(values.as_struct_opt()?)))
    };
    if required {
        return columns.required(name, "a list of structs", view);
    }
    Ok(columns.optional(name, "a list of structs", view)?.unwrap_or((Lists::nothing(name), None)))
}

/// Whether an element in this range is null.
pub(super) fn has_null(structs: &StructArray, range: &Range<usize>) -> bool {
    let nulls = structs.nulls();
    nulls.is_some() && range.clone().any(|at| is_null(nulls, at))
}

/// Refuses the row with the number `row` if an element of its list, which is this range, is null.
pub(super) fn without_null(structs: &StructArray, name: &'static str, row: usize, range: &Range<usize>) -> Checked<()> {
    if has_null(structs, range) {
        return Err(Flaw::new(row, name, "has an element that is null").into());
    }
    Ok(())
}

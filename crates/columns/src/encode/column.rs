//! Typed views of the columns of a batch. They look up by name, take plain text for a dictionary, and check every offset
//! and index they follow: batches may come from other programs.

use std::cell::Cell as Shared;
use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Int32Type};
use arrow_array::{Array, ArrayRef, BooleanArray, FixedSizeBinaryArray, RecordBatch, StringArray, StructArray};
use arrow_buffer::NullBuffer;
use arrow_schema::Fields;

use super::EncodeError;

/// What is wrong with a cell: the column and the reason.
pub(crate) struct Flaw {
    pub(crate) column: &'static str,
    pub(crate) message: &'static str,
}

/// The result of reading a cell.
pub(crate) type Cell<T> = Result<T, Flaw>;

const BROKEN: &str = "an offset or index points outside of the column";

fn is_null(nulls: Option<&NullBuffer>, row: usize) -> bool {
    nulls.is_some_and(|nulls| row >= nulls.len() || nulls.is_null(row))
}

/// The columns of a batch, or of the elements of a list of structs.
pub(crate) struct Columns<'a> {
    fields: &'a Fields,
    arrays: &'a [ArrayRef],
    /// Where the next column probably is: they are mostly asked for in the order they have.
    next: Shared<usize>,
}

impl<'a> Columns<'a> {
    pub(crate) fn of(batch: &'a RecordBatch) -> Self {
        Self::new(batch.schema_ref().fields(), batch.columns())
    }

    fn new(fields: &'a Fields, arrays: &'a [ArrayRef]) -> Self {
        Self { fields, arrays, next: Shared::new(0) }
    }

    fn find(&self, name: &'static str) -> Result<&'a ArrayRef, EncodeError> {
        // Nested columns are named `events.time` in errors, and `time` in their struct.
        let own = name.rsplit('.').next().unwrap_or(name);
        let next = self.next.get();
        let at = (next..self.fields.len()).chain(0..next).find(|&at| self.fields[at].name() == own);
        at.inspect(|at| self.next.set(at + 1))
            .and_then(|at| self.arrays.get(at))
            .ok_or(EncodeError::MissingColumn { column: name })
    }

    fn typed<T>(
        &self,
        name: &'static str,
        expected: &'static str,
        view: impl FnOnce(&'a ArrayRef) -> Option<T>,
    ) -> Result<T, EncodeError> {
        let array = self.find(name)?;
        view(array).ok_or_else(|| EncodeError::WrongType {
            column: name,
            expected,
            found: array.data_type().to_string(),
        })
    }

    pub(crate) fn text(&self, name: &'static str) -> Result<Text<'a>, EncodeError> {
        self.typed(name, "Dictionary(Int32, Utf8) or Utf8", |array| {
            if let Some(values) = array.as_string_opt::<i32>() {
                return Some(Text { name, keys: None, nulls: None, values: Strings::of(values) });
            }
            let dictionary = array.as_dictionary_opt::<Int32Type>()?;
            let values = dictionary.values().as_string_opt::<i32>()?;
            let keys = dictionary.keys();
            Some(Text { name, keys: Some(keys.values()), nulls: keys.nulls(), values: Strings::of(values) })
        })
    }

    pub(crate) fn numbers<T: ArrowPrimitiveType>(
        &self,
        name: &'static str,
        expected: &'static str,
    ) -> Result<Numbers<'a, T>, EncodeError> {
        self.typed(name, expected, |array| {
            let array = array.as_primitive_opt::<T>()?;
            Some(Numbers { values: array.values(), nulls: array.nulls() })
        })
    }

    pub(crate) fn booleans(&self, name: &'static str) -> Result<&'a BooleanArray, EncodeError> {
        self.typed(name, "Boolean", |array| array.as_boolean_opt())
    }

    pub(crate) fn ids(&self, name: &'static str, size: usize) -> Result<Ids<'a>, EncodeError> {
        let expected = if size == 16 { "FixedSizeBinary(16)" } else { "FixedSizeBinary(8)" };
        self.typed(name, expected, |array| {
            let array = array.as_fixed_size_binary_opt()?;
            (array.value_length() as usize == size).then(|| Ids { array, nulls: array.nulls() })
        })
    }

    pub(crate) fn map(&self, name: &'static str) -> Result<Map<'a>, EncodeError> {
        self.typed(name, "Map(Utf8, Utf8)", |array| {
            let map = array.as_map_opt()?;
            Some(Map {
                rows: Rows { name, offsets: map.value_offsets(), nulls: map.nulls(), len: map.entries().len() },
                keys: Strings::of(map.keys().as_string_opt::<i32>()?),
                values: Strings::of(map.values().as_string_opt::<i32>()?),
            })
        })
    }

    pub(crate) fn list(&self, name: &'static str) -> Result<(Rows<'a>, &'a ArrayRef), EncodeError> {
        self.typed(name, "List", |array| {
            let list = array.as_list_opt::<i32>()?;
            let rows = Rows { name, offsets: list.value_offsets(), nulls: list.nulls(), len: list.values().len() };
            Some((rows, list.values()))
        })
    }

    /// A list of structs and the columns of its elements.
    pub(crate) fn structs(&self, name: &'static str) -> Result<(Rows<'a>, Columns<'a>), EncodeError> {
        let (rows, values) = self.list(name)?;
        match values.as_any().downcast_ref::<StructArray>() {
            Some(elements) => Ok((rows, Columns::new(elements.fields(), elements.columns()))),
            None => Err(EncodeError::WrongType {
                column: name,
                expected: "List(Struct)",
                found: values.data_type().to_string(),
            }),
        }
    }

    /// A list of numbers.
    pub(crate) fn lists<T: ArrowPrimitiveType>(
        &self,
        name: &'static str,
        expected: &'static str,
    ) -> Result<Lists<'a, T>, EncodeError> {
        let (rows, values) = self.list(name)?;
        match values.as_primitive_opt::<T>() {
            Some(values) => Ok(Lists { rows, values: values.values() }),
            None => Err(EncodeError::WrongType { column: name, expected, found: values.data_type().to_string() }),
        }
    }
}

/// A column of text without a dictionary.
#[derive(Clone, Copy)]
pub(crate) struct Strings<'a> {
    offsets: &'a [i32],
    pub(crate) data: &'a [u8],
    nulls: Option<&'a NullBuffer>,
}

impl<'a> Strings<'a> {
    fn of(array: &'a StringArray) -> Self {
        Self { offsets: array.value_offsets(), data: array.value_data(), nulls: array.nulls() }
    }

    pub(crate) fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    #[inline(always)]
    pub(crate) fn is_null(&self, row: usize) -> bool {
        is_null(self.nulls, row)
    }

    /// Start and length of a text within [`Strings::data`]; none when the offsets are broken.
    #[inline(always)]
    pub(crate) fn piece(&self, row: usize) -> Option<(usize, usize)> {
        let (&start, &end) = (self.offsets.get(row)?, self.offsets.get(row + 1)?);
        (start >= 0 && start <= end && end as usize <= self.data.len())
            .then(|| (start as usize, (end - start) as usize))
    }

    #[inline(always)]
    pub(crate) fn get(&self, row: usize) -> Option<&'a [u8]> {
        let (start, len) = self.piece(row)?;
        self.data.get(start..start + len)
    }
}

/// A column of text, with or without a dictionary.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a> {
    pub(crate) name: &'static str,
    keys: Option<&'a [i32]>,
    nulls: Option<&'a NullBuffer>,
    pub(crate) values: Strings<'a>,
}

impl<'a> Text<'a> {
    /// Where the text of a row is among [`Text::values`]; none for null.
    #[inline(always)]
    pub(crate) fn slot(&self, row: usize) -> Cell<Option<usize>> {
        let slot = match self.keys {
            None => row,
            Some(_) if is_null(self.nulls, row) => return Ok(None),
            Some(keys) => match keys.get(row) {
                Some(&key) if key >= 0 && (key as usize) < self.values.len() => key as usize,
                _ => return Err(Flaw { column: self.name, message: BROKEN }),
            },
        };
        Ok((!self.values.is_null(slot)).then_some(slot))
    }

    /// The text of a row; none for null.
    #[inline(always)]
    pub(crate) fn get(&self, row: usize) -> Cell<Option<&'a [u8]>> {
        match self.slot(row)? {
            None => Ok(None),
            Some(slot) => self.values.get(slot).map(Some).ok_or(Flaw { column: self.name, message: BROKEN }),
        }
    }

    /// The text of a row, empty for null.
    #[inline(always)]
    pub(crate) fn or_empty(&self, row: usize) -> Cell<&'a [u8]> {
        Ok(self.get(row)?.unwrap_or_default())
    }

    /// Whether texts are shared through a dictionary, so that slots tell equal texts.
    pub(crate) fn has_dictionary(&self) -> bool {
        self.keys.is_some()
    }

    /// Whether two rows have the same index into a dictionary.
    #[inline(always)]
    pub(crate) fn same_slot(&self, row: usize, other: usize) -> bool {
        let Some(keys) = self.keys else { return false };
        is_null(self.nulls, row) == is_null(self.nulls, other) && keys.get(row) == keys.get(other)
    }

    /// Appends the rows from 1 on whose text may differ from that of the row before.
    pub(crate) fn changes(&self, rows: usize, into: &mut Vec<usize>) -> Cell<()> {
        match self.keys {
            Some(keys) if self.nulls.is_none() => {
                into.extend((1..rows.min(keys.len())).filter(|&row| keys[row] != keys[row - 1]));
            }
            _ => {
                let mut last = None;
                for row in 0..rows {
                    let text = self.get(row)?;
                    if row > 0 && last != Some(text) {
                        into.push(row);
                    }
                    last = Some(text);
                }
            }
        }
        Ok(())
    }
}

/// A column of numbers.
#[derive(Clone, Copy)]
pub(crate) struct Numbers<'a, T: ArrowPrimitiveType> {
    values: &'a [T::Native],
    nulls: Option<&'a NullBuffer>,
}

impl<T: ArrowPrimitiveType> Numbers<'_, T> {
    #[inline(always)]
    pub(crate) fn get(&self, row: usize) -> Option<T::Native> {
        if is_null(self.nulls, row) { None } else { self.values.get(row).copied() }
    }

    /// The number of a row, 0 for null.
    #[inline(always)]
    pub(crate) fn or_zero(&self, row: usize) -> T::Native {
        self.get(row).unwrap_or_default()
    }

    /// Appends the rows from 1 on whose number differs from that of the row before.
    pub(crate) fn changes(&self, rows: usize, into: &mut Vec<usize>)
    where
        T::Native: PartialEq,
    {
        into.extend((1..rows.min(self.values.len())).filter(|&row| self.get(row) != self.get(row - 1)));
    }
}

/// A column of ids.
#[derive(Clone, Copy)]
pub(crate) struct Ids<'a> {
    array: &'a FixedSizeBinaryArray,
    nulls: Option<&'a NullBuffer>,
}

impl<'a> Ids<'a> {
    #[inline(always)]
    pub(crate) fn get(&self, row: usize) -> Option<&'a [u8]> {
        (row < self.array.len() && !is_null(self.nulls, row)).then(|| self.array.value(row))
    }
}

/// The offsets of a list or map column.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    name: &'static str,
    offsets: &'a [i32],
    nulls: Option<&'a NullBuffer>,
    len: usize,
}

impl Rows<'_> {
    /// The elements of a row, none for null.
    #[inline(always)]
    pub(crate) fn range(&self, row: usize) -> Cell<Range<usize>> {
        match (self.offsets.get(row), self.offsets.get(row + 1)) {
            (Some(&start), Some(&end)) if start >= 0 && start <= end && end as usize <= self.len => {
                Ok(if is_null(self.nulls, row) { 0..0 } else { start as usize..end as usize })
            }
            _ => Err(Flaw { column: self.name, message: BROKEN }),
        }
    }
}

/// A column of lists of numbers.
#[derive(Clone, Copy)]
pub(crate) struct Lists<'a, T: ArrowPrimitiveType> {
    rows: Rows<'a>,
    values: &'a [T::Native],
}

impl<'a, T: ArrowPrimitiveType> Lists<'a, T> {
    /// Numbers of all rows.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// The numbers of a row, none for null.
    pub(crate) fn get(&self, row: usize) -> Cell<&'a [T::Native]> {
        self.values.get(self.rows.range(row)?).ok_or(Flaw { column: self.rows.name, message: BROKEN })
    }
}

/// An attribute column.
#[derive(Clone, Copy)]
pub(crate) struct Map<'a> {
    pub(crate) rows: Rows<'a>,
    pub(crate) keys: Strings<'a>,
    pub(crate) values: Strings<'a>,
}

impl Map<'_> {
    pub(crate) fn broken(&self) -> Flaw {
        self.flaw(BROKEN)
    }

    pub(crate) fn flaw(&self, message: &'static str) -> Flaw {
        Flaw { column: self.rows.name, message }
    }
}

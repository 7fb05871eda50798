//! A column of text, with or without a dictionary.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use arrow_array::{Array, ArrowPrimitiveType};
use arrow_buffer::NullBuffer;
use otlp_arrow_wire::read::Block;

use super::context::Context;
use super::error::{BatchError, Checked, Flaw};
use super::find::Finder;
use super::pieces::{Pieces, is_null};
use crate::names::number;
use crate::text::{hash, is_utf8, same};

const TEXT: &str = "text: Utf8, LargeUtf8, Utf8View, or a dictionary of one of them";
const BROKEN: &str = "an offset or index points outside of the column";
const NULL: &str = "is null, and this column has no nulls";

/// Text in whatever form it came.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a> {
    name: &'static str,
    required: bool,
    keys: Option<Keys<'a>>,
    nulls: Option<&'a NullBuffer>,
    values: Pieces<'a>,
}

impl<'a> Text<'a> {
    /// A column that has no nulls.
    pub(super) fn required(columns: &mut Finder<'a>, name: &'static str) -> Result<Self, BatchError> {
        columns.required(name, TEXT, |array| Self::of(array, name, true))
    }

    pub(super) fn optional(columns: &mut Finder<'a>, name: &'static str) -> Result<Self, BatchError> {
        let found = columns.optional(name, TEXT, |array| Self::of(array, name, false))?;
        Ok(found.unwrap_or_else(|| Self::nothing(name)))
    }

    /// A column that is null throughout.
    pub(super) fn nothing(name: &'static str) -> Self {
        Self { name, required: false, keys: None, nulls: None, values: Pieces::nothing() }
    }

    pub(super) fn of(array: &'a dyn Array, name: &'static str, required: bool) -> Option<Self> {
        if let Some(values) = Pieces::text(array) {
            return Some(Self { name, required, keys: None, nulls: None, values });
        }
        let dictionary = array.as_any_dictionary_opt()?;
        let values = Pieces::text(dictionary.values().as_ref())?;
        Some(Self { name, required, keys: Some(Keys::of(dictionary.keys())?), nulls: array.nulls(), values })
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// What is wrong with a row.
    pub(super) fn flaw(&self, row: usize, message: impl Into<Cow<'static, str>>) -> Flaw {
        Flaw::new(row, self.name, message)
    }

    /// How many different texts a dictionary has; none without a dictionary.
    pub(crate) fn dictionary(&self) -> Option<usize> {
        self.keys.map(|_| self.values.len())
    }

    /// Where the text of a row is among the values; none for null, and where an index is broken.
    #[inline(always)]
    pub(crate) fn slot(&self, row: usize) -> Option<usize> {
        let slot = match &self.keys {
            None => row,
            Some(_) if is_null(self.nulls, row) => return None,
            Some(keys) => keys.get(row)?,
        };
        (slot < self.values.len() && !self.values.is_null(slot)).then_some(slot)
    }

    /// The text in a slot.
    #[inline(always)]
    pub(crate) fn at(&self, slot: usize) -> &'a [u8] {
        self.values.piece(slot).unwrap_or_default()
    }

    /// The text of a row; none for null.
    #[inline(always)]
    pub(crate) fn get(&self, row: usize) -> Option<&'a [u8]> {
        self.slot(row).map(|slot| self.at(slot))
    }

    /// The text of a row, and whether it is what the column may have.
    #[inline(always)]
    pub(super) fn sound(&self, row: usize) -> Result<Option<&'a [u8]>, Flaw> {
        let slot = match &self.keys {
            None => Some(row),
            Some(_) if is_null(self.nulls, row) => None,
            Some(keys) => Some(keys.get(row).filter(|slot| *slot < self.values.len()).ok_or_else(|| self.broken(row))?),
        };
        match slot.filter(|slot| !self.values.is_null(*slot)) {
            None if self.required => Err(Flaw::new(row, self.name, NULL)),
            None => Ok(None),
            Some(slot) => {
                let text = self.values.piece(slot).ok_or_else(|| self.broken(row))?;
                match is_utf8(text, Block { start: 0, end: text.len() }) {
                    true => Ok(Some(text)),
                    false => Err(Flaw::new(row, self.name, "is not UTF-8")),
                }
            }
        }
    }

    #[cold]
    fn broken(&self, row: usize) -> Flaw {
        Flaw::new(row, self.name, BROKEN)
    }

    /// Checks the rows of a column that will be kept as plain text: the bytes of all of them.
    pub(super) fn check(&self, rows: Range<usize>) -> Result<usize, Flaw> {
        let mut bytes = 0_usize;
        for row in rows {
            bytes = bytes.saturating_add(self.sound(row)?.map_or(0, <[u8]>::len));
        }
        Ok(bytes)
    }

    /// Checks the rows of a column that will be kept with a dictionary: the bytes of all texts that differ. Each of these
    /// is shown to `see` at least once, which says what is wrong with it.
    pub(super) fn check_each(
        &self,
        context: &Context,
        rows: usize,
        mut see: impl FnMut(&'a [u8]) -> Result<(), &'static str>,
    ) -> Checked<usize> {
        let mut bytes = 0_usize;
        let mut first = |row: usize, text: &'a [u8]| {
            bytes = bytes.saturating_add(text.len());
            see(text).map_err(|message| Flaw::new(row, self.name, message))
        };
        match self.dictionary() {
            Some(values) => {
                let mut seen = vec![false; values];
                for row in 0..rows {
                    // Where the row has a text, and it was looked at before.
                    if self.slot(row).is_some_and(|slot| seen[slot]) {
                        continue;
                    }
                    if let Some(text) = self.sound(row)? {
                        if let Some(slot) = self.slot(row) {
                            seen[slot] = true;
                        }
                        first(row, text)?;
                    }
                }
            }
            None => {
                let mut seen = HashSet::new();
                let mut last = None;
                for row in 0..rows {
                    let Some(text) = self.sound(row)? else { continue };
                    if last.is_some_and(|last| same(last, text)) {
                        continue;
                    }
                    last = Some(text);
                    if seen.insert(hash(text, context.seed)) {
                        first(row, text)?;
                    }
                }
            }
        }
        Ok(bytes)
    }

    /// As [`Text::check_each`], for an enumeration.
    pub(super) fn check_names(&self, context: &Context, rows: usize, names: &[&str]) -> Checked<usize> {
        let bytes = self.check_each(context, rows, |text| match number(names, text) {
            Some(_) => Ok(()),
            None => Err("is not one of the names that docs/schema.md lists, nor the number of another"),
        })?;
        // A number that has a name becomes that name.
        Ok(bytes + names.iter().map(|name| name.len()).sum::<usize>())
    }
}

/// The indexes of a dictionary column.
#[derive(Clone, Copy)]
enum Keys<'a> {
    I8(&'a [i8]),
    I16(&'a [i16]),
    I32(&'a [i32]),
    I64(&'a [i64]),
    U8(&'a [u8]),
    U16(&'a [u16]),
    U32(&'a [u32]),
    U64(&'a [u64]),
}

impl<'a> Keys<'a> {
    fn of(keys: &'a dyn Array) -> Option<Self> {
        fn values<T: ArrowPrimitiveType>(keys: &dyn Array) -> Option<&[T::Native]> {
            keys.as_primitive_opt::<T>().map(|keys| &keys.values()[..])
        }
        values::<Int32Type>(keys)
            .map(Keys::I32)
            .or_else(|| values::<UInt32Type>(keys).map(Keys::U32))
            .or_else(|| values::<Int8Type>(keys).map(Keys::I8))
            .or_else(|| values::<Int16Type>(keys).map(Keys::I16))
            .or_else(|| values::<Int64Type>(keys).map(Keys::I64))
            .or_else(|| values::<UInt8Type>(keys).map(Keys::U8))
            .or_else(|| values::<UInt16Type>(keys).map(Keys::U16))
            .or_else(|| values::<UInt64Type>(keys).map(Keys::U64))
    }

    #[inline(always)]
    fn get(&self, row: usize) -> Option<usize> {
        match self {
            Keys::I32(keys) => usize::try_from(*keys.get(row)?).ok(),
            Keys::U32(keys) => usize::try_from(*keys.get(row)?).ok(),
            Keys::I8(keys) => usize::try_from(*keys.get(row)?).ok(),
            Keys::I16(keys) => usize::try_from(*keys.get(row)?).ok(),
            Keys::I64(keys) => usize::try_from(*keys.get(row)?).ok(),
            Keys::U8(keys) => Some(usize::from(*keys.get(row)?)),
            Keys::U16(keys) => Some(usize::from(*keys.get(row)?)),
            Keys::U64(keys) => usize::try_from(*keys.get(row)?).ok(),
        }
    }
}

//! Cells of a batch, and how ids and times are written.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, TimestampNanosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch};
use serde::Serializer;

use super::attributes::Attributes;
use super::form;
use crate::filter::{Nanos, show_time};

/// The lower-case hexadecimal digits of an id.
pub fn hex(id: &[u8]) -> String {
    use std::fmt::Write as _;
    id.iter().fold(String::with_capacity(2 * id.len()), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

pub(crate) fn as_time<S: Serializer>(time: &Nanos, serializer: S) -> Result<S::Ok, S::Error> {
    form::time(*time, || show_time(*time), serializer)
}

pub(crate) fn as_optional_time<S: Serializer>(time: &Option<Nanos>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => as_time(time, serializer),
        None => serializer.serialize_none(),
    }
}

/// Cells of a batch in the columns of the schema, whatever of them is there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cells<'a>(pub(crate) &'a RecordBatch);

impl<'a> Cells<'a> {
    pub(super) fn column(self, column: usize, row: usize) -> Option<&'a ArrayRef> {
        self.0.columns().get(column).filter(|array| array.is_valid(row))
    }

    /// Text, plain or with a dictionary.
    pub(crate) fn text(self, column: usize, row: usize) -> Option<&'a str> {
        let array = self.column(column, row)?;
        match array.as_dictionary_opt::<Int32Type>() {
            Some(array) => Some(array.values().as_string_opt::<i32>()?.value(array.keys().value(row) as usize)),
            None => Some(array.as_string_opt::<i32>()?.value(row)),
        }
    }

    pub(crate) fn time(self, column: usize, row: usize) -> Option<Nanos> {
        Some(self.column(column, row)?.as_primitive_opt::<TimestampNanosecondType>()?.value(row).cast_unsigned())
    }

    pub(crate) fn number<T: arrow_array::ArrowPrimitiveType>(self, column: usize, row: usize) -> Option<T::Native> {
        Some(self.column(column, row)?.as_primitive_opt::<T>()?.value(row))
    }

    pub(crate) fn id(self, column: usize, row: usize) -> Option<&'a [u8]> {
        Some(self.column(column, row)?.as_fixed_size_binary_opt()?.value(row))
    }

    /// The attributes of a row, with the column of their types behind them.
    pub(crate) fn attributes(self, column: usize, row: usize) -> Attributes {
        let Some(map) = self.column(column, row).and_then(|array| array.as_map_opt()) else {
            return Attributes::default();
        };
        Attributes::of(map, row, self.text(column + 1, row))
    }

    pub(crate) fn list(self, column: usize, row: usize) -> Option<ArrayRef> {
        Some(self.column(column, row)?.as_list_opt::<i32>()?.value(row))
    }
}

//! Cells of a record batch by column name. A column that is not there is null in every row.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampNanosecondType, UInt64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};

/// One batch with its columns at hand. Dictionary columns must have been read as plain text.
pub(crate) struct Rows<'a>(pub(crate) &'a RecordBatch);

impl<'a> Rows<'a> {
    pub(crate) fn len(&self) -> usize {
        self.0.num_rows()
    }

    fn column(&self, name: &str, row: usize) -> Option<&'a ArrayRef> {
        self.0.column_by_name(name).filter(|column| column.is_valid(row))
    }

    pub(crate) fn text(&self, name: &str, row: usize) -> Option<&'a str> {
        Some(self.column(name, row)?.as_string_opt::<i32>()?.value(row))
    }

    /// Nanoseconds since 1970.
    pub(crate) fn time(&self, name: &str, row: usize) -> Option<i64> {
        Some(self.column(name, row)?.as_primitive_opt::<TimestampNanosecondType>()?.value(row))
    }

    pub(crate) fn i64(&self, name: &str, row: usize) -> Option<i64> {
        Some(self.column(name, row)?.as_primitive_opt::<Int64Type>()?.value(row))
    }

    pub(crate) fn i32(&self, name: &str, row: usize) -> Option<i32> {
        Some(self.column(name, row)?.as_primitive_opt::<Int32Type>()?.value(row))
    }

    pub(crate) fn u64(&self, name: &str, row: usize) -> Option<u64> {
        Some(self.column(name, row)?.as_primitive_opt::<UInt64Type>()?.value(row))
    }

    pub(crate) fn f64(&self, name: &str, row: usize) -> Option<f64> {
        Some(self.column(name, row)?.as_primitive_opt::<Float64Type>()?.value(row))
    }

    pub(crate) fn id(&self, name: &str, row: usize) -> Option<&'a [u8]> {
        Some(self.column(name, row)?.as_fixed_size_binary_opt()?.value(row))
    }

    /// The entries of an attribute column.
    pub(crate) fn attributes(&self, name: &str, row: usize) -> Vec<(String, Option<String>)> {
        self.column(name, row).map(|column| entries(column, row)).unwrap_or_default()
    }
}

fn entries(column: &ArrayRef, row: usize) -> Vec<(String, Option<String>)> {
    let Some(map) = column.as_map_opt() else { return Vec::new() };
    let entry = map.value(row);
    let (Some(keys), Some(values)) = (entry.column(0).as_string_opt::<i32>(), entry.column(1).as_string_opt::<i32>())
    else {
        return Vec::new();
    };
    let value = |at: usize| values.is_valid(at).then(|| values.value(at).to_owned());
    (0..entry.len()).map(|at| (keys.value(at).to_owned(), value(at))).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::Arc;

    use arrow_array::{Int64Array, StringArray, UInt64Array};

    use super::*;

    #[test]
    fn missing_null_and_mistyped_cells_are_none() {
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("name", Arc::new(StringArray::from(vec![Some("a"), None]))),
            ("duration", Arc::new(Int64Array::from(vec![5, 6]))),
            ("count", Arc::new(UInt64Array::from(vec![None, Some(7)]))),
        ];
        let batch =
            RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, c)| (name, c, true))).unwrap();
        let rows = Rows(&batch);
        assert_eq!((rows.text("name", 0), rows.text("name", 1)), (Some("a"), None));
        assert_eq!((rows.i64("duration", 1), rows.i64("name", 0), rows.i64("gone", 0)), (Some(6), None, None));
        assert_eq!((rows.u64("count", 0), rows.u64("count", 1)), (None, Some(7)));
        assert!(rows.attributes("attributes", 0).is_empty());
    }
}

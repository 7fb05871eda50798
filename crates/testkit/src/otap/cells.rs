//! Cells of a table, whatever form its columns have.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    DurationNanosecondType, Float64Type, Int32Type, Int64Type, TimestampNanosecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, TimeUnit};

/// One cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// A whole number.
    Int(i128),
    /// A double.
    Double(f64),
    /// A boolean.
    Bool(bool),
    /// Text or bytes.
    Bytes(Vec<u8>),
}

/// A cell; none for null.
pub fn cell(array: &ArrayRef, row: usize) -> Option<Cell> {
    if array.is_null(row) {
        return None;
    }
    macro_rules! int {
        ($kind:ty) => {
            Cell::Int(array.as_primitive::<$kind>().value(row).into())
        };
    }
    Some(match array.data_type() {
        DataType::UInt8 => int!(UInt8Type),
        DataType::UInt16 => int!(UInt16Type),
        DataType::UInt32 => int!(UInt32Type),
        DataType::UInt64 => int!(UInt64Type),
        DataType::Int32 => int!(Int32Type),
        DataType::Int64 => int!(Int64Type),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => int!(TimestampNanosecondType),
        DataType::Duration(TimeUnit::Nanosecond) => int!(DurationNanosecondType),
        DataType::Float64 => Cell::Double(array.as_primitive::<Float64Type>().value(row)),
        DataType::Boolean => Cell::Bool(array.as_boolean().value(row)),
        DataType::Utf8 => Cell::Bytes(array.as_string::<i32>().value(row).as_bytes().to_vec()),
        DataType::Binary => Cell::Bytes(array.as_binary::<i32>().value(row).to_vec()),
        DataType::FixedSizeBinary(_) => Cell::Bytes(array.as_fixed_size_binary().value(row).to_vec()),
        DataType::Dictionary(index, _) => {
            let (values, key) = match **index {
                DataType::UInt8 => {
                    let array = array.as_dictionary::<UInt8Type>();
                    (array.values(), usize::from(array.keys().value(row)))
                }
                _ => {
                    let array = array.as_dictionary::<UInt16Type>();
                    (array.values(), usize::from(array.keys().value(row)))
                }
            };
            return cell(values, key);
        }
        other => panic!("{other}"),
    })
}

/// Columns by name.
#[derive(Clone, Debug)]
pub struct Table {
    names: Vec<String>,
    columns: Vec<ArrayRef>,
    /// How many.
    pub rows: usize,
}

impl Table {
    /// Those of a batch.
    pub fn of(batch: &RecordBatch) -> Self {
        let names = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
        Self { names, columns: batch.columns().to_vec(), rows: batch.num_rows() }
    }

    /// A column; none where there is none of that name.
    pub fn column(&self, name: &str) -> Option<&ArrayRef> {
        self.names.iter().position(|known| known == name).map(|at| &self.columns[at])
    }

    /// The fields of a struct column.
    pub fn group(&self, name: &str) -> Option<Self> {
        let group = self.column(name)?.as_struct();
        let names = group.fields().iter().map(|field| field.name().clone()).collect();
        Some(Self { names, columns: group.columns().to_vec(), rows: group.len() })
    }

    /// Whether a struct is there in a row.
    pub fn has(&self, name: &str, row: usize) -> bool {
        self.column(name).is_some_and(|column| column.is_valid(row))
    }

    /// A cell; none for null, and where there is no column.
    pub fn get(&self, name: &str, row: usize) -> Option<Cell> {
        cell(self.column(name)?, row)
    }

    /// A whole number.
    pub fn int(&self, name: &str, row: usize) -> Option<i128> {
        self.get(name, row).map(|cell| if let Cell::Int(value) = cell { value } else { panic!("{name}: {cell:?}") })
    }

    /// A whole number, 0 for null.
    pub fn zero(&self, name: &str, row: usize) -> i128 {
        self.int(name, row).unwrap_or(0)
    }

    /// A double.
    pub fn double(&self, name: &str, row: usize) -> Option<f64> {
        self.get(name, row).map(|cell| if let Cell::Double(value) = cell { value } else { panic!("{name}: {cell:?}") })
    }

    /// A boolean.
    pub fn bool(&self, name: &str, row: usize) -> Option<bool> {
        self.get(name, row).map(|cell| cell == Cell::Bool(true))
    }

    /// Bytes, or a text.
    pub fn bytes(&self, name: &str, row: usize) -> Option<Vec<u8>> {
        self.get(name, row).map(|cell| if let Cell::Bytes(value) = cell { value } else { panic!("{name}: {cell:?}") })
    }

    /// A text, empty for null.
    pub fn text(&self, name: &str, row: usize) -> String {
        String::from_utf8(self.bytes(name, row).unwrap_or_default()).unwrap()
    }

    /// The elements of a list.
    pub fn list(&self, name: &str, row: usize) -> Option<ArrayRef> {
        let column = self.column(name)?.as_list::<i32>();
        column.is_valid(row).then(|| column.value(row))
    }
}

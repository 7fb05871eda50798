//! Tables of answers that are not records: columns by name.

use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, ListArray, RecordBatch, StringArray, TimestampNanosecondArray,
    UInt64Array,
};
use arrow_schema::{Field, Schema};
use otlp_arrow_base::error::Result;

use crate::answer::internal;
use crate::filter::Nanos;

/// Columns that are added one after the other.
#[derive(Debug, Default)]
pub(super) struct Table {
    fields: Vec<Field>,
    columns: Vec<ArrayRef>,
}

impl Table {
    fn add(mut self, name: &str, nullable: bool, column: ArrayRef) -> Self {
        self.fields.push(Field::new(name, column.data_type().clone(), nullable));
        self.columns.push(column);
        self
    }

    pub(super) fn text<'a>(self, name: &str, values: impl Iterator<Item = &'a str>) -> Self {
        // The array wants to know how many there are, which iterators over several lists do not.
        self.add(name, false, Arc::new(StringArray::from_iter_values(values.collect::<Vec<_>>())))
    }

    pub(super) fn optional_text<'a>(self, name: &str, values: impl Iterator<Item = Option<&'a str>>) -> Self {
        self.add(name, true, Arc::new(values.collect::<StringArray>()))
    }

    pub(super) fn times(self, name: &str, values: impl Iterator<Item = Nanos>) -> Self {
        let times = values.map(u64::cast_signed).collect::<Vec<_>>();
        self.add(name, false, Arc::new(TimestampNanosecondArray::from(times).with_timezone("UTC")))
    }

    pub(super) fn u64s(self, name: &str, values: impl Iterator<Item = u64>) -> Self {
        self.add(name, false, Arc::new(UInt64Array::from_iter_values(values)))
    }

    pub(super) fn optional_i64s(self, name: &str, values: impl Iterator<Item = Option<i64>>) -> Self {
        self.add(name, true, Arc::new(values.collect::<Int64Array>()))
    }

    pub(super) fn f64s(self, name: &str, values: impl Iterator<Item = f64>) -> Self {
        self.add(name, false, Arc::new(Float64Array::from_iter_values(values)))
    }

    pub(super) fn optional_f64s(self, name: &str, values: impl Iterator<Item = Option<f64>>) -> Self {
        self.add(name, true, Arc::new(values.collect::<Float64Array>()))
    }

    pub(super) fn flags(self, name: &str, values: impl Iterator<Item = bool>) -> Self {
        self.add(name, false, Arc::new(BooleanArray::from(values.collect::<Vec<_>>())))
    }

    pub(super) fn lists<'a, I: IntoIterator<Item = &'a str>>(
        self,
        name: &str,
        values: impl Iterator<Item = I>,
    ) -> Self {
        let item = Field::new("item", arrow_schema::DataType::Utf8, false);
        let mut lists = ListBuilder::new(StringBuilder::new()).with_field(item);
        for list in values {
            list.into_iter().for_each(|value| lists.values().append_value(value));
            lists.append(true);
        }
        let lists: ListArray = lists.finish();
        self.add(name, false, Arc::new(lists))
    }

    pub(super) fn finish(self) -> Result<RecordBatch> {
        RecordBatch::try_new(Arc::new(Schema::new(self.fields)), self.columns).map_err(|error| internal(&error))
    }
}

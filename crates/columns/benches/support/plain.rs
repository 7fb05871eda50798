//! Batches as `read()` hands them out: text without dictionaries.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, reason = "benchmarks")]

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{Field, Schema};

pub fn plain(batch: &RecordBatch) -> RecordBatch {
    let text = |column: &ArrayRef| match column.as_dictionary_opt::<Int32Type>() {
        Some(dictionary) => {
            Arc::new(dictionary.downcast_dict::<StringArray>().unwrap().into_iter().collect::<StringArray>())
                as ArrayRef
        }
        None => Arc::clone(column),
    };
    let columns: Vec<ArrayRef> = batch.columns().iter().map(text).collect();
    let schema = batch.schema();
    let fields = schema.fields().iter().zip(&columns);
    let fields: Vec<_> =
        fields.map(|(field, column)| Field::new(field.name(), column.data_type().clone(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

//! What a reader wants of the files of one signal: which columns, of which time, in which shape.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampNanosecondType;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, DataType, Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;
use arrow_select::take::take;
use otlp_arrow_base::error::{Code, OtlpError, Result};
use otlp_arrow_columns::Signal;

use super::merge::{Dictionaries, delivered as delivered_field};
use super::options::ReadOptions;

/// What a reader wants of the files of one signal: [`ReadOptions`] without the limit, checked.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub(super) columns: Option<Vec<String>>,
    pub(super) dictionaries: bool,
    /// Nanoseconds since 1970, from and to, exclusive.
    pub(super) time: Option<(u64, u64)>,
    /// The column of a record's time, and what stands in where it is null.
    pub(super) time_columns: &'static [&'static str],
}

impl Wanted {
    /// What `options` ask of `signal`, or INVALID_CONFIG for a column that it does not have or that is named twice, and for
    /// no column at all.
    pub fn new(signal: Signal, options: &ReadOptions) -> Result<Self> {
        let schema = otlp_arrow_columns::schema(signal);
        for (position, name) in options.columns.iter().flatten().enumerate() {
            let again = options.columns.iter().flatten().take(position).any(|before| before == name);
            if again || schema.index_of(name).is_err() {
                let known: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
                return Err(OtlpError::new(
                    Code::InvalidConfig,
                    format!(
                        "columns: {name:?} {}: {signal} has {}",
                        if again { "is named twice" } else { "is not a column" },
                        known.join(", ")
                    ),
                ));
            }
        }
        if options.columns.as_ref().is_some_and(Vec::is_empty) {
            let problem = "columns: names none: name at least one, or leave it out for all of them";
            return Err(OtlpError::new(Code::InvalidConfig, problem));
        }
        let nanos = |time: SystemTime| {
            let since = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
            u64::try_from(since).unwrap_or(u64::MAX)
        };
        let time = (options.from.is_some() || options.to.is_some())
            .then(|| (options.from.map_or(0, nanos), options.to.map_or(u64::MAX, nanos)));
        let time_columns: &[&str] = match signal {
            Signal::Traces => &["start_time"],
            Signal::Metrics => &["time"],
            Signal::Logs => &["time", "observed_time"],
        };
        Ok(Self { columns: options.columns.clone(), dictionaries: options.dictionaries, time, time_columns })
    }

    /// The schema of the batches that come of files of `signal`.
    pub fn schema(&self, signal: Signal) -> SchemaRef {
        let schema = otlp_arrow_columns::schema(signal);
        let fields: Vec<_> = match &self.columns {
            None => schema.fields().iter().cloned().collect(),
            Some(names) => {
                names.iter().filter_map(|name| schema.field_with_name(name).ok()).cloned().map(Arc::new).collect()
            }
        };
        let fields: Vec<_> = fields.iter().map(|field| delivered_field(field, self.mode())).collect();
        Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
    }

    /// The columns to deliver, in this order; `None` for all.
    pub fn columns(&self) -> Option<&[String]> {
        self.columns.as_deref()
    }

    /// Whether rows of some time only are wanted.
    pub(crate) fn has_time(&self) -> bool {
        self.time.is_some()
    }

    /// The column of a record's time, and those that stand in where it is null.
    pub fn time_columns(&self) -> &'static [&'static str] {
        self.time_columns
    }

    pub(crate) fn mode(&self) -> Dictionaries {
        if self.dictionaries { Dictionaries::PerBatch } else { Dictionaries::Plain }
    }

    /// What is wanted of `batch`, which has all columns of the storage schema: for a form that reads whole rows.
    pub fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let (schema, mut at) = (batch.schema_ref(), Vec::new());
        match &self.columns {
            None => at.extend(0..batch.num_columns()),
            Some(names) => at = names.iter().map(|name| schema.index_of(name)).collect::<Result<_, _>>()?,
        }
        let delivered = at.len();
        let times = if self.has_time() { self.time_columns } else { &[] };
        at.extend(times.iter().map(|name| schema.index_of(name)).collect::<Result<Vec<_>, _>>()?);
        let fields: Vec<_> = at.iter().map(|at| Arc::new(delivered_field(schema.field(*at), self.mode()))).collect();
        let columns = at.iter().zip(&fields).map(|(at, field)| self.deliver(batch.column(*at), field.data_type()));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let schema = Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()));
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let batch = RecordBatch::try_new_with_options(schema, columns, &options)?;
        self.filter(batch, &(delivered..at.len()).collect::<Vec<_>>(), delivered)
    }

    fn deliver(&self, column: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, ArrowError> {
        match column.as_any_dictionary_opt().filter(|_| column.data_type() != wanted) {
            Some(dictionary) => take(dictionary.values(), dictionary.keys(), None),
            None => Ok(Arc::clone(column)),
        }
    }

    /// The first `delivered` columns of the rows whose time is wanted; `times` are the columns that tell it.
    pub(crate) fn filter(
        &self,
        batch: RecordBatch,
        times: &[usize],
        delivered: usize,
    ) -> Result<RecordBatch, ArrowError> {
        let Some((from, to)) = self.time else { return Ok(batch) };
        let times = times.iter().filter_map(|at| batch.column(*at).as_primitive_opt::<TimestampNanosecondType>());
        let times: Vec<_> = times.collect();
        // A time beyond 2^63 ns is kept by its bit pattern.
        let time = |row: usize| times.iter().find(|times| times.is_valid(row)).map(|times| times.value(row) as u64);
        let inside = |row: usize| time(row).is_some_and(|time| from <= time && time < to);
        let mask: BooleanArray = (0..batch.num_rows()).map(|row| Some(inside(row))).collect();
        let kept: Vec<_> = (0..delivered).collect();
        let batch = match mask.true_count() {
            all if all == batch.num_rows() => batch,
            0 => batch.slice(0, 0),
            _ => filter_record_batch(&batch, &mask)?,
        };
        batch.project(&kept)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::time::Duration;

    use super::*;
    use crate::file::sample;

    #[test]
    fn unknown_and_repeated_columns_are_refused_by_name() {
        let options = |columns: &[&str]| ReadOptions {
            columns: Some(columns.iter().map(|name| (*name).to_owned()).collect()),
            ..ReadOptions::default()
        };
        for (columns, word) in
            [(&["name", "nam"][..], "\"nam\" is not a column"), (&["name", "name"], "named twice"), (&[], "names none")]
        {
            let error = Wanted::new(Signal::Traces, &options(columns)).unwrap_err();
            assert_eq!(error.code(), Code::InvalidConfig);
            assert!(error.message().contains(word), "{error}");
        }
        let wanted = Wanted::new(Signal::Logs, &options(&["body", "service_name"])).unwrap();
        let schema = wanted.schema(Signal::Logs);
        assert_eq!(
            schema.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>(),
            ["body", "service_name"]
        );
        assert_eq!(schema.field(1).data_type(), &arrow_schema::DataType::Utf8);
        let before_1970 = ReadOptions { to: Some(UNIX_EPOCH - Duration::from_secs(1)), ..ReadOptions::default() };
        assert_eq!(Wanted::new(Signal::Logs, &before_1970).unwrap().time, Some((0, 0)));
    }

    #[test]
    fn of_whole_rows_it_takes_what_is_wanted() {
        let batch = sample::batch(0, 100);
        let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        let all = Wanted { columns: None, dictionaries: true, time: None, time_columns: &["start_time"] };
        assert_eq!(all.apply(&batch).unwrap(), batch);
        let at = |row: u64| 1_760_000_000_000_000_000 + row * 1_000_000_000;
        let some = Wanted {
            columns: names(&["service_name", "span_id"]),
            dictionaries: false,
            time: Some((at(10), at(15))),
            ..all
        };
        let found = some.apply(&batch).unwrap();
        // Every seventh row from 1 has no time.
        assert_eq!((found.num_rows(), found.num_columns()), (5, 2));
        assert_eq!(found.column(1).as_ref(), batch.column(0).slice(10, 5).as_ref());
        assert_eq!(found.schema().field(0).data_type(), &DataType::Utf8);
        assert!(Wanted { columns: names(&["nam"]), ..some }.apply(&batch).is_err());
    }
}

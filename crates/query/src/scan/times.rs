//! When a record was: its own time, or the one that stands in for it.

use arrow_array::types::TimestampNanosecondType;
use arrow_array::{Array, PrimitiveArray};
use otlp_arrow_columns::Signal;
use otlp_arrow_columns::schema::{logs, metrics, traces};
use otlp_arrow_store::ReadError;

use super::view::View;
use crate::filter::Nanos;

/// The columns that tell the time of a record, the one that counts first.
pub(crate) fn time_columns(signal: Signal) -> &'static [usize] {
    match signal {
        Signal::Traces => &[traces::START_TIME],
        Signal::Metrics => &[metrics::TIME],
        Signal::Logs => &[logs::TIME, logs::OBSERVED_TIME],
    }
}

/// The times of the rows of a block.
#[derive(Debug)]
pub(crate) struct Times<'a>(Vec<&'a PrimitiveArray<TimestampNanosecondType>>);

impl<'a> Times<'a> {
    pub(crate) fn of(view: &'a View<'_>) -> Result<Self, ReadError> {
        let columns = time_columns(view.signal());
        view.need(columns)?;
        columns.iter().map(|column| view.times(*column)).collect::<Result<_, _>>().map(Self)
    }

    /// The time of a row, if it has any.
    pub(crate) fn get(&self, row: usize) -> Option<Nanos> {
        let times = self.0.iter().find(|times| times.is_valid(row))?;
        Some(times.value(row).cast_unsigned())
    }

    /// The time of a row for the order: what has none is the oldest.
    pub(crate) fn order(&self, row: usize) -> Nanos {
        self.get(row).unwrap_or(0)
    }

    /// The times of all rows, where each has one of its own: in the type of the column, to be cast.
    pub(crate) fn plain(&self) -> Option<&'a [i64]> {
        let first = self.0.first().filter(|times| times.null_count() == 0)?;
        Some(first.values())
    }

    /// The earliest and the latest.
    pub(crate) fn bounds(&self, rows: usize) -> (Nanos, Nanos) {
        if let Some(times) = self.plain() {
            let values = times.iter().map(|time| time.cast_unsigned());
            return values.fold((Nanos::MAX, 0), |(min, max), time| (min.min(time), max.max(time)));
        }
        (0..rows).map(|row| self.order(row)).fold((Nanos::MAX, 0), |(min, max), time| (min.min(time), max.max(time)))
    }
}

impl View<'_> {
    /// The time of each of these rows, for the order: what has none is the oldest.
    pub fn order_times(&self, rows: &super::Selection) -> Result<Vec<Nanos>, ReadError> {
        let times = Times::of(self)?;
        Ok(rows.iter().map(|row| times.order(row)).collect())
    }
}

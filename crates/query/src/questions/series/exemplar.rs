//! Exemplars: single values of a point that lead to a trace.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampNanosecondType};
use arrow_array::{Array, ListArray};
use otlp_arrow_base::error::Result;
use otlp_arrow_columns::Signal;
use otlp_arrow_columns::schema::traces;
use otlp_arrow_store::ReadError;
use serde::Serialize;

use crate::filter::{Nanos, Term};
use crate::record::{Attributes, as_time, hex};
use crate::scan::{ANY_TIME, Asking, Gather, Scan, Selection, View};

/// A trace may have begun so long before one of its values was taken, and its span may end so long behind it.
const AROUND: Nanos = 3600 * 1_000_000_000;

/// A single value that a point was made of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Exemplar {
    /// When it was taken.
    #[serde(serialize_with = "as_time")]
    pub time: Nanos,
    /// Which.
    pub value: f64,
    /// The trace it is from, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// The span it is from, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_id: Option<String>,
    /// Attributes that the point does not have.
    #[serde(skip_serializing_if = "is_empty")]
    pub attributes: Attributes,
    /// Whether a span of the trace is kept here.
    pub kept: bool,
}

fn is_empty(attributes: &Attributes) -> bool {
    attributes.0.is_empty()
}

/// The exemplars of a row.
pub(super) fn exemplars(list: &ListArray, row: usize, into: &mut Vec<Exemplar>) {
    if !list.is_valid(row) {
        return;
    }
    let all = list.value(row);
    let Some(fields) = all.as_struct_opt() else { return };
    let [times, values, ints, traces, spans, maps, letters] = fields.columns() else { return };
    for at in 0..fields.len() {
        let id = |column: &Arc<dyn Array>| {
            let ids = column.as_fixed_size_binary_opt().filter(|ids| ids.is_valid(at));
            ids.map(|ids| hex(ids.value(at)))
        };
        let value = values
            .as_primitive_opt::<Float64Type>()
            .filter(|values| values.is_valid(at))
            .map(|values| values.value(at));
        let int =
            ints.as_primitive_opt::<Int64Type>().filter(|ints| ints.is_valid(at)).map(|ints| ints.value(at) as f64);
        let letters =
            letters.as_string_opt::<i32>().filter(|letters| letters.is_valid(at)).map(|letters| letters.value(at));
        into.push(Exemplar {
            time: times
                .as_primitive_opt::<TimestampNanosecondType>()
                .map_or(0, |times| times.value(at).cast_unsigned()),
            value: value.or(int).unwrap_or_default(),
            trace_id: id(traces),
            span_id: id(spans),
            attributes: maps.as_map_opt().map(|map| Attributes::of(map, at, letters)).unwrap_or_default(),
            kept: false,
        });
    }
}

/// Says of each whether its trace is kept.
pub(super) fn mark_kept(asking: &Asking<'_>, all: &mut [&mut Exemplar]) -> Result<()> {
    let id = |exemplar: &&mut Exemplar| {
        let id = exemplar.trace_id.as_deref()?;
        u128::from_str_radix(id, 16).ok().map(u128::to_be_bytes)
    };
    let wanted: BTreeSet<[u8; 16]> = all.iter().filter_map(id).collect();
    let times = || all.iter().map(|exemplar| exemplar.time);
    let (Some(first), Some(last)) = (times().min(), times().max()) else { return Ok(()) };
    if wanted.is_empty() {
        return Ok(());
    }
    let around = Term::Time(first.saturating_sub(AROUND), last.saturating_add(AROUND));
    let terms = vec![around, Term::Traces(Arc::new(wanted))];
    let scan = Scan { asking, signal: Signal::Traces, terms, bound: None, within: ANY_TIME };
    let found: BTreeSet<[u8; 16]> = scan.run(Ids::default)?.into_iter().flat_map(|ids| ids.0).collect();
    for exemplar in all {
        exemplar.kept = id(exemplar).is_some_and(|id| found.contains(&id));
    }
    Ok(())
}

/// The traces of the rows.
#[derive(Default)]
struct Ids(BTreeSet<[u8; 16]>);

impl Gather for Ids {
    fn columns(&self) -> &[usize] {
        &[traces::TRACE_ID]
    }

    fn gather(&mut self, view: &View<'_>, rows: &Selection) -> std::result::Result<(), ReadError> {
        let ids = view.ids(traces::TRACE_ID)?;
        self.0.extend(
            rows.iter().filter(|row| ids.is_valid(*row)).filter_map(|row| <[u8; 16]>::try_from(ids.value(row)).ok()),
        );
        Ok(())
    }
}

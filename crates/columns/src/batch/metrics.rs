//! The columns of data points, and what points of each kind have.

use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampNanosecondType, UInt32Type, UInt64Type};

use super::attributes::{Attributes, Known};
use super::cells::{Booleans, Numbers};
use super::common::COUNT;
use super::context::Context;
use super::error::{BatchError, Checked, Flaw};
use super::find::Finder;
use super::json;
use super::lists::{Lists, NumberLists, structs};
use super::logs::TIME;
use super::points::{Exemplars, Quantiles};
use super::text::Text;
use crate::counts::Counts;
use crate::names::{METRIC_TYPES, TEMPORALITIES};

/// A batch of data points.
pub(crate) struct Metrics<'a> {
    pub(crate) name: Text<'a>,
    pub(crate) description: Text<'a>,
    pub(crate) unit: Text<'a>,
    pub(crate) kind: Text<'a>,
    pub(crate) temporality: Text<'a>,
    pub(crate) monotonic: Booleans<'a>,
    pub(crate) metadata: Text<'a>,
    pub(crate) start_time: Numbers<'a, TimestampNanosecondType>,
    pub(crate) time: Numbers<'a, TimestampNanosecondType>,
    pub(crate) attributes: Attributes<'a>,
    pub(crate) flags: Numbers<'a, UInt32Type>,
    pub(crate) value: Numbers<'a, Float64Type>,
    pub(crate) value_int: Numbers<'a, Int64Type>,
    pub(crate) count: Numbers<'a, UInt64Type>,
    pub(crate) sum: Numbers<'a, Float64Type>,
    pub(crate) min: Numbers<'a, Float64Type>,
    pub(crate) max: Numbers<'a, Float64Type>,
    pub(crate) bucket_counts: NumberLists<'a, UInt64Type>,
    pub(crate) explicit_bounds: NumberLists<'a, Float64Type>,
    pub(crate) scale: Numbers<'a, Int32Type>,
    pub(crate) zero_count: Numbers<'a, UInt64Type>,
    pub(crate) zero_threshold: Numbers<'a, Float64Type>,
    pub(crate) positive: Side<'a>,
    pub(crate) negative: Side<'a>,
    pub(crate) quantile_lists: Lists<'a>,
    pub(crate) quantiles: Option<Quantiles<'a>>,
    pub(crate) exemplar_lists: Lists<'a>,
    pub(crate) exemplars: Option<Exemplars<'a>>,
}

/// One side of exponential histograms.
pub(crate) struct Side<'a> {
    pub(crate) offset: Numbers<'a, Int32Type>,
    pub(crate) counts: NumberLists<'a, UInt64Type>,
}

const FLOAT: &str = "Float64";
const INT: &str = "Int32";
const COUNTS: &str = "a list of UInt64";

impl<'a> Metrics<'a> {
    pub(super) fn of(columns: &mut Finder<'a>) -> Result<Self, BatchError> {
        let (quantile_lists, quantiles) = structs(columns, "quantiles", false)?;
        let (exemplar_lists, exemplars) = structs(columns, "exemplars", false)?;
        Ok(Self {
            name: Text::required(columns, "metric_name")?,
            description: Text::required(columns, "description")?,
            unit: Text::required(columns, "unit")?,
            kind: Text::required(columns, "metric_type")?,
            temporality: Text::optional(columns, "temporality")?,
            monotonic: Booleans::optional(columns, "is_monotonic")?,
            metadata: Text::optional(columns, "metadata")?,
            start_time: Numbers::optional(columns, "start_time", TIME)?,
            time: Numbers::required(columns, "time", TIME)?,
            attributes: Attributes::of(columns, "attributes", "attribute_types")?,
            flags: Numbers::required(columns, "flags", COUNT)?,
            value: Numbers::optional(columns, "value", FLOAT)?,
            value_int: Numbers::optional(columns, "value_int", "Int64")?,
            count: Numbers::optional(columns, "count", "UInt64")?,
            sum: Numbers::optional(columns, "sum", FLOAT)?,
            min: Numbers::optional(columns, "min", FLOAT)?,
            max: Numbers::optional(columns, "max", FLOAT)?,
            bucket_counts: NumberLists::optional(columns, "bucket_counts", COUNTS)?,
            explicit_bounds: NumberLists::optional(columns, "explicit_bounds", "a list of Float64")?,
            scale: Numbers::optional(columns, "scale", INT)?,
            zero_count: Numbers::optional(columns, "zero_count", "UInt64")?,
            zero_threshold: Numbers::optional(columns, "zero_threshold", FLOAT)?,
            positive: Side {
                offset: Numbers::optional(columns, "positive_offset", INT)?,
                counts: NumberLists::optional(columns, "positive_bucket_counts", COUNTS)?,
            },
            negative: Side {
                offset: Numbers::optional(columns, "negative_offset", INT)?,
                counts: NumberLists::optional(columns, "negative_bucket_counts", COUNTS)?,
            },
            quantile_lists,
            quantiles: quantiles.map(Quantiles::of).transpose()?,
            exemplar_lists,
            exemplars: exemplars.map(Exemplars::of).transpose()?,
        })
    }

    pub(super) fn check(&self, context: &Context, rows: usize, counts: &mut Counts) -> Checked<()> {
        let any = |_: &'a [u8]| Ok(());
        for text in [&self.name, &self.description, &self.unit] {
            counts.dictionary += text.check_each(context, rows, any)?;
        }
        counts.dictionary += self.kind.check_each(context, rows, is_kind)?;
        counts.dictionary += self.temporality.check_names(context, rows, &TEMPORALITIES)?;
        counts.dictionary += self.metadata.check_each(context, rows, |text| json::object(context, text))?;
        for row in 0..rows {
            let kind = self.kind.get(row).and_then(Kind::of).unwrap_or(Kind::Gauge);
            self.has_what_it_needs(row, kind)?;
        }
        self.time.check(0..rows)?;
        self.flags.check(0..rows)?;
        let mut known = Known::default();
        for row in 0..rows {
            self.attributes.check(context, &mut known, row, &mut counts.attributes)?;
        }
        counts.dictionary += self.attributes.types.check_each(context, rows, any)?;
        counts.numbers[0] += self.bucket_counts.check(rows)?;
        counts.numbers[1] += self.explicit_bounds.check(rows)?;
        counts.numbers[2] += self.positive.counts.check(rows)?;
        counts.numbers[3] += self.negative.counts.check(rows)?;
        let mut known = Known::default();
        let [exemplars, quantiles] = &mut counts.children;
        let some = |lists: &Lists<'_>| if lists.are_null() { 0..0 } else { 0..rows };
        for row in some(&self.exemplar_lists) {
            let range = self.exemplar_lists.sound(row)?;
            if let Some(of) = &self.exemplars {
                of.check(context, &mut known, row, range, exemplars)?;
            }
        }
        for row in some(&self.quantile_lists) {
            let range = self.quantile_lists.sound(row)?;
            if let Some(of) = &self.quantiles {
                of.check(row, range, quantiles)?;
            }
        }
        context.within(counts)
    }

    /// Columns of other kinds are null, since they have no place in a point of this kind.
    fn has_what_it_needs(&self, row: usize, kind: Kind) -> Result<(), Flaw> {
        use Kind::{Exponential, Gauge, Histogram, Sum, Summary};
        let (number, exponential) = (matches!(kind, Gauge | Sum), kind == Exponential);
        let needs = |has: bool, needs: bool, column| {
            let message = if needs { "is null, and such a point has one" } else { "must be null in such a point" };
            let message = || format!("{message}: it is a {}", METRIC_TYPES[kind as usize]);
            if has == needs { Ok(()) } else { Err(Flaw::new(row, column, message())) }
        };
        let never = |has: bool, column| needs(has, false, column);
        needs(self.temporality.slot(row).is_some(), !matches!(kind, Gauge | Summary), "temporality")?;
        needs(self.monotonic.get(row).is_some(), kind == Sum, "is_monotonic")?;
        needs(self.count.get(row).is_some(), !number, "count")?;
        needs(!self.bucket_counts.lists.is_null(row), kind == Histogram, "bucket_counts")?;
        needs(!self.explicit_bounds.lists.is_null(row), kind == Histogram, "explicit_bounds")?;
        needs(self.scale.get(row).is_some(), exponential, "scale")?;
        needs(self.zero_count.get(row).is_some(), exponential, "zero_count")?;
        needs(self.zero_threshold.get(row).is_some(), exponential, "zero_threshold")?;
        needs(!self.quantile_lists.is_null(row), kind == Summary, "quantiles")?;
        match kind {
            Gauge | Sum => {
                never(self.sum.get(row).is_some(), "sum")?;
            }
            Summary => {
                needs(self.sum.get(row).is_some(), true, "sum")?;
                never(!self.exemplar_lists.range(row).is_empty(), "exemplars")?;
            }
            Histogram | Exponential => {}
        }
        if !number {
            never(self.value.get(row).is_some(), "value")?;
            never(self.value_int.get(row).is_some(), "value_int")?;
        }
        if !matches!(kind, Histogram | Exponential) {
            never(self.min.get(row).is_some(), "min")?;
            never(self.max.get(row).is_some(), "max")?;
        }
        let sides = [
            (&self.positive, ["positive_offset", "positive_bucket_counts"]),
            (&self.negative, ["negative_offset", "negative_bucket_counts"]),
        ];
        for (side, [offset, counts]) in sides {
            let has = (side.offset.get(row).is_some(), !side.counts.lists.is_null(row));
            never(has.0 && !exponential, offset)?;
            never(has.1 && !exponential, counts)?;
            if has.0 != has.1 {
                let message = format!("{offset} and {counts} are null together: one of them is not");
                return Err(Flaw::new(row, if has.0 { counts } else { offset }, message));
            }
        }
        Ok(())
    }
}

/// Positions in [`METRIC_TYPES`].
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Gauge,
    Sum,
    Histogram,
    Exponential,
    Summary,
}

impl Kind {
    fn of(text: &[u8]) -> Option<Self> {
        Some(match text {
            b"gauge" => Kind::Gauge,
            b"sum" => Kind::Sum,
            b"histogram" => Kind::Histogram,
            b"exponential_histogram" => Kind::Exponential,
            b"summary" => Kind::Summary,
            _ => return None,
        })
    }
}

fn is_kind(text: &[u8]) -> Result<(), &'static str> {
    match Kind::of(text) {
        Some(_) => Ok(()),
        None => Err("is not one of gauge, sum, histogram, exponential_histogram and summary"),
    }
}

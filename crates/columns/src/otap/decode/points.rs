//! Data points of one of the four tables, and what hangs on them.

use arrow_array::types::{Float64Type, UInt64Type};
use otlp_arrow_wire::otap::PayloadType;

use super::attributes::{Attributes, Seen, same_doubles};
use super::cells::{Columns, Fixed, Ints, Lists, Struct};
use super::children::Groups;
use super::error::Fault;
use super::ids::Rules;
use super::output::types;
use super::planning::Planning;
use super::tables::Tables;
use crate::column::{self, Ids, Letters, Numbers, Text, Times};
use crate::counts::{Children, Counts};

/// The tables of one kind of points.
pub(super) struct Kind {
    pub(super) points: PayloadType,
    pub(super) attributes: PayloadType,
    pub(super) exemplars: Option<(PayloadType, PayloadType)>,
}

/// Every kind of points, in the order of [`Points`] in a batch.
pub(super) const KINDS: [Kind; 4] = [
    Kind {
        points: PayloadType::NumberDataPoints,
        attributes: PayloadType::NumberDpAttrs,
        exemplars: Some((PayloadType::NumberDpExemplars, PayloadType::NumberDpExemplarAttrs)),
    },
    Kind { points: PayloadType::SummaryDataPoints, attributes: PayloadType::SummaryDpAttrs, exemplars: None },
    Kind {
        points: PayloadType::HistogramDataPoints,
        attributes: PayloadType::HistogramDpAttrs,
        exemplars: Some((PayloadType::HistogramDpExemplars, PayloadType::HistogramDpExemplarAttrs)),
    },
    Kind {
        points: PayloadType::ExpHistogramDataPoints,
        attributes: PayloadType::ExpHistogramDpAttrs,
        exemplars: Some((PayloadType::ExpHistogramDpExemplars, PayloadType::ExpHistogramDpExemplarAttrs)),
    },
];

pub(super) const NUMBERS: u8 = 0;
pub(super) const SUMMARIES: u8 = 1;
pub(super) const HISTOGRAMS: u8 = 2;
pub(super) const EXPONENTIALS: u8 = 3;

/// The points of one table.
pub(super) struct Points<'b> {
    pub(super) ids: Vec<u32>,
    pub(super) groups: Groups,
    pub(super) start: Ints<'b>,
    pub(super) time: Ints<'b>,
    pub(super) flags: Ints<'b>,
    pub(super) int: Ints<'b>,
    pub(super) double: Ints<'b>,
    pub(super) count: Ints<'b>,
    pub(super) sum: Ints<'b>,
    pub(super) min: Ints<'b>,
    pub(super) max: Ints<'b>,
    pub(super) scale: Ints<'b>,
    pub(super) zero_count: Ints<'b>,
    pub(super) zero_threshold: Ints<'b>,
    pub(super) buckets: NumberLists<'b>,
    pub(super) bounds: NumberLists<'b>,
    pub(super) positive: Option<Side<'b>>,
    pub(super) negative: Option<Side<'b>>,
    pub(super) quantiles: Option<Quantiles<'b>>,
    pub(super) attributes: Attributes<'b>,
    pub(super) exemplars: Option<Exemplars<'b>>,
}

impl<'b> Points<'b> {
    pub(super) fn of(
        tables: &'b Tables<'_>,
        kind: &Kind,
        metrics: &[u32],
        planning: &mut Planning<'_, '_>,
    ) -> Result<Option<Self>, Fault> {
        let Some(table) = tables.get(kind.points).filter(|table| table.rows > 0) else { return Ok(None) };
        planning.take(table.rows * 16)?;
        let ids = table.written("id")?.ids(table.rows)?;
        // Distances over all rows, alike or not.
        let parents = table.written("parent_id")?.ids(table.rows)?;
        let attributes = Attributes::of(tables.get(kind.attributes), &ids, planning)?;
        planning.next();
        let exemplars = match kind.exemplars {
            Some((exemplars, attributes)) => Exemplars::of(tables, exemplars, attributes, &ids, planning)?,
            None => None,
        };
        Ok(Some(Self {
            groups: Groups::of(&parents, metrics),
            start: table.ints("start_time_unix_nano")?,
            time: table.ints("time_unix_nano")?,
            flags: table.ints("flags")?,
            int: table.ints("int_value")?,
            double: table.doubles("double_value")?,
            count: table.ints("count")?,
            sum: table.doubles("sum")?,
            min: table.doubles("min")?,
            max: table.doubles("max")?,
            scale: table.ints("scale")?,
            zero_count: table.ints("zero_count")?,
            zero_threshold: table.doubles("zero_threshold")?,
            buckets: NumberLists::of(&table, "bucket_counts")?,
            bounds: NumberLists::of(&table, "explicit_bounds")?,
            positive: Side::of(&table, "positive")?,
            negative: Side::of(&table, "negative")?,
            quantiles: Quantiles::of(&table)?,
            ids,
            attributes,
            exemplars,
        }))
    }

    /// Adds what the row of one point takes.
    pub(super) fn count(&self, point: usize, counts: &mut Counts, planning: &Planning<'_, '_>) -> Result<(), Fault> {
        self.attributes.count(std::iter::once(self.ids[point]), &mut counts.attributes, planning)?;
        let side = |side: &Option<Side<'_>>| side.as_ref().map_or(0, |side| side.counts.len(point));
        let numbers = [self.buckets.len(point), self.bounds.len(point), side(&self.positive), side(&self.negative)];
        for (sum, more) in counts.numbers.iter_mut().zip(numbers) {
            *sum += more;
        }
        let [exemplars, quantiles] = &mut counts.children;
        if let Some(of) = &self.exemplars {
            of.count(self.ids[point], exemplars, planning)?;
        }
        if let Some(of) = &self.quantiles {
            quantiles.items += of.lists.range(point).len();
        }
        Ok(())
    }
}

/// Lists of numbers of eight bytes.
#[derive(Clone, Copy)]
pub(super) struct NumberLists<'b> {
    lists: Option<Lists<'b>>,
    items: Ints<'b>,
}

impl<'b> NumberLists<'b> {
    fn of(table: &Columns<'b>, name: &str) -> Result<Self, Fault> {
        let lists = table.lists(name);
        let items = match &lists {
            Some(lists) => lists.items.only()?,
            None => Ints::NOTHING,
        };
        Ok(Self { lists, items })
    }

    fn range(&self, row: usize) -> std::ops::Range<usize> {
        self.lists.map_or(0..0, |lists| lists.range(row))
    }

    pub(super) fn len(&self, row: usize) -> usize {
        self.range(row).len()
    }

    /// Appends the numbers of a row. An element that is null is 0, as Go has it.
    pub(super) fn counts(&self, row: usize, to: &mut Numbers<UInt64Type>) {
        self.range(row).for_each(|at| to.push(self.items.or_zero(at) as u64));
    }

    /// The same as doubles.
    pub(super) fn doubles(&self, row: usize, to: &mut Numbers<Float64Type>) {
        self.range(row).for_each(|at| to.push(self.items.double(at).unwrap_or_default()));
    }
}

/// One side of exponential histograms.
pub(super) struct Side<'b> {
    structs: Struct<'b>,
    pub(super) offset: Ints<'b>,
    pub(super) counts: NumberLists<'b>,
}

impl<'b> Side<'b> {
    fn of(table: &Columns<'b>, name: &str) -> Result<Option<Self>, Fault> {
        let Some(structs) = table.structs(name) else { return Ok(None) };
        let (offset, counts) = (structs.columns.ints("offset")?, NumberLists::of(&structs.columns, "bucket_counts")?);
        Ok(Some(Self { structs, offset, counts }))
    }

    pub(super) fn is_there(&self, row: usize) -> bool {
        !self.structs.is_null(row)
    }
}

/// The quantiles of summaries.
pub(super) struct Quantiles<'b> {
    pub(super) lists: Lists<'b>,
    quantile: Ints<'b>,
    value: Ints<'b>,
}

impl<'b> Quantiles<'b> {
    fn of(table: &Columns<'b>) -> Result<Option<Self>, Fault> {
        let Some(lists) = table.lists("quantile") else { return Ok(None) };
        let Some(structs) = lists.items.only_struct() else { return Ok(None) };
        let (quantile, value) = (structs.columns.doubles("quantile")?, structs.columns.doubles("value")?);
        Ok(Some(Self { lists, quantile, value }))
    }

    pub(super) fn push(&self, row: usize, quantile: &mut Numbers<Float64Type>, value: &mut Numbers<Float64Type>) {
        for at in self.lists.range(row) {
            quantile.push(self.quantile.double(at).unwrap_or_default());
            value.push(self.value.double(at).unwrap_or_default());
        }
    }
}

/// The exemplars of one table of points.
pub(super) struct Exemplars<'b> {
    ids: Vec<u32>,
    groups: Groups,
    time: Ints<'b>,
    int: Ints<'b>,
    double: Ints<'b>,
    trace_id: Fixed<'b, 16>,
    span_id: Fixed<'b, 8>,
    attributes: Attributes<'b>,
}

/// The columns of the exemplars of all points.
#[derive(Default)]
pub(super) struct ExemplarColumns {
    pub(super) time: Times,
    pub(super) value: Numbers<Float64Type>,
    pub(super) value_int: Numbers<arrow_array::types::Int64Type>,
    pub(super) trace_id: Ids<16>,
    pub(super) span_id: Ids<8>,
    pub(super) attributes: column::Attributes,
    pub(super) types: Text,
}

impl ExemplarColumns {
    pub(super) fn reserve(&mut self, size: &Children) {
        if size.items == 0 {
            return;
        }
        self.time.reserve(size.items);
        self.value.reserve(size.items);
        self.value_int.reserve(size.items);
        self.trace_id.reserve(size.items);
        self.span_id.reserve(size.items);
        self.attributes.reserve(size.items, &size.attributes);
        self.types.reserve(size.items, size.attributes.entries);
    }

    pub(super) fn len(&self) -> usize {
        self.value.len()
    }
}

impl<'b> Exemplars<'b> {
    fn of(
        tables: &'b Tables<'_>,
        kind: PayloadType,
        attributes: PayloadType,
        points: &[u32],
        planning: &mut Planning<'_, '_>,
    ) -> Result<Option<Self>, Fault> {
        let Some(table) = tables.get(kind).filter(|table| table.rows > 0) else { return Ok(None) };
        planning.take(table.rows * 16)?;
        let ids = table.written("id")?.ids(table.rows)?;
        let (int, double) = (table.ints("int_value")?, table.doubles("double_value")?);
        let written = table.written("parent_id")?;
        let rules = written.rules();
        let alike = |row: usize| match ((int.get(row), double.double(row)), (int.get(row - 1), double.double(row - 1)))
        {
            ((Some(one), _), (Some(other), _)) => {
                let by_slot = rules == Rules::Rust && int.is_dictionary();
                if by_slot { int.slots.get(row) == int.slots.get(row - 1) } else { one == other }
            }
            ((None, one @ Some(_)), (None, other @ Some(_))) => same_doubles(one, other, rules),
            ((None, None), (None, None)) => true,
            _ => false,
        };
        let parents = written.parents(table.rows, |row| row > 0 && alike(row))?;
        let attributes = Attributes::of(tables.get(attributes), &ids, planning)?;
        planning.next();
        Ok(Some(Self {
            groups: Groups::of(&parents, points),
            time: table.ints("time_unix_nano")?,
            int,
            double,
            trace_id: table.fixed("trace_id")?,
            span_id: table.fixed("span_id")?,
            ids,
            attributes,
        }))
    }

    fn count(&self, point: u32, size: &mut Children, planning: &Planning<'_, '_>) -> Result<(), Fault> {
        let rows = self.groups.rows(point);
        size.items += rows.len();
        let needed = size.items.saturating_mul(60);
        if needed > planning.limit {
            return Err(Fault::TooLarge { needed, limit: planning.limit });
        }
        let ids = rows.iter().map(|row| self.ids[*row as usize]);
        self.attributes.count(ids, &mut size.attributes, planning)
    }

    /// Appends the exemplars of a point.
    pub(super) fn push(&self, point: u32, to: &mut ExemplarColumns, letters: &mut Letters, seen: &mut Seen) {
        for &row in self.groups.rows(point) {
            let row = row as usize;
            to.time.push(self.time.or_zero(row) as u64);
            let int = self.int.get(row);
            to.value.push_option(int.map(|int| int as f64).or_else(|| self.double.double(row)));
            to.value_int.push_option(int);
            to.trace_id.push_id(self.trace_id.get(row));
            to.span_id.push_id(self.span_id.get(row));
            self.attributes.push(self.ids[row], &mut to.attributes, letters, seen);
            types(&mut to.types, letters);
        }
    }
}

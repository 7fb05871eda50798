//! Data points of each kind, their exemplars, and the attributes of both.

use otlp_arrow_wire::otap::PayloadType;

use super::attributes::Attributes;
use super::exemplars::Exemplars;
use super::ids::Ids;
use super::ipc::Messages;
use super::leaf::{Encoding, Leaf, Lists, Pairs, Plain, Validity, time};
use super::lost::Lost;
use super::table::{Part, Piece, SchemaIds, Stream, clear};
use crate::encode::column::{Cell, Flaw};
use crate::encode::metrics::Points as Source;

/// Which table a point is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Number,
    Summary,
    Histogram,
    Exponential,
}

/// The tables of all kinds.
pub(super) struct Points([OfKind; 4]);

/// The points of one kind. It has the columns of all kinds and sends those of its own.
struct OfKind {
    table: Table,
    stream: Stream,
    rows: usize,
    next: Ids,
    /// The metric of the row before.
    before: u32,
    id: Plain<u32>,
    parent: Plain<u16>,
    start_time: Plain<i64>,
    time: Plain<i64>,
    flags: Plain<u32>,
    int: Plain<i64>,
    double: Plain<f64>,
    count: Plain<u64>,
    sum: Plain<f64>,
    min: Plain<f64>,
    max: Plain<f64>,
    bucket_counts: Lists<u64>,
    explicit_bounds: Lists<f64>,
    quantiles: Pairs,
    scale: Plain<i32>,
    zero_count: Plain<u64>,
    zero_threshold: Plain<f64>,
    positive: Buckets,
    negative: Buckets,
    attributes: Attributes,
    exemplars: Option<Exemplars>,
}

struct Buckets {
    validity: Validity,
    offset: Plain<i32>,
    counts: Lists<u64>,
}

impl Buckets {
    fn new() -> Self {
        let (offset, counts) = (Plain::optional("offset"), Lists::optional("bucket_counts"));
        Self { validity: Validity::default(), offset, counts }
    }

    fn push(&mut self, offset: Option<i32>, counts: &[u64]) {
        self.validity.push(offset.is_some());
        self.offset.option(offset);
        self.counts.push(if offset.is_some() { counts } else { &[] });
    }

    fn part(&mut self, name: &'static str) -> Part<'_> {
        let fields: Vec<&mut dyn Leaf> = vec![&mut self.offset, &mut self.counts];
        Part::Struct(name, &mut self.validity, fields)
    }
}

impl Points {
    pub(super) fn new() -> Self {
        let of = |table, points, attributes, exemplars: Option<(PayloadType, PayloadType)>| OfKind {
            table,
            stream: Stream::new(points),
            rows: 0,
            next: Ids::default(),
            before: 0,
            id: Plain::optional("id").encoded(Encoding::Delta),
            parent: Plain::required("parent_id").encoded(Encoding::Delta),
            start_time: Plain::optional("start_time_unix_nano").of_type(time()),
            time: Plain::optional("time_unix_nano").of_type(time()),
            flags: Plain::optional("flags"),
            int: Plain::optional("int_value"),
            double: Plain::optional("double_value"),
            count: Plain::optional("count"),
            sum: Plain::optional("sum"),
            min: Plain::optional("min"),
            max: Plain::optional("max"),
            bucket_counts: Lists::optional("bucket_counts"),
            explicit_bounds: Lists::optional("explicit_bounds"),
            quantiles: Pairs::optional("quantile", ["quantile", "value"]),
            scale: Plain::optional("scale"),
            zero_count: Plain::optional("zero_count"),
            zero_threshold: Plain::optional("zero_threshold"),
            positive: Buckets::new(),
            negative: Buckets::new(),
            attributes: Attributes::new(attributes, true),
            exemplars: exemplars.map(|(table, attributes)| Exemplars::new(table, attributes)),
        };
        use PayloadType as P;
        Self([
            of(
                Table::Number,
                P::NumberDataPoints,
                P::NumberDpAttrs,
                Some((P::NumberDpExemplars, P::NumberDpExemplarAttrs)),
            ),
            of(Table::Summary, P::SummaryDataPoints, P::SummaryDpAttrs, None),
            of(
                Table::Histogram,
                P::HistogramDataPoints,
                P::HistogramDpAttrs,
                Some((P::HistogramDpExemplars, P::HistogramDpExemplarAttrs)),
            ),
            of(
                Table::Exponential,
                P::ExpHistogramDataPoints,
                P::ExpHistogramDpAttrs,
                Some((P::ExpHistogramDpExemplars, P::ExpHistogramDpExemplarAttrs)),
            ),
        ])
    }

    /// Adds a point of a metric.
    #[inline]
    pub(super) fn row(&mut self, source: &Source<'_>, row: usize, table: Table, metric: u32) -> Cell<()> {
        self.0[table as usize].row(source, row, metric)
    }

    /// All points are there: their exemplars are put in order. An error says in which row.
    pub(super) fn end_rows(&mut self, source: &Source<'_>) -> Result<(), (usize, Flaw)> {
        self.0.iter_mut().filter_map(|of| of.exemplars.as_mut()).try_for_each(|exemplars| exemplars.end_rows(source))
    }

    pub(super) fn pieces(&mut self, ids: &mut SchemaIds, messages: &mut Messages, out: &mut Vec<Piece>) {
        for of in &mut self.0 {
            let rows = of.end();
            let (stream, parts) = of.parts();
            out.extend(stream.piece(rows, parts, ids, messages));
            out.extend(of.attributes.piece(ids, messages));
            if let Some(exemplars) = &mut of.exemplars {
                exemplars.pieces(ids, messages, out);
            }
        }
    }

    pub(super) fn restart(&mut self) {
        for of in &mut self.0 {
            of.stream.restart();
            of.attributes.restart();
            of.exemplars.iter_mut().for_each(Exemplars::restart);
        }
    }

    pub(super) fn forget(&mut self) {
        for of in &mut self.0 {
            of.end();
            clear(&mut of.parts().1);
            of.attributes.forget();
            of.exemplars.iter_mut().for_each(Exemplars::forget);
        }
    }

    pub(super) fn lost(&mut self) -> Lost {
        let mut lost = Lost::default();
        for of in &mut self.0 {
            lost.add_all(std::mem::take(&mut of.attributes.lost));
            of.exemplars.iter_mut().for_each(|exemplars| lost.add_all(exemplars.lost()));
        }
        lost
    }
}

impl OfKind {
    fn row(&mut self, source: &Source<'_>, row: usize, metric: u32) -> Cell<()> {
        let id = self.next.next();
        self.id.push(id.delta);
        self.parent.push((metric - self.before) as u16);
        self.before = metric;
        self.start_time.option(source.start_time.get(row));
        self.time.push(source.time.or_zero(row));
        self.flags.unless_zero(source.flags.or_zero(row));
        self.rows += 1;
        match self.table {
            Table::Number => {
                let int = source.value_int.get(row);
                self.int.option(int);
                self.double.option(if int.is_some() { None } else { source.value.get(row) });
            }
            Table::Summary => {
                self.count.push(source.count.or_zero(row));
                self.sum.push(source.sum.or_zero(row));
                let (quantile, value) = (&source.quantile, &source.quantile_value);
                let pairs = source.quantiles.range(row)?;
                self.quantiles.push(pairs.map(|at| [quantile.or_zero(at), value.or_zero(at)]));
            }
            Table::Histogram => {
                self.distribution(source, row);
                self.bucket_counts.push(source.bucket_counts.get(row)?);
                self.explicit_bounds.push(source.explicit_bounds.get(row)?);
            }
            Table::Exponential => {
                self.distribution(source, row);
                self.scale.option(source.scale.get(row));
                self.zero_count.option(source.zero_count.get(row));
                self.zero_threshold.option(source.zero_threshold.get(row));
                self.positive.push(source.positive.0.get(row), source.positive.1.get(row)?);
                self.negative.push(source.negative.0.get(row), source.negative.1.get(row)?);
            }
        }
        if let Some(exemplars) = &mut self.exemplars {
            exemplars.add(source, row, id.number)?;
        }
        self.attributes.add(&source.attributes, row, id.number)
    }

    fn distribution(&mut self, source: &Source<'_>, row: usize) {
        self.count.push(source.count.or_zero(row));
        self.sum.option(source.sum.get(row));
        self.min.option(source.min.get(row));
        self.max.option(source.max.get(row));
    }

    fn parts(&mut self) -> (&mut Stream, Vec<Part<'_>>) {
        let mut columns: Vec<Part<'_>> = vec![
            Part::Column(&mut self.id),
            Part::Column(&mut self.parent),
            Part::Column(&mut self.start_time),
            Part::Column(&mut self.time),
        ];
        match self.table {
            Table::Number => columns.extend([Part::Column(&mut self.int), Part::Column(&mut self.double)]),
            Table::Summary => {
                columns.extend([Part::Column(&mut self.count), Part::Column(&mut self.sum)]);
                columns.push(Part::Column(&mut self.quantiles));
            }
            Table::Histogram => {
                columns.extend([Part::Column(&mut self.count), Part::Column(&mut self.sum)]);
                columns.extend([Part::Column(&mut self.bucket_counts), Part::Column(&mut self.explicit_bounds)]);
                columns.extend([Part::Column(&mut self.min), Part::Column(&mut self.max)]);
            }
            Table::Exponential => {
                columns.extend([Part::Column(&mut self.count), Part::Column(&mut self.sum)]);
                columns.extend([Part::Column(&mut self.scale), Part::Column(&mut self.zero_count)]);
                columns.extend([self.positive.part("positive"), self.negative.part("negative")]);
                columns.extend([Part::Column(&mut self.min), Part::Column(&mut self.max)]);
                columns.push(Part::Column(&mut self.zero_threshold));
            }
        }
        columns.push(Part::Column(&mut self.flags));
        (&mut self.stream, columns)
    }

    fn end(&mut self) -> usize {
        (self.next, self.before) = (Ids::default(), 0);
        std::mem::take(&mut self.rows)
    }
}

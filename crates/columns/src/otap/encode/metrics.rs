//! Rows of the metrics table to UNIVARIATE_METRICS and their attributes; the points of each kind are in tables of their own.

use arrow_array::RecordBatch;
use otlp_arrow_wire::otap::PayloadType;

use super::attributes::Attributes;
use super::coded::{Coded, Of, Width};
use super::ids::Ids;
use super::ipc::Messages;
use super::leaf::{Encoding, Flags, Plain};
use super::lost::{Loss, Lost};
use super::points::{Points, Table};
use super::shared::{Place, Shared};
use super::table::{Part, Piece, SchemaIds, Stream, clear};
use super::tables::{Tables, each_row};
use crate::EncodeError;
use crate::encode::column::{Cell, Flaw};
use crate::encode::metrics::{Identity, Kind, Points as Source};
use crate::encode::records::Records as _;

/// The tables of metrics.
pub(super) struct Metrics {
    stream: Stream,
    rows: usize,
    lost: Lost,
    next: Ids,
    /// The number of the metric that rows belong to, and the groups that it is of.
    current: Option<(u32, [u16; 2])>,
    id: Plain<u16>,
    shared: Shared,
    kind: Plain<u8>,
    name: Coded,
    description: Coded,
    unit: Coded,
    temporality: Coded,
    is_monotonic: Flags,
    /// Metadata of metrics, where it is wanted.
    metadata: Option<Attributes>,
    points: Points,
}

impl Metrics {
    /// With metadata of metrics, or without.
    pub(super) fn new(metadata: bool) -> Self {
        let text = |name, optional| Coded::new(name, Of::Text, Width::U8, optional);
        Self {
            stream: Stream::new(PayloadType::UnivariateMetrics),
            rows: 0,
            lost: Lost::default(),
            next: Ids::default(),
            current: None,
            id: Plain::required("id").encoded(Encoding::Delta),
            shared: Shared::new(),
            kind: Plain::required("metric_type"),
            name: text("name", false),
            description: text("description", true),
            unit: text("unit", true),
            temporality: Coded::new("aggregation_temporality", Of::I32, Width::U8, true),
            is_monotonic: Flags::optional("is_monotonic"),
            metadata: metadata.then(|| Attributes::new(PayloadType::MetricAttrs, false)),
            points: Points::new(),
        }
    }

    /// A row is a point; consecutive ones of one metric hang on one row here.
    fn row<'a>(&mut self, source: &Source<'a>, row: usize, last: &mut Last<'a>, place: &Place<'_>) -> Cell<()> {
        let groups = [place.resource.0, place.scope.0];
        let identity = match last {
            Some((before, identity)) if *before + 1 == row && source.continues(row, identity)? => *identity,
            _ => source.identity(row)?,
        };
        let of_groups = self.current.is_some_and(|(_, of)| of == groups);
        let same = of_groups && last.is_some_and(|(_, before)| before == identity);
        let metric = match self.current {
            Some((metric, _)) if same => metric,
            _ => self.metric(&identity, place)?,
        };
        self.current = Some((metric, groups));
        *last = Some((row, identity));
        if identity.metadata.is_some() && self.metadata.is_none() {
            self.lost.add(Loss::MetricMetadata, 1);
        }
        self.points.row(source, row, table_of(identity.kind), metric)
    }

    fn metric(&mut self, identity: &Identity<'_>, place: &Place<'_>) -> Cell<u32> {
        let id = self.next.next();
        self.id.push(id.delta as u16);
        self.shared.push(place);
        self.kind.push(match identity.kind {
            Kind::Gauge => 1,
            Kind::Sum => 2,
            Kind::Histogram => 3,
            Kind::ExponentialHistogram => 4,
            Kind::Summary => 5,
        });
        self.name.push(identity.name);
        self.description.unless_empty(identity.description);
        self.unit.unless_empty(identity.unit);
        let summed = !matches!(identity.kind, Kind::Gauge | Kind::Summary);
        let temporality = identity.temporality.to_le_bytes();
        self.temporality.option(summed.then_some(&temporality));
        self.is_monotonic.option((identity.kind == Kind::Sum).then_some(identity.is_monotonic));
        self.rows += 1;
        if let (Some(metadata), Some(object)) = (&mut self.metadata, identity.metadata) {
            metadata.add_json(object, id.number, "metadata")?;
        }
        Ok(id.number)
    }

    fn parts(&mut self) -> (&mut Stream, Vec<Part<'_>>) {
        let [resource, scope, schema_url] = self.shared.parts();
        let parts = vec![
            Part::Column(&mut self.id),
            resource,
            scope,
            schema_url,
            Part::Column(&mut self.kind),
            Part::Column(&mut self.name),
            Part::Column(&mut self.description),
            Part::Column(&mut self.unit),
            Part::Column(&mut self.temporality),
            Part::Column(&mut self.is_monotonic),
        ];
        (&mut self.stream, parts)
    }

    fn end(&mut self) -> usize {
        (self.next, self.current) = (Ids::default(), None);
        std::mem::take(&mut self.rows)
    }
}

/// The row before and what metric it is of.
type Last<'a> = Option<(usize, Identity<'a>)>;

fn table_of(kind: Kind) -> Table {
    match kind {
        Kind::Gauge | Kind::Sum => Table::Number,
        Kind::Histogram => Table::Histogram,
        Kind::ExponentialHistogram => Table::Exponential,
        Kind::Summary => Table::Summary,
    }
}

impl Tables for Metrics {
    fn fill(&mut self, batch: &RecordBatch) -> Result<(), EncodeError> {
        let source = Source::of(batch)?;
        let mut last = None;
        each_row(self, batch, |this| &mut this.shared, |this, row, place| this.row(&source, row, &mut last, place))?;
        let done = self.points.end_rows(&source);
        done.map_err(|(row, Flaw { column, message })| EncodeError::Corrupt { batch: 0, row, column, message })
    }

    fn pieces(&mut self, ids: &mut SchemaIds, messages: &mut Messages) -> Vec<Piece> {
        let mut out = Vec::new();
        let rows = self.end();
        let (stream, parts) = self.parts();
        out.extend(stream.piece(rows, parts, ids, messages));
        out.extend(self.metadata.as_mut().and_then(|metadata| metadata.piece(ids, messages)));
        self.points.pieces(ids, messages, &mut out);
        self.shared.pieces(ids, messages, &mut out);
        out
    }

    fn restart(&mut self) {
        self.stream.restart();
        self.metadata.iter_mut().for_each(Attributes::restart);
        self.points.restart();
        self.shared.restart();
    }

    fn forget(&mut self) {
        clear(&mut self.parts().1);
        self.end();
        self.metadata.iter_mut().for_each(Attributes::forget);
        self.points.forget();
        self.shared.forget();
    }

    fn lost(&mut self) -> Lost {
        let mut lost = std::mem::take(&mut self.lost);
        lost.add_all(self.shared.lost());
        lost.add_all(self.points.lost());
        if let Some(metadata) = &mut self.metadata {
            lost.add_all(std::mem::take(&mut metadata.lost));
        }
        lost
    }
}

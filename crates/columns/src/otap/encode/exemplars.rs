//! Exemplars of the points of one kind, in an order in which every reader finds the points they are of.

use otlp_arrow_wire::otap::PayloadType;

use super::attributes::Attributes;
use super::coded::{Coded, Of, Width};
use super::ids::{Ids, NO_ID};
use super::ipc::Messages;
use super::leaf::{Encoding, Plain, time};
use super::lost::{Loss, Lost};
use super::order::{Child, READERS, arrange, doubles, unlike_double, written};
use super::table::{Part, Piece, SchemaIds, Stream, clear};
use crate::encode::column::{Cell, Flaw};
use crate::encode::metrics::Points as Source;

/// One exemplar of one point.
#[derive(Clone, Copy, Debug)]
struct Row {
    parent: u32,
    /// The row of the point.
    of: usize,
    /// Its place among the elements of the column.
    at: usize,
    value: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    None,
    Int(i64),
    /// A double's bits.
    Double(u64),
}

impl Value {
    /// What lies in both columns, also under the null of one.
    fn under(self) -> (i64, u64) {
        match self {
            Value::None => (0, 0),
            Value::Int(value) => (value, 0),
            Value::Double(bits) => (0, bits),
        }
    }
}

impl Child for Row {
    fn parent(&self) -> u32 {
        self.parent
    }

    fn like(&self, before: &Self) -> [bool; READERS] {
        let rust = self.value.under() == before.value.under();
        match (self.value, before.value) {
            (Value::Double(one), Value::Double(other)) => {
                let [go, _, written] = doubles(one, other);
                [go, rust, written]
            }
            // Go adds up rows without a value, whatever came before.
            (Value::None, other) => [true, rust, other == Value::None],
            (one, other) => [one == other, rust, one == other],
        }
    }

    fn unlike(self, before: &Self) -> Self {
        let value = match (self.value, before.value) {
            (Value::Double(bits), Value::Double(before)) => Value::Double(unlike_double(bits, before)),
            // What lies under a null is 0 as well.
            (Value::Int(0) | Value::Double(0), Value::None) => Value::Double((-0.0_f64).to_bits()),
            (Value::Int(0) | Value::Double(0), zero) => zero,
            (other, _) => other,
        };
        Self { value, ..self }
    }
}

/// The exemplars of the points of one kind.
pub(super) struct Exemplars {
    stream: Stream,
    rows: Vec<Row>,
    lost: Lost,
    len: usize,
    id: Plain<u32>,
    parent: Plain<u32>,
    time: Plain<i64>,
    int: Plain<i64>,
    double: Plain<f64>,
    span_id: Coded,
    trace_id: Coded,
    attributes: Attributes,
}

impl Exemplars {
    pub(super) fn new(table: PayloadType, attributes: PayloadType) -> Self {
        Self {
            stream: Stream::new(table),
            rows: Vec::new(),
            lost: Lost::default(),
            len: 0,
            id: Plain::optional("id").encoded(Encoding::Delta),
            parent: Plain::required("parent_id").encoded(Encoding::QuasiDelta),
            time: Plain::required("time_unix_nano").of_type(time()),
            // Plain, as Go has it: a reader that compares indexes looks under nulls as well.
            int: Plain::optional("int_value"),
            double: Plain::optional("double_value"),
            // Go refuses exemplars without them.
            span_id: Coded::new("span_id", Of::Ids(8), Width::U8, false),
            trace_id: Coded::new("trace_id", Of::Ids(16), Width::U8, false),
            attributes: Attributes::new(attributes, true),
        }
    }

    /// Notes the exemplars of a row, which is the point with a number.
    pub(super) fn add(&mut self, source: &Source<'_>, row: usize, parent: u32) -> Cell<()> {
        for at in source.exemplars.range(row)? {
            let value = match (source.exemplar.value_int.get(at), source.exemplar.value.get(at)) {
                (Some(value), _) => Value::Int(value),
                (None, Some(value)) => Value::Double(value.to_bits()),
                (None, None) => Value::None,
            };
            self.rows.push(Row { parent, of: row, at, value });
        }
        Ok(())
    }

    /// All are noted.
    pub(super) fn end_rows(&mut self, source: &Source<'_>) -> Result<(), (usize, Flaw)> {
        let mut rows = std::mem::take(&mut self.rows);
        // Those without a value come first, as Go has them; of each kind they stay by parent.
        rows.sort_by_key(|row| row.value != Value::None);
        self.lost.add(Loss::Doubles, arrange(&mut rows));
        let (mut next, mut before) = (Ids::default(), None);
        for row in &rows {
            self.row(source, row, &mut next, before).map_err(|flaw| (row.of, flaw))?;
            before = Some(row);
        }
        rows.clear();
        self.rows = rows;
        Ok(())
    }

    fn row(&mut self, source: &Source<'_>, row: &Row, next: &mut Ids, before: Option<&Row>) -> Cell<()> {
        let (exemplar, at) = (&source.exemplar, row.at);
        let id = next.of(!exemplar.attributes.is_empty(at)?);
        self.id.option(id.map(|id| id.delta));
        self.parent.push(written(row, before));
        self.time.push(exemplar.time.or_zero(at));
        self.int.option(if let Value::Int(value) = row.value { Some(value) } else { None });
        self.double.option(if let Value::Double(bits) = row.value { Some(f64::from_bits(bits)) } else { None });
        self.span_id.push(exemplar.span_id.get(at).unwrap_or(&NO_ID[..8]));
        self.trace_id.push(exemplar.trace_id.get(at).unwrap_or(&NO_ID));
        self.len += 1;
        id.map_or(Ok(()), |id| self.attributes.add(&exemplar.attributes, at, id.number))
    }

    fn parts(&mut self) -> (&mut Stream, Vec<Part<'_>>) {
        let Self { stream, id, parent, time, int, double, span_id, trace_id, .. } = self;
        let first = [Part::Column(id), Part::Column(parent), Part::Column(time), Part::Column(int)];
        let others = [Part::Column(double), Part::Column(span_id), Part::Column(trace_id)];
        (stream, first.into_iter().chain(others).collect())
    }

    pub(super) fn pieces(&mut self, ids: &mut SchemaIds, messages: &mut Messages, out: &mut Vec<Piece>) {
        let rows = std::mem::take(&mut self.len);
        let (stream, parts) = self.parts();
        out.extend(stream.piece(rows, parts, ids, messages));
        out.extend(self.attributes.piece(ids, messages));
    }

    pub(super) fn restart(&mut self) {
        self.stream.restart();
        self.attributes.restart();
    }

    pub(super) fn forget(&mut self) {
        clear(&mut self.parts().1);
        self.rows.clear();
        self.len = 0;
        self.attributes.forget();
    }

    pub(super) fn lost(&mut self) -> Lost {
        let mut lost = std::mem::take(&mut self.lost);
        lost.add_all(std::mem::take(&mut self.attributes.lost));
        lost
    }
}

//! Rows of the logs table to LOGS and LOG_ATTRS.

use arrow_array::RecordBatch;
use otlp_arrow_wire::otap::PayloadType;

use super::attributes::Attributes;
use super::coded::{Coded, Of, Width};
use super::ids::Ids;
use super::ipc::Messages;
use super::leaf::{Encoding, Flags, Leaf, Plain, Validity, time};
use super::lost::{Loss, Lost};
use super::shared::{Place, Shared};
use super::table::{Part, Piece, SchemaIds, Stream, clear};
use super::tables::Tables;
use super::value::{Value, of_text};
use crate::EncodeError;
use crate::encode::column::{Cell, Flaw};
use crate::encode::logs::Logs as Source;
use crate::encode::records::Records as _;

/// The tables of log records.
pub(super) struct Logs {
    stream: Stream,
    rows: usize,
    lost: Lost,
    room: Vec<u8>,
    next: Ids,
    id: Plain<u16>,
    shared: Shared,
    time: Plain<i64>,
    observed_time: Plain<i64>,
    trace_id: Coded,
    span_id: Coded,
    severity_number: Coded,
    severity_text: Coded,
    body: Body,
    dropped: Plain<u32>,
    flags: Plain<u32>,
    event_name: Coded,
    attributes: Attributes,
}

struct Body {
    validity: Validity,
    kind: Plain<u8>,
    str: Coded,
    int: Coded,
    double: Plain<f64>,
    bool: Flags,
    bytes: Coded,
    ser: Coded,
}

impl Logs {
    pub(super) fn new() -> Self {
        Self {
            stream: Stream::new(PayloadType::Logs),
            rows: 0,
            lost: Lost::default(),
            room: Vec::new(),
            next: Ids::default(),
            id: Plain::optional("id").encoded(Encoding::Delta),
            shared: Shared::new(),
            time: Plain::optional("time_unix_nano").of_type(time()),
            observed_time: Plain::optional("observed_time_unix_nano").of_type(time()),
            trace_id: Coded::new("trace_id", Of::Ids(16), Width::U8, true),
            span_id: Coded::new("span_id", Of::Ids(8), Width::U8, true),
            severity_number: Coded::new("severity_number", Of::I32, Width::U8, true),
            severity_text: Coded::new("severity_text", Of::Text, Width::U8, true),
            body: Body {
                validity: Validity::default(),
                kind: Plain::required("type"),
                str: Coded::new("str", Of::Text, Width::U16, true),
                int: Coded::new("int", Of::I64, Width::U16, true),
                double: Plain::optional("double"),
                bool: Flags::optional("bool"),
                bytes: Coded::new("bytes", Of::Bytes, Width::U16, true),
                ser: Coded::new("ser", Of::Bytes, Width::U16, true),
            },
            dropped: Plain::optional("dropped_attributes_count"),
            flags: Plain::optional("flags"),
            event_name: Coded::new("event_name", Of::Text, Width::U8, true),
            attributes: Attributes::new(PayloadType::LogAttrs, false),
        }
    }

    fn row(&mut self, source: &Source<'_>, row: usize, place: &Place<'_>) -> Cell<()> {
        let id = self.next.of(!source.attributes.is_empty(row)?);
        self.id.option(id.map(|id| id.delta as u16));
        self.shared.push(place);
        self.time.option(source.time.get(row));
        self.observed_time.option(source.observed_time.get(row));
        self.trace_id.option(source.trace_id.get(row));
        self.span_id.option(source.span_id.get(row));
        self.severity_number.unless_zero(source.severity_number.or_zero(row));
        self.severity_text.unless_empty(source.severity_text.or_empty(row)?);
        self.body(source, row)?;
        self.dropped.unless_zero(source.dropped_attributes.or_zero(row));
        self.flags.unless_zero(source.flags.or_zero(row));
        self.event_name.unless_empty(source.event_name.or_empty(row)?);
        if let Some(id) = id {
            self.attributes.add(&source.attributes, row, id.number)?;
        }
        self.rows += 1;
        Ok(())
    }

    fn body(&mut self, source: &Source<'_>, row: usize) -> Cell<()> {
        let body = &mut self.body;
        let letter = match source.body_type.get(row)? {
            None => None,
            Some(&[letter]) => Some(letter),
            Some(_) => return Err(Flaw { column: "body_type", message: "not one letter" }),
        };
        body.validity.push(letter.is_some());
        let mut room = std::mem::take(&mut self.room);
        let value = match letter {
            // A type is never null, not even under a body that is.
            None => Ok(Value::Empty),
            Some(letter) => of_text(letter, source.body.get(row)?, &mut room),
        };
        let value = value.map_err(|message| Flaw { column: "body", message })?;
        body.kind.push(value.kind());
        let (mut str, mut int, mut double, mut bool, mut bytes, mut ser) = (None, None, None, None, None, None);
        match value {
            Value::Empty => {}
            Value::Str(text) => str = Some(text),
            Value::TooDeep(text) => {
                self.lost.add(Loss::Nesting, 1);
                str = Some(text);
            }
            Value::Int(value) => int = Some(value.to_le_bytes()),
            Value::Double(value) => double = Some(value),
            Value::Bool(value) => bool = Some(value),
            Value::Bytes(value) => bytes = Some(value),
            Value::Map(cbor) | Value::Slice(cbor) => ser = Some(cbor),
        }
        body.str.option(str);
        body.int.option(int.as_ref().map(|int| &int[..]));
        body.double.option(double);
        body.bool.option(bool);
        body.bytes.option(bytes);
        body.ser.option(ser);
        self.room = room;
        Ok(())
    }

    fn parts(&mut self) -> (&mut Stream, Vec<Part<'_>>) {
        let Body { validity, kind, str, int, double, bool, bytes, ser } = &mut self.body;
        let body: Vec<&mut dyn Leaf> = vec![kind, str, int, double, bool, bytes, ser];
        let [resource, scope, schema_url] = self.shared.parts();
        let parts = vec![
            Part::Column(&mut self.id),
            resource,
            scope,
            schema_url,
            Part::Column(&mut self.time),
            Part::Column(&mut self.observed_time),
            Part::Column(&mut self.trace_id),
            Part::Column(&mut self.span_id),
            Part::Column(&mut self.severity_number),
            Part::Column(&mut self.severity_text),
            Part::Struct("body", validity, body),
            Part::Column(&mut self.dropped),
            Part::Column(&mut self.flags),
            Part::Column(&mut self.event_name),
        ];
        (&mut self.stream, parts)
    }
}

impl Tables for Logs {
    fn fill(&mut self, batch: &RecordBatch) -> Result<(), EncodeError> {
        let source = Source::of(batch)?;
        super::tables::each_row(self, batch, |this| &mut this.shared, |this, row, place| this.row(&source, row, place))
    }

    fn pieces(&mut self, ids: &mut SchemaIds, messages: &mut Messages) -> Vec<Piece> {
        let mut out = Vec::new();
        let rows = std::mem::take(&mut self.rows);
        self.next = Ids::default();
        let (stream, parts) = self.parts();
        out.extend(stream.piece(rows, parts, ids, messages));
        out.extend(self.attributes.piece(ids, messages));
        self.shared.pieces(ids, messages, &mut out);
        out
    }

    fn restart(&mut self) {
        self.stream.restart();
        self.attributes.restart();
        self.shared.restart();
    }

    fn forget(&mut self) {
        clear(&mut self.parts().1);
        (self.rows, self.next) = (0, Ids::default());
        self.attributes.forget();
        self.shared.forget();
    }

    fn lost(&mut self) -> Lost {
        let mut lost = std::mem::take(&mut self.lost);
        lost.add_all(std::mem::take(&mut self.attributes.lost));
        lost.add_all(self.shared.lost());
        lost
    }
}

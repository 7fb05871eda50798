//! OTAP, the OTel-Arrow protocol: names of its services, and the messages of their streams.
//!
//! What is in [`ArrowPayload::record`] is Arrow IPC, of which the wire knows nothing.

use crate::read::{Cursor, Wire};
use crate::write::{LEN, VARINT};
use crate::{Signal, Writer, read};

macro_rules! path {
    ($name:literal) => {
        concat!("/opentelemetry.proto.experimental.arrow.v1.Arrow", $name, "Service/Arrow", $name)
    };
}

/// The path of the bidirectional stream of a signal.
pub const fn path(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => path!("Traces"),
        Signal::Metrics => path!("Metrics"),
        Signal::Logs => path!("Logs"),
    }
}

/// The signal of a path; `None` if it is not one of OTAP.
pub fn of_path(path: &str) -> Option<Signal> {
    Signal::ALL.into_iter().find(|signal| self::path(*signal) == path)
}

macro_rules! payload_types {
    ($($name:ident = $number:literal $proto:literal;)*) => {
        /// Which table a payload is a part of, as numbered by the protocol.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        #[allow(missing_docs, reason = "the names are those of the protocol")]
        pub enum PayloadType { $($name = $number,)* }

        impl PayloadType {
            /// Every type that is in use, by number.
            pub const ALL: &'static [PayloadType] = &[$(PayloadType::$name,)*];

            /// The name that the protocol gives it.
            pub const fn as_str(self) -> &'static str {
                match self { $(PayloadType::$name => $proto,)* }
            }
        }
    };
}

payload_types! {
    ResourceAttrs = 1 "RESOURCE_ATTRS";
    ScopeAttrs = 2 "SCOPE_ATTRS";
    UnivariateMetrics = 10 "UNIVARIATE_METRICS";
    NumberDataPoints = 11 "NUMBER_DATA_POINTS";
    SummaryDataPoints = 12 "SUMMARY_DATA_POINTS";
    HistogramDataPoints = 13 "HISTOGRAM_DATA_POINTS";
    ExpHistogramDataPoints = 14 "EXP_HISTOGRAM_DATA_POINTS";
    NumberDpAttrs = 15 "NUMBER_DP_ATTRS";
    SummaryDpAttrs = 16 "SUMMARY_DP_ATTRS";
    HistogramDpAttrs = 17 "HISTOGRAM_DP_ATTRS";
    ExpHistogramDpAttrs = 18 "EXP_HISTOGRAM_DP_ATTRS";
    NumberDpExemplars = 19 "NUMBER_DP_EXEMPLARS";
    HistogramDpExemplars = 20 "HISTOGRAM_DP_EXEMPLARS";
    ExpHistogramDpExemplars = 21 "EXP_HISTOGRAM_DP_EXEMPLARS";
    NumberDpExemplarAttrs = 22 "NUMBER_DP_EXEMPLAR_ATTRS";
    HistogramDpExemplarAttrs = 23 "HISTOGRAM_DP_EXEMPLAR_ATTRS";
    ExpHistogramDpExemplarAttrs = 24 "EXP_HISTOGRAM_DP_EXEMPLAR_ATTRS";
    MetricAttrs = 26 "METRIC_ATTRS";
    Logs = 30 "LOGS";
    LogAttrs = 31 "LOG_ATTRS";
    Spans = 40 "SPANS";
    SpanAttrs = 41 "SPAN_ATTRS";
    SpanEvents = 42 "SPAN_EVENTS";
    SpanLinks = 43 "SPAN_LINKS";
    SpanEventAttrs = 44 "SPAN_EVENT_ATTRS";
    SpanLinkAttrs = 45 "SPAN_LINK_ATTRS";
}

impl PayloadType {
    /// The type with this number; `None` if there is none that is in use.
    pub fn of(number: u64) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| u64::from(*kind as u8) == number)
    }

    /// The table of a signal that all others of its batch hang on.
    pub const fn root(signal: Signal) -> Self {
        match signal {
            Signal::Traces => PayloadType::Spans,
            Signal::Metrics => PayloadType::UnivariateMetrics,
            Signal::Logs => PayloadType::Logs,
        }
    }

    /// The signal whose batches it is in; `None` for the two that are in all.
    pub const fn signal(self) -> Option<Signal> {
        match self as u8 {
            10..=26 => Some(Signal::Metrics),
            30..=31 => Some(Signal::Logs),
            40..=45 => Some(Signal::Traces),
            _ => None,
        }
    }
}

/// A piece of one table's Arrow IPC stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArrowPayload<'a> {
    /// Which stream of the gRPC stream it is a piece of.
    pub schema_id: &'a [u8],
    /// The number of its [`PayloadType`].
    pub kind: u64,
    /// The piece.
    pub record: &'a [u8],
}

/// One batch: what a stream of OTAP consists of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchArrowRecords<'a> {
    /// Its number in its stream.
    pub batch_id: i64,
    /// At most one piece of each table.
    pub payloads: Vec<ArrowPayload<'a>>,
    /// A block of HPACK: see [`crate::hpack`].
    pub headers: &'a [u8],
}

/// More payloads than a batch may have: each type is there once at most.
pub const MAX_PAYLOADS: usize = PayloadType::ALL.len();

impl<'a> BatchArrowRecords<'a> {
    /// Reads a batch; its payloads point into `bytes`.
    ///
    /// # Errors
    /// Where the bytes are not such a message, or have more than [`MAX_PAYLOADS`] payloads.
    pub fn read(bytes: &'a [u8]) -> Wire<Self> {
        let mut batch = Self::default();
        let mut cursor = Cursor::new(bytes);
        while !cursor.done() {
            let start = cursor;
            let field = cursor.field()?;
            match (field.number, field.wire_type) {
                (1, VARINT) => batch.batch_id = field.bits as i64,
                (2, LEN) if batch.payloads.len() == MAX_PAYLOADS => {
                    return start.malformed("more payloads than there are types of them");
                }
                (2, LEN) => batch.payloads.push(ArrowPayload::read(field.bytes)?),
                (3, LEN) => batch.headers = field.bytes,
                (1..=3, _) => return start.malformed("a wire type the field cannot have"),
                _ => {}
            }
        }
        Ok(batch)
    }

    /// The message as protobuf.
    pub fn to_protobuf(&self) -> Vec<u8> {
        let records: usize = self.payloads.iter().map(|payload| payload.record.len() + 32).sum();
        let mut out = Writer::with_capacity(records + self.headers.len() + 16);
        out.uint(1, self.batch_id as u64);
        for payload in &self.payloads {
            // The length of the piece tells the length of the length.
            let room = crate::write::varint_len(payload.record.len() as u64 + 16);
            out.nest(2, room, |out| {
                out.bytes(1, payload.schema_id);
                out.uint(2, payload.kind);
                out.bytes(3, payload.record);
            });
        }
        out.bytes(3, self.headers);
        out.finish()
    }
}

impl<'a> ArrowPayload<'a> {
    fn read(bytes: &'a [u8]) -> Wire<Self> {
        let mut payload = Self::default();
        let mut cursor = Cursor::new(bytes);
        while !cursor.done() {
            let start = cursor;
            let field = cursor.field()?;
            match (field.number, field.wire_type) {
                (1, LEN) => payload.schema_id = field.bytes,
                (2, VARINT) => payload.kind = field.bits,
                (3, LEN) => payload.record = field.bytes,
                (1..=3, _) => return start.malformed("a wire type the field cannot have"),
                _ => {}
            }
        }
        Ok(payload)
    }
}

/// What became of one batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchStatus {
    /// The number of the batch.
    pub batch_id: i64,
    /// As a gRPC status: 0 where the batch is kept.
    pub code: i32,
    /// For people.
    pub message: String,
}

impl BatchStatus {
    /// The message as protobuf.
    pub fn to_protobuf(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.uint(1, self.batch_id as u64);
        out.uint(2, self.code as u64);
        out.text(3, &self.message);
        out.finish()
    }

    /// Reads a status; `None` if the bytes are not one.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut status = Self::default();
        let mut cursor = Cursor::new(bytes);
        while !cursor.done() {
            let field = cursor.field().ok()?;
            match (field.number, field.wire_type) {
                (1, VARINT) => status.batch_id = field.bits as i64,
                (2, VARINT) => status.code = field.bits as i32,
                (3, LEN) => status.message = String::from_utf8_lossy(field.bytes).into_owned(),
                (1..=3, _) => return None,
                _ => {}
            }
        }
        Some(status)
    }
}

/// The number of a batch whose message cannot be read as a whole, if that much can be read.
pub fn batch_id(bytes: &[u8]) -> Option<i64> {
    read::varint_field(bytes, 1).map(|id| id as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_protocol() {
        let logs = "/opentelemetry.proto.experimental.arrow.v1.ArrowLogsService/ArrowLogs";
        assert_eq!(path(Signal::Logs), logs);
        for signal in Signal::ALL {
            assert_eq!(of_path(path(signal)), Some(signal));
            assert_eq!(PayloadType::root(signal).signal(), Some(signal));
        }
        assert_eq!(of_path("/opentelemetry.proto.experimental.arrow.v1.ArrowLogsService/Export"), None);
    }

    #[test]
    fn types_are_found_by_number() {
        for kind in PayloadType::ALL {
            assert_eq!(PayloadType::of(u64::from(*kind as u8)), Some(*kind));
        }
        for unknown in [0, 3, 25, 27, 46, 1 << 40, u64::MAX] {
            assert_eq!(PayloadType::of(unknown), None, "{unknown}");
        }
        assert_eq!((PayloadType::MetricAttrs as u8, PayloadType::SpanLinkAttrs as u8), (26, 45));
    }

    #[test]
    fn batches_are_read_as_they_were_written() {
        let record = vec![7; 300_000];
        let batch = BatchArrowRecords {
            batch_id: i64::MAX,
            payloads: vec![
                ArrowPayload { schema_id: b"0", kind: 30, record: &record },
                ArrowPayload { schema_id: b"12", kind: 31, record: b"" },
            ],
            headers: b"hpack",
        };
        let bytes = batch.to_protobuf();
        assert_eq!(BatchArrowRecords::read(&bytes).unwrap(), batch);
        assert_eq!(batch_id(&bytes), Some(i64::MAX));
        let none = BatchArrowRecords::default();
        assert_eq!((none.to_protobuf(), BatchArrowRecords::read(b"")), (vec![], Ok(none.clone())));
        for end in 0..bytes.len().min(40) {
            let _ = BatchArrowRecords::read(&bytes[..end]);
        }
        assert!(BatchArrowRecords::read(&bytes[..bytes.len() - 1]).is_err());
    }

    #[test]
    fn a_batch_has_no_more_payloads_than_there_are_types() {
        let payloads = vec![ArrowPayload { schema_id: b"1", kind: 1, record: b"r" }; MAX_PAYLOADS + 1];
        let over = BatchArrowRecords { payloads, ..Default::default() };
        assert!(BatchArrowRecords::read(&over.to_protobuf()).is_err());
        let fits = BatchArrowRecords { payloads: over.payloads[1..].to_vec(), ..Default::default() };
        assert!(BatchArrowRecords::read(&fits.to_protobuf()).is_ok());
    }

    #[test]
    fn fields_of_another_kind_are_refused_and_unknown_ones_are_not() {
        for bytes in [&[0x0a, 0][..], &[0x10, 1], &[0x18, 1], &[0x12, 2, 0x08, 1]] {
            assert!(BatchArrowRecords::read(bytes).is_err(), "{bytes:?}");
        }
        assert!(BatchArrowRecords::read(&[0x20, 1, 0x2a, 1, 0]).is_ok());
    }

    #[test]
    fn statuses_are_read_as_they_were_written() {
        for code in [0, 3, 8, 14, 16] {
            let status = BatchStatus { batch_id: -1, code, message: "é".into() };
            assert_eq!(BatchStatus::read(&status.to_protobuf()), Some(status));
        }
        assert_eq!(BatchStatus::default().to_protobuf(), b"");
        assert_eq!(BatchStatus::read(&[0x0a, 0]), None);
        assert_eq!(BatchStatus::read(&[0x08]), None);
    }
}

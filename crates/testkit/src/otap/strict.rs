//! What a stream of OTAP has to be for every reader: the rules of arrow-go's reader and of the Rust engine's, without mercy.

use std::collections::{HashMap, HashSet};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_buffer::Buffer;
use arrow_ipc::reader::StreamDecoder;
use arrow_ipc::{MessageHeader, MetadataVersion, root_as_message};
use arrow_schema::{DataType, Field, TimeUnit};
use prost::Message;

/// The messages as the protocol's own definition has them.
#[derive(Clone, PartialEq, Message)]
pub struct BatchArrowRecords {
    /// Its number in the stream.
    #[prost(int64, tag = "1")]
    pub batch_id: i64,
    /// One piece a table.
    #[prost(message, repeated, tag = "2")]
    pub arrow_payloads: Vec<ArrowPayload>,
    /// HPACK.
    #[prost(bytes = "vec", tag = "3")]
    pub headers: Vec<u8>,
}

/// A piece of the stream of one table.
#[derive(Clone, PartialEq, Message)]
pub struct ArrowPayload {
    /// Which schema.
    #[prost(string, tag = "1")]
    pub schema_id: String,
    /// The number of the type.
    #[prost(int32, tag = "2")]
    pub kind: i32,
    /// Arrow IPC.
    #[prost(bytes = "vec", tag = "3")]
    pub record: Vec<u8>,
}

/// The tables of one batch by their type.
pub type Batch = HashMap<i32, RecordBatch>;

/// What a peer knows of one gRPC stream.
#[derive(Debug, Default)]
pub struct Reader {
    streams: HashMap<String, (i32, StreamDecoder)>,
    /// Ids of streams that another one has taken the place of.
    ended: HashSet<String>,
    /// How often a dictionary was sent whole.
    pub replaced: usize,
    /// How often one grew.
    pub grew: usize,
    /// Schemas that were begun.
    pub schemas: usize,
    /// Most columns by the type of their indexes: u8, u16, none.
    pub widths: HashSet<String>,
}

const ROOTS: [i32; 3] = [10, 30, 40];

impl Reader {
    /// Reads one message.
    pub fn read(&mut self, message: &[u8], batch_id: i64) -> Batch {
        let message = BatchArrowRecords::decode(message).expect("a BatchArrowRecords");
        assert_eq!(message.batch_id, batch_id);
        let kinds: Vec<i32> = message.arrow_payloads.iter().map(|payload| payload.kind).collect();
        assert!(ROOTS.contains(&kinds[0]), "the root table is not the first of {kinds:?}");
        assert_eq!(kinds.iter().collect::<HashSet<_>>().len(), kinds.len(), "a table is there twice: {kinds:?}");
        message.arrow_payloads.into_iter().map(|payload| (payload.kind, self.payload(payload))).collect()
    }

    fn payload(&mut self, ArrowPayload { schema_id, kind, record }: ArrowPayload) -> RecordBatch {
        assert!(!self.ended.contains(&schema_id), "the schema id {schema_id} comes back");
        let new = !self.streams.contains_key(&schema_id);
        if new {
            self.schemas += 1;
            // Readers keep one stream for each table.
            let before = self.streams.iter().find(|(_, (of, _))| *of == kind).map(|(id, _)| id.clone());
            if let Some(before) = before {
                self.streams.remove(&before);
                self.ended.insert(before);
            }
            self.streams.insert(schema_id.clone(), (kind, StreamDecoder::new()));
        }
        let (of, decoder) = self.streams.get_mut(&schema_id).unwrap();
        assert_eq!(*of, kind, "the schema id {schema_id} is of another table");
        let (schemas, dictionaries, batches) = walk(&record);
        assert_eq!((schemas, batches), (usize::from(new), 1), "messages of the table {kind}");
        self.grew += dictionaries.iter().filter(|(_, delta)| *delta).count();
        self.replaced += dictionaries.iter().filter(|(_, delta)| !*delta).count();
        let mut rest = Buffer::from_vec(record);
        let batch = decoder.decode(&mut rest).expect("Arrow IPC").expect("a record batch");
        assert!(rest.is_empty(), "more than one batch");
        let mut coded = 0;
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            let nulls = column.null_count();
            coded += check(kind, "", field, nulls, &mut self.widths);
            if let Some(group) = column.as_struct_opt() {
                for (inner, column) in group.fields().iter().zip(group.columns()) {
                    coded += check(kind, field.name(), inner, column.null_count(), &mut self.widths);
                }
            }
        }
        let ids: HashSet<i64> = dictionaries.iter().map(|(id, _)| *id).collect();
        assert!(ids.iter().all(|id| (*id as usize) < coded), "a dictionary that no column has: {ids:?} of {coded}");
        if new {
            assert_eq!(
                (dictionaries.len(), ids.len()),
                (coded, coded),
                "each dictionary is there before the first batch"
            );
            assert!(dictionaries.iter().all(|(_, delta)| !*delta), "a new stream knows nothing");
        }
        assert!(batch.num_rows() > 0, "an empty table is left out");
        batch
    }
}

/// Messages of a slice: schemas, dictionaries with whether they are deltas, and record batches; in that order.
fn walk(mut bytes: &[u8]) -> (usize, Vec<(i64, bool)>, usize) {
    let (mut schemas, mut dictionaries, mut batches) = (0, Vec::new(), 0);
    while !bytes.is_empty() {
        assert_eq!(bytes[..4], [0xff; 4], "the continuation");
        let len = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
        assert_eq!(len % 8, 0, "metadata is aligned");
        let message = root_as_message(&bytes[8..8 + len]).unwrap();
        assert_eq!(message.version(), MetadataVersion::V5);
        match message.header_type() {
            MessageHeader::Schema => {
                assert_eq!((schemas, dictionaries.len(), batches), (0, 0, 0));
                schemas += 1;
            }
            MessageHeader::DictionaryBatch => {
                assert_eq!(batches, 0, "a dictionary behind the batch");
                let dictionary = message.header_as_dictionary_batch().unwrap();
                dictionaries.push((dictionary.id(), dictionary.isDelta()));
            }
            MessageHeader::RecordBatch => batches += 1,
            other => panic!("{other:?}"),
        }
        bytes = &bytes[8 + len + message.bodyLength() as usize..];
    }
    (schemas, dictionaries, batches)
}

const ATTRIBUTES_16: &str =
    "parent_id:u16! key:d8(str)! type:u8! str:d16(str) int:d16(i64) double:f64 bool:bool bytes:d16(bin) ser:d16(bin)";
const ATTRIBUTES_32: &str = "parent_id:d8(u32)! key:d8(str)! type:u8! str:d16(str) int:d16(i64) double:f64 bool:bool bytes:d16(bin) ser:d16(bin)";
const SHARED: &str = "resource:struct resource.id:u16 resource.schema_url:d8(str) resource.dropped_attributes_count:u32 scope:struct scope.id:u16 scope.name:d8(str) scope.version:d8(str) scope.dropped_attributes_count:u32 schema_url:d8(str)";
const POINT: &str = "id:u32 parent_id:u16! start_time_unix_nano:ts time_unix_nano:ts flags:u32";
const DISTRIBUTION: &str = "count:u64 sum:f64 min:f64 max:f64";
const EXEMPLARS: &str = "id:u32 parent_id:d8(u32)! time_unix_nano:ts! int_value:d8(i64) double_value:f64 span_id:d8(fsb8)! trace_id:d8(fsb16)!";

/// The columns that a table may have, with the types that both readers take; those with `!` have no nulls.
fn columns(kind: i32) -> String {
    let own = match kind {
        1 | 2 | 26 | 31 | 41 => return ATTRIBUTES_16.to_owned(),
        15..=18 | 22..=24 | 44 | 45 => return ATTRIBUTES_32.to_owned(),
        19..=21 => return EXEMPLARS.to_owned(),
        11 => return format!("{POINT} int_value:i64 double_value:f64"),
        12 => return format!("{POINT} count:u64 sum:f64 quantile:list"),
        13 => return format!("{POINT} {DISTRIBUTION} bucket_counts:list(u64) explicit_bounds:list(f64)"),
        14 => {
            return format!(
                "{POINT} {DISTRIBUTION} scale:i32 zero_count:u64 zero_threshold:f64 positive:struct positive.offset:i32 positive.bucket_counts:list(u64) negative:struct negative.offset:i32 negative.bucket_counts:list(u64)"
            );
        }
        42 => {
            return "id:u32 parent_id:u16! time_unix_nano:ts name:d8(str)! dropped_attributes_count:u32".to_owned();
        }
        43 => {
            return "id:u32 parent_id:u16! trace_id:d8(fsb16)! span_id:d8(fsb8)! trace_state:d8(str) dropped_attributes_count:u32 flags:u32".to_owned();
        }
        10 => {
            "id:u16! metric_type:u8! name:d8(str)! description:d8(str) unit:d8(str) aggregation_temporality:d8(i32) is_monotonic:bool"
        }
        30 => {
            "id:u16 time_unix_nano:ts observed_time_unix_nano:ts trace_id:d8(fsb16) span_id:d8(fsb8) severity_number:d8(i32) severity_text:d8(str) body:struct body.type:u8! body.str:d16(str) body.int:d16(i64) body.double:f64 body.bool:bool body.bytes:d16(bin) body.ser:d16(bin) dropped_attributes_count:u32 flags:u32 event_name:d8(str)"
        }
        40 => {
            "id:u16 start_time_unix_nano:ts! duration_time_unix_nano:d8(dur)! trace_id:d8(fsb16)! span_id:d8(fsb8)! trace_state:d8(str) parent_span_id:fsb8 name:d8(str)! kind:d8(i32) dropped_attributes_count:u32 dropped_events_count:u32 dropped_links_count:u32 flags:u32 status:struct status.code:d8(i32) status.status_message:d8(str)"
        }
        other => panic!("the table {other} is not sent"),
    };
    format!("{own} {SHARED}")
}

/// Whether a table may have a column; returns 1 where it has a dictionary.
fn check(kind: i32, group: &str, field: &Field, nulls: usize, widths: &mut HashSet<String>) -> usize {
    let name = if group.is_empty() { field.name().clone() } else { format!("{group}.{}", field.name()) };
    let known = columns(kind);
    let found = known.split(' ').find_map(|column| column.strip_prefix(&format!("{name}:")));
    let Some(wanted) = found else { panic!("the table {kind} has no column {name}") };
    let (wanted, required) = wanted.strip_suffix('!').map_or((wanted, false), |wanted| (wanted, true));
    assert!(!required || nulls == 0, "{nulls} nulls in {name} of {kind}");
    if let Some(encoding) = field.metadata().get("encoding") {
        assert!(["delta", "quasidelta"].contains(&encoding.as_str()) && name.ends_with("id"), "{encoding} of {name}");
    }
    let is = name_of(field.data_type());
    let (values, index) = match field.data_type() {
        DataType::Dictionary(index, values) => (name_of(values), Some((**index).clone())),
        _ => (is.clone(), None),
    };
    let width = match (&index, wanted.split_once('(')) {
        (None, _) => "plain",
        (Some(DataType::UInt8), Some(("d8", _))) => "u8",
        (Some(DataType::UInt16), Some(("d8" | "d16", _))) => "u16",
        _ => panic!("{name} of {kind} is {is}, and {wanted} is allowed"),
    };
    let plain =
        wanted.strip_prefix("d8(").or(wanted.strip_prefix("d16(")).map_or(wanted, |of| of.trim_end_matches(')'));
    assert_eq!(values, plain, "{name} of {kind}");
    widths.insert(format!("{name}:{width}"));
    usize::from(index.is_some())
}

fn name_of(data_type: &DataType) -> String {
    match data_type {
        DataType::UInt8 => "u8".into(),
        DataType::UInt16 => "u16".into(),
        DataType::UInt32 => "u32".into(),
        DataType::UInt64 => "u64".into(),
        DataType::Int32 => "i32".into(),
        DataType::Int64 => "i64".into(),
        DataType::Float64 => "f64".into(),
        DataType::Boolean => "bool".into(),
        DataType::Utf8 => "str".into(),
        DataType::Binary => "bin".into(),
        DataType::FixedSizeBinary(size) => format!("fsb{size}"),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => "ts".into(),
        DataType::Duration(TimeUnit::Nanosecond) => "dur".into(),
        DataType::Struct(_) => "struct".into(),
        DataType::List(item) => match item.data_type() {
            DataType::Struct(_) => "list".into(),
            other => format!("list({})", name_of(other)),
        },
        other => format!("{other}"),
    }
}

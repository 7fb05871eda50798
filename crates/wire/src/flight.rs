//! The messages of Arrow Flight (`arrow.flight.protocol.FlightService`), as far as a recorder speaks it.

use crate::Writer;
use crate::read::{Block, Cursor, Field, Wire};
use crate::write::{LEN, VARINT};

macro_rules! path {
    ($method:literal) => {
        concat!("/arrow.flight.protocol.FlightService/", $method)
    };
}

/// Methods by their paths over gRPC.
pub mod paths {
    /// Which tables there are.
    pub const LIST_FLIGHTS: &str = path!("ListFlights");
    /// How one is had.
    pub const GET_FLIGHT_INFO: &str = path!("GetFlightInfo");
    /// Its columns.
    pub const GET_SCHEMA: &str = path!("GetSchema");
    /// Its rows.
    pub const DO_GET: &str = path!("DoGet");
    /// Rows to be kept.
    pub const DO_PUT: &str = path!("DoPut");
    /// Something is to be done.
    pub const DO_ACTION: &str = path!("DoAction");
    /// What can be done.
    pub const LIST_ACTIONS: &str = path!("ListActions");
    /// Credentials; not answered, like the two below it.
    pub const HANDSHAKE: &str = path!("Handshake");
    /// How far a long preparation is.
    pub const POLL_FLIGHT_INFO: &str = path!("PollFlightInfo");
    /// Rows both ways.
    pub const DO_EXCHANGE: &str = path!("DoExchange");
}

/// A field of this number and no other wire type.
fn expect(cursor: &Cursor<'_>, field: &Field<'_>, wire_type: u8) -> Wire<()> {
    if field.wire_type == wire_type { Ok(()) } else { cursor.malformed("a field with the wire type of another") }
}

/// The bytes of the only field that matters of a message: the last one counts, as everywhere in protobuf.
fn only(message: &[u8], number: u32) -> Wire<&[u8]> {
    let (mut cursor, mut found) = (Cursor::new(message), &[][..]);
    while !cursor.done() {
        let field = cursor.field()?;
        if field.number == number {
            expect(&cursor, &field, LEN)?;
            found = field.bytes;
        }
    }
    Ok(found)
}

/// What a `Ticket` holds.
pub fn ticket(message: &[u8]) -> Wire<&[u8]> {
    only(message, 1)
}

/// The expression of a `Criteria`.
pub fn criteria(message: &[u8]) -> Wire<&[u8]> {
    only(message, 1)
}

/// A `FlightDescriptor`: what somebody wants, or what they send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Descriptor<'a> {
    /// 1 where it is a path, 2 where it is a command.
    pub kind: u64,
    /// The command.
    pub command: &'a [u8],
    /// The segments of the path.
    pub path: Vec<&'a [u8]>,
}

impl<'a> Descriptor<'a> {
    /// A descriptor with a command.
    pub const COMMAND: u64 = 2;
    /// A descriptor with a path.
    pub const PATH: u64 = 1;

    /// Reads one.
    pub fn read(message: &'a [u8]) -> Wire<Self> {
        let (mut cursor, mut read) = (Cursor::new(message), Self::default());
        while !cursor.done() {
            let field = cursor.field()?;
            match field.number {
                1 => {
                    expect(&cursor, &field, VARINT)?;
                    read.kind = field.bits;
                }
                2 => {
                    expect(&cursor, &field, LEN)?;
                    read.command = field.bytes;
                }
                3 => {
                    expect(&cursor, &field, LEN)?;
                    read.path.push(field.bytes);
                }
                _ => {}
            }
        }
        Ok(read)
    }

    /// The descriptor of a path of one segment.
    pub fn of_path(segment: &str) -> Vec<u8> {
        let mut out = Writer::default();
        out.uint(1, Self::PATH);
        out.text(3, segment);
        out.finish()
    }
}

/// An `Action`: its name and what it is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Action<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// What it is given.
    pub body: &'a [u8],
}

impl<'a> Action<'a> {
    /// Reads one.
    pub fn read(message: &'a [u8]) -> Wire<Self> {
        Ok(Self { name: only(message, 1)?, body: only(message, 2)? })
    }
}

/// `FlightData`: a message of an IPC stream, and what is sent beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Data {
    /// What is sent, in the first message.
    pub descriptor: Block,
    /// The head of the message: a flatbuffer.
    pub head: Block,
    /// What the application adds.
    pub metadata: Block,
    /// The body of the message.
    pub body: Block,
}

const DATA_DESCRIPTOR: u32 = 1;
const DATA_HEAD: u32 = 2;
const DATA_METADATA: u32 = 3;
const DATA_BODY: u32 = 1000;

impl Data {
    /// Where the parts of one are.
    pub fn read(message: &[u8]) -> Wire<Self> {
        let (mut cursor, mut read) = (Cursor::new(message), Self::default());
        while !cursor.done() {
            let field = cursor.field()?;
            let part = match field.number {
                DATA_DESCRIPTOR => &mut read.descriptor,
                DATA_HEAD => &mut read.head,
                DATA_METADATA => &mut read.metadata,
                DATA_BODY => &mut read.body,
                _ => continue,
            };
            expect(&cursor, &field, LEN)?;
            let end = cursor.pos();
            *part = Block { start: end - field.bytes.len(), end };
        }
        Ok(read)
    }

    /// The beginning of one, up to its body of `body` bytes, which is sent behind it.
    pub fn begin(descriptor: &[u8], head: &[u8], metadata: &[u8], body: usize) -> Vec<u8> {
        let mut out = Writer::with_capacity(descriptor.len() + head.len() + metadata.len() + 32);
        out.bytes(DATA_DESCRIPTOR, descriptor);
        out.bytes(DATA_HEAD, head);
        out.bytes(DATA_METADATA, metadata);
        if body > 0 {
            out.head(DATA_BODY, body);
        }
        out.finish()
    }
}

/// A `FlightInfo` of a table that is had here, with one ticket.
#[derive(Clone, Copy, Debug)]
pub struct Info<'a> {
    /// The schema message of IPC, with its prefix.
    pub schema: &'a [u8],
    /// The descriptor that it is of.
    pub descriptor: &'a [u8],
    /// What is handed in for the rows.
    pub ticket: &'a [u8],
    /// How many rows there are; -1 where that is not known.
    pub records: i64,
    /// How many bytes they take on disk; -1 where that is not known.
    pub bytes: i64,
}

impl Info<'_> {
    /// As it is sent.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.bytes(1, self.schema);
        out.bytes(2, self.descriptor);
        out.nest(3, 2, |endpoint| {
            endpoint.nest(1, 2, |ticket| ticket.bytes(1, self.ticket));
        });
        out.uint_always(4, self.records.cast_unsigned());
        out.uint_always(5, self.bytes.cast_unsigned());
        out.finish()
    }
}

/// A `SchemaResult`, a `Result` of an action or a `PutResult`: a message with bytes in its first field.
pub fn holding(bytes: &[u8]) -> Vec<u8> {
    let mut out = Writer::with_capacity(bytes.len() + 8);
    out.bytes(1, bytes);
    out.finish()
}

/// An `ActionType`.
pub fn action_type(name: &str, text: &str) -> Vec<u8> {
    let mut out = Writer::default();
    out.text(1, name);
    out.text(2, text);
    out.finish()
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    /// The messages as Flight.proto has them.
    mod proto {
        #[derive(Clone, PartialEq, prost::Message)]
        pub(super) struct FlightDescriptor {
            #[prost(int32, tag = "1")]
            pub(super) r#type: i32,
            #[prost(bytes = "vec", tag = "2")]
            pub(super) cmd: Vec<u8>,
            #[prost(string, repeated, tag = "3")]
            pub(super) path: Vec<String>,
        }

        #[derive(Clone, PartialEq, prost::Message)]
        pub(super) struct FlightData {
            #[prost(message, optional, tag = "1")]
            pub(super) flight_descriptor: Option<FlightDescriptor>,
            #[prost(bytes = "vec", tag = "2")]
            pub(super) data_header: Vec<u8>,
            #[prost(bytes = "vec", tag = "3")]
            pub(super) app_metadata: Vec<u8>,
            #[prost(bytes = "vec", tag = "1000")]
            pub(super) data_body: Vec<u8>,
        }

        #[derive(Clone, PartialEq, prost::Message)]
        pub(super) struct Ticket {
            #[prost(bytes = "vec", tag = "1")]
            pub(super) ticket: Vec<u8>,
        }

        #[derive(Clone, PartialEq, prost::Message)]
        pub(super) struct FlightEndpoint {
            #[prost(message, optional, tag = "1")]
            pub(super) ticket: Option<Ticket>,
        }

        #[derive(Clone, PartialEq, prost::Message)]
        pub(super) struct FlightInfo {
            #[prost(bytes = "vec", tag = "1")]
            pub(super) schema: Vec<u8>,
            #[prost(message, optional, tag = "2")]
            pub(super) flight_descriptor: Option<FlightDescriptor>,
            #[prost(message, repeated, tag = "3")]
            pub(super) endpoint: Vec<FlightEndpoint>,
            #[prost(int64, tag = "4")]
            pub(super) total_records: i64,
            #[prost(int64, tag = "5")]
            pub(super) total_bytes: i64,
        }

        #[derive(Clone, PartialEq, prost::Message)]
        pub(super) struct Action {
            #[prost(string, tag = "1")]
            pub(super) r#type: String,
            #[prost(bytes = "vec", tag = "2")]
            pub(super) body: Vec<u8>,
        }
    }

    #[test]
    fn what_others_write_is_read() {
        let descriptor =
            proto::FlightDescriptor { r#type: 1, cmd: Vec::new(), path: vec!["traces".into(), "x".into()] };
        let bytes = descriptor.encode_to_vec();
        let read = Descriptor::read(&bytes).unwrap();
        assert_eq!((read.kind, read.path), (Descriptor::PATH, vec![&b"traces"[..], b"x"]));
        let data = proto::FlightData {
            flight_descriptor: Some(descriptor),
            data_header: vec![1; 300],
            app_metadata: b"key".to_vec(),
            data_body: vec![7; 70_000],
        };
        let message = data.encode_to_vec();
        let read = Data::read(&message).unwrap();
        assert_eq!(read.descriptor.of(&message), bytes);
        assert_eq!((read.head.of(&message), read.metadata.of(&message)), (&data.data_header[..], &b"key"[..]));
        assert_eq!(read.body.of(&message), data.data_body);
        let action = proto::Action { r#type: "flush".into(), body: b"{}".to_vec() }.encode_to_vec();
        assert_eq!(Action::read(&action).unwrap(), Action { name: b"flush", body: b"{}" });
        assert_eq!(ticket(&proto::Ticket { ticket: b"t".to_vec() }.encode_to_vec()).unwrap(), b"t");
        assert_eq!(Data::read(b"").unwrap(), Data::default());
    }

    #[test]
    fn what_is_written_others_read() {
        for body in [0, 1, 70_000] {
            let descriptor = Descriptor::of_path("logs");
            let mut message = Data::begin(&descriptor, b"head", b"meta", body);
            message.extend(vec![9; body]);
            let read = proto::FlightData::decode(&message[..]).unwrap();
            assert_eq!(read.flight_descriptor.unwrap().path, ["logs"]);
            assert_eq!((read.data_header.as_slice(), read.app_metadata.as_slice()), (&b"head"[..], &b"meta"[..]));
            assert_eq!(read.data_body, vec![9; body]);
        }
        let descriptor = Descriptor::of_path("logs");
        let info = Info { schema: b"schema", descriptor: &descriptor, ticket: b"{}", records: -1, bytes: 5 };
        let read = proto::FlightInfo::decode(&info.write()[..]).unwrap();
        assert_eq!((read.schema.as_slice(), read.total_records, read.total_bytes), (&b"schema"[..], -1, 5));
        assert_eq!(read.endpoint[0].ticket.as_ref().unwrap().ticket, b"{}");
        assert_eq!(proto::Ticket::decode(&holding(b"abc")[..]).unwrap().ticket, b"abc");
        let action = proto::Action::decode(&action_type("flush", "text")[..]).unwrap();
        assert_eq!((action.r#type.as_str(), action.body.as_slice()), ("flush", &b"text"[..]));
    }

    #[test]
    fn nothing_else_is_read() {
        // A varint where bytes are expected, a length beyond the end, field number 0, and no end.
        for message in [&b"\x08\x01"[..], b"\x0a\x09ab", b"\x00\x00", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"] {
            assert!(Data::read(message).is_err() && ticket(message).is_err(), "{message:?}");
            assert!(Action::read(message).is_err(), "{message:?}");
        }
        assert!(Descriptor::read(b"\x0a\x01a").is_err() && Descriptor::read(b"\x10\x01").is_err());
    }
}

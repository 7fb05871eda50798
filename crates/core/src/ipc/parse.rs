//! Reads message heads without believing any length in them.

use std::io;

use arrow_ipc::{Message, MessageHeader, Type};
use arrow_schema::{DataType, Field, Fields, Schema, TimeUnit};

use super::META_COMMIT;
use super::message::{ALIGNMENT, CONTINUATION, EMPTY_NOTE, NOTE_CRC, PREFIX};
use crate::store::storage::ReadFile;

/// More metadata than any schema of ours needs in one message.
const MAX_METADATA: usize = 4 << 20;

/// A file seen through a window that moves forward.
#[derive(Debug)]
pub(crate) struct Window<'a> {
    file: &'a dyn ReadFile,
    end: u64,
    start: u64,
    bytes: Vec<u8>,
    chunk: usize,
}

impl<'a> Window<'a> {
    /// A window of `chunk` bytes over the first `end` bytes of `file`.
    pub(crate) fn new(file: &'a dyn ReadFile, end: u64, chunk: usize) -> Self {
        Self { file, end, start: 0, bytes: Vec::new(), chunk }
    }

    /// Where the file ends for this window.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// `len` bytes at `at`, or `None` if they reach beyond the end. `len` must be bounded by the caller.
    pub(crate) fn get(&mut self, at: u64, len: usize) -> io::Result<Option<&[u8]>> {
        if at.checked_add(len as u64).is_none_or(|end| end > self.end) {
            return Ok(None);
        }
        let within = at.checked_sub(self.start).is_some_and(|skip| skip + len as u64 <= self.bytes.len() as u64);
        if !within {
            let want = (self.end - at).min(len.max(self.chunk) as u64) as usize;
            self.bytes.resize(want, 0);
            self.start = at;
            if let Err(error) = self.file.read_exact_at(at, &mut self.bytes) {
                self.bytes.clear();
                return match error.kind() {
                    // Cut shorter by somebody else meanwhile: the same as if it had ended there before.
                    io::ErrorKind::UnexpectedEof => Ok(None),
                    _ => Err(error),
                };
            }
        }
        let skip = (at - self.start) as usize;
        Ok(self.bytes.get(skip..skip + len))
    }

    /// Calls `each` with the bytes from `at` to `end` in pieces; `false` if they reach beyond the end.
    pub(crate) fn pieces(&mut self, mut at: u64, end: u64, mut each: impl FnMut(&[u8])) -> io::Result<bool> {
        while at < end {
            let len = (end - at).min(self.chunk as u64) as usize;
            let Some(piece) = self.get(at, len)? else { return Ok(false) };
            each(piece);
            at += len as u64;
        }
        Ok(true)
    }

    /// Whether a message begins at `at` and the file ends before it does.
    pub(crate) fn reaches_beyond(&mut self, at: u64) -> io::Result<bool> {
        let room = self.end.saturating_sub(at);
        if room < PREFIX as u64 {
            return Ok(room > 0);
        }
        let Some(len) = self.get(at, PREFIX)?.and_then(metadata_len) else { return Ok(false) };
        let Some(bytes) = self.get(at, PREFIX + len)? else { return Ok(true) };
        Ok(Head::parse(bytes).is_some_and(|head| head.total() > room))
    }

    /// The head of the message at `at`: its prefix and metadata, checked to be within the file together with its body.
    pub(crate) fn head(&mut self, at: u64) -> io::Result<Option<Head<'_>>> {
        let Some(prefix) = self.get(at, PREFIX)? else { return Ok(None) };
        let Some(len) = metadata_len(prefix) else { return Ok(None) };
        let room = self.end - at;
        let Some(bytes) = self.get(at, PREFIX + len)? else { return Ok(None) };
        Ok(Head::parse(bytes).filter(|head| head.total() <= room))
    }
}

fn metadata_len(prefix: &[u8]) -> Option<usize> {
    let (marker, len) = prefix.split_at_checked(4)?;
    let len = u32::from_le_bytes(len.get(..4)?.try_into().ok()?) as usize;
    (marker == CONTINUATION && len > 0 && len <= MAX_METADATA && len.is_multiple_of(ALIGNMENT)).then_some(len)
}

/// The numbers of a commit note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) first_row: u64,
    pub(crate) rows: u64,
    pub(crate) crc: u32,
}

impl Note {
    fn parse(text: &str) -> Option<Note> {
        if text.len() != EMPTY_NOTE.len() {
            return None;
        }
        let mut parts = text.split(',');
        let (first_row, rows, crc) = (parts.next()?, parts.next()?, parts.next()?);
        let note = Note {
            first_row: first_row.parse().ok()?,
            rows: rows.parse().ok()?,
            crc: u32::from_str_radix(crc, 16).ok()?,
        };
        // Only the one spelling we write.
        let same = format!("{:020},{:010},{:08x}", note.first_row, note.rows, note.crc) == text;
        (same && note.first_row.checked_add(note.rows).is_some()).then_some(note)
    }
}

/// The head of one message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    bytes: &'a [u8],
    /// What follows the prefix, verified.
    pub(crate) message: Message<'a>,
    /// Bytes of the body.
    pub(crate) body_len: u64,
    /// The commit note and where its checksum stands in the head, if there is one.
    pub(crate) note: Option<(Note, usize)>,
}

impl<'a> Head<'a> {
    /// The head at the start of `bytes`; what follows it does not matter.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Head<'a>> {
        let len = metadata_len(bytes.get(..PREFIX)?)?;
        let bytes = bytes.get(..PREFIX + len)?;
        let message = arrow_ipc::root_as_message(&bytes[PREFIX..]).ok()?;
        let body_len = u64::try_from(message.bodyLength()).ok()?;
        let mut note = None;
        for pair in message.custom_metadata().into_iter().flatten() {
            if pair.key() == Some(META_COMMIT) {
                let value = pair.value()?;
                let at = (value.as_ptr() as usize).checked_sub(bytes.as_ptr() as usize)?;
                note = Some((Note::parse(value)?, at + NOTE_CRC));
            }
        }
        (body_len.is_multiple_of(ALIGNMENT as u64)).then_some(Head { bytes, message, body_len, note })
    }

    /// Bytes of prefix and metadata.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes of the whole message, `u64::MAX` if they cannot be counted.
    pub(crate) fn total(&self) -> u64 {
        self.body_len.saturating_add(self.bytes.len() as u64)
    }

    /// Whether this is a schema, dictionary or record batch message.
    pub(crate) fn kind(&self) -> MessageHeader {
        self.message.header_type()
    }

    /// Continues `crc` over the head, with the digits of its own checksum as zeros.
    pub(crate) fn checksum(&self, crc: u32) -> u32 {
        match self.note {
            None => crc32c::crc32c_append(crc, self.bytes),
            Some((_, at)) => {
                let crc = crc32c::crc32c_append(crc, &self.bytes[..at]);
                let crc = crc32c::crc32c_append(crc, b"00000000");
                crc32c::crc32c_append(crc, &self.bytes[at + 8..])
            }
        }
    }
}

/// An entry of the metadata of a schema.
pub(crate) fn schema_entry(schema: arrow_ipc::Schema<'_>, key: &str) -> Option<String> {
    let mut pairs = schema.custom_metadata().into_iter().flatten();
    pairs.find(|pair| pair.key() == Some(key)).and_then(|pair| pair.value()).map(str::to_owned)
}

/// The schema, if it has only types that our files have.
pub(crate) fn schema(schema: arrow_ipc::Schema<'_>) -> Option<Schema> {
    let fields = schema.fields()?.iter().map(field).collect::<Option<Vec<_>>>()?;
    let metadata = schema.custom_metadata().into_iter().flatten();
    let metadata = metadata.filter_map(|pair| Some((pair.key()?.to_owned(), pair.value()?.to_owned()))).collect();
    Some(Schema::new_with_metadata(fields, metadata))
}

fn field(field: arrow_ipc::Field<'_>) -> Option<Field> {
    let mut data_type = value_type(field)?;
    if let Some(dictionary) = field.dictionary() {
        let index = dictionary.indexType()?;
        if index.bitWidth() != 32 || !index.is_signed() {
            return None;
        }
        data_type = DataType::Dictionary(Box::new(DataType::Int32), Box::new(data_type));
    }
    Some(Field::new(field.name()?, data_type, field.nullable()))
}

fn value_type(field: arrow_ipc::Field<'_>) -> Option<DataType> {
    let children = || match field.children() {
        Some(children) => children.iter().map(self::field).collect::<Option<Fields>>(),
        None => Some(Fields::empty()),
    };
    let only_child = || children().filter(|children| children.len() == 1).map(|children| children[0].clone());
    Some(match field.type_type() {
        Type::Bool => DataType::Boolean,
        Type::Utf8 => DataType::Utf8,
        Type::Binary => DataType::Binary,
        Type::Int => {
            let int = field.type_as_int()?;
            match (int.bitWidth(), int.is_signed()) {
                (8, true) => DataType::Int8,
                (16, true) => DataType::Int16,
                (32, true) => DataType::Int32,
                (64, true) => DataType::Int64,
                (8, false) => DataType::UInt8,
                (16, false) => DataType::UInt16,
                (32, false) => DataType::UInt32,
                (64, false) => DataType::UInt64,
                _ => return None,
            }
        }
        Type::FloatingPoint => match field.type_as_floating_point()?.precision() {
            arrow_ipc::Precision::SINGLE => DataType::Float32,
            arrow_ipc::Precision::DOUBLE => DataType::Float64,
            _ => return None,
        },
        Type::FixedSizeBinary => {
            let width = field.type_as_fixed_size_binary()?.byteWidth();
            DataType::FixedSizeBinary((width > 0).then_some(width)?)
        }
        Type::Timestamp => {
            let timestamp = field.type_as_timestamp()?;
            let unit = match timestamp.unit() {
                arrow_ipc::TimeUnit::SECOND => TimeUnit::Second,
                arrow_ipc::TimeUnit::MILLISECOND => TimeUnit::Millisecond,
                arrow_ipc::TimeUnit::MICROSECOND => TimeUnit::Microsecond,
                arrow_ipc::TimeUnit::NANOSECOND => TimeUnit::Nanosecond,
                _ => return None,
            };
            DataType::Timestamp(unit, timestamp.timezone().map(Into::into))
        }
        Type::List => DataType::List(only_child()?),
        Type::Struct_ => DataType::Struct(children()?),
        Type::Map => {
            let entries = only_child()?;
            let pairs = matches!(entries.data_type(), DataType::Struct(fields) if fields.len() == 2);
            DataType::Map(pairs.then_some(entries)?, field.type_as_map()?.keysSorted())
        }
        _ => return None,
    })
}

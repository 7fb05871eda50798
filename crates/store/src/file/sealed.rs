//! The sealed form: an IPC file with one dictionary a column and a checksum in every message.

use std::io;

use arrow_buffer::ToByteSlice;
use arrow_ipc::convert::IpcSchemaEncoder;
use arrow_ipc::writer::DictionaryTracker;
use arrow_ipc::{Block, FooterArgs, KeyValueArgs, MetadataVersion};
use arrow_schema::Schema;
use flatbuffers::FlatBufferBuilder;

use super::commit::{dictionary_templates, write_note};
use super::compress::Compressor;
use super::error::{ReadError, damaged};
use super::frame::{ALIGNMENT, CONTINUATION};
use super::head::Head;
use super::keys::{self, Dated};
use super::layout::shapes;
use super::merge::Merger;
use super::message::{Form, MessageWriter, Placed, Template, schema_message};
use super::metadata::{META_KEYS, META_SCHEMA};
use super::output::Output;
use super::parse;
use super::scan::MAGIC;
use super::window::Window;
use crate::disk::failpoint::Point;
use crate::disk::storage::{ReadFile, WriteFile};
use otlp_arrow_base::error::{OtlpError, Result};

/// Bytes behind the footer: its length and the magic.
const TRAILER: usize = 10;
/// More than the footer of any file of ours takes.
const MAX_FOOTER: usize = 64 << 20;

/// Writes one sealed file, batch by batch. All batches share the dictionaries of the first.
pub(crate) struct SealedWriter {
    file: Box<dyn WriteFile>,
    schema: Schema,
    at: u64,
    rows: u64,
    batch: Template,
    dictionary_templates: Vec<(usize, Template)>,
    dictionaries: Vec<Block>,
    batches: Vec<Block>,
    zstd: Option<Compressor>,
    out: Output,
}

/// Why a sealed file could not be written.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// The disk.
    Io(io::Error),
    /// Anything else.
    Other(ReadError),
}

impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> Self {
        WriteError::Io(error)
    }
}

impl From<ReadError> for WriteError {
    fn from(error: ReadError) -> Self {
        WriteError::Other(error)
    }
}

impl From<OtlpError> for WriteError {
    fn from(error: OtlpError) -> Self {
        WriteError::Other(error.into())
    }
}

impl SealedWriter {
    /// A writer to the empty `file`; `level` is that of zstd, `None` leaves buffers as they are.
    pub(crate) fn new(file: Box<dyn WriteFile>, schema: &Schema, level: Option<i32>) -> Result<Self> {
        let shapes = shapes(schema)?;
        let zstd = level.map(Compressor::new).transpose()?;
        let form = Form { note: true, zstd: zstd.is_some(), ..Form::default() };
        let mut out = Output::default();
        out.extend(MAGIC);
        out.align(ALIGNMENT);
        out.extend(&schema_message(schema));
        Ok(Self {
            file,
            at: 0,
            rows: 0,
            batch: Template::new(&shapes, form)?,
            dictionary_templates: dictionary_templates(&shapes, form)?,
            schema: schema.clone(),
            dictionaries: Vec::new(),
            batches: Vec::new(),
            zstd,
            out,
        })
    }

    /// Appends the rows that `merged` holds, at least one, and leaves it empty.
    pub(crate) fn write(&mut self, merged: &mut Merger) -> Result<(), WriteError> {
        if self.batches.is_empty() {
            if merged.dictionaries().len() != self.dictionary_templates.len() {
                return Err(damaged("a stream without all of its dictionaries").into());
            }
            for (values, (_, template)) in merged.dictionaries().iter().zip(&self.dictionary_templates) {
                let start = self.out.len();
                let mut message = MessageWriter::new(&mut self.out, template, self.zstd.as_mut());
                message.node(values.len(), 0);
                message.bytes(&[])?;
                let offsets = values.offsets();
                message.bytes(if offsets.is_empty() { &[0; size_of::<i32>()] } else { offsets.to_byte_slice() })?;
                message.bytes(values.text())?;
                let placed = message.finish(values.len());
                self.dictionaries.push(block(self.at, start, placed));
                note(&mut self.out.own, start, placed, 0, values.len());
            }
        }
        let (start, rows) = (self.out.len(), merged.rows());
        let mut message = MessageWriter::new(&mut self.out, &self.batch, self.zstd.as_mut());
        merged.write(&mut message)?;
        let placed = message.finish(rows);
        self.batches.push(block(self.at, start, placed));
        note(&mut self.out.own, start, placed, self.rows, rows);
        self.rows += rows as u64;
        Ok(self.put()?)
    }

    fn put(&mut self) -> io::Result<()> {
        Point::SealWrite.around(|| self.file.append(&self.out.own))?;
        self.at += self.out.len() as u64;
        self.out.clear(usize::MAX);
        Ok(())
    }

    /// Writes the footer, with the keys of the batches, and makes the file survive a power cut; returns its length.
    pub(crate) fn finish(mut self, keys: &str) -> Result<u64, WriteError> {
        // What readers of the file as a stream take for its end.
        self.out.extend(&CONTINUATION);
        self.out.extend(&[0; 4]);
        let mut fbb = FlatBufferBuilder::new();
        let mut ids = DictionaryTracker::new(false);
        let mut encoder = IpcSchemaEncoder::new().with_dictionary_tracker(&mut ids);
        let schema = encoder.schema_to_fb_offset(&mut fbb, &self.schema);
        let dictionaries = fbb.create_vector(&self.dictionaries);
        let batches = fbb.create_vector(&self.batches);
        let custom_metadata = (!keys.is_empty()).then(|| {
            let (key, value) = (fbb.create_string(META_KEYS), fbb.create_string(keys));
            let pair = arrow_ipc::KeyValue::create(&mut fbb, &KeyValueArgs { key: Some(key), value: Some(value) });
            fbb.create_vector(&[pair])
        });
        let footer = arrow_ipc::Footer::create(
            &mut fbb,
            &FooterArgs {
                version: MetadataVersion::V5,
                schema: Some(schema),
                dictionaries: Some(dictionaries),
                recordBatches: Some(batches),
                custom_metadata,
            },
        );
        fbb.finish(footer, None);
        let footer = fbb.finished_data();
        self.out.extend(footer);
        self.out.extend(&(footer.len() as u32).to_le_bytes());
        self.out.extend(MAGIC);
        self.put()?;
        Point::SealSync.around(|| self.file.sync())?;
        Ok(self.at)
    }
}

fn block(at: u64, start: usize, placed: Placed) -> Block {
    Block::new((at + start as u64) as i64, placed.metadata_len as i32, placed.body_len as i64)
}

fn note(out: &mut [u8], start: usize, placed: Placed, first_row: u64, rows: usize) {
    if let Some(at) = placed.note {
        write_note(&mut out[start..], at - start, first_row, rows);
    }
}

/// Where a message of a sealed file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) offset: u64,
    pub(crate) len: u64,
    /// Number of its first row.
    pub(crate) first_row: u64,
    /// Its rows, or values of a dictionary.
    pub(crate) rows: u64,
}

/// What the footer and the message heads of a sealed file say.
#[derive(Clone, Debug)]
pub(crate) struct Contents {
    pub(crate) schema: Schema,
    pub(crate) dictionaries: Vec<Place>,
    pub(crate) batches: Vec<Place>,
}

impl Contents {
    /// Rows of all batches.
    pub(crate) fn rows(&self) -> u64 {
        self.batches.last().map_or(0, |last| last.first_row + last.rows)
    }

    /// Reads them; `None` if `file` is not a complete sealed file of ours.
    pub(crate) fn read(file: &dyn ReadFile) -> io::Result<Option<Contents>> {
        let mut window = Window::new(file, file.len()?, 4 << 10);
        let Some(footer) = footer(&mut window)? else { return Ok(None) };
        let Some(schema) = footer.schema().and_then(parse::schema) else { return Ok(None) };
        let places = |blocks: Option<flatbuffers::Vector<'_, Block>>| -> Option<Vec<Place>> {
            let place = |block: &Block| {
                let head = u64::try_from(block.metaDataLength()).ok()?;
                let len = u64::try_from(block.bodyLength()).ok()?.checked_add(head)?;
                Some(Place { offset: u64::try_from(block.offset()).ok()?, len, first_row: 0, rows: 0 })
            };
            blocks.into_iter().flatten().map(place).collect()
        };
        let (Some(mut dictionaries), Some(mut batches)) =
            (places(footer.dictionaries()), places(footer.recordBatches()))
        else {
            return Ok(None);
        };
        for place in &mut dictionaries {
            if !describe(&mut window, place)? {
                return Ok(None);
            }
        }
        let mut row = 0;
        for place in &mut batches {
            if !describe(&mut window, place)? || place.first_row != row || place.rows == 0 {
                return Ok(None);
            }
            row += place.rows;
        }
        Ok(Some(Contents { schema, dictionaries, batches }))
    }

    /// Whether the checksum of every message holds.
    pub(crate) fn verify(&self, file: &dyn ReadFile) -> io::Result<bool> {
        let mut window = Window::new(file, file.len()?, 256 << 10);
        for place in self.dictionaries.iter().chain(&self.batches) {
            let Some(head) = window.head(place.offset)? else { return Ok(false) };
            let Some((note, _)) = head.note else { return Ok(false) };
            let (mut crc, body) = (head.checksum(0), place.offset + head.len() as u64);
            if !window.pieces(body, place.offset + place.len, |piece| crc = crc32c::crc32c_append(crc, piece))?
                || crc != note.crc
            {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The keys of the batches in a sealed file; none where it has no footer.
pub(crate) fn keys(file: &dyn ReadFile) -> io::Result<Vec<Dated>> {
    let mut window = Window::new(file, file.len()?, 4 << 10);
    let Some(footer) = footer(&mut window)? else { return Ok(Vec::new()) };
    let mut pairs = footer.custom_metadata().into_iter().flatten();
    let text = pairs.find(|pair| pair.key() == Some(META_KEYS)).and_then(|pair| pair.value());
    Ok(text.map(|text| keys::read(text.as_bytes())).unwrap_or_default())
}

/// The footer of the file, if it has one.
fn footer<'w>(window: &'w mut Window<'_>) -> io::Result<Option<arrow_ipc::Footer<'w>>> {
    let Some(footer_end) = window.end().checked_sub(TRAILER as u64) else { return Ok(None) };
    if window.get(0, MAGIC.len())?.is_none_or(|start| start != MAGIC) {
        return Ok(None);
    }
    let Some(trailer) = window.get(footer_end, TRAILER)? else { return Ok(None) };
    let footer_len = u32::from_le_bytes([trailer[0], trailer[1], trailer[2], trailer[3]]) as usize;
    if !trailer.ends_with(MAGIC) || footer_len > MAX_FOOTER {
        return Ok(None);
    }
    let Some(start) = footer_end.checked_sub(footer_len as u64) else { return Ok(None) };
    let Some(footer) = window.get(start, footer_len)? else { return Ok(None) };
    Ok(arrow_ipc::root_as_footer(footer).ok())
}

/// The storage schema that the footer names, such as `1`.
pub(crate) fn version(file: &dyn ReadFile) -> io::Result<Option<String>> {
    let mut window = Window::new(file, file.len()?, 4 << 10);
    Ok(footer(&mut window)?.and_then(|footer| parse::schema_entry(footer.schema()?, META_SCHEMA)))
}

fn describe(window: &mut Window<'_>, place: &mut Place) -> io::Result<bool> {
    let Some(head) = window.head(place.offset)? else { return Ok(false) };
    let Some((note, _)) = head.note else { return Ok(false) };
    (place.first_row, place.rows) = (note.first_row, note.rows);
    Ok(i64::try_from(note.rows) == Ok(head.rows)
        && head.total() == place.len
        && place.offset.is_multiple_of(ALIGNMENT as u64))
}

/// The message at `place`, read into `bytes` and checked against its checksum: its head and its body.
pub(crate) fn load<'a>(
    file: &dyn ReadFile,
    place: &Place,
    bytes: &'a mut Vec<u8>,
) -> io::Result<Option<(Head<'a>, &'a [u8])>> {
    let Ok(len) = usize::try_from(place.len) else { return Ok(None) };
    bytes.resize(len, 0);
    file.read_exact_at(place.offset, bytes)?;
    let Some(head) = Head::parse(bytes) else { return Ok(None) };
    let body = bytes.get(head.len()..).unwrap_or_default();
    let crc = crc32c::crc32c_append(head.checksum(0), body);
    let holds = head.total() == place.len && head.note.is_some_and(|(note, _)| note.crc == crc);
    Ok(holds.then_some((head, body)))
}

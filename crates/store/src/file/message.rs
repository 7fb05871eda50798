//! Record batch and dictionary messages from a template: for one schema only numbers differ from message to message.

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, downcast_primitive_array};
use arrow_buffer::{Buffer as Bytes, NullBuffer, OffsetBuffer};
use arrow_ipc::convert::IpcSchemaEncoder;
use arrow_ipc::writer::DictionaryTracker;
use arrow_ipc::{
    BodyCompressionArgs, BodyCompressionMethod, Buffer, CompressionType, DictionaryBatchArgs, FieldNode, KeyValueArgs,
    MessageArgs, MessageHeader, MetadataVersion, RecordBatchArgs,
};
use arrow_schema::{DataType, Schema};
use flatbuffers::FlatBufferBuilder;

use super::compress::Compressor;
use super::frame::{ALIGNMENT, CONTINUATION, EMPTY_NOTE, PREFIX};
use super::head::Layout;
use super::layout::Shape;
use super::output::Output;
use otlp_arrow_base::error::{Code, OtlpError, Result};

// Flatbuffers leave out a field that is zero, and what is not there cannot be patched.
const PLACEHOLDER: i64 = i64::MAX;

/// What a template is for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Form {
    /// A dictionary message with this id instead of a record batch message.
    pub(crate) dictionary: Option<i64>,
    /// Carries [`super::META_COMMIT`].
    pub(crate) note: bool,
    /// Buffers are zstd frames.
    pub(crate) zstd: bool,
    /// Carries [`super::META_KEYS`] of so many bytes, if of any.
    pub(crate) keys: usize,
}

/// The metadata of a message with its prefix, and where its numbers are.
#[derive(Debug)]
pub(crate) struct Template {
    bytes: Vec<u8>,
    body_len: usize,
    rows: usize,
    nodes: usize,
    buffers: usize,
    note: Option<usize>,
    keys: Option<usize>,
}

impl Template {
    /// The template of messages for columns of these shapes.
    pub(crate) fn new<'a>(shapes: impl IntoIterator<Item = &'a Shape>, form: Form) -> Result<Template> {
        let (nodes, buffers) = shapes
            .into_iter()
            .fold((0, 0), |(nodes, buffers), shape| (nodes + shape.nodes(), buffers + shape.buffers()));
        let bytes = framed(&metadata(nodes, buffers, form));
        Self::locate(bytes).ok_or_else(|| OtlpError::new(Code::Internal, "an IPC message template is incomplete"))
    }

    fn locate(bytes: Vec<u8>) -> Option<Template> {
        let Layout { body_len, rows, nodes, buffers, note, keys, .. } = Layout::of(&bytes)?;
        let (body_len, rows) = (body_len?, rows?);
        Some(Template {
            body_len,
            rows,
            nodes: nodes.start,
            buffers: buffers.start,
            note,
            keys: keys.map(|keys| keys.start),
            bytes,
        })
    }
}

/// Metadata with its prefix, padded so that the body behind it is aligned.
pub(crate) fn framed(metadata: &[u8]) -> Vec<u8> {
    let padded = metadata.len().next_multiple_of(ALIGNMENT);
    let mut bytes = Vec::with_capacity(PREFIX + padded);
    bytes.extend_from_slice(&CONTINUATION);
    bytes.extend_from_slice(&(padded as u32).to_le_bytes());
    bytes.extend_from_slice(metadata);
    bytes.resize(PREFIX + padded, 0);
    bytes
}

fn metadata(nodes: usize, buffers: usize, form: Form) -> Vec<u8> {
    let mut fbb = FlatBufferBuilder::new();
    let custom_metadata = form.note.then(|| {
        let keys = "0".repeat(form.keys);
        let pairs = [(super::META_COMMIT, EMPTY_NOTE), (super::META_KEYS, &keys)];
        let pairs: Vec<_> = pairs
            .into_iter()
            .take(if form.keys > 0 { 2 } else { 1 })
            .map(|(key, value)| {
                let (key, value) = (fbb.create_string(key), fbb.create_string(value));
                arrow_ipc::KeyValue::create(&mut fbb, &KeyValueArgs { key: Some(key), value: Some(value) })
            })
            .collect();
        fbb.create_vector(&pairs)
    });
    let compression = form.zstd.then(|| {
        let args = BodyCompressionArgs { codec: CompressionType::ZSTD, method: BodyCompressionMethod::BUFFER };
        arrow_ipc::BodyCompression::create(&mut fbb, &args)
    });
    let nodes = fbb.create_vector(&vec![FieldNode::new(0, 0); nodes]);
    let buffers = fbb.create_vector(&vec![Buffer::new(0, 0); buffers]);
    let batch = arrow_ipc::RecordBatch::create(
        &mut fbb,
        &RecordBatchArgs {
            length: PLACEHOLDER,
            nodes: Some(nodes),
            buffers: Some(buffers),
            compression,
            variadicBufferCounts: None,
        },
    );
    let (header_type, header) = match form.dictionary {
        None => (MessageHeader::RecordBatch, batch.as_union_value()),
        Some(id) => {
            let args = DictionaryBatchArgs { id, data: Some(batch), isDelta: false };
            let dictionary = arrow_ipc::DictionaryBatch::create(&mut fbb, &args);
            (MessageHeader::DictionaryBatch, dictionary.as_union_value())
        }
    };
    let message = arrow_ipc::Message::create(
        &mut fbb,
        &MessageArgs {
            version: MetadataVersion::V5,
            header_type,
            header: Some(header),
            bodyLength: PLACEHOLDER,
            custom_metadata,
        },
    );
    fbb.finish(message, None);
    fbb.finished_data().to_vec()
}

/// The schema message of `schema`, framed. Its dictionaries are numbered in column order from 0.
pub(crate) fn schema_message(schema: &Schema) -> Vec<u8> {
    let mut fbb = FlatBufferBuilder::new();
    let mut ids = DictionaryTracker::new(false);
    let schema = IpcSchemaEncoder::new().with_dictionary_tracker(&mut ids).schema_to_fb_offset(&mut fbb, schema);
    let message = arrow_ipc::Message::create(
        &mut fbb,
        &MessageArgs {
            version: MetadataVersion::V5,
            header_type: MessageHeader::Schema,
            header: Some(schema.as_union_value()),
            bodyLength: 0,
            custom_metadata: None,
        },
    );
    fbb.finish(message, None);
    framed(fbb.finished_data())
}

/// Where a message went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    /// Position of the commit note, if the message has one.
    pub(crate) note: Option<usize>,
    /// Position of the keys, if the message has any.
    pub(crate) keys: Option<usize>,
    /// Bytes of prefix and metadata.
    pub(crate) metadata_len: usize,
    /// Bytes of the body.
    pub(crate) body_len: usize,
}

/// Writes one message behind what `out` holds: the template first, then the bodies, numbers patched as they are known.
pub(crate) struct MessageWriter<'a> {
    out: &'a mut Output,
    template: &'a Template,
    zstd: Option<&'a mut Compressor>,
    /// Bytes before the body.
    body: usize,
    /// Where the template is among the bytes that `out` wrote itself.
    start: usize,
    next_node: usize,
    next_buffer: usize,
}

impl<'a> MessageWriter<'a> {
    /// Starts a message; with `zstd` each buffer becomes a frame of its own where that is smaller.
    pub(crate) fn new(out: &'a mut Output, template: &'a Template, zstd: Option<&'a mut Compressor>) -> Self {
        let start = out.own.len();
        out.extend(&template.bytes);
        let (next_node, next_buffer) = (start + template.nodes, start + template.buffers);
        Self { body: out.len(), next_node, next_buffer, out, template, zstd, start }
    }

    /// Ends the message.
    pub(crate) fn finish(self, rows: usize) -> Placed {
        let body_len = self.body_len();
        put(&mut self.out.own, self.start + self.template.body_len, body_len);
        put(&mut self.out.own, self.start + self.template.rows, rows);
        Placed {
            note: self.template.note.map(|note| self.start + note),
            keys: self.template.keys.map(|keys| self.start + keys),
            metadata_len: self.template.bytes.len(),
            body_len,
        }
    }

    fn body_len(&self) -> usize {
        self.out.len() - self.body
    }

    /// Appends a column and what is below it.
    pub(crate) fn array(&mut self, array: &dyn Array) -> Result<()> {
        let data_type = array.data_type();
        self.node(array.len(), array.null_count());
        self.validity(array.nulls());
        downcast_primitive_array! {
            array => self.buffer(array.values().inner()),
            DataType::Boolean => self.buffer(&array.as_boolean().values().sliced()),
            DataType::Utf8 => {
                let array = array.as_string::<i32>();
                self.text(array.offsets(), array.values());
            }
            DataType::Binary => {
                let array = array.as_binary::<i32>();
                self.text(array.offsets(), array.values());
            }
            DataType::FixedSizeBinary(_) => {
                let array = array.as_fixed_size_binary();
                let len = array.len() * array.value_size();
                self.buffer(&part(array.values(), 0, len));
            }
            DataType::List(_) => {
                let array = array.as_list::<i32>();
                self.child(array.offsets(), array.values().as_ref())?;
            }
            DataType::Map(_, _) => {
                let array = array.as_map();
                self.child(array.offsets(), array.entries())?;
            }
            DataType::Struct(_) => {
                for column in array.as_struct().columns() {
                    self.array(column.as_ref())?;
                }
            }
            DataType::Dictionary(_, _) => match array.as_dictionary_opt::<Int32Type>() {
                Some(array) => self.buffer(array.keys().values().inner()),
                None => return Err(mismatch(data_type)),
            },
            _ => return Err(mismatch(data_type)),
        }
        Ok(())
    }

    /// Begins an array.
    pub(crate) fn node(&mut self, len: usize, nulls: usize) {
        put(&mut self.out.own, self.next_node, len);
        put(&mut self.out.own, self.next_node + 8, nulls);
        self.next_node += size_of::<FieldNode>();
    }

    fn validity(&mut self, nulls: Option<&NullBuffer>) {
        match nulls.filter(|nulls| nulls.null_count() > 0) {
            Some(nulls) => self.buffer(&nulls.inner().sliced()),
            None => self.buffer(&Bytes::default()),
        }
    }

    fn text(&mut self, offsets: &OffsetBuffer<i32>, values: &Bytes) {
        let (first, last) = self.offsets(offsets);
        self.buffer(&part(values, first, last));
    }

    fn child(&mut self, offsets: &OffsetBuffer<i32>, child: &dyn Array) -> Result<()> {
        let (first, last) = self.offsets(offsets);
        if first == 0 && last == child.len() {
            self.array(child)
        } else {
            self.array(child.slice(first, last - first).as_ref())
        }
    }

    // What a slice left out is not written: its offsets start at 0 again.
    fn offsets(&mut self, offsets: &OffsetBuffer<i32>) -> (usize, usize) {
        let (first, last) = (offsets[0], offsets[offsets.len() - 1]);
        if first == 0 {
            self.buffer(offsets.inner().inner());
        } else {
            let rebased: Vec<u8> = offsets.iter().flat_map(|offset| (offset - first).to_le_bytes()).collect();
            self.buffer(&rebased.into());
        }
        (first as usize, last as usize)
    }

    // Large buffers are pointed at, so none of them is compressed.
    fn buffer(&mut self, bytes: &Bytes) {
        debug_assert!(self.zstd.is_none(), "columns of a compressed message are appended by `bytes`");
        let at = self.body_len();
        self.out.push(bytes);
        self.end_buffer(at);
    }

    /// Appends a buffer, compressed if that is what was asked for.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        let at = self.body_len();
        match &mut self.zstd {
            Some(zstd) if !bytes.is_empty() => zstd.append(bytes, &mut self.out.own)?,
            _ => self.out.extend(bytes),
        }
        self.end_buffer(at);
        Ok(())
    }

    /// Appends a buffer as `append` writes it, behind what is there.
    pub(crate) fn plain(&mut self, append: impl FnOnce(&mut Vec<u8>)) {
        let at = self.body_len();
        append(&mut self.out.own);
        self.end_buffer(at);
    }

    fn end_buffer(&mut self, at: usize) {
        let len = self.body_len() - at;
        put(&mut self.out.own, self.next_buffer, at);
        put(&mut self.out.own, self.next_buffer + 8, len);
        self.next_buffer += size_of::<Buffer>();
        self.out.align(ALIGNMENT);
    }
}

/// The bytes from `first` to before `last`; none if there are not so many.
fn part(bytes: &Bytes, first: usize, last: usize) -> Bytes {
    match bytes.get(first..last) {
        Some(_) => bytes.slice_with_length(first, last - first),
        None => Bytes::default(),
    }
}

fn put(out: &mut [u8], at: usize, value: usize) {
    out[at..at + 8].copy_from_slice(&(value as u64).to_le_bytes());
}

fn mismatch(data_type: &DataType) -> OtlpError {
    OtlpError::new(Code::Internal, format!("a column of type {data_type} cannot be written to a file"))
}

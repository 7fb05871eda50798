//! Messages of an Arrow IPC stream, written from the buffers of columns.

use arrow_ipc::convert::IpcSchemaEncoder;
use arrow_ipc::writer::DictionaryTracker;
use arrow_ipc::{
    BodyCompressionArgs, BodyCompressionMethod, Buffer, CompressionType, DictionaryBatchArgs, FieldNode, MessageArgs,
    MessageHeader, MetadataVersion, RecordBatchArgs,
};
use arrow_schema::Schema;
use flatbuffers::{FlatBufferBuilder, UnionWIPOffset, WIPOffset};

/// Every message and every buffer begins at a multiple of it.
const ALIGNMENT: usize = 8;
/// Shorter buffers are not worth a frame of their own.
const WORTH_COMPRESSING: usize = 64;
/// What stands before a buffer that is in a compressed body and is not compressed itself.
const NOT_COMPRESSED: i64 = -1;

/// Writes messages; what it needs for one is kept for the next.
pub(super) struct Messages {
    metadata: FlatBufferBuilder<'static>,
    body: Vec<u8>,
    nodes: Vec<FieldNode>,
    buffers: Vec<Buffer>,
    zstd: Option<zstd::bulk::Compressor<'static>>,
}

/// What a message carries beside its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The rows of a table.
    Batch,
    /// Values of the dictionary of this number: behind those that are known, or instead of them.
    Dictionary { id: i64, delta: bool },
}

impl Messages {
    /// With a level of zstd buffers are frames of their own, where that is smaller.
    pub(super) fn new(level: Option<i32>) -> Self {
        // Without a compressor, which only a lack of memory prevents, buffers stay as they are.
        let zstd = level.and_then(|level| zstd::bulk::Compressor::new(level).ok());
        let (metadata, body) = (FlatBufferBuilder::new(), Vec::new());
        Self { metadata, body, nodes: Vec::new(), buffers: Vec::new(), zstd }
    }

    /// Begins an array.
    pub(super) fn node(&mut self, len: usize, nulls: usize) {
        self.nodes.push(FieldNode::new(len as i64, nulls as i64));
    }

    /// Appends a buffer.
    pub(super) fn buffer(&mut self, bytes: &[u8]) {
        let at = self.body.len();
        if !bytes.is_empty() && self.zstd.is_some() {
            self.packed(bytes);
        } else {
            self.body.extend_from_slice(bytes);
        }
        self.buffers.push(Buffer::new(at as i64, (self.body.len() - at) as i64));
        self.body.resize(self.body.len().next_multiple_of(ALIGNMENT), 0);
    }

    fn packed(&mut self, bytes: &[u8]) {
        let at = self.body.len();
        let start = at + size_of::<i64>();
        if let Some(zstd) = self.zstd.as_mut().filter(|_| bytes.len() >= WORTH_COMPRESSING) {
            self.body.extend_from_slice(&(bytes.len() as i64).to_le_bytes());
            // A frame that does not fit into less than the buffer is not wanted.
            self.body.resize(start + bytes.len(), 0);
            if let Ok(len) = zstd.compress_to_buffer(bytes, &mut self.body[start..]) {
                self.body.truncate(start + len);
                return;
            }
            self.body.truncate(at);
        }
        self.body.extend_from_slice(&NOT_COMPRESSED.to_le_bytes());
        self.body.extend_from_slice(bytes);
    }

    /// Appends to `out` the message of the arrays that were begun since the last one.
    pub(super) fn end(&mut self, rows: usize, kind: Kind, out: &mut Vec<u8>) {
        let fbb = &mut self.metadata;
        fbb.reset();
        let compression = self.zstd.is_some().then(|| {
            let args = BodyCompressionArgs { codec: CompressionType::ZSTD, method: BodyCompressionMethod::BUFFER };
            arrow_ipc::BodyCompression::create(fbb, &args)
        });
        let nodes = Some(fbb.create_vector(&self.nodes));
        let buffers = Some(fbb.create_vector(&self.buffers));
        let args = RecordBatchArgs { length: rows as i64, nodes, buffers, compression, variadicBufferCounts: None };
        let batch = arrow_ipc::RecordBatch::create(fbb, &args);
        let (header_type, header) = match kind {
            Kind::Batch => (MessageHeader::RecordBatch, batch.as_union_value()),
            Kind::Dictionary { id, delta } => {
                let args = DictionaryBatchArgs { id, data: Some(batch), isDelta: delta };
                (MessageHeader::DictionaryBatch, arrow_ipc::DictionaryBatch::create(fbb, &args).as_union_value())
            }
        };
        message(fbb, header_type, header, self.body.len(), out);
        out.extend_from_slice(&self.body);
        self.forget();
    }

    /// Forgets the arrays that were begun.
    pub(super) fn forget(&mut self) {
        self.body.clear();
        self.nodes.clear();
        self.buffers.clear();
    }

    /// Appends a schema message to `out`. Its dictionaries are numbered from 0, depth first.
    pub(super) fn schema(&mut self, schema: &Schema, out: &mut Vec<u8>) {
        let fbb = &mut self.metadata;
        fbb.reset();
        let mut ids = DictionaryTracker::new(false);
        let schema = IpcSchemaEncoder::new().with_dictionary_tracker(&mut ids).schema_to_fb_offset(fbb, schema);
        message(fbb, MessageHeader::Schema, schema.as_union_value(), 0, out);
    }
}

fn message(
    fbb: &mut FlatBufferBuilder<'_>,
    header_type: MessageHeader,
    header: WIPOffset<UnionWIPOffset>,
    body: usize,
    out: &mut Vec<u8>,
) {
    let args = MessageArgs {
        version: MetadataVersion::V5,
        header_type,
        header: Some(header),
        bodyLength: body as i64,
        custom_metadata: None,
    };
    let message = arrow_ipc::Message::create(fbb, &args);
    fbb.finish(message, None);
    let metadata = fbb.finished_data();
    let padded = metadata.len().next_multiple_of(ALIGNMENT);
    out.extend_from_slice(&[0xff; 4]);
    out.extend_from_slice(&(padded as u32).to_le_bytes());
    out.extend_from_slice(metadata);
    out.resize(out.len() + padded - metadata.len(), 0);
}

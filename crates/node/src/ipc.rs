//! Arrow IPC that lies in memory, a stream or a file, batch by batch.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::reader::{FileDecoder, StreamDecoder, read_footer_length};
use arrow_ipc::{Block, convert::fb_to_schema, root_as_footer};
use arrow_schema::ArrowError;
use otlp_arrow::{Code, OtlpError};

/// What a file begins and ends with.
const MAGIC: &[u8] = b"ARROW1";

/// The batches of a stream or file. Memory is taken as they are read, and for no length that is only claimed.
pub(crate) struct Batches(Source);

enum Source {
    Stream(StreamDecoder, Buffer),
    File { decoder: FileDecoder, bytes: Buffer, blocks: VecDeque<Block> },
    End,
}

impl Batches {
    pub(crate) fn of(bytes: Buffer) -> otlp_arrow::Result<Self> {
        if !bytes.starts_with(MAGIC) {
            return Ok(Self(Source::Stream(StreamDecoder::new(), bytes)));
        }
        guarded(|| file(bytes)).map(Self)
    }
}

impl Iterator for Batches {
    type Item = otlp_arrow::Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = match &mut self.0 {
            Source::Stream(decoder, rest) => guarded(|| match decoder.decode(rest)? {
                Some(batch) => Ok(Some(batch)),
                None => end_of(decoder),
            }),
            Source::File { decoder, bytes, blocks } => {
                let block = blocks.pop_front()?;
                guarded(|| decoder.read_record_batch(&block, &part(bytes, &block)?))
            }
            Source::End => return None,
        };
        if !matches!(next, Ok(Some(_))) {
            self.0 = Source::End;
        }
        next.transpose()
    }
}

/// The stream must have had a schema, and must not end within a message.
fn end_of(decoder: &mut StreamDecoder) -> Result<Option<RecordBatch>, ArrowError> {
    decoder.finish()?;
    match decoder.schema() {
        Some(_) => Ok(None),
        None => Err(ArrowError::IpcError("it ends before its schema".into())),
    }
}

/// Reads the footer and the dictionaries.
fn file(bytes: Buffer) -> Result<Source, ArrowError> {
    const TRAILER: usize = 10;
    let short = || ArrowError::IpcError("the file ends before its footer".into());
    let end = bytes.len().checked_sub(TRAILER).ok_or_else(short)?;
    let trailer = bytes[end..].first_chunk().ok_or_else(short)?;
    let start = end.checked_sub(read_footer_length(*trailer)?).ok_or_else(short)?;
    let footer = root_as_footer(&bytes[start..end]).map_err(|error| ArrowError::IpcError(error.to_string()))?;
    let schema = footer.schema().ok_or_else(|| ArrowError::IpcError("the footer has no schema".into()))?;
    let mut decoder = FileDecoder::new(Arc::new(fb_to_schema(schema)), footer.version());
    for block in footer.dictionaries().iter().flatten() {
        decoder.read_dictionary(block, &part(&bytes, block)?)?;
    }
    let blocks = footer.recordBatches().iter().flatten().copied().collect();
    Ok(Source::File { decoder, bytes, blocks })
}

/// The bytes of one message.
fn part(bytes: &Buffer, block: &Block) -> Result<Buffer, ArrowError> {
    let range = || {
        let start = usize::try_from(block.offset()).ok()?;
        let (head, body) = (usize::try_from(block.metaDataLength()).ok()?, usize::try_from(block.bodyLength()).ok()?);
        let len = head.checked_add(body)?;
        start.checked_add(len).filter(|end| *end <= bytes.len()).map(|_| (start, len))
    };
    let (start, len) = range().ok_or_else(|| ArrowError::IpcError("a block lies outside of the file".into()))?;
    Ok(bytes.slice_with_length(start, len))
}

/// Arrow's readers check most of what they are given, and panic at some of the rest: for us that is malformed too.
fn guarded<T>(read: impl FnOnce() -> Result<T, ArrowError>) -> otlp_arrow::Result<T> {
    let what = "this is not an Arrow IPC stream or file";
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(read)) => Ok(read),
        Ok(Err(error)) => Err(OtlpError::with_source(Code::InvalidData, format!("{what}: {error}"), error)),
        Err(_) => Err(OtlpError::new(Code::InvalidData, format!("{what}: it contradicts itself"))),
    }
}

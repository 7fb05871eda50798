//! Batches as the messages of an IPC stream, one by one, for those who send them: what is large is pointed at, not copied.

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use bytes::Bytes;

use super::commit::{dictionary_templates, dictionary_values};
use super::frame::PREFIX;
use super::layout::shapes;
use super::message::{Form, MessageWriter, Template, schema_message};
use super::output::Output;
use otlp_arrow_base::error::Result;

/// One message of a stream, in the two parts that protocols send apart.
#[derive(Clone, Debug)]
pub struct StreamMessage {
    /// Its head, without the prefix that it has in a file: a flatbuffer.
    pub head: Bytes,
    /// Its body, in order.
    pub body: Vec<Bytes>,
}

impl StreamMessage {
    /// Bytes of the body.
    pub fn body_len(&self) -> usize {
        self.body.iter().map(Bytes::len).sum()
    }
}

/// Turns batches of one schema, whose columns are of the types that files may have, into messages.
#[derive(Debug)]
pub struct StreamEncoder {
    schema: SchemaRef,
    batch: Template,
    dictionaries: Vec<(usize, Template)>,
}

impl StreamEncoder {
    /// Of batches of `schema`; INTERNAL for a column type that files may not have.
    pub fn new(schema: &SchemaRef) -> Result<Self> {
        let shapes = shapes(schema)?;
        let (batch, dictionaries) =
            (Template::new(&shapes, Form::default())?, dictionary_templates(&shapes, Form::default())?);
        Ok(Self { schema: SchemaRef::clone(schema), batch, dictionaries })
    }

    /// The message that a stream begins with.
    pub fn schema(&self) -> StreamMessage {
        let head = framed_schema(&self.schema).slice(PREFIX..);
        StreamMessage { head, body: Vec::new() }
    }

    /// The dictionaries of `batch`: to be sent before its rows.
    pub fn dictionaries(&self, batch: &RecordBatch) -> Result<Vec<StreamMessage>> {
        let message = |(column, template): &(usize, Template)| {
            let values = dictionary_values(batch, *column)?;
            let mut out = Output::pointing();
            let mut message = MessageWriter::new(&mut out, template, None);
            message.array(values)?;
            let placed = message.finish(values.len());
            Ok(parted(out, placed.metadata_len))
        };
        self.dictionaries.iter().map(message).collect()
    }

    /// The rows of `batch`.
    pub fn rows(&self, batch: &RecordBatch) -> Result<StreamMessage> {
        let mut out = Output::pointing();
        let mut message = MessageWriter::new(&mut out, &self.batch, None);
        for column in batch.columns() {
            message.array(column.as_ref())?;
        }
        let placed = message.finish(batch.num_rows());
        Ok(parted(out, placed.metadata_len))
    }
}

/// The schema message as it stands in a stream: with its prefix.
pub fn framed_schema(schema: &Schema) -> Bytes {
    schema_message(schema).into()
}

fn parted(out: Output, metadata_len: usize) -> StreamMessage {
    let mut pieces = out.into_pieces().into_iter();
    // A head is written here, before anything that may be pointed at.
    let mut first = pieces.next().unwrap_or_default();
    let head = first.split_to(metadata_len.min(first.len()));
    let body = std::iter::once(first).chain(pieces).filter(|piece| !piece.is_empty()).collect();
    StreamMessage { head: head.slice(PREFIX.min(head.len())..), body }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use arrow_ipc::reader::StreamReader;

    use super::*;
    use crate::file::frame::CONTINUATION;
    use crate::file::sample;

    fn framed(message: &StreamMessage) -> Vec<u8> {
        let length = (message.head.len() as u32).to_le_bytes();
        let parts = [&CONTINUATION[..], &length, &message.head].into_iter();
        parts.chain(message.body.iter().map(|piece| &piece[..])).flatten().copied().collect()
    }

    #[test]
    fn a_stream_of_messages_is_read_by_others() {
        let whole = sample::batch(0, 20_000);
        let encoder = StreamEncoder::new(whole.schema_ref()).unwrap();
        for (offset, rows) in [(0, 20_000), (7, 1), (100, 9_000), (5, 0)] {
            let batch = whole.slice(offset, rows);
            let mut messages = vec![encoder.schema()];
            messages.extend(encoder.dictionaries(&batch).unwrap());
            messages.push(encoder.rows(&batch).unwrap());
            let stream: Vec<u8> = messages.iter().flat_map(framed).collect();
            let read: Vec<_> = StreamReader::try_new(&stream[..], None).unwrap().map(Result::unwrap).collect();
            assert_eq!(read, [batch]);
        }
        let rows = encoder.rows(&whole).unwrap();
        assert!(rows.body.len() > 1 && rows.body_len().is_multiple_of(8), "large columns are pointed at");
        let schema = framed_schema(whole.schema_ref());
        assert_eq!(schema[PREFIX..], encoder.schema().head);
    }
}

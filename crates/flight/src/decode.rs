//! The messages of an IPC stream that others send, as batches in whatever types they have. No length in them is believed before it
//! was compared with what there is, and memory is reserved before it is taken.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_buffer::Buffer;
use arrow_ipc::convert::fb_to_schema;
use arrow_ipc::reader::{read_dictionary, read_record_batch};
use arrow_ipc::{Message, MessageHeader, MetadataVersion, root_as_message};
use arrow_schema::{ArrowError, SchemaRef};
use bytes::Bytes;
use otlp_arrow::{Code, OtlpError, Result};
use otlp_arrow_store::budget::Reservation;

/// What stands before a buffer of a compressed body: its length without compression.
const LENGTH: usize = 8;

/// Reads one stream.
pub(crate) struct Decoder {
    schema: SchemaRef,
    dictionaries: HashMap<i64, ArrayRef>,
    /// Bytes that each of them takes, and what covers them.
    sizes: HashMap<i64, usize>,
    held: Reservation,
    /// The most that one message, and all dictionaries, may take.
    max: usize,
}

fn invalid(text: impl Into<String>) -> OtlpError {
    OtlpError::new(Code::InvalidData, text)
}

/// What others' code makes of a message. It may panic over one that nobody would write.
fn guarded<T>(what: &str, read: impl FnOnce() -> Result<T, ArrowError>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(read) => read.map_err(|error| invalid(format!("the {what} cannot be read: {error}"))),
        Err(_) => Err(invalid(format!("the {what} cannot be read: it is not as Arrow has it"))),
    }
}

fn message(head: &[u8]) -> Result<Message<'_>> {
    root_as_message(head).map_err(|error| invalid(format!("data_header is not the head of an IPC message: {error}")))
}

impl Decoder {
    /// Begins with the head of a schema message. What is kept of the stream is covered by a sibling of `reservation`.
    pub(crate) fn new(head: &[u8], reservation: &Reservation, max: usize) -> Result<Self> {
        let message = message(head)?;
        let schema = message.header_as_schema().ok_or_else(|| {
            let kind = message.header_type().variant_name().unwrap_or("nothing");
            invalid(format!("the first message has to be the schema, and this is {kind}"))
        })?;
        let schema = guarded("schema", || Ok(fb_to_schema(schema)))?;
        let (dictionaries, sizes) = Default::default();
        Ok(Self { schema: Arc::new(schema), dictionaries, sizes, held: reservation.sibling(), max })
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The next message: a batch, or nothing where it is a dictionary. `reservation` covers what the batch takes.
    pub(crate) fn read(
        &mut self,
        head: &[u8],
        body: Bytes,
        reservation: &mut Reservation,
    ) -> Result<Option<RecordBatch>> {
        let message = message(head)?;
        let version = message.version();
        if version < MetadataVersion::V4 {
            return Err(invalid("this is IPC of a version before V4: write it anew"));
        }
        match message.header_type() {
            MessageHeader::RecordBatch => {
                let batch =
                    message.header_as_record_batch().ok_or_else(|| invalid("a record batch without its head"))?;
                reservation.grow(self.size(&batch, &body)?)?;
                let (buffer, schema) = (Buffer::from(body), Arc::clone(&self.schema));
                let read = || read_record_batch(&buffer, batch, schema, &self.dictionaries, None, &version);
                guarded("record batch", read).map(Some)
            }
            MessageHeader::DictionaryBatch => {
                let dictionary = message.header_as_dictionary_batch();
                let dictionary = dictionary.ok_or_else(|| invalid("a dictionary without its head"))?;
                let values = dictionary.data().ok_or_else(|| invalid("a dictionary without values"))?;
                // One that is added to is copied, with what comes.
                let before = self.sizes.get(&dictionary.id()).copied().unwrap_or_default();
                let grown = if dictionary.isDelta() { before } else { 0 };
                let size = body.len().saturating_add(self.size(&values, &body)?).saturating_add(grown);
                let all = self.sizes.values().sum::<usize>() - before;
                if all.saturating_add(size) > self.max {
                    let text = format!("the dictionaries take more than {} bytes: send them plain, or anew", self.max);
                    return Err(OtlpError::new(Code::TooLarge, text));
                }
                let missing = (all + size).saturating_sub(self.held.bytes());
                self.held.grow(missing)?;
                let buffer = Buffer::from(body);
                let (schema, dictionaries) = (Arc::clone(&self.schema), &mut self.dictionaries);
                guarded("dictionary", || read_dictionary(&buffer, dictionary, &schema, dictionaries, &version))?;
                self.sizes.insert(dictionary.id(), size);
                self.held.settle(all + size);
                Ok(None)
            }
            MessageHeader::Schema => Err(invalid("a second schema: put what has other columns with a call of its own")),
            other => {
                let kind = other.variant_name().unwrap_or("unknown");
                Err(invalid(format!("a message of the kind {kind}, which a table does not have")))
            }
        }
    }

    /// What a batch takes beside its body: its buffers without compression, or, where they do not lie as arrays must, once more.
    fn size(&self, batch: &arrow_ipc::RecordBatch<'_>, body: &[u8]) -> Result<usize> {
        let buffers = batch.buffers().ok_or_else(|| invalid("a batch without buffers"))?;
        let compressed = batch.compression().is_some();
        let mut size = 0usize;
        for buffer in buffers {
            let range = usize::try_from(buffer.offset()).ok().zip(usize::try_from(buffer.length()).ok());
            let bytes = range.and_then(|(from, length)| body.get(from..from.checked_add(length)?));
            let bytes = bytes.ok_or_else(|| invalid("a buffer reaches beyond the body"))?;
            let plain = match bytes.first_chunk::<LENGTH>() {
                Some(length) if compressed => match i64::from_le_bytes(*length) {
                    -1 => bytes.len(),
                    length => usize::try_from(length).map_err(|_| invalid("a buffer of a negative length"))?,
                },
                None if compressed && !bytes.is_empty() => {
                    return Err(invalid("a compressed buffer without its length"));
                }
                _ => bytes.len(),
            };
            size = size.saturating_add(plain);
        }
        if size > self.max {
            let text = format!(
                "a batch of {size} bytes without compression, and it may have {}: send smaller batches, or raise limits.max_body",
                self.max
            );
            return Err(OtlpError::new(Code::TooLarge, text));
        }
        Ok(size)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc as Shared;

    use arrow_array::builder::StringDictionaryBuilder;
    use arrow_array::types::Int32Type;
    use arrow_array::{Int64Array, StringArray};
    use arrow_ipc::CompressionType;
    use arrow_ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteContext, IpcWriteOptions};
    use arrow_schema::{DataType, Field, Schema};
    use otlp_arrow_store::budget::Budget;
    use otlp_arrow_testkit::rng::Rng;

    use super::*;

    const MAX: usize = 1 << 20;

    fn batch(rows: usize, text: &str) -> RecordBatch {
        let mut words = StringDictionaryBuilder::<Int32Type>::new();
        (0..rows).for_each(|row| drop(words.append(format!("{text} {}", row % 7))));
        let texts: StringArray = (0..rows).map(|row| (row % 5 > 0).then(|| format!("{text} {row}"))).collect();
        let numbers: Int64Array = (0..rows as i64).collect();
        let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let schema = Schema::new(vec![
            Field::new("words", dictionary, true),
            Field::new("texts", DataType::Utf8, true),
            Field::new("numbers", DataType::Int64, false),
        ]);
        RecordBatch::try_new(schema.into(), vec![Shared::new(words.finish()), Shared::new(texts), Shared::new(numbers)])
            .unwrap()
    }

    /// Head and body of each message, the schema first.
    fn messages(batches: &[RecordBatch], compression: Option<CompressionType>) -> Vec<(Vec<u8>, Vec<u8>)> {
        let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
        let (writer, mut tracker) = (IpcDataGenerator::default(), DictionaryTracker::new(false));
        let schema = batches[0].schema();
        let mut all = vec![writer.schema_to_bytes_with_dictionary_tracker(&schema, &mut tracker, &options)];
        let mut context = IpcWriteContext::default();
        for batch in batches {
            let (dictionaries, rows) = writer.encode(batch, &mut tracker, &options, &mut context).unwrap();
            all.extend(dictionaries);
            all.push(rows);
        }
        all.into_iter().map(|message| (message.ipc_message, message.arrow_data)).collect()
    }

    fn decoded(messages: &[(Vec<u8>, Vec<u8>)], budget: &Arc<Budget>) -> Result<Vec<RecordBatch>> {
        let mut reservation = budget.reserve(otlp_arrow::Signal::Logs, 0)?;
        let mut decoder = Decoder::new(&messages[0].0, &reservation, MAX)?;
        let mut batches = Vec::new();
        for (head, body) in &messages[1..] {
            batches.extend(decoder.read(head, Bytes::copy_from_slice(body), &mut reservation)?);
        }
        Ok(batches)
    }

    fn budget() -> Arc<Budget> {
        Arc::new(Budget::new(64 * MAX))
    }

    #[test]
    fn what_others_write_is_read_whatever_it_is_compressed_with() {
        let batches = [batch(100, "first"), batch(3, "second"), batch(0, "none"), batch(1_000, "third")];
        for compression in [None, Some(CompressionType::ZSTD), Some(CompressionType::LZ4_FRAME)] {
            let budget = budget();
            assert_eq!(decoded(&messages(&batches, compression), &budget).unwrap(), batches);
            assert_eq!(budget.used(), 0, "everything was given back");
        }
    }

    #[test]
    fn what_takes_more_than_it_may_is_refused_before_it_is_made() {
        // Megabytes of nothing, in kilobytes.
        let large = batch(20_000, &"a".repeat(100));
        for compression in [Some(CompressionType::ZSTD), Some(CompressionType::LZ4_FRAME)] {
            let mut messages = messages(std::slice::from_ref(&large), compression);
            assert_eq!(decoded(&messages, &budget()).unwrap_err().code(), Code::TooLarge);
            // And what only says that it is large: the first buffer with a length in it.
            let (_, body) = messages.last_mut().unwrap();
            body[..LENGTH].copy_from_slice(&(i64::MAX - 7).to_le_bytes());
            assert!(decoded(&messages, &budget()).is_err());
        }
        let many: Vec<RecordBatch> = (0..40).map(|at| batch(2_000, &format!("{at} {}", "d".repeat(20_000)))).collect();
        let dictionaries: Vec<_> = many.iter().map(|batch| batch.project(&[0]).unwrap()).collect();
        assert_eq!(
            decoded(&messages(&dictionaries, None), &budget()).unwrap().len(),
            40,
            "one takes the other's place"
        );
        let small = Arc::new(Budget::new(64 << 10));
        assert!(decoded(&messages(&dictionaries, None), &small).is_err(), "there is no memory for it");
        assert_eq!(small.used(), 0);
    }

    #[test]
    fn messages_out_of_order_or_of_another_kind_are_refused() {
        let all = messages(&[batch(10, "a")], None);
        let reservation = budget().reserve(otlp_arrow::Signal::Logs, 0).unwrap();
        for first in [&all[1].0[..], &all[2].0, b"", b"nonsense", &all[0].0[..all[0].0.len() / 2]] {
            assert!(Decoder::new(first, &reservation, MAX).is_err());
        }
        let twice = [all[0].clone(), all[0].clone()];
        assert!(decoded(&twice, &budget()).unwrap_err().message().contains("second schema"));
        let without_dictionary = [all[0].clone(), all[2].clone()];
        assert!(decoded(&without_dictionary, &budget()).is_err());
    }

    /// Any byte may be any other: it is read, or refused, and memory stays within what was reserved.
    #[test]
    fn damaged_messages_are_refused_or_read_and_end_nothing() {
        // What arrow says of a panic is for its authors.
        std::panic::set_hook(Box::new(|_| ()));
        let mut chance = Rng::new(17);
        let batches = [batch(50, "first"), batch(20, "second")];
        let (mut read, mut refused) = (0, 0);
        for round in 0..6_000 {
            let compression = [None, Some(CompressionType::ZSTD), Some(CompressionType::LZ4_FRAME)][round % 3];
            let mut messages = messages(&batches, compression);
            for _ in 0..1 + chance.below(3) {
                let at = chance.below(messages.len() as u64) as usize;
                let (head, body) = &mut messages[at];
                let bytes = if body.is_empty() || chance.below(2) == 0 { head } else { body };
                let Some(at) = bytes.len().checked_sub(1).map(|last| chance.index(last + 1)) else { continue };
                match chance.below(3) {
                    0 => bytes[at] ^= 1 << chance.below(8),
                    1 => bytes[at] = chance.below(256) as u8,
                    _ => bytes.truncate(at),
                }
            }
            let budget = budget();
            match decoded(&messages, &budget) {
                Ok(_) => read += 1,
                Err(_) => refused += 1,
            }
            assert_eq!(budget.used(), 0);
        }
        let _ = std::panic::take_hook();
        assert!(read > 500 && refused > 500, "{read} read, {refused} refused");
    }
}

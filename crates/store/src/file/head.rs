//! The head of a message, prefix and metadata, read without believing any number in it.

use std::ops::Range;

use arrow_ipc::{CompressionType, MessageHeader};

use super::frame::{ALIGNMENT, CONTINUATION, EMPTY_NOTE, NOTE_CRC, PREFIX};
use super::metadata::{META_COMMIT, META_KEYS};

/// More metadata than any schema of ours needs in one message.
const MAX_METADATA: usize = 4 << 20;
/// More kinds of messages than a file of ours has: a schema, a dictionary for each column, a record batch.
const MOST_KNOWN: usize = 128;
/// More than a head of ours has; longer ones are not remembered.
const LONGEST_KNOWN: usize = 64 << 10;

/// The numbers of a commit note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) first_row: u64,
    pub(crate) rows: u64,
    pub(crate) crc: u32,
}

impl Note {
    /// Only the one spelling we write.
    fn parse(text: &[u8]) -> Option<Note> {
        let number = |digits: &[u8], radix: u32| {
            digits.iter().try_fold(0u64, |number, byte| {
                let digit = char::from(*byte).to_digit(radix).filter(|_| !byte.is_ascii_uppercase())?;
                number.checked_mul(u64::from(radix))?.checked_add(u64::from(digit))
            })
        };
        if text.len() != EMPTY_NOTE.len() || text[20] != b',' || text[31] != b',' {
            return None;
        }
        let (first_row, rows) = (number(&text[..20], 10)?, number(&text[21..31], 10)?);
        let crc = u32::try_from(number(&text[NOTE_CRC..], 16)?).ok()?;
        first_row.checked_add(rows).map(|_| Note { first_row, rows, crc })
    }
}

/// Where the numbers of a head are; everything else in it is the same for all messages of its kind.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    kind: MessageHeader,
    /// Not there where it is zero and a writer left it out.
    pub(crate) body_len: Option<usize>,
    pub(crate) rows: Option<usize>,
    pub(crate) nodes: Range<usize>,
    pub(crate) buffers: Range<usize>,
    /// The value of the commit note.
    pub(crate) note: Option<usize>,
    /// Keys of batches.
    pub(crate) keys: Option<Range<usize>>,
    dictionary: Option<Dictionary>,
    compression: Option<CompressionType>,
}

impl Layout {
    /// The layout of the head that `bytes` is; `None` if it is none.
    pub(crate) fn of(bytes: &[u8]) -> Option<Layout> {
        let message = arrow_ipc::root_as_message(&bytes[PREFIX..]).ok()?;
        let at = |part: &[u8]| (part.as_ptr() as usize).checked_sub(bytes.as_ptr() as usize);
        let range = |part: &[u8]| at(part).map(|start| start..start + part.len());
        let scalar = |table: &flatbuffers::Table<'_>, field| {
            let offset = table.vtable().get(field);
            (offset != 0).then(|| PREFIX + table.loc() + usize::from(offset))
        };
        let mut layout = Layout {
            kind: message.header_type(),
            body_len: scalar(&message._tab, arrow_ipc::Message::VT_BODYLENGTH),
            rows: None,
            nodes: 0..0,
            buffers: 0..0,
            note: None,
            keys: None,
            dictionary: None,
            compression: None,
        };
        let batch = match message.header_as_dictionary_batch() {
            Some(dictionary) => {
                layout.dictionary = Some(Dictionary { id: dictionary.id(), is_delta: dictionary.isDelta() });
                Some(dictionary.data()?)
            }
            None => message.header_as_record_batch(),
        };
        if let Some(batch) = batch {
            layout.rows = scalar(&batch._tab, arrow_ipc::RecordBatch::VT_LENGTH);
            layout.nodes = batch.nodes().map_or(Some(0..0), |nodes| range(nodes.bytes()))?;
            layout.buffers = batch.buffers().map_or(Some(0..0), |buffers| range(buffers.bytes()))?;
            layout.compression = batch.compression().map(|compression| compression.codec());
        }
        for pair in message.custom_metadata().into_iter().flatten() {
            if pair.key() == Some(META_COMMIT) {
                let value = pair.value().filter(|value| value.len() == EMPTY_NOTE.len())?;
                layout.note = Some(at(value.as_bytes())?);
            }
            if pair.key() == Some(META_KEYS) {
                layout.keys = pair.value().and_then(|value| range(value.as_bytes()));
            }
        }
        Some(layout)
    }

    fn head<'a>(&self, bytes: &'a [u8]) -> Option<Head<'a>> {
        let number = |at: Option<usize>| at.map_or(Some(0), |at| int64(bytes.get(at..)?));
        let note = match self.note {
            Some(at) => Some((Note::parse(bytes.get(at..at + EMPTY_NOTE.len())?)?, at + NOTE_CRC)),
            None => None,
        };
        let body_len = u64::try_from(number(self.body_len)?).ok()?;
        body_len.is_multiple_of(ALIGNMENT as u64).then_some(Head {
            bytes,
            kind: self.kind,
            body_len,
            rows: number(self.rows)?,
            nodes: bytes.get(self.nodes.clone())?,
            buffers: bytes.get(self.buffers.clone())?,
            note,
            keys: self.keys.clone().and_then(|keys| bytes.get(keys)).unwrap_or_default(),
            dictionary: self.dictionary,
            compression: self.compression,
        })
    }

    /// The parts that have no number in them; `None` where numbers overlap, which only a damaged head's do.
    fn fixed(&self, len: usize) -> Option<Vec<Range<usize>>> {
        let eight = |at: Option<usize>| at.map(|at| at..at + 8);
        let note = self.note.map(|at| at..at + EMPTY_NOTE.len());
        let (nodes, buffers, keys) = (self.nodes.clone(), self.buffers.clone(), self.keys.clone());
        let numbers = [eight(self.body_len), eight(self.rows), note, keys, Some(nodes), Some(buffers)];
        let mut numbers: Vec<_> = numbers.into_iter().flatten().filter(|range| !range.is_empty()).collect();
        numbers.sort_by_key(|range| range.start);
        let mut fixed = Vec::with_capacity(numbers.len() + 1);
        let mut at = 0;
        for range in numbers.into_iter().chain(std::iter::once(len..len)) {
            if range.start < at {
                return None;
            }
            fixed.push(at..range.start);
            at = range.end;
        }
        Some(fixed)
    }
}

/// The first eight of `bytes` as a number.
pub(crate) fn int64(bytes: &[u8]) -> Option<i64> {
    bytes.first_chunk().map(|bytes| i64::from_le_bytes(*bytes))
}

/// What a dictionary message says of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dictionary {
    pub(crate) id: i64,
    pub(crate) is_delta: bool,
}

/// The head of one message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    bytes: &'a [u8],
    /// Whether this is a schema, dictionary or record batch message.
    pub(crate) kind: MessageHeader,
    /// Bytes of the body.
    pub(crate) body_len: u64,
    /// The rows of a record batch, or values of a dictionary, that it claims to have.
    pub(crate) rows: i64,
    /// Length and null count of each array, 8 bytes each.
    pub(crate) nodes: &'a [u8],
    /// Position and length of each buffer, 8 bytes each.
    pub(crate) buffers: &'a [u8],
    /// The commit note and where its checksum stands in the head, if there is one.
    pub(crate) note: Option<(Note, usize)>,
    /// Keys of the batches in it; none of most.
    pub(crate) keys: &'a [u8],
    /// Of a dictionary message only.
    pub(crate) dictionary: Option<Dictionary>,
    /// What the buffers are compressed with.
    pub(crate) compression: Option<CompressionType>,
}

impl<'a> Head<'a> {
    /// The head at the start of `bytes`; what follows it does not matter.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Head<'a>> {
        let bytes = framed(bytes)?;
        Layout::of(bytes)?.head(bytes)
    }

    /// Bytes of prefix and metadata.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes of the whole message, `u64::MAX` if they cannot be counted.
    pub(crate) fn total(&self) -> u64 {
        self.body_len.saturating_add(self.bytes.len() as u64)
    }

    /// The body, if all of it follows the head in `bytes`, at whose start the head is.
    pub(crate) fn body<'b>(&self, bytes: &'b [u8]) -> Option<&'b [u8]> {
        let len = usize::try_from(self.body_len).ok()?;
        bytes.get(self.len()..self.len().checked_add(len)?)
    }

    /// What a schema message holds.
    pub(crate) fn schema(&self) -> Option<arrow_ipc::Schema<'a>> {
        arrow_ipc::root_as_message(&self.bytes[PREFIX..]).ok()?.header_as_schema()
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

/// Reads the heads of one file: of each kind of message one is verified, the others are compared with it.
///
/// What a flatbuffer's verifier looks at, lengths, offsets and tables, is in the bytes that must be equal. A head that is
/// made up may hide some of that where numbers should be: then it is read as the first of its kind was, never out of bounds.
#[derive(Debug, Default)]
pub(crate) struct Heads {
    known: Vec<Known>,
    /// The one that was met last: messages come in the same order in every commit.
    last: usize,
}

#[derive(Debug)]
struct Known {
    bytes: Vec<u8>,
    layout: Layout,
    fixed: Vec<Range<usize>>,
}

impl Known {
    fn is_like(&self, bytes: &[u8]) -> bool {
        self.bytes.len() == bytes.len()
            && self.fixed.iter().all(|range| self.bytes[range.clone()] == bytes[range.clone()])
    }
}

impl Heads {
    /// [`Head::parse`].
    pub(crate) fn parse<'a>(&mut self, bytes: &'a [u8]) -> Option<Head<'a>> {
        let bytes = framed(bytes)?;
        let count = self.known.len();
        let mut order = (0..count).map(|step| (self.last + step) % count);
        if let Some(found) = order.find(|at| self.known[*at].is_like(bytes)) {
            self.last = found;
            return self.known[found].layout.head(bytes);
        }
        let layout = Layout::of(bytes)?;
        let head = layout.head(bytes)?;
        if layout.kind != MessageHeader::Schema
            && count < MOST_KNOWN
            && bytes.len() <= LONGEST_KNOWN
            && let Some(fixed) = layout.fixed(bytes.len())
        {
            self.last = count;
            self.known.push(Known { fixed, bytes: bytes.to_vec(), layout });
        }
        Some(head)
    }
}

/// Prefix and metadata of the message at the start of `bytes`, if all of that is there.
fn framed(bytes: &[u8]) -> Option<&[u8]> {
    let len = metadata_len(bytes)?;
    bytes.get(..PREFIX + len)
}

/// Bytes of metadata that the prefix at the start of `bytes` announces.
pub(crate) fn metadata_len(bytes: &[u8]) -> Option<usize> {
    let (marker, len) = bytes.split_at_checked(4)?;
    let len = u32::from_le_bytes(*len.first_chunk()?) as usize;
    (marker == CONTINUATION && len > 0 && len <= MAX_METADATA && len.is_multiple_of(ALIGNMENT)).then_some(len)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::file::sample;

    /// Every message of `stream` with a reader of its own and with one that knows what came before: the same.
    fn walk(stream: &[u8], heads: &mut Heads) -> usize {
        let (mut at, mut count) = (0, 0);
        while at < stream.len() {
            let (alone, known) = (Head::parse(&stream[at..]), heads.parse(&stream[at..]));
            assert_eq!(format!("{alone:?}"), format!("{known:?}"), "byte {at}");
            let Some(head) = known else { break };
            at += head.total() as usize;
            count += 1;
        }
        count
    }

    #[test]
    fn what_is_known_is_read_as_what_is_new() {
        let stream = sample::stream(&[3, 1, 40, 1, 2]);
        let mut heads = Heads::default();
        assert_eq!(walk(&stream, &mut heads), 1 + 5 * 3);
        assert_eq!(heads.known.len(), 3);
        assert_eq!(walk(&stream, &mut heads), 1 + 5 * 3);
        assert_eq!(heads.known.len(), 3);
    }

    #[test]
    fn notes_have_one_spelling() {
        let note = Note { first_row: 17, rows: 3, crc: 0xab };
        let text = format!("{:020},{:010},{:08x}", note.first_row, note.rows, note.crc);
        assert_eq!(Note::parse(text.as_bytes()), Some(note));
        let most = format!("{:020},{:010},{:08x}", u64::MAX, 0, u32::MAX);
        assert_eq!(Note::parse(most.as_bytes()), Some(Note { first_row: u64::MAX, rows: 0, crc: u32::MAX }));
        for wrong in [
            text.replace("ab", "AB"),
            text.replacen('0', "+", 1),
            text.replace(',', ";"),
            format!("{:020},{:010},{:08x}", u64::MAX, 1, 0),
            text.replacen('0', "9", 1),
            text[1..].to_owned(),
        ] {
            assert_eq!(Note::parse(wrong.as_bytes()), None, "{wrong}");
        }
    }

    /// A damaged head may say that its numbers lie anywhere, also on top of each other, and is met again and again.
    #[test]
    fn any_byte_of_a_head_may_be_any_other() {
        let stream = sample::stream(&[2]);
        let mut at = 0;
        while at < stream.len() {
            let head = Head::parse(&stream[at..]).unwrap();
            let mut message = stream[at..at + head.total() as usize].to_vec();
            for byte in 0..head.len().min(600) {
                for value in (0..=255).step_by(4) {
                    let before = std::mem::replace(&mut message[byte], value);
                    let mut heads = Heads::default();
                    for _ in 0..2 {
                        assert_eq!(heads.parse(&message).is_some(), Head::parse(&message).is_some());
                    }
                    message[byte] = before;
                }
            }
            at += message.len();
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn changed_heads_are_judged_as_if_nothing_was_known(changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..6)) {
            let whole = sample::stream(&[2, 1]);
            let mut heads = Heads::default();
            walk(&whole, &mut heads);
            let mut stream = whole;
            for (at, byte) in changes {
                let at = at % stream.len();
                stream[at] = byte;
            }
            walk(&stream, &mut heads);
            walk(&stream, &mut heads);
            walk(&stream, &mut Heads::default());
        }
    }
}

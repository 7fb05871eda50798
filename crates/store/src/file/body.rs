//! The body of a message, taken apart column by column, every length checked against what is there.

use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::Range;
use std::slice::ChunksExact;

use arrow_ipc::{CompressionType, MessageHeader};

use super::check::Check;
use super::error::{Result, damaged};
use super::head::{Head, Heads, int64};
use super::layout::Shape;
use super::recycled;

/// More than any buffer of a message may hold: offsets are 32 bit.
const MAX_BUFFER: usize = i32::MAX as usize;

/// Nodes and buffers of one message in order.
#[derive(Debug)]
pub(crate) struct Body<'a> {
    /// Rows the message says it has.
    pub(crate) rows: usize,
    nodes: ChunksExact<'a, u8>,
    buffers: ChunksExact<'a, u8>,
    bytes: Bytes<'a>,
    zstd: bool,
}

/// What of a body was read.
#[derive(Clone, Copy, Debug)]
enum Bytes<'a> {
    Whole(&'a [u8]),
    Pieces(&'a [Piece]),
}

/// Bytes of a body, from this place on.
pub(crate) type Piece = (usize, Vec<u8>);

impl<'a> Bytes<'a> {
    fn get(self, range: Range<usize>) -> Option<&'a [u8]> {
        match self {
            Bytes::Whole(bytes) => bytes.get(range),
            Bytes::Pieces(_) if range.is_empty() => Some(&[]),
            Bytes::Pieces(pieces) => pieces
                .iter()
                .find_map(|(start, bytes)| bytes.get(range.start.checked_sub(*start)?..range.end.checked_sub(*start)?)),
        }
    }
}

/// Bytes of a node, and of where a buffer is: two numbers.
const PAIR: usize = 16;

fn pair(bytes: &[u8]) -> Option<(i64, i64)> {
    Some((int64(bytes)?, int64(bytes.get(8..)?)?))
}

impl<'a> Body<'a> {
    /// The columns of the message with this head in `bytes`.
    pub(crate) fn new(head: &Head<'a>, bytes: &'a [u8]) -> Result<Self> {
        Self::of(head, Bytes::Whole(bytes))
    }

    /// As [`Body::new`], where only these pieces of it were read.
    pub(crate) fn of_pieces(head: &Head<'a>, pieces: &'a [Piece]) -> Result<Self> {
        Self::of(head, Bytes::Pieces(pieces))
    }

    fn of(head: &Head<'a>, bytes: Bytes<'a>) -> Result<Self> {
        let zstd = match head.compression {
            None => false,
            Some(CompressionType::ZSTD) => true,
            Some(other) => return Err(damaged(format!("unknown compression {other:?}"))),
        };
        let rows = usize::try_from(head.rows).map_err(|_| damaged("a record batch has a negative length"))?;
        let (nodes, buffers) = (head.nodes.chunks_exact(PAIR), head.buffers.chunks_exact(PAIR));
        Ok(Self { rows, nodes, buffers, bytes, zstd })
    }

    /// Length and null count of the next array.
    pub(crate) fn node(&mut self) -> Result<(usize, usize)> {
        let node = self.nodes.next().and_then(pair);
        let (len, nulls) = node.ok_or_else(|| damaged("a record batch has too few nodes"))?;
        match (usize::try_from(len), usize::try_from(nulls)) {
            (Ok(len), Ok(nulls)) if nulls <= len && len <= MAX_BUFFER => Ok((len, nulls)),
            _ => Err(damaged(format!("a column claims {len} rows, {nulls} null"))),
        }
    }

    /// The bytes of the next buffer, decompressed.
    pub(crate) fn buffer(&mut self) -> Result<Cow<'a, [u8]>> {
        let buffer = self.buffers.next().and_then(pair);
        let (at, len) = buffer.ok_or_else(|| damaged("a record batch has too few buffers"))?;
        let range = usize::try_from(at).ok().zip(usize::try_from(len).ok());
        let bytes = range.and_then(|(at, len)| self.bytes.get(at..at.checked_add(len)?));
        let bytes = bytes.ok_or_else(|| damaged("a buffer lies outside of its message"))?;
        match bytes.split_at_checked(8) {
            Some((len, frame)) if self.zstd => match i64::from_le_bytes(len.try_into().unwrap_or_default()) {
                -1 => Ok(Cow::Borrowed(frame)),
                len => unzip(frame, len).map(Cow::Owned),
            },
            _ => Ok(Cow::Borrowed(bytes)),
        }
    }

    /// Where in the body the buffers with these numbers lie, from the first to the last.
    pub(crate) fn span(head: &Head<'_>, buffers: Range<usize>, len: usize) -> Result<Range<usize>> {
        let mut span: Option<Range<usize>> = None;
        for buffer in buffers {
            let buffer = head.buffers.get(buffer * PAIR..(buffer + 1) * PAIR).and_then(pair);
            let (at, size) = buffer.ok_or_else(|| damaged("a record batch has too few buffers"))?;
            let range = usize::try_from(at).ok().zip(usize::try_from(size).ok());
            let range = range.and_then(|(at, size)| Some(at..at.checked_add(size)?)).filter(|range| range.end <= len);
            let range = range.ok_or_else(|| damaged("a buffer lies outside of its message"))?;
            span = Some(match span {
                Some(span) => span.start.min(range.start)..span.end.max(range.end),
                None => range,
            });
        }
        Ok(span.unwrap_or(0..0))
    }

    /// Bytes of the body that were read.
    pub(crate) fn len(&self) -> usize {
        match self.bytes {
            Bytes::Whole(bytes) => bytes.len(),
            Bytes::Pieces(pieces) => pieces.iter().map(|(_, bytes)| bytes.len()).sum(),
        }
    }

    /// Passes over a column.
    pub(crate) fn skip(&mut self, shape: &Shape) -> Result<()> {
        let nodes = (0..shape.nodes()).all(|_| self.nodes.next().is_some());
        let buffers = (0..shape.buffers()).all(|_| self.buffers.next().is_some());
        (nodes && buffers).then_some(()).ok_or_else(|| damaged("a record batch has too few columns"))
    }
}

thread_local! {
    /// What zstd works with: making it anew takes longer than many a buffer.
    static UNZIP: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
}

fn unzip(frame: &[u8], len: i64) -> Result<Vec<u8>> {
    let len = usize::try_from(len).ok().filter(|len| *len <= MAX_BUFFER);
    let len = len.ok_or_else(|| damaged("a compressed buffer claims an impossible length"))?;
    // The frame says its length too; a claim that differs is refused before memory is taken for it.
    if zstd::zstd_safe::get_frame_content_size(frame).ok().flatten() != Some(len as u64) {
        return Err(damaged("a compressed buffer is not of the length it claims"));
    }
    let bytes = UNZIP.with_borrow_mut(|unzip| {
        let unzip = match unzip {
            Some(unzip) => unzip,
            none => none.insert(zstd::bulk::Decompressor::new()?),
        };
        let mut bytes = recycled::take(len);
        unzip.decompress_to_buffer(frame, &mut bytes)?;
        Ok::<_, std::io::Error>(bytes)
    });
    let bytes = bytes.map_err(|error| damaged(format!("zstd: {error}")))?;
    (bytes.len() == len).then_some(bytes).ok_or_else(|| damaged("a compressed buffer is too short"))
}

/// The id and the values of a dictionary, or why its message has none.
pub(crate) type Found<'a> = Result<(i64, Values<'a>)>;

/// The values of one dictionary as they lie in its message.
#[derive(Clone, Debug)]
pub(crate) struct Values<'a> {
    offsets: Cow<'a, [u8]>,
    bytes: Cow<'a, [u8]>,
    /// How many.
    pub(crate) len: usize,
}

impl<'a> Values<'a> {
    /// The values of the dictionary message with this head and body, and their dictionary's id.
    pub(crate) fn read(head: &Head<'a>, body: &'a [u8]) -> Found<'a> {
        let dictionary = head.dictionary.ok_or_else(|| damaged("not a dictionary"))?;
        if dictionary.is_delta {
            return Err(damaged("a delta dictionary, which no file of ours has"));
        }
        let mut body = Body::new(head, body)?;
        let (len, nulls) = body.node()?;
        let (_, offsets, bytes) = (body.buffer()?, body.buffer()?, body.buffer()?);
        if nulls > 0 || (len > 0 && offsets.len() / 4 <= len) {
            return Err(damaged("a dictionary with nulls or too few offsets"));
        }
        Ok((dictionary.id, Self { offsets, bytes, len }))
    }

    /// The value at `index`.
    pub(crate) fn get(&self, index: usize) -> Option<&[u8]> {
        let offset = |index: usize| {
            let bytes = self.offsets.get(index * 4..index * 4 + 4)?;
            usize::try_from(i32::from_le_bytes(bytes.try_into().ok()?)).ok()
        };
        if index >= self.len {
            return None;
        }
        self.bytes.get(offset(index)?..offset(index + 1)?)
    }

    /// The offsets, the bytes, and how many values there are.
    pub(crate) fn into_parts(self) -> (Vec<u8>, Vec<u8>, usize) {
        (self.offsets.into_owned(), self.bytes.into_owned(), self.len)
    }

    /// The same values in memory of their own.
    pub(crate) fn into_owned(self) -> Values<'static> {
        Values {
            offsets: Cow::Owned(self.offsets.into_owned()),
            bytes: Cow::Owned(self.bytes.into_owned()),
            len: self.len,
        }
    }
}

/// One commit taken apart: what its dictionaries hold, by id, and its record batch.
pub(crate) fn commit<'a>(
    mut bytes: &'a [u8],
    heads: &mut Heads,
    check: Check,
    dictionaries: &mut Vec<Values<'a>>,
) -> Result<Body<'a>> {
    dictionaries.clear();
    let mut crc = 0;
    loop {
        let head = heads.parse(bytes).ok_or_else(|| damaged("a commit ends without its record batch"))?;
        let body = head.body(bytes).ok_or_else(|| damaged("a message reaches beyond its commit"))?;
        if check == Check::Full {
            crc = crc32c::crc32c_append(head.checksum(crc), body);
        }
        match head.kind {
            MessageHeader::RecordBatch => {
                let holds = check == Check::Heads || head.note.is_some_and(|(note, _)| note.crc == crc);
                return if holds {
                    Body::new(&head, body)
                } else {
                    Err(damaged("the checksum of a commit does not match"))
                };
            }
            MessageHeader::DictionaryBatch => {
                let (id, values) = Values::read(&head, body)?;
                if usize::try_from(id) != Ok(dictionaries.len()) {
                    return Err(damaged(format!("dictionary {id} is not in order")));
                }
                dictionaries.push(values);
            }
            _ => {}
        }
        bytes = &bytes[head.len() + body.len()..];
    }
}

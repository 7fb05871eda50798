//! Protobuf files: one request, or several joined end to end; or each behind its length, as the file exporter of the
//! Collector writes them (four bytes, each message perhaps a zstd frame) and as protobuf libraries do (a varint).

use std::io::Read;

use otlp_arrow::Signal;
use otlp_arrow_wire::read::{Cursor, fields};
use otlp_arrow_wire::write;

use super::json;
use super::stream::{Stream, ZSTD, unpacked};
use crate::convert::piece::{Item, MAX, Take, Taken};
use crate::io::{Failure, Outcome};

/// A request is cut between its resource groups into requests of about this size.
const CHUNK: usize = 4 << 20;
/// Tag of field 1 with a length: the only field of the three export requests.
const GROUP: u64 = 0x0a;

/// How the messages of a file are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// They are one: every field of a request may come again.
    Joined,
    /// Four bytes before each, the highest first.
    Length,
    /// A varint before each.
    Varint,
}

impl Framing {
    /// What a file that begins so has; none if it is not protobuf of requests.
    pub(super) fn of(start: &[u8]) -> Option<Self> {
        if let Some((length, rest)) = start.split_first_chunk() {
            let length = u32::from_be_bytes(*length) as usize;
            // A length below 128 MiB begins with a byte that no protobuf message and no text begins with.
            if start[0] < 8 && length <= MAX && begins_message(&rest[..length.min(rest.len())], length) {
                return Some(Framing::Length);
            }
        }
        if is_request(start) {
            return Some(Framing::Joined);
        }
        let mut cursor = Cursor::new(start);
        let length = usize::try_from(cursor.varint().ok()?).ok()?;
        let message = &start[cursor.pos()..];
        let message = &message[..length.min(message.len())];
        (length <= MAX && begins_message(message, length) && is_request(message)).then_some(Framing::Varint)
    }
}

/// Whether a message of that length, of which this is the beginning, can be a request: protobuf, JSON, or one of them
/// compressed.
fn begins_message(start: &[u8], length: usize) -> bool {
    length > 0 && (start.starts_with(&ZSTD) || start[..].first() == Some(&b'{') || is_request(start))
}

/// Whether these bytes, which may be cut off at the end, are groups of records: fields of a request, whose own first field
/// is one that a group has.
fn is_request(start: &[u8]) -> bool {
    let mut cursor = Cursor::new(start);
    let mut groups = 0;
    while !cursor.done() {
        let at = cursor.pos();
        match cursor.key() {
            Ok(0x0a) => {
                let Ok(len) = cursor.varint() else { return groups > 0 && start.len() - at < 12 };
                let inner = start.get(cursor.pos()..).unwrap_or_default();
                if len > 0 && !matches!(inner.first(), None | Some(0x0a | 0x12 | 0x1a) | Some(0xc2)) {
                    return false;
                }
                groups += 1;
                if len as usize > inner.len() {
                    return true;
                }
                cursor = Cursor::within(
                    start,
                    otlp_arrow_wire::read::Block { start: cursor.pos() + len as usize, end: start.len() },
                );
            }
            Ok(key) if key >> 3 > 1 => {
                if cursor.skip(key, fields([1])).is_err() {
                    return groups > 0;
                }
            }
            _ => return groups > 0 && start.len() - at < 6,
        }
    }
    groups > 0
}

/// Hands on every request of `stream`, whose messages are `framing`.
pub(super) fn read(
    stream: &mut Stream,
    framing: Framing,
    signal: Option<Signal>,
    name: &str,
    take: &mut Take<'_>,
) -> Outcome {
    match framing {
        Framing::Joined => joined(stream, signal, name, take),
        Framing::Length | Framing::Varint => framed(stream, framing, signal, name, take),
    }
}

fn failed(name: &str, error: std::io::Error) -> Failure {
    Failure::Failed(format!("cannot read {name}: {error}"))
}

/// Cuts one request between its groups: a part of the groups is a request as well.
fn joined(stream: &mut Stream, signal: Option<Signal>, name: &str, take: &mut Take<'_>) -> Outcome {
    let mut groups = Groups { chunk: Vec::new(), ends: Vec::new(), before: 0, signal, name };
    let mut at = 0;
    let wrong = loop {
        let start = at;
        let Some(tag) = varint(stream, &mut at).map_err(|error| failed(name, error))? else {
            break (at > start).then_some(start);
        };
        if tag == GROUP {
            let Some(len) = varint(stream, &mut at).map_err(|error| failed(name, error))? else { break Some(start) };
            if !groups.push(stream, len).map_err(|error| failed(name, error))? {
                break Some(start);
            }
            at += len;
            if groups.chunk.len() >= CHUNK {
                groups.hand_on(take)?;
            }
            continue;
        }
        // A field that a later OTLP may have: left out, as every reader does.
        let len = match tag & 7 {
            0 => varint(stream, &mut at).map_err(|error| failed(name, error))?.map(|_| 0),
            1 => Some(8),
            2 => varint(stream, &mut at).map_err(|error| failed(name, error))?,
            5 => Some(4),
            _ => None,
        };
        let Some(len) = len.filter(|_| tag >> 3 != 0) else { break Some(start) };
        let skipped =
            std::io::copy(&mut stream.take(len), &mut std::io::sink()).map_err(|error| failed(name, error))?;
        if skipped < len {
            break Some(start);
        }
        at += len;
    };
    groups.hand_on(take)?;
    if let Some(start) = wrong {
        let what =
            format!("not an OTLP export request: cut off or wrong at byte {start}, and what follows is left out");
        take(Item::LeftOut { place: name, what: &what })?;
    }
    Ok(())
}

/// Groups of records on their way, as one request.
struct Groups<'a> {
    chunk: Vec<u8>,
    /// Where each of them ends.
    ends: Vec<usize>,
    /// Records handed on so far.
    before: u64,
    signal: Option<Signal>,
    name: &'a str,
}

impl Groups<'_> {
    /// Reads a group of `len` bytes; false where there are fewer.
    fn push(&mut self, stream: &mut Stream, len: u64) -> std::io::Result<bool> {
        let before = self.chunk.len();
        write::varint(&mut self.chunk, GROUP);
        write::varint(&mut self.chunk, len);
        let read = stream.take(len).read_to_end(&mut self.chunk)?;
        if (read as u64) < len {
            self.chunk.truncate(before);
            return Ok(false);
        }
        self.ends.push(self.chunk.len());
        Ok(true)
    }

    fn hand_on(&mut self, take: &mut Take<'_>) -> Outcome {
        if self.ends.is_empty() {
            return Ok(());
        }
        let (chunk, ends) = (std::mem::take(&mut self.chunk), std::mem::take(&mut self.ends));
        if let Taken::Foreign(problem) = self.request(&chunk, take)? {
            let mut start = 0;
            // The others are kept.
            for end in ends.iter().copied() {
                let problem = if ends.len() == 1 {
                    Some(problem.clone())
                } else {
                    match self.request(&chunk[start..end], take)? {
                        Taken::Foreign(problem) => Some(problem),
                        Taken::Records(_) => None,
                    }
                };
                if let Some(problem) = problem {
                    let what = format!("a group of records of {} bytes: {problem}", end - start);
                    take(Item::LeftOut { place: self.name, what: &what })?;
                }
                start = end;
            }
        }
        self.chunk = chunk;
        self.chunk.clear();
        Ok(())
    }

    fn request(&mut self, bytes: &[u8], take: &mut Take<'_>) -> Outcome<Taken> {
        let taken = take(Item::Request { bytes, signal: self.signal, place: self.name, before: self.before })?;
        if let Taken::Records(records) = taken {
            self.before += records;
        }
        Ok(taken)
    }
}

/// Messages, each behind its length.
fn framed(stream: &mut Stream, framing: Framing, signal: Option<Signal>, name: &str, take: &mut Take<'_>) -> Outcome {
    for number in 1u64.. {
        let place = format!("{name}, message {number}");
        let mut at = 0;
        let length = match framing {
            Framing::Varint => varint(stream, &mut at).map_err(|error| failed(name, error))?,
            _ => length(stream, &mut at).map_err(|error| failed(name, error))?,
        };
        let Some(length) = length else {
            if at > 0 {
                take(Item::LeftOut { place: &place, what: "cut off within its length" })?;
            }
            return Ok(());
        };
        if length > MAX as u64 {
            let what = format!("its length is given as {length} bytes: what follows cannot be read and is left out");
            take(Item::LeftOut { place: &place, what: &what })?;
            return Ok(());
        }
        let mut message = Vec::new();
        stream.take(length).read_to_end(&mut message).map_err(|error| failed(name, error))?;
        if (message.len() as u64) < length {
            let what = format!("cut off: {} of {length} bytes are there", message.len());
            take(Item::LeftOut { place: &place, what: &what })?;
            return Ok(());
        }
        let taken = match unpacked(message, MAX) {
            Ok(message) if json::begins(message.trim_ascii_start()) => {
                json::read(&mut Stream::of(message), &place, take)?;
                continue;
            }
            Ok(message) if message.is_empty() => continue,
            Ok(message) => take(Item::Request { bytes: &message, signal, place: &place, before: 0 })?,
            Err(problem) => Taken::Foreign(problem),
        };
        if let Taken::Foreign(problem) = taken {
            take(Item::LeftOut { place: &place, what: &problem })?;
        }
    }
    Ok(())
}

/// The next four bytes as a length; `None` at the end, also in the middle of them.
fn length(stream: &mut Stream, at: &mut u64) -> std::io::Result<Option<u64>> {
    let mut bytes = [0; 4];
    for byte in &mut bytes {
        if stream.read(std::slice::from_mut(byte))? == 0 {
            return Ok(None);
        }
        *at += 1;
    }
    Ok(Some(u32::from_be_bytes(bytes).into()))
}

/// The next varint; `None` at the end, also in the middle of one.
fn varint(stream: &mut Stream, at: &mut u64) -> std::io::Result<Option<u64>> {
    let mut bytes = [0; 10];
    for end in 0..bytes.len() {
        if stream.read(&mut bytes[end..=end])? == 0 {
            return Ok(None);
        }
        *at += 1;
        if let Ok(value) = Cursor::new(&bytes[..=end]).varint() {
            return Ok(Some(value));
        }
    }
    Ok(Some(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_are_read_as_they_were_put() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX >> 1] {
            let mut bytes = Vec::new();
            write::varint(&mut bytes, value);
            let (len, mut at) = (bytes.len() as u64, 0);
            assert_eq!(varint(&mut Stream::of(bytes), &mut at).ok().flatten(), Some(value));
            assert_eq!(at, len);
        }
        assert_eq!(varint(&mut Stream::of(vec![0x80]), &mut 0).ok().flatten(), None);
    }

    #[test]
    fn how_messages_are_told_apart() {
        // A log record of 30 bytes, and one within a request of ten bytes: its length looks like the tag of a group.
        let long = b"\x0a\x1c\x0a\x0c\x0a\x0a\x0a\x01k\x12\x05\x0a\x03abc\x12\x0c\x12\x0a\x2a\x08\x0a\x06a body";
        let short = b"\x0a\x08\x12\x06\x12\x04\x2a\x02\x0a\x00";
        let length = |message: &[u8]| [&(message.len() as u32).to_be_bytes()[..], message].concat();
        let varint = |message: &[u8]| [&[message.len() as u8][..], message].concat();
        for message in [&long[..], &short[..]] {
            for times in [1, 2, 100] {
                assert_eq!(Framing::of(&message.repeat(times)), Some(Framing::Joined), "{message:?} {times}");
                assert_eq!(Framing::of(&length(message).repeat(times)), Some(Framing::Length), "{message:?} {times}");
                assert_eq!(Framing::of(&varint(message).repeat(times)), Some(Framing::Varint), "{message:?} {times}");
            }
            // The beginning of a file that is longer than what is looked at.
            assert_eq!(Framing::of(&length(message)[..6]), Some(Framing::Length));
        }
        assert_eq!(Framing::of(&length(&ZSTD)), Some(Framing::Length));
        assert_eq!(Framing::of(&length(b"{\"resourceLogs\":[]}")), Some(Framing::Length));
        for other in
            [&b""[..], b"some text", b"\0\0\0\0\0\0\0\0\0", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\x7fELF\x02\x01\x01"]
        {
            assert_eq!(Framing::of(other), None, "{other:?}");
        }
    }
}

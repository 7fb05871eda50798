//! The file of an index: `index/<signal>/<stem>.idx` of the output directory.
//!
//! It begins with what it is of: name, rows and length of the sealed file, and a checksum of its last bytes, in which the footer
//! is. Where any of that is otherwise it is an index of something else. Each part has a checksum of its own.
//!
//! ```text
//! 8  otlpidx\n     2  version     2  number of parts
//! 8  created_ms    8  writer      4  seq               4  signal
//! 8  rows          8  length      4  checksum of the end
//! for each part: 4 kind  4 checksum  8 offset  8 length
//! 4  checksum of all of the above
//! the parts
//! ```

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use otlp_arrow_columns::Signal;
use otlp_arrow_store::Log;
use otlp_arrow_store::names::Stem;
use otlp_arrow_store::storage::{ReadFile, Storage};

use super::bytes::{Put, Reader};
use super::contents::{Contents, Part};
use crate::snapshot::File;

const MAGIC: &[u8; 8] = b"otlpidx\n";
/// What this version writes, and all that it reads.
const VERSION: u16 = 1;
/// Bytes before the parts' places.
const HEAD: usize = 8 + 2 + 2 + 8 + 8 + 4 + 4 + 8 + 8 + 4;
const PLACE: usize = 4 + 4 + 8 + 8;
/// No version has more parts.
const MOST_PARTS: usize = 64;
/// More than the parts that are read at once take: 28 bits for each of 2 M ids.
const MOST_BYTES: u64 = 64 << 20;
/// So many bytes of the end of a sealed file are compared: its footer, and some of its last batch.
const END: u64 = 32 << 10;

/// Which sealed file an index is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Of {
    signal: Signal,
    stem: Stem,
    len: u64,
    end: u32,
}

/// Why there is no index.
#[derive(Debug)]
pub(super) enum Missing {
    /// There is none, or it is none that holds of this file: it can be made anew.
    Wrong,
    /// A newer version wrote it: it stays as it is.
    Newer,
}

impl Of {
    /// The file as it is now; the error is that of the disk.
    pub(super) fn file(log: &Log, file: &File) -> io::Result<Self> {
        let data = log.storage().open(&file.listed.file.path)?;
        let len = data.len()?;
        let mut end = vec![0; usize::try_from(len.min(END)).unwrap_or_default()];
        data.read_exact_at(len - end.len() as u64, &mut end)?;
        Ok(Self { signal: file.signal, stem: file.stem().clone(), len, end: crc32c::crc32c(&end) })
    }

    fn head(&self, rows: u64, parts: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEAD + parts * PLACE + 4);
        out.extend(MAGIC);
        out.put_u16(VERSION);
        out.put_u16(parts as u16);
        out.put_u64(self.stem.created_ms);
        out.put_u64(self.stem.writer.0);
        out.put_u32(self.stem.seq);
        out.put_u32(self.signal.index() as u32);
        out.put_u64(rows);
        out.put_u64(self.len);
        out.put_u32(self.end);
        out
    }
}

/// The whole file of an index of `of`; `table` is its table of ids.
pub(super) fn write(of: &Of, contents: &Contents, table: Option<Vec<u8>>) -> Vec<u8> {
    let mut parts = contents.parts();
    parts.extend(table.map(|table| (Part::Table, table)));
    let mut out = of.head(contents.rows, parts.len());
    let mut at = out.len() + parts.len() * PLACE + 4;
    for (part, bytes) in &parts {
        out.put_u32(*part as u32);
        out.put_u32(crc32c::crc32c(bytes));
        out.put_u64(at as u64);
        out.put_u64(bytes.len() as u64);
        at += bytes.len();
    }
    out.put_u32(crc32c::crc32c(&out));
    parts.iter().for_each(|(_, bytes)| out.extend(bytes));
    out
}

/// Reads the index of `of`, its table aside.
pub(super) fn read(file: &dyn ReadFile, of: &Of) -> Result<Contents, Missing> {
    read_parts(file, of).unwrap_or(Err(Missing::Wrong))
}

/// Where a part is, and its checksum.
pub(super) type Place = (Range<u64>, u32);

fn read_parts(file: &dyn ReadFile, of: &Of) -> Option<Result<Contents, Missing>> {
    let mut head = vec![0; HEAD + MOST_PARTS * PLACE + 4];
    let read = read_up_to(file, &mut head)?;
    let mut reader = Reader(&head[..read]);
    if reader.bytes(MAGIC.len())? != MAGIC {
        return None;
    }
    let version = reader.u16()?;
    if version > VERSION {
        return Some(Err(Missing::Newer));
    }
    let parts = usize::from(reader.u16()?);
    let checked = HEAD + parts * PLACE;
    let sum = Reader(head.get(checked..read)?).u32()?;
    if version != VERSION || parts > MOST_PARTS || sum != crc32c::crc32c(&head[..checked]) {
        return None;
    }
    let stem_of = (reader.u64()?, reader.u64()?, reader.u32()?);
    let (signal, rows, len, end) = (reader.u32()?, reader.u64()?, reader.u64()?, reader.u32()?);
    let same = stem_of == (of.stem.created_ms, of.stem.writer.0, of.stem.seq)
        && signal as usize == of.signal.index()
        && (len, end) == (of.len, of.end);
    if !same {
        return None;
    }
    let mut places = places(&mut reader, parts)?;
    let table = places.remove(&(Part::Table as u32));
    let len = file.len().ok()?;
    if table.as_ref().is_some_and(|(range, _)| range.end > len) {
        return None;
    }
    let mut read: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
    for part in [Part::Blocks, Part::Words, Part::Keys, Part::Filter] {
        if let Some((range, sum)) = places.get(&(part as u32)) {
            // One that is there and does not hold makes all of it wrong.
            read.insert(part as u32, checked_bytes(file, range, *sum)?);
        }
    }
    let contents = Contents::read(of.signal, rows, |part| read.get(&(part as u32)).map(Vec::as_slice))?;
    Some(Ok(Contents { table, ..contents }))
}

/// Where the parts are, by their kinds.
fn places(reader: &mut Reader<'_>, parts: usize) -> Option<BTreeMap<u32, Place>> {
    let mut place = || {
        let (kind, sum, from, len) = (reader.u32()?, reader.u32()?, reader.u64()?, reader.u64()?);
        Some((kind, (from..from.checked_add(len)?, sum)))
    };
    (0..parts).map(|_| place()).collect()
}

/// Where in the file of an index, which `bytes` are, its table of ids is.
pub(super) fn table_of(bytes: &[u8]) -> Option<Place> {
    let parts = Reader(bytes.get(MAGIC.len() + 2..)?).u16()?;
    places(&mut Reader(bytes.get(HEAD..)?), usize::from(parts))?.remove(&(Part::Table as u32))
}

fn read_up_to(file: &dyn ReadFile, bytes: &mut [u8]) -> Option<usize> {
    let mut read = 0;
    while read < bytes.len() {
        match file.read_at(read as u64, &mut bytes[read..]).ok()? {
            0 => break,
            more => read += more,
        }
    }
    Some(read)
}

/// The bytes there, if they are those that were written.
pub(super) fn checked_bytes(file: &dyn ReadFile, range: &Range<u64>, sum: u32) -> Option<Vec<u8>> {
    let len = range.end - range.start;
    if len > MOST_BYTES || file.len().ok()? < range.end {
        return None;
    }
    let mut bytes = vec![0; usize::try_from(len).ok()?];
    file.read_exact_at(range.start, &mut bytes).ok()?;
    (crc32c::crc32c(&bytes) == sum).then_some(bytes)
}

/// Puts `bytes` in the place of the index of this file, as a whole: several processes may do so at once.
pub(super) fn save(log: &Log, storage: &dyn Storage, signal: Signal, stem: &Stem, bytes: &[u8]) -> io::Result<()> {
    let (dir, path) = (log.layout().index_dir(signal), log.layout().index(signal, stem));
    storage.create_dir_all(&dir)?;
    let unfinished = dir.join(format!("{stem}.{:016x}.tmp", getrandom::u64().unwrap_or_default()));
    // A cache need not survive a power cut: what is torn is noticed.
    let written = storage.create(&unfinished).and_then(|mut file| file.append(bytes));
    let done = written.and_then(|()| storage.replace(&unfinished, &path));
    if done.is_err() {
        let _ = storage.remove(&unfinished);
    }
    done
}

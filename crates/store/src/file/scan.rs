//! What a file is and how much of it holds, found from its content alone.

use std::io;

use arrow_ipc::MessageHeader;

use super::body::{Found, Values};
pub use super::check::{Check, Commit};
use super::frame::CONTINUATION;
use super::keys::{self, Dated};
use super::metadata::{META_COMMIT, META_SCHEMA, META_WRITER};
use super::parse::schema_entry;
use super::window::Window;
use crate::disk::storage::ReadFile;

/// What a file of the IPC *file* format begins and ends with.
pub(crate) const MAGIC: &[u8; 6] = b"ARROW1";

const CHUNK: usize = 64 << 10;

/// Which of the two Arrow IPC forms a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A live file: a stream of commits.
    Stream,
    /// A sealed file.
    File,
    /// Neither, or an empty file.
    Unknown,
}

/// The form of `file` by its first bytes.
pub fn form(file: &dyn ReadFile) -> io::Result<Form> {
    let mut start = [0; 6];
    match file.read_exact_at(0, &mut start) {
        Ok(()) if start == *MAGIC => Ok(Form::File),
        Ok(()) if start.starts_with(&CONTINUATION) => Ok(Form::Stream),
        Ok(()) => Ok(Form::Unknown),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Form::Unknown),
        Err(error) => Err(error),
    }
}

/// Walks the commits of a stream until one does not hold.
#[derive(Debug)]
pub struct Commits<'a> {
    window: Window<'a>,
    check: Check,
    at: u64,
    row: u64,
    version: Option<String>,
    writer: Option<String>,
    /// Of the last commit, as it holds them.
    keys: String,
}

impl<'a> Commits<'a> {
    /// The commits within the first `end` bytes of `file`. Memory is bounded by the largest head, and by what is remembered of
    /// heads: 8 MiB at most.
    pub fn new(file: &'a dyn ReadFile, end: u64, check: Check) -> Self {
        Self::resume(file, end, check, 0, 0)
    }

    /// The commits from the one that begins at byte `at` with row `row`.
    pub(crate) fn resume(file: &'a dyn ReadFile, end: u64, check: Check, at: u64, row: u64) -> Self {
        let (version, writer, keys) = Default::default();
        Self { window: Window::new(file, end, CHUNK), check, at, row, version, writer, keys }
    }

    /// The next commit, or `None` where the stream ends or stops to hold. An error is the disk's, never the content's.
    pub fn next_commit(&mut self) -> io::Result<Option<Commit>> {
        self.walk(None)
    }

    /// The keys of the batches in the last commit, as it holds them; empty where there are none.
    pub(crate) fn keys(&self) -> &str {
        &self.keys
    }

    /// The same, and `each` is called with the dictionaries on the way, also those of a commit that does not hold.
    pub(crate) fn next_with_dictionaries(&mut self, each: &mut dyn FnMut(Found<'_>)) -> io::Result<Option<Commit>> {
        self.walk(Some(each))
    }

    fn walk(&mut self, mut each: Option<&mut dyn FnMut(Found<'_>)>) -> io::Result<Option<Commit>> {
        let offset = self.at;
        let (mut at, mut crc) = (offset, 0);
        self.keys.clear();
        loop {
            let Some(head) = self.window.head(at)? else { return Ok(None) };
            let expected = match head.kind {
                MessageHeader::Schema => at == 0 && head.body_len == 0 && head.note.is_none(),
                MessageHeader::DictionaryBatch => at != 0 && head.note.is_none(),
                MessageHeader::RecordBatch => at != 0 && head.note.is_some(),
                _ => false,
            };
            if !expected {
                return Ok(None);
            }
            if at == 0
                && let Some(schema) = head.schema()
            {
                self.version = schema_entry(schema, META_SCHEMA);
                self.writer = schema_entry(schema, META_WRITER);
            }
            let (kind, note, rows, body, end) =
                (head.kind, head.note, head.rows, at + head.len() as u64, at + head.total());
            if !head.keys.is_empty() {
                self.keys = String::from_utf8_lossy(head.keys).into_owned();
            }
            if self.check == Check::Full {
                crc = head.checksum(crc);
                if !self.window.pieces(body, end, |piece| crc = crc32c::crc32c_append(crc, piece))? {
                    return Ok(None);
                }
            }
            if let (MessageHeader::DictionaryBatch, Some(each)) = (kind, &mut each) {
                let Some((head, body)) = self.window.message(at)? else { return Ok(None) };
                each(Values::read(&head, body));
            }
            at = end;
            let Some((note, _)) = note else { continue };
            let holds = note.first_row == self.row
                && note.rows > 0
                && i64::try_from(note.rows) == Ok(rows)
                && (self.check == Check::Heads || note.crc == crc);
            if !holds {
                return Ok(None);
            }
            (self.at, self.row) = (at, note.first_row + note.rows);
            return Ok(Some(Commit { offset, end: at, first_row: note.first_row, rows: note.rows }));
        }
    }

    /// Whether what follows the last commit that held is a commit that the end of the file cuts off, as far as its heads tell.
    fn tail_cut_short(&mut self) -> io::Result<bool> {
        let (mut at, end) = (self.at, self.window.end());
        loop {
            if at >= end {
                return Ok(at > self.at);
            }
            if self.window.reaches_beyond(at)? {
                return Ok(true);
            }
            // A commit that is all there and does not hold is damaged, and so is what has no head.
            let Some(head) = self.window.head(at)? else { return Ok(false) };
            if head.kind == MessageHeader::RecordBatch {
                return Ok(false);
            }
            at += head.total();
        }
    }

    /// Whether a byte that is not zero follows the last commit that held.
    pub fn tail_non_zero(&mut self) -> io::Result<bool> {
        let mut found = false;
        let end = self.window.end();
        self.window.pieces(self.at, end, |piece| found |= piece.iter().any(|byte| *byte != 0))?;
        Ok(found)
    }
}

/// Whether `file`, of which no commit holds, is the beginning of one and nothing else.
pub(crate) fn is_first_commit_cut_short(file: &dyn ReadFile) -> io::Result<bool> {
    Ok(Commits::new(file, file.len()?, Check::Heads).tail_cut_short()? && !seems_to_have_more(file)?)
}

/// Whether more than one commit seems to have been written to `file`, whatever became of them. For streams that nobody can
/// walk: their notes are searched for byte by byte.
fn seems_to_have_more(file: &dyn ReadFile) -> io::Result<bool> {
    let (mut window, end, key) = (Window::new(file, file.len()?, CHUNK), file.len()?, META_COMMIT.as_bytes());
    // Pieces overlap, so that no note lies across two of them; a note at the seam is found where it is complete.
    let (step, mut at, mut found) = (CHUNK - key.len() + 1, 0, 0);
    while at < end {
        let len = (end - at).min(CHUNK as u64) as usize;
        let Some(piece) = window.get(at, len)? else { break };
        found += piece.windows(key.len()).filter(|bytes| *bytes == key).count();
        if found > 1 {
            return Ok(true);
        }
        at += step as u64;
    }
    Ok(false)
}

/// What a stream holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamScan {
    /// The storage schema, if the schema message could be read, such as `1`.
    pub version: Option<String>,
    /// The writer's id, likewise.
    pub writer: Option<String>,
    /// The commits that hold, without a gap from byte 0.
    pub commits: Vec<Commit>,
    /// Bytes of the file.
    pub len: u64,
    /// Whether something other than zeros follows the last commit that holds.
    pub tail_non_zero: bool,
}

impl StreamScan {
    /// Bytes up to the end of the last commit that holds.
    pub fn valid_len(&self) -> u64 {
        self.commits.last().map_or(0, |commit| commit.end)
    }

    /// Rows of all commits that hold.
    pub fn rows(&self) -> u64 {
        self.commits.last().map_or(0, |commit| commit.first_row + commit.rows)
    }
}

/// The longest prefix of complete commits of `file`. Random bytes have none; an error is the disk's.
pub fn stream(file: &dyn ReadFile, check: Check) -> io::Result<StreamScan> {
    let len = file.len()?;
    let mut walk = Commits::new(file, len, check);
    let mut commits = Vec::new();
    while let Some(commit) = walk.next_commit()? {
        commits.push(commit);
    }
    let tail_non_zero = walk.tail_non_zero()?;
    Ok(StreamScan { version: walk.version, writer: walk.writer, commits, len, tail_non_zero })
}

/// The keys of the batches in the longest prefix of complete commits.
pub(crate) fn keys(file: &dyn ReadFile) -> io::Result<Vec<Dated>> {
    let mut walk = Commits::new(file, file.len()?, Check::Full);
    let mut found = Vec::new();
    while walk.next_commit()?.is_some() {
        found.extend(keys::read(walk.keys().as_bytes()));
    }
    Ok(found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::file::sample::{self, InMemory};

    const ROWS: [u64; 5] = [3, 1, 40, 1, 2];

    fn scan(bytes: &[u8], check: Check) -> StreamScan {
        stream(&InMemory(bytes.to_vec()), check).unwrap()
    }

    #[test]
    fn every_commit_of_a_whole_file_is_found() {
        let file = sample::stream(&ROWS);
        for check in [Check::Full, Check::Heads] {
            let found = scan(&file, check);
            assert_eq!(found.commits.iter().map(|commit| commit.rows).collect::<Vec<_>>(), ROWS);
            assert_eq!((found.valid_len(), found.rows()), (file.len() as u64, 47));
            assert_eq!((found.version.as_deref(), found.writer.as_deref()), (Some("1"), Some("00000000000000aa")));
            assert!(!found.tail_non_zero);
        }
        assert_eq!(form(&InMemory(file)).unwrap(), Form::Stream);
        assert_eq!(form(&InMemory(b"ARROW1\0\0".to_vec())).unwrap(), Form::File);
        assert_eq!(form(&InMemory(b"ARR".to_vec())).unwrap(), Form::Unknown);
        assert_eq!(form(&InMemory(vec![0; 64])).unwrap(), Form::Unknown);
    }

    #[test]
    fn a_cut_anywhere_leaves_the_commits_before_it() {
        let file = sample::stream(&ROWS);
        let whole = scan(&file, Check::Full);
        for cut in (0..file.len()).step_by(7) {
            let found = scan(&file[..cut], Check::Full);
            let expected: Vec<_> = whole.commits.iter().filter(|commit| commit.end <= cut as u64).copied().collect();
            assert_eq!(found.commits, expected, "cut at {cut}");
            let mut zeroed = file[..cut].to_vec();
            zeroed.resize(file.len() + 5000, 0);
            let found = scan(&zeroed, Check::Full);
            // Zeros may be what the file had there anyway.
            assert!(found.commits.len() >= expected.len() && whole.commits.starts_with(&found.commits), "cut at {cut}");
            if found.valid_len() as usize >= cut {
                assert!(!found.tail_non_zero);
            }
        }
    }

    #[test]
    fn a_changed_byte_ends_the_prefix_before_its_commit() {
        let file = sample::stream(&ROWS);
        let whole = scan(&file, Check::Full);
        for at in (0..file.len()).step_by(3) {
            let mut bytes = file.clone();
            bytes[at] ^= 0x10;
            let found = scan(&bytes, Check::Full);
            let expected: Vec<_> = whole.commits.iter().filter(|commit| commit.end <= at as u64).copied().collect();
            assert_eq!(found.commits, expected, "byte {at}");
            assert!(found.tail_non_zero);
        }
    }

    #[test]
    fn a_commit_that_was_left_out_ends_the_prefix() {
        let file = sample::stream(&ROWS);
        let commits = scan(&file, Check::Full).commits;
        let mut bytes = file.clone();
        bytes.drain(commits[1].offset as usize..commits[1].end as usize);
        for check in [Check::Full, Check::Heads] {
            assert_eq!(scan(&bytes, check).commits, commits[..1]);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn random_bytes_have_no_commits(bytes in proptest::collection::vec(any::<u8>(), 0..4096), lead in 0usize..3) {
            let mut file = [&[][..], &[0xff; 4][..], &[0xff, 0xff, 0xff, 0xff, 0x40, 0, 0, 0][..]][lead].to_vec();
            file.extend_from_slice(&bytes);
            for check in [Check::Full, Check::Heads] {
                prop_assert!(scan(&file, check).commits.is_empty());
            }
        }

        #[test]
        fn damaged_heads_never_panic(changes in proptest::collection::vec((0usize..8000, any::<u8>()), 1..20)) {
            let mut file = sample::stream(&[2, 1]);
            for (at, byte) in changes {
                let at = at % file.len();
                file[at] = byte;
            }
            for check in [Check::Full, Check::Heads] {
                prop_assert!(scan(&file, check).commits.len() <= 2);
            }
        }
    }
}

//! A file seen through a window that moves forward.

use std::io;
use std::path::Path;

use super::body::{Body, Values, commit};
use super::check::{Check, Commit};
use super::error::{ReadError, Result, damaged};
use super::frame::PREFIX;
use super::head::{Head, Heads, metadata_len};
use crate::disk::storage::ReadFile;

/// A part of a file in memory, which moves forward with what is asked for.
#[derive(Debug)]
pub(crate) struct Window<'a> {
    file: &'a dyn ReadFile,
    end: u64,
    start: u64,
    bytes: Vec<u8>,
    chunk: usize,
    heads: Heads,
}

impl<'a> Window<'a> {
    /// A window of `chunk` bytes over the first `end` bytes of `file`.
    pub(crate) fn new(file: &'a dyn ReadFile, end: u64, chunk: usize) -> Self {
        Self { file, end, start: 0, bytes: Vec::new(), chunk, heads: Heads::default() }
    }

    /// Where the file ends for this window.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Where `at` is in `bytes` once `len` bytes from there on are; `None` if they reach beyond the end.
    fn load(&mut self, at: u64, len: usize) -> io::Result<Option<usize>> {
        if at.checked_add(len as u64).is_none_or(|end| end > self.end) {
            return Ok(None);
        }
        let within = at.checked_sub(self.start).is_some_and(|skip| skip + len as u64 <= self.bytes.len() as u64);
        if !within {
            let want = (self.end - at).min(len.max(self.chunk) as u64) as usize;
            // What is there already is not read again; it is less than `len`.
            let skip = at.checked_sub(self.start).and_then(|skip| usize::try_from(skip).ok());
            let skip = skip.unwrap_or(usize::MAX).min(self.bytes.len());
            let kept = self.bytes.len() - skip;
            self.bytes.copy_within(skip.., 0);
            self.bytes.resize(want, 0);
            self.start = at;
            if let Err(error) = self.file.read_exact_at(at + kept as u64, &mut self.bytes[kept..]) {
                self.bytes.clear();
                return match error.kind() {
                    // Cut shorter by somebody else meanwhile: the same as if it had ended there before.
                    io::ErrorKind::UnexpectedEof => Ok(None),
                    _ => Err(error),
                };
            }
        }
        Ok(Some((at - self.start) as usize))
    }

    /// `len` bytes at `at`, or `None` if they reach beyond the end. `len` must be bounded by the caller.
    pub(crate) fn get(&mut self, at: u64, len: usize) -> io::Result<Option<&[u8]>> {
        Ok(self.load(at, len)?.map(|skip| &self.bytes[skip..skip + len]))
    }

    /// Calls `each` with the bytes from `at` to `end` in pieces; `false` if they reach beyond the end.
    pub(crate) fn pieces(&mut self, mut at: u64, end: u64, mut each: impl FnMut(&[u8])) -> io::Result<bool> {
        while at < end {
            let len = (end - at).min(self.chunk as u64) as usize;
            let Some(piece) = self.get(at, len)? else { return Ok(false) };
            each(piece);
            at += len as u64;
        }
        Ok(true)
    }

    /// The commit at `at`, taken apart, with its dictionaries in `values`; `name` is the file's, for errors.
    pub(crate) fn commit<'w>(
        &'w mut self,
        at: &Commit,
        check: Check,
        name: &Path,
        values: &mut Vec<Values<'w>>,
    ) -> Result<Body<'w>> {
        let len = usize::try_from(at.end - at.offset).unwrap_or(usize::MAX);
        let skip = self.load(at.offset, len).map_err(|error| ReadError::read(name, error))?;
        let skip = skip.ok_or_else(|| damaged(format!("{} was cut while it was read", name.display())))?;
        commit(&self.bytes[skip..skip + len], &mut self.heads, check, values)
    }

    /// Whether a message begins at `at` and the file ends before it does.
    pub(crate) fn reaches_beyond(&mut self, at: u64) -> io::Result<bool> {
        let left = self.end.saturating_sub(at);
        if left < PREFIX as u64 {
            return Ok(left > 0);
        }
        let Some(len) = self.get(at, PREFIX)?.and_then(metadata_len) else { return Ok(false) };
        let Some(bytes) = self.get(at, PREFIX + len)? else { return Ok(true) };
        Ok(Head::parse(bytes).is_some_and(|head| head.total() > left))
    }

    /// The head of the message at `at`: its prefix and metadata, checked to be within the file together with its body.
    pub(crate) fn head(&mut self, at: u64) -> io::Result<Option<Head<'_>>> {
        let Some(len) = self.get(at, PREFIX)?.and_then(metadata_len) else { return Ok(None) };
        let Some(skip) = self.load(at, PREFIX + len)? else { return Ok(None) };
        let left = self.end - at;
        Ok(self.heads.parse(&self.bytes[skip..]).filter(|head| head.total() <= left))
    }

    /// The message at `at`, head and body.
    pub(crate) fn message(&mut self, at: u64) -> io::Result<Option<(Head<'_>, &[u8])>> {
        let total = self.head(at)?.and_then(|head| usize::try_from(head.total()).ok());
        let Some(skip) = total.map(|total| self.load(at, total)).transpose()?.flatten() else { return Ok(None) };
        let bytes = &self.bytes[skip..];
        Ok(self.heads.parse(bytes).and_then(|head| Some((head, head.body(bytes)?))))
    }
}

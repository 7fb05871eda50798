//! A file or standard input as bytes: decompressed where it is compressed, and looked at before it is taken.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use crate::io::{Failure, Outcome};

/// Read at once.
const PIECE: usize = 256 << 10;
/// How often something may be compressed within something compressed.
const LAYERS: usize = 2;
/// The largest window of a zstd frame, as a power of two: what `zstd --long` makes.
const WINDOW_LOG: u32 = 27;

pub(super) const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Bytes to be read, of which as many as are wanted can be looked at.
pub(super) struct Stream {
    from: Box<dyn Read>,
    buffer: Vec<u8>,
    /// What of the buffer was taken.
    at: usize,
    ended: bool,
    compressed: bool,
    /// Why what is compressed ended before its end.
    damage: Option<String>,
}

impl Stream {
    /// Of a file, or of standard input for `-`.
    pub(super) fn open(path: &Path) -> Outcome<Self> {
        if path == Path::new("-") {
            return Self::plain_of(Box::new(io::stdin()), false).map_err(|error| Failure::file("read", path, error));
        }
        let open = || Self::plain_of(Box::new(File::open(path)?), false);
        open().map_err(|error| Failure::file("read", path, error))
    }

    /// Of bytes that are there.
    pub(super) fn of(bytes: Vec<u8>) -> Self {
        let from = Box::new(io::empty());
        Self { from, buffer: bytes, at: 0, ended: true, compressed: false, damage: None }
    }

    /// What `from` holds without its compression.
    fn plain_of(from: Box<dyn Read>, compressed: bool) -> io::Result<Self> {
        let mut stream = Self { from, buffer: Vec::new(), at: 0, ended: false, compressed, damage: None };
        for _ in 0..LAYERS {
            let start = stream.peek(4)?;
            let from: Box<dyn Read> = if start.starts_with(&GZIP) {
                Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(PIECE, stream)))
            } else if start.starts_with(&ZSTD) {
                let mut decoder = zstd::Decoder::new(stream)?;
                decoder.window_log_max(WINDOW_LOG)?;
                Box::new(decoder)
            } else {
                break;
            };
            stream = Self { from, buffer: Vec::new(), at: 0, ended: false, compressed: true, damage: None };
        }
        Ok(stream)
    }

    /// What comes next: at least `wanted` bytes where there are so many, and more if they are there.
    pub(super) fn peek(&mut self, wanted: usize) -> io::Result<&[u8]> {
        while self.buffer.len() - self.at < wanted && !self.ended {
            self.buffer.drain(..std::mem::take(&mut self.at));
            let filled = self.buffer.len();
            self.buffer.resize(filled + PIECE.max(wanted - filled), 0);
            let read = loop {
                match self.from.read(&mut self.buffer[filled..]) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    done => break done,
                }
            };
            self.buffer.truncate(filled + read.as_ref().map_or(0, |read| *read));
            match read {
                Ok(0) => self.ended = true,
                Ok(_) => {}
                Err(error) if self.compressed => {
                    self.damage = Some(error.to_string());
                    self.ended = true;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(&self.buffer[self.at..])
    }

    /// Whether nothing comes behind what [`Stream::peek`] gave last.
    pub(super) fn ends(&self) -> bool {
        self.ended
    }

    /// What of it can be looked at already.
    pub(super) fn there(&self) -> &[u8] {
        &self.buffer[self.at..]
    }

    /// Takes `bytes` of what was looked at.
    pub(super) fn advance(&mut self, bytes: usize) {
        self.at = (self.at + bytes).min(self.buffer.len());
    }

    /// Why it ended before its end, if it did.
    pub(super) fn damage(&mut self) -> Option<String> {
        self.damage.take()
    }
}

impl Read for Stream {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let there = self.peek(1)?;
        let count = there.len().min(out.len());
        out[..count].copy_from_slice(&there[..count]);
        self.advance(count);
        Ok(count)
    }
}

/// A message that may be a zstd frame of its own, of at most `max` bytes.
pub(super) fn unpacked(message: Vec<u8>, max: usize) -> Result<Vec<u8>, String> {
    if !message.starts_with(&ZSTD) {
        return Ok(message);
    }
    let mut plain = Vec::new();
    let read =
        zstd::Decoder::new(&message[..]).and_then(|decoder| decoder.take(max as u64 + 1).read_to_end(&mut plain));
    match read {
        Ok(_) if plain.len() <= max => Ok(plain),
        Ok(_) => Err(format!("is more than {max} bytes without its compression")),
        Err(error) => Err(format!("its zstd frame cannot be read: {error}")),
    }
}

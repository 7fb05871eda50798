//! What every message of a file begins with, and where a commit's note is in it.

/// Every buffer of a body starts at a multiple of this.
pub(crate) const ALIGNMENT: usize = 8;
/// What every message starts with, before the length of its metadata.
pub(crate) const CONTINUATION: [u8; 4] = [0xff; 4];
/// Bytes before the metadata of a message: the marker and a length.
pub(crate) const PREFIX: usize = 8;
/// A commit note before its numbers are known. All notes are of this length.
pub(crate) const EMPTY_NOTE: &str = "00000000000000000000,0000000000,00000000";
/// Where the checksum begins in a commit note.
pub(crate) const NOTE_CRC: usize = 32;

//! Where a consumer stands in one writer's log of one signal.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::disk::names::{Stem, WriterId};

/// The next row to deliver: a file and a row in it. Valid for the live and the sealed form alike.
///
/// Within a writer the file's sequence number orders, never the time in its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The file.
    pub stem: Stem,
    /// Rows of it that are behind.
    pub row: u64,
}

impl Position {
    /// The start of a file.
    pub fn start_of(stem: Stem) -> Self {
        Self { stem, row: 0 }
    }

    /// Behind everything that a file has and may get.
    pub fn behind(stem: &Stem) -> Self {
        Self::start_of(Stem { seq: stem.seq.saturating_add(1), ..stem.clone() })
    }

    /// What orders positions of one writer.
    pub fn key(&self) -> (u32, u64) {
        (self.stem.seq, self.row)
    }
}

/// The next row to deliver, for each writer a consumer knows.
pub type Positions = BTreeMap<WriterId, Position>;

/// `v1 <stem> <row> <crc32c of what is before, 8 hex digits>`: one line of a cursor file.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("v1 {} {}", self.stem, self.row);
        write!(f, "{text} {:08x}", crc32c::crc32c(text.as_bytes()))
    }
}

/// Text that is not a position, or one whose checksum does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPosition;

impl FromStr for Position {
    type Err = NoPosition;

    fn from_str(line: &str) -> Result<Self, NoPosition> {
        let (text, crc) = line.trim_end().rsplit_once(' ').ok_or(NoPosition)?;
        if u32::from_str_radix(crc, 16) != Ok(crc32c::crc32c(text.as_bytes())) {
            return Err(NoPosition);
        }
        let mut words = text.split(' ');
        let (Some("v1"), Some(stem), Some(row), None) = (words.next(), words.next(), words.next(), words.next()) else {
            return Err(NoPosition);
        };
        Ok(Self { stem: stem.parse().map_err(|_| NoPosition)?, row: row.parse().map_err(|_| NoPosition)? })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn survives_its_text_and_no_damage() {
        let position =
            Position { stem: Stem { created_ms: 1_795_251_600_123, writer: WriterId(0xabc), seq: 17 }, row: 12_345 };
        let text = position.to_string();
        assert_eq!(text.parse(), Ok(position));
        for at in 0..text.len() {
            let mut damaged = text.clone().into_bytes();
            damaged[at] ^= 1;
            assert_eq!(String::from_utf8(damaged).unwrap().parse::<Position>(), Err(NoPosition), "byte {at}");
            assert_eq!(text[..at].parse::<Position>(), Err(NoPosition), "cut at {at}");
        }
    }
}

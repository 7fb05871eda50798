//! What is known of each block of a file: its rows, and between which values they lie.

use super::bytes::{Put, Reader};
use crate::filter::Nanos;
use crate::scan::BlockRange;

/// One block. Of a signal without durations or severities these are what rules nothing out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) rows: u64,
    /// The earliest and the latest time for the order, as a scan has them.
    pub(super) time: (Nanos, Nanos),
    /// The shortest and the longest duration.
    pub(super) duration: (i64, i64),
    /// Which severity numbers there are: a bit each, see [`severity_bit`].
    pub(super) severities: u32,
}

/// Bytes one takes in the file.
const EACH: usize = 8 * 5 + 4;

/// The bit of a severity number; those that the protocol does not have share one.
pub(super) fn severity_bit(number: i32) -> u32 {
    1 << u32::try_from(number).map_or(OTHER, |number| number.min(OTHER))
}

/// The bit of severity numbers beyond 24 or below 0.
const OTHER: u32 = 31;

/// The bits of the severity numbers from `min` to `max`, both ends included.
pub(super) fn severity_bits(min: i32, max: i32) -> u32 {
    let known = (0..OTHER as i32).filter(|number| min <= *number && *number <= max).map(severity_bit);
    let other = if min < 0 || max >= OTHER as i32 { 1 << OTHER } else { 0 };
    known.fold(other, |bits, bit| bits | bit)
}

impl Known {
    /// A block of so many rows at these times, of which nothing else is known.
    pub(super) fn new(rows: u64, time: (Nanos, Nanos)) -> Self {
        Self { rows, time, duration: (i64::MIN, i64::MAX), severities: u32::MAX }
    }
}

pub(super) fn write(blocks: &[Known], out: &mut Vec<u8>) {
    out.put_count(blocks.len());
    for block in blocks {
        out.put_u64(block.rows);
        [block.time.0, block.time.1].into_iter().for_each(|time| out.put_u64(time));
        [block.duration.0, block.duration.1].into_iter().for_each(|duration| out.put_i64(duration));
        out.put_u32(block.severities);
    }
}

/// `None` where they are not the blocks of a file of so many rows.
pub(super) fn read(bytes: &[u8], rows: u64) -> Option<Box<[Known]>> {
    let mut reader = Reader(bytes);
    let count = reader.count(EACH)?;
    let mut blocks = Vec::with_capacity(count);
    let mut total = 0u64;
    for _ in 0..count {
        let block = Known {
            rows: reader.u64().filter(|rows| *rows > 0)?,
            time: (reader.u64()?, reader.u64()?),
            duration: (reader.i64()?, reader.i64()?),
            severities: reader.u32()?,
        };
        total = total.checked_add(block.rows)?;
        blocks.push(block);
    }
    (total == rows && reader.ends()).then(|| blocks.into())
}

/// Those of `blocks` that are `left`, with where they begin.
pub(super) fn ranges(blocks: &[Known], left: &[bool]) -> Vec<BlockRange> {
    let mut next = 0;
    let range = |(block, left): (&Known, &bool)| {
        let first_row = next;
        next += block.rows;
        left.then_some(BlockRange { first_row, rows: block.rows, time: Some(block.time) })
    };
    blocks.iter().zip(left).filter_map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_severity_has_a_bit_and_ranges_have_those_between() {
        for number in [i32::MIN, -1, 0, 1, 9, 24, 30, 31, 32, i32::MAX] {
            for (min, max) in [(0, 0), (-5, -1), (17, i32::MAX), (i32::MIN, i32::MAX), (9, 12), (25, 40), (i32::MIN, 8)]
            {
                if min <= number && number <= max {
                    assert_ne!(severity_bits(min, max) & severity_bit(number), 0, "{number} of {min} to {max}");
                }
            }
        }
        assert_eq!(severity_bits(17, 20), 0b1111 << 17);
        assert_eq!(severity_bits(17, i32::MAX) & severity_bit(16), 0);
    }

    #[test]
    fn blocks_are_read_back_and_those_of_another_file_are_not() {
        let blocks =
            [Known::new(3, (5, 9)), Known { duration: (-1, 7), severities: 6, ..Known::new(4, (0, u64::MAX)) }];
        let mut bytes = Vec::new();
        write(&blocks, &mut bytes);
        assert_eq!(read(&bytes, 7).as_deref(), Some(&blocks[..]));
        assert_eq!(read(&bytes, 8), None);
        assert!((0..bytes.len()).all(|len| read(&bytes[..len], 7).is_none()));
        let left = ranges(&blocks, &[false, true]);
        assert_eq!(left, [BlockRange { first_row: 3, rows: 4, time: Some((0, u64::MAX)) }]);
    }
}

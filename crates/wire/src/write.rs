//! Writing the protobuf wire format: the pieces of it, which append to any buffer of bytes. [`Writer`](crate::Writer) makes
//! messages of them.

/// Wire type of variable-length integers.
pub const VARINT: u8 = 0;
/// Wire type of eight bytes.
pub const FIXED64: u8 = 1;
/// Wire type of a length and as many bytes.
pub const LEN: u8 = 2;
/// Wire type of four bytes.
pub const FIXED32: u8 = 5;

/// What bytes can be appended to, one by one.
pub trait PutByte {
    /// Appends one.
    fn put_byte(&mut self, byte: u8);
}

impl PutByte for Vec<u8> {
    #[inline(always)]
    fn put_byte(&mut self, byte: u8) {
        self.push(byte);
    }
}

/// Appends a variable-length integer to anything that takes bytes.
#[inline(always)]
pub fn put_varint(out: &mut impl PutByte, mut value: u64) {
    while value >= 0x80 {
        out.put_byte(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_byte(value as u8);
}

/// Appends a variable-length integer.
#[inline]
pub fn varint(out: &mut Vec<u8>, value: u64) {
    put_varint(out, value);
}

/// Fills `place` with a variable-length integer. One that could be shorter is longer than it need be, which every reader
/// accepts; one that is too long for its place loses its high bits.
#[inline]
pub fn fill_varint(place: &mut [u8], mut value: u64) {
    if let Some((last, front)) = place.split_last_mut() {
        for byte in front {
            *byte = value as u8 | 0x80;
            value >>= 7;
        }
        *last = value as u8 & 0x7f;
    }
}

/// Bytes [`varint`] takes for a value.
#[inline]
pub const fn varint_len(value: u64) -> usize {
    (70 - (value | 1).leading_zeros() as usize) / 7
}

/// Appends the tag of a field.
#[inline]
pub fn tag(out: &mut Vec<u8>, number: u32, wire_type: u8) {
    varint(out, u64::from(number) << 3 | u64::from(wire_type));
}

/// Appends an eight-byte field.
#[inline]
pub fn fixed64_field(out: &mut Vec<u8>, number: u32, value: u64) {
    tag(out, number, FIXED64);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a string, bytes or finished message field.
#[inline]
pub fn bytes_field(out: &mut Vec<u8>, number: u32, value: &[u8]) {
    tag(out, number, LEN);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// A length-delimited field whose length is not known yet.
#[derive(Clone, Copy, Debug)]
#[must_use = "close it, or its length is missing"]
pub struct Open {
    /// Where the length begins.
    at: usize,
    /// Bytes kept free for it.
    room: usize,
}

impl Open {
    /// Bytes written to `out` since it was opened.
    #[inline]
    pub fn content(self, out: &[u8]) -> usize {
        out.len() - self.at - self.room
    }
}

/// Begins a length-delimited field; `room` is a guess of the bytes its length will take, 1 to 10.
#[inline]
pub fn open(out: &mut Vec<u8>, number: u32, room: usize) -> Open {
    tag(out, number, LEN);
    reserve(out, room)
}

/// The same behind a tag that is there already.
#[inline]
pub fn reserve(out: &mut Vec<u8>, room: usize) -> Open {
    let at = out.len();
    out.extend_from_slice(&[0; 10][..room]);
    Open { at, room }
}

/// Ends a length-delimited field without moving its content: the length takes all of its room, which must be enough.
#[inline]
pub fn close_in_place(out: &mut [u8], open: Open) {
    let len = open.content(out);
    fill_varint(&mut out[open.at..open.at + open.room], len as u64);
}

/// Ends a length-delimited field whose room is enough and as a rule too much: its content moves to the end of its length.
#[inline]
pub fn close_narrow(out: &mut Vec<u8>, open: Open) {
    let Open { at, room } = open;
    let len = open.content(out);
    let needed = varint_len(len as u64);
    out.copy_within(at + room.., at + needed);
    out.truncate(at + needed + len);
    fill_varint(&mut out[at..at + needed], len as u64);
}

/// Ends a length-delimited field: writes its length, and moves its content when the guess was wrong.
#[inline]
pub fn close(out: &mut Vec<u8>, open: Open) {
    let Open { at, room } = open;
    let len = open.content(out);
    let needed = varint_len(len as u64);
    if needed != room {
        refit(out, open, len, needed);
    }
    fill_varint(&mut out[at..at + needed], len as u64);
}

#[cold]
fn refit(out: &mut Vec<u8>, open: Open, len: usize, needed: usize) {
    let from = open.at + open.room;
    if needed > open.room {
        out.resize(open.at + needed + len, 0);
    }
    out.copy_within(from..from + len, open.at + needed);
    out.truncate(open.at + needed + len);
}

/// Zigzag form of a signed 32-bit integer (`sint32`).
#[inline]
pub const fn zigzag(value: i32) -> u64 {
    ((value << 1) ^ (value >> 31)) as u32 as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_right_whatever_was_guessed() {
        for len in [0usize, 1, 127, 128, 16_383, 16_384, 300_000] {
            for room in 1..=5 {
                let mut out = vec![7];
                let message = open(&mut out, 3, room);
                out.extend((0..len).map(|i| i as u8));
                close(&mut out, message);
                let mut expected = vec![7];
                bytes_field(&mut expected, 3, &(0..len).map(|i| i as u8).collect::<Vec<_>>());
                assert_eq!(out, expected, "{len} bytes, {room} kept free");
            }
        }
    }

    #[test]
    fn a_room_that_is_too_much_is_closed_up() {
        for len in [0usize, 1, 127, 128, 16_383, 16_384] {
            let mut out = vec![7];
            let message = open(&mut out, 3, 4);
            out.extend((0..len).map(|i| i as u8));
            close_narrow(&mut out, message);
            let mut expected = vec![7];
            bytes_field(&mut expected, 3, &(0..len).map(|i| i as u8).collect::<Vec<_>>());
            assert_eq!(out, expected, "{len}");
        }
    }

    #[test]
    fn a_length_may_take_all_of_its_room() {
        for len in [0usize, 1, 127, 128, 20_000] {
            let mut out = vec![7];
            let message = open(&mut out, 3, 4);
            out.extend((0..len).map(|i| i as u8));
            assert_eq!(message.content(&out), len);
            close_in_place(&mut out, message);
            assert_eq!(out.len(), 1 + 1 + 4 + len);
            let read = crate::read::Cursor::new(&out[1..]).field().unwrap();
            assert_eq!((read.number, read.bytes.len()), (3, len));
        }
    }

    #[test]
    fn a_varint_fills_its_place() {
        for (value, width) in [(0u64, 1), (0, 4), (127, 2), (300, 2), (300, 4), ((1 << 28) - 1, 4), (u64::MAX, 10)] {
            let mut place = vec![0xee; width];
            fill_varint(&mut place, value);
            let mut cursor = crate::read::Cursor::new(&place);
            assert_eq!((cursor.varint(), cursor.done()), (Ok(value), true), "{value} in {width} bytes");
        }
        fill_varint(&mut [], 5);
    }

    #[test]
    fn varint_lengths() {
        for shift in 0..64 {
            for value in [1u64 << shift, (1u64 << shift) - 1, u64::MAX >> shift] {
                let mut out = Vec::new();
                varint(&mut out, value);
                assert_eq!(out.len(), varint_len(value), "{value}");
            }
        }
    }
}

//! Protobuf messages, written forwards into one buffer.

use crate::write::{self, FIXED32, LEN, Open, VARINT};

/// A buffer that protobuf fields are appended to. Fields with their default value are left out unless a method says
/// otherwise.
///
/// A nested message is opened with room for its length and closed when its content is there, so no size is computed
/// beforehand; content moves by a byte or two only where the room was guessed wrong.
#[derive(Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
}

/// A place to go back to.
#[derive(Clone, Copy, Debug)]
pub struct Mark(usize);

impl Writer {
    /// A buffer that has room for about `bytes`.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes) }
    }

    /// What was written.
    pub fn finish(self) -> Vec<u8> {
        self.out
    }

    /// What was written so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.out
    }

    /// This place.
    pub fn mark(&self) -> Mark {
        Mark(self.out.len())
    }

    /// Takes back everything written since `mark`.
    pub fn rewind(&mut self, mark: Mark) {
        self.out.truncate(mark.0);
    }

    /// A varint field.
    pub fn uint(&mut self, field: u32, value: u64) {
        if value != 0 {
            self.uint_always(field, value);
        }
    }

    /// Written even if 0, as a member of a oneof must be.
    #[inline]
    pub fn uint_always(&mut self, field: u32, value: u64) {
        write::tag(&mut self.out, field, VARINT);
        write::varint(&mut self.out, value);
    }

    /// A zigzag field of 32 bits.
    pub fn sint32(&mut self, field: u32, value: i32) {
        self.uint(field, write::zigzag(value));
    }

    /// A four-byte field.
    pub fn fixed32(&mut self, field: u32, value: u32) {
        if value != 0 {
            write::tag(&mut self.out, field, FIXED32);
            self.out.extend_from_slice(&value.to_le_bytes());
        }
    }

    /// An eight-byte field.
    pub fn fixed64(&mut self, field: u32, value: u64) {
        if value != 0 {
            self.fixed64_always(field, value);
        }
    }

    /// Written even if 0, as a member of a oneof or an optional field must be.
    #[inline]
    pub fn fixed64_always(&mut self, field: u32, value: u64) {
        write::fixed64_field(&mut self.out, field, value);
    }

    /// Written even if 0.
    pub fn double_always(&mut self, field: u32, value: f64) {
        self.fixed64_always(field, value.to_bits());
    }

    /// A double.
    pub fn double(&mut self, field: u32, value: f64) {
        self.fixed64(field, value.to_bits());
    }

    /// Text.
    pub fn text(&mut self, field: u32, value: &str) {
        self.bytes(field, value.as_bytes());
    }

    /// Text, bytes or a finished message.
    pub fn bytes(&mut self, field: u32, value: &[u8]) {
        if !value.is_empty() {
            self.bytes_always(field, value);
        }
    }

    /// Written even if empty.
    #[inline]
    pub fn bytes_always(&mut self, field: u32, value: &[u8]) {
        write::bytes_field(&mut self.out, field, value);
    }

    /// Tag and length of a field whose `length` bytes are written next.
    pub fn head(&mut self, field: u32, length: usize) {
        write::tag(&mut self.out, field, LEN);
        write::varint(&mut self.out, length as u64);
    }

    /// Fields that are protobuf already.
    pub fn raw(&mut self, fields: &[u8]) {
        self.out.extend_from_slice(fields);
    }

    /// An element of a packed field of fixed64 or double.
    pub fn packed_fixed64(&mut self, value: u64) {
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    /// An element of a packed field of varints.
    #[inline]
    pub fn packed_varint(&mut self, value: u64) {
        write::varint(&mut self.out, value);
    }

    /// Opens a nested message or packed field whose length will probably take `room` bytes, 1 to 10.
    #[inline]
    pub fn open(&mut self, field: u32, room: usize) -> Open {
        write::open(&mut self.out, field, room)
    }

    /// Closes what [`Writer::open`] opened.
    #[inline]
    pub fn close(&mut self, open: Open) {
        write::close(&mut self.out, open);
    }

    /// A field that `write` fills. `room` bytes are left for its length; a wrong guess costs a move of what was written.
    pub fn nest(&mut self, field: u32, room: usize, write: impl FnOnce(&mut Self)) {
        let open = self.open(field, room);
        write(self);
        self.close(open);
    }

    /// The same for a repeated field of numbers: left out if `write` writes nothing.
    pub fn packed(&mut self, field: u32, room: usize, write: impl FnOnce(&mut Self)) {
        let before = self.out.len();
        self.nest(field, room, write);
        // A tag of one byte and the length 0.
        if self.out.len() == before + 2 {
            self.out.truncate(before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_as_short_as_they_can_be_whatever_the_guess() {
        for length in [0, 1, 127, 128, 129, 16_383, 16_384, 2_097_151, 2_097_152] {
            for room in [1, 2, 3] {
                let mut writer = Writer::default();
                writer.nest(1, room, |inner| inner.raw(&vec![7; length]));
                writer.uint(2, 5);
                let mut wanted = Writer::default();
                wanted.bytes_always(1, &vec![7; length]);
                wanted.uint(2, 5);
                assert!(writer.finish() == wanted.finish(), "{length} with room for {room}");
            }
        }
    }

    #[test]
    fn varints_have_the_length_that_is_said() {
        for value in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX >> 1, u64::MAX] {
            let mut writer = Writer::default();
            writer.packed_varint(value);
            assert_eq!(writer.finish().len(), write::varint_len(value), "{value}");
        }
    }

    #[test]
    fn what_was_written_since_a_mark_is_taken_back() {
        let mut writer = Writer::with_capacity(8);
        writer.text(1, "kept");
        let mark = writer.mark();
        let open = writer.open(2, 1);
        writer.sint32(1, -3);
        writer.close(open);
        writer.rewind(mark);
        assert_eq!(writer.as_bytes(), b"\x0a\x04kept");
    }

    #[test]
    fn a_packed_field_of_nothing_is_left_out() {
        let mut writer = Writer::default();
        writer.packed(6, 2, |_| {});
        assert_eq!(writer.finish(), b"");
    }
}

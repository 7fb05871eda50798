//! Protobuf, written forwards into one buffer.

/// A buffer that protobuf fields are appended to. Fields with their default value are left out unless a method says
/// otherwise.
#[derive(Debug, Default)]
pub(super) struct Writer {
    out: Vec<u8>,
}

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH: u32 = 2;
const FIXED32: u32 = 5;

/// Bytes of a number as a varint.
pub(super) fn varint_len(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

impl Writer {
    /// A buffer that has room for about `bytes`.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes) }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.out
    }

    fn tag(&mut self, field: u32, wire: u32) {
        self.varint(u64::from(field << 3 | wire));
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }

    pub(super) fn uint(&mut self, field: u32, value: u64) {
        if value != 0 {
            self.uint_always(field, value);
        }
    }

    /// Written even if 0, as a member of a oneof must be.
    pub(super) fn uint_always(&mut self, field: u32, value: u64) {
        self.tag(field, VARINT);
        self.varint(value);
    }

    pub(super) fn sint32(&mut self, field: u32, value: i32) {
        self.uint(field, u64::from((value << 1 ^ value >> 31) as u32));
    }

    pub(super) fn fixed32(&mut self, field: u32, value: u32) {
        if value != 0 {
            self.tag(field, FIXED32);
            self.out.extend_from_slice(&value.to_le_bytes());
        }
    }

    pub(super) fn fixed64(&mut self, field: u32, value: u64) {
        if value != 0 {
            self.fixed64_always(field, value);
        }
    }

    /// Written even if 0, as a member of a oneof or an optional field must be.
    pub(super) fn fixed64_always(&mut self, field: u32, value: u64) {
        self.tag(field, FIXED64);
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    /// Written even if 0.
    pub(super) fn double_always(&mut self, field: u32, value: f64) {
        self.fixed64_always(field, value.to_bits());
    }

    pub(super) fn double(&mut self, field: u32, value: f64) {
        self.fixed64(field, value.to_bits());
    }

    pub(super) fn text(&mut self, field: u32, value: &str) {
        self.bytes(field, value.as_bytes());
    }

    pub(super) fn bytes(&mut self, field: u32, value: &[u8]) {
        if !value.is_empty() {
            self.bytes_always(field, value);
        }
    }

    /// Written even if empty.
    pub(super) fn bytes_always(&mut self, field: u32, value: &[u8]) {
        self.head(field, value.len());
        self.out.extend_from_slice(value);
    }

    /// Tag and length of a field whose `length` bytes are written next.
    pub(super) fn head(&mut self, field: u32, length: usize) {
        self.tag(field, LENGTH);
        self.varint(length as u64);
    }

    /// Fields that are protobuf already.
    pub(super) fn raw(&mut self, fields: &[u8]) {
        self.out.extend_from_slice(fields);
    }

    /// An element of a packed field of fixed64 or double.
    pub(super) fn packed_fixed64(&mut self, value: u64) {
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    /// An element of a packed field of varints.
    pub(super) fn packed_varint(&mut self, value: u64) {
        self.varint(value);
    }

    /// A field that `write` fills. `room` bytes are left for its length; a wrong guess costs a move of what was written.
    pub(super) fn nest(&mut self, field: u32, room: usize, write: impl FnOnce(&mut Self)) {
        self.tag(field, LENGTH);
        let start = self.out.len();
        self.out.resize(start + room, 0);
        write(self);
        let end = self.out.len();
        let length = end - start - room;
        let needed = varint_len(length as u64);
        if needed > room {
            self.out.resize(end + needed - room, 0);
        }
        if needed != room {
            self.out.copy_within(start + room..end, start + needed);
            self.out.truncate(start + needed + length);
        }
        let mut rest = length as u64;
        for place in &mut self.out[start..start + needed] {
            *place = rest as u8 | 0x80;
            rest >>= 7;
        }
        self.out[start + needed - 1] &= 0x7f;
    }

    /// The same for a repeated field of numbers: left out if `write` writes nothing.
    pub(super) fn packed(&mut self, field: u32, room: usize, write: impl FnOnce(&mut Self)) {
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
            writer.varint(value);
            assert_eq!(writer.finish().len(), varint_len(value), "{value}");
        }
    }

    #[test]
    fn a_packed_field_of_nothing_is_left_out() {
        let mut writer = Writer::default();
        writer.packed(6, 2, |_| {});
        assert_eq!(writer.finish(), b"");
    }
}

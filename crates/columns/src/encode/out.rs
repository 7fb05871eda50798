//! The buffer that protobuf is written into.
//!
//! Bytes beyond the written part exist already, so that short texts are copied by whole words: the surplus is written
//! over by what follows.

use otlp_arrow_wire::write::{FIXED32, FIXED64, LEN, PutByte, VARINT, put_varint, varint_len};

/// A text is copied in pieces of this many bytes.
const WIDE: usize = 32;
/// The most bytes that [`Out::head`] and numbers together take.
const SMALL: usize = 64;

/// A growing buffer with a position.
#[derive(Debug)]
pub(crate) struct Out {
    buffer: Vec<u8>,
    at: usize,
}

/// A length-delimited field whose length is not known yet.
#[derive(Clone, Copy, Debug)]
#[must_use = "close it, or its length is missing"]
pub(super) struct Open {
    at: usize,
    room: usize,
}

impl PutByte for Out {
    #[inline(always)]
    fn put_byte(&mut self, byte: u8) {
        self.few([byte]);
    }
}

impl Out {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { buffer: vec![0; bytes + SMALL], at: 0 }
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.buffer.truncate(self.at);
        self.buffer
    }

    /// Makes sure that `bytes` and a little more can be written.
    #[inline(always)]
    fn room(&mut self, bytes: usize) {
        if self.buffer.len() - self.at < bytes + SMALL {
            self.grow(bytes + SMALL);
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, bytes: usize) {
        let len = (self.at + bytes).max(self.buffer.len() * 2);
        self.buffer.resize(len, 0);
    }

    /// Writes a few bytes; room for them was made before.
    #[inline(always)]
    fn few<const N: usize>(&mut self, bytes: [u8; N]) {
        self.buffer[self.at..self.at + N].copy_from_slice(&bytes);
        self.at += N;
    }

    /// Writes `data[start..start + len]`, which must exist.
    #[inline(always)]
    fn text(&mut self, data: &[u8], start: usize, len: usize) {
        if len <= WIDE
            && let Some(from) = data.get(start..start + WIDE)
            && let Some(to) = self.buffer.get_mut(self.at..self.at + WIDE)
        {
            to.copy_from_slice(from);
        } else {
            self.buffer[self.at..self.at + len].copy_from_slice(&data[start..start + len]);
        }
        self.at += len;
    }

    #[inline(always)]
    fn raw_varint(&mut self, value: u64) {
        put_varint(self, value);
    }

    /// A variable-length integer without a tag.
    #[inline(always)]
    pub(super) fn varint(&mut self, value: u64) {
        self.room(10);
        self.raw_varint(value);
    }

    /// A varint field below number 16.
    #[inline(always)]
    pub(super) fn varint_field(&mut self, number: u8, value: u64) {
        self.room(11);
        self.few([number << 3 | VARINT]);
        self.raw_varint(value);
    }

    /// A varint field below number 16, left out when it is 0.
    #[inline(always)]
    pub(super) fn varint_unless_zero(&mut self, number: u8, value: u64) {
        if value != 0 {
            self.varint_field(number, value);
        }
    }

    /// An eight-byte field below number 16.
    #[inline(always)]
    pub(super) fn fixed64_field(&mut self, number: u8, value: u64) {
        self.room(9);
        self.few([number << 3 | FIXED64]);
        self.few(value.to_le_bytes());
    }

    /// An eight-byte field below number 16, left out when it is 0.
    #[inline(always)]
    pub(super) fn fixed64_unless_zero(&mut self, number: u8, value: u64) {
        if value != 0 {
            self.fixed64_field(number, value);
        }
    }

    /// A four-byte field, left out when it is 0; its number may be above 15.
    #[inline(always)]
    pub(super) fn fixed32_unless_zero(&mut self, number: u32, value: u32) {
        if value != 0 {
            self.room(16);
            self.raw_varint(u64::from(number) << 3 | u64::from(FIXED32));
            self.few(value.to_le_bytes());
        }
    }

    /// A string or bytes field below number 16.
    #[inline(always)]
    pub(super) fn bytes_field(&mut self, number: u8, bytes: &[u8]) {
        self.room(bytes.len() + WIDE);
        self.few([number << 3 | LEN]);
        self.raw_varint(bytes.len() as u64);
        self.text(bytes, 0, bytes.len());
    }

    /// A string or bytes field below number 16, left out when it is empty.
    #[inline(always)]
    pub(super) fn bytes_unless_empty(&mut self, number: u8, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.bytes_field(number, bytes);
        }
    }

    /// The fixed-size eight-byte numbers of a packed field below number 16, left out when there are none.
    pub(super) fn packed_fixed64(&mut self, number: u8, values: impl ExactSizeIterator<Item = u64>) {
        let bytes = values.len() * 8;
        if bytes == 0 {
            return;
        }
        self.room(bytes);
        self.few([number << 3 | LEN]);
        self.raw_varint(bytes as u64);
        for (to, value) in self.buffer[self.at..self.at + bytes].chunks_exact_mut(8).zip(values) {
            to.copy_from_slice(&value.to_le_bytes());
        }
        self.at += bytes;
    }

    /// A `KeyValue` field with a string value. Key and value are pieces of larger texts and must lie within them.
    #[inline(always)]
    pub(super) fn string_attribute(
        &mut self,
        number: u8,
        keys: &[u8],
        key: (usize, usize),
        values: &[u8],
        value: (usize, usize),
    ) {
        let (key_len, value_len) = (key.1, value.1);
        self.room(key_len + value_len + 2 * WIDE);
        if key_len + value_len < 128 - 6 {
            self.few([number << 3 | LEN, (key_len + value_len + 6) as u8, 0x0a, key_len as u8]);
            self.text(keys, key.0, key_len);
            self.few([0x12, value_len as u8 + 2, 0x0a, value_len as u8]);
            self.text(values, value.0, value_len);
            return;
        }
        let any = 1 + varint_len(value_len as u64) + value_len;
        self.key_value_head(number, keys, key, any);
        self.few([0x0a]);
        self.raw_varint(value_len as u64);
        self.text(values, value.0, value_len);
    }

    /// A `KeyValue` field with an integer value.
    #[inline(always)]
    pub(super) fn int_attribute(&mut self, number: u8, keys: &[u8], key: (usize, usize), value: i64) {
        self.room(key.1 + 2 * WIDE);
        self.key_value_head(number, keys, key, 1 + varint_len(value as u64));
        self.few([0x18]);
        self.raw_varint(value as u64);
    }

    /// Everything of a `KeyValue` field up to the content of its value, which will have `any` bytes.
    #[inline(always)]
    fn key_value_head(&mut self, number: u8, keys: &[u8], key: (usize, usize), any: usize) {
        let len = 2 + varint_len(key.1 as u64) + key.1 + varint_len(any as u64) + any;
        self.few([number << 3 | LEN]);
        self.raw_varint(len as u64);
        self.few([0x0a]);
        self.raw_varint(key.1 as u64);
        self.text(keys, key.0, key.1);
        self.few([0x12]);
        self.raw_varint(any as u64);
    }

    /// Begins a length-delimited field below number 16; `room` is a guess of the bytes its length will take, 1 to 5.
    #[inline(always)]
    pub(super) fn open(&mut self, number: u8, room: usize) -> Open {
        self.room(16);
        self.few([number << 3 | LEN]);
        let open = Open { at: self.at, room };
        self.at += room;
        open
    }

    /// Ends a length-delimited field: writes its length, and moves its content when the guess was wrong.
    #[inline(always)]
    pub(super) fn close(&mut self, open: Open) {
        let len = self.at - open.at - open.room;
        let needed = varint_len(len as u64);
        if needed != open.room {
            self.refit(open, len, needed);
        }
        let end = std::mem::replace(&mut self.at, open.at);
        self.raw_varint(len as u64);
        self.at = end;
    }

    #[cold]
    #[inline(never)]
    fn refit(&mut self, open: Open, len: usize, needed: usize) {
        self.room(needed);
        let from = open.at + open.room;
        self.buffer.copy_within(from..from + len, open.at + needed);
        self.at = open.at + needed + len;
    }
}

/// A guess for [`Out::open`], from a guess of the content's length.
pub(super) fn room_for(bytes: usize) -> usize {
    varint_len(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use otlp_arrow_wire::write as put;

    #[test]
    fn agrees_with_the_plain_writer() {
        let data: Vec<u8> = (0..40_000u32).map(|i| i as u8).collect();
        for len in [0usize, 1, 31, 32, 33, 60, 121, 122, 127, 128, 300, 16_383, 16_384, 20_000] {
            let (mut out, mut plain) = (Out::with_capacity(0), Vec::new());
            for room in 1..=4 {
                let open = out.open(3, room);
                out.bytes_field(1, &data[..len]);
                out.string_attribute(9, &data, (7, len / 3), &data, (11, len));
                out.int_attribute(9, &data, (7, len), -5);
                out.close(open);
                out.fixed32_unless_zero(16, 7);
                out.packed_fixed64(6, [1u64, 2].into_iter());
                let open = put::open(&mut plain, 3, 5);
                put::bytes_field(&mut plain, 1, &data[..len]);
                let attribute = |plain: &mut Vec<u8>, key: &[u8], value: &[u8]| {
                    let open = put::open(plain, 9, 1);
                    put::bytes_field(plain, 1, key);
                    put::bytes_field(plain, 2, value);
                    put::close(plain, open);
                };
                let mut value = Vec::new();
                put::bytes_field(&mut value, 1, &data[11..11 + len]);
                attribute(&mut plain, &data[7..7 + len / 3], &value);
                value.clear();
                put::tag(&mut value, 3, put::VARINT);
                put::varint(&mut value, -5i64 as u64);
                attribute(&mut plain, &data[7..7 + len], &value);
                put::close(&mut plain, open);
                put::tag(&mut plain, 16, put::FIXED32);
                plain.extend([7, 0, 0, 0, 0x32, 16, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
            }
            assert_eq!(out.finish(), plain, "{len}");
        }
    }
}

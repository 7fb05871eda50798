//! Writing protobuf bytes in one pass.

/// A buffer that messages are appended to.
///
/// A nested message is opened with room for its length and closed when its content is there, so no size is computed
/// beforehand; content moves by a byte or two only where the room was guessed wrong.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

/// An open nested message.
#[derive(Debug)]
#[must_use = "an opened message has to be closed"]
pub(crate) struct Open {
    content: usize,
    room: usize,
}

/// A place to go back to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark(usize);

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH: u32 = 2;
const FIXED32: u32 = 5;

impl Writer {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes) }
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark(self.bytes.len())
    }

    /// Takes back everything written since `mark`.
    pub(crate) fn rewind(&mut self, mark: Mark) {
        self.bytes.truncate(mark.0);
    }

    #[inline]
    fn tag(&mut self, field: u32, wire: u32) {
        self.varint(u64::from(field << 3 | wire));
    }

    /// A bare varint, as in a packed field.
    #[inline]
    pub(crate) fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    /// Bytes that are already encoded.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// A varint field, also when it is zero: for oneofs and optional fields.
    #[inline]
    pub(crate) fn present_varint(&mut self, field: u32, value: u64) {
        self.tag(field, VARINT);
        self.varint(value);
    }

    /// A varint field; zero is the default and not written.
    pub(crate) fn default_varint(&mut self, field: u32, value: u64) {
        if value != 0 {
            self.present_varint(field, value);
        }
    }

    /// A zigzag field; zero is the default and not written.
    pub(crate) fn default_sint32(&mut self, field: u32, value: i32) {
        self.default_varint(field, u64::from((value << 1 ^ value >> 31) as u32));
    }

    /// An eight-byte field, also when it is zero.
    pub(crate) fn present_fixed64(&mut self, field: u32, value: u64) {
        self.tag(field, FIXED64);
        self.raw(&value.to_le_bytes());
    }

    /// An eight-byte field; zero is the default and not written.
    pub(crate) fn default_fixed64(&mut self, field: u32, value: u64) {
        if value != 0 {
            self.present_fixed64(field, value);
        }
    }

    /// A double, also when it is zero.
    pub(crate) fn present_double(&mut self, field: u32, value: f64) {
        self.present_fixed64(field, value.to_bits());
    }

    /// A four-byte field; zero is the default and not written.
    pub(crate) fn default_fixed32(&mut self, field: u32, value: u32) {
        if value != 0 {
            self.tag(field, FIXED32);
            self.raw(&value.to_le_bytes());
        }
    }

    /// Text or bytes, also when empty.
    #[inline]
    pub(crate) fn present_bytes(&mut self, field: u32, value: &[u8]) {
        self.tag(field, LENGTH);
        self.varint(value.len() as u64);
        self.raw(value);
    }

    /// Text or bytes; nothing is written when empty.
    pub(crate) fn default_bytes(&mut self, field: u32, value: &[u8]) {
        if !value.is_empty() {
            self.present_bytes(field, value);
        }
    }

    /// Opens a nested message or packed field whose length will probably take `room` bytes (1 to 5).
    #[inline]
    pub(crate) fn open(&mut self, field: u32, room: usize) -> Open {
        self.tag(field, LENGTH);
        self.bytes.extend_from_slice(&[0; 5][..room]);
        Open { content: self.bytes.len(), room }
    }

    /// Closes what [`Writer::open`] opened.
    #[inline]
    pub(crate) fn close(&mut self, open: Open) {
        let Open { content, room } = open;
        let length = self.bytes.len() - content;
        let needed = varint_len(length);
        let start = content - room;
        if needed != room {
            self.make_room(start, content, needed);
        }
        let mut rest = length;
        for byte in &mut self.bytes[start..start + needed - 1] {
            *byte = rest as u8 | 0x80;
            rest >>= 7;
        }
        self.bytes[start + needed - 1] = rest as u8;
    }

    #[cold]
    fn make_room(&mut self, start: usize, content: usize, needed: usize) {
        let end = self.bytes.len();
        let target = start + needed;
        if target > content {
            self.bytes.resize(end + target - content, 0);
        }
        self.bytes.copy_within(content..end, target);
        self.bytes.truncate(target + end - content);
    }
}

fn varint_len(value: usize) -> usize {
    let bits = usize::BITS - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

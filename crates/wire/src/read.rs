//! The protobuf reader, over borrowed bytes: no allocation, every read bounds-checked, accepting what prost accepts.

use crate::write::{FIXED32, FIXED64, LEN, VARINT};

/// Why a request cannot be read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The bytes at `at` are not what they should be.
    Malformed {
        /// Position in the request.
        at: usize,
        /// What is wrong there.
        what: &'static str,
    },
    /// More memory is needed than one request may have. The reader itself takes none: this is for those who use it.
    TooLarge {
        /// Bytes that are needed.
        needed: usize,
    },
}

/// What reading gives.
pub type Wire<T> = Result<T, Stop>;

/// How deep groups may nest; prost stops at the same count of levels, messages included.
const GROUP_DEPTH: usize = 100;

/// Key of a length-delimited field.
pub const fn block_key(field: u32) -> u32 {
    field << 3 | 2
}

/// A set of field numbers below 64.
pub const fn fields<const N: usize>(numbers: [u32; N]) -> u64 {
    let mut set = 0;
    let mut i = 0;
    while i < N {
        set |= 1 << numbers[i];
        i += 1;
    }
    set
}

/// Positions of a length-delimited value within the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// Of its first byte.
    pub start: usize,
    /// Behind its last byte.
    pub end: usize,
}

impl Block {
    /// Bytes in it.
    #[inline(always)]
    pub fn len(self) -> usize {
        self.end - self.start
    }

    /// Whether there are none.
    #[inline(always)]
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The bytes themselves; nothing when the positions are not within `bytes`.
    #[inline(always)]
    pub fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.start..self.end).unwrap_or_default()
    }
}

/// One field as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Which field of its message; never 0.
    pub number: u32,
    /// [`VARINT`], [`FIXED64`], [`LEN`] or [`FIXED32`].
    pub wire_type: u8,
    /// The value of a varint or fixed field, else 0.
    pub bits: u64,
    /// The content of a length-delimited field, else nothing.
    pub bytes: &'a [u8],
}

/// A message being read. Positions count from the start of the request, so they stay good for a second look.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    /// The request up to the end of this message.
    bytes: &'a [u8],
    pos: usize,
}

impl<'a> Cursor<'a> {
    /// Reads all of `bytes` as a message.
    #[inline(always)]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, pos: 0 }
    }

    /// Reads a block of `bytes` as a message.
    #[inline(always)]
    pub fn within(bytes: &'a [u8], block: Block) -> Self {
        Self { bytes: bytes.get(..block.end).unwrap_or_default(), pos: block.start }
    }

    /// Whether the message ends here.
    #[inline(always)]
    pub fn done(&self) -> bool {
        self.pos >= self.bytes.len()
    }

    /// Position in the request.
    #[inline(always)]
    pub fn pos(&self) -> usize {
        self.pos
    }

    /// Everything up to the end of the message.
    pub fn rest(&self) -> Block {
        Block { start: self.pos, end: self.bytes.len() }
    }

    /// Says that the bytes from here on are not what they should be.
    #[cold]
    #[inline(never)]
    pub fn malformed<T>(&self, what: &'static str) -> Wire<T> {
        Err(Stop::Malformed { at: self.pos, what })
    }

    /// The key of the next field: its number times eight plus its wire type.
    #[inline(always)]
    pub fn key(&mut self) -> Wire<u32> {
        match self.bytes.get(self.pos) {
            Some(&byte) if byte < 0x80 => {
                self.pos += 1;
                Ok(u32::from(byte))
            }
            _ => self.long_key(),
        }
    }

    #[inline(never)]
    fn long_key(&mut self) -> Wire<u32> {
        let start = *self;
        match u32::try_from(self.varint()?) {
            Ok(key) => Ok(key),
            Err(_) => start.malformed("a field key above 32 bits"),
        }
    }

    /// A variable-length integer.
    #[inline(always)]
    pub fn varint(&mut self) -> Wire<u64> {
        match self.bytes.get(self.pos) {
            Some(&byte) if byte < 0x80 => {
                self.pos += 1;
                Ok(u64::from(byte))
            }
            _ => self.long_varint(),
        }
    }

    #[inline(never)]
    fn long_varint(&mut self) -> Wire<u64> {
        // Two bytes hold the length of nearly every record.
        if let Some(&[low, high @ 0..0x80]) = self.bytes.get(self.pos..).and_then(|rest| rest.first_chunk())
            && low >= 0x80
        {
            self.pos += 2;
            return Ok(u64::from(low & 0x7f) | u64::from(high) << 7);
        }
        let mut value = 0;
        for (i, &byte) in self.bytes.get(self.pos..).unwrap_or_default().iter().take(10).enumerate() {
            // The tenth byte holds the last of 64 bits.
            if i == 9 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte < 0x80 {
                self.pos += i + 1;
                return Ok(value);
            }
        }
        self.malformed("a varint that does not end or exceeds 64 bits")
    }

    /// A varint as protobuf's 32-bit types see it: the low half.
    #[inline(always)]
    pub fn varint32(&mut self) -> Wire<u32> {
        Ok(self.varint()? as u32)
    }

    /// Eight bytes, the low one first.
    #[inline(always)]
    pub fn fixed64(&mut self) -> Wire<u64> {
        match self.bytes.get(self.pos..).and_then(|rest| rest.first_chunk()) {
            Some(chunk) => {
                self.pos += 8;
                Ok(u64::from_le_bytes(*chunk))
            }
            None => self.malformed("eight bytes expected, fewer are left"),
        }
    }

    /// Four bytes, the low one first.
    #[inline(always)]
    pub fn fixed32(&mut self) -> Wire<u32> {
        match self.bytes.get(self.pos..).and_then(|rest| rest.first_chunk()) {
            Some(chunk) => {
                self.pos += 4;
                Ok(u32::from_le_bytes(*chunk))
            }
            None => self.malformed("four bytes expected, fewer are left"),
        }
    }

    /// A length and as many bytes.
    #[inline(always)]
    pub fn block(&mut self) -> Wire<Block> {
        let len = self.varint()?;
        if len > (self.bytes.len() - self.pos) as u64 {
            return self.malformed("a length that exceeds the message");
        }
        let start = self.pos;
        self.pos += len as usize;
        Ok(Block { start, end: self.pos })
    }

    /// A length-delimited message.
    #[inline(always)]
    pub fn message(&mut self) -> Wire<Cursor<'a>> {
        let block = self.block()?;
        Ok(Cursor { bytes: &self.bytes[..block.end], pos: block.start })
    }

    /// The next field, whatever it is. Groups, which OTLP has nowhere, are malformed.
    #[inline]
    pub fn field(&mut self) -> Wire<Field<'a>> {
        let start = *self;
        let key = self.key()?;
        let (number, wire_type) = (key >> 3, (key & 7) as u8);
        if number == 0 {
            return start.malformed("field number 0");
        }
        let (bits, bytes) = match wire_type {
            VARINT => (self.varint()?, &[][..]),
            FIXED64 => (self.fixed64()?, &[][..]),
            LEN => (0, self.block()?.of(self.bytes)),
            FIXED32 => (u64::from(self.fixed32()?), &[][..]),
            _ => return start.malformed("a wire type that OTLP does not use"),
        };
        Ok(Field { number, wire_type, bits, bytes })
    }

    /// Steps over a field that is not in `known`; a known field gets here only with a wire type it cannot have.
    #[inline(never)]
    pub fn skip(&mut self, key: u32, known: u64) -> Wire<()> {
        let field = key >> 3;
        if field < 64 && known >> field & 1 == 1 {
            return self.malformed("a wire type the field cannot have");
        }
        self.skip_field(key, 0)
    }

    fn skip_field(&mut self, key: u32, depth: usize) -> Wire<()> {
        if key >> 3 == 0 {
            return self.malformed("field number 0");
        }
        match key & 7 {
            0 => self.varint().map(drop),
            1 => self.fixed64().map(drop),
            2 => self.block().map(drop),
            3 if depth == GROUP_DEPTH => self.malformed("groups nested too deep"),
            3 => loop {
                let inner = self.key()?;
                if inner & 7 == 4 && inner >> 3 != 0 {
                    return if inner >> 3 == key >> 3 { Ok(()) } else { self.malformed("the end of another group") };
                }
                self.skip_field(inner, depth + 1)?;
            },
            4 => self.malformed("the end of a group that did not begin"),
            5 => self.fixed32().map(drop),
            _ => self.malformed("an unknown wire type"),
        }
    }
}

/// The fields of a small message, as far as it can be read: the text of an answer is not a reason to fail.
pub fn readable(message: &[u8]) -> impl Iterator<Item = Field<'_>> {
    let mut cursor = Cursor::new(message);
    std::iter::from_fn(move || if cursor.done() { None } else { cursor.field().ok() })
}

/// The last value of a string, bytes or message field, as far as the message can be read.
pub fn bytes_field(message: &[u8], number: u32) -> Option<&[u8]> {
    readable(message).filter(|field| field.number == number && field.wire_type == LEN).map(|field| field.bytes).last()
}

/// The last value of a varint field, as far as the message can be read.
pub fn varint_field(message: &[u8], number: u32) -> Option<u64> {
    readable(message).filter(|field| field.number == number && field.wire_type == VARINT).map(|field| field.bits).last()
}

/// Protobuf's sint32: the sign in the lowest bit.
pub fn zigzag(value: u32) -> i32 {
    (value >> 1) as i32 ^ -((value & 1) as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn varint(bytes: &[u8]) -> Wire<u64> {
        Cursor::new(bytes).varint()
    }

    #[test]
    fn varints_may_be_padded_up_to_ten_bytes() {
        assert_eq!(varint(&[0x80, 0x80, 0x00]), Ok(0));
        assert_eq!(varint(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]), Ok(u64::MAX));
        assert!(varint(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]).is_err());
        assert!(varint(&[0x80; 11]).is_err());
        assert!(varint(&[0x80]).is_err());
        assert!(varint(&[]).is_err());
    }

    #[test]
    fn groups_are_skipped_whole() {
        let bytes = [0x0b, 0x13, 0x08, 0x05, 0x14, 0x0c, 0x08, 0x07];
        let mut cursor = Cursor::new(&bytes);
        let key = cursor.key().unwrap();
        assert_eq!(cursor.skip(key, 0), Ok(()));
        assert_eq!((cursor.key(), cursor.varint()), (Ok(8), Ok(7)));
        let crossed = [0x0b, 0x14];
        let mut cursor = Cursor::new(&crossed);
        let key = cursor.key().unwrap();
        assert!(cursor.skip(key, 0).is_err());
    }

    #[test]
    fn deep_groups_end_without_a_stack_overflow() {
        let bytes = vec![0x0b; 1 << 20];
        let mut cursor = Cursor::new(&bytes);
        let key = cursor.key().unwrap();
        assert!(matches!(cursor.skip(key, 0), Err(Stop::Malformed { .. })));
    }

    #[test]
    fn keys_and_wire_types() {
        for (bytes, known) in [(&[0x07, 0][..], 0), (&[0x02, 0], 0), (&[0x08, 1], fields([1])), (&[0x0c], 0)] {
            let mut cursor = Cursor::new(bytes);
            let key = cursor.key().unwrap();
            assert!(cursor.skip(key, known).is_err(), "{bytes:?}");
        }
        assert!(Cursor::new(&[0xff, 0xff, 0xff, 0xff, 0x1f]).key().is_err());
        assert_eq!(Cursor::new(&[0x8a, 0x00]).key(), Ok(0x0a));
    }

    #[test]
    fn lengths_stay_within_the_message() {
        assert!(Cursor::new(&[2, 0]).block().is_err());
        assert_eq!(Cursor::new(&[1, 0]).block(), Ok(Block { start: 1, end: 2 }));
        assert!(Cursor::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]).block().is_err());
    }

    #[test]
    fn fields_are_read_one_by_one() {
        let bytes = [0x08, 0xac, 0x02, 0x12, 2, b'h', b'i', 0x1d, 1, 0, 0, 0, 0x21, 2, 0, 0, 0, 0, 0, 0, 0];
        let read: Vec<_> =
            readable(&bytes).map(|field| (field.number, field.wire_type, field.bits, field.bytes)).collect();
        let none = &b""[..];
        assert_eq!(read, [(1, VARINT, 300, none), (2, LEN, 0, b"hi"), (3, FIXED32, 1, none), (4, FIXED64, 2, none)]);
        for broken in [&[0x00, 0][..], &[0x0b, 0x0c], &[0x0e], &[0x12, 1]] {
            assert!(Cursor::new(broken).field().is_err(), "{broken:?}");
        }
    }

    #[test]
    fn what_is_cut_off_ends_the_fields() {
        let mut message = vec![0x08, 0xac, 0x02];
        crate::write::bytes_field(&mut message, 2, b"text");
        for end in 0..message.len() {
            assert!(bytes_field(&message[..end], 2).is_none());
            assert_eq!(varint_field(&message[..end], 1), (end >= 3).then_some(300));
        }
        assert_eq!(bytes_field(&message, 2), Some(&b"text"[..]));
        assert_eq!(readable(&[0xff; 40]).count(), 0);
    }

    #[test]
    fn zigzag_is_protobufs() {
        assert_eq!([0, 1, 2, u32::MAX, u32::MAX - 1].map(zigzag), [0, -1, 1, i32::MIN, i32::MAX]);
    }
}

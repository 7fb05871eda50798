//! A protobuf reader over borrowed bytes: no allocation, every read bounds-checked, accepting what prost accepts.

pub(crate) mod merge;
pub(crate) mod text;

/// Why a request cannot be read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The bytes at `at` are not what they should be.
    Malformed { at: usize, what: &'static str },
    /// More memory is needed than one request may have.
    TooLarge { needed: usize },
}

pub(crate) type Wire<T> = Result<T, Stop>;

/// How deep groups may nest; prost stops at the same count of levels, messages included.
const GROUP_DEPTH: usize = 100;

/// Key of a length-delimited field.
pub(crate) const fn block_key(field: u32) -> u32 {
    field << 3 | 2
}

/// A set of field numbers below 64.
pub(crate) const fn fields<const N: usize>(numbers: [u32; N]) -> u64 {
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
pub(crate) struct Block {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Block {
    #[inline(always)]
    pub(crate) fn len(self) -> usize {
        self.end - self.start
    }

    #[inline(always)]
    pub(crate) fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The bytes themselves; nothing when the positions are not within `bytes`.
    #[inline(always)]
    pub(crate) fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.start..self.end).unwrap_or_default()
    }
}

/// A message being read. Positions count from the start of the request, so they stay good for a second look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    /// The request up to the end of this message.
    bytes: &'a [u8],
    pos: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, pos: 0 }
    }

    /// Reads a block of `bytes` as a message.
    #[inline(always)]
    pub(crate) fn within(bytes: &'a [u8], block: Block) -> Self {
        Self { bytes: bytes.get(..block.end).unwrap_or_default(), pos: block.start }
    }

    #[inline(always)]
    pub(crate) fn done(&self) -> bool {
        self.pos >= self.bytes.len()
    }

    /// Position in the request.
    #[inline(always)]
    pub(crate) fn pos(&self) -> usize {
        self.pos
    }

    /// Everything up to the end of the message.
    pub(crate) fn rest(&self) -> Block {
        Block { start: self.pos, end: self.bytes.len() }
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn malformed<T>(&self, what: &'static str) -> Wire<T> {
        Err(Stop::Malformed { at: self.pos, what })
    }

    /// The key of the next field: its number times eight plus its wire type.
    #[inline(always)]
    pub(crate) fn key(&mut self) -> Wire<u32> {
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

    #[inline(always)]
    pub(crate) fn varint(&mut self) -> Wire<u64> {
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
    pub(crate) fn varint32(&mut self) -> Wire<u32> {
        Ok(self.varint()? as u32)
    }

    #[inline(always)]
    pub(crate) fn fixed64(&mut self) -> Wire<u64> {
        match self.bytes.get(self.pos..).and_then(|rest| rest.first_chunk()) {
            Some(chunk) => {
                self.pos += 8;
                Ok(u64::from_le_bytes(*chunk))
            }
            None => self.malformed("eight bytes expected, fewer are left"),
        }
    }

    #[inline(always)]
    pub(crate) fn fixed32(&mut self) -> Wire<u32> {
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
    pub(crate) fn block(&mut self) -> Wire<Block> {
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
    pub(crate) fn message(&mut self) -> Wire<Cursor<'a>> {
        let block = self.block()?;
        Ok(Cursor { bytes: &self.bytes[..block.end], pos: block.start })
    }

    /// Steps over a field that is not in `known`; a known field gets here only with a wire type it cannot have.
    #[inline(never)]
    pub(crate) fn skip(&mut self, key: u32, known: u64) -> Wire<()> {
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

/// Protobuf's sint32: the sign in the lowest bit.
pub(crate) fn zigzag(value: u32) -> i32 {
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
    fn zigzag_is_protobufs() {
        assert_eq!([0, 1, 2, u32::MAX, u32::MAX - 1].map(zigzag), [0, -1, 1, i32::MIN, i32::MAX]);
    }
}

//! Texts of JavaScript that were written as one, taken apart again.

/// U+FFFD, which takes the place of half a character.
const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();

/// UTF-8 that is taken by UTF-16 units.
pub(super) struct Texts<'a> {
    rest: &'a [u8],
    ascii: bool,
    /// The first character of `rest` is one of two units, of which one was taken.
    half: bool,
    piece: Vec<u8>,
}

impl<'a> Texts<'a> {
    /// All texts one behind the other; `ascii` if every unit is one byte.
    pub(super) fn new(rest: &'a [u8], ascii: bool) -> Self {
        Self { rest, ascii, half: false, piece: Vec::new() }
    }

    /// Whether everything was taken.
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `units`; None if there are fewer.
    ///
    /// Where a text ended with the first half of a character and the next began with the second, they were written as one
    /// character, but neither text has it: it is taken as half a character of each.
    pub(super) fn take(&mut self, units: usize) -> Option<&[u8]> {
        if self.ascii {
            let (own, rest) = self.rest.split_at_checked(units)?;
            self.rest = rest;
            return Some(own);
        }
        self.piece.clear();
        let mut left = units;
        if self.half && left > 0 {
            self.rest = self.rest.get(4..)?;
            self.half = false;
            self.piece.extend_from_slice(REPLACEMENT);
            left -= 1;
        }
        let (mut end, mut cut) = (0, false);
        while left > 0 {
            let (bytes, wide) = match *self.rest.get(end)? {
                0..0x80 => (1, 1),
                0x80..0xe0 => (2, 1),
                0xe0..0xf0 => (3, 1),
                0xf0.. => (4, 2),
            };
            if wide > left {
                self.half = true;
                cut = true;
                break;
            }
            end += bytes;
            left -= wide;
        }
        let (own, rest) = self.rest.split_at_checked(end)?;
        self.piece.extend_from_slice(own);
        if cut {
            self.piece.extend_from_slice(REPLACEMENT);
        }
        self.rest = rest;
        Some(&self.piece)
    }
}

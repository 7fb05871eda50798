//! Attribute values in the first pass: checked, and measured as text or JSON.

use super::Checker;
use crate::Reason;
use crate::render::{
    DOUBLE_LEN, JSON_BYTES_MARKS, JSON_DOUBLE_LEN, Value, base64_len, json_string_len, usual_key_value,
};
use crate::wire::text::{fingerprint, is_utf8};
use crate::wire::{Block, Cursor, Wire, fields};

/// The names a refusal gives to the parts of an attribute.
pub(super) struct Names {
    pub(super) key: &'static str,
    pub(super) value: &'static str,
}

/// Members of the oneof in `AnyValue`.
const ANY_VALUE: u64 = fields([1, 2, 3, 4, 5, 6, 7, 8]);
const KEY_VALUE: u64 = fields([1, 2, 3]);

/// A checked attribute: its key, and the bytes of its value as text, at most.
#[derive(Clone, Copy)]
pub(super) struct Size {
    pub(super) key: Block,
    pub(super) value: usize,
}

impl<'a> Checker<'a> {
    /// A `KeyValue` whose value will be kept as text.
    #[inline(always)]
    pub(super) fn key_value(&mut self, cursor: Cursor<'a>, names: &'static Names) -> Wire<Size> {
        let Some((key, value)) = usual_key_value(self.bytes, cursor) else {
            return self.general_key_value(cursor, names);
        };
        if !is_utf8(self.bytes, key) {
            self.flaw(names.key, Reason::InvalidUtf8);
        }
        let value = match value {
            Value::String(text) => {
                if !is_utf8(self.bytes, text) {
                    self.flaw(names.value, Reason::InvalidUtf8);
                }
                text.len()
            }
            Value::Int(value) => digits(value),
            _ => 0,
        };
        Ok(Size { key, value })
    }

    #[inline(never)]
    fn general_key_value(&mut self, mut cursor: Cursor<'a>, names: &'static Names) -> Wire<Size> {
        let mut size = Size { key: Block::default(), value: 0 };
        let mut values = 0;
        while !cursor.done() {
            match cursor.key()? {
                0x0a => {
                    size.key = cursor.block()?;
                    if !is_utf8(self.bytes, size.key) {
                        self.flaw(names.key, Reason::InvalidUtf8);
                    }
                }
                0x12 => {
                    values += 1;
                    size.value = self.value(cursor.message()?, names)?;
                }
                0x18 => drop(cursor.varint()?),
                key => cursor.skip(key, KEY_VALUE)?,
            }
        }
        if values > 1 {
            self.merges += values - 1;
        }
        Ok(size)
    }

    /// An `AnyValue` that will be kept as text: the bytes of it, at most.
    #[inline(always)]
    pub(super) fn value(&mut self, mut cursor: Cursor<'a>, names: &'static Names) -> Wire<usize> {
        let mut text = 0;
        let mut members = 0;
        while !cursor.done() {
            members += 1;
            text = match cursor.key()? {
                0x0a => {
                    let block = cursor.block()?;
                    if !is_utf8(self.bytes, block) {
                        self.flaw(names.value, Reason::InvalidUtf8);
                    }
                    block.len()
                }
                0x18 => digits(cursor.varint()? as i64),
                key => match self.rare_value(key, &mut cursor, names)? {
                    Some(text) => text,
                    None => {
                        members -= 1;
                        text
                    }
                },
            };
        }
        if members > 1 {
            self.merges += members - 1;
        }
        Ok(text)
    }

    /// The other members; `None` for a field that is none.
    #[inline(never)]
    fn rare_value(&mut self, key: u32, cursor: &mut Cursor<'a>, names: &'static Names) -> Wire<Option<usize>> {
        Ok(Some(match key {
            0x10 => {
                cursor.varint()?;
                5
            }
            0x21 => {
                cursor.fixed64()?;
                DOUBLE_LEN
            }
            0x2a => self.json_array(cursor.message()?, names, 1)?,
            0x32 => self.json_map(cursor.message()?, names, 1)?,
            0x3a => base64_len(cursor.block()?.len()),
            0x40 => {
                cursor.varint()?;
                0
            }
            key => {
                cursor.skip(key, ANY_VALUE)?;
                return Ok(None);
            }
        }))
    }

    /// An `AnyValue` within JSON, `depth` arrays and maps deep.
    fn json_value(&mut self, mut cursor: Cursor<'a>, names: &'static Names, depth: usize) -> Wire<usize> {
        let mut json = "null".len();
        let mut members = 0_usize;
        while !cursor.done() {
            members += 1;
            json = match cursor.key()? {
                0x0a => {
                    let block = cursor.block()?;
                    if !is_utf8(self.bytes, block) {
                        self.flaw(names.value, Reason::InvalidUtf8);
                    }
                    json_string_len(block.of(self.bytes))
                }
                0x10 => {
                    cursor.varint()?;
                    5
                }
                0x18 => digits(cursor.varint()? as i64),
                0x21 => {
                    cursor.fixed64()?;
                    JSON_DOUBLE_LEN
                }
                0x2a => self.json_array(cursor.message()?, names, depth + 1)?,
                0x32 => self.json_map(cursor.message()?, names, depth + 1)?,
                0x3a => base64_len(cursor.block()?.len()) + JSON_BYTES_MARKS,
                0x40 => {
                    cursor.varint()?;
                    4
                }
                key => {
                    cursor.skip(key, ANY_VALUE)?;
                    members -= 1;
                    json
                }
            };
        }
        self.merges += members.saturating_sub(1);
        Ok(json)
    }

    /// Whether values may nest as deep as `depth`; if not, the record is refused and the value not read.
    fn may_nest(&mut self, depth: usize, names: &'static Names) -> bool {
        if depth > self.nesting {
            self.flaw(names.value, Reason::TooDeep);
        }
        depth <= self.nesting
    }

    /// An `ArrayValue`: bytes of its JSON.
    fn json_array(&mut self, mut cursor: Cursor<'a>, names: &'static Names, depth: usize) -> Wire<usize> {
        let mut json = 2;
        while self.may_nest(depth, names) && !cursor.done() {
            match cursor.key()? {
                0x0a => json += self.json_value(cursor.message()?, names, depth)? + 1,
                key => cursor.skip(key, fields([1]))?,
            }
        }
        Ok(json)
    }

    /// A `KeyValueList`: bytes of its JSON.
    fn json_map(&mut self, mut cursor: Cursor<'a>, names: &'static Names, depth: usize) -> Wire<usize> {
        let mut json = 2;
        while self.may_nest(depth, names) && !cursor.done() {
            match cursor.key()? {
                0x0a => json += self.json_attribute(cursor.message()?, names, depth)?,
                key => cursor.skip(key, fields([1]))?,
            }
        }
        Ok(json)
    }

    /// A `KeyValue` within a JSON object: its bytes, with a comma and a mark.
    pub(super) fn json_attribute(
        &mut self,
        mut cursor: Cursor<'a>,
        names: &'static Names,
        depth: usize,
    ) -> Wire<usize> {
        let (mut key, mut value) = (2, "null".len());
        let mut values = 0_usize;
        while !cursor.done() {
            match cursor.key()? {
                0x0a => {
                    let block = cursor.block()?;
                    if !is_utf8(self.bytes, block) {
                        self.flaw(names.key, Reason::InvalidUtf8);
                    }
                    key = json_string_len(block.of(self.bytes));
                }
                0x12 => {
                    values += 1;
                    value = self.json_value(cursor.message()?, names, depth)?;
                }
                0x18 => drop(cursor.varint()?),
                other => cursor.skip(other, KEY_VALUE)?,
            }
        }
        self.merges += values.saturating_sub(1);
        Ok(key + value + 3)
    }
}

/// Characters of a number in decimal.
#[inline(always)]
fn digits(value: i64) -> usize {
    if (0..10).contains(&value) {
        return 1;
    }
    usize::from(value < 0) + 1 + value.unsigned_abs().checked_ilog10().unwrap_or_default() as usize
}

/// The most keys that are told apart exactly; a longer list is taken to repeat one.
const EXACT: usize = 64;

/// The keys of one attribute list, to see whether one occurs twice.
pub(super) struct Keys {
    /// One bit for each fingerprint seen.
    seen: [u64; 16],
    blocks: [Block; EXACT],
    len: usize,
}

impl Keys {
    pub(super) fn new() -> Self {
        Self { seen: [0; 16], blocks: [Block::default(); EXACT], len: 0 }
    }

    #[inline(always)]
    pub(super) fn clear(&mut self) {
        if self.len > 0 {
            self.seen = [0; 16];
            self.len = 0;
        }
    }

    /// Adds a key; whether it may be there already (surely not when it says no).
    #[inline(always)]
    pub(super) fn repeats(&mut self, bytes: &[u8], key: Block) -> bool {
        let bit = fingerprint(bytes, key) >> 54;
        let word = &mut self.seen[(bit >> 6) as usize];
        let new = *word >> (bit & 63) & 1 == 0;
        *word |= 1 << (bit & 63);
        let Some(slot) = self.blocks.get_mut(self.len) else { return true };
        *slot = key;
        self.len += 1;
        !new && self.is_among_earlier(bytes, key)
    }

    #[inline(never)]
    fn is_among_earlier(&self, bytes: &[u8], key: Block) -> bool {
        let text = key.of(bytes);
        self.blocks[..self.len - 1].iter().any(|earlier| earlier.len() == key.len() && earlier.of(bytes) == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_counted() {
        for value in [0, 9, 10, 99, 100, -1, -10, i64::MAX, i64::MIN, 1_000_000_000_000] {
            assert_eq!(digits(value), value.to_string().len());
        }
    }

    #[test]
    fn keys_are_told_apart() {
        let text: String = (0..EXACT).map(|i| format!("key.{i:04}")).collect();
        let mut keys = Keys::new();
        for i in 0..EXACT {
            assert!(!keys.repeats(text.as_bytes(), Block { start: 8 * i, end: 8 * i + 8 }));
        }
        assert!(keys.repeats(b"one more", Block { start: 0, end: 8 }), "a long list is left to the second pass");
        keys.clear();
        assert!(!keys.repeats(text.as_bytes(), Block { start: 0, end: 8 }));
        assert!(!keys.repeats(text.as_bytes(), Block { start: 0, end: 7 }));
        assert!(keys.repeats(text.as_bytes(), Block { start: 0, end: 8 }));
        assert!(!keys.repeats(b"", Block::default()));
        assert!(keys.repeats(b"", Block::default()));
    }
}

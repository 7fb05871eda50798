//! Attribute values in the first pass: checked, and measured as text or JSON.

use otlp_arrow_wire::read::{Block, Cursor, Wire, fields};

use super::Checker;
use crate::Reason;
use crate::render::{
    DOUBLE_LEN, JSON_BYTES_MARKS, JSON_DOUBLE_LEN, Value, base64_len, json_string_len, usual_key_value,
};
use crate::text::{fingerprint, is_utf8, same};

/// The names a refusal gives to the parts of an attribute.
pub(super) struct Names {
    pub(super) key: &'static str,
    pub(super) value: &'static str,
}

/// Which list of attributes is being read.
#[derive(Clone, Copy)]
pub(super) enum List {
    /// That of a record.
    Record,
    /// That of an event, a link or an exemplar.
    Inner,
}

/// Members of the oneof in `AnyValue`.
const ANY_VALUE: u64 = fields([1, 2, 3, 4, 5, 6, 7, 8]);
const KEY_VALUE: u64 = fields([1, 2, 3]);

/// What an attribute takes: bytes of its key, and of its value as text, at most.
#[derive(Clone, Copy)]
pub(super) struct Size {
    pub(super) key: usize,
    pub(super) value: usize,
}

impl<'a> Checker<'a> {
    /// A `KeyValue` of a list whose values will be kept as text; `keys` are those of the list.
    #[inline(always)]
    pub(super) fn listed(&mut self, keys: List, cursor: Cursor<'a>, names: &'static Names) -> Wire<Size> {
        let Some((key, value)) = usual_key_value(self.bytes, cursor) else {
            return self.listed_unusual(keys, cursor, names);
        };
        let bytes = self.bytes;
        if !self.keys(keys).follows(bytes, key) {
            self.listed_key(keys, key, names);
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
        Ok(Size { key: key.len(), value })
    }

    #[inline(always)]
    fn keys(&mut self, list: List) -> &mut Keys {
        match list {
            List::Record => &mut self.keys,
            List::Inner => &mut self.inner_keys,
        }
    }

    /// A key that is not the one that was at its place before.
    #[inline(never)]
    fn listed_key(&mut self, list: List, key: Block, names: &'static Names) {
        let bytes = self.bytes;
        let repeats = self.keys(list).repeats(bytes, key);
        self.repeats |= repeats;
        if !is_utf8(bytes, key) {
            self.flaw(names.key, Reason::InvalidUtf8);
            self.keys(list).distrust();
        }
    }

    #[inline(never)]
    fn listed_unusual(&mut self, keys: List, mut cursor: Cursor<'a>, names: &'static Names) -> Wire<Size> {
        let mut found = Block::default();
        let mut is_valid = true;
        let mut value = 0;
        let mut values = 0;
        while !cursor.done() {
            match cursor.key()? {
                0x0a => {
                    found = cursor.block()?;
                    is_valid &= is_utf8(self.bytes, found);
                }
                0x12 => {
                    values += 1;
                    value = self.value(cursor.message()?, names)?;
                }
                0x18 => drop(cursor.varint()?),
                key => cursor.skip(key, KEY_VALUE)?,
            }
        }
        if values > 1 {
            self.merges += values - 1;
        }
        if !is_valid {
            self.flaw(names.key, Reason::InvalidUtf8);
        }
        let bytes = self.bytes;
        if !self.keys(keys).follows(bytes, found) {
            self.listed_key(keys, found, names);
        }
        Ok(Size { key: found.len(), value })
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

/// The numbers that take one digit more than those below them; 0 takes as many as 1.
const POWERS: [u64; 20] = {
    let mut powers = [0; 20];
    let mut i = 1;
    let mut power = 1;
    while i < 20 {
        power *= 10;
        powers[i] = power;
        i += 1;
    }
    powers
};

/// Characters of a number in decimal.
#[inline(always)]
fn digits(value: i64) -> usize {
    let abs = value.unsigned_abs();
    // The logarithm of 2 to base 10 is 1233/4096; a number may still lie below the power its bits reach.
    let bits = 64 - (abs | 1).leading_zeros() as usize;
    let power = (bits * 1233) >> 12;
    usize::from(value < 0) + power + usize::from(abs >= POWERS[power])
}

/// The most keys that are told apart exactly; a longer list is taken to repeat one.
const EXACT: usize = 64;

/// The keys of one attribute list, to see whether one occurs twice.
///
/// Records of one program repeat their keys in order. While each key is the one that was at its place in the list
/// before, it is known to be valid and to differ from the others, and nothing else has to be looked at.
pub(super) struct Keys {
    /// Keys in order of their places; the first `known` of them are valid and differ from each other.
    blocks: [Block; EXACT],
    known: usize,
    /// Keys of the list being read.
    len: usize,
    /// Whether the list being read has left the known keys; `seen` holds it then.
    strayed: bool,
    /// Whether all keys of a strayed list are valid and different.
    sound: bool,
    /// One bit for each fingerprint seen.
    seen: [u64; 16],
}

impl Keys {
    pub(super) fn new() -> Self {
        Self { blocks: [Block::default(); EXACT], known: 0, len: 0, strayed: false, sound: true, seen: [0; 16] }
    }

    /// Begins another list.
    #[inline(always)]
    pub(super) fn clear(&mut self) {
        if self.strayed {
            self.known = if self.sound { self.len } else { 0 };
            self.strayed = false;
        }
        self.len = 0;
    }

    /// Adds a key that is the known one of its place; `false`, and nothing added, if it is another.
    #[inline(always)]
    pub(super) fn follows(&mut self, bytes: &[u8], key: Block) -> bool {
        let follows = !self.strayed
            && self.len < self.known
            && self.blocks.get(self.len).is_some_and(|known| same(known.of(bytes), key.of(bytes)));
        self.len += usize::from(follows);
        follows
    }

    /// Says that the key added last is not UTF-8.
    #[cold]
    pub(super) fn distrust(&mut self) {
        self.sound = false;
    }

    /// Adds a key that does not follow; whether it may be there already (surely not when it says no).
    #[inline(never)]
    pub(super) fn repeats(&mut self, bytes: &[u8], key: Block) -> bool {
        if !self.strayed {
            self.stray(bytes);
        }
        let Some(slot) = self.blocks.get_mut(self.len) else {
            self.sound = false;
            return true;
        };
        *slot = key;
        self.len += 1;
        let repeats = !mark(&mut self.seen, bytes, key) && self.is_among_earlier(bytes, key);
        self.sound &= !repeats;
        repeats
    }

    /// Remembers the keys that followed, before one that does not.
    fn stray(&mut self, bytes: &[u8]) {
        (self.strayed, self.sound, self.seen) = (true, true, [0; 16]);
        for &earlier in &self.blocks[..self.len] {
            mark(&mut self.seen, bytes, earlier);
        }
    }

    #[inline(never)]
    fn is_among_earlier(&self, bytes: &[u8], key: Block) -> bool {
        let text = key.of(bytes);
        self.blocks[..self.len - 1].iter().any(|earlier| earlier.len() == key.len() && earlier.of(bytes) == text)
    }
}

/// Sets the bit of a key; whether it was clear.
#[inline(always)]
fn mark(seen: &mut [u64; 16], bytes: &[u8], key: Block) -> bool {
    let bit = fingerprint(bytes, key) >> 54;
    let word = &mut seen[(bit >> 6) as usize];
    let new = *word >> (bit & 63) & 1 == 0;
    *word |= 1 << (bit & 63);
    new
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
    fn digits_of_every_length() {
        for power in 0..19 {
            let first = 10_i64.pow(power);
            for value in [first - 1, first, first + 1, -first, 1 - first] {
                assert_eq!(digits(value), value.to_string().len(), "{value}");
            }
        }
    }

    /// Adds a key as the checker does; whether it may repeat.
    fn add(keys: &mut Keys, text: &[u8], start: usize, end: usize) -> bool {
        let key = Block { start, end };
        !keys.follows(text, key) && keys.repeats(text, key)
    }

    #[test]
    fn keys_are_told_apart() {
        let text: String = (0..=EXACT).map(|i| format!("key.{i:04}")).collect();
        let text = text.as_bytes();
        let mut keys = Keys::new();
        for _ in 0..3 {
            for i in 0..EXACT {
                assert!(!add(&mut keys, text, 8 * i, 8 * i + 8));
            }
            assert!(add(&mut keys, text, 8 * EXACT, 8 * EXACT + 8), "a long list is left to the second pass");
            keys.clear();
        }
        assert!(!add(&mut keys, text, 0, 8));
        assert!(!add(&mut keys, text, 0, 7));
        assert!(add(&mut keys, text, 0, 8));
        assert!(!add(&mut keys, text, 0, 0));
        assert!(add(&mut keys, text, 0, 0));
    }

    #[test]
    fn keys_that_follow_are_not_looked_at_again() {
        let text = b"a.b.c.d.";
        let list = |keys: &mut Keys, starts: &[usize]| {
            keys.clear();
            starts.iter().map(|&at| add(keys, text, at, at + 2)).collect::<Vec<_>>()
        };
        let mut keys = Keys::new();
        assert_eq!(list(&mut keys, &[0, 2, 4]), [false; 3]);
        assert_eq!(list(&mut keys, &[0, 2, 4]), [false; 3]);
        assert!(!keys.strayed && keys.known == 3);
        assert_eq!(list(&mut keys, &[0, 2]), [false; 2]);
        assert_eq!(list(&mut keys, &[0, 2, 4, 0]), [false, false, false, true], "after a shorter list");
        assert_eq!(list(&mut keys, &[0, 2, 4, 0]), [false, false, false, true], "a list that repeats is not known");
        assert_eq!(list(&mut keys, &[0, 4, 0]), [false, false, true]);
        assert_eq!(list(&mut keys, &[2, 4, 6]), [false; 3]);
        assert_eq!(list(&mut keys, &[2, 6, 4, 6]), [false, false, false, true]);
        assert_eq!(list(&mut keys, &[2]), [false]);
        keys.distrust();
        assert_eq!(list(&mut keys, &[2]), [false]);
        assert!(keys.strayed, "a key that is not valid is not known either");
    }
}

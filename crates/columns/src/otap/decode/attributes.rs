//! A table of attributes: what each row says as the text of a column, and which rows belong to what.

use otlp_arrow_wire::read::Block;

use super::cbor;
use super::cells::{Columns, Ints, Texts};
use super::children::Groups;
use super::error::{Fault, invalid};
use super::ids::{NONE, Rules};
use super::planning::Planning;
use crate::column::{self, AttributeCounts, Letters};
use crate::otap::table::value_type;
use crate::render::{self, letter};
use crate::text::same;

/// The attributes of one table, by what they belong to.
#[derive(Default)]
pub(super) struct Attributes<'b> {
    /// None where the table was not sent.
    table: Option<Table<'b>>,
}

struct Table<'b> {
    keys: Texts<'b>,
    /// Bytes of strings; of what has another letter they are in `scratch`.
    strings: &'b [u8],
    scratch: Vec<u8>,
    letters: Vec<u8>,
    values: Vec<Block32>,
    groups: Groups,
}

/// Where a value is.
#[derive(Clone, Copy, Default)]
struct Block32 {
    start: u32,
    end: u32,
}

impl Block32 {
    #[inline(always)]
    fn block(self) -> Block {
        Block { start: self.start as usize, end: self.end as usize }
    }
}

impl From<Block> for Block32 {
    #[inline(always)]
    fn from(block: Block) -> Self {
        Self { start: block.start as u32, end: block.end as u32 }
    }
}

/// The columns of an `AnyValue`.
pub(super) struct Values<'b> {
    kinds: Ints<'b>,
    pub(super) strings: Texts<'b>,
    ints: Ints<'b>,
    doubles: Ints<'b>,
    bools: super::cells::Bools<'b>,
    bytes: Texts<'b>,
    nested: Texts<'b>,
}

/// Where the text of a value is.
pub(super) enum Place {
    /// In the column of strings.
    Strings(Block),
    /// In what was rendered.
    Scratch,
    /// Nowhere: it is null.
    Nowhere,
}

impl<'b> Values<'b> {
    pub(super) fn of(columns: &Columns<'b>) -> Result<Self, Fault> {
        Ok(Self {
            kinds: columns.ints("type")?,
            strings: columns.texts("str")?,
            ints: columns.ints("int")?,
            doubles: columns.doubles("double")?,
            bools: columns.bools("bool"),
            bytes: columns.texts("bytes")?,
            nested: columns.texts("ser")?,
        })
    }

    /// The letter of a row and where its text is, which is appended to `scratch` where it must be rendered. A null in the
    /// column of the type is the default value of the type.
    #[inline(always)]
    pub(super) fn text(
        &self,
        row: usize,
        scratch: &mut Vec<u8>,
        planning: &Planning<'_, '_>,
    ) -> Result<(u8, Place), Fault> {
        let kind = self.kinds.or_zero(row) as u8;
        match kind {
            value_type::STR => Ok((letter::STRING, Place::Strings(self.strings.block(row).unwrap_or_default()))),
            value_type::INT => {
                render::int(scratch, self.ints.or_zero(row));
                Ok((letter::INT, Place::Scratch))
            }
            _ => self.rare(kind, row, scratch, planning),
        }
    }

    #[inline(never)]
    fn rare(
        &self,
        kind: u8,
        row: usize,
        scratch: &mut Vec<u8>,
        planning: &Planning<'_, '_>,
    ) -> Result<(u8, Place), Fault> {
        let letter = match kind {
            value_type::EMPTY => return Ok((letter::EMPTY, Place::Nowhere)),
            value_type::DOUBLE => {
                render::double(scratch, self.doubles.double(row).unwrap_or_default());
                letter::DOUBLE
            }
            value_type::BOOL => {
                render::bool(scratch, self.bools.get(row).unwrap_or_default());
                letter::BOOL
            }
            value_type::BYTES => {
                render::base64(scratch, self.bytes.or_empty(row));
                letter::BYTES
            }
            value_type::MAP | value_type::SLICE => match self.nested.or_empty(row) {
                [] if kind == value_type::MAP => {
                    scratch.extend_from_slice(b"{}");
                    letter::MAP
                }
                [] => {
                    scratch.extend_from_slice(b"[]");
                    letter::ARRAY
                }
                bytes => match cbor::json(bytes, planning.nesting, scratch, planning.limit) {
                    Ok(letter) => letter,
                    Err(message) => {
                        return invalid(format!("row {row}, column ser: the value cannot be read as CBOR: {message}"));
                    }
                },
            },
            _ => return invalid(format!("row {row}, column type: {kind} is not the number of a type of value")),
        };
        Ok((letter, Place::Scratch))
    }

    /// Whether the values of a row and of the one before it are the same, by these rules; what is nested never is.
    #[inline(always)]
    fn alike(&self, row: usize, rules: Rules) -> bool {
        let before = row - 1;
        let kind = self.kinds.or_zero(row);
        if kind != self.kinds.or_zero(before) {
            return false;
        }
        let null = |one: bool, other: bool, default: bool| {
            // By Go's rules a null is the default value.
            (one && other || default) && rules == Rules::Go
        };
        let texts = |column: &Texts<'_>| match (column.slot(row), column.slot(before)) {
            (Some(one), Some(other)) if one == other && column.dictionary().is_some() => true,
            (Some(_), Some(_)) if rules == Rules::Rust && column.dictionary().is_some() => false,
            (Some(one), Some(other)) => same(column.at(one).of(column.data), column.at(other).of(column.data)),
            (one, other) => {
                let both_empty = column.or_empty(row).is_empty() && column.or_empty(before).is_empty();
                null(one.is_none(), other.is_none(), both_empty)
            }
        };
        let ints = |column: &Ints<'_>| {
            if rules == Rules::Rust && column.is_dictionary() {
                return column.slots.get(row).is_some_and(|slot| column.slots.get(before) == Some(slot));
            }
            match (column.get(row), column.get(before)) {
                (Some(one), Some(other)) => one == other,
                (one, other) => {
                    let both_zero = one.unwrap_or_default() == 0 && other.unwrap_or_default() == 0;
                    null(one.is_none(), other.is_none(), both_zero)
                }
            }
        };
        match kind as u8 {
            value_type::STR => texts(&self.strings),
            value_type::INT => ints(&self.ints),
            value_type::DOUBLE => same_doubles(self.doubles.double(row), self.doubles.double(before), rules),
            value_type::BOOL => match (self.bools.get(row), self.bools.get(before)) {
                (Some(one), Some(other)) => one == other,
                (one, other) => {
                    null(one.is_none(), other.is_none(), !one.unwrap_or_default() && !other.unwrap_or_default())
                }
            },
            value_type::BYTES => texts(&self.bytes),
            _ => false,
        }
    }
}

/// Whether two doubles are the same: as numbers, or by their bits.
pub(super) fn same_doubles(one: Option<f64>, other: Option<f64>, rules: Rules) -> bool {
    match (rules, one, other) {
        (Rules::Go, one, other) => one.unwrap_or_default() == other.unwrap_or_default(),
        (Rules::Rust, Some(one), Some(other)) => one.to_bits() == other.to_bits(),
        (Rules::Rust, ..) => false,
    }
}

impl<'b> Attributes<'b> {
    /// The attributes of what has these ids. Rows that belong to something else are left out.
    pub(super) fn of(table: Option<Columns<'b>>, ids: &[u32], planning: &mut Planning<'_, '_>) -> Result<Self, Fault> {
        let Some(columns) = table.filter(|table| table.rows > 0) else { return Ok(Self::default()) };
        // What stands here until the rows are made: a letter, a place and a row of the order.
        planning.take(columns.rows * 24)?;
        let values = Values::of(&columns)?;
        let keys = columns.texts("key")?;
        let written = columns.written("parent_id")?;
        let rules = written.rules();
        let alike_keys = |row: usize| match (keys.slot(row), keys.slot(row - 1)) {
            (Some(one), Some(other)) if one == other && keys.dictionary().is_some() => true,
            (Some(_), Some(_)) if rules == Rules::Rust && keys.dictionary().is_some() => false,
            _ => same(keys.or_empty(row), keys.or_empty(row - 1)),
        };
        let parents = written.parents(columns.rows, |row| row > 0 && alike_keys(row) && values.alike(row, rules))?;
        let mut table = Table {
            keys,
            strings: values.strings.data,
            scratch: Vec::new(),
            letters: Vec::with_capacity(columns.rows),
            values: Vec::with_capacity(columns.rows),
            groups: Groups::of(&parents, ids),
        };
        for row in 0..columns.rows {
            let start = table.scratch.len();
            let (letter, place) = values.text(row, &mut table.scratch, planning)?;
            table.letters.push(letter);
            table.values.push(match place {
                Place::Strings(block) => block.into(),
                Place::Nowhere => Block32::default(),
                Place::Scratch => Block { start, end: table.scratch.len() }.into(),
            });
            planning.taken(&table.scratch)?;
        }
        Ok(Self { table: Some(table) })
    }

    /// Whether something with this id has any.
    pub(super) fn is_empty(&self, id: u32) -> bool {
        id == NONE || self.table.as_ref().is_none_or(|table| table.groups.rows(id).is_empty())
    }

    /// Adds what the attributes of each of these ids take.
    pub(super) fn count(
        &self,
        ids: impl Iterator<Item = u32>,
        size: &mut AttributeCounts,
        planning: &Planning<'_, '_>,
    ) -> Result<(), Fault> {
        let Some(table) = &self.table else { return Ok(()) };
        for id in ids {
            for &row in table.groups.rows(id) {
                let (key, value) = (table.key(row as usize), table.values[row as usize].block());
                size.entries += 1;
                // Repeated keys get a number behind them.
                size.keys += key.len();
                size.values += value.len();
            }
            if size.bytes() > planning.limit {
                return Err(Fault::TooLarge { needed: size.bytes(), limit: planning.limit });
            }
        }
        Ok(())
    }

    /// Appends the attributes of what has this id to a column, and their letters; where no key can be there twice,
    /// `seen` need not be large.
    pub(super) fn push(&self, id: u32, to: &mut column::Attributes, letters: &mut Letters, seen: &mut Seen) {
        letters.clear();
        let Some(table) = &self.table else { return to.end() };
        let repeats = seen.begin(&table.keys);
        let mut twice = repeats;
        for &row in table.groups.rows(id) {
            let row = row as usize;
            let slot = table.keys.slot(row);
            twice |= slot.is_some_and(|slot| seen.again(slot));
            let key = slot.map_or(Block::default(), |slot| table.keys.at(slot));
            let letter = table.letters[row];
            let value = table.values[row].block();
            match letter {
                letter::STRING => to.push_blocks(table.keys.data, key, Some((table.strings, value))),
                letter::EMPTY => to.push_blocks(table.keys.data, key, None),
                _ => to.push_blocks(table.keys.data, key, Some((&table.scratch, value))),
            }
            letters.push(letter);
        }
        to.close(twice, letters);
    }

    /// Appends the attributes of what has this id as a JSON object; the text of its `service.name`, if it has one.
    pub(super) fn object(&self, id: u32, out: &mut Vec<u8>) -> Option<&[u8]> {
        let mut service = None;
        let mut named = false;
        out.push(b'{');
        if let Some(table) = &self.table {
            let rows = table.groups.rows(id);
            for (at, &row) in rows.iter().enumerate() {
                let row = row as usize;
                if at > 0 {
                    out.push(b',');
                }
                let (key, letter) = (table.key(row), table.letters[row]);
                let value = table.text(row);
                // A map of one such key would be taken for a mark of ours.
                let start = out.len();
                render::json_string(out, key);
                if rows.len() == 1 && key.first() == Some(&b'@') {
                    out.insert(start + 1, b'@');
                }
                out.push(b':');
                json_value(out, letter, value);
                if !named && key == b"service.name" {
                    named = true;
                    service = (letter != letter::EMPTY).then_some(value);
                }
            }
        }
        out.push(b'}');
        service
    }
}

impl Table<'_> {
    #[inline(always)]
    fn key(&self, row: usize) -> &[u8] {
        self.keys.or_empty(row)
    }

    fn text(&self, row: usize) -> &[u8] {
        let block = self.values[row].block();
        if self.letters[row] == letter::STRING { block.of(self.strings) } else { block.of(&self.scratch) }
    }
}

/// A value that has a letter and a text, as JSON.
fn json_value(out: &mut Vec<u8>, letter: u8, text: &[u8]) {
    match letter {
        letter::EMPTY => out.extend_from_slice(b"null"),
        letter::STRING => render::json_string(out, text),
        letter::BYTES => {
            out.extend_from_slice(br#"{"@bytes":""#);
            out.extend_from_slice(text);
            out.extend_from_slice(br#""}"#);
        }
        letter::DOUBLE if matches!(text.first(), Some(b'N' | b'I')) || text.starts_with(b"-I") => {
            out.extend_from_slice(br#"{"@double":""#);
            out.extend_from_slice(text);
            out.extend_from_slice(br#""}"#);
        }
        _ => out.extend_from_slice(text),
    }
}

/// Which keys the attributes of one row have had, by their place in the dictionary.
#[derive(Default)]
pub(super) struct Seen {
    rows: Vec<u32>,
    row: u32,
}

impl Seen {
    /// Begins another row; true where it cannot be known whether a key is there twice.
    #[inline(always)]
    fn begin(&mut self, keys: &Texts<'_>) -> bool {
        let Some(count) = keys.dictionary().filter(|_| !keys.repeats()) else {
            return true;
        };
        if self.row == u32::MAX || self.rows.len() < count {
            self.rows.clear();
            self.rows.resize(count, 0);
            self.row = 0;
        }
        self.row += 1;
        false
    }

    #[inline(always)]
    fn again(&mut self, slot: usize) -> bool {
        match self.rows.get_mut(slot) {
            Some(row) => std::mem::replace(row, self.row) == self.row,
            None => false,
        }
    }
}

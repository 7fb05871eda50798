//! Cells of columns row by row, whether or not they come through a dictionary. Indexes are seen to be in range when a view is
//! made; nothing is converted.

use super::arrays::{Array, Body};
use super::error::{Fault, invalid};
use super::ids::Written;
use super::schema::{Field, Kind};
use super::store::{Stores, Values, offset};

use crate::text::is_utf8;
use otlp_arrow_wire::read::Block;

/// The columns of a table, or of a struct in it.
#[derive(Clone, Copy)]
pub(super) struct Columns<'b> {
    pub(super) rows: usize,
    pub(super) fields: &'b [Field],
    pub(super) arrays: &'b [Array<'b>],
    pub(super) stores: &'b Stores,
}

#[inline(always)]
fn is_set(bits: &[u8], at: usize) -> bool {
    bits[at / 8] >> (at % 8) & 1 == 1
}

impl<'b> Columns<'b> {
    fn find(&self, name: &str) -> Option<(&'b Field, &'b Array<'b>)> {
        let at = self.fields.iter().position(|field| field.name == name)?;
        Some((&self.fields[at], self.arrays.get(at)?))
    }

    /// Whole numbers; null throughout where there is no such column.
    pub(super) fn ints(&self, name: &str) -> Result<Ints<'b>, Fault> {
        let Some((field, array)) = self.find(name) else { return Ok(Ints::NOTHING) };
        self.ints_of(field, array)
    }

    /// The same of a column whose ids are written in some way.
    pub(super) fn written(&self, name: &str) -> Result<Written<'b>, Fault> {
        let Some((field, array)) = self.find(name) else { return Ok(Written::nothing()) };
        let width = field.kind.width().unwrap_or(4);
        Ok(Written { ints: self.ints_of(field, array)?, encoding: field.encoding, width })
    }

    fn ints_of(&self, field: &'b Field, array: &'b Array<'b>) -> Result<Ints<'b>, Fault> {
        let (slots, values) = self.slots(field, array)?;
        let bytes = match (values, &array.body) {
            (Some(values), _) => &values.data[..],
            (None, Body::Fixed(bytes)) => bytes,
            _ => return Ok(Ints::NOTHING),
        };
        let number = match field.kind {
            Kind::Int { bytes: 1, .. } => Number::U8,
            Kind::Int { bytes: 2, .. } => Number::U16,
            Kind::Int { bytes: 4, signed: true } => Number::I32,
            Kind::Int { bytes: 4, signed: false } => Number::U32,
            _ => Number::I64,
        };
        Ok(Ints { slots, bytes, number, dictionary: values })
    }

    /// Doubles.
    pub(super) fn doubles(&self, name: &str) -> Result<Ints<'b>, Fault> {
        // Their bits, which are read as they are.
        self.ints(name)
    }

    /// Text or bytes; text is seen to be UTF-8.
    pub(super) fn texts(&self, name: &str) -> Result<Texts<'b>, Fault> {
        let Some((field, array)) = self.find(name) else { return Ok(Texts::NOTHING) };
        let (slots, values) = self.slots(field, array)?;
        if let Some(values) = values {
            return Ok(Texts { slots, data: &values.data, ends: Ends::Of(&values.ends), dictionary: Some(values) });
        }
        let Body::Text { offsets, data } = &array.body else { return Ok(Texts::NOTHING) };
        let texts = Texts { slots, data, ends: Ends::Between(offsets), dictionary: None };
        if field.kind == Kind::Text {
            for row in 0..array.len {
                if let Some(Block { start, end }) = texts.block(row)
                    && !is_utf8(data, Block { start, end })
                {
                    return invalid(format!("row {row}, column {name}: is not UTF-8"));
                }
            }
        }
        Ok(texts)
    }

    /// Ids of `N` bytes. What is all zeros is none.
    pub(super) fn fixed<const N: usize>(&self, name: &str) -> Result<Fixed<'b, N>, Fault> {
        let Some((field, array)) = self.find(name) else { return Ok(Fixed { slots: Slots::NOTHING, chunks: &[] }) };
        let (slots, values) = self.slots(field, array)?;
        let bytes = match (values, &array.body) {
            (Some(values), _) => &values.data[..],
            (None, Body::Fixed(bytes)) => bytes,
            _ => return Ok(Fixed { slots: Slots::NOTHING, chunks: &[] }),
        };
        Ok(Fixed { slots, chunks: bytes.as_chunks().0 })
    }

    /// Booleans.
    pub(super) fn bools(&self, name: &str) -> Bools<'b> {
        let found = self.find(name).and_then(|(_, array)| match &array.body {
            Body::Bits(bits) => Some(Bools { nulls: array.nulls(), bits, len: array.len }),
            _ => None,
        });
        found.unwrap_or(Bools { nulls: None, bits: &[], len: 0 })
    }

    /// The columns of a struct, and which rows of it are null; None where there is no such column.
    pub(super) fn structs(&self, name: &str) -> Option<Struct<'b>> {
        let (field, array) = self.find(name)?;
        self.struct_of(field, array)
    }

    fn struct_of(&self, field: &'b Field, array: &'b Array<'b>) -> Option<Struct<'b>> {
        let Body::Struct(arrays) = &array.body else { return None };
        let columns = Columns { rows: array.len, fields: &field.children, arrays, stores: self.stores };
        Some(Struct { columns, nulls: array.nulls() })
    }

    /// Lists, and their elements as the only column of a table.
    pub(super) fn lists(&self, name: &str) -> Option<Lists<'b>> {
        let (field, array) = self.find(name)?;
        let Body::List { offsets, item } = &array.body else { return None };
        let items = Columns {
            rows: item.len,
            fields: &field.children,
            arrays: std::slice::from_ref(&**item),
            stores: self.stores,
        };
        Some(Lists { nulls: array.nulls(), offsets, items })
    }

    /// The only column, of numbers.
    pub(super) fn only(&self) -> Result<Ints<'b>, Fault> {
        match (self.fields, self.arrays) {
            ([field], [array]) => self.ints_of(field, array),
            _ => Ok(Ints::NOTHING),
        }
    }

    /// The only column, of structs.
    pub(super) fn only_struct(&self) -> Option<Struct<'b>> {
        match (self.fields, self.arrays) {
            ([field], [array]) => self.struct_of(field, array),
            _ => None,
        }
    }

    /// Which value each row has, and of which dictionary if there is one.
    fn slots(&self, field: &'b Field, array: &'b Array<'b>) -> Result<(Slots<'b>, Option<&'b Values>), Fault> {
        let nulls = array.nulls();
        let Some(index) = field.index else { return Ok((Slots { nulls, keys: Keys::Own, len: array.len }, None)) };
        let Body::Fixed(bytes) = &array.body else { return Ok((Slots::NOTHING, None)) };
        let Some(values) = self.stores.values(index.id) else {
            return invalid(format!("column {} has a dictionary that was not sent", field.name));
        };
        let keys = match index.width {
            1 => Keys::U8(bytes),
            2 => Keys::U16(bytes.as_chunks().0),
            width => Keys::Wide(bytes, width),
        };
        let slots = Slots { nulls, keys, len: array.len };
        if !slots.are_below(values.len()) {
            let (name, most) = (&field.name, values.len());
            return invalid(format!("an index of column {name} is beyond the {most} values of its dictionary"));
        }
        Ok((slots, Some(values)))
    }
}

/// A column of structs.
#[derive(Clone, Copy)]
pub(super) struct Struct<'b> {
    pub(super) columns: Columns<'b>,
    nulls: Option<&'b [u8]>,
}

impl Struct<'_> {
    pub(super) fn is_null(&self, row: usize) -> bool {
        row >= self.columns.rows || self.nulls.is_some_and(|nulls| !is_set(nulls, row))
    }
}

/// A column of lists.
#[derive(Clone, Copy)]
pub(super) struct Lists<'b> {
    nulls: Option<&'b [u8]>,
    offsets: &'b [[u8; 4]],
    pub(super) items: Columns<'b>,
}

impl Lists<'_> {
    /// Where the elements of a row are.
    pub(super) fn range(&self, row: usize) -> std::ops::Range<usize> {
        if self.nulls.is_some_and(|nulls| !is_set(nulls, row)) {
            return 0..0;
        }
        match self.offsets.get(row..) {
            Some([start, end, ..]) => offset(*start)..offset(*end),
            _ => 0..0,
        }
    }
}

/// Which value each row has.
#[derive(Clone, Copy)]
pub(super) struct Slots<'b> {
    nulls: Option<&'b [u8]>,
    keys: Keys<'b>,
    len: usize,
}

#[derive(Clone, Copy)]
enum Keys<'b> {
    /// Its own.
    Own,
    U8(&'b [u8]),
    U16(&'b [[u8; 2]]),
    Wide(&'b [u8], usize),
}

impl Slots<'_> {
    const NOTHING: Self = Slots { nulls: None, keys: Keys::Own, len: 0 };

    /// None for null.
    #[inline(always)]
    pub(super) fn get(&self, row: usize) -> Option<usize> {
        if row >= self.len || self.nulls.is_some_and(|nulls| !is_set(nulls, row)) {
            return None;
        }
        match self.keys {
            Keys::Own => Some(row),
            Keys::U8(keys) => keys.get(row).map(|key| usize::from(*key)),
            Keys::U16(keys) => keys.get(row).map(|key| usize::from(u16::from_le_bytes(*key))),
            Keys::Wide(keys, width) => {
                let mut wide = [0; 8];
                wide[..width].copy_from_slice(keys.get(row * width..(row + 1) * width)?);
                usize::try_from(u64::from_le_bytes(wide)).ok()
            }
        }
    }

    fn are_below(&self, most: usize) -> bool {
        if let (Keys::U8(keys), None) = (self.keys, self.nulls) {
            return keys.iter().all(|key| usize::from(*key) < most);
        }
        (0..self.len).all(|row| self.get(row).is_none_or(|slot| slot < most))
    }
}

/// A column of whole numbers.
#[derive(Clone, Copy)]
pub(super) struct Ints<'b> {
    pub(super) slots: Slots<'b>,
    bytes: &'b [u8],
    number: Number,
    dictionary: Option<&'b Values>,
}

#[derive(Clone, Copy)]
enum Number {
    U8,
    U16,
    I32,
    U32,
    I64,
}

impl Ints<'_> {
    pub(super) const NOTHING: Self = Ints { slots: Slots::NOTHING, bytes: &[], number: Number::U8, dictionary: None };

    /// The number of a row: of 64 unsigned bits and of doubles, the same bits.
    #[inline(always)]
    pub(super) fn get(&self, row: usize) -> Option<i64> {
        let slot = self.slots.get(row)?;
        if self.dictionary.is_some_and(|values| values.is_null(slot)) {
            return None;
        }
        #[inline(always)]
        fn at<const N: usize>(bytes: &[u8], slot: usize) -> Option<[u8; N]> {
            bytes.as_chunks::<N>().0.get(slot).copied()
        }
        match self.number {
            Number::U8 => self.bytes.get(slot).map(|byte| i64::from(*byte)),
            Number::U16 => at(self.bytes, slot).map(|bytes| i64::from(u16::from_le_bytes(bytes))),
            Number::I32 => at(self.bytes, slot).map(|bytes| i64::from(i32::from_le_bytes(bytes))),
            Number::U32 => at(self.bytes, slot).map(|bytes| i64::from(u32::from_le_bytes(bytes))),
            Number::I64 => at(self.bytes, slot).map(i64::from_le_bytes),
        }
    }

    #[inline(always)]
    pub(super) fn or_zero(&self, row: usize) -> i64 {
        self.get(row).unwrap_or_default()
    }

    /// A count or flags: what is written as 32 unsigned bits.
    #[inline(always)]
    pub(super) fn count(&self, row: usize) -> u32 {
        self.or_zero(row) as u32
    }

    /// A double that is written where a number of 64 bits may be.
    #[inline(always)]
    pub(super) fn double(&self, row: usize) -> Option<f64> {
        self.get(row).map(|bits| f64::from_bits(bits as u64))
    }

    pub(super) fn is_dictionary(&self) -> bool {
        self.dictionary.is_some()
    }
}

/// A column of text or bytes.
#[derive(Clone, Copy)]
pub(super) struct Texts<'b> {
    pub(super) slots: Slots<'b>,
    pub(super) data: &'b [u8],
    ends: Ends<'b>,
    dictionary: Option<&'b Values>,
}

#[derive(Clone, Copy)]
enum Ends<'b> {
    Of(&'b [u32]),
    Between(&'b [[u8; 4]]),
}

impl<'b> Texts<'b> {
    const NOTHING: Self = Texts { slots: Slots::NOTHING, data: &[], ends: Ends::Of(&[]), dictionary: None };

    /// Where the text in a slot is.
    #[inline(always)]
    pub(super) fn at(&self, slot: usize) -> Block {
        match self.ends {
            Ends::Of(ends) => {
                let start = if slot == 0 { 0 } else { ends.get(slot - 1).map_or(0, |end| *end as usize) };
                Block { start, end: ends.get(slot).map_or(start, |end| *end as usize) }
            }
            Ends::Between(offsets) => match offsets.get(slot..) {
                Some([start, end, ..]) => Block { start: offset(*start), end: offset(*end) },
                _ => Block::default(),
            },
        }
    }

    /// Which value a row has; None for null.
    #[inline(always)]
    pub(super) fn slot(&self, row: usize) -> Option<usize> {
        let slot = self.slots.get(row)?;
        match self.dictionary {
            Some(values) if values.is_null(slot) => None,
            _ => Some(slot),
        }
    }

    #[inline(always)]
    pub(super) fn block(&self, row: usize) -> Option<Block> {
        self.slot(row).map(|slot| self.at(slot))
    }

    /// The bytes of a row, nothing for null.
    #[inline(always)]
    pub(super) fn or_empty(&self, row: usize) -> &'b [u8] {
        self.block(row).map_or(&[], |block| block.of(self.data))
    }

    /// How many different values there are at most, where they have a dictionary.
    pub(super) fn dictionary(&self) -> Option<usize> {
        self.dictionary.map(Values::len)
    }

    /// Whether two values of the dictionary may be the same.
    pub(super) fn repeats(&self) -> bool {
        self.dictionary.is_some_and(|values| values.repeats)
    }
}

/// A column of ids.
#[derive(Clone, Copy)]
pub(super) struct Fixed<'b, const N: usize> {
    slots: Slots<'b>,
    chunks: &'b [[u8; N]],
}

impl<'b, const N: usize> Fixed<'b, N> {
    /// The id of a row; None for null.
    #[inline(always)]
    pub(super) fn raw(&self, row: usize) -> Option<&'b [u8; N]> {
        self.chunks.get(self.slots.get(row)?)
    }

    /// The same, None for zeros: Go writes these where there is no id.
    #[inline(always)]
    pub(super) fn get(&self, row: usize) -> Option<&'b [u8; N]> {
        self.raw(row).filter(|id| **id != [0; N])
    }
}

/// A column of booleans.
#[derive(Clone, Copy)]
pub(super) struct Bools<'b> {
    nulls: Option<&'b [u8]>,
    bits: &'b [u8],
    len: usize,
}

impl Bools<'_> {
    pub(super) fn get(&self, row: usize) -> Option<bool> {
        let there = row < self.len && self.nulls.is_none_or(|nulls| is_set(nulls, row));
        there.then(|| is_set(self.bits, row))
    }
}

//! Columns of values that come again: indexes into a dictionary that grows with the stream, or plain where that does not pay.

use arrow_schema::{DataType, Field, TimeUnit};

use super::dictionary::Dictionary;
use super::ipc::Messages;
use super::leaf::{Head, Leaf};

/// A dictionary of more bytes is not kept: its peer has to keep it as well.
const MOST_BYTES: usize = 1 << 20;
/// So many cells show whether a dictionary pays.
const ENOUGH_CELLS: usize = 512;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Text,
    Bytes,
    /// Ids of so many bytes.
    Ids(usize),
    I32,
    I64,
    /// Nanoseconds.
    Duration,
}

impl Of {
    fn data_type(self) -> DataType {
        match self {
            Of::Text => DataType::Utf8,
            Of::Bytes => DataType::Binary,
            Of::Ids(size) => DataType::FixedSizeBinary(size as i32),
            Of::I32 => DataType::Int32,
            Of::I64 => DataType::Int64,
            Of::Duration => DataType::Duration(TimeUnit::Nanosecond),
        }
    }

    /// Bytes of a value; `None` where they differ.
    fn size(self) -> Option<usize> {
        match self {
            Of::Text | Of::Bytes => None,
            Of::Ids(size) => Some(size),
            Of::I32 => Some(4),
            Of::I64 | Of::Duration => Some(8),
        }
    }
}

/// In which form a column goes out, from the narrowest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Width {
    U8,
    U16,
    Plain,
}

impl Width {
    /// Values that its indexes reach.
    const fn reach(self) -> usize {
        match self {
            Width::U8 => 1 << 8,
            Width::U16 => 1 << 16,
            Width::Plain => 0,
        }
    }
}

/// A column of values that come again.
pub(super) struct Coded {
    head: Head,
    of: Of,
    width: Width,
    /// The number of the value of each row; of a null one 0.
    numbers: Vec<u32>,
    values: Dictionary,
    /// Cells with a value since the dictionary began.
    cells: usize,
}

impl Coded {
    /// Dictionaries begin with indexes of this width, or none is tried.
    pub(super) fn new(name: &'static str, of: Of, width: Width, optional: bool) -> Self {
        let (head, values) = (Head::new(name, optional), Dictionary::new());
        Self { head, of, width, numbers: Vec::new(), values, cells: 0 }
    }

    /// The number of a value: equal values have the same one.
    #[inline]
    pub(super) fn number(&mut self, value: &[u8]) -> u32 {
        self.values.number(value)
    }

    /// Whether the value with this number is `value`.
    #[inline]
    pub(super) fn has(&self, number: u32, value: &[u8]) -> bool {
        self.values.has(number, value)
    }

    #[inline]
    pub(super) fn push_number(&mut self, number: Option<u32>) {
        self.head.validity.push(number.is_some());
        self.numbers.push(number.unwrap_or_default());
    }

    #[inline]
    pub(super) fn push(&mut self, value: &[u8]) {
        // Rows of one resource, name or trace stand together.
        let number = match self.numbers.last() {
            Some(&last) if self.values.has(last, value) => last,
            // Without a dictionary nobody asks whether it was there before.
            _ if self.width == Width::Plain => self.values.add(value),
            _ => self.values.number(value),
        };
        self.push_number(Some(number));
    }

    #[inline]
    pub(super) fn option(&mut self, value: Option<&[u8]>) {
        match value {
            Some(value) => self.push(value),
            None => self.push_number(None),
        }
    }

    /// Nothing is null.
    #[inline]
    pub(super) fn unless_empty(&mut self, value: &[u8]) {
        self.option((!value.is_empty()).then_some(value));
    }

    /// 0 is null.
    #[inline]
    pub(super) fn unless_zero(&mut self, value: i32) {
        self.option((value != 0).then_some(&value.to_le_bytes()));
    }

    /// A dictionary of nothing but what the rows have.
    fn renew(&mut self) {
        if self.width == Width::Plain {
            return;
        }
        let old = std::mem::replace(&mut self.values, Dictionary::new());
        let mut known = vec![None; old.len()];
        let validity = &self.head.validity;
        self.cells = 0;
        for (row, number) in self.numbers.iter_mut().enumerate() {
            if validity.is_valid(row) {
                let new = known[*number as usize].get_or_insert_with(|| self.values.number(old.get(*number)));
                *number = *new;
                self.cells += 1;
            }
        }
    }

    fn ends_and_data(out: &mut Messages, ends: impl Iterator<Item = u32>, data: &[u8], of: Of) {
        if of.size().is_none() {
            let ends: Vec<u8> = std::iter::once(0).chain(ends).flat_map(u32::to_le_bytes).collect();
            out.buffer(&ends);
        }
        out.buffer(data);
    }
}

impl Leaf for Coded {
    fn settle(&mut self) -> bool {
        let appears = self.head.appears();
        if self.width == Width::Plain {
            return appears;
        }
        self.cells += self.head.validity.valid();
        let before = self.width;
        let unlike = |this: &Self| this.values.len() * 2 > this.cells;
        if self.cells >= ENOUGH_CELLS && unlike(self) && self.values.len() > Width::U8.reach() {
            self.width = Width::Plain;
        } else if self.values.len() > Width::U16.reach() || self.values.bytes() > MOST_BYTES {
            // Of few values for so many cells, those of these rows begin it anew.
            let few = self.values.len() * 10 < self.cells * 3;
            self.renew();
            let fits = self.values.len() <= Width::U16.reach() && self.values.bytes() <= MOST_BYTES;
            self.width = if few && fits { self.width } else { Width::Plain };
        }
        if self.width == Width::U8 && self.values.len() > Width::U8.reach() {
            self.width = Width::U16;
        }
        appears || self.width != before
    }

    fn begin(&mut self) {
        self.renew();
    }

    fn is_used(&self) -> bool {
        self.head.is_used()
    }

    fn field(&self) -> Field {
        let values = Box::new(self.of.data_type());
        self.head.field(match self.width {
            Width::U8 => DataType::Dictionary(Box::new(DataType::UInt8), values),
            Width::U16 => DataType::Dictionary(Box::new(DataType::UInt16), values),
            Width::Plain => *values,
        })
    }

    fn is_coded(&self) -> bool {
        self.width != Width::Plain
    }

    fn dictionary(&mut self, out: &mut Messages, first: bool) -> Option<(usize, bool)> {
        let told = self.values.told;
        let new = self.values.len() - told;
        if new == 0 && !first {
            return None;
        }
        out.node(new, 0);
        out.buffer(&[]);
        Self::ends_and_data(out, self.values.ends_from(told), self.values.data_from(told), self.of);
        self.values.told = self.values.len();
        Some((new, told > 0))
    }

    fn write(&self, out: &mut Messages) {
        let validity = &self.head.validity;
        validity.write(out);
        let indexes: Vec<u8> = match self.width {
            Width::U8 => self.numbers.iter().map(|number| *number as u8).collect(),
            Width::U16 => self.numbers.iter().flat_map(|number| (*number as u16).to_le_bytes()).collect(),
            Width::Plain => {
                let zeros = [0; 16];
                let nothing = &zeros[..self.of.size().unwrap_or(0)];
                let (mut data, mut ends) = (Vec::new(), Vec::with_capacity(self.numbers.len()));
                for (row, number) in self.numbers.iter().enumerate() {
                    data.extend_from_slice(if validity.is_valid(row) { self.values.get(*number) } else { nothing });
                    ends.push(data.len() as u32);
                }
                return Self::ends_and_data(out, ends.into_iter(), &data, self.of);
            }
        };
        out.buffer(&indexes);
    }

    fn clear(&mut self) {
        self.head.validity.clear();
        self.numbers.clear();
        if self.width == Width::Plain {
            self.values.clear();
        }
    }
}

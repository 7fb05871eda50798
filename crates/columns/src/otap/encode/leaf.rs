//! Columns of a table while they are filled, and in which form they go out.

use arrow_schema::{DataType, Field, TimeUnit};

use super::ipc::Messages;

/// The key of a field's metadata that says how its numbers are encoded.
const ENCODING: &str = "encoding";

/// How numbers of a column are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Each is what is to be added to the one before.
    Delta,
    /// The same, but only in rows that are like the row before.
    QuasiDelta,
}

impl Encoding {
    const fn as_str(self) -> &'static str {
        match self {
            Encoding::Delta => "delta",
            Encoding::QuasiDelta => "quasidelta",
        }
    }
}

/// One column of a table, or one field of a struct of it.
pub(super) trait Leaf {
    /// Decides in which form the rows go out. Whether that is another than before.
    fn settle(&mut self) -> bool;
    /// A stream begins whose peer knows nothing.
    fn begin(&mut self);
    /// Whether it goes out: an optional one does not before it has had a value.
    fn is_used(&self) -> bool;
    /// How the stream describes it.
    fn field(&self) -> Field;
    /// Whether it goes out as indexes into a dictionary.
    fn is_coded(&self) -> bool {
        false
    }
    /// Appends the values that the peer does not know, and says how many they are and whether there were others before;
    /// `None` where there are none, unless it is the `first` time.
    fn dictionary(&mut self, out: &mut Messages, first: bool) -> Option<(usize, bool)> {
        let _ = (out, first);
        None
    }
    /// Appends its rows.
    fn write(&self, out: &mut Messages);
    /// Forgets its rows.
    fn clear(&mut self);
}

/// Which cells are not null.
#[derive(Debug, Default)]
pub(super) struct Validity {
    bits: Vec<u8>,
    len: usize,
    nulls: usize,
}

impl Validity {
    #[inline]
    pub(super) fn push(&mut self, valid: bool) {
        let bit = self.len % 8;
        if bit == 0 {
            self.bits.push(0);
        }
        if valid {
            if let Some(last) = self.bits.last_mut() {
                *last |= 1 << bit;
            }
        } else {
            self.nulls += 1;
        }
        self.len += 1;
    }

    /// Cells with a value.
    pub(super) fn valid(&self) -> usize {
        self.len - self.nulls
    }

    #[inline]
    pub(super) fn is_valid(&self, row: usize) -> bool {
        self.nulls == 0 || self.bits[row / 8] >> (row % 8) & 1 == 1
    }

    pub(super) fn clear(&mut self) {
        self.bits.clear();
        (self.len, self.nulls) = (0, 0);
    }

    /// Begins an array of so many cells with its nulls.
    pub(super) fn write(&self, out: &mut Messages) {
        out.node(self.len, self.nulls);
        out.buffer(if self.nulls > 0 { &self.bits } else { &[] });
    }
}

/// What the columns of every form have.
#[derive(Debug)]
pub(super) struct Head {
    name: &'static str,
    /// Whether cells may be null; one that may not is described from the beginning.
    optional: bool,
    encoding: Option<Encoding>,
    /// It had a value in this stream, or has to be there: it stays.
    used: bool,
    pub(super) validity: Validity,
}

impl Head {
    pub(super) fn new(name: &'static str, optional: bool) -> Self {
        Self { name, optional, encoding: None, used: !optional, validity: Validity::default() }
    }

    /// Whether it is described from now on and was not before.
    pub(super) fn appears(&mut self) -> bool {
        let appears = !self.used && self.validity.valid() > 0;
        self.used |= appears;
        appears
    }

    pub(super) fn is_used(&self) -> bool {
        self.used
    }

    pub(super) fn field(&self, data_type: DataType) -> Field {
        let metadata = self.encoding.map(|encoding| (ENCODING.to_owned(), encoding.as_str().to_owned()));
        Field::new(self.name, data_type, self.optional).with_metadata(metadata.into_iter().collect())
    }
}

/// A number that a buffer can hold.
pub(super) trait Number: Copy + Default {
    /// Its type, where the column has no other.
    const TYPE: DataType;
    /// Appends it as a buffer has it.
    fn append(self, to: &mut Vec<u8>);
}

macro_rules! numbers {
    ($($number:ty = $data_type:ident,)*) => {
        $(impl Number for $number {
            const TYPE: DataType = DataType::$data_type;

            #[inline]
            fn append(self, to: &mut Vec<u8>) {
                to.extend_from_slice(&self.to_le_bytes());
            }
        })*
    };
}

numbers! { u8 = UInt8, u16 = UInt16, u32 = UInt32, u64 = UInt64, i32 = Int32, i64 = Int64, f64 = Float64, }

/// `Timestamp(ns)`, in UTC as Go writes it.
pub(super) fn time() -> DataType {
    DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))
}

/// A column of numbers.
#[derive(Debug)]
pub(super) struct Plain<T> {
    head: Head,
    data_type: DataType,
    values: Vec<u8>,
    kind: std::marker::PhantomData<T>,
}

impl<T: Number> Plain<T> {
    pub(super) fn required(name: &'static str) -> Self {
        Self { head: Head::new(name, false), data_type: T::TYPE, values: Vec::new(), kind: std::marker::PhantomData }
    }

    pub(super) fn optional(name: &'static str) -> Self {
        Self { head: Head::new(name, true), ..Self::required(name) }
    }

    pub(super) fn of_type(self, data_type: DataType) -> Self {
        Self { data_type, ..self }
    }

    pub(super) fn encoded(mut self, encoding: Encoding) -> Self {
        self.head.encoding = Some(encoding);
        self
    }

    #[inline]
    pub(super) fn push(&mut self, value: T) {
        self.head.validity.push(true);
        value.append(&mut self.values);
    }

    /// What lies under a null is 0.
    #[inline]
    pub(super) fn option(&mut self, value: Option<T>) {
        self.head.validity.push(value.is_some());
        value.unwrap_or_default().append(&mut self.values);
    }
}

impl<T: Number + PartialEq> Plain<T> {
    /// 0 is null.
    #[inline]
    pub(super) fn unless_zero(&mut self, value: T) {
        self.option((value != T::default()).then_some(value));
    }
}

impl<T: Number> Leaf for Plain<T> {
    fn settle(&mut self) -> bool {
        self.head.appears()
    }

    fn begin(&mut self) {}

    fn is_used(&self) -> bool {
        self.head.is_used()
    }

    fn field(&self) -> Field {
        self.head.field(self.data_type.clone())
    }

    fn write(&self, out: &mut Messages) {
        self.head.validity.write(out);
        out.buffer(&self.values);
    }

    fn clear(&mut self) {
        self.head.validity.clear();
        self.values.clear();
    }
}

/// A column of true and false.
#[derive(Debug)]
pub(super) struct Flags {
    head: Head,
    values: Validity,
}

impl Flags {
    pub(super) fn optional(name: &'static str) -> Self {
        Self { head: Head::new(name, true), values: Validity::default() }
    }

    #[inline]
    pub(super) fn option(&mut self, value: Option<bool>) {
        self.head.validity.push(value.is_some());
        self.values.push(value.unwrap_or_default());
    }
}

impl Leaf for Flags {
    fn settle(&mut self) -> bool {
        self.head.appears()
    }

    fn begin(&mut self) {}

    fn is_used(&self) -> bool {
        self.head.is_used()
    }

    fn field(&self) -> Field {
        self.head.field(DataType::Boolean)
    }

    fn write(&self, out: &mut Messages) {
        self.head.validity.write(out);
        out.buffer(&self.values.bits);
    }

    fn clear(&mut self) {
        self.head.validity.clear();
        self.values.clear();
    }
}

/// Where the lists of a column end.
#[derive(Debug)]
pub(super) struct Ends(Vec<u8>, i32);

impl Ends {
    fn new() -> Self {
        Self(0_i32.to_le_bytes().to_vec(), 0)
    }

    #[inline]
    fn push(&mut self, len: usize) {
        self.1 += len as i32;
        self.0.extend_from_slice(&self.1.to_le_bytes());
    }

    fn clear(&mut self) {
        self.0.truncate(size_of::<i32>());
        self.1 = 0;
    }
}

/// A column of lists of numbers.
#[derive(Debug)]
pub(super) struct Lists<T> {
    head: Head,
    ends: Ends,
    values: Vec<u8>,
    kind: std::marker::PhantomData<T>,
}

impl<T: Number> Lists<T> {
    pub(super) fn optional(name: &'static str) -> Self {
        Self { head: Head::new(name, true), ends: Ends::new(), values: Vec::new(), kind: std::marker::PhantomData }
    }

    /// A list of nothing is null.
    pub(super) fn push(&mut self, values: &[T]) {
        self.head.validity.push(!values.is_empty());
        self.ends.push(values.len());
        values.iter().for_each(|value| value.append(&mut self.values));
    }
}

impl<T: Number> Leaf for Lists<T> {
    fn settle(&mut self) -> bool {
        self.head.appears()
    }

    fn begin(&mut self) {}

    fn is_used(&self) -> bool {
        self.head.is_used()
    }

    fn field(&self) -> Field {
        self.head.field(DataType::List(Field::new("item", T::TYPE, true).into()))
    }

    fn write(&self, out: &mut Messages) {
        self.head.validity.write(out);
        out.buffer(&self.ends.0);
        out.node(self.values.len() / size_of::<T>(), 0);
        out.buffer(&[]);
        out.buffer(&self.values);
    }

    fn clear(&mut self) {
        self.head.validity.clear();
        self.ends.clear();
        self.values.clear();
    }
}

/// A column of lists of pairs of doubles: the quantiles of summaries.
#[derive(Debug)]
pub(super) struct Pairs {
    head: Head,
    names: [&'static str; 2],
    ends: Ends,
    values: [Vec<u8>; 2],
}

impl Pairs {
    pub(super) fn optional(name: &'static str, names: [&'static str; 2]) -> Self {
        Self { head: Head::new(name, true), names, ends: Ends::new(), values: Default::default() }
    }

    /// A list of nothing is null.
    pub(super) fn push(&mut self, pairs: impl ExactSizeIterator<Item = [f64; 2]>) {
        self.head.validity.push(pairs.len() > 0);
        self.ends.push(pairs.len());
        for pair in pairs {
            pair.into_iter().zip(&mut self.values).for_each(|(value, to)| value.append(to));
        }
    }
}

impl Leaf for Pairs {
    fn settle(&mut self) -> bool {
        self.head.appears()
    }

    fn begin(&mut self) {}

    fn is_used(&self) -> bool {
        self.head.is_used()
    }

    fn field(&self) -> Field {
        let fields = self.names.map(|name| Field::new(name, DataType::Float64, true));
        self.head.field(DataType::List(Field::new("item", DataType::Struct(fields.to_vec().into()), true).into()))
    }

    fn write(&self, out: &mut Messages) {
        self.head.validity.write(out);
        out.buffer(&self.ends.0);
        let len = self.values[0].len() / size_of::<f64>();
        out.node(len, 0);
        out.buffer(&[]);
        for values in &self.values {
            out.node(len, 0);
            out.buffer(&[]);
            out.buffer(values);
        }
    }

    fn clear(&mut self) {
        self.head.validity.clear();
        self.ends.clear();
        self.values.iter_mut().for_each(Vec::clear);
    }
}

//! The schema of one table as its sender says it: every column may be null, whatever it says, because Go sends nulls in
//! columns that it declares to have none.

use arrow_ipc::{Precision, TimeUnit, Type as IpcType};

use super::error::{Fault, broken};
use crate::otap::table::{ENCODING, ENCODING_DELTA, ENCODING_PLAIN, ENCODING_QUASI_DELTA};

/// Fields of one schema, nested ones included.
const MAX_FIELDS: usize = 256;
/// Levels of structs and lists.
const MAX_DEPTH: usize = 8;

/// What a column holds, as far as it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only nulls, without buffers.
    Null,
    Bool,
    /// Whole numbers of so many bytes.
    Int {
        bytes: usize,
        signed: bool,
    },
    /// Numbers of so many bytes.
    Float(usize),
    Time,
    Duration,
    Text,
    Bytes,
    Fixed(usize),
    List,
    Struct,
    /// A type that no table has; its buffers are passed over.
    Other {
        /// Its name.
        name: &'static str,
        /// Buffers it has besides the bits of its nulls.
        buffers: usize,
    },
}

impl Kind {
    /// Bytes of a value, where all have the same.
    pub(super) fn width(self) -> Option<usize> {
        match self {
            Kind::Int { bytes, .. } | Kind::Float(bytes) | Kind::Fixed(bytes) => Some(bytes),
            Kind::Time | Kind::Duration => Some(8),
            _ => None,
        }
    }

    /// What people call it.
    pub(super) fn name(self) -> String {
        match self {
            Kind::Null => "Null".into(),
            Kind::Bool => "Boolean".into(),
            Kind::Int { bytes, signed } => format!("{}{}", if signed { "Int" } else { "UInt" }, bytes * 8),
            Kind::Float(bytes) => format!("Float{}", bytes * 8),
            Kind::Time => "Timestamp(ns)".into(),
            Kind::Duration => "Duration(ns)".into(),
            Kind::Text => "Utf8".into(),
            Kind::Bytes => "Binary".into(),
            Kind::Fixed(width) => format!("FixedSizeBinary({width})"),
            Kind::List => "List".into(),
            Kind::Struct => "Struct".into(),
            Kind::Other { name, .. } => name.into(),
        }
    }
}

/// How ids are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// The sender does not say: it is Go, which writes distances and compares by its own rules.
    Unsaid,
    /// As they are.
    Plain,
    /// As distances, compared by the rules of Rust.
    Distances,
}

/// The index of a dictionary column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Index {
    /// Which dictionary.
    pub(super) id: i64,
    /// Bytes of an index.
    pub(super) width: usize,
}

/// One column.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) index: Option<Index>,
    pub(super) encoding: Encoding,
    pub(super) children: Vec<Field>,
}

impl Field {
    /// The only column of the values of a dictionary.
    pub(super) fn values(kind: Kind) -> Self {
        Self { name: "values".into(), kind, index: None, encoding: Encoding::Unsaid, children: Vec::new() }
    }

    /// Bytes that it takes, roughly.
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.name.capacity() + self.children.iter().map(Field::bytes).sum::<usize>()
    }
}

/// All columns of one table.
#[derive(Clone, Debug)]
pub(super) struct Schema {
    pub(super) fields: Vec<Field>,
}

impl Schema {
    /// Reads a schema.
    pub(super) fn read(schema: arrow_ipc::Schema<'_>) -> Result<Self, Fault> {
        let mut left = MAX_FIELDS;
        let fields = fields(schema.fields().into_iter().flatten(), MAX_DEPTH, &mut left)?;
        Ok(Self { fields })
    }

    /// Bytes that it takes, roughly.
    pub(super) fn bytes(&self) -> usize {
        self.fields.iter().map(Field::bytes).sum()
    }
}

fn fields<'a>(
    from: impl Iterator<Item = arrow_ipc::Field<'a>>,
    depth: usize,
    left: &mut usize,
) -> Result<Vec<Field>, Fault> {
    let Some(depth) = depth.checked_sub(1) else { return broken("a schema nests its columns too deep") };
    let mut fields = Vec::new();
    for field in from {
        *left = match left.checked_sub(1) {
            Some(left) => left,
            None => return broken(format!("a schema has more than {MAX_FIELDS} columns")),
        };
        fields.push(self::field(field, depth, left)?);
    }
    Ok(fields)
}

fn field(field: arrow_ipc::Field<'_>, depth: usize, left: &mut usize) -> Result<Field, Fault> {
    let name = field.name().unwrap_or_default();
    let Some(kind) = kind(field) else {
        return broken(format!("column {name} is of a type that cannot be read: {:?}", field.type_type()));
    };
    let index = match field.dictionary() {
        None => None,
        Some(dictionary) => {
            let bits = dictionary.indexType().map_or(32, |index| index.bitWidth());
            let width = match bits {
                8 | 16 | 32 | 64 => bits as usize / 8,
                _ => return broken(format!("the dictionary of column {name} has an index of {bits} bits")),
            };
            Some(Index { id: dictionary.id(), width })
        }
    };
    let pairs = field.custom_metadata().into_iter().flatten();
    let said = pairs.filter(|pair| pair.key() == Some(ENCODING)).filter_map(|pair| pair.value()).next_back();
    let encoding = match said {
        None => Encoding::Unsaid,
        Some(ENCODING_PLAIN) => Encoding::Plain,
        Some(ENCODING_DELTA | ENCODING_QUASI_DELTA) => Encoding::Distances,
        Some(other) => {
            return broken(format!(
                "column {name} says that its ids are written as {other:?}: plain, delta and quasidelta are read"
            ));
        }
    };
    let children = fields(field.children().into_iter().flatten(), depth, left)?;
    match kind {
        Kind::List if children.len() != 1 => return broken(format!("the list {name} has no elements, or several")),
        Kind::Struct | Kind::List | Kind::Other { .. } => {}
        _ if children.is_empty() => {}
        _ => return broken(format!("column {name} has columns in it and is not a struct")),
    }
    if index.is_some() && matches!(kind, Kind::List | Kind::Struct | Kind::Null | Kind::Bool | Kind::Other { .. }) {
        return broken(format!("column {name} has a dictionary of {}", kind.name()));
    }
    Ok(Field { name: name.to_owned(), kind, index, encoding, children })
}

fn kind(field: arrow_ipc::Field<'_>) -> Option<Kind> {
    let other = |name, buffers| Some(Kind::Other { name, buffers });
    match field.type_type() {
        IpcType::Null => Some(Kind::Null),
        IpcType::Bool => Some(Kind::Bool),
        IpcType::Int => {
            let int = field.type_as_int()?;
            let bytes = matches!(int.bitWidth(), 8 | 16 | 32 | 64).then_some(int.bitWidth() as usize / 8)?;
            Some(Kind::Int { bytes, signed: int.is_signed() })
        }
        IpcType::FloatingPoint => Some(Kind::Float(match field.type_as_floating_point()?.precision() {
            Precision::HALF => 2,
            Precision::SINGLE => 4,
            _ => 8,
        })),
        IpcType::Timestamp => match field.type_as_timestamp()?.unit() {
            TimeUnit::NANOSECOND => Some(Kind::Time),
            _ => other("a Timestamp that is not of nanoseconds", 1),
        },
        IpcType::Duration => match field.type_as_duration()?.unit() {
            TimeUnit::NANOSECOND => Some(Kind::Duration),
            _ => other("a Duration that is not of nanoseconds", 1),
        },
        IpcType::Utf8 => Some(Kind::Text),
        IpcType::Binary => Some(Kind::Bytes),
        IpcType::FixedSizeBinary => {
            let width = usize::try_from(field.type_as_fixed_size_binary()?.byteWidth()).ok()?;
            (width > 0).then_some(Kind::Fixed(width))
        }
        IpcType::List => Some(Kind::List),
        IpcType::Struct_ => Some(Kind::Struct),
        IpcType::Map => other("Map", 1),
        IpcType::LargeList => other("LargeList", 1),
        IpcType::LargeUtf8 => other("LargeUtf8", 2),
        IpcType::LargeBinary => other("LargeBinary", 2),
        IpcType::FixedSizeList => other("FixedSizeList", 0),
        IpcType::Date => other("Date", 1),
        IpcType::Time => other("Time", 1),
        IpcType::Interval => other("Interval", 1),
        IpcType::Decimal => other("Decimal", 1),
        // What has another number of buffers from batch to batch cannot be passed over.
        _ => None,
    }
}

//! How the columns of a schema lie in an IPC message: which nodes and buffers belong to which column.

use arrow_schema::{DataType, Schema};

use otlp_arrow_base::error::{Code, OtlpError, Result};

/// The shape of one column, as far as IPC cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Values of so many bytes each.
    Fixed(usize),
    /// Values of one bit each.
    Bits,
    /// Offsets and bytes: Utf8 and Binary.
    Bytes,
    /// Int32 indices into a dictionary message of Utf8 values.
    Dictionary,
    /// Offsets and a child: List and Map.
    List(Box<Shape>),
    /// Children side by side.
    Struct(Vec<Shape>),
}

impl Shape {
    /// The shape of `data_type`, or INTERNAL when the storage schema may not contain it (DESIGN 4.4).
    pub(crate) fn of(data_type: &DataType) -> Result<Shape> {
        Self::at(data_type, true)
    }

    fn at(data_type: &DataType, top: bool) -> Result<Shape> {
        Ok(match data_type {
            DataType::Boolean => Shape::Bits,
            DataType::Utf8 | DataType::Binary => Shape::Bytes,
            DataType::FixedSizeBinary(size) => Shape::Fixed(usize::try_from(*size).unwrap_or_default()),
            DataType::List(child) | DataType::Map(child, _) => {
                Shape::List(Box::new(Self::at(child.data_type(), false)?))
            }
            DataType::Struct(fields) => {
                Shape::Struct(fields.iter().map(|field| Self::at(field.data_type(), false)).collect::<Result<_>>()?)
            }
            DataType::Dictionary(key, value) if top && **key == DataType::Int32 && **value == DataType::Utf8 => {
                Shape::Dictionary
            }
            other => match other.primitive_width() {
                Some(width) => Shape::Fixed(width),
                None => {
                    return Err(OtlpError::new(
                        Code::Internal,
                        format!("a column of type {other} cannot be kept: common readers refuse it"),
                    ));
                }
            },
        })
    }

    /// Field nodes it takes in a record batch message.
    pub(crate) fn nodes(&self) -> usize {
        1 + match self {
            Shape::List(child) => child.nodes(),
            Shape::Struct(children) => children.iter().map(Shape::nodes).sum(),
            _ => 0,
        }
    }

    /// Buffers it takes in a record batch message.
    pub(crate) fn buffers(&self) -> usize {
        match self {
            Shape::Fixed(_) | Shape::Bits | Shape::Dictionary => 2,
            Shape::Bytes => 3,
            Shape::List(child) => 2 + child.buffers(),
            Shape::Struct(children) => 1 + children.iter().map(Shape::buffers).sum::<usize>(),
        }
    }
}

/// The shapes of all columns of `schema`.
pub(crate) fn shapes(schema: &Schema) -> Result<Vec<Shape>> {
    schema.fields().iter().map(|field| Shape::of(field.data_type())).collect()
}

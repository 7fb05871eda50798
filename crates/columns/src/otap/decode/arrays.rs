//! The columns of one record batch or dictionary, taken out of its message: every length and offset is checked against what is
//! there, and what is compressed is unpacked. Columns that the table does not have are passed over.

use std::borrow::Cow;

use arrow_ipc::{BodyCompressionMethod, CompressionType};

use super::error::{Fault, invalid};
use super::schema::{Field, Kind};
use super::store::offset;
use super::unpack::{Grow, unpacked};
use crate::otap::table::{Column, Type};

/// One column of one batch.
#[derive(Debug, Default)]
pub(super) struct Array<'a> {
    pub(super) len: usize,
    /// One bit a row, 0 for null; None without nulls.
    nulls: Option<Cow<'a, [u8]>>,
    pub(super) body: Body<'a>,
}

/// What a column has besides its nulls.
#[derive(Debug, Default)]
pub(super) enum Body<'a> {
    /// It was passed over, or has only nulls.
    #[default]
    Nothing,
    Bits(Cow<'a, [u8]>),
    /// Values of one width, or the indexes of a dictionary.
    Fixed(Cow<'a, [u8]>),
    Text {
        /// One more than there are rows; none without rows.
        offsets: Offsets<'a>,
        data: Cow<'a, [u8]>,
    },
    List {
        offsets: Offsets<'a>,
        item: Box<Array<'a>>,
    },
    Struct(Vec<Array<'a>>),
}

/// Offsets that ascend within what they point into.
#[derive(Debug, Default)]
pub(super) struct Offsets<'a>(Cow<'a, [u8]>);

impl std::ops::Deref for Offsets<'_> {
    type Target = [[u8; 4]];

    fn deref(&self) -> &[[u8; 4]] {
        self.0.as_chunks().0
    }
}

impl<'a> Array<'a> {
    pub(super) fn has_nulls(&self) -> bool {
        self.nulls.is_some()
    }

    pub(super) fn nulls(&self) -> Option<&[u8]> {
        self.nulls.as_deref()
    }

    pub(super) fn is_null(&self, at: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls[at / 8] >> (at % 8) & 1 == 0)
    }
}

/// Takes arrays out of one message in order.
pub(super) struct Reader<'a, 'g, 'f> {
    nodes: arrow_ipc_iter::Nodes<'a>,
    buffers: arrow_ipc_iter::Buffers<'a>,
    body: &'a [u8],
    codec: Option<CompressionType>,
    /// Bytes that all buffers together may have without compression.
    left: usize,
    limit: usize,
    grow: &'g mut Grow<'f>,
}

mod arrow_ipc_iter {
    pub(super) type Nodes<'a> = flatbuffers::VectorIter<'a, arrow_ipc::FieldNode>;
    pub(super) type Buffers<'a> = flatbuffers::VectorIter<'a, arrow_ipc::Buffer>;
}

impl<'a, 'g, 'f> Reader<'a, 'g, 'f> {
    /// Over the buffers of `batch` in `body`; at most `limit` bytes are unpacked.
    pub(super) fn new(
        batch: arrow_ipc::RecordBatch<'a>,
        body: &'a [u8],
        limit: usize,
        grow: &'g mut Grow<'f>,
    ) -> Result<Self, Fault> {
        let codec = match batch.compression() {
            None => None,
            Some(compression) if compression.method() == BodyCompressionMethod::BUFFER => Some(compression.codec()),
            Some(_) => return invalid("a batch is compressed in another way than buffer by buffer"),
        };
        let (Some(nodes), Some(buffers)) = (batch.nodes(), batch.buffers()) else {
            return invalid("a record batch has no columns");
        };
        Ok(Self { nodes: nodes.iter(), buffers: buffers.iter(), body, codec, left: limit, limit, grow })
    }

    /// The next column, which holds what `wanted` says; passed over where the table has none like it.
    pub(super) fn array(&mut self, field: &Field, wanted: Option<&Column>) -> Result<Array<'a>, Fault> {
        let Some(node) = self.nodes.next() else { return invalid("a record batch has fewer columns than its schema") };
        let (len, nulls) = (usize::try_from(node.length()).ok(), usize::try_from(node.null_count()).ok());
        let Some((len, nulls)) = len.zip(nulls).filter(|(len, nulls)| nulls <= len && *len <= i32::MAX as usize) else {
            let (len, nulls) = (node.length(), node.null_count());
            return invalid(format!("column {} claims {len} rows, {nulls} of them null", field.name));
        };
        if field.kind == Kind::Null {
            return Ok(Array { len, nulls: None, body: Body::Nothing });
        }
        let Some(wanted) = wanted else {
            self.pass(field)?;
            return Ok(Array::default());
        };
        let nulls = if nulls > 0 {
            let bits = self.buffer(field)?;
            Some(self.enough(field, bits, len.div_ceil(8))?)
        } else {
            self.skip(field)?;
            None
        };
        let body = match (field.index, field.kind) {
            (Some(index), _) => Body::Fixed(self.fixed(field, len, index.width)?),
            (None, Kind::Bool) => {
                let bits = self.buffer(field)?;
                Body::Bits(self.enough(field, bits, len.div_ceil(8))?)
            }
            (None, Kind::Text | Kind::Bytes) => {
                let offsets = self.buffer(field)?;
                let data = self.buffer(field)?;
                Body::Text { offsets: self.offsets(field, offsets, len, data.len())?, data }
            }
            (None, Kind::List) => {
                let offsets = self.buffer(field)?;
                let item = match wanted.data {
                    Type::List(item) => self.array(&field.children[0], Some(item))?,
                    _ => Array::default(),
                };
                Body::List { offsets: self.offsets(field, offsets, len, item.len)?, item: Box::new(item) }
            }
            (None, Kind::Struct) => Body::Struct(self.children(field, wanted, len)?),
            (None, kind) => match kind.width() {
                Some(width) => Body::Fixed(self.fixed(field, len, width)?),
                None => return invalid(format!("column {} is of type {}", field.name, kind.name())),
            },
        };
        Ok(Array { len, nulls, body })
    }

    fn children(&mut self, field: &Field, wanted: &Column, len: usize) -> Result<Vec<Array<'a>>, Fault> {
        let columns = if let Type::Struct(columns) = wanted.data { columns } else { &[] };
        let mut children = Vec::with_capacity(field.children.len());
        for child in &field.children {
            let known = columns.iter().find(|column| column.name == child.name);
            let array = self.array(child, known)?;
            if known.is_some() && array.len != len {
                let (name, found) = (&child.name, array.len);
                return invalid(format!("column {}.{name} has {found} rows, the others {len}", field.name));
            }
            children.push(array);
        }
        Ok(children)
    }

    /// Steps over the buffers and nested columns of a column whose node was taken.
    fn pass(&mut self, field: &Field) -> Result<(), Fault> {
        let buffers = match (field.index, field.kind) {
            (Some(_), _) => 1,
            (None, Kind::Null) => return Ok(()),
            (None, Kind::Text | Kind::Bytes) => 2,
            (None, Kind::Struct) => 0,
            (None, Kind::Other { buffers, .. }) => buffers,
            _ => 1,
        };
        for _ in 0..=buffers {
            self.skip(field)?;
        }
        if field.index.is_none() {
            for child in &field.children {
                if self.nodes.next().is_none() {
                    return invalid("a record batch has fewer columns than its schema");
                }
                self.pass(child)?;
            }
        }
        Ok(())
    }

    fn skip(&mut self, field: &Field) -> Result<(), Fault> {
        match self.buffers.next() {
            Some(_) => Ok(()),
            None => invalid(format!("column {} has too few buffers", field.name)),
        }
    }

    fn buffer(&mut self, field: &Field) -> Result<Cow<'a, [u8]>, Fault> {
        let Some(buffer) = self.buffers.next() else {
            return invalid(format!("column {} has too few buffers", field.name));
        };
        let range = usize::try_from(buffer.offset()).ok().zip(usize::try_from(buffer.length()).ok());
        let raw = range.and_then(|(at, length)| self.body.get(at..at.checked_add(length)?));
        let Some(raw) = raw else {
            return invalid(format!("a buffer of column {} lies outside of its message", field.name));
        };
        let bytes = unpacked(self.codec, raw, self.left, self.grow).map_err(|fault| match fault {
            Fault::Invalid(message) => Fault::Invalid(format!("column {}: {message}", field.name)),
            Fault::TooLarge { needed, .. } => {
                Fault::TooLarge { needed: (self.limit - self.left).saturating_add(needed), limit: self.limit }
            }
            other => other,
        })?;
        if matches!(bytes, Cow::Owned(_)) {
            self.left -= bytes.len();
        }
        Ok(bytes)
    }

    fn enough(&self, field: &Field, bytes: Cow<'a, [u8]>, needed: usize) -> Result<Cow<'a, [u8]>, Fault> {
        if bytes.len() < needed {
            return invalid(format!("a buffer of column {} has {} bytes and needs {needed}", field.name, bytes.len()));
        }
        Ok(match bytes {
            Cow::Borrowed(bytes) => Cow::Borrowed(&bytes[..needed]),
            Cow::Owned(mut bytes) => {
                bytes.truncate(needed);
                Cow::Owned(bytes)
            }
        })
    }

    fn fixed(&mut self, field: &Field, len: usize, width: usize) -> Result<Cow<'a, [u8]>, Fault> {
        let bytes = self.buffer(field)?;
        match len.checked_mul(width) {
            Some(needed) => self.enough(field, bytes, needed),
            None => invalid(format!("column {} claims {len} rows", field.name)),
        }
    }

    fn offsets(&self, field: &Field, bytes: Cow<'a, [u8]>, len: usize, within: usize) -> Result<Offsets<'a>, Fault> {
        if len == 0 {
            return Ok(Offsets::default());
        }
        let offsets = Offsets(self.enough(field, bytes, (len + 1) * 4)?);
        let mut last = offset(offsets[0]);
        let mut ascend = true;
        for next in &offsets[1..] {
            let next = offset(*next);
            ascend &= last <= next;
            last = next;
        }
        if !ascend || last > within {
            return invalid(format!("an offset of column {} points outside of it", field.name));
        }
        Ok(offsets)
    }
}

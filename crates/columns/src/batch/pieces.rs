//! Bytes of a column row by row, in whatever layout another program gave them. Every offset is checked where it is
//! followed: what came over the C data interface was believed until now.

use arrow_array::cast::AsArray;
use arrow_array::{Array, FixedSizeBinaryArray};
use arrow_buffer::{Buffer, NullBuffer, ToByteSlice};
use arrow_data::{ByteView, MAX_INLINE_VIEW_LEN};

/// A column of text or bytes without a dictionary.
#[derive(Clone, Copy)]
pub(crate) struct Pieces<'a> {
    layout: Layout<'a>,
    nulls: Option<&'a NullBuffer>,
    len: usize,
}

#[derive(Clone, Copy)]
enum Layout<'a> {
    /// A column that is not there, or of the type that only has nulls.
    Nothing,
    Small(&'a [i32], &'a [u8]),
    Large(&'a [i64], &'a [u8]),
    Views(&'a [u128], &'a [Buffer]),
    Fixed(usize, &'a [u8]),
}

impl<'a> Pieces<'a> {
    /// Nothing but nulls.
    pub(super) fn nothing() -> Self {
        Self { layout: Layout::Nothing, nulls: None, len: 0 }
    }

    /// Text; none if the array is of another type.
    pub(super) fn text(array: &'a dyn Array) -> Option<Self> {
        let layout = if let Some(small) = array.as_string_opt::<i32>() {
            Layout::Small(small.value_offsets(), small.value_data())
        } else if let Some(large) = array.as_string_opt::<i64>() {
            Layout::Large(large.value_offsets(), large.value_data())
        } else {
            let views = array.as_string_view_opt()?;
            Layout::Views(views.views(), views.data_buffers())
        };
        Some(Self { layout, nulls: array.nulls(), len: array.len() })
    }

    /// Bytes; none if the array is of another type, or of a fixed size other than `size`.
    pub(super) fn bytes(array: &'a dyn Array, size: usize) -> Option<Self> {
        let layout = if let Some(fixed) = array.as_any().downcast_ref::<FixedSizeBinaryArray>() {
            let found = usize::try_from(fixed.value_length()).ok().filter(|found| *found == size)?;
            Layout::Fixed(found, fixed.value_data())
        } else if let Some(small) = array.as_binary_opt::<i32>() {
            Layout::Small(small.value_offsets(), small.value_data())
        } else if let Some(large) = array.as_binary_opt::<i64>() {
            Layout::Large(large.value_offsets(), large.value_data())
        } else {
            let views = array.as_binary_view_opt()?;
            Layout::Views(views.views(), views.data_buffers())
        };
        Some(Self { layout, nulls: array.nulls(), len: array.len() })
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline(always)]
    pub(crate) fn is_null(&self, row: usize) -> bool {
        is_null(self.nulls, row) || matches!(self.layout, Layout::Nothing)
    }

    /// The bytes of a row, whether or not it is null; none where the layout is broken.
    #[inline(always)]
    pub(crate) fn piece(&self, row: usize) -> Option<&'a [u8]> {
        match self.layout {
            Layout::Small(offsets, data) => {
                let (&start, &end) = (offsets.get(row)?, offsets.get(row + 1)?);
                data.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
            }
            Layout::Large(offsets, data) => {
                let (&start, &end) = (offsets.get(row)?, offsets.get(row + 1)?);
                data.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
            }
            Layout::Views(views, buffers) => view(views, buffers, row),
            Layout::Fixed(size, data) => data.get(row * size..(row + 1) * size),
            Layout::Nothing => None,
        }
    }

    /// The bytes of a row; none for null, and where the layout is broken.
    #[inline(always)]
    pub(crate) fn get(&self, row: usize) -> Option<&'a [u8]> {
        if self.is_null(row) { None } else { self.piece(row) }
    }
}

/// Short bytes lie within the view itself, longer ones in a buffer.
fn view<'a>(views: &'a [u128], buffers: &'a [Buffer], row: usize) -> Option<&'a [u8]> {
    let raw = views.get(row..row + 1)?;
    let view = ByteView::from(raw[0]);
    let len = view.length as usize;
    if view.length <= MAX_INLINE_VIEW_LEN {
        return raw.to_byte_slice().get(4..4 + len);
    }
    let start = view.offset as usize;
    buffers.get(view.buffer_index as usize)?.as_slice().get(start..start.checked_add(len)?)
}

#[inline(always)]
pub(super) fn is_null(nulls: Option<&NullBuffer>, row: usize) -> bool {
    nulls.is_some_and(|nulls| row >= nulls.len() || nulls.is_null(row))
}

//! Buffers of IPC messages as they are without compression: asked for before they grow.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io::Read;

use arrow_ipc::CompressionType;

use super::error::Fault;

/// Asks for so many bytes of memory; false if they are not given.
pub type Grow<'g> = dyn FnMut(usize) -> bool + 'g;

/// More than any buffer may hold: offsets are 32 bits wide.
const MAX_BUFFER: usize = i32::MAX as usize;

thread_local! {
    /// What zstd works with: making it anew takes longer than many a buffer.
    static ZSTD: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
}

/// A buffer of a message whose buffers are compressed like this: its length, or -1 for none, stands before it.
pub(super) fn unpacked<'a>(
    codec: Option<CompressionType>,
    raw: &'a [u8],
    limit: usize,
    grow: &mut Grow<'_>,
) -> Result<Cow<'a, [u8]>, Fault> {
    let Some(codec) = codec else { return Ok(Cow::Borrowed(raw)) };
    // An empty buffer has no length before it.
    let Some((length, packed)) = raw.split_first_chunk() else {
        return if raw.is_empty() { Ok(Cow::Borrowed(raw)) } else { wrong("is shorter than its length") };
    };
    let length = match i64::from_le_bytes(*length) {
        -1 => return Ok(Cow::Borrowed(packed)),
        length => usize::try_from(length).ok().filter(|length| *length <= MAX_BUFFER),
    };
    let Some(length) = length else { return wrong("claims an impossible length") };
    if length > limit {
        return Err(Fault::TooLarge { needed: length, limit });
    }
    if length == 0 {
        return Ok(Cow::Borrowed(&[]));
    }
    // A claim that the frame contradicts is refused before memory is asked for.
    if codec == CompressionType::ZSTD
        && let Ok(Some(said)) = zstd::zstd_safe::get_frame_content_size(packed)
        && said != length as u64
    {
        return wrong("is not of the length it claims");
    }
    if !grow(length) {
        return Err(Fault::NoRoom);
    }
    let mut out = Vec::with_capacity(length);
    let read = match codec {
        CompressionType::ZSTD => ZSTD.with_borrow_mut(|zstd| {
            let zstd = match zstd {
                Some(zstd) => zstd,
                none => none.insert(zstd::bulk::Decompressor::new()?),
            };
            zstd.decompress_to_buffer(packed, &mut out)
        }),
        CompressionType::LZ4_FRAME => {
            // One byte more would show that the claim is wrong.
            lz4_flex::frame::FrameDecoder::new(packed).take(length as u64 + 1).read_to_end(&mut out)
        }
        _ => return wrong("is compressed in an unknown way"),
    };
    match read {
        Ok(read) if read == length => Ok(Cow::Owned(out)),
        Ok(_) => wrong("is not of the length it claims"),
        Err(error) => wrong(&format!("cannot be decompressed: {error}")),
    }
}

fn wrong<T>(what: &str) -> Result<T, Fault> {
    Err(Fault::Invalid(format!("a compressed buffer {what}")))
}

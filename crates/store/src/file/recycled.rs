//! Memory of buffers that is used again. One block after the other takes as much, and pages that are new each time cost the
//! system more than what is put into them.

use std::cell::RefCell;

use arrow_buffer::Buffer;
use bytes::Bytes;

/// Bytes that a thread keeps for what comes next.
const MOST: usize = 24 << 20;
/// What is smaller comes from memory that the process has already.
const LEAST: usize = 32 << 10;

#[derive(Default)]
struct Free {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
}

thread_local! {
    static FREE: RefCell<Free> = const { RefCell::new(Free { buffers: Vec::new(), bytes: 0 }) };
}

/// A vector with room for `len` bytes; what is in it is left from before.
pub(super) fn take(len: usize) -> Vec<u8> {
    let fits = |buffer: &Vec<u8>| buffer.capacity() >= len && buffer.capacity() / 2 <= len;
    let found = FREE.with_borrow_mut(|free| {
        if len < LEAST {
            return None;
        }
        let (at, _) =
            free.buffers.iter().enumerate().filter(|(_, buffer)| fits(buffer)).min_by_key(|(_, b)| b.capacity())?;
        let found = free.buffers.swap_remove(at);
        free.bytes -= found.capacity();
        Some(found)
    });
    found.unwrap_or_else(|| Vec::with_capacity(len))
}

/// Exactly `len` bytes, to be written over.
pub(super) fn filled(len: usize) -> Vec<u8> {
    let mut bytes = take(len);
    bytes.resize(len, 0);
    bytes
}

/// Takes back what is not used any more.
pub(super) fn give(buffer: Vec<u8>) {
    if buffer.capacity() < LEAST {
        return;
    }
    // A thread that ends has nothing to keep.
    let _ = FREE.try_with(|free| {
        if let Ok(mut free) = free.try_borrow_mut()
            && free.bytes + buffer.capacity() <= MOST
        {
            free.bytes += buffer.capacity();
            free.buffers.push(buffer);
        }
    });
}

/// A buffer that gives its memory back when nobody has it any more, on the thread where that is.
pub(super) fn buffer(bytes: Vec<u8>) -> Buffer {
    match bytes.capacity() < LEAST {
        true => Buffer::from_vec(bytes),
        false => Buffer::from(Bytes::from_owner(Recycled(bytes))),
    }
}

struct Recycled(Vec<u8>);

impl AsRef<[u8]> for Recycled {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Recycled {
    fn drop(&mut self) {
        give(std::mem::take(&mut self.0));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn kept() -> usize {
        FREE.with_borrow(|free| free.bytes)
    }

    #[test]
    fn memory_that_fits_is_used_again_and_no_more_is_kept_than_agreed() {
        let large = buffer(vec![7; LEAST * 3]);
        let (place, slice) = (large.as_ptr(), large.slice_with_length(1, 2));
        drop(large);
        assert_eq!((kept(), &*slice), (0, &[7, 7][..]), "a slice has it still");
        drop(slice);
        assert_eq!(kept(), LEAST * 3);
        assert_eq!(take(LEAST).capacity(), LEAST, "what is much too large is for others");
        let again = filled(LEAST * 2);
        assert_eq!((again.as_ptr(), again.len(), kept()), (place, LEAST * 2, 0));
        give(again);
        give(vec![0; LEAST - 1]);
        assert_eq!(kept(), LEAST * 3);
        for _ in 0..3 * MOST / LEAST {
            give(Vec::with_capacity(LEAST));
        }
        assert!(kept() <= MOST);
        std::thread::spawn(|| assert_eq!(kept(), 0)).join().unwrap();
    }
}

//! A global allocator that is the system's or mimalloc, as a switch says.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, Ordering};

use mimalloc::MiMalloc;

static USE_MIMALLOC: AtomicBool = AtomicBool::new(false);

/// Hands everything to the system's allocator, or to mimalloc within [`with_mimalloc`].
pub struct Switched;

// SAFETY: both allocators keep the contract, and `with_mimalloc` asks for a section that leaves no block behind, so
// each block returns to the allocator it came from.
unsafe impl GlobalAlloc for Switched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        unsafe { if USE_MIMALLOC.load(Ordering::Relaxed) { MiMalloc.alloc(layout) } else { System.alloc(layout) } }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        unsafe {
            if USE_MIMALLOC.load(Ordering::Relaxed) {
                MiMalloc.alloc_zeroed(layout)
            } else {
                System.alloc_zeroed(layout)
            }
        }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        unsafe {
            if USE_MIMALLOC.load(Ordering::Relaxed) {
                MiMalloc.realloc(at, layout, size)
            } else {
                System.realloc(at, layout, size)
            }
        }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe {
            if USE_MIMALLOC.load(Ordering::Relaxed) { MiMalloc.dealloc(at, layout) } else { System.dealloc(at, layout) }
        }
    }
}

/// Runs `section` on mimalloc.
///
/// # Safety
/// The program has one thread, and the section frees exactly what it allocates: nothing in it outlives it, nothing from
/// before is freed or grown in it.
pub unsafe fn with_mimalloc(section: impl FnOnce()) {
    USE_MIMALLOC.store(true, Ordering::Relaxed);
    section();
    USE_MIMALLOC.store(false, Ordering::Relaxed);
}

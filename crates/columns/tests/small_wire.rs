//! Few wire bytes that ask for much memory: refused without taking it, or decoded within what was promised.
//!
//! A small form runs always. `OTLP_ARROW_EMPTY_RECORDS=31000000 cargo test --release --test small_wire` is the full size
//! (62 MB of wire, 60 KB as gzip); `npm run test:long -- "small wire"` runs it, and counts its instructions.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use otlp_arrow_columns::{BatchBuilder, DecodeError, Limits, Signal, check};

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, counting bytes that are held.
struct Counting;

fn taken(bytes: usize) {
    let now = NOW.fetch_add(bytes, Ordering::Relaxed) + bytes;
    PEAK.fetch_max(now, Ordering::Relaxed);
}

// SAFETY: everything is handed to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What is held on the way beside the columns: the builder itself, its tables, and what Arrow puts around buffers.
const OVERHEAD: usize = 1 << 20;

fn block(field: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![field << 3 | 2];
    let mut len = body.len();
    while len >= 0x80 {
        out.push(len as u8 | 0x80);
        len >>= 7;
    }
    out.push(len as u8);
    out.extend_from_slice(body);
    out
}

/// Checks, and decodes if it may be; whether it was. Asserts that no more memory was held than allowed.
fn within(name: &str, signal: Signal, bytes: &[u8], rows: usize, limits: &Limits) -> bool {
    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let held = || PEAK.load(Ordering::Relaxed) - before;
    let checked = match check(signal, bytes, limits) {
        Ok(checked) => checked,
        Err(DecodeError::TooLarge { needed, limit }) => {
            assert!(needed > limit, "{name}");
            assert!(held() < OVERHEAD, "{name}: {} bytes were held to refuse it", held());
            return false;
        }
        Err(error) => panic!("{name}: {error}"),
    };
    assert_eq!(checked.rows, rows, "{name}");
    assert!(checked.arrow_bytes <= limits.max_request_memory, "{name}");
    let mut builder = BatchBuilder::new(signal);
    builder.append(bytes, &checked);
    assert_eq!(builder.finish().num_rows(), rows, "{name}");
    let allowed = checked.arrow_bytes + OVERHEAD;
    assert!(held() <= allowed, "{name}: {} bytes were held where {allowed} were promised", held());
    true
}

/// One test, for the memory of all threads is counted.
#[test]
fn small_wire_takes_no_more_than_it_may() {
    let records: usize = std::env::var("OTLP_ARROW_EMPTY_RECORDS").map_or(100_000, |text| text.parse().unwrap());
    let attribute = block(9, &[&block(1, b"k")[..], &block(2, &block(1, b"v"))].concat());
    let shapes: [(&str, Signal, Vec<u8>); 7] = [
        ("log records", Signal::Logs, vec![0x12, 0]),
        ("spans", Signal::Traces, vec![0x12, 0]),
        ("number points", Signal::Metrics, block(2, &block(5, &[0x0a, 0]))),
        ("histogram points", Signal::Metrics, block(2, &block(9, &[0x0a, 0]))),
        ("exponential points", Signal::Metrics, block(2, &block(10, &[0x0a, 0]))),
        ("summary points", Signal::Metrics, block(2, &block(11, &[0x0a, 0]))),
        ("spans with an empty event", Signal::Traces, block(2, &[0x5a, 0])),
    ];
    let default = Limits::default();
    // What one request may have at most, whatever is configured.
    let widest = Limits { max_request_memory: usize::MAX >> 1, ..default };
    let mut decoded = 0;
    for (name, signal, record) in shapes {
        // All shapes have as many bytes as that many empty log records.
        let count = records * 2 / record.len();
        let bytes = block(1, &block(2, &record.repeat(count)));
        for limits in [&default, &widest] {
            decoded += usize::from(within(name, signal, &bytes, count, limits));
        }
    }
    // As many metrics without points give no rows, and need none of the memory.
    let bytes = block(1, &block(2, &[0x12, 0].repeat(records)));
    assert!(within("metrics", Signal::Metrics, &bytes, 0, &default));
    // 5,000,000 where there are 31,000,000 empty records.
    let keys = (records * 5).div_ceil(31);
    let bytes = block(1, &block(2, &block(2, &attribute.repeat(keys))));
    let small = within("equal keys", Signal::Traces, &bytes, 1, &default);
    let wide = within("equal keys, wide limits", Signal::Traces, &bytes, 1, &widest);
    assert!(wide || !small, "more memory never refuses what less allows");
    println!("{records} empty records: {decoded} of 14 decoded, the rest refused; equal keys: {small}, {wide}");
}

//! Allocations are counted per batch, not per record.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use arrow_schema::{DataType, Field};
use otlp_arrow_columns::{BatchBuilder, Limits, Signal, check, schema};
use otlp_arrow_testkit::payload::Kind;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, counting on each thread.
struct Counting;

// SAFETY: everything is handed to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Columns with those below them: the parts of a list, a struct or a map, and a dictionary's values.
fn columns(field: &Field) -> usize {
    1 + match field.data_type() {
        DataType::List(field) | DataType::Map(field, _) => columns(field),
        DataType::Struct(fields) => fields.iter().map(|field| columns(field)).sum(),
        DataType::Dictionary(..) => 1,
        _ => 0,
    }
}

/// A batch may take four for each column, with those inside lists, maps and structs counted as columns, and dictionary
/// values as well: each of them is an array of its own. It may not take more for more rows; small batches take less,
/// because arrays of nothing are kept for the next.
#[test]
fn at_most_four_allocations_a_column_whatever_the_rows() {
    for kind in Kind::COMPARED {
        let signal = match kind {
            Kind::Spans { .. } => Signal::Traces,
            Kind::Logs { .. } => Signal::Logs,
            _ => Signal::Metrics,
        };
        let schema = schema(signal);
        let columns: usize = schema.fields().iter().map(|field| columns(field)).sum();
        let counts = [1, 100, 1000, 2000, 10_000].map(|rows| {
            let mut builder = BatchBuilder::new(signal);
            // The first batch finds the builder cold.
            [1, 2].map(|seed| {
                let bytes = kind.encoded(rows, seed);
                let before = ALLOCATIONS.get();
                let checked = check(signal, &bytes, &Limits::default()).unwrap();
                builder.append(&bytes, &checked);
                let batch = builder.finish();
                let count = ALLOCATIONS.get() - before;
                assert_eq!(batch.num_rows(), rows);
                count
            })[1]
        });
        println!("{kind:?}: {counts:?} for {} columns, {columns} with nested ones", schema.fields().len());
        assert!(counts.iter().all(|&count| count <= 4 * columns), "{kind:?}: {counts:?} for {columns} columns");
        let [small @ .., large, larger] = counts;
        // The vectors that gather different texts may have to grow once more.
        assert!(larger <= large + 4, "{kind:?}: {counts:?}, more for more rows");
        assert!(small.iter().all(|&count| count < large), "{kind:?}: {counts:?}, nothing is kept for small batches");
    }
}

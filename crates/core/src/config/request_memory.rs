//! What one request may take of a memory budget: where `buffer.max_bytes`, `limits.max_body` and
//! `limits.max_request_memory` meet (ADR 0018). Whatever the budget, one request of `limits.max_body` finds room in it.

use super::read::Reader;
use super::types::Limits;
use super::units::show_size;

const MIB: usize = 1 << 20;
/// The defaults of the table, for its default budget and larger ones.
const MAX_BODY: usize = 64 * MIB;
const MAX_REQUEST_MEMORY: usize = 256 * MIB;
/// Beside the body and its columns: headers, and what buffers are rounded up by.
const SLACK: usize = MIB;

/// The defaults of `limits.max_body` and `limits.max_request_memory` with a budget of so many bytes: the share of it
/// that one signal has, and twice as much as it.
pub(super) fn defaults(buffer_max_bytes: usize) -> (usize, usize) {
    (MAX_BODY.min(buffer_max_bytes / 4 * 3), MAX_REQUEST_MEMORY.min(buffer_max_bytes.saturating_mul(2)))
}

/// Has the two limits follow the budget where nobody set them.
pub(super) fn set_defaults(reader: &mut Reader<'_>, buffer_max_bytes: usize) {
    let (body, memory) = defaults(buffer_max_bytes);
    let what = format!("a buffer of {}", show_size(buffer_max_bytes as u64));
    if body < MAX_BODY {
        reader.set_default_for("limits.max_body", show_size(body as u64), what.clone());
    }
    if memory < MAX_REQUEST_MEMORY {
        reader.set_default_for("limits.max_request_memory", show_size(memory as u64), what);
    }
}

/// [`set_defaults`] for limits that were built by hand: those that are at the default of the table.
pub(super) fn fit(limits: &mut Limits, buffer_max_bytes: usize) {
    let (body, memory) = defaults(buffer_max_bytes);
    if limits.max_body == MAX_BODY {
        limits.max_body = body;
    }
    if limits.max_request_memory == MAX_REQUEST_MEMORY {
        limits.max_request_memory = memory;
    }
}

/// The most that one request may take that is larger than a share of the budget: its body twice, as it was sent and as it
/// is read, or its body and its columns; and never more than three times the budget.
pub(super) fn most(buffer_max_bytes: usize, limits: &Limits) -> usize {
    let needed = limits.max_body.saturating_add(limits.max_body.max(limits.max_request_memory)).saturating_add(SLACK);
    needed.min(buffer_max_bytes.saturating_mul(3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn a_request_of_the_largest_body_finds_room_in_every_budget() {
        for budget in [1, 2, 7, 16, 32, 64, 100, 128, 129, 512, 4096].map(|mebibytes| mebibytes * MIB) {
            let (max_body, max_request_memory) = defaults(budget);
            let limits = Limits { max_body, max_request_memory, ..Config::default().limits };
            let most = most(budget, &limits);
            // As it was sent and as it is read, or as it is read and as columns.
            assert!(most >= max_body * 2 && most >= max_body + max_request_memory, "{budget}");
            assert!(most <= budget * 3, "{budget}");
        }
        assert_eq!(defaults(128 * MIB), (64 * MIB, 256 * MIB));
        assert_eq!(defaults(1024 * MIB), (64 * MIB, 256 * MIB), "more memory is for more requests");
    }
}

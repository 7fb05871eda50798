//! Work that would hold up the other connections of its thread.

/// Bytes of protobuf from which reading a request is kept away from the other connections of its thread.
pub const WORTH_A_THREAD: usize = 256 << 10;

/// Runs `work`, apart from the other connections of this thread if it is `long`.
pub fn apart<T>(long: bool, work: impl FnOnce() -> T) -> T {
    if long { tokio::task::block_in_place(work) } else { work() }
}

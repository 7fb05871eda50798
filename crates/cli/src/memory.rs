//! The allocator of a process that does nothing but serve.
//!
//! glibc gives each thread an arena and each large block pages of its own, so under load every commit maps its columns
//! anew and the memory of one thread is of no use to another. Here all threads share what was mapped once, and it is
//! given back when nothing goes on. A program that embeds the library decides about its memory itself.
#![allow(unsafe_code, reason = "the allocator and the clock are only to be had through their C interface")]

#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) use glibc::{give_back_when_idle, share};

/// To be called before threads start.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn share() {}

/// Never ends.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) async fn give_back_when_idle() {
    std::future::pending().await
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod glibc {
    use std::time::Duration;

    /// How often it is looked whether the process is idle.
    const LOOK_EVERY: Duration = Duration::from_secs(2);
    /// An idle process uses less than this from one look to the next.
    const IDLE: Duration = Duration::from_millis(10);
    /// Blocks from this size on are mapped alone and given back at once, so that large bodies leave no holes behind.
    const MAPPED_ALONE: libc::c_int = 8 << 20;
    /// So much may stay free at the end of the heap; with the budget it stays within what the process may take.
    const KEPT_FREE: libc::c_int = 32 << 20;

    /// To be called before threads start.
    pub(crate) fn share() {
        // SAFETY: mallopt takes two numbers; what it does not know it ignores.
        unsafe {
            libc::mallopt(libc::M_ARENA_MAX, 1);
            libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_ALONE);
            libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_FREE);
        }
    }

    /// Gives free memory back to the system whenever the process has worked and rests again. Never ends.
    pub(crate) async fn give_back_when_idle() {
        let (mut before, mut given_at) = (used(), Duration::ZERO);
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = used();
            if now.saturating_sub(before) < IDLE && now.saturating_sub(given_at) >= IDLE {
                // SAFETY: it takes a number and frees nothing that is in use.
                unsafe { libc::malloc_trim(0) };
                given_at = used();
            }
            before = now;
        }
    }

    /// CPU time of this process.
    fn used() -> Duration {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the pointer is to a timespec of ours that outlives the call.
        unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }
}

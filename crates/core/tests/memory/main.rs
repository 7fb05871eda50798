//! A disk that stands still: memory, and shutting down. Resident memory is read as Linux tells it.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods, reason = "tests")]

#[cfg(target_os = "linux")]
mod shutdown;
#[cfg(target_os = "linux")]
mod stalled;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    otlp_arrow_testkit::harness::main(
        &[shutdown::ENDING, stalled::STALLED],
        &otlp_arrow_testkit::tests![
            shutdown::a_shutdown_ends_at_its_deadline_while_the_disk_stands_still,
            stalled::memory_stays_within_the_budget_while_the_disk_stands_still,
        ],
    )
}

#[cfg(not(target_os = "linux"))]
fn main() {}

//! Memory while the disk stands still. Resident memory is read as Linux tells it.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods, reason = "tests")]

#[cfg(target_os = "linux")]
mod stalled;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    otlp_arrow_testkit::harness::main(
        &[stalled::STALLED],
        &otlp_arrow_testkit::tests![stalled::memory_stays_within_the_budget_while_the_disk_stands_still],
    )
}

#[cfg(not(target_os = "linux"))]
fn main() {}

//! Processes under test.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::process::Child;

/// A process that is killed when its value goes.
#[derive(Debug)]
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Bytes in a line of `/proc/PID/status` of Linux, such as `VmRSS`, or `VmHWM` for the most that was ever resident.
///
/// # Panics
/// Where there is no such line.
pub fn memory(process: &Child, key: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

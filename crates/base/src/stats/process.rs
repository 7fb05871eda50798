//! What this process costs, from the operating system's own accounting.
#![allow(unsafe_code, reason = "the accounting of the operating system is only to be had through its C interface")]

/// CPU time and memory of this process, where the system tells.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    /// User and system time, in seconds.
    pub(super) cpu_seconds: Option<f64>,
    /// Resident memory, in bytes.
    pub(super) resident_bytes: Option<u64>,
}

#[cfg(unix)]
pub(super) fn usage() -> Usage {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec of ours that outlives the call.
    let done = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    let cpu_seconds = (done == 0).then(|| time.tv_sec as f64 + time.tv_nsec as f64 / 1e9);
    Usage { cpu_seconds, resident_bytes: resident_bytes() }
}

#[cfg(target_os = "linux")]
fn resident_bytes() -> Option<u64> {
    let pages: u64 = std::fs::read_to_string("/proc/self/statm").ok()?.split_ascii_whitespace().nth(1)?.parse().ok()?;
    // SAFETY: sysconf takes a number and returns one.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(page).ok().map(|page| pages * page)
}

#[cfg(target_vendor = "apple")]
fn resident_bytes() -> Option<u64> {
    let mut info = std::mem::MaybeUninit::<libc::proc_taskinfo>::zeroed();
    let size = std::mem::size_of::<libc::proc_taskinfo>() as libc::c_int;
    // SAFETY: the buffer has the size that is passed, and any bytes are a valid proc_taskinfo.
    unsafe {
        let read = libc::proc_pidinfo(libc::getpid(), libc::PROC_PIDTASKINFO, 0, info.as_mut_ptr().cast(), size);
        (read == size).then(|| info.assume_init().pti_resident_size)
    }
}

#[cfg(all(unix, not(target_os = "linux"), not(target_vendor = "apple")))]
fn resident_bytes() -> Option<u64> {
    None
}

#[cfg(windows)]
pub(super) fn usage() -> Usage {
    use windows_sys::Win32::Foundation::FILETIME;
    use windows_sys::Win32::System::ProcessStatus::{K32GetProcessMemoryInfo, PROCESS_MEMORY_COUNTERS};
    use windows_sys::Win32::System::Threading::{GetCurrentProcess, GetProcessTimes};

    const NONE: FILETIME = FILETIME { dwLowDateTime: 0, dwHighDateTime: 0 };
    let (mut created, mut exited, mut kernel, mut user) = (NONE, NONE, NONE, NONE);
    let size = std::mem::size_of::<PROCESS_MEMORY_COUNTERS>() as u32;
    // SAFETY: a structure of numbers, for which zero is a value.
    let mut memory: PROCESS_MEMORY_COUNTERS = unsafe { std::mem::zeroed() };
    // SAFETY: the pseudo handle is always valid, the pointers are to variables of ours that outlive the calls.
    let (timed, measured) = unsafe {
        let process = GetCurrentProcess();
        (
            GetProcessTimes(process, &mut created, &mut exited, &mut kernel, &mut user),
            K32GetProcessMemoryInfo(process, &mut memory, size),
        )
    };
    let seconds =
        |time: FILETIME| ((u64::from(time.dwHighDateTime) << 32) | u64::from(time.dwLowDateTime)) as f64 / 1e7;
    Usage {
        cpu_seconds: (timed != 0).then(|| seconds(kernel) + seconds(user)),
        resident_bytes: (measured != 0).then_some(memory.WorkingSetSize as u64),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_system_tells() {
        let usage = super::usage();
        assert!(usage.cpu_seconds.is_some_and(|seconds| seconds > 0.0));
        assert!(usage.resident_bytes.is_none_or(|bytes| bytes > 100_000));
    }
}

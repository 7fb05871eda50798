//! What the operating system says a process has used.

use std::fs;
use std::process::Child;

/// CPU seconds, and the page faults that needed no disk, of a whole process so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    /// User and system time of all threads, also of those that have ended.
    pub(crate) total: f64,
    /// Of that, the thread that seals files.
    pub(crate) sealing: f64,
    /// Of that, time in the kernel.
    pub(crate) system: f64,
    /// Pages that were mapped on first touch.
    pub(crate) faults: f64,
}

impl Used {
    /// What `child` has used so far.
    pub(crate) fn by(child: &Child) -> Self {
        let dir = format!("/proc/{}", child.id());
        let stat = fs::read_to_string(format!("{dir}/stat")).unwrap();
        // The name may hold spaces; what follows is counted from its closing parenthesis.
        let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
        let number = |at: usize| fields[at].parse::<f64>().unwrap();
        let system = number(12) / 100.0;
        Self {
            total: number(11) / 100.0 + system,
            system,
            faults: number(7),
            sealing: threads(&dir, |name| name == "otlp-seal"),
        }
    }

    /// Whether `child` has ended and is yet to be waited for.
    pub(crate) fn has_ended(child: &Child) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
        stat[stat.rfind(')').unwrap() + 2..].starts_with('Z')
    }

    /// What was used since `before`.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            total: self.total - before.total,
            sealing: self.sealing - before.sealing,
            system: self.system - before.system,
            faults: self.faults - before.faults,
        }
    }
}

/// CPU seconds of the threads that live now and whose name is `wanted`.
pub(crate) fn threads(dir: &str, wanted: impl Fn(&str) -> bool) -> f64 {
    let mut seconds = 0.0;
    for thread in fs::read_dir(format!("{dir}/task")).into_iter().flatten().flatten() {
        let read = |file: &str| fs::read_to_string(thread.path().join(file)).unwrap_or_default();
        if wanted(read("comm").trim()) {
            seconds += read("schedstat").split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) / 1e9;
        }
    }
    seconds
}

/// A line of `/proc/PID/status` in KiB, such as `VmRSS` or `VmHWM`.
pub(crate) fn memory_kib(child: &Child, key: &str) -> u64 {
    otlp_arrow_testkit::process::memory(child, key) / 1024
}

/// CPU seconds by thread name, for a look at where they go.
pub(crate) fn by_thread(child: &Child) -> Vec<(String, f64)> {
    let dir = format!("/proc/{}", child.id());
    let mut names: Vec<String> = fs::read_dir(format!("{dir}/task"))
        .unwrap()
        .flatten()
        .map(|thread| fs::read_to_string(thread.path().join("comm")).unwrap_or_default().trim().to_owned())
        .collect();
    names.sort();
    names.dedup();
    names.into_iter().map(|name| (name.clone(), threads(&dir, |other| other == name))).collect()
}

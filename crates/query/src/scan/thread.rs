//! Threads of questions give way to those that record.

/// Lowers the priority of this thread, where the system lets a thread have one of its own. Not being able to is nobody's
/// loss: then questions and recording share the processor evenly.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[allow(unsafe_code, reason = "the system asks for it")]
pub fn give_way() {
    const NICE: libc::c_int = 10;
    // SAFETY: a system call on numbers. On Linux 0 is the calling thread, and niceness is a thread's.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS as _, 0, NICE);
    }
}

/// As above.
#[cfg(target_vendor = "apple")]
#[allow(unsafe_code, reason = "the system asks for it")]
pub fn give_way() {
    // SAFETY: sets the class of the calling thread, which owns nothing that depends on it.
    unsafe {
        libc::pthread_set_qos_class_self_np(libc::qos_class_t::QOS_CLASS_UTILITY, 0);
    }
}

/// As above.
#[cfg(windows)]
#[allow(unsafe_code, reason = "the system asks for it")]
pub fn give_way() {
    use windows_sys::Win32::System::Threading::{GetCurrentThread, SetThreadPriority, THREAD_PRIORITY_BELOW_NORMAL};
    // SAFETY: the handle is that of the calling thread, and need not be closed.
    unsafe {
        SetThreadPriority(GetCurrentThread(), THREAD_PRIORITY_BELOW_NORMAL);
    }
}

/// As above: nothing that a thread could be told.
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple", windows)))]
pub fn give_way() {}

//! The few calls into the operating system that the standard library has no safe form of.
#![expect(unsafe_code, reason = "the only module of the store that may; each block says why it is sound")]

use std::io;
use std::path::Path;

/// Bytes this user may still write on the file system that holds `dir`, and all bytes of it.
#[cfg(unix)]
pub fn free_and_size(dir: &Path) -> io::Result<(u64, u64)> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(dir.as_os_str().as_bytes())?;
    let mut answer = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: `path` ends in NUL and `answer` is a place for one statvfs; both outlive the call.
    if unsafe { libc::statvfs(path.as_ptr(), answer.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: statvfs returned 0, so it has filled the struct.
    let answer = unsafe { answer.assume_init() };
    #[allow(clippy::unnecessary_cast, reason = "these types differ between platforms")]
    let bytes = |blocks: u64| blocks.saturating_mul(answer.f_frsize as u64);
    #[allow(clippy::unnecessary_cast, reason = "these types differ between platforms")]
    Ok((bytes(answer.f_bavail as u64), bytes(answer.f_blocks as u64)))
}

/// Bytes this user may still write on the volume that holds `dir`, and all that this user may have there.
#[cfg(windows)]
pub fn free_and_size(dir: &Path) -> io::Result<(u64, u64)> {
    use std::os::windows::ffi::OsStrExt;
    use windows_sys::Win32::Storage::FileSystem::GetDiskFreeSpaceExW;
    let wide: Vec<u16> = dir.as_os_str().encode_wide().chain([0]).collect();
    let (mut free, mut size) = (0u64, 0u64);
    // SAFETY: `wide` ends in NUL, `free` and `size` are places for the first two answers, and the third may be null.
    let done = unsafe { GetDiskFreeSpaceExW(wide.as_ptr(), &mut free, &mut size, std::ptr::null_mut()) };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok((free, size)) }
}

/// Whether the file system that holds `dir` is kept in memory.
#[cfg(target_os = "linux")]
pub fn is_in_memory(dir: &Path) -> io::Result<bool> {
    use std::os::unix::ffi::OsStrExt;
    const TMPFS: i64 = 0x0102_1994;
    const RAMFS: i64 = 0x8584_58f6;
    let path = std::ffi::CString::new(dir.as_os_str().as_bytes())?;
    let mut answer = std::mem::MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: `path` ends in NUL and `answer` is a place for one statfs; both outlive the call.
    if unsafe { libc::statfs(path.as_ptr(), answer.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: statfs returned 0, so it has filled the struct.
    let kind = unsafe { answer.assume_init() }.f_type;
    #[allow(clippy::unnecessary_cast, reason = "this type differs between platforms")]
    Ok(matches!(kind as i64 & 0xffff_ffff, TMPFS | RAMFS))
}

/// The user that this process has the rights of.
#[cfg(unix)]
pub fn user() -> u32 {
    // SAFETY: the call takes nothing and cannot fail.
    unsafe { libc::geteuid() }
}

/// The number of a group by its name; `None` if there is none of that name.
#[cfg(unix)]
pub fn group(name: &str) -> io::Result<Option<u32>> {
    let name = std::ffi::CString::new(name)?;
    let mut text = vec![0 as libc::c_char; 1 << 10];
    loop {
        let mut entry = std::mem::MaybeUninit::<libc::group>::uninit();
        let mut found = std::ptr::null_mut();
        // SAFETY: `name` ends in NUL, `entry` and `found` are places for one answer each, and `text` has as many bytes as is said.
        let failed =
            unsafe { libc::getgrnam_r(name.as_ptr(), entry.as_mut_ptr(), text.as_mut_ptr(), text.len(), &mut found) };
        match failed {
            0 if found.is_null() => return Ok(None),
            // SAFETY: it returned 0 and a pointer to `entry`, which it has filled.
            0 => return Ok(Some(unsafe { entry.assume_init() }.gr_gid)),
            // A group of many members.
            libc::ERANGE if text.len() < 1 << 24 => text.resize(text.len() * 4, 0),
            // Without such a database there are no such groups.
            libc::ENOENT | libc::ESRCH | libc::EBADF | libc::EPERM => return Ok(None),
            other => return Err(io::Error::from_raw_os_error(other)),
        }
    }
}

/// Has what is written to a file that was opened with `O_DIRECT` go through the cache from now on.
#[cfg(target_os = "linux")]
pub fn use_cache(file: &std::fs::File) -> io::Result<()> {
    let descriptor = std::os::fd::AsRawFd::as_raw_fd(file);
    // SAFETY: the descriptor is open as long as `file` is borrowed; the call takes and gives numbers only.
    let flags = unsafe { libc::fcntl(descriptor, libc::F_GETFL) };
    // SAFETY: as above.
    if flags < 0 || unsafe { libc::fcntl(descriptor, libc::F_SETFL, flags & !libc::O_DIRECT) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(unix)]
mod fork {
    use std::sync::Once;
    use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

    /// How many forks lie between the first process and this one.
    static GENERATION: AtomicU64 = AtomicU64::new(0);
    /// Descriptors that hold locks; -1 is a free place. Plain atomics, because a fork handler may use nothing else.
    static LOCKS: [AtomicI32; 1024] = [const { AtomicI32::new(-1) }; 1024];
    static HANDLER: Once = Once::new();

    /// Runs in the child between `fork` and its return: only atomics and `close` are allowed here.
    extern "C" fn in_child() {
        GENERATION.fetch_add(1, Ordering::SeqCst);
        for place in &LOCKS {
            let descriptor = place.swap(-1, Ordering::SeqCst);
            if descriptor >= 0 {
                // SAFETY: closing is async-signal-safe; the owner of this descriptor forgets it once the generation differs.
                unsafe { libc::close(descriptor) };
            }
        }
    }

    /// Which process of a chain of forks this is. A value that differs from a remembered one means: we are a child.
    pub fn generation() -> u64 {
        GENERATION.load(Ordering::SeqCst)
    }

    /// Makes forks visible to [`generation`]; to be called before the first lock is taken.
    pub fn watch() {
        // SAFETY: the handler is a function of this program that does async-signal-safe things only.
        HANDLER.call_once(|| unsafe {
            libc::pthread_atfork(None, None, Some(in_child));
        });
    }

    /// Has `descriptor` closed in children, because a lock lives as long as any copy of its descriptor.
    ///
    /// `false` if there are too many; then children keep the lock alive, which only delays adoption.
    pub fn close_in_children(descriptor: i32) -> bool {
        watch();
        LOCKS.iter().any(|place| place.compare_exchange(-1, descriptor, Ordering::SeqCst, Ordering::SeqCst).is_ok())
    }

    /// Takes back [`close_in_children`], before the descriptor is closed.
    pub fn keep_in_children(descriptor: i32) {
        for place in &LOCKS {
            if place.compare_exchange(descriptor, -1, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                return;
            }
        }
    }
}

#[cfg(unix)]
pub use fork::{close_in_children, generation, keep_in_children, watch};

/// Which process of a chain of forks this is: there is no fork here.
#[cfg(not(unix))]
pub fn generation() -> u64 {
    0
}

/// Nothing to watch for: there is no fork here.
#[cfg(not(unix))]
pub fn watch() {}

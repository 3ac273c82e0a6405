//! Pictures handed to a terminal of the same machine through POSIX shared memory.
//!
//! Owns the names: each object has a fresh one, the terminal removes it when it has read it, and what it did not read
//! is removed here, as soon as a bounded number waits, and on drop.

use std::collections::VecDeque;
use std::ffi::{CStr, CString};
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

/// Objects that may wait for the terminal. With more, the oldest is removed: a terminal that far behind would show a picture
/// that is old, and skips one that is gone.
const WAITING: usize = 8;

/// Names of this process, so that two pictures never take the same.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// Makes objects and cleans up after the terminal.
#[derive(Default)]
pub(super) struct Shared {
    waiting: VecDeque<CString>,
}

impl Shared {
    /// Puts `bytes` into a new object and returns its name.
    ///
    /// # Errors
    /// The system's, when there is no shared memory or no room in it; nothing is left behind then.
    pub(super) fn put(&mut self, bytes: &[u8]) -> io::Result<&CStr> {
        while self.waiting.len() >= WAITING {
            self.waiting.pop_front().inspect(|name| remove(name));
        }
        // Short, because macOS allows 31 bytes.
        let name = format!("/lm-{:x}-{:x}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let name = CString::new(name)?;
        if let Err(why) = fill(&name, bytes) {
            remove(&name);
            return Err(why);
        }
        self.waiting.push_back(name);
        self.waiting.back().map(CString::as_c_str).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.waiting.iter().for_each(|name| remove(name));
    }
}

fn remove(name: &CStr) {
    // SAFETY: the name is a C string. That it is gone already is the usual case.
    unsafe { libc::shm_unlink(name.as_ptr()) };
}

/// Makes the object `name` with `bytes` in it, for this user only.
fn fill(name: &CStr, bytes: &[u8]) -> io::Result<()> {
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

    // SAFETY: the name is a C string.
    let descriptor = unsafe {
        libc::shm_open(
            name.as_ptr(),
            libc::O_CREAT | libc::O_EXCL | libc::O_RDWR | libc::O_CLOEXEC,
            0o600 as libc::c_uint,
        )
    };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just opened and belongs to nobody else.
    let file = unsafe { OwnedFd::from_raw_fd(descriptor) };
    let length = libc::off_t::try_from(bytes.len()).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open.
    if unsafe { libc::ftruncate(file.as_raw_fd(), length) } != 0 {
        return Err(io::Error::last_os_error());
    }
    copy(&file, bytes)
}

/// On Linux the object is a file like any other, and writing to it spares the page faults of a mapping.
#[cfg(target_os = "linux")]
fn copy(file: &std::os::fd::OwnedFd, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write;
    std::fs::File::from(file.try_clone()?).write_all(bytes)
}

#[cfg(not(target_os = "linux"))]
fn copy(file: &std::os::fd::OwnedFd, bytes: &[u8]) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    if bytes.is_empty() {
        return Ok(());
    }
    // SAFETY: the object is as long as `bytes`, the mapping is used only here and is taken away again.
    unsafe {
        let at = libc::mmap(
            std::ptr::null_mut(),
            bytes.len(),
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED,
            file.as_raw_fd(),
            0,
        );
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), at.cast::<u8>(), bytes.len());
        libc::munmap(at, bytes.len());
    }
    Ok(())
}

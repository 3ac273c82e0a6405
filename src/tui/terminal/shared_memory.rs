//! One pixel in shared memory, for the question whether the terminal can read it.
//!
//! Owns the object from its making to its removal; a terminal that reads it removes it as well.

use std::ffi::CString;
use std::io::Write as _;
use std::os::fd::FromRawFd as _;

/// A shared memory object that holds one black pixel.
#[derive(Debug)]
pub(super) struct Pixel {
    name: CString,
}

impl Pixel {
    /// `None` where the system has no shared memory; then there is nothing to ask.
    pub(super) fn new() -> Option<Self> {
        let name = format!("/letsmeet-{}", std::process::id());
        let name = CString::new(name).ok()?;
        // SAFETY: the name ends with a zero; the descriptor is nobody else's.
        let mut file = unsafe {
            // Left by a process of the same number that was killed.
            libc::shm_unlink(name.as_ptr());
            let flags = libc::O_CREAT | libc::O_EXCL | libc::O_RDWR;
            let fd = libc::shm_open(name.as_ptr(), flags, 0o600 as libc::c_uint);
            if fd < 0 {
                return None;
            }
            std::fs::File::from_raw_fd(fd)
        };
        let pixel = Self { name };
        file.write_all(&[0; 3]).ok()?;
        Some(pixel)
    }

    /// The name by which others open it.
    pub(super) fn name(&self) -> Option<&str> {
        self.name.to_str().ok()
    }
}

impl Drop for Pixel {
    fn drop(&mut self) {
        // The terminal may have removed it, as it should.
        // SAFETY: the name ends with a zero.
        unsafe { libc::shm_unlink(self.name.as_ptr()) };
    }
}

//! What cpal does not do with a PulseAudio server, which PipeWire also is: the cookie that its client has to show, and where a
//! device's name leads now.
//!
//! Owns a connection of its own to the server. Must not know streams.

use std::ffi::CString;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;

use futures_executor::block_on;
use pulseaudio::protocol::PulseError;
use pulseaudio::{Client, ClientError, cookie_path_from_env, socket_path_from_env};

use crate::media::device::Kind;

/// How long a cookie is, in bytes.
const COOKIE: usize = 256;

/// Makes the cookie that every client shows to the server, where there is none, as the server's own library does. A server lets its own
/// user in by any cookie, but not without one.
///
/// # Errors
/// The folder can't be written.
pub(super) fn bake_cookie() -> io::Result<()> {
    // Without a server of this user there is nobody to show it to.
    if socket_path_from_env().is_none_or(|socket| !socket.exists()) || cookie_path_from_env().is_some() {
        return Ok(());
    }
    let Some(home) = std::env::var_os("HOME") else {
        return Ok(());
    };
    let folder = PathBuf::from(home).join(".config/pulse");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    let mut cookie = [0; COOKIE];
    getrandom::fill(&mut cookie).map_err(io::Error::other)?;
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join("cookie")) {
        Ok(mut file) => file.write_all(&cookie),
        // Another program was quicker.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// The server's list of devices by name.
pub(super) struct Registry(Client);

impl Registry {
    /// `None` when no server answers.
    pub(super) fn new() -> Option<Self> {
        Client::from_env(c"letsmeet devices").ok().map(Self)
    }

    /// The server's number for the device of this name: another one when the device was taken away and is back. `None` when it is not
    /// there.
    ///
    /// # Errors
    /// The server does not answer any more.
    pub(super) fn number(&self, kind: Kind, id: &str) -> Result<Option<u32>, ClientError> {
        let Ok(name) = CString::new(id) else {
            return Ok(None);
        };
        let found = match kind {
            Kind::Microphone => block_on(self.0.lookup_source_by_name(name)),
            _ => block_on(self.0.lookup_sink_by_name(name)),
        };
        match found {
            Ok(number) => Ok(Some(number)),
            Err(ClientError::ServerError(PulseError::NoEntity)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

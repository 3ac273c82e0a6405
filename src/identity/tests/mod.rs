//! Tests of keys, signatures, codes and the two files, on real files in a fresh folder.

mod codes;
mod key_file;
mod keys;
mod known_peers;

use super::{Error, Identity, Invalid, KnownPeers, PublicKey, Signature, Standing, verification_code};

fn person(n: u8) -> Identity {
    Identity::from_seed([n; 32])
}

#[cfg(unix)]
fn mode_of(path: &std::path::Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[cfg(unix)]
fn set_mode(path: &std::path::Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

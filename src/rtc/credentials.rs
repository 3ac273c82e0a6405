//! Names and passwords for TURN servers, also such as run out by themselves. Pure: time is an argument.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha1::Sha1;

/// Long-term credentials (RFC 8489, section 9.2).
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user name.
    pub username: String,
    /// The password. Never shown, not by `Debug` either.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Credentials that a TURN server accepts until `expires`, in seconds since 1970, without having been
/// told of them: it shares `secret` with whoever mints them (draft-uberti-behave-turn-rest; coturn's
/// `use-auth-secret` and `static-auth-secret`). `name` is for the server's log; without one the user name
/// is the time alone. What is relayed already goes on after that time: it is for new allocations and
/// refreshes.
#[must_use]
pub fn mint(secret: &[u8], name: &str, expires: u64) -> Credentials {
    let username = if name.is_empty() { expires.to_string() } else { format!("{expires}:{name}") };
    // HMAC takes keys of every length: without a key there would be no error but an unusable password.
    let password = Hmac::<Sha1>::new_from_slice(secret)
        .map(|mac| STANDARD.encode(mac.chain_update(&username).finalize().into_bytes()))
        .unwrap_or_default();
    Credentials { username, password }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_secret_gives_the_known_password() {
        // printf 1433895918:alice | openssl dgst -sha1 -hmac north -binary | base64
        let credentials = mint(b"north", "alice", 1_433_895_918);
        assert_eq!(credentials.username, "1433895918:alice");
        assert_eq!(credentials.password, "RqMvcGPYTJMGThVLSi4amT4zFtI=");
        let nameless = mint(b"north", "", 1_433_895_918);
        assert_eq!(
            (nameless.username.as_str(), nameless.password.as_str()),
            ("1433895918", "3dkl8uIBelQlraT8v9eCSJTyt+U=")
        );
    }

    #[test]
    fn the_password_is_not_shown() {
        assert_eq!(format!("{:?}", mint(b"s", "bob", 7)), "Credentials { username: \"7:bob\", .. }");
    }
}

//! STUN and TURN servers from flags, environment and file, and whom to trust for those over TLS.

use std::env;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use super::args::{Global, IceServers};
use super::failure::{Device, Usage};
use super::output::mask;
use super::setup::{Ground, secret};
use crate::rtc::{self, IceServer};
use crate::signaling::server::Minting;

/// A minted TURN password is good for this long: a call refreshes its relay with the one that it began with.
const MINTED_FOR: Duration = Duration::from_secs(24 * 3600);

impl Ground {
    /// STUN and TURN servers of the flags, or else of the file.
    ///
    /// # Errors
    /// The password file can't be read.
    pub(super) fn ice_servers(&self, flags: &IceServers) -> Result<Vec<IceServer>> {
        let (mut servers, turn) = self.ice_urls(flags)?;
        let file = &self.settings.ice;
        if !turn.is_empty() {
            let user = flags.turn_user.clone().or_else(|| file.turn_user.clone());
            let password = match flags.turn_password_file.as_deref().or(file.turn_password_file.as_deref()) {
                Some(path) => Some(secret(path)?),
                None => env::var("LETSMEET_TURN_PASSWORD").ok(),
            };
            if user.is_none() || password.is_none() {
                return Err(Usage::new(
                    "a TURN server needs --turn-user and --turn-password-file (or LETSMEET_TURN_PASSWORD)",
                )
                .into());
            }
            servers.push(IceServer { urls: turn, username: user, credential: password });
        }
        Ok(servers)
    }

    /// The same for a server, which may have a secret in common with the TURN server, and mint with it.
    ///
    /// # Errors
    /// The file of the password or of the secret can't be read.
    pub(super) fn served_ice(
        &self,
        flags: &IceServers,
        secret_file: Option<&Path>,
    ) -> Result<(Vec<IceServer>, Option<Minting>)> {
        let Some(path) = secret_file.or(self.settings.ice.turn_secret_file.as_deref()) else {
            return Ok((self.ice_servers(flags)?, None));
        };
        let (servers, urls) = self.ice_urls(flags)?;
        if urls.is_empty() {
            return Err(Usage::new("--turn-secret-file needs a TURN server (see: --turn)").into());
        }
        let secret = secret(path)?;
        let mint = move |name: &str, expires| {
            let minted = rtc::mint(secret.as_bytes(), name, expires);
            (minted.username, minted.password)
        };
        Ok((servers, Some(Minting { urls, lifetime: MINTED_FOR, mint: Arc::new(mint) })))
    }

    /// The authorities of `--ca-file`, or else of the settings file; `None` means those of the system.
    ///
    /// # Errors
    /// The file can't be read, or has none in it.
    pub(super) fn authorities(&self, global: &Global) -> Result<Option<rtc::Trust>> {
        let path = global.ca_file.as_deref().or(self.settings.ca_file.as_deref());
        Ok(path.map(rtc::Trust::file).transpose().map_err(|error| Device::new(error.to_string()))?)
    }

    /// STUN servers, and the URLs of TURN servers, of the flags, or else of the file.
    fn ice_urls(&self, flags: &IceServers) -> Result<(Vec<IceServer>, Vec<String>)> {
        let file = &self.settings.ice;
        let either = |flags: &[String], file: &[String]| {
            if flags.is_empty() { file.to_vec() } else { flags.to_vec() }
        };
        let stun = either(&flags.stun, &file.stun);
        let turn = either(&flags.turn, &file.turn);
        let mut servers = Vec::new();
        for (urls, scheme) in [(&stun, rtc::Scheme::Stun), (&turn, rtc::Scheme::Turn)] {
            for url in urls {
                let parsed: rtc::ServerUrl =
                    url.parse().map_err(|error| Usage::new(format!("\"{url}\": {error}")))?;
                mask::hide_host(&parsed.host);
                if parsed.scheme != scheme {
                    let flag = if scheme == rtc::Scheme::Stun { "--stun" } else { "--turn" };
                    return Err(Usage::new(format!("\"{url}\" is no server for {flag}")).into());
                }
            }
        }
        if !stun.is_empty() {
            servers.push(IceServer { urls: stun, username: None, credential: None });
        }
        Ok((servers, turn))
    }
}

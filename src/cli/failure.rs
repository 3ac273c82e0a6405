//! Which exit an error of a command stands for, decided in one place.

use crate::cli::exit::Exit;
use crate::{config, identity, media};

/// The command line or the configuration is wrong in a way that clap could not see.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Usage(String);

impl Usage {
    /// With the sentence to print.
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// A local file or device that a command needs.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Device(String);

impl Device {
    /// With the sentence to print.
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// The signaling server could not be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Signaling(String);

impl Signaling {
    /// With the sentence to print.
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// The exit for an error that ended a command.
#[must_use]
pub(super) fn exit_of(error: &anyhow::Error) -> Exit {
    for cause in error.chain() {
        if cause.is::<Usage>() || cause.is::<config::Error>() || cause.is::<super::expect::Error>() {
            return Exit::Usage;
        }
        if cause.is::<Device>() {
            return Exit::Device;
        }
        if cause.is::<Signaling>() {
            return Exit::Signaling;
        }
        if let Some(identity::Error::Changed { .. }) = cause.downcast_ref::<identity::Error>() {
            return Exit::Identity;
        }
        if let Some(error) = cause.downcast_ref::<media::Error>() {
            return match error {
                media::Error::Spec(_) => Exit::Usage,
                _ => Exit::Device,
            };
        }
    }
    Exit::Unexpected
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn the_kind_of_an_error_survives_its_context() {
        assert_eq!(exit_of(&anyhow!(Usage::new("x")).context("while starting")), Exit::Usage);
        assert_eq!(exit_of(&anyhow!(config::Error::NoHome)), Exit::Usage);
        assert_eq!(exit_of(&anyhow!(Device::new("x"))), Exit::Device);
        assert_eq!(exit_of(&anyhow!(Signaling::new("x"))), Exit::Signaling);
        assert_eq!(exit_of(&anyhow!("anything")), Exit::Unexpected);
    }
}

//! Why there is no connection to a server: for now, or for good.

use super::proxy::BadProxy;
use super::tunnel;
use crate::signaling::protocol::ErrorCode;

/// Why trying again makes no sense, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// What the server said, or would say; `bad-description` and the like never come here.
    Server(ErrorCode),
    /// Its certificate is not accepted, or there is nobody to trust.
    Certificate,
    /// The environment names a proxy that cannot be used, or that refuses us.
    Proxy,
}

/// Why a server is not reached.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// May be better later.
    #[error("{0}")]
    Later(String),
    /// Will not get better by itself.
    #[error("{1}")]
    Never(Refusal, String),
}

impl Refusal {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Refusal::Server(code) => code.as_str(),
            Refusal::Certificate => "bad-certificate",
            Refusal::Proxy => "bad-proxy",
        }
    }

    /// Whether it can pass all the same, for who has been connected before: a laptop that is behind somebody else's
    /// login page for a while, a certificate that is about to be renewed.
    pub(super) fn may_pass(self) -> bool {
        !matches!(self, Refusal::Server(_))
    }
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Refusal {
        Refusal::Server(code)
    }
}

impl From<BadProxy> for Failure {
    fn from(bad: BadProxy) -> Failure {
        Failure::Never(Refusal::Proxy, bad.to_string())
    }
}

impl From<tunnel::Error> for Failure {
    fn from(error: tunnel::Error) -> Failure {
        match error.is_final() {
            true => Failure::Never(Refusal::Proxy, error.to_string()),
            false => Failure::Later(error.to_string()),
        }
    }
}

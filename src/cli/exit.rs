//! The exit codes of letsmeet, all of them, and the name each has in JSON.
//!
//! Owns the numbers; knows nothing about how a command came to one. Scripts depend on these, so a
//! number never changes its meaning. `docs/scripting.md` repeats this table for people.

use crate::call::EndReason;
use crate::session::Interruption;

/// How a command ended, as the shell sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exit {
    /// The call was established and ended normally, and every expectation held.
    Ok,
    /// Something failed that no other code names.
    Unexpected,
    /// The command line or the configuration is wrong.
    Usage,
    /// The signaling server was unreachable, refused us, or did not speak the protocol.
    Signaling,
    /// The call was not answered: unknown name, declined, busy, unavailable, no answer, cancelled.
    NotAnswered,
    /// ICE or DTLS failed, or the connection was lost.
    NoMediaPath,
    /// A local device or file could not be opened.
    Device,
    /// The call worked, an expectation did not hold.
    Expectation,
    /// The other side's key is not the pinned or the expected one.
    Identity,
    /// SIGINT before the call was established.
    Interrupted,
    /// SIGTERM before the call was established.
    Terminated,
}

impl Exit {
    /// Every exit, in the order of its code.
    pub const ALL: [Self; 11] = [
        Self::Ok,
        Self::Unexpected,
        Self::Usage,
        Self::Signaling,
        Self::NotAnswered,
        Self::NoMediaPath,
        Self::Device,
        Self::Expectation,
        Self::Identity,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// The process exit status.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Unexpected => 1,
            Self::Usage => 2,
            Self::Signaling => 3,
            Self::NotAnswered => 4,
            Self::NoMediaPath => 5,
            Self::Device => 6,
            Self::Expectation => 7,
            Self::Identity => 8,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// Whether of several runs this one decides. The less of what was asked for could be found out about, the worse; but another key than the known one is
    /// worse than anything.
    #[must_use]
    pub fn is_worse_than(self, other: Self) -> bool {
        const ORDER: [Exit; 11] = [
            Exit::Ok,
            Exit::Expectation,
            Exit::Device,
            Exit::NoMediaPath,
            Exit::NotAnswered,
            Exit::Signaling,
            Exit::Unexpected,
            Exit::Usage,
            Exit::Interrupted,
            Exit::Terminated,
            Exit::Identity,
        ];
        let place = |exit| ORDER.iter().position(|other| *other == exit);
        place(self) > place(other)
    }

    /// The name under `result.name` in the report.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unexpected => "error",
            Self::Usage => "usage",
            Self::Signaling => "signaling",
            Self::NotAnswered => "not-answered",
            Self::NoMediaPath => "no-media-path",
            Self::Device => "device",
            Self::Expectation => "expectation",
            Self::Identity => "identity",
            Self::Interrupted | Self::Terminated => "interrupted",
        }
    }
}

impl From<EndReason> for Exit {
    fn from(reason: EndReason) -> Self {
        match reason {
            EndReason::HungUp | EndReason::HungUpByPeer => Self::Ok,
            EndReason::Declined
            | EndReason::Busy
            | EndReason::Unavailable
            | EndReason::NoAnswer
            | EndReason::Cancelled
            | EndReason::UnknownName
            | EndReason::AnsweredElsewhere => Self::NotAnswered,
            EndReason::ConnectFailed | EndReason::ConnectionLost => Self::NoMediaPath,
            EndReason::SignalingLost | EndReason::Refused => Self::Signaling,
            EndReason::IdentityMismatch => Self::Identity,
            EndReason::MediaFailed => Self::Device,
        }
    }
}

impl From<Interruption> for Exit {
    fn from(by: Interruption) -> Self {
        match by {
            Interruption::Interrupt => Self::Interrupted,
            Interruption::Terminate => Self::Terminated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_exits_one_is_worse() {
        for (n, one) in Exit::ALL.into_iter().enumerate() {
            assert!(!one.is_worse_than(one));
            for other in &Exit::ALL[..n] {
                assert_ne!(one.is_worse_than(*other), other.is_worse_than(one), "{one:?} {other:?}");
            }
        }
        assert!(
            Exit::NotAnswered.is_worse_than(Exit::Expectation) && Exit::Identity.is_worse_than(Exit::Usage)
        );
    }

    #[test]
    fn codes_are_distinct_and_in_order() {
        let codes: Vec<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 130, 143]);
    }

    #[test]
    fn names_are_those_of_the_report_schema() {
        let names: Vec<&str> = Exit::ALL.iter().map(|exit| exit.name()).collect();
        assert_eq!(
            names,
            [
                "ok",
                "error",
                "usage",
                "signaling",
                "not-answered",
                "no-media-path",
                "device",
                "expectation",
                "identity",
                "interrupted",
                "interrupted"
            ]
        );
    }
}

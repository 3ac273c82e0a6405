//! What a front end may ask of a session.

use tokio::sync::oneshot;

use crate::media::pipeline::Kind;
use crate::signaling::client::Page;

/// A command. Commands that make no sense in the present state are answered by
/// [`Event::Rejected`](super::Event::Rejected) and change nothing.
#[derive(Debug)]
pub enum Command {
    /// Call the holder of a name.
    Dial {
        /// The callee's name as typed.
        to: String,
    },
    /// Answer the ringing call.
    Accept,
    /// Refuse the ringing call.
    Decline {
        /// Say "busy" rather than "declined".
        busy: bool,
    },
    /// End the present call, or stop dialing.
    HangUp,
    /// Send nothing of this kind until unmuted. The other side is told.
    Mute {
        /// What to silence.
        kind: Kind,
        /// True to mute, false to unmute.
        muted: bool,
    },
    /// Follow the presence of these names from now on.
    Watch {
        /// Names as typed.
        names: Vec<String>,
    },
    /// One page of who is online.
    Users {
        /// Only names that contain this text.
        query: Option<String>,
        /// Start after this name.
        after: Option<String>,
        /// Where the page goes. Dropped without an answer when signaling is down.
        reply: oneshot::Sender<Result<Page, String>>,
    },
    /// End the call if there is one, sign off and end the session.
    Quit,
}

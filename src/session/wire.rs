//! The signaling client in the session's own words: call control's ids and reasons on one side, the wire
//! format's on the other.
//!
//! Commands never fail here: what the client can't take (its queue is full because the server is gone or
//! slow) is logged, and the machine's own time-outs decide what that means for the call.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::call::{CallId, EndReason};
use crate::rtc::Candidate;
use crate::signaling::client::{Client, Error, Page};
use crate::signaling::protocol::{self, Availability, DescriptionKind, Signature};

/// The client, spoken to by the actor.
pub(super) struct Wire {
    client: Client,
}

impl Wire {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    pub(super) fn invite(&self, call: CallId, to: &str, files: bool) {
        log("invite", self.client.invite(id(call), to, files));
    }

    pub(super) fn ringing(&self, call: CallId) {
        log("ringing", self.client.ringing(id(call)));
    }

    pub(super) fn accept(&self, call: CallId) {
        log("accept", self.client.accept(id(call)));
    }

    pub(super) fn decline(&self, call: CallId, busy: bool) {
        log("decline", self.client.decline(id(call), busy));
    }

    pub(super) fn cancel(&self, call: CallId) {
        log("cancel", self.client.cancel(id(call)));
    }

    pub(super) fn hangup(&self, call: CallId, reason: EndReason) {
        log("hangup", self.client.hangup(id(call), to_wire(reason)));
    }

    pub(super) fn rejoin(&self, call: CallId, with: &str) {
        log("rejoin", self.client.rejoin(id(call), with));
    }

    pub(super) fn description(&self, call: CallId, offer: bool, sdp: &str, signature: [u8; 64]) {
        let kind = if offer { DescriptionKind::Offer } else { DescriptionKind::Answer };
        let signature = Signature::from_bytes(signature);
        log("description", self.client.description(id(call), kind, sdp.to_owned(), signature));
    }

    pub(super) fn candidate(&self, call: CallId, candidate: Candidate) {
        let Candidate { candidate, mid, mline } = candidate;
        log("candidate", self.client.candidate(id(call), candidate, mid, mline));
    }

    /// The states follow as events; a refusal is only logged, since a watch is a wish.
    pub(super) fn watch(&self, names: Vec<String>) {
        let client = self.client.clone();
        tokio::spawn(async move { log("watch", client.watch(names).await) });
    }

    /// Tells those who follow our name; the client repeats it after a reconnect.
    pub(super) fn away(&self, away: bool) {
        let client = self.client.clone();
        let state = if away { Availability::Away } else { Availability::Available };
        tokio::spawn(async move { log("state", client.set_state(state).await) });
    }

    /// Whether the server answers, for as long as somebody waits for it.
    pub(super) fn answers(&self) -> impl Future<Output = bool> + use<> {
        let client = self.client.clone();
        async move { client.list(None, None, Some(1)).await.is_ok() }
    }

    /// Dials the server anew, when the present connection may lead nowhere.
    pub(super) fn reconnect(&self) {
        log("reconnect", self.client.reconnect());
    }

    pub(super) fn users(
        &self,
        query: Option<String>,
        after: Option<String>,
        reply: oneshot::Sender<Result<Page, String>>,
    ) {
        let client = self.client.clone();
        tokio::spawn(async move {
            let page = client.list(query, after, None).await.map_err(|error| error.to_string());
            // Whoever asked may have gone.
            let _ = reply.send(page);
        });
    }

    pub(super) async fn close(self, patience: Duration) {
        let _ = timeout(patience, self.client.close()).await;
    }
}

fn log(what: &'static str, result: Result<(), Error>) {
    if let Err(error) = result {
        tracing::warn!("{what} was not sent: {error}");
    }
}

fn id(call: CallId) -> protocol::CallId {
    protocol::CallId::from_bytes(*call.as_bytes())
}

/// The other way.
pub(super) fn call(id: protocol::CallId) -> CallId {
    CallId::from_bytes(*id.bytes())
}

/// Both enums say the same words; the wire's carries serde, call control's must not.
macro_rules! same_words {
    ($($word:ident),* $(,)?) => {
        fn to_wire(reason: EndReason) -> protocol::EndReason {
            match reason { $(EndReason::$word => protocol::EndReason::$word,)* }
        }

        /// The other way.
        pub(super) fn reason(reason: protocol::EndReason) -> EndReason {
            match reason { $(protocol::EndReason::$word => EndReason::$word,)* }
        }
    };
}

same_words!(
    HungUp,
    HungUpByPeer,
    Declined,
    Busy,
    Unavailable,
    NoAnswer,
    Cancelled,
    UnknownName,
    AnsweredElsewhere,
    ConnectFailed,
    ConnectionLost,
    SignalingLost,
    IdentityMismatch,
    MediaFailed,
    Refused,
);

//! One connection: login, then messages both ways until one side ends it.
//!
//! Owns the socket, the deadlines and the token bucket of the connection. Decides nothing about calls: that
//! is the registry's. One task runs it from the upgrade to the end.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, error::CapacityError};

use super::http::Place;
use super::hub::Attached;
use super::limits::Bucket;
use super::outbox::{Bounds, End, Frame};
use super::registry::{Refusal, Reply};
use super::tls::Stream;
use super::{App, login};
use crate::signaling::protocol::{
    CallId, Candidate, ClientMessage, Description, ErrorCode, MAX_FRAME, ServerMessage, check_candidate,
    check_sdp, parse_client,
};

pub(super) type Socket = WebSocketStream<Stream>;

/// Bytes read at once: most of what an idle connection costs. Longer frames take several reads.
const READ_BUFFER: usize = 1024;
/// Frames are gathered up to this size before they are handed to the kernel.
const WRITE_BUFFER: usize = 4096;
/// Room kept in the batch between bursts, in frames.
const BATCH_KEPT: usize = 4;
/// Messages refused in a row for their rate before the connection is cut.
const STRIKES: u32 = 500;
/// Tokens that a frame costs on top when it is no message.
const NONSENSE_COST: f32 = 4.0;
/// After the goodbye, bytes that are still on their way are thrown away for so long, so that the
/// last words are not lost in a reset.
const LINGER: Duration = Duration::from_secs(1);
/// Bytes thrown away at most.
const LINGER_BYTES: usize = 4 << 20;

/// Runs a connection from its upgrade through its login. The session has a task of its own, so that what the
/// beginning needed does not weigh on it.
pub(super) async fn begin(stream: Stream, read: Vec<u8>, place: Place) {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_message_size(Some(MAX_FRAME))
        .max_frame_size(Some(MAX_FRAME));
    let mut socket = WebSocketStream::from_partially_read(stream, read, Role::Server, Some(config)).await;
    match login::login(&mut socket, &place).await {
        Some(attached) => {
            let tasks = place.app().tasks.clone();
            tasks.spawn(run(socket, place, attached));
        }
        None => close(socket, CloseCode::Policy, "not logged in").await,
    }
}

/// Runs a connection that is logged in to its end. Not an `async fn`: that would hold each argument twice,
/// for as long as the connection lasts.
#[expect(
    clippy::manual_async_fn,
    reason = "an async fn would hold its arguments twice for the life of the task"
)]
fn run(mut socket: Socket, place: Place, attached: Attached) -> impl Future<Output = ()> + Send {
    async move {
        let end = session(&mut socket, place.app(), &attached).await;
        place.app().hub.detach(&attached);
        tracing::info!(session = %attached.session, ?end, "connection ended");
        Box::pin(farewell(socket, end)).await;
    }
}

/// Why a connection with a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finish {
    /// The socket closed or broke.
    Closed,
    /// Nothing was heard for two heartbeats.
    Silent,
    /// A batch took too long to send.
    Stuck,
    /// A frame that ends a connection.
    Offence,
    /// From the outbox.
    Outbox(End),
}

async fn session(socket: &mut Socket, app: &App, attached: &Attached) -> Finish {
    let Attached { outbox, generation, .. } = attached;
    let mut batch = VecDeque::new();
    let mut guard = Guard::new(app);
    let mut heard = Instant::now();
    let heartbeat = sleep(app.config.heartbeat);
    tokio::pin!(heartbeat);
    loop {
        tokio::select! {
            biased;
            end = poll_fn(|cx| outbox.poll_take(cx, *generation, &mut batch)) => match end {
                Some(end) => return Finish::Outbox(end),
                None => if let Err(finish) = write(socket, app, attached, &mut batch).await {
                    return finish;
                },
            },
            incoming = socket.next() => {
                heard = Instant::now();
                match incoming {
                    Some(Ok(Message::Text(text))) => {
                        if !guard.on_text(app, attached, text.as_str()) {
                            return Finish::Offence;
                        }
                    }
                    // The socket answers pings by itself.
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {
                        if !guard.may_pass(app) {
                            return Finish::Offence;
                        }
                    }
                    Some(Ok(Message::Binary(_))) => {
                        last_words(socket, ErrorCode::Binary, "binary frames are not part of this protocol").await;
                        return Finish::Offence;
                    }
                    Some(Err(Error::Capacity(CapacityError::MessageTooLong { .. }))) => {
                        last_words(socket, ErrorCode::TooLarge, "the frame is longer than 64 KiB").await;
                        return Finish::Offence;
                    }
                    Some(Err(Error::Utf8(_))) => {
                        last_words(socket, ErrorCode::Malformed, "the text is not UTF-8").await;
                        return Finish::Offence;
                    }
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Finish::Closed,
                }
            }
            () = &mut heartbeat => {
                let period = app.config.heartbeat;
                let silent = heard.elapsed();
                if silent >= period * 2 {
                    return Finish::Silent;
                }
                if silent >= period {
                    if !matches!(timeout(app.config.write_timeout, socket.send(Message::Ping(Bytes::new()))).await, Ok(Ok(()))) {
                        return Finish::Stuck;
                    }
                    heartbeat.as_mut().reset(Instant::now() + period);
                } else {
                    heartbeat.as_mut().reset(heard + period);
                }
            }
        }
    }
}

/// Hands a batch to the kernel, unless the session must end meanwhile.
async fn write(
    socket: &mut Socket,
    app: &App,
    attached: &Attached,
    batch: &mut VecDeque<Frame>,
) -> Result<(), Finish> {
    let sending = async {
        while let Some(frame) = batch.pop_front() {
            socket.feed(Message::Text(frame)).await?;
        }
        socket.flush().await
    };
    let result = tokio::select! {
        biased;
        sent = sending => sent.map_err(|_: Error| Finish::Closed),
        end = poll_fn(|cx| attached.outbox.poll_cut(cx, attached.generation)) => Err(Finish::Outbox(end)),
        () = sleep(app.config.write_timeout) => Err(Finish::Stuck),
    };
    batch.clear();
    batch.shrink_to(BATCH_KEPT);
    result
}

/// The rate of a connection, and what happens to each of its messages.
struct Guard {
    bucket: Bucket,
    strikes: u32,
}

impl Guard {
    fn new(app: &App) -> Guard {
        Guard { bucket: Bucket::new(app.config.messages, app.hub.now()), strikes: 0 }
    }

    /// Takes a token; false when the connection has struck out.
    fn may_pass(&mut self, app: &App) -> bool {
        if self.bucket.take(app.config.messages, app.hub.now(), 1.0) {
            self.strikes = 0;
        } else {
            self.strikes += 1;
        }
        self.strikes < STRIKES
    }

    /// Carries out one message; false when the connection has struck out.
    fn on_text(&mut self, app: &App, attached: &Attached, text: &str) -> bool {
        if !self.may_pass(app) {
            return false;
        }
        if self.strikes > 0 {
            // Told at once and then now and then: an answer for each would double the flood.
            if self.strikes % 100 == 1 {
                answer(
                    app,
                    attached,
                    error(ErrorCode::RateLimited, "too many messages; this one was dropped"),
                );
            }
            return true;
        }
        match parse_client(text) {
            Ok(message) => on_message(app, attached, message),
            Err(wrong) => {
                self.bucket.take(app.config.messages, app.hub.now(), NONSENSE_COST);
                let (code, message, re) = (wrong.code, wrong.message, wrong.re);
                answer(app, attached, ServerMessage::Error { code, message, re, call: None });
            }
        }
        true
    }
}

fn on_message(app: &App, attached: &Attached, message: ClientMessage) {
    let from = attached.session;
    let (seq, call) = (message.seq(), message.call());
    let done = match message {
        ClientMessage::Description(Description { call, to, kind, sdp, signature, .. }) => {
            check_sdp(&sdp).map_err(|m| Refusal::new(ErrorCode::BadDescription, m)).and_then(|()| {
                relay(
                    app,
                    attached,
                    call,
                    to,
                    &ServerMessage::Description { call, from, kind, sdp, signature },
                )
            })
        }
        ClientMessage::Candidate(Candidate { call, to, candidate, mid, mline, .. }) => {
            check_candidate(&candidate, &mid).map_err(|m| Refusal::new(ErrorCode::BadCandidate, m)).and_then(
                |()| {
                    let message = ServerMessage::Candidate { call, from, candidate, mid, mline };
                    relay(app, attached, call, to, &message)
                },
            )
        }
        ClientMessage::Login(_) => {
            Err(Refusal::new(ErrorCode::WrongOrder, "this connection is logged in already"))
        }
        ClientMessage::Logout { .. } => {
            if let Some(re) = seq {
                answer(app, attached, ServerMessage::Ok { re });
            }
            app.hub.leave(from);
            return;
        }
        message => app.hub.handle(from, message),
    };
    match done {
        Ok(Reply::Page { users, next }) => {
            answer(app, attached, ServerMessage::Users { users, next, re: seq })
        }
        Ok(Reply::Done) => {
            if let Some(re) = seq {
                answer(app, attached, ServerMessage::Ok { re });
            }
        }
        Err(Refusal { code, message }) => {
            answer(app, attached, ServerMessage::Error { code, message: message.to_owned(), re: seq, call });
        }
    }
}

fn relay(
    app: &App,
    attached: &Attached,
    call: CallId,
    to: Option<crate::signaling::protocol::SessionId>,
    message: &ServerMessage,
) -> Result<Reply, Refusal> {
    app.hub.relay(attached.session, call, to, message.to_json().into()).map(|()| Reply::Done)
}

fn answer(app: &App, attached: &Attached, message: ServerMessage) {
    let bounds = Bounds { frames: app.config.queued_frames, bytes: app.config.queued_bytes };
    // A full queue ends this connection, which is what its client has earned.
    let _ = attached.outbox.push(message.to_json().into(), bounds);
}

fn error(code: ErrorCode, message: &str) -> ServerMessage {
    ServerMessage::Error { code, message: message.to_owned(), re: None, call: None }
}

/// Sends an error that ends the connection.
pub(super) async fn last_words(socket: &mut Socket, code: ErrorCode, message: &str) {
    let text = error(code, message).to_json();
    // Whoever does not read it does not learn it.
    let _ = timeout(LINGER, socket.send(Message::text(text))).await;
}

async fn farewell(socket: Socket, end: Finish) {
    let (code, reason) = match end {
        Finish::Silent | Finish::Stuck | Finish::Outbox(End::TooSlow) => return,
        Finish::Closed | Finish::Outbox(End::Left) => (CloseCode::Normal, ""),
        Finish::Offence => (CloseCode::Policy, "see the error before this"),
        Finish::Outbox(End::Replaced) => (CloseCode::Normal, "resumed elsewhere"),
        Finish::Outbox(End::Shutdown) => (CloseCode::Away, "the server is stopping"),
    };
    close(socket, code, reason).await;
}

/// Closes in order: a close frame, no more writing, and what the other side still sends is thrown away.
async fn close(mut socket: Socket, code: CloseCode, reason: &'static str) {
    let closing = async {
        let frame = CloseFrame { code, reason: reason.into() };
        // Already closed by the other side, perhaps: then there is nothing left to do.
        let _ = socket.close(Some(frame)).await;
        let _ = socket.get_mut().shutdown().await;
        let mut waste = [0u8; 1024];
        let mut left = LINGER_BYTES;
        while let Ok(read @ 1..) = socket.get_mut().read(&mut waste).await {
            left = left.saturating_sub(read);
            if left == 0 {
                break;
            }
        }
    };
    // Whatever is not done in time is not worth waiting for.
    let _ = timeout(LINGER, closing).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_holds_little() {
        fn size<A, B, C, F: Future>(_: fn(A, B, C) -> F) -> usize {
            size_of::<F>()
        }
        let (task, socket) = (size(run), size_of::<Socket>());
        assert!(task <= 1_200, "its task is {task} bytes, {socket} of them the socket");
    }
}

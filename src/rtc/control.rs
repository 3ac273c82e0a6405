//! The control channel: one ordered, reliable data channel on an agreed stream. Messages of the
//! application are binary; a text message is a word of this room: `here`, `goodbye` and its answer `farewell`.
//!
//! An end that is ready first must not speak yet: what reaches the other end together with the last step of its own
//! SCTP handshake is dropped by the library, acknowledged as it is. So each says `here` when its end is open, and again when
//! it first hears the other; who has heard something knows that the other listens.

use std::sync::{Arc, Weak};
use std::time::Duration;

use ::rtc::peer_connection::transport::RTCDtlsTransportState;
use bytes::{Bytes, BytesMut};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use webrtc::data_channel::{DataChannel, DataChannelEvent, RTCDataChannelInit};
use webrtc::peer_connection::PeerConnection;

use super::config::{CONTROL_LABEL, CONTROL_STREAM, Event, GOODBYE_WITHIN, MAX_CONTROL_MESSAGE};
use super::error::Error;
use super::sampler;
use super::shared::Shared;

/// The word of an end that listens.
const HERE: &str = "here";
/// How long a silent other side is waited for: one of an older version says nothing, a browser loses nothing.
const LISTENS_AFTER: Duration = Duration::from_secs(1);
/// The word that ends the call on the other side.
const GOODBYE: &str = "goodbye";
/// The word that answers it at once: acknowledgements of the channel itself are held back for 200 ms.
const FAREWELL: &str = "farewell";
/// Bytes that may wait in the channel; a further message is refused.
const SEND_BUFFER: usize = 256 * 1024;

/// Our end of the control channel.
pub(super) struct Control {
    channel: Arc<dyn DataChannel>,
    /// What the reader saw last.
    progress: watch::Receiver<Progress>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Opening,
    /// Our end is open, of the other one nothing is known.
    Greeting,
    Open,
    /// The other side has read our goodbye.
    Farewell,
    Closed,
}

impl Control {
    /// Creates the channel and starts the task that reads it. The task ends with the connection.
    pub(super) async fn open(
        connection: &Arc<dyn PeerConnection>,
        shared: &Arc<Shared>,
    ) -> Result<Self, Error> {
        let agreed = RTCDataChannelInit { negotiated: Some(CONTROL_STREAM), ..Default::default() };
        let channel = connection.create_data_channel(CONTROL_LABEL, Some(agreed)).await?;
        let (sender, progress) = watch::channel(Progress::Opening);
        tokio::spawn(read(Arc::downgrade(connection), Arc::clone(&channel), Arc::clone(shared), sender));
        Ok(Self { channel, progress })
    }

    /// Sends one message of the application.
    pub(super) async fn send(&self, bytes: &[u8]) -> Result<(), Error> {
        if bytes.len() > MAX_CONTROL_MESSAGE {
            return Err(Error::Control(format!(
                "{} bytes are more than the {MAX_CONTROL_MESSAGE} of a message",
                bytes.len()
            )));
        }
        match *self.progress.borrow() {
            Progress::Opening | Progress::Greeting => {
                return Err(Error::Control("it is not open yet".to_owned()));
            }
            Progress::Closed => return Err(Error::Closed),
            Progress::Open | Progress::Farewell => {}
        }
        // The library's own limit is that of the bulk channel.
        if self.channel.outstanding_bytes().await?.saturating_add(bytes.len()) > SEND_BUFFER {
            return Err(Error::Control("too much waits already".to_owned()));
        }
        Ok(self.channel.try_send(BytesMut::from(bytes)).await?)
    }

    /// Makes the connection's task look at its timers. The library forgets to after a remote candidate
    /// was added, and the checks of that candidate would wait for the next round.
    pub(super) async fn wake(channel: &Arc<dyn DataChannel>) {
        let _ = channel.set_buffered_amount_low_threshold(0).await;
    }

    /// The channel, for [`Control::wake`].
    pub(super) fn channel(&self) -> Arc<dyn DataChannel> {
        Arc::clone(&self.channel)
    }

    /// Says goodbye and waits until the other side has answered, or a short while.
    pub(super) async fn goodbye(&self) {
        let mut progress = self.progress.clone();
        let before = *progress.borrow_and_update();
        if matches!(before, Progress::Opening | Progress::Closed) {
            return;
        }
        let said = async {
            self.channel.try_send_text(GOODBYE).await?;
            while let Ok(()) = progress.changed().await {
                if matches!(*progress.borrow_and_update(), Progress::Farewell | Progress::Closed) {
                    break;
                }
            }
            Ok::<(), webrtc::error::Error>(())
        };
        let _ = tokio::time::timeout(GOODBYE_WITHIN, said).await;
    }
}

/// Whether the other side closed the encrypted transport, which nobody else can do in its name. The
/// channel closes also when its own retransmissions come to an end, which is no goodbye.
async fn ended_by_peer(connection: &Weak<dyn PeerConnection>) -> bool {
    let Some(connection) = connection.upgrade() else {
        return false;
    };
    match sampler::transport(&connection).await {
        Some(transport) => matches!(transport.state().await, Ok(RTCDtlsTransportState::Closed)),
        None => false,
    }
}

async fn read(
    connection: Weak<dyn PeerConnection>,
    channel: Arc<dyn DataChannel>,
    shared: Arc<Shared>,
    progress: watch::Sender<Progress>,
) {
    let mut greeting = None;
    loop {
        let event = tokio::select! {
            event = channel.poll() => event,
            () = deadline(greeting) => {
                greeting = None;
                opened(&progress, &shared);
                continue;
            }
        };
        let Some(event) = event else {
            break;
        };
        if greeting.is_some() && matches!(event, DataChannelEvent::OnMessage(_)) {
            greeting = None;
            let _ = channel.try_send_text(HERE).await;
            opened(&progress, &shared);
        }
        match event {
            DataChannelEvent::OnOpen => {
                progress.send_replace(Progress::Greeting);
                let _ = channel.try_send_text(HERE).await;
                greeting = Some(Instant::now() + LISTENS_AFTER);
            }
            DataChannelEvent::OnMessage(message) if message.is_string => match &message.data[..] {
                word if word == GOODBYE.as_bytes() => {
                    let _ = channel.try_send_text(FAREWELL).await;
                    shared.events.goodbye();
                }
                word if word == HERE.as_bytes() => {}
                word if word == FAREWELL.as_bytes() => {
                    progress.send_replace(Progress::Farewell);
                }
                _ => tracing::debug!("a word of the other side is unknown"),
            },
            DataChannelEvent::OnMessage(message) if message.data.len() <= MAX_CONTROL_MESSAGE => {
                let bytes: Bytes = message.data.freeze();
                let label = CONTROL_LABEL.to_owned();
                shared.events.message(Event::Data { label, bytes }).await;
            }
            DataChannelEvent::OnMessage(_) => {
                tracing::warn!("a control message of the other side is too long and was dropped");
            }
            DataChannelEvent::OnClose => {
                if ended_by_peer(&connection).await {
                    shared.events.goodbye();
                }
                break;
            }
            _ => {}
        }
    }
    progress.send_replace(Progress::Closed);
}

/// The other end listens: messages may go.
fn opened(progress: &watch::Sender<Progress>, shared: &Shared) {
    progress.send_replace(Progress::Open);
    shared.events.send(Event::DataOpen);
}

/// Never, when there is none.
async fn deadline(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

//! The bulk channel: a second ordered, reliable data channel on an agreed stream, for what is large and may wait.
//!
//! Beside the control channel, so that a message of a few bytes does not stand behind a file. Knows nothing of what it
//! carries. Sending waits while the library holds [`SEND_BUFFER`] bytes; receiving waits while nobody reads, and the other side
//! with it. Opened together with the control channel on one association: an end that was heard there listens here too.

use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;
use webrtc::data_channel::{DataChannel, DataChannelEvent, RTCDataChannelInit};
use webrtc::peer_connection::PeerConnection;

use super::config::{BULK_LABEL, BULK_STREAM, MAX_BULK_MESSAGE};
use super::error::Error;
use super::shared::Shared;

/// Bytes that may wait in a channel, sent and not acknowledged: 100 ms at 10 MB/s.
pub(super) const SEND_BUFFER: usize = 1024 * 1024;

/// Messages waiting to be read. When full the library holds back what follows, and then the other side.
const MESSAGES: usize = 32;

/// A message of the bulk channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BulkMessage {
    /// Words.
    Text(String),
    /// Anything else.
    Binary(Bytes),
}

/// The sending end. Clones send on the same channel.
#[derive(Clone)]
pub struct Bulk {
    channel: Arc<dyn DataChannel>,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Bulk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bulk").finish_non_exhaustive()
    }
}

impl Bulk {
    /// Sends a message, once there is room for it.
    ///
    /// # Errors
    ///
    /// [`Error::Control`] when it is too long or the channel is not open, [`Error::Closed`].
    pub async fn send(&self, message: BulkMessage) -> Result<(), Error> {
        let length = match &message {
            BulkMessage::Text(text) => text.len(),
            BulkMessage::Binary(bytes) => bytes.len(),
        };
        if length > MAX_BULK_MESSAGE {
            return Err(Error::Control(format!(
                "{length} bytes are more than the {MAX_BULK_MESSAGE} of a message"
            )));
        }
        match message {
            BulkMessage::Text(text) => self.channel.send_text(&text).await?,
            BulkMessage::Binary(bytes) => {
                self.shared.note_bulk(Instant::now());
                // Nobody else holds a block that was just read, so nothing is copied.
                let bytes = bytes.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
                self.channel.send(bytes).await?;
            }
        }
        Ok(())
    }
}

/// Creates the channel and starts the task that reads it. The task ends with the connection.
pub(super) async fn open(
    connection: &Arc<dyn PeerConnection>,
    shared: &Arc<Shared>,
) -> Result<(Bulk, mpsc::Receiver<BulkMessage>), Error> {
    let agreed = RTCDataChannelInit { negotiated: Some(BULK_STREAM), ..Default::default() };
    let channel = connection.create_data_channel(BULK_LABEL, Some(agreed)).await?;
    let (sender, receiver) = mpsc::channel(MESSAGES);
    tokio::spawn(read(Arc::clone(&channel), sender, Arc::clone(shared)));
    Ok((Bulk { channel, shared: Arc::clone(shared) }, receiver))
}

async fn read(channel: Arc<dyn DataChannel>, messages: mpsc::Sender<BulkMessage>, shared: Arc<Shared>) {
    while let Some(event) = channel.poll().await {
        match event {
            DataChannelEvent::OnMessage(message) => {
                let message = match message.is_string {
                    true => match String::from_utf8(message.data.to_vec()) {
                        Ok(text) => BulkMessage::Text(text),
                        Err(_) => {
                            tracing::debug!("a text of the other side is not UTF-8 and was dropped");
                            continue;
                        }
                    },
                    false => {
                        shared.note_bulk(Instant::now());
                        BulkMessage::Binary(message.data.freeze())
                    }
                };
                // Nobody wants what comes on this channel: it is read all the same, or the control channel would stand still.
                let _ = messages.send(message).await;
            }
            DataChannelEvent::OnClose => break,
            _ => {}
        }
    }
}

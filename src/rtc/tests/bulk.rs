//! The bulk channel.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::timeout;

use super::support::{DEADLINE, End, connected, loopback};
use crate::rtc::{BulkMessage, Error, Event, MAX_BULK_MESSAGE};

/// Both ends listen.
async fn open() -> (End, End) {
    let (mut a, mut b) = connected(loopback()).await;
    tokio::join!(a.until(|event| *event == Event::DataOpen), b.until(|event| *event == Event::DataOpen));
    (a, b)
}

/// The `number`-th message: words and bytes in turn, of all lengths.
fn message(number: usize) -> BulkMessage {
    let length = (number * 7919) % MAX_BULK_MESSAGE + 1;
    match number % 3 {
        0 => BulkMessage::Text("é".repeat((length / 2).max(1))),
        _ => BulkMessage::Binary(Bytes::from(vec![u8::try_from(number % 251).unwrap(); length])),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_arrive_whole_and_in_order_beside_the_control_channel() {
    const MESSAGES: usize = 300;
    let (a, mut b) = open().await;
    let bulk = a.peer.bulk();
    let mut messages = Arc::get_mut(&mut b.peer).unwrap().take_bulk_messages().unwrap();
    assert!(Arc::get_mut(&mut b.peer).unwrap().take_bulk_messages().is_none());
    let sending = tokio::spawn(async move {
        for number in 0..MESSAGES {
            bulk.send(message(number)).await.unwrap();
        }
    });
    for number in 0..MESSAGES {
        let got = timeout(DEADLINE, messages.recv()).await.expect("it arrives in time").unwrap();
        assert!(got == message(number), "message {number}");
        if number == MESSAGES / 2 {
            a.peer.send_data(Bytes::from_static(b"hello")).await.unwrap();
        }
    }
    sending.await.unwrap();
    b.until(|event| matches!(event, Event::Data { bytes, .. } if &bytes[..] == b"hello")).await;
    let bulk = a.peer.bulk();
    a.close(true).await;
    b.close(true).await;
    assert_eq!(timeout(DEADLINE, messages.recv()).await.expect("it ends with the connection"), None);
    assert!(bulk.send(message(1)).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_too_long_is_refused() {
    let (a, _b) = open().await;
    let long = BulkMessage::Binary(Bytes::from(vec![0; MAX_BULK_MESSAGE + 1]));
    assert!(matches!(a.peer.bulk().send(long).await, Err(Error::Control(_))));
}

//! The bulk channel.

use std::time::Instant;

use bytes::Bytes;

use super::support::{connected, loopback};
use crate::rtc::{BulkMessage, Event};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lot_passes() {
    let (mut a, mut b) = connected(loopback()).await;
    tokio::join!(a.until(|event| *event == Event::DataOpen), b.until(|event| *event == Event::DataOpen));
    let bulk = a.peer.bulk();
    let total: usize = std::env::var("BULK").map_or(1 << 20, |n| n.parse().unwrap());
    let size: usize = std::env::var("CHUNK").map_or(60 * 1024, |n| n.parse().unwrap());
    let began = Instant::now();
    let mut messages = std::sync::Arc::get_mut(&mut b.peer).unwrap().take_bulk_messages().unwrap();
    tokio::spawn(async move {
        let mut sent = 0;
        while sent < total {
            bulk.send(BulkMessage::Binary(Bytes::from(vec![7; size]))).await.unwrap();
            sent += size;
        }
    });
    let mut got = 0;
    while got < total {
        if let Some(BulkMessage::Binary(bytes)) = messages.recv().await {
            got += bytes.len();
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    eprintln!("{got} bytes in {seconds:.2} s: {:.1} MB/s", got as f64 / seconds / 1e6);
}

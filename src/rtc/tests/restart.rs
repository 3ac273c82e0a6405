//! ICE restarts, and the ends of a path.

use super::support::{Arrival, connected, loopback, negotiate, stream};
use crate::media::pipeline::Kind;
use crate::rtc::Event;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn media_goes_on_over_a_new_path_after_an_ice_restart() {
    let (mut a, mut b) = connected(loopback()).await;
    let sending = stream(a.peer.outlet(), Kind::Video, 1);
    b.arrival(|arrival| matches!(arrival, Arrival::Rtp(..)).then_some(()))
        .await;
    for _ in 0..2 {
        negotiate(&a, &b, true).await;
        tokio::join!(
            a.until(|event| *event == Event::Restored),
            b.until(|event| *event == Event::Restored)
        );
        while b.arrivals.try_recv().is_ok() {}
        b.arrival(|arrival| matches!(arrival, Arrival::Rtp(..)).then_some(()))
            .await;
    }
    sending.abort();
    assert_eq!(a.peer.stats().restarts, 2);
}

//! ICE restarts, and the ends of a path.

use std::time::{Duration, Instant};

use super::support::{connected, loopback, negotiate, restart_twice, two_apart};
use crate::rtc::{DISCONNECTED_AFTER, Event};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn media_goes_on_over_a_new_path_after_an_ice_restart() {
    let (mut a, mut b) = connected(loopback()).await;
    restart_twice(&mut a, &mut b).await;
    assert_eq!(a.peer.stats().restarts, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_vanishes_without_a_word_is_noticed_in_time() {
    let (mut a, mut b, runtime) = two_apart(loopback()).await;
    negotiate(&a, &b, false).await;
    tokio::join!(a.until(|event| *event == Event::Connected), b.until(|event| *event == Event::Connected));
    // Its tasks and sockets end where they are, as after kill -9.
    runtime.shutdown_background();
    let vanished = Instant::now();
    a.until(|event| *event == Event::Disconnected).await;
    let noticed = vanished.elapsed();
    assert!(noticed > DISCONNECTED_AFTER / 2, "{noticed:?}");
    assert!(noticed < DISCONNECTED_AFTER + Duration::from_secs(1), "{noticed:?}");
    b.until(|event| *event == Event::Failed).await;
}

//! How much the way through the relay carries: bytes on a data channel between two ends in this process, out to the relay and
//! back again. Whole calls were seen to work there before; this says how well.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::paths::Nobody;
use crate::cli::output::checks::{Check, Outcome};
use crate::rtc::{Bulk, BulkMessage, Config, Error, Event, IcePolicy, IceServer, Peer, Trust};

const NAME: &str = "throughput";
/// How long the ends may take to meet.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long bytes flow.
const FLOW: Duration = Duration::from_millis(1500);
/// No more than this is sent: a quick way has shown by then that it is one.
const MOST: usize = 4 << 20;
/// Bytes of one message.
const PIECE: usize = 16 * 1024;
/// A picture of 640x360 and a voice take about this much.
const A_CALL: f64 = 700.0;

/// Bytes through the relay. Only after a call went that way.
pub(super) async fn relay(servers: &[IceServer], works: bool, authorities: Option<&Trust>) -> Check {
    if !works {
        return Check::new(NAME, Outcome::Skip, "there is no relay that bytes could go through");
    }
    let config = Config {
        ice_servers: servers.to_vec(),
        policy: IcePolicy::Relay,
        trust: authorities.cloned(),
        audio: false,
        video: false,
        ..Config::default()
    };
    let begun = Instant::now();
    let check = match timeout(CONNECT_WITHIN + 2 * FLOW, measure(config)).await {
        Ok(Ok(Some((bytes, time)))) => judge(bytes, time),
        Ok(Ok(None)) => Check::new(NAME, Outcome::Inconclusive, "nothing arrived in time"),
        Ok(Err(error)) => Check::new(NAME, Outcome::Inconclusive, error.to_string()),
        Err(_) => Check::new(NAME, Outcome::Inconclusive, "the two ends did not meet in time"),
    };
    check.took(begun.elapsed())
}

fn judge(bytes: usize, time: Duration) -> Check {
    let kbps = bytes as f64 * 8.0 / 1e3 / time.as_secs_f64().max(1e-3);
    let figure = match kbps {
        kbps if kbps >= 10_000.0 => format!("{:.0} Mbit/s out to the relay and back", kbps / 1e3),
        kbps => format!("{kbps:.0} kbit/s out to the relay and back"),
    };
    let enough = kbps >= A_CALL;
    let outcome = if enough { Outcome::Pass } else { Outcome::Warn };
    let check = Check::new(NAME, outcome, figure).number("kbps", kbps.round()).number("bytes", bytes as f64);
    if enough { check } else { check.hint("pictures will be small: a call takes what there is") }
}

/// What arrived, and from the first byte to the last; `None` when nothing did.
async fn measure(config: Config) -> Result<Option<(usize, Duration)>, Error> {
    let (one, mut of_one) = Peer::new(config.clone(), Arc::new(Nobody)).await?;
    let (mut other, mut of_other) = Peer::new(config, Arc::new(Nobody)).await?;
    let Some(messages) = other.take_bulk_messages() else { return Ok(None) };
    let offer = one.offer(false).await?;
    one.apply_local().await?;
    let answer = other.answer(&offer).await?;
    other.apply_local().await?;
    one.accept_answer(&answer).await?;
    let met = timeout(CONNECT_WITHIN, meet((&one, &mut of_one), (&other, &mut of_other))).await;
    let measured = match met {
        Ok(()) => {
            let sending = tokio::spawn(send(one.bulk()));
            let measured = receive(messages).await;
            sending.abort();
            measured
        }
        Err(_) => None,
    };
    tokio::join!(one.close(false), other.close(false));
    Ok(measured)
}

type End<'a> = (&'a Peer, &'a mut mpsc::Receiver<Event>);

/// Passes candidates both ways until both data channels are open. Does not end when one of them fails.
async fn meet(one: End<'_>, other: End<'_>) {
    let (mut first, mut second) = (false, false);
    while !(first && second) {
        let (event, to, open) = tokio::select! {
            Some(event) = one.1.recv() => (event, other.0, &mut first),
            Some(event) = other.1.recv() => (event, one.0, &mut second),
            else => std::future::pending().await,
        };
        match event {
            Event::LocalCandidate(candidate) => {
                if let Err(error) = to.add_candidate(candidate).await {
                    tracing::debug!(%error, "a candidate of ours");
                }
            }
            Event::DataOpen => *open = true,
            _ => {}
        }
    }
}

async fn send(bulk: Bulk) {
    let until = Instant::now() + FLOW;
    for _ in 0..MOST / PIECE {
        let piece = BulkMessage::Binary(Bytes::from(vec![0x5a; PIECE]));
        if Instant::now() >= until || bulk.send(piece).await.is_err() {
            return;
        }
    }
}

/// Counts from the end of the first message on, so that the way there is not counted.
async fn receive(mut messages: mpsc::Receiver<BulkMessage>) -> Option<(usize, Duration)> {
    let mut until = Instant::now() + FLOW;
    let mut first = None;
    let (mut bytes, mut last) = (0, Instant::now());
    while let Ok(Some(message)) = timeout_at(until, messages.recv()).await {
        let length = match message {
            BulkMessage::Text(text) => text.len(),
            BulkMessage::Binary(bytes) => bytes.len(),
        };
        last = Instant::now();
        match first {
            None => {
                first = Some(last);
                until = last + FLOW;
            }
            Some(_) => bytes += length,
        }
        if bytes + PIECE >= MOST {
            break;
        }
    }
    (bytes > 0).then_some((bytes, last.duration_since(first?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_for_a_call_is_a_warning() {
        assert_eq!(judge(1_000_000, Duration::from_secs(1)).outcome, Outcome::Pass);
        let thin = judge(8_000, Duration::from_secs(1));
        assert_eq!((thin.outcome, thin.numbers["kbps"]), (Outcome::Warn, 64.0));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn bytes_are_counted_between_two_ends() {
        let config = Config {
            bind: vec!["127.0.0.1".parse().unwrap()],
            audio: false,
            video: false,
            ..Config::default()
        };
        let (bytes, time) = measure(config).await.unwrap().unwrap();
        assert!(bytes > 100_000 && time <= 2 * FLOW, "{bytes} in {time:?}");
    }
}

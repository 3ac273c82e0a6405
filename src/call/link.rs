//! Owns when a lost path ends a call, and when ICE is restarted for it. Pure arithmetic.

use std::time::Duration;

use super::Timing;

/// Restarting ICE again sooner than this would only undo the last restart.
const RESTART_GAP: Duration = Duration::from_secs(2);

/// When a path that is down since `since` ends the call.
///
/// A path alone may be down for `recover`. When the other side's signaling is down too, since
/// `peer_lost`, the other side is probably gone, and `peer_gone` counts:
///
/// * from the loss of signaling, if the path fell silent soon after (that is what a crash looks
///   like: the socket closes at once, silence is noticed seconds later);
/// * from the loss of the path, if media still came long after signaling was lost (it was alive);
/// * from the loss of signaling, if that came later.
pub(super) fn gone_at(timing: &Timing, since: Duration, peer_lost: Option<Duration>) -> Duration {
    let patient = since.saturating_add(timing.recover);
    let Some(peer_lost) = peer_lost else {
        return patient;
    };
    let survived = since.saturating_sub(peer_lost) >= timing.peer_gone;
    let from = if survived { since } else { peer_lost };
    from.saturating_add(timing.peer_gone).min(patient)
}

/// When ICE is restarted at the earliest, when there is reason to do it at once.
pub(super) fn soonest(now: Duration, restarted: Option<Duration>) -> Duration {
    restarted.map_or(now, |last| now.max(last.saturating_add(RESTART_GAP)))
}

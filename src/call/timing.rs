//! Owns `Timing`: how long the machine waits for what. Policy only, no clock.

use std::time::Duration;

/// How long a call waits for what. `Default` is what the product promises.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Timing {
    /// A call rings this long on either side, then ends with `NoAnswer`.
    pub ring: Duration,
    /// From acceptance to a connected path; then `ConnectFailed`.
    pub connect: Duration,
    /// A path may be down this long and come back; then `ConnectionLost`.
    pub recover: Duration,
    /// With the path down and the other side's signaling down as well, this long after whichever
    /// of the two shows when it died; then `ConnectionLost`. A crash so ends the call five seconds
    /// after the other side's socket closed, a lost server alone never does.
    pub peer_gone: Duration,
    /// Own signaling may be down this long while dialing or ringing; then `SignalingLost`.
    pub signaling: Duration,
    /// When both dialed each other and ours wins, how long to wait for their acceptance before
    /// taking their call instead (our invite may have been lost).
    pub glare: Duration,
    /// While the path is down the offerer restarts ICE again this often.
    pub restart: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            ring: Duration::from_secs(45),
            connect: Duration::from_secs(15),
            recover: Duration::from_secs(30),
            peer_gone: Duration::from_secs(5),
            signaling: Duration::from_secs(10),
            glare: Duration::from_secs(5),
            restart: Duration::from_secs(5),
        }
    }
}

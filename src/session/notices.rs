//! From what devices say, on any thread, to the session's events.

use tokio::sync::mpsc;

use crate::media::device::{Notice, Notices};

/// Notices of devices waiting for the leg. When full they are dropped: a flood of them says nothing new.
const NOTICES: usize = 16;

/// Where devices tell, and where the leg hears it.
pub(super) fn channel() -> (Notices, mpsc::Receiver<Notice>) {
    let (sender, receiver) = mpsc::channel(NOTICES);
    let tell = move |notice| {
        // Full or closed: nobody is to wait for it.
        let _ = sender.try_send(notice);
    };
    (std::sync::Arc::new(tell), receiver)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::device::{Kind, What};

    #[test]
    fn a_flood_of_notices_is_cut_and_blocks_nobody() {
        let (tell, mut heard) = channel();
        for number in 0..10 * NOTICES {
            tell(Notice { kind: Kind::Microphone, what: What::Ended { name: number.to_string() } });
        }
        let mut told = 0;
        while heard.try_recv().is_ok() {
            told += 1;
        }
        assert_eq!(told, NOTICES);
        drop(heard);
        tell(Notice { kind: Kind::Camera, what: What::Ended { name: "late".into() } });
    }
}

//! When a person is told that their picture has no room on the path.
//!
//! Pure: a call of [`Room::look`] is one second. Owns how long it lasts before it is worth a word; whether there is room
//! is the pipeline's to know.

/// Seconds without room after which it is no passing shortage any more.
const WORTH_A_WORD: u32 = 3;

/// What was seen, and what was told.
#[derive(Debug, Default)]
pub(super) struct Room {
    without: u32,
    told: bool,
    received: u64,
}

impl Room {
    /// Another second passed; `held` is whether the picture waits, `None` without one; `received` is how many bytes have come so far: while nothing
    /// comes the path is gone, which is told otherwise. A sentence, when there is something new to say.
    pub(super) fn look(&mut self, held: Option<bool>, received: u64) -> Option<&'static str> {
        let alive = std::mem::replace(&mut self.received, received) != received;
        if held != Some(true) {
            self.without = 0;
            let told = std::mem::take(&mut self.told);
            return (told && held.is_some()).then_some("your picture is sent again");
        }
        self.without += u32::from(alive);
        if self.told || self.without < WORTH_A_WORD {
            return None;
        }
        self.told = true;
        Some("your picture is not sent: the path, or --max-bitrate, has room for your voice alone")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In which seconds something was said: `h` is held, `.` is not, `-` is held on a path that is gone, `m` is no picture.
    fn said(seconds: &str) -> Vec<usize> {
        let mut room = Room::default();
        let mut received = 0;
        let look = |(at, second)| {
            received += u64::from(second != b'-');
            room.look((second != b'm').then_some(second != b'.'), received).map(|_| at)
        };
        seconds.bytes().enumerate().filter_map(look).collect()
    }

    #[test]
    fn a_shortage_that_lasts_is_told_once_and_so_is_its_end() {
        assert_eq!(said("..hh..hhhhhh..."), [8, 12]);
        assert_eq!(said("hhhh.hhhh."), [2, 4, 7, 9]);
    }

    #[test]
    fn who_shows_nothing_is_not_told_that_it_is_seen_again() {
        assert_eq!(said("hhhhmm..hhhh."), [2, 10, 12]);
    }

    #[test]
    fn a_path_that_is_gone_is_no_shortage() {
        assert!(said("..-------..").is_empty());
        assert_eq!(said("..hh---h-."), [7, 9]);
    }
}

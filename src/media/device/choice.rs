//! Which device a word means.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use super::Device;

/// Which device is meant: `ID`, a part of the name, `=ID` for that one or none, or nothing for the usual one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Wish {
    /// The one that the system prefers.
    #[default]
    Usual,
    /// This one if it is there, another one if not.
    Preferred(String),
    /// This one or none.
    Exact(String),
}

impl Wish {
    /// From what stands behind the colon of `camera[:ID]`.
    #[must_use]
    pub fn new(text: Option<&str>) -> Self {
        match text {
            None => Self::Usual,
            Some(text) => match text.strip_prefix('=') {
                Some(exact) => Self::Exact(exact.to_owned()),
                None => Self::Preferred(text.to_owned()),
            },
        }
    }

    /// What was asked for by name.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Usual => None,
            Self::Preferred(name) | Self::Exact(name) => Some(name),
        }
    }
}

impl FromStr for Wish {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::new(Some(text)))
    }
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usual => Ok(()),
            Self::Preferred(name) => f.write_str(name),
            Self::Exact(name) => write!(f, "={name}"),
        }
    }
}

/// The devices that may be tried for `wish`, best first; true beside each that is what was wished. An id counts before a whole name, a
/// whole name before a part of one, all without regard to case; then, unless it has to be exactly that one, the usual device and the
/// others in their order.
#[must_use]
pub fn choose<'a>(devices: &'a [Device], wish: &Wish) -> Vec<(&'a Device, bool)> {
    let mut usual: Vec<&Device> = devices.iter().filter(|device| device.default).collect();
    usual.extend(devices.iter().filter(|device| !device.default));
    let Some(wanted) = wish.name() else {
        return usual.into_iter().map(|device| (device, true)).collect();
    };
    let folded = wanted.to_lowercase();
    let rank = |device: &Device| match device {
        device if device.id == wanted => Some(0),
        device if device.id.to_lowercase() == folded => Some(1),
        device if device.name.to_lowercase() == folded => Some(2),
        device if device.name.to_lowercase().contains(&folded) => Some(3),
        _ => None,
    };
    let mut wished: Vec<(u8, &Device)> =
        usual.iter().filter_map(|&device| Some((rank(device)?, device))).collect();
    wished.sort_by_key(|(rank, _)| *rank);
    if matches!(wish, Wish::Exact(_)) {
        let best = wished.first().map(|(rank, _)| *rank);
        wished.retain(|(rank, _)| Some(*rank) == best);
    }
    let mut chosen: Vec<(&Device, bool)> = wished.into_iter().map(|(_, device)| (device, true)).collect();
    if !matches!(wish, Wish::Exact(_)) {
        let others: Vec<&Device> = usual
            .into_iter()
            .filter(|device| !chosen.iter().any(|(known, _)| known.id == device.id))
            .collect();
        chosen.extend(others.into_iter().map(|device| (device, false)));
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::device::Kind;

    fn device(id: &str, name: &str, default: bool) -> Device {
        let (id, name) = (id.to_owned(), name.to_owned());
        Device { kind: Kind::Camera, id, name, formats: Vec::new(), default, busy: None }
    }

    fn ids(wish: Option<&str>) -> Vec<String> {
        let devices = [
            device("0", "HD Webcam", false),
            device("1", "USB Camera 2", true),
            device("2", "Webcam", false),
            device("usb", "Other", false),
        ];
        let chosen = choose(&devices, &Wish::new(wish));
        chosen
            .iter()
            .map(|(device, wished)| format!("{}{}", device.id, if *wished { "!" } else { "" }))
            .collect()
    }

    #[test]
    fn the_usual_device_comes_first_when_nobody_says() {
        assert_eq!(ids(None), ["1!", "0!", "2!", "usb!"]);
    }

    #[test]
    fn an_id_counts_before_a_name_and_a_name_before_a_part_of_one() {
        assert_eq!(ids(Some("2")), ["2!", "1!", "0", "usb"]);
        assert_eq!(ids(Some("webcam")), ["2!", "0!", "1", "usb"]);
        assert_eq!(ids(Some("USB")), ["usb!", "1!", "0", "2"]);
    }

    #[test]
    fn what_is_not_there_falls_back_unless_it_has_to_be_exactly_that() {
        assert_eq!(ids(Some("gone")), ["1", "0", "2", "usb"]);
        assert!(ids(Some("=gone")).is_empty());
        assert_eq!(ids(Some("=HD Webcam")), ["0!"]);
        assert_eq!(ids(Some("=usb")), ["usb!"], "the id, and not what only has it in its name");
    }

    #[test]
    fn a_wish_is_read_back_as_it_is_written() {
        for text in ["hw:0,1", "=HD Webcam", "2"] {
            assert_eq!(Wish::new(Some(text)).to_string(), text);
        }
    }
}

//! `letsmeet devices`: cameras, microphones, speakers, screens and windows of this machine.
//!
//! Owns how the list is shown. A kind that can't be listed says why and hides no other.

use anyhow::Result;
use serde::Serialize;

use super::args::Global;
use super::exit::Exit;
use super::output::{self, Output, Style, human};
use crate::media::device::{self, Kind};

/// In the order of the list.
const KINDS: [(Kind, &str); 5] = [
    (Kind::Camera, "Cameras"),
    (Kind::Microphone, "Microphones"),
    (Kind::Speaker, "Speakers"),
    (Kind::Screen, "Screens"),
    (Kind::Window, "Windows"),
];

/// The document that `--json` prints.
#[derive(Debug, Serialize)]
struct Document {
    schema: &'static str,
    devices: Vec<Device>,
    /// Kinds that can't be listed.
    failures: Vec<Failure>,
}

#[derive(Debug, Serialize)]
struct Device {
    kind: String,
    id: String,
    name: String,
    formats: Vec<String>,
    default: bool,
    /// Null when it can't be told.
    busy: Option<bool>,
}

#[derive(Debug, Serialize)]
struct Failure {
    kind: String,
    message: String,
}

/// Runs the command.
///
/// # Errors
/// Stdout is broken.
pub(super) async fn run(global: &Global) -> Result<Exit> {
    let listed = tokio::task::spawn_blocking(|| KINDS.map(|(kind, _)| device::list(kind))).await?;
    if global.json {
        output::document(&document(listed))?;
    } else {
        Output::new(Style::Human).say(&sections(&listed))?;
    }
    Ok(Exit::Ok)
}

type Listed = [Result<Vec<device::Device>, crate::media::Error>; KINDS.len()];

fn document(listed: Listed) -> Document {
    let mut document = Document { schema: "letsmeet.devices/1", devices: Vec::new(), failures: Vec::new() };
    for ((kind, _), outcome) in KINDS.iter().zip(listed) {
        match outcome {
            Ok(devices) => document.devices.extend(devices.into_iter().map(|device| Device {
                kind: device.kind.to_string(),
                id: device.id,
                name: device.name,
                formats: device.formats,
                default: device.default,
                busy: device.busy,
            })),
            Err(error) => {
                document.failures.push(Failure { kind: kind.to_string(), message: error.to_string() });
            }
        }
    }
    document
}

/// One section a kind, one line a device. Names are text of the system (a window's title is anybody's), so they are cleaned.
fn sections(listed: &Listed) -> String {
    let mut lines = Vec::new();
    for ((_, title), outcome) in KINDS.iter().zip(listed) {
        lines.push((*title).to_owned());
        match outcome {
            Ok(devices) if devices.is_empty() => lines.push("  none".to_owned()),
            Ok(devices) => lines.extend(devices.iter().map(line)),
            Err(error) => lines.push(format!("  {}", human::clean(&error.to_string()))),
        }
    }
    lines.join("\n")
}

fn line(device: &device::Device) -> String {
    let mut line = format!("  {}  {}", human::clean(&device.id), human::clean(&device.name));
    if device.default {
        line.push_str("  (default)");
    }
    if device.busy == Some(true) {
        line.push_str("  (busy)");
    }
    if !device.formats.is_empty() {
        line.push_str(&format!("  [{}]", human::clean(&device.formats.join("; "))));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed() -> Listed {
        let window = device::Device {
            kind: Kind::Window,
            id: "7".into(),
            name: "\u{1b}[2Jevil".into(),
            formats: vec!["640x480".into()],
            default: true,
            busy: Some(true),
        };
        let error = device::list(Kind::Camera).map(|_| Vec::new());
        [error, Ok(Vec::new()), Ok(Vec::new()), Ok(Vec::new()), Ok(vec![window])]
    }

    #[test]
    fn a_kind_that_cannot_be_listed_hides_no_other() {
        let text = sections(&listed());
        assert!(text.starts_with("Cameras\n"), "{text}");
        assert!(text.contains("Microphones\n  none\n"), "{text}");
        assert!(text.ends_with("evil  (default)  (busy)  [640x480]"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
        let document = document(listed());
        assert_eq!(document.devices.len(), 1);
        assert_eq!((document.devices[0].kind.as_str(), document.devices[0].id.as_str()), ("window", "7"));
    }
}

//! The screens and windows of this machine by xcap. The only place that names it.

use xcap::{Monitor, Window};

use super::{Shot, Target};
use crate::media::Error;
use crate::media::device::{Device, Kind};

/// Windows of which the system has this many are listed, the front one first.
const MAX_WINDOWS: usize = 256;

pub(super) fn list() -> Result<Vec<Device>, Error> {
    let monitors = monitors()?;
    let count = monitors.len();
    let screens = monitors.into_iter().enumerate().filter_map(|(index, monitor)| {
        let (width, height) = (monitor.width().ok()?, monitor.height().ok()?);
        let name = monitor.name().ok().filter(|name| !name.is_empty());
        Some(Device {
            kind: Kind::Screen,
            id: monitor.id().ok()?.to_string(),
            name: name.unwrap_or_else(|| format!("screen {}", index + 1)),
            formats: vec![format!("{width}x{height}")],
            default: count == 1 || monitor.is_primary().unwrap_or(false),
            busy: None,
        })
    });
    let mut devices: Vec<Device> = screens.collect();
    // Without a window manager, or on Wayland, windows cannot be told apart; screens are there all the same.
    let windows = Window::all().unwrap_or_default();
    devices.extend(windows.into_iter().take(MAX_WINDOWS).filter_map(|window| {
        let (width, height) = (window.width().ok()?, window.height().ok()?);
        Some(Device {
            kind: Kind::Window,
            id: window.id().ok()?.to_string(),
            name: [window.title(), window.app_name()].into_iter().flatten().find(|name| !name.is_empty())?,
            formats: vec![format!("{width}x{height}")],
            default: false,
            busy: None,
        })
    }));
    Ok(devices)
}

fn monitors() -> Result<Vec<Monitor>, Error> {
    if cfg!(target_os = "linux")
        && ["DISPLAY", "WAYLAND_DISPLAY"].iter().all(|name| std::env::var_os(name).is_none())
    {
        let why = "there is no display (start letsmeet in a graphical session, or set DISPLAY)";
        return Err(Error::open("screen", why));
    }
    let monitors = Monitor::all().map_err(|error| {
        Error::open(
            "screen",
            format!(
                "the display does not answer ({error}); check DISPLAY and the permission to record the screen"
            ),
        )
    })?;
    if monitors.is_empty() {
        return Err(Error::open("screen", "the display has no screen"));
    }
    Ok(monitors)
}

/// A screen or window that [`list`] has named.
pub(super) fn target(kind: Kind, id: &str) -> Result<Box<dyn Target>, Error> {
    let gone = || Error::open(format!("{kind} {id}"), "it is gone");
    let is = |known: xcap::XCapResult<u32>| known.is_ok_and(|known| known.to_string() == id);
    if kind == Kind::Screen {
        let monitor = monitors()?.into_iter().find(|monitor| is(monitor.id())).ok_or_else(gone)?;
        return Ok(Box::new(monitor));
    }
    let windows = Window::all().map_err(|error| Error::open("window", error))?;
    Ok(Box::new(windows.into_iter().find(|window| is(window.id())).ok_or_else(gone)?))
}

impl Target for Box<dyn Target> {
    fn shot(&mut self) -> Shot {
        (**self).shot()
    }
}

impl Target for Monitor {
    fn shot(&mut self) -> Shot {
        match self.capture_image() {
            Ok(image) => Shot::Picture(image.width(), image.height(), image.into_raw()),
            Err(_) if self.width().is_err() => Shot::Gone,
            Err(error) => Shot::Hidden(error.to_string()),
        }
    }
}

impl Target for Window {
    fn shot(&mut self) -> Shot {
        match self.capture_image() {
            Ok(image) => Shot::Picture(image.width(), image.height(), image.into_raw()),
            // Its size is known as long as it exists, seen or not.
            Err(_) if self.width().is_err() => Shot::Gone,
            Err(error) => Shot::Hidden(error.to_string()),
        }
    }
}

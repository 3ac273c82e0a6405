//! Scripted cameras: losses, floods of errors, silence, returns.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use super::keeper::Patience;
use super::*;
use crate::media::device::{Kind, Notice};

const WANTED: VideoFormat = VideoFormat { width: 64, height: 48, fps: 30 };
const IMPATIENT: Patience = Patience {
    first: Duration::from_millis(300),
    stall: Duration::from_millis(300),
    pause: Duration::from_millis(10),
    stop: Duration::from_millis(200),
};

/// What a scripted camera does now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    /// Grey of this level.
    Picture(u8),
    Damaged,
    Fails,
    Silent,
    Busy,
}

/// A machine whose cameras are plugged in and out.
#[derive(Clone, Default)]
struct Machine(Arc<(Mutex<BTreeMap<String, Mood>>, Condvar)>);

impl Machine {
    fn set(&self, id: &str, mood: Option<Mood>) {
        let mut moods = self.0.0.lock().unwrap();
        match mood {
            Some(mood) => moods.insert(id.to_owned(), mood),
            None => moods.remove(id),
        };
        self.0.1.notify_all();
    }
}

impl Cameras for Machine {
    fn list(&self) -> Result<Vec<Device>, String> {
        let moods = self.0.0.lock().unwrap();
        let device = |id: &String| Device {
            kind: Kind::Camera,
            id: id.clone(),
            name: format!("Camera {id}"),
            formats: Vec::new(),
            default: false,
            busy: None,
        };
        Ok(moods.keys().map(device).collect())
    }

    fn connect(&self, id: &str) -> Result<Box<dyn Camera>, String> {
        match self.0.0.lock().unwrap().get(id) {
            None => Err("no such device".to_owned()),
            Some(Mood::Busy) => Err("Device or resource busy".to_owned()),
            Some(_) => Ok(Box::new(Scripted(self.clone(), id.to_owned(), Vec::new()))),
        }
    }
}

struct Scripted(Machine, String, Vec<u8>);

impl Camera for Scripted {
    fn formats(&mut self) -> Result<Vec<Format>, String> {
        Ok(vec![Format { width: 64, height: 48, fps: 30, packing: Packing::Nv12 }])
    }

    fn start(&mut self, format: Format) -> Result<Format, String> {
        Ok(format)
    }

    fn next(&mut self) -> Result<&[u8], String> {
        let (moods, changed) = &*self.0.0;
        // The beat of a fast camera, ended early by a change.
        let moods = changed.wait_timeout(moods.lock().unwrap(), Duration::from_millis(2)).unwrap().0;
        let moods = changed
            .wait_timeout_while(moods, Duration::from_secs(20), |moods| {
                moods.get(&self.1) == Some(&Mood::Silent)
            })
            .unwrap()
            .0;
        match moods.get(&self.1) {
            Some(Mood::Picture(level)) => self.2 = vec![*level; 64 * 48 * 3 / 2],
            Some(Mood::Damaged) => self.2 = vec![9; 7],
            _ => return Err("the device is gone".to_owned()),
        }
        Ok(&self.2)
    }
}

struct Seen {
    source: Source,
    index: u64,
    told: Receiver<String>,
}

impl Seen {
    fn open(machine: &Machine, wish: Option<&str>) -> Result<Self, Error> {
        let (teller, told) = channel();
        let notices: Notices = Arc::new(move |notice: Notice| drop(teller.send(notice.to_string())));
        let source = Source::open(Arc::new(machine.clone()), Wish::new(wish), WANTED, notices, IMPATIENT)?;
        Ok(Self { source, index: 0, told })
    }

    /// Waits for a picture whose corner has this level.
    fn until(&mut self, level: u8) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            assert!(Instant::now() < deadline, "no picture of {level}");
            self.index += 1;
            let picture = self.source.frame(self.index, WallTime(1)).unwrap();
            if picture.is_some_and(|picture| picture.y()[0] == level) {
                return;
            }
            std::thread::yield_now();
        }
    }

    fn hears(&self, what: &str) {
        assert_eq!(self.told.recv_timeout(Duration::from_secs(20)).unwrap(), what);
    }
}

/// The grey of the card.
const CARD: u8 = 48;

#[test]
fn a_lost_camera_gives_way_to_the_next_and_is_taken_again_when_it_returns() {
    let machine = Machine::default();
    machine.set("a", Some(Mood::Picture(100)));
    machine.set("b", Some(Mood::Picture(200)));
    let mut seen = Seen::open(&machine, Some("b")).unwrap();
    seen.until(200);
    seen.hears("camera: Camera b");
    machine.set("b", None);
    seen.until(100);
    seen.hears("camera: Camera a, because \"b\" is not there or does not open");
    machine.set("b", Some(Mood::Picture(210)));
    seen.until(210);
    seen.hears("camera: Camera b");
    assert!(seen.told.try_recv().is_err(), "each change is told once");
}

#[test]
fn without_any_camera_there_is_a_card_until_one_comes() {
    let machine = Machine::default();
    machine.set("a", Some(Mood::Picture(100)));
    let mut seen = Seen::open(&machine, None).unwrap();
    seen.until(100);
    seen.hears("camera: Camera a");
    machine.set("a", None);
    seen.until(CARD);
    seen.hears("camera: Camera a is gone (the device is gone); waiting for one");
    machine.set("a", Some(Mood::Picture(110)));
    seen.until(110);
    seen.hears("camera: Camera a");
}

#[test]
fn a_camera_that_stops_delivering_is_lost_and_damaged_pictures_are_not_fatal() {
    let machine = Machine::default();
    machine.set("a", Some(Mood::Picture(100)));
    let mut seen = Seen::open(&machine, Some("=a")).unwrap();
    seen.until(100);
    seen.hears("camera: Camera a");
    machine.set("a", Some(Mood::Damaged));
    machine.set("a", Some(Mood::Picture(101)));
    seen.until(101);
    assert!(seen.told.try_recv().is_err());
    // Another one is there, but it has to be exactly this one.
    machine.set("b", Some(Mood::Picture(200)));
    machine.set("a", Some(Mood::Silent));
    seen.until(CARD);
    seen.hears("camera: Camera a is gone (it gives no pictures any more); waiting for one");
    machine.set("a", Some(Mood::Picture(102)));
    seen.until(102);
}

#[test]
fn a_flood_of_errors_ends_a_camera_and_is_told_once() {
    let machine = Machine::default();
    machine.set("a", Some(Mood::Picture(100)));
    let mut seen = Seen::open(&machine, None).unwrap();
    seen.until(100);
    seen.hears("camera: Camera a");
    machine.set("a", Some(Mood::Fails));
    seen.until(CARD);
    seen.hears("camera: Camera a is gone (the device is gone); waiting for one");
    // Tried again and again meanwhile.
    seen.until(CARD);
    assert!(seen.told.try_recv().is_err());
}

#[test]
fn what_cannot_be_opened_says_what_to_do() {
    let machine = Machine::default();
    let said = |wish| Seen::open(&machine, wish).err().map(|error| error.to_string()).unwrap_or_default();
    assert_eq!(
        said(None),
        "cannot open camera: there is no camera (plug one in, or take --video file:PATH, screen, pattern or none)"
    );
    machine.set("a", Some(Mood::Busy));
    assert_eq!(
        said(Some("a")),
        "cannot open camera \"a\": Camera a: Device or resource busy (another program uses it: close that one)"
    );
    assert_eq!(said(Some("=z")), "cannot open camera \"z\": no such device (see: letsmeet devices)");
    machine.set("b", Some(Mood::Picture(90)));
    let seen = Seen::open(&machine, Some("Camera a")).unwrap();
    seen.hears("camera: Camera b, because \"Camera a\" is not there or does not open");
}

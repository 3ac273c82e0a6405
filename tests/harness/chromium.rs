//! Chromium as the other side of a call: the page of `tests/chromium`, told what to do and telling what happens in
//! lines of JSON. Needs node, Chromium and playwright-core; what is missing fails the test with the line that installs it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::SOON;
use super::network::find;
use super::process::{Event, Home, Process, Server};

/// Where Chromium keeps its profile: inside a home, and with it gone.
const PROFILES: &str = "chromium";

/// A page that is signed in. Dropping it ends the browser.
pub(crate) struct Page {
    process: Process,
}

impl Page {
    /// A page that signed in as `page` at `server`; `media` tells what it sends, as the `login` of `page/main.js` takes it.
    pub(crate) fn open(home: &Home, server: &Server, media: &Value) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/chromium");
        let tool = |name| find(name).unwrap_or_else(|| panic!("{name} is missing: scripts/setup --tests"));
        let (node, chromium) = (tool("node"), tool("chromium"));
        assert!(
            folder.join("node_modules/playwright-core").is_dir(),
            "playwright-core is missing: scripts/setup --tests (or npm ci in {})",
            folder.display()
        );
        let profiles = home.path().join(PROFILES);
        std::fs::create_dir_all(&profiles).expect("a folder for the profile");
        let driver = folder.join("driver.mjs");
        let address = format!("http://{}", server.address());
        let [node, driver, chromium] = [&node, &driver, &chromium].map(|path| path.to_str().expect("UTF-8"));
        let mut command = home.command_of(node, &[driver, chromium, &address]);
        command.env("TMPDIR", profiles);
        let mut page = Self { process: Process::start(command, "the page in Chromium") };
        let ready = page.wait_for("ready", Duration::from_secs(30));
        assert_eq!(ready.fields["secure"], true, "the page may sign");
        let mut login = json!({"command": "login", "name": "page"});
        login.as_object_mut().expect("an object").extend(media.as_object().cloned().unwrap_or_default());
        page.say(&login);
        page.wait_for("registered", SOON);
        page
    }

    /// Tells it what to do.
    pub(crate) fn say(&mut self, command: &Value) {
        self.process.say(command);
    }

    /// The next event called `name`.
    pub(crate) fn wait_for(&mut self, name: &str, within: Duration) -> Event {
        self.wait_where(name, within, |_| true)
    }

    /// The next that is also `wanted`. What went wrong in the page or at the server fails at once.
    pub(crate) fn wait_where(
        &mut self,
        name: &str,
        within: Duration,
        wanted: impl Fn(&Event) -> bool,
    ) -> Event {
        let bad = |event: &Event| matches!(event.name.as_str(), "failed" | "refused");
        let event =
            self.process.wait_until(name, within, |event| bad(event) || event.name == name && wanted(event));
        if bad(&event) {
            self.process.fail(&format!("{}: {:?}", event.name, event.fields));
        }
        event
    }

    /// What getStats and the page's own eyes and ears say, when it is `wanted`.
    pub(crate) fn figures(&mut self, within: Duration, wanted: impl Fn(&Event) -> bool) -> Event {
        self.wait_where("stats", within, wanted)
    }

    /// Waits until it has decoded so many pictures and so many seconds of sound more than now.
    pub(crate) fn sees_and_hears(&mut self, pictures: f64, seconds: f64, within: Duration) -> Event {
        let count = |event: &Event| {
            let figure = |path| event.number(path).unwrap_or(0.0);
            let heard = figure("audio.totalSamplesReceived") - figure("audio.concealedSamples");
            (figure("video.framesDecoded"), figure("eye.read"), heard)
        };
        let (decoded, read, heard) = count(&self.figures(within, |_| true));
        self.figures(within, |event| {
            let now = count(event);
            now.0 >= decoded + pictures && now.1 > read && now.2 >= heard + seconds * 48_000.0
        })
    }

    /// Waits until it has heard a second of sound.
    pub(crate) fn hears(&mut self, within: Duration) -> Event {
        self.figures(within, |event| event.number("audio.totalSamplesReceived") > Some(48_000.0))
    }

    /// Closes the browser and waits until it is gone.
    pub(crate) fn close(mut self) {
        self.say(&json!({"command": "quit"}));
        self.process.finish(SOON).expect_code(0);
    }
}

/// The files that letsmeet plays a call into, in `home`: the flags that make it do so, and what is in them.
pub(crate) struct Played {
    picture: PathBuf,
    sound: PathBuf,
}

impl Played {
    /// Nothing yet.
    pub(crate) fn into(home: &Home) -> Self {
        Self { picture: home.path().join("seen.y4m"), sound: home.path().join("heard.wav") }
    }

    /// The flags.
    pub(crate) fn flags(&self) -> [String; 4] {
        let file = |path: &Path| format!("file:{}", path.display());
        ["--show".into(), file(&self.picture), "--hear".into(), file(&self.sound)]
    }

    /// The share of the last second of sound that is a sine of this pitch, 0 to 1.
    pub(crate) fn share_of(&self, hz: f64) -> f64 {
        let file = std::fs::File::open(&self.sound).expect("the sound was written");
        let mut reader =
            letsmeet::media::file::wav::Reader::new(std::io::BufReader::new(file)).expect("a WAV file");
        let rate = f64::from(reader.header().rate);
        let mut samples = Vec::new();
        while reader.read(48_000, &mut samples).expect("whole samples") > 0 {}
        let last = &samples[samples.len().saturating_sub(48_000)..];
        let step = std::f64::consts::TAU * hz / rate;
        let (mut re, mut im, mut power) = (0.0, 0.0, f64::MIN_POSITIVE);
        for (n, sample) in last.iter().map(|&sample| f64::from(sample)).enumerate() {
            let (sin, cos) = (step * n as f64).sin_cos();
            re += sample * cos;
            im += sample * sin;
            power += sample * sample;
        }
        2.0 * (re * re + im * im) / (last.len() as f64 * power)
    }

    /// Mean Y, U and V of the left edge of the last picture, between the two strips of code: the ground of the page's pictures.
    pub(crate) fn ground(&self) -> [f64; 3] {
        let file = std::fs::File::open(&self.picture).expect("the picture was written");
        let mut reader =
            letsmeet::media::file::y4m::Reader::new(std::io::BufReader::new(file)).expect("a Y4M file");
        let mut last = None;
        while let Some(picture) = reader.next_picture().expect("whole pictures") {
            last = Some(picture);
        }
        let last = last.expect("a picture");
        let (width, height) = (last.width() as usize, last.height() as usize);
        let mean = |plane: &[u8], width: usize, height: usize| {
            let rows = height * 2 / 5..height * 3 / 5;
            let (mut sum, mut count) = (0.0, 0.0);
            for row in plane.chunks_exact(width).skip(rows.start).take(rows.len()) {
                sum += row[2..width / 16].iter().map(|&value| f64::from(value)).sum::<f64>();
                count += (width / 16 - 2) as f64;
            }
            sum / count
        };
        let half = (width.div_ceil(2), height.div_ceil(2));
        [mean(last.y(), width, height), mean(last.u(), half.0, half.1), mean(last.v(), half.0, half.1)]
    }
}

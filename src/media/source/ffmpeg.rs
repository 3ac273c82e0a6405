//! Any film or sound that ffmpeg can read, by ffmpeg as a decoder process.
//!
//! Owns the process and the one thread that reads its pipe. ffmpeg scales, changes the rate and mixes; what comes
//! out is raw pictures or samples, a few of which wait in a bounded queue, so that the pipeline never waits for a
//! slow disk longer than half a tick. At the end the process is started again; pictures and sound of the same film
//! stay together over any number of rounds, because both are padded or cut to the film's own length.
//! Dropping a source kills the process.

use std::ffi::OsString;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{MAX_SKIP, quoted};
use crate::media::{AudioSource, Error, SAMPLE_RATE, VideoFormat, VideoFrame, VideoSource, WallTime};

/// The decoder.
pub(super) const PROGRAM: &str = "ffmpeg";

/// How long the first picture or sound may take.
const START: Duration = Duration::from_secs(10);

/// Pictures that wait; when full, ffmpeg waits.
const PICTURES: usize = 8;

/// Blocks of 20 ms that wait; when full, ffmpeg waits.
const BLOCKS: usize = 50;

/// Samples a block.
const BLOCK: usize = SAMPLE_RATE as usize / 50;

/// Bytes of ffmpeg's complaints that are kept; later ones are read and dropped.
const COMPLAINTS: u64 = 4096;

/// A film read by ffmpeg.
pub(super) struct Film {
    decoding: Decoding,
    format: VideoFormat,
    /// Pictures taken from the queue.
    taken: u64,
    /// Pictures by which the film lags behind the ticks for good.
    behind: u64,
}

impl Film {
    /// Starts `program` and waits for the first picture.
    pub(super) fn open(program: &str, path: &Path, format: VideoFormat) -> Result<Self, Error> {
        let VideoFormat { width, height, fps } = format;
        let filter = format!(
            "fps={fps}:start_time=0,scale={width}:{height}:force_original_aspect_ratio=decrease:force_divisible_by=2\
             :flags=bilinear,pad={width}:{height}:(ow-iw)/2:(oh-ih)/2,setsar=1"
        );
        let job = Job {
            program: program.to_owned(),
            input: input(path),
            arguments: ["-map", "0:v:0", "-vf", &filter, "-pix_fmt", "yuv420p", "-f", "rawvideo"]
                .map(str::to_owned)
                .to_vec(),
            name: quoted(path),
            unit: VideoFrame::bytes(width, height),
            rate: f64::from(fps),
            repeat_last: true,
            missing: "it has no picture",
        };
        Ok(Self { decoding: Decoding::start(job, PICTURES)?, format, taken: 0, behind: 0 })
    }
}

impl VideoSource for Film {
    fn format(&self) -> VideoFormat {
        self.format
    }

    fn frame(&mut self, index: u64, captured: WallTime) -> Result<Option<VideoFrame>, Error> {
        if index - self.behind.min(index) > self.taken + MAX_SKIP {
            self.behind = index - self.taken;
        }
        // Only the first wait may take time: whoever is late then skips over what is there already.
        let mut wait = self.format.interval() / 2;
        let mut picture = None;
        while self.taken + self.behind <= index {
            let Some(data) = self.decoding.next(wait)? else {
                break;
            };
            wait = Duration::ZERO;
            self.taken += 1;
            picture = Some(data);
        }
        picture.map(|data| VideoFrame::new(self.format.width, self.format.height, data, captured)).transpose()
    }
}

/// Sound read by ffmpeg.
pub(super) struct Sound {
    decoding: Decoding,
    ready: Vec<f32>,
}

impl Sound {
    /// Starts `program` and waits for the first sound.
    pub(super) fn open(program: &str, path: &Path) -> Result<Self, Error> {
        let job = Job {
            program: program.to_owned(),
            input: input(path),
            arguments: [
                "-map",
                "0:a:0",
                "-af",
                "aresample=async=1:first_pts=0",
                "-ac",
                "1",
                "-ar",
                "48000",
                "-f",
                "f32le",
            ]
            .map(str::to_owned)
            .to_vec(),
            name: quoted(path),
            unit: BLOCK * 4,
            rate: 50.0,
            repeat_last: false,
            missing: "it has no sound",
        };
        Ok(Self { decoding: Decoding::start(job, BLOCKS)?, ready: Vec::new() })
    }
}

impl AudioSource for Sound {
    fn read(&mut self, _: WallTime, out: &mut [f32]) -> Result<(), Error> {
        let wait = Duration::from_secs(out.len() as u64) / SAMPLE_RATE / 2;
        while self.ready.len() < out.len() {
            let Some(block) = self.decoding.next(wait)? else {
                break;
            };
            self.ready.extend(block.chunks_exact(4).map(|b| {
                let sample = f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
                if sample.is_finite() { sample } else { 0.0 }
            }));
        }
        let there = out.len().min(self.ready.len());
        out[..there].copy_from_slice(&self.ready[..there]);
        out[there..].fill(0.0);
        self.ready.drain(..there);
        Ok(())
    }
}

/// What ffmpeg is asked to do, and the shape of what comes out.
struct Job {
    program: String,
    input: OsString,
    arguments: Vec<String>,
    name: String,
    /// Bytes of a picture or block.
    unit: usize,
    /// Pictures or blocks a second.
    rate: f64,
    /// Pad with the last unit instead of zeros.
    repeat_last: bool,
    /// What to say when nothing comes out at all.
    missing: &'static str,
}

type Unit = Result<Vec<u8>, Error>;

/// A running decoder: the queue's end, and what is needed to stop the rest.
struct Decoding {
    units: Option<Receiver<Unit>>,
    first: Option<Vec<u8>>,
    process: Arc<Mutex<Process>>,
    reader: Option<JoinHandle<()>>,
    name: String,
}

#[derive(Default)]
struct Process {
    child: Option<Child>,
    stopped: bool,
}

impl Decoding {
    fn start(job: Job, capacity: usize) -> Result<Self, Error> {
        let (sender, units) = sync_channel(capacity);
        let process = Arc::new(Mutex::new(Process::default()));
        let name = job.name.clone();
        let shared = Arc::clone(&process);
        let reader = std::thread::Builder::new()
            .name("film".to_owned())
            .spawn(move || run(&job, &shared, &sender))
            .map_err(|why| Error::open(name.clone(), why))?;
        let mut decoding = Self { units: Some(units), first: None, process, reader: Some(reader), name };
        decoding.first = decoding.next(START)?;
        match decoding.first {
            Some(_) => Ok(decoding),
            None => {
                Err(Error::open(decoding.name.clone(), format!("nothing came out in {} s", START.as_secs())))
            }
        }
    }

    /// The next unit; `None` when none comes within `wait`.
    fn next(&mut self, wait: Duration) -> Result<Option<Vec<u8>>, Error> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        let gone = || Error::decode(self.name.clone(), "the decoder is gone");
        match self.units.as_ref().ok_or_else(gone)?.recv_timeout(wait) {
            Ok(unit) => unit.map(Some),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(gone()),
        }
    }
}

impl Drop for Decoding {
    fn drop(&mut self) {
        // First the queue, so that the thread cannot wait for room in it; then the process, so that it cannot wait
        // for bytes.
        self.units = None;
        {
            let mut process = lock(&self.process);
            process.stopped = true;
            end(&mut process);
        }
        if let Some(reader) = self.reader.take() {
            // The thread has nothing to say; that it panicked would have been told already.
            let _ = reader.join();
        }
    }
}

/// The thread: round after round until nobody listens.
fn run(job: &Job, process: &Mutex<Process>, units: &SyncSender<Unit>) {
    let length = length(job);
    let mut sent = 0_u64;
    for round in 1_u32.. {
        // Counted from the very start, so that rounding does not add up.
        let end = length.map(|seconds| (f64::from(round) * seconds * job.rate) as u64);
        match play(job, process, units, &mut sent, end) {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                // When nobody listens any more there is nobody to tell.
                let _ = units.send(Err(error));
                return;
            }
        }
    }
}

/// One round; false when nobody listens any more.
fn play(
    job: &Job,
    process: &Mutex<Process>,
    units: &SyncSender<Unit>,
    sent: &mut u64,
    end_at: Option<u64>,
) -> Result<bool, Error> {
    let Some((mut pipe, complaints)) = spawn(job, process)? else {
        return Ok(false);
    };
    let mut last = None;
    while end_at.is_none_or(|end| *sent < end) {
        let mut unit = Vec::with_capacity(job.unit);
        // A pipe that breaks is a decoder that was stopped.
        let _ = (&mut pipe).take(job.unit as u64).read_to_end(&mut unit);
        if unit.is_empty() || (unit.len() < job.unit && job.repeat_last) {
            break;
        }
        unit.resize(job.unit, 0);
        if job.repeat_last {
            last = Some(unit.clone());
        } else {
            last.get_or_insert_with(|| vec![0; job.unit]);
        }
        *sent += 1;
        if units.send(Ok(unit)).is_err() {
            return Ok(false);
        }
    }
    drop(pipe);
    end(&mut lock(process));
    let complaints = complaints.join().unwrap_or_default();
    let Some(last) = last else {
        return if lock(process).stopped { Ok(false) } else { Err(silent(job, &complaints)) };
    };
    while end_at.is_some_and(|end| *sent < end) {
        *sent += 1;
        if units.send(Ok(last.clone())).is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}

type Pipe = (std::process::ChildStdout, JoinHandle<String>);

/// Starts the process unless everything was stopped.
fn spawn(job: &Job, process: &Mutex<Process>) -> Result<Option<Pipe>, Error> {
    let mut process = lock(process);
    if process.stopped {
        return Ok(None);
    }
    let mut child = Command::new(&job.program)
        .args([
            "-nostdin",
            "-hide_banner",
            "-v",
            "error",
            "-threads",
            "1",
            "-protocol_whitelist",
            "file",
            "-i",
        ])
        .arg(&job.input)
        .args(&job.arguments)
        .arg("pipe:1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|why| match why.kind() {
            ErrorKind::NotFound => Error::open(
                job.name.clone(),
                format!(
                    "this format needs {PROGRAM}, which is not installed (Debian, Ubuntu: apt install ffmpeg)"
                ),
            ),
            _ => Error::open(job.name.clone(), format!("{}: {why}", job.program)),
        })?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    process.child = Some(child);
    let (Some(stdout), Some(mut stderr)) = (stdout, stderr) else {
        return Err(Error::open(job.name.clone(), "no pipe"));
    };
    let complaints = std::thread::spawn(move || {
        let mut text = Vec::new();
        // What cannot be read cannot be told.
        let _ = (&mut stderr).take(COMPLAINTS).read_to_end(&mut text);
        let _ = std::io::copy(&mut stderr, &mut std::io::sink());
        String::from_utf8_lossy(&text).into_owned()
    });
    Ok(Some((stdout, complaints)))
}

/// Why nothing came out.
fn silent(job: &Job, complaints: &str) -> Error {
    let why = if complaints.contains("matches no streams") {
        job.missing.to_owned()
    } else {
        complaints.lines().rev().find(|line| !line.trim().is_empty()).map_or_else(
            || job.missing.to_owned(),
            |line| {
                let line: String = line.chars().filter(|c| !c.is_control()).collect();
                format!("{PROGRAM} says: {}", line.trim())
            },
        )
    };
    Error::open(job.name.clone(), why)
}

/// The film's length in seconds by ffprobe, which comes with ffmpeg; `None` when it is not known.
fn length(job: &Job) -> Option<f64> {
    let probe = Command::new(job.program.replace(PROGRAM, "ffprobe"))
        .args([
            "-v",
            "error",
            "-protocol_whitelist",
            "file",
            "-show_entries",
            "format=duration",
            "-of",
            "csv=p=0",
            "-i",
        ])
        .arg(&job.input)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let seconds: f64 = String::from_utf8_lossy(&probe.stdout).trim().parse().ok()?;
    (seconds.is_finite() && seconds >= 0.1).then_some(seconds)
}

/// `file:` keeps ffmpeg from reading an address or an option into the name.
fn input(path: &Path) -> OsString {
    let mut input = OsString::from("file:");
    input.push(path);
    input
}

fn end(process: &mut Process) {
    if let Some(mut child) = process.child.take() {
        // It may have ended by itself.
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn lock(process: &Mutex<Process>) -> MutexGuard<'_, Process> {
    process.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;

//! A terminal at the far end of a slow link: a pseudo terminal whose output drains at a rate, through a buffer as deep as
//! ssh's, and is on the screen a base delay later. Questions are answered over the same way.
//!
//! What it shows is read as a person would read it: the pattern's code is found among the cells of the screen, so
//! each picture tells when it was captured and the terminal when it was seen.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use letsmeet::media::synthetic::pattern;
use letsmeet::media::{VideoFrame, WallTime};

/// Pixels a cell of this terminal.
const CELL: (usize, usize) = (8, 16);

/// Dots that a cell is looked at with: eighths both ways. A picture of 16:9 comes out twice as wide, and its code reads all the
/// same: the rows of the code divide the height of whatever is wider than 16:9.
const DOTS: (usize, usize) = (8, 8);

/// The answer to a fence.
const REACHED: &[u8] = b"\x1b[0n";

/// What a read of a pseudo terminal gives at most.
const READ: usize = 4096;

/// Reads that the link holds before writes wait: 2 MB.
const DEPTH: usize = 2 * 1024 * 1024 / READ;

/// The way to the terminal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    /// Bits a second.
    pub(crate) bits: f64,
    /// One way, empty.
    pub(crate) base: Duration,
}

/// A picture of the pattern, the first time it could be read from the screen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sighting {
    pub(crate) number: u64,
    /// From its capture.
    pub(crate) lag: Duration,
    /// Since the terminal was started.
    pub(crate) at: Duration,
}

/// The terminal and the program in it. Dropping it kills the program.
pub(crate) struct SlowTerminal {
    child: Child,
    keys: Sender<(Instant, Vec<u8>)>,
    sightings: Receiver<Sighting>,
}

impl SlowTerminal {
    /// Runs `command` in a terminal of `columns` and `rows` behind `line`.
    pub(crate) fn start(mut command: Command, columns: u16, rows: u16, line: Line) -> Self {
        let (terminal, program) = pty(columns, rows);
        let descriptor = program.as_raw_fd();
        command
            .stdin(program.try_clone().expect("a descriptor"))
            .stdout(program.try_clone().expect("a descriptor"))
            .stderr(program.try_clone().expect("a descriptor"));
        // SAFETY: both calls are allowed between fork and exec and take no pointers; the descriptor is open there.
        unsafe {
            command.pre_exec(move || {
                if libc::setsid() < 0 || libc::ioctl(descriptor, libc::TIOCSCTTY, 0) < 0 {
                    return Err(std::io::Error::last_os_error());
                }
                Ok(())
            });
        }
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        drop((command, program));
        let start = Instant::now();
        let (chunk, chunks) = sync_channel(DEPTH);
        let (sighting, sightings) = channel();
        let (keys, replies) = channel::<(Instant, Vec<u8>)>();
        let reader = terminal.try_clone().expect("a descriptor");
        thread::spawn(move || read(reader, &chunk));
        let back = keys.clone();
        thread::spawn(move || show(&chunks, line, (columns, rows), &back, start, &sighting));
        thread::spawn(move || write(terminal, &replies));
        Self { child, keys, sightings }
    }

    /// Types.
    pub(crate) fn keys(&self, keys: &str) {
        // The program may have ended; then nobody reads them.
        let _ = self.keys.send((Instant::now(), keys.as_bytes().to_vec()));
    }

    /// Everything that is sighted for `time` from now on.
    pub(crate) fn watch(&self, time: Duration) -> Vec<Sighting> {
        let end = Instant::now() + time;
        let mut seen = Vec::new();
        while let Ok(sighting) = self.sightings.recv_timeout(end.saturating_duration_since(Instant::now())) {
            seen.push(sighting);
        }
        seen
    }

    /// The first sighting, by a deadline.
    pub(crate) fn first(&self, within: Duration) -> Sighting {
        self.sightings.recv_timeout(within).expect("a picture of the pattern on the screen")
    }

    /// The end of the program, or a panic.
    pub(crate) fn finish(mut self, within: Duration) -> ExitStatus {
        super::until(within, "the program in the slow terminal ends", || {
            self.child.try_wait().expect("a child")
        })
    }
}

impl Drop for SlowTerminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A pseudo terminal: the terminal's side and the program's.
fn pty(columns: u16, rows: u16) -> (File, OwnedFd) {
    let (mut terminal, mut program) = (-1, -1);
    let mut size = libc::winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: columns * CELL.0 as u16,
        ws_ypixel: rows * CELL.1 as u16,
    };
    // SAFETY: both numbers are written before the call returns 0 and are ours alone then; the size outlives the call.
    // Close-on-exec keeps the terminal's side out of the program, whose end would not be noticed otherwise.
    unsafe {
        let made = libc::openpty(
            &raw mut terminal,
            &raw mut program,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            &raw mut size,
        );
        assert_eq!(made, 0, "openpty: {}", std::io::Error::last_os_error());
        libc::fcntl(terminal, libc::F_SETFD, libc::FD_CLOEXEC);
        libc::fcntl(program, libc::F_SETFD, libc::FD_CLOEXEC);
        (OwnedFd::from_raw_fd(terminal).into(), OwnedFd::from_raw_fd(program))
    }
}

/// Takes what the program writes at once, until the link's buffer is full.
fn read(mut terminal: File, chunk: &SyncSender<(Instant, Vec<u8>)>) {
    let mut bytes = [0; READ];
    while let Ok(count) = terminal.read(&mut bytes) {
        if count == 0 || chunk.send((Instant::now(), bytes[..count].to_vec())).is_err() {
            break;
        }
    }
}

/// The link and the screen. The waits are the link: what it models takes this time.
fn show(
    chunks: &Receiver<(Instant, Vec<u8>)>,
    line: Line,
    (columns, rows): (u16, u16),
    back: &Sender<(Instant, Vec<u8>)>,
    start: Instant,
    sighting: &Sender<Sighting>,
) {
    let size = |side| NonZeroU16::new(side).expect("a size");
    let mut parser = vt100::Parser::new_with_callbacks(size(rows), size(columns), 0, Answers::default());
    let mut free = start;
    let mut last = None;
    while let Ok((written, bytes)) = chunks.recv() {
        free = free.max(written) + Duration::from_secs_f64(bytes.len() as f64 * 8.0 / line.bits);
        thread::sleep((free + line.base).saturating_duration_since(Instant::now()));
        parser.process(&bytes);
        let answers = std::mem::take(&mut parser.callbacks_mut().bytes);
        // An update ends with a fence; between fences there is nothing new, and looking takes time.
        let look = answers.windows(REACHED.len()).any(|answer| answer == REACHED);
        if !answers.is_empty() {
            let _ = back.send((Instant::now() + line.base, answers));
        }
        let now = WallTime::now();
        if look
            && let Some(picture) = picture(parser.screen())
            && let Some(reading) = pattern::read(&picture, now)
            && last.replace(reading.number) != Some(reading.number)
        {
            let lag = Duration::from_micros(now.0.saturating_sub(reading.captured.0));
            let _ = sighting.send(Sighting { number: reading.number, lag, at: start.elapsed() });
        }
    }
}

/// Hands over answers and keys when they are due.
fn write(mut terminal: File, replies: &Receiver<(Instant, Vec<u8>)>) {
    while let Ok((due, bytes)) = replies.recv() {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if terminal.write_all(&bytes).is_err() {
            break;
        }
    }
}

/// What this terminal answers to questions.
#[derive(Default)]
struct Answers {
    bytes: Vec<u8>,
}

impl vt100::Callbacks for Answers {
    fn unhandled_csi(
        &mut self,
        _: &mut vt100::Screen,
        first: Option<u8>,
        _: Option<u8>,
        params: &[&[u16]],
        last: char,
    ) {
        let answer: &[u8] = match (first, params.first().and_then(|param| param.first()), last) {
            (None, Some(5), 'n') => REACHED,
            (None, _, 'c') => b"\x1b[?62;22c",
            (None, Some(16), 't') => b"\x1b[6;16;8t",
            (Some(b'>'), _, 'q') => b"\x1bP>|slow(1)\x1b\\",
            _ => b"",
        };
        self.bytes.extend_from_slice(answer);
    }
}

/// The picture on a screen: the cells that hold block characters in colours, as luma. `None` when there are too few.
fn picture(screen: &vt100::Screen) -> Option<VideoFrame> {
    let (rows, columns) = screen.size();
    let is_picture = |row: u16, column: u16| {
        screen.cell(row, column).is_some_and(|cell| {
            matches!(cell.bgcolor(), vt100::Color::Rgb(..))
                && lit(cell.contents().chars().next().unwrap_or(' '), 0, 0).is_some()
        })
    };
    let inside = |row: &u16| (0..columns.get()).filter(|column| is_picture(*row, *column)).count() > 15;
    let lines: Vec<u16> = (0..rows.get()).filter(inside).collect();
    let (top, bottom) = (*lines.first()?, *lines.last()?);
    let middle = top + (bottom - top) / 2;
    let across: Vec<u16> = (0..columns.get()).filter(|column| is_picture(middle, *column)).collect();
    let (left, right) = (*across.first()?, *across.last()?);
    let width = usize::from(right - left + 1) * DOTS.0;
    let height = usize::from(bottom - top + 1) * DOTS.1;
    let mut data = vec![128; VideoFrame::bytes(width as u32, height as u32)];
    for (row, line) in (top..=bottom).zip(data.chunks_exact_mut(width * DOTS.1)) {
        for (column, first) in (left..=right).zip((0..width).step_by(DOTS.0)) {
            let cell = screen.cell(row, column)?;
            let character = cell.contents().chars().next().unwrap_or(' ');
            let (on, off) = (luma(cell.fgcolor()), luma(cell.bgcolor()));
            for y in 0..DOTS.1 {
                for x in 0..DOTS.0 {
                    line[y * width + first + x] = if lit(character, x, y)? { on } else { off };
                }
            }
        }
    }
    VideoFrame::new(width as u32, height as u32, data, WallTime::now()).ok()
}

/// Whether a block character is lit at a dot of its cell; `None` for any other character.
fn lit(character: char, x: usize, y: usize) -> Option<bool> {
    let (left, upper) = (x < DOTS.0 / 2, y < DOTS.1 / 2);
    Some(match character {
        ' ' => false,
        '▀' => upper,
        '▔' => y == 0,
        '▁'..='█' => DOTS.1 - 1 - y <= character as usize - '▁' as usize,
        '▉'..='▏' => x < 8 - (character as usize - '█' as usize),
        '▐' => !left,
        '▕' => x == DOTS.0 - 1,
        '▖' => left && !upper,
        '▗' => !left && !upper,
        '▘' => left && upper,
        '▙' => left || !upper,
        '▚' => left == upper,
        '▛' => left || upper,
        '▜' => !left || upper,
        '▝' => !left && upper,
        '▞' => left != upper,
        '▟' => !left || !upper,
        _ => return None,
    })
}

/// Luma of a colour, limited range as in the pattern (BT.601).
fn luma(colour: vt100::Color) -> u8 {
    let vt100::Color::Rgb(red, green, blue) = colour else { return 16 };
    (16 + (66 * u32::from(red) + 129 * u32::from(green) + 25 * u32::from(blue)) / 256).min(255) as u8
}

//! `letsmeet doctor --terminal`: what the terminal says of itself, and a test card in each way to draw.

use std::io::{self, Write as _};

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::cli::args::{Doctor, Global};
use crate::cli::exit::Exit;
use crate::cli::failure::Device;
use crate::cli::output;
use crate::cli::output::checks::Diagnosis;
use crate::tui::card;
use crate::tui::render::{Depth, Mode};
use crate::tui::terminal::{self, Capabilities, Finding, Options, Terminal};

/// The document that `--json` prints.
#[derive(Debug, Serialize)]
struct Document<'a> {
    schema: &'static str,
    terminal: About<'a>,
}

#[derive(Debug, Serialize)]
struct About<'a> {
    /// The terminal's own name and version.
    name: Option<&'a str>,
    /// The way to draw that is chosen.
    mode: &'static str,
    /// Why it is that one.
    why: &'static str,
    /// All ways that the terminal shows, best first.
    modes: Vec<&'static str>,
    columns: u16,
    rows: u16,
    cell_width: Option<u16>,
    cell_height: Option<u16>,
    /// 24, 8, 4 or 0 bits of colour.
    colour_bits: u8,
    utf8: bool,
    answers: bool,
    answered_after_ms: Option<f64>,
    findings: Vec<Found<'a>>,
}

#[derive(Debug, Serialize)]
struct Found<'a> {
    what: &'a str,
    value: &'a str,
    how: &'a str,
}

/// Runs the command.
///
/// # Errors
/// There is no terminal.
pub(super) async fn run(global: &Global, args: Doctor) -> Result<Exit> {
    // Given back before anything is printed: nothing is read here but answers.
    let terminal = Terminal::open(Options::LINES).await.map_err(unusable)?;
    let (capabilities, findings, size) =
        (terminal.capabilities().clone(), terminal.findings().to_vec(), terminal.size());
    terminal.close();
    if global.json {
        output::document(&document(&capabilities, &findings, size))?;
        return Ok(Exit::Ok);
    }
    // A card needs to know its row: all of it is written at the bottom, where the screen scrolls.
    write(&card::to_bottom(size))?;
    let widest = findings.iter().map(|found| found.what.len()).max().unwrap_or(0);
    for found in &findings {
        output::write_line(&format!("{:widest$}  {}  ({})", found.what, found.value, found.how))?;
    }
    let (mode, why) = capabilities.choice();
    output::write_line(&format!("{:widest$}  {mode}  ({why})", "draws in"))?;
    let modes = args.render.map_or_else(|| capabilities.modes(), |mode| vec![mode]);
    for (number, mode) in (1..).zip(modes) {
        output::write_line(&format!("\n{mode}:"))?;
        write(&card::draw(&capabilities, mode, size, number))?;
    }
    Ok(Exit::Ok)
}

fn write(bytes: &[u8]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).context("cannot write the test card")
}

/// What a terminal that can't be used means for a command that needs one.
pub(in crate::cli) fn unusable(error: terminal::Error) -> anyhow::Error {
    Device::new(format!("{error}; this command needs a terminal")).into()
}

fn document<'a>(
    capabilities: &'a Capabilities,
    findings: &'a [Finding],
    size: terminal::Size,
) -> Document<'a> {
    let (mode, why) = capabilities.choice();
    Document {
        schema: Diagnosis::SCHEMA,
        terminal: About {
            name: capabilities.name.as_deref(),
            mode: mode.name(),
            why,
            modes: capabilities.modes().into_iter().map(Mode::name).collect(),
            columns: size.columns,
            rows: size.rows,
            cell_width: capabilities.cell.map(|cell| cell.width),
            cell_height: capabilities.cell.map(|cell| cell.height),
            colour_bits: match capabilities.depth {
                Depth::Truecolor => 24,
                Depth::Indexed256 => 8,
                Depth::Indexed16 => 4,
                Depth::Monochrome => 0,
            },
            utf8: capabilities.utf8,
            answers: capabilities.answers,
            answered_after_ms: capabilities.link.map(|link| link.as_secs_f64() * 1000.0),
            findings: findings
                .iter()
                .map(|found| Found { what: found.what, value: &found.value, how: found.how })
                .collect(),
        },
    }
}

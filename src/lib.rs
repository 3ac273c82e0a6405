//! letsmeet: video calls that live in a terminal, and a connectivity test that a script can trust.
//!
//! ```text
//!   cli ───────────────► the composition root: flags, settings, output, exit codes
//!    │
//!   tui ───────────────► the screen: model, update, view, and pictures in cells or pixels
//!    │
//!   session ───────────► the one async owner of a call
//!    │      │       │
//!    │      │      rtc ─► the only place that names the WebRTC crates
//!    │      │       │
//!    │      │     media ► codecs, sources, sinks, jitter buffer, meters (no async, no network)
//!    │      │
//!    │   signaling ─────► protocol, client, server
//!    │      │
//!   call ◄──┘             pure call control: std only, no clock
//!   files                 transfers of a call: what may happen when, and files on disk
//!   text                  the one gate for remote text, and how wide text is
//!   history               the calls of a profile, on disk
//!   identity              keys, known peers, verification code
//!   tls                   whose certificates are accepted, and what is wrong with one
//! ```
//!
//! Arrows point down only; `tests/integration/layers.rs` holds them to it. ARCHITECTURE.md says why.

pub mod call;
pub mod cli;
pub mod config;
pub mod files;
pub mod history;
pub mod identity;
pub mod logging;
pub mod media;
pub mod rtc;
pub mod session;
pub mod signaling;
pub mod text;
pub mod tls;
pub mod tui;

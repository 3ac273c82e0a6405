//! The one integration binary: what letsmeet does as a whole, seen from outside.
//!
//! `harness` starts processes and networks; each other module is one property of the product.
//! Modules under `netns` need root and network namespaces (scripts/setup --tests installs the tools).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails; helpers outside #[test] functions are tests as well"
)]

#[path = "harness/mod.rs"]
mod harness;

#[path = "integration/alert.rs"]
mod alert;
#[path = "integration/bad_input.rs"]
mod bad_input;
#[path = "integration/call_clip.rs"]
mod call_clip;
#[path = "integration/call_loopback.rs"]
mod call_loopback;
#[path = "integration/cli_output.rs"]
mod cli_output;
#[path = "integration/connectivity.rs"]
mod connectivity;
#[path = "integration/crossings.rs"]
mod crossings;
#[path = "integration/doctor.rs"]
mod doctor;
#[path = "integration/echo.rs"]
mod echo;
#[path = "integration/echo_login.rs"]
mod echo_login;
#[path = "integration/exit_codes.rs"]
mod exit_codes;
#[path = "integration/files.rs"]
mod files;
#[path = "integration/fuzz_seeds.rs"]
mod fuzz_seeds;
#[path = "fuzz/targets.rs"]
mod fuzz_targets;
#[path = "integration/hostile_server.rs"]
mod hostile_server;
#[path = "integration/layers/mod.rs"]
mod layers;
#[path = "integration/netns/mod.rs"]
mod netns;
#[path = "integration/no_camera.rs"]
mod no_camera;
#[path = "integration/peer_kill.rs"]
mod peer_kill;
#[path = "integration/plain.rs"]
mod plain;
#[path = "integration/preview.rs"]
mod preview;
#[path = "integration/real_terminals/mod.rs"]
mod real_terminals;
#[path = "integration/recording.rs"]
mod recording;
#[path = "integration/repeat.rs"]
mod repeat;
#[path = "integration/schema.rs"]
mod schema;
#[path = "integration/screen_share.rs"]
mod screen_share;
#[path = "integration/selftest.rs"]
mod selftest;
#[path = "integration/server_kill.rs"]
mod server_kill;
#[path = "integration/slow_terminal.rs"]
mod slow_terminal;
#[path = "integration/sound_devices.rs"]
mod sound_devices;
#[path = "integration/switching.rs"]
mod switching;
#[path = "integration/talk.rs"]
mod talk;
#[path = "integration/terminal.rs"]
mod terminal;
#[path = "integration/tls.rs"]
mod tls;
#[path = "integration/tmux_call.rs"]
mod tmux_call;
#[path = "integration/trust.rs"]
mod trust;

//! `letsmeet serve`: the signaling server.

use std::fs;

use anyhow::{Context as _, Result};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::args::{Global, Serve};
use super::exit::Exit;
use super::failure::{Device, Signaling};
use super::output::{Line, Output, Style};
use super::setup::Ground;
use super::signals::Signals;
use crate::signaling::protocol::IceServer;
use crate::signaling::server::{self, Admit, Server};

/// Runs the command until a signal comes.
///
/// # Errors
/// Flags, files, an address that can't be bound, a store that can't be opened.
pub(super) async fn run(global: &Global, args: Serve) -> Result<Exit> {
    let ground = Ground::read(global)?;
    let server = Server::open(config(&ground, global, &args)?)?;
    let listener = TcpListener::bind(args.listen)
        .await
        .map_err(|error| Signaling::new(format!("cannot listen on {}: {error}", args.listen)))?;
    let address = listener.local_addr()?;
    let mut signals = Signals::listen()?;
    let shutdown = CancellationToken::new();
    let output = Output::new(Style::choose(false, args.headless || global.json));
    let url = format!("ws://{address}");
    output.line(&Line::Listening { url: url.clone() })?;
    output.say(&format!("Listening on {url}. Stop with Ctrl-C."))?;
    let stop = shutdown.clone();
    let serving = server.serve(listener, shutdown);
    tokio::pin!(serving);
    tokio::select! {
        result = &mut serving => result?,
        _ = signals.next() => {
            stop.cancel();
            tokio::select! {
                result = &mut serving => result?,
                _ = signals.next() => {}
            }
        }
    }
    Ok(Exit::Ok)
}

fn config(ground: &Ground, global: &Global, args: &Serve) -> Result<server::Config> {
    let data = match (&args.data, args.memory) {
        (_, true) => None,
        (Some(folder), false) => Some(folder.clone()),
        (None, false) => Some(ground.folders.data.join("server")),
    };
    if let Some(folder) = &data {
        fs::create_dir_all(folder)
            .map_err(|error| Device::new(format!("cannot make {}: {error}", folder.display())))?;
    }
    let allow = match &args.allow {
        None => Vec::new(),
        Some(path) => fs::read_to_string(path)
            .map_err(|error| Device::new(format!("cannot read {}: {error}", path.display())))?
            .lines()
            .map(|line| line.split('#').next().unwrap_or_default().trim())
            .filter(|line| !line.is_empty())
            .map(|line| line.parse::<Admit>().map_err(super::failure::Usage::new))
            .collect::<Result<_, _>>()
            .with_context(|| path.display().to_string())?,
    };
    let token = ground.token(global)?;
    let (ice_servers, minting) = ground.served_ice(&args.ice, args.turn_secret_file.as_deref())?;
    let ice_servers = ice_servers
        .into_iter()
        .map(|server| IceServer {
            urls: server.urls,
            username: server.username,
            credential: server.credential,
        })
        .collect();
    Ok(server::Config {
        data,
        allow,
        token,
        origins: args.allow_origin.clone(),
        public_host: args.public_host.clone(),
        trust_forwarded: args.trust_forwarded,
        ice_servers,
        minting,
        ..server::Config::default()
    })
}

//! `letsmeet serve`: the signaling server.

use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::args::{Global, Serve};
use super::exit::Exit;
use super::failure::{Device, Signaling, Usage};
use super::output::{Line, Output, Style};
use super::setup::Ground;
use super::signals::{Reloads, Signals};
use crate::signaling::protocol::IceServer;
use crate::signaling::server::{self, Admit, Server, Tls};

/// Runs the command until a signal comes.
///
/// # Errors
/// Flags, files, an address that can't be bound, a store that can't be opened.
pub(super) async fn run(global: &Global, args: Serve) -> Result<Exit> {
    let ground = Ground::read(global)?;
    let config = config(&ground, global, &args)?;
    let tls = config.tls.clone();
    let server = Server::open(config)?;
    let listener = TcpListener::bind(args.listen)
        .await
        .map_err(|error| Signaling::new(format!("cannot listen on {}: {error}", args.listen)))?;
    let address = listener.local_addr()?;
    let mut signals = Signals::listen()?;
    let shutdown = CancellationToken::new();
    let output = Output::new(Style::choose(false, args.headless || global.json));
    // Where a person sits at a terminal, its end is that of the server, as usual.
    let mut reloads = Reloads::listen(tls.is_some() && !io::stdin().is_terminal())?;
    let url = format!("{}://{address}", if tls.is_some() { "wss" } else { "ws" });
    output.line(&Line::Listening { url: url.clone() })?;
    output.say(&format!("Listening on {url} (Ctrl-C stops it)"))?;
    let stop = shutdown.clone();
    let serving = server.serve(listener, shutdown);
    tokio::pin!(serving);
    loop {
        tokio::select! {
            result = &mut serving => {
                result?;
                break;
            }
            () = reloads.next() => {
                if let Some(tls) = &tls {
                    tls.renew().await;
                }
            }
            _ = signals.next() => {
                stop.cancel();
                tokio::select! {
                    result = &mut serving => result?,
                    _ = signals.next() => {}
                }
                break;
            }
        }
    }
    Ok(Exit::Ok)
}

/// The certificate of flags and environment, or else of the settings file.
fn tls(ground: &Ground, args: &Serve) -> Result<Option<Tls>> {
    let file = &ground.settings.serve;
    let either = |flag: &Option<PathBuf>, file: &Option<PathBuf>| flag.clone().or_else(|| file.clone());
    match (either(&args.tls_cert, &file.tls_cert), either(&args.tls_key, &file.tls_key)) {
        (Some(certificate), Some(key)) => {
            let tls = Tls::load(certificate, key).map_err(|error| Device::new(error.to_string()))?;
            Ok(Some(tls))
        }
        (None, None) => Ok(None),
        (Some(_), None) => Err(Usage::new("--tls-cert needs the certificate's key (see: --tls-key)").into()),
        (None, Some(_)) => Err(Usage::new("--tls-key needs its certificate (see: --tls-cert)").into()),
    }
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
        tls: tls(ground, args)?,
        trust_forwarded: args.trust_forwarded,
        ice_servers,
        minting,
        ..server::Config::default()
    })
}

//! A signaling server and both ends of a call in this process: what `selftest` and `doctor` let media flow through.
//!
//! Everything between the two ends is real but the network between two machines: the same server, sessions,
//! WebRTC stack, codecs and meters. Owns how the two meet; judges nothing.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::failure::Signaling;
use super::setup::signer;
use crate::call::Timing;
use crate::identity::Identity;
use crate::media::VideoFormat;
use crate::media::spec::{AudioSpec, HearSpec, ShowSpec, VideoSpec};
use crate::rtc::{self, IcePolicy, IceServer};
use crate::session::{Alert, Command, Config, Event, Media, Session, Trust, Voice, files, report};
use crate::signaling::protocol::Name;
use crate::signaling::{client, server};

/// How the two ends are to be connected, and for how long.
#[derive(Debug, Clone)]
pub(super) struct Setup {
    /// The picture.
    pub(super) format: VideoFormat,
    /// How long media flows.
    pub(super) duration: Duration,
    /// How long connecting may take.
    pub(super) connect: Duration,
    /// STUN and TURN servers.
    pub(super) ice_servers: Vec<IceServer>,
    /// Which candidates may be used.
    pub(super) ice_policy: IcePolicy,
    /// Whose certificates are accepted.
    pub(super) authorities: Option<rtc::Trust>,
    /// A written message of the caller: it is delivered if the data channel works.
    pub(super) message: Option<&'static str>,
}

/// The signaling server, on a port of the loopback interface.
pub(super) struct Server {
    url: String,
    shutdown: CancellationToken,
    serving: JoinHandle<()>,
}

impl Server {
    /// Starts it.
    ///
    /// # Errors
    /// There is no loopback interface to listen on.
    pub(super) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .map_err(|error| Signaling::new(format!("cannot listen on the loopback interface: {error}")))?;
        let url = format!("ws://{}", listener.local_addr()?);
        let shutdown = CancellationToken::new();
        let serve = server::serve(listener, server::Config::default(), shutdown.clone());
        let serving = tokio::spawn(async move {
            if let Err(error) = serve.await {
                tracing::warn!(%error, "the embedded server");
            }
        });
        Ok(Self { url, shutdown, serving })
    }

    /// Both ends' reports of a call, the caller's first.
    ///
    /// # Errors
    /// There was no call.
    pub(super) async fn call(&self, setup: &Setup) -> Result<[Box<report::Report>; 2]> {
        let mut bob = Session::start(config(&self.url, "bob", setup)?);
        registered(&mut bob).await?;
        let mut alice = Session::start(config(&self.url, "alice", setup)?);
        registered(&mut alice).await?;
        let callee = tokio::spawn(async move {
            let report = answer(&mut bob).await;
            bob.command(Command::Quit).await;
            report
        });
        alice.command(Command::Dial { to: "bob".into() }).await;
        let caller = converse(&mut alice, setup).await?;
        alice.command(Command::Quit).await;
        Ok([caller, callee.await??])
    }

    /// Ends it with its goodbyes.
    pub(super) async fn stop(self) {
        self.shutdown.cancel();
        // It ends by itself; a panic in it was logged.
        let _ = self.serving.await;
    }
}

async fn registered(session: &mut Session) -> Result<()> {
    match session.next().await {
        Some(Event::Registered { .. }) => Ok(()),
        Some(Event::Refused { message, .. }) => Err(Signaling::new(message).into()),
        other => Err(Signaling::new(format!("no registration, but {other:?}")).into()),
    }
}

async fn converse(session: &mut Session, setup: &Setup) -> Result<Box<report::Report>> {
    let commands = session.commander().clone();
    while let Some(event) = session.next().await {
        match event {
            Event::Connected { .. } => {
                let (commands, duration, message) = (commands.clone(), setup.duration, setup.message);
                tokio::spawn(async move {
                    if let Some(text) = message {
                        commands.give(Command::Chat { text: text.to_owned() }).await;
                    }
                    tokio::time::sleep(duration).await;
                    commands.give(Command::HangUp { call: None }).await;
                });
            }
            Event::Ended { report, .. } => return Ok(report),
            _ => {}
        }
    }
    Err(Signaling::new("the caller's session ended without a report").into())
}

async fn answer(session: &mut Session) -> Result<Box<report::Report>> {
    while let Some(event) = session.next().await {
        match event {
            Event::Incoming { call, .. } => session.command(Command::Accept { call: Some(call) }).await,
            Event::Ended { report, .. } => return Ok(report),
            _ => {}
        }
    }
    Err(Signaling::new("the callee's session ended without a report").into())
}

fn config(server: &str, name: &str, setup: &Setup) -> Result<Config> {
    let identity = Arc::new(Identity::ephemeral()?);
    Ok(Config {
        signaling: client::Config::new(
            server.parse().map_err(|error| Signaling::new(format!("{server}: {error}")))?,
            Name::new(name).map_err(|error| Signaling::new(error.to_string()))?,
            signer(&identity),
        ),
        identity,
        trust: Trust::default(),
        media: Media {
            video: VideoSpec::Pattern(None),
            audio: AudioSpec::Tone(None),
            show: ShowSpec::Null,
            hear: HearSpec::Null,
            format: setup.format,
            video_bitrate: None,
            audio_bitrate: 48_000,
            max_bitrate: None,
            forgiving: false,
            push_to_talk: false,
            alert: Alert::default(),
            echo: None,
            voice: Voice::default(),
            record: None,
            recordings: PathBuf::new(),
            monitor: None,
        },
        files: files::Settings {
            folder: std::env::temp_dir(),
            policy: files::Policy::Decline,
            max_size: 0,
            only: false,
        },
        ice_servers: setup.ice_servers.clone(),
        authorities: setup.authorities.clone(),
        ice_policy: setup.ice_policy,
        timing: Timing { connect: setup.connect, ..Timing::default() },
    })
}

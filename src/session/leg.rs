//! One call's peer connection and media engine, owned by one task.
//!
//! Driven by the session's actor through [`LegCommand`]s; tells it what happened by [`LegEvent`]s. Owns the
//! order in which descriptions, candidates and media may move on the peer's side; knows nothing about why.
//! The actor stays free of everything that takes time: files are opened, keys are made and pictures
//! are flushed in here.

mod alert;
mod echo;
mod files;
mod media;
mod network;
mod room;
mod talk;
mod tape;
mod window;
mod words;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};

use self::echo::Echoing;
pub(super) use self::files::FileOrder;
use self::files::Files;
use self::media::{Known, Tried};
pub(super) use self::media::{Opened, Reply, Switch};
use self::network::Network;
use self::room::Room;
use self::talk::Talk;
use self::tape::Tape;
use self::window::Window;
pub(super) use self::words::{LegCommand, LegEvent, LegSetup};
use super::config::{Media, Missing};
use super::control::Message;
use super::{chat, notices};
use crate::call::{CallId, JsepRole};
use crate::media::alert::{Change, Tell};
use crate::media::device::{Notice, Notices};
use crate::media::pipeline::{Engine, Kind, Stats};
use crate::media::record::Recorded;
use crate::media::{Error, Monitor};
use crate::rtc::{self, PathStats, Peer};

/// Commands waiting for a leg. Descriptions and candidates of one call fit many times over. When it is full,
/// which only a flood of candidates can bring about, the command is dropped and logged; a close then takes
/// effect by the queue's end. The actor never waits for a leg, because the leg may be waiting for it.
const COMMANDS: usize = 256;

/// How often figures are read and fed back to the encoder.
const TICK: Duration = Duration::from_secs(1);

/// The actor's end of a leg. Dropping it closes the leg without a goodbye.
pub(super) struct Leg {
    /// `None` once the leg was told to close.
    commands: Option<mpsc::Sender<LegCommand>>,
}

impl Leg {
    /// Starts the task. Events carry the call's id, because a leg that closes may overlap with the next.
    pub(super) fn spawn(setup: LegSetup, events: mpsc::Sender<(CallId, LegEvent)>) -> Self {
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let out = Out { call: setup.call, events };
        let body = tokio::spawn({
            let out = out.clone();
            async move { run(setup, inbox, &out).await }
        });
        tokio::spawn(async move {
            let figures = match body.await {
                Ok(figures) => figures,
                Err(_) => {
                    out.send(LegEvent::MediaFailed("the call's own task failed".into())).await;
                    Figures::default()
                }
            };
            // Comes in any case: the actor waits for it.
            out.send(LegEvent::Closed(figures)).await;
        });
        Self { commands: Some(commands) }
    }

    /// Hands over a command, or drops it when the leg is closing or its queue is full.
    pub(super) fn send(&mut self, command: LegCommand) {
        let closing = matches!(command, LegCommand::Close { .. });
        if let Some(commands) = &self.commands
            && let Err(error) = commands.try_send(command)
        {
            // A leg that ends by itself hears nothing more; a full queue is worth a warning.
            match error {
                TrySendError::Closed(_) => tracing::debug!("a command came after the end of the call's leg"),
                TrySendError::Full(_) => tracing::warn!("the call's leg has too many commands waiting"),
            }
        }
        if closing {
            self.commands = None;
        }
    }
}

#[derive(Clone)]
struct Out {
    call: CallId,
    events: mpsc::Sender<(CallId, LegEvent)>,
}

impl Out {
    /// Waits for room: the actor reads this channel in every state. When the actor is gone nobody cares.
    async fn send(&self, event: LegEvent) {
        let _ = self.events.send((self.call, event)).await;
    }
}

/// What a leg leaves behind.
#[derive(Debug, Default)]
pub(super) struct Figures {
    /// The media of both directions.
    pub(super) media: Option<Box<Stats>>,
    /// The path.
    pub(super) path: Option<Box<PathStats>>,
    /// The last recording.
    pub(super) recorded: Option<Recorded>,
}

async fn run(setup: LegSetup, mut inbox: mpsc::Receiver<LegCommand>, out: &Out) -> Figures {
    // Who is called opens nothing, neither files nor devices nor sockets, before it has accepted.
    let mut early = Vec::new();
    if setup.role == JsepRole::Answerer && !accepted(&mut inbox, &mut early).await {
        return Figures::default();
    }
    let (notices, noticed) = notices::channel();
    let (watch, watched) = alert::channel();
    let (media, tell) = (setup.media.clone(), notices.clone());
    let echoing = Echoing::new(&setup.media);
    let prepared = tokio::task::spawn_blocking(move || {
        let (sinks, missing) = media.open_sinks(&tell)?;
        Engine::prepare(echoing.listen(sinks)).map(|prepared| (prepared, missing, echoing))
    });
    let (engine, inlet, missing, echoing) = match prepared.await {
        Ok(Ok(((engine, inlet), missing, echoing))) => (Arc::new(engine), inlet, missing, echoing),
        Ok(Err(error)) => {
            out.send(LegEvent::MediaFailed(error.to_string())).await;
            return Figures::default();
        }
        Err(_) => {
            out.send(LegEvent::MediaFailed("the media engine could not be started".into())).await;
            return Figures::default();
        }
    };
    engine.set_voice(setup.media.voice);
    // A film takes long to open next to finding a path, so both go on at once. Who is called learns from the offer whether there is
    // to be media at all: no camera goes on for a file.
    let sources = match setup.role {
        JsepRole::Offerer => Sources::open(&setup.media, &engine, &notices),
        JsepRole::Answerer => Sources::Unasked,
    };
    let sections = setup.rtc.audio || setup.rtc.video;
    match Peer::new(setup.rtc, Arc::new(inlet)).await {
        Ok((peer, events)) => {
            let mut running = Running {
                peer,
                engine,
                events,
                out,
                role: setup.role,
                offered: None,
                sources,
                network: Network::new(),
                restarts: false,
                answering: None,
                next_offer: None,
                wanted: false,
                failures_told: 0,
                room: Room::default(),
                data_open: false,
                talk: Talk::new(setup.away),
                tape: Tape::new(setup.record),
                monitor: setup.media.monitor.clone(),
                known: Known::new(setup.media),
                echoing,
                opening: JoinSet::new(),
                window: Window::default(),
                notices,
                noticed,
                files: Files::new(setup.files, setup.peer),
                sections,
                watch,
                watched,
                alerts: 0,
                covered: false,
            };
            if running.known.media.alert.on {
                running.alert(true).await;
            }
            running.engine.set_muted(Kind::Audio, running.known.muted[Kind::Audio as usize]);
            running.do_without(missing.into_iter().collect()).await;
            running.run(&mut inbox, early).await
        }
        Err(error) => {
            out.send(LegEvent::NoPath(error.to_string())).await;
            Figures { media: stop(engine).await, ..Figures::default() }
        }
    }
}

/// Waits for consent; false when the call ended first. What was asked for before it is kept for afterwards.
async fn accepted(inbox: &mut mpsc::Receiver<LegCommand>, early: &mut Vec<LegCommand>) -> bool {
    loop {
        match inbox.recv().await {
            Some(LegCommand::Negotiate) => return true,
            Some(LegCommand::Close { .. }) | None => return false,
            Some(
                command @ (LegCommand::Mute(..)
                | LegCommand::Switch(..)
                | LegCommand::Record(..)
                | LegCommand::Window(_)
                | LegCommand::Alert(_)
                | LegCommand::File(..)
                | LegCommand::Chat(_)
                | LegCommand::Sign(_)),
            ) if early.len() < COMMANDS => early.push(command),
            Some(_) => {}
        }
    }
}

/// Flushing a film to disk blocks, so it happens off the runtime's threads.
async fn stop(engine: Arc<Engine>) -> Option<Box<Stats>> {
    tokio::task::spawn_blocking(move || engine.stop()).await.ok().map(Box::new)
}

/// What will be sent.
enum Sources {
    /// The offer is not there yet.
    Unasked,
    Opening(JoinHandle<Result<Vec<Missing>, Error>>),
    Ready,
    Failed,
}

impl Sources {
    /// Begins to open them.
    fn open(media: &Media, engine: &Arc<Engine>, notices: &Notices) -> Self {
        let (media, engine, tell) = (media.clone(), Arc::clone(engine), notices.clone());
        Self::Opening(tokio::task::spawn_blocking(move || {
            let (sources, missing) = media.open_sources(&tell)?;
            engine.attach(sources).map(|()| missing)
        }))
    }

    /// The outcome of opening them, once, with what is done without; pending at any other time.
    async fn opened(&mut self) -> Result<Vec<Missing>, String> {
        let Self::Opening(task) = self else {
            return std::future::pending().await;
        };
        let outcome = match task.await {
            Ok(outcome) => outcome.map_err(|error| error.to_string()),
            Err(_) => Err("the sources could not be opened".into()),
        };
        *self = if outcome.is_ok() { Self::Ready } else { Self::Failed };
        outcome
    }
}

struct Running<'a> {
    peer: Peer,
    engine: Arc<Engine>,
    events: mpsc::Receiver<rtc::Event>,
    out: &'a Out,
    role: JsepRole,
    /// The offerer's description, made while the other side still rings.
    offered: Option<String>,
    sources: Sources,
    /// What the path lies on.
    network: Network,
    /// The description that is being sent restarts ICE.
    restarts: bool,
    /// The offer whose answer is being sent, and another one that came meanwhile.
    answering: Option<String>,
    next_offer: Option<String>,
    /// Media may flow as soon as the sources are open.
    wanted: bool,
    failures_told: usize,
    /// Whether it was told that the picture has no room.
    room: Room,
    /// The control channel carries messages.
    data_open: bool,
    /// What is written and shown over it.
    talk: Talk,
    tape: Tape,
    /// The screen, if there is one.
    monitor: Option<Arc<Monitor>>,
    /// What is known of both sides' media.
    known: Known,
    /// What goes back as it came.
    echoing: Echoing,
    /// What will be sent or played instead of what is now.
    opening: JoinSet<Tried>,
    /// What the screen can draw.
    window: Window,
    /// Where devices tell what happens to them.
    notices: Notices,
    /// What they told.
    noticed: mpsc::Receiver<Notice>,
    /// What is sent and received besides.
    files: Files,
    /// Media is negotiated at all.
    sections: bool,
    /// Where whoever looks at our face tells what it sees.
    watch: Tell,
    /// What it told.
    watched: mpsc::Receiver<Change>,
    /// Hands on the face so far.
    alerts: u64,
    /// The last that was told is that one is there.
    covered: bool,
}

impl Running<'_> {
    async fn run(mut self, inbox: &mut mpsc::Receiver<LegCommand>, early: Vec<LegCommand>) -> Figures {
        for command in early {
            self.command(command).await;
        }
        if self.role == JsepRole::Offerer {
            match self.peer.offer(false).await {
                Ok(sdp) => self.offered = Some(sdp),
                Err(error) => self.out.send(LegEvent::MediaFailed(format!("no offer: {error}"))).await,
            }
        }
        let mut tick = interval_at(Instant::now() + TICK, TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let goodbye = loop {
            self.files.set_media(self.sections && self.known.is_anything_on());
            tokio::select! {
                command = inbox.recv() => match command {
                    Some(LegCommand::Close { goodbye }) => break goodbye,
                    Some(command) => self.command(command).await,
                    None => break false,
                },
                Some(event) = self.events.recv() => self.event(event).await,
                opened = self.sources.opened() => match opened {
                    Ok(missing) => {
                        self.do_without(missing).await;
                        self.start_if_ready().await;
                    }
                    Err(why) => self.out.send(LegEvent::MediaFailed(why)).await,
                },
                Some(tried) = self.opening.join_next() => match tried {
                    Ok(tried) => self.switched(tried).await,
                    Err(_) => self.out.send(LegEvent::Rejected("the source could not be opened".into())).await,
                },
                Some(()) = self.echoing.begun() => self.send_back(),
                step = self.tape.next() => self.recording(step).await,
                Some(notice) = self.noticed.recv() => {
                    self.out.send(LegEvent::Notice(notice.to_string())).await;
                }
                Some(change) = self.watched.recv() => self.alerted(change).await,
                () = at(self.window.deadline(Instant::now())), if self.data_open => {
                    if let Some(limit) = self.window.take(Instant::now()) {
                        self.say(Message::Window(limit)).await;
                    }
                }
                change = self.network.changed(&self.peer, self.known.hears()), if self.wanted => {
                    self.out.send(change.into()).await;
                }
                _ = tick.tick(), if self.wanted => self.feed_back().await,
            }
        };
        let path = Some(Box::new(self.peer.stats()));
        // What comes during the goodbyes is no part of the call.
        self.engine.set_record(None);
        let recorded = tokio::spawn(self.tape.close(self.wanted));
        self.files.close().await;
        // The goodbye leaves before the sinks are flushed, so that the other side is not kept waiting.
        self.peer.close(goodbye).await;
        let monitor = self.monitor.take();
        let figures = stop(self.engine).await;
        if let Some(monitor) = monitor {
            monitor.clear();
        }
        Figures { media: figures, path, recorded: recorded.await.ok().flatten() }
    }

    /// Answers an offer, and hands the answer over before it is applied.
    async fn answer(&mut self, offer: String) {
        self.offered_media(&offer).await;
        match self.peer.answer(&offer).await {
            Ok(sdp) => {
                self.answering = Some(offer);
                self.out.send(LegEvent::Described { offer: false, sdp }).await;
            }
            Err(error) => self.refused(&error).await,
        }
    }

    /// Takes pictures off the screen that nobody sends any more.
    fn unwatch(&self, forget: impl Fn(&Monitor)) {
        if let Some(monitor) = &self.monitor {
            forget(monitor);
        }
    }

    async fn command(&mut self, command: LegCommand) {
        match command {
            LegCommand::Negotiate => {
                if let Some(sdp) = self.offered.take() {
                    self.out.send(LegEvent::Described { offer: true, sdp }).await;
                }
            }
            // A restart gives the old path up, which it does only once the other side has answered.
            LegCommand::Described if std::mem::take(&mut self.restarts) => {}
            LegCommand::Described => {
                self.check(self.peer.apply_local().await).await;
                self.answering = None;
                if let Some(sdp) = self.next_offer.take() {
                    self.answer(sdp).await;
                }
            }
            // An offer that is repeated has its answer on the way; another one waits until that has been applied here.
            LegCommand::Remote { offer: true, sdp } => match &self.answering {
                Some(answering) if *answering == sdp => self.next_offer = None,
                Some(_) => self.next_offer = Some(sdp),
                None => self.answer(sdp).await,
            },
            LegCommand::Remote { offer: false, sdp } => self.check(self.peer.accept_answer(&sdp).await).await,
            LegCommand::Candidate(candidate) => self.check(self.peer.add_candidate(candidate).await).await,
            LegCommand::StartMedia => {
                self.wanted = true;
                self.start_if_ready().await;
                self.begin_recording();
            }
            // An offer that restarts it is on its way already.
            LegCommand::RestartIce if self.restarts => {}
            LegCommand::RestartIce => match self.peer.offer(true).await {
                Ok(sdp) => {
                    self.restarts = true;
                    self.out.send(LegEvent::Described { offer: true, sdp }).await;
                }
                Err(error) => self.refused(&error).await,
            },
            LegCommand::Mute(kind, muted) => self.mute(kind, muted).await,
            LegCommand::Switch(switch, reply) => self.switch(switch, reply).await,
            LegCommand::Record(take, reply) => self.record(take, reply).await,
            LegCommand::Alert(on) => self.alert(on).await,
            LegCommand::Window(limit) => self.window.is(limit),
            LegCommand::Chat(text) => self.chat(text).await,
            LegCommand::Sign(sign) => self.show(sign).await,
            LegCommand::File(order, reply) => {
                if let Err(reply) = self.files.order(order, reply) {
                    self.decline(reply, "too much is asked about files at once".to_owned()).await;
                }
            }
            LegCommand::Close { .. } => {}
        }
    }

    async fn start_if_ready(&mut self) {
        if self.wanted
            && matches!(self.sources, Sources::Ready)
            && let Err(error) = self.engine.start_sending(self.peer.outlet())
        {
            self.out.send(LegEvent::MediaFailed(error.to_string())).await;
        }
    }

    async fn event(&mut self, event: rtc::Event) {
        let told = match event {
            rtc::Event::LocalCandidate(candidate) => LegEvent::Candidate(candidate),
            rtc::Event::Connected => LegEvent::Connected,
            rtc::Event::Disconnected => LegEvent::LinkDown,
            rtc::Event::Restored => LegEvent::LinkUp,
            rtc::Event::Failed => LegEvent::LinkFailed,
            rtc::Event::Goodbye => LegEvent::Goodbye,
            rtc::Event::Data { bytes, .. } => match (Message::parse(&bytes), chat::parse(&bytes)) {
                (Some(message), _) => return self.told(message).await,
                (None, Some(text)) => return self.written(text).await,
                // Of a later version, or nonsense; either way nothing that this side could act on.
                (None, None) => {
                    return tracing::debug!("a message of the other side is unknown and was dropped");
                }
            },
            rtc::Event::DataOpen => {
                self.data_open = true;
                self.files.open(self.peer.bulk(), self.peer.take_bulk_messages(), self.out);
                self.say_everything().await;
                self.begin_recording();
                return self.speak().await;
            }
            rtc::Event::GatheringDone => return,
        };
        self.out.send(told).await;
    }

    /// Reads the figures, tells them, and lets the encoder know how the path is.
    async fn feed_back(&mut self) {
        let path = self.peer.stats();
        if let Some(rtt) = path.rtt {
            self.engine.set_rtt(rtt.p50, path.latest_rtt.unwrap_or(rtt.p50));
        }
        if let Some(audio) = path.audio.remote {
            self.engine.set_expected_loss(audio.fraction_lost);
        }
        let media = Box::new(self.engine.snapshot());
        for failure in media.failures.iter().skip(self.failures_told) {
            self.out.send(LegEvent::Notice(failure.message.clone())).await;
        }
        self.failures_told = media.failures.len();
        if let Some(text) = self.room.look(media.video_sent.held, path.bytes_received) {
            self.out.send(LegEvent::Notice(text.to_owned())).await;
        }
        self.out.send(LegEvent::Stats(media, Box::new(path))).await;
    }

    async fn check(&self, result: Result<(), rtc::Error>) {
        if let Err(error) = result {
            self.refused(&error).await;
        }
    }

    async fn refused(&self, error: &rtc::Error) {
        self.out.send(LegEvent::Refused(error.to_string())).await;
    }
}

/// Never, without a time.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

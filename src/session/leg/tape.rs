//! The recording of a leg's call: from the wish to the finished file.
//!
//! Owns the order that consent needs: nothing is recorded before the other side was told. The file is opened and completed off the
//! runtime's threads. Must not know what is in a recording.

use std::path::PathBuf;

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use super::super::control::Message;
use super::super::recording::Take;
use super::{LegEvent, Reply, Running};
use crate::media::Error;
use crate::media::record::{Recorded, Recorder};

/// Troubles of a recorder waiting for the leg: there are two kinds of them, each told once. More are dropped.
const TROUBLES: usize = 4;

/// The recording, and what became of the last one.
pub(super) struct Tape {
    state: State,
    done: Option<Recorded>,
    /// The recorder failed before it was heard that it had begun.
    broken: bool,
    trouble: mpsc::Sender<(String, bool)>,
    troubles: mpsc::Receiver<(String, bool)>,
}

#[derive(Default)]
enum State {
    #[default]
    Off,
    /// Until the other side can be told.
    Waiting(Take, Reply),
    Opening(JoinHandle<Result<Recorder, Error>>, PathBuf, Reply),
    On(Recorder),
    Ending(JoinHandle<Recorded>, Reply),
}

/// Something happened to a recording.
pub(super) enum Step {
    Opened(Result<Recorder, String>, PathBuf, Reply),
    /// A sentence, and whether the recording has ended with it.
    Trouble(String, bool),
    Ended(Option<Recorded>, Reply),
}

impl Tape {
    /// A call begins, perhaps one that is to be recorded.
    pub(super) fn new(take: Option<Take>) -> Self {
        let (trouble, troubles) = mpsc::channel(TROUBLES);
        let state = take.map_or(State::Off, |take| State::Waiting(take, None));
        Self { state, done: None, broken: false, trouble, troubles }
    }

    /// What happens next; pending while nothing is recorded.
    pub(super) async fn next(&mut self) -> Step {
        tokio::select! {
            Some((text, ended)) = self.troubles.recv() => Step::Trouble(text, ended),
            step = work(&mut self.state) => step,
        }
    }

    /// Completes what is recorded, with nothing more in it, and says what the last recording was. A call that was `up` and still
    /// waited to be recorded says so.
    pub(super) async fn close(mut self, up: bool) -> Option<Recorded> {
        let (recorder, reply) = match std::mem::take(&mut self.state) {
            State::Off => (None, None),
            State::Waiting(take, reply) => {
                if up && reply.is_none() {
                    let why = "the call was over before the other side could be told";
                    self.done = Some(Recorded::failed(take.path, why.to_owned()));
                }
                (None, reply)
            }
            State::Opening(task, _, reply) => (task.await.ok().and_then(Result::ok), reply),
            State::On(recorder) => (Some(recorder), None),
            State::Ending(task, reply) => {
                self.done = task.await.ok().or(self.done);
                (None, reply)
            }
        };
        if let Some(reply) = reply {
            // Whoever asked may have gone.
            let _ = reply.send(Err("the call is over".to_owned()));
        }
        match recorder {
            Some(recorder) => spawn_blocking(move || recorder.finish()).await.ok().or(self.done),
            None => self.done,
        }
    }
}

async fn work(state: &mut State) -> Step {
    match state {
        State::Opening(task, ..) => {
            let outcome = match task.await {
                Ok(outcome) => outcome.map_err(|error| error.to_string()),
                Err(_) => Err("the recording could not be begun".to_owned()),
            };
            match std::mem::take(state) {
                State::Opening(_, path, reply) => Step::Opened(outcome, path, reply),
                _ => Step::Ended(None, None),
            }
        }
        State::Ending(task, _) => {
            let recorded = task.await.ok();
            match std::mem::take(state) {
                State::Ending(_, reply) => Step::Ended(recorded, reply),
                _ => Step::Ended(recorded, None),
            }
        }
        State::Off | State::Waiting(..) | State::On(_) => std::future::pending().await,
    }
}

impl Running<'_> {
    /// Begins a recording, or ends the one that is.
    pub(super) async fn record(&mut self, take: Option<Take>, reply: Reply) {
        match (take, std::mem::take(&mut self.tape.state)) {
            (Some(take), State::Off) => {
                self.tape.state = State::Waiting(take, reply);
                self.begin_recording();
            }
            (None, State::On(recorder)) => self.end_recording(recorder, reply).await,
            (None, State::Waiting(_, asked)) => {
                for (who, outcome) in [(asked, Err("it was called off".to_owned())), (reply, Ok(()))] {
                    // Whoever asked may have gone.
                    who.map(|who| who.send(outcome));
                }
            }
            (wish, other) => {
                let why = match (wish, &other) {
                    (None, State::Off) => "nothing is recorded",
                    (None, _) => "the recording is just beginning or ending",
                    (Some(_), State::Ending(..)) => "the last recording is just being completed",
                    (Some(_), _) => "the call is recorded already",
                };
                self.tape.state = other;
                self.decline(reply, why.to_owned()).await;
            }
        }
    }

    /// Opens the file once media may flow and the other side can be told.
    pub(super) fn begin_recording(&mut self) {
        if !(self.wanted && self.data_open) {
            return;
        }
        match std::mem::take(&mut self.tape.state) {
            State::Waiting(take, reply) => {
                let (path, trouble) = (take.free(), self.tape.trouble.clone());
                let file = path.clone();
                let task = spawn_blocking(move || {
                    if let Some(folder) = file.parent().filter(|_| !take.replace) {
                        std::fs::create_dir_all(folder)
                            .map_err(|error| Error::open(format!("\"{}\"", folder.display()), error))?;
                    }
                    let tell = move |text, ended| {
                        // Full or closed: nobody is to wait for it.
                        let _ = trouble.try_send((text, ended));
                    };
                    Recorder::start(&file, take.replace, Box::new(tell))
                });
                self.tape.state = State::Opening(task, path, reply);
            }
            other => self.tape.state = other,
        }
    }

    /// What happened to a recording, told to both sides.
    pub(super) async fn recording(&mut self, step: Step) {
        match step {
            Step::Opened(Ok(recorder), path, reply) => {
                self.say(Message::Recording(true)).await;
                self.engine.set_record(Some(recorder.tap()));
                let path = Some(path);
                self.out.send(LegEvent::Recording { remote: false, on: true, path }).await;
                // Whoever asked may have gone.
                reply.map(|reply| reply.send(Ok(())));
                if std::mem::take(&mut self.tape.broken) {
                    self.end_recording(recorder, None).await;
                } else {
                    self.tape.state = State::On(recorder);
                }
            }
            Step::Opened(Err(why), path, Some(reply)) => {
                tracing::debug!(path = %path.display(), "no recording: {why}");
                self.decline(Some(reply), why).await;
            }
            Step::Opened(Err(why), path, None) => {
                self.out.send(LegEvent::Notice(format!("nothing is recorded: {why}"))).await;
                self.tape.done = Some(Recorded::failed(path, why));
            }
            Step::Trouble(text, ended) => {
                self.out.send(LegEvent::Notice(text)).await;
                if ended {
                    match std::mem::take(&mut self.tape.state) {
                        State::On(recorder) => self.end_recording(recorder, None).await,
                        other => {
                            self.tape.broken = matches!(other, State::Opening(..));
                            self.tape.state = other;
                        }
                    }
                }
            }
            Step::Ended(recorded, reply) => {
                let path = recorded.as_ref().map(|recorded| recorded.path.clone());
                self.tape.done = recorded.or(self.tape.done.take());
                self.out.send(LegEvent::Recording { remote: false, on: false, path }).await;
                // Whoever asked may have gone.
                reply.map(|reply| reply.send(Ok(())));
            }
        }
    }

    async fn end_recording(&mut self, recorder: Recorder, reply: Reply) {
        self.engine.set_record(None);
        self.say(Message::Recording(false)).await;
        self.tape.state = State::Ending(spawn_blocking(move || recorder.finish()), reply);
    }
}

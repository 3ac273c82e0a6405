//! Every transfer of a call: what is offered, agreed on, under way and over, each way.
//!
//! Pure: no clock, no disk, no channel. Takes what the other side says, what the person wants and what became of work on the disk;
//! answers with effects, to be carried out in order. What makes no sense is ignored, what breaks an agreement ends that transfer and
//! no other. Numbers that people and scripts see are counted here, for both directions together.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::wire::{Chunk, Message};
use super::{About, Hash, Why, name};

/// Transfers of each direction that are not over. The next offer is refused.
const AT_ONCE: usize = 8;

/// A transfer of which nothing arrives for so long is given up.
const STALLED: Duration = Duration::from_secs(120);

/// What is done with an offer of the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// A person or a script is asked.
    #[default]
    Ask,
    /// It is accepted.
    Accept,
    /// It is declined.
    Decline,
}

/// What is accepted at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// What is done with an offer.
    pub policy: Policy,
    /// The largest file, bytes.
    pub max_size: u64,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Tell the other side.
    Say(Message),
    /// Compare the source of a transfer with what the other side has of it, then begin: answered by [`Desk::began`].
    Begin {
        /// Ours.
        number: u32,
        /// The number for chunks.
        id: u32,
        /// What is there, bytes.
        from: u64,
        /// Its hash.
        prefix: Hash,
    },
    /// Everything before `upto` has arrived: more may follow.
    Moved {
        /// Ours.
        number: u32,
        /// Up to there.
        upto: u64,
        /// Since the last time.
        bytes: u64,
    },
    /// The source of a transfer is not needed any more.
    Release(u32),
    /// Open the part file: answered by [`Desk::prepared`].
    Prepare(u32, About),
    /// Forget what is in the part file.
    Restart(u32),
    /// Append to the part file: answered by [`Desk::written`].
    Write(u32, Chunk),
    /// Make the part file the file: answered by [`Desk::kept`].
    Keep(u32, Hash),
    /// Let go of the part file, and remove it if so.
    Close(u32, bool),
    /// Tell the front end.
    Tell {
        /// The transfer.
        number: u32,
        /// True when the other side sends it.
        remote: bool,
        /// The file.
        about: About,
        /// What happened.
        moment: Moment,
    },
}

/// What happened to a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moment {
    /// It waits for an answer.
    Offered,
    /// It was accepted, and goes on from this byte.
    Started(u64),
    /// So many bytes are there.
    Progress(u64),
    /// It is whole and has this hash; where it is kept, on the receiving side.
    Done(Hash, Option<PathBuf>),
    /// It came to nothing.
    Failed(Why),
}

#[derive(Debug)]
struct Outgoing {
    number: u32,
    about: About,
    state: Out,
}

#[derive(Debug, PartialEq, Eq)]
enum Out {
    Offered,
    /// The source is compared with what the other side has.
    Beginning(u64),
    /// Up to here it is known to have arrived; the hash once all was read.
    Sending(u64, Option<Hash>),
}

#[derive(Debug)]
struct Incoming {
    number: u32,
    about: About,
    state: In,
    /// When something last came of it.
    seen: Duration,
}

#[derive(Debug, PartialEq, Eq)]
enum In {
    Offered,
    /// The part file is opened.
    Preparing,
    /// We have said what we have.
    Accepted(u64),
    /// The next byte is this one.
    Receiving(u64),
    Keeping(Hash),
}

/// The transfers of a call.
#[derive(Debug)]
pub struct Desk {
    limits: Limits,
    numbers: u32,
    ids: u32,
    outgoing: BTreeMap<u32, Outgoing>,
    incoming: BTreeMap<u32, Incoming>,
}

impl Desk {
    /// Without any transfer.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, numbers: 0, ids: 0, outgoing: BTreeMap::new(), incoming: BTreeMap::new() }
    }

    /// Offers a file of ours; says its number.
    ///
    /// # Errors
    /// There are too many already.
    pub fn offer(&mut self, about: About) -> Result<(u32, Vec<Effect>), String> {
        if self.outgoing.len() >= AT_ONCE {
            return Err(format!("{AT_ONCE} files are offered or sent already"));
        }
        self.numbers += 1;
        self.ids = self.ids.wrapping_add(1);
        let outgoing = Outgoing { number: self.numbers, about: about.clone(), state: Out::Offered };
        let effects = vec![Effect::Say(Message::Offer(self.ids, about)), outgoing.tell(Moment::Offered)];
        self.outgoing.insert(self.ids, outgoing);
        Ok((self.numbers, effects))
    }

    /// Accepts an offer of the other side.
    ///
    /// # Errors
    /// There is none of this number.
    pub fn accept(&mut self, number: u32) -> Result<Vec<Effect>, String> {
        let incoming = self.incoming.values_mut().find(|incoming| incoming.number == number);
        let offered = incoming.filter(|incoming| incoming.state == In::Offered);
        Ok(vec![offered.ok_or_else(|| none(number))?.prepare()])
    }

    /// Declines an offer of the other side.
    ///
    /// # Errors
    /// There is none of this number.
    pub fn decline(&mut self, number: u32) -> Result<Vec<Effect>, String> {
        let offered = |incoming: &Incoming| incoming.number == number && incoming.state == In::Offered;
        let id = self.incoming.iter().find(|(_, incoming)| offered(incoming)).map(|(id, _)| *id);
        Ok(self.refuse(id.ok_or_else(|| none(number))?, Why::Declined, false))
    }

    /// Ends a transfer of either direction.
    ///
    /// # Errors
    /// There is none of this number.
    pub fn cancel(&mut self, number: u32) -> Result<Vec<Effect>, String> {
        if let Some(id) = self.id_of_outgoing(number) {
            return Ok(self.withdraw(id, Why::Cancelled));
        }
        match self.id_of_incoming(number) {
            Some(id) => Ok(self.refuse(id, Why::Cancelled, true)),
            None => Err(none(number)),
        }
    }

    /// The oldest offer of the other side that waits for an answer.
    #[must_use]
    pub fn oldest_offer(&self) -> Option<u32> {
        let offered = self.incoming.values().filter(|incoming| incoming.state == In::Offered);
        offered.map(|incoming| incoming.number).min()
    }

    /// Something was said on the channel.
    pub fn message(&mut self, message: Message, now: Duration) -> Vec<Effect> {
        match message {
            Message::Offer(id, about) => self.offered(id, about, now),
            Message::Accept(id, from, prefix) => self.accepted(id, from, prefix),
            Message::Begin(id, from) => self.begins(id, from, now),
            Message::Got(id, upto) => self.got(id, upto),
            Message::End(id, hash) => self.ends(id, hash),
            Message::Done(id) => self.done(id),
            Message::Withdraw(id, why) => {
                // What the sender has changed is of no use; after a person's no neither is the rest.
                let remove = matches!(why, Why::Changed | Why::Cancelled | Why::Broken);
                self.drop_incoming(id, why, remove)
            }
            Message::Refuse(id, why) => match self.outgoing.remove(&id) {
                Some(outgoing) => vec![Effect::Release(outgoing.number), outgoing.tell(Moment::Failed(why))],
                None => Vec::new(),
            },
        }
    }

    /// Bytes of a file came.
    pub fn chunk(&mut self, chunk: Chunk, now: Duration) -> Vec<Effect> {
        let Some(incoming) = self.incoming.get_mut(&chunk.id) else {
            return Vec::new();
        };
        match &mut incoming.state {
            In::Receiving(next)
                if *next == chunk.at && chunk.data.len() as u64 <= incoming.about.size - *next =>
            {
                *next += chunk.data.len() as u64;
                incoming.seen = now;
                vec![Effect::Write(incoming.number, chunk)]
            }
            // Sent before the other side heard that we gave it up, and its number was used again.
            In::Offered | In::Preparing => Vec::new(),
            In::Accepted(_) | In::Receiving(_) | In::Keeping(_) => self.refuse(chunk.id, Why::Broken, true),
        }
    }

    /// The part file is open and holds this, or can't be had.
    pub fn prepared(&mut self, number: u32, outcome: Result<(u64, Hash), Why>) -> Vec<Effect> {
        let Some((id, incoming)) = self.incoming_of(number) else {
            return Vec::new();
        };
        match outcome {
            Ok((from, prefix)) => {
                incoming.state = In::Accepted(from);
                vec![Effect::Say(Message::Accept(id, from, prefix))]
            }
            Err(why) => self.refuse(id, why, false),
        }
    }

    /// Everything before `upto` is in the part file.
    pub fn written(&mut self, number: u32, upto: u64, now: Duration) -> Vec<Effect> {
        let Some((id, incoming)) = self.incoming_of(number) else {
            return Vec::new();
        };
        incoming.seen = now;
        let progress = incoming.tell(Moment::Progress(upto));
        vec![Effect::Say(Message::Got(id, upto)), progress]
    }

    /// The file is there, or could not be kept or written. A part file that could not be written stays for another time.
    pub fn kept(&mut self, number: u32, outcome: Result<PathBuf, Why>) -> Vec<Effect> {
        let Some(id) = self.id_of_incoming(number) else {
            return Vec::new();
        };
        let state = self.incoming.get(&id).map(|incoming| &incoming.state);
        match (outcome, state) {
            (Err(why), _) => self.refuse(id, why, false),
            (Ok(path), Some(In::Keeping(hash))) => {
                let done = Moment::Done(*hash, Some(path));
                let told = self.incoming.remove(&id).map(|incoming| incoming.tell(done));
                let said = [Effect::Close(number, false), Effect::Say(Message::Done(id))];
                said.into_iter().chain(told).collect()
            }
            (Ok(_), _) => Vec::new(),
        }
    }

    /// Our source was compared with what the other side has: it is sent from here on.
    pub fn began(&mut self, number: u32, from: u64) -> Vec<Effect> {
        let Some((id, outgoing)) = self.outgoing_of(number) else {
            return Vec::new();
        };
        outgoing.state = Out::Sending(from, None);
        let started = outgoing.tell(Moment::Started(from));
        vec![Effect::Say(Message::Begin(id, from)), started, Effect::Moved { number, upto: from, bytes: 0 }]
    }

    /// Our source was read to its end.
    pub fn read(&mut self, number: u32, hash: Hash) {
        if let Some((_, outgoing)) = self.outgoing_of(number)
            && let Out::Sending(_, read) = &mut outgoing.state
        {
            *read = Some(hash);
        }
    }

    /// Our source can't be sent.
    pub fn unsent(&mut self, number: u32, why: Why) -> Vec<Effect> {
        match self.id_of_outgoing(number) {
            Some(id) => self.withdraw(id, why),
            None => Vec::new(),
        }
    }

    /// Gives up what stands still.
    pub fn tick(&mut self, now: Duration) -> Vec<Effect> {
        let waits = |incoming: &Incoming| matches!(incoming.state, In::Accepted(_) | In::Receiving(_));
        let late = |incoming: &Incoming| now.saturating_sub(incoming.seen) > STALLED;
        let stalled: Vec<u32> = self
            .incoming
            .iter()
            .filter(|(_, incoming)| waits(incoming) && late(incoming))
            .map(|(id, _)| *id)
            .collect();
        stalled.into_iter().flat_map(|id| self.refuse(id, Why::Stalled, false)).collect()
    }

    /// The call is over: part files stay, for the next one.
    pub fn close(&mut self) -> Vec<Effect> {
        let why = Moment::Failed(Why::CallEnded);
        let outgoing = std::mem::take(&mut self.outgoing).into_values();
        let incoming = std::mem::take(&mut self.incoming).into_values();
        let ours = outgoing.flat_map(|it| [Effect::Release(it.number), it.tell(why.clone())]);
        ours.chain(incoming.flat_map(|it| [Effect::Close(it.number, false), it.tell(why.clone())])).collect()
    }

    fn offered(&mut self, id: u32, mut about: About, now: Duration) -> Vec<Effect> {
        if self.incoming.contains_key(&id) {
            return Vec::new();
        }
        about.name = name::safe(&about.name);
        self.numbers += 1;
        let size = about.size;
        let incoming = Incoming { number: self.numbers, about, state: In::Offered, seen: now };
        let why = match self.limits.policy {
            Policy::Decline => Some(Why::NotWanted),
            _ if size > self.limits.max_size => Some(Why::TooLarge),
            _ if self.incoming.len() >= AT_ONCE => Some(Why::TooMany),
            _ => None,
        };
        if let Some(why) = why {
            return vec![Effect::Say(Message::Refuse(id, why)), incoming.tell(Moment::Failed(why))];
        }
        let mut effects = vec![incoming.tell(Moment::Offered)];
        let incoming = self.incoming.entry(id).or_insert(incoming);
        if self.limits.policy == Policy::Accept {
            effects.push(incoming.prepare());
        }
        effects
    }

    fn accepted(&mut self, id: u32, from: u64, prefix: Hash) -> Vec<Effect> {
        match self.outgoing.get_mut(&id) {
            Some(it) if it.state == Out::Offered && from <= it.about.size => {
                it.state = Out::Beginning(from);
                vec![Effect::Begin { number: it.number, id, from, prefix }]
            }
            Some(it) if it.state == Out::Offered => self.withdraw(id, Why::Broken),
            _ => Vec::new(),
        }
    }

    fn begins(&mut self, id: u32, from: u64, now: Duration) -> Vec<Effect> {
        let Some(incoming) = self.incoming.get_mut(&id) else {
            return Vec::new();
        };
        let In::Accepted(asked) = incoming.state else {
            return Vec::new();
        };
        if from != asked && from != 0 {
            return self.refuse(id, Why::Broken, true);
        }
        incoming.state = In::Receiving(from);
        incoming.seen = now;
        let started = incoming.tell(Moment::Started(from));
        match from == asked {
            true => vec![started],
            false => vec![Effect::Restart(incoming.number), started],
        }
    }

    fn got(&mut self, id: u32, upto: u64) -> Vec<Effect> {
        let Some(outgoing) = self.outgoing.get_mut(&id) else {
            return Vec::new();
        };
        let Out::Sending(got, _) = &mut outgoing.state else {
            return Vec::new();
        };
        // Nobody can have got what there is not; what is said twice is no news.
        if upto <= *got || upto > outgoing.about.size {
            return Vec::new();
        }
        let bytes = upto - std::mem::replace(got, upto);
        let number = outgoing.number;
        vec![Effect::Moved { number, upto, bytes }, outgoing.tell(Moment::Progress(upto))]
    }

    fn ends(&mut self, id: u32, hash: Hash) -> Vec<Effect> {
        match self.incoming.get_mut(&id) {
            Some(it) if it.state == In::Receiving(it.about.size) => {
                it.state = In::Keeping(hash);
                vec![Effect::Keep(it.number, hash)]
            }
            Some(it) if matches!(it.state, In::Receiving(_)) => self.refuse(id, Why::Broken, true),
            _ => Vec::new(),
        }
    }

    fn done(&mut self, id: u32) -> Vec<Effect> {
        match self.outgoing.get(&id).map(|it| &it.state) {
            None => Vec::new(),
            Some(Out::Sending(_, Some(hash))) => {
                let moment = Moment::Done(*hash, None);
                match self.outgoing.remove(&id) {
                    Some(it) => vec![Effect::Release(it.number), it.tell(moment)],
                    None => Vec::new(),
                }
            }
            Some(_) => self.withdraw(id, Why::Broken),
        }
    }

    fn refuse(&mut self, id: u32, why: Why, remove: bool) -> Vec<Effect> {
        let mut effects = self.drop_incoming(id, why, remove);
        if !effects.is_empty() {
            effects.insert(0, Effect::Say(Message::Refuse(id, why)));
        }
        effects
    }

    fn drop_incoming(&mut self, id: u32, why: Why, remove: bool) -> Vec<Effect> {
        match self.incoming.remove(&id) {
            Some(it) => vec![Effect::Close(it.number, remove), it.tell(Moment::Failed(why))],
            None => Vec::new(),
        }
    }

    fn withdraw(&mut self, id: u32, why: Why) -> Vec<Effect> {
        match self.outgoing.remove(&id) {
            Some(it) => vec![
                Effect::Say(Message::Withdraw(id, why)),
                Effect::Release(it.number),
                it.tell(Moment::Failed(why)),
            ],
            None => Vec::new(),
        }
    }

    fn id_of_outgoing(&self, number: u32) -> Option<u32> {
        self.outgoing.iter().find(|(_, it)| it.number == number).map(|(id, _)| *id)
    }

    fn id_of_incoming(&self, number: u32) -> Option<u32> {
        self.incoming.iter().find(|(_, it)| it.number == number).map(|(id, _)| *id)
    }

    fn outgoing_of(&mut self, number: u32) -> Option<(u32, &mut Outgoing)> {
        self.outgoing.iter_mut().find(|(_, it)| it.number == number).map(|(id, it)| (*id, it))
    }

    fn incoming_of(&mut self, number: u32) -> Option<(u32, &mut Incoming)> {
        self.incoming.iter_mut().find(|(_, it)| it.number == number).map(|(id, it)| (*id, it))
    }
}

impl Outgoing {
    fn tell(&self, moment: Moment) -> Effect {
        Effect::Tell { number: self.number, remote: false, about: self.about.clone(), moment }
    }
}

impl Incoming {
    fn tell(&self, moment: Moment) -> Effect {
        Effect::Tell { number: self.number, remote: true, about: self.about.clone(), moment }
    }

    fn prepare(&mut self) -> Effect {
        self.state = In::Preparing;
        Effect::Prepare(self.number, self.about.clone())
    }
}

fn none(number: u32) -> String {
    format!("there is no file {number} that this could be done with")
}

#[cfg(test)]
mod tests;

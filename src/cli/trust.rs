//! `letsmeet trust`: whose keys are known, and which of them were compared; and the code that a call is expected to have.

use anyhow::Result;
use serde::Serialize;

use super::args::{ExpectedCode, Global, Keys, KeysVerb, Trust};
use super::exit::Exit;
use super::failure::Usage;
use super::output::{self, human};
use super::profile::Profile;
use super::setup::Ground;
use crate::identity::{Error, KnownPeers, Peer, PublicKey};
use crate::session::{Command, ExpectedKey};

/// The document that `trust list --json` prints.
#[derive(Debug, Serialize)]
struct Document {
    schema: &'static str,
    own: Key,
    peers: Vec<Key>,
}

/// A name and its key.
#[derive(Debug, Serialize)]
struct Key {
    name: String,
    fingerprint: String,
    key: String,
    /// Absent for one's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<bool>,
}

impl Key {
    fn own(profile: &Profile) -> Self {
        let key = profile.identity.public_key();
        let (fingerprint, text) = (key.fingerprint(), key.to_string());
        Self { name: profile.name.clone(), fingerprint, key: text, verified: None }
    }

    fn of(peer: Peer) -> Self {
        let (fingerprint, key) = (peer.key.fingerprint(), peer.key.to_string());
        Self { name: peer.name, fingerprint, key, verified: Some(peer.verified) }
    }
}

/// Runs the command.
///
/// # Errors
/// The file of known peers can't be used; a name is not in it; a key is another one.
pub(super) fn run(global: &Global, args: &Keys) -> Result<Exit> {
    let ground = Ground::read(global)?;
    let profile = ground.profile(global)?;
    let known = KnownPeers::open(&profile.known_peers)?;
    match &args.verb {
        KeysVerb::List => {}
        KeysVerb::Forget { who } => {
            if known.forget(who)? == 0 {
                return Err(unknown(who).into());
            }
            say(global, &format!("The key of {} is forgotten.", human::clean(who)))?;
        }
        KeysVerb::Verify { who, key: Some(key) } => {
            known.verify(who, &whole(&known, who, key)?)?;
            say(global, &format!("The key of {} is the one that you compared.", human::clean(who)))?;
        }
        KeysVerb::Verify { who, key: None } => {
            let theirs = find(&known, who)?.ok_or_else(|| unknown(who))?;
            let (who, me) = (human::clean(who), human::clean(&profile.name));
            say(
                global,
                &format!(
                    "{who}: {}\n{me}: {} (you)\nAsk {who}, by another way than this server, to run \"letsmeet trust list\" and to \
                     read both. If they are these:\n  letsmeet trust verify {who} {0}",
                    theirs.key.fingerprint(),
                    profile.identity.public_key().fingerprint()
                ),
            )?;
        }
    }
    // A script hears of every change what is known after it.
    if global.json || matches!(args.verb, KeysVerb::List) {
        list(global, &profile, &known)?;
    }
    Ok(Exit::Ok)
}

impl Trust {
    /// Whoever sits there is to compare the code.
    pub(super) fn asks(&self) -> bool {
        matches!(self.expect_code, Some(ExpectedCode::Ask))
    }
}

/// The code that `--expect-code` gives is compared as soon as there is one.
pub(super) fn compare(trust: &Trust) -> Option<Command> {
    match &trust.expect_code {
        Some(ExpectedCode::Code(code)) => Some(Command::Compare { code: code.clone() }),
        Some(ExpectedCode::Ask) | None => None,
    }
}

fn list(global: &Global, profile: &Profile, known: &KnownPeers) -> Result<()> {
    let (own, peers) = (Key::own(profile), known.list()?.into_iter().map(Key::of).collect::<Vec<_>>());
    if global.json {
        output::document(&Document { schema: "letsmeet.trust/1", own, peers })?;
        return Ok(());
    }
    for key in std::iter::once(&own).chain(&peers) {
        let about = match key.verified {
            None => "you",
            Some(true) => "verified",
            Some(false) => "seen",
        };
        output::write_line(&format!(
            "{}\t{}\t{about}\t{}",
            human::clean(&key.name),
            key.fingerprint,
            key.key
        ))?;
    }
    Ok(())
}

/// The key itself: a fingerprint alone can only be compared with one that is known.
fn whole(known: &KnownPeers, who: &str, key: &ExpectedKey) -> Result<PublicKey> {
    match (key, find(known, who)?) {
        (ExpectedKey::Key(key), _) => Ok(*key),
        (ExpectedKey::Fingerprint(fingerprint), Some(peer)) => {
            if *fingerprint == peer.key.fingerprint() {
                return Ok(peer.key);
            }
            Err(Error::Changed {
                name: peer.name,
                path: known.path().to_owned(),
                line: peer.line,
                pinned: peer.key.fingerprint(),
                offered: fingerprint.clone(),
            }
            .into())
        }
        (ExpectedKey::Fingerprint(_), None) => Err(Usage::new(format!(
            "the key of \"{who}\" is not known yet: give all of it (43 characters, as \"letsmeet trust list\" shows it there), \
             or call once"
        ))
        .into()),
    }
}

fn find(known: &KnownPeers, who: &str) -> Result<Option<Peer>> {
    // The name is the server's to compare; the file knows how.
    let peers = known.list()?;
    Ok(peers.into_iter().find(|peer| KnownPeers::same_name(&peer.name, who)))
}

fn unknown(who: &str) -> Usage {
    Usage::new(format!("no key is known under \"{who}\" (see: letsmeet trust list)"))
}

fn say(global: &Global, text: &str) -> Result<()> {
    if !global.json {
        output::write_line(text)?;
    }
    Ok(())
}

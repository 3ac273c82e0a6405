//! The beginning of a connection: challenge, login, and the checks of identity.
//!
//! Owns the order of the checks and what each failure is answered. Everything that fails here ends the
//! connection.

use futures_util::{SinkExt, StreamExt};
use std::time::SystemTime;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message, error::CapacityError};

use super::bindings::Claim;
use super::config::{Admit, Config};
use super::connection::{Socket, last_words};
use super::http::Place;
use super::hub::Attached;
use super::random;
use super::registry::{Join, Joined, Refusal};
use crate::signaling::protocol::{
    ClientMessage, ErrorCode, Key, Login, MAX_TOKEN, Name, Nonce, ResumeToken, ServerMessage, SessionId,
    VERSION, parse_client, verify_login,
};

/// Challenges, waits for the login and attaches to a session; none when the connection is over.
pub(super) async fn login(socket: &mut Socket, place: &Place) -> Option<Attached> {
    let deadline = place.app().config.login_timeout;
    let outcome = tokio::select! {
        outcome = timeout(deadline, exchange(socket, place)) => outcome.unwrap_or(Err(Some(refusal(
            ErrorCode::LoginTimeout,
            "no login came in time",
        )))),
        () = place.app().stop.cancelled() => Err(None),
    };
    match outcome {
        Ok(attached) => Some(attached),
        Err(Some(Refused { code, message })) => {
            tracing::info!(%code, "login refused");
            last_words(socket, code, &message).await;
            None
        }
        Err(None) => None,
    }
}

struct Refused {
    code: ErrorCode,
    message: String,
}

fn refusal(code: ErrorCode, message: &str) -> Refused {
    Refused { code, message: message.to_owned() }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Refused { code: refusal.code, message: refusal.message.to_owned() }
    }
}

/// The error is none when the client went away.
async fn exchange(socket: &mut Socket, place: &Place) -> Result<Attached, Option<Refused>> {
    let app = place.app();
    let unavailable = || Some(refusal(ErrorCode::Unavailable, "the server has no random numbers"));
    let nonce = Nonce::from_bytes(random().ok_or_else(unavailable)?);
    let server = app.config.public_host.clone().unwrap_or_default();
    let challenge =
        ServerMessage::Challenge { protocol: VERSION, nonce, server: server.clone(), limits: app.limits };
    socket.send(Message::text(challenge.to_json())).await.map_err(|_| None)?;
    let text = loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => break text,
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            Some(Ok(Message::Binary(_))) => {
                return Err(Some(refusal(ErrorCode::Binary, "binary frames are not part of this protocol")));
            }
            Some(Err(Error::Capacity(CapacityError::MessageTooLong { .. }))) => {
                return Err(Some(refusal(ErrorCode::TooLarge, "the frame is longer than 64 KiB")));
            }
            Some(Err(Error::Utf8(_))) => {
                return Err(Some(refusal(ErrorCode::Malformed, "the text is not UTF-8")));
            }
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(None),
        }
    };
    let login = match parse_client(text.as_str()) {
        Ok(ClientMessage::Login(login)) => login,
        Ok(_) => {
            return Err(Some(refusal(ErrorCode::WrongOrder, "the first message must be a login")));
        }
        Err(wrong) => {
            return Err(Some(Refused { code: wrong.code, message: wrong.message }));
        }
    };
    drop(text);
    let name = check(&app.config, &login, &nonce, &server).map_err(Some)?;
    claim(place, &name, &login.key).await.map_err(Some)?;

    let session = SessionId::from_bytes(random().ok_or_else(unavailable)?);
    let secret = ResumeToken::from_bytes(random().ok_or_else(unavailable)?);
    let join = Join { name: name.clone(), key: login.key, resume: login.resume, session, secret };
    let registered = |joined: &Joined| ServerMessage::Registered {
        name: name.clone(),
        session: joined.session,
        resume: joined.secret,
        resumed: joined.resumed,
        calls: joined.calls.clone(),
        ice_servers: app
            .config
            .ice_servers
            .iter()
            .cloned()
            .chain(
                app.config.minting.as_ref().map(|minting| minting.server(name.as_str(), SystemTime::now())),
            )
            .collect(),
        heartbeat_ms: u64::try_from(app.config.heartbeat.as_millis()).unwrap_or(u64::MAX),
        re: login.seq,
    };
    let (attached, frame) = app.hub.join(join, registered).map_err(|r| Some(r.into()))?;
    tracing::info!(%name, session = %attached.session, "registered");
    if socket.send(Message::Text(frame)).await.is_err() {
        app.hub.detach(&attached);
        return Err(None);
    }
    Ok(attached)
}

/// The checks that need nothing but the login itself, the cheapest first.
fn check(config: &Config, login: &Login, nonce: &Nonce, server: &str) -> Result<Name, Refused> {
    if login.protocol != VERSION {
        return Err(refusal(ErrorCode::ProtocolVersion, "this server speaks protocol 1 only"));
    }
    let name = Name::new(&login.name)
        .map_err(|wrong| Refused { code: ErrorCode::BadName, message: wrong.to_string() })?;
    if let Some(token) = &config.token
        && !login.token.as_ref().is_some_and(|given| given.len() <= MAX_TOKEN && same(given, token))
    {
        let why = match &login.token {
            None => "this server wants a token, and none was given",
            Some(_) => "this server wants a token, and this is not it",
        };
        return Err(refusal(ErrorCode::BadToken, why));
    }
    if !config.allow.is_empty() {
        let fold = name.fold();
        let admits = |admit: &Admit| match admit {
            Admit::Name(name) => *name == fold,
            Admit::Key(key) => *key == login.key,
        };
        if !config.allow.iter().any(admits) {
            return Err(refusal(ErrorCode::NotAllowed, "this name is not on the list of this server"));
        }
    }
    if !verify_login(nonce, server, name.as_str(), &login.key, &login.signature) {
        return Err(refusal(
            ErrorCode::BadSignature,
            "the signature does not fit this challenge, name and key",
        ));
    }
    Ok(name)
}

async fn claim(place: &Place, name: &Name, key: &Key) -> Result<(), Refused> {
    let bindings = &place.app().bindings;
    let fold = name.fold();
    if bindings.owner(&fold).is_none() && !place.may_claim() {
        return Err(refusal(ErrorCode::TooManyNames, "too many new names from your address; try later"));
    }
    match bindings.claim(&fold, key).await {
        Claim::Owned => Ok(()),
        Claim::Taken => Err(refusal(
            ErrorCode::NameTaken,
            "this name belongs to another key: take another, or bring the key that it was first taken with",
        )),
        Claim::Full => Err(refusal(ErrorCode::TooManyNames, "the server holds as many names as it may")),
        Claim::Failed => Err(refusal(ErrorCode::Unavailable, "the server cannot store names now")),
    }
}

/// Compares by hash, so that the time says nothing about where the two differ.
fn same(given: &str, wanted: &str) -> bool {
    blake3::hash(given.as_bytes()) == blake3::hash(wanted.as_bytes())
}

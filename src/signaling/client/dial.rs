//! One attempt to reach the server: find it, open the socket, log in.
//!
//! Owns what can go wrong until a session is registered, and whether trying again makes sense. Knows nothing
//! of calls; the [`actor`](super::actor) drives it.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::Url;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::http::StatusCode;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async_tls_with_config};

use super::resolve::{Endpoint, find, wants_tls};
use super::{Config, Failure, Refusal, Way};
use crate::signaling::protocol::{
    ClientMessage, ErrorCode, Key, LOGIN_CONTEXT, Login, MAX_SERVER_FRAME, ResumeToken, ServerMessage,
    Signature, VERSION, login_message, parse_server,
};

pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// How a connection, or an attempt at one, ended.
pub(super) enum Outcome {
    Stop(Option<oneshot::Sender<()>>),
    Lost { reason: String, at_least: Duration },
    Refused(Refusal, String),
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Outcome {
        match failure {
            Failure::Later(reason) => lost(reason),
            Failure::Never(code, message) => Outcome::Refused(code, message),
        }
    }
}

fn refused(code: ErrorCode, message: impl Into<String>) -> Outcome {
    Outcome::Refused(code.into(), message.into())
}

pub(super) fn lost(reason: impl Into<String>) -> Outcome {
    Outcome::Lost { reason: reason.into(), at_least: Duration::ZERO }
}

/// A socket that is logged in, and the answer to the login.
pub(super) struct Dialed {
    pub(super) socket: Socket,
    pub(super) endpoint: Endpoint,
    pub(super) registered: ServerMessage,
}

pub(super) async fn dial(
    config: Config,
    endpoint: Option<Endpoint>,
    resume: Option<ResumeToken>,
) -> Result<Dialed, Outcome> {
    super::install_crypto();
    let endpoint = match endpoint {
        Some(endpoint) => endpoint,
        None => find(&config.server, &config.way).await?,
    };
    let limits = WebSocketConfig::default()
        .read_buffer_size(8 * 1024)
        .write_buffer_size(8 * 1024)
        .max_message_size(Some(MAX_SERVER_FRAME))
        .max_frame_size(Some(MAX_SERVER_FRAME));
    let url: Url = endpoint.url.parse().map_err(|error| lost(format!("{}: {error}", endpoint.url)))?;
    let (stream, connector) = config.way.open(&url).await?;
    let (mut socket, _) = client_async_tls_with_config(&endpoint.url, stream, Some(limits), Some(connector))
        .await
        .map_err(|error| not_upgraded(&config.way, &url, error))?;
    let ServerMessage::Challenge { protocol, nonce, server, .. } = next(&mut socket).await? else {
        return Err(refused(ErrorCode::WrongOrder, "the server did not begin with a challenge"));
    };
    if protocol != VERSION {
        let message = format!("the server speaks protocol {protocol}, this client {VERSION}");
        return Err(refused(ErrorCode::ProtocolVersion, message));
    }
    if !server.is_empty() && !server.eq_ignore_ascii_case(&endpoint.host) {
        // Somebody in between may be passing on another server's challenge.
        let message = format!("{} answered with the challenge of {server:?}", endpoint.host);
        return Err(refused(ErrorCode::BadSignature, message));
    }
    let name = config.name.as_str();
    let login = Login {
        protocol: VERSION,
        name: name.to_owned(),
        key: Key::from_bytes(config.signer.public_key()),
        signature: Signature::from_bytes(
            config.signer.sign(LOGIN_CONTEXT, &login_message(&nonce, &server, name)),
        ),
        token: config.token.clone(),
        resume,
        seq: None,
    };
    let login = ClientMessage::Login(login).to_json();
    socket.send(Message::text(login)).await.map_err(|e| lost(format!("the connection broke: {e}")))?;
    let registered = next(&mut socket).await?;
    Ok(Dialed { socket, endpoint, registered })
}

/// The next message before the login is through.
async fn next(socket: &mut Socket) -> Result<ServerMessage, Outcome> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => {
                return match parse_server(&text) {
                    Ok(ServerMessage::Error { code, message, .. }) if code.is_final() => {
                        Err(refused(code, message))
                    }
                    Ok(ServerMessage::Error { message, .. }) => Err(lost(message)),
                    Ok(ServerMessage::Bye { reason, retry_after_ms }) => {
                        Err(Outcome::Lost { reason, at_least: Duration::from_millis(retry_after_ms) })
                    }
                    Ok(message) => Ok(message),
                    Err(wrong) => Err(refused(
                        ErrorCode::Malformed,
                        format!("the server does not speak this protocol: {wrong}"),
                    )),
                };
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            Some(Ok(Message::Binary(_))) => return Err(lost("the server sent a binary frame")),
            Some(Ok(Message::Close(_))) | None => {
                return Err(lost("the server closed the connection"));
            }
            Some(Err(error)) => return Err(lost(format!("the connection broke: {error}"))),
        }
    }
}

fn not_upgraded(way: &Way, url: &Url, error: WsError) -> Outcome {
    match error {
        WsError::Http(response) if wants_tls(response.status(), response.headers()) => {
            refused(ErrorCode::Malformed, format!("{url} speaks TLS only (use wss://)"))
        }
        WsError::Http(response) => match response.status() {
            StatusCode::FORBIDDEN => refused(ErrorCode::BadOrigin, format!("{url} refused this client")),
            StatusCode::NOT_FOUND => {
                refused(ErrorCode::Malformed, format!("there is no letsmeet server at {url}"))
            }
            status => lost(format!("{url} answered {status}")),
        },
        // What it holds says more than the error around it.
        WsError::Io(error) => way.failure(url, &error).into(),
        error => lost(format!("cannot reach {url}: {error}")),
    }
}

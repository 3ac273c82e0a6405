//! The HTTP side: routes, the Origin policy and the WebSocket handshake (RFC 6455 section 4.2).
//!
//! Owns what happens before a connection speaks the protocol. Each accepted socket gets one HTTP exchange,
//! with the TLS handshake before it, within a deadline; an upgrade hands the bare socket to the connection's task.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::connection;
use super::tls::Stream;
use super::{App, Slot};
use crate::signaling::protocol::{ErrorCode, VERSION, WELL_KNOWN_PATH, WS_PATH, WellKnown};

/// Bytes of request line and headers; longer ones are answered HTTP 431. hyper wants at least 8 KiB.
const MAX_HEADERS: usize = 8 * 1024;

/// The address of a connection and its place in the limits; dropping it gives the place back.
pub(crate) struct Place {
    slot: Slot,
    address: IpAddr,
}

impl Place {
    /// Takes a place, or none when the address has as many as it may.
    pub(crate) fn take(app: &Arc<App>, address: IpAddr) -> Option<Place> {
        let entered = app.addresses().enter(address, app.hub.now());
        entered.then(|| Place { slot: Slot::take(app), address })
    }

    /// What all connections share.
    pub(crate) fn app(&self) -> &App {
        &self.slot.0
    }

    /// Whether the address may claim one more new name.
    pub(crate) fn may_claim(&self) -> bool {
        self.app().addresses().may_claim(self.address, self.app().hub.now())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.app().addresses().leave(self.address, self.app().hub.now());
    }
}

/// Every route of the server.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route(WELL_KNOWN_PATH, get(well_known))
        .route(WS_PATH, get(upgrade))
        .with_state(app)
}

/// Serves one HTTP exchange on a socket and, after an upgrade, leaves the socket to its new task.
pub(crate) async fn exchange(app: &App, router: Router, stream: TcpStream, peer: IpAddr) {
    let service = TowerToHyperService::new(router.layer(Extension(Peer(peer))));
    let connection = async {
        let stream = match &app.config.tls {
            None => Stream::Left(stream),
            Some(tls) => match tls.accept(stream).await {
                Ok(stream) => stream,
                Err(error) => {
                    tracing::debug!(%error, "tls handshake failed");
                    return Ok(());
                }
            },
        };
        hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(app.config.handshake_timeout)
            .max_buf_size(MAX_HEADERS)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
            .await
    };
    match tokio::time::timeout(app.config.handshake_timeout, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "http exchange failed"),
        Err(_) => tracing::debug!("http exchange took too long"),
    }
}

/// The address at the other end of the socket.
#[derive(Debug, Clone, Copy)]
struct Peer(IpAddr);

async fn healthz(State(app): State<Arc<App>>) -> Response {
    Json(serde_json::json!({ "status": "ok", "sessions": app.hub.sessions() })).into_response()
}

async fn well_known() -> Response {
    let document = WellKnown { ws: WS_PATH.to_owned(), protocols: vec![VERSION] };
    ([(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")], Json(document)).into_response()
}

async fn upgrade(
    State(app): State<Arc<App>>,
    Extension(Peer(peer)): Extension<Peer>,
    mut request: Request,
) -> Response {
    let headers = request.headers();
    if !origin_allowed(headers, &app.config.origins) {
        return refuse(StatusCode::FORBIDDEN, ErrorCode::BadOrigin, "pages of this origin may not connect");
    }
    let is = |name: HeaderName, wanted: &str| {
        let values = headers.get_all(name).into_iter().filter_map(|v| v.to_str().ok());
        values.flat_map(|v| v.split(',')).any(|v| v.trim().eq_ignore_ascii_case(wanted))
    };
    if !is(header::CONNECTION, "upgrade") || !is(header::UPGRADE, "websocket") {
        return refuse(StatusCode::UPGRADE_REQUIRED, ErrorCode::Malformed, "this is a WebSocket (RFC 6455)");
    }
    if !is(header::SEC_WEBSOCKET_VERSION, "13") {
        return refuse(StatusCode::BAD_REQUEST, ErrorCode::Malformed, "the WebSocket version is not 13");
    }
    let Some(key) = headers.get(header::SEC_WEBSOCKET_KEY).filter(|k| k.len() == 24) else {
        return refuse(StatusCode::BAD_REQUEST, ErrorCode::Malformed, "Sec-WebSocket-Key is missing");
    };
    let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key.as_bytes())) else {
        return refuse(StatusCode::BAD_REQUEST, ErrorCode::Malformed, "Sec-WebSocket-Key is wrong");
    };
    let address = if app.config.trust_forwarded { forwarded(headers).unwrap_or(peer) } else { peer };
    let Some(place) = Place::take(&app, address) else {
        return refuse(
            StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::TooManyConnections,
            "too many connections from your address",
        );
    };
    let Some(upgrading) = request.extensions_mut().remove::<OnUpgrade>() else {
        return refuse(StatusCode::UPGRADE_REQUIRED, ErrorCode::Malformed, "this connection cannot upgrade");
    };
    app.tasks.spawn(async move {
        let Ok(upgraded) = upgrading.await else {
            return;
        };
        // Only sockets of our own listener come here.
        if let Ok(parts) = upgraded.downcast::<TokioIo<Stream>>() {
            // A copy, because what hyper read would keep its whole buffer alive.
            let (stream, read) = (parts.io.into_inner(), parts.read_buf.to_vec());
            drop(parts.read_buf);
            connection::begin(stream, read, place).await;
        }
    });
    let headers = [
        (header::CONNECTION, HeaderValue::from_static("Upgrade")),
        (header::UPGRADE, HeaderValue::from_static("websocket")),
        (header::SEC_WEBSOCKET_ACCEPT, accept),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

fn refuse(status: StatusCode, code: ErrorCode, message: &str) -> Response {
    let body = serde_json::json!({ "type": "error", "code": code, "message": message });
    (status, Json(body)).into_response()
}

/// Programs send no Origin; pages of the same host and of the allow list may connect.
fn origin_allowed(headers: &HeaderMap, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let Ok(origin) = origin.to_str() else {
        return false;
    };
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok());
    let origin_host = origin.split_once("://").map(|(_, host)| host);
    allowed.iter().any(|a| a.eq_ignore_ascii_case(origin))
        || matches!((origin_host, host), (Some(a), Some(b)) if a.eq_ignore_ascii_case(b))
}

/// The last address of `X-Forwarded-For`: the one that our own proxy added.
fn forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all("x-forwarded-for").into_iter().next_back()?;
    last.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(k, v)| (k.parse().unwrap(), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn pages_of_other_hosts_are_refused_unless_listed() {
        let listed = ["https://calls.example".to_owned()];
        let check = |pairs: &[(&'static str, &'static str)]| origin_allowed(&headers(pairs), &listed);
        assert!(check(&[("host", "a.example")]));
        assert!(check(&[("host", "a.example:7880"), ("origin", "http://A.example:7880")]));
        assert!(check(&[("host", "a.example"), ("origin", "https://calls.example")]));
        assert!(!check(&[("host", "a.example"), ("origin", "https://evil.example")]));
        assert!(!check(&[("host", "a.example"), ("origin", "null")]));
        assert!(!check(&[("host", "a.example"), ("origin", "https://a.example.evil")]));
    }

    #[test]
    fn the_proxys_own_entry_counts() {
        let headers = headers(&[("x-forwarded-for", "10.0.0.1, 2001:db8::7")]);
        assert_eq!(forwarded(&headers), Some("2001:db8::7".parse().unwrap()));
    }
}

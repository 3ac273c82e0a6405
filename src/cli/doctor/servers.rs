//! Which STUN and TURN servers are asked what: those of the flags and of the signaling server, each once.
//!
//! Pure. What is no URL of such a server is left out, as a call leaves it out.

use crate::rtc::{Credentials, IceServer, Scheme, ServerUrl, Transport};

/// More servers than these are not asked: a call does not need them either.
const MOST: usize = 6;

/// The servers, sorted by what they are asked.
#[derive(Debug, Default)]
pub(super) struct Servers {
    /// What answers binding requests over UDP: STUN servers, or else the TURN servers.
    pub(super) stun: Vec<ServerUrl>,
    /// TURN servers with who may use them.
    pub(super) turn: Vec<(ServerUrl, Option<Credentials>)>,
}

impl Servers {
    /// Of this list.
    pub(super) fn of(list: &[IceServer]) -> Self {
        let mut servers = Self::default();
        let all = list.iter().flat_map(|server| server.urls.iter().map(move |url| (server, url)));
        for (server, url) in all {
            let Ok(url) = url.parse::<ServerUrl>() else { continue };
            match url.scheme {
                Scheme::Stun if url.transport == Transport::Udp => {
                    if !servers.stun.contains(&url) && servers.stun.len() < MOST {
                        servers.stun.push(url);
                    }
                }
                Scheme::Stun => {}
                Scheme::Turn => {
                    let credentials = credentials(server);
                    // One server with two passwords is two relays: of a call's, one may work.
                    let turn = (url, credentials);
                    if !servers.turn.contains(&turn) && servers.turn.len() < MOST {
                        servers.turn.push(turn);
                    }
                }
            }
        }
        if servers.stun.is_empty() {
            let udp = servers.turn.iter().map(|(url, _)| url);
            servers.stun = udp.filter(|url| url.transport == Transport::Udp).cloned().collect();
            servers.stun.dedup();
        }
        servers
    }

    /// Their names and addresses.
    pub(super) fn hosts(&self) -> impl Iterator<Item = &str> {
        let turn = self.turn.iter().map(|(url, _)| url.host.as_str());
        self.stun.iter().map(|url| url.host.as_str()).chain(turn)
    }
}

fn credentials(server: &IceServer) -> Option<Credentials> {
    let (Some(username), Some(password)) = (&server.username, &server.credential) else {
        return None;
    };
    Some(Credentials { username: username.clone(), password: password.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(urls: &[&str], user: Option<&str>) -> IceServer {
        let user = user.map(str::to_owned);
        IceServer {
            urls: urls.iter().map(ToString::to_string).collect(),
            username: user.clone(),
            credential: user,
        }
    }

    #[test]
    fn each_server_is_asked_once_and_turn_servers_stand_in_for_stun_servers() {
        let servers = Servers::of(&[
            server(&["turn:a", "turn:a?transport=tcp", "turns:a", "nonsense"], Some("me")),
            server(&["turn:a"], Some("me")),
            server(&["turn:a"], Some("you")),
        ]);
        assert_eq!(servers.turn.len(), 4);
        assert!(servers.turn.iter().all(|(_, credentials)| credentials.is_some()));
        assert_eq!(servers.stun.len(), 1);
        let servers = Servers::of(&[server(&["turn:a", "stun:b", "stun:b", "stuns:c"], None)]);
        assert_eq!(servers.stun, ["stun:b".parse().unwrap()]);
        assert!(servers.turn[0].1.is_none());
    }
}

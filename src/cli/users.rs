//! `letsmeet users`: who is online.

use anyhow::Result;
use serde::Serialize;
use tokio::sync::oneshot;

use super::args::{Global, Media, Policy, Trust, Users};
use super::exit::Exit;
use super::failure::Signaling;
use super::output::{self, human};
use super::setup::Ground;
use crate::session::{Command, Event, Page, Session};

/// The document that `--json` prints.
#[derive(Debug, Serialize)]
struct Document {
    schema: &'static str,
    users: Vec<output::User>,
}

/// Runs the command.
///
/// # Errors
/// Flags, settings, or a server that can't be used.
pub(super) async fn run(global: &Global, args: Users) -> Result<Exit> {
    let ground = Ground::read(global)?;
    let profile = ground.profile(global)?;
    let path = super::args::Path { ice: Policy::Host, servers: Default::default() };
    let config = ground.session(global, &profile, &Media::default(), &path, &Trust::default(), true)?;
    let mut session = Session::start(config);
    loop {
        match session.next().await {
            Some(Event::Registered { .. }) => break,
            Some(Event::Refused { message, .. }) => return Err(Signaling::new(message).into()),
            Some(Event::SignalingDown { reason, .. }) => return Err(Signaling::new(reason).into()),
            Some(_) => {}
            None => return Err(Signaling::new("the session ended").into()),
        }
    }
    let mut users = Vec::new();
    let mut after = None;
    loop {
        let page = page(&session, args.query.clone(), after).await?;
        users.extend(page.users.iter().map(output::User::from));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    session.command(Command::Quit).await;
    while session.next().await.is_some() {}
    if global.json {
        output::document(&Document { schema: "letsmeet.users/1", users })?;
    } else {
        for user in &users {
            output::write_line(&format!("{}\t{}", human::clean(&user.name), user.state))?;
        }
    }
    Ok(Exit::Ok)
}

async fn page(session: &Session, query: Option<String>, after: Option<String>) -> Result<Page> {
    let (reply, answer) = oneshot::channel();
    session.command(Command::Users { query, after, reply }).await;
    match answer.await {
        Ok(Ok(page)) => Ok(page),
        Ok(Err(why)) => Err(Signaling::new(why).into()),
        Err(_) => Err(Signaling::new("the connection to the server was lost").into()),
    }
}

//! `letsmeet users`: who is online.

use anyhow::Result;
use serde::Serialize;
use tokio::sync::oneshot;

use super::args::{Global, Media, Policy, Trust, Users};
use super::exit::Exit;
use super::face::Face;
use super::failure::Signaling;
use super::output::{self, human};
use super::setup::Ground;
use crate::session::{Command, Event, Page, Session};

/// Pages that are followed: at 100 users each, five times as many as a server takes by default.
const MOST_PAGES: usize = 1000;

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
    let config =
        ground.session(global, &profile, &Media::default(), &path, &Trust::default(), Face::Headless)?;
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
    let users = list(&session, args.query.as_deref()).await?;
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

/// Every page, one after the other. The server is not trusted to come to an end by itself.
async fn list(session: &Session, query: Option<&str>) -> Result<Vec<output::User>> {
    let mut users = Vec::new();
    let mut after = None;
    for _ in 0..MOST_PAGES {
        let page = page(session, query.map(str::to_owned), after.clone()).await?;
        users.extend(page.users.iter().map(output::User::from));
        after = onward(after, page.next)?;
        if after.is_none() {
            return Ok(users);
        }
    }
    Err(Signaling::new(format!("the server's list does not end within {MOST_PAGES} pages")).into())
}

/// Where the next page begins, which must be behind the beginning of the last one.
fn onward(after: Option<String>, next: Option<String>) -> Result<Option<String>, Signaling> {
    // None is less than every text: the first page may lead anywhere.
    if next.is_some() && next <= after {
        return Err(Signaling::new("the server's list goes in circles"));
    }
    Ok(next)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_goes_in_circles_is_not_followed() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(onward(None, text("bob")).unwrap(), text("bob"));
        assert_eq!(onward(text("bob"), text("carol")).unwrap(), text("carol"));
        assert_eq!(onward(text("bob"), None).unwrap(), None);
        assert!(onward(text("bob"), text("bob")).is_err());
        assert!(onward(text("carol"), text("bob")).is_err());
    }
}

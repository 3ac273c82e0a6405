//! A call as two people see it, each in a terminal: login, incoming call, accept, code, mute, chat, hang up, and the
//! terminal afterwards as it was before.

use std::time::Duration;

use crate::harness::process::LETSMEET;
use crate::harness::tmux::{Pane, Tmux};
use crate::harness::{Home, SOON, Server, until};

const SIZE: (u16, u16) = (80, 24);

/// What the screens say, in any case of letters.
mod words {
    /// The dashboard, with nobody calling.
    pub(super) const DASHBOARD: &str = "alice";
    /// Beside the caller's name on the callee's screen.
    pub(super) const INCOMING: &str = "incoming call";
    /// The prompt takes keys now.
    pub(super) const ANSWERS: &str = "[a accept]";
    /// Before the verification code.
    pub(super) const CODE: &str = "code ";
    /// The other side's microphone is off.
    pub(super) const MUTED: &str = "muted";
    /// While keys go into a message.
    pub(super) const WRITING: &str = "enter send";
    /// On the screen of a call that the other side ended.
    pub(super) const HUNG_UP: &str = "the other side hung up";
    /// The card of a call that is over takes keys now.
    pub(super) const GOES_ON: &str = "any key";
    /// On the dashboard only.
    pub(super) const LISTS: &str = "people";
    /// The shell is back.
    pub(super) const OVER: &str = "exit status 0";
}

/// Keys, by tmux's names.
mod keys {
    pub(super) const ACCEPT: &[&str] = &["a"];
    pub(super) const MUTE: &[&str] = &["m"];
    pub(super) const CHAT: &[&str] = &["c"];
    pub(super) const SEND: &[&str] = &["Enter"];
    pub(super) const CLOSE_CHAT: &[&str] = &["Escape"];
    pub(super) const HAND: &[&str] = &["h"];
    pub(super) const CLAP: &[&str] = &["3"];
    pub(super) const HANG_UP: &[&str] = &["q"];
    pub(super) const QUIT: &[&str] = &["q"];
}

/// The verification code on a screen: four groups of four digits after its word.
fn code(screen: &str) -> Option<String> {
    let rest = &screen[screen.find(words::CODE)? + words::CODE.len()..];
    let code: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == ' ').collect();
    let code = code.trim().to_owned();
    (code.len() == 19).then_some(code)
}

/// The command, then its exit status as a line that no screen of letsmeet shows.
fn start(pane: &Pane<'_>, args: &str) {
    pane.run(&format!("stty -a > before; {LETSMEET} {args}; echo exit status $?; stty -a > after"));
}

fn assert_restored(pane: &Pane<'_>, home: &Home) {
    pane.wait_for(words::OVER, SOON);
    pane.wait("the prompt again", SOON, |screen| screen.trim_end().ends_with('$').then_some(()));
    assert_eq!(
        pane.display("#{alternate_on} #{cursor_flag} #{mouse_any_flag}"),
        "0 1 0",
        "alternate screen, cursor, mouse"
    );
    let modes = |name: &str| std::fs::read_to_string(home.path().join(name)).expect("what stty says");
    assert_eq!(modes("before"), modes("after"), "the modes of the terminal");
}

/// Alice, online, is called by Bob and accepts; both see the same code.
fn answered(alice: &Pane<'_>, bob: &Pane<'_>, server: &Server) {
    let media = "--video pattern --audio tone";
    start(alice, &format!("login --name alice --server {} {media}", server.url()));
    alice.wait_for(words::DASHBOARD, SOON);
    alice.wait("the alternate screen", SOON, |_| (alice.display("#{alternate_on}") == "1").then_some(()));

    start(bob, &format!("call alice --name bob --server {} {media}", server.url()));
    alice.wait("an incoming call of bob", SOON, |screen| {
        let screen = screen.to_lowercase();
        (screen.contains("bob") && screen.contains(words::INCOMING)).then_some(())
    });
    // What is pressed as the prompt appears was meant for something else and is not taken for consent.
    alice.wait_for(words::ANSWERS, SOON);
    alice.keys(keys::ACCEPT);
    let long = SOON + Duration::from_secs(10);
    let seen = alice.wait("a verification code", long, code);
    assert_eq!(bob.wait("a verification code", long, code), seen, "both see the same code");
}

fn wait_until_heard(pane: &Pane<'_>) {
    pane.wait("that the other side is heard again", SOON, |screen| {
        (!screen.to_lowercase().contains(words::MUTED)).then_some(())
    });
}

#[test]
fn in_tmux_push_to_talk_is_a_toggle_and_what_is_not_there_is_said() {
    let server = Server::start();
    let tmux = Tmux::start();
    let (at_alice, at_bob) = (Home::new(), Home::new());
    let alice = tmux.pane("alice", SIZE, &at_alice.command(&[]));
    let bob = tmux.pane("bob", SIZE, &at_bob.command(&[]));
    answered(&alice, &bob, &server);
    alice.keys(&["t"]);
    bob.wait_for(words::MUTED, SOON);
    // tmux tells of no release: talking begins with one press and ends with the next.
    alice.keys(&["Space"]);
    wait_until_heard(&bob);
    alice.keys(&["Space"]);
    bob.wait_for(words::MUTED, SOON);
    alice.keys(&["t"]);
    wait_until_heard(&bob);
    // There is neither a camera nor a screen; the call goes on with what it had.
    alice.keys(&["V"]);
    alice.wait_for("no camera", SOON);
    alice.keys(&["w"]);
    alice.wait_for("no display", SOON);
    alice.keys(keys::HANG_UP);
    alice.wait_for(words::GOES_ON, SOON);
    bob.wait_for(words::HUNG_UP, SOON);
}

#[test]
fn in_tmux_a_file_is_offered_and_taken_and_a_recording_is_told() {
    let server = Server::start();
    let tmux = Tmux::start();
    let (at_alice, at_bob) = (Home::new(), Home::new());
    let alice = tmux.pane("alice", SIZE, &at_alice.command(&[]));
    let bob = tmux.pane("bob", SIZE, &at_bob.command(&[]));
    std::fs::write(at_bob.path().join("a gift.txt"), "for you").unwrap();
    answered(&alice, &bob, &server);

    bob.keys(&["u"]);
    bob.text("a gift.txt");
    bob.wait_for("send the file: a gift.txt", SOON);
    bob.keys(&["Enter"]);
    alice.wait_for("a file is offered", SOON);
    alice.wait_for("7 bytes, text/plain", SOON);
    alice.wait_for(words::ANSWERS, SOON);
    alice.keys(keys::ACCEPT);
    let arrived = at_alice.path().join("Downloads/a gift.txt");
    until(SOON, "the file", || (std::fs::read_to_string(&arrived).ok()? == "for you").then_some(()));

    alice.keys(&["R"]);
    alice.wait_for(" rec ", SOON);
    bob.wait_for("rec by them", SOON);
    alice.keys(&["R"]);
    bob.wait("that nobody records any more", SOON, |screen| {
        (!screen.to_lowercase().contains("rec by them")).then_some(())
    });
    alice.keys(keys::HANG_UP);
    alice.wait_for(words::GOES_ON, SOON);
    bob.wait_for(words::HUNG_UP, SOON);
}

#[test]
fn two_people_in_tmux_call_accept_compare_codes_mute_write_and_hang_up() {
    let server = Server::start();
    let tmux = Tmux::start();
    let (at_alice, at_bob) = (Home::new(), Home::new());
    let alice = tmux.pane("alice", SIZE, &at_alice.command(&[]));
    let bob = tmux.pane("bob", SIZE, &at_bob.command(&[]));
    answered(&alice, &bob, &server);

    alice.keys(keys::MUTE);
    bob.wait_for(words::MUTED, SOON);
    alice.keys(keys::MUTE);
    wait_until_heard(&bob);

    bob.keys(keys::CHAT);
    bob.text("the soup is ready");
    bob.keys(keys::SEND);
    alice.wait_for("the soup is ready", SOON);
    bob.wait_for("you ✓: the soup is", SOON);
    bob.keys(keys::CLOSE_CHAT);

    // Escape and a key right behind it would be one key with Alt.
    bob.wait("the messages closed", SOON, |screen| {
        (!screen.to_lowercase().contains(words::WRITING)).then_some(())
    });
    alice.keys(keys::HAND);
    bob.wait_for("hand up", SOON);
    alice.keys(keys::CLAP);
    bob.wait_for("clap", SOON);
    bob.keys(keys::HANG_UP);
    bob.wait_for(words::GOES_ON, SOON);
    bob.keys(&["Enter"]);
    assert_restored(&bob, &at_bob);
    alice.wait_for(words::HUNG_UP, SOON);
    alice.wait_for(words::GOES_ON, SOON);
    alice.keys(&["Enter"]);
    alice.wait_for(words::LISTS, SOON);
    alice.keys(keys::QUIT);
    assert_restored(&alice, &at_alice);
}

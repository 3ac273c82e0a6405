//! The whole product in lines of text: no redraw, no decoration, nothing but sentences and words.

use crate::harness::{Home, MEASURED, Process, SOON, Server, Signal};

fn plain(home: &Home, server: &Server, args: &[&str]) -> Process {
    let mut all = args.to_vec();
    all.extend(["--plain", "--server", server.url()]);
    home.start(&all)
}

fn sending<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [args, &MEASURED].concat()
}

#[test]
fn a_whole_call_happens_in_sentences() {
    let (server, alices, bobs) = (Server::start(), Home::new(), Home::new());
    let mut alice = plain(&alices, &server, &sending(&["login", "--name", "alice"]));
    alice.wait_for_text("You are online as alice.", SOON);
    alice.wait_for_text("Nobody else is online.", SOON);

    let mut bob = plain(&bobs, &server, &sending(&["call", "alice", "--name", "bob"]));
    let ringing = alice.wait_for_text("bob is calling", SOON);
    assert!(ringing.contains("first contact") && ringing.contains("Type accept or decline"), "{ringing}");
    bob.wait_for_text("It rings.", SOON);
    alice.type_line("accept");
    let code = |line: String| {
        line.split("Verification code: ").nth(1).map(|rest| rest[..rest.find('.').unwrap()].to_owned())
    };
    let alices_code = code(alice.wait_for_text("Connected.", SOON)).unwrap();
    assert_eq!(Some(alices_code), code(bob.wait_for_text("Connected.", SOON)));

    bob.type_line("chat hello \u{1b}[2Jalice");
    alice.wait_for_text("They write: hello \u{fffd}[2Jalice", SOON);
    bob.wait_for_text("You wrote: hello", SOON);
    alice.type_line("mute");
    alice.wait_for_text("You send no sound.", SOON);
    bob.wait_for_text("The other side sends no sound.", SOON);
    alice.type_line("unmute");
    bob.wait_for_text("The other side sends sound again.", SOON);
    alice.type_line("camera off");
    bob.wait_for_text("The other side sends no picture.", SOON);

    bob.type_line("dance");
    bob.wait_for_text("Not done: \"dance\" is no word that is known here", SOON);
    bob.type_line("help");
    bob.wait_for_text("You can type: accept", SOON);
    bob.type_line("hangup");
    alice.wait_for_text("The call is over", SOON);
    bob.wait_for_text("result   ok", SOON);
    let ended = bob.finish(SOON).expect_code(0);
    assert!(!ended.stdout.contains('\u{1b}'), "no escape sequences in lines of text: {ended}");
    alice.type_line("quit");
    alice.finish(SOON).expect_code(0);
}

#[test]
fn who_is_online_is_told_and_so_is_what_changes() {
    let (server, alices, bobs) = (Server::start(), Home::new(), Home::new());
    let mut bob = plain(&bobs, &server, &["login", "--name", "bob"]);
    bob.wait_for_text("You are online as bob.", SOON);
    let mut alice = plain(&alices, &server, &["login", "--name", "alice"]);
    alice.wait_for_text("Online: bob (available).", SOON);
    bob.type_line("users ali");
    bob.wait_for_text("Online: alice (available).", SOON);
    bob.type_line("quit");
    bob.finish(SOON).expect_code(0);
    alice.wait_for_text("bob is offline.", SOON);
}

#[test]
fn two_people_need_no_server_when_one_of_them_hosts() {
    let (alices, bobs) = (Home::new(), Home::new());
    let login = ["login", "--name", "alice", "--plain", "--host=127.0.0.1:0", "--answer", "accept"];
    let mut alice = alices.start(&sending(&login));
    let told = alice.wait_for_text("letsmeet call alice --name YOU --server ws://127.0.0.1:", SOON);
    let url = told.rsplit(' ').next().unwrap();
    alice.wait_for_text("You are online as alice.", SOON);
    let call = ["call", "alice", "--name", "bob", "--headless", "--server", url, "--duration", "1s"];
    bobs.run(&sending(&call)).expect_code(0);
    alice.signal(Signal::Terminate);
    alice.finish(SOON).expect_code(0);
}

#[test]
fn an_address_that_is_taken_is_named() {
    let server = Server::start();
    let outcome = Home::new().run(&["login", "--name", "alice", &format!("--host={}", server.address())]);
    let outcome = outcome.expect_code(3);
    assert!(outcome.stderr.contains(&format!("cannot listen on {}", server.address())), "{outcome}");
}

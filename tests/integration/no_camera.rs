//! A machine without a camera, a display or the window that was named: a sentence that says what to do, and exit status 6.
//!
//! Where a camera is plugged in, the one that is asked for here is not.

use crate::harness::Home;

#[test]
fn a_camera_that_is_not_there_is_told_with_what_to_do() {
    let outcome = Home::new().run(&["preview", "--video", "camera:=no such camera"]).expect_code(6);
    assert!(outcome.says("cannot open camera \"no such camera\": "), "{outcome}");
    assert!(outcome.says("letsmeet devices") || outcome.says("plug one in"), "{outcome}");
}

#[cfg(target_os = "linux")]
#[test]
fn without_any_camera_preview_and_a_call_say_what_to_do() {
    if letsmeet::media::device::camera::list().is_ok_and(|cameras| !cameras.is_empty()) {
        // The sentence is that of a machine without one.
        return a_camera_that_is_not_there_is_told_with_what_to_do();
    }
    let home = Home::new();
    let words = "cannot open camera: there is no camera (plug one in, or take --video file:PATH, screen, pattern or none)";
    let outcome = home.run(&["preview", "--video", "camera"]).expect_code(6);
    assert!(outcome.says(words), "{outcome}");
    let call =
        ["call", "bob", "--name", "alice", "--server", "ws://127.0.0.1:9", "--headless", "--video", "camera"];
    assert!(home.run(&call).expect_code(6).says(words));
}

#[cfg(target_os = "linux")]
#[test]
fn without_a_display_sharing_says_what_to_do() {
    let home = Home::new();
    let mut command = home.command(&["preview", "--video", "screen"]);
    command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(6), "{said}");
    let words =
        "cannot open screen: there is no display (start letsmeet in a graphical session, or set DISPLAY)";
    assert!(said.contains(words), "{said}");
}

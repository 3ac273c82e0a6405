use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use super::*;

/// Gives what it was told to, one shot a look, and its last one for ever.
struct Script(Receiver<(u32, u32, u8)>, Option<(u32, u32, u8)>, bool);

impl Target for Script {
    fn shot(&mut self) -> Shot {
        match self.0.recv_timeout(Duration::from_millis(1)) {
            Ok(shot) => self.1 = Some(shot),
            Err(RecvTimeoutError::Disconnected) if self.2 => return Shot::Gone,
            Err(_) => {}
        }
        match self.1 {
            Some((0, ..)) | None => Shot::Hidden("minimised".to_owned()),
            Some((width, height, level)) => {
                Shot::Picture(width, height, vec![level; (width * height * 4) as usize])
            }
        }
    }
}

type Told = Arc<Mutex<Vec<String>>>;

fn share(shots: Receiver<(u32, u32, u8)>, wanted: (u32, u32)) -> (Result<Share, Error>, Told) {
    let told = Told::default();
    let notices: Notices = Arc::new({
        let told = told.clone();
        move |notice: Notice| told.lock().unwrap().push(notice.to_string())
    });
    let wanted = VideoFormat { width: wanted.0, height: wanted.1, fps: 100 };
    let name = "notes".to_owned();
    let target = move || Ok(Script(shots, None, true));
    (Share::start("screen \"notes\"".to_owned(), Kind::Window, name, wanted, notices, target), told)
}

/// The next picture of which `enough` says so.
fn until(share: &mut Share, mut enough: impl FnMut(&VideoFrame) -> bool) -> VideoFrame {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut pacer = Pacer::new(Instant::now(), 1_000);
    loop {
        assert!(Instant::now() < deadline, "no such picture came");
        let Some(index) = pacer.tick(Instant::now(), Duration::ZERO) else {
            thread::yield_now();
            continue;
        };
        if let Some(picture) = share.frame(index, WallTime(5)).unwrap().filter(&mut enough) {
            return picture;
        }
    }
}

#[test]
fn a_share_keeps_its_size_while_the_window_changes_its_own() {
    let (shots, script) = channel();
    shots.send((500, 251, 255)).unwrap();
    let (share, told) = share(script, (400, 400));
    let mut share = share.unwrap();
    assert_eq!((share.format().width, share.format().height), (400, 200));
    assert_eq!(share.content(), Content::Screen);
    let picture = until(&mut share, |picture| picture.y()[0] > 200);
    assert_eq!((picture.width(), picture.height(), picture.captured), (400, 200, WallTime(5)));
    shots.send((100, 100, 128)).unwrap();
    let picture = until(&mut share, |picture| picture.y()[100 * 400 + 200] < 200);
    assert_eq!((picture.width(), picture.height(), picture.y()[0]), (400, 200, 16));
    assert_eq!(*told.lock().unwrap(), ["window: notes"]);
}

#[test]
fn a_window_that_is_minimised_comes_back_and_one_that_closes_ends_the_share_once() {
    let (shots, script) = channel();
    shots.send((160, 90, 255)).unwrap();
    let (share, told) = share(script, (640, 360));
    let mut share = share.unwrap();
    assert_eq!((share.format().width, share.format().height), (160, 90), "never enlarged");
    shots.send((0, 0, 0)).unwrap();
    shots.send((160, 90, 0)).unwrap();
    until(&mut share, |picture| picture.y()[0] == 16);
    drop(shots);
    let ended = until(&mut share, |picture| picture.y()[0] == 48);
    assert_eq!((ended.width(), ended.height()), (160, 90));
    until(&mut share, |picture| picture.y() == ended.y());
    assert_eq!(*told.lock().unwrap(), ["window: notes", "window: the share of notes has ended"]);
}

#[test]
fn what_gives_no_picture_at_first_is_told_with_its_name() {
    let (shots, script) = channel();
    shots.send((0, 0, 0)).unwrap();
    let error = share(script, (640, 360)).0.err().unwrap();
    assert_eq!(error.to_string(), "cannot open screen \"notes\": it cannot be seen (minimised)");
}

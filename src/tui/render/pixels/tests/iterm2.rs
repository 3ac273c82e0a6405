//! The iTerm2 painter's sequences, parsed and decoded.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ratatui::layout::Rect;

use super::super::super::{CellSize, Painter, Quality, Settings};
use super::super::Iterm2;
use super::{moving, noise, psnr, rgb, settings, unwrapped};
use crate::media::VideoFrame;

const CELL: CellSize = CellSize { width: 8, height: 15 };

fn paint(painter: &mut Iterm2, frame: &VideoFrame, area: Rect, quality: Quality) -> Vec<u8> {
    let mut out = Vec::new();
    painter.update(frame, area, quality);
    painter.graphics(&mut out);
    out
}

/// The options and the picture of one file.
fn file(bytes: &[u8]) -> (String, image::RgbImage, usize) {
    let text = std::str::from_utf8(bytes).expect("text");
    let (_, body) = text.split_once("\x1b]1337;File=").expect("a file");
    let (options, data) = body.strip_suffix('\x07').expect("it ends").split_once(':').expect("data");
    let jpeg = STANDARD.decode(data).expect("base64");
    assert!(options.contains(&format!("size={}", jpeg.len())));
    (options.into(), image::load_from_memory(&jpeg).expect("a picture").to_rgb8(), jpeg.len())
}

#[test]
fn a_frame_is_a_jpeg_of_its_size_in_its_cells() {
    let frame = moving(160, 90, 0);
    let mut painter = Iterm2::new(&settings(CELL));
    let area = Rect::new(4, 2, 20, 6);
    let out = paint(&mut painter, &frame, area, Quality::default());
    assert!(String::from_utf8_lossy(&out).contains("\x1b[3;5H\x1b]1337;"));
    let (options, picture, _) = file(&out);
    for option in ["inline=1", "width=20", "height=6", "preserveAspectRatio=0", "doNotMoveCursor=1"] {
        assert!(options.split(';').any(|have| have == option), "{option}");
    }
    assert_eq!(picture.dimensions(), (160, 90));
    assert!(psnr(picture.as_raw(), &rgb(&frame)) > 30.0);
    assert!(paint(&mut painter, &frame, area, Quality::default()).is_empty());
}

#[test]
fn a_poor_link_gets_fewer_bytes() {
    let frame = noise(&moving(160, 90, 0), 1, 6);
    let area = Rect::new(0, 0, 20, 6);
    let bytes = |threshold, scale| {
        let out = paint(&mut Iterm2::new(&settings(CELL)), &frame, area, Quality { threshold, scale });
        let (options, _, bytes) = file(&out);
        assert!(options.contains("width=20;height=6"));
        bytes
    };
    assert!(bytes(64.0, 1.0) < bytes(16.0, 1.0));
    assert!(bytes(16.0, 1.0) < bytes(0.0, 1.0));
    assert!(bytes(16.0, 0.5) < bytes(16.0, 1.0) / 2);
    assert!(bytes(f32::NAN, f32::NAN) > 0);
}

#[test]
fn inside_tmux_it_is_wrapped_and_large_pictures_come_in_parts() {
    let tmux = Settings { tmux: true, ..settings(CELL) };
    let small =
        paint(&mut Iterm2::new(&tmux), &moving(160, 90, 0), Rect::new(0, 0, 20, 6), Quality::default());
    assert_eq!(file(&unwrapped(&small)).1.dimensions(), (160, 90));

    let frame = noise(&moving(1600, 1500, 0), 3, 60);
    let best = Quality { threshold: 0.0, scale: 1.0 };
    let large = paint(&mut Iterm2::new(&tmux), &frame, Rect::new(0, 0, 200, 100), best);
    assert!(large.split(|&byte| byte == 0x07).all(|part| part.len() < 1 << 20));
    let inner = String::from_utf8(unwrapped(&large)).expect("text");
    assert!(inner.contains("MultipartFile=inline=1") && inner.ends_with("\x1b]1337;FileEnd\x07"));
    let data: String = inner
        .split("\x1b]1337;FilePart=")
        .skip(1)
        .map(|part| part.split('\x07').next().expect("it ends"))
        .collect();
    let jpeg = STANDARD.decode(data).expect("base64");
    assert_eq!(image::load_from_memory(&jpeg).expect("a picture").width(), 1600);
}

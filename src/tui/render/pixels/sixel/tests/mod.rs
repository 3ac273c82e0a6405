//! What the painter writes, read back by a small terminal.

mod screen;

use proptest::prelude::*;
use ratatui::layout::Rect;

use super::super::super::{CellSize, Keeps, Painter, Quality, Settings};
use super::super::tests::{moving, noise, psnr, rgb, settings, still};
use super::Sixel;
use crate::media::VideoFrame;
use screen::Screen;

const CELL: CellSize = CellSize { width: 8, height: 15 };

fn quality(threshold: f32) -> Quality {
    Quality { threshold, scale: 1.0 }
}

fn paint(painter: &mut Sixel, frame: &VideoFrame, area: Rect, quality: Quality) -> Vec<u8> {
    let mut out = Vec::new();
    painter.update(frame, area, quality);
    painter.graphics(&mut out);
    out
}

#[test]
fn a_picture_is_shown_at_its_place_and_size() {
    let frame = moving(160, 90, 0);
    let mut painter = Sixel::new(&settings(CELL));
    // 20 x 6 cells are 160 x 90 pixels.
    let out = paint(&mut painter, &frame, Rect::new(4, 2, 20, 6), quality(0.0));
    let mut screen = Screen::new(160, 90);
    screen.feed(&out);
    assert_eq!(painter.area(), Rect::new(4, 2, 20, 6));
    assert_eq!((screen.at, screen.stated), ((5, 3), (160, 90)));
    assert!(psnr(&screen.rgb, &rgb(&frame)) > 35.0, "{}", psnr(&screen.rgb, &rgb(&frame)));
}

#[test]
fn another_decoder_sees_the_same_picture() {
    let frame = moving(160, 90, 3);
    let out = paint(&mut Sixel::new(&settings(CELL)), &frame, Rect::new(0, 0, 20, 6), quality(8.0));
    let mut screen = Screen::new(160, 90);
    screen.feed(&out);
    let start = out.windows(2).position(|two| two == b"\x1bP").expect("a sequence");
    let image = icy_sixel::SixelImage::decode(&out[start..]).expect("it decodes");
    assert_eq!(image.dimensions(), (160, 90));
    let theirs: Vec<u8> = image.pixels.chunks_exact(4).flat_map(|pixel| pixel[..3].to_vec()).collect();
    assert!(psnr(&screen.rgb, &theirs) > 50.0, "{}", psnr(&screen.rgb, &theirs));
}

#[test]
fn heights_that_are_no_whole_bands_stay_inside_their_cells() {
    let frame = moving(64, 48, 0);
    let mut painter = Sixel::new(&settings(CellSize { width: 8, height: 16 }));
    let mut screen = Screen::new(64, 48);
    // Three rows of 16 pixels are 48, four are 64 and leave four free, one row of 5 is less than a band.
    screen.feed(&paint(&mut painter, &frame, Rect::new(0, 0, 8, 3), quality(0.0)));
    assert_eq!(screen.stated, (64, 48));
    let mut screen = Screen::new(100, 100);
    screen.feed(&paint(&mut painter, &frame, Rect::new(0, 0, 11, 4), quality(0.0)));
    assert_eq!(screen.stated, (88, 60));
    let mut painter = Sixel::new(&settings(CellSize { width: 3, height: 5 }));
    screen.feed(&paint(&mut painter, &frame, Rect::new(0, 0, 2, 1), quality(0.0)));
    assert_eq!(screen.stated, (6, 5));
}

#[test]
fn an_identical_frame_sends_nothing() {
    let frame = moving(160, 90, 0);
    let area = Rect::new(0, 0, 20, 6);
    let mut painter = Sixel::new(&settings(CELL));
    assert!(!paint(&mut painter, &frame, area, quality(16.0)).is_empty());
    assert!(paint(&mut painter, &frame, area, quality(16.0)).is_empty());
    let mut again = Vec::new();
    painter.graphics(&mut again);
    assert!(again.is_empty());
}

#[test]
fn forgetting_paints_every_pixel_again() {
    let frame = moving(160, 90, 0);
    let area = Rect::new(0, 0, 20, 6);
    let mut painter = Sixel::new(&settings(CELL));
    paint(&mut painter, &frame, area, quality(16.0));
    painter.forget();
    let mut screen = Screen::new(160, 90);
    let mut out = Vec::new();
    // Also without a new frame: the next composition draws it.
    painter.graphics(&mut out);
    screen.feed(&out);
    assert!(screen.painted >= 160 * 90);
    assert!(psnr(&screen.rgb, &rgb(&frame)) > 35.0);
}

#[test]
fn terminals_that_keep_little_get_whole_pictures() {
    let area = Rect::new(0, 0, 20, 6);
    for (sixel_keeps, every) in [(Keeps::Nothing, 1), (Keeps::Shown, 25), (Keeps::Everything, 100)] {
        let mut painter = Sixel::new(&Settings { sixel_keeps, ..settings(CELL) });
        for number in 0..80 {
            let mut screen = Screen::new(160, 90);
            screen.feed(&paint(&mut painter, &moving(160, 90, number % 3), area, quality(16.0)));
            assert_eq!(screen.painted >= 160 * 90, number % every == 0, "{sixel_keeps:?} {number}");
        }
    }
}

#[test]
fn changes_that_are_not_worth_sending_make_no_whole_picture() {
    let area = Rect::new(0, 0, 20, 6);
    let mut painter = Sixel::new(&Settings { sixel_keeps: Keeps::Nothing, ..settings(CELL) });
    let first = noise(&still(160, 90), 0, 1);
    assert!(!paint(&mut painter, &first, area, quality(200.0)).is_empty());
    assert!(paint(&mut painter, &noise(&still(160, 90), 1, 1), area, quality(200.0)).is_empty());
    assert!(!paint(&mut painter, &moving(160, 90, 1), area, quality(200.0)).is_empty());
}

#[test]
fn a_picture_that_comes_to_rest_is_sent_whole_once_where_only_the_screen_keeps_it() {
    let area = Rect::new(0, 0, 20, 6);
    let mut painter = Sixel::new(&Settings { sixel_keeps: Keeps::Shown, ..settings(CELL) });
    let mut whole = 0;
    for number in 0..100 {
        let mut screen = Screen::new(160, 90);
        screen.feed(&paint(&mut painter, &moving(160, 90, number.min(5)), area, quality(16.0)));
        whole += usize::from(screen.painted >= 160 * 90);
    }
    assert_eq!(whole, 2);
}

#[test]
fn pictures_are_no_larger_than_xterm_shows() {
    let frame = moving(160, 90, 0);
    for (sixel_keeps, stated) in [(Keeps::Shown, (1000, 570)), (Keeps::Everything, (1200, 672))] {
        let mut painter = Sixel::new(&Settings { sixel_keeps, ..settings(CELL) });
        let mut screen = Screen::new(1200, 1200);
        screen.feed(&paint(&mut painter, &frame, Rect::new(0, 0, 150, 80), quality(16.0)));
        assert_eq!(screen.stated, stated, "{sixel_keeps:?}");
    }
}

#[test]
fn noise_on_a_still_background_costs_few_bytes() {
    let area = Rect::new(0, 0, 20, 6);
    let mut painter = Sixel::new(&settings(CELL));
    let mut screen = Screen::new(160, 90);
    let whole = paint(&mut painter, &noise(&still(160, 90), 0, 1), area, quality(16.0));
    screen.feed(&whole);
    for seed in 1..20 {
        let frame = noise(&still(160, 90), seed, 1);
        let out = paint(&mut painter, &frame, area, quality(16.0));
        screen.feed(&out);
        assert!(out.len() < whole.len() / 2, "{} of {} bytes", out.len(), whole.len());
        assert!(psnr(&screen.rgb, &rgb(&frame)) > 35.0);
    }
}

#[test]
fn another_scene_gets_another_palette() {
    let area = Rect::new(0, 0, 20, 6);
    let mut painter = Sixel::new(&settings(CELL));
    let mut screen = Screen::new(160, 90);
    screen.feed(&paint(
        &mut painter,
        &VideoFrame::black(160, 90, crate::media::WallTime(0)),
        area,
        quality(16.0),
    ));
    let frame = moving(160, 90, 0);
    screen.feed(&paint(&mut painter, &frame, area, quality(16.0)));
    assert!(psnr(&screen.rgb, &rgb(&frame)) > 33.0, "{}", psnr(&screen.rgb, &rgb(&frame)));
}

#[test]
fn few_registers_are_respected() {
    for most in [0, 2, 16, 1024] {
        let mut settings = settings(CELL);
        settings.sixel_colours = most;
        let out =
            paint(&mut Sixel::new(&settings), &moving(160, 90, 0), Rect::new(0, 0, 20, 6), quality(0.0));
        let mut screen = Screen::new(160, 90);
        screen.feed(&out);
        let mut colours: Vec<&[u8]> = screen.rgb.chunks_exact(3).collect();
        colours.sort_unstable();
        colours.dedup();
        assert!(colours.len() <= usize::from(most).clamp(2, 256), "{} of {most}", colours.len());
    }
}

#[test]
fn inside_tmux_the_sequence_is_wrapped() {
    let mut settings = settings(CELL);
    settings.tmux = true;
    let wrapped = paint(&mut Sixel::new(&settings), &moving(32, 30, 0), Rect::new(1, 1, 4, 2), quality(0.0));
    settings.tmux = false;
    let plain = paint(&mut Sixel::new(&settings), &moving(32, 30, 0), Rect::new(1, 1, 4, 2), quality(0.0));
    assert_eq!(super::super::tests::unwrapped(&wrapped), plain);
}

#[test]
fn a_picture_that_moves_frees_its_cells() {
    let frame = moving(160, 90, 0);
    let mut painter = Sixel::new(&settings(CELL));
    paint(&mut painter, &frame, Rect::new(0, 0, 20, 6), quality(0.0));
    let out = paint(&mut painter, &frame, Rect::new(0, 0, 20, 6), Quality { threshold: 0.0, scale: 0.5 });
    let text = String::from_utf8_lossy(&out);
    assert!(text.starts_with("\x1b7\x1b[m\x1b[1;1H\x1b[20X"), "{:?}", &text[..40]);
    let mut gone = Vec::new();
    painter.remove(&mut gone);
    assert!(String::from_utf8_lossy(&gone).contains("\x1b[2;6H\x1b[10X"), "{gone:?}");
    gone.clear();
    painter.remove(&mut gone);
    assert!(gone.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_frames_are_shown_within_what_may_be_held(
        (width, height) in (1_u32..80, 1_u32..80),
        (columns, rows) in (0_u16..12, 0_u16..6),
        cell in (1_u16..12, 1_u16..20),
        threshold in prop_oneof![Just(0.0_f32), 0.0_f32..200.0],
        colours in 0_u16..300,
        seeds in prop::collection::vec(0_u64..1000, 1..6),
    ) {
        let cell = CellSize { width: cell.0, height: cell.1 };
        let mut settings = settings(cell);
        settings.sixel_colours = colours;
        let mut painter = Sixel::new(&settings);
        let mut screen = Screen::new(160, 160);
        let area = Rect::new(3, 5, columns, rows);
        for seed in seeds {
            let frame = noise(&moving(width, height, seed), seed, 8);
            screen.feed(&paint(&mut painter, &frame, area, quality(threshold)));
            prop_assert_eq!(painter.area().intersection(area), painter.area());
            // What the painter takes for shown is what the terminal shows.
            let (width, height) = (painter.picture.width(), painter.picture.height());
            let Some(learnt) = &painter.palette else {
                prop_assert!(painter.area().is_empty());
                continue;
            };
            for (at, &number) in painter.shown.iter().enumerate() {
                let pixel = &screen.rgb[3 * (at / width * 160 + at % width)..][..3];
                prop_assert_eq!(pixel, &learnt.palette.colours()[usize::from(number)][..]);
            }
            prop_assert!(width <= usize::from(columns * cell.width) && height <= usize::from(rows * cell.height));
            // And no pixel is further from what it should be than its nearest colour and the price of a lone pixel.
            let allowed = 8 * threshold as i32;
            for top in (0..height).step_by(6) {
                let rows = 6.min(height - top);
                let shown = &painter.shown[top * width..(top + rows) * width];
                painter.rows.prepare(&painter.picture, top, shown, true, learnt, &mut painter.nearest);
                for (at, &number) in shown.iter().enumerate() {
                    let wanted = [painter.rows.red[at], painter.rows.green[at], painter.rows.blue[at]];
                    let error = |colour: u8| -> i32 {
                        let colour = learnt.palette.colours()[usize::from(colour)];
                        colour.iter().zip(wanted).map(|(&a, b)| (i32::from(a) - i32::from(b)).pow(2)).sum()
                    };
                    let (held, best) = (error(number), error(painter.rows.nearest[at]));
                    prop_assert!(held <= best + allowed, "{} against {} and {}", held, best, allowed);
                }
            }
        }
    }
}

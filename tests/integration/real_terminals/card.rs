//! A film that comes to rest on a still picture which finds itself on a screen: a magenta frame around halves that differ in
//! every colour, in both directions, with a gradient and a slanted edge. What a screenshot shows inside the frame is
//! compared with the still.

use std::io::Write;
use std::path::Path;

use image::{Rgb, RgbImage};

/// Pixels of the picture, 16:9.
pub(super) const SIZE: (u32, u32) = (320, 180);

/// The frame is this wide, in parts of the height.
const FRAME: f32 = 0.11;

/// Pictures a second of the film.
const FPS: u32 = 15;

/// Pictures that move before it comes to rest: 6 s, so that slow terminals draw 60 of them. The frame and the left part stand still
/// all the time: they show whether a terminal keeps what it has.
const MOVING: u32 = 90;

/// Pictures that rest; then the film begins again.
const RESTING: u32 = 20 * FPS;

/// Fields that are compared: each is a mean, so that modes with coarse cells are judged by colour and place alone.
const FIELDS: (u32, u32) = (24, 12);

/// A part of a screenshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) left: u32,
    pub(super) top: u32,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// The picture at a point, each coordinate 0 to 1.
fn colour(x: f32, y: f32) -> [f32; 3] {
    let edge = FRAME * SIZE.1 as f32 / SIZE.0 as f32;
    if x < edge || x >= 1.0 - edge || !(FRAME..1.0 - FRAME).contains(&y) {
        return [255.0, 0.0, 255.0];
    }
    let along = x * 160.0;
    match (x < 0.4, y < 0.5) {
        (true, true) => [200.0, 40.0 + along, 20.0],
        (true, false) => [20.0, 60.0, 90.0 + along],
        (false, true) if x + y < 1.1 => [30.0, 170.0, 60.0],
        (false, true) => [235.0, 235.0, 225.0],
        (false, false) => [10.0 + along, 20.0 + along, 30.0],
    }
}

/// The film at a time before it rests, counted in pictures.
fn moving(number: u32, x: f32, y: f32) -> [f32; 3] {
    let still = colour(x, y);
    if x < 0.4 || still == [255.0, 0.0, 255.0] {
        return still;
    }
    let bar = 0.4 + 0.6 * (number * 7 % MOVING) as f32 / MOVING as f32;
    if (x - bar).abs() < 0.06 {
        return [250.0, 220.0, 40.0];
    }
    [100.0 - number as f32, 30.0 + 120.0 * y, 120.0 + number as f32]
}

/// The picture itself.
pub(super) fn picture() -> RgbImage {
    RgbImage::from_fn(SIZE.0, SIZE.1, |x, y| {
        let [r, g, b] = colour((x as f32 + 0.5) / SIZE.0 as f32, (y as f32 + 0.5) / SIZE.1 as f32);
        Rgb([r as u8, g as u8, b as u8])
    })
}

/// Writes the film (Y4M, BT.601 limited range).
pub(super) fn write(path: &Path) {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).expect("a new file"));
    writeln!(file, "YUV4MPEG2 W{} H{} F{FPS}:1 Ip A1:1 C420jpeg", SIZE.0, SIZE.1).expect("a header");
    for number in 0..MOVING {
        let picture = RgbImage::from_fn(SIZE.0, SIZE.1, |x, y| {
            let at = ((x as f32 + 0.5) / SIZE.0 as f32, (y as f32 + 0.5) / SIZE.1 as f32);
            Rgb(moving(number, at.0, at.1).map(|value| value as u8))
        });
        file.write_all(&frame(&picture)).expect("a frame");
    }
    let rest = frame(&picture());
    (0..RESTING).for_each(|_| file.write_all(&rest).expect("a frame"));
}

/// A picture as a frame of the film.
fn frame(picture: &RgbImage) -> Vec<u8> {
    let yuv = |x: u32, y: u32| {
        let [r, g, b] = picture.get_pixel(x, y).0.map(f32::from);
        let luma = 16.0 + 0.257 * r + 0.504 * g + 0.098 * b;
        let blue = 128.0 - 0.148 * r - 0.291 * g + 0.439 * b;
        let red = 128.0 + 0.439 * r - 0.368 * g - 0.071 * b;
        [luma, blue, red].map(|value| value.round() as u8)
    };
    let mut planes: [Vec<u8>; 3] = Default::default();
    for y in 0..SIZE.1 {
        for x in 0..SIZE.0 {
            let [luma, blue, red] = yuv(x, y);
            planes[0].push(luma);
            if x % 2 == 0 && y % 2 == 0 {
                planes[1].push(blue);
                planes[2].push(red);
            }
        }
    }
    [b"FRAME\n".to_vec(), planes.concat()].concat()
}

/// Where the magenta frame lies; `None` when there is none of any size.
pub(super) fn find(screen: &RgbImage) -> Option<Area> {
    let is_frame = |pixel: &Rgb<u8>| pixel[0] > 190 && pixel[1] < 80 && pixel[2] > 190;
    let (mut left, mut top, mut right, mut bottom) = (u32::MAX, u32::MAX, 0, 0);
    for (x, y, _) in screen.enumerate_pixels().filter(|(_, _, pixel)| is_frame(pixel)) {
        (left, right) = (left.min(x), right.max(x + 1));
        (top, bottom) = (top.min(y), bottom.max(y + 1));
    }
    let area = Area { left, top, width: right.checked_sub(left)?, height: bottom.checked_sub(top)? };
    (area.width > 100 && area.height > 50).then_some(area)
}

/// How far the screen is from the picture inside `area`: the mean and the largest difference of a field, of 255.
pub(super) fn difference(screen: &RgbImage, area: Area) -> (f32, f32) {
    let picture = picture();
    let whole = Area { left: 0, top: 0, width: SIZE.0, height: SIZE.1 };
    let (mut sum, mut worst) = (0.0, 0.0f32);
    for row in 0..FIELDS.1 {
        for column in 0..FIELDS.0 {
            let (shown, wanted) = (mean(screen, area, column, row), mean(&picture, whole, column, row));
            let off = (0..3).map(|index| (shown[index] - wanted[index]).abs()).sum::<f32>() / 3.0;
            sum += off;
            worst = worst.max(off);
        }
    }
    (sum / (FIELDS.0 * FIELDS.1) as f32, worst)
}

/// The part of the pixels inside `area` that have a colour which is not the picture's at all, away from its edges.
pub(super) fn specks(screen: &RgbImage, area: Area) -> f32 {
    let (mut wrong, mut count) = (0, 0);
    for y in 0..area.height {
        for x in 0..area.width {
            let at = ((x as f32 + 0.5) / area.width as f32, (y as f32 + 0.5) / area.height as f32);
            let wanted = colour(at.0, at.1);
            let far = |other: [f32; 3], limit: f32| (0..3).any(|i| (other[i] - wanted[i]).abs() > limit);
            let near_edge = [(-1.0, -1.0), (-1.0, 1.0), (1.0, -1.0), (1.0, 1.0)]
                .into_iter()
                .any(|(dx, dy)| far(colour(at.0 + 0.015 * dx, at.1 + 0.025 * dy), 30.0));
            if near_edge {
                continue;
            }
            count += 1;
            let pixel = screen.get_pixel(area.left + x, area.top + y).0;
            wrong += u32::from(far(pixel.map(f32::from), 60.0));
        }
    }
    wrong as f32 / count.max(1) as f32
}

/// The mean colour of a field of `area`.
fn mean(image: &RgbImage, area: Area, column: u32, row: u32) -> [f32; 3] {
    let across = area.left + area.width * column / FIELDS.0..area.left + area.width * (column + 1) / FIELDS.0;
    let down = area.top + area.height * row / FIELDS.1..area.top + area.height * (row + 1) / FIELDS.1;
    let (mut sum, mut count) = ([0.0; 3], 0.0);
    for y in down {
        for x in across.clone() {
            for (sum, value) in sum.iter_mut().zip(image.get_pixel(x, y).0) {
                *sum += f32::from(value);
            }
            count += 1.0;
        }
    }
    sum.map(|sum| sum / count)
}

/// The picture at a place on a screen of another colour, changed by `change`.
fn screen(change: impl Fn(Rgb<u8>) -> Rgb<u8>, wide: u32, high: u32) -> RgbImage {
    let picture = picture();
    RgbImage::from_fn(700, 500, |x, y| {
        let (x, y) = (x.wrapping_sub(60), y.wrapping_sub(40));
        if x < wide && y < high {
            change(*picture.get_pixel(x * SIZE.0 / wide, y * SIZE.1 / high))
        } else {
            Rgb([20, 20, 20])
        }
    })
}

#[test]
fn the_comparison_accepts_the_picture_and_finds_wrong_colours_and_places() {
    let right = screen(|pixel| pixel, 512, 288);
    let area = find(&right).expect("the frame");
    assert_eq!(area, Area { left: 60, top: 40, width: 512, height: 288 });
    assert!(difference(&right, area).0 < 2.0);
    assert!(specks(&right, area) < 0.001, "{}", specks(&right, area));

    let mut specked = right.clone();
    (0..200).for_each(|at| specked.put_pixel(120 + at, 60 + at % 50, Rgb([0, 0, 255])));
    assert!(specks(&specked, area) > 0.001, "{}", specks(&specked, area));

    let swapped = screen(|Rgb([r, g, b])| Rgb([b, g, r]), 512, 288);
    assert!(difference(&swapped, find(&swapped).expect("the frame")).0 > 30.0);
    let shifted = Area { left: area.left + 24, ..area };
    assert!(difference(&right, shifted).0 > 14.0, "{:?}", difference(&right, shifted));
    let upside_down = image::imageops::flip_vertical(&right);
    assert!(difference(&upside_down, find(&upside_down).expect("the frame")).0 > 30.0);
}

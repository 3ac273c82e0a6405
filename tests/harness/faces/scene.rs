//! One scene: a person, a case and a seed make pictures and say when a hand is on the face.
//!
//! Owns the time line: the first four seconds are always the face alone, then the case happens.

use std::f32::consts::{PI, TAU};

use letsmeet::media::{VideoFrame, WallTime};

use super::case::{Case, Hand};
use super::hand::{Look, Place, Pose};
use super::{Dice, Person, Photo};

/// Pixels a row.
pub const WIDTH: usize = 320;
/// Rows.
pub const HEIGHT: usize = 180;
/// Pictures a second.
pub const FPS: u32 = 5;

/// The case begins.
const BEGIN: f32 = 4.0;
/// A hand is where it goes after this, and leaves it as long before the end.
const MOVE: f32 = 0.8;
/// A hand leaves the face.
const LEAVE: f32 = 9.6;
/// The scene is over.
const END: f32 = 12.0;

/// Pictures of one case, one after the other.
pub struct Scene {
    photo: Photo,
    /// In pixels of the scene.
    face: (f32, f32, f32),
    case: Case,
    look: Look,
    dice: Dice,
    /// Where in its swings the scene begins.
    phase: f32,
    /// How strongly things happen, about 1.
    strength: f32,
    mirrored: bool,
    next: u32,
}

/// How the head is at a moment.
#[derive(Default)]
struct Head {
    /// In sizes of the face.
    across: f32,
    down: f32,
    grow: f32,
    /// In radians.
    yaw: f32,
    pitch: f32,
    roll: f32,
    /// 0 to 1.
    mouth: f32,
}

/// How the light is at a moment.
struct Light {
    gain: f32,
    /// How much brighter the right side is.
    ramp: f32,
    /// Warmer than usual.
    warm: f32,
}

impl Scene {
    /// Makes a scene ready.
    pub fn new(person: &Person, case: Case, seed: u64) -> Self {
        let name =
            person.name.bytes().fold(7u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
        let mut dice = Dice::new(seed ^ name ^ (case.name().len() as u64) << 32);
        let photo = Photo::read(person.name);
        let scale = WIDTH as f32 / photo.width as f32;
        let (x, y, size) = person.face;
        let cheeks = photo.colour(x, y + size * 0.05, size * 0.3);
        Self {
            look: Look::new(cheeks, &mut dice),
            phase: dice.between(0.0, TAU),
            strength: dice.between(0.8, 1.2),
            mirrored: dice.roll() < 0.5,
            dice,
            photo,
            face: (x * scale, y * scale, size * scale),
            case,
            next: 0,
        }
    }

    /// Whether a hand is on the face at a time.
    pub fn is_covered(&self, at: f32) -> bool {
        matches!(self.case, Case::On(_)) && (BEGIN + MOVE..LEAVE).contains(&at)
    }

    /// The picture at a time in seconds.
    fn draw(&mut self, at: f32) -> VideoFrame {
        let active = at >= BEGIN;
        let head = self.head(at, active);
        let mut pixels = self.warp(&head);
        let moved = (
            self.face.0 + head.across * self.face.2,
            self.face.1 + head.down * self.face.2,
            self.face.2 * (1.0 + head.grow),
        );
        for place in self.hands(at, moved) {
            self.look.paint(place, self.face.2, (WIDTH, HEIGHT), &mut pixels);
        }
        let light = self.light(at, active);
        for (index, pixel) in pixels.iter_mut().enumerate() {
            let across = ((index % WIDTH) as f32 - moved.0) / self.face.2;
            let gain = light.gain * (1.0 + light.ramp * (across / 1.2).clamp(-1.0, 1.0));
            pixel[0] *= gain * (1.0 + light.warm);
            pixel[1] *= gain;
            pixel[2] *= gain * (1.0 - light.warm);
        }
        frame(&pixels, &mut self.dice, at)
    }

    fn head(&self, at: f32, active: bool) -> Head {
        let swing = |seconds: f32| ((at - BEGIN) / seconds * TAU).sin() * self.strength;
        let slow = |seconds: f32| (at / seconds * TAU + self.phase).sin();
        let mut head = Head {
            across: 0.012 * slow(3.1),
            down: 0.010 * slow(4.3),
            grow: 0.004 * slow(5.9),
            ..Head::default()
        };
        // Half closed to open and back, as syllables are.
        let talk = (0.5 + 0.5 * (at * TAU * 2.3 + self.phase).sin()) * (0.6 + 0.4 * slow(1.7).abs());
        if active {
            match self.case {
                Case::Sway => {
                    head.across += 0.12 * swing(3.0);
                    head.down += 0.05 * swing(2.1);
                }
                Case::Turn => head.yaw = 0.44 * swing(4.0),
                Case::Nod => head.pitch = 0.26 * swing(1.8),
                Case::Lean => head.grow += 0.15 * swing(4.0),
                Case::Tilt => head.roll = 0.17 * swing(3.0),
                Case::Talk => head.mouth = talk,
                Case::Lively | Case::On(Hand::LivelyCheek) => {
                    head.mouth = talk;
                    head.across += 0.07 * swing(2.7);
                    head.yaw = 0.20 * swing(3.7);
                    head.roll = 0.05 * swing(5.1);
                }
                _ => {}
            }
        }
        head
    }

    fn light(&self, at: f32, active: bool) -> Light {
        let swing = |seconds: f32| ((at - BEGIN) / seconds * TAU).sin() * self.strength;
        let mut light = Light { gain: 0.92, ramp: 0.0, warm: 0.0 };
        if active {
            match self.case {
                Case::Dim | Case::On(Hand::DimMouth) => light.gain *= 1.0 - 0.30 * swing(4.0),
                Case::Switch if (at - BEGIN) % 3.0 < 1.5 => light.gain *= 0.5,
                Case::Tint => light.warm = 0.10 * swing(4.0),
                Case::SideLight => light.ramp = 0.45 * swing(4.0),
                _ => {}
            }
        }
        light
    }

    /// The photograph with the head moved; what is far from the head stays.
    fn warp(&self, head: &Head) -> Vec<[f32; 3]> {
        let scale = self.photo.width as f32 / WIDTH as f32;
        let (middle_x, middle_y, size) = self.face;
        let mut pixels = Vec::with_capacity(WIDTH * HEIGHT);
        for row in 0..HEIGHT {
            for column in 0..WIDTH {
                // In sizes of the face, from its middle.
                let (u, v) = ((column as f32 - middle_x) / size, (row as f32 - middle_y) / size);
                let far = (u / 0.95).hypot((v - 0.1) / 1.25);
                let with = 1.0 - smooth((far - 0.75) / 0.75);
                let (mut x, mut y) = (u - head.across, v - head.down);
                (x, y) = (x / (1.0 + head.grow), y / (1.0 + head.grow));
                let (sin, cos) = head.roll.sin_cos();
                let low = y - 0.8;
                (x, y) = (x * cos + low * sin, 0.8 - x * sin + low * cos);
                x = turned(x, 0.72, head.yaw);
                y = turned(y, 0.95, head.pitch);
                let mouth = head.mouth * 0.11;
                let mouth_x = x / 0.30;
                // The jaw goes down, most at the chin's middle; between the lips it is dark.
                let jaw = (1.0 - mouth_x * mouth_x).max(0.0)
                    * smooth((y - 0.25) / 0.15)
                    * (1.0 - smooth((y - 0.7) / 0.25));
                let open = mouth_x.hypot((y - 0.345) / (mouth * 0.75).max(1e-3)) < 0.55 && mouth > 0.02;
                y -= mouth * jaw;
                let (x, y) = (u + (x - u) * with, v + (y - v) * with);
                let mut colour = self.photo.at((middle_x + x * size) * scale, (middle_y + y * size) * scale);
                if open {
                    colour = [colour[0] * 0.3 + 18.0, colour[1] * 0.2 + 8.0, colour[2] * 0.2 + 8.0];
                }
                pixels.push(colour);
            }
        }
        pixels
    }

    /// The hands that are in the picture at a time; the face is where it is by now.
    fn hands(&self, at: f32, face: (f32, f32, f32)) -> Vec<Place> {
        let since = at - BEGIN;
        if since < 0.0 {
            return Vec::new();
        }
        let side = if self.mirrored { -1.0 } else { 1.0 };
        let jitter = 0.02 * (at * 5.0 + self.phase).sin();
        let place = |(x, y): (f32, f32), turn: f32, mirrored: bool, pose: Pose| Place {
            x: face.0 + x * self.face.2,
            y: face.1 + y * self.face.2,
            turn,
            mirrored,
            pose,
        };
        let hand = match self.case {
            Case::Beside => ((side * 1.25, 0.25), side * 0.15, side > 0.0, Pose::Flat),
            Case::Below => {
                let swing = (at * TAU / 1.6).sin();
                return vec![
                    place((-0.9 + 0.2 * swing, 1.75 + 0.15 * swing), 0.5, false, Pose::Flat),
                    place((0.9 - 0.2 * swing, 1.8 - 0.15 * swing), -0.5, true, Pose::Flat),
                ];
            }
            Case::PassHand => {
                let pass = (since % 2.5) / 0.5;
                if pass > 1.0 {
                    return Vec::new();
                }
                return vec![place((side * (2.4 - 4.8 * pass), 0.4), 0.0, false, Pose::Flat)];
            }
            Case::BallBeside => {
                let pass = (since % 3.0) / 3.0;
                return vec![place((side * 1.35, -1.6 + 4.0 * pass), 0.0, false, Pose::Ball)];
            }
            Case::BallAcross => {
                let pass = (since % 3.0) / 1.2;
                return vec![place((side * (2.6 - 5.2 * pass), 0.1), 0.0, false, Pose::Ball)];
            }
            Case::On(hand) => match hand {
                Hand::LeftCheek => ((-0.50, 0.30), 0.18, false, Pose::Flat),
                Hand::RightCheek | Hand::LivelyCheek => ((0.50, 0.30), -0.18, true, Pose::Flat),
                Hand::Mouth | Hand::DimMouth => ((side * 0.15, 0.50), side * -0.7, side > 0.0, Pose::Flat),
                Hand::Chin => ((side * 0.10, 0.78), 0.0, side > 0.0, Pose::Fist),
                Hand::Forehead => ((side * 0.25, -0.42), side * -1.2, side > 0.0, Pose::Flat),
                Hand::Eye => ((side * 0.30, 0.05), side * -0.3, side > 0.0, Pose::Fist),
                Hand::Nose => ((side * 0.22, 0.80), side * -0.05, side < 0.0, Pose::Point),
                Hand::RealCheek => ((side * 0.45, 0.25), side * -0.2, side > 0.0, Pose::Photographed),
                Hand::RealMouth => ((side * 0.10, 0.45), side * -0.8, side > 0.0, Pose::Photographed),
                Hand::RealChin => ((side * 0.10, 0.75), side * -0.4, side > 0.0, Pose::Photographed),
            },
            _ => return Vec::new(),
        };
        let ((to_x, to_y), turn, mirrored, pose) = hand;
        // From below and outside to its place, and back.
        let there = smooth(since / MOVE).min(smooth((LEAVE + MOVE - at) / MOVE));
        if there <= 0.0 {
            return Vec::new();
        }
        let from = (to_x + to_x.signum() * 0.8, 3.0);
        let at = (from.0 + (to_x - from.0) * there + jitter, from.1 + (to_y - from.1) * there + jitter * 0.6);
        vec![place(at, turn + jitter, mirrored, pose)]
    }
}

impl Iterator for Scene {
    /// The time in seconds, the picture, and whether a hand is on the face in it.
    type Item = (f32, VideoFrame, bool);

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.next as f32 / FPS as f32;
        self.next += 1;
        (at < END).then(|| (at, self.draw(at), self.is_covered(at)))
    }
}

/// 0 before 0, 1 from 1 on, smooth between.
fn smooth(at: f32) -> f32 {
    let at = at.clamp(0.0, 1.0);
    at * at * (3.0 - 2.0 * at)
}

/// Where on a head of this radius something was before the head turned: as on a cylinder.
fn turned(at: f32, radius: f32, angle: f32) -> f32 {
    if angle == 0.0 {
        return at;
    }
    let seen = (at / radius).clamp(-1.0, 1.0);
    let before = (seen.asin() - angle).clamp(-PI / 2.0, PI / 2.0).sin() * radius;
    at + (before - seen * radius)
}

/// The picture as a camera gives it: with noise, in I420.
fn frame(pixels: &[[f32; 3]], dice: &mut Dice, at: f32) -> VideoFrame {
    let mut frame = VideoFrame::black(WIDTH as u32, HEIGHT as u32, WallTime((at * 1e6) as u64));
    let (luma, blue, red) = frame.planes_mut();
    let byte = |value: f32| value.round().clamp(0.0, 255.0) as u8;
    for (out, [r, g, b]) in luma.iter_mut().zip(pixels) {
        let noise = (dice.roll() + dice.roll() + dice.roll() - 1.5) * 5.0;
        *out = byte(16.0 + 0.257 * r.min(255.0) + 0.504 * g.min(255.0) + 0.098 * b.min(255.0) + noise);
    }
    for row in 0..HEIGHT / 2 {
        for column in 0..WIDTH / 2 {
            let mut sum = [0.0f32; 3];
            for (x, y) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                let pixel = pixels[(row * 2 + y) * WIDTH + column * 2 + x];
                sum.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += value.min(255.0) / 4.0);
            }
            let [r, g, b] = sum;
            let noise = (dice.roll() - 0.5) * 4.0;
            blue[row * WIDTH / 2 + column] = byte(128.0 - 0.148 * r - 0.291 * g + 0.439 * b + noise);
            red[row * WIDTH / 2 + column] = byte(128.0 + 0.439 * r - 0.368 * g - 0.071 * b - noise);
        }
    }
    frame
}

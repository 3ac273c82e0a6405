//! The labelled set of the hand-on-face alert: short scenes, made from a few photographs, of which is known when a hand is on the face.
//!
//! Owns the photographs (tests/data/alert), the cases and the pictures made of both; the same seed makes the same scene to the byte. Used
//! by the tests, the bench and the table of docs/alert.md, so it is a module of its own that needs nothing of the harness.

mod case;
mod hand;
mod judge;
mod scene;

use std::path::Path;

pub use case::{Case, Hand};
pub use judge::{Tally, judge};
pub use scene::{FPS, HEIGHT, Scene, WIDTH};

/// Who is in a photograph, and where.
#[derive(Debug, Clone, Copy)]
pub struct Person {
    /// The photograph's name.
    pub name: &'static str,
    /// The middle of the square from brows to chin and its side, in pixels of the photograph.
    pub face: (f32, f32, f32),
    /// The set: this person's scenes were looked at while the alert was made, or are only judged by.
    pub tuning: bool,
}

/// Everybody.
pub const PEOPLE: [Person; 4] = [
    Person { name: "collins", face: (279.0, 132.0, 116.0), tuning: true },
    Person { name: "biden", face: (320.0, 156.0, 150.0), tuning: true },
    Person { name: "hopper", face: (332.0, 155.0, 163.0), tuning: false },
    Person { name: "obama", face: (320.0, 120.0, 150.0), tuning: false },
];

/// A photograph in memory: red, green and blue, 0 to 255.
pub struct Photo {
    width: usize,
    height: usize,
    pixels: Vec<[f32; 3]>,
}

impl Photo {
    /// Reads one of tests/data/alert.
    pub fn read(name: &str) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/alert/{name}.jpg"));
        let image =
            image::open(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())).to_rgb8();
        let pixels = image.pixels().map(|pixel| pixel.0.map(f32::from)).collect();
        Self { width: image.width() as usize, height: image.height() as usize, pixels }
    }

    /// The colour between pixels; what lies outside repeats the edge.
    fn at(&self, x: f32, y: f32) -> [f32; 3] {
        let x = x.clamp(0.0, (self.width - 1) as f32);
        let y = y.clamp(0.0, (self.height - 1) as f32);
        let (left, top) = (x as usize, y as usize);
        let (right, bottom) = ((left + 1).min(self.width - 1), (top + 1).min(self.height - 1));
        let (across, down) = (x - left as f32, y - top as f32);
        let pixel = |x: usize, y: usize| self.pixels[y * self.width + x];
        let (a, b, c, d) = (pixel(left, top), pixel(right, top), pixel(left, bottom), pixel(right, bottom));
        std::array::from_fn(|n| {
            let upper = a[n] + (b[n] - a[n]) * across;
            let lower = c[n] + (d[n] - c[n]) * across;
            upper + (lower - upper) * down
        })
    }

    /// The middle colour of a circle.
    fn colour(&self, x: f32, y: f32, radius: f32) -> [f32; 3] {
        let mut found: [Vec<f32>; 3] = Default::default();
        for step in 0..400 {
            let (turn, far) = (step as f32 * 2.399, (step as f32 / 400.0).sqrt() * radius);
            let colour = self.at(x + far * turn.cos(), y + far * turn.sin());
            found.iter_mut().zip(colour).for_each(|(all, one)| all.push(one));
        }
        found.map(|mut all| {
            all.sort_by(f32::total_cmp);
            all[all.len() / 2]
        })
    }
}

/// Numbers that look random and are the same each time (splitmix64).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Begins with a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x51ed_270b)
    }

    /// 0 to 1.
    pub fn roll(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 40) as f32 / (1u64 << 24) as f32
    }

    /// Between two numbers.
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.roll()
    }
}

//! A hand in front of a picture: drawn of rounded pieces in the person's own skin colour, or cut out of a photograph.
//!
//! Owns the shapes and how they are lit. Lengths are in sizes of the face.

use super::{Dice, Photo};

/// How fingers are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pose {
    Flat,
    Fist,
    Point,
    /// No hand at all: a ball.
    Ball,
    /// Cut out of a photograph.
    Photographed,
}

/// Where a hand is and how it is turned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// The middle of the palm.
    pub(super) x: f32,
    pub(super) y: f32,
    /// Where the fingers point, in radians; 0 is up, clockwise.
    pub(super) turn: f32,
    /// Mirrored, so that the thumb is on the other side.
    pub(super) mirrored: bool,
    pub(super) pose: Pose,
}

/// A rounded piece from one point to another, and its radii there.
struct Piece {
    from: (f32, f32, f32),
    to: (f32, f32, f32),
    sleeve: bool,
}

/// What a person's hands look like.
pub(super) struct Look {
    skin: [f32; 3],
    sleeve: [f32; 3],
    /// From here on the arm has a sleeve, in sizes of the face beneath the palm.
    cuff: f32,
    photo: Photo,
    /// From the photographed hand's colour to the person's.
    tone: [f32; 3],
    seed: u32,
}

/// The photographed hand: the middle of its palm, the length of a face beside it in pixels, and where its fingers point.
const PHOTOGRAPHED: (f32, f32, f32, f32) = (165.0, 120.0, 150.0, 0.87);

impl Look {
    /// Of this colour, give or take what makes hands differ from faces.
    pub(super) fn new(skin: [f32; 3], dice: &mut Dice) -> Self {
        let photo = Photo::read("hand");
        let (x, y, ..) = PHOTOGRAPHED;
        let own = photo.colour(x, y, 25.0);
        let bright = dice.between(0.86, 1.10);
        let warm = dice.between(0.97, 1.03);
        let skin = [skin[0] * bright * warm, skin[1] * bright, skin[2] * bright / warm];
        let tone = std::array::from_fn(|n| skin[n] / own[n].max(1.0));
        let grey = dice.between(30.0, 160.0);
        let sleeve = [grey * 0.8, grey * 0.9, grey * dice.between(0.9, 1.3)];
        Self { skin, sleeve, cuff: dice.between(0.75, 1.3), photo, tone, seed: (dice.roll() * 1e6) as u32 }
    }

    /// Puts a hand over a picture; `face` is the size of the face in pixels.
    pub(super) fn paint(&self, place: Place, face: f32, size: (usize, usize), pixels: &mut [[f32; 3]]) {
        let pieces = pieces(place.pose, self.cuff);
        let (sin, cos) = place.turn.sin_cos();
        for y in 0..size.1 {
            for x in 0..size.0 {
                let (across, down) = ((x as f32 - place.x) / face, (y as f32 - place.y) / face);
                if across.abs() > 4.0 || down.abs() > 4.0 {
                    continue;
                }
                // Into the hand's own frame, in which fingers point up.
                let (mut u, v) = (across * cos + down * sin, -across * sin + down * cos);
                if place.mirrored {
                    u = -u;
                }
                let pixel = &mut pixels[y * size.0 + x];
                self.shadow(&pieces, (u, v), pixel);
                for piece in &pieces {
                    self.cover(piece, (u, v), face, pixel);
                }
                if place.pose == Pose::Photographed {
                    self.cut(u, v, pixel);
                }
            }
        }
    }

    /// What is close to a hand is a little darker.
    fn shadow(&self, pieces: &[Piece], at: (f32, f32), pixel: &mut [f32; 3]) {
        let near = pieces.iter().map(|piece| distance(piece, at).0).fold(f32::MAX, f32::min);
        let dark = 1.0 - 0.22 * (1.0 - near / 0.12).clamp(0.0, 1.0);
        pixel.iter_mut().for_each(|value| *value *= dark);
    }

    fn cover(&self, piece: &Piece, at: (f32, f32), face: f32, pixel: &mut [f32; 3]) {
        let (outside, round) = distance(piece, at);
        let alpha = (0.5 - outside * face / 1.5).clamp(0.0, 1.0);
        if alpha <= 0.0 {
            return;
        }
        let light = 0.72 + 0.28 * (1.0 - round * round).max(0.0).sqrt();
        let light = light * (1.0 + 0.05 * self.mottle(at.0 * 9.0, at.1 * 9.0));
        let colour = if piece.sleeve { self.sleeve } else { self.skin };
        pixel.iter_mut().zip(colour).for_each(|(value, colour)| *value += (colour * light - *value) * alpha);
    }

    /// The photographed hand: what is skin in its photograph, in the person's tone.
    fn cut(&self, u: f32, v: f32, pixel: &mut [f32; 3]) {
        let (middle_x, middle_y, scale, turn) = PHOTOGRAPHED;
        let (sin, cos) = turn.sin_cos();
        let (x, y) = (middle_x + (u * cos - v * sin) * scale, middle_y + (u * sin + v * cos) * scale);
        if x < 0.0 || y < 0.0 || x >= self.photo.width as f32 || y >= self.photo.height as f32 {
            return;
        }
        let colour = self.photo.at(x, y);
        let alpha = ((colour[0] - colour[2] - 10.0) / 25.0).clamp(0.0, 1.0)
            * ((colour[0] - 50.0) / 40.0).clamp(0.0, 1.0);
        for n in 0..3 {
            pixel[n] += (colour[n] * self.tone[n] - pixel[n]) * alpha;
        }
    }

    /// Smooth noise, -1 to 1.
    fn mottle(&self, x: f32, y: f32) -> f32 {
        let (left, top) = (x.floor(), y.floor());
        let corner = |dx: f32, dy: f32| {
            let at = (left + dx) as i32 as u32;
            let mut mixed = at.wrapping_mul(0x9e37_79b9)
                ^ ((top + dy) as i32 as u32).wrapping_mul(0x85eb_ca6b)
                ^ self.seed;
            mixed = (mixed ^ (mixed >> 15)).wrapping_mul(0x2c1b_3c6d);
            ((mixed ^ (mixed >> 12)) & 0xffff) as f32 / 32_768.0 - 1.0
        };
        let (across, down) = (x - left, y - top);
        let upper = corner(0.0, 0.0) * (1.0 - across) + corner(1.0, 0.0) * across;
        let lower = corner(0.0, 1.0) * (1.0 - across) + corner(1.0, 1.0) * across;
        upper * (1.0 - down) + lower * down
    }
}

/// The pieces of a hand, those behind first. The palm's middle is 0, fingers point to negative y.
fn pieces(pose: Pose, cuff: f32) -> Vec<Piece> {
    let skin = |from, to| Piece { from, to, sleeve: false };
    if pose == Pose::Ball {
        return vec![skin((0.0, 0.0, 0.35), (0.0, 0.01, 0.35))];
    }
    let mut pieces = vec![
        skin((0.0, 0.35, 0.20), (0.02, cuff + 0.1, 0.24)),
        Piece { from: (0.02, cuff, 0.30), to: (0.1, 4.0, 0.42), sleeve: true },
    ];
    if pose == Pose::Photographed {
        // Its own sleeve begins where the photograph ends.
        pieces[0] = Piece { from: (0.0, 0.45, 0.22), to: (0.02, cuff, 0.26), sleeve: true };
        return pieces;
    }
    let fingers: &[(f32, f32, f32)] = match pose {
        Pose::Flat => {
            &[(-0.24, -0.72, 0.075), (-0.08, -0.84, 0.082), (0.09, -0.80, 0.08), (0.25, -0.62, 0.068)]
        }
        Pose::Point => {
            &[(-0.24, -0.80, 0.08), (-0.08, -0.36, 0.10), (0.09, -0.34, 0.10), (0.24, -0.30, 0.09)]
        }
        _ => &[(-0.24, -0.34, 0.10), (-0.08, -0.37, 0.105), (0.09, -0.35, 0.10), (0.24, -0.30, 0.09)],
    };
    pieces.push(skin((0.0, 0.18, 0.26), (0.0, -0.08, 0.32)));
    let thumb = if pose == Pose::Flat { (-0.52, -0.22, 0.085) } else { (-0.12, -0.12, 0.10) };
    pieces.push(skin((-0.24, 0.20, 0.12), thumb));
    for &(x, y, radius) in fingers {
        pieces.push(skin((x * 0.85, -0.18, radius * 1.1), (x, y, radius)));
    }
    pieces
}

/// How far outside of a piece a point is (negative inside), and how far from its middle line in radii.
fn distance(piece: &Piece, (x, y): (f32, f32)) -> (f32, f32) {
    let (from, to) = (piece.from, piece.to);
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let along = (((x - from.0) * dx + (y - from.1) * dy) / (dx * dx + dy * dy).max(1e-6)).clamp(0.0, 1.0);
    let radius = from.2 + (to.2 - from.2) * along;
    let far = (x - from.0 - dx * along).hypot(y - from.1 - dy * along);
    (far - radius, (far / radius).min(1.0))
}

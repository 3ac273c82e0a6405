//! Where a picture lies inside its part of the screen.
//!
//! Pure arithmetic on sizes, shared by every way to draw. Must not know pixels or characters.

use ratatui::layout::Rect;

use super::CellSize;

/// The largest rectangle of cells inside `area` in which a picture of `frame` (width, height) keeps its shape within half
/// a cell, made smaller by `scale` (above 0 to 1; anything else means 1), centred.
///
/// A picture never vanishes: it is at least one cell, unless `area` or `frame` has no size, when the result is empty.
#[must_use]
pub fn fit(frame: (u32, u32), area: Rect, cell: CellSize, scale: f32) -> Rect {
    if frame.0 == 0 || frame.1 == 0 || area.is_empty() {
        return Rect { width: 0, height: 0, ..area };
    }
    let scale = if scale > 0.0 && scale < 1.0 { f64::from(scale) } else { 1.0 };
    let shrink = |cells: u16| (f64::from(cells) * scale).round().max(1.0);
    let (columns, rows) = (shrink(area.width), shrink(area.height));
    // Columns for each row at which the picture has its shape.
    let shape = f64::from(frame.0) * f64::from(cell.height.max(1))
        / (f64::from(frame.1) * f64::from(cell.width.max(1)));
    let (width, height) = if columns > rows * shape {
        ((rows * shape).round().clamp(1.0, columns), rows)
    } else {
        (columns, (columns / shape).round().clamp(1.0, rows))
    };
    let (width, height) = (width as u16, height as u16);
    Rect {
        x: area.x.saturating_add((area.width - width) / 2),
        y: area.y.saturating_add((area.height - height) / 2),
        width,
        height,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CELL: CellSize = CellSize { width: 8, height: 16 };

    #[test]
    fn a_wide_picture_is_bounded_by_the_width_and_centred() {
        assert_eq!(fit((640, 360), Rect::new(0, 0, 80, 24), CELL, 1.0), Rect::new(0, 0, 80, 23));
        assert_eq!(fit((640, 360), Rect::new(5, 3, 80, 45), CELL, 1.0), Rect::new(5, 14, 80, 23));
    }

    #[test]
    fn a_narrow_picture_is_bounded_by_the_height() {
        assert_eq!(fit((360, 640), Rect::new(0, 0, 80, 24), CELL, 1.0), Rect::new(26, 0, 27, 24));
    }

    #[test]
    fn a_smaller_scale_shrinks_both_sides() {
        assert_eq!(fit((640, 360), Rect::new(0, 0, 160, 48), CELL, 0.5), Rect::new(40, 12, 80, 23));
    }

    #[test]
    fn nothing_fits_into_nothing() {
        assert!(fit((640, 360), Rect::new(7, 7, 0, 24), CELL, 1.0).is_empty());
        assert!(fit((0, 360), Rect::new(0, 0, 80, 24), CELL, 1.0).is_empty());
    }

    proptest! {
        #[test]
        fn the_picture_is_inside_and_keeps_its_shape(
            frame in (1u32..5000, 1u32..5000),
            area in (0u16..2000, 0u16..2000, 1u16..1000, 1u16..1000),
            cell in (1u16..64, 1u16..64),
            scale in prop_oneof![Just(f32::NAN), 0.01f32..2.0],
        ) {
            let area = Rect::new(area.0, area.1, area.2, area.3);
            let cell = CellSize { width: cell.0, height: cell.1 };
            let rect = fit(frame, area, cell, scale);
            prop_assert_eq!(rect.intersection(area), rect);
            prop_assert!(!rect.is_empty());
            // Off by half a cell on the side that follows, which is a cell long at least.
            let shape = f64::from(frame.0) * f64::from(cell.height) / (f64::from(frame.1) * f64::from(cell.width));
            let across = (f64::from(rect.width) - f64::from(rect.height) * shape).abs();
            let down = (f64::from(rect.height) - f64::from(rect.width) / shape).abs();
            prop_assert!(across <= 0.5001 || down <= 0.5001 || rect.width == 1 || rect.height == 1);
        }
    }
}

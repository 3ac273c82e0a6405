//! What cameras and screens give, as I420: packed and planar YCbCr, RGBA, and MJPEG.
//!
//! Owns the arithmetic. Sizes and lengths come from drivers and are checked; a picture whose bytes do not fit its size is `None`.

use crate::media::frame::{MAX_SIDE, check_size, chroma_size};
use crate::media::{VideoFrame, WallTime};

/// Four bytes for two pixels: Y, U, Y, V, in limited range, rows without padding. `None` for an odd width or too few bytes.
#[must_use]
pub fn yuyv(width: u32, height: u32, bytes: &[u8], captured: WallTime) -> Option<VideoFrame> {
    check_size(width, height).ok()?;
    let (row, columns) = (width as usize * 2, chroma_size(width, height).0 as usize);
    let bytes = bytes.get(..row * height as usize).filter(|_| width.is_multiple_of(2))?;
    let mut picture = VideoFrame::black(width, height, captured);
    let (y, u, v) = picture.planes_mut();
    for (from, to) in bytes.as_chunks::<2>().0.iter().zip(y) {
        *to = from[0];
    }
    for (index, (u, v)) in u.chunks_exact_mut(columns).zip(v.chunks_exact_mut(columns)).enumerate() {
        let upper = &bytes[index * 2 * row..][..row];
        let lower = bytes.get((index * 2 + 1) * row..).and_then(|rest| rest.get(..row)).unwrap_or(upper);
        let pairs = upper.as_chunks::<4>().0.iter().zip(lower.as_chunks::<4>().0);
        for ((upper, lower), (u, v)) in pairs.zip(u.iter_mut().zip(v)) {
            *u = upper[1].midpoint(lower[1]);
            *v = upper[3].midpoint(lower[3]);
        }
    }
    Some(picture)
}

/// A luma plane, then one of U and V in turn, in limited range, rows without padding. `None` for too few bytes.
#[must_use]
pub fn nv12(width: u32, height: u32, bytes: &[u8], captured: WallTime) -> Option<VideoFrame> {
    check_size(width, height).ok()?;
    let bytes = bytes.get(..VideoFrame::bytes(width, height))?;
    let (luma, chroma) = bytes.split_at(width as usize * height as usize);
    let mut picture = VideoFrame::black(width, height, captured);
    let (y, u, v) = picture.planes_mut();
    y.copy_from_slice(luma);
    for (pair, (u, v)) in chroma.as_chunks::<2>().0.iter().zip(u.iter_mut().zip(v)) {
        (*u, *v) = (pair[0], pair[1]);
    }
    Some(picture)
}

/// Four bytes a pixel, the last of no meaning, rows without padding. `None` for too few bytes.
#[must_use]
pub fn rgba(width: u32, height: u32, bytes: &[u8], captured: WallTime) -> Option<VideoFrame> {
    check_size(width, height).ok()?;
    let (row, columns) = (width as usize * 4, chroma_size(width, height).0 as usize);
    let bytes = bytes.get(..row * height as usize)?;
    let mut picture = VideoFrame::black(width, height, captured);
    let (y, u, v) = picture.planes_mut();
    for (pixel, y) in bytes.as_chunks::<4>().0.iter().zip(y) {
        let [r, g, b, _] = pixel.map(i32::from);
        *y = (((66 * r + 129 * g + 25 * b + 128) >> 8) + 16) as u8;
    }
    for (index, (u, v)) in u.chunks_exact_mut(columns).zip(v.chunks_exact_mut(columns)).enumerate() {
        let upper = &bytes[index * 2 * row..][..row];
        let lower = bytes.get((index * 2 + 1) * row..).and_then(|rest| rest.get(..row)).unwrap_or(upper);
        for ((upper, lower), (u, v)) in upper.chunks(8).zip(lower.chunks(8)).zip(u.iter_mut().zip(v)) {
            // A last column that stands alone counts twice.
            let right = if upper.len() == 8 { 4 } else { 0 };
            let sum = |at: usize| {
                i32::from(upper[at])
                    + i32::from(upper[right + at])
                    + i32::from(lower[at])
                    + i32::from(lower[right + at])
            };
            let (r, g, b) = (sum(0), sum(1), sum(2));
            *u = (((-38 * r - 74 * g + 112 * b + 512) >> 10) + 128) as u8;
            *v = (((112 * r - 94 * g - 18 * b + 512) >> 10) + 128) as u8;
        }
    }
    Some(picture)
}

/// One picture of a Motion JPEG stream, with or without Huffman tables of its own, in full range as JFIF has it.
///
/// # Errors
/// What is wrong with the bytes. Cameras send damaged pictures now and then: leave it out and take the next one.
#[cfg(feature = "devices")]
pub fn mjpeg(bytes: &[u8], captured: WallTime) -> Result<VideoFrame, String> {
    use zune_jpeg::JpegDecoder;
    use zune_jpeg::zune_core::bytestream::ZCursor;
    use zune_jpeg::zune_core::colorspace::ColorSpace;
    use zune_jpeg::zune_core::options::DecoderOptions;

    // Drivers pad with zeros. Without its end a picture was cut off, which a lenient decoder fills with grey.
    let end = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    if !bytes[..end].ends_with(&[0xff, 0xd9]) {
        return Err("it is cut off".to_owned());
    }
    let options = DecoderOptions::default()
        .set_max_width(MAX_SIDE as usize)
        .set_max_height(MAX_SIDE as usize)
        .set_strict_mode(true)
        .jpeg_set_out_colorspace(ColorSpace::YCbCr);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&bytes[..end]), options);
    decoder.decode_headers().map_err(|error| error.to_string())?;
    if decoder.input_colorspace() == Some(ColorSpace::Luma) {
        decoder.set_options(options.jpeg_set_out_colorspace(ColorSpace::Luma));
    }
    let pixels = decoder.decode().map_err(|error| error.to_string())?;
    let (width, height) = decoder.dimensions().ok_or("it has no size")?;
    let size = |side: usize| u32::try_from(side).map_err(|error| error.to_string());
    let (width, height) = (size(width)?, size(height)?);
    full_range(width, height, &pixels, captured).ok_or_else(|| "its bytes do not fit its size".to_owned())
}

/// Y, U and V of each pixel, or Y alone, in full range.
#[cfg(feature = "devices")]
fn full_range(width: u32, height: u32, pixels: &[u8], captured: WallTime) -> Option<VideoFrame> {
    check_size(width, height).ok()?;
    let (across, down) = (width as usize, height as usize);
    let luma = |level: u8| ((u32::from(level) * 219 + 127) / 255 + 16) as u8;
    let mut picture = VideoFrame::black(width, height, captured);
    let columns = picture.chroma_size().0 as usize;
    let (y, u, v) = picture.planes_mut();
    if pixels.len() == across * down {
        for (&from, to) in pixels.iter().zip(y) {
            *to = luma(from);
        }
        return Some(picture);
    }
    let pixels = pixels.get(..across * down * 3)?.as_chunks::<3>().0;
    for (pixel, y) in pixels.iter().zip(y) {
        *y = luma(pixel[0]);
    }
    for (index, (u, v)) in u.chunks_exact_mut(columns).zip(v.chunks_exact_mut(columns)).enumerate() {
        let upper = &pixels[index * 2 * across..][..across];
        let lower =
            pixels.get((index * 2 + 1) * across..).and_then(|rest| rest.get(..across)).unwrap_or(upper);
        for ((upper, lower), (u, v)) in upper.chunks(2).zip(lower.chunks(2)).zip(u.iter_mut().zip(v)) {
            let right = upper.len() - 1;
            let mean = |at: usize| {
                let sum = [upper[0], upper[right], lower[0], lower[right]].map(|pixel| i32::from(pixel[at]));
                ((sum.iter().sum::<i32>() - 512) * 224 / 255 / 4 + 128) as u8
            };
            (*u, *v) = (mean(1), mean(2));
        }
    }
    Some(picture)
}

#[cfg(test)]
mod tests;

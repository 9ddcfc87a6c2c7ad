//! From a camera's buffer to an RGB picture: Motion JPEG, YUYV and GREY.
//!
//! A buffer that is not whole is refused, so that half a picture is never judged.

use image::{ImageDecoder, RgbImage, codecs::jpeg::JpegDecoder};
use std::io::Cursor;

/// Formats that are read, the best first: Motion JPEG reaches high rates on any USB port, YUYV
/// keeps the colours, GREY is what infrared cameras give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PixelFormat {
    /// A JPEG for each picture.
    Mjpeg,
    /// Two pixels in four bytes: Y U Y V.
    Yuyv,
    /// One byte a pixel.
    Grey,
}

impl PixelFormat {
    pub(super) const ALL: [Self; 3] = [Self::Mjpeg, Self::Yuyv, Self::Grey];

    /// V4L2's four-character code.
    pub(super) const fn code(self) -> &'static [u8; 4] {
        match self {
            Self::Mjpeg => b"MJPG",
            Self::Yuyv => b"YUYV",
            Self::Grey => b"GREY",
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Mjpeg => "MJPG",
            Self::Yuyv => "YUYV",
            Self::Grey => "GREY",
        }
    }
}

/// How a camera lays its pictures out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) format: PixelFormat,
    pub(super) width: u32,
    pub(super) height: u32,
    /// Bytes from one row to the next, for the uncompressed formats.
    pub(super) stride: usize,
    /// Whether YUYV's brightness spans 0 to 255 rather than 16 to 235.
    pub(super) full_range: bool,
}

/// The picture in a buffer, or `None` where the buffer does not hold a whole one.
pub(super) fn decode(layout: &Layout, bytes: &[u8]) -> Option<RgbImage> {
    match layout.format {
        PixelFormat::Mjpeg => jpeg(layout, bytes),
        PixelFormat::Yuyv => {
            let rows = rows(layout, bytes, 2 * layout.width as usize)?;
            let pixels = rows.flat_map(|row| row.chunks_exact(4)).flat_map(|pair| {
                let colour = |y| yuv(y, pair[1], pair[3], layout.full_range);
                [colour(pair[0]), colour(pair[2])].into_iter().flatten()
            });
            picture(layout, pixels)
        }
        PixelFormat::Grey => {
            let rows = rows(layout, bytes, layout.width as usize)?;
            picture(layout, rows.flatten().flat_map(|gray| [*gray; 3]))
        }
    }
}

fn picture(layout: &Layout, pixels: impl Iterator<Item = u8>) -> Option<RgbImage> {
    // `from_raw` refuses too few bytes, as for a YUYV picture of odd width.
    let mut raw = Vec::with_capacity(3 * layout.width as usize * layout.height as usize);
    raw.extend(pixels);
    RgbImage::from_raw(layout.width, layout.height, raw)
}

/// The rows of an uncompressed picture; `None` where one is missing. The last row may come
/// without its padding.
fn rows<'a>(
    layout: &Layout,
    bytes: &'a [u8],
    row_bytes: usize,
) -> Option<impl Iterator<Item = &'a [u8]>> {
    let (height, stride) = (layout.height as usize, layout.stride.max(row_bytes));
    let needed = stride
        .checked_mul(height.checked_sub(1)?)?
        .checked_add(row_bytes)?;
    let whole = row_bytes > 0 && bytes.len() >= needed;
    whole.then(|| {
        bytes[..needed]
            .chunks(stride)
            .map(move |row| &row[..row_bytes])
    })
}

/// ITU-R BT.601, as USB cameras use for YUYV.
fn yuv(y: u8, u: u8, v: u8, full_range: bool) -> [u8; 3] {
    let (y, u, v) = (f32::from(y), f32::from(u) - 128.0, f32::from(v) - 128.0);
    let (y, chroma) = if full_range {
        (y, 1.0)
    } else {
        ((y - 16.0) * (255.0 / 219.0), 255.0 / 224.0)
    };
    let (u, v) = (u * chroma, v * chroma);
    // A cast of a float to u8 saturates.
    [
        (y + 1.402 * v).round() as u8,
        (y - 0.344_136 * u - 0.714_136 * v).round() as u8,
        (y + 1.772 * u).round() as u8,
    ]
}

fn jpeg(layout: &Layout, bytes: &[u8]) -> Option<RgbImage> {
    /// The marker that ends a JPEG; it cannot occur within the coded picture.
    const END: [u8; 2] = [0xFF, 0xD9];
    // A decoder fills what a cut-off transfer lacks with gray, so look for the end first. Cameras
    // pad their buffers behind it.
    let end = bytes.windows(END.len()).rposition(|pair| pair == END)?;
    let decoder = JpegDecoder::new(Cursor::new(&bytes[..end + END.len()])).ok()?;
    if decoder.dimensions() != (layout.width, layout.height) {
        return None;
    }
    image::DynamicImage::from_decoder(decoder)
        .ok()
        .map(image::DynamicImage::into_rgb8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, codecs::jpeg::JpegEncoder};
    use proptest::prelude::*;

    fn layout(format: PixelFormat, width: u32, height: u32, stride: usize) -> Layout {
        Layout {
            format,
            width,
            height,
            stride,
            full_range: false,
        }
    }

    fn jpeg_of(width: u32, height: u32) -> Vec<u8> {
        let picture = RgbImage::from_fn(width, height, |x, y| Rgb([x as u8 * 3, y as u8 * 5, 90]));
        let mut bytes = Vec::new();
        JpegEncoder::new(&mut bytes).encode_image(&picture).unwrap();
        bytes
    }

    #[test]
    fn yuyv_of_limited_range_spans_black_to_white() {
        let layout = layout(PixelFormat::Yuyv, 2, 2, 6);
        let bytes = [16, 128, 235, 128, 0, 0, 126, 128, 126, 128, 0, 0];
        let picture = decode(&layout, &bytes).unwrap();
        assert_eq!(&picture.as_raw()[..6], &[0, 0, 0, 255, 255, 255]);
        assert_eq!(&picture.as_raw()[6..], &[128; 6]);
        // Red in BT.601 limited range.
        assert_eq!(yuv(81, 90, 240, false).map(|c| c / 10), [25, 0, 0]);
    }

    #[test]
    fn grey_keeps_its_levels_and_its_last_row_without_padding() {
        let layout = layout(PixelFormat::Grey, 2, 2, 4);
        let picture = decode(&layout, &[1, 2, 99, 99, 3, 4]).unwrap();
        assert_eq!(picture.as_raw(), &[1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]);
        assert_eq!(decode(&layout, &[1, 2, 99, 99, 3]), None);
    }

    #[test]
    fn a_padded_jpeg_is_whole_and_a_cut_one_is_not() {
        let mut bytes = jpeg_of(64, 48);
        let layout = layout(PixelFormat::Mjpeg, 64, 48, 0);
        let whole = decode(&layout, &bytes).unwrap();
        assert_eq!(whole.dimensions(), (64, 48));
        assert_eq!(decode(&layout, &bytes[..bytes.len() * 2 / 3]), None);
        bytes.extend([0; 100]);
        assert_eq!(decode(&layout, &bytes), Some(whole));
        assert_eq!(decode(&layout, &jpeg_of(32, 48)), None);
    }

    proptest! {
        #[test]
        fn no_buffer_upsets_the_decoder(
            bytes in prop::collection::vec(any::<u8>(), 0..600),
            width in 0_u32..20, height in 0_u32..20, stride in 0_usize..50, which in 0_usize..3,
        ) {
            let layout = layout(PixelFormat::ALL[which], width, height, stride);
            if let Some(picture) = decode(&layout, &bytes) {
                prop_assert_eq!(picture.dimensions(), (width, height));
            }
        }

        #[test]
        fn no_damaged_jpeg_upsets_the_decoder(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
        ) {
            let mut bytes = jpeg_of(32, 24);
            for (place, value) in changes {
                let at = place.index(bytes.len());
                bytes[at] = value;
            }
            let layout = layout(PixelFormat::Mjpeg, 32, 24, 0);
            if let Some(picture) = decode(&layout, &bytes) {
                prop_assert_eq!(picture.dimensions(), (32, 24));
            }
        }
    }
}

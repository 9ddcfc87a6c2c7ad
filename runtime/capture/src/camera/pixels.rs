//! Decodes a camera's buffer to an RGB image: Motion JPEG, YUYV, NV12 and GREY.
//!
//! A buffer that is not whole is refused, so that no partial frame is processed.

use super::mjpeg;
use image::RgbImage;
use parseye_vision::frame::{MAX_SIDE, is_too_large};
use zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions};
use zune_jpeg::JpegDecoder;

/// Pixel formats that are read, the best first: Motion JPEG reaches high rates on any USB port, YUYV
/// and NV12 keep the colours, GREY is what infrared cameras deliver.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    strum::Display,
    strum::VariantArray,
    strum::VariantNames,
)]
pub enum PixelFormat {
    /// A JPEG image for each frame.
    #[strum(serialize = "MJPG")]
    Mjpeg,
    /// Two pixels in four bytes: Y U Y V.
    #[strum(serialize = "YUYV")]
    Yuyv,
    /// Luma of all pixels, then one U V for each square of four.
    #[strum(serialize = "NV12")]
    Nv12,
    /// One byte per pixel.
    #[strum(serialize = "GREY")]
    Grey,
}

impl PixelFormat {
    /// All formats, the best first.
    pub const ALL: &[Self] = <Self as strum::VariantArray>::VARIANTS;

    /// The names of all formats, separated by commas.
    #[cfg(target_os = "linux")]
    pub(super) fn names() -> String {
        <Self as strum::VariantNames>::VARIANTS.join(", ")
    }

    /// Returns V4L2's four-character code.
    #[cfg(target_os = "linux")]
    pub(super) const fn code(self) -> &'static [u8; 4] {
        match self {
            Self::Mjpeg => b"MJPG",
            Self::Yuyv => b"YUYV",
            Self::Nv12 => b"NV12",
            Self::Grey => b"GREY",
        }
    }
}

/// Memory layout of a camera's frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Pixel format.
    pub format: PixelFormat,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Bytes from one row to the next, for the uncompressed formats; 0 for rows without padding.
    pub stride: usize,
    /// Whether the luma of YUYV and NV12 spans 0 to 255 rather than 16 to 235.
    pub full_range: bool,
}

/// Why a buffer holds no image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// It ends before the image does.
    Truncated,
    /// It is whole but cannot be decoded, or is of another size than was negotiated.
    Undecodable,
}

/// Decodes the image in a buffer.
///
/// # Errors
/// When the buffer holds no whole image of this layout, or one that [`is_too_large`].
pub fn decode(layout: &Layout, bytes: &[u8]) -> Result<RgbImage, Damage> {
    if is_too_large(layout.width, layout.height) {
        return Err(Damage::Undecodable);
    }
    match layout.format {
        PixelFormat::Mjpeg => {
            let image = jpeg(bytes)?;
            if image.dimensions() == (layout.width, layout.height) {
                Ok(image)
            } else {
                Err(Damage::Undecodable)
            }
        }
        PixelFormat::Yuyv => {
            let (width, height) = (layout.width as usize, layout.height as usize);
            let rows = rows(bytes, layout.stride, 2 * width, height)?;
            let pixels = rows.flat_map(|row| row.chunks_exact(4)).flat_map(|pair| {
                let colour = |y| yuv(y, pair[1], pair[3], layout.full_range);
                [colour(pair[0]), colour(pair[2])].into_iter().flatten()
            });
            image_of(layout, pixels)
        }
        PixelFormat::Nv12 => nv12(layout, bytes),
        PixelFormat::Grey => {
            let (width, height) = (layout.width as usize, layout.height as usize);
            let rows = rows(bytes, layout.stride, width, height)?;
            image_of(layout, rows.flatten().flat_map(|gray| [*gray; 3]))
        }
    }
}

fn image_of(layout: &Layout, pixels: impl Iterator<Item = u8>) -> Result<RgbImage, Damage> {
    // `from_raw` refuses too few bytes, as for a YUYV image of odd width.
    let mut raw = Vec::with_capacity(3 * layout.width as usize * layout.height as usize);
    raw.extend(pixels);
    RgbImage::from_raw(layout.width, layout.height, raw).ok_or(Damage::Undecodable)
}

fn nv12(layout: &Layout, bytes: &[u8]) -> Result<RgbImage, Damage> {
    let (width, height) = (layout.width as usize, layout.height as usize);
    let stride = layout.stride.max(width);
    let luma: Vec<&[u8]> = rows(bytes, stride, width, height)?.collect();
    let chroma = bytes.get(stride * height..).ok_or(Damage::Truncated)?;
    let pair_bytes = 2 * width.div_ceil(2);
    let chroma: Vec<&[u8]> = rows(chroma, stride, pair_bytes, height.div_ceil(2))?.collect();
    let pixels = luma.iter().enumerate().flat_map(|(y, row)| {
        let pairs = chroma[y / 2];
        row.iter().enumerate().flat_map(move |(x, gray)| {
            let pair = &pairs[x / 2 * 2..];
            yuv(*gray, pair[0], pair[1], layout.full_range)
        })
    });
    image_of(layout, pixels)
}

/// Splits an uncompressed image into rows, if none is missing. The last row may lack its padding.
fn rows(
    bytes: &[u8],
    stride: usize,
    row_bytes: usize,
    height: usize,
) -> Result<impl Iterator<Item = &[u8]>, Damage> {
    if height == 0 || row_bytes == 0 {
        return Err(Damage::Undecodable);
    }
    let stride = stride.max(row_bytes);
    let needed = stride
        .checked_mul(height - 1)
        .and_then(|bytes| bytes.checked_add(row_bytes))
        .ok_or(Damage::Undecodable)?;
    let whole = bytes.get(..needed).ok_or(Damage::Truncated)?;
    Ok(whole.chunks(stride).map(move |row| &row[..row_bytes]))
}

/// Converts YUV to RGB by ITU-R BT.601, as cameras use for YUYV and NV12.
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

/// Bytes after an image's data from which the decoder may read ahead; data that lack more are missed.
const READ_AHEAD: usize = 16;

/// Decodes the JPEG that a buffer begins with. What follows it is ignored: cameras pad their buffers,
/// or leave the end of an older image there. It may lack its end marker, as some cameras' images do, but
/// none of its data.
///
/// # Errors
/// When it is not whole, cannot be decoded without an error, or [`is_too_large`].
pub fn jpeg(bytes: &[u8]) -> Result<RgbImage, Damage> {
    const START: [u8; 2] = [0xFF, 0xD8];
    const END: usize = 2;
    if !bytes.starts_with(&START) {
        return Err(Damage::Truncated);
    }
    let length = mjpeg::jpeg_length(bytes);
    let bytes = &bytes[..length.unwrap_or(bytes.len())];
    let progressive = mjpeg::is_progressive(bytes);
    let data = match length {
        None if progressive => return Err(Damage::Truncated),
        // The decoder looks for the end between scans.
        _ if progressive => bytes,
        // Where the end comes before the last pixel, the decoder fills the rest with gray. Without the
        // end it runs out of data, which is an error.
        Some(length) => &bytes[..length - END],
        None => bytes,
    };
    // Webcams leave out the Huffman tables, which are always the same, to save bandwidth. The
    // decoder knows them but uses them only for an image that is marked as part of an AVI file.
    const AVI: [u8; 10] = *b"\xFF\xE0\x00\x08AVI1\x00\x00";
    let (start, rest) = data.split_at(START.len());
    let mark: &[u8] = match mjpeg::has_huffman_tables(bytes) {
        true => &[],
        false => &AVI,
    };
    let decoded = decode_jpeg(&[start, mark, rest, &[0; READ_AHEAD]].concat());
    decoded.ok_or(match length {
        Some(_) => Damage::Undecodable,
        None => Damage::Truncated,
    })
}

fn decode_jpeg(bytes: &[u8]) -> Option<RgbImage> {
    let most = MAX_SIDE as usize;
    let options = DecoderOptions::default()
        .jpeg_set_out_colorspace(ColorSpace::RGB)
        .set_strict_mode(false)
        .set_max_width(most)
        .set_max_height(most);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    // The size first: a header of a few bytes can make the decoder allocate and fill any memory.
    decoder.decode_headers().ok()?;
    let (width, height) = decoder.dimensions()?;
    let side = |pixels: usize| u32::try_from(pixels).ok();
    let (width, height) = (side(width)?, side(height)?);
    if is_too_large(width, height) {
        return None;
    }
    // Cameras' headers are not always by the book; wrong data are damage.
    decoder.set_options(options.set_strict_mode(true));
    let raw = decoder.decode().ok()?;
    RgbImage::from_raw(width, height, raw)
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
        let image = RgbImage::from_fn(width, height, |x, y| Rgb([x as u8 * 3, y as u8 * 5, 90]));
        let mut bytes = Vec::new();
        JpegEncoder::new(&mut bytes).encode_image(&image).unwrap();
        bytes
    }

    #[test]
    fn yuyv_of_limited_range_spans_black_to_white() {
        let layout = layout(PixelFormat::Yuyv, 2, 2, 6);
        let bytes = [16, 128, 235, 128, 0, 0, 126, 128, 126, 128, 0, 0];
        let image = decode(&layout, &bytes).unwrap();
        assert_eq!(&image.as_raw()[..6], &[0, 0, 0, 255, 255, 255]);
        assert_eq!(&image.as_raw()[6..], &[128; 6]);
        // Red in BT.601 limited range.
        assert_eq!(yuv(81, 90, 240, false).map(|c| c / 10), [25, 0, 0]);
    }

    #[test]
    fn nv12_shares_chroma_among_four_pixels() {
        let mut layout = layout(PixelFormat::Nv12, 3, 2, 4);
        layout.full_range = true;
        let bytes = [
            10, 20, 30, 99, 40, 50, 60, 99, // luma
            128, 128, 90, 240, // chroma: none, and reddish
        ];
        let image = decode(&layout, &bytes).unwrap();
        assert_eq!(image.get_pixel(1, 1).0, [50; 3]);
        assert_eq!(image.get_pixel(2, 0).0, yuv(30, 90, 240, true));
        assert_eq!(decode(&layout, &bytes[..11]), Err(Damage::Truncated));
        assert_eq!(decode(&layout, &bytes[..7]), Err(Damage::Truncated));
    }

    #[test]
    fn grey_keeps_its_levels_and_its_last_row_without_padding() {
        let layout = layout(PixelFormat::Grey, 2, 2, 4);
        let image = decode(&layout, &[1, 2, 99, 99, 3, 4]).unwrap();
        assert_eq!(image.as_raw(), &[1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]);
        assert_eq!(decode(&layout, &[1, 2, 99, 99, 3]), Err(Damage::Truncated));
    }

    #[test]
    fn a_padded_jpeg_is_whole_and_a_truncated_one_is_not() {
        let mut bytes = jpeg_of(64, 48);
        let layout = layout(PixelFormat::Mjpeg, 64, 48, 0);
        let whole = decode(&layout, &bytes).unwrap();
        assert_eq!(whole.dimensions(), (64, 48));
        let truncated = &bytes[..bytes.len() * 2 / 3];
        assert_eq!(decode(&layout, truncated), Err(Damage::Truncated));
        // With an end, as where the middle was lost.
        let holed = [truncated, &[0xFF, 0xD9]].concat();
        assert_eq!(decode(&layout, &holed), Err(Damage::Undecodable));
        // Nothing but the end marker is missing, also where zeros or an older image's rest follow.
        let data = &bytes[..bytes.len() - 2];
        assert_eq!(decode(&layout, data).as_ref(), Ok(&whole));
        let padded = [data, &[0; 100]].concat();
        assert_eq!(decode(&layout, &padded).as_ref(), Ok(&whole));
        bytes.extend([0; 100]);
        assert_eq!(decode(&layout, &bytes), Ok(whole));
        let other = jpeg_of(32, 48);
        assert_eq!(decode(&layout, &other), Err(Damage::Undecodable));
    }

    #[test]
    fn an_image_that_claims_too_many_pixels_is_refused() {
        let mut bytes = jpeg_of(64, 48);
        let at = bytes
            .windows(2)
            .position(|two| two == [0xFF, 0xC0])
            .unwrap();
        let claim = |bytes: &mut Vec<u8>, height: u16, width: u16| {
            bytes[at + 5..at + 7].copy_from_slice(&height.to_be_bytes());
            bytes[at + 7..at + 9].copy_from_slice(&width.to_be_bytes());
        };
        // Each side alone would be accepted.
        claim(&mut bytes, 8000, 8000);
        assert_eq!(jpeg(&bytes), Err(Damage::Undecodable));
        claim(&mut bytes, 48, 64);
        assert_eq!(jpeg(&bytes).unwrap().dimensions(), (64, 48));
        let layout = layout(PixelFormat::Grey, 8000, 8000, 8000);
        assert_eq!(
            decode(&layout, &vec![0; 64_000_000]),
            Err(Damage::Undecodable)
        );
    }

    #[test]
    fn a_webcam_s_jpeg_without_huffman_tables_is_read() {
        let bytes = jpeg_of(64, 48);
        let mut bare = Vec::new();
        let mut at = 0;
        // Leave out every table segment before the scan.
        while at < bytes.len() {
            let code = bytes[at + 1];
            let length = match code {
                0xD8 => 2,
                0xDA => bytes.len() - at,
                _ => 2 + usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]])),
            };
            if code != 0xC4 {
                bare.extend(&bytes[at..at + length]);
            }
            at += length;
        }
        assert!(bare.len() < bytes.len());
        assert_eq!(jpeg(&bare), jpeg(&bytes));
        assert!(jpeg(&bytes).is_ok());
    }

    proptest! {
        #[test]
        fn any_buffer_is_decoded_or_refused(
            bytes in prop::collection::vec(any::<u8>(), 0..600),
            width in 0_u32..20, height in 0_u32..20, stride in 0_usize..50, which in 0_usize..4,
        ) {
            let layout = layout(PixelFormat::ALL[which], width, height, stride);
            if let Ok(image) = decode(&layout, &bytes) {
                prop_assert_eq!(image.dimensions(), (width, height));
            }
        }

        #[test]
        fn any_damaged_jpeg_is_decoded_or_refused(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
        ) {
            let mut bytes = jpeg_of(32, 24);
            for (place, value) in changes {
                let at = place.index(bytes.len());
                bytes[at] = value;
            }
            let layout = layout(PixelFormat::Mjpeg, 32, 24, 0);
            if let Ok(image) = decode(&layout, &bytes) {
                prop_assert_eq!(image.dimensions(), (32, 24));
            }
        }
    }
}

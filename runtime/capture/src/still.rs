//! Still images: which files are one, by their content, and one read whole and upright.

use super::{
    SourceError,
    camera::{mjpeg, pixels},
    images::unreadable,
};
use image::{
    AnimationDecoder, DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, RgbImage,
    codecs::{gif::GifDecoder, png::PngDecoder, webp::WebPDecoder},
};
use parseye_vision::{bounded, frame::is_too_large};
use std::{
    fs::File,
    io::{BufReader, Cursor, Read as _},
    path::Path,
};

/// Bytes at the beginning of a file that show what it is.
const HEAD: u64 = 32;

/// Largest JPEG file accepted, in bytes: many times what an image of the most pixels accepted takes.
const MAX_JPEG: u64 = 128 << 20;

/// Endings of Motion JPEG recordings, which begin as a JPEG image does.
const MOTION_JPEG: [&str; 3] = ["mjpg", "mjpeg", "mjp"];

/// What a file with an image holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ImageKind {
    /// One image.
    Still,
    /// Images with the times at which each is shown.
    Animation,
}

/// Tells what a file is; `None` where it is no image, or cannot be looked into.
pub(crate) fn kind_of(path: &Path) -> Option<ImageKind> {
    let format = format_of(path)?;
    let reader = || File::open(path).ok().map(BufReader::new);
    let is_animated = match format {
        // With its times, even if there is only one.
        ImageFormat::Gif => true,
        ImageFormat::WebP => WebPDecoder::new(reader()?).is_ok_and(|webp| webp.has_animation()),
        ImageFormat::Png => PngDecoder::new(reader()?)
            .and_then(|png| png.is_apng())
            .unwrap_or(false),
        _ => false,
    };
    Some(match is_animated {
        true => ImageKind::Animation,
        false => ImageKind::Still,
    })
}

/// Tells whether a file of a folder is an image.
pub(crate) fn is_image(path: &Path) -> bool {
    format_of(path).is_some()
}

/// Returns the format of an image by the file's first bytes. A recording of Motion JPEG begins as a JPEG
/// does; it is told by its name.
pub(crate) fn format_of(path: &Path) -> Option<ImageFormat> {
    let mut head = Vec::new();
    // Pipes and devices are not looked into: that would take their data.
    let file = path.is_file().then(|| File::open(path).ok()).flatten()?;
    file.take(HEAD).read_to_end(&mut head).ok()?;
    let format = image::guess_format(&head).ok()?;
    let is_motion = path.extension().is_some_and(|ending| {
        MOTION_JPEG
            .iter()
            .any(|known| ending.eq_ignore_ascii_case(known))
    });
    let is_read = format.reading_enabled() && !(format == ImageFormat::Jpeg && is_motion);
    is_read.then_some(format)
}

/// Reads an image upright, as its EXIF orientation says.
///
/// # Errors
/// When it cannot be read, is too large, or is not whole.
pub(crate) fn read(path: &Path) -> Result<RgbImage, SourceError> {
    match format_of(path) {
        Some(ImageFormat::Jpeg) => read_jpeg(path),
        _ => {
            let reader = ImageReader::open(path)
                .and_then(ImageReader::with_guessed_format)
                .map_err(|error| unreadable(path, &error))?;
            let mut decoder = reader
                .into_decoder()
                .map_err(|error| undecodable(path, error))?;
            let orientation = check(path, &mut decoder)?;
            let mut image =
                DynamicImage::from_decoder(decoder).map_err(|error| undecodable(path, error))?;
            image.apply_orientation(orientation);
            Ok(image.into_rgb8())
        }
    }
}

/// Reads a JPEG. The image library fills what is missing of one with gray; a camera's decoder here does not.
fn read_jpeg(path: &Path) -> Result<RgbImage, SourceError> {
    let bytes = bounded::read(path, MAX_JPEG).map_err(|error| unreadable(path, &error))?;
    let mut decoder = image::codecs::jpeg::JpegDecoder::new(Cursor::new(&bytes))
        .map_err(|error| undecodable(path, error))?;
    let orientation = check(path, &mut decoder)?;
    let rgb = pixels::jpeg(&bytes).map_err(|_| SourceError::NotAVideo {
        path: path.into(),
        reason: match mjpeg::jpeg_length(&bytes) {
            None => "the JPEG is cut off".into(),
            Some(_) => "the JPEG is damaged".into(),
        },
    })?;
    let mut image = DynamicImage::from(rgb);
    image.apply_orientation(orientation);
    Ok(image.into_rgb8())
}

/// Checks the size of an image; returns how it is to be turned.
pub(crate) fn check(
    path: &Path,
    decoder: &mut impl ImageDecoder,
) -> Result<image::metadata::Orientation, SourceError> {
    let (width, height) = decoder.dimensions();
    if is_too_large(width, height) {
        return Err(SourceError::TooLarge {
            path: path.into(),
            width,
            height,
        });
    }
    // An unreadable orientation counts as none: the pixels themselves are whole.
    Ok(decoder
        .orientation()
        .unwrap_or(image::metadata::Orientation::NoTransforms))
}

/// Returns the images of an animation in order.
pub(crate) fn animation(path: &Path) -> Result<image::Frames<'static>, SourceError> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let reader = BufReader::new(file);
    let wrong = |error| undecodable(path, error);
    match format_of(path) {
        Some(ImageFormat::Gif) => {
            let mut decoder = GifDecoder::new(reader).map_err(wrong)?;
            check(path, &mut decoder)?;
            Ok(decoder.into_frames())
        }
        Some(ImageFormat::WebP) => {
            let mut decoder = WebPDecoder::new(reader).map_err(wrong)?;
            check(path, &mut decoder)?;
            Ok(decoder.into_frames())
        }
        _ => {
            let mut decoder = PngDecoder::new(reader).map_err(wrong)?;
            check(path, &mut decoder)?;
            Ok(decoder.apng().map_err(wrong)?.into_frames())
        }
    }
}

pub(crate) fn undecodable(path: &Path, error: ImageError) -> SourceError {
    match error {
        ImageError::IoError(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
            unreadable(path, &error)
        }
        error => SourceError::NotAVideo {
            path: path.into(),
            reason: error.to_string().replace('\n', " "),
        },
    }
}

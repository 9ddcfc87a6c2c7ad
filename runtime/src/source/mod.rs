//! Where pictures come from: one trait over recordings, folders of images and cameras.
//!
//! A source only delivers frames with true times; it knows nothing of faces. What is done when a
//! frame is late or lost is decided by [`crate::pipeline`].

pub mod camera;
pub mod ffmpeg_log;
pub mod images;
pub mod live;
pub mod paced;
pub mod raw_video;
pub mod shortened;
pub mod video;

pub use camera::{
    Backend, Camera, CameraDescription, CameraFault, CameraOpener, CameraRequest, list_cameras,
};
pub use images::ImageFolder;
pub use live::{CaptureLoss, LiveOpener, LiveSource, Read};
pub use paced::PacedRecording;
pub use shortened::ShortenedRecording;
pub use video::VideoFile;

use crate::instructions::{Instructions, Loops};
use image::{GrayImage, RgbImage};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// Largest picture side accepted, in pixels: beyond it a file is damaged or hostile.
pub const MAX_SIDE: u32 = 8192;

/// Most pixels of a picture accepted: a little more than those of 8K video (7680x4320), 128 MiB with
/// their brightness. A file of a hundred bytes can claim any number.
pub const MAX_PIXELS: u64 = 1 << 25;

/// Whether a picture of this size is refused, by [`MAX_SIDE`] or [`MAX_PIXELS`].
pub fn is_too_large(width: u32, height: u32) -> bool {
    width > MAX_SIDE || height > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS
}

/// One picture of the way from the source to the events.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Number in the source, from 0. A recording numbers decoded frames; a camera's driver may
    /// skip numbers where it lost frames.
    pub sequence: u64,
    /// Presentation time since the first frame (recordings), or capture time since the source was
    /// opened on the monotonic clock (cameras).
    pub time: Duration,
    /// Colours, 8 bit, for the face locator.
    pub rgb: RgbImage,
    /// Brightness by [`luma_of`], 8 bit, for the eye crops.
    pub luma: GrayImage,
}

impl Frame {
    /// A frame from its colours.
    pub fn from_rgb(sequence: u64, time: Duration, rgb: RgbImage) -> Self {
        let luma = luma_of(&rgb);
        Self {
            sequence,
            time,
            rgb,
            luma,
        }
    }
}

/// Full-range luma of the ITU-R BT.601 weights, the convention of training, replay and live
/// pictures alike (and of JPEG's Y channel): `(77 R + 150 G + 29 B + 128) / 256`.
pub fn luma_of(rgb: &RgbImage) -> GrayImage {
    let mut luma = GrayImage::new(rgb.width(), rgb.height());
    Instructions::fastest().run(Luma {
        colours: rgb.as_raw(),
        grays: &mut luma,
    });
    luma
}

/// Grays of colours. With AVX2 it takes a quarter of the time that x86-64's common instructions take.
struct Luma<'a> {
    colours: &'a [u8],
    grays: &'a mut [u8],
}

impl Loops for Luma<'_> {
    #[inline(always)]
    fn run<const PIXELS: usize, const FUSED: bool>(self) {
        for (gray, colour) in self.grays.iter_mut().zip(self.colours.chunks_exact(3)) {
            let sum =
                77 * u32::from(colour[0]) + 150 * u32::from(colour[1]) + 29 * u32::from(colour[2]);
            *gray = ((sum + 128) >> 8) as u8;
        }
    }
}

/// Something that delivers frames one after the other.
pub trait FrameSource: Send {
    /// What the user calls this source: a file or folder name without ending, or a camera's name.
    fn name(&self) -> &str;

    /// The next frame, or `None` at the regular end of a recording.
    ///
    /// # Errors
    /// When the source cannot go on. Frames delivered before stay valid.
    fn next_frame(&mut self) -> Result<Option<Frame>, SourceError>;
}

/// Opens a recording: a folder of images, a single image, or a video file. Images follow each
/// other at `image_rate` frames a second.
///
/// # Errors
/// When the path cannot be read, the folder holds no image, the rate is no rate, or ffmpeg is
/// missing. What is wrong inside a file may come out of [`FrameSource::next_frame`] instead.
pub fn open_recording(path: &Path, image_rate: f64) -> Result<Box<dyn FrameSource>, SourceError> {
    if path.is_dir() || images::is_image(path) {
        Ok(Box::new(ImageFolder::open(path, image_rate)?))
    } else {
        Ok(Box::new(VideoFile::open(path)?))
    }
}

/// What a recording is called: its file name without ending, or its folder's name.
pub fn name_of(path: &Path) -> String {
    // `.` and `..` have a name only once they are resolved.
    let resolved = if path.file_name().is_some() {
        path.to_path_buf()
    } else {
        path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
    };
    let name = if resolved.is_dir() {
        resolved.file_name()
    } else {
        resolved.file_stem()
    };
    name.map_or_else(
        || path.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// Why a source cannot be opened or cannot go on: what was wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The path cannot be opened.
    #[error("{path}: cannot be read: {reason}; check the path and its permissions")]
    Unreadable {
        /// What was asked for.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// The file holds no picture that can be decoded.
    #[error(
        "{path}: not a readable video or image: {reason}; play it in another program to check the file, or convert it with ffmpeg"
    )]
    NotAVideo {
        /// What was asked for.
        path: PathBuf,
        /// The decoder's words.
        reason: String,
    },
    /// Decoding broke off; everything before was delivered.
    #[error(
        "{path}: damaged after frame {frames}: {reason}; what came before it was used, copy or record the file again for the rest"
    )]
    Damaged {
        /// What was asked for.
        path: PathBuf,
        /// Frames delivered before the damage.
        frames: u64,
        /// The decoder's words.
        reason: String,
    },
    /// A picture is larger than [`MAX_SIDE`] or [`MAX_PIXELS`].
    #[error(
        "{path}: a picture of {width}x{height} pixels; sides up to {MAX_SIDE} and {MAX_PIXELS} pixels in all are accepted, scale it down first"
    )]
    TooLarge {
        /// What was asked for.
        path: PathBuf,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// The ffmpeg program is missing or cannot be started.
    #[error("cannot start ffmpeg ({reason}), which reads and writes video: {remedy}")]
    NoFfmpeg {
        /// The system's words.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A folder without a single image.
    #[error(
        "{path}: no image (png, jpg, jpeg, bmp) in this folder; give a folder of frames or a video file"
    )]
    EmptyFolder {
        /// What was asked for.
        path: PathBuf,
    },
    /// The rate of a folder of images is none.
    #[error(
        "{path}: images cannot follow each other at {rate} frames a second; give a rate above 0, at most {}",
        images::MAX_RATE
    )]
    BadRate {
        /// The folder.
        path: PathBuf,
        /// What was asked for.
        rate: f64,
    },
    /// The camera cannot be opened or stopped delivering.
    #[error("camera {camera}: {reason}; {remedy}")]
    Camera {
        /// Its device path or name.
        camera: String,
        /// What happened, in one word.
        fault: CameraFault,
        /// What happened.
        reason: String,
        /// What to do.
        remedy: String,
    },
}

impl SourceError {
    /// ffmpeg could not be started.
    pub(crate) fn no_ffmpeg(error: &std::io::Error) -> Self {
        let (reason, remedy) = match error.kind() {
            std::io::ErrorKind::NotFound => (
                "it is not on the PATH".into(),
                "install it (on Debian, Ubuntu and Raspberry Pi OS: apt install ffmpeg)",
            ),
            _ => (
                error.to_string(),
                "check that `ffmpeg -version` works, and the limits that `ulimit -a` shows",
            ),
        };
        Self::NoFfmpeg { reason, remedy }
    }

    /// What is wrong with the camera; `None` where no camera is at fault, so that trying again is
    /// of no use.
    pub fn fault(&self) -> Option<CameraFault> {
        match self {
            Self::Camera { fault, .. } => Some(*fault),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn luma_is_the_same_on_all_instructions() {
        // Not as many pixels as vectors hold.
        let colours: Vec<u8> = (0..3 * 1001_u32).map(|at| (at * at % 251) as u8).collect();
        let expected: Vec<u8> = colours
            .chunks_exact(3)
            .map(|colour| {
                let [red, green, blue] = [0, 1, 2].map(|at| u32::from(colour[at]));
                ((77 * red + 150 * green + 29 * blue + 128) / 256) as u8
            })
            .collect();
        for instructions in Instructions::available() {
            let mut grays = vec![0; expected.len()];
            instructions.run(Luma {
                colours: &colours,
                grays: &mut grays,
            });
            assert_eq!(grays, expected, "{instructions:?}");
        }
    }

    #[test]
    fn luma_keeps_grays_and_spans_the_full_range() {
        for gray in 0..=255 {
            let picture = RgbImage::from_pixel(2, 1, Rgb([gray; 3]));
            assert_eq!(luma_of(&picture).as_raw(), &[gray; 2]);
        }
        let green = RgbImage::from_pixel(1, 1, Rgb([0, 255, 0]));
        assert_eq!(luma_of(&green).as_raw(), &[149]);
    }
}

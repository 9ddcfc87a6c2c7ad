//! Where pictures come from: one trait over recordings, folders of images and cameras.
//!
//! A source only delivers frames with true times; it knows nothing of faces. What is done when a
//! frame is late or lost is decided by [`parseye::live`].

pub mod camera;
pub mod ffmpeg_log;
pub mod images;
pub mod live;
pub mod paced;
pub mod raw_video;
pub mod shortened;
pub mod video;

pub use camera::{
    Backend, Camera, CameraDescription, CameraFault, CameraOpener, CameraSettings, list_cameras,
};
pub use images::ImageFolder;
pub use live::{CaptureLoss, LiveOpener, LiveSource, Read};
pub use paced::PacedRecording;
pub use shortened::ShortenedRecording;
pub use video::VideoFile;

use parseye_vision::frame::{Frame, MAX_PIXELS, MAX_SIDE};
use std::path::{Path, PathBuf};

/// Highest frame rate accepted, in frames a second; no camera that shows a face is faster.
pub const MAX_RATE: f64 = parseye_vision::frame::MAX_FRAME_RATE as f64;

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
        MAX_RATE
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
    pub fn no_ffmpeg(error: &std::io::Error) -> Self {
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

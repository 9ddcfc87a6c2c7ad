//! Reads frames with true times: from video files, folders of images, cameras, network cameras, and programs
//! that write Motion JPEG.
//!
//! [`open_recording`] opens a recording, [`Camera`] a camera; both are a [`FrameSource`], which gives one
//! frame after the other. Sources that deliver in their own time and may stop doing so are a
//! [`LiveSource`], opened, and opened again, by a [`LiveOpener`]: [`CameraOpener`], or [`PacedRecording`],
//! which plays a recording at its own pace. [`DrawnDemonstration`] needs neither a camera nor a file: it draws
//! its frames.
//!
//! A source only delivers frames. What they show, and what to do when one is late or lost, is left to the
//! caller.
//!
//! ```no_run
//! use parseye_capture::{FrameSource, VideoFile};
//!
//! let mut video = VideoFile::open("face.mp4".as_ref())?;
//! while let Some(frame) = video.next_frame()? {
//!     let (width, height) = frame.rgb.dimensions();
//!     println!("frame {} at {:?}: {width}x{height}", frame.sequence, frame.time);
//! }
//! # Ok::<(), parseye_capture::SourceError>(())
//! ```

mod animation;
mod camera;
mod demonstration;
mod ffmpeg;
mod ffmpeg_log;
mod images;
mod live;
mod notice;
mod paced;
mod raw_video;
mod shortened;
mod still;
mod url;
mod video;

pub use camera::{
    Backend, Camera, CameraDescription, CameraFault, CameraOpener, CameraSettings, list_cameras,
};
pub use demonstration::DrawnDemonstration;
pub use images::ImageFolder;
pub use live::{CaptureLoss, LiveOpener, LiveSource, Read, STALL_TIMEOUT};
pub use notice::{DamagedFrames, Notice};
pub use paced::PacedRecording;
pub use shortened::ShortenedRecording;
pub use video::VideoFile;

/// Readers of untrusted bytes, for the fuzz targets alone.
#[doc(hidden)]
pub mod untrusted {
    pub use crate::{
        camera::{
            mjpeg::{Splitter, jpeg_length},
            pixels::{Damage, Layout, PixelFormat, decode, jpeg},
        },
        ffmpeg_log::FfmpegLog,
        raw_video::{RawFrame, RawVideo},
    };
}

use animation::Animation;
use parseye_vision::frame::{Frame, MAX_PIXELS, MAX_SIDE};
use std::{
    io,
    path::{Path, PathBuf},
};
use still::ImageKind;

/// Highest frame rate accepted, in frames per second; no camera that shows a face is faster.
pub const MAX_RATE: f64 = parseye_vision::frame::MAX_FRAME_RATE as f64;

/// A sequence of frames, read one after the other.
pub trait FrameSource: Send {
    /// Returns what the user calls this source: a file or folder name without extension, or a camera's
    /// name.
    fn name(&self) -> &str;

    /// Returns the next frame, or `None` at the regular end of a recording.
    ///
    /// # Errors
    /// When no further frame can be read. Frames delivered before stay valid.
    fn next_frame(&mut self) -> Result<Option<Frame>, SourceError>;

    /// Returns what is to be reported beside the frames, since the last call: frames that were left out,
    /// remarks. What it returns after a frame is about that frame or what came before it.
    fn notices(&mut self) -> Vec<Notice> {
        Vec::new()
    }
}

/// The path of standard input as a recording.
pub const STANDARD_INPUT: &str = "/dev/stdin";

/// Opens a recording: a folder of images, a single image, or a video file; what a file is, is decided by
/// its content. Images are given times `1 / image_rate` seconds apart, those of an animation their own.
///
/// # Errors
/// When the path cannot be read, the folder holds no image, `image_rate` is not above 0 or exceeds
/// [`MAX_RATE`], or ffmpeg is missing. Damage inside a file may be reported by
/// [`FrameSource::next_frame`] instead.
pub fn open_recording(path: &Path, image_rate: f64) -> Result<Box<dyn FrameSource>, SourceError> {
    if path.is_dir() {
        return Ok(Box::new(ImageFolder::open(path, image_rate)?));
    }
    match still::kind_of(path) {
        Some(ImageKind::Animation) => Ok(Box::new(Animation::open(path)?)),
        Some(ImageKind::Still) => Ok(Box::new(ImageFolder::open(path, image_rate)?)),
        None => Ok(Box::new(VideoFile::open(path)?)),
    }
}

/// Returns what a recording is called: its file name without extension, or its folder's name.
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

/// Why a source cannot be opened or read further: what was wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The path cannot be opened.
    #[error("{path}: cannot be read: {reason}; check the path and its permissions")]
    Unreadable {
        /// The path that was given.
        path: PathBuf,
        /// The system's message.
        reason: String,
    },
    /// The file holds no image that can be decoded.
    #[error(
        "{path}: not a readable video or image: {reason}; play it in another program to check the file, or convert it with ffmpeg"
    )]
    NotAVideo {
        /// The path that was given.
        path: PathBuf,
        /// The decoder's message.
        reason: String,
    },
    /// Decoding failed amid the recording; all frames before were delivered.
    #[error(
        "{path}: damaged after frame {frames}: {reason}; what came before it was used, copy or record the file again for the rest"
    )]
    Damaged {
        /// The path that was given.
        path: PathBuf,
        /// Frames before the damage, those amid them that were left out included.
        frames: u64,
        /// The decoder's message.
        reason: String,
    },
    /// An image is larger than [`MAX_SIDE`] or [`MAX_PIXELS`].
    #[error(
        "{path}: an image of {width}x{height} pixels; sides up to {MAX_SIDE} and {MAX_PIXELS} pixels in all are accepted, scale it down first"
    )]
    TooLarge {
        /// The path that was given.
        path: PathBuf,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// The ffmpeg program is missing or cannot be started.
    #[error("cannot start ffmpeg ({reason}), which reads and writes video: {remedy}")]
    NoFfmpeg {
        /// The system's message.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A folder without a single image.
    #[error(
        "{path}: no image (png, jpeg, bmp, gif, webp, tiff) in this folder{}; give a folder of frames or a video file",
        match .others { 0 => String::new(), 1 => ", one other file".into(), others => format!(", {others} other files") }
    )]
    EmptyFolder {
        /// The path that was given.
        path: PathBuf,
        /// Number of files in it that are no images.
        others: usize,
    },
    /// The frame rate of a folder of images is out of range.
    #[error(
        "{path}: the frame rate of images is {rate}; give frames per second above 0, at most {}",
        MAX_RATE
    )]
    BadRate {
        /// The folder.
        path: PathBuf,
        /// The rate that was given, in frames per second.
        rate: f64,
    },
    /// The camera cannot be opened, or stopped delivering.
    #[error("camera {camera}: {reason}; {remedy}")]
    Camera {
        /// Its device path or name.
        camera: String,
        /// What happened, as a program can act on it.
        fault: CameraFault,
        /// What happened, in plain words.
        reason: String,
        /// What to do.
        remedy: String,
    },
}

impl SourceError {
    /// Creates the error for an ffmpeg program that could not be started.
    pub fn no_ffmpeg(error: &io::Error) -> Self {
        let (reason, remedy) = match error.kind() {
            io::ErrorKind::NotFound => (
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

    /// Returns what is wrong with the camera; `None` where no camera is at fault, so that opening the
    /// source again is of no use.
    pub fn fault(&self) -> Option<CameraFault> {
        match self {
            Self::Camera { fault, .. } => Some(*fault),
            _ => None,
        }
    }
}

//! Cameras: choosing one, and reading it frame by frame with true capture times.
//!
//! `v4l2` reads cameras on Linux, `nokhwa` those of other systems (and on Linux on request), and
//! `pipe` the pictures that a program writes to its standard output. What all share is here and
//! beside them: the choice of a camera (`choose.rs`), of its format (`ladder.rs`), decoding
//! (`pixels.rs`, `mjpeg.rs`). What to do when a camera stalls or is unplugged is left to the
//! pipeline: here it is an error with a [`CameraFault`].

mod choose;
mod fault;
mod format_preferences;
mod frame_reader;
pub mod mjpeg;
#[cfg(feature = "nokhwa")]
mod nokhwa;
mod pipe;
pub mod pixels;
#[cfg(target_os = "linux")]
mod v4l2;

pub use fault::CameraFault;

use super::{
    CaptureLoss, FrameSource, MAX_RATE, SourceError,
    live::{LiveOpener, LiveSource, Read},
};
use choose::{Advice, Node};
use parseye_vision::{
    frame::{Frame, MAX_SIDE},
    settings::{SettingError, check_range},
};
use serde::{Deserialize, Deserializer, Serialize};
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Longest wait of [`Camera`]'s [`FrameSource::next_frame`] for a whole picture. A camera in the
/// dark may slow down to 5 frames a second and needs up to a second to start; one that is silent
/// for longer than this has stalled.
pub const READ_TIMEOUT: Duration = Duration::from_secs(2);

/// What a camera's name begins with when it is a program that writes Motion JPEG.
const PIPE: &str = "pipe:";

/// What reads the cameras.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// The best of this system: V4L2 on Linux, nokhwa elsewhere.
    #[default]
    Auto,
    /// Video4Linux, with true capture times and exact counts of lost pictures.
    V4l2,
    /// The nokhwa library, which knows the cameras of other systems too.
    Nokhwa,
}

/// Which camera is wanted, and how it should deliver.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CameraSettings {
    /// A number (`0`), a device path (`/dev/video0`), a part of the camera's name, or `pipe:` and a command;
    /// `None` takes the first that delivers frames.
    #[serde(deserialize_with = "text_or_number")]
    pub id: Option<String>,
    /// What reads the camera. V4L2 tells lost pictures and true times, so that nokhwa is for
    /// systems without it.
    pub backend: Backend,
    /// Width asked for in pixels.
    pub width: u32,
    /// Height asked for in pixels.
    pub height: u32,
    /// Frames per second asked for; cameras have fractions such as 29.97 and 7.5.
    pub frame_rate: f64,
}

impl CameraSettings {
    /// Checks that every value means something.
    ///
    /// # Errors
    /// With the key, its value, and what is accepted.
    pub fn check(&self) -> Result<(), SettingError> {
        for (key, value) in [("width", self.width), ("height", self.height)] {
            let expected = format!("pixels from 1 to {MAX_SIDE}");
            check_range(key, value, 1..=MAX_SIDE, expected)?;
        }
        check_range(
            "frame_rate",
            self.frame_rate,
            1.0..=MAX_RATE,
            format!("frames per second from 1 to {MAX_RATE}"),
        )
    }
}

impl Default for CameraSettings {
    fn default() -> Self {
        // VGA at 30 is what every webcam delivers, and an eye at arm's length spans 40 pixels.
        Self {
            id: None,
            backend: Backend::Auto,
            width: 640,
            height: 480,
            frame_rate: 30.0,
        }
    }
}

/// A camera may be given as `"/dev/video0"` or as the number 0.
fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum TextOrNumber {
        Text(String),
        Number(u32),
    }
    Ok(
        Option::<TextOrNumber>::deserialize(deserializer)?.map(|id| match id {
            TextOrNumber::Text(text) => text,
            TextOrNumber::Number(number) => number.to_string(),
        }),
    )
}

/// A camera of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraDescription {
    /// Its device, such as `/dev/video0`.
    pub path: PathBuf,
    /// What it calls itself.
    pub name: String,
    /// The formats that Parseye reads with their sizes and rates, such as
    /// `MJPG 640x480 at 30, 15 frames/s`.
    pub formats: Vec<String>,
}

/// What a backend can do.
trait Driver: Send + Sync {
    /// Every device of this machine.
    fn nodes(&self) -> Vec<Node>;
    /// What to say where there is none.
    fn advice(&self) -> Advice;
    /// Opens a camera and starts it.
    fn open(
        &self,
        path: &Path,
        request: &CameraSettings,
    ) -> Result<Box<dyn LiveSource>, SourceError>;
}

/// The backend that was asked for, where this program has it.
fn driver(backend: Backend) -> Result<&'static dyn Driver, SourceError> {
    match backend {
        #[cfg(target_os = "linux")]
        Backend::Auto | Backend::V4l2 => Ok(&v4l2::V4l2),
        #[cfg(not(target_os = "linux"))]
        Backend::V4l2 => Err(lacking("only Linux has V4L2", "leave out --backend")),
        #[cfg(all(feature = "nokhwa", not(target_os = "linux")))]
        Backend::Auto => Ok(&nokhwa::Nokhwa),
        #[cfg(not(any(feature = "nokhwa", target_os = "linux")))]
        Backend::Auto => Err(lacking(
            "this program was built without nokhwa, which reads the cameras of this system",
            "build it with the feature nokhwa, or use `parseye replay FILE` with a recording",
        )),
        #[cfg(feature = "nokhwa")]
        Backend::Nokhwa => Ok(&nokhwa::Nokhwa),
        #[cfg(not(feature = "nokhwa"))]
        Backend::Nokhwa => Err(lacking(
            "this program was built without nokhwa",
            "leave out --backend, or build it with the feature nokhwa",
        )),
    }
}

#[cfg(not(all(feature = "nokhwa", target_os = "linux")))]
fn lacking(reason: &str, remedy: &str) -> SourceError {
    SourceError::Camera {
        camera: "(any)".into(),
        fault: CameraFault::Missing,
        reason: reason.into(),
        remedy: remedy.into(),
    }
}

/// The cameras of this machine; devices that cannot capture a video are left out.
pub fn list_cameras() -> Vec<CameraDescription> {
    let nodes = driver(Backend::Auto).map(Driver::nodes);
    nodes
        .unwrap_or_default()
        .into_iter()
        .filter_map(|node| node.camera.ok())
        .collect()
}

/// One camera, which it opens, and opens again when it comes back.
pub struct CameraOpener {
    request: CameraSettings,
    name: String,
    /// What the request meant when it was made; `None` for a program.
    before: Option<CameraDescription>,
    /// Whether it was opened before.
    again: bool,
}

impl std::fmt::Debug for CameraOpener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CameraOpener")
            .field("request", &self.request)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl CameraOpener {
    /// Finds out which camera is meant, without opening it.
    ///
    /// # Errors
    /// [`SourceError::Camera`] when there is no such camera, or the command after `pipe:` is none.
    /// Without any camera the error lists what was looked at.
    pub fn new(request: CameraSettings) -> Result<Self, SourceError> {
        if let Some(command) = command_of(&request) {
            return Ok(Self {
                name: pipe::name(command)?,
                request,
                before: None,
                again: false,
            });
        }
        let driver = driver(request.backend)?;
        let camera = choose::choose(request.id.as_deref(), &driver.nodes(), driver.advice())?;
        Ok(Self {
            name: camera.name.clone(),
            request,
            before: Some(camera),
            again: false,
        })
    }

    fn open_device(&self, before: &CameraDescription) -> Result<Box<dyn LiveSource>, SourceError> {
        let driver = driver(self.request.backend)?;
        let id = self.request.id.as_deref();
        let camera = choose::choose_again(id, before, &driver.nodes()).map_err(|reason| {
            SourceError::Camera {
                camera: format!("{} ({})", before.path.display(), before.name),
                fault: CameraFault::Missing,
                reason,
                remedy: "plug it in again".into(),
            }
        })?;
        driver.open(&camera.path, &self.request)
    }
}

fn command_of(request: &CameraSettings) -> Option<&str> {
    request.id.as_deref()?.strip_prefix(PIPE)
}

impl LiveOpener for CameraOpener {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&mut self) -> Result<Box<dyn LiveSource>, SourceError> {
        // Who starts the program should be told at once what a command lacks; later there is
        // nobody to wait for that.
        let patience = if self.again {
            Duration::ZERO
        } else {
            READ_TIMEOUT
        };
        self.again = true;
        match (command_of(&self.request), &self.before) {
            (None, Some(before)) => self.open_device(before),
            (command, _) => pipe::open(command.unwrap_or_default(), &self.name, patience),
        }
    }
}

/// An open camera as a plain source of frames, for those who do not watch for long: the first
/// fault ends it.
pub struct Camera {
    name: String,
    source: Box<dyn LiveSource>,
}

impl std::fmt::Debug for Camera {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Camera")
            .field("name", &self.name)
            .field("format", &self.source.format())
            .finish_non_exhaustive()
    }
}

impl Camera {
    /// Opens a camera and starts it.
    ///
    /// # Errors
    /// [`SourceError::Camera`] when there is no such camera, it is in use, or it has no format
    /// that can be read; without any camera the error lists what was looked at.
    pub fn open(request: &CameraSettings) -> Result<Self, SourceError> {
        let mut opener = CameraOpener::new(request.clone())?;
        let source = opener.open()?;
        let name = opener.name;
        Ok(Self { name, source })
    }

    /// Pictures that were damaged or lost so far.
    pub fn lost(&self) -> CaptureLoss {
        self.source.lost()
    }

    /// The moment that is 0 in [`Frame::time`].
    pub fn opened(&self) -> Instant {
        self.source.opened()
    }

    /// How it delivers, such as `MJPG 640x480 at 30 frames/s`.
    pub fn format(&self) -> String {
        self.source.format()
    }
}

impl FrameSource for Camera {
    fn name(&self) -> &str {
        &self.name
    }

    /// Waits for the next picture that is whole, at most [`READ_TIMEOUT`].
    fn next_frame(&mut self) -> Result<Option<Frame>, SourceError> {
        let begin = Instant::now();
        loop {
            let left = READ_TIMEOUT.saturating_sub(begin.elapsed());
            match self.source.read(left)? {
                Read::Frame(frame) => return Ok(Some(frame)),
                Read::Ended => return Ok(None),
                Read::Nothing if left.is_zero() => {
                    return Err(SourceError::Camera {
                        camera: self.name.clone(),
                        fault: CameraFault::Stalled,
                        reason: format!("no whole picture for {} seconds", READ_TIMEOUT.as_secs()),
                        remedy: "check its cable, then plug it in again".into(),
                    });
                }
                Read::Nothing => {}
            }
        }
    }
}

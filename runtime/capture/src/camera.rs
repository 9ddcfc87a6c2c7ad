//! Cameras: chooses one, and reads it frame by frame with true capture times.
//!
//! `v4l2` reads cameras on Linux, `nokhwa` those of other systems (and on Linux on request), `pipe` the
//! images that a program writes to its standard output, and `network` what ffmpeg reads: network cameras,
//! and streams at the standard input. They share the choice of a camera (`choose`) and of its format
//! (`format_preferences`), and decoding (`pixels`, `mjpeg`). What to do when a camera stalls or is unplugged
//! is left to the caller: here it is an error with a [`CameraFault`].

mod choose;
mod fault;
mod format_preferences;
mod frame_reader;
pub(crate) mod mjpeg;
mod network;
#[cfg(feature = "nokhwa")]
mod nokhwa;
mod pipe;
pub(crate) mod pixels;
mod settings;
mod stream_clock;
#[cfg(target_os = "linux")]
mod v4l2;

pub use fault::CameraFault;
pub use settings::{Backend, CameraSettings};

use super::{
    CaptureLoss, FrameSource, MAX_RATE, Notice, PacedRecording, SourceError,
    live::{LiveOpener, LiveSource, Read, STALL_TIMEOUT},
    url::CameraUrl,
};
use choose::{Advice, Node};
use network::Stream;
use parseye_vision::frame::Frame;
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Prefix of the id of a camera that is a program which writes Motion JPEG.
const PIPE: &str = "pipe:";

/// The id of the standard input.
const STANDARD_INPUT: &str = "-";

/// How long the first opening of a network camera waits for its first frame, so that its user sees at once
/// why there is none.
const NETWORK_STARTUP: Duration = Duration::from_secs(10);

/// A camera of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraDescription {
    /// Its device, such as `/dev/video0`.
    pub path: PathBuf,
    /// Its name, as the device reports it.
    pub name: String,
    /// The formats that can be read, with their sizes and rates, such as
    /// `MJPG 640x480 at 30, 15 frames/s`.
    pub formats: Vec<String>,
}

/// A backend: lists the devices of this machine and opens one.
trait Driver: Send + Sync {
    /// Lists every device of this machine.
    fn nodes(&self) -> Vec<Node>;
    /// Returns the parts of the messages for a missing camera.
    fn advice(&self) -> Advice;
    /// Opens a camera and starts it.
    fn open(
        &self,
        path: &Path,
        request: &CameraSettings,
    ) -> Result<Box<dyn LiveSource>, SourceError>;
}

/// Returns the backend that was asked for, if this program has it.
fn driver(backend: Backend) -> Result<&'static dyn Driver, SourceError> {
    match backend {
        #[cfg(target_os = "linux")]
        Backend::Auto | Backend::V4l2 => Ok(&v4l2::V4l2),
        #[cfg(not(target_os = "linux"))]
        Backend::V4l2 => Err(unavailable("only Linux has V4L2", "leave out --backend")),
        #[cfg(all(feature = "nokhwa", not(target_os = "linux")))]
        Backend::Auto => Ok(&nokhwa::Nokhwa),
        #[cfg(not(any(feature = "nokhwa", target_os = "linux")))]
        Backend::Auto => Err(unavailable(
            "this program was built without nokhwa, which reads the cameras of this system",
            "build it with the feature nokhwa, or use `parseye replay FILE` with a recording",
        )),
        #[cfg(feature = "nokhwa")]
        Backend::Nokhwa => Ok(&nokhwa::Nokhwa),
        #[cfg(not(feature = "nokhwa"))]
        Backend::Nokhwa => Err(unavailable(
            "this program was built without nokhwa",
            "leave out --backend, or build it with the feature nokhwa",
        )),
    }
}

#[cfg(not(all(feature = "nokhwa", target_os = "linux")))]
fn unavailable(reason: &str, remedy: &str) -> SourceError {
    SourceError::Camera {
        camera: "(any)".into(),
        fault: CameraFault::Missing,
        reason: reason.into(),
        remedy: remedy.into(),
    }
}

/// Lists the cameras of this machine; devices that cannot capture video are left out.
pub fn list_cameras() -> Vec<CameraDescription> {
    let nodes = driver(Backend::Auto).map(Driver::nodes);
    nodes
        .unwrap_or_default()
        .into_iter()
        .filter_map(|node| node.camera.ok())
        .collect()
}

/// What a request for a camera means.
enum Chosen {
    /// A device of this machine.
    Device(CameraDescription),
    /// A program that writes Motion JPEG.
    Program(String),
    /// A stream that ffmpeg reads.
    Stream(Stream),
    /// A recording, played at its own pace.
    Recording(PacedRecording),
}

/// Opens one camera, and opens it again when it comes back.
pub struct CameraOpener {
    request: CameraSettings,
    name: String,
    /// What the request meant when it was made.
    chosen: Chosen,
    /// Whether it was opened before.
    opened_before: bool,
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
    /// Finds the camera that the settings mean, without opening it.
    ///
    /// # Errors
    /// [`SourceError::Camera`] when there is no such camera, `pipe:` is not followed by a command, or a URL
    /// is none that can be read. Without any camera the error lists the devices and why each is none.
    pub fn new(request: CameraSettings) -> Result<Self, SourceError> {
        let (name, chosen) = choose_source(&request)?;
        Ok(Self {
            request,
            name,
            chosen,
            opened_before: false,
        })
    }

    fn open_device(&self, chosen: &CameraDescription) -> Result<Box<dyn LiveSource>, SourceError> {
        let driver = driver(self.request.backend)?;
        let id = self.request.id.as_deref();
        let camera = choose::choose_again(id, chosen, &driver.nodes()).map_err(|reason| {
            SourceError::Camera {
                camera: format!("{} ({})", chosen.path.display(), chosen.name),
                fault: CameraFault::Missing,
                reason: reason.to_string(),
                remedy: "plug it in again".into(),
            }
        })?;
        driver.open(&camera.path, &self.request)
    }
}

/// Decides what a request means; returns its name in events, too.
fn choose_source(request: &CameraSettings) -> Result<(String, Chosen), SourceError> {
    let id = request.id.as_deref();
    if let Some(command) = id.and_then(|id| id.strip_prefix(PIPE)) {
        return Ok((pipe::name(command)?, Chosen::Program(command.into())));
    }
    if let Some(stream) = id.map(stream_of).transpose()?.flatten() {
        return Ok((stream.name(), Chosen::Stream(stream)));
    }
    if let Some(path) = id.map(Path::new).filter(|path| path.is_file()) {
        let recording = PacedRecording::new(path, request.frame_rate, false);
        return Ok((recording.name().into(), Chosen::Recording(recording)));
    }
    let driver = driver(request.backend)?;
    let camera = choose::choose(id, &driver.nodes(), driver.advice())?;
    Ok((camera.name.clone(), Chosen::Device(camera)))
}

/// Returns the stream that an id means, if it means one.
fn stream_of(id: &str) -> Result<Option<Stream>, SourceError> {
    if id == STANDARD_INPUT {
        return Ok(Some(Stream::StandardInput));
    }
    if is_named_pipe(Path::new(id)) {
        return Ok(Some(Stream::NamedPipe(id.into())));
    }
    match CameraUrl::parse(id) {
        None => Ok(None),
        Some(Ok(url)) => Ok(Some(Stream::Url(url))),
        Some(Err(error)) => Err(SourceError::Camera {
            camera: super::url::without_credentials(id),
            fault: CameraFault::Missing,
            reason: error.to_string(),
            remedy: "give a URL such as rtsp://HOST:554/stream or http://HOST/video.mjpg".into(),
        }),
    }
}

#[cfg(unix)]
fn is_named_pipe(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    std::fs::metadata(path).is_ok_and(|file| file.file_type().is_fifo())
}

#[cfg(not(unix))]
fn is_named_pipe(_: &Path) -> bool {
    false
}

impl LiveOpener for CameraOpener {
    fn name(&self) -> &str {
        &self.name
    }

    fn stall_timeout(&self) -> Option<Duration> {
        match &self.chosen {
            Chosen::Recording(recording) => recording.stall_timeout(),
            // It cannot be opened again: its writer may take its time.
            Chosen::Stream(stream) if !stream.can_be_reopened() => None,
            Chosen::Device(_) | Chosen::Program(_) | Chosen::Stream(_) => Some(STALL_TIMEOUT),
        }
    }

    fn open(&mut self) -> Result<Box<dyn LiveSource>, SourceError> {
        // When the program starts, its user should see at once why a camera fails; later there is nobody to
        // wait for that.
        let first = !std::mem::replace(&mut self.opened_before, true);
        let startup = |startup| if first { startup } else { Duration::ZERO };
        match &mut self.chosen {
            Chosen::Program(command) => pipe::open(command, &self.name, startup(STALL_TIMEOUT)),
            Chosen::Stream(stream) => network::open(stream.clone(), startup(NETWORK_STARTUP)),
            Chosen::Recording(recording) => recording.open(),
            Chosen::Device(camera) => {
                let camera = camera.clone();
                self.open_device(&camera)
            }
        }
    }
}

/// An open camera as a plain source of frames, which ends at its first fault.
pub struct Camera {
    name: String,
    source: Box<dyn LiveSource>,
    /// Whether a frame came.
    delivered: bool,
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
    /// that can be read; without any camera the error lists the devices and why each is none.
    pub fn open(request: &CameraSettings) -> Result<Self, SourceError> {
        let mut opener = CameraOpener::new(request.clone())?;
        let source = opener.open()?;
        let name = opener.name;
        Ok(Self {
            name,
            source,
            delivered: false,
        })
    }

    /// Returns the frames that were damaged or lost so far.
    pub fn lost(&self) -> CaptureLoss {
        self.source.lost()
    }

    /// Returns the moment that is 0 in [`Frame::time`].
    pub fn opened(&self) -> Instant {
        self.source.opened()
    }

    /// Describes the format, such as `MJPG 640x480 at 30 frames/s`.
    pub fn format(&self) -> String {
        self.source.format()
    }
}

impl FrameSource for Camera {
    fn name(&self) -> &str {
        &self.name
    }

    fn notices(&mut self) -> Vec<Notice> {
        self.source.notices()
    }

    /// Waits for the next whole frame, at most [`STALL_TIMEOUT`], and for the first as long as it may take.
    fn next_frame(&mut self) -> Result<Option<Frame>, SourceError> {
        let begin = Instant::now();
        loop {
            let limit = match self.delivered {
                true => STALL_TIMEOUT,
                false => self.source.startup(),
            };
            let left = limit.saturating_sub(begin.elapsed());
            match self.source.read(left)? {
                Read::Frame(frame) => {
                    self.delivered = true;
                    return Ok(Some(frame));
                }
                Read::Ended => return Ok(None),
                Read::Nothing if left.is_zero() => {
                    return Err(SourceError::Camera {
                        camera: self.name.clone(),
                        fault: CameraFault::Stalled,
                        reason: format!("no whole frame for {} seconds", limit.as_secs()),
                        remedy: "check its cable, then plug it in again".into(),
                    });
                }
                Read::Nothing => {}
            }
        }
    }
}

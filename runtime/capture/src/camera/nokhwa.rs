//! Cameras through the nokhwa library: of systems other than Linux, and on Linux on request.
//!
//! nokhwa waits for a frame without end when a camera stalls, so all its calls are made by a thread of
//! their own, which may hang. A camera that hangs counts as lost, and its thread ends when the driver
//! answers at last. nokhwa neither counts lost frames nor reports a buffer's true length.

use super::{
    CameraDescription, CameraFault, CameraSettings, CaptureLoss, Driver, Frame, LiveSource, Notice,
    Read, SourceError,
    choose::{Advice, Node, WITHOUT_CAMERA},
    format_preferences::{FormatCandidate, Offer, candidates, format_rate},
    frame_reader::{FrameReader, FrameReceiver, Received, frame_channel},
    pixels::{self, Layout, PixelFormat},
};
use crossbeam::channel::{self, RecvTimeoutError, Sender};
use nokhwa::{
    Camera, NokhwaError, nokhwa_check, nokhwa_initialize, query,
    utils::{
        ApiBackend, CameraFormat, CameraIndex, FrameFormat, RequestedFormat, RequestedFormatType,
        Resolution,
    },
};
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Longest wait for a camera to open.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest wait for the user to allow the camera, where the system asks (macOS).
const PERMISSION_TIMEOUT: Duration = Duration::from_secs(60);

/// An older timestamp is not used: the clock was set, or it is another clock's.
const MAX_AGE: Duration = Duration::from_secs(1);

const REMEDY: &str = "plug it in again, or choose another that `parseye cameras` lists";

/// Why nokhwa delivers no frame.
#[derive(Debug, thiserror::Error)]
enum NokhwaFault {
    #[error("the system does not allow it; allow this program to use the camera")]
    NotAllowed,
    #[error("delivers {0}, which is not read")]
    UnreadableFormat(FrameFormat),
    #[error("the nokhwa library, which reads the camera, crashed")]
    Crashed,
    #[error(transparent)]
    Library(#[from] NokhwaError),
}

impl NokhwaFault {
    fn fault(&self) -> CameraFault {
        fault_of(&self.to_string())
    }
}

/// The nokhwa backend.
#[derive(Debug)]
pub(super) struct Nokhwa;

impl Driver for Nokhwa {
    fn nodes(&self) -> Vec<Node> {
        let cameras = query(ApiBackend::Auto).unwrap_or_default();
        let node = |camera: &nokhwa::utils::CameraInfo| {
            let path = match camera.index() {
                CameraIndex::Index(number) => path_of(*number),
                CameraIndex::String(text) => PathBuf::from(text),
            };
            Node {
                path: path.clone(),
                camera: Ok(CameraDescription {
                    path,
                    name: camera.human_name(),
                    // Listing the formats would start the camera.
                    formats: Vec::new(),
                }),
            }
        };
        cameras.iter().map(node).collect()
    }

    fn advice(&self) -> Advice {
        Advice {
            no_node: "nokhwa sees none",
            without_camera: WITHOUT_CAMERA,
            path_of,
        }
    }

    fn open(
        &self,
        path: &Path,
        request: &CameraSettings,
    ) -> Result<Box<dyn LiveSource>, SourceError> {
        let failed = |fault, reason: String, remedy: &str| SourceError::Camera {
            camera: path.display().to_string(),
            fault,
            reason,
            remedy: remedy.into(),
        };
        let index = index_of(path).ok_or_else(|| {
            failed(
                CameraFault::Missing,
                "nokhwa knows cameras by number".into(),
                "give a number that `parseye cameras` lists",
            )
        })?;
        let (opened_sender, opened_receiver) = channel::bounded(1);
        let (reader, frames) = frame_channel();
        let (error_sender, error) = channel::bounded(1);
        let wanted = request.clone();
        let opened = Instant::now();
        std::thread::Builder::new()
            .name("camera nokhwa".into())
            .spawn(move || read_frames(index, &wanted, &opened_sender, reader, &error_sender))
            .map_err(|error| failed(CameraFault::Failed, error.to_string(), "try again"))?;
        let of_nokhwa = |error: &NokhwaFault| failed(error.fault(), error.to_string(), REMEDY);
        let (layout, rate) = match opened_receiver.recv_timeout(OPEN_TIMEOUT) {
            Ok(Ok(negotiated)) => negotiated,
            Ok(Err(error)) => return Err(of_nokhwa(&error)),
            Err(RecvTimeoutError::Timeout) => {
                return Err(failed(
                    CameraFault::Stalled,
                    format!("did not open within {} seconds", OPEN_TIMEOUT.as_secs()),
                    REMEDY,
                ));
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(of_nokhwa(&NokhwaFault::Crashed));
            }
        };
        Ok(Box::new(NokhwaDevice {
            name: path.display().to_string(),
            frames,
            error,
            layout,
            rate,
            opened,
            last_time: Duration::ZERO,
            lost: CaptureLoss::default(),
            damaged: Vec::new(),
        }))
    }
}

/// On Linux nokhwa's numbers are those of /dev/video*.
fn path_of(number: u32) -> PathBuf {
    if cfg!(target_os = "linux") {
        PathBuf::from(format!("/dev/video{number}"))
    } else {
        PathBuf::from(number.to_string())
    }
}

fn index_of(path: &Path) -> Option<CameraIndex> {
    let text = path.to_str()?;
    let number = text.strip_prefix("/dev/video").unwrap_or(text);
    number.parse().ok().map(CameraIndex::Index)
}

/// Opens the camera and sends its frames until the receiver is gone. Runs on the thread that may hang.
fn read_frames(
    index: CameraIndex,
    request: &CameraSettings,
    opened: &Sender<Result<Negotiated, NokhwaFault>>,
    mut reader: FrameReader<Vec<u8>>,
    error: &Sender<NokhwaFault>,
) {
    let mut camera = match start(index, request) {
        Ok((camera, negotiated)) => {
            if opened.send(Ok(negotiated)).is_err() {
                return;
            }
            camera
        }
        Err(fault) => {
            let _ = opened.send(Err(fault));
            return;
        }
    };
    while !reader.is_disconnected() {
        match camera.frame() {
            Ok(buffer) => {
                let captured = captured(buffer.capture_timestamp());
                reader.send(buffer.buffer().to_vec(), captured);
            }
            Err(fault) => {
                let _ = error.send(fault.into());
                return;
            }
        }
    }
}

/// The frames' layout, and their rate in frames per second.
type Negotiated = (Layout, f64);

fn start(
    index: CameraIndex,
    request: &CameraSettings,
) -> Result<(Camera, Negotiated), NokhwaFault> {
    if !nokhwa_check() {
        let (sender, allowed) = channel::bounded(1);
        nokhwa_initialize(move |yes| {
            let _ = sender.send(yes);
        });
        if !allowed.recv_timeout(PERMISSION_TIMEOUT).unwrap_or(false) {
            return Err(NokhwaFault::NotAllowed);
        }
    }
    let readable = [
        FrameFormat::MJPEG,
        FrameFormat::YUYV,
        FrameFormat::NV12,
        FrameFormat::GRAY,
    ];
    let any = RequestedFormat::with_formats(RequestedFormatType::None, &readable);
    let mut camera = Camera::new(index, any)?;
    let formats = camera.compatible_camera_formats()?;
    let offers = formats.iter().filter_map(offer).collect();
    let wanted = (request.width, request.height);
    for candidate in candidates(offers, wanted, request.frame_rate) {
        let of_candidate = formats
            .iter()
            .filter(|format| offer(format).is_some_and(|(offered, _)| offered == candidate));
        let nearest = of_candidate.min_by(|a, b| {
            let distance =
                |format: &CameraFormat| (f64::from(format.frame_rate()) - request.frame_rate).abs();
            distance(a).total_cmp(&distance(b))
        });
        let Some(format) = nearest else { continue };
        let exact = RequestedFormatType::Exact(*format);
        let decoders = [format.format()];
        let accepted = camera.set_camera_requset(RequestedFormat::with_formats(exact, &decoders));
        if accepted.is_ok() {
            break;
        }
    }
    camera.open_stream()?;
    let negotiated = camera.camera_format();
    let (candidate, _) =
        offer(&negotiated).ok_or_else(|| NokhwaFault::UnreadableFormat(negotiated.format()))?;
    let layout = Layout {
        format: candidate.format,
        width: candidate.size.0,
        height: candidate.size.1,
        // nokhwa packs rows without padding, or does not report it.
        stride: 0,
        full_range: false,
    };
    Ok((camera, (layout, f64::from(negotiated.frame_rate()))))
}

fn offer(format: &CameraFormat) -> Option<Offer> {
    let Resolution { width_x, height_y } = format.resolution();
    let candidate = FormatCandidate {
        format: match format.format() {
            FrameFormat::MJPEG => PixelFormat::Mjpeg,
            FrameFormat::YUYV => PixelFormat::Yuyv,
            FrameFormat::NV12 => PixelFormat::Nv12,
            FrameFormat::GRAY => PixelFormat::Grey,
            FrameFormat::RAWRGB | FrameFormat::RAWBGR => return None,
        },
        size: (width_x, height_y),
    };
    Some((candidate, Some(f64::from(format.frame_rate()))))
}

/// Returns the capture time of a timestamp, which nokhwa takes from the wall clock, where it has one.
fn captured(timestamp: Option<Duration>) -> Instant {
    let now = Instant::now();
    let age = timestamp.and_then(|timestamp| {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        wall.checked_sub(timestamp).filter(|age| *age <= MAX_AGE)
    });
    age.and_then(|age| now.checked_sub(age)).unwrap_or(now)
}

/// Classifies an error by its message, which is all that nokhwa gives.
fn fault_of(message: &str) -> CameraFault {
    const FAULTS: [(&str, CameraFault); 5] = [
        ("No such device", CameraFault::Unplugged),
        ("os error 19", CameraFault::Unplugged),
        ("os error 16", CameraFault::Busy),
        ("busy", CameraFault::Busy),
        ("No such file", CameraFault::Missing),
    ];
    FAULTS
        .iter()
        .find(|(part, _)| message.contains(part))
        .map_or(CameraFault::Failed, |(_, fault)| *fault)
}

struct NokhwaDevice {
    name: String,
    frames: FrameReceiver<Vec<u8>>,
    /// Why the thread has ended.
    error: channel::Receiver<NokhwaFault>,
    layout: Layout,
    /// Frames per second that were negotiated.
    rate: f64,
    opened: Instant,
    last_time: Duration,
    lost: CaptureLoss,
    /// Damaged frames that were not reported yet.
    damaged: Vec<Notice>,
}

impl LiveSource for NokhwaDevice {
    fn format(&self) -> String {
        let Layout {
            format,
            width,
            height,
            ..
        } = self.layout;
        let rate = format_rate(self.rate);
        format!("{format} {width}x{height} at {rate} frames/s by nokhwa")
    }

    fn opened(&self) -> Instant {
        self.opened
    }

    fn lost(&self) -> CaptureLoss {
        CaptureLoss {
            driver: self.frames.dropped(),
            ..self.lost
        }
    }

    fn read(&mut self, wait: Duration) -> Result<Read, SourceError> {
        let encoded = match self.frames.receive(wait) {
            Received::Frame(frame) => frame,
            Received::Nothing => return Ok(Read::Nothing),
            Received::Ended => {
                let error = self.error.try_recv().unwrap_or(NokhwaFault::Crashed);
                return Err(SourceError::Camera {
                    camera: self.name.clone(),
                    fault: error.fault(),
                    reason: error.to_string(),
                    remedy: REMEDY.into(),
                });
            }
        };
        match pixels::decode(&self.layout, &encoded.content) {
            Ok(rgb) => {
                let time = encoded.captured.saturating_duration_since(self.opened);
                self.last_time = self.last_time.max(time);
                Ok(Read::Frame(Frame::from_rgb(
                    encoded.sequence,
                    self.last_time,
                    rgb,
                )))
            }
            Err(damage) => {
                self.lost.count(damage);
                let (frame, time) = (encoded.sequence, self.opened.elapsed());
                self.damaged.push(Notice::Damaged { frame, time });
                Ok(Read::Nothing)
            }
        }
    }

    fn notices(&mut self) -> Vec<Notice> {
        let mut notices = self.frames.notices(self.opened.elapsed());
        notices.append(&mut self.damaged);
        notices
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_classified_by_nokhwa_s_messages() {
        for (message, fault) in [
            (
                "V4L2 Error: Device or resource busy (os error 16)",
                CameraFault::Busy,
            ),
            ("No such device (os error 19)", CameraFault::Unplugged),
            ("something else", CameraFault::Failed),
        ] {
            assert_eq!(fault_of(message), fault, "{message}");
        }
    }

    #[test]
    fn only_recent_timestamps_are_used() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let age = |timestamp| captured(timestamp).elapsed();
        assert!(age(Some(now - Duration::from_millis(500))) >= Duration::from_millis(500));
        assert!(age(Some(Duration::from_secs(7))) < Duration::from_millis(400));
        assert!(age(None) < Duration::from_millis(400));
    }
}

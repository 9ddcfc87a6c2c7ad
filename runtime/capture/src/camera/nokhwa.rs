//! Cameras through the nokhwa library: of systems other than Linux, and on Linux on request.
//!
//! nokhwa's wait for a picture has no end when a camera stalls, so all calls are made by a thread
//! of its own, which may hang; the others do not. A camera that hangs is given up, and its thread
//! ends when the driver answers at last. nokhwa neither counts lost pictures nor tells a buffer's
//! true length.

use super::{
    CameraDescription, CameraFault, CameraSettings, CaptureLoss, Driver, Frame, LiveSource, Read,
    SourceError,
    choose::{Advice, Node},
    format_preferences::{self, FormatCandidate, Offer, rate_in_words},
    frame_reader::{Fed, Feed, FrameReader, feed},
    pixels::{self, Damage, Layout, PixelFormat},
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

/// A time stamp older than this is not believed: clocks were set, or it is of another kind.
const OLDEST: Duration = Duration::from_secs(1);

const REMEDY: &str = "plug it in again, or choose another that `parseye cameras` lists";

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
                    // Listing them would start the camera.
                    formats: Vec::new(),
                }),
            }
        };
        cameras.iter().map(node).collect()
    }

    fn advice(&self) -> Advice {
        Advice {
            no_node: "nokhwa sees none",
            without_camera: "plug one in, or use `parseye replay FILE` with a recording",
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
        let (feeder, feed) = feed();
        let (error_sender, error) = channel::bounded(1);
        let wish = request.clone();
        let opened = Instant::now();
        std::thread::Builder::new()
            .name("camera nokhwa".into())
            .spawn(move || work(index, &wish, &opened_sender, feeder, &error_sender))
            .map_err(|error| failed(CameraFault::Failed, error.to_string(), "try again"))?;
        let (layout, rate) = match opened_receiver.recv_timeout(OPEN_TIMEOUT) {
            Ok(Ok(agreed)) => agreed,
            Ok(Err(words)) => return Err(failed(fault_of(&words), words, REMEDY)),
            Err(RecvTimeoutError::Timeout) => {
                return Err(failed(
                    CameraFault::Stalled,
                    format!("did not open within {} seconds", OPEN_TIMEOUT.as_secs()),
                    REMEDY,
                ));
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(failed(
                    CameraFault::Failed,
                    "nokhwa gave up on it".into(),
                    REMEDY,
                ));
            }
        };
        Ok(Box::new(Device {
            name: path.display().to_string(),
            feed,
            error,
            layout,
            rate,
            opened,
            last_time: Duration::ZERO,
            lost: CaptureLoss::default(),
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

/// The thread that may hang: opens the camera and passes its pictures on until nobody listens.
fn work(
    index: CameraIndex,
    request: &CameraSettings,
    opened: &Sender<Result<Agreed, String>>,
    mut feeder: FrameReader,
    error: &Sender<String>,
) {
    let mut camera = match start(index, request) {
        Ok((camera, agreed)) => {
            if opened.send(Ok(agreed)).is_err() {
                return;
            }
            camera
        }
        Err(words) => {
            let _ = opened.send(Err(words));
            return;
        }
    };
    while !feeder.is_disconnected() {
        match camera.frame() {
            Ok(buffer) => {
                let captured = captured(buffer.capture_timestamp());
                feeder.put(buffer.buffer().to_vec(), captured);
            }
            Err(words) => {
                let _ = error.send(words.to_string());
                return;
            }
        }
    }
}

/// How pictures are laid out, and their rate.
type Agreed = (Layout, f64);

fn start(index: CameraIndex, request: &CameraSettings) -> Result<(Camera, Agreed), String> {
    if !nokhwa_check() {
        let (sender, allowed) = channel::bounded(1);
        nokhwa_initialize(move |yes| {
            let _ = sender.send(yes);
        });
        if !allowed.recv_timeout(PERMISSION_TIMEOUT).unwrap_or(false) {
            return Err(
                "the system does not allow it; allow this program to use the camera".into(),
            );
        }
    }
    let words = |error: NokhwaError| error.to_string();
    let known = [
        FrameFormat::MJPEG,
        FrameFormat::YUYV,
        FrameFormat::NV12,
        FrameFormat::GRAY,
    ];
    let any = RequestedFormat::with_formats(RequestedFormatType::None, &known);
    let mut camera = Camera::new(index, any).map_err(words)?;
    let formats = camera.compatible_camera_formats().map_err(words)?;
    let offers = formats.iter().filter_map(offer).collect();
    let wanted = (request.width, request.height);
    for candidate in format_preferences::ladder(offers, wanted, request.frame_rate) {
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
        let agreed = camera.set_camera_requset(RequestedFormat::with_formats(exact, &decoders));
        if agreed.is_ok() {
            break;
        }
    }
    camera.open_stream().map_err(words)?;
    let agreed = camera.camera_format();
    let (candidate, _) =
        offer(&agreed).ok_or_else(|| format!("delivers {}, which is not read", agreed.format()))?;
    let layout = Layout {
        format: candidate.format,
        width: candidate.size.0,
        height: candidate.size.1,
        // nokhwa packs rows without padding, or does not say.
        stride: 0,
        full_range: false,
    };
    Ok((camera, (layout, f64::from(agreed.frame_rate()))))
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

/// nokhwa gives capture times on the wall clock, where it gives any.
fn captured(stamp: Option<Duration>) -> Instant {
    let now = Instant::now();
    let age = stamp.and_then(|stamp| {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        wall.checked_sub(stamp).filter(|age| *age <= OLDEST)
    });
    age.and_then(|age| now.checked_sub(age)).unwrap_or(now)
}

/// nokhwa says everything in words only.
fn fault_of(words: &str) -> CameraFault {
    const FAULTS: [(&str, CameraFault); 5] = [
        ("No such device", CameraFault::Unplugged),
        ("os error 19", CameraFault::Unplugged),
        ("os error 16", CameraFault::Busy),
        ("busy", CameraFault::Busy),
        ("No such file", CameraFault::Missing),
    ];
    FAULTS
        .iter()
        .find(|(part, _)| words.contains(part))
        .map_or(CameraFault::Failed, |(_, fault)| *fault)
}

struct Device {
    name: String,
    feed: Feed,
    /// Why the thread has ended.
    error: channel::Receiver<String>,
    layout: Layout,
    /// Frames a second that were agreed on.
    rate: f64,
    opened: Instant,
    last_time: Duration,
    lost: CaptureLoss,
}

impl LiveSource for Device {
    fn format(&self) -> String {
        let Layout {
            format,
            width,
            height,
            ..
        } = self.layout;
        let rate = rate_in_words(self.rate);
        let name = format.name();
        format!("{name} {width}x{height} at {rate} frames/s by nokhwa")
    }

    fn opened(&self) -> Instant {
        self.opened
    }

    fn lost(&self) -> CaptureLoss {
        CaptureLoss {
            driver: self.feed.dropped(),
            ..self.lost
        }
    }

    fn read(&mut self, wait: Duration) -> Result<Read, SourceError> {
        let raw = match self.feed.next(wait) {
            Fed::Picture(raw) => raw,
            Fed::Nothing => return Ok(Read::Nothing),
            Fed::Ended => {
                let words = self.error.try_recv();
                let reason = words.unwrap_or_else(|_| "nokhwa gave up on it".into());
                return Err(SourceError::Camera {
                    camera: self.name.clone(),
                    fault: fault_of(&reason),
                    reason,
                    remedy: REMEDY.into(),
                });
            }
        };
        match pixels::decode(&self.layout, &raw.bytes) {
            Ok(rgb) => {
                let time = raw.captured.saturating_duration_since(self.opened);
                self.last_time = self.last_time.max(time);
                Ok(Read::Frame(Frame::from_rgb(
                    raw.sequence,
                    self.last_time,
                    rgb,
                )))
            }
            Err(damage) => {
                match damage {
                    Damage::Cut => self.lost.corrupt += 1,
                    Damage::Undecodable => self.lost.decode += 1,
                }
                Ok(Read::Nothing)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_from_nokhwa_s_words() {
        for (words, fault) in [
            (
                "V4L2 Error: Device or resource busy (os error 16)",
                CameraFault::Busy,
            ),
            ("No such device (os error 19)", CameraFault::Unplugged),
            ("something else", CameraFault::Failed),
        ] {
            assert_eq!(fault_of(words), fault, "{words}");
        }
    }

    #[test]
    fn only_recent_stamps_are_believed() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let age = |stamp| captured(stamp).elapsed();
        assert!(age(Some(now - Duration::from_millis(500))) >= Duration::from_millis(500));
        assert!(age(Some(Duration::from_secs(7))) < Duration::from_millis(400));
        assert!(age(None) < Duration::from_millis(400));
    }
}

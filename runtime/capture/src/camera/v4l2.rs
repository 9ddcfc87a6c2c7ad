//! Cameras on Linux, read through V4L2 with true capture times and exact counts of lost pictures.

mod nodes;

use super::{
    CameraFault, CameraSettings, CaptureLoss, Driver, Frame, LiveSource, Read, SourceError,
    choose::{Advice, Node},
    format_preferences::{self, FormatCandidate, rate_in_words},
    pixels::{self, Damage, Layout, PixelFormat},
};
use parseye_vision::frame::is_too_large;
use rustix::time::{ClockId, clock_gettime};
use std::{
    fmt, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use v4l::{
    FourCC, Fraction, buffer,
    buffer::{Metadata, Type},
    format::Quantization,
    io::{
        mmap::Stream,
        traits::{CaptureStream, Stream as _},
    },
    video::{Capture, capture::Parameters},
};

/// Buffers: one is decoded while two are with the driver, so that one is free when the other has
/// just been filled. Each further one would only hold older pictures.
const BUFFERS: u32 = 3;

/// What the driver has left to do once a buffer is announced as filled takes no time; should it
/// not be there after all, this is the end of the wait.
const AT_ONCE: Duration = Duration::from_secs(1);

/// `poll`'s word for data to be read, as in poll.h.
const READABLE: i16 = 1;

/// System error numbers, as in errno.h.
const NO_SUCH_FILE: i32 = 2;
const NO_SUCH_DEVICE_OR_ADDRESS: i32 = 6;
const NO_PERMISSION: i32 = 13;
const BUSY: i32 = 16;
const NO_SUCH_DEVICE: i32 = 19;
const NO_SPACE: i32 = 28;

/// The V4L2 backend.
#[derive(Debug)]
pub(super) struct V4l2;

impl Driver for V4l2 {
    fn nodes(&self) -> Vec<Node> {
        nodes::nodes()
    }

    fn advice(&self) -> Advice {
        Advice {
            no_node: "there is no /dev/video* device",
            without_camera: "plug one in, or use `parseye replay FILE` with a recording",
            path_of: |number| PathBuf::from(format!("/dev/video{number}")),
        }
    }

    fn open(
        &self,
        path: &Path,
        request: &CameraSettings,
    ) -> Result<Box<dyn LiveSource>, SourceError> {
        Device::open(path, request).map(|device| Box::new(device) as Box<dyn LiveSource>)
    }
}

/// A camera that delivers pictures.
struct Device {
    path: PathBuf,
    name: String,
    device: v4l::Device,
    /// `None` after a failure that restarting did not mend.
    stream: Option<Stream<'static>>,
    layout: Layout,
    /// Frames a second that the driver agreed to, where it says so.
    rate: Option<f64>,
    opened: Instant,
    /// [`Self::opened`] on the clock of the driver's time stamps.
    opened_monotonic: Duration,
    last_time: Duration,
    sequence: Sequence,
    lost: CaptureLoss,
    /// Buffers read since it was opened.
    read: u32,
    /// When it was started, on the clock of the driver's time stamps.
    started: Duration,
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device")
            .field("path", &self.path)
            .field("layout", &self.layout)
            .field("lost", &self.lost)
            .finish_non_exhaustive()
    }
}

impl Device {
    fn open(path: &Path, request: &CameraSettings) -> Result<Self, SourceError> {
        let failed = |fault, reason: String, remedy: &str| SourceError::Camera {
            camera: path.display().to_string(),
            fault,
            reason,
            remedy: remedy.into(),
        };
        let from_io =
            |error: io::Error| failed(fault_of(&error), reason_of(&error), remedy_for(&error));
        let device = v4l::Device::with_path(path).map_err(from_io)?;
        let name = nodes::check_capability(path, &device).map_err(|reason| {
            let remedy = "choose one that `parseye cameras` lists";
            failed(CameraFault::Failed, reason, remedy)
        })?;
        let (opened, opened_monotonic) = (Instant::now(), monotonic_now());
        let wanted = (request.width, request.height);
        let offers = nodes::offers(&device, wanted).map_err(from_io)?;
        let mut refused = None;
        for candidate in format_preferences::ladder(offers, wanted, request.frame_rate) {
            match agree(&device, candidate, request.frame_rate) {
                Ok((layout, rate, stream)) => {
                    return Ok(Self {
                        path: path.into(),
                        name,
                        device,
                        stream: Some(stream),
                        layout,
                        rate,
                        opened,
                        opened_monotonic,
                        last_time: Duration::ZERO,
                        sequence: Sequence::default(),
                        lost: CaptureLoss::default(),
                        read: 0,
                        started: monotonic_now(),
                    });
                }
                // The device itself is not to be had; another format makes no difference.
                Err(error) if fault_of(&error) != CameraFault::Failed => {
                    return Err(from_io(error));
                }
                Err(error) => refused = Some(refused.unwrap_or(error)),
            }
        }
        Err(match refused {
            Some(error) => from_io(error),
            None => failed(
                CameraFault::Failed,
                format!(
                    "offers none of the formats {}",
                    PixelFormat::ALL.map(PixelFormat::name).join(", ")
                ),
                "choose another that `parseye cameras` lists",
            ),
        })
    }

    /// The next filled buffer's picture, or what is wrong with it; `None` for one from before the
    /// camera was started.
    fn take(&mut self) -> io::Result<Option<Result<Frame, Damage>>> {
        let Some(stream) = &mut self.stream else {
            return Err(io::Error::from_raw_os_error(NO_SUCH_DEVICE));
        };
        let (bytes, about) = stream.next()?;
        let arrived = monotonic_now();
        self.read += 1;
        if self.read <= BUFFERS && is_left_over(about, self.started) {
            return Ok(None);
        }
        let (number, lost) = self.sequence.count(about.sequence);
        self.lost.driver += lost;
        let used = (about.bytesused as usize).min(bytes.len());
        if about.flags.contains(buffer::Flags::ERROR) {
            return Ok(Some(Err(Damage::Cut)));
        }
        let rgb = match pixels::decode(&self.layout, &bytes[..used]) {
            Ok(rgb) => rgb,
            Err(damage) => return Ok(Some(Err(damage))),
        };
        let captured = capture_time(about, arrived);
        let time = captured.saturating_sub(self.opened_monotonic);
        self.last_time = self.last_time.max(time);
        let frame = Frame::from_rgb(number, self.last_time, rgb);
        Ok(Some(Ok(frame)))
    }

    fn restart(&mut self) -> io::Result<()> {
        // The old stream must give its buffers back before new ones can be had.
        self.stream = None;
        self.stream = Some(start(&self.device)?);
        self.sequence.restart();
        Ok(())
    }

    fn failed(&self, error: &io::Error) -> SourceError {
        SourceError::Camera {
            camera: format!("{} ({})", self.path.display(), self.name),
            fault: fault_of(error),
            reason: reason_of(error),
            remedy: remedy_for(error).into(),
        }
    }
}

impl LiveSource for Device {
    fn format(&self) -> String {
        let Layout {
            format,
            width,
            height,
            ..
        } = self.layout;
        let name = format.name();
        match self.rate {
            Some(rate) => format!(
                "{name} {width}x{height} at {} frames/s",
                rate_in_words(rate)
            ),
            None => format!("{name} {width}x{height}"),
        }
    }

    fn opened(&self) -> Instant {
        self.opened
    }

    fn lost(&self) -> CaptureLoss {
        self.lost
    }

    fn read(&mut self, wait: Duration) -> Result<Read, SourceError> {
        let milliseconds = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        // The stream's own wait cannot be taken up again once it was in vain, since it queues a
        // buffer each time; so it is only asked when a buffer is filled.
        let ready = match self.device.handle().poll(READABLE, milliseconds) {
            Ok(0) => return Ok(Read::Nothing),
            Ok(_) => self.take(),
            Err(error) => Err(error),
        };
        match ready {
            Ok(None) => {}
            Ok(Some(Ok(frame))) => return Ok(Read::Frame(frame)),
            Ok(Some(Err(Damage::Cut))) => self.lost.corrupt += 1,
            Ok(Some(Err(Damage::Undecodable))) => self.lost.decode += 1,
            // A signal broke the wait, or a buffer that was announced did not come. Its state is
            // then unknown to the stream, so it is started anew.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::Interrupted | io::ErrorKind::TimedOut
                ) =>
            {
                self.restart().map_err(|error| self.failed(&error))?;
            }
            Err(error) => return Err(self.failed(&error)),
        }
        Ok(Read::Nothing)
    }
}

/// Agrees with the driver on a format and starts it.
fn agree(
    device: &v4l::Device,
    candidate: FormatCandidate,
    rate: f64,
) -> io::Result<(Layout, Option<f64>, Stream<'static>)> {
    let code = FourCC::new(candidate.format.code());
    let mut wanted = device.format()?;
    (wanted.width, wanted.height) = candidate.size;
    wanted.fourcc = code;
    // The driver's former stride belongs to its former size.
    wanted.stride = 0;
    let got = device.set_format(&wanted)?;
    if got.fourcc != code || is_too_large(got.width, got.height) {
        return Err(io::Error::other(format!(
            "it does not deliver {} {}x{}",
            candidate.format.name(),
            candidate.size.0,
            candidate.size.1
        )));
    }
    let layout = Layout {
        format: candidate.format,
        width: got.width,
        height: got.height,
        stride: got.stride as usize,
        full_range: matches!(got.quantization, Quantization::FullRange),
    };
    let size = (got.width, got.height);
    let interval = nodes::nearest_interval(device, FormatCandidate { size, ..candidate }, rate);
    let (frames, seconds) = interval.unwrap_or_else(|| fraction_of(rate));
    // Not every driver lets its rate be chosen; times are measured, not computed from it.
    let agreed = device
        .set_params(&Parameters::new(Fraction::new(seconds, frames)))
        .or_else(|_| device.params())
        .ok()
        .map(|agreed| agreed.interval)
        .filter(|interval| interval.numerator > 0 && interval.denominator > 0)
        .map(|interval| f64::from(interval.denominator) / f64::from(interval.numerator));
    Ok((layout, agreed, start(device)?))
}

/// A rate as frames over seconds.
fn fraction_of(rate: f64) -> (u32, u32) {
    const THOUSANDTHS: f64 = 1000.0;
    if rate.fract() == 0.0 {
        (rate as u32, 1)
    } else {
        ((rate * THOUSANDTHS).round() as u32, THOUSANDTHS as u32)
    }
}

/// Starts a stream with all its buffers but one with the driver; [`CaptureStream::next`] gives the
/// last one to it.
fn start(device: &v4l::Device) -> io::Result<Stream<'static>> {
    let mut stream = Stream::with_buffers(device, Type::VideoCapture, BUFFERS)?;
    stream.set_timeout(AT_ONCE);
    for index in 1..BUFFERS {
        // A driver may have granted fewer.
        if let Err(error) = CaptureStream::queue(&mut stream, index as usize)
            && index == 1
        {
            return Err(error);
        }
    }
    stream.start()?;
    Ok(stream)
}

/// Whether a buffer holds a picture from before the camera was started: loopback cameras first show
/// what they were fed last, even if that was long ago. Only to be asked of the first buffers, for a
/// driver may stamp by a clock of its own without saying so.
fn is_left_over(about: &Metadata, started: Duration) -> bool {
    stamp_of(about).is_some_and(|stamp| stamp < started)
}

/// A buffer's time stamp, where it has one.
fn stamp_of(about: &Metadata) -> Option<Duration> {
    let seconds = u64::try_from(about.timestamp.sec).ok()?;
    let microseconds = u32::try_from(about.timestamp.usec).ok()?;
    let stamp = Duration::from_secs(seconds) + Duration::from_micros(microseconds.into());
    Some(stamp).filter(|stamp| !stamp.is_zero())
}

/// When a buffer was captured, on the monotonic clock. A driver that keeps another time, or none,
/// gets the time of arrival.
fn capture_time(about: &Metadata, arrived: Duration) -> Duration {
    let kind = about.flags & buffer::Flags::TIMESTAMP_MASK;
    match stamp_of(about) {
        Some(stamp) if kind == buffer::Flags::TIMESTAMP_MONOTONIC => stamp.min(arrived),
        _ => arrived,
    }
}

fn monotonic_now() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    // The monotonic clock starts at 0 and has less than a second's nanoseconds.
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
}

/// The driver's 32-bit numbers, without end and from 0.
#[derive(Clone, Copy, Debug, Default)]
struct Sequence {
    last: Option<u32>,
    next: u64,
}

impl Sequence {
    /// Our number of the picture that the driver numbers `raw`, and how many were lost before it.
    fn count(&mut self, raw: u32) -> (u64, u64) {
        let step = self.last.map_or(1, |last| raw.wrapping_sub(last));
        // Drivers that do not count repeat a number; one that was reset goes back.
        let lost = match step {
            0 => 0,
            step if step > u32::MAX / 2 => 0,
            step => u64::from(step - 1),
        };
        self.last = Some(raw);
        let number = self.next + lost;
        self.next = number + 1;
        (number, lost)
    }

    /// The driver counts from 0 again.
    fn restart(&mut self) {
        self.last = None;
    }
}

fn fault_of(error: &io::Error) -> CameraFault {
    match (error.raw_os_error(), error.kind()) {
        (Some(NO_SUCH_DEVICE | NO_SUCH_DEVICE_OR_ADDRESS), _) => CameraFault::Unplugged,
        (Some(NO_SUCH_FILE), _) => CameraFault::Missing,
        (Some(BUSY), _) => CameraFault::Busy,
        (_, io::ErrorKind::TimedOut) => CameraFault::Stalled,
        _ => CameraFault::Failed,
    }
}

fn reason_of(error: &io::Error) -> String {
    match (error.raw_os_error(), error.kind()) {
        (Some(NO_SUCH_DEVICE | NO_SUCH_DEVICE_OR_ADDRESS), _) => "it was unplugged".into(),
        (Some(NO_SUCH_FILE), _) => "it is not there".into(),
        (Some(BUSY), _) => "another program is using it".into(),
        (Some(NO_PERMISSION), _) => "may not be opened by you".into(),
        (Some(NO_SPACE), _) => "its USB port cannot carry so much".into(),
        (_, io::ErrorKind::TimedOut) => "a picture that was announced did not come".into(),
        _ => error.to_string(),
    }
}

fn remedy_for(error: &io::Error) -> &'static str {
    match (error.raw_os_error(), error.kind()) {
        (Some(NO_SUCH_DEVICE | NO_SUCH_DEVICE_OR_ADDRESS | NO_SUCH_FILE), _) => "plug it in again",
        (Some(BUSY), _) => "close the other program, or choose another camera",
        (Some(NO_PERMISSION), _) => {
            "add yourself to the group video (sudo usermod -aG video $USER) and log in again"
        }
        (Some(NO_SPACE), _) => {
            "plug it into another port without a hub, or ask for a smaller picture"
        }
        (_, io::ErrorKind::TimedOut) => "check its cable, then plug it in again",
        _ => "plug it in again, or choose another that `parseye cameras` lists",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use v4l::timestamp::Timestamp;

    #[test]
    fn rates_are_asked_for_as_fractions() {
        assert_eq!(fraction_of(30.0), (30, 1));
        assert_eq!(fraction_of(29.97), (29_970, 1000));
        assert_eq!(fraction_of(7.5), (7500, 1000));
    }

    #[test]
    fn lost_pictures_are_counted_and_wrapping_or_idle_counters_are_not() {
        let mut sequence = Sequence::default();
        assert_eq!(sequence.count(7), (0, 0));
        assert_eq!(sequence.count(8), (1, 0));
        assert_eq!(sequence.count(11), (4, 2));
        assert_eq!(sequence.count(11), (5, 0));
        assert_eq!(sequence.count(3), (6, 0));
        sequence.restart();
        assert_eq!(sequence.count(u32::MAX), (7, 0));
        assert_eq!(sequence.count(1), (9, 1));
    }

    #[test]
    fn what_a_loopback_camera_was_fed_long_ago_is_left_over() {
        let started = Duration::from_secs(100);
        let stamped = |sec, usec| Metadata {
            timestamp: Timestamp::new(sec, usec),
            ..Metadata::default()
        };
        assert!(is_left_over(&stamped(99, 999_999), started));
        assert!(!is_left_over(&stamped(100, 0), started));
        // No stamp at all, and one of the wall clock.
        assert!(!is_left_over(&stamped(0, 0), started));
        assert!(!is_left_over(&stamped(1_700_000_000, 0), started));
    }

    #[test]
    fn only_monotonic_stamps_are_believed() {
        let arrived = Duration::from_secs(100);
        let mut about = Metadata {
            timestamp: Timestamp::new(99, 500_000),
            flags: buffer::Flags::TIMESTAMP_MONOTONIC,
            ..Metadata::default()
        };
        assert_eq!(capture_time(&about, arrived), Duration::from_millis(99_500));
        about.timestamp = Timestamp::new(101, 0);
        assert_eq!(capture_time(&about, arrived), arrived);
        about.timestamp = Timestamp::new(-1, 0);
        assert_eq!(capture_time(&about, arrived), arrived);
        about.timestamp = Timestamp::new(99, 0);
        about.flags = buffer::Flags::TIMESTAMP_COPY;
        assert_eq!(capture_time(&about, arrived), arrived);
    }
}

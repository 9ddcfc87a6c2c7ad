//! Cameras on Linux, read through V4L2 with true capture times and exact counts of lost frames.

mod device_error;
mod holders;
mod nodes;

use super::{
    CameraFault, CameraSettings, CaptureLoss, Driver, Frame, LiveSource, Notice, Read, SourceError,
    choose::{Advice, Node, WITHOUT_CAMERA},
    format_preferences::{FormatCandidate, candidates, format_rate},
    pixels::{self, Damage, Layout, PixelFormat},
};
use device_error::DeviceError;
use parseye_vision::frame::is_too_large;
use rustix::{
    event::PollFlags,
    io::Errno,
    time::{ClockId, clock_gettime},
};
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

/// Number of buffers: one is decoded while two are with the driver, so that one is free when the other
/// has just been filled. Each further one would only hold older frames.
const BUFFERS: u32 = 3;

/// Longest wait for a buffer that was announced as filled, which should be there at once.
const DEQUEUE_TIMEOUT: Duration = Duration::from_secs(1);

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
            without_camera: WITHOUT_CAMERA,
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

/// A camera that delivers frames.
struct Device {
    path: PathBuf,
    name: String,
    device: v4l::Device,
    /// `None` after an error from which a restart did not recover.
    stream: Option<Stream<'static>>,
    layout: Layout,
    /// Frames per second that the driver agreed to, where it reports them.
    rate: Option<f64>,
    opened: Instant,
    /// [`Self::opened`] on the clock of the driver's timestamps.
    opened_monotonic: Duration,
    last_time: Duration,
    sequence: Sequence,
    lost: CaptureLoss,
    /// Damaged frames that were not reported yet.
    damaged: Vec<Notice>,
    /// Number of buffers read since it was opened.
    read: u32,
    /// When it was started, on the clock of the driver's timestamps.
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
        let of_device =
            |error: &DeviceError| failed(error.fault(), reason(error, path), error.remedy());
        let of_io = |error: io::Error| of_device(&error.into());
        let device = v4l::Device::with_path(path).map_err(of_io)?;
        let name = nodes::check_capability(path, &device).map_err(|reason| {
            let remedy = "choose one that `parseye cameras` lists";
            failed(CameraFault::Failed, reason.to_string(), remedy)
        })?;
        let (opened, opened_monotonic) = (Instant::now(), monotonic_now());
        let wanted = (request.width, request.height);
        let offers = nodes::offers(&device, wanted).map_err(of_io)?;
        let mut refused = None;
        for candidate in candidates(offers, wanted, request.frame_rate) {
            match negotiate(&device, candidate, request.frame_rate).map_err(DeviceError::from) {
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
                        damaged: Vec::new(),
                        read: 0,
                        started: monotonic_now(),
                    });
                }
                // The device itself cannot be used; another format makes no difference.
                Err(error) if error.fault() != CameraFault::Failed => {
                    return Err(of_device(&error));
                }
                Err(error) => refused = Some(refused.unwrap_or(error)),
            }
        }
        Err(match refused {
            Some(error) => of_device(&error),
            None => failed(
                CameraFault::Failed,
                format!("offers none of the formats {}", PixelFormat::names()),
                "choose another that `parseye cameras` lists",
            ),
        })
    }

    /// Takes the frame of the next filled buffer, or what is wrong with it; `None` for a buffer from
    /// before the camera was started.
    ///
    /// # Errors
    /// When the device fails.
    fn take(&mut self) -> io::Result<Option<Result<Frame, (u64, Damage)>>> {
        let Some(stream) = &mut self.stream else {
            return Err(Errno::NODEV.into());
        };
        let (bytes, about) = stream.next()?;
        let arrived = monotonic_now();
        self.read += 1;
        if self.read <= BUFFERS && is_stale(about, self.started) {
            return Ok(None);
        }
        let (number, lost) = self.sequence.count(about.sequence);
        self.lost.driver += lost;
        let used = (about.bytesused as usize).min(bytes.len());
        if about.flags.contains(buffer::Flags::ERROR) {
            return Ok(Some(Err((number, Damage::Truncated))));
        }
        let rgb = match pixels::decode(&self.layout, &bytes[..used]) {
            Ok(rgb) => rgb,
            Err(damage) => return Ok(Some(Err((number, damage)))),
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

    fn failed(&self, error: io::Error) -> SourceError {
        let error = DeviceError::from(error);
        SourceError::Camera {
            camera: format!("{} ({})", self.path.display(), self.name),
            fault: error.fault(),
            reason: reason(&error, &self.path),
            remedy: error.remedy().into(),
        }
    }
}

/// Describes what went wrong with a device; who uses one that is busy, where the system tells.
fn reason(error: &DeviceError, path: &Path) -> String {
    match error {
        DeviceError::Busy => match holders::of(path) {
            Some(holders) => format!("{error}: {holders}"),
            None => error.to_string(),
        },
        _ => error.to_string(),
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
        match self.rate {
            Some(rate) => format!(
                "{format} {width}x{height} at {} frames/s",
                format_rate(rate)
            ),
            None => format!("{format} {width}x{height}"),
        }
    }

    fn opened(&self) -> Instant {
        self.opened
    }

    fn lost(&self) -> CaptureLoss {
        self.lost
    }

    fn notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.damaged)
    }

    fn read(&mut self, wait: Duration) -> Result<Read, SourceError> {
        let milliseconds = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        // The stream's own wait cannot be repeated after it has timed out, since it queues a buffer
        // each time; so it is only called when a buffer is filled.
        let readable = PollFlags::IN.bits() as i16;
        let ready = match self.device.handle().poll(readable, milliseconds) {
            Ok(0) => return Ok(Read::Nothing),
            Ok(_) => self.take(),
            Err(error) => Err(error),
        };
        match ready {
            Ok(None) => {}
            Ok(Some(Ok(frame))) => return Ok(Read::Frame(frame)),
            Ok(Some(Err((frame, damage)))) => {
                self.lost.count(damage);
                let time = self.opened.elapsed();
                self.damaged.push(Notice::Damaged { frame, time });
            }
            // A signal interrupted the wait, or a buffer that was announced did not come. The state of
            // the buffers is then unknown, so the stream is started anew.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::Interrupted | io::ErrorKind::TimedOut
                ) =>
            {
                self.restart().map_err(|error| self.failed(error))?;
            }
            Err(error) => return Err(self.failed(error)),
        }
        Ok(Read::Nothing)
    }
}

/// Negotiates a format with the driver and starts the stream; returns the layout, and the rate in frames
/// per second where the driver reports one.
fn negotiate(
    device: &v4l::Device,
    candidate: FormatCandidate,
    rate: f64,
) -> io::Result<(Layout, Option<f64>, Stream<'static>)> {
    let code = FourCC::new(candidate.format.code());
    let mut wanted = device.format()?;
    (wanted.width, wanted.height) = candidate.size;
    wanted.fourcc = code;
    // The stride so far belongs to the size so far.
    wanted.stride = 0;
    let got = device.set_format(&wanted)?;
    if got.fourcc != code || is_too_large(got.width, got.height) {
        return Err(io::Error::other(format!(
            "it does not deliver {} {}x{}",
            candidate.format, candidate.size.0, candidate.size.1
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
    // Not every driver lets its rate be chosen; times are measured, not computed from the rate.
    let agreed = device
        .set_params(&Parameters::new(Fraction::new(seconds, frames)))
        .or_else(|_| device.params())
        .ok()
        .map(|agreed| agreed.interval)
        .filter(|interval| interval.numerator > 0 && interval.denominator > 0)
        .map(|interval| f64::from(interval.denominator) / f64::from(interval.numerator));
    Ok((layout, agreed, start(device)?))
}

/// Returns a rate as frames over seconds.
fn fraction_of(rate: f64) -> (u32, u32) {
    const THOUSANDTHS: f64 = 1000.0;
    if rate.fract() == 0.0 {
        (rate as u32, 1)
    } else {
        ((rate * THOUSANDTHS).round() as u32, THOUSANDTHS as u32)
    }
}

/// Starts a stream with all buffers but one queued at the driver; [`CaptureStream::next`] queues the last.
fn start(device: &v4l::Device) -> io::Result<Stream<'static>> {
    let mut stream = Stream::with_buffers(device, Type::VideoCapture, BUFFERS)?;
    stream.set_timeout(DEQUEUE_TIMEOUT);
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

/// Returns whether a buffer holds a frame from before the camera was started: loopback cameras first deliver
/// what they were fed last, even if that was long ago. Valid for the first buffers only, since a driver may
/// use a clock of its own without reporting so.
fn is_stale(about: &Metadata, started: Duration) -> bool {
    timestamp_of(about).is_some_and(|timestamp| timestamp < started)
}

/// Returns a buffer's timestamp, where it has one.
fn timestamp_of(about: &Metadata) -> Option<Duration> {
    let seconds = u64::try_from(about.timestamp.sec).ok()?;
    let microseconds = u32::try_from(about.timestamp.usec).ok()?;
    let timestamp = Duration::from_secs(seconds) + Duration::from_micros(microseconds.into());
    Some(timestamp).filter(|timestamp| !timestamp.is_zero())
}

/// Returns when a buffer was captured, on the monotonic clock; the time of its arrival for a driver that
/// has another clock, or none.
fn capture_time(about: &Metadata, arrived: Duration) -> Duration {
    let kind = about.flags & buffer::Flags::TIMESTAMP_MASK;
    match timestamp_of(about) {
        Some(timestamp) if kind == buffer::Flags::TIMESTAMP_MONOTONIC => timestamp.min(arrived),
        _ => arrived,
    }
}

fn monotonic_now() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    // The monotonic clock starts at 0 and has less than a second's nanoseconds.
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
}

/// Extends the driver's 32-bit sequence numbers to ones that start at 0 and never wrap.
#[derive(Clone, Copy, Debug, Default)]
struct Sequence {
    last: Option<u32>,
    next: u64,
}

impl Sequence {
    /// Returns the number of the frame that the driver numbers `raw`, and how many were lost before it.
    fn count(&mut self, raw: u32) -> (u64, u64) {
        let step = self.last.map_or(1, |last| raw.wrapping_sub(last));
        // Drivers that do not count repeat a number; the numbers of one that was reset decrease.
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

    /// Takes the next number as the first one of a stream that was started anew.
    fn restart(&mut self) {
        self.last = None;
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
    fn lost_frames_are_counted_and_wrapping_or_idle_counters_are_not() {
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
    fn a_frame_that_a_loopback_camera_was_fed_long_ago_is_stale() {
        let started = Duration::from_secs(100);
        let stamped = |sec, usec| Metadata {
            timestamp: Timestamp::new(sec, usec),
            ..Metadata::default()
        };
        assert!(is_stale(&stamped(99, 999_999), started));
        assert!(!is_stale(&stamped(100, 0), started));
        // No timestamp at all, and one of the wall clock.
        assert!(!is_stale(&stamped(0, 0), started));
        assert!(!is_stale(&stamped(1_700_000_000, 0), started));
    }

    #[test]
    fn only_monotonic_timestamps_are_used() {
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

//! Cameras on Linux, read through V4L2 with true capture times and exact counts of lost pictures.

use super::{
    CameraCounters, CameraDescription, CameraRequest, Frame, Node, READ_TIMEOUT, SourceError,
    pixels::{self, Layout, PixelFormat},
};
use crate::source::MAX_SIDE;
use rustix::time::{ClockId, clock_gettime};
use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use v4l::{
    FourCC, buffer,
    buffer::{Metadata, Type},
    capability::Flags,
    format::Quantization,
    framesize::FrameSizeEnum,
    io::{mmap::Stream, traits::CaptureStream},
    video::{Capture, capture::Parameters},
};

pub(super) const NO_NODE: &str = "there is no /dev/video* device";
pub(super) const WITHOUT_CAMERA: &str =
    "plug one in, or use `parseye replay FILE` with a recording";

/// Buffers that the driver fills: one is filled while the other is decoded. Each further one would
/// only hold older pictures.
const BUFFERS: u32 = 2;

/// Damaged pictures in a row after which the camera counts as broken: two seconds' worth at 30 a
/// second.
const MOST_CORRUPT: u32 = 60;

/// Drivers whose nodes process pictures of other devices rather than take their own, though they
/// call themselves capture devices: the Raspberry Pi's image signal processors and codecs.
const PROCESSORS: [&str; 4] = ["bcm2835-isp", "bcm2835-codec", "pispbe", "pisp_be"];

/// System error numbers, as in errno.h.
const NO_SUCH_DEVICE: i32 = 19;
const BUSY: i32 = 16;
const NO_PERMISSION: i32 = 13;

/// A camera that delivers pictures.
pub(super) struct Device {
    path: PathBuf,
    name: String,
    device: v4l::Device,
    /// `None` after a failure that restarting did not mend.
    stream: Option<Stream<'static>>,
    layout: Layout,
    opened: Instant,
    /// [`Self::opened`] on the clock of the driver's time stamps.
    opened_monotonic: Duration,
    last_time: Duration,
    sequence: Sequence,
    counters: CameraCounters,
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device")
            .field("path", &self.path)
            .field("layout", &self.layout)
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

/// Every video node of this machine in the order of their numbers.
pub(super) fn nodes() -> Vec<Node> {
    let Ok(entries) = fs::read_dir("/dev") else {
        return Vec::new();
    };
    let mut numbers: Vec<u32> = entries
        .flatten()
        .filter_map(|entry| {
            entry
                .file_name()
                .to_str()?
                .strip_prefix("video")?
                .parse()
                .ok()
        })
        .collect();
    numbers.sort_unstable();
    numbers
        .into_iter()
        .map(|number| {
            let path = PathBuf::from(format!("/dev/video{number}"));
            let camera = describe(&path);
            Node { path, camera }
        })
        .collect()
}

/// What a node is, or why it is no camera that can be read.
fn describe(path: &Path) -> Result<CameraDescription, String> {
    let device = v4l::Device::with_path(path).map_err(|error| reason_of(&error))?;
    let name = check_capability(path, &device)?;
    let formats = device.enum_formats().map_err(|error| reason_of(&error))?;
    let offered: Vec<PixelFormat> = PixelFormat::ALL
        .into_iter()
        .filter(|format| {
            formats
                .iter()
                .any(|offer| offer.fourcc.repr == *format.code())
        })
        .collect();
    if offered.is_empty() {
        let codes: Vec<String> = formats.iter().map(|f| f.fourcc.to_string()).collect();
        return Err(if codes.is_empty() {
            "offers no picture format (is anything feeding it?)".into()
        } else {
            format!("offers only {}, not MJPG, YUYV or GREY", codes.join(" "))
        });
    }
    let formats = offered.into_iter().flat_map(|format| {
        let sizes = sizes(&device, format);
        sizes
            .into_iter()
            .map(move |size| format!("{} {size}", format.name()))
    });
    Ok(CameraDescription {
        path: path.into(),
        name,
        formats: formats.collect(),
    })
}

/// The camera's name, if the node captures video.
fn check_capability(path: &Path, device: &v4l::Device) -> Result<String, String> {
    let node = path.file_name().unwrap_or_default();
    let listed = Path::new("/sys/class/video4linux").join(node).join("name");
    // The v4l crate takes all names for UTF-8 and panics otherwise, and the kernel cuts long ones
    // anywhere. The name in sysfs is the same one, so look there first.
    if let Ok(bytes) = fs::read(&listed)
        && std::str::from_utf8(&bytes).is_err()
    {
        return Ok(String::from_utf8_lossy(&bytes).trim().to_owned());
    }
    let about = device.query_caps().map_err(|error| reason_of(&error))?;
    let flags = about.capabilities;
    if flags.intersects(Flags::VIDEO_M2M | Flags::VIDEO_M2M_MPLANE)
        || PROCESSORS
            .iter()
            .any(|name| about.driver.contains(name) || about.card.contains(name))
    {
        return Err(format!("is a codec or image processor ({})", about.card));
    }
    if flags.contains(Flags::META_CAPTURE) && !flags.contains(Flags::VIDEO_CAPTURE) {
        return Err("holds no video but data about one".into());
    }
    if !flags.contains(Flags::VIDEO_CAPTURE) {
        return Err(format!("cannot capture video ({})", about.card));
    }
    if !flags.contains(Flags::STREAMING) {
        return Err(format!("cannot stream ({})", about.card));
    }
    Ok(about.card)
}

/// Sizes in words; empty text where the driver does not list them.
fn sizes(device: &v4l::Device, format: PixelFormat) -> Vec<String> {
    let sizes: Vec<String> = device
        .enum_framesizes(FourCC::new(format.code()))
        .unwrap_or_default()
        .into_iter()
        .map(|size| match size.size {
            FrameSizeEnum::Discrete(size) => format!("{}x{}", size.width, size.height),
            FrameSizeEnum::Stepwise(range) => format!(
                "{}x{} to {}x{}",
                range.min_width, range.min_height, range.max_width, range.max_height
            ),
        })
        .collect();
    if sizes.is_empty() {
        vec!["of any size".into()]
    } else {
        sizes
    }
}

impl Device {
    pub(super) fn open(path: &Path, request: &CameraRequest) -> Result<Self, SourceError> {
        let failed = |reason: String, remedy: &str| SourceError::Camera {
            camera: path.display().to_string(),
            reason,
            remedy: remedy.into(),
        };
        let from_io = |error: io::Error| failed(reason_of(&error), remedy_for(&error));
        let device = v4l::Device::with_path(path).map_err(from_io)?;
        let name = check_capability(path, &device)
            .map_err(|reason| failed(reason, "choose one that `parseye cameras` lists"))?;
        let layout = set_format(&device, request)
            .map_err(from_io)?
            .ok_or_else(|| {
                failed(
                    "offers none of the formats MJPG, YUYV and GREY".into(),
                    "choose another that `parseye cameras` lists",
                )
            })?;
        // Not every driver lets its rate be chosen; times are measured, not computed from it.
        let _ = device.set_params(&Parameters::with_fps(request.frame_rate.max(1)));
        let (opened, opened_monotonic) = (Instant::now(), monotonic_now());
        let stream = start(&device).map_err(from_io)?;
        Ok(Self {
            path: path.into(),
            name,
            device,
            stream: Some(stream),
            layout,
            opened,
            opened_monotonic,
            last_time: Duration::ZERO,
            sequence: Sequence::default(),
            counters: CameraCounters::default(),
        })
    }

    pub(super) fn counters(&self) -> CameraCounters {
        self.counters
    }

    pub(super) fn opened(&self) -> Instant {
        self.opened
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn format(&self) -> String {
        let Layout {
            format,
            width,
            height,
            ..
        } = self.layout;
        format!("{} {width}x{height}", format.name())
    }

    pub(super) fn next_frame(&mut self) -> Result<Frame, SourceError> {
        for _ in 0..MOST_CORRUPT {
            match self.read() {
                Ok(Some(frame)) => return Ok(frame),
                Ok(None) => self.counters.corrupt += 1,
                // A signal broke the wait. The buffer's state is then unknown to the stream, so
                // it is started anew.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => self
                    .restart()
                    .map_err(|error| self.failed(reason_of(&error), remedy_for(&error)))?,
                Err(error) => return Err(self.failed(reason_of(&error), remedy_for(&error))),
            }
        }
        Err(self.failed(
            format!("{MOST_CORRUPT} damaged pictures in a row"),
            "check its cable, or plug it into another port without a hub",
        ))
    }

    /// The next buffer's picture; `None` where it is damaged.
    fn read(&mut self) -> io::Result<Option<Frame>> {
        let Some(stream) = &mut self.stream else {
            return Err(io::Error::from_raw_os_error(NO_SUCH_DEVICE));
        };
        let (bytes, about) = stream.next()?;
        let arrived = monotonic_now();
        let (number, lost) = self.sequence.count(about.sequence);
        self.counters.lost += lost;
        let used = (about.bytesused as usize).min(bytes.len());
        let is_whole = !about.flags.contains(buffer::Flags::ERROR);
        let Some(rgb) = is_whole
            .then(|| pixels::decode(&self.layout, &bytes[..used]))
            .flatten()
        else {
            return Ok(None);
        };
        let captured = capture_time(about, arrived);
        let time = captured.saturating_sub(self.opened_monotonic);
        self.last_time = self.last_time.max(time);
        Ok(Some(Frame::from_rgb(number, self.last_time, rgb)))
    }

    fn restart(&mut self) -> io::Result<()> {
        // The old stream must give its buffers back before new ones can be had.
        self.stream = None;
        self.stream = Some(start(&self.device)?);
        self.sequence.restart();
        Ok(())
    }

    fn failed(&self, reason: String, remedy: &str) -> SourceError {
        SourceError::Camera {
            camera: format!("{} ({})", self.path.display(), self.name),
            reason,
            remedy: remedy.into(),
        }
    }
}

fn start(device: &v4l::Device) -> io::Result<Stream<'static>> {
    let mut stream = Stream::with_buffers(device, Type::VideoCapture, BUFFERS)?;
    stream.set_timeout(READ_TIMEOUT);
    Ok(stream)
}

/// Sets the best format at the nearest size; `None` where the camera has none that is read.
fn set_format(device: &v4l::Device, request: &CameraRequest) -> io::Result<Option<Layout>> {
    let offers = device.enum_formats()?;
    for format in PixelFormat::ALL {
        let code = FourCC::new(format.code());
        if !offers.iter().any(|offer| offer.fourcc == code) {
            continue;
        }
        let sizes = device.enum_framesizes(code).unwrap_or_default();
        let nearest = nearest_size(
            (request.width, request.height),
            sizes.iter().map(|size| &size.size),
        );
        let mut wanted = device.format()?;
        (wanted.width, wanted.height) = nearest;
        wanted.fourcc = code;
        // The driver's former stride belongs to its former size.
        wanted.stride = 0;
        let got = device.set_format(&wanted)?;
        if got.fourcc == code && got.width <= MAX_SIDE && got.height <= MAX_SIDE {
            return Ok(Some(Layout {
                format,
                width: got.width,
                height: got.height,
                stride: got.stride as usize,
                full_range: matches!(got.quantization, Quantization::FullRange),
            }));
        }
    }
    Ok(None)
}

/// The size nearest to the wanted one, by the sum of the differences; the wanted one itself where
/// the driver lists none, for it then picks the nearest on its own.
fn nearest_size<'a>(
    wanted: (u32, u32),
    sizes: impl Iterator<Item = &'a FrameSizeEnum>,
) -> (u32, u32) {
    sizes
        .map(|size| match size {
            FrameSizeEnum::Discrete(size) => (size.width, size.height),
            FrameSizeEnum::Stepwise(range) => (
                wanted.0.max(range.min_width).min(range.max_width),
                wanted.1.max(range.min_height).min(range.max_height),
            ),
        })
        .min_by_key(|size| size.0.abs_diff(wanted.0) + size.1.abs_diff(wanted.1))
        .unwrap_or(wanted)
}

/// When a buffer was captured, on the monotonic clock. A driver that keeps another time, or none,
/// gets the time of arrival.
fn capture_time(about: &Metadata, arrived: Duration) -> Duration {
    let kind = about.flags & buffer::Flags::TIMESTAMP_MASK;
    let stamp = u64::try_from(about.timestamp.sec)
        .ok()
        .zip(u32::try_from(about.timestamp.usec).ok())
        .map(|(seconds, microseconds)| {
            Duration::from_secs(seconds) + Duration::from_micros(microseconds.into())
        });
    match stamp {
        Some(stamp) if kind == buffer::Flags::TIMESTAMP_MONOTONIC && !stamp.is_zero() => {
            stamp.min(arrived)
        }
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

fn reason_of(error: &io::Error) -> String {
    match (error.raw_os_error(), error.kind()) {
        (Some(NO_SUCH_DEVICE), _) => "it was unplugged".into(),
        (Some(BUSY), _) => "another program is using it".into(),
        (Some(NO_PERMISSION), _) => "may not be opened by you".into(),
        (_, io::ErrorKind::TimedOut) => {
            format!("no picture for {} seconds", READ_TIMEOUT.as_secs())
        }
        _ => error.to_string(),
    }
}

fn remedy_for(error: &io::Error) -> &'static str {
    match (error.raw_os_error(), error.kind()) {
        (Some(NO_SUCH_DEVICE), _) => "plug it in again",
        (Some(BUSY), _) => "close the other program, or choose another camera",
        (Some(NO_PERMISSION), _) => {
            "add yourself to the group video (sudo usermod -aG video $USER) and log in again"
        }
        (_, io::ErrorKind::TimedOut) => "check its cable, then plug it in again",
        _ => "plug it in again, or choose another that `parseye cameras` lists",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use v4l::{
        framesize::{Discrete, Stepwise},
        timestamp::Timestamp,
    };

    fn discrete(width: u32, height: u32) -> FrameSizeEnum {
        FrameSizeEnum::Discrete(Discrete { width, height })
    }

    #[test]
    fn the_nearest_size_is_taken() {
        let sizes = [discrete(320, 240), discrete(800, 600), discrete(1920, 1080)];
        assert_eq!(nearest_size((640, 480), sizes.iter()), (800, 600));
        assert_eq!(nearest_size((640, 480), [].iter()), (640, 480));
        let range = FrameSizeEnum::Stepwise(Stepwise {
            min_width: 16,
            max_width: 512,
            step_width: 0,
            min_height: 16,
            max_height: 4096,
            step_height: 1,
        });
        assert_eq!(nearest_size((640, 480), [range].iter()), (512, 480));
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

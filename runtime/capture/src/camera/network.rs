//! A camera that ffmpeg reads: a network camera (RTSP, HTTP), or a stream at the standard input or a named
//! pipe.
//!
//! ffmpeg runs with as little delay as it can, and gives up a connection that is silent. When to connect again
//! is left to the caller. A frame's time is that of the stream where the stream has one (`stream_clock`), else
//! that of its arrival. Credentials are in ffmpeg's arguments and nowhere else.

use super::{
    CameraFault, CaptureLoss, Frame, LiveSource, Notice, Read, SourceError,
    frame_reader::{CapturedFrame, FrameReader, FrameReceiver, Received, frame_channel},
    stream_clock::StreamClock,
};
use crate::{
    ffmpeg::{Decoder, Decoding, Ffmpeg, FfmpegMessage},
    ffmpeg_log::{FfmpegLog, FrameInfo, header::Mapping},
    url::CameraUrl,
};
use image::RgbImage;
use parseye_vision::frame::is_too_large;
use std::{
    ffi::OsString,
    io::Read as _,
    path::PathBuf,
    process::{ChildStdout, Stdio},
    sync::mpsc::Receiver,
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// Longest time until the first frame: a connection is made, and a stream may have a frame that needs no
/// other only every ten seconds.
const STARTUP: Duration = Duration::from_secs(15);

/// How long ffmpeg waits for a silent connection, in microseconds. The caller calls it stalled sooner; this
/// is for a connection that is being made.
const TIMEOUT_US: &str = "5000000";

/// Protocols that ffmpeg may follow a stream to: none of them reaches a file.
const PROTOCOLS: &str = "rtsp,rtsps,rtp,srtp,udp,tcp,tls,http,https,httpproxy,crypto";

/// Formats without times, to which ffmpeg gives some of its own.
const TIMELESS: [&str; 11] = [
    "mpjpeg",
    "mjpeg",
    "jpeg_pipe",
    "png_pipe",
    "bmp_pipe",
    "image2pipe",
    "h264",
    "hevc",
    "m4v",
    "mpegvideo",
    "rawvideo",
];

/// What ffmpeg reads.
#[derive(Clone, Debug)]
pub(super) enum Stream {
    Url(CameraUrl),
    StandardInput,
    NamedPipe(PathBuf),
}

impl Stream {
    /// Returns its name in events and messages.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Url(url) => url.shown().to_owned(),
            Self::StandardInput => "stdin".into(),
            Self::NamedPipe(path) => crate::name_of(path),
        }
    }

    /// Returns whether it can be opened again after it ended.
    pub(super) fn can_be_reopened(&self) -> bool {
        matches!(self, Self::Url(_))
    }

    /// Takes secrets out of a message of ffmpeg's.
    fn clean(&self, message: &str) -> String {
        match self {
            Self::Url(url) => url.clean(message),
            Self::StandardInput | Self::NamedPipe(_) => message.to_owned(),
        }
    }

    fn start(&self, ffmpeg: &Ffmpeg, decoding: Decoding) -> Result<Decoder, SourceError> {
        let mut input: Vec<OsString> = Vec::new();
        let mut add = |options: &[&str]| input.extend(options.iter().map(OsString::from));
        // Nothing is held back for reordering.
        add(&["-flags", "low_delay"]);
        add(&[
            "-probesize",
            "500000",
            "-analyzeduration",
            "500000",
            "-fpsprobesize",
            "0",
        ]);
        let (protocols, name) = match self {
            Self::Url(url) => {
                // What ffmpeg read to know the stream is old by then, and is thrown away. (A pipe comes once, and may
                // hold no more than that.)
                add(&["-fflags", "nobuffer"]);
                if url.is("rtsp") {
                    // TCP loses nothing; a camera that knows only UDP is asked for that next.
                    add(&["-rtsp_flags", "prefer_tcp", "-max_delay", "200000"]);
                    add(&[ffmpeg.rtsp_timeout(), TIMEOUT_US]);
                } else {
                    add(&["-rw_timeout", TIMEOUT_US]);
                }
                (PROTOCOLS, OsString::from(url.reveal()))
            }
            Self::StandardInput => ("pipe", OsString::from("pipe:0")),
            Self::NamedPipe(path) => {
                let mut name = OsString::from("file:");
                name.push(path);
                ("file", name)
            }
        };
        add(&["-protocol_whitelist", protocols, "-i"]);
        input.push(name);
        let stdin = match self {
            Self::StandardInput => Stdio::inherit(),
            Self::Url(_) | Self::NamedPipe(_) => Stdio::null(),
        };
        let decoder = ffmpeg.start(&input, stdin, decoding)?;
        Ok(decoder.polite())
    }
}

/// How the thread that reads frames ended.
enum End {
    /// ffmpeg ended.
    Ended(Box<FfmpegLog>),
    /// The frames are interlaced, and ffmpeg was not asked to deinterlace them.
    Interlaced,
    TooLarge(u32, u32),
}

/// A stream being read.
pub(super) struct NetworkCamera {
    stream: Stream,
    ffmpeg: Ffmpeg,
    decoding: Decoding,
    /// `None` only while it is started anew.
    running: Option<Running>,
    opened: Instant,
    format: String,
    /// Width and height of the last frame in pixels.
    size: Option<(u32, u32)>,
    /// Number of the present decoder's first frame, and of the frame after the last.
    first_sequence: u64,
    next_sequence: u64,
    /// Losses of decoders before the present one.
    lost_before: CaptureLoss,
    /// The frame that arrived while the stream was opened.
    waiting: Option<CapturedFrame<RgbImage>>,
    notices: Vec<Notice>,
}

/// A decoder and the thread that reads it. The receiver is dropped first, which ends the thread, and with it
/// the decoder.
struct Running {
    frames: FrameReceiver<RgbImage>,
    mapping: Receiver<Mapping>,
    thread: Option<JoinHandle<End>>,
    _decoder: Decoder,
}

/// Starts reading a stream, and waits up to `startup` for its first frame.
///
/// # Errors
/// When ffmpeg cannot be started, or ends within that time without a frame.
pub(super) fn open(stream: Stream, startup: Duration) -> Result<Box<dyn LiveSource>, SourceError> {
    let ffmpeg = Ffmpeg::find()?.clone();
    let opened = Instant::now();
    let decoding = Decoding::default();
    let mut camera = NetworkCamera {
        running: Some(Running::start(&stream, &ffmpeg, decoding, opened)?),
        stream,
        ffmpeg,
        decoding,
        opened,
        format: String::new(),
        size: None,
        first_sequence: 0,
        next_sequence: 0,
        lost_before: CaptureLoss::default(),
        waiting: None,
        notices: Vec::new(),
    };
    let left = || startup.saturating_sub(opened.elapsed());
    while !left().is_zero() && camera.waiting.is_none() {
        match camera.receive(left())? {
            Received::Frame(frame) => camera.waiting = Some(frame),
            Received::Nothing => {}
            Received::Ended => break,
        }
    }
    Ok(Box::new(camera))
}

impl Running {
    fn start(
        stream: &Stream,
        ffmpeg: &Ffmpeg,
        decoding: Decoding,
        opened: Instant,
    ) -> Result<Self, SourceError> {
        let mut decoder = stream.start(ffmpeg, decoding)?;
        let (reader, frames) = frame_channel();
        let (chosen, mapping) = std::sync::mpsc::channel();
        let (pixels, messages) = (decoder.pixels.take(), decoder.messages.take());
        let thread = match (pixels, messages) {
            (Some(pixels), Some(messages)) => {
                let reading = Reading {
                    reader,
                    chosen,
                    clock: None,
                    opened,
                    deinterlaced: decoding.deinterlace,
                };
                let builder = std::thread::Builder::new().name("network camera".into());
                let thread = builder.spawn(move || reading.read(pixels, &messages));
                Some(thread.map_err(|error| SourceError::Camera {
                    camera: stream.name(),
                    fault: CameraFault::Failed,
                    reason: format!("no thread can be started for it: {error}"),
                    remedy: "close other programs and try again".into(),
                })?)
            }
            _ => None,
        };
        Ok(Self {
            frames,
            mapping,
            thread,
            _decoder: decoder,
        })
    }
}

/// The work of the thread that reads frames.
struct Reading {
    reader: FrameReader<RgbImage>,
    chosen: std::sync::mpsc::Sender<Mapping>,
    /// `None` for a stream without times.
    clock: Option<StreamClock>,
    opened: Instant,
    deinterlaced: bool,
}

impl Reading {
    /// Reads frames until ffmpeg ends or the camera is dropped.
    fn read(mut self, mut pixels: ChildStdout, messages: &Receiver<FfmpegMessage>) -> End {
        let mut end = None;
        for message in messages {
            match message {
                FfmpegMessage::Mapping(mapping) => {
                    if !TIMELESS.contains(&mapping.format.as_str()) {
                        self.clock = Some(StreamClock::default());
                        self.reader.trust_times();
                    }
                    // Nobody asks any more when the camera was dropped.
                    let _ = self.chosen.send(mapping);
                }
                FfmpegMessage::FrameInfo(info) if end.is_none() => {
                    end = self.frame(&info, &mut pixels);
                    if end.is_some() || self.reader.is_disconnected() {
                        break;
                    }
                }
                FfmpegMessage::FrameInfo(_) => {}
                FfmpegMessage::End(log) => return End::Ended(log),
            }
        }
        end.unwrap_or_else(|| End::Ended(Box::default()))
    }

    /// Reads one frame; returns why it is the last.
    fn frame(&mut self, info: &FrameInfo, pixels: &mut ChildStdout) -> Option<End> {
        if info.interlaced && !self.deinterlaced {
            return Some(End::Interlaced);
        }
        let (width, height) = (info.width, info.height);
        if is_too_large(width, height) {
            return Some(End::TooLarge(width, height));
        }
        let mut bytes = vec![0; 3 * width as usize * height as usize];
        // ffmpeg's last message says why there are no more.
        if pixels.read_exact(&mut bytes).is_err() {
            return None;
        }
        let arrived = Instant::now();
        self.reader
            .count_corrupt(info.missing + u64::from(info.damaged));
        let captured = match (&mut self.clock, info.time) {
            (Some(clock), Some(time)) => {
                self.opened + clock.captured(time, arrived.saturating_duration_since(self.opened))
            }
            _ => arrived,
        };
        if !info.damaged
            && let Some(image) = RgbImage::from_raw(width, height, bytes)
        {
            self.reader.send(image, captured);
        }
        None
    }
}

impl NetworkCamera {
    /// Waits for the next frame; a stream that turns out to be interlaced is read anew.
    ///
    /// # Errors
    /// When the stream ended, or cannot be read.
    fn receive(&mut self, wait: Duration) -> Result<Received<RgbImage>, SourceError> {
        let Some(running) = &mut self.running else {
            return Ok(Received::Ended);
        };
        let received = running.frames.receive(wait);
        if let Ok(mapping) = running.mapping.try_recv() {
            let protocol = mapping.format.split(',').next().unwrap_or_default();
            self.format = format!("{protocol} {}", mapping.decoder);
            if mapping.streams > 1 {
                self.notices.push(Notice::Note(format!(
                    "of {} video streams the first one is read",
                    mapping.streams
                )));
            }
        }
        if !matches!(received, Received::Ended) {
            return Ok(received);
        }
        let end = running.thread.take().and_then(|thread| thread.join().ok());
        match end {
            Some(End::Interlaced) => {
                self.lost_before = self.lost();
                self.first_sequence = self.next_sequence;
                self.decoding.deinterlace = true;
                self.running = None;
                let running =
                    Running::start(&self.stream, &self.ffmpeg, self.decoding, self.opened);
                self.running = Some(running?);
                Ok(Received::Nothing)
            }
            Some(End::TooLarge(width, height)) => Err(SourceError::TooLarge {
                path: self.stream.name().into(),
                width,
                height,
            }),
            Some(End::Ended(log)) => self.ended(&log),
            None => self.ended(&FfmpegLog::default()),
        }
    }

    /// Tells the end of a stream that comes once from the loss of a camera.
    fn ended(&mut self, log: &FfmpegLog) -> Result<Received<RgbImage>, SourceError> {
        let delivered = self.size.is_some();
        if let Some((width, height)) = log.too_large() {
            return Err(SourceError::TooLarge {
                path: self.stream.name().into(),
                width,
                height,
            });
        }
        if !self.stream.can_be_reopened() && delivered {
            return Ok(Received::Ended);
        }
        let cause = match delivered {
            true => log.end(),
            false => log.cause(),
        };
        let cause = cause.map(|cause| self.stream.clean(cause));
        let (fault, reason, remedy) = explain(delivered, cause.as_deref(), &self.stream);
        Err(SourceError::Camera {
            camera: self.stream.name(),
            fault,
            reason,
            remedy: remedy.into(),
        })
    }
}

/// Says why a stream delivers nothing, and what to do.
fn explain(
    delivered: bool,
    cause: Option<&str>,
    stream: &Stream,
) -> (CameraFault, String, &'static str) {
    let cause_has =
        |words: &[&str]| cause.is_some_and(|cause| words.iter().any(|word| cause.contains(word)));
    let said = cause.unwrap_or("it sends no video");
    if !matches!(stream, Stream::Url(_)) {
        let remedy = "write a video stream to it, such as that of `ffmpeg -i ... -f matroska -`";
        return (CameraFault::Failed, said.into(), remedy);
    }
    // Words, not numbers: ports and addresses have 401, 403 and 404 in them, too.
    if cause_has(&["Unauthorized", "Forbidden", "authorization failed"]) {
        let remedy = "give its user and password, as in rtsp://USER:PASSWORD@HOST/..., with %40 for an @ in them";
        (CameraFault::Failed, said.into(), remedy)
    } else if cause_has(&["Not Found"]) {
        let remedy = "check the path of the URL in the camera's manual";
        (CameraFault::Failed, said.into(), remedy)
    } else if delivered {
        let reason = match cause {
            Some(cause) => format!("the connection was lost: {cause}"),
            None => "it closed the connection".into(),
        };
        (
            CameraFault::Unplugged,
            reason,
            "check its power and the network",
        )
    } else {
        let remedy = "check the address, and that the camera is on and can be reached from here";
        (CameraFault::Missing, format!("no video: {said}"), remedy)
    }
}

impl LiveSource for NetworkCamera {
    fn format(&self) -> String {
        match self.size {
            Some((width, height)) => format!("{} {width}x{height}", self.format),
            None => self.format.clone(),
        }
    }

    fn opened(&self) -> Instant {
        self.opened
    }

    fn lost(&self) -> CaptureLoss {
        let running = self.running.as_ref();
        let present = running.map_or(CaptureLoss::default(), |running| CaptureLoss {
            driver: running.frames.dropped(),
            corrupt: running.frames.corrupt(),
            decode: 0,
        });
        self.lost_before.plus(present)
    }

    fn startup(&self) -> Duration {
        STARTUP
    }

    fn notices(&mut self) -> Vec<Notice> {
        let now = self.opened.elapsed();
        let running = self.running.as_mut();
        let mut notices = running.map_or(Vec::new(), |running| running.frames.notices(now));
        notices.append(&mut self.notices);
        notices
    }

    fn read(&mut self, wait: Duration) -> Result<Read, SourceError> {
        let received = match self.waiting.take() {
            Some(frame) => Received::Frame(frame),
            None => self.receive(wait)?,
        };
        Ok(match received {
            Received::Frame(frame) => {
                self.size = Some(frame.content.dimensions());
                let time = frame.captured.saturating_duration_since(self.opened);
                let sequence = self.first_sequence + frame.sequence;
                self.next_sequence = sequence + 1;
                Read::Frame(Frame::from_rgb(sequence, time, frame.content))
            }
            Received::Nothing => Read::Nothing,
            Received::Ended => Read::Ended,
        })
    }
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests;

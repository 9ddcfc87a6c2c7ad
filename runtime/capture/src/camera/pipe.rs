//! A camera that is a program which writes Motion JPEG to its standard output: the Raspberry Pi's
//! `rpicam-vid`, ffmpeg, the client of a network camera.
//!
//! The program is started without a shell and killed when its camera is dropped. Its frames carry no
//! time, so the time of their arrival counts.

use super::{
    CameraFault, CaptureLoss, Frame, LiveSource, Notice, Read, SourceError,
    frame_reader::{CapturedFrame, FrameReader, FrameReceiver, Received, frame_channel},
    mjpeg::{self, Splitter},
    pixels,
};
use std::{
    io::{BufRead, BufReader, Read as _},
    path::Path,
    process::{Child, ChildStderr, ChildStdout, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Bytes read at once: the capacity of a pipe on Linux.
const CHUNK: usize = 64 << 10;

/// Longest line of the program's messages that is kept, in characters.
const MAX_LINE: usize = 300;

/// How long to wait for the program's exit status and messages after it has closed its output.
const EXIT_TIMEOUT: Duration = Duration::from_millis(500);

const REMEDY: &str =
    "run the command by hand to see its messages; it must write Motion JPEG to its standard output";

/// Returns the name of the camera in events: the program's.
pub(super) fn name(command: &str) -> Result<String, SourceError> {
    let arguments = arguments(command)?;
    let program = Path::new(&arguments[0]);
    let name = program.file_name().unwrap_or(program.as_os_str());
    Ok(name.to_string_lossy().into_owned())
}

/// Splits a command into the program and its arguments; at least the program is there.
fn arguments(command: &str) -> Result<Vec<String>, SourceError> {
    let wrong = |reason: &str| SourceError::Camera {
        camera: format!("pipe:{command}"),
        fault: CameraFault::Missing,
        reason: reason.into(),
        remedy: "give a command, such as --camera 'pipe:rpicam-vid -t 0 -n --codec mjpeg -o -'"
            .into(),
    };
    match shlex::split(command) {
        None => Err(wrong("a quotation mark is not closed")),
        Some(arguments) if arguments.first().is_none_or(String::is_empty) => {
            Err(wrong("there is no command"))
        }
        Some(arguments) => Ok(arguments),
    }
}

/// Starts the command, and waits up to `startup` for its first frame.
///
/// # Errors
/// When the command cannot be started, or ends within that time without a frame.
pub(super) fn open(
    command: &str,
    name: &str,
    startup: Duration,
) -> Result<Box<dyn LiveSource>, SourceError> {
    let arguments = arguments(command)?;
    let failed = |reason: String| SourceError::Camera {
        camera: name.into(),
        fault: CameraFault::Failed,
        reason,
        remedy: REMEDY.into(),
    };
    let mut child = Command::new(&arguments[0])
        .args(&arguments[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| SourceError::Camera {
            camera: name.into(),
            fault: CameraFault::Missing,
            reason: format!("cannot be started: {error}"),
            remedy: format!("check that {} is installed", arguments[0]),
        })?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (reader, frames) = frame_channel();
    let last_message = LastMessage::default();
    let mut pipe = Pipe {
        name: name.into(),
        child,
        frames,
        last_message: last_message.clone(),
        opened: Instant::now(),
        size: None,
        lost: CaptureLoss::default(),
        waiting: None,
        notices: Vec::new(),
    };
    let thread = |name: &str| std::thread::Builder::new().name(name.into());
    if let (Some(stdout), Some(stderr)) = (stdout, stderr) {
        thread("camera pipe")
            .spawn(move || read_frames(stdout, reader))
            .and_then(|_| thread("camera messages").spawn(move || last_message.follow(stderr)))
            .map_err(|error| failed(format!("no thread can be started for it: {error}")))?;
    }
    if !startup.is_zero() {
        match pipe.frames.receive(startup) {
            Received::Frame(frame) => pipe.waiting = Some(frame),
            Received::Nothing => {}
            Received::Ended => return Err(pipe.ended()),
        }
    }
    Ok(Box::new(pipe))
}

/// Reads frames until the program closes its output or the camera is dropped.
fn read_frames(mut stdout: ChildStdout, mut reader: FrameReader<Vec<u8>>) {
    let mut splitter = Splitter::new(mjpeg::MAX_BYTES);
    let mut chunk = vec![0; CHUNK];
    while !reader.is_disconnected() {
        let read = match stdout.read(&mut chunk) {
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => 0,
        };
        match read {
            0 => splitter.finish(),
            _ => splitter.push(&chunk[..read]),
        }
        let arrived = Instant::now();
        while let Some((number, image)) = splitter.next_numbered() {
            reader.count_corrupt(number.saturating_sub(reader.next_sequence()));
            reader.send(image, arrived);
        }
        reader.count_corrupt(splitter.images().saturating_sub(reader.next_sequence()));
        if read == 0 {
            return;
        }
    }
}

/// The last line that the program wrote to its standard error; clones share it.
#[derive(Clone, Debug, Default)]
struct LastMessage(Arc<Mutex<String>>);

impl LastMessage {
    fn follow(&self, stderr: ChildStderr) {
        let mut lines = BufReader::new(stderr);
        let mut line = Vec::new();
        loop {
            line.clear();
            // A program that shows its progress ends its lines with a carriage return, and one that
            // writes no line end at all must not fill the memory.
            let mut part = lines.by_ref().take(CHUNK as u64);
            match part.read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let text = String::from_utf8_lossy(&line);
            let last = text
                .split(['\n', '\r'])
                .map(str::trim)
                .rfind(|line| !line.is_empty());
            if let Some(last) = last {
                let kept = last.chars().take(MAX_LINE).collect();
                *self.0.lock().unwrap_or_else(PoisonError::into_inner) = kept;
            }
        }
    }

    fn get(&self) -> String {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Returns whether the program's standard error is closed, so that no message follows.
    fn is_complete(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}

/// A running program.
struct Pipe {
    name: String,
    child: Child,
    frames: FrameReceiver<Vec<u8>>,
    last_message: LastMessage,
    opened: Instant,
    /// Width and height of the last frame in pixels.
    size: Option<(u32, u32)>,
    lost: CaptureLoss,
    /// The frame that arrived while the program was started.
    waiting: Option<CapturedFrame<Vec<u8>>>,
    notices: Vec<Notice>,
}

impl Pipe {
    /// Creates the error for a program that has ended.
    fn ended(&mut self) -> SourceError {
        let begin = Instant::now();
        let mut status = None;
        while begin.elapsed() < EXIT_TIMEOUT
            && (status.is_none() || !self.last_message.is_complete())
        {
            status = self.child.try_wait().unwrap_or(None);
            std::thread::sleep(Duration::from_millis(5));
        }
        let status = status.map_or_else(
            || "closed its output".into(),
            |status| format!("ended ({status})"),
        );
        let message = self.last_message.get();
        let reason = match message.is_empty() {
            true => format!("the program {status}"),
            false => format!("the program {status} with the message: {message}"),
        };
        SourceError::Camera {
            camera: self.name.clone(),
            fault: CameraFault::Failed,
            reason,
            remedy: REMEDY.into(),
        }
    }
}

impl LiveSource for Pipe {
    fn format(&self) -> String {
        let size = |(width, height)| format!("MJPG {width}x{height}");
        self.size.map(size).unwrap_or_default()
    }

    fn opened(&self) -> Instant {
        self.opened
    }

    fn lost(&self) -> CaptureLoss {
        CaptureLoss {
            driver: self.frames.dropped(),
            corrupt: self.lost.corrupt + self.frames.corrupt(),
            ..self.lost
        }
    }

    fn notices(&mut self) -> Vec<Notice> {
        let mut notices = self.frames.notices(self.opened.elapsed());
        notices.append(&mut self.notices);
        notices
    }

    fn read(&mut self, wait: Duration) -> Result<Read, SourceError> {
        let received = match self.waiting.take() {
            Some(frame) => Received::Frame(frame),
            None => self.frames.receive(wait),
        };
        let encoded = match received {
            Received::Frame(frame) => frame,
            Received::Nothing => return Ok(Read::Nothing),
            Received::Ended => return Err(self.ended()),
        };
        let time = encoded.captured.saturating_duration_since(self.opened);
        let rgb = match pixels::jpeg(&encoded.content) {
            Ok(rgb) => rgb,
            Err(damage) => {
                self.lost.count(damage);
                let frame = encoded.sequence;
                self.notices.push(Notice::Damaged { frame, time });
                return Ok(Read::Nothing);
            }
        };
        self.size = Some(rgb.dimensions());
        Ok(Read::Frame(Frame::from_rgb(encoded.sequence, time, rgb)))
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        // A program that ended by itself cannot be killed; both leave nothing behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, RgbImage, codecs::jpeg::JpegEncoder};

    const SOON: Duration = Duration::from_secs(20);

    fn stream(folder: &Path, count: u8) -> String {
        let path = folder.join("a b.mjpeg");
        let mut bytes = Vec::new();
        for shade in 0..count {
            let image = RgbImage::from_pixel(32, 24, Rgb([shade, 60, 60]));
            JpegEncoder::new(&mut bytes).encode_image(&image).unwrap();
        }
        std::fs::write(&path, bytes).unwrap();
        format!("'{}'", path.display())
    }

    fn failure(command: &str) -> String {
        let opened = open(command, "pipe", SOON);
        let mut source = match opened {
            Err(error) => return error.to_string(),
            Ok(source) => source,
        };
        loop {
            if let Err(error) = source.read(SOON) {
                return error.to_string();
            }
        }
    }

    #[test]
    fn every_frame_is_delivered_or_counted() {
        let folder = tempfile::tempdir().unwrap();
        let command = format!("cat {}", stream(folder.path(), 20));
        assert_eq!(name(&command).unwrap(), "cat");
        let mut source = open(&command, "cat", SOON).unwrap();
        let mut frames = 0;
        let mut last = None;
        let error = loop {
            match source.read(SOON) {
                Ok(Read::Frame(frame)) => {
                    frames += 1;
                    assert!(last < Some(frame.sequence));
                    last = Some(frame.sequence);
                    assert_eq!(frame.rgb.dimensions(), (32, 24));
                }
                Ok(other) => unreachable!("{other:?}"),
                Err(error) => break error,
            }
        };
        assert_eq!(source.format(), "MJPG 32x24");
        assert_eq!(last, Some(19));
        assert_eq!(frames + source.lost().driver, 20);
        assert!(error.to_string().contains("exit status: 0"), "{error}");
        assert_eq!(error.fault(), Some(CameraFault::Failed));
    }

    #[test]
    fn images_without_an_end_are_frames_and_a_damaged_one_is_told_with_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stream");
        let mut stream = Vec::new();
        for shade in 0..10_u8 {
            let image = RgbImage::from_fn(160, 120, |x, y| {
                Rgb([(x * 31) as u8, (y * 57) as u8, shade])
            });
            let mut bytes = Vec::new();
            JpegEncoder::new(&mut bytes).encode_image(&image).unwrap();
            let end = match shade {
                4 => bytes.len() / 2,
                _ => bytes.len() - 2,
            };
            stream.push(bytes[..end].to_vec());
        }
        // At a pace at which each is received.
        std::fs::write(&path, stream.concat()).unwrap();
        let lengths: Vec<String> = stream.iter().map(|part| part.len().to_string()).collect();
        let script = format!(
            "exec 3<{}; for n in {}; do head -c $n <&3; sleep 0.05; done",
            path.display(),
            lengths.join(" ")
        );
        std::fs::write(folder.path().join("play"), script).unwrap();
        let command = format!("sh '{}'", folder.path().join("play").display());
        let mut source = open(&command, "sh", SOON).unwrap();
        let (mut numbers, mut notices) = (Vec::new(), Vec::new());
        loop {
            let read = source.read(SOON);
            notices.extend(source.notices());
            match read {
                Ok(Read::Frame(frame)) => numbers.push(frame.sequence),
                Ok(_) => {}
                Err(_) => break,
            }
        }
        let lost = source.lost();
        assert_eq!(
            numbers.len() as u64 + lost.driver + lost.damaged(),
            10,
            "{lost:?}"
        );
        assert!(
            !numbers.contains(&4) && numbers.last() == Some(&9),
            "{numbers:?}"
        );
        let damaged = notices.iter().filter_map(|notice| match notice {
            Notice::Damaged { frame, .. } => Some(*frame),
            _ => None,
        });
        assert_eq!(damaged.collect::<Vec<_>>(), [4]);
    }

    #[test]
    fn the_error_quotes_a_program_that_ends() {
        let line = failure("sh -c 'echo starting >&2; echo no cameras available >&2; exit 3'");
        assert!(
            line.contains("exit status: 3")
                && line.contains("with the message: no cameras available"),
            "{line}"
        );
        assert!(!line.contains('\n'));
    }

    #[test]
    fn an_invalid_command_is_refused() {
        for (command, expected) in [
            ("", "no command"),
            ("  ", "no command"),
            ("cat 'x", "quotation mark"),
        ] {
            let line = name(command).unwrap_err().to_string();
            assert!(line.contains(expected), "{line}");
        }
        let line = failure("no-such-program-here -x");
        assert!(line.contains("cannot be started"), "{line}");
    }

    #[test]
    fn the_program_ends_with_its_camera() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let command = format!("sh -c 'echo $$ > {}; exec sleep 600'", file.display());
        let source = open(&command, "sh", Duration::from_millis(300)).unwrap();
        let begin = Instant::now();
        let pid = loop {
            let pid = std::fs::read_to_string(&file).unwrap_or_default();
            if pid.ends_with('\n') {
                break pid.trim().to_owned();
            }
            assert!(begin.elapsed() < SOON);
        };
        drop(source);
        let alive = Command::new("kill")
            .args(["-0", &pid])
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(!alive.success());
    }
}

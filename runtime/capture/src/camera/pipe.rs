//! A camera behind another program, which writes Motion JPEG to its standard output: the Raspberry
//! Pi's `rpicam-vid`, ffmpeg, a network camera's client.
//!
//! The program is started without a shell and killed with its camera. Its pictures carry no time,
//! so the time of their arrival counts.

use super::{
    CameraFault, CaptureLoss, Frame, LiveSource, Read, SourceError,
    frame_reader::{Fed, Feed, FrameReader, Raw, feed},
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

/// Bytes read at once: a pipe of Linux holds as many.
const CHUNK: usize = 64 << 10;

/// Longest line kept of what the program says.
const LONGEST_LINE: usize = 300;

/// How long the program may take to say why after it has closed its output.
const LAST_WORDS: Duration = Duration::from_millis(500);

const REMEDY: &str =
    "run the command by hand to see what it says; it must write Motion JPEG to its standard output";

/// What events call the camera: the program's name.
pub(super) fn name(command: &str) -> Result<String, SourceError> {
    let words = words(command)?;
    let program = Path::new(&words[0]);
    let name = program.file_name().unwrap_or(program.as_os_str());
    Ok(name.to_string_lossy().into_owned())
}

/// The command's words, of which there is at least one.
fn words(command: &str) -> Result<Vec<String>, SourceError> {
    let wrong = |reason: &str| SourceError::Camera {
        camera: format!("pipe:{command}"),
        fault: CameraFault::Missing,
        reason: reason.into(),
        remedy: "give a command, such as --camera 'pipe:rpicam-vid -t 0 -n --codec mjpeg -o -'"
            .into(),
    };
    match shlex::split(command) {
        None => Err(wrong("a quotation mark is not closed")),
        Some(words) if words.first().is_none_or(String::is_empty) => {
            Err(wrong("there is no command"))
        }
        Some(words) => Ok(words),
    }
}

/// Starts the command. Within `patience` it must not end, unless with a picture.
pub(super) fn open(
    command: &str,
    name: &str,
    patience: Duration,
) -> Result<Box<dyn LiveSource>, SourceError> {
    let words = words(command)?;
    let failed = |reason: String| SourceError::Camera {
        camera: name.into(),
        fault: CameraFault::Failed,
        reason,
        remedy: REMEDY.into(),
    };
    let mut child = Command::new(&words[0])
        .args(&words[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| SourceError::Camera {
            camera: name.into(),
            fault: CameraFault::Missing,
            reason: format!("cannot be started: {error}"),
            remedy: format!("check that {} is installed", words[0]),
        })?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (feeder, feed) = feed();
    let last_words = LastWords::default();
    let mut pipe = Pipe {
        name: name.into(),
        child,
        feed,
        last_words: last_words.clone(),
        opened: Instant::now(),
        size: None,
        lost: CaptureLoss::default(),
        waiting: None,
    };
    let thread = |name: &str| std::thread::Builder::new().name(name.into());
    if let (Some(stdout), Some(stderr)) = (stdout, stderr) {
        thread("camera pipe")
            .spawn(move || read_pictures(stdout, feeder))
            .and_then(|_| thread("camera words").spawn(move || last_words.follow(stderr)))
            .map_err(|error| failed(format!("no thread can be started for it: {error}")))?;
    }
    if !patience.is_zero() {
        match pipe.feed.next(patience) {
            Fed::Picture(raw) => pipe.waiting = Some(raw),
            Fed::Nothing => {}
            Fed::Ended => return Err(pipe.ended()),
        }
    }
    Ok(Box::new(pipe))
}

/// Works until the program closes its output or nobody listens any more.
fn read_pictures(mut stdout: ChildStdout, mut feeder: FrameReader) {
    let mut splitter = Splitter::new(mjpeg::LARGEST);
    let mut chunk = vec![0; CHUNK];
    while !feeder.is_disconnected() {
        let read = match stdout.read(&mut chunk) {
            Ok(0) => return,
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        splitter.push(&chunk[..read]);
        let arrived = Instant::now();
        feeder.set_broken(splitter.broken());
        while let Some(picture) = splitter.next_image() {
            feeder.put(picture, arrived);
        }
    }
}

/// The last line that the program wrote to its standard error.
#[derive(Clone, Debug, Default)]
struct LastWords(Arc<Mutex<String>>);

impl LastWords {
    fn follow(&self, stderr: ChildStderr) {
        let mut lines = BufReader::new(stderr);
        let mut line = Vec::new();
        loop {
            line.clear();
            // A program that draws its progress ends its lines with a carriage return, and one
            // that writes no line end at all must not fill the memory.
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
                let kept = last.chars().take(LONGEST_LINE).collect();
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

    /// Whether the program's standard error is closed, so that nothing follows.
    fn is_over(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}

/// A running program.
struct Pipe {
    name: String,
    child: Child,
    feed: Feed,
    last_words: LastWords,
    opened: Instant,
    /// Of the last picture.
    size: Option<(u32, u32)>,
    lost: CaptureLoss,
    /// Came while the program was started.
    waiting: Option<Raw>,
}

impl Pipe {
    /// Why the program has ended.
    fn ended(&mut self) -> SourceError {
        let begin = Instant::now();
        let mut status = None;
        while begin.elapsed() < LAST_WORDS && (status.is_none() || !self.last_words.is_over()) {
            status = self.child.try_wait().unwrap_or(None);
            std::thread::sleep(Duration::from_millis(5));
        }
        let status = status.map_or_else(
            || "closed its output".into(),
            |status| format!("ended ({status})"),
        );
        let words = self.last_words.get();
        let reason = match words.is_empty() {
            true => format!("the program {status}"),
            false => format!("the program {status} and said: {words}"),
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
            driver: self.feed.dropped(),
            corrupt: self.feed.broken(),
            ..self.lost
        }
    }

    fn read(&mut self, wait: Duration) -> Result<Read, SourceError> {
        let raw = match self
            .waiting
            .take()
            .map_or_else(|| self.feed.next(wait), Fed::Picture)
        {
            Fed::Picture(raw) => raw,
            Fed::Nothing => return Ok(Read::Nothing),
            Fed::Ended => return Err(self.ended()),
        };
        // The splitter delivers whole pictures only.
        let Ok(rgb) = pixels::jpeg(&raw.bytes) else {
            self.lost.decode += 1;
            return Ok(Read::Nothing);
        };
        self.size = Some(rgb.dimensions());
        let time = raw.captured.saturating_duration_since(self.opened);
        Ok(Read::Frame(Frame::from_rgb(raw.sequence, time, rgb)))
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
            let picture = RgbImage::from_pixel(32, 24, Rgb([shade, 60, 60]));
            JpegEncoder::new(&mut bytes).encode_image(&picture).unwrap();
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
    fn pictures_come_through_and_none_goes_uncounted() {
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
    fn a_program_that_dies_is_quoted() {
        let line = failure("sh -c 'echo starting >&2; echo no cameras available >&2; exit 3'");
        assert!(
            line.contains("exit status: 3") && line.contains("said: no cameras available"),
            "{line}"
        );
        assert!(!line.contains('\n'));
    }

    #[test]
    fn what_is_no_command_is_refused() {
        for (command, words) in [
            ("", "no command"),
            ("  ", "no command"),
            ("cat 'x", "quotation mark"),
        ] {
            let line = name(command).unwrap_err().to_string();
            assert!(line.contains(words), "{line}");
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

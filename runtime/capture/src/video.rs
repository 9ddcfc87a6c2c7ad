//! Video files of any kind that the ffmpeg program reads, with the true presentation time of every
//! frame.
//!
//! ffmpeg runs as a child process, so that a file which makes a decoder fail or hang cannot do so to
//! this one. Parsing ffmpeg's messages is left to `ffmpeg_log`, reading its pixels to `raw_video`.

use super::{
    FrameSource, SourceError,
    ffmpeg_log::{FfmpegLog, FrameInfo},
    raw_video::{RawFrame, RawVideo},
};
use parseye_vision::frame::{Frame, MAX_PIXELS};
use std::{
    ffi::{OsStr, OsString},
    fs,
    io::{BufRead, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, ChildStdout, Command, Stdio},
    sync::{
        OnceLock,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Duration,
};

/// A video that covers less than this share of the duration its file claims was truncated; one that
/// lacks less may just have a longer sound track.
const MIN_SHARE: f64 = 0.5;

/// Claimed durations up to this one are not checked: rounding and a long last frame weigh too much.
const MIN_CLAIM: Duration = Duration::from_secs(2);

/// Longest time that ffmpeg may take for the next frame of a file, whatever the file makes it compute;
/// a whole group of 8K pictures takes a small part of it.
const FRAME_TIMEOUT: Duration = Duration::from_secs(120);

/// Longest line of ffmpeg's messages that is kept, in bytes; ffmpeg cuts its own at a quarter of that.
const MAX_LINE: u64 = 4096;

/// The first ffmpeg version with `-fps_mode`; later ones dropped `-vsync`.
const FPS_MODE_SINCE: (u32, u32) = (5, 1);

/// A video file being decoded.
#[derive(Debug)]
pub struct VideoFile {
    path: PathBuf,
    name: String,
    decoder: Option<Decoder>,
    raw: RawVideo,
    /// How long a frame may take.
    timeout: Duration,
}

/// The running ffmpeg. Dropping it ends the process at once.
#[derive(Debug)]
struct Decoder {
    child: Child,
    /// `None` only while the decoder is dropped.
    pixels: Option<ChildStdout>,
    messages: Receiver<FfmpegMessage>,
}

/// What the thread that reads ffmpeg's messages passes on.
#[derive(Debug)]
enum FfmpegMessage {
    FrameInfo(FrameInfo),
    End(Box<FfmpegLog>),
}

impl VideoFile {
    /// Opens a video file and starts decoding its first video stream.
    ///
    /// # Errors
    /// When the path cannot be read or ffmpeg cannot be started. Damage inside the file is reported by
    /// [`FrameSource::next_frame`].
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        static OPTION: OnceLock<&'static str> = OnceLock::new();
        check_readable(path)?;
        let program = OsStr::new("ffmpeg");
        let option = match OPTION.get() {
            Some(option) => option,
            None => {
                let found = passthrough_option(program)?;
                OPTION.get_or_init(|| found)
            }
        };
        Self::start(program, option, path)
    }

    fn start(program: &OsStr, option: &str, path: &Path) -> Result<Self, SourceError> {
        // The protocol in front keeps a path with a colon or a leading dash from being taken for
        // something else.
        let mut input = OsString::from("file:");
        input.push(path);
        let mut command = Command::new(program);
        command
            .args(["-hide_banner", "-nostdin", "-nostats"])
            .args(["-loglevel", "repeat+level+info"])
            // One thread: error concealment then gives the same pixels on every run.
            .args(["-threads", "1"])
            .args(["-max_pixels", &MAX_PIXELS.to_string()])
            // Playlists must not reach the network.
            .args(["-protocol_whitelist", "file", "-i"])
            .arg(input)
            // The capital V leaves out cover images of sound files.
            .args(["-map", "0:V:0", "-vf", "format=rgb24,showinfo=checksum=0"])
            // Otherwise a change of size amid the stream is scaled back to the first size.
            .args(["-autoscale", "0"])
            .args([option, "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24"])
            .arg("pipe:1")
            .stdin(match path.as_os_str() == super::STANDARD_INPUT {
                true => Stdio::inherit(),
                false => Stdio::null(),
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // In a process group of its own: Ctrl-C must not end the decoder first and look like damage.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command
            .spawn()
            .map_err(|error| SourceError::no_ffmpeg(&error))?;
        let (sender, messages) = channel();
        let pixels = child.stdout.take();
        if let Some(stderr) = child.stderr.take() {
            thread::spawn(move || read_messages(stderr, &sender));
        }
        Ok(Self {
            path: path.into(),
            name: super::name_of(path),
            decoder: Some(Decoder {
                child,
                pixels,
                messages,
            }),
            raw: RawVideo::default(),
            timeout: match path.is_file() {
                true => FRAME_TIMEOUT,
                // Pipes and devices deliver in their own time.
                false => Duration::MAX,
            },
        })
    }

    /// Ends decoding where no further frame came: returns `Ok` at the regular end.
    ///
    /// # Errors
    /// Why there is no further frame.
    fn finish(&self, decoder: &mut Decoder, log: &FfmpegLog) -> Result<(), SourceError> {
        decoder.pixels = None;
        let status = decoder.child.wait();
        let path = || self.path.clone();
        if let Some((width, height)) = log.too_large() {
            return Err(SourceError::TooLarge {
                path: path(),
                width,
                height,
            });
        }
        let failure = match status {
            Ok(status) if status.success() => None,
            Ok(status) => Some(format!("ffmpeg ended with {status}")),
            Err(error) => Some(format!("ffmpeg was lost: {error}")),
        };
        if self.raw.frames() == 0 {
            let reason = if log.is_text() {
                "it is a text file".into()
            } else {
                let cause = log.cause().map(str::to_owned).or(failure);
                cause.unwrap_or_else(|| "it holds no image".into())
            };
            return Err(SourceError::NotAVideo {
                path: path(),
                reason,
            });
        }
        let reason = log.end().map(str::to_owned).or(failure);
        match reason.or_else(|| self.missing_part(log)) {
            None => Ok(()),
            Some(reason) => Err(SourceError::Damaged {
                path: path(),
                frames: self.raw.frames(),
                reason,
            }),
        }
    }

    /// Creates the error for an ffmpeg that delivers neither a frame nor an end.
    fn timed_out(&self) -> SourceError {
        let seconds = self.timeout.as_secs();
        let reason = format!("ffmpeg has found no further frame for {seconds} s");
        let path = self.path.clone();
        match self.raw.frames() {
            0 => SourceError::NotAVideo { path, reason },
            frames => SourceError::Damaged {
                path,
                frames,
                reason,
            },
        }
    }

    /// Describes how much is missing where the frames end long before the file's claimed duration.
    fn missing_part(&self, log: &FfmpegLog) -> Option<String> {
        let claimed = log
            .claimed_duration()
            .filter(|duration| *duration > MIN_CLAIM)?;
        let covered = self.raw.covered();
        (covered.as_secs_f64() < MIN_SHARE * claimed.as_secs_f64()).then(|| {
            format!(
                "the frames end at {:.1} s of {:.1} s",
                covered.as_secs_f64(),
                claimed.as_secs_f64()
            )
        })
    }
}

impl FrameSource for VideoFile {
    fn name(&self) -> &str {
        &self.name
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, SourceError> {
        let Some(mut decoder) = self.decoder.take() else {
            return Ok(None);
        };
        let mut log = None;
        match decoder.messages.recv_timeout(self.timeout) {
            Ok(FfmpegMessage::FrameInfo(info)) => {
                let pixels = decoder.pixels.as_mut();
                let read = pixels.map(|pixels| self.raw.read(&info, pixels));
                match read {
                    Some(RawFrame::Frame(frame)) => {
                        self.decoder = Some(decoder);
                        return Ok(Some(frame));
                    }
                    Some(RawFrame::TooLarge) => {
                        return Err(SourceError::TooLarge {
                            path: self.path.clone(),
                            width: info.width,
                            height: info.height,
                        });
                    }
                    Some(RawFrame::Truncated) | None => {}
                }
            }
            Ok(FfmpegMessage::End(end)) => log = Some(end),
            Err(RecvTimeoutError::Timeout) => return Err(self.timed_out()),
            Err(RecvTimeoutError::Disconnected) => {}
        }
        // Without pixels for an announced frame ffmpeg is about to end, and its last messages say why.
        let log = log.unwrap_or_else(|| decoder.last_messages());
        self.finish(&mut decoder, &log).map(|()| None)
    }
}

impl Decoder {
    /// Waits for the end of ffmpeg's messages; frames that are announced until then are skipped.
    fn last_messages(&mut self) -> Box<FfmpegLog> {
        // No pixels are read any more: with the pipe closed ffmpeg cannot wait for that.
        self.pixels = None;
        let end = self.messages.iter().find_map(|message| match message {
            FfmpegMessage::End(log) => Some(log),
            FfmpegMessage::FrameInfo(_) => None,
        });
        end.unwrap_or_default()
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // First close the pipe, so that even a wrapper script's ffmpeg, which the kill does not
        // reach, ends when it writes. Killing an ended process fails, which is as good.
        self.pixels = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads ffmpeg's messages to their end and passes on each announced frame, then the log. Nobody waits
/// for this thread: it ends with ffmpeg.
fn read_messages(stderr: ChildStderr, sender: &Sender<FfmpegMessage>) {
    let mut log = FfmpegLog::default();
    let mut stderr = BufReader::new(stderr);
    let mut line = Vec::new();
    loop {
        let mut part = stderr.by_ref().take(MAX_LINE);
        if !matches!(part.read_until(b'\n', &mut line), Ok(count) if count > 0) {
            break;
        }
        if let Some(info) = log.read_line(&String::from_utf8_lossy(&line))
            && sender.send(FfmpegMessage::FrameInfo(info)).is_err()
        {
            return;
        }
        if log.is_text() {
            break;
        }
        line.clear();
    }
    // A source that was dropped needs no log.
    let _ = sender.send(FfmpegMessage::End(Box::new(log)));
}

/// Checks that ffmpeg can be started for the path; the error has the system's message.
fn check_readable(path: &Path) -> Result<(), SourceError> {
    let unreadable = |reason: String| SourceError::Unreadable {
        path: path.into(),
        reason,
    };
    let metadata = fs::metadata(path).map_err(|error| unreadable(error.to_string()))?;
    if metadata.is_dir() {
        return Err(unreadable("it is a folder, not a video file".into()));
    }
    // Pipes and devices are read by ffmpeg alone: opening them here could take their data.
    if metadata.is_file() {
        fs::File::open(path).map_err(|error| unreadable(error.to_string()))?;
        if metadata.len() == 0 {
            return Err(SourceError::NotAVideo {
                path: path.into(),
                reason: "the file is empty".into(),
            });
        }
    }
    Ok(())
}

/// Returns the option that makes this ffmpeg keep the timestamp of every frame.
fn passthrough_option(program: &OsStr) -> Result<&'static str, SourceError> {
    let output = Command::new(program)
        .arg("-version")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .map_err(|error| SourceError::no_ffmpeg(&error))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(match version(&text) {
        Some(version) if version < FPS_MODE_SINCE => "-vsync",
        // Builds from ffmpeg's repository carry no number and are newer.
        _ => "-fps_mode",
    })
}

/// Parses `ffmpeg version 4.4.2-0ubuntu...` or `n6.0` to the major and minor version.
fn version(text: &str) -> Option<(u32, u32)> {
    let number = text
        .strip_prefix("ffmpeg version ")?
        .split_whitespace()
        .next()?;
    let mut parts = number
        .trim_start_matches('n')
        .split(|c: char| !c.is_ascii_digit());
    Some((
        parts.next()?.parse().ok()?,
        parts.next().unwrap_or("0").parse().unwrap_or(0),
    ))
}

#[cfg(test)]
mod tests;

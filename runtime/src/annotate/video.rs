//! Encodes frames as a video with an ffmpeg child process, or a single one as an image. What is drawn on them
//! is left to [`super`], which frame is shown for how long to [`pace`].

pub(crate) mod format;
mod pace;

use format::VideoFormat;
use image::RgbImage;
use pace::{Pace, rate_of};
use parseye_capture::SourceError;
use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    thread::JoinHandle,
    time::Duration,
};

/// Frames that are collected before the rate is decided, in number and in bytes.
const COLLECTED: usize = 8;
const COLLECTED_BYTES: usize = 64 << 20;

/// Why the video cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum VideoError {
    /// The file cannot be written, or ffmpeg broke off.
    #[error("{path}: the video cannot be written: {reason}; free some space or give another path")]
    Unwritable {
        /// The video.
        path: PathBuf,
        /// The message of the system or of ffmpeg.
        reason: String,
    },
    /// The name's ending promises something that cannot be written.
    #[error("--annotate {path}: {reason}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what can be given.
        reason: String,
    },
    /// ffmpeg, which writes the video, cannot be started.
    #[error(transparent)]
    NoFfmpeg(SourceError),
}

/// Encodes frames with ffmpeg at a steady rate, in the format that the file's name says.
///
/// Every frame is shown at least once; over a gap the last one is held.
#[derive(Debug)]
pub struct VideoWriter {
    path: PathBuf,
    format: VideoFormat,
    encoder: Option<Encoder>,
    /// The last frame: how long it is shown is known when the next one comes. Before the encoder is started,
    /// all frames so far.
    held: Vec<(RgbImage, Duration)>,
}

#[derive(Debug)]
struct Encoder {
    child: Child,
    frames: ChildStdin,
    last_message: JoinHandle<String>,
    pace: Pace,
    size: (u32, u32),
}

impl VideoWriter {
    /// Prepares a video; ffmpeg is started when some frames have shown the rate.
    ///
    /// # Errors
    /// When the file's name has no known ending, or it cannot be created.
    pub(crate) fn create(path: &Path) -> Result<Self, VideoError> {
        let format = VideoFormat::of(path)?;
        File::create(path).map_err(|error| VideoError::Unwritable {
            path: path.into(),
            reason: error.to_string(),
        })?;
        Ok(Self {
            path: path.into(),
            format,
            encoder: None,
            held: Vec::new(),
        })
    }

    /// Adds a frame that is shown from `time` on.
    ///
    /// # Errors
    /// When ffmpeg is missing or gives up, or an image would hold a second frame.
    pub(crate) fn write(&mut self, frame: RgbImage, time: Duration) -> Result<(), VideoError> {
        if self.format == VideoFormat::Png && !self.held.is_empty() {
            return Err(VideoFormat::holds_one(&self.path));
        }
        let bytes: usize = self.held.iter().map(|(held, _)| held.as_raw().len()).sum();
        self.held.push((frame, time));
        let enough = self.held.len() >= COLLECTED || bytes > COLLECTED_BYTES;
        match self.encoder.is_some() || enough {
            true => self.encode_held(),
            false => Ok(()),
        }
    }

    /// Shows the last frame and closes the video.
    ///
    /// # Errors
    /// When ffmpeg is missing or could not finish the file.
    pub(crate) fn finish(mut self) -> Result<(), VideoError> {
        if self.format == VideoFormat::Png {
            return match self.held.pop() {
                Some((frame, _)) => self.save(&frame),
                None => Ok(()),
            };
        }
        self.encode_held()?;
        if let Some((last, _)) = self.held.pop() {
            self.encode(&last, 1)?;
        }
        self.close()
    }

    /// Writes the only frame as an image.
    fn save(&self, frame: &RgbImage) -> Result<(), VideoError> {
        let saved = frame.save_with_format(&self.path, image::ImageFormat::Png);
        saved.map_err(|error| self.failed(error.to_string()))
    }

    /// Encodes all held frames but the last.
    fn encode_held(&mut self) -> Result<(), VideoError> {
        if self.encoder.is_none() {
            let Some((first, time)) = self.held.first() else {
                return Ok(());
            };
            let times = self.held.iter().map(|(_, time)| *time);
            let pace = Pace::new(rate_of(times), *time);
            self.encoder = Some(self.start(first, pace)?);
        }
        let mut held = std::mem::take(&mut self.held).into_iter();
        let mut last = held.next();
        for next in held {
            if let (Some((frame, _)), Some(encoder)) = (&last, &mut self.encoder) {
                let times = encoder.pace.shown_until(next.1);
                self.encode(frame, times)?;
            }
            last = Some(next);
        }
        self.held.extend(last);
        Ok(())
    }

    fn start(&self, first: &RgbImage, pace: Pace) -> Result<Encoder, VideoError> {
        let mut command = Command::new("ffmpeg");
        command
            .args([
                "-hide_banner",
                "-nostdin",
                "-nostats",
                "-loglevel",
                "error",
                "-y",
            ])
            .args(["-f", "rawvideo", "-pixel_format", "rgb24", "-video_size"])
            .arg(format!("{}x{}", first.width(), first.height()))
            .args(["-framerate", &pace.rate().to_string(), "-i", "pipe:0"])
            .args(self.format.encoder())
            .arg(absolute(&self.path))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        // Ctrl-C goes to the whole foreground group: ffmpeg must not see it, or the video would
        // end before its last frames and Parseye could not close it properly.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command
            .spawn()
            .map_err(|error| VideoError::NoFfmpeg(SourceError::no_ffmpeg(&error)))?;
        let (Some(frames), Some(messages)) = (child.stdin.take(), child.stderr.take()) else {
            return Err(self.failed("ffmpeg's pipes could not be opened".into()));
        };
        let last_message = std::thread::spawn(move || {
            let lines = BufReader::new(messages).lines().map_while(Result::ok);
            lines
                .filter(|line| !line.trim().is_empty())
                .last()
                .unwrap_or_default()
        });
        Ok(Encoder {
            child,
            frames,
            last_message,
            pace,
            size: first.dimensions(),
        })
    }

    fn encode(&mut self, frame: &RgbImage, times: u64) -> Result<(), VideoError> {
        let Some(encoder) = &mut self.encoder else {
            return Ok(());
        };
        let fitted;
        let frame = if frame.dimensions() == encoder.size {
            frame
        } else {
            // A folder may hold images of several sizes; a video has one.
            let mut canvas = RgbImage::new(encoder.size.0, encoder.size.1);
            image::imageops::replace(&mut canvas, frame, 0, 0);
            fitted = canvas;
            &fitted
        };
        for _ in 0..times {
            if let Err(error) = encoder.frames.write_all(frame.as_raw()) {
                // ffmpeg's own message says more than the broken pipe.
                self.close()?;
                return Err(self.failed(error.to_string()));
            }
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), VideoError> {
        let Some(Encoder {
            mut child,
            frames,
            last_message,
            ..
        }) = self.encoder.take()
        else {
            return Ok(());
        };
        drop(frames);
        let status = child
            .wait()
            .map_err(|error| self.failed(error.to_string()))?;
        let message = last_message.join().unwrap_or_default();
        if status.success() {
            Ok(())
        } else if message.is_empty() {
            Err(self.failed(format!("ffmpeg ended with {status}")))
        } else {
            Err(self.failed(format!("ffmpeg says: {message}")))
        }
    }

    fn failed(&self, reason: String) -> VideoError {
        VideoError::Unwritable {
            path: self.path.clone(),
            reason,
        }
    }
}

impl Drop for VideoWriter {
    fn drop(&mut self) {
        // Reached only when something else failed, which is what gets reported; the video is closed so
        // that it can be played.
        let _ = self.close();
    }
}

/// Makes a path absolute: ffmpeg would take a relative one such as `a:b.mp4` for a protocol.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unwritable_video_is_one_line_with_the_path() {
        let error = VideoWriter::create(Path::new("/nowhere/out.mp4"))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("/nowhere/out.mp4") && error.contains("another path"),
            "{error}"
        );
    }
}

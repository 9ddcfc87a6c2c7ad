//! Encodes frames as a video with an ffmpeg child process. What is drawn on them is left to [`super`].

use image::RgbImage;
use parseye_capture::SourceError;
use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    thread::JoinHandle,
    time::Duration,
};

/// Usual frame rates of cameras and films; a rate measured from rounded times is replaced by the nearest of
/// these within [`SAME_RATE`].
const USUAL_RATES: [f64; 9] = [
    15.0,
    24_000.0 / 1001.0,
    24.0,
    25.0,
    30_000.0 / 1001.0,
    30.0,
    50.0,
    60_000.0 / 1001.0,
    60.0,
];

/// Containers that round times to milliseconds are off by up to 1.5 % at 30 frames a second.
const SAME_RATE: f64 = 0.016;

/// Rate of a video of a single frame, and the range of rates that players show.
const SINGLE_FRAME_RATE: f64 = 25.0;
const RATES: std::ops::RangeInclusive<f64> = 1.0..=240.0;

/// A frame is held on screen for at most this long; a longer gap in the recording is shortened, so
/// that a broken time cannot fill the disk.
const LONGEST_HOLD_S: f64 = 10.0;

/// Quality of the video (x264's constant rate factor): text and lid edges stay sharp.
const QUALITY: &str = "20";

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
    /// ffmpeg, which writes the video, cannot be started.
    #[error(transparent)]
    NoFfmpeg(SourceError),
}

/// Encodes frames as an mp4 file with ffmpeg, at a steady rate.
///
/// Every frame is shown at least once; over a gap the last one is held.
#[derive(Debug)]
pub struct VideoWriter {
    path: PathBuf,
    encoder: Option<Encoder>,
    /// The last frame: how long it is shown is known when the next one comes.
    held: Option<(RgbImage, Duration)>,
    first_time: Duration,
    written: u64,
}

#[derive(Debug)]
struct Encoder {
    child: Child,
    frames: ChildStdin,
    last_message: JoinHandle<String>,
    rate: f64,
    size: (u32, u32),
}

impl VideoWriter {
    /// Prepares a video; ffmpeg is started with the second frame, when the rate is known.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub(crate) fn create(path: &Path) -> Result<Self, VideoError> {
        File::create(path).map_err(|error| VideoError::Unwritable {
            path: path.into(),
            reason: error.to_string(),
        })?;
        Ok(Self {
            path: path.into(),
            encoder: None,
            held: None,
            first_time: Duration::ZERO,
            written: 0,
        })
    }

    /// Adds a frame that is shown from `time` on.
    ///
    /// # Errors
    /// When ffmpeg is missing or gives up.
    pub(crate) fn write(&mut self, frame: RgbImage, time: Duration) -> Result<(), VideoError> {
        let Some((last, last_time)) = self.held.take() else {
            self.first_time = time;
            self.held = Some((frame, time));
            return Ok(());
        };
        let gap = time.saturating_sub(last_time).as_secs_f64();
        let rate = match &self.encoder {
            Some(encoder) => encoder.rate,
            None => self.start(&last, usual_rate(1.0 / gap))?,
        };
        let due = (time.saturating_sub(self.first_time).as_secs_f64() * rate).round() as u64;
        let most = (LONGEST_HOLD_S * rate) as u64;
        let times = due.saturating_sub(self.written).clamp(1, most.max(1));
        self.encode(&last, times)?;
        self.held = Some((frame, time));
        Ok(())
    }

    /// Shows the last frame and closes the video.
    ///
    /// # Errors
    /// When ffmpeg is missing or could not finish the file.
    pub(crate) fn finish(mut self) -> Result<(), VideoError> {
        if let Some((last, _)) = self.held.take() {
            if self.encoder.is_none() {
                self.start(&last, SINGLE_FRAME_RATE)?;
            }
            self.encode(&last, 1)?;
        }
        self.close()
    }

    fn start(&mut self, first: &RgbImage, rate: f64) -> Result<f64, VideoError> {
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
            .args(["-framerate", &rate.to_string(), "-i", "pipe:0"])
            // H.264 in its common 4:2:0 form has even sides only.
            .args(["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2"])
            .args([
                "-c:v", "libx264", "-preset", "veryfast", "-crf", QUALITY, "-pix_fmt", "yuv420p",
            ])
            .args(["-f", "mp4"])
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
        self.encoder = Some(Encoder {
            child,
            frames,
            last_message,
            rate,
            size: first.dimensions(),
        });
        Ok(rate)
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
        self.written += times;
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

/// Returns the usual rate near `measured`, or that rate within [`RATES`].
fn usual_rate(measured: f64) -> f64 {
    let off = |rate: &f64| (measured / rate - 1.0).abs();
    USUAL_RATES
        .into_iter()
        .filter(|rate| off(rate) < SAME_RATE)
        .min_by(|a, b| off(a).total_cmp(&off(b)))
        .unwrap_or_else(|| {
            if measured.is_finite() {
                measured.clamp(*RATES.start(), *RATES.end())
            } else {
                SINGLE_FRAME_RATE
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_from_rounded_times_become_the_usual_ones() {
        assert_eq!(usual_rate(1.0 / 0.033), 30.0);
        assert_eq!(usual_rate(1.0 / 0.040), 25.0);
        assert_eq!(usual_rate(1.0 / 0.033_367), 30_000.0 / 1001.0);
        assert_eq!(usual_rate(12.5), 12.5);
        assert_eq!(usual_rate(f64::INFINITY), SINGLE_FRAME_RATE);
        assert_eq!(usual_rate(1e-9), 1.0);
    }

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

//! Video files of any kind that the ffmpeg program reads, with the true presentation time of every
//! frame, and frames as they are meant to be shown.
//!
//! Running ffmpeg is left to `ffmpeg`, parsing its messages to `ffmpeg_log`, reading its pixels to
//! `raw_video`.

use super::{
    FrameSource, Notice, SourceError,
    ffmpeg::{Decoder, Decoding, Ffmpeg, FfmpegMessage},
    ffmpeg_log::{FfmpegLog, FrameInfo, header::Mapping},
    raw_video::{RawFrame, RawVideo},
};
use parseye_vision::frame::Frame;
use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::mpsc::RecvTimeoutError,
    time::Duration,
};

/// A video that covers less than this share of the duration its file claims is remarked on; one that
/// lacks less may just have a longer sound track.
const MIN_SHARE: f64 = 0.5;

/// Claimed durations up to this one are not checked: rounding and a long last frame weigh too much.
const MIN_CLAIM: Duration = Duration::from_secs(2);

/// Longest time that ffmpeg may take for the next frame of a file, whatever the file makes it compute;
/// a whole group of 8K pictures takes a small part of it.
const FRAME_TIMEOUT: Duration = Duration::from_secs(120);

/// A video file being decoded.
#[derive(Debug)]
pub struct VideoFile {
    path: PathBuf,
    name: String,
    ffmpeg: Ffmpeg,
    decoder: Option<Decoder>,
    decoding: Decoding,
    raw: RawVideo,
    /// How long a frame may take.
    timeout: Duration,
    /// Whether decoding can begin anew; a pipe's data come only once.
    can_restart: bool,
    /// Frames that were delivered before decoding began anew.
    skip: u64,
    delivered: u64,
    /// Number of the frame after the last that was delivered.
    after_last: u64,
    notices: Vec<Notice>,
}

/// What comes of one message of ffmpeg.
enum Step {
    Frame(Frame),
    Again,
    End(Box<FfmpegLog>),
}

impl VideoFile {
    /// Opens a video file and starts decoding: the video stream that it marks as its default, else the first.
    ///
    /// # Errors
    /// When the path cannot be read or ffmpeg cannot be started. Damage inside the file is reported by
    /// [`FrameSource::next_frame`].
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        check_readable(path)?;
        Self::start(Ffmpeg::find()?.clone(), path)
    }

    fn start(ffmpeg: Ffmpeg, path: &Path) -> Result<Self, SourceError> {
        let is_file = path.is_file();
        // A pipe cannot be looked into beforehand.
        let decoding = Decoding {
            deinterlace: !is_file,
            ..Decoding::default()
        };
        let decoder = ffmpeg.start(&input_options(path), standard_input(path), decoding)?;
        Ok(Self {
            path: path.into(),
            name: super::name_of(path),
            ffmpeg,
            decoder: Some(decoder),
            decoding,
            raw: RawVideo::default(),
            timeout: match is_file {
                true => FRAME_TIMEOUT,
                // Pipes and devices deliver in their own time.
                false => Duration::MAX,
            },
            can_restart: is_file,
            skip: 0,
            delivered: 0,
            after_last: 0,
            notices: Vec::new(),
        })
    }

    /// Begins decoding anew in another way; frames that were delivered already are skipped.
    fn restart(&mut self, decoding: Decoding) -> Result<Step, SourceError> {
        // Two of them at a time would cost twice the memory.
        self.decoder = None;
        let options = input_options(&self.path);
        self.decoder = Some(self.ffmpeg.start(&options, Stdio::null(), decoding)?);
        self.decoding = decoding;
        self.skip = self.raw.frames();
        self.raw = RawVideo::default();
        Ok(Step::Again)
    }

    /// Waits for ffmpeg's next message and does what it asks for.
    fn step(&mut self, mut decoder: Decoder) -> Result<Step, SourceError> {
        let message = match &decoder.messages {
            Some(messages) => messages.recv_timeout(self.timeout),
            None => Err(RecvTimeoutError::Disconnected),
        };
        match message {
            Ok(FfmpegMessage::Mapping(mapping)) => self.choose_stream(&mapping, decoder),
            Ok(FfmpegMessage::FrameInfo(info)) => {
                if info.interlaced && !self.decoding.deinterlace && self.can_restart {
                    drop(decoder);
                    return self.restart(Decoding {
                        deinterlace: true,
                        ..self.decoding
                    });
                }
                self.read_frame(&info, decoder)
            }
            Ok(FfmpegMessage::End(log)) => {
                self.decoder = Some(decoder);
                Ok(Step::End(log))
            }
            Err(RecvTimeoutError::Timeout) => Err(self.timed_out()),
            Err(RecvTimeoutError::Disconnected) => {
                let log = decoder.last_messages();
                self.decoder = Some(decoder);
                Ok(Step::End(log))
            }
        }
    }

    /// Chooses the default stream of several.
    fn choose_stream(&mut self, mapping: &Mapping, decoder: Decoder) -> Result<Step, SourceError> {
        match mapping.preferred {
            Some(preferred) if self.decoding.stream.is_none() && self.can_restart => {
                self.notices.push(Notice::Note(format!(
                    "{}: of {} video streams the default one is read, number {preferred}",
                    self.path.display(),
                    mapping.streams
                )));
                drop(decoder);
                self.restart(Decoding {
                    stream: Some(preferred),
                    ..self.decoding
                })
            }
            _ => {
                if mapping.streams > 1 && self.decoding.stream.is_none() {
                    self.notices.push(Notice::Note(format!(
                        "{}: of {} video streams the first one is read, number {}",
                        self.path.display(),
                        mapping.streams,
                        mapping.stream
                    )));
                }
                self.decoder = Some(decoder);
                Ok(Step::Again)
            }
        }
    }

    /// Reads the pixels of a frame that was announced.
    fn read_frame(&mut self, info: &FrameInfo, mut decoder: Decoder) -> Result<Step, SourceError> {
        let before = self.raw.frames();
        self.raw.skip(info.missing);
        let read = decoder
            .pixels
            .as_mut()
            .map(|pixels| self.raw.read(info, pixels));
        let frame = match read {
            Some(RawFrame::Frame(frame)) => frame,
            Some(RawFrame::TooLarge) => {
                return Err(SourceError::TooLarge {
                    path: self.path.clone(),
                    width: info.width,
                    height: info.height,
                });
            }
            // Without pixels for an announced frame ffmpeg is about to end, and its last messages say why.
            Some(RawFrame::Truncated) | None => {
                let log = decoder.last_messages();
                self.decoder = Some(decoder);
                return Ok(Step::End(log));
            }
        };
        self.decoder = Some(decoder);
        let first_damaged = before..frame.sequence + u64::from(info.damaged);
        let time = frame.time;
        let damaged = first_damaged.filter(|frame| *frame >= self.skip);
        let damaged = damaged.map(|frame| Notice::Damaged { frame, time });
        self.notices.extend(damaged);
        if info.damaged || frame.sequence < self.skip {
            return Ok(Step::Again);
        }
        self.delivered += 1;
        self.after_last = frame.sequence + 1;
        Ok(Step::Frame(frame))
    }

    /// Ends decoding where no further frame came: returns `Ok` at the regular end.
    ///
    /// # Errors
    /// Why there is no further frame.
    fn finish(&mut self, log: &FfmpegLog) -> Result<(), SourceError> {
        let status = self.decoder.take().map(|mut decoder| {
            decoder.pixels = None;
            decoder.child.wait()
        });
        let path = || self.path.clone();
        if let Some((width, height)) = log.too_large() {
            return Err(SourceError::TooLarge {
                path: path(),
                width,
                height,
            });
        }
        let failure = match status {
            Some(Ok(status)) if status.success() => None,
            Some(Ok(status)) => Some(format!("ffmpeg ended with {status}")),
            Some(Err(error)) => Some(format!("ffmpeg was lost: {error}")),
            None => None,
        };
        if self.delivered == 0 {
            let reason = if log.is_text() {
                "it is a text file".into()
            } else {
                let cause = log.cause().map(str::to_owned).or(failure);
                let cause = cause.unwrap_or_else(|| "it holds no image".into());
                match self.raw.frames() {
                    0 => cause,
                    frames => format!("none of its {frames} frames can be decoded whole: {cause}"),
                }
            };
            return Err(SourceError::NotAVideo {
                path: path(),
                reason,
            });
        }
        if let Some(reason) = log.end().map(str::to_owned).or(failure) {
            return Err(SourceError::Damaged {
                path: path(),
                frames: self.after_last,
                reason,
            });
        }
        let missing = self.missing_part(log);
        self.notices.extend(missing.map(Notice::Note));
        Ok(())
    }

    /// Creates the error for an ffmpeg that delivers neither a frame nor an end.
    fn timed_out(&self) -> SourceError {
        let seconds = self.timeout.as_secs();
        let reason = format!("ffmpeg has found no further frame for {seconds} s");
        let path = self.path.clone();
        match self.after_last {
            0 => SourceError::NotAVideo { path, reason },
            frames => SourceError::Damaged {
                path,
                frames,
                reason,
            },
        }
    }

    /// Describes how much is missing where the frames end long before the file's claimed duration. Files
    /// that were strung together or cut claim what they like, and everything in them was read.
    fn missing_part(&self, log: &FfmpegLog) -> Option<String> {
        let claimed = log
            .claimed_duration()
            .filter(|duration| *duration > MIN_CLAIM)?;
        let covered = self.raw.covered();
        (covered.as_secs_f64() < MIN_SHARE * claimed.as_secs_f64()).then(|| {
            format!(
                "{}: all its frames were read, and end at {:.1} s of the {:.1} s that the file claims to last",
                self.path.display(),
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
        while let Some(decoder) = self.decoder.take() {
            match self.step(decoder)? {
                Step::Frame(frame) => return Ok(Some(frame)),
                Step::Again => {}
                Step::End(log) => return self.finish(&log).map(|()| None),
            }
        }
        Ok(None)
    }

    fn notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }
}

/// What ffmpeg reads as its standard input: ours, where that is the recording.
fn standard_input(path: &Path) -> Stdio {
    match path.as_os_str() == super::STANDARD_INPUT {
        true => Stdio::inherit(),
        false => Stdio::null(),
    }
}

/// Returns ffmpeg's options for a file.
fn input_options(path: &Path) -> [OsString; 4] {
    // The protocol in front keeps a path with a colon or a leading dash from being taken for something
    // else.
    let mut input = OsString::from("file:");
    input.push(path);
    // Playlists must not reach the network.
    [
        "-protocol_whitelist".into(),
        "file".into(),
        "-i".into(),
        input,
    ]
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

#[cfg(test)]
mod tests;

//! Parses the messages of the ffmpeg program: the presentation time and size of every frame (its
//! `showinfo` filter), which frames were decoded with errors, and why decoding failed.
//!
//! Running ffmpeg is left to `ffmpeg`, reading the pixels to `raw_video`.

pub(crate) mod header;

use header::{Input, Mapping};
use std::time::Duration;

const NANOSECONDS: i128 = 1_000_000_000;

/// Error messages that undamaged files cause. The frame is right all the same: reference frames managed by
/// encoders that do not follow the standard to the letter, timestamps of a clock that was set back, which
/// raw pixels do not carry, and a webcam's own data in the header of a JPEG.
const HARMLESS: [&str; 6] = [
    "unable to decode APP fields",
    "non monotonically increasing dts to muxer",
    "mmco: unref short failure",
    "co located POCs unavailable",
    "number of reference frames",
    "Missing reference picture, default is",
];

/// Error messages before the first frame of a recording that starts amid a group of pictures, as a
/// stream recorder's do: no frame is missing.
const LATE_START: [&str; 7] = [
    "non-existing PPS",
    "non-existing SPS",
    "PPS id out of range",
    "decode_slice_header error",
    "no frame!",
    "Could not find ref with POC",
    "Error while decoding stream",
];

/// Lines about a packet that gave no frame at all.
const NO_FRAME: [&str; 2] = [
    "Error while decoding stream",
    "Error submitting packet to decoder",
];

/// ffmpeg's warning before a frame whose decoder knows that it is not what was encoded.
const CORRUPT_FRAME: &str = "corrupt decoded frame";

/// Warnings of Motion JPEG's decoder about a picture of which it shows what it can.
const DAMAGE_WARNINGS: [&str; 2] = ["bad vlc", "is not implemented"];

/// Decoders that decode each packet to a frame at once and by itself, so that an error message is about the
/// frame that follows it. Of those that do not say themselves which frames are damaged.
const FRAME_BY_FRAME: [&str; 13] = [
    "mjpeg", "mjpegb", "jpeg2000", "jpegls", "png", "bmp", "tiff", "webp", "dvvideo", "huffyuv",
    "ffvhuff", "utvideo", "prores",
];

/// Lines that only repeat that decoding failed: the line before them has the cause.
const SUMMARIES: [&str; 6] = [
    "Error splitting the input into NAL units",
    "Error opening input",
    "Error marking filters as finished",
    "Error sending frames to consumers",
    "Cannot determine format of input stream",
    "Conversion failed",
];

/// ffmpeg's messages for common failures, and what they mean to somebody who only has a file.
const EXPLANATIONS: [(&str, &str); 4] = [
    (
        "moov atom not found",
        "its index (moov atom) is missing, as when a recording was cut off",
    ),
    ("matches no streams", "it holds no video stream"),
    ("partial file", "the file ends early (partial file)"),
    (
        "File ended prematurely",
        "the file ends early (file ended prematurely)",
    ),
];

/// A frame that ffmpeg is about to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameInfo {
    /// Presentation time in nanoseconds from the stream's own origin; `None` for a stream without times.
    pub time: Option<i128>,
    /// Frame period by the stream's nominal rate; `None` for a stream without one.
    pub period: Option<Duration>,
    /// Width in pixels, above 0.
    pub width: u32,
    /// Height in pixels, above 0.
    pub height: u32,
    /// Whether it consists of two fields, captured one after the other.
    pub interlaced: bool,
    /// Whether it was decoded with errors.
    pub damaged: bool,
    /// Pictures before it that could not be decoded at all.
    pub missing: u64,
}

/// The state after the lines so far.
#[derive(Clone, Debug, Default)]
pub struct FfmpegLog {
    time_base: Option<(i128, i128)>,
    period: Option<Duration>,
    frames: u64,
    first_error: Option<String>,
    last_error: Option<String>,
    /// ffmpeg's own summary of a failure, used where there is no error message.
    summary: Option<String>,
    duration: Option<Duration>,
    start: Duration,
    duration_is_estimated: bool,
    too_large: Option<(u32, u32)>,
    is_text: bool,
    input: Input,
    decoding: DecoderState,
}

/// What the decoder says about its frames.
#[derive(Clone, Debug, Default)]
struct DecoderState {
    /// Its last error that no frame was found to suffer from yet.
    unexplained: Option<String>,
    /// Its last error, and whether there was one at all.
    last_error: Option<String>,
    /// Whether the next frame is damaged.
    pending: bool,
    /// Pictures before the next frame that were not decoded.
    missing: u64,
    /// Whether the last frame was damaged, or a picture after it was not decoded.
    ends_damaged: bool,
    /// Whether the deinterlacer holds back one frame, and what is said about it.
    is_delayed: bool,
    delayed: bool,
}

impl FfmpegLog {
    /// Creates the log of an ffmpeg that deinterlaces: its frames come one later, and are made of their
    /// neighbours too.
    pub fn deinterlacing() -> Self {
        let mut log = Self::default();
        log.decoding.is_delayed = true;
        log
    }

    /// Parses one line; returns the frame that it announces, if it does.
    pub fn read_line(&mut self, line: &str) -> Option<FrameInfo> {
        let (context, level, message) = split(line)?;
        match level {
            "info" if context.starts_with("Parsed_showinfo_") => return self.showinfo(message),
            "info"
                if message.starts_with("concealing ")
                    && self
                        .input
                        .decoder()
                        .is_some_and(|decoder| is_of(context, decoder)) =>
            {
                self.decoding.error(message, false);
            }
            "info" => self.header(message),
            "warning" => {
                self.duration_is_estimated |= message.contains("Estimating duration");
                self.warning(context, message);
            }
            "error" | "fatal" | "panic" => self.error(context, message),
            _ => {}
        }
        None
    }

    /// Takes what ffmpeg decodes of the input, once it is known.
    pub(super) fn take_mapping(&mut self) -> Option<Mapping> {
        self.input.take_mapping()
    }

    /// Returns the first error, which later ones follow from.
    pub fn cause(&self) -> Option<&str> {
        let cause = self.first_error.as_deref();
        cause
            .or(self.decoding.last_error.as_deref())
            .or(self.summary.as_deref())
    }

    /// Returns why decoding ended, where it had begun well and did not end well: the last error that is not
    /// about one frame amid others.
    pub fn end(&self) -> Option<&str> {
        let decoding = &self.decoding;
        let of_the_last = decoding
            .last_error
            .as_deref()
            .filter(|_| decoding.ends_damaged || decoding.pending || decoding.missing > 0);
        self.last_error
            .as_deref()
            .or(of_the_last)
            .or(decoding.unexplained.as_deref())
            .or(self.summary.as_deref())
    }

    /// Returns the duration that the file claims, where it does: the least time from its first frame to
    /// its end.
    pub fn claimed_duration(&self) -> Option<Duration> {
        let duration = self.duration.filter(|_| !self.duration_is_estimated)?;
        Some(duration.saturating_sub(self.start))
    }

    /// Returns the width and height in pixels of a frame that ffmpeg refused for being too large.
    pub fn too_large(&self) -> Option<(u32, u32)> {
        self.too_large
    }

    /// Returns whether ffmpeg took a text file for a recording of a text terminal, which it does by the
    /// file's extension.
    pub fn is_text(&self) -> bool {
        self.is_text
    }

    fn showinfo(&mut self, message: &str) -> Option<FrameInfo> {
        if let Some(config) = message.strip_prefix("config in ") {
            self.time_base = ratio(value_of(config, "time_base:")?.trim_end_matches(','));
            self.period = value_of(config, "frame_rate:")
                .and_then(ratio)
                .and_then(|(frames, seconds)| nanoseconds(seconds, (1, frames)));
            return None;
        }
        if !message.starts_with("n:") {
            return None;
        }
        let (width, height) = size(value_of(message, " s:")?)?;
        self.frames += 1;
        let (damaged, missing) = self.decoding.next_frame();
        let time = value_of(message, " pts:")
            .and_then(|pts| pts.parse::<i64>().ok())
            .zip(self.time_base)
            .and_then(|(pts, (seconds, ticks))| {
                Some(
                    i128::from(pts)
                        .checked_mul(seconds)?
                        .checked_mul(NANOSECONDS)?
                        / ticks,
                )
            });
        Some(FrameInfo {
            time,
            period: self.period,
            width,
            height,
            interlaced: matches!(value_of(message, " i:"), Some("T" | "B")),
            damaged,
            missing,
        })
    }

    fn header(&mut self, message: &str) {
        self.input.read_line(message);
        if message.starts_with("Stream mapping:") {
            // What was decoded so far was only to find out about the stream.
            self.decoding = DecoderState {
                is_delayed: self.decoding.is_delayed,
                ..DecoderState::default()
            };
        }
        if message.starts_with("Input #0, tty,") {
            self.is_text = true;
        }
        if let Some(duration) = message.trim_start().strip_prefix("Duration: ") {
            // Matroska counts its duration from time 0, even if the frames start later.
            let start = value_of(duration, "start: ")
                .and_then(|start| start.trim_end_matches(',').parse().ok())
                .and_then(|start| Duration::try_from_secs_f64(start).ok());
            self.duration = clock_time(duration.split(',').next().unwrap_or(duration));
            self.start = start.unwrap_or_default();
        }
    }

    fn warning(&mut self, context: &str, message: &str) {
        // Decoders mark frames for reasons that are harmless, too.
        self.decoding.pending |=
            message.contains(CORRUPT_FRAME) && self.decoding.last_error.is_some();
        let is_damage = DAMAGE_WARNINGS
            .iter()
            .any(|phrase| message.contains(phrase));
        if is_damage && self.input.decoder() == Some("mjpeg") && is_of(context, "mjpeg") {
            self.decoding.error(message, true);
        }
    }

    fn error(&mut self, context: &str, message: &str) {
        let has = |phrases: &[&str]| phrases.iter().any(|phrase| message.contains(phrase));
        if has(&HARMLESS) || (self.frames == 0 && has(&LATE_START)) {
            return;
        }
        let decoder = self.input.decoder();
        let frame_by_frame = decoder.is_some_and(|decoder| FRAME_BY_FRAME.contains(&decoder));
        if has(&NO_FRAME) {
            if frame_by_frame {
                self.decoding.lose_frame();
            } else {
                self.summary.get_or_insert_with(|| message.into());
            }
            return;
        }
        if let Some((_, rest)) = message.split_once("Picture size ")
            && let Some(size) = rest.split(' ').next().and_then(size)
        {
            self.too_large = Some(size);
        }
        let reason = EXPLANATIONS
            .iter()
            .find(|(phrase, _)| message.contains(phrase))
            .map_or(message, |(_, explanation)| explanation);
        if has(&SUMMARIES) {
            self.summary.get_or_insert_with(|| reason.into());
        } else if let Some(opening) = message.strip_prefix("file:") {
            // `file:PATH: reason`; the errors of this crate name the path anyway.
            let reason = opening.rsplit(": ").next().unwrap_or(opening);
            self.summary.get_or_insert_with(|| reason.into());
        } else if decoder.is_some_and(|decoder| is_of(context, decoder)) {
            self.decoding.error(reason, frame_by_frame);
        } else {
            self.first_error.get_or_insert_with(|| reason.into());
            self.last_error = Some(reason.into());
        }
    }
}

impl DecoderState {
    fn error(&mut self, reason: &str, frame_by_frame: bool) {
        self.last_error = Some(reason.into());
        if frame_by_frame {
            self.pending = true;
        } else {
            self.unexplained = Some(reason.into());
        }
    }

    /// Counts a picture that was not decoded at all; its errors are not the next frame's.
    fn lose_frame(&mut self) {
        self.pending = false;
        self.missing += 1;
    }

    /// Returns whether the next frame is damaged, and how many pictures before it were not decoded.
    fn next_frame(&mut self) -> (bool, u64) {
        let pending = std::mem::take(&mut self.pending);
        if pending {
            self.unexplained = None;
        }
        let damaged = pending || self.delayed;
        self.delayed = self.is_delayed && pending;
        self.ends_damaged = damaged;
        (damaged, std::mem::take(&mut self.missing))
    }
}

/// Tells whether a context such as `mjpeg @ 0x5587` is that of a decoder.
fn is_of(context: &str, decoder: &str) -> bool {
    context.split(' ').next() == Some(decoder)
}

/// Splits `[context @ address] ... [level] message` into the first context, the level and the
/// message.
fn split(line: &str) -> Option<(&str, &str, &str)> {
    let mut rest = line.trim_end();
    let mut context = "";
    loop {
        let (tag, after) = rest.strip_prefix('[')?.split_once(']')?;
        rest = after.strip_prefix(' ').unwrap_or(after);
        match tag {
            "info" | "warning" | "error" | "fatal" | "panic" | "verbose" | "debug" => {
                return Some((context, tag, rest));
            }
            _ if context.is_empty() => context = tag,
            _ => {}
        }
    }
}

/// Returns the word after `key`, which may be followed by blanks.
fn value_of<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.split_once(key)?.1.split_whitespace().next()
}

/// Parses `A/B` with both above 0.
fn ratio(text: &str) -> Option<(i128, i128)> {
    let (a, b) = text.split_once('/')?;
    let (a, b) = (a.parse::<u32>().ok()?, b.parse::<u32>().ok()?);
    (a > 0 && b > 0).then_some((a.into(), b.into()))
}

/// Parses `WxH` with both above 0.
fn size(text: &str) -> Option<(u32, u32)> {
    let (width, height) = text.split_once('x')?;
    let (width, height) = (width.parse().ok()?, height.parse().ok()?);
    (width > 0 && height > 0).then_some((width, height))
}

/// Parses `HH:MM:SS.ss`.
fn clock_time(text: &str) -> Option<Duration> {
    let mut parts = text.trim().split(':');
    let hours: u32 = parts.next()?.parse().ok()?;
    let minutes: u32 = parts.next()?.parse().ok()?;
    let seconds: f64 = parts.next()?.parse().ok()?;
    let whole = u64::from(hours) * 3600 + u64::from(minutes) * 60;
    Duration::from_secs(whole).checked_add(Duration::try_from_secs_f64(seconds).ok()?)
}

/// Returns `count * numerator / denominator` seconds.
fn nanoseconds(count: i128, (numerator, denominator): (i128, i128)) -> Option<Duration> {
    let value = count.checked_mul(numerator)?.checked_mul(NANOSECONDS)? / denominator;
    Some(Duration::from_nanos(value.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CONFIG: &str =
        "[Parsed_showinfo_1 @ 0x55b9] [info] config in time_base: 1/12800, frame_rate: 25/1";

    #[test]
    fn a_frame_has_its_exact_time_and_size() {
        let mut log = FfmpegLog::default();
        assert_eq!(log.read_line(CONFIG), None);
        let line = "[Parsed_showinfo_1 @ 0x55b9] [info] n:   3 pts:   1536 pts_time:0.12    pos:    17691 fmt:rgb24 sar:1/1 s:512x288 i:P iskey:0 type:B ";
        assert_eq!(
            log.read_line(line),
            Some(FrameInfo {
                time: Some(120_000_000),
                period: Some(Duration::from_millis(40)),
                width: 512,
                height: 288,
                interlaced: false,
                damaged: false,
                missing: 0,
            })
        );
        // Times of long recordings fill their columns, and newer versions print more columns.
        let late = "[Parsed_showinfo_1 @ 0x55b9] [info] n:123456 pts:1280000001 pts_time:100000.000078125 duration:512 duration_time:0.04 fmt:rgb24 cl:unspecified sar:1/1 s:512x288 i:P iskey:0 type:B";
        assert_eq!(log.read_line(late).unwrap().time, Some(100_000_000_078_125));
    }

    #[test]
    fn a_frame_without_a_time_is_still_announced() {
        let mut log = FfmpegLog::default();
        log.read_line(
            "[Parsed_showinfo_1 @ 0x1] [info] config in time_base: 1/1200000, frame_rate: 0/0",
        );
        let info = log
            .read_line("[Parsed_showinfo_1 @ 0x1] [info] n:   0 pts:   NOPTS pts_time:NOPTS   pos:0 fmt:rgb24 sar:0/1 s:64x48 i:P")
            .unwrap();
        assert_eq!((info.time, info.period), (None, None));
    }

    #[test]
    fn harmless_messages_are_no_error() {
        let mut log = FfmpegLog::default();
        log.read_line("[h264 @ 0x5587] [error] non-existing PPS 0 referenced");
        log.read_line("[h264 @ 0x5587] [error] mmco: unref short failure");
        log.read_line("[swscaler @ 0x1] [swscaler @ 0x2] [warning] deprecated pixel format used");
        log.read_line("    comment : [error] a file's own words");
        assert_eq!(log.end(), None);
    }

    #[test]
    fn the_last_error_that_is_no_summary_is_the_reason() {
        let mut log = FfmpegLog::default();
        log.read_line("[h264 @ 0x1] [error] Invalid NAL unit size (4046 > 2231).");
        log.read_line("[mov,mp4 @ 0x2] [error] stream 0, offset 0x62197: partial file");
        log.read_line("[error] Error while decoding stream #0:0: Invalid data found");
        assert_eq!(log.end(), Some("the file ends early (partial file)"));
        assert_eq!(log.cause(), Some("Invalid NAL unit size (4046 > 2231)."));
    }

    #[test]
    fn oversized_frames_and_text_files_are_recognised() {
        let mut log = FfmpegLog::default();
        log.read_line("[png @ 0x1] [IMGUTILS @ 0x7f] [error] Picture size 9000x9001 exceeds specified max pixel count 67108864");
        assert_eq!(log.too_large(), Some((9000, 9001)));
        log.read_line("[info] Input #0, tty, from 'file:notes.txt':");
        assert!(log.is_text());
    }

    #[test]
    fn an_estimated_duration_is_no_claim() {
        let mut log = FfmpegLog::default();
        log.read_line("[info]   Duration: 01:00:05.02, start: 0.000000, bitrate: 571 kb/s");
        assert_eq!(
            log.claimed_duration(),
            Some(Duration::from_millis(3_605_020))
        );
        log.read_line(
            "[mpegvideo @ 0x1] [warning] Estimating duration from bitrate, this may be inaccurate",
        );
        assert_eq!(log.claimed_duration(), None);
    }

    #[test]
    fn a_late_start_shortens_the_claim() {
        let mut log = FfmpegLog::default();
        log.read_line("[info]   Duration: 00:00:05.25, start: 5.000000, bitrate: 571 kb/s");
        assert_eq!(log.claimed_duration(), Some(Duration::from_millis(250)));
        log.read_line("[info]   Duration: N/A, bitrate: N/A");
        assert_eq!(log.claimed_duration(), None);
        // Seconds that are a valid time by themselves, but overflow with the hours.
        log.read_line("[info]   Duration: 99:00:18446744073709550000.00, start: 0.000000");
        assert_eq!(log.claimed_duration(), None);
    }

    proptest! {
        #[test]
        fn any_line_is_parsed_without_a_panic(
            head in "\\[(Parsed_showinfo_1 @ 0x1\\] \\[)?(info|error|fatal)\\] ",
            body in "(n: *[0-9]{0,20} )?(config in )?(time_base: [0-9]{0,12}/[0-9]{0,12}, )?(frame_rate: [0-9]{0,12}/[0-9]{0,12} )?( pts: *-?[0-9]{0,22})?( s:[0-9]{0,12}x[0-9]{0,12})?(Duration: [0-9:.]{0,20})?(Picture size [0-9x]{0,9})?.{0,20}",
            other in ".{0,80}",
        ) {
            let mut log = FfmpegLog::default();
            log.read_line(CONFIG);
            log.read_line(&format!("{head}{body}"));
            log.read_line(&other);
            log.read_line(&format!("{head}{other}"));
        }
    }
}

//! The ffmpeg program as a decoder: finds it, starts it for one input, and passes on what it writes.
//!
//! ffmpeg runs as a child process, so that an input which makes a decoder fail or hang cannot do so to
//! this one. It is started with arguments, never through a shell. Parsing its messages is left to
//! `ffmpeg_log`, reading its pixels to `raw_video`; which inputs there are, and when they are lost, to
//! `video` and `camera/network`.

use crate::{
    SourceError,
    ffmpeg_log::{FfmpegLog, FrameInfo, header::Mapping},
};
use parseye_vision::frame::{MAX_PIXELS, MAX_SIDE};
use std::{
    ffi::{OsStr, OsString},
    io::{BufRead, BufReader, Read as _},
    process::{Child, ChildStderr, ChildStdout, Command, Stdio},
    sync::{
        OnceLock,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

/// Longest line of ffmpeg's messages that is kept, in bytes; ffmpeg cuts its own at a quarter of that.
const MAX_LINE: u64 = 4096;

/// The first ffmpeg version with `-fps_mode`; later ones dropped `-vsync`.
const FPS_MODE_SINCE: (u32, u32) = (5, 1);

/// The first ffmpeg version in which the RTSP time-out is called `-timeout`.
const RTSP_TIMEOUT_SINCE: (u32, u32) = (5, 0);

/// Widest and narrowest pixels that are made square; beyond that a header is damaged or hostile.
const PIXEL_ASPECTS: (f64, f64) = (0.25, 4.0);

/// How long a process whose pixels nobody takes may say good-bye, before it is killed: an RTSP server keeps a
/// place for a client that does not.
const GOODBYE: Duration = Duration::from_millis(200);

/// The ffmpeg program of this machine.
#[derive(Clone, Debug)]
pub(crate) struct Ffmpeg {
    program: OsString,
    /// `None` for builds from ffmpeg's repository, which carry no number and are newer.
    version: Option<(u32, u32)>,
}

/// How an input is decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Decoding {
    /// Number of the stream among all of the input; `None` takes the first video stream.
    pub(crate) stream: Option<usize>,
    /// Whether interlaced frames are deinterlaced; others are left as they are. It holds back one frame.
    pub(crate) deinterlace: bool,
}

/// A running ffmpeg. Dropping it ends the process.
#[derive(Debug)]
pub(crate) struct Decoder {
    pub(crate) child: Child,
    /// What is decoded, as RGB triples; `None` once it is not read any more.
    pub(crate) pixels: Option<ChildStdout>,
    pub(crate) messages: Option<Receiver<FfmpegMessage>>,
    /// Whether it may say good-bye to whom it is connected.
    polite: bool,
}

/// What the thread that reads ffmpeg's messages passes on.
#[derive(Debug)]
pub(crate) enum FfmpegMessage {
    /// What is decoded; it comes before the first frame.
    Mapping(Mapping),
    /// A frame, whose pixels follow.
    FrameInfo(FrameInfo),
    /// The end.
    End(Box<FfmpegLog>),
}

impl Ffmpeg {
    /// Finds the program on the PATH; the first time it is asked for its version.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn find() -> Result<&'static Self, SourceError> {
        static FOUND: OnceLock<Ffmpeg> = OnceLock::new();
        if let Some(found) = FOUND.get() {
            return Ok(found);
        }
        let found = Self::at(OsStr::new("ffmpeg"))?;
        Ok(FOUND.get_or_init(|| found))
    }

    /// Asks a program for its version.
    pub(crate) fn at(program: &OsStr) -> Result<Self, SourceError> {
        let output = Command::new(program)
            .arg("-version")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .map_err(|error| SourceError::no_ffmpeg(&error))?;
        Ok(Self {
            program: program.into(),
            version: version(&String::from_utf8_lossy(&output.stdout)),
        })
    }

    /// Takes a program whose version is known.
    #[cfg(test)]
    pub(crate) fn of(program: &OsStr, version: Option<(u32, u32)>) -> Self {
        Self {
            program: program.into(),
            version,
        }
    }

    fn is_at_least(&self, since: (u32, u32)) -> bool {
        self.version.is_none_or(|version| version >= since)
    }

    /// Returns the option that ends an RTSP connection which is silent.
    pub(crate) fn rtsp_timeout(&self) -> &'static str {
        match self.is_at_least(RTSP_TIMEOUT_SINCE) {
            true => "-timeout",
            false => "-stimeout",
        }
    }

    /// Starts decoding. `input` are the options of the input, with `-i` and its name at the end; `stdin` is
    /// what ffmpeg gets as its standard input.
    ///
    /// # Errors
    /// When ffmpeg cannot be started.
    pub(crate) fn start(
        &self,
        input: &[OsString],
        stdin: Stdio,
        decoding: Decoding,
    ) -> Result<Decoder, SourceError> {
        let stream = match decoding.stream {
            Some(stream) => format!("0:{stream}"),
            // The capital V leaves out cover images of sound files.
            None => "0:V:0".into(),
        };
        let passthrough = match self.is_at_least(FPS_MODE_SINCE) {
            true => "-fps_mode",
            false => "-vsync",
        };
        let mut command = Command::new(&self.program);
        command
            .args(["-hide_banner", "-nostdin", "-nostats"])
            .args(["-loglevel", "repeat+level+info"])
            // One thread: error concealment then gives the same pixels on every run, and no frame is held
            // back for others.
            .args(["-threads", "1"])
            .args(["-max_pixels", &MAX_PIXELS.to_string()])
            .args(input)
            .args(["-map", &stream, "-vf", &filters(decoding.deinterlace)])
            // Otherwise a change of size amid the stream is scaled back to the first size.
            .args(["-autoscale", "0"])
            .args([passthrough, "passthrough"])
            .args(["-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"])
            .stdin(stdin)
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
            let log = match decoding.deinterlace {
                true => FfmpegLog::deinterlacing(),
                false => FfmpegLog::default(),
            };
            thread::spawn(move || read_messages(stderr, log, &sender));
        }
        Ok(Decoder {
            child,
            pixels,
            messages: Some(messages),
            polite: false,
        })
    }
}

/// Returns the filters that show frames as they are meant: fields woven to whole frames, pixels square. (A
/// turned recording is turned back by ffmpeg without being asked.)
fn filters(deinterlace: bool) -> String {
    let (narrowest, widest) = PIXEL_ASPECTS;
    let deinterlaced = match deinterlace {
        true => "bwdif=mode=send_frame:parity=auto:deint=interlaced,",
        false => "",
    };
    // Where the width stays, so do the pixels.
    let width = format!(
        "if(between(sar,{narrowest},{widest})*lte(iw*sar,{MAX_SIDE})*lte(iw*sar*ih,{MAX_PIXELS}),max(1,round(iw*sar)),iw)"
    );
    format!("{deinterlaced}scale=w='{width}':h=ih,format=rgb24,showinfo=checksum=0")
}

impl Decoder {
    /// Lets the process say good-bye to whom it is connected, when it is dropped after its pixels: it ends by
    /// itself when nobody takes them.
    pub(crate) fn polite(mut self) -> Self {
        self.polite = true;
        self
    }

    /// Waits for the end of ffmpeg's messages; frames that are announced until then are skipped.
    pub(crate) fn last_messages(&mut self) -> Box<FfmpegLog> {
        // No pixels are read any more: with the pipe closed ffmpeg cannot wait for that.
        self.pixels = None;
        let messages = self.messages.iter().flat_map(Receiver::iter);
        let end = messages.into_iter().find_map(|message| match message {
            FfmpegMessage::End(log) => Some(log),
            FfmpegMessage::FrameInfo(_) | FfmpegMessage::Mapping(_) => None,
        });
        end.unwrap_or_default()
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // First close the pipe, so that even a wrapper script's ffmpeg, which the kill does not
        // reach, ends when it writes. Killing an ended process fails, which is as good.
        self.pixels = None;
        let begin = Instant::now();
        while self.polite && begin.elapsed() < GOODBYE && matches!(self.child.try_wait(), Ok(None))
        {
            thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads ffmpeg's messages to their end and passes on each announced frame, then the log. Nobody waits
/// for this thread: it ends with ffmpeg.
fn read_messages(stderr: ChildStderr, mut log: FfmpegLog, sender: &Sender<FfmpegMessage>) {
    let mut stderr = BufReader::new(stderr);
    let mut line = Vec::new();
    loop {
        let mut part = stderr.by_ref().take(MAX_LINE);
        if !matches!(part.read_until(b'\n', &mut line), Ok(count) if count > 0) {
            break;
        }
        let info = log.read_line(&String::from_utf8_lossy(&line));
        let mapping = log.take_mapping().map(FfmpegMessage::Mapping);
        let messages = mapping
            .into_iter()
            .chain(info.map(FfmpegMessage::FrameInfo));
        for message in messages {
            if sender.send(message).is_err() {
                return;
            }
        }
        if log.is_text() {
            break;
        }
        line.clear();
    }
    // A source that was dropped needs no log.
    let _ = sender.send(FfmpegMessage::End(Box::new(log)));
}

/// Parses `ffmpeg version 4.4.2-0ubuntu...` or `n6.0` to the major and minor version.
pub(crate) fn version(text: &str) -> Option<(u32, u32)> {
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
mod tests {
    use super::*;

    #[test]
    fn the_version_decides_which_option_is_used() {
        for (text, expected) in [
            (
                "ffmpeg version 4.4.2-0ubuntu0.22.04.1 Copyright",
                Some((4, 4)),
            ),
            ("ffmpeg version 5.1.9-0+deb12u1 Copyright", Some((5, 1))),
            ("ffmpeg version n7.0 Copyright", Some((7, 0))),
            ("ffmpeg version 8 Copyright", Some((8, 0))),
            ("ffmpeg version N-113-gabc Copyright", None),
        ] {
            assert_eq!(version(text), expected);
        }
        let of = |version| Ffmpeg::of(OsStr::new(""), version);
        assert_eq!(of(Some((4, 4))).rtsp_timeout(), "-stimeout");
        assert_eq!(of(None).rtsp_timeout(), "-timeout");
    }
}

//! A recording played at its own pace, as if a camera delivered it now.

use super::{
    CaptureLoss, DrawnDemonstration, FrameSource, LiveOpener, LiveSource, Notice, Read,
    SourceError, name_of, open_recording,
};
use parseye_vision::frame::Frame;
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Beyond this delay a frame counts as captured when it is delivered: the decoder or the machine was
/// too slow, which must not add to the frame's age.
const MAX_DELAY: Duration = Duration::from_millis(50);

/// A longer time without frames in a recording is not waited for but played as this one: a recorder was
/// stopped, or its clock was set. It is longer than any closure that is joined over a gap, so that nobody
/// takes the frames before and after it for neighbours.
const LONGEST_GAP: Duration = Duration::from_secs(5);

/// Shortest time from the last frame back to the first: a single image has no frame interval.
const MIN_INTERVAL: Duration = Duration::from_millis(10);

/// A recording that is played at its own pace.
#[derive(Debug)]
pub struct PacedRecording {
    recording: Recording,
    name: String,
    loop_forever: bool,
}

/// What is played.
#[derive(Clone, Debug)]
enum Recording {
    /// Whatever a path names.
    File { path: PathBuf, image_rate: f64 },
    /// The demonstration.
    Drawn,
}

impl Recording {
    fn open(&self) -> Result<Box<dyn FrameSource>, SourceError> {
        match self {
            Self::File { path, image_rate } => open_recording(path, *image_rate),
            Self::Drawn => Ok(Box::new(DrawnDemonstration::open())),
        }
    }

    /// Names its kind, as formats begin.
    const fn kind(&self) -> &'static str {
        match self {
            Self::File { .. } => "recording",
            Self::Drawn => "drawn",
        }
    }
}

impl PacedRecording {
    /// Creates the opener of a recording; images are `1 / image_rate` seconds apart. With
    /// `loop_forever` the recording starts again at its end, with times and numbers that go on.
    pub fn new(path: &Path, image_rate: f64, loop_forever: bool) -> Self {
        Self {
            recording: Recording::File {
                path: path.into(),
                image_rate,
            },
            name: name_of(path),
            loop_forever,
        }
    }

    /// Creates the opener of the demonstration. With `loop_forever` its script starts again at its end, with
    /// times and numbers that go on.
    pub fn demonstration(loop_forever: bool) -> Self {
        Self {
            recording: Recording::Drawn,
            name: DrawnDemonstration::NAME.into(),
            loop_forever,
        }
    }
}

impl LiveOpener for PacedRecording {
    fn name(&self) -> &str {
        &self.name
    }

    fn stall_timeout(&self) -> Option<Duration> {
        None
    }

    fn open(&mut self) -> Result<Box<dyn LiveSource>, SourceError> {
        let mut frames = self.recording.open()?;
        // Starting a decoder takes time that is no part of the recording.
        let next = frames.next_frame()?;
        let mut paced = Paced {
            recording: self.recording.clone(),
            loop_forever: self.loop_forever && next.is_some(),
            frames,
            size: next.as_ref().map(|frame| frame.rgb.dimensions()),
            ended: next.is_none(),
            next,
            opened: Instant::now(),
            begin: Duration::ZERO,
            last: Duration::ZERO,
            interval: Duration::ZERO,
            first_sequence: 0,
            sequence: 0,
            skipped: Duration::ZERO,
            notices: Vec::new(),
            lost: CaptureLoss::default(),
        };
        paced.take_notices();
        Ok(Box::new(paced))
    }
}

/// A recording being played.
struct Paced {
    recording: Recording,
    loop_forever: bool,
    frames: Box<dyn FrameSource>,
    size: Option<(u32, u32)>,
    /// The frame that is decoded and not due yet.
    next: Option<Frame>,
    ended: bool,
    opened: Instant,
    /// When the present pass through the recording began.
    begin: Duration,
    /// Time of the last frame within the recording.
    last: Duration,
    /// Time between the last two frames.
    interval: Duration,
    /// Number of the present pass's first frame, and of the frame after the last.
    first_sequence: u64,
    sequence: u64,
    /// Time of the present pass that was skipped.
    skipped: Duration,
    notices: Vec<Notice>,
    lost: CaptureLoss,
}

impl Paced {
    /// Returns the next frame, after the last one the first if the recording is looped; long times without
    /// frames are shortened.
    fn decode(&mut self) -> Result<Option<Frame>, SourceError> {
        let mut next = self.frames.next_frame();
        self.take_notices();
        if self.loop_forever && matches!(next, Ok(None)) {
            self.begin += self.last + self.interval.max(MIN_INTERVAL);
            (self.last, self.skipped) = (Duration::ZERO, Duration::ZERO);
            self.first_sequence = self.sequence;
            self.frames = self.recording.open()?;
            next = self.frames.next_frame();
            self.take_notices();
        }
        let mut next = next?;
        if let Some(frame) = &mut next {
            frame.time = frame.time.saturating_sub(self.skipped);
            let gap = frame.time.saturating_sub(self.last);
            if gap > LONGEST_GAP {
                let skipped = gap - LONGEST_GAP;
                self.skipped += skipped;
                frame.time -= skipped;
                self.notices.push(Notice::Gap {
                    length: gap,
                    message: format!(
                        "{:.1} s without frames in the recording, of which {:.1} s are skipped",
                        gap.as_secs_f64(),
                        skipped.as_secs_f64()
                    ),
                });
            }
        }
        Ok(next)
    }

    /// Takes over what the recording reports; its damaged frames count as lost.
    fn take_notices(&mut self) {
        for notice in self.frames.notices() {
            match notice {
                Notice::Damaged { frame, .. } => {
                    self.lost.decode += 1;
                    self.notices.push(Notice::Damaged {
                        frame: frame + self.first_sequence,
                        time: self.opened.elapsed(),
                    });
                }
                other => self.notices.push(other),
            }
        }
    }
}

impl LiveSource for Paced {
    fn format(&self) -> String {
        let kind = self.recording.kind();
        let size = |(width, height)| format!("{kind} {width}x{height}");
        self.size.map(size).unwrap_or_default()
    }

    fn opened(&self) -> Instant {
        self.opened
    }

    fn lost(&self) -> CaptureLoss {
        self.lost
    }

    fn notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    fn read(&mut self, wait: Duration) -> Result<Read, SourceError> {
        if self.next.is_none() && !self.ended {
            self.next = self.decode()?;
            self.ended = self.next.is_none();
        }
        let Some(next) = &self.next else {
            return Ok(Read::Ended);
        };
        let due = self.begin + next.time;
        let early = due.saturating_sub(self.opened.elapsed());
        if early > wait {
            std::thread::sleep(wait);
            return Ok(Read::Nothing);
        }
        std::thread::sleep(early);
        let late = self.opened.elapsed().saturating_sub(due);
        if late > MAX_DELAY {
            self.begin += late;
        }
        let Some(mut frame) = self.next.take() else {
            return Ok(Read::Ended);
        };
        self.interval = frame.time.saturating_sub(self.last);
        self.last = frame.time;
        frame.time += self.begin;
        frame.sequence += self.first_sequence;
        self.sequence = frame.sequence + 1;
        Ok(Read::Frame(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: f64 = 50.0;

    fn images(count: u8) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..count {
            image::GrayImage::from_pixel(4, 4, image::Luma([number]))
                .save(folder.path().join(format!("{number}.png")))
                .unwrap();
        }
        folder
    }

    fn play(opener: &mut PacedRecording, frames: usize) -> Vec<(u64, Duration, u8, Duration)> {
        let mut source = opener.open().unwrap();
        let mut seen = Vec::new();
        while seen.len() < frames {
            match source.read(Duration::from_millis(5)).unwrap() {
                Read::Frame(frame) => {
                    let now = source.opened().elapsed();
                    let shade = frame.luma.as_raw()[0];
                    seen.push((frame.sequence, frame.time, shade, now));
                }
                Read::Nothing => {}
                Read::Ended => break,
            }
        }
        seen
    }

    #[test]
    fn no_frame_comes_before_its_time_and_all_come() {
        let folder = images(5);
        let mut opener = PacedRecording::new(folder.path(), RATE, false);
        let seen = play(&mut opener, 100);
        let shades: Vec<u8> = seen.iter().map(|frame| frame.2).collect();
        assert_eq!(shades, [0, 1, 2, 3, 4]);
        for (index, (sequence, time, _, now)) in seen.into_iter().enumerate() {
            assert_eq!(sequence, index as u64);
            assert!(time >= Duration::from_secs_f64(index as f64 / RATE));
            assert!(now >= time);
        }
    }

    #[test]
    fn a_looped_recording_continues_times_and_numbers() {
        let folder = images(2);
        let mut opener = PacedRecording::new(folder.path(), RATE, true);
        let seen = play(&mut opener, 7);
        let shades: Vec<u8> = seen.iter().map(|frame| frame.2).collect();
        assert_eq!(shades, [0, 1, 0, 1, 0, 1, 0]);
        for pair in seen.windows(2) {
            assert!(pair[0].0 + 1 == pair[1].0);
            assert!(pair[1].1 >= pair[0].1 + Duration::from_millis(19));
        }
    }

    /// Frames at the times given, in milliseconds.
    struct Timed(std::vec::IntoIter<u64>, u64);

    impl FrameSource for Timed {
        fn name(&self) -> &str {
            "timed"
        }

        fn next_frame(&mut self) -> Result<Option<Frame>, SourceError> {
            let next = self.0.next().map(Duration::from_millis);
            let frame = next.map(|time| Frame::from_rgb(self.1, time, image::RgbImage::new(2, 2)));
            self.1 += 1;
            Ok(frame)
        }
    }

    #[test]
    fn a_leap_in_time_is_skipped_and_told() {
        let mut paced = Paced {
            recording: Recording::Drawn,
            loop_forever: false,
            frames: Box::new(Timed(vec![20, 10_800_040, 10_800_060].into_iter(), 1)),
            size: None,
            next: None,
            ended: false,
            opened: Instant::now(),
            begin: Duration::ZERO,
            last: Duration::ZERO,
            interval: Duration::ZERO,
            first_sequence: 0,
            sequence: 0,
            skipped: Duration::ZERO,
            notices: Vec::new(),
            lost: CaptureLoss::default(),
        };
        let mut times = Vec::new();
        while let Some(frame) = paced.decode().unwrap() {
            paced.last = frame.time;
            times.push(frame.time.as_millis());
        }
        assert_eq!(times, [20, 5020, 5040]);
        let [Notice::Gap { length, message }] = &paced.notices()[..] else {
            unreachable!("one gap")
        };
        assert_eq!(length.as_millis(), 10_800_020);
        assert!(
            message.contains("10800.0 s") && message.contains("10795.0 s"),
            "{message}"
        );
    }

    #[test]
    fn a_missing_recording_is_no_camera_fault() {
        let mut opener = PacedRecording::new(Path::new("/nowhere/a.png"), RATE, false);
        assert_eq!(opener.open().err().unwrap().fault(), None);
    }
}

//! Raw RGB video as the ffmpeg program writes it: cuts it into frames and gives each its number and
//! presentation time.
//!
//! Parsing what ffmpeg announces is left to [`super::ffmpeg_log`], running it to [`super::ffmpeg`].

use super::ffmpeg_log::FrameInfo;
use image::RgbImage;
use parseye_vision::frame::{Frame, is_too_large};
use std::{io::Read, time::Duration};

/// Frame period of a stream that has neither timestamps nor a nominal rate: 25 frames per second,
/// which ffmpeg assumes for raw streams, too.
const DEFAULT_PERIOD: Duration = Duration::from_millis(40);

/// Timestamps that go back by more than this come from a clock that was set back; a smaller step is a
/// timestamp out of order.
const CLOCK_SET_BACK: Duration = Duration::from_secs(1);

/// Reader of raw video: frames of RGB triples, one after the other.
#[derive(Debug, Default)]
pub struct RawVideo {
    timeline: Timeline,
    frames: u64,
}

/// The outcome of reading a frame.
#[derive(Debug)]
pub enum RawFrame {
    /// A whole frame.
    Frame(Frame),
    /// The pixels end before the frame is whole.
    Truncated,
    /// The frame was not read, since it [`is_too_large`].
    TooLarge,
}

impl RawVideo {
    /// Reads the pixels of a frame that was announced.
    pub fn read(&mut self, info: &FrameInfo, pixels: &mut impl Read) -> RawFrame {
        let (width, height) = (info.width, info.height);
        if is_too_large(width, height) {
            return RawFrame::TooLarge;
        }
        let mut bytes = vec![0; 3 * width as usize * height as usize];
        let whole = pixels.read_exact(&mut bytes).is_ok();
        let Some(rgb) = RgbImage::from_raw(width, height, bytes).filter(|_| whole) else {
            return RawFrame::Truncated;
        };
        let frame = Frame::from_rgb(self.frames, self.timeline.tick(info), rgb);
        self.frames += 1;
        RawFrame::Frame(frame)
    }

    /// Leaves out the numbers of frames that could not be decoded.
    pub fn skip(&mut self, frames: u64) {
        self.frames += frames;
    }

    /// Returns the number of frames so far, those left out included.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Returns the time that the frames so far cover.
    pub fn covered(&self) -> Duration {
        self.timeline.next_time()
    }
}

/// Presentation times from the first frame on, which never decrease. A recorder whose clock was set back
/// did not stop recording: time goes on from there, one frame period per frame.
#[derive(Clone, Copy, Debug, Default)]
struct Timeline {
    /// Stream time, in nanoseconds, of the frame whose time is 0.
    origin: Option<i128>,
    last: Option<Duration>,
    period: Option<Duration>,
}

impl Timeline {
    /// Returns the time of the next frame.
    fn tick(&mut self, info: &FrameInfo) -> Duration {
        let expected = self.next_time();
        let time = match info.time {
            Some(time) => {
                let expected_nanoseconds = expected.as_nanos() as i128;
                let last = self.last.unwrap_or_default();
                let origin = self.origin.get_or_insert(time - expected_nanoseconds);
                // Holding the time until the timestamps have caught up would give all frames until then
                // the same time.
                if time - *origin + (CLOCK_SET_BACK.as_nanos() as i128) < last.as_nanos() as i128 {
                    *origin = time - expected_nanoseconds;
                }
                let since = u64::try_from((time - *origin).max(0)).unwrap_or(u64::MAX);
                Duration::from_nanos(since).max(last)
            }
            None => expected,
        };
        self.last = Some(time);
        self.period = info.period.or(self.period);
        time
    }

    /// Returns when a frame without a timestamp is due.
    fn next_time(&self) -> Duration {
        self.last.map_or(Duration::ZERO, |last| {
            last.saturating_add(self.period.unwrap_or(DEFAULT_PERIOD))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn info(width: u32, height: u32) -> FrameInfo {
        FrameInfo {
            time: None,
            period: None,
            width,
            height,
            interlaced: false,
            damaged: false,
            missing: 0,
        }
    }

    #[test]
    fn frames_are_read_in_order_and_the_last_may_be_truncated() {
        let (mut raw, mut pixels) = (RawVideo::default(), &[7; 3 * 5][..]);
        for (sequence, expected) in [0, 40].into_iter().enumerate() {
            let RawFrame::Frame(frame) = raw.read(&info(2, 1), &mut pixels) else {
                unreachable!()
            };
            assert_eq!(frame.sequence, sequence as u64);
            assert_eq!(frame.time, Duration::from_millis(expected));
            assert_eq!(frame.luma.as_raw(), &[7, 7]);
        }
        let last = raw.read(&info(2, 1), &mut pixels);
        assert!(matches!(last, RawFrame::Truncated), "{last:?}");
        assert_eq!((raw.frames(), raw.covered().as_millis()), (2, 80));
    }

    #[test]
    fn a_frame_that_is_too_large_is_not_read() {
        let mut raw = RawVideo::default();
        for (width, height) in [(8193, 1), (1, 8193), (8192, 4097)] {
            let read = raw.read(&info(width, height), &mut std::io::repeat(0));
            assert!(matches!(read, RawFrame::TooLarge), "{read:?}");
        }
    }

    #[test]
    fn time_advances_by_the_frame_period_when_the_clock_is_set_back() {
        let mut timeline = Timeline::default();
        let mut tick = |milliseconds: i128| {
            let info = FrameInfo {
                time: Some(milliseconds * 1_000_000),
                period: Some(Duration::from_millis(40)),
                ..info(1, 1)
            };
            timeline.tick(&info).as_millis()
        };
        let hour = 3_600_000;
        assert_eq!([hour, hour + 40].map(&mut tick), [0, 40]);
        // Back by an hour, and by days: as if nothing had happened.
        assert_eq!([0, 40, 80].map(&mut tick), [80, 120, 160]);
        assert_eq!([-99 * hour, 40 - 99 * hour].map(&mut tick), [200, 240]);
        // A step ahead may be a pause, which is kept.
        assert_eq!(tick(80 - 98 * hour), 280 + 3_600_000);
        // A timestamp out of order neither decreases the time nor moves it ahead.
        assert_eq!(tick(60 - 98 * hour), 280 + 3_600_000);
        assert_eq!(tick(120 - 98 * hour), 320 + 3_600_000);
    }

    proptest! {
        #[test]
        fn time_starts_at_0_and_never_goes_back(
            stamps in prop::collection::vec(
                prop::option::of(prop_oneof![-1_000_000_000_000_i128..1_000_000_000_000, any::<i64>().prop_map(|v| i128::from(v) * 1_000_000_000)]),
                1..40,
            ),
            period in prop::option::of(0_u64..u64::MAX),
        ) {
            let mut timeline = Timeline::default();
            let mut last = None;
            for time in stamps {
                let info = FrameInfo {
                    time,
                    period: period.map(Duration::from_nanos),
                    ..info(1, 1)
                };
                let now = timeline.tick(&info);
                prop_assert!(last.map_or(now == Duration::ZERO, |last| now >= last));
                last = Some(now);
            }
        }
    }
}

//! Bare pixels as the ffmpeg program writes them: which picture they are, and when it is shown.
//!
//! What ffmpeg announces is understood by [`super::ffmpeg_log`]; the program itself is
//! [`super::video`]'s.

use super::ffmpeg_log::FrameInfo;
use image::RgbImage;
use parseye_vision::frame::{Frame, is_too_large};
use std::{io::Read, time::Duration};

/// Time between frames of a stream that has neither times nor a nominal rate: 25 frames a second,
/// which ffmpeg assumes for raw streams, too.
const ASSUMED_PERIOD: Duration = Duration::from_millis(40);

/// Stamps that go back by more than this come from a clock that was set; a smaller step is a stamp
/// that is out of order.
const CLOCK_WAS_SET: Duration = Duration::from_secs(1);

/// Pictures of RGB triples, one after the other.
#[derive(Debug, Default)]
pub struct RawVideo {
    clock: Clock,
    frames: u64,
}

/// What came of reading a picture.
#[derive(Debug)]
pub enum RawFrame {
    /// A whole one.
    Frame(Frame),
    /// The pixels end before it is whole.
    Cut,
    /// It was not read, since it [`is_too_large`].
    TooLarge,
}

impl RawVideo {
    /// Reads the pixels of a picture that was announced.
    pub fn read(&mut self, picture: &FrameInfo, pixels: &mut impl Read) -> RawFrame {
        let (width, height) = (picture.width, picture.height);
        if is_too_large(width, height) {
            return RawFrame::TooLarge;
        }
        let mut bytes = vec![0; 3 * width as usize * height as usize];
        let whole = pixels.read_exact(&mut bytes).is_ok();
        let Some(rgb) = RgbImage::from_raw(width, height, bytes).filter(|_| whole) else {
            return RawFrame::Cut;
        };
        let frame = Frame::from_rgb(self.frames, self.clock.tick(picture), rgb);
        self.frames += 1;
        RawFrame::Frame(frame)
    }

    /// Whole pictures so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// The time that the pictures so far cover.
    pub fn covered(&self) -> Duration {
        self.clock.next_time()
    }
}

/// Presentation times from the first frame on, never going back. A recorder whose clock was set back
/// did not stop recording: its time goes on from there, a period a frame.
#[derive(Clone, Copy, Debug, Default)]
struct Clock {
    /// The stream's own time, in nanoseconds, at which ours is 0.
    origin: Option<i128>,
    last: Option<Duration>,
    period: Option<Duration>,
}

impl Clock {
    /// Time of the next picture, which then is the last.
    fn tick(&mut self, picture: &FrameInfo) -> Duration {
        let expected = self.next_time();
        let time = match picture.time {
            Some(time) => {
                let expected_nanoseconds = expected.as_nanos() as i128;
                let last = self.last.unwrap_or_default();
                let origin = self.origin.get_or_insert(time - expected_nanoseconds);
                // Held until the stamps caught up, all that happens until then would last no time.
                if time - *origin + (CLOCK_WAS_SET.as_nanos() as i128) < last.as_nanos() as i128 {
                    *origin = time - expected_nanoseconds;
                }
                let since = u64::try_from((time - *origin).max(0)).unwrap_or(u64::MAX);
                Duration::from_nanos(since).max(last)
            }
            None => expected,
        };
        self.last = Some(time);
        self.period = picture.period.or(self.period);
        time
    }

    /// When a frame without a time of its own would be due.
    fn next_time(&self) -> Duration {
        self.last.map_or(Duration::ZERO, |last| {
            last.saturating_add(self.period.unwrap_or(ASSUMED_PERIOD))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn announced(width: u32, height: u32) -> FrameInfo {
        FrameInfo {
            time: None,
            period: None,
            width,
            height,
        }
    }

    #[test]
    fn pictures_follow_each_other_and_the_last_may_be_cut() {
        let (mut raw, mut pixels) = (RawVideo::default(), &[7; 3 * 5][..]);
        for (sequence, expected) in [0, 40].into_iter().enumerate() {
            let RawFrame::Frame(frame) = raw.read(&announced(2, 1), &mut pixels) else {
                unreachable!()
            };
            assert_eq!(frame.sequence, sequence as u64);
            assert_eq!(frame.time, Duration::from_millis(expected));
            assert_eq!(frame.luma.as_raw(), &[7, 7]);
        }
        let cut = raw.read(&announced(2, 1), &mut pixels);
        assert!(matches!(cut, RawFrame::Cut), "{cut:?}");
        assert_eq!((raw.frames(), raw.covered().as_millis()), (2, 80));
    }

    #[test]
    fn a_picture_that_is_too_large_is_not_waited_for() {
        let mut raw = RawVideo::default();
        for (width, height) in [(8193, 1), (1, 8193), (8192, 4097)] {
            let read = raw.read(&announced(width, height), &mut std::io::repeat(0));
            assert!(matches!(read, RawFrame::TooLarge), "{read:?}");
        }
    }

    #[test]
    fn a_clock_that_was_set_back_goes_on_a_period_a_frame() {
        let mut clock = Clock::default();
        let mut tick = |milliseconds: i128| {
            let picture = FrameInfo {
                time: Some(milliseconds * 1_000_000),
                period: Some(Duration::from_millis(40)),
                width: 1,
                height: 1,
            };
            clock.tick(&picture).as_millis()
        };
        let hour = 3_600_000;
        assert_eq!([hour, hour + 40].map(&mut tick), [0, 40]);
        // Back by an hour, and by days: as if nothing had happened.
        assert_eq!([0, 40, 80].map(&mut tick), [80, 120, 160]);
        assert_eq!([-99 * hour, 40 - 99 * hour].map(&mut tick), [200, 240]);
        // Ahead it may be a pause, which is believed.
        assert_eq!(tick(80 - 98 * hour), 280 + 3_600_000);
        // A stamp that is out of order turns nothing back and moves nothing ahead.
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
            let mut clock = Clock::default();
            let mut last = None;
            for time in stamps {
                let picture = FrameInfo {
                    time,
                    period: period.map(Duration::from_nanos),
                    width: 1,
                    height: 1,
                };
                let now = clock.tick(&picture);
                prop_assert!(last.map_or(now == Duration::ZERO, |last| now >= last));
                last = Some(now);
            }
        }
    }
}

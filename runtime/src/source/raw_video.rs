//! Bare pixels as the ffmpeg program writes them: which picture they are, and when it is shown.
//!
//! What ffmpeg announces is understood by [`super::ffmpeg_log`]; the program itself is
//! [`super::video`]'s.

use super::{Frame, ffmpeg_log::Picture, is_too_large};
use image::RgbImage;
use std::{io::Read, time::Duration};

/// Time between frames of a stream that has neither times nor a nominal rate: 25 frames a second,
/// which ffmpeg assumes for raw streams, too.
const ASSUMED_PERIOD: Duration = Duration::from_millis(40);

/// Pictures of RGB triples, one after the other.
#[derive(Debug, Default)]
pub struct RawVideo {
    clock: Clock,
    frames: u64,
}

/// What came of reading a picture.
#[derive(Debug)]
pub enum RawPicture {
    /// A whole one.
    Frame(Frame),
    /// The pixels end before it is whole.
    Cut,
    /// It was not read, since it [`is_too_large`].
    TooLarge,
}

impl RawVideo {
    /// Reads the pixels of a picture that was announced.
    pub fn read(&mut self, picture: &Picture, pixels: &mut impl Read) -> RawPicture {
        let (width, height) = (picture.width, picture.height);
        if is_too_large(width, height) {
            return RawPicture::TooLarge;
        }
        let mut bytes = vec![0; 3 * width as usize * height as usize];
        let whole = pixels.read_exact(&mut bytes).is_ok();
        let Some(rgb) = RgbImage::from_raw(width, height, bytes).filter(|_| whole) else {
            return RawPicture::Cut;
        };
        let frame = Frame::from_rgb(self.frames, self.clock.tick(picture), rgb);
        self.frames += 1;
        RawPicture::Frame(frame)
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

/// Presentation times from the first frame on, never going back.
#[derive(Clone, Copy, Debug, Default)]
struct Clock {
    /// The stream's own time, in nanoseconds, at which ours is 0.
    origin: Option<i128>,
    last: Option<Duration>,
    period: Option<Duration>,
}

impl Clock {
    /// Time of the next picture, which then is the last.
    fn tick(&mut self, picture: &Picture) -> Duration {
        let expected = self.next_time();
        let time = match picture.time {
            Some(time) => {
                let expected_nanoseconds = expected.as_nanos() as i128;
                let origin = *self.origin.get_or_insert(time - expected_nanoseconds);
                // Before the last frame's time: broken stamps, which must not turn back our time.
                let since = u64::try_from((time - origin).max(0)).unwrap_or(u64::MAX);
                Duration::from_nanos(since).max(self.last.unwrap_or_default())
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

    fn announced(width: u32, height: u32) -> Picture {
        Picture {
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
            let RawPicture::Frame(frame) = raw.read(&announced(2, 1), &mut pixels) else {
                unreachable!()
            };
            assert_eq!(frame.sequence, sequence as u64);
            assert_eq!(frame.time, Duration::from_millis(expected));
            assert_eq!(frame.luma.as_raw(), &[7, 7]);
        }
        let cut = raw.read(&announced(2, 1), &mut pixels);
        assert!(matches!(cut, RawPicture::Cut), "{cut:?}");
        assert_eq!((raw.frames(), raw.covered().as_millis()), (2, 80));
    }

    #[test]
    fn a_picture_that_is_too_large_is_not_waited_for() {
        let mut raw = RawVideo::default();
        for (width, height) in [(8193, 1), (1, 8193), (8192, 4097)] {
            let read = raw.read(&announced(width, height), &mut std::io::repeat(0));
            assert!(matches!(read, RawPicture::TooLarge), "{read:?}");
        }
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
                let picture = Picture {
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

//! Motion JPEG: where one picture ends and the next begins.
//!
//! JPEG marks its parts: a picture runs from `FF D8` to `FF D9`, but those two bytes may also stand
//! in a thumbnail within it, or in what an older, longer picture left behind in a camera's buffer.
//! So the marked parts are followed by their lengths, and only the coded pixels are searched.
//! Decoding is left to [`super::pixels`].

use std::{collections::VecDeque, mem};

/// Marker codes, the byte after `FF` (ITU-T T.81, table B.1).
const START: u8 = 0xD8;
const END: u8 = 0xD9;
const SCAN: u8 = 0xDA;
const TEMPORARY: u8 = 0x01;
const RESTARTS: std::ops::RangeInclusive<u8> = 0xD0..=0xD7;

/// Largest picture accepted in a stream, in bytes: more than any camera's picture of 8192x8192
/// pixels at a usual quality. Beyond it the stream is no Motion JPEG.
pub const LARGEST: usize = 32 << 20;

/// Follows one picture byte by byte, as they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before a picture.
    Outside,
    /// Before a picture, after an `FF`.
    OutsideMarker,
    /// Where a marker's `FF` must stand.
    Between,
    /// After one or several `FF`.
    Marker,
    /// In the two bytes of a part's length; `scan` where coded pixels follow the part.
    Length { scan: bool, high: Option<u8> },
    /// Within a part.
    Part { scan: bool, left: u16 },
    /// In coded pixels.
    Pixels,
    /// In coded pixels, after an `FF`.
    PixelsMarker,
}

/// What a byte meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// It belongs to no picture.
    Skip,
    /// It goes on with a picture.
    Inside,
    /// It is the second byte of a new picture.
    Begin,
    /// It is the last byte of a picture.
    End,
    /// The picture is broken here.
    Broken,
}

impl State {
    fn step(&mut self, byte: u8) -> Step {
        let (next, step) = match (*self, byte) {
            (Self::Outside | Self::OutsideMarker, 0xFF) => (Self::OutsideMarker, Step::Skip),
            (Self::OutsideMarker, START) => (Self::Between, Step::Begin),
            (Self::Outside | Self::OutsideMarker, _) => (Self::Outside, Step::Skip),
            (Self::Between | Self::Marker, 0xFF) => (Self::Marker, Step::Inside),
            (Self::Between, _) => (Self::Outside, Step::Broken),
            (Self::Marker | Self::PixelsMarker, END) => (Self::Outside, Step::End),
            // The picture before broke off; this one begins.
            (Self::Marker | Self::PixelsMarker, START) => (Self::Between, Step::Begin),
            (Self::Marker, 0x00) => (Self::Outside, Step::Broken),
            (Self::Marker, code) if code == TEMPORARY || RESTARTS.contains(&code) => {
                (Self::Between, Step::Inside)
            }
            (Self::Marker, code) => (
                Self::Length {
                    scan: code == SCAN,
                    high: None,
                },
                Step::Inside,
            ),
            (Self::Length { scan, high: None }, high) => {
                let high = Some(high);
                (Self::Length { scan, high }, Step::Inside)
            }
            (
                Self::Length {
                    scan,
                    high: Some(high),
                },
                low,
            ) => {
                // A length counts its own two bytes.
                match u16::from_be_bytes([high, low]).checked_sub(2) {
                    None => (Self::Outside, Step::Broken),
                    Some(0) => (Self::after_part(scan), Step::Inside),
                    Some(left) => (Self::Part { scan, left }, Step::Inside),
                }
            }
            (Self::Part { scan, left: 1 }, _) => (Self::after_part(scan), Step::Inside),
            (Self::Part { scan, left }, _) => {
                let left = left - 1;
                (Self::Part { scan, left }, Step::Inside)
            }
            (Self::Pixels | Self::PixelsMarker, 0xFF) => (Self::PixelsMarker, Step::Inside),
            (Self::Pixels, _) => (Self::Pixels, Step::Inside),
            (Self::PixelsMarker, code) if code == 0 || RESTARTS.contains(&code) => {
                (Self::Pixels, Step::Inside)
            }
            // A progressive picture has further parts between its scans.
            (Self::PixelsMarker, code) => (
                Self::Length {
                    scan: code == SCAN,
                    high: None,
                },
                Step::Inside,
            ),
        };
        *self = next;
        step
    }

    const fn after_part(scan: bool) -> Self {
        if scan { Self::Pixels } else { Self::Between }
    }
}

/// Length of the whole picture that `bytes` begins with; `None` where it begins with none, or
/// where its end is missing. What follows, as in a camera's buffer that is longer than its
/// picture, is not looked at.
pub fn picture_length(bytes: &[u8]) -> Option<usize> {
    if !bytes.starts_with(&[0xFF, START]) {
        return None;
    }
    let mut state = State::Between;
    let rest = bytes.iter().enumerate().skip(2);
    for (index, byte) in rest {
        match state.step(*byte) {
            Step::End => return Some(index + 1),
            Step::Inside => {}
            Step::Skip | Step::Begin | Step::Broken => return None,
        }
    }
    None
}

/// Whether a picture brings its Huffman tables with it.
pub(super) fn has_huffman_tables(picture: &[u8]) -> bool {
    const TABLES: u8 = 0xC4;
    let mut state = State::Between;
    for byte in picture.iter().skip(2) {
        let before = state;
        if state.step(*byte) != Step::Inside || state == State::Pixels {
            return false;
        }
        if before == State::Marker && *byte == TABLES {
            return true;
        }
    }
    false
}

/// Cuts a stream of pictures, one after the other, into pictures.
///
/// Bytes between pictures are skipped, and a broken picture is left out and counted; the next one
/// is found again. Memory is bounded by [`LARGEST`] and what one call of [`Self::push`] brings.
#[derive(Debug)]
pub struct Splitter {
    state: State,
    picture: Vec<u8>,
    whole: VecDeque<Vec<u8>>,
    broken: u64,
    largest: usize,
}

impl Splitter {
    /// Before a stream whose pictures have at most `largest` bytes.
    pub fn new(largest: usize) -> Self {
        Self {
            state: State::Outside,
            picture: Vec::new(),
            whole: VecDeque::new(),
            broken: 0,
            largest,
        }
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match self.state.step(*byte) {
                Step::Skip => {}
                Step::Begin => {
                    if !self.picture.is_empty() {
                        self.give_up();
                    }
                    self.picture.extend([0xFF, START]);
                }
                Step::Inside => {
                    self.picture.push(*byte);
                    if self.picture.len() > self.largest {
                        self.state = State::Outside;
                        self.give_up();
                    }
                }
                Step::End => {
                    self.picture.push(*byte);
                    self.whole.push_back(mem::take(&mut self.picture));
                }
                Step::Broken => self.give_up(),
            }
        }
    }

    /// The next whole picture.
    pub fn next_image(&mut self) -> Option<Vec<u8>> {
        self.whole.pop_front()
    }

    /// Broken pictures so far.
    pub fn broken(&self) -> u64 {
        self.broken
    }

    fn give_up(&mut self) {
        self.broken += 1;
        self.picture.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, RgbImage, codecs::jpeg::JpegEncoder};
    use proptest::prelude::*;

    fn jpeg(side: u32, shade: u8) -> Vec<u8> {
        let picture = RgbImage::from_fn(side, side, |x, y| {
            Rgb([(x * 31) as u8, (y * 17) as u8, shade])
        });
        let mut bytes = Vec::new();
        JpegEncoder::new(&mut bytes).encode_image(&picture).unwrap();
        bytes
    }

    /// A JPEG that holds another one in its application part, as cameras' thumbnails do.
    fn with_thumbnail(side: u32, shade: u8) -> Vec<u8> {
        let (outer, inner) = (jpeg(side, shade), jpeg(8, shade));
        let length = u16::try_from(inner.len() + 2).unwrap();
        let mut bytes = vec![0xFF, START, 0xFF, 0xE1];
        bytes.extend(length.to_be_bytes());
        bytes.extend(inner);
        bytes.extend(&outer[2..]);
        bytes
    }

    fn split(stream: &[u8], cut_at: &[usize], largest: usize) -> (Vec<Vec<u8>>, u64) {
        let mut splitter = Splitter::new(largest);
        let mut pictures = Vec::new();
        let mut begin = 0;
        for end in cut_at.iter().copied().chain([stream.len()]) {
            splitter.push(&stream[begin..end]);
            begin = end;
            pictures.extend(std::iter::from_fn(|| splitter.next_image()));
        }
        (pictures, splitter.broken())
    }

    #[test]
    fn a_picture_ends_at_its_own_end_marker() {
        for picture in [jpeg(16, 3), with_thumbnail(16, 3)] {
            assert_eq!(picture_length(&picture), Some(picture.len()));
            // An older, longer picture's end lies behind it in the same buffer.
            let mut buffer = picture.clone();
            buffer.extend(&jpeg(64, 9)[300..]);
            assert_eq!(picture_length(&buffer), Some(picture.len()));
            assert_eq!(picture_length(&picture[..picture.len() - 1]), None);
        }
        assert_eq!(picture_length(b"no picture"), None);
        assert_eq!(picture_length(&[]), None);
    }

    #[test]
    fn a_picture_that_broke_off_costs_no_other() {
        let (a, b) = (jpeg(16, 1), jpeg(24, 2));
        let mut stream = a.clone();
        stream.extend(&b[..b.len() - 40]);
        stream.extend(&a);
        stream.extend(&b);
        let (pictures, broken) = split(&stream, &[], LARGEST);
        assert_eq!(broken, 1);
        assert_eq!(pictures, [a.clone(), a, b]);
    }

    #[test]
    fn an_endless_picture_is_given_up() {
        let small = jpeg(16, 1);
        let mut stream = jpeg(16, 1);
        stream.truncate(stream.len() - 2);
        stream.extend(vec![0x55; 5000]);
        stream.extend(&small);
        let (pictures, broken) = split(&stream, &[], 4000);
        assert_eq!((pictures, broken), (vec![small], 1));
    }

    proptest! {
        #[test]
        fn pictures_come_out_as_they_went_in_wherever_the_stream_is_cut(
            pictures in prop::collection::vec((1_u32..30, any::<u8>(), any::<bool>()), 1..5),
            // Bytes between pictures; without FF they cannot look like a picture.
            between in prop::collection::vec(0_u8..0xFF, 0..20),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
        ) {
            let pictures: Vec<Vec<u8>> = pictures
                .into_iter()
                .map(|(side, shade, thumbnail)| match thumbnail {
                    true => with_thumbnail(side, shade),
                    false => jpeg(side, shade),
                })
                .collect();
            let mut stream = between.clone();
            for picture in &pictures {
                stream.extend(picture);
                stream.extend(&between);
            }
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len())).collect();
            cuts.sort_unstable();
            prop_assert_eq!(split(&stream, &cuts, LARGEST), (pictures, 0));
        }

        #[test]
        fn any_bytes_are_taken_within_bounds(
            bytes in prop::collection::vec(prop_oneof![Just(0xFF_u8), Just(START), Just(END), Just(SCAN), any::<u8>()], 0..3000),
        ) {
            let mut splitter = Splitter::new(100);
            for chunk in bytes.chunks(7) {
                splitter.push(chunk);
                prop_assert!(splitter.picture.len() <= 102);
                while let Some(picture) = splitter.next_image() {
                    prop_assert_eq!(picture_length(&picture), Some(picture.len()));
                }
            }
        }

        #[test]
        fn a_damaged_stream_recovers_with_the_next_picture(
            at in any::<prop::sample::Index>(), value in any::<u8>(), gone in 0_usize..40,
        ) {
            let whole = jpeg(24, 7);
            let mut damaged = whole.clone();
            let at = at.index(damaged.len());
            damaged[at] = value;
            let end = (at + gone).min(damaged.len());
            damaged.drain(at..end);
            // A damaged length may swallow what follows it, at most 64 KiB: the last picture is
            // beyond that.
            let mut stream = damaged;
            let copies = (70_000 / whole.len()) + 2;
            (0..copies).for_each(|_| stream.extend(&whole));
            let (pictures, _) = split(&stream, &[], LARGEST);
            prop_assert_eq!(pictures.last(), Some(&whole));
        }
    }
}

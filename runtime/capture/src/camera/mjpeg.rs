//! Motion JPEG: splits a stream of bytes into JPEG images.
//!
//! An image runs from the marker `FF D8` to `FF D9`, but those two bytes may also occur in a thumbnail
//! within it, or in what an older, longer image left behind in a camera's buffer. So the segments are
//! skipped by their lengths, and only entropy-coded data is searched for markers. Decoding is left to
//! [`super::pixels`].

use std::{collections::VecDeque, mem};

/// Marker codes, the byte after `FF` (ITU-T T.81, table B.1).
const START_OF_IMAGE: u8 = 0xD8;
const END_OF_IMAGE: u8 = 0xD9;
const START_OF_SCAN: u8 = 0xDA;
const TEMPORARY: u8 = 0x01;
const RESTARTS: std::ops::RangeInclusive<u8> = 0xD0..=0xD7;

/// Largest image accepted in a stream, in bytes: more than any camera's image of 8192x8192 pixels at
/// a usual quality. Beyond it the stream is no Motion JPEG.
pub const MAX_BYTES: usize = 32 << 20;

/// State of the parser between two bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before an image.
    Outside,
    /// Before an image, after an `FF`.
    OutsideMarker,
    /// Where the `FF` of a marker must follow.
    Between,
    /// After one or several `FF`.
    Marker,
    /// In the two bytes of a segment's length; `scan` where entropy-coded data follows the segment.
    Length { scan: bool, high: Option<u8> },
    /// Within a segment.
    Segment { scan: bool, left: u16 },
    /// In entropy-coded data.
    Data,
    /// In entropy-coded data, after an `FF`.
    DataMarker,
}

/// The meaning of a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ByteRole {
    /// It belongs to no image.
    Skip,
    /// It continues an image.
    Inside,
    /// It is the second byte of a new image.
    Begin,
    /// It is the last byte of an image.
    End,
    /// The image is corrupt here.
    Corrupt,
}

impl State {
    fn step(&mut self, byte: u8) -> ByteRole {
        let (next, step) = match (*self, byte) {
            (Self::Outside | Self::OutsideMarker, 0xFF) => (Self::OutsideMarker, ByteRole::Skip),
            (Self::OutsideMarker, START_OF_IMAGE) => (Self::Between, ByteRole::Begin),
            (Self::Outside | Self::OutsideMarker, _) => (Self::Outside, ByteRole::Skip),
            (Self::Between | Self::Marker, 0xFF) => (Self::Marker, ByteRole::Inside),
            (Self::Between, _) => (Self::Outside, ByteRole::Corrupt),
            (Self::Marker | Self::DataMarker, END_OF_IMAGE) => (Self::Outside, ByteRole::End),
            // The image before was truncated; a new one begins.
            (Self::Marker | Self::DataMarker, START_OF_IMAGE) => (Self::Between, ByteRole::Begin),
            (Self::Marker, 0x00) => (Self::Outside, ByteRole::Corrupt),
            (Self::Marker, code) if code == TEMPORARY || RESTARTS.contains(&code) => {
                (Self::Between, ByteRole::Inside)
            }
            (Self::Marker, code) => (
                Self::Length {
                    scan: code == START_OF_SCAN,
                    high: None,
                },
                ByteRole::Inside,
            ),
            (Self::Length { scan, high: None }, high) => {
                let high = Some(high);
                (Self::Length { scan, high }, ByteRole::Inside)
            }
            (
                Self::Length {
                    scan,
                    high: Some(high),
                },
                low,
            ) => {
                // The length includes its own two bytes.
                match u16::from_be_bytes([high, low]).checked_sub(2) {
                    None => (Self::Outside, ByteRole::Corrupt),
                    Some(0) => (Self::after_segment(scan), ByteRole::Inside),
                    Some(left) => (Self::Segment { scan, left }, ByteRole::Inside),
                }
            }
            (Self::Segment { scan, left: 1 }, _) => (Self::after_segment(scan), ByteRole::Inside),
            (Self::Segment { scan, left }, _) => {
                let left = left - 1;
                (Self::Segment { scan, left }, ByteRole::Inside)
            }
            (Self::Data | Self::DataMarker, 0xFF) => (Self::DataMarker, ByteRole::Inside),
            (Self::Data, _) => (Self::Data, ByteRole::Inside),
            (Self::DataMarker, code) if code == 0 || RESTARTS.contains(&code) => {
                (Self::Data, ByteRole::Inside)
            }
            // A progressive image has further segments between its scans.
            (Self::DataMarker, code) => (
                Self::Length {
                    scan: code == START_OF_SCAN,
                    high: None,
                },
                ByteRole::Inside,
            ),
        };
        *self = next;
        step
    }

    const fn after_segment(scan: bool) -> Self {
        if scan { Self::Data } else { Self::Between }
    }
}

/// Returns the length in bytes of the image that `bytes` begins with; `None` where they begin with none,
/// or where its end is missing. What follows is ignored: a camera's buffer may be longer than its image.
pub fn jpeg_length(bytes: &[u8]) -> Option<usize> {
    if !bytes.starts_with(&[0xFF, START_OF_IMAGE]) {
        return None;
    }
    let mut state = State::Between;
    let rest = bytes.iter().enumerate().skip(2);
    for (index, byte) in rest {
        match state.step(*byte) {
            ByteRole::End => return Some(index + 1),
            ByteRole::Inside => {}
            ByteRole::Skip | ByteRole::Begin | ByteRole::Corrupt => return None,
        }
    }
    None
}

/// Returns whether an image has its own Huffman tables.
pub(super) fn has_huffman_tables(image: &[u8]) -> bool {
    const TABLES: u8 = 0xC4;
    has_segment(image, TABLES)
}

/// Returns whether an image comes in several scans, each finer than the one before.
pub(super) fn is_progressive(image: &[u8]) -> bool {
    const PROGRESSIVE: u8 = 0xC2;
    has_segment(image, PROGRESSIVE)
}

/// Returns whether an image has a segment of this kind before its data.
fn has_segment(image: &[u8], code: u8) -> bool {
    let mut state = State::Between;
    for byte in image.iter().skip(2) {
        let before = state;
        if state.step(*byte) != ByteRole::Inside || state == State::Data {
            return false;
        }
        if before == State::Marker && *byte == code {
            return true;
        }
    }
    false
}

/// Splits a stream of JPEG images.
///
/// Bytes between images are skipped; a corrupt image is left out and counted, and the next one is found
/// again. An image without an end marker, as some cameras write them, ends where the next begins or the
/// stream ends, and gets one; whether its data are complete is only known when it is decoded. Memory is
/// bounded by the largest image accepted and the bytes of one call of [`Self::push`].
#[derive(Debug)]
pub struct Splitter {
    state: State,
    /// The beginning of an image.
    image: Vec<u8>,
    /// Images that were not taken yet, with their places in the stream.
    complete: VecDeque<(u64, Vec<u8>)>,
    corrupt: u64,
    /// Number of images so far, corrupt ones included.
    images: u64,
    max_bytes: usize,
}

impl Splitter {
    /// Creates a splitter for a stream whose images have at most `max_bytes` bytes.
    pub fn new(max_bytes: usize) -> Self {
        Self {
            state: State::Outside,
            image: Vec::new(),
            complete: VecDeque::new(),
            corrupt: 0,
            images: 0,
            max_bytes,
        }
    }

    /// Adds the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let before = self.state;
            match self.state.step(*byte) {
                ByteRole::Skip => {}
                ByteRole::Begin => {
                    match before {
                        // The FF before the marker is part of the image already.
                        State::DataMarker => self.complete(&[END_OF_IMAGE]),
                        _ if !self.image.is_empty() => self.discard(),
                        _ => {}
                    }
                    self.image.extend([0xFF, START_OF_IMAGE]);
                }
                ByteRole::Inside => {
                    self.image.push(*byte);
                    if self.image.len() > self.max_bytes {
                        self.state = State::Outside;
                        self.discard();
                    }
                }
                ByteRole::End => self.complete(&[*byte]),
                ByteRole::Corrupt => self.discard(),
            }
        }
    }

    /// Ends the stream: an image that has come as far as its data is complete, if it ever is.
    pub fn finish(&mut self) {
        match mem::replace(&mut self.state, State::Outside) {
            State::Data => self.complete(&[0xFF, END_OF_IMAGE]),
            State::DataMarker => self.complete(&[END_OF_IMAGE]),
            _ if !self.image.is_empty() => self.discard(),
            _ => {}
        }
    }

    /// Takes the next image.
    pub fn next_image(&mut self) -> Option<Vec<u8>> {
        self.next_numbered().map(|(_, image)| image)
    }

    /// Takes the next image with its place in the stream, counted from 0, corrupt ones included.
    pub(super) fn next_numbered(&mut self) -> Option<(u64, Vec<u8>)> {
        self.complete.pop_front()
    }

    /// Returns the number of images so far, corrupt ones included.
    pub(super) fn images(&self) -> u64 {
        self.images
    }

    /// Returns the number of corrupt images so far.
    pub fn corrupt(&self) -> u64 {
        self.corrupt
    }

    fn complete(&mut self, end: &[u8]) {
        self.image.extend(end);
        self.complete
            .push_back((self.images, mem::take(&mut self.image)));
        self.images += 1;
    }

    fn discard(&mut self) {
        self.corrupt += 1;
        self.images += 1;
        self.image.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{super::pixels, *};
    use image::{Rgb, RgbImage, codecs::jpeg::JpegEncoder};
    use proptest::prelude::*;

    fn jpeg(side: u32, shade: u8) -> Vec<u8> {
        let image = RgbImage::from_fn(side, side, |x, y| {
            Rgb([(x * 31) as u8, (y * 17) as u8, shade])
        });
        let mut bytes = Vec::new();
        JpegEncoder::new(&mut bytes).encode_image(&image).unwrap();
        bytes
    }

    /// A JPEG that holds another one in its application segment, as cameras' thumbnails do.
    fn with_thumbnail(side: u32, shade: u8) -> Vec<u8> {
        let (outer, inner) = (jpeg(side, shade), jpeg(8, shade));
        let length = u16::try_from(inner.len() + 2).unwrap();
        let mut bytes = vec![0xFF, START_OF_IMAGE, 0xFF, 0xE1];
        bytes.extend(length.to_be_bytes());
        bytes.extend(inner);
        bytes.extend(&outer[2..]);
        bytes
    }

    fn split(stream: &[u8], cut_at: &[usize], max_bytes: usize) -> (Vec<Vec<u8>>, u64) {
        let mut splitter = Splitter::new(max_bytes);
        let mut images = Vec::new();
        let mut begin = 0;
        for end in cut_at.iter().copied().chain([stream.len()]) {
            splitter.push(&stream[begin..end]);
            begin = end;
            images.extend(std::iter::from_fn(|| splitter.next_image()));
        }
        splitter.finish();
        images.extend(std::iter::from_fn(|| splitter.next_image()));
        (images, splitter.corrupt())
    }

    #[test]
    fn an_image_ends_at_its_own_end_marker() {
        for image in [jpeg(16, 3), with_thumbnail(16, 3)] {
            assert_eq!(jpeg_length(&image), Some(image.len()));
            // An older, longer image's end lies behind it in the same buffer.
            let mut buffer = image.clone();
            buffer.extend(&jpeg(64, 9)[300..]);
            assert_eq!(jpeg_length(&buffer), Some(image.len()));
            assert_eq!(jpeg_length(&image[..image.len() - 1]), None);
        }
        assert_eq!(jpeg_length(b"no image"), None);
        assert_eq!(jpeg_length(&[]), None);
    }

    #[test]
    fn a_truncated_image_costs_no_other_and_is_found_when_it_is_decoded() {
        let (a, b) = (jpeg(16, 1), jpeg(24, 2));
        let mut stream = a.clone();
        stream.extend(&b[..b.len() - 40]);
        stream.extend(&a);
        stream.extend(&b);
        let (images, corrupt) = split(&stream, &[], MAX_BYTES);
        assert_eq!((images.len(), corrupt), (4, 0));
        let whole = images.iter().map(|image| pixels::jpeg(image).is_ok());
        assert_eq!(whole.collect::<Vec<_>>(), [true, false, true, true]);
        assert_eq!([&images[0], &images[2], &images[3]], [&a, &a, &b]);
        // Cut before its data, it is no image at all, but has its place in the stream.
        let mut splitter = Splitter::new(MAX_BYTES);
        splitter.push(&[&a[..40], &b[..]].concat());
        assert_eq!(splitter.corrupt(), 1);
        assert_eq!(splitter.next_numbered(), Some((1, b)));
    }

    #[test]
    fn images_without_an_end_marker_are_read() {
        let images: Vec<Vec<u8>> = (0..5).map(|shade| jpeg(24, 40 * shade)).collect();
        let stream: Vec<u8> = images
            .iter()
            .flat_map(|image| image[..image.len() - 2].to_vec())
            .collect();
        let (found, corrupt) = split(&stream, &[100, 101, 900], MAX_BYTES);
        assert_eq!((found.len(), corrupt), (5, 0));
        for (found, image) in found.iter().zip(&images) {
            assert_eq!(pixels::jpeg(found), pixels::jpeg(image));
            assert!(pixels::jpeg(found).is_ok());
        }
    }

    #[test]
    fn an_endless_image_is_discarded() {
        let small = jpeg(16, 1);
        let mut stream = jpeg(16, 1);
        stream.truncate(stream.len() - 2);
        stream.extend(vec![0x55; 5000]);
        stream.extend(&small);
        let (images, corrupt) = split(&stream, &[], 4000);
        assert_eq!((images, corrupt), (vec![small], 1));
    }

    proptest! {
        #[test]
        fn images_come_out_as_they_went_in_wherever_the_stream_is_cut(
            images in prop::collection::vec((1_u32..30, any::<u8>(), any::<bool>()), 1..5),
            // Bytes between images; without FF they cannot look like an image.
            between in prop::collection::vec(0_u8..0xFF, 0..20),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
        ) {
            let images: Vec<Vec<u8>> = images
                .into_iter()
                .map(|(side, shade, thumbnail)| match thumbnail {
                    true => with_thumbnail(side, shade),
                    false => jpeg(side, shade),
                })
                .collect();
            let mut stream = between.clone();
            for image in &images {
                stream.extend(image);
                stream.extend(&between);
            }
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len())).collect();
            cuts.sort_unstable();
            prop_assert_eq!(split(&stream, &cuts, MAX_BYTES), (images, 0));
        }

        #[test]
        fn any_bytes_are_taken_within_bounds(
            bytes in prop::collection::vec(prop_oneof![Just(0xFF_u8), Just(START_OF_IMAGE), Just(END_OF_IMAGE), Just(START_OF_SCAN), any::<u8>()], 0..3000),
        ) {
            let mut splitter = Splitter::new(100);
            for chunk in bytes.chunks(7) {
                splitter.push(chunk);
                prop_assert!(splitter.image.len() <= 102);
                while let Some(image) = splitter.next_image() {
                    prop_assert_eq!(jpeg_length(&image), Some(image.len()));
                }
            }
        }

        #[test]
        fn a_damaged_stream_recovers_with_the_next_image(
            at in any::<prop::sample::Index>(), value in any::<u8>(), gone in 0_usize..40,
        ) {
            let whole = jpeg(24, 7);
            let mut damaged = whole.clone();
            let at = at.index(damaged.len());
            damaged[at] = value;
            let end = (at + gone).min(damaged.len());
            damaged.drain(at..end);
            // A damaged length may swallow what follows it, at most 64 KiB: the last image is
            // beyond that.
            let mut stream = damaged;
            let copies = (70_000 / whole.len()) + 2;
            (0..copies).for_each(|_| stream.extend(&whole));
            let (images, _) = split(&stream, &[], MAX_BYTES);
            prop_assert_eq!(images.last(), Some(&whole));
        }
    }
}

//! A pipe camera's Motion JPEG: pictures do not depend on how the stream is cut, none is larger than
//! accepted, and each decodes or is refused.

#![no_main]

use libfuzzer_sys::fuzz_target;
use parseye_capture::camera::{
    mjpeg::{Splitter, picture_length},
    pixels,
};
use parseye_vision::frame::{Frame, is_too_large};
use std::time::Duration;

/// Far below [`parseye_capture::camera::mjpeg::LARGEST`], so that an input can reach it.
const LARGEST: usize = 2000;

/// Pictures that are decoded of one input, each of which may take a tenth of a second.
const DECODED: usize = 4;

fn split(stream: &[u8], part: usize) -> (Vec<Vec<u8>>, u64) {
    let mut splitter = Splitter::new(LARGEST);
    let mut pictures = Vec::new();
    for part in stream.chunks(part) {
        splitter.push(part);
        while let Some(picture) = splitter.next_image() {
            pictures.push(picture);
        }
    }
    (pictures, splitter.broken())
}

fuzz_target!(|stream: &[u8]| {
    let (pictures, broken) = split(stream, stream.len().max(1));
    let (again, broken_again) = split(stream, 7);
    assert!(again == pictures && broken_again == broken);
    let bytes: usize = pictures.iter().map(Vec::len).sum();
    assert!(bytes <= stream.len());
    for (sequence, picture) in pictures.iter().enumerate() {
        assert!(picture.len() <= LARGEST + 1);
        assert_eq!(picture_length(picture), Some(picture.len()));
        if sequence >= DECODED {
            continue;
        }
        if let Ok(rgb) = pixels::jpeg(picture) {
            let (width, height) = rgb.dimensions();
            assert!(width > 0 && height > 0 && !is_too_large(width, height));
            let frame = Frame::from_rgb(sequence as u64, Duration::ZERO, rgb);
            assert_eq!(frame.luma.dimensions(), (width, height));
        }
    }
});

//! A pipe camera's Motion JPEG: images do not depend on how the stream is cut, none is larger than
//! accepted, and each decodes or is refused.

use parseye_capture::untrusted::{Splitter, jpeg, jpeg_length};
use parseye_vision::frame::{Frame, is_too_large};
use std::time::Duration;

/// Far below the limit of a camera's stream, so that an input can reach it.
const MAX_BYTES: usize = 2000;

/// Images that are decoded of one input, each of which may take a tenth of a second.
const DECODED: usize = 4;

fn split(stream: &[u8], part: usize) -> (Vec<Vec<u8>>, u64) {
    let mut splitter = Splitter::new(MAX_BYTES);
    let mut images = Vec::new();
    for part in stream.chunks(part) {
        splitter.push(part);
        while let Some(image) = splitter.next_image() {
            images.push(image);
        }
    }
    splitter.finish();
    images.extend(std::iter::from_fn(|| splitter.next_image()));
    (images, splitter.corrupt())
}

/// Panics where the reader breaks that promise.
pub fn check(stream: &[u8]) {
    let (images, corrupt) = split(stream, stream.len().max(1));
    let (again, corrupt_again) = split(stream, 7);
    assert!(again == images && corrupt_again == corrupt);
    let bytes: usize = images.iter().map(Vec::len).sum();
    // An image without an end gets one.
    assert!(bytes <= stream.len() + 2 * images.len());
    for (sequence, image) in images.iter().enumerate() {
        assert!(image.len() <= MAX_BYTES + 2);
        assert_eq!(jpeg_length(image), Some(image.len()));
        if sequence >= DECODED {
            continue;
        }
        if let Ok(rgb) = jpeg(image) {
            let (width, height) = rgb.dimensions();
            assert!(width > 0 && height > 0 && !is_too_large(width, height));
            let frame = Frame::from_rgb(sequence as u64, Duration::ZERO, rgb);
            assert_eq!(frame.luma.dimensions(), (width, height));
        }
    }
}

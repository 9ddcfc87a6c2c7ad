//! ffmpeg's words and pixels: times never go back, pictures are of the size announced. Words and
//! pixels are parted by a zero byte.

#![no_main]

use libfuzzer_sys::fuzz_target;
use parseye_capture::{
    ffmpeg_log::FfmpegLog,
    raw_video::{RawFrame, RawVideo},
};
use parseye_vision::frame::is_too_large;
use std::time::Duration;

fuzz_target!(|input: &[u8]| {
    let end = input
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(input.len());
    let (words, mut pixels) = input.split_at(end);
    let (mut log, mut raw) = (FfmpegLog::default(), RawVideo::default());
    let mut last = Duration::ZERO;
    for line in words.split_inclusive(|byte| *byte == b'\n') {
        let Some(picture) = log.read_line(&String::from_utf8_lossy(line)) else {
            continue;
        };
        assert!(picture.width > 0 && picture.height > 0);
        match raw.read(&picture, &mut pixels) {
            RawFrame::Frame(frame) => {
                assert_eq!(frame.sequence + 1, raw.frames());
                assert_eq!(frame.rgb.dimensions(), (picture.width, picture.height));
                assert!(frame.time >= last);
                assert!(frame.sequence > 0 || frame.time == Duration::ZERO);
                last = frame.time;
            }
            RawFrame::TooLarge => assert!(is_too_large(picture.width, picture.height)),
            // The source ends here.
            RawFrame::Cut => break,
        }
    }
    assert!(raw.frames() == 0 || raw.covered() >= last);
    let _ = (
        log.cause(),
        log.end(),
        log.claimed_length(),
        log.too_large(),
        log.is_text(),
    );
});

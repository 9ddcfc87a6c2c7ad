//! ffmpeg's messages and pixels: times never decrease, frames are of the size announced. Messages and
//! pixels are separated by a zero byte.

use parseye_capture::untrusted::{FfmpegLog, RawFrame, RawVideo};
use parseye_vision::frame::is_too_large;
use std::time::Duration;

/// Panics where the reader breaks that promise.
pub fn check(input: &[u8]) {
    let end = input
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(input.len());
    let (messages, mut pixels) = input.split_at(end);
    let (mut log, mut raw) = (FfmpegLog::default(), RawVideo::default());
    let mut last = Duration::ZERO;
    for line in messages.split_inclusive(|byte| *byte == b'\n') {
        let Some(info) = log.read_line(&String::from_utf8_lossy(line)) else {
            continue;
        };
        assert!(info.width > 0 && info.height > 0);
        assert!(info.missing == 0 || log.cause().is_some());
        match raw.read(&info, &mut pixels) {
            RawFrame::Frame(frame) => {
                assert_eq!(frame.sequence + 1, raw.frames());
                assert_eq!(frame.rgb.dimensions(), (info.width, info.height));
                assert!(frame.time >= last);
                assert!(frame.sequence > 0 || frame.time == Duration::ZERO);
                last = frame.time;
            }
            RawFrame::TooLarge => assert!(is_too_large(info.width, info.height)),
            // The source ends here.
            RawFrame::Truncated => break,
        }
    }
    assert!(raw.frames() == 0 || raw.covered() >= last);
    let _ = (
        log.cause(),
        log.end(),
        log.claimed_duration(),
        log.too_large(),
        log.is_text(),
    );
}

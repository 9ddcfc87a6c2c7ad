//! A camera's uncompressed buffers: an image of exactly the size negotiated, or a refusal. The first
//! bytes are the format and the size, the rest is the buffer.

use parseye_capture::untrusted::{Damage, Layout, PixelFormat, decode};

/// Panics where the reader breaks that promise.
pub fn check(input: &[u8]) {
    let Some((&[format, width, height, stride], buffer)) = input.split_first_chunk() else {
        return;
    };
    let layout = Layout {
        format: PixelFormat::ALL[usize::from(format % 4)],
        width: u32::from(width),
        height: u32::from(height),
        // Also shorter than a row, and so long that rows overflow.
        stride: match stride {
            u8::MAX => usize::MAX,
            stride => 2 * usize::from(stride),
        },
        full_range: format & 0x80 != 0,
    };
    match decode(&layout, buffer) {
        Ok(image) => assert_eq!(image.dimensions(), (layout.width, layout.height)),
        Err(Damage::Truncated | Damage::Undecodable) => {}
    }
}

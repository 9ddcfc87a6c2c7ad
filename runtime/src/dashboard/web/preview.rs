//! The newest frame for the page: scaled down, with the squares of face and eyes, as JPEG.

use crate::{
    annotate::{line_width, outline_face_and_eyes},
    channels::{FrameSnapshot, PreviewSlot},
};
use axum::body::Bytes;
use image::{codecs::jpeg::JpegEncoder, imageops::thumbnail};
use parseye_events::fanout::locked;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

/// Largest width of the preview in pixels: enough to see where the squares lie.
const MAX_WIDTH: u32 = 480;

/// JPEG quality of 100; a preview is about 15 KB.
const QUALITY: u8 = 75;

/// Longest wait of a request for the next frame, and time between two checks for it.
const FRAME_TIMEOUT: Duration = Duration::from_secs(1);
const POLL_EVERY: Duration = Duration::from_millis(20);

/// Encodes each frame once, however many pages ask.
#[derive(Debug, Default)]
pub(super) struct Preview {
    encoded: Mutex<Option<(Arc<FrameSnapshot>, Bytes)>>,
}

impl Preview {
    /// Waits for the next frame and returns its JPEG; `None` where no frame comes or it cannot be encoded.
    pub(super) async fn next(&self, slot: &PreviewSlot) -> Option<Bytes> {
        slot.request();
        let deadline = tokio::time::Instant::now() + FRAME_TIMEOUT;
        while slot.is_requested() {
            if tokio::time::Instant::now() >= deadline {
                return None;
            }
            tokio::time::sleep(POLL_EVERY).await;
        }
        let snapshot = slot.newest()?;
        if let Some(bytes) = self.encoded(&snapshot) {
            return Some(bytes);
        }
        let source = Arc::clone(&snapshot);
        let bytes = tokio::task::spawn_blocking(move || encode(&source))
            .await
            .ok()??;
        *locked(&self.encoded) = Some((snapshot, bytes.clone()));
        Some(bytes)
    }

    fn encoded(&self, snapshot: &Arc<FrameSnapshot>) -> Option<Bytes> {
        let encoded = locked(&self.encoded);
        let (of, bytes) = encoded.as_ref()?;
        Arc::ptr_eq(of, snapshot).then(|| bytes.clone())
    }
}

fn encode(snapshot: &FrameSnapshot) -> Option<Bytes> {
    let mut rgb = snapshot.rgb.clone();
    // The page shows it smaller than a player shows a video.
    let width_of_lines = 2 * line_width(&rgb);
    outline_face_and_eyes(&mut rgb, &snapshot.reading, width_of_lines);
    let (width, height) = rgb.dimensions();
    if width > MAX_WIDTH {
        let scaled = u64::from(height) * u64::from(MAX_WIDTH) / u64::from(width);
        rgb = thumbnail(&rgb, MAX_WIDTH, u32::try_from(scaled).ok()?.max(1));
    }
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, QUALITY)
        .encode_image(&rgb)
        .ok()?;
    Some(bytes.into())
}

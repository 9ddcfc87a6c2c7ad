//! The newest picture for the page: small, with the squares of face and eyes, as JPEG.

use crate::{
    annotate::{outline_face_and_eyes, thin_line},
    channels::{FrameSnapshot, PreviewSlot},
};
use axum::body::Bytes;
use image::{codecs::jpeg::JpegEncoder, imageops::thumbnail};
use parseye_events::fanout::locked;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

/// Width of the picture in pixels at most: enough to see where the squares lie.
const WIDTH: u32 = 480;

/// JPEG quality of 100; a picture is about 15 KB.
const QUALITY: u8 = 75;

/// How long a request waits for the next frame, and between two looks.
const PATIENCE: Duration = Duration::from_secs(1);
const POLL_EVERY: Duration = Duration::from_millis(20);

/// Makes each picture once, however many pages ask.
#[derive(Debug, Default)]
pub(super) struct Preview {
    made: Mutex<Option<(Arc<FrameSnapshot>, Bytes)>>,
}

impl Preview {
    /// The next picture; `None` where no frame comes or it cannot be encoded.
    pub(super) async fn next(&self, slot: &PreviewSlot) -> Option<Bytes> {
        slot.request();
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while slot.is_requested() {
            if tokio::time::Instant::now() >= deadline {
                return None;
            }
            tokio::time::sleep(POLL_EVERY).await;
        }
        let picture = slot.newest()?;
        if let Some(bytes) = self.made_of(&picture) {
            return Some(bytes);
        }
        let source = Arc::clone(&picture);
        let bytes = tokio::task::spawn_blocking(move || encode(&source))
            .await
            .ok()??;
        *locked(&self.made) = Some((picture, bytes.clone()));
        Some(bytes)
    }

    fn made_of(&self, picture: &Arc<FrameSnapshot>) -> Option<Bytes> {
        let made = locked(&self.made);
        let (of, bytes) = made.as_ref()?;
        Arc::ptr_eq(of, picture).then(|| bytes.clone())
    }
}

fn encode(picture: &FrameSnapshot) -> Option<Bytes> {
    let mut rgb = picture.rgb.clone();
    // The page shows it smaller than a player shows a video.
    let lines = 2 * thin_line(&rgb);
    outline_face_and_eyes(&mut rgb, &picture.reading, lines);
    let (width, height) = rgb.dimensions();
    if width > WIDTH {
        let scaled = u64::from(height) * u64::from(WIDTH) / u64::from(width);
        rgb = thumbnail(&rgb, WIDTH, u32::try_from(scaled).ok()?.max(1));
    }
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, QUALITY)
        .encode_image(&rgb)
        .ok()?;
    Some(bytes.into())
}

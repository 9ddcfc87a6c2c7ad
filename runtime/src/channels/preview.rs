//! The newest frame for a preview, copied only on request.
//!
//! One request gets one frame. So a run without a preview copies no pixel, and a preview costs as many
//! copies as are shown, whatever the camera's rate.

use image::RgbImage;
use parseye_events::fanout::locked;
use parseye_vision::reading::FrameReading;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

/// A frame with its reading.
#[derive(Clone, Debug)]
pub struct FrameSnapshot {
    /// Colours as the source delivered them.
    pub rgb: RgbImage,
    /// The predictions for it, with the squares of face and eyes.
    pub reading: FrameReading,
}

/// Holds at most one frame, and the request for the next; clones share both.
#[derive(Clone, Debug, Default)]
pub struct PreviewSlot(Arc<Slot>);

#[derive(Debug, Default)]
struct Slot {
    requested: AtomicBool,
    newest: Mutex<Option<Arc<FrameSnapshot>>>,
}

impl PreviewSlot {
    /// Requests the next frame.
    pub fn request(&self) {
        self.0.requested.store(true, Ordering::Relaxed);
    }

    /// Returns whether a frame was requested since the last one was set.
    pub fn is_requested(&self) -> bool {
        self.0.requested.load(Ordering::Relaxed)
    }

    /// Sets the newest frame, which fulfils the request.
    pub fn set(&self, snapshot: FrameSnapshot) {
        *locked(&self.0.newest) = Some(Arc::new(snapshot));
        self.0.requested.store(false, Ordering::Relaxed);
    }

    /// Returns the newest frame that was requested.
    pub fn newest(&self) -> Option<Arc<FrameSnapshot>> {
        locked(&self.0.newest).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parseye_vision::{
        eye_state::PerEye,
        reading::{EyeReading, Unseen},
    };
    use std::time::Duration;

    #[test]
    fn one_request_gets_one_frame() {
        let slot = PreviewSlot::default();
        assert!(!slot.is_requested() && slot.newest().is_none());
        slot.request();
        assert!(slot.is_requested());
        slot.set(FrameSnapshot {
            rgb: RgbImage::new(2, 2),
            reading: FrameReading {
                frame: 7,
                time: Duration::ZERO,
                face: None,
                eyes: PerEye::from_fn(|_| EyeReading::Unmeasured(Unseen::NoFace)),
            },
        });
        assert!(!slot.is_requested());
        assert_eq!(slot.newest().unwrap().reading.frame, 7);
    }
}

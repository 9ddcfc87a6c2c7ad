//! The newest picture for a preview, made only while somebody asks for it.
//!
//! One wish gets one picture. So a monitor that nobody looks at copies no pixel, and a preview
//! costs as many copies as are shown, whatever the camera's rate.

use image::RgbImage;
use parseye_events::fanout::locked;
use parseye_vision::reading::FrameReading;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

/// A frame and what was said about it.
#[derive(Clone, Debug)]
pub struct FrameSnapshot {
    /// Colours as the source delivered them.
    pub rgb: RgbImage,
    /// What was said about it, with the squares of face and eyes.
    pub reading: FrameReading,
}

/// Holds at most one picture, and the wish for the next.
#[derive(Debug, Default)]
pub struct PreviewSlot {
    wanted: AtomicBool,
    newest: Mutex<Option<Arc<FrameSnapshot>>>,
}

impl PreviewSlot {
    /// Asks for the next picture.
    pub fn ask(&self) {
        self.wanted.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked since the last picture was set.
    pub fn wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    /// Hands over a picture, which fulfils the wish.
    pub fn set(&self, picture: Arc<FrameSnapshot>) {
        *locked(&self.newest) = Some(picture);
        self.wanted.store(false, Ordering::Relaxed);
    }

    /// The newest picture that somebody asked for.
    pub fn newest(&self) -> Option<Arc<FrameSnapshot>> {
        locked(&self.newest).clone()
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
    fn one_wish_gets_one_picture() {
        let slot = PreviewSlot::default();
        assert!(!slot.wanted() && slot.newest().is_none());
        slot.ask();
        assert!(slot.wanted());
        slot.set(Arc::new(FrameSnapshot {
            rgb: RgbImage::new(2, 2),
            reading: FrameReading {
                frame: 7,
                time: Duration::ZERO,
                face: None,
                eyes: PerEye::from_fn(|_| EyeReading::Unmeasured(Unseen::NoFace)),
            },
        }));
        assert!(!slot.wanted());
        assert_eq!(slot.newest().unwrap().reading.frame, 7);
    }
}

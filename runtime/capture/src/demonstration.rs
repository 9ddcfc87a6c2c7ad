//! The demonstration as a source of frames: a drawn person who follows a script, at full speed like any
//! recording. [`PacedRecording`](crate::PacedRecording) plays it at its own pace.
//!
//! What is drawn is left to `parseye-demo`.

use super::{FrameSource, SourceError};
use parseye_demo::Demonstration;
use parseye_vision::frame::Frame;
use std::{sync::OnceLock, time::Duration};

/// Seed of the demonstration's noise and of where its eyes wander.
const SEED: u32 = 1;

/// A minute of a drawn person, the same frames each time.
#[derive(Debug)]
pub struct DrawnDemonstration {
    demonstration: &'static Demonstration,
    next: u64,
}

impl DrawnDemonstration {
    /// What the source is called in events.
    pub const NAME: &str = "demonstration";

    /// Opens the demonstration at its beginning.
    pub fn open() -> Self {
        // What all frames share is drawn once: beginning again must not make a pause.
        static SHARED: OnceLock<Demonstration> = OnceLock::new();
        Self {
            demonstration: SHARED.get_or_init(|| Demonstration::new(SEED)),
            next: 0,
        }
    }
}

impl FrameSource for DrawnDemonstration {
    fn name(&self) -> &str {
        Self::NAME
    }

    /// Draws the next frame; never fails.
    fn next_frame(&mut self) -> Result<Option<Frame>, SourceError> {
        let sequence = self.next;
        if sequence == self.demonstration.frames() {
            return Ok(None);
        }
        self.next += 1;
        let time = Duration::from_nanos(
            sequence * Duration::from_secs(1).as_nanos() as u64 / u64::from(Demonstration::RATE),
        );
        let rgb = self.demonstration.render(sequence);
        Ok(Some(Frame::from_rgb(sequence, time, rgb)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_numbers_and_times_its_frames_and_ends() {
        let mut source = DrawnDemonstration::open();
        let frame = source.next_frame().unwrap().unwrap();
        assert_eq!((frame.sequence, frame.time), (0, Duration::ZERO));
        assert_eq!(frame.rgb.dimensions(), Demonstration::SIZE);
        let frame = source.next_frame().unwrap().unwrap();
        assert_eq!(frame.sequence, 1);
        assert!((frame.time.as_secs_f64() - 1.0 / 30.0).abs() < 1e-6);
        source.next = source.demonstration.frames();
        assert!(source.next_frame().unwrap().is_none());
        assert!(source.next_frame().unwrap().is_none());
    }
}

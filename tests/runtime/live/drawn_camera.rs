//! A camera that shows a drawn face, for the library alone.

use super::support::synthetic_face::{HEIGHT, WIDTH, draw};
use parseye_capture::{CameraFault, CaptureLoss, LiveOpener, LiveSource, Read, SourceError};
use parseye_vision::frame::Frame;
use std::time::{Duration, Instant};

/// What a made-up camera does after its frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    Ends,
    IsUnplugged,
    Hangs,
}

/// Delivers a drawn face as fast as it can, each time it is opened.
pub struct DrawnCamera {
    openings: std::vec::IntoIter<(u64, Then)>,
    picture: image::RgbImage,
}

impl DrawnCamera {
    pub fn new(openings: Vec<(u64, Then)>) -> Self {
        let picture = image::RgbImage::from_raw(WIDTH as u32, HEIGHT as u32, draw(0, &[])).unwrap();
        Self {
            openings: openings.into_iter(),
            picture,
        }
    }
}

pub fn unplugged() -> SourceError {
    SourceError::Camera {
        camera: "drawn".into(),
        fault: CameraFault::Unplugged,
        reason: "it was unplugged".into(),
        remedy: "plug it in again".into(),
    }
}

impl LiveOpener for DrawnCamera {
    fn name(&self) -> &str {
        "drawn"
    }

    fn open(&mut self) -> Result<Box<dyn LiveSource>, SourceError> {
        let (frames, then) = self.openings.next().ok_or_else(unplugged)?;
        Ok(Box::new(Drawn {
            frames,
            sequence: 0,
            then,
            picture: self.picture.clone(),
            opened: Instant::now(),
        }))
    }
}

pub struct Drawn {
    frames: u64,
    sequence: u64,
    then: Then,
    picture: image::RgbImage,
    opened: Instant,
}

impl LiveSource for Drawn {
    fn format(&self) -> String {
        "drawn".into()
    }

    fn opened(&self) -> Instant {
        self.opened
    }

    fn lost(&self) -> CaptureLoss {
        CaptureLoss {
            driver: 2,
            ..CaptureLoss::default()
        }
    }

    fn read(&mut self, _: Duration) -> Result<Read, SourceError> {
        if self.sequence == self.frames {
            return match self.then {
                Then::Ends => Ok(Read::Ended),
                Then::IsUnplugged => Err(unplugged()),
                // A driver that never returns.
                Then::Hangs => loop {
                    std::thread::park();
                },
            };
        }
        let frame = Frame::from_rgb(self.sequence, self.opened.elapsed(), self.picture.clone());
        self.sequence += 1;
        Ok(Read::Frame(frame))
    }
}

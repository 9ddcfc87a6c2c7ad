//! Parseye watches a person's eyes through an ordinary camera, classifies each eye as open, partially open,
//! closed or not visible, and keeps measuring how far these predictions can be trusted.
//!
//! This crate is the program `parseye` and the face of its libraries: the names below are enough to process
//! frames. Frames come from a [`FrameSource`] (a [`Video`], a [`Camera`], or your own images as a
//! [`Frame`]); an [`EyeMonitor`] finds the face, classifies both eyes with an [`EyeStateModel`], and returns
//! a [`FrameResult`] with the reading of each eye and what it completed: blinks, long closures, alerts.
//!
//! # Examples
//! The closures of both eyes in a recording:
//!
//! ```no_run
//! use parseye::{EyeMonitor, EyeStateModel, FrameSource, Video, VisionSettings};
//! use std::path::Path;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let model = EyeStateModel::built_in()?;
//! let mut monitor = EyeMonitor::new(&VisionSettings::default(), &model)?;
//! let mut video = Video::open(Path::new("face.mp4"))?;
//! while let Some(frame) = video.next_frame()? {
//!     let result = monitor.process(&frame)?;
//!     for closure in result.update.ended {
//!         println!("{:?} of {:?}: {:?}", closure.kind, closure.eye, closure.duration());
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The model alone on a crop, here a uniformly gray one, on which there is no eye to be seen:
//!
//! ```
//! use parseye::{EyeState, EyeStateModel, vision::classify::StandardisedCrop};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let model = EyeStateModel::built_in()?;
//! let gray = vec![128.0; model.side() * model.side()];
//! let probabilities = model.classifier()?.probabilities(&StandardisedCrop::new(&gray))?;
//! assert_eq!(EyeState::most_likely(&probabilities), EyeState::NotVisible);
//! # Ok(())
//! # }
//! ```
//!
//! [`EyeMonitor`] needs the file of the face detector, which comes with packages of Parseye; in a checkout
//! `make models` fetches it.
//!
//! `examples/` in the repository has programs that run: `quickstart` (a recording), `webcam`, `own_model` and
//! `noise_margin` (how much noise a prediction withstands).
//!
//! # Crates
//! - [`vision`]: face, eyes, states, blinks, self-check; a frame in, a [`FrameResult`] out.
//! - [`capture`]: cameras, video files, folders of images, programs that write frames.
//! - [`events`]: the schema of the [`Event`]s in a log, logs, summaries and sessions.
//! - This crate: the command line, live runs, dashboards, notifiers, annotated videos. They are for the
//!   program alone and promise no stability.
//!
//! # Features
//! `terminal`, `web`, `plots` and `nokhwa` are on by default; `mqtt`, `notifications` and `sound` are not. A
//! program without one of them says so when it is asked for it. A library user needs none.

mod annotate;
#[doc(hidden)]
pub mod channels;
#[doc(hidden)]
pub mod cli;
#[doc(hidden)]
pub mod collect;
#[doc(hidden)]
pub mod config;
#[doc(hidden)]
pub mod dashboard;
#[doc(hidden)]
pub mod live;
#[doc(hidden)]
pub mod notify;
#[doc(hidden)]
pub mod replay;

pub use parseye_capture as capture;
pub use parseye_events as events;
pub use parseye_vision as vision;

#[doc(inline)]
pub use parseye_capture::{Camera, CameraSettings, FrameSource, VideoFile as Video};
#[doc(inline)]
pub use parseye_events::event::Event;
#[doc(inline)]
pub use parseye_vision::{
    classify::EyeStateModel,
    eye_monitor::{EyeMonitor, FrameResult, VisionSettings},
    eye_state::{Eye, EyeState},
    frame::Frame,
    reading::{EyeReading, FrameReading},
    temporal::{Closure, ClosureKind},
};

//! Draws eyes, faces and a scripted person from formulas: nobody's picture, nothing fetched, the same frames
//! for the same seed.
//!
//! [`EyeView`] renders a crop of one eye, [`FaceRenderer`] a whole frame with a face; both know how far each
//! eye is open and where it is, which is what a label says. [`Demonstration`] plays [`script::SCRIPT`]: a
//! person who blinks, winks, squints, looks down, turns away, leaves, comes back and falls asleep.
//!
//! | module | holds |
//! |---|---|
//! | `colour` | colours and soft edges |
//! | `person` | what a person looks like, by default or drawn from a seed |
//! | `eye` | an eye: lids, lashes, eyeball, glasses |
//! | `head` | everything else of a head, and the body |
//! | `face` | frames: a person in a pose, with labels |
//! | `crop` | crops of single eyes, with labels |
//! | `exposure` | light, blur and noise of a camera |
//! | `script` | what the person does, second by second |
//! | `demonstration` | frames of the script |
//!
//! A source of frames with times, and what they are used for, is left to the crates above.
//!
//! ```
//! use parseye_demo::{EyePose, EyeView, Exposure, Person};
//! use parseye_vision::eye_state::Eye;
//!
//! let half_open = EyePose { openness: 0.5, ..EyePose::default() };
//! let view = EyeView::new(Eye::Left, 64);
//! let crop = view.render_gray(&Person::from_seed(7), &half_open, &Exposure::default());
//! assert_eq!(crop.dimensions(), (64, 64));
//! ```

mod colour;
mod crop;
mod demonstration;
mod exposure;
mod eye;
mod face;
mod head;
mod person;
pub mod script;

pub use colour::Colour;
pub use crop::EyeView;
pub use demonstration::Demonstration;
pub use exposure::Exposure;
pub use eye::{EyePose, state_of};
pub use face::{EyeLabel, FaceRenderer, Pose};
pub use person::{Glasses, LidShape, Person};

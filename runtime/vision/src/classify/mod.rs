//! From an eye crop to an eye state: standardisation, the model with its card, one plan shared by
//! all threads.
//!
//! Where the eye is comes from [`crate::locate`]; what a row of readings means is
//! [`crate::temporal`]'s.

pub mod card;
pub mod gradient;
mod graph;
pub mod input;
pub mod model;
mod onnx_file;

pub use card::ModelCard;
pub use input::StandardisedCrop;
pub use model::{EyeClassifier, EyeStateModel, ModelError};

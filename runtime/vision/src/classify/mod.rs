//! From an eye crop to an eye state: standardisation, the model with its card, one plan shared by
//! all threads.
//!
//! A model file passes, in this order, `onnx_file` (bounded decoding), [`card`], `graph` (admission),
//! `engine` (tract). [`operators`] holds what all readers of a graph know of its operators. Where the eye
//! is comes from [`crate::locate`]; what a sequence of readings means is left to [`crate::temporal`].

pub mod adopted;
pub mod card;
pub(crate) mod engine;
mod foreign_file;
pub mod gradient;
mod graph;
pub mod input;
mod input_format;
pub mod model;
pub mod onnx_file;
pub mod operators;
mod precision;

pub use card::ModelCard;
pub use foreign_file::ForeignFile;
pub use graph::{ConstantFault, GraphError};
pub use input::StandardisedCrop;
pub use model::{EyeClassifier, EyeStateModel, ModelError};
pub use onnx_file::OnnxFileError;
pub use precision::{PrecisionFault, check_precision, describe};

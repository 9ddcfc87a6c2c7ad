//! Evaluation of finished models: accuracy, calibration and ROC on labelled
//! crops, clean, attacked and corrupted, with intervals over people.
//!
//! [`crate::conditions`] runs the model under every condition of a plan; here
//! [`metrics`](metrics()) counts the predictions, [`graded`] with grades for labels, [`spread`]
//! person by person; [`report`] keeps them; [`table`] prints a model, [`comparison`] models side by
//! side, [`plots`] draws them, [`failures`] shows what a model is wrong about; [`sanity`] looks for
//! results that no sound attack has. The attacks themselves are [`crate::attack`], the
//! corruptions [`crate::corruption`]. Tables over many models are left to the study.

pub mod command;
pub mod comparison;
pub mod failures;
pub mod graded;
pub mod metrics;
pub mod plots;
pub mod report;
pub mod roc;
pub mod sanity;
pub mod selection;
pub mod spread;
pub mod table;

pub use metrics::{Metrics, metrics};

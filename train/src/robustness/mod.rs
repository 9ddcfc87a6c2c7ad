//! How far a finished model's answers can be trusted: accuracy, calibration and ROC on labelled
//! crops, clean, attacked and naturally transformed, with intervals over people.
//!
//! [`judge`](judge()) asks the model under every [`Condition`] of an [`EvaluationPlan`];
//! [`figures`](figures()) counts the answers; [`report`] keeps and prints them; [`sanity`] looks
//! for results that no sound attack gives. The attacks themselves are [`crate::attack`], the
//! natural transformations [`crate::corruption`]. Tables over many models are left to the study.

pub mod command;
pub mod figures;
pub mod judge;
pub mod report;
pub mod roc;
pub mod sanity;
pub mod selection;
pub mod table;

pub use figures::{Estimate, Figures, figures};
pub use judge::{Answers, Condition, EvaluationPlan, RobustnessError, judge};

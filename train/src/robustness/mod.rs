//! How far a finished model's answers can be trusted: accuracy, calibration and ROC on labelled
//! crops, clean, attacked and naturally transformed, with intervals over people.
//!
//! [`judge`](judge()) asks the model under every [`Condition`] of an [`EvaluationPlan`];
//! [`figures`](figures()) counts the answers, [`graded`] with grades for labels, [`spread`]
//! person by person; [`report`] keeps them; [`table`] prints a model, [`comparison`] models side by
//! side, [`plots`] draws them, [`failures`] shows what a model is wrong about; [`sanity`] looks for
//! results that no sound attack gives. The attacks themselves are [`crate::attack`], the
//! natural transformations [`crate::corruption`]. Tables over many models are left to the study.

pub mod command;
pub mod comparison;
pub mod evaluate;
pub mod failures;
pub mod figures;
pub mod graded;
pub mod plots;
pub mod report;
pub mod roc;
pub mod sanity;
pub mod selection;
pub mod spread;
pub mod table;

pub use evaluate::{Answers, Condition, EvaluationPlan, RobustnessError, judge};
pub use figures::{Estimate, Figures, figures};

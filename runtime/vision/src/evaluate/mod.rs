//! How good an answer is: labelled crops and confirmed blinks on one side, figures of merit on the
//! other. Nothing here changes what the monitor says.

pub mod crops;
pub mod manifest;
pub mod metrics;
pub mod score;
pub mod truth;

//! What the measurement programs share: their command lines, the clips, ways to degrade them, scores, and
//! statistics. What is measured is each program's own (README.md lists them).

pub mod arguments;
pub mod clips;
pub mod degrade;
pub mod scored_clips;
pub mod statistics;

//! What the measurement programs share: the clips, ways to degrade them, and their scores.

pub mod clips;
pub mod degrade;
pub mod scored_clips;

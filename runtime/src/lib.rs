//! Parseye watches a person's eyes through an ordinary camera, says for each eye whether it is
//! open, partially open, closed or not visible, and keeps measuring how far its prediction can be
//! trusted.

pub mod annotate;
pub mod channels;
#[doc(hidden)]
pub mod cli;
pub mod config;
pub mod dashboard;
pub mod live;
pub mod notify;
pub mod replay;

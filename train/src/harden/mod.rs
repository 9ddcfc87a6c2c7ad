//! Hardening: what is done during training so that a network withstands disturbed pictures.

pub mod adversarial;
pub mod constraint;
pub mod epsilon;

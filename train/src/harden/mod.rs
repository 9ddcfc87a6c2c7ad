//! Hardening: what is done during training so that a network withstands perturbed pictures.

pub mod added;
pub mod adversarial;
pub mod constraint;
pub mod epsilon;
pub mod loss;
pub mod weight_perturbation;

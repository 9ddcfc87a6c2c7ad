//! Hardening: training methods that make a network robust to perturbed images.

pub mod added;
pub mod adversarial;
pub mod constraint;
pub mod epsilon;
pub mod loss;
pub mod weight_perturbation;

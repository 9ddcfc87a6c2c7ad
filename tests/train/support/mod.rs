//! What several modules here use: small trainings, classifiers whose best attack is known, studies that
//! train nothing, a cluster of one node.

pub mod evaluation_bench;
pub mod foreign;
pub mod made_up_study;
pub mod slurm;
pub mod toy_classifiers;
pub mod training_runs;

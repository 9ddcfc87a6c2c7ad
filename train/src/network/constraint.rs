//! Which constraints of Parseval networks (Cisse et al. 2017) a network is under. Restoring them after each
//! step of the optimiser is left to [`crate::harden::constraint`].

use serde::{Deserialize, Serialize};

/// Constraints of a Parseval network that are in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Constraint {
    /// Neither.
    None,
    /// Weights near tight frames.
    Orthogonality,
    /// Convex residual sums.
    Convexity,
    /// Both: a Parseval network.
    Both,
}

impl Constraint {
    /// Whether weights are kept near tight frames.
    pub(crate) fn orthogonality(self) -> bool {
        matches!(self, Self::Orthogonality | Self::Both)
    }

    /// Whether residual sums are kept convex.
    pub fn convexity(self) -> bool {
        matches!(self, Self::Convexity | Self::Both)
    }
}

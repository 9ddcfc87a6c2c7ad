//! Whether the terminal shows a dashboard.

use serde::{Deserialize, Serialize};

/// The terminal dashboard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TerminalSettings {
    /// Whether to show it where there is a terminal; else, and for services, a status line is
    /// written now and then.
    pub dashboard: bool,
}

impl Default for TerminalSettings {
    fn default() -> Self {
        Self { dashboard: true }
    }
}

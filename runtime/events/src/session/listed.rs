//! Lists that stay short however long a session is.

use serde::Serialize;

/// Entries of each list that are kept; further ones are counted only.
pub const MOST_LISTED: usize = 1000;

/// The first entries of a list, and how long it really is.
#[derive(Clone, Debug, Serialize)]
pub struct Listed<T> {
    /// Number of entries.
    pub count: u64,
    /// The first [`MOST_LISTED`] of them.
    pub first: Vec<T>,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self {
            count: 0,
            first: Vec::new(),
        }
    }
}

impl<T> Listed<T> {
    /// Adds an entry.
    pub(super) fn push(&mut self, entry: T) {
        self.count += 1;
        if self.first.len() < MOST_LISTED {
            self.first.push(entry);
        }
    }
}

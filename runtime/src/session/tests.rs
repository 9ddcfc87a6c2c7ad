//! Logs as they are, damaged, rotated, cut off, and of the future.

//! Tables and plots.
use super::{
    StudyError,
    cell::Cell,
    execute::Runner,
    folder::StudyFolder,
    suite::{Scale, Suite},
};
use std::path::PathBuf;
/// What was made.
#[derive(Debug, Default)]
pub struct Collected {
    /// Files.
    pub written: Vec<PathBuf>,
    /// Cells not done.
    pub missing: usize,
    /// Why there is no PNG.
    pub no_png: Option<String>,
}
/// Collects.
///
/// # Errors
/// None yet.
pub fn collect(
    _: Suite,
    _: &[Cell],
    _: &StudyFolder,
    _: Scale,
    _: &mut dyn Runner,
) -> Result<Collected, StudyError> {
    Ok(Collected::default())
}

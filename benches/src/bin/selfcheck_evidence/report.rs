//! What a part prints, and the points of its plot as CSV.

use anyhow::Context;
use std::path::{Path, PathBuf};

/// The printed table of a part, its plots, and their points.
pub struct Report {
    csv: Option<(PathBuf, Vec<String>)>,
}

impl Report {
    /// Begins the report of a part. `out` is the folder for plots and points, which is made; without it both
    /// are dropped.
    pub fn new(part: &str, out: Option<&Path>) -> anyhow::Result<Self> {
        let csv = match out {
            Some(folder) => {
                std::fs::create_dir_all(folder)
                    .with_context(|| format!("{}: cannot be made", folder.display()))?;
                Some((folder.join(format!("{part}.csv")), Vec::new()))
            }
            None => None,
        };
        Ok(Self { csv })
    }

    /// Prints a line of a table.
    pub fn print(&self, line: &str) -> anyhow::Result<()> {
        parseye_benches::clips::print_line(line)
    }

    /// Keeps a row of the plot's points.
    pub fn point(&mut self, row: String) {
        if let Some((_, rows)) = &mut self.csv {
            rows.push(row);
        }
    }

    /// Writes a plot beside the points.
    pub fn plot(&self, name: &str, svg: &str) -> anyhow::Result<()> {
        let Some(folder) = self.csv.as_ref().and_then(|(path, _)| path.parent()) else {
            return Ok(());
        };
        let path = folder.join(format!("selfcheck-{name}.svg"));
        std::fs::write(&path, svg).with_context(|| format!("{}: cannot be written", path.display()))
    }

    /// Writes the points.
    pub fn finish(self) -> anyhow::Result<()> {
        if let Some((path, rows)) = self.csv {
            std::fs::write(&path, rows.join("\n") + "\n")
                .with_context(|| format!("{}: cannot be written", path.display()))?;
        }
        Ok(())
    }
}

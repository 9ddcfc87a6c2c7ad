//! Prints how good the self-check's own figures are, on real data:
//!
//! `cargo run --release -p parseye-benches --bin selfcheck_evidence -- PART DATA [OUT [EVERY]]`
//!
//! PART is `camera-snr` (noise of known size on real clips), `flips` (the adversarial margin and the
//! first-order flip probability on test crops), `headroom` (changed answers against headroom under
//! growing noise) or `drift` (false alarms and delays); DATA the folder with `eyes/` and `clips/`; OUT
//! a folder for the plots and, as CSV, their points. With EVERY, only one of so many clips and crops is looked
//! at.

mod camera_snr;
mod clips;
mod drift;
mod flips;
mod headroom;
mod plots;

use anyhow::{Context, bail};
use parseye_benches::clips as support;
use std::path::{Path, PathBuf};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [part, data, out @ ..] = arguments.as_slice() else {
        bail!("give PART (camera-snr, flips, headroom, drift), DATA and perhaps OUT");
    };
    let data = Path::new(data);
    let every: usize = match out.get(1) {
        Some(text) => text.parse().context("EVERY is no number")?,
        None => 1,
    };
    let out = out.first().map(PathBuf::from);
    let mut lines = Points::new(part, out.as_deref())?;
    match part.as_str() {
        "camera-snr" => camera_snr::run(data, every.max(1), &mut lines)?,
        "flips" => flips::run(data, every.max(1), &mut lines)?,
        "headroom" => headroom::run(data, every.max(1), &mut lines)?,
        "drift" => drift::run(data, every.max(1), &mut lines)?,
        other => bail!("unknown part '{other}'; give camera-snr, flips, headroom or drift"),
    }
    lines.finish()
}

/// What is printed, and the points of the plot.
pub struct Points {
    csv: Option<(PathBuf, Vec<String>)>,
}

impl Points {
    fn new(part: &str, out: Option<&Path>) -> anyhow::Result<Self> {
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
    pub fn say(&self, line: &str) -> anyhow::Result<()> {
        support::say(line)
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

    fn finish(self) -> anyhow::Result<()> {
        if let Some((path, rows)) = self.csv {
            std::fs::write(&path, rows.join("\n") + "\n")
                .with_context(|| format!("{}: cannot be written", path.display()))?;
        }
        Ok(())
    }
}

/// The value with this share of the others below it.
pub fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values
        .get((share * last as f64).round() as usize)
        .copied()
        .unwrap_or(f64::NAN)
}

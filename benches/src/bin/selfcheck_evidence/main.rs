//! Prints how good the self-check's own measurements are, on real data:
//!
//! `cargo run --release -p parseye-benches --bin selfcheck_evidence -- PART DATA [OUT [EVERY]]`

mod camera_snr;
mod clips;
mod drift;
mod flips;
mod headroom;
mod plots;
mod report;

use clap::{Parser, ValueEnum};
use parseye_benches::arguments;
use report::Report;
use std::{num::NonZeroUsize, path::PathBuf};

/// Prints how good the self-check's own measurements are, on real data
#[derive(Parser)]
#[command(name = "selfcheck_evidence")]
struct EvidenceArguments {
    /// What to measure
    part: EvidencePart,
    /// Folder with eyes/ and clips/
    data: PathBuf,
    /// Folder for the plots and, as CSV, their points
    out: Option<PathBuf>,
    /// Measures only one of so many clips and crops
    #[arg(default_value = "1")]
    every: NonZeroUsize,
}

#[derive(Clone, Copy, ValueEnum)]
enum EvidencePart {
    /// Camera SNR against noise of known size on real clips
    CameraSnr,
    /// The adversarial margin and the first-order flip probability on test crops
    Flips,
    /// Changed predictions against headroom under growing noise
    Headroom,
    /// False alarms and delays of the drift monitor
    Drift,
}

impl EvidencePart {
    fn name(self) -> &'static str {
        match self {
            Self::CameraSnr => "camera-snr",
            Self::Flips => "flips",
            Self::Headroom => "headroom",
            Self::Drift => "drift",
        }
    }
}

fn main() -> anyhow::Result<()> {
    let arguments: EvidenceArguments = arguments::parse();
    let (data, every) = (arguments.data.as_path(), arguments.every.get());
    let mut report = Report::new(arguments.part.name(), arguments.out.as_deref())?;
    match arguments.part {
        EvidencePart::CameraSnr => camera_snr::run(data, every, &mut report)?,
        EvidencePart::Flips => flips::run(data, every, &mut report)?,
        EvidencePart::Headroom => headroom::run(data, every, &mut report)?,
        EvidencePart::Drift => drift::run(data, every, &mut report)?,
    }
    report.finish()
}

//! Parseye beside its peers, each pair in one run on the same images:
//!
//! `cargo run --release -p parseye-benches --bin peers -- crop MODEL.onnx...`
//! `cargo run --release -p parseye-benches --bin peers -- frame|blinks DATA`
//!
//! Run through `benches/peers.sh`, which fetches the peers.

mod blinks;
mod blinks_plot;
mod crop;
mod face_mesh;
mod frame;

use clap::{Parser, Subcommand};
use parseye_benches::{arguments, clips, degrade, scored_clips};
use parseye_vision::{classify::EyeStateModel, locate::find_face_detector};
use scored_clips::Clip;
use std::path::{Path, PathBuf};

/// Where the comparison on degraded clips is drawn.
const PLOT: &str = "docs/results/plots/peers-blinks.svg";

/// Measures Parseye beside its peers, each pair in one run on the same images
#[derive(Parser)]
#[command(name = "peers")]
struct PeerArguments {
    #[command(subcommand)]
    pair: Pair,
}

#[derive(Subcommand)]
enum Pair {
    /// One eye crop and one face detection, beside onnxruntime
    Crop {
        /// Eye-state models
        #[arg(value_name = "MODEL.onnx")]
        models: Vec<PathBuf>,
    },
    /// A whole frame, beside MediaPipe's FaceMesh
    Frame {
        /// Folder with clips/
        data: PathBuf,
    },
    /// Blinks on clips degraded step by step, beside FaceMesh
    Blinks {
        /// Folder with clips/
        data: PathBuf,
    },
}

fn main() -> anyhow::Result<()> {
    let arguments: PeerArguments = arguments::parse();
    let clips = |data: &Path| Clip::all(&data.join("clips"));
    match &arguments.pair {
        Pair::Crop { models } => crop::run(models, &find_face_detector(None)?),
        Pair::Frame { data } => frame::run(&clips(data)?, &EyeStateModel::built_in()?),
        Pair::Blinks { data } => {
            blinks::run(&clips(data)?, &EyeStateModel::built_in()?, Path::new(PLOT))
        }
    }
}

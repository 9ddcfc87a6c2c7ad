//! Parseye beside its peers, each pair in one run on the same pictures:
//!
//! `cargo run --release -p parseye-benches --bin peers -- crop MODEL.onnx...`
//! `cargo run --release -p parseye-benches --bin peers -- frame|blinks DATA`
//!
//! `crop` is one eye crop, and one look for a face, by Parseye and onnxruntime, `frame` a whole frame by
//! Parseye and MediaPipe's FaceMesh, `blinks` the same two on clips degraded step by step, with the built-in
//! model; DATA is the folder with `clips/`. Run through `benches/peers.sh`, which fetches the peers.

mod blinks;
mod blinks_plot;
mod crop;
mod face_mesh;
mod frame;

use anyhow::bail;
use parseye_benches::{clips, degrade, scored_clips};
use parseye_vision::{classify::EyeStateModel, locate::find_face_detector};
use scored_clips::Clip;
use std::path::Path;

/// Where the comparison on degraded clips is drawn.
const PLOT: &str = "docs/results/plots/peers-blinks.svg";

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let clips = |data: &str| Clip::all(&Path::new(data).join("clips"));
    match words.as_slice() {
        ["crop", models @ ..] => crop::run(models, &find_face_detector(None)?),
        ["frame", data] => frame::run(&clips(data)?, &EyeStateModel::built_in()?),
        ["blinks", data] => {
            blinks::run(&clips(data)?, &EyeStateModel::built_in()?, Path::new(PLOT))
        }
        _ => bail!("give crop MODEL.onnx..., frame DATA or blinks DATA"),
    }
}

/// Median and 99th percentile of at least one time.
pub fn median_and_p99(times: &mut [f64]) -> (f64, f64) {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let place = (share * times.len().saturating_sub(1) as f64).round() as usize;
        times.get(place).copied().unwrap_or(f64::NAN)
    };
    (at(0.5), at(0.99))
}

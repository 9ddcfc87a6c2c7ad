//! Prints how faces are found by size, place and turn, who is watched of several people, what searching costs, and
//! how small an eye can be read, in scenes that are composed of real stills and clips:
//!
//! `cargo run --release -p parseye-benches --bin people -- PART DATA`

mod compose;
mod cost;
mod crop_size;
mod faces;
mod scenes;

use clap::{Parser, ValueEnum};
use parseye_benches::{arguments, clips};
use parseye_vision::locate::{DetectorSettings, FaceTracker, find_face_detector};
use std::path::PathBuf;

/// Prints how faces are found, and who is watched of several people
#[derive(Parser)]
#[command(name = "people")]
struct PeopleArguments {
    /// What to measure
    part: PeoplePart,
    /// Folder with stills/, clips/, eyes/ and eyes-wild/
    data: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum PeoplePart {
    /// Faces by size, place and turn that appear in three sizes of frames
    Faces,
    /// Two people, a portrait on the wall, people who come and go
    Scenes,
    /// Network runs and time a frame while nobody is there, and while somebody is followed
    Cost,
    /// Open and closed eyes by the side of their crop
    CropSize,
}

/// Frames a second of the scenes.
const FPS: u32 = 30;

fn main() -> anyhow::Result<()> {
    let arguments: PeopleArguments = arguments::parse();
    let data = &arguments.data;
    match arguments.part {
        PeoplePart::Faces => faces::run(data),
        PeoplePart::Scenes => scenes::run(data),
        PeoplePart::Cost => cost::run(data),
        PeoplePart::CropSize => crop_size::run(data),
    }
}

fn tracker(settings: &DetectorSettings) -> anyhow::Result<FaceTracker> {
    let detector = find_face_detector(settings.file.as_deref())?;
    Ok(FaceTracker::open(&detector, settings)?)
}

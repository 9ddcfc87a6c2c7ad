//! Prints the blinks and other closures in a recording.
//!
//! `cargo run -p parseye --example quickstart -- VIDEO`
#![allow(clippy::print_stdout)]

use anyhow::Context;
use parseye::{EyeMonitor, EyeStateModel, FrameSource, Video, VisionSettings};
use std::path::PathBuf;

fn main() -> anyhow::Result<()> {
    let path = std::env::args_os().nth(1).context("give a video file")?;
    let model = EyeStateModel::built_in()?;
    let mut monitor = EyeMonitor::new(&VisionSettings::default(), &model)?;
    let mut video = Video::open(&PathBuf::from(path))?;
    let (mut frames, mut faces) = (0, 0);
    while let Some(frame) = video.next_frame()? {
        let result = monitor.process(&frame)?;
        frames += 1;
        faces += u32::from(result.reading.face.is_some());
        for closure in result.update.ended {
            let (start, length) = (closure.start.as_secs_f64(), closure.duration().as_millis());
            println!(
                "{start:8.3} s  {:?} of {:?}, {length} ms",
                closure.kind, closure.eye
            );
        }
    }
    println!("{frames} frames, a face in {faces}");
    Ok(())
}

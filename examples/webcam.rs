//! Prints the state of both eyes before a webcam whenever it changes, until Ctrl-C.
//!
//! `cargo run -p parseye --example webcam -- [CAMERA]`, where CAMERA is a number or a part of its name
#![allow(clippy::print_stdout)]

use parseye::{
    Camera, CameraSettings, Eye, EyeMonitor, EyeStateModel, FrameSource, VisionSettings,
};

fn main() -> anyhow::Result<()> {
    let settings = CameraSettings {
        id: std::env::args().nth(1),
        ..CameraSettings::default()
    };
    let mut camera = Camera::open(&settings)?;
    println!("{}: {}", camera.name(), camera.format());
    let model = EyeStateModel::built_in()?;
    let mut monitor = EyeMonitor::new(&VisionSettings::default(), &model)?;
    let mut last = None;
    while let Some(frame) = camera.next_frame()? {
        let eyes = monitor.process(&frame)?.reading.eyes;
        let states = Eye::ALL.map(|eye| eyes.get(eye).state());
        if last.replace(states) != Some(states) {
            let [left, right] = states;
            let time = frame.time.as_secs_f64();
            println!("{time:8.3} s  left {left}, right {right}");
        }
    }
    Ok(())
}

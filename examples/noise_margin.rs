//! Measures how much noise the predictions on a recording withstand, and how much the camera adds.
//!
//! `cargo run -p parseye --example noise_margin -- VIDEO`
#![allow(clippy::print_stdout)]

use anyhow::Context;
use parseye::vision::selfcheck::offline::{OfflineCheck, OfflineOptions};
use parseye::vision::{classify::gradient::GradientModel, selfcheck::SelfCheckSettings};
use parseye::{EyeMonitor, EyeStateModel, VisionSettings, capture::open_recording};
use std::{path::PathBuf, time::Duration};

fn main() -> anyhow::Result<()> {
    let path = std::env::args_os().nth(1).context("give a recording")?;
    let model = EyeStateModel::built_in()?;
    let gradient = GradientModel::built_in(&model)?;
    let options = OfflineOptions {
        settings: SelfCheckSettings::default(),
        snrs_db: Vec::new(),
        every: Duration::from_secs(1),
    };
    let mut check = OfflineCheck::new(&model, Some(&gradient), options)?;
    let mut monitor = EyeMonitor::new(&VisionSettings::default(), &model)?;
    let mut source = open_recording(&PathBuf::from(path), 30.0)?;
    while let Some(frame) = source.next_frame()? {
        check.frame(&frame, &monitor.process(&frame)?.reading)?;
    }
    let eyes = check.report("recording")?.both;
    println!("medians in dB, {} eyes:", eyes.camera_snr_db.n);
    for (name, figure) in [
        ("camera SNR", &eyes.camera_snr_db),
        ("noise flip SNR", &eyes.noise_flip_snr_db),
        ("headroom", &eyes.headroom_db),
        ("adversarial margin", &eyes.adversarial_margin_db),
    ] {
        println!("{name:18}  {:?}", figure.median);
    }
    Ok(())
}

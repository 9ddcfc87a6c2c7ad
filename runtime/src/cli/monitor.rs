//! `parseye monitor`: a camera in, events out, until the user stops it.

use super::{
    alarm,
    dashboards::Dashboards,
    resolve::MonitorPlan,
    stop_on_signals,
    watch::{LiveInput, watch},
};
use crate::live::monitor::SILENCE;
use anyhow::anyhow;
use parseye_capture::{CameraOpener, SourceError, list_cameras};
use parseye_events::{event::Mode, jsonl::Existing};
use std::process::ExitCode;

/// Runs the command.
///
/// # Errors
/// When there is no camera, or an output failed.
pub fn run(plan: MonitorPlan) -> anyhow::Result<ExitCode> {
    let stop = stop_on_signals()?;
    let dashboards = Dashboards::listen(&plan.settings, &stop)?;
    let alarm = alarm::start(&plan.settings, &dashboards)?;
    let opener = CameraOpener::new(plan.settings.camera.clone()).map_err(with_hint)?;
    let watched = LiveInput {
        opener: Box::new(opener),
        mode: Mode::Monitor,
        existing: Existing::Continue,
        silence: Some(SILENCE),
        duration: plan.duration,
    };
    watch(watched, &plan.settings, &stop, dashboards, alarm)
}

fn with_hint(error: SourceError) -> anyhow::Error {
    match list_cameras().is_empty() {
        true => anyhow!("{error}; `make demo` makes one"),
        false => error.into(),
    }
}

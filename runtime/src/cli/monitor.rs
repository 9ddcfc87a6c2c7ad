//! `parseye monitor`: a camera in, events out, until the user stops it.

use super::{
    complain, load_gradient, load_model, resolve::MonitorPlan, stop_on_signals, watch::watch,
};
use crate::live::{LiveOptions, LiveRun};
use anyhow::anyhow;
use parseye_capture::{CameraOpener, STALL_TIMEOUT, SourceError, list_cameras};
use parseye_events::{event::Mode, jsonl::Existing};
use std::process::ExitCode;

/// Runs the command.
///
/// # Errors
/// When there is no camera, or an output failed.
pub fn run(plan: MonitorPlan) -> anyhow::Result<ExitCode> {
    let settings = &plan.settings;
    let stop = stop_on_signals()?;
    let run = LiveRun::prepare(settings, &stop, |line| complain(&line))?;
    let opener = CameraOpener::new(settings.camera.clone()).map_err(with_hint)?;
    let model = load_model(settings)?;
    let options = LiveOptions {
        opener: Box::new(opener),
        mode: Mode::Monitor,
        existing: Existing::Continue,
        stall_timeout: Some(STALL_TIMEOUT),
        duration: plan.duration,
        gradient: load_gradient(settings, &model)?,
        model,
    };
    watch(run, options, settings, &stop)
}

fn with_hint(error: SourceError) -> anyhow::Error {
    match list_cameras().is_empty() {
        true => anyhow!("{error}; `make demo` makes one"),
        false => error.into(),
    }
}

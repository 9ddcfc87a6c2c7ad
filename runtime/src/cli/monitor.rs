//! `parseye monitor`: a camera in, events out, until the user stops it.

use super::{
    complain, demo, load_gradient, load_model, resolve::MonitorPlan, stop_on_signals, watch::watch,
};
use crate::live::{LiveOptions, LiveRun};
use anyhow::anyhow;
use parseye_capture::{CameraFault, CameraOpener, LiveOpener, SourceError, list_cameras};
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
    let opener = match CameraOpener::new(settings.camera.clone()) {
        Ok(opener) => opener,
        // Whoever names a camera wants that one.
        Err(SourceError::Camera {
            fault: CameraFault::Missing,
            reason,
            ..
        }) if plan.or_demo && settings.camera.id.is_none() => {
            complain(&format!(
                "{reason}; the demonstration is watched instead, a drawn face that follows a script"
            ));
            return demo::play(run, settings, plan.duration, &stop);
        }
        Err(error) => return Err(with_hint(error)),
    };
    let model = load_model(settings)?;
    let options = LiveOptions {
        stall_timeout: opener.stall_timeout(),
        opener: Box::new(opener),
        mode: Mode::Monitor,
        existing: Existing::Continue,
        duration: plan.duration,
        gradient: load_gradient(settings, &model)?,
        model,
    };
    watch(run, options, settings, &stop)
}

fn with_hint(error: SourceError) -> anyhow::Error {
    match list_cameras().is_empty() {
        true => anyhow!("{error}; `parseye demo` shows a drawn face"),
        false => error.into(),
    }
}
